/* The answers of the mock upstream, built once for each setting, so that answering is little more than one send. */
#ifndef UPSTREAM_ANSWERS_H
#define UPSTREAM_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "settings.h"

enum api { API_RESPONSES, API_CHAT };

/* One piece of an answer that can be sent alone: an event of a stream, or a whole JSON body. */
struct piece {
    size_t start;
    size_t length;
    size_t stamp_at; /* where the 19 digits of the time stand; 0: nowhere */
    size_t id_at;    /* where the digits of the answer's id stand; 0: nowhere */
};

/* Head, pieces and end stand in `bytes` one behind the other, so that a whole answer is one send. */
struct answer {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t head_length; /* without the size line of the first chunk */
    struct piece *pieces;
    size_t count;
};

/* Builds every answer anew. */
void answers_build(const struct settings *settings);

/* The answers stay property of this file; the caller may stamp them just before it sends them. */
struct answer *json_answer(enum api api);
struct answer *stream_answer(enum api api);

/* Writes the id of this answer and the time into pieces `first` to `last - 1`. */
void answer_stamp(struct answer *answer, size_t first, size_t last, uint64_t id, uint64_t time_ns);

#endif

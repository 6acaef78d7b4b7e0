/* Reads one HTTP/1.1 answer as it comes in, in pieces of any size. */
#ifndef LOAD_ANSWER_H
#define LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#define MOST_HEAD 8192

enum part { IN_HEAD, IN_LENGTH, IN_CHUNK_SIZE, IN_CHUNK, AFTER_CHUNK, IN_TRAILER, UNTIL_CLOSE, COMPLETE, MALFORMED };

struct answer {
    enum part part;
    int status;
    bool closes;   /* the connection ends with this answer */
    size_t left;   /* of the body or of the chunk */
    size_t line;   /* bytes of the trailer line so far */
    size_t head_length;
    char head[MOST_HEAD];
};

/* Called with each piece of the body, without its framing. */
typedef void (*body_reader)(void *reader, const char *bytes, size_t length);

void answer_begin(struct answer *answer);

/* Returns how many bytes belonged to the answer; fewer than `length` only when it is COMPLETE or MALFORMED. */
size_t answer_read(struct answer *answer, const char *bytes, size_t length, body_reader read, void *reader);

#endif

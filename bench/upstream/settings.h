/* What the mock upstream has been told to be: how fast it answers, in how many events, and what it says it used. */
#ifndef UPSTREAM_SETTINGS_H
#define UPSTREAM_SETTINGS_H

#include <stdbool.h>

/* A stream has a beginning and an end of several events; fewer than this cannot be a stream. */
#define FEWEST_EVENTS 10
#define MOST_EVENTS 100000

struct settings {
    int delay_ms;    /* between the end of the request and the first byte of the answer */
    int interval_ms; /* between two sends of a stream; 0: the whole stream is sent at once */
    int events;      /* in a stream, the first and the last ones included */
    int burst;       /* events in one send, when there is an interval */
    int input_tokens;
    int output_tokens; /* never above what the benchmark's requests allow, so that no hold is ever breached */
    bool rehearsal;    /* every answer says that it comes from a rehearsal */
    char model[64];
};

#endif

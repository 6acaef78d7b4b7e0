/* Everything that the load generator counts, and the one JSON line that tells it. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdint.h>

#include "histogram.h"

#define MOST_STATUS 600

struct totals {
    /* From the first request to the last, warm-up and drain included. */
    uint64_t sent;
    uint64_t answered;         /* came to their end, whatever they said */
    uint64_t transport_errors; /* cut, malformed, or more bytes than were asked for */
    uint64_t connect_errors;
    /* While measuring. */
    uint64_t good; /* 2xx, and whole */
    uint64_t not_2xx;
    uint64_t short_answers; /* streams with another number of events than expected */
    uint64_t events;
    uint64_t bytes; /* of bodies */
    int statuses[MOST_STATUS];
    struct histogram latency, first_byte, event_delay; /* nanoseconds */
    /* At the end. */
    uint64_t unsent;     /* were due in the open loop and found no connection */
    uint64_t unanswered; /* under way */
    uint64_t streaming;  /* of those, whose status is 2xx and whose body has begun */
    double seconds;      /* measured */
    double cpu_seconds;  /* used by this program while measuring */
};

/* Prints one JSON object on one line of standard output. */
void totals_tell(const struct totals *totals);

#endif

/* The one clock that the load generator and the mock upstream share, so that a time written by one can be read by the other. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NANOSECONDS_PER_SECOND UINT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND UINT64_C(1000000)

/* A stamp in an event is the monotonic time in nanoseconds as this many digits, with leading zeros, inside a JSON string:
 * a number with leading zeros would not be JSON, and a number without them would change its length. */
#define STAMP_DIGITS 19
#define STAMP_FIELD "\"ts\":\""

static inline uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NANOSECONDS_PER_SECOND + (uint64_t)time.tv_nsec;
}

#endif

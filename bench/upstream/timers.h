/* When which connection is due next: a binary heap, the earliest first. */
#ifndef UPSTREAM_TIMERS_H
#define UPSTREAM_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    uint64_t due_ns;
    int connection;
    uint32_t generation; /* of the connection when the timer was set; a connection that has ended since is not woken */
};

void timer_set(struct timer timer);

/* Takes the earliest timer out if it is due. */
bool timer_take(uint64_t now, struct timer *timer);

/* Nanoseconds until the earliest timer is due; -1 when there is none. */
int64_t timer_wait(uint64_t now);

#endif

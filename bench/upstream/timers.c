/* Keeps the timers in one array: the children of place n stand at 2n + 1 and 2n + 2, and none is earlier than its parent. */
#include "timers.h"

#include <stdio.h>
#include <stdlib.h>

static struct timer *heap;
static size_t count;
static size_t capacity;

static void swap(size_t left, size_t right)
{
    struct timer held = heap[left];
    heap[left] = heap[right];
    heap[right] = held;
}

void timer_set(struct timer timer)
{
    if (count == capacity) {
        capacity = capacity == 0 ? 1024 : capacity * 2;
        heap = realloc(heap, capacity * sizeof *heap);
        if (heap == NULL) {
            perror("upstream: out of memory");
            exit(1);
        }
    }
    size_t place = count++;
    heap[place] = timer;
    while (place > 0 && heap[(place - 1) / 2].due_ns > heap[place].due_ns) {
        swap(place, (place - 1) / 2);
        place = (place - 1) / 2;
    }
}

bool timer_take(uint64_t now, struct timer *timer)
{
    if (count == 0 || heap[0].due_ns > now)
        return false;
    *timer = heap[0];
    heap[0] = heap[--count];
    for (size_t place = 0;;) {
        size_t earliest = place;
        for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < count; child++)
            if (heap[child].due_ns < heap[earliest].due_ns)
                earliest = child;
        if (earliest == place)
            return true;
        swap(place, earliest);
        place = earliest;
    }
}

int64_t timer_wait(uint64_t now)
{
    if (count == 0)
        return -1;
    return heap[0].due_ns <= now ? 0 : (int64_t)(heap[0].due_ns - now);
}

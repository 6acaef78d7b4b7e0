/* How long things took: counts in buckets that are at most 1/64 wide, so that no percentile is off by more than 1.6 %. */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define STEPS 64 /* buckets in each doubling */
#define BUCKETS (STEPS * 40)

struct histogram {
    uint64_t buckets[BUCKETS];
    uint64_t count;
    uint64_t most;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value below which this share of all values lies; 0 when there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

#endif

/* Buckets: values under 64 have one each; above, every doubling is cut into 64 equal steps. */
#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned doubling = 63u - (unsigned)__builtin_clzll(value); /* 6 for 64 to 127 */
    unsigned step = (unsigned)(value >> (doubling - 6)) - STEPS;
    unsigned bucket = (doubling - 5) * STEPS + step;
    return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(STEPS + bucket % STEPS) << shift) + ((UINT64_C(1) << shift) >> 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->most)
        histogram->most = value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen > wanted)
            return value_of(bucket) < histogram->most ? value_of(bucket) : histogram->most;
    }
    return histogram->most;
}

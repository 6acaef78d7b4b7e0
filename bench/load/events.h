/* Counts the events of a stream and reads the times that the mock upstream wrote into them. */
#ifndef LOAD_EVENTS_H
#define LOAD_EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "histogram.h"

/* How many events end in these bytes. `last` is the last byte before them, and becomes the last of them; it begins as 0. */
size_t events_count(const char *bytes, size_t length, char *last);

/* Adds the age of each stamp to the histogram. A stamp that is split over two reads is passed over: it is one in many, and does not depend
 * on how late it is. */
void events_delays(const char *bytes, size_t length, uint64_t now, struct histogram *delays);

#endif

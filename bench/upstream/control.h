/* The control URL of the mock upstream: changes the settings while it runs and tells what it has counted. */
#ifndef UPSTREAM_CONTROL_H
#define UPSTREAM_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "settings.h"

struct counts {
    uint64_t requests; /* whole model requests received */
    uint64_t answers;  /* of which the last byte was handed to the kernel */
    uint64_t events;   /* handed to the kernel or waiting for a slow reader */
    uint64_t unknown;  /* requests for anything else, answered 404 */
    uint64_t connections;
    uint64_t open;
};

/* Takes `name=value` pairs joined by `&`; names it does not know are told by its answer, false. `reset=1` sets the counts to 0, except `open`. */
int control_take(const char *query, struct settings *settings, struct counts *counts);

size_t control_tell(char *out, size_t room, const struct settings *settings, const struct counts *counts);

#endif

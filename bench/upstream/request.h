/* What the mock upstream needs to know of a request: where it goes, how long its body is, and whether it asks for a stream. */
#ifndef UPSTREAM_REQUEST_H
#define UPSTREAM_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

struct request {
    char method[8];
    char target[512];
    size_t body_length;
    bool closes;    /* the client wants the connection closed after the answer */
    bool continues; /* the client waits for 100 before it sends the body */
};

/* Reads a request head. Returns its length, 0 when it is not complete, -1 when it is none that this upstream takes. */
long request_read(const char *bytes, size_t length, struct request *request);

/* How many bytes at each end of a body are searched for the `stream` field. A whole body of 120 KB is not searched: that would
 * cost the core that also makes the load more than everything else together. */
#define SEARCHED 2048

/* Whether these bytes hold `"stream": true`, with or without a space. */
bool asks_for_stream(const char *bytes, size_t length);

#endif

/* What the load generator was asked to do, and the one request that it sends over and over. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define MOST_HEADERS 16

struct options {
    int port;
    const char *target;
    const char *body_file;
    const char *headers[MOST_HEADERS];
    int header_count;
    int connections;
    double seconds, warm_up, rate, ramp, drain;
    bool streams, delays;
    size_t events;
};

/* Ends the program with a sentence. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);

/* Reads the command line; ends the program when it cannot be followed. */
void options_read(int argument_count, char **arguments, struct options *options);

/* The whole request, head and body; the caller keeps it. */
char *options_request(const struct options *options, size_t *length);

#endif

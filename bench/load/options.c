/* Reads the command line of the load generator and builds its request. */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

char *options_request(const struct options *options, size_t *request_length)
{
    char *body = NULL, *request = NULL;
    size_t length = 0;
    if (options->body_file != NULL) {
        FILE *file = fopen(options->body_file, "rb");
        if (file == NULL)
            fail("%s: %s", options->body_file, strerror(errno));
        fseek(file, 0, SEEK_END);
        length = (size_t)ftell(file);
        rewind(file);
        body = malloc(length + 1);
        if (body == NULL || fread(body, 1, length, file) != length)
            fail("%s: cannot be read", options->body_file);
        fclose(file);
    }
    FILE *out = open_memstream(&request, request_length);
    if (out == NULL)
        fail("out of memory");
    fprintf(out, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\naccept: %s\r\n", options->target,
            options->port, options->streams ? "text/event-stream" : "application/json");
    bool named = false;
    for (int index = 0; index < options->header_count; index++) {
        fprintf(out, "%s\r\n", options->headers[index]);
        named |= strncasecmp(options->headers[index], "user-agent:", 11) == 0;
    }
    if (!named)
        fputs("user-agent: headgate-bench\r\n", out);
    fprintf(out, "content-length: %zu\r\n\r\n", length);
    fwrite(body, 1, length, out);
    fclose(out);
    free(body);
    return request;
}

void options_read(int argument_count, char **arguments, struct options *options)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},    {"target", required_argument, NULL, 't'}, {"body", required_argument, NULL, 'b'},
        {"header", required_argument, NULL, 'h'},  {"connections", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},    {"warm-up", required_argument, NULL, 'w'}, {"ramp", required_argument, NULL, 'o'},
        {"events", required_argument, NULL, 'e'},  {"delays", no_argument, NULL, 'd'},        {"drain", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argument_count, arguments, "", names, NULL)) != -1)
        switch (option) {
        case 'p': options->port = atoi(optarg); break;
        case 't': options->target = optarg; break;
        case 'b': options->body_file = optarg; break;
        case 'c': options->connections = atoi(optarg); break;
        case 's': options->seconds = atof(optarg); break;
        case 'r': options->rate = atof(optarg); break;
        case 'w': options->warm_up = atof(optarg); break;
        case 'o': options->ramp = atof(optarg); break;
        case 'd': options->delays = true; break;
        case 'n': options->drain = atof(optarg); break;
        case 'e':
            options->streams = true;
            options->events = strtoul(optarg, NULL, 10);
            break;
        case 'h':
            if (options->header_count == MOST_HEADERS)
                fail("more than %d headers", MOST_HEADERS);
            options->headers[options->header_count++] = optarg;
            break;
        default: exit(2);
        }
    if (options->port <= 0 || options->connections <= 0 || options->ramp <= 0)
        fail("--port, --connections and --ramp must be above 0");
}

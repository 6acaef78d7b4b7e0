/* Reads request heads, as strictly as a benchmark needs: a body must have a Content-Length, and a head must fit 16 KB. */
#define _GNU_SOURCE
#include "request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool header_is(const char *line, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return false;
    *value = line + length + 1;
    while (**value == ' ')
        (*value)++;
    return true;
}

/* Copies a word up to its space and returns what follows it; NULL when it has no end or no room. */
static const char *take_word(const char *bytes, const char *end, char *word, size_t room)
{
    const char *space = memchr(bytes, ' ', (size_t)(end - bytes));
    if (space == NULL || (size_t)(space - bytes) >= room)
        return NULL;
    memcpy(word, bytes, (size_t)(space - bytes));
    word[space - bytes] = 0;
    return space + 1;
}

long request_read(const char *bytes, size_t length, struct request *request)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (end == NULL)
        return length > 16384 ? -1 : 0;
    *request = (struct request){0};
    const char *word = take_word(bytes, end, request->method, sizeof request->method);
    if (word == NULL || take_word(word, end, request->target, sizeof request->target) == NULL)
        return -1;
    for (const char *line = memchr(bytes, '\n', (size_t)(end - bytes)); line != NULL && line < end;
         line = memchr(line, '\n', (size_t)(end - line))) {
        const char *value;
        line++;
        if (header_is(line, "content-length", &value))
            request->body_length = strtoul(value, NULL, 10);
        else if (header_is(line, "connection", &value))
            request->closes = strncasecmp(value, "close", 5) == 0;
        else if (header_is(line, "expect", &value))
            request->continues = strncasecmp(value, "100-continue", 12) == 0;
        else if (header_is(line, "transfer-encoding", &value))
            return -1;
    }
    return end + 4 - bytes;
}

bool asks_for_stream(const char *bytes, size_t length)
{
    static const char field[] = "\"stream\":";
    const char *end = bytes + length;
    const char *found = memmem(bytes, length, field, sizeof field - 1);
    if (found == NULL)
        return false;
    found += sizeof field - 1;
    while (found < end && *found == ' ')
        found++;
    return end - found >= 4 && memcmp(found, "true", 4) == 0;
}

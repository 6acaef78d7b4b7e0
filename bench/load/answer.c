/* A machine over the parts of an answer: head, then a body by length, by chunks or up to the close. 1xx heads are passed over. */
#define _GNU_SOURCE
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_begin(struct answer *answer)
{
    answer->part = IN_HEAD;
    answer->status = 0;
    answer->closes = false;
    answer->head_length = 0;
}

static bool line_is(const char *line, const char *name, const char **value)
{
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return false;
    *value = line + length + 1 + strspn(line + length + 1, " \t");
    return true;
}

/* The head is complete and ends with a 0 byte. */
static void understand_head(struct answer *answer)
{
    if (strncmp(answer->head, "HTTP/1.", 7) != 0 || strlen(answer->head) < 12) {
        answer->part = MALFORMED;
        return;
    }
    answer->status = atoi(answer->head + 9);
    if (answer->status >= 100 && answer->status < 200) {
        answer_begin(answer);
        return;
    }
    answer->part = UNTIL_CLOSE;
    for (const char *line = strchr(answer->head, '\n'); line != NULL; line = strchr(line, '\n')) {
        const char *value;
        line++;
        if (line_is(line, "content-length", &value)) {
            answer->left = strtoul(value, NULL, 10);
            answer->part = answer->left == 0 ? COMPLETE : IN_LENGTH;
        } else if (line_is(line, "transfer-encoding", &value)) {
            answer->left = 0;
            answer->part = IN_CHUNK_SIZE;
        } else if (line_is(line, "connection", &value)) {
            answer->closes = strncasecmp(value, "close", 5) == 0;
        }
    }
    if (answer->status == 204 || answer->status == 304)
        answer->part = COMPLETE;
    if (answer->part == UNTIL_CLOSE)
        answer->closes = true;
}

static size_t read_head(struct answer *answer, const char *bytes, size_t length)
{
    size_t before = answer->head_length, room = MOST_HEAD - 1 - before;
    size_t copied = length < room ? length : room;
    memcpy(answer->head + before, bytes, copied);
    answer->head_length += copied;
    size_t from = before > 3 ? before - 3 : 0;
    char *end = memmem(answer->head + from, answer->head_length - from, "\r\n\r\n", 4);
    if (end == NULL) {
        if (answer->head_length == MOST_HEAD - 1)
            answer->part = MALFORMED;
        return copied;
    }
    end[2] = 0;
    size_t head_length = (size_t)(end + 4 - answer->head);
    understand_head(answer);
    return head_length - before;
}

static size_t read_counted(struct answer *answer, const char *bytes, size_t length, body_reader read, void *reader, enum part next)
{
    size_t taken = length < answer->left ? length : answer->left;
    read(reader, bytes, taken);
    answer->left -= taken;
    if (answer->left == 0)
        answer->part = next;
    return taken;
}

static int digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static void read_size(struct answer *answer, char character)
{
    int digit = digit_of(character);
    if (digit >= 0 && answer->left < (1u << 30))
        answer->left = answer->left * 16 + (size_t)digit;
    else if (character == '\n')
        answer->part = answer->left == 0 ? IN_TRAILER : IN_CHUNK;
    else if (character != '\r')
        answer->part = MALFORMED;
    answer->line = 0;
}

static void read_trailer(struct answer *answer, char character)
{
    if (character == '\n' && answer->line == 0)
        answer->part = COMPLETE;
    else if (character == '\n')
        answer->line = 0;
    else if (character != '\r')
        answer->line++;
}

size_t answer_read(struct answer *answer, const char *bytes, size_t length, body_reader read, void *reader)
{
    size_t at = 0;
    while (at < length) {
        switch (answer->part) {
        case IN_HEAD:
            at += read_head(answer, bytes + at, length - at);
            break;
        case IN_LENGTH:
            at += read_counted(answer, bytes + at, length - at, read, reader, COMPLETE);
            break;
        case IN_CHUNK_SIZE:
            read_size(answer, bytes[at++]);
            break;
        case IN_CHUNK:
            at += read_counted(answer, bytes + at, length - at, read, reader, AFTER_CHUNK);
            break;
        case AFTER_CHUNK:
            if (bytes[at++] == '\n')
                answer->part = IN_CHUNK_SIZE;
            break;
        case IN_TRAILER:
            read_trailer(answer, bytes[at++]);
            break;
        case UNTIL_CLOSE:
            read(reader, bytes + at, length - at);
            return length;
        case COMPLETE:
        case MALFORMED:
            return at;
        }
    }
    return at;
}

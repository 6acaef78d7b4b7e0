/* Builds believable bodies of the Responses and the Chat Completions API: a JSON answer of about 1.5 KB, a stream of about 230 bytes an event.
 *
 * The shapes follow the published API. What is not true to life: every answer has the same text, its usage is what the settings
 * say and not what the text has, each event carries a time, and Chat sends its usage whether it was asked for or not.
 */
#include "answers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../clock.h"

#define ID_DIGITS 24
#define CREATED_AT 1790000000
#define ITEM_ID "msg_00f1b2c3"

static const char *const WORDS[] = {"the ", "room ", "for ", "this ", "month ", "is ", "held ", "until ", "it ", "is ", "known "};
#define WORD_COUNT (sizeof WORDS / sizeof WORDS[0])
/* Ends each JSON answer at about the size that a short paragraph from a model has. */
static const char *const JSON_TEXT =
    "A budget that many teams share holds the most that a call can cost before the call is sent, and gives back what the call did not use "
    "when its answer has been read. Because a hold is many times the true cost, room comes back within seconds, and a team that seems to "
    "have reached its cap can often go on a moment later. What cannot be held is refused, with a sentence that says which rule said no.";

static struct answer json_answers[2];
static struct answer stream_answers[2];

static void *must(void *memory)
{
    if (memory == NULL) {
        perror("upstream: out of memory");
        exit(1);
    }
    return memory;
}

static void make_room(struct answer *answer, size_t more)
{
    if (answer->length + more <= answer->capacity)
        return;
    answer->capacity = (answer->length + more) * 2;
    answer->bytes = must(realloc(answer->bytes, answer->capacity));
}

__attribute__((format(printf, 2, 3))) static void put(struct answer *answer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    make_room(answer, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(answer->bytes + answer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    answer->length += (size_t)length;
}

static struct piece *piece_begin(struct answer *answer)
{
    answer->pieces = must(realloc(answer->pieces, (answer->count + 1) * sizeof(struct piece)));
    struct piece *piece = &answer->pieces[answer->count++];
    *piece = (struct piece){.start = answer->length};
    return piece;
}

static void piece_end(struct answer *answer)
{
    struct piece *piece = &answer->pieces[answer->count - 1];
    piece->length = answer->length - piece->start;
}

static void put_id(struct answer *answer)
{
    answer->pieces[answer->count - 1].id_at = answer->length;
    put(answer, "%0*d", ID_DIGITS, 0);
}

static void put_stamp(struct answer *answer)
{
    put(answer, STAMP_FIELD);
    answer->pieces[answer->count - 1].stamp_at = answer->length;
    put(answer, "%0*d\"", STAMP_DIGITS, 0);
}

static void put_words(struct answer *answer, int words)
{
    for (int word = 0; word < words; word++)
        put(answer, "%s", WORDS[(size_t)word % WORD_COUNT]);
}

static void put_head(struct answer *answer, const struct settings *settings, const char *type)
{
    put(answer,
        "HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: req_5f3c1a90b7d24e68\r\nopenai-processing-ms: 31\r\nopenai-version: 2020-10-01\r\n"
        "openai-organization: org-bench\r\n%s",
        type, settings->rehearsal ? "x-headgate-rehearsal: 1\r\n" : "");
}

/* ---- Responses ---- */

static void put_responses_usage(struct answer *answer, const struct settings *settings)
{
    put(answer,
        "{\"input_tokens\":%d,\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%d,"
        "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":%d}",
        settings->input_tokens, settings->output_tokens, settings->input_tokens + settings->output_tokens);
}

/* A response object; `words` below 0 means that its output is still empty and its usage unknown, `words` 0 the text of a JSON answer. */
static void put_response(struct answer *answer, const struct settings *settings, int words)
{
    put(answer, "{\"id\":\"resp_");
    put_id(answer);
    put(answer, "\",\"object\":\"response\",\"created_at\":%d,\"status\":\"%s\",\"background\":false,\"error\":null,\"incomplete_details\":null,",
        CREATED_AT, words < 0 ? "in_progress" : "completed");
    put(answer, "\"instructions\":null,\"max_output_tokens\":%d,\"max_tool_calls\":null,\"model\":\"%s\",\"output\":[", settings->output_tokens,
        settings->model);
    if (words >= 0) {
        put(answer,
            "{\"id\":\"" ITEM_ID "\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
            "\"annotations\":[],\"logprobs\":[],\"text\":\"");
        if (words == 0)
            put(answer, "%s", JSON_TEXT);
        else
            put_words(answer, words);
        put(answer, "\"}]}");
    }
    put(answer,
        "],\"parallel_tool_calls\":true,\"previous_response_id\":null,\"prompt_cache_key\":null,\"reasoning\":{\"effort\":null,\"summary\":null},"
        "\"safety_identifier\":null,\"service_tier\":\"default\",\"store\":false,\"temperature\":1.0,\"text\":{\"format\":{\"type\":\"text\"},"
        "\"verbosity\":\"medium\"},\"tool_choice\":\"auto\",\"tools\":[],\"top_logprobs\":0,\"top_p\":1.0,\"truncation\":\"disabled\",\"usage\":");
    if (words < 0)
        put(answer, "null");
    else
        put_responses_usage(answer, settings);
    put(answer, ",\"user\":null,\"metadata\":{}}");
}

/* Begins an event up to where its own fields follow. */
static void responses_event_begin(struct answer *answer, const char *type)
{
    int sequence = (int)answer->count;
    piece_begin(answer);
    put(answer, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%d,", type, type, sequence);
}

static void responses_event_end(struct answer *answer)
{
    put(answer, ",");
    put_stamp(answer);
    put(answer, "}\n\n");
    piece_end(answer);
}

static void put_responses_events(struct answer *answer, const struct settings *settings)
{
    static const char *const in_item = "\"item_id\":\"" ITEM_ID "\",\"output_index\":0,\"content_index\":0,";
    int words = settings->events - 8;
    responses_event_begin(answer, "response.created");
    put(answer, "\"response\":");
    put_response(answer, settings, -1);
    responses_event_end(answer);
    responses_event_begin(answer, "response.in_progress");
    put(answer, "\"response\":");
    put_response(answer, settings, -1);
    responses_event_end(answer);
    responses_event_begin(answer, "response.output_item.added");
    put(answer, "\"output_index\":0,\"item\":{\"id\":\"" ITEM_ID
                "\",\"type\":\"message\",\"status\":\"in_progress\",\"content\":[],\"role\":\"assistant\"}");
    responses_event_end(answer);
    responses_event_begin(answer, "response.content_part.added");
    put(answer, "%s\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"\"}", in_item);
    responses_event_end(answer);
    for (int word = 0; word < words; word++) {
        responses_event_begin(answer, "response.output_text.delta");
        put(answer, "%s\"delta\":\"%s\"", in_item, WORDS[(size_t)word % WORD_COUNT]);
        responses_event_end(answer);
    }
    responses_event_begin(answer, "response.output_text.done");
    put(answer, "%s\"text\":\"", in_item);
    put_words(answer, words);
    put(answer, "\",\"logprobs\":[]");
    responses_event_end(answer);
    responses_event_begin(answer, "response.content_part.done");
    put(answer, "%s\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"", in_item);
    put_words(answer, words);
    put(answer, "\"}");
    responses_event_end(answer);
    responses_event_begin(answer, "response.output_item.done");
    put(answer, "\"output_index\":0,\"item\":{\"id\":\"" ITEM_ID "\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\","
                "\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"");
    put_words(answer, words);
    put(answer, "\"}]}");
    responses_event_end(answer);
    responses_event_begin(answer, "response.completed");
    put(answer, "\"response\":");
    put_response(answer, settings, words);
    responses_event_end(answer);
}

/* ---- Chat Completions ---- */

static void put_chat_usage(struct answer *answer, const struct settings *settings)
{
    put(answer,
        "{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
        settings->input_tokens, settings->output_tokens, settings->input_tokens + settings->output_tokens);
}

static void put_chat_start(struct answer *answer, const struct settings *settings, const char *object)
{
    put(answer, "{\"id\":\"chatcmpl-");
    put_id(answer);
    put(answer, "\",\"object\":\"%s\",\"created\":%d,\"model\":\"%s\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",", object,
        CREATED_AT, settings->model);
}

static void put_chat(struct answer *answer, const struct settings *settings)
{
    put_chat_start(answer, settings, "chat.completion");
    /* Twice the text: the envelope of a chat completion is smaller than that of a response. */
    put(answer,
        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s %s\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":",
        JSON_TEXT, JSON_TEXT);
    put_chat_usage(answer, settings);
    put(answer, "}");
}

static void put_chat_chunk(struct answer *answer, const struct settings *settings, const char *delta, const char *finish)
{
    piece_begin(answer);
    put(answer, "data: ");
    put_chat_start(answer, settings, "chat.completion.chunk");
    put(answer, "\"choices\":[{\"index\":0,\"delta\":{%s},\"logprobs\":null,\"finish_reason\":%s}],\"usage\":null,", delta, finish);
    put_stamp(answer);
    put(answer, "}\n\n");
    piece_end(answer);
}

static void put_chat_events(struct answer *answer, const struct settings *settings)
{
    int words = settings->events - 4;
    char delta[64];
    put_chat_chunk(answer, settings, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null", "null");
    for (int word = 0; word < words; word++) {
        snprintf(delta, sizeof delta, "\"content\":\"%s\"", WORDS[(size_t)word % WORD_COUNT]);
        put_chat_chunk(answer, settings, delta, "null");
    }
    put_chat_chunk(answer, settings, "", "\"stop\"");
    piece_begin(answer);
    put(answer, "data: ");
    put_chat_start(answer, settings, "chat.completion.chunk");
    put(answer, "\"choices\":[],\"usage\":");
    put_chat_usage(answer, settings);
    put(answer, ",");
    put_stamp(answer);
    put(answer, "}\n\n");
    piece_end(answer);
    piece_begin(answer);
    put(answer, "data: [DONE]\n\n");
    piece_end(answer);
}

/* ---- Both ---- */

static void build_json(struct answer *answer, enum api api, const struct settings *settings)
{
    struct answer body = {0};
    piece_begin(&body);
    if (api == API_RESPONSES)
        put_response(&body, settings, 0);
    else
        put_chat(&body, settings);
    piece_end(&body);

    answer->length = answer->count = 0;
    put_head(answer, settings, "application/json");
    put(answer, "content-length: %zu\r\n\r\n", body.length);
    answer->head_length = answer->length;
    piece_begin(answer)->id_at = answer->length + body.pieces[0].id_at;
    make_room(answer, body.length);
    memcpy(answer->bytes + answer->length, body.bytes, body.length);
    answer->length += body.length;
    piece_end(answer);
    free(body.bytes);
    free(body.pieces);
}

/* The size line of the chunk that holds the whole stream: as many digits as the largest stream needs, filled in at the end. */
#define SIZE_LINE_DIGITS 8

static void build_stream(struct answer *answer, enum api api, const struct settings *settings)
{
    char size_line[SIZE_LINE_DIGITS + 3];
    answer->length = answer->count = 0;
    put_head(answer, settings, "text/event-stream; charset=utf-8");
    put(answer, "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n");
    answer->head_length = answer->length;
    put(answer, "%0*x\r\n", SIZE_LINE_DIGITS, 0);
    size_t events_at = answer->length;
    if (api == API_RESPONSES)
        put_responses_events(answer, settings);
    else
        put_chat_events(answer, settings);
    snprintf(size_line, sizeof size_line, "%0*zx", SIZE_LINE_DIGITS, answer->length - events_at);
    memcpy(answer->bytes + answer->head_length, size_line, SIZE_LINE_DIGITS);
    put(answer, "\r\n0\r\n\r\n");
}

void answers_build(const struct settings *settings)
{
    for (int api = API_RESPONSES; api <= API_CHAT; api++) {
        build_json(&json_answers[api], (enum api)api, settings);
        build_stream(&stream_answers[api], (enum api)api, settings);
    }
}

struct answer *json_answer(enum api api) { return &json_answers[api]; }

struct answer *stream_answer(enum api api) { return &stream_answers[api]; }

static void write_digits(char *digits, int count, uint64_t value)
{
    for (int place = count - 1; place >= 0; place--) {
        digits[place] = (char)('0' + value % 10);
        value /= 10;
    }
}

void answer_stamp(struct answer *answer, size_t first, size_t last, uint64_t id, uint64_t time_ns)
{
    char id_digits[ID_DIGITS];
    char stamp_digits[STAMP_DIGITS];
    write_digits(id_digits, ID_DIGITS, id);
    write_digits(stamp_digits, STAMP_DIGITS, time_ns);
    for (size_t index = first; index < last; index++) {
        const struct piece *piece = &answer->pieces[index];
        if (piece->id_at != 0)
            memcpy(answer->bytes + piece->id_at, id_digits, ID_DIGITS);
        if (piece->stamp_at != 0)
            memcpy(answer->bytes + piece->stamp_at, stamp_digits, STAMP_DIGITS);
    }
}

/* A mock upstream: answers the Responses and Chat Completions APIs from memory, from one thread, faster than anything put in front of it.
 *
 *   upstream --port 0 --model gpt-4o-mini [--rehearsal] [--set events=300&interval_ms=50]
 *
 * Prints `listening PORT` when it is ready. `GET /control?events=300&delay_ms=60&…` changes what it does and answers with its counts.
 *
 * Rule 1. One request of a connection at a time; a client that pipelines is cut off, because no figure here would mean anything for it.
 * Rule 2. A slow reader's bytes wait in memory of their own; the answers in answers.c are stamped again for the next client.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../clock.h"
#include "answers.h"
#include "control.h"
#include "request.h"
#include "timers.h"

/* A reader this far behind is not coming back. */
#define MOST_WAITING (8u << 20)

enum state { CLOSED, READING_HEAD, READING_BODY, DUE, STREAMING };

struct connection {
    int fd;
    uint32_t generation;
    enum state state;
    struct request request;
    char *head; /* the beginning of a head that came in pieces */
    size_t head_length;
    size_t body_left;
    char tail[SEARCHED]; /* the last bytes of the body so far */
    size_t tail_length;
    bool streams;
    struct answer *answer;
    size_t next_piece;
    uint64_t id;
    uint64_t due_ns;
    char *waiting; /* bytes that the kernel has not taken yet */
    size_t waiting_start, waiting_end;
    bool watches_writing;
};

static struct settings settings = {.events = 300, .burst = 1, .input_tokens = 200, .output_tokens = 64, .model = "gpt-4o-mini"};
static struct counts counts;
static struct connection **connections; /* by file descriptor */
static int most_connections;
static int poller;
static uint64_t last_id;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct connection *connection, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.fd = connection->fd};
    if (connection->watches_writing == writing)
        return;
    connection->watches_writing = writing;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event) < 0)
        fail("upstream: epoll_ctl");
}

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    free(connection->head);
    free(connection->waiting);
    connection->head = connection->waiting = NULL;
    connection->head_length = connection->waiting_start = connection->waiting_end = 0;
    connection->state = CLOSED;
    connection->generation++;
    connection->watches_writing = false;
    counts.open--;
}

/* Sends, and keeps what the kernel does not take. False: the connection is gone. */
static bool send_parts(struct connection *connection, struct iovec *parts, int part_count)
{
    size_t total = 0, sent = 0;
    for (int part = 0; part < part_count; part++)
        total += parts[part].iov_len;
    if (connection->waiting_end == connection->waiting_start) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)part_count};
        ssize_t taken = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN) {
            hang_up(connection);
            return false;
        }
        sent = taken < 0 ? 0 : (size_t)taken;
        if (sent == total)
            return true;
    }
    size_t kept = connection->waiting_end - connection->waiting_start;
    if (kept + total - sent > MOST_WAITING) {
        hang_up(connection);
        return false;
    }
    char *waiting = malloc(kept + total - sent);
    if (waiting == NULL)
        fail("upstream: out of memory");
    if (kept > 0)
        memcpy(waiting, connection->waiting + connection->waiting_start, kept);
    free(connection->waiting);
    connection->waiting = waiting;
    connection->waiting_start = 0;
    connection->waiting_end = kept;
    for (int part = 0; part < part_count; part++) {
        size_t skipped = sent < parts[part].iov_len ? sent : parts[part].iov_len;
        memcpy(waiting + connection->waiting_end, (char *)parts[part].iov_base + skipped, parts[part].iov_len - skipped);
        connection->waiting_end += parts[part].iov_len - skipped;
        sent -= skipped;
    }
    watch(connection, true);
    return true;
}

static bool send_bytes(struct connection *connection, const char *bytes, size_t length)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    return send_parts(connection, &part, 1);
}

static void send_waiting(struct connection *connection)
{
    ssize_t taken = send(connection->fd, connection->waiting + connection->waiting_start, connection->waiting_end - connection->waiting_start,
                         MSG_NOSIGNAL);
    if (taken < 0) {
        if (errno != EAGAIN)
            hang_up(connection);
        return;
    }
    connection->waiting_start += (size_t)taken;
    if (connection->waiting_start < connection->waiting_end)
        return;
    watch(connection, false);
    if (connection->state == READING_HEAD && connection->request.closes)
        hang_up(connection);
}

static void answer_ended(struct connection *connection)
{
    counts.answers++;
    connection->state = READING_HEAD;
    if (connection->request.closes && connection->waiting_start == connection->waiting_end)
        hang_up(connection);
}

static void wake_at(struct connection *connection, uint64_t due_ns)
{
    connection->due_ns = due_ns;
    timer_set((struct timer){.due_ns = due_ns, .connection = connection->fd, .generation = connection->generation});
}

static uint64_t later(uint64_t left, uint64_t right) { return left > right ? left : right; }

/* A stream that is late does not catch up with a burst: its next event is due at once, and the ones after it an interval apart. */
static void send_next_events(struct connection *connection)
{
    struct answer *answer = connection->answer;
    size_t first = connection->next_piece;
    size_t last = first + (size_t)settings.burst < answer->count ? first + (size_t)settings.burst : answer->count;
    const struct piece *end = &answer->pieces[last - 1];
    size_t start_at = answer->pieces[first].start, length = end->start + end->length - start_at;
    char size_line[24];
    bool ends = last == answer->count;

    answer_stamp(answer, first, last, connection->id, now_ns());
    struct iovec parts[4] = {
        {.iov_base = answer->bytes, .iov_len = first == 0 ? answer->head_length : 0},
        {.iov_base = size_line, .iov_len = (size_t)snprintf(size_line, sizeof size_line, "%zx\r\n", length)},
        {.iov_base = answer->bytes + start_at, .iov_len = length},
        {.iov_base = (void *)(uintptr_t)"\r\n0\r\n\r\n", .iov_len = ends ? 7 : 2},
    };
    counts.events += last - first;
    connection->next_piece = last;
    if (!send_parts(connection, parts, 4))
        return;
    if (ends)
        answer_ended(connection);
    else
        wake_at(connection, later(connection->due_ns + (uint64_t)settings.interval_ms * NANOSECONDS_PER_MILLISECOND, now_ns()));
}

static void begin_answer(struct connection *connection)
{
    struct answer *answer = connection->answer;
    connection->id = ++last_id;
    connection->next_piece = 0;
    if (connection->streams && settings.interval_ms > 0) {
        connection->state = STREAMING;
        send_next_events(connection);
        return;
    }
    answer_stamp(answer, 0, answer->count, connection->id, now_ns());
    if (connection->streams)
        counts.events += answer->count;
    if (send_bytes(connection, answer->bytes, answer->length))
        answer_ended(connection);
}

static void answer_text(struct connection *connection, const char *status, const char *body, size_t length)
{
    char head[256];
    int head_length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n", status,
                               settings.rehearsal ? "x-headgate-rehearsal: 1\r\n" : "", length);
    struct iovec parts[2] = {{.iov_base = head, .iov_len = (size_t)head_length}, {.iov_base = (void *)(uintptr_t)body, .iov_len = length}};
    connection->state = READING_HEAD;
    if (send_parts(connection, parts, 2) && connection->request.closes && connection->waiting_start == connection->waiting_end)
        hang_up(connection);
}

static void answer_control(struct connection *connection, const char *query)
{
    char body[1024];
    if (!control_take(query, &settings, &counts)) {
        static const char refusal[] = "{\"error\":{\"message\":\"unknown setting, or a number out of range\",\"type\":\"invalid_request_error\"}}";
        answer_text(connection, "400 Bad Request", refusal, sizeof refusal - 1);
        return;
    }
    /* Building anew moves the pieces, so a stream that is under way would lose its place: it is cut. */
    for (int fd = 0; fd < most_connections; fd++)
        if (connections[fd] != NULL && connections[fd]->state == STREAMING)
            hang_up(connections[fd]);
    answers_build(&settings);
    answer_text(connection, "200 OK", body, control_tell(body, sizeof body, &settings, &counts));
}

/* The small things that a gate may ask of a provider, apart from answers. */
static void answer_small(struct connection *connection)
{
    const char *target = connection->request.target;
    char body[512];
    if (strncmp(target, "/control", 8) == 0) {
        answer_control(connection, target[8] == '?' ? target + 9 : "");
    } else if (strcmp(target, "/v1/models") == 0) {
        int length = snprintf(body, sizeof body, "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":1,\"owned_by\":\"openai\"}]}",
                              settings.model);
        answer_text(connection, "200 OK", body, (size_t)length);
    } else if (strcmp(target, "/v1/responses/input_tokens") == 0) {
        int length = snprintf(body, sizeof body, "{\"object\":\"response.input_tokens\",\"input_tokens\":%d}", settings.input_tokens);
        answer_text(connection, "200 OK", body, (size_t)length);
    } else {
        static const char unknown[] = "{\"error\":{\"message\":\"unknown request URL\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"unknown_url\"}}";
        counts.unknown++;
        answer_text(connection, "404 Not Found", unknown, sizeof unknown - 1);
    }
}

static void request_ended(struct connection *connection)
{
    const char *target = connection->request.target;
    bool chat = strcmp(target, "/v1/chat/completions") == 0;
    bool posts = strcmp(connection->request.method, "POST") == 0;
    if (!posts || (!chat && strcmp(target, "/v1/responses") != 0)) {
        answer_small(connection);
        return;
    }
    counts.requests++;
    if (!connection->streams)
        connection->streams = asks_for_stream(connection->tail, connection->tail_length);
    enum api api = chat ? API_CHAT : API_RESPONSES;
    connection->answer = connection->streams ? stream_answer(api) : json_answer(api);
    connection->due_ns = now_ns();
    if (settings.delay_ms == 0) {
        begin_answer(connection);
        return;
    }
    connection->state = DUE;
    wake_at(connection, connection->due_ns + (uint64_t)settings.delay_ms * NANOSECONDS_PER_MILLISECOND);
}

/* Keeps the last SEARCHED bytes of the body. */
static void keep_tail(struct connection *connection, const char *bytes, size_t length)
{
    if (length >= SEARCHED) {
        memcpy(connection->tail, bytes + length - SEARCHED, SEARCHED);
        connection->tail_length = SEARCHED;
        return;
    }
    size_t excess = connection->tail_length + length > SEARCHED ? connection->tail_length + length - SEARCHED : 0;
    memmove(connection->tail, connection->tail + excess, connection->tail_length - excess);
    memcpy(connection->tail + connection->tail_length - excess, bytes, length);
    connection->tail_length += length - excess;
}

static size_t take_body(struct connection *connection, const char *bytes, size_t length)
{
    size_t taken = length < connection->body_left ? length : connection->body_left;
    if (connection->body_left == connection->request.body_length && asks_for_stream(bytes, taken < SEARCHED ? taken : SEARCHED))
        connection->streams = true;
    keep_tail(connection, bytes, taken);
    connection->body_left -= taken;
    if (connection->body_left == 0)
        request_ended(connection);
    return taken;
}

/* Returns how many of the bytes belong to the head; all of them while it is incomplete. */
static size_t take_head(struct connection *connection, const char *bytes, size_t length)
{
    size_t held = connection->head_length;
    const char *head = bytes;
    size_t head_length = length;
    if (held > 0) {
        connection->head = realloc(connection->head, held + length);
        if (connection->head == NULL)
            fail("upstream: out of memory");
        memcpy(connection->head + held, bytes, length);
        head = connection->head;
        head_length = held + length;
    }
    long used = request_read(head, head_length, &connection->request);
    if (used < 0) {
        hang_up(connection);
        return length;
    }
    if (used == 0) {
        if (held == 0) {
            connection->head = realloc(connection->head, length);
            if (connection->head == NULL)
                fail("upstream: out of memory");
            memcpy(connection->head, bytes, length);
        }
        connection->head_length = held + length;
        return length;
    }
    connection->head_length = 0;
    connection->body_left = connection->request.body_length;
    connection->tail_length = 0;
    connection->streams = false;
    connection->state = READING_BODY;
    if (connection->request.continues && !send_bytes(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25))
        return length;
    if (connection->body_left == 0)
        request_ended(connection);
    return (size_t)used - held;
}

static void readable(struct connection *connection)
{
    static char scratch[262144];
    ssize_t length = recv(connection->fd, scratch, sizeof scratch, 0);
    if (length <= 0) {
        if (length == 0 || errno != EAGAIN)
            hang_up(connection);
        return;
    }
    uint32_t generation = connection->generation;
    for (size_t at = 0; at < (size_t)length && connection->generation == generation;) {
        const char *bytes = scratch + at;
        size_t left = (size_t)length - at;
        if (connection->state == READING_HEAD)
            at += take_head(connection, bytes, left);
        else if (connection->state == READING_BODY)
            at += take_body(connection, bytes, left);
        else {
            hang_up(connection); /* Rule 1 */
            return;
        }
    }
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1;
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED)
                fail("upstream: accept");
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd >= most_connections) {
            close(fd);
            continue;
        }
        if (connections[fd] == NULL && (connections[fd] = calloc(1, sizeof(struct connection))) == NULL)
            fail("upstream: out of memory");
        connections[fd]->fd = fd;
        connections[fd]->state = READING_HEAD;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
            fail("upstream: epoll_ctl");
        counts.connections++;
        counts.open++;
    }
}

static int listen_on(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 8192) < 0)
        fail("upstream: cannot listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static int read_options(int argument_count, char **arguments)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"model", required_argument, NULL, 'm'},
                                            {"rehearsal", no_argument, NULL, 'r'},
                                            {"set", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    int port = 0, option;
    while ((option = getopt_long(argument_count, arguments, "", options, NULL)) != -1)
        switch (option) {
        case 'p':
            port = atoi(optarg);
            break;
        case 'm':
            snprintf(settings.model, sizeof settings.model, "%s", optarg);
            break;
        case 'r':
            settings.rehearsal = true;
            break;
        case 's':
            if (control_take(optarg, &settings, &counts))
                break;
            fprintf(stderr, "upstream: cannot set %s\n", optarg);
            exit(2);
        default:
            exit(2);
        }
    return port;
}

/* Wakes what is due now, and not what comes due meanwhile: with more streams than one core can serve that would never end, and nobody
 * would be let in or read. */
static void wake_due(void)
{
    struct timer timer;
    uint64_t now = now_ns();
    while (timer_take(now, &timer)) {
        struct connection *connection = connections[timer.connection];
        if (connection->generation != timer.generation)
            continue;
        if (connection->state == DUE)
            begin_answer(connection);
        else if (connection->state == STREAMING)
            send_next_events(connection);
    }
}

int main(int argument_count, char **arguments)
{
    struct rlimit files;
    struct epoll_event events[512];
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a benchmark that dies leaves nothing running */
    prctl(PR_SET_TIMERSLACK, 1ul);
    int port = read_options(argument_count, arguments);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 65536 ? files.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &files);
    most_connections = (int)files.rlim_cur;
    connections = calloc((size_t)most_connections, sizeof *connections);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || poller < 0)
        fail("upstream: cannot start");
    answers_build(&settings);
    int listener = listen_on(port);
    struct epoll_event listening = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &listening);

    for (;;) {
        int64_t wait_ns = timer_wait(now_ns());
        struct timespec wait = {.tv_sec = wait_ns / (int64_t)NANOSECONDS_PER_SECOND, .tv_nsec = wait_ns % (int64_t)NANOSECONDS_PER_SECOND};
        int ready = epoll_pwait2(poller, events, 512, wait_ns < 0 ? NULL : &wait, NULL);
        if (ready < 0 && errno != EINTR)
            fail("upstream: epoll_wait");
        for (int index = 0; index < ready; index++) {
            if (events[index].data.fd == listener) {
                accept_all(listener);
                continue;
            }
            struct connection *connection = connections[events[index].data.fd];
            if (connection->state != CLOSED && (events[index].events & EPOLLOUT))
                send_waiting(connection);
            if (connection->state != CLOSED && (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                readable(connection);
        }
        wake_due();
    }
}

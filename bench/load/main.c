/* The load generator: sends one request over and over on many connections and tells how it was answered, in one JSON line.
 *
 *   load --port 8001 --target /v1/responses --body FILE [--header "name: value"]… --connections 64 --seconds 3
 *        [--rate 1000]       open loop: this many requests a second, whatever happens; without it each connection asks again when it is answered
 *        [--warm-up 1]       seconds that count for nothing, after the last connection is open (streams without an end: after each has begun)
 *        [--ramp 500]        connections opened in a second
 *        [--events 300]      a stream: a complete answer must have this many events; 0: a stream without an end
 *        [--delays]          read the time in each event (costs the core that makes the load)
 *        [--drain 1]         seconds to wait for answers still due at the end
 *
 * Says `measuring` on standard error when the warm-up is over, so that whoever watches the processor knows when to look.
 *
 * Rule 1. In the open loop a request's time begins when it was due, not when it was sent: a system that stalls pays for everybody who
 *         had to wait behind the stall.
 * Rule 2. Only an answer with status 2xx that came to its end, with all its events, counts as a request answered. Everything else has a count of its own.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../clock.h"
#include "answer.h"
#include "events.h"
#include "histogram.h"
#include "options.h"
#include "report.h"

#define RETRY_NS (10 * NANOSECONDS_PER_MILLISECOND)
/* Nothing listens there, or it lets nobody in. */
#define MOST_CONNECT_ERRORS 20000
/* How long streams without an end may take to begin, after the last connection was asked for. */
#define OPENING_NS (20 * NANOSECONDS_PER_SECOND)

enum state { BROKEN, CONNECTING, IDLE, ASKING };

struct connection {
    int fd;
    enum state state;
    size_t sent;
    bool watches_writing;
    bool body_began;
    char last_byte;
    size_t events;
    uint64_t due_ns; /* when its request was due */
    struct answer answer;
};

static struct options options = {.target = "/v1/chat/completions", .connections = 64, .seconds = 3, .warm_up = 1, .ramp = 1e6, .drain = 1};
static struct totals totals;
static struct connection *connections;
static int *idle; /* a ring: the connection that has rested longest asks next */
static size_t idle_first, idle_count;
static char *request;
static size_t request_length;
static int poller;
static int opened; /* how many of the connections were ever opened */
static int broken_count;
static bool measuring, stopping;

static void watch(struct connection *connection, bool writing)
{
    struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
    if (connection->watches_writing == writing)
        return;
    connection->watches_writing = writing;
    if (epoll_ctl(poller, EPOLL_CTL_MOD, connection->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void connect_again(struct connection *connection)
{
    int on = 1, room = 1 << 19;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = connection};
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room); /* a request of 120 KB leaves in one call */
    connection->state = CONNECTING;
    connection->watches_writing = true;
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
        close(connection->fd);
        connection->state = BROKEN;
        broken_count++;
        totals.connect_errors++;
        return;
    }
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

/* The connection is opened again a little later, so that a closed port does not make a busy loop. */
static void break_off(struct connection *connection, uint64_t *error)
{
    if (connection->state == IDLE)
        for (size_t place = 0; place < idle_count; place++) {
            size_t at = (idle_first + place) % (size_t)options.connections;
            if (idle[at] != connection - connections)
                continue;
            for (; place + 1 < idle_count; place++)
                idle[(idle_first + place) % (size_t)options.connections] = idle[(idle_first + place + 1) % (size_t)options.connections];
            idle_count--;
        }
    close(connection->fd);
    connection->state = BROKEN;
    broken_count++;
    if (error != NULL)
        ++*error;
}

static void send_rest(struct connection *connection)
{
    while (connection->sent < request_length) {
        ssize_t taken = send(connection->fd, request + connection->sent, request_length - connection->sent, MSG_NOSIGNAL);
        if (taken < 0) {
            if (errno == EAGAIN)
                watch(connection, true);
            else
                break_off(connection, &totals.transport_errors);
            return;
        }
        connection->sent += (size_t)taken;
    }
    watch(connection, false);
}

static void ask(struct connection *connection, uint64_t due_ns)
{
    connection->state = ASKING;
    connection->sent = 0;
    connection->body_began = false;
    connection->last_byte = 0;
    connection->events = 0;
    connection->due_ns = due_ns;
    answer_begin(&connection->answer);
    totals.sent++;
    send_rest(connection);
}

static void rest_or_ask(struct connection *connection)
{
    if (!stopping && options.rate <= 0) {
        ask(connection, now_ns());
        return;
    }
    connection->state = IDLE;
    idle[(idle_first + idle_count++) % (size_t)options.connections] = (int)(connection - connections);
}

static void read_body(void *reader, const char *bytes, size_t length)
{
    struct connection *connection = reader;
    if (!connection->body_began) {
        connection->body_began = true;
        if (measuring)
            histogram_add(&totals.first_byte, now_ns() - connection->due_ns);
    }
    if (measuring)
        totals.bytes += length;
    if (!options.streams)
        return;
    size_t events = events_count(bytes, length, &connection->last_byte);
    connection->events += events;
    if (!measuring)
        return;
    totals.events += events;
    if (options.delays)
        events_delays(bytes, length, now_ns(), &totals.event_delay);
}

static void answered(struct connection *connection)
{
    const struct answer *answer = &connection->answer;
    totals.answered++;
    if (measuring) {
        totals.statuses[answer->status > 0 && answer->status < MOST_STATUS ? answer->status : 0]++;
        if (answer->status < 200 || answer->status > 299)
            totals.not_2xx++;
        else if (options.streams && options.events > 0 && connection->events != options.events)
            totals.short_answers++;
        else {
            totals.good++;
            histogram_add(&totals.latency, now_ns() - connection->due_ns);
        }
    }
    /* An answer that came before the whole request had left may have ended the connection's use. */
    if (answer->closes || connection->sent < request_length)
        break_off(connection, NULL);
    else
        rest_or_ask(connection);
}

static void readable(struct connection *connection)
{
    static char scratch[262144];
    ssize_t length = recv(connection->fd, scratch, sizeof scratch, 0);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        if (connection->state == ASKING && connection->answer.part == UNTIL_CLOSE)
            answered(connection);
        else
            break_off(connection, connection->state == ASKING ? &totals.transport_errors : NULL);
        return;
    }
    if (connection->state != ASKING) { /* bytes that nobody asked for */
        break_off(connection, &totals.transport_errors);
        return;
    }
    size_t used = answer_read(&connection->answer, scratch, (size_t)length, read_body, connection);
    if (connection->answer.part == MALFORMED || used < (size_t)length)
        break_off(connection, &totals.transport_errors);
    else if (connection->answer.part == COMPLETE)
        answered(connection);
}

static void connected(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        break_off(connection, &totals.connect_errors);
        if (totals.connect_errors > MOST_CONNECT_ERRORS)
            fail("cannot connect to port %d: %s", options.port, strerror(error));
        return;
    }
    watch(connection, false);
    rest_or_ask(connection);
}

static double cpu_seconds_used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void handle(const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (connection->state == BROKEN)
        return;
    if (connection->state == CONNECTING) {
        connected(connection);
        return;
    }
    if ((event->events & EPOLLOUT) && connection->state == ASKING)
        send_rest(connection);
    if (connection->state != BROKEN && (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        readable(connection);
}

static uint64_t in_ns(double seconds) { return (uint64_t)(seconds * 1e9); }

static uint64_t earlier(uint64_t left, uint64_t right) { return left < right ? left : right; }

/* Opens the connections that the ramp allows, and again those that broke. Returns when there is more to open. */
static uint64_t open_connections(uint64_t now)
{
    static uint64_t start, next_retry;
    int opened_before = opened;
    if (start == 0)
        start = now;
    for (; opened < options.connections && (double)opened <= (double)(now - start) / 1e9 * options.ramp; opened++)
        connect_again(&connections[opened]);
    if (broken_count > 0 && now >= next_retry && !stopping) {
        broken_count = 0;
        for (int index = 0; index < opened_before; index++)
            if (connections[index].state == BROKEN)
                connect_again(&connections[index]);
        next_retry = now + RETRY_NS;
    }
    uint64_t wake = opened < options.connections ? now + NANOSECONDS_PER_MILLISECOND : UINT64_MAX;
    return broken_count > 0 && !stopping ? earlier(wake, next_retry) : wake;
}

/* The open loop: request n is due n / rate seconds after the first one. */
static uint64_t schedule_start, scheduled;

static uint64_t due_at(uint64_t number) { return schedule_start + (uint64_t)((double)number * 1e9 / options.rate); }

/* Rule 1: everything that is due goes out, as far as there are connections that rest. Returns when the next request is due. */
static uint64_t ask_what_is_due(uint64_t now)
{
    if (options.rate <= 0 || opened < options.connections || stopping)
        return UINT64_MAX;
    if (schedule_start == 0)
        schedule_start = now;
    for (; due_at(scheduled) <= now; scheduled++) {
        if (idle_count == 0)
            return UINT64_MAX; /* an answer will wake us */
        struct connection *connection = &connections[idle[idle_first]];
        idle_first = (idle_first + 1) % (size_t)options.connections;
        idle_count--;
        ask(connection, due_at(scheduled));
    }
    return due_at(scheduled);
}

static uint64_t streams_begun(void)
{
    uint64_t begun = 0;
    for (int index = 0; index < options.connections; index++) {
        const struct connection *connection = &connections[index];
        begun += connection->state == ASKING && connection->body_began && connection->answer.status / 100 == 2;
    }
    return begun;
}

/* Whether everything is open that is to be open while measuring. A system under full load lets the last streams in late. */
static bool all_open(uint64_t now)
{
    static uint64_t since, look_again;
    if (opened < options.connections)
        return false;
    if (!options.streams || options.events > 0)
        return true;
    if (since == 0)
        since = now;
    if (now < look_again)
        return false;
    look_again = now + RETRY_NS;
    return now - since > OPENING_NS || streams_begun() == (uint64_t)options.connections;
}

/* Warm-up, measurement, drain. Returns when the next of them begins; 0 when everything is over. */
static uint64_t advance(uint64_t now)
{
    static uint64_t measure_from, measure_until, give_up;
    if (stopping)
        return now >= give_up || totals.sent <= totals.answered + totals.transport_errors ? 0 : give_up;
    if (measure_from == 0) {
        if (!all_open(now))
            return now + RETRY_NS;
        measure_from = now + in_ns(options.warm_up);
    }
    if (!measuring && now >= measure_from) {
        measuring = true;
        measure_from = now;
        measure_until = now + in_ns(options.seconds);
        totals.cpu_seconds = cpu_seconds_used();
        fputs("measuring\n", stderr);
    }
    if (!measuring)
        return measure_from;
    if (now < measure_until)
        return measure_until;
    measuring = false;
    stopping = true;
    totals.seconds = (double)(now - measure_from) / 1e9;
    totals.cpu_seconds = cpu_seconds_used() - totals.cpu_seconds;
    if (options.rate > 0)
        for (; due_at(scheduled) <= now; scheduled++)
            totals.unsent++;
    give_up = now + in_ns(options.drain);
    return give_up;
}

int main(int argument_count, char **arguments)
{
    struct epoll_event events[512];
    struct rlimit files;

    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a benchmark that dies leaves nothing running */
    prctl(PR_SET_TIMERSLACK, 1ul);
    options_read(argument_count, arguments, &options);
    request = options_request(&options, &request_length);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)options.connections, sizeof *connections);
    idle = calloc((size_t)options.connections, sizeof *idle);
    if (poller < 0 || connections == NULL || idle == NULL)
        fail("out of memory");

    for (uint64_t phase_ends; (phase_ends = advance(now_ns())) != 0;) {
        uint64_t wake = earlier(phase_ends, open_connections(now_ns()));
        wake = earlier(wake, ask_what_is_due(now_ns()));
        uint64_t now = now_ns(), wait_ns = wake > now ? earlier(wake - now, NANOSECONDS_PER_SECOND) : 0;
        struct timespec wait = {.tv_sec = (time_t)(wait_ns / NANOSECONDS_PER_SECOND), .tv_nsec = (long)(wait_ns % NANOSECONDS_PER_SECOND)};
        int ready = epoll_pwait2(poller, events, 512, &wait, NULL);
        if (ready < 0 && errno != EINTR)
            fail("epoll_wait: %s", strerror(errno));
        for (int index = 0; index < ready; index++)
            handle(&events[index]);
    }
    for (int index = 0; index < options.connections; index++)
        totals.unanswered += connections[index].state == ASKING;
    totals.streaming = streams_begun();
    totals_tell(&totals);
    return 0;
}

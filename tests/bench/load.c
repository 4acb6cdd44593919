/* SPDX-License-Identifier: Apache-2.0 */
/* load.c: a load generator for benchmarks: ready-made HTTP requests over keep-alive connections.
 * Owns its connections and the latency samples.
 * Never builds or signs a request while measuring (a file holds them whole), and never talks to an
 * address other than loopback.
 *
 * The file of requests: for each a u32 (little-endian) size and that many bytes. Closed loop: every
 * connection has one request under way. Open loop (--rate): request i is due at i / rate, and its
 * latency counts from then, so that a stall is felt by all that it delays. */
#include "tests/bench/load_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONNECTION_COUNT_MAX 1024
#define RESPONSE_SIZE_MAX    (64 * 1024)
#define STALL_MS_MAX         20000      /* nothing at all for so long: the server is gone */
#define PACE_NS              1000000ULL /* every connection is busy: an answer comes first */

struct connection {
    int fd;
    struct load_tls *tls; /* owned, NULL: plain */
    const char *out;      /* the request under way, borrowed from the file */
    size_t out_left;
    uint64_t due_ns;
    size_t in_size;
    bool busy;
    char in[RESPONSE_SIZE_MAX];
};

struct load {
    const char *at; /* next request in the mapped file */
    const char *end;
    uint32_t *latency_us;
    size_t sent_count;
    size_t done_count;
    size_t total_count;
    size_t status_count[6]; /* by hundreds; 0: broken */
    size_t connection_count;
    uint64_t rate;
    uint64_t start_ns;
    int epoll;
    struct in_addr address;
    uint16_t port;
    bool tls;
    FILE *bodies;
    struct connection *connections;
};

static uint64_t now_ns(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) {
        abort();
    }
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    _exit(2);
}

static void connection_open(struct load *load, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int one = 1;

    address.sin_addr = load->address;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (load->tls) {
        connection->tls = load_tls_connect(connection->fd);
        if (connection->tls == NULL) {
            die("TLS handshake");
        }
    }
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        die("epoll");
    }
}

static ssize_t connection_write(struct connection *connection)
{
    return connection->tls != NULL
               ? load_tls_write(connection->tls, connection->out, connection->out_left)
               : send(connection->fd, connection->out, connection->out_left, MSG_NOSIGNAL);
}

static ssize_t connection_read(struct connection *connection)
{
    char *room = connection->in + connection->in_size;
    size_t size = sizeof connection->in - 1 - connection->in_size;

    return connection->tls != NULL ? load_tls_read(connection->tls, room, size)
                                   : recv(connection->fd, room, size, 0);
}

static void connection_flush(struct load *load, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    while (connection->out_left > 0) {
        ssize_t size = connection_write(connection);

        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            event.events = EPOLLIN | EPOLLOUT;
            break;
        }
        if (size < 0) {
            die("send");
        }
        connection->out += size;
        connection->out_left -= (size_t)size;
    }
    if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

/* True when a request was there to be begun. */
static bool connection_begin(struct load *load, struct connection *connection, uint64_t due_ns)
{
    uint32_t size;

    if (load->at >= load->end) {
        return false;
    }
    memcpy(&size, load->at, sizeof size);
    connection->out = load->at + sizeof size;
    connection->out_left = size;
    load->at += sizeof size + size;
    connection->due_ns = due_ns;
    connection->in_size = 0;
    connection->busy = true;
    load->sent_count++;
    connection_flush(load, connection);
    return true;
}

/* The size of a whole response at the start of the input, or 0 when more has to come. */
static size_t response_size(struct connection *connection, const char **ret_body)
{
    const char *end;
    const char *length;
    size_t size;

    connection->in[connection->in_size] = '\0';
    end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    length = strcasestr(connection->in, "\r\ncontent-length:");
    size = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    size += (size_t)(end + 4 - connection->in);
    *ret_body = end + 4;
    return connection->in_size >= size ? size : 0;
}

static void
connection_finish(struct load *load, struct connection *connection, size_t size, const char *body)
{
    unsigned long status = strtoul(connection->in + 9, NULL, 10); /* after "HTTP/1.1 " */
    uint64_t us = (now_ns() - connection->due_ns) / 1000;

    load->status_count[status < 600 ? status / 100 : 0]++;
    load->latency_us[load->done_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    if (load->bodies != NULL) {
        (void)fprintf(load->bodies, "%.*s\n", (int)(size - (size_t)(body - connection->in)), body);
    }
    connection->busy = false;
}

static void connection_input(struct load *load, struct connection *connection)
{
    const char *body = NULL;
    size_t size;
    ssize_t got = connection_read(connection);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        die("the server closed a connection");
    }
    connection->in_size += (size_t)got;
    size = response_size(connection, &body);
    if (size == 0) {
        return;
    }
    connection_finish(load, connection, size, body);
    if (load->rate == 0) {
        (void)connection_begin(load, connection, now_ns()); /* false: the file is at its end */
    }
}

/* Open loop: begins what is due; returns how long to wait for the next, in ns. */
static uint64_t load_pace(struct load *load)
{
    uint64_t now = now_ns();

    for (size_t i = 0; i < load->connection_count && load->sent_count < load->total_count; i++) {
        uint64_t due = load->start_ns + load->sent_count * 1000000000U / load->rate;

        if (due > now) {
            return due - now;
        }
        if (!load->connections[i].busy) {
            (void)connection_begin(load, &load->connections[i], due);
        }
    }
    return PACE_NS;
}

static void load_run(struct load *load)
{
    struct epoll_event events[256];

    load->start_ns = now_ns();
    for (size_t i = 0; load->rate == 0 && i < load->connection_count; i++) {
        (void)connection_begin(load, &load->connections[i], now_ns());
    }
    while (load->done_count < load->total_count) {
        uint64_t wait_ns = load->rate == 0 ? STALL_MS_MAX * 1000000ULL : load_pace(load);
        struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
                                .tv_nsec = (long)(wait_ns % 1000000000)};
        /* To the nanosecond: one that spun until the next is due would take a processor from those
         * it measures. */
        int count = epoll_pwait2(load->epoll, events, 256, &wait, NULL);

        if (count == 0 && load->rate == 0) {
            die("no answer for too long");
        }
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;

            if ((events[i].events & EPOLLOUT) != 0) {
                connection_flush(load, connection);
            }
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
                connection_input(load, connection);
            }
        }
    }
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static void load_report(struct load *load)
{
    uint64_t us = (now_ns() - load->start_ns) / 1000;
    size_t n = load->done_count;

    qsort(load->latency_us, n, sizeof load->latency_us[0], compare_u32);
    (void)printf("{\"count\":%zu,\"seconds\":%.3f,\"per_second\":%.0f,\"ok\":%zu,\"other\":%zu,"
                 "\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"max_us\":%u}\n",
                 n, (double)us / 1e6, (double)n * 1e6 / (double)us, load->status_count[2],
                 n - load->status_count[2], load->latency_us[n / 2], load->latency_us[n * 9 / 10],
                 load->latency_us[n * 99 / 100], load->latency_us[n * 999 / 1000],
                 load->latency_us[n - 1]);
}

static void load_map(struct load *load, const char *path)
{
    struct stat info;
    void *map;
    uint32_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size == 0) {
        die(path);
    }
    map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED) {
        die("mmap");
    }
    load->at = map;
    load->end = load->at + info.st_size;
    for (const char *at = load->at; at < load->end; at += sizeof size + size) {
        memcpy(&size, at, sizeof size);
        load->total_count++;
    }
    (void)close(fd);
}

static void load_options(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {
        {"address", required_argument, NULL, 'a'},  {"port", required_argument, NULL, 'p'},
        {"requests", required_argument, NULL, 'r'}, {"connections", required_argument, NULL, 'c'},
        {"rate", required_argument, NULL, 'R'},     {"tls", no_argument, NULL, 't'},
        {"bodies", required_argument, NULL, 'b'},   {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'a':
            if (inet_pton(AF_INET, optarg, &load->address) != 1) {
                die(optarg);
            }
            break;
        case 'p':
            load->port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            load_map(load, optarg);
            break;
        case 'c':
            load->connection_count = strtoul(optarg, NULL, 10);
            break;
        case 'R':
            load->rate = strtoul(optarg, NULL, 10);
            break;
        case 't':
            load->tls = true;
            break;
        case 'b':
            load->bodies = fopen(optarg, "we");
            break;
        default:
            _exit(2);
        }
    }
    if (load->port == 0 || load->total_count == 0 || load->connection_count == 0 ||
        load->connection_count > CONNECTION_COUNT_MAX) {
        (void)fprintf(
            stderr, "usage: load [--address A] --port P --requests FILE --connections N [--rate R] "
                    "[--tls] [--bodies FILE]\n");
        _exit(2);
    }
}

int main(int argc, char **argv)
{
    struct load load = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* its waits end when they should, or 50 us late */
    load.address.s_addr = htonl(INADDR_LOOPBACK);
    load_options(&load, argc, argv);
    load.latency_us = calloc(load.total_count, sizeof load.latency_us[0]);
    load.connections = calloc(load.connection_count, sizeof load.connections[0]);
    if (load.epoll < 0 || load.latency_us == NULL || load.connections == NULL) {
        die("start");
    }
    for (size_t i = 0; i < load.connection_count; i++) {
        connection_open(&load, &load.connections[i]);
    }
    load_run(&load);
    load_report(&load);
    free(load.connections);
    free(load.latency_us);
    return load.bodies != NULL && fclose(load.bodies) != 0 ? 2 : 0;
}

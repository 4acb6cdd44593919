/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.c: a TCP proxy that holds, slows, cuts and soils what goes through it.
 * Owns its thread and its sockets. Never leaves loopback. */
#include "tests/unit/proxy.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_COUNT_MAX 8
#define BUFFER_SIZE    16384

struct half {
    char bytes[BUFFER_SIZE];
    size_t begin;
    size_t end;
};

struct pipe {
    bool used;
    int files[2];        /* the one that came, the one to the port */
    struct half half[2]; /* from files[i] to the other */
};

struct proxy {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t done;
    int wake;
    int listener;
    uint16_t port;
    uint16_t to_port;
    struct pipe pipes[PIPE_COUNT_MAX]; /* the thread's, or under the lock while it polls */
    /* Under the lock. */
    bool stop;
    bool hold;
    bool cut;
    const char *inject;
    uint32_t limit;
    uint32_t count;
    /* The thread's. */
    uint64_t passed_ms;
    size_t passed[2];
};

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Passed on at once: it is not this proxy that is to be slow. */
static void hurry(int file)
{
    int on = 1;

    ASSERT(setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

static void pipe_close(struct pipe *pipe)
{
    if (pipe->used) {
        (void)close(pipe->files[0]);
        (void)close(pipe->files[1]);
        memset(pipe, 0, sizeof *pipe);
    }
}

static void take_one(struct proxy *proxy)
{
    struct sockaddr_in address = loopback(proxy->to_port);
    int file = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (file < 0) {
        return;
    }
    for (int i = 0; i < PIPE_COUNT_MAX; i++) {
        struct pipe *pipe = &proxy->pipes[i];

        if (!pipe->used) {
            pipe->files[0] = file;
            pipe->files[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            ASSERT(pipe->files[1] >= 0);
            hurry(pipe->files[0]);
            hurry(pipe->files[1]);
            pipe->used = true;
            if (connect(pipe->files[1], (struct sockaddr *)&address, sizeof address) != 0) {
                pipe_close(pipe);
            }
            (void)__atomic_add_fetch(&proxy->count, 1, __ATOMIC_RELAXED);
            return;
        }
    }
    (void)close(file);
}

static size_t allowance(struct proxy *proxy, int direction, size_t size)
{
    uint64_t now_ms = clock_precise_us() / 1000;

    if (proxy->limit == 0) {
        return size;
    }
    if (now_ms != proxy->passed_ms) {
        proxy->passed_ms = now_ms;
        proxy->passed[0] = 0;
        proxy->passed[1] = 0;
    }
    if (proxy->passed[direction] >= proxy->limit) {
        return 0;
    }
    return size < proxy->limit - proxy->passed[direction] ? size
                                                          : proxy->limit - proxy->passed[direction];
}

/* False: the connection is over. */
static bool pass(struct proxy *proxy, struct pipe *pipe, int direction)
{
    struct half *half = &pipe->half[direction];
    size_t size;
    ssize_t moved;

    if (half->begin == half->end) {
        moved = recv(pipe->files[direction], half->bytes, sizeof half->bytes, MSG_DONTWAIT);
        if (moved == 0 || (moved < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        half->begin = 0;
        half->end = moved < 0 ? 0 : (size_t)moved;
    }
    size = allowance(proxy, direction, half->end - half->begin);
    if (size == 0) {
        return true;
    }
    moved = send(pipe->files[1 - direction], half->bytes + half->begin, size,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (moved < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    half->begin += (size_t)moved;
    proxy->passed[direction] += (size_t)moved;
    return true;
}

static void obey(struct proxy *proxy)
{
    for (int i = 0; i < PIPE_COUNT_MAX; i++) {
        struct pipe *pipe = &proxy->pipes[i];

        if (proxy->inject != NULL && pipe->used) {
            (void)send(pipe->files[1], proxy->inject, strlen(proxy->inject),
                       MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        if (proxy->cut) {
            pipe_close(pipe);
        }
    }
    proxy->cut = false;
    proxy->inject = NULL;
    (void)pthread_cond_broadcast(&proxy->done);
}

static int turn(struct proxy *proxy, struct pollfd *files)
{
    int count = 2;

    files[0] = (struct pollfd){.fd = proxy->wake, .events = POLLIN};
    files[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (int i = 0; i < PIPE_COUNT_MAX && !proxy->hold; i++) {
        struct pipe *pipe = &proxy->pipes[i];

        for (int d = 0; d < 2 && pipe->used; d++) {
            bool full = pipe->half[d].begin < pipe->half[d].end;

            files[count++] = (struct pollfd){.fd = full && proxy->limit > 0 ? -1
                                                   : full                   ? pipe->files[1 - d]
                                                                            : pipe->files[d],
                                             .events = full ? POLLOUT : POLLIN};
        }
    }
    return count;
}

static void pass_all(struct proxy *proxy)
{
    for (int i = 0; i < PIPE_COUNT_MAX && !proxy->hold; i++) {
        struct pipe *pipe = &proxy->pipes[i];

        if (pipe->used && (!pass(proxy, pipe, 0) || !pass(proxy, pipe, 1))) {
            pipe_close(pipe);
        }
    }
}

static void *run(void *arg)
{
    struct proxy *proxy = arg;
    struct pollfd files[2 + 2 * PIPE_COUNT_MAX];
    eventfd_t value;

    (void)pthread_mutex_lock(&proxy->lock);
    while (!proxy->stop) {
        int count = turn(proxy, files);
        int timeout_ms = proxy->limit > 0 ? 1 : 1000;

        (void)pthread_mutex_unlock(&proxy->lock);
        ASSERT(poll(files, (nfds_t)count, timeout_ms) >= 0 || errno == EINTR);
        (void)eventfd_read(proxy->wake, &value);
        (void)pthread_mutex_lock(&proxy->lock);
        obey(proxy);
        take_one(proxy);
        pass_all(proxy);
    }
    for (int i = 0; i < PIPE_COUNT_MAX; i++) {
        pipe_close(&proxy->pipes[i]);
    }
    (void)pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

struct proxy *proxy_new(uint16_t to_port)
{
    struct proxy *proxy = mem_new(1, sizeof *proxy);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;

    ASSERT(proxy != NULL);
    proxy->to_port = to_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT(proxy->listener >= 0);
    ASSERT(bind(proxy->listener, (struct sockaddr *)&address, sizeof address) == 0);
    ASSERT(listen(proxy->listener, 16) == 0);
    ASSERT(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0);
    proxy->port = ntohs(address.sin_port);
    proxy->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(proxy->wake >= 0);
    (void)pthread_mutex_init(&proxy->lock, NULL);
    (void)pthread_cond_init(&proxy->done, NULL);
    ASSERT(pthread_create(&proxy->thread, NULL, run, proxy) == 0);
    return proxy;
}

void proxy_free(struct proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->stop = true;
    (void)pthread_mutex_unlock(&proxy->lock);
    (void)eventfd_write(proxy->wake, 1);
    (void)pthread_join(proxy->thread, NULL);
    (void)close(proxy->listener);
    (void)close(proxy->wake);
    (void)pthread_mutex_destroy(&proxy->lock);
    (void)pthread_cond_destroy(&proxy->done);
    mem_free(proxy);
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return proxy->port;
}

void proxy_hold(struct proxy *proxy, int hold)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->hold = hold != 0;
    (void)pthread_mutex_unlock(&proxy->lock);
    (void)eventfd_write(proxy->wake, 1);
}

void proxy_limit(struct proxy *proxy, uint32_t size_per_ms)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->limit = size_per_ms;
    (void)pthread_mutex_unlock(&proxy->lock);
    (void)eventfd_write(proxy->wake, 1);
}

void proxy_cut(struct proxy *proxy)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->cut = true;
    (void)eventfd_write(proxy->wake, 1);
    while (proxy->cut) {
        (void)pthread_cond_wait(&proxy->done, &proxy->lock);
    }
    (void)pthread_mutex_unlock(&proxy->lock);
}

void proxy_inject(struct proxy *proxy, const char *text)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->inject = text;
    (void)eventfd_write(proxy->wake, 1);
    while (proxy->inject != NULL) {
        (void)pthread_cond_wait(&proxy->done, &proxy->lock);
    }
    (void)pthread_mutex_unlock(&proxy->lock);
}

uint32_t proxy_count(struct proxy *proxy)
{
    return __atomic_load_n(&proxy->count, __ATOMIC_RELAXED);
}

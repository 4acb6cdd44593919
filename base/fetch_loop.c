/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_loop.c: curl's multi handle on libevent: its sockets and its timer.
 * Owns the multi handle and the watched sockets.
 * Never owns a transfer, never judges one, never calls back from inside fetch_loop_add. */
#include "base/fetch_loop.h"

#include "base/assert.h"
#include "base/mem.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <sys/queue.h>

struct fetch_socket {
    LIST_ENTRY(fetch_socket) link;
    struct event *event; /* owned */
};

struct fetch_loop {
    struct event_base *base; /* borrowed */
    CURLM *multi;            /* owned */
    struct event *timer;     /* owned */
    LIST_HEAD(, fetch_socket) sockets;
    fetch_loop_done_fn *done;
    void *arg;
};

static void drain(struct fetch_loop *loop)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(loop->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            loop->done(loop->arg, message->easy_handle, message->data.result);
        }
    }
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct fetch_loop *loop = arg;
    int running;

    (void)fd;
    (void)events;
    (void)curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain(loop);
}

static void on_socket(evutil_socket_t fd, short events, void *arg)
{
    struct fetch_loop *loop = arg;
    int running;
    int what = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

    (void)curl_multi_socket_action(loop->multi, fd, what, &running); /* each call tells its own */
    drain(loop);
}

static int timer_changed(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch_loop *loop = arg;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0) {
        (void)event_del(loop->timer); /* fails only for an event that is none */
    } else {
        (void)event_add(loop->timer, &timeout);
    }
    return 0;
}

static void socket_free(struct fetch_socket *socket)
{
    LIST_REMOVE(socket, link);
    event_free(socket->event);
    mem_free(socket);
}

/* Without memory the socket is not watched, and the call ends by its time limit. */
static void
socket_watch(struct fetch_loop *loop, curl_socket_t fd, int what, struct fetch_socket *socket)
{
    short events = (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                           ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));

    if (socket == NULL) {
        socket = mem_new(1, sizeof *socket);
        if (socket == NULL) {
            return;
        }
        socket->event = event_new(loop->base, fd, events, on_socket, loop);
        if (socket->event == NULL) {
            mem_free(socket);
            return;
        }
        LIST_INSERT_HEAD(&loop->sockets, socket, link);
        (void)curl_multi_assign(loop->multi, fd, socket); /* fd is curl's own: cannot fail */
    } else {
        (void)event_del(socket->event);
        (void)event_assign(socket->event, loop->base, fd, events, on_socket, loop);
    }
    (void)event_add(socket->event, NULL);
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    (void)easy;
    if (what != CURL_POLL_REMOVE) {
        socket_watch(arg, fd, what, socket);
    } else if (socket != NULL) {
        socket_free(socket);
    }
    return 0;
}

static enum err_code attach(struct fetch_loop *loop, long connection_count_max, struct err *err)
{
    bool set;

    loop->multi = curl_multi_init();
    loop->timer = event_new(loop->base, -1, 0, on_timer, loop);
    if (loop->multi == NULL || loop->timer == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    set = curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
          curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) == CURLM_OK &&
          curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
          curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop) == CURLM_OK &&
          curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, connection_count_max) == CURLM_OK;
    return set ? ERR_OK : err_set(err, ERR_FATAL, "libcurl refuses the options of its loop");
}

enum err_code fetch_loop_new(struct event_base *base,
                             long connection_count_max,
                             fetch_loop_done_fn *done,
                             void *arg,
                             struct fetch_loop **ret_loop,
                             struct err *err)
{
    struct fetch_loop *loop = mem_new(1, sizeof *loop);
    enum err_code rc;

    ASSERT(done != NULL);
    if (loop == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    LIST_INIT(&loop->sockets);
    loop->base = base;
    loop->done = done;
    loop->arg = arg;
    rc = attach(loop, connection_count_max, err);
    if (rc != ERR_OK) {
        fetch_loop_free(loop);
        return rc;
    }
    *ret_loop = loop;
    return ERR_OK;
}

void fetch_loop_free(struct fetch_loop *loop)
{
    struct fetch_socket *socket;

    if (loop == NULL) {
        return;
    }
    (void)curl_multi_cleanup(loop->multi); /* NULL is refused and harmless */
    while ((socket = LIST_FIRST(&loop->sockets)) != NULL) {
        socket_free(socket);
    }
    if (loop->timer != NULL) {
        event_free(loop->timer);
    }
    mem_free(loop);
}

enum err_code fetch_loop_add(struct fetch_loop *loop, CURL *easy, struct err *err)
{
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? ERR_OK
                                                                : err_set(err, ERR_NOMEM, "fetch");
}

void fetch_loop_remove(struct fetch_loop *loop, CURL *easy)
{
    (void)curl_multi_remove_handle(loop->multi, easy); /* it is ours: cannot fail */
}

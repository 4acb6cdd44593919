/* SPDX-License-Identifier: Apache-2.0 */
/* script.c: a server on loopback that answers by a script.
 * Owns its listener and connections.
 * Never leaves loopback, never answers what the script does not say. */
#include "tests/unit/script.h"

#include "tests/unit/unit.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void on_request(struct bufferevent *peer, void *arg)
{
    struct script *script = arg;
    struct evbuffer *input = bufferevent_get_input(peer);
    const char *reply;

    if (evbuffer_search(input, "\r\n\r\n", 4, NULL).pos < 0) {
        return;
    }
    memset(script->last, 0, sizeof script->last);
    (void)evbuffer_remove(input, script->last, sizeof script->last - 1);
    reply =
        script->request_count < script->reply_count ? script->replies[script->request_count] : NULL;
    script->request_count++;
    if (reply != NULL) {
        CU_ASSERT_EQUAL(bufferevent_write(peer, reply, strlen(reply)), 0);
        return;
    }
    for (size_t i = 0; i < script->accept_count; i++) {
        if (script->peers[i] == peer) {
            script->peers[i] = NULL;
        }
    }
    bufferevent_free(peer);
}

static void on_accept(struct evconnlistener *listener,
                      evutil_socket_t fd,
                      struct sockaddr *address,
                      int size,
                      void *arg)
{
    struct script *script = arg;
    struct bufferevent *peer = bufferevent_socket_new(script->base, fd, BEV_OPT_CLOSE_ON_FREE);

    (void)listener;
    (void)address;
    (void)size;
    CU_ASSERT_FATAL(peer != NULL && script->accept_count < 8);
    script->peers[script->accept_count] = peer;
    script->accept_count++;
    bufferevent_setcb(peer, on_request, NULL, NULL, script);
    CU_ASSERT_EQUAL(bufferevent_enable(peer, EV_READ | EV_WRITE), 0);
}

void script_listen(struct script *script, const struct sockaddr *address, int size)
{
    script->listener = evconnlistener_new_bind(script->base, on_accept, script,
                                               LEV_OPT_CLOSE_ON_FREE, 16, address, size);
    CU_ASSERT_FATAL(script->listener != NULL);
}

void script_start(struct script *script,
                  struct event_base *base,
                  int family,
                  const char *const *replies,
                  size_t reply_count)
{
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in address4 = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 bound = {.sin6_port = 0};
    socklen_t size = sizeof bound;

    memset(script, 0, sizeof *script);
    script->base = base;
    script->replies = replies;
    script->reply_count = reply_count;
    if (family == AF_INET) {
        script_listen(script, (const struct sockaddr *)&address4, sizeof address4);
    } else {
        script_listen(script, (const struct sockaddr *)&address6, sizeof address6);
    }
    CU_ASSERT_EQUAL_FATAL(
        getsockname(evconnlistener_get_fd(script->listener), (struct sockaddr *)&bound, &size), 0);
    script->port = ntohs(bound.sin6_port); /* at the same place in both families */
    (void)snprintf(script->url, sizeof script->url, "http://127.0.0.1:%u/x", script->port);
}

void script_stop(struct script *script)
{
    evconnlistener_free(script->listener);
    for (size_t i = 0; i < script->accept_count; i++) {
        if (script->peers[i] != NULL) {
            bufferevent_free(script->peers[i]);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c: a new connection: is there a place for it, who is the peer.
 * Owns nothing once conn.c has the descriptor.
 * Never leaves a peer without a word where one can be said: a full table is a 503. */
#include "approvald/http/server_internal.h"
#include "base/assert.h"
#include "base/metrics.h"
#include "base/tls.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a connection must have been idle to give way to a new one. */
#define IDLE_YIELD_MS 1000

/* Makes room by closing the connection that has been idle the longest. */
static bool yield_idle(struct http_server *server, enum http_listener kind)
{
    uint64_t limit_ms = server_now_ms(server);
    struct conn *oldest = NULL;

    limit_ms = limit_ms > IDLE_YIELD_MS ? limit_ms - IDLE_YIELD_MS : 0;
    for (uint32_t i = 0; i < HTTP_CONNECTION_COUNT_MAX; i++) {
        struct conn *conn = &server->conns[i];

        if (conn->state == CONN_HEAD && conn->kind == kind && !conn->refused && !conn->head_begun &&
            conn->since_ms < limit_ms && (oldest == NULL || conn->since_ms < oldest->since_ms)) {
            oldest = conn;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    conn_close(oldest);
    return true;
}

static void set_peer(struct conn *conn, int fd, const struct sockaddr *address)
{
    struct ucred creds;
    socklen_t size = sizeof(creds);

    conn->root = false;
    (void)snprintf(conn->peer, sizeof(conn->peer), "unknown"); /* fits */
    if (conn->kind == HTTP_LOCAL) {
        (void)snprintf(conn->peer, sizeof(conn->peer), "local"); /* fits */
        conn->root = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &size) == 0 &&
                     (creds.uid == 0 || creds.uid == geteuid());
    } else if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

        (void)inet_ntop(AF_INET, &in->sin_addr, conn->peer, sizeof(conn->peer)); /* fits */
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;

        (void)inet_ntop(AF_INET6, &in->sin6_addr, conn->peer, sizeof(conn->peer)); /* fits */
    }
}

/* A free place, or NULL: then fd is to be closed. *ret_refused: only to say 503. */
static struct conn *conn_take(struct listener *listener, bool *ret_refused)
{
    struct http_server *server = listener->server;
    struct conn *conn;

    *ret_refused = server->conn_count[listener->kind] >= server->conn_max[listener->kind] &&
                   !yield_idle(server, listener->kind);
    if (*ret_refused) {
        metric_add(server->refused, 1);
        if (listener->tls != NULL || server->refused_count >= HTTP_REFUSED_CONNECTION_COUNT_MAX) {
            return NULL;
        }
    }
    conn = server->conn_free;
    ASSERT(conn != NULL); /* the pool is the sum of all limits */
    return conn;
}

void server_accept(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct http_server *server = listener->server;
    int on = 1;
    bool refused;
    struct conn *conn = conn_take(listener, &refused);
    struct bufferevent *bev;

    if (conn == NULL) {
        (void)close(fd); /* nothing was written to it */
        return;
    }
    if (!listener->unix_socket) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* only a speed-up */
    }
    bev = listener->tls != NULL ? tls_server_bufferevent(listener->tls, server->base)
                                : bufferevent_socket_new(server->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL || bufferevent_setfd(bev, fd) != 0) {
        (void)close(fd); /* nothing was written to it */
        if (bev != NULL) {
            bufferevent_free(bev);
        }
        return;
    }
    server->conn_free = conn->next_free;
    *conn = (struct conn){.server = server,
                          .bev = bev,
                          .kind = listener->kind,
                          .tls = listener->tls != NULL,
                          .refused = refused};
    set_peer(conn, fd, address);
    conn_start(conn);
}

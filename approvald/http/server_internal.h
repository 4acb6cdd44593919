/* SPDX-License-Identifier: Apache-2.0 */
/* server_internal.h: what server.c (listeners, time), conn.c (a connection's life) and reply.c
 * (bytes of an answer) share. Nobody else includes it. */
#ifndef APPROVALD_HTTP_SERVER_INTERNAL_H
#define APPROVALD_HTTP_SERVER_INTERNAL_H

#include "approvald/http/proxies.h"
#include "approvald/http/route.h"
#include "approvald/http/server.h"
#include "approvald/http/wire.h"

#include <netinet/in.h>

struct bufferevent;
struct evconnlistener;
struct sockaddr;

enum conn_state {
    CONN_FREE,    /* in the pool */
    CONN_HEAD,    /* waits for a head, or reads one */
    CONN_BODY,    /* reads a body into its request */
    CONN_PENDING, /* a handler has the request */
    CONN_WRITING, /* the reply is on its way */
    CONN_LINGER,  /* the reply is out, late bytes are dropped until the peer has read it */
};

struct conn {
    struct conn *next_free;
    struct http_server *server;
    struct bufferevent *bev; /* owned */
    struct http_request *request;
    enum conn_state state;
    enum http_listener kind;
    bool tls;
    bool root;      /* the peer of the local socket is root or us */
    bool refused;   /* beyond the limit, only being told so */
    bool advancing; /* conn_advance runs: whoever is called from it must not free the connection */
    bool close;     /* after this reply */
    bool peer_eof;  /* the peer sends no more */
    bool dead;      /* the transport failed while conn_advance runs */
    bool head_begun;
    bool answered;      /* it has had an answer */
    bool http10;        /* of the last head: a kept connection has to be announced */
    uint64_t since_ms;  /* waiting for a head since then */
    size_t scanned;     /* bytes of a head looked at */
    size_t linger_size; /* bytes dropped */
    uint64_t deadline_ms;
    char peer[INET6_ADDRSTRLEN];
};

struct http_request {
    struct http_request *next_free;
    struct http_server *server;
    struct conn *conn; /* NULL: the peer is gone */
    const struct route_entry *entry;
    http_gone_fn *gone;
    void *gone_arg;
    enum http_listener kind;
    bool root;
    bool waiting;
    bool handled; /* a handler has it */
    uint64_t begun_us;
    http_foreign_fn *on_reply; /* of a request that another host has read; conn is NULL then */
    void *on_reply_arg;
    size_t head_size; /* bytes used of bytes */
    struct wire_head head;
    struct wire_chunks chunks;
    uint32_t param_count;
    struct span params[HTTP_PARAM_COUNT_MAX];
    char *body; /* owned */
    size_t body_size;
    size_t body_room;
    char peer[INET6_ADDRSTRLEN];
    char context[HTTP_CONTEXT_SIZE] __attribute__((aligned(16)));
    char bytes[HTTP_HEAD_SIZE_MAX]; /* the head, which spans point into */
};

struct listener {
    struct http_server *server;
    struct evconnlistener *listener; /* owned */
    struct tls_server *tls;          /* borrowed, or NULL */
    enum http_listener kind;
    bool unix_socket;
    bool paused; /* out of descriptors, or it has to wait: tried again by the tick */
};

struct http_server {
    struct event_base *base;
    struct metrics *metrics; /* borrowed */
    const struct clock *clock;
    struct conn *conns; /* pool, owned */
    struct conn *conn_free;
    struct http_request *requests;     /* pool, owned */
    struct http_request *request_free; /* those that were used and came back */
    uint32_t request_used;             /* the first so many were used; the others never */
    uint32_t request_max;
    uint32_t request_count;
    uint32_t handled_count; /* of those */
    uint32_t conn_max[HTTP_LISTENER_KIND_COUNT];
    uint32_t conn_count[HTTP_LISTENER_KIND_COUNT];
    uint32_t refused_count; /* being told 503 now */
    uint32_t read_ms;
    uint32_t idle_ms;
    size_t body_total; /* bytes of large bodies held */
    bool draining;
    uint64_t drain_ms; /* since then */
    bool closing;      /* service connections end with their next answer */
    uint32_t hold_listeners;
    http_hold_fn *hold; /* NULL: none */
    void *hold_arg;
    uint32_t listener_count;
    struct listener listeners[HTTP_LISTENER_COUNT_MAX];
    uint64_t wait_until_ms; /* the service's listeners do not accept before */
    struct route_table routes;
    struct proxies proxies;
    uint64_t date_s; /* of date_text */
    char date_text[64];
    struct metric *connections;
    struct metric *in_flight;
    struct metric *refused;
    struct metric *malformed;
};

/* accept.c. A new connection over fd (owned, also on failure). */
void server_accept(struct listener *listener, int fd, const struct sockaddr *address);

/* conn.c. Takes a connection whose transport is set into service (or refuses it). */
void conn_start(struct conn *conn);
void conn_close(struct conn *conn);
void conn_advance(struct conn *conn);
/* Closes what is overdue. */
void conn_check(struct conn *conn, uint64_t now_ms);
/* The reply's bytes have been handed over: what comes next. */
void conn_replied(struct conn *conn);

/* reply.c. Writes an answer to conn; request may be NULL (it could not be read). Sets conn->close
 * when the connection ends with it. */
void reply_write(struct conn *conn, bool head_only, const struct http_reply *reply);
void reply_problem(struct conn *conn, bool head_only, const struct http_problem *problem);
/* "HTTP/1.1 100 Continue". */
void reply_continue(struct conn *conn);

/* foreign.c. Gives a whole request to whoever holds requests, else to its handler. */
void request_dispatch(struct http_request *request);

/* request.c. NULL: as many as may be are answered now. */
struct http_request *request_take(struct http_server *server);
void request_free(struct http_request *request);
/* False: the room for bodies is used up; nothing was appended. */
bool request_append(struct http_request *request, struct span data);
/* Takes over what the path was found to mean. */
void request_adopt(struct http_request *request, const struct route_found *found);
/* Bytes of body that the request's route takes. */
size_t request_body_limit(const struct http_request *request);
/* server.c */
uint64_t server_now_ms(const struct http_server *server);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* server.h: HTTP/1.1 for the event loop: listeners, connections, routes, replies.
 *
 * Everything is called on the loop thread and nothing blocks. A handler gets a request once it is
 * complete and within its route's limits, and answers it exactly once, now or later, with
 * http_reply or http_problem. A peer that goes away meanwhile changes nothing for the handler: the
 * request stays valid until it is answered, the answer is then dropped. */
#ifndef APPROVALD_HTTP_SERVER_H
#define APPROVALD_HTTP_SERVER_H

#include "approvald/http/limits.h"
#include "approvald/http/wire.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct clock;
struct event_base;
struct http_request;
struct http_server;
struct metrics;
struct proxies;
struct tls_server;

/* What a listener is for. A route names those that serve it. */
enum http_listener {
    HTTP_SERVICE,    /* Slack and the API, on the virtual address */
    HTTP_MANAGEMENT, /* health and metrics, on the host's address */
    HTTP_LOCAL,      /* the unix socket: root acts as root, others show a token */
    HTTP_LISTENER_KIND_COUNT,
};
#define HTTP_ON_SERVICE    (1U << HTTP_SERVICE)
#define HTTP_ON_MANAGEMENT (1U << HTTP_MANAGEMENT)
#define HTTP_ON_LOCAL      (1U << HTTP_LOCAL)
#define HTTP_ON_ALL        (HTTP_ON_SERVICE | HTTP_ON_MANAGEMENT | HTTP_ON_LOCAL)

struct http_server_options {
    struct event_base *base;           /* borrowed, outlives the server */
    struct metrics *metrics;           /* borrowed */
    const struct clock *clock;         /* NULL: this host's */
    const struct proxies *proxies;     /* copied; NULL: no proxy is trusted */
    uint32_t service_connection_count; /* at once; 0: the limit */
    uint32_t request_count;            /* answers awaited at once; 0: the limit */
    uint32_t read_ms;                  /* 0: the limit; shorter ones are for tests */
    uint32_t idle_ms;                  /* likewise */
};

enum err_code http_server_new(const struct http_server_options *options,
                              struct http_server **ret_server,
                              struct err *err) WARN_UNUSED;
/* Closes everything at once; awaited requests lose their peers and stay valid until answered, which
 * has to happen before: free the handlers' owners after the service has answered. NULL is allowed.
 */
void http_server_free(struct http_server *server);

typedef void http_handler_fn(void *arg, struct http_request *request);
struct http_route {
    enum http_method method;  /* GET also serves HEAD */
    const char *pattern;      /* "/v1/requests/?": a segment "?" matches any one */
    uint32_t listeners;       /* HTTP_ON_… */
    uint32_t body_size_max;   /* 0: no body is expected, a small one is read and ignored */
    const char *content_type; /* that a body must have; NULL: any */
    http_handler_fn *handler;
};
/* routes is borrowed for the server's life and ended by pattern NULL. ERR_FULL past
 * HTTP_ROUTE_COUNT_MAX. */
enum err_code http_server_add(struct http_server *server,
                              const struct http_route *routes,
                              void *arg,
                              struct err *err) WARN_UNUSED;

/* Accepts on fd, a TCP or unix socket that listens, or will (a supervisor closes and opens it; see
 * http_server_resume), which the server owns from now on (also on failure). tls is borrowed for the
 * server's life; NULL: plain. */
enum err_code http_server_listen(struct http_server *server,
                                 enum http_listener kind,
                                 int fd,
                                 struct tls_server *tls,
                                 struct err *err) WARN_UNUSED;
/* The service's listeners accept nothing until http_server_resume, or for ms: who connects waits in
 * the kernel, instead of being told that there is no service yet. */
void http_server_wait(struct http_server *server, uint32_t ms);
/* That is over; and listeners that could not accept try again at once, instead of at the next tick.
 */
void http_server_resume(struct http_server *server);
/* The time that passes: closes what is overdue. Call a few times a second. */
void http_server_tick(struct http_server *server);
/* Stops accepting. Every connection ends with its next answer, which says "Connection: close"; one
 * on which no request has begun is closed by a tick HTTP_DRAIN_MS later (TLS without a request yet:
 * HTTP_DRAIN_TLS_MS after it was accepted), but never with something unread. */
void http_server_drain(struct http_server *server);
/* Connections open now, those being refused not counted. */
uint32_t http_server_connection_count(const struct http_server *server);
/* Requests whose answer is awaited. */
uint32_t http_server_request_count(const struct http_server *server);
/* Of those, the ones that a handler has: they have come whole and are not held. */
uint32_t http_server_handled_count(const struct http_server *server);

/* While set, every whole request of the listeners (HTTP_ON_…) is shown to hold first. True: it
 * keeps the request, and later answers it or lets it go on to its handler with http_request_go_on.
 * NULL: none. For the moment in which another host becomes the one that answers. */
typedef bool http_hold_fn(void *arg, struct http_request *request);
void http_server_hold(struct http_server *server,
                      uint32_t listeners,
                      http_hold_fn *hold,
                      void *arg);
void http_request_go_on(struct http_request *request);
/* Accepting goes on, but each connection of the service's listeners ends with its next answer. */
void http_server_set_closing(struct http_server *server, bool closing);

/* A request that another host has read and passes on. */
struct http_foreign {
    enum http_listener kind;
    bool root;        /* as that host saw it */
    const char *peer; /* copied */
    struct span head; /* the head's bytes as they came, http_request_head */
    struct span body; /* without its transfer coding */
};
struct http_reply;
/* The reply is valid during the call. */
typedef void http_foreign_fn(void *arg, const struct http_reply *reply);
/* Handles it like one of a connection's (hold included); on_reply is called exactly once, perhaps
 * from inside the call. ERR_FULL (as many requests as may be are answered now), ERR_INVALID (the
 * head cannot be read), ERR_TOO_LARGE, ERR_NOT_FOUND (no such resource): on_reply is not called. */
enum err_code http_server_inject(struct http_server *server,
                                 const struct http_foreign *foreign,
                                 http_foreign_fn *on_reply,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;

/* The request; spans are valid until it is answered. */
/* The head's bytes as they came. */
struct span http_request_head(const struct http_request *request);
enum http_method http_request_method(const struct http_request *request);
enum http_listener http_request_listener(const struct http_request *request);
struct span http_request_path(const struct http_request *request);
/* The path segment that the index-th "?" of the pattern matched. */
struct span http_request_param(const struct http_request *request, uint32_t index);
/* The raw query, for text_form_field. */
struct span http_request_query(const struct http_request *request);
/* The raw bytes of the body, after the chunked coding. */
struct span http_request_body(const struct http_request *request);
/* The first field of that name, or an empty span. */
struct span http_request_header(const struct http_request *request, const char *name);
/* As above; a field given twice counts as absent: two readers may take different ones. */
struct span http_request_header_once(const struct http_request *request, const char *name);
/* The secret of "Authorization: Bearer SECRET", or an empty span. */
struct span http_request_bearer(const struct http_request *request);
/* Over the local socket, from root or the daemon's own user. */
bool http_request_is_root(const struct http_request *request);
/* The client's address as text: the peer's, or what a trusted proxy says; "local" on the unix
 * socket. For logs: never a proof of who calls. */
const char *http_request_peer(const struct http_request *request);
/* The handler's own memory, HTTP_CONTEXT_SIZE bytes, zero at first. */
void *http_request_context(struct http_request *request);
/* The request's time on the server does not count as its duration (a long poll). */
void http_request_set_waiting(struct http_request *request);

/* The peer left, or will send no more. on_gone: gone(arg) is called once if the peer goes away
 * before the answer. The request stays valid and still has to be answered (to nobody), from inside
 * gone or later. NULL takes it back. Without it, a peer that has only closed its sending side still
 * gets its answer. */
bool http_request_is_gone(const struct http_request *request);
typedef void http_gone_fn(void *arg);
void http_request_on_gone(struct http_request *request, http_gone_fn *gone, void *arg);

struct http_header {
    const char *name; /* NULL: none */
    const char *value;
};
struct http_reply {
    uint32_t status;
    const char *content_type;                          /* NULL: no body */
    struct span body;                                  /* copied */
    uint32_t retry_after_s;                            /* 0: the field is left out */
    struct http_header headers[HTTP_REPLY_HEADER_MAX]; /* values without control characters */
};
/* Answers and ends the request; it must not be used afterwards. */
void http_reply(struct http_request *request, const struct http_reply *reply);

struct http_problem {
    uint32_t status;
    const char *detail;  /* what happened and how to mend it; NULL: the status' own text */
    const char *refusal; /* the word for programs, or NULL */
    uint32_t retry_after_s;
    struct http_header header;
};
/* Answers with application/problem+json (RFC 9457). */
void http_problem(struct http_request *request, const struct http_problem *problem);

/* "Not Found" for 404. */
const char *http_status_text(uint32_t status);

#endif

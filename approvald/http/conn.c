/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c: the life of one connection: head, body, handler, reply, and again.
 * Owns the bufferevent and, until a handler has it, the request.
 * Never closes a connection under a caller's feet: whoever is inside conn_advance marks it dead and
 * the outermost turn closes it. Never reads ahead more than HTTP_INPUT_SIZE_MAX. */
#include "approvald/http/server_internal.h"
#include "base/assert.h"
#include "base/metrics.h"
#include "base/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>

/* Replies waiting in memory before the next pipelined request is looked at. */
#define OUTPUT_SIZE_MAX 65536U

static size_t backlog(const struct conn *conn)
{
    struct bufferevent *under = bufferevent_get_underlying(conn->bev);
    size_t size = evbuffer_get_length(bufferevent_get_output(conn->bev));

    return under == NULL ? size : size + evbuffer_get_length(bufferevent_get_output(under));
}

static struct evbuffer *input_of(const struct conn *conn)
{
    return bufferevent_get_input(conn->bev);
}

void conn_close(struct conn *conn)
{
    struct http_server *server = conn->server;

    ASSERT(conn->state != CONN_FREE);
    ASSERT(!conn->advancing);
    if (conn->request != NULL && conn->state == CONN_PENDING) {
        conn->request->conn = NULL; /* its handler still has it */
    } else if (conn->request != NULL) {
        request_free(conn->request);
    }
    conn->request = NULL;
    bufferevent_free(conn->bev);
    conn->bev = NULL;
    if (conn->refused) {
        server->refused_count--;
    } else {
        server->conn_count[conn->kind]--;
        metric_set(server->connections, http_server_connection_count(server));
    }
    conn->state = CONN_FREE;
    conn->next_free = server->conn_free;
    server->conn_free = conn;
}

/* The transport is gone. */
static void conn_fail(struct conn *conn)
{
    struct http_request *request = conn->state == CONN_PENDING ? conn->request : NULL;

    if (conn->advancing) {
        conn->dead = true;
        return;
    }
    conn_close(conn);
    if (request != NULL && request->gone != NULL) {
        http_gone_fn *gone = request->gone;

        request->gone = NULL;
        gone(request->gone_arg);
    }
}

/* A reply has been handed over. */
static void begin_writing(struct conn *conn)
{
    conn->state = CONN_WRITING;
    conn->answered = true;
    conn->deadline_ms = server_now_ms(conn->server) + HTTP_WRITE_MS_MAX;
}

/* Answers a request that no handler will see. What comes next is the caller's. */
static void reject(struct conn *conn, const struct http_problem *problem)
{
    bool head_only = conn->request != NULL && conn->request->head.method == HTTP_HEAD;

    if (conn->request != NULL) {
        request_free(conn->request);
        conn->request = NULL;
    }
    reply_problem(conn, head_only, problem);
    begin_writing(conn);
}

static void reject_status(struct conn *conn, uint32_t status, const char *detail)
{
    reject(conn, &(struct http_problem){
                     .status = status, .detail = detail, .retry_after_s = status == 503 ? 1 : 0});
}

static void dispatch(struct conn *conn)
{
    struct http_request *request = conn->request;

    conn->state = CONN_PENDING;
    conn->deadline_ms = UINT64_MAX;
    request_dispatch(request);
}

static void reject_large(struct conn *conn)
{
    conn->close = true; /* the rest of the body is not worth reading */
    reject_status(conn, 413, "The body is larger than this resource takes.");
}

/* Decides from the head alone whether the body is worth reading. True: go on. */
static bool admit(struct conn *conn)
{
    struct http_request *request = conn->request;
    const struct wire_head *head = &request->head;
    bool has_body = head->chunked || head->content_length > 0;
    const struct http_route *route;
    struct route_found found;

    route_find(&conn->server->routes, conn->kind, head->method, head->path, &found);
    conn->close = conn->close || (found.entry == NULL && has_body);
    if (found.entry == NULL && found.allow[0] != '\0') {
        reject(conn, &(struct http_problem){.status = 405,
                                            .detail = "This resource has no such method.",
                                            .header = {"Allow", found.allow}});
        return false;
    }
    if (found.entry == NULL) {
        reject_status(conn, 404, "There is no such resource on this listener.");
        return false;
    }
    request_adopt(request, &found);
    route = found.entry->route;
    if (head->content_length > request_body_limit(request)) {
        reject_large(conn);
        return false;
    }
    if (has_body && route->content_type != NULL &&
        !route_type_matches(route->content_type, wire_header(head, "Content-Type"))) {
        char detail[96];

        conn->close = true;
        (void)snprintf(detail, sizeof(detail), "The body has to be %s.", /* types are short */
                       route->content_type);
        reject_status(conn, 415, detail);
        return false;
    }
    return true;
}

static void begin_request(struct conn *conn, const char *bytes, size_t size)
{
    struct http_request *request = request_take(conn->server);
    struct wire_fault fault = {.status = 400, .detail = "The request cannot be read."};

    if (request == NULL) {
        metric_add(conn->server->refused, 1);
        conn->close = true;
        reject_status(conn, 503, "Too many requests are being answered; try again.");
        return;
    }
    conn->request = request;
    request->conn = conn;
    request->kind = conn->kind;
    request->root = conn->root;
    memcpy(request->peer, conn->peer, sizeof(request->peer));
    memcpy(request->bytes, bytes, size);
    request->head_size = size;
    if (evbuffer_drain(input_of(conn), size) != 0 ||
        !wire_parse_head(span_of(request->bytes, size), &request->head, &fault)) {
        metric_add(conn->server->malformed, 1);
        conn->close = true;
        request->head.method = HTTP_OTHER;
        reject_status(conn, fault.status, fault.detail);
        return;
    }
    proxies_resolve(&conn->server->proxies, &request->head, request->peer);
    conn->close = !request->head.keep_alive;
    conn->http10 = request->head.minor == 0;
    if (!admit(conn)) {
        return;
    }
    if (!request->head.chunked && request->head.content_length == 0) {
        dispatch(conn);
        return;
    }
    wire_chunks_init(&request->chunks);
    conn->state = CONN_BODY;
    if (request->head.expect_continue && evbuffer_get_length(input_of(conn)) == 0) {
        reply_continue(conn);
    }
}

/* RFC 9112, 2.2: an empty line before a request is ignored. */
static void skip_empty_line(struct evbuffer *input)
{
    char start[2];

    if (evbuffer_copyout(input, start, 2) == 2 && memcmp(start, "\r\n", 2) == 0) {
        (void)evbuffer_drain(input, 2); /* two bytes are there */
    }
}

/* Closed with something unread the connection would be reset, and a request that has arrived lost.
 */
static bool has_unread(const struct conn *conn)
{
    struct bufferevent *under = bufferevent_get_underlying(conn->bev);
    char byte;

    if (under == NULL) {
        under = conn->bev;
    } else if (evbuffer_get_length(bufferevent_get_input(under)) > 0) {
        return true; /* a part of a TLS record */
    }
    return recv(bufferevent_getfd(under), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* The server stops, and nothing has begun here for so long that nothing is on its way. */
static bool is_left_over(const struct conn *conn)
{
    const struct http_server *server = conn->server;
    uint64_t end_ms = server->drain_ms + HTTP_DRAIN_MS;

    if (!server->draining) {
        return false;
    }
    if (conn->tls && !conn->answered && end_ms < conn->since_ms + HTTP_DRAIN_TLS_MS) {
        end_ms = conn->since_ms + HTTP_DRAIN_TLS_MS;
    }
    return server_now_ms(server) >= end_ms && !has_unread(conn);
}

/* True when something changed. */
static bool step_head(struct conn *conn)
{
    struct evbuffer *input = input_of(conn);
    size_t held = evbuffer_get_length(input);
    size_t looked;
    size_t size;
    const char *bytes;

    if (held > 0 && !conn->head_begun) {
        skip_empty_line(input);
        held = evbuffer_get_length(input);
    }
    if (held == 0) {
        conn->dead = backlog(conn) == 0 && (conn->peer_eof || is_left_over(conn));
        return false;
    }
    if (!conn->head_begun) {
        conn->head_begun = true;
        conn->deadline_ms = server_now_ms(conn->server) + conn->server->read_ms;
    }
    looked = held < HTTP_HEAD_SIZE_MAX ? held : HTTP_HEAD_SIZE_MAX;
    bytes = (const char *)evbuffer_pullup(input, (ev_ssize_t)looked);
    if (bytes == NULL) {
        conn->dead = true;
        return false;
    }
    size = wire_head_size(span_of(bytes, looked), &conn->scanned);
    if (size > 0) {
        begin_request(conn, bytes, size);
        return true;
    }
    if (looked == HTTP_HEAD_SIZE_MAX) {
        conn->close = true;
        reject_status(conn, 431, "The header is larger than 16 KiB.");
        return true;
    }
    conn->dead = conn->peer_eof && backlog(conn) == 0;
    return false;
}

static bool body_append(struct conn *conn, struct span data)
{
    struct http_request *request = conn->request;

    if (request->body_size + data.size > request_body_limit(request)) {
        reject_large(conn);
        return false;
    }
    if (!request_append(request, data)) {
        metric_add(conn->server->refused, 1);
        conn->close = true;
        reject_status(conn, 503, "Too many large bodies are being read; try again.");
        return false;
    }
    return true;
}

/* One contiguous piece of a chunked body. */
static bool step_chunks(struct conn *conn, struct span bytes, size_t *ret_taken)
{
    struct http_request *request = conn->request;
    size_t held = bytes.size;
    enum wire_progress progress = WIRE_DATA;
    struct span data = SPAN_NONE;

    while (progress == WIRE_DATA) {
        progress = wire_chunks_step(&request->chunks, &bytes, &data);
        *ret_taken = held - bytes.size;
        if (progress == WIRE_DATA && !body_append(conn, data)) {
            return false;
        }
    }
    if (progress == WIRE_BAD) {
        metric_add(conn->server->malformed, 1);
        conn->close = true;
        reject_status(conn, 400, "The body is not in the chunked transfer coding.");
        return false;
    }
    if (progress == WIRE_DONE) {
        request->head.chunked = false;
        request->head.content_length = request->body_size;
    }
    return true;
}

static bool step_length(struct conn *conn, struct span bytes, size_t *ret_taken)
{
    uint64_t left = conn->request->head.content_length - conn->request->body_size;

    if (bytes.size > left) {
        bytes.size = (size_t)left;
    }
    *ret_taken = bytes.size;
    return body_append(conn, bytes);
}

static bool step_body(struct conn *conn)
{
    struct evbuffer *input = input_of(conn);

    while (evbuffer_get_length(input) > 0) {
        size_t size = evbuffer_get_contiguous_space(input);
        const unsigned char *bytes = evbuffer_pullup(input, (ev_ssize_t)size);
        size_t taken = 0;
        bool going;

        going = conn->request->head.chunked ? step_chunks(conn, span_of(bytes, size), &taken)
                                            : step_length(conn, span_of(bytes, size), &taken);
        (void)evbuffer_drain(input, taken); /* that many are there */
        if (!going) {
            return true;
        }
        if (!conn->request->head.chunked &&
            conn->request->body_size == conn->request->head.content_length) {
            dispatch(conn);
            return true;
        }
    }
    conn->dead = conn->peer_eof;
    return false;
}

/* The last reply is out and says that the connection ends. */
static void linger(struct conn *conn)
{
    if (conn->peer_eof) {
        conn->dead = true;
        return;
    }
    if (conn->tls) {
        tls_end(conn->bev);
    } else {
        (void)shutdown(bufferevent_getfd(conn->bev), SHUT_WR); /* fails when the peer left first */
    }
    conn->state = CONN_LINGER;
    conn->linger_size = 0;
    conn->deadline_ms = server_now_ms(conn->server) + HTTP_LINGER_MS_MAX;
}

static bool step_writing(struct conn *conn)
{
    size_t waiting = backlog(conn);

    if (conn->close) {
        if (waiting > 0) {
            return false;
        }
        linger(conn);
        return true;
    }
    if (waiting > OUTPUT_SIZE_MAX) {
        return false;
    }
    conn->state = CONN_HEAD;
    conn->head_begun = false;
    conn->scanned = 0;
    conn->since_ms = server_now_ms(conn->server);
    conn->deadline_ms = conn->since_ms + conn->server->idle_ms;
    return true;
}

static bool step_linger(struct conn *conn)
{
    struct evbuffer *input = input_of(conn);
    size_t size = evbuffer_get_length(input);

    conn->linger_size += size;
    (void)evbuffer_drain(input, size); /* that many are there */
    conn->dead = conn->peer_eof || conn->linger_size > HTTP_LINGER_SIZE_MAX;
    return false;
}

static bool step(struct conn *conn)
{
    switch (conn->state) {
    case CONN_HEAD:
        return step_head(conn);
    case CONN_BODY:
        return step_body(conn);
    case CONN_WRITING:
        return step_writing(conn);
    case CONN_LINGER:
        return step_linger(conn);
    case CONN_PENDING:
    case CONN_FREE:
        break;
    }
    return false;
}

void conn_advance(struct conn *conn)
{
    uint32_t turn = 0;

    if (conn->advancing) {
        return;
    }
    conn->advancing = true;
    /* A request takes two or three steps. */
    while (turn < HTTP_TURN_COUNT_MAX * 3 && !conn->dead && step(conn)) {
        turn++;
    }
    conn->advancing = false;
    if (conn->dead) {
        conn_fail(conn);
    } else if (turn == HTTP_TURN_COUNT_MAX * 3) {
        bufferevent_trigger(conn->bev, EV_READ,
                            BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
    }
}

void conn_replied(struct conn *conn)
{
    begin_writing(conn);
    conn_advance(conn);
}

static void on_progress(struct bufferevent *bev, void *arg)
{
    (void)bev;
    conn_advance(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct conn *conn = arg;

    (void)bev;
    if ((what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0) {
        conn_fail(conn);
        return;
    }
    if ((what & BEV_EVENT_EOF) == 0) {
        return;
    }
    conn->peer_eof = true;
    if (conn->state == CONN_PENDING && conn->request->gone != NULL) {
        conn_fail(conn);
        return;
    }
    conn_advance(conn);
}

void conn_check(struct conn *conn, uint64_t now_ms)
{
    if (conn->state == CONN_FREE) {
        return;
    }
    if (now_ms < conn->deadline_ms) {
        /* A TLS layer does not tell when its last record has left; a drain asks idle ones to go. */
        if (conn->state == CONN_WRITING || (conn->state == CONN_HEAD && conn->server->draining)) {
            conn_advance(conn);
        }
        return;
    }
    if (conn->state == CONN_BODY || (conn->state == CONN_HEAD && conn->head_begun)) {
        conn->close = true;
        reject_status(conn, 408, "The request did not arrive in time.");
        conn_advance(conn);
        return;
    }
    conn_fail(conn);
}

void conn_start(struct conn *conn)
{
    struct http_server *server = conn->server;

    conn->state = CONN_HEAD;
    conn->since_ms = server_now_ms(server);
    conn->deadline_ms = conn->since_ms + server->read_ms;
    if (conn->refused) {
        server->refused_count++;
    } else {
        server->conn_count[conn->kind]++;
        metric_set(server->connections, http_server_connection_count(server));
    }
    bufferevent_setcb(conn->bev, on_progress, on_progress, on_event, conn);
    bufferevent_setwatermark(conn->bev, EV_READ, 0, HTTP_INPUT_SIZE_MAX);
    if (bufferevent_enable(conn->bev, EV_READ | EV_WRITE) != 0) {
        conn_close(conn);
        return;
    }
    if (conn->refused) {
        conn->close = true;
        reject_status(conn, 503, "Too many connections are open; try again.");
        conn_advance(conn);
    }
}

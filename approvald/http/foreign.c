/* SPDX-License-Identifier: Apache-2.0 */
/* foreign.c: requests that are held back for a moment, and requests that another host has read.
 * Owns the gate before every handler, and what of a foreign request is believed: nothing but who
 * the peer was; its bytes are read here like anybody's.
 * Never answers: holder, handler and reply.c do. */
#include "approvald/http/server_internal.h"
#include "base/assert.h"

#include <stdio.h>

void http_server_hold(struct http_server *server, uint32_t listeners, http_hold_fn *hold, void *arg)
{
    server->hold_listeners = listeners;
    server->hold = hold;
    server->hold_arg = arg;
}

void http_server_set_closing(struct http_server *server, bool closing)
{
    server->closing = closing;
}

void http_request_go_on(struct http_request *request)
{
    ASSERT(request->entry != NULL && !request->handled);
    request->handled = true;
    request->server->handled_count++;
    request->entry->route->handler(request->entry->arg, request);
}

void request_dispatch(struct http_request *request)
{
    const struct http_server *server = request->server;

    if (server->hold != NULL && (server->hold_listeners & (1U << request->kind)) != 0 &&
        server->hold(server->hold_arg, request)) {
        return;
    }
    http_request_go_on(request);
}

/* Reads the head again and finds its resource. */
static enum err_code
read_foreign(struct http_request *request, const struct http_foreign *foreign, struct err *err)
{
    struct wire_fault fault = {.status = 400, .detail = ""};
    struct route_found found;

    if (foreign->head.size > sizeof(request->bytes)) {
        return err_set(err, ERR_TOO_LARGE, "foreign request: a head of %zu bytes",
                       foreign->head.size);
    }
    memcpy(request->bytes, foreign->head.data, foreign->head.size);
    request->head_size = foreign->head.size;
    if (!wire_parse_head(span_of(request->bytes, request->head_size), &request->head, &fault)) {
        return err_set(err, ERR_INVALID, "foreign request: %s", fault.detail);
    }
    route_find(&request->server->routes, foreign->kind, request->head.method, request->head.path,
               &found);
    if (found.entry == NULL) {
        return err_set(err, ERR_NOT_FOUND, "foreign request: no such resource");
    }
    request_adopt(request, &found);
    if (foreign->body.size > request_body_limit(request) ||
        !request_append(request, foreign->body)) {
        return err_set(err, ERR_TOO_LARGE, "foreign request: a body of %zu bytes",
                       foreign->body.size);
    }
    request->head.chunked = false;
    request->head.content_length = request->body_size;
    return ERR_OK;
}

enum err_code http_server_inject(struct http_server *server,
                                 const struct http_foreign *foreign,
                                 http_foreign_fn *on_reply,
                                 void *arg,
                                 struct err *err)
{
    struct http_request *request = request_take(server);
    enum err_code rc;

    ASSERT(on_reply != NULL);
    if (request == NULL) {
        return err_set(err, ERR_FULL, "as many requests as may be are being answered");
    }
    request->conn = NULL;
    request->kind = foreign->kind;
    request->root = foreign->root && foreign->kind == HTTP_LOCAL;
    (void)snprintf(request->peer, sizeof(request->peer), "%s", foreign->peer); /* may be cut */
    rc = read_foreign(request, foreign, err);
    if (rc != ERR_OK) {
        request->waiting = true; /* it says nothing about durations */
        request_free(request);
        return rc;
    }
    request->on_reply = on_reply;
    request->on_reply_arg = arg;
    request_dispatch(request);
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* request.c: the pool of requests, their bodies, and what a handler may ask of one.
 * Owns the bytes of bodies and their total.
 * Never knows the state of a connection, beyond whether there still is one. */
#include "approvald/http/server_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <strings.h>

/* A body without one being expected (a DELETE with "{}") is read and ignored up to here. */
#define BODY_IGNORED_SIZE_MAX 4096
/* Bodies up to here are bounded by the count of requests alone, so that a few large ones cannot
 * take their room. */
#define BODY_SMALL_SIZE HTTP_API_BODY_SIZE_MAX

struct http_request *request_take(struct http_server *server)
{
    struct http_request *request = server->request_free;

    if (server->request_count >= server->request_max) {
        return NULL;
    }
    if (request != NULL) {
        server->request_free = request->next_free;
    } else {
        ASSERT(server->request_used < server->request_max); /* all the others are under way */
        request = &server->requests[server->request_used++];
        request->server = server;
    }
    server->request_count++;
    metric_set(server->in_flight, server->request_count);
    request->next_free = NULL;
    request->entry = NULL;
    request->gone = NULL;
    request->gone_arg = NULL;
    request->waiting = false;
    request->handled = false;
    request->param_count = 0;
    request->body = NULL;
    request->body_size = 0;
    request->body_room = 0;
    request->on_reply = NULL;
    request->on_reply_arg = NULL;
    request->head_size = 0;
    request->begun_us = clock_precise_us();
    memset(request->context, 0, sizeof(request->context));
    return request;
}

static size_t body_charge(size_t room)
{
    return room > BODY_SMALL_SIZE ? room : 0;
}

void request_free(struct http_request *request)
{
    struct http_server *server = request->server;

    if (request->entry != NULL && !request->waiting) {
        metric_observe_us(request->entry->duration, clock_precise_us() - request->begun_us);
    }
    server->body_total -= body_charge(request->body_room);
    mem_free(request->body);
    request->body = NULL;
    request->conn = NULL;
    request->next_free = server->request_free;
    server->request_free = request;
    ASSERT(server->request_count > 0);
    ASSERT(server->handled_count >= (request->handled ? 1U : 0U));
    server->request_count--;
    server->handled_count -= request->handled ? 1 : 0;
    metric_set(server->in_flight, server->request_count);
}

/* Room for size more bytes of body. */
static bool body_reserve(struct http_request *request, size_t size)
{
    struct http_server *server = request->server;
    size_t need = request->body_size + size;
    size_t room = request->body_room == 0 ? 512 : request->body_room;
    size_t charge;
    char *grown;

    if (need <= request->body_room) {
        return true;
    }
    while (room < need) {
        room *= 2;
    }
    charge = body_charge(room) - body_charge(request->body_room);
    if (server->body_total + charge > HTTP_BODY_SIZE_TOTAL_MAX) {
        return false;
    }
    grown = mem_resize(request->body, room, 1);
    if (grown == NULL) {
        return false;
    }
    server->body_total += charge;
    request->body = grown;
    request->body_room = room;
    return true;
}

bool request_append(struct http_request *request, struct span data)
{
    if (!body_reserve(request, data.size)) {
        return false;
    }
    if (data.size > 0) { /* without a body there is no room for one */
        memcpy(request->body + request->body_size, data.data, data.size);
        request->body_size += data.size;
    }
    return true;
}

void request_adopt(struct http_request *request, const struct route_found *found)
{
    request->entry = found->entry;
    request->param_count = found->param_count;
    memcpy(request->params, found->params, sizeof(request->params));
}

size_t request_body_limit(const struct http_request *request)
{
    uint32_t size = request->entry->route->body_size_max;

    return size == 0 ? BODY_IGNORED_SIZE_MAX : size;
}

enum http_method http_request_method(const struct http_request *request)
{
    return request->head.method;
}

enum http_listener http_request_listener(const struct http_request *request)
{
    return request->kind;
}

struct span http_request_head(const struct http_request *request)
{
    return span_of(request->bytes, request->head_size);
}

struct span http_request_path(const struct http_request *request)
{
    return request->head.path;
}

struct span http_request_param(const struct http_request *request, uint32_t index)
{
    ASSERT(index < request->param_count);
    return request->params[index];
}

struct span http_request_query(const struct http_request *request)
{
    return request->head.query;
}

struct span http_request_body(const struct http_request *request)
{
    return span_of(request->body, request->body_size);
}

struct span http_request_header(const struct http_request *request, const char *name)
{
    return wire_header(&request->head, name);
}

struct span http_request_header_once(const struct http_request *request, const char *name)
{
    return wire_header_once(&request->head, name);
}

struct span http_request_bearer(const struct http_request *request)
{
    struct span value = wire_header(&request->head, "Authorization");

    if (value.size < 7 || strncasecmp(value.data, "Bearer ", 7) != 0) {
        return SPAN_NONE;
    }
    value = span_of(value.data + 7, value.size - 7);
    while (value.size > 0 && value.data[0] == ' ') {
        value = span_of(value.data + 1, value.size - 1);
    }
    return value;
}

bool http_request_is_root(const struct http_request *request)
{
    return request->root;
}

const char *http_request_peer(const struct http_request *request)
{
    return request->peer;
}

void *http_request_context(struct http_request *request)
{
    return request->context;
}

void http_request_set_waiting(struct http_request *request)
{
    request->waiting = true;
}

bool http_request_is_gone(const struct http_request *request)
{
    return request->on_reply == NULL && (request->conn == NULL || request->conn->peer_eof);
}

void http_request_on_gone(struct http_request *request, http_gone_fn *gone, void *arg)
{
    request->gone = gone;
    request->gone_arg = arg;
}

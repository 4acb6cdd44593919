/* SPDX-License-Identifier: Apache-2.0 */
/* server.c: listeners, pools and time of the HTTP server. With accept.c, conn.c and reply.c the
 * only files of this room over libevent.
 * Owns the listening sockets and the pools of connections and requests, sized at start.
 * Never parses bytes (wire.c) and never answers (handlers, reply.c).
 *
 * Built on bufferevents and not on libevent's evhttp, because evhttp 2.1 shows a request only when
 * its body has been read, answers what it cannot read in HTML of its own, takes a length beside a
 * transfer coding, reads ahead without limit while a reply is under way, counts no connections, and
 * ends the process on states that it does not expect. docs/architecture.md has the reasons. */
#include "approvald/http/server.h"

#include "approvald/http/server_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel holds that many connections that we have not accepted: a burst of one second. */

uint64_t server_now_ms(const struct http_server *server)
{
    return clock_boot_ms(server->clock);
}

static void add_metrics(struct http_server *server, struct metrics *metrics)
{
    server->connections = metrics_add(metrics, METRIC_GAUGE, "approvald_http_connections", NULL,
                                      "Connections open now.");
    server->in_flight = metrics_add(metrics, METRIC_GAUGE, "approvald_http_requests_in_flight",
                                    NULL, "Requests whose answer is awaited, long polls included.");
    server->refused = metrics_add(metrics, METRIC_COUNTER, "approvald_http_refused_total", NULL,
                                  "Connections and requests refused because a limit was reached.");
    server->malformed = metrics_add(metrics, METRIC_COUNTER, "approvald_http_malformed_total", NULL,
                                    "Requests that were not HTTP/1.x.");
}

static uint32_t at_most(uint32_t wanted, uint32_t limit)
{
    return wanted == 0 || wanted > limit ? limit : wanted;
}

/* A request has 29 KiB: those are put on their list when they come back, so that no page is touched
 * before its request is used (a link in each would cost 6 MiB at the start). */
static void fill_pool(struct http_server *server)
{
    for (uint32_t i = HTTP_CONNECTION_COUNT_MAX; i-- > 0;) {
        server->conns[i].next_free = server->conn_free;
        server->conn_free = &server->conns[i];
    }
}

enum err_code http_server_new(const struct http_server_options *options,
                              struct http_server **ret_server,
                              struct err *err)
{
    struct http_server *server = mem_new(1, sizeof(*server));

    ASSERT(options->base != NULL);
    ASSERT(options->metrics != NULL);
    if (server == NULL) {
        return err_set(err, ERR_NOMEM, "http server");
    }
    server->base = options->base;
    server->clock = options->clock != NULL ? options->clock : clock_host();
    server->conn_max[HTTP_SERVICE] =
        at_most(options->service_connection_count, HTTP_SERVICE_CONNECTION_COUNT_MAX);
    server->conn_max[HTTP_MANAGEMENT] = HTTP_MANAGEMENT_CONNECTION_COUNT_MAX;
    server->conn_max[HTTP_LOCAL] = HTTP_LOCAL_CONNECTION_COUNT_MAX;
    server->request_max = at_most(options->request_count, HTTP_REQUEST_COUNT_MAX);
    server->read_ms = at_most(options->read_ms, HTTP_READ_MS_MAX);
    server->idle_ms = at_most(options->idle_ms, HTTP_IDLE_MS_MAX);
    server->conns = mem_new(HTTP_CONNECTION_COUNT_MAX, sizeof(*server->conns));
    /* Untouched pages of the pool cost nothing; the free list is a stack, so few are touched. */
    server->requests = mem_new(server->request_max, sizeof(*server->requests));
    if (server->conns == NULL || server->requests == NULL) {
        http_server_free(server);
        return err_set(err, ERR_NOMEM, "http server pools");
    }
    fill_pool(server);
    if (options->proxies != NULL) {
        server->proxies = *options->proxies;
    }
    server->metrics = options->metrics;
    add_metrics(server, options->metrics);
    *ret_server = server;
    return ERR_OK;
}

static void close_listeners(struct http_server *server)
{
    for (uint32_t i = 0; i < server->listener_count; i++) {
        if (server->listeners[i].listener != NULL) {
            evconnlistener_free(server->listeners[i].listener);
            server->listeners[i].listener = NULL;
        }
    }
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    close_listeners(server);
    for (uint32_t i = 0; server->conns != NULL && i < HTTP_CONNECTION_COUNT_MAX; i++) {
        if (server->conns[i].state != CONN_FREE) {
            conn_close(&server->conns[i]);
        }
    }
    for (uint32_t i = 0; server->requests != NULL && i < server->request_used; i++) {
        mem_free(server->requests[i].body); /* of those that nobody will answer any more */
    }
    mem_free(server->conns);
    mem_free(server->requests);
    mem_free(server);
}

static const char *const class_texts[ROUTE_CLASS_COUNT] = {"2xx", "4xx", "5xx"};

static void add_route(struct http_server *server, const struct http_route *route, void *arg)
{
    struct metrics *metrics = server->metrics;
    struct route_entry *entry = &server->routes.entries[server->routes.count++];
    const char *method = route_method_text(route->method);

    entry->route = route;
    entry->arg = arg;
    for (size_t i = 0; i < ROUTE_CLASS_COUNT; i++) {
        (void)snprintf(entry->labels[i], sizeof(entry->labels[i]), /* patterns are short */
                       "route=\"%s\",method=\"%s\",code=\"%s\"", route->pattern, method,
                       class_texts[i]);
        entry->counts[i] = metrics_add(metrics, METRIC_COUNTER, "approvald_http_requests_total",
                                       entry->labels[i], "Requests answered by a handler.");
    }
    (void)snprintf(entry->labels[ROUTE_CLASS_COUNT], sizeof(entry->labels[0]), /* likewise */
                   "route=\"%s\",method=\"%s\"", route->pattern, method);
    entry->duration = metrics_add(metrics, METRIC_HISTOGRAM, "approvald_http_duration_seconds",
                                  entry->labels[ROUTE_CLASS_COUNT],
                                  "From a request's head to its answer; long polls left out.");
}

enum err_code http_server_add(struct http_server *server,
                              const struct http_route *routes,
                              void *arg,
                              struct err *err)
{
    for (; routes->pattern != NULL; routes++) {
        ASSERT(routes->body_size_max <= HTTP_BODY_SIZE_MAX);
        if (server->routes.count == HTTP_ROUTE_COUNT_MAX) {
            return err_set(err, ERR_FULL, "http routes: %u are the limit", HTTP_ROUTE_COUNT_MAX);
        }
        add_route(server, routes, arg);
    }
    return ERR_OK;
}

static void on_accept(struct evconnlistener *from,
                      evutil_socket_t fd,
                      struct sockaddr *address,
                      int address_size,
                      void *arg)
{
    (void)from;
    (void)address_size;
    server_accept(arg, fd, address);
}

/* Out of descriptors or memory: trying again at once would spin. */
static void on_accept_error(struct evconnlistener *from, void *arg)
{
    struct listener *listener = arg;
    int number = errno;

    if (number != EINVAL) { /* the supervisor has closed the socket: another host serves */
        log_fields(LOG_LEVEL_WARNING, "http", "accept_failed",
                   LOG_TEXT("reason", strerror(number)));
    }
    (void)evconnlistener_disable(from); /* the tick tries again either way */
    listener->paused = true;
}

enum err_code http_server_listen(struct http_server *server,
                                 enum http_listener kind,
                                 int fd,
                                 struct tls_server *tls,
                                 struct err *err)
{
    struct listener *listener = &server->listeners[server->listener_count];
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof(address);

    if (server->listener_count == HTTP_LISTENER_COUNT_MAX) {
        (void)close(fd); /* nothing was accepted from it */
        return err_set(err, ERR_FULL, "more than %u listeners", HTTP_LISTENER_COUNT_MAX);
    }
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        evutil_make_socket_nonblocking(fd) != 0) {
        int number = errno;

        (void)close(fd); /* likewise */
        return err_set_errno(err, ERR_IO, number, "listening socket %d", fd);
    }
    *listener = (struct listener){
        .server = server, .tls = tls, .kind = kind, .unix_socket = address.ss_family == AF_UNIX};
    listener->listener = evconnlistener_new(server->base, on_accept, listener,
                                            LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (listener->listener == NULL) {
        int number = errno;

        (void)close(fd); /* likewise */
        return err_set_errno(err, ERR_IO, number, "listen");
    }
    evconnlistener_set_error_cb(listener->listener, on_accept_error);
    server->listener_count++;
    return ERR_OK;
}

static void resume_listeners(struct http_server *server)
{
    bool waits = server_now_ms(server) < server->wait_until_ms;

    for (uint32_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];

        if (listener->paused && listener->listener != NULL &&
            !(waits && listener->kind == HTTP_SERVICE) &&
            evconnlistener_enable(listener->listener) == 0) {
            listener->paused = false;
        }
    }
}

void http_server_wait(struct http_server *server, uint32_t ms)
{
    server->wait_until_ms = server_now_ms(server) + ms;
    for (uint32_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];

        if (listener->kind == HTTP_SERVICE && listener->listener != NULL) {
            listener->paused = evconnlistener_disable(listener->listener) == 0 || listener->paused;
        }
    }
}

void http_server_resume(struct http_server *server)
{
    server->wait_until_ms = 0;
    resume_listeners(server);
}

void http_server_tick(struct http_server *server)
{
    uint64_t now_ms = server_now_ms(server);

    for (uint32_t i = 0; i < HTTP_CONNECTION_COUNT_MAX; i++) {
        conn_check(&server->conns[i], now_ms);
    }
    resume_listeners(server);
}

void http_server_drain(struct http_server *server)
{
    if (!server->draining) {
        server->drain_ms = server_now_ms(server);
    }
    server->draining = true;
    close_listeners(server);
    http_server_tick(server);
}

uint32_t http_server_connection_count(const struct http_server *server)
{
    uint32_t count = 0;

    for (size_t i = 0; i < HTTP_LISTENER_KIND_COUNT; i++) {
        count += server->conn_count[i];
    }
    return count;
}

uint32_t http_server_request_count(const struct http_server *server)
{
    return server->request_count;
}

uint32_t http_server_handled_count(const struct http_server *server)
{
    return server->handled_count;
}

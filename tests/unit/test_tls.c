/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls.c: proves base/tls under evhttp, with base/fetch as the client in the same loop.
 * Owns a folder under the system's temporary one for its certificates; never leaves loopback. */
#include "base/fetch.h"
#include "base/tls.h"
#include "tests/unit/cert.h"
#include "tests/unit/unit.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE ((size_t)24 * 1024 * 1024) /* more than the kernel buffers */

struct site {
    char folder[32];
    char cert[2][64];
    char key[2][64];
    struct event_base *base;
    struct evhttp *http;
    struct tls_server *server;
    size_t connection_count;
    char url[64];
    uint16_t port;
};

struct result {
    struct event_base *base;
    int count;
    int awaited; /* leave the loop at this count */
    enum fetch_outcome outcome;
    enum err_code code;
    char message[ERR_MESSAGE_SIZE];
    size_t size;
    bool right; /* every byte as the server wrote it */
};

static char byte_at(size_t index)
{
    return (char)('a' + index % 23);
}

/* /N: answers with N bytes, in pieces of odd sizes. */
static void on_request(struct evhttp_request *request, void *arg)
{
    size_t size = strtoul(evhttp_request_get_uri(request) + 1, NULL, 10);
    struct evbuffer *body = evbuffer_new();
    char piece[4093];

    (void)arg;
    CU_ASSERT_FATAL(body != NULL);
    for (size_t offset = 0; offset < size;) {
        size_t count = size - offset < sizeof piece ? size - offset : sizeof piece;

        for (size_t i = 0; i < count; i++) {
            piece[i] = byte_at(offset + i);
        }
        CU_ASSERT_EQUAL(evbuffer_add(body, piece, count), 0);
        offset += count;
    }
    evhttp_send_reply(request, 200, "OK", body);
    evbuffer_free(body);
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct site *site = arg;

    site->connection_count++;
    return tls_server_bufferevent(site->server, base);
}

static void site_start(struct site *site)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct evhttp_bound_socket *bound;
    struct err err = ERR_INIT;

    memset(site, 0, sizeof *site);
    (void)snprintf(site->folder, sizeof site->folder, "/tmp/test_tls.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(site->folder));
    for (int i = 0; i < 2; i++) {
        char name[16];

        (void)snprintf(site->cert[i], sizeof site->cert[i], "%s/cert%d.pem", site->folder, i);
        (void)snprintf(site->key[i], sizeof site->key[i], "%s/key%d.pem", site->folder, i);
        (void)snprintf(name, sizeof name, "test %d", i);
        cert_write(name, site->cert[i], site->key[i]);
    }
    CU_ASSERT_EQUAL_FATAL(tls_server_new(site->cert[0], site->key[0], &site->server, &err), ERR_OK);
    site->base = event_base_new();
    site->http = evhttp_new(site->base);
    evhttp_set_bevcb(site->http, on_connection, site);
    evhttp_set_gencb(site->http, on_request, NULL);
    bound = evhttp_bind_socket_with_handle(site->http, "127.0.0.1", 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bound);
    CU_ASSERT_EQUAL_FATAL(
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size), 0);
    site->port = ntohs(address.sin_port);
}

static void site_stop(struct site *site)
{
    tls_server_free(site->server); /* before the connections, which hold what they need */
    evhttp_free(site->http);
    (void)event_base_loop(site->base, EVLOOP_NONBLOCK); /* libevent frees at a turn's end */
    event_base_free(site->base);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(unlink(site->cert[i]), 0);
        CU_ASSERT_EQUAL(unlink(site->key[i]), 0);
    }
    CU_ASSERT_EQUAL(rmdir(site->folder), 0);
}

static struct fetch *client_new(struct site *site, int ca)
{
    struct fetch_options options = {.ca_file = site->cert[ca], .proxy_url = "", .no_proxy = ""};
    struct fetch *fetch = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(fetch_new(site->base, &options, &fetch, &err), ERR_OK);
    return fetch;
}

static void on_done(void *arg, const struct fetch_response *response)
{
    struct result *result = arg;

    result->count++;
    result->outcome = response->outcome;
    result->size = response->body.size;
    result->code = response->err == NULL ? ERR_OK : response->err->code;
    (void)snprintf(result->message, sizeof result->message, "%s",
                   response->err == NULL ? "" : response->err->message);
    result->right = true;
    for (size_t i = 0; i < response->body.size && result->right; i++) {
        result->right = response->body.data[i] == byte_at(i);
    }
    if (result->count == result->awaited) {
        (void)event_base_loopbreak(result->base); /* cannot fail with a base */
    }
}

static void loop(struct event_base *base)
{
    struct timeval limit = {.tv_sec = 20};

    CU_ASSERT_EQUAL(event_base_loopexit(base, &limit), 0);
    CU_ASSERT_EQUAL(event_base_dispatch(base), 0);
}

/* One call, "Connection: close" when asked to. */
static void
get(struct site *site, struct fetch *fetch, size_t size, bool close, struct result *result)
{
    const char *const headers[] = {close ? "Connection: close" : "X-Keep: 1", NULL};
    struct fetch_request request = {.method = "GET",
                                    .url = site->url,
                                    .headers = headers,
                                    .response_size_max = 2 * LARGE,
                                    .timeout_ms = 20000};
    struct err err = ERR_INIT;

    memset(result, 0, sizeof *result);
    result->base = site->base;
    result->awaited = 1;
    (void)snprintf(site->url, sizeof site->url, "https://127.0.0.1:%u/%zu", site->port, size);
    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, result, NULL, &err), ERR_OK);
    loop(site->base);
    CU_ASSERT_EQUAL(result->count, 1);
}

static void check_answer(struct site *site, struct fetch *fetch, size_t size, bool close)
{
    struct result result;

    get(site, fetch, size, close, &result);
    if (result.outcome != FETCH_ANSWERED) {
        (void)fprintf(stderr, "%s\n", result.message);
    }
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    CU_ASSERT_EQUAL(result.size, size);
    CU_ASSERT(result.right);
}

static void a_kept_connection_serves_a_hundred_requests(void)
{
    struct site site;
    struct fetch *fetch;

    site_start(&site);
    fetch = client_new(&site, 0);
    for (size_t i = 0; i < 100; i++) {
        check_answer(&site, fetch, i * 331, false);
    }
    CU_ASSERT_EQUAL(site.connection_count, 1);
    fetch_free(fetch);
    site_stop(&site);
}

static void large_responses_arrive_whole(void)
{
    struct site site;
    struct fetch *fetch;

    site_start(&site);
    fetch = client_new(&site, 0);
    check_answer(&site, fetch, (size_t)1024 * 1024, false);
    check_answer(&site, fetch, LARGE, false);
    check_answer(&site, fetch, 0, false);
    fetch_free(fetch);
    site_stop(&site);
}

/* evhttp frees the connection as soon as its output is empty. */
static void a_response_before_the_close_is_not_cut(void)
{
    struct site site;
    struct fetch *fetch;

    site_start(&site);
    fetch = client_new(&site, 0);
    for (size_t size = 1; size <= LARGE; size *= 71) {
        check_answer(&site, fetch, size, true);
    }
    check_answer(&site, fetch, LARGE, true);
    CU_ASSERT_EQUAL(site.connection_count, 5);
    fetch_free(fetch);
    site_stop(&site);
}

static void many_connections_share_the_loop(void)
{
    struct site site;
    struct fetch *fetch;
    struct result result = {.awaited = 32};
    struct err err = ERR_INIT;
    struct fetch_request request = {.method = "GET", .url = site.url};

    site_start(&site);
    fetch = client_new(&site, 0);
    result.base = site.base;
    (void)snprintf(site.url, sizeof site.url, "https://127.0.0.1:%u/70000", site.port);
    for (int i = 0; i < result.awaited; i++) {
        CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &result, NULL, &err), ERR_OK);
    }
    loop(site.base);
    CU_ASSERT_EQUAL(result.count, result.awaited);
    CU_ASSERT_EQUAL(site.connection_count, 32);
    fetch_free(fetch);
    site_stop(&site);
}

static void a_reload_takes_effect_for_new_connections_only(void)
{
    struct site site;
    struct fetch *before;
    struct fetch *after;
    struct fetch *outdated;
    struct result result;
    struct err err = ERR_INIT;

    site_start(&site);
    before = client_new(&site, 0);
    after = client_new(&site, 1);
    outdated = client_new(&site, 0);
    check_answer(&site, before, 1000, false);
    CU_ASSERT_EQUAL(tls_server_reload(site.server, site.cert[1], site.key[1], &err), ERR_OK);
    check_answer(&site, before, 1000, false); /* on the connection it has */
    check_answer(&site, after, 1000, false);
    get(&site, outdated, 1000, false, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_EQUAL(result.code, ERR_UNAUTHENTICATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.message, "certificate"));
    CU_ASSERT_EQUAL(tls_server_reload(site.server, site.cert[1], site.key[0], &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, site.key[0]));
    CU_ASSERT_EQUAL(tls_server_reload(site.server, site.key[1], site.key[1], &err), ERR_INVALID);
    CU_ASSERT_EQUAL(tls_server_reload(site.server, "/nonexistent", site.key[1], &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/nonexistent"));
    check_answer(&site, after, 1000, true); /* the failed reloads changed nothing */
    CU_ASSERT_EQUAL(tls_server_not_after_s(site.server), CERT_NOT_AFTER_S);
    fetch_free(before);
    fetch_free(after);
    fetch_free(outdated);
    site_stop(&site);
}

static void a_name_that_is_not_in_the_certificate_is_told(void)
{
    struct site site;
    struct fetch *fetch;
    struct result result = {.awaited = 1};
    struct err err = ERR_INIT;
    struct fetch_request request = {.method = "GET", .url = site.url};

    site_start(&site);
    fetch = client_new(&site, 0);
    result.base = site.base;
    (void)snprintf(site.url, sizeof site.url, "https://127.0.0.2:%u/1", site.port);
    evhttp_bind_socket(site.http, "127.0.0.2", site.port);
    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &result, NULL, &err), ERR_OK);
    loop(site.base);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_EQUAL(result.code, ERR_UNAUTHENTICATED);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.message, "test 0"));
    fetch_free(fetch);
    site_stop(&site);
}

struct raw {
    struct event_base *base;
    short what;
    size_t size;
};

static void on_raw(struct bufferevent *bev, short what, void *arg)
{
    struct raw *raw = arg;

    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        raw->what = what;
        raw->size = evbuffer_get_length(bufferevent_get_input(bev));
        (void)event_base_loopbreak(raw->base); /* cannot fail with a base */
    }
}

/* Sends bytes to the port and waits until the server closes. */
static void check_raw_is_closed(struct site *site, struct span bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(site->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct raw raw = {.base = site->base};
    struct bufferevent *bev = bufferevent_socket_new(site->base, -1, BEV_OPT_CLOSE_ON_FREE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(bev);
    bufferevent_setcb(bev, NULL, NULL, on_raw, &raw);
    CU_ASSERT_EQUAL(bufferevent_enable(bev, EV_READ | EV_WRITE), 0);
    CU_ASSERT_EQUAL(bufferevent_write(bev, bytes.data, bytes.size), 0);
    CU_ASSERT_EQUAL(
        bufferevent_socket_connect(bev, (const struct sockaddr *)&address, sizeof address), 0);
    loop(site->base);
    CU_ASSERT(raw.what != 0);
    CU_ASSERT(raw.size < 100); /* an alert at most: never a page */
    bufferevent_free(bev);
}

static void what_is_no_tls_is_closed(void)
{
    static const char hello_tls10[] = "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x01"
                                      "0123456789abcdef0123456789abcdef"
                                      "\x00\x00\x04\x00\x2f\x00\x35\x01\x00";
    struct site site;

    site_start(&site);
    check_raw_is_closed(&site, SPAN_LITERAL("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    check_raw_is_closed(&site, span_of(hello_tls10, sizeof hello_tls10 - 1));
    check_raw_is_closed(&site, SPAN_LITERAL("\x16\x03\x03\xff\xff\x01"));
    CU_ASSERT_EQUAL(site.connection_count, 3);
    site_stop(&site);
}

static void turn(struct event_base *base, int count)
{
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(event_base_loop(base, EVLOOP_ONCE), 0);
    }
}

static void a_client_that_leaves_in_the_middle_leaves_nothing_behind(void)
{
    struct site site;
    struct fetch *fetch;
    struct fetch_call *call = NULL;
    struct result result = {.awaited = 1};
    struct err err = ERR_INIT;
    struct fetch_request request = {
        .method = "GET", .url = site.url, .response_size_max = 2 * LARGE};

    site_start(&site);
    fetch = client_new(&site, 0);
    (void)snprintf(site.url, sizeof site.url, "https://127.0.0.1:%u/%zu", site.port, LARGE);
    for (int turns = 1; turns < 40; turns += 6) {
        CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &result, &call, &err), ERR_OK);
        turn(site.base, turns);
        fetch_cancel(call);
    }
    CU_ASSERT_EQUAL(result.count, 0);
    check_answer(&site, fetch, 5, false);
    fetch_free(fetch);
    site_stop(&site);
}

UNIT_MAIN("tls",
          {"a kept connection serves a hundred requests",
           a_kept_connection_serves_a_hundred_requests},
          {"large responses arrive whole", large_responses_arrive_whole},
          {"a response before the close is not cut", a_response_before_the_close_is_not_cut},
          {"many connections share the loop", many_connections_share_the_loop},
          {"a reload takes effect for new connections only",
           a_reload_takes_effect_for_new_connections_only},
          {"a name that is not in the certificate is told",
           a_name_that_is_not_in_the_certificate_is_told},
          {"what is no TLS is closed", what_is_no_tls_is_closed},
          {"a client that leaves in the middle leaves nothing behind",
           a_client_that_leaves_in_the_middle_leaves_nothing_behind})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch.c: proves base/fetch against scripted servers on loopback, in the same loop.
 * Owns its loop, listeners and ports; never leaves the host. */
#include "base/buf.h"
#include "base/fetch.h"
#include "base/mem.h"
#include "tests/unit/script.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER                                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\nRetry-After: 7\r\n"       \
    "Date: Sat, 31 Jan 2026 23:59:59 GMT\r\n\r\nhi"
#define SILENCE "" /* answer nothing, keep the connection */

struct result {
    struct event_base *base; /* NULL: there is no loop to leave */
    int count;
    enum fetch_outcome outcome;
    uint32_t status;
    enum err_code code;
    char message[ERR_MESSAGE_SIZE];
    char body[64];
    char content_type[64];
    char retry_after[64];
    char date[64];
};

static void copy_span(char *target, size_t room, struct span span)
{
    (void)snprintf(target, room, "%.*s", SPAN_ARGS(span));
}

static void on_done(void *arg, const struct fetch_response *response)
{
    struct result *result = arg;

    result->count++;
    result->outcome = response->outcome;
    result->status = response->status;
    result->code = response->err == NULL ? ERR_OK : response->err->code;
    copy_span(result->message, sizeof result->message,
              span_text(response->err == NULL ? "" : response->err->message));
    copy_span(result->body, sizeof result->body, response->body);
    copy_span(result->content_type, sizeof result->content_type, response->content_type);
    copy_span(result->retry_after, sizeof result->retry_after, response->retry_after);
    copy_span(result->date, sizeof result->date, response->date);
    if (result->base != NULL) {
        (void)event_base_loopbreak(result->base); /* cannot fail with a base */
    }
}

static const struct fetch_options direct = {.proxy_url = "", .no_proxy = ""};

static struct fetch *fetch_on(struct event_base *base, const struct fetch_options *options)
{
    struct fetch *fetch = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(fetch_new(base, options, &fetch, &err), ERR_OK);
    return fetch;
}

/* Starts the call and runs the loop until it is done. */
static void run(struct fetch *fetch,
                struct event_base *base,
                const struct fetch_request *request,
                struct result *result)
{
    struct err err = ERR_INIT;
    struct timeval limit = {.tv_sec = 60};

    memset(result, 0, sizeof *result);
    result->base = base;
    CU_ASSERT_EQUAL(fetch_start(fetch, request, on_done, result, NULL, &err), ERR_OK);
    CU_ASSERT_EQUAL(result->count, 0); /* never from inside */
    CU_ASSERT_EQUAL(event_base_loopexit(base, &limit), 0);
    CU_ASSERT_EQUAL(event_base_dispatch(base), 0);
    CU_ASSERT_EQUAL(result->count, 1);
}

static void an_answer_comes_whole_and_connections_are_kept(void)
{
    static const char *const replies[] = {ANSWER, ANSWER, ANSWER};
    const char *const headers[] = {"Content-Type: application/json", NULL};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {
        .method = "POST", .headers = headers, .bearer = "tok", .body = SPAN_LITERAL("{\"a\":1}")};

    script_start(&script, base, AF_INET, replies, 3);
    request.url = script.url;
    for (int i = 0; i < 3; i++) {
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
        CU_ASSERT_EQUAL(result.status, 200);
        CU_ASSERT_STRING_EQUAL(result.body, "hi");
        CU_ASSERT_STRING_EQUAL(result.content_type, "text/plain");
        CU_ASSERT_STRING_EQUAL(result.retry_after, "7");
        CU_ASSERT_STRING_EQUAL(result.date, "Sat, 31 Jan 2026 23:59:59 GMT");
    }
    CU_ASSERT_EQUAL(script.accept_count, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "POST /x HTTP/1.1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "\r\nAuthorization: Bearer tok\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "\r\nUser-Agent: approvald/"));
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "\r\n\r\n{\"a\":1}"));
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void a_redirect_is_an_answer(void)
{
    static const char *const replies[] = {
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {.method = "GET"};

    script_start(&script, base, AF_INET, replies, 1);
    request.url = script.url;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    CU_ASSERT_EQUAL(result.status, 302);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void what_never_left_is_not_sent(void)
{
    static const char *const replies[] = {NULL};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {.method = "POST", .body = SPAN_LITERAL("x")};
    char url[80];

    script_start(&script, base, AF_INET, replies, 1);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", script.port);
    script_stop(&script);
    request.url = script.url; /* nobody listens there now */
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_EQUAL(result.code, ERR_UNAVAILABLE);
    request.url = "http://name.invalid/secret-path";
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.message, "name.invalid"));
    CU_ASSERT_PTR_NULL(strstr(result.message, "secret-path"));
    script_start(&script, base, AF_INET, replies, 1); /* speaks no TLS */
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", script.port);
    request.url = url;
    request.timeout_ms = 100;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_EQUAL(script.request_count, 0);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void what_may_have_arrived_is_unknown_and_not_sent_again(void)
{
    static const char *const replies[] = {ANSWER, NULL, ANSWER, NULL, ANSWER};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {
        .method = "POST", .body = SPAN_LITERAL("x"), .bearer = "SECRET"};

    script_start(&script, base, AF_INET, replies, 5);
    request.url = script.url;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    run(fetch, base, &request, &result); /* the kept connection is closed upon the request */
    CU_ASSERT_EQUAL(result.outcome, FETCH_UNKNOWN);
    CU_ASSERT_EQUAL(script.request_count, 2);
    CU_ASSERT_PTR_NULL(strstr(result.message, "SECRET"));
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    request.method = "GET"; /* asks only: is sent again on a new connection */
    request.body = SPAN_NONE;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    CU_ASSERT_EQUAL(script.request_count, 5);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void silence_and_cut_answers_are_unknown(void)
{
    static const char *const replies[] = {
        SILENCE, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        "nonsense\r\n\r\n"};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {.method = "POST", .body = SPAN_LITERAL("x"), .timeout_ms = 600};

    script_start(&script, base, AF_INET, replies, 5);
    request.url = script.url;
    for (int i = 0; i < 2; i++) {
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_UNKNOWN);
        CU_ASSERT_EQUAL(result.code, ERR_TIMEOUT);
    }
    request.timeout_ms = 0;
    request.response_size_max = 4;
    for (int i = 0; i < 2; i++) {
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_UNKNOWN);
        CU_ASSERT_EQUAL(result.code, ERR_TOO_LARGE);
    }
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_UNKNOWN);
    CU_ASSERT_EQUAL(result.code, ERR_PROTOCOL);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void a_proxy_that_refuses_means_not_sent(void)
{
    static const char *const replies[] = {
        "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", ANSWER};
    struct event_base *base = event_base_new();
    struct script script;
    struct result result;
    struct fetch *fetch;
    struct fetch_options options = direct;
    struct fetch_request request = {.method = "POST",
                                    .url = "https://slack.invalid/x",
                                    .body = SPAN_LITERAL("x"),
                                    .bearer = "SECRET"};

    script_start(&script, base, AF_INET, replies, 4);
    options.proxy_url = script.url;
    fetch = fetch_on(base, &options);
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_STRING_EQUAL(result.message, "slack.invalid: the proxy wants credentials (407)");
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "CONNECT slack.invalid:443"));
    CU_ASSERT_PTR_NULL(strstr(script.last, "SECRET"));
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_STRING_EQUAL(result.message, "slack.invalid: the proxy refused the tunnel (403)");
    request.url = "http://slack.invalid/x";
    request.bearer = NULL;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    request.refuse_inward = true; /* the proxy is inward; the name is for the proxy to resolve */
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static bool resolves_inward(const char *name)
{
    struct addrinfo hints = {.ai_family = AF_INET6};
    struct addrinfo *found = NULL;

    if (getaddrinfo(name, NULL, &hints, &found) != 0) {
        return false;
    }
    freeaddrinfo(found);
    return true;
}

/* Debian's /etc/hosts calls ::1 ip6-localhost, a name that is not refused for its spelling. */
static void a_name_that_leads_inward_is_refused_even_on_a_kept_connection(void)
{
    static const char *const replies[] = {ANSWER, ANSWER};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct script script;
    struct result result;
    struct fetch_request request = {.method = "GET", .refuse_inward = true};
    char url[80];

    if (resolves_inward("ip6-localhost")) {
        script_start(&script, base, AF_INET6, replies, 2);
        (void)snprintf(url, sizeof url, "http://ip6-localhost:%u/", script.port);
        request.url = url;
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
        CU_ASSERT_EQUAL(result.code, ERR_DENIED);
        CU_ASSERT_EQUAL(script.accept_count, 0);
        request.refuse_inward = false;
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
        request.refuse_inward = true;
        run(fetch, base, &request, &result);
        CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
        CU_ASSERT_EQUAL(result.code, ERR_DENIED);
        CU_ASSERT_EQUAL(script.request_count, 1);
        script_stop(&script);
    }
    fetch_free(fetch);
    event_base_free(base);
}

static void inward_addresses_are_known(void)
{
    static const char *const inward[] = {"127.0.0.1",
                                         "127.9.9.9",
                                         "0.0.0.0",
                                         "10.1.2.3",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.168.1.1",
                                         "169.254.169.254",
                                         "100.64.0.1",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "198.18.0.1",
                                         "192.0.2.1",
                                         "::",
                                         "::1",
                                         "fe80::1",
                                         "fe80::1%lo",
                                         "fc00::1",
                                         "fd00::1",
                                         "ff02::1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "64:ff9b::a00:1",
                                         "2002:7f00:1::",
                                         "2001::1",
                                         "2001:db8::1",
                                         "::127.0.0.1",
                                         "slack.com",
                                         "",
                                         "127.1",
                                         "1.2.3.4.5"};
    static const char *const outward[] = {
        "8.8.8.8",          "172.15.255.255",  "172.32.0.1",          "100.128.0.1",
        "192.167.1.1",      "223.255.255.255", "2606:4700::1111",     "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1", "2001:4860:4860::8888"};

    for (size_t i = 0; i < sizeof inward / sizeof inward[0]; i++) {
        CU_ASSERT(fetch_address_is_inward(inward[i]));
    }
    for (size_t i = 0; i < sizeof outward / sizeof outward[0]; i++) {
        CU_ASSERT_FALSE(fetch_address_is_inward(outward[i]));
    }
}

static void check_refused(struct fetch *fetch, struct fetch_request request, enum err_code rc)
{
    struct result result = {.count = 0};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &result, NULL, &err), rc);
    CU_ASSERT_EQUAL(result.count, 0);
    CU_ASSERT_PTR_NULL(strstr(err.message, "SECRET"));
}

static void bad_requests_are_refused_at_once(void)
{
    const char *const injected[] = {"X: SECRET\r\nY: 1", NULL};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct fetch_request good = {.method = "GET", .url = "http://127.0.0.1:1/"};
    struct fetch_request bad = good;

    bad.url = "ftp://127.0.0.1/";
    check_refused(fetch, bad, ERR_INVALID);
    bad.url = "not a url SECRET";
    check_refused(fetch, bad, ERR_INVALID);
    bad.url = "";
    check_refused(fetch, bad, ERR_INVALID);
    bad = good;
    bad.method = "GET / HTTP/1.0\r\n";
    check_refused(fetch, bad, ERR_INVALID);
    bad = good;
    bad.headers = injected;
    check_refused(fetch, bad, ERR_INVALID);
    bad = good;
    bad.bearer = "SECRET\r\nX: y";
    check_refused(fetch, bad, ERR_INVALID);
    good.refuse_inward = true;
    check_refused(fetch, good, ERR_DENIED);
    good.url = "http://[::1]:1/";
    check_refused(fetch, good, ERR_DENIED);
    good.url = "http://0x7f.1/";
    check_refused(fetch, good, ERR_DENIED);
    good.url = "http://sub.LOCALHOST.:1/";
    check_refused(fetch, good, ERR_DENIED);
    fetch_free(fetch);
    event_base_free(base);
}

static void cancelled_calls_do_not_call_back(void)
{
    static const char *const replies[] = {SILENCE, SILENCE, ANSWER};
    struct event_base *base = event_base_new();
    struct fetch_options options = direct;
    struct fetch *fetch;
    struct script script;
    struct result cancelled = {.count = 0};
    struct result result;
    struct fetch_call *call = NULL;
    struct err err = ERR_INIT;
    struct fetch_request request = {.method = "GET"};

    options.call_count_max = 2;
    fetch = fetch_on(base, &options);
    script_start(&script, base, AF_INET, replies, 3);
    request.url = script.url;
    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &cancelled, &call, &err), ERR_OK);
    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &cancelled, NULL, &err), ERR_OK);
    CU_ASSERT_EQUAL(fetch_start(fetch, &request, on_done, &cancelled, NULL, &err), ERR_FULL);
    while (script.request_count < 2) {
        CU_ASSERT_EQUAL_FATAL(event_base_loop(base, EVLOOP_ONCE), 0);
    }
    fetch_cancel(call);
    fetch_cancel(NULL);
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    fetch_free(fetch); /* with one call still under way */
    CU_ASSERT_EQUAL(cancelled.count, 0);
    script_stop(&script);
    event_base_free(base);
}

static void a_unix_socket_is_reached(void)
{
    static const char *const replies[] = {ANSWER};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(base, &direct);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct script script = {.base = base, .replies = replies, .reply_count = 1};
    struct result result;
    struct fetch_request request = {.method = "GET", .url = "http://approvald/status"};
    char folder[] = "/tmp/test_fetch.XXXXXX";

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    script_listen(&script, (const struct sockaddr *)&address, sizeof address);
    request.unix_socket = address.sun_path;
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
    CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "GET /status HTTP/1.1\r\nHost: approvald\r\n"));
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
    CU_ASSERT_EQUAL(unlink(address.sun_path), 0);
    base = event_base_new();
    fetch = fetch_on(base, &direct);
    run(fetch, base, &request, &result);
    CU_ASSERT_EQUAL(result.outcome, FETCH_NOT_SENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(result.message, address.sun_path));
    fetch_free(fetch);
    event_base_free(base);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

static void *serve(void *arg)
{
    struct script *script = arg;

    while (script->request_count < script->reply_count) {
        CU_ASSERT_EQUAL_FATAL(event_base_loop(script->base, EVLOOP_ONCE), 0);
    }
    (void)event_base_loop(script->base, EVLOOP_NONBLOCK); /* lets the last reply out */
    return NULL;
}

static void a_program_without_a_loop_can_wait(void)
{
    static const char *const replies[] = {ANSWER, ANSWER};
    struct event_base *base = event_base_new();
    struct fetch *fetch = fetch_on(NULL, &direct);
    struct script script;
    struct result result = {.count = 0};
    struct err err = ERR_INIT;
    struct fetch_request request = {.method = "POST", .body = SPAN_LITERAL("x")};
    pthread_t server;

    script_start(&script, base, AF_INET, replies, 2);
    request.url = script.url;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&server, NULL, serve, &script), 0);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(fetch_perform(fetch, &request, on_done, &result, &err), ERR_OK);
        CU_ASSERT_EQUAL(result.outcome, FETCH_ANSWERED);
        CU_ASSERT_STRING_EQUAL(result.body, "hi");
    }
    CU_ASSERT_EQUAL(result.count, 2);
    CU_ASSERT_EQUAL(pthread_join(server, NULL), 0);
    CU_ASSERT_EQUAL(script.accept_count, 1);
    fetch_free(fetch);
    script_stop(&script);
    event_base_free(base);
}

static void a_ca_file_must_hold_a_certificate(void)
{
    struct fetch_options options = direct;
    struct fetch *fetch = NULL;
    struct err err = ERR_INIT;

    options.ca_file = "/nonexistent/ca.pem";
    CU_ASSERT_EQUAL(fetch_new(NULL, &options, &fetch, &err), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/nonexistent/ca.pem"));
    options.ca_file = "/dev/null";
    CU_ASSERT_EQUAL(fetch_new(NULL, &options, &fetch, &err), ERR_INVALID);
    CU_ASSERT_PTR_NULL(fetch);
}

static enum err_code start_and_drop(void *arg)
{
    const char *const headers[] = {"A: b", NULL};
    struct fetch *fetch = NULL;
    struct result result = {.count = 0};
    struct err err = ERR_INIT;
    struct fetch_request request = {.method = "POST",
                                    .url = "http://127.0.0.1:1/",
                                    .headers = headers,
                                    .bearer = "t",
                                    .body = SPAN_LITERAL("x")};
    enum err_code rc = fetch_new(arg, &direct, &fetch, &err);

    if (rc == ERR_OK) {
        rc = fetch_start(fetch, &request, on_done, &result, NULL, &err);
    }
    fetch_free(fetch);
    CU_ASSERT_EQUAL(result.count, 0);
    return rc;
}

static void any_failed_allocation_is_told(void)
{
    struct event_base *base = event_base_new();

    CU_ASSERT(starve_each(start_and_drop, base) > 5);
    event_base_free(base);
}

UNIT_MAIN("fetch",
          {"an answer comes whole and connections are kept",
           an_answer_comes_whole_and_connections_are_kept},
          {"a redirect is an answer", a_redirect_is_an_answer},
          {"what never left is not sent", what_never_left_is_not_sent},
          {"what may have arrived is unknown and not sent again",
           what_may_have_arrived_is_unknown_and_not_sent_again},
          {"silence and cut answers are unknown", silence_and_cut_answers_are_unknown},
          {"a proxy that refuses means not sent", a_proxy_that_refuses_means_not_sent},
          {"a name that leads inward is refused even on a kept connection",
           a_name_that_leads_inward_is_refused_even_on_a_kept_connection},
          {"inward addresses are known", inward_addresses_are_known},
          {"bad requests are refused at once", bad_requests_are_refused_at_once},
          {"cancelled calls do not call back", cancelled_calls_do_not_call_back},
          {"a unix socket is reached", a_unix_socket_is_reached},
          {"a program without a loop can wait", a_program_without_a_loop_can_wait},
          {"a CA file must hold a certificate", a_ca_file_must_hold_a_certificate},
          {"any failed allocation is told", any_failed_allocation_is_told})

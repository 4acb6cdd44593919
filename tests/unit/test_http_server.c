/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c: proves approvald/http/server over real sockets on the loopback interface.
 * Owns a loop, a server and its client sockets for each case; never leaves the host. */
#include "approvald/http/proxies.h"
#include "approvald/http/server.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SIZE_MAX 1048576U
#define LARGE_SIZE      3145728U

struct bench {
    struct event_base *base;
    struct metrics *metrics;
    struct clock clock;
    uint64_t now_ms; /* 0: the host's time */
    struct http_server *server;
    uint16_t port;
    char socket_path[64];
    struct http_request *held; /* kept by the "hold" handler */
    bool gone;
    size_t body_size; /* seen last by "echo" */
};

static void echo(void *arg, struct http_request *request)
{
    struct bench *bench = arg;

    bench->body_size = http_request_body(request).size;
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain",
                                             .body = http_request_body(request)});
}

static void who(void *arg, struct http_request *request)
{
    (void)arg;
    http_reply(request, &(struct http_reply){
                            .status = 200,
                            .content_type = "text/plain",
                            .body = span_text(http_request_is_root(request) ? "root" : "nobody")});
}

static void on_gone(void *arg)
{
    struct bench *bench = arg;

    bench->gone = true;
}

static void hold(void *arg, struct http_request *request)
{
    struct bench *bench = arg;

    bench->held = request;
    if (http_request_query(request).size > 0) {
        http_request_on_gone(request, on_gone, bench);
    }
}

static void large(void *arg, struct http_request *request)
{
    static char body[LARGE_SIZE];

    (void)arg;
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain",
                                             .body = span_of(body, sizeof(body))});
}

static void peer(void *arg, struct http_request *request)
{
    (void)arg;
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain",
                                             .body = span_text(http_request_peer(request))});
}

static const struct http_route routes[] = {
    {HTTP_POST, "/echo", HTTP_ON_ALL, 100000, NULL, echo},
    {HTTP_POST, "/json", HTTP_ON_ALL, 1000, "application/json", echo},
    {HTTP_GET, "/who", HTTP_ON_ALL, 0, NULL, who},
    {HTTP_GET, "/hold", HTTP_ON_ALL, 0, NULL, hold},
    {HTTP_GET, "/large", HTTP_ON_ALL, 0, NULL, large},
    {HTTP_GET, "/peer", HTTP_ON_ALL, 0, NULL, peer},
    {.pattern = NULL},
};

static int listen_tcp(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, size), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 16), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int listen_unix(struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(bench->socket_path, sizeof(bench->socket_path), "test_http_%d.sock",
                   (int)getpid());
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench->socket_path);
    (void)unlink(address.sun_path);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 16), 0);
    return fd;
}

static uint64_t bench_ms(void *arg)
{
    const struct bench *bench = arg;

    return bench->now_ms != 0 ? bench->now_ms : clock_boot_ms(clock_host());
}

static void setup(struct bench *bench, struct http_server_options options)
{
    struct err err = ERR_INIT;

    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    *bench = (struct bench){.base = event_base_new()};
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    bench->clock = (struct clock){
        .boot_ms = bench_ms, .wall_ms = clock_host()->wall_ms, .arg = bench};
    options.base = bench->base;
    options.clock = &bench->clock;
    options.metrics = bench->metrics;
    CU_ASSERT_EQUAL_FATAL(http_server_new(&options, &bench->server, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(http_server_add(bench->server, routes, bench, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        http_server_listen(bench->server, HTTP_SERVICE, listen_tcp(&bench->port), NULL, &err),
        ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        http_server_listen(bench->server, HTTP_LOCAL, listen_unix(bench), NULL, &err), ERR_OK);
}

static void teardown(struct bench *bench)
{
    if (bench->held != NULL) {
        http_reply(bench->held, &(struct http_reply){.status = 204});
    }
    http_server_free(bench->server);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
    (void)unlink(bench->socket_path);
}

static void turn(struct bench *bench, int count)
{
    for (int i = 0; i < count; i++) {
        struct timeval pause = {.tv_usec = 2000};

        (void)event_base_loopexit(bench->base, &pause);
        (void)event_base_dispatch(bench->base);
    }
}

static int dial(struct bench *bench)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(bench->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Runs the loop until the peer closed or nothing came for a while; the text of what came. */
static const char *hear(struct bench *bench, int fd, bool *ret_closed)
{
    static char answer[ANSWER_SIZE_MAX];
    size_t size = 0;
    int quiet = 0;

    *ret_closed = false;
    while (quiet < 15 && !*ret_closed && size < sizeof(answer) - 1) {
        ssize_t got = recv(fd, answer + size, sizeof(answer) - 1 - size, 0);

        if (got > 0) {
            size += (size_t)got;
            quiet = 0;
            continue;
        }
        *ret_closed = got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
        quiet++;
        turn(bench, 1);
    }
    answer[size] = '\0';
    return answer;
}

static const char *ask(struct bench *bench, const char *text, bool *ret_closed)
{
    int fd = dial(bench);
    const char *answer;

    say(fd, text);
    answer = hear(bench, fd, ret_closed);
    (void)close(fd);
    turn(bench, 2);
    return answer;
}

static bool begins(const char *answer, const char *start)
{
    bool yes = strncmp(answer, start, strlen(start)) == 0;

    if (!yes) {
        (void)printf("\nwanted %s, got %.300s\n", start, answer);
    }
    return yes;
}

static uint32_t times(const char *text, const char *word)
{
    uint32_t count = 0;

    for (text = strstr(text, word); text != NULL; text = strstr(text + 1, word)) {
        count++;
    }
    return count;
}

static void a_body_comes_back(void)
{
    struct bench bench;
    const char *answer;
    bool closed;

    setup(&bench, (struct http_server_options){0});
    answer =
        ask(&bench, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &closed);
    CU_ASSERT(begins(answer, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Length: 5\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nhello"));
    CU_ASSERT(!closed);
    answer = ask(&bench,
                 "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
                 &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nhello"));
    answer = ask(&bench, "HEAD /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Length: 6\r\n"));
    CU_ASSERT_PTR_NULL(strstr(answer, "nobody"));
    teardown(&bench);
}

static void a_trusted_proxy_names_its_client(void)
{
    static const struct proxies all_of_127 = {1, {{{[10] = 0xff, [11] = 0xff, [12] = 127}, 104}}};
    static const char *const text =
        "GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.5\r\n\r\n";
    struct bench bench;
    bool closed;

    setup(&bench, (struct http_server_options){0});
    CU_ASSERT_PTR_NOT_NULL(strstr(ask(&bench, text, &closed), "\r\n\r\n127.0.0.1"));
    teardown(&bench);
    setup(&bench, (struct http_server_options){.proxies = &all_of_127});
    CU_ASSERT_PTR_NOT_NULL(strstr(ask(&bench, text, &closed), "\r\n\r\n192.0.2.5"));
    teardown(&bench);
}

static void errors_are_problems_with_a_reason(void)
{
    static const struct {
        const char *request;
        const char *status;
        const char *more;
    } cases[] = {
        {"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 ", "\"status\":404"},
        {"DELETE /who HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n"},
        {"POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: "
         "2\r\n\r\n{}",
         "HTTP/1.1 415 ", "application/json"},
        {"POST /json HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 ",
         "Connection: close\r\n"},
        {"nonsense\r\n\r\n", "HTTP/1.1 400 ", "Connection: close\r\n"},
        {"GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 505 ", "Connection: close\r\n"},
    };
    struct bench bench;
    bool closed;

    setup(&bench, (struct http_server_options){0});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = ask(&bench, cases[i].request, &closed);

        CU_ASSERT(begins(answer, cases[i].status));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, cases[i].more));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Type: application/problem+json\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"detail\":\""));
    }
    teardown(&bench);
}

static void too_large_is_told_before_the_body_is_read(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int fd;

    setup(&bench, (struct http_server_options){0});
    fd = dial(&bench);
    say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n"
            "Expect: 100-continue\r\n\r\n");
    answer = hear(&bench, fd, &closed);
    CU_ASSERT(begins(answer, "HTTP/1.1 413 "));
    (void)close(fd);
    fd = dial(&bench);
    say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    answer = hear(&bench, fd, &closed);
    CU_ASSERT(begins(answer, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, "yes!");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&bench, fd, &closed), "yes!"));
    (void)close(fd);
    fd = dial(&bench);
    say(fd, "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n3e9\r\n");
    for (int i = 0; i < 13; i++) {
        say(fd, "0123456789012345678901234567890123456789012345678901234567890123456789012345678");
    }
    CU_ASSERT(begins(hear(&bench, fd, &closed), "HTTP/1.1 413 "));
    (void)close(fd);
    teardown(&bench);
}

static void a_head_past_its_limit_is_431(void)
{
    static char text[HTTP_HEAD_SIZE_MAX + 100];
    struct bench bench;
    bool closed;

    setup(&bench, (struct http_server_options){0});
    memset(text, 'a', sizeof(text) - 1);
    (void)snprintf(text, sizeof(text), "GET /who HTTP/1.1\r\nX: ");
    text[strlen(text)] = 'a';
    CU_ASSERT(begins(ask(&bench, text, &closed), "HTTP/1.1 431 "));
    teardown(&bench);
}

static void pipelined_requests_are_answered_in_order(void)
{
    static char text[100 * 80];
    struct bench bench;
    bool closed;
    const char *answer;
    size_t size = 0;

    setup(&bench, (struct http_server_options){0});
    for (int i = 0; i < 100; i++) {
        size += (size_t)snprintf(
            text + size, sizeof(text) - size,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n<%03d>", i);
    }
    answer = ask(&bench, text, &closed);
    CU_ASSERT_EQUAL(times(answer, "HTTP/1.1 200 OK"), 100);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "<000>"));
    CU_ASSERT(strstr(answer, "<042>") < strstr(answer, "<043>"));
    CU_ASSERT(!closed);
    teardown(&bench);
}

static void a_slow_client_is_told_408(void)
{
    struct bench bench;
    bool closed = false;
    const char *answer = "";
    int fd;

    setup(&bench, (struct http_server_options){.read_ms = 50, .idle_ms = 50});
    fd = dial(&bench);
    say(fd, "POST /echo HTTP/1.1\r\nHost:");
    for (int i = 0; i < 60 && answer[0] == '\0'; i++) {
        turn(&bench, 1);
        http_server_tick(bench.server);
        answer = hear(&bench, fd, &closed);
    }
    CU_ASSERT(begins(answer, "HTTP/1.1 408 "));
    (void)close(fd);
    fd = dial(&bench); /* one that never says anything is closed without a word */
    for (int i = 0; i < 60 && !closed; i++) {
        turn(&bench, 1);
        http_server_tick(bench.server);
        CU_ASSERT_STRING_EQUAL(hear(&bench, fd, &closed), "");
    }
    CU_ASSERT(closed);
    (void)close(fd);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    teardown(&bench);
}

static void a_client_that_leaves_while_its_answer_is_pending_harms_nobody(void)
{
    struct bench bench;
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    bool closed;
    int fd;

    setup(&bench, (struct http_server_options){0});
    for (int with_gone = 0; with_gone < 2; with_gone++) {
        fd = dial(&bench);
        say(fd, with_gone ? "GET /hold?gone HTTP/1.1\r\nHost: a\r\n\r\n"
                          : "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        turn(&bench, 5);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bench.held);
        CU_ASSERT_EQUAL(http_server_request_count(bench.server), 1);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        (void)close(fd); /* a reset */
        turn(&bench, 5);
        CU_ASSERT_EQUAL(bench.gone, with_gone == 1);
        http_reply(bench.held, &(struct http_reply){.status = 204});
        bench.held = NULL;
        CU_ASSERT_EQUAL(http_server_request_count(bench.server), 0);
        CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    }
    fd = dial(&bench);
    say(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bench, 3);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    CU_ASSERT(begins(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed), "HTTP/1.1 200"));
    teardown(&bench);
}

static void a_client_that_only_stopped_sending_gets_its_answer(void)
{
    struct bench bench;
    bool closed;
    int fd;

    setup(&bench, (struct http_server_options){0});
    fd = dial(&bench);
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)shutdown(fd, SHUT_WR);
    turn(&bench, 5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.held);
    http_reply(bench.held, &(struct http_reply){.status = 204});
    bench.held = NULL;
    CU_ASSERT(begins(hear(&bench, fd, &closed), "HTTP/1.1 204 "));
    CU_ASSERT(closed);
    (void)close(fd);
    teardown(&bench);
}

static void past_the_limit_of_connections_503_is_said(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int fds[3];

    setup(&bench, (struct http_server_options){.service_connection_count = 2});
    for (int i = 0; i < 2; i++) {
        fds[i] = dial(&bench);
        say(fds[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    }
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    fds[2] = dial(&bench);
    say(fds[2], "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = hear(&bench, fds[2], &closed);
    CU_ASSERT(begins(answer, "HTTP/1.1 503 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Retry-After: "));
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    say(fds[0], "fresh");
    CU_ASSERT(begins(hear(&bench, fds[0], &closed), "HTTP/1.1 200 "));
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    teardown(&bench);
}

static void past_the_limit_of_requests_503_is_said(void)
{
    struct bench bench;
    bool closed;
    int fd;

    setup(&bench, (struct http_server_options){.request_count = 1});
    fd = dial(&bench);
    say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bench, 5);
    CU_ASSERT(
        begins(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed), "HTTP/1.1 503 "));
    (void)close(fd);
    teardown(&bench);
}

static void a_drain_answers_what_was_accepted_and_closes(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int busy;
    int idle;

    setup(&bench, (struct http_server_options){0});
    bench.now_ms = 1000000;
    busy = dial(&bench);
    idle = dial(&bench);
    say(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    http_server_drain(bench.server);
    CU_ASSERT_STRING_EQUAL(hear(&bench, idle, &closed), "");
    CU_ASSERT_FALSE(closed);
    bench.now_ms += HTTP_DRAIN_MS;
    http_server_tick(bench.server);
    CU_ASSERT_STRING_EQUAL(hear(&bench, idle, &closed), "");
    CU_ASSERT(closed);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    http_reply(bench.held, &(struct http_reply){.status = 204});
    bench.held = NULL;
    answer = hear(&bench, busy, &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Connection: close\r\n"));
    CU_ASSERT(closed);
    (void)close(busy);
    (void)close(idle);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    teardown(&bench);
}

static void a_drain_waits_for_a_request_that_is_on_its_way(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int kept;
    int late;

    setup(&bench, (struct http_server_options){0});
    bench.now_ms = 1000000;
    kept = dial(&bench);
    say(kept, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT(begins(hear(&bench, kept, &closed), "HTTP/1.1 200 "));
    CU_ASSERT_FALSE(closed);
    late = dial(&bench);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    http_server_drain(bench.server);
    bench.now_ms += HTTP_DRAIN_MS - 1;
    http_server_tick(bench.server);
    say(late, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = hear(&bench, late, &closed);
    CU_ASSERT(begins(answer, "HTTP/1.1 200 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Connection: close\r\n"));
    CU_ASSERT(closed);
    (void)close(late);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    say(kept, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.now_ms += 2; /* it has arrived, and nobody has looked yet */
    http_server_tick(bench.server);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    CU_ASSERT(begins(hear(&bench, kept, &closed), "HTTP/1.1 200 "));
    CU_ASSERT(closed);
    (void)close(kept);
    turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    teardown(&bench);
}

static void the_unix_socket_knows_its_peer(void)
{
    struct bench bench;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool closed;
    int fd;

    setup(&bench, (struct http_server_options){0});
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench.socket_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    say(fd, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&bench, fd, &closed), "\r\n\r\nroot"));
    (void)close(fd);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed), "\r\n\r\nnobody"));
    teardown(&bench);
}

static void a_large_answer_waits_for_its_reader(void)
{
    struct bench bench;
    bool closed;
    size_t size = 0;
    int fd;

    setup(&bench, (struct http_server_options){0});
    fd = dial(&bench);
    say(fd, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 2000 && size < LARGE_SIZE; i++) {
        static char piece[65536];
        ssize_t got = recv(fd, piece, sizeof(piece), 0);

        size += got > 0 ? (size_t)got : 0;
        turn(&bench, got > 0 ? 0 : 1);
    }
    CU_ASSERT(size > LARGE_SIZE);
    (void)hear(&bench, fd, &closed);
    CU_ASSERT(closed);
    (void)close(fd);
    teardown(&bench);
}

UNIT_MAIN("http server",
          {"a body comes back", a_body_comes_back},
          {"a trusted proxy names its client", a_trusted_proxy_names_its_client},
          {"errors are problems with a reason", errors_are_problems_with_a_reason},
          {"too large is told before the body is read", too_large_is_told_before_the_body_is_read},
          {"a head past its limit is 431", a_head_past_its_limit_is_431},
          {"pipelined requests are answered in order", pipelined_requests_are_answered_in_order},
          {"a slow client is told 408", a_slow_client_is_told_408},
          {"a client that leaves while its answer is pending harms nobody",
           a_client_that_leaves_while_its_answer_is_pending_harms_nobody},
          {"a client that only stopped sending gets its answer",
           a_client_that_only_stopped_sending_gets_its_answer},
          {"past the limit of connections 503 is said", past_the_limit_of_connections_503_is_said},
          {"past the limit of requests 503 is said", past_the_limit_of_requests_503_is_said},
          {"a drain answers what was accepted and closes",
           a_drain_answers_what_was_accepted_and_closes},
          {"a drain waits for a request that is on its way",
           a_drain_waits_for_a_request_that_is_on_its_way},
          {"the unix socket knows its peer", the_unix_socket_knows_its_peer},
          {"a large answer waits for its reader", a_large_answer_waits_for_its_reader})

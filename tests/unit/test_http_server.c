/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_server.c: proves approvald/http/server over real sockets on the loopback interface.
 * Owns a loop, a server and its client sockets for each case; never leaves the host. */
#include "approvald/http/proxies.h"
#include "approvald/http/server.h"
#include "base/buf.h"
#include "tests/unit/http_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

    kit_setup(&bench, (struct http_server_options){0});
    answer = kit_ask(&bench, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                     &closed);
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 200 OK\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Length: 5\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nhello"));
    CU_ASSERT(!closed);
    answer = kit_ask(&bench,
                     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
                     &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\n\r\nhello"));
    answer = kit_ask(&bench, "HEAD /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Length: 6\r\n"));
    CU_ASSERT_PTR_NULL(strstr(answer, "nobody"));
    kit_teardown(&bench);
}

static void a_trusted_proxy_names_its_client(void)
{
    static const struct proxies all_of_127 = {1, {{{[10] = 0xff, [11] = 0xff, [12] = 127}, 104}}};
    static const char *const text =
        "GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.5\r\n\r\n";
    struct bench bench;
    bool closed;

    kit_setup(&bench, (struct http_server_options){0});
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_ask(&bench, text, &closed), "\r\n\r\n127.0.0.1"));
    kit_teardown(&bench);
    kit_setup(&bench, (struct http_server_options){.proxies = &all_of_127});
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_ask(&bench, text, &closed), "\r\n\r\n192.0.2.5"));
    kit_teardown(&bench);
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

    kit_setup(&bench, (struct http_server_options){0});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *answer = kit_ask(&bench, cases[i].request, &closed);

        CU_ASSERT(kit_begins(answer, cases[i].status));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, cases[i].more));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Content-Type: application/problem+json\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"detail\":\""));
    }
    kit_teardown(&bench);
}

static void too_large_is_told_before_the_body_is_read(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int fd;

    kit_setup(&bench, (struct http_server_options){0});
    fd = kit_dial(&bench);
    kit_say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n"
                "Expect: 100-continue\r\n\r\n");
    answer = kit_hear(&bench, fd, &closed);
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 413 "));
    (void)close(fd);
    fd = kit_dial(&bench);
    kit_say(fd,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
    answer = kit_hear(&bench, fd, &closed);
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 100 Continue\r\n\r\n"));
    kit_say(fd, "yes!");
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_hear(&bench, fd, &closed), "yes!"));
    (void)close(fd);
    fd = kit_dial(&bench);
    kit_say(fd, "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                "Transfer-Encoding: chunked\r\n\r\n3e9\r\n");
    for (int i = 0; i < 13; i++) {
        kit_say(fd,
                "0123456789012345678901234567890123456789012345678901234567890123456789012345678");
    }
    CU_ASSERT(kit_begins(kit_hear(&bench, fd, &closed), "HTTP/1.1 413 "));
    (void)close(fd);
    kit_teardown(&bench);
}

static void a_head_past_its_limit_is_431(void)
{
    static char text[HTTP_HEAD_SIZE_MAX + 100];
    struct bench bench;
    bool closed;

    kit_setup(&bench, (struct http_server_options){0});
    memset(text, 'a', sizeof(text) - 1);
    (void)snprintf(text, sizeof(text), "GET /who HTTP/1.1\r\nX: ");
    text[strlen(text)] = 'a';
    CU_ASSERT(kit_begins(kit_ask(&bench, text, &closed), "HTTP/1.1 431 "));
    kit_teardown(&bench);
}

static void pipelined_requests_are_answered_in_order(void)
{
    static char text[100 * 80];
    struct bench bench;
    bool closed;
    const char *answer;
    size_t size = 0;

    kit_setup(&bench, (struct http_server_options){0});
    for (int i = 0; i < 100; i++) {
        size += (size_t)snprintf(
            text + size, sizeof(text) - size,
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n<%03d>", i);
    }
    answer = kit_ask(&bench, text, &closed);
    CU_ASSERT_EQUAL(times(answer, "HTTP/1.1 200 OK"), 100);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "<000>"));
    CU_ASSERT(strstr(answer, "<042>") < strstr(answer, "<043>"));
    CU_ASSERT(!closed);
    kit_teardown(&bench);
}

static void a_slow_client_is_told_408(void)
{
    struct bench bench;
    bool closed = false;
    const char *answer = "";
    int fd;

    kit_setup(&bench, (struct http_server_options){.read_ms = 50, .idle_ms = 50});
    fd = kit_dial(&bench);
    kit_say(fd, "POST /echo HTTP/1.1\r\nHost:");
    for (int i = 0; i < 60 && answer[0] == '\0'; i++) {
        kit_turn(&bench, 1);
        http_server_tick(bench.server);
        answer = kit_hear(&bench, fd, &closed);
    }
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 408 "));
    (void)close(fd);
    fd = kit_dial(&bench); /* one that never says anything is closed without a word */
    for (int i = 0; i < 60 && !closed; i++) {
        kit_turn(&bench, 1);
        http_server_tick(bench.server);
        CU_ASSERT_STRING_EQUAL(kit_hear(&bench, fd, &closed), "");
    }
    CU_ASSERT(closed);
    (void)close(fd);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    kit_teardown(&bench);
}

static void a_client_that_leaves_while_its_answer_is_pending_harms_nobody(void)
{
    struct bench bench;
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    bool closed;
    int fd;

    kit_setup(&bench, (struct http_server_options){0});
    for (int with_gone = 0; with_gone < 2; with_gone++) {
        fd = kit_dial(&bench);
        kit_say(fd, with_gone ? "GET /hold?gone HTTP/1.1\r\nHost: a\r\n\r\n"
                              : "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
        kit_turn(&bench, 5);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bench.held);
        CU_ASSERT_EQUAL(http_server_request_count(bench.server), 1);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        (void)close(fd); /* a reset */
        kit_turn(&bench, 5);
        CU_ASSERT_EQUAL(bench.gone, with_gone == 1);
        http_reply(bench.held, &(struct http_reply){.status = 204});
        bench.held = NULL;
        CU_ASSERT_EQUAL(http_server_request_count(bench.server), 0);
        CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    }
    fd = kit_dial(&bench);
    kit_say(fd, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    kit_turn(&bench, 3);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    CU_ASSERT(kit_begins(kit_ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed),
                         "HTTP/1.1 200"));
    kit_teardown(&bench);
}

static void a_client_that_only_stopped_sending_gets_its_answer(void)
{
    struct bench bench;
    bool closed;
    int fd;

    kit_setup(&bench, (struct http_server_options){0});
    fd = kit_dial(&bench);
    kit_say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)shutdown(fd, SHUT_WR);
    kit_turn(&bench, 5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.held);
    http_reply(bench.held, &(struct http_reply){.status = 204});
    bench.held = NULL;
    CU_ASSERT(kit_begins(kit_hear(&bench, fd, &closed), "HTTP/1.1 204 "));
    CU_ASSERT(closed);
    (void)close(fd);
    kit_teardown(&bench);
}

static void past_the_limit_of_connections_503_is_said(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int fds[3];

    kit_setup(&bench, (struct http_server_options){.service_connection_count = 2});
    for (int i = 0; i < 2; i++) {
        fds[i] = kit_dial(&bench);
        kit_say(fds[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    }
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    fds[2] = kit_dial(&bench);
    kit_say(fds[2], "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = kit_hear(&bench, fds[2], &closed);
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 503 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Retry-After: "));
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    kit_say(fds[0], "fresh");
    CU_ASSERT(kit_begins(kit_hear(&bench, fds[0], &closed), "HTTP/1.1 200 "));
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    kit_teardown(&bench);
}

static void past_the_limit_of_requests_503_is_said(void)
{
    struct bench bench;
    bool closed;
    int fd;

    kit_setup(&bench, (struct http_server_options){.request_count = 1});
    fd = kit_dial(&bench);
    kit_say(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    kit_turn(&bench, 5);
    CU_ASSERT(kit_begins(kit_ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed),
                         "HTTP/1.1 503 "));
    (void)close(fd);
    kit_teardown(&bench);
}

static void the_unix_socket_knows_its_peer(void)
{
    struct bench bench;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool closed;
    int fd;

    kit_setup(&bench, (struct http_server_options){0});
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", bench.socket_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    kit_say(fd, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_hear(&bench, fd, &closed), "\r\n\r\nroot"));
    (void)close(fd);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(kit_ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", &closed), "\r\n\r\nnobody"));
    kit_teardown(&bench);
}

static void a_large_answer_waits_for_its_reader(void)
{
    struct bench bench;
    bool closed;
    size_t size = 0;
    int fd;

    kit_setup(&bench, (struct http_server_options){0});
    fd = kit_dial(&bench);
    kit_say(fd, "GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 2000 && size < LARGE_SIZE; i++) {
        static char piece[65536];
        ssize_t got = recv(fd, piece, sizeof(piece), 0);

        size += got > 0 ? (size_t)got : 0;
        kit_turn(&bench, got > 0 ? 0 : 1);
    }
    CU_ASSERT(size > LARGE_SIZE);
    (void)kit_hear(&bench, fd, &closed);
    CU_ASSERT(closed);
    (void)close(fd);
    kit_teardown(&bench);
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
          {"the unix socket knows its peer", the_unix_socket_knows_its_peer},
          {"a large answer waits for its reader", a_large_answer_waits_for_its_reader})

/* SPDX-License-Identifier: Apache-2.0 */
/* http_kit.c: a loop, a server and its client sockets.
 * Owns them from kit_setup to kit_teardown; never leaves the host. */
#include "tests/unit/http_kit.h"

#include "base/metrics.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SIZE_MAX 1048576U

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

int kit_listen(uint16_t *ret_port)
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

void kit_setup(struct bench *bench, struct http_server_options options)
{
    struct err err = ERR_INIT;

    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    *bench = (struct bench){.base = event_base_new()};
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    bench->clock =
        (struct clock){.boot_ms = bench_ms, .wall_ms = clock_host()->wall_ms, .arg = bench};
    options.base = bench->base;
    options.clock = &bench->clock;
    options.metrics = bench->metrics;
    CU_ASSERT_EQUAL_FATAL(http_server_new(&options, &bench->server, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(http_server_add(bench->server, routes, bench, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        http_server_listen(bench->server, HTTP_SERVICE, kit_listen(&bench->port), NULL, &err),
        ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        http_server_listen(bench->server, HTTP_LOCAL, listen_unix(bench), NULL, &err), ERR_OK);
}

void kit_teardown(struct bench *bench)
{
    if (bench->held != NULL) {
        http_reply(bench->held, &(struct http_reply){.status = 204});
    }
    http_server_free(bench->server);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
    (void)unlink(bench->socket_path);
}

void kit_turn(struct bench *bench, int count)
{
    for (int i = 0; i < count; i++) {
        struct timeval pause = {.tv_usec = 2000};

        (void)event_base_loopexit(bench->base, &pause);
        (void)event_base_dispatch(bench->base);
    }
}

int kit_dial(struct bench *bench)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(bench->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

void kit_say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

const char *kit_hear(struct bench *bench, int fd, bool *ret_closed)
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
        kit_turn(bench, 1);
    }
    answer[size] = '\0';
    return answer;
}

const char *kit_ask(struct bench *bench, const char *text, bool *ret_closed)
{
    int fd = kit_dial(bench);
    const char *answer;

    kit_say(fd, text);
    answer = kit_hear(bench, fd, ret_closed);
    (void)close(fd);
    kit_turn(bench, 2);
    return answer;
}

bool kit_begins(const char *answer, const char *start)
{
    bool yes = strncmp(answer, start, strlen(start)) == 0;

    if (!yes) {
        (void)printf("\nwanted %s, got %.300s\n", start, answer);
    }
    return yes;
}

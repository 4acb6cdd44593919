/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_wait.c: proves that who connects to the service before there is one waits, and not for
 * ever. Owns a loop, a server and its client socket for each case; never leaves the host. */
#include "approvald/http/server.h"
#include "base/metrics.h"
#include "tests/unit/http_kit.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

struct waiting {
    struct event_base *base;
    struct metrics *metrics;
    struct http_server *server;
    uint16_t ports[2]; /* service, management */
};

static const enum http_listener kinds[2] = {HTTP_SERVICE, HTTP_MANAGEMENT};

static void answer(void *arg, struct http_request *request)
{
    (void)arg;
    http_reply(request, &(struct http_reply){.status = 204});
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", HTTP_ON_ALL, 0, NULL, answer},
    {.pattern = NULL},
};

static void setup(struct waiting *bench)
{
    struct http_server_options options = {0};
    struct err err = ERR_INIT;

    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    *bench = (struct waiting){.base = event_base_new()};
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    options.base = bench->base;
    options.metrics = bench->metrics;
    CU_ASSERT_EQUAL_FATAL(http_server_new(&options, &bench->server, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(http_server_add(bench->server, routes, bench, &err), ERR_OK);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(
            http_server_listen(bench->server, kinds[i], kit_listen(&bench->ports[i]), NULL, &err),
            ERR_OK);
    }
}

static void teardown(struct waiting *bench)
{
    http_server_free(bench->server);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
}

/* A connection over which a request has been sent. */
static int ask(struct waiting *bench, size_t which)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(bench->ports[which]),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL),
                          (ssize_t)sizeof(text) - 1);
    return fd;
}

/* True when the answer came within so many turns of 2 ms, with the ticks of the program. */
static bool is_answered(struct waiting *bench, int fd, int turns)
{
    char byte;

    for (int i = 0; i < turns; i++) {
        struct timeval pause = {.tv_usec = 2000};

        if (recv(fd, &byte, 1, MSG_DONTWAIT) == 1) {
            return true;
        }
        (void)event_base_loopexit(bench->base, &pause);
        (void)event_base_dispatch(bench->base);
        http_server_tick(bench->server);
    }
    return false;
}

static void who_connects_before_the_service_waits_for_it(void)
{
    struct waiting bench;
    int service;
    int management;

    setup(&bench);
    http_server_wait(bench.server, 60000);
    service = ask(&bench, 0);
    management = ask(&bench, 1);
    CU_ASSERT(is_answered(&bench, management, 5000));
    CU_ASSERT(!is_answered(&bench, service, 50));
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    http_server_resume(bench.server);
    CU_ASSERT(is_answered(&bench, service, 5000));
    (void)close(service);
    (void)close(management);
    teardown(&bench);
}

static void nobody_waits_for_longer_than_was_said(void)
{
    struct waiting bench;
    int service;

    setup(&bench);
    http_server_wait(bench.server, 20);
    service = ask(&bench, 0);
    CU_ASSERT(is_answered(&bench, service, 5000));
    (void)close(service);
    teardown(&bench);
}

UNIT_MAIN("http wait",
          {"who connects before the service waits for it",
           who_connects_before_the_service_waits_for_it},
          {"nobody waits for longer than was said", nobody_waits_for_longer_than_was_said})

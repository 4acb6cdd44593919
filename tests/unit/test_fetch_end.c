/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch_end.c: proves base/fetch: what is left of a call that was given up.
 * Owns its loop and its listener; never leaves the host. */
#include "base/fetch.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_done(void *arg, const struct fetch_response *response)
{
    enum fetch_outcome *outcome = arg;

    *outcome = response->outcome;
}

/* How a connection ends, for the peer, on which a call was given up: 0, or an errno. */
static int ending_of_a_call(bool drop_unsent)
{
    struct fetch_options options = {.proxy_url = "", .no_proxy = "", .drop_unsent = drop_unsent};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct event_base *base = event_base_new();
    enum fetch_outcome outcome = FETCH_ANSWERED;
    struct err err = ERR_INIT;
    struct timeval limit = {.tv_sec = 60};
    struct fetch *fetch = NULL;
    char url[64];
    char bytes[4096];
    ssize_t got;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int peer;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port)); /* fits */
    CU_ASSERT_EQUAL_FATAL(fetch_new(base, &options, &fetch, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        fetch_start(fetch,
                    &(struct fetch_request){
                        .method = "POST", .url = url, .body = SPAN_LITERAL("x"), .timeout_ms = 600},
                    on_done, &outcome, NULL, &err),
        ERR_OK);
    while (outcome == FETCH_ANSWERED) {
        CU_ASSERT_FATAL(event_base_loop(base, EVLOOP_ONCE) >= 0);
    }
    CU_ASSERT_EQUAL(outcome, FETCH_UNKNOWN);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT_FATAL(peer >= 0);
    CU_ASSERT_EQUAL(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    do {
        got = recv(peer, bytes, sizeof bytes, 0);
    } while (got > 0);
    got = got == 0 ? 0 : errno;
    (void)close(peer);
    (void)close(listener);
    fetch_free(fetch);
    event_base_free(base);
    return (int)got;
}

static void a_call_that_was_given_up_leaves_nothing_to_be_sent_later(void)
{
    CU_ASSERT_EQUAL(ending_of_a_call(false), 0); /* the kernel would go on sending */
    CU_ASSERT_EQUAL(ending_of_a_call(true), ECONNRESET);
}

UNIT_MAIN("fetch_end",
          {"a call that was given up leaves nothing to be sent later",
           a_call_that_was_given_up_leaves_nothing_to_be_sent_later})

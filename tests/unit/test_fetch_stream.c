/* SPDX-License-Identifier: Apache-2.0 */
/* test_fetch_stream.c: proves base/fetch_stream against a scripted server on loopback, in the same
 * loop. Owns its loop and listener; never leaves the host. */
#include "base/buf.h"
#include "base/fetch.h"
#include "base/fetch_stream.h"
#include "base/limits.h"
#include "tests/unit/script.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct talk {
    struct event_base *base;
    struct fetch *fetch;
    struct fetch_stream *stream;
    struct script script;
    int ready;
    int ended;
    enum err_code code;
    char message[ERR_MESSAGE_SIZE];
    char input[256];
    size_t input_size;
};

static const struct fetch_options direct = {.proxy_url = "", .no_proxy = ""};

static void on_ready(void *arg)
{
    struct talk *talk = arg;

    talk->ready++;
    (void)event_base_loopbreak(talk->base); /* cannot fail with a base */
}

static void on_input(void *arg, struct span bytes)
{
    struct talk *talk = arg;
    size_t room = sizeof talk->input - 1 - talk->input_size;
    size_t size = bytes.size < room ? bytes.size : room;

    memcpy(talk->input + talk->input_size, bytes.data, size);
    talk->input_size += size;
    (void)event_base_loopbreak(talk->base);
}

static void on_ended(void *arg, const struct err *err)
{
    struct talk *talk = arg;

    talk->ended++;
    talk->code = err->code;
    (void)snprintf(talk->message, sizeof talk->message, "%s", err->message);
    (void)event_base_loopbreak(talk->base);
}

static void run(struct talk *talk)
{
    struct timeval limit = {.tv_sec = 60};

    CU_ASSERT_EQUAL(event_base_loopexit(talk->base, &limit), 0);
    CU_ASSERT_EQUAL(event_base_dispatch(talk->base), 0);
}

static enum err_code start(struct talk *talk, const char *url, struct err *err)
{
    struct fetch_stream_events events = {
        .ready = on_ready, .input = on_input, .ended = on_ended, .arg = talk};

    return fetch_stream_new(talk->fetch, url, 2000, &events, &talk->stream, err);
}

static void open_talk(struct talk *talk,
                      const struct fetch_options *options,
                      const char *const *replies,
                      size_t count)
{
    struct err err = ERR_INIT;

    memset(talk, 0, sizeof *talk);
    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    talk->base = event_base_new();
    CU_ASSERT_EQUAL_FATAL(fetch_new(talk->base, options, &talk->fetch, &err), ERR_OK);
    script_start(&talk->script, talk->base, AF_INET, replies, count);
}

static void close_talk(struct talk *talk)
{
    fetch_stream_free(talk->stream);
    fetch_free(talk->fetch);
    script_stop(&talk->script);
    event_base_free(talk->base);
}

static void bytes_go_both_ways_until_the_peer_ends(void)
{
    static const char *const replies[] = {"pong"};
    struct talk talk;
    struct err err = ERR_INIT;

    open_talk(&talk, &direct, replies, 1);
    CU_ASSERT_EQUAL(start(&talk, talk.script.url, &err), ERR_OK);
    CU_ASSERT_EQUAL(fetch_stream_write(talk.stream, SPAN_LITERAL("x"), &err), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(talk.ready, 0); /* never from inside */
    run(&talk);
    CU_ASSERT_EQUAL(talk.ready, 1);
    CU_ASSERT_EQUAL(fetch_stream_write(talk.stream, SPAN_LITERAL("ping\r\n"), &err), ERR_OK);
    CU_ASSERT_EQUAL(fetch_stream_write(talk.stream, SPAN_LITERAL("\r\n"), &err), ERR_OK);
    run(&talk);
    CU_ASSERT_STRING_EQUAL(talk.input, "pong");
    CU_ASSERT_STRING_EQUAL(talk.script.last, "ping\r\n\r\n"); /* and no request of curl's */
    CU_ASSERT_EQUAL(fetch_stream_write(talk.stream, SPAN_LITERAL("\r\n\r\n"), &err), ERR_OK);
    run(&talk); /* the script is at its end: the peer closes */
    CU_ASSERT_EQUAL(talk.ended, 1);
    CU_ASSERT_EQUAL(talk.code, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(fetch_stream_write(talk.stream, SPAN_LITERAL("x"), &err), ERR_UNAVAILABLE);
    close_talk(&talk);
}

static void nobody_there_is_an_end_with_a_reason(void)
{
    struct talk talk;
    struct err err = ERR_INIT;

    open_talk(&talk, &direct, NULL, 0);
    script_stop(&talk.script);
    CU_ASSERT_EQUAL(start(&talk, talk.script.url, &err), ERR_OK);
    run(&talk);
    CU_ASSERT_EQUAL(talk.ready, 0);
    CU_ASSERT_EQUAL(talk.ended, 1);
    CU_ASSERT(talk.message[0] != '\0');
    CU_ASSERT_EQUAL(start(&talk, "wss://host/", &err), ERR_INVALID);
    fetch_stream_free(talk.stream);
    fetch_free(talk.fetch);
    event_base_free(talk.base);
}

static void plain_streams_take_the_proxys_tunnel_too_and_its_refusal_is_named(void)
{
    static const char *const replies[] = {
        "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 Connection established\r\n\r\n"};
    char proxy[128];
    struct talk talk;
    struct script script = {.base = NULL};
    struct err err = ERR_INIT;
    struct fetch_options options = {.proxy_url = proxy, .no_proxy = ""};
    struct event_base *base = event_base_new();

    script_start(&script, base, AF_INET, replies, 2);
    (void)snprintf(proxy, sizeof proxy, "http://me:p%%40ss@127.0.0.1:%u", script.port);
    memset(&talk, 0, sizeof talk);
    talk.base = base;
    CU_ASSERT_EQUAL_FATAL(fetch_new(base, &options, &talk.fetch, &err), ERR_OK);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(start(&talk, "http://slack.example/secret", &err), ERR_OK);
        run(&talk);
        CU_ASSERT_PTR_EQUAL(strstr(script.last, "CONNECT slack.example:80 HTTP/1.1\r\n"),
                            script.last);
        CU_ASSERT_PTR_NOT_NULL(strstr(script.last, "Proxy-Authorization: Basic bWU6cEBzcw==\r\n"));
        CU_ASSERT_PTR_NULL(strstr(script.last, "secret"));
        CU_ASSERT_EQUAL(talk.ready, i);
        fetch_stream_free(talk.stream);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(talk.message, "407"));
    fetch_free(talk.fetch);
    script_stop(&script);
    event_base_free(base);
}

static void a_peer_that_takes_nothing_fills_no_memory(void)
{
    static const char *const replies[] = {""};
    static char noise[65536];
    struct talk talk;
    struct err err = ERR_INIT;
    size_t written = 0;
    enum err_code rc = ERR_OK;

    open_talk(&talk, &direct, replies, 1);
    CU_ASSERT_EQUAL(start(&talk, talk.script.url, &err), ERR_OK);
    run(&talk);
    while (rc == ERR_OK && written < 4 * FETCH_STREAM_OUTPUT_SIZE_MAX) { /* the loop does not run */
        rc = fetch_stream_write(talk.stream, span_of(noise, sizeof noise), &err);
        written += sizeof noise;
    }
    CU_ASSERT_EQUAL(rc, ERR_FULL);
    CU_ASSERT(written <= FETCH_STREAM_OUTPUT_SIZE_MAX + sizeof noise);
    close_talk(&talk);
}

static enum err_code start_and_drop(void *arg)
{
    struct talk talk = {.base = arg};
    struct err err = ERR_INIT;
    enum err_code rc = fetch_new(arg, &direct, &talk.fetch, &err);

    if (rc == ERR_OK) {
        rc = start(&talk, "http://127.0.0.1:1/", &err);
    }
    fetch_stream_free(talk.stream);
    fetch_free(talk.fetch);
    CU_ASSERT_EQUAL(talk.ended, 0);
    return rc;
}

static void any_failed_allocation_is_told(void)
{
    struct event_base *base = event_base_new();

    CU_ASSERT(starve_each(start_and_drop, base) > 5);
    event_base_free(base);
}

UNIT_MAIN("fetch_stream",
          {"bytes go both ways until the peer ends", bytes_go_both_ways_until_the_peer_ends},
          {"nobody there is an end with a reason", nobody_there_is_an_end_with_a_reason},
          {"plain streams take the proxy's tunnel too, and its refusal is named",
           plain_streams_take_the_proxys_tunnel_too_and_its_refusal_is_named},
          {"a peer that takes nothing fills no memory", a_peer_that_takes_nothing_fills_no_memory},
          {"any failed allocation is told", any_failed_allocation_is_told})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_relay.c: proves approvald/relay and http/foreign.c: a request that arrives at the host that
 * has handed over is answered by the host that has taken over.
 * Owns two servers, two relays and the link between them, which it fills, stops and cuts. Never
 * opens a socket: requests are injected, as another host's are. */
#include "approvald/http/server.h"
#include "approvald/relay.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_COUNT_MAX 128U

struct piece {
    char *bytes; /* owned */
    size_t size;
};

struct side {
    struct bench *bench;
    struct http_server *server;
    struct metrics *metrics;
    struct relay *relay;
    struct piece inbox[PIECE_COUNT_MAX]; /* from the other side */
    size_t inbox_count;
    bool full; /* the link to the other side takes nothing now */
    struct http_request *kept;
    bool root; /* of the last request that "who" has seen */
    char peer[64];
};

struct bench {
    struct event_base *base;
    struct side sides[2]; /* 0 has handed over, 1 has taken over */
    uint32_t status;      /* of the answer to the request that side 0 was given */
    uint32_t answers;
    char header[64];
    struct buf *body;
};

static void echo(void *arg, struct http_request *request)
{
    (void)arg;
    http_reply(request, &(struct http_reply){.status = 201,
                                             .content_type = "text/plain",
                                             .body = http_request_body(request),
                                             .headers = {{"Location", "/there"}}});
}

static void who(void *arg, struct http_request *request)
{
    struct side *side = arg;

    side->root = http_request_is_root(request);
    (void)snprintf(side->peer, sizeof(side->peer), "%s", http_request_peer(request)); /* fits */
    http_reply(request, &(struct http_reply){.status = 204});
}

static void keep(void *arg, struct http_request *request)
{
    ((struct side *)arg)->kept = request;
}

static const struct http_route routes[] = {
    {HTTP_POST, "/echo", HTTP_ON_ALL, HTTP_BODY_SIZE_MAX, NULL, echo},
    {HTTP_GET, "/who", HTTP_ON_ALL, 0, NULL, who},
    {HTTP_GET, "/keep", HTTP_ON_ALL, 0, NULL, keep},
    {.pattern = NULL},
};

static enum err_code send_piece(void *arg, struct span data, struct err *err)
{
    struct side *side = arg;
    struct side *other = &side->bench->sides[side == &side->bench->sides[0] ? 1 : 0];
    char *bytes;

    CU_ASSERT(data.size <= 65536); /* what the pair link takes */
    if (side->full || other->inbox_count == PIECE_COUNT_MAX) {
        return err_set(err, ERR_FULL, "full");
    }
    bytes = malloc(data.size);
    if (bytes == NULL) {
        return err_set(err, ERR_NOMEM, "piece");
    }
    memcpy(bytes, data.data, data.size);
    other->inbox[other->inbox_count++] = (struct piece){.bytes = bytes, .size = data.size};
    return ERR_OK;
}

static bool hold(void *arg, struct http_request *request)
{
    relay_request_take(((struct side *)arg)->relay, request);
    return true;
}

static void begin_side(struct bench *bench, struct side *side)
{
    struct http_server_options server = {.base = bench->base};
    struct relay_options relay = {.send = send_piece, .arg = side};

    side->bench = bench;
    CU_ASSERT_EQUAL_FATAL(metrics_new(&side->metrics, NULL), ERR_OK);
    server.metrics = side->metrics;
    CU_ASSERT_EQUAL_FATAL(http_server_new(&server, &side->server, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(http_server_add(side->server, routes, side, NULL), ERR_OK);
    relay.server = side->server;
    CU_ASSERT_EQUAL_FATAL(relay_new(&relay, &side->relay, NULL), ERR_OK);
}

static void begin(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    bench->base = event_base_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->base);
    CU_ASSERT_EQUAL_FATAL(buf_new(8U << 20, &bench->body, NULL), ERR_OK);
    begin_side(bench, &bench->sides[0]);
    begin_side(bench, &bench->sides[1]);
    http_server_hold(bench->sides[0].server, HTTP_ON_SERVICE | HTTP_ON_LOCAL, hold,
                     &bench->sides[0]);
}

static void drop_inbox(struct side *side)
{
    while (side->inbox_count > 0) {
        free(side->inbox[--side->inbox_count].bytes);
    }
}

static void end(struct bench *bench)
{
    for (size_t i = 0; i < 2; i++) {
        drop_inbox(&bench->sides[i]);
        relay_free(bench->sides[i].relay);
        CU_ASSERT_EQUAL(http_server_request_count(bench->sides[i].server), 0);
        http_server_free(bench->sides[i].server);
        metrics_free(bench->sides[i].metrics);
    }
    buf_free(bench->body);
    event_base_free(bench->base);
}

/* Everything that waits in one inbox. */
static enum err_code deliver(struct side *side)
{
    enum err_code rc = ERR_OK;

    while (side->inbox_count > 0) {
        struct piece piece = side->inbox[0];
        enum err_code one;

        side->inbox_count--;
        memmove(side->inbox, side->inbox + 1, side->inbox_count * sizeof(piece));
        one = relay_receive(side->relay, span_of(piece.bytes, piece.size), NULL);
        rc = one == ERR_OK ? rc : one;
        free(piece.bytes);
    }
    return rc;
}

static void settle(struct bench *bench)
{
    for (int i = 0; i < 200; i++) {
        relay_tick(bench->sides[0].relay, clock_boot_ms(clock_host()));
        relay_tick(bench->sides[1].relay, clock_boot_ms(clock_host()));
        CU_ASSERT_EQUAL(deliver(&bench->sides[1]), ERR_OK);
        CU_ASSERT_EQUAL(deliver(&bench->sides[0]), ERR_OK);
    }
}

static void on_answer(void *arg, const struct http_reply *reply)
{
    struct bench *bench = arg;

    bench->answers++;
    bench->status = reply->status;
    buf_clear(bench->body);
    CU_ASSERT_EQUAL(buf_append_span(bench->body, reply->body, NULL), ERR_OK);
    (void)snprintf(bench->header, sizeof(bench->header), "%s", /* fits */
                   reply->headers[0].name == NULL ? "" : reply->headers[0].value);
}

static enum err_code ask_as(struct bench *bench, const char *head, struct span body, bool local)
{
    struct http_foreign foreign = {.kind = local ? HTTP_LOCAL : HTTP_SERVICE,
                                   .root = local,
                                   .peer = local ? "local" : "192.0.2.7",
                                   .head = span_text(head),
                                   .body = body};

    return http_server_inject(bench->sides[0].server, &foreign, on_answer, bench, NULL);
}

static enum err_code ask(struct bench *bench, const char *head, struct span body)
{
    return ask_as(bench, head, body, false);
}

static void a_request_is_answered_by_the_other_host(void)
{
    struct bench bench;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
                        SPAN_LITERAL("hello")),
                    ERR_OK);
    CU_ASSERT_EQUAL(bench.answers, 0);
    CU_ASSERT_EQUAL(relay_count(bench.sides[0].relay), 1);
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 1);
    CU_ASSERT_EQUAL(bench.status, 201);
    CU_ASSERT_STRING_EQUAL(bench.header, "/there");
    CU_ASSERT_STRING_EQUAL(buf_text(bench.body), "hello");
    CU_ASSERT_EQUAL(relay_count(bench.sides[0].relay), 0);
    end(&bench);
}

static void a_large_one_goes_in_pieces_through_a_link_that_stops(void)
{
    static char body[1U << 20];
    struct bench bench;

    begin(&bench);
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)('a' + i % 23);
    }
    bench.sides[0].full = true;
    CU_ASSERT_EQUAL(
        ask(&bench, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", span_of(body, sizeof(body))), ERR_OK);
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 0);
    bench.sides[0].full = false;
    bench.sides[1].full = true;
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 0);
    bench.sides[1].full = false;
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 1);
    CU_ASSERT(span_equal(buf_span(bench.body), span_of(body, sizeof(body))));
    end(&bench);
}

/* The link was made anew, and what was on its way is lost. */
static void one_with_a_hole_is_not_taken_for_whole(void)
{
    static char body[200000];
    struct bench bench;
    struct side *side = &bench.sides[1];

    begin(&bench);
    memset(body, 'x', sizeof(body));
    CU_ASSERT_EQUAL(
        ask(&bench, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n", span_of(body, sizeof(body))), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(side->inbox_count, 4);
    free(side->inbox[1].bytes);
    side->inbox_count--;
    memmove(&side->inbox[1], &side->inbox[2], 2 * sizeof(side->inbox[1]));
    CU_ASSERT_EQUAL(deliver(side), ERR_PROTOCOL);
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 0);
    relay_link_down(bench.sides[0].relay);
    CU_ASSERT_EQUAL(bench.status, 503);
    end(&bench);
}

static void nothing_comes_behind_the_last_piece(void)
{
    struct bench bench;
    struct side *side = &bench.sides[1];
    char last[256];
    size_t size;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    size = side->inbox[0].size;
    CU_ASSERT_FATAL(size <= sizeof(last));
    memcpy(last, side->inbox[0].bytes, size);
    settle(&bench);
    CU_ASSERT_PTR_NOT_NULL_FATAL(side->kept);
    last[1] = 2; /* the last, not the first */
    CU_ASSERT_EQUAL(relay_receive(side->relay, span_of(last, size), NULL), ERR_OK);
    CU_ASSERT_EQUAL(http_server_request_count(side->server), 1);
    http_reply(side->kept, &(struct http_reply){.status = 204});
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 1);
    CU_ASSERT_EQUAL(bench.status, 204);
    end(&bench);
}

static void who_asks_is_passed_on_and_root_is_only_local(void)
{
    struct bench bench;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    settle(&bench);
    CU_ASSERT_STRING_EQUAL(bench.sides[1].peer, "192.0.2.7");
    CU_ASSERT_FALSE(bench.sides[1].root);
    CU_ASSERT_EQUAL(ask_as(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE, true),
                    ERR_OK);
    settle(&bench);
    CU_ASSERT(bench.sides[1].root);
    CU_ASSERT_EQUAL(bench.answers, 2);
    CU_ASSERT_EQUAL(bench.status, 204);
    end(&bench);
}

static void a_link_that_breaks_leaves_the_fate_unknown(void)
{
    struct bench bench;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    settle(&bench);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.sides[1].kept);
    relay_link_down(bench.sides[0].relay);
    relay_link_down(bench.sides[1].relay);
    CU_ASSERT_EQUAL(bench.status, 503);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(bench.body), "same Idempotency-Key"));
    http_reply(bench.sides[1].kept, &(struct http_reply){.status = 204}); /* to nobody */
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 1);
    end(&bench);
}

static void an_answer_that_does_not_come_is_not_waited_for_for_ever(void)
{
    struct bench bench;
    uint64_t late_ms;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "GET /keep HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    settle(&bench);
    late_ms = clock_boot_ms(clock_host()) + RELAY_WAIT_MS + 1;
    relay_tick(bench.sides[0].relay, late_ms);
    CU_ASSERT_EQUAL(bench.answers, 1);
    CU_ASSERT_EQUAL(bench.status, 503);
    http_reply(bench.sides[1].kept, &(struct http_reply){.status = 204});
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, 1);
    end(&bench);
}

static void only_so_many_are_passed_on(void)
{
    struct bench bench;

    begin(&bench);
    bench.sides[0].full = true;
    for (uint32_t i = 0; i < RELAY_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    }
    CU_ASSERT_EQUAL(bench.answers, 0);
    CU_ASSERT_EQUAL(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    CU_ASSERT_EQUAL(bench.answers, 1);
    CU_ASSERT_EQUAL(bench.status, 503);
    bench.sides[0].full = false;
    settle(&bench);
    CU_ASSERT_EQUAL(bench.answers, RELAY_COUNT_MAX + 1);
    CU_ASSERT_EQUAL(bench.status, 204);
    end(&bench);
}

/* Every prefix and every changed byte of a real piece. */
static void strange_pieces_are_refused_and_leave_nothing(void)
{
    struct bench bench;
    char bytes[256];
    size_t size;

    begin(&bench);
    CU_ASSERT_EQUAL(ask(&bench, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n", SPAN_NONE), ERR_OK);
    size = bench.sides[1].inbox[0].size;
    CU_ASSERT_FATAL(size <= sizeof(bytes));
    memcpy(bytes, bench.sides[1].inbox[0].bytes, size);
    drop_inbox(&bench.sides[1]);
    for (size_t i = 0; i < size; i++) {
        char changed[sizeof(bytes)];

        err_ignore(relay_receive(bench.sides[1].relay, span_of(bytes, i), NULL)); /* any answer */
        memcpy(changed, bytes, size);
        changed[i] = (char)(changed[i] ^ 0x5a);
        err_ignore(relay_receive(bench.sides[1].relay, span_of(changed, size), NULL));
        drop_inbox(&bench.sides[0]);
    }
    CU_ASSERT_EQUAL(relay_receive(bench.sides[1].relay, SPAN_LITERAL("\x09\x03........"), NULL),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL(bench.answers, 0);
    relay_link_down(bench.sides[0].relay);
    relay_link_down(bench.sides[1].relay);
    end(&bench);
}

static void a_foreign_request_is_read_like_any_other(void)
{
    struct bench bench;
    struct http_foreign foreign = {.kind = HTTP_SERVICE, .peer = "192.0.2.7"};
    struct side *side;

    begin(&bench);
    side = &bench.sides[1];
    foreign.head = SPAN_LITERAL("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(http_server_inject(side->server, &foreign, on_answer, &bench, NULL),
                    ERR_NOT_FOUND);
    foreign.head = SPAN_LITERAL("GET /who\r\n\r\n");
    CU_ASSERT_EQUAL(http_server_inject(side->server, &foreign, on_answer, &bench, NULL),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(bench.answers, 0);
    end(&bench);
}

UNIT_MAIN(
    "relay",
    {"a request is answered by the other host", a_request_is_answered_by_the_other_host},
    {"a large one goes in pieces through a link that stops",
     a_large_one_goes_in_pieces_through_a_link_that_stops},
    {"one with a hole is not taken for whole", one_with_a_hole_is_not_taken_for_whole},
    {"nothing comes behind the last piece", nothing_comes_behind_the_last_piece},
    {"who asks is passed on, and root is only local", who_asks_is_passed_on_and_root_is_only_local},
    {"a link that breaks leaves the fate unknown", a_link_that_breaks_leaves_the_fate_unknown},
    {"an answer that does not come is not waited for for ever",
     an_answer_that_does_not_come_is_not_waited_for_for_ever},
    {"only so many are passed on", only_so_many_are_passed_on},
    {"strange pieces are refused and leave nothing", strange_pieces_are_refused_and_leave_nothing},
    {"a foreign request is read like any other", a_foreign_request_is_read_like_any_other})

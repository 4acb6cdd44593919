/* SPDX-License-Identifier: Apache-2.0 */
/* test_socketmode.c: proves what travels over the sockets of Socket Mode, with a real store behind
 * and a fake Slack before them.
 * Owns a bench with two live sockets. Never opens a real one. */
#include "approvald/slack/limits.h"
#include "approvald/slack/socket/socketmode.h"
#include "approvald/slack/socket/socketmode_internal.h"
#include "base/json.h"
#include "tests/unit/fake_stream.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

void inbound_on_budget(int fd, short what, void *arg);

#define ANA   "U0APR00001"
#define TS    "1799999990.000100"
#define OPEN  "apps.connections.open"
#define TEXT  1
#define CLOSE 8
#define HELLO                                                                                      \
    "{\"type\":\"hello\",\"num_connections\":1,\"connection_info\":{\"app_id\":\"A1\"},"           \
    "\"debug_info\":{\"host\":\"x\",\"approximate_connection_time\":18060}}"

struct sockets {
    struct bench bench;
    struct socketmode *mode;
    char heard[SOCKET_REPLY_SIZE_MAX + 1];
};

static void turn(struct sockets *sockets)
{
    socketmode_wake(sockets->mode);
    bench_turn(&sockets->bench);
}

static void make(struct sockets *sockets, const char *api_url)
{
    struct socketmode_options options = {.base = sockets->bench.base,
                                         .fetch = fake_fetch(),
                                         .inbound = sockets->bench.inbound,
                                         .metrics = sockets->bench.metrics,
                                         .clock = &sockets->bench.kit.clock,
                                         .api_url = api_url,
                                         .app_token = SPAN_LITERAL("xapp-test")};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(socketmode_new(&options, &sockets->mode, &err), ERR_OK);
}

/* The next opening succeeds; its stream. */
static struct fetch_stream *greet(struct sockets *sockets)
{
    struct fetch_stream *stream;

    CU_ASSERT_FATAL(
        fake_fetch_ok(OPEN, "{\"ok\":true,\"url\":\"ws://127.0.0.1:9/link?ticket=T\"}"));
    turn(sockets);
    stream = fake_stream(fake_stream_count() - 1);
    fake_stream_upgrade(stream);
    fake_stream_say(stream, HELLO);
    turn(sockets);
    return stream;
}

/* Two live sockets, the streams 0 and 1. */
static void open_sockets(struct sockets *sockets)
{
    memset(sockets, 0, sizeof *sockets);
    fake_stream_reset();
    bench_open(&sockets->bench);
    bench_know(&sockets->bench, ANA, "");
    make(sockets, "http://127.0.0.1:9/api/");
    socketmode_start(sockets->mode);
    turn(sockets);
    (void)greet(sockets);
    (void)greet(sockets);
}

static void close_sockets(struct sockets *sockets)
{
    socketmode_free(sockets->mode);
    for (size_t i = 0; i < fake_stream_count(); i++) {
        CU_ASSERT_FALSE(fake_stream(i)->open);
    }
    bench_close(&sockets->bench);
}

static int hear(struct sockets *sockets, size_t stream)
{
    return fake_stream_hear(fake_stream(stream), sockets->heard, sizeof sockets->heard);
}

/* An envelope with a payload of the bench's. */
static void say(size_t stream, const char *id, const char *type, bool takes, const char *payload)
{
    static char text[BENCH_PAYLOAD];

    (void)snprintf(text, sizeof text,
                   "{\"envelope_id\":\"%s\",\"type\":\"%s\",\"accepts_response_payload\":%s,"
                   "\"payload\":%s}",
                   id, type, takes ? "true" : "false", payload);
    fake_stream_say(fake_stream(stream), text);
}

static void say_press(struct sockets *sockets, size_t stream, const char *id)
{
    say(stream, id, "interactive", false,
        bench_press_json(ANA, "approve", sockets->bench.id_text, TS));
}

static struct socketmode_status status_of(const struct sockets *sockets)
{
    struct socketmode_status status;

    socketmode_status(sockets->mode, &status);
    return status;
}

static void a_press_is_acknowledged_when_it_is_durable_and_not_before(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    CU_ASSERT_EQUAL(status_of(&sockets).live, 2);
    CU_ASSERT_STRING_EQUAL(fake_stream(0)->url, "http://127.0.0.1:9/");
    say_press(&sockets, 1, "e-1");
    CU_ASSERT_EQUAL(hear(&sockets, 1), 0);
    CU_ASSERT_FALSE(socketmode_is_idle(sockets.mode));
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 1), TEXT);
    CU_ASSERT_STRING_EQUAL(sockets.heard, "{\"envelope_id\":\"e-1\"}");
    CU_ASSERT_EQUAL(hear(&sockets, 0), 0); /* only the socket that brought it */
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).state, REQUEST_APPROVED);
    CU_ASSERT(socketmode_is_idle(sockets.mode));
    CU_ASSERT(slack_inbound_last_ms(sockets.bench.inbound, SLACK_OVER_SOCKET) > 0);
    CU_ASSERT_EQUAL(slack_inbound_last_ms(sockets.bench.inbound, SLACK_OVER_HTTP), 0);
    close_sockets(&sockets);
}

static void a_late_commit_is_not_acknowledged_and_its_repetition_is(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    say_press(&sockets, 0, "e-1");
    service_kit_pass(&sockets.bench.kit, SLACK_REPLY_BUDGET_MS);
    inbound_on_budget(-1, 0, sockets.bench.inbound);
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), 0);
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).state, REQUEST_APPROVED);
    say_press(&sockets, 1, "e-1");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 1), TEXT);
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).decision_count, 1);
    close_sockets(&sockets);
}

static void a_lost_socket_takes_its_replies_along_and_nothing_else(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    say_press(&sockets, 0, "e-1");
    fake_stream_end(fake_stream(0));
    socketmode_wake(sockets.mode);
    (void)event_base_loop(sockets.bench.base, EVLOOP_NONBLOCK);
    CU_ASSERT_FALSE(fake_stream(0)->open);
    turn(&sockets); /* the commit finds nobody to tell */
    CU_ASSERT(socketmode_is_idle(sockets.mode));
    CU_ASSERT_EQUAL(hear(&sockets, 1), 0);
    CU_ASSERT_EQUAL(status_of(&sockets).live, 1);
    say_press(&sockets, 1, "e-2");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 1), TEXT);
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).decision_count, 1);
    close_sockets(&sockets);
}

static void the_same_envelope_on_two_sockets_at_once_counts_once(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    say_press(&sockets, 0, "e-1");
    say_press(&sockets, 1, "e-1");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_EQUAL(hear(&sockets, 1), TEXT);
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).decision_count, 1);
    close_sockets(&sockets);
}

static void a_stop_answers_what_is_under_way_and_takes_nothing_more(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    say_press(&sockets, 0, "e-1");
    socketmode_stop(sockets.mode);
    CU_ASSERT_EQUAL(hear(&sockets, 0), 0);
    CU_ASSERT_EQUAL(hear(&sockets, 1), CLOSE);
    say(1, "e-2", "slash_commands", true, "{\"command\":\"/approval\",\"user_id\":\"" ANA "\"}");
    say(0, "e-3", "slash_commands", true, "{\"command\":\"/approval\",\"user_id\":\"" ANA "\"}");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_STRING_EQUAL(sockets.heard, "{\"envelope_id\":\"e-1\"}");
    CU_ASSERT_EQUAL(hear(&sockets, 0), CLOSE);
    CU_ASSERT_EQUAL(hear(&sockets, 0), 0);
    CU_ASSERT_EQUAL(hear(&sockets, 1), 0);
    CU_ASSERT_EQUAL(status_of(&sockets).state, SOCKETMODE_STOPPED);
    close_sockets(&sockets);
}

static void answers_travel_in_the_acknowledgement_where_slack_takes_them(void)
{
    static char reason[CORE_REASON_COUNT_MAX + 2];
    struct sockets sockets;

    memset(reason, 'r', sizeof reason - 1);
    open_sockets(&sockets);
    say(0, "e-1", "interactive", true, bench_submit_json(&sockets.bench, ANA, reason));
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        sockets.heard, "{\"envelope_id\":\"e-1\",\"payload\":{\"response_action\":\"errors\""));
    say(0, "e-2", "interactive", false, bench_submit_json(&sockets.bench, ANA, reason));
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_STRING_EQUAL(sockets.heard, "{\"envelope_id\":\"e-2\"}");
    say(0, "e-3", "slash_commands", true,
        "{\"command\":\"/approval\",\"text\":\"help\",\"user_id\":\"" ANA "\"}");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_PTR_NOT_NULL(strstr(sockets.heard, "\"response_type\":\"ephemeral\""));
    close_sockets(&sockets);
}

static void what_is_no_envelope_is_ignored_and_what_is_no_payload_not_acknowledged(void)
{
    static const char *const ignored[] = {"{", "[]", "{\"type\":\"interactive\",\"payload\":{}}",
                                          "{\"type\":\"interactive\",\"envelope_id\":\"a\\\"b\"}",
                                          "{\"type\":\"pong\"}"};
    struct sockets sockets;

    open_sockets(&sockets);
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        fake_stream_say(fake_stream(0), ignored[i]);
    }
    say(0, "e-1", "interactive", false, "[]");
    say(0, "e-2", "slash_commands", true, "{\"text\":\"help\"}");
    fake_stream_say(fake_stream(0), "{\"type\":\"interactive\",\"envelope_id\":\"e-3\"}");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), 0);
    CU_ASSERT(socketmode_is_idle(sockets.mode));
    say(0, "e-4", "of_the_future", false, "{}");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 0), TEXT);
    CU_ASSERT_STRING_EQUAL(sockets.heard, "{\"envelope_id\":\"e-4\"}");
    CU_ASSERT_EQUAL(status_of(&sockets).live, 2);
    close_sockets(&sockets);
}

static void nothing_before_hello_is_taken(void)
{
    struct sockets sockets;

    open_sockets(&sockets);
    fake_stream_end(fake_stream(0));
    turn(&sockets);
    service_kit_pass(&sockets.bench.kit, SOCKET_JITTER_MS);
    turn(&sockets);
    CU_ASSERT_FATAL(fake_fetch_ok(OPEN, "{\"ok\":true,\"url\":\"ws://127.0.0.1:9/\"}"));
    turn(&sockets);
    fake_stream_upgrade(fake_stream(2));
    say_press(&sockets, 2, "e-1");
    turn(&sockets);
    CU_ASSERT_EQUAL(hear(&sockets, 2), 0);
    CU_ASSERT_EQUAL(kit_get(&sockets.bench.kit, &sockets.bench.id).state, REQUEST_PENDING);
    close_sockets(&sockets);
}

/* A ticket's answer, and what becomes of it. */
static void refuse(const char *api_url, const char *answer, const char *state, const char *error)
{
    struct sockets sockets = {.mode = NULL};

    fake_stream_reset();
    bench_open(&sockets.bench);
    make(&sockets, api_url);
    socketmode_start(sockets.mode);
    turn(&sockets);
    CU_ASSERT_FATAL(fake_fetch_ok(OPEN, answer));
    turn(&sockets);
    CU_ASSERT_EQUAL(fake_stream_count(), 0);
    CU_ASSERT_STRING_EQUAL(socketmode_state_word(status_of(&sockets).state), state);
    CU_ASSERT_STRING_EQUAL(status_of(&sockets).error, error);
    close_sockets(&sockets);
}

/* Slack asks for a pause; how long the next ticket is not asked for, in seconds. */
static void limit(const char *retry_after, uint32_t pause_s)
{
    struct fetch_response limited = {
        .outcome = FETCH_ANSWERED, .status = 429, .retry_after = span_text(retry_after)};
    struct sockets sockets = {.mode = NULL};

    fake_stream_reset();
    bench_open(&sockets.bench);
    make(&sockets, "https://slack.com/api/");
    socketmode_start(sockets.mode);
    turn(&sockets);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake_fetch_find(OPEN));
    fake_fetch_answer(fake_fetch_find(OPEN), &limited);
    turn(&sockets);
    service_kit_pass(&sockets.bench.kit, pause_s * 1000 - 1);
    turn(&sockets);
    CU_ASSERT_PTR_NULL(fake_fetch_find(OPEN));
    service_kit_pass(&sockets.bench.kit, 1);
    turn(&sockets);
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find(OPEN));
    close_sockets(&sockets);
}

static void a_pause_that_slack_asks_for_is_kept_and_a_garbled_one_has_a_length(void)
{
    limit("7", 7);
    limit("600", 600);
    limit("", 30);
    limit("soon", 30);
    limit("-5", 30);
    limit("99999999", 600);
    limit("Fri, 15 Jan 2027 08:01:30 GMT", 90);
}

static void refused_tickets_are_sorted(void)
{
    refuse("https://slack.com/api/", "{\"ok\":true,\"url\":\"ws://wss.slack.com/?ticket=T\"}",
           "connecting", "bad_socket_url");
    refuse("https://slack.com/api/", "{\"ok\":true}", "connecting", "bad_socket_url");
    refuse("https://slack.com/api/", "<html>", "connecting", "not_json");
    refuse("https://slack.com/api/", "{\"ok\":false,\"error\":\"internal_error\"}", "connecting",
           "internal_error");
    refuse("https://slack.com/api/", "{\"ok\":false,\"error\":\"not_allowed_token_type\"}",
           "refused", "not_allowed_token_type");
    refuse("https://slack.com/api/", "{\"ok\":false,\"error\":\"socket_mode_not_enabled\"}",
           "disabled", "socket_mode_not_enabled");
}

static void why_the_token_is_refused_outlasts_the_end_of_a_socket(void)
{
    struct sockets sockets = {.mode = NULL};

    fake_stream_reset();
    bench_open(&sockets.bench);
    make(&sockets, "https://slack.com/api/");
    socketmode_start(sockets.mode);
    turn(&sockets);
    CU_ASSERT_FATAL(fake_fetch_ok(OPEN, "{\"ok\":false,\"error\":\"invalid_auth\"}"));
    turn(&sockets);
    socketmode_set_error(sockets.mode,
                         SPAN_LITERAL("the connection was closed")); /* the other one */
    CU_ASSERT_STRING_EQUAL(socketmode_state_word(status_of(&sockets).state), "refused");
    CU_ASSERT_STRING_EQUAL(status_of(&sockets).error, "invalid_auth");
    close_sockets(&sockets);
}

UNIT_MAIN("socketmode",
          {"a press is acknowledged when it is durable and not before",
           a_press_is_acknowledged_when_it_is_durable_and_not_before},
          {"a late commit is not acknowledged and its repetition is",
           a_late_commit_is_not_acknowledged_and_its_repetition_is},
          {"a lost socket takes its replies along and nothing else",
           a_lost_socket_takes_its_replies_along_and_nothing_else},
          {"the same envelope on two sockets at once counts once",
           the_same_envelope_on_two_sockets_at_once_counts_once},
          {"a stop answers what is under way and takes nothing more",
           a_stop_answers_what_is_under_way_and_takes_nothing_more},
          {"answers travel in the acknowledgement where Slack takes them",
           answers_travel_in_the_acknowledgement_where_slack_takes_them},
          {"what is no envelope is ignored and what is no payload not acknowledged",
           what_is_no_envelope_is_ignored_and_what_is_no_payload_not_acknowledged},
          {"nothing before hello is taken", nothing_before_hello_is_taken},
          {"a pause that Slack asks for is kept and a garbled one has a length",
           a_pause_that_slack_asks_for_is_kept_and_a_garbled_one_has_a_length},
          {"refused tickets are sorted", refused_tickets_are_sorted},
          {"why the token is refused outlasts the end of a socket",
           why_the_token_is_refused_outlasts_the_end_of_a_socket})

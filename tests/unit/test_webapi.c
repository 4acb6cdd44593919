/* SPDX-License-Identifier: Apache-2.0 */
/* test_webapi.c: proves approvald/slack/wire/webapi and the sorting of answers (answer).
 * Owns nothing but its cases; never opens a socket: the network is fake_fetch, the time fake_clock.
 */
#include "approvald/slack/wire/answer.h"
#include "approvald/slack/wire/webapi.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/fake_webapi.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <string.h>

#define NOW_S 1764752400U /* Wed, 03 Dec 2025 09:00:00 GMT */

struct expected {
    uint32_t status;
    const char *body;
    bool reads;
    enum webapi_outcome outcome;
    const char *error;
};

static const struct expected answers[] = {
    {200, "{\"ok\":true}", false, WEBAPI_OK, ""},
    {200, "{\"ok\":false,\"error\":\"ratelimited\"}", false, WEBAPI_RETRY, "ratelimited"},
    {429, "{\"ok\":false,\"error\":\"ratelimited\"}", false, WEBAPI_RETRY, "rate_limited"},
    {429, "slow down", false, WEBAPI_RETRY, "rate_limited"},
    {200, "{\"ok\":false,\"error\":\"internal_error\"}", false, WEBAPI_UNKNOWN, "internal_error"},
    {200, "{\"ok\":false,\"error\":\"internal_error\"}", true, WEBAPI_RETRY, "internal_error"},
    {200, "{\"ok\":false,\"error\":\"fatal_error\"}", false, WEBAPI_UNKNOWN, "fatal_error"},
    {200, "{\"ok\":false,\"error\":\"request_timeout\"}", false, WEBAPI_UNKNOWN, "request_timeout"},
    {200, "{\"ok\":false,\"error\":\"is_archived\"}", false, WEBAPI_PERMANENT, "is_archived"},
    {200, "{\"ok\":false,\"error\":\"new_word\"}", false, WEBAPI_PERMANENT, "new_word"},
    {200, "{\"ok\":false}", false, WEBAPI_PERMANENT, "no_error_word"},
    {200, "{\"ok\":false,\"error\":\"token_revoked\"}", false, WEBAPI_REFUSED, "token_revoked"},
    {200, "{\"ok\":false,\"error\":\"invalid_auth\"}", true, WEBAPI_REFUSED, "invalid_auth"},
    {200, "{\"ok\":false,\"error\":\"account_inactive\"}", false, WEBAPI_REFUSED,
     "account_inactive"},
    {503, "<!doctype html><html></html>", false, WEBAPI_UNKNOWN, "http_503"},
    {503, "<!doctype html><html></html>", true, WEBAPI_RETRY, "http_503"},
    {502, "", false, WEBAPI_UNKNOWN, "http_502"},
    {200, "<html>please log in</html>", false, WEBAPI_UNKNOWN, "not_json"},
    {200, "", true, WEBAPI_RETRY, "not_json"},
    {200, "{\"ok\":tru", false, WEBAPI_UNKNOWN, "not_json"},
    {200, "{\"status\":\"fine\"}", false, WEBAPI_UNKNOWN, "not_json"},
    {200, "{\"ok\":\"true\"}", false, WEBAPI_UNKNOWN, "not_json"},
    {302, "", false, WEBAPI_RETRY, "http_302"},
    {407, "proxy", false, WEBAPI_RETRY, "http_407"},
    {404, "{\"ok\":true}", false, WEBAPI_UNKNOWN, "http_404"},
};

static void every_answer_is_sorted_by_what_it_says_about_the_call(void)
{
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct fetch_response response = {.outcome = FETCH_ANSWERED,
                                          .status = answers[i].status,
                                          .body = span_text(answers[i].body)};
        struct answer answer;

        answer_read(&response, answers[i].reads, NOW_S, &answer);
        CU_ASSERT_EQUAL(answer.view.outcome, answers[i].outcome);
        CU_ASSERT(span_is(answer.view.error, answers[i].error));
        CU_ASSERT_EQUAL(answer.view.status, answers[i].status);
        CU_ASSERT_EQUAL(answer.view.retry_after_ms > 0, answer.rate_limited);
        answer_done(&answer);
    }
}

static void no_answer_is_unknown_only_when_something_was_sent(void)
{
    struct err err = {.code = ERR_TIMEOUT, .message = "connect: timed out"};
    struct fetch_response response = {.outcome = FETCH_NOT_SENT, .err = &err};
    struct answer answer;

    answer_read(&response, false, NOW_S, &answer);
    CU_ASSERT_EQUAL(answer.view.outcome, WEBAPI_RETRY);
    CU_ASSERT(span_is(answer.view.detail, "connect: timed out"));
    response.outcome = FETCH_UNKNOWN;
    answer_read(&response, false, NOW_S, &answer);
    CU_ASSERT_EQUAL(answer.view.outcome, WEBAPI_UNKNOWN);
    answer_read(&response, true, NOW_S, &answer);
    CU_ASSERT_EQUAL(answer.view.outcome, WEBAPI_RETRY);
}

static void details_of_a_refusal_are_kept(void)
{
    struct fetch_response response = {
        .outcome = FETCH_ANSWERED,
        .status = 200,
        .body = SPAN_LITERAL("{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"chat:write\","
                             "\"provided\":\"commands\",\"response_metadata\":{\"messages\":"
                             "[\"[ERROR] a\",7,\"b\"]}}")};
    struct answer answer;

    answer_read(&response, false, NOW_S, &answer);
    CU_ASSERT_EQUAL(answer.view.outcome, WEBAPI_PERMANENT);
    CU_ASSERT(span_is(answer.view.needed, "chat:write"));
    CU_ASSERT(span_is(answer.view.provided, "commands"));
    CU_ASSERT(span_is(answer.view.detail, "[ERROR] a; b"));
    answer_done(&answer);
}

static void retry_after_is_seconds_a_date_or_a_default(void)
{
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("30"), NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("1"), NOW_S), 1000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_NONE, NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("0"), NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("soon"), NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("-5"), NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("99999999999999999999"), NOW_S), 30000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("86400"), NOW_S), 600000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("Wed, 03 Dec 2025 09:01:30 GMT"), NOW_S),
                    90000);
    CU_ASSERT_EQUAL(answer_retry_after_ms(SPAN_LITERAL("Wed, 03 Dec 2025 08:59:00 GMT"), NOW_S),
                    30000);
}

static void dates_of_http_are_read_strictly(void)
{
    uint64_t time_s = 0;

    CU_ASSERT(answer_parse_date(SPAN_LITERAL("Wed, 03 Dec 2025 09:00:00 GMT"), &time_s));
    CU_ASSERT_EQUAL(time_s, NOW_S);
    CU_ASSERT(answer_parse_date(SPAN_LITERAL("Thu, 29 Feb 2024 23:59:59 GMT"), &time_s));
    CU_ASSERT_EQUAL(time_s, 1709251199);
    CU_ASSERT(answer_parse_date(SPAN_LITERAL("Thu, 01 Jan 1970 00:00:00 GMT"), &time_s));
    CU_ASSERT_EQUAL(time_s, 0);
    CU_ASSERT_FALSE(answer_parse_date(SPAN_LITERAL("Wed, 03 Dez 2025 09:00:00 GMT"), &time_s));
    CU_ASSERT_FALSE(answer_parse_date(SPAN_LITERAL("Wed, 03 Dec 2025 09:00:00 CET"), &time_s));
    CU_ASSERT_FALSE(answer_parse_date(SPAN_LITERAL("Wed, 3 Dec 2025 09:00:00 GMT"), &time_s));
    CU_ASSERT_FALSE(answer_parse_date(SPAN_NONE, &time_s));
}

struct bench {
    struct fake_time now;
    struct clock clock;
    struct event_base *base;
    struct metrics *metrics;
    struct webapi *webapi;
    size_t done_count;
    enum webapi_outcome outcome;
    char error[64];
    enum webapi_state state;
    size_t state_count;
};

static void on_done(void *arg, const struct webapi_answer *answer)
{
    struct bench *bench = arg;

    bench->done_count++;
    bench->outcome = answer->outcome;
    (void)snprintf(bench->error, sizeof bench->error, "%.*s", SPAN_ARGS(answer->error));
}

static void on_state(void *arg, enum webapi_state state)
{
    struct bench *bench = arg;

    bench->state = state;
    bench->state_count++;
}

static void setup(struct bench *bench)
{
    struct err err = ERR_INIT;

    memset(bench, 0, sizeof *bench);
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
    fake_fetch_reset(ERR_OK);
    bench->now = (struct fake_time){.boot_ms = 5000, .wall_ms = NOW_S * 1000ULL};
    bench->clock = fake_clock(&bench->now);
    bench->base = event_base_new();
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    bench->webapi = fake_webapi_new(bench->base, bench->metrics, &bench->clock);
    webapi_listen(bench->webapi, on_state, bench);
}

static void teardown(struct bench *bench)
{
    webapi_free(bench->webapi);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
}

static void turn(struct bench *bench)
{
    (void)event_base_loop(bench->base, EVLOOP_NONBLOCK); /* its result says nothing more */
}

static enum err_code call(struct bench *bench, enum webapi_method method, const char *body)
{
    struct webapi_call request = {
        .method = method, .priority = WEBAPI_NORMAL, .body = span_text(body)};
    struct err err = ERR_INIT;

    return webapi_call(bench->webapi, &request, on_done, bench, &err);
}

static void a_call_carries_the_token_and_the_bytes(void)
{
    struct bench bench;

    setup(&bench);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{\"a\":1}"), ERR_OK);
    CU_ASSERT_EQUAL(fake_fetch_count(), 0);
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(fake_fetch_count(), 1);
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(0)->url, "http://127.0.0.1:9/api/chat.update");
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(0)->body, "{\"a\":1}");
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(0)->bearer, "xoxb-test");
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(0)->content_type,
                           "Content-Type: application/json; charset=utf-8");
    CU_ASSERT(fake_fetch_ok("chat.update", "{\"ok\":true}"));
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT_EQUAL(bench.outcome, WEBAPI_OK);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERS_INFO, "user=U1"), ERR_OK);
    turn(&bench);
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(1)->content_type,
                           "Content-Type: application/x-www-form-urlencoded");
    teardown(&bench);
}

static void a_refused_token_stops_everything_until_a_new_one_comes(void)
{
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    }
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 6); /* two slots stay free for what is urgent */
    CU_ASSERT(fake_fetch_ok("chat.update", "{\"ok\":false,\"error\":\"token_revoked\"}"));
    CU_ASSERT_EQUAL(bench.state, WEBAPI_DEAD);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_UNAVAILABLE);
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 6);
    CU_ASSERT_EQUAL(bench.done_count, 5);
    CU_ASSERT_EQUAL(bench.outcome, WEBAPI_REFUSED);
    CU_ASSERT_STRING_EQUAL(bench.error, "token_revoked");
    CU_ASSERT_EQUAL(webapi_set_token(bench.webapi, SPAN_LITERAL("xoxb-new"), &err), ERR_OK);
    CU_ASSERT_EQUAL(bench.state, WEBAPI_UP);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    turn(&bench);
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(6)->bearer, "xoxb-new");
    CU_ASSERT_EQUAL(webapi_set_token(bench.webapi, SPAN_LITERAL("two words"), &err), ERR_INVALID);
    teardown(&bench);
}

static void a_good_auth_test_revives_a_token_that_was_refused(void)
{
    struct bench bench;

    setup(&bench);
    webapi_mark_dead(bench.webapi, "app_uninstalled");
    CU_ASSERT_EQUAL(bench.state, WEBAPI_DEAD);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_AUTH_TEST, ""), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":true}"));
    CU_ASSERT_EQUAL(bench.state, WEBAPI_UP);
    CU_ASSERT_EQUAL(bench.state_count, 2);
    teardown(&bench);
}

/* Calls that fail until Slack is taken for down. */
static void take_down(struct bench *bench, const struct fetch_response *response)
{
    for (int i = 0; i < SLACK_BREAKER_FAILURE_COUNT; i++) {
        CU_ASSERT_EQUAL(call(bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
        turn(bench);
        fake_fetch_answer(fake_fetch_find("chat.update"), response);
    }
    CU_ASSERT_EQUAL(bench->state, WEBAPI_DOWN);
}

static void while_slack_is_down_the_client_itself_asks_whether_it_is_up(void)
{
    struct bench bench;
    struct fetch_response lost = {.outcome = FETCH_NOT_SENT};
    struct webapi_status status;

    setup(&bench);
    take_down(&bench, &lost);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERS_INFO, "user=U1"), ERR_OK);
    turn(&bench);
    CU_ASSERT_STRING_EQUAL(bench.error, "slack_down"); /* certainly not done */
    CU_ASSERT_EQUAL(bench.outcome, WEBAPI_RETRY);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_EQUAL(status.waiting_count, 1);
    CU_ASSERT_STRING_EQUAL(status.error, "not_sent");
    CU_ASSERT(status.down_ms > 0 && status.outage_count == 1);
    CU_ASSERT_EQUAL(fake_fetch_count(), 5);
    bench.now.boot_ms += 2000;
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERS_INFO, "user=U2"), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(fake_fetch_count(), 6); /* what reads waits */
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(5)->url, "http://127.0.0.1:9/api/auth.test");
    webapi_status(bench.webapi, &status);
    CU_ASSERT(status.probing && status.down_ms >= 2000);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":true}"));
    CU_ASSERT_EQUAL(bench.state, WEBAPI_UP);
    webapi_status(bench.webapi, &status);
    CU_ASSERT(status.down_ms == 0 && !status.probing && status.error[0] == '\0');
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 8);
    teardown(&bench);
}

static void what_slack_refuses_or_limits_is_no_outage(void)
{
    struct bench bench;
    struct fetch_response limited = {
        .outcome = FETCH_ANSWERED, .status = 429, .retry_after = SPAN_LITERAL("1")};
    struct fetch_response refused = {.outcome = FETCH_ANSWERED,
                                     .status = 200,
                                     .body = SPAN_LITERAL("{\"ok\":false,\"error\":\"no\"}")};

    setup(&bench);
    for (int i = 0; i < 30; i++) {
        bench.now.boot_ms += 2000;
        CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
        turn(&bench);
        fake_fetch_answer(fake_fetch_find("chat.update"), i % 2 == 0 ? &limited : &refused);
    }
    CU_ASSERT_EQUAL(bench.state_count, 0);
    teardown(&bench);
}

static const struct fetch_response slow = {.outcome = FETCH_ANSWERED,
                                           .status = 200,
                                           .body = {"{\"ok\":true}", 11},
                                           .duration_ms = SLACK_BREAKER_SLOW_MS};

static void a_slow_slack_is_down_and_a_person_may_probe(void)
{
    struct bench bench;
    struct webapi_call open = {
        .method = WEBAPI_VIEWS_OPEN, .priority = WEBAPI_URGENT, .body = SPAN_LITERAL("{}")};
    struct webapi_status status;
    struct err err = ERR_INIT;

    setup(&bench);
    take_down(&bench, &slow);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.error, "slow");
    bench.now.boot_ms += SLACK_BREAKER_MS_MIN;
    CU_ASSERT_EQUAL(webapi_call(bench.webapi, &open, on_done, &bench, &err), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(fake_fetch_count(), 6);
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(5)->url, "http://127.0.0.1:9/api/views.open");
    webapi_stop(bench.webapi); /* a handover in the middle of the probe leaves room for another */
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 6);
    webapi_go_on(bench.webapi);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":true}"));
    CU_ASSERT_EQUAL(bench.state, WEBAPI_UP);
    teardown(&bench);
}

static void why_slack_was_not_reached_is_known_until_it_is(void)
{
    struct bench bench;
    struct err err = {.code = ERR_UNAVAILABLE, .message = "h: the proxy wants credentials (407)"};
    struct fetch_response lost = {.outcome = FETCH_NOT_SENT, .err = &err};
    struct fetch_response broken = {.outcome = FETCH_ANSWERED, .status = 503};
    struct webapi_status status;

    setup(&bench);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_AUTH_TEST, ""), ERR_OK);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("auth.test"), &lost);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_EQUAL(status.state, WEBAPI_UP); /* one is no outage */
    CU_ASSERT_STRING_EQUAL(status.error, "h: the proxy wants credentials (407)");
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_AUTH_TEST, ""), ERR_OK);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("auth.test"), &broken);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.error, "http_503");
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("chat.update"), &slow);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.error, ""); /* slow, but there */
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_AUTH_TEST, ""), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":false,\"error\":\"ratelimited\"}"));
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.error, "");
    teardown(&bench);
}

static void a_scope_is_missed_until_its_method_succeeds(void)
{
    static const char missed[] =
        "{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"usergroups:read\"}";
    struct bench bench;
    struct webapi_status status;
    struct err err = ERR_INIT;

    setup(&bench);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERGROUPS_USERS_LIST, "usergroup=S1"), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", missed));
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERS_INFO, "user=U1"), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":true}"));
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.missing_scope, "usergroups:read");
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERGROUPS_USERS_LIST, "usergroup=S1"), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true}"));
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.missing_scope, "");
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERGROUPS_USERS_LIST, "usergroup=S1"), ERR_OK);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", missed));
    CU_ASSERT_EQUAL(webapi_set_token(bench.webapi, SPAN_LITERAL("xoxb-test"), &err), ERR_OK);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_STRING_EQUAL(status.missing_scope, "");
    teardown(&bench);
}

static void a_call_that_waits_too_long_is_given_back(void)
{
    struct bench bench;
    struct fetch_response limited = {
        .outcome = FETCH_ANSWERED, .status = 429, .retry_after = SPAN_LITERAL("60")};

    setup(&bench);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("chat.update"), &limited);
    CU_ASSERT_EQUAL(bench.outcome, WEBAPI_RETRY);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 1);
    bench.now.boot_ms += 30000;
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_USERS_INFO, "user=U1"), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 2);
    CU_ASSERT_STRING_EQUAL(bench.error, "queue_wait");
    teardown(&bench);
}

static void a_host_that_hands_over_waits_for_no_answer(void)
{
    struct bench bench;
    struct err err = ERR_INIT;
    struct webapi_call later = {.method = WEBAPI_AUTH_TEST, .priority = WEBAPI_NORMAL};

    setup(&bench);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 1);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_CHAT_UPDATE, "{}"), ERR_OK);
    webapi_stop(bench.webapi);
    CU_ASSERT_EQUAL(bench.done_count, 0); /* never from inside */
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 2);
    CU_ASSERT_EQUAL(bench.outcome, WEBAPI_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(bench.error, "handing_over");
    CU_ASSERT_EQUAL(webapi_call(bench.webapi, &later, on_done, &bench, &err), ERR_UNAVAILABLE);
    webapi_go_on(bench.webapi);
    CU_ASSERT_EQUAL(webapi_call(bench.webapi, &later, on_done, &bench, &err), ERR_OK);
    turn(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), 2);
    teardown(&bench);
}

static void the_queue_has_an_end(void)
{
    struct bench bench;
    size_t count = 0;

    setup(&bench);
    while (call(&bench, WEBAPI_VIEWS_OPEN, "{}") == ERR_OK) {
        count++;
    }
    CU_ASSERT_EQUAL(count, 256);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_VIEWS_OPEN, "{}"), ERR_FULL);
    teardown(&bench);
}

static void only_slacks_response_urls_are_posted_to(void)
{
    static const char *const bad[] = {
        "https://hooks.slack.com.evil.example/x",
        "http://hooks.slack.com/x",
        "https://evil.example/hooks.slack.com/",
        "https://hooks.slack.com@evil.example/",
        "https://hooks.slack.com/",
        "https://hooks.slack.com/a b",
        "http://127.0.0.1:91/x",
        "",
    };
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(
            webapi_respond(bench.webapi, span_text(bad[i]), SPAN_LITERAL("{}"), NULL, NULL, &err),
            ERR_INVALID);
    }
    CU_ASSERT_EQUAL(webapi_respond(bench.webapi,
                                   SPAN_LITERAL("https://hooks.slack.com/actions/T/1/x"),
                                   SPAN_LITERAL("{}"), NULL, NULL, &err),
                    ERR_OK);
    CU_ASSERT_EQUAL(webapi_respond(bench.webapi, SPAN_LITERAL("http://127.0.0.1:9/response/1"),
                                   SPAN_LITERAL("{}"), NULL, NULL, &err),
                    ERR_OK);
    CU_ASSERT_EQUAL(fake_fetch_count(), 2);
    CU_ASSERT_STRING_EQUAL(fake_fetch_call(0)->bearer, "");
    CU_ASSERT(fake_fetch_ok("/x", "ok"));
    teardown(&bench);
}

static void slacks_clock_is_compared_with_ours(void)
{
    struct bench bench;
    struct webapi_status status;
    struct fetch_response response = {.outcome = FETCH_ANSWERED,
                                      .status = 200,
                                      .body = SPAN_LITERAL("{\"ok\":true}"),
                                      .date = SPAN_LITERAL("Wed, 03 Dec 2025 08:58:00 GMT")};

    setup(&bench);
    log_set_level(LOG_LEVEL_ERROR);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_FALSE(status.skew_known);
    CU_ASSERT_EQUAL(call(&bench, WEBAPI_AUTH_TEST, ""), ERR_OK);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("auth.test"), &response);
    webapi_status(bench.webapi, &status);
    CU_ASSERT(status.skew_known);
    CU_ASSERT_EQUAL(status.skew_s, -120);
    teardown(&bench);
}

static void form_values_are_encoded(void)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1000, &form, &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "user", SPAN_LITERAL("U1"), &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "x", SPAN_LITERAL("a b&c=\xc3\xa9"), &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(form), "user=U1&x=a%20b%26c%3D%C3%A9");
}

UNIT_MAIN(
    "webapi",
    {"every answer is sorted by what it says about the call",
     every_answer_is_sorted_by_what_it_says_about_the_call},
    {"no answer is unknown only when something was sent",
     no_answer_is_unknown_only_when_something_was_sent},
    {"details of a refusal are kept", details_of_a_refusal_are_kept},
    {"Retry-After is seconds, a date or a default", retry_after_is_seconds_a_date_or_a_default},
    {"dates of HTTP are read strictly", dates_of_http_are_read_strictly},
    {"a call carries the token and the bytes", a_call_carries_the_token_and_the_bytes},
    {"a refused token stops everything until a new one comes",
     a_refused_token_stops_everything_until_a_new_one_comes},
    {"a good auth.test revives a token that was refused",
     a_good_auth_test_revives_a_token_that_was_refused},
    {"why Slack was not reached is known until it is",
     why_slack_was_not_reached_is_known_until_it_is},
    {"a scope is missed until its method succeeds", a_scope_is_missed_until_its_method_succeeds},
    {"while Slack is down, the client itself asks whether it is up",
     while_slack_is_down_the_client_itself_asks_whether_it_is_up},
    {"what Slack refuses or limits is no outage", what_slack_refuses_or_limits_is_no_outage},
    {"a slow Slack is down, and a person may probe", a_slow_slack_is_down_and_a_person_may_probe},
    {"a call that waits too long is given back", a_call_that_waits_too_long_is_given_back},
    {"a host that hands over waits for no answer", a_host_that_hands_over_waits_for_no_answer},
    {"the queue has an end", the_queue_has_an_end},
    {"only Slack's response URLs are posted to", only_slacks_response_urls_are_posted_to},
    {"Slack's clock is compared with ours", slacks_clock_is_compared_with_ours},
    {"form values are encoded", form_values_are_encoded})

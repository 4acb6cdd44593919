/* SPDX-License-Identifier: Apache-2.0 */
/* test_home.c: proves approvald/slack/outbound/home and what presses in a Home do.
 * Owns nothing but its cases; never opens a socket: the service and its store are real, Slack is
 * fake_fetch. */
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/home.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define ANA "U0APR00001"
#define BEN "U0APR00002"
#define TS1 "1799999990.000100"
#define TS2 "1799999991.000100"

static void opens(struct bench *bench, const char *user, const char *hash)
{
    char body[1024];

    (void)snprintf(body, sizeof body,
                   "{\"type\":\"event_callback\",\"team_id\":\"T0APV00001\",\"event_id\":\"Ev1\","
                   "\"event_time\":1799999990,\"event\":{\"type\":\"app_home_opened\",\"user\":"
                   "\"%s\",\"tab\":\"home\",\"view\":{\"hash\":\"%s\"}}}",
                   user, hash);
    bench_deliver(bench, SLACK_PATH_EVENTS, BENCH_JSON, body);
    CU_ASSERT(bench->reply.done);
    CU_ASSERT_EQUAL(bench->reply.status, 200);
}

/* Seconds pass until a call of the method is under way. The clock is the kit's; the loop's timers
 * are this host's, so a press of nobody sets the Home's to a moment. */
static bool wait_call(struct bench *bench, const char *method)
{
    for (int i = 0; i < 100 && fake_fetch_find(method) == NULL; i++) {
        service_kit_pass(&bench->kit, 1000);
        home_pressed(bench->home, SPAN_LITERAL("U0NOBODY"));
        (void)event_base_loop(bench->base, EVLOOP_ONCE); /* that timer at the latest */
        bench_turn(bench);
    }
    return fake_fetch_find(method) != NULL;
}

static void publish_ok(struct bench *bench)
{
    CU_ASSERT(wait_call(bench, "views.publish"));
    CU_ASSERT(fake_fetch_ok("views.publish", "{\"ok\":true,\"view\":{\"hash\":\"2.new\"}}"));
    bench_turn(bench);
}

static const char *press(const char *user, const char *action, const char *value, const char *ts)
{
    static char text[4096];

    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"block_actions\",\"user\":{\"id\":\"%s\",\"team_id\":\"T0APV00001\"}"
        ",\"team\":{\"id\":\"T0APV00001\"},\"trigger_id\":\"1.2.abc\",\"container\":"
        "{\"type\":\"view\",\"view_id\":\"V1\"},\"view\":{\"id\":\"V1\",\"type\":\"home\""
        ",\"callback_id\":\"home\",\"private_metadata\":\"0 0 1\",\"hash\":\"1.a\"},"
        "\"actions\":[{\"type\":\"button\",\"action_id\":\"%s\",\"value\":\"%s\","
        "\"action_ts\":\"%s\"}]}",
        user, action, value, ts);
    return text;
}

static size_t notices(struct bench *bench)
{
    struct kit_rows rows = kit_owed(&bench->kit, &bench->id, false);

    return kit_owed_of(&rows, SURFACE_NOTICE);
}

static void what_is_opened_is_published_and_follows_changes(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    opens(&bench, ANA, "1.old");
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT(bench_call_says("views.publish", "\"user_id\":\"" ANA "\""));
    CU_ASSERT(bench_call_says("views.publish", "\"hash\":\"1.old\""));
    CU_ASSERT(bench_call_says("views.publish", "Deploy shop"));
    CU_ASSERT(bench_call_says("views.publish", bench.id_text));
    publish_ok(&bench);
    CU_ASSERT_EQUAL(kit_approve(&bench.kit, &bench.id, BEN).state, REQUEST_APPROVED);
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT(bench_call_says("views.publish", "\"hash\":\"2.new\""));
    CU_ASSERT(bench_call_says("views.publish", "Nothing waits for your decision"));
    /* Somebody else has published meanwhile: once more, on top of it. */
    CU_ASSERT(fake_fetch_ok("views.publish", "{\"ok\":false,\"error\":\"hash_conflict\"}"));
    bench_turn(&bench);
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT_FALSE(bench_call_says("views.publish", "\"hash\""));
    publish_ok(&bench);
    bench_close(&bench);
}

static void who_he_is_is_asked_once_and_a_stranger_sees_nothing(void)
{
    struct bench bench;

    bench_open(&bench);
    opens(&bench, ANA, "");
    CU_ASSERT_FATAL(wait_call(&bench, "users.info"));
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":true,\"user\":{\"id\":\"" ANA
                                          "\",\"team_id\":\"T0APV00001\"}}"));
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT(bench_call_says("views.publish", bench.id_text));
    publish_ok(&bench);
    /* What is known of him is old: it does for a Home, without a call. */
    service_kit_pass(&bench.kit, SLACK_USER_FRESH_MS + 1);
    CU_ASSERT_EQUAL(kit_cancel(&bench.kit, &bench.id).state, REQUEST_CANCELLED);
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT_PTR_NULL(fake_fetch_find("users.info"));
    publish_ok(&bench);
    opens(&bench, BEN, "");
    CU_ASSERT_FATAL(wait_call(&bench, "users.info"));
    CU_ASSERT(fake_fetch_ok("users.info",
                            "{\"ok\":true,\"user\":{\"id\":\"" BEN
                            "\",\"team_id\":\"T0APV00001\",\"is_restricted\":true}}"));
    CU_ASSERT_EQUAL(kit_create(&bench.kit, "deploy", "again").rc, ERR_OK);
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT_FALSE(bench_call_says("views.publish", "\"approve\""));
    bench_close(&bench);
}

static void a_press_in_a_home_is_a_press_on_a_card(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact(&bench, press(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_interact(&bench, press(ANA, "approve", bench.id_text, TS1)); /* delivered again */
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).decision_count, 1);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT_EQUAL(notices(&bench), 0);
    bench_close(&bench);
}

static void a_refusal_is_shown_over_the_home_once(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    CU_ASSERT_EQUAL(kit_approve(&bench.kit, &bench.id, BEN).state, REQUEST_APPROVED);
    bench_interact(&bench, press(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_turn(&bench);
    CU_ASSERT(bench_call_says("views.open", "already decided"));
    CU_ASSERT(bench_call_says("views.open", "It was approved by"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_interact(&bench, press(ANA, "approve", bench.id_text, TS1));
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT_EQUAL(notices(&bench), 0);
    /* The window does not open: then it is owed as a message. */
    bench_interact(&bench, press(ANA, "reject", bench.id_text, TS2));
    bench_turn(&bench);
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"expired_trigger_id\"}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(notices(&bench), 1);
    bench_close(&bench);
}

static void pages_are_turned_without_a_record(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    for (int i = 0; i < 7; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT_EQUAL(kit_create(&bench.kit, "deploy", key).rc, ERR_OK);
    }
    opens(&bench, ANA, "");
    publish_ok(&bench);
    bench_interact(&bench, press(ANA, "home_waiting_next", "1", TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT(bench_call_says("views.publish", "\"private_metadata\":\"1 0 0\""));
    publish_ok(&bench);
    /* A page that is none is the first; a button of nobody's is out of date. */
    bench_interact(&bench, press(ANA, "home_waiting_next", "1e9", TS2));
    CU_ASSERT_FATAL(wait_call(&bench, "views.publish"));
    CU_ASSERT(bench_call_says("views.publish", "\"private_metadata\":\"0 0 0\""));
    bench_close(&bench);
}

static void a_home_that_is_stopped_calls_nobody(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    home_stop(bench.home);
    opens(&bench, ANA, "");
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.publish"));
    CU_ASSERT(home_is_idle(bench.home));
    home_start(bench.home);
    CU_ASSERT(wait_call(&bench, "views.publish"));
    CU_ASSERT_FALSE(home_is_idle(bench.home));
    bench_close(&bench);
}

UNIT_MAIN("home",
          {"what is opened is published and follows changes",
           what_is_opened_is_published_and_follows_changes},
          {"who he is is asked once and a stranger sees nothing",
           who_he_is_is_asked_once_and_a_stranger_sees_nothing},
          {"a press in a Home is a press on a card", a_press_in_a_home_is_a_press_on_a_card},
          {"a refusal is shown over the Home once", a_refusal_is_shown_over_the_home_once},
          {"pages are turned without a record", pages_are_turned_without_a_record},
          {"a Home that is stopped calls nobody", a_home_that_is_stopped_calls_nobody})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_owed.c: proves approvald/slack/inbound/inbound_owed: whoever's press could not be stored in
 * time is told when the store works again, once, and not when it was accepted meanwhile. Owns
 * nothing but its cases; the service and its store are real, Slack is fake_fetch. */
#include "approvald/core/request_id.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "base/metrics.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ANA "U0APR00001"
#define BEN "U0APR00002"
#define TS1 "1799999990.000100"
#define TS2 "1799999991.000100"

/* Jobs that take every place of the service, so that nothing more can be stored. */
struct filling {
    uint32_t left; /* not yet answered */
    bool done;
};

static void on_filler(void *arg, enum err_code rc, const struct err *err)
{
    struct filling *filling = arg;

    (void)rc; /* a job that takes a place is all that is wanted of it */
    (void)err;
    filling->left--;
    filling->done = filling->left == 0;
}

static void fill(struct bench *bench, struct filling *filling)
{
    struct service_note note = {.actor = {.kind = ACTOR_SYSTEM, .via = VIA_SLACK},
                                .action = SPAN_LITERAL("fill")};
    struct err err = ERR_INIT;

    *filling = (struct filling){.left = 0};
    while (service_note(bench->kit.service, &note, on_filler, filling, &err) == ERR_OK) {
        filling->left++;
    }
    CU_ASSERT_EQUAL(err.code, ERR_FULL);
    CU_ASSERT(filling->left > 0);
}

static void drain(struct bench *bench, const struct filling *filling)
{
    service_kit_wait(&bench->kit, &filling->done);
    bench_turn(bench);
}

/* Time goes by, and it is looked at who is owed. */
static void look(struct bench *bench, uint64_t ms)
{
    service_kit_pass(&bench->kit, ms);
    inbound_on_owed(-1, 0, bench->inbound);
    bench_turn(bench);
}

static uint64_t ended(const struct bench *bench, enum owed_end end)
{
    return metric_value(bench->inbound->owed_ends[end]);
}

static void press_in_vain(struct bench *bench, const char *user, const char *ts)
{
    bench_interact_only(bench, bench_press_json(user, "approve", bench->id_text, ts));
    CU_ASSERT(bench->reply.done);
    CU_ASSERT_EQUAL(bench->reply.status, 503);
}

/* The store is full, and ANA has pressed. */
static void open_in_vain(struct bench *bench, struct filling *filling)
{
    bench_open(bench);
    bench_know(bench, ANA, "");
    fill(bench, filling);
    press_in_vain(bench, ANA, TS1);
}

static void whoever_could_not_be_stored_is_told_when_the_store_works_again(void)
{
    struct bench bench;
    struct filling filling;

    open_in_vain(&bench, &filling);
    service_kit_pass(&bench.kit, SLACK_OWED_HTTP_MS);
    inbound_on_owed(-1, 0, bench.inbound); /* the store does not work yet */
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    drain(&bench, &filling);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT(bench_call_says("chat.postEphemeral", "Your press was not taken"));
    CU_ASSERT(bench_call_says("chat.postEphemeral", "\"user\":\"" ANA "\""));
    CU_ASSERT(bench_call_says("chat.postEphemeral", "\"channel\":\"C0APV00001\""));
    CU_ASSERT(fake_fetch_ok("chat.postEphemeral", "{\"ok\":true}"));
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral")); /* once */
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    bench_close(&bench);
}

static void a_repeated_delivery_that_is_accepted_settles_it(void)
{
    struct bench bench;
    struct filling filling;

    open_in_vain(&bench, &filling);
    press_in_vain(&bench, ANA, TS1); /* the same one again: one debt */
    drain(&bench, &filling);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    look(&bench, SLACK_OWED_SOCKET_MS);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    CU_ASSERT_EQUAL(ended(&bench, OWED_ACCEPTED), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_close(&bench);
}

/* Another press of the same person is another act. */
static void another_press_does_not_settle_it(void)
{
    struct bench bench;
    struct filling filling;

    open_in_vain(&bench, &filling);
    drain(&bench, &filling);
    bench_interact(&bench, bench_press_json(BEN, "reject", bench.id_text, TS2));
    look(&bench, SLACK_OWED_HTTP_MS);
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 1);
    bench_close(&bench);
}

/* Past the budget the work goes on: as long as it does nobody says that it was not taken. */
static void a_press_that_is_late_and_stored_is_not_told_of(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    bench_late(&bench);
    service_kit_pass(&bench.kit, SLACK_OWED_SOCKET_MS);
    inbound_on_owed(-1, 0, bench.inbound);
    bench_turn(&bench);
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 0);
    CU_ASSERT_EQUAL(ended(&bench, OWED_ACCEPTED), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_close(&bench);
}

/* The late answer of a command reaches nobody. */
static void a_command_that_is_late_is_told_of(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_command_only(&bench, ANA, "list");
    CU_ASSERT_FALSE(bench.reply.done);
    bench_late(&bench);
    bench_turn(&bench);
    look(&bench, SLACK_OWED_HTTP_MS);
    CU_ASSERT(bench_call_says("chat.postMessage", "write the command again")); /* of no channel */
    CU_ASSERT(bench_call_says("chat.postMessage", "\"channel\":\"" ANA "\""));
    bench_close(&bench);
}

static void who_finds_no_place_is_told_too(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    for (size_t i = 0; i < SLACK_INFLIGHT_COUNT_MAX; i++) {
        bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    }
    press_in_vain(&bench, BEN, TS2);
    CU_ASSERT_EQUAL(metric_value(bench.inbound->refused[INBOUND_FULL]), 1);
    bench_turn(&bench);
    look(&bench, SLACK_OWED_HTTP_MS);
    CU_ASSERT(bench_call_says("chat.postEphemeral", "\"user\":\"" BEN "\""));
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 1);
    bench_close(&bench);
}

static void memory_is_bounded_and_old_news_is_dropped(void)
{
    struct bench bench;
    struct filling filling;
    char ts[32];

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    fill(&bench, &filling);
    for (uint32_t i = 0; i <= SLACK_OWED_COUNT_MAX; i++) {
        (void)snprintf(ts, sizeof ts, "1799999990.%06u", i);
        press_in_vain(&bench, ANA, ts);
    }
    CU_ASSERT_EQUAL(ended(&bench, OWED_LOST), 1);
    service_kit_pass(&bench.kit, SLACK_OWED_LIFE_MS);
    inbound_on_owed(-1, 0, bench.inbound);
    CU_ASSERT_EQUAL(ended(&bench, OWED_LOST), SLACK_OWED_COUNT_MAX + 1);
    drain(&bench, &filling);
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    bench_close(&bench);
}

/* More than can be said at once: the others a look later. */
static void many_are_told_one_after_another(void)
{
    const uint32_t many = 2 * SLACK_SAYING_COUNT_MAX;
    struct bench bench;
    struct filling filling;
    char ts[32];

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    fill(&bench, &filling);
    for (uint32_t i = 0; i < many; i++) {
        (void)snprintf(ts, sizeof ts, "1799999990.%06u", i);
        press_in_vain(&bench, ANA, ts);
    }
    drain(&bench, &filling);
    /* As fast as Slack's rates let calls go. */
    for (uint32_t round = 0; round < 100 && ended(&bench, OWED_TOLD) < many; round++) {
        look(&bench, SLACK_OWED_LOOK_MS);
        while (fake_fetch_ok("chat.postEphemeral", "{\"ok\":true}") ||
               fake_fetch_ok("chat.postMessage", "{\"ok\":true}")) {
            bench_turn(&bench);
        }
    }
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), many);
    bench_close(&bench);
}

static void who_cannot_be_told_now_is_told_later(void)
{
    struct bench bench;
    struct filling filling;
    struct err err = ERR_INIT;

    open_in_vain(&bench, &filling);
    service_kit_pass(&bench.kit, SLACK_OWED_HTTP_MS);
    drain(&bench, &filling);
    webapi_mark_dead(bench.webapi, "token_revoked"); /* it takes no call */
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 0);
    CU_ASSERT_EQUAL(webapi_set_token(bench.webapi, SPAN_LITERAL("xoxb-new"), &err), ERR_OK);
    look(&bench, SLACK_OWED_LOOK_MS);
    CU_ASSERT(bench_call_says("chat.postEphemeral", "Your press was not taken"));
    CU_ASSERT_EQUAL(ended(&bench, OWED_TOLD), 1);
    bench_close(&bench);
}

UNIT_MAIN("owed",
          {"whoever could not be stored is told when the store works again",
           whoever_could_not_be_stored_is_told_when_the_store_works_again},
          {"a repeated delivery that is accepted settles it",
           a_repeated_delivery_that_is_accepted_settles_it},
          {"another press does not settle it", another_press_does_not_settle_it},
          {"a press that is late and stored is not told of",
           a_press_that_is_late_and_stored_is_not_told_of},
          {"a command that is late is told of", a_command_that_is_late_is_told_of},
          {"who finds no place is told too", who_finds_no_place_is_told_too},
          {"memory is bounded and old news is dropped", memory_is_bounded_and_old_news_is_dropped},
          {"many are told one after another", many_are_told_one_after_another},
          {"who cannot be told now is told later", who_cannot_be_told_now_is_told_later})

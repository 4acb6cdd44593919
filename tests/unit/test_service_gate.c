/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_gate.c: proves windows of time and freezes through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "storage/storage.h"
#include "tests/unit/freeze_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* A policy that is open at every hour of UTC but the present one: the kit's clock stands still. */
static const char *shut_now(const struct service_kit *kit, const char *more)
{
    static char text[512];
    unsigned hour = (unsigned)(kit->now_ms / HOUR % 24);

    (void)snprintf(text, sizeof text,
                   "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} "
                   "break_glass = {\"U0ASKER\"} lapses_after = 1m "
                   "windows = {\"daily %02u:00-%02u:00\"} %s }",
                   (hour + 1) % 24, hour == 0 ? 24 : hour, more);
    return text;
}

static uint64_t next_hour(const struct service_kit *kit)
{
    return (kit->now_ms / HOUR + 1) * HOUR;
}

static void a_claim_waits_for_its_window_and_then_serves(void)
{
    struct service_kit kit;
    struct request_id id;
    struct kit_answer answer;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    answer = kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.lapses_ms, next_hour(&kit) + 60000); /* it does not lapse before */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT(answer.rc == ERR_CONFLICT && answer.refusal == REFUSAL_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "It opens "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, ":00:00Z."));
    service_kit_pass(&kit, next_hour(&kit) - kit.now_ms);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void a_policy_may_refuse_to_be_asked(void)
{
    struct service_kit kit;
    struct kit_answer answer;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit, shut_now(&kit, "outside_windows = refuse"), false, false).rc, ERR_OK);
    answer = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "It opens "));
    service_kit_pass(&kit, next_hour(&kit) - kit.now_ms);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void who_breaks_the_glass_needs_no_window(void)
{
    struct service_kit kit;
    struct request_id id;
    struct service_decide press;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    press = kit_press(&id, "U0ASKER", VERDICT_GLASS, NULL);
    press.reason = SPAN_LITERAL("down");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void what_never_opens_is_refused_when_it_is_applied(void)
{
    static const char *const bad[] = {
        POLICY("windows = {\"mon 09:00-09:00\"}"),
        POLICY("windows = {\"someday 09:00-10:00\"}"),
        POLICY("windows = {\"mon 09:00-10:00\"} time_zone = \"Nowhere/At_All\""),
        POLICY("windows = {\"mon 09:00-10:00\"} time_zone = \"../../etc/passwd\""),
        POLICY("time_zone = \"Europe/Berlin\""),
        POLICY("outside_windows = sometimes"),
    };
    struct service_kit kit;

    service_kit_open(&kit);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kit_answer answer = kit_apply(&kit, bad[i], false, false);

        CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
        CU_ASSERT(strstr(answer.message, "window") != NULL ||
                  strstr(answer.message, "time_zone") != NULL);
    }
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").refusal, REFUSAL_UNKNOWN_POLICY);
    service_kit_close(&kit);
}

static void a_freeze_between_approval_and_claim_counts(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", HOUR / 2);
    struct kit_answer answer;

    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_restart(&kit); /* it is in the store */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_FROZEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "change freeze x-mas holds"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, &id).actions, "held"));
    service_kit_pass(&kit, HOUR / 2);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void a_removed_freeze_is_gone_at_once(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", DAY);

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK); /* the same again */
    freeze.to_ms++;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_EXISTS);
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_FROZEN);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, NULL).actions, "freeze_added"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, NULL).actions, "freeze_removed"));
    service_kit_close(&kit);
}

static enum err_code damage_freeze(struct storage_txn *txn, void *arg, struct err *err)
{
    (void)arg; /* the answer */
    return storage_put(txn, 'f', SPAN_LITERAL("x-mas"), SPAN_LITERAL("damaged"), err);
}

static void damage(struct service_kit *kit)
{
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(storage_write(kit->storage, damage_freeze, kit_on_done, &answer, NULL), ERR_OK);
    service_kit_wait(kit, &answer.done);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
}

struct listed {
    bool done;
    size_t count;
    bool damaged;
};

static void on_listed(void *arg,
                      enum err_code rc,
                      const struct err *err,
                      const struct freeze *freezes,
                      size_t count,
                      uint64_t now_ms)
{
    struct listed *listed = arg;

    (void)err; /* rc is looked at */
    (void)now_ms;
    CU_ASSERT_EQUAL(rc, ERR_OK);
    listed->done = true;
    listed->count = count;
    listed->damaged = count > 0 && freezes[count - 1].damaged && /* the last one by name */
                      span_is(freezes[count - 1].name, "x-mas");
}

static void
on_gate(void *arg, enum err_code rc, const struct err *err, const struct service_gate *gate)
{
    struct listed *listed = arg;

    (void)err; /* rc is looked at */
    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    listed->done = true;
    listed->damaged = gate->unknown && span_is(gate->hold.freeze, "x-mas");
}

/* What it says is not known, so it may hold; but nobody's decision needs to know. */
static void a_damaged_freeze_stops_claims_and_nothing_else(void)
{
    struct service_kit kit;
    struct request_id id = ask(
        &kit, POLICY("expires_after = 10m") "policy careful { channel = \"C0CARDS\" approvers = "
                                            "{\"U0ANN\"}\n"
                                            "  expires_after = 1h takes_effect_after = 10m }\n");
    struct request_id brief = kit_create(&kit, "deploy", "brief").id;
    struct request_id delayed = kit_create(&kit, "careful", "").id;
    struct request_id other;
    struct freeze freeze = freeze_of(&kit, "a", CORE_MINUTE_MS);
    struct listed listed = {.done = false};
    struct kit_answer answer;

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    damage(&kit);
    service_kit_restart(&kit);
    (void)kit_approve(&kit, &delayed, "U0ANN");
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").state, REQUEST_APPROVED);
    other = kit_create(&kit, "deploy", "other").id;
    CU_ASSERT_EQUAL(kit_cancel(&kit, &other).state, REQUEST_CANCELLED);
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT_EQUAL(answer.rc, ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "x-mas"));
    service_kit_tick(&kit);
    CU_ASSERT(service_deadline_ms(kit.service) <= freeze.to_ms); /* the other one's end */
    service_kit_pass(&kit, 10 * CORE_MINUTE_MS);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &brief).state, REQUEST_EXPIRED);
    CU_ASSERT_EQUAL(kit_get(&kit, &delayed).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &delayed, "k").rc, ERR_UNAVAILABLE);

    CU_ASSERT_EQUAL(service_freeze_list(kit.service, on_listed, &listed, NULL), ERR_OK);
    service_kit_wait(&kit, &listed.done);
    CU_ASSERT(listed.count == 2 && listed.damaged);
    listed = (struct listed){.done = false};
    CU_ASSERT_EQUAL(service_gate(kit.service, SPAN_LITERAL("deploy"), on_gate, &listed, NULL),
                    ERR_OK);
    service_kit_wait(&kit, &listed.done);
    CU_ASSERT_TRUE(listed.damaged);
    freeze = freeze_of(&kit, "x-mas", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_EXISTS);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &delayed, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

/* A lost answer may be asked for again, whatever has come since; so may what there is to say of
 * what was never approved. */
static void what_was_claimed_is_answered_whatever_is_damaged(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct request_id pending = kit_create(&kit, "deploy", "pending").id;

    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    damage(&kit);
    CU_ASSERT(kit_claim(&kit, &id, "k").replayed);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "other").refusal, REFUSAL_CLAIMED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &pending, "k").refusal, REFUSAL_NOT_APPROVED);
    CU_ASSERT_EQUAL(kit_consume(&kit, &id, 0).use, USE_CONSUMED);
    service_kit_close(&kit);
}

/* It is not one of those that are over. */
static void a_damaged_freeze_makes_no_room(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze;
    char name[16];

    damage(&kit);
    (void)kit_approve(&kit, &id, "U0ANN");
    for (unsigned i = 1; i < CORE_FREEZE_COUNT_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        freeze = freeze_of(&kit, name, 1);
        CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    }
    service_kit_pass(&kit, 1);
    freeze = freeze_of(&kit, "more", 1);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_pass(&kit, 1);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").rc, ERR_UNAVAILABLE);
    service_kit_close(&kit);
}

static void only_a_broken_glass_passes_and_not_every_freeze(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY("break_glass = {\"U0ASKER\"}"));
    struct service_decide press = kit_press(&id, "U0ASKER", VERDICT_GLASS, NULL);
    struct freeze freeze = freeze_of(&kit, "soft", DAY);

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    press.reason = SPAN_LITERAL("down");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    freeze = freeze_of(&kit, "hard", HOUR / 2);
    freeze.glass_passes = false;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_FROZEN);
    service_kit_pass(&kit, HOUR / 2);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void there_is_room_when_the_old_ones_are_over(void)
{
    struct service_kit kit;
    struct freeze freeze;
    char name[16];

    service_kit_open(&kit);
    for (unsigned i = 0; i < CORE_FREEZE_COUNT_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        freeze = freeze_of(&kit, name, HOUR);
        CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    }
    freeze = freeze_of(&kit, "more", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_FULL);
    service_kit_pass(&kit, HOUR);
    freeze = freeze_of(&kit, "more", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_close(&kit);
}

static void a_clock_that_was_ahead_does_not_shut_what_it_opened(void)
{
    struct service_kit kit;
    struct request_id id;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    (void)kit_approve(&kit, &id, "U0ANN");
    kit.jump_ms = (int64_t)(next_hour(&kit) - kit.now_ms); /* records have the host's time … */
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "").use, USE_CLAIMED);
    kit.jump_ms = 0; /* … which never goes back */
    id = kit_create(&kit, "deploy", "two").id;
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "").use, USE_CLAIMED);
    service_kit_close(&kit);
}

UNIT_MAIN("service_gate",
          {"a claim waits for its window, and then serves",
           a_claim_waits_for_its_window_and_then_serves},
          {"a policy may refuse to be asked", a_policy_may_refuse_to_be_asked},
          {"who breaks the glass needs no window", who_breaks_the_glass_needs_no_window},
          {"what never opens is refused when it is applied",
           what_never_opens_is_refused_when_it_is_applied},
          {"a freeze between approval and claim counts",
           a_freeze_between_approval_and_claim_counts},
          {"a removed freeze is gone at once", a_removed_freeze_is_gone_at_once},
          {"a damaged freeze stops claims and nothing else",
           a_damaged_freeze_stops_claims_and_nothing_else},
          {"what was claimed is answered, whatever is damaged",
           what_was_claimed_is_answered_whatever_is_damaged},
          {"a damaged freeze makes no room", a_damaged_freeze_makes_no_room},
          {"only a broken glass passes, and not every freeze",
           only_a_broken_glass_passes_and_not_every_freeze},
          {"there is room when the old ones are over", there_is_room_when_the_old_ones_are_over},
          {"a clock that was ahead does not shut what it opened",
           a_clock_that_was_ahead_does_not_shut_what_it_opened})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_waiting.c: proves through service.h, on a real store, that what was accepted before
 * an end counts before it: over restarts and jumps of the clock, and that no end waits for ever.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/core/request_id.h"
#include "storage/storage.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define POLICIES                                                                                   \
    "policy careful { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\", \"U0CAT\"}\n"       \
    "  expires_after = 1h takes_effect_after = 10m }\n"                                            \
    "policy brief { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\", \"S0GROUP\"}\n"       \
    "  expires_after = 10m }\n"
#define MINUTE CORE_MINUTE_MS

static const struct facts nothing = {.user_known = false};
static const struct facts known = {.user_known = true};
static const struct facts guest = {.user_known = true, .guest = true};

static struct request_id open_with(struct service_kit *kit, const char *policy)
{
    struct kit_answer made = kit_open_asked(kit, POLICIES, policy);

    service_kit_tick(kit);
    return made.id;
}

/* Accepted; who it is Slack has not said. */
static void press_as(struct service_kit *kit,
                     const struct request_id *id,
                     const char *user,
                     enum verdict verdict,
                     const char *event)
{
    struct service_decide press = kit_press(id, user, verdict, event);
    struct kit_answer answer;

    press.facts = nothing;
    answer = kit_decide(kit, &press);
    CU_ASSERT(answer.rc == ERR_OK && answer.deferred);
}

static void press_unknown(struct service_kit *kit,
                          const struct request_id *id,
                          const char *user,
                          enum verdict verdict)
{
    char event[REQUEST_ID_TEXT_SIZE];

    request_id_format(id, event);
    press_as(kit, id, user, verdict, event);
}

static void a_stop_that_was_accepted_in_time_counts_whenever_it_is_resolved(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "careful");

    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    service_kit_run(&kit, 9);
    press_unknown(&kit, &id, "U0BOB", VERDICT_REJECT);
    service_kit_run(&kit, 2);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_NOT_APPROVED);
    service_kit_restart(&kit); /* the other host sees the same inbox */
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(kit_resolve(&kit, 1, &known, false).state, REQUEST_REJECTED);
    service_kit_run(&kit, 2);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_REJECTED);
    service_kit_close(&kit);
}

/* Who it turns out to be may not stop it, or nobody says who he is: then it ends at once. */
static void a_stop_of_nobody_only_delays_the_effect(void)
{
    static const struct {
        const struct facts *facts;
        bool give_up;
        enum refusal refusal;
    } ends[] = {{&guest, false, REFUSAL_GUEST}, {&nothing, true, REFUSAL_FACTS_UNKNOWN}};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct service_kit kit;
        struct request_id id = open_with(&kit, "careful");
        uint64_t now_ms;

        CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
        service_kit_run(&kit, 9);
        press_unknown(&kit, &id, "U0BOB", VERDICT_REJECT);
        service_kit_run(&kit, 2);
        CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
        now_ms = atomic_load(&kit.now_ms);
        CU_ASSERT_EQUAL(kit_resolve(&kit, 1, ends[i].facts, ends[i].give_up).refusal,
                        ends[i].refusal);
        CU_ASSERT(service_deadline_ms(kit.service) <= now_ms); /* the next tick comes at once */
        service_kit_tick(&kit);
        CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_APPROVED);
        service_kit_close(&kit);
    }
}

static void an_approval_that_was_accepted_in_time_does_not_expire(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "brief");

    service_kit_run(&kit, 9);
    press_unknown(&kit, &id, "U0ANN", VERDICT_APPROVE);
    service_kit_run(&kit, 2);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOB").refusal, REFUSAL_EXPIRED); /* he is too late */
    CU_ASSERT_EQUAL(kit_cancel(&kit, &id).refusal, REFUSAL_EXPIRED);
    CU_ASSERT_EQUAL(kit_resolve(&kit, 1, &known, false).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

/* The inbox may be lost for the worker, whatever the reason; requests end all the same. */
static void an_entry_that_nobody_resolves_keeps_no_request_open(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "brief");

    service_kit_run(&kit, 9);
    press_unknown(&kit, &id, "U0ANN", VERDICT_APPROVE);
    service_kit_run(&kit, 10);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    service_kit_run(&kit, 2);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_EXPIRED);
    CU_ASSERT_EQUAL(kit_resolve(&kit, 1, &known, false).refusal, REFUSAL_EXPIRED);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 0);
    service_kit_close(&kit);
}

/* More of them than one tick handles must not stand in the way of the one behind them. */
static void those_that_wait_keep_no_other_from_ending(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "brief");
    struct request_id last;

    press_unknown(&kit, &id, "U0ANN", VERDICT_APPROVE);
    for (int i = 0; i < 70; i++) {
        id = kit_create(&kit, "brief", "").id;
        press_unknown(&kit, &id, "U0ANN", VERDICT_APPROVE);
    }
    service_kit_pass(&kit, 1);
    last = kit_create(&kit, "brief", "").id;
    service_kit_pass(&kit, 11 * MINUTE);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(kit_get(&kit, &last).state, REQUEST_EXPIRED);
    CU_ASSERT(service_deadline_ms(kit.service) > atomic_load(&kit.now_ms)); /* nobody spins */
    service_kit_close(&kit);
}

/* The index of the presses 1 to count on the request, which are not in the inbox any more. */
struct stale {
    struct kit_answer answer;
    struct request_id id;
    unsigned count;
};

static enum err_code leave_stale(struct storage_txn *txn, void *arg, struct err *err)
{
    struct stale *stale = arg;
    uint8_t key[REQUEST_ID_SIZE + 9] = {0};
    enum err_code rc = ERR_OK;

    memcpy(key, stale->id.bytes, REQUEST_ID_SIZE);
    key[REQUEST_ID_SIZE] = VERDICT_APPROVE;
    for (unsigned seq = 1; rc == ERR_OK && seq <= stale->count; seq++) {
        key[sizeof key - 2] = (uint8_t)(seq >> 8);
        key[sizeof key - 1] = (uint8_t)seq;
        rc = storage_put(txn, 'w', span_of(key, sizeof key), SPAN_LITERAL("\1"), err);
    }
    return rc;
}

static void on_stale(void *arg, enum err_code rc, const struct err *err)
{
    kit_on_done(&((struct stale *)arg)->answer, rc, err);
}

/* An older approvald resolved many presses on the request, and knows of no index: what counts is
 * behind all that it left. */
static void an_index_that_is_left_behind_hides_no_press(void)
{
    static const unsigned counts[] = {7, 8, 9, 16, 300};

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct service_kit kit;
        struct stale stale = {.id = open_with(&kit, "brief"), .count = counts[i]};
        char user[16];

        for (unsigned seq = 1; seq <= counts[i]; seq++) {
            (void)snprintf(user, sizeof user, "U0X%u", seq);
            press_as(&kit, &stale.id, user, VERDICT_APPROVE, user);
            CU_ASSERT_EQUAL(kit_resolve(&kit, seq, &guest, false).refusal, REFUSAL_GUEST);
        }
        CU_ASSERT_EQUAL_FATAL(storage_write(kit.storage, leave_stale, on_stale, &stale, NULL),
                              ERR_OK);
        service_kit_wait(&kit, &stale.answer.done);
        press_unknown(&kit, &stale.id, "U0ANN", VERDICT_APPROVE);
        service_kit_run(&kit, 11);
        CU_ASSERT_EQUAL(kit_get(&kit, &stale.id).state, REQUEST_PENDING);
        CU_ASSERT_EQUAL(kit_resolve(&kit, counts[i] + UINT64_C(1), &known, false).state,
                        REQUEST_APPROVED);
        service_kit_close(&kit);
    }
}

/* The wall clock is an hour ahead at once: the press came before the end all the same. */
static void a_jump_ahead_takes_no_press_away(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "brief");

    service_kit_run(&kit, 5);
    press_unknown(&kit, &id, "U0ANN", VERDICT_APPROVE);
    kit.jump_ms = (int64_t)(60 * MINUTE);
    service_kit_run(&kit, 1);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_resolve(&kit, 1, &known, false).state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

UNIT_MAIN("service_waiting",
          {"a stop that was accepted in time counts whenever it is resolved",
           a_stop_that_was_accepted_in_time_counts_whenever_it_is_resolved},
          {"a stop of nobody only delays the effect", a_stop_of_nobody_only_delays_the_effect},
          {"an approval that was accepted in time does not expire",
           an_approval_that_was_accepted_in_time_does_not_expire},
          {"an entry that nobody resolves keeps no request open",
           an_entry_that_nobody_resolves_keeps_no_request_open},
          {"those that wait keep no other from ending", those_that_wait_keep_no_other_from_ending},
          {"an index that is left behind hides no press",
           an_index_that_is_left_behind_hides_no_press},
          {"a jump ahead takes no press away", a_jump_ahead_takes_no_press_away})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_prune.c: proves that a wall clock that jumps ahead prunes nothing, and that
 * nothing is left of what is pruned, through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/service/cards.h"
#include "approvald/service/freezes.h"
#include "approvald/service/limits.h"
#include "base/metrics.h"
#include "storage/storage.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define POLICIES                                                                                   \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} }\n"                            \
    "policy ever { channel = \"C0CARDS\" approvers = {\"U0ANN\"} lapses_after = 0s }\n"            \
    "policy told { channel = \"C0CARDS\" approvers = {\"S0MANY\"} direct_approvers = true\n"       \
    "  expires_after = 1h remind_before = 10m }\n"                                                 \
    "retention { requests = 2d audit = 3d }"
#define HOUR_MS  (60 * CORE_MINUTE_MS)
#define JUMP_MS  (int64_t)(100 * CORE_DAY_MS)
#define SHORT_MS (int64_t)(5 * CORE_DAY_MS)

/* A store with a request that was cancelled now, and a tick that saw the right time. */
static struct request_id open_with_ended(struct service_kit *kit)
{
    struct kit_answer made = kit_open_asked(kit, POLICIES, "deploy");

    CU_ASSERT_EQUAL(kit_cancel(kit, &made.id).rc, ERR_OK);
    service_kit_tick(kit);
    return made.id;
}

static uint64_t ahead_s(struct service_kit *kit)
{
    return metric_value(metrics_add(kit->metrics, METRIC_GAUGE,
                                    "approvald_pruning_paused_ahead_seconds", NULL, ""));
}

static bool is_there(struct service_kit *kit, const struct request_id *id)
{
    return kit_get(kit, id).refusal != REFUSAL_UNKNOWN_REQUEST;
}

static void a_jump_prunes_nothing_and_the_right_time_goes_on(void)
{
    struct service_kit kit;
    struct request_id old = open_with_ended(&kit);
    struct kit_audit audit;

    kit.jump_ms = JUMP_MS;
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), (uint64_t)JUMP_MS / 1000 + 60);
    kit.jump_ms = 0;
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), 0);
    /* The time of records stays ahead; retention counts by the right time. */
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT(is_there(&kit, &old));
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT_FALSE(is_there(&kit, &old));
    audit = kit_audit(&kit, NULL);
    CU_ASSERT(audit.sound);
    service_kit_close(&kit);
}

static void a_clock_that_is_wrong_at_the_start_prunes_nothing(void)
{
    struct service_kit kit;
    struct request_id old = open_with_ended(&kit);

    kit.jump_ms = JUMP_MS;
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    CU_ASSERT(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), (uint64_t)JUMP_MS / 1000);
    service_kit_tick_after(&kit, HOUR_MS);
    CU_ASSERT(is_there(&kit, &old));
    service_kit_close(&kit);
}

static void a_jump_is_believed_in_the_end_and_a_restart_does_not_begin_anew(void)
{
    struct service_kit kit;
    struct request_id old = open_with_ended(&kit);
    uint64_t passed = 0;

    kit.jump_ms = SHORT_MS;
    while (passed + HOUR_MS < (uint64_t)SHORT_MS) {
        service_kit_tick_after(&kit, HOUR_MS);
        passed += HOUR_MS;
        CU_ASSERT(is_there(&kit, &old));
        if (passed == 48 * HOUR_MS) {
            service_kit_restart(&kit);
            service_kit_tick(&kit);
        }
    }
    service_kit_tick_after(&kit, HOUR_MS);
    CU_ASSERT_FALSE(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), 0);
    service_kit_close(&kit);
}

/* Twenty more people get a copy. */
static void give(struct service_kit *kit, const struct request_id *id, uint32_t first)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;
    char names[CORE_DIRECT_COUNT_MAX][8];
    struct span users[CORE_DIRECT_COUNT_MAX];

    for (uint32_t i = 0; i < CORE_DIRECT_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "U0P%u", first + i);
        users[i] = span_text(names[i]);
    }
    CU_ASSERT_EQUAL_FATAL(service_cards_give(kit->service, id, users, CORE_DIRECT_COUNT_MAX,
                                             kit_on_done, &answer, &err),
                          ERR_OK);
    service_kit_wait(kit, &answer.done);
}

static void with_a_request_goes_all_that_was_owed_about_it(void)
{
    struct service_kit kit;
    struct request_id old = open_with_ended(&kit);
    struct kit_answer made = kit_create(&kit, "told", "");
    struct kit_answer other;

    give(&kit, &made.id, 0);
    give(&kit, &made.id, CORE_DIRECT_COUNT_MAX);
    service_kit_tick_after(&kit, 50 * CORE_MINUTE_MS); /* and each is reminded */
    CU_ASSERT(service_outbox_depth(kit.service) > UINT64_C(2) * CORE_COPY_COUNT_MAX);
    CU_ASSERT_EQUAL(kit_cancel(&kit, &made.id).rc, ERR_OK);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    other = kit_create(&kit, "deploy", "other"); /* what is owed about it stays */
    service_kit_tick_after(&kit, CORE_DAY_MS);
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT_FALSE(is_there(&kit, &old));
    CU_ASSERT_FALSE(is_there(&kit, &made.id));
    CU_ASSERT(is_there(&kit, &other.id));
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), kit_owed(&kit, &other.id, false).count);
    service_kit_close(&kit);
}

/* Everybody pressed who may not: more answers are owed than one piece of the work deletes. */
static void what_is_too_much_for_one_piece_is_pruned_in_several(void)
{
    struct service_kit kit;
    struct kit_answer made;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, POLICIES, false, false).rc, ERR_OK);
    made = kit_create(&kit, "deploy", "");
    for (uint32_t i = 0; i < 3 * SERVICE_WORK_COUNT_MAX / 2; i++) {
        struct service_decide press;
        char user[16];

        (void)snprintf(user, sizeof user, "U0P%u", i);
        press = kit_press(&made.id, user, VERDICT_APPROVE, user);
        CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_NOT_APPROVER);
    }
    CU_ASSERT(service_outbox_depth(kit.service) > SERVICE_WORK_COUNT_MAX);
    CU_ASSERT_EQUAL(kit_cancel(&kit, &made.id).rc, ERR_OK);
    service_kit_tick(&kit);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT(is_there(&kit, &made.id));
    service_kit_tick_after(&kit, CORE_DAY_MS);
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT_FALSE(is_there(&kit, &made.id));
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 0);
    service_kit_close(&kit);
}

/* It can be used from the end of the freeze on, and never lapses. */
static void what_may_not_be_used_yet_is_kept(void)
{
    struct service_kit kit;
    struct request_id old = open_with_ended(&kit);
    struct request_id id = kit_create(&kit, "ever", "held").id;
    const struct freeze freeze = {.name = SPAN_LITERAL("x-mas"),
                                  .from_ms = kit.now_ms,
                                  .to_ms = kit.now_ms + 10 * CORE_DAY_MS,
                                  .reason = SPAN_LITERAL("stocktaking")};
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(service_freeze_add(kit.service, &kit_root, &freeze, kit_on_done, &answer, NULL),
                    ERR_OK);
    service_kit_wait(&kit, &answer.done);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").state, REQUEST_APPROVED);
    for (int day = 0; day < 11; day++) {
        service_kit_tick_after(&kit, CORE_DAY_MS);
    }
    CU_ASSERT_FALSE(is_there(&kit, &old));
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "").use, USE_CLAIMED);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT(is_there(&kit, &id));
    service_kit_tick_after(&kit, CORE_DAY_MS);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT_FALSE(is_there(&kit, &id));
    service_kit_close(&kit);
}

/* A tick that has so much to end that it prunes nothing says what the one before has found. */
static void a_busy_tick_does_not_say_that_pruning_goes_on(void)
{
    struct service_kit kit;
    struct request_id nobody = {.bytes = {0}};
    uint64_t paused_s;

    (void)open_with_ended(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit,
                  "policy four { channels = {\"C0A\", \"C0B\", \"C0C\", \"C0D\"}\n"
                  "  approvers = {\"U0ANN\"} expires_after = 1m }\n",
                  false, false)
            .rc,
        ERR_OK);
    kit.jump_ms = JUMP_MS;
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    paused_s = ahead_s(&kit);
    CU_ASSERT(paused_s > 0);
    for (int i = 0; i < SERVICE_TICK_COUNT_MAX; i++) {
        (void)kit_create(&kit, "four", "");
    }
    service_kit_pass(&kit, CORE_MINUTE_MS);
    CU_ASSERT_EQUAL(service_tick(kit.service, NULL), ERR_OK);
    (void)kit_get(&kit, &nobody); /* behind the first of several */
    CU_ASSERT_EQUAL(ahead_s(&kit), paused_s);
    service_kit_close(&kit);
}

/* The index of presses by request: table 'w', id, u8 verdict, u64 seq. */
struct index_rows {
    struct kit_answer answer;
    struct request_id id;
    size_t count;
};

static enum err_code leave_index_rows(struct storage_txn *txn, void *arg, struct err *err)
{
    struct index_rows *rows = arg;
    uint8_t key[REQUEST_ID_SIZE + 9] = {0};
    enum err_code rc = ERR_OK;

    memcpy(key, rows->id.bytes, REQUEST_ID_SIZE);
    key[REQUEST_ID_SIZE] = VERDICT_APPROVE;
    for (uint8_t seq = 1; rc == ERR_OK && seq <= 100; seq++) {
        key[sizeof key - 1] = seq;
        rc = storage_put(txn, 'w', span_of(key, sizeof key), SPAN_LITERAL("\1"), err);
    }
    return rc;
}

static bool count_row(void *arg, struct span key, struct span value)
{
    struct index_rows *rows = arg;

    (void)key; /* of which request does not matter: there must be none */
    (void)value;
    rows->count++;
    return true;
}

static enum err_code count_index_rows(struct storage_txn *txn, void *arg, struct err *err)
{
    return storage_scan(txn, 'w', SPAN_NONE, false, count_row, arg, err);
}

static void on_index_rows(void *arg, enum err_code rc, const struct err *err)
{
    kit_on_done(&((struct index_rows *)arg)->answer, rc, err);
}

static size_t index_count(struct service_kit *kit)
{
    struct index_rows rows = {.count = 0};

    CU_ASSERT_EQUAL_FATAL(storage_read(kit->storage, count_index_rows, on_index_rows, &rows, NULL),
                          ERR_OK);
    service_kit_wait(kit, &rows.answer.done);
    CU_ASSERT_EQUAL(rows.answer.rc, ERR_OK);
    return rows.count;
}

/* An older approvald resolves presses and knows of no index: what it leaves there goes, too. */
static void with_a_request_goes_the_index_of_its_presses(void)
{
    struct service_kit kit;
    struct index_rows rows = {.id = open_with_ended(&kit)};

    CU_ASSERT_EQUAL_FATAL(storage_write(kit.storage, leave_index_rows, on_index_rows, &rows, NULL),
                          ERR_OK);
    service_kit_wait(&kit, &rows.answer.done);
    CU_ASSERT_EQUAL(index_count(&kit), 100);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT_EQUAL(index_count(&kit), 100);
    service_kit_tick_after(&kit, CORE_DAY_MS);
    service_kit_tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT_FALSE(is_there(&kit, &rows.id));
    CU_ASSERT_EQUAL(index_count(&kit), 0);
    service_kit_close(&kit);
}

UNIT_MAIN("service_prune",
          {"a jump prunes nothing and the right time goes on",
           a_jump_prunes_nothing_and_the_right_time_goes_on},
          {"a clock that is wrong at the start prunes nothing",
           a_clock_that_is_wrong_at_the_start_prunes_nothing},
          {"a jump is believed in the end and a restart does not begin anew",
           a_jump_is_believed_in_the_end_and_a_restart_does_not_begin_anew},
          {"with a request goes all that was owed about it",
           with_a_request_goes_all_that_was_owed_about_it},
          {"what is too much for one piece is pruned in several",
           what_is_too_much_for_one_piece_is_pruned_in_several},
          {"what may not be used yet is kept", what_may_not_be_used_yet_is_kept},
          {"a busy tick does not say that pruning goes on",
           a_busy_tick_does_not_say_that_pruning_goes_on},
          {"with a request goes the index of its presses",
           with_a_request_goes_the_index_of_its_presses})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_prune.c: proves that a wall clock that jumps ahead prunes nothing, through service.h
 * on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "base/metrics.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#define POLICIES                                                                                   \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} }\n"                            \
    "retention { requests = 2d audit = 3d }"
#define HOUR_MS  (60 * CORE_MINUTE_MS)
#define JUMP_MS  (int64_t)(100 * CORE_DAY_MS)
#define SHORT_MS (int64_t)(5 * CORE_DAY_MS)

/* A store with a request that was cancelled now, and a tick that saw the right time. */
static struct request_id open_with_ended(struct service_kit *kit)
{
    struct kit_answer made;

    service_kit_open(kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(kit, POLICIES, false, false).rc, ERR_OK);
    made = kit_create(kit, "deploy", "");
    CU_ASSERT_EQUAL(kit_cancel(kit, &made.id).rc, ERR_OK);
    service_kit_tick(kit);
    return made.id;
}

static void tick_after(struct service_kit *kit, uint64_t ms)
{
    service_kit_pass(kit, ms);
    service_kit_tick(kit);
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
    tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), (uint64_t)JUMP_MS / 1000 + 60);
    kit.jump_ms = 0;
    tick_after(&kit, CORE_MINUTE_MS);
    CU_ASSERT(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), 0);
    /* The time of records stays ahead; retention counts by the right time. */
    tick_after(&kit, CORE_DAY_MS);
    CU_ASSERT(is_there(&kit, &old));
    tick_after(&kit, CORE_DAY_MS);
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
    tick_after(&kit, HOUR_MS);
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
        tick_after(&kit, HOUR_MS);
        passed += HOUR_MS;
        CU_ASSERT(is_there(&kit, &old));
        if (passed == 48 * HOUR_MS) {
            service_kit_restart(&kit);
            service_kit_tick(&kit);
        }
    }
    tick_after(&kit, HOUR_MS);
    CU_ASSERT_FALSE(is_there(&kit, &old));
    CU_ASSERT_EQUAL(ahead_s(&kit), 0);
    service_kit_close(&kit);
}

UNIT_MAIN("service_prune",
          {"a jump prunes nothing and the right time goes on",
           a_jump_prunes_nothing_and_the_right_time_goes_on},
          {"a clock that is wrong at the start prunes nothing",
           a_clock_that_is_wrong_at_the_start_prunes_nothing},
          {"a jump is believed in the end and a restart does not begin anew",
           a_jump_is_believed_in_the_end_and_a_restart_does_not_begin_anew})

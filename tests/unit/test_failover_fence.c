/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_fence.c: proves when the failover core wants the other host switched off (E): only
 * where it may itself lead, and never of a host that is heard.
 * Owns nothing but its cases. Never runs an agent. */
#include "tests/unit/failover_unit.h"

static void unit_fence(struct kit *kit, uint8_t primary, const char *stores)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, primary, stores);

    options.linearizable = false;
    options.fences = true;
    kit_new(kit, &options);
    kit_start(kit, NULL);
    kit_up(kit, 1, 'A', 5, 100);
    kit_read(kit, &value);
    kit_read(kit, &value);
}

static void tell(struct kit *kit, enum failover_fence how, const char *reason)
{
    struct failover_event event = {.type = FAILOVER_EVENT_FENCE, .u.fence.how = how};

    (void)snprintf(event.u.fence.reason, sizeof(event.u.fence.reason), "%s", reason);
    kit_step(kit, &event);
}

/* The standby was in sync, has heard nothing for long enough, and the mirror would not change. */
static void unit_refused_standby(struct kit *kit)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct failover_link silence = kit_silence();

    unit_fence(kit, 2, "AB");
    kit_link(kit, &link);
    kit_link(kit, &silence);
    kit_wait(kit, 250);
    EXPECT(kit, "CAS 6 p1 A-");
    kit_cas(kit, FAILOVER_REFUSED, NULL);
}

static void a_standby_in_sync_wants_the_silent_primary_off(void)
{
    struct kit kit;

    unit_refused_standby(&kit);
    EXPECT(&kit, "FENCE on");
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    tell(&kit, FAILOVER_FENCE_RUNNING, "");
    EXPECT(&kit, "");
    kit_command(&kit, FAILOVER_PEER_OFF);
    CU_ASSERT(kit.cas_out); /* at once */
    CU_ASSERT_FALSE(kit.fence);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected");
    kit_free(&kit);
}

static void the_primary_goes_first(void)
{
    struct failover_link link = kit_peer('B', 5, 99, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_fence(&kit, 1, "AB");
    kit_link(&kit, &link);
    unit_win(&kit);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "CAS 7 p1 A-");
    CU_ASSERT_FALSE(kit.fence);
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    EXPECT(&kit, "FENCE on first");
    kit_free(&kit);
}

static void what_is_not_confirmed_needs_the_operator(void)
{
    struct kit kit;

    unit_refused_standby(&kit);
    tell(&kit, FAILOVER_FENCE_FAILED, "pdu: off: no answer");
    EXPECT(&kit, "ALARM operator");
    CU_ASSERT_STRING_EQUAL(kit.alarm_reasons[FAILOVER_ALARM_NEEDS_OPERATOR],
                           "not fenced: pdu: off: no answer; is the other host off? then "
                           "approvalctl peer-off");
    CU_ASSERT(kit.fence); /* it goes on trying */
    CU_ASSERT_FALSE(kit.cas_out);
    kit_free(&kit);
}

static void a_peer_that_was_stopped_is_waited_for_aloud(void)
{
    struct kit kit;

    unit_refused_standby(&kit);
    tell(&kit, FAILOVER_FENCE_WAITING, "");
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]); /* a restart is none of his */
    kit_wait(&kit, 200);
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    kit_wait(&kit, 2000);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_free(&kit);
}

static void a_host_that_has_started_fences_nobody(void)
{
    struct kit kit;

    unit_fence(&kit, 1, "AB");
    kit_wait(&kit, 5000);
    CU_ASSERT_FALSE(kit.fence);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_free(&kit);
    unit_fence(&kit, 1, "A-"); /* alone in the ISR it may seek, and is refused */
    CU_ASSERT(kit.cas_out);
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    EXPECT(&kit, "ALARM operator");
    CU_ASSERT_FALSE(kit.fence);
    kit_free(&kit);
}

static void a_standby_whose_approvald_was_restarted_fences_nobody(void)
{
    struct register_value value = kit_value(5, 2, "AB");
    struct kit kit;

    unit_refused_standby(&kit);
    CU_ASSERT(kit.fence);
    kit_down(&kit);
    CU_ASSERT_FALSE(kit.fence);
    kit_up(&kit, 2, 'A', 5, 100);
    if (kit.read_out) {
        kit_read(&kit, &value);
    }
    kit_wait(&kit, 5000);
    CU_ASSERT_FALSE(kit.fence);
    kit_free(&kit);
}

static void a_peer_that_is_heard_again_is_left_alone(void)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct failover_link standing = kit_silence();
    struct kit kit;

    unit_refused_standby(&kit);
    CU_ASSERT(kit.fence);
    kit_link(&kit, &link);
    CU_ASSERT_FALSE(kit.fence);
    kit_free(&kit);
    unit_refused_standby(&kit); /* silent, but its connection stands: the word would be refused */
    standing.up = true;
    kit_link(&kit, &standing);
    CU_ASSERT_FALSE(kit.fence);
    kit_free(&kit);
}

static void without_devices_the_operator_is_asked(void)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct failover_link silence = kit_silence();
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 2, "AB");
    struct kit kit;

    options.linearizable = false;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    kit_link(&kit, &link);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    EXPECT(&kit, "ALARM operator");
    CU_ASSERT_FALSE(kit.fence);
    kit_free(&kit);
}

static void a_device_in_trouble_is_an_alarm_before_it_is_needed(void)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct kit kit;

    unit_fence(&kit, 2, "AB");
    kit_link(&kit, &link);
    tell(&kit, FAILOVER_FENCE_TROUBLE, "pdu: status: no answer");
    EXPECT(&kit, "ALARM arbiter down");
    CU_ASSERT_STRING_EQUAL(kit.alarm_reasons[FAILOVER_ALARM_ARBITER_DOWN],
                           "fence device pdu: status: no answer: no failover");
    tell(&kit, FAILOVER_FENCE_READY, "");
    EXPECT(&kit, "OVER arbiter down");
    kit_free(&kit);
}

UNIT_MAIN("failover: fence",
          {"a standby in sync wants the silent primary off",
           a_standby_in_sync_wants_the_silent_primary_off},
          {"the primary goes first", the_primary_goes_first},
          {"what is not confirmed needs the operator", what_is_not_confirmed_needs_the_operator},
          {"a peer that was stopped is waited for aloud",
           a_peer_that_was_stopped_is_waited_for_aloud},
          {"a host that has started fences nobody", a_host_that_has_started_fences_nobody},
          {"a standby whose approvald was restarted fences nobody",
           a_standby_whose_approvald_was_restarted_fences_nobody},
          {"a peer that is heard again is left alone", a_peer_that_is_heard_again_is_left_alone},
          {"without devices the operator is asked", without_devices_the_operator_is_asked},
          {"a device in trouble is an alarm before it is needed",
           a_device_in_trouble_is_an_alarm_before_it_is_needed})

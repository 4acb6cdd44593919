/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy_routes.c: proves where a policy's requests are shown: which lists of channels are
 * valid, and that every change raises every copy.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/policy_routes.h"

#include "approvald/core/policy.h"
#include "base/buf.h"
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct policy routed(void)
{
    struct policy policy = policy_of(2);

    policy.more_channel_count = 2;
    policy.more_channels[0] = SPAN_LITERAL("C0MORE");
    policy.more_channels[1] = SPAN_LITERAL("G0MOST");
    policy.clocks.effect_after_ms = 0;
    return policy;
}

static void refused(const struct policy *policy, const char *words)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(policy_check(policy, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, words));
}

static void channels_are_a_short_list_of_different_ids(void)
{
    struct policy policy = routed();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.more_channels[1] = SPAN_LITERAL("C0CARDS");
    refused(&policy, "channel: \"C0CARDS\" is given twice");
    policy.more_channels[1] = SPAN_LITERAL("U0ANN");
    refused(&policy, "channel: \"U0ANN\" is not");
    policy = routed();
    policy.channel = SPAN_NONE;
    refused(&policy, "channels: the first one");
    policy = routed();
    policy.more_channel_count = CORE_CHANNEL_COUNT_MAX;
    refused(&policy, "channels: at most 4");
    policy = routed();
    policy.clocks.escalate_channel = SPAN_LITERAL("G0MOST");
    refused(&policy, "escalate_to: the card is in channel G0MOST already");
    policy = routed();
    policy.glass = (struct policy_glass){.root = true, .channel = SPAN_LITERAL("C0MORE")};
    refused(&policy, "break_glass_tell: the card is in channel C0MORE already");
}

static void a_difference_shows_all_channels(void)
{
    struct policy one = policy_of(2);
    struct policy many = routed();
    struct policy other = routed();
    struct err err = ERR_INIT;
    struct buf *buf = NULL;

    CU_ASSERT_EQUAL_FATAL(buf_new(100, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(policy_channels_format(&many, buf, &err), ERR_OK);
    CU_ASSERT(span_is(buf_span(buf), "C0CARDS, C0MORE, G0MOST"));
    buf_free(buf);
    CU_ASSERT(policy_channels_equal(&many, &other));
    CU_ASSERT_FALSE(policy_channels_equal(&one, &many));
    other.more_channels[1] = SPAN_LITERAL("C0OTHER");
    CU_ASSERT_FALSE(policy_channels_equal(&many, &other));
    CU_ASSERT(policy_rules_equal(&many, &other)); /* where it is shown decides nothing */
}

/* How often the last step raised the surface in each of the policy's channels. */
static uint32_t in_each(enum surface surface)
{
    uint32_t count = raised(surface, "C0CARDS");

    CU_ASSERT_EQUAL(raised(surface, "C0MORE"), count);
    CU_ASSERT_EQUAL(raised(surface, "G0MOST"), count);
    return count;
}

static void every_change_raises_every_card(void)
{
    struct policy policy = routed();
    struct request request = opened(&policy);
    struct approval_event event = press_of("U0ANN", VERDICT_APPROVE, NOW + 1);

    approval_open(&request, &policy, &effects);
    CU_ASSERT_EQUAL(in_each(SURFACE_CARD), 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(in_each(SURFACE_CARD) == 1 && in_each(SURFACE_THREAD) == 1);
    event = time_of(ESCALATE_AT);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(in_each(SURFACE_CARD), 1);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 1);
    event = press_of("U0BOB", VERDICT_REJECT, ESCALATE_AT + 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), in_each(SURFACE_CARD));
}

/* Whose direct messages have a copy the store knows: the rules say that all of them are raised. */
static void copies_are_raised_with_the_cards_where_the_policy_sends_some(void)
{
    struct policy policy = routed();
    struct request request = opened(&policy);
    struct approval_event event = press_of("U0ANN", VERDICT_APPROVE, NOW + 1);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(!effects.copies && !effects.reminds && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 0);
    policy.direct_approvers = true;
    request = opened(&policy);
    approval_open(&request, &policy, &effects);
    CU_ASSERT(effects.copies && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 1);
    request = effects.after;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.copies && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 0);
    event = time_of(ESCALATE_AT);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.copies && !effects.reminds && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 1);
    event = time_of(REMIND_AT);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(!effects.copies && effects.reminds && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 1);
    CU_ASSERT_EQUAL(effects.audits[effects.remind_audit].action, AUDIT_REMINDED);
    event = time_of(NOW + EXPIRES_AFTER);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.copies && raised(SURFACE_PEOPLE, ROUTE_TARGET) == 0);
}

/* All that one step may raise, at its most: the bound of the effects holds. */
static void the_largest_step_has_room(void)
{
    struct policy policy = routed();
    struct request request;
    struct approval_event event;

    policy.direct_approvers = true;
    policy.more_channel_count = CORE_CHANNEL_COUNT_MAX - 1;
    policy.more_channels[2] = SPAN_LITERAL("C0LAST");
    policy.glass = (struct policy_glass){
        .user_count = 1, .users = {SPAN_LITERAL("U0ASK")}, .channel = SPAN_LITERAL("C0LOUD")};
    for (uint32_t i = 0; i < CORE_GLASS_TELL_COUNT_MAX; i++) {
        policy.glass.tells[policy.glass.tell_count++] = SPAN_LITERAL("U0CHIEF");
    }
    request = opened(&policy);
    event = press_of("U0ASK", VERDICT_GLASS, REMIND_AT);
    event.head = &policy;
    event.reason = SPAN_LITERAL("the site is down");
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    CU_ASSERT(raised(SURFACE_CARD, "C0LAST") >= 1 && raised(SURFACE_CARD, "C0LOUD") >= 1);
}

UNIT_MAIN("policy_routes",
          {"channels are a short list of different ids",
           channels_are_a_short_list_of_different_ids},
          {"a difference shows all channels", a_difference_shows_all_channels},
          {"every change raises every card", every_change_raises_every_card},
          {"copies are raised with the cards where the policy sends some",
           copies_are_raised_with_the_cards_where_the_policy_sends_some},
          {"the largest step has room", the_largest_step_has_room})

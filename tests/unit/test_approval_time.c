/* SPDX-License-Identifier: Apache-2.0 */
/* test_approval_time.c: proves approvald/core/approval_time: reminder, escalation and veto window,
 * each in its order and once. Owns nothing but its cases; never touches a store. */
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

static void approvers_are_reminded_once_before_it_expires(void)
{
    struct policy policy = policy_of(2);
    struct request request;
    struct approval_event event = time_of(REMIND_AT - 1);

    policy.clocks.escalate_after_ms = 0;
    request = opened(&policy);
    CU_ASSERT_EQUAL(approval_deadline_ms(&request), REMIND_AT);
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event.now_ms = REMIND_AT;
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && effects.changed);
    CU_ASSERT(effects.audit_count == 1 && audited(AUDIT_REMINDED) == 1);
    CU_ASSERT(effects.audits[0].by_system);
    CU_ASSERT(effects.raise_count == 2 && raised(SURFACE_THREAD, "C0CARDS") == 1);
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 1);
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    CU_ASSERT_EQUAL(approval_deadline_ms(&request), request.expires_ms);
    event.now_ms = request.expires_ms;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_EXPIRED);
}

static void what_is_too_late_for_a_reminder_only_expires(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    struct approval_event event = time_of(request.expires_ms);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_EXPIRED);
    CU_ASSERT(effects.audit_count == 1 && audited(AUDIT_EXPIRED) == 1);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 0);
}

static void a_request_shorter_than_a_time_goes_without(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    struct request brief = request;

    brief.expires_ms = NOW + 100 * SECOND;
    brief.clocks = (struct request_clocks){.remind_ms = 0};
    approval_open(&brief, &policy, &effects);
    CU_ASSERT_EQUAL(effects.after.clocks.remind_ms, 0);
    CU_ASSERT_EQUAL(effects.after.clocks.escalate_ms, 0);
    CU_ASSERT_EQUAL(approval_deadline_ms(&effects.after), NOW + 100 * SECOND);
}

static void after_an_escalation_more_people_decide_and_see_it(void)
{
    struct policy policy = policy_of(1);
    struct request request;
    struct facts group = {.user_known = true,
                          .known_count = 1,
                          .known = {SPAN_LITERAL("S0BOSS")},
                          .member_count = 1,
                          .member = {SPAN_LITERAL("S0BOSS")}};
    struct approval_event event = press_of("U0BOSS", VERDICT_APPROVE, ESCALATE_AT - 1);

    policy.clocks.effect_after_ms = 0;
    request = opened(&policy);
    CU_ASSERT(effects.raise_count == 1 && raised(SURFACE_CARD, "C0CARDS") == 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    /* At the very moment the time comes first, then the press. */
    event.now_ms = ESCALATE_AT;
    {
        struct request other = request;
        struct approval_event by_group = press_of("U0MEM", VERDICT_APPROVE, ESCALATE_AT);

        by_group.facts = &group;
        CU_ASSERT_EQUAL(step(&other, &policy, &by_group), REFUSAL_NONE);
        CU_ASSERT_EQUAL(other.state, REQUEST_APPROVED);
        other = request;
        by_group.facts = &known;
        CU_ASSERT_EQUAL(step(&other, &policy, &by_group), REFUSAL_NONE);
        CU_ASSERT(effects.need_facts && effects.changed && other.clocks.escalated_ms > 0);
    }
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(request.clocks.escalated_ms, ESCALATE_AT);
    CU_ASSERT(audited(AUDIT_ESCALATED) == 1 && audited(AUDIT_APPROVED) == 1);
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 2);
    CU_ASSERT(raised(SURFACE_CARD, "C0BOSS") > 0 && raised(SURFACE_THREAD, "C0BOSS") == 2);
    CU_ASSERT(raised(SURFACE_CARD, "C0CARDS") > 0 && raised(SURFACE_THREAD, "C0CARDS") == 2);
    event = asker_of(APPROVAL_CLAIM, ESCALATE_AT + 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 1); /* kept in step to the end */
}

/* Who has an address of escalate_to may decide from then on; who is not known to have it is asked
 * for, and nobody is taken for its owner. */
static void an_escalation_may_name_an_address(void)
{
    struct facts owner = {.user_known = true,
                          .emails_known = true,
                          .email_count = 1,
                          .emails = {SPAN_LITERAL("boss@acme.example")}};
    struct facts other = {.user_known = true, .emails_known = true};
    struct policy policy = policy_of(1);
    struct approval_event event = press_of("U0CHIEF", VERDICT_APPROVE, ESCALATE_AT - 1);
    struct request request;

    policy.clocks.effect_after_ms = 0;
    policy.clocks.escalate_group_count = 0;
    policy.clocks.escalate_users[0] = owner.emails[0];
    request = opened(&policy);
    event.facts = &owner;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER); /* too early */
    event.now_ms = ESCALATE_AT;
    event.facts = &other;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    event.facts = &known;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.need_facts && request.decision_count == 0);
    event.facts = &owner;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static struct request delayed_of(const struct policy *policy)
{
    struct request request = opened(policy);
    struct approval_event event = press_of("U0ANN", VERDICT_APPROVE, NOW + 1);

    CU_ASSERT_EQUAL(step(&request, policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.clocks.effect_ms, NOW + 1 + WINDOW);
    return request;
}

static void an_approval_takes_effect_after_its_window(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    struct approval_event event = asker_of(APPROVAL_CLAIM, NOW + 2);

    CU_ASSERT(audited(AUDIT_APPROVAL) == 1 && audited(AUDIT_DELAYED) == 1);
    CU_ASSERT_EQUAL(audited(AUDIT_APPROVED), 0);
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 1); /* that it will take effect */
    CU_ASSERT(request.state == REQUEST_PENDING && request.use == USE_NONE);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVED);
    event = press_of("U0BOB", VERDICT_APPROVE, NOW + 3);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ENOUGH);
    event = time_of(NOW + WINDOW);
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event = asker_of(APPROVAL_CLAIM, NOW + 1 + WINDOW);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE); /* time first, then the claim */
    CU_ASSERT(request.state == REQUEST_APPROVED && request.use == USE_CLAIMED);
    CU_ASSERT_EQUAL(request.ended_ms, NOW + 1 + WINDOW);
    CU_ASSERT_EQUAL(request.lapses_ms, request.ended_ms + 100 * SECOND);
    CU_ASSERT(audited(AUDIT_APPROVED) == 1 && effects.audits[0].by_system);
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 2);
    CU_ASSERT_EQUAL(raised(SURFACE_DIRECT, "U0ASK"), 1);
}

static void everybody_who_may_decide_may_stop_it_and_so_may_who_approved(void)
{
    static const struct {
        const char *user;
        enum refusal refusal;
    } table[] = {{"U0ANN", REFUSAL_NONE},
                 {"U0BOB", REFUSAL_NONE},
                 {"U0ASK", REFUSAL_SELF_APPROVAL},
                 {"U0BOSS", REFUSAL_NOT_APPROVER}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct policy policy = policy_of(1);
        struct request request = delayed_of(&policy);
        struct approval_event event = press_of(table[i].user, VERDICT_REJECT, NOW + WINDOW);

        CU_ASSERT_EQUAL(step(&request, &policy, &event), table[i].refusal);
        CU_ASSERT_EQUAL(request.state == REQUEST_REJECTED, table[i].refusal == REFUSAL_NONE);
        if (table[i].refusal == REFUSAL_NONE) {
            CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
            event = time_of(NOW + 2 * WINDOW);
            CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
        }
    }
}

/* A host that was off for a while: all of it in one step, to as many destinations as there are. */
static void what_time_did_and_the_outcome_are_told_to_every_destination(void)
{
    struct policy policy = policy_of(1);
    struct request request;
    struct approval_event event;
    static const char *const names[] = {"ci", "b", "c", "d"};

    policy.webhook_count = CORE_POLICY_WEBHOOK_COUNT_MAX;
    for (uint32_t i = 0; i < CORE_POLICY_WEBHOOK_COUNT_MAX; i++) {
        policy.webhooks[i] = span_text(names[i]);
    }
    request = opened(&policy);
    event = press_of("U0ANN", VERDICT_APPROVE, request.expires_ms - 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(audited(AUDIT_ESCALATED) == 1 && audited(AUDIT_REMINDED) == 1);
    CU_ASSERT_EQUAL(audited(AUDIT_DELAYED), 1);
    for (uint32_t i = 0; i < CORE_POLICY_WEBHOOK_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, names[i]), 3);
    }
}

static void one_stop_is_enough_where_a_rejection_takes_two(void)
{
    struct policy policy = policy_of(1);
    struct request request = opened(&policy);
    struct approval_event event = press_of("U0BOB", VERDICT_REJECT, NOW + 1);

    request.rejections = 2;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    event = press_of("U0ANN", VERDICT_APPROVE, NOW + 2);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request_is_delayed(&request));
    event = press_of("U0BOB", VERDICT_REJECT, NOW + 3); /* who rejected it, too */
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request.state == REQUEST_REJECTED && request.decision_count == 3);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
}

static void after_an_escalation_the_others_fill_every_need(void)
{
    struct policy policy = policy_of(1);
    struct approval_event event = press_of("U0BOSS", VERDICT_APPROVE, ESCALATE_AT);
    const struct facts no_boss = {
        .user_known = true, .known_count = 1, .known = {SPAN_LITERAL("S0BOSS")}};
    struct request request;

    policy.clocks.effect_after_ms = 0;
    policy.need_count = 2;
    policy.needs[0] =
        (struct policy_need){.need = {.name = SPAN_LITERAL("security"), .quorum = 1}, .users = 1};
    policy.needs[1] =
        (struct policy_need){.need = {.name = SPAN_LITERAL("ops"), .quorum = 1}, .users = 2};
    request = opened(&policy);
    request.quorum = 2;
    request.need_count = 2;
    request.needs[0] = policy.needs[0].need;
    request.needs[1] = policy.needs[1].need;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request.decision_count == 1 && request.decisions[0].needs == 3);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING); /* one person, one place */
    event = press_of("U0ANN", VERDICT_APPROVE, ESCALATE_AT + 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.need_facts); /* she might be in the group that may fill all */
    event.facts = &no_boss;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void a_stop_at_the_moment_of_the_effect_comes_too_late(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    struct approval_event event = press_of("U0BOB", VERDICT_REJECT, request.clocks.effect_ms);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ENDED);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    CU_ASSERT(effects.changed && audited(AUDIT_APPROVED) == 1);
}

static void what_was_approved_in_time_does_not_expire_in_its_window(void)
{
    struct policy policy = policy_of(1);
    struct request request = opened(&policy);
    struct approval_event event = press_of("U0ANN", VERDICT_APPROVE, NOW + EXPIRES_AFTER - 1);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    event = time_of(NOW + EXPIRES_AFTER);
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event = time_of(NOW + EXPIRES_AFTER - 1 + WINDOW);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void a_window_is_not_cut_short_by_a_jump(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    struct elapsed elapsed = {.counting = false};
    struct approval_event event = time_of(NOW + 3600 * SECOND);

    elapsed_begin(&elapsed, NOW + 1);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + 1, 0));
    CU_ASSERT_TRUE(elapsed_step(&elapsed, event.now_ms, 10 * SECOND));
    event.elapsed = &elapsed;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(request.clocks.effect_ms, event.now_ms + 50 * SECOND);
    CU_ASSERT(effects.audit_count == 1 && audited(AUDIT_MOVED) == 1);
    CU_ASSERT(raised(SURFACE_CARD, "C0CARDS") == 1 && raised(SURFACE_THREAD, "C0CARDS") == 0);
    event.now_ms += 50 * SECOND;
    CU_ASSERT_FALSE(elapsed_step(&elapsed, event.now_ms, 60 * SECOND));
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

/* It was acknowledged in time, and Slack says later who it is. */
static void a_window_waits_for_a_stop_that_came_before_its_end(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    uint64_t end_ms = request.clocks.effect_ms;
    struct approval_event event = time_of(end_ms + 5 * SECOND);

    event.waiting = (struct approval_waiting){.press_ms = NOW + 2, .stop_ms = end_ms - 1};
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event = press_of("U0BOB", VERDICT_REJECT, end_ms + 6 * SECOND);
    event.waiting.stop_ms = end_ms - 1;
    event.pressed_ms = end_ms - 1;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(request.decisions[1].at_ms, end_ms - 1);
    CU_ASSERT_EQUAL(request.ended_ms, end_ms + 6 * SECOND);
}

/* Neither one more approval, nor what was pressed at the end or behind it, holds anything up. */
static void a_window_waits_for_nothing_else(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    uint64_t end_ms = request.clocks.effect_ms;
    struct approval_event event = time_of(end_ms);
    struct request other = request;

    event.waiting.press_ms = end_ms - 1;
    CU_ASSERT_EQUAL(step(&other, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(other.state, REQUEST_APPROVED);
    event = time_of(end_ms + 1);
    event.waiting.stop_ms = end_ms;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

/* The bound that nothing depends on: whatever became of the press, the end comes; and a clock that
 * jumps does not make it come sooner. */
static void no_end_waits_for_ever(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    uint64_t end_ms = request.clocks.effect_ms;
    struct elapsed elapsed = {.counting = false};
    struct approval_event event = time_of(end_ms + CORE_PRESS_HOLD_MS - 1);

    event.waiting.stop_ms = end_ms - 1;
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event.now_ms = end_ms + 3600 * SECOND;
    event.elapsed = &elapsed;
    elapsed_begin(&elapsed, NOW);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW, 0));
    CU_ASSERT_FALSE(elapsed_step(&elapsed, end_ms, end_ms - NOW));
    CU_ASSERT_TRUE(elapsed_step(&elapsed, event.now_ms, end_ms - NOW + SECOND));
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    event.elapsed = NULL;
    event.now_ms = end_ms + CORE_PRESS_HOLD_MS;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

/* Time that nobody had to stop it is added though a press waits, and then later presses count. */
static void a_window_is_moved_although_a_stop_waits(void)
{
    struct policy policy = policy_of(1);
    struct request request = delayed_of(&policy);
    struct elapsed elapsed = {.counting = false};
    struct approval_event event = time_of(NOW + 3600 * SECOND);

    elapsed_begin(&elapsed, NOW + 1);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + 1, 0));
    CU_ASSERT_TRUE(elapsed_step(&elapsed, event.now_ms, 10 * SECOND));
    event.elapsed = &elapsed;
    event.waiting.stop_ms = NOW + 2;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request_is_delayed(&request) && audited(AUDIT_MOVED) == 1);
    CU_ASSERT_EQUAL(request.clocks.effect_ms, event.now_ms + 50 * SECOND);
}

static void a_request_does_not_expire_before_what_was_pressed_in_time(void)
{
    struct policy policy = policy_of(1);
    struct request request;
    uint64_t end_ms = NOW + EXPIRES_AFTER;
    struct approval_event event = time_of(end_ms + SECOND);

    policy.clocks.effect_after_ms = 0;
    request = opened(&policy);
    event.waiting.press_ms = end_ms - 1;
    CU_ASSERT(step(&request, &policy, &event) == REFUSAL_NONE && !effects.changed);
    CU_ASSERT(request_is_overdue(&request, end_ms) && !request_is_overdue(&request, end_ms - 1));
    event = press_of("U0ANN", VERDICT_APPROVE, end_ms + 2 * SECOND);
    event.waiting.press_ms = end_ms - 1;
    event.pressed_ms = end_ms - 1;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(request.lapses_ms, event.now_ms + policy.lapses_after_ms);
}

/* For everybody else it is over. */
static void what_comes_behind_the_expiry_is_too_late_although_it_waits(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    uint64_t end_ms = request.expires_ms;
    struct approval_event events[] = {press_of("U0BOB", VERDICT_APPROVE, end_ms),
                                      press_of("U0BOB", VERDICT_REJECT, end_ms + 1),
                                      asker_of(APPROVAL_CANCEL, end_ms + 1)};

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        events[i].waiting.press_ms = end_ms - 1;
        CU_ASSERT_EQUAL(step(&request, &policy, &events[i]), REFUSAL_EXPIRED);
        CU_ASSERT(request.state == REQUEST_PENDING && !effects.changed);
    }
    events[0].waiting.press_ms = 0; /* it was given up */
    CU_ASSERT_EQUAL(step(&request, &policy, &events[0]), REFUSAL_EXPIRED);
    CU_ASSERT_EQUAL(request.state, REQUEST_EXPIRED);
}

static void the_invariant_sees_damaged_times(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    struct request bad = request;

    CU_ASSERT(request_invariant(&request));
    bad.clocks.effect_ms = NOW + 5; /* without its quorum, and without a beginning */
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad.clocks.effect_from_ms = NOW;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = request;
    bad.clocks.escalated_ms = NOW; /* and yet to come */
    CU_ASSERT_FALSE(request_invariant(&bad));
    policy.quorum = 1;
    request = delayed_of(&policy);
    CU_ASSERT(request_invariant(&request));
    bad = request;
    bad.state = REQUEST_EXPIRED;
    bad.ended_ms = NOW + 5;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = request;
    bad.clocks.effect_from_ms = bad.clocks.effect_ms + 1;
    CU_ASSERT_FALSE(request_invariant(&bad));
}

UNIT_MAIN("approval_time",
          {"what time did and the outcome are told to every destination",
           what_time_did_and_the_outcome_are_told_to_every_destination},
          {"approvers are reminded once before it expires",
           approvers_are_reminded_once_before_it_expires},
          {"what is too late for a reminder only expires",
           what_is_too_late_for_a_reminder_only_expires},
          {"a request shorter than a time goes without",
           a_request_shorter_than_a_time_goes_without},
          {"after an escalation more people decide and see it",
           after_an_escalation_more_people_decide_and_see_it},
          {"an escalation may name an address", an_escalation_may_name_an_address},
          {"an approval takes effect after its window", an_approval_takes_effect_after_its_window},
          {"everybody who may decide may stop it, and so may who approved",
           everybody_who_may_decide_may_stop_it_and_so_may_who_approved},
          {"one stop is enough where a rejection takes two",
           one_stop_is_enough_where_a_rejection_takes_two},
          {"after an escalation the others fill every need",
           after_an_escalation_the_others_fill_every_need},
          {"a stop at the moment of the effect comes too late",
           a_stop_at_the_moment_of_the_effect_comes_too_late},
          {"what was approved in time does not expire in its window",
           what_was_approved_in_time_does_not_expire_in_its_window},
          {"a window is not cut short by a jump", a_window_is_not_cut_short_by_a_jump},
          {"a window waits for a stop that came before its end",
           a_window_waits_for_a_stop_that_came_before_its_end},
          {"a window waits for nothing else", a_window_waits_for_nothing_else},
          {"no end waits for ever", no_end_waits_for_ever},
          {"a window is moved although a stop waits", a_window_is_moved_although_a_stop_waits},
          {"a request does not expire before what was pressed in time",
           a_request_does_not_expire_before_what_was_pressed_in_time},
          {"what comes behind the expiry is too late although it waits",
           what_comes_behind_the_expiry_is_too_late_although_it_waits},
          {"the invariant sees damaged times", the_invariant_sees_damaged_times})

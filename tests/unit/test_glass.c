/* SPDX-License-Identifier: Apache-2.0 */
/* test_glass.c: proves approvald/core/glass: who may break the glass, and what comes of it.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/glass.h"
#include "approvald/core/policy.h"
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

/* Two have to approve; the requester and root may break the glass. */
static struct policy glass_policy(void)
{
    struct policy policy = policy_of(2);

    policy.glass = (struct policy_glass){.root = true,
                                         .user_count = 2,
                                         .users = {SPAN_LITERAL("U0ASK"), SPAN_LITERAL("U0BOB")},
                                         .channel = SPAN_LITERAL("C0LOUD"),
                                         .tell_count = 1,
                                         .tells = {SPAN_LITERAL("U0CHIEF")}};
    return policy;
}

static struct approval_event
glass_of(const char *user, const struct policy *head, const char *reason, uint64_t now_ms)
{
    struct approval_event event = press_of(user, VERDICT_GLASS, now_ms);

    event.head = head;
    event.reason = span_text(reason);
    return event;
}

static void who_is_named_approves_his_own_request_at_once(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "the site is down", NOW + 5);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request.state == REQUEST_APPROVED && request.use == USE_UNUSED);
    CU_ASSERT_EQUAL(request.ended_ms, NOW + 5); /* whatever takes_effect_after says */
    CU_ASSERT(span_is(request.glass.user, "U0ASK"));
    CU_ASSERT(span_is(request.glass.reason, "the site is down"));
    CU_ASSERT_EQUAL(request.decision_count, 0); /* it fills no place */
    CU_ASSERT(request_invariant(&request));
    CU_ASSERT(audited(AUDIT_GLASS) == 1 && audited(AUDIT_APPROVED) == 1);
    CU_ASSERT(span_is(effects.audits[0].detail, "the site is down"));
}

static void everybody_hears_of_it(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "down", NOW);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(raised(SURFACE_CARD, "C0CARDS") == 1 && raised(SURFACE_THREAD, "C0CARDS") == 1);
    CU_ASSERT(raised(SURFACE_CARD, "C0LOUD") == 1 && raised(SURFACE_THREAD, "C0LOUD") == 1);
    CU_ASSERT(raised(SURFACE_DIRECT, "U0ASK") == 1 && raised(SURFACE_DIRECT, "U0CHIEF") == 1);
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 2); /* break_glass, approved */
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 0);
    event = asker_of(APPROVAL_CLAIM, NOW + 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(raised(SURFACE_CARD, "C0LOUD") == 1); /* its card is kept in step */
}

static void after_an_escalation_all_three_channels_hear(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "down", REMIND_AT);

    /* Escalation and reminder are due in the same step: the most that one step can raise. */
    policy.webhook_count = CORE_POLICY_WEBHOOK_COUNT_MAX;
    policy.webhooks[1] = SPAN_LITERAL("b");
    policy.webhooks[2] = SPAN_LITERAL("c");
    policy.webhooks[3] = SPAN_LITERAL("d");
    policy.glass.tell_count = CORE_GLASS_TELL_COUNT_MAX;
    for (uint32_t i = 1; i < CORE_GLASS_TELL_COUNT_MAX; i++) {
        policy.glass.tells[i] = SPAN_LITERAL("U0MORE");
    }
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(raised(SURFACE_CARD, "C0BOSS") == 2 && raised(SURFACE_CARD, "C0LOUD") == 1);
    CU_ASSERT_EQUAL(effects.audit_count, APPROVAL_AUDIT_COUNT_MAX);
    policy.glass.channel = SPAN_LITERAL("C0BOSS"); /* one card each channel */
    request = opened(&policy);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 2); /* escalated, then broken */
}

struct refusal_case {
    const char *user;
    const char *reason;
    enum refusal refusal;
};

static void others_are_refused(void)
{
    static const struct refusal_case cases[] = {
        {"U0ANN", "why", REFUSAL_NO_GLASS},  /* an approver */
        {"U0BOB", "why", REFUSAL_GLASS_OWN}, /* named, but it is not his */
        {"U0BOSS", "why", REFUSAL_NO_GLASS}, /* of the escalation */
        {"U0ASK", "", REFUSAL_GLASS_REASON},
    };
    struct policy policy = glass_policy();

    policy.self_approval = true; /* has nothing to do with it */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request request = opened(&policy);
        struct approval_event event = glass_of(cases[i].user, &policy, cases[i].reason, NOW);

        CU_ASSERT_EQUAL(step(&request, &policy, &event), cases[i].refusal);
        CU_ASSERT(!effects.changed && request.glass.at_ms == 0);
    }
}

static void without_it_in_the_policy_nobody_can(void)
{
    struct policy policy = glass_policy();
    struct policy plain = policy_of(2);
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "why", NOW);

    CU_ASSERT_EQUAL(step(&request, &plain, &event), REFUSAL_NO_GLASS); /* given since */
    event.head = &plain;                                               /* taken away since */
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
    event.head = NULL;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
    plain = policy;
    plain.deleted = true;
    event.head = &plain;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
    event.head = &policy;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
}

static void root_breaks_what_root_asked_where_he_is_named(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("", &policy, "why", NOW);

    event.actor = (struct actor){.kind = ACTOR_ROOT, .via = VIA_CLI};
    event.facts = NULL;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_GLASS_OWN);
    request = opened(&policy);
    request.asker = SPAN_LITERAL("root");
    policy.glass.root = false;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
    policy.glass.root = true;
    event.verdict = VERDICT_APPROVE; /* decides nothing else */
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    event.verdict = VERDICT_GLASS;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(span_is(request.glass.user, "root") && request.glass.via == VIA_CLI);
    /* A token that belongs to nobody, and the system, are not root. */
    request = opened(&policy);
    request.asker = SPAN_LITERAL("root");
    event.actor = (struct actor){.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")};
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
    event.actor = (struct actor){.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
}

static void what_is_known_of_the_person_counts_here_too(void)
{
    static const struct facts none = {.user_known = false};
    static const struct facts gone = {.user_known = true, .deactivated = true};
    static const struct facts guest = {.user_known = true, .guest = true};
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "why", NOW);

    event.facts = &none;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(effects.need_facts && !effects.changed);
    event.facts = &gone;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_DEACTIVATED);
    event.facts = &guest;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_GUEST);
    event.facts = &none; /* who may not anyway is told so, and Slack is not asked */
    event.actor.user = SPAN_LITERAL("U0ANN");
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NO_GLASS);
}

static void what_has_ended_stays_as_it_is(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "why", NOW);
    struct approval_event no = press_of("U0ANN", VERDICT_REJECT, NOW);
    uint32_t revision;

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    revision = request.revision;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(step(&request, &policy, &no), REFUSAL_ENDED);
    CU_ASSERT_EQUAL(request.revision, revision);
    request = opened(&policy);
    CU_ASSERT_EQUAL(step(&request, &policy, &no), REFUSAL_NONE);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ENDED);
    request = opened(&policy);
    event.now_ms = NOW + EXPIRES_AFTER;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_EXPIRED);
}

static void it_ends_a_veto_window_and_leaves_decisions_alone(void)
{
    struct policy policy = glass_policy();
    struct request request = opened(&policy);
    struct approval_event ann = press_of("U0ANN", VERDICT_APPROVE, NOW);
    struct approval_event bob = press_of("U0BOB", VERDICT_APPROVE, NOW + 1);
    struct approval_event event = glass_of("U0ASK", &policy, "why", NOW + 2);

    CU_ASSERT_EQUAL(step(&request, &policy, &ann), REFUSAL_NONE);
    CU_ASSERT_EQUAL(step(&request, &policy, &bob), REFUSAL_NONE);
    CU_ASSERT(request_is_delayed(&request) && glass_is_offered(&request, &policy));
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(request.state == REQUEST_APPROVED && request.decision_count == 2);
    CU_ASSERT(!glass_is_offered(&request, &policy));
    event = time_of(NOW + WINDOW + 2 * SECOND); /* the window's end finds nothing to do */
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(!effects.changed);
}

static void a_claim_looks_again_under_every_policy(void)
{
    struct policy policy = glass_policy();
    struct policy head = policy;
    struct claim_check check = {.head = &head, .judged = true};
    struct request request = opened(&policy);
    struct approval_event event = glass_of("U0ASK", &policy, "why", NOW);
    struct approval_event claim = asker_of(APPROVAL_CLAIM, NOW + 1);

    CU_ASSERT_EQUAL(policy.clocks.recheck, RECHECK_NONE);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT(approval_is_rechecked(&request, &policy));
    claim.check = &check;
    head.glass.users[0] = SPAN_LITERAL("U0NEW");
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_POLICY_CHANGED);
    head = policy;
    head.deleted = true;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_POLICY_CHANGED);
    head = policy;
    head.quorum = 1; /* that is no matter of his */
    check.gone = true;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_APPROVER_GONE);
    check = (struct claim_check){.head = &head, .judged = false};
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_NONE);
    CU_ASSERT(effects.need_facts && request.use == USE_UNUSED);
    check.judged = true;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.use, USE_CLAIMED);
}

static void who_may_is_a_rule_and_who_is_told_is_not(void)
{
    struct policy a = glass_policy();
    struct policy b = a;

    CU_ASSERT(policy_rules_equal(&a, &b));
    b.glass.tells[0] = SPAN_LITERAL("U0OTHER");
    CU_ASSERT(policy_rules_equal(&a, &b) && !policy_equal(&a, &b));
    b = a;
    b.glass.root = false;
    CU_ASSERT(!policy_rules_equal(&a, &b));
    b = a;
    b.glass.user_count = 1;
    CU_ASSERT(!policy_rules_equal(&a, &b));
}

/* Below bound: a plain generator, the same on every machine. */
static uint32_t draw(uint64_t *state, uint32_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % bound;
}

/* Every mix of presses: the glass approves alone, and what is approved without it has its quorum.
 */
static void whatever_happens_it_never_counts_as_a_decision(void)
{
    static const char *const people[] = {"U0ANN", "U0BOB", "U0ASK", "U0BOSS", "U0NONE"};
    uint64_t state = 20261126;
    uint32_t broken = 0;

    for (uint32_t run = 0; run < 3000; run++) {
        struct policy policy = glass_policy();
        struct request request;

        policy.self_approval = draw(&state, 2) == 0;
        policy.clocks.effect_after_ms = draw(&state, 2) == 0 ? 0 : WINDOW;
        request = opened(&policy);
        for (uint32_t i = 0; i < 8; i++) {
            uint64_t now_ms = NOW + i * SECOND;
            const char *user = people[draw(&state, 5)];
            enum verdict verdict = (enum verdict)(1 + draw(&state, 3));
            struct approval_event event = press_of(user, verdict, now_ms);
            uint32_t decisions = request.decision_count;

            event.head = &policy;
            event.reason = verdict == VERDICT_GLASS ? SPAN_LITERAL("why") : SPAN_NONE;
            (void)step(&request, &policy, &event); /* refusals are part of it */
            CU_ASSERT(request_invariant(&request));
            CU_ASSERT(verdict != VERDICT_GLASS || request.decision_count == decisions);
        }
        broken += request.glass.at_ms > 0 ? 1 : 0;
        CU_ASSERT(request.glass.at_ms == 0 || span_is(request.glass.user, "U0ASK"));
    }
    CU_ASSERT(broken > 300);
}

UNIT_MAIN("glass",
          {"who is named approves his own request at once",
           who_is_named_approves_his_own_request_at_once},
          {"everybody hears of it", everybody_hears_of_it},
          {"after an escalation all three channels hear",
           after_an_escalation_all_three_channels_hear},
          {"others are refused", others_are_refused},
          {"without it in the policy nobody can", without_it_in_the_policy_nobody_can},
          {"root breaks what root asked, where he is named",
           root_breaks_what_root_asked_where_he_is_named},
          {"what is known of the person counts here too",
           what_is_known_of_the_person_counts_here_too},
          {"what has ended stays as it is", what_has_ended_stays_as_it_is},
          {"it ends a veto window and leaves decisions alone",
           it_ends_a_veto_window_and_leaves_decisions_alone},
          {"a claim looks again under every policy", a_claim_looks_again_under_every_policy},
          {"who may is a rule, and who is told is not", who_may_is_a_rule_and_who_is_told_is_not},
          {"whatever happens, it never counts as a decision",
           whatever_happens_it_never_counts_as_a_decision})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_explain.c: proves core/explain: who could approve a request as it stands, from when on, and
 * why; and that it says what a press would come to.
 * Owns nothing but its cases; never asks a directory. */
#include "approvald/core/explain.h"
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct explanation explain(const struct request *request,
                                  const struct policy *policy,
                                  const char *user,
                                  uint64_t at_ms)
{
    struct explanation found;

    explain_approval(request, policy, span_text(user), &known, at_ms, &found);
    return found;
}

static void whoever_is_named_could_and_others_could_not(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);

    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ANN", NOW).refusal, REFUSAL_NONE);
    CU_ASSERT_FALSE(explain(&request, &policy, "U0ANN", NOW).by_escalation);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ASK", NOW).refusal, REFUSAL_SELF_APPROVAL);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ASK", NOW).from_ms, 0);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0EVE", NOW).refusal, REFUSAL_NOT_APPROVER);
}

static void whoever_comes_with_the_escalation_could_from_then_on(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    struct approval_event event = time_of(ESCALATE_AT);
    struct explanation found = explain(&request, &policy, "U0BOSS", NOW);

    CU_ASSERT_EQUAL(found.refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(found.from_ms, ESCALATE_AT);
    CU_ASSERT(found.by_escalation);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ASK", NOW).from_ms, 0);
    (void)step(&request, &policy, &event);
    found = explain(&request, &policy, "U0BOSS", ESCALATE_AT);
    CU_ASSERT_EQUAL(found.refusal, REFUSAL_NONE);
    CU_ASSERT(found.by_escalation);
    CU_ASSERT_EQUAL(found.from_ms, 0);
    CU_ASSERT_FALSE(explain(&request, &policy, "U0ANN", ESCALATE_AT).by_escalation);
}

static void decisions_that_were_made_count(void)
{
    struct policy policy = policy_of(2);
    struct request request = opened(&policy);
    struct approval_event event = press_of("U0ANN", VERDICT_APPROVE, NOW);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ANN", NOW).refusal, REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0BOB", NOW).refusal, REFUSAL_NONE);
    event = press_of("U0BOB", VERDICT_APPROVE, NOW);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0BOSS", NOW).from_ms, 0); /* it has enough */
    event = time_of(NOW + WINDOW);
    (void)step(&request, &policy, &event);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0BOB", NOW + WINDOW).refusal,
                    REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_NOT_EQUAL(explain(&request, &policy, "U0ANN", NOW + WINDOW).refusal, REFUSAL_NONE);
}

static void a_request_whose_time_is_over_is_nobodys(void)
{
    struct policy policy = policy_of(1);
    struct request request = opened(&policy);

    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ANN", NOW + EXPIRES_AFTER - 1).refusal,
                    REFUSAL_NONE);
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0ANN", NOW + EXPIRES_AFTER).refusal,
                    REFUSAL_EXPIRED);
    request.clocks.escalate_ms = request.expires_ms; /* it never comes */
    CU_ASSERT_EQUAL(explain(&request, &policy, "U0BOSS", NOW).from_ms, 0);
}

static void what_is_not_known_is_said_to_be_unknown(void)
{
    struct policy policy = policy_of(1);
    struct request request = opened(&policy);
    struct facts nothing = {.user_known = false};
    struct explanation found;

    explain_approval(&request, &policy, SPAN_LITERAL("U0ANN"), &nothing, NOW, &found);
    CU_ASSERT_EQUAL(found.refusal, REFUSAL_NONE);
    CU_ASSERT(found.unknown);
    explain_approval(&request, &policy, SPAN_LITERAL("U0BOSS"), &nothing, NOW, &found);
    CU_ASSERT_EQUAL(found.from_ms, ESCALATE_AT);
    CU_ASSERT(found.unknown);
}

static void
check_everybody(const struct policy *policy, const struct request *request, uint64_t at_ms)
{
    static const char *const users[] = {"U0ANN", "U0BOB", "U0ASK", "U0BOSS", "U0EVE"};

    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct approval_event press = press_of(users[i], VERDICT_APPROVE, at_ms);
        struct explanation found = explain(request, policy, users[i], at_ms);
        struct request after = *request;

        CU_ASSERT_EQUAL(step(&after, policy, &press), found.refusal);
    }
}

/* At every moment, for everybody: it says what a press would come to. */
static void it_says_what_a_press_would_come_to(void)
{
    for (uint32_t quorum = 1; quorum <= 2; quorum++) {
        struct policy policy = policy_of(quorum);
        struct request request = opened(&policy);

        for (uint64_t at_ms = NOW; at_ms < NOW + EXPIRES_AFTER; at_ms += 50 * SECOND) {
            struct approval_event tick = time_of(at_ms);

            (void)step(&request, &policy, &tick);
            check_everybody(&policy, &request, at_ms);
        }
    }
}

UNIT_MAIN("explain",
          {"whoever is named could, and others could not",
           whoever_is_named_could_and_others_could_not},
          {"whoever comes with the escalation could from then on",
           whoever_comes_with_the_escalation_could_from_then_on},
          {"decisions that were made count", decisions_that_were_made_count},
          {"a request whose time is over is nobody's", a_request_whose_time_is_over_is_nobodys},
          {"what is not known is said to be unknown", what_is_not_known_is_said_to_be_unknown},
          {"it says what a press would come to", it_says_what_a_press_would_come_to})

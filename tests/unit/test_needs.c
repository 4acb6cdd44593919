/* SPDX-License-Identifier: Apache-2.0 */
/* test_needs.c: proves approvald/core/needs and what decisions come to with it: needs, rejections
 * by several people, groups that do not decide their own requests.
 * Owns nothing but its cases; never touches a store. */
#include "approvald/core/approval.h"
#include "approvald/core/needs.h"
#include "tests/unit/pending_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define NOW UINT64_C(1800000000000)

/* security: 1 of S0SEC; ops: 2 of S0OPS or U0BOB; or director: 1 of U0DIR. */
static struct policy policy_of_needs(void)
{
    return (struct policy){
        .name = SPAN_LITERAL("restore"),
        .version = 1,
        .channel = SPAN_LITERAL("C0CARDS"),
        .quorum = 1,
        .rejections = 1,
        .expires_after_ms = 3600000,
        .user_count = 2,
        .users = {SPAN_LITERAL("U0BOB"), SPAN_LITERAL("U0DIR")},
        .group_count = 2,
        .groups = {SPAN_LITERAL("S0SEC"), SPAN_LITERAL("S0OPS")},
        .need_count = 3,
        .needs = {{.need = {.name = SPAN_LITERAL("security"), .quorum = 1}, .groups = 1},
                  {.need = {.name = SPAN_LITERAL("ops"), .quorum = 2}, .users = 1, .groups = 2},
                  {.need = {.name = SPAN_LITERAL("director"), .quorum = 1, .alternative = 1},
                   .users = 2}}};
}

enum { SEC = 1, OPS = 2, TEAM = 4, ALL = 7 };

/* Which of the groups are known, and which of those the person is in. */
static struct facts facts_of(uint32_t known, uint32_t member)
{
    static const char *const groups[] = {"S0SEC", "S0OPS", "S0TEAM"};
    struct facts facts = {.user_known = true};

    for (uint32_t i = 0; i < 3; i++) {
        if ((known >> i & 1) != 0) {
            facts.known[facts.known_count++] = span_text(groups[i]);
        }
        if ((known & member) >> i & 1) {
            facts.member[facts.member_count++] = span_text(groups[i]);
        }
    }
    return facts;
}

struct press {
    enum refusal refusal;
    bool need_facts;
};

static struct press press(struct request *request,
                          const struct policy *policy,
                          const char *user,
                          enum verdict verdict,
                          const struct facts *facts)
{
    struct approval_event event = press_with(user, verdict, NOW + 1, facts);
    static struct approval_effects effects; /* a request borrows texts from them */

    approval_step(request, policy, &event, &effects);
    *request = effects.after;
    CU_ASSERT(request_invariant(request));
    return (struct press){.refusal = effects.refusal, .need_facts = effects.need_facts};
}

static enum refusal
approve(struct request *request, const struct policy *policy, const char *user, uint32_t member)
{
    struct facts facts = facts_of(ALL, member);
    struct press pressed = press(request, policy, user, VERDICT_APPROVE, &facts);

    CU_ASSERT_FALSE(pressed.need_facts);
    return pressed.refusal;
}

static enum refusal
reject(struct request *request, const struct policy *policy, const char *user, uint32_t member)
{
    struct facts facts = facts_of(ALL, member);

    return press(request, policy, user, VERDICT_REJECT, &facts).refusal;
}

/* Who is named by his id and by his address is one person; what is not known is neither. */
static void an_address_is_a_person(void)
{
    struct policy policy = policy_of_needs();
    struct facts facts = facts_of(ALL, 0);
    uint32_t unknown;

    policy.user_count = 2;
    policy.users[0] = SPAN_LITERAL("U0ANN");
    policy.users[1] = SPAN_LITERAL("ann@acme.example");
    policy.needs[0].users = 1;
    policy.needs[1].users = 2;
    policy.needs[2].users = 0;
    CU_ASSERT_EQUAL(needs_of_person(&policy, SPAN_LITERAL("U0ANN"), &facts, &unknown), SEC);
    CU_ASSERT_EQUAL(unknown, OPS);
    CU_ASSERT_EQUAL(needs_of_person(&policy, SPAN_LITERAL("U0BOB"), &facts, &unknown), 0);
    CU_ASSERT_EQUAL(unknown, OPS);
    facts.emails_known = true;
    CU_ASSERT_EQUAL(needs_of_person(&policy, SPAN_LITERAL("U0BOB"), &facts, &unknown), 0);
    CU_ASSERT_EQUAL(unknown, 0);
    facts.emails_known = false;
    facts.email_count = 1;
    facts.emails[0] = SPAN_LITERAL("ann@acme.example");
    CU_ASSERT_EQUAL(needs_of_person(&policy, SPAN_LITERAL("U0ANN"), &facts, &unknown), SEC | OPS);
    CU_ASSERT_EQUAL(unknown, 0);
    CU_ASSERT_EQUAL(needs_of_person(&policy, SPAN_LITERAL("U0ANN"), NULL, &unknown), SEC);
}

static void who_is_in_both_groups_fills_one_need(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);
    struct quorum_result result;

    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ANA", SEC | OPS), REFUSAL_NONE);
    needs_judge(&request, request.decision_count, &result);
    CU_ASSERT(result.filled[0] == 1 && result.filled[1] == 0);
    CU_ASSERT_EQUAL(request.decisions[0].needs, 3);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SAM", SEC), REFUSAL_NONE);
    needs_judge(&request, request.decision_count, &result);
    CU_ASSERT(result.filled[0] == 1 && result.filled[1] == 1);
    CU_ASSERT(result.fills[0] == 1 && result.fills[1] == 0);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BOB", 0), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void an_approval_that_cannot_help_is_refused_and_a_rejection_is_not(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);

    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SAM", SEC), REFUSAL_NONE);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SUE", SEC), REFUSAL_NOT_NEEDED);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SAM", SEC | OPS), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0MAL", 0), REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(request.decision_count, 1);
    CU_ASSERT_EQUAL(reject(&request, &policy, "U0SUE", SEC), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
}

static void one_whole_alternative_is_enough(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);

    CU_ASSERT_EQUAL(approve(&request, &policy, "U0OLA", OPS), REFUSAL_NONE);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0DIR", 0), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void what_an_approval_fills_must_be_known_in_full(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);
    struct facts half = facts_of(SEC, SEC);
    struct press pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, &half);

    CU_ASSERT(pressed.need_facts && pressed.refusal == REFUSAL_NONE);
    pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, NULL);
    CU_ASSERT(pressed.need_facts && pressed.refusal == REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.decision_count, 0);
    half = facts_of(OPS, 0);
    pressed = press(&request, &policy, "U0SAM", VERDICT_REJECT, &half);
    CU_ASSERT(pressed.need_facts);
    half = facts_of(SEC, SEC);
    pressed = press(&request, &policy, "U0SAM", VERDICT_REJECT, &half);
    CU_ASSERT(!pressed.need_facts && pressed.refusal == REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
}

static void as_many_people_as_said_have_to_reject(void)
{
    struct policy policy = policy_of_needs();
    struct request request;

    policy.rejections = 2;
    request = pending_under(&policy, NOW);
    CU_ASSERT_EQUAL(reject(&request, &policy, "U0SAM", SEC), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(reject(&request, &policy, "U0SAM", SEC), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SAM", SEC), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0OLA", OPS), REFUSAL_NONE);
    CU_ASSERT_EQUAL(reject(&request, &policy, "U0BOB", 0), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
    request = pending_under(&policy, NOW);
    CU_ASSERT_EQUAL(reject(&request, &policy, "U0SAM", SEC), REFUSAL_NONE);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0DIR", 0), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void a_group_does_not_decide_its_own_requests(void)
{
    struct policy policy = policy_of_needs();
    struct request request;
    struct facts facts = facts_of(ALL, SEC | TEAM);
    struct facts fewer = facts_of(SEC | OPS, SEC);
    struct press pressed;

    policy.exclude_count = 1;
    policy.excludes[0] = SPAN_LITERAL("S0TEAM");
    request = pending_under(&policy, NOW);
    pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, &fewer);
    CU_ASSERT(pressed.need_facts); /* is she in the team? */
    pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, &facts);
    CU_ASSERT(pressed.need_facts); /* she is; is the requester? */
    facts.requester_known = true;
    facts.requester_count = 1;
    facts.requester[0] = SPAN_LITERAL("S0TEAM");
    pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, &facts);
    CU_ASSERT(!pressed.need_facts && pressed.refusal == REFUSAL_SAME_GROUP);
    pressed = press(&request, &policy, "U0ANA", VERDICT_REJECT, &facts);
    CU_ASSERT_EQUAL(pressed.refusal, REFUSAL_SAME_GROUP);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0SAM", SEC), REFUSAL_NONE); /* of no team */
    request = pending_under(&policy, NOW);
    facts.requester_count = 0; /* he has left it */
    pressed = press(&request, &policy, "U0ANA", VERDICT_APPROVE, &facts);
    CU_ASSERT(!pressed.need_facts && pressed.refusal == REFUSAL_NONE);
    request = pending_under(&policy, NOW);
    request.requester = SPAN_NONE;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ANA", SEC | TEAM), REFUSAL_NONE);
}

static void groups_that_matter_are_named_once(void)
{
    struct policy policy = policy_of_needs();
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];

    policy.exclude_count = 2;
    policy.excludes[0] = SPAN_LITERAL("S0OPS");
    policy.excludes[1] = SPAN_LITERAL("S0TEAM");
    CU_ASSERT_EQUAL(needs_groups(&policy, groups), 3);
    CU_ASSERT(span_is(groups[2], "S0TEAM"));
}

static void damage_in_needs_is_seen(void)
{
    struct policy policy = policy_of_needs();
    struct request good = pending_under(&policy, NOW);
    struct request bad;

    CU_ASSERT_EQUAL(approve(&good, &policy, "U0SAM", SEC), REFUSAL_NONE);
    CU_ASSERT(request_invariant(&good));
    bad = good;
    bad.decisions[0].needs = 0;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.decisions[0].needs = 8;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.decisions[0].needs = 4; /* the director alone is enough */
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.needs[1].quorum = CORE_QUORUM_MAX;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.needs[2].alternative = 2;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.rejections = 0;
    CU_ASSERT_FALSE(request_invariant(&bad));
}

/* A small generator, so that a failing seed can be named. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

/* People press in some order, one by one, until it is approved. */
static enum request_state run(const struct policy *policy, const uint32_t *order, uint32_t members)
{
    static const char *const users[] = {"U0ANA", "U0BEA", "U0CAL", "U0BOB", "U0EVA", "U0FOX"};
    struct request request = pending_under(policy, NOW);

    for (uint32_t i = 0; i < 6 && request.state == REQUEST_PENDING; i++) {
        uint32_t person = order[i];

        (void)approve(&request, policy, users[person], members >> (2 * person) & 3);
    }
    return request.state;
}

static void the_order_of_presses_does_not_matter(void)
{
    uint64_t seed = 11;
    uint32_t approved = 0;

    for (uint32_t i = 0; i < 2000; i++) {
        struct policy policy = policy_of_needs();
        uint32_t order[6] = {0, 1, 2, 3, 4, 5};
        uint32_t members = draw(&seed, 4096);
        enum request_state state;

        policy.needs[0].need.quorum = 1 + draw(&seed, 3);
        policy.needs[1].need.quorum = 1 + draw(&seed, 3);
        state = run(&policy, order, members);
        approved += state == REQUEST_APPROVED ? 1 : 0;
        for (uint32_t at = 5; at > 0; at--) {
            uint32_t other = draw(&seed, at + 1);
            uint32_t kept = order[at];

            order[at] = order[other];
            order[other] = kept;
        }
        CU_ASSERT_EQUAL(run(&policy, order, members), state);
    }
    CU_ASSERT(approved > 200 && approved < 1800);
}

UNIT_MAIN("needs",
          {"an address is a person", an_address_is_a_person},
          {"who is in both groups fills one need", who_is_in_both_groups_fills_one_need},
          {"an approval that cannot help is refused and a rejection is not",
           an_approval_that_cannot_help_is_refused_and_a_rejection_is_not},
          {"one whole alternative is enough", one_whole_alternative_is_enough},
          {"what an approval fills must be known in full",
           what_an_approval_fills_must_be_known_in_full},
          {"as many people as said have to reject", as_many_people_as_said_have_to_reject},
          {"a group does not decide its own requests", a_group_does_not_decide_its_own_requests},
          {"groups that matter are named once", groups_that_matter_are_named_once},
          {"damage in needs is seen", damage_in_needs_is_seen},
          {"the order of presses does not matter", the_order_of_presses_does_not_matter})

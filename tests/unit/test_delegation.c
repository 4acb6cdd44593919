/* SPDX-License-Identifier: Apache-2.0 */
/* test_delegation.c: proves what decisions come to when people stand in for others.
 * Owns nothing but its cases; never touches a store. */
#include "approvald/core/approval.h"
#include "approvald/core/codec.h"
#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "base/buf.h"
#include "tests/unit/pending_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define NOW        UINT64_C(1800000000000)
#define WALK_COUNT 20000
#define WALK_STEPS 12

static const char *const groups[] = {"S0SEC", "S0OPS", "S0TEAM"};
enum { SEC = 1, OPS = 2, TEAM = 4 };

/* Two of ana, cara and S0OPS; nobody of the requester's team. */
static struct policy policy_of(uint32_t quorum)
{
    return (struct policy){.name = SPAN_LITERAL("deploy"),
                           .version = 1,
                           .channel = SPAN_LITERAL("C0CARDS"),
                           .quorum = quorum,
                           .rejections = 1,
                           .expires_after_ms = 3600000,
                           .user_count = 2,
                           .users = {SPAN_LITERAL("U0ANA"), SPAN_LITERAL("U0CARA")},
                           .group_count = 1,
                           .groups = {SPAN_LITERAL("S0OPS")},
                           .exclude_count = 1,
                           .excludes = {SPAN_LITERAL("S0TEAM")},
                           .delegation = true};
}

/* security: 1 of ana; ops: 1 of ben or cara. */
static struct policy policy_of_needs(void)
{
    return (struct policy){
        .name = SPAN_LITERAL("restore"),
        .version = 1,
        .quorum = 2,
        .rejections = 1,
        .expires_after_ms = 3600000,
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANA"), SPAN_LITERAL("U0BEN"), SPAN_LITERAL("U0CARA")},
        .need_count = 2,
        .needs = {{.need = {.name = SPAN_LITERAL("security"), .quorum = 1}, .users = 1},
                  {.need = {.name = SPAN_LITERAL("ops"), .quorum = 1}, .users = 6}},
        .delegation = true};
}

/* All groups are known; the requester is of the team. */
static struct facts facts_of(uint32_t member)
{
    struct facts facts = {.user_known = true,
                          .requester_known = true,
                          .requester_count = 1,
                          .requester = {SPAN_LITERAL("S0TEAM")}};

    for (uint32_t i = 0; i < 3; i++) {
        facts.known[facts.known_count++] = span_text(groups[i]);
        if ((member >> i & 1) != 0) {
            facts.member[facts.member_count++] = span_text(groups[i]);
        }
    }
    return facts;
}

static void stand_in_for(struct facts *facts, const char *user, uint32_t member)
{
    facts->stand_ins[facts->stand_in_count++] =
        (struct stand_in){.user = span_text(user), .known = true, .fit = true, .member = member};
}

static enum refusal press(struct request *request,
                          const struct policy *policy,
                          const char *user,
                          enum verdict verdict,
                          const struct facts *facts,
                          bool *ret_need_facts)
{
    struct approval_event event = press_with(user, verdict, NOW + 1, facts);
    static struct approval_effects effects;

    approval_step(request, policy, &event, &effects);
    *request = effects.after;
    CU_ASSERT(request_invariant(request));
    if (ret_need_facts != NULL) {
        *ret_need_facts = effects.need_facts;
    } else {
        CU_ASSERT_FALSE(effects.need_facts);
    }
    return effects.refusal;
}

static enum refusal approve(struct request *request,
                            const struct policy *policy,
                            const char *user,
                            const struct facts *facts)
{
    return press(request, policy, user, VERDICT_APPROVE, facts, NULL);
}

static void a_substitute_counts_in_the_place_of_the_approver_and_both_once(void)
{
    struct policy policy = policy_of(2);
    struct request request = pending_under(&policy, NOW);
    struct facts none = facts_of(0);
    struct facts facts = facts_of(0);
    struct span principals[CORE_DECISION_COUNT_MAX];

    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &none), REFUSAL_NOT_APPROVER);
    stand_in_for(&facts, "U0ANA", 0);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    needs_principals(&request, request.decision_count, principals);
    CU_ASSERT(span_is(principals[0], "U0ANA"));
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ANA", &none), REFUSAL_STOOD_IN);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0DAN", &facts), REFUSAL_STOOD_IN);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0ANA", VERDICT_REJECT, &none, NULL),
                    REFUSAL_STOOD_IN);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0CARA", &none), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void a_substitute_who_is_an_approver_fills_one_place(void)
{
    struct policy policy = policy_of(2);
    struct request request = pending_under(&policy, NOW);
    struct facts none = facts_of(0);
    struct facts facts = facts_of(OPS);
    struct span principals[CORE_DECISION_COUNT_MAX];

    stand_in_for(&facts, "U0ANA", 0);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    needs_principals(&request, 1, principals);
    CU_ASSERT_EQUAL(principals[0].size, 0); /* he counts for himself … */
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ANA", &none), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED); /* … and so ana does, too */
}

/* Ben is of ops and stands in for ana; then cara of ops comes. */
static void a_substitute_makes_room_by_standing_in(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);
    struct facts none = facts_of(0);
    struct facts facts = facts_of(0);
    struct span principals[CORE_DECISION_COUNT_MAX];

    stand_in_for(&facts, "U0ANA", 0);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0CARA", &none), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    needs_principals(&request, 2, principals);
    CU_ASSERT(span_is(principals[0], "U0ANA") && principals[1].size == 0);
}

static void who_may_not_is_not_made_able_by_delegation(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct facts facts = facts_of(0);
    struct facts guest = facts_of(0);
    struct facts same = facts_of(TEAM);

    stand_in_for(&facts, "U0ASK", OPS); /* for the requester himself */
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NOT_APPROVER);
    stand_in_for(&guest, "U0ANA", 0);
    guest.guest = true;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &guest), REFUSAL_GUEST);
    guest.guest = false;
    guest.stand_ins[0].fit = false; /* ana has left */
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &guest), REFUSAL_NOT_APPROVER);
    guest.stand_ins[0] = (struct stand_in){
        .user = SPAN_LITERAL("U0ANA"), .known = true, .fit = true, .member = TEAM};
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &guest), REFUSAL_NOT_APPROVER);
    stand_in_for(&same, "U0ANA", 0); /* ben is of the requester's team */
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &same), REFUSAL_SAME_GROUP);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ASK", &guest), REFUSAL_SELF_APPROVAL);
    policy.self_approval = true; /* in his own right alone, and he has none */
    policy.exclude_count = 0;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ASK", &guest), REFUSAL_NOT_APPROVER);
    policy.delegation = false;
    guest.stand_ins[0].member = 0;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &guest), REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(request.decision_count, 0);
}

/* What is not known of ana is asked for, not assumed, in either way. */
static void unknown_facts_about_who_is_stood_in_for_are_asked_for(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct facts facts = facts_of(0);
    bool need_facts = false;

    stand_in_for(&facts, "U0ANA", 0);
    facts.stand_ins[0].known = false;
    CU_ASSERT_EQUAL(press(&request, &policy, "U0BEN", VERDICT_APPROVE, &facts, &need_facts),
                    REFUSAL_NONE);
    CU_ASSERT(need_facts && request.decision_count == 0);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0BEN", VERDICT_REJECT, &facts, &need_facts),
                    REFUSAL_NONE);
    CU_ASSERT(need_facts && request.decision_count == 0);
    facts.stand_ins[0].user = SPAN_LITERAL("U0NOBODY"); /* of no consequence: not an approver */
    facts.stand_ins[0].known = true;
    CU_ASSERT_EQUAL(press(&request, &policy, "U0BEN", VERDICT_REJECT, &facts, &need_facts),
                    REFUSAL_NOT_APPROVER);
}

/* The policy names dora by her address: it is hers in her substitute's press too, and his own
 * address is nobody else's. */
static void an_address_is_of_who_is_stood_in_for(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct facts facts = facts_of(0);
    bool need_facts = false;

    policy.users[0] = SPAN_LITERAL("dora@acme.example");
    policy.user_count = 1;
    facts.emails_known = true;
    stand_in_for(&facts, "U0DORA", 0);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0BEN", VERDICT_APPROVE, &facts, &need_facts),
                    REFUSAL_NONE);
    CU_ASSERT(need_facts); /* hers are not known */
    facts.stand_ins[0].emails_known = true;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NOT_APPROVER);
    facts.stand_ins[0].email_count = 1;
    facts.stand_ins[0].emails[0] = SPAN_LITERAL("dora@acme.example");
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT(span_is(request.decisions[0].behalfs[0].user, "U0DORA"));
    request = pending_under(&policy, NOW);
    facts.email_count = 1;
    facts.emails[0] = SPAN_LITERAL("dora@acme.example"); /* it is ben's */
    facts.stand_ins[0].email_count = 0;
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT(!request.decisions[0].no_own && request.decisions[0].behalf_count == 0);
}

static void a_rejection_uses_a_right_up_and_anybody_may_stop(void)
{
    struct policy policy = policy_of(2);
    struct request request;
    struct facts none = facts_of(0);
    struct facts facts = facts_of(0);

    policy.rejections = 2;
    request = pending_under(&policy, NOW);
    stand_in_for(&facts, "U0ANA", 0);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0BEN", VERDICT_REJECT, &facts, NULL), REFUSAL_NONE);
    CU_ASSERT(request.decisions[0].no_own && request.decisions[0].behalf_count == 1);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0ANA", VERDICT_REJECT, &none, NULL),
                    REFUSAL_STOOD_IN);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0ANA", &none), REFUSAL_STOOD_IN);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0CARA", VERDICT_REJECT, &none, NULL), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);

    policy = policy_of(1);
    policy.clocks.effect_after_ms = 60000;
    request = pending_under(&policy, NOW);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT_EQUAL(press(&request, &policy, "U0ANA", VERDICT_REJECT, &none, NULL), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
}

static void what_is_recorded_is_stored_and_read_back(void)
{
    struct policy policy = policy_of_needs();
    struct request request = pending_under(&policy, NOW);
    struct facts facts = facts_of(0);
    struct request read;
    struct policy read_policy;
    AUTO_BUF struct buf *buf = NULL;

    stand_in_for(&facts, "U0ANA", 0);
    CU_ASSERT_EQUAL(approve(&request, &policy, "U0BEN", &facts), REFUSAL_NONE);
    CU_ASSERT_EQUAL_FATAL(buf_new(4096, &buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_request_encode(&request, buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_request_decode(buf_span(buf), &read, NULL), ERR_OK);
    CU_ASSERT(request_invariant(&read));
    CU_ASSERT_EQUAL(read.decisions[0].behalf_count, 1);
    CU_ASSERT(span_is(read.decisions[0].behalfs[0].user, "U0ANA"));
    CU_ASSERT_EQUAL(read.decisions[0].behalfs[0].needs, 1);
    CU_ASSERT_FALSE(read.decisions[0].no_own);
    for (size_t size = 0; size < buf_size(buf); size++) {
        CU_ASSERT_NOT_EQUAL(codec_request_decode(span_of(buf_text(buf), size), &read, NULL),
                            ERR_OK);
    }
    buf_clear(buf);
    CU_ASSERT_EQUAL_FATAL(codec_policy_encode(&policy, buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_policy_decode(buf_span(buf), &read_policy, NULL), ERR_OK);
    CU_ASSERT(read_policy.delegation && policy_equal(&policy, &read_policy));
    read_policy.delegation = false;
    CU_ASSERT_FALSE(policy_equal(&policy, &read_policy));
    CU_ASSERT_FALSE(policy_rules_equal(&policy, &read_policy));
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

static const char *const people[] = {"U0ANA", "U0BEN", "U0CARA", "U0DAN", "U0ASK"};
#define PEOPLE_COUNT 5

/* Nobody counts twice and no right does; the requester is nowhere. */
static bool walk_fits(const struct request *request)
{
    struct span principals[CORE_DECISION_COUNT_MAX];
    struct quorum_result result;
    bool fit = true;

    needs_judge(request, request->decision_count, &result);
    needs_principals(request, request->decision_count, principals);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        struct span right = principals[i].size > 0 ? principals[i] : request->decisions[i].user;
        bool counts =
            request->decisions[i].verdict == VERDICT_REJECT || result.uses[i] != QUORUM_NONE;

        fit = fit && !span_is(right, "U0ASK") && !span_is(request->decisions[i].user, "U0ASK");
        for (uint32_t j = 0; counts && j < i; j++) {
            struct span other = principals[j].size > 0 ? principals[j] : request->decisions[j].user;
            bool other_counts =
                request->decisions[j].verdict == VERDICT_REJECT || result.uses[j] != QUORUM_NONE;

            fit = fit && !(other_counts && span_equal(right, other)) &&
                  !span_equal(request->decisions[i].user, request->decisions[j].user);
        }
    }
    return fit;
}

/* What somebody who presses is, and for whom he stands in. */
static struct facts draw_facts(uint64_t *seed)
{
    struct facts facts = facts_of(draw(seed, 8) & (OPS | (draw(seed, 6) == 0 ? TEAM : 0)));

    for (uint32_t i = draw(seed, 3); i > 0; i--) {
        stand_in_for(&facts, people[draw(seed, PEOPLE_COUNT)], draw(seed, 2) * OPS);
    }
    if (facts.stand_in_count == 2 && span_equal(facts.stand_ins[0].user, facts.stand_ins[1].user)) {
        facts.stand_in_count = 1;
    }
    return facts;
}

struct walked {
    uint32_t approved;
    uint32_t behalf;
    uint32_t stood_in;
};

static void walk(uint64_t *seed, struct walked *walked)
{
    struct policy policy = draw(seed, 2) == 0 ? policy_of(1 + draw(seed, 3)) : policy_of_needs();
    struct request request;

    policy.rejections = 1 + draw(seed, 3);
    request = pending_under(&policy, NOW);
    for (uint32_t step = 0; step < WALK_STEPS && request.state == REQUEST_PENDING; step++) {
        struct facts facts = draw_facts(seed);
        const char *user = people[draw(seed, PEOPLE_COUNT)];
        enum verdict verdict = draw(seed, 4) == 0 ? VERDICT_REJECT : VERDICT_APPROVE;
        enum refusal refusal = press(&request, &policy, user, verdict, &facts, NULL);

        walked->stood_in += refusal == REFUSAL_STOOD_IN ? 1 : 0;
        CU_ASSERT_FATAL(walk_fits(&request));
    }
    walked->approved += request.state == REQUEST_APPROVED ? 1 : 0;
    for (uint32_t i = 0; i < request.decision_count; i++) {
        walked->behalf += request.decisions[i].no_own ? 1 : 0;
    }
}

static void whoever_presses_nobody_counts_twice(void)
{
    struct walked walked = {.approved = 0};
    uint64_t seed = 5;

    for (uint32_t i = 0; i < WALK_COUNT; i++) {
        walk(&seed, &walked);
    }
    CU_ASSERT(walked.approved > WALK_COUNT / 10);
    CU_ASSERT(walked.behalf > WALK_COUNT / 10);
    CU_ASSERT(walked.stood_in > WALK_COUNT / 50);
}

UNIT_MAIN("delegation",
          {"a substitute counts in the place of the approver and both once",
           a_substitute_counts_in_the_place_of_the_approver_and_both_once},
          {"a substitute who is an approver fills one place",
           a_substitute_who_is_an_approver_fills_one_place},
          {"a substitute makes room by standing in", a_substitute_makes_room_by_standing_in},
          {"who may not is not made able by delegation",
           who_may_not_is_not_made_able_by_delegation},
          {"unknown facts about who is stood in for are asked for",
           unknown_facts_about_who_is_stood_in_for_are_asked_for},
          {"an address is of who is stood in for", an_address_is_of_who_is_stood_in_for},
          {"a rejection uses a right up and anybody may stop",
           a_rejection_uses_a_right_up_and_anybody_may_stop},
          {"what is recorded is stored and read back", what_is_recorded_is_stored_and_read_back},
          {"whoever presses nobody counts twice", whoever_presses_nobody_counts_twice})

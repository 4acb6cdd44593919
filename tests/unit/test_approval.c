/* SPDX-License-Identifier: Apache-2.0 */
/* test_approval.c: proves approvald/core/approval: each refusal, each move, and by random walks
 * that one request has one outcome, one claim and distinct deciders. Owns nothing but its cases;
 * never touches a store. */
#include "approvald/core/approval.h"
#include "tests/unit/pending_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define NOW UINT64_C(1800000000000)

static struct policy policy_of(uint32_t quorum)
{
    struct policy policy = {
        .name = SPAN_LITERAL("deploy"),
        .version = 3,
        .channel = SPAN_LITERAL("C0CARDS"),
        .quorum = quorum,
        .rejections = 1,
        .direct_requester = true,
        .expires_after_ms = 3600000,
        .lapses_after_ms = 600000,
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("U0BOB"), SPAN_LITERAL("U0ASK")},
        .group_count = 1,
        .groups = {SPAN_LITERAL("S0OPS")},
        .webhook_count = 2,
        .webhooks = {SPAN_LITERAL("ci"), SPAN_LITERAL("log")}};

    return policy;
}

static const struct facts known = {
    .user_known = true, .known_count = 1, .known = {{.data = "S0OPS", .size = 5}}};

static struct approval_event decide_of(const char *user, enum verdict verdict)
{
    struct approval_event event = {
        .kind = APPROVAL_DECIDE,
        .now_ms = NOW + 1,
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)},
        .verdict = verdict,
        .facts = &known};

    return event;
}

static struct approval_event asker_of(enum approval_kind kind)
{
    struct approval_event event = {
        .kind = kind,
        .now_ms = NOW + 2,
        .actor = {.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")}};

    return event;
}

/* Steps and keeps the result in *request. */
static enum refusal
step(struct request *request, const struct policy *policy, const struct approval_event *event)
{
    struct approval_effects effects;

    approval_step(request, policy, event, &effects);
    *request = effects.after;
    return effects.refusal;
}

static struct request approved_of(const struct policy *policy)
{
    struct request request = pending_under(policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);

    CU_ASSERT_EQUAL(step(&request, policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    return request;
}

static uint32_t raised(const struct approval_effects *effects, enum surface surface)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < effects->raise_count; i++) {
        count += effects->raises[i].surface == surface ? 1 : 0;
    }
    return count;
}

static void who_may_not_decide_is_told_why(void)
{
    static const struct {
        const char *user;
        struct facts facts;
        enum refusal refusal;
    } table[] = {
        {"U0ANN", {.user_known = true, .foreign = true}, REFUSAL_FOREIGN},
        {"U0ANN", {.user_known = true, .bot = true}, REFUSAL_BOT},
        {"U0ANN", {.user_known = true, .deactivated = true}, REFUSAL_DEACTIVATED},
        {"U0ANN", {.user_known = true, .guest = true}, REFUSAL_GUEST},
        {"U0ASK", {.user_known = true}, REFUSAL_SELF_APPROVAL},
        {"U0ASK", {.user_known = false}, REFUSAL_SELF_APPROVAL},
        {"U0MAL",
         {.user_known = true, .known_count = 1, .known = {{.data = "S0OPS", .size = 5}}},
         REFUSAL_NOT_APPROVER},
        {"U0MAL",
         {.user_known = false, .known_count = 1, .known = {{.data = "S0OPS", .size = 5}}},
         REFUSAL_NOT_APPROVER},
        {"U0ANN", {.user_known = true}, REFUSAL_NONE},
        {"U0MEM",
         {.user_known = true, .member_count = 1, .member = {{.data = "S0OPS", .size = 5}}},
         REFUSAL_NONE},
    };
    struct policy policy = policy_of(1);

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct request request = pending_under(&policy, NOW);
        struct approval_event event = decide_of(table[i].user, VERDICT_APPROVE);
        struct approval_effects effects;

        event.facts = &table[i].facts;
        approval_step(&request, &policy, &event, &effects);
        CU_ASSERT_EQUAL(effects.refusal, table[i].refusal);
        CU_ASSERT_FALSE(effects.need_facts);
        CU_ASSERT_EQUAL(effects.changed, table[i].refusal == REFUSAL_NONE);
    }
}

static void unknown_facts_are_asked_for_only_when_they_matter(void)
{
    struct policy policy = policy_of(1);
    struct facts flags_unknown = {.user_known = false};
    struct facts group_unknown = {.user_known = true};
    const struct {
        const char *user;
        const struct facts *facts;
        bool need;
    } table[] = {
        {"U0ANN", &flags_unknown, true},  {"U0ANN", NULL, true},
        {"U0MAL", &group_unknown, true},  {"U0MAL", NULL, true},
        {"U0ANN", &group_unknown, false}, /* named: the group does not matter */
        {"U0ASK", NULL, false},           /* self-approval needs no facts */
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct request request = pending_under(&policy, NOW);
        struct approval_event event = decide_of(table[i].user, VERDICT_APPROVE);
        struct approval_effects effects;

        event.facts = table[i].facts;
        approval_step(&request, &policy, &event, &effects);
        CU_ASSERT_EQUAL(effects.need_facts, table[i].need);
        CU_ASSERT(!table[i].need || (effects.refusal == REFUSAL_NONE && !effects.changed));
    }
}

static void root_and_unbound_tokens_decide_nothing(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);

    event.actor = (struct actor){.kind = ACTOR_ROOT, .via = VIA_CLI, .user = SPAN_LITERAL("U0ANN")};
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    event.actor = (struct actor){.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    event.actor = (struct actor){.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")};
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVER);
    event.actor.user = SPAN_LITERAL("U0ANN");
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
}

static void self_approval_can_be_allowed(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ASK", VERDICT_APPROVE);

    policy.self_approval = true;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
}

static void one_person_fills_one_slot(void)
{
    struct policy policy = policy_of(2);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
    event.verdict = VERDICT_REJECT;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(request.state, REQUEST_PENDING);
    event = decide_of("U0BOB", VERDICT_APPROVE);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ALREADY_DECIDED);
    event.verdict = VERDICT_REJECT;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ENDED);
    CU_ASSERT_EQUAL(request.revision, 3);
}

static void one_rejection_ends_a_request(void)
{
    struct policy policy = policy_of(2);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    event = decide_of("U0BOB", VERDICT_REJECT);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(request.use, USE_NONE);
    event = asker_of(APPROVAL_CLAIM);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_APPROVED);
    event = asker_of(APPROVAL_CANCEL);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_ENDED);
}

static void a_press_after_the_time_expires_the_request(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);
    struct approval_effects effects;

    event.now_ms = request.expires_ms;
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_EQUAL(effects.refusal, REFUSAL_EXPIRED);
    CU_ASSERT(effects.changed);
    CU_ASSERT_EQUAL(effects.after.state, REQUEST_EXPIRED);
    CU_ASSERT_EQUAL(effects.audit_count, 1);
    CU_ASSERT_EQUAL(effects.audits[0].action, AUDIT_EXPIRED);
    CU_ASSERT(effects.audits[0].by_system);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_DIRECT), 1);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_WEBHOOK), 2);
    request = effects.after;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_EXPIRED);
    event = asker_of(APPROVAL_CLAIM);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_EXPIRED);
    CU_ASSERT_EQUAL(approval_deadline_ms(&request), UINT64_MAX);
}

static void what_a_decision_and_its_outcome_make_visible(void)
{
    struct policy policy = policy_of(2);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = decide_of("U0ANN", VERDICT_APPROVE);
    struct approval_effects effects;

    approval_open(&request, &policy, &effects);
    CU_ASSERT(effects.raise_count == 1 && raised(&effects, SURFACE_CARD) == 1);
    CU_ASSERT_EQUAL(effects.audits[0].action, AUDIT_CREATED);
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT(effects.audit_count == 1 && effects.audits[0].action == AUDIT_APPROVAL);
    CU_ASSERT(effects.raise_count == 2 && raised(&effects, SURFACE_CARD) == 1 &&
              raised(&effects, SURFACE_THREAD) == 1);
    request = effects.after;
    event = decide_of("U0BOB", VERDICT_APPROVE);
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT(effects.audit_count == 2 && effects.audits[1].action == AUDIT_APPROVED);
    CU_ASSERT_EQUAL(effects.raise_count, 5);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_WEBHOOK), 2);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_DIRECT), 1);
    request.asker = SPAN_LITERAL("U0ASSISTANT"); /* he waits for it, too */
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_DIRECT), 2);
    policy.direct_requester = false; /* the thread tells it ... */
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_EQUAL(raised(&effects, SURFACE_DIRECT), 0);
    policy.channel = SPAN_NONE; /* ... where there is one */
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_EQUAL(effects.raise_count, 4); /* and the webhooks */
}

static void an_approval_is_claimed_once_by_its_asker(void)
{
    struct policy policy = policy_of(1);
    struct request request = approved_of(&policy);
    struct approval_event event = asker_of(APPROVAL_CLAIM);
    uint8_t key_hash[32] = {5};
    uint8_t other_hash[32] = {6};

    event.actor.token = SPAN_LITERAL("other");
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_ASKER);
    event = asker_of(APPROVAL_CLAIM);
    event.claim_hash = span_of(key_hash, 32);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.use, USE_CLAIMED);
    {
        struct approval_effects effects;

        approval_step(&request, &policy, &event, &effects);
        CU_ASSERT(effects.repeated && !effects.changed);
        CU_ASSERT_EQUAL(effects.refusal, REFUSAL_NONE);
    }
    event.claim_hash = span_of(other_hash, 32);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_CLAIMED);
    event.claim_hash = SPAN_NONE;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_CLAIMED);
    event = asker_of(APPROVAL_CONSUME);
    event.result = -1;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.consume_result, -1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE); /* repeated */
    CU_ASSERT_EQUAL(request.revision, 4);
    event.result = 0;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_CONSUMED);
    event = asker_of(APPROVAL_CLAIM);
    event.claim_hash = span_of(key_hash, 32);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_CLAIMED);
}

static void a_claim_is_bound_to_what_was_approved(void)
{
    struct policy policy = policy_of(1);
    struct request request = approved_of(&policy);
    struct approval_event event = asker_of(APPROVAL_CLAIM);
    uint8_t hash[32] = {7};

    event.bind_hash = hash; /* nothing was bound: these bytes were not approved */
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_WRONG_HASH);
    request.bound = true;
    request.bind_hash[0] = 8;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_WRONG_HASH);
    event.bind_hash = NULL;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_WRONG_HASH);
    event.bind_hash = hash;
    request.bind_hash[0] = 7;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
}

static void an_unclaimed_approval_lapses(void)
{
    struct policy policy = policy_of(1);
    struct request request = approved_of(&policy);
    struct approval_event event = asker_of(APPROVAL_CONSUME);

    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NOT_CLAIMED);
    CU_ASSERT_EQUAL(approval_deadline_ms(&request), NOW + 1 + policy.lapses_after_ms);
    event = asker_of(APPROVAL_CLAIM);
    event.now_ms = approval_deadline_ms(&request);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_LAPSED);
    CU_ASSERT_EQUAL(request.use, USE_LAPSED);
    event.kind = APPROVAL_CONSUME;
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_LAPSED);
    policy.lapses_after_ms = 0;
    request = approved_of(&policy);
    CU_ASSERT_EQUAL(approval_deadline_ms(&request), UINT64_MAX);
}

static void the_asker_the_requester_and_root_may_cancel(void)
{
    static const struct {
        struct actor actor;
        enum refusal refusal;
    } table[] = {
        {{.kind = ACTOR_TOKEN, .via = VIA_API, .token = {.data = "ci", .size = 2}}, REFUSAL_NONE},
        {{.kind = ACTOR_TOKEN, .via = VIA_API, .token = {.data = "cd", .size = 2}},
         REFUSAL_NOT_ASKER},
        {{.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = {.data = "U0ASK", .size = 5}},
         REFUSAL_NONE},
        {{.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = {.data = "U0ANN", .size = 5}},
         REFUSAL_NOT_ASKER},
        {{.kind = ACTOR_ROOT, .via = VIA_CLI}, REFUSAL_NONE},
        {{.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM}, REFUSAL_NOT_ASKER},
    };
    struct policy policy = policy_of(1);

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct request request = pending_under(&policy, NOW);
        struct approval_event event = asker_of(APPROVAL_CANCEL);

        event.actor = table[i].actor;
        CU_ASSERT_EQUAL(step(&request, &policy, &event), table[i].refusal);
        CU_ASSERT_EQUAL(request.state == REQUEST_CANCELLED, table[i].refusal == REFUSAL_NONE);
        /* Again by the same is the same answer. */
        CU_ASSERT_EQUAL(step(&request, &policy, &event), table[i].refusal);
    }
}

static void time_alone_changes_nothing_before_it_is_due(void)
{
    struct policy policy = policy_of(1);
    struct request request = pending_under(&policy, NOW);
    struct approval_event event = {.kind = APPROVAL_TIME,
                                   .actor = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM}};
    struct approval_effects effects;

    event.now_ms = request.expires_ms - 1;
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_FALSE(effects.changed);
    event.now_ms++;
    approval_step(&request, &policy, &event, &effects);
    CU_ASSERT_EQUAL(effects.after.state, REQUEST_EXPIRED);
}

static void the_table_has_the_legal_moves_and_no_others(void)
{
    uint32_t state_count = 0;
    uint32_t use_count = 0;

    for (int from = 0; from <= REQUEST_CANCELLED; from++) {
        for (int to = 0; to <= REQUEST_CANCELLED; to++) {
            state_count +=
                approval_state_may_follow((enum request_state)from, (enum request_state)to) ? 1 : 0;
        }
    }
    for (int from = 0; from <= USE_LAPSED; from++) {
        for (int to = 0; to <= USE_LAPSED; to++) {
            use_count +=
                approval_use_may_follow((enum request_use)from, (enum request_use)to) ? 1 : 0;
        }
    }
    CU_ASSERT_EQUAL(state_count, 4);
    CU_ASSERT_EQUAL(use_count, 4);
    CU_ASSERT_FALSE(approval_state_may_follow(REQUEST_EXPIRED, REQUEST_APPROVED));
    CU_ASSERT_FALSE(approval_use_may_follow(USE_LAPSED, USE_CLAIMED));
    CU_ASSERT_FALSE(approval_use_may_follow(USE_CLAIMED, USE_LAPSED));
}

static void the_invariant_sees_damage(void)
{
    struct policy policy = policy_of(1);
    struct request good = approved_of(&policy);
    struct request bad;

    CU_ASSERT(request_invariant(&good));
    bad = good;
    bad.use = USE_NONE;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.state = REQUEST_REJECTED;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.decision_count = 0;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.claimed_ms = 1;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.decisions[1] = bad.decisions[0];
    bad.decision_count = 2;
    bad.quorum = 2;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.ended_ms = 0;
    CU_ASSERT_FALSE(request_invariant(&bad));
    bad = good;
    bad.revision = 0;
    CU_ASSERT_FALSE(request_invariant(&bad));
}

/* A small generator, so that a failing seed can be named. */
static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

static struct approval_event draw_event(uint64_t *seed, uint64_t now_ms)
{
    static const char *const users[] = {"U0ANN", "U0BOB", "U0ASK", "U0MAL"};
    static const uint8_t key_hash[2][32] = {{1}, {2}};
    struct approval_event event;
    uint32_t kind = draw(seed, 8);

    if (kind < 4) {
        event =
            decide_of(users[draw(seed, 4)], draw(seed, 6) == 0 ? VERDICT_REJECT : VERDICT_APPROVE);
        event.facts = draw(seed, 5) == 0 ? NULL : &known;
    } else {
        event = asker_of((enum approval_kind)(APPROVAL_CANCEL + draw(seed, 4)));
        event.kind =
            event.kind == APPROVAL_CANCEL && draw(seed, 3) != 0 ? APPROVAL_CLAIM : event.kind;
        event.claim_hash = span_of(key_hash[draw(seed, 2)], 32);
        event.result = (int32_t)draw(seed, 2);
    }
    event.now_ms = now_ms;
    return event;
}

struct walk {
    uint32_t outcomes;
    uint32_t claims;
    uint32_t consumptions;
    uint32_t lapses;
};

static void
count_moves(struct walk *walk, const struct request *before, const struct request *after)
{
    walk->outcomes += before->state != after->state ? 1 : 0;
    walk->claims += before->use != after->use && after->use == USE_CLAIMED ? 1 : 0;
    walk->consumptions += before->use != after->use && after->use == USE_CONSUMED ? 1 : 0;
    walk->lapses += before->use != after->use && after->use == USE_LAPSED ? 1 : 0;
}

static struct walk walk_once(uint64_t seed)
{
    struct policy policy = policy_of(1 + draw(&seed, 3));
    struct request request;
    struct walk walk = {.outcomes = 0};
    uint64_t now_ms = NOW;
    /* Effects are kept: a request borrows texts from them. */
    static struct approval_effects effects;

    policy.self_approval = draw(&seed, 2) == 0;
    request = pending_under(&policy, NOW);
    for (int i = 0; i < 60; i++) {
        struct approval_event event;

        now_ms += draw(&seed, 40) == 0 ? 400000 : draw(&seed, 1000);
        event = draw_event(&seed, now_ms);
        approval_step(&request, &policy, &event, &effects);
        CU_ASSERT(request_invariant(&effects.after));
        CU_ASSERT(!effects.repeated || effects.refusal == REFUSAL_NONE);
        CU_ASSERT(effects.after.revision - request.revision <= 1);
        count_moves(&walk, &request, &effects.after);
        request = effects.after;
    }
    return walk;
}

static void whatever_happens_there_is_one_outcome_and_one_use(void)
{
    struct walk sum = {.outcomes = 0};

    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct walk walk = walk_once(seed);

        CU_ASSERT(walk.outcomes <= 1 && walk.claims <= 1 && walk.consumptions <= walk.claims);
        CU_ASSERT(walk.claims + walk.lapses <= 1);
        if (walk.outcomes > 1 || walk.claims + walk.lapses > 1) {
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        sum.outcomes += walk.outcomes;
        sum.claims += walk.claims;
        sum.consumptions += walk.consumptions;
        sum.lapses += walk.lapses;
    }
    /* The walks reach what they are about. */
    CU_ASSERT(sum.outcomes > 1000 && sum.claims > 100 && sum.consumptions > 50 && sum.lapses > 10);
}

UNIT_MAIN(
    "approval",
    {"who may not decide is told why", who_may_not_decide_is_told_why},
    {"unknown facts are asked for only when they matter",
     unknown_facts_are_asked_for_only_when_they_matter},
    {"root and unbound tokens decide nothing", root_and_unbound_tokens_decide_nothing},
    {"self-approval can be allowed", self_approval_can_be_allowed},
    {"one person fills one slot", one_person_fills_one_slot},
    {"one rejection ends a request", one_rejection_ends_a_request},
    {"a press after the time expires the request", a_press_after_the_time_expires_the_request},
    {"what a decision and its outcome make visible", what_a_decision_and_its_outcome_make_visible},
    {"an approval is claimed once by its asker", an_approval_is_claimed_once_by_its_asker},
    {"a claim is bound to what was approved", a_claim_is_bound_to_what_was_approved},
    {"an unclaimed approval lapses", an_unclaimed_approval_lapses},
    {"the asker, the requester and root may cancel", the_asker_the_requester_and_root_may_cancel},
    {"time alone changes nothing before it is due", time_alone_changes_nothing_before_it_is_due},
    {"the table has the legal moves and no others", the_table_has_the_legal_moves_and_no_others},
    {"the invariant sees damage", the_invariant_sees_damage},
    {"whatever happens, there is one outcome and one use",
     whatever_happens_there_is_one_outcome_and_one_use})

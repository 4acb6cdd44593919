/* SPDX-License-Identifier: Apache-2.0 */
/* test_approval_time.c: proves approvald/core/approval_time: reminder, escalation and veto window,
 * each in its order and once, and by random walks against a plain model with jumping clocks and
 * changing hosts. Owns nothing but its cases; never touches a store. */
#include "approvald/core/approval.h"
#include "approvald/core/elapsed.h"
#include "tests/sim/prng.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define NOW           UINT64_C(1800000000000)
#define SECOND        UINT64_C(1000)
#define EXPIRES_AFTER (600 * SECOND)
#define REMIND_AT     (NOW + 500 * SECOND)
#define ESCALATE_AT   (NOW + 200 * SECOND)
#define WINDOW        (60 * SECOND)

static struct policy policy_of(uint32_t quorum)
{
    return (struct policy){
        .name = SPAN_LITERAL("deploy"),
        .version = 3,
        .channel = SPAN_LITERAL("C0CARDS"),
        .quorum = quorum,
        .rejections = 1,
        .direct_requester = true,
        .expires_after_ms = EXPIRES_AFTER,
        .lapses_after_ms = 100 * SECOND,
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("U0BOB"), SPAN_LITERAL("U0ASK")},
        .webhook_count = 1,
        .webhooks = {SPAN_LITERAL("ci")},
        .clocks = {.remind_before_ms = 100 * SECOND,
                   .escalate_after_ms = 200 * SECOND,
                   .effect_after_ms = WINDOW,
                   .escalate_channel = SPAN_LITERAL("C0BOSS"),
                   .escalate_user_count = 1,
                   .escalate_users = {SPAN_LITERAL("U0BOSS")},
                   .escalate_group_count = 1,
                   .escalate_groups = {SPAN_LITERAL("S0BOSS")}}};
}

static struct request opened(const struct policy *policy)
{
    struct request request = {.id = {.bytes = {1}},
                              .revision = 1,
                              .state = REQUEST_PENDING,
                              .policy = policy->name,
                              .policy_version = policy->version,
                              .requester = SPAN_LITERAL("U0ASK"),
                              .asker = SPAN_LITERAL("ci"),
                              .title = SPAN_LITERAL("Deploy"),
                              .created_ms = NOW,
                              .expires_ms = NOW + EXPIRES_AFTER,
                              .quorum = policy->quorum,
                              .rejections = 1};
    struct approval_effects effects;

    approval_open(&request, policy, &effects);
    return effects.after;
}

static const struct facts known = {.user_known = true};

static struct approval_event press_of(const char *user, enum verdict verdict, uint64_t now_ms)
{
    return (struct approval_event){
        .kind = APPROVAL_DECIDE,
        .now_ms = now_ms,
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)},
        .verdict = verdict,
        .facts = &known};
}

static struct approval_event time_of(uint64_t now_ms)
{
    return (struct approval_event){.kind = APPROVAL_TIME,
                                   .now_ms = now_ms,
                                   .actor = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM}};
}

static struct approval_event asker_of(enum approval_kind kind, uint64_t now_ms)
{
    return (struct approval_event){
        .kind = kind,
        .now_ms = now_ms,
        .actor = {.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")}};
}

/* The last step's effects stay: a request borrows from them. */
static struct approval_effects effects;

static enum refusal
step(struct request *request, const struct policy *policy, const struct approval_event *event)
{
    struct request before = *request;

    approval_step(&before, policy, event, &effects);
    *request = effects.after;
    return effects.refusal;
}

static uint32_t raised(enum surface surface, const char *target)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < effects.raise_count; i++) {
        count += effects.raises[i].surface == surface && span_is(effects.raises[i].target, target);
    }
    return count;
}

static uint32_t audited(enum audit_action action)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < effects.audit_count; i++) {
        count += effects.audits[i].action == action;
    }
    return count;
}

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
    CU_ASSERT(effects.raise_count == 1 && raised(SURFACE_THREAD, "C0CARDS") == 1);
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
    CU_ASSERT(raised(SURFACE_CARD, "C0BOSS") > 0 && raised(SURFACE_THREAD, "C0BOSS") == 2);
    CU_ASSERT(raised(SURFACE_CARD, "C0CARDS") > 0 && raised(SURFACE_THREAD, "C0CARDS") == 2);
    event = asker_of(APPROVAL_CLAIM, ESCALATE_AT + 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &event), REFUSAL_NONE);
    CU_ASSERT_EQUAL(raised(SURFACE_CARD, "C0BOSS"), 1); /* kept in step to the end */
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
    CU_ASSERT_EQUAL(raised(SURFACE_WEBHOOK, "ci"), 0);
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

/* The world of a random walk: what really passes, and what clocks say. */
struct world {
    struct prng prng;
    uint64_t real_ms;
    uint64_t served_ms; /* of it, a process was there */
    uint64_t ahead_ms;  /* the wall clock; wraps around when it is behind */
    uint64_t boot_ms;
    uint64_t stamp_ms; /* of records */
    uint64_t audit_ms; /* of the newest audit entry */
    struct elapsed elapsed;
};

/* A plain model of the rules: who has approved, whether it was escalated, reminded, stopped. */
struct model {
    enum request_state state;
    bool delayed;
    bool escalated;
    bool approved[3]; /* ANN, BOB, BOSS */
    uint32_t count;
    uint32_t reminders;
    bool stopped_by_ann;
    uint64_t met_served_ms;
    uint64_t met_stamp_ms;
    bool disturbed; /* since then */
};

static void stamp(struct world *world)
{
    uint64_t wall_ms = NOW + world->real_ms + world->ahead_ms;

    world->stamp_ms = wall_ms > world->stamp_ms ? wall_ms : world->stamp_ms;
    (void)elapsed_step(&world->elapsed, world->stamp_ms, world->boot_ms); /* kept here anyway */
}

static void pass(struct world *world, struct model *model)
{
    uint64_t ms = prng_below(&world->prng, 12 * SECOND);
    uint64_t what = prng_below(&world->prng, 24);

    world->real_ms += ms;
    world->served_ms += ms;
    world->boot_ms += ms;
    if (what == 0) { /* the clock jumps ahead */
        world->ahead_ms += prng_range(&world->prng, 3, 90) * SECOND;
        model->disturbed = true;
    } else if (what == 1) { /* or back */
        world->ahead_ms -= prng_range(&world->prng, 3, 90) * SECOND;
        model->disturbed = true;
    } else if (what == 2) { /* a failover: downtime, another boot clock, another wall clock */
        world->real_ms += prng_below(&world->prng, 60) * SECOND;
        world->ahead_ms = (prng_below(&world->prng, 200) - 100) * SECOND;
        world->boot_ms = prng_below(&world->prng, 1000000);
        elapsed_begin(&world->elapsed, world->audit_ms);
        model->disturbed = true;
    }
    stamp(world);
}

static void model_time(struct model *model, const struct world *world, const struct request *after)
{
    if (model->state != REQUEST_PENDING) {
        return;
    }
    if (model->delayed) {
        uint64_t served_ms = world->served_ms - model->met_served_ms;
        bool due = world->stamp_ms >= model->met_stamp_ms + WINDOW;
        bool took = after->state == REQUEST_APPROVED;

        /* Never before people had all the time to stop it; and without trouble exactly then. */
        CU_ASSERT(!took || served_ms + ELAPSED_JUMP_MS_MIN >= WINDOW);
        CU_ASSERT(model->disturbed || took == due || after->state == REQUEST_REJECTED ||
                  after->state == REQUEST_CANCELLED);
        model->state = took ? REQUEST_APPROVED : REQUEST_PENDING;
        return;
    }
    if (world->stamp_ms >= NOW + EXPIRES_AFTER) {
        model->state = REQUEST_EXPIRED;
        return;
    }
    model->escalated = model->escalated || world->stamp_ms >= ESCALATE_AT;
    model->reminders = model->reminders > 0 || world->stamp_ms >= REMIND_AT ? 1 : 0;
}

static enum refusal
model_press(struct model *model, const struct world *world, uint64_t who, enum verdict verdict)
{
    bool again = model->approved[who] &&
                 !(verdict == VERDICT_REJECT && model->delayed && model->state == REQUEST_PENDING);

    if (who == 2 && !model->escalated) {
        return REFUSAL_NOT_APPROVER;
    }
    if (again && (model->state == REQUEST_PENDING || verdict == VERDICT_APPROVE)) {
        return REFUSAL_ALREADY_DECIDED;
    }
    if (model->state != REQUEST_PENDING) {
        return model->state == REQUEST_EXPIRED ? REFUSAL_EXPIRED : REFUSAL_ENDED;
    }
    if (verdict == VERDICT_REJECT) {
        model->state = REQUEST_REJECTED;
        return REFUSAL_NONE;
    }
    if (model->delayed) {
        return REFUSAL_ENOUGH;
    }
    model->approved[who] = true;
    model->count++;
    if (model->count == 2) {
        model->delayed = true;
        model->met_served_ms = world->served_ms;
        model->met_stamp_ms = world->stamp_ms;
        model->disturbed = false;
    }
    return REFUSAL_NONE;
}

struct sums {
    uint32_t approved, rejected, expired, moved, reminded, escalated;
};

static void count_all(struct sums *sums, struct model *model, uint32_t *reminders)
{
    *reminders += audited(AUDIT_REMINDED);
    sums->moved += audited(AUDIT_MOVED);
    sums->escalated += audited(AUDIT_ESCALATED);
    sums->approved += audited(AUDIT_APPROVED);
    sums->rejected += audited(AUDIT_REJECTED);
    sums->expired += audited(AUDIT_EXPIRED);
    CU_ASSERT_EQUAL(*reminders, model->reminders);
}

/* Steps both; the request and the model have to agree. */
static void one_event(struct world *world,
                      struct model *model,
                      const struct policy *policy,
                      struct request *request)
{
    static const char *const users[] = {"U0ANN", "U0BOB", "U0BOSS"};
    uint64_t kind = prng_below(&world->prng, 60);
    uint64_t who = prng_below(&world->prng, 3);
    enum verdict verdict = prng_below(&world->prng, 6) == 0 ? VERDICT_REJECT : VERDICT_APPROVE;
    struct approval_event event =
        kind < 3 ? press_of(users[who], verdict, world->stamp_ms) : time_of(world->stamp_ms);
    bool rejected_before = request->state == REQUEST_REJECTED;
    enum refusal refusal;

    event.elapsed = &world->elapsed;
    refusal = step(request, policy, &event);
    if (effects.changed) {
        world->audit_ms = world->stamp_ms;
    }
    if (rejected_before) {
        CU_ASSERT_FALSE(effects.changed);
        return;
    }
    model_time(model, world, request);
    if (kind < 3) {
        CU_ASSERT_EQUAL(refusal, model_press(model, world, who, verdict));
    }
    CU_ASSERT_EQUAL(request->state, model->state);
    CU_ASSERT_EQUAL(request->clocks.effect_ms > 0, model->delayed);
    CU_ASSERT_EQUAL(request->clocks.escalated_ms > 0, model->escalated);
}

static void walk_once(uint64_t seed, struct sums *sums)
{
    struct policy policy = policy_of(2);
    struct request request;
    struct world world = {.prng = prng_of(seed, 1), .stamp_ms = NOW, .audit_ms = NOW};
    struct model model = {.state = REQUEST_PENDING};
    unsigned int failures = CU_get_number_of_failures();
    uint32_t reminders = 0;

    policy.lapses_after_ms = 0;
    request = opened(&policy);
    elapsed_begin(&world.elapsed, NOW);
    stamp(&world);
    for (int i = 0; i < 120; i++) {
        pass(&world, &model);
        one_event(&world, &model, &policy, &request);
        count_all(sums, &model, &reminders);
    }
    sums->reminded += reminders;
    /* Peace: within a window's time (a moved one once more) everything has ended. */
    for (int i = 0; i < 4 && request.state == REQUEST_PENDING && model.delayed; i++) {
        struct approval_event event;

        world.real_ms += WINDOW + 200 * SECOND;
        world.boot_ms += WINDOW + 200 * SECOND;
        stamp(&world);
        event = time_of(world.stamp_ms);
        event.elapsed = &world.elapsed;
        (void)step(&request, &policy, &event); /* time is never refused */
        sums->approved += audited(AUDIT_APPROVED);
    }
    CU_ASSERT(request.state == REQUEST_APPROVED || !model.delayed ||
              request.state == REQUEST_REJECTED);
    if (CU_get_number_of_failures() > failures) {
        (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    }
}

static void whatever_the_clocks_do_the_rules_are_those_of_a_plain_model(void)
{
    struct sums sums = {.approved = 0};

    for (uint64_t seed = 1; seed <= 4000 && CU_get_number_of_failures() < 20; seed++) {
        walk_once(seed, &sums);
    }
    /* The walks reach what they are about. */
    CU_ASSERT(sums.approved > 500 && sums.rejected > 200 && sums.expired > 20);
    CU_ASSERT(sums.moved > 100 && sums.reminded > 20 && sums.escalated > 100);
}

UNIT_MAIN("approval_time",
          {"approvers are reminded once before it expires",
           approvers_are_reminded_once_before_it_expires},
          {"what is too late for a reminder only expires",
           what_is_too_late_for_a_reminder_only_expires},
          {"a request shorter than a time goes without",
           a_request_shorter_than_a_time_goes_without},
          {"after an escalation more people decide and see it",
           after_an_escalation_more_people_decide_and_see_it},
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
          {"the invariant sees damaged times", the_invariant_sees_damaged_times},
          {"whatever the clocks do, the rules are those of a plain model",
           whatever_the_clocks_do_the_rules_are_those_of_a_plain_model})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_approval_walk.c: compares the rules about time with a plain model in random walks with
 * jumping clocks and changing hosts. Owns the walks and the model; never touches a store. */
#include "tests/sim/prng.h"
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>

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

UNIT_MAIN("approval_walk",
          {"whatever the clocks do, the rules are those of a plain model",
           whatever_the_clocks_do_the_rules_are_those_of_a_plain_model})

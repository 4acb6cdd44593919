/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_answers.c: proves supervisor/failover/failover: no answer of an arbiter ends the
 * supervisor. The arbiter says anything: old values, others' values, this host's own ones, under
 * any revision; everybody else behaves. The core's assertions are the judge: it checks them in
 * every step. Owns the draws. Never asks whether what the core does is right: that is the
 * simulation's. */
#include "tests/sim/prng.h"
#include "tests/unit/failover_kit.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define RUN_COUNT  4000U
#define STEP_COUNT 250U
#define SEEN_COUNT 8U

struct bench {
    struct prng prng;
    struct failover *failover;
    struct failover_effects effects;
    uint64_t now_ms;
    uint64_t incarnation;
    uint64_t granted; /* epoch of the last GRANT to this child; 0: none */
    uint64_t seal;    /* owed; 0: none */
    struct failover_cas cas;
    struct register_value value; /* what an arbiter would say */
    uint64_t revision;
    struct register_value seen[SEEN_COUNT]; /* own attempts */
    uint32_t seen_count;
    bool read_out;
    bool cas_out;
    bool up;
};

static uint64_t below(struct bench *bench, uint64_t count)
{
    return prng_below(&bench->prng, count);
}

static void child_gone(struct bench *bench)
{
    bench->up = false;
    bench->granted = 0;
    bench->seal = 0;
}

static void take_effect(struct bench *bench, const struct failover_effect *effect)
{
    if (effect->type == FAILOVER_EFFECT_READ) {
        bench->read_out = true;
    } else if (effect->type == FAILOVER_EFFECT_CAS) {
        bench->cas_out = true;
        bench->cas = effect->u.cas;
        bench->seen[bench->seen_count++ % SEEN_COUNT] = effect->u.cas.value;
    } else if (effect->type == FAILOVER_EFFECT_SEAL) {
        bench->seal = effect->u.epoch;
    } else if (effect->type == FAILOVER_EFFECT_GRANT) {
        bench->granted = effect->u.value.epoch;
    } else if (effect->type == FAILOVER_EFFECT_REVOKE) {
        child_gone(bench);
    }
}

static void feed(struct bench *bench, struct failover_event *event)
{
    event->now_ms = bench->now_ms;
    event->random = prng_next(&bench->prng);
    failover_step(bench->failover, event, &bench->effects);
    for (size_t i = 0; i < bench->effects.count; i++) {
        take_effect(bench, &bench->effects.items[i]);
    }
}

/* ---- the arbiter ---- */

static uint64_t any_epoch(struct bench *bench)
{
    switch (below(bench, 40)) {
    case 0:
        return UINT64_MAX - 1 - below(bench, 40);
    case 1:
        return (UINT64_MAX >> below(bench, 4)) - below(bench, 4) - 1;
    case 2:
    case 3:
    case 4:
        return bench->cas.value.epoch + below(bench, 3) + 1;
    default:
        return 1 + below(bench, 30);
    }
}

/* A legal register; sometimes this host's own attempt, or one that differs from it in one thing. */
static struct register_value any_value(struct bench *bench)
{
    static const char *const stores[] = {"A-", "AB", "-B", "AC", "CB"};
    const char *isr = stores[below(bench, 5)];
    uint8_t primary = isr[0] == '-' ? 2 : 1;
    struct register_value value;

    if (isr[1] != '-' && below(bench, 2) == 0) {
        primary = 2;
    }
    value = kit_value(any_epoch(bench), primary, isr);
    value.nonce = 1 + below(bench, 3);
    value.lineage += below(bench, 8) == 0 ? 1 : 0;
    if (bench->seen_count == 0 || below(bench, 2) == 0) {
        return value;
    }
    if (below(bench, 4) == 0) {
        value.nonce = bench->seen[below(bench, bench->seen_count) % SEEN_COUNT].nonce;
        return value;
    }
    return bench->seen[below(bench, bench->seen_count) % SEEN_COUNT];
}

static struct failover_answer any_answer(struct bench *bench, enum failover_read outcome)
{
    struct failover_answer answer = {.outcome = outcome,
                                     .revision = below(bench, 6),
                                     .revision_head = 6,
                                     .arbiter_id = below(bench, 40) == 0 ? 2 : 1,
                                     .nonce = bench->cas.value.nonce};

    if (outcome != FAILOVER_DONE && outcome != FAILOVER_CONFLICT) {
        return answer;
    }
    if (below(bench, 8) != 0) {
        answer.value = bench->value;
        answer.revision = bench->revision;
        answer.revision_head = bench->revision;
        return answer;
    }
    answer.value = any_value(bench);
    if (below(bench, 4) == 0) {
        answer.revision = bench->cas.revision + below(bench, 2);
    }
    if (below(bench, 20) == 0) {
        answer.revision_head = below(bench, 9);
    }
    return answer;
}

static void answer_read(struct bench *bench)
{
    static const enum failover_read outcomes[] = {FAILOVER_ABSENT, FAILOVER_NOT_SENT,
                                                  FAILOVER_REFUSED};
    struct failover_event event = {.type = FAILOVER_EVENT_READ};

    event.u.answer =
        any_answer(bench, below(bench, 10) == 0 ? outcomes[below(bench, 3)] : FAILOVER_DONE);
    bench->read_out = false;
    feed(bench, &event);
}

static void answer_cas(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CAS};

    if (below(bench, 2) == 0) {
        bench->value = bench->cas.value;
        bench->revision += below(bench, 4) == 0 ? 0 : 1; /* one that was restored */
    } else if (below(bench, 8) == 0) {
        bench->value = any_value(bench);
    }
    event.u.answer = any_answer(bench, (enum failover_read)below(bench, FAILOVER_REFUSED + 1));
    bench->cas_out = false;
    feed(bench, &event);
}

/* ---- everybody else ---- */

static void child_comes(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_UP};

    event.u.child = (struct failover_child){.incarnation = ++bench->incarnation,
                                            .lineage = below(bench, 8) == 0 ? 0 : KIT_LINEAGE,
                                            .promised = below(bench, 8),
                                            .last_epoch = below(bench, 4),
                                            .last_lsn = below(bench, 4)};
    memset(event.u.child.store_id, below(bench, 8) == 0 ? 'C' : 'A', REGISTER_ID_SIZE);
    child_gone(bench);
    bench->up = true;
    feed(bench, &event);
}

static void child_goes(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_DOWN};

    child_gone(bench);
    feed(bench, &event);
}

static void child_speaks(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_LEADING, .u.epoch = bench->granted};

    if (!bench->up) {
        return;
    }
    if (bench->seal != 0) {
        event = (struct failover_event){.type = FAILOVER_EVENT_SEALED, .u.epoch = bench->seal};
        bench->seal = 0;
    } else if (bench->granted != 0 && below(bench, 4) != 0) {
        event.type = below(bench, 2) == 0 ? FAILOVER_EVENT_ADD : FAILOVER_EVENT_REMOVE;
        event.u.proposal = (struct failover_proposal){.epoch = bench->granted};
        memset(event.u.proposal.peer_store_id, 'B', REGISTER_ID_SIZE);
    } else if (bench->granted != 0 && below(bench, 3) == 0) {
        event.type = below(bench, 2) == 0 ? FAILOVER_EVENT_DRAINED : FAILOVER_EVENT_LEAVES;
    } else if (bench->granted == 0) {
        event = (struct failover_event){.type = FAILOVER_EVENT_TAKE_OVER,
                                        .u.epoch = 1 + below(bench, 30)};
    }
    feed(bench, &event);
}

static void link_changes(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_LINK};
    uint64_t leads = below(bench, 3) == 0 ? 1 + below(bench, 30) : 0;

    event.u.link = below(bench, 3) == 0 ? kit_silence()
                                        : kit_peer('B', below(bench, 4), below(bench, 4), leads,
                                                   below(bench, 2) == 0);
    feed(bench, &event);
}

static void operator_speaks(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_COMMAND};

    event.u.command = (enum failover_command)below(bench, FAILOVER_REJOIN + 1);
    if (event.u.command == FAILOVER_MAINTENANCE_ON && below(bench, 4) != 0) {
        event.u.command = FAILOVER_MAINTENANCE_OFF;
    }
    feed(bench, &event);
}

static void time_passes(struct bench *bench)
{
    struct failover_event event = {.type = FAILOVER_EVENT_TICK};

    bench->now_ms += 1 + below(bench, 400);
    feed(bench, &event);
}

static void step(struct bench *bench)
{
    uint64_t draw = below(bench, 100);

    if (bench->read_out && draw < 35) {
        answer_read(bench);
    } else if (bench->cas_out && draw < 55) {
        answer_cas(bench);
    } else if (!bench->up && draw < 75) {
        child_comes(bench);
    } else if (draw < 70) {
        child_speaks(bench);
    } else if (draw < 75) {
        link_changes(bench);
    } else if (draw < 80) {
        operator_speaks(bench);
    } else if (draw < 82) {
        child_goes(bench);
    } else {
        time_passes(bench);
    }
}

/* True when this host was granted something in it: the draws reach far. */
static bool run(struct bench *bench, uint64_t seed)
{
    struct failover_options options = kit_options();
    struct failover_event start = {.type = FAILOVER_EVENT_START};
    struct failover *failover = bench->failover;
    bool granted = false;

    memset(bench, 0, sizeof *bench);
    bench->failover = failover;
    bench->prng = prng_of(seed, 1);
    bench->now_ms = 1000;
    options.linearizable = seed % 4 != 0;
    bench->value = kit_value(1 + below(bench, 5), 1, "AB");
    bench->revision = 6;
    failover_init(failover, &options);
    feed(bench, &start);
    for (size_t i = 0; i < STEP_COUNT; i++) {
        step(bench);
        granted = granted || bench->granted != 0;
    }
    return granted;
}

static void whatever_an_arbiter_answers_the_supervisor_goes_on(void)
{
    struct bench bench = {.failover = malloc(failover_size())};
    uint32_t granted_count = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(bench.failover);
    for (uint64_t seed = 1; seed <= RUN_COUNT; seed++) {
        granted_count += run(&bench, seed) ? 1 : 0;
    }
    CU_ASSERT(granted_count > RUN_COUNT / 10);
    free(bench.failover);
}

UNIT_MAIN("failover_answers",
          {"whatever an arbiter answers, the supervisor goes on",
           whatever_an_arbiter_answers_the_supervisor_goes_on})

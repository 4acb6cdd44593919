/* SPDX-License-Identifier: Apache-2.0 */
/* app.c: the layer above the simulated storage.
 * Owns what each kind of job does, holding requests back during a handover, and an outbox that
 * calls the outside world at least once. Never answers by itself: answers come from the engine when
 * they are committed and, where they change nothing, echoed. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "storage/mutant.h"

#include <stdlib.h>
#include <string.h>

/* ---- jobs ---- */

static void answer_cell(struct job *job, enum answer_code code, const struct state_cell *cell)
{
    job->answer.code = code;
    job->answer.value = cell->value;
    job->answer.lsn = cell->lsn;
    job->ping_wait = 1; /* it changes nothing: a strong read */
}

static size_t put(struct state *spec, uint8_t *at, const struct state_change *change)
{
    state_set(spec, change);
    return state_encode(change, at);
}

static size_t run_write(struct state *spec, struct job *job, uint64_t lsn, uint8_t *at)
{
    const struct request *request = &job->request;
    const struct state_cell before = spec->keys[request->key];
    size_t size;

    if (spec->results[request->intent].lsn != 0) {
        answer_cell(job, ANSWER_OK, &spec->results[request->intent]);
        return 0;
    }
    if (request->kind == JOB_CREATE && before.lsn != 0) {
        answer_cell(job, ANSWER_CONFLICT, &before);
        return 0;
    }
    job->answer.code = ANSWER_OK;
    job->answer.value = before.value;
    job->answer.lsn = lsn;
    size = put(spec, at,
               &(struct state_change){.table = STATE_KEYS,
                                      .index = request->key,
                                      .cell = {.lsn = lsn, .value = request->intent}});
    size += put(spec, at + size,
                &(struct state_change){.table = STATE_RESULTS,
                                       .index = request->intent,
                                       .cell = {.lsn = lsn, .value = before.value}});
    if (request->intent % 4 == 0) {
        size += put(spec, at + size,
                    &(struct state_change){.table = STATE_OUTBOX,
                                           .index = request->intent,
                                           .cell = {.lsn = lsn, .value = OUTBOX_WANTED}});
    }
    return size;
}

size_t job_run(struct state *spec, struct job *job, uint64_t lsn, uint8_t *at)
{
    const struct request *request = &job->request;
    struct state_change change = {
        .table = STATE_OUTBOX, .index = request->intent, .cell = {.lsn = lsn}};

    switch (request->kind) {
    case JOB_SWAP:
    case JOB_CREATE:
        return run_write(spec, job, lsn, at);
    case JOB_READ:
        answer_cell(job, ANSWER_OK, &spec->keys[request->key]);
        return 0;
    case JOB_CHECK:
        answer_cell(job, ANSWER_OK, &spec->results[request->intent]);
        return 0;
    case JOB_ATTEMPT:
        change.cell.value = OUTBOX_ATTEMPTED;
        return put(spec, at, &change);
    case JOB_RESULT:
        change.cell.value = OUTBOX_DONE;
        return put(spec, at, &change);
    }
    return 0;
}

/* ---- the outbox ---- */

static uint16_t outbox_owed(const struct state *state)
{
    for (uint16_t i = 0; i < state->intent_end; i++) {
        if (state->outbox[i] == OUTBOX_WANTED || state->outbox[i] == OUTBOX_ATTEMPTED) {
            return i;
        }
    }
    return 0;
}

static void emit(struct world *world, struct host *host)
{
    TRACE(world, "host %u: EFFECT of intent %u", host->number, host->child.outbox_intent);
    checker_effect_confirmed(world, host->number);
    checker_effect(world, host->number, host->child.outbox_intent);
}

static void outbox_next(struct world *world, struct host *host)
{
    static const enum job_kind kinds[] = {JOB_ATTEMPT, JOB_CHECK, JOB_RESULT};
    struct child *child = &host->child;
    struct request request = {.kind = kinds[child->outbox_step], .intent = child->outbox_intent};

    if (!child->serving || child->holding || !engine_job(world, host, &request)) {
        child->outbox_intent = 0;
    }
}

static void outbox_timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct child *child = &host->child;

    if (!child->running || !child->serving || child->engine.failed) {
        return;
    }
    if (child->outbox_intent == 0 && !child->holding && !world->clients.stopped) {
        child->outbox_intent = outbox_owed(&child->engine.state);
        child->outbox_step = 0;
        if (child->outbox_intent != 0) {
            checker_effect_begins(world, host);
            if (MUTANT(effect_unchecked)) {
                emit(world, host);
            }
            outbox_next(world, host);
        }
    }
    world_at(
        world, prng_range(&world->prng, 20, 120) * MS_US,
        (struct event){.fn = outbox_timer, .process = child_process(host), .host = host->index});
}

static void outbox_answered(struct world *world, struct host *host, const struct answer *answer)
{
    struct child *child = &host->child;

    if (child->outbox_intent != answer->request.intent) {
        return;
    }
    if (answer->request.kind == JOB_CHECK) {
        emit(world, host);
    }
    child->outbox_step++;
    if (child->outbox_step == 3) {
        child->outbox_intent = 0;
    } else {
        outbox_next(world, host);
    }
}

/* ---- requests ---- */

static void to_client(struct world *world, struct event *event)
{
    clients_answer(world, event->data);
}

static void reply(struct world *world, const struct answer *answer)
{
    struct answer *copy = malloc(sizeof *copy);

    ASSERT(copy != NULL);
    *copy = *answer;
    world_at(world, prng_range(&world->prng, 50, 800),
             (struct event){.fn = to_client, .process = PROCESS_WORLD, .data = copy});
}

static void unavailable(struct world *world, const struct request *request)
{
    struct answer answer = {.request = *request, .code = ANSWER_UNAVAILABLE};

    reply(world, &answer);
}

void app_refuse_job(struct world *world, const struct request *request)
{
    if (request->kind < JOB_ATTEMPT) {
        unavailable(world, request);
    }
}

void app_request(struct world *world, struct host *host, const struct request *request)
{
    struct child *child = &host->child;

    if (child->holding && child->held_count < HELD_COUNT_MAX) {
        child->held[child->held_count++] = *request;
    } else if (!child->serving || child->holding || !engine_job(world, host, request)) {
        unavailable(world, request);
    }
}

void app_answered(struct world *world, struct host *host, const struct answer *answer)
{
    checker_answer(world, host->number, answer);
    if (answer->request.kind >= JOB_ATTEMPT) {
        outbox_answered(world, host, answer);
    } else {
        reply(world, answer);
    }
}

/* ---- handover ---- */

void app_handover(struct world *world, struct host *host)
{
    if (host->child.serving) {
        host->child.holding = true;
        host->child.drain_wanted = true;
        app_drain_step(world, host);
    }
}

/* Nothing that waits for an echo, nothing that is not evaluated, and R knows of every record: this
 * is all that the core asks of the layer above. Half of the seeds wait until all is answered. */
static bool is_quiet(const struct world *world, const struct engine *engine)
{
    if (engine->news) {
        return false;
    }
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (world->drains || !engine->jobs[i].evaluated || engine->jobs[i].ping_wait != 0) {
            return false;
        }
    }
    return true;
}

void app_drain_step(struct world *world, struct host *host)
{
    struct child *child = &host->child;
    struct input input = {.type = REPLICA_EVENT_HANDOVER};

    if (child->drain_wanted && is_quiet(world, &child->engine)) {
        child->drain_wanted = false;
        engine_input(world, host, &input);
    }
}

static void let_go(struct world *world, struct host *host, bool served)
{
    struct child *child = &host->child;
    uint32_t count = child->held_count;

    child->holding = false;
    child->drain_wanted = false;
    child->held_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct request request = child->held[i];

        if (served) {
            app_request(world, host, &request);
        } else {
            unavailable(world, &request);
        }
    }
}

void app_serve(struct world *world, struct host *host)
{
    if (!host->child.serving) {
        host->child.serving = true;
        world_at(world, 10 * MS_US,
                 (struct event){
                     .fn = outbox_timer, .process = child_process(host), .host = host->index});
    }
    if (host->child.holding) { /* the offer came to nothing: this host leads on */
        host->child.engine.drained = false;
        let_go(world, host, true);
    }
}

void app_resume(struct world *world, struct host *host)
{
    let_go(world, host, host->child.serving);
}

void app_refuse(struct world *world, struct host *host)
{
    host->child.serving = false;
    host->child.outbox_intent = 0;
    let_go(world, host, false);
}

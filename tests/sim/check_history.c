/* SPDX-License-Identifier: Apache-2.0 */
/* check_history.c: what clients and the outside saw: invariants 10, 16, 17, 19.
 *
 * Every value that was ever put has its place in the committed log, and every answer says at which
 * place it looked. So the log's order is the witness of linearizability: an operation that began
 * when another had completed must not look at an earlier place, and a write's place is its own. */
#include "tests/sim/check_internal.h"

#include "base/assert.h"

void checker_serves(struct world *world, uint8_t host, const struct engine *engine)
{
    if (engine_commit_lsn(engine) < engine->epoch_first) {
        check_fail(world, "C serve", "host %u serves before its start record %llu is committed",
                   host, (unsigned long long)engine->epoch_first);
    }
}

void checker_answer(struct world *world, uint8_t host, const struct answer *answer)
{
    const struct child *child = &world->hosts[host - 1].child;

    if (world->checker->sync_failed[host - 1]) {
        check_fail(world, "19 after fsync error", "host %u answers", host);
    } else if (!child->serving) {
        check_fail(world, "C serve", "host %u answers before it serves", host);
    } else if (answer->lsn > world->checker->commit_count) {
        check_fail(world, "B committed", "host %u answers with LSN %llu, committed is %llu", host,
                   (unsigned long long)answer->lsn,
                   (unsigned long long)world->checker->commit_count);
    }
}

uint64_t checker_floor(const struct world *world, uint16_t key)
{
    return world->checker->floors[key];
}

static void check_result(struct world *world, const struct answer *answer, uint64_t floor)
{
    struct checker *checker = world->checker;
    uint16_t intent = answer->request.intent;
    int kind = answer->code == ANSWER_OK ? ANSWERED_OK : ANSWERED_CONFLICT;

    if (answer->code == ANSWER_OK && (checker->intent_lsn[intent] != answer->lsn ||
                                      checker->state.results[intent].value != answer->value)) {
        check_fail(world, "16 one result",
                   "intent %u was answered %u at LSN %llu, the log says %u at LSN %llu", intent,
                   answer->value, (unsigned long long)answer->lsn,
                   checker->state.results[intent].value,
                   (unsigned long long)checker->intent_lsn[intent]);
    } else if (answer->code == ANSWER_OK && answer->lsn <= floor) {
        check_fail(world, "10 linearizable",
                   "intent %u was written at LSN %llu, LSN %llu had been seen before it began",
                   intent, (unsigned long long)answer->lsn, (unsigned long long)floor);
    } else if (checker->answered[intent] && (checker->answer_kind[intent] != (unsigned)kind ||
                                             checker->answer_value[intent] != answer->value)) {
        check_fail(world, "16 one result", "intent %u was answered twice, differently", intent);
    }
    checker->answered[intent] = true;
    checker->answer_kind[intent] = kind == ANSWERED_OK ? ANSWERED_OK : ANSWERED_CONFLICT;
    checker->answer_value[intent] = answer->value;
}

void checker_completed(struct world *world, const struct answer *answer, uint64_t floor)
{
    struct checker *checker = world->checker;
    const struct request *request = &answer->request;

    if (answer->lsn < floor) {
        check_fail(world, "10 linearizable",
                   "key %u was seen as of LSN %llu, LSN %llu had been seen before that began",
                   request->key, (unsigned long long)answer->lsn, (unsigned long long)floor);
        return;
    }
    if (request->kind != JOB_READ) {
        check_result(world, answer, floor);
    }
    if (answer->lsn > checker->floors[request->key]) {
        checker->floors[request->key] = answer->lsn;
    }
}

void checker_effect(struct world *world, uint8_t host, uint16_t intent)
{
    struct checker *checker = world->checker;

    world->totals.effects++;
    if (checker->intent_lsn[intent] == 0) {
        check_fail(world, "17 effects", "host %u emits an effect of intent %u, not committed", host,
                   intent);
    } else if (world->checker->sync_failed[host - 1]) {
        check_fail(world, "19 after fsync error", "host %u emits an effect", host);
    }
    checker->emitted[intent] = 1;
}

/* What lay behind is lost, by the operator's will: nobody may count on having seen it. */
static void rewind_to(struct checker *checker, uint64_t kept)
{
    memset(&checker->state, 0, sizeof checker->state);
    memset(checker->intent_lsn, 0, sizeof checker->intent_lsn);
    for (uint64_t lsn = 1; lsn <= kept; lsn++) {
        struct span changes = span_of(checker->ledger[lsn].changes, checker->ledger[lsn].size);
        struct state_change change;

        while (changes.size > 0 && state_decode(&changes, &change)) {
            if (change.table == STATE_RESULTS) {
                checker->intent_lsn[change.index] = lsn;
            }
            state_set(&checker->state, &change);
        }
    }
    checker->commit_count = kept;
    for (size_t i = 0; i < STATE_KEY_COUNT; i++) {
        checker->floors[i] = checker->state.keys[i].lsn;
    }
    for (size_t i = 0; i < STATE_INTENT_COUNT; i++) {
        checker->answered[i] = checker->answered[i] && checker->intent_lsn[i] != 0;
    }
}

void checker_new_lineage(struct world *world, uint8_t host)
{
    struct checker *checker = world->checker;
    const struct shadow *shadow = checker->live[host - 1];
    uint64_t kept = 0;

    ASSERT(shadow != NULL);
    while (kept < checker->commit_count && kept < shadow->durable &&
           shadow->marks[kept + 1].hash == checker->ledger[kept + 1].mark.hash) {
        kept++;
    }
    TRACE(world, "a new lineage: %llu of %llu committed records are kept", (unsigned long long)kept,
          (unsigned long long)checker->commit_count);
    for (uint32_t i = 0; i < world->clients.count; i++) {
        world->clients.items[i].floor = 0;
    }
    if (kept < checker->commit_count) {
        rewind_to(checker, kept);
    }
}

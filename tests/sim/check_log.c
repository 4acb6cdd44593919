/* SPDX-License-Identifier: Apache-2.0 */
/* check_log.c: stores, logs, promises, commits.
 * Owns what each store holds and has durable, and the one log of all that is committed: invariants
 * 2, 3, 4, 6, 7, 8, 9, 15, 19. Never believes what a host says of its own disk. */
#include "tests/sim/check_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct shadow *shadow_find(const struct checker *checker, const uint8_t id[STORAGE_ID_SIZE])
{
    for (uint32_t i = 0; i < checker->shadow_count; i++) {
        if (memcmp(checker->shadows[i]->store_id, id, STORAGE_ID_SIZE) == 0) {
            return checker->shadows[i];
        }
    }
    return NULL;
}

bool shadow_has(const struct checker *checker, const struct shadow *shadow, uint64_t lsn)
{
    return shadow->durable >= lsn && shadow->marks[lsn].hash == checker->ledger[lsn].mark.hash;
}

static struct shadow *live(struct world *world, uint8_t host)
{
    return world->checker->live[host - 1];
}

void checker_store_new(struct world *world,
                       uint8_t host,
                       const uint8_t store_id[STORAGE_ID_SIZE],
                       const struct promise_value *promise)
{
    struct checker *checker = world->checker;
    struct shadow *shadow = calloc(1, sizeof *shadow);

    ASSERT(shadow != NULL);
    ASSERT(checker->shadow_count < SHADOW_COUNT_MAX);
    if (checker->live[host - 1] != NULL) {
        checker->live[host - 1]->dead = true;
    }
    memcpy(shadow->store_id, store_id, STORAGE_ID_SIZE);
    shadow->host = host;
    shadow->promise = promise->epoch;
    shadow->lineage = promise->lineage;
    checker->shadows[checker->shadow_count++] = shadow;
    checker->live[host - 1] = shadow;
}

void checker_store_installed(struct world *world,
                             uint8_t host,
                             const struct record_position *position,
                             uint64_t state_hash)
{
    struct checker *checker = world->checker;
    struct shadow *shadow = live(world, host);

    if (position->lsn > checker->commit_count ||
        checker->ledger[position->lsn].mark.hash != mark_hash(position) ||
        checker->ledger[position->lsn].state_hash != state_hash) {
        /* A lineage that was given up may have gone further: its snapshot is then of no use, and
         * nothing was promised upon it. */
        if (world->totals.forced == 0) {
            check_fail(world, "15 snapshot", "host %u installs LSN %llu, which is not committed",
                       host, (unsigned long long)position->lsn);
        }
        return;
    }
    for (uint64_t lsn = 1; lsn <= position->lsn; lsn++) {
        shadow->marks[lsn] = checker->ledger[lsn].mark;
    }
    shadow->last = position->lsn;
    shadow->durable = position->lsn;
}

void checker_store_lost(struct world *world, uint8_t host)
{
    if (live(world, host) != NULL) {
        live(world, host)->dead = true;
    }
    world->checker->live[host - 1] = NULL;
}

void checker_power_loss(struct world *world, uint8_t host)
{
    world->checker->sync_failed[host - 1] = false;
}

void checker_recovered(struct world *world,
                       uint8_t host,
                       const struct engine *engine,
                       const struct promise_value *promise)
{
    struct shadow *shadow = live(world, host);

    world->checker->sync_failed[host - 1] = false;
    world->checker->granted[host - 1] = 0;
    if (engine->last.lsn < shadow->durable) {
        check_fail(world, "A recovery", "host %u recovers LSN %llu, durable was %llu", host,
                   (unsigned long long)engine->last.lsn, (unsigned long long)shadow->durable);
        return;
    }
    if (engine->last.lsn > 0 && engine->last.lsn <= shadow->last &&
        shadow->marks[engine->last.lsn].hash != mark_hash(&engine->last)) {
        check_fail(world, "A recovery", "host %u recovers another record %llu", host,
                   (unsigned long long)engine->last.lsn);
        return;
    }
    if (engine->last.lsn > shadow->last) {
        check_fail(world, "8 superseded", "host %u recovers LSN %llu, it had %llu", host,
                   (unsigned long long)engine->last.lsn, (unsigned long long)shadow->last);
        return;
    }
    if (promise->epoch < shadow->promise) {
        check_fail(world, "G promise", "host %u promised %llu, recovers %llu", host,
                   (unsigned long long)shadow->promise, (unsigned long long)promise->epoch);
        return;
    }
    shadow->cutting = false;
    shadow->promise = promise->epoch;
    shadow->lineage = promise->lineage;
    shadow->last = engine->last.lsn;
    shadow->durable = engine->last.lsn;
}

uint64_t checker_lineage(const struct world *world, uint8_t host)
{
    const struct shadow *shadow = world->checker->live[host - 1];

    return shadow == NULL ? 0 : shadow->lineage;
}

uint64_t checker_promise(const struct world *world, uint8_t host)
{
    const struct shadow *shadow = world->checker->live[host - 1];

    return shadow == NULL ? 0 : shadow->promise;
}

void checker_promised(struct world *world, uint8_t host, const struct promise_value *promise)
{
    struct shadow *shadow = live(world, host);

    if (promise->epoch < shadow->promise) {
        check_fail(world, "G promise", "host %u lowers its promise", host);
    }
    shadow->promise = promise->epoch;
    shadow->lineage = promise->lineage;
}

/* 4: equal (epoch, LSN), equal hash; within one lineage. */
static void
check_twins(struct world *world, uint64_t lineage, const struct record_position *position)
{
    struct twins *twins = &world->checker->twins[position->lsn];

    for (uint32_t i = 0; i < twins->count; i++) {
        if (twins->lineage[i] == lineage && twins->marks[i].epoch == position->epoch) {
            if (twins->marks[i].hash != mark_hash(position)) {
                check_fail(world, "4 hash", "two records (%llu, %llu)",
                           (unsigned long long)position->epoch, (unsigned long long)position->lsn);
            }
            return;
        }
    }
    if (twins->count < TWIN_COUNT_MAX) {
        twins->lineage[twins->count] = lineage;
        twins->marks[twins->count++] =
            (struct mark){.epoch = position->epoch, .hash = mark_hash(position)};
    }
}

void checker_append(struct world *world,
                    uint8_t host,
                    const struct record_position *position,
                    bool authority)
{
    struct shadow *shadow = live(world, host);
    struct checker *checker = world->checker;
    /* A forced lineage's epochs begin at a multiple of 2^20; no run has 256 in one lineage. */
    uint64_t *owner =
        &checker->epoch_owner[(position->epoch + (position->epoch >> 20) * 256) % EPOCH_COUNT_MAX];

    ASSERT(position->lsn < CHECK_LSN_MAX);
    ASSERT(position->lsn == shadow->last + 1);
    check_twins(world, shadow->lineage, position);
    if (authority && *owner != 0 && *owner != world->hosts[host - 1].child.incarnation) {
        check_fail(world, "7 one appender", "two incarnations append under epoch %llu",
                   (unsigned long long)position->epoch);
    }
    if (authority) {
        *owner = world->hosts[host - 1].child.incarnation;
    }
    shadow->marks[position->lsn] =
        (struct mark){.epoch = position->epoch, .hash = mark_hash(position)};
    shadow->last = position->lsn;
    world_hash(world, mark_hash(position));
}

void checker_cutting(struct world *world, uint8_t host)
{
    live(world, host)->cutting = true;
}

void checker_cut(struct world *world, uint8_t host, const struct record_position *position)
{
    struct checker *checker = world->checker;
    struct shadow *shadow = live(world, host);

    /* What the register does not count on may go: it is sent again. */
    if (position->lsn < shadow->last && position->lsn < checker->commit_count &&
        register_has(&checker->value, host, shadow->store_id)) {
        for (uint64_t lsn = position->lsn + 1; lsn <= shadow->last && lsn <= checker->commit_count;
             lsn++) {
            if (shadow->marks[lsn].hash == checker->ledger[lsn].mark.hash) {
                check_fail(world, "3 kept", "host %u cuts away the committed LSN %llu", host,
                           (unsigned long long)lsn);
                return;
            }
        }
    }
    shadow->durable = position->lsn < shadow->durable ? position->lsn : shadow->durable;
}

void checker_cut_done(struct world *world, uint8_t host, uint64_t lsn)
{
    live(world, host)->cutting = false;
    live(world, host)->last = lsn;
    live(world, host)->durable = lsn;
}

void checker_durable(struct world *world, uint8_t host, uint64_t lsn)
{
    struct shadow *shadow = live(world, host);

    if (shadow != NULL && lsn > shadow->durable) {
        shadow->durable = lsn < shadow->last ? lsn : shadow->last;
    }
}

void checker_sync_failed(struct world *world, uint8_t host)
{
    world->checker->sync_failed[host - 1] = true;
}

/* 3: a primary begins with everything that is committed in its log. */
void checker_begin(struct world *world, uint8_t host, uint64_t epoch)
{
    struct checker *checker = world->checker;
    const struct shadow *shadow = live(world, host);

    TRACE(world, "host %u: begins epoch %llu", host, (unsigned long long)epoch);
    if (checker->granted[host - 1] != epoch) {
        check_fail(world, "12 granted", "host %u begins epoch %llu, granted was %llu", host,
                   (unsigned long long)epoch, (unsigned long long)checker->granted[host - 1]);
        return;
    }
    for (uint64_t lsn = 1; lsn <= checker->commit_count; lsn++) {
        /* A later epoch may have committed meanwhile: this one then commits nothing any more. */
        if (checker->ledger[lsn].under < epoch &&
            (shadow->last < lsn || shadow->marks[lsn].hash != checker->ledger[lsn].mark.hash)) {
            check_fail(world, "3 kept", "host %u begins epoch %llu without the committed LSN %llu",
                       host, (unsigned long long)epoch, (unsigned long long)lsn);
            return;
        }
    }
}

/* 2: durable on every host of the ISR of an epoch that this incarnation was granted. */
static bool
durable_on_isr(struct world *world, const struct register_value *value, uint64_t lsn, uint64_t hash)
{
    for (size_t i = 0; i < HOST_COUNT; i++) {
        const struct shadow *shadow;

        if (!value->isr[i].present) {
            continue;
        }
        shadow = shadow_find(world->checker, value->isr[i].store_id);
        if (shadow == NULL || shadow->durable < lsn || shadow->marks[lsn].hash != hash) {
            return false;
        }
    }
    return true;
}

static void
check_commit(struct world *world, uint8_t host, const struct engine *engine, uint64_t lsn)
{
    struct checker *checker = world->checker;
    const struct sim_arbiter *arbiter = &world->arbiter;
    const struct shadow *peer = checker->live[2 - host];
    const struct engine *other = &world->hosts[2 - host].child.engine;
    uint64_t hash = live(world, host)->marks[lsn].hash;
    uint64_t granted = checker->granted[host - 1];
    bool durable = false;

    for (uint32_t i = arbiter->history_count; i > 0 && !durable; i--) {
        const struct register_value *value = &arbiter->history[i - 1];

        durable = value->primary == host && value->epoch <= granted &&
                  value->epoch >= engine->epoch && durable_on_isr(world, value, lsn, hash);
    }
    if (!durable) {
        check_fail(world, "2 commit",
                   "host %u commits LSN %llu under epoch %llu, not durable on"
                   " its ISR",
                   host, (unsigned long long)lsn, (unsigned long long)engine->epoch);
    } else if (checker->value.epoch >= engine->epoch &&
               !durable_on_isr(world, &checker->value, lsn, hash)) {
        check_fail(world, "2 isr holds all",
                   "host %u commits LSN %llu under epoch %llu, the ISR of epoch %llu lacks it",
                   host, (unsigned long long)lsn, (unsigned long long)engine->epoch,
                   (unsigned long long)checker->value.epoch);
    } else if (other->open && other->role == REPLICA_PRIMARY && other->epoch > engine->epoch &&
               (peer->last < lsn || peer->marks[lsn].hash != hash)) {
        check_fail(world, "3 kept", "host %u commits LSN %llu that the later primary lacks", host,
                   (unsigned long long)lsn);
    }
}

/* The fold of all that is committed, by the checker's own hand. */
static void fold(struct world *world, uint8_t host, const struct engine *engine, uint64_t lsn)
{
    struct checker *checker = world->checker;
    const struct kept *kept = &engine->kept[lsn % KEPT_COUNT];
    struct span changes = span_of(kept->changes, kept->size);
    struct state_change change;

    ASSERT(kept->position.lsn == lsn);
    while (changes.size > 0 && state_decode(&changes, &change)) {
        const struct state_cell *old = &checker->state.results[change.index];

        if (change.table == STATE_RESULTS && old->lsn != 0) {
            check_fail(world, "16 one result", "host %u: a second result of intent %u", host,
                       change.index);
        }
        if (change.table != STATE_OUTBOX && change.cell.lsn != lsn) {
            check_fail(world, "15 fold", "host %u: LSN %llu says it is %llu", host,
                       (unsigned long long)lsn, (unsigned long long)change.cell.lsn);
        }
        if (change.table == STATE_RESULTS) {
            checker->intent_lsn[change.index] = lsn;
        }
        state_set(&checker->state, &change);
    }
    free(checker->ledger[lsn].changes);
    checker->ledger[lsn] = (struct committed){
        .under = engine->epoch,
        .size = kept->size,
        .changes = malloc(kept->size + 1U),
        .mark = {.epoch = kept->position.epoch, .hash = mark_hash(&kept->position)},
        .state_hash = checker->state.hash};
    ASSERT(checker->ledger[lsn].changes != NULL);
    memcpy(checker->ledger[lsn].changes, kept->changes, kept->size);
    checker->commit_count = lsn;
}

void checker_committed(struct world *world, uint8_t host, const struct engine *engine)
{
    struct checker *checker = world->checker;
    const struct shadow *shadow = live(world, host);
    uint64_t from = engine->applied.lsn + 1;

    if (shadow->lineage != checker->value.lineage) {
        check_fail(world, "F lineage", "host %u commits in a lineage that was given up", host);
        return;
    }
    if (engine->lsn_commit >= from && engine->lsn_commit < engine->epoch_first) {
        check_fail(world, "C start", "host %u commits LSN %llu before its start record %llu", host,
                   (unsigned long long)engine->lsn_commit, (unsigned long long)engine->epoch_first);
    }
    if (engine->lsn_commit >= from && engine->epoch > checker->commit_epoch) {
        checker->commit_epoch = engine->epoch;
    }
    for (uint64_t lsn = from; lsn <= engine->lsn_commit && !world->failed; lsn++) {
        check_commit(world, host, engine, lsn);
        if (lsn > checker->commit_count) {
            fold(world, host, engine, lsn);
        } else if (checker->ledger[lsn].mark.hash != shadow->marks[lsn].hash) {
            check_fail(world, "8 superseded", "host %u commits another record %llu", host,
                       (unsigned long long)lsn);
        }
    }
}

void checker_applied(struct world *world,
                     uint8_t host,
                     const struct record_position *position,
                     uint64_t state_hash)
{
    const struct checker *checker = world->checker;
    const struct committed *committed = &checker->ledger[position->lsn];

    if (world->checker->live[host - 1]->lineage != checker->value.lineage) {
        return; /* of a lineage that was given up: nobody counts on it */
    }
    if (position->lsn > checker->commit_count || committed->mark.hash != mark_hash(position)) {
        check_fail(world, "9 applied", "host %u applies (%llu, %llu), which is not committed", host,
                   (unsigned long long)position->epoch, (unsigned long long)position->lsn);
    } else if (committed->state_hash != state_hash) {
        check_fail(world, "15 fold", "host %u: its state at LSN %llu is another one", host,
                   (unsigned long long)position->lsn);
    }
}

static void check_said(struct world *world,
                       uint8_t host,
                       const struct record_position *last,
                       const struct message *message)
{
    const struct shadow *shadow = live(world, host);

    if (last->lsn > shadow->durable ||
        (last->lsn > 0 && shadow->marks[last->lsn].hash != mark_hash(last))) {
        check_fail(world, "6 fsync first", "host %u says %s of LSN %llu, durable is %llu", host,
                   message_name(message->type), (unsigned long long)last->lsn,
                   (unsigned long long)shadow->durable);
    }
}

static void
check_epoch(struct world *world, uint8_t host, uint64_t epoch, const struct message *message)
{
    const struct shadow *shadow = live(world, host);

    if (shadow->promise != epoch) {
        check_fail(world, "6 promise", "host %u says %s of epoch %llu, promised is %llu", host,
                   message_name(message->type), (unsigned long long)epoch,
                   (unsigned long long)shadow->promise);
    }
}

/* K: what is handed over is committed, and the peer has it. */
static void check_drained(struct world *world, uint8_t host, const struct message_lead *lead)
{
    const struct checker *checker = world->checker;
    const struct register_member *member = &checker->value.isr[2 - host];
    const struct shadow *peer = shadow_find(checker, member->store_id);

    if (!member->present) {
        return; /* removed meanwhile: nobody takes the offer */
    }
    if (lead->last.lsn > checker->commit_count || peer == NULL ||
        !shadow_has(checker, peer, lead->last.lsn)) {
        check_fail(world, "K drained", "host %u hands over at LSN %llu, committed is %llu", host,
                   (unsigned long long)lead->last.lsn, (unsigned long long)checker->commit_count);
    }
}

void checker_send(struct world *world, uint8_t host, const struct message *message)
{
    if (world->checker->sync_failed[host - 1]) {
        check_fail(world, "19 after fsync error", "host %u says %s", host,
                   message_name(message->type));
        return;
    }
    if (message->type == MESSAGE_HELLO || message->type == MESSAGE_STATE) {
        check_said(world, host, &message->u.state.last, message);
    } else if (message->type == MESSAGE_FOLLOW || message->type == MESSAGE_ACK) {
        checker_follows(world, host);
        check_said(world, host, &message->u.follow.last, message);
        check_epoch(world, host, message->u.follow.epoch, message);
        if (live(world, host)->cutting) {
            check_fail(world, "I cut first", "host %u says %s while it cuts", host,
                       message_name(message->type));
        }
    } else if (message->type == MESSAGE_HANDOVER) {
        checker_offers(world, host, message->u.lead.epoch);
        check_drained(world, host, &message->u.lead);
    } else if (message->type == MESSAGE_ECHO) {
        check_epoch(world, host, message->u.ping.epoch, message);
    }
}

bool checker_holds_all(const struct world *world, uint8_t host)
{
    const struct checker *checker = world->checker;
    const struct shadow *shadow = checker->live[host - 1];

    for (uint64_t lsn = 1; lsn <= checker->commit_count; lsn++) {
        if (shadow == NULL || !shadow_has(checker, shadow, lsn)) {
            return false;
        }
    }
    return shadow != NULL;
}

bool checker_store_dead(const struct world *world, const uint8_t store_id[STORAGE_ID_SIZE])
{
    const struct shadow *shadow = shadow_find(world->checker, store_id);

    return shadow == NULL || shadow->dead;
}

uint64_t checker_commit_count(const struct world *world)
{
    return world->checker->commit_count;
}

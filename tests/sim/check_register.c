/* SPDX-License-Identifier: Apache-2.0 */
/* check_register.c: what may be written into the register, and who may be granted authority.
 * Owns the true register and the changes of it under way: invariants 1, 11, 12, 13, 14, rules C, F,
 * G, K. Never believes what the arbiter shows: it may have gone back. */
#include "tests/sim/check_internal.h"

#include "base/assert.h"

#include <string.h>

/* Everybody in the register holds all that is committed, unless its disk is gone. */
static void check_members(struct world *world, const struct register_value *value)
{
    struct checker *checker = world->checker;

    for (size_t i = 0; i < HOST_COUNT; i++) {
        const struct shadow *shadow;

        if (!value->isr[i].present) {
            continue;
        }
        shadow = shadow_find(checker, value->isr[i].store_id);
        if (shadow == NULL) {
            check_fail(world, "G store", "the register names a store of host %zu that never was",
                       i + 1);
            return;
        }
        for (uint64_t lsn = 1; lsn <= checker->commit_count; lsn++) {
            if (!shadow_has(checker, shadow, lsn)) {
                check_fail(world, "2 isr holds all",
                           "host %zu is in the ISR of epoch %llu without the committed LSN %llu",
                           i + 1, (unsigned long long)value->epoch, (unsigned long long)lsn);
                return;
            }
        }
    }
}

/* What the change is not allowed to be; false: it is that. */
static bool check_change(struct world *world, uint8_t host, const struct register_value *value)
{
    const struct checker *checker = world->checker;
    const struct register_value *old = &checker->value;
    bool forced = value->lineage != old->lineage;
    bool reseed = world->nemesis.reseeding[host - 1];

    /* A new lineage begins far above. */
    if (reseed || forced ? value->epoch <= old->epoch : value->epoch != old->epoch + 1) {
        check_fail(world, "1 register", "epoch %llu follows %llu", (unsigned long long)value->epoch,
                   (unsigned long long)old->epoch);
        return false;
    }
    /* A reseed writes the lineage of the stores, when both hosts are there. */
    if (forced && !reseed && !world->nemesis.forcing[host - 1]) {
        check_fail(world, "F lineage", "host %u changes the lineage unasked", host);
        return false;
    }
    if (!forced && !reseed &&
        (!old->isr[host - 1].present || !register_has(old, host, value->isr[host - 1].store_id))) {
        check_fail(world, "11 promotion",
                   "host %u takes authority at epoch %llu from outside the ISR", host,
                   (unsigned long long)value->epoch);
        return false;
    }
    return true;
}

static void count_change(struct world *world, uint8_t host, const struct register_value *value)
{
    const struct register_value *old = &world->checker->value;
    uint8_t peer = (uint8_t)(2 - host);

    if (old->primary != value->primary) {
        world->totals.failovers++;
        return;
    }
    world->totals.evictions += old->isr[peer].present && !value->isr[peer].present ? 1 : 0;
    world->totals.adds += !old->isr[peer].present && value->isr[peer].present ? 1 : 0;
}

void checker_register(struct world *world, uint8_t host, const struct register_value *value)
{
    struct checker *checker = world->checker;

    if (!register_is_legal(value)) {
        check_fail(world, "1 register", "an illegal value");
        return;
    }
    if (value->primary != host) {
        check_fail(world, "K authority", "host %u makes host %u the primary", host, value->primary);
        return;
    }
    if (checker->exists) {
        if (!check_change(world, host, value)) {
            return;
        }
        if (value->lineage != checker->value.lineage) {
            world->totals.forced++;
            if (!register_has(value, host, world->hosts[host - 1].store.store_id)) {
                /* A forced change has landed when the disk of its host was lost already. Only a
                 * store that the register gave up is left: no rule says what is right now. */
                TRACE(world, "beyond the protocol: the forced host has lost its disk");
                world->beyond = true;
                world->failed = true;
                world->totals.beyond++;
                return;
            }
            checker_new_lineage(world, host);
        }
        count_change(world, host, value);
    }
    checker->value = *value;
    checker->exists = true;
    check_members(world, value);
}

void checker_register_void(struct world *world, const struct register_value *value)
{
    world->checker->exists = value != NULL;
    if (value != NULL) {
        world->checker->value = *value;
    }
}

void checker_register_chosen(struct world *world, const struct register_value *value)
{
    check_members(world, value);
}

void checker_cas_asked(struct world *world, uint8_t host)
{
    const struct host *where = &world->hosts[host - 1];

    /* The operator's word stands for the reading. */
    if (where->child.up && world->checker->granted[host - 1] == 0 &&
        !world->nemesis.reseeding[host - 1] &&
        where->supervisor.seen_order < where->child.start_order) {
        check_fail(world, "12 read first",
                   "host %u seeks authority without a register read in this incarnation", host);
    }
}

uint64_t checker_cas_sent(struct world *world,
                          uint8_t host,
                          const struct register_value *value,
                          uint64_t revision)
{
    struct checker *checker = world->checker;

    for (size_t i = 0; i < CAS_COUNT_MAX; i++) {
        if (checker->flights[i].number == 0) {
            checker->flights[i] = (struct cas_flight){.number = ++checker->cas_count,
                                                      .host = host,
                                                      .revision = revision,
                                                      .value = *value};
            return checker->cas_count;
        }
    }
    ASSERT(!"room for another CAS under way");
    return 0;
}

void checker_cas_landed(struct world *world, uint64_t number)
{
    for (size_t i = 0; i < CAS_COUNT_MAX && number != 0; i++) {
        if (world->checker->flights[i].number == number) {
            world->checker->flights[i].number = 0;
        }
    }
}

bool checker_cas_flies(const struct world *world)
{
    for (size_t i = 0; i < CAS_COUNT_MAX; i++) {
        if (world->checker->flights[i].number != 0) {
            return true;
        }
    }
    return false;
}

void checker_cas_void(struct world *world)
{
    memset(world->checker->flights, 0, sizeof world->checker->flights);
}

void checker_grant(struct world *world, uint8_t host, const struct register_value *value)
{
    const struct host *where = &world->hosts[host - 1];
    const struct shadow *shadow = world->checker->live[host - 1];

    if (value->primary != host) {
        check_fail(world, "K authority", "host %u is granted an epoch of host %u", host,
                   value->primary);
    } else if (!where->supervisor.registered ||
               where->supervisor.read_order < where->child.start_order) {
        check_fail(world, "12 read first",
                   "host %u is granted epoch %llu without a register read in this incarnation",
                   host, (unsigned long long)value->epoch);
    } else if (!where->child.up) {
        return; /* it has just died: nobody gets the grant */
    } else if (shadow == NULL || !register_has(value, host, shadow->store_id)) {
        check_fail(world, "G store", "host %u is granted epoch %llu for another store", host,
                   (unsigned long long)value->epoch);
    } else if (shadow->promise < value->epoch) {
        check_fail(world, "C seal", "host %u is granted epoch %llu, promised is %llu", host,
                   (unsigned long long)value->epoch, (unsigned long long)shadow->promise);
    } else if (where->memory.epoch > value->epoch || where->memory.epoch < value->epoch) {
        check_fail(world, "14 regression", "host %u is granted epoch %llu, remembers %llu", host,
                   (unsigned long long)value->epoch, (unsigned long long)where->memory.epoch);
    } else if (world->arbiter.restored && value->epoch != world->checker->value.epoch &&
               value->epoch > where->supervisor.seen_epoch) {
        /* One that was taken before counts for what it is: the peer may have promised more. */
        check_fail(world, "14 regression", "host %u is granted epoch %llu of an old copy", host,
                   (unsigned long long)value->epoch);
    }
}

/* By a word that the other host is off (manual): whoever has read it has to be told so. */
static bool is_void(const struct sim_arbiter *arbiter, uint64_t nonce)
{
    for (uint32_t i = 0; i < arbiter->history_count; i++) {
        if (arbiter->history[i].nonce == nonce) {
            return arbiter->voids[i];
        }
    }
    return false;
}

void checker_persist(struct world *world,
                     uint8_t host,
                     const struct failover_memory *old,
                     const struct failover_memory *memory)
{
    /* The operator's word makes another arbiter the true one: its revisions count from then on. */
    bool went_back = memory->revision < old->revision && !world->nemesis.reseeding[host - 1];

    bool unsaid = world->nemesis.reseeding[host - 1] && is_void(&world->arbiter, old->nonce);

    if ((memory->epoch < old->epoch && !unsaid) || went_back) {
        check_fail(world, "14 regression", "host %u forgets epoch %llu, revision %llu", host,
                   (unsigned long long)old->epoch, (unsigned long long)old->revision);
    }
}

void checker_granted(struct world *world, uint8_t host, uint64_t epoch)
{
    world->checker->granted[host - 1] = epoch;
}

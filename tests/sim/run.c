/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: one seed: the pair is made, things go wrong for a while, then some or all of it is healed
 * and must work again (invariant 20).
 * Owns the course of a run and the operator. Never mends by hand what the pair is to mend itself.
 */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/manual.h"

#include <stdio.h>
#include <string.h>

#define EVENT_COUNT_MAX 1500000U
#define HEAL_S          25U /* enough for every timer there is, several times */
#define PAIR_S          40U

static void run_until(struct world *world, uint64_t end_us)
{
    while (!world->failed && world->heap_count > 0 && world->heap[0].at_us <= end_us) {
        (void)world_step(world); /* there is an event */
        if (world->totals.events > EVENT_COUNT_MAX) {
            check_fail(world, "20 livelock", "more than %u events", EVENT_COUNT_MAX);
        }
    }
    world->now_us = world->now_us > end_us ? world->now_us : end_us;
}

static void bootstrap(struct world *world, struct event *event)
{
    struct register_value value;

    (void)event;
    if (arbiter_value(world, &value) || world->arbiter.history_count > 0) {
        return;
    }
    supervisor_command(world, &world->hosts[0], FAILOVER_BOOTSTRAP);
    world_at(world, 300 * MS_US, (struct event){.fn = bootstrap, .process = PROCESS_WORLD});
}

static void draw_options(struct world *world)
{
    static const uint32_t checkpoints_ms[] = {20, 100, 400, 1000};
    struct prng *prng = &world->prng;

    world->ping_ms = 50;
    world->silence_ms = 300;
    world->evict_ms = 1000;
    world->bias_ms = 250;
    world->hold_down_ms = (uint32_t)prng_range(prng, 0, 2) * 500;
    world->checkpoint_ms = checkpoints_ms[prng_below(prng, 4)];
    world->async = prng_once_in(prng, 2);
    world->strict = prng_once_in(prng, 12);
    world->drains = prng_once_in(&world->more, 2);
    world->manual = prng_once_in(&world->more, 10) || world->options.manual;
    sim_fence_draw(world);
    if (world->strict) {
        /* Never solo: a member of the ISR that lost its disk, or got a snapshot and with it a new
         * store, then waits for the operator. */
        world->options.faults_off |= 1ULL << FAULT_DISK_LOSS | 1ULL << FAULT_SMALL_LOG;
    }
    if (world->manual) {
        /* A lost disk is a lost copy of the register, too: that needs more than one word. */
        world->options.faults_off |=
            1ULL << FAULT_DISK_LOSS | 1ULL << FAULT_ARBITER_RESTORE | 1ULL << FAULT_FORCE;
    }
}

/* ---- healing ---- */

enum survivors { SURVIVE_BOTH, SURVIVE_PRIMARY, SURVIVE_STANDBY };

static bool says_wrong(const struct host *host)
{
    struct failover_status status;

    if (!host->supervisor.running) {
        return false;
    }
    failover_status(host->supervisor.core, &status);
    return status.alarms[FAILOVER_ALARM_ARBITER_WRONG];
}

static bool arbiter_is_wrong(const struct world *world)
{
    return world->arbiter.restored || says_wrong(&world->hosts[0]) || says_wrong(&world->hosts[1]);
}

/* Who is left. Only a host that the register names, with that very store, is asked to go on alone;
 * a strict pair never goes solo, so it is always healed whole. */
static enum survivors draw_survivors(struct world *world, struct host **ret_alone)
{
    struct register_value value;
    enum survivors survivors = (enum survivors)prng_below(&world->prng, 3);
    struct host *host;

    if (survivors == SURVIVE_BOTH || world->strict || world->manual || arbiter_is_wrong(world) ||
        !arbiter_value(world, &value)) {
        return SURVIVE_BOTH;
    }
    host = &world->hosts[value.primary - 1];
    host = survivors == SURVIVE_PRIMARY ? host : host_peer(world, host);
    if (!register_has(&value, host->number, host->store.store_id) || host->store.install) {
        return SURVIVE_BOTH;
    }
    *ret_alone = host;
    return survivors;
}

static void switch_on(struct world *world, struct host *host)
{
    if (!host->powered) {
        host_power_on(world, host);
    } else if (!host->supervisor.running) {
        supervisor_start(world, host);
    }
}

static bool halted(const struct host *host)
{
    struct failover_status status;

    if (!host->supervisor.running) {
        return false;
    }
    failover_status(host->supervisor.core, &status);
    return status.role == FAILOVER_HALTED || status.alarms[FAILOVER_ALARM_NEEDS_OPERATOR];
}

/* As the core says where both hosts are not of one lineage: the one that does not hold everything
 * is switched off, the other one writes another lineage. True: he is at it. */
static bool operator_reseeds_alone(struct world *world)
{
    for (size_t i = 0; i < HOST_COUNT; i++) {
        struct host *host = &world->hosts[i];
        struct host *peer = host_peer(world, host);

        if (!says_wrong(host) || !host->child.up || host->child.engine.last.lsn == 0 ||
            !checker_holds_all(world, host->number)) {
            continue;
        }
        if (peer->powered) {
            host_power_off(world, peer);
            nemesis_power_later(world, peer, 5 * SECOND_US);
            return true;
        }
        world->nemesis.reseeding[i] = true;
        world->nemesis.forcing[i] = true;
        supervisor_command(world, host, FAILOVER_PEER_OFF);
        supervisor_command(world, host, FAILOVER_RESEED);
        return true;
    }
    return false;
}

/* Some put the true state back and restart the supervisors, which go on refusing until then; some
 * reseed. */
static void operator_mends_arbiter(struct world *world)
{
    /* Where the core will not reseed (the peer is empty, or a change is unresolved) he looks for
     * the true state after all. */
    if (++world->nemesis.reseed_tries > 3) {
        world->nemesis.reseed = !world->nemesis.reseed;
    }
    if (world->nemesis.reseed_tries > 5 && !world->arbiter.restored &&
        operator_reseeds_alone(world)) {
        return;
    }
    if (world->arbiter.restored && !world->nemesis.reseed) {
        arbiter_restore_true(world);
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        struct host *host = &world->hosts[i];

        if (!says_wrong(host)) {
            continue;
        }
        if (world->nemesis.reseed) {
            world->nemesis.reseeding[i] = true;
            supervisor_command(world, host, FAILOVER_RESEED);
        } else {
            supervisor_kill(world, host);
            supervisor_start(world, host);
        }
    }
}

/* What the operator does when a host says that it needs him: a store of a lineage that was given up
 * is fetched anew; when everybody that the register names has lost his disk, the other is promoted
 * by force. */
static void operator_looks(struct world *world, struct event *event)
{
    struct register_value value;
    bool someone = false;

    (void)event;
    world_at(world, 2 * SECOND_US, (struct event){.fn = operator_looks, .process = PROCESS_WORLD});
    if (arbiter_is_wrong(world)) {
        operator_mends_arbiter(world);
        return;
    }
    if (!arbiter_value(world, &value)) {
        return;
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        someone = someone || (value.isr[i].present &&
                              memcmp(value.isr[i].store_id, world->hosts[i].store.store_id,
                                     STORAGE_ID_SIZE) == 0);
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        struct host *host = &world->hosts[i];

        if (!host->powered || !host->child.up) {
            continue;
        }
        if (!someone && checker_holds_all(world, host->number)) {
            /* The peer is switched off before, or the core refuses. */
            if (host_peer(world, host)->powered) {
                host_power_off(world, host_peer(world, host));
                nemesis_power_later(world, host_peer(world, host), 5 * SECOND_US);
                return;
            }
            world->nemesis.forcing[i] = true;
            supervisor_command(world, host, FAILOVER_FORCE);
            return;
        }
        if (someone && halted(host)) {
            supervisor_command(world, host, FAILOVER_REJOIN);
        }
    }
}

/* A host that takes the arbiter for a wrong one follows as long as it is led, but would not take
 * over, and does not follow any more once it is restarted: that is no pair yet. */
static bool paired(struct world *world)
{
    struct register_value value;
    bool serving = false;

    if (arbiter_is_wrong(world) || !arbiter_value(world, &value)) {
        return false;
    }
    for (size_t i = 0; i < HOST_COUNT; i++) {
        struct host *host = &world->hosts[i];

        if (!register_has(&value, host->number, host->store.store_id) || !host->child.up) {
            return false;
        }
        serving = serving || (host->child.serving && host->child.engine.required);
    }
    return serving;
}

/* What the host says of itself, for people. */
static const char *role_of(const struct host *host)
{
    static char texts[2][160];
    char *text = texts[host->index];
    struct failover_status status;

    if (!host->supervisor.running) {
        return "off";
    }
    failover_status(host->supervisor.core, &status);
    (void)snprintf(text, sizeof texts[0], "%s: %.100s", failover_role_word(status.role),
                   status.reason); /* cut is fine */
    return text;
}

static void check_alive(struct world *world, const char *what)
{
    uint64_t end_us = world->now_us + HEAL_S * SECOND_US;
    uint64_t before = world->clients.healed_done_count;

    while (!world->failed && world->now_us < end_us &&
           world->clients.healed_done_count < before + 3) {
        run_until(world, world->now_us + SECOND_US);
    }
    if (world->clients.healed_done_count < before + 3) {
        check_fail(world, "20 liveness", "%s: no commits after %u s (host 1 %s, host 2 %s)", what,
                   HEAL_S, role_of(&world->hosts[0]), role_of(&world->hosts[1]));
    }
}

static void heal_alone(struct world *world, struct host *alone)
{
    struct host *peer = host_peer(world, alone);

    if (prng_once_in(&world->prng, 2)) {
        host_power_off(world, peer);
    } else {
        peer->arbiter_cut = true;
        link_block(world, 0, true);
        link_block(world, 1, true);
    }
    switch_on(world, alone);
    TRACE(world, "HEAL: host %u and the arbiter", alone->number);
    world->clients.healed_us = world->now_us + SECOND_US;
    check_alive(world, "one host and the arbiter");
    peer->arbiter_cut = false;
    link_block(world, 0, false);
    link_block(world, 1, false);
}

static void heal_both(struct world *world)
{
    uint64_t end_us;

    switch_on(world, &world->hosts[0]);
    switch_on(world, &world->hosts[1]);
    TRACE(world, "HEAL: everything");
    world_at(world, 5 * SECOND_US, (struct event){.fn = operator_looks, .process = PROCESS_WORLD});
    world->clients.healed_us = world->now_us + SECOND_US;
    check_alive(world, "everything");
    end_us = world->now_us + PAIR_S * SECOND_US;
    while (!world->failed && world->now_us < end_us && !paired(world)) {
        run_until(world, world->now_us + SECOND_US);
    }
    if (!paired(world)) {
        check_fail(world, "20 liveness", "not paired %u s after all was healed (host 1 %s, 2 %s)",
                   PAIR_S, role_of(&world->hosts[0]), role_of(&world->hosts[1]));
    }
}

/* Rule E with fence devices: a pair that was in sync loses a host, or the link, and goes on. */
static void heal_fenced(struct world *world)
{
    struct host *lost = &world->hosts[prng_below(&world->fence_prng, 2)];
    /* With a short delay both reach for each other: then both are off, and wait for the operator.
     */
    bool power = prng_once_in(&world->fence_prng, 2) || world->fence_options.delay_ms < 400;
    uint64_t end_us = world->now_us + (HEAL_S + PAIR_S) * SECOND_US;

    /* Of two outlets one may have been left off by an attempt that was ended by the link. */
    memset(world->hosts[0].outlets, true, sizeof world->hosts[0].outlets);
    memset(world->hosts[1].outlets, true, sizeof world->hosts[1].outlets);
    run_until(world, world->now_us + 4 * SECOND_US); /* the devices have been looked at */
    if (world->failed || !paired(world)) {
        return; /* a handover, or the like: it was paired */
    }
    if (power) {
        host_power_off(world, lost);
    } else {
        link_block(world, 0, true);
        link_block(world, 1, true);
    }
    TRACE(world, "HEAL: %s is lost, and fenced", power ? "a host" : "the link");
    run_until(world, world->now_us + SECOND_US);
    check_alive(world, "one host and its fence device");
    link_block(world, 0, false);
    link_block(world, 1, false);
    switch_on(world, &world->hosts[0]);
    switch_on(world, &world->hosts[1]);
    while (!world->failed && world->now_us < end_us && !paired(world)) {
        run_until(world, world->now_us + SECOND_US);
    }
    if (!world->failed && !paired(world)) {
        check_fail(world, "20 liveness", "not paired again after a fencing (host 1 %s, 2 %s)",
                   role_of(&world->hosts[0]), role_of(&world->hosts[1]));
    }
}

static bool fence_works(const struct world *world)
{
    return world->fence && !world->strict && !world->hosts[0].fence_wrong &&
           !world->hosts[1].fence_wrong;
}

/* Both have applied all that either has, and it is the same. */
static bool is_equal(const struct engine *a, const struct engine *b)
{
    return a->open && b->open && a->applied.lsn == a->last.lsn && b->applied.lsn == b->last.lsn &&
           a->applied.lsn == b->applied.lsn && a->state.hash == b->state.hash;
}

/* Nobody writes any more, the outbox neither: what was written last has to get to both hosts with
 * nothing behind it that would take it along. */
static void check_equal(struct world *world)
{
    const struct engine *a = &world->hosts[0].child.engine;
    const struct engine *b = &world->hosts[1].child.engine;

    clients_stop(world);
    for (uint32_t i = 0; i < 10 && !world->failed; i++) {
        run_until(world, world->now_us + SECOND_US);
        if (is_equal(a, b) && paired(world)) {
            break;
        }
    }
    if (!world->failed && !is_equal(a, b)) {
        check_fail(world, "15 equal",
                   "in the end host 1 has applied LSN %llu of %llu, host 2 %llu of %llu",
                   (unsigned long long)a->applied.lsn, (unsigned long long)a->last.lsn,
                   (unsigned long long)b->applied.lsn, (unsigned long long)b->last.lsn);
    }
}

bool run_seed(struct world *world)
{
    struct host *alone = NULL;
    uint64_t length_us;

    draw_options(world);
    length_us = prng_range(&world->prng, 3, 12) * SECOND_US;
    arbiter_init(world);
    nemesis_init(world);
    host_power_on(world, &world->hosts[0]);
    host_power_on(world, &world->hosts[1]);
    world_at(world, 400 * MS_US, (struct event){.fn = bootstrap, .process = PROCESS_WORLD});
    clients_init(world);
    run_until(world, world->now_us + length_us);
    if (!world->failed) {
        /* A late CAS may still be under way: it lands before anything is asked of the pair. */
        nemesis_heal(world);
        run_until(world, world->now_us + 7 * SECOND_US);
    }
    if (!world->failed && draw_survivors(world, &alone) != SURVIVE_BOTH) {
        heal_alone(world, alone);
    }
    if (!world->failed) {
        heal_both(world);
    }
    if (!world->failed && fence_works(world)) {
        heal_fenced(world);
    }
    if (!world->failed) {
        check_equal(world);
    }
    world->totals.seeds = 1;
    world_hash(world, world->clients.done_count);
    return !world->failed || world->beyond;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis.c: what goes wrong, and when. Each kind of fault has a stream of its own; what it breaks
 * it mends after a while, or the healing does.
 * Never does what the pair does not promise to survive: both disks at once, or the disk that alone
 * holds what is committed. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/manual.h"

#include <string.h>

static const char *const fault_names[] = {
#define FAULT_TEXT(name, text) text,
    FAULT_TABLE(FAULT_TEXT)
#undef FAULT_TEXT
};

const char *fault_name(enum fault fault)
{
    return fault_names[fault];
}

enum fault fault_of(const char *name)
{
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(fault_names[i], name) == 0) {
            return (enum fault)i;
        }
    }
    return FAULT_COUNT;
}

bool fault_strikes(struct world *world, enum fault fault, uint64_t n)
{
    return fault_on(&world->nemesis, fault) && prng_once_in(&world->nemesis.draws[fault], n);
}

/* Mostly short, sometimes long enough for a failover and more. */
static uint64_t duration_us(struct prng *prng)
{
    static const uint32_t most_ms[] = {20, 200, 700, 3000};

    return prng_range(prng, 1, most_ms[prng_below(prng, 4)]) * MS_US;
}

static struct host *some_host(struct world *world, struct prng *prng)
{
    return &world->hosts[prng_below(prng, 2)];
}

/* ---- mending ---- */

enum mend {
    MEND_SUPERVISOR,
    MEND_POWER,
    MEND_PAUSE_CHILD,
    MEND_PAUSE_SUPERVISOR,
    MEND_DISK,
    MEND_LINK,
    MEND_LINK_SLOW,
    MEND_ARBITER,
    MEND_ARBITER_CUT,
    MEND_ARBITER_RESTORE,
    MEND_CLOCK,
    MEND_SAFE
};

static void set_rate(struct world *world, struct host *host, uint32_t rate_permille)
{
    host->clock.boot_us = clock_boot_us(world, host);
    host->clock.base_us = world->now_us;
    host->clock.rate_permille = rate_permille;
    host_clock_changed(world, host);
}

static void safe_mode(struct world *world, struct host *host, bool on)
{
    struct failover_event event = {.type = FAILOVER_EVENT_SAFE_MODE};

    event.u.safe.on = on;
    memcpy(event.u.safe.reason, "test", 5);
    if (host->supervisor.running) {
        TRACE(world, "host %u: safe mode %s", host->number, on ? "on" : "off");
        supervisor_feed(world, host, &event);
    }
}

static void mend_host(struct world *world, struct host *host, enum mend what)
{
    switch (what) {
    case MEND_SUPERVISOR:
        if (host->powered && !host->supervisor.running) {
            supervisor_start(world, host);
        }
        break;
    case MEND_POWER:
        if (!host->powered) {
            host_power_on(world, host);
        }
        break;
    case MEND_PAUSE_CHILD:
        TRACE(world, "host %u: approvald goes on", host->number);
        process_resume(world, child_process(host));
        break;
    case MEND_PAUSE_SUPERVISOR:
        TRACE(world, "host %u: supervisor goes on", host->number);
        process_resume(world, supervisor_process(host));
        break;
    case MEND_DISK:
        host->disk_slow_us = 0;
        break;
    case MEND_ARBITER_CUT:
        host->arbiter_cut = false;
        break;
    case MEND_CLOCK:
        set_rate(world, host, 1000);
        break;
    case MEND_SAFE:
        safe_mode(world, host, false);
        break;
    case MEND_LINK:
    case MEND_LINK_SLOW:
    case MEND_ARBITER:
    case MEND_ARBITER_RESTORE:
        ASSERT(!"of a host");
        break;
    }
}

static void mend(struct world *world, struct event *event)
{
    enum mend what = (enum mend)event->a;

    if (what == MEND_LINK) {
        link_block(world, 0, false);
        link_block(world, 1, false);
    } else if (what == MEND_LINK_SLOW) {
        world->link.ways[0].delay_us = 0;
        world->link.ways[1].delay_us = 0;
    } else if (what == MEND_ARBITER) {
        TRACE(world, "ARBITER: answers again");
        world->arbiter.down = false;
        world->arbiter.silent = false;
    } else if (what == MEND_ARBITER_RESTORE) {
        arbiter_restore_true(world);
    } else {
        mend_host(world, &world->hosts[event->host], what);
    }
}

static void
mend_later(struct world *world, const struct host *host, enum mend what, uint64_t delay_us)
{
    world_at(world, delay_us,
             (struct event){.fn = mend,
                            .process = PROCESS_WORLD,
                            .host = host == NULL ? 0 : host->index,
                            .a = what});
}

void nemesis_power_later(struct world *world, struct host *host, uint64_t delay_us)
{
    mend_later(world, host, MEND_POWER,
               delay_us != 0 ? delay_us : duration_us(&world->nemesis.draws[FAULT_POWER]));
}

/* ---- breaking ---- */

static void power_both(struct world *world, struct prng *prng)
{
    uint8_t first = (uint8_t)prng_below(prng, 2);

    for (uint8_t i = 0; i < 2; i++) {
        host_power_off(world, &world->hosts[i]);
    }
    mend_later(world, &world->hosts[first], MEND_POWER, duration_us(prng));
    mend_later(world, &world->hosts[1 - first], MEND_POWER, duration_us(prng) + SECOND_US);
}

static void pause_host(struct world *world, struct host *host, struct prng *prng)
{
    uint64_t pause_us = duration_us(prng);

    TRACE(world, "host %u: frozen for %llu ms", host->number,
          (unsigned long long)(pause_us / 1000));
    process_pause(world, supervisor_process(host));
    process_pause(world, child_process(host));
    mend_later(world, host, MEND_PAUSE_SUPERVISOR, pause_us);
    mend_later(world, host, MEND_PAUSE_CHILD, pause_us);
}

/* Only a disk whose loss costs nothing that is committed: the peer's store is in the register and
 * holds it all. */
static void lose_disk(struct world *world, struct host *host, struct prng *prng)
{
    struct host *peer = host_peer(world, host);
    struct register_value value;

    if (world->nemesis.disk_losses == 3 || world->arbiter.restored || !peer->powered ||
        !arbiter_value(world, &value) ||
        !register_has(&value, peer->number, peer->store.store_id) || peer->store.install ||
        !checker_holds_all(world, peer->number)) {
        return;
    }
    world->nemesis.disk_losses++;
    host_lose_disk(world, host);
    mend_later(world, host, MEND_POWER, duration_us(prng));
}

static void jump(struct world *world, struct host *host, struct prng *prng)
{
    host->clock.boot_us = clock_boot_us(world, host) + duration_us(prng);
    host->clock.base_us = world->now_us;
    host->clock.wall_ahead_ms += (int64_t)prng_below(prng, 20000) - 10000;
    TRACE(world, "host %u: its clocks jump", host->number);
    host_clock_changed(world, host);
}

/* The operator makes sure that the peer is off, then promotes this host whatever it misses. */
static void force(struct world *world, struct host *host)
{
    struct host *peer = host_peer(world, host);

    if (world->totals.forced > 0 || world->nemesis.forcing[0] || world->nemesis.forcing[1] ||
        !host->supervisor.running || !host->child.up || !world->arbiter.exists ||
        world->arbiter.restored || host->store.state.intent_end == 0) {
        return;
    }
    host_power_off(world, peer);
    world->nemesis.forcing[host->index] = true;
    supervisor_command(world, host, FAILOVER_FORCE);
    mend_later(world, peer, MEND_POWER, 6 * SECOND_US);
}

static void hear_leaving(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct failover_event leaves = {.type = FAILOVER_EVENT_LEAVES};

    if (host->supervisor.running && host->child.link_connection == event->a) {
        TRACE(world, "host %u: hears that the other one is to be stopped", host->number);
        checker_left(world, host);
        sim_fence_leaving(world, host);
        supervisor_feed(world, host, &leaves);
    }
}

/* Best effort, on the connection on which it is said, like all that supervisors say. */
static void say_leaving(struct world *world, struct host *host, struct prng *prng)
{
    struct host *peer = host_peer(world, host);
    uint64_t connection = host->child.link_connection;

    if (connection != 0 && peer->child.link_connection == connection &&
        !world->link.ways[host->index].blocked) {
        world_at(world, prng_range(prng, 200, 4000),
                 (struct event){.fn = hear_leaving,
                                .process = supervisor_process(peer),
                                .host = peer->index,
                                .a = connection});
    }
}

static void stop_now(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    sim_fence_leaving(world, host_peer(world, host));
    engine_leave(world, host);
    supervisor_kill(world, host);
    mend_later(world, host, MEND_SUPERVISOR, duration_us(&world->nemesis.draws[FAULT_STOP]));
}

/* At once, or when it has been taken out of the ISR; or not quite, or long after. */
static void stop(struct world *world, struct host *host, struct prng *prng)
{
    uint64_t wait_us = 0;

    if (prng_once_in(prng, 2)) {
        say_leaving(world, host, prng);
        wait_us = prng_range(prng, 1, prng_once_in(prng, 2) ? 20 : 1000) * MS_US;
    }
    world_at(
        world, wait_us,
        (struct event){.fn = stop_now, .process = supervisor_process(host), .host = host->index});
}

static void break_process(struct world *world, enum fault fault, struct prng *prng)
{
    struct host *host = some_host(world, prng);

    if (fault == FAULT_KILL_CHILD && host->child.running) {
        world->totals.kills++;
        child_end(world, host, "killed");
    } else if (fault == FAULT_KILL_SUPERVISOR && host->supervisor.running) {
        supervisor_kill(world, host);
        mend_later(world, host, MEND_SUPERVISOR, duration_us(prng));
    } else if (fault == FAULT_STOP && host->supervisor.running) {
        stop(world, host, prng);
    } else if (fault == FAULT_POWER && host->powered) {
        host_power_off(world, host);
        mend_later(world, host, MEND_POWER, duration_us(prng));
    } else if (fault == FAULT_POWER_BOTH) {
        power_both(world, prng);
    } else if (fault == FAULT_PAUSE_CHILD && host->child.running) {
        TRACE(world, "host %u: approvald is frozen", host->number);
        process_pause(world, child_process(host));
        mend_later(world, host, MEND_PAUSE_CHILD, duration_us(prng));
    } else if (fault == FAULT_PAUSE_SUPERVISOR && host->supervisor.running) {
        TRACE(world, "host %u: supervisor is frozen", host->number);
        process_pause(world, supervisor_process(host));
        mend_later(world, host, MEND_PAUSE_SUPERVISOR, duration_us(prng));
    } else if (fault == FAULT_PAUSE_HOST) {
        pause_host(world, host, prng);
    }
}

/* The operator writes the register anew, on the host that leads, until it is written. */
static void reseed(struct world *world, struct event *event)
{
    (void)event;
    for (size_t i = 0; i < HOST_COUNT; i++) {
        struct host *host = &world->hosts[i];

        if (world->arbiter.restored && !world->nemesis.stopped && host->supervisor.running &&
            host->child.serving) {
            world->nemesis.reseeding[i] = true;
            supervisor_command(world, host, FAILOVER_RESEED);
        }
    }
}

/* Both hosts have heard of a register: before that there is nothing to write anew, and a bootstrap
 * that is tried again would make one at the other arbiter. */
static bool is_known(const struct world *world)
{
    struct register_value value;

    return arbiter_value(world, &value) && !world->arbiter.restored &&
           world->hosts[0].memory.epoch > 0 && world->hosts[1].memory.epoch > 0;
}

static void block(struct world *world, struct event *event)
{
    (void)event;
    if (!world->nemesis.stopped && fault_on(&world->nemesis, FAULT_LINK_BLOCK)) {
        link_block(world, 0, true);
        link_block(world, 1, true);
        mend_later(world, NULL, MEND_LINK, prng_range(&world->more, 200, 800) * MS_US);
    }
}

/* Where the register is to be written anew another arbiter stands, or an old copy, once in a run,
 * even while a handover is under way. When nobody could write it in time the old one is found
 * again.
 */
static void replace(struct world *world)
{
    if (world->totals.restores > 0 || !is_known(world)) {
        return;
    }
    supervisor_command(world, &world->hosts[0], FAILOVER_SWITCHOVER);
    supervisor_command(world, &world->hosts[1], FAILOVER_SWITCHOVER);
    if (prng_once_in(&world->more, 2)) {
        arbiter_replace(world);
    } else {
        arbiter_restore_last(world);
    }
    mend_later(world, NULL, MEND_ARBITER_RESTORE, 4 * SECOND_US);
    world_at(world, prng_range(&world->more, 1, 1600) * MS_US,
             (struct event){.fn = block, .process = PROCESS_WORLD});
    for (size_t i = 0; i < 6; i++) {
        world_at(world, prng_range(&world->more, 1, 1600) * MS_US,
                 (struct event){.fn = reseed, .process = PROCESS_WORLD});
    }
}

static void break_network(struct world *world, enum fault fault, struct prng *prng)
{
    struct host *host = some_host(world, prng);
    uint64_t ways = prng_range(prng, 1, 3);

    if (fault == FAULT_LINK_BREAK) {
        link_break(world);
    } else if (fault == FAULT_LINK_BLOCK) {
        link_block(world, 0, (ways & 1) != 0);
        link_block(world, 1, (ways & 2) != 0);
        mend_later(world, NULL, MEND_LINK, duration_us(prng));
    } else if (fault == FAULT_LINK_SLOW) {
        world->link.ways[ways & 1].delay_us = duration_us(prng) / 4;
        mend_later(world, NULL, MEND_LINK_SLOW, duration_us(prng));
    } else if (fault == FAULT_ARBITER_DOWN) {
        TRACE(world, "ARBITER: does not answer");
        world->arbiter.down = (ways & 1) != 0;
        world->arbiter.silent = !world->arbiter.down;
        mend_later(world, NULL, MEND_ARBITER, duration_us(prng));
    } else if (fault == FAULT_ISOLATE) {
        uint64_t isolated_us = (prng_range(prng, 300, 4000)) * MS_US;

        TRACE(world, "host %u: isolated", host->number);
        host->arbiter_cut = true;
        link_block(world, 0, true);
        link_block(world, 1, true);
        mend_later(world, host, MEND_ARBITER_CUT, isolated_us);
        mend_later(world, NULL, MEND_LINK, isolated_us);
    } else if (fault == FAULT_ARBITER_CUT) {
        host->arbiter_cut = true;
        mend_later(world, host, MEND_ARBITER_CUT, duration_us(prng));
    } else if (fault == FAULT_ARBITER_RESTORE) {
        uint64_t restored_us = duration_us(prng);

        if (world->nemesis.reseeds) {
            replace(world);
            return;
        }
        arbiter_restore_old(world);
        mend_later(world, NULL, MEND_ARBITER_RESTORE, restored_us);
    }
}

static void break_rest(struct world *world, enum fault fault, struct prng *prng)
{
    static const uint32_t rates[] = {0, 1, 700, 900, 1100, 1500, 3000};
    struct host *host = some_host(world, prng);
    struct failover_event hint = {.type = FAILOVER_EVENT_VRRP_HINT};

    if (fault == FAULT_DISK_SLOW) {
        host->disk_slow_us = prng_range(prng, 1, 1500) * MS_US;
        mend_later(world, host, MEND_DISK, duration_us(prng));
    } else if (fault == FAULT_DISK_LOSS) {
        lose_disk(world, host, prng);
    } else if (fault == FAULT_CLOCK_RATE && host->powered) {
        set_rate(world, host, rates[prng_below(prng, 7)]);
        mend_later(world, host, MEND_CLOCK, duration_us(prng));
    } else if (fault == FAULT_CLOCK_JUMP && host->powered) {
        jump(world, host, prng);
    } else if (fault == FAULT_HANDOVER) {
        supervisor_command(world, host, FAILOVER_SWITCHOVER);
    } else if (fault == FAULT_FORCE) {
        force(world, host);
    } else if (fault == FAULT_HINT && host->supervisor.running) {
        supervisor_feed(world, host, &hint);
    } else if (fault == FAULT_PEER_OFF && world->manual) {
        manual_confirm(world, host);
    } else if (fault == FAULT_SAFE_MODE) {
        safe_mode(world, host, true);
        mend_later(world, host, MEND_SAFE, duration_us(prng));
    }
}

static uint64_t next_us(struct nemesis *nemesis, enum fault fault)
{
    uint64_t mean_us = nemesis->mean_ms[fault] * MS_US;

    /* Two draws: bursts and pauses, not a beat. */
    return prng_below(&nemesis->draws[fault], prng_range(&nemesis->draws[fault], 1, 4 * mean_us));
}

static void strike(struct world *world, struct event *event)
{
    struct nemesis *nemesis = &world->nemesis;
    enum fault fault = (enum fault)event->a;
    struct prng *prng = &nemesis->draws[fault];

    if (!fault_on(nemesis, fault)) {
        return;
    }
    world_at(world, next_us(nemesis, fault),
             (struct event){.fn = strike, .process = PROCESS_WORLD, .a = fault});
    break_process(world, fault, prng);
    break_network(world, fault, prng);
    break_rest(world, fault, prng);
}

/* Of the devices; the operator would be there before them; links are what makes two reach for each
 * other. */
static void nemesis_fence(struct world *world, size_t i)
{
    struct nemesis *nemesis = &world->nemesis;
    bool device = i == FAULT_FENCE_LOSE || i == FAULT_FENCE_LATE || i == FAULT_FENCE_LIE;

    if (!world->fence) {
        nemesis->on[i] = nemesis->on[i] && !device;
    } else if (i == FAULT_PEER_OFF) {
        nemesis->on[i] = nemesis->on[i] && prng_once_in(&world->fence_prng, 4);
    } else if (i == FAULT_LINK_BLOCK && prng_once_in(&world->fence_prng, 2)) {
        nemesis->on[i] = (world->options.faults_off & 1ULL << i) == 0;
        nemesis->mean_ms[i] = 900;
    }
}

void nemesis_init(struct world *world)
{
    static const uint32_t chances[] = {0, 15, 30, 30, 50, 85};
    static const uint32_t means_ms[] = {300, 900, 2500, 6000};
    struct nemesis *nemesis = &world->nemesis;
    uint32_t chance = chances[prng_below(&world->prng, 6)];

    nemesis->reseed = prng_once_in(&world->prng, 2);
    nemesis->reseeds = prng_once_in(&world->more, 3);
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        struct prng *prng = &nemesis->draws[i];

        *prng = prng_of(world->options.seed, 1000 + i);
        nemesis->on[i] =
            prng_below(prng, 100) < chance && (world->options.faults_off & 1ULL << i) == 0;
        nemesis->mean_ms[i] = means_ms[prng_below(prng, 4)];
        if (world->manual && (i == FAULT_POWER || i == FAULT_PEER_OFF)) {
            /* Who is off, and who has missed what: there is little else to go wrong. */
            nemesis->on[i] = (world->options.faults_off & 1ULL << i) == 0;
            nemesis->mean_ms[i] = i == FAULT_POWER ? 1500 : 300;
        }
        nemesis_fence(world, i);
        if (nemesis->on[i]) {
            TRACE(world, "fault %s, about every %u ms", fault_names[i], nemesis->mean_ms[i]);
            world_at(world, SECOND_US + next_us(nemesis, (enum fault)i),
                     (struct event){.fn = strike, .process = PROCESS_WORLD, .a = i});
        }
    }
    if (nemesis->reseeds && nemesis->on[FAULT_ARBITER_RESTORE]) {
        nemesis->mean_ms[FAULT_ARBITER_RESTORE] = 300; /* one, soon after both know a register */
        nemesis->on[FAULT_LAZY] = (world->options.faults_off & 1ULL << FAULT_LAZY) == 0;
        nemesis->on[FAULT_LINK_BLOCK] = (world->options.faults_off & 1ULL << FAULT_LINK_BLOCK) == 0;
    }
}

void nemesis_heal(struct world *world)
{
    world->nemesis.stopped = true;
    world->arbiter.down = false;
    world->arbiter.silent = false;
    for (uint8_t i = 0; i < 2; i++) {
        struct host *host = &world->hosts[i];

        world->link.ways[i].delay_us = 0;
        link_block(world, i, false);
        host->arbiter_cut = false;
        host->disk_slow_us = 0;
        host->disk_bad = false;
        process_resume(world, supervisor_process(host));
        process_resume(world, child_process(host));
        if (host->clock.rate_permille != 1000) {
            set_rate(world, host, 1000);
        }
        safe_mode(world, host, false);
    }
}

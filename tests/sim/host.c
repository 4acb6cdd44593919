/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: power, clocks and disks of a host.
 * Owns what survives what: a killed process leaves the kernel's cache, a lost power only the
 * medium, a lost disk nothing. Never looks into a process. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void booted(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->powered && event->a == host->power_life && !host->supervisor.running) {
        supervisor_start(world, host);
    }
}

/* The peer's half-open connection gets a reset as soon as there is somebody to send one. */
static void reset_peer(struct world *world, struct event *event)
{
    struct host *peer = host_peer(world, &world->hosts[event->host]);

    if (peer->child.link_connection == event->a && event->a != 0 &&
        world->hosts[event->host].child.link_connection != event->a) {
        link_break(world);
    }
}

void host_power_on(struct world *world, struct host *host)
{
    struct host *peer = host_peer(world, host);

    ASSERT(!host->powered);
    host->powered = true;
    host->power_life++;
    memset(host->outlets, true, sizeof host->outlets);
    host->clock.base_us = world->now_us;
    host->clock.boot_us = prng_range(&world->prng, 1000, 100000) * MS_US;
    host->clock.rate_permille = 1000;
    TRACE(world, "host %u: power on", host->number);
    world_at(
        world, prng_range(&world->prng, 20, 300) * MS_US,
        (struct event){
            .fn = booted, .process = PROCESS_WORLD, .host = host->index, .a = host->power_life});
    if (peer->child.link_connection != 0) {
        world_at(world, prng_range(&world->prng, 10, 400) * MS_US,
                 (struct event){.fn = reset_peer,
                                .process = PROCESS_WORLD,
                                .host = host->index,
                                .a = peer->child.link_connection});
    }
}

void host_power_off(struct world *world, struct host *host)
{
    static const uint32_t keep_percent[] = {0, 100, 50, 90, 10};

    if (!host->powered) {
        return;
    }
    TRACE(world, "host %u: POWER LOST", host->number);
    world->totals.power_losses++;
    host->child.link_connection = 0; /* nobody closes it: the other end learns nothing */
    supervisor_kill(world, host);
    host->powered = false;
    host->power_life++;
    vault_power_loss(&host->vault, keep_percent[prng_below(&world->prng, 5)]);
    checker_power_loss(world, host->number);
}

static void look_again(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (event->process == supervisor_process(host)) {
        supervisor_arm(world, host);
    } else {
        engine_arm(world, host);
    }
}

void host_clock_changed(struct world *world, struct host *host)
{
    world_at(
        world, 1,
        (struct event){.fn = look_again, .process = supervisor_process(host), .host = host->index});
    world_at(world, 1,
             (struct event){.fn = look_again, .process = child_process(host), .host = host->index});
}

void host_lose_disk(struct world *world, struct host *host)
{
    if (host->powered) {
        host_power_off(world, host);
    }
    TRACE(world, "host %u: DISK LOST", host->number);
    world->totals.disk_losses++;
    vault_wipe(&host->vault);
    memset(&host->store, 0, sizeof host->store);
    memset(&host->memory, 0, sizeof host->memory);
    checker_store_lost(world, host->number);
}

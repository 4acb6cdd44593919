/* SPDX-License-Identifier: Apache-2.0 */
/* fence.c: fence devices in the operator's place (rule E): the production core
 * supervisor/arbiter/fence.c on each host, and a power switch with one or two outlets for the other
 * host. Owns what the devices do: late, lost, unanswered, in the wrong order, or taken and not
 * done. What one is asked it may do after its asker has given up, or ended. Never says that a host
 * is off which has not been: but for one that is connected to nothing, and says so all the time
 * (F4). Whoever finds a host switched off switches it on again, some time. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/manual.h"

#include <string.h>

enum fate { FATE_GOOD, FATE_FAILS, FATE_SILENT, FATE_LIES };

static void feed(struct world *world, struct host *host, struct fence_event *event);

void sim_fence_draw(struct world *world)
{
    struct prng *prng = &world->fence_prng;

    *prng = prng_of(world->options.seed, 3);
    world->fence = world->manual && !world->options.manual && prng_once_in(prng, 3);
    if (world->options.fence) {
        world->manual = true;
        world->fence = true;
    }
    world->fence_options = (struct fence_options){.device_count = prng_once_in(prng, 3) ? 2 : 1,
                                                  .wait_ms = (uint32_t)prng_below(prng, 300),
                                                  .leave_ms = 1500,
                                                  .delay_ms = (uint32_t)prng_range(prng, 0, 900),
                                                  .run_ms = 1500,
                                                  .pause_ms = 300,
                                                  .monitor_ms = 500};
    memcpy(world->fence_options.devices[0], "one", 4);
    memcpy(world->fence_options.devices[1], "two", 4);
    for (size_t i = 0; i < HOST_COUNT; i++) {
        world->hosts[i].fence_wrong = prng_once_in(prng, 12);
    }
}

/* ---- the device ---- */

static bool has_power(const struct world *world, const struct host *host)
{
    for (size_t i = 0; i < world->fence_options.device_count; i++) {
        if (host->outlets[i]) {
            return true;
        }
    }
    return false;
}

static void switch_off(struct world *world, struct host *asker, size_t device)
{
    struct host *peer = host_peer(world, asker);

    if (asker->fence_wrong) {
        return;
    }
    peer->outlets[device] = false;
    if (peer->powered && !has_power(world, peer)) {
        TRACE(world, "FENCE: host %u is switched off", peer->number);
        world->totals.fence_offs++;
        host_power_off(world, peer);
        nemesis_power_later(world, peer, prng_range(&world->fence_prng, 100, 5000) * MS_US);
    }
}

/* One that switches the host itself, and not its outlet, sees it without power, too. */
static bool is_on(const struct world *world, const struct host *asker, size_t device)
{
    const struct host *peer = &world->hosts[1 - asker->index];

    return !asker->fence_wrong && peer->outlets[device] && peer->powered;
}

static void answered(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct fence_event result = {.type = FENCE_EVENT_RESULT};

    result.u.result.number = event->a;
    result.u.result.exited = true;
    result.u.result.code = (int)event->b;
    memcpy(result.u.result.text, "test", 5);
    if (host->supervisor.running) {
        feed(world, host, &result);
    }
}

/* b: fate, action and device. */
static void execute(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    enum fate fate = (enum fate)(event->b & 7U);
    enum fence_action action = (enum fence_action)(event->b >> 3U & 1U);
    size_t device = event->b >> 4U & 7U;
    uint32_t life = (uint32_t)(event->b >> 8U);
    uint64_t code = FENCE_CODE_OK;

    if (fate == FATE_FAILS) {
        code = 1;
    } else if (action == FENCE_ACTION_STATUS) {
        code = is_on(world, host, device) ? FENCE_CODE_OK : FENCE_CODE_OFF;
    } else if (fate != FATE_LIES) {
        switch_off(world, host, device);
    }
    if (fate != FATE_SILENT && world->processes[supervisor_process(host)].life == life) {
        uint64_t late_us = fault_strikes(world, FAULT_FENCE_LATE, 4)
                               ? prng_range(&world->fence_prng, 50, 3000)
                               : 0;

        world_at(world, prng_range(&world->fence_prng, 5, 80) * MS_US + late_us * MS_US,
                 (struct event){.fn = answered,
                                .process = supervisor_process(host),
                                .host = host->index,
                                .a = event->a,
                                .b = code});
    }
}

static void ask(struct world *world, struct host *host, const struct fence_effect *effect)
{
    uint64_t delay_us = prng_range(&world->fence_prng, 10, 150) * MS_US;
    enum fate fate = FATE_GOOD;
    uint64_t life = world->processes[supervisor_process(host)].life;

    if (fault_strikes(world, FAULT_FENCE_LOSE, 5)) {
        fate = prng_once_in(&world->fence_prng, 2) ? FATE_FAILS : FATE_SILENT;
    } else if (effect->ask.action == FENCE_ACTION_OFF && fault_strikes(world, FAULT_FENCE_LIE, 2)) {
        fate = FATE_LIES;
    }
    if (fault_strikes(world, FAULT_FENCE_LATE, 4)) {
        delay_us += prng_range(&world->fence_prng, 100, 4000) * MS_US;
    }
    world_at(world, delay_us,
             (struct event){.fn = execute,
                            .process = PROCESS_WORLD,
                            .host = host->index,
                            .a = effect->ask.number,
                            .b = (uint64_t)fate | (uint64_t)effect->ask.action << 3U |
                                 (uint64_t)effect->ask.device << 4U | life << 8U});
}

/* ---- the core ---- */

static void timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct fence_event tick = {.type = FENCE_EVENT_TICK};

    if (host->supervisor.running && event->a == host->supervisor.fence_timer) {
        feed(world, host, &tick);
    }
}

static void arm(struct world *world, struct host *host)
{
    host->supervisor.fence_timer++;
    world_at(world, clock_until(world, host, fence_deadline_ms(&host->supervisor.fence)) + MS_US,
             (struct event){.fn = timer,
                            .process = supervisor_process(host),
                            .host = host->index,
                            .a = host->supervisor.fence_timer});
}

/* The word: true when it is given, or when that host has lost its power since this one lost it. */
static void give_word(struct world *world, struct host *host)
{
    const struct host *peer = host_peer(world, host);

    TRACE(world, "host %u: fence: the other host is off", host->number);
    world->totals.fence_words++;
    if (peer->powered && peer->power_life == host->fence_life) {
        check_fail(world, "E fence", "host %u is said to be off and was on all the time",
                   peer->number);
    }
    manual_word(world, host);
}

static void tell(struct world *world, struct host *host)
{
    static const enum failover_fence hows[] = {
        [FENCE_READY] = FAILOVER_FENCE_READY,     [FENCE_TROUBLE] = FAILOVER_FENCE_TROUBLE,
        [FENCE_RUNNING] = FAILOVER_FENCE_RUNNING, [FENCE_FAILED] = FAILOVER_FENCE_FAILED,
        [FENCE_DONE] = FAILOVER_FENCE_READY,      [FENCE_WAITING] = FAILOVER_FENCE_WAITING,
    };
    const struct fence *fence = &host->supervisor.fence;
    struct failover_event event = {.type = FAILOVER_EVENT_FENCE};

    TRACE(world, "host %u: fence: %s %s", host->number, fence_phase_word(fence->phase),
          fence->reason);
    world->totals.fence_fails += fence->phase == FENCE_FAILED ? 1 : 0;
    event.u.fence.how = hows[fence->phase];
    memcpy(event.u.fence.reason, fence->reason, sizeof fence->reason);
    supervisor_feed(world, host, &event);
}

static void carry_out(struct world *world, struct host *host, const struct fence_effect *effect)
{
    switch (effect->type) {
    case FENCE_EFFECT_CANCEL:
        break; /* what is under way may be done all the same, and answered */
    case FENCE_EFFECT_ASK:
        TRACE(world, "host %u: fence: asks %s %s", host->number,
              world->fence_options.devices[effect->ask.device],
              fence_action_word(effect->ask.action));
        ask(world, host, effect);
        break;
    case FENCE_EFFECT_OFF:
        give_word(world, host);
        break;
    case FENCE_EFFECT_TELL:
        tell(world, host);
        break;
    }
}

static void feed(struct world *world, struct host *host, struct fence_event *event)
{
    uint32_t life = world->processes[supervisor_process(host)].life;
    struct fence_effects effects;

    event->now_ms = clock_boot(world, host);
    fence_step(&host->supervisor.fence, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        if (!world->failed && world->processes[supervisor_process(host)].life == life) {
            carry_out(world, host, &effects.items[i]);
        }
    }
    if (world->processes[supervisor_process(host)].life == life) {
        arm(world, host);
    }
}

void sim_fence_start(struct world *world, struct host *host)
{
    if (world->fence) {
        fence_init(&host->supervisor.fence, &world->fence_options);
        host->fence_life = host_peer(world, host)->power_life;
        arm(world, host);
    }
}

void sim_fence_link(struct world *world, struct host *host, bool up)
{
    struct fence_event event = {.type = FENCE_EVENT_LINK, .u.up = up};

    if (!world->fence || !host->supervisor.running || host->supervisor.fence.up == up) {
        return;
    }
    host->fence_life = host_peer(world, host)->power_life;
    feed(world, host, &event);
}

void sim_fence_leaving(struct world *world, struct host *host)
{
    struct fence_event event = {.type = FENCE_EVENT_LEAVING};

    if (world->fence && host->supervisor.running && host->supervisor.fence.up) {
        feed(world, host, &event);
    }
}

void sim_fence_want(struct world *world, struct host *host, bool on, bool leads)
{
    struct fence_event event = {.type = FENCE_EVENT_WANT, .u.want = {.on = on, .leads = leads}};

    ASSERT(world->fence);
    TRACE(world, "host %u: fence: %s", host->number, on ? "wanted" : "not wanted");
    feed(world, host, &event);
}

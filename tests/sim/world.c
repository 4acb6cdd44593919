/* SPDX-License-Identifier: Apache-2.0 */
/* world.c: the queue of events, the processes that they are meant for, clocks, and the trace.
 * Owns the order of everything: equal seeds give equal orders. Never knows what an event means. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void heap_push(struct world *world, const struct event *event)
{
    size_t at = world->heap_count++;

    if (at == world->heap_room) {
        world->heap_room = world->heap_room == 0 ? 1024 : world->heap_room * 2;
        world->heap = realloc(world->heap, world->heap_room * sizeof *world->heap);
        ASSERT(world->heap != NULL);
    }
    while (at > 0 && before(event, &world->heap[(at - 1) / 2])) {
        world->heap[at] = world->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->heap[at] = *event;
}

static struct event heap_pop(struct world *world)
{
    struct event top = world->heap[0];
    struct event moved = world->heap[--world->heap_count];
    size_t at = 0;
    size_t next = 1;

    while (next < world->heap_count) {
        if (next + 1 < world->heap_count && before(&world->heap[next + 1], &world->heap[next])) {
            next++;
        }
        if (!before(&world->heap[next], &moved)) {
            break;
        }
        world->heap[at] = world->heap[next];
        at = next;
        next = 2 * at + 1;
    }
    world->heap[at] = moved;
    return top;
}

void world_at(struct world *world, uint64_t delay_us, struct event event)
{
    event.at_us = world->now_us + delay_us;
    event.order = ++world->order;
    event.life = world->processes[event.process].life;
    heap_push(world, &event);
}

static void defer(struct process_state *process, const struct event *event)
{
    if (process->deferred_count == process->deferred_room) {
        process->deferred_room = process->deferred_room == 0 ? 64 : process->deferred_room * 2;
        process->deferred =
            realloc(process->deferred, process->deferred_room * sizeof *process->deferred);
        ASSERT(process->deferred != NULL);
    }
    process->deferred[process->deferred_count++] = *event;
}

bool world_step(struct world *world)
{
    struct process_state *process;
    struct event event;

    if (world->heap_count == 0) {
        return false;
    }
    event = heap_pop(world);
    ASSERT(event.at_us >= world->now_us);
    world->now_us = event.at_us;
    process = &world->processes[event.process];
    if (event.life != process->life) {
        free(event.data);
    } else if (process->paused) {
        defer(process, &event);
    } else {
        world->totals.events++;
        world_hash(world, event.at_us ^ (uint64_t)event.process << 56 ^ event.order << 32);
        event.fn(world, &event);
        free(event.data);
    }
    return true;
}

void process_pause(struct world *world, enum process process)
{
    world->processes[process].paused = true;
}

void process_resume(struct world *world, enum process process)
{
    struct process_state *state = &world->processes[process];

    state->paused = false;
    for (size_t i = 0; i < state->deferred_count; i++) {
        struct event event = state->deferred[i];

        event.at_us = world->now_us;
        event.order = ++world->order;
        heap_push(world, &event);
    }
    state->deferred_count = 0;
}

void process_end(struct world *world, enum process process)
{
    struct process_state *state = &world->processes[process];

    for (size_t i = 0; i < state->deferred_count; i++) {
        free(state->deferred[i].data);
    }
    state->deferred_count = 0;
    state->paused = false;
    state->life++;
}

void world_hash(struct world *world, uint64_t value)
{
    world->hash = prng_mix(world->hash * 31 + value);
}

void world_trace(struct world *world, const char *format, ...)
{
    char *line = world->lines[world->line_count++ % TRACE_LINE_COUNT];
    int size = snprintf(line, TRACE_LINE_SIZE, "%9.3f ", (double)world->now_us / 1000.0);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line + size, TRACE_LINE_SIZE - (size_t)size, format, args); /* cut is fine */
    va_end(args);
    if (world->options.print) {
        (void)puts(line);
    }
}

void world_dump(const struct world *world)
{
    uint64_t first =
        world->line_count > TRACE_LINE_COUNT ? world->line_count - TRACE_LINE_COUNT : 0;

    if (world->lines == NULL || world->options.print) {
        return;
    }
    for (uint64_t i = first; i < world->line_count; i++) {
        (void)printf("%s\n", world->lines[i % TRACE_LINE_COUNT]);
    }
}

/* ---- clocks ---- */

uint64_t clock_boot_us(const struct world *world, const struct host *host)
{
    const struct host_clock *clock = &host->clock;

    return clock->boot_us + (world->now_us - clock->base_us) * clock->rate_permille / 1000;
}

uint64_t clock_boot(const struct world *world, const struct host *host)
{
    return clock_boot_us(world, host) / 1000;
}

uint64_t clock_wall(const struct world *world, const struct host *host)
{
    return (uint64_t)((int64_t)(world->now_us / 1000) + 1000000 + host->clock.wall_ahead_ms);
}

uint64_t clock_until(const struct world *world, const struct host *host, uint64_t boot_ms)
{
    uint64_t now_us = clock_boot_us(world, host);
    uint64_t wanted_us = boot_ms > UINT64_MAX / 2000 ? UINT64_MAX / 2 : boot_ms * 1000;
    uint64_t delay_us = wanted_us > now_us ? wanted_us - now_us : 0;

    if (host->clock.rate_permille == 0 || delay_us > 3600 * SECOND_US) {
        return SECOND_US; /* looked at again then */
    }
    return delay_us * 1000 / host->clock.rate_permille + 100;
}

/* ---- the whole ---- */

static void fill(void *arg, void *bytes, size_t size)
{
    struct world *world = arg;
    uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)prng_next(&world->prng);
    }
}

void world_init(struct world *world, const struct sim_options *options)
{
    memset(world, 0, sizeof *world);
    world->options = *options;
    world->prng = prng_of(options->seed, 1);
    world->more = prng_of(options->seed, 2);
    world->rng = (struct rng){.fill = fill, .arg = world};
    world->now_us = SECOND_US;
    rng_fill(&world->rng, world->cluster_id, sizeof world->cluster_id);
    world->checker = checker_new();
    if (options->trace) {
        world->lines = calloc(TRACE_LINE_COUNT, sizeof *world->lines);
        ASSERT(world->lines != NULL);
    }
    for (uint8_t i = 0; i < 2; i++) {
        struct host *host = &world->hosts[i];

        host->index = i;
        host->number = (uint8_t)(i + 1);
        vault_init(&host->vault, &world->prng);
        host->clock.rate_permille = 1000;
        host->supervisor.core = calloc(1, failover_size());
        host->child.engine.core = calloc(1, replica_size());
        host->child.engine.kept = calloc(KEPT_COUNT, sizeof *host->child.engine.kept);
        ASSERT(host->supervisor.core != NULL && host->child.engine.core != NULL);
        ASSERT(host->child.engine.kept != NULL);
    }
}

void world_done(struct world *world)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct host *host = &world->hosts[i];

        engine_close(&host->child.engine);
        vault_done(&host->vault);
        free(host->supervisor.core);
        free(host->child.engine.core);
        free(host->child.engine.kept);
        for (size_t j = 0; j < world->link.waiting_count[i]; j++) {
            free(world->link.waiting[i][j].data);
        }
        free(world->link.waiting[i]);
    }
    for (size_t i = 0; i < PROCESS_COUNT; i++) {
        process_end(world, (enum process)i);
        free(world->processes[i].deferred);
    }
    for (size_t i = 0; i < world->heap_count; i++) {
        free(world->heap[i].data);
    }
    free(world->heap);
    checker_free(world->checker);
    free(world->lines);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* manual.c: the arbiter that both hosts keep (rule E): the production core
 * supervisor/arbiter/mirror.c with a copy on each host's disk, messages over the pair link, and the
 * operator's word. A copy is durable some time after it was asked for, and its supervisor may end
 * before. Owns when messages arrive. What is stored first on either host is in the register: the
 * other one finds it there. Never decides what counts. The operator gives his word only when the
 * other host is off; he says it again. */
#include "tests/sim/manual.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void step(struct world *world, struct host *host, struct mirror_event *event);

/* ---- what is in the register ---- */

static bool was_written(const struct sim_arbiter *arbiter, const struct register_value *value)
{
    for (uint32_t i = 0; i < arbiter->history_count; i++) {
        if (register_equal(&arbiter->history[i], value)) {
            return true;
        }
    }
    return false;
}

/* A new value is made of what its first holder had, be it durable there or not yet: by the
 * operator's word that may be another one than what counts, on the other host. */
static void write_new(struct world *world,
                      const struct host *host,
                      const struct mirror_copy *copy,
                      const struct mirror_copy *base)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    checker_register_void(world, base->present ? &base->value : NULL);
    checker_register(world, copy->value.primary, &copy->value);
    ASSERT(arbiter->history_count < ARBITER_HISTORY_MAX);
    arbiter->revisions[arbiter->history_count] = mirror_revision(copy);
    arbiter->incarnations[arbiter->history_count] =
        world->hosts[copy->value.primary - 1].supervisor.change_incarnation;
    arbiter->history[arbiter->history_count++] = copy->value;
    TRACE(world, "MIRROR: host %u: epoch %llu primary %u isr {%s%s} rev %llx", host->number,
          (unsigned long long)copy->value.epoch, copy->value.primary,
          copy->value.isr[0].present ? "1" : "", copy->value.isr[1].present ? "2" : "",
          (unsigned long long)mirror_revision(copy));
}

/* By the operator's word this copy is the register: what is later on its line is of no account. */
static void take_back(struct world *world, const struct mirror_copy *copy)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    for (uint32_t i = 0; i < arbiter->history_count; i++) {
        const struct register_value *value = &arbiter->history[i];

        if (register_equal(value, &copy->value)) {
            arbiter->voids[i] = false;
        } else if (value->epoch >= copy->value.epoch) {
            arbiter->voids[i] = true;
        }
    }
    checker_register_chosen(world, &copy->value);
}

/* The highest copy is the register: what the other host has accepted before it was off, and nobody
 * knows of, is void by the operator's word, until that host is given it too. */
static void store(struct world *world,
                  struct host *host,
                  const struct mirror_copy *copy,
                  const struct mirror_copy *base)
{
    struct sim_arbiter *arbiter = &world->arbiter;
    uint64_t revision = mirror_revision(copy);
    struct register_value current;

    if (copy->present && !was_written(arbiter, &copy->value)) {
        write_new(world, host, copy, base);
    }
    host->copy = *copy;
    if (!copy->present || world->failed) {
        return;
    }
    if (revision > arbiter->revision) {
        if (copy->raised) {
            take_back(world, copy);
        }
        register_format(&copy->value, arbiter->text);
        arbiter->exists = true;
        arbiter->revision = revision;
        arbiter->head = revision;
    }
    if (arbiter_value(world, &current)) {
        checker_register_void(world, &current);
    }
    checker_step(world);
}

/* ---- messages ---- */

static void arrive(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct mirror_event message = {.type = MIRROR_EVENT_MESSAGE,
                                   .u.message = span_of(event->data, event->size)};

    if (host->supervisor.running && host->child.link_connection == event->a) {
        step(world, host, &message);
    }
}

static uint64_t delay_us(struct world *world)
{
    uint64_t late_us =
        fault_strikes(world, FAULT_ARBITER_LATE, 5) ? prng_range(&world->more, 100, 900) : 0;

    return prng_range(&world->more, 200, 4000) + late_us * MS_US;
}

/* In order, as all that goes over the pair link, and only on the connection on which it was said.
 */
static void send(struct world *world, struct host *host, const uint8_t *bytes, size_t size)
{
    struct host *peer = host_peer(world, host);
    uint64_t at_us = world->now_us + delay_us(world);
    uint64_t connection = host->child.link_connection;
    uint8_t *copy;

    if (connection == 0 || peer->child.link_connection != connection ||
        world->link.ways[host->index].blocked) {
        return;
    }
    copy = malloc(size);
    ASSERT(copy != NULL);
    memcpy(copy, bytes, size);
    at_us = at_us > host->mirror_us ? at_us : host->mirror_us;
    host->mirror_us = at_us;
    world_at(world, at_us - world->now_us,
             (struct event){.fn = arrive,
                            .process = supervisor_process(peer),
                            .host = peer->index,
                            .a = connection,
                            .data = copy,
                            .size = size});
}

/* ---- requests ---- */

static void answer(struct world *world, struct host *host, const struct mirror_effect *effect)
{
    bool cas = effect->u.answer.request == ARBITER_CAS;

    arbiter_answer(world, host, cas, &effect->u.answer.answer);
}

static void timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct mirror_event tick = {.type = MIRROR_EVENT_TICK};

    if (host->supervisor.running && event->a == host->supervisor.mirror_timer) {
        step(world, host, &tick);
    }
}

static void arm(struct world *world, struct host *host)
{
    uint64_t deadline_ms = mirror_deadline_ms(&host->supervisor.mirror);

    host->supervisor.mirror_timer++;
    if (deadline_ms != UINT64_MAX) {
        world_at(world, clock_until(world, host, deadline_ms) + MS_US,
                 (struct event){.fn = timer,
                                .process = supervisor_process(host),
                                .host = host->index,
                                .a = host->supervisor.mirror_timer});
    }
}

/* ---- make durable, then speak ---- */

/* What may be said now. */
static void say(struct world *world, struct host *host)
{
    uint32_t life = world->processes[supervisor_process(host)].life;
    struct mirror_effect effect;

    while (!world->failed && world->processes[supervisor_process(host)].life == life &&
           mirror_queue_take(&host->supervisor.mirror_queue, &effect)) {
        if (effect.type == MIRROR_EFFECT_SEND) {
            send(world, host, effect.u.message.bytes, effect.u.message.size);
        } else {
            answer(world, host, &effect);
        }
    }
}

static void saved(struct world *world, struct event *event);

/* As the keeper's thread: the newest, when the one before it is durable. */
static void save(struct world *world, struct host *host)
{
    struct supervisor *supervisor = &host->supervisor;
    struct prng *prng = &world->more;
    uint64_t delay_us =
        prng_once_in(prng, 8) ? prng_range(prng, 5, 400) * MS_US : prng_range(prng, 50, 3000);

    if (supervisor->mirror_saving_number != 0 ||
        supervisor->mirror_queue.asked == supervisor->mirror_queue.saved) {
        return;
    }
    supervisor->mirror_saving = supervisor->mirror_next;
    supervisor->mirror_saving_base = supervisor->mirror_base;
    supervisor->mirror_saving_number = supervisor->mirror_queue.asked;
    world_at(world, delay_us + host->disk_slow_us,
             (struct event){.fn = saved, .process = supervisor_process(host), .host = host->index});
}

static void saved(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct supervisor *supervisor = &host->supervisor;

    if (!supervisor->running || supervisor->mirror_saving_number == 0) {
        return;
    }
    store(world, host, &supervisor->mirror_saving, &supervisor->mirror_saving_base);
    supervisor->mirror_queue.saved = supervisor->mirror_saving_number;
    supervisor->mirror_saving_number = 0;
    save(world, host);
    say(world, host);
}

void manual_end(struct world *world, struct host *host)
{
    struct supervisor *supervisor = &host->supervisor;

    if (supervisor->mirror_saving_number != 0 && prng_once_in(&world->more, 2)) {
        store(world, host, &supervisor->mirror_saving, &supervisor->mirror_saving_base);
    }
    supervisor->mirror_saving_number = 0;
}

static bool same_value(const struct mirror_copy *a, const struct mirror_copy *b)
{
    return a->present == b->present && (!a->present || register_equal(&a->value, &b->value));
}

/* Of copies that follow each other fast only the last one becomes durable. */
static void save_later(struct world *world, struct host *host, const struct mirror_copy *copy)
{
    struct supervisor *supervisor = &host->supervisor;

    if (!same_value(&supervisor->mirror_next, copy)) {
        supervisor->mirror_base = supervisor->mirror_next;
    }
    supervisor->mirror_next = *copy;
    supervisor->mirror_queue.asked++;
    save(world, host);
}

static void step(struct world *world, struct host *host, struct mirror_event *event)
{
    struct supervisor *supervisor = &host->supervisor;
    struct mirror_effects effects;

    event->now_ms = clock_boot(world, host);
    mirror_step(&host->supervisor.mirror, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        const struct mirror_effect *effect = &effects.items[i];

        if (effect->type == MIRROR_EFFECT_STORE) {
            save_later(world, host, &effect->u.copy);
        } else if (effect->type == MIRROR_EFFECT_SEND || effect->type == MIRROR_EFFECT_ANSWER) {
            mirror_queue_put(&supervisor->mirror_queue, effect);
        } else if (effect->u.problem[0] != '\0') {
            TRACE(world, "host %u: mirror: %s", host->number, effect->u.problem);
        }
    }
    say(world, host);
    arm(world, host);
}

void manual_start(struct world *world, struct host *host)
{
    struct mirror_options options = {.host = host->number,
                                     .incarnation = prng_next(&world->more) | 1,
                                     .timeout_ms = 600,
                                     .copy = host->copy};

    mirror_init(&host->supervisor.mirror, &options);
    host->supervisor.mirror_next = host->copy; /* nothing is on its way */
}

void manual_link(struct world *world, struct host *host, bool up)
{
    struct mirror_event event = {.type = MIRROR_EVENT_LINK, .u.up = up};

    if (host->supervisor.running && host->supervisor.mirror.up != up) {
        mirror_queue_link(&host->supervisor.mirror_queue);
        step(world, host, &event);
    }
}

void manual_read(struct world *world, struct host *host)
{
    struct mirror_event event = {.type = MIRROR_EVENT_READ};

    step(world, host, &event);
}

void manual_cas(struct world *world, struct host *host, const struct failover_cas *swap)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CAS,
                                 .u.cas = {.value = swap->value, .revision = swap->revision}};

    step(world, host, &event);
}

void manual_word(struct world *world, struct host *host)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CONFIRM_OFF};

    step(world, host, &event);
    supervisor_command(world, host, FAILOVER_PEER_OFF);
}

void manual_confirm(struct world *world, struct host *host)
{
    if (host->supervisor.running && !host_peer(world, host)->powered &&
        !world->processes[supervisor_process(host)].paused) {
        TRACE(world, "host %u: the operator: the other host is off", host->number);
        manual_word(world, host);
    }
}

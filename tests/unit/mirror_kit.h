/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_kit.h: two mirrors on a bench, their durable copies and the link between them, for
 * test_mirror*.c. */
#ifndef TESTS_UNIT_MIRROR_KIT_H
#define TESTS_UNIT_MIRROR_KIT_H

#include "supervisor/arbiter/mirror.h"

#include <CUnit/CUnit.h>
#include <string.h>

#define TIMEOUT_MS  1000U
#define QUEUE_COUNT 64U

struct packet {
    size_t size;
    uint8_t bytes[MIRROR_MESSAGE_SIZE_MAX];
};

struct host {
    struct mirror mirror;
    struct mirror_copy disk;
    struct packet inbox[QUEUE_COUNT];
    size_t inbox_count;
    bool read_answered;
    bool cas_answered;
    struct failover_answer read;
    struct failover_answer cas;
    const char *problem;
};

struct world {
    struct host hosts[2];
    uint64_t now_ms;
    uint64_t incarnations;
    bool up;
};

static inline void
carry_out(struct world *world, unsigned int at, const struct mirror_effects *effects)
{
    struct host *host = &world->hosts[at];
    struct host *other = &world->hosts[1 - at];

    for (size_t i = 0; i < effects->count; i++) {
        const struct mirror_effect *effect = &effects->items[i];

        switch (effect->type) {
        case MIRROR_EFFECT_STORE:
            host->disk = effect->u.copy;
            break;
        case MIRROR_EFFECT_SEND:
            if (world->up && other->inbox_count < QUEUE_COUNT) {
                other->inbox[other->inbox_count].size = effect->u.message.size;
                memcpy(other->inbox[other->inbox_count].bytes, effect->u.message.bytes,
                       effect->u.message.size);
                other->inbox_count++;
            }
            break;
        case MIRROR_EFFECT_ANSWER:
            if (effect->u.answer.request == ARBITER_READ) {
                host->read_answered = true;
                host->read = effect->u.answer.answer;
            } else {
                host->cas_answered = true;
                host->cas = effect->u.answer.answer;
            }
            break;
        case MIRROR_EFFECT_PROBLEM:
            host->problem = effect->u.problem;
            break;
        }
    }
}

static inline void step(struct world *world, unsigned int at, struct mirror_event *event)
{
    struct mirror_effects effects;

    event->now_ms = world->now_ms;
    mirror_step(&world->hosts[at].mirror, event, &effects);
    carry_out(world, at, &effects);
}

static inline void start(struct world *world, unsigned int at)
{
    struct mirror_options options = {.host = (uint8_t)(at + 1),
                                     .incarnation = ++world->incarnations,
                                     .timeout_ms = TIMEOUT_MS,
                                     .copy = world->hosts[at].disk};

    mirror_init(&world->hosts[at].mirror, &options);
    world->hosts[at].inbox_count = 0;
    world->hosts[at].problem = "";
}

static inline void set_link(struct world *world, bool up)
{
    struct mirror_event event = {.type = MIRROR_EVENT_LINK, .u.up = up};

    world->up = up;
    world->hosts[0].inbox_count = 0;
    world->hosts[1].inbox_count = 0;
    step(world, 0, &event);
    step(world, 1, &event);
}

/* The first message in the inbox. */
static inline void deliver(struct world *world, unsigned int at)
{
    struct host *host = &world->hosts[at];
    struct packet packet = host->inbox[0];
    struct mirror_event event = {.type = MIRROR_EVENT_MESSAGE,
                                 .u.message = span_of(packet.bytes, packet.size)};

    host->inbox_count--;
    memmove(host->inbox, host->inbox + 1, host->inbox_count * sizeof(host->inbox[0]));
    step(world, at, &event);
}

static inline void settle(struct world *world)
{
    for (unsigned int i = 0;
         i < 100 && world->hosts[0].inbox_count + world->hosts[1].inbox_count > 0; i++) {
        deliver(world, world->hosts[0].inbox_count > 0 ? 0 : 1);
    }
}

static inline struct register_value
next_value(const struct world *world, unsigned int at, uint64_t nonce)
{
    const struct mirror_copy *copy = &world->hosts[at].mirror.copy;
    struct register_value value = {.lineage = 1,
                                   .epoch = copy->present ? copy->value.epoch + 1 : 1,
                                   .nonce = nonce,
                                   .primary = (uint8_t)(at + 1)};

    memset(value.cluster_id, 0xc1, REGISTER_ID_SIZE);
    value.isr[at].present = true;
    memset(value.isr[at].store_id, 0xa0 + (int)at, REGISTER_ID_SIZE);
    return value;
}

static inline void
begin_change(struct world *world, unsigned int at, const struct register_value *value)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CAS, .u.cas.value = *value};

    event.u.cas.revision = mirror_revision(&world->hosts[at].mirror.copy);
    world->hosts[at].cas_answered = false;
    step(world, at, &event);
}

static inline void
begin_cas_of(struct world *world, unsigned int at, uint64_t nonce, uint64_t lineage)
{
    struct register_value value = next_value(world, at, nonce);

    value.lineage = lineage;
    begin_change(world, at, &value);
}

/* With both hosts in the ISR. */
static inline void begin_addition(struct world *world, unsigned int at, uint64_t nonce)
{
    struct register_value value = next_value(world, at, nonce);

    value.isr[1 - at].present = true;
    memset(value.isr[1 - at].store_id, 0xa0 + (int)(1 - at), REGISTER_ID_SIZE);
    begin_change(world, at, &value);
}

static inline void begin_cas(struct world *world, unsigned int at, uint64_t nonce)
{
    begin_cas_of(world, at, nonce, 1);
}

static inline void begin_read(struct world *world, unsigned int at)
{
    struct mirror_event event = {.type = MIRROR_EVENT_READ};

    world->hosts[at].read_answered = false;
    step(world, at, &event);
}

static inline void confirm_off(struct world *world, unsigned int at)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CONFIRM_OFF};

    step(world, at, &event);
}

static inline void pass(struct world *world, uint64_t ms)
{
    struct mirror_event event = {.type = MIRROR_EVENT_TICK};

    world->now_ms += ms;
    step(world, 0, &event);
    step(world, 1, &event);
}

/* Two hosts that know each other, with a register of epoch 1. */
static inline void begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    start(world, 0);
    start(world, 1);
    begin_cas(world, 0, 100);
    CU_ASSERT_EQUAL(world->hosts[0].cas.outcome, FAILOVER_DONE);
    set_link(world, true);
    settle(world);
    CU_ASSERT(world->hosts[1].disk.present);
}

#endif

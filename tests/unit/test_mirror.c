/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror.c: proves supervisor/mirror: two copies are one register.
 * Owns two mirrors, their durable copies and the link between them; one case draws its schedule
 * from a seed. Never opens a file or a socket. */
#include "supervisor/mirror.h"
#include "tests/unit/unit.h"

#include <stdio.h>
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

static void carry_out(struct world *world, unsigned int at, const struct mirror_effects *effects)
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

static void step(struct world *world, unsigned int at, struct mirror_event *event)
{
    struct mirror_effects effects;

    event->now_ms = world->now_ms;
    mirror_step(&world->hosts[at].mirror, event, &effects);
    carry_out(world, at, &effects);
}

static void start(struct world *world, unsigned int at)
{
    struct mirror_options options = {.host = (uint8_t)(at + 1),
                                     .incarnation = ++world->incarnations,
                                     .timeout_ms = TIMEOUT_MS,
                                     .copy = world->hosts[at].disk};

    mirror_init(&world->hosts[at].mirror, &options);
    world->hosts[at].inbox_count = 0;
    world->hosts[at].problem = "";
}

static void set_link(struct world *world, bool up)
{
    struct mirror_event event = {.type = MIRROR_EVENT_LINK, .u.up = up};

    world->up = up;
    world->hosts[0].inbox_count = 0;
    world->hosts[1].inbox_count = 0;
    step(world, 0, &event);
    step(world, 1, &event);
}

/* The first message in the inbox. */
static void deliver(struct world *world, unsigned int at)
{
    struct host *host = &world->hosts[at];
    struct packet packet = host->inbox[0];
    struct mirror_event event = {.type = MIRROR_EVENT_MESSAGE,
                                 .u.message = span_of(packet.bytes, packet.size)};

    host->inbox_count--;
    memmove(host->inbox, host->inbox + 1, host->inbox_count * sizeof(host->inbox[0]));
    step(world, at, &event);
}

static void settle(struct world *world)
{
    for (unsigned int i = 0;
         i < 100 && world->hosts[0].inbox_count + world->hosts[1].inbox_count > 0; i++) {
        deliver(world, world->hosts[0].inbox_count > 0 ? 0 : 1);
    }
}

static void begin_cas(struct world *world, unsigned int at, uint64_t nonce)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CAS};
    struct register_value *value = &event.u.cas.value;
    const struct mirror_copy *copy = &world->hosts[at].mirror.copy;

    *value = (struct register_value){.lineage = 1,
                                     .epoch = copy->present ? copy->value.epoch + 1 : 1,
                                     .nonce = nonce,
                                     .primary = (uint8_t)(at + 1)};
    memset(value->cluster_id, 0xc1, REGISTER_ID_SIZE);
    value->isr[at].present = true;
    memset(value->isr[at].store_id, 0xa0 + (int)at, REGISTER_ID_SIZE);
    event.u.cas.revision = mirror_revision(copy);
    world->hosts[at].cas_answered = false;
    step(world, at, &event);
}

static void begin_read(struct world *world, unsigned int at)
{
    struct mirror_event event = {.type = MIRROR_EVENT_READ};

    world->hosts[at].read_answered = false;
    step(world, at, &event);
}

static void confirm_off(struct world *world, unsigned int at)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CONFIRM_OFF};

    step(world, at, &event);
}

static void pass(struct world *world, uint64_t ms)
{
    struct mirror_event event = {.type = MIRROR_EVENT_TICK};

    world->now_ms += ms;
    step(world, 0, &event);
    step(world, 1, &event);
}

/* Two hosts that know each other, with a register of epoch 1. */
static void begin(struct world *world)
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

static void the_first_register_is_made_by_one_and_taken_by_the_other(void)
{
    struct world world;

    begin(&world);
    CU_ASSERT(register_equal(&world.hosts[0].disk.value, &world.hosts[1].disk.value));
    begin_read(&world, 1);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].read.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[1].read.value.nonce, 100);
}

static void a_change_is_on_both_hosts_before_it_is_done(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    CU_ASSERT_FALSE(world.hosts[0].cas_answered);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.epoch, 1);
    deliver(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 7);
    CU_ASSERT_FALSE(world.hosts[0].cas_answered);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
}

static void without_the_other_host_nothing_is_read_or_changed(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    begin_read(&world, 0);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    begin_cas(&world, 0, 7);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.epoch, 1);
}

static void a_change_whose_answer_is_lost_is_unknown_and_found_by_its_nonce(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* accepted there */
    set_link(&world, false);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.value.nonce, 7);
}

static void of_two_proposals_at_once_one_is_done(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    begin_cas(&world, 1, 8);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_CONFLICT);
    CU_ASSERT_EQUAL(world.hosts[1].cas.value.nonce, 7);
    CU_ASSERT(register_equal(&world.hosts[0].disk.value, &world.hosts[1].disk.value));
}

static void a_proposal_of_an_earlier_life_is_not_accepted(void)
{
    struct world world;
    struct packet late;

    begin(&world);
    begin_cas(&world, 0, 7);
    late = world.hosts[1].inbox[0];
    start(&world, 0); /* host 1 restarts and has forgotten what it proposed */
    set_link(&world, true);
    settle(&world);
    begin_cas(&world, 1, 8);
    world.hosts[1].inbox[world.hosts[1].inbox_count++] = late;
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 8);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 8);
}

static void the_operators_word_makes_one_copy_the_register(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 1);
    begin_read(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[1].read.outcome, FAILOVER_DONE);
    begin_cas(&world, 1, 9);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_DONE);
    set_link(&world, true); /* the other one comes back, and takes what it finds */
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 9);
    set_link(&world, false); /* the confirmation has ended with its return */
    begin_cas(&world, 1, 10);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_REFUSED);
}

static void an_accepted_proposal_gives_way_to_the_operators_word(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* host 2 has accepted, host 1 does not know */
    set_link(&world, false);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 11);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 11);
    CU_ASSERT_STRING_EQUAL(world.hosts[1].problem, "");
}

static void the_other_of_a_split_pair_is_not_off_while_it_answers(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    confirm_off(&world, 1);
    begin_cas(&world, 0, 21);
    begin_cas(&world, 1, 22);
    set_link(&world, true);
    settle(&world);
    confirm_off(&world, 0);
    CU_ASSERT_STRING_EQUAL(world.hosts[0].problem, "the other host answers: it is not off");
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 21);
}

static void two_hosts_changed_alone_wait_for_the_operator(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    confirm_off(&world, 1);
    begin_cas(&world, 0, 21);
    begin_cas(&world, 1, 22);
    set_link(&world, true);
    settle(&world);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_STRING_NOT_EQUAL(world.hosts[0].problem, "");
    set_link(&world, false);
    confirm_off(&world, 1);
    set_link(&world, true);
    settle(&world);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.value.nonce, 22);
}

static void a_host_that_answers_is_not_off(void)
{
    struct world world;

    begin(&world);
    confirm_off(&world, 0);
    set_link(&world, false);
    begin_cas(&world, 0, 7);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
}

static void silence_ends_a_request(void)
{
    struct world world;

    begin(&world);
    begin_read(&world, 0);
    begin_cas(&world, 0, 7);
    world.hosts[1].inbox_count = 0;
    pass(&world, TIMEOUT_MS - 1);
    CU_ASSERT_FALSE(world.hosts[0].read_answered);
    pass(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
}

static void bytes_that_are_no_message_change_nothing(void)
{
    struct world world;
    uint8_t bytes[64] = {4};
    struct mirror_event event = {.type = MIRROR_EVENT_MESSAGE, .u.message = span_of(bytes, 64)};

    begin(&world);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        event.u.message.size = size;
        step(&world, 0, &event);
    }
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 100);
}

/* ---- Random schedules ---- */

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct history {
    uint64_t done[4096]; /* nonce by epoch that somebody was told is the register's */
    uint64_t newest;     /* highest epoch that was told */
};

/* Every host that is told a register of some epoch is told the same one. */
static bool told(struct history *history, const struct failover_answer *answer)
{
    uint64_t epoch = answer->value.epoch;

    if (answer->outcome != FAILOVER_DONE && answer->outcome != FAILOVER_CONFLICT) {
        return true;
    }
    if (history->done[epoch] != 0 && history->done[epoch] != answer->value.nonce) {
        return false;
    }
    history->done[epoch] = answer->value.nonce;
    history->newest = epoch > history->newest ? epoch : history->newest;
    return true;
}

static bool act(struct world *world, struct history *history, uint64_t *seed, uint64_t turn)
{
    unsigned int at = (unsigned int)(draw(seed) % 2);
    struct host *host = &world->hosts[at];
    bool good = true;

    switch (draw(seed) % 12) {
    case 0:
        set_link(world, draw(seed) % 4 != 0);
        break;
    case 1:
        if (draw(seed) % 4 == 0) {
            start(world, at);
            set_link(world, true);
        }
        break;
    case 2:
        host->inbox_count = host->inbox_count > 0 && draw(seed) % 4 == 0 ? host->inbox_count - 1
                                                                         : host->inbox_count;
        break;
    case 3:
        pass(world, draw(seed) % TIMEOUT_MS);
        break;
    case 4:
        if (!host->mirror.changing && host->mirror.copy.value.epoch < 4000) {
            begin_cas(world, at, turn + 1000);
        }
        break;
    case 5:
        if (!host->mirror.reading) {
            uint64_t newest = history->newest;

            begin_read(world, at);
            settle(world);
            good = !host->read_answered || host->read.outcome != FAILOVER_DONE ||
                   host->read.value.epoch >= newest;
        }
        break;
    default:
        if (host->inbox_count > 0) {
            deliver(world, at);
        }
        break;
    }
    for (unsigned int i = 0; i < 2; i++) {
        good = good && (!world->hosts[i].cas_answered || told(history, &world->hosts[i].cas));
        good = good && (!world->hosts[i].read_answered || told(history, &world->hosts[i].read));
        world->hosts[i].cas_answered = false;
        world->hosts[i].read_answered = false;
    }
    return good;
}

static void whatever_happens_there_is_one_register(void)
{
    static struct history history;
    uint64_t changes = 0;

    for (uint64_t number = 1; number <= 300; number++) {
        struct world world;
        uint64_t seed = number * 0x9e3779b97f4a7c15U;
        bool good = true;

        memset(&history, 0, sizeof(history));
        begin(&world);
        for (uint64_t turn = 0; good && turn < 1500; turn++) {
            good = act(&world, &history, &seed, turn);
        }
        if (!good) {
            printf("\nseed %llu\n", (unsigned long long)number);
        }
        CU_ASSERT(good);
        changes += history.newest;
    }
    CU_ASSERT(changes > 3000); /* or the schedules exercise nothing */
}

UNIT_MAIN("mirror",
          {"the first register is made by one and taken by the other",
           the_first_register_is_made_by_one_and_taken_by_the_other},
          {"a change is on both hosts before it is done",
           a_change_is_on_both_hosts_before_it_is_done},
          {"without the other host nothing is read or changed",
           without_the_other_host_nothing_is_read_or_changed},
          {"a change whose answer is lost is unknown, and found by its nonce",
           a_change_whose_answer_is_lost_is_unknown_and_found_by_its_nonce},
          {"of two proposals at once one is done", of_two_proposals_at_once_one_is_done},
          {"a proposal of an earlier life is not accepted",
           a_proposal_of_an_earlier_life_is_not_accepted},
          {"the operator's word makes one copy the register",
           the_operators_word_makes_one_copy_the_register},
          {"an accepted proposal gives way to the operator's word",
           an_accepted_proposal_gives_way_to_the_operators_word},
          {"two hosts changed alone wait for the operator",
           two_hosts_changed_alone_wait_for_the_operator},
          {"the other of a split pair is not off while it answers",
           the_other_of_a_split_pair_is_not_off_while_it_answers},
          {"a host that answers is not off", a_host_that_answers_is_not_off},
          {"silence ends a request", silence_ends_a_request},
          {"bytes that are no message change nothing", bytes_that_are_no_message_change_nothing},
          {"whatever happens, there is one register", whatever_happens_there_is_one_register})

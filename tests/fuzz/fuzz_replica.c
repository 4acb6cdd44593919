/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_replica.c: one replication core between an executor that does what it is told and a peer
 * that says anything. The input chooses commands, messages, and when the executor answers. Whatever
 * comes: the core's invariants hold, no word is said below the promise or before it is durable,
 * nothing is applied or acknowledged that is not durable, nothing applied is cut. Owns the
 * executor. Never gives an event that no real executor could give. */
#include "tests/fuzz/fuzz_replica.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

uint8_t take(struct world *world)
{
    uint8_t byte;

    if (world->input.left == 0) {
        return 0;
    }
    byte = *world->input.at;
    world->input.at++;
    world->input.left--;
    return byte;
}

static void answer(struct world *world, const struct replica_event *event)
{
    ASSERT(world->answer_count < ANSWER_COUNT_MAX);
    world->answers[world->answer_count] = *event;
    world->answer_count++;
}

static void answer_type(struct world *world, enum replica_event_type type)
{
    struct replica_event event = {.type = type};

    answer(world, &event);
}

/* ---- The log ---- */

static void append(struct world *world, uint64_t epoch, uint8_t salt)
{
    struct record_position record = {.lsn = world->local.last.lsn + 1, .epoch = epoch};

    if (record.lsn >= LOG_COUNT_MAX) {
        world->over = true;
        return;
    }
    record.hash[0] = (uint8_t)record.lsn;
    record.hash[1] = (uint8_t)epoch;
    record.hash[2] = salt;
    world->log[record.lsn] = record;
    world->local.last = record;
}

static void commit_what_is_acknowledged(struct world *world)
{
    uint64_t lsn = world->local.durable.lsn;

    if (world->required && world->lsn_acked < lsn) {
        lsn = world->lsn_acked;
    }
    if (lsn > world->local.lsn_commit) {
        world->local.lsn_commit = lsn;
    }
    if (world->leads) {
        world->local.applied = world->log[world->local.lsn_commit];
    }
}

static void cut(struct world *world, const struct record_position *place)
{
    ASSERT(!world->leads);
    ASSERT(place->lsn >= world->local.applied.lsn);
    ASSERT(place->lsn <= world->local.last.lsn);
    world->local.last = *place;
    world->local.durable = *place;
    world->log[place->lsn] = *place;
    answer_type(world, REPLICA_EVENT_CUT_DONE);
}

/* ---- Effects ---- */

static void check_sent(struct world *world, const struct message *message)
{
    uint64_t epoch;

    ASSERT(world->connected);
    owe_answer(world, message);
    if (message->type == MESSAGE_STATE || message->type == MESSAGE_HELLO) {
        ASSERT(message->u.state.promised == world->promised);
    } else if (message->type == MESSAGE_LEAD || message->type == MESSAGE_HANDOVER) {
        ASSERT(world->begun);
        ASSERT(message->u.lead.epoch == replica_epoch(world->replica));
        ASSERT(message->type == MESSAGE_LEAD || world->local.lsn_commit == world->local.last.lsn);
    } else if (message->type == MESSAGE_ACK || message->type == MESSAGE_FOLLOW ||
               message->type == MESSAGE_ECHO) {
        epoch = message->type == MESSAGE_ECHO ? message->u.ping.epoch : message->u.follow.epoch;
        ASSERT(epoch == world->promised);
        ASSERT(epoch == world->promise_asked);
        ASSERT(message->type == MESSAGE_ECHO ||
               message->u.follow.last.lsn <= world->local.durable.lsn);
    }
}

static void check_report(const struct world *world, const struct replica_report *report)
{
    switch (report->type) {
    case REPLICA_REPORT_SEALED:
        ASSERT(report->u.epoch <= world->promised);
        break;
    case REPLICA_REPORT_LEADING:
        ASSERT(world->local.lsn_commit >= world->epoch_start);
        break;
    case REPLICA_REPORT_ADD:
        ASSERT(world->required);
        ASSERT(report->u.proposal.lsn <= world->local.last.lsn);
        break;
    case REPLICA_REPORT_DRAINED:
        ASSERT(world->local.lsn_commit == world->local.last.lsn);
        break;
    case REPLICA_REPORT_LINK:
    case REPLICA_REPORT_REMOVE:
    case REPLICA_REPORT_DEPOSED:
    case REPLICA_REPORT_TAKE_OVER:
    case REPLICA_REPORT_RESYNC:
        break;
    }
}

static void perform_log(struct world *world, const struct replica_effect *effect)
{
    struct replica_event event = {.type = REPLICA_EVENT_TICK};

    if (effect->type == REPLICA_EFFECT_PROMISE) {
        ASSERT(effect->u.epoch >= world->promise_asked);
        world->promise_asked = effect->u.epoch;
        event.type = REPLICA_EVENT_PROMISED;
        event.u.epoch = effect->u.epoch;
        answer(world, &event);
    } else if (effect->type == REPLICA_EFFECT_BEGIN_EPOCH) {
        ASSERT(effect->u.epoch == world->promised);
        if (!world->leads) {
            world->local.lsn_commit =
                world->required ? world->local.applied.lsn : world->local.durable.lsn;
            world->lsn_acked = 0;
        }
        world->leads = true;
        world->begun = false;
        event.type = REPLICA_EVENT_EPOCH_BEGUN;
        event.u.epoch = effect->u.epoch;
        answer(world, &event);
    } else if (effect->type == REPLICA_EFFECT_FIND) {
        event.type = REPLICA_EVENT_FOUND;
        event.u.found.lsn = effect->u.lsn;
        event.u.found.readable = effect->u.lsn <= world->local.last.lsn && take(world) != 0xff;
        event.u.found.position = world->log[effect->u.lsn % LOG_COUNT_MAX];
        answer(world, &event);
    } else if (effect->type == REPLICA_EFFECT_CUT) {
        cut(world, &effect->u.position);
    } else if (effect->type == REPLICA_EFFECT_APPEND) {
        ASSERT(!world->leads);
        append(world, replica_epoch(world->replica), take(world));
        answer_type(world, REPLICA_EVENT_LOCAL);
    } else {
        ASSERT(effect->type == REPLICA_EFFECT_COMMIT);
        ASSERT(!world->leads);
        ASSERT(effect->u.lsn > world->local.applied.lsn);
        ASSERT(effect->u.lsn <= world->local.durable.lsn);
        world->local.applied = world->log[effect->u.lsn];
    }
}

static void perform_ship(struct world *world, const struct replica_effect *effect)
{
    struct replica_event event = {.type = REPLICA_EVENT_SHIPPED};

    if (effect->type == REPLICA_EFFECT_SNAPSHOT_SEND) {
        event.type = REPLICA_EVENT_SNAPSHOT_SENT;
        event.u.position = world->local.applied;
    } else {
        ASSERT(effect->u.lsn <= world->local.last.lsn);
        event.u.shipped.gone = take(world) == 0xff;
        event.u.shipped.lsn_next = event.u.shipped.gone ? effect->u.lsn : effect->u.lsn + 1;
        owe_ack(world, effect->u.lsn);
    }
    answer(world, &event);
}

static void perform_isr(struct world *world, const struct replica_effect *effect)
{
    if (effect->type == REPLICA_EFFECT_REQUIRE) {
        ASSERT(!world->required);
        world->required = true;
        world->lsn_acked = 0;
        answer_type(world, REPLICA_EVENT_LOCAL);
    } else if (effect->type == REPLICA_EFFECT_UNREQUIRE) {
        ASSERT(world->required);
        world->required = false;
        answer_type(world, REPLICA_EVENT_LOCAL);
    } else if (effect->type == REPLICA_EFFECT_ACKNOWLEDGE) {
        const struct record_position *position = &effect->u.position;

        ASSERT(world->leads && world->required);
        ASSERT(position->lsn <= world->local.last.lsn);
        /* A real executor compares, and halts. */
        world->over =
            memcmp(position->hash, world->log[position->lsn].hash, sizeof position->hash) != 0;
        world->lsn_acked = position->lsn;
        answer_type(world, REPLICA_EVENT_LOCAL);
    } else {
        ASSERT(effect->type == REPLICA_EFFECT_STEP_DOWN);
        ASSERT(world->leads);
        ASSERT(world->local.lsn_commit == world->local.last.lsn);
        world->leads = false;
        world->begun = false;
        world->required = false;
    }
}

static void perform(struct world *world, const struct replica_effect *effect)
{
    switch (effect->type) {
    case REPLICA_EFFECT_SEND:
        check_sent(world, &effect->u.message);
        break;
    case REPLICA_EFFECT_PROMISE:
    case REPLICA_EFFECT_BEGIN_EPOCH:
    case REPLICA_EFFECT_FIND:
    case REPLICA_EFFECT_CUT:
    case REPLICA_EFFECT_APPEND:
    case REPLICA_EFFECT_COMMIT:
        perform_log(world, effect);
        break;
    case REPLICA_EFFECT_SHIP:
    case REPLICA_EFFECT_SNAPSHOT_SEND:
        perform_ship(world, effect);
        break;
    case REPLICA_EFFECT_REQUIRE:
    case REPLICA_EFFECT_UNREQUIRE:
    case REPLICA_EFFECT_ACKNOWLEDGE:
    case REPLICA_EFFECT_STEP_DOWN:
        perform_isr(world, effect);
        break;
    case REPLICA_EFFECT_ECHOED:
        ASSERT(world->leads);
        ASSERT(effect->u.sequence <= replica_ping_sequence(world->replica));
        break;
    case REPLICA_EFFECT_REPORT:
        check_report(world, &effect->u.report);
        break;
    case REPLICA_EFFECT_SNAPSHOT_INSTALL:
    case REPLICA_EFFECT_HALT:
        world->over = true;
        break;
    case REPLICA_EFFECT_DROP_LINK:
    case REPLICA_EFFECT_SNAPSHOT_BEGIN:
    case REPLICA_EFFECT_SNAPSHOT_PAIRS:
    case REPLICA_EFFECT_DATA:
        break;
    }
}

void step(struct world *world, const struct replica_event *event)
{
    struct replica_event timed = *event;

    timed.now_ms = world->now_ms;
    if (timed.type == REPLICA_EVENT_LOCAL) {
        commit_what_is_acknowledged(world);
        timed.u.local = world->local;
    }
    replica_step(world->replica, &timed, &world->effects);
    replica_invariant(world->replica);
    for (size_t i = 0; i < world->effects.count && !world->over; i++) {
        perform(world, &world->effects.items[i]);
    }
}

/* ---- Events ---- */

static void deliver_answer(struct world *world)
{
    struct replica_event event;

    if (world->answer_count == 0) {
        return;
    }
    event = world->answers[0];
    world->answer_count--;
    memmove(&world->answers[0], &world->answers[1], world->answer_count * sizeof event);
    if (event.type == REPLICA_EVENT_PROMISED && event.u.epoch > world->promised) {
        world->promised = event.u.epoch;
    }
    if (event.type == REPLICA_EVENT_EPOCH_BEGUN) {
        append(world, event.u.epoch, 0);
        world->begun = event.u.epoch == replica_epoch(world->replica);
        world->epoch_start = world->local.last.lsn;
    }
    if (!world->over) {
        step(world, &event);
    }
}

static void command(struct world *world, enum replica_event_type type)
{
    struct replica_event event = {.type = type};

    if (type == REPLICA_EVENT_REGISTER) {
        event.u.reg = (struct replica_register){
            .epoch = take(world) % 8U, .lineage = take(world) % 3U, .primary = take(world) % 3U};
    } else if (type == REPLICA_EVENT_GRANT) {
        event.u.grant = (struct replica_grant){
            .epoch = some_epoch(world), .lineage = 1, .peer_in_isr = take(world) % 2U == 1};
        some_store(world, event.u.grant.peer_store_id);
        /* The supervisor's CAS: higher than all that was ever in this log. */
        if (event.u.grant.epoch <= world->local.last.epoch) {
            return;
        }
    } else if (type == REPLICA_EVENT_SEAL || type == REPLICA_EVENT_REFUSED) {
        event.u.epoch = some_epoch(world);
    } else if (type == REPLICA_EVENT_DATA) {
        event.u.data = SPAN_LITERAL("data");
    }
    step(world, &event);
}

static void link_event(struct world *world, bool up)
{
    struct replica_event event = {.type = up ? REPLICA_EVENT_LINK_UP : REPLICA_EVENT_LINK_DOWN};
    size_t kept = 0;

    /* What ended with the link is not answered any more. */
    for (size_t i = 0; i < world->answer_count; i++) {
        if (world->answers[i].type != REPLICA_EVENT_SHIPPED &&
            world->answers[i].type != REPLICA_EVENT_SNAPSHOT_SENT) {
            world->answers[kept] = world->answers[i];
            kept++;
        }
    }
    world->answer_count = kept;
    world->connected = up;
    world->owed_count = 0;
    step(world, &event);
    if (up && take(world) < 240) {
        send_hello(world);
    }
}

static void write_or_sync(struct world *world)
{
    struct replica_event event = {.type = REPLICA_EVENT_LOCAL};
    uint8_t choice = take(world);

    if (world->begun && choice < 128 && replica_role(world->replica) == REPLICA_PRIMARY) {
        append(world, world->local.last.epoch, choice);
    }
    if (choice % 2 == 0) {
        world->local.durable = world->local.last;
    }
    world->local.sync_slow = choice % 16 == 15;
    if (!world->over) {
        step(world, &event);
    }
}

static void turn(struct world *world)
{
    static const enum replica_event_type commands[] = {
        REPLICA_EVENT_REGISTER, REPLICA_EVENT_SEAL,   REPLICA_EVENT_GRANT, REPLICA_EVENT_REFUSED,
        REPLICA_EVENT_HANDOVER, REPLICA_EVENT_RESUME, REPLICA_EVENT_READ,  REPLICA_EVENT_DATA};
    uint8_t choice = take(world);

    if (choice < 80 || world->answer_count > ANSWER_COUNT_MAX / 2) {
        deliver_answer(world);
    } else if (choice < 130) {
        send_answer(world);
    } else if (choice < 160) {
        send_message(world);
    } else if (choice < 190) {
        write_or_sync(world);
    } else if (choice < 200) {
        link_event(world, choice % 3 != 0);
    } else if (choice < 232) {
        command(world, commands[choice % (sizeof commands / sizeof commands[0])]);
    } else {
        world->now_ms += 1U + take(world);
        command(world, REPLICA_EVENT_TICK);
        ASSERT(replica_deadline_ms(world->replica) > world->now_ms);
    }
}

static void start(struct world *world, struct replica *replica)
{
    struct replica_options *options = &world->options;
    uint8_t records = take(world) % 6U;

    world->replica = replica;
    world->now_ms = 1000;
    world->promised = take(world) % 4U;
    world->promise_asked = world->promised;
    for (uint8_t i = 0; i < records; i++) {
        append(world, world->promised, 0);
    }
    world->local.durable = world->local.last;
    world->local.applied = world->log[records / 2];
    *options = (struct replica_options){.lineage = records == 0 ? 0 : 1,
                                        .incarnation = 11,
                                        .host = 1,
                                        .strict = take(world) == 1,
                                        .ping_ms = 100,
                                        .silence_ms = 300,
                                        .evict_ms = 1000,
                                        .hold_down_ms = 500,
                                        .promised = world->promised,
                                        .last = world->local.last,
                                        .applied = world->local.applied};
    memset(options->cluster_id, 0xc1, STORAGE_ID_SIZE);
    memset(options->store_id, 1, STORAGE_ID_SIZE);
    replica_init(replica, options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = calloc(1, sizeof *world);
    struct replica *replica = malloc(replica_size());

    ASSERT(world != NULL);
    ASSERT(replica != NULL);
    world->input = (struct input){.at = data, .left = size};
    start(world, replica);
    for (uint32_t i = 0; i < STEP_COUNT_MAX && world->input.left > 0 && !world->over; i++) {
        turn(world);
    }
    free(replica);
    free(world);
    return 0;
}

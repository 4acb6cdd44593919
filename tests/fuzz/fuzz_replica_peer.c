/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_replica_peer.c: the peer of fuzz_replica.c: answers as it should, or says anything.
 * Owns the messages. Never performs an effect. */
#include "tests/fuzz/fuzz_replica.h"

#include <string.h>

uint64_t some_epoch(struct world *world)
{
    uint8_t choice = take(world);

    return choice < 128 && replica_epoch(world->replica) != 0 ? replica_epoch(world->replica)
                                                              : 1U + choice % 8U;
}

static struct record_position some_position(struct world *world)
{
    uint8_t choice = take(world);
    struct record_position position = world->log[choice % (world->local.last.lsn + 1)];

    if (choice >= 192) {
        position.hash[choice % 4]++;
    }
    if (choice >= 240) {
        position.lsn++;
    }
    return position;
}

void some_store(struct world *world, uint8_t store_id[STORAGE_ID_SIZE])
{
    memset(store_id, take(world) < 224 ? 2 : 3, STORAGE_ID_SIZE);
}

static uint64_t some_incarnation(struct world *world, uint64_t usual)
{
    return take(world) < 224 ? usual : 77;
}

static void fill_state(struct world *world, struct message_state *state)
{
    *state = (struct message_state){.version_min = 1,
                                    .version_max = 1,
                                    .lineage = take(world) % 3U,
                                    .incarnation = some_incarnation(world, 22),
                                    .host = take(world) < 250 ? 2 : 1,
                                    .role = take(world) % 3U,
                                    .promised = take(world) % 8U,
                                    .last = some_position(world)};
    state->epoch = state->role == REPLICA_IDLE ? 0 : some_epoch(world);
    memset(state->cluster_id, take(world) < 250 ? 0xc1 : 0xc2, STORAGE_ID_SIZE);
    some_store(world, state->store_id);
}

/* The peer as it should be: most of what it says then gets somewhere. */
void send_hello(struct world *world)
{
    struct message message = {.type = MESSAGE_HELLO};
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE, .u.message = &message};

    message.u.state = (struct message_state){
        .version_min = 1, .version_max = 1, .lineage = 1, .incarnation = 22, .host = 2};
    memset(message.u.state.cluster_id, 0xc1, STORAGE_ID_SIZE);
    memset(message.u.state.store_id, 2, STORAGE_ID_SIZE);
    step(world, &event);
}

static void fill_message(struct world *world, struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        fill_state(world, &message->u.state);
        break;
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        message->u.lead = (struct message_lead){.epoch = some_epoch(world),
                                                .incarnation = some_incarnation(world, 22),
                                                .lsn_commit = take(world) % LOG_COUNT_MAX,
                                                .last = some_position(world)};
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        message->u.follow = (struct message_follow){.epoch = some_epoch(world),
                                                    .incarnation = some_incarnation(world, 11),
                                                    .last = some_position(world),
                                                    .applied = some_position(world)};
        some_store(world, message->u.follow.store_id);
        break;
    case MESSAGE_PROBE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
    case MESSAGE_PLACE:
        message->u.place = (struct message_place){
            .epoch = some_epoch(world),
            .incarnation = some_incarnation(world, message->type == MESSAGE_PLACE ? 11 : 22),
            .position = some_position(world)};
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        message->u.bytes = (struct message_bytes){.epoch = some_epoch(world),
                                                  .incarnation = some_incarnation(world, 22),
                                                  .lsn_commit = take(world) % LOG_COUNT_MAX,
                                                  .bytes = SPAN_LITERAL("x")};
        break;
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        message->u.ping = (struct message_ping){
            .epoch = some_epoch(world),
            .incarnation = some_incarnation(world, message->type == MESSAGE_ECHO ? 11 : 22),
            .sequence = take(world) % 32U,
            .lsn_commit = take(world) % LOG_COUNT_MAX};
        some_store(world, message->u.ping.store_id);
        break;
    case MESSAGE_DATA:
        message->u.data = SPAN_LITERAL("text");
        break;
    case MESSAGE_BYE:
        message->u.bye.leaves = take(world) % 2 == 1;
        message->u.bye.reason = SPAN_LITERAL("text");
        break;
    case MESSAGE_TYPE_END:
        break;
    }
}

void send_message(struct world *world)
{
    struct message message = {.type = (enum message_type)(1U + take(world) % MESSAGE_BYE)};
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE, .u.message = &message};

    fill_message(world, &message);
    step(world, &event);
}

/* ---- A good peer ---- */

static struct message *owe(struct world *world, enum message_type type)
{
    struct message *message;

    if (world->owed_count == OWED_COUNT_MAX) {
        world->owed_count = 0; /* it was slow, and starts anew */
    }
    message = &world->owed[world->owed_count];
    world->owed_count++;
    memset(message, 0, sizeof *message);
    message->type = type;
    return message;
}

static void owe_follow(struct world *world, enum message_type type, uint64_t lsn)
{
    struct message_follow *follow = &owe(world, type)->u.follow;

    follow->epoch = replica_epoch(world->replica);
    follow->incarnation = world->options.incarnation;
    follow->last = world->log[lsn];
    memset(follow->store_id, 2, STORAGE_ID_SIZE);
}

void owe_ack(struct world *world, uint64_t lsn)
{
    owe_follow(world, MESSAGE_ACK, lsn);
}

void owe_answer(struct world *world, const struct message *asked)
{
    struct message *message;

    if (asked->type == MESSAGE_LEAD) {
        owe_follow(world, MESSAGE_FOLLOW, asked->u.lead.last.lsn / 2);
    } else if (asked->type == MESSAGE_CUT) {
        owe_ack(world, asked->u.place.position.lsn);
    } else if (asked->type == MESSAGE_PROBE) {
        message = owe(world, MESSAGE_PLACE);
        message->u.place = asked->u.place;
        message->u.place.position = world->log[asked->u.place.position.lsn];
    } else if (asked->type == MESSAGE_PING) {
        message = owe(world, MESSAGE_ECHO);
        message->u.ping = asked->u.ping;
        memset(message->u.ping.store_id, 2, STORAGE_ID_SIZE);
    }
}

void send_answer(struct world *world)
{
    struct message message;
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE, .u.message = &message};

    if (world->owed_count == 0) {
        return;
    }
    message = world->owed[0];
    world->owed_count--;
    memmove(&world->owed[0], &world->owed[1], world->owed_count * sizeof message);
    step(world, &event);
}

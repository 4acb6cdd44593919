/* SPDX-License-Identifier: Apache-2.0 */
/* sample_wire.c: the messages and small files of a fixture.
 * Owns their values. Never encodes them. */
#include "tests/formats/sample.h"

#include <string.h>

const uint8_t sample_cluster[STORAGE_ID_SIZE] = {0xc1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

static const struct record_position position = {
    .lsn = 0x0102030405060708U, .epoch = 9, .wall_ms = 1700000000123U, .hash = {1, 2, 3, 4}};

static struct message_state state_of(void)
{
    struct message_state state = {.version_min = MESSAGE_VERSION_MIN,
                                  .version_max = MESSAGE_VERSION_MAX,
                                  .store_id = {0x51},
                                  .lineage = 3,
                                  .incarnation = 4,
                                  .host = 2,
                                  .role = REPLICA_STANDBY,
                                  .epoch = 5,
                                  .promised = 6,
                                  .wall_ms = 7,
                                  .lsn_applied = 8,
                                  .last = position};

    memcpy(state.cluster_id, sample_cluster, sizeof state.cluster_id);
    return state;
}

struct message sample_message(enum message_type type)
{
    struct message message = {.type = type};

    switch (type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        message.u.state = state_of();
        break;
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        message.u.lead =
            (struct message_lead){.epoch = 1, .incarnation = 2, .lsn_commit = 3, .last = position};
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        message.u.follow = (struct message_follow){.epoch = 1,
                                                   .incarnation = 2,
                                                   .store_id = {0x51},
                                                   .lsn_applied = 3,
                                                   .last = position,
                                                   .applied = {.lsn = 2}};
        break;
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        message.u.place =
            (struct message_place){.epoch = 1, .incarnation = 2, .position = position};
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        message.u.bytes = (struct message_bytes){
            .epoch = 1, .incarnation = 2, .lsn_commit = 3, .bytes = SPAN_LITERAL("records")};
        break;
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        message.u.ping = (struct message_ping){
            .epoch = 1, .incarnation = 2, .store_id = {0x51}, .sequence = 4, .lsn_commit = 5};
        break;
    case MESSAGE_DATA:
        message.u.data = SPAN_LITERAL("some bytes");
        break;
    case MESSAGE_BYE:
        message.u.bye = (struct message_bye){.leaves = true, .reason = SPAN_LITERAL("a reason")};
        break;
    case MESSAGE_TYPE_END:
        break;
    }
    return message;
}

struct register_value sample_register(void)
{
    struct register_value value = {
        .lineage = 0x1122334455667788U,
        .epoch = 7,
        .nonce = 0x99aabbccddeeff00U,
        .primary = 1,
        .isr = {{.present = true, .store_id = {0x51}}, {.present = true, .store_id = {0x52}}}};

    memcpy(value.cluster_id, sample_cluster, sizeof value.cluster_id);
    return value;
}

struct mirror_message sample_mirror(enum mirror_message_type type)
{
    struct mirror_message message = {.type = type, .from = 11, .to = 12, .number = 13};

    if (type == MIRROR_PROPOSE) {
        message.expected = 14;
    }
    if (type != MIRROR_HELLO && type != MIRROR_GET) {
        message.copy =
            (struct mirror_copy){.present = true, .generation = 2, .value = sample_register()};
    }
    return message;
}

struct memory_value sample_memory(void)
{
    struct memory_value value = {.failover = {.epoch = 7,
                                              .lineage = 0x1122334455667788U,
                                              .nonce = 0x99aabbccddeeff00U,
                                              .revision = 42,
                                              .arbiter_id = 7,
                                              .in_sync = true,
                                              .maintenance = true},
                                 .tally = {.count = 2},
                                 .running = true,
                                 .armed = true};

    value.tally.items[0] = (struct watch_crash){
        .boot_ms = 10, .wall_ms = 20, .cause = WATCH_CAUSE_HANG, .task = 3, .counts = true};
    value.tally.items[1] = (struct watch_crash){
        .boot_ms = 11, .wall_ms = 21, .cause = WATCH_CAUSE_SIGNAL, .status = -11, .reason = "x"};
    return value;
}

struct pair_secrets sample_secrets(void)
{
    struct pair_secrets secrets = {.count = PAIR_SECRET_COUNT};

    for (size_t i = 0; i < PAIR_SECRET_COUNT; i++) {
        secrets.there[i] = i != PAIR_SECRET_APP;
        memset(secrets.marks[i], secrets.there[i] ? (int)(0x10 + i) : 0, PAIR_MARK_SIZE);
    }
    return secrets;
}

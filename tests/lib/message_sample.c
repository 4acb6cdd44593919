/* SPDX-License-Identifier: Apache-2.0 */
/* message_sample.c: one message of each type, always the same ones.
 * Owns their values. Never encodes them. */
#include "tests/lib/message_sample.h"

const struct record_position message_sample_position = {
    .lsn = 0x0102030405060708U, .epoch = 9, .wall_ms = 1700000000123U, .hash = {1, 2, 3, 4}};

struct message message_sample(enum message_type type)
{
    const struct record_position position = message_sample_position;
    struct message message = {.type = type};

    switch (type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        message.u.state = (struct message_state){.version_min = MESSAGE_VERSION_MIN,
                                                 .version_max = MESSAGE_VERSION_MAX,
                                                 .cluster_id = {0xc1},
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

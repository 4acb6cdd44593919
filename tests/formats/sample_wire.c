/* SPDX-License-Identifier: Apache-2.0 */
/* sample_wire.c: the messages and small files of a fixture.
 * Owns their values. Never encodes them. */
#include "tests/formats/sample.h"

#include "tests/lib/message_sample.h"

#include <string.h>

const uint8_t sample_cluster[STORAGE_ID_SIZE] = {0xc1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

struct message sample_message(enum message_type type)
{
    struct message message = message_sample(type);

    if (type == MESSAGE_HELLO || type == MESSAGE_STATE) {
        memcpy(message.u.state.cluster_id, sample_cluster, sizeof sample_cluster);
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

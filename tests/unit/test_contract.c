/* SPDX-License-Identifier: Apache-2.0 */
/* test_contract.c: proves supervisor/contract: the packets and the table of legal moves.
 * Owns nothing but its cases. Never opens a socket. */
#include "base/crc32c.h"
#include "supervisor/contract.h"
#include "tests/unit/unit.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct contract_message numbered(enum contract_type type)
{
    struct contract_message message;

    memset(&message, 0, sizeof message);
    message.type = type;
    return message;
}

static struct contract_message epoch_message(enum contract_type type)
{
    struct contract_message message = numbered(type);

    message.u.epoch = 0x1122334455667788U;
    return message;
}

static struct contract_message configure_message(void)
{
    struct contract_message message = numbered(CONTRACT_CONFIGURE);
    struct contract_configure *configure = &message.u.configure;

    configure->incarnation = 5;
    configure->mode = CONTRACT_PAIR;
    configure->host = 2;
    configure->strict = true;
    memset(configure->cluster_id, 0xc1, sizeof configure->cluster_id);
    configure->ping_ms = 50;
    configure->silence_ms = 300;
    configure->evict_ms = 1000;
    configure->hold_down_ms = 5000;
    configure->checkin_ms = 250;
    memset(configure->peer, 'x', sizeof configure->peer - 1);
    (void)snprintf(configure->certificate, sizeof configure->certificate, "/etc/cert.pem");
    (void)snprintf(configure->peer_name, sizeof configure->peer_name, "host-1");
    return message;
}

static struct contract_message summary_message(void)
{
    struct contract_message message = numbered(CONTRACT_SUMMARY);

    message.u.summary.role = 6;
    message.u.summary.epoch = 9;
    message.u.summary.vip_here = true;
    message.u.summary.start_count = 3;
    message.u.summary.disk_hangs = true;
    message.u.summary.vip_wrong = true;
    message.u.summary.ends_s[CONTRACT_END_ARBITER] = 4102444799;
    (void)snprintf(message.u.summary.reason, sizeof message.u.summary.reason, "the peer is silent");
    return message;
}

static struct contract_message link_message(void)
{
    struct contract_message message = numbered(CONTRACT_LINK);

    message.u.link.up = true;
    message.u.link.peer_leads = true;
    message.u.link.peer_epoch = 7;
    message.u.link.peer_last_lsn = 123;
    message.u.link.lsn_acked = 122;
    message.u.link.clock_ahead_ms = -250;
    return message;
}

/* One legal message of a type. */
static struct contract_message sample(enum contract_type type)
{
    struct contract_message message = epoch_message(type);

    switch (type) {
    case CONTRACT_CONFIGURE:
        return configure_message();
    case CONTRACT_SUMMARY:
        return summary_message();
    case CONTRACT_LINK:
        return link_message();
    case CONTRACT_GRANT:
        message.u.grant.lineage = 3;
        message.u.grant.peer_in_isr = true;
        memset(message.u.grant.peer_store_id, 0xb0, sizeof message.u.grant.peer_store_id);
        break;
    case CONTRACT_REGISTER:
        message.u.reg.lineage = 3;
        message.u.reg.primary = 2;
        break;
    case CONTRACT_PEER:
        message = numbered(type);
        message.u.peer.size = 3;
        memcpy(message.u.peer.bytes, "abc", 3);
        break;
    case CONTRACT_UP:
        message.u.up.last_lsn = 44;
        break;
    case CONTRACT_CHECKIN:
        message.u.checkin.turns[CONTRACT_TASK_OUTBOX] = 77;
        break;
    case CONTRACT_ADD:
    case CONTRACT_REMOVE:
        message.u.proposal.lsn = 12;
        message.u.proposal.slow = true;
        break;
    case CONTRACT_RELAYING:
        message = numbered(type);
        message.u.relaying = true;
        break;
    case CONTRACT_RESYNC:
    case CONTRACT_FAILED:
        message = numbered(type);
        (void)snprintf(message.u.reason, sizeof message.u.reason, "fdatasync failed");
        break;
    case CONTRACT_SEAL:
    case CONTRACT_REFUSED:
    case CONTRACT_SEALED:
    case CONTRACT_LEADING:
    case CONTRACT_DEPOSED:
    case CONTRACT_DRAINED:
    case CONTRACT_TAKE_OVER:
        break;
    case CONTRACT_HANDOVER:
    case CONTRACT_RESUME:
    case CONTRACT_STOP:
    case CONTRACT_TYPE_END:
        return numbered(type);
    }
    return message;
}

/* Another form needs another version: a supervisor and an approvald of two builds then say so. */
static void the_form_of_all_messages_is_that_of_the_version(void)
{
    uint32_t sum = 0;

    for (unsigned type = CONTRACT_CONFIGURE; type < CONTRACT_TYPE_END; type++) {
        struct contract_message message = sample((enum contract_type)type);
        uint8_t packet[CONTRACT_SIZE_MAX];
        size_t size = contract_encode(&message, packet);

        sum = crc32c(sum, packet, size);
    }
    CU_ASSERT_EQUAL(CONTRACT_VERSION, 5);
    CU_ASSERT_EQUAL(sum, 0x55932094U);
}

/* A packet of an older version is refused by its first bytes: the fuzzer would begin with nothing.
 */
static void the_fuzzers_corpus_is_of_this_version(void)
{
    const char *root = getenv("srcdir");

    for (unsigned type = CONTRACT_CONFIGURE; type < CONTRACT_TYPE_END; type++) {
        struct contract_message message = sample((enum contract_type)type);
        uint8_t packet[CONTRACT_SIZE_MAX];
        uint8_t seed[CONTRACT_SIZE_MAX];
        char path[512];
        size_t size = contract_encode(&message, packet);
        FILE *file;

        (void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/fuzz_contract/%s",
                       root == NULL ? "." : root, contract_name(message.type));
        for (char *at = strrchr(path, '/'); *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        file = fopen(path, "rb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_EQUAL(fread(seed, 1, sizeof seed, file), size);
        CU_ASSERT_EQUAL(memcmp(seed, packet, size), 0);
        (void)fclose(file);
    }
}

static void every_message_comes_back_as_it_was_sent(void)
{
    for (unsigned type = CONTRACT_CONFIGURE; type < CONTRACT_TYPE_END; type++) {
        struct contract_message sent = sample((enum contract_type)type);
        struct contract_message got;
        uint8_t packet[CONTRACT_SIZE_MAX];
        uint8_t again[CONTRACT_SIZE_MAX];
        uint8_t bodies[2][sizeof sent.u];
        size_t size = contract_encode(&sent, packet);

        CU_ASSERT_EQUAL(contract_decode(span_of(packet, size), &got, NULL), ERR_OK);
        CU_ASSERT_EQUAL(got.type, type);
        CU_ASSERT_EQUAL(contract_encode(&got, again), size);
        CU_ASSERT_EQUAL(memcmp(packet, again, size), 0);
        /* Both were all zeros at first, so a field that is not carried shows. */
        memcpy(bodies[0], &sent.u, sizeof sent.u);
        memcpy(bodies[1], &got.u, sizeof got.u);
        CU_ASSERT_EQUAL(memcmp(bodies[0], bodies[1], sizeof bodies[0]), 0);
    }
}

static void a_packet_is_laid_out_little_endian_in_the_order_of_the_struct(void)
{
    static const uint8_t wanted[] = {
        5,    0,    33,   0,    5,    0,    0,    0,                /* GRANT, 33 bytes, version 5 */
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11,             /* epoch */
        3,    0,    0,    0,    0,    0,    0,    0,                /* lineage */
        1,    0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, /* peer and its store */
        0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0, 0xb0};
    struct contract_message message = sample(CONTRACT_GRANT);
    uint8_t packet[CONTRACT_SIZE_MAX];

    message.type = CONTRACT_GRANT;
    CU_ASSERT_EQUAL(contract_encode(&message, packet), sizeof wanted);
    CU_ASSERT_EQUAL(packet[0], CONTRACT_GRANT);
    CU_ASSERT_EQUAL(memcmp(packet + 1, wanted + 1, sizeof wanted - 1), 0);
}

static void a_packet_cut_short_or_with_bytes_left_over_is_refused(void)
{
    for (unsigned type = CONTRACT_CONFIGURE; type < CONTRACT_TYPE_END; type++) {
        struct contract_message sent = sample((enum contract_type)type);
        struct contract_message got;
        uint8_t packet[CONTRACT_SIZE_MAX + 1] = {0};
        size_t size = contract_encode(&sent, packet);

        for (size_t cut = 0; cut < size; cut++) {
            CU_ASSERT_EQUAL(contract_decode(span_of(packet, cut), &got, NULL), ERR_PROTOCOL);
        }
        CU_ASSERT_EQUAL(contract_decode(span_of(packet, size + 1), &got, NULL), ERR_PROTOCOL);
        packet[2]++; /* its size says so as well */
        CU_ASSERT_EQUAL(contract_decode(span_of(packet, size + 1), &got, NULL), ERR_PROTOCOL);
    }
}

static void refuse(struct contract_message message, size_t at, uint8_t byte, const char *why)
{
    uint8_t packet[CONTRACT_SIZE_MAX];
    size_t size = contract_encode(&message, packet);
    struct contract_message got;
    struct err err = ERR_INIT;

    packet[at] = byte;
    CU_ASSERT_EQUAL(contract_decode(span_of(packet, size), &got, &err), ERR_PROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, why));
}

static void what_is_out_of_range_is_refused_with_the_reason(void)
{
    struct contract_message register_zero = sample(CONTRACT_REGISTER);
    size_t body = CONTRACT_HEADER_SIZE;

    refuse(sample(CONTRACT_STOP), 4, 2, "version 2, not 5");
    refuse(sample(CONTRACT_STOP), 0, CONTRACT_TYPE_END, "is unknown");
    refuse(sample(CONTRACT_STOP), 0, 0, "is unknown");
    refuse(sample(CONTRACT_CONFIGURE), body + 8, 2, "out of range");  /* mode */
    refuse(sample(CONTRACT_CONFIGURE), body + 9, 0, "out of range");  /* host */
    refuse(sample(CONTRACT_CONFIGURE), body + 9, 3, "out of range");  /* host */
    refuse(sample(CONTRACT_CONFIGURE), body + 10, 2, "out of range"); /* strict */
    refuse(sample(CONTRACT_REGISTER), body + 16, 3, "out of range");  /* primary */
    refuse(sample(CONTRACT_SUMMARY), body, 7, "out of range");        /* role */
    refuse(sample(CONTRACT_RELAYING), body, 2, "out of range");
    refuse(sample(CONTRACT_PEER), body + 1, 3, "too many bytes"); /* 771 */
    refuse(sample(CONTRACT_FAILED), body + CONTRACT_REASON_SIZE - 1, 'x', "bytes behind a text");
    register_zero.u.reg.epoch = 1;
    refuse(register_zero, body, 0, "no epoch");
}

static void a_text_without_an_end_is_refused(void)
{
    struct contract_message message = sample(CONTRACT_FAILED);

    memset(message.u.reason, 'x', sizeof message.u.reason - 1);
    refuse(message, CONTRACT_HEADER_SIZE + CONTRACT_REASON_SIZE - 1, 'x', "without an end");
}

static void what_follows_a_texts_end_is_not_sent(void)
{
    struct contract_message message = sample(CONTRACT_FAILED);
    uint8_t packet[CONTRACT_SIZE_MAX];
    size_t size;

    memset(message.u.reason, 's', sizeof message.u.reason);
    (void)snprintf(message.u.reason, sizeof message.u.reason, "short");
    size = contract_encode(&message, packet);
    CU_ASSERT_EQUAL(size, CONTRACT_HEADER_SIZE + CONTRACT_REASON_SIZE);
    for (size_t i = CONTRACT_HEADER_SIZE + 5; i < size; i++) {
        CU_ASSERT_EQUAL(packet[i], 0);
    }
}

/* The states in which a side may send, as letters: n, c, u, s. */
static void senders(enum contract_side side, enum contract_type type, char *letters)
{
    static const char names[] = "ncus";

    for (unsigned i = CONTRACT_NEW; i <= CONTRACT_STOPPING; i++) {
        enum contract_state state = (enum contract_state)i;

        if (contract_move(&state, side, type, NULL) == ERR_OK) {
            *letters++ = names[i];
        }
    }
    *letters = '\0';
}

static void who_may_send_what_when_is_one_table(void)
{
    static const char wanted[] = "CONFIGURE n/ REGISTER u/ SEAL u/ GRANT u/ REFUSED u/ HANDOVER u/ "
                                 "RESUME u/ PEER u/us SUMMARY cu/ STOP ncus/ UP /c CHECKIN /cus "
                                 "SEALED /us LEADING /us ADD /us REMOVE /us DEPOSED /us "
                                 "DRAINED /us TAKE_OVER /us RESYNC /us LINK /us RELAYING /us "
                                 "FAILED /ncus ";
    char got[sizeof wanted + 64] = "";
    size_t used = 0;

    for (unsigned i = CONTRACT_CONFIGURE; i < CONTRACT_TYPE_END; i++) {
        char supervisor[8];
        char child[8];

        senders(CONTRACT_SUPERVISOR, (enum contract_type)i, supervisor);
        senders(CONTRACT_CHILD, (enum contract_type)i, child);
        used += (size_t)snprintf(got + used, sizeof got - used, "%s %s/%s ",
                                 contract_name((enum contract_type)i), supervisor, child);
    }
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static void a_child_goes_from_new_to_configured_to_up_to_stopping(void)
{
    enum contract_state state = CONTRACT_NEW;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_CHILD, CONTRACT_UP, &err), ERR_PROTOCOL);
    CU_ASSERT_STRING_EQUAL(err.message, "contract: UP from the child while new");
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_SUPERVISOR, CONTRACT_CONFIGURE, NULL), ERR_OK);
    CU_ASSERT_EQUAL(state, CONTRACT_CONFIGURED);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_SUPERVISOR, CONTRACT_UP, NULL), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_CHILD, CONTRACT_UP, NULL), ERR_OK);
    CU_ASSERT_EQUAL(state, CONTRACT_RUNNING);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_CHILD, CONTRACT_UP, NULL), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_CHILD, CONTRACT_GRANT, NULL), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_SUPERVISOR, CONTRACT_GRANT, NULL), ERR_OK);
    CU_ASSERT_EQUAL(state, CONTRACT_RUNNING);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_SUPERVISOR, CONTRACT_STOP, NULL), ERR_OK);
    CU_ASSERT_EQUAL(state, CONTRACT_STOPPING);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_SUPERVISOR, CONTRACT_GRANT, NULL), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(contract_move(&state, CONTRACT_CHILD, CONTRACT_TYPE_END, NULL), ERR_PROTOCOL);
    CU_ASSERT_STRING_EQUAL(contract_name(CONTRACT_TYPE_END), "unknown");
}

UNIT_MAIN("contract",
          {"every message comes back as it was sent", every_message_comes_back_as_it_was_sent},
          {"the form of all messages is that of the version",
           the_form_of_all_messages_is_that_of_the_version},
          {"the fuzzer's corpus is of this version", the_fuzzers_corpus_is_of_this_version},
          {"a packet is laid out little-endian in the order of the struct",
           a_packet_is_laid_out_little_endian_in_the_order_of_the_struct},
          {"a packet cut short or with bytes left over is refused",
           a_packet_cut_short_or_with_bytes_left_over_is_refused},
          {"what is out of range is refused with the reason",
           what_is_out_of_range_is_refused_with_the_reason},
          {"a text without an end is refused", a_text_without_an_end_is_refused},
          {"what follows a text's end is not sent", what_follows_a_texts_end_is_not_sent},
          {"who may send what when is one table", who_may_send_what_when_is_one_table},
          {"a child goes from new to configured to up to stopping",
           a_child_goes_from_new_to_configured_to_up_to_stopping})

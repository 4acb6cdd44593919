/* SPDX-License-Identifier: Apache-2.0 */
/* puppet.h: a host 2 without a store, for tests that want to say a thing at a certain moment: the
 * real connection and TLS, and as much of a standby as makes a primary take it for one. One thread:
 * the test's. */
#ifndef TESTS_UNIT_PUPPET_H
#define TESTS_UNIT_PUPPET_H

#include "storage/message.h"
#include "tests/unit/pair_bench.h"

#include <stdbool.h>
#include <stdint.h>

struct puppet {
    struct pair_bench *bench;
    struct tls_identity *identity;
    struct tls_peer *tls; /* owned */
    struct record_position last;
    struct message_lead lead; /* the one it follows */
    uint64_t incarnation;
    uint8_t store_id[STORAGE_ID_SIZE];
    uint8_t *in; /* owned */
    size_t in_size;
    uint8_t *out; /* owned: what is said and has not left */
    size_t out_size;
    bool ended;     /* puppet_end was called */
    bool hold_acks; /* records are taken, and not acknowledged */
};

/* Connects to host 1, which runs. */
void puppet_dial(struct puppet *puppet, struct pair_bench *bench);
/* The handshake; false: host 1 does not want it. */
bool puppet_shake(struct puppet *puppet);
/* Both. */
void puppet_init(struct puppet *puppet, struct pair_bench *bench);
void puppet_done(struct puppet *puppet);
/* Queued; leaves with the next puppet_flush, all in one. */
void puppet_say(struct puppet *puppet, const struct message *message);
void puppet_hello(struct puppet *puppet);
void puppet_bye(struct puppet *puppet, const char *reason);
void puppet_acknowledge(struct puppet *puppet);
void puppet_flush(struct puppet *puppet);
/* Ends the connection behind what was said. Closed with something not read, it would be reset, and
 * the kernel would drop what has not left. */
void puppet_end(struct puppet *puppet);
/* Answers what has come. */
void puppet_step(struct puppet *puppet);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_replica.h: what fuzz_replica.c (the executor) and fuzz_replica_peer.c (the peer) share. */
#ifndef TESTS_FUZZ_FUZZ_REPLICA_H
#define TESTS_FUZZ_FUZZ_REPLICA_H

#include "base/assert.h"
#include "storage/replica.h"

#define LOG_COUNT_MAX    64U
#define ANSWER_COUNT_MAX 64U
#define OWED_COUNT_MAX   8U
#define STEP_COUNT_MAX   2000U

struct input {
    const uint8_t *at;
    size_t left;
};

struct world {
    struct input input;
    struct replica *replica;
    struct replica_options options;
    struct record_position log[LOG_COUNT_MAX];
    struct replica_local local;
    struct replica_effects effects;
    struct replica_event answers[ANSWER_COUNT_MAX];
    size_t answer_count;
    uint64_t now_ms;
    uint64_t promised; /* durable */
    uint64_t promise_asked;
    uint64_t lsn_acked;
    uint64_t epoch_start; /* LSN of the last start record */
    bool leads;
    bool begun;
    bool required;
    bool connected;
    bool over;
    struct message owed[OWED_COUNT_MAX]; /* what the core asked: a good peer's next answers */
    size_t owed_count;
};

/* The input's next byte; 0 when there is none. */
uint8_t take(struct world *world);
/* One event through the core; its effects are performed. */
void step(struct world *world, const struct replica_event *event);
uint64_t some_epoch(struct world *world);
void some_store(struct world *world, uint8_t store_id[STORAGE_ID_SIZE]);
void send_hello(struct world *world);
/* Any message. */
void send_message(struct world *world);
/* Notes what a good peer would answer; and gives the oldest such answer. */
void owe_answer(struct world *world, const struct message *asked);
void owe_ack(struct world *world, uint64_t lsn);
void send_answer(struct world *world);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* replica_kit.h: two replication cores with a toy log each and a link between them, driven to rest.
 *
 * The executor does at once what a real one does in time (promises, cuts, syncs, look-ups), unless
 * a test holds it back. Messages go through message.h's codec. Every step's words are checked
 * against the promise; what each host did is written down as a trace, one line an effect:
 *
 *   1: lead 5 | 2: promise 5 | 2> follow 5 last 3 applied 3 | …
 *
 * ">" are messages, ":" the rest. Signs of life (STATE, PING, ECHO, ECHOED, LINK) are left out. */
#ifndef TESTS_UNIT_REPLICA_KIT_H
#define TESTS_UNIT_REPLICA_KIT_H

#include "storage/isr.h"
#include "storage/replica.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIT_LOG_COUNT_MAX   256U
#define KIT_EVENT_COUNT_MAX 64U
#define KIT_QUEUE_SIZE_MAX  65536U
#define KIT_TRACE_SIZE_MAX  8192U
#define KIT_PING_MS         100U
#define KIT_SILENCE_MS      300U
#define KIT_EVICT_MS        1000U
#define KIT_HOLD_DOWN_MS    2000U
#define KIT_LINEAGE         7U

struct kit_queue { /* frames under way to the host */
    uint8_t bytes[KIT_QUEUE_SIZE_MAX];
    size_t size;
};

struct kit_host {
    uint8_t number; /* 1 or 2 */
    struct replica *replica;
    struct replica_options options; /* what is durable of it is kept up to date */
    /* The log: positions by LSN; readable from lsn_first. */
    struct record_position log[KIT_LOG_COUNT_MAX];
    uint64_t lsn_first;
    uint64_t lsn_last;
    uint64_t lsn_durable;
    uint64_t lsn_applied;
    uint64_t lsn_promise_asked; /* epoch of the last PROMISE */
    struct isr isr;
    bool leads; /* isr counts */
    bool sync_slow;
    bool applied_frozen; /* no checkpoint: what is applied stays */
    /* Held back until the test lets go: the event that would answer. */
    bool hold_promise;
    bool hold_sync;
    bool hold_cut;
    bool hold_begin;
    bool hold_ship;
    bool promise_held;
    bool cut_held;
    bool begin_held;
    bool ship_held;
    uint64_t lsn_cut;
    struct record_position snapshot; /* coming in */
    bool dead;                       /* the process ended */
    /* What was reported last. */
    uint32_t report_count[REPLICA_REPORT_RESYNC + 1];
    struct replica_proposal proposal;
    struct replica_link link;
    uint64_t echoed;
    uint32_t sent[MESSAGE_TYPE_END];
    struct replica_event events[KIT_EVENT_COUNT_MAX]; /* answers that wait */
    size_t event_count;
    struct kit_queue inbox;
};

struct kit {
    struct kit_host hosts[2];
    uint64_t now_ms;
    bool link_up;
    bool hold_drop;
    bool drop;               /* one end wants the link to end */
    uint32_t delivery_count; /* until it goes mute; 0: it does not */
    bool mute;               /* the link is up and nothing arrives */
    uint64_t incarnation;
    char trace[KIT_TRACE_SIZE_MAX];
    size_t trace_size;
};

/* Two empty stores of lineage KIT_LINEAGE, nothing promised, link down, register read as
 * {epoch 0, primary 0}. NULL-safe free. */
struct kit *kit_new(void);
void kit_free(struct kit *kit);
struct kit_host *kit_host(struct kit *kit, uint8_t number);
/* Appends durable records of the epoch without the core's knowing: before kit_start. salt makes
 * them differ from others at the same LSN. */
void kit_fill(struct kit_host *host, uint64_t count, uint64_t epoch, uint8_t salt);
/* (Re)starts the process from what is durable: a new incarnation. */
void kit_start(struct kit *kit, struct kit_host *host);
void kit_register(struct kit *kit, struct kit_host *host, uint64_t epoch, uint8_t primary);
void kit_connect(struct kit *kit);
/* The link goes mute after so many messages. */
void kit_connect_for(struct kit *kit, uint32_t deliveries);
void kit_disconnect(struct kit *kit);
/* One event, then to rest. */
void kit_event(struct kit *kit, struct kit_host *host, const struct replica_event *event);
void kit_command(struct kit *kit, struct kit_host *host, enum replica_event_type type);
void kit_seal(struct kit *kit, struct kit_host *host, uint64_t epoch);
/* SEAL and GRANT; store: whose the peer's place in the ISR is, NULL: ISR {self}. */
void kit_grant(struct kit *kit, struct kit_host *host, uint64_t epoch, const struct kit_host *peer);
void kit_refuse(struct kit *kit, struct kit_host *host, uint64_t epoch);
/* The primary appends a record. */
void kit_write(struct kit *kit, struct kit_host *host);
/* A message from nowhere, as if from the peer. */
void kit_inject(struct kit *kit, struct kit_host *host, const struct message *message);
/* Lets go of what was held back. */
void kit_release(struct kit *kit, struct kit_host *host);
/* Delivers all that is under way. */
void kit_run(struct kit *kit);
/* Time passes, tick by tick. */
void kit_wait(struct kit *kit, uint64_t ms);
void kit_clear(struct kit *kit);
/* True when the trace is exactly these lines; prints both when not. */
bool kit_traced(const struct kit *kit, const char *expected);
/* Host 1 leads epoch 1 as {1}, host 2 follows and streams. The first addition, which needs no wait,
 * was refused: host 2 is added after the hold-down. */
void kit_pair(struct kit *kit);
/* … and is in the ISR, at epoch 2: start record, a record, start record: the last LSN is 3. */
void kit_pair_in_sync(struct kit *kit);

/* A peer played by the test: incarnation 999, in the place of the host. */
struct message kit_hello_from(const struct kit_host *host);
struct message kit_lead_of(uint64_t epoch);
/* Host 1 with a link on which nothing but injected messages arrives; its HELLO is owed, or given.
 */
struct kit *kit_faced(void);
struct kit *kit_greeted(void);
/* Clears the trace and injects LEAD into host 1. */
void kit_leads(struct kit *kit, uint64_t epoch);

/* Between replica_kit.c and replica_kit_effects.c. */
struct kit_host *kit_peer(struct kit *kit, const struct kit_host *host);
struct record_position kit_next_record(const struct kit_host *host, uint64_t epoch, uint8_t salt);
void kit_put_record(struct kit_host *host, const struct record_position *record);
void kit_later(struct kit_host *host, const struct replica_event *event);
void kit_later_epoch(struct kit_host *host, enum replica_event_type type, uint64_t epoch);
void kit_later_local(struct kit_host *host);
void kit_fill_local(struct kit_host *host, struct replica_local *local);
void kit_begin_epoch(struct kit_host *host, uint64_t epoch);
void kit_cut(struct kit_host *host, uint64_t lsn);
void kit_promise_kept(struct kit_host *host);
void kit_perform(struct kit *kit, struct kit_host *host, const struct replica_effect *effect);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h: the service from inside: who may touch what. Only files of this folder include it. */
#ifndef APPROVALD_SERVICE_INTERNAL_H
#define APPROVALD_SERVICE_INTERNAL_H

#include "approvald/core/audit.h"
#include "approvald/core/codec.h"
#include "approvald/core/elapsed.h"
#include "approvald/service/cards.h"
#include "approvald/service/confirm.h"
#include "approvald/service/glass.h"
#include "approvald/service/job.h"
#include "approvald/service/keys.h"
#include "approvald/service/limits.h"
#include "approvald/service/prune_clock.h"
#include "approvald/service/service.h"

struct book;
struct delegations;
struct buf;
struct metric;
struct tokens;
struct groups;
struct zones;

/* What requests say of the freezes is put right: gate_sweep.c. */
struct gate_sweep {
    bool running;
    bool has_cursor; /* else it begins with the newest request */
    struct request_id cursor;
    uint64_t due_ms; /* when it begins, or while it is running begins anew; UINT64_MAX: never */
};

/* The writer's memory of what the store says; restored when a job fails. */
struct writer_state {
    struct counts counts;
    uint64_t audit_seq; /* of the last entry, 0: none */
    uint8_t audit_head[AUDIT_HASH_SIZE];
    struct elapsed elapsed; /* for what must not be cut short */
    struct glass_seen glass;
    struct gate_sweep gate_sweep;
    struct prune_clock prune_clock;
    struct prune_clock prune_stored; /* as it is in the store */
    uint64_t prune_ahead_ms;         /* how far the wall clock is not believed, 0: it is */
    uint64_t prune_step_ms;          /* boot: last step of the clock, 0: none in this process */
    uint64_t pruned_ms;              /* boot: when pruning last had nothing left to do */
    bool prune_cursor_set;
    struct request_id prune_cursor; /* requests before it were looked at */
};

/* Written at start on the loop, afterwards touched by the writer thread alone. */
struct writer {
    struct writer_state state;
    struct buf *row;     /* owned: the value being written */
    struct buf *entry;   /* owned: an audit entry's bytes */
    struct book *book;   /* owned */
    struct zones *zones; /* owned */
    uint64_t open_count_max;
};

struct service_metrics {
    struct metric *created;
    struct metric *decided;
    struct metric *refused;
    struct metric *replayed;
    struct metric *deferred;
    struct metric *expired;
    struct metric *tick_failed;
    struct metric *pending;
    struct metric *stored;
    struct metric *inbox_depth;
    struct metric *owed;
    struct metric *dead;
    struct metric *audit_seq;
    struct metric *commit;
    struct metric *prune_ahead;
    struct metric *glass;
    struct metric *glass_last;
};

/* A claim that waits until Slack has said whether who approved still may. */
struct claim_wait {
    struct service *service;
    bool busy;
    service_request_fn *done;
    void *arg;
    enum actor_kind kind;
    enum via via;
    char user[CORE_SLACK_ID_SIZE_MAX + 1];
    char token[CORE_NAME_SIZE_MAX + 1];
    struct request_id id;
    bool bound;
    bool keyed;
    uint8_t bind_hash[32];
    uint8_t claim_hash[32];
    uint32_t try_count;
    uint64_t since_ms;
    bool late; /* not busy: its answer was not there in time, and since_ms is when it was asked */
};

struct listener {
    service_changed_fn *changed;
    void *arg;
};

struct service {
    struct writer writer; /* the writer thread's */

    /* The rest is the loop's. */
    struct storage *storage;   /* borrowed */
    const struct rng *rng;     /* borrowed */
    const struct clock *clock; /* borrowed */
    struct service_metrics metrics;
    struct tokens *tokens; /* owned */
    struct groups *groups; /* owned */
    bool has_step_up_key;  /* set before the first job: the writer reads it too */
    uint8_t step_up_key[CRYPTO_KEY_SIZE];
    struct delegations *delegations; /* owned */
    service_delegated_fn *delegated; /* or NULL */
    void *delegated_arg;
    struct buf *texts[SERVICE_TEXT_SLOT_COUNT]; /* owned: cleaned texts of the call in progress */
    service_facts_fn *facts;                    /* or NULL */
    void *facts_arg;
    service_confirm_fn *confirm; /* or NULL */
    service_certain_fn *certain; /* or NULL, with it */
    void *confirm_arg;
    struct claim_wait waits[SERVICE_CLAIM_WAIT_MAX];
    struct listener listeners[SERVICE_LISTENER_COUNT_MAX];
    size_t listener_count;
    service_doubted_fn *doubted; /* or NULL */
    void *doubted_arg;
    struct job *spare; /* owned: blocks for reuse */
    size_t spare_count;
    size_t job_count; /* under way */
    struct counts counts;
    struct glass_seen glass;
    uint64_t audit_seq;
    uint64_t deadline_ms;
    bool ticking;      /* a tick is under way */
    bool filling;      /* the book is being filled */
    bool prune_paused; /* the wall clock is not believed */
};

void service_changed(struct service *service, const struct request_id *id);
/* A message turned out to be gone or out of date; tells cards.h's listener. */
void service_doubted(struct service *service, enum service_doubt doubt);

#endif

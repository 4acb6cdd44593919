/* SPDX-License-Identifier: Apache-2.0 */
/* check_internal.h: what the checker keeps; check*.c only. */
#ifndef TESTS_SIM_CHECK_INTERNAL_H
#define TESTS_SIM_CHECK_INTERNAL_H

#include "tests/sim/check.h"
#include "tests/sim/sim.h"

#define SHADOW_COUNT_MAX 96U
#define CAS_COUNT_MAX    64U
#define TWIN_COUNT_MAX   12U
#define EPOCH_COUNT_MAX  1024U

/* A record as it is remembered: its epoch and its hash. */
struct mark {
    uint64_t epoch;
    uint64_t hash;
};

/* One store, alive or lost: what its log holds, and what of that is surely on its medium. */
struct shadow {
    uint8_t store_id[STORAGE_ID_SIZE];
    uint8_t host;
    bool dead;
    uint64_t promise;
    bool cutting; /* a cut is under way: what it acknowledges is not settled */
    uint64_t lineage;
    uint64_t last;
    uint64_t durable;
    struct mark marks[CHECK_LSN_MAX]; /* by LSN */
};

struct cas_flight {
    uint64_t number; /* 0: free */
    uint8_t host;
    uint64_t revision;
    struct register_value value;
};

struct committed {
    struct mark mark;
    uint64_t state_hash;
    uint64_t under; /* epoch of the primary that committed it */
    uint16_t size;
    uint8_t *changes; /* owned */
};

/* All records that were ever appended under an LSN. */
struct twins {
    uint64_t lineage[TWIN_COUNT_MAX];
    struct mark marks[TWIN_COUNT_MAX];
    uint32_t count;
};

/* What a host was told, for check_duty.c; of the running child. */
struct duty {
    struct contract_link link; /* zeros: nothing yet */
    uint64_t offered;          /* epoch of the last TAKE_OVER */
    uint64_t proposed;         /* epoch of the last proposal */
    uint64_t left;             /* of the register when the peer last said that it is to stop */
    uint64_t handover;         /* epoch that its supervisor wanted to hand over last */
    bool inherits; /* a CAS was unanswered when the child began: a change may be of an older one */
    bool superseded; /* a later epoch had committed when the effect under way was begun */
};

struct checker {
    struct duty duties[2];                    /* by host index */
    uint64_t commit_epoch;                    /* the highest under which anything was committed */
    struct shadow *shadows[SHADOW_COUNT_MAX]; /* owned */
    uint32_t shadow_count;
    struct shadow *live[2]; /* by host index */
    struct cas_flight flights[CAS_COUNT_MAX];
    uint64_t cas_count;
    struct register_value value; /* the true register, whatever the arbiter shows */
    bool exists;
    uint64_t granted[2]; /* epoch that the log of the running child was granted; 0: none */
    uint64_t epoch_owner[EPOCH_COUNT_MAX]; /* incarnation that appends under it */
    bool sync_failed[2];

    /* What is committed, and its fold. */
    struct committed *ledger; /* owned: by LSN */
    uint64_t commit_count;
    struct twins *twins; /* owned: by LSN */
    struct state state;
    uint64_t intent_lsn[STATE_INTENT_COUNT];

    /* What clients have seen. */
    uint64_t floors[STATE_KEY_COUNT];
    bool answered[STATE_INTENT_COUNT];
    uint16_t answer_value[STATE_INTENT_COUNT];
    enum { ANSWERED_OK, ANSWERED_CONFLICT } answer_kind[STATE_INTENT_COUNT];
    uint8_t emitted[STATE_INTENT_COUNT];
};

static inline uint64_t mark_hash(const struct record_position *position)
{
    uint64_t hash;

    memcpy(&hash, position->hash, sizeof hash);
    return hash;
}

struct shadow *shadow_find(const struct checker *checker, const uint8_t id[STORAGE_ID_SIZE]);
/* True when the store surely has the committed record. */
bool shadow_has(const struct checker *checker, const struct shadow *shadow, uint64_t lsn);
/* A new lineage begins with this host's log: what it does not hold is lost by the operator's
 * will. */
void checker_new_lineage(struct world *world, uint8_t host);

#endif

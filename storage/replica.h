/* SPDX-License-Identifier: Apache-2.0 */
/* replica.h: the replication core: what this host's log does with the other host's (docs/pair.md).
 * Pure: no I/O, no time, no randomness, no threads, no allocation. A function of its state and one
 * event; the caller performs the effects in their order, and what they lead to comes back as
 * later events. Make durable, then speak: an effect that must be durable before another is spoken
 * is waited for (PROMISE before FOLLOW, CUT before ACK), never merely put first.
 *
 * It owns, of the rules: the promise (C, G), matching and cutting (I), who is required for acks and
 * echoes (D, G), when to propose a change of the ISR (G, H), which acknowledgements and echoes
 * count (G), stepping down at a drained point (K). It never decides about authority: GRANT, SEAL
 * and REGISTER tell it. It never touches a log: it is told positions, and asks for work.
 *
 * Which isr member a commit needs is the caller's struct isr (isr.h): REQUIRE and UNREQUIRE say
 * when the peer is one. Host 0 in there is this host, member 1 the peer. */
#ifndef STORAGE_REPLICA_H
#define STORAGE_REPLICA_H

#include "base/err.h"
#include "storage/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLICA_EFFECT_COUNT_MAX 16U
#define REPLICA_REASON_SIZE      160U

struct replica_options {
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t lineage;     /* of this store; 0: an empty store, takes the first it follows */
    uint64_t incarnation; /* not 0 */
    uint8_t host;         /* 1 or 2 */
    bool strict;          /* protection = strict: never propose to go solo */
    uint32_t ping_ms;
    uint32_t silence_ms;
    uint32_t evict_ms;
    uint32_t hold_down_ms;          /* after a removal the peer is not added again before so long */
    uint64_t promised;              /* as recovered */
    struct record_position last;    /* the recovered log, already fsynced (rule A) */
    struct record_position applied; /* in LMDB */
};

enum replica_event_type {
    REPLICA_EVENT_LINK_UP,   /* a connection to the verified peer; HELLO is owed */
    REPLICA_EVENT_LINK_DOWN, /* it ended, and with it what SHIP and SNAPSHOT_SEND were at: neither
                              * SHIPPED nor SNAPSHOT_SENT of an old link comes after this */
    REPLICA_EVENT_MESSAGE,   /* u.message; its bytes are valid during the step */
    /* Commands. */
    REPLICA_EVENT_REGISTER, /* u.reg: what the register was read to say; the peer leads or nobody */
    REPLICA_EVENT_SEAL,     /* u.epoch */
    REPLICA_EVENT_GRANT,    /* u.grant; sealed before at this epoch */
    REPLICA_EVENT_REFUSED,  /* u.epoch: the proposal made under that epoch has definitely failed */
    REPLICA_EVENT_HANDOVER, /* drain done above: nothing new will be evaluated until RESUME */
    REPLICA_EVENT_RESUME,   /* the handover is over without a change */
    REPLICA_EVENT_READ,     /* a strong read waits for an echo */
    REPLICA_EVENT_DATA,     /* u.data: to be sent to the peer if the link is up */
    REPLICA_EVENT_LEAVE,    /* this process was asked to stop: the peer is told. The last event */
    /* The log. */
    REPLICA_EVENT_LOCAL,         /* u.local: any of it moved */
    REPLICA_EVENT_PROMISED,      /* u.epoch is durable */
    REPLICA_EVENT_EPOCH_BEGUN,   /* u.epoch: its start record is appended (not yet durable) */
    REPLICA_EVENT_FOUND,         /* u.found: the answer to FIND */
    REPLICA_EVENT_CUT_DONE,      /* the log ends at the wanted place, durably */
    REPLICA_EVENT_SHIPPED,       /* u.shipped */
    REPLICA_EVENT_SNAPSHOT_SENT, /* u.position: its position; SNAPSHOT_END is in the send queue */
    REPLICA_EVENT_SNAPSHOT_REFUSED, /* what SNAPSHOT_BEGIN or SNAPSHOT_PAIRS wanted did not come to
                                     * pass (mostly: no room), and the link was ended for it. After
                                     * LINK_DOWN: for a while nobody is followed */
    REPLICA_EVENT_TICK              /* time passes: at the latest at replica_deadline_ms */
};

struct replica_register {
    uint64_t epoch;
    uint64_t lineage;
    uint8_t primary; /* host; 0: unknown */
};

struct replica_grant {
    uint64_t epoch;
    uint64_t lineage;
    bool peer_in_isr;
    uint8_t peer_store_id[STORAGE_ID_SIZE]; /* when it is */
};

struct replica_local {
    struct record_position last;    /* appended */
    struct record_position durable; /* of that, fsynced */
    uint64_t lsn_commit;            /* primary: as isr says */
    struct record_position applied; /* in memory or LMDB; standby: never above commit */
    bool sync_slow;                 /* this host's own fsync is not healthy (rule H) */
};

struct replica_found {
    uint64_t lsn;
    bool readable; /* false: trimmed away, or beyond the end */
    struct record_position position;
};

struct replica_shipped {
    uint64_t lsn_next; /* everything below is in the send queue */
    bool gone;         /* lsn_next is not readable any more: only a snapshot helps */
};

struct replica_event {
    enum replica_event_type type;
    uint64_t now_ms;  /* boot clock */
    uint64_t wall_ms; /* for STATE */
    union {
        const struct message *message;
        struct replica_register reg;
        uint64_t epoch;
        struct replica_grant grant;
        struct span data;
        struct replica_local local;
        struct replica_found found;
        struct replica_shipped shipped;
        struct record_position position;
    } u;
};

enum replica_effect_type {
    REPLICA_EFFECT_SEND,        /* u.message: into the send queue */
    REPLICA_EFFECT_DROP_LINK,   /* u.reason: end the connection, reconnect later */
    REPLICA_EFFECT_PROMISE,     /* u.epoch and replica_lineage: make durable, then PROMISED. The
                                 * same epoch may be asked again, with another lineage */
    REPLICA_EFFECT_BEGIN_EPOCH, /* u.epoch: append its start record, then EPOCH_BEGUN */
    REPLICA_EFFECT_FIND,        /* u.lsn: look up the record's position, then FOUND */
    REPLICA_EFFECT_CUT,         /* u.position: cut the log behind it, durably, then CUT_DONE */
    REPLICA_EFFECT_APPEND,      /* u.bytes: the records of the message of this very step: check
                                 * the chain, append, sync; then LOCAL. A bad one: DROP_LINK. What
                                 * could not be taken at once is thrown away when replica_phase is
                                 * no more "streaming": it is of a session that is over */
    REPLICA_EFFECT_COMMIT,      /* u.lsn: standby: may be applied up to here */
    REPLICA_EFFECT_SHIP,        /* u.lsn: send APPENDs from here on, as many as the send queue takes
                                 * (at least one when there is one), then SHIPPED */
    REPLICA_EFFECT_REQUIRE,     /* the peer's acks and echoes are needed from the next record on;
                                 * then LOCAL, made after that, even when nothing moved */
    REPLICA_EFFECT_UNREQUIRE,   /* no more; what waited only for it is released */
    REPLICA_EFFECT_ACKNOWLEDGE, /* u.position: the peer has it: isr_acknowledge(1) after comparing
                                 * the hash; a different hash is fatal (HALT) */
    REPLICA_EFFECT_ECHOED,      /* u.sequence: reads that began before this ping was sent may go */
    REPLICA_EFFECT_SNAPSHOT_SEND,    /* send a snapshot, then SNAPSHOT_SENT. u.position: the end of
                                      * the standby's log; it refuses a snapshot that is lower by
                                      * (epoch, LSN), so checkpoint first where that helps */
    REPLICA_EFFECT_SNAPSHOT_BEGIN,   /* u.position: receive one: prepare incoming.mdb */
    REPLICA_EFFECT_SNAPSHOT_PAIRS,   /* u.bytes: of this step's message */
    REPLICA_EFFECT_SNAPSHOT_INSTALL, /* u.sequence pairs: make it the store; the process ends, also
                                      * when that fails: the core does nothing any more */
    REPLICA_EFFECT_STEP_DOWN,        /* a drained primary becomes a standby: no more jobs, nobody is
                                      * required any more, reads that wait are not answered */
    REPLICA_EFFECT_HALT,   /* u.reason: serve nothing, keep everything, tell; process ends */
    REPLICA_EFFECT_REPORT, /* u.report: to the layer above */
    REPLICA_EFFECT_DATA    /* u.data: came from the peer, valid during the step */
};

enum replica_report_type {
    REPLICA_REPORT_LINK,      /* u.link: something in it changed */
    REPLICA_REPORT_SEALED,    /* u.epoch */
    REPLICA_REPORT_LEADING,   /* u.epoch: its start record is committed: serve */
    REPLICA_REPORT_ADD,       /* u.proposal: peer caught up and required: CAS it in */
    REPLICA_REPORT_REMOVE,    /* u.proposal: silent, slow, or it has left: CAS it out */
    REPLICA_REPORT_DEPOSED,   /* u.epoch: the peer knows a higher epoch than mine */
    REPLICA_REPORT_DRAINED,   /* u.epoch: HANDOVER is sent */
    REPLICA_REPORT_TAKE_OVER, /* u.epoch: the peer offers (rule K) its epoch */
    REPLICA_REPORT_RESYNC     /* u.reason: applied beyond the shared log, or another lineage: a
                               * snapshot, and for another lineage the operator, is needed */
};

/* What is known of the peer. */
struct replica_link {
    bool up;           /* connected and HELLO exchanged */
    bool silent;       /* nothing heard for silence_ms (also while the link is down that long) */
    bool in_sync;      /* standby: streaming and verified; primary: the peer is required and acks */
    uint64_t heard_ms; /* boot time of the last message; 0: never in this process */
    struct message_state peer; /* as last told; zeros before HELLO */
    uint64_t lsn_acked;        /* primary: by the peer in this epoch */
    int64_t clock_ahead_ms;    /* peer's wall clock against ours when it spoke */
};

struct replica_proposal {
    uint64_t epoch;                         /* under which it is made */
    uint8_t peer_store_id[STORAGE_ID_SIZE]; /* ADD: came with the ack of the last LSN */
    uint64_t lsn;                           /* ADD: that LSN */
    bool slow;                              /* REMOVE: slow, not silent or gone */
};

struct replica_report {
    enum replica_report_type type;
    union {
        struct replica_link link;
        struct replica_proposal proposal;
        uint64_t epoch;
        char reason[REPLICA_REASON_SIZE];
    } u;
};

struct replica_effect {
    enum replica_effect_type type;
    union {
        struct message message;
        uint64_t epoch;
        uint64_t lsn;
        uint64_t sequence;
        struct record_position position;
        struct span bytes;
        struct span data;
        struct replica_report report;
        char reason[REPLICA_REASON_SIZE];
    } u;
};

struct replica_effects {
    size_t count;
    struct replica_effect items[REPLICA_EFFECT_COUNT_MAX];
};

struct replica;

/* Bytes of a struct replica: the caller places it (a simulator holds thousands). */
size_t replica_size(void);
void replica_init(struct replica *replica, const struct replica_options *options);
/* Empties *effects and fills it. */
void replica_step(struct replica *replica,
                  const struct replica_event *event,
                  struct replica_effects *effects);
/* Boot time of the next TICK that matters; UINT64_MAX: none. */
uint64_t replica_deadline_ms(const struct replica *replica);
/* Asserts what must always hold. Called by replica_step at its end. */
void replica_invariant(const struct replica *replica);

/* For the caller, checkers and status. */
enum replica_role replica_role(const struct replica *replica);
uint64_t replica_epoch(const struct replica *replica);    /* of the role; idle: 0 */
uint64_t replica_promised(const struct replica *replica); /* durable */
uint64_t replica_lineage(const struct replica *replica);  /* as the last PROMISE took it */
bool replica_requires_peer(const struct replica *replica);
uint64_t replica_ping_sequence(const struct replica *replica); /* of the last PING sent */
void replica_link(const struct replica *replica, struct replica_link *ret_link);
/* Standby: boot time before which nobody is followed, because the last snapshot could not be taken.
 * 0: none was refused since the log last went on without one. */
uint64_t replica_snapshot_retry_ms(const struct replica *replica);
/* A word for the phase of the role, for status and traces: "matching", "streaming", … */
const char *replica_phase(const struct replica *replica);

#endif

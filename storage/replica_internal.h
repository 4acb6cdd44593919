/* SPDX-License-Identifier: Apache-2.0 */
/* replica_internal.h: the state of the replication core, shared by its files only:
 *
 * replica.c          the step: events, effects, deadlines
 * replica_link.c     the link, what is known of the peer, silence
 * replica_authority.c  promise, seal, grant: under which epoch this host may speak
 * replica_standby.c  following: promise, answer probes, cut, append, acknowledge, echo, snapshot
 * replica_primary.c  leading: the epoch's start, LEAD, pings and echoes, ships, handover
 * replica_match.c    the primary's search for the last place that both logs share
 * replica_member.c   who is required; proposals to change the ISR
 *
 * Each x_on_* handles one event or message; each x_check does what has become due or possible, is
 * called at the end of every step and may be called at any time. */
#ifndef STORAGE_REPLICA_INTERNAL_H
#define STORAGE_REPLICA_INTERNAL_H

#include "storage/mutant.h"
#include "storage/replica.h"

#include <stdbool.h>
#include <stdint.h>

/* Marks of when records were appended: enough to tell the age of the oldest unacknowledged one to a
 * sixteenth of evict_ms, over twice evict_ms. */
#define MARK_COUNT_MAX 32U
#define MARK_SHARE     16U

/* As standby. The order matters: from MATCHING on the session's epoch is promised. */
enum standby_phase {
    STANDBY_NONE,      /* no session */
    STANDBY_PROMISING, /* LEAD is accepted, its epoch not yet durably promised */
    STANDBY_MATCHING,  /* FOLLOW is sent */
    STANDBY_RESYNC,    /* has applied what the primary does not have: only a snapshot helps */
    STANDBY_SNAPSHOT,  /* receiving one */
    STANDBY_CUTTING,
    STANDBY_STREAMING
};

struct standby {
    enum standby_phase phase;
    struct message_lead lead;   /* the session's */
    bool lead_held;             /* a LEAD that cannot be judged or followed yet */
    struct message_lead held;   /* that one */
    uint64_t led_epoch;         /* the last epoch followed in this process, and who led it */
    uint64_t led_incarnation;   /* … */
    bool find_wanted;           /* FOUND is to be sent as PLACE */
    struct record_position cut; /* CUTTING: the place */
    uint64_t lsn_commit;        /* as the session's primary said last */
    uint64_t lsn_commit_told;   /* highest COMMIT in this process */
    uint64_t lsn_acked;         /* in this session */
    uint64_t pair_count;        /* SNAPSHOT: at least so many came */
    /* A snapshot that could not be taken; kept from session to session. */
    uint64_t snapshot_retry_ms; /* no LEAD is followed before; 0: none was refused */
    uint64_t snapshot_pause_ms; /* how long it was waited last */
};

/* The peer's session, as primary. */
enum session_phase {
    SESSION_NONE,
    SESSION_ASKED,    /* LEAD is sent */
    SESSION_MATCHING, /* from here on it follows: pings go */
    SESSION_CUTTING,  /* CUT is sent */
    SESSION_STREAMING,
    SESSION_BEHIND,  /* needs a snapshot that is not begun yet */
    SESSION_SNAPSHOT /* one is being sent, or sent: the peer's process ends with it */
};

struct session {
    enum session_phase phase;
    uint8_t store_id[STORAGE_ID_SIZE];
    struct record_position last; /* at its FOLLOW */
    struct record_position applied;
    bool verified;                /* has acknowledged the cut: its acknowledgements count */
    struct record_position acked; /* in this session */
    uint64_t lsn_goal;            /* what was committed when the last ping was sent */
    /* The search: equal at low, unequal (or nothing) at lsn_high; the question is lsn_asked. */
    struct record_position low;
    struct record_position theirs; /* their record at lsn_asked */
    uint64_t lsn_high;
    uint64_t lsn_asked;
    bool probed;      /* PROBE is unanswered */
    bool find_wanted; /* FOUND belongs to this search */
    /* Shipping. */
    uint64_t lsn_ship; /* next to be shipped */
    bool ship_busy;    /* SHIP is unanswered */
    bool ship_stale;   /* … and was for an earlier session */
    bool snapshot_busy;
};

enum handover { HANDOVER_NONE, HANDOVER_DRAINING, HANDOVER_DRAINED };

struct primary {
    struct replica_grant grant; /* the one in force */
    bool beginning;             /* BEGIN_EPOCH is not answered */
    bool serving;               /* LEADING is reported */
    bool deposed;               /* keeps quiet until the process ends */
    uint64_t lsn_start;         /* a record of this epoch at or behind its start record; 0: none */
    uint64_t ping_sequence;
    uint64_t ping_sent_ms;
    uint64_t echoed; /* highest sequence */
    uint64_t early;  /* the ping that carries the reads that wait */
    bool read_more;  /* reads came since it was sent */
    enum handover handover;
    struct record_position drained; /* where */
    struct session session;
};

enum addition {
    ADDITION_NONE,
    ADDITION_REQUIRED, /* required; where that began is not known yet, or not acknowledged */
    ADDITION_PROPOSED  /* may land at any time until it is definitely refused */
};

struct mark {
    uint64_t lsn_first; /* records from here to the next mark … */
    uint64_t ms;        /* … were appended at this time, or a little later */
};

struct member {
    bool required;
    uint8_t store_id[STORAGE_ID_SIZE]; /* whose acknowledgements count */
    enum addition addition;
    bool position_known;             /* ADDITION_REQUIRED: LOCAL has come since REQUIRE */
    struct record_position position; /* the last record from before, or later */
    uint64_t required_ms;
    uint64_t heard_ms;   /* from that store, or when it became required */
    bool left;           /* it said that it stops, and nothing since */
    uint64_t echo_ms;    /* as heard_ms, an echo */
    bool removing;       /* REMOVE is proposed and neither granted nor refused */
    uint64_t propose_ms; /* not before */
    uint32_t mark_count;
    struct mark marks[MARK_COUNT_MAX];
};

struct replica {
    struct replica_options options;  /* lineage: the present one */
    struct replica_effects *effects; /* borrowed for the step */
    uint64_t now_ms;
    uint64_t wall_ms;
    bool halted;     /* HALT, SNAPSHOT_INSTALL or LEAVE: the process ends */
    bool step_begun; /* now_ms is of a step */

    enum replica_role role;
    uint64_t epoch; /* of the role */
    struct replica_local local;

    uint64_t promised;     /* durable */
    uint64_t promising;    /* highest asked for */
    uint32_t promise_busy; /* PROMISE without PROMISED */
    uint64_t own_epoch;    /* highest sealed or granted: no other may lead it */
    bool seal_wanted;      /* SEALED is owed for own_epoch */
    bool grant_held;
    struct replica_grant held;
    bool register_read;
    struct replica_register reg;
    uint32_t find_busy; /* FIND without FOUND */
    bool cut_busy;      /* CUT without CUT_DONE */

    bool connected;            /* LINK_UP */
    bool greeted;              /* their HELLO is accepted */
    bool dropping;             /* DROP_LINK: deaf until LINK_DOWN */
    uint64_t quiet_ms;         /* since when nothing was heard, while we were awake */
    struct message_state said; /* our last HELLO or STATE on this link */
    uint64_t said_ms;
    struct replica_link link;
    struct replica_link reported;
    char bye[REPLICA_REASON_SIZE];

    struct standby standby;
    struct primary primary;
    struct member member;
};

/* ---- replica.c ---- */

/* The next place in the effects; the caller fills the union. */
struct replica_effect *replica_add(struct replica *r, enum replica_effect_type type);
struct message *replica_send(struct replica *r, enum message_type type);
struct replica_report *replica_say(struct replica *r, enum replica_report_type type);
/* Copies the reason to REPLICA_REASON_SIZE bytes. */
void replica_reason(char *at, const char *reason);
void replica_halt(struct replica *r, const char *reason);
void replica_resync(struct replica *r, const char *reason);
bool replica_same_id(const uint8_t *a, const uint8_t *b);
bool replica_same_record(const struct record_position *a, const struct record_position *b);
/* Compares by (epoch, LSN) as rule A does: negative, 0, positive. */
int replica_compare(const struct record_position *a, const struct record_position *b);

/* ---- replica_link.c ---- */

void link_on_up(struct replica *r);
void link_on_down(struct replica *r);
void link_on_message(struct replica *r, const struct message *message);
void link_on_leave(struct replica *r);
/* Says BYE, ends the link and all that went over it. */
void replica_drop(struct replica *r, const char *reason);
/* Sends STATE. */
void replica_state(struct replica *r);
/* Sends STATE when the peer does not know our role, epoch, promise or lineage. */
void replica_state_check(struct replica *r);
void link_check(struct replica *r);

/* ---- replica_authority.c ---- */

void authority_on_seal(struct replica *r, uint64_t epoch);
void authority_on_grant(struct replica *r, const struct replica_grant *grant);
void authority_on_promised(struct replica *r, uint64_t epoch);
void authority_ask(struct replica *r, uint64_t epoch);
/* True when words at the epoch keep the promise: it is durable and no higher one is under way. */
bool authority_allows(const struct replica *r, uint64_t epoch);
void authority_check(struct replica *r);

/* ---- replica_standby.c ---- */

void standby_on_lead(struct replica *r, const struct message_lead *lead);
void standby_on_message(struct replica *r, const struct message *message);
void standby_on_found(struct replica *r, const struct replica_found *found);
void standby_on_cut_done(struct replica *r);
void standby_on_snapshot_refused(struct replica *r);
/* True while a LEAD is held for no other reason than a refused snapshot. */
bool standby_holds(const struct replica *r);
void standby_end(struct replica *r);
void standby_check(struct replica *r);

/* ---- replica_primary.c ---- */

void primary_begin(struct replica *r, const struct replica_grant *grant);
/* It is none any more (STEP_DOWN). */
void primary_end(struct replica *r);
void primary_on_begun(struct replica *r, uint64_t epoch);
void primary_on_message(struct replica *r, const struct message *message);
void primary_on_shipped(struct replica *r, const struct replica_shipped *shipped);
void primary_on_snapshot_sent(struct replica *r);
void primary_on_handover(struct replica *r);
void primary_on_resume(struct replica *r);
void primary_on_read(struct replica *r);
/* The peer's session ends: another epoch, or the link's end. */
void primary_session_end(struct replica *r, bool link_ended);
/* Leads over the link when there is one. */
void primary_lead(struct replica *r);
/* The peer knows this epoch. */
void primary_hears_epoch(struct replica *r, uint64_t epoch);
void primary_depose(struct replica *r, uint64_t epoch);
void primary_check(struct replica *r);

/* ---- replica_match.c ---- */

void match_begin(struct replica *r);
void match_on_place(struct replica *r, const struct message_place *place);
void match_on_found(struct replica *r, const struct replica_found *found);
void match_behind(struct replica *r);
void match_check(struct replica *r);

/* ---- replica_member.c ---- */

void member_grant(struct replica *r, const struct replica_grant *grant, bool first);
void member_on_refused(struct replica *r, uint64_t epoch);
void member_on_local(struct replica *r, uint64_t lsn_last_before);
/* A message came over the link. */
void member_heard(struct replica *r);
/* BYE: the peer's process stops by itself. */
void member_left(struct replica *r);
/* This process slept so long: nobody can be blamed for it. */
void member_slept(struct replica *r, uint64_t gap_ms);
/* The peer's session has ended with its link. */
void member_lost(struct replica *r);
void member_acknowledged(struct replica *r, uint64_t lsn);
void member_require(struct replica *r, const uint8_t store_id[STORAGE_ID_SIZE]);
void member_unrequire(struct replica *r);
/* True when what the standby's store says counts. */
bool member_counts(const struct replica *r);
uint64_t member_deadline_ms(const struct replica *r);
void member_check(struct replica *r);

#endif

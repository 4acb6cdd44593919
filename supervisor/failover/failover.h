/* SPDX-License-Identifier: Apache-2.0 */
/* failover.h: decides whether this host may write (docs/pair.md). Pure: no I/O, no time, no
 * randomness. It owns, of the rules: start (A), promotion (C), unresolved CAS (D), arbiters without
 * a linearizable register (E), forced promotion (F), carrying out what the logs propose (G, H),
 * handover (K), and the eligibility for the virtual IP (M). It never parses, never touches a log,
 * and never calls a host dead: it only ever changes the register, and obeys it.
 *
 * One CAS is under way at most. An attempt whose fate is unknown is tried again (new nonce, same
 * revision) until a definite answer; the old value in a read resolves nothing. A seek of unknown
 * fate rests while nobody here wants to lead (no child, safe mode, maintenance, a peer that leads):
 * it stays unresolved, and nothing else is CASed.
 *
 * The shell's part: the first event is START. Of a step's effects those that give up (ELIGIBLE
 * false, REVOKE) are performed first: giving up needs no durability, and a disk that hangs must not
 * hold it up. The others follow in their order: granting waits for PERSIST. Each READ and each CAS
 * gets exactly one event of that kind, with an outcome even when nothing came back (a CAS: UNKNOWN,
 * with its nonce); at most one of each is under way. REVOKE kills the child, whose later words are
 * dropped; CHILD_UP tells the next one. After each step failover_deadline_ms says when TICK is due
 * at the latest. Times are of the boot clock, from 1.
 *
 * Each COMMAND is replied to in its own step: done, begun, or refused with the reason. How a begun
 * one ends is told by CHANGED and the status.
 *
 * Rule E (linearizable = false). A host is OUTDATED from every start of the supervisor or of
 * approvald until it leads, or has been, in this life, in the ISR and in sync with a leading peer;
 * and again from each return of the link until it is in sync. Silence alone does not make it so:
 * then it is the host that may lead once the peer is confirmed off. An OUTDATED host beside a peer
 * in the ISR that it cannot reach never seeks, PEER_OFF or not: another host may have gone on with
 * the operator's word, and only a forced promotion (another lineage) may contradict it. With the
 * peer there, both in the ISR, it may seek: the logs are compared, and the arbiter asks the peer.
 * Alone in the ISR it may seek: the arbiter asks the operator (REFUSED until confirmed). On the
 * disk in_sync is true only while the link lives too, and false from each start: it tells the
 * operator how good this host's log was when it was last heard.
 *
 * A fence device may take the operator's place (fences; fence.h): FENCE says when the other host is
 * wanted off, which is never for a host that may be OUTDATED, nor while the other one is heard;
 * PEER_OFF is given when it is off. EVENT_FENCE tells how that is going, for people.
 *
 * An arbiter that is another one, went back or lost the register is ARBITER_WRONG and counts as
 * unavailable from then on. RESEED, given while it answers, ends that: on the host that leads and
 * hears who is in its ISR (it writes that ISR, an addition of unknown fate included); without a
 * primary on the host with the later log end while the peer is there (ISR {self}); on the other
 * host then again, to accept what the first has written; on a host whose store is named there by a
 * reseed that it has not heard of, to accept that; and, after PEER_OFF, on a host without its peer:
 * ISR {self} and another lineage. The epoch is raised by more than the old arbiter may have given
 * away unheard. */
#ifndef SUPERVISOR_FAILOVER_FAILOVER_H
#define SUPERVISOR_FAILOVER_FAILOVER_H

#include "supervisor/failover/register.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAILOVER_EFFECT_COUNT_MAX 16U
#define FAILOVER_REASON_SIZE      160U
#define FAILOVER_VIP_STAY_MS      200U /* after a handover, until the virtual IP follows */
/* At the latest, when calls that were passed on wait for their answer: who is not answered
 * meanwhile (SUP_RELAY_MS) connects again after a second, and has to find the new primary then. */
#define FAILOVER_VIP_STAY_MS_MAX 900U
#define FAILOVER_VIP_LAST_MS     20U /* for an answer to leave before the address goes */
#define FAILOVER_NONCE_COUNT     64U /* of one unresolved change that are remembered */

struct failover_options {
    uint8_t cluster_id[REGISTER_ID_SIZE];
    uint8_t host;
    bool alone;             /* a single host without peer and arbiter: grants itself */
    bool linearizable;      /* the arbiter's reads are (etcd); false: manual, fence (rule E) */
    bool fences;            /* not linearizable: a device is asked before the operator is */
    bool strict;            /* protection = strict: a peer that leaves stays in the ISR */
    uint32_t bias_ms;       /* a standby waits so long after silence before it CASes itself in */
    uint32_t start_wait_ms; /* after a start a peer in the ISR is waited for so long */
    uint32_t takeover_ms;   /* a peer that should seek is given so long */
    uint32_t read_ms;       /* between two reads of the register while one is needed */
    uint32_t idle_read_ms;  /* while none is: so late at most is a lost arbiter noticed */
    uint32_t retry_ms;      /* between two tries of an unresolved CAS */
    uint32_t handover_ms;   /* a planned handover must change the register in this time */
};

/* What survives a restart of the supervisor; made durable (PERSIST) before it is acted on. */
struct failover_memory {
    uint64_t epoch;      /* the highest ever seen in the register */
    uint64_t lineage;    /* of that register; 0: none seen */
    uint64_t nonce;      /* of that register: the same epoch with another value is not the truth */
    uint64_t revision;   /* the arbiter's highest */
    uint64_t arbiter_id; /* the arbiter's identity; 0: none seen */
    bool in_sync;        /* rule E: was this host in sync until its end? For the operator */
    bool maintenance;    /* the admin's: never seek authority */
};

enum failover_read {                    /* how a read or a CAS ended */
                     FAILOVER_DONE,     /* read: value is there; CAS: it has happened */
                     FAILOVER_ABSENT,   /* there is no register */
                     FAILOVER_CONFLICT, /* CAS: definitely not happened; value is the current one */
                     FAILOVER_NOT_SENT, /* definitely nothing happened: the arbiter was not reached
                                         */
                     FAILOVER_UNKNOWN,  /* CAS: it may have happened, or may yet */
                     FAILOVER_REFUSED   /* read or CAS: the arbiter will not (manual: the operator
                                           must confirm) */
};

struct failover_answer {
    enum failover_read outcome;
    struct register_value value; /* DONE, CONFLICT */
    uint64_t revision;           /* of that value; etcd: mod_revision */
    uint64_t revision_head;      /* the arbiter's own, for regressions */
    uint64_t arbiter_id;
    uint64_t nonce; /* CAS: which attempt is answered */
    bool split;     /* REFUSED: both hosts were changed alone (manual) */
};

enum failover_event_type {
    FAILOVER_EVENT_START,      /* u.memory: as read from the disk */
    FAILOVER_EVENT_READ,       /* u.answer */
    FAILOVER_EVENT_CAS,        /* u.answer */
    FAILOVER_EVENT_CHILD_UP,   /* u.child: approvald has recovered its log and says what it holds */
    FAILOVER_EVENT_CHILD_DOWN, /* it ended, or is being ended */
    FAILOVER_EVENT_SEALED,     /* u.epoch */
    FAILOVER_EVENT_LEADING,    /* u.epoch: serving */
    FAILOVER_EVENT_LINK,       /* u.link */
    FAILOVER_EVENT_ADD,        /* u.proposal */
    FAILOVER_EVENT_REMOVE,     /* u.proposal */
    FAILOVER_EVENT_DEPOSED,    /* u.epoch: the peer knows this higher one */
    FAILOVER_EVENT_DRAINED,    /* u.epoch: ready to be taken over */
    FAILOVER_EVENT_TAKE_OVER,  /* u.epoch: the peer offers its epoch */
    FAILOVER_EVENT_LEAVES,     /* the peer's supervisor is to stop, and waits to be taken out */
    FAILOVER_EVENT_SAFE_MODE,  /* u.safe: the watch core: this host must not lead, and why */
    FAILOVER_EVENT_VRRP_HINT,  /* the peer has stopped to send VRRP adverts: look sooner */
    FAILOVER_EVENT_VIP,        /* u.vip_here: the virtual IP has come to this host, or gone */
    FAILOVER_EVENT_RELAYING,   /* u.relaying: what was passed on to the peer is not answered yet */
    FAILOVER_EVENT_QUIET,      /* u.quiet: the child misses its check-ins, or is heard again */
    FAILOVER_EVENT_COMMAND,    /* u.command */
    FAILOVER_EVENT_FENCE,      /* u.fence: how the fence devices are, or what became of a FENCE */
    FAILOVER_EVENT_TICK
};

struct failover_child {
    uint64_t incarnation;
    uint8_t store_id[REGISTER_ID_SIZE];
    uint64_t lineage; /* of the store; 0: empty */
    uint64_t promised;
    uint64_t last_epoch;
    uint64_t last_lsn;
};

/* What this host's log knows of the peer's. */
struct failover_link {
    bool up;
    bool silent;
    bool in_sync;
    bool peer_leads; /* it says that it is primary, under peer_epoch */
    uint64_t peer_epoch;
    uint64_t peer_promised;
    uint64_t peer_incarnation;
    uint8_t peer_store_id[REGISTER_ID_SIZE];
    uint64_t peer_lineage;
    uint64_t peer_last_epoch;
    uint64_t peer_last_lsn;
    uint64_t last_epoch; /* ours, now; last_lsn 0: not told, as it was at CHILD_UP */
    uint64_t last_lsn;
};

struct failover_proposal {
    uint64_t epoch;
    uint8_t peer_store_id[REGISTER_ID_SIZE];
    bool slow;
};

enum failover_fence {
    FAILOVER_FENCE_READY,   /* the devices answer */
    FAILOVER_FENCE_TROUBLE, /* some do not, or are not believed: reason */
    FAILOVER_FENCE_RUNNING,
    FAILOVER_FENCE_FAILED, /* not confirmed: reason; it goes on trying */
    FAILOVER_FENCE_WAITING /* the other host was stopped, and is given time to come back */
};

enum failover_command {
    FAILOVER_SWITCHOVER,  /* on either host: the primary hands over to the standby */
    FAILOVER_FORCE,       /* promote with a new lineage; the peer is confirmed off (rule F) */
    FAILOVER_FORCE_OTHER, /* likewise, of a store that is not of the register's lineage: that is
                             gone */
    FAILOVER_PEER_OFF,    /* the operator confirms that the peer is off; until it is heard */
    FAILOVER_BOOTSTRAP,   /* create the register: ISR {self}; done already where there is one */
    FAILOVER_RESEED,      /* a new arbiter: write the register that both hosts agree on */
    FAILOVER_MAINTENANCE_ON,
    FAILOVER_MAINTENANCE_OFF,
    FAILOVER_REJOIN /* this host gives up its store's lineage: resync by snapshot */
};

struct failover_event {
    enum failover_event_type type;
    uint64_t now_ms; /* boot clock */
    uint64_t
        random; /* a fresh draw with every event: nonce or lineage of what this step may begin */
    union {
        struct failover_memory memory;
        struct failover_answer answer;
        struct failover_child child;
        struct failover_link link;
        struct failover_proposal proposal;
        uint64_t epoch;
        struct {
            bool on;
            char reason[FAILOVER_REASON_SIZE];
        } safe;
        bool vip_here;
        bool relaying;
        bool quiet;
        enum failover_command command;
        struct {
            enum failover_fence how;
            char reason[FAILOVER_REASON_SIZE];
        } fence;
    } u;
};

/* A compare-and-swap: value takes the place of before, if that still stands there under revision.
 * Both count: an arbiter that was restored from a backup counts the same revisions again. */
struct failover_cas {
    struct register_value value;
    struct register_value before; /* nothing when revision is 0 */
    uint64_t revision;            /* 0: create if absent (bootstrap, reseed) */
};

enum failover_effect_type {
    FAILOVER_EFFECT_PERSIST,  /* u.memory: durable before the effects behind it */
    FAILOVER_EFFECT_READ,     /* linearizably, then EVENT_READ */
    FAILOVER_EFFECT_CAS,      /* u.cas, then EVENT_CAS */
    FAILOVER_EFFECT_REGISTER, /* u.value: tell the child what the register says; its primary may be
                               * this host, which does not lead then */
    FAILOVER_EFFECT_SEAL,     /* u.epoch */
    FAILOVER_EFFECT_GRANT,    /* u.value: its epoch, lineage and ISR */
    FAILOVER_EFFECT_REFUSED,  /* u.epoch: the child's proposal has definitely failed */
    FAILOVER_EFFECT_HANDOVER, /* to the child: drain and offer */
    FAILOVER_EFFECT_RESUME,
    FAILOVER_EFFECT_REVOKE, /* u.reason: end the child now (kill), then start it again */
    FAILOVER_EFFECT_RESYNC, /* the child's store is to be set aside and fetched anew (REJOIN) */
    FAILOVER_EFFECT_ASK_HANDOVER, /* the peer is asked to hand over: the virtual IP is here */
    FAILOVER_EFFECT_ELIGIBLE,     /* u.eligible: may hold the virtual IP (rule M) */
    FAILOVER_EFFECT_CHANGED, /* u.reason: role, epoch or ISR changed, and why: log and status */
    FAILOVER_EFFECT_ALARM,   /* u.alarm: begun, over, or on for another reason than before */
    FAILOVER_EFFECT_REPLY,   /* u.reply: to the operator's command */
    FAILOVER_EFFECT_FENCE    /* u.fence: the other host is (not) wanted off: begun, over, or by a
                              * host that leads meanwhile, or no longer does */
};

enum failover_alarm {
    FAILOVER_ALARM_UNPROTECTED, /* solo */
    FAILOVER_ALARM_ARBITER_DOWN,
    FAILOVER_ALARM_ARBITER_WRONG, /* wiped, restored from an old copy, or another one */
    FAILOVER_ALARM_NEEDS_OPERATOR,
    FAILOVER_ALARM_COUNT
};

struct failover_effect {
    enum failover_effect_type type;
    union {
        struct failover_memory memory;
        struct failover_cas cas;
        struct register_value value;
        uint64_t epoch;
        bool eligible;
        char reason[FAILOVER_REASON_SIZE];
        struct {
            enum failover_alarm which;
            bool on;
            char reason[FAILOVER_REASON_SIZE];
        } alarm;
        struct {
            bool ok;
            char reason[FAILOVER_REASON_SIZE];
        } reply;
        struct {
            bool on;
            bool leads; /* this host does: it goes first */
        } fence;
    } u;
};

struct failover_effects {
    size_t count;
    struct failover_effect items[FAILOVER_EFFECT_COUNT_MAX];
};

enum failover_role {
    FAILOVER_WAITING, /* no register read, no child, or nothing that may be done yet */
    FAILOVER_STANDBY,
    FAILOVER_SEEKING, /* a CAS for authority is under way */
    FAILOVER_SEALING, /* it succeeded; the child seals */
    FAILOVER_PRIMARY, /* granted */
    FAILOVER_HANDING_OVER,
    FAILOVER_HALTED /* needs the operator */
};

/* For status. */
struct failover_status {
    enum failover_role role;
    bool serving; /* primary, and the child says so */
    bool register_known;
    struct register_value value;
    uint64_t revision;
    bool cas_unresolved;
    bool eligible;
    bool maintenance;
    bool safe_mode;
    bool alarms[FAILOVER_ALARM_COUNT];
    char reason[FAILOVER_REASON_SIZE]; /* of the last change, or what is waited for */
    uint64_t changed_ms;               /* boot time of the last change */
};

struct failover;

/* Bytes of a struct failover: the caller places it (a simulator holds thousands). */
size_t failover_size(void);
void failover_init(struct failover *failover, const struct failover_options *options);
/* Empties *effects and fills it. */
void failover_step(struct failover *failover,
                   const struct failover_event *event,
                   struct failover_effects *effects);
/* Boot time of the next TICK that matters; UINT64_MAX: none. */
uint64_t failover_deadline_ms(const struct failover *failover);
/* Asserts what must always hold. Called by failover_step at its end. */
void failover_invariant(const struct failover *failover);
void failover_status(const struct failover *failover, struct failover_status *ret_status);
const char *failover_role_word(enum failover_role role);

#endif

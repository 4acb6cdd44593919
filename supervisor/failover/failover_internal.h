/* SPDX-License-Identifier: Apache-2.0 */
/* failover_internal.h: what the files of the failover core share. Nobody else includes it.
 *
 *   failover.c           life, dispatch, invariant
 *   failover_arbiter.c   reads, CAS attempts, what an answer means (D, 14)
 *   failover_seek.c      whether to seek authority, and when (A, C, E)
 *   failover_primary.c   authority: seal, grant, revoke, proposals, handover (C, G, H, K)
 *   failover_command.c   the operator's commands (F, reseed)
 *   failover_tell.c      effects, alarms, status
 *   failover_fence.c     when the other host is wanted off (E)
 *   failover_vip.c       the virtual IP (M) */
#ifndef SUPERVISOR_FAILOVER_FAILOVER_INTERNAL_H
#define SUPERVISOR_FAILOVER_FAILOVER_INTERNAL_H

#include "supervisor/failover/failover.h"
#include "supervisor/failover/mutant.h"

/* After a handover that changed nothing another one on our own account waits so many handover_ms:
 * each stops writing for a moment. */
#define FAILOVER_HANDOVER_PAUSES 10U

/* No pair gets there: every change of the register raises the epoch, by 2^20 at most. An arbiter
 * that says a higher one is a wrong one; from here on no sum of what it says overflows. */
#define FAILOVER_EPOCH_MAX (1ULL << 62U)

enum change_kind {
    CHANGE_NONE,
    CHANGE_SEEK,
    CHANGE_ADD,
    CHANGE_REMOVE,
    CHANGE_BOOTSTRAP,
    CHANGE_FORCE,
    CHANGE_RESEED
};

/* The one change of the register that this host tries to make. */
struct change {
    enum change_kind kind;
    bool unresolved;      /* the fate of an attempt is unknown */
    bool tried;           /* an attempt was made */
    bool slow;            /* REMOVE: the peer is slow, not silent */
    uint64_t incarnation; /* for which it is made */
    uint64_t proposed;    /* ADD, REMOVE: the epoch of the child's proposal */
    uint64_t revision;    /* expected; 0: none */
    uint64_t retry_ms;    /* not before */
    struct register_value value;
    struct register_value before; /* under that revision: what the change is made of */
    size_t nonce_count;
    uint64_t nonces[FAILOVER_NONCE_COUNT]; /* of attempts that may have landed */
};

/* What an answer may not fall below: as known when its question was asked. */
struct floor {
    uint64_t epoch;
    uint64_t revision;
};

enum authority_phase {
    AUTHORITY_NONE,
    AUTHORITY_SEALING, /* our CAS took it; the child seals */
    AUTHORITY_GRANTED
};

enum handover_phase {
    HANDOVER_NONE,
    HANDOVER_DRAINING,
    HANDOVER_DRAINED,
    HANDOVER_MOVED /* the register names the peer: it is to lead soon */
};

struct failover {
    struct failover_options options;
    struct failover_memory memory;
    struct failover_memory persisted;

    /* The event under way. */
    uint64_t now_ms;
    uint64_t random;
    struct failover_effects *effects;
    uint64_t deadline_ms;

    /* The register. */
    struct register_value value;
    uint64_t revision;
    uint64_t head;     /* the arbiter's highest revision */
    uint64_t moved_ms; /* when the peer took it and has not led since; 0: not so */

    /* The arbiter. */
    struct failover_answer foreign_answer;
    struct floor read_floor;
    uint64_t read_ms; /* when the last one was asked for or answered */
    uint64_t cas_nonce;
    struct floor cas_floor;
    uint64_t cas_not_before_ms;
    struct change change;

    /* The child. */
    struct failover_child child;
    uint64_t child_ms; /* when it came up */
    struct failover_link link;
    uint64_t silent_ms;
    uint64_t orphan_ms; /* since when a peer is there that does not lead; 0: none */
    uint64_t offer_epoch;
    uint64_t offer_ms;
    uint64_t told_epoch; /* of the last REGISTER */

    /* Authority. */
    struct register_value authority;
    uint64_t sealed;      /* by this incarnation */
    uint64_t granted;     /* epoch of the last GRANT to this incarnation; 0: none */
    uint64_t granted_to;  /* incarnation */
    uint64_t handover_ms; /* its deadline */
    uint64_t handover_pause_ms;
    uint64_t mute_ms;       /* since when the mirror refuses while the peer is heard; 0: not so */
    uint64_t leaderless_ms; /* barred: since when nobody leads; 0: not so */
    uint64_t
        stalled_ms; /* since when what leads here needs a peer that is not in sync; 0: not so */

    /* The operator's, and the watch core's. */
    char safe_reason[FAILOVER_REASON_SIZE];

    /* The virtual IP. */
    bool vip_here;
    bool quiet;        /* the child is up, and misses its check-ins */
    uint64_t stray_ms; /* since when it is here while the peer serves; 0: not so */
    bool stray_asked;
    uint64_t handed_ms;     /* when a handover has happened that the address is to follow */
    uint64_t yield_from_ms; /* not eligible from then … */
    uint64_t yield_ms;      /* … to then */

    /* The fence. */
    enum failover_fence fence_how;
    uint64_t fence_ms; /* since when it is wanted; 0: it is not */
    char fence_reason[FAILOVER_REASON_SIZE];

    /* What was told. */
    uint64_t role_epoch;
    char reason[FAILOVER_REASON_SIZE];
    uint64_t changed_ms;
    const char *waits; /* for what; NULL: for nothing */
    char waits_room[FAILOVER_REASON_SIZE];
    char alarm_reasons[FAILOVER_ALARM_COUNT][FAILOVER_REASON_SIZE];

    /* Yes or no, and phases: behind everything else, so that the struct has no holes. */
    bool started;
    /* Of the register: */
    bool known;  /* value is what the register was last seen to be */
    bool absent; /* the last trusted answer: there is none */
    /* Of the arbiter: */
    bool down;        /* the last request had no answer */
    bool wrong;       /* latched: only RESEED ends it */
    bool refused;     /* the last read: it asks for the operator */
    bool cas_refused; /* the last CAS, likewise */
    bool refused_off; /* and it was refused although the operator had said that the peer is off */
    bool split;       /* the last refusal: both hosts were changed alone */
    bool foreign;     /* the last answer that was not trusted, for RESEED */
    bool read_out;
    bool read_counts; /* it was asked for after CHILD_UP */
    bool read_now;
    bool cas_out;
    /* Of the child: */
    bool child_up;
    bool fresh; /* the register was read for this incarnation */
    bool heard; /* the link was alive in this incarnation */
    bool hint;
    bool relaying; /* calls that it has passed on wait for the peer */
    bool offered;
    bool synced; /* rule E: in sync without a break in this life */
    /* Of the authority: */
    enum authority_phase phase;
    bool leading; /* the child serves under the authority's epoch */
    bool barred;  /* a CAS was lost: no virtual IP until read in the ISR (rule M) */
    enum handover_phase handover;
    /* Of the operator and the watch core: */
    bool safe_mode;
    bool peer_off;
    /* Of the fence, the others as told: */
    bool fence_asked; /* wanted now */
    bool fence_on;
    bool fence_leads;
    /* Of what was told: */
    bool eligible;
    bool eligible_told;
    bool alarms[FAILOVER_ALARM_COUNT];
    enum failover_role role;
    bool changed;
    bool needs_operator;
};

static inline uint8_t peer_host(const struct failover *f)
{
    return host_other(f->options.host);
}

static inline const struct register_member *peer_member(const struct failover *f)
{
    return &f->value.isr[peer_host(f) - 1];
}

/* failover_tell.c */
struct failover_effect *effect_add(struct failover *f, enum failover_effect_type type);
void effect_epoch(struct failover *f, enum failover_effect_type type, uint64_t epoch);
void effect_reply(struct failover *f, bool ok, const char *reason);
/* Remembers why: told with the step's CHANGED. */
void say(struct failover *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What this host waits for; needs_operator: only a person can end it. */
void wait_for(struct failover *f, const char *what, bool needs_operator);
/* Likewise, with numbers in it; for a person. */
void wait_for_operator(struct failover *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum failover_role role_of(const struct failover *f);
void tell_register(struct failover *f);
void tell_alarms(struct failover *f);
void tell_changed(struct failover *f);
void tell_persist(struct failover *f);

/* True when at_ms has come; else the deadline is at_ms at the latest. */
bool due(struct failover *f, uint64_t at_ms);
bool link_alive(const struct failover *f);
/* This child's store is in the ISR of the register as last read. */
bool in_isr(const struct failover *f);
/* The ISR has the peer, and nothing says that its disk is another one. */
bool peer_in_isr(const struct failover *f);
/* The peer leads under the register's epoch, or will learn of it before it matters. */
bool peer_leads(const struct failover *f);
/* The peer leads the register's lineage: a store that is given up here can be fetched there. */
bool peer_supplies(const struct failover *f);

/* failover_arbiter.c */
void arbiter_on_read(struct failover *f, const struct failover_answer *answer);
void arbiter_on_cas(struct failover *f, const struct failover_answer *answer);
void arbiter_run(struct failover *f); /* retries and reads that are due */
/* The register at another arbiter than the one that was known is ours from now on. */
void arbiter_adopt(struct failover *f, const struct failover_answer *answer);
/* Begins a change; the nonce of swap's value is the core's to choose. */
void change_begin(struct failover *f, enum change_kind kind, const struct failover_cas *swap);
bool change_possible(const struct failover *f);
/* The register as it is now, and as it would be: epoch raised, primary self, ISR {self}. */
struct failover_cas register_next(const struct failover *f);

/* failover_seek.c */
void seek_run(struct failover *f);

/* failover_primary.c */
void authority_take(struct failover *f, uint64_t incarnation);
/* The register has moved: is the authority still ours? */
void hold_check(struct failover *f);
void authority_revoke(struct failover *f, const char *reason);
void authority_child_gone(struct failover *f);
void authority_alone(struct failover *f);
void primary_on_sealed(struct failover *f, uint64_t epoch);
void primary_on_leading(struct failover *f, uint64_t epoch);
void primary_on_proposal(struct failover *f,
                         enum change_kind kind,
                         const struct failover_proposal *proposal);
void primary_on_deposed(struct failover *f, uint64_t epoch);
void primary_on_leaves(struct failover *f);
void primary_on_drained(struct failover *f, uint64_t epoch);
/* The proposal under way has definitely failed: it never reached the register. */
void proposal_failed(struct failover *f);
/* Why no handover can begin; NULL: it can. */
const char *handover_obstacle(const struct failover *f);
void handover_begin(struct failover *f);
void primary_run(struct failover *f);

/* failover_vip.c */
void vip_on_event(struct failover *f, bool here);
void vip_on_relaying(struct failover *f, bool relaying);
void vip_run(struct failover *f);
/* A planned handover has happened: the address is to follow. */
void vip_follow(struct failover *f);
/* This host is to lead: the address follows nobody any more. */
void vip_keep(struct failover *f);
void tell_eligible(struct failover *f);

/* failover_fence.c */
void fence_on_event(struct failover *f, const struct failover_event *event);
/* The arbiter has refused what this host wants while the peer is not heard: says what is waited
 * for. False: no device can help, the operator is asked. */
bool fence_wait(struct failover *f);
void fence_run(struct failover *f);

/* failover_command.c */
void command_do(struct failover *f, enum failover_command command);

#endif

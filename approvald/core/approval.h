/* SPDX-License-Identifier: Apache-2.0 */
/* approval.h: the rules of one request: who may decide, when it ends, what may then be done with
 * an approval. Pure: a step is a function of the request, its pinned policy and one event. */
#ifndef APPROVALD_CORE_APPROVAL_H
#define APPROVALD_CORE_APPROVAL_H

#include "approvald/core/audit.h"
#include "approvald/core/types.h"

struct elapsed;

/* What a claim is judged by unless under RECHECK_NONE, and when the glass was broken. */
struct claim_check {
    const struct policy *head; /* the policy as it is now; NULL: there is none */
    bool judged;               /* its approvers were looked at under that version of the policy */
    bool gone;                 /* one of them certainly may not approve any more */
    bool unknown;              /* or it is not certain that they all may */
};

/* Presses on the request that were accepted and wait in the inbox until it is known who pressed:
 * when the oldest came, of all of them and of those that would stop it. 0: there is none. What came
 * before the end of a request or of its window counts before that end, which waits for it. */
struct approval_waiting {
    uint64_t press_ms;
    uint64_t stop_ms;
};

enum approval_kind {
    APPROVAL_DECIDE = 1,
    APPROVAL_CANCEL,
    APPROVAL_CLAIM,
    APPROVAL_CONSUME,
    APPROVAL_TIME, /* does what is due; every other event does so too, first */
    APPROVAL_LOOK, /* a request that shows a hold says what is in its way now: hold */
};

struct approval_event {
    enum approval_kind kind;
    uint64_t now_ms;
    const struct elapsed *elapsed;   /* borrowed, stepped to now_ms; NULL: the clock is believed */
    struct approval_waiting waiting; /* at now_ms; the event's own press is among them */
    struct actor actor;
    /* decide */
    uint64_t pressed_ms; /* when the press was accepted, if it has waited since; 0: now */
    enum verdict verdict;
    const struct facts *facts;       /* NULL: nothing is known */
    struct span reason;              /* also of a cancellation */
    const struct request_hold *hold; /* what is in the way of a claim now; NULL: nothing */
    const struct policy *head; /* VERDICT_GLASS: the policy as it is now; NULL: there is none */
    /* claim */
    const struct claim_check *check; /* NULL: nothing is looked at again */
    struct span bound;               /* by which rules it was approved, for the audit log */
    const uint8_t *bind_hash;        /* 32 bytes or NULL */
    struct span claim_hash;          /* of the claim key, 32 bytes or empty */
    /* consume */
    int32_t result;
};

/* An audit entry to write, in order. */
struct approval_audit {
    enum audit_action action;
    bool by_system;     /* time did it, not the event's actor */
    struct span detail; /* valid as long as the event and the effects */
    struct span behalf; /* in whose place the event's actor decided, or empty */
};

/* A surface that has to show or to be told something. */
struct approval_raise {
    enum surface surface;
    struct span target; /* borrowed from request or policy */
    uint32_t audit;     /* list surfaces: index of the audit entry that the item tells of */
    struct span user;   /* who, or empty */
    struct span text;   /* a reason or a result */
};

/* The policy's channels, the one of an escalation, and the one that is told of a broken glass. */
#define APPROVAL_CHANNEL_COUNT_MAX (CORE_CHANNEL_COUNT_MAX + 2)
/* Escalation and reminder, then a decision (or a broken glass) and its outcome. */
#define APPROVAL_AUDIT_COUNT_MAX 4
/* In each channel two cards and four entries, a direct message to the requester twice, one to each
 * of those who are told of a broken glass, the search for people twice, and all webhooks four
 * times: escalation and reminder, and then the event itself, which is two when the glass is broken.
 */
#define APPROVAL_RAISE_COUNT_MAX                                                                   \
    (6 * APPROVAL_CHANNEL_COUNT_MAX + 6 + CORE_GLASS_TELL_COUNT_MAX +                              \
     4 * CORE_POLICY_WEBHOOK_COUNT_MAX)

/* "U0BEN for U0ANA, U0CARA": everybody who approved, when one of them did in another's place. */
#define APPROVAL_PEOPLE_SIZE (CORE_QUORUM_MAX * (2 * CORE_SLACK_ID_SIZE_MAX + 8))

/* What has to be made durable together: the request's new state, the audit entries in order, the
 * raised surfaces in order. */
struct approval_effects {
    enum refusal refusal; /* the event itself changed nothing, and why */
    bool need_facts;      /* decide (or claim, judged) again when the facts are there; the event
                             changed nothing */
    bool repeated;        /* the same intent was answered before; nothing was changed */
    bool changed;         /* after differs from before; may be so with a refusal (time) */
    struct request after; /* spans borrow from before, the policy and the event */
    uint32_t audit_count;
    struct approval_audit audits[APPROVAL_AUDIT_COUNT_MAX];
    uint32_t raise_count;
    struct approval_raise raises[APPROVAL_RAISE_COUNT_MAX];
    /* Whose direct messages have a copy of the card only the store knows. */
    bool copies;           /* all of them have to show it */
    bool reminds;          /* and there is an entry under those of who has not decided yet: */
    uint32_t remind_audit; /* index of the audit entry that it tells of */
    char text[32];         /* of a result, for detail and text above: effects must not be copied */
    char people[APPROVAL_PEOPLE_SIZE]; /* who approved for whom, likewise */
};

/* A new request begins: *request is complete and pending. */
void approval_open(const struct request *request,
                   const struct policy *policy,
                   struct approval_effects *effects);
/* before must satisfy request_invariant and policy be the version that it pins. */
void approval_step(const struct request *before,
                   const struct policy *policy,
                   const struct approval_event *event,
                   struct approval_effects *effects);
/* When APPROVAL_TIME has something to do; UINT64_MAX: never. */
uint64_t approval_deadline_ms(const struct request *request);

/* When the event's press came, by which it is judged. */
uint64_t approval_press_ms(const struct approval_event *event);
/* Its time had passed then, though it has not expired yet: a press that came before is waited for.
 * Nothing else may decide or end it any more. */
bool request_is_overdue(const struct request *request, uint64_t at_ms);

/* A claim of it is judged by a claim_check. */
bool approval_is_rechecked(const struct request *request, const struct policy *policy);

/* The quorum is met, and people may stop it before it takes effect. */
bool request_is_delayed(const struct request *request);
/* Its card says what is in the way of a claim: an approval that is not used yet always; what waits
 * for its approval only if something was in the way when it was asked. */
bool request_shows_hold(const struct request *request);
/* Has its policy a channel for the card, as far as is known one that takes it? And do those who may
 * decide get copies? By the policy, or because no channel took it. */
bool request_is_in_channel(const struct request *request, const struct policy *policy);
bool request_is_direct(const struct request *request, const struct policy *policy);
/* The channels in which the request has a card now; how many. */
uint32_t approval_channels(const struct request *request,
                           const struct policy *policy,
                           struct span ret_channels[APPROVAL_CHANNEL_COUNT_MAX]);

/* What must hold of every request, before and after each step. False for a damaged record. */
bool request_invariant(const struct request *request);
/* The legal moves, each one step. */
bool approval_state_may_follow(enum request_state from, enum request_state to);
bool approval_use_may_follow(enum request_use from, enum request_use to);

/* The word for programs and the sentence for people; never NULL. */
const char *refusal_word(enum refusal refusal);
const char *refusal_sentence(enum refusal refusal);
/* The stable words of the API. */
const char *request_state_word(enum request_state state);
const char *request_use_word(enum request_use use);

#endif

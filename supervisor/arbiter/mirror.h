/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.h: the register kept by both hosts and no third (arbiter "manual"). Pure: no I/O, no time
 * of its own, no randomness.
 *
 * Each host has a durable copy. A change is made by proposing it to the other host, which stores it
 * and accepts, then by storing it here. A read asks the other host and takes the newer of the two
 * copies. So nothing can be read or changed without the other host, unless the operator has
 * confirmed that it is off: that raises the generation of this host's copy, and until the other
 * host is heard again this copy alone is the register. Copies are ordered by (generation, epoch);
 * two different ones of the same order mean that both hosts were changed alone: only the operator
 * can say which counts (REFUSED until a forced promotion with the other host off, which is a higher
 * generation).
 *
 * Two proposals at once: host 1 refuses the other's while it waits for its own; host 2 gives its
 * own up. Every message carries both supervisors' incarnations, so that none of an earlier life
 * counts: a proposal that a host has forgotten by restarting can never be accepted beside a new
 * one. */
#ifndef SUPERVISOR_ARBITER_MIRROR_H
#define SUPERVISOR_ARBITER_MIRROR_H

#include "base/span.h"
#include "supervisor/arbiter/arbiter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIRROR_MESSAGE_SIZE_MAX 512U
#define MIRROR_EFFECT_COUNT_MAX 8U

/* A copy. revision = generation << 40 | epoch: it rises with every change of either.
 *
 * The operator's word raises the generation once: said again while the copy has not changed and the
 * other host has not told that it has this copy, it adds nothing. A host that has missed what the
 * other one did alone could otherwise be talked into having the newer copy. Where nothing that the
 * other host has accepted unheard can count it raises by two: a word to that host, which raises its
 * copy by one, does not bring it back. There the word counts again once the link was up since, or
 * (in this life) something was proposed since. A forced promotion (another lineage) raises by a
 * thousand: it counts however often the other host was given that word.
 *
 * An addition of the other host that was proposed to it stands there, may be, and it may have gone
 * on alone with an operator's word about this one. A host that has forgotten its proposal by a
 * restart is not talked into changing this copy, which leaves the other one out, alone: it hears
 * the other host first, or promotes by force. */
struct mirror_copy {
    bool present;
    bool adding;         /* such an addition: proposed, not known to be refused */
    bool raised;         /* by that word: said again, it adds nothing */
    uint64_t generation; /* how often an operator has said that the other host is off */
    struct register_value value;
};

struct mirror_options {
    uint8_t host;
    uint64_t incarnation;    /* of this supervisor; not 0 */
    uint32_t timeout_ms;     /* the other host has so long to answer */
    struct mirror_copy copy; /* as it was durable */
};

enum mirror_event_type {
    MIRROR_EVENT_LINK,    /* u.up: messages can(not) reach the other host */
    MIRROR_EVENT_MESSAGE, /* u.message */
    MIRROR_EVENT_READ,
    MIRROR_EVENT_CAS,         /* u.cas */
    MIRROR_EVENT_CONFIRM_OFF, /* the operator has made sure */
    MIRROR_EVENT_TICK
};

struct mirror_event {
    enum mirror_event_type type;
    uint64_t now_ms;
    union {
        bool up;
        struct span message;
        struct {
            struct register_value value;
            uint64_t revision;
        } cas;
    } u;
};

enum mirror_effect_type {
    MIRROR_EFFECT_STORE,  /* u.copy: durable before the effects behind it; a failure is fatal */
    MIRROR_EFFECT_SEND,   /* u.message, best effort */
    MIRROR_EFFECT_ANSWER, /* u.answer, to the READ or CAS that waits */
    MIRROR_EFFECT_PROBLEM /* u.problem: a fixed text for the status; "": none */
};

struct mirror_effect {
    enum mirror_effect_type type;
    union {
        struct mirror_copy copy;
        struct {
            size_t size;
            uint8_t bytes[MIRROR_MESSAGE_SIZE_MAX];
        } message;
        struct {
            enum arbiter_request request;
            struct failover_answer answer;
        } answer;
        const char *problem;
    } u;
};

struct mirror_effects {
    size_t count;
    struct mirror_effect items[MIRROR_EFFECT_COUNT_MAX];
};

struct mirror {
    struct mirror_options options;
    struct mirror_copy copy;
    bool up;
    bool alone;                /* the operator's confirmation holds: until the link is up */
    bool split;                /* both hosts were changed alone */
    uint64_t peer_incarnation; /* 0: not heard on this link yet */
    uint64_t hello_ms;         /* of the next HELLO */
    uint64_t number;           /* of the last request sent */
    bool proposed;             /* a proposal of ours may yet be accepted */
    bool reading;
    uint64_t read_number;
    uint64_t read_until_ms;
    bool changing;
    uint64_t cas_number;
    uint64_t cas_until_ms;
    struct register_value cas_value;
    uint64_t cas_revision;
};

void mirror_init(struct mirror *mirror, const struct mirror_options *options);
void mirror_step(struct mirror *mirror,
                 const struct mirror_event *event,
                 struct mirror_effects *effects);
uint64_t mirror_deadline_ms(const struct mirror *mirror); /* of the next TICK; UINT64_MAX: none */
void mirror_invariant(const struct mirror *mirror);
uint64_t mirror_revision(const struct mirror_copy *copy); /* 0: no register */

#endif

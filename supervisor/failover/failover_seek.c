/* SPDX-License-Identifier: Apache-2.0 */
/* failover_seek.c: whether this host seeks authority, and when.
 * Owns the order in which two hosts come forward (A), the waits before a promotion (C) and the
 * OUTDATED host (E). Safety does not hang on any of it: the CAS decides, and a host outside the ISR
 * never gets that far.
 * Never grants: a won CAS is failover_primary.c's. */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <inttypes.h>

#define ASKS_IF_OFF                                                                                \
    "the arbiter waits for the operator: is the other host off? then approvalctl peer-off"

/* The operator has said so already. */
#define MAY_BE_ADDED                                                                               \
    "the other host may have been added and gone on alone: start it, or approvalctl promote "      \
    "--force"

#define IS_SPLIT                                                                                   \
    "both hosts were changed alone: shut down the one whose changes are to go, then approvalctl "  \
    "peer-off on the other one"

#define IS_MUTE                                                                                    \
    "the other host is heard, but its supervisor does not answer: restart approvald-supervisor "   \
    "there"

enum wish { WISH_NONE, WISH_SOLO, WISH_BOTH };

/* The mirror does not answer, or will not. Who is heard is not off: that word would be refused. */
static void wait_refused(struct failover *f, const char *asks)
{
    if (f->split) {
        wait_for(f, IS_SPLIT, true);
    } else if (!link_alive(f)) {
        if (!fence_wait(f)) {
            wait_for(f, asks, true);
        }
    } else {
        f->mute_ms = f->mute_ms == 0 ? f->now_ms : f->mute_ms;
        wait_for(f, IS_MUTE, due(f, f->mute_ms + f->options.start_wait_ms));
    }
}

/* Negative: our log ends before the peer's. The epoch counts first: length alone says nothing. */
static int compare_ends(const struct failover *f)
{
    bool told = f->link.last_lsn != 0;
    uint64_t epoch = told ? f->link.last_epoch : f->child.last_epoch;
    uint64_t lsn = told ? f->link.last_lsn : f->child.last_lsn;

    if (epoch != f->link.peer_last_epoch) {
        return epoch < f->link.peer_last_epoch ? -1 : 1;
    }
    if (lsn != f->link.peer_last_lsn) {
        return lsn < f->link.peer_last_lsn ? -1 : 1;
    }
    return 0;
}

/* The peer, in the ISR, can be reached and does not lead: the one whose log ends later comes
 * forward, on a tie the register's primary, and the other one when that takes too long. */
static enum wish wish_beside_peer(struct failover *f)
{
    int order = compare_ends(f);
    bool in_time;

    ASSERT(f->orphan_ms != 0);
    if (order > 0 || MUTANT(lead_over_higher)) {
        return WISH_BOTH;
    }
    if (order == 0 && f->value.primary == f->options.host) {
        return WISH_BOTH;
    }
    in_time = !due(f, f->orphan_ms + f->options.takeover_ms);
    if (in_time) {
        wait_for(f, "the other host should lead", false);
        return WISH_NONE;
    }
    return order == 0 ? WISH_BOTH : WISH_SOLO;
}

/* Rule E: only a host that was in sync without a break may lead without the peer. */
static bool is_outdated(const struct failover *f)
{
    return !f->options.linearizable && !f->synced && !MUTANT(outdated_seeks);
}

static bool is_silent_long_enough(struct failover *f)
{
    uint64_t bias_ms = f->value.primary == peer_host(f) ? f->options.bias_ms : 0;

    if (f->peer_off) {
        return true;
    }
    if (f->heard || (f->hint && f->link.silent)) {
        return f->link.silent && due(f, f->silent_ms + bias_ms);
    }
    return due(f, f->child_ms + f->options.start_wait_ms);
}

/* The peer, in the ISR, cannot be reached. */
static enum wish wish_in_silence(struct failover *f)
{
    if (!is_silent_long_enough(f)) {
        wait_for(f, "the other host may still be heard", false);
        return WISH_NONE;
    }
    if (is_outdated(f)) {
        wait_for(f,
                 "this host may be outdated: start the other host, or approvalctl promote --force",
                 true);
        return WISH_NONE;
    }
    return WISH_SOLO;
}

/* A planned handover waits for us. */
static bool is_offered(struct failover *f)
{
    if (f->offered && (f->offer_epoch < f->value.epoch || !link_alive(f) ||
                       due(f, f->offer_ms + f->options.handover_ms))) {
        f->offered = false;
    }
    return f->offered && f->offer_epoch == f->value.epoch && f->value.primary == peer_host(f);
}

static enum wish wish_in_isr(struct failover *f)
{
    if (peer_leads(f) && f->link.peer_epoch > f->value.epoch) {
        wait_for(f, "the register is read again: the other host leads a later epoch", false);
        return WISH_NONE;
    }
    if (!peer_in_isr(f)) {
        return WISH_SOLO;
    }
    if (is_offered(f)) {
        return WISH_BOTH;
    }
    if (peer_leads(f)) {
        return WISH_NONE;
    }
    if (f->moved_ms != 0 && f->value.primary == peer_host(f) &&
        !due(f, f->moved_ms + f->options.takeover_ms)) {
        wait_for(f, "the other host has just taken authority", false);
        return WISH_NONE;
    }
    return link_alive(f) ? wish_beside_peer(f) : wish_in_silence(f);
}

/* A store that cannot follow may be given up when the other host's can be fetched, and not before:
 * it may be the last one. */
static void wait_apart(struct failover *f, const char *what)
{
    if (peer_supplies(f)) {
        wait_for_operator(f, "this host's store %s: approvalctl rejoin", what);
    } else if (!due(f, f->child_ms + f->options.start_wait_ms)) {
        wait_for(f, "not in the ISR: waits for the other host", false);
    } else {
        wait_for_operator(f,
                          "this host's store %s, and host %u does not lead: do NOT rejoin; start "
                          "it, or (its disk is lost) approvalctl promote --force --other-lineage",
                          what, (unsigned)peer_host(f));
    }
}

/* Not in the ISR: follow, or say who can help. */
static void wait_outside(struct failover *f)
{
    bool single = f->child.lineage == 0 && f->child.last_lsn > 0; /* of a host that was alone */

    if (f->child.lineage != 0 && f->child.lineage != f->value.lineage) {
        wait_apart(f, "is of another lineage");
    } else if (single) {
        wait_apart(f, "has records of its own");
    } else if (link_alive(f) || !due(f, f->child_ms + f->options.start_wait_ms)) {
        wait_for(f, "not in the ISR: follows", false);
    } else {
        wait_for(f,
                 "not in the ISR, and the other host is not there: start it, or approvalctl "
                 "promote --force",
                 true);
    }
}

static void wait_unread(struct failover *f)
{
    if (f->refused) {
        wait_refused(f, ASKS_IF_OFF);
    } else {
        wait_for(f, "the register is read", false);
    }
}

/* What stands in the way before the register is looked at; true: something does. */
static bool is_held_back(struct failover *f)
{
    if (f->wrong) {
        wait_for(f, "the arbiter is not the one that was: approvalctl arbiter reseed", true);
    } else if (!f->child_up) {
        wait_for(f, "approvald is being started", false);
    } else if (!f->fresh && !(MUTANT(seek_unread) && f->known)) {
        wait_unread(f);
    } else if (f->absent || !f->known) {
        wait_for(f, "there is no register yet: approvalctl pair bootstrap",
                 f->change.kind == CHANGE_NONE);
    } else {
        return false;
    }
    return true;
}

/* Nobody has led for so long that no takeover under way explains it. */
static bool is_leaderless(struct failover *f)
{
    if (peer_leads(f)) {
        f->leaderless_ms = 0;
        return false;
    }
    if (f->leaderless_ms == 0) {
        f->leaderless_ms = f->now_ms;
    }
    return due(f, f->leaderless_ms + f->options.start_wait_ms);
}

static bool is_barred(struct failover *f)
{
    if (!f->safe_mode && !f->memory.maintenance) {
        f->leaderless_ms = 0;
        return false;
    }
    if (is_leaderless(f)) {
        wait_for_operator(
            f, "nobody leads: start host %u, or approvalctl %s here (this host is in %s)",
            (unsigned)peer_host(f), f->safe_mode ? "safe-mode clear" : "maintenance off",
            f->safe_mode ? "safe mode" : "maintenance");
    } else {
        wait_for(f, f->safe_mode ? f->safe_reason : "maintenance", false);
    }
    return true;
}

static enum wish wish_now(struct failover *f)
{
    if (is_held_back(f)) {
        return WISH_NONE;
    }
    if (!in_isr(f) && !MUTANT(seek_outside_isr)) {
        wait_outside(f);
        return WISH_NONE;
    }
    if (is_barred(f)) {
        return WISH_NONE;
    }
    return wish_in_isr(f);
}

static void track(struct failover *f)
{
    if (peer_leads(f)) {
        f->orphan_ms = 0;
        f->moved_ms = 0; /* it uses what it took */
    } else if (link_alive(f) && f->orphan_ms == 0) {
        f->orphan_ms = f->now_ms;
    }
}

static void seek_alone(struct failover *f)
{
    wait_for(f, NULL, false);
    if (!f->child_up) {
        wait_for(f, "approvald is being started", false);
    } else if (f->safe_mode) {
        wait_for(f, f->safe_reason, true);
    } else {
        authority_alone(f);
    }
}

/* The peer's acknowledgement is needed, and cannot come: nothing that is written is answered. Where
 * one host may go on alone that ends by itself, and soon. */
static bool is_stalled(struct failover *f)
{
    bool acknowledges = link_alive(f) && f->link.in_sync && peer_in_isr(f);

    if (f->phase != AUTHORITY_GRANTED || f->handover != HANDOVER_NONE || f->options.alone ||
        !peer_member(f)->present || acknowledges) {
        f->stalled_ms = 0;
        return false;
    }
    if (f->stalled_ms == 0) {
        f->stalled_ms = f->now_ms;
    }
    return due(f, f->stalled_ms + f->options.start_wait_ms);
}

static void wait_stalled(struct failover *f)
{
    unsigned peer = peer_host(f);

    if (!link_alive(f)) {
        wait_for_operator(f, "nothing is answered: host %u has to acknowledge and is not heard: %s",
                          peer, f->down ? "start it, or the arbiter" : "start it");
    } else if (!peer_in_isr(f)) { /* strict, or no arbiter: else it is CASed out */
        wait_for_operator(f,
                          "nothing is answered: host %u is back with another store (its disk was "
                          "lost?): restart approvald-supervisor here, host %u then fetches anew",
                          peer, peer);
    } else {
        wait_for_operator(f, "nothing is answered: host %u is heard, but not in sync yet", peer);
    }
}

/* Nothing is sought while this host leads; a removal may still wait for the operator. */
static void wait_leading(struct failover *f)
{
    bool stalled = is_stalled(f);

    wait_for(f, NULL, false);
    if (f->split || (f->cas_refused && f->change.kind != CHANGE_NONE)) {
        wait_refused(f, ASKS_IF_OFF);
    } else if (stalled) {
        wait_stalled(f);
    }
}

static void seek_begin(struct failover *f, enum wish wish)
{
    struct failover_cas swap = register_next(f);

    if (wish == WISH_BOTH) {
        swap.value.isr[peer_host(f) - 1] = *peer_member(f);
    }
    say(f, "seeks epoch %" PRIu64 "%s", swap.value.epoch,
        wish == WISH_BOTH ? " with both in the ISR" : ", alone in the ISR");
    change_begin(f, CHANGE_SEEK, &swap);
}

void seek_run(struct failover *f)
{
    enum wish wish;

    f->fence_asked = false;
    if (!link_alive(f) || !(f->refused || f->cas_refused)) {
        f->mute_ms = 0;
    }
    if (f->phase != AUTHORITY_NONE || f->handover != HANDOVER_NONE) {
        wait_leading(f);
        return;
    }
    if (f->options.alone) {
        seek_alone(f);
        return;
    }
    track(f);
    wait_for(f, NULL, false);
    wish = wish_now(f);
    if (wish == WISH_NONE) {
        return;
    }
    if (f->cas_refused) {
        wait_refused(f, f->refused_off ? MAY_BE_ADDED : ASKS_IF_OFF);
    }
    if (!change_possible(f)) {
        return;
    }
    if (due(f, f->cas_not_before_ms)) {
        seek_begin(f, wish);
    }
}

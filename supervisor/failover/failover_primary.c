/* SPDX-License-Identifier: Apache-2.0 */
/* failover_primary.c: the authority of this host: taken, sealed, granted, changed, given up.
 * Owns who is granted what (C, L), the child's proposals (G, H) and the planned handover (K).
 * Never grants but what a CAS of this very incarnation has put into the register. */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <inttypes.h>
#include <string.h>

void authority_take(struct failover *f, uint64_t incarnation)
{
    if (!f->child_up || (f->child.incarnation != incarnation && !MUTANT(grant_any_incarnation))) {
        say(f, "epoch %" PRIu64 " is of an incarnation that has ended", f->value.epoch);
        return;
    }
    ASSERT(f->value.primary == f->options.host);
    /* A reseed in the midst of a handover: this host leads on, whatever the child has begun. */
    if ((f->handover == HANDOVER_DRAINING || f->handover == HANDOVER_DRAINED) &&
        !MUTANT(offer_outlives_grant)) {
        (void)effect_add(f, FAILOVER_EFFECT_RESUME);
    }
    f->authority = f->value;
    f->phase = AUTHORITY_SEALING;
    f->leading = false;
    f->barred = false;
    f->offered = false;
    f->orphan_ms = 0;
    f->handover = HANDOVER_NONE;
    vip_keep(f);
    say(f, "took epoch %" PRIu64 "%s", f->value.epoch,
        peer_member(f)->present ? " with both in the ISR" : ", alone in the ISR");
    effect_epoch(f, FAILOVER_EFFECT_SEAL, f->authority.epoch);
    if (MUTANT(grant_unsealed)) {
        primary_on_sealed(f, f->authority.epoch);
    }
}

static void authority_drop(struct failover *f)
{
    f->phase = AUTHORITY_NONE;
    f->leading = false;
    f->handover = HANDOVER_NONE;
    f->handover_ms = 0;
}

void authority_child_gone(struct failover *f)
{
    authority_drop(f);
    f->granted = 0;
    f->sealed = 0;
    f->child_up = false;
    f->fresh = false;
    f->read_counts = false;
    f->heard = false;
    f->orphan_ms = 0;
    f->leaderless_ms = 0;
    f->moved_ms = 0;
    f->hint = false;
    f->offered = false;
    f->told_epoch = 0;
    f->synced = false;
    /* A change that nobody has heard of ends with the incarnation that wished it. */
    if (!f->change.unresolved && !f->cas_out) {
        f->change.kind = CHANGE_NONE;
    }
    memset(&f->link, 0, sizeof f->link);
    vip_on_relaying(f, false); /* nobody can be answered by it any more */
}

void authority_revoke(struct failover *f, const char *reason)
{
    struct failover_effect *effect = effect_add(f, FAILOVER_EFFECT_REVOKE);

    say(f, "%s", reason);
    memcpy(effect->u.reason, f->reason, sizeof effect->u.reason);
    authority_child_gone(f);
    f->barred = true;
    f->read_now = true;
}

void authority_alone(struct failover *f)
{
    struct register_value *value = &f->authority;
    uint64_t epoch =
        f->child.promised > f->child.last_epoch ? f->child.promised : f->child.last_epoch;

    memset(value, 0, sizeof *value);
    memcpy(value->cluster_id, f->options.cluster_id, REGISTER_ID_SIZE);
    value->lineage = f->child.lineage != 0 ? f->child.lineage : f->random | 1;
    value->epoch = epoch + 1;
    value->nonce = f->random | 1;
    value->primary = f->options.host;
    value->isr[f->options.host - 1].present = true;
    memcpy(value->isr[f->options.host - 1].store_id, f->child.store_id, REGISTER_ID_SIZE);
    f->phase = AUTHORITY_SEALING;
    say(f, "alone: epoch %" PRIu64, value->epoch);
    effect_epoch(f, FAILOVER_EFFECT_SEAL, value->epoch);
}

/* The drained primary's register has moved to the peer with both in the ISR: the end that was
 * wished for. The child becomes standby by itself when the peer leads. */
static bool is_handed_over(const struct failover *f)
{
    return f->handover == HANDOVER_DRAINED && f->value.primary == peer_host(f) && in_isr(f);
}

void hold_check(struct failover *f)
{
    if (MUTANT(promoted_by_other) && f->phase == AUTHORITY_NONE && f->child_up && in_isr(f) &&
        f->value.primary == f->options.host) {
        authority_take(f, f->child.incarnation);
    }
    if ((f->phase == AUTHORITY_NONE && f->handover != HANDOVER_MOVED) ||
        f->value.epoch <= f->authority.epoch) {
        return;
    }
    if (is_handed_over(f)) {
        f->phase = AUTHORITY_NONE;
        f->leading = false;
        f->handover = HANDOVER_MOVED;
        f->handover_ms = f->now_ms + f->options.takeover_ms;
        say(f, "handed over to host %u, epoch %" PRIu64, (unsigned)f->value.primary,
            f->value.epoch);
        return;
    }
    if (f->handover == HANDOVER_MOVED && f->value.primary == peer_host(f) && in_isr(f)) {
        return;
    }
    if (f->granted == 0) {
        authority_drop(f); /* it was only sealing: an idle child may live on */
        f->barred = true;
        f->read_now = true;
        say(f, "epoch %" PRIu64 " was taken from this host before it led", f->authority.epoch);
        return;
    }
    authority_revoke(f, "the register has moved on: authority is lost");
}

void primary_on_sealed(struct failover *f, uint64_t epoch)
{
    if (!f->child_up) {
        return;
    }
    if (epoch > f->sealed) {
        f->sealed = epoch;
    }
    if (f->phase != AUTHORITY_SEALING || (epoch < f->authority.epoch && !MUTANT(grant_unsealed))) {
        return;
    }
    f->phase = AUTHORITY_GRANTED;
    f->granted = f->authority.epoch;
    f->granted_to = f->child.incarnation;
    f->child.lineage = f->authority.lineage;
    say(f, "granted epoch %" PRIu64, f->authority.epoch);
    effect_add(f, FAILOVER_EFFECT_GRANT)->u.value = f->authority;
}

void primary_on_leading(struct failover *f, uint64_t epoch)
{
    if (f->child_up && f->phase == AUTHORITY_GRANTED && epoch == f->authority.epoch) {
        f->leading = true;
        say(f, "leads epoch %" PRIu64, epoch);
    }
}

/* Why a proposal is not carried out; NULL: it is. */
static const char *proposal_fault(const struct failover *f,
                                  enum change_kind kind,
                                  const struct failover_proposal *proposal)
{
    static const uint8_t zeros[REGISTER_ID_SIZE];
    bool present = peer_member(f)->present;

    if (kind == CHANGE_REMOVE) {
        return present ? NULL : "the peer is not in the ISR";
    }
    if (present) {
        return "the peer is in the ISR";
    }
    if (memcmp(proposal->peer_store_id, f->child.store_id, REGISTER_ID_SIZE) == 0) {
        return "the peer's store is a copy of this one";
    }
    return memcmp(proposal->peer_store_id, zeros, REGISTER_ID_SIZE) == 0
               ? "the peer's store has no id"
               : NULL;
}

static void handover_abort(struct failover *f, const char *reason)
{
    f->handover = HANDOVER_NONE;
    f->handover_pause_ms = f->now_ms + (uint64_t)f->options.handover_ms * FAILOVER_HANDOVER_PAUSES;
    say(f, "handover: %s: this host goes on", reason);
    (void)effect_add(f, FAILOVER_EFFECT_RESUME);
}

void primary_on_proposal(struct failover *f,
                         enum change_kind kind,
                         const struct failover_proposal *proposal)
{
    struct failover_cas swap;
    struct register_member *peer;
    const char *fault;

    if (!f->child_up || f->options.alone || f->granted == 0) {
        return;
    }
    /* While another change is under way nothing is said: its end is the answer. An addition that
     * nobody has heard of yet is taken back. */
    if (f->change.kind != CHANGE_NONE) {
        if (f->change.kind == CHANGE_ADD && kind == CHANGE_REMOVE && !f->change.unresolved &&
            !f->cas_out) {
            proposal_failed(f);
        }
        return;
    }
    /* A grant of another epoch is the answer to what was proposed before it. */
    if (f->phase != AUTHORITY_GRANTED ||
        (proposal->epoch != f->authority.epoch && !MUTANT(propose_any_epoch))) {
        return;
    }
    fault = proposal_fault(f, kind, proposal);
    if (fault != NULL) {
        say(f, "proposal refused: %s", fault);
        effect_epoch(f, FAILOVER_EFFECT_REFUSED, proposal->epoch);
        return;
    }
    if (f->handover != HANDOVER_NONE) {
        handover_abort(f, "the standby is lost");
    }
    swap = register_next(f);
    peer = &swap.value.isr[peer_host(f) - 1];
    if (kind == CHANGE_ADD) {
        peer->present = true;
        memcpy(peer->store_id, proposal->peer_store_id, REGISTER_ID_SIZE);
    }
    change_begin(f, kind, &swap);
    f->change.proposed = proposal->epoch;
    f->change.slow = proposal->slow;
}

/* Taken out while it still acknowledges: nothing that was answered waits for it, nothing that waits
 * is answered without the register (G). The other host is needed for that where both keep the
 * register (E): later it would be off, and not confirmed to be. A word that is wrong, or of a host
 * that does not stop after all, costs what a short silence does. */
void primary_on_leaves(struct failover *f)
{
    struct failover_cas swap;

    if (!f->child_up || f->options.alone || f->options.strict || f->phase != AUTHORITY_GRANTED ||
        f->handover != HANDOVER_NONE || !link_alive(f) || !peer_member(f)->present ||
        !change_possible(f)) {
        return;
    }
    say(f, "host %u is to be stopped: it is taken out of the ISR", (unsigned)peer_host(f));
    swap = register_next(f);
    change_begin(f, CHANGE_REMOVE, &swap);
    f->change.proposed = f->authority.epoch;
}

void proposal_failed(struct failover *f)
{
    uint64_t proposed = f->change.proposed;

    ASSERT(f->change.kind == CHANGE_ADD || f->change.kind == CHANGE_REMOVE);
    if (f->child_up && f->child.incarnation == f->change.incarnation) {
        effect_epoch(f, FAILOVER_EFFECT_REFUSED, proposed);
    }
    f->change.kind = CHANGE_NONE;
}

/* A child that says so does nothing any more, neither lead nor follow. That holds too when its host
 * was taken for a standby already (K): only a primary is deposed. */
void primary_on_deposed(struct failover *f, uint64_t epoch)
{
    bool higher = f->granted == 0 || epoch > f->authority.epoch;

    if (f->child_up && !f->options.alone && higher) {
        authority_revoke(f, "the peer knows a higher epoch: deposed");
    }
}

void primary_on_drained(struct failover *f, uint64_t epoch)
{
    if (f->child_up && f->handover == HANDOVER_DRAINING && epoch == f->authority.epoch) {
        f->handover = HANDOVER_DRAINED;
        f->read_now = true;
        say(f, "drained: host %u may take over", (unsigned)peer_host(f));
    }
}

const char *handover_obstacle(const struct failover *f)
{
    if (f->phase != AUTHORITY_GRANTED || !f->leading) {
        return "this host does not lead: run it on the primary's host";
    }
    if (f->handover != HANDOVER_NONE) {
        return "a handover is under way";
    }
    if (f->change.kind != CHANGE_NONE) {
        return "a change of the register is under way";
    }
    if (!peer_member(f)->present) {
        return "the other host is not in the ISR";
    }
    if (!link_alive(f) || !f->link.in_sync || !peer_in_isr(f)) {
        return "the other host is not in sync";
    }
    if (f->down || f->wrong) {
        return "the arbiter does not answer";
    }
    return NULL;
}

void handover_begin(struct failover *f)
{
    ASSERT(handover_obstacle(f) == NULL);
    f->handover = HANDOVER_DRAINING;
    f->handover_ms = f->now_ms + f->options.handover_ms;
    say(f, "hands over to host %u", (unsigned)peer_host(f));
    (void)effect_add(f, FAILOVER_EFFECT_HANDOVER);
}

/* The child, drained, has become standby of the peer: it did so only for a higher epoch. */
static bool has_stepped_down(const struct failover *f)
{
    return link_alive(f) && f->link.peer_leads && f->link.peer_epoch > f->authority.epoch;
}

static void handover_run(struct failover *f)
{
    if (f->handover != HANDOVER_DRAINING && has_stepped_down(f)) {
        say(f, "handed over: host %u leads epoch %" PRIu64, (unsigned)peer_host(f),
            f->link.peer_epoch);
        authority_drop(f);
        f->granted = 0;
        f->read_now = true;
        vip_follow(f);
        return;
    }
    if (f->handover == HANDOVER_MOVED) {
        if (f->link.silent || due(f, f->handover_ms)) {
            authority_revoke(f, "handed over, but the peer does not lead");
        }
        return;
    }
    if (due(f, f->handover_ms)) {
        handover_abort(f, "the register did not change in time");
    }
}

/* A proposal that waits for the arbiter, of which no attempt may have landed, and that the link
 * has overtaken. */
static bool proposal_is_over(const struct failover *f)
{
    if (f->change.unresolved || f->cas_out) {
        return false;
    }
    if (f->change.kind == CHANGE_ADD) {
        return !link_alive(f) ||
               memcmp(f->link.peer_store_id, f->change.value.isr[peer_host(f) - 1].store_id,
                      REGISTER_ID_SIZE) != 0;
    }
    return f->change.kind == CHANGE_REMOVE && f->change.tried && !f->change.slow && link_alive(f) &&
           f->link.in_sync;
}

void primary_run(struct failover *f)
{
    if (!f->child_up || f->options.alone) {
        return;
    }
    if (f->handover != HANDOVER_NONE) {
        handover_run(f);
    }
    if (f->change.kind != CHANGE_NONE && proposal_is_over(f)) {
        say(f, "the proposal is over before the arbiter was reached");
        proposal_failed(f);
    }
    if ((f->safe_mode || f->memory.maintenance) && handover_obstacle(f) == NULL &&
        due(f, f->handover_pause_ms)) {
        handover_begin(f);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* replica_authority.c: the promise: under which epoch this host may speak, and for whom.
 * Owns the promise, SEAL and GRANT, and the invariant of the whole core.
 * Never speaks at an epoch before its promise is durable, nor below one that was asked for. */
#include "base/assert.h"
#include "storage/replica_internal.h"

void authority_ask(struct replica *r, uint64_t epoch)
{
    ASSERT(epoch >= r->promising);
    r->promising = epoch;
    r->promise_busy++;
    replica_add(r, REPLICA_EFFECT_PROMISE)->u.epoch = epoch;
}

void authority_on_promised(struct replica *r, uint64_t epoch)
{
    ASSERT(r->promise_busy > 0);
    ASSERT(epoch <= r->promising);
    r->promise_busy--;
    if (epoch > r->promised) {
        r->promised = epoch;
    }
}

bool authority_allows(const struct replica *r, uint64_t epoch)
{
    if (MUTANT(ack_after_seal) && epoch <= r->promised) {
        return true;
    }
    if (MUTANT(ack_before_promise)) {
        return r->promising == epoch;
    }
    return r->promised == epoch && r->promise_busy == 0;
}

/* From now on nothing is said at a lower epoch, whatever the log or the link still bring. */
static void stop_following(struct replica *r)
{
    if (MUTANT(ack_after_seal) || r->role == REPLICA_PRIMARY) {
        return;
    }
    standby_end(r);
    r->role = REPLICA_IDLE;
    r->epoch = 0;
}

static void refuse(struct replica *r)
{
    replica_say(r, REPLICA_REPORT_DEPOSED)->u.epoch = r->promising;
}

void authority_on_seal(struct replica *r, uint64_t epoch)
{
    if (epoch < r->promising || (epoch == r->standby.led_epoch && epoch != 0)) {
        refuse(r);
        return;
    }
    stop_following(r);
    if (epoch > r->own_epoch) {
        r->own_epoch = epoch;
    }
    r->seal_wanted = true;
    if (epoch > r->promising) {
        authority_ask(r, epoch);
    }
}

void authority_on_grant(struct replica *r, const struct replica_grant *grant)
{
    if (r->primary.deposed || (r->role == REPLICA_PRIMARY && grant->epoch <= r->epoch)) {
        return;
    }
    if (grant->epoch < r->promising || grant->epoch == r->standby.led_epoch) {
        refuse(r);
        return;
    }
    stop_following(r);
    r->register_read = true;
    if (grant->epoch > r->own_epoch) {
        r->own_epoch = grant->epoch;
    }
    r->held = *grant;
    r->grant_held = true;
}

/* A grant waits until the promise is durable, in its lineage, and the log stands still. */
static void try_grant(struct replica *r)
{
    const struct replica_grant *held = &r->held;

    if (r->promise_busy > 0 || r->cut_busy) {
        return;
    }
    if (r->promised > held->epoch) {
        r->grant_held = false;
        refuse(r);
        return;
    }
    if (r->promised < held->epoch || (held->lineage != 0 && r->options.lineage != held->lineage)) {
        if (held->lineage != 0) {
            r->options.lineage = held->lineage;
        }
        authority_ask(r, held->epoch);
        return;
    }
    r->grant_held = false;
    primary_begin(r, held);
}

void authority_check(struct replica *r)
{
    if (r->seal_wanted && r->promise_busy == 0 && r->promised >= r->own_epoch) {
        r->seal_wanted = false;
        replica_say(r, REPLICA_REPORT_SEALED)->u.epoch = r->own_epoch;
    }
    if (r->grant_held) {
        try_grant(r);
    }
}

/* ---- Invariants ---- */

static void check_primary(const struct replica *r)
{
    const struct primary *p = &r->primary;

    ASSERT(r->epoch == p->grant.epoch);
    ASSERT(r->epoch <= r->promised);
    ASSERT(p->echoed <= p->ping_sequence);
    ASSERT(p->early <= p->ping_sequence);
    ASSERT(!p->serving || !p->beginning || MUTANT(serve_before_committed));
    /* Required acknowledgements include the register's ISR. */
    ASSERT(!p->grant.peer_in_isr || r->member.required || MUTANT(stop_before_cas) ||
           MUTANT(refused_ends_removal));
    ASSERT(!p->deposed || r->member.required);
    ASSERT(!p->deposed || p->session.phase == SESSION_NONE);
    ASSERT(!r->member.removing || p->grant.peer_in_isr);
    ASSERT(!r->member.left || r->member.required);
    ASSERT(r->standby.phase == STANDBY_NONE || MUTANT(ack_after_seal));
}

static void check_standby(const struct replica *r)
{
    const struct standby *s = &r->standby;

    if (s->phase == STANDBY_NONE) {
        return;
    }
    ASSERT(r->greeted);
    ASSERT(s->lead.epoch != 0);
    if (MUTANT(ack_after_seal) || MUTANT(ack_before_promise)) {
        return;
    }
    ASSERT(s->lead.epoch > r->own_epoch);
    ASSERT(s->lead.epoch == r->promising);
    if (s->phase >= STANDBY_MATCHING) {
        ASSERT(r->role == REPLICA_STANDBY);
        ASSERT(r->epoch == s->lead.epoch);
        ASSERT(authority_allows(r, r->epoch));
    }
}

void replica_invariant(const struct replica *replica)
{
    const struct replica *r = replica;

    ASSERT(r->promised <= r->promising);
    ASSERT(r->promised == r->promising || r->promise_busy > 0);
    ASSERT((r->role == REPLICA_IDLE) == (r->epoch == 0));
    ASSERT(!r->greeted || r->connected);
    ASSERT(!r->link.up || r->greeted);
    ASSERT(r->member.mark_count <= MARK_COUNT_MAX);
    ASSERT(r->member.addition == ADDITION_NONE || r->role == REPLICA_PRIMARY);
    ASSERT(r->member.addition == ADDITION_NONE || r->member.required ||
           MUTANT(add_without_require));
    ASSERT(r->member.addition == ADDITION_NONE || !r->primary.grant.peer_in_isr);
    if (r->role == REPLICA_PRIMARY) {
        check_primary(r);
    } else {
        ASSERT(!r->member.required);
        ASSERT(r->primary.session.phase == SESSION_NONE);
    }
    check_standby(r);
}

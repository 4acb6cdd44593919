/* SPDX-License-Identifier: Apache-2.0 */
/* replica_member.c: whose acknowledgements and echoes are needed (rules D, G, H).
 * Owns the requirement, the proposals to add and to remove, and the age of what waits.
 * Never stops requiring the peer while the register may name it: only a grant, or the definite
 * failure of an addition, ends that. Never takes a clock for proof: ages only lead to proposals. */
#include "base/assert.h"
#include "storage/replica_internal.h"

#include <string.h>

/* ---- The age of what is not acknowledged ---- */

static void mark_appended(struct replica *r, uint64_t lsn_first)
{
    struct member *m = &r->member;
    uint64_t grain_ms = r->options.evict_ms / MARK_SHARE;

    if (m->mark_count > 0 && r->now_ms - m->marks[m->mark_count - 1].ms < grain_ms) {
        return;
    }
    if (m->mark_count == MARK_COUNT_MAX) {
        /* The oldest are beyond any limit: the second's records count as the first's. */
        memmove(&m->marks[1], &m->marks[2], (MARK_COUNT_MAX - 2) * sizeof m->marks[0]);
        m->mark_count--;
    }
    m->marks[m->mark_count] = (struct mark){.lsn_first = lsn_first, .ms = r->now_ms};
    m->mark_count++;
}

void member_acknowledged(struct replica *r, uint64_t lsn)
{
    struct member *m = &r->member;
    uint32_t done = 0;

    if (lsn >= r->local.last.lsn) {
        m->mark_count = 0;
        return;
    }
    while (done + 1 < m->mark_count && m->marks[done + 1].lsn_first <= lsn + 1) {
        done++;
    }
    m->mark_count -= done;
    memmove(&m->marks[0], &m->marks[done], m->mark_count * sizeof m->marks[0]);
}

void member_slept(struct replica *r, uint64_t gap_ms)
{
    struct member *m = &r->member;

    m->heard_ms += gap_ms;
    m->echo_ms += gap_ms;
    m->required_ms += gap_ms;
    for (uint32_t i = 0; i < m->mark_count; i++) {
        m->marks[i].ms += gap_ms;
    }
}

/* ---- The requirement ---- */

bool member_counts(const struct replica *r)
{
    const struct session *session = &r->primary.session;

    return r->member.required && session->phase >= SESSION_MATCHING &&
           (MUTANT(count_any_store) || replica_same_id(r->member.store_id, session->store_id));
}

void member_require(struct replica *r, const uint8_t store_id[STORAGE_ID_SIZE])
{
    struct member *m = &r->member;

    ASSERT(!m->required);
    m->required = true;
    m->left = false;
    m->position_known = false;
    m->required_ms = r->now_ms;
    m->heard_ms = r->now_ms;
    m->echo_ms = r->now_ms;
    m->mark_count = 0;
    memcpy(m->store_id, store_id, STORAGE_ID_SIZE);
    replica_add(r, REPLICA_EFFECT_REQUIRE);
}

void member_unrequire(struct replica *r)
{
    struct member *m = &r->member;

    m->addition = ADDITION_NONE;
    m->mark_count = 0;
    m->left = false;
    if (m->required) {
        m->required = false;
        replica_add(r, REPLICA_EFFECT_UNREQUIRE);
    }
}

static uint64_t not_before(const struct replica *r, uint64_t wait_ms)
{
    return r->now_ms + wait_ms;
}

/* The grant in force is still the one before. A new one settles every proposal. */
void member_grant(struct replica *r, const struct replica_grant *grant, bool first)
{
    struct member *m = &r->member;

    m->removing = false;
    if (!grant->peer_in_isr) {
        member_unrequire(r);
        /* A peer that was removed, or may have been by the changes that led to this process. Epoch
         * 1 is the register as it was made: nobody has been removed from it yet. */
        if (r->primary.grant.peer_in_isr || (first && grant->epoch > 1)) {
            m->propose_ms = not_before(r, r->options.hold_down_ms);
        }
        return;
    }
    m->addition = ADDITION_NONE;
    m->propose_ms = 0;
    if (!m->required) {
        member_require(r, grant->peer_store_id);
    } else if (!replica_same_id(m->store_id, grant->peer_store_id)) {
        replica_halt(r, "the grant names another store than the one that acknowledges");
    }
}

void member_on_refused(struct replica *r, uint64_t epoch)
{
    struct member *m = &r->member;

    if (r->role != REPLICA_PRIMARY || r->primary.deposed || epoch != r->epoch) {
        return;
    }
    if (m->addition == ADDITION_PROPOSED) {
        m->propose_ms = not_before(r, r->options.hold_down_ms);
        member_unrequire(r);
    } else if (m->removing) {
        m->removing = false;
        m->propose_ms = not_before(r, r->options.silence_ms);
        if (MUTANT(refused_ends_removal)) {
            member_unrequire(r);
        }
    }
}

void member_lost(struct replica *r)
{
    struct member *m = &r->member;
    bool unproposed = m->addition == ADDITION_REQUIRED;

    if (r->primary.deposed) {
        return;
    }
    if (unproposed || (MUTANT(forget_unresolved_add) && m->addition == ADDITION_PROPOSED)) {
        m->propose_ms = not_before(r, r->options.silence_ms);
        member_unrequire(r);
    }
}

void member_heard(struct replica *r)
{
    if (r->member.required && replica_same_id(r->member.store_id, r->link.peer.store_id)) {
        r->member.heard_ms = r->now_ms;
        r->member.left = false;
    }
}

/* Only who follows this very epoch on this very link can leave: a word of an earlier life, or of
 * another store, is none. It says no more than silence does, only sooner: what it leads to is a
 * proposal. */
void member_left(struct replica *r)
{
    if (r->role == REPLICA_PRIMARY && member_counts(r)) {
        r->member.left = true;
    }
}

void member_on_local(struct replica *r, uint64_t lsn_last_before)
{
    struct member *m = &r->member;

    if (r->role != REPLICA_PRIMARY) {
        return;
    }
    if (m->required && r->local.last.lsn > lsn_last_before) {
        mark_appended(r, lsn_last_before + 1);
    }
    if (m->addition == ADDITION_REQUIRED && !m->position_known) {
        m->position_known = true;
        m->position = r->local.last;
    }
}

/* ---- Add ---- */

/* Caught up is who has what was committed a ping ago: under load a primary that is alone commits
 * on, and the commit LSN itself is never caught. */
static bool may_add(const struct replica *r)
{
    const struct primary *p = &r->primary;
    const struct session *session = &p->session;

    return p->serving && !p->grant.peer_in_isr && p->handover == HANDOVER_NONE &&
           session->phase == SESSION_STREAMING && session->verified &&
           session->acked.lsn >= session->lsn_goal && r->now_ms >= r->member.propose_ms;
}

static void propose_addition(struct replica *r)
{
    struct member *m = &r->member;
    const struct session *session = &r->primary.session;
    struct replica_proposal *proposal = &replica_say(r, REPLICA_REPORT_ADD)->u.proposal;

    m->addition = ADDITION_PROPOSED;
    proposal->epoch = r->epoch;
    proposal->lsn = session->acked.lsn;
    memcpy(proposal->peer_store_id, session->store_id, STORAGE_ID_SIZE);
}

/* Not proposed, it can be given up at any time. */
static void give_up_addition(struct replica *r)
{
    r->member.propose_ms = not_before(r, r->options.hold_down_ms);
    member_unrequire(r);
}

/* Not to be added now, or it takes too long: it holds up every commit. */
static bool gives_up(const struct replica *r)
{
    return r->primary.session.phase != SESSION_STREAMING || r->primary.handover != HANDOVER_NONE ||
           r->now_ms - r->member.required_ms >= r->options.evict_ms;
}

static void check_required(struct replica *r)
{
    const struct member *m = &r->member;
    const struct session *session = &r->primary.session;
    bool has_it = m->position_known && session->acked.lsn >= m->position.lsn;

    if (has_it && session->acked.lsn == m->position.lsn &&
        !replica_same_record(&session->acked, &m->position)) {
        replica_halt(r, "the standby acknowledges another record than the one here");
    } else if (gives_up(r)) {
        give_up_addition(r);
    } else if (has_it || MUTANT(add_without_last_ack)) {
        propose_addition(r);
    }
}

static void check_addition(struct replica *r)
{
    switch (r->member.addition) {
    case ADDITION_NONE:
        if (!may_add(r)) {
            break;
        }
        if (MUTANT(add_without_require)) {
            propose_addition(r);
            break;
        }
        member_require(r, r->primary.session.store_id);
        r->member.addition = ADDITION_REQUIRED;
        break;
    case ADDITION_REQUIRED:
        check_required(r);
        break;
    case ADDITION_PROPOSED:
        break; /* until a grant or a definite failure */
    }
}

/* ---- Remove ---- */

static bool is_gone(const struct replica *r)
{
    return r->member.left || r->now_ms - r->member.heard_ms >= r->options.silence_ms;
}

/* It speaks, and does not acknowledge; or speaks, and does not even follow. Were this host's own
 * disk the slow one, the other would only be the first to be blamed. */
static bool is_slow(const struct replica *r)
{
    const struct member *m = &r->member;
    uint64_t evict_ms = r->options.evict_ms;

    if (r->local.sync_slow || r->primary.beginning) {
        return false;
    }
    return (m->mark_count > 0 && r->now_ms - m->marks[0].ms >= evict_ms) ||
           r->now_ms - m->echo_ms >= evict_ms;
}

static void check_removal(struct replica *r)
{
    struct member *m = &r->member;
    struct replica_proposal *proposal;
    bool gone = is_gone(r);

    if (r->options.strict || m->removing || r->now_ms < m->propose_ms ||
        r->primary.handover == HANDOVER_DRAINED || (!gone && !is_slow(r))) {
        return;
    }
    m->removing = true;
    proposal = &replica_say(r, REPLICA_REPORT_REMOVE)->u.proposal;
    proposal->epoch = r->epoch;
    proposal->slow = !gone;
    if (MUTANT(stop_before_cas)) {
        member_unrequire(r);
    }
}

void member_check(struct replica *r)
{
    if (r->role != REPLICA_PRIMARY || r->primary.deposed || r->grant_held) {
        return;
    }
    if (r->primary.grant.peer_in_isr) {
        check_removal(r);
    } else {
        check_addition(r);
    }
}

uint64_t member_deadline_ms(const struct replica *r)
{
    const struct member *m = &r->member;
    uint64_t now_ms = r->now_ms;
    uint64_t evict_ms = r->options.evict_ms;
    uint64_t times[] = {m->propose_ms, m->heard_ms + r->options.silence_ms, m->echo_ms + evict_ms,
                        m->required_ms + evict_ms,
                        m->mark_count > 0 ? m->marks[0].ms + evict_ms : UINT64_MAX};
    uint64_t best_ms = UINT64_MAX;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i] > now_ms && times[i] < best_ms) {
            best_ms = times[i];
        }
    }
    return best_ms;
}

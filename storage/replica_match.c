/* SPDX-License-Identifier: Apache-2.0 */
/* replica_match.c: the primary's search for the last place that both logs share (rule I).
 * Owns the halving, and the decision that only a snapshot helps.
 * Never takes "not readable" for "different": a place that cannot be compared is never cut at.
 *
 * Hashes are chained: equal records at an LSN mean equal logs up to there, different ones different
 * logs from there on. low is a place where they are equal, lsn_high one where they are not (or
 * where one log has ended); when they meet, the standby cuts behind low. */
#include "base/assert.h"
#include "storage/replica_internal.h"

static void
send_place(struct replica *r, enum message_type type, const struct record_position *position)
{
    struct message_place *place = &replica_send(r, type)->u.place;

    place->epoch = r->epoch;
    place->incarnation = r->options.incarnation;
    place->position = *position;
}

/* Looks up our record at lsn_asked; theirs is known. */
static void find(struct replica *r)
{
    struct session *session = &r->primary.session;

    session->find_wanted = true;
    r->find_busy++;
    replica_add(r, REPLICA_EFFECT_FIND)->u.lsn = session->lsn_asked;
}

static void ask(struct replica *r, uint64_t lsn)
{
    struct session *session = &r->primary.session;
    struct record_position question = {.lsn = lsn};

    session->lsn_asked = lsn;
    if (lsn == session->last.lsn) { /* FOLLOW has said it */
        session->theirs = session->last;
        find(r);
        return;
    }
    session->probed = true;
    send_place(r, MESSAGE_PROBE, &question);
}

/* Asks on, or cuts. The end first: mostly the logs differ by nothing. */
static void search(struct replica *r, bool first)
{
    struct session *session = &r->primary.session;
    uint64_t span = session->lsn_high - session->low.lsn;

    ASSERT(session->lsn_high > session->low.lsn);
    if (span == 1) {
        session->phase = SESSION_CUTTING;
        send_place(r, MESSAGE_CUT, &session->low);
        return;
    }
    ask(r, first ? session->lsn_high - 1 : session->low.lsn + span / 2);
}

/* The logs are equal up to what the standby has applied. */
static void search_from(struct replica *r, const struct record_position *low)
{
    struct session *session = &r->primary.session;
    uint64_t lsn_end =
        session->last.lsn < r->local.last.lsn ? session->last.lsn : r->local.last.lsn;

    session->low = *low;
    session->lsn_high = lsn_end + 1;
    search(r, true);
}

void match_behind(struct replica *r)
{
    struct session *session = &r->primary.session;

    session->phase = SESSION_BEHIND;
    if (replica_compare(&session->acked, &session->last) > 0) {
        session->last = session->acked;
    }
}

/* The standby has applied what is not in this log: the cut at nothing tells it so. */
static void disown(struct replica *r)
{
    const struct record_position nothing = {.lsn = 0};

    send_place(r, MESSAGE_CUT, &nothing);
    match_behind(r);
}

void match_begin(struct replica *r)
{
    struct session *session = &r->primary.session;
    const struct record_position nothing = {.lsn = 0};

    session->phase = SESSION_MATCHING;
    session->low = nothing;
    session->lsn_high = 0; /* the applied LSN is asked for */
    if (session->applied.lsn == 0) {
        search_from(r, &nothing);
    } else if (session->applied.lsn > r->local.last.lsn) {
        disown(r);
    } else {
        session->lsn_asked = session->applied.lsn;
        session->theirs = session->applied;
        find(r);
    }
}

void match_on_place(struct replica *r, const struct message_place *place)
{
    struct session *session = &r->primary.session;
    const struct record_position none = {.lsn = session->lsn_asked};

    if (session->phase != SESSION_MATCHING || !session->probed ||
        place->position.lsn != session->lsn_asked) {
        replica_drop(r, "PLACE out of turn");
        return;
    }
    session->probed = false;
    if (replica_same_record(&place->position, &none)) {
        replica_drop(r, "the standby cannot read its own log");
        return;
    }
    session->theirs = place->position;
    find(r);
}

static void judge(struct replica *r, const struct record_position *ours)
{
    struct session *session = &r->primary.session;
    bool equal = MUTANT(match_by_lsn) || replica_same_record(ours, &session->theirs);

    if (session->lsn_high == 0) {
        if (equal) {
            search_from(r, ours);
        } else {
            disown(r);
        }
        return;
    }
    if (equal) {
        session->low = MUTANT(match_by_lsn) ? session->theirs : *ours;
    } else {
        session->lsn_high = ours->lsn;
    }
    search(r, false);
}

void match_on_found(struct replica *r, const struct replica_found *found)
{
    struct session *session = &r->primary.session;

    if (!session->find_wanted) {
        return;
    }
    ASSERT(session->phase == SESSION_MATCHING);
    ASSERT(found->lsn == session->lsn_asked);
    session->find_wanted = false;
    if (found->readable) {
        judge(r, &found->position);
    } else {
        match_behind(r);
    }
}

/* A snapshot that ends before the standby's log does would take back what it has acknowledged; this
 * host's start record of the epoch, once it is applied, is above all that a standby can have. */
void match_check(struct replica *r)
{
    struct session *session = &r->primary.session;

    if (r->role != REPLICA_PRIMARY || session->phase != SESSION_BEHIND || session->ship_busy ||
        session->snapshot_busy || replica_compare(&r->local.applied, &session->last) < 0) {
        return;
    }
    session->phase = SESSION_SNAPSHOT;
    session->snapshot_busy = true;
    replica_add(r, REPLICA_EFFECT_SNAPSHOT_SEND)->u.position = session->last;
}

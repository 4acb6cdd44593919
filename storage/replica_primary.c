/* SPDX-License-Identifier: Apache-2.0 */
/* replica_primary.c: leading.
 * Owns the epoch's start, LEAD, pings and echoes, which acknowledgements count, shipping, the end
 * of leading: handed over, or deposed. Never counts a word of another store, epoch or incarnation;
 * never serves before the epoch's start record is committed; says nothing any more once the peer
 * knows a higher epoch. */
#include "base/assert.h"
#include "storage/replica_internal.h"

#include <string.h>

/* ---- The epoch ---- */

void primary_session_end(struct replica *r, bool link_ended)
{
    struct session *session = &r->primary.session;
    bool ship_busy = session->ship_busy && !link_ended;
    bool snapshot_busy = session->snapshot_busy && !link_ended;

    memset(session, 0, sizeof *session);
    session->ship_busy = ship_busy;
    session->ship_stale = ship_busy;
    session->snapshot_busy = snapshot_busy;
}

void primary_end(struct replica *r)
{
    struct session session;
    uint64_t ping_sequence = r->primary.ping_sequence;

    primary_session_end(r, false);
    session = r->primary.session;
    memset(&r->primary, 0, sizeof r->primary);
    r->primary.session = session;
    /* Pings are numbered for the life of the process. */
    r->primary.ping_sequence = ping_sequence;
    r->primary.echoed = ping_sequence;
    r->primary.early = ping_sequence;
    memset(&r->member, 0, sizeof r->member);
}

void primary_begin(struct replica *r, const struct replica_grant *grant)
{
    struct primary *p = &r->primary;
    bool first = r->role != REPLICA_PRIMARY;

    ASSERT(grant->epoch == r->promised);
    if (!MUTANT(ack_after_seal)) {
        standby_end(r);
    }
    primary_session_end(r, false);
    r->role = REPLICA_PRIMARY;
    r->epoch = grant->epoch;
    member_grant(r, grant, first);
    p->grant = *grant;
    p->beginning = true;
    p->serving = false;
    p->lsn_start = 0;
    /* This host leads on: an offer that came to nothing is over, whether or not RESUME comes. Kept,
     * it would keep the peer from ever being added again. */
    if (!MUTANT(offer_outlives_grant)) {
        p->handover = HANDOVER_NONE;
    } else if (p->handover == HANDOVER_DRAINED) {
        p->handover = HANDOVER_DRAINING;
    }
    if (!r->halted) {
        replica_add(r, REPLICA_EFFECT_BEGIN_EPOCH)->u.epoch = grant->epoch;
    }
}

void primary_on_begun(struct replica *r, uint64_t epoch)
{
    struct primary *p = &r->primary;

    if (r->role != REPLICA_PRIMARY || epoch != r->epoch || !p->beginning) {
        return;
    }
    p->beginning = false;
    r->member.echo_ms = r->now_ms; /* until now it was not asked to follow */
    if (MUTANT(serve_before_committed)) {
        p->serving = true;
        replica_say(r, REPLICA_REPORT_LEADING)->u.epoch = epoch;
    }
    primary_lead(r);
}

static void fill_lead(const struct replica *r, struct message_lead *lead)
{
    *lead = (struct message_lead){
        .epoch = r->epoch,
        .incarnation = r->options.incarnation,
        .lsn_commit = r->local.lsn_commit,
        .last = r->local.last,
    };
}

void primary_lead(struct replica *r)
{
    struct primary *p = &r->primary;

    if (p->beginning || p->deposed || !r->greeted || p->session.phase != SESSION_NONE) {
        return;
    }
    replica_state_check(r); /* the lineage is known before LEAD is judged by it */
    fill_lead(r, &replica_send(r, MESSAGE_LEAD)->u.lead);
    p->session.phase = SESSION_ASKED;
}

static void check_serving(struct replica *r)
{
    struct primary *p = &r->primary;

    if (p->beginning || p->serving) {
        return;
    }
    /* The first record seen of this epoch is its start record, or one behind it. */
    if (p->lsn_start == 0 && r->local.last.epoch == r->epoch) {
        p->lsn_start = r->local.last.lsn;
    }
    if (p->lsn_start != 0 && r->local.lsn_commit >= p->lsn_start) {
        p->serving = true;
        replica_say(r, REPLICA_REPORT_LEADING)->u.epoch = r->epoch;
    }
}

/* ---- Deposed ---- */

void primary_depose(struct replica *r, uint64_t epoch)
{
    replica_say(r, REPLICA_REPORT_DEPOSED)->u.epoch = epoch;
    if (MUTANT(speak_deposed)) {
        return;
    }
    r->primary.deposed = true;
    r->grant_held = false;
    r->primary.handover = HANDOVER_NONE;
    primary_session_end(r, false);
    /* A primary that required nobody would go on committing alone. */
    if (!r->member.required) {
        member_require(r, r->link.peer.store_id);
    }
}

void primary_hears_epoch(struct replica *r, uint64_t epoch)
{
    const struct primary *p = &r->primary;

    if (r->role != REPLICA_PRIMARY || epoch <= r->epoch || p->deposed ||
        p->handover == HANDOVER_DRAINED || MUTANT(step_down_undrained)) {
        return;
    }
    primary_depose(r, epoch);
}

/* ---- Pings, echoes ---- */

static bool followed(const struct replica *r)
{
    return r->role == REPLICA_PRIMARY && r->primary.session.phase >= SESSION_MATCHING;
}

static void ping(struct replica *r)
{
    struct primary *p = &r->primary;
    struct message_ping *message = &replica_send(r, MESSAGE_PING)->u.ping;

    p->ping_sequence++;
    p->ping_sent_ms = r->now_ms;
    p->early = p->ping_sequence;
    p->read_more = false;
    p->session.lsn_goal = r->local.lsn_commit;
    message->epoch = r->epoch;
    message->incarnation = r->options.incarnation;
    message->sequence = p->ping_sequence;
    message->lsn_commit = r->local.lsn_commit;
}

void primary_on_read(struct replica *r)
{
    struct primary *p = &r->primary;
    bool lately = r->now_ms - r->member.echo_ms < r->options.silence_ms;

    if (r->role != REPLICA_PRIMARY || p->deposed) {
        return;
    }
    if (MUTANT(read_without_echo) || (MUTANT(read_by_clock) && lately)) {
        replica_add(r, REPLICA_EFFECT_ECHOED)->u.sequence = p->ping_sequence + 1;
        return;
    }
    /* One early ping is under way at most; reads that come meanwhile ride on the next. */
    p->read_more = true;
    if (followed(r) && p->echoed >= p->early) {
        ping(r);
    }
}

static void on_echo(struct replica *r, const struct message_ping *echo)
{
    struct primary *p = &r->primary;

    if (echo->sequence > p->ping_sequence) {
        replica_drop(r, "ECHO of a ping that was not sent");
        return;
    }
    if (echo->sequence <= p->echoed) {
        return;
    }
    p->echoed = echo->sequence;
    if (member_counts(r)) {
        r->member.echo_ms = r->now_ms;
        replica_add(r, REPLICA_EFFECT_ECHOED)->u.sequence = echo->sequence;
    }
    if (p->read_more && p->echoed >= p->early) {
        ping(r);
    }
}

/* ---- What the standby says ---- */

static void on_follow(struct replica *r, const struct message_follow *follow)
{
    struct session *session = &r->primary.session;

    if (session->phase != SESSION_ASKED) {
        replica_drop(r, "FOLLOW out of turn");
        return;
    }
    if (r->link.peer.lineage != r->options.lineage) {
        replica_drop(r, "the standby's log is of another lineage");
        return;
    }
    if (follow->applied.lsn > follow->last.lsn) {
        replica_drop(r, "FOLLOW with more applied than there is");
        return;
    }
    memcpy(session->store_id, follow->store_id, STORAGE_ID_SIZE);
    session->last = follow->last;
    session->applied = follow->applied;
    match_begin(r);
    if (!r->dropping) {
        ping(r);
    }
}

static void on_ack(struct replica *r, const struct record_position *position)
{
    struct session *session = &r->primary.session;

    if (session->phase == SESSION_CUTTING) {
        if (!replica_same_record(position, &session->low)) {
            replica_drop(r, "ACK of another place than the cut's");
            return;
        }
        session->phase = SESSION_STREAMING;
        session->verified = true;
        session->lsn_ship = position->lsn + 1;
    }
    if (!session->verified && !MUTANT(count_any_incarnation)) {
        replica_drop(r, "ACK out of turn");
        return;
    }
    if (position->lsn > r->local.last.lsn) {
        replica_drop(r, "ACK of a record that is not appended here");
        return;
    }
    if (position->lsn == r->local.last.lsn && !replica_same_record(position, &r->local.last)) {
        replica_halt(r, "the standby acknowledges another record than the one here");
        return;
    }
    if (position->lsn < session->acked.lsn) {
        return;
    }
    session->acked = *position;
    if (member_counts(r)) {
        replica_add(r, REPLICA_EFFECT_ACKNOWLEDGE)->u.position = *position;
        member_acknowledged(r, position->lsn);
    }
}

/* Words count that were said to this incarnation at this epoch by the store that said HELLO. */
static bool of_session(const struct replica *r, uint64_t epoch, uint64_t incarnation)
{
    if (r->role != REPLICA_PRIMARY || r->primary.deposed || r->primary.beginning) {
        return false;
    }
    return MUTANT(count_any_incarnation) ||
           (epoch == r->epoch && incarnation == r->options.incarnation);
}

static void on_follow_message(struct replica *r, const struct message *message)
{
    const struct message_follow *follow = &message->u.follow;

    if (!of_session(r, follow->epoch, follow->incarnation)) {
        return;
    }
    if (!replica_same_id(follow->store_id, r->link.peer.store_id)) {
        replica_drop(r, "the standby became another store");
    } else if (message->type == MESSAGE_FOLLOW) {
        on_follow(r, follow);
    } else {
        on_ack(r, &follow->last);
    }
}

static void on_echo_message(struct replica *r, const struct message_ping *echo)
{
    if (!of_session(r, echo->epoch, echo->incarnation) || !followed(r)) {
        return;
    }
    if (!replica_same_id(echo->store_id, r->primary.session.store_id)) {
        replica_drop(r, "ECHO of another store");
    } else {
        on_echo(r, echo);
    }
}

void primary_on_message(struct replica *r, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        on_follow_message(r, message);
        break;
    case MESSAGE_PLACE:
        if (of_session(r, message->u.place.epoch, message->u.place.incarnation)) {
            match_on_place(r, &message->u.place);
        }
        break;
    case MESSAGE_ECHO:
        on_echo_message(r, &message->u.ping);
        break;
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
    case MESSAGE_LEAD:
    case MESSAGE_PROBE:
    case MESSAGE_CUT:
    case MESSAGE_APPEND:
    case MESSAGE_PING:
    case MESSAGE_SNAPSHOT:
    case MESSAGE_PAIRS:
    case MESSAGE_SNAPSHOT_END:
    case MESSAGE_HANDOVER:
    case MESSAGE_DATA:
    case MESSAGE_BYE:
    case MESSAGE_TYPE_END:
        break;
    }
}

/* ---- Shipping ---- */

void primary_on_shipped(struct replica *r, const struct replica_shipped *shipped)
{
    struct session *session = &r->primary.session;

    if (!session->ship_busy) {
        return;
    }
    session->ship_busy = false;
    if (session->ship_stale || session->phase != SESSION_STREAMING) {
        session->ship_stale = false;
        return;
    }
    if (shipped->gone) {
        match_behind(r);
        return;
    }
    ASSERT(shipped->lsn_next >= session->lsn_ship);
    session->lsn_ship = shipped->lsn_next;
}

static void check_ship(struct replica *r)
{
    struct session *session = &r->primary.session;

    if (session->phase == SESSION_STREAMING && !session->ship_busy &&
        session->lsn_ship <= r->local.last.lsn) {
        session->ship_busy = true;
        replica_add(r, REPLICA_EFFECT_SHIP)->u.lsn = session->lsn_ship;
    }
}

void primary_on_snapshot_sent(struct replica *r)
{
    r->primary.session.snapshot_busy = false;
}

/* ---- Handover ---- */

void primary_on_handover(struct replica *r)
{
    if (r->role == REPLICA_PRIMARY && !r->primary.deposed && r->primary.handover == HANDOVER_NONE) {
        r->primary.handover = HANDOVER_DRAINING;
    }
}

void primary_on_resume(struct replica *r)
{
    const struct message_state *peer = &r->link.peer;

    if (r->role != REPLICA_PRIMARY || r->primary.deposed) {
        return;
    }
    r->primary.handover = HANDOVER_NONE;
    /* What was overheard while drained. */
    primary_hears_epoch(r, peer->promised);
    if (peer->role == REPLICA_PRIMARY) {
        primary_hears_epoch(r, peer->epoch);
    }
    if (r->reg.primary != r->options.host) {
        primary_hears_epoch(r, r->reg.epoch);
    }
}

/* All is committed, and the standby has it. */
static bool drained(const struct replica *r)
{
    const struct session *session = &r->primary.session;

    if (!r->primary.serving || !r->primary.grant.peer_in_isr || r->member.removing ||
        !member_counts(r) || session->phase != SESSION_STREAMING) {
        return false;
    }
    if (MUTANT(handover_undrained)) {
        return true;
    }
    return r->local.lsn_commit == r->local.last.lsn &&
           replica_same_record(&session->acked, &r->local.last);
}

static void check_handover(struct replica *r)
{
    struct primary *p = &r->primary;

    if (p->handover != HANDOVER_DRAINING || !drained(r)) {
        return;
    }
    p->handover = HANDOVER_DRAINED;
    p->drained = r->local.last;
    fill_lead(r, &replica_send(r, MESSAGE_HANDOVER)->u.lead);
    replica_say(r, REPLICA_REPORT_DRAINED)->u.epoch = r->epoch;
}

/* ---- What a step ends with ---- */

void primary_check(struct replica *r)
{
    if (r->role != REPLICA_PRIMARY || r->primary.deposed) {
        return;
    }
    check_serving(r);
    check_ship(r);
    check_handover(r);
    if (followed(r) && r->now_ms - r->primary.ping_sent_ms >= r->options.ping_ms) {
        ping(r);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* replica_standby.c: following a primary.
 * Owns the standby's session: LEAD to FOLLOW, probes, the cut, acknowledgements, echoes, how far
 * may be applied, and the receiving of a snapshot.
 * Never acknowledges or echoes but at the promised epoch, never before the cut is durable, and
 * never lets apply what this session has not verified. */
#include "base/assert.h"
#include "storage/replica_internal.h"

#include <string.h>

void standby_end(struct replica *r)
{
    struct standby *s = &r->standby;

    s->phase = STANDBY_NONE;
    s->lead_held = false;
    s->find_wanted = false;
    s->lsn_commit = 0;
    s->lsn_acked = 0;
}

/* ---- LEAD ---- */

/* An empty store takes the lineage of the first that it follows; a store that has records and no
 * lineage is somebody's data. */
static bool lineage_fits(const struct replica *r, const struct message_lead *lead)
{
    uint64_t theirs = r->link.peer.lineage;

    if (theirs == 0) {
        return false;
    }
    if (r->reg.epoch == lead->epoch && r->reg.lineage != 0 && r->reg.lineage != theirs) {
        return false;
    }
    if (r->options.lineage == 0) {
        return r->local.last.lsn == 0;
    }
    return r->options.lineage == theirs;
}

/* The epoch may be followed as far as promises and the register go. */
static bool epoch_fits(const struct replica *r, const struct message_lead *lead)
{
    if (lead->epoch < r->promising || lead->epoch <= r->own_epoch || lead->epoch < r->reg.epoch) {
        return false;
    }
    return lead->epoch > r->reg.epoch || r->reg.primary == 0 || r->reg.primary == r->link.peer.host;
}

static void begin_session(struct replica *r, const struct message_lead *lead)
{
    struct standby *s = &r->standby;

    standby_end(r);
    s->phase = STANDBY_PROMISING;
    s->lead = *lead;
    s->lsn_commit = lead->lsn_commit;
    s->led_epoch = lead->epoch;
    s->led_incarnation = lead->incarnation;
    if (r->options.lineage == 0) {
        r->options.lineage = r->link.peer.lineage;
        authority_ask(r, lead->epoch);
    } else if (lead->epoch > r->promising) {
        authority_ask(r, lead->epoch);
    }
}

bool standby_holds(const struct replica *r)
{
    return r->role != REPLICA_PRIMARY && r->standby.lead_held &&
           r->now_ms < r->standby.snapshot_retry_ms;
}

/* A LEAD waits for the register's first reading in this incarnation (rule A), for a cut that is
 * under way, and for a grant that is; and after a snapshot that could not be taken, so that the
 * primary does not send it again and again. */
static void try_lead(struct replica *r)
{
    struct message_lead lead = r->standby.held;

    if (standby_holds(r) || (!r->register_read && !MUTANT(follow_unread)) || r->cut_busy ||
        r->grant_held) {
        return;
    }
    r->standby.lead_held = false;
    if (!epoch_fits(r, &lead)) {
        replica_state(r); /* the peer learns what is promised here */
    } else if (!lineage_fits(r, &lead)) {
        replica_resync(r, "the primary's log is of another lineage");
    } else {
        begin_session(r, &lead);
    }
}

/* A drained primary becomes a standby in the same process: memory and log say the same. */
static bool may_step_down(const struct replica *r, const struct message_lead *lead)
{
    const struct primary *p = &r->primary;

    if (!epoch_fits(r, lead) || !lineage_fits(r, lead) || r->grant_held) {
        return false;
    }
    if (MUTANT(step_down_undrained)) {
        return true;
    }
    return p->handover == HANDOVER_DRAINED && replica_same_record(&r->local.last, &p->drained) &&
           r->local.lsn_commit == p->drained.lsn;
}

static void step_down(struct replica *r)
{
    replica_add(r, REPLICA_EFFECT_STEP_DOWN);
    primary_end(r);
    r->role = REPLICA_IDLE;
    r->epoch = 0;
    r->standby.lsn_commit_told = r->local.lsn_commit;
}

void standby_on_lead(struct replica *r, const struct message_lead *lead)
{
    struct standby *s = &r->standby;

    if (r->primary.deposed) {
        return;
    }
    if (lead->incarnation != r->link.peer.incarnation) {
        replica_drop(r, "LEAD of another incarnation than the peer's");
        return;
    }
    /* The halves of a split (manual: two words that were not true). Neither follows, and the link
     * stays: by it the supervisors find out, and tell the operator. */
    if (r->role == REPLICA_PRIMARY && lead->epoch == r->epoch) {
        replica_state(r);
        return;
    }
    if ((lead->epoch == s->led_epoch && lead->incarnation != s->led_incarnation) ||
        lead->epoch == r->own_epoch) {
        replica_state(r);
        replica_drop(r, "two incarnations lead one epoch");
        return;
    }
    if (r->role == REPLICA_PRIMARY) {
        if (lead->epoch < r->epoch) {
            replica_state(r);
            return;
        }
        if (!may_step_down(r, lead)) {
            primary_depose(r, lead->epoch);
            return;
        }
        step_down(r);
    }
    s->held = *lead;
    s->lead_held = true;
}

/* Memory and disk must agree on where the log ends before it is offered. */
static bool may_follow(const struct replica *r)
{
    return r->standby.phase == STANDBY_PROMISING && authority_allows(r, r->standby.lead.epoch) &&
           r->local.durable.lsn == r->local.last.lsn;
}

static void fill_follow(const struct replica *r, struct message_follow *follow)
{
    const struct standby *s = &r->standby;

    ASSERT(authority_allows(r, s->lead.epoch));
    *follow = (struct message_follow){
        .epoch = s->lead.epoch,
        .incarnation = s->lead.incarnation,
        .lsn_applied = r->local.applied.lsn,
        .last = r->local.durable,
    };
    memcpy(follow->store_id, r->options.store_id, STORAGE_ID_SIZE);
}

static void follow(struct replica *r)
{
    struct message_follow *message;

    r->standby.phase = STANDBY_MATCHING;
    r->role = REPLICA_STANDBY;
    r->epoch = r->standby.lead.epoch;
    replica_state_check(r); /* the promise and the lineage are known before the first word */
    message = &replica_send(r, MESSAGE_FOLLOW)->u.follow;
    fill_follow(r, message);
    message->applied = r->local.applied;
}

static void acknowledge(struct replica *r)
{
    fill_follow(r, &replica_send(r, MESSAGE_ACK)->u.follow);
    r->standby.lsn_acked = r->local.durable.lsn;
}

/* ---- Matching ---- */

static void send_place(struct replica *r, const struct record_position *position)
{
    struct message_place *place = &replica_send(r, MESSAGE_PLACE)->u.place;

    place->epoch = r->standby.lead.epoch;
    place->incarnation = r->standby.lead.incarnation;
    place->position = *position;
}

static void on_probe(struct replica *r, uint64_t lsn)
{
    const struct record_position none = {.lsn = lsn};

    if (r->standby.phase != STANDBY_MATCHING || r->standby.find_wanted) {
        replica_drop(r, "PROBE out of turn");
    } else if (lsn == 0 || lsn > r->local.last.lsn) {
        send_place(r, &none);
    } else {
        r->standby.find_wanted = true;
        r->find_busy++;
        replica_add(r, REPLICA_EFFECT_FIND)->u.lsn = lsn;
    }
}

void standby_on_found(struct replica *r, const struct replica_found *found)
{
    struct record_position position = {.lsn = found->lsn};

    if (!r->standby.find_wanted) {
        return;
    }
    ASSERT(r->standby.phase == STANDBY_MATCHING);
    r->standby.find_wanted = false;
    if (found->readable) {
        position = found->position;
    }
    send_place(r, &position);
}

/* True when the cut would take away what was applied, or may have been. */
static bool cuts_applied(const struct replica *r, const struct record_position *place)
{
    const struct record_position *applied = &r->local.applied;

    if (place->lsn < applied->lsn || place->lsn < r->standby.lsn_commit_told) {
        return true;
    }
    return place->lsn == applied->lsn && place->lsn != 0 && !replica_same_record(place, applied);
}

static void on_cut(struct replica *r, const struct record_position *place)
{
    struct standby *s = &r->standby;

    if (s->phase != STANDBY_MATCHING || s->find_wanted) {
        replica_drop(r, "CUT out of turn");
        return;
    }
    if (cuts_applied(r, place)) {
        s->phase = STANDBY_RESYNC;
        replica_resync(r, "records are applied here that the primary's log does not have");
        return;
    }
    if (place->lsn > r->local.last.lsn) {
        replica_drop(r, "CUT beyond the end of the log");
        return;
    }
    s->phase = STANDBY_CUTTING;
    s->cut = *place;
    r->cut_busy = true;
    replica_add(r, REPLICA_EFFECT_CUT)->u.position = *place;
    if (MUTANT(ack_before_cut)) {
        r->local.durable = *place;
        acknowledge(r);
    }
}

void standby_on_cut_done(struct replica *r)
{
    struct standby *s = &r->standby;

    ASSERT(r->cut_busy);
    r->cut_busy = false;
    r->local.last = s->cut;
    r->local.durable = s->cut;
    if (s->phase == STANDBY_CUTTING) {
        s->phase = STANDBY_STREAMING;
        s->snapshot_retry_ms = 0;
        s->snapshot_pause_ms = 0;
        if (!MUTANT(ack_before_cut)) {
            acknowledge(r);
        }
    }
}

/* ---- The stream ---- */

static void learn_commit(struct replica *r, uint64_t lsn)
{
    if (lsn > r->standby.lsn_commit) {
        r->standby.lsn_commit = lsn;
    }
}

static void on_append(struct replica *r, const struct message_bytes *append)
{
    if (r->standby.phase != STANDBY_STREAMING || r->role != REPLICA_STANDBY) {
        return;
    }
    replica_add(r, REPLICA_EFFECT_APPEND)->u.bytes = append->bytes;
    learn_commit(r, append->lsn_commit);
}

static void on_ping(struct replica *r, const struct message_ping *ping)
{
    struct message_ping *echo;

    if (!authority_allows(r, r->standby.lead.epoch)) {
        return;
    }
    echo = &replica_send(r, MESSAGE_ECHO)->u.ping;
    echo->epoch = ping->epoch;
    echo->incarnation = ping->incarnation;
    echo->sequence = ping->sequence;
    memcpy(echo->store_id, r->options.store_id, STORAGE_ID_SIZE);
    learn_commit(r, ping->lsn_commit);
}

static void on_handover(struct replica *r, const struct message_lead *offer)
{
    if (r->standby.phase != STANDBY_STREAMING) {
        return;
    }
    if (!replica_same_record(&r->local.durable, &offer->last) && !MUTANT(handover_undrained)) {
        replica_drop(r, "HANDOVER at a record that is not the last one here");
        return;
    }
    learn_commit(r, offer->lsn_commit);
    replica_say(r, REPLICA_REPORT_TAKE_OVER)->u.epoch = offer->epoch;
}

/* ---- A snapshot ---- */

static void on_snapshot(struct replica *r, const struct record_position *position)
{
    struct standby *s = &r->standby;

    if (s->phase != STANDBY_MATCHING && s->phase != STANDBY_RESYNC &&
        s->phase != STANDBY_STREAMING) {
        replica_drop(r, "SNAPSHOT out of turn");
        return;
    }
    /* What this store has acknowledged is committed perhaps, and was counted on: a snapshot that
     * ends before it would take it back. By (epoch, LSN) at or above the log's end it has it. */
    if (replica_compare(position, &r->local.last) < 0) {
        replica_drop(r, "SNAPSHOT that ends before this log does");
        return;
    }
    s->phase = STANDBY_SNAPSHOT;
    s->find_wanted = false;
    s->pair_count = 0;
    replica_add(r, REPLICA_EFFECT_SNAPSHOT_BEGIN)->u.position = *position;
}

static void on_pairs(struct replica *r, const struct message_bytes *pairs)
{
    struct standby *s = &r->standby;
    uint64_t before = pairs->lsn_commit;

    if (s->phase != STANDBY_SNAPSHOT) {
        return;
    }
    if (before < s->pair_count || (s->pair_count == 0 && before != 0)) {
        replica_drop(r, "PAIRS out of order");
        return;
    }
    s->pair_count = before + 1; /* at least one is in there */
    replica_add(r, REPLICA_EFFECT_SNAPSHOT_PAIRS)->u.bytes = pairs->bytes;
}

static void on_snapshot_end(struct replica *r, uint64_t pair_count)
{
    if (r->standby.phase != STANDBY_SNAPSHOT) {
        return;
    }
    if (pair_count < r->standby.pair_count) {
        replica_drop(r, "SNAPSHOT_END with too few pairs");
        return;
    }
    replica_add(r, REPLICA_EFFECT_SNAPSHOT_INSTALL)->u.sequence = pair_count;
    r->halted = true; /* installed or not, the process ends */
}

void standby_on_snapshot_refused(struct replica *r)
{
    struct standby *s = &r->standby;

    s->snapshot_pause_ms *= 2;
    if (s->snapshot_pause_ms < STORAGE_SNAPSHOT_PAUSE_MS_MIN) {
        s->snapshot_pause_ms = STORAGE_SNAPSHOT_PAUSE_MS_MIN;
    }
    if (s->snapshot_pause_ms > STORAGE_SNAPSHOT_PAUSE_MS_MAX) {
        s->snapshot_pause_ms = STORAGE_SNAPSHOT_PAUSE_MS_MAX;
    }
    s->snapshot_retry_ms = r->now_ms + s->snapshot_pause_ms;
}

/* ---- Dispatch ---- */

/* Words of an epoch or incarnation that is not followed (a primary that was granted the next epoch
 * may still have some under way) are nothing to this session. */
static bool of_session(const struct replica *r, uint64_t epoch, uint64_t incarnation)
{
    return r->standby.phase >= STANDBY_MATCHING && epoch == r->standby.lead.epoch &&
           incarnation == r->standby.lead.incarnation;
}

static void on_place_message(struct replica *r, const struct message *message)
{
    const struct message_place *place = &message->u.place;

    if (!of_session(r, place->epoch, place->incarnation)) {
        return;
    }
    if (message->type == MESSAGE_PROBE) {
        on_probe(r, place->position.lsn);
    } else if (message->type == MESSAGE_CUT) {
        on_cut(r, &place->position);
    } else {
        on_snapshot(r, &place->position);
    }
}

static void on_bytes_message(struct replica *r, const struct message *message)
{
    const struct message_bytes *bytes = &message->u.bytes;

    if (!of_session(r, bytes->epoch, bytes->incarnation)) {
        return;
    }
    if (message->type == MESSAGE_APPEND) {
        on_append(r, bytes);
    } else {
        on_pairs(r, bytes);
    }
}

static void on_ping_message(struct replica *r, const struct message *message)
{
    const struct message_ping *ping = &message->u.ping;

    if (!of_session(r, ping->epoch, ping->incarnation)) {
        return;
    }
    if (message->type == MESSAGE_PING) {
        on_ping(r, ping);
    } else {
        on_snapshot_end(r, ping->sequence);
    }
}

void standby_on_message(struct replica *r, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_PROBE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        on_place_message(r, message);
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        on_bytes_message(r, message);
        break;
    case MESSAGE_PING:
    case MESSAGE_SNAPSHOT_END:
        on_ping_message(r, message);
        break;
    case MESSAGE_HANDOVER:
        if (of_session(r, message->u.lead.epoch, message->u.lead.incarnation)) {
            on_handover(r, &message->u.lead);
        }
        break;
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
    case MESSAGE_LEAD:
    case MESSAGE_FOLLOW:
    case MESSAGE_PLACE:
    case MESSAGE_ACK:
    case MESSAGE_ECHO:
    case MESSAGE_DATA:
    case MESSAGE_BYE:
    case MESSAGE_TYPE_END:
        break;
    }
}

/* ---- What a step ends with ---- */

/* How far may be applied: what the primary says is committed, as far as it is durable and verified
 * here. From the durable cut on, all that is durable here is verified. */
static uint64_t commit_limit(const struct replica *r)
{
    const struct standby *s = &r->standby;

    if (MUTANT(apply_beyond_verified) && s->phase >= STANDBY_MATCHING) {
        return s->lsn_commit < r->local.last.lsn ? s->lsn_commit : r->local.last.lsn;
    }
    if (s->phase != STANDBY_STREAMING) {
        return 0;
    }
    return s->lsn_commit < r->local.durable.lsn ? s->lsn_commit : r->local.durable.lsn;
}

void standby_check(struct replica *r)
{
    struct standby *s = &r->standby;
    uint64_t limit;

    if (s->lead_held && r->role != REPLICA_PRIMARY) {
        try_lead(r);
    }
    if (may_follow(r)) {
        follow(r);
    }
    if (s->phase == STANDBY_STREAMING && r->role == REPLICA_STANDBY &&
        r->local.durable.lsn > s->lsn_acked) {
        acknowledge(r);
    }
    limit = commit_limit(r);
    if (limit > s->lsn_commit_told && r->role == REPLICA_STANDBY) {
        s->lsn_commit_told = limit;
        replica_add(r, REPLICA_EFFECT_COMMIT)->u.lsn = limit;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* replica_link.c: the link, and what is known of the peer.
 * Owns HELLO and STATE, who may be at the other end, signs of life and silence.
 * Never decides who leads: what a role makes of a message is in the files of the roles. */
#include "base/assert.h"
#include "storage/replica_internal.h"

#include <string.h>

static void fill_state(const struct replica *r, struct message_state *state)
{
    *state = (struct message_state){
        .version_min = MESSAGE_VERSION_MIN,
        .version_max = MESSAGE_VERSION_MAX,
        .lineage = r->options.lineage,
        .incarnation = r->options.incarnation,
        .host = r->options.host,
        .role = (uint8_t)r->role,
        .epoch = r->epoch,
        .promised = r->promised,
        .wall_ms = r->wall_ms,
        .lsn_applied = r->local.applied.lsn,
        .last = r->local.durable,
    };
    memcpy(state->cluster_id, r->options.cluster_id, STORAGE_ID_SIZE);
    memcpy(state->store_id, r->options.store_id, STORAGE_ID_SIZE);
}

static void send_state(struct replica *r, enum message_type type)
{
    fill_state(r, &r->said);
    r->said_ms = r->now_ms;
    replica_send(r, type)->u.state = r->said;
}

void replica_state(struct replica *r)
{
    ASSERT(r->greeted);
    send_state(r, MESSAGE_STATE);
}

void replica_state_check(struct replica *r)
{
    const struct message_state *said = &r->said;

    if (!r->greeted || r->primary.deposed) {
        return;
    }
    if (said->role != r->role || said->epoch != r->epoch || said->promised != r->promised ||
        said->lineage != r->options.lineage) {
        replica_state(r);
    }
}

/* All that lived on the link is over. */
static void link_lost(struct replica *r)
{
    r->greeted = false;
    r->link.up = false;
    standby_end(r);
    primary_session_end(r, true);
    member_lost(r);
}

void replica_drop(struct replica *r, const char *reason)
{
    if (!r->connected || r->dropping) {
        return;
    }
    replica_reason(r->bye, reason);
    replica_send(r, MESSAGE_BYE)->u.bye.reason = span_text(r->bye);
    replica_reason(replica_add(r, REPLICA_EFFECT_DROP_LINK)->u.reason, reason);
    r->dropping = true;
    link_lost(r);
}

/* The link stays: who ends it first could take the word away from the peer. */
void link_on_leave(struct replica *r)
{
    if (r->connected && !r->dropping) {
        replica_send(r, MESSAGE_BYE)->u.bye =
            (struct message_bye){.leaves = true, .reason = SPAN_LITERAL("this host stops")};
    }
    r->halted = true;
}

void link_on_up(struct replica *r)
{
    if (r->connected) {
        link_lost(r);
    }
    r->connected = true;
    r->dropping = false;
    send_state(r, MESSAGE_HELLO);
}

void link_on_down(struct replica *r)
{
    r->connected = false;
    r->dropping = false;
    link_lost(r);
}

static void hear(struct replica *r)
{
    r->quiet_ms = r->now_ms;
    r->link.heard_ms = r->now_ms;
    member_heard(r);
}

static void take_state(struct replica *r, const struct message_state *state)
{
    r->link.peer = *state;
    r->link.clock_ahead_ms = (int64_t)(state->wall_ms - r->wall_ms);
    hear(r);
    primary_hears_epoch(r, state->promised);
    if (state->role == REPLICA_PRIMARY) {
        primary_hears_epoch(r, state->epoch);
    }
}

/* Why the peer's HELLO is refused; NULL: it is not. */
static const char *hello_fault(const struct replica *r, const struct message_state *hello)
{
    if (!replica_same_id(hello->cluster_id, r->options.cluster_id)) {
        return "the peer is of another cluster";
    }
    if (hello->version_min > MESSAGE_VERSION_MAX || hello->version_max < MESSAGE_VERSION_MIN) {
        return "no protocol version that both hosts speak";
    }
    if (hello->host == r->options.host) {
        return "both hosts have the same number";
    }
    if (replica_same_id(hello->store_id, r->options.store_id)) {
        return "both hosts have the same store: one was copied";
    }
    if (hello->incarnation == r->options.incarnation) {
        return "both processes have the same incarnation";
    }
    return NULL;
}

static void on_hello(struct replica *r, const struct message_state *hello)
{
    const char *fault = hello_fault(r, hello);

    if (fault != NULL) {
        replica_drop(r, fault);
        return;
    }
    r->greeted = true;
    r->link.up = true;
    take_state(r, hello);
    if (r->role == REPLICA_PRIMARY) {
        primary_lead(r);
    }
}

/* What a process says of itself changes only in some ways. */
static const char *state_fault(const struct replica *r, const struct message_state *state)
{
    const struct message_state *before = &r->link.peer;

    if (!replica_same_id(state->cluster_id, before->cluster_id) ||
        !replica_same_id(state->store_id, before->store_id) || state->host != before->host ||
        state->incarnation != before->incarnation) {
        return "the peer became another one on the same link";
    }
    if (state->promised < before->promised) {
        return "the peer's promise fell";
    }
    if (state->lineage == 0 && before->lineage != 0) {
        return "the peer's lineage vanished";
    }
    return NULL;
}

static void on_state(struct replica *r, const struct message_state *state)
{
    const char *fault = state_fault(r, state);

    if (fault != NULL) {
        replica_drop(r, fault);
        return;
    }
    take_state(r, state);
}

static void on_greeted_message(struct replica *r, const struct message *message)
{
    hear(r);
    switch (message->type) {
    case MESSAGE_HELLO:
        replica_drop(r, "a second HELLO");
        break;
    case MESSAGE_STATE:
        on_state(r, &message->u.state);
        break;
    case MESSAGE_LEAD:
        standby_on_lead(r, &message->u.lead);
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_PLACE:
    case MESSAGE_ACK:
    case MESSAGE_ECHO:
        primary_on_message(r, message);
        break;
    case MESSAGE_PROBE:
    case MESSAGE_CUT:
    case MESSAGE_APPEND:
    case MESSAGE_PING:
    case MESSAGE_SNAPSHOT:
    case MESSAGE_PAIRS:
    case MESSAGE_SNAPSHOT_END:
    case MESSAGE_HANDOVER:
        standby_on_message(r, message);
        break;
    case MESSAGE_DATA:
        replica_add(r, REPLICA_EFFECT_DATA)->u.data = message->u.data;
        break;
    case MESSAGE_BYE: /* the end of the link follows; its shell logs the reason */
        if (message->u.bye.leaves) {
            member_left(r);
        }
        break;
    case MESSAGE_TYPE_END:
        break;
    }
}

void link_on_message(struct replica *r, const struct message *message)
{
    if (!r->connected || r->dropping) {
        return;
    }
    if (r->greeted) {
        on_greeted_message(r, message);
    } else if (message->type == MESSAGE_HELLO) {
        on_hello(r, &message->u.state);
    } else if (message->type != MESSAGE_BYE) {
        replica_drop(r, "the first message is no HELLO");
    }
}

/* ---- What a step ends with ---- */

/* True while pings and echoes are the sign of life. */
static bool in_session(const struct replica *r)
{
    if (r->role == REPLICA_PRIMARY) {
        return r->primary.session.phase >= SESSION_MATCHING;
    }
    return r->standby.phase >= STANDBY_MATCHING;
}

static bool in_sync(const struct replica *r)
{
    if (r->role == REPLICA_PRIMARY) {
        return r->member.required && member_counts(r) &&
               r->primary.session.phase == SESSION_STREAMING;
    }
    return r->standby.phase == STANDBY_STREAMING;
}

static bool link_told(const struct replica_link *told, const struct replica_link *now)
{
    struct message_state a = told->peer;
    struct message_state b = now->peer;

    /* What moves all the time is not news. */
    a.wall_ms = b.wall_ms;
    a.lsn_applied = b.lsn_applied;
    return told->up == now->up && told->silent == now->silent && told->in_sync == now->in_sync &&
           memcmp(a.cluster_id, b.cluster_id, sizeof a.cluster_id) == 0 &&
           replica_same_id(a.store_id, b.store_id) && a.lineage == b.lineage &&
           a.incarnation == b.incarnation && a.host == b.host && a.role == b.role &&
           a.epoch == b.epoch && a.promised == b.promised && replica_same_record(&a.last, &b.last);
}

void link_check(struct replica *r)
{
    r->link.silent = r->now_ms - r->quiet_ms >= r->options.silence_ms;
    r->link.in_sync = in_sync(r);
    r->link.lsn_acked = r->role == REPLICA_PRIMARY ? r->primary.session.acked.lsn : 0;
    replica_state_check(r);
    if (r->greeted && !r->primary.deposed && !in_session(r) &&
        r->now_ms - r->said_ms >= r->options.ping_ms) {
        replica_state(r);
    }
    if (!link_told(&r->reported, &r->link)) {
        r->reported = r->link;
        replica_say(r, REPLICA_REPORT_LINK)->u.link = r->link;
    }
}

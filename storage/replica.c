/* SPDX-License-Identifier: Apache-2.0 */
/* replica.c: the replication core: its events, effects and looks from outside.
 * Owns the step: what an event goes to and in which order the parts are looked after; the deadline.
 * Never decides anything itself: replica_*.c do. */
#include "storage/replica.h"

#include "base/assert.h"
#include "storage/replica_internal.h"

#include <stdio.h>
#include <string.h>

/* ---- Effects ---- */

struct replica_effect *replica_add(struct replica *r, enum replica_effect_type type)
{
    struct replica_effect *effect;

    ASSERT(r->effects != NULL);
    ASSERT(r->effects->count < REPLICA_EFFECT_COUNT_MAX);
    effect = &r->effects->items[r->effects->count];
    r->effects->count++;
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

struct message *replica_send(struct replica *r, enum message_type type)
{
    struct message *message = &replica_add(r, REPLICA_EFFECT_SEND)->u.message;

    ASSERT(r->connected && !r->dropping);
    message->type = type;
    return message;
}

struct replica_report *replica_say(struct replica *r, enum replica_report_type type)
{
    struct replica_report *report = &replica_add(r, REPLICA_EFFECT_REPORT)->u.report;

    report->type = type;
    return report;
}

void replica_reason(char *at, const char *reason)
{
    (void)snprintf(at, REPLICA_REASON_SIZE, "%s", reason); /* cut: it is for people */
}

void replica_halt(struct replica *r, const char *reason)
{
    replica_reason(replica_add(r, REPLICA_EFFECT_HALT)->u.reason, reason);
    r->halted = true;
}

void replica_resync(struct replica *r, const char *reason)
{
    replica_reason(replica_say(r, REPLICA_REPORT_RESYNC)->u.reason, reason);
}

/* ---- Positions ---- */

bool replica_same_id(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, STORAGE_ID_SIZE) == 0;
}

bool replica_same_record(const struct record_position *a, const struct record_position *b)
{
    return a->lsn == b->lsn && a->epoch == b->epoch &&
           memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

int replica_compare(const struct record_position *a, const struct record_position *b)
{
    if (a->epoch != b->epoch) {
        return a->epoch < b->epoch ? -1 : 1;
    }
    if (a->lsn != b->lsn) {
        return a->lsn < b->lsn ? -1 : 1;
    }
    return 0;
}

/* A process that did not run cannot say that the other was silent, or slow. Ticks are at most
 * ping_ms apart while that matters. */
static void note_sleep(struct replica *r, uint64_t now_ms)
{
    uint64_t gap_ms = now_ms - r->now_ms;

    if (!r->step_begun || gap_ms <= r->options.ping_ms + r->options.silence_ms / 2) {
        return;
    }
    if (!r->link.silent) {
        r->quiet_ms += gap_ms;
    }
    member_slept(r, gap_ms);
}

static void on_register(struct replica *r, const struct replica_register *reg)
{
    r->register_read = true;
    if (reg->epoch < r->reg.epoch) {
        return;
    }
    r->reg = *reg;
    if (reg->primary != 0 && reg->primary != r->options.host) {
        primary_hears_epoch(r, reg->epoch);
    }
}

static void on_local(struct replica *r, const struct replica_local *local)
{
    uint64_t before = r->local.last.lsn;

    r->local = *local;
    member_on_local(r, before);
}

static void on_found(struct replica *r, const struct replica_found *found)
{
    ASSERT(r->find_busy > 0);
    r->find_busy--;
    if (r->find_busy > 0) {
        return; /* asked by a session that is over: the last answer is the one that is waited for */
    }
    standby_on_found(r, found);
    match_on_found(r, found);
}

static void on_data(struct replica *r, struct span data)
{
    ASSERT(data.size <= MESSAGE_DATA_SIZE_MAX);
    if (r->greeted) {
        replica_send(r, MESSAGE_DATA)->u.data = data;
    }
}

static void dispatch(struct replica *r, const struct replica_event *event)
{
    switch (event->type) {
    case REPLICA_EVENT_LINK_UP:
        link_on_up(r);
        break;
    case REPLICA_EVENT_LINK_DOWN:
        link_on_down(r);
        break;
    case REPLICA_EVENT_MESSAGE:
        link_on_message(r, event->u.message);
        break;
    case REPLICA_EVENT_REGISTER:
        on_register(r, &event->u.reg);
        break;
    case REPLICA_EVENT_SEAL:
        authority_on_seal(r, event->u.epoch);
        break;
    case REPLICA_EVENT_GRANT:
        authority_on_grant(r, &event->u.grant);
        break;
    case REPLICA_EVENT_REFUSED:
        member_on_refused(r, event->u.epoch);
        break;
    case REPLICA_EVENT_HANDOVER:
        primary_on_handover(r);
        break;
    case REPLICA_EVENT_RESUME:
        primary_on_resume(r);
        break;
    case REPLICA_EVENT_READ:
        primary_on_read(r);
        break;
    case REPLICA_EVENT_DATA:
        on_data(r, event->u.data);
        break;
    case REPLICA_EVENT_LEAVE:
        link_on_leave(r);
        break;
    case REPLICA_EVENT_LOCAL:
        on_local(r, &event->u.local);
        break;
    case REPLICA_EVENT_PROMISED:
        authority_on_promised(r, event->u.epoch);
        break;
    case REPLICA_EVENT_EPOCH_BEGUN:
        primary_on_begun(r, event->u.epoch);
        break;
    case REPLICA_EVENT_FOUND:
        on_found(r, &event->u.found);
        break;
    case REPLICA_EVENT_CUT_DONE:
        standby_on_cut_done(r);
        break;
    case REPLICA_EVENT_SHIPPED:
        primary_on_shipped(r, &event->u.shipped);
        break;
    case REPLICA_EVENT_SNAPSHOT_SENT:
        primary_on_snapshot_sent(r);
        break;
    case REPLICA_EVENT_SNAPSHOT_REFUSED:
        standby_on_snapshot_refused(r);
        break;
    case REPLICA_EVENT_TICK:
        break;
    }
}

typedef void check_fn(struct replica *r);

void replica_step(struct replica *replica,
                  const struct replica_event *event,
                  struct replica_effects *effects)
{
    static check_fn *const checks[] = {authority_check, standby_check, match_check,
                                       primary_check,   member_check,  link_check};
    uint64_t now_ms = event->now_ms > replica->now_ms ? event->now_ms : replica->now_ms;

    effects->count = 0;
    if (replica->halted) {
        return;
    }
    if (!replica->step_begun) {
        replica->quiet_ms = now_ms;
    }
    note_sleep(replica, now_ms);
    replica->step_begun = true;
    replica->now_ms = now_ms;
    replica->wall_ms = event->wall_ms;
    replica->effects = effects;
    dispatch(replica, event);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !replica->halted; i++) {
        checks[i](replica);
    }
    replica->effects = NULL;
    replica_invariant(replica);
}

/* ---- Life and looks ---- */

size_t replica_size(void)
{
    return sizeof(struct replica);
}

void replica_init(struct replica *replica, const struct replica_options *options)
{
    ASSERT(options->incarnation != 0);
    ASSERT(options->host == 1 || options->host == 2);
    ASSERT(options->ping_ms > 0);
    ASSERT(options->silence_ms > options->ping_ms);
    ASSERT(options->applied.lsn <= options->last.lsn);
    memset(replica, 0, sizeof *replica);
    replica->options = *options;
    replica->promised = options->promised;
    replica->promising = options->promised;
    replica->local.last = options->last;
    replica->local.durable = options->last;
    replica->local.applied = options->applied;
    replica->standby.lsn_commit_told = options->applied.lsn;
    replica_invariant(replica);
}

static void sooner(uint64_t *best_ms, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms > now_ms && at_ms < *best_ms) {
        *best_ms = at_ms;
    }
}

uint64_t replica_deadline_ms(const struct replica *replica)
{
    uint64_t now_ms = replica->now_ms;
    uint64_t ping_ms = replica->options.ping_ms;
    uint64_t best_ms = UINT64_MAX;

    if (replica->halted) {
        return UINT64_MAX;
    }
    if (!replica->step_begun) {
        return 0;
    }
    if (replica->role == REPLICA_PRIMARY || replica->greeted || !replica->link.silent) {
        sooner(&best_ms, now_ms + ping_ms, now_ms);
        sooner(&best_ms, replica->quiet_ms + replica->options.silence_ms, now_ms);
    }
    if (replica->standby.lead_held) {
        sooner(&best_ms, replica->standby.snapshot_retry_ms, now_ms);
    }
    if (replica->greeted) {
        sooner(&best_ms, replica->said_ms + ping_ms, now_ms);
        sooner(&best_ms, replica->primary.ping_sent_ms + ping_ms, now_ms);
    }
    if (replica->role == REPLICA_PRIMARY) {
        sooner(&best_ms, member_deadline_ms(replica), now_ms);
    }
    return best_ms;
}

enum replica_role replica_role(const struct replica *replica)
{
    return replica->role;
}

uint64_t replica_epoch(const struct replica *replica)
{
    return replica->epoch;
}

uint64_t replica_promised(const struct replica *replica)
{
    return replica->promised;
}

uint64_t replica_lineage(const struct replica *replica)
{
    return replica->options.lineage;
}

bool replica_requires_peer(const struct replica *replica)
{
    return replica->member.required;
}

uint64_t replica_ping_sequence(const struct replica *replica)
{
    return replica->primary.ping_sequence;
}

void replica_link(const struct replica *replica, struct replica_link *ret_link)
{
    *ret_link = replica->link;
}

uint64_t replica_snapshot_retry_ms(const struct replica *replica)
{
    return replica->standby.snapshot_retry_ms;
}

static const char *primary_word(const struct primary *primary)
{
    static const char *const words[] = {
        [SESSION_NONE] = "alone",          [SESSION_ASKED] = "asking",
        [SESSION_MATCHING] = "matching",   [SESSION_CUTTING] = "cutting",
        [SESSION_STREAMING] = "streaming", [SESSION_BEHIND] = "behind",
        [SESSION_SNAPSHOT] = "snapshot",
    };

    if (primary->deposed) {
        return "deposed";
    }
    if (primary->beginning || !primary->serving) {
        return "starting";
    }
    if (primary->handover != HANDOVER_NONE) {
        return primary->handover == HANDOVER_DRAINED ? "drained" : "draining";
    }
    return words[primary->session.phase];
}

const char *replica_phase(const struct replica *replica)
{
    static const char *const words[] = {
        [STANDBY_NONE] = "waiting",        [STANDBY_PROMISING] = "promising",
        [STANDBY_MATCHING] = "matching",   [STANDBY_RESYNC] = "resync",
        [STANDBY_SNAPSHOT] = "snapshot",   [STANDBY_CUTTING] = "cutting",
        [STANDBY_STREAMING] = "streaming",
    };

    if (replica->halted) {
        return "halted";
    }
    if (standby_holds(replica)) {
        return "snapshot-refused";
    }
    return replica->role == REPLICA_PRIMARY ? primary_word(&replica->primary)
                                            : words[replica->standby.phase];
}

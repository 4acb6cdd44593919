/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan.c: which owed row is sent next.
 * Owns a bounded table of owed rows and their order.
 * Never decides when a failed row is due again (core/outbox does), never calls anything. Pure. */
#include "approvald/slack/outbound/sendplan.h"

#include "approvald/core/outbox.h"
#include "approvald/core/request_id.h"
#include "base/assert.h"

#include <string.h>

enum {
    PRIORITY_NOTICE,
    PRIORITY_OUTCOME, /* a message shows its outcome: that call is never in vain */
    PRIORITY_WATCHED, /* a change that was made a moment ago */
    PRIORITY_CHANGE,
    PRIORITY_TOLD,  /* a change of a direct message: it asks nobody for anything */
    PRIORITY_AGAIN, /* a message that is gone */
    PRIORITY_NEW,
    PRIORITY_COPY,   /* of a new card, in direct messages: the channels have theirs first */
    PRIORITY_DIRECT, /* of one person there may be hundreds, and Slack takes one a second */
    PRIORITY_REPLY,
};

void sendplan_init(struct sendplan *plan)
{
    memset(plan, 0, sizeof *plan);
}

static bool on_slack(enum surface surface)
{
    return surface != SURFACE_WEBHOOK;
}

bool sendplan_invariant(const struct sendplan *plan)
{
    uint32_t count = 0;
    uint32_t slack_count = 0;
    uint32_t webhook_count = 0;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        const struct sendplan_row *row = &plan->rows[i];

        count += row->used;
        slack_count += row->used && row->busy && on_slack(row->key.surface);
        webhook_count += row->used && row->busy && !on_slack(row->key.surface);
    }
    return count == plan->count && slack_count == plan->slack_count &&
           webhook_count == plan->webhook_count;
}

/* A message in doubt (sent 0) was not changed by anybody who looks at it now. */
static uint32_t change_priority(const struct outbox_row *row, uint64_t now_ms)
{
    bool watched = row->sent > 0 && now_ms < row->owed_ms + SLACK_SEND_WATCHED_MS;

    return watched ? PRIORITY_WATCHED : PRIORITY_CHANGE;
}

/* Somebody has deleted it. */
static bool is_gone(const struct outbox_row *row)
{
    return outbox_is_level(row->surface) && row->ts.size == 0 && row->reposts > 0;
}

static uint32_t priority_of(const struct outbox_row *row, uint64_t now_ms)
{
    if (is_gone(row)) {
        return PRIORITY_AGAIN;
    }
    switch (row->surface) {
    case SURFACE_NOTICE:
        return PRIORITY_NOTICE;
    case SURFACE_CARD:
        if (row->ts.size > 0) {
            return change_priority(row, now_ms);
        }
        return outbox_is_copy(row) ? PRIORITY_COPY : PRIORITY_NEW;
    case SURFACE_DIRECT:
        return row->ts.size > 0 ? PRIORITY_TOLD : PRIORITY_DIRECT;
    case SURFACE_WEBHOOK:
    case SURFACE_PEOPLE:
        return PRIORITY_NEW;
    case SURFACE_THREAD:
        return PRIORITY_REPLY;
    }
    return PRIORITY_REPLY;
}

/* The jitter: the same for one attempt of one row however often it is listed. */
static uint32_t draw_of(const struct outbox_row *row)
{
    uint32_t draw;

    memcpy(&draw, row->request.bytes + REQUEST_ID_SIZE - sizeof draw, sizeof draw);
    return (draw ^ ((uint32_t)row->surface << 24)) * (2 * row->attempts + 1);
}

/* The time of records may be ahead of the wall clock, for as long as a clock has been wrong: then
 * the row's pause begins now. */
static uint64_t due_of(const struct sendplan *plan, const struct outbox_row *row, uint64_t now_ms)
{
    uint64_t since_ms = row->attempts == 0 ? row->owed_ms : row->attempt_ms;
    uint64_t due_ms = outbox_due_ms(row, draw_of(row));

    ASSERT(due_ms >= since_ms);
    due_ms -= since_ms > now_ms ? since_ms - now_ms : 0;
    if (on_slack(row->surface) && row->attempt_ms < plan->reached_ms && due_ms > plan->reached_ms) {
        due_ms = plan->reached_ms;
    }
    return due_ms;
}

static void turn_back(uint64_t *ms, uint64_t by_ms)
{
    *ms -= *ms < by_ms ? *ms : by_ms;
}

/* The wall clock was set back: what is left of each pause is left of it still. */
static void follow_clock(struct sendplan *plan, uint64_t now_ms)
{
    uint64_t by_ms = plan->now_ms > now_ms ? plan->now_ms - now_ms : 0;

    plan->now_ms = now_ms;
    if (by_ms == 0) {
        return;
    }
    turn_back(&plan->reached_ms, by_ms);
    for (uint32_t i = 0; i < SENDPLAN_METHOD_COUNT; i++) {
        turn_back(&plan->method_hold_ms[i], by_ms);
    }
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        turn_back(&row->due_ms, by_ms);
        turn_back(&row->hold_ms, by_ms);
        turn_back(&row->first_ms, by_ms);
        turn_back(&row->changed_ms, by_ms);
    }
}

static bool key_is(const struct service_row_key *key, const struct outbox_row *row)
{
    return key->surface == row->surface && request_id_equal(&key->request, &row->request) &&
           span_is(row->target, key->target);
}

/* Is a to be sent before b, if both may be sent? */
static bool is_before(const struct sendplan_row *a, const struct sendplan_row *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    if (a->due_ms != b->due_ms) {
        return a->due_ms < b->due_ms;
    }
    return a->owed_ms < b->owed_ms;
}

/* A row that rests or is not due yet. */
static bool waits(const struct sendplan_row *row, uint64_t now_ms)
{
    return !row->owed || row->due_ms > now_ms || (row->hold_ms > now_ms && !row->paced);
}

/* Is a worth its place in the table more than b? Rows that wait are worth least. Where a message
 * goes takes more in a moment: until then it gives way only to its like, which others take now. */
static bool
is_worth_more(const struct sendplan_row *a, const struct sendplan_row *b, uint64_t now_ms)
{
    bool b_waits = waits(b, now_ms);
    bool b_paced = b->paced && b->hold_ms > now_ms;

    if (waits(a, now_ms) != b_waits) {
        return b_waits;
    }
    if (a->priority == b->priority && (a->paced && a->hold_ms > now_ms) != b_paced) {
        return b_paced;
    }
    return is_before(a, b);
}

static struct sendplan_row *find(struct sendplan *plan, const struct outbox_row *row)
{
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        if (plan->rows[i].used && key_is(&plan->rows[i].key, row)) {
            return &plan->rows[i];
        }
    }
    return NULL;
}

/* A free place, else the one of the row that is worth least (never a busy one). */
static struct sendplan_row *place(struct sendplan *plan, uint64_t now_ms)
{
    struct sendplan_row *worst = NULL;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        if (!row->used) {
            return row;
        }
        if (!row->busy && (worst == NULL || is_worth_more(worst, row, now_ms))) {
            worst = row;
        }
    }
    return worst;
}

/* What is in doubt may show the outcome already. */
static void put_outcome_first(struct sendplan_row *row)
{
    if (row->final && row->posted && !row->repair && row->key.surface == SURFACE_CARD) {
        row->priority = PRIORITY_OUTCOME;
    }
}

/* When it was changed first since it waits, and last. */
static void
keep_changed(struct sendplan_row *fresh, const struct sendplan_row *before, uint64_t now_ms)
{
    bool tried = before->wanted == fresh->wanted; /* not sent, and no other change since */

    if ((!before->owed && !tried) || before->first_ms > now_ms) {
        return;
    }
    fresh->first_ms = before->first_ms;
    fresh->changed_ms = fresh->wanted == before->wanted ? before->changed_ms : now_ms;
}

/* Another look at a row that waits does not begin its pause anew; Slack's word is all of it. */
static void keep_due(struct sendplan_row *fresh, const struct sendplan_row *before)
{
    bool same = before->limited || (before->owed && !before->busy); /* no attempt since */

    if (same && before->due_ms < fresh->due_ms) {
        fresh->due_ms = before->due_ms;
    }
}

/* What is so between two attempts, whatever the store says. */
static void keep_held(struct sendplan_row *fresh, const struct sendplan_row *before)
{
    bool hurries = before->spaced && fresh->final; /* the outcome waits for no spacing of ours */

    ASSERT(!before->spaced || !before->busy);
    fresh->busy = before->busy;
    fresh->hold_ms = hurries ? 0 : before->hold_ms;
    fresh->spaced = before->spaced && !hurries;
    fresh->paced = before->paced;
    fresh->limited = before->limited;
}

bool sendplan_put(struct sendplan *plan, const struct outbox_row *row, bool ended, uint64_t now_ms)
{
    struct sendplan_row fresh = {
        .used = true,
        .owed = true,
        .seen = true,
        .posted = row->ts.size > 0,
        .repair = is_gone(row) || (row->ts.size > 0 && row->sent == 0),
        .final = ended,
        .priority = priority_of(row, now_ms),
        .wanted = row->wanted,
        .first_ms = now_ms,
        .changed_ms = now_ms,
        .owed_ms = row->owed_ms,
        .key = {.request = row->request, .surface = row->surface},
    };
    struct sendplan_row *slot;
    bool complete;

    if (row->dead || !outbox_is_owed(row) || row->target.size >= sizeof fresh.key.target) {
        return true;
    }
    follow_clock(plan, now_ms);
    put_outcome_first(&fresh);
    fresh.due_ms = due_of(plan, row, now_ms);
    memcpy(fresh.key.target, row->target.data, row->target.size);
    slot = find(plan, row);
    if (slot != NULL) {
        keep_held(&fresh, slot);
        keep_due(&fresh, slot);
        keep_changed(&fresh, slot, now_ms);
        *slot = fresh;
        return true;
    }
    slot = place(plan, now_ms);
    complete = slot != NULL && (!slot->used || !slot->owed);
    if (slot == NULL || (slot->used && !is_worth_more(&fresh, slot, now_ms))) {
        return false;
    }
    plan->count += !slot->used;
    *slot = fresh;
    return complete;
}

void sendplan_list_begin(struct sendplan *plan, const struct request_id *id)
{
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        if (plan->rows[i].used && request_id_equal(&plan->rows[i].key.request, id)) {
            plan->rows[i].seen = false;
        }
    }
}

static void drop(struct sendplan *plan, struct sendplan_row *row)
{
    ASSERT(row->used);
    ASSERT(plan->count > 0);
    *row = (struct sendplan_row){.used = false};
    plan->count--;
}

void sendplan_list_end(struct sendplan *plan, const struct request_id *id, uint64_t now_ms)
{
    follow_clock(plan, now_ms);
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        if (!row->used || row->busy) {
            continue;
        }
        if (!row->seen && request_id_equal(&row->key.request, id)) {
            row->owed = false;
        }
        if (!row->owed && row->hold_ms <= now_ms) {
            drop(plan, row);
        }
    }
}

/* Messages in a channel, or with one person: Slack takes them one after the other. */
static bool in_place(enum surface surface)
{
    return surface == SURFACE_CARD || surface == SURFACE_THREAD || surface == SURFACE_DIRECT;
}

/* Names of channels and people apart. */
static bool blocks(const struct sendplan_row *other, const struct sendplan_row *row)
{
    bool other_is_card = other->key.surface == SURFACE_CARD;

    if (other->busy) {
        return in_place(other->key.surface);
    }
    return row->key.surface == SURFACE_THREAD && other_is_card && !other->posted &&
           request_id_equal(&row->key.request, &other->key.request);
}

/* Does an attempt under way, or a card that is not posted yet, keep this row waiting? */
static bool is_blocked(const struct sendplan *plan, const struct sendplan_row *row)
{
    if (!in_place(row->key.surface)) {
        return false;
    }
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        const struct sendplan_row *other = &plan->rows[i];

        /* The names come last: few rows block, and comparing all of them with all takes long. */
        if (other->used && other->owed && other != row && blocks(other, row) &&
            strcmp(other->key.target, row->key.target) == 0) {
            return true;
        }
    }
    return false;
}

enum sendplan_method sendplan_method_of(const struct sendplan_row *row)
{
    if (row->priority == PRIORITY_NOTICE) {
        return SENDPLAN_EPHEMERAL;
    }
    return row->posted ? SENDPLAN_UPDATE : SENDPLAN_POST;
}

/* What there is on Slack's side: seen in one look at the rows. */
struct tally {
    uint32_t busy[SENDPLAN_METHOD_COUNT];
    uint32_t changed; /* messages that wait for their change */
};

static struct tally tally_of(const struct sendplan *plan)
{
    struct tally tally = {.changed = 0};

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        const struct sendplan_row *row = &plan->rows[i];
        enum sendplan_method method = sendplan_method_of(row);

        if (!row->used || !on_slack(row->key.surface)) {
            continue;
        }
        tally.busy[method] += row->busy;
        tally.changed += row->owed && !row->busy && method == SENDPLAN_UPDATE;
    }
    return tally;
}

/* What may be started beside what is under way. */
struct room {
    bool webhook;
    bool slack;
    bool change;
    bool notice;
    bool fresh;                /* cards that nobody has seen */
    bool settle;               /* changes wait a moment for more of them */
    bool spent;                /* ... and longer: each takes the place of another one */
    bool flood;                /* ... as behind an outage, when there are many */
    const uint64_t *method_ms; /* of limits */
};

uint32_t sendplan_change_count(const struct sendplan *plan)
{
    return tally_of(plan).changed;
}

static struct room room_of(const struct sendplan *plan, const struct sendplan_limits *limits)
{
    struct tally tally = tally_of(plan);
    bool slack = plan->slack_count < limits->slack_count_max;
    /* More than can be sent at once: what changes again in a moment costs another its place. */
    bool many = tally.changed > SLACK_SEND_SLACK_COUNT_MAX;

    return (struct room){
        .webhook = plan->webhook_count < limits->webhook_count_max,
        .slack = slack,
        .change = slack && tally.busy[SENDPLAN_UPDATE] < limits->change_count_max,
        .notice = slack && tally.busy[SENDPLAN_EPHEMERAL] < SLACK_SEND_NOTICE_COUNT_MAX,
        .fresh = slack && !limits->holds_new,
        .settle = limits->changes_spent || many,
        .spent = limits->changes_spent && tally.changed > 1,
        .flood = many && !limits->changes_full,
        .method_ms = limits->method_ms,
    };
}

static bool has_room(const struct room *room, const struct sendplan_row *row)
{
    if (!on_slack(row->key.surface)) {
        return room->webhook;
    }
    if (row->key.surface == SURFACE_CARD && !row->posted && !row->repair) {
        return room->fresh;
    }
    if (sendplan_method_of(row) == SENDPLAN_EPHEMERAL) {
        return room->notice;
    }
    return sendplan_method_of(row) == SENDPLAN_UPDATE ? room->change : room->slack;
}

void sendplan_hold_method(struct sendplan *plan, struct sendplan_row *row, uint64_t until_ms)
{
    if (on_slack(row->key.surface)) {
        plan->method_hold_ms[sendplan_method_of(row)] = until_ms;
        row->due_ms = until_ms;
        row->limited = true;
    }
}

static uint64_t later(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* Slack was away, and delivers now what could not be delivered. */
static bool is_behind_outage(const struct sendplan *plan, const struct sendplan_row *row)
{
    return plan->reached_ms > 0 && row->changed_ms > plan->reached_ms &&
           row->changed_ms < plan->reached_ms + SLACK_SEND_FLOOD_MS;
}

static uint64_t
settled_ms(const struct sendplan *plan, const struct room *room, const struct sendplan_row *row)
{
    bool flood = is_behind_outage(plan, row);
    bool longer = room->spent || (flood && room->flood);
    uint64_t last_ms = row->changed_ms + (longer ? SLACK_SEND_LONG_MS : SLACK_SEND_SETTLE_MS);
    uint64_t most_ms = row->first_ms + (longer ? SLACK_SEND_LONG_MS_MAX : SLACK_SEND_SETTLE_MS_MAX);

    if (!(room->settle || flood) || row->final || row->repair || !on_slack(row->key.surface) ||
        sendplan_method_of(row) != SENDPLAN_UPDATE) {
        return 0;
    }
    return last_ms < most_ms ? last_ms : most_ms;
}

static uint64_t
start_ms(const struct sendplan *plan, const struct room *room, const struct sendplan_row *row)
{
    uint64_t ready_ms = later(row->due_ms, row->hold_ms);

    if (on_slack(row->key.surface)) {
        enum sendplan_method method = sendplan_method_of(row);

        ready_ms = later(ready_ms, later(plan->method_hold_ms[method], room->method_ms[method]));
    }
    return later(ready_ms, settled_ms(plan, room, row));
}

struct sendplan_row *
sendplan_next(struct sendplan *plan, const struct sendplan_limits *limits, uint64_t now_ms)
{
    struct room room = room_of(plan, limits);
    struct sendplan_row *best = NULL;

    follow_clock(plan, now_ms);
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];
        bool ready = row->used && row->owed && !row->busy && start_ms(plan, &room, row) <= now_ms;

        if (ready && has_room(&room, row) && (best == NULL || is_before(row, best)) &&
            !is_blocked(plan, row)) {
            best = row;
        }
    }
    return best;
}

uint64_t sendplan_due_ms(const struct sendplan *plan, const struct sendplan_limits *limits)
{
    struct room room = room_of(plan, limits);
    uint64_t due_ms = UINT64_MAX;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        const struct sendplan_row *row = &plan->rows[i];
        bool open = row->used && row->owed && !row->busy;
        uint64_t row_ms = open ? start_ms(plan, &room, row) : UINT64_MAX;

        if (row_ms < due_ms && has_room(&room, row) && !is_blocked(plan, row)) {
            due_ms = row_ms;
        }
    }
    return due_ms;
}

bool sendplan_has_repairs(const struct sendplan *plan)
{
    bool found = false;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX && !found; i++) {
        const struct sendplan_row *row = &plan->rows[i];

        found = row->used && row->repair && (row->owed || row->busy);
    }
    return found;
}

static uint32_t *busy_count_of(struct sendplan *plan, const struct sendplan_row *row)
{
    return on_slack(row->key.surface) ? &plan->slack_count : &plan->webhook_count;
}

void sendplan_start(struct sendplan *plan, struct sendplan_row *row)
{
    ASSERT(row->used);
    ASSERT(!row->busy);
    row->busy = true;
    row->spaced = false;
    row->paced = false;
    row->limited = false;
    (*busy_count_of(plan, row))++;
}

void sendplan_wait(struct sendplan_row *row, uint64_t until_ms)
{
    ASSERT(!row->busy);
    row->hold_ms = until_ms;
    row->spaced = false;
    row->paced = true;
}

void sendplan_finish(struct sendplan *plan, struct sendplan_row *row, uint64_t hold_ms, bool spaced)
{
    ASSERT(row->used);
    ASSERT(row->busy);
    row->busy = false;
    (*busy_count_of(plan, row))--;
    row->hold_ms = hold_ms;
    row->spaced = spaced && hold_ms > 0;
    row->owed = false;
    if (hold_ms == 0) {
        drop(plan, row);
    }
}

void sendplan_reach(struct sendplan *plan, uint64_t now_ms)
{
    follow_clock(plan, now_ms);
    plan->reached_ms = now_ms;
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        if (row->used && on_slack(row->key.surface) && row->due_ms > now_ms) {
            row->due_ms = now_ms;
        }
    }
}

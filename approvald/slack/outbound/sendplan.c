/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan.c: which row of the table is sent next, and when.
 * Owns the order, the waiting for one another and for Slack's rates.
 * Never decides who has a place (sendplan_put.c), never calls anything. Pure. */
#include "approvald/core/request_id.h"
#include "approvald/slack/outbound/sendplan_internal.h"
#include "base/assert.h"

#include <string.h>

void sendplan_init(struct sendplan *plan)
{
    memset(plan, 0, sizeof *plan);
}

bool sendplan_invariant(const struct sendplan *plan)
{
    uint32_t count = 0;
    uint32_t slack_count = 0;
    uint32_t webhook_count = 0;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        const struct sendplan_row *row = &plan->rows[i];

        count += row->used;
        slack_count += row->used && row->busy && sendplan_on_slack(row->key.surface);
        webhook_count += row->used && row->busy && !sendplan_on_slack(row->key.surface);
    }
    return count == plan->count && slack_count == plan->slack_count &&
           webhook_count == plan->webhook_count;
}

static void turn_back(uint64_t *ms, uint64_t by_ms)
{
    *ms -= *ms < by_ms ? *ms : by_ms;
}

void sendplan_follow_clock(struct sendplan *plan, uint64_t now_ms)
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

bool sendplan_is_before(const struct sendplan_row *a, const struct sendplan_row *b)
{
    if (a->priority != b->priority) {
        return a->priority < b->priority;
    }
    if (a->due_ms != b->due_ms) {
        return a->due_ms < b->due_ms;
    }
    return a->owed_ms < b->owed_ms;
}

void sendplan_drop(struct sendplan *plan, struct sendplan_row *row)
{
    ASSERT(row->used);
    ASSERT(plan->count > 0);
    *row = (struct sendplan_row){.used = false};
    plan->count--;
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

        if (!row->used || !sendplan_on_slack(row->key.surface)) {
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
    if (!sendplan_on_slack(row->key.surface)) {
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
    if (sendplan_on_slack(row->key.surface)) {
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

    if (!(room->settle || flood) || row->final || row->repair ||
        !sendplan_on_slack(row->key.surface) || sendplan_method_of(row) != SENDPLAN_UPDATE) {
        return 0;
    }
    return last_ms < most_ms ? last_ms : most_ms;
}

static uint64_t
start_ms(const struct sendplan *plan, const struct room *room, const struct sendplan_row *row)
{
    uint64_t ready_ms = later(row->due_ms, row->hold_ms);

    if (sendplan_on_slack(row->key.surface)) {
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

    sendplan_follow_clock(plan, now_ms);
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];
        bool ready = row->used && row->owed && !row->busy && start_ms(plan, &room, row) <= now_ms;

        if (ready && has_room(&room, row) && (best == NULL || sendplan_is_before(row, best)) &&
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
    return sendplan_on_slack(row->key.surface) ? &plan->slack_count : &plan->webhook_count;
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
        sendplan_drop(plan, row);
    }
}

void sendplan_reach(struct sendplan *plan, uint64_t now_ms)
{
    sendplan_follow_clock(plan, now_ms);
    plan->reached_ms = now_ms;
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        if (row->used && sendplan_on_slack(row->key.surface) && row->due_ms > now_ms) {
            row->due_ms = now_ms;
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan_put.c: which owed rows have a place in the table, and what is known of each.
 * Owns what outlasts a listing: pauses, attempts under way, when a row changed.
 * Never decides when a failed row is due again (core/outbox does), never calls anything. Pure. */
#include "approvald/core/outbox.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/outbound/sendplan_internal.h"
#include "base/assert.h"

#include <string.h>

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
    if (sendplan_on_slack(row->surface) && row->attempt_ms < plan->reached_ms &&
        due_ms > plan->reached_ms) {
        due_ms = plan->reached_ms;
    }
    return due_ms;
}

static bool key_is(const struct service_row_key *key, const struct outbox_row *row)
{
    return key->surface == row->surface && request_id_equal(&key->request, &row->request) &&
           span_is(row->target, key->target);
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
    return sendplan_is_before(a, b);
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
    sendplan_follow_clock(plan, now_ms);
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

void sendplan_list_end(struct sendplan *plan, const struct request_id *id, uint64_t now_ms)
{
    sendplan_follow_clock(plan, now_ms);
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct sendplan_row *row = &plan->rows[i];

        if (!row->used || row->busy) {
            continue;
        }
        if (!row->seen && request_id_equal(&row->key.request, id)) {
            row->owed = false;
        }
        if (!row->owed && row->hold_ms <= now_ms) {
            sendplan_drop(plan, row);
        }
    }
}

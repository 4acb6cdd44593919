/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c: the rules of one outbox row.
 * Owns what is owed, how results change it, back-off and giving up.
 * Never calls anybody, never stores, never reads a clock or draws randomness. */
#include "approvald/core/outbox.h"

#include "approvald/core/policy.h"
#include "base/assert.h"

#include <string.h>

#define UNWANTED_TEXT                                                                              \
    "the message was deleted again after it had been posted anew; it is not posted any more "      \
    "unless you replay it"

bool outbox_is_level(enum surface surface)
{
    switch (surface) {
    case SURFACE_CARD:
    case SURFACE_DIRECT:
    case SURFACE_PEOPLE:
        return true;
    case SURFACE_THREAD:
    case SURFACE_NOTICE:
    case SURFACE_WEBHOOK:
        return false;
    }
    return false;
}

bool outbox_is_shown(enum surface surface)
{
    return outbox_is_level(surface) && surface != SURFACE_PEOPLE;
}

bool outbox_is_copy(const struct outbox_row *row)
{
    return row->surface == SURFACE_CARD && slack_user_is_valid(row->target);
}

void outbox_init(struct outbox_row *row,
                 const struct request_id *request,
                 enum surface surface,
                 struct span target)
{
    ASSERT(target.size > 0 && target.size <= CORE_NAME_SIZE_MAX);
    memset(row, 0, sizeof *row);
    row->request = *request;
    row->surface = surface;
    row->target = target;
    ASSERT(outbox_row_invariant(row));
}

/* As if nothing had been tried, except that what may have happened may have happened. */
static void revive(struct outbox_row *row, uint64_t now_ms)
{
    row->dead = false;
    row->attempts = 0;
    row->attempt_ms = 0;
    row->owed_ms = now_ms;
}

/* Its message was deleted more often than it is posted anew: only the admin's word posts again. */
static bool is_unwanted(const struct outbox_row *row)
{
    return row->dead && row->reposts > CORE_REPOST_COUNT_MAX;
}

void outbox_raise(struct outbox_row *row, uint32_t revision, uint64_t now_ms)
{
    ASSERT(outbox_is_level(row->surface));
    if (!is_unwanted(row) && (!outbox_is_owed(row) || row->dead)) {
        revive(row, now_ms);
    }
    if (revision > row->wanted) {
        row->wanted = revision;
        row->repairs = 0;
    }
    ASSERT(outbox_row_invariant(row));
}

void outbox_doubt(struct outbox_row *row, uint64_t now_ms)
{
    ASSERT(outbox_is_level(row->surface));
    if (!is_unwanted(row) && (!outbox_is_owed(row) || row->dead)) {
        revive(row, now_ms);
    }
    row->sent = 0;
    ASSERT(outbox_row_invariant(row));
}

bool outbox_repair(struct outbox_row *row, uint64_t now_ms)
{
    ASSERT(outbox_is_level(row->surface));
    if (row->repairs >= CORE_REPAIR_COUNT_MAX) {
        return false;
    }
    row->repairs++;
    outbox_doubt(row, now_ms);
    return true;
}

static void remove_item(struct outbox_row *row, uint32_t index)
{
    ASSERT(index < row->item_count);
    memmove(&row->items[index], &row->items[index + 1],
            (row->item_count - index - 1) * sizeof row->items[0]);
    row->item_count--;
}

enum err_code outbox_add(struct outbox_row *row, const struct outbox_item *item, struct err *err)
{
    ASSERT(!outbox_is_level(row->surface));
    if (row->item_count == CORE_OUTBOX_ITEM_COUNT_MAX) {
        if (row->surface != SURFACE_NOTICE) {
            return err_set(err, ERR_FULL, "too many undelivered messages about one request");
        }
        remove_item(row, 0);
    }
    if (row->item_count == 0) {
        revive(row, item->at_ms);
    }
    row->items[row->item_count++] = *item;
    ASSERT(outbox_row_invariant(row));
    return ERR_OK;
}

bool outbox_is_owed(const struct outbox_row *row)
{
    return outbox_is_level(row->surface) ? row->wanted > row->sent : row->item_count > 0;
}

void outbox_begin(struct outbox_row *row, uint64_t now_ms)
{
    ASSERT(outbox_is_owed(row));
    ASSERT(!row->dead);
    row->attempted = true;
    row->attempt_ms = now_ms;
    row->attempts = row->attempts == UINT32_MAX ? UINT32_MAX : row->attempts + 1;
}

enum outbox_place outbox_place(const struct outbox_row *row)
{
    if (outbox_is_owed(row)) {
        return OUTBOX_OWED;
    }
    return outbox_is_level(row->surface) && row->ts.size > 0 ? OUTBOX_SETTLED : OUTBOX_GONE;
}

static void succeed(struct outbox_row *row, uint64_t now_ms)
{
    row->attempted = false;
    row->attempts = 0;
    row->attempt_ms = 0;
    row->owed_ms = now_ms;
    row->dead = false;
    row->error = SPAN_NONE;
}

static bool take_item(struct outbox_row *row, uint32_t item_id)
{
    for (uint32_t i = 0; i < row->item_count; i++) {
        if (row->items[i].id == item_id) {
            remove_item(row, i);
            return true;
        }
    }
    return false;
}

/* An item's result that comes twice finds no item and changes nothing. */
static void finish(struct outbox_row *row, const struct outbox_outcome *outcome, uint64_t now_ms)
{
    if (!outbox_is_level(row->surface)) {
        if (take_item(row, outcome->item_id)) {
            succeed(row, now_ms);
        }
        return;
    }
    if (outcome->revision > row->sent) {
        row->sent = outcome->revision < row->wanted ? outcome->revision : row->wanted;
    }
    if (outcome->channel.size > 0) {
        row->channel = outcome->channel;
    }
    if (outcome->ts.size > 0) {
        row->ts = outcome->ts;
    }
    succeed(row, now_ms);
}

static void drop(struct outbox_row *row, const struct outbox_outcome *outcome, uint64_t now_ms)
{
    if (outbox_is_level(row->surface)) {
        row->sent = row->wanted;
        succeed(row, now_ms);
    } else if (take_item(row, outcome->item_id)) {
        succeed(row, now_ms);
    }
}

static struct span cut(struct span text)
{
    return span_of(text.data, text.size < CORE_ERROR_SIZE_MAX ? text.size : CORE_ERROR_SIZE_MAX);
}

/* True when the row died by it. */
static bool fail(struct outbox_row *row, const struct outbox_outcome *outcome, uint64_t now_ms)
{
    row->error = cut(outcome->error);
    if (row->dead || !outbox_is_owed(row)) {
        return false;
    }
    if (outcome->result != OUTBOX_DEAD && now_ms < outbox_give_up_ms(row)) {
        return false;
    }
    if (row->surface == SURFACE_NOTICE) {
        row->item_count = 0;
        return false;
    }
    row->dead = true;
    return true;
}

/* The message is gone: it is posted anew, but not for ever. True when the row died by it. */
static bool lose(struct outbox_row *row, const struct outbox_outcome *outcome, uint64_t now_ms)
{
    bool counts = row->ts.size > 0; /* else this loss was told before */
    bool died;

    row->attempted = false;
    row->sent = 0;
    row->channel = SPAN_NONE;
    row->ts = SPAN_NONE;
    if (counts && row->reposts <= CORE_REPOST_COUNT_MAX) {
        row->reposts++;
    }
    died = fail(row, outcome, now_ms);
    if (row->reposts > CORE_REPOST_COUNT_MAX && outbox_is_owed(row)) {
        died = died || !row->dead;
        row->dead = true;
        row->error = SPAN_LITERAL(UNWANTED_TEXT);
    }
    return died;
}

enum outbox_place outbox_end(struct outbox_row *row,
                             const struct outbox_outcome *outcome,
                             uint64_t now_ms,
                             bool *ret_died)
{
    ASSERT(ret_died != NULL);
    *ret_died = false;
    switch (outcome->result) {
    case OUTBOX_SENT:
        finish(row, outcome, now_ms);
        break;
    case OUTBOX_DROP:
        drop(row, outcome, now_ms);
        break;
    case OUTBOX_RETRY:
    case OUTBOX_DEAD:
        row->attempted = false;
        *ret_died = fail(row, outcome, now_ms);
        break;
    case OUTBOX_UNKNOWN:
        row->attempted = true;
        *ret_died = fail(row, outcome, now_ms);
        break;
    case OUTBOX_LOST:
        *ret_died = lose(row, outcome, now_ms);
        break;
    }
    ASSERT(outbox_row_invariant(row));
    return outbox_place(row);
}

void outbox_replay(struct outbox_row *row, uint64_t now_ms)
{
    revive(row, now_ms);
    row->reposts = 0;
    row->repairs = 0;
    ASSERT(outbox_row_invariant(row));
}

uint64_t outbox_due_ms(const struct outbox_row *row, uint32_t draw)
{
    uint64_t step_ms = CORE_BACKOFF_MS_MIN;

    if (row->attempts == 0) {
        return row->owed_ms;
    }
    for (uint32_t i = 1; i < row->attempts && step_ms < CORE_BACKOFF_MS_MAX; i++) {
        step_ms *= 2;
    }
    step_ms = step_ms < CORE_BACKOFF_MS_MAX ? step_ms : CORE_BACKOFF_MS_MAX;
    /* Half is fixed, half is drawn, so that rows that failed together do not return together. */
    return row->attempt_ms + step_ms / 2 + draw % (step_ms / 2 + 1);
}

uint64_t outbox_give_up_ms(const struct outbox_row *row)
{
    return row->owed_ms +
           (row->surface == SURFACE_NOTICE ? CORE_GIVE_UP_NOTICE_MS : CORE_GIVE_UP_MS);
}

bool outbox_row_invariant(const struct outbox_row *row)
{
    bool level = outbox_is_level(row->surface);

    if (row->surface < SURFACE_CARD || row->surface > SURFACE_PEOPLE) {
        return false;
    }
    if (row->target.size == 0 || row->target.size > CORE_NAME_SIZE_MAX) {
        return false;
    }
    if (level ? row->item_count != 0 : row->wanted != 0 || row->sent != 0) {
        return false;
    }
    if (row->reposts > CORE_REPOST_COUNT_MAX + 1 || row->repairs > CORE_REPAIR_COUNT_MAX ||
        (!level && row->reposts + row->repairs > 0)) {
        return false;
    }
    if (row->item_count > CORE_OUTBOX_ITEM_COUNT_MAX || row->sent > row->wanted) {
        return false;
    }
    return !row->dead || outbox_is_owed(row);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* gate.c: windows of time and freezes.
 * Owns the arithmetic of a week by the clock on the wall.
 * Never reads a clock or a file: the moment and the zone are given. */
#include "approvald/core/gate.h"

#include "approvald/core/policy.h"

#include "base/assert.h"
#include "base/text.h"
#include "base/tz.h"

#define DAY_S    INT64_C(86400)
#define WEEK_S   (7 * DAY_S)
#define THURSDAY 3 /* 1970-01-01; Monday is 0 */

static int64_t modulo(int64_t value, int64_t by)
{
    return (value % by + by) % by;
}

/* Of the local week, from Monday 00:00 on. */
static int64_t second_of_week(int64_t local_s)
{
    return modulo(local_s + THURSDAY * DAY_S, WEEK_S);
}

static int64_t length_s(const struct policy_window *window)
{
    int64_t length = ((int64_t)window->to_min - window->from_min) * 60;

    return length > 0 ? length : length + DAY_S;
}

/* 0: open; else how long until it begins, if no clock is changed before. */
static int64_t window_wait_s(const struct policy_window *window, int64_t now_s)
{
    int64_t least_s = WEEK_S;

    for (uint32_t day = 0; day < 7; day++) {
        int64_t begin_s = day * DAY_S + (int64_t)window->from_min * 60;
        int64_t since_s = modulo(now_s - begin_s, WEEK_S);

        if ((window->days >> day & 1) == 0) {
            continue;
        }
        if (since_s < length_s(window)) {
            return 0;
        }
        least_s = WEEK_S - since_s < least_s ? WEEK_S - since_s : least_s;
    }
    return least_s;
}

/* The same of all of them. */
static int64_t wait_s(const struct policy_windows *windows, int64_t local_s)
{
    int64_t now_s = second_of_week(local_s);
    int64_t least_s = WEEK_S;

    for (uint32_t i = 0; i < windows->count; i++) {
        int64_t one_s = window_wait_s(&windows->items[i], now_s);

        least_s = one_s < least_s ? one_s : least_s;
    }
    return least_s;
}

uint64_t windows_open_ms(const struct policy_windows *windows, const struct tz *tz, uint64_t now_ms)
{
    int64_t at_s = now_ms / 1000 > (uint64_t)TZ_S_MAX ? TZ_S_MAX : (int64_t)(now_ms / 1000);
    uint64_t at_ms = now_ms;

    if (windows->count == 0) {
        return now_ms;
    }
    ASSERT(tz != NULL);
    for (uint32_t i = 0; i < CORE_WINDOW_CHANGE_COUNT_MAX && at_s < TZ_S_MAX; i++) {
        int64_t left_s = wait_s(windows, at_s + tz_offset_s(tz, at_s));
        int64_t change_s = tz_change_s(tz, at_s);

        if (left_s == 0) {
            return at_ms;
        }
        if (at_s + left_s < change_s) {
            return (uint64_t)(at_s + left_s) * 1000;
        }
        at_s = change_s; /* then the wall shows another time */
        at_ms = (uint64_t)at_s * 1000;
    }
    return UINT64_MAX;
}

/* The one that ends last of those that hold at that moment, or NULL. */
static const struct freeze *frozen_by(const struct gate *gate, uint64_t at_ms)
{
    const struct freeze *found = NULL;

    for (uint32_t i = 0; i < gate->freeze_count; i++) {
        const struct freeze *freeze = &gate->freezes[i];
        bool holds = at_ms >= freeze->from_ms && at_ms < freeze->to_ms &&
                     !(gate->glass && freeze->glass_passes);

        if (holds && (found == NULL || freeze->to_ms > found->to_ms)) {
            found = freeze;
        }
    }
    return found;
}

static uint64_t open_ms(const struct gate *gate, uint64_t at_ms)
{
    return gate->glass ? at_ms : windows_open_ms(gate->windows, gate->tz, at_ms);
}

bool gate_holds(const struct gate *gate, uint64_t now_ms, struct request_hold *ret_hold)
{
    const struct freeze *first = frozen_by(gate, now_ms);
    uint64_t at_ms = now_ms;

    /* Each turn leaves a freeze behind for good. */
    for (uint32_t i = 0; i <= gate->freeze_count && at_ms != UINT64_MAX; i++) {
        const struct freeze *freeze;

        at_ms = open_ms(gate, at_ms);
        freeze = at_ms == UINT64_MAX ? NULL : frozen_by(gate, at_ms);
        if (freeze == NULL) {
            break;
        }
        at_ms = freeze->to_ms;
    }
    if (at_ms == now_ms) {
        return false;
    }
    *ret_hold = (struct request_hold){.until_ms = at_ms};
    if (first != NULL) {
        ret_hold->freeze = first->name;
        ret_hold->reason = first->reason;
    }
    return true;
}

enum err_code freeze_check(const struct freeze *freeze, uint64_t now_ms, struct err *err)
{
    if (!policy_name_is_valid(freeze->name)) {
        return err_set(err, ERR_INVALID,
                       "name: 1 to %d of a-z, 0-9, '.', '_' and '-', beginning with a letter, a "
                       "digit or '_'",
                       CORE_NAME_SIZE_MAX);
    }
    if (freeze->from_ms == 0 || freeze->to_ms <= freeze->from_ms) {
        return err_set(err, ERR_INVALID, "to: has to be later than from");
    }
    if (freeze->to_ms <= now_ms) {
        return err_set(err, ERR_INVALID, "to: is over already");
    }
    if (freeze->to_ms - freeze->from_ms > CORE_FREEZE_MS_MAX) {
        return err_set(err, ERR_INVALID, "to: at most 366 days after from");
    }
    if (freeze->reason.size == 0 || !text_is_utf8(freeze->reason) ||
        text_count(freeze->reason) > CORE_FREEZE_REASON_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "reason: say why, in at most %d characters",
                       CORE_FREEZE_REASON_COUNT_MAX);
    }
    return ERR_OK;
}

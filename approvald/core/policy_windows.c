/* SPDX-License-Identifier: Apache-2.0 */
/* policy_windows.c: what a policy says about windows of time.
 * Owns how a window is written, and that none is empty.
 * Never judges a moment: gate.c does. */
#include "approvald/core/policy_windows.h"

#include "approvald/core/policy.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/tz.h"

#include <string.h>

#define DAY_COUNT 7
#define ALL_DAYS  127U

static const char *const day_names[DAY_COUNT] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

enum err_code policy_windows_check(const struct policy *policy, struct err *err)
{
    const struct policy_windows *windows = &policy->windows;

    if (windows->count > CORE_WINDOW_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "windows: at most %d", CORE_WINDOW_COUNT_MAX);
    }
    if (windows->count > 0 && !tz_name_is_valid(windows->zone)) {
        return err_set(err, ERR_INVALID,
                       "time_zone: the name of a time zone, such as Europe/Berlin or UTC");
    }
    for (uint32_t i = 0; i < windows->count; i++) {
        const struct policy_window *window = &windows->items[i];

        if (window->days == 0 || window->days > ALL_DAYS || window->from_min > 1439 ||
            window->to_min < 1 || window->to_min > 1440 || window->from_min == window->to_min) {
            return err_set(err, ERR_INVALID, "windows: one of them never opens");
        }
    }
    return ERR_OK;
}

static enum err_code format_days(uint32_t days, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;
    bool first = true;

    if (days == ALL_DAYS) {
        return buf_append_text(buf, "daily", err);
    }
    for (uint32_t day = 0; rc == ERR_OK && day < DAY_COUNT; day++) {
        uint32_t last = day;

        if ((days >> day & 1) == 0) {
            continue;
        }
        while (last + 1 < DAY_COUNT && (days >> (last + 1) & 1) != 0) {
            last++;
        }
        rc = buf_append_format(buf, err, "%s%s", first ? "" : ",", day_names[day]);
        if (rc == ERR_OK && last > day) {
            rc = buf_append_format(buf, err, "%s%s", last > day + 1 ? "-" : ",", day_names[last]);
        }
        first = false;
        day = last;
    }
    return rc;
}

enum err_code
policy_windows_format(const struct policy_windows *windows, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < windows->count; i++) {
        const struct policy_window *window = &windows->items[i];

        rc = i == 0 ? ERR_OK : buf_append_text(buf, ", ", err);
        if (rc == ERR_OK) {
            rc = format_days(window->days, buf, err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_format(buf, err, " %02u:%02u-%02u:%02u", window->from_min / 60,
                                   window->from_min % 60, window->to_min / 60, window->to_min % 60);
        }
    }
    return rc;
}

static bool take_text(struct span *text, const char *wanted)
{
    size_t size = strlen(wanted);

    if (text->size < size || memcmp(text->data, wanted, size) != 0) {
        return false;
    }
    *text = span_of(text->data + size, text->size - size);
    return true;
}

/* DAY_COUNT: none. */
static uint32_t take_day(struct span *text)
{
    uint32_t day = 0;

    while (day < DAY_COUNT && !take_text(text, day_names[day])) {
        day++;
    }
    return day;
}

/* "mon-fri,sun"; "sat-mon" goes on over the week's end. */
static bool take_days(struct span *text, uint32_t *ret_days)
{
    *ret_days = ALL_DAYS;
    if (take_text(text, "daily")) {
        return true;
    }
    *ret_days = 0;
    do {
        uint32_t day = take_day(text);
        uint32_t last = take_text(text, "-") ? take_day(text) : day;

        if (day == DAY_COUNT || last == DAY_COUNT) {
            return false;
        }
        *ret_days |= UINT32_C(1) << day;
        while (day != last) {
            day = (day + 1) % DAY_COUNT;
            *ret_days |= UINT32_C(1) << day;
        }
    } while (take_text(text, ","));
    return true;
}

static bool take_number(struct span *text, uint32_t *ret_number)
{
    if (text->size < 2 || text->data[0] < '0' || text->data[0] > '9' || text->data[1] < '0' ||
        text->data[1] > '9') {
        return false;
    }
    *ret_number = (uint32_t)(text->data[0] - '0') * 10 + (uint32_t)(text->data[1] - '0');
    *text = span_of(text->data + 2, text->size - 2);
    return true;
}

/* "09:00", "24:00" */
static bool take_minute(struct span *text, uint32_t *ret_minute)
{
    uint32_t hour;
    uint32_t minute;

    if (!take_number(text, &hour) || !take_text(text, ":") || !take_number(text, &minute)) {
        return false;
    }
    *ret_minute = hour * 60 + minute;
    return minute < 60 && *ret_minute <= 24 * 60;
}

enum err_code
policy_window_parse(struct span text, struct policy_window *ret_window, struct err *err)
{
    struct span left = text;
    struct policy_window window;

    if (!take_days(&left, &window.days) || !take_text(&left, " ") ||
        !take_minute(&left, &window.from_min) || !take_text(&left, "-") ||
        !take_minute(&left, &window.to_min) || left.size > 0 || window.from_min == 24 * 60) {
        return err_set(err, ERR_INVALID,
                       "windows: \"%.*s\" is not as \"mon-fri 09:00-17:00\" (mon tue wed thu fri "
                       "sat sun, or daily; hours from 00:00 to 24:00)",
                       SPAN_ARGS(text));
    }
    window.to_min = window.to_min == 0 ? 24 * 60 : window.to_min;
    if (window.from_min == window.to_min) {
        return err_set(err, ERR_INVALID,
                       "windows: \"%.*s\" never opens; the whole day is 00:00-24:00",
                       SPAN_ARGS(text));
    }
    *ret_window = window;
    return ERR_OK;
}

enum field { FIELD_WINDOWS, FIELD_ZONE, FIELD_OUTSIDE };

static const char *const field_names[] = {
    [FIELD_WINDOWS] = "windows",
    [FIELD_ZONE] = "time_zone",
    [FIELD_OUTSIDE] = "outside_windows",
};

static_assert(sizeof field_names / sizeof field_names[0] == POLICY_WINDOWS_FIELD_COUNT,
              "every field has its name");

const char *policy_windows_field_name(size_t index)
{
    ASSERT(index < POLICY_WINDOWS_FIELD_COUNT);
    return field_names[index];
}

enum err_code policy_windows_field_format(const struct policy_windows *windows,
                                          size_t index,
                                          struct buf *buf,
                                          struct err *err)
{
    ASSERT(index < POLICY_WINDOWS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_WINDOWS:
        return windows->count == 0 ? buf_append_text(buf, "always", err)
                                   : policy_windows_format(windows, buf, err);
    case FIELD_ZONE:
        return buf_append_span(buf, windows->zone, err);
    case FIELD_OUTSIDE:
        return buf_append_text(buf, windows->refuse ? "refuse" : "wait", err);
    }
    return ERR_OK;
}

bool policy_windows_field_is_rule(size_t index)
{
    ASSERT(index < POLICY_WINDOWS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_WINDOWS:
    case FIELD_ZONE:
        return true;
    case FIELD_OUTSIDE: /* whether it may be asked: it has been */
        break;
    }
    return false;
}

static bool items_equal(const struct policy_windows *a, const struct policy_windows *b)
{
    bool equal = a->count == b->count;

    for (uint32_t i = 0; equal && i < a->count; i++) {
        equal = a->items[i].days == b->items[i].days &&
                a->items[i].from_min == b->items[i].from_min &&
                a->items[i].to_min == b->items[i].to_min;
    }
    return equal;
}

bool policy_windows_field_equal(const struct policy_windows *a,
                                const struct policy_windows *b,
                                size_t index)
{
    ASSERT(index < POLICY_WINDOWS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_WINDOWS:
        return items_equal(a, b);
    case FIELD_ZONE:
        return span_equal(a->zone, b->zone);
    case FIELD_OUTSIDE:
        return a->refuse == b->refuse;
    }
    return true;
}

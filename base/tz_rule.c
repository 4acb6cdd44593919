/* SPDX-License-Identifier: Apache-2.0 */
/* tz_rule.c: the rule at the end of a TZif file.
 * Owns its grammar and the calendar that it needs.
 * Never reads TZ or any other variable, never guesses a rule that is left out. */
#include "base/tz_rule.h"

#include "base/assert.h"
#include "base/tz.h"

#include <string.h>

#define DAY_S         INT64_C(86400)
#define OFFSET_H_MAX  24  /* POSIX */
#define TIME_H_MAX    167 /* version 3: a week less an hour */
#define NAME_SIZE_MIN 3
#define YEAR_FIRST    1970

/* The text that is left. */
struct cursor {
    struct span text;
    bool failed;
};

static bool take(struct cursor *cursor, char wanted)
{
    if (cursor->text.size == 0 || cursor->text.data[0] != wanted) {
        return false;
    }
    cursor->text = span_of(cursor->text.data + 1, cursor->text.size - 1);
    return true;
}

static void expect(struct cursor *cursor, char wanted)
{
    if (!take(cursor, wanted)) {
        cursor->failed = true;
    }
}

static bool is_digit(const struct cursor *cursor)
{
    return cursor->text.size > 0 && cursor->text.data[0] >= '0' && cursor->text.data[0] <= '9';
}

/* One to three digits within min … max. */
static int32_t number(struct cursor *cursor, int32_t min, int32_t max)
{
    int32_t value = 0;
    size_t count = 0;

    while (is_digit(cursor) && count < 3) {
        value = value * 10 + (cursor->text.data[0] - '0');
        cursor->text = span_of(cursor->text.data + 1, cursor->text.size - 1);
        count++;
    }
    if (count == 0 || is_digit(cursor) || value < min || value > max) {
        cursor->failed = true;
        return min;
    }
    return value;
}

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static bool is_quotable(char character)
{
    return is_letter(character) || (character >= '0' && character <= '9') || character == '+' ||
           character == '-';
}

/* "CET", "<-03>": it is of no use to us. */
static void skip_name(struct cursor *cursor)
{
    bool quoted = take(cursor, '<');
    size_t count = 0;

    while (cursor->text.size > 0 &&
           (quoted ? is_quotable(cursor->text.data[0]) : is_letter(cursor->text.data[0]))) {
        cursor->text = span_of(cursor->text.data + 1, cursor->text.size - 1);
        count++;
    }
    if (quoted) {
        expect(cursor, '>');
    }
    if (count < NAME_SIZE_MIN) {
        cursor->failed = true;
    }
}

/* "-1", "10:30", "+5:30:15" */
static int32_t signed_time_s(struct cursor *cursor, int32_t hour_max)
{
    bool negative = take(cursor, '-');
    int32_t value;

    if (!negative) {
        (void)take(cursor, '+'); /* it says nothing */
    }
    value = number(cursor, 0, hour_max) * 3600;
    if (take(cursor, ':')) {
        value += number(cursor, 0, 59) * 60;
        if (take(cursor, ':')) {
            value += number(cursor, 0, 59);
        }
    }
    return negative ? -value : value;
}

static void day_of_rule(struct cursor *cursor, struct tz_day *ret_day)
{
    expect(cursor, ',');
    *ret_day = (struct tz_day){.kind = TZ_DAY_OF_YEAR, .time_s = 2 * 3600};
    if (take(cursor, 'M')) {
        ret_day->kind = TZ_DAY_OF_WEEK;
        ret_day->month = number(cursor, 1, 12);
        expect(cursor, '.');
        ret_day->week = number(cursor, 1, 5);
        expect(cursor, '.');
        ret_day->day = number(cursor, 0, 6);
    } else if (take(cursor, 'J')) {
        ret_day->kind = TZ_DAY_JULIAN;
        ret_day->day = number(cursor, 1, 365);
    } else {
        ret_day->day = number(cursor, 0, 365);
    }
    if (take(cursor, '/')) {
        ret_day->time_s = signed_time_s(cursor, TIME_H_MAX);
    }
}

enum err_code tz_rule_parse(struct span text, struct tz_rule *ret_rule, struct err *err)
{
    struct cursor cursor = {.text = text};
    struct tz_rule rule = {.changes = false};

    skip_name(&cursor);
    rule.standard_s = -signed_time_s(&cursor, OFFSET_H_MAX); /* POSIX counts to the west */
    if (cursor.text.size > 0) {
        rule.changes = true;
        skip_name(&cursor);
        rule.other_s = rule.standard_s + 3600;
        if (cursor.text.size > 0 && cursor.text.data[0] != ',') {
            rule.other_s = -signed_time_s(&cursor, OFFSET_H_MAX);
        }
        day_of_rule(&cursor, &rule.begin);
        day_of_rule(&cursor, &rule.end);
    }
    if (cursor.failed || cursor.text.size > 0) {
        return err_set(err, ERR_CORRUPT, "its rule cannot be read");
    }
    *ret_rule = rule;
    return ERR_OK;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Leap years before a year, from the year -399 on; as many more as there are in 400 years. */
static int64_t leaps_before(int64_t year)
{
    int64_t last = year + 399;

    ASSERT(last >= 0);
    return last / 4 - last / 100 + last / 400;
}

/* The days from 1970-01-01 to the first of a year. */
static int64_t days_to_year(int64_t year)
{
    return (year - YEAR_FIRST) * 365 + leaps_before(year) - leaps_before(YEAR_FIRST);
}

/* The year of a second of UTC. */
static int64_t year_of(int64_t at_s)
{
    int64_t day = at_s / DAY_S - (at_s % DAY_S < 0 ? 1 : 0);
    int64_t year = YEAR_FIRST + day / 366; /* not later than it is … */

    if (day < 0) {
        year = YEAR_FIRST + day / 365 - 1;
    }
    while (days_to_year(year + 1) <= day) { /* … by some days in a century */
        year++;
    }
    return year;
}

/* Of the month's first day within its year. */
static int64_t days_to_month(int64_t year, int32_t month)
{
    static const int16_t days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

    ASSERT(month >= 1 && month <= 13);
    return days[month - 1] + (month > 2 && is_leap(year) ? 1 : 0);
}

static int64_t day_in_month(int64_t year, const struct tz_day *day)
{
    int64_t first = days_to_year(year) + days_to_month(year, day->month);
    int64_t behind = days_to_year(year) + days_to_month(year, day->month + 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t at = first + (day->day - weekday + 7) % 7 + (int64_t)7 * (day->week - 1);

    return at < behind ? at : at - 7; /* the fifth one may be the fourth */
}

/* Local seconds, by the time that holds before the change. */
static int64_t local_s(int64_t year, const struct tz_day *day)
{
    int64_t at = 0;

    switch (day->kind) {
    case TZ_DAY_JULIAN:
        at = days_to_year(year) + day->day - 1 + (is_leap(year) && day->day >= 60 ? 1 : 0);
        break;
    case TZ_DAY_OF_YEAR:
        at = days_to_year(year) + day->day;
        break;
    case TZ_DAY_OF_WEEK:
        at = day_in_month(year, day);
        break;
    }
    return at * DAY_S + day->time_s;
}

/* The two changes of a year, of UTC. */
static int64_t begin_s(const struct tz_rule *rule, int64_t year)
{
    return local_s(year, &rule->begin) - rule->standard_s;
}

static int64_t end_s(const struct tz_rule *rule, int64_t year)
{
    return local_s(year, &rule->end) - rule->other_s;
}

int32_t tz_rule_offset_s(const struct tz_rule *rule, int64_t at_s)
{
    int64_t last_s = INT64_MIN;
    int32_t offset_s = rule->standard_s;
    int64_t year = year_of(at_s);

    if (!rule->changes) {
        return rule->standard_s;
    }
    /* A change may lie a week outside its year, so the one before that may be of two years ago. Of
     * two at once the other time's beginning counts: so it is said that it never ends. */
    for (int64_t at = year - 2; at <= year + 1; at++) {
        int64_t end = end_s(rule, at);
        int64_t begin = begin_s(rule, at);

        if (end <= at_s && end > last_s) {
            last_s = end;
            offset_s = rule->standard_s;
        }
        if (begin <= at_s && begin >= last_s) {
            last_s = begin;
            offset_s = rule->other_s;
        }
    }
    return offset_s;
}

int64_t tz_rule_change_s(const struct tz_rule *rule, int64_t at_s)
{
    int64_t next_s = TZ_S_MAX;
    int64_t year = year_of(at_s);

    for (int64_t at = year - 1; rule->changes && at <= year + 2; at++) {
        int64_t end = end_s(rule, at);
        int64_t begin = begin_s(rule, at);

        next_s = end > at_s && end < next_s ? end : next_s;
        next_s = begin > at_s && begin < next_s ? begin : next_s;
    }
    return next_s;
}

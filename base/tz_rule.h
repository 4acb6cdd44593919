/* SPDX-License-Identifier: Apache-2.0 */
/* tz_rule.h: the rule at the end of a TZif file: "CET-1CEST,M3.5.0,M10.5.0/3". Only base/tz.c and
 * tests include it. Pure. */
#ifndef BASE_TZ_RULE_H
#define BASE_TZ_RULE_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

enum tz_day_kind {
    TZ_DAY_JULIAN,  /* "J60": 1 to 365, never the 29th of February */
    TZ_DAY_OF_YEAR, /* "59": 0 to 365 */
    TZ_DAY_OF_WEEK, /* "M3.5.0": the last Sunday of March */
};

struct tz_day {
    enum tz_day_kind kind;
    int32_t month;  /* 1 to 12 */
    int32_t week;   /* 1 to 5, 5: the last */
    int32_t day;    /* of the week (0: Sunday), or of the year */
    int32_t time_s; /* local, before the change; from -167 h to 167 h */
};

struct tz_rule {
    int32_t standard_s; /* ahead of UTC */
    bool changes;       /* there is another time for a part of the year */
    int32_t other_s;
    struct tz_day begin; /* of the other time */
    struct tz_day end;
};

/* The whole text. ERR_CORRUPT. */
enum err_code
tz_rule_parse(struct span text, struct tz_rule *ret_rule, struct err *err) WARN_UNUSED;
int32_t tz_rule_offset_s(const struct tz_rule *rule, int64_t at_s);
/* As tz_change_s. */
int64_t tz_rule_change_s(const struct tz_rule *rule, int64_t at_s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tz.c: files of time zones: whatever they say, offsets stay within a day or so, changes lie
 * ahead, and between two of them nothing changes.
 * Owns nothing. Never opens a file. */
#include "base/assert.h"
#include "base/tz.h"
#include "base/tz_rule.h"

#include <stddef.h>

#define STEP_COUNT 64
/* A rule may say 24:59:59 and, as its other time, an hour more. */
#define OFFSET_S_MAX (26 * 3600)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct tz *tz, int64_t at_s)
{
    for (int i = 0; i < STEP_COUNT && at_s < TZ_S_MAX; i++) {
        int32_t offset_s = tz_offset_s(tz, at_s);
        int64_t change_s = tz_change_s(tz, at_s);

        ASSERT(offset_s > -OFFSET_S_MAX && offset_s < OFFSET_S_MAX);
        ASSERT(change_s > at_s);
        ASSERT(tz_offset_s(tz, at_s + (change_s - at_s) / 2) == offset_s);
        ASSERT(tz_offset_s(tz, change_s - 1) == offset_s);
        at_s = change_s;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t from_s[] = {
        TZ_S_MIN, -1, 0, 951782399, 1764752400, 4102444800, TZ_S_MAX - 400000000};
    struct tz_rule rule;
    struct tz *tz;

    /* The name and the rule alone, so that they are not behind the checks of a file. */
    (void)tz_name_is_valid(span_of(data, size));
    if (tz_rule_parse(span_of(data, size), &rule, NULL) == ERR_OK) {
        ASSERT(tz_rule_change_s(&rule, 0) > 0);
    }
    if (tz_parse(span_of(data, size), &tz, NULL) != ERR_OK) {
        return 0;
    }
    for (size_t i = 0; i < sizeof from_s / sizeof from_s[0]; i++) {
        walk(tz, from_s[i]);
    }
    tz_free(tz);
    return 0;
}

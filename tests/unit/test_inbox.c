/* SPDX-License-Identifier: Apache-2.0 */
/* test_inbox.c: proves approvald/core/inbox.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/inbox.h"
#include "tests/unit/unit.h"

#include <string.h>

static int compare(const struct inbox_key *a, const struct inbox_key *b)
{
    return memcmp(a->bytes, b->bytes, INBOX_KEY_SIZE);
}

static void the_same_event_has_the_same_key_and_no_other_has(void)
{
    struct inbox_key key;
    struct inbox_key other;

    inbox_key_make(INBOX_EVENT, 100, SPAN_LITERAL("Ev1"), &key);
    inbox_key_make(INBOX_EVENT, 100, SPAN_LITERAL("Ev1"), &other);
    CU_ASSERT_EQUAL(compare(&key, &other), 0);
    inbox_key_make(INBOX_EVENT, 100, SPAN_LITERAL("Ev2"), &other);
    CU_ASSERT_NOT_EQUAL(compare(&key, &other), 0);
    inbox_key_make(INBOX_COMMAND, 100, SPAN_LITERAL("Ev1"), &other);
    CU_ASSERT_NOT_EQUAL(compare(&key, &other), 0);
    inbox_key_make(INBOX_EVENT, 101, SPAN_LITERAL("Ev1"), &other);
    CU_ASSERT(compare(&key, &other) < 0);
}

static void keys_are_kept_long_enough(void)
{
    uint64_t now_ms = UINT64_C(1800000000000);
    struct inbox_key bound;
    struct inbox_key key;

    CU_ASSERT(CORE_INBOX_KEEP_MS >= UINT64_C(25) * 3600 * 1000);
    inbox_prune_bound(now_ms, &bound);
    inbox_key_make(INBOX_EVENT, (now_ms - CORE_INBOX_KEEP_MS) / 1000, SPAN_LITERAL("e"), &key);
    CU_ASSERT(compare(&key, &bound) > 0);
    inbox_key_make(INBOX_EVENT, (now_ms - CORE_INBOX_KEEP_MS) / 1000 - 1, SPAN_LITERAL("e"), &key);
    CU_ASSERT(compare(&key, &bound) < 0);
    inbox_prune_bound(5, &bound);
    inbox_key_make(INBOX_EVENT, 0, SPAN_LITERAL("e"), &key);
    CU_ASSERT(compare(&key, &bound) > 0);
}

UNIT_MAIN("inbox",
          {"the same event has the same key and no other has",
           the_same_event_has_the_same_key_and_no_other_has},
          {"keys are kept long enough", keys_are_kept_long_enough})

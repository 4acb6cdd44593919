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

/* Delivered at one time and again at another: the first key of the first is among those of the
 * second. */
static bool is_found_again(uint32_t kind, uint64_t first_s, uint64_t again_s)
{
    struct inbox_key first[INBOX_KEY_COUNT_MAX];
    struct inbox_key again[INBOX_KEY_COUNT_MAX];
    uint32_t count = inbox_keys_make(kind, again_s, SPAN_LITERAL("U1 1.2.3"), again);
    bool found = false;

    (void)inbox_keys_make(kind, first_s, SPAN_LITERAL("U1 1.2.3"), first);
    for (uint32_t i = 0; i < count; i++) {
        found = found || compare(&first[0], &again[i]) == 0;
    }
    return found;
}

static void a_command_is_the_same_whenever_it_is_delivered_again(void)
{
    for (uint64_t first_s = 7000; first_s < 7400; first_s++) {
        CU_ASSERT(is_found_again(INBOX_COMMAND, first_s, first_s));
        CU_ASSERT(is_found_again(INBOX_COMMAND, first_s, first_s + 1));
        CU_ASSERT(is_found_again(INBOX_COMMAND, first_s, first_s + 3599));
        CU_ASSERT_FALSE(is_found_again(INBOX_COMMAND, first_s, first_s + 7200));
        CU_ASSERT_FALSE(is_found_again(INBOX_BLOCK_ACTIONS, first_s, first_s + 1));
        CU_ASSERT(is_found_again(INBOX_BLOCK_ACTIONS, first_s, first_s));
    }
    CU_ASSERT(is_found_again(INBOX_COMMAND, 0, 5));
}

UNIT_MAIN("inbox",
          {"the same event has the same key and no other has",
           the_same_event_has_the_same_key_and_no_other_has},
          {"a command is the same whenever it is delivered again",
           a_command_is_the_same_whenever_it_is_delivered_again},
          {"keys are kept long enough", keys_are_kept_long_enough})

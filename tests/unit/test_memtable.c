/* SPDX-License-Identifier: Apache-2.0 */
/* test_memtable.c: proves storage/memtable.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/memtable.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set(struct memtable *table, const char *key, const char *value)
{
    struct change change = {.op = value == NULL ? CHANGE_DELETE : CHANGE_PUT,
                            .key = span_text(key),
                            .value = span_text(value)};

    memtable_set(table, &change);
}

static bool has(const struct memtable *table, const char *key, const char *value)
{
    struct change change;

    return memtable_find(table, span_text(key), &change) && change.op == CHANGE_PUT &&
           span_is(change.value, value);
}

static void the_newest_change_of_a_key_is_found(void)
{
    struct memtable *table = NULL;
    struct change change;

    CU_ASSERT_EQUAL_FATAL(memtable_new(10, 1000, &table, NULL), ERR_OK);
    set(table, "b", "1");
    set(table, "a", "2");
    set(table, "b", "longer than before");
    CU_ASSERT(has(table, "a", "2"));
    CU_ASSERT(has(table, "b", "longer than before"));
    set(table, "b", "3");
    CU_ASSERT(has(table, "b", "3"));
    CU_ASSERT_EQUAL(memtable_count(table), 2);
    set(table, "a", NULL);
    CU_ASSERT(memtable_find(table, SPAN_LITERAL("a"), &change) && change.op == CHANGE_DELETE);
    CU_ASSERT_FALSE(memtable_find(table, SPAN_LITERAL("c"), &change));
    memtable_free(table);
}

static void keys_lie_in_the_order_of_their_bytes(void)
{
    static const char *keys[] = {"b", "\xff", "a", "aa", "ab", "B", "a\x01"};
    static const char *sorted[] = {"B", "a", "a\x01", "aa", "ab", "b", "\xff"};
    struct memtable *table = NULL;
    struct change change;

    CU_ASSERT_EQUAL_FATAL(memtable_new(10, 1000, &table, NULL), ERR_OK);
    for (size_t i = 0; i < 7; i++) {
        set(table, keys[i], "x");
    }
    for (size_t i = 0; i < 7; i++) {
        memtable_at(table, i, &change);
        CU_ASSERT(span_is(change.key, sorted[i]));
        CU_ASSERT_EQUAL(memtable_lower(table, span_text(sorted[i])), i);
    }
    CU_ASSERT_EQUAL(memtable_lower(table, SPAN_LITERAL("az")), 5);
    CU_ASSERT_EQUAL(memtable_lower(table, SPAN_LITERAL("\xff\xff")), 7);
    memtable_free(table);
}

/* Keys that share their first bytes, end within them, or hold zeros: where an order by a prefix
 * could differ from the order of the bytes. */
static size_t make_keys(char keys[][12], size_t *sizes, size_t count)
{
    static const char alphabet[] = {0, 1, 'a', '\xff'};
    uint64_t state = 7;
    size_t longest = 0;

    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        sizes[i] = 1 + (state >> 60) % 12;
        memset(keys[i], 'a', 12);
        for (size_t k = 0; k < 4; k++) {
            keys[i][(state >> (20 + 4 * k)) % 12] = alphabet[(state >> (40 + 2 * k)) % 4];
        }
        longest += sizes[i] > 8;
    }
    return longest;
}

static void any_keys_lie_in_that_order(void)
{
    static char keys[600][12];
    static size_t sizes[600];
    struct memtable *table = NULL;
    struct change change;
    struct change next;

    CU_ASSERT_FATAL(make_keys(keys, sizes, 600) > 100);
    CU_ASSERT_EQUAL_FATAL(memtable_new(600, 10000, &table, NULL), ERR_OK);
    for (size_t i = 0; i < 600; i++) {
        change = (struct change){.op = CHANGE_PUT, .key = span_of(keys[i], sizes[i])};
        memtable_set(table, &change);
    }
    for (size_t i = 0; i + 1 < memtable_count(table); i++) {
        memtable_at(table, i, &change);
        memtable_at(table, i + 1, &next);
        CU_ASSERT_FATAL(key_compare(change.key, next.key) < 0);
        CU_ASSERT_EQUAL(memtable_lower(table, next.key), i + 1);
    }
    for (size_t i = 0; i < 600; i++) {
        CU_ASSERT(memtable_find(table, span_of(keys[i], sizes[i]), &change));
        CU_ASSERT(span_equal(change.key, span_of(keys[i], sizes[i])));
    }
    memtable_free(table);
}

static void it_says_what_fits(void)
{
    struct memtable *table = NULL;

    CU_ASSERT_EQUAL_FATAL(memtable_new(2, 10, &table, NULL), ERR_OK);
    CU_ASSERT(memtable_fits(table, 2, 10));
    CU_ASSERT_FALSE(memtable_fits(table, 3, 1));
    CU_ASSERT_FALSE(memtable_fits(table, 1, 11));
    set(table, "abc", "de");
    CU_ASSERT(memtable_fits(table, 1, 5));
    CU_ASSERT_FALSE(memtable_fits(table, 1, 6));
    memtable_clear(table, true);
    CU_ASSERT(memtable_fits(table, 2, 10));
    CU_ASSERT_EQUAL(memtable_size(table), 0);
    memtable_free(table);
}

static void a_key_that_changes_often_does_not_fill_it(void)
{
    struct memtable *table = NULL;

    CU_ASSERT_EQUAL_FATAL(memtable_new(2, 100, &table, NULL), ERR_OK);
    for (int i = 0; i < 1000; i++) {
        set(table, "key", i % 2 == 0 ? "even" : "odd");
    }
    CU_ASSERT(has(table, "key", "odd"));
    CU_ASSERT_EQUAL(memtable_size(table), 7);
    memtable_free(table);
}

static void released_memory_can_be_used_again(void)
{
    struct memtable *table = NULL;
    char key[16];

    CU_ASSERT_EQUAL_FATAL(memtable_new(3000, 1U << 20, &table, NULL), ERR_OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            (void)snprintf(key, sizeof key, "%05d", i);
            set(table, key, "a value of some length, so that pages are used");
        }
        CU_ASSERT(has(table, "01234", "a value of some length, so that pages are used"));
        memtable_clear(table, true);
        CU_ASSERT_EQUAL(memtable_count(table), 0);
    }
    memtable_free(table);
}

/* Resident memory of this process, in pages. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128] = "";
    char *behind = line;
    long pages;

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(line, sizeof line, file));
    (void)fclose(file);
    (void)strtol(line, &behind, 10); /* the first number is the address space */
    pages = strtol(behind, NULL, 10);
    CU_ASSERT_FATAL(pages > 0);
    return pages;
}

static void what_was_kept_is_released_later(void)
{
    static char value[64 * 1024];
    struct memtable *table = NULL;
    long before;
    long full;

    memset(value, 'v', sizeof value - 1);
    CU_ASSERT_EQUAL_FATAL(memtable_new(1000, 32U << 20, &table, NULL), ERR_OK);
    before = resident();
    for (int i = 0; i < 480; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%05d", i);
        set(table, key, value);
    }
    full = resident();
    CU_ASSERT(full - before > 7000); /* 30 MiB are 7,680 pages of 4 KiB */
    memtable_clear(table, false);
    CU_ASSERT(resident() - before > 7000);
    set(table, "one", "small");
    memtable_clear(table, true);
    CU_ASSERT(full - resident() > 5000); /* what a sanitizer keeps beside it stays */
    memtable_free(table);
}

UNIT_MAIN("memtable",
          {"the newest change of a key is found", the_newest_change_of_a_key_is_found},
          {"keys lie in the order of their bytes", keys_lie_in_the_order_of_their_bytes},
          {"any keys lie in that order", any_keys_lie_in_that_order},
          {"it says what fits", it_says_what_fits},
          {"a key that changes often does not fill it", a_key_that_changes_often_does_not_fill_it},
          {"released memory can be used again", released_memory_can_be_used_again},
          {"what was kept is released later", what_was_kept_is_released_later})

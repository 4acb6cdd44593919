/* SPDX-License-Identifier: Apache-2.0 */
/* test_twocopy.c: proves base/twocopy: which of two copies counts.
 * Owns nothing but its cases. Never touches a file. */
#include "base/twocopy.h"
#include "tests/unit/unit.h"

#include <string.h>

#define SIZE 40U

static const struct twocopy_format format = {.magic = "TESTCOP", .version = 1, .size = SIZE};

static void make(uint8_t copy[SIZE], uint64_t sequence, char body)
{
    memset(copy, body, SIZE);
    twocopy_seal(&format, sequence, copy);
}

static enum err_code
choose(const uint8_t *a, const uint8_t *b, struct twocopy_choice *choice, struct err *err)
{
    struct span copies[2] = {a == NULL ? SPAN_NONE : span_of(a, SIZE),
                             b == NULL ? SPAN_NONE : span_of(b, SIZE)};

    return twocopy_choose(&format, copies, choice, err);
}

static void the_higher_sequence_number_counts(void)
{
    uint8_t a[SIZE];
    uint8_t b[SIZE];
    struct twocopy_choice choice;

    make(a, 7, 'a');
    make(b, 8, 'b');
    CU_ASSERT_EQUAL(choose(a, b, &choice, NULL), ERR_OK);
    CU_ASSERT_EQUAL(choice.index, 1);
    CU_ASSERT_EQUAL(choice.sequence, 8);
    CU_ASSERT_EQUAL(choice.body.size, SIZE - TWOCOPY_HEADER_SIZE);
    CU_ASSERT_EQUAL(choice.body.data[0], 'b');
    CU_ASSERT_EQUAL(choose(b, a, &choice, NULL), ERR_OK);
    CU_ASSERT_EQUAL(choice.index, 0);
    CU_ASSERT_EQUAL(choice.sequence, 8);
}

static void a_single_whole_copy_counts(void)
{
    uint8_t a[SIZE];
    struct twocopy_choice choice;

    make(a, 1, 'a');
    CU_ASSERT_EQUAL(choose(NULL, a, &choice, NULL), ERR_OK);
    CU_ASSERT_EQUAL(choice.index, 1);
    CU_ASSERT_EQUAL(choose(a, NULL, &choice, NULL), ERR_OK);
    CU_ASSERT_EQUAL(choice.index, 0);
    CU_ASSERT_EQUAL(choose(NULL, NULL, &choice, NULL), ERR_NOT_FOUND);
}

static void any_damage_makes_a_copy_not_count(void)
{
    uint8_t old[SIZE];
    uint8_t bad[SIZE];
    struct twocopy_choice choice;
    struct err err = ERR_INIT;

    make(old, 3, 'o');
    for (size_t at = 0; at < SIZE; at++) {
        make(bad, 4, 'n');
        bad[at] ^= 0x10;
        CU_ASSERT_EQUAL(choose(old, bad, &choice, NULL), ERR_OK);
        CU_ASSERT_EQUAL(choice.index, 0);
        CU_ASSERT_EQUAL(choice.sequence, 3);
        CU_ASSERT_EQUAL(choose(bad, NULL, &choice, &err), ERR_CORRUPT);
        CU_ASSERT_EQUAL(choose(bad, bad, &choice, &err), ERR_CORRUPT);
    }
    CU_ASSERT(strstr(err.message, "checksum") != NULL);
}

static void a_write_torn_at_any_byte_leaves_the_old_or_the_new_copy(void)
{
    uint8_t other[SIZE];
    uint8_t before[SIZE];
    uint8_t after[SIZE];
    uint8_t torn[SIZE];
    struct twocopy_choice choice;

    make(other, 4, 'o');
    make(before, 3, 'b');
    make(after, 5, 'a');
    for (size_t at = 0; at <= SIZE; at++) {
        memcpy(torn, after, at);
        memcpy(torn + at, before + at, SIZE - at);
        CU_ASSERT_EQUAL(choose(torn, other, &choice, NULL), ERR_OK);
        CU_ASSERT_EQUAL(choice.sequence, memcmp(torn, after, SIZE) == 0 ? 5 : 4);
    }
}

static void another_size_does_not_count(void)
{
    uint8_t a[SIZE];
    struct twocopy_choice choice;

    make(a, 1, 'a');
    for (size_t size = 0; size < SIZE; size++) {
        struct span copies[2] = {span_of(a, size), SPAN_NONE};

        CU_ASSERT_EQUAL(twocopy_choose(&format, copies, &choice, NULL), ERR_CORRUPT);
    }
}

static void a_whole_copy_of_a_later_format_is_never_overlooked(void)
{
    struct twocopy_format later = {.magic = "TESTCOP", .version = 2, .size = SIZE};
    uint8_t a[SIZE];
    uint8_t b[SIZE];
    struct twocopy_choice choice;
    struct err err = ERR_INIT;

    make(a, 1, 'a');
    memset(b, 'b', sizeof b);
    twocopy_seal(&later, 2, b);
    CU_ASSERT_EQUAL(choose(a, b, &choice, &err), ERR_CORRUPT);
    CU_ASSERT(strstr(err.message, "format") != NULL);
}

UNIT_MAIN("twocopy",
          {"the higher sequence number counts", the_higher_sequence_number_counts},
          {"a single whole copy counts", a_single_whole_copy_counts},
          {"any damage makes a copy not count", any_damage_makes_a_copy_not_count},
          {"a write torn at any byte leaves the old or the new copy",
           a_write_torn_at_any_byte_leaves_the_old_or_the_new_copy},
          {"another size does not count", another_size_does_not_count},
          {"a whole copy of a later format is never overlooked",
           a_whole_copy_of_a_later_format_is_never_overlooked})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_elapsed.c: proves approvald/core/elapsed: no time is counted that may not have passed.
 * Owns nothing but its cases; never reads a clock. */
#include "approvald/core/elapsed.h"
#include "tests/unit/unit.h"

#define NOW    UINT64_C(1800000000000)
#define BOOT   UINT64_C(5000)
#define MINUTE UINT64_C(60000)

/* A process begins right behind its newest record. */
static struct elapsed begun(uint64_t now_ms, uint64_t boot_ms)
{
    struct elapsed elapsed = {.counting = false};

    elapsed_begin(&elapsed, now_ms);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, now_ms, boot_ms));
    return elapsed;
}

static void both_clocks_together_are_time(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);

    for (uint64_t i = 1; i <= 10; i++) {
        CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + i * MINUTE, BOOT + i * MINUTE + i % 3));
        CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), i * MINUTE);
    }
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW + 4 * MINUTE), 6 * MINUTE);
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW + 11 * MINUTE), 0);
}

static void a_jump_ahead_does_not_count_for_what_was_before_it(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);

    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + MINUTE, BOOT + MINUTE));
    CU_ASSERT_TRUE(elapsed_step(&elapsed, NOW + 61 * MINUTE, BOOT + 2 * MINUTE));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), 2 * MINUTE);
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW + MINUTE), MINUTE);
    /* What is written behind it knows nothing of it. */
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + 63 * MINUTE, BOOT + 4 * MINUTE));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW + 61 * MINUTE), 2 * MINUTE);
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), 4 * MINUTE);
}

static void small_steps_ahead_add_up_to_a_jump(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);
    uint64_t now_ms = NOW;
    uint64_t boot_ms = BOOT;

    for (int i = 0; i < 100; i++) {
        now_ms += 1500;
        boot_ms += 1000;
        (void)elapsed_step(&elapsed, now_ms, boot_ms); /* sometimes */
    }
    CU_ASSERT(elapsed_since_ms(&elapsed, NOW) <= boot_ms - BOOT + ELAPSED_JUMP_MS_MIN);
}

static void a_clock_that_is_set_back_and_right_again_gains_nothing(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);

    /* Set back by an hour: the time of records stands still. */
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW, BOOT + 50 * MINUTE));
    /* Something is written, and a minute later the clock is put right. */
    CU_ASSERT_TRUE(elapsed_step(&elapsed, NOW + 51 * MINUTE, BOOT + 51 * MINUTE));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), MINUTE);
}

static void the_time_between_two_processes_is_not_counted(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);

    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + MINUTE, BOOT + MINUTE));
    /* The next host: its clock is ahead or the pair was off; its boot clock is another one. */
    elapsed_begin(&elapsed, NOW + MINUTE);
    CU_ASSERT_TRUE(elapsed_step(&elapsed, NOW + 9 * MINUTE, 7));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), MINUTE);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + 12 * MINUTE, 7 + 3 * MINUTE));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), 4 * MINUTE);
    /* One whose clock is behind stamps as before until it has caught up. */
    elapsed_begin(&elapsed, NOW + 12 * MINUTE);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW + 3 * MINUTE, 1));
    CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), 4 * MINUTE);
}

static void the_first_record_of_all_has_nothing_before_it(void)
{
    struct elapsed elapsed = {.counting = false};

    elapsed_begin(&elapsed, 0);
    CU_ASSERT_FALSE(elapsed_step(&elapsed, NOW, BOOT));
    CU_ASSERT_EQUAL(elapsed.jump_count, 0);
}

static void many_jumps_become_fewer_and_never_less(void)
{
    struct elapsed elapsed = begun(NOW, BOOT);
    uint64_t now_ms = NOW;

    for (uint64_t i = 1; i <= UINT64_C(3) * ELAPSED_JUMP_COUNT_MAX; i++) {
        now_ms += 11 * MINUTE;
        CU_ASSERT_TRUE(elapsed_step(&elapsed, now_ms, BOOT + i * MINUTE));
        CU_ASSERT(elapsed.jump_count <= ELAPSED_JUMP_COUNT_MAX);
        CU_ASSERT_EQUAL(elapsed_since_ms(&elapsed, NOW), i * MINUTE);
        CU_ASSERT(elapsed_since_ms(&elapsed, now_ms - 11 * MINUTE) <= MINUTE);
    }
}

UNIT_MAIN("elapsed",
          {"both clocks together are time", both_clocks_together_are_time},
          {"a jump ahead does not count for what was before it",
           a_jump_ahead_does_not_count_for_what_was_before_it},
          {"small steps ahead add up to a jump", small_steps_ahead_add_up_to_a_jump},
          {"a clock that is set back and right again gains nothing",
           a_clock_that_is_set_back_and_right_again_gains_nothing},
          {"the time between two processes is not counted",
           the_time_between_two_processes_is_not_counted},
          {"the first record of all has nothing before it",
           the_first_record_of_all_has_nothing_before_it},
          {"many jumps become fewer and never less", many_jumps_become_fewer_and_never_less})

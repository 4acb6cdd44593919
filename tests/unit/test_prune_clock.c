/* SPDX-License-Identifier: Apache-2.0 */
/* test_prune_clock.c: proves approvald/service/prune_clock.h: a jump is not believed at once.
 * Owns nothing but its cases; never reads a clock. */
#include "approvald/service/prune_clock.h"
#include "tests/unit/unit.h"

#define START  UINT64_C(1764752400000)
#define MINUTE CORE_MINUTE_MS
#define HOUR   (60 * MINUTE)
#define DAY    CORE_DAY_MS

static void time_that_passes_is_believed(void)
{
    struct prune_clock clock = {0};

    CU_ASSERT(prune_clock_step(&clock, START, 0));
    CU_ASSERT(prune_clock_step(&clock, START + MINUTE, MINUTE));
    CU_ASSERT(prune_clock_step(&clock, START + MINUTE + DAY, 0));      /* a short night */
    CU_ASSERT(prune_clock_step(&clock, START + 100 * DAY, 100 * DAY)); /* suspended */
    CU_ASSERT_EQUAL(clock.known_ms, START + 100 * DAY);
    CU_ASSERT_EQUAL(clock.waited_ms, 0);
}

static void a_jump_is_believed_after_as_long_by_the_boot_clock(void)
{
    struct prune_clock clock = {.known_ms = START};
    uint64_t jump = 3 * DAY;
    uint64_t passed = 0;

    CU_ASSERT_FALSE(prune_clock_step(&clock, START + jump, 0));
    while (passed + HOUR < jump) {
        passed += HOUR;
        CU_ASSERT_FALSE(prune_clock_step(&clock, START + jump + passed, HOUR));
        CU_ASSERT_EQUAL(clock.known_ms, START);
    }
    passed += HOUR;
    CU_ASSERT(prune_clock_step(&clock, START + jump + passed, HOUR));
    CU_ASSERT_EQUAL(clock.known_ms, START + jump + passed);
    CU_ASSERT_EQUAL(clock.waited_ms, 0);
    CU_ASSERT_FALSE(
        prune_clock_step(&clock, START + 9 * jump, MINUTE)); /* the next one waits, too */
}

static void a_clock_set_right_is_believed_at_once(void)
{
    struct prune_clock clock = {.known_ms = START};

    CU_ASSERT_FALSE(prune_clock_step(&clock, START + 3650 * DAY, MINUTE));
    CU_ASSERT_FALSE(prune_clock_step(&clock, START + 3650 * DAY + HOUR, HOUR));
    CU_ASSERT(prune_clock_step(&clock, START + HOUR + MINUTE, MINUTE));
    CU_ASSERT_EQUAL(clock.waited_ms, 0);
    /* After days of waiting, too. */
    CU_ASSERT_FALSE(prune_clock_step(&clock, START + 3650 * DAY, MINUTE));
    CU_ASSERT_FALSE(prune_clock_step(&clock, START + 3654 * DAY, 4 * DAY));
    CU_ASSERT(prune_clock_step(&clock, START + 4 * DAY + 2 * HOUR, MINUTE));
    CU_ASSERT_EQUAL(clock.known_ms, START + 4 * DAY + 2 * HOUR);
}

static void a_clock_that_goes_back_changes_nothing_known(void)
{
    struct prune_clock clock = {.known_ms = START};

    CU_ASSERT(prune_clock_step(&clock, START - 5 * DAY, MINUTE));
    CU_ASSERT_EQUAL(clock.known_ms, START);
    CU_ASSERT(prune_clock_step(&clock, 0, MINUTE));
    CU_ASSERT_EQUAL(clock.known_ms, START);
    CU_ASSERT_FALSE(prune_clock_step(&clock, START + DAY + MINUTE + 1, MINUTE));
    CU_ASSERT(prune_clock_step(&clock, START + DAY + MINUTE, MINUTE));
}

static void the_end_of_time_is_no_overflow(void)
{
    struct prune_clock clock = {.known_ms = 1, .waited_ms = UINT64_MAX - 5};

    CU_ASSERT_FALSE(prune_clock_step(&(struct prune_clock){.known_ms = 1}, UINT64_MAX, 1));
    CU_ASSERT(prune_clock_step(&clock, UINT64_MAX, 10 * DAY));
    CU_ASSERT_EQUAL(clock.known_ms, UINT64_MAX);
}

UNIT_MAIN("prune_clock",
          {"time that passes is believed", time_that_passes_is_believed},
          {"a jump is believed after as long by the boot clock",
           a_jump_is_believed_after_as_long_by_the_boot_clock},
          {"a clock set right is believed at once", a_clock_set_right_is_believed_at_once},
          {"a clock that goes back changes nothing known",
           a_clock_that_goes_back_changes_nothing_known},
          {"the end of time is no overflow", the_end_of_time_is_no_overflow})

/* SPDX-License-Identifier: Apache-2.0 */
/* fake_clock.h: a clock that the test sets. */
#ifndef TESTS_UNIT_FAKE_CLOCK_H
#define TESTS_UNIT_FAKE_CLOCK_H

#include "base/clock.h"

struct fake_time {
    uint64_t boot_ms;
    uint64_t wall_ms;
};

static inline uint64_t fake_boot_ms(void *arg)
{
    return ((const struct fake_time *)arg)->boot_ms;
}

static inline uint64_t fake_wall_ms(void *arg)
{
    return ((const struct fake_time *)arg)->wall_ms;
}

static inline struct clock fake_clock(struct fake_time *now)
{
    return (struct clock){.boot_ms = fake_boot_ms, .wall_ms = fake_wall_ms, .arg = now};
}

#endif

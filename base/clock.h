/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h: the time, as a thing that can be replaced. Clocks are never used for safety. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    /* Milliseconds that never go back and go on while the host sleeps (CLOCK_BOOTTIME). */
    uint64_t (*boot_ms)(void *arg);
    /* Milliseconds since 1970-01-01 UTC; may jump. For records and people. */
    uint64_t (*wall_ms)(void *arg);
    void *arg;
};

/* The clock of this host. Borrowed for ever. */
const struct clock *clock_host(void);

/* Microseconds of CLOCK_MONOTONIC, for measuring and for waits of this process. Not replaceable. */
uint64_t clock_precise_us(void);

static inline uint64_t clock_boot_ms(const struct clock *clock)
{
    return clock->boot_ms(clock->arg);
}

static inline uint64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->arg);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c: the clock of this host.
 * Owns the only calls to clock_gettime outside tests.
 * Never sleeps, never caches. */
#include "base/clock.h"

#include "base/assert.h"

#include <stddef.h>
#include <time.h>

static struct timespec clock_read(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);

    ASSERT(failed == 0);
    return now;
}

static uint64_t clock_read_ms(clockid_t id)
{
    struct timespec now = clock_read(id);

    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t clock_precise_us(void)
{
    struct timespec now = clock_read(CLOCK_MONOTONIC);

    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t host_boot_ms(void *arg)
{
    (void)arg;
    return clock_read_ms(CLOCK_BOOTTIME);
}

static uint64_t host_wall_ms(void *arg)
{
    (void)arg;
    return clock_read_ms(CLOCK_REALTIME);
}

const struct clock *clock_host(void)
{
    static const struct clock clock = {
        .boot_ms = host_boot_ms, .wall_ms = host_wall_ms, .arg = NULL};

    return &clock;
}

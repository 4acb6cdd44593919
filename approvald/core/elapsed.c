/* SPDX-License-Identifier: Apache-2.0 */
/* elapsed.c: how much time has certainly passed.
 * Owns the comparison of the time of records with the boot clock.
 * Never reads a clock, never counts more than has passed. */
#include "approvald/core/elapsed.h"

#include "base/assert.h"

void elapsed_begin(struct elapsed *elapsed, uint64_t record_ms)
{
    elapsed->counting = false;
    elapsed->last_ms = record_ms;
    elapsed->ahead_ms_min = 0;
}

/* The two oldest become one. */
static void merge(struct elapsed *elapsed)
{
    elapsed->jumps[0].at_ms = elapsed->jumps[1].at_ms;
    elapsed->jumps[0].size_ms += elapsed->jumps[1].size_ms;
    for (size_t i = 2; i < elapsed->jump_count; i++) {
        elapsed->jumps[i - 1] = elapsed->jumps[i];
    }
    elapsed->jump_count--;
}

static void add(struct elapsed *elapsed, uint64_t size_ms)
{
    if (elapsed->jump_count == ELAPSED_JUMP_COUNT_MAX) {
        merge(elapsed);
    }
    ASSERT(elapsed->jump_count < ELAPSED_JUMP_COUNT_MAX);
    elapsed->jumps[elapsed->jump_count++] =
        (struct elapsed_jump){.at_ms = elapsed->last_ms, .size_ms = size_ms};
}

/* How far the time of records ran ahead of the boot clock since the last step. */
static uint64_t jump_of(struct elapsed *elapsed, uint64_t now_ms, uint64_t boot_ms)
{
    /* Wraps around when the boot clock is the larger one: only differences matter. */
    uint64_t ahead_ms = now_ms - boot_ms;
    int64_t more_ms = (int64_t)(ahead_ms - elapsed->ahead_ms_min);

    if (!elapsed->counting) {
        elapsed->ahead_ms_min = ahead_ms;
        return elapsed->last_ms == 0 ? 0 : now_ms - elapsed->last_ms;
    }
    if (more_ms < 0) {
        elapsed->ahead_ms_min = ahead_ms; /* it was set back: what it gains later is a jump */
        return 0;
    }
    if ((uint64_t)more_ms <= ELAPSED_JUMP_MS_MIN) {
        return 0;
    }
    elapsed->ahead_ms_min = ahead_ms;
    return (uint64_t)more_ms;
}

bool elapsed_step(struct elapsed *elapsed, uint64_t now_ms, uint64_t boot_ms)
{
    uint64_t jump_ms;

    now_ms = now_ms > elapsed->last_ms ? now_ms : elapsed->last_ms;
    jump_ms = jump_of(elapsed, now_ms, boot_ms);
    if (jump_ms > 0) {
        add(elapsed, jump_ms);
    }
    elapsed->counting = true;
    elapsed->last_ms = now_ms;
    return jump_ms > 0;
}

uint64_t elapsed_since_ms(const struct elapsed *elapsed, uint64_t from_ms)
{
    uint64_t passed_ms = elapsed->last_ms > from_ms ? elapsed->last_ms - from_ms : 0;

    for (size_t i = 0; i < elapsed->jump_count; i++) {
        const struct elapsed_jump *jump = &elapsed->jumps[i];

        if (jump->at_ms >= from_ms) {
            passed_ms -= jump->size_ms < passed_ms ? jump->size_ms : passed_ms;
        }
    }
    return passed_ms;
}

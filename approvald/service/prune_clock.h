/* SPDX-License-Identifier: Apache-2.0 */
/* prune_clock.h: may the wall clock be believed when it says that records are old? Pure.
 *
 * Retention compares the time of records with the wall clock, and what is pruned is gone. A clock
 * that jumps ahead (a wrong date at boot, a broken NTP server) would let everything be pruned at
 * once. So the last time that was believed is kept in the store, and a wall clock that is ahead of
 * it by more than PRUNE_CLOCK_JUMP_MS and what the boot clock counted meanwhile is not believed:
 * pruning pauses until
 * - the wall clock is right again, or
 * - the boot clock has counted, with the process running, as long as the wall clock is ahead: a
 *   host that was switched off for a month goes on a month later, one with a wrong year never.
 * Pausing keeps more than retention asks for and loses nothing; expiry of requests does not pause.
 * There is no way to confirm a jump by hand: setting the clock right is what helps. */
#ifndef APPROVALD_SERVICE_PRUNE_CLOCK_H
#define APPROVALD_SERVICE_PRUNE_CLOCK_H

#include "approvald/core/limits.h"

#include <stdbool.h>
#include <stdint.h>

#define PRUNE_CLOCK_JUMP_MS CORE_DAY_MS /* the shortest retention: less cannot prune much */

/* {0}: nothing is known yet; the first time is believed. */
struct prune_clock {
    uint64_t known_ms;  /* wall: the latest that was believed */
    uint64_t waited_ms; /* by the boot clock, since the wall clock is too far ahead; else 0 */
};

/* elapsed_ms: by the boot clock, since the last step of this process (0 for its first). False:
 * pruning pauses. */
bool prune_clock_step(struct prune_clock *clock, uint64_t wall_ms, uint64_t elapsed_ms);

#endif

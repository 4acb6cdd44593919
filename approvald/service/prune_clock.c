/* SPDX-License-Identifier: Apache-2.0 */
/* prune_clock.c: when a wall clock that is ahead is believed.
 * Owns that rule alone; its caller keeps the state and reads the clocks.
 * Never moves the known time back, never prunes. */
#include "approvald/service/prune_clock.h"

bool prune_clock_step(struct prune_clock *clock, uint64_t wall_ms, uint64_t elapsed_ms)
{
    uint64_t ahead_ms = wall_ms > clock->known_ms ? wall_ms - clock->known_ms : 0;
    bool jumped = clock->known_ms > 0 && ahead_ms > PRUNE_CLOCK_JUMP_MS &&
                  ahead_ms - PRUNE_CLOCK_JUMP_MS > elapsed_ms;

    if (jumped) {
        uint64_t room_ms = UINT64_MAX - clock->waited_ms;

        clock->waited_ms += elapsed_ms < room_ms ? elapsed_ms : room_ms;
        /* The wall clock went on while we waited; that part of ahead_ms is not the jump's. */
        jumped = clock->waited_ms < ahead_ms && clock->waited_ms < ahead_ms - clock->waited_ms;
    }
    if (jumped) {
        return false;
    }
    clock->waited_ms = 0;
    clock->known_ms = wall_ms > clock->known_ms ? wall_ms : clock->known_ms;
    return true;
}

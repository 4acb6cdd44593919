/* SPDX-License-Identifier: Apache-2.0 */
/* elapsed.h: how much time has certainly passed since a record was written. Pure.
 *
 * A veto window must never be cut short. The time of records is the primary's wall clock: it may
 * jump ahead, the clock of the host that takes over may be minutes ahead, and while no approvald
 * served nobody could stop anything. So a process notes by how much the time of records ran ahead
 * of what its boot clock counted, and such a jump does not count as passed for what was written
 * before it. What lies between the newest record and a process's first step is such a jump, too.
 * Jumps are stored with the record that notices them, so that the next process knows them. A clock
 * that is set back, or slow, only makes a time longer. */
#ifndef APPROVALD_CORE_ELAPSED_H
#define APPROVALD_CORE_ELAPSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than these are kept as one, which is as long as both and as late as the later one. */
#define ELAPSED_JUMP_COUNT_MAX 8
/* Less is the time between two looks at two clocks, and a clock that is being slewed. */
#define ELAPSED_JUMP_MS_MIN UINT64_C(2000)

struct elapsed_jump {
    uint64_t at_ms; /* what was written up to then was written before the jump */
    uint64_t size_ms;
};

/* {0}: nothing is known yet. */
struct elapsed {
    bool counting;         /* there was a step */
    uint64_t last_ms;      /* of records, at the last step; before the first: of the newest one */
    uint64_t ahead_ms_min; /* the time of records less the boot clock, the least since a jump */
    size_t jump_count;
    struct elapsed_jump jumps[ELAPSED_JUMP_COUNT_MAX];
};

/* The process begins: the newest record is of record_ms (0: there is none). The jumps stay: they
 * are those of earlier processes. */
void elapsed_begin(struct elapsed *elapsed, uint64_t record_ms);
/* Now it is now_ms by the time of records, which never goes back (an earlier one is the last).
 * True: there was a jump, to be stored. */
bool elapsed_step(struct elapsed *elapsed, uint64_t now_ms, uint64_t boot_ms);
/* What has certainly passed between from_ms and the last step, by the time of records. */
uint64_t elapsed_since_ms(const struct elapsed *elapsed, uint64_t from_ms);

#endif

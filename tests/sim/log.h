/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: the production log as the simulated replication thread uses it: find, ship, cut. */
#ifndef TESTS_SIM_LOG_H
#define TESTS_SIM_LOG_H

#include "tests/sim/sim.h"

/* The position of a record; readable false: trimmed away or beyond the end. */
enum err_code log_find(struct engine *engine,
                       uint64_t lsn,
                       struct replica_found *ret_found,
                       struct err *err) WARN_UNUSED;

struct log_room {
    uint8_t *at;
    size_t size;
    size_t used;
};
/* Copies whole records from lsn on, at most count, as they are shared. ERR_NOT_FOUND: the first is
 * trimmed away. */
enum err_code log_ship(struct engine *engine,
                       uint64_t lsn,
                       uint32_t count,
                       struct log_room *room,
                       uint64_t *ret_next,
                       struct err *err) WARN_UNUSED;
/* The log ends at the position, durably. */
enum err_code
log_cut(struct engine *engine, const struct record_position *position, struct err *err) WARN_UNUSED;
void log_close(struct engine *engine);

#endif

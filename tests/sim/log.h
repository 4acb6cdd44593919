/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: the production log as the simulated replication thread uses it: find, ship, cut, append
 * what came over the link. */
#ifndef TESTS_SIM_LOG_H
#define TESTS_SIM_LOG_H

#include "tests/sim/sim.h"

/* The position of a record; readable false: trimmed or beyond the end. */
enum err_code log_find(struct engine *engine, uint64_t lsn, struct replica_found *ret, struct err *err);
/* Copies whole records from lsn on, at most count; *ret_size 0: there is none yet. ERR_NOT_FOUND:
 * trimmed away. */
enum err_code log_ship(struct engine *engine,
                       uint64_t lsn,
                       uint32_t count,
                       struct span *room,
                       uint64_t *ret_next,
                       struct err *err);
/* The log ends at the position, durably. */
enum err_code log_cut(struct engine *engine, const struct record_position *position, struct err *err);
/* The first record of bytes, which begins at its byte RECORD_LOCAL_SIZE. */
struct log_shared {
    enum record_kind kind;
    uint64_t lsn;
    uint64_t epoch;
    uint64_t wall_ms;
    const uint8_t *hash_prev;
    struct span payload;
    size_t size; /* of all of it */
};
bool log_shared_decode(struct span bytes, struct log_shared *ret);

#endif

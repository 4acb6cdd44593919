/* SPDX-License-Identifier: Apache-2.0 */
/* gate_sweep.h: after a freeze was added, begins, ends or is removed, what requests say of it is
 * put right, in pieces, on the writer. */
#ifndef APPROVALD_SERVICE_GATE_SWEEP_H
#define APPROVALD_SERVICE_GATE_SWEEP_H

#include "approvald/service/work.h"

/* At start, from the store; without a mark, which an older approvald does not leave, they are
 * walked over once. */
enum err_code gate_sweep_recover(struct work *work) WARN_UNUSED;
/* The freezes change with this job: the next tick, which comes at once, begins. */
enum err_code gate_sweep_begin(struct work *work) WARN_UNUSED;
/* One piece, if there is one to do. ret_changed has room for SERVICE_SWEEP_CHANGE_MAX.
 * *ret_next_ms: when to come again; UINT64_MAX: no freeze will begin or end. */
enum err_code gate_sweep_step(struct work *work,
                              struct request_id *ret_changed,
                              size_t *ret_count,
                              uint64_t *ret_next_ms) WARN_UNUSED;

#endif

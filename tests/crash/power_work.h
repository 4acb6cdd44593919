/* SPDX-License-Identifier: Apache-2.0 */
/* power_work.h: numbered jobs whose effect on the store can be computed: job n does the same in
 * every run, so the state after any prefix of jobs is known. Shared by the crash tests. */
#ifndef TESTS_CRASH_POWER_WORK_H
#define TESTS_CRASH_POWER_WORK_H

#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

struct work_job {
    uint64_t number; /* from 1 */
};

/* storage_job_fn; arg is a work_job. Every 17th job changes keys and then fails: ERR_CONFLICT. */
enum err_code work_run(struct storage_txn *txn, void *arg, struct err *err);
bool work_fails(uint64_t number);
/* Reads the store (a strong read) and compares it with the state after the last job that it claims
 * to hold. True when equal; *ret_last is that job's number (0: none). Else *ret_reason says what
 * differs. */
bool work_check(struct storage *storage, uint64_t *ret_last, const char **ret_reason);

#endif

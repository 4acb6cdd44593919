/* SPDX-License-Identifier: Apache-2.0 */
/* wal_kit.h: a log on a disk in memory, for tests of its parts: small segments, records of which
 * each has its own bytes. One thread. */
#ifndef TESTS_LIB_WAL_KIT_H
#define TESTS_LIB_WAL_KIT_H

#include "storage/wal.h"
#include "tests/lib/sim_disk.h"

#define WAL_KIT_COUNT_MAX 512U

struct wal_kit {
    struct sim_disk sim;
    struct wal *wal;
    struct wal_options options;
    struct record_position positions[WAL_KIT_COUNT_MAX]; /* by LSN, as appended */
    struct record_position last;
    struct err err;
};

void wal_kit_init(struct wal_kit *kit);
void wal_kit_done(struct wal_kit *kit);
/* Closes the log, if it is open, and opens it again. */
enum err_code wal_kit_reopen(struct wal_kit *kit) WARN_UNUSED;
/* Appends a record of so many bytes, and makes the next segment when it is missing (trimming below
 * lsn_trim). Everything before it was durable. */
enum err_code wal_kit_append(struct wal_kit *kit, size_t size, uint64_t lsn_trim) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* wal_kit.c: a log on a disk in memory.
 * Owns the disk and the log. Never looks inside the log. */
#include "tests/lib/wal_kit.h"

#include "base/assert.h"
#include "base/rng.h"
#include "storage/limits.h"

#include <string.h>

enum err_code wal_kit_reopen(struct wal_kit *kit)
{
    enum err_code rc;

    wal_close(kit->wal);
    kit->wal = NULL;
    kit->options.home.disk = &kit->sim.disk;
    kit->options.home.dir = "data";
    kit->options.rng = rng_host();
    kit->options.segment_size = WAL_SEGMENT_SIZE_MIN;
    kit->options.wal_size_max = 4UL * WAL_SEGMENT_SIZE_MIN;
    rc = wal_open(&kit->options, &kit->wal, &kit->err);
    if (rc == ERR_OK) {
        wal_last(kit->wal, &kit->last);
    }
    return rc;
}

void wal_kit_init(struct wal_kit *kit)
{
    enum err_code rc;

    memset(kit, 0, sizeof *kit);
    sim_disk_init(&kit->sim);
    rc = wal_kit_reopen(kit);
    ASSERT(rc == ERR_OK);
}

void wal_kit_done(struct wal_kit *kit)
{
    wal_close(kit->wal);
    sim_disk_done(&kit->sim);
}

enum err_code wal_kit_append(struct wal_kit *kit, size_t size, uint64_t lsn_trim)
{
    struct wal_append append = {.kind = RECORD_KIND_CHANGES,
                                .payload_size = size,
                                .epoch = 1,
                                .wall_ms = 1000 + kit->last.lsn,
                                .lsn_durable = kit->last.lsn};
    enum err_code rc = ERR_OK;

    if (!wal_has_room(kit->wal)) {
        rc = wal_prepare(kit->wal, lsn_trim, &kit->err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    memset(wal_payload(kit->wal), (int)(kit->last.lsn % 251), size);
    rc = wal_append(kit->wal, &append, &kit->last, &kit->err);
    if (rc == ERR_OK) {
        rc = wal_sync(kit->wal, &kit->err);
    }
    if (rc == ERR_OK && kit->last.lsn < WAL_KIT_COUNT_MAX) {
        kit->positions[kit->last.lsn] = kit->last;
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* install.h: putting a received store (incoming.mdb) in the place of the old one.
 *
 * The marker, file "installing", is the point of no return: made when incoming.mdb is whole and
 * durable; while it is there, every start does all the steps again that install_finish names, so
 * that no crash leaves a mixture. Every installed store has a new id: nobody may take it for the
 * one that it replaced (rule G). The promised epoch stays.
 *
 * Evidence is for people: the folded state is in the .mdb, what was acknowledged after the last
 * fold is in the segments. No code reads it. */
#ifndef STORAGE_INSTALL_H
#define STORAGE_INSTALL_H

#include "base/err.h"
#include "storage/promise.h"
#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

#define INSTALL_MARKER_FILE "installing"

struct disk;

struct install {
    uint8_t store_id[STORAGE_ID_SIZE]; /* of incoming.mdb */
    struct promise_value promise;
    uint64_t lsn_old; /* applied in the store that is replaced */
    bool diverged;    /* it is kept as evidence: diverged-<lsn_old>.mdb, and the segments of its log
                       * as diverged-<lsn_old>-<number>.seg; one store's at most */
};

/* Decides it, durably. */
enum err_code install_mark(const struct disk *disk,
                           const char *dir,
                           const struct install *install,
                           struct err *err) WARN_UNUSED;
/* At each start, before the store and the log are opened. With a marker: moves the old store and
 * its log away (in the place of evidence that is there) or drops them, renames incoming.mdb, writes
 * the promise for the new id, removes the marker. Without one: removes what is left of an
 * unfinished snapshot. ERR_CORRUPT. */
enum err_code install_finish(const struct disk *disk, const char *dir, struct err *err) WARN_UNUSED;

#endif

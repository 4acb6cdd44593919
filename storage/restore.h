/* SPDX-License-Identifier: Apache-2.0 */
/* restore.h: a new store out of a backup file (backup_format.h), while nothing runs.
 *
 * The file is read twice: first all of it is checked, then it becomes incoming.mdb, which is put in
 * place as a snapshot is (install.h): with a new store id, the backup's cluster id, an empty log
 * that goes on behind the backup's position, and the promise and lineage of the backup. Whose
 * backup it is does not matter: the new store may be opened alone, or as one of two.
 *
 * What a crash leaves: before the marker "restoring" is made, nothing; with it, a directory that no
 * storage opens until the restore is done again; from the marker "installing" on, the whole store,
 * which this or the next start finishes to put in place. */
#ifndef STORAGE_RESTORE_H
#define STORAGE_RESTORE_H

#include "base/err.h"
#include "storage/backup_format.h"
#include "storage/storage.h"

#include <stdbool.h>

#define RESTORE_MARKER_FILE "restoring"
/* Beside a store that a restore has made, until a pair opens it: it may be opened alone although
 * the backup is a pair's. */
#define RESTORE_DONE_FILE "restored"

struct disk;

struct restore_result {
    struct backup_header header;
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t size; /* bytes of the file */
};

/* options: as for storage_open (the directory, and map_size). file: a descriptor open for reading,
 * borrowed, read from its first byte. Blocks. ERR_BUSY: a process holds the directory; ERR_EXISTS:
 * a store, or what is left of one, is in it; ERR_INVALID, ERR_CORRUPT: the file is no whole backup
 * (nothing was written); ERR_NOSPACE, ERR_IO, ERR_DENIED, ERR_NOMEM. */
enum err_code storage_restore(const struct storage_options *options,
                              int file,
                              struct restore_result *ret_result,
                              struct err *err) WARN_UNUSED;

/* As storage_restore, as a store of another cluster than the backup's; NULL: of the same. */
enum err_code storage_restore_as(const struct storage_options *options,
                                 int file,
                                 const uint8_t *cluster_id,
                                 struct restore_result *ret_result,
                                 struct err *err) WARN_UNUSED;

/* In the folder of a store that storage_make_alone has made: the backup that it is made of. */
#define ALONE_BACKUP_FILE "of-pair.backup"

/* Makes, in the directory dir, which is there and empty, a store of a host of its own out of the
 * one in options: with all that is in its log, whether the other host has acknowledged it or not,
 * and as a cluster of its own, so that no register of the old one's is ever taken for its own. The
 * old store stays as it is, but for its checkpoint. Nothing may run in either. Blocks. After an
 * error dir holds nothing that a storage opens, and may be removed. Errors: as storage_open,
 * storage_backup and storage_restore. */
enum err_code storage_make_alone(const struct storage_options *options,
                                 const char *dir,
                                 struct restore_result *ret_result,
                                 struct err *err) WARN_UNUSED;

/* Puts an empty store, with a new id and no lineage, in the place of the one in the directory,
 * which stays as diverged-<LSN>.mdb with its log, diverged-<LSN>-<number>.seg (one store's at
 * most); its promised epoch is kept. For a host that is to fetch the other one's store (rejoin).
 * Nothing may run there. Does nothing where no store is. Blocks. A crash leaves the old one or the
 * empty one. Errors: as storage_open. */
enum err_code storage_set_aside(const struct storage_options *options, struct err *err) WARN_UNUSED;

/* At each start, before install_finish. ERR_UNAVAILABLE: a restore was begun and not done. */
enum err_code restore_check(const struct disk *disk, const char *dir, struct err *err) WARN_UNUSED;

#endif

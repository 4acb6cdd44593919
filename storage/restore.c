/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c: a new store out of a backup.
 * Owns the marker "restoring" and the order: check all, mark, write, decide, put in place.
 * Never touches a directory that holds a store; never believes a byte of the file before the whole
 * of it was checked, nor between the two readings. */
#include "storage/restore.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/install.h"
#include "storage/wal_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

struct restore {
    struct storage_options options; /* with disk, rng and map_size */
    int lock_file;
    int file;                  /* borrowed */
    const uint8_t *cluster_id; /* borrowed; NULL: the backup's */
    uint64_t offset;
    struct store_incoming *incoming;
};

static enum err_code read_file(void *arg, void *at, size_t size, size_t *ret_size, struct err *err)
{
    struct restore *restore = arg;
    ssize_t got;

    do {
        got = pread(restore->file, at, size, (off_t)restore->offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return err_set_errno(err, ERR_IO, errno, "read the backup");
    }
    restore->offset += (uint64_t)got;
    *ret_size = (size_t)got;
    return ERR_OK;
}

static enum err_code take_pairs(void *arg, struct span pairs, struct err *err)
{
    struct restore *restore = arg;

    return store_incoming_put(restore->incoming, pairs, err);
}

static bool is_a_store(const char *name)
{
    uint64_t seq;

    return strcmp(name, STORE_STATE_FILE) == 0 || strncmp(name, "promise-", 8) == 0 ||
           wal_segment_name_parse(name, &seq);
}

struct found {
    char name[64];
};

static bool look(void *arg, const char *name)
{
    struct found *found = arg;

    if (is_a_store(name) && strlen(name) < sizeof found->name) {
        memcpy(found->name, name, strlen(name) + 1);
    }
    return found->name[0] == '\0';
}

/* A restore that came as far as the second marker is finished by the next start, as it is. */
static enum err_code check_empty(const struct restore *restore, struct err *err)
{
    const struct storage_options *o = &restore->options;
    struct found found = {.name = ""};
    bool decided = false;
    enum err_code rc = disk_exists(o->disk, o->dir, INSTALL_MARKER_FILE, &decided, err);

    if (rc == ERR_OK && decided) {
        return err_set(err, ERR_EXISTS,
                       "%s: a restore is complete already, but for the start of approvald", o->dir);
    }
    if (rc == ERR_OK) {
        rc = o->disk->list(o->disk->arg, o->dir, (struct disk_list){.visit = look, .arg = &found},
                           err);
    }
    if (rc == ERR_OK && found.name[0] != '\0') {
        rc = err_set(err, ERR_EXISTS,
                     "%s holds a store (%s): move all of it away first, it is not overwritten",
                     o->dir, found.name);
    }
    return rc;
}

static enum err_code take_directory(struct restore *restore, struct err *err)
{
    const struct storage_options *o = &restore->options;
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = o->disk->check_dir(o->disk->arg, o->dir, err);

    if (rc == ERR_OK) {
        rc = disk_path(path, o->dir, STORAGE_LOCK_FILE, err);
    }
    if (rc == ERR_OK) {
        rc = o->disk->lock(o->disk->arg, path, &restore->lock_file, err);
    }
    if (rc == ERR_BUSY) {
        rc = err_set(err, ERR_BUSY,
                     "%s is in use: stop approvald (or its supervisor) on this host first", o->dir);
    }
    return rc == ERR_OK ? check_empty(restore, err) : rc;
}

static enum err_code walk(struct restore *restore,
                          bool write,
                          struct backup_header *ret_header,
                          uint64_t *ret_size,
                          struct err *err)
{
    struct backup_walk walk = {
        .read = read_file, .pairs = write ? take_pairs : NULL, .arg = restore};

    restore->offset = 0;
    return backup_walk(&walk, ret_header, ret_size, err);
}

static enum err_code mark(struct restore *restore, struct err *err)
{
    static const char text[] = "A restore was begun and not finished: run it again.\n";

    return disk_put(restore->options.disk, restore->options.dir, RESTORE_MARKER_FILE,
                    span_of(text, sizeof text - 1), err);
}

static enum err_code mark_done(struct restore *restore, struct err *err)
{
    static const char text[] = "This store was made out of a backup; no pair has opened it yet.\n";

    return disk_put(restore->options.disk, restore->options.dir, RESTORE_DONE_FILE,
                    span_of(text, sizeof text - 1), err);
}

/* The file may have changed since it was checked. */
static enum err_code
fill(struct restore *restore, const struct backup_header *checked, struct err *err)
{
    struct store_options options = {.disk = restore->options.disk,
                                    .rng = restore->options.rng,
                                    .dir = restore->options.dir,
                                    .map_size = restore->options.map_size};
    struct backup_header header;
    uint64_t size = 0;
    enum err_code rc = store_incoming_new(&options, &restore->incoming, err);

    if (rc != ERR_OK) {
        restore->incoming = NULL;
        return rc;
    }
    rc = walk(restore, true, &header, &size, err);
    if (rc == ERR_OK &&
        (memcmp(header.position.hash, checked->position.hash, STORAGE_HASH_SIZE) != 0 ||
         store_incoming_count(restore->incoming) != checked->pair_count)) {
        rc = err_set(err, ERR_CORRUPT, "the file changed while it was read");
    }
    return rc;
}

static enum err_code
finish(struct restore *restore, const struct restore_result *result, struct err *err)
{
    const struct storage_options *o = &restore->options;
    const struct backup_header *header = &result->header;
    struct install install = {.promise = {.epoch = header->epoch, .lineage = header->lineage}};
    struct store_meta meta = {
        .applied = header->position, .epoch = header->epoch, .lsn_base = header->position.lsn};
    enum err_code rc;

    memcpy(meta.cluster_id, restore->cluster_id != NULL ? restore->cluster_id : header->cluster_id,
           STORAGE_ID_SIZE);
    memcpy(meta.store_id, result->store_id, STORAGE_ID_SIZE);
    memcpy(install.store_id, result->store_id, STORAGE_ID_SIZE);
    rc = store_incoming_finish(restore->incoming, &meta, err);
    if (rc == ERR_OK) {
        rc = mark_done(restore, err);
    }
    if (rc == ERR_OK) {
        rc = install_mark(o->disk, o->dir, &install, err);
    }
    if (rc == ERR_OK) {
        rc = restore_check(o->disk, o->dir, err); /* removes our marker: it is decided */
    }
    return rc == ERR_OK ? install_finish(o->disk, o->dir, err) : rc;
}

static enum err_code
restore_all(struct restore *restore, struct restore_result *result, struct err *err)
{
    enum err_code rc = take_directory(restore, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = walk(restore, false, &result->header, &result->size, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rng_fill(restore->options.rng, result->store_id, STORAGE_ID_SIZE);
    rc = mark(restore, err);
    if (rc == ERR_OK) {
        rc = fill(restore, &result->header, err);
    }
    return rc == ERR_OK ? finish(restore, result, err) : rc;
}

enum err_code storage_restore(const struct storage_options *options,
                              int file,
                              struct restore_result *ret_result,
                              struct err *err)
{
    return storage_restore_as(options, file, NULL, ret_result, err);
}

enum err_code storage_restore_as(const struct storage_options *options,
                                 int file,
                                 const uint8_t *cluster_id,
                                 struct restore_result *ret_result,
                                 struct err *err)
{
    struct restore restore = {
        .options = *options, .lock_file = -1, .file = file, .cluster_id = cluster_id};
    struct storage_options *o = &restore.options;
    struct restore_result result = {.size = 0};
    enum err_code rc;

    o->disk = o->disk == NULL ? disk_host() : o->disk;
    o->rng = o->rng == NULL ? rng_host() : o->rng;
    o->map_size = o->map_size == 0 ? STORAGE_MAP_SIZE_DEFAULT : o->map_size;
    rc = restore_all(&restore, &result, err);
    store_incoming_free(restore.incoming);
    if (restore.lock_file >= 0) {
        o->disk->close(o->disk->arg, restore.lock_file);
    }
    if (rc == ERR_OK) {
        *ret_result = result;
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "restore");
}

enum err_code restore_check(const struct disk *disk, const char *dir, struct err *err)
{
    bool marked = false;
    bool decided = false;
    enum err_code rc = disk_exists(disk, dir, RESTORE_MARKER_FILE, &marked, err);

    if (rc == ERR_OK && marked) {
        rc = disk_exists(disk, dir, INSTALL_MARKER_FILE, &decided, err);
    }
    if (rc == ERR_OK && marked && !decided) {
        return err_set(err, ERR_UNAVAILABLE,
                       "a restore was begun and not finished: run approvalctl restore again, or "
                       "remove %s/" RESTORE_MARKER_FILE " to begin with an empty store",
                       dir);
    }
    if (rc == ERR_OK && marked) {
        rc = disk_remove(disk, dir, RESTORE_MARKER_FILE, err);
    }
    return rc == ERR_OK && marked ? disk->sync_dir(disk->arg, dir, err) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* install.c: a received store takes the place of the old one.
 * Owns the marker, and the order of removals and renames.
 * Never runs while the store or the log is open; each step may be done twice. */
#include "storage/install.h"

#include "base/assert.h"
#include "base/pack.h"
#include "base/twocopy.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "storage/store.h"
#include "storage/wal_internal.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

/* Body: store id, promised epoch, lineage, LSN of the old store, u64 1 when it diverged. */
#define MARKER_SIZE     (TWOCOPY_HEADER_SIZE + STORAGE_ID_SIZE + 4UL * 8UL)
#define DIVERGED_PREFIX "diverged-"
#define NAME_SIZE       64U
/* Files removed or renamed in one pass over the directory; passes go on until none is left. */
#define PASS_COUNT_MAX 64U

static const struct twocopy_format format = {
    .magic = {'A', 'P', 'I', 'N', 'S', 'T', 'L', '1'}, .version = 1, .size = MARKER_SIZE};

struct place {
    const struct disk *disk;
    const char *dir;
};

enum err_code install_mark(const struct disk *disk,
                           const char *dir,
                           const struct install *install,
                           struct err *err)
{
    const uint64_t numbers[4] = {htole64(install->promise.epoch), htole64(install->promise.lineage),
                                 htole64(install->lsn_old), htole64(install->diverged ? 1 : 0)};
    uint8_t marker[MARKER_SIZE];

    memcpy(marker + TWOCOPY_HEADER_SIZE, install->store_id, STORAGE_ID_SIZE);
    memcpy(marker + TWOCOPY_HEADER_SIZE + STORAGE_ID_SIZE, numbers, sizeof numbers);
    twocopy_seal(&format, 1, marker);
    return disk_put(disk, dir, INSTALL_MARKER_FILE, span_of(marker, sizeof marker), err);
}

static enum err_code
load_marker(const struct place *place, struct install *install, bool *ret_marked, struct err *err)
{
    uint8_t marker[MARKER_SIZE];
    uint64_t size = 0;
    struct span copies[2] = {SPAN_NONE, SPAN_NONE};
    struct twocopy_choice choice;
    struct unpack in;
    enum err_code rc =
        disk_get(place->disk, place->dir, INSTALL_MARKER_FILE,
                 (struct disk_get){.bytes = marker, .size = sizeof marker}, &size, err);

    *ret_marked = rc == ERR_OK;
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    copies[0] = span_of(marker, size == sizeof marker ? sizeof marker : 0);
    rc = twocopy_choose(&format, copies, &choice, err);
    if (rc != ERR_OK) {
        return err_wrap(err, ERR_CORRUPT, "%s", INSTALL_MARKER_FILE);
    }
    unpack_init(&in, choice.body);
    unpack_copy(&in, install->store_id, STORAGE_ID_SIZE);
    install->promise.epoch = unpack_u64(&in);
    install->promise.lineage = unpack_u64(&in);
    install->lsn_old = unpack_u64(&in);
    install->diverged = unpack_u64(&in) != 0;
    ASSERT(unpack_done(&in));
    return ERR_OK;
}

struct name_list {
    bool (*wanted)(const char *name);
    char names[PASS_COUNT_MAX][NAME_SIZE];
    uint32_t count;
};

static bool collect_name(void *arg, const char *name)
{
    struct name_list *list = arg;

    if (list->wanted(name) && strlen(name) < NAME_SIZE) {
        memcpy(list->names[list->count++], name, strlen(name) + 1);
    }
    return list->count < PASS_COUNT_MAX;
}

/* Does one thing to each wanted file, after which it has that name no more. */
typedef enum err_code change_fn(const struct place *place,
                                const struct install *install,
                                const char *name,
                                struct err *err);

static enum err_code change_all(const struct place *place,
                                const struct install *install,
                                bool (*wanted)(const char *name),
                                change_fn *change,
                                struct err *err)
{
    struct name_list list = {.wanted = wanted};
    enum err_code rc;

    do {
        list.count = 0;
        rc = place->disk->list(place->disk->arg, place->dir,
                               (struct disk_list){.visit = collect_name, .arg = &list}, err);
        for (uint32_t i = 0; rc == ERR_OK && i < list.count; i++) {
            rc = change(place, install, list.names[i], err);
        }
    } while (rc == ERR_OK && list.count == PASS_COUNT_MAX);
    return rc;
}

static enum err_code remove_file(const struct place *place,
                                 const struct install *install,
                                 const char *name,
                                 struct err *err)
{
    (void)install; /* of no matter here */
    return disk_remove(place->disk, place->dir, name, err);
}

static bool is_segment(const char *name)
{
    uint64_t seq;

    return wal_segment_name_parse(name, &seq);
}

static bool is_of_the_log(const char *name)
{
    return is_segment(name) || strcmp(name, WAL_NEXT_FILE) == 0 || strcmp(name, WAL_CUT_FILE) == 0;
}

static bool is_evidence(const char *name)
{
    return strncmp(name, DIVERGED_PREFIX, strlen(DIVERGED_PREFIX)) == 0;
}

static enum err_code sync_dir(const struct place *place, struct err *err)
{
    return place->disk->sync_dir(place->disk->arg, place->dir, err);
}

static enum err_code
rename_file(const struct place *place, const char *from, const char *to, struct err *err)
{
    char path_from[STORAGE_PATH_SIZE_MAX];
    char path_to[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk_path(path_from, place->dir, from, err);

    if (rc == ERR_OK) {
        rc = disk_path(path_to, place->dir, to, err);
    }
    return rc == ERR_OK ? place->disk->rename(place->disk->arg, path_from, path_to, err) : rc;
}

static enum err_code keep_segment(const struct place *place,
                                  const struct install *install,
                                  const char *name,
                                  struct err *err)
{
    char kept[NAME_SIZE];
    int size = snprintf(kept, sizeof kept, DIVERGED_PREFIX "%" PRIu64 "-%s", install->lsn_old,
                        strchr(name, '-') + 1);

    ASSERT(size > 0 && (unsigned)size < sizeof kept);
    return rename_file(place, name, kept, err);
}

/* While the old store still has its name, evidence is that of an earlier divergence: it goes, and
 * is durably gone before a file of this one may have the same name. */
static enum err_code
keep_store(const struct place *place, const struct install *install, struct err *err)
{
    char name[NAME_SIZE];
    int size = snprintf(name, sizeof name, DIVERGED_PREFIX "%" PRIu64 ".mdb", install->lsn_old);
    enum err_code rc = change_all(place, install, is_evidence, remove_file, err);

    ASSERT(size > 0 && (unsigned)size < sizeof name);
    if (rc == ERR_OK) {
        rc = sync_dir(place, err);
    }
    return rc == ERR_OK ? rename_file(place, STORE_STATE_FILE, name, err) : rc;
}

/* The old store, which is what was folded, then its log, which has the rest. */
static enum err_code
keep_evidence(const struct place *place, const struct install *install, struct err *err)
{
    bool old = false;
    enum err_code rc = disk_exists(place->disk, place->dir, STORE_INCOMING_FILE, &old, err);

    if (rc == ERR_OK && old) {
        rc = disk_exists(place->disk, place->dir, STORE_STATE_FILE, &old, err);
    }
    if (rc == ERR_OK && old) {
        rc = keep_store(place, install, err);
    }
    if (rc == ERR_OK) {
        rc = sync_dir(place, err); /* from here on what is evidence stays */
    }
    return rc == ERR_OK ? change_all(place, install, is_segment, keep_segment, err) : rc;
}

/* incoming.mdb becomes state.mdb, if it has not yet. */
static enum err_code move_store(const struct place *place, struct err *err)
{
    bool exists = false;
    enum err_code rc = disk_exists(place->disk, place->dir, STORE_INCOMING_FILE, &exists, err);

    if (rc != ERR_OK || !exists) {
        return rc;
    }
    rc = disk_remove(place->disk, place->dir, STORE_STATE_LOCK, err);
    if (rc == ERR_OK) {
        rc = disk_remove(place->disk, place->dir, STORE_INCOMING_LOCK, err);
    }
    return rc == ERR_OK ? rename_file(place, STORE_INCOMING_FILE, STORE_STATE_FILE, err) : rc;
}

static enum err_code
install_all(const struct place *place, const struct install *install, struct err *err)
{
    enum err_code rc = install->diverged ? keep_evidence(place, install, err) : ERR_OK;

    if (rc == ERR_OK) {
        rc = change_all(place, install, is_of_the_log, remove_file, err);
    }
    if (rc == ERR_OK) {
        rc = sync_dir(place, err);
    }
    if (rc == ERR_OK) {
        rc = move_store(place, err);
    }
    if (rc == ERR_OK) {
        rc = sync_dir(place, err);
    }
    if (rc == ERR_OK) {
        rc = promise_replace(place->disk, place->dir, install->store_id, &install->promise, err);
    }
    if (rc == ERR_OK) {
        rc = disk_remove(place->disk, place->dir, INSTALL_MARKER_FILE, err);
    }
    /* A marker that came back would remove the new store's log. */
    return rc == ERR_OK ? sync_dir(place, err) : rc;
}

enum err_code install_finish(const struct disk *disk, const char *dir, struct err *err)
{
    struct place place = {.disk = disk, .dir = dir};
    struct install install = {.lsn_old = 0};
    bool marked = false;
    enum err_code rc = load_marker(&place, &install, &marked, err);

    if (rc == ERR_OK && marked) {
        rc = install_all(&place, &install, err);
    } else if (rc == ERR_OK) {
        rc = disk_remove(disk, dir, STORE_INCOMING_FILE, err);
    }
    if (rc == ERR_OK && !marked) {
        rc = disk_remove(disk, dir, STORE_INCOMING_LOCK, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "install snapshot");
}

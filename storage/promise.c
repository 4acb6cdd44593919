/* SPDX-License-Identifier: Apache-2.0 */
/* promise.c: the durable promise, in two alternating copies.
 * Owns the promise files.
 * Never counts what it read before it has written it again: a killed process may have left it in
 * the page cache only. Never tries again after a failed write or sync. */
#include "storage/promise.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/twocopy.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "storage/mutant.h"

#include <endian.h>
#include <string.h>

static const char *const file_names[2] = {"promise-0", "promise-1"};

static const struct twocopy_format format = {
    .magic = {'A', 'P', 'P', 'R', 'O', 'M', 'I', '1'}, .version = 1, .size = PROMISE_FILE_SIZE};

struct promise {
    const struct disk *disk; /* borrowed */
    char *dir;               /* owned */
    uint8_t store_id[STORAGE_ID_SIZE];
    struct promise_value value;
    uint64_t sequence; /* of the copy that counts; 0: there is none */
    uint32_t index;    /* of that copy */
    bool exists[2];
    bool failed;
};

static enum err_code
overwrite_copy(struct promise *promise, const char *path, const uint8_t *copy, struct err *err)
{
    const struct disk *disk = promise->disk;
    int file;
    enum err_code rc = disk->open(disk->arg, path, DISK_OPEN_EXISTING, &file, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = disk->write(disk->arg, file, 0, copy, PROMISE_FILE_SIZE, err);
    if (rc == ERR_OK && !MUTANT(promise_unsynced)) {
        rc = disk->sync(disk->arg, file, err);
    }
    disk->close(disk->arg, file);
    return rc;
}

/* Writes the value over the copy that does not count. */
static enum err_code
write_copy(struct promise *promise, const struct promise_value *value, struct err *err)
{
    uint32_t index = promise->sequence == 0 ? 0 : 1 - promise->index;
    uint8_t copy[PROMISE_FILE_SIZE] = {0};
    uint64_t epoch = htole64(value->epoch);
    uint64_t lineage = htole64(value->lineage);
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk_path(path, promise->dir, file_names[index], err);

    if (rc != ERR_OK) {
        return rc;
    }
    memcpy(copy + TWOCOPY_HEADER_SIZE, &epoch, sizeof epoch);
    memcpy(copy + TWOCOPY_HEADER_SIZE + 8, &lineage, sizeof lineage);
    memcpy(copy + TWOCOPY_HEADER_SIZE + 16, promise->store_id, STORAGE_ID_SIZE);
    twocopy_seal(&format, promise->sequence + 1, copy);
    rc = promise->exists[index] ? overwrite_copy(promise, path, copy, err)
                                : disk_put(promise->disk, promise->dir, file_names[index],
                                           span_of(copy, sizeof copy), err);
    if (rc != ERR_OK) {
        promise->failed = true;
        return err_wrap(err, rc, "%s", file_names[index]);
    }
    promise->exists[index] = true;
    promise->index = index;
    promise->sequence++;
    promise->value = *value;
    return ERR_OK;
}

/* A file of another size comes as an empty copy, which is not whole. */
static enum err_code read_copy(struct promise *promise,
                               uint32_t index,
                               uint8_t bytes[PROMISE_FILE_SIZE],
                               struct span *ret_copy,
                               struct err *err)
{
    struct disk_get into = {.bytes = bytes, .size = PROMISE_FILE_SIZE};
    uint64_t size = 0;
    enum err_code rc = disk_get(promise->disk, promise->dir, file_names[index], into, &size, err);

    promise->exists[index] = rc == ERR_OK;
    *ret_copy = SPAN_NONE;
    if (rc == ERR_OK) {
        *ret_copy = span_of(bytes, size == PROMISE_FILE_SIZE ? PROMISE_FILE_SIZE : 0);
    }
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code take(struct promise *promise, struct span body, struct err *err)
{
    struct unpack in;
    uint8_t store_id[STORAGE_ID_SIZE];

    unpack_init(&in, body);
    promise->value.epoch = unpack_u64(&in);
    promise->value.lineage = unpack_u64(&in);
    unpack_copy(&in, store_id, sizeof store_id);
    ASSERT(unpack_ok(&in));
    if (memcmp(store_id, promise->store_id, STORAGE_ID_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "the promise is that of another store");
    }
    return ERR_OK;
}

static enum err_code load(struct promise *promise, struct err *err)
{
    uint8_t bytes[2][PROMISE_FILE_SIZE];
    struct span copies[2];
    struct twocopy_choice choice;
    enum err_code rc = read_copy(promise, 0, bytes[0], &copies[0], err);

    if (rc == ERR_OK) {
        rc = read_copy(promise, 1, bytes[1], &copies[1], err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = twocopy_choose(&format, copies, &choice, err);
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK; /* a new store */
    }
    /* A copy's name may be in the page cache only, when the one before us died between rename and
     * the directory's sync: a power loss would take all that is written over it along. */
    if (rc == ERR_OK && !MUTANT(promise_unsynced)) {
        rc = promise->disk->sync_dir(promise->disk->arg, promise->dir, err);
    }
    if (rc == ERR_OK) {
        promise->index = choice.index;
        promise->sequence = choice.sequence;
        rc = take(promise, choice.body, err);
    }
    if (rc == ERR_OK) {
        /* It may be in the page cache only: it counts when its other copy is durable. */
        struct promise_value value = promise->value;

        rc = write_copy(promise, &value, err);
    }
    return rc;
}

static enum err_code new_promise(const struct disk *disk,
                                 const char *dir,
                                 const uint8_t store_id[STORAGE_ID_SIZE],
                                 struct promise **ret_promise,
                                 struct err *err)
{
    struct promise *promise = mem_new(1, sizeof *promise);

    if (promise == NULL) {
        return err_set(err, ERR_NOMEM, "promise");
    }
    promise->disk = disk;
    memcpy(promise->store_id, store_id, STORAGE_ID_SIZE);
    promise->dir = mem_copy_text(dir, strlen(dir));
    if (promise->dir == NULL) {
        promise_close(promise);
        return err_set(err, ERR_NOMEM, "promise");
    }
    *ret_promise = promise;
    return ERR_OK;
}

enum err_code promise_open(const struct disk *disk,
                           const char *dir,
                           const uint8_t store_id[STORAGE_ID_SIZE],
                           struct promise **ret_promise,
                           struct err *err)
{
    struct promise *promise = NULL;
    enum err_code rc = new_promise(disk, dir, store_id, &promise, err);

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(promise != NULL);
    rc = load(promise, err);
    if (rc != ERR_OK) {
        promise_close(promise);
        return err_wrap(err, rc, "promise");
    }
    *ret_promise = promise;
    return ERR_OK;
}

void promise_close(struct promise *promise)
{
    if (promise != NULL) {
        mem_free(promise->dir);
        mem_free(promise);
    }
}

void promise_get(const struct promise *promise, struct promise_value *ret_value)
{
    *ret_value = promise->value;
}

enum err_code
promise_set(struct promise *promise, const struct promise_value *value, struct err *err)
{
    enum err_code rc;

    ASSERT(value->epoch >= promise->value.epoch);
    if (promise->failed) {
        return err_set(err, ERR_UNAVAILABLE, "an earlier promise could not be written");
    }
    rc = write_copy(promise, value, err);
    return rc == ERR_OK ? rc : err_wrap(err, rc, "promise epoch");
}

enum err_code promise_replace(const struct disk *disk,
                              const char *dir,
                              const uint8_t store_id[STORAGE_ID_SIZE],
                              const struct promise_value *value,
                              struct err *err)
{
    struct promise *promise = NULL;
    enum err_code rc = new_promise(disk, dir, store_id, &promise, err);

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(promise != NULL);
    for (uint32_t i = 0; rc == ERR_OK && i < 2; i++) {
        rc = disk_remove(disk, dir, file_names[i], err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync_dir(disk->arg, dir, err);
    }
    if (rc == ERR_OK) {
        rc = write_copy(promise, value, err);
    }
    promise_close(promise);
    return rc == ERR_OK ? rc : err_wrap(err, rc, "replace promise");
}

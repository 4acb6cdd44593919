/* SPDX-License-Identifier: Apache-2.0 */
/* alone.c: a store of one host's own out of the store of one of two, while nothing runs.
 * Owns the order: all of the log is folded, a backup of that is made, the new store is made of it.
 * Never lets anybody be served meanwhile, never removes anything of the old store. */
#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/engine_pair.h"
#include "storage/install.h"
#include "storage/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct answer {
    struct storage_backup_result result;
    struct err err;
    enum err_code rc;
    bool done;
};

static void on_backup(void *arg,
                      enum err_code rc,
                      const struct storage_backup_result *result,
                      const struct err *err)
{
    struct answer *answer = arg;

    answer->done = true;
    answer->rc = rc;
    answer->err = *err;
    if (rc == ERR_OK) {
        answer->result = *result;
    }
}

/* Which cluster the store is of, as it says itself. What was under way in it is finished. */
static enum err_code
read_cluster(const struct storage_options *o, uint8_t ret_cluster[STORAGE_ID_SIZE], struct err *err)
{
    struct store_options options = {
        .disk = o->disk, .rng = o->rng, .dir = o->dir, .map_size = o->map_size};
    struct store *store = NULL;
    struct store_meta meta;
    char path[STORAGE_PATH_SIZE_MAX];
    int lock_file = -1;
    enum err_code rc = o->disk->check_dir(o->disk->arg, o->dir, err);

    rc = rc == ERR_OK ? disk_path(path, o->dir, STORAGE_LOCK_FILE, err) : rc;
    rc = rc == ERR_OK ? o->disk->lock(o->disk->arg, path, &lock_file, err) : rc;
    rc = rc == ERR_OK ? restore_check(o->disk, o->dir, err) : rc;
    rc = rc == ERR_OK ? install_finish(o->disk, o->dir, err) : rc;
    rc = rc == ERR_OK ? store_open(&options, &store, err) : rc;
    if (rc == ERR_OK) {
        store_meta(store, &meta);
        memcpy(ret_cluster, meta.cluster_id, STORAGE_ID_SIZE);
    }
    store_close(store);
    if (lock_file >= 0) {
        o->disk->close(o->disk->arg, lock_file);
    }
    return rc;
}

/* Everything in the log counts: of what was answered nothing lies elsewhere, as far as this host
 * knows; what was not answered may have happened or not, and here it has. */
static enum err_code
back_up(struct storage *storage, const char *path, struct answer *answer, struct err *err)
{
    struct message_state state;
    struct message_state after;
    enum err_code rc;

    engine_state(storage, &state);
    engine_commit(storage, state.last.lsn);
    rc = storage_backup(storage, path, on_backup, answer, err);
    while (rc == ERR_OK && !answer->done) {
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        (void)poll(&ready, 1, STORAGE_TURN_MS); /* a timeout is looked at by the loop */
        storage_dispatch(storage);
    }
    if (rc == ERR_OK && answer->rc != ERR_OK) {
        *err = answer->err;
        rc = answer->rc;
    }
    if (rc == ERR_OK) { /* what lies behind the backup's LSN then changes nothing: epochs */
        engine_state(storage, &after);
        rc = after.lsn_applied == state.last.lsn
                 ? ERR_OK
                 : err_set(err, ERR_FATAL, "LSN %" PRIu64 " of %" PRIu64 " is folded",
                           after.lsn_applied, state.last.lsn);
    }
    return rc;
}

static enum err_code fold(const struct storage_options *options, const char *path, struct err *err)
{
    uint8_t cluster[STORAGE_ID_SIZE];
    struct storage *storage = NULL;
    struct answer answer = {.done = false};
    enum err_code rc = read_cluster(options, cluster, err);

    rc = rc == ERR_OK ? engine_open_pair(options, cluster, &storage, err) : rc;
    rc = rc == ERR_OK ? back_up(storage, path, &answer, err) : rc;
    storage_close(storage);
    return rc;
}

enum err_code storage_make_alone(const struct storage_options *options,
                                 const char *dir,
                                 struct restore_result *ret_result,
                                 struct err *err)
{
    struct storage_options from = *options;
    struct storage_options to = *options;
    char path[STORAGE_PATH_SIZE_MAX];
    uint8_t cluster[STORAGE_ID_SIZE];
    AUTO_CLOSE int file = -1;
    enum err_code rc;

    ASSERT(strcmp(options->dir, dir) != 0);
    from.disk = from.disk == NULL ? disk_host() : from.disk;
    from.rng = from.rng == NULL ? rng_host() : from.rng;
    from.map_size = from.map_size == 0 ? STORAGE_MAP_SIZE_DEFAULT : from.map_size;
    to.dir = dir;
    rc = disk_path(path, dir, ALONE_BACKUP_FILE, err);
    rc = rc == ERR_OK ? fold(&from, path, err) : rc;
    if (rc == ERR_OK) {
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        rc = file >= 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    if (rc == ERR_OK) {
        rng_fill(from.rng, cluster, sizeof cluster);
        rc = storage_restore_as(&to, file, cluster, ret_result, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "a store of its own");
}

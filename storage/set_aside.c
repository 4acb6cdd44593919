/* SPDX-License-Identifier: Apache-2.0 */
/* set_aside.c: an empty store takes the place of the one that is there.
 * Owns the order: what was under way is finished, the old store tells what it was, an empty one is
 * made and put in place as a snapshot is (install.c). Never loses the promised epoch, and never
 * removes the old store but for the evidence of an earlier one. */
#include "storage/restore.h"

#include "base/rng.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/install.h"

#include <string.h>

struct aside {
    struct storage_options options; /* with disk, rng and map_size */
    int lock_file;
    struct store_meta old;
    struct promise_value promise;
};

static struct store_options store_options_of(const struct aside *aside)
{
    return (struct store_options){.disk = aside->options.disk,
                                  .rng = aside->options.rng,
                                  .dir = aside->options.dir,
                                  .map_size = aside->options.map_size};
}

static enum err_code read_promise(struct aside *aside, struct err *err)
{
    struct promise *promise = NULL;
    enum err_code rc =
        promise_open(aside->options.disk, aside->options.dir, aside->old.store_id, &promise, err);

    if (rc == ERR_OK) {
        promise_get(promise, &aside->promise);
        promise_close(promise);
    }
    return rc;
}

/* What the old store was. */
static enum err_code read_old(struct aside *aside, struct err *err)
{
    struct store_options options = store_options_of(aside);
    struct store *store = NULL;
    enum err_code rc = store_open(&options, &store, err);

    if (rc != ERR_OK) {
        return rc;
    }
    store_meta(store, &aside->old);
    store_close(store);
    return read_promise(aside, err);
}

static enum err_code make_empty(const struct aside *aside, struct install *install, struct err *err)
{
    struct store_options options = store_options_of(aside);
    struct store_incoming *incoming = NULL;
    struct store_meta meta = {.epoch = 0};
    enum err_code rc = store_incoming_new(&options, &incoming, err);

    if (rc != ERR_OK) {
        return rc;
    }
    memcpy(meta.cluster_id, aside->old.cluster_id, STORAGE_ID_SIZE);
    rng_fill(aside->options.rng, meta.store_id, STORAGE_ID_SIZE);
    memcpy(install->store_id, meta.store_id, STORAGE_ID_SIZE);
    rc = store_incoming_finish(incoming, &meta, err);
    store_incoming_free(incoming);
    return rc;
}

/* Without a lineage the empty store follows whoever leads; with the promise it lets nobody lead
 * whom the old store had given up. */
static enum err_code replace(struct aside *aside, struct err *err)
{
    struct install install = {.promise = {.epoch = aside->promise.epoch},
                              .lsn_old = aside->old.applied.lsn,
                              .diverged = true};
    enum err_code rc = make_empty(aside, &install, err);

    if (rc == ERR_OK) {
        rc = install_mark(aside->options.disk, aside->options.dir, &install, err);
    }
    return rc == ERR_OK ? install_finish(aside->options.disk, aside->options.dir, err) : rc;
}

static enum err_code take_directory(struct aside *aside, struct err *err)
{
    const struct storage_options *o = &aside->options;
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = o->disk->check_dir(o->disk->arg, o->dir, err);

    if (rc == ERR_OK) {
        rc = disk_path(path, o->dir, STORAGE_LOCK_FILE, err);
    }
    if (rc == ERR_OK) {
        rc = o->disk->lock(o->disk->arg, path, &aside->lock_file, err);
    }
    if (rc == ERR_OK) {
        rc = restore_check(o->disk, o->dir, err);
    }
    return rc == ERR_OK ? install_finish(o->disk, o->dir, err) : rc;
}

static enum err_code set_aside(struct aside *aside, struct err *err)
{
    bool exists = false;
    enum err_code rc = take_directory(aside, err);

    if (rc == ERR_OK) {
        rc = disk_exists(aside->options.disk, aside->options.dir, STORE_STATE_FILE, &exists, err);
    }
    if (rc != ERR_OK || !exists) {
        return rc;
    }
    rc = read_old(aside, err);
    return rc == ERR_OK ? replace(aside, err) : rc;
}

enum err_code storage_set_aside(const struct storage_options *options, struct err *err)
{
    struct aside aside = {.options = *options, .lock_file = -1};
    struct storage_options *o = &aside.options;
    enum err_code rc;

    o->disk = o->disk == NULL ? disk_host() : o->disk;
    o->rng = o->rng == NULL ? rng_host() : o->rng;
    o->map_size = o->map_size == 0 ? STORAGE_MAP_SIZE_DEFAULT : o->map_size;
    rc = set_aside(&aside, err);
    if (aside.lock_file >= 0) {
        o->disk->close(o->disk->arg, aside.lock_file);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "set the store aside");
}

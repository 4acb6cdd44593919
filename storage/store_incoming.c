/* SPDX-License-Identifier: Apache-2.0 */
/* store_incoming.c: a store that is being received from the other host.
 * Owns incoming.mdb until it is whole.
 * Never touches the store in use; never keeps a large LMDB transaction: its dirty pages are memory.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "storage/store_internal.h"

#include <inttypes.h>

struct store_incoming {
    struct store store; /* its fold is the transaction that is open */
    uint64_t count;
    uint64_t batch_count; /* pairs in the open transaction */
    uint64_t batch_size;
};

static enum err_code failed(int rc, const char *what, struct err *err)
{
    enum err_code code = store_fail(rc, what, err);

    return err_wrap(err, code, "%s", STORE_INCOMING_FILE);
}

static enum err_code open_env(struct store_incoming *incoming, const char *path, struct err *err)
{
    int rc = store_env_open(&incoming->store, path);

    if (rc == 0) {
        rc = store_env_fill(&incoming->store);
    }
    return rc == 0 ? ERR_OK : failed(rc, "create", err);
}

enum err_code store_incoming_new(const struct store_options *options,
                                 struct store_incoming **ret_incoming,
                                 struct err *err)
{
    struct store_incoming *incoming;
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk_path(path, options->dir, STORE_INCOMING_FILE, err);

    if (rc == ERR_OK) {
        rc = disk_remove(options->disk, options->dir, STORE_INCOMING_FILE, err);
    }
    if (rc == ERR_OK) {
        rc = disk_remove(options->disk, options->dir, STORE_INCOMING_LOCK, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    incoming = mem_new(1, sizeof *incoming);
    if (incoming == NULL) {
        return err_set(err, ERR_NOMEM, "%s", STORE_INCOMING_FILE);
    }
    incoming->store.map_size = options->map_size;
    rc = open_env(incoming, path, err);
    if (rc != ERR_OK) {
        store_incoming_free(incoming);
        return rc;
    }
    *ret_incoming = incoming;
    return ERR_OK;
}

void store_incoming_free(struct store_incoming *incoming)
{
    if (incoming != NULL) {
        store_fold_abort(&incoming->store);
        store_env_close(&incoming->store);
        mem_free(incoming);
    }
}

static enum err_code commit_batch(struct store_incoming *incoming, struct err *err)
{
    int rc;

    if (incoming->store.fold == NULL) {
        return ERR_OK;
    }
    rc = mdb_txn_commit(incoming->store.fold); /* frees the transaction in any case */
    incoming->store.fold = NULL;
    incoming->batch_count = 0;
    incoming->batch_size = 0;
    return rc == 0 ? ERR_OK : failed(rc, "commit", err);
}

static enum err_code
put(struct store_incoming *incoming, const struct change *change, struct err *err)
{
    MDB_val key = store_val(change->key);
    MDB_val value = store_val(change->value);
    int rc;

    if (change->op != CHANGE_PUT) {
        return err_set(err, ERR_PROTOCOL, "a snapshot deletes nothing");
    }
    if (incoming->store.fold == NULL) {
        enum err_code code = store_fold_begin(&incoming->store, err);

        if (code != ERR_OK) {
            return code;
        }
    }
    rc = mdb_put(incoming->store.fold, incoming->store.state, &key, &value, MDB_APPEND);
    if (rc == MDB_KEYEXIST) {
        return err_set(err, ERR_PROTOCOL, "pair %" PRIu64 " of the snapshot is out of order",
                       incoming->count + 1);
    }
    if (rc != 0) {
        return failed(rc, "put", err);
    }
    incoming->count++;
    incoming->batch_count++;
    incoming->batch_size += change->key.size + change->value.size;
    return ERR_OK;
}

enum err_code
store_incoming_put(struct store_incoming *incoming, struct span pairs, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && pairs.size > 0) {
        struct change change;

        rc = change_decode(&pairs, &change, err);
        if (rc != ERR_OK) {
            return err_wrap(err, ERR_PROTOCOL, "snapshot");
        }
        rc = put(incoming, &change, err);
        if (rc == ERR_OK && (incoming->batch_count >= MEMTABLE_COUNT_SOFT ||
                             incoming->batch_size >= MEMTABLE_SIZE_SOFT)) {
            rc = commit_batch(incoming, err);
        }
    }
    return rc;
}

uint64_t store_incoming_count(const struct store_incoming *incoming)
{
    return incoming->count;
}

uint64_t store_incoming_size(const struct store_incoming *incoming)
{
    MDB_envinfo info;
    MDB_stat stat;

    /* Neither can fail on an open environment. */
    (void)mdb_env_info(incoming->store.env, &info);
    (void)mdb_env_stat(incoming->store.env, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

enum err_code store_incoming_finish(struct store_incoming *incoming,
                                    const struct store_meta *meta,
                                    struct err *err)
{
    enum err_code code = ERR_OK;
    int rc;

    if (incoming->store.fold == NULL) {
        code = store_fold_begin(&incoming->store, err);
    }
    if (code != ERR_OK) {
        return code;
    }
    rc = store_facts_put(&incoming->store, incoming->store.fold, meta);
    if (rc != 0) {
        return failed(rc, "facts", err);
    }
    code = commit_batch(incoming, err);
    if (code != ERR_OK) {
        return code;
    }
    rc = mdb_env_sync(incoming->store.env, 1);
    store_env_close(&incoming->store);
    return rc == 0 ? ERR_OK : failed(rc, "sync", err);
}

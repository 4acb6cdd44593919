/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: LMDB as the folded state.
 * Owns the environment, a database of states and one of facts about it (store_view.c reads them).
 * Never folds a record in part, never interprets keys, never uses WRITEMAP (a full disk would be a
 * SIGBUS). The caller keeps folds on one thread. */
#include "storage/store.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "storage/store_facts.h"
#include "storage/store_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define STATE_NEW_FILE "state.new"
#define STATE_NEW_LOCK "state.new-lock"

/* Keys of the facts. Epochs are 'e' and the number, big-endian, so that they sort, and just before
 * "m". */
#define FACT_KEY       "m"
#define BASE_KEY       "s"
#define EPOCH_KEY_SIZE 9U

int store_facts_put(struct store *store, MDB_txn *txn, const struct store_meta *meta)
{
    uint8_t bytes[STORE_FACTS_SIZE];
    MDB_val key = store_val(SPAN_LITERAL(FACT_KEY));
    MDB_val value = {.mv_size = sizeof bytes, .mv_data = bytes};
    int rc;

    store_facts_encode(meta, bytes);
    rc = mdb_put(txn, store->facts, &key, &value, 0);
    if (rc == 0 && meta->lsn_base > 0) {
        uint8_t base[8];

        pack_key_u64(base, meta->lsn_base);
        key = store_val(SPAN_LITERAL(BASE_KEY));
        value = (MDB_val){.mv_size = sizeof base, .mv_data = base};
        rc = mdb_put(txn, store->facts, &key, &value, 0);
    }
    return rc;
}

enum err_code store_facts_get(const struct store *store,
                              MDB_txn *txn,
                              struct store_meta *ret_meta,
                              struct err *err)
{
    MDB_val key = store_val(SPAN_LITERAL(FACT_KEY));
    MDB_val value;
    enum err_code code;
    int rc = mdb_get(txn, store->facts, &key, &value);

    if (rc != 0) {
        return err_set(err, ERR_CORRUPT, "%s: facts: %s", STORE_STATE_FILE, mdb_strerror(rc));
    }
    code = store_facts_decode(store_span(&value), ret_meta, err);
    if (code != ERR_OK) {
        return code;
    }
    key = store_val(SPAN_LITERAL(BASE_KEY));
    rc = mdb_get(txn, store->facts, &key, &value);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return store_fail(rc, "facts", err);
    }
    if (rc == 0 && value.mv_size != 8) {
        return err_set(err, ERR_CORRUPT, "%s: facts: base", STORE_STATE_FILE);
    }
    ret_meta->lsn_base = rc == 0 ? unpack_key_u64(value.mv_data) : 0;
    return ERR_OK;
}

int store_env_open(struct store *store, const char *path)
{
    int rc = mdb_env_create(&store->env);

    if (rc != 0) {
        store->env = NULL;
        return rc;
    }
    rc = mdb_env_set_mapsize(store->env, store->map_size);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(store->env, 2);
    }
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(store->env, 8);
    }
    if (rc == 0) {
        rc = mdb_env_open(store->env, path,
                          MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600);
    }
    return rc;
}

void store_env_close(struct store *store)
{
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

static int databases_open(struct store *store, MDB_txn *txn, unsigned flags)
{
    int rc = mdb_dbi_open(txn, "state", flags, &store->state);

    return rc != 0 ? rc : mdb_dbi_open(txn, "facts", flags, &store->facts);
}

int store_env_fill(struct store *store)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != 0) {
        return rc;
    }
    rc = databases_open(store, txn, MDB_CREATE);
    if (rc == 0) {
        rc = store_facts_put(store, txn, &store->meta);
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* Each step leaves either no state.mdb or a whole one; a left-over state.new is made anew. */
static enum err_code
create(struct store *store, const struct disk *disk, const char *dir, struct err *err)
{
    char path[STORAGE_PATH_SIZE_MAX];
    char path_new[STORAGE_PATH_SIZE_MAX];
    enum err_code code = disk_path(path, dir, STORE_STATE_FILE, err);
    int rc;

    if (code == ERR_OK) {
        code = disk_path(path_new, dir, STATE_NEW_FILE, err);
    }
    if (code == ERR_OK) {
        code = disk_remove(disk, dir, STATE_NEW_FILE, err);
    }
    if (code == ERR_OK) {
        code = disk_remove(disk, dir, STATE_NEW_LOCK, err);
    }
    if (code != ERR_OK) {
        return code;
    }
    rc = store_env_open(store, path_new);
    if (rc == 0) {
        rc = store_env_fill(store);
    }
    store_env_close(store);
    if (rc != 0) {
        return store_fail(rc, "create", err);
    }
    code = disk_remove(disk, dir, STATE_NEW_LOCK, err);
    if (code == ERR_OK) {
        code = disk->rename(disk->arg, path_new, path, err);
    }
    if (code == ERR_OK) {
        code = disk->sync_dir(disk->arg, dir, err);
    }
    return code;
}

static enum err_code load(struct store *store, struct err *err)
{
    MDB_txn *txn;
    enum err_code code;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return store_fail(rc, "begin", err);
    }
    rc = databases_open(store, txn, 0);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return err_set(err, ERR_CORRUPT, "%s: facts: %s", STORE_STATE_FILE, mdb_strerror(rc));
    }
    code = store_facts_get(store, txn, &store->meta, err);
    /* Commit, not abort: it keeps the database handles. */
    rc = mdb_txn_commit(txn);
    if (code == ERR_OK && rc != 0) {
        code = store_fail(rc, "load", err);
    }
    return code;
}

static enum err_code
open_or_create(struct store *store, const struct disk *disk, const char *dir, struct err *err)
{
    char path[STORAGE_PATH_SIZE_MAX];
    bool exists;
    enum err_code code = disk_exists(disk, dir, STORE_STATE_FILE, &exists, err);
    int rc;

    if (code == ERR_OK && !exists) {
        code = create(store, disk, dir, err);
    }
    if (code == ERR_OK) {
        code = disk_path(path, dir, STORE_STATE_FILE, err);
    }
    if (code != ERR_OK) {
        return code;
    }
    rc = store_env_open(store, path);
    if (rc == 0) {
        /* What a killed process left in the page cache is read from there: the log is trimmed by
         * it, so it has to be on the medium first. */
        rc = mdb_env_sync(store->env, 1);
    }
    if (rc != 0) {
        return store_fail(rc, "open", err);
    }
    return load(store, err);
}

enum err_code
store_open(const struct store_options *options, struct store **ret_store, struct err *err)
{
    struct store *store = mem_new(1, sizeof *store);
    enum err_code code;

    if (store == NULL) {
        return err_set(err, ERR_NOMEM, "store");
    }
    store->map_size = options->map_size;
    rng_fill(options->rng, store->meta.cluster_id, STORAGE_ID_SIZE);
    rng_fill(options->rng, store->meta.store_id, STORAGE_ID_SIZE);
    if (options->cluster_id != NULL) {
        memcpy(store->meta.cluster_id, options->cluster_id, STORAGE_ID_SIZE);
    }
    code = open_or_create(store, options->disk, options->dir, err);
    if (code != ERR_OK) {
        store_close(store);
        return err_wrap(err, code, "open store");
    }
    *ret_store = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_fold_abort(store);
    store_env_close(store);
    mem_free(store);
}

void store_meta(const struct store *store, struct store_meta *ret_meta)
{
    *ret_meta = store->meta;
}

static void epoch_key(uint8_t key[EPOCH_KEY_SIZE], uint64_t epoch)
{
    key[0] = 'e';
    pack_key_u64(key + 1, epoch);
}

/* Forgets epochs without records and, past the limit, the oldest ones. */
static int prune_epochs(struct store *store, MDB_txn *txn, uint64_t lsn_first)
{
    uint8_t lowest[EPOCH_KEY_SIZE];
    MDB_val key = {.mv_size = sizeof lowest, .mv_data = lowest};
    MDB_val value;
    MDB_stat stat;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, store->facts, &cursor);

    if (rc != 0) {
        return rc;
    }
    epoch_key(lowest, 0);
    rc = mdb_stat(txn, store->facts, &stat);
    if (rc == 0 && stat.ms_entries > STORAGE_EPOCH_COUNT_MAX) {
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        rc = rc != 0 ? rc : mdb_cursor_del(cursor, 0);
    }
    while (rc == 0) {
        /* 'e' sorts before 'm', so the newest epoch lies just before the facts. */
        key = store_val(SPAN_LITERAL(FACT_KEY));
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);
        rc = rc != 0 ? rc : mdb_cursor_get(cursor, &key, &value, MDB_PREV);
        if (rc != 0 || value.mv_size != 8 || unpack_key_u64(value.mv_data) < lsn_first) {
            break;
        }
        rc = mdb_cursor_del(cursor, 0);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_epoch(struct store *store, MDB_txn *txn, uint64_t epoch, uint64_t lsn_first)
{
    uint8_t key_bytes[EPOCH_KEY_SIZE];
    uint8_t value_bytes[8];
    MDB_val key = {.mv_size = sizeof key_bytes, .mv_data = key_bytes};
    MDB_val value = {.mv_size = sizeof value_bytes, .mv_data = value_bytes};

    epoch_key(key_bytes, epoch);
    pack_key_u64(value_bytes, lsn_first);
    return mdb_put(txn, store->facts, &key, &value, 0);
}

enum err_code
store_begin_epoch(struct store *store, uint64_t epoch, uint64_t lsn_first, struct err *err)
{
    struct store_meta meta = store->meta;
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    ASSERT(epoch > meta.epoch);
    if (rc != 0) {
        return store_fail(rc, "begin epoch", err);
    }
    meta.epoch = epoch;
    rc = prune_epochs(store, txn, lsn_first);
    if (rc == 0) {
        rc = put_epoch(store, txn, epoch, lsn_first);
    }
    if (rc == 0) {
        rc = store_facts_put(store, txn, &meta);
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return store_fail(rc, "epoch", err);
    }
    rc = mdb_txn_commit(txn);
    if (rc != 0) {
        return store_fail(rc, "commit epoch", err);
    }
    store->meta = meta;
    return ERR_OK;
}

enum err_code store_forget_epochs(struct store *store, uint64_t lsn_first, struct err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != 0) {
        return store_fail(rc, "forget epochs", err);
    }
    rc = prune_epochs(store, txn, lsn_first);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return store_fail(rc, "forget epochs", err);
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? ERR_OK : store_fail(rc, "forget epochs", err);
}

enum err_code
store_epoch_first(struct store *store, uint64_t epoch, uint64_t *ret_lsn, struct err *err)
{
    uint8_t key_bytes[EPOCH_KEY_SIZE];
    MDB_val key = {.mv_size = sizeof key_bytes, .mv_data = key_bytes};
    MDB_val value;
    MDB_txn *txn;
    enum err_code code = ERR_OK;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return store_fail(rc, "begin", err);
    }
    epoch_key(key_bytes, epoch);
    rc = mdb_get(txn, store->facts, &key, &value);
    if (rc == 0 && value.mv_size == 8) {
        *ret_lsn = unpack_key_u64(value.mv_data);
    } else if (rc == MDB_NOTFOUND) {
        code = err_set(err, ERR_NOT_FOUND, "epoch %" PRIu64 " is not known", epoch);
    } else {
        code = store_fail(rc == 0 ? MDB_CORRUPTED : rc, "epoch", err);
    }
    mdb_txn_abort(txn);
    return code;
}

enum err_code store_fold_begin(struct store *store, struct err *err)
{
    int rc = mdb_txn_begin(store->env, NULL, 0, &store->fold);

    if (rc != 0) {
        store->fold = NULL;
        return store_fail(rc, "begin fold", err);
    }
    return ERR_OK;
}

enum err_code store_fold_change(struct store *store, const struct change *change, struct err *err)
{
    MDB_val key = store_val(change->key);
    MDB_val value = store_val(change->value);
    int rc;

    ASSERT(store->fold != NULL);
    if (change->op == CHANGE_PUT) {
        rc = mdb_put(store->fold, store->state, &key, &value, 0);
    } else {
        rc = mdb_del(store->fold, store->state, &key, NULL);
        rc = rc == MDB_NOTFOUND ? 0 : rc;
    }
    return rc == 0 ? ERR_OK : store_fail(rc, "fold", err);
}

enum err_code
store_fold_commit(struct store *store, const struct record_position *applied, struct err *err)
{
    struct store_meta meta = store->meta;
    int rc;

    ASSERT(store->fold != NULL);
    ASSERT(applied->lsn >= meta.applied.lsn);
    meta.applied = *applied;
    rc = store_facts_put(store, store->fold, &meta);
    if (rc != 0) {
        store_fold_abort(store);
        return store_fail(rc, "fold", err);
    }
    rc = mdb_txn_commit(store->fold); /* frees the transaction in any case */
    store->fold = NULL;
    if (rc != 0) {
        return store_fail(rc, "commit fold", err);
    }
    store->meta = meta;
    return ERR_OK;
}

void store_fold_abort(struct store *store)
{
    if (store->fold != NULL) {
        mdb_txn_abort(store->fold);
        store->fold = NULL;
    }
}

/* Pages that earlier transactions freed: the free list is database 0, each key the transaction,
 * each value a count and that many page numbers. What was freed by pinned or a later one is still
 * read. */
static int free_page_count(struct store *store, uint64_t pinned, uint64_t *ret_count)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    uint64_t count = 0;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0) {
        return rc;
    }
    rc = mdb_cursor_open(txn, 0, &cursor);
    if (rc == 0) {
        while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
            size_t pages;
            size_t freed_by;

            memcpy(&freed_by, key.mv_data, sizeof freed_by);
            memcpy(&pages, value.mv_data, sizeof pages);
            count += pinned == 0 || freed_by < pinned ? pages : 0;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    *ret_count = count;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum err_code
store_used_size(struct store *store, uint64_t pinned, uint64_t *ret_size, struct err *err)
{
    MDB_envinfo info;
    MDB_stat stat;
    uint64_t pages;
    uint64_t size;
    uint64_t freed = 0;
    int rc = mdb_env_info(store->env, &info);

    if (rc == 0) {
        rc = mdb_env_stat(store->env, &stat);
    }
    if (rc != 0) {
        return store_fail(rc, "info", err);
    }
    pages = (uint64_t)info.me_last_pgno + 1;
    /* Walking the free list costs; it matters only when the map looks nearly full, or so full that
     * writes would be refused, which of a small map is earlier. */
    size = pages * stat.ms_psize;
    if (size > store->map_size - store->map_size / 4 ||
        size + 2 * STORAGE_MAP_RESERVE > store->map_size) {
        rc = free_page_count(store, pinned, &freed);
    }
    if (rc != 0) {
        return store_fail(rc, "free list", err);
    }
    *ret_size = (pages - (freed < pages ? freed : pages)) * stat.ms_psize;
    return ERR_OK;
}

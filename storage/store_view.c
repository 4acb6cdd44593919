/* SPDX-License-Identifier: Apache-2.0 */
/* store_view.c: reading LMDB: views, cursors, and what its errors mean.
 * Owns read transactions. Never changes anything, never keeps a page pinned by itself. */
#include "base/mem.h"
#include "storage/store_internal.h"

#include <errno.h>

struct store_view {
    struct store *store; /* borrowed */
    MDB_txn *txn;
};

struct store_cursor {
    MDB_cursor *cursor;
    bool reverse;
};

enum err_code store_fail(int rc, const char *what, struct err *err)
{
    enum err_code code = ERR_FATAL;

    if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT) {
        code = ERR_NOSPACE;
    } else if (rc == ENOMEM) {
        code = ERR_NOMEM;
    } else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
               rc == MDB_VERSION_MISMATCH) {
        code = ERR_CORRUPT;
    } else if (rc == EACCES || rc == EPERM || rc == EROFS) {
        code = ERR_DENIED;
    } else if (rc > 0) {
        code = ERR_IO;
    }
    return err_set(err, code, "%s: %s: %s", STORE_STATE_FILE, what, mdb_strerror(rc));
}

enum err_code store_view_new(struct store *store, struct store_view **ret_view, struct err *err)
{
    struct store_view *view = mem_new(1, sizeof *view);
    int rc;

    if (view == NULL) {
        return err_set(err, ERR_NOMEM, "view");
    }
    view->store = store;
    rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &view->txn);
    if (rc != 0) {
        mem_free(view);
        return store_fail(rc, "begin view", err);
    }
    mdb_txn_reset(view->txn);
    *ret_view = view;
    return ERR_OK;
}

void store_view_free(struct store_view *view)
{
    if (view != NULL) {
        mdb_txn_abort(view->txn);
        mem_free(view);
    }
}

enum err_code store_view_renew(struct store_view *view, struct err *err)
{
    int rc;

    mdb_txn_reset(view->txn);
    rc = mdb_txn_renew(view->txn);
    return rc == 0 ? ERR_OK : store_fail(rc, "renew view", err);
}

uint64_t store_view_id(const struct store_view *view)
{
    return mdb_txn_id(view->txn);
}

enum err_code store_view_meta(struct store_view *view, struct store_meta *ret_meta, struct err *err)
{
    return store_facts_get(view->store, view->txn, ret_meta, err);
}

enum err_code store_view_count(struct store_view *view, uint64_t *ret_count, struct err *err)
{
    MDB_stat stat;
    int rc = mdb_stat(view->txn, view->store->state, &stat);

    if (rc != 0) {
        return store_fail(rc, "count", err);
    }
    *ret_count = stat.ms_entries;
    return ERR_OK;
}

void store_view_reset(struct store_view *view)
{
    mdb_txn_reset(view->txn);
}

enum err_code
store_view_get(struct store_view *view, struct span key, struct span *ret_value, struct err *err)
{
    MDB_val name = store_val(key);
    MDB_val value;
    int rc = mdb_get(view->txn, view->store->state, &name, &value);

    if (rc == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (rc != 0) {
        return store_fail(rc, "get", err);
    }
    *ret_value = store_span(&value);
    return ERR_OK;
}

enum err_code store_cursor_new(struct store_view *view,
                               bool reverse,
                               struct store_cursor **ret_cursor,
                               struct err *err)
{
    struct store_cursor *cursor = mem_new(1, sizeof *cursor);
    int rc;

    if (cursor == NULL) {
        return err_set(err, ERR_NOMEM, "cursor");
    }
    cursor->reverse = reverse;
    rc = mdb_cursor_open(view->txn, view->store->state, &cursor->cursor);
    if (rc != 0) {
        mem_free(cursor);
        return store_fail(rc, "cursor", err);
    }
    *ret_cursor = cursor;
    return ERR_OK;
}

void store_cursor_free(struct store_cursor *cursor)
{
    if (cursor != NULL) {
        mdb_cursor_close(cursor->cursor);
        mem_free(cursor);
    }
}

static enum err_code
cursor_get(struct store_cursor *cursor, MDB_val *key, MDB_cursor_op op, struct change *ret_pair)
{
    MDB_val value;
    int rc = mdb_cursor_get(cursor->cursor, key, &value, op);

    if (rc == MDB_NOTFOUND) {
        return ERR_NOT_FOUND;
    }
    if (rc != 0) {
        return store_fail(rc, "walk", NULL);
    }
    ret_pair->op = CHANGE_PUT;
    ret_pair->key = store_span(key);
    ret_pair->value = store_span(&value);
    return ERR_OK;
}

enum err_code store_cursor_seek(struct store_cursor *cursor,
                                struct span key,
                                bool inclusive,
                                struct change *ret_pair,
                                struct err *err)
{
    MDB_val name = store_val(key);
    enum err_code rc = cursor_get(cursor, &name, MDB_SET_RANGE, ret_pair);

    if (cursor->reverse && rc == ERR_NOT_FOUND) {
        rc = cursor_get(cursor, &name, MDB_LAST, ret_pair);
    } else if (cursor->reverse && rc == ERR_OK && !(inclusive && span_equal(ret_pair->key, key))) {
        rc = cursor_get(cursor, &name, MDB_PREV, ret_pair);
    }
    return rc == ERR_OK || rc == ERR_NOT_FOUND ? rc : err_set(err, rc, "walk the store");
}

enum err_code
store_cursor_next(struct store_cursor *cursor, struct change *ret_pair, struct err *err)
{
    MDB_val name = {0};
    enum err_code rc = cursor_get(cursor, &name, cursor->reverse ? MDB_PREV : MDB_NEXT, ret_pair);

    return rc == ERR_OK || rc == ERR_NOT_FOUND ? rc : err_set(err, rc, "walk the store");
}

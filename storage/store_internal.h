/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal.h: shared by store.c, store_view.c and store_incoming.c, the only users of
 * liblmdb. */
#ifndef STORAGE_STORE_INTERNAL_H
#define STORAGE_STORE_INTERNAL_H

#include "storage/store.h"

#include <lmdb.h>

struct store {
    MDB_env *env;
    MDB_dbi state;
    MDB_dbi facts;
    MDB_txn *fold; /* NULL when none runs */
    uint64_t map_size;
    struct store_meta meta;
};

static inline MDB_val store_val(struct span span)
{
    /* LMDB's type is not const; it never writes through it. */
    union {
        const char *in;
        void *out;
    } pun = {.in = span.data};

    return (MDB_val){.mv_size = span.size, .mv_data = pun.out};
}

static inline struct span store_span(const MDB_val *value)
{
    return span_of(value->mv_data, value->mv_size);
}

/* Both return LMDB's code. */
int store_env_open(struct store *store, const char *path);
/* Makes the two databases of an empty environment, with store->meta in them. */
int store_env_fill(struct store *store);
int store_facts_put(struct store *store, MDB_txn *txn, const struct store_meta *meta);
void store_env_close(struct store *store);
/* Fills *ret_meta from the transaction's facts. */
enum err_code store_facts_get(const struct store *store,
                              MDB_txn *txn,
                              struct store_meta *ret_meta,
                              struct err *err) WARN_UNUSED;

/* LMDB's code in ours, with the file's name in the message. */
enum err_code store_fail(int rc, const char *what, struct err *err);

#endif

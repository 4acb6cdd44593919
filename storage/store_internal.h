/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal.h: shared by store.c and store_view.c, the only users of liblmdb. */
#ifndef STORAGE_STORE_INTERNAL_H
#define STORAGE_STORE_INTERNAL_H

#include "storage/store.h"

#include <lmdb.h>

#define STATE_FILE "state.mdb"

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

/* LMDB's code in ours, with the file's name in the message. */
enum err_code store_fail(int rc, const char *what, struct err *err);

#endif

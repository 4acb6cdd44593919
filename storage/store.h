/* SPDX-License-Identifier: Apache-2.0 */
/* store.h: LMDB as the folded state: fold(WAL <= applied LSN), with that LSN inside the same
 * transaction. Only committed records ever come here. Keys carry their table as first byte.
 *
 * One thread folds; any number of views read, each used by one thread at a time. Calls block on
 * the disk. LMDB's errors become ERR_NOSPACE (map or disk full), ERR_NOMEM, ERR_IO, ERR_CORRUPT or
 * ERR_FATAL; after a failed fold the transaction is gone and the state is the one before. */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "base/err.h"
#include "base/span.h"
#include "storage/record.h"

#include <stdbool.h>
#include <stdint.h>

struct disk;
struct rng;
struct store;
struct store_cursor;
struct store_view;

/* What the store knows of itself. */
struct store_meta {
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t store_id[STORAGE_ID_SIZE];
    struct record_position applied; /* the last record folded in; zeros before the first */
    uint64_t epoch;                 /* the highest that was ever begun here */
    uint64_t lsn_base;              /* the store came as a snapshot of that record; 0: it did not */
};

struct store_options {
    const struct disk *disk; /* borrowed, as all of these */
    const struct rng *rng;
    const char *dir;
    const uint8_t *cluster_id; /* of a store that has to be made; NULL: a random one */
    uint64_t map_size;
};

/* Opens dir's store; creates it, with new random ids, when there is none: made under another name,
 * synced and renamed, so that a crash leaves none or a whole one. */
enum err_code store_open(const struct store_options *options,
                         struct store **ret_store,
                         struct err *err) WARN_UNUSED;
/* NULL is allowed. All views are freed before. */
void store_close(struct store *store);

/* As of the last fold or epoch. Folding thread only. */
void store_meta(const struct store *store, struct store_meta *ret_meta);

/* Records durably that an epoch begins with the record lsn_first. Epochs that began there or
 * later, and so have no records, are forgotten. */
enum err_code store_begin_epoch(struct store *store,
                                uint64_t epoch,
                                uint64_t lsn_first,
                                struct err *err) WARN_UNUSED;
/* Forgets the epochs that began with lsn_first or later: as one of two, the log may be cut there.
 */
enum err_code
store_forget_epochs(struct store *store, uint64_t lsn_first, struct err *err) WARN_UNUSED;
/* The first LSN of an epoch. ERR_NOT_FOUND. */
enum err_code store_epoch_first(struct store *store,
                                uint64_t epoch,
                                uint64_t *ret_lsn,
                                struct err *err) WARN_UNUSED;

/* One fold: begin, changes, then commit (durable, with the position) or abort. */
enum err_code store_fold_begin(struct store *store, struct err *err) WARN_UNUSED;
enum err_code
store_fold_change(struct store *store, const struct change *change, struct err *err) WARN_UNUSED;
enum err_code store_fold_commit(struct store *store,
                                const struct record_position *applied,
                                struct err *err) WARN_UNUSED;
void store_fold_abort(struct store *store);

/* Bytes of the map that hold something, or can no longer be used: what was freed since the view of
 * that id was renewed is held by it (store_view_id; 0: by none). Folding thread only. */
enum err_code store_used_size(struct store *store,
                              uint64_t pinned,
                              uint64_t *ret_size,
                              struct err *err) WARN_UNUSED;

/* A view of the state as of the last fold before it was renewed. */
enum err_code
store_view_new(struct store *store, struct store_view **ret_view, struct err *err) WARN_UNUSED;
void store_view_free(struct store_view *view);
/* Moves the view to the newest fold. Its spans and cursors end. */
enum err_code store_view_renew(struct store_view *view, struct err *err) WARN_UNUSED;
/* Of the fold that it shows; later ones have higher ids. */
uint64_t store_view_id(const struct store_view *view);
/* What the store knew of itself in this view. */
enum err_code
store_view_meta(struct store_view *view, struct store_meta *ret_meta, struct err *err) WARN_UNUSED;
/* Pairs in this view. */
enum err_code
store_view_count(struct store_view *view, uint64_t *ret_count, struct err *err) WARN_UNUSED;
/* Lets go of the pages that the view pins; renew it before the next use. */
void store_view_reset(struct store_view *view);
/* ERR_NOT_FOUND without a message when absent: that is an ordinary answer. */
enum err_code store_view_get(struct store_view *view,
                             struct span key,
                             struct span *ret_value,
                             struct err *err) WARN_UNUSED;

/* Walks the view in key order, or in reverse. */
enum err_code store_cursor_new(struct store_view *view,
                               bool reverse,
                               struct store_cursor **ret_cursor,
                               struct err *err) WARN_UNUSED;
void store_cursor_free(struct store_cursor *cursor);
/* The first key not below the given one; in reverse: the last below it, or equal when inclusive.
 * ERR_NOT_FOUND (no message) past the end. */
enum err_code store_cursor_seek(struct store_cursor *cursor,
                                struct span key,
                                bool inclusive,
                                struct change *ret_pair,
                                struct err *err) WARN_UNUSED;
enum err_code store_cursor_next(struct store_cursor *cursor,
                                struct change *ret_pair,
                                struct err *err) WARN_UNUSED;

/* A store that is being received: incoming.mdb, which nobody reads before it is whole. */
struct store_incoming;

#define STORE_INCOMING_FILE "incoming.mdb"
#define STORE_INCOMING_LOCK "incoming.mdb-lock"
#define STORE_STATE_FILE    "state.mdb"
#define STORE_STATE_LOCK    "state.mdb-lock"

/* Removes what is left of another one. */
enum err_code store_incoming_new(const struct store_options *options,
                                 struct store_incoming **ret_incoming,
                                 struct err *err) WARN_UNUSED;
/* NULL is allowed. The file stays. */
void store_incoming_free(struct store_incoming *incoming);
/* Bytes of the file that hold something. */
uint64_t store_incoming_size(const struct store_incoming *incoming);
/* Adds change_encode'd puts in the order of their keys. ERR_PROTOCOL. */
enum err_code
store_incoming_put(struct store_incoming *incoming, struct span pairs, struct err *err) WARN_UNUSED;
/* Pairs up to now. */
uint64_t store_incoming_count(const struct store_incoming *incoming);
/* Makes it a whole, durable store that knows *meta of itself, and closes it. */
enum err_code store_incoming_finish(struct store_incoming *incoming,
                                    const struct store_meta *meta,
                                    struct err *err) WARN_UNUSED;

#endif

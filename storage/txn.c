/* SPDX-License-Identifier: Apache-2.0 */
/* txn.c: what a job can do: read through the layers of the state, change keys.
 * Owns the merge of layers (newest first: own changes, active, frozen, LMDB) and the limits of one
 * job. Never touches a layer below the job's own changes, never blocks but for LMDB's page reads.
 */
#include "storage/engine.h"

#include "base/assert.h"

#include <inttypes.h>

struct name {
    char bytes[STORAGE_KEY_SIZE_MAX + 1];
    size_t size;
};

static enum err_code name_of(uint8_t table, struct span key, struct name *ret_name, struct err *err)
{
    if (key.size == 0 || key.size > STORAGE_KEY_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "a key of %zu bytes", key.size);
    }
    ret_name->bytes[0] = (char)table;
    memcpy(ret_name->bytes + 1, key.data, key.size);
    ret_name->size = key.size + 1;
    return ERR_OK;
}

/* The store failed under the job: the writer stops everything after it. */
static enum err_code broken(struct storage_txn *txn, const struct err *failure, struct err *err)
{
    txn->broken = true;
    txn->failure = *failure;
    return err_set(err, ERR_FATAL, "%s", failure->message);
}

enum err_code storage_get(struct storage_txn *txn,
                          uint8_t table,
                          struct span key,
                          struct span *ret_value,
                          struct err *err)
{
    const struct memtable *layers[] = {txn->changes, txn->active, txn->frozen};
    struct err failure = ERR_INIT;
    struct change change;
    struct name name = {.size = 0};
    struct span composed;
    enum err_code rc = name_of(table, key, &name, err);

    if (rc != ERR_OK) {
        return rc;
    }
    composed = span_of(name.bytes, name.size);
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        if (layers[i] == NULL || !memtable_find(layers[i], composed, &change)) {
            continue;
        }
        if (change.op == CHANGE_DELETE) {
            return err_set(err, ERR_NOT_FOUND, "no such key");
        }
        *ret_value = change.value;
        return ERR_OK;
    }
    rc = store_view_get(txn->view, composed, ret_value, &failure);
    if (rc == ERR_NOT_FOUND) {
        return err_set(err, ERR_NOT_FOUND, "no such key");
    }
    return rc == ERR_OK ? rc : broken(txn, &failure, err);
}

static enum err_code change(struct storage_txn *txn, struct change *change, struct err *err)
{
    size_t size = change_size(change->key.size, change->value.size);

    ASSERT(txn->changes != NULL);
    if (txn->payload_size - txn->payload_start + size > STORAGE_JOB_SIZE_MAX ||
        !memtable_fits(txn->changes, 1, 0)) {
        return err_set(err, ERR_FULL, "a job changes at most %u keys and %lu bytes",
                       STORAGE_JOB_COUNT_MAX, STORAGE_JOB_SIZE_MAX);
    }
    change_encode(txn->payload + txn->payload_size, change);
    txn->payload_size += size;
    memtable_set(txn->changes, change);
    return ERR_OK;
}

enum err_code storage_put(
    struct storage_txn *txn, uint8_t table, struct span key, struct span value, struct err *err)
{
    struct name name = {.size = 0};
    struct change put;
    enum err_code rc = name_of(table, key, &name, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size > STORAGE_VALUE_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "a value of %zu bytes", value.size);
    }
    put = (struct change){.op = CHANGE_PUT, .key = span_of(name.bytes, name.size), .value = value};
    return change(txn, &put, err);
}

enum err_code
storage_delete(struct storage_txn *txn, uint8_t table, struct span key, struct err *err)
{
    struct name name = {.size = 0};
    struct change deletion;
    enum err_code rc = name_of(table, key, &name, err);

    if (rc != ERR_OK) {
        return rc;
    }
    deletion = (struct change){.op = CHANGE_DELETE, .key = span_of(name.bytes, name.size)};
    return change(txn, &deletion, err);
}

uint64_t storage_now_ms(const struct storage_txn *txn)
{
    return txn->wall_ms;
}

uint64_t storage_lsn(const struct storage_txn *txn)
{
    return txn->lsn;
}

/* One layer of a scan: where it stands. Newer layers come first and hide equal keys of older. */
struct layer {
    const struct memtable *table; /* NULL: this layer is LMDB */
    size_t index;
    bool valid;
    struct change pair;
};

#define LAYER_COUNT 3

struct merge {
    struct layer layers[LAYER_COUNT];
    struct store_cursor *cursor; /* owned */
    bool reverse;
};

static void layer_load(struct layer *layer)
{
    layer->valid = layer->index < memtable_count(layer->table);
    if (layer->valid) {
        memtable_at(layer->table, layer->index, &layer->pair);
    }
}

static enum err_code layer_seek(
    struct merge *merge, struct layer *layer, struct span key, bool inclusive, struct err *err)
{
    enum err_code rc;

    if (layer->table == NULL) {
        rc = store_cursor_seek(merge->cursor, key, inclusive, &layer->pair, err);
        layer->valid = rc == ERR_OK;
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    layer->index = memtable_lower(layer->table, key);
    if (merge->reverse) {
        layer_load(layer);
        if (!(inclusive && layer->valid && span_equal(layer->pair.key, key))) {
            layer->index--; /* below 0 it is past every count: not valid */
        }
    }
    layer_load(layer);
    return ERR_OK;
}

static enum err_code layer_next(struct merge *merge, struct layer *layer, struct err *err)
{
    enum err_code rc;

    if (layer->table == NULL) {
        rc = store_cursor_next(merge->cursor, &layer->pair, err);
        layer->valid = rc == ERR_OK;
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    layer->index += merge->reverse ? SIZE_MAX : 1;
    layer_load(layer);
    return ERR_OK;
}

/* The layer that comes first; the newest of those with equal keys. NULL: all are at their end. */
static const struct layer *merge_first(const struct merge *merge)
{
    const struct layer *first = NULL;

    for (size_t i = 0; i < LAYER_COUNT; i++) {
        const struct layer *layer = &merge->layers[i];
        int order;

        if (!layer->valid) {
            continue;
        }
        order = first == NULL ? -1 : key_compare(layer->pair.key, first->pair.key);
        if (first == NULL || (merge->reverse ? order > 0 : order < 0)) {
            first = layer;
        }
    }
    return first;
}

static enum err_code merge_skip(struct merge *merge, struct span key, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < LAYER_COUNT; i++) {
        struct layer *layer = &merge->layers[i];

        if (layer->valid && span_equal(layer->pair.key, key)) {
            rc = layer_next(merge, layer, err);
        }
    }
    return rc;
}

/* Where a scan starts. A reverse scan of a whole table starts below the next table's first. */
static enum err_code
merge_seek(struct merge *merge, uint8_t table, struct span key, struct err *err)
{
    struct name name = {.size = 1};
    bool inclusive = true;
    enum err_code rc = ERR_OK;

    name.bytes[0] = (char)table;
    if (key.size > 0) {
        rc = name_of(table, key, &name, err);
    } else if (merge->reverse && table < UINT8_MAX) {
        name.bytes[0] = (char)(table + 1);
        inclusive = false;
    } else if (merge->reverse) {
        /* No key is longer or higher than this. */
        memset(name.bytes, 0xff, sizeof name.bytes);
        name.size = sizeof name.bytes;
    }
    for (size_t i = 0; rc == ERR_OK && i < LAYER_COUNT; i++) {
        struct layer *layer = &merge->layers[i];

        if (i + 1 == LAYER_COUNT || layer->table != NULL) {
            rc = layer_seek(merge, layer, span_of(name.bytes, name.size), inclusive, err);
        }
    }
    return rc;
}

static enum err_code
merge_walk(struct merge *merge, uint8_t table, storage_visit_fn *visit, void *arg, struct err *err)
{
    enum err_code rc = ERR_OK;
    bool more = true;

    while (rc == ERR_OK && more) {
        const struct layer *first = merge_first(merge);
        struct change pair;

        if (first == NULL || (uint8_t)first->pair.key.data[0] != table) {
            break;
        }
        pair = first->pair;
        if (pair.op == CHANGE_PUT) {
            more = visit(arg, span_of(pair.key.data + 1, pair.key.size - 1), pair.value);
        }
        rc = merge_skip(merge, pair.key, err);
    }
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): where, which way, whom: no two can be swapped */
enum err_code storage_scan(struct storage_txn *txn,
                           uint8_t table,
                           struct span key,
                           bool reverse,
                           storage_visit_fn *visit,
                           void *arg,
                           struct err *err)
{
    struct merge merge = {.reverse = reverse};
    struct err failure = ERR_INIT;
    enum err_code rc;

    if (key.size > STORAGE_KEY_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "a key of %zu bytes", key.size);
    }
    merge.layers[0].table = txn->active;
    merge.layers[1].table = txn->frozen;
    rc = store_cursor_new(txn->view, reverse, &merge.cursor, &failure);
    if (rc == ERR_OK) {
        rc = merge_seek(&merge, table, key, &failure);
    }
    if (rc == ERR_OK) {
        rc = merge_walk(&merge, table, visit, arg, &failure);
    }
    store_cursor_free(merge.cursor);
    if (rc == ERR_NOMEM) {
        return err_set(err, rc, "%s", failure.message);
    }
    return rc == ERR_OK ? rc : broken(txn, &failure, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* memtable.h: an ordered map of changes by key, of fixed capacity: the newest change of each key.
 * Three use it: a running job's own changes, the speculative state in front of LMDB, and the part
 * of that which a checkpoint is folding into LMDB. Pure; allocates only in memtable_new. */
#ifndef STORAGE_MEMTABLE_H
#define STORAGE_MEMTABLE_H

#include "base/err.h"
#include "base/span.h"
#include "storage/record.h"

#include <stdbool.h>
#include <stddef.h>

struct memtable;

/* Room for count_max keys and, when size_max > 0, for copies of size_max bytes of keys and values;
 * with 0 the table borrows the bytes that it is given. ERR_NOMEM. */
enum err_code memtable_new(size_t count_max,
                           size_t size_max,
                           struct memtable **ret_table,
                           struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void memtable_free(struct memtable *table);
/* Empties the table. release: gives the memory of the copies back to the system, also what was kept
 * when the table was emptied before. */
void memtable_clear(struct memtable *table, bool release);

/* True when another change of so many bytes (key and value) fits, whatever its key. */
bool memtable_fits(const struct memtable *table, size_t count, size_t size);
/* Sets the newest change of a key; it must fit. Spans of an earlier change of this key end. */
void memtable_set(struct memtable *table, const struct change *change);

size_t memtable_count(const struct memtable *table);
size_t memtable_size(const struct memtable *table); /* bytes of copies */
/* False when the table knows nothing of the key. The spans are valid until the key's next set, or
 * clear. */
bool memtable_find(const struct memtable *table, struct span key, struct change *ret_change);
/* Index of the first key that is not below the given one; the count when there is none. */
size_t memtable_lower(const struct memtable *table, struct span key);
void memtable_at(const struct memtable *table, size_t index, struct change *ret_change);

/* Order of keys: bytes, shorter first; LMDB's own. */
static inline int key_compare(struct span a, struct span b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);

    if (order != 0) {
        return order;
    }
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* memtable.c: an ordered map of changes by key.
 * Owns the entries in order of arrival, their numbers sorted by key, and one block of copied bytes,
 * all of fixed capacity. With a few thousand entries a binary search and a memmove of their numbers
 * beat any tree, and the order is there for scans. The first bytes of a key lie in its entry: most
 * comparisons end there.
 * Never grows, never does I/O. One thread changes it; others may read it while nobody does. */
#include "storage/memtable.h"

#include "base/assert.h"
#include "base/mem.h"

#include <endian.h>
#include <stdint.h>
#include <sys/mman.h>

struct entry {
    uint64_t prefix; /* the first bytes of the key, zeros behind a shorter one, as a number */
    const char *key;
    const char *value;
    uint32_t value_size;
    uint32_t value_room; /* bytes behind value that this entry may reuse */
    uint16_t key_size;
    uint8_t op;
};

struct memtable {
    struct entry *entries; /* owned, in order of arrival */
    uint16_t *order;       /* owned: their numbers, sorted by key */
    char *bytes;           /* owned, NULL when the table borrows */
    size_t count;
    size_t count_max;
    size_t size;
    size_t size_max;
    size_t size_held; /* bytes from the start that may have memory */
};

enum err_code
memtable_new(size_t count_max, size_t size_max, struct memtable **ret_table, struct err *err)
{
    struct memtable *table = mem_new(1, sizeof *table);

    ASSERT(count_max <= UINT16_MAX);
    if (table == NULL) {
        return err_set(err, ERR_NOMEM, "memtable");
    }
    table->count_max = count_max;
    table->size_max = size_max;
    table->entries = mem_new(count_max, sizeof *table->entries);
    table->order = mem_new(count_max, sizeof *table->order);
    table->bytes = size_max == 0 ? NULL : mem_new(size_max, 1);
    if (table->entries == NULL || table->order == NULL || (size_max > 0 && table->bytes == NULL)) {
        memtable_free(table);
        return err_set(err, ERR_NOMEM, "memtable of %zu keys", count_max);
    }
    *ret_table = table;
    return ERR_OK;
}

void memtable_free(struct memtable *table)
{
    if (table == NULL) {
        return;
    }
    mem_free(table->entries);
    mem_free(table->order);
    mem_free(table->bytes);
    mem_free(table);
}

/* The whole pages inside the block go back to the system and read as zeros afterwards. */
static void release_pages(char *bytes, size_t size)
{
    uintptr_t page = WAL_PAGE_SIZE;
    uintptr_t head = (page - ((uintptr_t)bytes & (page - 1))) & (page - 1);

    if (size > head + page) {
        size_t whole = (size - head) & ~(size_t)(page - 1);

        (void)madvise(bytes + head, whole, MADV_DONTNEED); /* keeping the pages is no error */
    }
}

void memtable_clear(struct memtable *table, bool release)
{
    table->size_held = table->size > table->size_held ? table->size : table->size_held;
    if (release && table->bytes != NULL) {
        release_pages(table->bytes, table->size_held);
        table->size_held = 0;
    }
    table->count = 0;
    table->size = 0;
}

bool memtable_fits(const struct memtable *table, size_t count, size_t size)
{
    return count <= table->count_max - table->count &&
           (table->bytes == NULL || size <= table->size_max - table->size);
}

static struct span entry_key(const struct entry *entry)
{
    return span_of(entry->key, entry->key_size);
}

/* Different numbers have the order of their keys; equal ones say nothing. */
static uint64_t prefix_of(struct span key)
{
    uint64_t prefix = 0;

    if (key.size > 0) {
        memcpy(&prefix, key.data, key.size < sizeof prefix ? key.size : sizeof prefix);
    }
    return be64toh(prefix);
}

static struct entry *entry_at(const struct memtable *table, size_t index)
{
    return &table->entries[table->order[index]];
}

static size_t lower(const struct memtable *table, struct span key, uint64_t prefix)
{
    size_t low = 0;
    size_t high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct entry *entry = entry_at(table, middle);
        bool below = entry->prefix != prefix ? entry->prefix < prefix
                                             : key_compare(entry_key(entry), key) < 0;

        if (below) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t memtable_lower(const struct memtable *table, struct span key)
{
    return lower(table, key, prefix_of(key));
}

static const char *copy_in(struct memtable *table, struct span span)
{
    char *copy;

    if (table->bytes == NULL) {
        return span.data;
    }
    copy = table->bytes + table->size;
    ASSERT(span.size <= table->size_max - table->size);
    if (span.size > 0) {
        memcpy(copy, span.data, span.size);
    }
    table->size += span.size;
    return copy;
}

static void set_value(struct memtable *table, struct entry *entry, const struct change *change)
{
    struct span value = change->value;

    entry->op = (uint8_t)change->op;
    entry->value_size = (uint32_t)value.size;
    if (table->bytes == NULL) {
        entry->value = value.data;
    } else if (value.size > entry->value_room) {
        entry->value = copy_in(table, value);
        entry->value_room = (uint32_t)value.size;
    } else if (value.size > 0) {
        /* A key that changes often does not fill the table. */
        memcpy(table->bytes + (entry->value - table->bytes), value.data, value.size);
    }
}

/* The new entry is the index-th of the order. */
static struct entry *insert(struct memtable *table, size_t index)
{
    uint16_t *place = &table->order[index];

    ASSERT(table->count < table->count_max);
    memmove(place + 1, place, (table->count - index) * sizeof *place);
    *place = (uint16_t)table->count;
    table->count++;
    return &table->entries[*place];
}

void memtable_set(struct memtable *table, const struct change *change)
{
    uint64_t prefix = prefix_of(change->key);
    size_t index = lower(table, change->key, prefix);
    struct entry *entry;

    if (index < table->count && span_equal(entry_key(entry_at(table, index)), change->key)) {
        set_value(table, entry_at(table, index), change);
        return;
    }
    entry = insert(table, index);
    *entry = (struct entry){.prefix = prefix, .key_size = (uint16_t)change->key.size};
    entry->key = copy_in(table, change->key);
    set_value(table, entry, change);
}

size_t memtable_count(const struct memtable *table)
{
    return table->count;
}

size_t memtable_size(const struct memtable *table)
{
    return table->size;
}

void memtable_at(const struct memtable *table, size_t index, struct change *ret_change)
{
    const struct entry *entry;

    ASSERT(index < table->count);
    entry = entry_at(table, index);
    ret_change->op = entry->op == CHANGE_PUT ? CHANGE_PUT : CHANGE_DELETE;
    ret_change->key = entry_key(entry);
    ret_change->value = span_of(entry->value, entry->value_size);
}

bool memtable_find(const struct memtable *table, struct span key, struct change *ret_change)
{
    size_t index = memtable_lower(table, key);

    if (index == table->count || !span_equal(entry_key(entry_at(table, index)), key)) {
        return false;
    }
    memtable_at(table, index, ret_change);
    return true;
}

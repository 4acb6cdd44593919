/* SPDX-License-Identifier: Apache-2.0 */
/* lru.c: id → slot, least recently used out first.
 * Owns the keys, the hash chains and the order of use; slots are numbered from 0 without gaps.
 * Never grows, never touches the callers' values. */
#include "approvald/slack/wire/lru.h"

#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

struct lru_node {
    char key[CORE_SLACK_ID_SIZE_MAX];
    uint8_t key_size;
    uint32_t chain; /* next of the same bucket, or LRU_NONE */
    uint32_t newer; /* LRU_NONE: this is the newest */
    uint32_t older;
};

struct lru {
    struct lru_node *nodes; /* owned, count_max */
    uint32_t *buckets;      /* owned, bucket_count */
    uint32_t bucket_count;  /* a power of two */
    uint32_t count_max;
    uint32_t count;
    uint32_t newest;
    uint32_t oldest;
};

static_assert(CORE_SLACK_ID_SIZE_MAX <= UINT8_MAX, "a key's size is kept in a byte");

enum err_code lru_new(uint32_t count_max, struct lru **ret_lru, struct err *err)
{
    struct lru *lru = mem_new(1, sizeof *lru);

    ASSERT(count_max > 0);
    ASSERT(count_max < UINT32_MAX / 4);
    if (lru == NULL) {
        return err_set(err, ERR_NOMEM, "index of ids");
    }
    lru->bucket_count = 1;
    while (lru->bucket_count < count_max) {
        lru->bucket_count *= 2;
    }
    lru->count_max = count_max;
    lru->newest = LRU_NONE;
    lru->oldest = LRU_NONE;
    lru->nodes = mem_new(count_max, sizeof *lru->nodes);
    lru->buckets = mem_new(lru->bucket_count, sizeof *lru->buckets);
    if (lru->nodes == NULL || lru->buckets == NULL) {
        lru_free(lru);
        return err_set(err, ERR_NOMEM, "index of %u ids", count_max);
    }
    memset(lru->buckets, 0xff, lru->bucket_count * sizeof *lru->buckets);
    *ret_lru = lru;
    return ERR_OK;
}

void lru_free(struct lru *lru)
{
    if (lru != NULL) {
        mem_free(lru->nodes);
        mem_free(lru->buckets);
        mem_free(lru);
    }
}

/* FNV-1a: the ids come from signed bytes, so nobody can choose them to collide. */
static uint32_t *bucket_of(const struct lru *lru, struct span key)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ (uint8_t)key.data[i]) * 16777619U;
    }
    return &lru->buckets[hash & (lru->bucket_count - 1)];
}

struct span lru_key(const struct lru *lru, uint32_t slot)
{
    ASSERT(slot < lru->count);
    return span_of(lru->nodes[slot].key, lru->nodes[slot].key_size);
}

uint32_t lru_count(const struct lru *lru)
{
    return lru->count;
}

static void unlink_order(struct lru *lru, uint32_t slot)
{
    struct lru_node *node = &lru->nodes[slot];

    if (node->newer == LRU_NONE) {
        lru->newest = node->older;
    } else {
        lru->nodes[node->newer].older = node->older;
    }
    if (node->older == LRU_NONE) {
        lru->oldest = node->newer;
    } else {
        lru->nodes[node->older].newer = node->newer;
    }
}

static void link_newest(struct lru *lru, uint32_t slot)
{
    struct lru_node *node = &lru->nodes[slot];

    node->newer = LRU_NONE;
    node->older = lru->newest;
    if (lru->newest == LRU_NONE) {
        lru->oldest = slot;
    } else {
        lru->nodes[lru->newest].newer = slot;
    }
    lru->newest = slot;
}

static void unlink_chain(struct lru *lru, uint32_t slot)
{
    uint32_t *link = bucket_of(lru, lru_key(lru, slot));

    while (*link != slot) {
        ASSERT(*link != LRU_NONE);
        link = &lru->nodes[*link].chain;
    }
    *link = lru->nodes[slot].chain;
}

uint32_t lru_find(struct lru *lru, struct span key)
{
    uint32_t slot = *bucket_of(lru, key);

    while (slot != LRU_NONE && !span_equal(lru_key(lru, slot), key)) {
        slot = lru->nodes[slot].chain;
    }
    if (slot != LRU_NONE && slot != lru->newest) {
        unlink_order(lru, slot);
        link_newest(lru, slot);
    }
    return slot;
}

uint32_t lru_take(struct lru *lru, struct span key, bool *ret_new)
{
    uint32_t slot = lru_find(lru, key);
    uint32_t *bucket;

    *ret_new = slot == LRU_NONE;
    if (slot != LRU_NONE) {
        return slot;
    }
    if (key.size == 0 || key.size > CORE_SLACK_ID_SIZE_MAX) {
        return LRU_NONE;
    }
    if (lru->count < lru->count_max) {
        slot = lru->count;
        lru->count++;
    } else {
        slot = lru->oldest;
        unlink_chain(lru, slot);
        unlink_order(lru, slot);
    }
    memcpy(lru->nodes[slot].key, key.data, key.size);
    lru->nodes[slot].key_size = (uint8_t)key.size;
    bucket = bucket_of(lru, key);
    lru->nodes[slot].chain = *bucket;
    *bucket = slot;
    link_newest(lru, slot);
    return slot;
}

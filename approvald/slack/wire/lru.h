/* SPDX-License-Identifier: Apache-2.0 */
/* lru.h: a bounded index of Slack ids: id → slot number, the least recently used one gives way.
 * The values live in the caller's array, one per slot. Pure; allocates only in lru_new. */
#ifndef APPROVALD_SLACK_WIRE_LRU_H
#define APPROVALD_SLACK_WIRE_LRU_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct lru;

#define LRU_NONE UINT32_MAX

enum err_code lru_new(uint32_t count_max, struct lru **ret_lru, struct err *err) WARN_UNUSED;
void lru_free(struct lru *lru); /* NULL is allowed */

/* The slot of key, now the most recently used, or LRU_NONE. */
uint32_t lru_find(struct lru *lru, struct span key);
/* The slot of key as lru_find, or a new one; then the caller initialises its value. A key longer
 * than CORE_SLACK_ID_SIZE_MAX bytes, or empty, has no slot (LRU_NONE). When all are in use the
 * least recently used one is taken over. *ret_new tells which. */
uint32_t lru_take(struct lru *lru, struct span key, bool *ret_new);
/* The key of a slot in use. */
struct span lru_key(const struct lru *lru, uint32_t slot);
uint32_t lru_count(const struct lru *lru);

#endif

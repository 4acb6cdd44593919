/* SPDX-License-Identifier: Apache-2.0 */
/* store_facts.h: the bytes in which LMDB keeps the facts about itself. Pure.
 *
 * Big-endian: 0 u32 format version, 4 cluster id, 20 store id (16 bytes each), 36 u64 applied LSN,
 * 44 u64 its epoch, 52 u64 its wall time in ms, 60 u64 the highest epoch begun here, 68 hash of the
 * applied record (16 bytes). */
#ifndef STORAGE_STORE_FACTS_H
#define STORAGE_STORE_FACTS_H

#include "storage/store.h"

#define STORE_FACTS_VERSION 1U
#define STORE_FACTS_SIZE    (4U + 2U * STORAGE_ID_SIZE + 4U * 8U + STORAGE_HASH_SIZE)

void store_facts_encode(const struct store_meta *meta, uint8_t at[STORE_FACTS_SIZE]);
/* ERR_CORRUPT: another size or version. */
enum err_code
store_facts_decode(struct span bytes, struct store_meta *ret_meta, struct err *err) WARN_UNUSED;

#endif

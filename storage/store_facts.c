/* SPDX-License-Identifier: Apache-2.0 */
/* store_facts.c: the bytes in which LMDB keeps the facts about itself.
 * Owns their format, both directions. Never does I/O, never over-reads. */
#include "storage/store_facts.h"

#include "base/pack.h"

#include <inttypes.h>
#include <string.h>

void store_facts_encode(const struct store_meta *meta, uint8_t at[STORE_FACTS_SIZE])
{
    pack_key_u32(at, STORE_FACTS_VERSION);
    memcpy(at + 4, meta->cluster_id, STORAGE_ID_SIZE);
    memcpy(at + 20, meta->store_id, STORAGE_ID_SIZE);
    pack_key_u64(at + 36, meta->applied.lsn);
    pack_key_u64(at + 44, meta->applied.epoch);
    pack_key_u64(at + 52, meta->applied.wall_ms);
    pack_key_u64(at + 60, meta->epoch);
    memcpy(at + 68, meta->applied.hash, STORAGE_HASH_SIZE);
}

enum err_code store_facts_decode(struct span bytes, struct store_meta *ret_meta, struct err *err)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    uint32_t version;

    if (bytes.size != STORE_FACTS_SIZE) {
        return err_set(err, ERR_CORRUPT, "facts of %zu bytes", bytes.size);
    }
    version = unpack_key_u32(at);
    if (version != STORE_FACTS_VERSION) {
        return err_set(err, ERR_CORRUPT, "format version %" PRIu32 " is not known", version);
    }
    memcpy(ret_meta->cluster_id, at + 4, STORAGE_ID_SIZE);
    memcpy(ret_meta->store_id, at + 20, STORAGE_ID_SIZE);
    ret_meta->applied.lsn = unpack_key_u64(at + 36);
    ret_meta->applied.epoch = unpack_key_u64(at + 44);
    ret_meta->applied.wall_ms = unpack_key_u64(at + 52);
    ret_meta->epoch = unpack_key_u64(at + 60);
    memcpy(ret_meta->applied.hash, at + 68, STORAGE_HASH_SIZE);
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c: identity of outside events.
 * Owns the layout of deduplication keys and how long they are kept.
 * Never knows what an event does, never reads a clock. */
#include "approvald/core/inbox.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/pack.h"

#include <string.h>

#define TIME_SIZE 8
#define HASH_SIZE (INBOX_KEY_SIZE - TIME_SIZE)
#define HOUR_S    UINT64_C(3600) /* Slack repeats a delivery for minutes */

static_assert(CORE_INBOX_KEEP_MS > 2 * HOUR_S * 1000, "a key outlasts the search for it");
static_assert(HASH_SIZE == 16 && HASH_SIZE <= CRYPTO_SHA256_SIZE, "128 bits tell events apart");

void inbox_key_make(uint32_t kind, uint64_t time_s, struct span identity, struct inbox_key *ret_key)
{
    uint8_t kind_bytes[4];
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct span parts[2];

    ASSERT(kind != INBOX_NONE);
    ASSERT(ret_key != NULL);
    pack_key_u32(kind_bytes, kind);
    parts[0] = span_of(kind_bytes, sizeof kind_bytes);
    parts[1] = identity;
    crypto_sha256_parts(parts, 2, hash);
    pack_key_u64(ret_key->bytes, time_s);
    memcpy(ret_key->bytes + TIME_SIZE, hash, HASH_SIZE);
}

uint32_t inbox_keys_make(uint32_t kind,
                         uint64_t time_s,
                         struct span identity,
                         struct inbox_key ret_keys[INBOX_KEY_COUNT_MAX])
{
    uint64_t hour_s = time_s - time_s % HOUR_S;

    if (kind != INBOX_COMMAND) {
        inbox_key_make(kind, time_s, identity, &ret_keys[0]);
        return 1;
    }
    inbox_key_make(kind, hour_s, identity, &ret_keys[0]);
    inbox_key_make(kind, hour_s < HOUR_S ? 0 : hour_s - HOUR_S, identity, &ret_keys[1]);
    return 2;
}

void inbox_prune_bound(uint64_t now_ms, struct inbox_key *ret_bound)
{
    uint64_t oldest_ms = now_ms > CORE_INBOX_KEEP_MS ? now_ms - CORE_INBOX_KEEP_MS : 0;

    ASSERT(ret_bound != NULL);
    memset(ret_bound, 0, sizeof *ret_bound);
    pack_key_u64(ret_bound->bytes, oldest_ms / 1000);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* keys.c: keys of the store.
 * Owns their layout.
 * Never reads or writes the store. */
#include "approvald/service/keys.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/pack.h"

#include <string.h>

static_assert(INTENT_SIZE == CRYPTO_SHA256_SIZE, "an intent is a hash");
static_assert(CORE_NAME_SIZE_MAX + 1 + 4 <= KEY_SIZE_MAX, "a policy's key must fit");

struct span key_span(const struct key *key)
{
    return span_of(key->bytes, key->size);
}

static void append(struct key *key, const void *bytes, size_t size)
{
    ASSERT(size <= KEY_SIZE_MAX - key->size);
    if (size > 0) {
        memcpy(key->bytes + key->size, bytes, size);
    }
    key->size += size;
}

static void append_u64(struct key *key, uint64_t number)
{
    uint8_t bytes[8];

    pack_key_u64(bytes, number);
    append(key, bytes, sizeof bytes);
}

struct key key_request(const struct request_id *id)
{
    struct key key = {.size = 0};

    append(&key, id->bytes, REQUEST_ID_SIZE);
    return key;
}

struct key key_deadline(uint64_t deadline_ms, const struct request_id *id)
{
    struct key key = {.size = 0};

    append_u64(&key, deadline_ms);
    append(&key, id->bytes, REQUEST_ID_SIZE);
    return key;
}

bool key_deadline_parse(struct span bytes, uint64_t *ret_deadline_ms, struct request_id *ret_id)
{
    if (bytes.size != 8 + REQUEST_ID_SIZE) {
        return false;
    }
    *ret_deadline_ms = unpack_key_u64((const uint8_t *)bytes.data);
    memcpy(ret_id->bytes, bytes.data + 8, REQUEST_ID_SIZE);
    return true;
}

struct key key_row(const struct request_id *id, enum surface surface, struct span target)
{
    uint8_t number = (uint8_t)surface;
    struct key key = key_request(id);

    append(&key, &number, 1);
    append(&key, target.data, target.size);
    return key;
}

bool key_is_of_request(struct span bytes, const struct request_id *id)
{
    return bytes.size >= REQUEST_ID_SIZE && memcmp(bytes.data, id->bytes, REQUEST_ID_SIZE) == 0;
}

struct key key_u64(uint64_t number)
{
    struct key key = {.size = 0};

    append_u64(&key, number);
    return key;
}

bool key_u64_parse(struct span bytes, uint64_t *ret_number)
{
    if (bytes.size != 8) {
        return false;
    }
    *ret_number = unpack_key_u64((const uint8_t *)bytes.data);
    return true;
}

struct key key_waiting(const struct request_id *id, enum verdict verdict, uint64_t seq)
{
    uint8_t number = (uint8_t)verdict;
    struct key key = key_request(id);

    append(&key, &number, 1);
    append_u64(&key, seq);
    return key;
}

bool key_waiting_parse(struct span bytes,
                       const struct request_id *id,
                       enum verdict verdict,
                       uint64_t *ret_seq)
{
    if (bytes.size != REQUEST_ID_SIZE + 9 || !key_is_of_request(bytes, id) ||
        (uint8_t)bytes.data[REQUEST_ID_SIZE] != (uint8_t)verdict) {
        return false;
    }
    *ret_seq = unpack_key_u64((const uint8_t *)bytes.data + REQUEST_ID_SIZE + 1);
    return true;
}

struct key key_policy(struct span name, uint32_t version)
{
    uint8_t bytes[5] = {0};
    struct key key = key_text(name);

    pack_key_u32(bytes + 1, version);
    append(&key, bytes, sizeof bytes);
    return key;
}

struct key key_delegation(struct span to, uint64_t id)
{
    uint8_t nul = 0;
    struct key key = key_text(to);

    append(&key, &nul, 1);
    append_u64(&key, id);
    return key;
}

bool key_is_delegation_to(struct span bytes, struct span to)
{
    return bytes.size == to.size + 9 && memcmp(bytes.data, to.data, to.size) == 0 &&
           bytes.data[to.size] == '\0';
}

struct key key_text(struct span text)
{
    struct key key = {.size = 0};

    append(&key, text.data, text.size);
    return key;
}

void intent_make(uint64_t token_id, struct span idempotency_key, uint8_t ret_intent[INTENT_SIZE])
{
    uint8_t token[8];
    struct span parts[2] = {span_of(token, sizeof token), idempotency_key};

    pack_key_u64(token, token_id);
    crypto_sha256_parts(parts, 2, ret_intent);
}

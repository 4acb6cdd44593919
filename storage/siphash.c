/* SPDX-License-Identifier: Apache-2.0 */
/* siphash.c: SipHash-2-4-128 after Aumasson and Bernstein's reference.
 * Owns the rounds. Never allocates, never keeps state. */
#include "storage/siphash.h"

#include <endian.h>
#include <string.h>

struct sip {
    uint64_t v0;
    uint64_t v1;
    uint64_t v2;
    uint64_t v3;
};

static inline uint64_t rotate(uint64_t value, unsigned count)
{
    return (value << count) | (value >> (64 - count));
}

static inline uint64_t load(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static inline void store(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static inline void sip_rounds(struct sip *s, unsigned count)
{
    for (; count > 0; count--) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

void siphash(const uint8_t key[16], const void *bytes, size_t size, uint8_t ret_hash[16])
{
    const uint8_t *at = bytes;
    uint64_t k0 = load(key);
    uint64_t k1 = load(key + 8);
    uint64_t last = (uint64_t)size << 56;
    struct sip s = {.v0 = k0 ^ 0x736f6d6570736575U,
                    .v1 = k1 ^ 0x646f72616e646f6dU ^ 0xeeU,
                    .v2 = k0 ^ 0x6c7967656e657261U,
                    .v3 = k1 ^ 0x7465646279746573U};

    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word = load(at);

        s.v3 ^= word;
        sip_rounds(&s, 2);
        s.v0 ^= word;
    }
    for (size_t i = 0; i < size; i++) {
        last |= (uint64_t)at[i] << (8 * i);
    }
    s.v3 ^= last;
    sip_rounds(&s, 2);
    s.v0 ^= last;
    s.v2 ^= 0xee;
    sip_rounds(&s, 4);
    store(ret_hash, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
    s.v1 ^= 0xdd;
    sip_rounds(&s, 4);
    store(ret_hash + 8, s.v0 ^ s.v1 ^ s.v2 ^ s.v3);
}

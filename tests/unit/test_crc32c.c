/* SPDX-License-Identifier: Apache-2.0 */
/* test_crc32c.c: proves base/crc32c and storage/siphash against published vectors.
 * Owns nothing but its cases. Never touches a file. */
#include "base/crc32c.h"
#include "storage/siphash.h"
#include "tests/unit/unit.h"

#include <string.h>

static void the_published_vectors_come_out(void)
{
    uint8_t bytes[32] = {0};

    /* RFC 3720, B.4 */
    CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    CU_ASSERT_EQUAL(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    CU_ASSERT_EQUAL(crc32c(0, "123456789", 9), 0xe3069283);
}

static void the_instruction_and_the_table_agree(void)
{
    uint8_t bytes[257];

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t size = 0; size <= sizeof bytes; size++) {
        CU_ASSERT_EQUAL(crc32c(7, bytes, size), crc32c_portable(7, bytes, size));
    }
}

static void a_sum_goes_on_where_it_stopped(void)
{
    CU_ASSERT_EQUAL(crc32c(crc32c(0, "12345", 5), "6789", 4), 0xe3069283);
}

static void siphash_gives_the_reference_vectors(void)
{
    static const uint8_t empty[16] = {0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6,
                                      0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93};
    static const uint8_t one[16] = {0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44,
                                    0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45};
    uint8_t key[16];
    uint8_t hash[16];

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    siphash(key, "", 0, hash);
    CU_ASSERT_EQUAL(memcmp(hash, empty, sizeof hash), 0);
    siphash(key, "\0", 1, hash);
    CU_ASSERT_EQUAL(memcmp(hash, one, sizeof hash), 0);
}

static void siphash_tells_every_bit_and_size_apart(void)
{
    uint8_t key[16] = {1};
    uint8_t bytes[24] = {0};
    uint8_t hash[16];
    uint8_t other[16];

    siphash(key, bytes, sizeof bytes, hash);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        siphash(key, bytes, sizeof bytes, other);
        CU_ASSERT_NOT_EQUAL(memcmp(hash, other, sizeof hash), 0);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t size = 0; size < sizeof bytes; size++) {
        siphash(key, bytes, size, other);
        CU_ASSERT_NOT_EQUAL(memcmp(hash, other, sizeof hash), 0);
    }
}

UNIT_MAIN("crc32c and siphash",
          {"the published vectors come out", the_published_vectors_come_out},
          {"the instruction and the table agree", the_instruction_and_the_table_agree},
          {"a sum goes on where it stopped", a_sum_goes_on_where_it_stopped},
          {"SipHash gives the reference vectors", siphash_gives_the_reference_vectors},
          {"SipHash tells every bit and size apart", siphash_tells_every_bit_and_size_apart})

/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.c: the Castagnoli checksum.
 * Owns the choice between the processor's instruction and a table.
 * Never allocates, keeps no state.
 * No library: Debian has none in C that is smaller than these two loops. */
#include "base/crc32c.h"

#include <string.h>

/* Half-byte table of the reflected polynomial 0x82F63B78: 64 bytes, no start-up work. */
static const uint32_t crc_table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        crc = (crc >> 4) ^ crc_table[crc & 15];
        crc = (crc >> 4) ^ crc_table[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
crc32c_sse42(uint32_t crc, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint64_t sum = ~crc;

    while (size >= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
        at += 8;
        size -= 8;
    }
    while (size > 0) {
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *at);
        at++;
        size--;
    }
    return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    if (__builtin_cpu_supports("sse4.2")) {
        return crc32c_sse42(crc, bytes, size);
    }
    return crc32c_portable(crc, bytes, size);
}
#else
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return crc32c_portable(crc, bytes, size);
}
#endif

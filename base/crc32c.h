/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h: the Castagnoli checksum, for bytes that a disk may have damaged. Not for hostile
 * change. Pure. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc (0 at the start) over size bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);
/* The same result without the processor's instruction: the fallback, visible for its test. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* twocopy.h: a small vital record that is kept as two alternating copies, so that a crash while one
 * is written leaves the other. Pure: bytes in, bytes out; the files are the caller's.
 *
 * A copy, little-endian:
 *
 *    0     magic, 8 bytes
 *    8 u32 CRC32C of bytes 12 to the end
 *   12 u32 format version
 *   16 u64 sequence number, from 1 on: of two whole copies the higher one counts
 *   24     body
 *
 * How to use it: a new value goes over the copy that does not count, with the next sequence number,
 * and is synced before anybody acts on it. A copy that does not exist yet is made under another
 * name, synced and renamed, so that none is ever there in part. */
#ifndef BASE_TWOCOPY_H
#define BASE_TWOCOPY_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

#define TWOCOPY_HEADER_SIZE 24UL

struct twocopy_format {
    char magic[8];
    uint32_t version;
    size_t size; /* of a copy, header and body */
};

/* Fills the header of a copy whose body lies behind it already. sequence > 0. */
void twocopy_seal(const struct twocopy_format *format, uint64_t sequence, uint8_t *copy);

struct twocopy_choice {
    uint32_t index; /* the copy that counts; the next one is written over 1 - index */
    uint64_t sequence;
    struct span body; /* borrowed from the copy */
};

/* Looks at both copies, as they were read whole (SPAN_NONE: there is no such file). ERR_NOT_FOUND
 * (no message): there is none at all; ERR_CORRUPT: no whole one, or a whole one of another magic or
 * version. */
enum err_code twocopy_choose(const struct twocopy_format *format,
                             const struct span copies[2],
                             struct twocopy_choice *ret_choice,
                             struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h: little-endian encoding and bounds-checked decoding of our own binary formats.
 *
 * Writing appends to a struct buf. Reading walks a span with a cursor that remembers the first
 * failure: after one, every read returns zero or an empty span and pack_done says no. So a decoder
 * reads all its fields in a row and checks once, and never over-reads. */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

enum err_code pack_u8(struct buf *buf, uint8_t value, struct err *err) WARN_UNUSED;
enum err_code pack_u16(struct buf *buf, uint16_t value, struct err *err) WARN_UNUSED;
enum err_code pack_u32(struct buf *buf, uint32_t value, struct err *err) WARN_UNUSED;
enum err_code pack_u64(struct buf *buf, uint64_t value, struct err *err) WARN_UNUSED;
/* A u16 length, then the bytes; more than 65,535 is ERR_TOO_LARGE. */
enum err_code pack_text(struct buf *buf, struct span text, struct err *err) WARN_UNUSED;
/* The bytes alone. */
enum err_code
pack_bytes(struct buf *buf, const void *bytes, size_t size, struct err *err) WARN_UNUSED;

struct unpack {
    const uint8_t *at;
    size_t left; /* bytes */
    bool failed;
};

void unpack_init(struct unpack *unpack, struct span bytes);
uint8_t unpack_u8(struct unpack *unpack);
uint16_t unpack_u16(struct unpack *unpack);
uint32_t unpack_u32(struct unpack *unpack);
uint64_t unpack_u64(struct unpack *unpack);
/* Borrowed from the span given to unpack_init. */
struct span unpack_text(struct unpack *unpack);
struct span unpack_bytes(struct unpack *unpack, size_t size);
/* Copies exactly size bytes; zeros on failure. */
void unpack_copy(struct unpack *unpack, void *target, size_t size);
/* True when nothing failed so far. */
bool unpack_ok(const struct unpack *unpack);
/* True when nothing failed and nothing is left over. */
bool unpack_done(const struct unpack *unpack);

/* Big-endian numbers sort as keys in byte order. */
void pack_key_u64(uint8_t key[8], uint64_t value);
uint64_t unpack_key_u64(const uint8_t key[8]);
void pack_key_u32(uint8_t key[4], uint32_t value);
uint32_t unpack_key_u32(const uint8_t key[4]);

#endif

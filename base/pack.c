/* SPDX-License-Identifier: Apache-2.0 */
/* pack.c: binary encoding and decoding.
 * Owns byte order and bounds of our formats.
 * Never knows what a field means, never allocates except through the buffer it appends to. */
#include "base/pack.h"

#include "base/buf.h"

#include <endian.h>
#include <string.h>

static enum err_code pack_number(struct buf *buf, uint64_t value, size_t size, struct err *err)
{
    value = htole64(value);
    return buf_append(buf, &value, size, err); /* the lowest bytes come first */
}

enum err_code pack_u8(struct buf *buf, uint8_t value, struct err *err)
{
    return pack_number(buf, value, 1, err);
}

enum err_code pack_u16(struct buf *buf, uint16_t value, struct err *err)
{
    return pack_number(buf, value, 2, err);
}

enum err_code pack_u32(struct buf *buf, uint32_t value, struct err *err)
{
    return pack_number(buf, value, 4, err);
}

enum err_code pack_u64(struct buf *buf, uint64_t value, struct err *err)
{
    return pack_number(buf, value, 8, err);
}

enum err_code pack_text(struct buf *buf, struct span text, struct err *err)
{
    enum err_code rc;

    if (text.size > UINT16_MAX) {
        return err_set(err, ERR_TOO_LARGE, "text of %zu bytes", text.size);
    }
    rc = pack_u16(buf, (uint16_t)text.size, err);
    if (rc != ERR_OK) {
        return rc;
    }
    return buf_append_span(buf, text, err);
}

enum err_code pack_bytes(struct buf *buf, const void *bytes, size_t size, struct err *err)
{
    return buf_append(buf, bytes, size, err);
}

void unpack_init(struct unpack *unpack, struct span bytes)
{
    unpack->at = (const uint8_t *)bytes.data;
    unpack->left = bytes.size;
    unpack->failed = false;
}

struct span unpack_bytes(struct unpack *unpack, size_t size)
{
    struct span bytes;

    if (unpack->failed || size > unpack->left) {
        unpack->failed = true;
        return SPAN_NONE;
    }
    bytes = span_of(unpack->at, size);
    if (size > 0) {
        unpack->at += size;
        unpack->left -= size;
    }
    return bytes;
}

static uint64_t unpack_number(struct unpack *unpack, size_t size)
{
    struct span bytes = unpack_bytes(unpack, size);
    uint64_t value = 0;

    if (bytes.size > 0) {
        memcpy(&value, bytes.data, bytes.size);
    }
    return le64toh(value);
}

uint8_t unpack_u8(struct unpack *unpack)
{
    return (uint8_t)unpack_number(unpack, 1);
}

uint16_t unpack_u16(struct unpack *unpack)
{
    return (uint16_t)unpack_number(unpack, 2);
}

uint32_t unpack_u32(struct unpack *unpack)
{
    return (uint32_t)unpack_number(unpack, 4);
}

uint64_t unpack_u64(struct unpack *unpack)
{
    return unpack_number(unpack, 8);
}

struct span unpack_text(struct unpack *unpack)
{
    return unpack_bytes(unpack, unpack_u16(unpack));
}

void unpack_copy(struct unpack *unpack, void *target, size_t size)
{
    struct span bytes = unpack_bytes(unpack, size);

    if (unpack->failed) {
        memset(target, 0, size);
    } else if (size > 0) {
        memcpy(target, bytes.data, size);
    }
}

bool unpack_ok(const struct unpack *unpack)
{
    return !unpack->failed;
}

bool unpack_done(const struct unpack *unpack)
{
    return !unpack->failed && unpack->left == 0;
}

void pack_key_u64(uint8_t key[8], uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        key[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

uint64_t unpack_key_u64(const uint8_t key[8])
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | key[i];
    }
    return value;
}

void pack_key_u32(uint8_t key[4], uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        key[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

uint32_t unpack_key_u32(const uint8_t key[4])
{
    return (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
}

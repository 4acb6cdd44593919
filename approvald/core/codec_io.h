/* SPDX-License-Identifier: Apache-2.0 */
/* codec_io.h: base/pack.h with one check at the end, for the codecs of this folder. A writer
 * remembers its first failure as struct unpack does for a reader. */
#ifndef APPROVALD_CORE_CODEC_IO_H
#define APPROVALD_CORE_CODEC_IO_H

#include "base/err.h"
#include "base/pack.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct codec_writer {
    struct buf *buf;  /* borrowed */
    struct err *err;  /* borrowed, may be NULL */
    enum err_code rc; /* of the first failure */
};

static inline void codec_u8(struct codec_writer *writer, uint8_t value)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_u8(writer->buf, value, writer->err);
    }
}

static inline void codec_u16(struct codec_writer *writer, uint16_t value)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_u16(writer->buf, value, writer->err);
    }
}

static inline void codec_u32(struct codec_writer *writer, uint32_t value)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_u32(writer->buf, value, writer->err);
    }
}

static inline void codec_u64(struct codec_writer *writer, uint64_t value)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_u64(writer->buf, value, writer->err);
    }
}

static inline void codec_text(struct codec_writer *writer, struct span text)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_text(writer->buf, text, writer->err);
    }
}

static inline void codec_bytes(struct codec_writer *writer, const void *bytes, size_t size)
{
    if (writer->rc == ERR_OK) {
        writer->rc = pack_bytes(writer->buf, bytes, size, writer->err);
    }
}

static inline void
codec_texts(struct codec_writer *writer, const struct span *texts, uint32_t count)
{
    codec_u8(writer, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        codec_text(writer, texts[i]);
    }
}

/* A reader's count, refused past the bound of its array. */
static inline uint32_t codec_count(struct unpack *unpack, uint32_t count_max)
{
    uint32_t count = unpack_u8(unpack);

    if (count > count_max) {
        unpack->failed = true;
        return 0;
    }
    return count;
}

/* A number that must be at most max. */
static inline uint8_t codec_range(struct unpack *unpack, uint8_t min, uint8_t max)
{
    uint8_t value = unpack_u8(unpack);

    if (value < min || value > max) {
        unpack->failed = true;
        return min;
    }
    return value;
}

static inline bool codec_bool(struct unpack *unpack)
{
    return codec_range(unpack, 0, 1) == 1;
}

static inline uint32_t
codec_read_texts(struct unpack *unpack, struct span *ret_texts, uint32_t count_max)
{
    uint32_t count = codec_count(unpack, count_max);

    for (uint32_t i = 0; i < count; i++) {
        ret_texts[i] = unpack_text(unpack);
    }
    return count;
}

/* A hash of 32 bytes or nothing. */
static inline struct span codec_read_hash(struct unpack *unpack)
{
    struct span hash = unpack_text(unpack);

    if (hash.size != 0 && hash.size != 32) {
        unpack->failed = true;
    }
    return hash;
}

static inline enum err_code
codec_end(const struct unpack *unpack, const char *what, struct err *err)
{
    if (!unpack_done(unpack)) {
        return err_set(err, ERR_CORRUPT, "stored %s does not decode", what);
    }
    return ERR_OK;
}

#endif

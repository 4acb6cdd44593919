/* SPDX-License-Identifier: Apache-2.0 */
/* codec_need.h: a need in stored records: text name | u8 quorum | u8 alternative. */
#ifndef APPROVALD_CORE_CODEC_NEED_H
#define APPROVALD_CORE_CODEC_NEED_H

#include "approvald/core/codec_io.h"
#include "approvald/core/types.h"

static inline void codec_need_write(struct codec_writer *writer, const struct need *need)
{
    codec_text(writer, need->name);
    codec_u8(writer, (uint8_t)need->quorum);
    codec_u8(writer, (uint8_t)need->alternative);
}

/* previous: the need before it, or NULL for the first. */
static inline void
codec_need_read(struct unpack *unpack, const struct need *previous, struct need *need)
{
    uint8_t min = previous == NULL ? 0 : (uint8_t)previous->alternative;

    need->name = unpack_text(unpack);
    need->quorum = codec_range(unpack, 1, CORE_QUORUM_MAX);
    need->alternative = codec_range(unpack, min, previous == NULL ? 0 : (uint8_t)(min + 1));
}

/* True when bits stand for items beyond the count. */
static inline bool codec_bits_past(uint64_t bits, uint32_t count)
{
    return count < 64 && bits >> count != 0;
}

#endif

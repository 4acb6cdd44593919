/* SPDX-License-Identifier: Apache-2.0 */
/* codec_outbox.c: the stored form of an outbox row.
 * Owns its layout: u8 version (1) | 16 request | u8 surface | text target | u32 wanted, sent |
 *   text channel, ts | u8 flags (1 attempted, 2 dead) | u64 owed_ms, attempt_ms | u32 attempts |
 *   text error | list of (u32 id | u64 at_ms | u16 kind | text user, text) | u32 reposts, u32
 *   repairs: only when one is not 0 (older records have none)
 * Never decides what is owed: outbox.h does. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

enum row_flag { FLAG_ATTEMPTED = 1, FLAG_DEAD = 2, FLAG_ALL = 3 };

enum err_code codec_row_encode(const struct outbox_row *row, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(row != NULL);
    ASSERT(row->item_count <= CORE_OUTBOX_ITEM_COUNT_MAX);
    codec_u8(&writer, VERSION);
    codec_bytes(&writer, row->request.bytes, REQUEST_ID_SIZE);
    codec_u8(&writer, (uint8_t)row->surface);
    codec_text(&writer, row->target);
    codec_u32(&writer, row->wanted);
    codec_u32(&writer, row->sent);
    codec_text(&writer, row->channel);
    codec_text(&writer, row->ts);
    codec_u8(&writer, (uint8_t)((row->attempted ? 1U : 0U) | (row->dead ? 2U : 0U)));
    codec_u64(&writer, row->owed_ms);
    codec_u64(&writer, row->attempt_ms);
    codec_u32(&writer, row->attempts);
    codec_text(&writer, row->error);
    codec_u8(&writer, (uint8_t)row->item_count);
    for (uint32_t i = 0; i < row->item_count; i++) {
        codec_u32(&writer, row->items[i].id);
        codec_u64(&writer, row->items[i].at_ms);
        codec_u16(&writer, (uint16_t)row->items[i].kind);
        codec_text(&writer, row->items[i].user);
        codec_text(&writer, row->items[i].text);
    }
    if (row->reposts > 0 || row->repairs > 0) {
        codec_u32(&writer, row->reposts);
        codec_u32(&writer, row->repairs);
    }
    return writer.rc;
}

static void read_items(struct unpack *unpack, struct outbox_row *row)
{
    row->item_count = codec_count(unpack, CORE_OUTBOX_ITEM_COUNT_MAX);
    for (uint32_t i = 0; i < row->item_count; i++) {
        row->items[i].id = unpack_u32(unpack);
        row->items[i].at_ms = unpack_u64(unpack);
        row->items[i].kind = unpack_u16(unpack);
        row->items[i].user = unpack_text(unpack);
        row->items[i].text = unpack_text(unpack);
    }
}

enum err_code codec_row_decode(struct span bytes, struct outbox_row *ret_row, struct err *err)
{
    struct unpack unpack;
    uint8_t flags;

    ASSERT(ret_row != NULL);
    memset(ret_row, 0, sizeof *ret_row);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    unpack_copy(&unpack, ret_row->request.bytes, REQUEST_ID_SIZE);
    ret_row->surface = codec_range(&unpack, SURFACE_CARD, SURFACE_PEOPLE);
    ret_row->target = unpack_text(&unpack);
    ret_row->wanted = unpack_u32(&unpack);
    ret_row->sent = unpack_u32(&unpack);
    ret_row->channel = unpack_text(&unpack);
    ret_row->ts = unpack_text(&unpack);
    flags = codec_range(&unpack, 0, FLAG_ALL);
    ret_row->attempted = (flags & FLAG_ATTEMPTED) != 0;
    ret_row->dead = (flags & FLAG_DEAD) != 0;
    ret_row->owed_ms = unpack_u64(&unpack);
    ret_row->attempt_ms = unpack_u64(&unpack);
    ret_row->attempts = unpack_u32(&unpack);
    ret_row->error = unpack_text(&unpack);
    read_items(&unpack, ret_row);
    if (unpack.left > 0) {
        ret_row->reposts = unpack_u32(&unpack);
        ret_row->repairs = unpack_u32(&unpack);
        /* Two zeroes are not written. */
        unpack.failed = unpack.failed || (ret_row->reposts == 0 && ret_row->repairs == 0);
    }
    if (ret_row->target.size > CORE_NAME_SIZE_MAX) {
        unpack.failed = true; /* a target is part of a key of fixed room */
    }
    return codec_end(&unpack, "outbox row", err);
}

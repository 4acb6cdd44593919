/* SPDX-License-Identifier: Apache-2.0 */
/* codec_windows.c: windows, holds and freezes.
 * Owns their layouts: of a request: u64 until | text freeze, reason;
 *   of a policy: list of (u8 days | u16 from | u16 to) | text zone | u8 refuse;
 *   a freeze, a record of its own: u8 version (1) | text name | u64 from, to | u8 glass_passes |
 *   text reason | u64 added_ms | text added_by.
 * Never knows a zone of time. */
#include "approvald/core/codec_windows.h"

#include "approvald/core/freeze.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

bool codec_request_hold_set(const struct request_hold *hold)
{
    return hold->until_ms != 0;
}

bool codec_policy_windows_set(const struct policy_windows *windows)
{
    return windows->count > 0 || windows->refuse;
}

void codec_request_hold_write(struct codec_writer *writer, const struct request_hold *hold)
{
    codec_u64(writer, hold->until_ms);
    codec_text(writer, hold->freeze);
    codec_text(writer, hold->reason);
}

void codec_request_hold_read(struct unpack *unpack, struct request_hold *ret_hold)
{
    ret_hold->until_ms = unpack_u64(unpack);
    ret_hold->freeze = unpack_text(unpack);
    ret_hold->reason = unpack_text(unpack);
    if (!codec_request_hold_set(ret_hold)) {
        unpack->failed = true;
    }
}

void codec_policy_windows_write(struct codec_writer *writer, const struct policy_windows *windows)
{
    ASSERT(windows->count <= CORE_WINDOW_COUNT_MAX);
    codec_u8(writer, (uint8_t)windows->count);
    for (uint32_t i = 0; i < windows->count; i++) {
        codec_u8(writer, (uint8_t)windows->items[i].days);
        codec_u16(writer, (uint16_t)windows->items[i].from_min);
        codec_u16(writer, (uint16_t)windows->items[i].to_min);
    }
    codec_text(writer, windows->zone);
    codec_u8(writer, windows->refuse ? 1 : 0);
}

static uint32_t read_minute(struct unpack *unpack, uint32_t min, uint32_t max)
{
    uint32_t minute = unpack_u16(unpack);

    if (minute < min || minute > max) {
        unpack->failed = true;
    }
    return minute;
}

void codec_policy_windows_read(struct unpack *unpack, struct policy_windows *ret_windows)
{
    ret_windows->count = codec_count(unpack, CORE_WINDOW_COUNT_MAX);
    for (uint32_t i = 0; i < ret_windows->count; i++) {
        ret_windows->items[i].days = codec_range(unpack, 1, 127);
        ret_windows->items[i].from_min = read_minute(unpack, 0, 1439);
        ret_windows->items[i].to_min = read_minute(unpack, 1, 1440);
    }
    ret_windows->zone = unpack_text(unpack);
    ret_windows->refuse = codec_bool(unpack);
    if (!codec_policy_windows_set(ret_windows) ||
        (ret_windows->count > 0) != (ret_windows->zone.size > 0)) {
        unpack->failed = true;
    }
}

enum err_code codec_freeze_encode(const struct freeze *freeze, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    codec_u8(&writer, VERSION);
    codec_text(&writer, freeze->name);
    codec_u64(&writer, freeze->from_ms);
    codec_u64(&writer, freeze->to_ms);
    codec_u8(&writer, freeze->glass_passes ? 1 : 0);
    codec_text(&writer, freeze->reason);
    codec_u64(&writer, freeze->added_ms);
    codec_text(&writer, freeze->added_by);
    return writer.rc;
}

enum err_code codec_freeze_decode(struct span bytes, struct freeze *ret_freeze, struct err *err)
{
    struct unpack unpack;

    memset(ret_freeze, 0, sizeof *ret_freeze);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_freeze->name = unpack_text(&unpack);
    ret_freeze->from_ms = unpack_u64(&unpack);
    ret_freeze->to_ms = unpack_u64(&unpack);
    ret_freeze->glass_passes = codec_bool(&unpack);
    ret_freeze->reason = unpack_text(&unpack);
    ret_freeze->added_ms = unpack_u64(&unpack);
    ret_freeze->added_by = unpack_text(&unpack);
    if (ret_freeze->name.size == 0 || ret_freeze->name.size > CORE_NAME_SIZE_MAX ||
        ret_freeze->from_ms >= ret_freeze->to_ms) {
        unpack.failed = true; /* freeze_check lets none of them in */
    }
    return codec_end(&unpack, "freeze", err);
}

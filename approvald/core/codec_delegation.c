/* SPDX-License-Identifier: Apache-2.0 */
/* codec_delegation.c: the stored form of a delegation.
 * Owns its layout: u8 version (1) | u64 id | text from, to | u64 begin_ms, end_ms, made_ms |
 *   text made_by.
 * Never judges its dates. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

enum err_code
codec_delegation_encode(const struct delegation *delegation, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(delegation != NULL);
    codec_u8(&writer, VERSION);
    codec_u64(&writer, delegation->id);
    codec_text(&writer, delegation->from);
    codec_text(&writer, delegation->to);
    codec_u64(&writer, delegation->begin_ms);
    codec_u64(&writer, delegation->end_ms);
    codec_u64(&writer, delegation->made_ms);
    codec_text(&writer, delegation->made_by);
    return writer.rc;
}

enum err_code
codec_delegation_decode(struct span bytes, struct delegation *ret_delegation, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_delegation != NULL);
    memset(ret_delegation, 0, sizeof *ret_delegation);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_delegation->id = unpack_u64(&unpack);
    ret_delegation->from = unpack_text(&unpack);
    ret_delegation->to = unpack_text(&unpack);
    ret_delegation->begin_ms = unpack_u64(&unpack);
    ret_delegation->end_ms = unpack_u64(&unpack);
    ret_delegation->made_ms = unpack_u64(&unpack);
    ret_delegation->made_by = unpack_text(&unpack);
    if (ret_delegation->from.size > CORE_SLACK_ID_SIZE_MAX ||
        ret_delegation->to.size > CORE_SLACK_ID_SIZE_MAX ||
        ret_delegation->begin_ms >= ret_delegation->end_ms) {
        unpack.failed = true; /* no delegation that is stored has these */
    }
    return codec_end(&unpack, "delegation", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_step_up.c: the stored form of a person's enrolment for one-time codes.
 * Owns its layout: u8 version (1) | text user | u64 enrolled_ms | text enrolled_by | 12 nonce |
 *   text sealed seed | u64 last_step | u32 failures | u64 locked_ms.
 * Never sees the seed, only what it is sealed to. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

enum err_code codec_step_up_encode(const struct step_up *step_up, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(step_up != NULL);
    codec_u8(&writer, VERSION);
    codec_text(&writer, step_up->user);
    codec_u64(&writer, step_up->enrolled_ms);
    codec_text(&writer, step_up->enrolled_by);
    codec_bytes(&writer, step_up->nonce, sizeof step_up->nonce);
    codec_text(&writer, step_up->sealed);
    codec_u64(&writer, step_up->state.last_step);
    codec_u32(&writer, step_up->state.failures);
    codec_u64(&writer, step_up->state.locked_ms);
    return writer.rc;
}

enum err_code codec_step_up_decode(struct span bytes, struct step_up *ret_step_up, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_step_up != NULL);
    memset(ret_step_up, 0, sizeof *ret_step_up);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_step_up->user = unpack_text(&unpack);
    ret_step_up->enrolled_ms = unpack_u64(&unpack);
    ret_step_up->enrolled_by = unpack_text(&unpack);
    unpack_copy(&unpack, ret_step_up->nonce, sizeof ret_step_up->nonce);
    ret_step_up->sealed = unpack_text(&unpack);
    ret_step_up->state.last_step = unpack_u64(&unpack);
    ret_step_up->state.failures = unpack_u32(&unpack);
    ret_step_up->state.locked_ms = unpack_u64(&unpack);
    if (ret_step_up->user.size > CORE_SLACK_ID_SIZE_MAX ||
        ret_step_up->sealed.size != TOTP_SEED_SIZE + CRYPTO_TAG_SIZE) {
        unpack.failed = true; /* none that is stored has these */
    }
    return codec_end(&unpack, "enrolment", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_token.c: the stored form of an API token.
 * Owns its layout: u8 version (1) | u64 id | 32 hash | text name | u8 flags (1 ask, 2 decide,
 *   4 read, 8 revoked) | text user | list of text policies | u32 rate_per_minute |
 *   u64 created_ms, expires_ms
 * Never sees a secret, only its hash. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

enum token_flag { FLAG_ASK = 1, FLAG_DECIDE = 2, FLAG_READ = 4, FLAG_REVOKED = 8, FLAG_ALL = 15 };

static uint8_t token_flags(const struct token_record *token)
{
    unsigned int flags = 0;

    flags |= token->may_ask ? FLAG_ASK : 0U;
    flags |= token->may_decide ? FLAG_DECIDE : 0U;
    flags |= token->may_read ? FLAG_READ : 0U;
    flags |= token->revoked ? FLAG_REVOKED : 0U;
    return (uint8_t)flags;
}

enum err_code codec_token_encode(const struct token_record *token, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(token != NULL);
    ASSERT(token->policy_count <= CORE_TOKEN_POLICY_COUNT_MAX);
    codec_u8(&writer, VERSION);
    codec_u64(&writer, token->id);
    codec_bytes(&writer, token->hash, sizeof token->hash);
    codec_text(&writer, token->name);
    codec_u8(&writer, token_flags(token));
    codec_text(&writer, token->user);
    codec_texts(&writer, token->policies, token->policy_count);
    codec_u32(&writer, token->rate_per_minute);
    codec_u64(&writer, token->created_ms);
    codec_u64(&writer, token->expires_ms);
    return writer.rc;
}

enum err_code codec_token_decode(struct span bytes, struct token_record *ret_token, struct err *err)
{
    struct unpack unpack;
    uint8_t flags;

    ASSERT(ret_token != NULL);
    memset(ret_token, 0, sizeof *ret_token);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_token->id = unpack_u64(&unpack);
    unpack_copy(&unpack, ret_token->hash, sizeof ret_token->hash);
    ret_token->name = unpack_text(&unpack);
    flags = codec_range(&unpack, 0, FLAG_ALL);
    ret_token->may_ask = (flags & FLAG_ASK) != 0;
    ret_token->may_decide = (flags & FLAG_DECIDE) != 0;
    ret_token->may_read = (flags & FLAG_READ) != 0;
    ret_token->revoked = (flags & FLAG_REVOKED) != 0;
    ret_token->user = unpack_text(&unpack);
    ret_token->policy_count =
        codec_read_texts(&unpack, ret_token->policies, CORE_TOKEN_POLICY_COUNT_MAX);
    ret_token->rate_per_minute = unpack_u32(&unpack);
    ret_token->created_ms = unpack_u64(&unpack);
    ret_token->expires_ms = unpack_u64(&unpack);
    return codec_end(&unpack, "token", err);
}

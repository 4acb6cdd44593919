/* SPDX-License-Identifier: Apache-2.0 */
/* codec_glass.c: the broken glass, as a section of other records.
 * Owns its layouts: of a request: u64 at | u8 via | text user, reason;
 *   of a policy: u8 root | list of text users | text channel | list of text tells.
 * Never judges who may break it. */
#include "approvald/core/codec_glass.h"

#include "base/assert.h"

bool codec_request_glass_set(const struct request_glass *glass)
{
    return glass->at_ms != 0;
}

bool codec_policy_glass_set(const struct policy_glass *glass)
{
    return glass->root || glass->user_count > 0 || glass->channel.size > 0 || glass->tell_count > 0;
}

void codec_request_glass_write(struct codec_writer *writer, const struct request_glass *glass)
{
    codec_u64(writer, glass->at_ms);
    codec_u8(writer, (uint8_t)glass->via);
    codec_text(writer, glass->user);
    codec_text(writer, glass->reason);
}

void codec_request_glass_read(struct unpack *unpack, struct request_glass *ret_glass)
{
    ret_glass->at_ms = unpack_u64(unpack);
    ret_glass->via = codec_range(unpack, VIA_SLACK, VIA_SYSTEM);
    ret_glass->user = unpack_text(unpack);
    ret_glass->reason = unpack_text(unpack);
    if (!codec_request_glass_set(ret_glass)) {
        unpack->failed = true;
    }
}

void codec_policy_glass_write(struct codec_writer *writer, const struct policy_glass *glass)
{
    ASSERT(glass->user_count <= CORE_GLASS_USER_COUNT_MAX);
    ASSERT(glass->tell_count <= CORE_GLASS_TELL_COUNT_MAX);
    codec_u8(writer, glass->root ? 1 : 0);
    codec_texts(writer, glass->users, glass->user_count);
    codec_text(writer, glass->channel);
    codec_texts(writer, glass->tells, glass->tell_count);
}

void codec_policy_glass_read(struct unpack *unpack, struct policy_glass *ret_glass)
{
    ret_glass->root = codec_bool(unpack);
    ret_glass->user_count = codec_read_texts(unpack, ret_glass->users, CORE_GLASS_USER_COUNT_MAX);
    ret_glass->channel = unpack_text(unpack);
    ret_glass->tell_count = codec_read_texts(unpack, ret_glass->tells, CORE_GLASS_TELL_COUNT_MAX);
    if (!codec_policy_glass_set(ret_glass)) {
        unpack->failed = true;
    }
}

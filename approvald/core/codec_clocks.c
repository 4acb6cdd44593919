/* SPDX-License-Identifier: Apache-2.0 */
/* codec_clocks.c: what time does, as a section of other records.
 * Owns its layouts: of a request: u64 remind, escalate, escalated, effect_from, effect;
 *   of a policy: u64 remind_before, escalate_after, effect_after | text escalate_channel |
 *   lists of text escalate_users, escalate_groups | u8 recheck.
 * Never judges whether the times make sense. */
#include "approvald/core/codec_clocks.h"

#include "base/assert.h"

bool codec_request_clocks_set(const struct request_clocks *clocks)
{
    return (clocks->remind_ms | clocks->escalate_ms | clocks->escalated_ms |
            clocks->effect_from_ms | clocks->effect_ms) != 0;
}

bool codec_policy_clocks_set(const struct policy_clocks *clocks)
{
    return (clocks->remind_before_ms | clocks->escalate_after_ms | clocks->effect_after_ms) != 0 ||
           clocks->escalate_channel.size > 0 || clocks->escalate_user_count > 0 ||
           clocks->escalate_group_count > 0 || clocks->recheck != RECHECK_NONE;
}

void codec_request_clocks_write(struct codec_writer *writer, const struct request_clocks *clocks)
{
    codec_u64(writer, clocks->remind_ms);
    codec_u64(writer, clocks->escalate_ms);
    codec_u64(writer, clocks->escalated_ms);
    codec_u64(writer, clocks->effect_from_ms);
    codec_u64(writer, clocks->effect_ms);
}

void codec_request_clocks_read(struct unpack *unpack, struct request_clocks *ret_clocks)
{
    ret_clocks->remind_ms = unpack_u64(unpack);
    ret_clocks->escalate_ms = unpack_u64(unpack);
    ret_clocks->escalated_ms = unpack_u64(unpack);
    ret_clocks->effect_from_ms = unpack_u64(unpack);
    ret_clocks->effect_ms = unpack_u64(unpack);
    if (!codec_request_clocks_set(ret_clocks)) {
        unpack->failed = true;
    }
}

void codec_policy_clocks_write(struct codec_writer *writer, const struct policy_clocks *clocks)
{
    ASSERT(clocks->escalate_user_count <= CORE_ESCALATE_USER_COUNT_MAX);
    ASSERT(clocks->escalate_group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    codec_u64(writer, clocks->remind_before_ms);
    codec_u64(writer, clocks->escalate_after_ms);
    codec_u64(writer, clocks->effect_after_ms);
    codec_text(writer, clocks->escalate_channel);
    codec_texts(writer, clocks->escalate_users, clocks->escalate_user_count);
    codec_texts(writer, clocks->escalate_groups, clocks->escalate_group_count);
    codec_u8(writer, (uint8_t)clocks->recheck);
}

void codec_policy_clocks_read(struct unpack *unpack, struct policy_clocks *ret_clocks)
{
    ret_clocks->remind_before_ms = unpack_u64(unpack);
    ret_clocks->escalate_after_ms = unpack_u64(unpack);
    ret_clocks->effect_after_ms = unpack_u64(unpack);
    ret_clocks->escalate_channel = unpack_text(unpack);
    ret_clocks->escalate_user_count =
        codec_read_texts(unpack, ret_clocks->escalate_users, CORE_ESCALATE_USER_COUNT_MAX);
    ret_clocks->escalate_group_count =
        codec_read_texts(unpack, ret_clocks->escalate_groups, CORE_POLICY_GROUP_COUNT_MAX);
    ret_clocks->recheck = codec_range(unpack, RECHECK_NONE, RECHECK_RULES);
    if (!codec_policy_clocks_set(ret_clocks)) {
        unpack->failed = true;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* codec_policy.c: the stored forms of a policy's version and of the retention.
 * Owns their layouts: policy: u8 version (1) | text name | u32 version | u8 flags (1 deleted,
 *   2 self_approval, 4 direct_requester, 8 require_reason, 16 ask_in_slack) |
 *   text title, channel | u8 quorum | u64 expires_after, lapses_after |
 *   lists of text users, groups, webhooks | u64 applied_ms | text applied_by.
 * retention: u8 version (1) | u32 version | u64 requests_ms, audit_ms, applied_ms |
 *   text applied_by.
 * Never judges whether a policy makes sense: policy_check does, before it is stored. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION 1

enum policy_flag {
    FLAG_DELETED = 1,
    FLAG_SELF_APPROVAL = 2,
    FLAG_DIRECT_REQUESTER = 4,
    FLAG_REQUIRE_REASON = 8,
    FLAG_ASK_IN_SLACK = 16,
    FLAG_ALL = 31,
};

static uint8_t policy_flags(const struct policy *policy)
{
    unsigned int flags = 0;

    flags |= policy->deleted ? FLAG_DELETED : 0U;
    flags |= policy->self_approval ? FLAG_SELF_APPROVAL : 0U;
    flags |= policy->direct_requester ? FLAG_DIRECT_REQUESTER : 0U;
    flags |= policy->require_reason ? FLAG_REQUIRE_REASON : 0U;
    flags |= policy->ask_in_slack ? FLAG_ASK_IN_SLACK : 0U;
    return (uint8_t)flags;
}

enum err_code codec_policy_encode(const struct policy *policy, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(policy != NULL);
    ASSERT(policy->user_count <= CORE_POLICY_USER_COUNT_MAX);
    ASSERT(policy->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->webhook_count <= CORE_POLICY_WEBHOOK_COUNT_MAX);

    codec_u8(&writer, VERSION);
    codec_text(&writer, policy->name);
    codec_u32(&writer, policy->version);
    codec_u8(&writer, policy_flags(policy));
    codec_text(&writer, policy->title);
    codec_text(&writer, policy->channel);
    codec_u8(&writer, (uint8_t)policy->quorum);
    codec_u64(&writer, policy->expires_after_ms);
    codec_u64(&writer, policy->lapses_after_ms);
    codec_texts(&writer, policy->users, policy->user_count);
    codec_texts(&writer, policy->groups, policy->group_count);
    codec_texts(&writer, policy->webhooks, policy->webhook_count);
    codec_u64(&writer, policy->applied_ms);
    codec_text(&writer, policy->applied_by);
    return writer.rc;
}

enum err_code codec_policy_decode(struct span bytes, struct policy *ret_policy, struct err *err)
{
    struct unpack unpack;
    uint8_t flags;

    ASSERT(ret_policy != NULL);
    memset(ret_policy, 0, sizeof *ret_policy);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_policy->name = unpack_text(&unpack);
    ret_policy->version = unpack_u32(&unpack);
    flags = codec_range(&unpack, 0, FLAG_ALL);
    ret_policy->deleted = (flags & FLAG_DELETED) != 0;
    ret_policy->self_approval = (flags & FLAG_SELF_APPROVAL) != 0;
    ret_policy->direct_requester = (flags & FLAG_DIRECT_REQUESTER) != 0;
    ret_policy->require_reason = (flags & FLAG_REQUIRE_REASON) != 0;
    ret_policy->ask_in_slack = (flags & FLAG_ASK_IN_SLACK) != 0;
    ret_policy->title = unpack_text(&unpack);
    ret_policy->channel = unpack_text(&unpack);
    ret_policy->quorum = codec_range(&unpack, 1, CORE_QUORUM_MAX);
    ret_policy->expires_after_ms = unpack_u64(&unpack);
    ret_policy->lapses_after_ms = unpack_u64(&unpack);
    ret_policy->user_count =
        codec_read_texts(&unpack, ret_policy->users, CORE_POLICY_USER_COUNT_MAX);
    ret_policy->group_count =
        codec_read_texts(&unpack, ret_policy->groups, CORE_POLICY_GROUP_COUNT_MAX);
    ret_policy->webhook_count =
        codec_read_texts(&unpack, ret_policy->webhooks, CORE_POLICY_WEBHOOK_COUNT_MAX);
    ret_policy->applied_ms = unpack_u64(&unpack);
    ret_policy->applied_by = unpack_text(&unpack);
    return codec_end(&unpack, "policy", err);
}

enum err_code
codec_retention_encode(const struct retention *retention, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(retention != NULL);
    codec_u8(&writer, VERSION);
    codec_u32(&writer, retention->version);
    codec_u64(&writer, retention->requests_ms);
    codec_u64(&writer, retention->audit_ms);
    codec_u64(&writer, retention->applied_ms);
    codec_text(&writer, retention->applied_by);
    return writer.rc;
}

enum err_code
codec_retention_decode(struct span bytes, struct retention *ret_retention, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_retention != NULL);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_retention->version = unpack_u32(&unpack);
    ret_retention->requests_ms = unpack_u64(&unpack);
    ret_retention->audit_ms = unpack_u64(&unpack);
    ret_retention->applied_ms = unpack_u64(&unpack);
    ret_retention->applied_by = unpack_text(&unpack);
    return codec_end(&unpack, "retention", err);
}

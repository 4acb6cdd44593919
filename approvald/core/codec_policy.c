/* SPDX-License-Identifier: Apache-2.0 */
/* codec_policy.c: the stored forms of a policy's version and of the retention.
 * Owns their layouts: policy: u8 version (1, or 2 with parts) | text name | u32 version | u8 flags
 * (1 deleted, 2 self_approval, 4 direct_requester, 8 require_reason, 16 ask_in_slack, 32 needs, 64
 * clocks, 128 fields) | text title, channel | u8 quorum | u64 expires_after, lapses_after | lists
 * of text users, groups, webhooks | u64 applied_ms | text applied_by | with flag 32, which says
 * that one of them is not the default: u8 rejections (default 1) | list of text excludes | list of
 * (text name | u8 quorum | u8 alternative | u64 users | u8 groups) | with flag 64: a section of
 * codec_clocks | with flag 128: text fields (codec_fields.c) | in version 2: u8 parts, those that
 * are not all defaults, in the order of their numbers: 1: a section of codec_glass; 2: a section of
 * codec_windows; 4: list of text, further channels; without content 8: direct_approvers, 16:
 * delegation, 32: step_up, 128: it names channels or e-mail addresses. retention: u8 version (1) |
 * u32 version | u64 requests_ms, audit_ms, applied_ms | text applied_by. Never judges whether a
 * policy makes sense: policy_check does, before it is stored. */
#include "approvald/core/codec.h"
#include "approvald/core/codec_clocks.h"
#include "approvald/core/codec_glass.h"
#include "approvald/core/codec_need.h"
#include "approvald/core/codec_windows.h"
#include "approvald/core/email.h"
#include "approvald/core/fields.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"

#include "base/assert.h"

#include <string.h>

#define VERSION      1
#define VERSION_MORE 2 /* of a policy: with parts */

/* All flags are taken. Numbers of parts are given once and for all; the order is theirs. */
enum policy_part {
    PART_GLASS = 1,
    PART_WINDOWS = 2,
    PART_CHANNELS = 4,
    PART_DIRECT = 8,      /* without content */
    PART_DELEGATION = 16, /* without content */
    PART_STEP_UP = 32,    /* likewise */
    PART_NAMES = 128,     /* without content, see policy_parts */
    PART_ALL = PART_GLASS | PART_WINDOWS | PART_CHANNELS | PART_DIRECT | PART_DELEGATION |
               PART_STEP_UP | PART_NAMES,
};

enum policy_flag {
    FLAG_DELETED = 1,
    FLAG_SELF_APPROVAL = 2,
    FLAG_DIRECT_REQUESTER = 4,
    FLAG_REQUIRE_REASON = 8,
    FLAG_ASK_IN_SLACK = 16,
    FLAG_NEEDS = 32,
    FLAG_CLOCKS = 64,
    FLAG_FIELDS = 128,
};

static bool has_needs(const struct policy *policy)
{
    return policy->need_count > 0 || policy->exclude_count > 0 || policy->rejections != 1;
}

static void write_needs(struct codec_writer *writer, const struct policy *policy)
{
    codec_u8(writer, (uint8_t)policy->rejections);
    codec_texts(writer, policy->excludes, policy->exclude_count);
    codec_u8(writer, (uint8_t)policy->need_count);
    for (uint32_t i = 0; i < policy->need_count; i++) {
        const struct policy_need *need = &policy->needs[i];

        codec_need_write(writer, &need->need);
        codec_u64(writer, need->users);
        codec_u8(writer, (uint8_t)need->groups);
    }
}

static void read_needs(struct unpack *unpack, struct policy *policy)
{
    policy->rejections = codec_range(unpack, 1, CORE_REJECTIONS_MAX);
    policy->exclude_count = codec_read_texts(unpack, policy->excludes, CORE_POLICY_GROUP_COUNT_MAX);
    policy->need_count = codec_count(unpack, CORE_NEED_COUNT_MAX);
    for (uint32_t i = 0; i < policy->need_count; i++) {
        struct policy_need *need = &policy->needs[i];

        codec_need_read(unpack, i == 0 ? NULL : &policy->needs[i - 1].need, &need->need);
        need->users = unpack_u64(unpack);
        need->groups = unpack_u8(unpack);
        if (codec_bits_past(need->users, policy->user_count) ||
            codec_bits_past(need->groups, policy->group_count)) {
            unpack->failed = true;
        }
    }
    if (!has_needs(policy)) {
        unpack->failed = true; /* no encoder says that there is nothing to say */
    }
}

static uint8_t policy_flags(const struct policy *policy)
{
    unsigned int flags = 0;

    flags |= policy->deleted ? FLAG_DELETED : 0U;
    flags |= policy->self_approval ? FLAG_SELF_APPROVAL : 0U;
    flags |= policy->direct_requester ? FLAG_DIRECT_REQUESTER : 0U;
    flags |= policy->require_reason ? FLAG_REQUIRE_REASON : 0U;
    flags |= policy->ask_in_slack ? FLAG_ASK_IN_SLACK : 0U;
    flags |= has_needs(policy) ? FLAG_NEEDS : 0U;
    flags |= codec_policy_clocks_set(&policy->clocks) ? FLAG_CLOCKS : 0U;
    flags |= policy->fields.size > 0 ? FLAG_FIELDS : 0U;
    return (uint8_t)flags;
}

/* An approvald that does not know channels would ask Slack for a user group of that name, and take
 * nobody for its members; and an address would be nobody's: it must not read such a policy at all.
 */
static bool has_names(const struct policy *policy)
{
    bool found = false;

    for (uint32_t i = 0; i < policy->group_count; i++) {
        found = found || slack_channel_is_valid(policy->groups[i]);
    }
    for (uint32_t i = 0; i < policy->user_count; i++) {
        found = found || email_is_meant(policy->users[i]);
    }
    for (uint32_t i = 0; i < policy->clocks.escalate_user_count; i++) {
        found = found || email_is_meant(policy->clocks.escalate_users[i]);
    }
    return found;
}

static uint8_t policy_parts(const struct policy *policy)
{
    unsigned int parts = 0;

    parts |= codec_policy_glass_set(&policy->glass) ? PART_GLASS : 0U;
    parts |= codec_policy_windows_set(&policy->windows) ? PART_WINDOWS : 0U;
    parts |= policy->more_channel_count > 0 ? PART_CHANNELS : 0U;
    parts |= policy->direct_approvers ? PART_DIRECT : 0U;
    parts |= policy->delegation ? PART_DELEGATION : 0U;
    parts |= policy->step_up ? PART_STEP_UP : 0U;
    parts |= has_names(policy) ? PART_NAMES : 0U;
    return (uint8_t)parts;
}

static void write_parts(struct codec_writer *writer, const struct policy *policy)
{
    uint8_t parts = policy_parts(policy);

    if (parts != 0) {
        codec_u8(writer, parts);
    }
    if ((parts & PART_GLASS) != 0) {
        codec_policy_glass_write(writer, &policy->glass);
    }
    if ((parts & PART_WINDOWS) != 0) {
        codec_policy_windows_write(writer, &policy->windows);
    }
    if ((parts & PART_CHANNELS) != 0) {
        codec_texts(writer, policy->more_channels, policy->more_channel_count);
    }
}

/* Names are what the rest of the record must have said already, or did not. */
static uint8_t read_parts(struct unpack *unpack, struct policy *policy)
{
    uint8_t parts = (uint8_t)codec_range(unpack, 1, PART_ALL);

    if ((parts & ~PART_ALL) != 0) {
        unpack->failed = true;
    }
    if ((parts & PART_GLASS) != 0) {
        codec_policy_glass_read(unpack, &policy->glass);
    }
    if ((parts & PART_WINDOWS) != 0) {
        codec_policy_windows_read(unpack, &policy->windows);
    }
    if ((parts & PART_CHANNELS) != 0) {
        policy->more_channel_count =
            codec_read_texts(unpack, policy->more_channels, CORE_CHANNEL_COUNT_MAX - 1);
    }
    policy->direct_approvers = (parts & PART_DIRECT) != 0;
    policy->delegation = (parts & PART_DELEGATION) != 0;
    policy->step_up = (parts & PART_STEP_UP) != 0;
    return parts;
}

enum err_code codec_policy_encode(const struct policy *policy, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(policy != NULL);
    ASSERT(policy->user_count <= CORE_POLICY_USER_COUNT_MAX);
    ASSERT(policy->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->webhook_count <= CORE_POLICY_WEBHOOK_COUNT_MAX);
    ASSERT(policy->rejections >= 1 && policy->rejections <= CORE_REJECTIONS_MAX);
    ASSERT(policy->need_count <= CORE_NEED_COUNT_MAX);
    ASSERT(policy->exclude_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->more_channel_count < CORE_CHANNEL_COUNT_MAX);

    codec_u8(&writer, policy_parts(policy) != 0 ? VERSION_MORE : VERSION);
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
    if (has_needs(policy)) {
        write_needs(&writer, policy);
    }
    if (codec_policy_clocks_set(&policy->clocks)) {
        codec_policy_clocks_write(&writer, &policy->clocks);
    }
    if (policy->fields.size > 0) {
        codec_text(&writer, policy->fields);
    }
    write_parts(&writer, policy);
    return writer.rc;
}

/* What policy_check bounds, and who counts the groups relies on. */
static bool groups_fit(const struct policy *policy)
{
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];

    return policy->group_count + policy->clocks.escalate_group_count <=
               CORE_POLICY_GROUP_COUNT_MAX &&
           needs_groups(policy, groups) <= CORE_POLICY_GROUP_COUNT_MAX;
}

static struct span read_fields(struct unpack *unpack)
{
    struct span fields = unpack_text(unpack);
    struct field_set set;

    if (fields.size == 0 || field_set_decode(fields, &set, NULL) != ERR_OK) {
        unpack->failed = true;
    }
    return fields;
}

enum err_code codec_policy_decode(struct span bytes, struct policy *ret_policy, struct err *err)
{
    struct unpack unpack;
    uint32_t version;
    uint8_t parts;
    uint8_t flags;

    ASSERT(ret_policy != NULL);
    memset(ret_policy, 0, sizeof *ret_policy);
    unpack_init(&unpack, bytes);
    version = codec_range(&unpack, VERSION, VERSION_MORE);
    ret_policy->name = unpack_text(&unpack);
    ret_policy->version = unpack_u32(&unpack);
    flags = unpack_u8(&unpack);
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
    ret_policy->rejections = 1;
    if ((flags & FLAG_NEEDS) != 0) {
        read_needs(&unpack, ret_policy);
    }
    if ((flags & FLAG_CLOCKS) != 0) {
        codec_policy_clocks_read(&unpack, &ret_policy->clocks);
    }
    if ((flags & FLAG_FIELDS) != 0) {
        ret_policy->fields = read_fields(&unpack);
    }
    parts = version == VERSION_MORE ? read_parts(&unpack, ret_policy) : 0;
    if (!unpack.failed && (!groups_fit(ret_policy) || parts != policy_parts(ret_policy))) {
        unpack.failed = true;
    }
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

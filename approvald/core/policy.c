/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c: validity and differences of policies.
 * Owns the limits of each field and the words for them.
 * Never stores, never numbers a version, never asks Slack whether an id exists. */
#include "approvald/core/policy.h"
#include "approvald/core/policy_clocks.h"
#include "approvald/core/policy_glass.h"
#include "approvald/core/policy_routes.h"
#include "approvald/core/policy_windows.h"

#include "approvald/core/email.h"
#include "approvald/core/fields.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#include <string.h>

static bool is_lower_or_digit(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9');
}

bool policy_name_is_valid(struct span name)
{
    if (name.size == 0 || name.size > CORE_NAME_SIZE_MAX || name.data[0] == '.' ||
        name.data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char character = name.data[i];
        bool mark = character == '.' || character == '_' || character == '-';

        if (!is_lower_or_digit(character) && !mark) {
            return false;
        }
    }
    return true;
}

static bool is_slack_id(struct span id, const char *prefixes)
{
    if (id.size < 2 || id.size > CORE_SLACK_ID_SIZE_MAX || id.data[0] == '\0' ||
        strchr(prefixes, id.data[0]) == NULL) {
        return false;
    }
    for (size_t i = 1; i < id.size; i++) {
        char character = id.data[i];

        if (!((character >= 'A' && character <= 'Z') || (character >= '0' && character <= '9'))) {
            return false;
        }
    }
    return true;
}

bool slack_user_is_valid(struct span id)
{
    return is_slack_id(id, "UW");
}

bool slack_group_is_valid(struct span id)
{
    return is_slack_id(id, "S");
}

bool slack_channel_is_valid(struct span id)
{
    return is_slack_id(id, "CG");
}

bool slack_crowd_is_valid(struct span id)
{
    return slack_group_is_valid(id) || slack_channel_is_valid(id);
}

static bool is_repeated(const struct span *items, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (span_equal(items[i], items[index])) {
            return true;
        }
    }
    return false;
}

enum err_code policy_check_ids(const struct span *items,
                               uint32_t count,
                               bool (*is_valid)(struct span item),
                               const char *what,
                               struct err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!is_valid(items[i])) {
            return err_set(err, ERR_INVALID, "\"%.*s\" is not %s", SPAN_ARGS(items[i]), what);
        }
        if (is_repeated(items, i)) {
            return err_set(err, ERR_INVALID, "\"%.*s\" is given twice", SPAN_ARGS(items[i]));
        }
    }
    return ERR_OK;
}

bool policy_person_is_valid(struct span name)
{
    return email_is_meant(name) ? email_is_valid(name) : slack_user_is_valid(name);
}

static enum err_code check_approvers(const struct policy *policy, struct err *err)
{
    enum err_code rc;

    if (policy->user_count > CORE_POLICY_USER_COUNT_MAX ||
        policy->group_count > CORE_POLICY_GROUP_COUNT_MAX) {
        return err_set(err, ERR_INVALID,
                       "approvers: at most %d people and %d groups; use a Slack user group",
                       CORE_POLICY_USER_COUNT_MAX, CORE_POLICY_GROUP_COUNT_MAX);
    }
    if (policy->user_count + policy->group_count == 0) {
        return err_set(err, ERR_INVALID,
                       "approvers: name at least one Slack user (U…), user group (S…) or channel "
                       "(C…, G…), here or in needs");
    }
    rc = policy_check_ids(policy->users, policy->user_count, policy_person_is_valid,
                          "a Slack user id (U… or W…, from the profile's menu \"Copy member ID\") "
                          "or an e-mail address in small letters",
                          err);
    if (rc == ERR_OK) {
        rc = policy_check_ids(policy->groups, policy->group_count, slack_crowd_is_valid,
                              "a Slack user group id (S…) or channel id (C…, G…)", err);
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "approvers");
}

/* Who asks may be one of the named: then one fewer can decide. */
static enum err_code check_quorum(const struct policy *policy, struct err *err)
{
    uint32_t reach = policy->user_count;

    if (policy->quorum < 1 || policy->quorum > CORE_QUORUM_MAX) {
        return err_set(err, ERR_INVALID, "quorum: from 1 to %d", CORE_QUORUM_MAX);
    }
    if (policy->group_count > 0 || policy->need_count > 0) {
        return ERR_OK; /* how many are in a group changes; the card shows when it is too few */
    }
    if (reach > 1 && !policy->self_approval) {
        reach--;
    }
    if (policy->quorum > reach) {
        return err_set(err, ERR_INVALID,
                       "quorum: %u approvals cannot be reached by %u people (one of them may be "
                       "the requester); name more approvers or lower the quorum",
                       policy->quorum, policy->user_count);
    }
    return ERR_OK;
}

static enum err_code check_times(const struct policy *policy, struct err *err)
{
    if (policy->expires_after_ms < CORE_EXPIRES_MS_MIN ||
        policy->expires_after_ms > CORE_EXPIRES_MS_MAX) {
        return err_set(err, ERR_INVALID, "expires_after: from 5s to 30d");
    }
    if (policy->lapses_after_ms != 0 && (policy->lapses_after_ms < CORE_LAPSES_MS_MIN ||
                                         policy->lapses_after_ms > CORE_LAPSES_MS_MAX)) {
        return err_set(err, ERR_INVALID, "lapses_after: from 1m to 30d, or 0s for never");
    }
    return ERR_OK;
}

static enum err_code check_texts(const struct policy *policy, struct err *err)
{
    if (!policy_name_is_valid(policy->name)) {
        return err_set(err, ERR_INVALID,
                       "name: 1 to %d of a-z, 0-9, '.', '_' and '-', beginning with a letter, "
                       "a digit or '_'",
                       CORE_NAME_SIZE_MAX);
    }
    if (!text_is_utf8(policy->title) || text_count(policy->title) > CORE_TITLE_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "title: at most %d characters of UTF-8",
                       CORE_TITLE_COUNT_MAX);
    }
    return policy_routes_check(policy, err);
}

static enum err_code check_webhooks(const struct policy *policy, struct err *err)
{
    enum err_code rc;

    if (policy->webhook_count > CORE_POLICY_WEBHOOK_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "webhooks: at most %d", CORE_POLICY_WEBHOOK_COUNT_MAX);
    }
    rc = policy_check_ids(policy->webhooks, policy->webhook_count, policy_name_is_valid,
                          "the name of a configured webhook", err);
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "webhooks");
}

static enum err_code check_fields(const struct policy *policy, struct err *err)
{
    struct field_set set;
    enum err_code rc = field_set_decode(policy->fields, &set, err);

    if (rc == ERR_OK && policy->fields.size > CORE_FIELD_SET_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "fields: all their texts together are at most %d bytes",
                       CORE_FIELD_SET_SIZE_MAX);
    }
    return rc == ERR_OK ? field_set_check(&set, err) : rc;
}

enum err_code policy_check(const struct policy *policy, struct err *err)
{
    enum err_code rc;

    ASSERT(policy != NULL);
    rc = check_texts(policy, err);
    if (rc == ERR_OK) {
        rc = check_approvers(policy, err);
    }
    if (rc == ERR_OK) {
        rc = check_times(policy, err);
    }
    if (rc == ERR_OK) {
        rc = policy_clocks_check(policy, err); /* bounds what the needs count */
    }
    if (rc == ERR_OK) {
        rc = policy_glass_check(policy, err);
    }
    if (rc == ERR_OK) {
        rc = policy_windows_check(policy, err);
    }
    if (rc == ERR_OK) {
        rc = policy_needs_check(policy, err);
    }
    if (rc == ERR_OK) {
        rc = check_quorum(policy, err);
    }
    if (rc == ERR_OK) {
        rc = check_webhooks(policy, err);
    }
    return rc == ERR_OK ? check_fields(policy, err) : rc;
}

enum field {
    FIELD_TITLE,
    FIELD_CHANNEL,
    FIELD_APPROVERS,
    FIELD_NEEDS,
    FIELD_QUORUM,
    FIELD_REJECTIONS,
    FIELD_EXCLUDES,
    FIELD_SELF_APPROVAL,
    FIELD_DIRECT_REQUESTER,
    FIELD_REQUIRE_REASON,
    FIELD_ASK_IN_SLACK,
    FIELD_EXPIRES_AFTER,
    FIELD_LAPSES_AFTER,
    FIELD_WEBHOOKS,
    FIELD_FIELDS,
    FIELD_DELEGATION,
    FIELD_STEP_UP,
    FIELD_DIRECT_APPROVERS,
    FIELD_CLOCKS, /* and those behind it: policy_clocks.c's, then policy_glass.c's */
};
#define FIELD_GLASS   ((size_t)FIELD_CLOCKS + POLICY_CLOCKS_FIELD_COUNT)
#define FIELD_WINDOWS (FIELD_GLASS + POLICY_GLASS_FIELD_COUNT) /* policy_windows.c's */

static const char *const field_names[] = {
    [FIELD_TITLE] = "title",
    [FIELD_CHANNEL] = "channel",
    [FIELD_APPROVERS] = "approvers",
    [FIELD_NEEDS] = "needs",
    [FIELD_QUORUM] = "quorum",
    [FIELD_REJECTIONS] = "rejections",
    [FIELD_EXCLUDES] = "exclude_requester_groups",
    [FIELD_SELF_APPROVAL] = "self_approval",
    [FIELD_DIRECT_REQUESTER] = "direct_requester",
    [FIELD_REQUIRE_REASON] = "require_reason",
    [FIELD_ASK_IN_SLACK] = "ask_in_slack",
    [FIELD_EXPIRES_AFTER] = "expires_after",
    [FIELD_LAPSES_AFTER] = "lapses_after",
    [FIELD_WEBHOOKS] = "webhooks",
    [FIELD_FIELDS] = "fields",
    [FIELD_DELEGATION] = "delegation",
    [FIELD_STEP_UP] = "step_up",
    [FIELD_DIRECT_APPROVERS] = "direct_approvers",
};

static_assert(sizeof field_names / sizeof field_names[0] + POLICY_CLOCKS_FIELD_COUNT +
                      POLICY_GLASS_FIELD_COUNT + POLICY_WINDOWS_FIELD_COUNT ==
                  POLICY_FIELD_COUNT,
              "every field has its name");

const char *policy_field_name(size_t index)
{
    ASSERT(index < POLICY_FIELD_COUNT);
    if (index >= FIELD_WINDOWS) {
        return policy_windows_field_name(index - FIELD_WINDOWS);
    }
    if (index >= FIELD_GLASS) {
        return policy_glass_field_name(index - FIELD_GLASS);
    }
    return index < FIELD_CLOCKS ? field_names[index]
                                : policy_clocks_field_name(index - FIELD_CLOCKS);
}

enum err_code policy_format_ms(uint64_t duration_ms, struct buf *buf, struct err *err)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {
        {CORE_DAY_MS, "d"}, {60 * CORE_MINUTE_MS, "h"}, {CORE_MINUTE_MS, "m"}, {1000, "s"}};

    if (duration_ms == 0) {
        return buf_append_text(buf, "never", err);
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (duration_ms % units[i].ms == 0) {
            return buf_append_format(
                buf, err, "%llu%s", (unsigned long long)(duration_ms / units[i].ms), units[i].name);
        }
    }
    return buf_append_format(buf, err, "%llums", (unsigned long long)duration_ms);
}

enum err_code
policy_format_ids(const struct span *items, uint32_t count, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        if (buf_size(buf) > 0) {
            rc = buf_append_text(buf, ", ", err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_span(buf, items[i], err);
        }
    }
    return rc;
}

static enum err_code format_bool(bool value, struct buf *buf, struct err *err)
{
    return buf_append_text(buf, value ? "yes" : "no", err);
}

static enum err_code format_fields(const struct policy *policy, struct buf *buf, struct err *err)
{
    struct field_set set;
    enum err_code rc = field_set_decode(policy->fields, &set, err);

    return rc == ERR_OK ? field_set_format(&set, buf, err) : rc;
}

enum err_code
policy_field_format(const struct policy *policy, size_t index, struct buf *buf, struct err *err)
{
    enum err_code rc;

    ASSERT(index < POLICY_FIELD_COUNT);
    if (index >= FIELD_WINDOWS) {
        return policy_windows_field_format(&policy->windows, index - FIELD_WINDOWS, buf, err);
    }
    if (index >= FIELD_GLASS) {
        return policy_glass_field_format(&policy->glass, index - FIELD_GLASS, buf, err);
    }
    if (index >= FIELD_CLOCKS) {
        return policy_clocks_field_format(&policy->clocks, index - FIELD_CLOCKS, buf, err);
    }
    switch ((enum field)index) {
    case FIELD_TITLE:
        return buf_append_span(buf, policy->title, err);
    case FIELD_CHANNEL:
        return policy_channels_format(policy, buf, err);
    case FIELD_APPROVERS:
        if (policy->need_count > 0) {
            return ERR_OK; /* the needs name them */
        }
        rc = policy_format_ids(policy->users, policy->user_count, buf, err);
        return rc == ERR_OK ? policy_format_ids(policy->groups, policy->group_count, buf, err) : rc;
    case FIELD_NEEDS:
        return policy_needs_format(policy, buf, err);
    case FIELD_QUORUM:
        return buf_append_format(buf, err, "%u", policy->quorum);
    case FIELD_REJECTIONS:
        return buf_append_format(buf, err, "%u", policy->rejections);
    case FIELD_EXCLUDES:
        return policy_format_ids(policy->excludes, policy->exclude_count, buf, err);
    case FIELD_SELF_APPROVAL:
        return format_bool(policy->self_approval, buf, err);
    case FIELD_DIRECT_REQUESTER:
        return format_bool(policy->direct_requester, buf, err);
    case FIELD_REQUIRE_REASON:
        return format_bool(policy->require_reason, buf, err);
    case FIELD_ASK_IN_SLACK:
        return format_bool(policy->ask_in_slack, buf, err);
    case FIELD_EXPIRES_AFTER:
        return policy_format_ms(policy->expires_after_ms, buf, err);
    case FIELD_LAPSES_AFTER:
        return policy_format_ms(policy->lapses_after_ms, buf, err);
    case FIELD_WEBHOOKS:
        return policy_format_ids(policy->webhooks, policy->webhook_count, buf, err);
    case FIELD_FIELDS:
        return format_fields(policy, buf, err);
    case FIELD_DELEGATION:
        return format_bool(policy->delegation, buf, err);
    case FIELD_STEP_UP:
        return format_bool(policy->step_up, buf, err);
    case FIELD_DIRECT_APPROVERS:
        return format_bool(policy->direct_approvers, buf, err);
    case FIELD_CLOCKS:
        break;
    }
    return ERR_OK;
}

bool policy_ids_equal(const struct span *a, uint32_t a_count, const struct span *b, uint32_t count)
{
    bool equal = a_count == count;

    for (uint32_t i = 0; equal && i < count; i++) {
        equal = span_equal(a[i], b[i]);
    }
    return equal;
}

static bool names_equal(const struct policy *a, const struct policy *b)
{
    return policy_ids_equal(a->users, a->user_count, b->users, b->user_count) &&
           policy_ids_equal(a->groups, a->group_count, b->groups, b->group_count);
}

bool policy_field_equal(const struct policy *a, const struct policy *b, size_t index)
{
    ASSERT(index < POLICY_FIELD_COUNT);
    if (index >= FIELD_WINDOWS) {
        return policy_windows_field_equal(&a->windows, &b->windows, index - FIELD_WINDOWS);
    }
    if (index >= FIELD_GLASS) {
        return policy_glass_field_equal(&a->glass, &b->glass, index - FIELD_GLASS);
    }
    if (index >= FIELD_CLOCKS) {
        return policy_clocks_field_equal(&a->clocks, &b->clocks, index - FIELD_CLOCKS);
    }
    switch ((enum field)index) {
    case FIELD_TITLE:
        return span_equal(a->title, b->title);
    case FIELD_CHANNEL:
        return policy_channels_equal(a, b);
    case FIELD_APPROVERS:
        return a->need_count > 0 ? b->need_count > 0 : b->need_count == 0 && names_equal(a, b);
    case FIELD_NEEDS:
        return policy_needs_equal(a, b) && (a->need_count == 0 || names_equal(a, b));
    case FIELD_QUORUM:
        return a->quorum == b->quorum;
    case FIELD_REJECTIONS:
        return a->rejections == b->rejections;
    case FIELD_EXCLUDES:
        return policy_ids_equal(a->excludes, a->exclude_count, b->excludes, b->exclude_count);
    case FIELD_SELF_APPROVAL:
        return a->self_approval == b->self_approval;
    case FIELD_DIRECT_REQUESTER:
        return a->direct_requester == b->direct_requester;
    case FIELD_REQUIRE_REASON:
        return a->require_reason == b->require_reason;
    case FIELD_ASK_IN_SLACK:
        return a->ask_in_slack == b->ask_in_slack;
    case FIELD_EXPIRES_AFTER:
        return a->expires_after_ms == b->expires_after_ms;
    case FIELD_LAPSES_AFTER:
        return a->lapses_after_ms == b->lapses_after_ms;
    case FIELD_WEBHOOKS:
        return policy_ids_equal(a->webhooks, a->webhook_count, b->webhooks, b->webhook_count);
    case FIELD_FIELDS:
        return span_equal(a->fields, b->fields);
    case FIELD_DELEGATION:
        return a->delegation == b->delegation;
    case FIELD_STEP_UP:
        return a->step_up == b->step_up;
    case FIELD_DIRECT_APPROVERS:
        return a->direct_approvers == b->direct_approvers;
    case FIELD_CLOCKS:
        break;
    }
    return true;
}

bool policy_field_is_rule(size_t index)
{
    ASSERT(index < POLICY_FIELD_COUNT);
    if (index >= FIELD_WINDOWS) {
        return policy_windows_field_is_rule(index - FIELD_WINDOWS);
    }
    if (index >= FIELD_GLASS) {
        return policy_glass_field_is_rule(index - FIELD_GLASS);
    }
    if (index >= FIELD_CLOCKS) {
        return policy_clocks_field_is_rule(index - FIELD_CLOCKS);
    }
    switch ((enum field)index) {
    case FIELD_APPROVERS:
    case FIELD_NEEDS:
    case FIELD_QUORUM:
    case FIELD_REJECTIONS:
    case FIELD_EXCLUDES:
    case FIELD_SELF_APPROVAL:
    case FIELD_DELEGATION:
    case FIELD_STEP_UP:
        return true;
    case FIELD_TITLE:
    case FIELD_CHANNEL:
    case FIELD_DIRECT_REQUESTER:
    case FIELD_REQUIRE_REASON:
    case FIELD_ASK_IN_SLACK:
    case FIELD_EXPIRES_AFTER:
    case FIELD_LAPSES_AFTER:
    case FIELD_WEBHOOKS:
    case FIELD_DIRECT_APPROVERS:
    case FIELD_FIELDS: /* what is asked, not who decides */
    case FIELD_CLOCKS:
        break;
    }
    return false;
}

bool policy_rules_equal(const struct policy *a, const struct policy *b)
{
    bool equal = true;

    for (size_t i = 0; equal && i < POLICY_FIELD_COUNT; i++) {
        equal = !policy_field_is_rule(i) || policy_field_equal(a, b, i);
    }
    return equal;
}

bool policy_equal(const struct policy *a, const struct policy *b)
{
    bool equal = a->deleted == b->deleted;

    for (size_t i = 0; equal && i < POLICY_FIELD_COUNT; i++) {
        equal = policy_field_equal(a, b, i);
    }
    return equal;
}

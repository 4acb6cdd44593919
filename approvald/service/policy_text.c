/* SPDX-License-Identifier: Apache-2.0 */
/* policy_text.c: policies as text.
 * Owns the table of a policy's options.
 * Never stores a policy, never compares it with the one in force. */
#include "approvald/service/policy_text.h"

#include "approvald/core/policy.h"
#include "approvald/service/clocks_text.h"
#include "approvald/service/glass_text.h"
#include "approvald/service/limits.h"
#include "approvald/service/policy_fields.h"
#include "approvald/service/policy_needs.h"
#include "approvald/service/windows_text.h"

#include "base/assert.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/tz.h"

#include <string.h>

#define APPROVER_COUNT_MAX (CORE_POLICY_USER_COUNT_MAX + CORE_POLICY_GROUP_COUNT_MAX)
#define NEED_ITEM_MAX      (2 * CORE_NEED_COUNT_MAX - 1)        /* an "or" between each two */
#define TITLE_SIZE_MAX     ((uint64_t)4 * CORE_TITLE_COUNT_MAX) /* four bytes a character */

static const struct conf_option options[] = {
    {"policy", "title", CONF_TEXT, "", 0, TITLE_SIZE_MAX, NULL,
     "What the policy is for, in a line for people."},
    {"policy", "channel", CONF_TEXT, "", 0, CORE_SLACK_ID_SIZE_MAX, NULL,
     "Slack channel id of the cards; without one there is no card."},
    {"policy", "channels", CONF_LIST, "", 0, CORE_CHANNEL_COUNT_MAX, NULL,
     "Instead of channel: Slack channel ids, where there are several; each gets a card."},
    {"policy", "approvers", CONF_LIST, "", 0, APPROVER_COUNT_MAX, NULL,
     "Who may decide: Slack user ids (U…, W…), e-mail addresses, user group ids (S…) and ids of "
     "channels whose members may (C…, G…)."},
    {"policy", "quorum", CONF_NUMBER, "1", 1, CORE_QUORUM_MAX, NULL,
     "How many different people have to approve."},
    {"policy", "needs", CONF_LIST, "", 0, NEED_ITEM_MAX, NULL,
     "Instead of approvers and quorum: how many different people of each kind have to approve, as "
     "\"security: 1 of S0SECURITY\"; behind an \"or\" alone other needs that are enough as well."},
    {"policy", "rejections", CONF_NUMBER, "1", 1, CORE_REJECTIONS_MAX, NULL,
     "How many different people have to reject before a request is rejected."},
    {"policy", "exclude_requester_groups", CONF_LIST, "", 0, CORE_POLICY_GROUP_COUNT_MAX, NULL,
     "User groups whose members do not decide what one of their members asked for."},
    {"policy", "self_approval", CONF_BOOL, "false", 0, 0, NULL,
     "Whether the requester may decide his own request."},
    {"policy", "direct_requester", CONF_BOOL, "true", 0, 0, NULL,
     "Whether who asked, and for whom, is told the outcome in a direct message; else, where the "
     "policy has a channel, by a mention in the card's thread."},
    {"policy", "require_reason", CONF_BOOL, "false", 0, 0, NULL,
     "Whether a request has to say why."},
    {"policy", "ask_in_slack", CONF_BOOL, "false", 0, 0, NULL,
     "Whether every member of the workspace may ask under it with the form in Slack."},
    {"policy", "expires_after", CONF_DURATION, "24h", CORE_EXPIRES_MS_MIN, CORE_EXPIRES_MS_MAX,
     NULL, "When a request that nobody ended expires."},
    {"policy", "lapses_after", CONF_DURATION, "24h", 0, CORE_LAPSES_MS_MAX, NULL,
     "When an approval that was not claimed lapses; 0s: never."},
    {"policy", "webhooks", CONF_LIST, "", 0, CORE_POLICY_WEBHOOK_COUNT_MAX, NULL,
     "Names of configured webhooks that are told of outcomes and use."},
    {"policy", "remind_before", CONF_DURATION, "0s", 0, CORE_EXPIRES_MS_MAX, NULL,
     "How long before a request expires its approvers are reminded, once; 0s: never."},
    {"policy", "escalate_after", CONF_DURATION, "0s", 0, CORE_EXPIRES_MS_MAX, NULL,
     "How long after a request the people of escalate_to are asked too; 0s: never."},
    {"policy", "escalate_to", CONF_LIST, "", 0, CLOCKS_TEXT_ID_COUNT_MAX, NULL,
     "Who may decide as well from then on: Slack user ids (U…, W…), e-mail addresses, user group "
     "ids (S…), and at most one channel id (C…, G…) that gets a card too."},
    {"policy", "takes_effect_after", CONF_DURATION, "0s", 0, CORE_EFFECT_MS_MAX, NULL,
     "How long an approval can be stopped by those who may decide before it takes effect; 0s: it "
     "takes effect at once."},
    {"policy", "recheck", CONF_CHOICE, "none", 0, 0, "none rules strict",
     "What is looked at again when an approval is claimed; rules: those of the policy are as they "
     "were; strict: and Slack says that who approved may still do so."},
    {"policy", "break_glass", CONF_LIST, "", 0, GLASS_TEXT_NAME_COUNT_MAX, NULL,
     "Who may approve his own request in an emergency, alone and with a reason: Slack user ids "
     "(U…, "
     "W…), and \"root\" for what root on a host asked."},
    {"policy", "break_glass_tell", CONF_LIST, "", 0, GLASS_TEXT_TELL_COUNT_MAX, NULL,
     "Who is told of it besides the channel: Slack user ids, and at most one channel id (C…, G…)."},
    {"policy", "windows", CONF_LIST, "", 0, CORE_WINDOW_COUNT_MAX, NULL,
     "When an approval may be claimed, as \"mon-fri 09:00-17:00\"; without one: always."},
    {"policy", "time_zone", CONF_TEXT, "UTC", 0, TZ_NAME_SIZE_MAX, NULL,
     "Whose clock the windows go by, such as Europe/Berlin."},
    {"policy", "outside_windows", CONF_CHOICE, "wait", 0, 0, "wait refuse",
     "Whether, outside the windows and while a freeze holds, it can be asked and decided (and the "
     "claim waits), or nothing can be asked."},
    {"policy", "fields", CONF_LIST, "", 0, CORE_FIELD_COUNT_MAX, NULL,
     "Names of fields that a request has besides; each is a section field of this text."},
    {"policy", "delegation", CONF_BOOL, "false", 0, 0, NULL,
     "Whether an approver who is out of office can be stood in for by the person he named."},
    {"policy", "step_up", CONF_BOOL, "false", 0, 0, NULL,
     "Whether an approval needs a one-time code of the approver's authenticator app as well."},
    {"policy", "direct_approvers", CONF_BOOL, "false", 0, 0, NULL,
     "Whether those who may decide get the card as a direct message, besides the channels or "
     "instead "
     "of one."},
    {"field", "label", CONF_TEXT, "", 0, 4UL * CORE_FIELD_LABEL_COUNT_MAX, NULL,
     "What people read beside it; without one its name."},
    {"field", "kind", CONF_CHOICE, "text", 0, 0, "text select number date",
     "A line of text, one of the options, a whole number, or a date as YYYY-MM-DD."},
    {"field", "required", CONF_BOOL, "false", 0, 0, NULL, "Whether a request has to have it."},
    {"field", "options", CONF_LIST, "", 0, CORE_FIELD_OPTION_COUNT_MAX, NULL,
     "What can be chosen in a select."},
    {"field", "min", CONF_TEXT, "", 0, 20, NULL,
     "The least number, or the fewest characters of a text."},
    {"field", "max", CONF_TEXT, "", 0, 20, NULL,
     "The greatest number, or the most characters of a text (300 at most)."},
    {"field", "hint", CONF_TEXT, "", 0, 4UL * CORE_FIELD_HINT_COUNT_MAX, NULL,
     "Small print below it in the form."},
    {"field", "placeholder", CONF_TEXT, "", 0, 4UL * CORE_FIELD_HINT_COUNT_MAX, NULL,
     "Grey text in it while it is empty."},
    {"retention", "requests", CONF_DURATION, "0s", 0, CORE_RETENTION_MS_MAX, NULL,
     "How long ended requests are kept; 0s: unchanged (90d at first)."},
    {"retention", "audit", CONF_DURATION, "0s", 0, CORE_RETENTION_MS_MAX, NULL,
     "How long the audit log is kept; 0s: unchanged (400d at first)."},
    {.name = NULL},
};

static const char *const titled[] = {"policy", "field", NULL};

static const struct conf_schema schema = {
    .options = options, .titled = titled, .section_count_max = SERVICE_POLICY_COUNT_MAX};

const struct conf_schema *policy_text_schema(void)
{
    return &schema;
}

void policy_set_free(struct policy_set *set)
{
    if (set == NULL) {
        return;
    }
    policy_fields_free(set->fields);
    conf_free(set->conf);
    mem_free(set->policies);
    mem_free(set);
}

static struct span text_of(const struct conf_section *section, const char *name)
{
    return span_text(conf_text(section, name));
}

static enum err_code
read_approvers(const struct conf_section *section, struct policy *policy, struct err *err)
{
    size_t count = conf_list_count(section, "approvers");

    for (size_t i = 0; i < count; i++) {
        struct span id = span_text(conf_list(section, "approvers", i));

        bool is_crowd = slack_crowd_is_valid(id);

        if (is_crowd && policy->group_count < CORE_POLICY_GROUP_COUNT_MAX) {
            policy->groups[policy->group_count++] = id;
        } else if (!is_crowd && policy->user_count < CORE_POLICY_USER_COUNT_MAX) {
            policy->users[policy->user_count++] = id;
        } else {
            return err_set(err, ERR_INVALID,
                           "approvers: at most %d people, and %d groups and channels; use a Slack "
                           "user group",
                           CORE_POLICY_USER_COUNT_MAX, CORE_POLICY_GROUP_COUNT_MAX);
        }
    }
    return ERR_OK;
}

static enum err_code
read_needs(const struct conf_section *section, struct policy *policy, struct err *err)
{
    size_t count = conf_list_count(section, "needs");
    uint32_t alternative = 0;
    enum err_code rc = ERR_OK;

    if (count > 0 && (policy->user_count > 0 || policy->group_count > 0)) {
        return err_set(err, ERR_INVALID, "needs: name people there or in approvers, not in both");
    }
    if (count > 0 && policy->quorum != 1) {
        return err_set(err, ERR_INVALID, "quorum: leave it out; each need says how many");
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = policy_needs_parse(span_text(conf_list(section, "needs", i)), policy, &alternative,
                                err);
    }
    if (rc == ERR_OK && policy->need_count > 0 &&
        policy->needs[policy->need_count - 1].need.alternative != alternative) {
        return err_set(err, ERR_INVALID, "needs: nothing stands behind the last \"or\"");
    }
    policy->quorum = policy_fewest(policy);
    return rc;
}

static enum err_code
read_excludes(const struct conf_section *section, struct policy *policy, struct err *err)
{
    size_t count = conf_list_count(section, "exclude_requester_groups");

    if (count > CORE_POLICY_GROUP_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "exclude_requester_groups: at most %d",
                       CORE_POLICY_GROUP_COUNT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        policy->excludes[policy->exclude_count++] =
            span_text(conf_list(section, "exclude_requester_groups", i));
    }
    return ERR_OK;
}

/* One channel, or several: the first one stands where the only one does. */
static enum err_code
read_channels(const struct conf_section *section, struct policy *policy, struct err *err)
{
    size_t count = conf_list_count(section, "channels");

    policy->channel = text_of(section, "channel");
    if (count > 0 && policy->channel.size > 0) {
        return err_set(err, ERR_INVALID, "channels: name them there or in channel, not in both");
    }
    ASSERT(count <= CORE_CHANNEL_COUNT_MAX); /* the option's limit */
    for (size_t i = 0; i < count; i++) {
        struct span id = span_text(conf_list(section, "channels", i));

        if (i == 0) {
            policy->channel = id;
        } else {
            policy->more_channels[policy->more_channel_count++] = id;
        }
    }
    return ERR_OK;
}

static enum err_code
read_policy(struct policy_set *set, const struct conf_section *section, struct err *err)
{
    struct policy *policy = &set->policies[set->count];
    size_t webhook_count = conf_list_count(section, "webhooks");
    enum err_code rc;

    *policy = (struct policy){.name = span_text(conf_title(section)),
                              .title = text_of(section, "title"),
                              .quorum = (uint32_t)conf_number(section, "quorum"),
                              .rejections = (uint32_t)conf_number(section, "rejections"),
                              .self_approval = conf_bool(section, "self_approval"),
                              .direct_requester = conf_bool(section, "direct_requester"),
                              .require_reason = conf_bool(section, "require_reason"),
                              .ask_in_slack = conf_bool(section, "ask_in_slack"),
                              .delegation = conf_bool(section, "delegation"),
                              .step_up = conf_bool(section, "step_up"),
                              .direct_approvers = conf_bool(section, "direct_approvers"),
                              .expires_after_ms = conf_number(section, "expires_after"),
                              .lapses_after_ms = conf_number(section, "lapses_after")};
    if (webhook_count > CORE_POLICY_WEBHOOK_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "webhooks: at most %d", CORE_POLICY_WEBHOOK_COUNT_MAX);
    }
    for (size_t i = 0; i < webhook_count; i++) {
        policy->webhooks[policy->webhook_count++] = span_text(conf_list(section, "webhooks", i));
    }
    rc = read_channels(section, policy, err);
    if (rc == ERR_OK) {
        rc = read_approvers(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = read_needs(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = read_excludes(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = clocks_text_read(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = glass_text_read(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = windows_text_read(section, policy, err);
    }
    if (rc == ERR_OK) {
        rc = policy_fields_read(set->fields, set->conf, section, &policy->fields, err);
    }
    return rc == ERR_OK ? policy_check(policy, err) : rc;
}

static enum err_code check_twice(const struct policy_set *set, struct err *err)
{
    const struct policy *last = &set->policies[set->count];

    for (size_t i = 0; i < set->count; i++) {
        if (span_equal(set->policies[i].name, last->name)) {
            return err_set(err, ERR_INVALID, "this policy is given twice");
        }
    }
    return ERR_OK;
}

static enum err_code read_policies(struct policy_set *set, struct err *err)
{
    const struct conf_section *section;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && (section = conf_titled(set->conf, "policy", set->count)) != NULL) {
        if (set->count == SERVICE_POLICY_COUNT_MAX) {
            return err_set(err, ERR_INVALID, "more than %d policies", SERVICE_POLICY_COUNT_MAX);
        }
        rc = read_policy(set, section, err);
        if (rc == ERR_OK) {
            rc = check_twice(set, err);
        }
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "%s: policy %s", conf_where(section), conf_title(section));
        }
        set->count++;
    }
    return rc == ERR_OK ? policy_fields_check_used(set->fields, set->conf, err) : rc;
}

static enum err_code read_retention(struct policy_set *set, struct err *err)
{
    const struct conf_section *section = conf_section(set->conf, "retention");
    struct retention *retention = &set->retention;

    retention->requests_ms = conf_number(section, "requests");
    retention->audit_ms = conf_number(section, "audit");
    if ((retention->requests_ms != 0 && retention->requests_ms < CORE_RETENTION_MS_MIN) ||
        (retention->audit_ms != 0 && retention->audit_ms < CORE_RETENTION_MS_MIN)) {
        return err_set(err, ERR_INVALID, "retention: at least 1d");
    }
    return ERR_OK;
}

enum err_code policy_text_parse(struct span text, struct policy_set **ret_set, struct err *err)
{
    struct policy_set *set;
    AUTO_FREE char *copy = NULL;
    enum err_code rc;

    if (text.size > SERVICE_POLICY_TEXT_MAX) {
        return err_set(err, ERR_INVALID, "the text is larger than %d bytes",
                       SERVICE_POLICY_TEXT_MAX);
    }
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) {
        return err_set(err, ERR_INVALID, "the text has a NUL byte");
    }
    copy = mem_copy_text(text.data, text.size);
    set = mem_new(1, sizeof *set);
    if (set != NULL) {
        set->policies = mem_new(SERVICE_POLICY_COUNT_MAX, sizeof *set->policies);
    }
    if (copy == NULL || set == NULL || set->policies == NULL) {
        policy_set_free(set);
        return err_set(err, ERR_NOMEM, "policies");
    }
    rc = policy_fields_new(&set->fields, err);
    if (rc == ERR_OK) {
        rc = conf_parse(&schema, "policy", copy, &set->conf, err);
    }
    if (rc == ERR_OK) {
        rc = read_policies(set, err);
    }
    if (rc == ERR_OK) {
        rc = read_retention(set, err);
    }
    if (rc != ERR_OK) {
        policy_set_free(set);
        return rc;
    }
    *ret_set = set;
    return ERR_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_policy.c: proves approvald/core/policy.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/policy.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <string.h>

static struct policy good(void)
{
    return (struct policy){
        .name = SPAN_LITERAL("deploy"),
        .channel = SPAN_LITERAL("C0CARDS"),
        .quorum = 1,
        .rejections = 1,
        .expires_after_ms = 3600000,
        .lapses_after_ms = 3600000,
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("W0BOB"), SPAN_LITERAL("U0EVE")}};
}

/* The policy is refused and the message names the field. */
static void refused(const struct policy *policy, const char *field)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(policy_check(policy, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(strncmp(err.message, field, strlen(field)), 0);
}

static void a_quorum_has_to_be_reachable(void)
{
    struct policy policy = good();
    struct err err = ERR_INIT;

    policy.quorum = 2;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.quorum = 3; /* one of the three may be the requester */
    refused(&policy, "quorum");
    policy.self_approval = true;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.quorum = 4;
    refused(&policy, "quorum");
    policy.group_count = 1;
    policy.groups[0] = SPAN_LITERAL("S0OPS");
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.quorum = 0;
    refused(&policy, "quorum");
    policy.quorum = CORE_QUORUM_MAX + 1;
    refused(&policy, "quorum");
    policy = good();
    policy.user_count = 1;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
}

static void every_field_has_its_limits(void)
{
    struct policy policy = good();

    policy.name = SPAN_LITERAL("Deploy");
    refused(&policy, "name");
    policy = good();
    policy.channel = SPAN_LITERAL("#general");
    refused(&policy, "channel");
    policy = good();
    policy.title = SPAN_LITERAL("\xff");
    refused(&policy, "title");
    policy = good();
    policy.users[1] = SPAN_LITERAL("bob");
    refused(&policy, "approvers");
    policy = good();
    policy.users[1] = policy.users[0];
    refused(&policy, "approvers");
    policy = good();
    policy.user_count = 0;
    refused(&policy, "approvers");
    policy = good();
    policy.group_count = 1;
    policy.groups[0] = SPAN_LITERAL("U0ANN");
    refused(&policy, "approvers");
    policy = good();
    policy.expires_after_ms = 1000;
    refused(&policy, "expires_after");
    policy.expires_after_ms = CORE_EXPIRES_MS_MAX + 1;
    refused(&policy, "expires_after");
    policy = good();
    policy.lapses_after_ms = 1;
    refused(&policy, "lapses_after");
    policy = good();
    policy.webhook_count = 1;
    policy.webhooks[0] = SPAN_LITERAL("https://x");
    refused(&policy, "webhooks");
}

static void names_and_ids_are_strict(void)
{
    CU_ASSERT(policy_name_is_valid(SPAN_LITERAL("a.b_c-1")));
    CU_ASSERT_FALSE(policy_name_is_valid(SPAN_LITERAL("")));
    CU_ASSERT_FALSE(policy_name_is_valid(SPAN_LITERAL(".hidden")));
    CU_ASSERT_FALSE(policy_name_is_valid(SPAN_LITERAL("-flag")));
    CU_ASSERT_FALSE(policy_name_is_valid(SPAN_LITERAL("a b")));
    CU_ASSERT_FALSE(policy_name_is_valid(span_of("a\0b", 3)));
    CU_ASSERT(slack_user_is_valid(SPAN_LITERAL("U012AB3CD")));
    CU_ASSERT_FALSE(slack_user_is_valid(SPAN_LITERAL("U")));
    CU_ASSERT_FALSE(slack_user_is_valid(SPAN_LITERAL("U012ab")));
    CU_ASSERT_FALSE(slack_user_is_valid(SPAN_LITERAL("C012")));
    CU_ASSERT_FALSE(slack_user_is_valid(SPAN_LITERAL("\0A")));
    CU_ASSERT(slack_channel_is_valid(SPAN_LITERAL("G01")));
    CU_ASSERT(slack_group_is_valid(SPAN_LITERAL("S01")));
}

static void a_difference_names_the_changed_fields(void)
{
    struct policy before = good();
    struct policy after = good();
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    size_t changed = 0;

    CU_ASSERT(policy_equal(&before, &after));
    after.quorum = 2;
    after.users[2] = SPAN_LITERAL("U0NEW");
    after.expires_after_ms = 90 * CORE_MINUTE_MS;
    CU_ASSERT_FALSE(policy_equal(&before, &after));
    CU_ASSERT_EQUAL_FATAL(buf_new(1024, &buf, &err), ERR_OK);
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        if (policy_field_equal(&before, &after, i)) {
            continue;
        }
        changed++;
        buf_clear(buf);
        CU_ASSERT_EQUAL(policy_field_format(&after, i, buf, &err), ERR_OK);
        CU_ASSERT(strcmp(policy_field_name(i), "quorum") != 0 || span_is(buf_span(buf), "2"));
        CU_ASSERT(strcmp(policy_field_name(i), "approvers") != 0 ||
                  span_is(buf_span(buf), "U0ANN, W0BOB, U0NEW"));
        CU_ASSERT(strcmp(policy_field_name(i), "expires_after") != 0 ||
                  span_is(buf_span(buf), "90m"));
    }
    CU_ASSERT_EQUAL(changed, 3);
    after = good();
    after.deleted = true;
    CU_ASSERT_FALSE(policy_equal(&before, &after));
}

UNIT_MAIN("policy",
          {"a quorum has to be reachable", a_quorum_has_to_be_reachable},
          {"every field has its limits", every_field_has_its_limits},
          {"names and ids are strict", names_and_ids_are_strict},
          {"a difference names the changed fields", a_difference_names_the_changed_fields})

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
    policy.groups[0] = SPAN_LITERAL("C0crew");
    refused(&policy, "approvers");
    policy.groups[0] = SPAN_LITERAL("C0CREW");
    CU_ASSERT_EQUAL(policy_check(&policy, NULL), ERR_OK);
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

/* security: 1 of U0ANN; ops: 1 of U0ANN or W0BOB; or director: 2 of S0DIR. */
static struct policy good_needs(void)
{
    struct policy policy = good();

    policy.quorum = 2;
    policy.group_count = 1;
    policy.groups[0] = SPAN_LITERAL("S0DIR");
    policy.need_count = 3;
    policy.needs[0] =
        (struct policy_need){.need = {.name = SPAN_LITERAL("security"), .quorum = 1}, .users = 1};
    policy.needs[1] =
        (struct policy_need){.need = {.name = SPAN_LITERAL("ops"), .quorum = 1}, .users = 3};
    policy.needs[2] = (struct policy_need){
        .need = {.name = SPAN_LITERAL("director"), .quorum = 2, .alternative = 1}, .groups = 1};
    return policy;
}

static void needs_have_their_limits(void)
{
    struct policy policy = good_needs();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    CU_ASSERT_EQUAL(policy_fewest(&policy), 2);
    policy.quorum = 3;
    refused(&policy, "quorum: leave it out");
    policy = good_needs();
    policy.needs[1].need.name = policy.needs[0].need.name;
    refused(&policy, "needs: \"security\" is given twice");
    policy.needs[2].need.name = policy.needs[0].need.name; /* in another alternative it may be */
    policy.needs[1].need.name = SPAN_LITERAL("ops");
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.needs[0].need.name = SPAN_LITERAL("Security");
    refused(&policy, "needs: \"Security\" is not a name");
    policy = good_needs();
    policy.needs[2].groups = 0;
    refused(&policy, "needs: director: name at least one");
    policy = good_needs();
    policy.needs[2].need.quorum = 9;
    refused(&policy, "needs: at most 10 people");
    policy.needs[2].need.quorum = 0;
    refused(&policy, "needs: director: from 1");
}

static void needs_have_to_be_reachable_by_different_people(void)
{
    struct policy policy = good_needs();
    struct err err = ERR_INIT;

    policy.needs[1].users = 1; /* U0ANN alone would have to be two people */
    refused(&policy,
            "needs: security and others: 2 approvals cannot be reached by the 1 different");
    policy.needs[1].need.alternative = 1; /* one of the two ways is enough */
    policy.quorum = 1;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy = good_needs();
    policy.needs[1].groups = 1;
    policy.needs[1].users = 1;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy = good_needs();
    policy.needs[1].need.quorum = 2; /* one of the two may be the requester */
    refused(&policy, "needs: ops: 2 approvals cannot");
    policy.self_approval = true;
    refused(&policy, "needs: security and others: 3 approvals cannot be reached by the 2");
}

static void rejections_and_excluded_groups_have_their_limits(void)
{
    struct policy policy = good();
    struct err err = ERR_INIT;

    policy.rejections = 2;
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.rejections = 3;
    refused(&policy, "rejections: 3 cannot be reached");
    policy.rejections = 0;
    refused(&policy, "rejections: from 1");
    policy.rejections = CORE_REJECTIONS_MAX + 1;
    refused(&policy, "rejections: from 1");
    policy = good();
    policy.exclude_count = 1;
    policy.excludes[0] = SPAN_LITERAL("U0ANN");
    refused(&policy, "exclude_requester_groups: \"U0ANN\"");
    policy.excludes[0] = SPAN_LITERAL("S0TEAM");
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.exclude_count = 2;
    policy.excludes[1] = policy.excludes[0];
    refused(&policy, "exclude_requester_groups: \"S0TEAM\" is given twice");
}

static void needs_are_shown_as_they_are_written(void)
{
    struct policy policy = good_needs();
    struct policy other = good_needs();
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1024, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(policy_needs_format(&policy, buf, &err), ERR_OK);
    CU_ASSERT(span_is(buf_span(buf), "security: 1 of U0ANN, ops: 1 of U0ANN W0BOB, or, "
                                     "director: 2 of S0DIR"));
    CU_ASSERT(policy_equal(&policy, &other));
    other.needs[1].users = 2;
    CU_ASSERT_FALSE(policy_equal(&policy, &other));
    other = good_needs();
    other.users[0] = SPAN_LITERAL("U0NEW");
    CU_ASSERT_FALSE(policy_equal(&policy, &other));
    other = good_needs();
    other.need_count = 0;
    CU_ASSERT_FALSE(policy_equal(&policy, &other));
    other = good_needs();
    other.rejections = 2;
    CU_ASSERT_FALSE(policy_equal(&policy, &other));
    other = good_needs();
    other.exclude_count = 1;
    other.excludes[0] = SPAN_LITERAL("S0TEAM");
    CU_ASSERT_FALSE(policy_equal(&policy, &other));
}

static void only_who_decides_and_how_are_rules(void)
{
    static const char *const rules[] = {"approvers",      "needs",       "quorum",
                                        "self_approval",  "rejections",  "exclude_requester_groups",
                                        "escalate_after", "escalate_to", "takes_effect_after",
                                        "delegation",     "step_up",     "break_glass",
                                        "windows",        "time_zone"};
    struct policy before = good();
    struct policy after = good();
    size_t found = 0;

    /* Every field differs. */
    after = (struct policy){.title = SPAN_LITERAL("t"),
                            .channel = SPAN_LITERAL("C0OTHER"),
                            .quorum = 2,
                            .rejections = 2,
                            .exclude_count = 1,
                            .excludes = {SPAN_LITERAL("S0TEAM")},
                            .need_count = 1,
                            .fields = SPAN_LITERAL("f"),
                            .self_approval = true,
                            .direct_requester = true,
                            .require_reason = true,
                            .ask_in_slack = true,
                            .delegation = true,
                            .step_up = true,
                            .direct_approvers = true,
                            .expires_after_ms = 1,
                            .lapses_after_ms = 1,
                            .user_count = 1,
                            .users = {SPAN_LITERAL("U0ZED")},
                            .webhook_count = 1,
                            .webhooks = {SPAN_LITERAL("ci")},
                            .clocks = {.recheck = RECHECK_STRICT,
                                       .remind_before_ms = 1,
                                       .escalate_after_ms = 1,
                                       .effect_after_ms = 1,
                                       .escalate_channel = SPAN_LITERAL("C0BOSS")},
                            .glass = {.root = true, .channel = SPAN_LITERAL("C0LOUD")},
                            .windows = {.count = 1,
                                        .items = {{.days = 1, .from_min = 1, .to_min = 2}},
                                        .zone = SPAN_LITERAL("UTC"),
                                        .refuse = true}};
    CU_ASSERT_FALSE(policy_rules_equal(&before, &after));
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        CU_ASSERT_FALSE(policy_field_equal(&before, &after, i));
        for (size_t j = 0; j < sizeof rules / sizeof rules[0]; j++) {
            found += strcmp(policy_field_name(i), rules[j]) == 0 ? 1 : 0;
        }
    }
    CU_ASSERT_EQUAL(found, sizeof rules / sizeof rules[0]);
    after.quorum = before.quorum;
    after.rejections = before.rejections;
    after.exclude_count = 0;
    after.need_count = 0;
    after.self_approval = false;
    after.delegation = false;
    after.step_up = false;
    after.user_count = before.user_count;
    memcpy(after.users, before.users, sizeof after.users);
    after.clocks.escalate_after_ms = 0;
    after.clocks.effect_after_ms = 0;
    after.clocks.escalate_channel = SPAN_NONE;
    after.glass.root = false;
    after.windows.count = 0;
    after.windows.zone = before.windows.zone;
    CU_ASSERT_FALSE(policy_equal(&before, &after));
    CU_ASSERT(policy_rules_equal(&before, &after));
    after.clocks.effect_after_ms = 1;
    CU_ASSERT_FALSE(policy_rules_equal(&before, &after));
}

static struct policy with_clocks(void)
{
    struct policy policy = good();

    policy.clocks = (struct policy_clocks){.remind_before_ms = 600000,
                                           .escalate_after_ms = 1200000,
                                           .effect_after_ms = 60000,
                                           .escalate_channel = SPAN_LITERAL("C0BOSS"),
                                           .escalate_user_count = 1,
                                           .escalate_users = {SPAN_LITERAL("U0BOSS")},
                                           .escalate_group_count = 1,
                                           .escalate_groups = {SPAN_LITERAL("S0BOSS")}};
    return policy;
}

static void every_time_has_its_limits(void)
{
    struct policy policy = with_clocks();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
    policy.clocks.remind_before_ms = policy.expires_after_ms;
    refused(&policy, "remind_before");
    policy = with_clocks();
    policy.clocks.remind_before_ms = 999;
    refused(&policy, "remind_before");
    policy = with_clocks();
    policy.clocks.escalate_after_ms = policy.expires_after_ms;
    refused(&policy, "escalate_after");
    policy = with_clocks();
    policy.clocks.escalate_after_ms = 0; /* and nobody knows when */
    refused(&policy, "escalate_after");
    policy = good();
    policy.clocks.escalate_after_ms = 60000; /* and nobody knows who */
    refused(&policy, "escalate_to");
    policy = with_clocks();
    policy.clocks.effect_after_ms = CORE_EFFECT_MS_MAX + 1;
    refused(&policy, "takes_effect_after");
    policy.clocks.effect_after_ms = 1;
    refused(&policy, "takes_effect_after");
    policy = with_clocks();
    policy.clocks.escalate_channel = policy.channel;
    refused(&policy, "escalate_to");
    policy.clocks.escalate_channel = SPAN_LITERAL("#boss");
    refused(&policy, "escalate_to");
    policy = with_clocks();
    policy.clocks.escalate_users[0] = SPAN_LITERAL("boss");
    refused(&policy, "escalate_to");
    policy.clocks.escalate_users[0] = SPAN_LITERAL("Boss@acme.example"); /* a capital */
    refused(&policy, "escalate_to");
    policy.clocks.escalate_users[0] = SPAN_LITERAL("boss@acme.example");
    CU_ASSERT_EQUAL(policy_check(&policy, &err), ERR_OK);
}

static void the_groups_of_approvers_and_of_escalate_to_are_bounded_together(void)
{
    static const char names[CORE_POLICY_GROUP_COUNT_MAX][4] = {"S01", "S02", "S03", "S04",
                                                               "S05", "S06", "S07", "S08"};
    struct policy policy = with_clocks();

    policy.group_count = CORE_POLICY_GROUP_COUNT_MAX;
    for (uint32_t i = 0; i < policy.group_count; i++) {
        policy.groups[i] = span_text(names[i]);
    }
    refused(&policy, "escalate_to");
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
    after = with_clocks();
    after.clocks.recheck = RECHECK_STRICT;
    after.glass.root = true;
    after.glass.user_count = 1;
    after.glass.users[0] = SPAN_LITERAL("U0ANN");
    after.glass.channel = SPAN_LITERAL("C0LOUD");
    after.windows = (struct policy_windows){
        .count = 2,
        .items = {{.days = 0x3b, .from_min = 540, .to_min = 1020}, {.days = 127, .to_min = 1440}},
        .zone = SPAN_LITERAL("UTC"),
        .refuse = true};
    for (size_t i = POLICY_FIELD_COUNT - 10; i < POLICY_FIELD_COUNT; i++) {
        CU_ASSERT_FALSE(policy_field_equal(&before, &after, i));
        buf_clear(buf);
        CU_ASSERT_EQUAL(policy_field_format(&after, i, buf, &err), ERR_OK);
        CU_ASSERT(strcmp(policy_field_name(i), "escalate_to") != 0 ||
                  span_is(buf_span(buf), "C0BOSS, U0BOSS, S0BOSS"));
        CU_ASSERT(strcmp(policy_field_name(i), "takes_effect_after") != 0 ||
                  span_is(buf_span(buf), "1m"));
        CU_ASSERT(strcmp(policy_field_name(i), "windows") != 0 ||
                  span_is(buf_span(buf), "mon,tue,thu-sat 09:00-17:00, daily 00:00-24:00"));
        CU_ASSERT(strcmp(policy_field_name(i), "break_glass") != 0 ||
                  span_is(buf_span(buf), "root, U0ANN"));
    }
    after = good();
    after.deleted = true;
    CU_ASSERT_FALSE(policy_equal(&before, &after));
}

UNIT_MAIN("policy",
          {"a quorum has to be reachable", a_quorum_has_to_be_reachable},
          {"every field has its limits", every_field_has_its_limits},
          {"needs have their limits", needs_have_their_limits},
          {"needs have to be reachable by different people",
           needs_have_to_be_reachable_by_different_people},
          {"rejections and excluded groups have their limits",
           rejections_and_excluded_groups_have_their_limits},
          {"needs are shown as they are written", needs_are_shown_as_they_are_written},
          {"only who decides, and how, are rules", only_who_decides_and_how_are_rules},
          {"every time has its limits", every_time_has_its_limits},
          {"the groups of approvers and of escalate_to are bounded together",
           the_groups_of_approvers_and_of_escalate_to_are_bounded_together},
          {"names and ids are strict", names_and_ids_are_strict},
          {"a difference names the changed fields", a_difference_names_the_changed_fields})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_directory.c: proves approvald/slack/people/directory over the real webapi.
 * Owns nothing but its cases; never opens a socket: directory_bench.h. */
#include "base/log.h"
#include "tests/unit/directory_bench.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/fixture.h"

#include <stdio.h>
#include <string.h>

static void nothing_is_known_before_it_was_fetched(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT_FALSE(facts.user_known);
    CU_ASSERT_FALSE(facts.foreign);
    CU_ASSERT_EQUAL(facts.known_count, 0);
    fetch_user(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 0);
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("users.info")->body, "user=U0APR00001");
    answer_user(&bench, "");
    CU_ASSERT_EQUAL(bench.done_count, 1);
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT_FALSE(facts.foreign);
    CU_ASSERT_FALSE(facts.guest);
    teardown(&bench);
}

static void flags_of_a_person_are_kept_and_grow_stale(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch_user(&bench);
    answer_user(&bench, ",\"is_ultra_restricted\":true,\"is_bot\":true,\"deleted\":true");
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT(facts.guest);
    CU_ASSERT(facts.bot);
    CU_ASSERT(facts.deactivated);
    bench.now.boot_ms += 300000;
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT_FALSE(facts.user_known);
    teardown(&bench);
}

/* Slack's is_app_user says that somebody has authorised the app, such as whoever installed it. */
static void who_has_authorised_the_app_is_no_bot(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch_user(&bench);
    answer_user(&bench, ",\"is_app_user\":true,\"is_bot\":false");
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT_FALSE(facts.bot);
    teardown(&bench);
}

static void one_lookup_serves_all_who_wait(void)
{
    struct bench bench;
    struct directory_need both[] = {{.kind = DIRECTORY_USER, .id = USER},
                                    {.kind = DIRECTORY_GROUP, .id = GROUP}};
    size_t started;

    setup(&bench);
    fetch_user(&bench);
    answer_identity(&bench, "");
    started = fake_fetch_count();
    fetch(&bench, both, 2);
    fetch(&bench, both, 2);
    fetch_user(&bench);
    CU_ASSERT_EQUAL(fake_fetch_count(), started + 1);
    answer_user(&bench, "");
    CU_ASSERT_EQUAL(bench.done_count, 2);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[\"U0APR00001\"]}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 4);
    fetch(&bench, both, 2);
    CU_ASSERT_EQUAL(bench.done_count, 5);
    CU_ASSERT_EQUAL(fake_fetch_count(), started + 1);
    teardown(&bench);
}

static void members_of_a_group_are_found(void)
{
    AUTO_BUF struct buf *body = fixture_read("slack/usergroups_users_list_ok.json");
    struct bench bench;
    struct facts facts;
    uint32_t size = 0;
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    setup(&bench);
    fetch(&bench, &need, 1);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", buf_text(body)));
    directory_facts(bench.directory, SPAN_LITERAL("U0APR00002"), TEAM, &facts);
    CU_ASSERT_EQUAL_FATAL(facts.known_count, 1);
    CU_ASSERT(span_equal(facts.known[0], GROUP));
    CU_ASSERT_EQUAL(facts.member_count, 1);
    directory_facts(bench.directory, SPAN_LITERAL("U0APR0000"), TEAM, &facts);
    CU_ASSERT_EQUAL(facts.known_count, 1);
    CU_ASSERT_EQUAL(facts.member_count, 0);
    CU_ASSERT(directory_group_size(bench.directory, GROUP, &size));
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_FALSE(directory_group_size(bench.directory, SPAN_LITERAL("S0OTHER"), &size));
    bench.now.boot_ms += 120000;
    directory_facts(bench.directory, SPAN_LITERAL("U0APR00002"), TEAM, &facts);
    CU_ASSERT_EQUAL(facts.known_count, 0);
    CU_ASSERT_FALSE(directory_group_size(bench.directory, GROUP, &size));
    teardown(&bench);
}

static void a_deleted_group_has_no_members(void)
{
    struct bench bench;
    struct facts facts;
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    setup(&bench);
    fetch(&bench, &need, 1);
    CU_ASSERT(
        fake_fetch_ok("usergroups.users.list", "{\"ok\":false,\"error\":\"no_such_subteam\"}"));
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT_EQUAL(facts.known_count, 1);
    CU_ASSERT_EQUAL(facts.member_count, 0);
    teardown(&bench);
}

static void people_of_other_organisations_are_foreign(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    directory_facts(bench.directory, USER, OTHER, &facts);
    CU_ASSERT_FALSE(facts.user_known); /* we might be an organisation of many workspaces */
    fetch_user(&bench);
    answer_identity(&bench, "");
    directory_facts(bench.directory, USER, OTHER, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT(facts.foreign);
    answer_user(&bench, ",\"is_stranger\":true");
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT(facts.foreign);
    teardown(&bench);
}

static void whom_slack_does_not_show_is_foreign(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch_user(&bench);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"user_not_visible\"}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    directory_facts(bench.directory, USER, SPAN_NONE, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT(facts.foreign);
    bench.now.boot_ms += 60000;
    directory_facts(bench.directory, USER, SPAN_NONE, &facts);
    CU_ASSERT_FALSE(facts.user_known);
    teardown(&bench);
}

static void other_workspaces_of_our_enterprise_are_ours(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch_user(&bench);
    answer_identity(&bench, ",\"enterprise_id\":\"E0GRID0001\"");
    directory_facts(bench.directory, USER, OTHER, &facts);
    CU_ASSERT_FALSE(facts.user_known);
    answer_user(&bench, ",\"enterprise_user\":{\"enterprise_id\":\"E0GRID0001\"}");
    directory_facts(bench.directory, USER, OTHER, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT_FALSE(facts.foreign);
    teardown(&bench);
}

static void a_failed_lookup_rests_before_it_is_repeated(void)
{
    struct bench bench;
    struct fetch_response broken = {.outcome = FETCH_ANSWERED, .status = 503};

    setup(&bench);
    fetch_user(&bench);
    fake_fetch_answer(fake_fetch_find("users.info"), &broken);
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    fetch_user(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 2);
    CU_ASSERT_PTR_NULL(fake_fetch_find("users.info"));
    bench.now.boot_ms += 5000;
    fetch_user(&bench);
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("users.info"));
    teardown(&bench);
}

static void groups_of_policies_are_kept_fresh(void)
{
    struct bench bench;

    setup(&bench);
    policy_group_count = 1;
    directory_start(bench.directory);
    turn(&bench);
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("usergroups.users.list")->body, "usergroup=S0APV00001");
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[]}"));
    directory_start(bench.directory);
    turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("usergroups.users.list"));
    bench.now.boot_ms += 80000;
    directory_start(bench.directory);
    turn(&bench);
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("usergroups.users.list"));
    teardown(&bench);
}

static void a_token_of_another_team_is_an_alarm(void)
{
    struct bench bench;
    struct directory_identity identity;

    setup_team(&bench, OTHER);
    log_set_level(LOG_LEVEL_ERROR);
    directory_start(bench.directory);
    turn(&bench);
    answer_identity(&bench, "");
    directory_identity(bench.directory, &identity);
    CU_ASSERT(identity.known);
    CU_ASSERT(identity.mismatch);
    CU_ASSERT(span_is(identity.bot, "B0APV00001"));
    teardown(&bench);
}

static void without_a_configured_team_the_tokens_team_counts(void)
{
    struct bench bench;
    struct facts facts;

    setup_team(&bench, SPAN_NONE);
    fetch_user(&bench);
    answer_user(&bench, "");
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT_FALSE(facts.user_known);
    answer_identity(&bench, "");
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT_FALSE(facts.foreign);
    teardown(&bench);
}

static void an_organisation_may_be_configured(void)
{
    struct bench bench;
    struct directory_identity identity;
    struct facts facts;

    setup_team(&bench, SPAN_LITERAL("E0GRID0001"));
    fetch_user(&bench);
    answer_identity(&bench, ",\"enterprise_id\":\"E0GRID0001\"");
    answer_user(&bench, ",\"enterprise_user\":{\"enterprise_id\":\"E0GRID0001\"}");
    directory_facts(bench.directory, USER, OTHER, &facts);
    CU_ASSERT(facts.user_known);
    CU_ASSERT_FALSE(facts.foreign);
    directory_identity(bench.directory, &identity);
    CU_ASSERT_FALSE(identity.mismatch);
    teardown(&bench);
}

static void channels_are_known_by_their_flags(void)
{
    struct bench bench;
    struct directory_channel channel;
    struct directory_need need = {.kind = DIRECTORY_CHANNEL, .id = SPAN_LITERAL("C0APV00001")};

    setup(&bench);
    fetch(&bench, &need, 1);
    CU_ASSERT(fake_fetch_ok("conversations.info",
                            "{\"ok\":true,\"channel\":{\"is_archived\":true,\"is_member\":true}}"));
    directory_channel(bench.directory, need.id, &channel);
    CU_ASSERT(channel.known);
    CU_ASSERT(channel.archived);
    CU_ASSERT(channel.member);
    CU_ASSERT_FALSE(channel.missing);
    need.id = SPAN_LITERAL("C0GONE0001");
    fetch(&bench, &need, 1);
    CU_ASSERT(
        fake_fetch_ok("conversations.info", "{\"ok\":false,\"error\":\"channel_not_found\"}"));
    directory_channel(bench.directory, need.id, &channel);
    CU_ASSERT(channel.known);
    CU_ASSERT(channel.missing);
    teardown(&bench);
}

static void the_places_to_wait_have_an_end(void)
{
    struct bench bench;
    struct directory_need need = {.kind = DIRECTORY_USER, .id = USER};
    struct err err = ERR_INIT;
    size_t count = 0;

    setup(&bench);
    while (directory_fetch(bench.directory, &need, 1, on_done, &bench, &err) == ERR_OK) {
        count++;
    }
    CU_ASSERT_EQUAL(count, 256);
    turn(&bench);
    answer_user(&bench, "");
    CU_ASSERT_EQUAL(bench.done_count, 256);
    teardown(&bench);
}

/* Root vouched for the person when he bound a token to him. */
static void in_an_outage_what_was_known_counts_for_hours(void)
{
    struct bench bench;
    struct facts facts;
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    setup(&bench);
    directory_facts_in_outage(bench.directory, USER, &facts);
    CU_ASSERT(facts.user_known && facts.known_count == 0);
    CU_ASSERT_FALSE(facts.guest || facts.bot || facts.deactivated || facts.foreign);
    fetch_user(&bench);
    answer_user(&bench, ",\"deleted\":true");
    fetch(&bench, &need, 1);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[\"U0APR00001\"]}"));
    bench.now.boot_ms += SLACK_OUTAGE_FACTS_MS;
    directory_facts(bench.directory, USER, TEAM, &facts);
    CU_ASSERT_FALSE(facts.user_known || facts.known_count > 0);
    directory_facts_in_outage(bench.directory, USER, &facts);
    CU_ASSERT(facts.user_known && facts.deactivated && facts.member_count == 1);
    bench.now.boot_ms += SLACK_USER_FRESH_MS;
    directory_facts_in_outage(bench.directory, USER, &facts);
    CU_ASSERT(facts.user_known && !facts.deactivated && facts.known_count == 0);
    teardown(&bench);
}

UNIT_MAIN(
    "directory",
    {"nothing is known before it was fetched", nothing_is_known_before_it_was_fetched},
    {"flags of a person are kept and grow stale", flags_of_a_person_are_kept_and_grow_stale},
    {"who has authorised the app is no bot", who_has_authorised_the_app_is_no_bot},
    {"one lookup serves all who wait", one_lookup_serves_all_who_wait},
    {"members of a group are found", members_of_a_group_are_found},
    {"a deleted group has no members", a_deleted_group_has_no_members},
    {"people of other organisations are foreign", people_of_other_organisations_are_foreign},
    {"whom Slack does not show is foreign", whom_slack_does_not_show_is_foreign},
    {"other workspaces of our enterprise are ours", other_workspaces_of_our_enterprise_are_ours},
    {"a failed lookup rests before it is repeated", a_failed_lookup_rests_before_it_is_repeated},
    {"groups of policies are kept fresh", groups_of_policies_are_kept_fresh},
    {"a token of another team is an alarm", a_token_of_another_team_is_an_alarm},
    {"without a configured team the token's team counts",
     without_a_configured_team_the_tokens_team_counts},
    {"an organisation may be configured", an_organisation_may_be_configured},
    {"in an outage what was known counts for hours", in_an_outage_what_was_known_counts_for_hours},
    {"channels are known by their flags", channels_are_known_by_their_flags},
    {"the places to wait have an end", the_places_to_wait_have_an_end})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_directory_members.c: proves how the directory learns who is in a channel.
 * Owns nothing but its cases; never opens a socket: directory_bench.h. */
#include "base/buf.h"
#include "base/log.h"
#include "tests/unit/directory_bench.h"
#include "tests/unit/fake_fetch.h"

#include <stdio.h>

#define CREW SPAN_LITERAL("C0CREW0001")

static const struct directory_need crew = {.kind = DIRECTORY_GROUP, .id = {"C0CREW0001", 10}};

/* count members U0…, the first of them numbered first, and the cursor of the next page. */
static void answer_page(struct bench *bench, int first, int count, const char *cursor)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1UL << 20, &body, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(body, "{\"ok\":true,\"members\":[", &err), ERR_OK);
    for (int i = first; i < first + count; i++) {
        CU_ASSERT_EQUAL(buf_append_format(body, &err, "%s\"U0M%06d\"", i == first ? "" : ",", i),
                        ERR_OK);
    }
    CU_ASSERT_EQUAL(
        buf_append_format(body, &err, "],\"response_metadata\":{\"next_cursor\":\"%s\"}}", cursor),
        ERR_OK);
    CU_ASSERT(fake_fetch_ok("conversations.members", buf_text(body)));
    turn(bench);
}

static void refuse(struct bench *bench, const char *error)
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"ok\":false,\"error\":\"%s\",\"needed\":\"channels:read\"}", error);
    CU_ASSERT(fake_fetch_ok("conversations.members", body));
    turn(bench);
}

static bool knows(struct bench *bench, const char *user, bool *ret_member)
{
    struct facts facts;

    directory_facts(bench->directory, span_text(user), TEAM, &facts);
    *ret_member = facts.member_count == 1;
    return facts.known_count == 1;
}

static void members_of_a_channel_are_read_to_the_last_page(void)
{
    struct bench bench;
    bool member = false;
    uint32_t size = 0;

    setup(&bench);
    fetch(&bench, &crew, 1);
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("conversations.members")->body,
                           "channel=C0CREW0001&limit=500");
    answer_page(&bench, 0, 500, "dXNlcjpVMA==");
    CU_ASSERT_EQUAL(bench.done_count, 0);
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member)); /* a part is not the whole */
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("conversations.members")->body,
                           "channel=C0CREW0001&limit=500&cursor=dXNlcjpVMA%3D%3D");
    answer_page(&bench, 499, 3, ""); /* one of them once more: somebody joined meanwhile */
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT(knows(&bench, "U0M000501", &member) && member);
    CU_ASSERT(knows(&bench, "U0M000502", &member) && !member);
    CU_ASSERT(directory_group_size(bench.directory, CREW, &size));
    CU_ASSERT_EQUAL(size, 502);
    bench.now.boot_ms += SLACK_GROUP_FRESH_MS + SLACK_MEMBER_PAGE_MS;
    CU_ASSERT_FALSE(knows(&bench, "U0M000501", &member));
    teardown(&bench);
}

static void the_app_itself_is_no_member(void)
{
    struct bench bench;
    uint32_t size = 0;

    setup(&bench);
    fetch(&bench, &crew, 1);
    answer_identity(&bench, "");
    CU_ASSERT(fake_fetch_ok("conversations.members",
                            "{\"ok\":true,\"members\":[\"U0BOT00001\",\"U0APR00001\"]}"));
    turn(&bench);
    CU_ASSERT(directory_group_size(bench.directory, CREW, &size));
    CU_ASSERT_EQUAL(size, 1);
    teardown(&bench);
}

/* An empty set would be an answer: nobody could approve, and nobody would know why. */
static void a_channel_that_slack_does_not_show_is_not_empty(void)
{
    struct bench bench;
    struct directory_trouble troubles[4];
    struct facts facts;
    bool member = false;

    setup(&bench);
    policy_groups[0] = CREW;
    policy_group_count = 1;
    fetch(&bench, &crew, 1);
    answer_page(&bench, 0, 2, "");
    CU_ASSERT_EQUAL(directory_troubles(bench.directory, troubles, 4), 0);
    bench.now.boot_ms += SLACK_GROUP_FRESH_MS;
    fetch(&bench, &crew, 1);
    log_set_level(LOG_LEVEL_ERROR);
    refuse(&bench, "channel_not_found");
    CU_ASSERT_EQUAL(bench.done_count, 2);
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member));
    directory_facts_in_outage(bench.directory, SPAN_LITERAL("U0M000001"), &facts);
    CU_ASSERT_EQUAL(facts.known_count, 0); /* it is known to be none of what it was */
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_equal(troubles[0].id, CREW));
    CU_ASSERT(span_is(troubles[0].word, "channel_not_found"));
    CU_ASSERT_FALSE(troubles[0].works);
    fetch(&bench, &crew, 1); /* it is not asked for again for a while */
    CU_ASSERT_PTR_NULL(fake_fetch_find("conversations.members"));
    bench.now.boot_ms += SLACK_ABSENT_CHANNEL_MS;
    fetch(&bench, &crew, 1);
    answer_page(&bench, 0, 2, "");
    CU_ASSERT(knows(&bench, "U0M000001", &member) && member);
    CU_ASSERT_EQUAL(directory_troubles(bench.directory, troubles, 4), 0);
    teardown(&bench);
}

static void a_missing_scope_leaves_what_was_known_until_it_is_stale(void)
{
    struct bench bench;
    struct directory_trouble troubles[4];
    struct facts facts;
    bool member = false;

    setup(&bench);
    policy_groups[0] = CREW;
    policy_group_count = 1;
    fetch(&bench, &crew, 1);
    answer_page(&bench, 0, 2, "");
    bench.now.boot_ms += SLACK_GROUP_REFRESH_MS;
    directory_start(bench.directory);
    turn(&bench);
    refuse(&bench, "missing_scope");
    CU_ASSERT(knows(&bench, "U0M000001", &member) && member);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].word, "missing_scope"));
    bench.now.boot_ms += SLACK_GROUP_FRESH_MS;
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member));
    directory_facts_in_outage(bench.directory, SPAN_LITERAL("U0M000001"), &facts);
    CU_ASSERT_EQUAL(facts.member_count, 1);
    teardown(&bench);
}

static void a_page_that_fails_is_no_end(void)
{
    struct bench bench;
    struct fetch_response broken = {.outcome = FETCH_ANSWERED, .status = 503};
    bool member = false;

    setup(&bench);
    fetch(&bench, &crew, 1);
    answer_page(&bench, 0, 500, "bmV4dA==");
    fake_fetch_answer(fake_fetch_find("conversations.members"), &broken);
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member));
    CU_ASSERT_EQUAL(directory_group_error(bench.directory, CREW).size, 0); /* Slack is at fault */
    bench.now.boot_ms += SLACK_LOOKUP_PAUSE_MS;
    fetch(&bench, &crew, 1); /* from the beginning */
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("conversations.members")->body,
                           "channel=C0CREW0001&limit=500");
    answer_page(&bench, 0, 1, "");
    CU_ASSERT(knows(&bench, "U0M000000", &member) && member);
    CU_ASSERT(knows(&bench, "U0M000001", &member) && !member);
    teardown(&bench);
}

static void ten_thousand_members_are_known_and_more_are_said_to_be_too_many(void)
{
    struct bench bench;
    bool member = false;
    uint32_t size = 0;

    setup(&bench);
    for (int round = 0; round < 2; round++) {
        fetch(&bench, &crew, 1);
        for (int page = 0; page < 20; page++) {
            bench.now.boot_ms += 1000; /* Slack's rate allows more than one a second */
            answer_page(&bench, page * 500, 500, page < 19 || round == 1 ? "bmV4dA==" : "");
        }
        if (round == 0) {
            CU_ASSERT(knows(&bench, "U0M009999", &member) && member);
            CU_ASSERT(directory_group_size(bench.directory, CREW, &size));
            CU_ASSERT_EQUAL(size, 10000);
            bench.now.boot_ms += SLACK_GROUP_FRESH_MS + 19 * SLACK_MEMBER_PAGE_MS;
        }
    }
    answer_page(&bench, 10000, 1, "");
    CU_ASSERT_FALSE(knows(&bench, "U0M009999", &member));
    CU_ASSERT(span_is(directory_group_error(bench.directory, CREW), "too_many_members"));
    CU_ASSERT_EQUAL(bench.done_count, 2);
    teardown(&bench);
}

static void pages_have_an_end(void)
{
    struct bench bench;

    setup(&bench);
    fetch(&bench, &crew, 1);
    for (int page = 0; page < SLACK_MEMBER_PAGES_MAX; page++) {
        bench.now.boot_ms += 1000;
        answer_page(&bench, page, 1, "bmV4dA=="); /* of a Slack that never comes to its end */
    }
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT_PTR_NULL(fake_fetch_find("conversations.members"));
    CU_ASSERT(span_is(directory_group_error(bench.directory, CREW), "too_many_members"));
    teardown(&bench);
}

static void an_answer_without_members_is_none(void)
{
    struct bench bench;
    char body[512];
    bool member = false;

    setup(&bench);
    fetch(&bench, &crew, 1);
    CU_ASSERT(fake_fetch_ok("conversations.members", "{\"ok\":true}"));
    turn(&bench);
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member));
    CU_ASSERT(span_is(directory_group_error(bench.directory, CREW), "malformed_answer"));
    bench.now.boot_ms += SLACK_LOOKUP_PAUSE_MS;
    fetch(&bench, &crew, 1);
    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"members\":[null,7,\"\",\"U0LONGERTHANANYIDOFSLACKIS\"],"
                   "\"response_metadata\":{\"next_cursor\":\"%0*d\"}}",
                   SLACK_CURSOR_SIZE_MAX + 1, 0);
    CU_ASSERT(fake_fetch_ok("conversations.members", body));
    turn(&bench);
    CU_ASSERT_FALSE(knows(&bench, "U0M000001", &member));
    CU_ASSERT_EQUAL(bench.done_count, 2);
    teardown(&bench);
}

/* The admin has to know that everybody may join, or that nobody can leave. */
static void public_and_archived_channels_are_told(void)
{
    struct bench bench;
    struct directory_trouble troubles[4];

    setup(&bench);
    policy_groups[0] = CREW;
    policy_group_count = 1;
    directory_start(bench.directory);
    turn(&bench);
    answer_page(&bench, 0, 1, "");
    CU_ASSERT(
        fake_fetch_ok("conversations.info", "{\"ok\":true,\"channel\":{\"is_member\":true}}"));
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].word, "is_public") && troubles[0].works);
    bench.now.boot_ms += SLACK_CHANNEL_FRESH_MS;
    directory_start(bench.directory);
    turn(&bench);
    answer_page(&bench, 0, 1, "");
    CU_ASSERT(fake_fetch_ok("conversations.info", "{\"ok\":true,\"channel\":{\"is_private\":true,"
                                                  "\"is_archived\":true}}"));
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].word, "is_archived") && troubles[0].works);
    teardown(&bench);
}

static void a_user_group_that_is_gone_is_told(void)
{
    struct bench bench;
    struct directory_trouble troubles[4];
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    setup(&bench);
    policy_groups[0] = GROUP;
    policy_group_count = 1;
    fetch(&bench, &need, 1);
    CU_ASSERT(
        fake_fetch_ok("usergroups.users.list", "{\"ok\":false,\"error\":\"no_such_subteam\"}"));
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].word, "no_such_subteam"));
    teardown(&bench);
}

UNIT_MAIN("directory_members",
          {"members of a channel are read to the last page",
           members_of_a_channel_are_read_to_the_last_page},
          {"the app itself is no member", the_app_itself_is_no_member},
          {"a channel that Slack does not show is not empty",
           a_channel_that_slack_does_not_show_is_not_empty},
          {"a missing scope leaves what was known until it is stale",
           a_missing_scope_leaves_what_was_known_until_it_is_stale},
          {"a page that fails is no end", a_page_that_fails_is_no_end},
          {"ten thousand members are known and more are said to be too many",
           ten_thousand_members_are_known_and_more_are_said_to_be_too_many},
          {"pages have an end", pages_have_an_end},
          {"an answer without members is none", an_answer_without_members_is_none},
          {"public and archived channels are told", public_and_archived_channels_are_told},
          {"a user group that is gone is told", a_user_group_that_is_gone_is_told})

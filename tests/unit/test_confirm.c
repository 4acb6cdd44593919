/* SPDX-License-Identifier: Apache-2.0 */
/* test_confirm.c: proves approvald/slack/inbound/confirm.c: Slack is asked although the answer of
 * before is fresh, and what it has not said since then is not known. Owns nothing but its cases;
 * the network is fake_fetch. Never judges a claim. */
#include "approvald/service/confirm.h"
#include "approvald/slack/inbound/confirm.h"
#include "tests/unit/directory_bench.h"
#include "tests/unit/fake_fetch.h"

#include <stdio.h>

#define SINCE(bench) ((bench)->now.boot_ms - 1)

static struct service_question question_of(const struct bench *bench)
{
    return (struct service_question){.since_ms = SINCE(bench),
                                     .user_count = 1,
                                     .users = {USER},
                                     .group_count = 1,
                                     .groups = {GROUP}};
}

static void known_by_now(struct bench *bench)
{
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    fetch_user(bench);
    answer_identity(bench, "");
    answer_user(bench, "");
    fetch(bench, &need, 1);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[\"U0APR00001\"]}"));
    turn(bench);
    bench->done_count = 0;
    bench->now.boot_ms += 10;
}

static void ask(struct bench *bench, struct confirm *confirm)
{
    struct service_question question = question_of(bench);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(confirm_ask(confirm, &question, on_done, bench, &err), ERR_OK);
    turn(bench);
}

static void what_is_fresh_but_older_is_asked_for_anew(void)
{
    struct confirm *confirm = NULL;
    struct bench bench;
    struct facts facts;

    setup(&bench);
    CU_ASSERT_EQUAL_FATAL(confirm_new(bench.base, bench.directory, &confirm, NULL), ERR_OK);
    known_by_now(&bench);
    directory_facts(bench.directory, USER, SPAN_NONE, &facts);
    CU_ASSERT(facts.user_known && facts.member_count == 1);
    directory_facts_since(bench.directory, USER, SINCE(&bench), &facts);
    CU_ASSERT(!facts.user_known && facts.known_count == 0);
    ask(&bench, confirm);
    CU_ASSERT_EQUAL(bench.done_count, 0);
    answer_user(&bench, ",\"deleted\":true");
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[]}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    directory_facts_since(bench.directory, USER, SINCE(&bench), &facts);
    CU_ASSERT(facts.user_known && facts.deactivated);
    CU_ASSERT(facts.known_count == 1 && facts.member_count == 0);
    ask(&bench, confirm); /* what has been said just now is not asked for again */
    CU_ASSERT_EQUAL(bench.done_count, 2);
    confirm_free(confirm);
    teardown(&bench);
}

static void a_lookup_that_fails_leaves_it_unknown(void)
{
    struct confirm *confirm = NULL;
    struct bench bench;
    struct facts facts;

    setup(&bench);
    CU_ASSERT_EQUAL_FATAL(confirm_new(bench.base, bench.directory, &confirm, NULL), ERR_OK);
    known_by_now(&bench);
    ask(&bench, confirm);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    directory_facts_since(bench.directory, USER, SINCE(&bench), &facts);
    CU_ASSERT(!facts.user_known && facts.known_count == 0);
    directory_facts(bench.directory, USER, SPAN_NONE, &facts);
    CU_ASSERT(facts.user_known); /* for presses what is fresh counts as before */
    confirm_free(confirm);
    teardown(&bench);
}

static void more_questions_than_there_is_room_for_are_not_asked(void)
{
    struct confirm *confirm = NULL;
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench);
    CU_ASSERT_EQUAL_FATAL(confirm_new(bench.base, bench.directory, &confirm, NULL), ERR_OK);
    known_by_now(&bench);
    for (size_t i = 0; i < SLACK_CONFIRM_COUNT_MAX; i++) {
        ask(&bench, confirm);
    }
    {
        struct service_question question = question_of(&bench);

        CU_ASSERT_EQUAL(confirm_ask(confirm, &question, on_done, &bench, &err), ERR_FULL);
    }
    answer_user(&bench, "");
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[]}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, SLACK_CONFIRM_COUNT_MAX);
    ask(&bench, confirm);
    CU_ASSERT_EQUAL(bench.done_count, SLACK_CONFIRM_COUNT_MAX + 1);
    confirm_free(confirm);
    teardown(&bench);
}

UNIT_MAIN("confirm",
          {"what is fresh but older is asked for anew", what_is_fresh_but_older_is_asked_for_anew},
          {"a lookup that fails leaves it unknown", a_lookup_that_fails_leaves_it_unknown},
          {"more questions than there is room for are not asked",
           more_questions_than_there_is_room_for_are_not_asked})

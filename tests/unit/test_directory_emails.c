/* SPDX-License-Identifier: Apache-2.0 */
/* test_directory_emails.c: proves how the directory learns whose an e-mail address is.
 * Owns nothing but its cases; never opens a socket: directory_bench.h. */
#include "base/log.h"
#include "tests/unit/directory_bench.h"
#include "tests/unit/fake_fetch.h"

#include <stdio.h>

#define ANA SPAN_LITERAL("ana@acme.example")
#define TED SPAN_LITERAL("ted@acme.example")

static const struct directory_need ana = {.kind = DIRECTORY_EMAIL, .id = {"ana@acme.example", 16}};

static void answer_owner(struct bench *bench, const char *user)
{
    char body[128];

    (void)snprintf(body, sizeof body, "{\"ok\":true,\"user\":{\"id\":\"%s\"}}", user);
    CU_ASSERT(fake_fetch_ok("users.lookupByEmail", body));
    turn(bench);
}

static struct facts facts_of(struct bench *bench, struct span user)
{
    struct facts facts;

    directory_facts(bench->directory, user, TEAM, &facts);
    return facts;
}

static void whose_an_address_is_is_kept_for_its_age(void)
{
    struct bench bench;
    struct facts facts;
    struct span user;
    struct span error;

    setup(&bench);
    CU_ASSERT_FALSE(directory_email(bench.directory, ANA, &user, &error));
    fetch(&bench, &ana, 1);
    CU_ASSERT_STRING_EQUAL(fake_fetch_find("users.lookupByEmail")->body,
                           "email=ana%40acme.example");
    answer_owner(&bench, "U0APR00001");
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT(directory_email(bench.directory, ANA, &user, &error) && span_equal(user, USER));
    facts = facts_of(&bench, USER);
    CU_ASSERT(facts.email_count == 1 && span_equal(facts.emails[0], ANA));
    CU_ASSERT_FALSE(facts.emails_known); /* he may have others */
    CU_ASSERT_EQUAL(facts_of(&bench, SPAN_LITERAL("U0APR00002")).email_count, 0);
    fetch(&bench, &ana, 1); /* it is known */
    CU_ASSERT_PTR_NULL(fake_fetch_find("users.lookupByEmail"));
    bench.now.boot_ms += SLACK_EMAIL_FRESH_MS;
    CU_ASSERT_EQUAL(facts_of(&bench, USER).email_count, 0);
    fetch(&bench, &ana, 1);
    answer_owner(&bench, "U0APR00002"); /* it was given to somebody else */
    CU_ASSERT_EQUAL(facts_of(&bench, USER).email_count, 0);
    CU_ASSERT_EQUAL(facts_of(&bench, SPAN_LITERAL("U0APR00002")).email_count, 1);
    teardown(&bench);
}

static void a_persons_own_address_says_what_he_is_not(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch_user(&bench);
    answer_user(&bench, ",\"profile\":{\"email\":\"Ana@ACME.example\"}");
    facts = facts_of(&bench, USER);
    CU_ASSERT(facts.emails_known && facts.email_count == 1 && span_equal(facts.emails[0], ANA));
    bench.now.boot_ms += SLACK_USER_FRESH_MS;
    facts = facts_of(&bench, USER);
    CU_ASSERT(!facts.emails_known && facts.email_count == 0);
    fetch_user(&bench);
    answer_user(&bench, ",\"profile\":{\"real_name\":\"Ana\"}"); /* without the scope */
    facts = facts_of(&bench, USER);
    CU_ASSERT(facts.user_known && !facts.emails_known && facts.email_count == 0);
    bench.now.boot_ms += SLACK_USER_FRESH_MS;
    fetch_user(&bench);
    answer_user(&bench, ",\"profile\":{\"email\":\"no <!here> address\"}");
    facts = facts_of(&bench, USER);
    CU_ASSERT(facts.emails_known && facts.email_count == 0); /* and none that could be named */
    teardown(&bench);
}

static void an_address_of_nobody_is_told_and_asked_for_again(void)
{
    struct bench bench;
    struct directory_trouble troubles[4];
    struct span user;
    struct span error;

    setup(&bench);
    policy_emails[0] = ANA;
    policy_email_count = 1;
    fetch(&bench, &ana, 1);
    log_set_level(LOG_LEVEL_ERROR);
    CU_ASSERT(fake_fetch_ok("users.lookupByEmail", "{\"ok\":false,\"error\":\"users_not_found\"}"));
    turn(&bench);
    CU_ASSERT_EQUAL(bench.done_count, 1);
    CU_ASSERT(directory_email(bench.directory, ANA, &user, &error));
    CU_ASSERT(user.size == 0 && span_is(error, "users_not_found"));
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_equal(troubles[0].id, ANA) && !troubles[0].works);
    bench.now.boot_ms += SLACK_NEGATIVE_FRESH_MS;
    directory_start(bench.directory);
    turn(&bench);
    answer_owner(&bench, "U0APR00001");
    CU_ASSERT_EQUAL(directory_troubles(bench.directory, troubles, 4), 0);
    teardown(&bench);
}

static void errors_leave_what_was_known(void)
{
    struct bench bench;
    struct fetch_response broken = {.outcome = FETCH_ANSWERED, .status = 503};
    struct directory_trouble troubles[4];

    setup(&bench);
    policy_emails[0] = ANA;
    policy_email_count = 1;
    fetch(&bench, &ana, 1);
    answer_owner(&bench, "U0APR00001");
    bench.now.boot_ms += SLACK_EMAIL_REFRESH_MS;
    directory_start(bench.directory);
    turn(&bench);
    fake_fetch_answer(fake_fetch_find("users.lookupByEmail"), &broken);
    turn(&bench);
    CU_ASSERT_EQUAL(facts_of(&bench, USER).email_count, 1);
    CU_ASSERT_EQUAL(directory_troubles(bench.directory, troubles, 4), 0); /* Slack is at fault */
    bench.now.boot_ms += SLACK_LOOKUP_PAUSE_MS;
    directory_start(bench.directory);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("users.lookupByEmail", "{\"ok\":false,\"error\":\"missing_scope\","
                                                   "\"needed\":\"users:read.email\"}"));
    turn(&bench);
    CU_ASSERT_EQUAL(facts_of(&bench, USER).email_count, 1);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].needed, "users:read.email"));
    bench.now.boot_ms += SLACK_LOOKUP_PAUSE_MS;
    directory_start(bench.directory);
    turn(&bench);
    CU_ASSERT(fake_fetch_ok("users.lookupByEmail", "{\"ok\":true,\"user\":{}}"));
    turn(&bench);
    CU_ASSERT_EQUAL_FATAL(directory_troubles(bench.directory, troubles, 4), 1);
    CU_ASSERT(span_is(troubles[0].word, "malformed_answer"));
    teardown(&bench);
}

static void in_an_outage_an_owner_counts_for_hours(void)
{
    struct bench bench;
    struct facts facts;

    setup(&bench);
    fetch(&bench, &ana, 1);
    answer_owner(&bench, "U0APR00001");
    bench.now.boot_ms += SLACK_OUTAGE_FACTS_MS;
    CU_ASSERT_EQUAL(facts_of(&bench, USER).email_count, 0);
    directory_facts_in_outage(bench.directory, USER, &facts);
    CU_ASSERT_EQUAL(facts.email_count, 1);
    bench.now.boot_ms += SLACK_EMAIL_FRESH_MS;
    directory_facts_in_outage(bench.directory, USER, &facts);
    CU_ASSERT_EQUAL(facts.email_count, 0);
    teardown(&bench);
}

static void the_table_is_bounded_and_so_are_ones_addresses(void)
{
    struct bench bench;
    struct facts facts;
    struct span user;
    struct span error;
    char text[32];

    setup(&bench);
    fetch_user(&bench);
    answer_identity(&bench, "");
    answer_user(&bench, ",\"profile\":{\"email\":\"ana@acme.example\"}");
    for (int i = 0; i <= CORE_EMAIL_COUNT_MAX; i++) {
        struct directory_need need = {.kind = DIRECTORY_EMAIL};

        (void)snprintf(text, sizeof text, "p%d@acme.example", i);
        need.id = span_text(text);
        bench.now.boot_ms += 1200; /* Slack's rate */
        fetch(&bench, &need, 1);
        answer_owner(&bench, "U0APR00001");
        fake_fetch_reset(ERR_OK); /* none is open: it counts calls, and has an end */
    }
    CU_ASSERT_FALSE(
        directory_email(bench.directory, SPAN_LITERAL("p0@acme.example"), &user, &error));
    CU_ASSERT(directory_email(bench.directory, SPAN_LITERAL("p128@acme.example"), &user, &error));
    facts = facts_of(&bench, USER);
    CU_ASSERT_EQUAL(facts.email_count, CORE_FACT_EMAIL_COUNT_MAX);
    CU_ASSERT_FALSE(facts.emails_known); /* there are more */
    teardown(&bench);
}

/* A person who is mentioned knows that he is meant; who reads an address need not. */
static void addresses_give_way_to_people_in_mentions(void)
{
    struct bench bench;
    struct policy policy = {.user_count = 3,
                            .users = {USER, ANA, TED},
                            .clocks = {.escalate_user_count = 1, .escalate_users = {ANA}}};

    setup(&bench);
    directory_resolve(bench.directory, &policy);
    CU_ASSERT(span_equal(policy.users[1], ANA));
    fetch(&bench, &ana, 1);
    answer_owner(&bench, "U0APR00002");
    bench.now.boot_ms += SLACK_EMAIL_FRESH_MS; /* who it was is better than an address */
    directory_resolve(bench.directory, &policy);
    CU_ASSERT(span_equal(policy.users[0], USER));
    CU_ASSERT(span_is(policy.users[1], "U0APR00002"));
    CU_ASSERT(span_equal(policy.users[2], TED));
    CU_ASSERT(span_is(policy.clocks.escalate_users[0], "U0APR00002"));
    teardown(&bench);
}

UNIT_MAIN("directory_emails",
          {"whose an address is is kept for its age", whose_an_address_is_is_kept_for_its_age},
          {"a person's own address says what he is not", a_persons_own_address_says_what_he_is_not},
          {"an address of nobody is told and asked for again",
           an_address_of_nobody_is_told_and_asked_for_again},
          {"errors leave what was known", errors_leave_what_was_known},
          {"in an outage an owner counts for hours", in_an_outage_an_owner_counts_for_hours},
          {"the table is bounded and so are one's addresses",
           the_table_is_bounded_and_so_are_ones_addresses},
          {"addresses give way to people in mentions", addresses_give_way_to_people_in_mentions})

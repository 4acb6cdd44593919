/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_needs.c: proves needs in policies' texts, in the inbox and in stored requests.
 * Owns nothing but its cases; never opens a store itself: the kit does. */
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define NEEDS                                                                                      \
    "policy a { needs = {\"security: 1 of S0SEC, U0ANN\", \"ops: 2 of S0OPS\", \"or\",\n"          \
    "  \"director: 1 of U0DIR\"} rejections = 2 exclude_requester_groups = {\"S0TEAM\"} }"

static void a_bad_need_says_what_is_wrong(void)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"policy a { }", "here or in needs"},
        {"policy a { needs = {\"security: 1 of bob\"} }", "needs: security: \"bob\""},
        {"policy a { needs = {\"security 1 of U0ANN\"} }", "needs: \"security 1 of U0ANN\""},
        {"policy a { needs = {\"security: one of U0ANN\"} }", "needs: \"security: one"},
        {"policy a { needs = {\"security: 1 of\"} }", "name at least one"},
        {"policy a { needs = {\": 1 of U0ANN\"} }", "needs: \": 1"},
        {"policy a { needs = {\"or\", \"a: 1 of U0ANN\"} }", "needs: \"or\""},
        {"policy a { needs = {\"a: 1 of U0ANN\", \"or\"} }", "behind the last"},
        {"policy a { needs = {\"a: 1 of U0ANN\", \"or\", \"or\", \"b: 1 of U0BOB\"} }", "\"or\""},
        {"policy a { needs = {\"a: 1 of U0ANN\"} approvers = {\"U0BOB\"} }", "not in both"},
        {"policy a { needs = {\"a: 1 of U0ANN\"} quorum = 2 }", "quorum: leave it out"},
        {"policy a { needs = {\"a: 1 of U0ANN\", \"b: 1 of U0ANN\"} }", "a and others"},
        {"policy a { needs = {\"a: 11 of S0SEC\"} }", "needs: \"a: 11"},
        {"policy a { needs = {\"a: 6 of S0SEC\", \"b: 5 of S0OPS\"} }", "at most 10 people"},
        {"policy a { approvers = {\"U0ANN\"} rejections = 2 }", "rejections"},
        {"policy a { approvers = {\"U0ANN\"} exclude_requester_groups = {\"U0ANN\"} }",
         "exclude_requester_groups"},
    };
    struct service_kit kit;

    service_kit_open(&kit);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kit_expect_refused(&kit, bad[i].text, bad[i].says);
    }
    service_kit_close(&kit);
}

static void needs_are_read_shown_and_compared(void)
{
    const struct request_id nobody = {.bytes = {0}};
    const struct span *groups;
    struct service_kit kit;
    struct kit_answer answer;

    service_kit_open(&kit);
    answer = kit_apply(&kit, NEEDS, false, false);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT(strstr(answer.text, "\"security: 1 of S0SEC U0ANN, ops: 2 of S0OPS, or, director: 1 "
                                  "of U0DIR\"") != NULL);
    CU_ASSERT(strstr(answer.text, "\"exclude_requester_groups\",\"before\":null,\"after\":"
                                  "\"S0TEAM\"") != NULL);
    (void)kit_get(&kit, &nobody); /* behind the read of the groups, which an apply begins */
    CU_ASSERT_EQUAL(service_groups(kit.service, &groups), 3); /* the excluded one is needed too */
    answer = kit_apply(&kit, NEEDS, false, false);
    CU_ASSERT(strstr(answer.text, "\"unchanged\",\"version\":1") != NULL);
    answer = kit_apply(&kit, "policy a { approvers = {\"S0SEC\"} }", true, false);
    CU_ASSERT(strstr(answer.text, "{\"name\":\"rejections\",\"before\":\"2\",\"after\":\"1\"}") !=
              NULL);
    service_kit_close(&kit);
}

/* Who is in which of the three groups, all of which are known. */
static struct facts facts_of(bool security, bool ops, bool team)
{
    struct facts facts = {
        .user_known = true,
        .known_count = 3,
        .known = {SPAN_LITERAL("S0SEC"), SPAN_LITERAL("S0OPS"), SPAN_LITERAL("S0TEAM")}};
    const bool in[] = {security, ops, team};

    for (uint32_t i = 0; i < 3; i++) {
        if (in[i]) {
            facts.member[facts.member_count++] = facts.known[i];
        }
    }
    return facts;
}

static struct kit_answer decide(struct service_kit *kit,
                                const struct request_id *id,
                                const char *user,
                                const struct facts *facts)
{
    struct service_decide press = kit_press(id, user, VERDICT_APPROVE, user);

    press.facts = *facts;
    return kit_decide(kit, &press);
}

/* Also over a restart: what a person fills is stored, and groups are not looked at again. */
static void distinct_people_fill_needs_and_what_they_fill_is_stored(void)
{
    struct service_kit kit;
    struct facts both = facts_of(true, true, false);
    struct facts security = facts_of(true, false, false);
    struct facts ops = facts_of(false, true, false);
    struct kit_answer made = kit_open_asked(&kit, NEEDS, "a");

    CU_ASSERT_EQUAL(decide(&kit, &made.id, "U0BEA", &both).state, REQUEST_PENDING);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(decide(&kit, &made.id, "U0SAM", &security).decision_count, 2);
    CU_ASSERT_EQUAL(decide(&kit, &made.id, "U0SUE", &security).refusal, REFUSAL_NOT_NEEDED);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &made.id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(decide(&kit, &made.id, "U0OLA", &ops).state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

static void whether_the_requester_is_in_the_group_is_found_out_from_the_inbox(void)
{
    struct service_kit kit;
    struct facts facts = facts_of(true, false, true);
    struct kit_inbox inbox;
    struct kit_answer made = kit_open_asked(&kit, NEEDS, "a");
    struct kit_answer answer;

    answer = decide(&kit, &made.id, "U0SAM", &facts);
    CU_ASSERT(answer.deferred && answer.decision_count == 0);
    inbox = kit_inbox(&kit);
    CU_ASSERT_EQUAL(inbox.rc, ERR_OK);
    CU_ASSERT_STRING_EQUAL(inbox.requester, "U0ASKER");
    CU_ASSERT_EQUAL(inbox.group_count, 3);
    CU_ASSERT(kit_resolve(&kit, inbox.seq, &facts, false).deferred);
    facts.requester_known = true;
    facts.requester_count = 1;
    facts.requester[0] = SPAN_LITERAL("S0TEAM");
    answer = kit_resolve(&kit, inbox.seq, &facts, false);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_SAME_GROUP);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 0);
    service_kit_close(&kit);
}

UNIT_MAIN("service_needs",
          {"a bad need says what is wrong", a_bad_need_says_what_is_wrong},
          {"needs are read, shown and compared", needs_are_read_shown_and_compared},
          {"distinct people fill needs and what they fill is stored",
           distinct_people_fill_needs_and_what_they_fill_is_stored},
          {"whether the requester is in the group is found out from the inbox",
           whether_the_requester_is_in_the_group_is_found_out_from_the_inbox})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_ask.c: proves who may ask over Slack, and that one window asks once.
 * Owns nothing but its cases; never speaks with Slack: the facts are given. */
#include "approvald/core/eligible.h"
#include "approvald/core/request_id.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define POLICIES                                                                                   \
    "policy open { approvers = {\"U0ANN\"} ask_in_slack = true }\n"                                \
    "policy apart { approvers = {\"U0EVE\"} ask_in_slack = true "                                  \
    "exclude_requester_groups = {\"S0OPS\"} }\n"                                                   \
    "policy two { approvers = {\"U0ANN\", \"U0BOB\", \"U0EVE\"} ask_in_slack = true }\n"           \
    "policy pair { approvers = {\"U0ANN\", \"U0BOB\"} ask_in_slack = true }\n"                     \
    "policy shut { approvers = {\"U0ANN\"} }\n"                                                    \
    "policy strict { approvers = {\"U0ANN\"} ask_in_slack = true require_reason = true }\n"

static const struct facts member = {.user_known = true};

static struct service_create ask(const char *policy, const char *key, const struct facts *facts)
{
    return (struct service_create){
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = SPAN_LITERAL("U0REQ")},
        .facts = facts,
        .token_id = SERVICE_SLACK_ID,
        .idempotency_key = span_text(key),
        .policy = span_text(policy),
        .title = SPAN_LITERAL("Deploy shop"),
    };
}

static void a_member_asks_for_himself_under_a_policy_that_says_so(void)
{
    struct service_kit kit;
    struct service_create wanted = ask("open", "", &member);
    struct kit_answer made;

    service_kit_open_with(&kit, POLICIES);
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(made.rc, ERR_OK);
    CU_ASSERT_EQUAL(made.state, REQUEST_PENDING);
    /* He is the requester, so the policy's word on self-approval holds. */
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0REQ").refusal, REFUSAL_SELF_APPROVAL);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").state, REQUEST_APPROVED);
    wanted = ask("open", "", &member);
    wanted.actor.user = SPAN_NONE;
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc, ERR_INVALID);
    service_kit_close(&kit);
}

static struct kit_answer
cancel_as(struct service_kit *kit, const struct request_id *id, const char *user)
{
    const struct service_cancel cancel = {
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)}, .id = *id};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_cancel(kit->service, &cancel, kit_on_request, &answer, &err),
                          ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

static void who_asks_for_somebody_else_decides_it_as_little_as_he(void)
{
    struct service_create wanted = ask("two", "", &member);
    struct service_kit kit;
    struct kit_answer made;

    service_kit_open_with(&kit, POLICIES);
    wanted.actor.user = SPAN_LITERAL("U0ANN");
    wanted.requester = SPAN_LITERAL("U0BOB");
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").refusal, REFUSAL_SELF_APPROVAL);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0BOB").refusal, REFUSAL_SELF_APPROVAL);
    CU_ASSERT_EQUAL(cancel_as(&kit, &made.id, "U0EVE").refusal, REFUSAL_NOT_ASKER);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0EVE").state, REQUEST_APPROVED);
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(cancel_as(&kit, &made.id, "U0ANN").state, REQUEST_CANCELLED);
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(cancel_as(&kit, &made.id, "U0BOB").state, REQUEST_CANCELLED);
    wanted.policy = SPAN_LITERAL("apart");
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_STRING_EQUAL(made.message,
                           "requester: this policy looks at who asks; ask for yourself");
    wanted.policy = SPAN_LITERAL("two");
    wanted.requester = SPAN_LITERAL("bob");
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc, ERR_INVALID);
    /* Who holds a token asks as its user only. */
    wanted.requester = SPAN_LITERAL("U0BOB");
    wanted.actor = (struct actor){.kind = ACTOR_TOKEN,
                                  .via = VIA_API,
                                  .user = SPAN_LITERAL("U0ANN"),
                                  .token = SPAN_LITERAL("ann")};
    wanted.facts = NULL;
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc, ERR_INVALID);
    service_kit_close(&kit);
}

/* It could only expire, and nobody would know why. */
static void what_nobody_could_approve_is_refused_at_once(void)
{
    struct service_create wanted = ask("pair", "", &member);
    struct service_kit kit;
    struct kit_answer made;

    service_kit_open_with(&kit, POLICIES);
    wanted.actor.user = SPAN_LITERAL("U0ANN");
    wanted.requester = SPAN_LITERAL("U0BOB");
    made = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(made.rc, ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(made.message,
                           "requester: too few people could approve this, for who asks and for "
                           "whom do not decide; let somebody else ask, or for somebody else");
    wanted.requester = SPAN_LITERAL("U0EVE");
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc, ERR_OK);
    wanted = ask("open", "", &member);
    wanted.actor.user = SPAN_LITERAL("U0ANN"); /* its only approver, for himself */
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc, ERR_INVALID);
    service_kit_close(&kit);
}

static void a_policy_has_to_say_that_people_may_ask(void)
{
    struct service_kit kit;
    struct service_create wanted = ask("shut", "V1", &member);
    struct service_create other = ask("open", "V2", &member);

    service_kit_open_with(&kit, POLICIES);
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, REFUSAL_NOT_ASKABLE);
    wanted.policy = SPAN_LITERAL("none");
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, REFUSAL_UNKNOWN_POLICY);
    /* What another version of the policy said when the window was opened does not count. */
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy open { approvers = {\"U0ANN\"} }", false, false).rc,
                    ERR_OK);
    CU_ASSERT_EQUAL(kit_create_as(&kit, &other).refusal, REFUSAL_NOT_ASKABLE);
    CU_ASSERT_EQUAL(
        kit_apply(&kit, "policy shut { approvers = {\"U0ANN\"} ask_in_slack = true }", false, true)
            .rc,
        ERR_OK);
    CU_ASSERT_EQUAL(kit_create_as(&kit, &other).refusal, REFUSAL_POLICY_DELETED);
    wanted.policy = SPAN_LITERAL("shut");
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc,
                    ERR_OK); /* refused before, so the key is free */
    /* A token asks under any policy, as ever. */
    CU_ASSERT_EQUAL(kit_apply(&kit, POLICIES, false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_create(&kit, "shut", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void who_may_not_ask_is_refused_and_audited(void)
{
    static const struct {
        struct facts facts;
        enum refusal refusal;
    } people[] = {
        {{.user_known = false}, REFUSAL_FACTS_UNKNOWN},
        {{.user_known = true, .foreign = true}, REFUSAL_FOREIGN},
        {{.user_known = true, .guest = true}, REFUSAL_GUEST},
        {{.user_known = true, .bot = true}, REFUSAL_BOT},
        {{.user_known = true, .deactivated = true}, REFUSAL_DEACTIVATED},
    };
    struct service_kit kit;
    struct service_create wanted = ask("open", "V1", NULL);
    size_t before;

    service_kit_open_with(&kit, POLICIES);
    before = kit_audit(&kit, NULL).count;
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        wanted.facts = &people[i].facts;
        wanted.policy = SPAN_LITERAL("open");
        CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, people[i].refusal);
        wanted.policy = SPAN_LITERAL("none"); /* nor does he learn which policies there are */
        CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, people[i].refusal);
    }
    wanted.facts = NULL;
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, REFUSAL_FACTS_UNKNOWN);
    CU_ASSERT_EQUAL(kit_audit(&kit, NULL).count, before + 11);
    CU_ASSERT(kit_audit(&kit, NULL).sound);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, NULL).actions, "refused"));
    CU_ASSERT_EQUAL(eligible_ask(&member), REFUSAL_NONE);
    service_kit_close(&kit);
}

static void one_window_asks_once(void)
{
    struct service_kit kit;
    struct service_create wanted = ask("strict", "U0REQ V1", &member);
    struct kit_answer first;
    struct kit_answer again;

    service_kit_open_with(&kit, POLICIES);
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).rc,
                    ERR_INVALID); /* no reason; the key stays free */
    wanted.reason = SPAN_LITERAL("it is stuck");
    wanted.body_hash[0] = 1;
    first = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(first.rc, ERR_OK);
    service_kit_restart(&kit);
    again = kit_create_as(&kit, &wanted);
    CU_ASSERT(again.replayed);
    CU_ASSERT_EQUAL(memcmp(&first.id, &again.id, sizeof first.id), 0);
    wanted.body_hash[0] = 2;
    CU_ASSERT_EQUAL(kit_create_as(&kit, &wanted).refusal, REFUSAL_KEY_REUSED);
    /* The same key on the local socket is another intent. */
    wanted.actor = kit_root;
    wanted.facts = NULL;
    wanted.token_id = 0;
    again = kit_create_as(&kit, &wanted);
    CU_ASSERT_EQUAL(again.rc, ERR_OK);
    CU_ASSERT_FALSE(again.replayed);
    service_kit_close(&kit);
}

UNIT_MAIN("service_ask",
          {"a member asks for himself under a policy that says so",
           a_member_asks_for_himself_under_a_policy_that_says_so},
          {"who asks for somebody else decides it as little as he",
           who_asks_for_somebody_else_decides_it_as_little_as_he},
          {"what nobody could approve is refused at once",
           what_nobody_could_approve_is_refused_at_once},
          {"a policy has to say that people may ask", a_policy_has_to_say_that_people_may_ask},
          {"who may not ask is refused and audited", who_may_not_ask_is_refused_and_audited},
          {"one window asks once", one_window_asks_once})

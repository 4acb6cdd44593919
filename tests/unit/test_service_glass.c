/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_glass.c: proves how the glass is broken, through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define POLICY(more)                                                                               \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\", \"U0EVE\"} quorum "  \
    "= 2 " more " }\n"
#define GLASS                                                                                      \
    POLICY("break_glass = {\"U0ASKER\", \"root\"} break_glass_tell = {\"C0LOUD\", \"U0CHIEF\"}")

static struct request_id ask(struct service_kit *kit, const char *text)
{
    return kit_open_asked(kit, text, "deploy").id;
}

static struct kit_answer
break_glass(struct service_kit *kit, const struct request_id *id, const char *user, const char *why)
{
    struct service_decide press = kit_press(id, user, VERDICT_GLASS, NULL);

    press.reason = span_text(why);
    return kit_decide(kit, &press);
}

static void it_is_one_transaction_with_all_who_are_told(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    struct kit_answer answer = break_glass(&kit, &id, "U0ASKER", "down");
    struct kit_rows rows = kit_owed(&kit, &id, false);
    struct service_counts counts;

    CU_ASSERT(answer.rc == ERR_OK && answer.state == REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.decision_count, 0);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 2);   /* C0CARDS, C0LOUD */
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_DIRECT), 2); /* the requester, U0CHIEF */
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, &id).actions, "break_glass approved"));
    service_counts(kit.service, &counts);
    CU_ASSERT(counts.glass_count == 1 && counts.glass_ms == kit.now_ms);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void how_often_is_known_after_a_restart(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    struct service_counts counts;
    uint64_t at_ms = kit.now_ms;

    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", "down").rc, ERR_OK);
    service_kit_pass(&kit, 5000);
    service_kit_restart(&kit);
    service_counts(kit.service, &counts);
    CU_ASSERT(counts.glass_count == 1 && counts.glass_ms == at_ms);
    CU_ASSERT_EQUAL(memcmp(&counts.glass_last, &id, sizeof id), 0);
    service_kit_close(&kit);
}

static void a_reason_has_to_be_there_and_to_fit(void)
{
    static const char *const bad[] = {"", "  \n\t ", "\x07\x1b", "\xe2\x80\xae", "\xff"};
    static char longer[CORE_REASON_COUNT_MAX + 2];
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);

    memset(longer, 'x', sizeof longer - 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", bad[i]).rc, ERR_INVALID);
    }
    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", longer).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    longer[CORE_REASON_COUNT_MAX] = '\0';
    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", longer).rc, ERR_OK);
    service_kit_close(&kit);
}

static void refusals_say_why_and_are_audited(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);

    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ANN", "why").refusal, REFUSAL_NO_GLASS);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, &id).actions, "refused"));
    service_kit_close(&kit);
    id = ask(&kit, POLICY("self_approval = true"));
    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", "why").refusal, REFUSAL_NO_GLASS);
    service_kit_close(&kit);
}

static void a_right_that_was_taken_away_is_gone_at_once(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    struct request_id other = kit_create(&kit, "deploy", "").id;

    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", "why").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_apply(&kit, POLICY(""), false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(break_glass(&kit, &other, "U0ASKER", "why").refusal, REFUSAL_NO_GLASS);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_POLICY_CHANGED);
    CU_ASSERT_EQUAL(kit_apply(&kit, GLASS, false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void say_gone(void *arg, struct span user, struct facts *ret_facts)
{
    const bool *gone = arg;

    *ret_facts =
        (struct facts){.user_known = true, .deactivated = *gone && span_is(user, "U0ASKER")};
}

static void who_is_gone_since_takes_it_with_him(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    bool gone = true;

    service_set_facts(kit.service, say_gone, &gone);
    CU_ASSERT_EQUAL(break_glass(&kit, &id, "U0ASKER", "why").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_APPROVER_GONE);
    gone = false;
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void the_same_press_breaks_it_once(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    struct service_decide press = kit_press(&id, "U0ASKER", VERDICT_GLASS, "view 1");
    struct service_counts counts;

    press.reason = SPAN_LITERAL("why");
    CU_ASSERT(!kit_decide(&kit, &press).replayed);
    CU_ASSERT(kit_decide(&kit, &press).replayed);
    press.key.text = SPAN_LITERAL("view 2");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_ALREADY_DECIDED);
    service_counts(kit.service, &counts);
    CU_ASSERT_EQUAL(counts.glass_count, 1);
    service_kit_close(&kit);
}

static void a_person_who_is_not_known_yet_waits_in_the_inbox(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, GLASS);
    struct service_decide press = kit_press(&id, "U0ASKER", VERDICT_GLASS, "view 1");
    struct facts facts = {.user_known = true};
    struct kit_inbox inbox;
    struct kit_answer answer;

    press.reason = SPAN_LITERAL("why");
    press.facts.user_known = false;
    CU_ASSERT(kit_decide(&kit, &press).deferred);
    service_kit_restart(&kit);
    inbox = kit_inbox(&kit);
    CU_ASSERT_EQUAL_FATAL(inbox.count, 1);
    CU_ASSERT_EQUAL(inbox.group_count, 0); /* it waits for no group */
    answer = kit_resolve(&kit, inbox.seq, &facts, false);
    CU_ASSERT(answer.rc == ERR_OK && answer.state == REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.decision_count, 0);
    service_kit_close(&kit);
}

static struct kit_answer ask_as_root(struct service_kit *kit)
{
    struct service_create create = {
        .actor = kit_root, .policy = SPAN_LITERAL("deploy"), .title = SPAN_LITERAL("Restart")};

    return kit_create_as(kit, &create);
}

static void root_decides_nothing_but_this(void)
{
    struct service_kit kit;
    struct request_id others = ask(&kit, GLASS);
    struct kit_answer made = ask_as_root(&kit);
    struct service_decide press = {
        .actor = kit_root, .id = others, .verdict = VERDICT_GLASS, .reason = SPAN_LITERAL("why")};

    CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_GLASS_OWN);
    press.id = made.id;
    press.verdict = VERDICT_APPROVE;
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).rc, ERR_INVALID);
    press.verdict = VERDICT_GLASS;
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

static void what_nobody_else_could_approve_can_be_asked_by_who_may_break_it(void)
{
    struct service_kit kit;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit,
                  "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ASKER\"} "
                  "break_glass = {\"U0ASKER\", \"root\"} }\n"
                  "policy other { channel = \"C0CARDS\" approvers = {\"U0ASKER\"} }",
                  false, false)
            .rc,
        ERR_OK);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    CU_ASSERT_NOT_EQUAL(kit_create(&kit, "other", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void a_policy_says_who_and_to_whom(void)
{
    static const char *const bad[] = {
        POLICY("break_glass = {\"S0OPS\"}"),
        POLICY("break_glass = {\"U0ANN\", \"U0ANN\"}"),
        POLICY("break_glass_tell = {\"C0LOUD\"}"),
        POLICY("break_glass = {\"U0ANN\"} break_glass_tell = {\"C0CARDS\"}"),
        POLICY("break_glass = {\"U0ANN\"} break_glass_tell = {\"C0LOUD\", \"C0MORE\"}"),
        POLICY("break_glass = {\"U0ANN\"} break_glass_tell = {\"ops\"}"),
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"U0ANN\"} }",
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"U0BOB\"}\n"
        "  break_glass_tell = {\"U0BOB\"} }", /* only he himself */
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"U0BOB\", \"U0EVE\", \"root\"}\n"
        "  break_glass_tell = {\"U0EVE\", \"U0BOB\"} }",
    };
    static const char *const good[] = {
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"U0BOB\"}\n"
        "  break_glass_tell = {\"U0BOB\", \"U0ANN\"} }",
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"U0BOB\"}\n"
        "  break_glass_tell = {\"C0LOUD\"} }",
        "policy quiet { approvers = {\"U0ANN\"} break_glass = {\"root\"}\n"
        "  break_glass_tell = {\"U0BOB\"} }",
    };
    struct service_kit kit;

    service_kit_open(&kit);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kit_answer answer = kit_apply(&kit, bad[i], false, false);

        CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "break_glass"));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT_EQUAL(kit_apply(&kit, good[i], false, true).rc, ERR_OK);
    }
    CU_ASSERT_EQUAL(kit_apply(&kit, GLASS, false, false).rc, ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_apply(&kit, POLICY(""), true, false).text, "root, U0ASKER"));
    service_kit_close(&kit);
}

UNIT_MAIN("service_glass",
          {"it is one transaction, with all who are told",
           it_is_one_transaction_with_all_who_are_told},
          {"how often is known after a restart", how_often_is_known_after_a_restart},
          {"a reason has to be there and to fit", a_reason_has_to_be_there_and_to_fit},
          {"refusals say why and are audited", refusals_say_why_and_are_audited},
          {"a right that was taken away is gone at once",
           a_right_that_was_taken_away_is_gone_at_once},
          {"who is gone since takes it with him", who_is_gone_since_takes_it_with_him},
          {"the same press breaks it once", the_same_press_breaks_it_once},
          {"a person who is not known yet waits in the inbox",
           a_person_who_is_not_known_yet_waits_in_the_inbox},
          {"root decides nothing but this", root_decides_nothing_but_this},
          {"what nobody else could approve can be asked by who may break it",
           what_nobody_else_could_approve_can_be_asked_by_who_may_break_it},
          {"a policy says who, and to whom", a_policy_says_who_and_to_whom})

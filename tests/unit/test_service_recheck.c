/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_recheck.c: proves what is looked at again when an approval is claimed, through
 * service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define POLICY(title, approvers, more)                                                             \
    "policy deploy { title = \"" title "\" channel = \"C0CARDS\" approvers = {" approvers          \
    "} recheck = strict " more " }\n"
#define BOTH "\"U0ANN\", \"S0OPS\""

/* What the directory knows, and what it was asked. */
struct people {
    struct service_kit *kit;
    const char *deactivated;
    const char *member; /* of S0OPS */
    bool groups_unknown;
    uint32_t asked;
    const char *apply[2]; /* the policy changes so while it is asked: every other time, or always */
};

static const struct span group = {.data = "S0OPS", .size = 5};

static void on_applied(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    (void)err;
    (void)text;
    CU_ASSERT_EQUAL(rc, ERR_OK);
    (void)arg;
}

static void look(void *arg, struct span user, struct facts *ret_facts)
{
    struct people *people = arg;

    people->asked++;
    *ret_facts = (struct facts){.user_known = true};
    ret_facts->deactivated = people->deactivated != NULL && span_is(user, people->deactivated);
    if (!people->groups_unknown) {
        ret_facts->known[ret_facts->known_count++] = group;
    }
    if (people->member != NULL && span_is(user, people->member)) {
        ret_facts->member[ret_facts->member_count++] = group;
    }
    if (people->apply[people->asked % 2] != NULL) {
        CU_ASSERT_EQUAL(service_policy_apply(people->kit->service, &kit_root,
                                             span_text(people->apply[people->asked % 2]), false,
                                             false, on_applied, NULL, NULL),
                        ERR_OK);
    }
}

static struct request_id approved(struct service_kit *kit, struct people *people, const char *user)
{
    struct kit_answer made;
    struct service_decide press;

    service_kit_open(kit);
    people->kit = kit;
    service_set_facts(kit->service, look, people);
    CU_ASSERT_EQUAL_FATAL(kit_apply(kit, POLICY("One", BOTH, ""), false, false).rc, ERR_OK);
    made = kit_create(kit, "deploy", "");
    press = kit_press(&made.id, user, VERDICT_APPROVE, NULL);
    press.facts.known_count = 1;
    press.facts.known[0] = group;
    press.facts.member_count = strcmp(user, "U0ANN") == 0 ? 0 : 1;
    press.facts.member[0] = group;
    CU_ASSERT_EQUAL(kit_decide(kit, &press).state, REQUEST_APPROVED);
    return made.id;
}

static void what_still_holds_is_claimed_once_with_its_key(void)
{
    struct people people = {.asked = 0};
    struct service_kit kit;
    struct request_id id = approved(&kit, &people, "U0ANN");
    struct kit_answer answer = kit_claim(&kit, &id, "k");

    CU_ASSERT(answer.rc == ERR_OK && answer.use == USE_CLAIMED && !answer.replayed);
    CU_ASSERT_EQUAL(people.asked, 2); /* is he gone, and is it certain that he is not? */
    people.deactivated = "U0ANN";     /* the answer is what it was */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT(answer.rc == ERR_OK && answer.replayed);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "other").refusal, REFUSAL_CLAIMED);
    CU_ASSERT_EQUAL(kit_audit(&kit, &id).count,
                    5); /* created, approval, approved, claimed, one refusal */
    service_kit_close(&kit);
}

static void who_is_gone_takes_his_approval_with_him(void)
{
    struct people people = {.asked = 0};
    struct service_kit kit;
    struct request_id id = approved(&kit, &people, "U0ANN");
    struct kit_answer answer;

    people.deactivated = "U0ANN";
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT(answer.rc == ERR_CONFLICT && answer.refusal == REFUSAL_APPROVER_GONE);
    CU_ASSERT_EQUAL(answer.use, USE_UNUSED);
    people.deactivated = NULL; /* back again */
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void a_group_is_looked_at_as_far_as_it_is_known(void)
{
    struct people people = {.member = "U0MEM"};
    struct service_kit kit;
    struct request_id id = approved(&kit, &people, "U0MEM");

    people.member = NULL;
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_APPROVER_GONE);
    people.groups_unknown = true; /* Slack says nothing: that is no yes */
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_APPROVER_UNKNOWN);
    people.groups_unknown = false;
    people.member = "U0MEM";
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

#define DUO                                                                                        \
    "policy duo { channel = \"C0CARDS\" recheck = strict\n"                                        \
    "  needs = {\"security: 1 of S0SEC\", \"ops: 1 of S0OPS\"} }\n"
/* Bits of the groups that each of the two is in. */
struct duo {
    unsigned ann;
    unsigned bob;
};
enum { SECURITY = 1, OPS = 2 };

static void look_duo(void *arg, struct span user, struct facts *ret_facts)
{
    static const struct span groups[] = {{.data = "S0SEC", .size = 5},
                                         {.data = "S0OPS", .size = 5}};
    const struct duo *duo = arg;
    unsigned in = span_is(user, "U0ANN") ? duo->ann : duo->bob;

    *ret_facts = (struct facts){.user_known = true, .known_count = 2};
    for (uint32_t i = 0; i < 2; i++) {
        ret_facts->known[i] = groups[i];
        if ((in >> i & 1) != 0) {
            ret_facts->member[ret_facts->member_count++] = groups[i];
        }
    }
}

static void
approve_duo(struct service_kit *kit, const struct request_id *id, struct duo *duo, const char *user)
{
    struct service_decide press = kit_press(id, user, VERDICT_APPROVE, NULL);

    look_duo(duo, span_text(user), &press.facts);
    CU_ASSERT_EQUAL(kit_decide(kit, &press).rc, ERR_OK);
}

/* What comes of a claim when the groups have become those of after. */
static enum refusal claim_duo(struct duo before, struct duo after)
{
    struct service_kit kit;
    struct request_id id;
    struct kit_answer answer;

    service_kit_open(&kit);
    service_set_facts(kit.service, look_duo, &after); /* for as long as this call */
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, DUO, false, false).rc, ERR_OK);
    id = kit_create(&kit, "duo", "").id;
    approve_duo(&kit, &id, &before, "U0ANN");
    approve_duo(&kit, &id, &before, "U0BOB");
    answer = kit_claim(&kit, &id, "k");
    service_kit_close(&kit);
    return answer.refusal;
}

static void those_who_are_left_have_to_fill_the_needs(void)
{
    const struct duo each = {.ann = SECURITY, .bob = OPS};
    const struct duo moved = {.ann = OPS, .bob = OPS};
    const struct duo both = {.ann = SECURITY | OPS, .bob = SECURITY | OPS};
    const struct duo swapped = {.ann = OPS, .bob = SECURITY | OPS};

    CU_ASSERT_EQUAL(claim_duo(each, each), REFUSAL_NONE);
    CU_ASSERT_EQUAL(claim_duo(each, moved), REFUSAL_APPROVER_GONE); /* nobody of security */
    CU_ASSERT_EQUAL(claim_duo(both, swapped), REFUSAL_NONE);        /* the other one fills it */
}

static void changed_rules_need_a_new_question_and_other_changes_do_not(void)
{
    static const struct {
        const char *text;
        enum refusal refusal;
    } cases[] = {
        {POLICY("Two", BOTH, ""), REFUSAL_NONE},
        {POLICY("One", BOTH, "remind_before = 5m"), REFUSAL_NONE},
        {POLICY("One", BOTH ", \"U0NEW\"", ""), REFUSAL_POLICY_CHANGED},
        {POLICY("One", BOTH, "quorum = 2"), REFUSAL_POLICY_CHANGED},
        {POLICY("One", BOTH, "takes_effect_after = 5m"), REFUSAL_POLICY_CHANGED},
        {POLICY("One", BOTH, "windows = {\"daily 00:00-24:00\"}"), REFUSAL_POLICY_CHANGED},
        {POLICY("One", BOTH, "outside_windows = refuse"), REFUSAL_NONE},
        {"policy other { approvers = {\"U0ANN\"} }", REFUSAL_POLICY_CHANGED}, /* deleted */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct people people = {.asked = 0};
        struct service_kit kit;
        struct request_id id = approved(&kit, &people, "U0ANN");

        CU_ASSERT_EQUAL(kit_apply(&kit, cases[i].text, false, true).rc, ERR_OK);
        CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, cases[i].refusal);
        service_kit_close(&kit);
    }
}

#define RULES(more)                                                                                \
    "policy deploy { channel = \"C0CARDS\" approvers = {" BOTH "} recheck = rules " more " }\n"

/* Slack is not asked, and so cannot be in the way. */
static void rules_alone_are_compared_without_a_look_at_people(void)
{
    struct people people = {.deactivated = "U0ANN"};
    struct service_kit kit;
    struct request_id id;

    service_kit_open(&kit);
    people.kit = &kit;
    service_set_facts(kit.service, look, &people);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, RULES(""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_apply(&kit, RULES("self_approval = true"), false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_POLICY_CHANGED);
    service_kit_restart(&kit); /* its version says that the rules are looked at */
    service_set_facts(kit.service, look, &people);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_POLICY_CHANGED);
    CU_ASSERT_EQUAL(kit_apply(&kit, RULES(""), false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(people.asked, 0);
    service_kit_close(&kit);
}

static void a_policy_that_changes_meanwhile_is_looked_at_again(void)
{
    struct people people = {.apply = {NULL, POLICY("Two", BOTH, "")}};
    struct service_kit kit;
    struct request_id id = approved(&kit, &people, "U0ANN");

    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(people.asked, 4);
    service_kit_close(&kit);
    people = (struct people){.apply = {NULL, POLICY("One", BOTH, "quorum = 2")}};
    id = approved(&kit, &people, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_POLICY_CHANGED);
    service_kit_close(&kit);
    people = (struct people){.apply = {POLICY("One", BOTH, ""), POLICY("Two", BOTH, "")}};
    id = approved(&kit, &people, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").rc, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).use, USE_UNUSED);
    service_kit_close(&kit);
}

static void without_anybody_to_ask_the_rules_are_looked_at_all_the_same(void)
{
    struct people people = {.asked = 0};
    struct service_kit kit;
    struct request_id id = approved(&kit, &people, "U0ANN");

    service_set_facts(kit.service, NULL, NULL);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    id = kit_create(&kit, "deploy", "two").id;
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_apply(&kit, POLICY("One", "\"U0BOB\"", ""), false, false).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_POLICY_CHANGED);
    CU_ASSERT_EQUAL(people.asked, 0);
    service_kit_close(&kit);
}

UNIT_MAIN("service_recheck",
          {"what still holds is claimed once, with its key",
           what_still_holds_is_claimed_once_with_its_key},
          {"who is gone takes his approval with him", who_is_gone_takes_his_approval_with_him},
          {"a group is looked at as far as it is known",
           a_group_is_looked_at_as_far_as_it_is_known},
          {"those who are left have to fill the needs", those_who_are_left_have_to_fill_the_needs},
          {"changed rules need a new question, and other changes do not",
           changed_rules_need_a_new_question_and_other_changes_do_not},
          {"rules alone are compared without a look at people",
           rules_alone_are_compared_without_a_look_at_people},
          {"a policy that changes meanwhile is looked at again",
           a_policy_that_changes_meanwhile_is_looked_at_again},
          {"without anybody to ask, the rules are looked at all the same",
           without_anybody_to_ask_the_rules_are_looked_at_all_the_same})

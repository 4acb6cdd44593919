/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_confirm.c: proves through service.h, on a real store, that a claim asks Slack anew
 * and that silence is no yes.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/service/confirm.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define POLICIES                                                                                   \
    "policy firm { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"S0OPS\"} recheck = strict\n"    \
    "  break_glass = {\"U0ASK\"} }\n"                                                              \
    "policy loose { channel = \"C0CARDS\" approvers = {\"U0ANN\"} }\n"

/* Slack as the service sees it: what it was asked, and what it says once it has answered. */
struct slack {
    uint32_t asked;
    struct service_question question;
    char first_user[CORE_SLACK_ID_SIZE_MAX + 1];
    bool full; /* takes no question */
    void (*done)(void *done_arg);
    void *done_arg;
    bool silent;
    bool deactivated;
    bool member; /* of S0OPS */
    uint64_t since_ms;
};

static enum err_code confirm(void *arg,
                             const struct service_question *question,
                             void (*done)(void *done_arg),
                             void *done_arg,
                             struct err *err)
{
    struct slack *slack = arg;

    if (slack->full) {
        return err_set(err, ERR_FULL, "too many questions");
    }
    slack->asked++;
    slack->question = *question;
    CU_ASSERT_FATAL(question->user_count > 0 && question->users[0].size < sizeof slack->first_user);
    memset(slack->first_user, 0, sizeof slack->first_user);
    memcpy(slack->first_user, question->users[0].data, question->users[0].size);
    slack->done = done;
    slack->done_arg = done_arg;
    return ERR_OK;
}

static void certain(void *arg, struct span user, uint64_t since_ms, struct facts *ret_facts)
{
    struct slack *slack = arg;

    (void)user; /* they are all alike */
    *ret_facts = (struct facts){.user_known = !slack->silent};
    slack->since_ms = since_ms;
    if (!slack->silent) {
        ret_facts->deactivated = slack->deactivated;
        ret_facts->known[ret_facts->known_count++] = SPAN_LITERAL("S0OPS");
        if (slack->member) {
            ret_facts->member[ret_facts->member_count++] = SPAN_LITERAL("S0OPS");
        }
    }
}

static void open_with(struct service_kit *kit, struct slack *slack)
{
    service_kit_open_with(kit, POLICIES);
    service_set_confirm(kit->service, confirm, certain, slack);
}

static struct request_id approved(struct service_kit *kit, const char *policy, const char *user)
{
    struct request_id id = kit_create(kit, policy, "").id;
    struct service_decide press = kit_press(&id, user, VERDICT_APPROVE, NULL);

    press.facts.known[press.facts.known_count++] = SPAN_LITERAL("S0OPS");
    press.facts.member[press.facts.member_count++] = SPAN_LITERAL("S0OPS");
    CU_ASSERT_EQUAL(kit_decide(kit, &press).state, REQUEST_APPROVED);
    return id;
}

/* Begins a claim and lets the store do what it can; Slack has not answered yet. */
static void
begin_claim(struct service_kit *kit, const struct request_id *id, struct kit_answer *answer)
{
    struct err err = ERR_INIT;

    *answer = (struct kit_answer){.done = false};
    CU_ASSERT_EQUAL_FATAL(service_claim(kit->service, &kit_asker, id, NULL, SPAN_LITERAL("k"),
                                        kit_on_request, answer, &err),
                          ERR_OK);
    (void)kit_get(kit, id); /* it is behind the claim */
}

static void finish_claim(struct service_kit *kit, struct slack *slack, struct kit_answer *answer)
{
    CU_ASSERT_FALSE(answer->done);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slack->done);
    if (slack->done != NULL) {
        slack->done(slack->done_arg);
    }
    slack->done = NULL;
    service_kit_wait(kit, &answer->done);
}

static void a_claim_waits_until_slack_has_answered_and_is_judged_by_that(void)
{
    struct slack slack = {.asked = 0};
    struct service_kit kit;
    struct kit_answer answer;
    struct request_id id;

    open_with(&kit, &slack);
    id = approved(&kit, "firm", "U0ANN");
    begin_claim(&kit, &id, &answer);
    CU_ASSERT(slack.asked == 1 && strcmp(slack.first_user, "U0ANN") == 0);
    CU_ASSERT_EQUAL(slack.question.user_count, 1);
    CU_ASSERT_EQUAL(slack.question.group_count, 0); /* she is named herself */
    CU_ASSERT(slack.question.since_ms <= atomic_load(&kit.now_ms) &&
              slack.question.since_ms + SERVICE_CLAIM_AGE_MS >= atomic_load(&kit.now_ms));
    slack.deactivated = true;
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT(answer.rc == ERR_CONFLICT && answer.refusal == REFUSAL_APPROVER_GONE);
    CU_ASSERT_EQUAL(slack.since_ms, slack.question.since_ms);
    slack.deactivated = false;
    begin_claim(&kit, &id, &answer);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT(answer.rc == ERR_OK && answer.use == USE_CLAIMED);
    begin_claim(&kit, &id, &answer); /* its repetition asks nobody */
    CU_ASSERT(answer.done && answer.replayed && slack.asked == 2);
    service_kit_close(&kit);
}

static void silence_is_no_yes_and_costs_nothing_but_time(void)
{
    struct slack slack = {.silent = true};
    struct service_kit kit;
    struct kit_answer answer;
    struct request_id id;

    open_with(&kit, &slack);
    id = approved(&kit, "firm", "U0ANN");
    begin_claim(&kit, &id, &answer);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT(answer.rc == ERR_UNAVAILABLE && answer.refusal == REFUSAL_APPROVER_UNKNOWN);
    CU_ASSERT_EQUAL(answer.use, USE_UNUSED);
    slack.full = true; /* nobody can even be asked */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_APPROVER_UNKNOWN);
    slack.silent = false;
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

/* As of a channel of many pages: its answer comes between two tries, again and again. */
static void an_answer_that_came_too_late_serves_the_next_try(void)
{
    struct slack slack = {.silent = true};
    struct service_kit kit;
    struct kit_answer answer;
    struct request_id other;
    struct request_id id;
    uint64_t first_ms;

    open_with(&kit, &slack);
    id = approved(&kit, "firm", "U0ANN");
    other = approved(&kit, "firm", "U0ANN");
    begin_claim(&kit, &id, &answer);
    first_ms = slack.question.since_ms;
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_APPROVER_UNKNOWN);
    atomic_fetch_add(&kit.now_ms, 10000);
    begin_claim(&kit, &other, &answer); /* of another approval it says nothing */
    CU_ASSERT(slack.question.since_ms > first_ms + 8000);
    finish_claim(&kit, &slack, &answer);
    begin_claim(&kit, &id, &answer);
    CU_ASSERT_EQUAL(slack.question.since_ms, first_ms);
    slack.silent = false;
    slack.deactivated = true;
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT(answer.refusal == REFUSAL_APPROVER_GONE && slack.since_ms == first_ms);
    begin_claim(&kit, &id, &answer); /* that was an answer: it is asked anew */
    CU_ASSERT(slack.question.since_ms > first_ms + 8000);
    finish_claim(&kit, &slack, &answer);
    atomic_fetch_add(&kit.now_ms, SERVICE_CLAIM_LATE_MS);
    begin_claim(&kit, &other, &answer); /* so long after its first try, too */
    CU_ASSERT(slack.question.since_ms > first_ms + SERVICE_CLAIM_LATE_MS);
    slack.deactivated = false;
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void who_approved_through_a_group_has_to_be_in_it_now(void)
{
    struct slack slack = {.member = false};
    struct service_kit kit;
    struct kit_answer answer;
    struct request_id id;

    open_with(&kit, &slack);
    id = approved(&kit, "firm", "U0MEM");
    begin_claim(&kit, &id, &answer);
    CU_ASSERT_EQUAL_FATAL(slack.question.group_count, 1);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_APPROVER_GONE);
    slack.member = true;
    begin_claim(&kit, &id, &answer);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void what_happens_while_slack_is_asked_counts(void)
{
    struct slack slack = {.asked = 0};
    struct service_kit kit;
    struct kit_answer answers[2];
    struct request_id id;

    open_with(&kit, &slack);
    id = approved(&kit, "firm", "U0ANN");
    begin_claim(&kit, &id, &answers[0]);
    CU_ASSERT_EQUAL(kit_apply(&kit,
                              "policy firm { channel = \"C0CARDS\" approvers = {\"U0BOB\"} "
                              "recheck = strict }\n",
                              false, false)
                        .rc,
                    ERR_OK);
    finish_claim(&kit, &slack, &answers[0]);
    CU_ASSERT_EQUAL(answers[0].refusal, REFUSAL_POLICY_CHANGED);
    service_kit_close(&kit);
}

static void who_broke_the_glass_is_asked_about_and_silence_does_not_stop_him(void)
{
    struct slack slack = {.silent = true};
    struct service_kit kit;
    struct kit_answer answer;
    struct service_decide press;
    struct request_id ids[2];

    open_with(&kit, &slack);
    for (size_t i = 0; i < 2; i++) {
        struct service_create create = {.actor = kit_asker,
                                        .policy = SPAN_LITERAL("firm"),
                                        .requester = SPAN_LITERAL("U0ASK"),
                                        .title = SPAN_LITERAL("Now")};

        ids[i] = kit_create_as(&kit, &create).id;
        press = kit_press(&ids[i], "U0ASK", VERDICT_GLASS, NULL);
        press.reason = SPAN_LITERAL("it burns");
        CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    }
    begin_claim(&kit, &ids[0], &answer);
    CU_ASSERT(strcmp(slack.first_user, "U0ASK") == 0 && slack.question.group_count == 0);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.use, USE_CLAIMED);
    slack.silent = false;
    slack.deactivated = true;
    begin_claim(&kit, &ids[1], &answer);
    finish_claim(&kit, &slack, &answer);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_APPROVER_GONE);
    service_kit_close(&kit);
}

static void without_recheck_nobody_is_asked(void)
{
    struct slack slack = {.silent = true};
    struct service_kit kit;
    struct request_id id;

    open_with(&kit, &slack);
    id = approved(&kit, "loose", "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(slack.asked, 0);
    service_kit_close(&kit);
}

UNIT_MAIN("service_confirm",
          {"a claim waits until Slack has answered, and is judged by that",
           a_claim_waits_until_slack_has_answered_and_is_judged_by_that},
          {"silence is no yes, and costs nothing but time",
           silence_is_no_yes_and_costs_nothing_but_time},
          {"an answer that came too late serves the next try",
           an_answer_that_came_too_late_serves_the_next_try},
          {"who approved through a group has to be in it now",
           who_approved_through_a_group_has_to_be_in_it_now},
          {"what happens while Slack is asked counts", what_happens_while_slack_is_asked_counts},
          {"who broke the glass is asked about, and silence does not stop him",
           who_broke_the_glass_is_asked_about_and_silence_does_not_stop_him},
          {"without recheck nobody is asked", without_recheck_nobody_is_asked})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_card_time.c: proves what people see of what time does: reminder, escalation and an approval
 * that can be stopped.
 * Owns nothing but its cases; never touches a file or the network. */
#include "approvald/core/audit.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/message.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/card_text.h"
#include "tests/unit/unit.h"

#include <string.h>

#define PRINT_SIZE_MAX (256UL * 1024)

/* The card, or the entry under it when there is an item; out has its text. */
static struct json *show(const struct request *request,
                         const struct policy *policy,
                         const struct outbox_item *item,
                         struct buf *out)
{
    const struct card card = {.request = request, .policy = policy};
    struct json *message = json_new_object();
    struct err err = ERR_INIT;
    enum err_code rc = item == NULL ? card_add(&card, message, &err)
                                    : message_add_reply(&card, item, message, &err);

    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    buf_clear(out);
    CU_ASSERT_EQUAL_FATAL(json_print(message, out, &err), ERR_OK);
    return message;
}

/* The entry is the only word that a requester gets then. */
static void an_outcome_mentions_its_requester_where_no_direct_message_does(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct outbox_item item = {.id = 4, .kind = AUDIT_APPROVAL, .user = SPAN_LITERAL("U0APR00001")};
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, NULL), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_APPROVED, &request);
    for (int i = 0; i < 4; i++) {
        AUTO_JSON struct json *json = NULL;

        policy.direct_requester = i == 1;
        item.at_ms = request.ended_ms - (i == 2 ? 1 : 0); /* the first of two approvals */
        item.kind = i == 3 ? AUDIT_CLAIMED : AUDIT_APPROVAL;
        json = show(&request, &policy, &item, out);
        CU_ASSERT_EQUAL(has(json_text(json, "text"), "<@U0REQ00001> This is the outcome"), i == 0);
        CU_ASSERT_EQUAL(has(json_text(block_of(json, "section"), "text.text"), "<@U0REQ00001>"),
                        i == 0);
    }
}

/* The second one pressed first; who he is was known last. */
static void a_press_that_waited_is_not_counted_before_it_was_decided(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct outbox_item item = {.id = 4, .kind = AUDIT_APPROVAL};
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, NULL), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_APPROVED, &request);
    request.decisions[1].at_ms = request.decisions[0].at_ms - 1;
    for (uint32_t i = 0; i < 2; i++) {
        AUTO_JSON struct json *json = NULL;

        item.user = request.decisions[i].user;
        item.at_ms = i == 0 ? request.decisions[0].at_ms : request.ended_ms;
        json = show(&request, &policy, &item, out);
        CU_ASSERT(has(json_text(json, "text"), i == 0 ? "approved (1 of 2)" : "approved (2 of 2)"));
    }
}

static void an_approval_that_can_be_stopped_says_until_when_and_how(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    const struct json *stop;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    policy.clocks.effect_after_ms = 600000;
    sample_request(SAMPLE_DELAYED, &request);
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(json_text(block_of(json, "header"), "text.text"),
                  "\xe2\x8f\xb3 Approved, not in effect yet: Deploy"));
    CU_ASSERT(has(buf_span(out), "*2 of 2 approved*. Takes effect *<!date^"));
    /* Who approved may think again. */
    CU_ASSERT(has(buf_span(out), "May stop it: <!subteam^S0APV00001>, <@U0APR00001>"));
    CU_ASSERT(has(buf_span(out), "Then exactly this may run once"));
    CU_ASSERT_FALSE(has(buf_span(out), "Expires "));
    stop = json_first(json_get(block_of(json, "actions"), "elements"));
    CU_ASSERT(span_is(json_text(stop, "action_id"), "stop"));
    CU_ASSERT(span_is(json_text(stop, "style"), "danger"));
    CU_ASSERT_PTR_NULL(json_next(stop));
    /* Before, whoever approves learns of it. */
    sample_request(SAMPLE_PENDING, &request);
    json_free(json);
    json = show(&request, &policy, NULL, out);
    CU_ASSERT_PTR_NOT_NULL(block_of(json, "actions"));
    CU_ASSERT(has(buf_span(out), "It takes effect 10 minutes after the approval, unless somebody "
                                 "stops it."));
}

static void what_time_did_is_told_under_the_card_and_to_whom(void)
{
    static const struct {
        enum sample sample;
        enum audit_action action;
        const char *words;
    } cases[] = {
        {SAMPLE_PENDING, AUDIT_REMINDED,
         "UTC>. <!subteam^S0APV00001>, <@U0APR00001>, <@U0APR00002>\""},
        {SAMPLE_PARTIAL, AUDIT_REMINDED, "UTC>. <!subteam^S0APV00001>, <@U0APR00002>\""},
        {SAMPLE_ESCALATED, AUDIT_REMINDED, "<@U0APR00002>, <!subteam^S0BOSS0001>, <@U0BOSS0001>\""},
        {SAMPLE_APPROVED, AUDIT_REMINDED, "it is decided by now."},
        {SAMPLE_ESCALATED, AUDIT_ESCALATED,
         "Escalated. <!subteam^S0BOSS0001>, <@U0BOSS0001> may decide this too from now on."},
        {SAMPLE_REJECTED, AUDIT_ESCALATED, "It was escalated; it is decided by now.\""},
        {SAMPLE_DELAYED, AUDIT_DELAYED, "Enough approvals. It takes effect <!date^"},
        {SAMPLE_STOPPED, AUDIT_DELAYED, "Enough approvals. It was to take effect <!date^"},
        {SAMPLE_STOPPED, AUDIT_REJECTION, "<@U0APR00001> stopped this."},
    };
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct outbox_item item = {.id = 4, .user = SPAN_LITERAL("U0APR00001")};
    AUTO_JSON struct json *card = NULL;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_JSON struct json *json = NULL;

        sample_request(cases[i].sample, &request);
        item.kind = cases[i].action;
        item.at_ms = request.ended_ms == 0 ? request.created_ms + 70000 : request.ended_ms;
        json = show(&request, &policy, &item, out);
        CU_ASSERT(has(buf_span(out), cases[i].words));
        CU_ASSERT_PTR_NULL(block_check(json));
    }
    sample_request(SAMPLE_ESCALATED, &request);
    card = show(&request, &policy, NULL, out);
    CU_ASSERT_PTR_NULL(block_check(card));
    CU_ASSERT(has(buf_span(out), "UTC>: <!subteam^S0BOSS0001>, <@U0BOSS0001>."));
}

static void only_who_can_still_decide_is_named(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00001>, <@U0APR00002>."));
    json_free(json);
    request.requester = SPAN_LITERAL("U0APR00002"); /* somebody else has to */
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00001>."));
    json_free(json);
    policy.self_approval = true;
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00001>, <@U0APR00002>."));
    json_free(json);
    sample_request(SAMPLE_PARTIAL, &request);
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00002>."));
    json_free(json);
    request.decisions[0].user = SPAN_LITERAL("U0DORA0001"); /* in the place of the first */
    request.decisions[0].no_own = true;
    request.decisions[0].behalf_count = 1;
    request.decisions[0].behalfs[0].user = SPAN_LITERAL("U0APR00001");
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00002>."));
    json_free(json);
    request.requester = SPAN_LITERAL("U0APR00002"); /* and nobody is left */
    policy.self_approval = false;
    policy.group_count = 0;
    json = show(&request, &policy, NULL, out);
    CU_ASSERT_PTR_NULL(block_check(json));
    CU_ASSERT_FALSE(has(buf_span(out), "May decide"));
}

static void no_list_of_people_is_announced_that_is_empty(void)
{
    const struct outbox_item reminder = {.id = 4, .at_ms = 1, .kind = AUDIT_REMINDED};
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    /* The group's need is filled, and who could fill the other one is the requester. */
    sample_needs(SAMPLE_PARTIAL, &request, &policy);
    policy.need_count = request.need_count = 2;
    policy.needs[1].groups = 0;
    request.decision_count = 1;
    request.decisions[0].needs = 1;
    request.requester = SPAN_LITERAL("U0APR00002");
    json = show(&request, &policy, NULL, out);
    CU_ASSERT_PTR_NULL(block_check(json));
    CU_ASSERT(has(buf_span(out), "security 1 of 1"));
    CU_ASSERT_FALSE(has(buf_span(out), "May decide"));
    json_free(json);
    /* Who was asked then is the requester. */
    sample_policy(&policy);
    policy.clocks.escalate_group_count = 0;
    sample_request(SAMPLE_ESCALATED, &request);
    request.requester = policy.clocks.escalate_users[0];
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "decide: <!subteam^S0APV00001>, <@U0APR00002>.\\n"));
    CU_ASSERT_FALSE(has(buf_span(out), "Also, since"));
    json_free(json);
    json = show(&request, &policy, &reminder, out);
    CU_ASSERT_PTR_NULL(block_check(json));
    CU_ASSERT(has(buf_span(out), "<!subteam^S0APV00001>, <@U0APR00002>\""));
}

static void a_card_says_what_serves_now(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    policy.clocks.effect_after_ms = 3600000;
    sample_request(SAMPLE_PENDING, &request);
    request.hold = (struct request_hold){.until_ms = request.created_ms + 3600000,
                                         .freeze = SPAN_LITERAL("x-mas"),
                                         .reason = SPAN_LITERAL("holidays")};
    json = show(&request, &policy, NULL, out);
    CU_ASSERT(has(buf_span(out), "It takes effect 1 hour after the approval"));
    CU_ASSERT(has(buf_span(out), "Change freeze x-mas (holidays): once approved, it can be used"));
    CU_ASSERT(has(buf_span(out), ": compare with the asker's."));
    json_free(json);
    sample_request(SAMPLE_REJECTED, &request); /* there is nothing to compare any more */
    json = show(&request, &policy, NULL, out);
    CU_ASSERT_PTR_NULL(block_check(json));
    CU_ASSERT(has(buf_span(out), "\"Code "));
    CU_ASSERT_FALSE(has(buf_span(out), "compare with"));
}

static void an_approval_that_lapses_in_a_freeze_is_not_promised(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_APPROVED, &request);
    request.use = USE_UNUSED;
    for (uint64_t later_ms = 0; later_ms <= 1; later_ms++) {
        request.lapses_ms = request.ended_ms + 60000 + later_ms;
        request.hold = (struct request_hold){.until_ms = request.ended_ms + 60000,
                                             .freeze = SPAN_LITERAL("x-mas"),
                                             .reason = SPAN_LITERAL("holidays")};
        json_free(show(&request, &policy, NULL, out));
        CU_ASSERT_EQUAL(has(buf_span(out), "(holidays): it can be used from"), later_ms > 0);
        CU_ASSERT_EQUAL(
            has(buf_span(out), "(holidays): it lapses before it can be used. Ask again."),
            later_ms == 0);
    }
}

UNIT_MAIN("card_time",
          {"an outcome mentions its requester where no direct message does",
           an_outcome_mentions_its_requester_where_no_direct_message_does},
          {"a press that waited is not counted before it was decided",
           a_press_that_waited_is_not_counted_before_it_was_decided},
          {"only who can still decide is named", only_who_can_still_decide_is_named},
          {"no list of people is announced that is empty",
           no_list_of_people_is_announced_that_is_empty},
          {"an approval that lapses in a freeze is not promised",
           an_approval_that_lapses_in_a_freeze_is_not_promised},
          {"a card says what serves now", a_card_says_what_serves_now},
          {"an approval that can be stopped says until when and how",
           an_approval_that_can_be_stopped_says_until_when_and_how},
          {"what time did is told under the card, and to whom",
           what_time_did_is_told_under_the_card_and_to_whom})

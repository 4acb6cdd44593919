/* SPDX-License-Identifier: Apache-2.0 */
/* test_card_glass.c: proves what people see of a broken glass, and who is offered to break it.
 * Owns nothing but its cases; never touches a file or the network. */
#include "approvald/core/audit.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/message.h"
#include "approvald/slack/show/story.h"
#include "approvald/slack/show/views.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/card_text.h"
#include "tests/unit/unit.h"

#include <string.h>

#define PRINT_SIZE_MAX (256UL * 1024)

static void make_policy(struct policy *policy)
{
    sample_policy(policy);
    policy->glass = (struct policy_glass){.user_count = 1,
                                          .users = {SPAN_LITERAL("U0REQ00001")},
                                          .channel = SPAN_LITERAL("C0APV00009")};
}

static struct json *
show(const struct request *request, const struct policy *policy, struct buf *out)
{
    const struct card card = {.request = request, .policy = policy};
    struct json *message = json_new_object();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(card_add(&card, message, &err), ERR_OK);
    buf_clear(out);
    CU_ASSERT_EQUAL_FATAL(json_print(message, out, &err), ERR_OK);
    CU_ASSERT_PTR_NULL(block_check(message));
    return message;
}

static void a_broken_glass_has_a_look_of_its_own_and_keeps_it(void)
{
    static const struct {
        enum sample sample;
        const char *head;
    } cases[] = {{SAMPLE_GLASS, "\xf0\x9f\x9a\xa8 BREAK GLASS: Deploy"},
                 {SAMPLE_GLASS_FAILED, "\xf0\x9f\x9a\xa8 BREAK GLASS, but failed: Deploy"}};
    AUTO_BUF struct buf *out = NULL;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, NULL), ERR_OK);
    make_policy(&policy);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_JSON struct json *json = NULL;

        sample_request(cases[i].sample, &request);
        json = show(&request, &policy, out);
        CU_ASSERT(has(json_text(block_of(json, "header"), "text.text"), cases[i].head));
        CU_ASSERT(has(buf_span(out), "*<@U0REQ00001> broke the glass* with approvalctl, <!date^"));
        CU_ASSERT(has(buf_span(out), "past the approvers. *1 of 2 approved*."));
        CU_ASSERT(has(buf_span(out), "Customers cannot pay"));
        CU_ASSERT(has(json_text(json, "text"), "BREAK GLASS"));
        CU_ASSERT(has(json_text(json, "text"), "Reason given: Customers cannot pay"));
        CU_ASSERT_PTR_NULL(block_of(json, "actions"));
        json_free(json);
        request.decision_count = 0; /* "0 of 2 approved" would only confuse */
        json = show(&request, &policy, out);
        CU_ASSERT_PTR_NULL(block_check(json));
        CU_ASSERT(has(buf_span(out), "past the approvers."));
        CU_ASSERT_FALSE(has(buf_span(out), "0 of 2"));
    }
}

static void the_thread_tells_it_with_the_reason(void)
{
    AUTO_JSON struct json *json = json_new_object();
    AUTO_BUF struct buf *out = NULL;
    struct outbox_item item = {.id = 4, .kind = AUDIT_GLASS};
    struct card card = {.request = NULL};
    struct request request;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, NULL), ERR_OK);
    sample_request(SAMPLE_GLASS, &request);
    card.request = &request;
    item.text = request.glass.reason;
    CU_ASSERT_EQUAL_FATAL(message_add_reply(&card, &item, json, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_print(json, out, NULL), ERR_OK);
    CU_ASSERT(has(json_text(json, "text"), "<@U0REQ00001> broke the glass"));
    CU_ASSERT(has(json_text(json, "text"), "Reason: Customers cannot pay"));
    CU_ASSERT_PTR_NULL(block_check(json));
}

static const struct json *menu_of(const struct json *message)
{
    for (const struct json *at = json_first(json_get(block_of(message, "actions"), "elements"));
         at != NULL; at = json_next(at)) {
        if (span_is(json_text(at, "type"), "overflow")) {
            return at;
        }
    }
    return NULL;
}

static void only_the_card_of_who_may_has_the_menu(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    const struct json *option;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, NULL), ERR_OK);
    make_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    json = show(&request, &policy, out);
    option = json_first(json_get(menu_of(json), "options"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(option);
    CU_ASSERT(span_is(json_text(menu_of(json), "action_id"), "break_glass"));
    CU_ASSERT(has(json_text(option, "value"), "req_"));
    json_free(json);
    sample_request(SAMPLE_DELAYED, &request); /* beside Stop */
    json = show(&request, &policy, out);
    CU_ASSERT_PTR_NOT_NULL(menu_of(json));
    json_free(json);
    request.requester = SPAN_LITERAL("U0OTHER001");
    json = show(&request, &policy, out);
    CU_ASSERT_PTR_NULL(menu_of(json));
    json_free(json);
    request.asker = SPAN_LITERAL("root"); /* who is root has no Slack */
    policy.glass.root = true;
    json = show(&request, &policy, out);
    CU_ASSERT_PTR_NULL(menu_of(json));
}

static void the_window_says_what_it_does(void)
{
    AUTO_BUF struct buf *body = NULL;
    struct view_place place = {.channel = SPAN_LITERAL("C0APV00001")};
    struct request request;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &body, NULL), ERR_OK);
    sample_request(SAMPLE_PENDING, &request);
    place.id = request.id;
    CU_ASSERT_EQUAL_FATAL(
        view_glass_open(&request, &place, SPAN_LITERAL("1.2.x"), false, body, NULL), ERR_OK);
    CU_ASSERT(!has(buf_span(body), "One-time code"));
    CU_ASSERT(has(buf_span(body), "\"callback_id\":\"break_glass\""));
    CU_ASSERT(has(buf_span(body), "\"optional\":false"));
    CU_ASSERT(has(buf_span(body), "at once, without its approvers"));
    CU_ASSERT(has(buf_span(body), "Deploy billing-api"));
    buf_clear(body);
    CU_ASSERT_EQUAL_FATAL(
        view_glass_open(&request, &place, SPAN_LITERAL("1.2.x"), true, body, NULL), ERR_OK);
    CU_ASSERT(has(buf_span(body), "One-time code"));
    buf_clear(body);
    sample_request(SAMPLE_GLASS, &request); /* whoever is late sees how it stands */
    CU_ASSERT_EQUAL_FATAL(view_state_update(&request, "So it is.", body, NULL), ERR_OK);
    CU_ASSERT(has(buf_span(body), "its requester broke the glass"));
}

UNIT_MAIN("card_glass",
          {"a broken glass has a look of its own, and keeps it",
           a_broken_glass_has_a_look_of_its_own_and_keeps_it},
          {"the thread tells it with the reason", the_thread_tells_it_with_the_reason},
          {"only the card of who may has the menu", only_the_card_of_who_may_has_the_menu},
          {"the window says what it does", the_window_says_what_it_does})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_card.c: proves approvald/slack card, message, story and prose: what people see.
 * Owns nothing but its cases; never touches a file or the network. */
#include "approvald/core/audit.h"
#include "approvald/core/fields.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/message.h"
#include "approvald/slack/show/prose.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/card_text.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define PRINT_SIZE_MAX (256UL * 1024)

/* Which message is made. */
enum kind {
    KIND_CARD,
    KIND_PLAIN,
    KIND_DIRECT,
    KIND_REPLY,
    KIND_OUTCOME,
    KIND_NOTICE,
    KIND_COUNT,
};

struct attempt {
    enum kind kind;
    struct card card;
    struct outbox_item item;
    struct buf *out; /* cleared before each */
};

static enum err_code add(const struct attempt *attempt, struct json *message, struct err *err)
{
    switch (attempt->kind) {
    case KIND_CARD:
        return card_add(&attempt->card, message, err);
    case KIND_PLAIN:
        return card_add_plain(&attempt->card, message, err);
    case KIND_DIRECT:
        return message_add_direct(&attempt->card, message, err);
    case KIND_REPLY:
        return message_add_reply(&attempt->card, &attempt->item, message, err);
    case KIND_OUTCOME:
        return message_add_outcome(&attempt->card, message, err);
    case KIND_NOTICE:
        return message_add_notice(&attempt->card, &attempt->item, message, err);
    case KIND_COUNT:
        break;
    }
    return ERR_INVALID;
}

static enum err_code print(void *arg)
{
    struct attempt *attempt = arg;
    AUTO_JSON struct json *message = json_new_object();
    struct err err = ERR_INIT;
    enum err_code rc = add(attempt, message, &err);

    buf_clear(attempt->out);
    return rc == ERR_OK ? json_print(message, attempt->out, &err) : rc;
}

static void make(struct attempt *attempt,
                 enum kind kind,
                 const struct request *request,
                 const struct policy *policy,
                 struct buf *out)
{
    *attempt = (struct attempt){
        .kind = kind,
        .card = {.request = request,
                 .policy = policy,
                 .cluster = "main",
                 .workspace_url = "https://acme.slack.com/",
                 .channel = SPAN_LITERAL("C0APV00001"),
                 .ts = SPAN_LITERAL("1764752400.118349")},
        .item = {.id = 4,
                 .at_ms = request->created_ms + 70000,
                 .kind = AUDIT_REJECTION,
                 .user = SPAN_LITERAL("U0APR00001"),
                 .text = request->reason},
        .out = out,
    };
}

/* The message as it would be sent, parsed. */
static struct json *render(struct attempt *attempt)
{
    CU_ASSERT_EQUAL_FATAL(print(attempt), ERR_OK);
    return parsed(attempt->out);
}

static void expect_good(struct attempt *attempt, const char *what)
{
    AUTO_JSON struct json *json = render(attempt);
    const char *wrong = block_check(json);

    if (wrong != NULL) {
        (void)fprintf(stderr, "%s, kind %d: %s\n%s\n", what, attempt->kind, wrong,
                      buf_text(attempt->out));
    }
    CU_ASSERT_PTR_NULL(wrong);
}

static void every_message_keeps_the_limits_of_slack(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    for (int sample = 0; sample < SAMPLE_COUNT; sample++) {
        sample_request((enum sample)sample, &request);
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            make(&attempt, (enum kind)kind, &request, &policy, out);
            expect_good(&attempt, sample_word((enum sample)sample));
            attempt.card.policy = NULL;
            expect_good(&attempt, "without policy");
        }
    }
}

static void hostile_text_of_any_length_forges_nothing(void)
{
    static struct sample_room room;
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    for (uint32_t i = 0; i < SAMPLE_HOSTILE_COUNT * SAMPLE_COUNT; i++) {
        sample_hostile(i / SAMPLE_COUNT, (enum sample)(i % SAMPLE_COUNT), &room, &request, &policy);
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            make(&attempt, (enum kind)kind, &request, &policy, out);
            expect_good(&attempt, sample_hostile_unit(i / SAMPLE_COUNT));
        }
    }
}

static void a_notice_about_a_request_that_is_gone_still_speaks(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_request(SAMPLE_PENDING, &request);
    make(&attempt, KIND_NOTICE, &request, NULL, out);
    attempt.card.request = NULL;
    expect_good(&attempt, "notice without request");
}

static void a_notice_names_who_had_decided(void)
{
    static const struct {
        enum sample sample;
        const char *said;
    } cases[] = {
        {SAMPLE_PENDING, "Nothing was changed.\nThis is about: Deploy"},
        {SAMPLE_APPROVED, "Nothing was changed. It was approved by <@U0APR00002>.\nThis is"},
        {SAMPLE_REJECTED, "Nothing was changed. It was rejected by <@U0APR00002>.\nThis is"},
        {SAMPLE_EXPIRED, "Nothing was changed.\nThis is about: Deploy"},
    };
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_JSON struct json *json = NULL;

        sample_request(cases[i].sample, &request);
        make(&attempt, KIND_NOTICE, &request, NULL, out);
        attempt.item.text = SPAN_LITERAL("Nothing was changed.");
        json = render(&attempt);
        CU_ASSERT(has(json_text(json, "text"), cases[i].said));
    }
}

static void every_kind_of_reply_says_something(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_DONE, &request);
    for (uint32_t kind = 0; kind < 40; kind++) {
        make(&attempt, KIND_REPLY, &request, &policy, out);
        attempt.item.kind = kind;
        expect_good(&attempt, "reply");
        attempt.item.user = SPAN_NONE;
        attempt.item.text = SPAN_NONE;
        expect_good(&attempt, "reply of nobody");
    }
}

static void a_pending_card_asks_in_three_seconds(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;
    struct span all;
    const struct json *approve;
    uint64_t revision = 0;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    make(&attempt, KIND_CARD, &request, &policy, out);
    json = render(&attempt);
    all = buf_span(out);
    CU_ASSERT(span_is(json_text(json_first(json_get(json, "blocks")), "text.text"),
                      "Deploy billing-api 4.2.1 to production"));
    CU_ASSERT(has(all, "*Asked by*\\n<@U0REQ00001> via deploy-bot"));
    CU_ASSERT(has(all, "*Target*\\nbilling-api on prod_eu_1"));
    CU_ASSERT(has(all, "Policy: Production deploys"));
    CU_ASSERT(
        has(all, "Expires <!date^1764756000^{date_short_pretty} {time}|2025-12-03 10:00 UTC>"));
    CU_ASSERT(has(all, "*0 of 2 approved*. May decide: <!subteam^S0APV00001>, <@U0APR00001>, "
                       "<@U0APR00002>."));
    CU_ASSERT(has(all, "Code 3fa9-12bc"));
    CU_ASSERT(has(all, "exactly this may run once, within 30 minutes."));
    CU_ASSERT(has(all, "\"text\":\"ansible-playbook deploy.yml \\\\\\n  --limit prod_eu_1 -e "
                       "tag=4.2.1\""));
    approve = json_first(json_get(block_of(json, "actions"), "elements"));
    CU_ASSERT(span_is(json_text(approve, "action_id"), "approve"));
    CU_ASSERT(span_is(json_text(approve, "style"), "primary"));
    CU_ASSERT(span_is(json_text(approve, "accessibility_label"),
                      "Approve: Deploy billing-api 4.2.1 to production"));
    CU_ASSERT(span_is(json_text(json_next(approve), "action_id"), "reject"));
    CU_ASSERT(json_text(json_next(approve), "style").size == 0);
    CU_ASSERT(span_equal(json_text(approve, "value"),
                         json_text(json, "metadata.event_payload.request_id")));
    CU_ASSERT(span_is(json_text(json, "metadata.event_type"), "approvald_request"));
    CU_ASSERT(span_is(json_text(json, "metadata.event_payload.surface"), "card"));
    CU_ASSERT(span_is(json_text(json, "metadata.event_payload.cluster"), "main"));
    CU_ASSERT(json_u64(json, "metadata.event_payload.revision", &revision));
    CU_ASSERT_EQUAL(revision, request.revision);
}

static void the_text_alone_tells_what_who_why_and_how(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;
    struct span text;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    make(&attempt, KIND_CARD, &request, &policy, out);
    json = render(&attempt);
    text = json_text(json, "text");
    CU_ASSERT(has(text, "Approval needed: Deploy billing-api 4.2.1 to production.\n"));
    CU_ASSERT(has(text, "Asked by <@U0REQ00001>"));
    CU_ASSERT(has(text, "Target: billing-api on prod_eu_1.\nReason: Fixes the rounding of invoices "
                        "&amp; totals &lt; 0.\n")); /* one full stop each */
    CU_ASSERT(has(text, "Answer with the Approve or Reject button of this message."));
    CU_ASSERT(has(text, "Details: ansible-playbook"));
    CU_ASSERT_FALSE(has(text, "*"));
}

static void an_ended_card_has_no_buttons_and_says_how_it_ended(void)
{
    static const struct {
        enum sample sample;
        const char *header;
        const char *status;
    } cases[] = {
        {SAMPLE_APPROVED, "\xe2\x9c\x85 Approved: Deploy", "*2 of 2 approved*."},
        {SAMPLE_CLAIMED, "Approved and claimed: Deploy", "it may be running now."},
        {SAMPLE_DONE, "Approved and done: Deploy", "Done with result 0, <!date^"},
        {SAMPLE_FAILED, "Approved, but failed: Deploy", "It ran and failed with result -7, "},
        {SAMPLE_LAPSED, "Lapsed unused: Deploy", "so it is no longer valid."},
        {SAMPLE_REJECTED, "Rejected: Deploy", "Rejected by <@U0APR00002>, <!date^"},
        {SAMPLE_EXPIRED, "Expired: Deploy", "(0 of 2), so nothing will run."},
        {SAMPLE_STOPPED, "\xf0\x9f\x9b\x91 Stopped: Deploy", "Stopped by <@U0APR00002>, <!date^"},
        {SAMPLE_CANCELLED, "Cancelled: Deploy", "*Cancelled* by deploy-bot, <!date^"},
    };
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTO_JSON struct json *json = NULL;
        char id[32];

        sample_request(cases[i].sample, &request);
        make(&attempt, KIND_CARD, &request, &policy, out);
        json = render(&attempt);
        CU_ASSERT_PTR_NULL(block_of(json, "actions"));
        CU_ASSERT(has(json_text(block_of(json, "header"), "text.text"), cases[i].header));
        CU_ASSERT(has(buf_span(out), cases[i].status));
        CU_ASSERT_FALSE(has(buf_span(out), "Expires "));
        (void)snprintf(id, sizeof id, "\"block_id\":\"r%u.b0\"", request.revision);
        CU_ASSERT(has(buf_span(out), id));
    }
    CU_ASSERT(has(buf_span(out), "The build was replaced by a newer one."));
}

/* The status of the card of such a request. */
static void expect_status(const struct request *request,
                          const struct policy *policy,
                          struct buf *out,
                          const char *status)
{
    struct attempt attempt;

    make(&attempt, KIND_CARD, request, policy, out);
    expect_good(&attempt, "needs");
    CU_ASSERT(has(buf_span(out), status));
    if (!has(buf_span(out), status)) {
        (void)fprintf(stderr, "no \"%s\" in\n%s\n", status, buf_text(out));
    }
}

static void needs_are_shown_with_who_fills_them_and_who_is_missing(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_needs(SAMPLE_PENDING, &request, &policy);
    expect_status(&request, &policy, out,
                  "*security 0 of 1, ops 0 of 2, or director 0 of 1 approved*. May decide: "
                  "security: <!subteam^S0SEC00001>; ops: <!subteam^S0OPS00001>, <@U0APR00002>; "
                  "director: <@U0APR00003>.");
    sample_needs(SAMPLE_PARTIAL, &request, &policy);
    expect_status(&request, &policy, out,
                  "*security 1 of 1, ops 1 of 2, or director 0 of 1 approved*. May decide: ops: ");
    CU_ASSERT(has(buf_span(out), "Approved by <@U0APR00001> for ops, <!date^"));
    CU_ASSERT(has(buf_span(out), "Approved by <@U0APR00009> for security, <!date^"));
    request.decision_count = 1; /* he may yet move to ops: somebody of security would help */
    expect_status(&request, &policy, out,
                  "*security 1 of 1, ops 0 of 2, or director 0 of 1 approved*. May decide: "
                  "security: <!subteam^S0SEC00001>; ops: ");
    sample_needs(SAMPLE_APPROVED, &request, &policy);
    expect_status(&request, &policy, out, "*security 1 of 1, ops 2 of 2 approved*.");
    CU_ASSERT(has(buf_span(out), "Approved by <@U0APR00002> for ops with approvalctl, <!date^"));
    request.state = REQUEST_EXPIRED;
    request.decision_count = 1;
    expect_status(&request, &policy, out, "(security 1 of 1, ops 0 of 2, or director 0 of 1), so");
}

static void a_rejection_that_is_not_enough_is_counted(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_needs(SAMPLE_PARTIAL, &request, &policy);
    request.decisions[1].verdict = VERDICT_REJECT;
    expect_status(
        &request, &policy, out,
        "*security 1 of 1, ops 0 of 2, or director 0 of 1 approved*. 1 of 2 rejected. May");
    CU_ASSERT(has(buf_span(out), "Rejected by <@U0APR00009>, <!date^"));
    make(&attempt, KIND_REPLY, &request, &policy, out);
    attempt.item.at_ms = request.decisions[1].at_ms;
    CU_ASSERT_EQUAL(print(&attempt), ERR_OK);
    CU_ASSERT(has(buf_span(out), "rejected this (1 of 2)."));
    attempt.item.kind = AUDIT_APPROVAL;
    attempt.item.at_ms = request.decisions[0].at_ms;
    CU_ASSERT_EQUAL(print(&attempt), ERR_OK);
    CU_ASSERT(has(buf_span(out), "approved (security 1 of 1, ops 0 of 2, or director 0 of 1)."));
}

static void the_outcome_reaches_the_requester_with_its_reason_and_a_link(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_REJECTED, &request);
    make(&attempt, KIND_DIRECT, &request, &policy, out);
    json = render(&attempt);
    CU_ASSERT(has(buf_span(out), "please ask again on Monday."));
    CU_ASSERT(has(buf_span(out),
                  "<https://acme.slack.com/archives/C0APV00001/p1764752400118349|Open the card>"));
    CU_ASSERT(span_is(json_text(json, "metadata.event_payload.surface"), "direct"));
    CU_ASSERT_PTR_NULL(block_of(json, "actions"));
}

static void only_a_known_place_has_an_address(void)
{
    struct card_place place = {.workspace_url = SPAN_LITERAL("https://a.slack.com/"),
                               .channel = SPAN_LITERAL("C0APV00001")};
    char url[SLACK_URL_SIZE_MAX];

    CU_ASSERT_FALSE(card_url(&place, url));
    place.ts = SPAN_LITERAL("17.05");
    CU_ASSERT(card_url(&place, url));
    CU_ASSERT_STRING_EQUAL(url, "https://a.slack.com/archives/C0APV00001/p1705");
}

static enum err_code say(struct prose *prose, const char *text, size_t count_max)
{
    struct err err = ERR_INIT;

    prose_begin(prose, count_max);
    prose_add_text(prose, span_text(text), count_max);
    return prose_status(prose, &err);
}

static void marks_are_disarmed_and_names_stay_as_they_are(void)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(prose_init(&prose, &err), ERR_OK);
    CU_ASSERT_EQUAL(say(&prose, "  db_prod_1 10:30:00  ", 100), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "db_prod_1 10:\xe2\x80\x8b"
                                          "30:00"));
    CU_ASSERT_EQUAL(say(&prose, "https://x/y_z", 100), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "https://x/y_z"));
    CU_ASSERT_EQUAL(say(&prose, "*a* `b` :tada:", 100), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "*\xe2\x80\x8b"
                                          "a*\xe2\x80\x8b `\xe2\x80\x8b"
                                          "b`\xe2\x80\x8b :\xe2\x80\x8btada:"));
    CU_ASSERT_EQUAL(say(&prose, "> quote", 100), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "\xe2\x80\x8b&gt; quote"));
}

static void a_cut_leaves_an_ellipsis_and_whole_entities(void)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(prose_init(&prose, &err), ERR_OK);
    CU_ASSERT_EQUAL(say(&prose, "a&&", 7), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "a&amp;\xe2\x80\xa6"));
    CU_ASSERT_EQUAL(say(&prose, "a&&", 6), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "a\xe2\x80\xa6"));
    CU_ASSERT_EQUAL(say(&prose, "a&", 6), ERR_OK);
    CU_ASSERT(span_is(prose_take(&prose), "a&amp;"));
    prose_begin(&prose, 5);
    prose_add(&prose, "<@U1>");
    prose_add(&prose, "x");
    CU_ASSERT(span_is(prose_take(&prose), "<@U1>"));
    prose_begin(&prose, 9);
    prose_add_person(&prose, SPAN_LITERAL("U0APR00001"));
    CU_ASSERT_EQUAL(prose_take(&prose).size, 0);
    prose_begin(&prose, 100);
    prose_add_person(&prose, SPAN_LITERAL("U1> <!channel"));
    CU_ASSERT(span_is(prose_take(&prose), "U1&gt; &lt;!channel"));
}

static void a_flood_of_empty_lines_is_dammed(void)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(prose_init(&prose, &err), ERR_OK);
    prose_begin(&prose, 100);
    prose_add_plain_lines(&prose, SPAN_LITERAL("\n\n  a\n\n\n\n\nb\n\n"), 100);
    CU_ASSERT(span_is(prose_take(&prose), "  a\n\nb"));
}

static void no_allocation_can_fail_unseen(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;
    struct request request;
    struct policy policy;
    struct attempt attempt;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_REJECTED, &request);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        make(&attempt, (enum kind)kind, &request, &policy, out);
        CU_ASSERT_EQUAL_FATAL(print(&attempt), ERR_OK); /* out has grown to its size */
        CU_ASSERT(starve_each(print, &attempt) > 5);
    }
}

static void what_a_policy_asks_for_besides_stands_beside_the_target(void)
{
    AUTO_BUF struct buf *out = NULL;
    AUTO_BUF struct buf *stored = NULL;
    AUTO_JSON struct json *json = NULL;
    const struct field_values values = {.count = 2,
                                        .items = {{.name = SPAN_LITERAL("env"),
                                                   .label = SPAN_LITERAL("Environment"),
                                                   .value = SPAN_LITERAL("prod <!here>")},
                                                  {.name = SPAN_LITERAL("due"),
                                                   .label = SPAN_LITERAL("By *when*"),
                                                   .value = SPAN_LITERAL("2026-01-31")}}};
    const struct json *fields;
    struct request request;
    struct policy policy;
    struct attempt attempt;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &out, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(PRINT_SIZE_MAX, &stored, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(field_values_encode(&values, stored, &err), ERR_OK);
    sample_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    request.fields = buf_span(stored);
    make(&attempt, KIND_CARD, &request, &policy, out);
    json = render(&attempt);
    fields = json_get(json_at(json_get(json, "blocks"), 1), "fields");
    CU_ASSERT_EQUAL(json_count(fields), 4);
    CU_ASSERT(span_is(json_text(json_at(fields, 2), "text"), "*Environment*\nprod &lt;!here&gt;"));
    CU_ASSERT(has(json_text(json_at(fields, 3), "text"), "2026-01-31"));
    CU_ASSERT_FALSE(has(json_text(json_at(fields, 3), "text"), "*when*"));
    CU_ASSERT(has(json_text(json, "text"), "Environment: prod &lt;!here&gt;."));
    expect_good(&attempt, "fields");
}

UNIT_MAIN("card",
          {"every message keeps the limits of Slack", every_message_keeps_the_limits_of_slack},
          {"what a policy asks for besides stands beside the target",
           what_a_policy_asks_for_besides_stands_beside_the_target},
          {"hostile text of any length forges nothing", hostile_text_of_any_length_forges_nothing},
          {"a notice about a request that is gone still speaks",
           a_notice_about_a_request_that_is_gone_still_speaks},
          {"a notice names who had decided", a_notice_names_who_had_decided},
          {"every kind of reply says something", every_kind_of_reply_says_something},
          {"a pending card asks in three seconds", a_pending_card_asks_in_three_seconds},
          {"the text alone tells what, who, why and how",
           the_text_alone_tells_what_who_why_and_how},
          {"an ended card has no buttons and says how it ended",
           an_ended_card_has_no_buttons_and_says_how_it_ended},
          {"needs are shown with who fills them and who is missing",
           needs_are_shown_with_who_fills_them_and_who_is_missing},
          {"a rejection that is not enough is counted", a_rejection_that_is_not_enough_is_counted},
          {"the outcome reaches the requester with its reason and a link",
           the_outcome_reaches_the_requester_with_its_reason_and_a_link},
          {"only a known place has an address", only_a_known_place_has_an_address},
          {"marks are disarmed and names stay as they are",
           marks_are_disarmed_and_names_stay_as_they_are},
          {"a cut leaves an ellipsis and whole entities",
           a_cut_leaves_an_ellipsis_and_whole_entities},
          {"a flood of empty lines is dammed", a_flood_of_empty_lines_is_dammed},
          {"no allocation can fail unseen", no_allocation_can_fail_unseen})

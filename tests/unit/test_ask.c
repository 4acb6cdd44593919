/* SPDX-License-Identifier: Apache-2.0 */
/* test_ask.c: proves approvald/slack/inbound/inbound_ask and views_ask: people ask for an approval
 * in Slack. Owns nothing but its cases; never opens a socket: the service and its store are real,
 * Slack is fake_fetch. */
#include "approvald/core/request_id.h"
#include "approvald/service/limits.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_ask.h"
#include "approvald/slack/wire/webapi.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define RITA     "U0REQ00001"
#define STRANGER "U0EXT00009"
#define POLICY                                                                                     \
    "policy restart { title = \"Restart <!channel>\" channel = \"C0APV00001\" "                    \
    "approvers = {\"U0APR00001\"} ask_in_slack = true }\n"

static const char *team_of(const char *user)
{
    return strcmp(user, STRANGER) == 0 ? "T0OTHER009" : "T0APV00001";
}

static const char *shortcut_json(const char *user, const char *callback)
{
    static char text[1024];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"shortcut\",\"callback_id\":\"%s\",\"trigger_id\":\"9.8.cafe\","
                   "\"action_ts\":\"1799999990.000100\",\"team\":{\"id\":\"T0APV00001\"},"
                   "\"user\":{\"id\":\"%s\",\"team_id\":\"%s\"},\"enterprise\":null}",
                   callback, user, team_of(user));
    return text;
}

/* What a person fills in; NULL: nothing. */
struct form {
    const char *view;
    const char *policy;
    const char *title;
    const char *reason;
    const char *expires_in;
};

static const char *quoted(const char *text, char *room, size_t size)
{
    (void)snprintf(room, size, text == NULL ? "null" : "\"%s\"", text);
    return room;
}

/* NOLINTNEXTLINE(readability-function-size): one payload, in its order */
static const char *form_json(const char *user, const struct form *form)
{
    static char text[BENCH_PAYLOAD];
    static char title[BENCH_PAYLOAD / 4];
    static char reason[BENCH_PAYLOAD / 4];
    char policy[256];
    char expires[256];

    (void)snprintf(policy, sizeof policy, form->policy == NULL ? "null" : "{\"value\":\"%s\"}",
                   form->policy);
    (void)snprintf(expires, sizeof expires,
                   form->expires_in == NULL ? "null" : "{\"value\":\"%s\"}", form->expires_in);
    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"view_submission\",\"user\":{\"id\":\"%s\",\"team_id\":\"%s\"},"
        "\"team\":{\"id\":\"T0APV00001\"},\"trigger_id\":\"9.9.beef\",\"view\":{\"id\":\"%s\","
        "\"callback_id\":\"ask\",\"hash\":\"1799999990.abc\",\"private_metadata\":\"\","
        "\"state\":{\"values\":{"
        "\"policy\":{\"policy\":{\"type\":\"static_select\",\"selected_option\":%s}},"
        "\"title\":{\"title\":{\"type\":\"plain_text_input\",\"value\":%s}},"
        "\"target\":{\"target\":{\"type\":\"plain_text_input\",\"value\":null}},"
        "\"reason\":{\"reason\":{\"type\":\"plain_text_input\",\"value\":%s}},"
        "\"details\":{\"details\":{\"type\":\"plain_text_input\",\"value\":null}},"
        "\"expires_in\":{\"expires_in\":{\"type\":\"static_select\",\"selected_option\":%s}}"
        "}}}}",
        user, team_of(user), form->view, policy, quoted(form->title, title, sizeof title),
        quoted(form->reason, reason, sizeof reason), expires);
    return text;
}

static struct form good(const char *view)
{
    return (struct form){.view = view, .policy = "restart", .title = "Restart the queue"};
}

static void open_bench(struct bench *bench)
{
    bench_open(bench);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, POLICY, false, false).rc, ERR_OK);
}

static bool says(const struct bench *bench, const char *part)
{
    return strstr(bench->reply.body, part) != NULL;
}

static uint64_t pending(const struct bench *bench)
{
    struct service_counts counts;

    service_counts(bench->kit.service, &counts);
    return counts.pending;
}

static void command(struct bench *bench, const char *url)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(BENCH_PAYLOAD, &form, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(form,
                                    "command=%2Fapproval&text=request&user_id=" RITA
                                    "&team_id=T0APV00001&channel_id=C0APV00001&trigger_id=7.7.f00",
                                    &err),
                    ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "response_url", span_text(url), &err), ERR_OK);
    bench_deliver(bench, SLACK_PATH_COMMANDS, BENCH_FORM, buf_text(form));
    bench_wait_reply(bench);
}

static void shortcut_and_command_open_the_form(void)
{
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    bench_interact(&bench, shortcut_json(RITA, "approval_new"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    CU_ASSERT(bench_call_says("views.open", "\"trigger_id\":\"9.8.cafe\""));
    CU_ASSERT(bench_call_says("views.open", "\"callback_id\":\"ask\""));
    CU_ASSERT(bench_call_says("views.open", "\"value\":\"restart\""));
    CU_ASSERT(bench_call_says(
        "views.open", "{\"type\":\"plain_text\",\"text\":\"Restart <!channel>\",\"emoji\":false}"));
    CU_ASSERT_FALSE(bench_call_says("views.open", "deploy")); /* takes no requests from Slack */
    CU_ASSERT_FALSE(bench_call_says("views.open", "mrkdwn"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_turn(&bench);
    command(&bench, "https://hooks.slack.com/commands/T/1/x");
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    CU_ASSERT(bench_call_says("views.open", "\"trigger_id\":\"7.7.f00\""));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_turn(&bench);
    bench_interact(&bench, shortcut_json(RITA, "approval_old"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT_EQUAL(pending(&bench), 1); /* the bench's own */
    bench_close(&bench);
}

static void a_form_asks_once_for_its_person_and_durably(void)
{
    struct form form = good("V1");
    struct bench bench;
    char first[BENCH_REPLY];

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    form.reason = "it is stuck";
    form.expires_in = "900";
    bench_interact_only(&bench, form_json(RITA, &form));
    CU_ASSERT_EQUAL(bench.reply.count, 0); /* nothing is said before it is durable */
    bench_wait_reply(&bench);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT(says(&bench, "\"response_action\":\"update\""));
    CU_ASSERT(says(&bench, "You have asked."));
    CU_ASSERT(says(&bench, "Asked by <@" RITA ">"));
    CU_ASSERT(says(&bench, "Restart the queue"));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    memcpy(first, bench.reply.body, sizeof first);
    /* Delivered again, sent twice: the same request is shown. */
    bench_interact_only(&bench, form_json(RITA, &form));
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT_STRING_EQUAL(bench.reply.body, first);
    CU_ASSERT_EQUAL(pending(&bench), 2);
    /* Another content of the same window is not asked, and that is said. */
    form.title = "Restart everything";
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT(says(&bench, "has asked already"));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    /* Another window, and the same window of somebody else, are other intents. */
    form.view = "V2";
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT_EQUAL(pending(&bench), 3);
    bench_know(&bench, "U0REQ00002", "");
    bench_interact(&bench, form_json("U0REQ00002", &form));
    CU_ASSERT_EQUAL(pending(&bench), 4);
    bench_close(&bench);
}

/* The form stays, with part at the field. */
static void expect_error(struct bench *bench, const struct form *form, const char *part)
{
    bench_interact(bench, form_json(RITA, form));
    CU_ASSERT_EQUAL(bench->reply.status, 200);
    CU_ASSERT(says(bench, "{\"response_action\":\"errors\",\"errors\":{"));
    CU_ASSERT(says(bench, part));
    CU_ASSERT_EQUAL(pending(bench), 1);
}

static void what_is_wrong_stands_at_its_field(void)
{
    static char text[8000];
    struct form form = good("V1");
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    form.title = NULL;
    expect_error(&bench, &form, "\"title\":\"Must not be empty.\"");
    form.title = " \\n ";
    expect_error(&bench, &form, "\"title\":\"Must not be empty.\"");
    memset(text, 'x', CORE_TITLE_COUNT_MAX + 1);
    form.title = text;
    expect_error(&bench, &form, "\"title\":\"At most 140 characters.\"");
    form = good("V1");
    memset(text, 'x', sizeof text - 1); /* more than Slack's client lets pass */
    form.reason = text;
    expect_error(&bench, &form, "\"reason\":\"At most 1000 characters.\"");
    form = good("V1");
    form.policy = NULL;
    expect_error(&bench, &form, "\"policy\":\"Choose one.\"");
    form.policy = "nowhere";
    expect_error(&bench, &form, "\"policy\":\"There is no policy of this name.\"");
    form.policy = "deploy";
    expect_error(&bench, &form, "\"policy\":\"This policy takes no requests from Slack.\"");
    form = good("V1");
    form.expires_in = "901";
    expect_error(&bench, &form, "\"expires_in\":\"Choose one of the list.\"");
    form = good("V1");
    CU_ASSERT_EQUAL(kit_apply(&bench.kit,
                              "policy restart { approvers = {\"U0APR00001\"} ask_in_slack = true "
                              "require_reason = true }",
                              false, false)
                        .rc,
                    ERR_OK);
    expect_error(&bench, &form, "\"reason\":\"Policy restart wants to know why.\"");
    form.reason = "because";
    bench_interact(&bench, form_json(RITA, &form)); /* mended, in the same window */
    CU_ASSERT_EQUAL(pending(&bench), 2);
    bench_close(&bench);
}

static void a_policy_that_went_meanwhile_is_an_error_at_its_field(void)
{
    struct form form = good("V1");
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    CU_ASSERT_EQUAL(
        kit_apply(&bench.kit, "policy other { approvers = {\"U0APR00001\"} }", false, true).rc,
        ERR_OK);
    expect_error(&bench, &form, "\"policy\":\"This policy takes no new requests.\"");
    bench_close(&bench);
}

static void who_may_not_ask_sees_no_form_and_sends_none(void)
{
    static const struct {
        const char *user;
        const char *more;
        const char *part;
    } people[] = {
        {"U0GUEST001", ",\"is_restricted\":true", "Guests of this workspace"},
        {"U0GONE0001", ",\"deleted\":true", "A deactivated account"},
        {"U0ROBOT001", ",\"is_bot\":true", "Bots can neither"},
    };
    struct form form = good("V1");
    struct bench bench;
    size_t audited;

    open_bench(&bench);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        bench_know(&bench, people[i].user, people[i].more);
        bench_interact(&bench, shortcut_json(people[i].user, "approval_new"));
        CU_ASSERT_EQUAL(bench.reply.status, 200);
        CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
        CU_ASSERT(bench_call_says("chat.postMessage", people[i].part));
        CU_ASSERT(bench_call_says("chat.postMessage", people[i].user)); /* to himself */
        CU_ASSERT(fake_fetch_ok("chat.postMessage", "{\"ok\":true}"));
        bench_turn(&bench);
        audited = kit_audit(&bench.kit, NULL).count;
        bench_interact(&bench, shortcut_json(people[i].user, "approval_new")); /* once more */
        CU_ASSERT_EQUAL(bench.reply.status, 200);
        CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postMessage"));
        CU_ASSERT_EQUAL(kit_audit(&bench.kit, NULL).count, audited);
        bench_interact(&bench, form_json(people[i].user, &form));
        CU_ASSERT(says(&bench, "\"response_action\":\"update\""));
        CU_ASSERT(says(&bench, people[i].part));
    }
    bench_interact(&bench, shortcut_json(STRANGER, "approval_new"));
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    bench_interact(&bench, form_json(STRANGER, &form));
    CU_ASSERT(says(&bench, "Only people of this organisation"));
    CU_ASSERT_EQUAL(pending(&bench), 1);
    CU_ASSERT(kit_audit(&bench.kit, NULL).sound);
    bench_close(&bench);
}

static void who_is_not_known_yet_is_looked_up_while_the_form_waits(void)
{
    struct form form = good("V1");
    struct bench bench;

    open_bench(&bench);
    bench_interact(&bench, shortcut_json(RITA, "approval_new"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}")); /* it does not wait for users.info */
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("users.info"));
    bench_interact_only(&bench, form_json(RITA, &form));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench.reply.count, 1);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":true,\"user\":{\"team_id\":\"T0APV00001\"}}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench.reply.count, 2);
    CU_ASSERT(says(&bench, "You have asked."));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    /* Slack does not say: nothing is asked, and what was typed stays. */
    bench_interact_only(&bench, form_json("U0REQ00002", &form));
    bench_turn(&bench);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    bench_turn(&bench);
    CU_ASSERT(says(&bench, "\"policy\":\"Slack did not tell us in time"));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    bench_close(&bench);
}

static void a_form_that_could_not_open_is_told(void)
{
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    command(&bench, "https://hooks.slack.com/commands/T/1/x");
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"expired_trigger_id\"}"));
    bench_turn(&bench);
    CU_ASSERT(bench_call_says("/commands/T/1/x", "took too long"));
    CU_ASSERT(fake_fetch_ok("/commands/T/1/x", "{\"ok\":true}"));
    /* An address that is not Slack's is not called. */
    command(&bench, "https://evil.example.com/commands/T/1/x");
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"view_too_large\"}"));
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("/commands/T/1/x"));
    CU_ASSERT(bench_call_says("chat.postEphemeral", "could not be opened"));
    CU_ASSERT(bench_call_says("chat.postEphemeral", RITA));
    /* A shortcut has no place: a direct message. */
    bench_interact(&bench, shortcut_json(RITA, "approval_new"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"expired_trigger_id\"}"));
    bench_turn(&bench);
    CU_ASSERT(bench_call_says("chat.postMessage", "took too long"));
    CU_ASSERT(bench_call_says("chat.postMessage", "\"channel\":\"" RITA "\""));
    CU_ASSERT(fake_fetch_ok("chat.postMessage", "{\"ok\":true}"));
    /* The second delivery of one shortcut: the first has opened the form. */
    bench_interact(&bench, shortcut_json(RITA, "approval_new"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"exchanged_trigger_id\"}"));
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postMessage"));
    bench_close(&bench);
}

/* The form is what he waited for: whoever has it, or was told that he has it not, is owed no word.
 */
static void a_form_that_opens_late_is_not_owed_too(void)
{
    static const char *const answers[] = {"{\"ok\":true}",
                                          "{\"ok\":false,\"error\":\"expired_trigger_id\"}"};

    for (size_t i = 0; i < 2; i++) {
        struct bench bench;
        size_t owed = 0;

        open_bench(&bench);
        bench_know(&bench, RITA, "");
        bench_command_only(&bench, RITA, "request");
        service_kit_pass(&bench.kit, SLACK_REPLY_BUDGET_MS);
        inbound_on_budget(-1, 0, bench.inbound);
        CU_ASSERT_EQUAL(bench.reply.status, 503);
        bench_turn(&bench);
        CU_ASSERT(fake_fetch_ok("views.open", answers[i]));
        bench_turn(&bench);
        for (size_t j = 0; j < SLACK_OWED_COUNT_MAX; j++) {
            owed += bench.inbound->owed[j].used;
        }
        CU_ASSERT_EQUAL(owed, 0);
        bench_close(&bench);
    }
}

static void without_a_policy_to_ask_under_it_is_said(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, RITA, "");
    command(&bench, "https://hooks.slack.com/commands/T/1/x");
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT(bench_call_says("/commands/T/1/x", "No policy takes requests from Slack"));
    bench_close(&bench);
}

static void a_late_commit_is_no_acknowledgement_and_the_form_sent_again_finds_it(void)
{
    struct form form = good("V1");
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    bench_interact_only(&bench, form_json(RITA, &form));
    bench_late(&bench);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(pending(&bench), 2);
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT(says(&bench, "You have asked."));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    bench_close(&bench);
}

static void what_is_no_form_of_ours_is_refused(void)
{
    struct form form = good("V0123456789012345678901234567890123456789");
    struct bench bench;

    open_bench(&bench);
    bench_know(&bench, RITA, "");
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    form.view = "";
    bench_interact(&bench, form_json(RITA, &form));
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    bench_interact(&bench, "{\"type\":\"view_submission\",\"user\":{\"id\":\"" RITA "\"},"
                           "\"view\":{\"id\":\"V1\",\"callback_id\":\"ask\",\"state\":{\"values\":["
                           "1,null]}}}");
    CU_ASSERT(says(&bench, "\"policy\":\"Choose one.\""));
    bench_interact(&bench, "{\"type\":\"shortcut\",\"callback_id\":\"approval_new\",\"user\":{}}");
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    CU_ASSERT_EQUAL(pending(&bench), 1);
    bench_close(&bench);
}

/* A select whose options fill what a policy may say. */
static void longest_fields(struct buf *stored)
{
    struct field_set set = {.count = 1};
    struct form_field *select = &set.items[0];
    char options[CORE_FIELD_OPTION_COUNT_MAX][CORE_FIELD_OPTION_SIZE_MAX + 1];
    struct err err = ERR_INIT;

    *select = (struct form_field){.name = SPAN_LITERAL("environment"),
                                  .label = SPAN_LITERAL("Environment"),
                                  .kind = FIELD_KIND_SELECT,
                                  .option_count = CORE_FIELD_OPTION_COUNT_MAX};
    for (uint32_t i = 0; i < select->option_count; i++) {
        (void)snprintf(options[i], sizeof options[i], "%075u", i);
        select->options[i] = span_text(options[i]);
    }
    CU_ASSERT_EQUAL_FATAL(field_set_encode(&set, stored, &err), ERR_OK);
}

/* The modal of so many policies, each as long as it can be. */
static struct json *form_of(size_t count, uint64_t expires_after_ms)
{
    AUTO_BUF struct buf *fields = NULL;
    const struct policy *list[SERVICE_POLICY_COUNT_MAX];
    struct view_ask_form form = {.policies = list, .count = count};
    char name[CORE_NAME_SIZE_MAX];
    char title[4 * CORE_TITLE_COUNT_MAX];
    struct policy policy = {.name = span_of(name, sizeof name),
                            .title = span_of(title, sizeof title),
                            .expires_after_ms = expires_after_ms,
                            .ask_in_slack = true};
    AUTO_BUF struct buf *body = NULL;
    struct json *json = NULL;
    struct err err = ERR_INIT;

    memset(name, 'n', sizeof name);
    for (size_t i = 0; i < sizeof title; i++) {
        title[i] = "\xf0\x9f\x9a\x80"[i % 4]; /* the longest of characters */
    }
    for (size_t i = 0; i < count; i++) {
        list[i] = &policy;
    }
    CU_ASSERT_EQUAL_FATAL(buf_new(CORE_FIELD_SET_SIZE_MAX, &fields, &err), ERR_OK);
    longest_fields(fields);
    if (count == SERVICE_POLICY_COUNT_MAX) {
        policy.fields = buf_span(fields);
        form.chosen = policy.name;
    }
    CU_ASSERT_EQUAL_FATAL(buf_new(SLACK_CALL_SIZE_MAX, &body, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(view_ask_open(&form, SPAN_LITERAL("1.2.3"), body, &err), ERR_OK);
    CU_ASSERT(buf_size(body) < SLACK_ASK_VIEW_SIZE_MAX);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(body), SLACK_CALL_SIZE_MAX, &json, &err), ERR_OK);
    return json;
}

static void all_policies_fit_into_one_form(void)
{
    AUTO_JSON struct json *most = form_of(SERVICE_POLICY_COUNT_MAX, CORE_DAY_MS);
    AUTO_JSON struct json *hundred = form_of(100, CORE_DAY_MS);
    AUTO_JSON struct json *one = form_of(1, CORE_DAY_MS);
    AUTO_JSON struct json *brief = form_of(1, CORE_MINUTE_MS);
    const struct json *block = json_first(json_path(most, "view.blocks"));
    const struct json *groups = json_path(block, "element.option_groups");
    const struct json *last = json_at(groups, 2);

    CU_ASSERT_EQUAL(json_count(groups), 3);
    CU_ASSERT_EQUAL(json_count(json_get(last, "options")), SERVICE_POLICY_COUNT_MAX - 200);
    CU_ASSERT(span_is(json_text(last, "label.text"), "Policies 201 to 256"));
    CU_ASSERT_EQUAL(text_count(json_text(json_first(json_get(last, "options")), "text.text")),
                    SLACK_OPTION_TEXT_COUNT_MAX);
    block = json_first(json_path(hundred, "view.blocks"));
    CU_ASSERT_EQUAL(json_count(json_path(block, "element.options")), 100);
    CU_ASSERT_PTR_NULL(json_path(block, "element.initial_option"));
    block = json_first(json_path(one, "view.blocks"));
    CU_ASSERT_PTR_NOT_NULL(json_path(block, "element.initial_option")); /* no choice to make */
    /* A day's policy: what is shorter is a choice; a minute's: nothing is. */
    block = json_at(json_path(one, "view.blocks"), ASK_EXPIRES_IN);
    CU_ASSERT_EQUAL(json_count(json_path(block, "element.options")), 3);
    CU_ASSERT_EQUAL(json_count(json_path(brief, "view.blocks")), ASK_EXPIRES_IN);
}

static enum err_code
check_option(const char *list, const char *text, const char *value, const char *description)
{
    AUTO_JSON struct json *view = NULL;
    bool grouped = strcmp(list, "option_groups") == 0;
    struct err err = ERR_INIT;
    char bytes[1024];

    (void)snprintf(bytes, sizeof bytes,
                   "{\"title\":{\"text\":\"t\"},\"submit\":{\"text\":\"s\"},\"blocks\":[{"
                   "\"type\":\"input\",\"element\":{\"%s\":[%s{\"text\":{\"text\":\"%s\"},"
                   "\"value\":\"%s\",\"description\":{\"text\":\"%s\"}}%s]}}]}",
                   list, grouped ? "{\"options\":[" : "", text, value, description,
                   grouped ? "]}" : "");
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(bytes), sizeof bytes, &view, &err), ERR_OK);
    return view_check(view, &err);
}

static void options_beyond_slacks_limits_are_not_sent(void)
{
    static const char *const lists[] = {"options", "option_groups"};
    char word[SLACK_OPTION_TEXT_COUNT_MAX + 2];

    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        CU_ASSERT_EQUAL(check_option(lists[i], word + 1, word + 1, word + 1), ERR_OK);
        CU_ASSERT_NOT_EQUAL(check_option(lists[i], word, "a", "a"), ERR_OK);
        CU_ASSERT_NOT_EQUAL(check_option(lists[i], "a", word, "a"), ERR_OK);
        CU_ASSERT_NOT_EQUAL(check_option(lists[i], "a", "a", word), ERR_OK);
        CU_ASSERT_NOT_EQUAL(check_option(lists[i], "", "a", "a"), ERR_OK);
        CU_ASSERT_NOT_EQUAL(check_option(lists[i], "a", "", "a"), ERR_OK);
    }
}

UNIT_MAIN("ask",
          {"shortcut and command open the form", shortcut_and_command_open_the_form},
          {"a form asks once, for its person, and durably",
           a_form_asks_once_for_its_person_and_durably},
          {"what is wrong stands at its field", what_is_wrong_stands_at_its_field},
          {"a policy that went meanwhile is an error at its field",
           a_policy_that_went_meanwhile_is_an_error_at_its_field},
          {"who may not ask sees no form and sends none",
           who_may_not_ask_sees_no_form_and_sends_none},
          {"who is not known yet is looked up while the form waits",
           who_is_not_known_yet_is_looked_up_while_the_form_waits},
          {"a form that opens late is not owed too", a_form_that_opens_late_is_not_owed_too},
          {"a form that could not open is told", a_form_that_could_not_open_is_told},
          {"without a policy to ask under it is said", without_a_policy_to_ask_under_it_is_said},
          {"a late commit is no acknowledgement and the form sent again finds it",
           a_late_commit_is_no_acknowledgement_and_the_form_sent_again_finds_it},
          {"what is no form of ours is refused", what_is_no_form_of_ours_is_refused},
          {"all policies fit into one form", all_policies_fit_into_one_form},
          {"options beyond Slack's limits are not sent", options_beyond_slacks_limits_are_not_sent})

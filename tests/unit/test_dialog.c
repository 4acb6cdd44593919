/* SPDX-License-Identifier: Apache-2.0 */
/* test_dialog.c: proves the modal behind Reject, the slash command, and approvald/slack/show/views.
 * Owns nothing but its cases; never opens a socket: the service and its store are real, Slack is
 * fake_fetch. */
#include "approvald/core/request_id.h"
#include "approvald/slack/show/views.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define ANA   "U0APR00001"
#define BEN   "U0APR00002"
#define ASKER "U0ASKER"
#define TS1   "1799999990.000100"
#define TS2   "1799999991.000100"

static size_t notices(struct bench *bench)
{
    struct kit_rows rows = kit_owed(&bench->kit, &bench->id, false);

    return kit_owed_of(&rows, SURFACE_NOTICE);
}

static bool says(const struct bench *bench, const char *part)
{
    return strstr(bench->reply.body, part) != NULL;
}

static void reject_opens_one_window_and_its_reason_counts(void)
{
    struct bench bench;
    struct kit_answer now;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact(&bench, bench_press_json(ANA, "reject", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    CU_ASSERT(bench_call_says("views.open", "\"trigger_id\":\"1.2.abc\""));
    CU_ASSERT(bench_call_says("views.open", "Deploy shop"));
    CU_ASSERT(bench_call_says("views.open", "\"callback_id\":\"reject\""));
    CU_ASSERT(bench_call_says("views.open", bench.id_text));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_interact(&bench, bench_press_json(ANA, "reject", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open")); /* the same press again */
    bench_interact(&bench, bench_submit_json(&bench, ANA, "freeze until Friday"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    now = kit_get(&bench.kit, &bench.id);
    CU_ASSERT_EQUAL(now.state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(notices(&bench), 0);
    bench_close(&bench);
}

static void a_window_that_could_not_open_is_told(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact(&bench, bench_press_json(ANA, "reject", bench.id_text, TS1));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"expired_trigger_id\"}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(notices(&bench), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    bench_close(&bench);
}

static void who_may_not_reject_sees_no_window(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, "U0NOBODY01", "");
    bench_interact(&bench, bench_press_json("U0NOBODY01", "reject", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT_EQUAL(notices(&bench), 1);
    CU_ASSERT_EQUAL(kit_approve(&bench.kit, &bench.id, ANA).rc, ERR_OK);
    bench_know(&bench, BEN, "");
    bench_interact(&bench, bench_press_json(BEN, "reject", bench.id_text, TS2));
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    CU_ASSERT_EQUAL(notices(&bench), 2);
    bench_interact(&bench, bench_press_json(BEN, "reject", "req_01K4AAAAAAAAAAAAAAAAAAAAAA", TS2));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.open"));
    bench_close(&bench);
}

static void a_submission_after_the_outcome_shows_the_outcome(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, BEN, "");
    CU_ASSERT_EQUAL(kit_approve(&bench.kit, &bench.id, ANA).rc, ERR_OK);
    bench_interact(&bench, bench_submit_json(&bench, BEN, "too late"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT(says(&bench, "\"response_action\":\"update\""));
    CU_ASSERT(says(&bench, "It was approved by <@" ANA ">"));
    CU_ASSERT(says(&bench, "already decided"));
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_close(&bench);
}

static void a_reason_that_is_too_long_is_an_error_at_its_field(void)
{
    char reason[CORE_REASON_COUNT_MAX + 2];
    struct bench bench;

    memset(reason, 'x', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact(&bench, bench_submit_json(&bench, ANA, reason));
    CU_ASSERT(says(&bench, "{\"response_action\":\"errors\",\"errors\":{\"reason\":\"Shorten"));
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    reason[CORE_REASON_COUNT_MAX] = '\0';
    bench_interact(&bench, bench_submit_json(&bench, ANA, reason));
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_REJECTED);
    bench_close(&bench);
}

static void a_window_of_another_kind_is_out_of_date(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_interact(&bench, "{\"type\":\"view_submission\",\"user\":{\"id\":\"" ANA "\"},"
                           "\"view\":{\"id\":\"V1\",\"callback_id\":\"reject\","
                           "\"private_metadata\":\"{\\\"r\\\":\\\"x\\\"}\"}}");
    CU_ASSERT(says(&bench, "out of date"));
    bench_interact(&bench, "{\"type\":\"view_submission\",\"user\":{\"id\":\"" ANA "\"},"
                           "\"view\":{\"id\":\"V1\",\"callback_id\":\"state\"}}");
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    bench_close(&bench);
}

static void the_command_explains_lists_shows_and_cancels(void)
{
    struct bench bench;
    char text[64];

    bench_open(&bench);
    bench_command(&bench, ASKER, "");
    CU_ASSERT(says(&bench, "\"response_type\":\"ephemeral\""));
    CU_ASSERT(says(&bench, "`cancel ID`"));
    CU_ASSERT(says(&bench, "/approval takes one of these words")); /* what Slack has sent */
    bench_command(&bench, ASKER, "frobnicate");
    CU_ASSERT(says(&bench, "`cancel ID`"));
    bench_command(&bench, ASKER, "list");
    CU_ASSERT(says(&bench, bench.id_text));
    CU_ASSERT(says(&bench, "Deploy shop"));
    bench_command(&bench, ANA, "list");
    CU_ASSERT(says(&bench, "None of your requests"));
    (void)snprintf(text, sizeof text, "  show   %s ", bench.id_text);
    bench_command(&bench, ASKER, text);
    CU_ASSERT(says(&bench, "is pending"));
    CU_ASSERT(says(&bench, "Reason: release 7"));
    bench_command(&bench, ASKER, "show");
    CU_ASSERT(says(&bench, "Which one?"));
    (void)snprintf(text, sizeof text, "cancel %s", bench.id_text);
    bench_command(&bench, ANA, text);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    bench_command(&bench, ASKER, text);
    CU_ASSERT(says(&bench, "is cancelled"));
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_CANCELLED);
    bench_close(&bench);
}

/* The manifest may have given the command another name, and that is Slack's text: escaped. */
static void the_command_is_called_what_slack_calls_it(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_deliver(&bench, SLACK_PATH_COMMANDS, BENCH_FORM,
                  "command=%2Fask-*boss*&user_id=" ASKER "&team_id=T0APV00001&text=help");
    bench_wait_reply(&bench);
    CU_ASSERT(says(&bench, "/ask-"));
    CU_ASSERT(says(&bench, " takes one of these words"));
    CU_ASSERT_FALSE(says(&bench, "*boss*"));
    CU_ASSERT_FALSE(says(&bench, "/approval"));
    bench_interact(&bench, "{\"type\":\"shortcut\",\"user\":{\"id\":\"" ASKER "\"},\"callback_id\":"
                           "\"old\",\"trigger_id\":\"1.2.x\","
                           "\"response_url\":\"https://hooks.slack.com/app/T/1/y\"}");
    CU_ASSERT(bench_call_says("/app/T/1/y", "slash command with the word `help`"));
    bench_close(&bench);
}

/* Neither "done" nor "not done" would be true. */
static void a_cancellation_of_unknown_fate_is_said_to_be_unknown(void)
{
    struct bench bench;
    char text[64];

    bench_open(&bench);
    (void)snprintf(text, sizeof text, "cancel %s", bench.id_text);
    service_kit_break(&bench.kit);
    bench_command_only(&bench, ASKER, text);
    service_kit_wait(&bench.kit, &bench.reply.done);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT(says(&bench, "It is not known whether the request is cancelled"));
    CU_ASSERT(says(&bench, bench.id_text));
    CU_ASSERT_FALSE(says(&bench, "could not be done"));
    bench_command_only(&bench, ASKER, text); /* the store takes nothing any more: nothing is done */
    CU_ASSERT(bench.reply.done);
    CU_ASSERT(says(&bench, "could not be done"));
    bench_close(&bench);
}

static void a_stranger_learns_nothing_of_a_request(void)
{
    struct bench bench;
    char text[64];
    char unknown[BENCH_REPLY];

    bench_open(&bench);
    bench_command(&bench, "U0NOBODY01", "show req_01K4AAAAAAAAAAAAAAAAAAAAAA");
    (void)snprintf(unknown, sizeof unknown, "%s", bench.reply.body);
    (void)snprintf(text, sizeof text, "show %s", bench.id_text);
    bench_command(&bench, "U0NOBODY01", text);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, unknown);
    bench_know(&bench, ANA, "");
    bench_command(&bench, ANA, text);
    CU_ASSERT(says(&bench, "is pending"));
    bench_close(&bench);
}

/* A request of this policy, which is then looked at by Ana, whom Slack knows; what Slack says of
 * the group S0LATER comes last. */
static void
show_to_ana(struct bench *bench, const char *policy, uint32_t pass_ms, const char *group)
{
    struct kit_answer made;
    char id[REQUEST_ID_TEXT_SIZE];
    char text[64];

    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, policy, false, false).rc, ERR_OK);
    made = kit_create(&bench->kit, "late", "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    request_id_format(&made.id, id);
    service_kit_pass(&bench->kit, pass_ms);
    service_kit_tick(&bench->kit);
    (void)snprintf(text, sizeof text, "show %s", id);
    bench_command_only(bench, ANA, text);
    bench_turn(bench);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":true,\"user\":{\"team_id\":\"T0APV00001\"}}"));
    bench_turn(bench);
    CU_ASSERT_FALSE(bench->reply.done); /* that alone says nothing of her right */
    while (fake_fetch_find("usergroups.users.list") != NULL) {
        (void)fake_fetch_ok("usergroups.users.list", /* it was found */
                            bench_call_says("usergroups.users.list", "S0LATER")
                                ? group
                                : "{\"ok\":true,\"users\":[]}");
        bench_turn(bench);
    }
    bench_wait_reply(bench);
}

static void who_may_decide_after_an_escalation_sees_the_request(void)
{
    struct bench bench;

    bench_open(&bench);
    show_to_ana(&bench,
                "policy late { channel = \"C0APV00001\" approvers = {\"" BEN
                "\"} escalate_after = 1m escalate_to = {\"S0LATER\"} }",
                61000, "{\"ok\":true,\"users\":[\"" ANA "\"]}");
    CU_ASSERT(says(&bench, "is pending"));
    bench_close(&bench);
}

static void an_excluded_group_hides_a_request_from_who_shares_it_and_from_nobody_else(void)
{
    static const char policy[] = "policy late { channel = \"C0APV00001\" approvers = {\"" ANA
                                 "\"} exclude_requester_groups = {\"S0LATER\"} }";
    struct bench bench;

    bench_open(&bench);
    show_to_ana(&bench, policy, 0, "{\"ok\":true,\"users\":[\"" ANA "\"]}");
    CU_ASSERT(says(&bench, "is pending"));
    bench_close(&bench);
    bench_open(&bench);
    show_to_ana(&bench, policy, 0, "{\"ok\":true,\"users\":[\"" ANA "\",\"" ASKER "\"]}");
    CU_ASSERT(says(&bench, "There is no such request"));
    bench_close(&bench);
}

static void text_of_people_cannot_act_as_markup(void)
{
    struct service_create create = {.actor = kit_asker,
                                    .token_id = 1,
                                    .policy = SPAN_LITERAL("deploy"),
                                    .requester = SPAN_LITERAL(ASKER),
                                    .title = SPAN_LITERAL("<!channel> & <@U1>"),
                                    .target =
                                        SPAN_LITERAL("*Approved* by _all_ :tada: <http://x|y>")};
    struct kit_answer made;
    struct bench bench;
    char id[REQUEST_ID_TEXT_SIZE];
    char text[64];

    bench_open(&bench);
    made = kit_create_as(&bench.kit, &create);
    CU_ASSERT_EQUAL(made.rc, ERR_OK);
    bench_command(&bench, ASKER, "list");
    CU_ASSERT(says(&bench, "&lt;!channel&gt; &amp; &lt;@U1&gt;"));
    CU_ASSERT_FALSE(says(&bench, "<!channel>"));
    request_id_format(&made.id, id);
    (void)snprintf(text, sizeof text, "show %s", id);
    bench_command(&bench, ASKER, text);
    CU_ASSERT(says(&bench, "Approved"));
    CU_ASSERT_FALSE(says(&bench, "*Approved*"));
    CU_ASSERT_FALSE(says(&bench, "_all_"));
    CU_ASSERT_FALSE(says(&bench, ":tada:"));
    bench_close(&bench);
}

static enum err_code check(const char *text, struct err *err)
{
    AUTO_JSON struct json *json = NULL;

    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(text), 65536, &json, err), ERR_OK);
    return view_check(json, err);
}

#define TITLE "\"title\":{\"type\":\"plain_text\",\"text\":\"T\"}"
#define TEXT  "{\"type\":\"section\",\"block_id\":\"a\",\"text\":{\"text\":\"x\"}}"

static void slacks_limits_of_a_modal_are_checked_here(void)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(check("{" TITLE ",\"blocks\":[" TEXT "]}", &err), ERR_OK);
    CU_ASSERT_EQUAL(check("{" TITLE ",\"blocks\":[]}", &err), ERR_INVALID);
    CU_ASSERT_EQUAL(check("{\"blocks\":[" TEXT "]}", &err), ERR_INVALID);
    CU_ASSERT_EQUAL(check("{" TITLE ",\"blocks\":[" TEXT "," TEXT "]}", &err), ERR_INVALID);
    CU_ASSERT_EQUAL(
        check("{" TITLE ",\"blocks\":[{\"type\":\"section\",\"text\":{\"text\":\"\"}}]}", &err),
        ERR_INVALID);
    CU_ASSERT_EQUAL(check("{" TITLE ",\"blocks\":[{\"type\":\"input\"}]}", &err), ERR_INVALID);
    CU_ASSERT_EQUAL(
        check("{\"title\":{\"text\":\"A title of twenty-five ch.\"},\"blocks\":[" TEXT "]}", &err),
        ERR_TOO_LARGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "title"));
}

static void what_a_window_remembers_comes_back(void)
{
    AUTO_JSON struct json *json = NULL;
    struct view_place place;

    CU_ASSERT(view_place_parse(
        SPAN_LITERAL("{\"r\":\"req_01K4AAAAAAAAAAAAAAAAAAAAAA\",\"c\":\"C1\",\"m\":\"1.2\"}"),
        &place, &json));
    CU_ASSERT(span_is(place.channel, "C1"));
    CU_ASSERT(span_is(place.ts, "1.2"));
    CU_ASSERT(span_is(place.thread, ""));
    json_free(json);
    CU_ASSERT_FALSE(view_place_parse(SPAN_LITERAL("{\"r\":\"req_1\"}"), &place, &json));
    CU_ASSERT_PTR_NULL(json);
    CU_ASSERT_FALSE(view_place_parse(SPAN_NONE, &place, &json));
    CU_ASSERT_FALSE(view_place_parse(SPAN_LITERAL("[]"), &place, &json));
}

UNIT_MAIN("dialog",
          {"Reject opens one window and its reason counts",
           reject_opens_one_window_and_its_reason_counts},
          {"a window that could not open is told", a_window_that_could_not_open_is_told},
          {"who may not reject sees no window", who_may_not_reject_sees_no_window},
          {"a submission after the outcome shows the outcome",
           a_submission_after_the_outcome_shows_the_outcome},
          {"a reason that is too long is an error at its field",
           a_reason_that_is_too_long_is_an_error_at_its_field},
          {"a window of another kind is out of date", a_window_of_another_kind_is_out_of_date},
          {"the command explains, lists, shows and cancels",
           the_command_explains_lists_shows_and_cancels},
          {"the command is called what Slack calls it", the_command_is_called_what_slack_calls_it},
          {"a cancellation of unknown fate is said to be unknown",
           a_cancellation_of_unknown_fate_is_said_to_be_unknown},
          {"a stranger learns nothing of a request", a_stranger_learns_nothing_of_a_request},
          {"who may decide after an escalation sees the request",
           who_may_decide_after_an_escalation_sees_the_request},
          {"an excluded group hides a request from who shares it and from nobody else",
           an_excluded_group_hides_a_request_from_who_shares_it_and_from_nobody_else},
          {"text of people cannot act as markup", text_of_people_cannot_act_as_markup},
          {"Slack's limits of a modal are checked here", slacks_limits_of_a_modal_are_checked_here},
          {"what a window remembers comes back", what_a_window_remembers_comes_back})

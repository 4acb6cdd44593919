/* SPDX-License-Identifier: Apache-2.0 */
/* test_payload.c: proves approvald/slack/wire/payload with the samples of tests/data/slack.
 * Owns nothing but its cases; never talks to anybody. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/payload.h"
#include "approvald/slack/wire/webapi.h"
#include "base/json.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* A sample as Slack would send it: payload=… in form encoding. */
static enum err_code parse_json(const char *json, struct payload *ret_payload)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(3 * FIXTURE_SIZE_MAX, &form, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(webapi_form_add(form, "payload", span_text(json), &err), ERR_OK);
    return payload_parse_interaction(buf_span(form), ret_payload, &err);
}

static void parse_sample(const char *name, struct payload *ret_payload)
{
    AUTO_BUF struct buf *text = fixture_read(name);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(parse_json(buf_text(text), ret_payload), ERR_OK);
}

static void parse_event_sample(const char *name, struct payload *ret_payload)
{
    AUTO_BUF struct buf *text = fixture_read(name);
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(payload_parse_event(buf_span(text), ret_payload, &err), ERR_OK);
}

static void a_press_on_a_message_is_read(void)
{
    struct payload payload;
    uint64_t time_s = 0;

    parse_sample("slack/block_actions_message.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_BLOCK_ACTIONS);
    CU_ASSERT(span_is(payload.user, "U0APR00001"));
    CU_ASSERT(span_is(payload.user_team, "T0APV00001"));
    CU_ASSERT(span_is(payload.team, "T0APV00001"));
    CU_ASSERT(span_is(payload.enterprise, ""));
    CU_ASSERT(span_is(payload.channel, "C0APV00001"));
    CU_ASSERT(span_is(payload.message_ts, "1764752400.118349"));
    CU_ASSERT(span_is(payload.thread_ts, ""));
    CU_ASSERT(span_is(payload.action_id, "approval_approve"));
    CU_ASSERT(span_is(payload.value, "req_01J9Z4K7Q2"));
    CU_ASSERT(span_is(payload.action_ts, "1764752461.502117"));
    CU_ASSERT_EQUAL(payload.action_count, 1);
    CU_ASSERT_FALSE(payload.ephemeral);
    CU_ASSERT(payload_ts_seconds(payload.action_ts, &time_s));
    CU_ASSERT_EQUAL(time_s, 1764752461);
    payload_done(&payload);
}

static void the_wire_form_is_read(void)
{
    AUTO_BUF struct buf *text = fixture_read("slack/interactive_http_body.txt");
    struct payload payload;
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(payload_parse_interaction(buf_span(text), &payload, &err), ERR_OK);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_BLOCK_ACTIONS);
    CU_ASSERT(span_is(payload.user, "U0APR00001"));
    payload_done(&payload);
}

static void the_places_of_a_press_are_told_apart(void)
{
    struct payload payload;

    parse_sample("slack/block_actions_ephemeral.json", &payload);
    CU_ASSERT(payload.ephemeral);
    CU_ASSERT(span_is(payload.channel, "C0APV00001"));
    payload_done(&payload);
    parse_sample("slack/block_actions_home.json", &payload);
    CU_ASSERT(span_is(payload.channel, ""));
    CU_ASSERT(span_is(payload.response_url, ""));
    CU_ASSERT(span_is(payload.view_id, "V0HOME00001"));
    CU_ASSERT(span_is(payload.action_id, "home_review"));
    payload_done(&payload);
    parse_sample("slack/block_actions_message_in_thread.json", &payload);
    CU_ASSERT(payload.thread_ts.size > 0);
    payload_done(&payload);
    parse_sample("slack/block_actions_dm.json", &payload);
    CU_ASSERT(payload.channel.size > 0);
    CU_ASSERT_EQUAL(payload.channel.data[0], 'D');
    payload_done(&payload);
    parse_sample("slack/block_actions_org_install.json", &payload);
    CU_ASSERT(span_is(payload.team, ""));
    CU_ASSERT(payload.org_install);
    CU_ASSERT(span_is(payload.enterprise, "E0GRID0001"));
    payload_done(&payload);
    parse_sample("slack/block_actions_external_user.json", &payload);
    CU_ASSERT(span_is(payload.user_team, "T0OTHER009"));
    payload_done(&payload);
}

static void views_shortcuts_and_options_are_read(void)
{
    struct payload payload;

    parse_sample("slack/view_submission.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_VIEW_SUBMISSION);
    CU_ASSERT(span_is(payload.callback_id, "approval_reject_reason"));
    CU_ASSERT(span_is(payload.view_hash, "1764752480.Zx9Yw8Vu"));
    CU_ASSERT(payload_input(&payload, "reason", "reason_text").size > 10);
    CU_ASSERT(span_is(payload_input(&payload, "reason", "other"), ""));
    CU_ASSERT(span_is(payload_input(&payload, "notify", "notify_conv"), ""));
    payload_done(&payload);
    parse_sample("slack/view_closed.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_VIEW_CLOSED);
    payload_done(&payload);
    parse_sample("slack/shortcut_global.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_SHORTCUT);
    CU_ASSERT(span_is(payload.callback_id, "approval_new"));
    payload_done(&payload);
    parse_sample("slack/message_action.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_MESSAGE_ACTION);
    CU_ASSERT(payload.response_url.size > 0);
    payload_done(&payload);
    parse_sample("slack/block_suggestion.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_BLOCK_SUGGESTION);
    CU_ASSERT(span_is(payload.value, "bil"));
    payload_done(&payload);
}

static void what_was_filled_in_is_read(void)
{
    struct payload payload;

    parse_sample("slack/view_submission_ask.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_VIEW_SUBMISSION);
    CU_ASSERT(span_is(payload.callback_id, "ask"));
    CU_ASSERT(span_is(payload_choice(&payload, "policy", "policy"), "prod-deploy"));
    CU_ASSERT(span_is(payload_input(&payload, "title", "title"), "Restart \xe2\x80\x9c"
                                                                 "billing\xe2\x80\x9d & co"));
    CU_ASSERT_EQUAL(payload_choice(&payload, "expires_in", "expires_in").size, 0); /* null */
    CU_ASSERT_EQUAL(payload_choice(&payload, "title", "title").size, 0);           /* no select */
    CU_ASSERT_EQUAL(payload_input(&payload, "policy", "policy").size, 0);
    CU_ASSERT_EQUAL(payload_choice(&payload, "nowhere", "policy").size, 0);
    payload_done(&payload);
}

static void events_are_read(void)
{
    struct payload payload;

    parse_event_sample("slack/event_app_home_opened.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_EVENT);
    CU_ASSERT(span_is(payload.event_type, "app_home_opened"));
    CU_ASSERT(span_is(payload.event_id, "Ev0HOME0001"));
    CU_ASSERT_EQUAL(payload.event_time_s, 1764752290);
    payload_done(&payload);
    parse_event_sample("slack/event_tokens_revoked.json", &payload);
    CU_ASSERT(payload.bot_token_revoked);
    payload_done(&payload);
    parse_event_sample("slack/event_app_uninstalled.json", &payload);
    CU_ASSERT(span_is(payload.event_type, "app_uninstalled"));
    CU_ASSERT_FALSE(payload.bot_token_revoked);
    payload_done(&payload);
    parse_event_sample("slack/event_app_rate_limited.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_RATE_LIMITED);
    CU_ASSERT(span_is(payload.event_type, ""));
    payload_done(&payload);
    parse_event_sample("slack/url_verification.json", &payload);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_URL_VERIFICATION);
    CU_ASSERT(payload.challenge.size > 0);
    payload_done(&payload);
}

static void a_command_is_read(void)
{
    AUTO_BUF struct buf *text = fixture_read("slack/slash_command.txt");
    struct payload payload;
    struct err err = ERR_INIT;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(payload_parse_command(buf_span(text), &payload, &err), ERR_OK);
    CU_ASSERT(span_is(payload.command, "/approve"));
    CU_ASSERT(
        span_is(payload.text, "new deploy billing-api 4.2.1 for <@U0APR00001|m.okafor> & co"));
    CU_ASSERT(span_is(payload.user, "U0REQ00001"));
    CU_ASSERT(span_is(payload.enterprise, ""));
    payload_done(&payload);
    CU_ASSERT_EQUAL(payload_parse_command(SPAN_LITERAL("text=x"), &payload, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(
        payload_parse_command(SPAN_LITERAL("command=/a&user_id=U1&text=%ff"), &payload, &err),
        ERR_INVALID);
    CU_ASSERT_EQUAL(
        payload_parse_command(SPAN_LITERAL("command=/a&user_id=U1&user_id=U2"), &payload, &err),
        ERR_INVALID);
}

static void nulls_and_wrong_types_are_absent(void)
{
    struct payload payload;

    CU_ASSERT_EQUAL_FATAL(
        parse_json("{\"type\":\"block_actions\",\"user\":null,\"team\":7,\"channel\":[],"
                   "\"container\":null,\"actions\":{\"action_id\":\"approve\"},\"view\":\"x\","
                   "\"message\":null,\"new_key\":{\"a\":[1]}}",
                   &payload),
        ERR_OK);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_BLOCK_ACTIONS);
    CU_ASSERT_EQUAL(payload.user.size, 0);
    CU_ASSERT_EQUAL(payload.team.size, 0);
    CU_ASSERT_EQUAL(payload.channel.size, 0);
    CU_ASSERT_EQUAL(payload.action_id.size, 0);
    CU_ASSERT_EQUAL(payload.action_count, 0);
    CU_ASSERT_EQUAL(payload_input(&payload, "reason", "reason").size, 0);
    payload_done(&payload);
    CU_ASSERT_EQUAL_FATAL(parse_json("{\"type\":\"workflow_step\"}", &payload), ERR_OK);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_UNKNOWN);
    CU_ASSERT(span_is(payload.type, "workflow_step"));
    payload_done(&payload);
    CU_ASSERT_EQUAL_FATAL(parse_json("{\"type\":\"command\"}", &payload), ERR_OK);
    CU_ASSERT_EQUAL(payload.kind, PAYLOAD_UNKNOWN);
    payload_done(&payload);
}

static void what_is_no_payload_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "\"x\"",
                                      "{\"a\":",
                                      "null",
                                      "{\"a\":1}x",
                                      "{\"a\":\"\\ud800\"}",
                                      "{\"a\":\"\\u0000\"}"};
    struct payload payload;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(parse_json(bad[i], &payload), ERR_INVALID);
        CU_ASSERT_EQUAL(payload_parse_event(span_text(bad[i]), &payload, &err), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(payload_parse_interaction(SPAN_LITERAL("a=b"), &payload, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(payload_parse_interaction(SPAN_LITERAL("payload=%7"), &payload, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(
        payload_parse_interaction(SPAN_LITERAL("payload={}&payload={}"), &payload, &err),
        ERR_INVALID);
}

static void only_an_exact_certificate_probe_is_one(void)
{
    CU_ASSERT(payload_is_ssl_check(SPAN_LITERAL("ssl_check=1&token=x")));
    CU_ASSERT(payload_is_ssl_check(SPAN_LITERAL("payload=%7B%7D&ssl_check=1")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("ssl_check=0")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("ssl_check=true")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("ssl_check=")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("ssl_check=1&ssl_check=1")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("ssl_check=111111111111111")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_LITERAL("{\"ssl_check\":1}")));
    CU_ASSERT_FALSE(payload_is_ssl_check(SPAN_NONE));
}

static void timestamps_are_read_strictly(void)
{
    uint64_t time_s = 7;

    CU_ASSERT(payload_ts_seconds(SPAN_LITERAL("1.0"), &time_s));
    CU_ASSERT_EQUAL(time_s, 1);
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_LITERAL("1764752461"), &time_s));
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_LITERAL(".5"), &time_s));
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_LITERAL("5."), &time_s));
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_LITERAL("-1.0"), &time_s));
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_LITERAL("99999999999999999999.0"), &time_s));
    CU_ASSERT_FALSE(payload_ts_seconds(SPAN_NONE, &time_s));
    CU_ASSERT_EQUAL(time_s, 1);
}

UNIT_MAIN("payload",
          {"a press on a message is read", a_press_on_a_message_is_read},
          {"the wire form is read", the_wire_form_is_read},
          {"the places of a press are told apart", the_places_of_a_press_are_told_apart},
          {"views, shortcuts and options are read", views_shortcuts_and_options_are_read},
          {"what was filled in is read", what_was_filled_in_is_read},
          {"events are read", events_are_read},
          {"a command is read", a_command_is_read},
          {"nulls and wrong types are absent", nulls_and_wrong_types_are_absent},
          {"what is no payload is refused", what_is_no_payload_is_refused},
          {"only an exact certificate probe is one", only_an_exact_certificate_probe_is_one},
          {"timestamps are read strictly", timestamps_are_read_strictly})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_manifest.c: proves ctl/manifest.
 * Owns nothing but its cases; never speaks with Slack. */
#include "approvald/ctl/manifest.h"
#include "approvald/slack/show/views_ask.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/unit/unit.h"

#include <string.h>

static const struct manifest usual = {
    .name = "approvald", .command = "/approval", .public_url = "https://approvals.example.com"};

static void the_manifest_is_json_with_our_urls(void)
{
    AUTO_BUF struct buf *buf = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(100000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(manifest_print(&usual, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(buf), 100000, &json, &err), ERR_OK);
    CU_ASSERT_TRUE(span_is(json_text(json, "settings.interactivity.request_url"),
                           "https://approvals.example.com/slack/interactions"));
    CU_ASSERT_TRUE(span_is(json_text(json, "settings.event_subscriptions.request_url"),
                           "https://approvals.example.com/slack/events"));
    CU_ASSERT_TRUE(
        span_is(json_string(json_at(json_path(json, "oauth_config.scopes.bot"), 0)), "chat:write"));
    CU_ASSERT_TRUE(span_is(json_text(json, "features.bot_user.display_name"), "approvald"));
    CU_ASSERT_TRUE(
        span_is(json_text(json_at(json_path(json, "features.shortcuts"), 0), "type"), "global"));
    CU_ASSERT_TRUE(
        span_is(json_text(json_at(json_path(json, "features.shortcuts"), 0), "callback_id"),
                VIEW_ASK_SHORTCUT));
    CU_ASSERT_TRUE(
        span_is(json_text(json_at(json_path(json, "features.shortcuts"), 1), "type"), "message"));
    CU_ASSERT_TRUE(
        span_is(json_text(json_at(json_path(json, "features.shortcuts"), 1), "callback_id"),
                VIEW_ASK_MESSAGE));
    CU_ASSERT_TRUE(json_bool(json, "features.app_home.home_tab_enabled", false));
    CU_ASSERT_TRUE(
        span_is(json_string(json_at(json_path(json, "settings.event_subscriptions.bot_events"), 0)),
                "app_home_opened"));
}

static void for_socket_mode_it_has_no_urls(void)
{
    const struct manifest manifest = {.name = "approvald", .command = "/approval"};
    AUTO_BUF struct buf *buf = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(100000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(manifest_print(&manifest, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(buf), 100000, &json, &err), ERR_OK);
    CU_ASSERT_TRUE(json_bool(json, "settings.socket_mode_enabled", false));
    CU_ASSERT_TRUE(json_bool(json, "settings.interactivity.is_enabled", false));
    CU_ASSERT_PTR_NULL(strstr(buf_text(buf), "url\""));
}

/* Events that nobody reads would be delivered all the same, and a rotating token cannot be undone.
 */
static void it_asks_for_no_messages_and_no_rotating_token(void)
{
    AUTO_BUF struct buf *buf = NULL;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    const struct json *events;

    CU_ASSERT_EQUAL_FATAL(buf_new(100000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(manifest_print(&usual, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(buf), 100000, &json, &err), ERR_OK);
    events = json_path(json, "settings.event_subscriptions.bot_events");
    CU_ASSERT(json_count(events) >= 2);
    for (const struct json *event = json_first(events); event != NULL; event = json_next(event)) {
        CU_ASSERT_PTR_NULL(memmem(json_string(event).data, json_string(event).size, "message", 7));
    }
    CU_ASSERT_PTR_NULL(json_path(json, "settings.event_subscriptions.user_events"));
    CU_ASSERT_FALSE(json_bool(json, "settings.token_rotation_enabled", true));
    CU_ASSERT_FALSE(json_bool(json, "settings.org_deploy_enabled", true));
}

static void it_is_indented_for_people(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1000, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(manifest_indent(SPAN_LITERAL("{\"a\":[1,\"b{\\\"\"],\"c\":true}"), buf, &err),
                    ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf),
                           "{\n  \"a\": [\n    1,\n    \"b{\\\"\"\n  ],\n  \"c\": true\n}\n");
}

static void check_refused(const char *name, const char *command, const char *url)
{
    struct manifest manifest = {.name = name, .command = command, .public_url = url};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(manifest_check(&manifest, &err), ERR_INVALID);
}

static void what_slack_would_not_take_is_refused(void)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(manifest_check(&usual, &err), ERR_OK);
    check_refused("", "/approval", "https://h");
    check_refused("a name of far more than thirty-five letters", "/approval", "https://h");
    check_refused("a", "approval", "https://h");
    check_refused("a", "/", "https://h");
    check_refused("a", "/Approval", "https://h");
    check_refused("a", "/approval", "http://h");
    check_refused("a", "/approval", "https://");
    check_refused("a", "/approval", "https://h/");
    check_refused("a", "/approval", "https://h?x");
}

UNIT_MAIN("manifest",
          {"the manifest is JSON with our URLs", the_manifest_is_json_with_our_urls},
          {"for Socket Mode it has no URLs", for_socket_mode_it_has_no_urls},
          {"it asks for no messages and no rotating token",
           it_asks_for_no_messages_and_no_rotating_token},
          {"it is indented for people", it_is_indented_for_people},
          {"what Slack would not take is refused", what_slack_would_not_take_is_refused})

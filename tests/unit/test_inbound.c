/* SPDX-License-Identifier: Apache-2.0 */
/* test_inbound.c: proves approvald/slack/inbound/inbound: who is let in, and what a press does.
 * Owns nothing but its cases; never opens a socket: the service and its store are real, Slack is
 * fake_fetch. */
#include "approvald/core/request_id.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/wire/webapi.h"
#include "tests/unit/fixture.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ANA "U0APR00001"
#define BEN "U0APR00002"
#define TS1 "1799999990.000100"
#define TS2 "1799999991.000100"

static void handle(struct bench *bench,
                   struct span type,
                   struct span body,
                   struct span signature,
                   struct span timestamp)
{
    struct slack_delivery delivery = {.path = SLACK_PATH_COMMANDS,
                                      .body = body,
                                      .content_type = type,
                                      .signature = signature,
                                      .timestamp = timestamp};

    slack_inbound_handle(bench->inbound, &delivery, bench_on_reply, &bench->reply);
}

static void a_certificate_probe_is_answered_and_nothing_else_of_it(void)
{
    AUTO_BUF struct buf *sample = fixture_read("slack/ssl_check.txt");
    struct bench bench;

    CU_ASSERT_PTR_NOT_NULL_FATAL(sample);
    bench_open(&bench);
    handle(&bench, SPAN_LITERAL(BENCH_FORM), buf_span(sample), SPAN_NONE, SPAN_NONE);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    handle(&bench, SPAN_LITERAL(BENCH_FORM),
           SPAN_LITERAL("ssl_check=1&command=/approval&user_id=U1&text=list"), SPAN_NONE,
           SPAN_NONE);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    handle(&bench, SPAN_LITERAL(BENCH_FORM), SPAN_LITERAL("ssl_check=0"), SPAN_NONE, SPAN_NONE);
    CU_ASSERT_EQUAL(bench.reply.status, 401);
    handle(&bench, SPAN_LITERAL(BENCH_JSON), SPAN_LITERAL("ssl_check=1"), SPAN_NONE, SPAN_NONE);
    CU_ASSERT_EQUAL(bench.reply.status, 401);
    bench_close(&bench);
}

static void what_slack_did_not_sign_is_refused(void)
{
    struct bench bench;

    bench_open(&bench);
    handle(&bench, SPAN_LITERAL(BENCH_FORM), SPAN_LITERAL("command=/approval&user_id=U1"),
           SPAN_LITERAL("v0=0000000000000000000000000000000000000000000000000000000000000000"),
           SPAN_LITERAL("1800000000"));
    CU_ASSERT_EQUAL(bench.reply.status, 401);
    CU_ASSERT_STRING_EQUAL(bench.reply.type, "application/problem+json");
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.reply.body, "\"status\":401"));
    service_kit_pass(&bench.kit, 0);
    bench_close(&bench);
}

static void a_wrong_body_is_refused_with_its_reason(void)
{
    struct bench bench;
    static char large[SLACK_BODY_SIZE_MAX + 2];

    bench_open(&bench);
    bench_deliver(&bench, SLACK_PATH_INTERACTIONS, BENCH_JSON, "{}");
    CU_ASSERT_EQUAL(bench.reply.status, 415);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_FORM, "payload={}");
    CU_ASSERT_EQUAL(bench.reply.status, 415);
    bench_deliver(&bench, SLACK_PATH_INTERACTIONS, "", "payload={}");
    CU_ASSERT_EQUAL(bench.reply.status, 415);
    bench_deliver(&bench, SLACK_PATH_INTERACTIONS, BENCH_FORM, "payload={");
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON, "[1]");
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    bench_deliver(&bench, SLACK_PATH_COMMANDS, BENCH_FORM, "text=help");
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    memset(large, 'a', sizeof large - 1);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON, large);
    CU_ASSERT_EQUAL(bench.reply.status, 413);
    bench_deliver(&bench, SLACK_PATH_INTERACTIONS, BENCH_FORM "; charset=utf-8",
                  "payload=%7B%22type%22:%22view_closed%22%7D");
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(bench.reply.count, 8);
    bench_close(&bench);
}

struct sample {
    const char *name;
    enum slack_path path;
    const char *type; /* of the reply: NULL: empty body */
};

/* Every inbound sample is answered 200: what is not ours is explained, never failed. */
static const struct sample samples[] = {
    {"slack/block_actions_message.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_message_in_thread.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_ephemeral.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_dm.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_home.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_org_install.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_actions_external_user.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/view_submission.json", SLACK_PATH_INTERACTIONS, "application/json; charset=utf-8"},
    {"slack/view_submission_ask.json", SLACK_PATH_INTERACTIONS, "application/json; charset=utf-8"},
    {"slack/view_closed.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/shortcut_global.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/message_action.json", SLACK_PATH_INTERACTIONS, NULL},
    {"slack/block_suggestion.json", SLACK_PATH_INTERACTIONS, "application/json; charset=utf-8"},
    {"slack/event_app_home_opened.json", SLACK_PATH_EVENTS, NULL},
    {"slack/event_app_home_opened_first.json", SLACK_PATH_EVENTS, NULL},
    {"slack/event_app_home_opened_messages_tab.json", SLACK_PATH_EVENTS, NULL},
    {"slack/event_app_rate_limited.json", SLACK_PATH_EVENTS, NULL},
    {"slack/event_app_uninstalled.json", SLACK_PATH_EVENTS, NULL},
    {"slack/event_tokens_revoked.json", SLACK_PATH_EVENTS, NULL},
    {"slack/url_verification.json", SLACK_PATH_EVENTS, "text/plain; charset=utf-8"},
    {"slack/slash_command.txt", SLACK_PATH_COMMANDS, "application/json; charset=utf-8"},
    {"slack/interactive_http_body.txt", SLACK_PATH_INTERACTIONS, NULL},
};

static void deliver_sample(struct bench *bench, const struct sample *sample)
{
    AUTO_BUF struct buf *text = fixture_read(sample->name);
    bool is_json = strstr(sample->name, ".json") != NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    if (sample->path == SLACK_PATH_EVENTS) {
        bench_deliver(bench, sample->path, BENCH_JSON, buf_text(text));
    } else if (is_json) {
        bench_interact_only(bench, buf_text(text));
    } else {
        bench_deliver(bench, sample->path, BENCH_FORM, buf_text(text));
    }
    bench_wait_reply(bench);
    CU_ASSERT_EQUAL(bench->reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench->reply.type, sample->type == NULL ? "" : sample->type);
}

static void every_sample_of_the_reference_is_answered(void)
{
    struct bench bench;
    size_t count = sizeof samples / sizeof samples[0];

    bench_open(&bench);
    bench_know(&bench, "U0REQ00001", ""); /* a form waits for Slack's word on its person */
    for (size_t i = 0; i < count; i++) {
        deliver_sample(&bench, &samples[i]);
    }
    CU_ASSERT_EQUAL(bench.reply.count, count);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    bench_close(&bench);
}

static void a_challenge_is_given_back_as_text(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON,
                  "{\"type\":\"url_verification\",\"challenge\":\"3eZbrw1aB\"}");
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "3eZbrw1aB");
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON, "{\"type\":\"url_verification\"}");
    CU_ASSERT_EQUAL(bench.reply.status, 400);
    bench_close(&bench);
}

static void an_approver_who_is_known_approves_with_one_press(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.count, 0); /* nothing is said before it is durable */
    bench_wait_reply(&bench);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_close(&bench);
}

/* An app of a whole organisation: no team in the payload, and a person with an id of the Grid. */
static void a_press_that_names_no_workspace_counts_for_its_person(void)
{
    struct bench bench;
    struct kit_answer made;
    char id[REQUEST_ID_TEXT_SIZE];
    char json[BENCH_PAYLOAD];

    bench_open(&bench);
    CU_ASSERT_EQUAL(kit_apply(&bench.kit,
                              "policy org {\nchannel = \"C0APV00001\"\n"
                              "approvers = {\"W0APR00001\"}\n}\n",
                              false, false)
                        .rc,
                    ERR_OK);
    made = kit_create(&bench.kit, "org", "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    request_id_format(&made.id, id);
    bench_know(&bench, "W0APR00001", ",\"enterprise_user\":{\"enterprise_id\":\"E0GRID0001\"}");
    (void)snprintf(json, sizeof json,
                   "{\"type\":\"block_actions\",\"team\":null,\"is_enterprise_install\":true,"
                   "\"enterprise\":{\"id\":\"E0GRID0001\",\"name\":\"Grid\"},"
                   "\"user\":{\"id\":\"W0APR00001\"},\"trigger_id\":\"1.2.abc\",\"channel\":null,"
                   "\"container\":{\"type\":\"message\",\"message_ts\":\"1799999000.000100\","
                   "\"channel_id\":\"C0APV00001\"},\"actions\":[{\"type\":\"button\","
                   "\"action_id\":\"approve\",\"value\":\"%s\",\"action_ts\":\"" TS1 "\"}]}",
                   id);
    bench_interact(&bench, json);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &made.id).state, REQUEST_APPROVED);
    bench_close(&bench);
}

static void a_press_delivered_twice_counts_once(void)
{
    struct bench bench;
    struct kit_rows rows;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).decision_count, 1);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 0);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS2));
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    bench_close(&bench);
}

static void a_press_of_somebody_unknown_waits_for_slacks_word(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":true,\"user\":{\"team_id\":\"T0APV00001\"}}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    bench_close(&bench);
}

static void a_press_that_needs_a_group_is_decided_when_it_is_known(void)
{
    struct bench bench;
    struct kit_answer made;

    bench_open(&bench);
    made = kit_create(&bench.kit, "team", "");
    request_id_format(&made.id, bench.id_text);
    bench_know(&bench, ANA, "");
    fake_fetch_ok("usergroups.users.list", "{\"ok\":false,\"error\":\"fatal_error\"}");
    bench_turn(&bench);
    service_kit_pass(&bench.kit, SLACK_LOOKUP_PAUSE_MS);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 1);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", "{\"ok\":true,\"users\":[\"" ANA "\"]}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &made.id).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    bench_close(&bench);
}

static void the_inbox_is_emptied_after_a_restart_and_gives_up_in_time(void)
{
    struct bench bench;
    struct kit_rows rows;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 1);
    service_kit_pass(&bench.kit, SLACK_INBOX_GIVE_UP_MS + 1);
    slack_inbound_start(bench.inbound);
    bench_turn(&bench);
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_PENDING);
    bench_close(&bench);
}

/* The end of a request may wait for it, so it ends though the wall clock was set back by an hour.
 */
static void the_inbox_gives_up_in_time_whatever_the_wall_clock_says(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    slack_inbound_start(bench.inbound);
    for (uint64_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 1);
        CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
        bench_turn(&bench);
        bench.kit.jump_ms = -(int64_t)(60 * CORE_MINUTE_MS);
        service_kit_pass(&bench.kit, SLACK_INBOX_GIVE_UP_MS - 1 + 2 * i);
        slack_inbound_start(bench.inbound);
        bench_turn(&bench);
    }
    CU_ASSERT(fake_fetch_ok("users.info", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    bench_turn(&bench);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    bench_close(&bench);
}

static void who_may_not_decide_is_told_so_and_changes_nothing(void)
{
    static const struct {
        const char *user;
        const char *more;
    } people[] = {
        {"U0GUEST001", ",\"is_restricted\":true"},
        {"U0GONE0001", ",\"deleted\":true"},
        {"U0NOBODY01", ""},
        {"U0ROBOT001", ",\"is_bot\":true"},
    };
    struct bench bench;
    struct kit_rows rows;

    bench_open(&bench);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        bench_know(&bench, people[i].user, people[i].more);
        bench_interact(&bench, bench_press_json(people[i].user, "approve", bench.id_text, TS1));
        CU_ASSERT_EQUAL(bench.reply.status, 200);
    }
    bench_interact(&bench, bench_press_json("U0EXT00009", "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).decision_count, 0);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 5);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    bench_close(&bench);
}

/* The button was there, only not for him: no message is owed again. */
static void who_may_not_reject_presses_a_card_that_is_right(void)
{
    struct bench bench;
    struct service_outcome sent = {.result = OUTBOX_SENT,
                                   .revision = 1,
                                   .channel = SPAN_LITERAL("C0APV00001"),
                                   .ts = SPAN_LITERAL("1764752400.118349")};
    struct service_row_key key;
    struct kit_rows rows;

    bench_open(&bench);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL_FATAL(rows.count, 1);
    key = kit_key(&bench.id, SURFACE_CARD, rows.rows[0].target);
    CU_ASSERT_EQUAL(kit_begin(&bench.kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&bench.kit, &key, &sent), ERR_OK);
    bench_know(&bench, "U0NOBODY01", "");
    bench_interact(&bench, bench_press_json("U0NOBODY01", "reject", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_turn(&bench);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 0);
    bench_close(&bench);
}

static void an_old_button_is_explained_and_its_card_repaired(void)
{
    struct bench bench;
    struct kit_rows rows;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, "approve_v1", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    CU_ASSERT_PTR_NULL(fake_fetch_find("/actions/T/1/x"));
    bench_interact(&bench, bench_press_json(ANA, "approve", "req_01J9Z4K7Q2", TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT(bench_call_says("/actions/T/1/x", "out of date"));
    CU_ASSERT(bench_call_says("/actions/T/1/x", "\"replace_original\":false"));
    bench_interact(&bench, bench_press_json(ANA, "approve", "req_01K4AAAAAAAAAAAAAAAAAAAAAA", TS2));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_close(&bench);
}

/* What the slash command is called is a setting of the app, and marks are disarmed in a notice. */
static void details_that_cannot_be_shown_name_what_can_be_written(void)
{
    struct bench bench;
    struct kit_rows rows;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, CARD_ACTION_DETAILS, bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_turn(&bench);
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":false,\"error\":\"fatal_error\"}"));
    bench_turn(&bench);
    rows = kit_owed(&bench.kit, &bench.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    for (size_t i = 0; i < rows.count; i++) {
        const char *text = rows.rows[i].first_text;

        if (rows.rows[i].surface == SURFACE_NOTICE) {
            CU_ASSERT_PTR_NOT_NULL(strstr(text, bench.id_text));
            CU_ASSERT_PTR_NOT_NULL(strstr(text, "slash command"));
            CU_ASSERT_PTR_NULL(strchr(text, '/'));
            CU_ASSERT_PTR_NULL(strchr(text, '`'));
        }
    }
    bench_close(&bench);
}

/* The answer of a response_url, or of a call: its status and body. */
static void answer_call(struct bench *bench, const char *end, uint32_t status, const char *body)
{
    struct fetch_response response = {
        .outcome = FETCH_ANSWERED, .status = status, .body = span_text(body)};

    CU_ASSERT_PTR_NOT_NULL_FATAL(fake_fetch_find(end));
    fake_fetch_answer(fake_fetch_find(end), &response);
    bench_turn(bench);
}

static void a_sentence_finds_another_way_when_its_address_is_spent(void)
{
    static const char not_found[] = "{\"ok\":false,\"error\":\"channel_not_found\"}";
    struct bench bench;

    bench_open(&bench);
    bench_interact(&bench, bench_press_json(ANA, "approve", "no request", TS1));
    answer_call(&bench, "/actions/T/1/x", 404, "{\"ok\":false,\"error\":\"used_url\"}");
    CU_ASSERT(bench_call_says("chat.postEphemeral", "out of date"));
    CU_ASSERT(bench_call_says("chat.postEphemeral", "\"user\":\"" ANA "\""));
    answer_call(&bench, "chat.postEphemeral", 200, not_found);
    CU_ASSERT(bench_call_says("chat.postMessage", "\"channel\":\"" ANA "\""));
    answer_call(&bench, "chat.postMessage", 200, not_found);
    CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postMessage"));
    for (size_t i = 0; i <= SLACK_SAYING_COUNT_MAX; i++) { /* each gives its place back */
        bench_interact(&bench, bench_press_json(ANA, "approve", "no request", TS2));
        answer_call(&bench, "/actions/T/1/x", 200, "ok"); /* Slack's own word, no JSON */
        CU_ASSERT_PTR_NULL(fake_fetch_find("chat.postEphemeral"));
    }
    bench_close(&bench);
}

static void a_lost_token_stops_sending_once(void)
{
    static const char event[] =
        "{\"type\":\"event_callback\",\"event_id\":\"Ev1\","
        "\"event_time\":1799999990,\"event\":{\"type\":\"app_uninstalled\"}}";
    struct bench bench;
    struct webapi_status status;
    struct err err = ERR_INIT;

    bench_open(&bench);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON, event);
    bench_wait_reply(&bench);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_EQUAL(status.state, WEBAPI_DEAD);
    CU_ASSERT_EQUAL(webapi_set_token(bench.webapi, SPAN_LITERAL("xoxb-new"), &err), ERR_OK);
    bench_deliver(&bench, SLACK_PATH_EVENTS, BENCH_JSON, event);
    bench_wait_reply(&bench);
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    webapi_status(bench.webapi, &status);
    CU_ASSERT_EQUAL(status.state, WEBAPI_UP);
    bench_close(&bench);
}

static void a_late_commit_is_never_a_200(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    bench_late(&bench);
    CU_ASSERT_EQUAL(bench.reply.retry_after_s, 1);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench.reply.count, 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).state, REQUEST_APPROVED);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_close(&bench);
}

static void places_have_an_end_and_a_client_may_go(void)
{
    struct bench bench;

    bench_open(&bench);
    bench_know(&bench, ANA, "");
    for (size_t i = 0; i < SLACK_INFLIGHT_COUNT_MAX; i++) {
        bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    }
    CU_ASSERT_EQUAL(bench.reply.count, 0);
    bench_interact_only(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.count, 1);
    CU_ASSERT_EQUAL(bench.reply.status, 503);
    slack_inbound_forget(bench.inbound, &bench.reply);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench.reply.count, 1);
    CU_ASSERT_EQUAL(kit_get(&bench.kit, &bench.id).decision_count, 1);
    bench_interact(&bench, bench_press_json(ANA, "approve", bench.id_text, TS1));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_close(&bench);
}

UNIT_MAIN("inbound",
          {"a certificate probe is answered, and nothing else of it",
           a_certificate_probe_is_answered_and_nothing_else_of_it},
          {"what Slack did not sign is refused", what_slack_did_not_sign_is_refused},
          {"a wrong body is refused with its reason", a_wrong_body_is_refused_with_its_reason},
          {"every sample of the reference is answered", every_sample_of_the_reference_is_answered},
          {"a challenge is given back as text", a_challenge_is_given_back_as_text},
          {"an approver who is known approves with one press",
           an_approver_who_is_known_approves_with_one_press},
          {"a press that names no workspace counts for its person",
           a_press_that_names_no_workspace_counts_for_its_person},
          {"a press delivered twice counts once", a_press_delivered_twice_counts_once},
          {"a press of somebody unknown waits for Slack's word",
           a_press_of_somebody_unknown_waits_for_slacks_word},
          {"a press that needs a group is decided when it is known",
           a_press_that_needs_a_group_is_decided_when_it_is_known},
          {"the inbox is emptied after a restart and gives up in time",
           the_inbox_is_emptied_after_a_restart_and_gives_up_in_time},
          {"the inbox gives up in time, whatever the wall clock says",
           the_inbox_gives_up_in_time_whatever_the_wall_clock_says},
          {"who may not decide is told so and changes nothing",
           who_may_not_decide_is_told_so_and_changes_nothing},
          {"who may not reject presses a card that is right",
           who_may_not_reject_presses_a_card_that_is_right},
          {"an old button is explained and its card repaired",
           an_old_button_is_explained_and_its_card_repaired},
          {"a sentence finds another way when its address is spent",
           a_sentence_finds_another_way_when_its_address_is_spent},
          {"details that cannot be shown name what can be written",
           details_that_cannot_be_shown_name_what_can_be_written},
          {"a lost token stops sending once", a_lost_token_stops_sending_once},
          {"a late commit is never a 200", a_late_commit_is_never_a_200},
          {"places have an end and a client may go", places_have_an_end_and_a_client_may_go})

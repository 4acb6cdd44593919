/* SPDX-License-Identifier: Apache-2.0 */
/* test_ask_fields.c: proves that the form with which people ask shows the fields of the policy that
 * is chosen in it, and takes them back.
 * Owns nothing but its cases; never opens a socket: the service and its store are real, Slack is
 * fake_fetch. */
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "base/metrics.h"
#include "storage/storage.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define RITA "U0REQ00001"
#define POLICIES                                                                                   \
    "policy restart { title = \"Restart\" approvers = {\"U0APR00001\"} ask_in_slack = true }\n"    \
    "policy ship { approvers = {\"U0APR00001\"} ask_in_slack = true "                              \
    "fields = {\"env\", \"hosts\", \"due\"} }\n"                                                   \
    "policy sail { approvers = {\"U0APR00001\"} ask_in_slack = true fields = {\"env\"} }\n"        \
    "field env { label = \"Environment\" kind = select options = {\"eu <!here>\", \"us\"} "        \
    "required = true hint = \"Where\" }\n"                                                         \
    "field hosts { kind = number min = \"1\" max = \"12\" }\n"                                     \
    "field due { kind = date }\n"

static void open_bench(struct bench *bench)
{
    bench_open(bench);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, POLICIES, false, false).rc, ERR_OK);
    bench_know(bench, RITA, "");
}

static uint64_t pending(const struct bench *bench)
{
    struct service_counts counts;

    service_counts(bench->kit.service, &counts);
    return counts.pending;
}

static bool says(const struct bench *bench, const char *part)
{
    return strstr(bench->reply.body, part) != NULL;
}

static const char *shortcut_json(void)
{
    return "{\"type\":\"shortcut\",\"callback_id\":\"approval_new\",\"trigger_id\":\"9.8.cafe\","
           "\"action_ts\":\"1799999990.000100\",\"team\":{\"id\":\"T0APV00001\"},"
           "\"user\":{\"id\":\"" RITA "\",\"team_id\":\"T0APV00001\"},\"enterprise\":null}";
}

static const char *choice_json(const char *action, const char *choice)
{
    static char text[1024];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"block_actions\",\"trigger_id\":\"9.9.cafe\","
                   "\"team\":{\"id\":\"T0APV00001\"},"
                   "\"user\":{\"id\":\"" RITA "\",\"team_id\":\"T0APV00001\"},"
                   "\"container\":{\"type\":\"view\",\"view_id\":\"V1\"},"
                   "\"view\":{\"id\":\"V1\",\"callback_id\":\"ask\",\"hash\":\"1.2\"},"
                   "\"actions\":[{\"type\":\"static_select\",\"action_id\":\"%s\","
                   "\"block_id\":\"policy\",\"action_ts\":\"1799999990.000200\","
                   "\"selected_option\":{\"value\":\"%s\"}}]}",
                   action, choice);
    return text;
}

/* policy: chosen; shown: whose fields the form has; more: state of their inputs. */
static const char *form_json(const char *policy, const char *shown, const char *more)
{
    static char text[BENCH_PAYLOAD / 2];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"view_submission\",\"trigger_id\":\"9.9.beef\","
                   "\"team\":{\"id\":\"T0APV00001\"},"
                   "\"user\":{\"id\":\"" RITA "\",\"team_id\":\"T0APV00001\"},"
                   "\"view\":{\"id\":\"V1\",\"callback_id\":\"ask\",\"hash\":\"1.2\","
                   "\"private_metadata\":\"%s\",\"state\":{\"values\":{"
                   "\"policy\":{\"policy\":{\"selected_option\":{\"value\":\"%s\"}}},"
                   "\"title\":{\"title\":{\"value\":\"Ship it\"}}%s%s}}}}",
                   shown, policy, more[0] == '\0' ? "" : ",", more);
    return text;
}

#define ENV(choice)                                                                                \
    "\"fields.env\":{\"ship\":{\"type\":\"static_select\",\"selected_option\":" choice "}}"
#define HOSTS(value) "\"fields.hosts\":{\"ship\":{\"type\":\"number_input\",\"value\":" value "}}"
#define DUE(date)    "\"fields.due\":{\"ship\":{\"type\":\"datepicker\",\"selected_date\":" date "}}"

static void the_form_changes_with_the_policy_that_is_chosen(void)
{
    struct bench bench;

    open_bench(&bench);
    bench_interact(&bench, shortcut_json());
    CU_ASSERT(bench_call_says("views.open", "\"dispatch_action\":true"));
    CU_ASSERT_FALSE(bench_call_says("views.open", "fields."));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_turn(&bench);
    bench_interact(&bench, choice_json("policy", "ship"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    CU_ASSERT_STRING_EQUAL(bench.reply.body, "");
    bench_turn(&bench);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake_fetch_find("views.update"));
    CU_ASSERT(bench_call_says("views.update", "\"view_id\":\"V1\""));
    CU_ASSERT(bench_call_says("views.update", "\"private_metadata\":\"ship\""));
    CU_ASSERT(bench_call_says("views.update", "\"block_id\":\"fields.env\",\"optional\":false"));
    CU_ASSERT(bench_call_says("views.update", "\"block_id\":\"fields.due\",\"optional\":true"));
    CU_ASSERT(bench_call_says("views.update", "\"min_value\":\"1\",\"max_value\":\"12\""));
    CU_ASSERT(bench_call_says("views.update", "\"type\":\"datepicker\""));
    CU_ASSERT(bench_call_says("views.update",
                              "\"type\":\"plain_text\",\"text\":\"eu <!here>\",\"emoji\":false"));
    CU_ASSERT_FALSE(bench_call_says("views.update", "mrkdwn"));
    CU_ASSERT(fake_fetch_ok("views.update", "{\"ok\":true}"));
    bench_turn(&bench);
    bench_interact(&bench, choice_json("else", "ship")); /* not ours */
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.update"));
    bench_close(&bench);
}

static void the_only_policys_fields_are_there_at_once(void)
{
    struct bench bench;

    open_bench(&bench);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&bench.kit,
                  "policy ship { approvers = {\"U0APR00001\"} ask_in_slack = true fields = "
                  "{\"ticket\"} }\nfield ticket { min = \"3\" }",
                  false, true)
            .rc,
        ERR_OK);
    bench_interact(&bench, shortcut_json());
    CU_ASSERT(bench_call_says("views.open", "\"block_id\":\"fields.ticket\""));
    CU_ASSERT(bench_call_says("views.open", "\"min_length\":3,\"max_length\":300"));
    CU_ASSERT_FALSE(bench_call_says("views.open", "dispatch_action"));
    CU_ASSERT(fake_fetch_ok("views.open", "{\"ok\":true}"));
    bench_turn(&bench);
    bench_close(&bench);
}

static void what_is_filled_in_is_asked_with(void)
{
    struct bench bench;
    char first[BENCH_REPLY];

    open_bench(&bench);
    bench_interact(&bench, form_json("ship", "ship",
                                     ENV("{\"value\":\"eu <!here>\"}") "," HOSTS("\"3\"") "," DUE(
                                         "\"2026-01-31\"")));
    CU_ASSERT(says(&bench, "You have asked."));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    memcpy(first, bench.reply.body, sizeof first);
    bench_interact(&bench, form_json("ship", "ship",
                                     ENV("{\"value\":\"eu <!here>\"}") "," HOSTS("\"3\"") "," DUE(
                                         "\"2026-01-31\"")));
    CU_ASSERT_STRING_EQUAL(bench.reply.body, first);
    /* Another value is another form. */
    bench_interact(&bench, form_json("ship", "ship",
                                     ENV("{\"value\":\"us\"}") "," HOSTS("\"3\"") "," DUE("null")));
    CU_ASSERT(says(&bench, "has asked already"));
    CU_ASSERT_EQUAL(pending(&bench), 2);
    bench_close(&bench);
}

/* The form stays, with part in the reply; updated: it is brought up to date. */
static void refused(struct bench *bench, const char *json, const char *part, bool updated)
{
    bench_interact(bench, json);
    bench_turn(bench);
    CU_ASSERT_EQUAL(bench->reply.status, 200);
    CU_ASSERT(says(bench, "{\"response_action\":\"errors\",\"errors\":{"));
    CU_ASSERT(says(bench, part));
    CU_ASSERT_EQUAL(pending(bench), 1);
    CU_ASSERT_EQUAL(fake_fetch_find("views.update") != NULL, updated);
    if (updated) {
        CU_ASSERT(fake_fetch_ok("views.update", "{\"ok\":true}"));
        bench_turn(bench);
    }
}

static void what_is_wrong_stands_at_its_field(void)
{
    static char text[8000];
    static char more[12000];
    struct bench bench;

    open_bench(&bench);
    refused(&bench, form_json("ship", "ship", ENV("null") "," HOSTS("null") "," DUE("null")),
            "\"fields.env\":\"Must not be empty.\"", false);
    refused(
        &bench,
        form_json("ship", "ship", ENV("{\"value\":\"us\"}") "," HOSTS("\"13\"") "," DUE("null")),
        "\"fields.hosts\":\"Has to be from 1 to 12.\"", false);
    refused(
        &bench,
        form_json("ship", "ship", ENV("{\"value\":\"mars\"}") "," HOSTS("null") "," DUE("null")),
        "\"fields.env\":\"Choose one of the list", false);
    memset(text, 'x', sizeof text - 1);
    (void)snprintf(more, sizeof more,
                   ENV("{\"value\":\"us\"}") ",\"fields.hosts\":{\"ship\":{\"value\":\"%s\"}}",
                   text);
    refused(&bench, form_json("ship", "ship", more), "\"fields.hosts\":\"At most 300 characters.\"",
            false);
    bench_close(&bench);
}

static void a_form_that_shows_other_fields_is_brought_up_to_date(void)
{
    struct bench bench;

    open_bench(&bench);
    /* Sent before it changed. */
    refused(&bench, form_json("ship", "restart", ""),
            "\"policy\":\"This policy asks for other things", true);
    /* Chosen anew: what was filled in for the other policy is not taken. */
    refused(&bench, form_json("sail", "ship", ENV("{\"value\":\"us\"}")),
            "\"policy\":\"This policy asks for other things", true);
    /* The policy has changed meanwhile. */
    refused(&bench, form_json("sail", "sail", ENV("{\"value\":\"us\"}") "," HOSTS("\"3\"")),
            "\"policy\":\"This policy asks for other things", true);
    refused(&bench, form_json("ship", "ship", "\"fields.x\":{\"ship\":{\"value\":\"1\"}}"),
            "\"policy\":\"This policy asks for other things", true);
    /* A policy without fields takes a form that shows another's. */
    bench_interact(&bench, form_json("restart", "ship", ENV("{\"value\":\"us\"}")));
    CU_ASSERT(says(&bench, "You have asked."));
    bench_close(&bench);
}

static void on_corked(void *arg)
{
    (void)arg; /* the case uncorks */
}

/* It was taken, and the window says so when the form is sent from it. */
static void a_choice_whose_fields_cannot_be_read_is_owed_no_word(void)
{
    struct service_note note = {.actor = {.kind = ACTOR_SYSTEM, .via = VIA_SLACK},
                                .audit = true,
                                .action = SPAN_LITERAL("before")};
    struct kit_answer before = {.done = false};
    struct bench bench;
    struct err err = ERR_INIT;
    size_t owed = 0;

    open_bench(&bench);
    service_kit_break(&bench.kit);
    storage_cork(bench.kit.storage, on_corked, NULL); /* so that both are under way */
    CU_ASSERT_EQUAL_FATAL(service_note(bench.kit.service, &note, kit_on_done, &before, &err),
                          ERR_OK);
    bench_interact_only(&bench, choice_json("policy", "ship"));
    CU_ASSERT_EQUAL(bench.reply.status, 200);
    storage_uncork(bench.kit.storage);
    service_kit_wait(&bench.kit, &before.done);
    bench_turn(&bench);
    CU_ASSERT_PTR_NULL(fake_fetch_find("views.update"));
    CU_ASSERT_EQUAL(metric_value(bench.inbound->modal_failures), 1);
    for (size_t i = 0; i < SLACK_OWED_COUNT_MAX; i++) {
        owed += bench.inbound->owed[i].used;
    }
    CU_ASSERT_EQUAL(owed, 0);
    CU_ASSERT_EQUAL(bench.reply.count, 1);
    bench_close(&bench);
}

UNIT_MAIN("ask_fields",
          {"a choice whose fields cannot be read is owed no word",
           a_choice_whose_fields_cannot_be_read_is_owed_no_word},
          {"the form changes with the policy that is chosen",
           the_form_changes_with_the_policy_that_is_chosen},
          {"the only policy's fields are there at once", the_only_policys_fields_are_there_at_once},
          {"what is filled in is asked with", what_is_filled_in_is_asked_with},
          {"what is wrong stands at its field", what_is_wrong_stands_at_its_field},
          {"a form that shows other fields is brought up to date",
           a_form_that_shows_other_fields_is_brought_up_to_date})

/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_command.c: the slash command: help, request, list, show, cancel.
 * Owns who is answered what; every answer is for the asker alone (ephemeral).
 * Never shows a request to somebody who has nothing to do with it. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/inbox.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/service/limits.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/command_text.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>

#define MODULE        "slack_command"
#define LIST_PAGE_MAX 10    /* pages of pending requests looked at: within the time for an answer */
#define TEXT_SIZE_MAX 32768 /* bytes: characters have up to four */

#define HELP /* behind the command */                                                              \
    " takes one of these words:\n"                                                                 \
    "`request` opens a form to ask for an approval\n"                                              \
    "`list` shows your requests that wait for a decision\n"                                        \
    "`show ID` shows a request that you asked for or may decide\n"                                 \
    "`cancel ID` takes back a request of yours\n"                                                  \
    "Decide with the buttons of the request's message or of the app's Home, or with `approvalctl " \
    "approve ID`."

/* Answers. */

static void answer(struct inflight *flight, struct span text)
{
    AUTO_JSON struct json *json = json_new_object();
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(TEXT_SIZE_MAX * 2UL, &body, &err);

    json_add_text(json, "response_type", SPAN_LITERAL("ephemeral"));
    json_add_text(json, "text", text);
    if (rc == ERR_OK) {
        rc = json_print(json, body, &err);
    }
    if (rc == ERR_OK) {
        inbound_reply_json(flight, buf_span(body));
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_answered", &err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
    }
}

static void answer_words(struct inflight *flight, const char *words)
{
    answer(flight, span_text(words));
}

/* A slash command that answers 5xx shows the person only a code: say it in words. */
static void answer_trouble(struct inflight *flight, const struct err *err)
{
    log_err(LOG_LEVEL_WARNING, MODULE, "failed", err);
    answer_words(flight, "This could not be done just now. Try again in a moment.");
}

/* list */

static enum err_code
begin_list(struct inflight *flight, const struct request_id *before, struct err *err);

static void end_list(struct inflight *flight, bool more)
{
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (flight->count == 0) {
        answer_words(flight, "None of your requests waits for a decision.");
        return;
    }
    if (more) {
        rc =
            buf_append_text(flight->text, "There may be more; `approvalctl list` shows all.", &err);
    }
    if (rc == ERR_OK) {
        answer(flight, buf_span(flight->text));
    } else {
        answer_trouble(flight, &err);
    }
}

/* Adds the person's own; *ret_all: the page was read to its end. */
static enum err_code add_page(struct inflight *flight,
                              const struct request *const *requests,
                              size_t count,
                              bool *ret_all,
                              struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t i;

    for (i = 0; rc == ERR_OK && i < count && flight->count < SLACK_LIST_COUNT_MAX; i++) {
        if (request_is_of(requests[i], slack_id_span(&flight->user))) {
            rc = command_text_line(flight->text, requests[i], err);
            flight->count++;
        }
    }
    *ret_all = i == count;
    return rc;
}

/* NOLINTNEXTLINE(readability-function-size): service_list_fn has seven parameters */
static void on_page(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct request *const *requests,
                    size_t count,
                    bool more,
                    const struct request_id *next)
{
    struct inflight *flight = arg;
    struct err failure = ERR_INIT;
    bool all = true;

    if (rc != ERR_OK) {
        failure = *err;
    } else {
        rc = add_page(flight, requests, count, &all, &failure);
    }
    flight->pages++;
    more = more || !all;
    if (rc == ERR_OK && more && all && flight->count < SLACK_LIST_COUNT_MAX &&
        flight->pages < LIST_PAGE_MAX) {
        rc = begin_list(flight, next, &failure);
    } else if (rc == ERR_OK) {
        end_list(flight, more);
    }
    if (rc != ERR_OK) {
        answer_trouble(flight, &failure);
    }
    inflight_drop(flight);
}

static enum err_code
begin_list(struct inflight *flight, const struct request_id *before, struct err *err)
{
    struct service_list list = {.states = 1U << REQUEST_PENDING,
                                .count_max = SERVICE_PAGE_COUNT_MAX};
    enum err_code rc;

    if (before != NULL) {
        list.has_before = true;
        list.before = *before;
    }
    inflight_hold(flight);
    rc = service_list(flight->inbound->service, &list, on_page, flight, err);
    if (rc != ERR_OK) {
        inflight_drop(flight);
    }
    return rc;
}

static void on_list(struct inflight *flight, struct span argument)
{
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(TEXT_SIZE_MAX, &flight->text, &err);

    (void)argument; /* it takes none */
    if (rc == ERR_OK) {
        rc = buf_append_text(flight->text, "*Your requests that wait for a decision*\n", &err);
    }
    if (rc == ERR_OK) {
        rc = begin_list(flight, NULL, &err);
    }
    if (rc != ERR_OK) {
        answer_trouble(flight, &err);
    }
}

/* show */

/* What his right to decide it depends on; groups is the room for the policy's. */
static struct inbound_about about(const struct inflight *flight,
                                  const struct service_answer *found,
                                  struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX])
{
    struct inbound_about wanted = {.user = slack_id_span(&flight->user),
                                   .team = slack_id_span(&flight->user_team),
                                   .groups = groups,
                                   .group_count = needs_groups(found->policy, groups)};

    if (found->policy->exclude_count > 0) {
        wanted.requester = found->request->requester;
    }
    return wanted;
}

/* The requester, who has decided, and who may: others learn nothing, not even that it exists.
 * *ret_need_facts: it depends on what is not known of him. */
static bool
may_see(struct inflight *flight, const struct service_answer *found, bool *ret_need_facts)
{
    struct span user = slack_id_span(&flight->user);
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
    struct inbound_about wanted;
    struct facts facts;
    struct approval_event event = {.kind = APPROVAL_DECIDE,
                                   .now_ms = clock_wall_ms(flight->inbound->clock),
                                   .actor = inflight_actor(flight),
                                   /* Who may fill what others have filled may still reject. */
                                   .verdict = VERDICT_REJECT,
                                   .facts = &facts};
    enum refusal refusal;

    *ret_need_facts = false;
    if (request_is_of(found->request, user) || request_is_decided_by(found->request, user)) {
        return true;
    }
    if (found->policy == NULL) {
        return false;
    }
    wanted = about(flight, found, groups);
    inbound_facts(flight->inbound, &wanted, &facts);
    refusal = eligible_check(found->request, found->policy, &event, ret_need_facts);
    return !*ret_need_facts &&
           (refusal == REFUSAL_NONE || refusal == REFUSAL_ENDED || refusal == REFUSAL_EXPIRED);
}

static void answer_request(struct inflight *flight, const struct request *request)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(TEXT_SIZE_MAX, &text, &err);

    if (rc == ERR_OK) {
        rc = command_text_request(text, request, &err);
    }
    if (rc == ERR_OK) {
        answer(flight, buf_span(text));
    } else {
        answer_trouble(flight, &err);
    }
}

static void begin_show(struct inflight *flight);

/* Slack has said who he is, or has not: then he is told that there is nothing. */
static void on_facts(void *arg)
{
    struct inflight *flight = arg;

    begin_show(flight);
    inflight_drop(flight);
}

/* Once: what Slack does not say in time is not asked again. */
static bool ask_facts(struct inflight *flight, const struct service_answer *found)
{
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
    struct inbound_about wanted;
    struct err err = ERR_INIT;

    if (flight->pages > 0) {
        return false;
    }
    flight->pages++;
    wanted = about(flight, found, groups);
    inflight_hold(flight);
    if (inbound_fetch_facts(flight->inbound, &wanted, on_facts, flight, &err) != ERR_OK) {
        inflight_drop(flight);
        return false;
    }
    return true;
}

static void
on_shown(void *arg, enum err_code rc, const struct err *err, const struct service_answer *found)
{
    struct inflight *flight = arg;
    bool need_facts = false;

    if (rc == ERR_OK && may_see(flight, found, &need_facts)) {
        answer_request(flight, found->request);
    } else if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        answer_trouble(flight, err);
    } else if (!need_facts || !ask_facts(flight, found)) {
        answer_words(flight, "There is no such request that you asked for or may decide.");
    }
    inflight_drop(flight);
}

static void begin_show(struct inflight *flight)
{
    struct err err = ERR_INIT;

    inflight_hold(flight);
    if (service_get(flight->inbound->service, &flight->id, on_shown, flight, &err) != ERR_OK) {
        answer_trouble(flight, &err);
        inflight_drop(flight);
    }
}

static void on_show(struct inflight *flight, struct span argument)
{
    if (request_id_parse(argument, &flight->id)) {
        begin_show(flight);
    } else {
        answer_words(flight, "Which one? Write `show` and an id such as `req_…`.");
    }
}

/* cancel */

/* The store has failed while it was being done: it may be. */
static void answer_in_doubt(struct inflight *flight, const struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    char words[200];

    log_err(LOG_LEVEL_WARNING, MODULE, "fate_unknown", err);
    request_id_format(&flight->id, id);
    (void)snprintf(words, sizeof words, /* fits */
                   "It is not known whether the request is cancelled. In a moment `show %s` tells; "
                   "cancelling it once more does no harm.",
                   id);
    answer_words(flight, words);
}

static void
on_cancelled(void *arg, enum err_code rc, const struct err *err, const struct service_answer *found)
{
    struct inflight *flight = arg;
    enum refusal refusal = found == NULL ? REFUSAL_NONE : found->refusal;

    if (rc == ERR_OK) {
        answer_words(flight, "The request is cancelled.");
    } else if (refusal != REFUSAL_NONE) {
        answer_words(flight, refusal_sentence(refusal));
    } else if (inbound_is_durable(rc)) {
        answer_trouble(flight, err);
    } else {
        answer_in_doubt(flight, err);
    }
    inflight_drop(flight);
}

static void on_cancel(struct inflight *flight, struct span argument)
{
    struct service_cancel cancel = {
        .actor = inflight_actor(flight),
        .key = {.kind = INBOX_COMMAND,
                .time_s = flight->time_s,
                .text = span_of(flight->trigger, flight->trigger_size)},
    };
    struct err err = ERR_INIT;

    if (!request_id_parse(argument, &cancel.id)) {
        answer_words(flight, "Which one? Write `cancel` and an id such as `req_…`.");
        return;
    }
    flight->id = cancel.id;
    if (cancel.key.text.size == 0) {
        cancel.key.kind = INBOX_NONE; /* cancelling twice changes nothing more */
    }
    inflight_hold(flight);
    if (service_cancel(flight->inbound->service, &cancel, on_cancelled, flight, &err) != ERR_OK) {
        answer_trouble(flight, &err);
        inflight_drop(flight);
    }
}

/* Words. */

/* The command has the name that the app's settings give it: what Slack sent. */
static void on_help(struct inflight *flight, struct span command)
{
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(TEXT_SIZE_MAX, &flight->text, &err);

    rc = rc == ERR_OK ? command_text_escaped(flight->text, command, SLACK_COMMAND_COUNT_MAX, &err)
                      : rc;
    rc = rc == ERR_OK ? buf_append_text(flight->text, HELP, &err) : rc;
    if (rc == ERR_OK) {
        answer(flight, buf_span(flight->text));
    } else {
        answer_trouble(flight, &err);
    }
}

/* Cuts the first word off *rest. */
static struct span cut_word(struct span *rest)
{
    struct span word;
    size_t size = 0;

    while (rest->size > 0 && rest->data[0] == ' ') {
        *rest = span_of(rest->data + 1, rest->size - 1);
    }
    while (size < rest->size && rest->data[size] != ' ') {
        size++;
    }
    word = span_of(rest->data, size);
    *rest = size == 0 ? SPAN_NONE : span_of(rest->data + size, rest->size - size);
    return word;
}

/* An id that was copied from an answer of ours with the marks around it. */
static struct span unmark(struct span word)
{
    bool marked = word.size > 2 && word.data[0] == '`' && word.data[word.size - 1] == '`';

    return marked ? span_of(word.data + 1, word.size - 2) : word;
}

void inbound_on_command(struct inflight *flight, const struct payload *payload)
{
    static const struct {
        const char *word;
        void (*run)(struct inflight *flight, struct span argument);
    } commands[] = {{"list", on_list}, {"show", on_show}, {"cancel", on_cancel}};
    struct span rest = payload->text;
    struct span word = cut_word(&rest);
    struct span argument = unmark(cut_word(&rest));

    if (!inflight_keep(flight, payload)) {
        inbound_reply_problem(flight, 400, "A field is longer than any of Slack's.");
        return;
    }
    if (span_is(word, "request")) {
        inbound_ask(flight, payload);
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (span_is(word, commands[i].word)) {
            commands[i].run(flight, argument);
            return;
        }
    }
    on_help(flight, payload->command);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_command.c: the slash command: help, request, list, show, cancel.
 * Owns the words of the answers; every answer is for the asker alone (ephemeral).
 * Never shows a request to somebody who has nothing to do with it, never lets text from people act
 * as markup. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/fields.h"
#include "approvald/core/inbox.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/service/limits.h"
#include "approvald/service/service.h"
#include "approvald/slack/card.h"
#include "approvald/slack/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/prose.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#include <stdio.h>

#define MODULE         "slack_command"
#define LIST_PAGE_MAX  10 /* pages of pending requests looked at: within the time for an answer */
#define TEXT_SIZE_MAX  16384
#define TEXT_COUNT_MAX 3000 /* code points of one field: Slack advises less than 4,000 in all */

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

/* Text from people, as on a card: escaped, its marks disarmed. */
static enum err_code add_escaped(struct buf *text, struct span value, size_t max, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    enum err_code rc = prose_init(&prose, err);

    if (rc == ERR_OK) {
        prose_begin(&prose, max);
        prose_add_text(&prose, value, max);
        rc = prose_status(&prose, err);
    }
    return rc == ERR_OK ? buf_append_span(text, prose_take(&prose), err) : rc;
}

static enum err_code add_date(struct buf *text, uint64_t wall_ms, struct err *err)
{
    char utc[TEXT_TIME_SIZE];

    text_format_time(wall_ms, utc);
    return buf_append_format(text, err, "<!date^%llu^{date_short_pretty} {time}|%s>",
                             (unsigned long long)(wall_ms / 1000), utc);
}

/* list */

/* "expires …", or when an approval takes effect that can still be stopped. */
static enum err_code add_end(struct buf *text, const struct request *request, struct err *err)
{
    bool delayed = request_is_delayed(request);
    enum err_code rc = buf_append_text(text, delayed ? "takes effect " : "expires ", err);

    return rc == ERR_OK
               ? add_date(text, delayed ? request->clocks.effect_ms : request->expires_ms, err)
               : rc;
}

static enum err_code add_list_line(struct buf *text, const struct request *request, struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = buf_append_text(text, "• ", err);

    request_id_format(&request->id, id);
    if (rc == ERR_OK) {
        rc = add_escaped(text, request->title, CORE_TITLE_COUNT_MAX, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, " · `%s` · ", id);
    }
    if (rc == ERR_OK) {
        rc = add_end(text, request, err);
    }
    return rc == ERR_OK ? buf_append_text(text, "\n", err) : rc;
}

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
            rc = add_list_line(flight->text, requests[i], err);
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

static enum err_code
add_field(struct buf *text, const char *name, struct span value, struct err *err)
{
    enum err_code rc;

    if (value.size == 0) {
        return ERR_OK;
    }
    rc = buf_append_format(text, err, "\n%s: ", name);
    return rc == ERR_OK ? add_escaped(text, value, TEXT_COUNT_MAX / 3, err) : rc;
}

static enum err_code add_values(struct buf *text, const struct request *request, struct err *err)
{
    struct field_values values;
    enum err_code rc = field_values_decode(request->fields, &values, err);

    for (uint32_t i = 0; rc == ERR_OK && i < values.count; i++) {
        rc = buf_append_text(text, "\n", err);
        if (rc == ERR_OK) {
            rc = add_escaped(text, values.items[i].label, TEXT_COUNT_MAX / 3, err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_text(text, ": ", err);
        }
        if (rc == ERR_OK) {
            rc = add_escaped(text, values.items[i].value, TEXT_COUNT_MAX / 3, err);
        }
    }
    return rc;
}

static enum err_code add_decisions(struct buf *text, const struct request *request, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        rc = buf_append_format(text, err, "\n%s by <@%.*s> ",
                               decision->verdict == VERDICT_APPROVE ? "Approved" : "Rejected",
                               SPAN_ARGS(decision->user));
        if (rc == ERR_OK) {
            rc = add_date(text, decision->at_ms, err);
        }
    }
    if (rc == ERR_OK && request->glass.at_ms > 0) {
        rc = buf_append_text(text, "\nIts requester broke the glass ", err);
        if (rc == ERR_OK) {
            rc = add_date(text, request->glass.at_ms, err);
        }
        if (rc == ERR_OK) {
            rc = add_field(text, "Reason of that", request->glass.reason, err);
        }
    }
    return rc;
}

/* What will run, on its lines, and the code to compare with the asker's. */
static enum err_code add_details(struct buf *text, const struct request *request, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    char code[CARD_CODE_SIZE];
    enum err_code rc = prose_init(&prose, err);

    if (rc == ERR_OK && request->details.size > 0) {
        prose_begin(&prose, TEXT_COUNT_MAX);
        prose_add_lines(&prose, request->details, TEXT_COUNT_MAX);
        rc = prose_status(&prose, err);
        if (rc == ERR_OK) {
            rc = buf_append_text(text, "\nDetails:\n", err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_span(text, prose_take(&prose), err);
        }
    }
    if (rc == ERR_OK && request->bound) {
        card_code(request, code);
        rc = buf_append_format(text, err, "\nCode: %s", code);
    }
    return rc;
}

static enum err_code add_request(struct buf *text, const struct request *request, struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = add_escaped(text, request->title, CORE_TITLE_COUNT_MAX, err);

    request_id_format(&request->id, id);
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, "\n`%s` is %s", id, request_state_word(request->state));
    }
    if (rc == ERR_OK && slack_user_is_valid(request->asker)) {
        rc = buf_append_format(text, err, ", asked by <@%.*s> for <@%.*s>",
                               SPAN_ARGS(request->asker), SPAN_ARGS(request->requester));
    } else if (rc == ERR_OK && request->requester.size > 0) {
        rc = buf_append_format(text, err, ", asked by <@%.*s>", SPAN_ARGS(request->requester));
    }
    if (rc == ERR_OK && request->state == REQUEST_PENDING) {
        rc = buf_append_text(text, request_is_delayed(request) ? ", approved, " : ", ", err);
        rc = rc == ERR_OK ? add_end(text, request, err) : rc;
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Target", request->target, err);
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Reason", request->reason, err);
    }
    if (rc == ERR_OK) {
        rc = add_values(text, request, err);
    }
    if (rc == ERR_OK) {
        rc = add_field(text, "Policy", request->policy, err);
    }
    if (rc == ERR_OK) {
        rc = add_details(text, request, err);
    }
    return rc == ERR_OK ? add_decisions(text, request, err) : rc;
}

static void answer_request(struct inflight *flight, const struct request *request)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(TEXT_SIZE_MAX, &text, &err);

    if (rc == ERR_OK) {
        rc = add_request(text, request, &err);
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

    rc = rc == ERR_OK ? add_escaped(flight->text, command, SLACK_COMMAND_COUNT_MAX, &err) : rc;
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

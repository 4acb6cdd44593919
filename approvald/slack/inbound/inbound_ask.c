/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_ask.c: a person asks for an approval: the shortcut or /approval request opens a form, it
 * changes with the policy that is chosen in it, and it comes back.
 * Owns what the person sees of it. Opening and choosing change nothing, so nothing is written for
 * them: a trigger serves once, so a repeated delivery opens no second window.
 * Never decides who may ask: that is the service's one transaction; never acknowledges a form whose
 * request is not durable. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/inbox.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_fields.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdio.h>
#include <string.h>

#define MODULE        "slack_ask"
#define BODY_SIZE_MAX (SLACK_ASK_VIEW_SIZE_MAX + SLACK_TRIGGER_SIZE_MAX + 64UL)
#define NO_POLICY     "No policy takes requests from Slack. An admin can allow it with `ask_in_slack`."
#define TOO_LATE      "Opening the form took too long. Please try again."
#define NOT_OPENED                                                                                 \
    "The form could not be opened. Try again in a moment, or use approvalctl request."
#define OTHER_FIELDS                                                                               \
    "policy: this policy asks for other things than the form showed; look at it again"

static void refuse(struct inflight *flight, const struct err *err)
{
    log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
    inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
}

/* The form opens. */

static void failed_to_open(struct inflight *flight, const char *sentence)
{
    metric_add(flight->inbound->modal_failures, 1);
    inbound_tell(flight, sentence);
}

static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    /* exchanged: another delivery of the same has opened it. */
    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "exchanged_trigger_id")) {
        bool late = span_is(answer->error, "expired_trigger_id") ||
                    span_is(answer->error, "queue_wait") || span_is(answer->error, "timeout");

        failed_to_open(flight, late ? TOO_LATE : NOT_OPENED);
    }
    inflight_drop(flight);
}

static enum err_code open_form(struct inflight *flight,
                               const struct policy *const *policies,
                               size_t count,
                               struct err *err)
{
    const struct view_ask_form form = {.policies = policies,
                                       .count = count,
                                       .details = flight->draft == NULL ? SPAN_NONE
                                                                        : buf_span(flight->draft)};
    AUTO_BUF struct buf *body = NULL;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = view_ask_open(&form, span_of(flight->trigger, flight->trigger_size), body, err);
    }
    return rc == ERR_OK ? inflight_open_view(flight, buf_span(body), on_opened, err) : rc;
}

static void open_first(struct inflight *flight, const struct policy *const *policies, size_t count)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    inbound_reply_empty(flight);
    inbound_owed_answer(flight); /* the form, or why there is none */
    rc = open_form(flight, policies, count, &err);
    if (rc == ERR_NOT_FOUND) {
        inbound_tell(flight, NO_POLICY);
    } else if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "form_not_opened", &err);
        failed_to_open(flight, NOT_OPENED);
    }
}

/* The form changes. */

static void on_changed(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    /* not_found: he has closed it. */
    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "not_found")) {
        metric_add(flight->inbound->modal_failures, 1); /* what is sent from it is judged again */
    }
    inflight_drop(flight);
}

/* What is sent from it is judged again, and says then what it lacks. */
static void not_changed(struct inflight *flight, const struct err *err)
{
    log_err(LOG_LEVEL_WARNING, MODULE, "form_not_changed", err);
    metric_add(flight->inbound->modal_failures, 1);
}

static void change(struct inflight *flight, const struct policy *const *policies, size_t count)
{
    const struct view_ask_form form = {.policies = policies,
                                       .count = count,
                                       .chosen = flight->ask.fields[ASK_POLICY],
                                       .details = flight->ask.fields[ASK_DETAILS]};
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_ask_update(&form, slack_word_span(&flight->view), body, &err);
    }
    if (rc == ERR_OK) {
        rc = inflight_update_view(flight, buf_span(body), on_changed, &err);
    }
    if (rc != ERR_OK) {
        not_changed(flight, &err);
    }
}

static void reply_error(struct inflight *flight, struct span message)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SLACK_VIEW_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_ask_error(message, body, &err);
    }
    if (rc == ERR_OK) {
        inbound_reply_json(flight, buf_span(body));
    } else {
        refuse(flight, &err);
    }
}

/* An error can only stand at what the form shows: where that is not what the policy asks for,
 * the form is changed first. */
static void mend(struct inflight *flight, const struct policy *const *policies, size_t count)
{
    const struct policy *policy = NULL;
    struct field_values unused;
    struct field_set set;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        if (span_equal(policies[i]->name, flight->ask.fields[ASK_POLICY])) {
            policy = policies[i];
        }
    }
    if (policy == NULL || !view_fields_match(&flight->ask.more, policy)) {
        reply_error(flight, SPAN_LITERAL(OTHER_FIELDS));
        change(flight, policies, count);
    } else if (field_set_decode(policy->fields, &set, &err) == ERR_OK &&
               field_values_judge(&set, &flight->ask.more, &unused, &err) == ERR_INVALID) {
        reply_error(flight, span_text(err.message));
    } else {
        reply_error(flight, SPAN_LITERAL("policy: it has just been changed; send the form again"));
    }
}

static void go_on(struct inflight *flight, const struct policy *const *policies, size_t count)
{
    switch (flight->step) {
    case ASK_OPEN:
        open_first(flight, policies, count);
        break;
    case ASK_CHOOSE:
        change(flight, policies, count);
        break;
    case ASK_MEND:
        mend(flight, policies, count);
        break;
    }
}

static void on_policies(void *arg,
                        enum err_code rc,
                        const struct err *err,
                        const struct policy *const *policies,
                        size_t count)
{
    struct inflight *flight = arg;

    if (rc != ERR_OK && flight->step == ASK_CHOOSE) { /* acknowledged already */
        not_changed(flight, err);
    } else if (rc != ERR_OK) {
        refuse(flight, err);
    } else {
        go_on(flight, policies, count);
    }
    inflight_drop(flight);
}

/* Where the person can be told something when the payload is gone. */
static enum err_code
keep_url(struct inflight *flight, const struct payload *payload, struct err *err)
{
    if (payload->response_url.size == 0 || payload->response_url.size > SLACK_URL_SIZE_MAX) {
        return ERR_OK;
    }
    if (buf_new(SLACK_URL_SIZE_MAX, &flight->text, err) != ERR_OK) {
        return err->code;
    }
    return buf_append_span(flight->text, payload->response_url, err);
}

/* A shortcut on a message: what it says, and where it is, are the details to begin with. */
static enum err_code
keep_message(struct inflight *flight, const struct payload *payload, struct err *err)
{
    struct directory_identity identity;
    struct view_ask_message message = {.text = payload->message_text,
                                       .channel = slack_id_span(&flight->channel),
                                       .ts = slack_word_span(&flight->message_ts)};
    enum err_code rc;

    if (payload->kind != PAYLOAD_MESSAGE_ACTION) {
        return ERR_OK;
    }
    directory_identity(flight->inbound->directory, &identity);
    message.url = identity.url;
    rc = buf_new(SLACK_ASK_SIZE_MAX, &flight->draft, err);
    return rc == ERR_OK ? view_ask_draft(&message, flight->draft, err) : rc;
}

/* Asks Slack who that is. */
static enum err_code
fetch_person(struct inflight *flight, directory_done_fn *done, void *arg, struct err *err)
{
    struct directory_need need = {.kind = DIRECTORY_USER, .id = slack_id_span(&flight->user)};

    return directory_fetch(flight->inbound->directory, &need, 1, done, arg, err);
}

static void on_known(void *arg)
{
    (void)arg; /* the cache is what counts */
}

/* The form opens all the same: a trigger does not wait, and the form is judged when it is back. */
static void prepare(struct inflight *flight)
{
    struct err err = ERR_INIT;

    if (fetch_person(flight, on_known, NULL, &err) != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "person_not_fetched", &err);
    }
}

static void on_refused(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;

    if (rc == ERR_OK || rc == ERR_EXISTS) {
        inbound_reply_empty(flight);
    } else {
        refuse(flight, err);
    }
    if (rc == ERR_OK) {
        inbound_tell(flight, refusal_sentence(flight->refusal));
    }
    inflight_drop(flight);
}

/* Audited, and told once, however often the delivery comes. */
static void refuse_person(struct inflight *flight, const struct payload *payload)
{
    struct service_note note = {
        .key = {.kind = flight->kind == PAYLOAD_COMMAND ? INBOX_COMMAND : INBOX_SHORTCUT,
                .time_s = flight->time_s},
        .actor = inflight_actor(flight),
        .audit = true,
        .action = span_text(audit_action_word(AUDIT_REFUSED)),
    };
    struct err err = ERR_INIT;
    char identity[SLACK_EVENT_KEY_SIZE_MAX];
    char detail[64];

    /* Both fit: what is in them was kept, or is ours. */
    (void)snprintf(identity, sizeof identity, "%.*s %.*s", SPAN_ARGS(payload->user),
                   SPAN_ARGS(payload->trigger_id));
    (void)snprintf(detail, sizeof detail, "ask: %s", refusal_word(flight->refusal));
    note.key.text = span_text(identity);
    note.detail = span_text(detail);
    (void)payload_ts_seconds(payload->action_ts, &note.key.time_s); /* a command has none */
    inflight_hold(flight);
    if (service_note(flight->inbound->service, &note, on_refused, flight, &err) != ERR_OK) {
        refuse(flight, &err);
        inflight_drop(flight);
    }
}

static enum err_code begin_form(struct inflight *flight, enum ask_step step, struct err *err)
{
    enum err_code rc;

    flight->step = step;
    inflight_hold(flight);
    rc = service_policy_list(flight->inbound->service, SPAN_NONE, on_policies, flight, err);
    if (rc != ERR_OK) {
        inflight_drop(flight);
    }
    return rc;
}

void inbound_ask(struct inflight *flight, const struct payload *payload)
{
    struct facts facts;
    struct err err = ERR_INIT;

    if (!inflight_keep(flight, payload) || flight->user.size == 0 || flight->trigger_size == 0) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return;
    }
    if (keep_url(flight, payload, &err) != ERR_OK ||
        keep_message(flight, payload, &err) != ERR_OK) {
        refuse(flight, &err);
        return;
    }
    directory_facts(flight->inbound->directory, slack_id_span(&flight->user),
                    slack_id_span(&flight->user_team), &facts);
    flight->refusal = eligible_ask(&facts);
    if (flight->refusal == REFUSAL_FACTS_UNKNOWN) {
        prepare(flight);
    } else if (flight->refusal != REFUSAL_NONE) {
        refuse_person(flight, payload);
        return;
    }
    if (begin_form(flight, ASK_OPEN, &err) != ERR_OK) {
        refuse(flight, &err);
    }
}

/* Kept in text: the choice, and the details, which may still be the ones that the form began with.
 */
static enum err_code
keep_choice(struct inflight *flight, const struct payload *payload, struct err *err)
{
    struct span details = payload_input(payload, VIEW_ASK_DETAILS, VIEW_ASK_DETAILS);
    size_t size = payload->choice.size;
    enum err_code rc = buf_new(SLACK_ASK_SIZE_MAX, &flight->text, err);

    if (details.size > CORE_DETAILS_SIZE_MAX) {
        details = SPAN_NONE; /* Slack's client lets nobody type so much */
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(flight->text, payload->choice, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(flight->text, details, err);
    }
    if (rc == ERR_OK) {
        flight->ask.fields[ASK_POLICY] = span_of(buf_at(flight->text, 0), size);
        flight->ask.fields[ASK_DETAILS] = span_of(buf_at(flight->text, 0) + size, details.size);
    }
    return rc;
}

/* Acknowledged at once: nothing is changed by it. A form that is not updated says so when it is
 * sent. */
void inbound_on_choice(struct inflight *flight, const struct payload *payload)
{
    struct err err = ERR_INIT;

    if (!inflight_keep(flight, payload) || flight->view.size == 0 ||
        payload->choice.size > CORE_NAME_SIZE_MAX) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return;
    }
    inbound_reply_empty(flight);
    if (!span_is(payload->action_id, VIEW_ASK_POLICY) || payload->choice.size == 0) {
        return;
    }
    if (keep_choice(flight, payload, &err) != ERR_OK ||
        begin_form(flight, ASK_CHOOSE, &err) != ERR_OK) {
        not_changed(flight, &err);
    }
}

/* The form comes back. */

static void reply_made(struct inflight *flight, const struct service_answer *answer)
{
    const struct policy *policy = answer->policy;
    bool told = policy != NULL &&
                (policy->direct_requester || !request_is_in_channel(answer->request, policy));
    bool other = !span_equal(answer->request->requester, slack_id_span(&flight->user));

    inbound_reply_view(flight, answer->request,
                       !told ? "You have asked. The thread under its card will tell the outcome."
                       : other
                           ? "You have asked. Direct messages will tell both of you the outcome."
                           : "You have asked. A direct message will tell you the outcome.");
}

/* What another choice or another moment mends stands at a field, and what was typed stays; what
 * nothing mends takes the form's place. */
static void reply_refused(struct inflight *flight, enum refusal refusal, const struct err *err)
{
    bool timed = (refusal == REFUSAL_CLOSED || refusal == REFUSAL_FROZEN) && err != NULL;

    bool mends = refusal == REFUSAL_UNKNOWN_POLICY || refusal == REFUSAL_POLICY_DELETED ||
                 refusal == REFUSAL_NOT_ASKABLE || refusal == REFUSAL_TOO_MANY ||
                 refusal == REFUSAL_FACTS_UNKNOWN;

    if (mends) {
        reply_error(flight, span_text(refusal_sentence(refusal)));
    } else if (refusal == REFUSAL_KEY_REUSED) {
        inbound_reply_view(flight, NULL,
                           "This form has asked already, and what was changed since is not in it. "
                           "Your requests are in the app's Home.");
    } else {
        inbound_reply_view(flight, NULL, timed ? err->message : refusal_sentence(refusal));
    }
}

static void
on_created(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct inflight *flight = arg;
    enum refusal refusal = answer == NULL ? REFUSAL_NONE : answer->refusal;
    struct err failure = ERR_INIT;

    if (rc == ERR_OK) {
        ASSERT(answer != NULL);
        reply_made(flight, answer);
    } else if (refusal != REFUSAL_NONE) {
        reply_refused(flight, refusal, err);
    } else if (rc == ERR_INVALID && strncmp(err->message, "fields", 6) == 0) {
        if (begin_form(flight, ASK_MEND, &failure) != ERR_OK) {
            refuse(flight, &failure);
        }
    } else if (rc == ERR_INVALID) {
        reply_error(flight, span_text(err->message));
    } else {
        refuse(flight, err);
    }
    inflight_drop(flight);
}

/* One form asks once: its key is the window and its person, whichever way and however often it
 * comes. */
static void create(struct inflight *flight)
{
    const struct span *fields = flight->ask.fields;
    struct span text = buf_span(flight->text);
    char key[CORE_KEY_SIZE_MAX];
    struct facts facts;
    struct service_create create = {.actor = inflight_actor(flight),
                                    .facts = &facts,
                                    .token_id = SERVICE_SLACK_ID,
                                    .policy = fields[ASK_POLICY],
                                    .requester = fields[ASK_REQUESTER],
                                    .title = fields[ASK_TITLE],
                                    .reason = fields[ASK_REASON],
                                    .target = fields[ASK_TARGET],
                                    .details = fields[ASK_DETAILS],
                                    .fields = flight->ask.more,
                                    .expires_after_ms = view_ask_expires_ms(&flight->ask)};
    struct err err = ERR_INIT;
    int size = snprintf(key, sizeof key, "%.*s %.*s", SPAN_ARGS(slack_id_span(&flight->user)),
                        SPAN_ARGS(slack_word_span(&flight->view)));

    ASSERT(size > 0 && (size_t)size < sizeof key);
    create.idempotency_key = span_of(key, (size_t)size);
    crypto_sha256(text.data, text.size, create.body_hash);
    directory_facts(flight->inbound->directory, slack_id_span(&flight->user),
                    slack_id_span(&flight->user_team), &facts);
    inflight_hold(flight);
    if (service_create(flight->inbound->service, &create, on_created, flight, &err) != ERR_OK) {
        refuse(flight, &err);
        inflight_drop(flight);
    }
}

static void on_person(void *arg)
{
    struct inflight *flight = arg;

    create(flight); /* or not known even now: then he is told so, and the form stays */
    inflight_drop(flight);
}

/* The fields one after another, each with a NUL behind it: also what tells one form's content from
 * another's. No JSON text holds a NUL. */
static enum err_code
keep_fields(struct inflight *flight, const struct view_ask *ask, struct err *err)
{
    struct span *parts[ASK_FIELD_COUNT + 2 * CORE_FIELD_COUNT_MAX];
    size_t at[ASK_FIELD_COUNT + 2 * CORE_FIELD_COUNT_MAX];
    enum err_code rc = buf_new(SLACK_ASK_SIZE_MAX, &flight->text, err);
    size_t count = 0;

    flight->ask = *ask;
    for (size_t i = 0; i < ASK_FIELD_COUNT; i++) {
        parts[count++] = &flight->ask.fields[i];
    }
    for (uint32_t i = 0; i < ask->more.count; i++) {
        parts[count++] = &flight->ask.more.items[i].name;
        parts[count++] = &flight->ask.more.items[i].value;
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        at[i] = buf_size(flight->text);
        rc = buf_append_span(flight->text, *parts[i], err);
        if (rc == ERR_OK) {
            rc = buf_append(flight->text, "", 1, err);
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        *parts[i] = span_of(buf_at(flight->text, at[i]), parts[i]->size);
    }
    return rc;
}

void inbound_on_ask(struct inflight *flight, const struct payload *payload)
{
    struct view_ask ask;
    struct facts facts;
    struct err err = ERR_INIT;

    if (!inflight_keep(flight, payload) || flight->user.size == 0 || flight->view.size == 0) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return;
    }
    if (view_ask_read(payload, &ask, &err) != ERR_OK) {
        reply_error(flight, span_text(err.message));
        return;
    }
    if (keep_fields(flight, &ask, &err) != ERR_OK) {
        refuse(flight, &err);
        return;
    }
    directory_facts(flight->inbound->directory, slack_id_span(&flight->user),
                    slack_id_span(&flight->user_team), &facts);
    inflight_hold(flight);
    if (facts.user_known || fetch_person(flight, on_person, flight, &err) != ERR_OK) {
        on_person(flight);
    }
}

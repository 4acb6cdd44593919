/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_press.c: presses on a card and the modals behind Reject and Break glass.
 * Owns what a press means and what the person sees of it.
 * Never decides: that is the service's one transaction; never opens a window for a press that is
 * not durable. */
#include "approvald/core/eligible.h"
#include "approvald/core/glass.h"
#include "approvald/core/inbox.h"
#include "approvald/core/request_id.h"
#include "approvald/core/totp.h"
#include "approvald/service/cards.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_away.h"
#include "approvald/slack/show/views_code.h"
#include "approvald/slack/show/views_home.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define MODULE         "slack_inbound"
#define OUT_OF_DATE    "This message is out of date. It is being refreshed; look again, then press."
#define OUT_OF_DATE_NO "This message is out of date and its request is not known here any more."
#define BODY_SIZE_MAX  (SLACK_VIEW_SIZE_MAX + SLACK_TRIGGER_SIZE_MAX)

/* Cards. */

static void on_refreshed(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;

    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_refreshed", err);
    }
    inflight_drop(flight);
}

/* pressed: whoever may not do it has seen nothing wrong, whose card has a button too much has; in
 * a Home there is no card. Else the message is none that would be sent today. */
static void refresh(struct inflight *flight, bool pressed)
{
    struct service *service = flight->inbound->service;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    if (pressed && flight->channel.size == 0) {
        return;
    }
    inflight_hold(flight);
    rc = pressed ? service_refresh_pressed(service, &flight->id, flight->verdict, on_refreshed,
                                           flight, &err)
                 : service_refresh(service, &flight->id, on_refreshed, flight, &err);
    if (rc != ERR_OK) {
        on_refreshed(flight, rc, &err);
    }
}

/* Sentences. */

static void on_shown(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "exchanged_trigger_id")) {
        metric_add(flight->inbound->modal_failures, 1);
        inbound_notice(flight, refusal_sentence(flight->refusal));
    }
    inflight_drop(flight);
}

static enum err_code
show(struct inflight *flight, const struct request *request, const char *sentence, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = view_state_open(request, sentence, span_of(flight->trigger, flight->trigger_size),
                             body, err);
    }
    return rc == ERR_OK ? inflight_open_view(flight, buf_span(body), on_shown, err) : rc;
}

/* A refused press: where a message is, an ephemeral sentence beside it; a Home has none, so a
 * window opens over it. */
static void show_refusal(struct inflight *flight, const struct request *request)
{
    struct err err = ERR_INIT;

    if (flight->channel.size > 0 || flight->trigger_size == 0) {
        inbound_notice(flight, refusal_sentence(flight->refusal));
    } else if (show(flight, request, refusal_sentence(flight->refusal), &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "refusal_not_shown", &err);
        inbound_notice(flight, refusal_sentence(flight->refusal));
    }
}

/* His Home shows soon what came of it. */
static void freshen_home(struct inflight *flight)
{
    if (flight->inbound->home != NULL && flight->channel.size == 0) {
        home_pressed(flight->inbound->home, slack_id_span(&flight->user));
    }
}

/* An old message, an old button, or a value that was never ours. */
static void out_of_date(struct inflight *flight, const struct payload *payload)
{
    log_fields(LOG_LEVEL_INFO, MODULE, "out_of_date", LOG_SPAN("action", payload->action_id));
    if (request_id_parse(payload->value, &flight->id) && inflight_keep(flight, payload) &&
        flight->user.size > 0) {
        inbound_notice(flight, OUT_OF_DATE);
        refresh(flight, false);
    } else {
        inbound_say(flight->inbound, payload, OUT_OF_DATE_NO);
    }
    inbound_reply_empty(flight);
}

/* What makes this press the same when it is delivered again; in a Home there is no message, and the
 * request stands for it. False: a field is longer than any of
 * Slack's, so that two presses could look the same. */
static bool press_key(const struct inflight *flight,
                      const struct payload *payload,
                      char text[SLACK_EVENT_KEY_SIZE_MAX],
                      struct service_event_key *ret_key)
{
    struct span place = payload->message_ts.size > 0 ? payload->message_ts : payload->value;
    int size =
        snprintf(text, SLACK_EVENT_KEY_SIZE_MAX, "%.*s %.*s %.*s %.*s", SPAN_ARGS(payload->user),
                 SPAN_ARGS(payload->action_ts), SPAN_ARGS(place), SPAN_ARGS(payload->action_id));

    ret_key->kind = INBOX_BLOCK_ACTIONS;
    ret_key->text = span_text(text);
    if (!payload_ts_seconds(payload->action_ts, &ret_key->time_s)) {
        ret_key->time_s = flight->time_s;
    }
    return size > 0 && size < SLACK_EVENT_KEY_SIZE_MAX;
}

/* Approve. */

/* For 503: the service itself could not take it. */
static void refuse(struct inflight *flight, const struct err *err)
{
    log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
    inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
}

/* A repeated delivery was answered the first time. */
static void on_home_decided(struct inflight *flight, const struct service_answer *answer)
{
    freshen_home(flight);
    flight->refusal = answer->refusal;
    if (answer->refusal != REFUSAL_NONE && !answer->replayed && !answer->deferred) {
        show_refusal(flight, answer->request);
    }
}

/* A repeated delivery has opened the window the first time. */
static void on_code_needed(struct inflight *flight, const struct service_answer *answer)
{
    if (!answer->replayed) {
        inbound_ask_code(flight, answer->request);
    }
}

static void
on_decided(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct inflight *flight = arg;

    if (inbound_is_durable(rc)) {
        inbound_reply_empty(flight);
        if (answer != NULL && answer->deferred) {
            inbox_worker_poke(flight->inbound->worker);
        }
        if (answer != NULL && answer->refusal == REFUSAL_STEP_UP) {
            on_code_needed(flight, answer);
        } else if (flight->channel.size == 0 && answer != NULL) {
            on_home_decided(flight, answer);
        }
    } else {
        refuse(flight, err);
    }
    inflight_drop(flight);
}

/* Decides at once, without a window: approve, or stop before it takes effect. */
static void decide_now(struct inflight *flight,
                       const struct payload *payload,
                       enum verdict verdict,
                       const struct service_event_key *key)
{
    struct slack_inbound *inbound = flight->inbound;
    struct service_decide decide = {
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = payload->user},
        .id = flight->id,
        .verdict = verdict,
        .key = *key,
        .channel = payload->channel,
        .thread = payload->thread_ts,
        .quiet = payload->channel.size == 0,
    };
    struct err err = ERR_INIT;

    if (!inflight_keep(flight, payload)) {
        inbound_reply_problem(flight, 400, "A field is longer than any of Slack's.");
        return;
    }
    directory_facts(inbound->directory, payload->user, payload->user_team, &decide.facts);
    inflight_hold(flight);
    if (service_decide(inbound->service, &decide, on_decided, flight, &err) != ERR_OK) {
        refuse(flight, &err);
        inflight_drop(flight);
    }
}

/* Reject, or break the glass: durable first, then the window. */

/* What is said around the window of each. */
struct window {
    const char *note; /* in the audit log */
    const char *late;
    const char *failed;
    const char *unread;
};

static const struct window *window_of(const struct inflight *flight)
{
    static const struct window reject = {
        "reject_opened", "Opening the window took too long. Press Reject again.",
        "The window for the reason could not be opened. Press Reject again, or use approvalctl "
        "reject.",
        "The request could not be read just now. Press Reject again."};
    static const struct window glass = {
        "break_glass_opened", "Opening the window took too long. Choose Break glass again.",
        "The window for the reason could not be opened. Choose Break glass again, or use "
        "approvalctl approve --break-glass.",
        "The request could not be read just now. Choose Break glass again."};

    return flight->verdict == VERDICT_GLASS ? &glass : &reject;
}

static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    if (answer->outcome != WEBAPI_OK) {
        bool late = span_is(answer->error, "expired_trigger_id") ||
                    span_is(answer->error, "exchanged_trigger_id") ||
                    span_is(answer->error, "queue_wait") || span_is(answer->error, "timeout");

        metric_add(flight->inbound->modal_failures, 1);
        inbound_notice(flight, late ? window_of(flight)->late : window_of(flight)->failed);
    }
    inflight_drop(flight);
}

static enum err_code
open_modal(struct inflight *flight, const struct service_answer *answer, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    struct view_place place = {.id = flight->id,
                               .channel = slack_id_span(&flight->channel),
                               .ts = slack_word_span(&flight->message_ts),
                               .thread = slack_word_span(&flight->thread_ts)};
    struct span trigger = span_of(flight->trigger, flight->trigger_size);
    bool step_up = answer->policy != NULL && answer->policy->step_up;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = flight->verdict == VERDICT_GLASS
                 ? view_glass_open(answer->request, &place, trigger, step_up, body, err)
                 : view_reject_open(answer->request, &place, trigger, body, err);
    }
    return rc == ERR_OK ? inflight_open_view(flight, buf_span(body), on_opened, err) : rc;
}

/* May this person do it at all? Then no window is opened only to be refused. */
static enum refusal check_window(const struct inflight *flight, const struct service_answer *answer)
{
    struct slack_inbound *inbound = flight->inbound;
    struct facts facts;
    struct approval_event event = {.kind = APPROVAL_DECIDE,
                                   .now_ms = clock_wall_ms(inbound->clock),
                                   .actor = inflight_actor(flight),
                                   .verdict = flight->verdict,
                                   .facts = &facts,
                                   .reason = SPAN_LITERAL("to come"),
                                   .head = answer->policy};
    bool need_facts = false; /* then the window opens and the submission is judged */

    directory_facts(inbound->directory, slack_id_span(&flight->user),
                    slack_id_span(&flight->user_team), &facts);
    service_add_stand_ins(inbound->service, slack_id_span(&flight->user), &facts);
    if (flight->verdict == VERDICT_GLASS) {
        return glass_check(answer->request, answer->policy, &event, &need_facts);
    }
    return eligible_check(answer->request, answer->policy, &event, &need_facts);
}

static void
on_got(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct inflight *flight = arg;
    struct err opening = ERR_INIT;
    enum refusal refusal = REFUSAL_UNKNOWN_REQUEST;

    if (rc == ERR_OK) {
        ASSERT(answer->request != NULL);
        refusal = answer->policy == NULL ? REFUSAL_NONE : check_window(flight, answer);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_read", err);
        inbound_notice(flight, window_of(flight)->unread);
    } else if (refusal != REFUSAL_NONE) {
        flight->refusal = refusal;
        show_refusal(flight, answer == NULL ? NULL : answer->request);
        freshen_home(flight);
        refresh(flight, true);
    } else if (open_modal(flight, answer, &opening) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "modal_not_opened", &opening);
        metric_add(flight->inbound->modal_failures, 1);
        inbound_notice(flight, window_of(flight)->failed);
    }
    inflight_drop(flight);
}

static void on_noted(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;
    struct err failure = ERR_INIT;

    if (rc == ERR_OK || rc == ERR_EXISTS) {
        inbound_reply_empty(flight);
    } else {
        refuse(flight, err);
    }
    if (rc == ERR_OK) {
        inflight_hold(flight);
        rc = service_get(flight->inbound->service, &flight->id, on_got, flight, &failure);
        if (rc != ERR_OK) {
            on_got(flight, rc, &failure, NULL); /* drops the hold */
        }
    }
    inflight_drop(flight);
}

static void ask_reason(struct inflight *flight,
                       const struct payload *payload,
                       enum verdict verdict,
                       const struct service_event_key *key)
{
    struct service_note note = {.key = *key, .has_id = true, .id = flight->id};
    struct err err = ERR_INIT;

    if (!inflight_keep(flight, payload)) {
        inbound_reply_problem(flight, 400, "A field is longer than any of Slack's.");
        return;
    }
    flight->verdict = verdict;
    note.action = span_text(window_of(flight)->note);
    note.actor = inflight_actor(flight);
    inflight_hold(flight);
    if (service_note(flight->inbound->service, &note, on_noted, flight, &err) != ERR_OK) {
        refuse(flight, &err);
        inflight_drop(flight);
    }
}

/* A button of a Home that turns a page; only there, a card has none. */
static bool turn_page(struct inflight *flight, const struct payload *payload)
{
    return flight->inbound->home != NULL && span_is(payload->callback_id, VIEW_HOME_CALLBACK) &&
           home_turned(flight->inbound->home, payload->user, payload->action_id, payload->value,
                       payload->private_metadata);
}

static bool is_away(const struct payload *payload)
{
    return span_is(payload->callback_id, VIEW_HOME_CALLBACK);
}

void inbound_on_press(struct inflight *flight, const struct payload *payload)
{
    bool approve = span_is(payload->action_id, CARD_ACTION_APPROVE);
    bool stop = span_is(payload->action_id, CARD_ACTION_STOP);
    bool reject = span_is(payload->action_id, CARD_ACTION_REJECT);
    bool glass = span_is(payload->action_id, CARD_ACTION_GLASS);
    char text[SLACK_EVENT_KEY_SIZE_MAX];
    struct service_event_key key;

    if (turn_page(flight, payload)) {
        inbound_reply_empty(flight);
    } else if (is_away(payload) && payload->user.size > 0 &&
               press_key(flight, payload, text, &key) && inbound_on_away(flight, payload, &key)) {
        return;
    } else if (span_is(payload->action_id, CARD_ACTION_DETAILS) &&
               request_id_parse(payload->value, &flight->id)) {
        inbound_show_details(flight, payload);
    } else if ((!approve && !reject && !stop && !glass) ||
               !request_id_parse(payload->value, &flight->id)) {
        out_of_date(flight, payload);
    } else if (payload->user.size == 0 || !press_key(flight, payload, text, &key)) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
    } else if (approve || stop) {
        decide_now(flight, payload, approve ? VERDICT_APPROVE : VERDICT_REJECT, &key);
    } else {
        ask_reason(flight, payload, glass ? VERDICT_GLASS : VERDICT_REJECT, &key);
    }
}

/* The modal comes back. */

void inbound_reply_view(struct inflight *flight,
                        const struct request *request,
                        const char *sentence)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SLACK_VIEW_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_state_update(request, sentence, body, &err);
    }
    if (rc == ERR_OK) {
        inbound_reply_json(flight, buf_span(body));
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "view_not_built", &err);
        inbound_reply_empty(flight);
    }
}

void inbound_reply_field(struct inflight *flight, const char *block, const char *sentence)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SLACK_VIEW_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_field_error(block, sentence, body, &err);
    }
    if (rc == ERR_OK) {
        inbound_reply_json(flight, buf_span(body));
    } else {
        refuse(flight, &err);
    }
}

/* "reason: must not be empty" without the field's name: it stands there. */
static const char *behind_name(const char *message)
{
    size_t size = strlen(VIEW_REASON_BLOCK ": ");

    return strncmp(message, VIEW_REASON_BLOCK ": ", size) == 0 ? message + size : message;
}

static void on_submitted(void *arg,
                         enum err_code rc,
                         const struct err *err,
                         const struct service_answer *answer)
{
    struct inflight *flight = arg;
    enum refusal refusal = answer == NULL ? REFUSAL_NONE : answer->refusal;

    if (rc == ERR_OK) {
        inbound_reply_empty(flight);
        if (answer != NULL && answer->deferred) {
            inbox_worker_poke(flight->inbound->worker);
        }
    } else if (refusal == REFUSAL_CODE) {
        inbound_reply_field(flight, VIEW_CODE_BLOCK, refusal_sentence(refusal));
    } else if (refusal != REFUSAL_NONE && inbound_is_durable(rc)) {
        inbound_reply_view(flight, answer->request, refusal_sentence(refusal));
    } else if (rc == ERR_INVALID) {
        inbound_reply_field(flight, VIEW_REASON_BLOCK, behind_name(err->message));
    } else {
        refuse(flight, err);
    }
    freshen_home(flight);
    inflight_drop(flight);
}

static void decide_submission(struct inflight *flight,
                              const struct payload *payload,
                              enum verdict verdict,
                              const struct view_place *place,
                              struct span reason,
                              struct span code)
{
    struct slack_inbound *inbound = flight->inbound;
    char text[SLACK_EVENT_KEY_SIZE_MAX];
    struct service_decide decide;
    struct err err = ERR_INIT;

    if (!inbound_decide_begin(flight, payload, place, text, &decide)) {
        return;
    }
    decide.verdict = verdict;
    decide.reason = reason;
    decide.code = code;
    inflight_hold(flight);
    if (service_decide(inbound->service, &decide, on_submitted, flight, &err) != ERR_OK) {
        refuse(flight, &err);
        inflight_drop(flight);
    }
}

void inbound_on_submission(struct inflight *flight, const struct payload *payload)
{
    struct span reason = payload_input(payload, VIEW_REASON_BLOCK, VIEW_REASON_BLOCK);
    struct span code = payload_input(payload, VIEW_CODE_BLOCK, VIEW_CODE_BLOCK);
    bool glass = span_is(payload->callback_id, VIEW_GLASS_CALLBACK);
    AUTO_JSON struct json *metadata = NULL;
    struct view_place place;
    char sentence[128];
    uint32_t number;
    size_t count;

    if (span_is(payload->callback_id, VIEW_STATE_CALLBACK)) {
        inbound_reply_empty(flight);
        return;
    }
    if (span_is(payload->callback_id, VIEW_ASK_CALLBACK)) {
        inbound_on_ask(flight, payload);
        return;
    }
    if (span_is(payload->callback_id, VIEW_CODE_CALLBACK)) {
        inbound_on_code(flight, payload);
        return;
    }
    if (span_is(payload->callback_id, VIEW_AWAY_CALLBACK)) {
        inbound_on_away_form(flight, payload);
        return;
    }
    if ((!glass && !span_is(payload->callback_id, VIEW_REJECT_CALLBACK)) ||
        !view_place_parse(payload->private_metadata, &place, &metadata)) {
        inbound_reply_view(flight, NULL,
                           "This window is out of date. Close it and press the button again.");
        return;
    }
    count = text_count(reason);
    if (count > CORE_REASON_COUNT_MAX) {
        (void)snprintf(sentence, sizeof sentence, /* fits */
                       "Shorten the reason to %d characters; it has %zu.", CORE_REASON_COUNT_MAX,
                       count);
        inbound_reply_field(flight, VIEW_REASON_BLOCK, sentence);
        return;
    }
    if (code.size > 0 && !totp_parse(code, &number)) {
        inbound_reply_field(flight, VIEW_CODE_BLOCK, VIEW_CODE_SIX);
        return;
    }
    decide_submission(flight, payload, glass ? VERDICT_GLASS : VERDICT_REJECT, &place, reason,
                      code);
}

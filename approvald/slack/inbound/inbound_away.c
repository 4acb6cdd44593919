/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_away.c: out of office in Slack: its buttons in a Home, and the form that comes back.
 * Owns what has to be known of both people before a delegation is made.
 * Never acknowledges one that is not durable; opening the form writes nothing, for a trigger serves
 * once. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/inbox.h"
#include "approvald/core/policy.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_away.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#define MODULE        "slack_inbound"
#define BODY_SIZE_MAX (SLACK_VIEW_SIZE_MAX + SLACK_TRIGGER_SIZE_MAX)

static void freshen(struct inflight *flight)
{
    if (flight->inbound->home != NULL) {
        home_pressed(flight->inbound->home, slack_id_span(&flight->user));
    }
}

/* The form opens. */

static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "exchanged_trigger_id")) {
        metric_add(flight->inbound->modal_failures, 1);
        inbound_tell(flight, "The window could not be opened. Press the button again, or use "
                             "approvalctl delegate add.");
    }
    inflight_drop(flight);
}

static void open_form(struct inflight *flight)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_away_open(span_of(flight->trigger, flight->trigger_size),
                            clock_wall_ms(flight->inbound->clock), body, &err);
    }
    if (rc == ERR_OK) {
        rc = inflight_open_view(flight, buf_span(body), on_opened, &err);
    }
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "modal_not_opened", &err);
        metric_add(flight->inbound->modal_failures, 1);
    }
    inbound_reply_empty(flight);
}

/* A delegation is ended. */

static void on_ended(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;

    if (inbound_is_durable(rc)) { /* ERR_NOT_FOUND: it is over already, and the Home shows it */
        inbound_reply_empty(flight);
        freshen(flight);
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
    }
    inflight_drop(flight);
}

static void end_one(struct inflight *flight, uint64_t id, const struct service_event_key *key)
{
    struct actor actor = inflight_actor(flight);
    struct err err = ERR_INIT;

    inflight_hold(flight);
    if (service_undelegate(flight->inbound->service, &actor, id, key, on_ended, flight, &err) !=
        ERR_OK) {
        on_ended(flight, ERR_UNAVAILABLE, &err); /* drops the hold */
    }
}

bool inbound_on_away(struct inflight *flight,
                     const struct payload *payload,
                     const struct service_event_key *key)
{
    bool sets = span_is(payload->action_id, VIEW_AWAY_SET);
    bool ends = span_is(payload->action_id, VIEW_AWAY_END);
    uint64_t id = 0;

    if (!sets && !ends) {
        return false;
    }
    if (!inflight_keep(flight, payload) || (ends && !text_parse_u64(payload->value, &id))) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
    } else if (sets) {
        open_form(flight);
    } else {
        end_one(flight, id, key);
    }
    return true;
}

/* The form comes back. */

static void on_delegated(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;
    const char *sentence;
    const char *field;

    if (rc == ERR_OK) {
        inbound_reply_empty(flight);
        freshen(flight);
    } else if (rc == ERR_EXISTS) {
        inbound_reply_field(
            flight, VIEW_AWAY_FROM,
            "You have named somebody for a part of that time already. End that first, in "
            "your Home.");
    } else if (rc == ERR_INVALID) {
        field = view_away_field(err->message, &sentence);
        inbound_reply_field(flight, field, sentence);
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
    }
    inflight_drop(flight);
}

/* Why this person can neither be stood in for nor stand in; or NULL. */
static const char *
unfit(const struct inflight *flight, const struct slack_id *user, struct span team)
{
    enum refusal refusal;
    struct facts facts;

    directory_facts(flight->inbound->directory, slack_id_span(user), team, &facts);
    refusal = eligible_ask(&facts);
    return refusal == REFUSAL_NONE ? NULL : refusal_sentence(refusal);
}

static void on_known(void *arg)
{
    struct inflight *flight = arg;
    struct actor actor = inflight_actor(flight);
    struct service_delegation wanted = {.from = slack_id_span(&flight->user),
                                        .to = slack_id_span(&flight->other),
                                        .begin_ms = flight->begin_ms,
                                        .end_ms = flight->end_ms};
    struct service_event_key key = {
        .kind = INBOX_VIEW_SUBMISSION, .time_s = flight->time_s, .text = buf_span(flight->text)};
    const char *sentence = unfit(flight, &flight->user, slack_id_span(&flight->user_team));
    struct err err = ERR_INIT;

    sentence = sentence == NULL ? unfit(flight, &flight->other, SPAN_NONE) : sentence;
    if (sentence != NULL) {
        inbound_reply_field(flight, VIEW_AWAY_TO, sentence);
        inflight_drop(flight);
    } else if (service_delegate(flight->inbound->service, &actor, &wanted, &key, on_delegated,
                                flight, &err) != ERR_OK) {
        on_delegated(flight, ERR_UNAVAILABLE, &err); /* drops the hold */
    }
}

/* What is needed when both people are known: the payload is gone then. */
static bool
keep(struct inflight *flight, const struct payload *payload, const struct view_away_form *form)
{
    struct service_event_key key;
    char text[SLACK_EVENT_KEY_SIZE_MAX];

    if (payload->user.size == 0 || !inflight_keep(flight, payload) ||
        !slack_id_set(&flight->other, form->to) ||
        !inbound_submission_key(flight, payload, text, &key) ||
        buf_new(SLACK_EVENT_KEY_SIZE_MAX, &flight->text, NULL) != ERR_OK) {
        return false;
    }
    flight->time_s = key.time_s;
    flight->begin_ms = form->begin_ms;
    flight->end_ms = form->end_ms;
    return buf_append_span(flight->text, key.text, NULL) == ERR_OK;
}

void inbound_on_away_form(struct inflight *flight, const struct payload *payload)
{
    struct view_away_form form;
    struct directory_need needs[2] = {{.kind = DIRECTORY_USER}, {.kind = DIRECTORY_USER}};
    struct err err = ERR_INIT;

    view_away_read(payload, &form);
    if (!slack_user_is_valid(form.to)) {
        inbound_reply_field(flight, VIEW_AWAY_TO, "Choose who stands in for you.");
        return;
    }
    if (form.end_ms == 0) {
        inbound_reply_field(flight, VIEW_AWAY_UNTIL, "Choose when it ends.");
        return;
    }
    if (!keep(flight, payload, &form)) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return;
    }
    needs[0].id = slack_id_span(&flight->user);
    needs[1].id = slack_id_span(&flight->other);
    inflight_hold(flight);
    if (directory_fetch(flight->inbound->directory, needs, 2, on_known, flight, &err) != ERR_OK) {
        on_known(flight); /* by what is known */
    }
}

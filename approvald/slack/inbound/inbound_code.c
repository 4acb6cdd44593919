/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_code.c: the one-time code behind an approval.
 * Owns that the window opens within the life of the press's trigger (3 s), and that a code goes
 * from the form into the decision's one transaction and nowhere else. Never keeps, logs or repeats
 * a code; never says why one does not count. */
#include "approvald/core/approval.h"
#include "approvald/core/totp.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/show/views_code.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#define MODULE        "slack_inbound"
#define BODY_SIZE_MAX (SLACK_VIEW_SIZE_MAX + SLACK_TRIGGER_SIZE_MAX)
#define NOT_OPENED                                                                                 \
    "The window for the code could not be opened. Press Approve again, or use "                    \
    "approvalctl approve."

static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "exchanged_trigger_id")) {
        metric_add(flight->inbound->modal_failures, 1);
        inbound_notice(flight, NOT_OPENED);
    }
    inflight_drop(flight);
}

void inbound_ask_code(struct inflight *flight, const struct request *request)
{
    AUTO_BUF struct buf *body = NULL;
    struct err err = ERR_INIT;
    struct view_place place = {.id = flight->id,
                               .channel = slack_id_span(&flight->channel),
                               .ts = slack_word_span(&flight->message_ts),
                               .thread = slack_word_span(&flight->thread_ts)};
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = view_code_open(request, &place, span_of(flight->trigger, flight->trigger_size), body,
                            &err);
    }
    if (rc == ERR_OK) {
        rc = inflight_open_view(flight, buf_span(body), on_opened, &err);
    }
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "modal_not_opened", &err);
        metric_add(flight->inbound->modal_failures, 1);
        inbound_notice(flight, NOT_OPENED);
    }
}

static void
on_decided(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
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
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
    }
    if (flight->inbound->home != NULL) {
        home_pressed(flight->inbound->home, slack_id_span(&flight->user));
    }
    inflight_drop(flight);
}

static void decide(struct inflight *flight,
                   const struct payload *payload,
                   const struct view_place *place,
                   struct span code)
{
    char text[SLACK_EVENT_KEY_SIZE_MAX];
    struct service_decide decide;
    struct err err = ERR_INIT;

    if (!inbound_decide_begin(flight, payload, place, text, &decide)) {
        return;
    }
    decide.verdict = VERDICT_APPROVE;
    decide.code = code;
    inflight_hold(flight);
    if (service_decide(flight->inbound->service, &decide, on_decided, flight, &err) != ERR_OK) {
        on_decided(flight, ERR_UNAVAILABLE, &err, NULL); /* drops the hold */
    }
}

void inbound_on_code(struct inflight *flight, const struct payload *payload)
{
    struct span code = payload_input(payload, VIEW_CODE_BLOCK, VIEW_CODE_BLOCK);
    AUTO_JSON struct json *metadata = NULL;
    struct view_place place;
    uint32_t number;

    if (!view_place_parse(payload->private_metadata, &place, &metadata)) {
        inbound_reply_view(flight, NULL,
                           "This window is out of date. Close it and press the button again.");
    } else if (!totp_parse(code, &number)) {
        inbound_reply_field(flight, VIEW_CODE_BLOCK, VIEW_CODE_SIX);
    } else {
        decide(flight, payload, &place, code);
    }
}

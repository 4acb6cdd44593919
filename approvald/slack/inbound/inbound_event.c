/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_event.c: the Events API.
 * Owns what an event means; the loss of our token is the only one that changes anything.
 * Never relies on an event's arrival: Slack's delivery is best effort. */
#include "approvald/core/inbox.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/wire/webapi.h"
#include "base/log.h"

#define MODULE "slack_inbound"

/* New, so it is not the late repetition of an event from before the token was replaced. Whether
 * the token is dead indeed, the directory's next auth.test tells. */
static void on_noted(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;

    if (rc == ERR_OK) {
        webapi_mark_dead(flight->inbound->webapi, "app_uninstalled");
    }
    if (rc == ERR_OK || rc == ERR_EXISTS) {
        inbound_reply_empty(flight);
    } else {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
    }
    inflight_drop(flight);
}

static void on_token_lost(struct inflight *flight, const struct payload *payload)
{
    struct service_note note = {
        .key = {.kind = INBOX_EVENT,
                .time_s = payload->event_time_s > 0 ? payload->event_time_s : flight->time_s,
                .text = payload->event_id},
        .actor = {.kind = ACTOR_SYSTEM, .via = VIA_SLACK},
        .audit = true,
        .action = SPAN_LITERAL("slack_token_lost"),
        .detail = payload->event_type,
    };
    struct err err = ERR_INIT;

    log_fields(LOG_LEVEL_ERROR, MODULE, "token_lost", LOG_SPAN("event", payload->event_type),
               LOG_TEXT("hint", "install the app again and give approvald its new token"));
    inflight_hold(flight);
    if (service_note(flight->inbound->service, &note, on_noted, flight, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_stored", &err);
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
        inflight_drop(flight);
    }
}

/* Nothing durable: a Home is a cache, and an opening that is lost is made good by the next one. */
static void on_home_opened(struct inflight *flight, const struct payload *payload)
{
    if (flight->inbound->home != NULL && span_is(payload->event_tab, "home")) {
        home_opened(flight->inbound->home, payload->user, payload->view_hash);
    }
    inbound_reply_empty(flight);
}

void inbound_on_event(struct inflight *flight, const struct payload *payload)
{
    bool lost = span_is(payload->event_type, "app_uninstalled") ||
                (span_is(payload->event_type, "tokens_revoked") && payload->bot_token_revoked);

    if (lost &&
        (payload->event_id.size == 0 || payload->event_id.size > SLACK_EVENT_KEY_SIZE_MAX)) {
        inbound_reply_problem(flight, 400, "The event has no id.");
    } else if (lost) {
        on_token_lost(flight, payload);
    } else if (span_is(payload->event_type, "app_home_opened")) {
        on_home_opened(flight, payload);
    } else {
        /* Nothing is changed by it, so there is nothing to remember either. */
        log_fields(LOG_LEVEL_DEBUG, MODULE, "event", LOG_SPAN("type", payload->event_type));
        inbound_reply_empty(flight);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_details.c: a press on Details.
 * Owns that the window opens within the life of the press's trigger (3 s) and shows the request as
 * it is stored. Never writes anything: nothing is decided, and who sees the button sees the card.
 */
#include "approvald/core/request_id.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/views.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#include <stdio.h>

#define MODULE        "slack_inbound"
#define BODY_SIZE_MAX (SLACK_MESSAGE_SIZE_MAX + SLACK_TRIGGER_SIZE_MAX + 64)
#define UNKNOWN       "The request of this message is not known here any more."

/* What the slash command is called is a setting of the app, and a notice shows marks as they are.
 */
static void say_not_opened(struct inflight *flight)
{
    char id[REQUEST_ID_TEXT_SIZE];
    char words[200];

    request_id_format(&flight->id, id);
    (void)snprintf(words, sizeof words, /* fits */
                   "The window with the details could not be opened. Press Details again, or write "
                   "the app's slash command with the words: show %s",
                   id);
    inbound_notice(flight, words);
}

static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct inflight *flight = arg;

    if (answer->outcome != WEBAPI_OK && !span_is(answer->error, "exchanged_trigger_id")) {
        metric_add(flight->inbound->modal_failures, 1);
        say_not_opened(flight);
    }
    inflight_drop(flight);
}

static enum err_code
open_window(struct inflight *flight, const struct request *request, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    enum err_code rc = buf_new(BODY_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = view_details_open(request, span_of(flight->trigger, flight->trigger_size), body, err);
    }
    return rc == ERR_OK ? inflight_open_view(flight, buf_span(body), on_opened, err) : rc;
}

static void
on_got(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct inflight *flight = arg;
    struct err failure = ERR_INIT;

    if (rc == ERR_NOT_FOUND) {
        inbound_notice(flight, UNKNOWN);
    } else if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_read", err);
        say_not_opened(flight);
    } else if (open_window(flight, answer->request, &failure) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "modal_not_opened", &failure);
        metric_add(flight->inbound->modal_failures, 1);
        say_not_opened(flight);
    }
    inflight_drop(flight);
}

void inbound_show_details(struct inflight *flight, const struct payload *payload)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    if (payload->user.size == 0 || !inflight_keep(flight, payload)) {
        inbound_reply_problem(flight, 400, "A field is missing or longer than any of Slack's.");
        return;
    }
    inbound_reply_empty(flight); /* there is nothing that would have to be durable */
    inflight_hold(flight);
    rc = service_get(flight->inbound->service, &flight->id, on_got, flight, &err);
    if (rc != ERR_OK) {
        on_got(flight, rc, &err, NULL); /* drops the hold */
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_life.c: birth, secrets and death of the inbound half.
 * Owns the signing secrets (wiped) and the names of the metrics.
 * Never handles a delivery. */
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>

static void wipe_secret(char **secret, size_t *size)
{
    if (*secret != NULL) {
        mem_wipe(*secret, *size);
        mem_free(*secret);
    }
    *secret = NULL;
    *size = 0;
}

enum err_code slack_inbound_set_secrets(struct slack_inbound *inbound,
                                        struct span signing_secret,
                                        struct span previous_secret,
                                        struct err *err)
{
    char *secret = NULL;
    char *previous = NULL;

    if (signing_secret.size > 0) {
        secret = mem_copy_text(signing_secret.data, signing_secret.size);
    }
    if (previous_secret.size > 0) {
        previous = mem_copy_text(previous_secret.data, previous_secret.size);
    }
    if ((secret == NULL && signing_secret.size > 0) ||
        (previous == NULL && previous_secret.size > 0)) {
        mem_free(secret);
        mem_free(previous);
        return err_set(err, ERR_NOMEM, "Slack signing secret");
    }
    wipe_secret(&inbound->secret, &inbound->secret_size);
    wipe_secret(&inbound->previous, &inbound->previous_size);
    inbound->secret = secret;
    inbound->secret_size = signing_secret.size;
    inbound->previous = previous;
    inbound->previous_size = previous_secret.size;
    return ERR_OK;
}

static void add_metrics(struct slack_inbound *inbound, struct metrics *metrics)
{
    static const char *const kind_labels[] = {
#define INBOUND_KIND_LABEL(kind, word) [kind] = ("kind=\"" word "\""),
        PAYLOAD_KIND_TABLE(INBOUND_KIND_LABEL)
#undef INBOUND_KIND_LABEL
    };
    static const char *const verify_labels[] = {
#define INBOUND_VERIFY_LABEL(result, word) [result] = ("reason=\"" word "\""),
        VERIFY_TABLE(INBOUND_VERIFY_LABEL)
#undef INBOUND_VERIFY_LABEL
    };
    static const char *const refusal_labels[] = {
        [INBOUND_CONTENT_TYPE] = "reason=\"content_type\"", [INBOUND_BODY] = "reason=\"body\"",
        [INBOUND_TOO_LARGE] = "reason=\"too_large\"",       [INBOUND_FULL] = "reason=\"full\"",
        [INBOUND_UNAVAILABLE] = "reason=\"unavailable\"",   [INBOUND_BUDGET] = "reason=\"budget\"",
    };

    static const char *const transport_labels[SLACK_TRANSPORT_COUNT] = {
        [SLACK_OVER_HTTP] = "transport=\"http\"", [SLACK_OVER_SOCKET] = "transport=\"socket\""};

    for (size_t i = 0; i < SLACK_TRANSPORT_COUNT; i++) {
        inbound->arrivals[i] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_arrivals_total",
                        transport_labels[i], "Verified deliveries of Slack by transport.");
        inbound->last_seconds[i] = metrics_add(
            metrics, METRIC_GAUGE, "approvald_slack_last_arrival_seconds", transport_labels[i],
            "When something of Slack came last (Unix); 0: nothing since the start.");
    }
    for (size_t i = 0; i < PAYLOAD_KIND_COUNT; i++) {
        inbound->deliveries[i] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_deliveries_total", kind_labels[i],
                        "Verified deliveries of Slack by kind.");
    }
    for (size_t i = VERIFY_OK + 1; i < VERIFY_RESULT_COUNT; i++) {
        inbound->unsigned_metric[i] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_unsigned_total", verify_labels[i],
                        "Requests refused because Slack's signature did not hold.");
    }
    for (size_t i = 0; i < INBOUND_REFUSAL_COUNT; i++) {
        inbound->refused[i] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_refused_total", refusal_labels[i],
                        "Signed deliveries that were not accepted.");
    }
    inbound->retries = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_retries_total", NULL,
                                   "Deliveries that Slack repeated.");
    inbound->app_rate_limited =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_events_limited_total", NULL,
                    "Times Slack said that it drops events.");
    inbound->reply_seconds = metrics_add(metrics, METRIC_HISTOGRAM, "approvald_slack_reply_seconds",
                                         NULL, "From a delivery's arrival to its reply.");
    inbound->modal_failures =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_modal_failures_total", NULL,
                    "Modals that could not be opened.");
    inbound_owed_metrics(inbound, metrics);
}

enum err_code slack_inbound_new(const struct slack_inbound_options *options,
                                struct slack_inbound **ret_inbound,
                                struct err *err)
{
    struct slack_inbound *inbound = mem_new(1, sizeof *inbound);
    enum err_code rc;

    if (inbound == NULL) {
        return err_set(err, ERR_NOMEM, "Slack inbound");
    }
    TAILQ_INIT(&inbound->spare);
    TAILQ_INIT(&inbound->unanswered);
    TAILQ_INIT(&inbound->answered);
    inbound->base = options->base;
    inbound->service = options->service;
    inbound->webapi = options->webapi;
    inbound->directory = options->directory;
    inbound->home = options->home;
    inbound->clock = options->clock == NULL ? clock_host() : options->clock;
    inbound->budget_timer = event_new(options->base, -1, 0, inbound_on_budget, inbound);
    inbound->owed_timer = event_new(options->base, -1, 0, inbound_on_owed, inbound);
    inbound->pool = mem_new(SLACK_INFLIGHT_COUNT_MAX, sizeof *inbound->pool);
    rc = slack_inbound_set_secrets(inbound, options->signing_secret, options->previous_secret, err);
    if (rc == ERR_OK &&
        (inbound->budget_timer == NULL || inbound->owed_timer == NULL || inbound->pool == NULL)) {
        rc = err_set(err, ERR_NOMEM, "Slack inbound");
    }
    if (rc == ERR_OK) {
        rc = inbox_worker_new(inbound, &inbound->worker, err);
    }
    if (rc != ERR_OK) {
        slack_inbound_free(inbound);
        return rc;
    }
    ASSERT(inbound->pool != NULL);
    for (size_t i = 0; i < SLACK_INFLIGHT_COUNT_MAX; i++) {
        inbound->pool[i].inbound = inbound;
        TAILQ_INSERT_TAIL(&inbound->spare, &inbound->pool[i], link);
    }
    add_metrics(inbound, options->metrics);
    *ret_inbound = inbound;
    return ERR_OK;
}

void slack_inbound_free(struct slack_inbound *inbound)
{
    if (inbound == NULL) {
        return;
    }
    for (size_t i = 0; inbound->pool != NULL && i < SLACK_INFLIGHT_COUNT_MAX; i++) {
        buf_free(inbound->pool[i].text);
        buf_free(inbound->pool[i].draft);
    }
    inbox_worker_free(inbound->worker);
    if (inbound->budget_timer != NULL) {
        event_free(inbound->budget_timer);
    }
    if (inbound->owed_timer != NULL) {
        event_free(inbound->owed_timer);
    }
    wipe_secret(&inbound->secret, &inbound->secret_size);
    wipe_secret(&inbound->previous, &inbound->previous_size);
    mem_free(inbound->pool);
    mem_free(inbound);
}

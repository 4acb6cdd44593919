/* SPDX-License-Identifier: Apache-2.0 */
/* webapi_life.c: birth, token and death of the client of Slack's Web API.
 * Owns the validation of what the admin configured, and the names of the metrics.
 * Never sends anything, never logs the token. */
#include "approvald/slack/wire/rate.h"
#include "approvald/slack/wire/webapi.h"
#include "approvald/slack/wire/webapi_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <string.h>

/* Labels live as long as the registry, so they are literals. */
static const char *const call_labels[WEBAPI_METHOD_COUNT][WEBAPI_OUTCOME_COUNT] = {
#define WEBAPI_LABELS(method, text, form, per_minute, burst)                                       \
    [method] = {[WEBAPI_OK] = ("method=\"" text "\",result=\"ok\""),                               \
                [WEBAPI_RETRY] = ("method=\"" text "\",result=\"retry\""),                         \
                [WEBAPI_UNKNOWN] = ("method=\"" text "\",result=\"unknown\""),                     \
                [WEBAPI_PERMANENT] = ("method=\"" text "\",result=\"permanent\""),                 \
                [WEBAPI_REFUSED] = ("method=\"" text "\",result=\"refused\"")},
    WEBAPI_METHOD_TABLE(WEBAPI_LABELS)
#undef WEBAPI_LABELS
};

static bool is_token(struct span token)
{
    bool good = token.size <= SLACK_TOKEN_SIZE_MAX;

    for (size_t i = 0; i < token.size; i++) {
        good = good && token.data[i] > ' ' && token.data[i] < 0x7f;
    }
    return good;
}

enum err_code webapi_set_token(struct webapi *webapi, struct span token, struct err *err)
{
    if (!is_token(token)) {
        return err_set(err, ERR_INVALID, "Slack token: not a token (size or characters)");
    }
    mem_wipe(webapi->token, sizeof webapi->token);
    if (token.size > 0) {
        memcpy(webapi->token, token.data, token.size);
    }
    webapi->token[token.size] = '\0';
    webapi->missing_scope[0] = '\0'; /* it may have what the last one had not */
    if (token.size == 0) {
        webapi_mark_dead(webapi, "not_authed");
    } else {
        webapi_mark_alive(webapi);
    }
    return ERR_OK;
}

static enum err_code set_base_url(struct webapi *webapi, const char *url, struct err *err)
{
    size_t size = strlen(url);
    const char *rest = NULL;

    if (strncmp(url, "https://", 8) == 0) {
        rest = url + 8;
    } else if (strncmp(url, "http://", 7) == 0) {
        rest = url + 7;
    }
    if (rest == NULL || size > SLACK_URL_SIZE_MAX || url[size - 1] != '/' || rest[0] == '/' ||
        rest[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "Slack's base URL must be like https://slack.com/api/, with the last slash");
    }
    memcpy(webapi->base_url, url, size + 1);
    return ERR_OK;
}

static void add_metrics(struct webapi *webapi, struct metrics *metrics)
{
    static const char *const outcomes[WEBAPI_OUTCOME_COUNT] = {
        [WEBAPI_OK] = "result=\"ok\"",           [WEBAPI_RETRY] = "result=\"retry\"",
        [WEBAPI_UNKNOWN] = "result=\"unknown\"", [WEBAPI_PERMANENT] = "result=\"permanent\"",
        [WEBAPI_REFUSED] = "result=\"refused\"",
    };

    for (size_t outcome = WEBAPI_OK; outcome < WEBAPI_OUTCOME_COUNT; outcome++) {
        for (size_t method = 0; method < WEBAPI_METHOD_COUNT; method++) {
            webapi->calls[method][outcome] =
                metrics_add(metrics, METRIC_COUNTER, "approvald_slack_calls_total",
                            call_labels[method][outcome], "Calls of Slack's Web API by result.");
        }
        webapi->responses[outcome] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_responses_total",
                        outcomes[outcome], "Posts to response URLs by result.");
    }
    webapi->duration = metrics_add(metrics, METRIC_HISTOGRAM, "approvald_slack_call_seconds", NULL,
                                   "Duration of calls of Slack's Web API.");
    webapi->state_gauge = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_state", NULL,
                                      "0: up, 1: Slack is not reached, 2: our token is refused.");
    webapi->breaker_gauge =
        metrics_add(metrics, METRIC_GAUGE, "approvald_slack_breaker", NULL,
                    "0: closed, 1: half-open (a probe is under way), 2: open (Slack is down).");
    webapi->outages = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_outages_total", NULL,
                                  "Times that Slack was found to be down.");
    webapi->skew_gauge = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_clock_skew_seconds",
                                     NULL, "Distance between our clock and Slack's.");
    webapi->waiting_gauge = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_calls_waiting",
                                        NULL, "Calls of Slack's Web API that wait for their turn.");
    webapi->limited = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_rate_limited_total",
                                  NULL, "Answers 429 of Slack's Web API.");
}

enum err_code
webapi_new(const struct webapi_options *options, struct webapi **ret_webapi, struct err *err)
{
    struct webapi *webapi = mem_new(1, sizeof *webapi);
    enum err_code rc;

    if (webapi == NULL) {
        return err_set(err, ERR_NOMEM, "Slack client");
    }
    TAILQ_INIT(&webapi->spare);
    TAILQ_INIT(&webapi->running);
    TAILQ_INIT(&webapi->finished);
    for (size_t i = 0; i < WEBAPI_PRIORITY_COUNT; i++) {
        TAILQ_INIT(&webapi->waiting[i]);
    }
    breaker_init(&webapi->breaker);
    webapi->fetch = options->fetch;
    webapi->clock = options->clock == NULL ? clock_host() : options->clock;
    webapi->timer = event_new(options->base, -1, 0, webapi_on_timer, webapi);
    webapi->items = mem_new(SLACK_QUEUE_COUNT_MAX, sizeof *webapi->items);
    rc = rate_new(clock_boot_ms(webapi->clock), &webapi->rate, err);
    if (rc == ERR_OK && (webapi->timer == NULL || webapi->items == NULL)) {
        rc = err_set(err, ERR_NOMEM, "Slack client");
    }
    if (rc == ERR_OK) {
        rc = set_base_url(webapi, options->base_url, err);
    }
    if (rc != ERR_OK) {
        webapi_free(webapi);
        return rc;
    }
    ASSERT(webapi->items != NULL);
    for (size_t i = 0; i < SLACK_QUEUE_COUNT_MAX; i++) {
        webapi->items[i].webapi = webapi;
        TAILQ_INSERT_TAIL(&webapi->spare, &webapi->items[i], link);
    }
    add_metrics(webapi, options->metrics);
    rc = webapi_set_token(webapi, options->token, err);
    if (rc != ERR_OK) {
        webapi_free(webapi);
        return rc;
    }
    *ret_webapi = webapi;
    return ERR_OK;
}

void webapi_free(struct webapi *webapi)
{
    struct webapi_item *item;

    if (webapi == NULL) {
        return;
    }
    TAILQ_FOREACH (item, &webapi->running, link) {
        fetch_cancel(item->call);
    }
    for (size_t i = 0; webapi->items != NULL && i < SLACK_QUEUE_COUNT_MAX; i++) {
        mem_free(webapi->items[i].body);
    }
    if (webapi->timer != NULL) {
        event_free(webapi->timer);
    }
    rate_free(webapi->rate);
    mem_free(webapi->items);
    mem_wipe(webapi->token, sizeof webapi->token);
    mem_free(webapi);
}

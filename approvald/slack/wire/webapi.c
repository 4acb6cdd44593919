/* SPDX-License-Identifier: Apache-2.0 */
/* webapi.c: the client of Slack's Web API: queue and sending.
 * Owns the token, the queue of calls and the connection between answers and rate limits.
 * Never repeats a call, never decides what a word of Slack means (answer.c) or when a call may go
 * (rate.c), never logs a body or the token. */
#include "approvald/slack/wire/webapi.h"

#include "approvald/slack/limits.h"
#include "approvald/slack/wire/answer.h"
#include "approvald/slack/wire/rate.h"
#include "approvald/slack/wire/webapi_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rng.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#define MODULE "slack_webapi"

struct webapi_kind {
    const char *name;
    enum webapi_encoding encoding;
};
static const struct webapi_kind kinds[] = {
#define WEBAPI_KIND(method, text, form, per_minute, burst) [method] = {(text), (form)},
    WEBAPI_METHOD_TABLE(WEBAPI_KIND)
#undef WEBAPI_KIND
};

/* A part of the slots stays free for what a person waits for. */
static const uint32_t running_max[WEBAPI_PRIORITY_COUNT] = {
    [WEBAPI_URGENT] = SLACK_RUNNING_COUNT_MAX,
    [WEBAPI_NORMAL] = SLACK_RUNNING_COUNT_MAX - 2,
    [WEBAPI_BACKGROUND] = 2,
};

const char *webapi_method_name(enum webapi_method method)
{
    ASSERT(method < WEBAPI_METHOD_COUNT);
    return kinds[method].name;
}

static void schedule(struct webapi *webapi, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};

    if (event_add(webapi->timer, &delay) != 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "timer_failed", LOG_NUMBER("delay_ms", delay_ms));
    }
}

void webapi_wake(struct webapi *webapi)
{
    event_active(webapi->timer, EV_TIMEOUT, 0);
}

/* Items. */

static void item_release(struct webapi_item *item)
{
    mem_free(item->body);
    item->body = NULL;
    item->body_size = 0;
    item->call = NULL;
    item->probe = false;
    TAILQ_INSERT_HEAD(&item->webapi->spare, item, link);
}

static void item_speak(struct webapi_item *item, struct answer *answer)
{
    struct webapi *webapi = item->webapi;
    webapi_done_fn *done = item->done;
    void *arg = item->arg;
    bool is_response = item->method == WEBAPI_METHOD_NONE;

    metric_add(is_response ? webapi->responses[answer->view.outcome]
                           : webapi->calls[item->method][answer->view.outcome],
               1);
    item_release(item);
    if (done != NULL) {
        done(arg, &answer->view);
    }
    answer_done(answer);
}

/* A scope is missed until the method that missed it succeeds: whoever adds one gets the same token.
 */
static void
note_scope(struct webapi *webapi, const struct webapi_item *item, const struct webapi_answer *view)
{
    if (span_is(view->error, "missing_scope")) {
        (void)snprintf(webapi->missing_scope, sizeof webapi->missing_scope, "%.*s",
                       SPAN_ARGS(view->needed)); /* cut: scopes are short */
        webapi->missing_method = item->method;
    } else if (view->outcome == WEBAPI_OK && item->method == webapi->missing_method) {
        webapi->missing_scope[0] = '\0';
    }
}

/* Did it reach Slack, and is Slack up? If not, why: the admin asks for the last reason. One slow
 * answer is none: only a Slack that is down may be so because it is slow. */
static void note_reach(struct webapi *webapi,
                       const struct webapi_item *item,
                       const struct answer *answer,
                       uint32_t duration_ms)
{
    const struct webapi_answer *view = &answer->view;
    struct span why = view->detail.size > 0 ? view->detail : view->error;
    struct breaker_result result = {
        .probe = item->probe,
        .bad = !answer->reached || duration_ms >= SLACK_BREAKER_SLOW_MS,
        .draw = (uint32_t)rng_below(rng_host(), UINT32_MAX),
    };

    if (breaker_end(&webapi->breaker, &result, clock_boot_ms(webapi->clock)) && result.bad) {
        metric_add(webapi->outages, 1);
    }
    metric_set(webapi->breaker_gauge, webapi->breaker.state);
    if (answer->reached && webapi->breaker.state == BREAKER_CLOSED) {
        webapi->lost_error[0] = '\0';
    } else if (result.bad) {
        (void)snprintf(webapi->lost_error, sizeof webapi->lost_error, "%.*s",
                       SPAN_ARGS(answer->reached ? SPAN_LITERAL("slow") : why)); /* cut at worst */
    }
}

static void
note_answer(struct webapi *webapi, const struct webapi_item *item, struct answer *answer)
{
    uint64_t now_ms = clock_boot_ms(webapi->clock);
    const struct webapi_answer *view = &answer->view;

    if (answer->rate_limited) {
        metric_add(webapi->limited, 1);
        rate_limited(webapi->rate, item->method, span_of(item->channel, item->channel_size), now_ms,
                     view->retry_after_ms);
    }
    if (view->outcome != WEBAPI_OK) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "call_failed",
                   LOG_TEXT("method", kinds[item->method].name), LOG_SPAN("error", view->error),
                   LOG_SPAN("needed", view->needed), LOG_SPAN("detail", view->detail),
                   LOG_NUMBER("status", view->status),
                   LOG_NUMBER("retry_after_ms", view->retry_after_ms));
    }
    note_scope(webapi, item, view);
    if (view->outcome == WEBAPI_REFUSED) {
        webapi_mark_dead(webapi, answer->slug);
    } else if (view->outcome == WEBAPI_OK && webapi->dead && item->method == WEBAPI_AUTH_TEST) {
        webapi_mark_alive(webapi); /* Slack takes the token after all */
    } else {
        webapi_update_state(webapi);
    }
}

static bool only_reads(const struct webapi_item *item)
{
    return item->method != WEBAPI_METHOD_NONE && kinds[item->method].encoding == WEBAPI_FORM;
}

static void leave_running(struct webapi_item *item)
{
    struct webapi *webapi = item->webapi;

    TAILQ_REMOVE(&webapi->running, item, link);
    ASSERT(webapi->running_count > 0);
    webapi->running_count--;
    webapi->running_by[item->priority]--;
}

static void on_fetched(void *arg, const struct fetch_response *response)
{
    struct webapi_item *item = arg;
    struct webapi *webapi = item->webapi;
    struct answer answer;
    bool reads;

    leave_running(item);
    reads = only_reads(item);
    answer_read(response, reads, clock_wall_ms(webapi->clock) / 1000, &answer);
    if (item->method != WEBAPI_METHOD_NONE) {
        metric_observe_us(webapi->duration, (uint64_t)response->duration_ms * 1000);
        webapi_note_clock(webapi, response->date);
        note_reach(webapi, item, &answer, response->duration_ms);
        note_answer(webapi, item, &answer);
    }
    webapi_wake(webapi);
    item_speak(item, &answer);
}

/* Sending. */

static void item_finish(struct webapi_item *item, enum webapi_outcome outcome, const char *failure)
{
    item->failure = failure;
    item->failure_outcome = outcome;
    TAILQ_INSERT_TAIL(&item->webapi->finished, item, link);
}

/* A probe whose answer comes later is a bad one anyway, and the next one may not wait for it. */
static uint32_t timeout_of(const struct webapi_item *item)
{
    if (item->priority == WEBAPI_URGENT) {
        return SLACK_URGENT_TIMEOUT_MS;
    }
    return item->probe ? SLACK_BREAKER_SLOW_MS : SLACK_CALL_TIMEOUT_MS;
}

static enum err_code item_start(struct webapi_item *item, const char *url, struct err *err)
{
    static const char *const json_headers[] = {"Content-Type: application/json; charset=utf-8",
                                               NULL};
    static const char *const form_headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                               NULL};
    struct webapi *webapi = item->webapi;
    bool is_response = item->method == WEBAPI_METHOD_NONE;
    bool is_form = !is_response && kinds[item->method].encoding == WEBAPI_FORM;
    struct fetch_request request = {
        .method = "POST",
        .url = url,
        .headers = is_form ? form_headers : json_headers,
        .bearer = is_response ? NULL : webapi->token,
        .body = span_of(item->body, item->body_size),
        .timeout_ms = timeout_of(item),
        .response_size_max = SLACK_RESPONSE_SIZE_MAX,
    };
    enum err_code rc = fetch_start(webapi->fetch, &request, on_fetched, item, &item->call, err);

    if (rc == ERR_OK) {
        TAILQ_INSERT_TAIL(&webapi->running, item, link);
        webapi->running_count++;
        webapi->running_by[item->priority]++;
    } else if (item->probe) {
        breaker_forget(&webapi->breaker);
        item->probe = false;
    }
    metric_set(webapi->breaker_gauge, webapi->breaker.state);
    return rc;
}

static void unqueue(struct webapi_item *item)
{
    TAILQ_REMOVE(&item->webapi->waiting[item->priority], item, link);
    item->webapi->waiting_count--;
}

void webapi_stop(struct webapi *webapi)
{
    struct webapi_item *item;

    webapi->stopped = true;
    for (size_t i = 0; i < WEBAPI_PRIORITY_COUNT; i++) {
        while ((item = TAILQ_FIRST(&webapi->waiting[i])) != NULL) {
            unqueue(item);
            item_finish(item, WEBAPI_RETRY, "handing_over");
        }
    }
    while ((item = TAILQ_FIRST(&webapi->running)) != NULL) {
        fetch_cancel(item->call);
        leave_running(item);
        if (item->probe) {
            breaker_forget(&webapi->breaker);
        }
        item_finish(item, only_reads(item) ? WEBAPI_RETRY : WEBAPI_UNKNOWN, "handing_over");
    }
    webapi_wake(webapi);
}

void webapi_go_on(struct webapi *webapi)
{
    webapi->stopped = false;
    webapi_wake(webapi); /* to probe, if Slack is down */
}

/* While Slack is down, only what a person waits for and the question whether it is up may go: what
 * is owed would be tried in vain, or with an unknown result. */
static bool may_probe(const struct webapi_item *item)
{
    return item->method == WEBAPI_AUTH_TEST || item->priority == WEBAPI_URGENT;
}

/* What a press waits to know is asked for the moment Slack is back. All else goes back to its
 * owner, who decides anew what comes first then: a search, too, because a post is behind it. */
static bool may_wait(const struct webapi_item *item)
{
    return only_reads(item) && item->method != WEBAPI_CONVERSATIONS_HISTORY &&
           item->method != WEBAPI_CONVERSATIONS_REPLIES;
}

static bool is_down(const struct webapi *webapi)
{
    return webapi->breaker.state != BREAKER_CLOSED;
}

static uint64_t reach_ms(const struct webapi_item *item, uint64_t now_ms)
{
    return may_probe(item) || !is_down(item->webapi)
               ? breaker_ready_ms(&item->webapi->breaker, now_ms)
               : UINT64_MAX;
}

/* Sends a call of the API; its turn has come. */
static enum err_code item_send(struct webapi_item *item, struct err *err)
{
    char url[SLACK_URL_SIZE_MAX + 64];

    (void)snprintf(url, sizeof url, "%s%s", item->webapi->base_url, kinds[item->method].name);
    item->probe = breaker_begin(&item->webapi->breaker);
    return item_start(item, url, err);
}

/* Returns when to look at it again (boot ms), or UINT64_MAX when it has left the queue. */
static uint64_t item_try(struct webapi_item *item, uint64_t now_ms)
{
    struct webapi *webapi = item->webapi;
    struct err err = ERR_INIT;
    uint64_t ready_ms;

    if (webapi->dead && item->method != WEBAPI_AUTH_TEST) {
        unqueue(item);
        item_finish(item, WEBAPI_REFUSED, webapi->dead_error);
        return UINT64_MAX;
    }
    if (is_down(webapi) && !may_probe(item) && !may_wait(item)) {
        unqueue(item);
        item_finish(item, WEBAPI_RETRY, "slack_down");
        return UINT64_MAX;
    }
    if (item->deadline_ms <= now_ms) {
        unqueue(item);
        item_finish(item, WEBAPI_RETRY, "queue_wait");
        return UINT64_MAX;
    }
    if (webapi->running_by[item->priority] >= running_max[item->priority] ||
        webapi->running_count >= SLACK_RUNNING_COUNT_MAX) {
        return item->deadline_ms; /* an end of a call wakes us */
    }
    ready_ms = reach_ms(item, now_ms);
    if (ready_ms == 0) {
        ready_ms = rate_take(webapi->rate, item->method, span_of(item->channel, item->channel_size),
                             now_ms);
    }
    if (ready_ms > 0) {
        return ready_ms < item->deadline_ms ? ready_ms : item->deadline_ms;
    }
    unqueue(item);
    if (item_send(item, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_started", &err);
        item_finish(item, WEBAPI_RETRY, "not_sent");
    }
    return UINT64_MAX;
}

static enum err_code
item_new(struct webapi *webapi, struct span body, struct webapi_item **ret_item, struct err *err);

/* Slack is down and nobody asks: we do. Returns when to ask next (boot ms). */
static uint64_t probe(struct webapi *webapi, uint64_t now_ms)
{
    uint64_t ready_ms = breaker_ready_ms(&webapi->breaker, now_ms);
    struct webapi_item *item = NULL;
    struct err err = ERR_INIT;

    if (webapi->breaker.state == BREAKER_CLOSED || webapi->dead || webapi->stopped) {
        return UINT64_MAX;
    }
    if (ready_ms > 0) {
        return ready_ms;
    }
    if (item_new(webapi, SPAN_NONE, &item, &err) != ERR_OK) {
        return now_ms + SLACK_BREAKER_MS_MIN;
    }
    ASSERT(item != NULL);
    item->method = WEBAPI_AUTH_TEST;
    item->priority = WEBAPI_BACKGROUND;
    item->channel_size = 0;
    item->done = NULL;
    if (item_send(item, &err) != ERR_OK) {
        item_release(item);
        return now_ms + SLACK_BREAKER_MS_MIN;
    }
    return UINT64_MAX;
}

void webapi_on_timer(int fd, short what, void *arg)
{
    struct webapi *webapi = arg;
    uint64_t now_ms = clock_boot_ms(webapi->clock);
    uint64_t next_ms = UINT64_MAX;
    struct webapi_item *item;
    struct webapi_item *following;
    uint64_t probe_ms;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    for (size_t i = 0; i < WEBAPI_PRIORITY_COUNT; i++) {
        for (item = TAILQ_FIRST(&webapi->waiting[i]); item != NULL; item = following) {
            uint64_t again_ms;

            following = TAILQ_NEXT(item, link);
            again_ms = item_try(item, now_ms);
            next_ms = again_ms < next_ms ? again_ms : next_ms;
        }
    }
    probe_ms = probe(webapi, now_ms);
    next_ms = probe_ms < next_ms ? probe_ms : next_ms;
    metric_set(webapi->waiting_gauge, webapi->waiting_count);
    /* Before the callbacks: adding the timer would undo a wake. */
    if (next_ms != UINT64_MAX) {
        schedule(webapi, next_ms > now_ms ? next_ms - now_ms : 1);
    }
    /* Callbacks last: they may queue new calls. */
    while ((item = TAILQ_FIRST(&webapi->finished)) != NULL) {
        struct answer answer;

        TAILQ_REMOVE(&webapi->finished, item, link);
        answer_make(item->failure_outcome, item->failure, &answer);
        item_speak(item, &answer);
    }
}

static enum err_code
item_new(struct webapi *webapi, struct span body, struct webapi_item **ret_item, struct err *err)
{
    struct webapi_item *item = TAILQ_FIRST(&webapi->spare);

    if (body.size > SLACK_CALL_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "call to Slack of %zu bytes", body.size);
    }
    if (item == NULL) {
        return err_set(err, ERR_FULL, "%d calls to Slack are waiting", SLACK_QUEUE_COUNT_MAX);
    }
    item->body = mem_copy_text(body.data == NULL ? "" : body.data, body.size);
    if (item->body == NULL) {
        return err_set(err, ERR_NOMEM, "call to Slack");
    }
    item->body_size = body.size;
    TAILQ_REMOVE(&webapi->spare, item, link);
    *ret_item = item;
    return ERR_OK;
}

enum err_code webapi_call(struct webapi *webapi,
                          const struct webapi_call *call,
                          webapi_done_fn *done,
                          void *arg,
                          struct err *err)
{
    struct webapi_item *item = NULL;
    enum err_code rc;

    ASSERT(done != NULL);
    ASSERT(call->method < WEBAPI_METHOD_COUNT);
    if (webapi->dead && call->method != WEBAPI_AUTH_TEST) {
        return err_set(err, ERR_UNAVAILABLE, "Slack refuses our token: %s", webapi->dead_error);
    }
    if (webapi->stopped) {
        return err_set(err, ERR_UNAVAILABLE, "another host takes over");
    }
    rc = item_new(webapi, call->body, &item, err);
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(item != NULL);
    item->method = call->method;
    item->priority = call->priority;
    item->channel_size =
        call->channel.size < sizeof item->channel ? call->channel.size : sizeof item->channel;
    if (item->channel_size > 0) {
        memcpy(item->channel, call->channel.data, item->channel_size);
    }
    item->deadline_ms = clock_boot_ms(webapi->clock) +
                        (call->wait_ms_max == 0 ? SLACK_WAIT_MS_MAX : call->wait_ms_max);
    item->done = done;
    item->arg = arg;
    TAILQ_INSERT_TAIL(&webapi->waiting[item->priority], item, link);
    webapi->waiting_count++;
    webapi_wake(webapi);
    return ERR_OK;
}

/* Only these may get what we say: a URL in a payload is not a reason to post anywhere. */
static bool is_response_url(const struct webapi *webapi, struct span url)
{
    static const char *const origins[] = {"https://hooks.slack.com/",
                                          "https://hooks.slack-gov.com/"};
    const char *authority = strstr(webapi->base_url, "://") + 3;
    const char *path = strchr(authority, '/');
    struct span own = span_of(webapi->base_url, (size_t)(path - webapi->base_url) + 1);
    bool known = url.size > own.size && memcmp(url.data, own.data, own.size) == 0;

    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        size_t size = strlen(origins[i]);

        known = known || (url.size > size && memcmp(url.data, origins[i], size) == 0);
    }
    for (size_t i = 0; i < url.size; i++) {
        known = known && url.data[i] > ' ' && url.data[i] < 0x7f;
    }
    return known && url.size <= SLACK_URL_SIZE_MAX;
}

enum err_code webapi_respond(struct webapi *webapi,
                             struct span url,
                             struct span body,
                             webapi_done_fn *done,
                             void *arg,
                             struct err *err)
{
    char text[SLACK_URL_SIZE_MAX + 1];
    struct webapi_item *item = NULL;
    enum err_code rc;

    if (!is_response_url(webapi, url)) {
        return err_set(err, ERR_INVALID, "response_url is not Slack's");
    }
    if (webapi->running_count >= SLACK_RUNNING_COUNT_MAX) {
        return err_set(err, ERR_FULL, "%d calls to Slack are under way", SLACK_RUNNING_COUNT_MAX);
    }
    rc = item_new(webapi, body, &item, err);
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(item != NULL);
    memcpy(text, url.data, url.size);
    text[url.size] = '\0';
    item->method = WEBAPI_METHOD_NONE;
    item->priority = WEBAPI_URGENT;
    item->channel_size = 0;
    item->done = done;
    item->arg = arg;
    rc = item_start(item, text, err);
    if (rc != ERR_OK) {
        item_release(item);
    }
    return rc;
}

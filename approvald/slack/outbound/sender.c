/* SPDX-License-Identifier: Apache-2.0 */
/* sender.c: works on what the outbox owes until nothing is owed.
 * Owns the loop: what is under way and when to look again.
 * Never decides what a result means (sendfate, core/outbox), what is listed (sendlist), which row
 * is next (sendplan) or what a message says (card, message). Never calls before the attempt is
 * durable. */
#include "approvald/slack/outbound/sender.h"

#include "approvald/core/audit.h"
#include "approvald/slack/outbound/post.h"
#include "approvald/slack/outbound/sender_metrics.h"
#include "approvald/slack/outbound/sendfate.h"
#include "approvald/slack/outbound/sendlist.h"
#include "approvald/slack/outbound/sendplan.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* One attempt, from begin to end. */
struct sender_job {
    struct sender *sender;
    struct sendplan_row *row; /* busy, so it stays where it is; NULL: free */
    uint64_t hold_ms;         /* wall; after the attempt */
    bool spaced;              /* hold_ms is only our spacing, and the message shows no outcome */
    bool ended;               /* what was sent shows the outcome */
    bool called;              /* rendered and handed to the client */
    uint64_t owed_ms;
    enum outbox_result result;
};

struct sender {
    struct event_base *base;   /* borrowed */
    struct service *service;   /* borrowed */
    struct webapi *webapi;     /* borrowed, or NULL */
    struct poster *poster;     /* owned, or NULL */
    const struct clock *clock; /* borrowed */
    delivery_start_fn *webhook;
    void *webhook_driver;
    delivery_start_fn *people;
    void *people_driver;
    void (*resolve)(void *arg, struct policy *policy);
    void *resolve_arg;
    struct event *timer; /* owned */
    struct sendplan plan;
    struct sender_job jobs[SLACK_SEND_SLACK_COUNT_MAX + SLACK_SEND_WEBHOOK_COUNT_MAX];
    uint32_t job_count;
    struct sendlist list;
    bool running; /* between start and stop */
    bool compares;
    bool holding;          /* new cards wait for what is found wrong after an outage */
    bool compared;         /* it is known and owed */
    uint64_t away_ms;      /* boot: since when Slack is away; 0: it is not */
    uint64_t held_ms;      /* boot: since when */
    uint64_t hold_left_ms; /* of the time for that ... */
    uint64_t hold_full_ms; /* ... and boot: when it is full again */
    uint64_t wake_ms;      /* boot: when the timer is due */
    struct sender_metrics metrics;
};

static uint64_t wall_ms(const struct sender *sender)
{
    return clock_wall_ms(sender->clock);
}

static void wake(struct sender *sender, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};

    sender->wake_ms = clock_boot_ms(sender->clock) + delay_ms;
    (void)event_add(sender->timer, &delay); /* fails only without memory; the next change wakes */
}

/* A change in a quiet moment is looked at at once; those right behind it gather for a moment, so
 * that looking does not stand in the way of the next press. */
static void wake_to_look(struct sender *sender)
{
    uint64_t boot_ms = clock_boot_ms(sender->clock);
    uint64_t look_ms = sendlist_look_ms(&sender->list);
    uint64_t delay_ms = look_ms > boot_ms ? look_ms - boot_ms : 0;

    if (delay_ms == 0 || boot_ms + delay_ms < sender->wake_ms) {
        wake(sender, delay_ms);
    }
}

static void on_changed(void *arg, const struct request_id *id)
{
    struct sender *sender = arg;

    if (sender->running) {
        sendlist_mark(&sender->list, id);
        wake_to_look(sender);
    }
}

/* Slack is back. One that comes and goes has no more time for all of it. */
static void hold(struct sender *sender, uint64_t now_ms)
{
    if (now_ms >= sender->hold_full_ms) {
        sender->hold_left_ms = SLACK_SEND_HOLD_MS;
        sender->hold_full_ms = now_ms + SLACK_BREAKER_STABLE_MS;
    }
    sender->holding = sender->compares;
    sender->compared = false;
    sender->held_ms = now_ms;
}

/* What is wrong is sent, or it takes too long to find out. */
static void release(struct sender *sender)
{
    uint64_t took_ms = clock_boot_ms(sender->clock) - sender->held_ms;
    bool late = took_ms >= sender->hold_left_ms;
    bool repaired = sender->compared && sendlist_is_clean(&sender->list) &&
                    !sendplan_has_repairs(&sender->plan);

    if (sender->holding && (late || repaired)) {
        sender->holding = false;
        sender->hold_left_ms = late ? 0 : sender->hold_left_ms - took_ms;
    }
}

/* Attempts that have begun, and whose calls are still to be handed to the client. */
static uint32_t begun_count(const struct sender *sender, enum sendplan_method method)
{
    uint32_t count = 0;

    for (size_t i = 0; i < sizeof sender->jobs / sizeof sender->jobs[0]; i++) {
        const struct sender_job *job = &sender->jobs[i];

        count += job->row != NULL && !job->called && job->row->key.surface != SURFACE_WEBHOOK &&
                 sendplan_method_of(job->row) == method;
    }
    return count;
}

/* So long (ms) a call would wait for its rate, behind those of attempts that have begun and
 * ahead_count more. */
static uint64_t wait_ms(const struct sender *sender,
                        enum sendplan_method method,
                        struct span channel,
                        uint32_t ahead_count)
{
    static const enum webapi_method methods[] = {[SENDPLAN_EPHEMERAL] = WEBAPI_CHAT_POST_EPHEMERAL,
                                                 [SENDPLAN_UPDATE] = WEBAPI_CHAT_UPDATE,
                                                 [SENDPLAN_POST] = WEBAPI_CHAT_POST_MESSAGE};

    return webapi_wait_ms(sender->webapi, methods[method], channel,
                          ahead_count + begun_count(sender, method));
}

/* The rate is used up when what has changed would use it up: a request with many copies does so at
 * once, and is then changed again, at one call after the other. */
static uint32_t changes_ahead(const struct sender *sender)
{
    uint32_t count = sendplan_change_count(&sender->plan);

    count = count < SLACK_SEND_SPENT_COUNT_MAX ? count : SLACK_SEND_SPENT_COUNT_MAX;
    return count > 2 ? count - 1 : 1;
}

static void set_rates(const struct sender *sender, struct sendplan_limits *limits)
{
    uint64_t now_ms = wall_ms(sender);

    for (size_t i = 0; i < SENDPLAN_METHOD_COUNT; i++) {
        uint64_t left_ms = wait_ms(sender, (enum sendplan_method)i, SPAN_NONE, 0);

        limits->method_ms[i] = left_ms > 0 ? now_ms + left_ms : 0;
    }
    limits->changes_spent = wait_ms(sender, SENDPLAN_UPDATE, SPAN_NONE, changes_ahead(sender)) > 0;
    /* That it will be whole in a moment wakes nobody: what Slack repeats behind an outage comes
     * until the settling ends, and a message would change twice. */
    limits->changes_full = begun_count(sender, SENDPLAN_UPDATE) == 0 &&
                           webapi_rate_is_whole(sender->webapi, WEBAPI_CHAT_UPDATE);
}

/* What may run now, as Slack's state allows. */
static struct sendplan_limits limits_of(const struct sender *sender)
{
    struct sendplan_limits limits = {
        .slack_count_max = 0,
        .webhook_count_max = sender->webhook == NULL ? 0 : SLACK_SEND_WEBHOOK_COUNT_MAX,
        .holds_new = sender->holding,
    };
    struct webapi_status status;

    if (sender->webapi == NULL) {
        return limits;
    }
    webapi_status(sender->webapi, &status);
    if (status.state == WEBAPI_UP) { /* else nothing is tried in vain: the client itself probes */
        limits.slack_count_max = SLACK_SEND_SLACK_COUNT_MAX;
        set_rates(sender, &limits);
        limits.change_count_max =
            limits.changes_spent ? SLACK_SEND_CHANGE_COUNT_MAX : SLACK_SEND_SLACK_COUNT_MAX;
    }
    return limits;
}

/* The end of an attempt, recorded or not. The row is listed again, whatever happened. */
static void job_over(struct sender_job *job)
{
    struct sender *sender = job->sender;
    struct request_id id = job->row->key.request;

    sendplan_finish(&sender->plan, job->row, job->hold_ms, job->spaced);
    ASSERT(sendplan_invariant(&sender->plan));
    job->row = NULL;
    ASSERT(sender->job_count > 0);
    sender->job_count--;
    sendlist_mark(&sender->list, &id);
    sendlist_hurry(&sender->list);
    if (sender->running) {
        wake(sender, 0);
    }
}

static void on_ended(void *arg, enum err_code rc, const struct err *err)
{
    struct sender_job *job = arg;
    struct sender *sender = job->sender;

    if (rc == ERR_OK) {
        uint64_t now_ms = wall_ms(sender);

        metric_add(sender->metrics.attempts[job->row->key.surface][job->result], 1);
        if (job->result == OUTBOX_SENT && now_ms >= job->owed_ms) {
            metric_observe_us(sender->metrics.latency[job->row->key.surface],
                              (now_ms - job->owed_ms) * 1000);
        }
    } else if (rc != ERR_NOT_FOUND) { /* not found: pruned meanwhile */
        /* The row still says "attempted": it will be reconciled. */
        log_err(LOG_LEVEL_ERROR, "slack", "outbox_end_failed", err);
        job->spaced = false;
        job->hold_ms = wall_ms(sender) + SLACK_SEND_LOCAL_MS;
    }
    job_over(job);
}

/* When the row may be touched again. */
static void hold_after(struct sender_job *job, const struct delivery_result *result)
{
    bool level = outbox_is_level(job->row->key.surface) && job->row->key.surface != SURFACE_PEOPLE;
    uint64_t hold_ms = result->retry_ms > result->rest_ms ? result->retry_ms : result->rest_ms;

    if (result->outcome.result == OUTBOX_SENT && level && result->outcome.revision > 0) {
        hold_ms = SLACK_SEND_SPACING_MS;
        job->spaced = !job->ended && result->retry_ms == 0;
    }
    job->hold_ms = hold_ms == 0 ? 0 : wall_ms(job->sender) + hold_ms;
}

static void on_delivered(void *arg, const struct delivery_result *result)
{
    struct sender_job *job = arg;
    struct err err = ERR_INIT;

    ASSERT(job->row != NULL);
    job->result = result->outcome.result;
    hold_after(job, result);
    if (result->retry_ms > 0) {
        sendplan_hold_method(&job->sender->plan, job->row, job->hold_ms);
    }
    if (service_outbox_end(job->sender->service, &job->row->key, &result->outcome, on_ended, job,
                           &err) != ERR_OK) {
        on_ended(job, err.code, &err);
    }
}

static enum err_code
start_delivery(struct sender *sender, const struct delivery *delivery, void *arg, struct err *err)
{
    struct delivery shown = *delivery;
    struct policy policy;

    if (delivery->row->surface == SURFACE_WEBHOOK) {
        return sender->webhook(sender->webhook_driver, delivery, on_delivered, arg, err);
    }
    if (delivery->row->surface == SURFACE_PEOPLE) {
        return sender->people(sender->people_driver, delivery, on_delivered, arg, err);
    }
    if (delivery->policy != NULL && sender->resolve != NULL) {
        policy = *delivery->policy;
        sender->resolve(sender->resolve_arg, &policy);
        shown.policy = &policy; /* everything is rendered before poster_start returns */
    }
    return poster_start(sender->poster, &shown, on_delivered, arg, err);
}

/* The attempt is durable: now it may be made. */
static void on_attempt(struct sender_job *job, const struct service_attempt *attempt)
{
    struct sender *sender = job->sender;
    const struct outbox_row *row = attempt->row;
    struct delivery delivery = {.row = row,
                                .card = attempt->card,
                                .request = attempt->request,
                                .policy = attempt->policy,
                                .now_ms = wall_ms(sender)};
    struct delivery_result result;
    struct err failure = ERR_INIT;
    enum err_code rc;

    job->owed_ms = row->owed_ms;
    job->ended = attempt->request != NULL && attempt->request->state != REQUEST_PENDING;
    if (sendfate_settled(&delivery, &result)) {
        on_delivered(job, &result);
        return;
    }
    job->called = true;
    rc = start_delivery(sender, &delivery, job, &failure);
    if (rc != ERR_OK) {
        bool later = rc == ERR_FULL || rc == ERR_NOMEM || rc == ERR_UNAVAILABLE;

        result = (struct delivery_result){
            .outcome = {.result = row->attempted ? OUTBOX_UNKNOWN : OUTBOX_RETRY,
                        .item_id = row->item_count > 0 ? row->items[0].id : 0,
                        .error = span_text(failure.message)}};
        result.outcome.result = later ? result.outcome.result : OUTBOX_DEAD;
        on_delivered(job, &result);
    }
}

static void
on_begun(void *arg, enum err_code rc, const struct err *err, const struct service_attempt *attempt)
{
    struct sender_job *job = arg;

    if (rc != ERR_OK) {
        if (rc != ERR_NOT_FOUND) { /* not found: nothing is owed any more */
            log_err(LOG_LEVEL_WARNING, "slack", "outbox_begin_failed", err);
            job->hold_ms = wall_ms(job->sender) + SLACK_SEND_LOCAL_MS;
        }
        job_over(job);
        return;
    }
    ASSERT(attempt != NULL);
    on_attempt(job, attempt);
}

static struct sender_job *free_job(struct sender *sender)
{
    for (size_t i = 0; i < sizeof sender->jobs / sizeof sender->jobs[0]; i++) {
        if (sender->jobs[i].row == NULL) {
            return &sender->jobs[i];
        }
    }
    return NULL;
}

static void begin(struct sender *sender, struct sendplan_row *row)
{
    struct sender_job *job = free_job(sender);
    struct err err = ERR_INIT;

    ASSERT(job != NULL); /* the plan's limits are the jobs' */
    *job = (struct sender_job){.sender = sender, .row = row, .result = OUTBOX_RETRY};
    sendplan_start(&sender->plan, row);
    sender->job_count++;
    if (service_outbox_begin(sender->service, &row->key, on_begun, job, &err) != ERR_OK) {
        on_begun(job, err.code, &err, NULL);
    }
}

/* A new message waits until its channel takes one more: then it shows what is so then. */
static void begin_or_wait(struct sender *sender, struct sendplan_row *row)
{
    uint64_t left_ms = 0;

    if (row->key.surface != SURFACE_WEBHOOK && row->key.surface != SURFACE_PEOPLE &&
        sendplan_method_of(row) == SENDPLAN_POST) {
        left_ms = wait_ms(sender, SENDPLAN_POST, span_text(row->key.target), 0);
    }
    if (left_ms > 0) {
        sendplan_wait(row, wall_ms(sender) + left_ms);
    } else {
        begin(sender, row);
    }
}

/* Sleeps until a row is due or something is to be listed. */
static void sleep_until_due(struct sender *sender, const struct sendplan_limits *limits)
{
    uint64_t boot_ms = clock_boot_ms(sender->clock);
    uint64_t list_ms = sendlist_due_ms(&sender->list);
    uint64_t delay_ms = list_ms > boot_ms ? list_ms - boot_ms : 0;
    uint64_t now_ms = wall_ms(sender);
    uint64_t due_ms = sendplan_due_ms(&sender->plan, limits);

    if (sender->holding) {
        uint64_t end_ms = sender->held_ms + sender->hold_left_ms;
        uint64_t end_delay_ms = end_ms > boot_ms ? end_ms - boot_ms : 0;

        delay_ms = end_delay_ms < delay_ms ? end_delay_ms : delay_ms;
    }
    if (due_ms != UINT64_MAX) {
        uint64_t due_delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;

        delay_ms = due_delay_ms < delay_ms ? due_delay_ms : delay_ms;
    }
    wake(sender, delay_ms < SLACK_SEND_SCAN_MS ? delay_ms : SLACK_SEND_SCAN_MS);
}

static void on_listed(void *arg)
{
    struct sender *sender = arg;

    if (sender->running) {
        wake(sender, 0);
    }
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct sender *sender = arg;
    struct sendplan_limits limits;
    struct sendplan_row *row;

    (void)fd;
    (void)events;
    if (!sender->running) {
        return;
    }
    sendlist_next(&sender->list);
    release(sender);
    limits = limits_of(sender);
    while ((row = sendplan_next(&sender->plan, &limits, wall_ms(sender))) != NULL) {
        begin_or_wait(sender, row);
        limits = limits_of(sender);
    }
    sleep_until_due(sender, &limits);
}

static void take_text(char *room, size_t size, struct span text)
{
    (void)snprintf(room, size, "%.*s", text.size < size ? (int)text.size : 0,
                   text.data == NULL ? "" : text.data); /* an id that does not fit is no id */
}

static void on_identity(void *arg, const struct webapi_answer *answer)
{
    struct sender *sender = arg;
    struct poster_identity identity;

    if (answer->outcome != WEBAPI_OK) {
        return; /* the metadata alone tells what is ours; asked again when Slack is back */
    }
    take_text(identity.user_id, sizeof identity.user_id, json_text(answer->json, "user_id"));
    take_text(identity.bot_id, sizeof identity.bot_id, json_text(answer->json, "bot_id"));
    take_text(identity.workspace_url, sizeof identity.workspace_url,
              json_text(answer->json, "url"));
    poster_set_identity(sender->poster, &identity);
}

static void ask_identity(struct sender *sender)
{
    struct webapi_call call = {.method = WEBAPI_AUTH_TEST, .priority = WEBAPI_BACKGROUND};
    struct err err = ERR_INIT;

    if (webapi_call(sender->webapi, &call, on_identity, sender, &err) != ERR_OK) {
        log_err(LOG_LEVEL_DEBUG, "slack", "identity_not_asked", &err);
    }
}

static void on_state(void *arg, enum webapi_state state)
{
    struct sender *sender = arg;
    uint64_t now_ms = clock_boot_ms(sender->clock);

    if (state != WEBAPI_UP && sender->away_ms == 0) {
        sender->away_ms = now_ms;
    }
    if (sender->running && state == WEBAPI_UP) {
        ask_identity(sender); /* perhaps a new token, of another bot */
        if (sender->away_ms != 0 && now_ms - sender->away_ms >= SLACK_SEND_HOLD_AFTER_MS) {
            hold(sender, now_ms);
        }
        sender->away_ms = 0;
        sendplan_reach(&sender->plan, wall_ms(sender));
        sendlist_scan(&sender->list);
    }
    if (sender->running) {
        wake(sender, 0);
    }
}

enum err_code
sender_new(const struct sender_options *options, struct sender **ret_sender, struct err *err)
{
    struct sender *sender = mem_new(1, sizeof *sender);
    enum err_code rc = ERR_OK;

    if (sender == NULL) {
        return err_set(err, ERR_NOMEM, "sender");
    }
    sender->base = options->base;
    sender->service = options->service;
    sender->webapi = options->webapi;
    sender->webhook = options->webhook;
    sender->webhook_driver = options->webhook_driver;
    sender->people = options->people;
    sender->people_driver = options->people_driver;
    sender->resolve = options->resolve;
    sender->resolve_arg = options->resolve_arg;
    sender->compares = options->compares;
    sender->clock = options->clock == NULL ? clock_host() : options->clock;
    sendplan_init(&sender->plan);
    sendlist_init(&sender->list, &(struct sendlist_options){.service = options->service,
                                                            .clock = sender->clock,
                                                            .plan = &sender->plan,
                                                            .slack = options->webapi != NULL,
                                                            .webhook = options->webhook != NULL,
                                                            .people = options->people != NULL,
                                                            .listed = on_listed,
                                                            .arg = sender});
    sender_metrics_init(&sender->metrics, options->metrics);
    sender->timer = event_new(options->base, -1, 0, on_timer, sender);
    if (sender->timer == NULL) {
        rc = err_set(err, ERR_NOMEM, "sender");
    }
    if (rc == ERR_OK && sender->webapi != NULL) {
        rc = poster_new(sender->webapi, options->metrics, options->cluster, &sender->poster, err);
    }
    if (rc != ERR_OK) {
        sender_free(sender);
        return rc;
    }
    service_listen(sender->service, on_changed, sender);
    if (sender->webapi != NULL) {
        webapi_listen(sender->webapi, on_state, sender);
    }
    *ret_sender = sender;
    return ERR_OK;
}

void sender_free(struct sender *sender)
{
    if (sender == NULL) {
        return;
    }
    if (sender->timer != NULL) {
        event_free(sender->timer);
    }
    poster_free(sender->poster);
    mem_free(sender);
}

void sender_start(struct sender *sender)
{
    ASSERT(!sender->running);
    sender->running = true;
    sendlist_scan(&sender->list);
    if (sender->webapi != NULL) {
        ask_identity(sender);
    }
    wake(sender, 0);
}

void sender_stop(struct sender *sender)
{
    sender->running = false;
    (void)event_del(sender->timer); /* fails only for one that was never made */
}

void sender_compared(struct sender *sender)
{
    if (sender->holding) {
        sender->compared = true;
        wake(sender, 0);
    }
}

bool sender_is_idle(const struct sender *sender)
{
    return sender->job_count == 0 && !sendlist_is_busy(&sender->list);
}

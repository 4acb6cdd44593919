/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.c: tells configured destinations what happened to a request.
 * Owns the destinations, their secrets and the calls under way.
 * Never decides when to repeat, never follows a redirect, never goes inward where it is not
 * allowed, never logs a URL, a secret or a body. */
#include "approvald/webhook/webhook.h"

#include "approvald/webhook/limits.h"
#include "approvald/webhook/sign.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define WEBHOOK_ERROR_SIZE 384 /* bytes: a destination's name, what was answered, advice */

struct destination {
    char name[CORE_NAME_SIZE_MAX + 1];
    char url[WEBHOOK_URL_SIZE_MAX + 1];
    char secret[WEBHOOK_SECRET_SIZE_MAX];
    size_t secret_size;
    bool allow_inward;
};

/* One delivery under way. */
struct webhook_call {
    struct webhook *webhook;
    struct webhook_call *next; /* in webhook->calls */
    struct webhook_call *previous;
    struct fetch_call *fetch_call; /* the fetch's; gone when its callback begins */
    delivery_done_fn *done;
    void *arg;
    uint32_t item_id;
    uint32_t attempts;
    char name[CORE_NAME_SIZE_MAX + 1];
    char error[WEBHOOK_ERROR_SIZE];
};

struct webhook {
    struct fetch *fetch;       /* borrowed */
    const struct clock *clock; /* borrowed */
    uint64_t epoch;
    bool stopped;
    struct destination *destinations; /* owned */
    size_t destination_count;
    struct webhook_call *calls; /* owned */
    struct metric *delivered;
    struct metric *refused;
    struct metric *failed;
};

static void wipe_destinations(struct destination *destinations, size_t count)
{
    if (destinations != NULL) {
        mem_wipe(destinations, count * sizeof *destinations);
        mem_free(destinations);
    }
}

static enum err_code check_destination(const struct webhook_destination *from, struct err *err)
{
    bool secure = strncmp(from->url, "https://", 8) == 0;
    bool plain = strncmp(from->url, "http://", 7) == 0;

    if (from->name[0] == '\0' || strlen(from->name) > CORE_NAME_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "webhook: a name has 1 to %d characters",
                       CORE_NAME_SIZE_MAX);
    }
    if (strlen(from->url) > WEBHOOK_URL_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "webhook %s: the url is too long", from->name);
    }
    if (!secure && !plain) {
        return err_set(err, ERR_INVALID, "webhook %s: the url must begin with https:// or http://",
                       from->name);
    }
    if (plain && !from->allow_inward) {
        log_fields(LOG_LEVEL_WARNING, "webhook", "unencrypted", LOG_TEXT("webhook", from->name),
                   LOG_TEXT("advice", "what is asked and who decided can be read on the way: use "
                                      "https"));
    }
    if (from->secret.size < WEBHOOK_SECRET_SIZE_MIN ||
        from->secret.size > WEBHOOK_SECRET_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "webhook %s: the secret must have %d to %d bytes",
                       from->name, WEBHOOK_SECRET_SIZE_MIN, WEBHOOK_SECRET_SIZE_MAX);
    }
    return ERR_OK;
}

static void copy_destination(struct destination *to, const struct webhook_destination *from)
{
    memcpy(to->name, from->name, strlen(from->name) + 1);
    memcpy(to->url, from->url, strlen(from->url) + 1);
    memcpy(to->secret, from->secret.data, from->secret.size);
    to->secret_size = from->secret.size;
    to->allow_inward = from->allow_inward;
}

static struct destination *find(struct destination *list, size_t count, struct span name)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(name, list[i].name)) {
            return &list[i];
        }
    }
    return NULL;
}

enum err_code webhook_set_destinations(struct webhook *webhook,
                                       const struct webhook_destination *destinations,
                                       size_t count,
                                       struct err *err)
{
    struct destination *copies;
    enum err_code rc = ERR_OK;

    if (count > WEBHOOK_DESTINATION_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "more than %d webhooks", WEBHOOK_DESTINATION_COUNT_MAX);
    }
    copies = mem_new(count == 0 ? 1 : count, sizeof *copies);
    if (copies == NULL) {
        return err_set(err, ERR_NOMEM, "webhooks");
    }
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = check_destination(&destinations[i], err);
        if (rc == ERR_OK && find(copies, i, span_text(destinations[i].name)) != NULL) {
            rc = err_set(err, ERR_INVALID, "webhook %s is there twice", destinations[i].name);
        }
        if (rc == ERR_OK) {
            copy_destination(&copies[i], &destinations[i]);
        }
    }
    if (rc != ERR_OK) {
        wipe_destinations(copies, count);
        return rc;
    }
    wipe_destinations(webhook->destinations, webhook->destination_count);
    webhook->destinations = copies;
    webhook->destination_count = count;
    return ERR_OK;
}

enum err_code
webhook_new(const struct webhook_options *options, struct webhook **ret_webhook, struct err *err)
{
    static const char name[] = "approvald_webhook_answers_total";
    static const char help[] = "Answers of webhook destinations.";
    struct webhook *webhook = mem_new(1, sizeof *webhook);
    enum err_code rc;

    if (webhook == NULL) {
        return err_set(err, ERR_NOMEM, "webhooks");
    }
    webhook->fetch = options->fetch;
    webhook->clock = options->clock == NULL ? clock_host() : options->clock;
    rc = webhook_set_destinations(webhook, options->destinations, options->destination_count, err);
    if (rc != ERR_OK) {
        mem_free(webhook);
        return rc;
    }
    webhook->delivered =
        metrics_add(options->metrics, METRIC_COUNTER, name, "result=\"delivered\"", help);
    webhook->refused =
        metrics_add(options->metrics, METRIC_COUNTER, name, "result=\"refused\"", help);
    webhook->failed =
        metrics_add(options->metrics, METRIC_COUNTER, name, "result=\"failed\"", help);
    *ret_webhook = webhook;
    return ERR_OK;
}

static void call_free(struct webhook_call *call)
{
    struct webhook_call **slot =
        call->previous == NULL ? &call->webhook->calls : &call->previous->next;

    ASSERT(*slot == call);
    *slot = call->next;
    if (call->next != NULL) {
        call->next->previous = call->previous;
    }
    mem_free(call);
}

void webhook_free(struct webhook *webhook)
{
    if (webhook == NULL) {
        return;
    }
    while (webhook->calls != NULL) {
        fetch_cancel(webhook->calls->fetch_call);
        call_free(webhook->calls);
    }
    wipe_destinations(webhook->destinations, webhook->destination_count);
    mem_free(webhook);
}

void webhook_stop(struct webhook *webhook)
{
    webhook->stopped = true;
    while (webhook->calls != NULL) {
        struct webhook_call *call = webhook->calls;
        struct delivery_result result = {
            .outcome = {.result = OUTBOX_UNKNOWN,
                        .item_id = call->item_id,
                        .error = SPAN_LITERAL("another host takes over")}};

        fetch_cancel(call->fetch_call);
        call->done(call->arg, &result);
        call_free(call);
    }
}

void webhook_go_on(struct webhook *webhook)
{
    webhook->stopped = false;
}

void webhook_set_epoch(struct webhook *webhook, uint64_t epoch)
{
    webhook->epoch = epoch;
}

/* What a status means for the row. */
static enum outbox_result result_of(const struct webhook_call *call, uint32_t status)
{
    if (status >= 200 && status < 300) {
        return OUTBOX_SENT;
    }
    if (status == 410) {
        return OUTBOX_DEAD;
    }
    if (status == 408 || status == 429 || status >= 500) {
        return OUTBOX_RETRY;
    }
    return call->attempts >= WEBHOOK_REFUSED_COUNT_MAX ? OUTBOX_DEAD : OUTBOX_RETRY;
}

static uint64_t retry_after(struct span header)
{
    uint64_t seconds = 0;

    if (!text_parse_u64(header, &seconds)) {
        return 0; /* absent, or a date: the outbox's own back-off */
    }
    return seconds >= WEBHOOK_RETRY_AFTER_MS_MAX / 1000 ? WEBHOOK_RETRY_AFTER_MS_MAX
                                                        : seconds * 1000;
}

static void read_answer(struct webhook_call *call,
                        const struct fetch_response *response,
                        struct delivery_result *result)
{
    struct webhook *webhook = call->webhook;

    result->outcome.result = result_of(call, response->status);
    if (result->outcome.result == OUTBOX_SENT) {
        metric_add(webhook->delivered, 1);
        return;
    }
    metric_add(webhook->refused, 1);
    if (result->outcome.result == OUTBOX_RETRY) {
        result->retry_ms = retry_after(response->retry_after);
    }
    (void)snprintf(call->error, sizeof call->error, "webhook %s answered %u%s", call->name,
                   response->status,
                   response->status == 410 ? ": it is gone for good" : ""); /* cut: fine */
}

/* Repeated under the same delivery id, so an unknown result needs no other treatment. */
static void read_failure(struct webhook_call *call,
                         const struct fetch_response *response,
                         struct delivery_result *result)
{
    metric_add(call->webhook->failed, 1);
    result->outcome.result = response->outcome == FETCH_UNKNOWN ? OUTBOX_UNKNOWN : OUTBOX_RETRY;
    if (response->err->code == ERR_DENIED) {
        result->outcome.result = OUTBOX_DEAD;
    }
    (void)snprintf(call->error, sizeof call->error, "webhook %s: %s", call->name,
                   response->err->message); /* cut: fine */
}

static void on_response(void *arg, const struct fetch_response *response)
{
    struct webhook_call *call = arg;
    struct delivery_result result = {.outcome = {.item_id = call->item_id}};

    call->fetch_call = NULL;
    if (response->outcome == FETCH_ANSWERED) {
        read_answer(call, response, &result);
    } else {
        read_failure(call, response, &result);
    }
    result.outcome.error = span_text(call->error);
    if (result.outcome.result == OUTBOX_DEAD) {
        log_fields(LOG_LEVEL_ERROR, "webhook", "given_up", LOG_TEXT("webhook", call->name),
                   LOG_TEXT("reason", call->error));
    }
    call->done(call->arg, &result);
    call_free(call);
}

static enum err_code send(struct webhook *webhook,
                          const struct destination *to,
                          const struct delivery *delivery,
                          struct webhook_call *call,
                          struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    char id[SIGN_DELIVERY_SIZE];
    char signature[SIGN_HEADER_SIZE];
    char id_header[SIGN_DELIVERY_SIZE + 24];
    char signature_header[SIGN_HEADER_SIZE + 24];
    const char *headers[] = {"Content-Type: application/json; charset=utf-8", id_header,
                             signature_header, NULL};
    struct fetch_request request = {
        .method = "POST",
        .url = to->url,
        .headers = headers,
        .timeout_ms = WEBHOOK_TIMEOUT_MS,
        .response_size_max = WEBHOOK_RESPONSE_SIZE_MAX,
        .refuse_inward = !to->allow_inward,
    };
    enum err_code rc = buf_new(WEBHOOK_BODY_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = sign_body(delivery->row, delivery->request, webhook->epoch, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    sign_delivery_id(delivery->row, id);
    sign_header(span_of(to->secret, to->secret_size), clock_wall_ms(webhook->clock) / 1000, id,
                buf_span(body), signature);
    (void)snprintf(id_header, sizeof id_header, "Approvald-Delivery: %s", id); /* fits */
    (void)snprintf(signature_header, sizeof signature_header, "Approvald-Signature: %s",
                   signature); /* fits */
    request.body = buf_span(body);
    return fetch_start(webhook->fetch, &request, on_response, call, &call->fetch_call, err);
}

enum err_code webhook_start(void *driver,
                            const struct delivery *delivery,
                            delivery_done_fn *done,
                            void *arg,
                            struct err *err)
{
    struct webhook *webhook = driver;
    struct destination *to =
        find(webhook->destinations, webhook->destination_count, delivery->row->target);
    struct webhook_call *call;
    enum err_code rc;

    ASSERT(delivery->row->surface == SURFACE_WEBHOOK);
    ASSERT(delivery->row->item_count > 0);
    if (webhook->stopped) {
        return err_set(err, ERR_UNAVAILABLE, "another host takes over");
    }
    if (to == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "no webhook %.*s is configured on this host: add it to the configuration, "
                       "then replay",
                       SPAN_ARGS(delivery->row->target));
    }
    call = mem_new(1, sizeof *call);
    if (call == NULL) {
        return err_set(err, ERR_NOMEM, "webhook");
    }
    call->webhook = webhook;
    call->done = done;
    call->arg = arg;
    call->item_id = delivery->row->items[0].id;
    call->attempts = delivery->row->attempts;
    memcpy(call->name, to->name, sizeof call->name);
    call->next = webhook->calls;
    if (call->next != NULL) {
        call->next->previous = call;
    }
    webhook->calls = call;
    rc = send(webhook, to, delivery, call, err);
    if (rc != ERR_OK) {
        call_free(call);
        return err_wrap(err, rc, "webhook %s", to->name);
    }
    return ERR_OK;
}

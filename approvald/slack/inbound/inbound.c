/* SPDX-License-Identifier: Apache-2.0 */
/* inbound.c: one delivery of Slack from its bytes to its reply.
 * Owns the order (signature, type, parse, dispatch), the places of deliveries under way, and the
 * time within which Slack gets an answer.
 * Never looks at an unsigned body of HTTP, never answers 200 before a handler says that it is
 * durable. */
#include "approvald/slack/inbound/inbound.h"

#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MODULE        "slack_inbound"
#define RETRY_AFTER_S 1 /* a failover takes less */

/* Replies. */

static void reply_take(struct inflight *flight, const struct slack_reply *reply)
{
    struct slack_inbound *inbound = flight->inbound;
    slack_reply_fn *fn = flight->reply;

    if (reply->status >= 200 && reply->status < 300) {
        inbound_owed_accept(flight); /* late or not: it is durable */
    }
    if (flight->answered) {
        return;
    }
    TAILQ_REMOVE(&inbound->unanswered, flight, link);
    TAILQ_INSERT_TAIL(&inbound->answered, flight, link);
    flight->answered = true;
    flight->reply = NULL;
    metric_observe_us(inbound->reply_seconds, clock_precise_us() - flight->begun_us);
    if (fn != NULL) {
        fn(flight->arg, reply);
    }
}

void inbound_reply_empty(struct inflight *flight)
{
    struct slack_reply reply = {.status = 200};

    reply_take(flight, &reply);
}

void inbound_reply_json(struct inflight *flight, struct span json)
{
    struct slack_reply reply = {
        .status = 200, .content_type = "application/json; charset=utf-8", .body = json};

    reply_take(flight, &reply);
}

void inbound_reply_text(struct inflight *flight, struct span text)
{
    struct slack_reply reply = {
        .status = 200, .content_type = "text/plain; charset=utf-8", .body = text};

    reply_take(flight, &reply);
}

#define PROBLEM_SIZE_MAX 512

/* Fills *reply, whose body lies in text; all words are ours and need no escapes. */
static void make_problem(uint32_t status,
                         const char *detail,
                         char text[PROBLEM_SIZE_MAX],
                         struct slack_reply *reply)
{
    static const struct {
        uint32_t status;
        const char *title;
    } titles[] = {{400, "Bad Request"},
                  {401, "Unauthorized"},
                  {413, "Content Too Large"},
                  {415, "Unsupported Media Type"},
                  {503, "Service Unavailable"}};
    const char *title = "Error";

    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        title = titles[i].status == status ? titles[i].title : title;
    }
    (void)snprintf(text, PROBLEM_SIZE_MAX, /* never cut: all words are ours */
                   "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\"}",
                   title, status, detail);
    *reply = (struct slack_reply){.status = status,
                                  .content_type = "application/problem+json",
                                  .body = span_text(text),
                                  .retry_after_s = status == 503 ? RETRY_AFTER_S : 0};
}

void inbound_reply_problem(struct inflight *flight, uint32_t status, const char *detail)
{
    char text[PROBLEM_SIZE_MAX];
    struct slack_reply reply;

    make_problem(status, detail, text, &reply);
    reply_take(flight, &reply);
}

/* A problem of a delivery that never got a place. */
static void speak_problem(slack_reply_fn *fn, void *arg, uint32_t status, const char *detail)
{
    char text[PROBLEM_SIZE_MAX];
    struct slack_reply reply;

    make_problem(status, detail, text, &reply);
    fn(arg, &reply);
}

void inbound_reply_busy(struct inflight *flight, enum inbound_refusal why)
{
    metric_add(flight->inbound->refused[why], 1);
    inbound_owed_add(flight->inbound, &flight->act, flight->transport, flight);
    inbound_reply_problem(flight, 503, "Not stored yet; try again.");
}

/* Places. */

void inflight_hold(struct inflight *flight)
{
    flight->holds++;
}

void inflight_drop(struct inflight *flight)
{
    struct slack_inbound *inbound = flight->inbound;

    ASSERT(flight->holds > 0);
    flight->holds--;
    if (flight->holds > 0) {
        return;
    }
    ASSERT(flight->answered);
    inbound_owed_end(flight);
    TAILQ_REMOVE(&inbound->answered, flight, link);
    buf_free(flight->text);
    buf_free(flight->draft);
    memset(flight, 0, sizeof *flight);
    flight->inbound = inbound;
    TAILQ_INSERT_HEAD(&inbound->spare, flight, link);
}

static enum err_code call_view(struct inflight *flight,
                               enum webapi_method method,
                               struct span body,
                               webapi_done_fn *done,
                               struct err *err)
{
    const struct webapi_call call = {.method = method,
                                     .priority = WEBAPI_URGENT,
                                     .wait_ms_max = SLACK_MODAL_WAIT_MS,
                                     .body = body};
    enum err_code rc;

    inflight_hold(flight);
    rc = webapi_call(flight->inbound->webapi, &call, done, flight, err);
    if (rc != ERR_OK) {
        inflight_drop(flight);
    }
    return rc;
}

enum err_code
inflight_open_view(struct inflight *flight, struct span body, webapi_done_fn *done, struct err *err)
{
    return call_view(flight, WEBAPI_VIEWS_OPEN, body, done, err);
}

enum err_code inflight_update_view(struct inflight *flight,
                                   struct span body,
                                   webapi_done_fn *done,
                                   struct err *err)
{
    return call_view(flight, WEBAPI_VIEWS_UPDATE, body, done, err);
}

static void arm_budget(struct slack_inbound *inbound)
{
    const struct inflight *oldest = TAILQ_FIRST(&inbound->unanswered);
    uint64_t now_ms = clock_boot_ms(inbound->clock);
    uint64_t left_ms;
    struct timeval delay;

    if (oldest == NULL || event_pending(inbound->budget_timer, EV_TIMEOUT, NULL)) {
        return; /* a timer that fires early looks again */
    }
    left_ms = oldest->deadline_ms > now_ms ? oldest->deadline_ms - now_ms : 1;
    delay.tv_sec = (time_t)(left_ms / 1000);
    delay.tv_usec = (suseconds_t)(left_ms % 1000 * 1000);
    if (event_add(inbound->budget_timer, &delay) != 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "timer_failed", LOG_NUMBER("delay_ms", left_ms));
    }
}

void inbound_on_budget(int fd, short what, void *arg)
{
    struct slack_inbound *inbound = arg;
    uint64_t now_ms = clock_boot_ms(inbound->clock);
    struct inflight *oldest;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    while ((oldest = TAILQ_FIRST(&inbound->unanswered)) != NULL && oldest->deadline_ms <= now_ms) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "late",
                   LOG_TEXT("kind", payload_kind_word(oldest->kind)));
        inbound_reply_busy(oldest, INBOUND_BUDGET);
    }
    arm_budget(inbound);
}

static bool copy_word(struct slack_word *word, struct span text)
{
    if (text.size > sizeof word->text) {
        return false;
    }
    if (text.size > 0) {
        memcpy(word->text, text.data, text.size);
    }
    word->size = text.size;
    return true;
}

static bool copy_id(struct slack_id *id, struct span text)
{
    return text.size == 0 || slack_id_set(id, text);
}

bool inflight_keep(struct inflight *flight, const struct payload *payload)
{
    if (payload->trigger_id.size > sizeof flight->trigger) {
        return false;
    }
    if (payload->trigger_id.size > 0) {
        memcpy(flight->trigger, payload->trigger_id.data, payload->trigger_id.size);
    }
    flight->trigger_size = payload->trigger_id.size;
    return copy_id(&flight->user, payload->user) &&
           copy_id(&flight->user_team, payload->user_team) &&
           copy_id(&flight->channel, payload->channel) &&
           copy_word(&flight->view, payload->view_id) &&
           copy_word(&flight->message_ts, payload->message_ts) &&
           copy_word(&flight->thread_ts, payload->thread_ts);
}

struct actor inflight_actor(const struct inflight *flight)
{
    return (struct actor){
        .kind = ACTOR_PERSON, .via = VIA_SLACK, .user = slack_id_span(&flight->user)};
}

bool inbound_is_durable(enum err_code rc)
{
    return rc == ERR_OK || rc == ERR_EXISTS || rc == ERR_DENIED || rc == ERR_CONFLICT ||
           rc == ERR_EXPIRED || rc == ERR_NOT_FOUND || rc == ERR_INVALID;
}

/* Dispatch. */

static void on_empty(struct inflight *flight, const struct payload *payload)
{
    (void)payload; /* nothing in it concerns us */
    inbound_reply_empty(flight);
}

static void on_unknown(struct inflight *flight, const struct payload *payload)
{
    log_fields(LOG_LEVEL_WARNING, MODULE, "unknown_type", LOG_SPAN("type", payload->type));
    inbound_reply_empty(flight);
}

static void on_shortcut(struct inflight *flight, const struct payload *payload)
{
    bool global =
        payload->kind == PAYLOAD_SHORTCUT && span_is(payload->callback_id, VIEW_ASK_SHORTCUT);
    bool message =
        payload->kind == PAYLOAD_MESSAGE_ACTION && span_is(payload->callback_id, VIEW_ASK_MESSAGE);

    if (global || message) {
        inbound_ask(flight, payload);
        return;
    }
    inbound_say(flight->inbound, payload,
                "There is nothing to do here. The app's slash command with the word `help` shows "
                "what can be done.");
    inbound_reply_empty(flight);
}

static void on_actions(struct inflight *flight, const struct payload *payload)
{
    if (span_is(payload->callback_id, VIEW_ASK_CALLBACK)) {
        inbound_on_choice(flight, payload);
    } else {
        inbound_on_press(flight, payload);
    }
}

static void on_suggestion(struct inflight *flight, const struct payload *payload)
{
    (void)payload; /* no list of ours loads its options */
    inbound_reply_json(flight, SPAN_LITERAL("{\"options\":[]}"));
}

static void on_challenge(struct inflight *flight, const struct payload *payload)
{
    if (payload->challenge.size == 0 || payload->challenge.size > SLACK_CHALLENGE_SIZE_MAX) {
        inbound_reply_problem(flight, 400, "There is no challenge.");
        return;
    }
    inbound_reply_text(flight, payload->challenge);
}

static void on_rate_limited(struct inflight *flight, const struct payload *payload)
{
    metric_add(flight->inbound->app_rate_limited, 1);
    log_fields(LOG_LEVEL_WARNING, MODULE, "events_rate_limited", LOG_SPAN("team", payload->team),
               LOG_TEXT("hint", "Slack drops events for a minute; presses still come"));
    inbound_reply_empty(flight);
}

static inbound_handler_fn *const handlers[PAYLOAD_KIND_COUNT] = {
    [PAYLOAD_UNKNOWN] = on_unknown,
    [PAYLOAD_BLOCK_ACTIONS] = on_actions,
    [PAYLOAD_VIEW_SUBMISSION] = inbound_on_submission,
    [PAYLOAD_VIEW_CLOSED] = on_empty,
    [PAYLOAD_SHORTCUT] = on_shortcut,
    [PAYLOAD_MESSAGE_ACTION] = on_shortcut,
    [PAYLOAD_BLOCK_SUGGESTION] = on_suggestion,
    [PAYLOAD_COMMAND] = inbound_on_command,
    [PAYLOAD_URL_VERIFICATION] = on_challenge,
    [PAYLOAD_EVENT] = inbound_on_event,
    [PAYLOAD_RATE_LIMITED] = on_rate_limited,
};

/* The media type without its parameters: a charset is no reason to lose a press. */
static bool content_type_is(struct span header, const char *type)
{
    size_t size = strlen(type);

    return header.size >= size && strncasecmp(header.data, type, size) == 0 &&
           (header.size == size || header.data[size] == ';' || header.data[size] == ' ');
}

static bool is_form(const struct slack_delivery *delivery)
{
    return content_type_is(delivery->content_type, "application/x-www-form-urlencoded");
}

static bool type_fits(const struct slack_delivery *delivery)
{
    return delivery->path == SLACK_PATH_EVENTS
               ? content_type_is(delivery->content_type, "application/json")
               : is_form(delivery);
}

static enum err_code
parse(const struct slack_delivery *delivery, struct payload *payload, struct err *err)
{
    switch (delivery->path) {
    case SLACK_PATH_INTERACTIONS:
        return payload_parse_interaction(delivery->body, payload, err);
    case SLACK_PATH_COMMANDS:
        return payload_parse_command(delivery->body, payload, err);
    case SLACK_PATH_EVENTS:
        return payload_parse_event(delivery->body, payload, err);
    }
    return err_set(err, ERR_INVALID, "path");
}

static void dispatch(struct inflight *flight, struct payload *payload)
{
    flight->kind = payload->kind;
    inbound_act_read(payload, &flight->act);
    metric_add(flight->inbound->deliveries[payload->kind], 1);
    handlers[payload->kind](flight, payload);
    payload_done(payload);
}

static void refuse_payload(struct inflight *flight, enum err_code rc, const struct err *err)
{
    if (rc == ERR_NOMEM) {
        inbound_reply_busy(flight, INBOUND_UNAVAILABLE);
        return;
    }
    metric_add(flight->inbound->refused[INBOUND_BODY], 1);
    log_err(LOG_LEVEL_WARNING, MODULE, "not_a_payload", err);
    inbound_reply_problem(flight, 400, "The body is not a payload of Slack.");
}

static void handle_verified(struct inflight *flight, const struct slack_delivery *delivery)
{
    struct slack_inbound *inbound = flight->inbound;
    struct payload payload;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!type_fits(delivery)) {
        metric_add(inbound->refused[INBOUND_CONTENT_TYPE], 1);
        inbound_reply_problem(flight, 415, "This address takes another content type.");
        return;
    }
    rc = parse(delivery, &payload, &err);
    if (rc == ERR_OK) {
        dispatch(flight, &payload);
    } else if (is_form(delivery) && payload_is_ssl_check(delivery->body)) {
        inbound_reply_empty(flight);
    } else {
        refuse_payload(flight, rc, &err);
    }
}

static void refuse_unsigned(struct slack_inbound *inbound,
                            enum verify_result result,
                            slack_reply_fn *reply,
                            void *arg)
{
    metric_add(inbound->unsigned_metric[result], 1);
    log_fields(LOG_LEVEL_WARNING, MODULE, "refused", LOG_TEXT("reason", verify_word(result)));
    speak_problem(reply, arg, 401, "The request is not signed by Slack.");
}

/* A place for something verified; NULL: none is left, and that was said. */
static struct inflight *begin(struct slack_inbound *inbound,
                              enum slack_transport transport,
                              uint64_t time_s,
                              slack_reply_fn *reply,
                              void *arg)
{
    struct inflight *flight = TAILQ_FIRST(&inbound->spare);

    inbound->last_ms[transport] = clock_wall_ms(inbound->clock);
    metric_set(inbound->last_seconds[transport], inbound->last_ms[transport] / 1000);
    metric_add(inbound->arrivals[transport], 1);
    if (flight == NULL) {
        metric_add(inbound->refused[INBOUND_FULL], 1);
        speak_problem(reply, arg, 503, "Too many deliveries are under way; try again.");
        return NULL;
    }
    TAILQ_REMOVE(&inbound->spare, flight, link);
    TAILQ_INSERT_TAIL(&inbound->unanswered, flight, link);
    flight->reply = reply;
    flight->arg = arg;
    flight->holds = 1;
    flight->begun_us = clock_precise_us();
    flight->deadline_ms = clock_boot_ms(inbound->clock) + SLACK_REPLY_BUDGET_MS;
    flight->time_s = time_s;
    flight->transport = transport;
    return flight;
}

static void note_retry(struct slack_inbound *inbound, struct span number, struct span reason)
{
    metric_add(inbound->retries, 1);
    log_fields(LOG_LEVEL_INFO, MODULE, "retried", LOG_SPAN("number", number),
               LOG_SPAN("reason", reason));
}

void slack_inbound_handle(struct slack_inbound *inbound,
                          const struct slack_delivery *delivery,
                          slack_reply_fn *reply,
                          void *arg)
{
    struct verify_secrets secrets = {.current = span_of(inbound->secret, inbound->secret_size),
                                     .previous =
                                         span_of(inbound->previous, inbound->previous_size)};
    struct slack_reply probe = {.status = 200};
    struct payload payload;
    struct err err = ERR_INIT;
    struct inflight *flight;
    enum verify_result verified;
    uint64_t time_s = 0;

    ASSERT(reply != NULL);
    if (delivery->body.size > SLACK_BODY_SIZE_MAX) {
        metric_add(inbound->refused[INBOUND_TOO_LARGE], 1);
        speak_problem(reply, arg, 413, "The body is larger than any payload of Slack.");
        return;
    }
    verified = verify_signature(&secrets, delivery->timestamp, delivery->signature, delivery->body,
                                clock_wall_ms(inbound->clock) / 1000, &time_s);
    if (verified != VERIFY_OK) {
        /* Slack's certificate probe is unsigned; whatever else it carries is discarded. */
        if (is_form(delivery) && payload_is_ssl_check(delivery->body)) {
            reply(arg, &probe);
        } else {
            refuse_unsigned(inbound, verified, reply, arg);
        }
        return;
    }
    if (delivery->retry_num.size > 0) {
        note_retry(inbound, delivery->retry_num, delivery->retry_reason);
    }
    flight = begin(inbound, SLACK_OVER_HTTP, time_s, reply, arg);
    if (flight != NULL) {
        handle_verified(flight, delivery);
        inflight_drop(flight);
        arm_budget(inbound);
    } else if (type_fits(delivery) && inbound_owed_has_room(inbound) &&
               parse(delivery, &payload, &err) == ERR_OK) {
        inbound_owed_unplaced(inbound, &payload, SLACK_OVER_HTTP);
    }
}

/* An envelope has no signature: who holds the socket's ticket is Slack. */
static enum err_code
take(const struct slack_envelope *envelope, struct payload *payload, struct err *err)
{
    switch (envelope->path) {
    case SLACK_PATH_INTERACTIONS:
        return payload_take_interaction(envelope->root, envelope->object, payload, err);
    case SLACK_PATH_COMMANDS:
        return payload_take_command(envelope->root, envelope->object, payload, err);
    case SLACK_PATH_EVENTS:
        return payload_take_event(envelope->root, envelope->object, payload, err);
    }
    return err_set(err, ERR_INVALID, "path");
}

void slack_inbound_take(struct slack_inbound *inbound,
                        const struct slack_envelope *envelope,
                        slack_reply_fn *reply,
                        void *arg)
{
    struct inflight *flight;
    struct payload payload;
    struct err err = ERR_INIT;
    char number[24];
    enum err_code rc;

    ASSERT(reply != NULL);
    if (envelope->retry_num > 0) {
        (void)snprintf(number, sizeof number, "%" PRIu64, envelope->retry_num); /* fits */
        note_retry(inbound, span_text(number), envelope->retry_reason);
    }
    flight = begin(inbound, SLACK_OVER_SOCKET, clock_wall_ms(inbound->clock) / 1000, reply, arg);
    rc = take(envelope, &payload, &err);
    if (flight == NULL) {
        if (rc == ERR_OK) {
            inbound_owed_unplaced(inbound, &payload, SLACK_OVER_SOCKET);
        } else {
            json_free(envelope->root);
        }
        return;
    }
    if (rc == ERR_OK) {
        dispatch(flight, &payload);
    } else {
        json_free(envelope->root);
        refuse_payload(flight, rc, &err);
    }
    inflight_drop(flight);
    arm_budget(inbound);
}

void slack_inbound_forget(struct slack_inbound *inbound, const void *arg)
{
    struct inflight *flight;

    TAILQ_FOREACH (flight, &inbound->unanswered, link) {
        if (flight->arg == arg) {
            flight->reply = NULL;
            flight->arg = NULL;
        }
    }
}

void slack_inbound_start(struct slack_inbound *inbound)
{
    inbox_worker_start(inbound->worker);
}

uint64_t slack_inbound_last_ms(const struct slack_inbound *inbound, enum slack_transport transport)
{
    ASSERT(transport < SLACK_TRANSPORT_COUNT);
    return inbound->last_ms[transport];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode.c: the shell of the core socketlife: birth, timer, effects, what the operator is told.
 * Owns the slots and the app-level token (wiped).
 * Never decides when a socket is opened or closed, never reads a message; the core is asked in one
 * place, from the loop, and never from inside a callback of a connection. */
#include "approvald/slack/socket/socketmode.h"

#include "approvald/slack/socket/socketmode_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rng.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define MODULE "slack_socket"

void socketmode_wake(struct socketmode *mode)
{
    event_active(mode->work, EV_TIMEOUT, 0);
}

void socketmode_set_error(struct socketmode *mode, struct span error)
{
    (void)snprintf(mode->error, sizeof mode->error, "%.*s", SPAN_ARGS(error)); /* cut if longer */
}

/* What the operator has to know, once each time that it changes. */
static void tell(struct socketmode *mode)
{
    struct socketlife_status *told = &mode->told;
    struct socketlife_status now;

    socketlife_status(mode->life, &now);
    metric_set(mode->live_gauge, now.live);
    metric_set(mode->strangers_gauge, now.strangers);
    if (now.fatal && !told->fatal) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "refused", LOG_TEXT("error", mode->refusal),
                   LOG_TEXT("hint", "mend the app-level token (connections:write) and reload"));
    }
    if (now.disabled && !told->disabled) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "disabled",
                   LOG_TEXT("hint", "switch Socket Mode on in the app's settings at Slack"));
    }
    if (now.strangers != told->strangers) {
        log_fields(now.strangers > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, MODULE, "strangers",
                   LOG_NUMBER("count", now.strangers),
                   LOG_TEXT("hint", "another program that uses this app takes a share of presses"));
    }
    if ((now.live > 0) != (told->live > 0)) {
        log_fields(now.live > 0 || !now.running ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, MODULE,
                   now.live > 0 ? "live" : "no_socket", LOG_NUMBER("sockets", now.live),
                   LOG_TEXT("last_error", mode->error));
    }
    *told = now;
}

static void perform(struct socketmode *mode, const struct socketlife_effects *effects)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        struct socket_slot *slot = &mode->slots[effects->list[i].slot];

        switch (effects->list[i].kind) {
        case SOCKETLIFE_ASK:
            socketmode_ask(slot);
            break;
        case SOCKETLIFE_DIAL:
            socketmode_dial(slot);
            break;
        case SOCKETLIFE_PING:
            socketmode_ping(slot);
            break;
        case SOCKETLIFE_CLOSE:
            socketmode_close(slot);
            break;
        case SOCKETLIFE_DROP:
            socketmode_drop(slot);
            break;
        }
    }
}

static void step(struct socketmode *mode, struct socketlife_event *event)
{
    struct socketlife_effects effects;

    event->now_ms = clock_boot_ms(mode->clock);
    rng_fill(rng_host(), &event->random, sizeof event->random);
    socketlife_step(mode->life, event, &effects);
    perform(mode, &effects);
}

static void step_slot(struct socket_slot *slot, enum socketlife_event_kind kind)
{
    struct socketlife_event event = {.kind = kind,
                                     .slot = slot->index,
                                     .refusal = slot->news.refusal,
                                     .retry_after_ms = slot->news.retry_after_ms,
                                     .reason = slot->news.reason,
                                     .lifetime_s = slot->news.lifetime_s};

    event.count = kind == SOCKETLIFE_BUSY ? slot->reply_count : slot->news.count;
    step(slot->mode, &event);
}

/* Takes a piece of news: each is told once. A slot that a step has dropped has none left. */
static bool take_news(bool *news)
{
    bool was = *news;

    *news = false;
    return was;
}

static void tell_core(struct socket_slot *slot)
{
    struct socket_news *news = &slot->news;

    if (take_news(&news->answered)) {
        step_slot(slot, news->refused ? SOCKETLIFE_REFUSED : SOCKETLIFE_TICKET);
    }
    if (take_news(&news->heard)) {
        step_slot(slot, SOCKETLIFE_HEARD);
    }
    if (take_news(&news->hello)) {
        step_slot(slot, SOCKETLIFE_HELLO);
    }
    if (take_news(&news->busy)) {
        step_slot(slot, SOCKETLIFE_BUSY);
    }
    if (take_news(&news->disconnect)) {
        step_slot(slot, SOCKETLIFE_DISCONNECT);
    }
    if (news->closed) { /* stays: nothing more is sent */
        step_slot(slot, SOCKETLIFE_CLOSED);
    }
}

static void tell_core_all(struct socketmode *mode)
{
    for (uint32_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        tell_core(&mode->slots[i]);
    }
}

static void arm(struct socketmode *mode)
{
    uint64_t deadline_ms = socketlife_deadline_ms(mode->life);
    uint64_t now_ms = clock_boot_ms(mode->clock);
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 1;
    struct timeval delay = {.tv_sec = (time_t)(left_ms / 1000),
                            .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};

    if (deadline_ms == UINT64_MAX) {
        (void)event_del(mode->work); /* fails only for an event that is none */
    } else if (event_add(mode->work, &delay) != 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "timer_failed", LOG_NUMBER("delay_ms", left_ms));
    }
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
    struct socketmode *mode = arg;
    struct socketlife_event timeout = {.kind = SOCKETLIFE_TIMEOUT};

    (void)fd;   /* a timer has none */
    (void)what; /* a timer, or woken */
    tell_core_all(mode);
    step(mode, &timeout);
    tell(mode);
    arm(mode);
}

void socketmode_start(struct socketmode *mode)
{
    struct socketlife_event event = {.kind = SOCKETLIFE_START};

    mode->running = true;
    step(mode, &event);
    socketmode_wake(mode);
}

void socketmode_stop(struct socketmode *mode)
{
    struct socketlife_event event = {.kind = SOCKETLIFE_STOP};

    mode->running = false;
    tell_core_all(mode); /* a reply that has just come under way is waited for */
    step(mode, &event);
    socketmode_wake(mode);
}

bool socketmode_is_idle(const struct socketmode *mode)
{
    for (uint32_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        if (mode->slots[i].reply_count > 0) {
            return false;
        }
    }
    return true;
}

const char *socketmode_state_word(enum socketmode_state state)
{
    static const char *const words[] = {[SOCKETMODE_STOPPED] = "stopped",
                                        [SOCKETMODE_LIVE] = "live",
                                        [SOCKETMODE_CONNECTING] = "connecting",
                                        [SOCKETMODE_REFUSED] = "refused",
                                        [SOCKETMODE_DISABLED] = "disabled"};

    return words[state];
}

void socketmode_status(const struct socketmode *mode, struct socketmode_status *ret_status)
{
    struct socketlife_status life;
    enum socketmode_state state = SOCKETMODE_CONNECTING;

    socketlife_status(mode->life, &life);
    if (!life.running) {
        state = SOCKETMODE_STOPPED;
    } else if (life.fatal) {
        state = SOCKETMODE_REFUSED;
    } else if (life.disabled) {
        state = SOCKETMODE_DISABLED;
    } else if (life.live > 0) {
        state = SOCKETMODE_LIVE;
    }
    *ret_status = (struct socketmode_status){.state = state,
                                             .error = life.fatal ? mode->refusal : mode->error,
                                             .live = life.live,
                                             .strangers = life.strangers};
}

/* Birth and death. */

static bool is_token(struct span token)
{
    bool good = token.size > 0 && token.size <= SLACK_TOKEN_SIZE_MAX;

    for (size_t i = 0; i < token.size; i++) {
        good = good && token.data[i] > ' ' && token.data[i] < 0x7f;
    }
    return good;
}

enum err_code socketmode_set_token(struct socketmode *mode, struct span app_token, struct err *err)
{
    if (!is_token(app_token)) {
        return err_set(err, ERR_INVALID, "Slack app-level token: not a token (size or characters)");
    }
    mem_wipe(mode->token, sizeof mode->token);
    memcpy(mode->token, app_token.data, app_token.size);
    if (mode->running) {
        socketmode_start(mode);
    }
    return ERR_OK;
}

static void add_metrics(struct socketmode *mode, struct metrics *metrics)
{
    mode->live_gauge = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_sockets", NULL,
                                   "Sockets of Socket Mode that Slack has greeted.");
    mode->strangers_gauge = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_socket_strangers",
                                        NULL, "Connections of the app that are none of ours.");
    mode->opens = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_socket_opens_total", NULL,
                              "Calls of apps.connections.open.");
    mode->envelopes = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_envelopes_total", NULL,
                                  "Envelopes that came over a socket.");
    mode->acknowledged =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_envelope_acks_total",
                    "result=\"sent\"", "Envelopes by whether they were acknowledged.");
    mode->unacknowledged =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_envelope_acks_total",
                    "result=\"withheld\"", "Envelopes by whether they were acknowledged.");
    mode->malformed = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_malformed_total", NULL,
                                  "Messages over a socket that are none of Slack's.");
}

static void link_parts(struct socketmode *mode)
{
    TAILQ_INIT(&mode->spare);
    for (uint32_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        mode->slots[i].mode = mode;
        mode->slots[i].index = i;
        TAILQ_INIT(&mode->slots[i].replies);
    }
    for (size_t i = 0; mode->pool != NULL && i < SLACK_INFLIGHT_COUNT_MAX; i++) {
        TAILQ_INSERT_TAIL(&mode->spare, &mode->pool[i], link);
    }
}

static enum err_code
make(struct socketmode *mode, const struct socketmode_options *options, struct err *err)
{
    mode->pool = mem_new(SLACK_INFLIGHT_COUNT_MAX, sizeof *mode->pool);
    mode->work = event_new(options->base, -1, 0, on_work, mode);
    link_parts(mode);
    if (mode->pool == NULL || mode->work == NULL) {
        return err_set(err, ERR_NOMEM, "Socket Mode");
    }
    if (strlen(options->api_url) > SLACK_URL_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "Slack's base URL is too long");
    }
    memcpy(mode->api_url, options->api_url, strlen(options->api_url));
    return socketmode_set_token(mode, options->app_token, err);
}

enum err_code socketmode_new(const struct socketmode_options *options,
                             struct socketmode **ret_mode,
                             struct err *err)
{
    struct socketmode *mode = mem_new(1, sizeof *mode);
    enum err_code rc;

    if (mode == NULL) {
        return err_set(err, ERR_NOMEM, "Socket Mode");
    }
    mode->base = options->base;
    mode->fetch = options->fetch;
    mode->inbound = options->inbound;
    mode->clock = options->clock == NULL ? clock_host() : options->clock;
    rc = make(mode, options, err);
    if (rc == ERR_OK) {
        rc = socketlife_new(clock_boot_ms(mode->clock), &mode->life, err);
    }
    if (rc != ERR_OK) {
        socketmode_free(mode);
        return rc;
    }
    add_metrics(mode, options->metrics);
    *ret_mode = mode;
    return ERR_OK;
}

void socketmode_free(struct socketmode *mode)
{
    if (mode == NULL) {
        return;
    }
    for (uint32_t i = 0; mode->life != NULL && i < SOCKETLIFE_SLOT_COUNT; i++) {
        socketmode_drop(&mode->slots[i]);
    }
    if (mode->work != NULL) {
        event_free(mode->work);
    }
    socketlife_free(mode->life);
    mem_free(mode->pool);
    mem_wipe(mode->token, sizeof mode->token);
    mem_free(mode);
}

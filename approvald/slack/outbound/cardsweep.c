/* SPDX-License-Identifier: Apache-2.0 */
/* cardsweep.c: the reconciler: when a sweep begins, what it does next, what it says at its end.
 * Owns the order: who are we, cards from the store, pages from Slack, repairs, copies.
 * Never judges a card (cardcheck does), never sends a card (the sender does). */
#include "approvald/slack/outbound/cardsweep_internal.h"

#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define MODULE "slack_cards"

void cardsweep_wake(struct cardsweep *sweep, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};

    (void)event_add(sweep->timer, &delay); /* fails only without memory; the next report wakes */
}

void cardsweep_go_on(struct cardsweep *sweep, uint64_t pause_ms)
{
    sweep->busy = false;
    sweep->pause_ms = clock_boot_ms(sweep->clock) + pause_ms;
    if (sweep->running) {
        cardsweep_wake(sweep, pause_ms);
    }
}

/* The earliest time of the next sweep: large installations are not swept all the time. */
static uint64_t free_ms(const struct cardsweep *sweep)
{
    uint64_t gap_ms = SLACK_CHECK_GAP_SHARE * sweep->took_ms;

    return sweep->began_ms == 0
               ? 0
               : sweep->began_ms + (gap_ms > SLACK_CHECK_GAP_MS ? gap_ms : SLACK_CHECK_GAP_MS);
}

/* A sweep is wanted, delay_ms from now; not too soon after the last one began. Others follow: a
 * call of an earlier primary, or of ours, that was given up may still arrive, as a second card or
 * as what a card showed before. */
static void demand(struct cardsweep *sweep, uint64_t delay_ms)
{
    uint64_t now_ms = clock_boot_ms(sweep->clock);
    uint64_t due_ms = now_ms + delay_ms;

    sweep->again = SLACK_CHECK_AGAIN_COUNT;
    due_ms = due_ms < free_ms(sweep) ? free_ms(sweep) : due_ms;
    due_ms = due_ms < sweep->due_ms ? due_ms : sweep->due_ms;
    sweep->due_ms = due_ms < now_ms ? now_ms : due_ms; /* one may have been due in an outage */
    if (sweep->running && !sweep->busy) {
        cardsweep_wake(sweep, sweep->sweeping ? 0 : sweep->due_ms - now_ms);
    }
}

/* Until the next one: each comes after twice the time. */
static uint64_t pause_after(struct cardsweep *sweep)
{
    if (sweep->again == 0) {
        return SLACK_CHECK_EVERY_MS;
    }
    sweep->again--;
    return (uint64_t)SLACK_CHECK_AGAIN_MS << (SLACK_CHECK_AGAIN_COUNT - 1 - sweep->again);
}

static void begin(struct cardsweep *sweep, uint64_t now_ms)
{
    sweep->sweeping = true;
    sweep->known = false;
    sweep->window = false;
    sweep->ended = false;
    sweep->direct = false;
    sweep->some = false;
    sweep->has_next = false;
    sweep->last = false;
    sweep->tries = 0;
    sweep->began_ms = now_ms;
    sweep->due_ms = now_ms + pause_after(sweep);
    if (sweep->late_ms > now_ms) { /* this one is too early for that */
        demand(sweep, sweep->late_ms - now_ms);
    }
    memset(&sweep->now, 0, sizeof sweep->now);
    cardcheck_begin(sweep->check, true);
}

static void report(const struct cardsweep *sweep)
{
    const struct cardsweep_found *found = &sweep->done;
    const struct cardcheck_counts *counts = &found->counts;

    log_fields(LOG_LEVEL_INFO, MODULE, "compared", LOG_NUMBER("good", counts->good),
               LOG_NUMBER("stale", counts->stale), LOG_NUMBER("missing", counts->missing),
               LOG_NUMBER("repaired", found->repaired), LOG_NUMBER("copies", found->copies),
               LOG_NUMBER("skipped", counts->skipped));
    if (counts->blind > 0) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "unseen", LOG_NUMBER("cards", counts->blind),
                   LOG_TEXT("error", found->blind_error), LOG_TEXT("scope", found->blind_scope),
                   LOG_TEXT("advice",
                            "a card of these that was deleted or changed is repaired only when "
                            "somebody presses it or the request changes: add the scope and "
                            "install the app again, or write /invite @approvald in the channel"));
    }
    if (found->stuck > 0) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "stuck", LOG_NUMBER("cards", found->stuck),
                   LOG_TEXT("advice", "cards show something else than was sent, also after "
                                      "repairs: who else changes them?"));
    }
}

static void finish(struct cardsweep *sweep)
{
    sweep->sweeping = false;
    sweep->done = sweep->now;
    sweep->finished_ms = clock_wall_ms(sweep->clock);
    if (sweep->began_ms != 0) { /* else Slack came back meanwhile: the next one is due */
        sweep->took_ms = clock_boot_ms(sweep->clock) - sweep->began_ms;
    }
    sweep->due_ms = sweep->due_ms < free_ms(sweep) ? free_ms(sweep) : sweep->due_ms;
    metric_add(sweep->sweeps, 1);
    metric_set(sweep->unseen, sweep->done.counts.blind);
    metric_set(sweep->stuck, sweep->done.stuck);
    report(sweep);
}

/* The copies of a window that is done; true: one is being confirmed. */
static bool remove_copy(struct cardsweep *sweep)
{
    struct service_card_item item;
    const char *channel = NULL;

    if (!cardcheck_take_copy(sweep->check, &item, &channel, sweep->copy_ts)) {
        return false;
    }
    (void)snprintf(sweep->copy_channel, sizeof sweep->copy_channel, "%s", channel); /* fits */
    cardsweep_settle(sweep, &item, 1);
    return true;
}

/* The cards of ended requests, then those in direct messages: each person's are a question of their
 * own, so they come last, and only where a policy sends some. False: that was all. */
static bool turn_over(struct cardsweep *sweep)
{
    if (sweep->ended && (sweep->direct || !sweep->some)) {
        return false;
    }
    if (!sweep->ended && !sweep->direct && sweep->began_ms != 0 && sweep->compared != NULL) {
        sweep->compared(sweep->compared_arg);
    }
    sweep->direct = sweep->direct || sweep->ended;
    sweep->ended = !sweep->ended;
    sweep->has_next = false;
    sweep->last = false;
    return true;
}

/* The next window, or the end. */
static void close_window(struct cardsweep *sweep)
{
    cardcheck_count(sweep->check, &sweep->now.counts);
    sweep->window = false;
    cardcheck_begin(sweep->check, false);
    if (sweep->last && !turn_over(sweep)) {
        finish(sweep);
    }
}

/* One thing of a closed window; false: it is done. */
static bool compare(struct cardsweep *sweep)
{
    struct service_card_item items[SERVICE_CARD_ITEM_COUNT_MAX];
    size_t count = cardcheck_take(sweep->check, items, SERVICE_CARD_ITEM_COUNT_MAX);
    struct cardcheck_page page;

    if (count > 0) {
        cardsweep_settle(sweep, items, count);
        return true;
    }
    if (cardcheck_next(sweep->check, &page)) {
        cardsweep_ask_page(sweep, &page);
        return true;
    }
    return remove_copy(sweep);
}

/* The next thing of a sweep: a question, or a step to the next one. */
static void work(struct cardsweep *sweep)
{
    if (!sweep->known) {
        cardsweep_ask_identity(sweep);
    } else if (sweep->window && !compare(sweep)) {
        close_window(sweep);
    } else if (sweep->window) {
        return; /* compare has asked */
    } else if (!sweep->last && cardcheck_has_room(sweep->check)) {
        cardsweep_ask_cards(sweep);
    } else {
        cardcheck_close(sweep->check);
        sweep->window = true;
    }
}

static bool is_up(const struct cardsweep *sweep)
{
    struct webapi_status status;

    webapi_status(sweep->webapi, &status);
    return status.state == WEBAPI_UP;
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct cardsweep *sweep = arg;
    uint64_t now_ms = clock_boot_ms(sweep->clock);

    (void)fd;     /* a timer has none */
    (void)events; /* one kind */
    if (!sweep->running || sweep->busy) {
        return;
    }
    if (!is_up(sweep)) {
        sweep->sweeping = false; /* when Slack is back, from the start */
        return;
    }
    if (now_ms < sweep->pause_ms) {
        cardsweep_wake(sweep, sweep->pause_ms - now_ms);
        return;
    }
    if (!sweep->sweeping && now_ms >= sweep->due_ms) {
        begin(sweep, now_ms);
    }
    /* A question that could not be asked is asked again after a pause. */
    while (sweep->sweeping && !sweep->busy && clock_boot_ms(sweep->clock) >= sweep->pause_ms) {
        work(sweep);
    }
    if (!sweep->sweeping) {
        cardsweep_wake(sweep, sweep->due_ms > now_ms ? sweep->due_ms - now_ms : 0);
    }
}

static void on_state(void *arg, enum webapi_state state)
{
    struct cardsweep *sweep = arg;

    if (state == WEBAPI_UP) {
        sweep->began_ms = 0; /* what was found before says nothing now */
        sweep->late_ms = clock_boot_ms(sweep->clock) + SLACK_CHECK_LATE_MS;
        demand(sweep, 0);
    }
}

static void on_doubted(void *arg, enum service_doubt doubt)
{
    struct cardsweep *sweep = arg;

    if (doubt == SERVICE_DOUBT_LATE) {
        sweep->late_ms = clock_boot_ms(sweep->clock) + SLACK_CHECK_LATE_MS;
    }
    demand(sweep, doubt == SERVICE_DOUBT_LATE ? SLACK_CHECK_LATE_MS : 0);
}

static void add_metrics(struct cardsweep *sweep, struct metrics *metrics)
{
    sweep->sweeps = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_sweeps_total", NULL,
                                "Comparisons of all live cards with Slack.");
    sweep->repaired = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_cards_repaired_total",
                                  NULL, "Cards that were gone or showed something else.");
    sweep->copies = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_copies_removed_total",
                                NULL, "Second cards of a request that were removed.");
    sweep->unseen = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_cards_unseen", NULL,
                                "Cards whose channel's history could not be read.");
    sweep->stuck = metrics_add(metrics, METRIC_GAUGE, "approvald_slack_cards_stuck", NULL,
                               "Cards that show something else, also after repairs.");
}

enum err_code cardsweep_new(const struct cardsweep_options *options,
                            struct cardsweep **ret_sweep,
                            struct err *err)
{
    struct cardsweep *sweep = mem_new(1, sizeof *sweep);

    if (sweep == NULL) {
        return err_set(err, ERR_NOMEM, "reconciler");
    }
    sweep->service = options->service;
    sweep->webapi = options->webapi;
    sweep->clock = options->clock == NULL ? clock_host() : options->clock;
    sweep->compared = options->compared;
    sweep->compared_arg = options->arg;
    sweep->due_ms = UINT64_MAX;
    sweep->check = mem_new(1, sizeof *sweep->check);
    sweep->timer = event_new(options->base, -1, 0, on_timer, sweep);
    if (sweep->check == NULL || sweep->timer == NULL) {
        cardsweep_free(sweep);
        return err_set(err, ERR_NOMEM, "reconciler");
    }
    add_metrics(sweep, options->metrics);
    webapi_listen(sweep->webapi, on_state, sweep);
    service_cards_listen(sweep->service, on_doubted, sweep);
    *ret_sweep = sweep;
    return ERR_OK;
}

void cardsweep_free(struct cardsweep *sweep)
{
    if (sweep == NULL) {
        return;
    }
    service_cards_listen(sweep->service, NULL, NULL);
    if (sweep->timer != NULL) {
        event_free(sweep->timer);
    }
    mem_free(sweep->check);
    mem_free(sweep);
}

void cardsweep_start(struct cardsweep *sweep)
{
    ASSERT(!sweep->running);
    sweep->running = true;
    sweep->sweeping = false;
    sweep->began_ms = 0;
    demand(sweep, 0);
}

void cardsweep_stop(struct cardsweep *sweep)
{
    sweep->running = false;
    (void)event_del(sweep->timer); /* fails only for one that was never made */
}

bool cardsweep_is_idle(const struct cardsweep *sweep)
{
    return !sweep->busy;
}

void cardsweep_status(const struct cardsweep *sweep, struct cardsweep_status *ret_status)
{
    const struct cardsweep_found *found = &sweep->done;

    *ret_status = (struct cardsweep_status){
        .running = sweep->sweeping,
        .finished_ms = sweep->finished_ms,
        .due_ms = sweep->due_ms,
        .counts = found->counts,
        .repaired = found->repaired,
        .stuck = found->stuck,
        .copies = found->copies,
        .blind_error = found->blind_error,
        .blind_scope = found->blind_scope,
    };
}

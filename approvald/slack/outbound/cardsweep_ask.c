/* SPDX-License-Identifier: Apache-2.0 */
/* cardsweep_ask.c: the reconciler's questions to the store and to Slack, and their answers.
 * Owns how a page is asked for and what a failed one means.
 * Never decides what is asked next (cardsweep.c), never judges a card (cardcheck.c). */
#include "approvald/slack/outbound/cardsweep_internal.h"

#include "approvald/core/request_id.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MODULE        "slack_cards"
#define FORM_SIZE_MAX 512 /* bytes: six short fields */

/* Too many at once, or no memory: a moment later. */
static void try_later(struct cardsweep *sweep, const struct err *err)
{
    log_err(LOG_LEVEL_DEBUG, MODULE, "not_asked", err);
    cardsweep_go_on(sweep, SLACK_CHECK_RETRY_MS);
}

static void
call(struct cardsweep *sweep, enum webapi_method method, struct span body, webapi_done_fn *done)
{
    const struct webapi_call call = {.method = method, .priority = WEBAPI_BACKGROUND, .body = body};
    struct err err = ERR_INIT;

    sweep->busy = true;
    if (webapi_call(sweep->webapi, &call, done, sweep, &err) != ERR_OK) {
        try_later(sweep, &err);
    }
}

static void take(char *room, size_t size, struct span text)
{
    (void)snprintf(room, size, "%.*s", text.size < size ? (int)text.size : 0,
                   text.data == NULL ? "" : text.data); /* an id that does not fit is no id */
}

static void on_identity(void *arg, const struct webapi_answer *answer)
{
    struct cardsweep *sweep = arg;

    if (answer->outcome != WEBAPI_OK) {
        cardsweep_go_on(sweep, SLACK_CHECK_RETRY_MS);
        return;
    }
    take(sweep->user_id, sizeof sweep->user_id, json_text(answer->json, "user_id"));
    take(sweep->bot_id, sizeof sweep->bot_id, json_text(answer->json, "bot_id"));
    sweep->known = true;
    cardsweep_go_on(sweep, 0);
}

void cardsweep_ask_identity(struct cardsweep *sweep)
{
    call(sweep, WEBAPI_AUTH_TEST, SPAN_NONE, on_identity);
}

static void
on_cards(void *arg, enum err_code rc, const struct err *err, const struct service_cards *cards)
{
    struct cardsweep *sweep = arg;

    if (rc != ERR_OK) {
        try_later(sweep, err);
        return;
    }
    for (size_t i = 0; i < cards->count; i++) {
        cardcheck_add(sweep->check, &cards->cards[i]);
    }
    sweep->some = sweep->some || cards->direct;
    sweep->next = cards->next;
    sweep->has_next = true;
    sweep->last = !cards->more;
    /* Of a day with many outcomes there are many pages, and each is a read before a press. */
    cardsweep_go_on(sweep, cards->more ? SLACK_CHECK_PACE_MS : 0);
}

void cardsweep_ask_cards(struct cardsweep *sweep)
{
    const struct service_cards_query query = {.ended = sweep->ended, .direct = sweep->direct};
    struct err err = ERR_INIT;

    sweep->busy = true;
    if (service_cards_list(sweep->service, &query, sweep->has_next ? &sweep->next : NULL, on_cards,
                           sweep, &err) != ERR_OK) {
        try_later(sweep, &err);
    }
}

/* What the page holds of ours, and how far down it reaches. */
static void read_page(struct cardsweep *sweep, const struct json *answer)
{
    const struct cardseen_self self = {.user_id = sweep->user_id, .bot_id = sweep->bot_id};
    const struct json *message = json_first(json_get(answer, "messages"));
    uint64_t low_us = 0;
    uint64_t at_us = 0;

    while (message != NULL) {
        struct cardseen seen;

        if (cardseen_time(json_text(message, "ts"), &at_us) && (low_us == 0 || at_us < low_us)) {
            low_us = at_us;
        }
        if (cardseen_read(message, &self, &seen)) {
            cardcheck_see(sweep->check, &seen);
        }
        message = json_next(message);
    }
    cardcheck_answer(sweep->check, low_us,
                     json_bool(answer, "has_more", false) ||
                         json_text(answer, "response_metadata.next_cursor").size > 0);
}

static void be_blind(struct cardsweep *sweep, const struct webapi_answer *answer)
{
    /* Both are of one answer: what is missing here is not what is missing elsewhere. */
    if (sweep->now.blind_error[0] == '\0') { /* the first: channels come before people */
        take(sweep->now.blind_error, sizeof sweep->now.blind_error, answer->error);
        take(sweep->now.blind_scope, sizeof sweep->now.blind_scope, answer->needed);
    }
    cardcheck_blind(sweep->check);
}

/* No answer: again after a moment, and not for ever. What Slack limits is no failure of the page.
 */
static void fail_page(struct cardsweep *sweep, const struct webapi_answer *answer)
{
    uint64_t pause_ms = answer->retry_after_ms > 0 ? answer->retry_after_ms : SLACK_CHECK_RETRY_MS;

    sweep->tries += answer->retry_after_ms == 0 && !span_is(answer->error, "queue_wait");
    if (sweep->tries >= SLACK_CHECK_TRY_COUNT) {
        sweep->tries = 0;
        cardcheck_skip(sweep->check);
    }
    cardsweep_go_on(sweep, pause_ms);
}

static void on_page(void *arg, const struct webapi_answer *answer)
{
    struct cardsweep *sweep = arg;

    switch (answer->outcome) {
    case WEBAPI_OK:
        read_page(sweep, answer->json);
        break;
    case WEBAPI_PERMANENT:
        be_blind(sweep, answer);
        break;
    case WEBAPI_RETRY:
    case WEBAPI_UNKNOWN:
    case WEBAPI_REFUSED:
        fail_page(sweep, answer);
        return;
    }
    sweep->tries = 0;
    cardsweep_go_on(sweep, 0);
}

static enum err_code add_time(struct buf *form, const char *name, uint64_t at_us, struct err *err)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, at_us / 1000000,
                   at_us % 1000000); /* fits: 20 digits and a point */
    return webapi_form_add(form, name, span_text(text), err);
}

/* The page from now on is given an end too: with a beginning alone Slack's history may come from
 * the oldest message on. */
static uint64_t latest_of(const struct cardsweep *sweep, const struct cardcheck_page *page)
{
    uint64_t now_us = clock_wall_ms(sweep->clock) * 1000;

    now_us = now_us < page->newest_us ? page->newest_us : now_us; /* our clock is behind */
    return page->latest_us == UINT64_MAX ? now_us + SLACK_CHECK_MARGIN_US : page->latest_us;
}

static enum err_code build_form(const struct cardsweep *sweep,
                                const struct cardcheck_page *page,
                                struct buf *form,
                                struct err *err)
{
    char limit[16];
    enum err_code rc;

    (void)snprintf(limit, sizeof limit, "%d",
                   sweep->tries == 0 ? SLACK_CHECK_PAGE_COUNT : SLACK_CHECK_SHORT_COUNT); /* fits */
    rc = webapi_form_add(form, "channel", span_text(page->channel), err);
    if (rc == ERR_OK) {
        rc = add_time(form, "latest", latest_of(sweep, page), err);
    }
    if (rc == ERR_OK) {
        rc = add_time(form, "oldest", page->oldest_us, err);
    }
    if (rc == ERR_OK) {
        rc = webapi_form_add(form, "inclusive", SPAN_LITERAL("true"), err);
    }
    if (rc == ERR_OK) {
        rc = webapi_form_add(form, "limit", span_text(limit), err);
    }
    if (rc == ERR_OK) {
        rc = webapi_form_add(form, "include_all_metadata", SPAN_LITERAL("true"), err);
    }
    return rc;
}

void cardsweep_ask_page(struct cardsweep *sweep, const struct cardcheck_page *page)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(FORM_SIZE_MAX, &form, &err);

    if (rc == ERR_OK) {
        rc = build_form(sweep, page, form, &err);
    }
    if (rc != ERR_OK) {
        try_later(sweep, &err);
        return;
    }
    call(sweep, WEBAPI_CONVERSATIONS_HISTORY, buf_span(form), on_page);
}

/* A copy is gone, or will be seen by the next sweep. */
static void on_removed(void *arg, const struct webapi_answer *answer)
{
    struct cardsweep *sweep = arg;

    if (answer->outcome == WEBAPI_OK) {
        metric_add(sweep->copies, 1);
        sweep->now.copies++;
    }
    log_fields(LOG_LEVEL_WARNING, MODULE,
               answer->outcome == WEBAPI_OK ? "copy_removed" : "copy_not_removed",
               LOG_TEXT("channel", sweep->copy_channel), LOG_TEXT("ts", sweep->copy_ts),
               LOG_SPAN("error", answer->error));
    cardsweep_go_on(sweep, 0);
}

/* A second card of a request: both work, but people should see one. */
static void remove_copy(struct cardsweep *sweep)
{
    AUTO_BUF struct buf *body = NULL;
    AUTO_JSON struct json *json = json_new_object();
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(FORM_SIZE_MAX, &body, &err);

    json_add_text(json, "channel", span_text(sweep->copy_channel));
    json_add_text(json, "ts", span_text(sweep->copy_ts));
    if (rc == ERR_OK) {
        rc = json_print(json, body, &err);
    }
    if (rc != ERR_OK) {
        try_later(sweep, &err);
        return;
    }
    call(sweep, WEBAPI_CHAT_DELETE, buf_span(body), on_removed);
}

static void note_repair(struct cardsweep *sweep, const struct service_card_item *item)
{
    char id[REQUEST_ID_TEXT_SIZE];

    request_id_format(&item->key.request, id);
    switch (item->fate) {
    case CARD_HELD:
        sweep->now.repaired++;
        metric_add(sweep->repaired, 1);
        log_fields(LOG_LEVEL_INFO, MODULE, "repaired", LOG_TEXT("request", id),
                   LOG_TEXT("ts", item->ts));
        break;
    case CARD_STUCK:
        sweep->now.stuck++;
        break;
    case CARD_MOVED:
        break;
    }
}

static void on_settled(void *arg,
                       enum err_code rc,
                       const struct err *err,
                       const struct service_card_item *items,
                       size_t count)
{
    struct cardsweep *sweep = arg;

    if (rc != ERR_OK) { /* the next sweep sees them again */
        log_err(LOG_LEVEL_WARNING, MODULE, "not_repaired", err);
        cardsweep_go_on(sweep, SLACK_CHECK_RETRY_MS);
        return;
    }
    if (count == 1 && !items[0].repair && items[0].fate == CARD_HELD) {
        remove_copy(sweep);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (items[i].repair) {
            note_repair(sweep, &items[i]);
        }
    }
    cardsweep_go_on(sweep, 0);
}

void cardsweep_settle(struct cardsweep *sweep, const struct service_card_item *items, size_t count)
{
    struct err err = ERR_INIT;

    sweep->busy = true;
    if (service_cards_settle(sweep->service, items, count, on_settled, sweep, &err) != ERR_OK) {
        try_later(sweep, &err);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile.c: was a message of ours posted after all?
 * Owns the search through a history: pages, bounds, what counts as ours.
 * Never posts or changes anything; never adopts a message of another app when our bot is known. */
#include "approvald/slack/outbound/reconcile.h"

#include "approvald/slack/outbound/cardseen.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RECONCILE_FORM_SIZE_MAX   2048 /* bytes: eight short fields and a cursor */
#define RECONCILE_CURSOR_SIZE_MAX 512  /* bytes: those seen have 30 */

struct reconcile {
    struct webapi *webapi; /* borrowed */
    reconcile_done_fn *done;
    void *arg;
    struct reconcile_query query; /* its texts point to those below */
    char channel[CORE_NAME_SIZE_MAX + 1];
    char thread[SLACK_TS_SIZE_MAX + 1];
    char request_id[REQUEST_ID_TEXT_SIZE];
    char surface[16];
    char user_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char bot_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char cursor[RECONCILE_CURSOR_SIZE_MAX + 1];
    uint32_t pages;
};

static bool copy(char *room, size_t room_size, struct span text)
{
    if (text.size >= room_size) {
        return false;
    }
    if (text.size > 0) {
        memcpy(room, text.data, text.size);
    }
    room[text.size] = '\0';
    return true;
}

bool reconcile_matches(const struct json *message, const struct reconcile_query *query)
{
    const struct json *payload = json_path(message, "metadata.event_payload");
    const struct cardseen_self self = {.user_id = query->user_id, .bot_id = query->bot_id};
    uint64_t item = 0;

    if (!span_is(json_text(message, "metadata.event_type"), CARD_EVENT_TYPE) ||
        !span_is(json_text(payload, "request_id"), query->request_id) ||
        !span_is(json_text(payload, "surface"), query->surface)) {
        return false;
    }
    if (query->item > 0 && (!json_u64(payload, "item", &item) || item != query->item)) {
        return false;
    }
    return cardseen_is_ours(message, &self) && json_text(message, "ts").size > 0 &&
           json_text(message, "ts").size <= SLACK_TS_SIZE_MAX;
}

bool reconcile_shows(const struct json *message, const struct reconcile_query *query)
{
    const struct cardseen_self self = {.user_id = query->user_id, .bot_id = query->bot_id};
    struct cardseen seen;

    return query->revision > 0 && cardseen_read(message, &self, &seen) && !seen.altered &&
           seen.revision == query->revision;
}

static enum err_code add_time(struct buf *form, const char *name, uint64_t wall_ms, struct err *err)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64 "000", wall_ms / 1000,
                   wall_ms % 1000); /* fits: 20 digits and seven characters */
    return webapi_form_add(form, name, span_text(text), err);
}

/* With an end as well: by a beginning alone Slack's history may come from the oldest message on,
 * and a search that has not come to the newest when its pages are over would miss what it is for.
 */
static enum err_code add_times(const struct reconcile *search, struct buf *form, struct err *err)
{
    uint64_t oldest_ms = search->query.oldest_ms;
    enum err_code rc;

    oldest_ms -= oldest_ms > SLACK_RECONCILE_MARGIN_MS ? SLACK_RECONCILE_MARGIN_MS : oldest_ms;
    rc = add_time(form, "oldest", oldest_ms, err);
    if (rc == ERR_OK && search->thread[0] == '\0') {
        rc = add_time(form, "latest", search->query.latest_ms + SLACK_RECONCILE_MARGIN_MS, err);
    }
    return rc;
}

static enum err_code build_form(const struct reconcile *search, struct buf *form, struct err *err)
{
    char limit[16];
    enum err_code rc;

    (void)snprintf(limit, sizeof limit, "%d", SLACK_RECONCILE_PAGE_COUNT);
    rc = webapi_form_add(form, "channel", span_text(search->channel), err);
    if (rc == ERR_OK && search->thread[0] != '\0') {
        rc = webapi_form_add(form, "ts", span_text(search->thread), err);
    }
    if (rc == ERR_OK) {
        rc = add_times(search, form, err);
    }
    if (rc == ERR_OK) {
        rc = webapi_form_add(form, "limit", span_text(limit), err);
    }
    if (rc == ERR_OK) {
        rc = webapi_form_add(form, "include_all_metadata", SPAN_LITERAL("true"), err);
    }
    if (rc == ERR_OK && search->cursor[0] != '\0') {
        rc = webapi_form_add(form, "cursor", span_text(search->cursor), err);
    }
    return rc;
}

static webapi_done_fn on_page;

static enum err_code ask(struct reconcile *search, struct err *err)
{
    AUTO_BUF struct buf *form = NULL;
    struct webapi_call call = {
        .method =
            search->thread[0] == '\0' ? WEBAPI_CONVERSATIONS_HISTORY : WEBAPI_CONVERSATIONS_REPLIES,
        .priority = WEBAPI_NORMAL,
    };
    enum err_code rc = buf_new(RECONCILE_FORM_SIZE_MAX, &form, err);

    if (rc == ERR_OK) {
        rc = build_form(search, form, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.body = buf_span(form);
    return webapi_call(search->webapi, &call, on_page, search, err);
}

static void
finish(struct reconcile *search, enum reconcile_result result, struct span ts, struct span error)
{
    reconcile_done_fn *done = search->done;
    void *arg = search->arg;

    done(arg, result, ts, error);
    reconcile_free(search);
}

static const struct json *find(const struct json *answer, const struct reconcile_query *query)
{
    const struct json *message = json_first(json_get(answer, "messages"));

    while (message != NULL && !reconcile_matches(message, query)) {
        message = json_next(message);
    }
    return message;
}

/* The page held nothing of ours: the next one, or the end. */
static void go_on(struct reconcile *search, const struct json *answer)
{
    struct err err = ERR_INIT;
    struct span cursor = json_text(answer, "response_metadata.next_cursor");

    search->pages++;
    if (cursor.size == 0 || search->pages == SLACK_RECONCILE_PAGES_MAX ||
        !copy(search->cursor, sizeof search->cursor, cursor)) {
        finish(search, RECONCILE_ABSENT, SPAN_NONE, SPAN_NONE);
        return;
    }
    if (ask(search, &err) != ERR_OK) {
        finish(search, RECONCILE_FAILED, SPAN_NONE, span_text(err.message));
    }
}

static void on_page(void *arg, const struct webapi_answer *answer)
{
    struct reconcile *search = arg;
    const struct json *found;

    switch (answer->outcome) {
    case WEBAPI_OK:
        break;
    case WEBAPI_RETRY:
    case WEBAPI_UNKNOWN:
    case WEBAPI_REFUSED:
        finish(search, RECONCILE_FAILED, SPAN_NONE, answer->error);
        return;
    case WEBAPI_PERMANENT:
        finish(search, RECONCILE_BLIND, SPAN_NONE, answer->error);
        return;
    }
    found = find(answer->json, &search->query);
    if (found != NULL) {
        finish(search, reconcile_shows(found, &search->query) ? RECONCILE_SHOWN : RECONCILE_FOUND,
               json_text(found, "ts"), SPAN_NONE);
    } else {
        go_on(search, answer->json);
    }
}

static bool take_query(struct reconcile *search, const struct reconcile_query *query)
{
    bool fits = copy(search->channel, sizeof search->channel, query->channel) &&
                copy(search->thread, sizeof search->thread, query->thread) &&
                copy(search->request_id, sizeof search->request_id, span_text(query->request_id)) &&
                copy(search->surface, sizeof search->surface, span_text(query->surface)) &&
                copy(search->user_id, sizeof search->user_id, span_text(query->user_id)) &&
                copy(search->bot_id, sizeof search->bot_id, span_text(query->bot_id));

    search->query = (struct reconcile_query){
        .channel = span_text(search->channel),
        .thread = span_text(search->thread),
        .oldest_ms = query->oldest_ms,
        .latest_ms = query->latest_ms,
        .request_id = search->request_id,
        .surface = search->surface,
        .item = query->item,
        .revision = query->revision,
        .user_id = search->user_id,
        .bot_id = search->bot_id,
    };
    return fits;
}

enum err_code reconcile_start(struct webapi *webapi,
                              const struct reconcile_query *query,
                              reconcile_done_fn *done,
                              void *arg,
                              struct reconcile **ret_reconcile,
                              struct err *err)
{
    struct reconcile *search = mem_new(1, sizeof *search);
    enum err_code rc;

    ASSERT(done != NULL);
    if (search == NULL) {
        return err_set(err, ERR_NOMEM, "search for a message");
    }
    search->webapi = webapi;
    search->done = done;
    search->arg = arg;
    if (!take_query(search, query)) {
        reconcile_free(search);
        return err_set(err, ERR_INVALID, "search for a message: an id is too long");
    }
    rc = ask(search, err);
    if (rc != ERR_OK) {
        reconcile_free(search);
        return rc;
    }
    *ret_reconcile = search;
    return ERR_OK;
}

void reconcile_free(struct reconcile *reconcile)
{
    mem_free(reconcile);
}

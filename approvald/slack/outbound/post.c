/* SPDX-License-Identifier: Apache-2.0 */
/* post.c: one attempt to show in Slack what a row owes.
 * Owns the steps of an attempt and its texts, rendered once at the start from the newest state.
 * Never decides when to try again, never writes to the store, never repeats a post whose fate is
 * unknown without looking for it first. */
#include "approvald/slack/outbound/post_internal.h"

#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/outbound/reconcile.h"
#include "approvald/slack/outbound/sendfate.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <stdio.h>
#include <string.h>

/* The result, once, and the end of post. */
static void finish(struct post *post, enum outbox_result result, const char *error)
{
    delivery_done_fn *done = post->done;
    void *arg = post->arg;
    struct delivery_result answer = {.outcome = {.result = result,
                                                 .revision = post->revision,
                                                 .item_id = post->item_id,
                                                 .away = post->away}};

    if (result == OUTBOX_RETRY && post->doubtful) {
        answer.outcome.result = OUTBOX_UNKNOWN; /* the earlier attempt is still open */
    }
    if (result == OUTBOX_SENT && outbox_is_level(post->surface)) {
        answer.outcome.channel = span_text(post->channel);
        answer.outcome.ts = span_text(post->ts);
    }
    answer.outcome.error = span_text(error);
    answer.retry_ms = post->retry_ms;
    answer.rest_ms = post->rest_ms;
    done(arg, &answer);
    post_free(post);
}

static enum err_code send(struct post *post, enum post_step step, struct err *err);

static void step_or_finish(struct post *post, enum post_step step)
{
    struct err err = ERR_INIT;

    if (send(post, step, &err) != ERR_OK) {
        finish(post, OUTBOX_RETRY, err.message);
    }
}

static bool take(char *room, size_t room_size, struct span text)
{
    if (text.size == 0 || text.size >= room_size) {
        return false;
    }
    memcpy(room, text.data, text.size);
    room[text.size] = '\0';
    return true;
}

/* Where Slack put a new message. */
static void posted(struct post *post, const struct webapi_answer *answer)
{
    bool kept = outbox_is_level(post->surface);

    if (kept && (!take(post->channel, sizeof post->channel, json_text(answer->json, "channel")) ||
                 !take(post->ts, sizeof post->ts, json_text(answer->json, "ts")))) {
        post->away = true;
        finish(post, OUTBOX_UNKNOWN, "Slack's answer does not say where the message is");
        return;
    }
    finish(post, OUTBOX_SENT, "");
}

static void died(struct post *post, const struct webapi_answer *answer)
{
    const char *advice = sendfate_advice(answer->error, span_text(post->target));
    char error[POST_ERROR_SIZE];

    (void)snprintf(error, sizeof error, "%.*s: %s", SPAN_ARGS(answer->error),
                   advice); /* cut at worst */
    log_fields(LOG_LEVEL_ERROR, "slack", "message_refused", LOG_TEXT("request", post->request_id),
               LOG_TEXT("target", post->target), LOG_SPAN("error", answer->error),
               LOG_SPAN("detail", answer->detail), LOG_TEXT("advice", advice));
    finish(post, OUTBOX_DEAD, error);
}

/* Slack refuses our blocks: the same as text, once. */
static void go_plain(struct post *post, const struct webapi_answer *answer)
{
    if (post->text != TEXT_MAIN) {
        died(post, answer);
        return;
    }
    metric_add(post->poster->plain, 1);
    log_fields(LOG_LEVEL_ERROR, "slack", "blocks_refused", LOG_TEXT("request", post->request_id),
               LOG_SPAN("error", answer->error), LOG_SPAN("detail", answer->detail));
    post->text = TEXT_PLAIN;
    step_or_finish(post, post->step);
}

static enum sendfate_try try_of(const struct post *post)
{
    switch (post->step) {
    case STEP_POST:
        return post->surface == SURFACE_THREAD ? TRY_REPLY : TRY_POST;
    case STEP_UPDATE:
        return TRY_UPDATE;
    case STEP_EPHEMERAL:
        return TRY_EPHEMERAL;
    case STEP_OUTCOME:
        return TRY_REPLY;
    case STEP_DIRECT:
        break;
    }
    return TRY_POST;
}

static void sent(struct post *post, const struct webapi_answer *answer)
{
    if (post->step == STEP_POST) {
        posted(post, answer);
    } else {
        finish(post, OUTBOX_SENT, "");
    }
}

static void failed(struct post *post, enum outbox_result result, const struct webapi_answer *answer)
{
    char error[POST_ERROR_SIZE];

    post->retry_ms = answer->retry_after_ms;
    (void)snprintf(error, sizeof error, "%.*s%s%.*s", SPAN_ARGS(answer->error),
                   answer->detail.size > 0 ? ": " : "", SPAN_ARGS(answer->detail)); /* cut */
    finish(post, result, error);
}

/* Slack does not know him, or no more: nobody will read it. */
static void drop(struct post *post, const struct webapi_answer *answer)
{
    if (outbox_is_shown(post->surface)) {
        metric_add(post->poster->untold, 1);
        log_fields(LOG_LEVEL_WARNING, "slack", "person_not_told",
                   LOG_TEXT("request", post->request_id), LOG_TEXT("target", post->target),
                   LOG_SPAN("error", answer->error),
                   LOG_TEXT("advice", "is this the id of an active member of the workspace?"));
    }
    failed(post, OUTBOX_DROP, answer);
}

/* A notice cannot be looked for. That Slack did not answer in time the second time, too, is more
 * likely a slow Slack, which shows each of them, than one that shows none. */
static bool is_said(const struct post *post, const struct webapi_answer *answer)
{
    return post->surface == SURFACE_NOTICE && post->again && span_is(answer->error, "timeout");
}

static void on_answer(void *arg, const struct webapi_answer *answer)
{
    struct post *post = arg;

    switch (sendfate_of(try_of(post), answer->outcome, answer->error)) {
    case FATE_SENT:
        sent(post, answer);
        break;
    case FATE_RETRY:
        failed(post, OUTBOX_RETRY, answer);
        break;
    case FATE_UNKNOWN:
        post->away = true;
        failed(post, is_said(post, answer) ? OUTBOX_DROP : OUTBOX_UNKNOWN, answer);
        break;
    case FATE_LOST:
        failed(post, OUTBOX_LOST, answer);
        break;
    case FATE_DROP:
        drop(post, answer);
        break;
    case FATE_PLAIN:
        go_plain(post, answer);
        break;
    case FATE_DIRECT:
        step_or_finish(post, STEP_DIRECT);
        break;
    case FATE_REPLY:
        if (post->told) {
            finish(post, OUTBOX_SENT, "");
            break;
        }
        post->text = TEXT_OUTCOME;
        step_or_finish(post, STEP_OUTCOME);
        break;
    case FATE_DEAD:
        died(post, answer);
        break;
    }
}

/* Where a step's message goes. */
static struct texts_address address_of(const struct post *post, enum post_step step)
{
    struct texts_address to = {.post = true, .channel = "", .ts = "", .thread = "", .user = ""};

    switch (step) {
    case STEP_POST:
        to.channel = post->target;
        to.thread = post->thread;
        break;
    case STEP_UPDATE:
        to.post = false;
        to.channel = post->channel;
        to.ts = post->ts;
        break;
    case STEP_EPHEMERAL:
        to.post = false;
        to.channel = post->channel;
        to.thread = post->thread;
        to.user = post->target;
        break;
    case STEP_DIRECT:
        to.channel = post->target;
        break;
    case STEP_OUTCOME:
        to.channel = post->channel;
        to.thread = post->ts;
        break;
    }
    return to;
}

static enum webapi_method method_of(enum post_step step)
{
    switch (step) {
    case STEP_UPDATE:
        return WEBAPI_CHAT_UPDATE;
    case STEP_EPHEMERAL:
        return WEBAPI_CHAT_POST_EPHEMERAL;
    case STEP_POST:
    case STEP_DIRECT:
    case STEP_OUTCOME:
        break;
    }
    return WEBAPI_CHAT_POST_MESSAGE;
}

static enum err_code send(struct post *post, enum post_step step, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    struct texts_address to = address_of(post, step);
    struct webapi_call call = {
        .method = method_of(step),
        .priority = post->surface == SURFACE_NOTICE ? WEBAPI_URGENT : WEBAPI_NORMAL,
        .channel = span_text(to.channel),
    };
    enum err_code rc = buf_new(SLACK_MESSAGE_SIZE_MAX + 1024, &body, err);

    post->step = step;
    if (rc == ERR_OK) {
        rc = texts_body(&post->texts, post->text, &to, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.body = buf_span(body);
    return webapi_call(post->poster->webapi, &call, on_answer, post, err);
}

/* A copy that may be there, of a request that has ended, is only looked for. */
static void look_again(struct post *post, const char *error)
{
    post->rest_ms = SLACK_RECONCILE_AGAIN_MS;
    finish(post, OUTBOX_UNKNOWN, error);
}

/* Nothing of an earlier attempt is there. Who was not asked is not told how it ended. */
static void post_anew(struct post *post)
{
    if (!post->over) {
        post->doubtful = false;
        step_or_finish(post, STEP_POST);
    } else if (post->young) {
        look_again(post, "it is looked whether it arrives late");
    } else {
        finish(post, OUTBOX_DROP, "");
    }
}

/* It cannot be looked for. A second message does less harm than none; but no message says how a
 * request ended of which nobody may have been told, and one that is there would go on asking. */
static void go_blind(struct post *post, struct span error)
{
    char text[POST_ERROR_SIZE];

    if (!post->over) {
        post->doubtful = false;
        step_or_finish(post, STEP_POST);
        return;
    }
    if (sendfate_of(TRY_POST, WEBAPI_PERMANENT, error) == FATE_DROP) {
        finish(post, OUTBOX_DROP, ""); /* nobody reads it */
        return;
    }
    (void)snprintf(text, sizeof text, "could not look whether it was posted: %.*s: %s",
                   SPAN_ARGS(error),
                   sendfate_advice(error, span_text(post->target))); /* cut at worst */
    look_again(post, text);
}

/* The search for an earlier copy has ended. */
static void on_searched(void *arg, enum reconcile_result result, struct span ts, struct span error)
{
    struct post *post = arg;
    struct poster *poster = post->poster;

    post->search = NULL;
    switch (result) {
    case RECONCILE_FOUND:
    case RECONCILE_SHOWN:
        if (result == RECONCILE_FOUND) {
            post->revision = 0; /* where it is, not what it shows: the next attempt updates it */
        }
        metric_add(poster->found, 1);
        (void)take(post->ts, sizeof post->ts, ts); /* a match has a ts that fits */
        finish(post, OUTBOX_SENT, "");
        return;
    case RECONCILE_FAILED:
        finish(post, OUTBOX_UNKNOWN, "could not look whether the message was posted already");
        return;
    case RECONCILE_BLIND:
        metric_add(poster->blind, 1);
        if (!poster->blind_told) {
            log_fields(LOG_LEVEL_WARNING, "slack", "history_unreadable", LOG_SPAN("error", error),
                       LOG_TEXT("advice", "without a history scope a message may appear twice "
                                          "after an outage; both copies work"));
        }
        poster->blind_told = true;
        go_blind(post, error);
        return;
    case RECONCILE_ABSENT:
        metric_add(poster->absent, 1);
        post_anew(post);
        return;
    }
}

/* Now, by Slack's clock, as far as it is known. */
static uint64_t slack_now_ms(const struct post *post)
{
    struct webapi_status status;
    uint64_t skew_ms;

    webapi_status(post->poster->webapi, &status);
    if (!status.skew_known || status.skew_s >= 0) {
        return post->now_ms + (status.skew_known ? (uint64_t)status.skew_s * 1000 : 0);
    }
    skew_ms = (uint64_t)-status.skew_s * 1000;
    return post->now_ms - (skew_ms < post->now_ms ? skew_ms : post->now_ms);
}

static enum err_code search(struct post *post, struct err *err)
{
    uint64_t now_ms = slack_now_ms(post);
    struct reconcile_query query = {
        .channel = span_text(post->channel),
        .thread = span_text(post->thread),
        /* It was wanted before now, whatever the clock of the host that wrote so said. */
        .oldest_ms = post->oldest_ms < now_ms ? post->oldest_ms : now_ms,
        .latest_ms = now_ms,
        .request_id = post->request_id,
        .surface = post->surface == SURFACE_CARD     ? "card"
                   : post->surface == SURFACE_THREAD ? "thread"
                                                     : "direct",
        .item = post->surface == SURFACE_THREAD ? post->item_id : 0,
        .revision = outbox_is_shown(post->surface) ? post->revision : 0,
        .user_id = post->poster->identity.user_id,
        .bot_id = post->poster->identity.bot_id,
    };

    return reconcile_start(post->poster->webapi, &query, on_searched, post, &post->search, err);
}

/* The channel of a direct message is known: its history can be searched. */
static void on_opened(void *arg, const struct webapi_answer *answer)
{
    struct post *post = arg;
    struct err err = ERR_INIT;

    if (answer->outcome == WEBAPI_PERMANENT) { /* the post itself will say what is wrong */
        go_blind(post, answer->error);
        return;
    }
    if (answer->outcome != WEBAPI_OK) {
        failed(post, OUTBOX_UNKNOWN, answer);
        return;
    }
    if (!take(post->channel, sizeof post->channel, json_text(answer->json, "channel.id"))) {
        finish(post, OUTBOX_UNKNOWN, "conversations.open: no channel in the answer");
        return;
    }
    if (search(post, &err) != ERR_OK) {
        finish(post, OUTBOX_UNKNOWN, err.message);
    }
}

static enum err_code open_direct(struct post *post, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    AUTO_JSON struct json *users = json_new_object();
    struct webapi_call call = {.method = WEBAPI_CONVERSATIONS_OPEN, .priority = WEBAPI_NORMAL};
    enum err_code rc = buf_new(SLACK_URL_SIZE_MAX, &body, err);

    json_add_text(users, "users", span_text(post->target));
    if (rc == ERR_OK) {
        rc = json_print(users, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.body = buf_span(body);
    return webapi_call(post->poster->webapi, &call, on_opened, post, err);
}

/* The first step of an attempt. */
static enum err_code begin(struct post *post, struct err *err)
{
    if (post->surface == SURFACE_NOTICE) {
        return send(post, post->channel[0] == '\0' ? STEP_DIRECT : STEP_EPHEMERAL, err);
    }
    if (post->ts[0] != '\0') {
        return send(post, STEP_UPDATE, err);
    }
    if (!post->doubtful) {
        return send(post, STEP_POST, err);
    }
    return post->channel[0] == '\0' ? open_direct(post, err) : search(post, err);
}

/* May what an earlier attempt posted still arrive? The last call that posts it was before the end.
 * An end to come is one of a clock that was ahead: then the tries count. */
static bool is_young(const struct delivery *delivery)
{
    uint64_t ended_ms = delivery->request->ended_ms;

    return ended_ms > delivery->now_ms ? delivery->row->attempts < SLACK_RECONCILE_TRY_COUNT
                                       : delivery->now_ms - ended_ms < SLACK_RECONCILE_LATE_MS;
}

/* Copies what the steps need; the texts are rendered already. */
static void take_row(struct post *post, const struct delivery *delivery)
{
    const struct outbox_row *row = delivery->row;
    bool level = outbox_is_level(row->surface);

    post->surface = row->surface;
    post->now_ms = delivery->now_ms;
    post->item_id = level ? 0 : row->items[0].id;
    if (level) {
        ASSERT(delivery->request != NULL); /* else it was settled */
        post->revision = delivery->request->revision;
        post->oldest_ms = delivery->request->created_ms;
    } else {
        post->oldest_ms = row->items[0].at_ms;
    }
    request_id_format(&row->request, post->request_id);
    (void)take(post->target, sizeof post->target, row->target); /* as the store bounds it */
    (void)take(post->channel, sizeof post->channel, row->channel);
    if (row->surface == SURFACE_NOTICE) {
        (void)take(post->thread, sizeof post->thread, row->ts); /* where it was pressed, if any */
    } else if (row->surface == SURFACE_THREAD) {
        (void)take(post->channel, sizeof post->channel, row->target);
        ASSERT(delivery->card != NULL); /* else it was settled */
        (void)take(post->thread, sizeof post->thread, delivery->card->ts);
        if (slack_user_is_valid(row->target)) { /* a thread is in a channel, D… here */
            (void)take(post->target, sizeof post->target, delivery->card->channel);
            (void)take(post->channel, sizeof post->channel, delivery->card->channel);
        }
    } else {
        (void)take(post->ts, sizeof post->ts, row->ts);
    }
    post->told = row->repairs > 0; /* else its revision would be a new one */
    post->over = sendfate_is_ended_copy(delivery);
    post->young = post->over && is_young(delivery);
    if (row->surface == SURFACE_CARD && !outbox_is_copy(row) && post->channel[0] == '\0') {
        (void)take(post->channel, sizeof post->channel, row->target);
    }
    post->again = row->attempted;
    post->doubtful =
        row->attempted && row->surface != SURFACE_NOTICE && (!level || post->ts[0] == '\0');
}

enum err_code poster_start(struct poster *poster,
                           const struct delivery *delivery,
                           delivery_done_fn *done,
                           void *arg,
                           struct err *err)
{
    struct post *post = mem_new(1, sizeof *post);
    struct card card = {
        .request = delivery->request,
        .policy = delivery->policy,
        .cluster = poster->cluster,
        .workspace_url =
            poster->identity.workspace_url[0] == '\0' ? NULL : poster->identity.workspace_url,
        .reader = delivery->row->surface == SURFACE_DIRECT ? delivery->row->target : SPAN_NONE,
        .channel = delivery->card == NULL ? SPAN_NONE : delivery->card->channel,
        .ts = delivery->card == NULL ? SPAN_NONE : delivery->card->ts,
    };
    enum err_code rc;

    if (post == NULL) {
        return err_set(err, ERR_NOMEM, "attempt");
    }
    post->poster = poster;
    post->done = done;
    post->arg = arg;
    post->next = poster->posts;
    if (post->next != NULL) {
        post->next->previous = post;
    }
    poster->posts = post;
    rc = texts_init(&post->texts, &card, delivery->row, err);
    if (rc == ERR_OK) {
        take_row(post, delivery);
        rc = begin(post, err);
    }
    if (rc != ERR_OK) {
        post_free(post);
    }
    return rc;
}

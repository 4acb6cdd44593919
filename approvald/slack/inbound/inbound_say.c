/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_say.c: a sentence for one person about what he has just done.
 * Owns the ways and their order: response_url, else an ephemeral message where he is, else a direct
 * one. A way that has certainly failed (the address is spent, old or not Slack's; the app is not in
 * the channel) is followed by the next one, once. Best effort; inbound_notice has what must arrive
 * owed by the service.
 * Never carries text of people: all sentences are ours and constant. */
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"

#define MODULE "slack_inbound"

static struct span channel_of(const struct saying *saying, enum saying_way way)
{
    return slack_id_span(way == SAYING_DIRECT ? &saying->user : &saying->channel);
}

static bool is_passable(const struct saying *saying, enum saying_way way, struct span url)
{
    switch (way) {
    case SAYING_RESPONSE:
        return url.size > 0;
    case SAYING_EPHEMERAL:
        return saying->user.size > 0 && saying->channel.size > 0;
    case SAYING_DIRECT: /* Slack opens the conversation */
        return saying->user.size > 0;
    case SAYING_NOWHERE:
        break;
    }
    return false;
}

static enum err_code
make_body(const struct saying *saying, enum saying_way way, struct buf *body, struct err *err)
{
    AUTO_JSON struct json *json = json_new_object();

    json_add_text(json, "text", span_text(saying->sentence));
    if (way == SAYING_RESPONSE) {
        json_add_text(json, "response_type", SPAN_LITERAL("ephemeral"));
        json_add_bool(json, "replace_original", false);
    } else {
        json_add_text(json, "channel", channel_of(saying, way));
    }
    if (way == SAYING_EPHEMERAL) {
        json_add_text(json, "user", slack_id_span(&saying->user));
    }
    return json_print(json, body, err);
}

static webapi_done_fn on_said;

static enum err_code
try_way(struct saying *saying, enum saying_way way, struct span url, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    struct webapi *webapi = saying->inbound->webapi;
    struct webapi_call call = {
        .method = way == SAYING_DIRECT ? WEBAPI_CHAT_POST_MESSAGE : WEBAPI_CHAT_POST_EPHEMERAL,
        .priority = WEBAPI_URGENT,
        .channel = way == SAYING_DIRECT ? channel_of(saying, way) : SPAN_NONE};
    enum err_code rc = buf_new(SLACK_VIEW_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = make_body(saying, way, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    saying->way = way;
    call.body = buf_span(body);
    return way == SAYING_RESPONSE
               ? webapi_respond(webapi, url, buf_span(body), on_said, saying, err)
               : webapi_call(webapi, &call, on_said, saying, err);
}

/* By the first way from here on that takes it. url: only for the first one. */
static void say_from(struct saying *saying, enum saying_way way, struct span url)
{
    struct err err = ERR_INIT;

    for (; way != SAYING_NOWHERE; way++) {
        if (is_passable(saying, way, url) && try_way(saying, way, url, &err) == ERR_OK) {
            return;
        }
    }
    if (err.code != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "not_said", &err);
    }
    saying->used = false;
}

/* What may have been said is not said again: a response_url answers with a word and no JSON. */
static void on_said(void *arg, const struct webapi_answer *answer)
{
    struct saying *saying = arg;

    ASSERT(saying->used);
    if (answer->outcome == WEBAPI_PERMANENT || answer->outcome == WEBAPI_RETRY) {
        say_from(saying, saying->way + 1, SPAN_NONE);
    } else {
        saying->used = false;
    }
}

/* False: nothing is on its way. */
static bool say(struct slack_inbound *inbound, const struct saying *what, struct span url)
{
    for (size_t i = 0; i < SLACK_SAYING_COUNT_MAX; i++) {
        struct saying *saying = &inbound->sayings[i];

        if (!saying->used) {
            *saying = *what;
            saying->used = true;
            saying->inbound = inbound;
            say_from(saying, SAYING_RESPONSE, url);
            return saying->used; /* an answer never comes from inside a call */
        }
    }
    log_fields(LOG_LEVEL_INFO, MODULE, "not_said", LOG_TEXT("reason", "too many under way"));
    return false;
}

void inbound_say(struct slack_inbound *inbound, const struct payload *payload, const char *sentence)
{
    struct saying saying = {.sentence = sentence};

    /* An id that is too long is none, and stays empty. */
    (void)slack_id_set(&saying.user, payload->user);
    (void)slack_id_set(&saying.channel, payload->channel);
    if (payload->response_url.size == 0 && !is_passable(&saying, SAYING_EPHEMERAL, SPAN_NONE)) {
        return; /* an old button of the home tab: not worth a message of its own */
    }
    (void)say(inbound, &saying, payload->response_url); /* best effort */
}

bool inbound_say_to(struct slack_inbound *inbound,
                    const struct slack_id *user,
                    const struct slack_id *channel,
                    const char *sentence)
{
    struct saying saying = {.sentence = sentence, .user = *user, .channel = *channel};

    return say(inbound, &saying, SPAN_NONE);
}

void inbound_tell(struct inflight *flight, const char *sentence)
{
    struct saying saying = {.sentence = sentence, .user = flight->user, .channel = flight->channel};

    /* Best effort. */
    (void)say(flight->inbound, &saying, flight->text == NULL ? SPAN_NONE : buf_span(flight->text));
}

static void on_owed(void *arg, enum err_code rc, const struct err *err)
{
    struct inflight *flight = arg;

    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        log_err(LOG_LEVEL_WARNING, MODULE, "notice_not_owed", err);
    }
    inflight_drop(flight);
}

void inbound_notice(struct inflight *flight, const char *sentence)
{
    struct err err = ERR_INIT;

    inflight_hold(flight);
    if (service_notice(flight->inbound->service, &flight->id, slack_id_span(&flight->user),
                       slack_id_span(&flight->channel), slack_word_span(&flight->thread_ts),
                       span_text(sentence), on_owed, flight, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "notice_not_owed", &err);
        inflight_drop(flight);
    }
}

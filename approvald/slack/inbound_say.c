/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_say.c: a sentence for one person about what he has just done.
 * Owns the choice of the way: response_url, else an ephemeral message where he is, else a direct
 * one. Best effort: what must arrive is owed by the service (service_notice).
 * Never carries text of people: all sentences are ours. */
#include "approvald/slack/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/webapi.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"

#define MODULE "slack_inbound"

struct place {
    struct span response_url; /* or empty */
    struct span channel;      /* or empty */
    struct span user;
};

static void on_said(void *arg, const struct webapi_answer *answer)
{
    (void)arg;    /* nobody waits for it */
    (void)answer; /* best effort: the client has counted and logged it */
}

static enum err_code respond(struct slack_inbound *inbound,
                             struct span url,
                             const char *sentence,
                             struct buf *body,
                             struct err *err)
{
    AUTO_JSON struct json *json = json_new_object();
    enum err_code rc;

    json_add_text(json, "text", span_text(sentence));
    json_add_text(json, "response_type", SPAN_LITERAL("ephemeral"));
    json_add_bool(json, "replace_original", false);
    rc = json_print(json, body, err);
    return rc == ERR_OK ? webapi_respond(inbound->webapi, url, buf_span(body), on_said, NULL, err)
                        : rc;
}

/* Where there is no channel, to the person himself: Slack opens the conversation. */
static enum err_code post(struct slack_inbound *inbound,
                          const struct place *place,
                          const char *sentence,
                          struct buf *body,
                          struct err *err)
{
    AUTO_JSON struct json *json = json_new_object();
    bool direct = place->channel.size == 0;
    struct webapi_call call = {.method =
                                   direct ? WEBAPI_CHAT_POST_MESSAGE : WEBAPI_CHAT_POST_EPHEMERAL,
                               .priority = WEBAPI_URGENT,
                               .channel = direct ? place->user : SPAN_NONE};
    enum err_code rc;

    json_add_text(json, "text", span_text(sentence));
    json_add_text(json, "channel", direct ? place->user : place->channel);
    if (!direct) {
        json_add_text(json, "user", place->user);
    }
    rc = json_print(json, body, err);
    call.body = buf_span(body);
    return rc == ERR_OK ? webapi_call(inbound->webapi, &call, on_said, NULL, err) : rc;
}

/* A response_url that is not Slack's is not used, and the sentence is said all the same. */
static enum err_code
say(struct slack_inbound *inbound, const struct place *place, const char *sentence, struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    enum err_code rc = buf_new(SLACK_VIEW_SIZE_MAX, &body, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (place->response_url.size > 0) {
        rc = respond(inbound, place->response_url, sentence, body, err);
        if (rc != ERR_INVALID || place->user.size == 0) {
            return rc;
        }
        buf_clear(body);
    }
    return post(inbound, place, sentence, body, err);
}

void inbound_say(struct slack_inbound *inbound, const struct payload *payload, const char *sentence)
{
    struct place place = {
        .response_url = payload->response_url, .channel = payload->channel, .user = payload->user};
    struct err err = ERR_INIT;

    if (place.response_url.size == 0 && (place.channel.size == 0 || place.user.size == 0)) {
        return; /* an old button of the home tab: not worth a message of its own */
    }
    if (say(inbound, &place, sentence, &err) != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "not_said", &err);
    }
}

void inbound_tell(struct inflight *flight, const char *sentence)
{
    struct place place = {.response_url = flight->text == NULL ? SPAN_NONE : buf_span(flight->text),
                          .channel = slack_id_span(&flight->channel),
                          .user = slack_id_span(&flight->user)};
    struct err err = ERR_INIT;

    if (say(flight->inbound, &place, sentence, &err) != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "not_said", &err);
    }
}

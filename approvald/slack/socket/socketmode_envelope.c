/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode_envelope.c: what Slack says over a socket, and our acknowledgements.
 * Owns the envelopes under way and the form of an acknowledgement.
 * Never acknowledges what inbound has not answered with 2xx, never acknowledges on another socket
 * than the one that delivered, never sends a reply that Slack would drop for its size. */
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/socket/socketmode_internal.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#include <string.h>

#define MODULE   "slack_socket"
#define TOO_LONG "{\"text\":\"The answer is too long to be shown here. Use approvalctl.\"}"

/* Acknowledgements. */

static enum err_code
make_ack(const struct socket_reply *reply, struct span payload, struct buf *text, struct err *err)
{
    enum err_code rc = buf_append_format(text, err, "{\"envelope_id\":\"%s\"", reply->id);

    if (rc == ERR_OK && payload.size > 0) {
        rc = buf_append_text(text, ",\"payload\":", err);
        rc = rc == ERR_OK ? buf_append_span(text, payload, err) : rc;
    }
    return rc == ERR_OK ? buf_append_text(text, "}", err) : rc;
}

static bool acknowledge(struct socket_reply *reply, struct span payload)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SOCKET_REPLY_SIZE_MAX, &text, &err);

    if (rc == ERR_OK) {
        rc = make_ack(reply, payload, text, &err);
    }
    if (rc == ERR_TOO_LARGE) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "reply_too_large", LOG_NUMBER("size", payload.size));
        buf_clear(text);
        rc = make_ack(reply, reply->is_command ? SPAN_LITERAL(TOO_LONG) : SPAN_NONE, text, &err);
    }
    return rc == ERR_OK && socketmode_send(reply->slot, buf_span(text));
}

/* Only JSON travels in an acknowledgement; other bodies are for HTTP. */
static struct span payload_of(const struct socket_reply *reply, const struct slack_reply *answer)
{
    bool is_json =
        answer->content_type != NULL && strncmp(answer->content_type, "application/json", 16) == 0;

    return reply->takes_payload && is_json ? answer->body : SPAN_NONE;
}

static void on_reply(void *arg, const struct slack_reply *answer)
{
    struct socket_reply *reply = arg;
    struct socket_slot *slot = reply->slot;
    struct socketmode *mode = slot->mode;
    bool durable = answer->status >= 200 && answer->status < 300;

    if (durable && acknowledge(reply, payload_of(reply, answer))) {
        metric_add(mode->acknowledged, 1);
    } else {
        metric_add(mode->unacknowledged, 1);
        log_fields(LOG_LEVEL_WARNING, MODULE, "not_acknowledged",
                   LOG_NUMBER("status", answer->status),
                   LOG_TEXT("hint", "Slack delivers it again, or shows that it failed"));
    }
    ASSERT(slot->reply_count > 0);
    TAILQ_REMOVE(&slot->replies, reply, link);
    TAILQ_INSERT_HEAD(&mode->spare, reply, link);
    slot->reply_count--;
    slot->news.busy = true;
    socketmode_wake(mode);
}

/* Envelopes. */

/* Ids are Slack's UUIDs; the characters are such that they need no escape in JSON. */
static bool is_id(struct span id)
{
    static const char good[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:";

    if (id.size == 0 || id.size > SOCKET_ID_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.size; i++) {
        if (memchr(good, id.data[i], sizeof good - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static bool path_of(struct span type, enum slack_path *ret_path)
{
    static const struct {
        const char *word;
        enum slack_path path;
    } paths[] = {{"interactive", SLACK_PATH_INTERACTIONS},
                 {"slash_commands", SLACK_PATH_COMMANDS},
                 {"events_api", SLACK_PATH_EVENTS}};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (span_is(type, paths[i].word)) {
            *ret_path = paths[i].path;
            return true;
        }
    }
    return false;
}

static struct socket_reply *begin(struct socket_slot *slot, const struct json *json)
{
    struct socket_reply *reply = TAILQ_FIRST(&slot->mode->spare);
    struct span id = json_text(json, "envelope_id");

    if (reply == NULL) {
        return NULL;
    }
    TAILQ_REMOVE(&slot->mode->spare, reply, link);
    TAILQ_INSERT_TAIL(&slot->replies, reply, link);
    memcpy(reply->id, id.data, id.size);
    reply->id[id.size] = '\0';
    reply->slot = slot;
    reply->takes_payload = json_bool(json, "accepts_response_payload", false);
    reply->is_command = span_is(json_text(json, "type"), "slash_commands");
    slot->reply_count++;
    slot->news.busy = true;
    return reply;
}

/* json is taken. */
static void on_envelope(struct socket_slot *slot, struct json *json)
{
    static const struct slack_reply nothing_to_do = {.status = 200};
    struct slack_envelope envelope = {.root = json,
                                      .object = json_get(json, "payload"),
                                      .retry_reason = json_text(json, "retry_reason")};
    struct socket_reply *reply = begin(slot, json);

    metric_add(slot->mode->envelopes, 1);
    if (reply == NULL) {
        metric_add(slot->mode->unacknowledged, 1);
        json_free(json);
        return;
    }
    if (!json_u64(json, "retry_attempt", &envelope.retry_num)) {
        envelope.retry_num = 0;
    }
    if (path_of(json_text(json, "type"), &envelope.path)) {
        slack_inbound_take(slot->mode->inbound, &envelope, on_reply, reply);
    } else {
        log_fields(LOG_LEVEL_WARNING, MODULE, "unknown_type",
                   LOG_SPAN("type", json_text(json, "type")));
        json_free(json);
        on_reply(reply, &nothing_to_do);
    }
}

/* The socket's own messages. */

static void on_hello(struct socket_slot *slot, const struct json *json)
{
    uint64_t count = 0;
    uint64_t lifetime_s = 0;

    if (!json_u64(json, "num_connections", &count) || count > UINT32_MAX) {
        count = 0;
    }
    if (!json_u64(json, "debug_info.approximate_connection_time", &lifetime_s) ||
        lifetime_s > UINT32_MAX) {
        lifetime_s = 0;
    }
    slot->greeted = true;
    slot->news.hello = true;
    slot->news.count = (uint32_t)count;
    slot->news.lifetime_s = (uint32_t)lifetime_s;
    log_fields(LOG_LEVEL_INFO, MODULE, "greeted", LOG_NUMBER("slot", slot->index),
               LOG_NUMBER("connections", count), LOG_NUMBER("lifetime_s", lifetime_s),
               LOG_SPAN("app", json_text(json, "connection_info.app_id")));
}

static void on_disconnect(struct socket_slot *slot, const struct json *json)
{
    struct span word = json_text(json, "reason");
    enum socketlife_reason reason = SOCKETLIFE_REFRESH;

    if (span_is(word, "warning")) {
        reason = SOCKETLIFE_WARNING;
    } else if (span_is(word, "link_disabled")) {
        reason = SOCKETLIFE_LINK_DISABLED;
    } else if (span_is(word, "too_many_websockets")) {
        reason = SOCKETLIFE_TOO_MANY;
    }
    slot->news.disconnect = true;
    slot->news.reason = reason;
    socketmode_set_error(slot->mode, word);
    log_fields(LOG_LEVEL_INFO, MODULE, "disconnect", LOG_NUMBER("slot", slot->index),
               LOG_SPAN("reason", word));
}

/* After a stop or a closing handshake nothing can be acknowledged any more: it is not even begun,
 * and Slack delivers it to whoever holds a socket next. */
static bool takes_envelopes(const struct socket_slot *slot)
{
    return slot->mode->running && slot->greeted && !slot->closing;
}

void socketmode_on_message(struct socket_slot *slot, struct span text)
{
    struct json *json = NULL;
    struct err err = ERR_INIT;
    struct span type;

    if (json_parse(text, SOCKET_ENVELOPE_SIZE_MAX, &json, &err) != ERR_OK) {
        metric_add(slot->mode->malformed, 1);
        log_err(LOG_LEVEL_WARNING, MODULE, "malformed", &err);
        return;
    }
    type = json_text(json, "type");
    if (span_is(type, "hello")) {
        on_hello(slot, json);
    } else if (span_is(type, "disconnect")) {
        on_disconnect(slot, json);
    } else if (!is_id(json_text(json, "envelope_id"))) {
        metric_add(slot->mode->malformed, 1);
        log_fields(LOG_LEVEL_WARNING, MODULE, "no_envelope", LOG_SPAN("type", type));
    } else if (takes_envelopes(slot)) {
        on_envelope(slot, json);
        json = NULL;
    }
    json_free(json);
    socketmode_wake(slot->mode);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode_slot.c: one socket: its connection and its WebSocket.
 * Owns the bytes in both directions.
 * Never reads a message, never decides whether a socket is wanted, never frees the stream whose
 * event is running: the end is news for the core, which lets the slot go. */
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/socket/socketmode_internal.h"
#include "approvald/slack/wire/websocket.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/fetch.h"
#include "base/fetch_stream.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "config.h"

#define MODULE "slack_socket"

static void over(struct socket_slot *slot, const struct err *err)
{
    if (slot->news.closed) {
        return;
    }
    slot->news.closed = true;
    if (!slot->closing) {
        socketmode_set_error(slot->mode, span_text(err->message));
        log_fields(
            LOG_LEVEL_INFO, MODULE, "ended", LOG_NUMBER("slot", slot->index),
            LOG_NUMBER("status", slot->websocket == NULL ? 0 : websocket_status(slot->websocket)),
            LOG_TEXT("reason", err->message));
    }
    socketmode_wake(slot->mode);
}

/* What the engine has made leaves. */
static void push(struct socket_slot *slot)
{
    struct span output = websocket_output(slot->websocket);
    struct err err = ERR_INIT;

    if (slot->feeding || !slot->connected || output.size == 0) {
        return;
    }
    if (fetch_stream_write(slot->stream, output, &err) != ERR_OK) {
        over(slot, &err);
    }
    websocket_sent(slot->websocket);
}

static void on_ready(void *arg)
{
    struct socket_slot *slot = arg;

    slot->connected = true;
    push(slot); /* the upgrade request waits there */
}

static void on_input(void *arg, struct span bytes)
{
    struct socket_slot *slot = arg;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (slot->news.closed) {
        return;
    }
    slot->news.heard = true;
    slot->feeding = true;
    rc = websocket_feed(slot->websocket, bytes, &err);
    slot->feeding = false;
    push(slot);
    if (rc == ERR_OK && websocket_is_over(slot->websocket)) {
        rc = err_set(&err, ERR_UNAVAILABLE, "Slack has closed the socket");
    }
    if (rc != ERR_OK) {
        over(slot, &err);
    }
    socketmode_wake(slot->mode);
}

static void on_ended(void *arg, const struct err *err)
{
    struct socket_slot *slot = arg;

    slot->connected = false;
    over(slot, err);
}

static void on_opened(void *arg)
{
    (void)arg; /* Slack's hello counts, not this */
}

static void on_message(void *arg, bool is_text, struct span bytes)
{
    struct socket_slot *slot = arg;

    if (is_text) {
        socketmode_on_message(slot, bytes);
    } else {
        metric_add(slot->mode->malformed, 1);
    }
}

static enum err_code dial(struct socket_slot *slot, struct buf *address, struct err *err)
{
    struct websocket_options options = {
        .url = slot->url,
        .rng = rng_host(),
        .user_agent = "approvald/" PACKAGE_VERSION,
        .message_size_max = SOCKET_ENVELOPE_SIZE_MAX,
        .events = {.opened = on_opened, .message = on_message, .arg = slot},
    };
    struct fetch_stream_events events = {
        .ready = on_ready, .input = on_input, .ended = on_ended, .arg = slot};
    enum err_code rc = websocket_address(slot->url, address, err);

    if (rc == ERR_OK) {
        rc = websocket_new(&options, &slot->websocket, err);
    }
    return rc == ERR_OK ? fetch_stream_new(slot->mode->fetch, buf_text(address),
                                           SOCKET_DIAL_TIMEOUT_MS, &events, &slot->stream, err)
                        : rc;
}

void socketmode_dial(struct socket_slot *slot)
{
    AUTO_BUF struct buf *address = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SOCKET_URL_SIZE_MAX + 2, &address, &err);

    ASSERT(slot->stream == NULL && slot->websocket == NULL);
    if (rc == ERR_OK) {
        rc = dial(slot, address, &err);
    }
    mem_wipe(slot->url, sizeof slot->url); /* a ticket serves once */
    if (rc != ERR_OK) {
        over(slot, &err);
    }
}

void socketmode_ping(struct socket_slot *slot)
{
    struct err err = ERR_INIT;

    if (websocket_ping(slot->websocket, &err) == ERR_OK) {
        push(slot);
    } /* else it is closing, and its end will come */
}

void socketmode_close(struct socket_slot *slot)
{
    struct err err = ERR_INIT;

    slot->closing = true;
    if (websocket_close(slot->websocket, WEBSOCKET_CLOSE_GOING_AWAY, &err) == ERR_OK) {
        push(slot);
    } /* else Slack was first */
}

bool socketmode_send(struct socket_slot *slot, struct span text)
{
    struct err err = ERR_INIT;

    if (slot->news.closed || websocket_send(slot->websocket, text, &err) != ERR_OK) {
        return false;
    }
    push(slot);
    return !slot->news.closed;
}

void socketmode_drop(struct socket_slot *slot)
{
    struct socket_reply *reply;

    ASSERT(!slot->feeding);
    while ((reply = TAILQ_FIRST(&slot->replies)) != NULL) {
        slack_inbound_forget(slot->mode->inbound, reply);
        metric_add(slot->mode->unacknowledged, 1);
        TAILQ_REMOVE(&slot->replies, reply, link);
        TAILQ_INSERT_HEAD(&slot->mode->spare, reply, link);
    }
    fetch_cancel(slot->asking);
    fetch_stream_free(slot->stream);
    websocket_free(slot->websocket);
    mem_wipe(slot->url, sizeof slot->url);
    slot->asking = NULL;
    slot->stream = NULL;
    slot->websocket = NULL;
    slot->connected = false;
    slot->greeted = false;
    slot->closing = false;
    slot->reply_count = 0;
    slot->news = (struct socket_news){.answered = false};
}

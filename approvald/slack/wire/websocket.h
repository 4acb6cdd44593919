/* SPDX-License-Identifier: Apache-2.0 */
/* websocket.h: the client's half of one WebSocket (RFC 6455), as an engine that takes bytes in and
 * hands bytes out; it owns no socket. The one file over wslay.
 *
 * It makes the upgrade request and checks its answer, puts fragments together, answers pings,
 * echoes the closing handshake, and refuses what breaks the protocol, is not UTF-8 or is larger
 * than allowed. Every message of ours is one masked, unfragmented frame. The URL's path is a
 * secret (a ticket): it is in no error, and is wiped. */
#ifndef APPROVALD_SLACK_WIRE_WEBSOCKET_H
#define APPROVALD_SLACK_WIRE_WEBSOCKET_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct rng;
struct websocket;

#define WEBSOCKET_CLOSE_NORMAL     1000
#define WEBSOCKET_CLOSE_GOING_AWAY 1001

/* Called from inside websocket_feed; may send and close, never free. */
struct websocket_events {
    void (*opened)(void *arg);
    /* A whole message; text is valid UTF-8. */
    void (*message)(void *arg, bool is_text, struct span bytes);
    void *arg;
};

struct websocket_options {
    const char *url;       /* wss://… or ws://… */
    const struct rng *rng; /* borrowed */
    const char *user_agent;
    size_t message_size_max;
    struct websocket_events events;
};

/* The upgrade request is in the output at once. ERR_INVALID: the URL is no WebSocket's. ERR_NOMEM.
 */
enum err_code websocket_new(const struct websocket_options *options,
                            struct websocket **ret_socket,
                            struct err *err) WARN_UNUSED;
void websocket_free(struct websocket *socket); /* NULL is allowed */

/* Appends the URL with https for wss and http for ws: where to connect. ERR_INVALID as above. */
enum err_code websocket_address(const char *url, struct buf *address, struct err *err) WARN_UNUSED;

/* Bytes of the peer. ERR_DENIED: it refuses the upgrade (the message has the status). ERR_PROTOCOL:
 * it broke the protocol. ERR_FULL, ERR_NOMEM. After an error only the output counts, which may hold
 * a closing frame that says why. */
enum err_code
websocket_feed(struct websocket *socket, struct span bytes, struct err *err) WARN_UNUSED;

/* What has to be sent; valid until the next call. websocket_sent forgets it. */
struct span websocket_output(const struct websocket *socket);
void websocket_sent(struct websocket *socket);

/* Text in one frame. ERR_UNAVAILABLE: not open (yet, or any more). ERR_FULL, ERR_NOMEM. */
enum err_code
websocket_send(struct websocket *socket, struct span text, struct err *err) WARN_UNUSED;
enum err_code websocket_ping(struct websocket *socket, struct err *err) WARN_UNUSED;
/* Begins the closing handshake; nothing can be sent after it. ERR_UNAVAILABLE as above. */
enum err_code
websocket_close(struct websocket *socket, uint16_t status, struct err *err) WARN_UNUSED;

bool websocket_is_open(const struct websocket *socket);
/* Both closing frames have passed: the connection may end. */
bool websocket_is_over(const struct websocket *socket);
/* The peer's closing status; 0: none came. */
uint16_t websocket_status(const struct websocket *socket);

#endif

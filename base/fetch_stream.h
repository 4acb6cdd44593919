/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_stream.h: a connection for a protocol of the caller's, made as fetch makes its own: names,
 * proxy (always by CONNECT, with its credentials), no_proxy, TLS with verified certificates,
 * private CA file. On the event loop, never blocks; bytes in, bytes out, no word of what they mean.
 *
 * Each stream has a curl loop of its own: curl takes a waiting connection with unread bytes for a
 * dead one and closes it when another call of the same loop looks for a connection to reuse. */
#ifndef BASE_FETCH_STREAM_H
#define BASE_FETCH_STREAM_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch;
struct fetch_stream;

/* On the loop, never from inside a call of this header. None may free the stream. */
struct fetch_stream_events {
    void (*ready)(void *arg); /* connected, through proxy and TLS */
    void (*input)(void *arg, struct span bytes);
    /* Not connected, or no longer: the last event. */
    void (*ended)(void *arg, const struct err *err);
    void *arg;
};

/* url: https://… or http://…; of it only scheme, host and port count, and no path is sent. The
 * options of fetch are copied. ERR_INVALID (URL), ERR_NOMEM, ERR_FATAL: no event comes. */
enum err_code fetch_stream_new(struct fetch *fetch,
                               const char *url,
                               uint32_t connect_timeout_ms,
                               const struct fetch_stream_events *events,
                               struct fetch_stream **ret_stream,
                               struct err *err) WARN_UNUSED;
/* Closes the connection at once. Not from inside an event. NULL is allowed. */
void fetch_stream_free(struct fetch_stream *stream);

/* Sends bytes (copied), now or when there is room. Only between ready and ended. ERR_FULL: the peer
 * has not taken what waits; nothing of this was kept. */
enum err_code
fetch_stream_write(struct fetch_stream *stream, struct span bytes, struct err *err) WARN_UNUSED;

#endif

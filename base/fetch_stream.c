/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_stream.c: a plain connection through libcurl (CONNECT_ONLY).
 * Owns the handle, the connection and what waits to be written.
 * Never reads more in one turn of the loop than its limit, never knows what the bytes mean, never
 * frees itself. */
#include "base/fetch_stream.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/fetch_call.h"
#include "base/fetch_loop.h"
#include "base/limits.h"
#include "base/mem.h"

#include <event2/event.h>

enum stream_state {
    STREAM_CONNECTING,
    STREAM_READY,
    STREAM_ENDED,
};

struct fetch_stream {
    struct fetch_loop *loop; /* owned */
    struct fetch_call *call; /* owned; its handle stays added as long as it is read and written */
    enum stream_state state;
    struct fetch_stream_events events;
    struct event *readable; /* owned */
    struct event *writable; /* owned */
    struct buf *output;     /* owned: what the socket had no room for */
    struct event_base *base;
};

static void end(struct fetch_stream *stream, const struct err *err)
{
    if (stream->state == STREAM_ENDED) {
        return;
    }
    stream->state = STREAM_ENDED;
    if (stream->readable != NULL) {
        (void)event_del(stream->readable); /* fails only for an event that is none */
    }
    if (stream->writable != NULL) {
        (void)event_del(stream->writable);
    }
    stream->events.ended(stream->events.arg, err);
}

static void end_code(struct fetch_stream *stream, CURLcode code, const char *what)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_UNAVAILABLE, "%s: %s: %s", stream->call->host, what,
            curl_easy_strerror(code));
    end(stream, &err);
}

static void end_closed(struct fetch_stream *stream)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_UNAVAILABLE, "%s: the connection was closed", stream->call->host);
    end(stream, &err);
}

/* What TLS has decrypted is not seen by the loop: it is read until there is nothing, or the turn is
 * used up and goes on in the next. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct fetch_stream *stream = arg;
    char bytes[FETCH_STREAM_READ_SIZE];
    size_t total = 0;

    (void)fd;
    (void)what; /* one kind */
    while (stream->state == STREAM_READY) {
        size_t size = 0;
        CURLcode code = curl_easy_recv(stream->call->easy, bytes, sizeof bytes, &size);

        if (code == CURLE_AGAIN) {
            return;
        }
        if (code != CURLE_OK) {
            end_code(stream, code, "receiving");
        } else if (size == 0) {
            end_closed(stream);
        } else {
            stream->events.input(stream->events.arg, span_of(bytes, size));
            total += size;
        }
        if (stream->state == STREAM_READY && total >= FETCH_STREAM_PASS_SIZE_MAX) {
            event_active(stream->readable, EV_READ, 0);
            return;
        }
    }
}

static void flush(struct fetch_stream *stream)
{
    while (stream->state == STREAM_READY && buf_size(stream->output) > 0) {
        struct span rest = buf_span(stream->output);
        size_t size = 0;
        CURLcode code = curl_easy_send(stream->call->easy, rest.data, rest.size, &size);

        if (code == CURLE_AGAIN || (code == CURLE_OK && size == 0)) {
            (void)event_add(stream->writable, NULL); /* without it the peer's silence ends us */
            return;
        }
        if (code != CURLE_OK) {
            end_code(stream, code, "sending");
            return;
        }
        buf_consume(stream->output, size);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what; /* one kind */
    flush(arg);
}

static enum err_code watch(struct fetch_stream *stream, struct err *err)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(stream->call->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        return err_set(err, ERR_UNAVAILABLE, "%s: the connection was closed", stream->call->host);
    }
    stream->readable = event_new(stream->base, fd, EV_READ | EV_PERSIST, on_readable, stream);
    stream->writable = event_new(stream->base, fd, EV_WRITE, on_writable, stream);
    if (stream->readable == NULL || stream->writable == NULL ||
        event_add(stream->readable, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "%s", stream->call->host);
    }
    return ERR_OK;
}

/* curl has connected, or given up. */
static void on_connected(void *arg, CURL *easy, CURLcode code)
{
    struct fetch_stream *stream = arg;
    struct err err = ERR_INIT;

    ASSERT(easy == stream->call->easy);
    if (stream->state != STREAM_CONNECTING) {
        return;
    }
    if (code != CURLE_OK) {
        fetch_call_explain(stream->call, code, &err);
        end(stream, &err);
        return;
    }
    if (watch(stream, &err) != ERR_OK) {
        end(stream, &err);
        return;
    }
    stream->state = STREAM_READY;
    stream->events.ready(stream->events.arg);
    if (stream->state == STREAM_READY) {
        event_active(stream->readable, EV_READ, 0); /* TLS may have read ahead */
    }
}

static enum err_code make(struct fetch_stream *stream,
                          struct fetch *fetch,
                          const struct fetch_request *request,
                          struct err *err)
{
    CURL *easy;
    enum err_code rc = fetch_call_new(fetch_settings_of(fetch), request, NULL, &stream->call, err);

    if (rc == ERR_OK) {
        rc = buf_new(FETCH_STREAM_OUTPUT_SIZE_MAX, &stream->output, err);
    }
    if (rc == ERR_OK) {
        rc = fetch_loop_new(stream->base, 1, on_connected, stream, &stream->loop, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    stream->call->drop_unsent = false; /* the last words before its end are to arrive */
    easy = stream->call->easy;
    if (curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L) != CURLE_OK) {
        return err_set(err, ERR_FATAL, "libcurl refuses a plain connection");
    }
    return fetch_loop_add(stream->loop, easy, err);
}

enum err_code fetch_stream_new(struct fetch *fetch,
                               const char *url,
                               uint32_t connect_timeout_ms,
                               const struct fetch_stream_events *events,
                               struct fetch_stream **ret_stream,
                               struct err *err)
{
    struct fetch_request request = {.method = "GET",
                                    .url = url,
                                    .timeout_ms = connect_timeout_ms,
                                    .connect_timeout_ms = connect_timeout_ms};
    struct fetch_stream *stream = mem_new(1, sizeof *stream);
    enum err_code rc;

    ASSERT(events->ready != NULL && events->input != NULL && events->ended != NULL);
    if (stream == NULL) {
        return err_set(err, ERR_NOMEM, "stream");
    }
    stream->base = fetch_base_of(fetch);
    stream->events = *events;
    ASSERT(stream->base != NULL);
    rc = make(stream, fetch, &request, err);
    if (rc != ERR_OK) {
        fetch_stream_free(stream);
        return err_wrap(err, rc, "stream");
    }
    *ret_stream = stream;
    return ERR_OK;
}

void fetch_stream_free(struct fetch_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    if (stream->readable != NULL) {
        event_free(stream->readable);
    }
    if (stream->writable != NULL) {
        event_free(stream->writable);
    }
    if (stream->loop != NULL) {
        fetch_loop_remove(stream->loop, stream->call->easy); /* not added: refused and harmless */
    }
    fetch_call_free(stream->call);
    fetch_loop_free(stream->loop);
    if (stream->output != NULL) {
        buf_wipe(stream->output);
        buf_free(stream->output);
    }
    mem_free(stream);
}

enum err_code fetch_stream_write(struct fetch_stream *stream, struct span bytes, struct err *err)
{
    enum err_code rc;

    if (stream->state != STREAM_READY) {
        return err_set(err, ERR_UNAVAILABLE, "%s: the connection was closed", stream->call->host);
    }
    if (bytes.size > buf_room(stream->output)) {
        return err_set(err, ERR_FULL, "%s: takes nothing", stream->call->host);
    }
    rc = buf_append_span(stream->output, bytes, err);
    if (rc == ERR_OK) {
        event_active(stream->writable, EV_WRITE, 0); /* sent by the loop, not by our caller */
    }
    return rc;
}

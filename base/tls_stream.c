/* SPDX-License-Identifier: Apache-2.0 */
/* tls_stream.c: one TLS connection as a filter on libevent's socket bufferevent.
 * Owns the connection's mbedTLS state and the moment at which bytes leave.
 * Never lets written bytes count as gone before the kernel has them: evhttp closes a connection as
 * soon as its output is empty, and would cut the end of a response that waited encrypted. So
 * reading goes through the socket bufferevent, and writing straight to its descriptor.
 *
 * libevent's filters, as of 2.1.12, leave two things to us. Output added while writing is disabled
 * is not looked at when writing is enabled (evhttp does just that), so a callback on the output
 * schedules a pass at the end of the loop's turn, which also joins header and body to one record.
 * And a filter's error result is ignored, so failures are reported as events. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tls.h"
#include "base/tls_material.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <mbedtls/net_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define TLS_READ_SIZE 4096 /* bytes of room per read: requests are smaller */

struct tls_stream {
    struct bufferevent *bev;        /* the filter; owns us */
    struct bufferevent *underlying; /* the filter's */
    struct tls_material *material;  /* a reference */
    mbedtls_ssl_context ssl;
    struct buf *flight;    /* handshake bytes on their way out; NULL once through */
    struct event pass;     /* at the end of the turn */
    struct event writable; /* the descriptor takes bytes again */
    size_t retry_size;     /* of the write that mbedTLS wants repeated */
    bool begun;
    bool ready;  /* the handshake is over */
    bool told;   /* our close_notify is out */
    bool paused; /* had its share of this turn */
    bool ended;  /* failed, or the peer closed */
};

/* The filter's owner has freed it, and libevent will free us at the end of the turn: it unhooks the
 * filter from the socket first. */
static bool stream_is_freed(const struct tls_stream *stream)
{
    bufferevent_data_cb on_read;

    bufferevent_getcb(stream->underlying, &on_read, NULL, NULL, NULL);
    return on_read == NULL;
}

static void stream_end(struct tls_stream *stream, short what)
{
    if (!stream->ended) {
        stream->ended = true;
        bufferevent_trigger_event(stream->bev, what, BEV_TRIG_DEFER_CALLBACKS);
    }
}

static void stream_wait_writable(struct tls_stream *stream)
{
    if (event_add(&stream->writable, NULL) != 0) {
        stream_end(stream, BEV_EVENT_WRITING | BEV_EVENT_ERROR);
    }
}

/* In the loop's next turn: an event made active now would still run in this one. */
static void stream_later(struct tls_stream *stream)
{
    const struct timeval now = {.tv_sec = 0};

    if (event_add(&stream->pass, &now) != 0) {
        stream_end(stream, BEV_EVENT_WRITING | BEV_EVENT_ERROR);
    }
}

/* Bytes that the kernel took, or mbedTLS' word for none. */
static int stream_send(struct tls_stream *stream, const void *data, size_t size)
{
    ssize_t sent = send(bufferevent_getfd(stream->underlying), data, size, MSG_NOSIGNAL);

    if (sent >= 0) {
        return (int)sent;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return MBEDTLS_ERR_NET_SEND_FAILED;
}

/* Sends what the handshake has written: 0, or mbedTLS' word for what is in the way. */
static int stream_flight(struct tls_stream *stream)
{
    while (stream->flight != NULL && buf_size(stream->flight) > 0) {
        struct span bytes = buf_span(stream->flight);
        int sent = stream_send(stream, bytes.data, bytes.size);

        if (sent < 0) {
            return sent;
        }
        buf_consume(stream->flight, (size_t)sent);
    }
    if (stream->ready) {
        buf_free(stream->flight);
        stream->flight = NULL;
    }
    return 0;
}

/* mbedTLS sends: a handshake gathers, so that a flight is one packet train; the rest goes out. */
static int on_send(void *arg, const unsigned char *data, size_t size)
{
    struct tls_stream *stream = arg;
    int result;

    if (!stream->ready) {
        return buf_append(stream->flight, data, size, NULL) == ERR_OK
                   ? (int)size
                   : MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    result = stream_flight(stream);
    return result == 0 ? stream_send(stream, data, size) : result;
}

static int on_receive(void *arg, unsigned char *room, size_t size)
{
    struct tls_stream *stream = arg;
    int got = evbuffer_remove(bufferevent_get_input(stream->underlying), room, size);

    return got > 0 ? got : MBEDTLS_ERR_SSL_WANT_READ;
}

static void on_pass(evutil_socket_t fd, short events, void *arg);

/* The first bytes are here, and so is the descriptor. */
static void stream_begin(struct tls_stream *stream)
{
    evutil_socket_t fd = bufferevent_getfd(stream->underlying);
    int one = 1;

    ASSERT(fd >= 0);
    stream->begun = true;
    (void)event_assign(&stream->writable, bufferevent_get_base(stream->bev), fd, EV_WRITE, on_pass,
                       stream);
    /* Not for a unix socket; a connection without it is only slower. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* close_notify. A peer that misses it may take the response for cut, and OpenSSL's then forget the
 * session, so that the next connection costs a whole handshake. */
static void stream_tell(struct tls_stream *stream)
{
    if (stream->ready && !stream->told) {
        stream->told = true;
        (void)mbedtls_ssl_close_notify(&stream->ssl); /* the peer may be gone */
    }
}

/* True once the handshake is over. */
static bool stream_handshake(struct tls_stream *stream)
{
    int result;
    int sent;

    if (!stream->begun) {
        stream_begin(stream);
    }
    result = mbedtls_ssl_handshake(&stream->ssl);
    stream->ready = result == 0;
    if (stream->ready && evbuffer_get_length(bufferevent_get_output(stream->bev)) > 0) {
        event_active(&stream->pass, 0, 0);
    }
    sent = stream_flight(stream); /* also an alert that tells the peer why */
    if (sent == MBEDTLS_ERR_SSL_WANT_WRITE) {
        stream_wait_writable(stream);
    } else if (sent != 0) {
        stream_end(stream, BEV_EVENT_WRITING | BEV_EVENT_ERROR);
    }
    if (result != 0 && result != MBEDTLS_ERR_SSL_WANT_READ &&
        result != MBEDTLS_ERR_SSL_WANT_WRITE) {
        stream_end(stream, BEV_EVENT_READING | BEV_EVENT_ERROR);
    }
    return stream->ready;
}

/* Decrypts straight into the target's own memory. Returns as mbedtls_ssl_read. */
static int stream_read(struct tls_stream *stream, struct evbuffer *target)
{
    size_t waiting = mbedtls_ssl_get_bytes_avail(&stream->ssl);
    struct evbuffer_iovec room;
    int got;

    if (evbuffer_reserve_space(target, (ev_ssize_t)(waiting == 0 ? TLS_READ_SIZE : waiting), &room,
                               1) != 1) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    got = mbedtls_ssl_read(&stream->ssl, room.iov_base, room.iov_len);
    room.iov_len = got > 0 ? (size_t)got : 0;
    if (evbuffer_commit_space(target, &room, 1) != 0) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    return got;
}

static void stream_read_failed(struct tls_stream *stream, int result)
{
    if (result == MBEDTLS_ERR_SSL_WANT_READ) {
        return;
    }
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        stream_wait_writable(stream);
        return;
    }
    if (result == 0 || result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        if (evbuffer_get_length(bufferevent_get_output(stream->bev)) == 0) {
            stream_tell(stream);
        }
        stream_end(stream, BEV_EVENT_READING | BEV_EVENT_EOF);
        return;
    }
    stream_end(stream, BEV_EVENT_READING | BEV_EVENT_ERROR);
}

static enum bufferevent_filter_result on_input(struct evbuffer *source,
                                               struct evbuffer *target,
                                               ev_ssize_t limit,
                                               enum bufferevent_flush_mode mode,
                                               void *arg)
{
    struct tls_stream *stream = arg;
    bool produced = false;
    int got = 1;

    (void)source; /* on_receive reads it */
    (void)limit;  /* a record that was begun is finished: what mbedTLS holds has no event */
    (void)mode;
    if (stream->ended) {
        return BEV_ERROR;
    }
    if (!stream->ready && !stream_handshake(stream)) {
        return stream->ended ? BEV_ERROR : BEV_NEED_MORE;
    }
    while (got > 0) {
        got = stream_read(stream, target);
        produced = produced || got > 0;
    }
    stream_read_failed(stream, got);
    return produced ? BEV_OK : BEV_NEED_MORE;
}

/* Encrypts and sends one record from the front of source: bytes sent, or as mbedtls_ssl_write. */
static int stream_write(struct tls_stream *stream, struct evbuffer *source)
{
    size_t size = evbuffer_get_length(source);
    const unsigned char *data;
    int sent;

    size = size < MBEDTLS_SSL_OUT_CONTENT_LEN ? size : MBEDTLS_SSL_OUT_CONTENT_LEN;
    size = stream->retry_size > 0 ? stream->retry_size : size;
    data = evbuffer_pullup(source, (ev_ssize_t)size);
    if (data == NULL) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    sent = mbedtls_ssl_write(&stream->ssl, data, size);
    stream->retry_size = sent == MBEDTLS_ERR_SSL_WANT_WRITE ? size : 0;
    if (sent > 0 && evbuffer_drain(source, (size_t)sent) != 0) {
        return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
    }
    return sent;
}

static void stream_write_failed(struct tls_stream *stream, int result)
{
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        stream_wait_writable(stream);
    } else if (result != MBEDTLS_ERR_SSL_WANT_READ) {
        stream_end(stream, BEV_EVENT_WRITING | BEV_EVENT_ERROR);
    }
}

static enum bufferevent_filter_result on_output(struct evbuffer *source,
                                                struct evbuffer *target,
                                                ev_ssize_t limit,
                                                enum bufferevent_flush_mode mode,
                                                void *arg)
{
    struct tls_stream *stream = arg;
    size_t done = 0;
    int sent = 1;

    (void)target; /* written past it */
    (void)limit;
    if (stream->ended || !stream->ready || stream->paused || mode == BEV_NORMAL) {
        return BEV_NEED_MORE; /* the pass at the end of the turn takes it */
    }
    while (sent > 0 && evbuffer_get_length(source) > 0 && done < TLS_PASS_SIZE_MAX) {
        sent = stream_write(stream, source);
        done += sent > 0 ? (size_t)sent : 0;
    }
    if (evbuffer_get_length(source) == 0) {
        (void)event_del(&stream->pass); /* has nothing left to do */
    }
    if (sent <= 0) {
        stream_write_failed(stream, sent);
    } else if (done >= TLS_PASS_SIZE_MAX) {
        stream->paused = true;
        stream_later(stream);
    }
    if (mode == BEV_FINISHED && evbuffer_get_length(source) == 0 && !stream->ended) {
        stream_tell(stream);
    }
    return done > 0 ? BEV_OK : BEV_NEED_MORE;
}

/* Both events come here: there may be something to send. */
static void on_pass(evutil_socket_t fd, short events, void *arg)
{
    struct tls_stream *stream = arg;
    int result;

    (void)fd;
    (void)events;
    if (stream_is_freed(stream) || stream->ended) {
        return;
    }
    stream->paused = false;
    result = stream_flight(stream); /* a handshake's, held up */
    if (result == 0) {
        tls_flush(stream->bev);
    } else {
        stream_write_failed(stream, result);
    }
}

static void on_added(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct tls_stream *stream = arg;

    (void)output;
    if (info->n_added > 0) {
        event_active(&stream->pass, 0, 0);
    }
}

static void stream_free(void *arg)
{
    struct tls_stream *stream = arg;

    if (stream->bev != NULL) {
        stream_tell(stream); /* the descriptor is still open, unless evhttp has shut it */
    }
    (void)event_del(&stream->pass); /* fails only for an event that is none */
    if (stream->begun) {
        (void)event_del(&stream->writable);
    }
    mbedtls_ssl_free(&stream->ssl);
    tls_material_release(stream->material);
    buf_free(stream->flight);
    mem_free(stream);
}

static struct tls_stream *stream_new(struct tls_server *server, struct event_base *base)
{
    struct tls_stream *stream = mem_new(1, sizeof *stream);

    if (stream == NULL) {
        return NULL;
    }
    mbedtls_ssl_init(&stream->ssl);
    stream->material = tls_material_hold(tls_server_material(server));
    (void)event_assign(&stream->pass, base, -1, 0, on_pass, stream); /* base is one: cannot fail */
    if (buf_new(TLS_FLIGHT_SIZE_MAX, &stream->flight, NULL) != ERR_OK ||
        mbedtls_ssl_setup(&stream->ssl, &stream->material->config) != 0) {
        stream_free(stream);
        return NULL;
    }
    mbedtls_ssl_set_bio(&stream->ssl, stream, on_send, on_receive, NULL);
    return stream;
}

struct bufferevent *tls_server_bufferevent(struct tls_server *server, struct event_base *base)
{
    struct tls_stream *stream = stream_new(server, base);

    if (stream == NULL) {
        return NULL;
    }
    stream->underlying = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (stream->underlying == NULL) {
        stream_free(stream);
        return NULL;
    }
    stream->bev = bufferevent_filter_new(stream->underlying, on_input, on_output,
                                         BEV_OPT_CLOSE_ON_FREE, stream_free, stream);
    if (stream->bev == NULL) {
        bufferevent_free(stream->underlying);
        stream_free(stream);
        return NULL;
    }
    if (evbuffer_add_cb(bufferevent_get_output(stream->bev), on_added, stream) == NULL) {
        bufferevent_free(stream->bev); /* takes the rest along */
        return NULL;
    }
    return stream->bev;
}

void tls_flush(struct bufferevent *bev)
{
    (void)bufferevent_flush(bev, EV_WRITE, BEV_FLUSH); /* says only whether something was sent */
}

void tls_end(struct bufferevent *bev)
{
    (void)bufferevent_flush(bev, EV_WRITE, BEV_FINISHED); /* as above */
}

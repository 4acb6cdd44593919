/* SPDX-License-Identifier: Apache-2.0 */
/* fake_stream.c: the peer of a WebSocket for tests.
 * Owns the streams that were made; the bytes are those of the wire.
 * Never opens a socket, never says anything by itself. */
#include "tests/unit/fake_stream.h"

#include "base/assert.h"
#include "base/crypto.h"

#include <CUnit/CUnit.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* One test program runs one case at a time, so the fake may be one for all. */
static struct fetch_stream streams[FAKE_STREAM_COUNT_MAX];
static size_t stream_count;

void fake_stream_reset(void)
{
    memset(streams, 0, sizeof streams);
    stream_count = 0;
}

size_t fake_stream_count(void)
{
    return stream_count;
}

struct fetch_stream *fake_stream(size_t index)
{
    ASSERT(index < stream_count);
    return &streams[index];
}

enum err_code fetch_stream_new(struct fetch *fetch,
                               const char *url,
                               uint32_t connect_timeout_ms,
                               const struct fetch_stream_events *events,
                               struct fetch_stream **ret_stream,
                               struct err *err)
{
    struct fetch_stream *stream = &streams[stream_count];

    (void)fetch;
    (void)connect_timeout_ms;
    (void)err;
    ASSERT(stream_count < FAKE_STREAM_COUNT_MAX);
    stream_count++;
    stream->open = true;
    stream->events = *events;
    (void)snprintf(stream->url, sizeof stream->url, "%s", url);
    *ret_stream = stream;
    return ERR_OK;
}

void fetch_stream_free(struct fetch_stream *stream)
{
    if (stream != NULL) {
        ASSERT(stream->open);
        stream->open = false;
    }
}

enum err_code fetch_stream_write(struct fetch_stream *stream, struct span bytes, struct err *err)
{
    ASSERT(stream->open);
    if (bytes.size > sizeof stream->sent - stream->sent_size) {
        return err_set(err, ERR_FULL, "fake");
    }
    memcpy(stream->sent + stream->sent_size, bytes.data, bytes.size);
    stream->sent_size += bytes.size;
    return ERR_OK;
}

static void consume(struct fetch_stream *stream, size_t size)
{
    memmove(stream->sent, stream->sent + size, stream->sent_size - size);
    stream->sent_size -= size;
}

static void give(struct fetch_stream *stream, const char *bytes, size_t size)
{
    ASSERT(stream->open);
    stream->events.input(stream->events.arg, span_of(bytes, size));
}

void fake_stream_upgrade(struct fetch_stream *stream)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    struct span hashed[2] = {SPAN_NONE, SPAN_LITERAL("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")};
    uint8_t hash[CRYPTO_SHA1_SIZE];
    char accept[32];
    char answer[512];
    const char *key;

    stream->events.ready(stream->events.arg);
    key = memmem(stream->sent, stream->sent_size, name, sizeof name - 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(key);
    hashed[0] = span_of(key + sizeof name - 1, 24);
    crypto_sha1_parts(hashed, 2, hash);
    crypto_base64(hash, sizeof hash, accept);
    (void)snprintf(answer, sizeof answer,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                   accept);
    stream->sent_size = 0;
    give(stream, answer, strlen(answer));
}

void fake_stream_say(struct fetch_stream *stream, const char *text)
{
    static char frame[FAKE_STREAM_SIZE_MAX + 4];
    size_t size = strlen(text);

    CU_ASSERT_FATAL(size < FAKE_STREAM_SIZE_MAX);
    frame[0] = (char)0x81;
    frame[1] = 126;
    frame[2] = (char)(size >> 8);
    frame[3] = (char)(size & 0xff);
    for (size_t i = 0; i < size; i++) {
        frame[4 + i] = text[i];
    }
    if (size < 126) {
        frame[3] = (char)size;
        give(stream, frame, 1);
        give(stream, frame + 3, size + 1);
    } else {
        give(stream, frame, size + 4);
    }
}

void fake_stream_end(struct fetch_stream *stream)
{
    struct err err = ERR_INIT;

    err_set(&err, ERR_UNAVAILABLE, "the other end has gone");
    stream->events.ended(stream->events.arg, &err);
}

int fake_stream_hear(struct fetch_stream *stream, char *ret_text, size_t room)
{
    const uint8_t *at = (const uint8_t *)stream->sent;
    size_t head = 2;
    size_t size;
    int opcode;

    ret_text[0] = '\0';
    if (stream->sent_size == 0) {
        return 0;
    }
    CU_ASSERT_FATAL(stream->sent_size >= 6);
    opcode = at[0] & 0x0f;
    size = at[1] & 0x7f;
    CU_ASSERT((at[0] & 0xf0) == 0x80 && (at[1] & 0x80) != 0);
    if (size == 126) {
        size = (size_t)at[2] << 8 | at[3];
        head = 4;
    }
    CU_ASSERT_FATAL(stream->sent_size >= head + 4 + size && size < room);
    for (size_t i = 0; i < size; i++) {
        ret_text[i] = (char)(at[head + 4 + i] ^ at[head + i % 4]);
    }
    ret_text[size] = '\0';
    consume(stream, head + 4 + size);
    return opcode;
}

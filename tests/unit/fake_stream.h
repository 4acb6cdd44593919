/* SPDX-License-Identifier: Apache-2.0 */
/* fake_stream.h: base/fetch_stream.h without a network; the test plays Slack's end of a WebSocket.
 * Linked in the place of base/fetch_stream.c. */
#ifndef TESTS_UNIT_FAKE_STREAM_H
#define TESTS_UNIT_FAKE_STREAM_H

#include "base/fetch_stream.h"

#include <stddef.h>

#define FAKE_STREAM_COUNT_MAX 16
#define FAKE_STREAM_SIZE_MAX  65536

struct fetch_stream {
    bool open; /* made and not freed yet */
    char url[256];
    struct fetch_stream_events events;
    char sent[FAKE_STREAM_SIZE_MAX]; /* by the code under test, and not looked at yet */
    size_t sent_size;
};

void fake_stream_reset(void);
/* Streams made since the reset. */
size_t fake_stream_count(void);
struct fetch_stream *fake_stream(size_t index);
/* It is connected, and the upgrade that comes is answered as it should be. */
void fake_stream_upgrade(struct fetch_stream *stream);
/* A message of Slack's. */
void fake_stream_say(struct fetch_stream *stream, const char *text);
void fake_stream_end(struct fetch_stream *stream);
/* The opcode of the next frame that was sent, its payload as text; 0: there is none. */
int fake_stream_hear(struct fetch_stream *stream, char *ret_text, size_t room);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* link_buf.h: bytes in order through memory of a fixed size: what has come from the peer, what is
 * to go there. Pure but for the one allocation at birth. One thread's, or under its owner's lock.
 */
#ifndef STORAGE_LINK_BUF_H
#define STORAGE_LINK_BUF_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct link_buf {
    uint8_t *bytes; /* owned; NULL: not made */
    size_t capacity;
    size_t begin;
    size_t end;
};

/* ERR_NOMEM: *buf is as link_buf_done leaves it. */
enum err_code link_buf_init(struct link_buf *buf, size_t capacity, struct err *err) WARN_UNUSED;
void link_buf_done(struct link_buf *buf);
void link_buf_clear(struct link_buf *buf);
size_t link_buf_size(const struct link_buf *buf);
/* What may still be added. */
size_t link_buf_room(const struct link_buf *buf);
/* Valid until the next call that changes the buffer. */
struct span link_buf_span(const struct link_buf *buf);
/* Adds size bytes, at most the room (asserted), for the caller to fill. Moves what is in it when it
 * must. */
uint8_t *link_buf_extend(struct link_buf *buf, size_t size);
/* Takes bytes back from the end. */
void link_buf_shorten(struct link_buf *buf, size_t size);
/* Drops bytes from the front. */
void link_buf_consume(struct link_buf *buf, size_t size);

/* The whole frame at the front of the bytes, borrowed from them. ERR_NOT_FOUND (no message): it is
 * not all there yet. ERR_PROTOCOL: what is there can never become a frame. */
enum err_code
link_frame_first(struct span bytes, struct span *ret_frame, struct err *err) WARN_UNUSED;

#endif

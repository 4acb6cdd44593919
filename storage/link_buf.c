/* SPDX-License-Identifier: Apache-2.0 */
/* link_buf.c: bytes in order through memory of a fixed size.
 * Owns one block. Never grows, never reads beyond what was put in. */
#include "storage/link_buf.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/message.h"

#include <string.h>

enum err_code link_buf_init(struct link_buf *buf, size_t capacity, struct err *err)
{
    ASSERT(capacity > 0);
    *buf = (struct link_buf){.bytes = mem_new(capacity, 1), .capacity = capacity};
    return buf->bytes == NULL ? err_set(err, ERR_NOMEM, "link buffer") : ERR_OK;
}

void link_buf_done(struct link_buf *buf)
{
    mem_free(buf->bytes);
    *buf = (struct link_buf){.bytes = NULL};
}

void link_buf_clear(struct link_buf *buf)
{
    buf->begin = 0;
    buf->end = 0;
}

size_t link_buf_size(const struct link_buf *buf)
{
    return buf->end - buf->begin;
}

size_t link_buf_room(const struct link_buf *buf)
{
    return buf->capacity - link_buf_size(buf);
}

struct span link_buf_span(const struct link_buf *buf)
{
    return span_of(buf->bytes + buf->begin, link_buf_size(buf));
}

uint8_t *link_buf_extend(struct link_buf *buf, size_t size)
{
    uint8_t *at;

    ASSERT(size <= link_buf_room(buf));
    if (size > buf->capacity - buf->end) {
        memmove(buf->bytes, buf->bytes + buf->begin, link_buf_size(buf));
        buf->end -= buf->begin;
        buf->begin = 0;
    }
    at = buf->bytes + buf->end;
    buf->end += size;
    ASSERT(buf->end <= buf->capacity);
    return at;
}

void link_buf_shorten(struct link_buf *buf, size_t size)
{
    ASSERT(size <= link_buf_size(buf));
    buf->end -= size;
}

void link_buf_consume(struct link_buf *buf, size_t size)
{
    ASSERT(size <= link_buf_size(buf));
    buf->begin += size;
    if (buf->begin == buf->end) {
        link_buf_clear(buf);
    }
}

enum err_code link_frame_first(struct span bytes, struct span *ret_frame, struct err *err)
{
    size_t size = 0;
    enum err_code rc = message_frame_size(bytes, &size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (size > bytes.size) {
        return ERR_NOT_FOUND;
    }
    *ret_frame = span_of(bytes.data, size);
    return ERR_OK;
}

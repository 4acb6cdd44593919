/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c: a growing byte buffer with a maximum.
 * Owns its bytes; keeps one byte of room for a NUL behind the content.
 * Never shrinks by itself, never exceeds the maximum, never keeps what it was given. */
#include "base/buf.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_CAPACITY_MIN 64 /* bytes: most buffers hold at least a short text */

struct buf {
    char *data; /* owned */
    size_t size;
    size_t capacity; /* bytes allocated, with the NUL's */
    size_t size_max;
};

static inline void buf_invariant(const struct buf *buf)
{
    ASSERT(buf != NULL);
    ASSERT(buf->size <= buf->size_max);
    ASSERT(buf->size < buf->capacity);
}

enum err_code buf_new(size_t size_max, struct buf **ret_buf, struct err *err)
{
    struct buf *buf;

    ASSERT(size_max < SIZE_MAX / 4);
    buf = mem_new(1, sizeof *buf);
    if (buf == NULL) {
        return err_set(err, ERR_NOMEM, "buffer");
    }
    buf->capacity = size_max + 1 < BUF_CAPACITY_MIN ? size_max + 1 : BUF_CAPACITY_MIN;
    buf->size_max = size_max;
    buf->data = mem_new(buf->capacity, 1);
    if (buf->data == NULL) {
        mem_free(buf);
        return err_set(err, ERR_NOMEM, "buffer");
    }
    *ret_buf = buf;
    return ERR_OK;
}

void buf_free(struct buf *buf)
{
    if (buf != NULL) {
        mem_free(buf->data);
        mem_free(buf);
    }
}

void buf_free_guard(struct buf **slot)
{
    buf_free(*slot);
}

void buf_clear(struct buf *buf)
{
    buf_truncate(buf, 0);
}

void buf_wipe(struct buf *buf)
{
    buf_invariant(buf);
    mem_wipe(buf->data, buf->capacity);
    buf->size = 0;
}

size_t buf_size(const struct buf *buf)
{
    return buf->size;
}

size_t buf_room(const struct buf *buf)
{
    return buf->size_max - buf->size;
}

struct span buf_span(const struct buf *buf)
{
    buf_invariant(buf);
    return span_of(buf->data, buf->size);
}

const char *buf_text(const struct buf *buf)
{
    buf_invariant(buf);
    return buf->data;
}

static enum err_code buf_reserve(struct buf *buf, size_t size, struct err *err)
{
    size_t wanted;
    size_t capacity;
    char *data;

    buf_invariant(buf);
    if (size > buf->size_max - buf->size) {
        return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", buf->size_max);
    }
    wanted = buf->size + size + 1;
    if (wanted <= buf->capacity) {
        return ERR_OK;
    }
    capacity = buf->capacity * 2 > wanted ? buf->capacity * 2 : wanted;
    if (capacity > buf->size_max + 1) {
        capacity = buf->size_max + 1;
    }
    data = mem_resize(buf->data, capacity, 1);
    if (data == NULL) {
        return err_set(err, ERR_NOMEM, "grow buffer to %zu bytes", capacity);
    }
    buf->data = data;
    buf->capacity = capacity;
    return ERR_OK;
}

enum err_code buf_extend(struct buf *buf, size_t size, char **ret_room, struct err *err)
{
    enum err_code rc = buf_reserve(buf, size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    *ret_room = buf->data + buf->size;
    buf->size += size;
    buf->data[buf->size] = '\0';
    buf_invariant(buf);
    return ERR_OK;
}

enum err_code buf_append(struct buf *buf, const void *data, size_t size, struct err *err)
{
    char *room = buf->data + buf->size;
    enum err_code rc = ERR_OK;

    if (size < buf->capacity - buf->size) { /* as nearly always: records are made of small fields */
        buf->size += size;
        buf->data[buf->size] = '\0';
    } else {
        rc = buf_extend(buf, size, &room, err);
    }
    if (rc == ERR_OK && size > 0) {
        memcpy(room, data, size);
    }
    return rc;
}

enum err_code buf_append_span(struct buf *buf, struct span span, struct err *err)
{
    return buf_append(buf, span.data, span.size, err);
}

enum err_code buf_append_text(struct buf *buf, const char *text, struct err *err)
{
    return buf_append(buf, text, strlen(text), err);
}

enum err_code buf_append_format(struct buf *buf, struct err *err, const char *format, ...)
{
    va_list args;
    enum err_code rc;
    int size;

    va_start(args, format);
    size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(size >= 0);
    rc = buf_reserve(buf, (size_t)size, err);
    if (rc != ERR_OK) {
        return rc;
    }
    va_start(args, format);
    (void)vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args); /* measured above */
    va_end(args);
    buf->size += (size_t)size;
    buf_invariant(buf);
    return ERR_OK;
}

void buf_truncate(struct buf *buf, size_t size)
{
    buf_invariant(buf);
    ASSERT(size <= buf->size);
    buf->size = size;
    buf->data[size] = '\0';
}

void buf_consume(struct buf *buf, size_t size)
{
    buf_invariant(buf);
    ASSERT(size <= buf->size);
    memmove(buf->data, buf->data + size, buf->size - size);
    buf_truncate(buf, buf->size - size);
}

char *buf_at(struct buf *buf, size_t offset)
{
    buf_invariant(buf);
    ASSERT(offset <= buf->size);
    return buf->data + offset;
}

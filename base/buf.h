/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h: a growing byte buffer with a maximum set at birth. Nothing here blocks.
 * Appending past the maximum is ERR_TOO_LARGE, failing to grow is ERR_NOMEM; the content is then
 * as before the call. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf;

/* An empty buffer that will never hold more than size_max bytes. Free with buf_free. */
enum err_code buf_new(size_t size_max, struct buf **ret_buf, struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void buf_free(struct buf *buf);
/* Forgets the content, keeps the memory. */
void buf_clear(struct buf *buf);
/* As buf_clear, after overwriting the content. */
void buf_wipe(struct buf *buf);

size_t buf_size(const struct buf *buf);
size_t buf_room(const struct buf *buf); /* bytes until the maximum */
/* The content, valid until the next append, clear or free. */
struct span buf_span(const struct buf *buf);
/* The content with a NUL behind it (not counted in the size); same validity. Never NULL. */
const char *buf_text(const struct buf *buf);

enum err_code
buf_append(struct buf *buf, const void *data, size_t size, struct err *err) WARN_UNUSED;
enum err_code buf_append_span(struct buf *buf, struct span span, struct err *err) WARN_UNUSED;
enum err_code buf_append_text(struct buf *buf, const char *text, struct err *err) WARN_UNUSED;
enum err_code buf_append_format(struct buf *buf, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));
/* size bytes of room at the end, to be filled by the caller; the size grows at once. */
enum err_code
buf_extend(struct buf *buf, size_t size, char **ret_room, struct err *err) WARN_UNUSED;
/* Cuts the content back to size bytes (not more than there are). */
void buf_truncate(struct buf *buf, size_t size);
/* Drops size bytes from the front. Linear in what remains. */
void buf_consume(struct buf *buf, size_t size);
/* The bytes at offset, writable, for patching a length once known. */
char *buf_at(struct buf *buf, size_t offset);

void buf_free_guard(struct buf **slot); /* for AUTO_BUF only */
#define AUTO_BUF __attribute__((cleanup(buf_free_guard)))

#endif

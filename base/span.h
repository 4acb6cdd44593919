/* SPDX-License-Identifier: Apache-2.0 */
/* span.h: borrowed bytes. A span owns nothing; who declares one says until when it is valid. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *data; /* may be NULL when size is 0 */
    size_t size;      /* bytes */
};

#define SPAN_LITERAL(text) ((struct span){.data = (text), .size = sizeof(text) - 1})
#define SPAN_NONE          ((struct span){.data = NULL, .size = 0})
/* For printf's %.*s */
#define SPAN_ARGS(span) (int)(span).size, ((span).data == NULL ? "" : (span).data)

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

static inline struct span span_text(const char *text)
{
    return (struct span){.data = text, .size = text == NULL ? 0 : strlen(text)};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
    return span_equal(a, span_text(text));
}

#endif

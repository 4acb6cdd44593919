/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_wire.c: foreign bytes through the request parser and the chunked decoder, whole and cut
 * in two at every place that the first byte names.
 * Owns nothing; never lets a span leave the input. */
#include "approvald/http/wire.h"
#include "base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct span text, struct span all)
{
    if (text.size > 0) {
        ASSERT(text.data >= all.data);
        ASSERT(text.data + text.size <= all.data + all.size);
    }
}

static void head(struct span all)
{
    static struct wire_head parsed;
    struct wire_fault fault = {0};
    size_t scanned = 0;
    size_t size = wire_head_size(all, &scanned);

    ASSERT(size <= all.size);
    if (size == 0) {
        return;
    }
    if (!wire_parse_head(span_of(all.data, size), &parsed, &fault)) {
        ASSERT(fault.status >= 400);
        ASSERT(fault.detail != NULL);
        return;
    }
    inside(parsed.path, all);
    inside(parsed.query, all);
    ASSERT(parsed.path.size > 0 && parsed.path.data[0] == '/');
    ASSERT(!parsed.chunked || parsed.content_length == 0);
    for (uint32_t i = 0; i < parsed.header_count; i++) {
        inside(parsed.headers[i].name, all);
        inside(parsed.headers[i].value, all);
    }
}

/* Body bytes seen, up to the end or an error. */
static uint64_t drain(struct wire_chunks *chunks, struct span *bytes, enum wire_progress *progress)
{
    uint64_t total = 0;

    *progress = WIRE_DATA;
    while (*progress == WIRE_DATA) {
        struct span data = SPAN_NONE;

        *progress = wire_chunks_step(chunks, bytes, &data);
        total += *progress == WIRE_DATA ? data.size : 0;
    }
    return total;
}

static void chunked(struct span all, size_t cut)
{
    struct span whole = all;
    struct span first = span_of(all.data, cut);
    struct span second = span_of(all.data + cut, all.size - cut);
    struct wire_chunks chunks;
    enum wire_progress one;
    enum wire_progress two;
    uint64_t once;
    uint64_t twice;

    wire_chunks_init(&chunks);
    once = drain(&chunks, &whole, &one);
    wire_chunks_init(&chunks);
    twice = drain(&chunks, &first, &two);
    if (two == WIRE_MORE) {
        twice += drain(&chunks, &second, &two);
    }
    ASSERT(one == two);
    ASSERT(once == twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    head(span_of(data, size));
    chunked(span_of(data, size), data[0] % size);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_codec.c: foreign bytes through the decoders of stored records; the first byte chooses which.
 * What decodes encodes again to the same bytes, and an invariant can be asked of it.
 * Owns nothing; never trusts a count: the sanitizers see it. */
#include "approvald/core/approval.h"
#include "approvald/core/freeze.h"
#include "approvald/core/outbox.h"
#include "base/assert.h"
#include "base/buf.h"
#include "tests/unit/codec_sample.h"

#define RECORD_SIZE_MAX ((size_t)65536)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf *again = NULL;
    struct request request;
    struct outbox_row row;
    struct freeze freeze;
    struct span bytes;
    uint32_t kind;

    if (size < 1 || size > RECORD_SIZE_MAX ||
        buf_new(2 * RECORD_SIZE_MAX, &again, NULL) != ERR_OK) {
        return 0;
    }
    kind = data[0] % CODEC_KIND_COUNT;
    bytes = span_of(data + 1, size - 1);
    if (codec_round(kind, bytes, again, NULL) == ERR_OK && buf_size(again) > 0) {
        ASSERT(span_equal(bytes, buf_span(again)));
    }
    /* Their answers do not matter, only that they can be asked. */
    if (codec_request_decode(bytes, &request, NULL) == ERR_OK) {
        (void)request_invariant(&request);
    }
    buf_clear(again);
    if (codec_freeze_decode(bytes, &freeze, NULL) == ERR_OK) {
        ASSERT(codec_freeze_encode(&freeze, again, NULL) == ERR_OK);
        ASSERT(span_equal(bytes, buf_span(again)));
    }
    if (codec_row_decode(bytes, &row, NULL) == ERR_OK) {
        (void)outbox_row_invariant(&row);
    }
    return 0;
}

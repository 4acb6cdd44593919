/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_signature.c: foreign headers and bodies against the signature check. Input: a line of
 * timestamp, a line of signature, the body.
 * Owns nothing; never keeps state between inputs. */
#include "approvald/slack/wire/verify.h"
#include "base/assert.h"
#include "base/crypto.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NOW_S 1764752400U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the first line off *rest. */
static struct span cut_line(struct span *rest)
{
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct span line = span_of(rest->data, size);

    *rest = end == NULL ? SPAN_NONE : span_of(end + 1, rest->size - size - 1);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verify_secrets secrets = {.current = SPAN_LITERAL("0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
                                     .previous = SPAN_LITERAL("old")};
    struct span body = span_of(data, size);
    struct span timestamp = cut_line(&body);
    struct span signature = cut_line(&body);
    uint64_t time_s = 0;

    if (verify_signature(&secrets, timestamp, signature, body, NOW_S, &time_s) == VERIFY_OK) {
        ASSERT(signature.size == 3 + 2 * CRYPTO_SHA256_SIZE);
        ASSERT(time_s >= NOW_S - 300);
        ASSERT(time_s <= NOW_S + 300);
        /* One bit of the body more, and it is not Slack's any longer. */
        ASSERT(verify_signature(&secrets, timestamp, signature, span_of(data, size), NOW_S,
                                &time_s) == VERIFY_MISMATCH);
    }
    return 0;
}

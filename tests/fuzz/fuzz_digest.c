/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_digest.c: foreign bytes as the other supervisor's digest.
 * Owns nothing; never lets pass what does not come out the same again, but for control characters.
 */
#include "base/assert.h"
#include "supervisor/digest.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest digest;
    uint8_t bytes[DIGEST_SIZE_MAX];

    if (digest_decode(span_of(data, size), &digest, NULL) == ERR_OK) {
        ASSERT(digest.role <= FAILOVER_HALTED);
        ASSERT(memchr(digest.version, '\0', sizeof digest.version) != NULL);
        ASSERT(memchr(digest.reason, '\0', sizeof digest.reason) != NULL);
        ASSERT(digest_encode(&digest, bytes) <= size);
    }
    return 0;
}

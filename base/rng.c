/* SPDX-License-Identifier: Apache-2.0 */
/* rng.c: random bytes of this host.
 * Owns the only calls to getrandom outside libraries.
 * Never falls back to a weaker source. */
#include "base/rng.h"

#include "base/assert.h"

#include <sys/random.h>

static void host_fill(void *arg, void *bytes, size_t size)
{
    uint8_t *at = bytes;

    (void)arg;
    while (size > 0) {
        size_t chunk = size < 256 ? size : 256; /* getrandom never cuts short up to 256 bytes */
        ssize_t got = getrandom(at, chunk, 0);

        ASSERT(got > 0);
        at += got;
        size -= (size_t)got;
    }
}

const struct rng *rng_host(void)
{
    static const struct rng rng = {.fill = host_fill, .arg = NULL};

    return &rng;
}

uint64_t rng_below(const struct rng *rng, uint64_t below)
{
    uint64_t value;

    ASSERT(below > 0);
    /* Jitter and ids need no exact uniformity; 64 bits make the bias unmeasurable. */
    rng_fill(rng, &value, sizeof value);
    return value % below;
}

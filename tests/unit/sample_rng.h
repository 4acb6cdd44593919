/* SPDX-License-Identifier: Apache-2.0 */
/* sample_rng.h: a source of "random" bytes that repeats the nonce of RFC 6455's example, so that
 * the answer to the upgrade is the example's too. */
#ifndef TESTS_UNIT_SAMPLE_RNG_H
#define TESTS_UNIT_SAMPLE_RNG_H

#include "base/rng.h"

#include <string.h>

#define SAMPLE_KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define SAMPLE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define SAMPLE_ANSWER                                                                              \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n"

static inline void sample_fill(void *arg, void *bytes, size_t size)
{
    static const char nonce[] = "the sample nonce";
    char *to = bytes;

    (void)arg;
    for (size_t i = 0; i < size; i++) {
        to[i] = nonce[i % (sizeof nonce - 1)];
    }
}

static const struct rng sample_rng = {.fill = sample_fill};

#endif

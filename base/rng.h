/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h: random bytes, as a thing that can be replaced. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    /* Fills size bytes. Cannot fail: the host's source asserts on the impossible. */
    void (*fill)(void *arg, void *bytes, size_t size);
    void *arg;
};

/* getrandom(2): fit for tokens and ids. Borrowed for ever. */
const struct rng *rng_host(void);

static inline void rng_fill(const struct rng *rng, void *bytes, size_t size)
{
    rng->fill(rng->arg, bytes, size);
}

/* A number in [0, below); below > 0. */
uint64_t rng_below(const struct rng *rng, uint64_t below);

#endif

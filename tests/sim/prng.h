/* SPDX-License-Identifier: Apache-2.0 */
/* prng.h: a small generator (splitmix64): one stream per purpose, so that switching one kind of
 * fault off changes as little as possible of the rest of a run. */
#ifndef TESTS_SIM_PRNG_H
#define TESTS_SIM_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state;
};

static inline uint64_t prng_mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

static inline uint64_t prng_next(struct prng *prng)
{
    prng->state += 0x9e3779b97f4a7c15ULL;
    return prng_mix(prng->state);
}

static inline struct prng prng_of(uint64_t seed, uint64_t stream)
{
    return (struct prng){.state = prng_mix(seed * 0x9e3779b97f4a7c15ULL + prng_mix(stream))};
}

/* In [0, below); below > 0. */
static inline uint64_t prng_below(struct prng *prng, uint64_t below)
{
    return prng_next(prng) % below;
}

/* In [from, to]. */
static inline uint64_t prng_range(struct prng *prng, uint64_t from, uint64_t to)
{
    return from + prng_below(prng, to - from + 1);
}

/* True once in n. */
static inline bool prng_once_in(struct prng *prng, uint64_t n)
{
    return prng_below(prng, n) == 0;
}

#endif

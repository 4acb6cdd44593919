/* SPDX-License-Identifier: Apache-2.0 */
/* pair_secrets.h: whether the two hosts of a pair have the same secrets. A difference shows only
 * after a failover, when it hurts: codes that were enrolled on the other host, presses that are
 * signed with another secret, a token that was forgotten. Pure.
 *
 * What one host tells the other is a mark of each secret: HMAC-SHA256 with the secret as the key,
 * over what it is for and the cluster's id, cut to 16 bytes. Secrets have 32 bytes of chance and
 * more, so nobody finds one by its mark. Over the pair link, little-endian:
 *
 *   u8 PAIR_SECRETS_KIND, u8 format version 1, u8 count, count times {u8 1: there is one, mark}
 *
 * The places are those of enum pair_secret: new ones go to its end, and a host that knows fewer
 * leaves the rest out. */
#ifndef APPROVALD_PAIR_SECRETS_H
#define APPROVALD_PAIR_SECRETS_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAIR_SECRETS_KIND 4U /* of data between two approvalds; relay.h has 1 to 3 */
#define PAIR_MARK_SIZE    16U

enum pair_secret {
    PAIR_SECRET_STEP_UP,
    PAIR_SECRET_SIGNING,
    PAIR_SECRET_BOT,
    PAIR_SECRET_APP,      /* only whether there is one: an app may have several, all good */
    PAIR_SECRET_WEBHOOKS, /* all together, by the names of their destinations */
    PAIR_SECRET_COUNT
};
#define PAIR_SECRETS_SIZE_MAX (3U + PAIR_SECRET_COUNT * (1U + PAIR_MARK_SIZE))

struct pair_secrets {
    size_t count; /* how many are known; 0: nothing was heard */
    bool there[PAIR_SECRET_COUNT];
    uint8_t marks[PAIR_SECRET_COUNT][PAIR_MARK_SIZE];
};

/* Adds a secret to ours. Several of the same kind (webhooks) are told apart by about, and their
 * order does not matter. An empty secret is none. */
void pair_secrets_add(struct pair_secrets *secrets,
                      enum pair_secret which,
                      struct span cluster_id,
                      struct span about,
                      struct span secret);

/* Returns how many bytes it has written. */
size_t pair_secrets_encode(const struct pair_secrets *secrets, uint8_t at[PAIR_SECRETS_SIZE_MAX]);
/* ERR_PROTOCOL: another version, a value out of range, too short or too long. */
enum err_code pair_secrets_decode(struct span data,
                                  struct pair_secrets *ret_secrets,
                                  struct err *err) WARN_UNUSED;

enum pair_likeness {
    PAIR_LIKENESS_UNKNOWN, /* the other host has not said */
    PAIR_LIKENESS_UNUSED,  /* neither has one */
    PAIR_LIKENESS_SAME,
    PAIR_LIKENESS_DIFFERS,
    PAIR_LIKENESS_MISSING_HERE,
    PAIR_LIKENESS_MISSING_THERE
};
enum pair_likeness pair_secrets_compare(const struct pair_secrets *ours,
                                        const struct pair_secrets *theirs,
                                        enum pair_secret which);
/* Is it worth an alarm? */
bool pair_likeness_hurts(enum pair_likeness likeness);
/* "step_up_key_file"; "differs". Constants. */
const char *pair_secret_word(enum pair_secret which);
const char *pair_likeness_word(enum pair_likeness likeness);

#endif

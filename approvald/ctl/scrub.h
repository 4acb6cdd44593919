/* SPDX-License-Identifier: Apache-2.0 */
/* scrub.h: a text without the secrets that may have come into it: those that are known by their
 * bytes, also as they are spelled in forms, JSON, base64 and hex, and what looks like one: tokens
 * of Slack and of ours, private keys, seeds of one-time codes, names and passwords in URLs, long
 * random words. Too much removed is a nuisance, too little a leak. Pure. */
#ifndef APPROVALD_CTL_SCRUB_H
#define APPROVALD_CTL_SCRUB_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

#define SCRUB_COUNT_MAX  512U /* webhooks have 64, and a key has a line for each 48 bytes */
#define SCRUB_SIZE_MIN   6U   /* bytes; what is shorter stands everywhere */
#define SCRUB_SECRET_MAX 4096U
#define SCRUB_MARK       "[removed]"

struct buf;
struct scrub;

enum err_code scrub_new(struct scrub **ret_scrub, struct err *err) WARN_UNUSED;
void scrub_free(struct scrub *scrub); /* NULL is allowed; wipes what it knows */

/* Each line of the secret that is long enough is one from now on, copied, in all its spellings
 * (spelling.h); one that is known already is no other one. ERR_FULL above the limit. */
enum err_code scrub_know(struct scrub *scrub, struct span secret, struct err *err) WARN_UNUSED;

/* Appends text without secrets to buf; *count grows by what was removed. */
enum err_code scrub_append(const struct scrub *scrub,
                           struct span text,
                           struct buf *buf,
                           uint64_t *count,
                           struct err *err) WARN_UNUSED;

#endif

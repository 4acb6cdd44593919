/* SPDX-License-Identifier: Apache-2.0 */
/* bundle.h: doctor --bundle: one archive for who helps: what this host says of itself, without
 * secrets, requests or anything else out of the store. */
#ifndef APPROVALD_CTL_BUNDLE_H
#define APPROVALD_CTL_BUNDLE_H

#include "base/err.h"

#define BUNDLE_ITEM_SIZE_MAX ((size_t)4 << 20) /* bytes of one file: a journal's last lines */

struct buf;
struct ctl;
struct scrub;

/* Writes the archive that --bundle names: 0600, whole or not at all. The exit code. */
int bundle_make(struct ctl *ctl);

/* One file of the archive, as it comes, before it is scrubbed; what cannot be had is said in it.
 * ERR_NOMEM and ERR_TOO_LARGE end the whole. */
typedef enum err_code bundle_fn(struct ctl *ctl, struct buf *buf, struct err *err);

struct bundle_item {
    const char *name;
    bundle_fn *collect;
};

/* All of them, ended by a NULL name. */
const struct bundle_item *bundle_items(void);

/* What is in the files of secrets that the configurations name, and in the folders where they are
 * by custom: secrets from now on. What of it could not be had is added to missed, for people. */
enum err_code
bundle_learn(struct ctl *ctl, struct scrub *scrub, struct buf *missed, struct err *err) WARN_UNUSED;

#endif

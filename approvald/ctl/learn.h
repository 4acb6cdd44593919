/* SPDX-License-Identifier: Apache-2.0 */
/* learn.h: the secrets of this host become known to a scrub, and what could not be read is said.
 * Blocks (disk). */
#ifndef APPROVALD_CTL_LEARN_H
#define APPROVALD_CTL_LEARN_H

#include "base/err.h"

struct buf;
struct scrub;

#define LEARN_FILE_SIZE_MAX 16384 /* bytes: a key of 16384 bits in PEM has 12 KiB */

/* How a file holds its secrets. Each whole line is one in any case, but of a device. */
enum learn_form {
    LEARN_LINE,
    LEARN_USER,   /* NAME:PASSWORD, the password alone too */
    LEARN_DEVICE, /* KEY=VALUE of a fence agent, each value that is not an address or a name */
    LEARN_KEY     /* a private key in PEM; a file without one holds none */
};

/* All borrowed. */
struct learn {
    struct scrub *scrub;
    struct buf *missed;      /* "WHAT (why), WHAT (why)": may hold secrets that are not known */
    const char *credentials; /* systemd's, a folder in it for each unit: /run/credentials */
};

/* Every file that a configuration names, the password of its proxy and the paths of its webhooks;
 * dump: what --dump-config said. A name without a slash is a credential. ERR_FULL and ERR_NOMEM, as
 * of all here: what is missing is in missed, and no error. */
enum err_code
learn_config(const struct learn *learn, const char *dump, struct err *err) WARN_UNUSED;
/* Every plain file in a folder, for configurations that do not name it, or cannot say so. A folder
 * that is not there has none. */
enum err_code learn_folder(const struct learn *learn,
                           const char *path,
                           enum learn_form form,
                           struct err *err) WARN_UNUSED;
enum err_code learn_file(const struct learn *learn,
                         const char *path,
                         enum learn_form form,
                         struct err *err) WARN_UNUSED;
/* Puts it among what is missed. */
enum err_code learn_miss(const struct learn *learn,
                         const char *what,
                         const char *why,
                         struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h: a secret out of a file, checked before it is believed and wiped when it is let go. */
#ifndef APPROVALD_SECRET_H
#define APPROVALD_SECRET_H

#include "base/err.h"
#include "base/span.h"

struct buf;

/* As approvald-supervisor.service has it. */
#define SECRET_CREDENTIALS "/run/approvald-credentials"

/* path as configured: a bare name is a credential of systemd's (LoadCredential=) and is looked for
 * in $CREDENTIALS_DIRECTORY. Under the supervisor that folder is the supervisor's alone: what its
 * unit puts into SECRET_CREDENTIALS at each start, readable by our group, is taken then. The file
 * must be a regular one, owned by root or this user, not readable by others, and hold 1 … size_max
 * bytes besides line ends at its end, which are dropped. Errors name the path. Free with
 * secret_free. Blocks (disk). */
enum err_code secret_load(const char *path,
                          size_t size_max,
                          struct buf **ret_secret,
                          struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void secret_free(struct buf *secret);

#endif

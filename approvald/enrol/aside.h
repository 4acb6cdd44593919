/* SPDX-License-Identifier: Apache-2.0 */
/* aside.h: the store that a host had before it joined, kept beside the one that it fetches. Blocks.
 */
#ifndef APPROVALD_ENROL_ASIDE_H
#define APPROVALD_ENROL_ASIDE_H

#include "approvald/enrol/home.h"
#include "base/err.h"

/* Stops the service of this host (not below another root: there it must not run), then renames its
 * data directory and makes an empty one of the same owner. supervisor: the program, which is asked
 * where everything is. ret_kept: the new name; "": there was nothing. ERR_BUSY: the directory is
 * one that cannot be renamed, a mount. */
enum err_code aside_store(const struct home *home,
                          const char *supervisor,
                          uint64_t now_s,
                          char ret_kept[ENROL_PATH_SIZE],
                          struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* aside.h: a store that a host had before, kept beside the one that it is to have. Blocks. */
#ifndef APPROVALD_ENROL_ASIDE_H
#define APPROVALD_ENROL_ASIDE_H

#include "approvald/enrol/home.h"
#include "base/err.h"

#include <sys/types.h>

/* Where the service is, as its supervisor says. */
struct aside_place {
    char data[ENROL_PATH_SIZE]; /* without links in it; "": there is none, or it is empty */
    char program[ENROL_PATH_SIZE];
    char config[ENROL_PATH_SIZE];
    uid_t user; /* of data */
    gid_t group;
};

/* supervisor: its program. ERR_DENIED: the store is in a mount point, which could not be set aside;
 * the message says what to do. Changes nothing. */
enum err_code aside_find(const struct home *home,
                         const char *supervisor,
                         struct aside_place *ret_place,
                         struct err *err) WARN_UNUSED;

/* ERR_BUSY: an approvald has the store in data open, whoever has started it. */
enum err_code aside_check_free(const char *data, struct err *err) WARN_UNUSED;

/* Stops the service of this host (not below another root: there it must not run), then renames its
 * data directory to DATA.WORD-NOW and makes an empty one of the same owner. With nothing there it
 * does nothing. ERR_DENIED: the directory is one that cannot be renamed, a mount: nothing was
 * stopped. ERR_BUSY: as above. After any error the service runs as before. */
enum err_code aside_store(const struct home *home,
                          const struct aside_place *place,
                          const char *word,
                          uint64_t now_s,
                          char ret_kept[ENROL_PATH_SIZE],
                          struct err *err) WARN_UNUSED;

#endif

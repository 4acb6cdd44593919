/* SPDX-License-Identifier: Apache-2.0 */
/* folder.h: folders that root renames, makes and removes beside a store, where somebody else may
 * have a hand in. Blocks. */
#ifndef APPROVALD_ENROL_FOLDER_H
#define APPROVALD_ENROL_FOLDER_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* There is nothing in it, or it is not there. What mkfs makes ("lost+found") is nothing. */
enum err_code folder_is_empty(const char *path, bool *ret_empty, struct err *err) WARN_UNUSED;
/* Whether it can get another name, before anything is done. ERR_DENIED: it is a mount point. */
enum err_code folder_may_move(const char *path, struct err *err) WARN_UNUSED;
/* Gives it another name, durably. Both names are in the same folder. */
enum err_code folder_move(const char *from, const char *to, struct err *err) WARN_UNUSED;
/* A new one, of that owner alone. ERR_EXISTS. */
enum err_code folder_make(const char *path, uid_t user, gid_t group, struct err *err) WARN_UNUSED;
/* Removes it with the plain files in it, or what else has that name. One that is not there is no
 * error. */
enum err_code folder_remove(const char *path, struct err *err) WARN_UNUSED;
/* The folder at path becomes the one at kept, and an empty one of the same owner takes its place,
 * in one step where the file system can. ERR_EXISTS: kept is there already, and not empty. */
enum err_code folder_set_aside(const char *path, const char *kept, struct err *err) WARN_UNUSED;

#endif

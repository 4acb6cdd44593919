/* SPDX-License-Identifier: Apache-2.0 */
/* files.h: small files that are there whole or not at all. All calls block (disk). */
#ifndef APPROVALD_ENROL_FILES_H
#define APPROVALD_ENROL_FILES_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* The whole of a plain file. ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO; errors name it. */
enum err_code
files_read(const char *path, size_t size_max, struct buf **ret_buf, struct err *err) WARN_UNUSED;
bool files_exist(const char *path);

#define FILES_ANY_GROUP ((uint32_t)-1)

/* Puts the content at path, durably: a crash leaves the old file or the new one. group: who besides
 * root may have the file as mode says, or FILES_ANY_GROUP to leave it. The folder has to be there.
 */
enum err_code files_write(const char *path,
                          struct span content,
                          unsigned int mode,
                          uint32_t group,
                          struct err *err) WARN_UNUSED;
/* And what a files_write of it that was cut has left. A file that is not there is no error.
 * Durable.
 */
enum err_code files_remove(const char *path, struct err *err) WARN_UNUSED;
/* Gives it another name in its folder, durably. */
enum err_code files_rename(const char *path, const char *to, struct err *err) WARN_UNUSED;
/* Makes durable what was done to a name: syncs the folder that it is in. */
enum err_code files_sync_above(const char *path, struct err *err) WARN_UNUSED;
/* The folder, with those above it (0755) where they lack; one that is there gets mode and group. */
enum err_code
files_folder(const char *path, unsigned int mode, uint32_t group, struct err *err) WARN_UNUSED;

#endif

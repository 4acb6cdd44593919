/* SPDX-License-Identifier: Apache-2.0 */
/* tz_load.h: a zone of time by its name, from the files of this host (package tzdata). */
#ifndef BASE_TZ_LOAD_H
#define BASE_TZ_LOAD_H

#include "base/err.h"
#include "base/span.h"

struct tz;

#define TZ_FOLDER "/usr/share/zoneinfo"

/* Reads folder/name (folder NULL: TZ_FOLDER), which blocks; "UTC" needs no file. ERR_INVALID: no
 * such name; ERR_NOT_FOUND: this host has no such zone; ERR_IO, ERR_CORRUPT, ERR_NOMEM. */
enum err_code
tz_load(const char *folder, struct span name, struct tz **ret_tz, struct err *err) WARN_UNUSED;

#endif

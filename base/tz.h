/* SPDX-License-Identifier: Apache-2.0 */
/* tz.h: the time of day in a zone, from the bytes of a TZif file (RFC 9636; version 2 and later:
 * transitions of 64 bits, and behind the last one the rule of its footer, a POSIX TZ string with
 * the extension of version 3). Pure: nothing of it is the process's own time zone, and many zones
 * may be in use at once. Files that count leap seconds ("right/") are refused: our time does not.
 *
 * Seconds are Unix seconds, within TZ_S_MIN … TZ_S_MAX. A zone maps each of them to one local time;
 * where clocks are set back an hour occurs twice, where they are set forward one does not occur. */
#ifndef BASE_TZ_H
#define BASE_TZ_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* The years 1 to 9999: beyond them no calendar of ours goes. */
#define TZ_S_MIN INT64_C(-62135596800)
#define TZ_S_MAX INT64_C(253402300799)

struct tz;

/* "Europe/Berlin", "Etc/GMT+5": components of letters, digits, '_', '+' and '-' between single
 * slashes, the first letter of each a capital or a digit, at most TZ_NAME_SIZE_MAX bytes. So no
 * such name leaves a folder, and none is "right/…", "posix/…" or "localtime". */
#define TZ_NAME_SIZE_MAX 64
bool tz_name_is_valid(struct span name);

/* Copies what it needs. ERR_CORRUPT says what does not hold; ERR_NOMEM. */
enum err_code tz_parse(struct span bytes, struct tz **ret_tz, struct err *err) WARN_UNUSED;
/* A zone without a file: always UTC. ERR_NOMEM. */
enum err_code tz_utc(struct tz **ret_tz, struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void tz_free(struct tz *tz);

/* How far local time is ahead of UTC at this second. */
int32_t tz_offset_s(const struct tz *tz, int64_t at_s);
/* The first second behind at_s from which on the offset may be another one; TZ_S_MAX: none. */
int64_t tz_change_s(const struct tz *tz, int64_t at_s);

#endif

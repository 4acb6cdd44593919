/* SPDX-License-Identifier: Apache-2.0 */
/* zones.h: the time zones that policies name, kept in memory. The writer's: reading a file blocks.
 */
#ifndef APPROVALD_SERVICE_ZONES_H
#define APPROVALD_SERVICE_ZONES_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

struct tz;
struct zones;

/* folder: where the files are; NULL: tz_load.h's. Borrowed. */
enum err_code zones_new(const char *folder, struct zones **ret_zones, struct err *err) WARN_UNUSED;
void zones_free(struct zones *zones); /* NULL is allowed */
/* Read anew when it was read SERVICE_ZONE_KEEP_MS ago, so that an update of tzdata counts without a
 * restart; when that fails the one that is known goes on. *ret_tz is borrowed until the next call.
 * Errors as tz_load's. */
enum err_code zones_get(struct zones *zones,
                        struct span name,
                        uint64_t boot_ms,
                        const struct tz **ret_tz,
                        struct err *err) WARN_UNUSED;

#endif

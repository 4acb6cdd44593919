/* SPDX-License-Identifier: Apache-2.0 */
/* zones.c: time zones in memory.
 * Owns the zones that it has read, the least used of which makes room.
 * Never judges what a zone says. */
#include "approvald/service/zones.h"

#include "approvald/service/limits.h"

#include "base/mem.h"
#include "base/tz.h"
#include "base/tz_load.h"

#include <string.h>

struct zone {
    char name[TZ_NAME_SIZE_MAX];
    size_t size;
    struct tz *tz; /* owned; NULL: free */
    uint64_t read_ms;
    uint64_t used;
};

struct zones {
    const char *folder; /* borrowed, or NULL */
    uint64_t clock;     /* of uses */
    struct zone items[SERVICE_ZONE_COUNT_MAX];
};

enum err_code zones_new(const char *folder, struct zones **ret_zones, struct err *err)
{
    struct zones *zones = mem_new(1, sizeof *zones);

    if (zones == NULL) {
        return err_set(err, ERR_NOMEM, "time zones");
    }
    zones->folder = folder;
    *ret_zones = zones;
    return ERR_OK;
}

void zones_free(struct zones *zones)
{
    for (size_t i = 0; zones != NULL && i < SERVICE_ZONE_COUNT_MAX; i++) {
        tz_free(zones->items[i].tz);
    }
    mem_free(zones);
}

/* The one of that name, else the one to take. */
static struct zone *find(struct zones *zones, struct span name)
{
    struct zone *oldest = &zones->items[0];

    for (size_t i = 0; i < SERVICE_ZONE_COUNT_MAX; i++) {
        struct zone *zone = &zones->items[i];

        if (zone->tz != NULL && span_equal(span_of(zone->name, zone->size), name)) {
            return zone;
        }
        oldest = zone->used < oldest->used ? zone : oldest;
    }
    return oldest;
}

enum err_code zones_get(struct zones *zones,
                        struct span name,
                        uint64_t boot_ms,
                        const struct tz **ret_tz,
                        struct err *err)
{
    struct zone *zone = find(zones, name);
    bool same = zone->tz != NULL && span_equal(span_of(zone->name, zone->size), name);
    struct tz *tz = NULL;
    enum err_code rc = ERR_OK;

    if (!same || boot_ms - zone->read_ms >= SERVICE_ZONE_KEEP_MS) {
        rc = tz_load(zones->folder, name, &tz, err);
    }
    if (rc != ERR_OK && !same) {
        return rc;
    }
    if (tz != NULL) {
        tz_free(zone->tz);
        zone->tz = tz;
        memcpy(zone->name, name.data, name.size); /* fits: tz_load took the name */
        zone->size = name.size;
    }
    zone->read_ms = same && tz == NULL && rc == ERR_OK ? zone->read_ms : boot_ms;
    zone->used = ++zones->clock;
    *ret_tz = zone->tz;
    return ERR_OK;
}

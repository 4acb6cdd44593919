/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: find, ship and cut upon the production log and its reader.
 * Never keeps a record of its own: what it hands out was read from the simulated disk. */
#include "tests/sim/log.h"

#include "base/assert.h"
#include "storage/wal_reader.h"

#include <string.h>

/* A reader that is made for one call: a real one is kept, and pays for nothing twice. */
static enum err_code reader(struct engine *engine, struct wal_reader **ret_reader, struct err *err)
{
    if (engine->reader == NULL) {
        enum err_code rc = wal_reader_new(engine->wal, &engine->reader, err);

        if (rc != ERR_OK) {
            return rc;
        }
    }
    *ret_reader = engine->reader;
    return ERR_OK;
}

enum err_code
log_find(struct engine *engine, uint64_t lsn, struct replica_found *ret_found, struct err *err)
{
    struct wal_reader *from;
    struct wal_entry entry;
    enum err_code rc = reader(engine, &from, err);

    memset(ret_found, 0, sizeof *ret_found);
    ret_found->lsn = lsn;
    if (rc != ERR_OK || lsn == 0) {
        ret_found->readable = lsn == 0;
        return rc;
    }
    if (lsn > engine->last.lsn) {
        return ERR_OK;
    }
    if (lsn == engine->last.lsn || lsn == engine->applied.lsn) {
        ret_found->readable = true;
        ret_found->position = lsn == engine->last.lsn ? engine->last : engine->applied;
        return ERR_OK;
    }
    rc = lsn <= engine->lsn_trimmed ? ERR_NOT_FOUND : wal_reader_read(from, lsn, &entry, err);
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        ret_found->readable = true;
        ret_found->position = entry.position;
    }
    return rc;
}

enum err_code log_ship(struct engine *engine,
                       uint64_t lsn,
                       uint32_t count,
                       struct log_room *room,
                       uint64_t *ret_next,
                       struct err *err)
{
    struct wal_reader *from;
    struct wal_entry entry;
    enum err_code rc = reader(engine, &from, err);

    room->used = 0;
    if (rc == ERR_OK && lsn <= engine->lsn_trimmed) {
        rc = ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; rc == ERR_OK && i < count && lsn <= engine->last.lsn; i++) {
        rc = wal_reader_read(from, lsn, &entry, err);
        if (rc != ERR_OK || entry.shared.size > room->size - room->used) {
            break;
        }
        memcpy(room->at + room->used, entry.shared.data, entry.shared.size);
        room->used += entry.shared.size;
        lsn++;
    }
    *ret_next = lsn;
    return rc == ERR_NOT_FOUND && room->used > 0 ? ERR_OK : rc;
}

enum err_code
log_cut(struct engine *engine, const struct record_position *position, struct err *err)
{
    struct wal_cut cut = {.position = *position, .applied = engine->applied};

    ASSERT(!engine->syncing);
    log_close(engine);
    return wal_cut(engine->wal, &cut, err);
}

void log_close(struct engine *engine)
{
    wal_reader_free(engine->reader);
    engine->reader = NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* wal_cut.c: making the log end earlier.
 * Owns the mark of a cut that was begun and the change-over to the shorter log.
 * Never cuts by itself: once the mark is durable, reading the log as at a start (wal_recover.c)
 * does all of it, now or after a crash. Never below what the store has applied. */
#include "base/mem.h"
#include "base/pack.h"
#include "base/twocopy.h"
#include "storage/disk.h"
#include "storage/wal_internal.h"
#include "storage/wal_reader.h"

#include <endian.h>
#include <inttypes.h>

/* Body: LSN, epoch, wall time, hash. */
#define MARK_SIZE (TWOCOPY_HEADER_SIZE + 24U + STORAGE_HASH_SIZE)

static const struct twocopy_format format = {
    .magic = {'A', 'W', 'A', 'L', 'C', 'U', 'T', '1'}, .version = 1, .size = MARK_SIZE};

enum err_code
wal_cut_mark(const struct wal_home *home, const struct record_position *position, struct err *err)
{
    const uint64_t numbers[3] = {htole64(position->lsn), htole64(position->epoch),
                                 htole64(position->wall_ms)};
    uint8_t mark[MARK_SIZE];

    memcpy(mark + TWOCOPY_HEADER_SIZE, numbers, sizeof numbers);
    memcpy(mark + TWOCOPY_HEADER_SIZE + sizeof numbers, position->hash, STORAGE_HASH_SIZE);
    twocopy_seal(&format, 1, mark);
    return disk_put(home->disk, home->dir, WAL_CUT_FILE, span_of(mark, sizeof mark), err);
}

enum err_code wal_cut_pending(const struct wal_home *home,
                              struct record_position *ret_position,
                              bool *ret_begun,
                              struct err *err)
{
    uint8_t mark[MARK_SIZE];
    uint64_t size = 0;
    struct span copies[2] = {SPAN_NONE, SPAN_NONE};
    struct twocopy_choice choice;
    struct unpack in;
    enum err_code rc = disk_get(home->disk, home->dir, WAL_CUT_FILE,
                                (struct disk_get){.bytes = mark, .size = sizeof mark}, &size, err);

    *ret_begun = rc == ERR_OK;
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    copies[0] = span_of(mark, size == sizeof mark ? sizeof mark : 0);
    rc = twocopy_choose(&format, copies, &choice, err);
    if (rc != ERR_OK) {
        return err_wrap(err, ERR_CORRUPT, "%s", WAL_CUT_FILE);
    }
    unpack_init(&in, choice.body);
    ret_position->lsn = unpack_u64(&in);
    ret_position->epoch = unpack_u64(&in);
    ret_position->wall_ms = unpack_u64(&in);
    unpack_copy(&in, ret_position->hash, STORAGE_HASH_SIZE);
    ASSERT(unpack_done(&in));
    return ERR_OK;
}

/* It must be gone for good before anything is appended behind the cut: a mark that came back would
 * cut that off. */
enum err_code wal_cut_unmark(const struct wal_home *home, struct err *err)
{
    enum err_code rc = disk_remove(home->disk, home->dir, WAL_CUT_FILE, err);

    return rc == ERR_OK ? home->disk->sync_dir(home->disk->arg, home->dir, err) : rc;
}

/* ERR_CONFLICT unless the log has this very record. */
static enum err_code check_place(struct wal *wal, const struct wal_cut *cut, struct err *err)
{
    const struct record_position *place = &cut->position;
    struct wal_reader *reader;
    struct wal_entry entry = {.position = cut->applied};
    enum err_code rc = ERR_OK;

    if (place->lsn > wal->last.lsn) {
        return err_set(err, ERR_CONFLICT, "record %" PRIu64 " is beyond the end", place->lsn);
    }
    if (place->lsn > cut->applied.lsn) {
        rc = wal_reader_new(wal, &reader, err);
        if (rc != ERR_OK) {
            return rc;
        }
        rc = wal_reader_read(reader, place->lsn, &entry, err);
        wal_reader_free(reader);
    }
    if (rc == ERR_OK && memcmp(entry.position.hash, place->hash, STORAGE_HASH_SIZE) != 0) {
        rc = err_set(err, ERR_CONFLICT, "record %" PRIu64 " is another one here", place->lsn);
    }
    return rc;
}

/* wal becomes what fresh is, which ends. */
static void adopt(struct wal *wal, struct wal *fresh)
{
    struct wal_segment *segments = wal->segments;
    uint8_t *buffer = wal->buffer;

    wal_lock(wal);
    for (uint32_t i = 0; i < wal->segment_count; i++) {
        wal_segment_close(&wal->options.home, &wal->segments[i]);
    }
    wal_segment_close(&wal->options.home, &wal->spare);
    wal->options = fresh->options;
    wal->last = fresh->last;
    wal->buffer = fresh->buffer;
    wal->tail = fresh->tail;
    wal->offset = fresh->offset;
    wal->segments = fresh->segments;
    wal->segment_count = fresh->segment_count;
    wal->spare = fresh->spare;
    wal->spare_ready = fresh->spare_ready;
    wal->seq_sync = fresh->seq_sync;
    wal->generation++;
    wal_unlock(wal);
    fresh->segments = segments;
    fresh->segment_count = 0;
    fresh->spare.file = -1;
    fresh->buffer = buffer;
    wal_close(fresh);
}

enum err_code wal_cut(struct wal *wal, const struct wal_cut *cut, struct err *err)
{
    struct wal_options options = wal->options;
    struct wal *fresh;
    enum err_code rc;

    ASSERT(cut->position.lsn >= cut->applied.lsn);
    ASSERT(cut->applied.lsn >= options.applied.lsn);
    rc = check_place(wal, cut, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (cut->position.lsn == wal->last.lsn) {
        return cut->durable ? ERR_OK : wal_sync(wal, err);
    }
    rc = wal_cut_mark(&options.home, &cut->position, err);
    options.applied = cut->applied;
    options.lsn_durable = cut->applied.lsn;
    if (rc == ERR_OK) {
        rc = wal_open(&options, &fresh, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "cut the log at record %" PRIu64, cut->position.lsn);
    }
    ASSERT(fresh->last.lsn == cut->position.lsn);
    adopt(wal, fresh);
    return ERR_OK;
}

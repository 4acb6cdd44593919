/* SPDX-License-Identifier: Apache-2.0 */
/* wal.c: the write-ahead log while it runs.
 * Owns appending, syncing, and which segments exist; LSNs and the hash chain.
 * Never interprets a payload, never reads a clock, never retries a sync. One writer at a time. */
#include "storage/wal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/wal_internal.h"

#include <inttypes.h>

/* A partial page, the largest record, and padding to the page. */
#define BUFFER_SIZE (RECORD_SIZE_MAX + RECORD_ALIGN + 2UL * WAL_PAGE_SIZE)

static struct wal_segment *newest_locked(struct wal *wal)
{
    ASSERT(wal->segment_count > 0);
    return &wal->segments[wal->segment_count - 1];
}

enum err_code wal_open(const struct wal_options *options, struct wal **ret_wal, struct err *err)
{
    struct wal *wal = mem_new(1, sizeof *wal);
    enum err_code rc;

    ASSERT(options->segment_size >= WAL_SEGMENT_SIZE_MIN);
    ASSERT(options->segment_size <= WAL_SEGMENT_SIZE_MAX);
    if (wal == NULL) {
        return err_set(err, ERR_NOMEM, "log");
    }
    wal->options = *options;
    wal->spare.file = -1;
    (void)pthread_mutex_init(&wal->lock, NULL); /* cannot fail with default attributes */
    wal->segments = mem_new(WAL_SEGMENT_COUNT_MAX, sizeof *wal->segments);
    wal->buffer = mem_new(BUFFER_SIZE, 1);
    if (wal->segments == NULL || wal->buffer == NULL) {
        wal_close(wal);
        return err_set(err, ERR_NOMEM, "log");
    }
    rc = wal_recover(wal, err);
    if (rc != ERR_OK) {
        wal_close(wal);
        return err_wrap(err, rc, "recover wal");
    }
    *ret_wal = wal;
    return ERR_OK;
}

void wal_close(struct wal *wal)
{
    if (wal == NULL) {
        return;
    }
    for (uint32_t i = 0; i < wal->segment_count; i++) {
        wal_segment_close(&wal->options.home, &wal->segments[i]);
    }
    wal_segment_close(&wal->options.home, &wal->spare);
    (void)pthread_mutex_destroy(&wal->lock); /* nobody holds it any more */
    mem_free(wal->segments);
    mem_free(wal->buffer);
    mem_free(wal);
}

void wal_last(const struct wal *wal, struct record_position *ret_position)
{
    *ret_position = wal->last;
}

uint8_t *wal_payload(struct wal *wal)
{
    return wal->buffer + wal->offset % WAL_PAGE_SIZE + RECORD_HEADER_SIZE;
}

static bool has_room(struct wal *wal, size_t payload_size)
{
    bool room = wal->tail.size - wal->offset >= record_size(payload_size);

    if (!room) {
        wal_lock(wal);
        room = wal->spare_ready && wal->segment_count < WAL_SEGMENT_COUNT_MAX;
        wal_unlock(wal);
    }
    return room;
}

bool wal_has_room(struct wal *wal)
{
    return has_room(wal, RECORD_PAYLOAD_SIZE_MAX);
}

bool wal_has_room_for_start(struct wal *wal)
{
    return has_room(wal, 0);
}

/* Goes on in the spare segment; the payload moves to where the new offset wants it. */
static void next_segment(struct wal *wal, size_t payload_size)
{
    const uint8_t *payload = wal_payload(wal);

    wal_lock(wal);
    ASSERT(wal->spare_ready);
    ASSERT(wal->segment_count < WAL_SEGMENT_COUNT_MAX);
    wal->segments[wal->segment_count++] = wal->spare;
    wal->tail = wal->spare;
    wal->spare_ready = false;
    wal->spare.file = -1;
    wal_unlock(wal);
    wal->offset = WAL_SEGMENT_HEADER_SIZE;
    memmove(wal_payload(wal), payload, payload_size);
}

/* Writes whole pages: the partial page again (its bytes do not change) and the record, padded with
 * zeros. So the kernel never has to read a page of a recycled segment first. */
static enum err_code write_pages(struct wal *wal, size_t size, struct err *err)
{
    const struct disk *disk = wal->options.home.disk;
    const struct wal_segment *segment = &wal->tail;
    size_t head = wal->offset % WAL_PAGE_SIZE;
    size_t used = head + size;
    size_t whole = (used + WAL_PAGE_SIZE - 1) & ~(size_t)(WAL_PAGE_SIZE - 1);
    size_t rest = used % WAL_PAGE_SIZE;
    enum err_code rc;

    ASSERT(whole <= BUFFER_SIZE);
    memset(wal->buffer + used, 0, whole - used);
    rc = disk->write(disk->arg, segment->file, wal->offset - head, wal->buffer, whole, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "append to segment %" PRIu64, segment->seq);
    }
    memmove(wal->buffer, wal->buffer + used - rest, rest);
    wal->offset += size;
    return ERR_OK;
}

enum err_code wal_append(struct wal *wal,
                         const struct wal_append *append,
                         struct record_position *ret_position,
                         struct err *err)
{
    size_t size = record_size(append->payload_size);
    struct record record;
    enum err_code rc;

    ASSERT(append->payload_size <= RECORD_PAYLOAD_SIZE_MAX);
    ASSERT(append->epoch >= wal->last.epoch);
    ASSERT(append->wall_ms >= wal->last.wall_ms);
    if (size > wal->tail.size - wal->offset) {
        next_segment(wal, append->payload_size);
    }
    record = (struct record){.salt = wal->tail.salt,
                             .lsn_durable = append->lsn_durable,
                             .kind = append->kind,
                             .lsn = wal->last.lsn + 1,
                             .epoch = append->epoch,
                             .wall_ms = append->wall_ms,
                             .payload = span_of(wal_payload(wal), append->payload_size)};
    memcpy(record.cluster_id, wal->options.home.cluster_id, STORAGE_ID_SIZE);
    memcpy(record.hash_prev, wal->last.hash, STORAGE_HASH_SIZE);
    record_encode(&record, wal_payload(wal) - RECORD_HEADER_SIZE, ret_position);
    rc = write_pages(wal, size, err);
    if (rc != ERR_OK) {
        return rc;
    }
    wal->last = *ret_position;
    wal_lock(wal);
    if (newest_locked(wal)->lsn_first == 0) {
        newest_locked(wal)->lsn_first = wal->last.lsn;
    }
    newest_locked(wal)->lsn_last = wal->last.lsn;
    newest_locked(wal)->end = wal->offset;
    wal_unlock(wal);
    return ERR_OK;
}

static enum err_code check_next(const struct wal *wal,
                                const struct record *record,
                                const struct record_position *position,
                                struct err *err)
{
    const struct record_position *last = &wal->last;

    if (memcmp(record->cluster_id, wal->options.home.cluster_id, STORAGE_ID_SIZE) != 0) {
        return err_set(err, ERR_PROTOCOL, "record %" PRIu64 " is of another cluster",
                       position->lsn);
    }
    if (position->lsn != last->lsn + 1) {
        return err_set(err, ERR_PROTOCOL, "record %" PRIu64 " does not follow %" PRIu64,
                       position->lsn, last->lsn);
    }
    if (memcmp(record->hash_prev, last->hash, STORAGE_HASH_SIZE) != 0) {
        return err_set(err, ERR_PROTOCOL, "record %" PRIu64 " follows another record than ours",
                       position->lsn);
    }
    if (position->epoch < last->epoch || position->wall_ms < last->wall_ms) {
        return err_set(err, ERR_PROTOCOL, "record %" PRIu64 ": epoch or time goes back",
                       position->lsn);
    }
    return ERR_OK;
}

enum err_code wal_append_record(struct wal *wal,
                                const struct wal_received *received,
                                struct record_position *ret_position,
                                struct err *err)
{
    const struct record *record = &received->record;
    struct wal_append append = {.kind = record->kind,
                                .payload_size = record->payload.size,
                                .epoch = record->epoch,
                                .wall_ms = record->wall_ms,
                                .lsn_durable = received->lsn_durable};
    struct record_position position;
    enum err_code rc = check_next(wal, record, &received->position, err);

    if (rc == ERR_OK && record->payload.size > 0) {
        memcpy(wal_payload(wal), record->payload.data, record->payload.size);
    }
    if (rc == ERR_OK) {
        rc = wal_append(wal, &append, &position, err);
    }
    if (rc == ERR_OK) {
        /* The same bytes give the same hash: anything else is a bug on this side. */
        ASSERT(memcmp(position.hash, received->position.hash, STORAGE_HASH_SIZE) == 0);
        *ret_position = position;
    }
    return rc;
}

enum err_code wal_sync(struct wal *wal, struct err *err)
{
    const struct disk *disk = wal->options.home.disk;
    bool more = true;

    while (more) {
        struct wal_segment *segment;
        uint64_t seq;
        int file;
        enum err_code rc;

        wal_lock(wal);
        segment = &wal->segments[wal->seq_sync - wal->segments[0].seq];
        more = segment != newest_locked(wal);
        seq = segment->seq;
        file = segment->file;
        wal_unlock(wal);
        rc = disk->sync(disk->arg, file, err);
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "segment %" PRIu64, seq);
        }
        if (more) {
            /* Full and durable: nothing is written to it any more. */
            wal_lock(wal);
            wal->seq_sync++;
            wal_segment_close(&wal->options.home, &wal->segments[seq - wal->segments[0].seq]);
            wal_unlock(wal);
        }
    }
    return ERR_OK;
}

bool wal_wants_segment(struct wal *wal)
{
    bool wants;

    wal_lock(wal);
    wants = !wal->spare_ready;
    wal_unlock(wal);
    return wants;
}

static uint64_t size_locked(const struct wal *wal)
{
    uint64_t size = wal->spare_ready ? wal->spare.size : 0;

    for (uint32_t i = 0; i < wal->segment_count; i++) {
        size += wal->segments[i].size;
    }
    return size;
}

uint64_t wal_size(struct wal *wal)
{
    uint64_t size;

    wal_lock(wal);
    size = size_locked(wal);
    wal_unlock(wal);
    return size;
}

static bool pinned_locked(const struct wal *wal, uint64_t seq)
{
    bool pinned = false;

    for (size_t i = 0; i < WAL_READER_COUNT_MAX; i++) {
        pinned = pinned || wal->pins[i].seq == seq;
    }
    return pinned;
}

/* Takes the oldest segment out when the next one would exceed the budget. One that is being read is
 * marked by size 0: its file must go, not be written over. */
static enum err_code
take_oldest(struct wal *wal, uint64_t lsn_trim, struct wal_segment *ret_old, struct err *err)
{
    const struct wal_segment *oldest = &wal->segments[0];
    enum err_code rc = ERR_NOT_FOUND; /* not needed */

    wal_lock(wal);
    if (wal->segment_count + 1 >= WAL_SEGMENT_COUNT_MAX ||
        size_locked(wal) + wal->options.segment_size > wal->options.wal_size_max) {
        if (oldest->seq < wal->seq_sync && oldest->lsn_last < lsn_trim) {
            *ret_old = *oldest;
            ret_old->size = pinned_locked(wal, oldest->seq) ? 0 : oldest->size;
            wal->segment_count--;
            memmove(wal->segments, wal->segments + 1, wal->segment_count * sizeof *oldest);
            rc = ERR_OK;
        } else {
            rc = err_set(err, ERR_UNAVAILABLE, "the log's budget is used up");
        }
    }
    wal_unlock(wal);
    return rc;
}

static enum err_code make_spare(struct wal *wal, const struct wal_segment *old, struct err *err)
{
    const struct wal_home *home = &wal->options.home;
    struct wal_segment spare = {.size = wal->options.segment_size, .file = -1};
    enum err_code rc;

    rng_fill(wal->options.rng, &spare.salt, sizeof spare.salt);
    wal_lock(wal);
    spare.seq = newest_locked(wal)->seq + 1;
    wal_unlock(wal);
    rc = old != NULL ? wal_segment_recycle(home, old, &spare, err)
                     : wal_segment_create(home, &spare, err);
    if (rc == ERR_OK) {
        wal_lock(wal);
        wal->spare = spare;
        wal->spare_ready = true;
        wal_unlock(wal);
    }
    return rc;
}

enum err_code wal_prepare(struct wal *wal, uint64_t lsn_trim, struct err *err)
{
    struct wal_segment old = {.file = -1};
    enum err_code rc;

    while (wal_wants_segment(wal)) {
        rc = take_oldest(wal, lsn_trim, &old, err);
        if (rc == ERR_NOT_FOUND) {
            rc = make_spare(wal, NULL, err);
        } else if (rc == ERR_OK && old.size == wal->options.segment_size) {
            rc = make_spare(wal, &old, err);
        } else if (rc == ERR_OK) {
            rc = wal_segment_remove(&wal->options.home, old.seq, err);
        }
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

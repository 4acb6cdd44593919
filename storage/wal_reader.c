/* SPDX-License-Identifier: Apache-2.0 */
/* wal_reader.c: reading the log beside the writer.
 * Owns one descriptor, one buffer, and the pin that keeps its segment from being recycled.
 * Never reads past what is appended, never writes, never holds the log's lock during I/O. */
#include "storage/wal_reader.h"

#include "base/mem.h"
#include "storage/disk.h"
#include "storage/wal_internal.h"

#include <inttypes.h>

#define BUFFER_SIZE (RECORD_SIZE_MAX + RECORD_ALIGN + WAL_READ_SIZE)

struct wal_reader {
    struct wal *wal; /* borrowed */
    size_t slot;     /* of the pin */
    uint64_t generation;
    struct wal_segment segment; /* its file is this reader's own descriptor */
    uint64_t lsn_next;          /* the record at the offset */
    uint64_t offset;
    uint64_t offset_before; /* of the record in front of it, once that was read; else 0 */
    uint8_t *bytes;         /* owned */
    uint64_t bytes_offset;  /* in the segment */
    size_t bytes_size;
};

enum err_code wal_reader_new(struct wal *wal, struct wal_reader **ret_reader, struct err *err)
{
    struct wal_reader *reader = mem_new(1, sizeof *reader);

    if (reader == NULL) {
        return err_set(err, ERR_NOMEM, "log reader");
    }
    reader->wal = wal;
    reader->segment.file = -1;
    reader->slot = WAL_READER_COUNT_MAX;
    wal_lock(wal);
    for (size_t i = 0; i < WAL_READER_COUNT_MAX && reader->slot == WAL_READER_COUNT_MAX; i++) {
        if (!wal->pins[i].taken) {
            wal->pins[i] = (struct wal_pin){.taken = true};
            reader->slot = i;
        }
    }
    wal_unlock(wal);
    reader->bytes = mem_new(BUFFER_SIZE, 1);
    if (reader->slot == WAL_READER_COUNT_MAX || reader->bytes == NULL) {
        bool full = reader->slot == WAL_READER_COUNT_MAX;

        wal_reader_free(reader);
        return err_set(err, full ? ERR_FULL : ERR_NOMEM, "log reader");
    }
    *ret_reader = reader;
    return ERR_OK;
}

static void let_go(struct wal_reader *reader)
{
    wal_segment_close(&reader->wal->options.home, &reader->segment);
    reader->segment = (struct wal_segment){.file = -1};
    reader->lsn_next = 0;
    reader->offset_before = 0;
    reader->bytes_size = 0;
}

void wal_reader_free(struct wal_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    let_go(reader);
    if (reader->slot < WAL_READER_COUNT_MAX) {
        wal_lock(reader->wal);
        reader->wal->pins[reader->slot] = (struct wal_pin){.taken = false};
        wal_unlock(reader->wal);
    }
    mem_free(reader->bytes);
    mem_free(reader);
}

static bool holds(const struct wal_segment *segment, uint64_t lsn)
{
    return segment->lsn_first != 0 && segment->lsn_first <= lsn && lsn <= segment->lsn_last;
}

/* The segment that holds the record; the reader's own first. NULL: none. */
static const struct wal_segment *find_locked(const struct wal_reader *reader, uint64_t lsn)
{
    const struct wal *wal = reader->wal;
    uint64_t index = reader->segment.seq - wal->segments[0].seq;

    if (reader->segment.file >= 0 && index < wal->segment_count &&
        holds(&wal->segments[index], lsn)) {
        return &wal->segments[index];
    }
    for (uint32_t i = wal->segment_count; i > 0; i--) {
        if (holds(&wal->segments[i - 1], lsn)) {
            return &wal->segments[i - 1];
        }
    }
    return NULL;
}

/* Opens the segment unless it is open, and takes over what is known of it. */
static enum err_code
turn_to(struct wal_reader *reader, const struct wal_segment *segment, struct err *err)
{
    enum err_code rc = ERR_OK;
    int file;

    if (reader->segment.file < 0 || segment->seq != reader->segment.seq) {
        let_go(reader);
        reader->segment.seq = segment->seq;
        rc = wal_segment_open(&reader->wal->options.home, &reader->segment, err);
    }
    if (rc != ERR_OK) {
        let_go(reader);
        return rc;
    }
    file = reader->segment.file;
    reader->segment = *segment;
    reader->segment.file = file;
    return ERR_OK;
}

/* Learns which segment holds the record and how far it reaches now, and pins it. A segment that was
 * trimmed meanwhile but is open here still serves. */
static enum err_code locate(struct wal_reader *reader, uint64_t lsn, struct err *err)
{
    struct wal *wal = reader->wal;
    const struct wal_segment *found;
    struct wal_segment segment = {.file = -1};
    uint64_t generation;

    wal_lock(wal);
    generation = wal->generation;
    found = find_locked(reader, lsn);
    if (found != NULL) {
        segment = *found;
        wal->pins[reader->slot].seq = found->seq;
    }
    wal_unlock(wal);
    if (generation != reader->generation) {
        let_go(reader);
        reader->generation = generation;
    }
    if (found == NULL) {
        return reader->segment.file >= 0 && holds(&reader->segment, lsn)
                   ? ERR_OK
                   : err_set(err, ERR_NOT_FOUND, "record %" PRIu64 " is not in the log", lsn);
    }
    return turn_to(reader, &segment, err);
}

/* Makes sure that so many bytes at the offset are in the buffer. */
static enum err_code fill(struct wal_reader *reader, size_t size, struct err *err)
{
    const struct disk *disk = reader->wal->options.home.disk;
    uint64_t left = reader->segment.end - reader->offset;
    size_t wanted = left < WAL_READ_SIZE ? (size_t)left : WAL_READ_SIZE;
    enum err_code rc;

    if (reader->bytes_size > 0 && reader->offset >= reader->bytes_offset &&
        reader->offset + size <= reader->bytes_offset + reader->bytes_size) {
        return ERR_OK;
    }
    if (size > left || size > BUFFER_SIZE) {
        return err_set(err, ERR_CORRUPT, "segment %" PRIu64 ": record %" PRIu64 " is cut short",
                       reader->segment.seq, reader->lsn_next);
    }
    wanted = wanted < size ? size : wanted;
    reader->bytes_size = 0;
    rc = disk->read(disk->arg, reader->segment.file, reader->offset, reader->bytes, wanted, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "segment %" PRIu64, reader->segment.seq);
    }
    reader->bytes_offset = reader->offset;
    reader->bytes_size = wanted;
    return ERR_OK;
}

static const uint8_t *bytes_at(const struct wal_reader *reader)
{
    return reader->bytes + (reader->offset - reader->bytes_offset);
}

/* The whole record at the offset is in the buffer; *ret_size is its size. */
static enum err_code fill_record(struct wal_reader *reader, size_t *ret_size, struct err *err)
{
    struct record_peek peek;
    enum err_code rc = fill(reader, RECORD_HEADER_SIZE, err);

    if (rc != ERR_OK) {
        return rc;
    }
    peek = record_peek(bytes_at(reader), reader->segment.salt);
    if (peek.size == 0 || peek.lsn != reader->lsn_next) {
        return err_set(err, ERR_CORRUPT,
                       "segment %" PRIu64 ": record %" PRIu64 " is not at byte %" PRIu64,
                       reader->segment.seq, reader->lsn_next, reader->offset);
    }
    *ret_size = peek.size;
    return ERR_OK;
}

/* Back to the record lsn, or to the first of the segment. The last one again costs nothing: whoever
 * had no room for a record asks for it once more, and the segment may be long. */
static void turn_back(struct wal_reader *reader, uint64_t lsn)
{
    bool last = reader->offset_before > 0 && reader->lsn_next == lsn + 1;

    reader->lsn_next = last ? lsn : reader->segment.lsn_first;
    reader->offset = last ? reader->offset_before : WAL_SEGMENT_HEADER_SIZE;
    reader->offset_before = 0;
}

/* Moves to the record lsn of this segment, by headers alone. */
static enum err_code walk(struct wal_reader *reader, uint64_t lsn, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (reader->lsn_next == 0 || reader->lsn_next > lsn) {
        turn_back(reader, lsn);
    }
    while (rc == ERR_OK && reader->lsn_next < lsn) {
        size_t size = 0;

        rc = fill_record(reader, &size, err);
        if (rc == ERR_OK && size > reader->segment.end - reader->offset) {
            rc = err_set(err, ERR_CORRUPT, "segment %" PRIu64 ": record %" PRIu64 " is cut short",
                         reader->segment.seq, reader->lsn_next);
        }
        if (rc == ERR_OK) {
            reader->offset_before = reader->offset;
            reader->offset += size;
            reader->lsn_next++;
        }
    }
    return rc;
}

enum err_code wal_reader_read(struct wal_reader *reader,
                              uint64_t lsn,
                              struct wal_entry *ret_entry,
                              struct err *err)
{
    struct wal_entry entry;
    size_t size = 0;
    enum err_code rc;

    ASSERT(lsn > 0);
    rc = locate(reader, lsn, err);
    if (rc == ERR_OK) {
        rc = walk(reader, lsn, err);
    }
    if (rc == ERR_OK) {
        rc = fill_record(reader, &size, err);
    }
    if (rc == ERR_OK) {
        rc = fill(reader, size, err);
    }
    if (rc == ERR_OK) {
        rc = record_decode(span_of(bytes_at(reader), size), reader->segment.salt, &entry.record,
                           &entry.position, err);
        rc = rc == ERR_NOT_FOUND ? ERR_CORRUPT : rc;
    }
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? rc : err_wrap(err, rc, "read record %" PRIu64, lsn);
    }
    entry.shared = span_of(bytes_at(reader) + RECORD_LOCAL_SIZE, size - RECORD_LOCAL_SIZE);
    reader->offset_before = reader->offset;
    reader->offset += size;
    reader->lsn_next++;
    *ret_entry = entry;
    return ERR_OK;
}

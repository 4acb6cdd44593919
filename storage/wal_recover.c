/* SPDX-License-Identifier: Apache-2.0 */
/* wal_recover.c: the write-ahead log at the start: where does it end?
 * Owns the difference between a torn tail, which is cut, and a record that was durable and is bad,
 * which is refused: every record carries the durable LSN of its writing, so a bad record x is
 * damage when x is applied or when any later record was written at a durable LSN >= x. Records
 * behind a hole without that mark were in flight together with the lost one; nobody was told.
 * Never counts a record before it is durable: a killed process leaves records in the page cache
 * only, and after a failed fsync the kernel calls such pages clean, so they are written again. */
#include "storage/wal_internal.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/mutant.h"

#include <inttypes.h>
#include <stdlib.h>

struct recovery {
    struct wal *wal;
    const struct wal_home *home;
    struct record_position applied;
    uint8_t *bytes;       /* owned: one segment */
    uint64_t bytes_size;  /* of the largest segment */
    uint32_t index_first; /* segment where the scan starts */
    uint32_t index_end;   /* segment where the log ends */
    uint64_t offset_end;
    struct record_position last;
    bool linked;  /* last.hash is known */
    bool torn;    /* something is to be cut */
    bool cutting; /* a cut was begun: the log ends at cut, whatever is behind it */
    struct record_position cut;
    struct err reason; /* why the log ends there */
};

enum err_code wal_load(const struct wal_home *home,
                       const struct wal_segment *segment,
                       uint8_t *bytes,
                       struct err *err)
{
    enum err_code rc =
        home->disk->read(home->disk->arg, segment->file, 0, bytes, (size_t)segment->size, err);

    return rc == ERR_OK ? rc : err_wrap(err, rc, "segment %" PRIu64, segment->seq);
}

static enum err_code follows(const struct wal_scan *scan,
                             const struct record *record,
                             const struct record_position *position,
                             struct err *err)
{
    if (memcmp(record->cluster_id, scan->home->cluster_id, STORAGE_ID_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "the record belongs to another cluster");
    }
    if (scan->linked && record->lsn != scan->last.lsn + 1) {
        return err_set(err, ERR_CORRUPT, "LSN %" PRIu64 " does not follow %" PRIu64, record->lsn,
                       scan->last.lsn);
    }
    if (scan->linked && memcmp(record->hash_prev, scan->last.hash, STORAGE_HASH_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "the hash of the record before does not match");
    }
    if (position->epoch < scan->last.epoch || position->wall_ms < scan->last.wall_ms) {
        return err_set(err, ERR_CORRUPT, "epoch or time goes back");
    }
    return ERR_OK;
}

enum err_code wal_scan_next(struct wal_scan *scan,
                            struct record *ret_record,
                            struct record_position *ret_position,
                            struct err *err)
{
    struct span rest =
        span_of(scan->bytes.data + scan->offset, scan->bytes.size - (size_t)scan->offset);
    enum err_code rc = record_decode(rest, scan->segment->salt, ret_record, ret_position, err);

    if (rc == ERR_OK) {
        rc = follows(scan, ret_record, ret_position, err);
    }
    if (rc == ERR_OK) {
        size_t size = record_size(ret_record->payload.size);

        scan->offset += size < rest.size ? size : rest.size;
        scan->last = *ret_position;
        scan->linked = true;
    }
    return rc;
}

struct sequence_list {
    uint64_t *seqs; /* owned */
    uint32_t count;
    bool overflow;
    uint64_t seq_before; /* drop_older: only what is older */
};

static bool collect(void *arg, const char *name)
{
    struct sequence_list *list = arg;
    uint64_t seq;

    if (wal_segment_name_parse(name, &seq)) {
        list->overflow = list->count == WAL_SEGMENT_COUNT_MAX;
        if (!list->overflow) {
            list->seqs[list->count++] = seq;
        }
    }
    return !list->overflow;
}

static int compare_seq(const void *a, const void *b)
{
    uint64_t x;
    uint64_t y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Opens the segments of the newest run of numbers without a gap. What is older than a gap is left
 * over from trimming, whose unlinks need not reach the disk in order; it goes once the run has
 * proved to be the whole log. */
static enum err_code find_segments(struct recovery *r, struct err *err)
{
    struct wal *wal = r->wal;
    AUTO_FREE uint64_t *seqs = mem_new(WAL_SEGMENT_COUNT_MAX, sizeof *seqs);
    struct sequence_list list = {.seqs = seqs};
    uint32_t first;
    enum err_code rc;

    if (seqs == NULL) {
        return err_set(err, ERR_NOMEM, "segment list");
    }
    rc = r->home->disk->list(r->home->disk->arg, r->home->dir,
                             (struct disk_list){.visit = collect, .arg = &list}, err);
    if (rc == ERR_OK && list.overflow) {
        rc = err_set(err, ERR_CORRUPT, "more than %u segments", WAL_SEGMENT_COUNT_MAX);
    }
    if (rc == ERR_OK) {
        rc = disk_remove(r->home->disk, r->home->dir, WAL_NEXT_FILE, err);
    }
    if (rc != ERR_OK || list.count == 0) {
        return rc;
    }
    qsort(seqs, list.count, sizeof *seqs, compare_seq);
    for (first = list.count - 1; first > 0 && seqs[first - 1] + 1 == seqs[first]; first--) {
    }
    for (uint32_t i = first; rc == ERR_OK && i < list.count; i++) {
        struct wal_segment *segment = &wal->segments[wal->segment_count];

        segment->seq = seqs[i];
        rc = wal_segment_open(r->home, segment, err);
        wal->segment_count += rc == ERR_OK ? 1 : 0;
        r->bytes_size = segment->size > r->bytes_size ? segment->size : r->bytes_size;
    }
    return rc;
}

/* The LSN of a segment's first record; 0 when there is no good one. */
static enum err_code peek_first(struct recovery *r, struct wal_segment *segment, struct err *err)
{
    const struct disk *disk = r->home->disk;
    uint64_t room = segment->size - WAL_SEGMENT_HEADER_SIZE;
    size_t size = room < RECORD_SIZE_MAX ? (size_t)room : RECORD_SIZE_MAX;
    struct record record;
    struct record_position position;
    enum err_code rc =
        disk->read(disk->arg, segment->file, WAL_SEGMENT_HEADER_SIZE, r->bytes, size, err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "segment %" PRIu64, segment->seq);
    }
    segment->lsn_first = 0;
    segment->lsn_last = 0;
    if (record_decode(span_of(r->bytes, size), segment->salt, &record, &position, NULL) == ERR_OK) {
        segment->lsn_first = record.lsn;
    }
    return ERR_OK;
}

/* True when the applied record is the one behind which the log begins: it is not in the log. */
static bool begins_behind(const struct recovery *r)
{
    return r->applied.lsn == r->wal->options.lsn_base;
}

/* The newest segment that begins at or before the first record to replay. */
static enum err_code find_start(struct recovery *r, struct err *err)
{
    struct wal *wal = r->wal;
    uint64_t wanted = begins_behind(r) ? r->applied.lsn + 1 : r->applied.lsn;
    bool found = false;

    for (uint32_t i = wal->segment_count; i > 0 && !found; i--) {
        enum err_code rc = peek_first(r, &wal->segments[i - 1], err);

        if (rc != ERR_OK) {
            return rc;
        }
        r->index_first = i - 1;
        found = wal->segments[i - 1].lsn_first != 0 && wal->segments[i - 1].lsn_first <= wanted;
    }
    if (found || r->wal->options.lsn_durable <= r->wal->options.lsn_base) {
        return ERR_OK;
    }
    return err_set(err, ERR_CORRUPT,
                   "segment %" PRIu64 ": no record at or before LSN %" PRIu64 ", which is applied",
                   wal->segments[0].seq, wanted);
}

/* For readers: what the segments before the start hold. Damage is found when they are read. */
static enum err_code index_older(struct recovery *r, struct err *err)
{
    const struct disk *disk = r->home->disk;
    enum err_code rc = ERR_OK;

    for (uint32_t i = r->index_first; rc == ERR_OK && i > 0; i--) {
        struct wal_segment *segment = &r->wal->segments[i - 1];
        uint64_t lsn_next = segment[1].lsn_first;

        rc = disk->read(disk->arg, segment->file, WAL_SEGMENT_HEADER_SIZE, r->bytes,
                        RECORD_HEADER_SIZE, err);
        segment->lsn_first = rc == ERR_OK ? record_peek(r->bytes, segment->salt).lsn : 0;
        segment->lsn_last = lsn_next > segment->lsn_first ? lsn_next - 1 : segment->lsn_first;
    }
    return rc;
}

/* Writes the pages of [from, to) again and syncs them: see the top of this file. */
static enum err_code harden(struct recovery *r,
                            const struct wal_segment *segment,
                            uint64_t from,
                            uint64_t to,
                            struct err *err)
{
    const struct disk *disk = r->home->disk;
    uint64_t head = from & ~(uint64_t)(WAL_PAGE_SIZE - 1);
    uint64_t end = (to + WAL_PAGE_SIZE - 1) & ~(uint64_t)(WAL_PAGE_SIZE - 1);
    enum err_code rc;

    if (from == to) {
        return ERR_OK;
    }
    end = end < segment->size ? end : segment->size;
    rc = disk->write(disk->arg, segment->file, head, r->bytes + head, (size_t)(end - head), err);
    if (rc == ERR_OK) {
        rc = disk->sync(disk->arg, segment->file, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "segment %" PRIu64, segment->seq);
}

/* The applied record must be the one that the store knows. */
static enum err_code
check_applied(const struct recovery *r, const struct record_position *position, struct err *err)
{
    if (position->lsn == r->applied.lsn &&
        memcmp(position->hash, r->applied.hash, STORAGE_HASH_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "record %" PRIu64 ": its hash is not the one in the store",
                       position->lsn);
    }
    return ERR_OK;
}

/* A whole record of another version is no torn tail: it may have been acknowledged. */
static enum err_code check_version(const struct err *reason, uint64_t offset, struct err *err)
{
    return reason->code == ERR_UNSUPPORTED
               ? err_set(err, ERR_UNSUPPORTED,
                         "the record at byte %" PRIu64
                         " was written by another version of this program (%s): install that one",
                         offset, reason->message)
               : ERR_OK;
}

static bool at_cut(const struct recovery *r, const struct record_position *last)
{
    return r->cutting && last->lsn >= r->cut.lsn;
}

/* Reads the segment at index and follows its records. Leaves where they end in r. */
static enum err_code
scan_segment(struct recovery *r, uint32_t index, bool *ret_continued, struct err *err)
{
    struct wal_segment *segment = &r->wal->segments[index];
    struct wal_scan scan = {.home = r->home,
                            .segment = segment,
                            .bytes = span_of(r->bytes, (size_t)segment->size),
                            .offset = WAL_SEGMENT_HEADER_SIZE,
                            .last = r->last,
                            .linked = r->linked};
    uint64_t offset_unapplied = 0;
    enum err_code rc = wal_load(r->home, segment, r->bytes, err);
    struct record record;
    struct record_position position;
    struct err reason = ERR_INIT;

    while (rc == ERR_OK && !at_cut(r, &scan.last)) {
        uint64_t offset = scan.offset;

        if (wal_scan_next(&scan, &record, &position, &reason) != ERR_OK) {
            rc = check_version(&reason, offset, err);
            break;
        }
        segment->lsn_first = offset == WAL_SEGMENT_HEADER_SIZE ? position.lsn : segment->lsn_first;
        segment->lsn_last = position.lsn;
        rc = check_applied(r, &position, err);
        if (position.lsn > r->applied.lsn && offset_unapplied == 0) {
            offset_unapplied = offset;
        }
    }
    segment->end = scan.offset;
    *ret_continued = scan.offset > WAL_SEGMENT_HEADER_SIZE;
    if (rc == ERR_OK && (*ret_continued || index == r->index_first)) {
        r->last = scan.last;
        r->linked = scan.linked;
        r->index_end = index;
        r->offset_end = scan.offset;
        r->reason = reason;
    }
    if (rc == ERR_OK && offset_unapplied > 0 && !MUTANT(recovered_unsynced)) {
        rc = harden(r, segment, offset_unapplied, scan.offset, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "segment %" PRIu64, segment->seq);
}

static enum err_code scan_segments(struct recovery *r, struct err *err)
{
    bool continued = true;
    enum err_code rc = ERR_OK;

    r->linked = begins_behind(r);
    if (r->linked) {
        r->last = r->applied;
    }
    for (uint32_t i = r->index_first; rc == ERR_OK && continued && i < r->wal->segment_count; i++) {
        rc = scan_segment(r, i, &continued, err);
    }
    if (rc == ERR_OK && r->last.lsn < r->wal->options.lsn_durable) {
        rc = err_set(err, ERR_CORRUPT,
                     "segment %" PRIu64 ": record %" PRIu64 " at byte %" PRIu64
                     " is bad (%s), but was durable",
                     r->wal->segments[r->index_end].seq, r->last.lsn + 1, r->offset_end,
                     r->reason.message);
    }
    if (rc == ERR_OK && r->cutting &&
        (r->last.lsn != r->cut.lsn || memcmp(r->last.hash, r->cut.hash, STORAGE_HASH_SIZE) != 0)) {
        rc = err_set(err, ERR_CORRUPT,
                     "the log was to be cut at record %" PRIu64 ", and ends at %" PRIu64,
                     r->cut.lsn, r->last.lsn);
    }
    return rc;
}

/* Looks for whole records behind the end. One written when the missing record was durable proves
 * damage; others are the rest of a torn tail. */
static enum err_code
search_behind(struct recovery *r, const struct wal_segment *segment, uint64_t from, struct err *err)
{
    uint64_t missing = r->last.lsn + 1;

    for (uint64_t at = from; at + RECORD_HEADER_SIZE <= segment->size; at += RECORD_ALIGN) {
        struct span rest = span_of(r->bytes + at, (size_t)(segment->size - at));
        struct record record;
        struct record_position position;
        struct err reason = ERR_INIT;
        enum err_code rc;

        if (record_peek(r->bytes + at, segment->salt).size == 0) {
            continue;
        }
        r->torn = true;
        rc = record_decode(rest, segment->salt, &record, &position, &reason);
        if (rc == ERR_UNSUPPORTED) {
            return check_version(&reason, at, err);
        }
        if (rc == ERR_OK && record.lsn_durable >= missing) {
            return err_set(err, ERR_CORRUPT,
                           "segment %" PRIu64 ": record %" PRIu64 " at byte %" PRIu64
                           " is bad (%s), but was durable when record %" PRIu64 " was written",
                           r->wal->segments[r->index_end].seq, missing, r->offset_end,
                           r->reason.message, record.lsn);
        }
    }
    return ERR_OK;
}

static enum err_code check_behind(struct recovery *r, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = r->index_end; rc == ERR_OK && i < r->wal->segment_count; i++) {
        const struct wal_segment *segment = &r->wal->segments[i];
        uint64_t from = i == r->index_end ? r->offset_end : WAL_SEGMENT_HEADER_SIZE;

        rc = wal_load(r->home, segment, r->bytes, err);
        if (rc == ERR_OK) {
            rc = search_behind(r, segment, from, err);
        }
    }
    return rc;
}

/* Zeros behind the end, where there are none, so that no rest of the torn tail is ever taken for
 * a record that follows new ones. r->bytes is that segment. */
static enum err_code zero_behind(struct recovery *r, struct err *err)
{
    const struct disk *disk = r->home->disk;
    const struct wal_segment *segment = &r->wal->segments[r->index_end];
    enum err_code rc = ERR_OK;

    memset(r->bytes + r->offset_end, 0, (size_t)(segment->size - r->offset_end));
    rc = harden(r, segment, r->offset_end, segment->size, err);
    if (rc == ERR_OK) {
        rc = disk->sync(disk->arg, segment->file, err);
    }
    return rc;
}

static bool collect_older(void *arg, const char *name)
{
    struct sequence_list *list = arg;
    uint64_t seq;

    if (wal_segment_name_parse(name, &seq) && seq < list->seq_before) {
        list->seqs[list->count++] = seq;
    }
    return list->count < WAL_SEGMENT_COUNT_MAX;
}

/* Segments older than the log. Their unlinks may be lost: the next start finds them again. */
static enum err_code drop_older(struct recovery *r, struct err *err)
{
    const struct disk *disk = r->home->disk;
    AUTO_FREE uint64_t *seqs = mem_new(WAL_SEGMENT_COUNT_MAX, sizeof *seqs);
    struct sequence_list list = {.seqs = seqs, .seq_before = r->wal->segments[0].seq};
    enum err_code rc;

    if (seqs == NULL) {
        return err_set(err, ERR_NOMEM, "segment list");
    }
    rc = disk->list(disk->arg, r->home->dir,
                    (struct disk_list){.visit = collect_older, .arg = &list}, err);
    for (uint32_t i = 0; rc == ERR_OK && i < list.count; i++) {
        rc = wal_segment_remove(r->home, list.seqs[i], err);
    }
    return rc;
}

/* Segments behind the end: one that is prepared and unused becomes the spare, all others go. From
 * the newest on and each durably, for a gap would make the next start take what is behind it for
 * the log. */
static enum err_code drop_behind(struct recovery *r, struct err *err)
{
    struct wal *wal = r->wal;
    uint32_t keep = r->index_end + 1;
    enum err_code rc = ERR_OK;

    if (!r->torn && keep < wal->segment_count &&
        wal->segments[keep].size == wal->options.segment_size) {
        wal->spare = wal->segments[keep];
        wal->spare_ready = true;
        wal->segments[keep].file = -1;
        keep++;
    }
    for (; rc == ERR_OK && wal->segment_count > keep; wal->segment_count--) {
        struct wal_segment *segment = &wal->segments[wal->segment_count - 1];

        wal_segment_close(r->home, segment);
        rc = wal_segment_remove(r->home, segment->seq, err);
        if (rc == ERR_OK) {
            rc = r->home->disk->sync_dir(r->home->disk->arg, r->home->dir, err);
        }
    }
    wal->segment_count = rc == ERR_OK ? r->index_end + 1 : wal->segment_count;
    return rc;
}

/* Makes the end of the records the end of the log. */
static enum err_code settle(struct recovery *r, struct err *err)
{
    struct wal *wal = r->wal;
    size_t rest = r->offset_end % WAL_PAGE_SIZE;
    enum err_code rc = r->cutting ? ERR_OK : check_behind(r, err);

    r->torn = r->torn || r->cutting;
    if (rc == ERR_OK) {
        rc = drop_older(r, err);
    }
    if (rc == ERR_OK) {
        rc = drop_behind(r, err);
    }
    if (rc == ERR_OK) {
        rc = wal_load(r->home, &wal->segments[r->index_end], r->bytes, err);
    }
    if (rc == ERR_OK && r->torn) {
        rc = zero_behind(r, err);
    }
    if (rc == ERR_OK && r->cutting) {
        rc = wal_cut_unmark(r->home, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    wal->last = r->last;
    wal->tail = wal->segments[r->index_end];
    wal->offset = r->offset_end;
    memcpy(wal->buffer, r->bytes + r->offset_end - rest, rest);
    wal->seq_sync = wal->segments[r->index_end].seq;
    for (uint32_t i = 0; i < r->index_end; i++) {
        wal_segment_close(r->home, &wal->segments[i]);
    }
    return ERR_OK;
}

static enum err_code create_first(struct recovery *r, struct err *err)
{
    struct wal *wal = r->wal;
    struct wal_segment *segment = &wal->segments[0];
    enum err_code rc;

    if (wal->options.lsn_durable > wal->options.lsn_base || !begins_behind(r)) {
        return err_set(err, ERR_CORRUPT, "all segments are missing from %s", r->home->dir);
    }
    *segment = (struct wal_segment){.seq = 1, .size = WAL_SEGMENT_SIZE_FIRST, .file = -1};
    rng_fill(wal->options.rng, &segment->salt, sizeof segment->salt);
    rc = wal_segment_create(r->home, segment, err);
    if (rc == ERR_OK) {
        wal->segment_count = 1;
        wal->tail = *segment;
        wal->seq_sync = 1;
        wal->offset = WAL_SEGMENT_HEADER_SIZE;
        wal->last = r->applied;
    }
    return rc;
}

enum err_code wal_recover(struct wal *wal, struct err *err)
{
    AUTO_FREE uint8_t *bytes = NULL;
    struct recovery r = {.wal = wal, .home = &wal->options.home, .applied = wal->options.applied};
    enum err_code rc = wal_cut_pending(r.home, &r.cut, &r.cutting, err);

    if (rc == ERR_OK) {
        rc = find_segments(&r, err);
    }
    if (rc == ERR_OK && wal->segment_count == 0) {
        return create_first(&r, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    bytes = mem_new((size_t)r.bytes_size, 1);
    r.bytes = bytes;
    if (bytes == NULL) {
        return err_set(err, ERR_NOMEM, "segment of %" PRIu64 " bytes", r.bytes_size);
    }
    rc = find_start(&r, err);
    if (rc == ERR_OK) {
        rc = scan_segments(&r, err);
    }
    if (rc == ERR_OK) {
        rc = index_older(&r, err);
    }
    if (rc == ERR_OK) {
        rc = settle(&r, err);
    }
    return rc;
}

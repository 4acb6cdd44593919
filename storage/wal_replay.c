/* SPDX-License-Identifier: Apache-2.0 */
/* wal_replay.c: the records of the recovered log, one after the other, for one host that starts.
 * Owns nothing that outlives the call. Never changes the log. */
#include "base/mem.h"
#include "storage/wal_internal.h"

#include <inttypes.h>

struct wal_replay_to {
    wal_visit_fn *visit;
    void *arg;
};

static enum err_code replay_segment(struct wal *wal,
                                    struct wal_segment *segment,
                                    struct wal_replay_to *to,
                                    struct err *err)
{
    AUTO_FREE uint8_t *bytes = mem_new((size_t)segment->size, 1);
    struct wal_scan scan = {.home = &wal->options.home,
                            .segment = segment,
                            .bytes = span_of(bytes, (size_t)segment->size),
                            .offset = WAL_SEGMENT_HEADER_SIZE};
    struct record record;
    struct record_position position;
    enum err_code rc = ERR_OK;

    if (bytes == NULL) {
        return err_set(err, ERR_NOMEM, "segment of %" PRIu64 " bytes", segment->size);
    }
    rc = wal_load(&wal->options.home, segment, bytes, err);
    while (rc == ERR_OK && scan.last.lsn < segment->lsn_last) {
        rc = wal_scan_next(&scan, &record, &position, err);
        if (rc == ERR_OK && position.lsn > wal->options.applied.lsn) {
            rc = to->visit(to->arg, &record, &position, err);
        }
    }
    return rc;
}

enum err_code wal_replay(struct wal *wal, wal_visit_fn *visit, void *arg, struct err *err)
{
    struct wal_replay_to to = {.visit = visit, .arg = arg};
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < wal->segment_count; i++) {
        struct wal_segment *segment = &wal->segments[i];
        bool closed = segment->file < 0;

        if (segment->lsn_last <= wal->options.applied.lsn) {
            continue;
        }
        if (closed) {
            rc = wal_segment_open(&wal->options.home, segment, err);
        }
        if (rc == ERR_OK) {
            rc = replay_segment(wal, segment, &to, err);
        }
        if (closed) {
            wal_segment_close(&wal->options.home, segment);
        }
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "replay segment %" PRIu64, segment->seq);
        }
    }
    return rc;
}

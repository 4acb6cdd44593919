/* SPDX-License-Identifier: Apache-2.0 */
/* audit_log.c: reading the audit log.
 * Owns the walk along the log and along the entries of one request.
 * Never verifies: whoever asks gets the bytes and hashes to do that himself. */
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "storage/storage.h"

#include <string.h>

struct audit_job {
    struct job job;
    service_audit_fn *done;
    uint64_t from_seq;
    bool has_id;
    struct request_id id;
    size_t count_max;
    bool more;
};

#define ROW_HEAD_SIZE (AUDIT_HASH_SIZE + 8) /* hash, link */

struct audit_visit {
    struct work *work;
    struct audit_job *job;
    size_t count;
    bool has_previous;
    uint8_t previous[AUDIT_HASH_SIZE];
    enum err_code rc;
};

/* Before the first entry stands the anchor that pruning left, or nothing: zeros. */
static enum err_code
previous_hash(struct work *work, uint64_t seq, uint8_t ret_hash[AUDIT_HASH_SIZE])
{
    struct span value = SPAN_NONE;
    enum err_code rc;

    memset(ret_hash, 0, AUDIT_HASH_SIZE);
    rc = work_get(work, TABLE_AUDIT, key_u64(seq - 1), &value);
    if (rc == ERR_NOT_FOUND) {
        rc = work_get(work, TABLE_META, key_text(SPAN_LITERAL("anchor")), &value);
    }
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc == ERR_OK && value.size >= AUDIT_HASH_SIZE) {
        memcpy(ret_hash, value.data, AUDIT_HASH_SIZE);
    }
    return rc;
}

/* A record of the answer: previous hash, hash, bytes of the entry. */
static enum err_code add(struct audit_visit *visit, struct span value)
{
    struct work *work = visit->work;
    struct buf *row = work_row(work);
    enum err_code rc;

    if (value.size <= ROW_HEAD_SIZE) {
        return err_set(work->err, ERR_CORRUPT, "an audit entry is cut");
    }
    rc = buf_append(row, visit->previous, AUDIT_HASH_SIZE, work->err);
    if (rc == ERR_OK) {
        rc = buf_append(row, value.data, AUDIT_HASH_SIZE, work->err);
    }
    if (rc == ERR_OK) {
        rc = buf_append(row, value.data + ROW_HEAD_SIZE, value.size - ROW_HEAD_SIZE, work->err);
    }
    visit->count++;
    return rc == ERR_OK ? answer_bytes(work, buf_span(row)) : rc;
}

static bool visit_entry(void *arg, struct span key, struct span value)
{
    struct audit_visit *visit = arg;
    uint64_t seq;

    if (!key_u64_parse(key, &seq)) {
        return true;
    }
    if (visit->count == visit->job->count_max) {
        visit->job->more = true;
        return false;
    }
    if (!visit->has_previous) {
        visit->rc = previous_hash(visit->work, seq, visit->previous);
        visit->has_previous = true;
    }
    if (visit->rc == ERR_OK) {
        visit->rc = add(visit, value);
    }
    if (visit->rc == ERR_OK) {
        memcpy(visit->previous, value.data, AUDIT_HASH_SIZE);
    }
    return visit->rc == ERR_OK;
}

static enum err_code run_all(struct work *work, struct audit_job *job)
{
    struct audit_visit visit = {.work = work, .job = job, .rc = ERR_OK};
    struct key from = key_u64(job->from_seq);
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_AUDIT, key_span(&from), false, visit_entry, &visit,
                      work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

/* Follows the links from the newest entry back; *ret_count seqs, newest first. */
static enum err_code walk_back(struct work *work,
                               const struct audit_job *job,
                               uint64_t ret_seqs[SERVICE_AUDIT_WALK_MAX],
                               size_t *ret_count)
{
    struct subject subject;
    struct span value;
    uint64_t seq;
    enum err_code rc;

    *ret_count = 0;
    rc = subject_load(work, &job->id, &subject);
    seq = rc == ERR_OK ? subject.link : 0;
    while (rc == ERR_OK && seq >= job->from_seq && seq > 0 && *ret_count < SERVICE_AUDIT_WALK_MAX) {
        ret_seqs[(*ret_count)++] = seq;
        rc = work_get(work, TABLE_AUDIT, key_u64(seq), &value);
        if (rc == ERR_OK && value.size > ROW_HEAD_SIZE) {
            struct unpack link;

            unpack_init(&link, span_of(value.data + AUDIT_HASH_SIZE, 8));
            seq = unpack_u64(&link);
        } else if (rc == ERR_NOT_FOUND) {
            (*ret_count)--; /* pruned from here back */
            return ERR_OK;
        }
    }
    return rc;
}

static enum err_code run_one(struct work *work, struct audit_job *job)
{
    struct audit_visit visit = {.work = work, .job = job, .rc = ERR_OK};
    uint64_t seqs[SERVICE_AUDIT_WALK_MAX];
    struct span value;
    size_t count;
    enum err_code rc;

    rc = walk_back(work, job, seqs, &count);
    for (size_t i = count; rc == ERR_OK && i > 0; i--) {
        if (visit.count == job->count_max) {
            job->more = true;
            break;
        }
        rc = previous_hash(work, seqs[i - 1], visit.previous);
        if (rc == ERR_OK) {
            rc = work_get(work, TABLE_AUDIT, key_u64(seqs[i - 1]), &value);
        }
        if (rc == ERR_OK) {
            rc = add(&visit, value);
        }
    }
    return rc;
}

static enum err_code run(struct work *work)
{
    struct audit_job *job = (struct audit_job *)work->job;

    return job->has_id ? run_one(work, job) : run_all(work, job);
}

/* False: the record does not decode. */
static bool fill(struct span bytes, struct service_audit_entry *ret_entry)
{
    struct audit_entry entry;
    struct unpack cursor;

    unpack_init(&cursor, bytes);
    unpack_copy(&cursor, ret_entry->previous, AUDIT_HASH_SIZE);
    unpack_copy(&cursor, ret_entry->hash, AUDIT_HASH_SIZE);
    ret_entry->bytes = unpack_bytes(&cursor, cursor.left);
    if (audit_entry_decode(ret_entry->bytes, &entry, NULL) != ERR_OK) {
        return false;
    }
    ret_entry->seq = entry.seq;
    ret_entry->at_ms = entry.at_ms;
    ret_entry->action = entry.action;
    ret_entry->actor = entry.actor;
    ret_entry->via = entry.via;
    ret_entry->has_id = entry.has_id;
    ret_entry->id = entry.id;
    ret_entry->detail = entry.detail;
    return true;
}

static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct audit_job *job = (struct audit_job *)base;
    struct service_audit_entry entries[SERVICE_PAGE_COUNT_MAX];
    struct err corrupt = ERR_INIT;
    struct unpack cursor;
    struct span bytes;
    size_t count = 0;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor) && answer_next(&cursor, &bytes)) {
        ASSERT(count < SERVICE_PAGE_COUNT_MAX);
        if (!fill(bytes, &entries[count++])) {
            rc = err_set(&corrupt, ERR_CORRUPT, "an audit entry does not decode");
            err = &corrupt;
        }
    }
    job->done(base->arg, rc, err, entries, rc == ERR_OK ? count : 0, job->more);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_audit_list(struct service *service,
                                 uint64_t from_seq,
                                 const struct request_id *id,
                                 size_t count_max,
                                 service_audit_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct audit_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct audit_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->from_seq = from_seq;
    job->count_max = count_max < SERVICE_PAGE_COUNT_MAX ? count_max : SERVICE_PAGE_COUNT_MAX;
    job->has_id = id != NULL;
    if (id != NULL) {
        job->id = *id;
    }
    return job_submit_take(base, err);
}

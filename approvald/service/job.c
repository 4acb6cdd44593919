/* SPDX-License-Identifier: Apache-2.0 */
/* job.c: jobs between the loop and the writer thread.
 * Owns the pool of blocks, the copies of inputs and the undoing of the writer's memory when a job
 * fails.
 * Never knows what a use case does. */
#include "approvald/service/book.h"
#include "approvald/service/internal.h"
#include "approvald/service/work.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "storage/storage.h"

#include <string.h>

static struct job *pop_spare(struct service *service)
{
    struct job *job = service->spare;

    if (job != NULL) {
        service->spare = job->next;
        service->spare_count--;
    }
    return job;
}

static enum err_code make(struct job **ret_job, struct err *err)
{
    struct job *job = mem_new(1, JOB_BLOCK_SIZE);
    enum err_code rc;

    if (job == NULL) {
        return err_set(err, ERR_NOMEM, "job");
    }
    rc = buf_new(SERVICE_ANSWER_SIZE_MAX, &job->out, err);
    if (rc != ERR_OK) {
        mem_free(job);
        return rc;
    }
    *ret_job = job;
    return ERR_OK;
}

enum err_code job_new(struct service *service,
                      size_t size,
                      job_run_fn *run,
                      job_answer_fn *answer,
                      struct job **ret_job,
                      struct err *err)
{
    struct job *job;
    enum err_code rc = ERR_OK;
    struct buf *out;

    ASSERT(size >= sizeof *job);
    ASSERT(size <= JOB_BLOCK_SIZE);
    if (service->job_count >= SERVICE_JOB_COUNT_MAX) {
        return err_set(err, ERR_FULL, "too many calls are under way");
    }
    job = pop_spare(service);
    if (job == NULL) {
        rc = make(&job, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(job != NULL);
    out = job->out;
    memset(job, 0, size);
    job->service = service;
    job->run = run;
    job->answer = answer;
    job->out = out;
    job->deadline_ms = UINT64_MAX;
    service->job_count++;
    *ret_job = job;
    return ERR_OK;
}

static void destroy(struct job *job)
{
    buf_free(job->out);
    mem_free(job);
}

void job_free(struct job *job)
{
    struct service *service;

    if (job == NULL) {
        return;
    }
    service = job->service;
    ASSERT(service->job_count > 0);
    service->job_count--;
    mem_free(job->inputs);
    job->inputs = NULL;
    /* A block whose answer was large would keep that memory. */
    if (service->spare_count >= SERVICE_JOB_SPARE_MAX ||
        buf_size(job->out) > SERVICE_ROW_SIZE_MAX) {
        destroy(job);
        return;
    }
    buf_clear(job->out);
    job->next = service->spare;
    service->spare = job;
    service->spare_count++;
}

void job_pool_done(struct service *service)
{
    struct job *job;

    while ((job = pop_spare(service)) != NULL) {
        destroy(job);
    }
}

enum err_code job_keep(struct job *job, struct span *const *spans, size_t count, struct err *err)
{
    size_t size = 0;
    char *at;

    ASSERT(job->inputs == NULL);
    ASSERT(count <= JOB_KEEP_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (spans[i]->size > SERVICE_ANSWER_SIZE_MAX) {
            return err_set(err, ERR_TOO_LARGE, "an input of %zu bytes", spans[i]->size);
        }
        size += spans[i]->size;
    }
    job->inputs = mem_new(size, 1);
    if (job->inputs == NULL) {
        return err_set(err, ERR_NOMEM, "inputs of a job");
    }
    at = job->inputs;
    for (size_t i = 0; i < count; i++) {
        if (spans[i]->size > 0) {
            memcpy(at, spans[i]->data, spans[i]->size);
        }
        spans[i]->data = at;
        at += spans[i]->size;
    }
    return ERR_OK;
}

/* On the writer thread. */
static enum err_code run(struct storage_txn *txn, void *arg, struct err *err)
{
    struct job *job = arg;
    struct writer *writer = &job->service->writer;
    struct writer_state before = writer->state;
    struct work work = {
        .writer = writer, .txn = txn, .job = job, .err = err, .now_ms = storage_now_ms(txn)};
    enum err_code rc = ERR_OK;

    if (job->refuse.code != ERR_OK) {
        return err_set(err, job->refuse.code, "%s", job->refuse.message);
    }
    if (!job->reads &&
        elapsed_step(&writer->state.elapsed, work.now_ms, clock_boot_ms(job->service->clock))) {
        rc = work_elapsed_put(&work);
    }
    rc = rc == ERR_OK ? job->run(&work) : rc;
    if (rc == ERR_OK && !job->recovers &&
        memcmp(&before.counts, &writer->state.counts, sizeof before.counts) != 0) {
        ASSERT(!job->reads);
        rc = work_counts_put(&work);
    }
    if (job->deadline_ms <= work.now_ms) {
        job->deadline_ms = 0; /* at once, though the wall clock may be behind the time of records */
    }
    if (rc != ERR_OK) {
        writer->state = before; /* a failed job leaves no trace in memory either */
        buf_clear(job->out);
    }
    book_end(writer->book, rc == ERR_OK);
    job->counts = writer->state.counts;
    job->glass = writer->state.glass;
    job->audit_seq = writer->state.audit_seq;
    return rc;
}

static void adopt_glass(struct service *service, const struct job *job)
{
    if (!job->recovers && job->glass.count > service->glass.count) {
        metric_add(service->metrics.glass, job->glass.count - service->glass.count);
    }
    service->glass = job->glass;
    metric_set(service->metrics.glass_last, job->glass.last_ms / 1000);
}

static void adopt_counts(struct service *service, const struct job *job)
{
    adopt_glass(service, job);
    service->counts = job->counts;
    service->audit_seq = job->audit_seq;
    metric_set(service->metrics.pending, job->counts.pending);
    metric_set(service->metrics.stored, job->counts.stored);
    metric_set(service->metrics.inbox_depth, job->counts.inbox_depth);
    metric_set(service->metrics.owed, job->counts.owed);
    metric_set(service->metrics.dead, job->counts.dead);
    metric_set(service->metrics.audit_seq, job->audit_seq);
    if (job->deadline_ms < service->deadline_ms) {
        service->deadline_ms = job->deadline_ms;
    }
}

/* On the loop. */
static void done(void *arg, enum err_code rc, const struct err *err)
{
    struct job *job = arg;
    struct service *service = job->service;
    struct request_id id = job->id;
    bool changed = rc == ERR_OK && job->changed;
    bool doubts = rc == ERR_OK && job->doubts;

    if (rc == ERR_OK) {
        adopt_counts(service, job);
    }
    if (rc == ERR_OK && !job->reads) {
        metric_observe_us(service->metrics.commit, clock_precise_us() - job->begun_us);
    }
    job->answer(job, rc, err);
    job_free(job);
    if (changed) {
        service_changed(service, &id);
    }
    if (doubts) {
        service_doubted(service, SERVICE_DOUBT_WRONG);
    }
}

enum err_code job_submit_take(struct job *job, struct err *err)
{
    struct storage *storage = job->service->storage;
    enum err_code rc;

    job->begun_us = clock_precise_us();
    if (job->reads) {
        rc = storage_read(storage, run, done, job, err);
    } else if (job->reclaims) {
        rc = storage_reclaim(storage, run, done, job, err);
    } else {
        rc = storage_write(storage, run, done, job, err);
    }
    if (rc != ERR_OK) {
        job_free(job);
    }
    return rc;
}

enum err_code
job_send_take(struct job *job, struct span *const *spans, size_t count, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (job->refuse.code == ERR_OK) {
        rc = job_keep(job, spans, count, err);
    }
    if (rc != ERR_OK) {
        job_free(job);
        return rc;
    }
    return job_submit_take(job, err);
}

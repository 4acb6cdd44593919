/* SPDX-License-Identifier: Apache-2.0 */
/* book_load.c: reads the book of requests out of the store.
 * Owns the order: all open requests, then the newest of the others until enough have ended.
 * Never holds the writer for more than a short job; presses go on between two of them. */
#include "approvald/service/book_load.h"

#include "approvald/core/request_id.h"
#include "approvald/service/book.h"
#include "approvald/service/work.h"

#include "base/log.h"
#include "storage/storage.h"

#include <string.h>

struct fill_job {
    struct job job;
    bool has_after;
    struct request_id after; /* the last one read; what comes behind it is next */
    size_t looked;           /* ids, in the pass for those that ended */
    bool filled;
};
static_assert(sizeof(struct fill_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct fill_visit {
    struct fill_job *job;
    bool down; /* the newest first */
    size_t count;
    struct request_id ids[SERVICE_BOOK_FILL_COUNT];
};

static bool visit_id(void *arg, struct span key, struct span value)
{
    struct fill_visit *visit = arg;
    struct request_id id;
    int order;

    (void)value; /* the request is read by itself */
    if (key.size != REQUEST_ID_SIZE) {
        return true;
    }
    memcpy(id.bytes, key.data, REQUEST_ID_SIZE);
    order = request_id_compare(&id, &visit->job->after);
    if (visit->job->has_after && (visit->down ? order >= 0 : order <= 0)) {
        return true;
    }
    if (visit->count == SERVICE_BOOK_FILL_COUNT) {
        return false;
    }
    visit->ids[visit->count++] = id;
    return true;
}

static void fill_with(struct work *work, const struct fill_visit *visit)
{
    struct err before = *work->err;
    struct subject subject;

    for (size_t i = 0; i < visit->count; i++) {
        if (subject_load(work, &visit->ids[i], &subject) == ERR_OK) {
            book_fill(work->writer->book, &subject.request);
        }
    }
    *work->err = before; /* what is damaged is missing here, and reported where it is needed */
}

static enum err_code fill_run(struct work *work)
{
    struct fill_job *job = (struct fill_job *)work->job;
    struct book *book = work->writer->book;
    struct fill_visit visit = {.job = job};
    struct key from = {.size = 0};
    enum book_state state;
    bool open;
    enum err_code rc;

    if (book_state(book) == BOOK_CLOSED) {
        book_open(book);
        job->has_after = false;
        job->looked = 0;
    }
    state = book_state(book);
    job->filled = state == BOOK_READY || state == BOOK_CLOSED; /* closed: no memory */
    if (job->filled) {
        return ERR_OK;
    }
    open = state == BOOK_FILL_OPEN;
    visit.down = !open;
    if (job->has_after) {
        from = key_request(&job->after);
    }
    rc = storage_scan(work->txn, open ? TABLE_PENDING : TABLE_REQUESTS, key_span(&from), !open,
                      visit_id, &visit, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    fill_with(work, &visit);
    job->looked += open ? 0 : visit.count;
    job->has_after = visit.count > 0;
    if (visit.count > 0) {
        job->after = visit.ids[visit.count - 1];
    }
    if (visit.count < SERVICE_BOOK_FILL_COUNT || job->looked >= SERVICE_BOOK_ENDED_MAX) {
        book_filled(book);
        job->has_after = false;
    }
    return ERR_OK;
}

static void fill_next(struct service *service, const struct fill_job *previous);

static void fill_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct fill_job *job = (struct fill_job *)base;

    base->service->filling = false;
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "service", "book_not_filled", err); /* asked for again */
    } else if (!job->filled) {
        fill_next(base->service, job);
    }
}

static void fill_next(struct service *service, const struct fill_job *previous)
{
    struct fill_job *job;
    struct job *base;
    struct err err = ERR_INIT;
    enum err_code rc = job_new(service, sizeof *job, fill_run, fill_answer, &base, &err);

    if (rc == ERR_OK) {
        job = (struct fill_job *)base;
        base->reads = true;
        if (previous != NULL) {
            job->has_after = previous->has_after;
            job->after = previous->after;
            job->looked = previous->looked;
        }
        rc = job_submit_take(base, &err);
    }
    service->filling = rc == ERR_OK;
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "service", "book_not_filled", &err);
    }
}

/* After a failure it begins again at the first one: what it finds twice is in the book once. */
void book_load(struct service *service)
{
    if (!service->filling) {
        fill_next(service, NULL);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_look.c: what is owed for the requests that have changed.
 * Owns that a request is shown with all its rows, or not yet.
 * Never changes anything: beginning an attempt asks again (outbox_rows.c). */
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "storage/storage.h"

#include <string.h>

struct look_job {
    struct job job;
    service_looks_fn *done;
    size_t asked;
    size_t count; /* looked at */
    struct service_look looks[SERVICE_LOOK_COUNT_MAX];
};
static_assert(sizeof(struct look_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct look_visit {
    struct work *work;
    struct service_look *look;
    size_t room; /* rows */
    bool full;   /* there was no room for all rows */
    enum err_code rc;
};

static bool visit_row(void *arg, struct span key, struct span value)
{
    struct look_visit *visit = arg;
    struct outbox_row row;

    if (!key_is_of_request(key, &visit->look->request)) {
        return false;
    }
    if (visit->look->row_count == visit->room || !answer_has_room(visit->work)) {
        visit->full = true;
        return false;
    }
    if (codec_row_decode(value, &row, NULL) != ERR_OK) {
        return true; /* one damaged row must not keep all others from being sent */
    }
    visit->look->row_count++;
    visit->rc = answer_bytes(visit->work, value);
    return visit->rc == ERR_OK;
}

bool look_is_ended(struct work *work, const struct request_id *id)
{
    struct subject subject;
    struct err ignored = *work->err;
    bool ended =
        subject_load(work, id, &subject) == ERR_OK && subject.request.state != REQUEST_PENDING;

    *work->err = ignored;
    return ended;
}

static enum err_code look_at(struct look_visit *visit)
{
    struct work *work = visit->work;
    struct key from = key_request(&visit->look->request);
    enum err_code rc =
        storage_scan(work->txn, TABLE_OWED, key_span(&from), false, visit_row, visit, work->err);

    if (rc == ERR_OK && visit->look->row_count > 0) {
        visit->look->ended = look_is_ended(work, &visit->look->request);
    }
    return rc == ERR_OK ? visit->rc : rc;
}

static enum err_code look_run(struct work *work)
{
    struct look_job *job = (struct look_job *)work->job;
    size_t row_count = 0;
    bool full = false;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && !full && job->count < job->asked) {
        size_t size = buf_size(work->job->out);
        struct look_visit visit = {.work = work,
                                   .look = &job->looks[job->count],
                                   .room = SERVICE_PAGE_COUNT_MAX - row_count};

        rc = look_at(&visit);
        full = visit.full;
        if (full && job->count > 0) {
            buf_truncate(work->job->out, size); /* another look shows all of it */
        } else {
            row_count += visit.look->row_count;
            job->count++;
        }
    }
    return rc;
}

static void look_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct look_job *job = (struct look_job *)base;
    struct outbox_row rows[SERVICE_PAGE_COUNT_MAX];
    struct service_looks looks = {.looks = job->looks, .rows = rows};
    struct unpack cursor;
    size_t row_count = 0;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor)) {
        ASSERT(row_count < SERVICE_PAGE_COUNT_MAX);
        row_count += answer_next_row(&cursor, &rows[row_count]) ? 1 : 0;
    }
    looks.count = rc == ERR_OK ? job->count : 0;
    job->done(base->arg, rc, err, &looks);
}

enum err_code service_outbox_look(struct service *service,
                                  const struct request_id *requests,
                                  size_t count,
                                  service_looks_fn *done,
                                  void *arg,
                                  struct err *err)
{
    struct look_job *job;
    struct job *base;
    enum err_code rc;

    ASSERT(count > 0 && count <= SERVICE_LOOK_COUNT_MAX);
    rc = job_new(service, sizeof *job, look_run, look_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct look_job *)base;
    job->done = done;
    job->asked = count;
    for (size_t i = 0; i < count; i++) {
        job->looks[i].request = requests[i];
    }
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}

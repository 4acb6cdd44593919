/* SPDX-License-Identifier: Apache-2.0 */
/* list.c: pages of requests, newest first.
 * Owns the filters and the bound on what one page may cost the writer.
 * Never counts what it does not show. */
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

struct list_job {
    struct job job;
    service_list_fn *done;
    struct service_list list; /* spans point to the job's copies */
    bool more;
    struct request_id next;
};
static_assert(sizeof(struct list_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct list_visit {
    struct work *work;
    struct list_job *job;
    size_t looked;
    size_t count;
    enum err_code rc;
};

static bool matches(const struct service_list *list, const struct request *request)
{
    bool state = list->states == 0 || (list->states & 1U << request->state) != 0;
    bool policy = list->policy.size == 0 || span_equal(list->policy, request->policy);
    bool asker = list->asker.size == 0 || span_equal(list->asker, request->asker);

    return state && policy && asker;
}

static enum err_code add(struct list_visit *visit, struct span value)
{
    struct work *work = visit->work;
    struct request request;
    enum err_code rc;

    if (value.size < 8) {
        return err_set(work->err, ERR_CORRUPT, "a stored request is cut");
    }
    value = span_of(value.data + 8, value.size - 8);
    rc = codec_request_decode(value, &request, work->err);
    if (rc != ERR_OK || !matches(&visit->job->list, &request)) {
        return rc;
    }
    visit->count++;
    return answer_bytes(work, value);
}

/* The pending index leads to the row; the requests table is the row. */
static enum err_code add_indexed(struct list_visit *visit, const struct request_id *id)
{
    struct span value;
    enum err_code rc = work_get(visit->work, TABLE_REQUESTS, key_request(id), &value);

    return rc == ERR_OK ? add(visit, value) : rc;
}

static bool only_pending(const struct service_list *list)
{
    return list->states == 1U << REQUEST_PENDING;
}

static bool visit_request(void *arg, struct span key, struct span value)
{
    struct list_visit *visit = arg;
    struct list_job *job = visit->job;
    struct request_id id;

    if (key.size != REQUEST_ID_SIZE) {
        return true;
    }
    memcpy(id.bytes, key.data, REQUEST_ID_SIZE);
    if (job->list.has_before && request_id_compare(&id, &job->list.before) >= 0) {
        return true;
    }
    if (visit->count == job->list.count_max || visit->looked == SERVICE_SCAN_COUNT_MAX ||
        !answer_has_room(visit->work)) {
        job->more = true;
        return false;
    }
    visit->looked++;
    job->next = id;
    visit->rc = only_pending(&job->list) ? add_indexed(visit, &id) : add(visit, value);
    return visit->rc == ERR_OK;
}

static enum err_code run(struct work *work)
{
    struct list_job *job = (struct list_job *)work->job;
    struct list_visit visit = {.work = work, .job = job, .rc = ERR_OK};
    struct key from = {.size = 0};
    enum table table = only_pending(&job->list) ? TABLE_PENDING : TABLE_REQUESTS;
    enum err_code rc;

    if (job->list.has_before) {
        from = key_request(&job->list.before);
    }
    rc = storage_scan(work->txn, (uint8_t)table, key_span(&from), true, visit_request, &visit,
                      work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct list_job *job = (struct list_job *)base;
    struct request *requests;
    const struct request *pointers[SERVICE_PAGE_COUNT_MAX];
    struct err failed = ERR_INIT;
    struct unpack cursor;
    size_t count = 0;

    requests = mem_new(SERVICE_PAGE_COUNT_MAX, sizeof *requests);
    if (rc == ERR_OK && requests == NULL) {
        rc = err_set(&failed, ERR_NOMEM, "a page of requests");
        err = &failed;
    }
    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor)) {
        ASSERT(count < SERVICE_PAGE_COUNT_MAX);
        if (answer_next_request(&cursor, &requests[count])) {
            pointers[count] = &requests[count];
            count++;
        }
    }
    job->done(base->arg, rc, err, pointers, count, job->more, &job->next);
    mem_free(requests);
}

enum err_code service_list(struct service *service,
                           const struct service_list *list,
                           service_list_fn *done,
                           void *arg,
                           struct err *err)
{
    struct list_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct list_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->list = *list;
    if (job->list.count_max > SERVICE_PAGE_COUNT_MAX) {
        job->list.count_max = SERVICE_PAGE_COUNT_MAX;
    }
    {
        struct span *spans[] = {&job->list.policy, &job->list.asker};

        rc = job_keep(base, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

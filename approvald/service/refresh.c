/* SPDX-License-Identifier: Apache-2.0 */
/* refresh.c: the messages of a request that show something else, for all that somebody has seen.
 * Owns that each is owed again, and that presses alone do not owe one for ever.
 * Never looks at Slack, never says who saw it. */
#include "approvald/core/approval.h"
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/cards.h"
#include "approvald/service/limits.h"
#include "approvald/service/work.h"

#include "storage/storage.h"

struct refresh_job {
    struct done_job base;
    struct request_id id;
    bool pressed; /* the button of this verdict */
    enum verdict verdict;
};

/* It was changed a moment ago: who pressed has seen what was there before, and nothing is wrong
 * with what is there now. */
static bool is_fresh(const struct outbox_row *row, uint64_t now_ms)
{
    return now_ms >= row->owed_ms && now_ms - row->owed_ms < SERVICE_REFRESH_FRESH_MS;
}

/* One message. pressed: only what should show the newest state for long, and no more often than
 * core/outbox.h allows: a person may press again and again. *owed: it is owed again. */
static enum err_code refresh_row(struct work *work,
                                 const struct request *request,
                                 enum surface surface,
                                 struct span target,
                                 bool pressed,
                                 bool *owed)
{
    struct outbox_row row;
    enum row_where where;
    enum err_code rc;

    if (target.size == 0) {
        return ERR_OK;
    }
    rc = work_row_get(work, &request->id, surface, target, &row, &where);
    if (rc != ERR_OK || where == ROW_NOWHERE) {
        return rc;
    }
    if (pressed && (where != ROW_SETTLED || is_fresh(&row, work->now_ms) ||
                    !outbox_repair(&row, work->now_ms))) {
        return ERR_OK;
    }
    outbox_raise(&row, request->revision, work->now_ms);
    outbox_doubt(&row, work->now_ms);
    *owed = true;
    return work_row_put(work, &row, where);
}

static enum err_code refresh_all(struct work *work, const struct subject *subject, bool pressed)
{
    const struct request *request = &subject->request;
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX];
    struct copies copies = {.count = 0};
    uint32_t count = approval_channels(request, &subject->policy, channels);
    bool owed = false;
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = refresh_row(work, request, SURFACE_CARD, channels[i], pressed, &owed);
    }
    if (rc == ERR_OK && request_is_direct(request, &subject->policy)) {
        rc = copies_find(work, &request->id, &copies);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < copies.count; i++) {
        rc = refresh_row(work, request, SURFACE_CARD, span_text(copies.users[i]), pressed, &owed);
    }
    if (rc == ERR_OK) {
        rc = refresh_row(work, request, SURFACE_DIRECT, request->requester, pressed, &owed);
    }
    if (rc == ERR_OK && slack_user_is_valid(request->asker)) {
        rc = refresh_row(work, request, SURFACE_DIRECT, request->asker, pressed, &owed);
    }
    if (owed || !pressed) {
        work->job->changed = true;
        work->job->id = request->id;
        work->job->doubts = true;
    }
    return rc;
}

enum err_code refresh_pressed(struct work *work, const struct subject *subject)
{
    return refresh_all(work, subject, true);
}

bool refresh_is_offered(const struct request *request, enum verdict verdict)
{
    return request->state == REQUEST_PENDING &&
           (verdict == VERDICT_REJECT || !request_is_delayed(request));
}

static enum err_code refresh_run(struct work *work)
{
    const struct refresh_job *job = (struct refresh_job *)work->job;
    struct subject subject;
    enum err_code rc = subject_load(work, &job->id, &subject);

    if (rc != ERR_OK || (job->pressed && refresh_is_offered(&subject.request, job->verdict))) {
        return rc;
    }
    return refresh_all(work, &subject, job->pressed);
}

static enum err_code refresh_new(struct service *service,
                                 const struct request_id *id,
                                 service_done_fn *done,
                                 void *arg,
                                 struct refresh_job **ret_job,
                                 struct err *err)
{
    struct job *base;
    enum err_code rc = job_new(service, sizeof **ret_job, refresh_run, done_job_answer, &base, err);

    if (rc == ERR_OK) {
        *ret_job = (struct refresh_job *)base;
        (*ret_job)->base.done = done;
        (*ret_job)->id = *id;
        base->arg = arg;
    }
    return rc;
}

enum err_code service_refresh(struct service *service,
                              const struct request_id *id,
                              service_done_fn *done,
                              void *arg,
                              struct err *err)
{
    struct refresh_job *job;
    enum err_code rc = refresh_new(service, id, done, arg, &job, err);

    return rc == ERR_OK ? job_submit_take(&job->base.job, err) : rc;
}

enum err_code service_refresh_pressed(struct service *service,
                                      const struct request_id *id,
                                      enum verdict verdict,
                                      service_done_fn *done,
                                      void *arg,
                                      struct err *err)
{
    struct refresh_job *job;
    enum err_code rc = refresh_new(service, id, done, arg, &job, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job->pressed = true;
    job->verdict = verdict;
    return job_submit_take(&job->base.job, err);
}

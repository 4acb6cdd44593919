/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_rows.c: what the sender asks of the outbox: list, begin, end, replay.
 * Owns that an attempt is durable before its call is made, and its result after.
 * Never calls anybody, never decides what a result means: core/outbox.h does. */
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "storage/storage.h"

#include <string.h>

struct list_job {
    struct job job;
    service_rows_fn *done;
    bool has_after;
    struct key after;
    bool has_only;
    struct request_id only;
    bool dead;
    size_t count_max;
    bool more;
    bool ended[SERVICE_PAGE_COUNT_MAX]; /* of each live row: its request is */
};
static_assert(sizeof(struct list_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct list_visit {
    struct work *work;
    struct list_job *job;
    size_t count;
    struct request_id ids[SERVICE_PAGE_COUNT_MAX]; /* of the rows */
    enum err_code rc;
};

static bool visit_row(void *arg, struct span key, struct span value)
{
    struct list_visit *visit = arg;
    struct list_job *job = visit->job;
    struct outbox_row row;

    if (job->has_only && !key_is_of_request(key, &job->only)) {
        return false;
    }
    if (job->has_after && span_equal(key, key_span(&job->after))) {
        return true;
    }
    if (visit->count == job->count_max || !answer_has_room(visit->work)) {
        job->more = true;
        return false;
    }
    if (codec_row_decode(value, &row, NULL) != ERR_OK) {
        return true; /* one damaged row must not keep all others from being sent */
    }
    visit->ids[visit->count++] = row.request;
    visit->rc = answer_bytes(visit->work, value);
    return visit->rc == ERR_OK;
}

static enum err_code list_run(struct work *work)
{
    struct list_job *job = (struct list_job *)work->job;
    struct list_visit visit = {.work = work, .job = job, .rc = ERR_OK};
    struct key from = job->after;
    enum err_code rc;

    if (!job->has_after && job->has_only) {
        from = key_request(&job->only);
    }
    rc = storage_scan(work->txn, job->dead ? TABLE_DEAD : TABLE_OWED, key_span(&from), false,
                      visit_row, &visit, work->err);
    for (size_t i = 0; rc == ERR_OK && !job->dead && i < visit.count; i++) {
        bool again = i > 0 && request_id_equal(&visit.ids[i], &visit.ids[i - 1]);

        job->ended[i] = again ? job->ended[i - 1] : look_is_ended(work, &visit.ids[i]);
    }
    return rc == ERR_OK ? visit.rc : rc;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct list_job *job = (struct list_job *)base;
    struct outbox_row rows[SERVICE_PAGE_COUNT_MAX];
    struct unpack cursor;
    size_t count = 0;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor)) {
        ASSERT(count < SERVICE_PAGE_COUNT_MAX);
        count += answer_next_row(&cursor, &rows[count]) ? 1 : 0;
    }
    job->done(base->arg, rc, err,
              &(struct service_rows){
                  .rows = rows, .ended = job->ended, .count = count, .more = job->more});
}

static struct key key_of(const struct service_row_key *key)
{
    size_t size = strnlen(key->target, sizeof key->target);

    ASSERT(size <= CORE_NAME_SIZE_MAX);
    return key_row(&key->request, key->surface, span_of(key->target, size));
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_outbox_list(struct service *service,
                                  const struct service_row_key *after,
                                  const struct request_id *only,
                                  bool dead,
                                  size_t count_max,
                                  service_rows_fn *done,
                                  void *arg,
                                  struct err *err)
{
    struct list_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, list_run, list_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct list_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->dead = dead;
    job->count_max = count_max < SERVICE_PAGE_COUNT_MAX ? count_max : SERVICE_PAGE_COUNT_MAX;
    job->has_after = after != NULL;
    if (after != NULL) {
        job->after = key_of(after);
    }
    job->has_only = only != NULL;
    if (only != NULL) {
        job->only = *only;
    }
    return job_submit_take(base, err);
}

/* One row, named by its key. */
struct row_job {
    struct done_job base; /* begin uses attempt in done's place */
    service_attempt_fn *attempt;
    struct service_row_key key;
    struct outbox_outcome outcome; /* end; spans point to the job's copies */
    bool away;                     /* end */
    struct actor actor;            /* replay */
};
static_assert(sizeof(struct row_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code
row_load(struct work *work, struct outbox_row *ret_row, enum row_where *ret_where)
{
    const struct service_row_key *key = &((struct row_job *)work->job)->key;
    enum err_code rc;

    rc =
        work_row_get(work, &key->request, key->surface, span_text(key->target), ret_row, ret_where);
    if (rc == ERR_OK && *ret_where == ROW_NOWHERE) {
        return err_set(work->err, ERR_NOT_FOUND, "nothing is owed there");
    }
    return rc;
}

/* The request's card, for its channel and ts: of a thread its own, else the first one. */
static enum err_code
answer_card(struct work *work, const struct outbox_row *row, const struct subject *subject)
{
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX] = {SPAN_NONE};
    struct outbox_row card;
    enum row_where where = ROW_NOWHERE;
    enum err_code rc = ERR_OK;

    if (subject != NULL) {
        (void)approval_channels(&subject->request, &subject->policy, channels); /* the first */
    }
    if (subject != NULL && row->surface == SURFACE_THREAD) {
        channels[0] = row->target;
    }
    if (channels[0].size > 0) {
        rc = work_row_get(work, &row->request, SURFACE_CARD, channels[0], &card, &where);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return answer_row(work, where == ROW_NOWHERE || card.ts.size == 0 ? NULL : &card);
}

static enum err_code begin_run(struct work *work)
{
    struct outbox_row row;
    struct subject subject;
    enum row_where where;
    bool attempted;
    bool found;
    enum err_code rc;

    rc = row_load(work, &row, &where);
    if (rc != ERR_OK) {
        return rc;
    }
    if (where != ROW_OWED) {
        return err_set(work->err, ERR_NOT_FOUND, "nothing is owed there any more");
    }
    attempted = row.attempted;
    outbox_begin(&row, work->now_ms);
    rc = work_row_put(work, &row, where);
    if (rc != ERR_OK) {
        return rc;
    }
    row.attempted = attempted; /* what the sender has to know: did an earlier one get away? */
    rc = subject_load(work, &row.request, &subject);
    found = rc == ERR_OK;
    if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
        rc = answer_row(work, &row);
    }
    if (rc == ERR_OK) {
        rc = answer_card(work, &row, found ? &subject : NULL);
    }
    return rc == ERR_OK ? answer_subject(work, found ? &subject : NULL) : rc;
}

static void begin_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct row_job *job = (struct row_job *)base;
    struct outbox_row row;
    struct outbox_row card;
    struct request request;
    struct policy policy;
    struct unpack cursor;
    bool has_row;
    bool has_card;
    bool has_request;
    bool has_policy;

    if (rc != ERR_OK) {
        job->attempt(base->arg, rc, err, NULL);
        return;
    }
    answer_open(base, &cursor);
    has_row = answer_next_row(&cursor, &row);
    has_card = answer_next_row(&cursor, &card);
    has_request = answer_next_request(&cursor, &request);
    has_policy = answer_next_policy(&cursor, &policy);
    ASSERT(has_row);
    job->attempt(base->arg, rc, err,
                 &(struct service_attempt){.row = &row,
                                           .card = has_card ? &card : NULL,
                                           .request = has_request ? &request : NULL,
                                           .policy = has_policy ? &policy : NULL});
}

static enum err_code row_job_new(struct service *service,
                                 const struct service_row_key *key,
                                 job_run_fn *run,
                                 job_answer_fn *answer,
                                 struct row_job **ret_job,
                                 struct err *err)
{
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof **ret_job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_job = (struct row_job *)base;
    (*ret_job)->key = *key;
    return ERR_OK;
}

enum err_code service_outbox_begin(struct service *service,
                                   const struct service_row_key *key,
                                   service_attempt_fn *done,
                                   void *arg,
                                   struct err *err)
{
    struct row_job *job;
    enum err_code rc;

    rc = row_job_new(service, key, begin_run, begin_answer, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->attempt = done;
    job->base.job.arg = arg;
    return job_submit_take(&job->base.job, err);
}

static enum err_code audit_row(struct work *work,
                               const struct outbox_row *row,
                               enum audit_action action,
                               const struct actor *actor)
{
    static const char *const words[] = {
        [SURFACE_CARD] = "card",     [SURFACE_THREAD] = "thread",   [SURFACE_DIRECT] = "direct",
        [SURFACE_NOTICE] = "notice", [SURFACE_WEBHOOK] = "webhook", [SURFACE_PEOPLE] = "people"};
    struct audit_write write = {
        .action = span_text(audit_action_word(action)), .actor = actor, .id = &row->request};
    struct subject subject;
    AUTO_BUF struct buf *detail = NULL;
    enum err_code rc;

    rc = buf_new(AUDIT_DETAIL_SIZE_MAX, &detail, work->err);
    if (rc == ERR_OK) {
        rc = buf_append_format(detail, work->err, "%s %.*s: %.*s", words[row->surface],
                               SPAN_ARGS(row->target), SPAN_ARGS(row->error));
    }
    if (rc != ERR_OK) {
        return rc;
    }
    write.detail = buf_span(detail);
    rc = subject_load(work, &row->request, &subject);
    if (rc == ERR_NOT_FOUND) {
        return work_audit(work, &write, NULL, NULL);
    }
    if (rc == ERR_OK) {
        rc = work_audit(work, &write, &subject, NULL);
    }
    return rc == ERR_OK ? subject_store(work, &subject) : rc;
}

/* Nobody is left to be told; that somebody was not is no secret. */
static enum err_code
audit_dropped(struct work *work, struct outbox_row *row, const struct outbox_outcome *outcome)
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};

    if (outcome->result != OUTBOX_DROP || outcome->error.size == 0 ||
        !outbox_is_shown(row->surface)) {
        return ERR_OK;
    }
    row->error = outcome->error;
    return audit_row(work, row, AUDIT_OUTBOX_DROPPED, &system);
}

static enum err_code end_run(struct work *work)
{
    struct row_job *job = (struct row_job *)work->job;
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct outbox_row row;
    enum row_where where;
    bool died;
    enum err_code rc;

    rc = row_load(work, &row, &where);
    if (rc != ERR_OK) {
        return rc;
    }
    (void)outbox_end(&row, &job->outcome, work->now_ms, &died); /* work_row_put asks again */
    rc = work_row_put(work, &row, where);
    if (rc == ERR_OK && died) {
        rc = audit_row(work, &row, AUDIT_OUTBOX_DEAD, &system);
    }
    if (rc == ERR_OK && died) {
        rc = copies_rescue(work, &row);
    }
    if (rc == ERR_OK) {
        rc = audit_dropped(work, &row, &job->outcome);
    }
    work->job->changed = rc == ERR_OK;
    work->job->id = job->key.request;
    return rc;
}

static void end_answer(struct job *base, enum err_code rc, const struct err *err)
{
    const struct row_job *job = (const struct row_job *)base;

    if (rc == ERR_OK && job->outcome.result == OUTBOX_LOST) {
        service_doubted(base->service, SERVICE_DOUBT_WRONG);
    } else if (job->away && outbox_is_shown(job->key.surface)) { /* stored or not, it may come */
        service_doubted(base->service, SERVICE_DOUBT_LATE);
    }
    done_job_answer(base, rc, err);
}

enum err_code service_outbox_end(struct service *service,
                                 const struct service_row_key *key,
                                 const struct service_outcome *outcome,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct row_job *job;
    enum err_code rc;

    ASSERT(outcome->result >= OUTBOX_SENT && outcome->result <= OUTBOX_LOST);
    rc = row_job_new(service, key, end_run, end_answer, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->base.done = done;
    job->base.job.arg = arg;
    job->away = outcome->result == OUTBOX_UNKNOWN && outcome->away;
    job->outcome = (struct outbox_outcome){.result = outcome->result,
                                           .revision = outcome->revision,
                                           .item_id = outcome->item_id,
                                           .channel = outcome->channel,
                                           .ts = outcome->ts,
                                           .error = outcome->error};
    if (outcome->channel.size > CORE_SLACK_ID_SIZE_MAX ||
        outcome->ts.size > CORE_SLACK_TS_SIZE_MAX) {
        (void)err_set(&job->base.job.refuse, ERR_INVALID, "channel or ts: too long");
    } else {
        struct span *spans[] = {&job->outcome.channel, &job->outcome.ts, &job->outcome.error};

        rc = job_keep(&job->base.job, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(&job->base.job);
        return rc;
    }
    return job_submit_take(&job->base.job, err);
}

static enum err_code replay_run(struct work *work)
{
    struct row_job *job = (struct row_job *)work->job;
    struct outbox_row row;
    enum row_where where;
    enum err_code rc;

    rc = row_load(work, &row, &where);
    if (rc != ERR_OK) {
        return rc;
    }
    if (where != ROW_DEAD) {
        return err_set(work->err, ERR_NOT_FOUND, "this is no dead letter");
    }
    rc = audit_row(work, &row, AUDIT_OUTBOX_REPLAYED, &job->actor);
    if (rc != ERR_OK) {
        return rc;
    }
    outbox_replay(&row, work->now_ms);
    work->job->changed = true;
    work->job->id = job->key.request;
    return work_row_put(work, &row, where);
}

enum err_code service_outbox_replay(struct service *service,
                                    const struct service_row_key *key,
                                    const struct actor *actor,
                                    service_done_fn *done,
                                    void *arg,
                                    struct err *err)
{
    struct row_job *job;
    enum err_code rc;

    rc = row_job_new(service, key, replay_run, done_job_answer, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->base.done = done;
    job->base.job.arg = arg;
    job->actor = *actor;
    {
        struct span *spans[] = {&job->actor.user, &job->actor.token};

        rc = job_keep(&job->base.job, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(&job->base.job);
        return rc;
    }
    return job_submit_take(&job->base.job, err);
}

uint64_t service_outbox_depth(const struct service *service)
{
    return service->counts.owed;
}

uint64_t service_outbox_dead(const struct service *service)
{
    return service->counts.dead;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* freezes.c: adding, removing and listing change freezes.
 * Owns that each is a record with its audit entry, in one transaction.
 * Never touches a request: a claim looks at the freezes that there are, and what people see of them
 * is gate_sweep.c's. */
#include "approvald/service/freezes.h"

#include "approvald/service/answer.h"
#include "approvald/service/gate.h"
#include "approvald/service/gate_sweep.h"
#include "approvald/service/input.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

struct freeze_job {
    struct done_job base;
    struct actor actor; /* spans point to the job's copies */
    struct freeze freeze;
};
static_assert(sizeof(struct freeze_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code
audit(struct work *work, struct freeze_job *job, enum audit_action action, struct span detail)
{
    struct audit_write write = {
        .action = span_text(audit_action_word(action)), .actor = &job->actor, .detail = detail};

    return work_audit(work, &write, NULL, NULL);
}

/* "x-mas from 2026-12-20T00:00:00Z to 2027-01-02T00:00:00Z, passed by nobody: stocktaking" */
static enum err_code audit_added(struct work *work, struct freeze_job *job)
{
    const struct freeze *freeze = &job->freeze;
    AUTO_BUF struct buf *detail = NULL;
    char from[TEXT_TIME_SIZE];
    char to[TEXT_TIME_SIZE];
    enum err_code rc = buf_new(AUDIT_DETAIL_SIZE_MAX, &detail, work->err);

    text_format_time(freeze->from_ms, from);
    text_format_time(freeze->to_ms, to);
    if (rc == ERR_OK) {
        rc = buf_append_format(detail, work->err, "%.*s from %s to %s, passed by %s: %.*s",
                               SPAN_ARGS(freeze->name), from, to,
                               freeze->glass_passes ? "a broken glass" : "nobody",
                               SPAN_ARGS(freeze->reason));
    }
    return rc == ERR_OK ? audit(work, job, AUDIT_FREEZE_ADDED, buf_span(detail)) : rc;
}

static bool is_same(const struct freeze *a, const struct freeze *b)
{
    return a->from_ms == b->from_ms && a->to_ms == b->to_ms && a->glass_passes == b->glass_passes &&
           span_equal(a->reason, b->reason);
}

/* Those that are over make room. */
static enum err_code make_room(struct work *work)
{
    struct freezes freezes;
    enum err_code rc = freezes_load(work, &freezes);
    uint32_t left = freezes.count;

    if (rc != ERR_OK || left < CORE_FREEZE_COUNT_MAX) {
        return rc;
    }
    for (uint32_t i = 0; rc == ERR_OK && i < freezes.count; i++) {
        if (!freezes.items[i].damaged && freezes.items[i].to_ms <= work->now_ms) {
            rc = work_delete(work, TABLE_FREEZES, key_text(freezes.items[i].name));
            left--;
        }
    }
    return rc == ERR_OK && left == CORE_FREEZE_COUNT_MAX
               ? err_set(work->err, ERR_FULL, "more than %d freezes that are not over",
                         CORE_FREEZE_COUNT_MAX)
               : rc;
}

static enum err_code put(struct work *work, struct freeze_job *job)
{
    char actor[AUDIT_ACTOR_SIZE];
    struct buf *row;
    enum err_code rc = make_room(work);

    if (rc != ERR_OK) {
        return rc;
    }
    audit_actor_format(&job->actor, actor);
    job->freeze.added_by = span_text(actor);
    job->freeze.added_ms = work->now_ms;
    row = work_row(work);
    rc = codec_freeze_encode(&job->freeze, row, work->err);
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_FREEZES, key_text(job->freeze.name), buf_span(row));
    }
    if (rc == ERR_OK) {
        rc = gate_sweep_begin(work);
    }
    return rc == ERR_OK ? audit_added(work, job) : rc;
}

static enum err_code add_run(struct work *work)
{
    struct freeze_job *job = (struct freeze_job *)work->job;
    struct freeze found;
    struct span value;
    enum err_code rc = freeze_check(&job->freeze, work->now_ms, work->err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = work_get(work, TABLE_FREEZES, key_text(job->freeze.name), &value);
    if (rc == ERR_NOT_FOUND) {
        return put(work, job);
    }
    if (rc == ERR_OK &&
        (codec_freeze_decode(value, &found, NULL) != ERR_OK || !is_same(&found, &job->freeze))) {
        return err_set(work->err, ERR_EXISTS,
                       "there is another freeze of this name; remove it first");
    }
    return rc;
}

static enum err_code remove_run(struct work *work)
{
    struct freeze_job *job = (struct freeze_job *)work->job;
    struct span value;
    enum err_code rc = ERR_NOT_FOUND;

    if (job->freeze.name.size > 0 && job->freeze.name.size <= CORE_NAME_SIZE_MAX) {
        rc = work_get(work, TABLE_FREEZES, key_text(job->freeze.name), &value);
    }
    if (rc == ERR_NOT_FOUND) {
        return err_set(work->err, ERR_NOT_FOUND, "there is no freeze of this name");
    }
    if (rc == ERR_OK) {
        rc = work_delete(work, TABLE_FREEZES, key_text(job->freeze.name));
    }
    if (rc == ERR_OK) {
        rc = gate_sweep_begin(work);
    }
    return rc == ERR_OK ? audit(work, job, AUDIT_FREEZE_REMOVED, job->freeze.name) : rc;
}

static enum err_code submit(struct service *service,
                            job_run_fn *run,
                            const struct actor *actor,
                            const struct freeze *freeze,
                            struct freeze_job **ret_job,
                            struct err *err)
{
    struct freeze_job *job;
    struct job *base;
    enum err_code rc = job_new(service, sizeof *job, run, done_job_answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct freeze_job *)base;
    job->actor = *actor;
    job->freeze = *freeze;
    (void)input_actor(base, actor); /* a refusal is noted in the job */
    *ret_job = job;
    return ERR_OK;
}

static enum err_code
finish(struct freeze_job *job, service_done_fn *done, void *arg, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->actor.user, &job->actor.token, &job->freeze.name,
                            &job->freeze.reason};

    job->base.done = done;
    base->arg = arg;
    return job_send_take(base, spans, sizeof spans / sizeof spans[0], err);
}

enum err_code service_freeze_add(struct service *service,
                                 const struct actor *actor,
                                 const struct freeze *freeze,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct freeze_job *job;
    enum err_code rc = submit(service, add_run, actor, freeze, &job, err);

    if (rc != ERR_OK) {
        return rc;
    }
    (void)input_clean(&job->base.job, INPUT_REASON,
                      &(struct input_text){"reason", CORE_FREEZE_REASON_COUNT_MAX, false, true,
                                           &job->freeze.reason}); /* noted in the job */
    return finish(job, done, arg, err);
}

enum err_code service_freeze_remove(struct service *service,
                                    const struct actor *actor,
                                    struct span name,
                                    service_done_fn *done,
                                    void *arg,
                                    struct err *err)
{
    const struct freeze freeze = {.name = name};
    struct freeze_job *job;
    enum err_code rc = submit(service, remove_run, actor, &freeze, &job, err);

    return rc == ERR_OK ? finish(job, done, arg, err) : rc;
}

struct list_job {
    struct job job;
    service_freezes_fn *done;
    uint64_t now_ms;
};

/* Its name and its record; a damaged one has none. */
static enum err_code answer_freeze(struct work *work, const struct freeze *freeze)
{
    struct buf *row = work_row(work);
    enum err_code rc = answer_bytes(work, freeze->name);

    if (rc == ERR_OK && !freeze->damaged) {
        rc = codec_freeze_encode(freeze, row, work->err);
    }
    return rc == ERR_OK ? answer_bytes(work, buf_span(row)) : rc;
}

static enum err_code list_run(struct work *work)
{
    struct list_job *job = (struct list_job *)work->job;
    struct freezes freezes;
    enum err_code rc = freezes_load(work, &freezes);

    job->now_ms = work->now_ms;
    for (uint32_t i = 0; rc == ERR_OK && i < freezes.count; i++) {
        rc = answer_freeze(work, &freezes.items[i]);
    }
    return rc;
}

static bool next_freeze(struct unpack *cursor, struct freeze *ret_freeze)
{
    struct span name;
    struct span record;

    if (!answer_next(cursor, &name) || !answer_next(cursor, &record)) {
        return false;
    }
    *ret_freeze = (struct freeze){.name = name, .damaged = true};
    return record.size == 0 || codec_freeze_decode(record, ret_freeze, NULL) == ERR_OK;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct list_job *job = (struct list_job *)base;
    struct freeze freezes[CORE_FREEZE_COUNT_MAX];
    struct unpack cursor;
    size_t count = 0;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor)) {
        bool whole;

        ASSERT(count < CORE_FREEZE_COUNT_MAX);
        whole = next_freeze(&cursor, &freezes[count++]);
        ASSERT(whole);
    }
    job->done(base->arg, rc, err, freezes, count, job->now_ms);
}

enum err_code
service_freeze_list(struct service *service, service_freezes_fn *done, void *arg, struct err *err)
{
    struct job *base;
    enum err_code rc = job_new(service, sizeof(struct list_job), list_run, list_answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    ((struct list_job *)base)->done = done;
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}

struct gate_job {
    struct job job;
    service_gate_fn *done;
    struct span policy; /* the job's copy */
    struct service_gate gate;
};

/* What is unknown is a freeze, if one is damaged, else the zone. */
static enum err_code find_damaged(struct work *work, struct request_hold *ret_hold)
{
    struct freezes freezes;
    const struct freeze *damaged;
    enum err_code rc = freezes_load(work, &freezes);

    *ret_hold = (struct request_hold){.until_ms = 0};
    if (rc == ERR_OK) {
        damaged = freezes_damaged(&freezes);
        ret_hold->freeze = damaged == NULL ? SPAN_NONE : damaged->name;
    }
    return rc;
}

static enum err_code gate_run(struct work *work)
{
    struct gate_job *job = (struct gate_job *)work->job;
    struct request_hold *hold = &job->gate.hold;
    struct policy policy;
    bool found = false;
    enum err_code rc = work_policy_now(work, job->policy, &policy, &found);

    if (rc == ERR_OK && !found) {
        return err_set(work->err, ERR_NOT_FOUND, "there is no such policy");
    }
    if (rc == ERR_OK) {
        rc = gate_look(work, &policy, false, hold, &job->gate.held);
    }
    job->gate.unknown = rc == ERR_UNAVAILABLE;
    if (job->gate.unknown) {
        rc = find_damaged(work, hold);
    }
    if (rc == ERR_OK) {
        rc = answer_bytes(work, hold->freeze);
        rc = rc == ERR_OK ? answer_bytes(work, hold->reason) : rc;
    }
    return rc;
}

static void gate_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct gate_job *job = (struct gate_job *)base;
    struct unpack cursor;

    answer_open(base, &cursor);
    if (rc == ERR_OK) {
        bool whole = answer_next(&cursor, &job->gate.hold.freeze) &&
                     answer_next(&cursor, &job->gate.hold.reason);

        ASSERT(whole);
    }
    job->done(base->arg, rc, err, rc == ERR_OK ? &job->gate : NULL);
}

enum err_code service_gate(
    struct service *service, struct span policy, service_gate_fn *done, void *arg, struct err *err)
{
    struct gate_job *job;
    struct job *base;
    struct span *spans[1];
    enum err_code rc = job_new(service, sizeof *job, gate_run, gate_answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct gate_job *)base;
    job->done = done;
    job->policy = policy;
    spans[0] = &job->policy;
    base->arg = arg;
    base->reads = true;
    rc = job_keep(base, spans, 1, err);
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

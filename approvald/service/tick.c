/* SPDX-License-Identifier: Apache-2.0 */
/* tick.c: what time does: approvers are reminded, others asked, requests expire, approvals take
 * effect and lapse, old records go.
 * Owns the walk along the deadlines; each expiry is a record like any decision.
 * Never runs two ticks at once, never holds the writer longer than a bounded piece of work. */
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"
#include "approvald/service/gate.h"
#include "approvald/service/gate_sweep.h"
#include "approvald/service/prune.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "storage/storage.h"

#include <string.h>

#define RETRY_AFTER_MS 1000
#define AT_ONCE        0 /* not now: the wall clock may be behind the time of records */

struct due {
    uint64_t deadline_ms;
    struct request_id id;
};

struct tick_job {
    struct job job;
    size_t due_count; /* deadlines found */
    struct due due[SERVICE_TICK_COUNT_MAX];
    size_t changed_count;
    struct request_id changed[SERVICE_TICK_COUNT_MAX];
    size_t expired_count; /* of those, or lapsed */
    size_t damaged_count; /* requests that could not be read */
    struct request_id damaged;
    uint64_t next_ms; /* when to tick again */
    uint64_t now_ms;
    struct prune_time time;
    uint64_t prune_ahead_ms; /* 0: the wall clock is believed */
};
static_assert(sizeof(struct tick_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static bool visit_deadline(void *arg, struct span key, struct span value)
{
    struct tick_job *job = arg;
    struct request_id id;
    uint64_t deadline_ms;

    (void)value; /* the key says it all */
    if (!key_deadline_parse(key, &deadline_ms, &id)) {
        return true;
    }
    if (deadline_ms > job->now_ms || job->due_count == SERVICE_TICK_COUNT_MAX) {
        job->next_ms = deadline_ms;
        return false;
    }
    job->due[job->due_count++] = (struct due){.deadline_ms = deadline_ms, .id = id};
    return true;
}

/* Its end waits for a press that came before; or the row was left behind by damage elsewhere, or by
 * such a wait that is over. Those that wait must not stand in the way of others that are due. */
static enum err_code
not_ended(struct work *work, const struct due *due, const struct request *request)
{
    enum err_code rc = work_delete(work, TABLE_DEADLINES, key_deadline(due->deadline_ms, &due->id));

    return rc == ERR_OK && approval_deadline_ms(request) <= work->now_ms
               ? waiting_look_again(work, &due->id)
               : rc;
}

static enum err_code end_one(struct work *work, struct tick_job *job, const struct due *due)
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct approval_event event = {.kind = APPROVAL_TIME,
                                   .now_ms = work->now_ms,
                                   .elapsed = &work->writer->state.elapsed,
                                   .actor = system};
    struct approval_effects effects;
    struct request_hold hold;
    struct subject subject;
    struct key key = key_deadline(due->deadline_ms, &due->id);
    enum err_code rc;

    rc = subject_load(work, &due->id, &subject);
    if (rc == ERR_CORRUPT) {
        /* One damaged record must not keep all others from expiring; it stays as evidence. */
        job->damaged_count++;
        job->damaged = due->id;
        rc = ERR_NOT_FOUND;
    }
    if (rc == ERR_NOT_FOUND) {
        return work_delete(work, TABLE_DEADLINES, key);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (request_is_delayed(&subject.request)) {
        bool held = false;

        rc = gate_look(work, &subject.policy, false, &hold, &held);
        event.hold = rc == ERR_OK && held ? &hold : NULL;
    }
    if (rc == ERR_OK || rc == ERR_UNAVAILABLE) {
        /* Without its zone it takes effect all the same: the claim will say so. */
        rc = waiting_find(work, &subject.request, &event.waiting);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    approval_step(&subject.request, &subject.policy, &event, &effects);
    if (!effects.changed) {
        return not_ended(work, due, &effects.after);
    }
    rc = subject_apply(work, &subject, &subject.request, &system, &effects);
    if (rc == ERR_OK) {
        rc = subject_store(work, &subject);
    }
    if (rc == ERR_OK) {
        job->changed[job->changed_count++] = due->id;
        job->expired_count +=
            subject.request.state == REQUEST_EXPIRED || subject.request.use == USE_LAPSED;
    }
    return rc;
}

/* Until one job has changed enough. */
static enum err_code end_due(struct work *work, struct tick_job *job)
{
    enum err_code rc =
        storage_scan(work->txn, TABLE_DEADLINES, SPAN_NONE, false, visit_deadline, job, work->err);

    for (size_t i = 0; rc == ERR_OK && i < job->due_count && work_has_room(work); i++) {
        rc = end_one(work, job, &job->due[i]);
    }
    return rc;
}

/* A piece of what a freeze has changed, when nothing else has changed as much. */
static enum err_code sweep(struct work *work, struct tick_job *job)
{
    uint64_t next_ms = AT_ONCE;
    size_t count = 0;
    enum err_code rc = ERR_OK;

    if (job->changed_count + SERVICE_SWEEP_CHANGE_MAX <= SERVICE_TICK_COUNT_MAX) {
        rc = gate_sweep_step(work, &job->changed[job->changed_count], &count, &next_ms);
        job->changed_count += count;
    }
    job->next_ms = next_ms < job->next_ms ? next_ms : job->next_ms;
    return rc;
}

static enum err_code run(struct work *work)
{
    struct tick_job *job = (struct tick_job *)work->job;
    struct writer_state *state = &work->writer->state;
    bool more = false;
    enum err_code rc;

    job->next_ms = UINT64_MAX;
    job->now_ms = work->now_ms;
    rc = end_due(work, job);
    if (rc == ERR_OK && work_has_room(work)) {
        rc = sweep(work, job);
    }
    if (rc == ERR_OK && work_has_room(work)) {
        rc = prune_due(work, &job->time, &more);
    }
    /* Whoever had no room has it in the next one, which has less to do. */
    if (more || !work_has_room(work) || job->next_ms <= work->now_ms) {
        job->next_ms = AT_ONCE;
    }
    job->prune_ahead_ms = state->prune_ahead_ms;
    return rc;
}

static void report_damage(const struct tick_job *job)
{
    char text[REQUEST_ID_TEXT_SIZE];

    if (job->damaged_count == 0) {
        return;
    }
    request_id_format(&job->damaged, text);
    metric_add(job->job.service->metrics.tick_failed, job->damaged_count);
    log_fields(LOG_LEVEL_ERROR, "service", "request_damaged", LOG_TEXT("request", text),
               LOG_NUMBER("count", job->damaged_count));
}

/* Whoever drives the ticks would otherwise come back at once, for ever. */
static void try_later(struct service *service)
{
    service->deadline_ms = clock_wall_ms(service->clock) + RETRY_AFTER_MS;
}

static void report_clock(struct service *service, const struct tick_job *job)
{
    bool paused = job->prune_ahead_ms > 0;

    metric_set(service->metrics.prune_ahead, job->prune_ahead_ms / 1000);
    if (paused && !service->prune_paused) {
        log_fields(LOG_LEVEL_WARNING, "service", "pruning_paused",
                   LOG_NUMBER("ahead_s", job->prune_ahead_ms / 1000),
                   LOG_TEXT("advice", "the wall clock jumped, or this host was off for long: set "
                                      "it right, or wait as long as it is ahead"));
    } else if (!paused && service->prune_paused) {
        log_fields(LOG_LEVEL_INFO, "service", "pruning_goes_on",
                   LOG_TEXT("reason", "the wall clock is believed again"));
    }
    service->prune_paused = paused;
}

static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct tick_job *job = (struct tick_job *)base;
    struct service *service = base->service;

    service->ticking = false;
    if (rc != ERR_OK) {
        try_later(service);
        metric_add(service->metrics.tick_failed, 1);
        log_err(LOG_LEVEL_ERROR, "service", "tick_failed", err);
        return;
    }
    report_damage(job);
    report_clock(service, job);
    /* A move may have made a new one: a window moved, an approval that lapses. */
    service->deadline_ms = job->next_ms < base->deadline_ms ? job->next_ms : base->deadline_ms;
    metric_add(service->metrics.expired, job->expired_count);
    for (size_t i = 0; i < job->changed_count; i++) {
        service_changed(service, &job->changed[i]);
    }
}

enum err_code service_tick(struct service *service, struct err *err)
{
    struct job *base;
    enum err_code rc;

    if (service->ticking) {
        return ERR_OK;
    }
    rc = job_new(service, sizeof(struct tick_job), run, answer, &base, err);
    if (rc == ERR_OK) {
        ((struct tick_job *)base)->time = (struct prune_time){
            .wall_ms = clock_wall_ms(service->clock), .boot_ms = clock_boot_ms(service->clock)};
        base->reclaims = true;
        rc = job_submit_take(base, err);
    }
    service->ticking = rc == ERR_OK;
    if (rc != ERR_OK) {
        try_later(service);
    }
    return rc;
}

uint64_t service_deadline_ms(const struct service *service)
{
    return service->deadline_ms;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c: reading a request, and deciding it.
 * Owns that one outside event is decided once, however often it is delivered.
 * Never decides without the writer: what the loop knows is old. */
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/input.h"
#include "approvald/service/press.h"
#include "approvald/service/replay.h"

#include "base/assert.h"
#include "base/metrics.h"

struct get_job {
    struct request_job base;
    struct request_id id;
};

static enum err_code get_run(struct work *work)
{
    struct get_job *job = (struct get_job *)work->job;
    struct subject subject;
    enum err_code rc;

    rc = subject_load(work, &job->id, &subject);
    if (rc == ERR_NOT_FOUND) {
        work->job->refusal = REFUSAL_UNKNOWN_REQUEST;
        return answer_subject(work, NULL);
    }
    return rc == ERR_OK ? answer_subject(work, &subject) : rc;
}

enum err_code service_get(struct service *service,
                          const struct request_id *id,
                          service_request_fn *done,
                          void *arg,
                          struct err *err)
{
    struct get_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, get_run, request_job_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct get_job *)base;
    job->base.done = done;
    base->arg = arg;
    base->reads = true;
    job->id = *id;
    return job_submit_take(base, err);
}

struct decide_job {
    struct request_job base;
    struct press press;
    struct facts facts;
};
static_assert(sizeof(struct decide_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");
static_assert(2 * CORE_FACT_GROUP_COUNT_MAX + CORE_FACT_EMAIL_COUNT_MAX +
                      CORE_POLICY_GROUP_COUNT_MAX + 5 * CORE_STAND_IN_COUNT_MAX + 5 <=
                  JOB_KEEP_COUNT_MAX,
              "all spans are kept");

enum err_code
event_replay(struct work *work, const struct inbox_key *key, const struct request_id *id)
{
    struct event_seen seen;
    struct subject subject;
    enum err_code rc;

    rc = event_get(work, key, &seen);
    if (rc != ERR_OK) {
        return rc;
    }
    work->job->replayed = true;
    work->job->deferred = seen.deferred;
    work->job->refusal = seen.refusal;
    rc = subject_load(work, id, &subject);
    if (rc == ERR_NOT_FOUND) {
        return answer_subject(work, NULL);
    }
    return rc == ERR_OK ? answer_subject(work, &subject) : rc;
}

static enum err_code decide_run(struct work *work)
{
    struct decide_job *job = (struct decide_job *)work->job;
    enum err_code rc = ERR_NOT_FOUND;

    if (job->press.has_key) {
        rc = event_replay(work, &job->press.key, &job->press.id);
    }
    if (rc == ERR_NOT_FOUND) {
        rc = press_decide(work, &job->press, &job->facts, PRESS_DEFER);
    }
    return rc;
}

void count_decision(const struct job *job)
{
    const struct service_metrics *metrics = &job->service->metrics;
    struct metric *metric = metrics->decided;

    if (job->replayed) {
        metric = metrics->replayed;
    } else if (job->deferred) {
        metric = metrics->deferred;
    } else if (job->refusal != REFUSAL_NONE) {
        metric = metrics->refused;
    }
    metric_add(metric, 1);
}

static void decide_answer(struct job *job, enum err_code rc, const struct err *err)
{
    ((struct decide_job *)job)->press.code = 0;
    if (rc == ERR_OK) {
        count_decision(job);
    }
    request_job_answer(job, rc, err);
}

/* Everything that the facts borrow, behind the first count spans. */
size_t facts_spans(struct facts *facts, struct span **spans, size_t count)
{
    for (uint32_t i = 0; i < facts->known_count; i++) {
        spans[count++] = &facts->known[i];
    }
    for (uint32_t i = 0; i < facts->member_count; i++) {
        spans[count++] = &facts->member[i];
    }
    for (uint32_t i = 0; i < facts->email_count; i++) {
        spans[count++] = &facts->emails[i];
    }
    for (uint32_t i = 0; i < facts->requester_count; i++) {
        spans[count++] = &facts->requester[i];
    }
    for (uint32_t i = 0; i < facts->stand_in_count; i++) {
        struct stand_in *stand_in = &facts->stand_ins[i];

        spans[count++] = &stand_in->user;
        for (uint32_t j = 0; j < stand_in->email_count; j++) {
            spans[count++] = &stand_in->emails[j];
        }
    }
    return count;
}

static enum err_code decide_keep(struct decide_job *job, struct err *err)
{
    struct press *press = &job->press;
    struct span *spans[JOB_KEEP_COUNT_MAX] = {&press->actor.user, &press->actor.token,
                                              &press->reason, &press->channel, &press->thread};
    size_t count = facts_spans(&job->facts, spans, 5);

    return job_keep(&job->base.job, spans, count, err);
}

/* Root breaks a glass, and decides nothing else. */
static bool may_be(const struct press *press)
{
    return press->actor.user.size > 0 ||
           (press->actor.kind == ACTOR_ROOT && press->verdict == VERDICT_GLASS);
}

static void decide_check(struct decide_job *job, const struct service_decide *decide)
{
    struct job *base = &job->base.job;
    struct press *press = &job->press;
    bool glass = decide->verdict == VERDICT_GLASS;
    const struct input_text reason = {"reason", CORE_REASON_COUNT_MAX, true, glass, &press->reason};

    /* The last answer does not matter: each refusal is noted in the job. */
    (void)(input_actor(base, &press->actor) &&
           input_require(base, may_be(press), "user: who decides?") &&
           input_require(base,
                         decide->verdict >= VERDICT_APPROVE && decide->verdict <= VERDICT_GLASS,
                         "verdict: approve, reject or break_glass") &&
           input_place(base, press->channel, press->thread) &&
           input_require(base, !press->has_code || totp_parse(decide->code, &press->code),
                         "code: the six digits that the app shows") &&
           input_event_key(base, &decide->key, &press->key, &press->has_key) &&
           input_clean(base, INPUT_REASON, &reason));
}

enum err_code service_decide(struct service *service,
                             const struct service_decide *decide,
                             service_request_fn *done,
                             void *arg,
                             struct err *err)
{
    struct decide_job *job;
    struct job *base;
    enum err_code rc;

    ASSERT(decide->facts.known_count <= CORE_FACT_GROUP_COUNT_MAX);
    ASSERT(decide->facts.member_count <= CORE_FACT_GROUP_COUNT_MAX);
    rc = job_new(service, sizeof *job, decide_run, decide_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct decide_job *)base;
    job->base.done = done;
    base->arg = arg;
    job->press = (struct press){.actor = decide->actor,
                                .id = decide->id,
                                .verdict = decide->verdict,
                                .reason = decide->reason,
                                .channel = decide->channel,
                                .thread = decide->thread,
                                .quiet = decide->quiet,
                                .has_code = decide->code.size > 0};
    job->facts = decide->facts;
    service_add_stand_ins(service, decide->actor.user, &job->facts);
    decide_check(job, decide);
    if (base->refuse.code == ERR_OK) {
        rc = decide_keep(job, err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* use.c: cancelling a request; claiming and consuming an approval.
 * Owns that each goes through the same rules, records and audit as a decision.
 * Never answers a claim from memory. */
#include "approvald/service/answer.h"
#include "approvald/service/input.h"
#include "approvald/service/press.h"
#include "approvald/service/replay.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/metrics.h"

#include <string.h>

struct use_job {
    struct request_job base;
    struct request_id id;
    struct approval_event event; /* spans point to the job's copies; now_ms is the writer's */
    const char *what;
    uint32_t key_count;
    struct inbox_key keys[INBOX_KEY_COUNT_MAX];
    uint8_t bind_hash[32];
    uint8_t claim_hash[32];
};
static_assert(sizeof(struct use_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code refuse(struct work *work, struct use_job *job, struct subject *subject)
{
    struct refused refused = {.what = job->what,
                              .actor = &job->event.actor,
                              .id = &job->id,
                              .refusal = work->job->refusal,
                              .quiet = true}; /* a command has an answer */

    return refused.refusal == REFUSAL_NONE ? ERR_OK : press_refuse(work, &refused, subject);
}

static enum err_code step(struct work *work, struct use_job *job, struct subject *subject)
{
    struct approval_effects effects;
    enum err_code rc;

    job->event.now_ms = work->now_ms;
    job->event.elapsed = &work->writer->state.elapsed;
    approval_step(&subject->request, &subject->policy, &job->event, &effects);
    work->job->refusal = effects.refusal;
    work->job->replayed = effects.repeated;
    rc = subject_apply(work, subject, &subject->request, &job->event.actor, &effects);
    if (rc == ERR_OK) {
        rc = refuse(work, job, subject);
    }
    return rc == ERR_OK ? subject_store(work, subject) : rc;
}

static enum err_code first(struct work *work, struct use_job *job)
{
    struct subject subject;
    bool found = true;
    enum err_code rc;

    rc = subject_load(work, &job->id, &subject);
    if (rc == ERR_OK) {
        rc = step(work, job, &subject);
    } else if (rc == ERR_NOT_FOUND) {
        found = false;
        work->job->refusal = REFUSAL_UNKNOWN_REQUEST;
        rc = refuse(work, job, NULL);
    }
    if (rc == ERR_OK && job->key_count > 0) {
        struct event_seen seen = {.refusal = work->job->refusal};

        rc = event_put(work, &job->keys[0], &seen);
    }
    return rc == ERR_OK ? answer_subject(work, found ? &subject : NULL) : rc;
}

static enum err_code run(struct work *work)
{
    struct use_job *job = (struct use_job *)work->job;
    enum err_code rc = ERR_NOT_FOUND;

    for (uint32_t i = 0; rc == ERR_NOT_FOUND && i < job->key_count; i++) {
        rc = event_replay(work, &job->keys[i], &job->id);
    }
    return rc == ERR_NOT_FOUND ? first(work, job) : rc;
}

static void answer(struct job *job, enum err_code rc, const struct err *err)
{
    const struct service_metrics *metrics = &job->service->metrics;

    if (rc == ERR_OK && job->replayed) {
        metric_add(metrics->replayed, 1);
    } else if (rc == ERR_OK && job->refusal != REFUSAL_NONE) {
        metric_add(metrics->refused, 1);
    }
    request_job_answer(job, rc, err);
}

static enum err_code use_new(struct service *service,
                             const struct actor *actor,
                             const struct request_id *id,
                             struct use_job **ret_job,
                             struct err *err)
{
    struct use_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct use_job *)base;
    job->id = *id;
    job->event.actor = *actor;
    (void)input_actor(base, actor); /* a refusal is noted in the job */
    *ret_job = job;
    return ERR_OK;
}

static enum err_code
use_submit(struct use_job *job, service_request_fn *done, void *arg, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->event.actor.user, &job->event.actor.token, &job->event.reason};
    enum err_code rc = ERR_OK;

    job->base.done = done;
    base->arg = arg;
    if (base->refuse.code == ERR_OK) {
        rc = job_keep(base, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

enum err_code service_cancel(struct service *service,
                             const struct service_cancel *cancel,
                             service_request_fn *done,
                             void *arg,
                             struct err *err)
{
    struct use_job *job;
    enum err_code rc;

    rc = use_new(service, &cancel->actor, &cancel->id, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->what = "cancel";
    job->event.kind = APPROVAL_CANCEL;
    job->event.reason = cancel->reason;
    /* Refusals are noted in the job. */
    (void)(input_event_keys(&job->base.job, &cancel->key, job->keys, &job->key_count) &&
           input_clean(&job->base.job, INPUT_REASON,
                       &(struct input_text){"reason", CORE_REASON_COUNT_MAX, true, false,
                                            &job->event.reason}));
    return use_submit(job, done, arg, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_claim(struct service *service,
                            const struct actor *actor,
                            const struct request_id *id,
                            const uint8_t *bind_hash,
                            struct span claim_key,
                            service_request_fn *done,
                            void *arg,
                            struct err *err)
{
    struct use_job *job;
    enum err_code rc;

    rc = use_new(service, actor, id, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->what = "claim";
    job->event.kind = APPROVAL_CLAIM;
    if (bind_hash != NULL) {
        memcpy(job->bind_hash, bind_hash, sizeof job->bind_hash);
        job->event.bind_hash = job->bind_hash;
    }
    if (input_require(&job->base.job, claim_key.size <= CORE_KEY_SIZE_MAX,
                      "claim key: at most %d bytes", CORE_KEY_SIZE_MAX) &&
        claim_key.size > 0) {
        crypto_sha256(claim_key.data, claim_key.size, job->claim_hash);
        job->event.claim_hash = span_of(job->claim_hash, sizeof job->claim_hash);
    }
    return use_submit(job, done, arg, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_consume(struct service *service,
                              const struct actor *actor,
                              const struct request_id *id,
                              int32_t result,
                              service_request_fn *done,
                              void *arg,
                              struct err *err)
{
    struct use_job *job;
    enum err_code rc;

    rc = use_new(service, actor, id, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->what = "consume";
    job->event.kind = APPROVAL_CONSUME;
    job->event.result = result;
    return use_submit(job, done, arg, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* use.c: cancelling a request; claiming and consuming an approval.
 * Owns that each goes through the same rules, records and audit as a decision.
 * Never answers a claim from memory: what the loop knows of people only ever refuses one
 * (recheck.c). */
#include "approvald/service/use.h"
#include "approvald/service/answer.h"
#include "approvald/service/gate.h"
#include "approvald/service/input.h"
#include "approvald/service/policy_rules.h"
#include "approvald/service/press.h"
#include "approvald/service/replay.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/metrics.h"

#include <string.h>

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

/* What a claim is judged by again. */
static enum err_code check_of(struct work *work,
                              const struct use_job *job,
                              const struct subject *subject,
                              struct policy *head,
                              struct claim_check *ret_check)
{
    bool found = false;
    enum err_code rc = work_policy_now(work, subject->request.policy, head, &found);

    *ret_check = (struct claim_check){.gone = job->gone, .unknown = job->unknown};
    if (rc == ERR_OK && found) {
        ret_check->head = head;
        ret_check->judged = job->nobody_knows || job->judged_version == head->version;
    }
    return rc;
}

/* What is in the way matters to whoever would come through now. A lost answer to a claim is said
 * again all the same. */
static bool may_open(const struct approval_event *event, const struct request *request)
{
    return event->kind == APPROVAL_CLAIM &&
           (request->use == USE_UNUSED || request_is_delayed(request));
}

static enum err_code step(struct work *work, struct use_job *job, struct subject *subject)
{
    struct approval_event event = job->event;
    struct approval_effects effects;
    struct request_hold hold;
    struct claim_check check;
    struct policy head;
    char bound[POLICY_BOUND_TEXT_SIZE];
    enum err_code rc;

    event.now_ms = work->now_ms;
    event.elapsed = &work->writer->state.elapsed;
    rc = waiting_find(work, &subject->request, &event.waiting);
    if (rc == ERR_OK && event.kind == APPROVAL_CLAIM &&
        approval_is_rechecked(&subject->request, &subject->policy)) {
        rc = check_of(work, job, subject, &head, &check);
        event.check = &check;
    }
    if (rc == ERR_OK && event.kind == APPROVAL_CLAIM) {
        rc = policy_bound_text(&subject->policy, bound, work->err);
        event.bound = rc == ERR_OK ? span_text(bound) : SPAN_NONE;
    }
    if (rc == ERR_OK && event.kind != APPROVAL_CONSUME) {
        bool held = false;

        rc = gate_look(work, &subject->policy, subject->request.glass.at_ms > 0, &hold, &held);
        event.hold = held ? &hold : NULL;
    }
    if (rc == ERR_UNAVAILABLE && !may_open(&event, &subject->request)) {
        rc = ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    approval_step(&subject->request, &subject->policy, &event, &effects);
    work->job->refusal = effects.refusal;
    work->job->replayed = effects.repeated;
    job->asks = effects.need_facts;
    rc = subject_apply(work, subject, &subject->request, &event.actor, &effects);
    if (rc == ERR_OK) {
        rc = refuse(work, job, subject);
    }
    return rc == ERR_OK ? subject_store(work, subject) : rc;
}

/* Whom the loop has to look at, and by which rules. */
static enum err_code
answer_people(struct work *work, const struct use_job *job, const struct subject *subject)
{
    struct policy head;
    bool found;
    enum err_code rc;

    if (job->try_count == RECHECK_TRY_COUNT_MAX) {
        return err_set(work->err, ERR_UNAVAILABLE,
                       "the policy changed each time that this claim was looked at; claim again");
    }
    rc = answer_request(work, &subject->request);
    if (rc == ERR_OK) {
        /* It was there a moment ago. */
        rc = work_policy_now(work, subject->request.policy, &head, &found);
    }
    return rc == ERR_OK ? answer_policy(work, &head) : rc;
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
    if (rc == ERR_OK && job->asks) {
        return answer_people(work, job, &subject);
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

static job_answer_fn answer;

enum err_code use_new(struct service *service,
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
    job->nobody_knows = service->facts == NULL && service->confirm == NULL;
    (void)input_actor(base, actor); /* a refusal is noted in the job */
    *ret_job = job;
    return ERR_OK;
}

enum err_code use_submit(struct use_job *job, service_request_fn *done, void *arg, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->event.actor.user, &job->event.actor.token, &job->event.reason};

    job->base.done = done;
    base->arg = arg;
    return job_send_take(base, spans, sizeof spans / sizeof spans[0], err);
}

void use_bind(struct use_job *job, const uint8_t *bind_hash)
{
    if (bind_hash != NULL) {
        memcpy(job->bind_hash, bind_hash, sizeof job->bind_hash);
        job->event.bind_hash = job->bind_hash;
    }
}

void use_claim_hash(struct use_job *job, const uint8_t *claim_hash)
{
    memcpy(job->claim_hash, claim_hash, sizeof job->claim_hash);
    job->event.claim_hash = span_of(job->claim_hash, sizeof job->claim_hash);
}

static void answer(struct job *job, enum err_code rc, const struct err *err)
{
    const struct service_metrics *metrics = &job->service->metrics;
    const struct use_job *use = (const struct use_job *)job;
    struct err failure = ERR_INIT;

    if (rc == ERR_OK && use->asks) {
        rc = recheck_claim(use, &failure);
        if (rc == ERR_OK) {
            return; /* a later one answers */
        }
        err = &failure;
    }
    if (rc == ERR_OK && job->replayed) {
        metric_add(metrics->replayed, 1);
    } else if (rc == ERR_OK && job->refusal != REFUSAL_NONE) {
        metric_add(metrics->refused, 1);
    }
    request_job_answer(job, rc, err);
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
    use_bind(job, bind_hash);
    if (input_require(&job->base.job, claim_key.size <= CORE_KEY_SIZE_MAX,
                      "claim key: at most %d bytes", CORE_KEY_SIZE_MAX) &&
        claim_key.size > 0) {
        uint8_t hash[sizeof job->claim_hash];

        crypto_sha256(claim_key.data, claim_key.size, hash);
        use_claim_hash(job, hash);
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

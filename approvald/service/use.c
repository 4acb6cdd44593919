/* SPDX-License-Identifier: Apache-2.0 */
/* use.c: cancelling a request; claiming and consuming an approval.
 * Owns that each goes through the same rules, records and audit as a decision.
 * Never answers a claim from memory: what the loop knows of people only ever refuses one. */
#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"
#include "approvald/service/answer.h"
#include "approvald/service/gate.h"
#include "approvald/service/input.h"
#include "approvald/service/press.h"
#include "approvald/service/replay.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/metrics.h"

#include <string.h>

#define RECHECK_TRY_COUNT_MAX 4 /* a policy that changes while each of them runs is no policy */

struct use_job {
    struct request_job base;
    struct request_id id;
    struct approval_event event; /* spans point to the job's copies; now_ms is the writer's */
    const char *what;
    uint32_t key_count;
    struct inbox_key keys[INBOX_KEY_COUNT_MAX];
    uint8_t bind_hash[32];
    uint8_t claim_hash[32];
    /* A claim whose policy says recheck is run twice: the first asks for what only the loop knows,
     * the second is judged with it if the policy is still the same version. */
    bool asks;               /* set by run */
    bool nobody_knows;       /* there is nobody to ask about people */
    bool gone;               /* somebody who approved may not any more … */
    uint32_t judged_version; /* … by this version of the policy; 0: not looked yet */
    uint32_t try_count;
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

/* What a claim is judged by again. */
static enum err_code check_of(struct work *work,
                              const struct use_job *job,
                              const struct subject *subject,
                              struct policy *head,
                              struct claim_check *ret_check)
{
    bool found = false;
    enum err_code rc = work_policy_now(work, subject->request.policy, head, &found);

    *ret_check = (struct claim_check){.gone = job->gone};
    if (rc == ERR_OK && found) {
        ret_check->head = head;
        ret_check->judged = job->nobody_knows || job->judged_version == head->version;
    }
    return rc;
}

static enum err_code step(struct work *work, struct use_job *job, struct subject *subject)
{
    struct approval_event event = job->event;
    struct approval_effects effects;
    struct request_hold hold;
    struct claim_check check;
    struct policy head;
    enum err_code rc;

    event.now_ms = work->now_ms;
    event.elapsed = &work->writer->state.elapsed;
    rc = waiting_find(work, &subject->request, &event.waiting);
    if (rc == ERR_OK && event.kind == APPROVAL_CLAIM &&
        approval_is_rechecked(&subject->request, &subject->policy)) {
        rc = check_of(work, job, subject, &head, &check);
        event.check = &check;
    }
    if (rc == ERR_OK && event.kind != APPROVAL_CONSUME) {
        bool held = false;

        rc = gate_look(work, &subject->policy, subject->request.glass.at_ms > 0, &hold, &held);
        event.hold = held ? &hold : NULL;
    }
    if (rc == ERR_UNAVAILABLE && event.kind == APPROVAL_CANCEL) {
        rc = ERR_OK; /* it opens nothing */
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
    job->nobody_knows = service->facts == NULL;
    (void)input_actor(base, actor); /* a refusal is noted in the job */
    *ret_job = job;
    return ERR_OK;
}

static enum err_code
use_submit(struct use_job *job, service_request_fn *done, void *arg, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->event.actor.user, &job->event.actor.token, &job->event.reason};

    job->base.done = done;
    base->arg = arg;
    return job_send_take(base, spans, sizeof spans / sizeof spans[0], err);
}

/* Leaves the decision those of its rights that still hold. False: none of them, or the person
 * himself may not decide any more. */
static bool hold_again(const struct service *service,
                       const struct request *request,
                       const struct policy *head,
                       struct decision *decision)
{
    struct behalf own = {.user = decision->user, .needs = decision->needs};
    uint32_t count = decision->behalf_count;
    struct facts facts = {.user_known = false};

    service->facts(service->facts_arg, decision->user, &facts);
    if (eligible_is_gone(&facts)) {
        return false;
    }
    decision->no_own = decision->no_own || !eligible_still(request, head, &own, &facts, &own.needs);
    decision->needs = decision->no_own ? 0 : own.needs;
    decision->behalf_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct behalf right = decision->behalfs[i];

        service->facts(service->facts_arg, right.user, &facts);
        if (eligible_still(request, head, &right, &facts, &right.needs)) {
            decision->behalfs[decision->behalf_count++] = right;
        }
    }
    return !decision->no_own || decision->behalf_count > 0;
}

/* A broken glass rests on one person alone, and no group. Of root there is nothing to know. */
static bool glass_is_gone(const struct service *service, const struct request *request)
{
    struct facts facts = {.user_known = false};
    enum refusal refusal;

    if (span_is(request->glass.user, "root")) {
        return false;
    }
    service->facts(service->facts_arg, request->glass.user, &facts);
    refusal = eligible_ask(&facts);
    return refusal != REFUSAL_NONE && refusal != REFUSAL_FACTS_UNKNOWN;
}

/* Is somebody who approved known to be gone, or so far from his group that those who are left do
 * not fill the needs? */
static bool somebody_is_gone(const struct service *service,
                             const struct request *request,
                             const struct policy *head)
{
    struct request now = *request;
    struct quorum_result result;

    if (request->glass.at_ms > 0) {
        return glass_is_gone(service, request);
    }
    for (uint32_t i = 0; i < request->decision_count; i++) {
        struct decision *decision = &now.decisions[i];

        if (decision->verdict == VERDICT_APPROVE && !hold_again(service, request, head, decision)) {
            return true;
        }
    }
    needs_judge(&now, now.decision_count, &result);
    return !result.satisfied;
}

/* The same claim once more, with what is known of the people. */
static enum err_code claim_again(const struct use_job *job, struct err *err)
{
    struct service *service = job->base.job.service;
    struct use_job *again;
    struct request request;
    struct policy head;
    struct unpack cursor;
    bool complete;
    enum err_code rc;

    rc = use_new(service, &job->event.actor, &job->id, &again, err);
    if (rc != ERR_OK) {
        return rc;
    }
    answer_open(&job->base.job, &cursor);
    complete = answer_next_request(&cursor, &request) && answer_next_policy(&cursor, &head);
    ASSERT(complete);
    again->what = job->what;
    again->event.kind = APPROVAL_CLAIM;
    if (job->event.bind_hash != NULL) {
        memcpy(again->bind_hash, job->bind_hash, sizeof again->bind_hash);
        again->event.bind_hash = again->bind_hash;
    }
    if (job->event.claim_hash.size > 0) {
        memcpy(again->claim_hash, job->claim_hash, sizeof again->claim_hash);
        again->event.claim_hash = span_of(again->claim_hash, sizeof again->claim_hash);
    }
    again->try_count = job->try_count + 1;
    again->judged_version = head.version;
    again->gone = somebody_is_gone(service, &request, &head);
    return use_submit(again, job->base.done, job->base.job.arg, err);
}

static void answer(struct job *job, enum err_code rc, const struct err *err)
{
    const struct service_metrics *metrics = &job->service->metrics;
    const struct use_job *use = (const struct use_job *)job;
    struct err failure = ERR_INIT;

    if (rc == ERR_OK && use->asks) {
        rc = claim_again(use, &failure);
        if (rc == ERR_OK) {
            return; /* the second one answers */
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

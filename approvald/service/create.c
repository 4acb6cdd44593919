/* SPDX-License-Identifier: Apache-2.0 */
/* create.c: a new request.
 * Owns the order of its checks: the same intent again, then room, then the policy.
 * Never lets one idempotency key make two requests, never lets a person ask from Slack under a
 * policy that does not say so. */
#include "approvald/core/eligible.h"
#include "approvald/core/glass.h"
#include "approvald/core/policy.h"
#include "approvald/core/reach.h"
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"
#include "approvald/service/gate.h"
#include "approvald/service/input.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/metrics.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

struct create_job {
    struct request_job base;
    struct service_create create; /* spans point to the job's copies */
    struct span fields;           /* values in their stored form, cleaned and not yet judged */
    enum refusal person;          /* over Slack: why he may not ask at all, judged on the loop */
    uint8_t random[REQUEST_ID_RANDOM_SIZE];
    bool has_intent;
    uint8_t intent[INTENT_SIZE];
};
static_assert(sizeof(struct create_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static bool is_from_slack(const struct create_job *job)
{
    return job->create.actor.via == VIA_SLACK;
}

static enum err_code audit_refusal(struct work *work, struct create_job *job, enum refusal refusal)
{
    char detail[64];
    int size = snprintf(detail, sizeof detail, "create: %s", refusal_word(refusal));
    struct audit_write write = {.action = span_text(audit_action_word(AUDIT_REFUSED)),
                                .actor = &job->create.actor,
                                .detail = span_text(detail)};

    ASSERT(size > 0 && (size_t)size < sizeof detail);
    return work_audit(work, &write, NULL, NULL);
}

static enum err_code refuse(struct work *work, struct create_job *job, enum refusal refusal)
{
    enum err_code rc = ERR_OK;

    work->job->refusal = refusal;
    if (is_from_slack(job)) {
        rc = audit_refusal(work, job, refusal);
    }
    return rc == ERR_OK ? answer_subject(work, NULL) : rc;
}

/* The value of an intent: id, hash of the body. */
#define INTENT_VALUE_SIZE (REQUEST_ID_SIZE + 32)

static enum err_code answer_again(struct work *work, struct create_job *job, struct span value)
{
    struct request_id id;
    struct subject subject;
    enum err_code rc;

    if (value.size != INTENT_VALUE_SIZE) {
        return err_set(work->err, ERR_CORRUPT, "a stored intent does not decode");
    }
    if (memcmp(value.data + REQUEST_ID_SIZE, job->create.body_hash, 32) != 0) {
        return refuse(work, job, REFUSAL_KEY_REUSED);
    }
    memcpy(id.bytes, value.data, REQUEST_ID_SIZE);
    rc = subject_load(work, &id, &subject);
    if (rc == ERR_NOT_FOUND) {
        return err_wrap(work->err, ERR_CORRUPT, "an intent's request");
    }
    work->job->replayed = true;
    return rc == ERR_OK ? answer_subject(work, &subject) : rc;
}

static enum err_code
put_intent(struct work *work, struct create_job *job, const struct request *made)
{
    uint8_t value[INTENT_VALUE_SIZE];

    if (!job->has_intent) {
        return ERR_OK;
    }
    memcpy(value, made->id.bytes, REQUEST_ID_SIZE);
    memcpy(value + REQUEST_ID_SIZE, job->create.body_hash, 32);
    return work_put(work, TABLE_INTENTS, key_text(span_of(job->intent, INTENT_SIZE)),
                    span_of(value, sizeof value));
}

static struct span asker_of(const struct service_create *create)
{
    const struct actor *actor = &create->actor;

    switch (actor->kind) {
    case ACTOR_TOKEN:
        return actor->token;
    case ACTOR_ROOT:
        return SPAN_LITERAL("root");
    case ACTOR_PERSON:
        return span_equal(actor->user, create->requester) ? SPAN_NONE : actor->user;
    case ACTOR_SYSTEM:
        return SPAN_NONE;
    }
    return SPAN_NONE;
}

static void fill(const struct work *work,
                 const struct create_job *job,
                 const struct policy *policy,
                 struct request *ret_request)
{
    const struct service_create *create = &job->create;
    uint64_t expires_after_ms = policy->expires_after_ms;

    if (create->expires_after_ms > 0 && create->expires_after_ms < expires_after_ms) {
        expires_after_ms = create->expires_after_ms;
    }
    *ret_request = (struct request){.revision = 1,
                                    .state = REQUEST_PENDING,
                                    .use = USE_NONE,
                                    .policy = policy->name,
                                    .policy_version = policy->version,
                                    .requester = create->requester,
                                    .asker = asker_of(create),
                                    .title = create->title,
                                    .reason = create->reason,
                                    .target = create->target,
                                    .details = create->details,
                                    .bound = create->bound,
                                    .created_ms = work->now_ms,
                                    .expires_ms = work->now_ms + expires_after_ms,
                                    .quorum = policy->quorum,
                                    .rejections = policy->rejections,
                                    .need_count = policy->need_count};
    for (uint32_t i = 0; i < policy->need_count; i++) {
        ret_request->needs[i] = policy->needs[i].need;
    }
    request_id_make(work->now_ms, job->random, &ret_request->id);
    if (create->bound) {
        memcpy(ret_request->bind_hash, create->bind_hash, sizeof create->bind_hash);
    }
    if (job->has_intent) {
        ret_request->key_hash = span_of(job->intent, INTENT_SIZE);
    }
}

static enum err_code store(struct work *work, struct create_job *job, struct subject *subject)
{
    struct approval_effects effects;
    enum err_code rc;

    approval_open(&subject->request, &subject->policy, &effects);
    work->writer->state.counts.stored++;
    rc = subject_apply(work, subject, NULL, &job->create.actor, &effects);
    if (rc == ERR_OK) {
        rc = put_intent(work, job, &subject->request);
    }
    if (rc == ERR_OK) {
        rc = subject_store(work, subject);
    }
    return rc == ERR_OK ? answer_subject(work, subject) : rc;
}

static enum refusal refusal_of(const struct create_job *job, const struct policy *policy)
{
    if (policy->deleted) {
        return REFUSAL_POLICY_DELETED;
    }
    return is_from_slack(job) && !policy->ask_in_slack ? REFUSAL_NOT_ASKABLE : REFUSAL_NONE;
}

/* A policy that keeps a requester's own people from deciding looks at one person: asking for
 * somebody else would be the way around it. */
static enum err_code
check_for_whom(struct work *work, const struct create_job *job, const struct policy *policy)
{
    const struct service_create *create = &job->create;

    if (is_from_slack(job) && policy->exclude_count > 0 &&
        !span_equal(create->requester, create->actor.user)) {
        return err_set(work->err, ERR_INVALID,
                       "requester: this policy looks at who asks; ask for yourself");
    }
    return ERR_OK;
}

/* The values as the policy's fields want them, in stored, which the request borrows from. */
static enum err_code judge_fields(struct work *work,
                                  const struct create_job *job,
                                  struct subject *subject,
                                  struct buf *stored)
{
    struct field_values given;
    struct field_values values;
    struct field_set set;
    enum err_code rc = field_set_decode(subject->policy.fields, &set, work->err);

    if (rc == ERR_OK) {
        rc = field_values_decode(job->fields, &given, work->err);
    }
    if (rc == ERR_OK) {
        rc = field_values_judge(&set, &given, &values, work->err);
    }
    if (rc == ERR_OK) {
        rc = field_values_encode(&values, stored, work->err);
    }
    subject->request.fields = buf_span(stored);
    return rc;
}

static enum err_code check_reach(struct work *work, const struct subject *subject)
{
    if (reach_is_possible(&subject->policy, &subject->request) ||
        glass_is_possible(&subject->request, &subject->policy)) {
        return ERR_OK;
    }
    return err_set(work->err, ERR_INVALID,
                   "requester: too few people could approve this, for who asks and for whom do not "
                   "decide; let somebody else ask, or for somebody else");
}

/* What is in the way of a claim now is shown on the card from the beginning; a policy may say that
 * nothing is asked then. Only such a policy is kept from a request by a zone that is not known. */
static enum err_code
look_at_gate(struct work *work, struct subject *subject, enum refusal *ret_refusal)
{
    struct request_hold *hold = &subject->request.hold;
    bool held = false;
    enum err_code rc = gate_look(work, &subject->policy, false, hold, &held);

    *ret_refusal = REFUSAL_NONE;
    if (rc == ERR_UNAVAILABLE && !subject->policy.windows.refuse) {
        return ERR_OK;
    }
    if (rc == ERR_OK && held && subject->policy.windows.refuse) {
        *ret_refusal = hold->freeze.size > 0 ? REFUSAL_FROZEN : REFUSAL_CLOSED;
    }
    return rc;
}

static enum err_code make(struct work *work, struct create_job *job)
{
    AUTO_BUF struct buf *stored = NULL;
    const struct service_create *create = &job->create;
    struct subject subject = {.link = 0};
    enum refusal refusal;
    uint32_t version = 0;
    enum err_code rc;

    /* The person before the policy: a stranger does not even learn which ones there are. */
    if (is_from_slack(job) && job->person != REFUSAL_NONE) {
        return refuse(work, job, job->person);
    }
    if (work->writer->state.counts.pending >= work->writer->open_count_max) {
        return refuse(work, job, REFUSAL_TOO_MANY);
    }
    rc = work_policy_head(work, create->policy, &version);
    if (rc == ERR_NOT_FOUND) {
        return refuse(work, job, REFUSAL_UNKNOWN_POLICY);
    }
    if (rc == ERR_OK) {
        rc = work_policy_get(work, create->policy, version, &subject.policy);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    refusal = refusal_of(job, &subject.policy);
    if (refusal != REFUSAL_NONE) {
        return refuse(work, job, refusal);
    }
    rc = check_for_whom(work, job, &subject.policy);
    if (rc != ERR_OK) {
        return rc;
    }
    if (subject.policy.require_reason && create->reason.size == 0) {
        return err_set(work->err, ERR_INVALID, "reason: policy %.*s wants to know why",
                       SPAN_ARGS(create->policy));
    }
    fill(work, job, &subject.policy, &subject.request);
    rc = look_at_gate(work, &subject, &refusal);
    if (rc == ERR_OK) {
        rc = check_reach(work, &subject);
    }
    if (rc == ERR_OK && refusal != REFUSAL_NONE) {
        work->job->hold_until_ms = subject.request.hold.until_ms;
        return refuse(work, job, refusal);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (subject.policy.fields.size > 0 || job->fields.size > 0) {
        rc = buf_new(CORE_FIELD_VALUES_SIZE_MAX, &stored, work->err);
        rc = rc == ERR_OK ? judge_fields(work, job, &subject, stored) : rc;
    }
    return rc == ERR_OK ? store(work, job, &subject) : rc;
}

static enum err_code run(struct work *work)
{
    struct create_job *job = (struct create_job *)work->job;
    struct span value;
    enum err_code rc = ERR_NOT_FOUND;

    if (job->has_intent) {
        rc = work_get(work, TABLE_INTENTS, key_text(span_of(job->intent, INTENT_SIZE)), &value);
    }
    if (rc == ERR_OK) {
        return answer_again(work, job, value);
    }
    return rc == ERR_NOT_FOUND ? make(work, job) : rc;
}

static void answer(struct job *job, enum err_code rc, const struct err *err)
{
    const struct service_metrics *metrics = &job->service->metrics;

    if (rc == ERR_OK) {
        metric_add(job->replayed                  ? metrics->replayed
                   : job->refusal != REFUSAL_NONE ? metrics->refused
                                                  : metrics->created,
                   1);
    }
    request_job_answer(job, rc, err);
}

/* Who acts for a person asks in his name: else he could decide what he asked for himself. In Slack
 * he may ask for somebody else: then the request has both, and neither decides it. */
static bool bind_requester(struct job *base, struct service_create *create)
{
    struct span user = create->actor.user;
    bool same = create->requester.size == 0 || span_equal(create->requester, user);

    if (!same && create->actor.via == VIA_SLACK) {
        return true;
    }

    if (user.size == 0 ||
        !input_require(base, same, "requester: this caller asks for %.*s; leave it out",
                       SPAN_ARGS(user))) {
        return user.size == 0;
    }
    create->requester = user;
    return true;
}

static void check(struct create_job *job)
{
    struct service_create *create = &job->create;
    struct job *base = &job->base.job;
    const struct input_text texts[INPUT_FIELDS] = {
        [INPUT_TITLE] = {"title", CORE_TITLE_COUNT_MAX, false, true, &create->title},
        [INPUT_REASON] = {"reason", CORE_REASON_COUNT_MAX, true, false, &create->reason},
        [INPUT_TARGET] = {"target", CORE_TARGET_COUNT_MAX, false, false, &create->target},
        [INPUT_DETAILS] = {"details", CORE_DETAILS_COUNT_MAX, true, false, &create->details},
    };
    bool ok =
        input_actor(base, &create->actor) &&
        input_require(base, create->actor.via != VIA_SLACK || create->actor.user.size > 0,
                      "user: over Slack a person asks") &&
        input_require(base, create->requester.size == 0 || slack_user_is_valid(create->requester),
                      "requester: not a Slack user id (U… or W…)") &&
        input_require(base, create->idempotency_key.size <= CORE_KEY_SIZE_MAX,
                      "Idempotency-Key: at most %d bytes", CORE_KEY_SIZE_MAX) &&
        input_require(
            base, create->expires_after_ms == 0 || create->expires_after_ms >= CORE_EXPIRES_MS_MIN,
            "expires_in_s: at least five seconds") &&
        input_require(base, create->policy.size <= CORE_NAME_SIZE_MAX, "policy: at most %d bytes",
                      CORE_NAME_SIZE_MAX) &&
        bind_requester(base, create);

    for (size_t i = 0; ok && i < INPUT_FIELDS; i++) {
        ok = input_clean(base, (enum input_slot)i, &texts[i]);
    }
    ok = ok && input_fields(base, &create->fields, &job->fields);
    create->fields.count = 0; /* job->fields has them */
    job->person = eligible_ask(create->facts);
    create->facts = NULL; /* the caller's */
    job->has_intent = create->idempotency_key.size > 0;
    if (ok && job->has_intent) {
        intent_make(create->token_id, create->idempotency_key, job->intent);
    }
}

enum err_code service_create(struct service *service,
                             const struct service_create *create,
                             service_request_fn *done,
                             void *arg,
                             struct err *err)
{
    struct create_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct create_job *)base;
    job->base.done = done;
    base->arg = arg;
    job->create = *create;
    rng_fill(service->rng, job->random, sizeof job->random);
    check(job);
    if (base->refuse.code == ERR_OK) {
        struct span *spans[] = {
            &job->create.actor.user, &job->create.actor.token, &job->create.policy,
            &job->create.requester,  &job->create.title,       &job->create.reason,
            &job->create.target,     &job->create.details,     &job->fields};

        rc = job_keep(base, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* step_up.c: who is enrolled for one-time codes, and whether a code counts.
 * Owns the sealing of seeds: in the store they are under the host's key, in memory for as long as
 * one code is judged, and outside once, for who enrols.
 * Never logs, audits or stores a code. */
#include "approvald/service/step_up.h"
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/input.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "storage/storage.h"

#include <string.h>

#define SEALED_SIZE (TOTP_SEED_SIZE + CRYPTO_TAG_SIZE)

enum step_up_act { ACT_ENROL, ACT_REMOVE, ACT_UNLOCK };

struct step_up_job {
    struct job job;
    service_text_fn *done;
    struct actor actor; /* spans point to the job's copies */
    struct span user;
    enum step_up_act act;
    uint8_t nonce[CRYPTO_NONCE_SIZE];
    uint8_t sealed[SEALED_SIZE];
    char secret[TOTP_SECRET_SIZE]; /* of an enrolment; wiped with its answer */
};
static_assert(sizeof(struct step_up_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code get(struct work *work, struct span user, struct step_up *ret_step_up)
{
    struct span value;
    enum err_code rc = work_get(work, TABLE_STEP_UPS, key_text(user), &value);

    return rc == ERR_OK ? codec_step_up_decode(value, ret_step_up, work->err) : rc;
}

static enum err_code put(struct work *work, const struct step_up *step_up)
{
    struct buf *row = work_row(work);
    enum err_code rc = codec_step_up_encode(step_up, row, work->err);

    return rc == ERR_OK ? work_put(work, TABLE_STEP_UPS, key_text(step_up->user), buf_span(row))
                        : rc;
}

/* A seed that does not open is a host without the key, or with another one: no code counts there,
 * and none is counted as wrong. */
static bool open_seed(const struct service *service,
                      const struct step_up *step_up,
                      uint8_t ret_seed[TOTP_SEED_SIZE])
{
    struct err err = ERR_INIT;

    if (service->has_step_up_key && crypto_open(service->step_up_key, step_up->nonce, step_up->user,
                                                step_up->sealed, ret_seed, &err) == ERR_OK) {
        return true;
    }
    log_fields(LOG_LEVEL_ERROR, "service", "step_up_key_wrong",
               LOG_TEXT("hint", "step_up_key_file has to be the same file on both hosts"));
    return false;
}

enum err_code step_up_try(struct work *work, struct span user, uint32_t code, bool *ret_counts)
{
    uint8_t seed[TOTP_SEED_SIZE];
    struct step_up step_up;
    enum err_code rc = get(work, user, &step_up);

    *ret_counts = false;
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc != ERR_OK || !open_seed(work->job->service, &step_up, seed)) {
        return rc;
    }
    *ret_counts = totp_try(&step_up.state, seed, code, work->now_ms);
    mem_wipe(seed, sizeof seed);
    return put(work, &step_up);
}

static enum err_code
audit(struct work *work, const struct step_up_job *job, enum audit_action action)
{
    struct audit_write write = {
        .action = span_text(audit_action_word(action)), .actor = &job->actor, .detail = job->user};

    return work_audit(work, &write, NULL, NULL);
}

struct count_visit {
    size_t count;
};

static bool visit_count(void *arg, struct span key, struct span value)
{
    struct count_visit *visit = arg;

    (void)key;   /* only how many there are */
    (void)value; /* likewise */
    visit->count++;
    return true;
}

static enum err_code enrol(struct work *work, struct step_up_job *job)
{
    char enrolled_by[AUDIT_ACTOR_SIZE];
    struct count_visit visit = {.count = 0};
    struct step_up step_up = {.user = job->user,
                              .enrolled_ms = work->now_ms,
                              .sealed = span_of(job->sealed, sizeof job->sealed)};
    struct span value;
    enum err_code rc = work_get(work, TABLE_STEP_UPS, key_text(job->user), &value);

    if (rc == ERR_OK) {
        return err_set(work->err, ERR_EXISTS, "this person is enrolled; remove that first");
    }
    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = storage_scan(work->txn, TABLE_STEP_UPS, SPAN_NONE, false, visit_count, &visit, work->err);
    if (rc == ERR_OK && visit.count >= SERVICE_STEP_UP_COUNT_MAX) {
        rc =
            err_set(work->err, ERR_FULL, "there are %zu people enrolled; remove some", visit.count);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    audit_actor_format(&job->actor, enrolled_by);
    step_up.enrolled_by = span_text(enrolled_by);
    memcpy(step_up.nonce, job->nonce, sizeof step_up.nonce);
    rc = put(work, &step_up);
    return rc == ERR_OK ? audit(work, job, AUDIT_ENROLLED) : rc;
}

static enum err_code change(struct work *work, struct step_up_job *job)
{
    struct step_up step_up;
    enum err_code rc = get(work, job->user, &step_up);

    if (rc == ERR_NOT_FOUND) {
        return err_set(work->err, ERR_NOT_FOUND, "this person is not enrolled");
    }
    if (job->act == ACT_REMOVE) { /* also a damaged one */
        rc = work_delete(work, TABLE_STEP_UPS, key_text(job->user));
        return rc == ERR_OK ? audit(work, job, AUDIT_UNENROLLED) : rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    step_up.state.failures = 0;
    step_up.state.locked_ms = 0;
    rc = put(work, &step_up);
    return rc == ERR_OK ? audit(work, job, AUDIT_UNLOCKED) : rc;
}

static enum err_code run(struct work *work)
{
    struct step_up_job *job = (struct step_up_job *)work->job;

    return job->act == ACT_ENROL ? enrol(work, job) : change(work, job);
}

static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct step_up_job *job = (struct step_up_job *)base;

    job->done(base->arg, rc, err, rc == ERR_OK ? span_text(job->secret) : SPAN_NONE);
    mem_wipe(job->secret, sizeof job->secret);
}

/* The seed is made, shown as a secret and sealed, and forgotten. */
static enum err_code make_seed(struct step_up_job *job, struct err *err)
{
    struct service *service = job->job.service;
    uint8_t seed[TOTP_SEED_SIZE];
    enum err_code rc;

    rng_fill(service->rng, seed, sizeof seed);
    rng_fill(service->rng, job->nonce, sizeof job->nonce);
    totp_secret(seed, job->secret);
    rc = crypto_seal(service->step_up_key, job->nonce, job->user, span_of(seed, sizeof seed),
                     job->sealed, err);
    mem_wipe(seed, sizeof seed);
    return rc;
}

static enum err_code submit(struct step_up_job *job, struct err *err)
{
    struct job *base = &job->job;
    struct span *spans[] = {&job->actor.user, &job->actor.token, &job->user};
    enum err_code rc = ERR_OK;

    if (base->refuse.code == ERR_OK && job->act == ACT_ENROL) {
        rc = make_seed(job, err);
    }
    if (rc == ERR_OK && base->refuse.code == ERR_OK) {
        rc = job_keep(base, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        mem_wipe(job->secret, sizeof job->secret);
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
static enum err_code begin(struct service *service,
                           const struct actor *actor,
                           struct span user,
                           enum step_up_act act,
                           service_text_fn *done,
                           void *arg,
                           struct err *err)
{
    struct step_up_job *job;
    struct job *base;
    enum err_code rc = job_new(service, sizeof *job, run, answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct step_up_job *)base;
    job->done = done;
    base->arg = arg;
    job->actor = *actor;
    job->user = user;
    job->act = act;
    /* Refusals are noted in the job. */
    (void)(input_actor(base, actor) &&
           input_require(base, slack_user_is_valid(user), "user: not a Slack user id (U… or W…)") &&
           input_require(base, act != ACT_ENROL || service->has_step_up_key,
                         "step_up_key_file is not configured on this host"));
    return submit(job, err);
}

enum err_code service_step_up_enrol(struct service *service,
                                    const struct actor *actor,
                                    struct span user,
                                    service_text_fn *done,
                                    void *arg,
                                    struct err *err)
{
    return begin(service, actor, user, ACT_ENROL, done, arg, err);
}

enum err_code service_step_up_remove(struct service *service,
                                     const struct actor *actor,
                                     struct span user,
                                     service_text_fn *done,
                                     void *arg,
                                     struct err *err)
{
    return begin(service, actor, user, ACT_REMOVE, done, arg, err);
}

enum err_code service_step_up_unlock(struct service *service,
                                     const struct actor *actor,
                                     struct span user,
                                     service_text_fn *done,
                                     void *arg,
                                     struct err *err)
{
    return begin(service, actor, user, ACT_UNLOCK, done, arg, err);
}

/* The list, as JSON: all texts in it are ids and words of ours, and need no escapes. */

struct list_visit {
    struct work *work;
    bool first;
    enum err_code rc;
};

static enum err_code say(struct work *work, const struct step_up *step_up, bool first)
{
    bool locked = step_up->state.locked_ms > work->now_ms;
    char enrolled[TEXT_TIME_SIZE];
    char until[TEXT_TIME_SIZE];

    text_format_time(step_up->enrolled_ms, enrolled);
    text_format_time(step_up->state.locked_ms, until);
    return buf_append_format(work->job->out, work->err,
                             "%s{\"user\":\"%.*s\",\"enrolled_at\":\"%s\",\"enrolled_by\":\"%.*s\","
                             "\"wrong_codes\":%u,\"locked_until\":%s%s%s}",
                             first ? "" : ",", SPAN_ARGS(step_up->user), enrolled,
                             SPAN_ARGS(step_up->enrolled_by), step_up->state.failures,
                             locked ? "\"" : "", locked ? until : "null", locked ? "\"" : "");
}

static bool visit_list(void *arg, struct span key, struct span value)
{
    struct list_visit *visit = arg;
    struct step_up step_up;

    (void)key; /* the record says whose it is */
    if (codec_step_up_decode(value, &step_up, NULL) != ERR_OK) {
        return true; /* lets nobody approve; remove takes it away */
    }
    visit->rc = say(visit->work, &step_up, visit->first);
    visit->first = false;
    return visit->rc == ERR_OK;
}

static enum err_code list_run(struct work *work)
{
    struct list_visit visit = {.work = work, .first = true, .rc = ERR_OK};
    enum err_code rc = buf_append_text(work->job->out, "{\"people\":[", work->err);

    if (rc == ERR_OK) {
        rc = storage_scan(work->txn, TABLE_STEP_UPS, SPAN_NONE, false, visit_list, &visit,
                          work->err);
    }
    rc = rc == ERR_OK ? visit.rc : rc;
    return rc == ERR_OK ? buf_append_text(work->job->out, "]}", work->err) : rc;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct step_up_job *job = (struct step_up_job *)base;

    job->done(base->arg, rc, err, rc == ERR_OK ? buf_span(base->out) : SPAN_NONE);
}

enum err_code
service_step_up_list(struct service *service, service_text_fn *done, void *arg, struct err *err)
{
    struct step_up_job *job;
    struct job *base;
    enum err_code rc = job_new(service, sizeof *job, list_run, list_answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct step_up_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}

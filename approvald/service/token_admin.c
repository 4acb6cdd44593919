/* SPDX-License-Identifier: Apache-2.0 */
/* token_admin.c: making and revoking API tokens.
 * Owns the text of a secret and that names of live tokens are unique.
 * Never stores a secret: it is in the answer, once, and wiped. */
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/input.h"
#include "approvald/service/tokens.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/storage.h"

#include <string.h>

#define SECRET_PREFIX      "apv_"
#define SECRET_PREFIX_SIZE (sizeof SECRET_PREFIX - 1)
#define SECRET_SIZE        32
static_assert(SECRET_PREFIX_SIZE + (SECRET_SIZE * 4 + 2) / 3 == SERVICE_TOKEN_TEXT_SIZE,
              "prefix and base64url");

struct token_job {
    struct job job;
    service_text_fn *text_done; /* add */
    service_done_fn *done;      /* revoke */
    struct actor actor;         /* spans point to the job's copies */
    struct token_record record;
    struct span name;
    char secret[SERVICE_TOKEN_TEXT_SIZE + 1];
};
static_assert(sizeof(struct token_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct name_visit {
    struct span name;
    size_t count;
    bool found; /* live, of that name */
    struct token_record record;
    uint64_t revoked_id; /* the oldest revoked one, or 0 */
};

static bool visit_name(void *arg, struct span key, struct span value)
{
    struct name_visit *visit = arg;
    struct token_record record;

    (void)key; /* the token holds its id */
    visit->count++;
    if (codec_token_decode(value, &record, NULL) != ERR_OK) {
        return true; /* reported at start */
    }
    if (record.revoked) {
        visit->revoked_id = visit->revoked_id == 0 ? record.id : visit->revoked_id;
    } else if (span_equal(record.name, visit->name)) {
        visit->found = true;
        visit->record = record;
    }
    return true;
}

static enum err_code put_token(struct work *work, const struct token_record *record)
{
    struct buf *row = work_row(work);
    enum err_code rc = codec_token_encode(record, row, work->err);

    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_TOKENS, key_u64(record->id), buf_span(row));
    }
    return rc == ERR_OK ? answer_bytes(work, buf_span(row)) : rc;
}

static enum err_code
audit_token(struct work *work, struct token_job *job, enum audit_action action, struct span name)
{
    struct audit_write write = {
        .action = span_text(audit_action_word(action)), .actor = &job->actor, .detail = name};

    return work_audit(work, &write, NULL, NULL);
}

static enum err_code add_run(struct work *work)
{
    struct token_job *job = (struct token_job *)work->job;
    struct counts *counts = &work->writer->state.counts;
    struct name_visit visit = {.name = job->record.name};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_TOKENS, SPAN_NONE, false, visit_name, &visit, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (visit.found) {
        return err_set(work->err, ERR_EXISTS, "there is a token %.*s; revoke it first",
                       SPAN_ARGS(visit.name));
    }
    if (visit.count >= SERVICE_TOKEN_COUNT_MAX && visit.revoked_id == 0) {
        return err_set(work->err, ERR_FULL, "there are %zu tokens; revoke some", visit.count);
    }
    if (visit.count >= SERVICE_TOKEN_COUNT_MAX) {
        /* Revoked ones are shown until their room is needed, the oldest first: tokens.c agrees. */
        rc = work_delete(work, TABLE_TOKENS, key_u64(visit.revoked_id));
    }
    if (rc != ERR_OK) {
        return rc;
    }
    job->record.id = ++counts->token_seq;
    job->record.created_ms = work->now_ms;
    rc = put_token(work, &job->record);
    return rc == ERR_OK ? audit_token(work, job, AUDIT_TOKEN_ADDED, job->record.name) : rc;
}

/* The stored token is the first record of the answer. */
static enum err_code adopt(struct job *job, struct err *err)
{
    struct service *service = job->service;
    struct unpack cursor;
    struct span bytes;

    answer_open(job, &cursor);
    ASSERT(answer_next(&cursor, &bytes));
    return tokens_adopt(service->tokens, bytes, clock_boot_ms(service->clock), err);
}

static void add_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct token_job *job = (struct token_job *)base;
    struct err failed = ERR_INIT;

    if (rc == ERR_OK) {
        rc = adopt(base, &failed);
        err = &failed;
    }
    job->text_done(base->arg, rc, err, rc == ERR_OK ? span_text(job->secret) : SPAN_NONE);
    mem_wipe(job->secret, sizeof job->secret);
}

static void make_secret(struct token_job *job)
{
    uint8_t bytes[SECRET_SIZE];

    rng_fill(job->job.service->rng, bytes, sizeof bytes);
    memcpy(job->secret, SECRET_PREFIX, SECRET_PREFIX_SIZE);
    crypto_base64url(bytes, sizeof bytes, job->secret + SECRET_PREFIX_SIZE);
    crypto_sha256(job->secret, strlen(job->secret), job->record.hash);
    mem_wipe(bytes, sizeof bytes);
}

static void check(struct token_job *job, const struct service_token *token)
{
    struct job *base = &job->job;
    bool named = policy_name_is_valid(token->name) && !span_is(token->name, "root");

    /* Refusals are noted in the job. */
    (void)(input_actor(base, &job->actor) &&
           input_require(base, named, "name: 1 to %d of a-z, 0-9, '.', '_' and '-'; not \"root\"",
                         CORE_NAME_SIZE_MAX) &&
           input_require(base, token->user.size == 0 || slack_user_is_valid(token->user),
                         "user: not a Slack user id (U… or W…)") &&
           input_require(base, !token->may_decide || token->user.size > 0,
                         "user: a token that may decide belongs to one person") &&
           input_require(base, token->may_ask || token->may_decide || token->may_read,
                         "scopes: at least one of ask, decide, read") &&
           input_require(base, token->policy_count <= CORE_TOKEN_POLICY_COUNT_MAX,
                         "policies: at most %d; none means all", CORE_TOKEN_POLICY_COUNT_MAX) &&
           input_require(base, token->rate_per_minute <= SERVICE_TOKEN_RATE_MAX,
                         "rate_per_minute: at most %d", SERVICE_TOKEN_RATE_MAX));
    for (uint32_t i = 0; base->refuse.code == ERR_OK && i < token->policy_count; i++) {
        (void)input_require(base, policy_name_is_valid(token->policies[i]),
                            "policies: \"%.*s\" is no policy's name",
                            SPAN_ARGS(token->policies[i]));
    }
}

static void fill(struct token_job *job, const struct service_token *token)
{
    struct token_record *record = &job->record;

    record->name = token->name;
    record->may_ask = token->may_ask;
    record->may_decide = token->may_decide;
    record->may_read = token->may_read;
    record->user = token->user;
    record->policy_count = token->policy_count;
    record->rate_per_minute =
        token->rate_per_minute == 0 ? SERVICE_TOKEN_RATE_DEFAULT : token->rate_per_minute;
    record->expires_ms = token->expires_ms;
    for (uint32_t i = 0; i < token->policy_count; i++) {
        record->policies[i] = token->policies[i];
    }
}

static enum err_code keep(struct token_job *job, struct err *err)
{
    struct token_record *record = &job->record;
    struct span *spans[5 + CORE_TOKEN_POLICY_COUNT_MAX] = {
        &job->actor.user, &job->actor.token, &record->name, &record->user, &job->name};
    size_t count = 5;

    for (uint32_t i = 0; i < record->policy_count; i++) {
        spans[count++] = &record->policies[i];
    }
    return job_keep(&job->job, spans, count, err);
}

static enum err_code submit(struct token_job *job, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (job->job.refuse.code == ERR_OK) {
        rc = keep(job, err);
    }
    if (rc != ERR_OK) {
        job_free(&job->job);
        return rc;
    }
    return job_submit_take(&job->job, err);
}

enum err_code service_token_add(struct service *service,
                                const struct actor *actor,
                                const struct service_token *token,
                                service_text_fn *done,
                                void *arg,
                                struct err *err)
{
    struct token_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, add_run, add_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct token_job *)base;
    job->text_done = done;
    base->arg = arg;
    job->actor = *actor;
    check(job, token);
    if (base->refuse.code == ERR_OK) {
        fill(job, token);
        make_secret(job);
    }
    return submit(job, err);
}

static enum err_code revoke_run(struct work *work)
{
    struct token_job *job = (struct token_job *)work->job;
    struct name_visit visit = {.name = job->name};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_TOKENS, SPAN_NONE, false, visit_name, &visit, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (!visit.found) {
        return err_set(work->err, ERR_NOT_FOUND, "there is no live token of that name");
    }
    visit.record.revoked = true;
    rc = put_token(work, &visit.record);
    return rc == ERR_OK ? audit_token(work, job, AUDIT_TOKEN_REVOKED, job->name) : rc;
}

static void revoke_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct token_job *job = (struct token_job *)base;
    struct err failed = ERR_INIT;

    if (rc == ERR_OK) {
        rc = adopt(base, &failed);
        err = &failed;
    }
    job->done(base->arg, rc, err);
}

enum err_code service_token_revoke(struct service *service,
                                   const struct actor *actor,
                                   struct span name,
                                   service_done_fn *done,
                                   void *arg,
                                   struct err *err)
{
    struct token_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, revoke_run, revoke_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct token_job *)base;
    job->done = done;
    base->arg = arg;
    job->actor = *actor;
    job->name = name;
    (void)input_actor(base, actor); /* a refusal is noted in the job */
    return submit(job, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* policies.c: applying and listing policies.
 * Owns versions: each change is a new one, old ones stay for the requests that pin them.
 * Never applies half a text: it is one transaction. */
#include "approvald/core/email.h"
#include "approvald/core/gate.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/groups.h"
#include "approvald/service/input.h"
#include "approvald/service/policy_diff.h"
#include "approvald/service/policy_text.h"
#include "approvald/service/prune.h"
#include "approvald/service/zones.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

struct apply_job {
    struct job job;
    service_text_fn *done;
    struct actor actor; /* spans point to the job's copies */
    struct span set;    /* policies: u32 size and stored form each */
    struct retention retention;
    bool dry_run;
    bool delete_absent;
    bool first; /* no policy is in the difference yet */
};
static_assert(sizeof(struct apply_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code
audit_apply(struct work *work, struct apply_job *job, enum audit_action action, struct span detail)
{
    struct audit_write write = {
        .action = span_text(audit_action_word(action)), .actor = &job->actor, .detail = detail};

    return work_audit(work, &write, NULL, NULL);
}

static enum err_code
put_version(struct work *work, struct apply_job *job, const struct policy *applied)
{
    struct policy stored = *applied;
    char actor[AUDIT_ACTOR_SIZE];
    uint8_t version[4];
    AUTO_BUF struct buf *detail = NULL;
    struct buf *row = work_row(work);
    enum err_code rc;

    audit_actor_format(&job->actor, actor);
    stored.applied_by = span_text(actor);
    stored.applied_ms = work->now_ms;
    pack_key_u32(version, stored.version);
    rc = codec_policy_encode(&stored, row, work->err);
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_POLICIES, key_policy(stored.name, stored.version), buf_span(row));
    }
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_HEADS, key_text(stored.name), span_of(version, sizeof version));
    }
    if (rc == ERR_OK) {
        rc = buf_new(AUDIT_DETAIL_SIZE_MAX, &detail, work->err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(detail, work->err, "%.*s version %u", SPAN_ARGS(stored.name),
                               stored.version);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return audit_apply(work, job, stored.deleted ? AUDIT_POLICY_DELETED : AUDIT_POLICY_APPLIED,
                       buf_span(detail));
}

/* A policy whose zone this host does not know would never open. */
static enum err_code check_zone(struct work *work, const struct policy *policy)
{
    const struct tz *tz;
    enum err_code rc;

    if (policy->windows.count == 0 || policy->deleted) {
        return ERR_OK;
    }
    rc = zones_get(work->writer->zones, policy->windows.zone,
                   clock_boot_ms(work->job->service->clock), &tz, work->err);
    if (rc == ERR_OK && windows_open_ms(&policy->windows, tz, work->now_ms) == UINT64_MAX) {
        return err_set(work->err, ERR_INVALID, "policy %.*s: windows: they never open",
                       SPAN_ARGS(policy->name));
    }
    return rc == ERR_OK ? ERR_OK
                        : err_wrap(work->err, ERR_INVALID, "policy %.*s: time_zone",
                                   SPAN_ARGS(policy->name));
}

/* Compares with the version in force; writes a new one if they differ. */
static enum err_code apply_one(struct work *work, struct apply_job *job, struct policy *policy)
{
    struct policy before;
    uint32_t version = 0;
    enum policy_change change;
    enum err_code rc;

    rc = work_policy_head(work, policy->name, &version);
    if (rc == ERR_OK) {
        rc = work_policy_get(work, policy->name, version, &before);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        return rc;
    }
    change = policy_change_of(rc == ERR_OK ? &before : NULL, policy);
    policy->version = change == POLICY_UNCHANGED ? version : version + 1;
    rc = policy_diff_add(work->job->out, job->first, rc == ERR_OK ? &before : NULL, policy,
                         work->err);
    job->first = false;
    if (rc != ERR_OK || change == POLICY_UNCHANGED || job->dry_run) {
        return rc;
    }
    return put_version(work, job, policy);
}

static bool next_policy(struct unpack *cursor, struct policy *ret_policy)
{
    struct span bytes;

    if (cursor->left == 0) {
        return false;
    }
    bytes = unpack_bytes(cursor, unpack_u32(cursor));
    ASSERT(codec_policy_decode(bytes, ret_policy, NULL) == ERR_OK);
    return true;
}

static bool is_in_set(const struct apply_job *job, struct span name)
{
    struct policy policy;
    struct unpack cursor;

    unpack_init(&cursor, job->set);
    while (next_policy(&cursor, &policy)) {
        if (span_equal(policy.name, name)) {
            return true;
        }
    }
    return false;
}

/* Names of stored policies that the text does not have. */
struct others {
    const struct apply_job *job;
    size_t seen;
    size_t count;
    struct span names[SERVICE_POLICY_NAME_MAX];
};

static bool visit_head(void *arg, struct span key, struct span value)
{
    struct others *others = arg;

    (void)value; /* its version is read again when it matters */
    others->seen++;
    if (others->count < SERVICE_POLICY_NAME_MAX && !is_in_set(others->job, key)) {
        others->names[others->count++] = key;
    }
    return true;
}

/* What will be in force afterwards has to stay within limits. */
struct totals {
    size_t policy_count;
    size_t fields_size; /* of deleted policies too: they are listed as well */
    size_t group_count;
    struct span groups[CORE_FACT_GROUP_COUNT_MAX];
    size_t email_count;
    struct span emails[CORE_EMAIL_COUNT_MAX];
};

/* False: there is no room for one more. */
static bool add_once(struct span *names, size_t *count, size_t count_max, struct span name)
{
    size_t at = 0;

    while (at < *count && !span_equal(names[at], name)) {
        at++;
    }
    if (at == count_max) {
        return false;
    }
    names[at] = name;
    *count += at == *count ? 1 : 0;
    return true;
}

static enum err_code add_names(struct totals *totals, const struct policy *policy, struct err *err)
{
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
    struct span emails[CORE_POLICY_EMAIL_COUNT_MAX];
    uint32_t group_count = needs_groups(policy, groups);
    uint32_t email_count = email_list(policy, emails);

    for (uint32_t i = 0; i < group_count; i++) {
        if (!add_once(totals->groups, &totals->group_count, CORE_FACT_GROUP_COUNT_MAX, groups[i])) {
            return err_set(err, ERR_INVALID, "all policies together name more than %d groups",
                           CORE_FACT_GROUP_COUNT_MAX);
        }
    }
    for (uint32_t i = 0; i < email_count; i++) {
        if (!add_once(totals->emails, &totals->email_count, CORE_EMAIL_COUNT_MAX, emails[i])) {
            return err_set(err, ERR_INVALID,
                           "all policies together name more than %d e-mail addresses; use a Slack "
                           "user group",
                           CORE_EMAIL_COUNT_MAX);
        }
    }
    return ERR_OK;
}

static enum err_code add_total(struct totals *totals, const struct policy *policy, struct err *err)
{
    totals->fields_size += policy->fields.size;
    if (totals->fields_size > SERVICE_POLICY_FIELDS_MAX) {
        return err_set(
            err, ERR_INVALID,
            "the fields of all policies together, deleted ones included, are larger than "
            "%d bytes",
            SERVICE_POLICY_FIELDS_MAX);
    }
    if (policy->deleted) {
        return ERR_OK;
    }
    totals->policy_count++;
    if (totals->policy_count > SERVICE_POLICY_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "more than %d policies", SERVICE_POLICY_COUNT_MAX);
    }
    return add_names(totals, policy, err);
}

static enum err_code apply_set(struct work *work, struct apply_job *job, struct totals *totals)
{
    struct policy policy;
    struct unpack cursor;
    enum err_code rc = ERR_OK;

    unpack_init(&cursor, job->set);
    while (rc == ERR_OK && next_policy(&cursor, &policy)) {
        if (policy.step_up && !work->job->service->has_step_up_key) {
            return err_set(work->err, ERR_INVALID,
                           "policy %.*s: step_up: configure step_up_key_file on both hosts first",
                           SPAN_ARGS(policy.name));
        }
        rc = add_total(totals, &policy, work->err);
        if (rc == ERR_OK) {
            rc = check_zone(work, &policy);
        }
        if (rc == ERR_OK) {
            rc = apply_one(work, job, &policy);
        }
    }
    return rc;
}

static enum err_code apply_others(struct work *work, struct apply_job *job, struct totals *totals)
{
    struct others others = {.job = job};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_HEADS, SPAN_NONE, false, visit_head, &others, work->err);
    if (rc == ERR_OK && others.seen + totals->policy_count > SERVICE_POLICY_NAME_MAX) {
        return err_set(work->err, ERR_FULL, "more than %d policies, deleted ones included",
                       SERVICE_POLICY_NAME_MAX);
    }
    for (size_t i = 0; rc == ERR_OK && i < others.count; i++) {
        struct policy policy;
        uint32_t version;

        rc = work_policy_head(work, others.names[i], &version);
        if (rc == ERR_OK) {
            rc = work_policy_get(work, others.names[i], version, &policy);
        }
        if (rc == ERR_OK && !policy.deleted && job->delete_absent) {
            policy.deleted = true;
            policy.fields = SPAN_NONE; /* nobody asks under it; its older versions keep theirs */
            rc = apply_one(work, job, &policy);
        }
        if (rc == ERR_OK) {
            rc = add_total(totals, &policy, work->err);
        }
    }
    return rc;
}

static enum err_code apply_retention(struct work *work, struct apply_job *job)
{
    struct retention retention;
    struct retention before;
    struct buf *row;
    bool changed;
    enum err_code rc;

    rc = retention_get(work, &before);
    if (rc != ERR_OK) {
        return rc;
    }
    retention = before;
    if (job->retention.requests_ms != 0) {
        retention.requests_ms = job->retention.requests_ms;
    }
    if (job->retention.audit_ms != 0) {
        retention.audit_ms = job->retention.audit_ms;
    }
    changed = retention.requests_ms != before.requests_ms || retention.audit_ms != before.audit_ms;
    rc = policy_diff_close(work->job->out, changed, &retention, work->err);
    if (rc != ERR_OK || !changed || job->dry_run) {
        return rc;
    }
    retention.version = before.version + 1;
    retention.applied_ms = work->now_ms;
    retention.applied_by = SPAN_NONE; /* the audit log says who */
    row = work_row(work);
    rc = codec_retention_encode(&retention, row, work->err);
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_META, key_text(SPAN_LITERAL("retention")), buf_span(row));
    }
    return rc == ERR_OK ? audit_apply(work, job, AUDIT_RETENTION_APPLIED, SPAN_NONE) : rc;
}

static enum err_code apply_run(struct work *work)
{
    struct apply_job *job = (struct apply_job *)work->job;
    struct totals totals = {.policy_count = 0};
    enum err_code rc;

    job->first = true;
    rc = policy_diff_open(work->job->out, job->dry_run, work->err);
    if (rc == ERR_OK) {
        rc = apply_set(work, job, &totals);
    }
    if (rc == ERR_OK) {
        rc = apply_others(work, job, &totals);
    }
    return rc == ERR_OK ? apply_retention(work, job) : rc;
}

static void apply_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct apply_job *job = (struct apply_job *)base;
    struct err failed = ERR_INIT;

    if (rc == ERR_OK && !job->dry_run) {
        /* Groups that cannot be read now are read at the next apply or start. */
        if (groups_load(base->service, NULL, NULL, &failed) != ERR_OK) {
            log_err(LOG_LEVEL_WARNING, "service", "groups_not_read", &failed);
        }
    }
    job->done(base->arg, rc, err, rc == ERR_OK ? buf_span(base->out) : SPAN_NONE);
}

/* As pack_u32 writes it, into room kept for it. */
static void put_size(char room[4], size_t size)
{
    for (size_t i = 0; i < 4; i++) {
        room[i] = (char)(size >> (8 * i));
    }
}

static enum err_code encode_set(const struct policy_set *set, struct buf *bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < set->count; i++) {
        size_t at = buf_size(bytes);

        rc = pack_u32(bytes, 0, err);
        if (rc == ERR_OK) {
            rc = codec_policy_encode(&set->policies[i], bytes, err);
        }
        if (rc == ERR_OK) {
            put_size(buf_at(bytes, at), buf_size(bytes) - at - 4);
        }
    }
    return rc;
}

/* The policies of the text become the job's copies; a bad text is noted in the job. */
static enum err_code apply_keep(struct apply_job *job, struct span text, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    struct span *spans[] = {&job->actor.user, &job->actor.token, &job->set};
    struct policy_set *set;
    enum err_code rc;

    rc = policy_text_parse(text, &set, &job->job.refuse);
    if (rc != ERR_OK) {
        return rc == ERR_NOMEM ? err_set(err, rc, "policies") : ERR_OK;
    }
    job->retention = set->retention;
    rc = buf_new(SERVICE_ANSWER_SIZE_MAX, &bytes, err);
    if (rc == ERR_OK) {
        rc = encode_set(set, bytes, err);
    }
    policy_set_free(set);
    if (rc != ERR_OK) {
        return rc;
    }
    job->set = buf_span(bytes);
    return job_keep(&job->job, spans, sizeof spans / sizeof spans[0], err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_policy_apply(struct service *service,
                                   const struct actor *actor,
                                   struct span text,
                                   bool dry_run,
                                   bool delete_absent,
                                   service_text_fn *done,
                                   void *arg,
                                   struct err *err)
{
    struct apply_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, apply_run, apply_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct apply_job *)base;
    job->done = done;
    base->arg = arg;
    job->actor = *actor;
    job->dry_run = dry_run;
    job->delete_absent = delete_absent;
    if (input_actor(base, actor)) {
        rc = apply_keep(job, text, err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

struct list_job {
    struct job job;
    service_policies_fn *done;
    struct span name; /* the job's copy; empty: all heads */
};

struct list_visit {
    struct work *work;
    enum err_code rc;
};

static enum err_code add_version(struct work *work, struct span name, uint32_t version)
{
    struct policy policy;
    enum err_code rc = work_policy_get(work, name, version, &policy);

    return rc == ERR_OK ? answer_policy(work, &policy) : rc;
}

static bool visit_list(void *arg, struct span key, struct span value)
{
    struct list_visit *visit = arg;

    if (value.size != 4) {
        visit->rc = err_set(visit->work->err, ERR_CORRUPT, "head of a policy");
        return false;
    }
    visit->rc = add_version(visit->work, key, unpack_key_u32((const uint8_t *)value.data));
    return visit->rc == ERR_OK;
}

static enum err_code list_run(struct work *work)
{
    struct list_job *job = (struct list_job *)work->job;
    struct list_visit visit = {.work = work, .rc = ERR_OK};
    uint32_t version = 0;
    uint32_t oldest;
    enum err_code rc;

    if (job->name.size == 0) {
        rc = storage_scan(work->txn, TABLE_HEADS, SPAN_NONE, false, visit_list, &visit, work->err);
        return rc == ERR_OK ? visit.rc : rc;
    }
    rc = work_policy_head(work, job->name, &version);
    oldest = version > SERVICE_VERSION_COUNT_MAX ? version - SERVICE_VERSION_COUNT_MAX : 0;
    for (; rc == ERR_OK && version > oldest; version--) {
        rc = add_version(work, job->name, version);
    }
    return rc;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct list_job *job = (struct list_job *)base;
    struct policy *policies;
    const struct policy *pointers[SERVICE_POLICY_NAME_MAX];
    struct err failed = ERR_INIT;
    struct unpack cursor;
    size_t count = 0;

    policies = mem_new(SERVICE_POLICY_NAME_MAX, sizeof *policies);
    if (rc == ERR_OK && policies == NULL) {
        rc = err_set(&failed, ERR_NOMEM, "policies");
        err = &failed;
    }
    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor) && count < SERVICE_POLICY_NAME_MAX) {
        if (answer_next_policy(&cursor, &policies[count])) {
            pointers[count] = &policies[count];
            count++;
        }
    }
    job->done(base->arg, rc, err, pointers, count);
    mem_free(policies);
}

enum err_code service_policy_list(struct service *service,
                                  struct span name,
                                  service_policies_fn *done,
                                  void *arg,
                                  struct err *err)
{
    struct list_job *job;
    struct job *base;
    struct span *spans[1];
    enum err_code rc;

    rc = job_new(service, sizeof *job, list_run, list_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct list_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->name = name;
    spans[0] = &job->name;
    rc = job_keep(base, spans, 1, err);
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

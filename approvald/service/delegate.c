/* SPDX-License-Identifier: Apache-2.0 */
/* delegate.c: naming who stands in for an approver, and ending it.
 * Owns the bounds of delegations and who may set whose.
 * Never judges whether somebody may decide: core/rights.h does, when he does. */
#include "approvald/core/policy.h"
#include "approvald/service/answer.h"
#include "approvald/service/delegations.h"
#include "approvald/service/input.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"
#include "storage/storage.h"

#include <inttypes.h>
#include <stdio.h>

#define DETAIL_SIZE_MAX 256

struct delegate_job {
    struct done_job base;
    struct actor actor; /* spans point to the job's copies */
    struct delegation delegation;
    bool has_key;
    struct inbox_key key;
};
static_assert(sizeof(struct delegate_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

/* One walk over all of them; those that are over are remembered to be deleted. */
struct walk {
    const struct delegation *wanted;
    uint64_t now_ms;
    size_t live;     /* all that are not over */
    size_t own;      /* of the same person */
    size_t standing; /* to the same substitute, at a common time */
    bool same;       /* it is there already */
    bool overlaps;
    struct delegation found; /* same or overlapping; or the one with the wanted id */
    bool by_id;
    size_t over_count;
    struct key over[SERVICE_DELEGATION_SWEEP_MAX];
};

static bool overlap(const struct delegation *a, const struct delegation *b)
{
    return a->begin_ms < b->end_ms && b->begin_ms < a->end_ms;
}

static void compare(struct walk *walk, const struct delegation *stored)
{
    const struct delegation *wanted = walk->wanted;
    bool own = span_equal(stored->from, wanted->from);
    bool at_once = overlap(stored, wanted);

    walk->live++;
    walk->own += own ? 1 : 0;
    walk->standing += at_once && span_equal(stored->to, wanted->to) ? 1 : 0;
    if (own && at_once) {
        walk->overlaps = true;
        walk->same = walk->same ||
                     (span_equal(stored->to, wanted->to) && stored->begin_ms <= wanted->begin_ms &&
                      stored->end_ms == wanted->end_ms);
        walk->found = *stored;
    }
}

static bool visit(void *arg, struct span key, struct span value)
{
    struct walk *walk = arg;
    struct delegation stored;
    bool sound = codec_delegation_decode(value, &stored, NULL) == ERR_OK;

    if (!sound || stored.end_ms <= walk->now_ms) {
        if (walk->over_count < SERVICE_DELEGATION_SWEEP_MAX) {
            walk->over[walk->over_count++] = key_text(key);
        }
        return true;
    }
    if (walk->wanted->id == 0) {
        compare(walk, &stored);
    } else if (stored.id == walk->wanted->id) {
        walk->by_id = true;
        walk->found = stored;
    }
    return true;
}

static enum err_code walk_all(struct work *work, struct delegate_job *job, struct walk *ret_walk)
{
    enum err_code rc;

    *ret_walk = (struct walk){.wanted = &job->delegation, .now_ms = work->now_ms};
    rc = storage_scan(work->txn, TABLE_DELEGATIONS, SPAN_NONE, false, visit, ret_walk, work->err);
    for (size_t i = 0; rc == ERR_OK && i < ret_walk->over_count; i++) {
        rc = work_delete(work, TABLE_DELEGATIONS, ret_walk->over[i]);
    }
    return rc;
}

static enum err_code audit(struct work *work,
                           const struct delegate_job *job,
                           enum audit_action action,
                           const struct delegation *delegation)
{
    char detail[DETAIL_SIZE_MAX];
    char begin[TEXT_TIME_SIZE];
    char end[TEXT_TIME_SIZE];
    struct audit_write write = {.action = span_text(audit_action_word(action)),
                                .actor = &job->actor};

    text_format_time(delegation->begin_ms, begin);
    text_format_time(delegation->end_ms, end);
    (void)snprintf(detail, sizeof detail, "%" PRIu64 ": %.*s stands in for %.*s from %s to %s",
                   delegation->id, SPAN_ARGS(delegation->to), SPAN_ARGS(delegation->from), begin,
                   end); /* fits: ids are bounded */
    write.detail = span_text(detail);
    return work_audit(work, &write, NULL, NULL);
}

/* ERR_OK: it may be made. */
static enum err_code check_room(const struct walk *walk, struct err *err)
{
    char end[TEXT_TIME_SIZE];

    if (walk->overlaps) {
        text_format_time(walk->found.end_ms, end);
        return err_set(err, ERR_EXISTS,
                       "%.*s stands in for %.*s until %s already; end that first (%" PRIu64 ")",
                       SPAN_ARGS(walk->found.to), SPAN_ARGS(walk->found.from), end, walk->found.id);
    }
    if (walk->standing >= CORE_STAND_IN_COUNT_MAX) {
        return err_set(err, ERR_INVALID,
                       "to: this person stands in for %d others at that time; name somebody else",
                       CORE_STAND_IN_COUNT_MAX);
    }
    if (walk->own >= SERVICE_DELEGATION_OWN_MAX) {
        return err_set(err, ERR_INVALID, "from: at most %d at a time; end one first",
                       SERVICE_DELEGATION_OWN_MAX);
    }
    if (walk->live >= SERVICE_DELEGATION_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "there are %d delegations already; end some",
                       SERVICE_DELEGATION_COUNT_MAX);
    }
    return ERR_OK;
}

/* A delegation begins now or later, ends after that, and not in another life. */
static enum err_code check_dates(const struct work *work, const struct delegation *delegation)
{
    if (delegation->end_ms <= delegation->begin_ms) {
        return err_set(work->err, ERR_INVALID,
                       "to_time: has to be later than the beginning, and in the future");
    }
    if (delegation->end_ms - work->now_ms > SERVICE_DELEGATION_AHEAD_MS) {
        return err_set(work->err, ERR_INVALID, "to_time: at most %d days from now",
                       (int)(SERVICE_DELEGATION_AHEAD_MS / CORE_DAY_MS));
    }
    return ERR_OK;
}

static enum err_code put(struct work *work, const struct delegate_job *job)
{
    const struct delegation *delegation = &job->delegation;
    struct buf *row = work_row(work);
    enum err_code rc = codec_delegation_encode(delegation, row, work->err);

    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_DELEGATIONS, key_delegation(delegation->to, delegation->id),
                      buf_span(row));
    }
    return rc == ERR_OK ? audit(work, job, AUDIT_DELEGATED, delegation) : rc;
}

static enum err_code add(struct work *work, struct delegate_job *job)
{
    struct delegation *delegation = &job->delegation;
    char made_by[AUDIT_ACTOR_SIZE];
    struct walk walk;
    enum err_code rc;

    if (delegation->begin_ms < work->now_ms) {
        delegation->begin_ms = work->now_ms;
    }
    rc = check_dates(work, delegation);
    if (rc == ERR_OK) {
        rc = walk_all(work, job, &walk);
    }
    if (rc != ERR_OK || walk.same) {
        return rc;
    }
    rc = check_room(&walk, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    audit_actor_format(&job->actor, made_by);
    delegation->id = work->writer->state.audit_seq + 1; /* of its entry: never used before */
    delegation->made_ms = work->now_ms;
    delegation->made_by = span_text(made_by);
    return put(work, job);
}

/* Root anybody's; a person his own, and what he is to do for somebody else. */
static bool may_end(const struct actor *actor, const struct delegation *delegation)
{
    return actor->kind == ACTOR_ROOT ||
           (actor->user.size > 0 &&
            (span_equal(actor->user, delegation->from) || span_equal(actor->user, delegation->to)));
}

static enum err_code end(struct work *work, struct delegate_job *job)
{
    struct walk walk;
    enum err_code rc = walk_all(work, job, &walk);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!walk.by_id || !may_end(&job->actor, &walk.found)) {
        return err_set(work->err, ERR_NOT_FOUND, "there is no such delegation of yours (any more)");
    }
    rc = audit(work, job, AUDIT_UNDELEGATED, &walk.found);
    return rc == ERR_OK
               ? work_delete(work, TABLE_DELEGATIONS, key_delegation(walk.found.to, walk.found.id))
               : rc;
}

/* A repeated delivery was done the first time. */
static enum err_code once(struct work *work,
                          enum err_code (*act)(struct work *, struct delegate_job *))
{
    struct delegate_job *job = (struct delegate_job *)work->job;
    struct event_seen seen = {.deferred = false};
    enum err_code rc = ERR_NOT_FOUND;

    if (job->has_key) {
        rc = event_get(work, &job->key, &seen);
    }
    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = act(work, job);
    return rc == ERR_OK && job->has_key ? event_put(work, &job->key, &seen) : rc;
}

static enum err_code add_run(struct work *work)
{
    return once(work, add);
}

static enum err_code end_run(struct work *work)
{
    return once(work, end);
}

/* What the loop remembers is read again before anybody is told. */
static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct delegate_job *job = (struct delegate_job *)base;
    struct err failed = ERR_INIT;

    if (rc == ERR_OK &&
        delegations_load(base->service, job->base.done, base->arg, &failed) == ERR_OK) {
        return;
    }
    if (rc == ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "service", "delegations_not_read", &failed);
    }
    done_job_answer(base, rc, err);
}

static enum err_code begin(struct service *service,
                           const struct actor *actor,
                           const struct service_event_key *key,
                           job_run_fn *run,
                           struct delegate_job **ret_job,
                           struct err *err)
{
    struct job *base;
    enum err_code rc = job_new(service, sizeof **ret_job, run, answer, &base, err);

    if (rc != ERR_OK) {
        return rc;
    }
    *ret_job = (struct delegate_job *)base;
    (*ret_job)->actor = *actor;
    if (input_actor(base, actor) && key != NULL) {
        (void)input_event_key(base, key, &(*ret_job)->key, &(*ret_job)->has_key); /* noted */
    }
    return ERR_OK;
}

static enum err_code
submit(struct delegate_job *job, service_done_fn *done, void *arg, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->actor.user, &job->actor.token, &job->delegation.from,
                            &job->delegation.to};

    job->base.done = done;
    base->arg = arg;
    return job_send_take(base, spans, sizeof spans / sizeof spans[0], err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_delegate(struct service *service,
                               const struct actor *actor,
                               const struct service_delegation *delegation,
                               const struct service_event_key *key,
                               service_done_fn *done,
                               void *arg,
                               struct err *err)
{
    struct delegate_job *job;
    struct job *base;
    enum err_code rc = begin(service, actor, key, add_run, &job, err);

    if (rc != ERR_OK) {
        return rc;
    }
    base = &job->base.job;
    job->delegation = (struct delegation){.from = delegation->from,
                                          .to = delegation->to,
                                          .begin_ms = delegation->begin_ms,
                                          .end_ms = delegation->end_ms};
    /* Refusals are noted in the job. */
    (void)(input_require(base, slack_user_is_valid(delegation->from),
                         "from: not a Slack user id (U… or W…)") &&
           input_require(base, slack_user_is_valid(delegation->to),
                         "to: not a Slack user id (U… or W…)") &&
           input_require(base, !span_equal(delegation->from, delegation->to),
                         "to: choose somebody else than the person who is away") &&
           input_require(base,
                         actor->kind == ACTOR_ROOT || span_equal(actor->user, delegation->from),
                         "from: only root names a substitute for somebody else"));
    return submit(job, done, arg, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_undelegate(struct service *service,
                                 const struct actor *actor,
                                 uint64_t id,
                                 const struct service_event_key *key,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct delegate_job *job;
    enum err_code rc = begin(service, actor, key, end_run, &job, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job->delegation.id = id;
    (void)input_require(&job->base.job, id > 0, "id: the number of a delegation");
    return submit(job, done, arg, err);
}

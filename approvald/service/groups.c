/* SPDX-License-Identifier: Apache-2.0 */
/* groups.c: the user groups, channels and e-mail addresses of live policies and open requests.
 * Owns the list and for how long a superseded version's groups stay in it: a request made under
 * that version is open at most its expires_after longer, and its veto window.
 * Never asks Slack who is in a group. */
#include "approvald/service/groups.h"
#include "approvald/core/email.h"
#include "approvald/core/needs.h"
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

struct group {
    char id[CORE_SLACK_ID_SIZE_MAX + 1];
    uint64_t until_ms;
};

struct email {
    char text[CORE_EMAIL_SIZE_MAX + 1];
    uint64_t until_ms;
};

struct groups {
    size_t email_count;
    struct email emails[CORE_EMAIL_COUNT_MAX];
    struct span email_spans[CORE_EMAIL_COUNT_MAX];
    size_t count;
    struct group items[CORE_FACT_GROUP_COUNT_MAX];
    struct span spans[CORE_FACT_GROUP_COUNT_MAX]; /* of those still needed; given out */
    bool delegation; /* a policy in force lets approvers be stood in for */
};

enum err_code groups_new(struct groups **ret_groups, struct err *err)
{
    *ret_groups = mem_new(1, sizeof **ret_groups);
    return *ret_groups == NULL ? err_set(err, ERR_NOMEM, "groups") : ERR_OK;
}

void groups_free(struct groups *groups)
{
    mem_free(groups);
}

size_t service_groups(const struct service *service, const struct span **ret_groups)
{
    struct groups *groups = service->groups;
    uint64_t now_ms = clock_wall_ms(service->clock);
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++) {
        if (now_ms < groups->items[i].until_ms) {
            groups->spans[count++] = span_text(groups->items[i].id);
        }
    }
    *ret_groups = groups->spans;
    return count;
}

size_t service_emails(const struct service *service, const struct span **ret_emails)
{
    struct groups *groups = service->groups;
    uint64_t now_ms = clock_wall_ms(service->clock);
    size_t count = 0;

    for (size_t i = 0; i < groups->email_count; i++) {
        if (now_ms < groups->emails[i].until_ms) {
            groups->email_spans[count++] = span_text(groups->emails[i].text);
        }
    }
    *ret_emails = groups->email_spans;
    return count;
}

/* As add. */
static void add_email(struct groups *groups, struct span text, uint64_t until_ms)
{
    struct email *email;

    if (text.size > CORE_EMAIL_SIZE_MAX) {
        return;
    }
    for (size_t i = 0; i < groups->email_count; i++) {
        email = &groups->emails[i];
        if (span_is(text, email->text)) {
            email->until_ms = until_ms > email->until_ms ? until_ms : email->until_ms;
            return;
        }
    }
    if (groups->email_count == CORE_EMAIL_COUNT_MAX) {
        return;
    }
    email = &groups->emails[groups->email_count++];
    memcpy(email->text, text.data, text.size);
    email->text[text.size] = '\0';
    email->until_ms = until_ms;
}

bool service_delegation_is_used(const struct service *service)
{
    return service->groups->delegation;
}

/* Live policies are read first, so they are never the ones that find no room. */
static void add(struct groups *groups, struct span id, uint64_t until_ms)
{
    struct group *group;

    if (id.size > CORE_SLACK_ID_SIZE_MAX) {
        return;
    }
    for (size_t i = 0; i < groups->count; i++) {
        group = &groups->items[i];
        if (span_is(id, group->id)) {
            group->until_ms = until_ms > group->until_ms ? until_ms : group->until_ms;
            return;
        }
    }
    if (groups->count == CORE_FACT_GROUP_COUNT_MAX) {
        return;
    }
    group = &groups->items[groups->count++];
    memcpy(group->id, id.data, id.size);
    group->id[id.size] = '\0';
    group->until_ms = until_ms;
}

struct load_job {
    struct done_job base;
    struct groups *found; /* the job's inputs; filled on the writer */
};
static_assert(sizeof(struct load_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

struct load_visit {
    struct groups *found;
    uint64_t now_ms;
    bool heads; /* the versions in force, or the superseded ones */
    bool has;
    struct policy policy; /* the version before the visited one */
};

/* No request pins the version that says a policy is deleted. */
static void add_policy(struct groups *groups, const struct policy *policy, uint64_t until_ms)
{
    struct span needed[2 * CORE_POLICY_GROUP_COUNT_MAX];
    struct span emails[CORE_POLICY_EMAIL_COUNT_MAX];
    uint32_t count = policy->deleted ? 0 : needs_groups(policy, needed);

    groups->delegation =
        groups->delegation || (policy->delegation && !policy->deleted && until_ms == UINT64_MAX);
    for (uint32_t i = 0; i < count; i++) {
        add(groups, needed[i], until_ms);
    }
    count = policy->deleted ? 0 : email_list(policy, emails);
    for (uint32_t i = 0; i < count; i++) {
        add_email(groups, emails[i], until_ms);
    }
}

/* Versions of one policy follow each other: one that is followed is superseded. */
static bool visit_policy(void *arg, struct span key, struct span value)
{
    struct load_visit *visit = arg;
    const struct policy *policy = &visit->policy;
    struct policy next;
    bool superseded;
    uint64_t until_ms;

    (void)key; /* the policy holds its name and version */
    if (codec_policy_decode(value, &next, NULL) != ERR_OK) {
        return true; /* damage is reported to whoever needs that version */
    }
    superseded = visit->has && span_equal(policy->name, next.name);
    until_ms = superseded
                   ? next.applied_ms + policy->expires_after_ms + policy->clocks.effect_after_ms
                   : UINT64_MAX;
    /* One whose requests are all over must not take the room of one that is needed. */
    if (visit->has && superseded != visit->heads && until_ms > visit->now_ms) {
        add_policy(visit->found, policy, until_ms);
    }
    visit->policy = next;
    visit->has = true;
    return true;
}

/* Versions are never removed, so only what comes of them may travel to the loop. */
static enum err_code collect(struct work *work, struct groups *found, bool heads)
{
    struct load_visit visit = {.found = found, .now_ms = work->now_ms, .heads = heads};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_POLICIES, SPAN_NONE, false, visit_policy, &visit, work->err);
    if (rc == ERR_OK && visit.has && heads) {
        add_policy(found, &visit.policy, UINT64_MAX);
    }
    return rc;
}

static enum err_code run(struct work *work)
{
    struct groups *found = ((struct load_job *)work->job)->found;
    enum err_code rc = collect(work, found, true);

    return rc == ERR_OK ? collect(work, found, false) : rc;
}

static void answer(struct job *job, enum err_code rc, const struct err *err)
{
    if (rc == ERR_OK) {
        struct groups *groups = job->service->groups;
        const struct groups *found = ((struct load_job *)job)->found;

        memcpy(groups->items, found->items, sizeof groups->items);
        groups->count = found->count;
        memcpy(groups->emails, found->emails, sizeof groups->emails);
        groups->email_count = found->email_count;
        groups->delegation = found->delegation;
    }
    done_job_answer(job, rc, err);
}

enum err_code
groups_load(struct service *service, service_done_fn *done, void *arg, struct err *err)
{
    struct load_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct load_job *)base;
    job->base.done = done;
    base->arg = arg;
    base->reads = true;
    job->found = mem_new(1, sizeof *job->found);
    base->inputs = job->found; /* freed with the job */
    if (job->found == NULL) {
        job_free(base);
        return err_set(err, ERR_NOMEM, "groups");
    }
    return job_submit_take(base, err);
}

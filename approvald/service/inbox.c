/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c: presses that wait for facts.
 * Owns their listing and their end: each is decided or refused once, and then removed.
 * Never asks Slack: the directory does and brings the facts. */
#include "approvald/service/answer.h"
#include "approvald/service/press.h"
#include "approvald/service/replay.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/buf.h"
#include "storage/storage.h"

struct list_job {
    struct job job;
    service_inbox_fn *done;
    uint64_t after_seq;
    size_t count_max;
};

struct list_visit {
    struct work *work;
    size_t left;
    enum err_code rc;
};

static bool visit_entry(void *arg, struct span key, struct span value)
{
    struct list_visit *visit = arg;
    struct inbox_entry entry;

    (void)key; /* the entry holds its seq */
    if (visit->left == 0) {
        return false;
    }
    if (codec_inbox_decode(value, &entry, NULL) != ERR_OK) {
        return true; /* one damaged entry must not keep all others from being decided */
    }
    visit->left--;
    visit->rc = answer_bytes(visit->work, value);
    return visit->rc == ERR_OK;
}

static enum err_code list_run(struct work *work)
{
    struct list_job *job = (struct list_job *)work->job;
    struct list_visit visit = {.work = work, .left = job->count_max, .rc = ERR_OK};
    struct key key = key_u64(job->after_seq + 1);
    enum err_code rc;

    rc =
        storage_scan(work->txn, TABLE_INBOX, key_span(&key), false, visit_entry, &visit, work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct list_job *job = (struct list_job *)base;
    struct service_inbox_entry entries[SERVICE_PAGE_COUNT_MAX];
    struct inbox_entry stored;
    struct unpack cursor;
    struct span bytes;
    size_t count = 0;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor) && answer_next(&cursor, &bytes)) {
        struct service_inbox_entry *entry = &entries[count++];

        rc = codec_inbox_decode(bytes, &stored, NULL);
        entry->seq = stored.seq;
        entry->at_ms = stored.at_ms;
        entry->id = stored.id;
        entry->user = stored.actor.user;
        entry->requester = stored.requester;
        entry->group_count = stored.group_count;
        for (uint32_t i = 0; i < stored.group_count; i++) {
            entry->groups[i] = stored.groups[i];
        }
    }
    job->done(base->arg, rc, err, entries, rc == ERR_OK ? count : 0);
}

enum err_code service_inbox_list(struct service *service,
                                 uint64_t after_seq,
                                 size_t count_max,
                                 service_inbox_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct list_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, list_run, list_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct list_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->after_seq = after_seq;
    job->count_max = count_max < SERVICE_PAGE_COUNT_MAX ? count_max : SERVICE_PAGE_COUNT_MAX;
    return job_submit_take(base, err);
}

struct resolve_job {
    struct request_job base;
    uint64_t seq;
    bool give_up;
    struct facts facts;
};
static_assert(sizeof(struct resolve_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code resolve_run(struct work *work)
{
    struct resolve_job *job = (struct resolve_job *)work->job;
    struct inbox_entry entry;
    struct press press;
    struct span value;
    enum err_code rc;

    rc = work_get(work, TABLE_INBOX, key_u64(job->seq), &value);
    if (rc == ERR_OK) {
        rc = codec_inbox_decode(value, &entry, work->err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    press = (struct press){.actor = entry.actor,
                           .id = entry.id,
                           .verdict = entry.verdict,
                           .reason = entry.reason,
                           .has_key = entry.has_key,
                           .key = entry.key,
                           .channel = entry.channel,
                           .thread = entry.thread,
                           .stepped = entry.stepped,
                           .at_ms = entry.at_ms};
    rc = press_decide(work, &press, &job->facts, job->give_up ? PRESS_GIVE_UP : PRESS_WAIT);
    if (rc != ERR_OK || work->job->deferred) {
        return rc;
    }
    work->writer->state.counts.inbox_depth -= work->writer->state.counts.inbox_depth > 0 ? 1 : 0;
    rc = work_delete(work, TABLE_INBOX, key_u64(job->seq));
    if (rc == ERR_OK) {
        rc = waiting_delete(work, &entry);
    }
    return rc == ERR_OK ? waiting_over(work, &entry.id) : rc;
}

static void resolve_answer(struct job *job, enum err_code rc, const struct err *err)
{
    if (rc == ERR_OK && !job->deferred) {
        count_decision(job);
    }
    request_job_answer(job, rc, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_inbox_resolve(struct service *service,
                                    uint64_t seq,
                                    const struct facts *facts,
                                    bool give_up,
                                    service_request_fn *done,
                                    void *arg,
                                    struct err *err)
{
    struct resolve_job *job;
    struct job *base;
    struct span *spans[JOB_KEEP_COUNT_MAX];
    enum err_code rc;

    ASSERT(facts->known_count <= CORE_FACT_GROUP_COUNT_MAX);
    ASSERT(facts->member_count <= CORE_FACT_GROUP_COUNT_MAX);
    ASSERT(facts->requester_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(facts->stand_in_count <= CORE_STAND_IN_COUNT_MAX);
    rc = job_new(service, sizeof *job, resolve_run, resolve_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct resolve_job *)base;
    job->base.done = done;
    base->arg = arg;
    job->seq = seq;
    job->give_up = give_up;
    job->facts = *facts;
    rc = job_keep(base, spans, facts_spans(&job->facts, spans, 0), err);
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

uint64_t service_inbox_seq(const struct service *service)
{
    return service->counts.inbox_seq;
}

uint64_t service_inbox_depth(const struct service *service)
{
    return service->counts.inbox_depth;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* note.c: small records beside decisions: events seen, sentences owed, audit.
 * Owns that an outside event without a decision is accepted once, too.
 * Never changes a request. */
#include "approvald/service/answer.h"
#include "approvald/service/input.h"

#include "base/assert.h"
#include "storage/storage.h"

#include <string.h>

struct note_job {
    struct done_job base;
    struct service_note note;
    uint32_t key_count;
    struct inbox_key keys[INBOX_KEY_COUNT_MAX];
    bool seen;
};
static_assert(sizeof(struct note_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

/* With the request's link when it exists; about an unknown request the entry stands alone. */
static enum err_code audit_about(struct work *work, const struct audit_write *write)
{
    struct subject subject;
    enum err_code rc = ERR_NOT_FOUND;

    if (write->id != NULL) {
        rc = subject_load(work, write->id, &subject);
    }
    if (rc == ERR_NOT_FOUND) {
        return work_audit(work, write, NULL, NULL);
    }
    if (rc == ERR_OK) {
        rc = work_audit(work, write, &subject, NULL);
    }
    return rc == ERR_OK ? subject_store(work, &subject) : rc;
}

static enum err_code note_run(struct work *work)
{
    struct note_job *job = (struct note_job *)work->job;
    struct audit_write write = {.action = job->note.action,
                                .actor = &job->note.actor,
                                .id = job->note.has_id ? &job->note.id : NULL,
                                .detail = job->note.detail};
    struct event_seen seen = {.deferred = false};
    enum err_code rc = ERR_NOT_FOUND;

    for (uint32_t i = 0; rc == ERR_NOT_FOUND && i < job->key_count; i++) {
        rc = event_get(work, &job->keys[i], &seen);
    }
    job->seen = rc == ERR_OK;
    if (rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = job->key_count > 0 ? event_put(work, &job->keys[0], &seen) : ERR_OK;
    if (rc == ERR_OK && job->note.audit) {
        rc = audit_about(work, &write);
    }
    return rc;
}

static void note_answer(struct job *job, enum err_code rc, const struct err *err)
{
    struct err exists = ERR_INIT;

    if (rc == ERR_OK && ((struct note_job *)job)->seen) {
        rc = err_set(&exists, ERR_EXISTS, "this event was seen before");
        err = &exists;
    }
    done_job_answer(job, rc, err);
}

static enum err_code note_submit(struct note_job *job, struct err *err)
{
    struct job *base = &job->base.job;
    struct span *spans[] = {&job->note.actor.user, &job->note.actor.token, &job->note.action,
                            &job->note.detail};

    if (job->note.detail.size > AUDIT_DETAIL_SIZE_MAX) {
        job->note.detail.size = AUDIT_DETAIL_SIZE_MAX;
    }
    return job_send_take(base, spans, sizeof spans / sizeof spans[0], err);
}

static enum err_code note_new(struct service *service,
                              const struct service_note *note,
                              struct note_job **ret_job,
                              struct err *err)
{
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof **ret_job, note_run, note_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_job = (struct note_job *)base;
    (*ret_job)->note = *note;
    /* Refusals are noted in the job. */
    (void)(input_actor(base, &note->actor) &&
           input_require(base, note->action.size > 0 && note->action.size <= CORE_NAME_SIZE_MAX,
                         "action: a short word"));
    return ERR_OK;
}

enum err_code service_note(struct service *service,
                           const struct service_note *note,
                           service_done_fn *done,
                           void *arg,
                           struct err *err)
{
    struct note_job *job;
    enum err_code rc;

    rc = note_new(service, note, &job, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job->base.done = done;
    job->base.job.arg = arg;
    /* A refusal is noted in the job. */
    (void)input_event_keys(&job->base.job, &note->key, job->keys, &job->key_count);
    return note_submit(job, err);
}

enum err_code service_audit_add(struct service *service,
                                const struct actor *actor,
                                const struct request_id *id,
                                struct span action,
                                struct span detail,
                                struct err *err)
{
    struct service_note note = {
        .actor = *actor, .audit = true, .has_id = id != NULL, .action = action, .detail = detail};
    struct note_job *job;
    enum err_code rc;

    if (id != NULL) {
        note.id = *id;
    }
    rc = note_new(service, &note, &job, err);
    return rc == ERR_OK ? note_submit(job, err) : rc;
}

struct notice_job {
    struct done_job base;
    struct request_id id;
    struct notice notice;
};

static enum err_code notice_run(struct work *work)
{
    struct notice_job *job = (struct notice_job *)work->job;
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct audit_write write = {.action = span_text(audit_action_word(AUDIT_NOTICE)),
                                .actor = &system,
                                .id = &job->id,
                                .detail = job->notice.text};
    enum err_code rc;

    job->notice.id = &job->id;
    rc = audit_about(work, &write);
    job->notice.audit_seq = work->writer->state.audit_seq;
    return rc == ERR_OK ? work_notice(work, &job->notice) : rc;
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_notice(struct service *service,
                             const struct request_id *id,
                             struct span user,
                             struct span channel,
                             struct span thread,
                             struct span text,
                             service_done_fn *done,
                             void *arg,
                             struct err *err)
{
    struct notice_job *job;
    struct actor actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = user};
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, notice_run, done_job_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct notice_job *)base;
    job->base.done = done;
    base->arg = arg;
    job->id = *id;
    job->notice = (struct notice){.user = user, .channel = channel, .thread = thread, .text = text};
    if (input_require(base, user.size > 0, "user: who is to be told?") &&
        input_actor(base, &actor) && input_place(base, channel, thread) &&
        input_require(base, text.size <= CORE_TEXT_SIZE_MAX, "text: too long")) {
        struct span *spans[] = {&job->notice.user, &job->notice.channel, &job->notice.thread,
                                &job->notice.text};

        rc = job_keep(base, spans, sizeof spans / sizeof spans[0], err);
    }
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}

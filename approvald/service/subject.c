/* SPDX-License-Identifier: Apache-2.0 */
/* subject.c: one request inside a job: its row, its indexes and its counters.
 * Owns that the pending index, the deadlines and the counts always agree with the request.
 * Never decides: it writes what a step of the rules asks for. */
#include "approvald/service/book.h"
#include "approvald/service/work.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/pack.h"

#include <string.h>

#define LINK_SIZE 8

enum err_code
subject_load(struct work *work, const struct request_id *id, struct subject *ret_subject)
{
    struct request *request = &ret_subject->request;
    struct span value;
    enum err_code rc;

    rc = work_get(work, TABLE_REQUESTS, key_request(id), &value);
    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size < LINK_SIZE) {
        return err_set(work->err, ERR_CORRUPT, "a stored request is cut");
    }
    rc = codec_request_decode(span_of(value.data + LINK_SIZE, value.size - LINK_SIZE), request,
                              work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (!request_invariant(request)) {
        return err_set(work->err, ERR_CORRUPT, "a stored request contradicts itself");
    }
    ret_subject->link = unpack_key_u64((const uint8_t *)value.data);
    ret_subject->dirty = false;
    rc = work_policy_get(work, request->policy, request->policy_version, &ret_subject->policy);
    /* A request without its policy is damage, not an answer. */
    return rc == ERR_NOT_FOUND ? err_wrap(work->err, ERR_CORRUPT, "a request's policy") : rc;
}

enum err_code subject_store(struct work *work, struct subject *subject)
{
    struct buf *row = work_row(work);
    uint8_t link[LINK_SIZE];
    enum err_code rc;

    if (!subject->dirty) {
        return ERR_OK;
    }
    pack_key_u64(link, subject->link);
    rc = buf_append(row, link, sizeof link, work->err);
    if (rc == ERR_OK) {
        rc = codec_request_encode(&subject->request, row, work->err);
    }
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_REQUESTS, key_request(&subject->request.id), buf_span(row));
    }
    if (rc == ERR_OK) {
        subject->dirty = false;
    }
    return rc;
}

static enum err_code
index_pending(struct work *work, const struct request *before, const struct request *after)
{
    struct counts *counts = &work->writer->state.counts;
    bool was = before != NULL && before->state == REQUEST_PENDING;
    bool is = after->state == REQUEST_PENDING;

    if (was == is) {
        return ERR_OK;
    }
    if (is) {
        counts->pending++;
        return work_mark(work, TABLE_PENDING, key_request(&after->id));
    }
    counts->pending -= counts->pending > 0 ? 1 : 0;
    return work_delete(work, TABLE_PENDING, key_request(&after->id));
}

static enum err_code
index_deadline(struct work *work, const struct request *before, const struct request *after)
{
    uint64_t was = before == NULL ? UINT64_MAX : approval_deadline_ms(before);
    uint64_t is = approval_deadline_ms(after);
    enum err_code rc = ERR_OK;

    if (was == is) {
        return ERR_OK;
    }
    if (was != UINT64_MAX) {
        rc = work_delete(work, TABLE_DEADLINES, key_deadline(was, &after->id));
    }
    if (rc == ERR_OK && is != UINT64_MAX) {
        rc = work_mark(work, TABLE_DEADLINES, key_deadline(is, &after->id));
        work->job->deadline_ms = is < work->job->deadline_ms ? is : work->job->deadline_ms;
    }
    return rc;
}

static enum err_code write_audits(struct work *work,
                                  struct subject *subject,
                                  const struct actor *actor,
                                  const struct approval_effects *effects,
                                  uint64_t ret_seqs[APPROVAL_AUDIT_COUNT_MAX])
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < effects->audit_count; i++) {
        const struct approval_audit *audit = &effects->audits[i];
        struct actor who = audit->by_system ? system : *actor;
        struct audit_write write = {.action = span_text(audit_action_word(audit->action)),
                                    .actor = &who,
                                    .id = &effects->after.id,
                                    .detail = audit->detail};

        who.behalf = audit->behalf;
        rc = work_audit(work, &write, subject, &ret_seqs[i]);
    }
    return rc;
}

enum err_code subject_apply(struct work *work,
                            struct subject *subject,
                            const struct request *before,
                            const struct actor *actor,
                            const struct approval_effects *effects)
{
    const struct request *after = &effects->after;
    uint64_t seqs[APPROVAL_AUDIT_COUNT_MAX] = {0};
    enum err_code rc;

    if (!effects->changed) {
        return ERR_OK;
    }
    rc = write_audits(work, subject, actor, effects, seqs);
    if (rc == ERR_OK) {
        rc = index_pending(work, before, after);
    }
    if (rc == ERR_OK) {
        rc = index_deadline(work, before, after);
    }
    if (rc == ERR_OK) {
        rc = rows_raise(work, after, effects, seqs);
    }
    if (rc == ERR_OK) {
        rc = glass_note(work, before, after);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    book_note(work->writer->book, before, after);
    /* before may be subject->request itself, so it is replaced last. */
    subject->request = *after;
    subject->dirty = true;
    work->job->changed = true;
    work->job->id = after->id;
    return ERR_OK;
}

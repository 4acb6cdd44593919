/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c: records on their way from the writer to the loop.
 * Owns their framing in a job's out, and the code that stands for a refusal.
 * Never shares memory of the store with the loop: everything is copied. */
#include "approvald/service/answer.h"
#include "approvald/service/gate.h"

#include "base/assert.h"
#include "base/buf.h"

#define HEAD_SIZE 5 /* u8 present, u32 size */

/* Room for a head; its size is written once the record behind it is known. */
static enum err_code begin(struct work *work, size_t *ret_at)
{
    struct buf *out = work->job->out;
    char *room;

    *ret_at = buf_size(out);
    return buf_extend(out, HEAD_SIZE, &room, work->err);
}

static void end(struct work *work, size_t at)
{
    struct buf *out = work->job->out;
    size_t size = buf_size(out) - at - HEAD_SIZE;
    char *head = buf_at(out, at);

    head[0] = 1;
    for (size_t i = 0; i < 4; i++) {
        head[1 + i] = (char)(size >> (8 * i));
    }
}

static enum err_code absent(struct work *work)
{
    return pack_u8(work->job->out, 0, work->err);
}

enum err_code answer_request(struct work *work, const struct request *request)
{
    size_t at;
    enum err_code rc;

    if (request == NULL) {
        return absent(work);
    }
    rc = begin(work, &at);
    if (rc == ERR_OK) {
        rc = codec_request_encode(request, work->job->out, work->err);
    }
    if (rc == ERR_OK) {
        end(work, at);
    }
    return rc;
}

enum err_code answer_policy(struct work *work, const struct policy *policy)
{
    size_t at;
    enum err_code rc;

    if (policy == NULL) {
        return absent(work);
    }
    rc = begin(work, &at);
    if (rc == ERR_OK) {
        rc = codec_policy_encode(policy, work->job->out, work->err);
    }
    if (rc == ERR_OK) {
        end(work, at);
    }
    return rc;
}

enum err_code answer_row(struct work *work, const struct outbox_row *row)
{
    size_t at;
    enum err_code rc;

    if (row == NULL) {
        return absent(work);
    }
    rc = begin(work, &at);
    if (rc == ERR_OK) {
        rc = codec_row_encode(row, work->job->out, work->err);
    }
    if (rc == ERR_OK) {
        end(work, at);
    }
    return rc;
}

bool answer_has_room(const struct work *work)
{
    return buf_room(work->job->out) >= HEAD_SIZE + SERVICE_ROW_SIZE_MAX;
}

enum err_code answer_bytes(struct work *work, struct span bytes)
{
    size_t at;
    enum err_code rc;

    rc = begin(work, &at);
    if (rc == ERR_OK) {
        rc = buf_append_span(work->job->out, bytes, work->err);
    }
    if (rc == ERR_OK) {
        end(work, at);
    }
    return rc;
}

enum err_code answer_subject(struct work *work, const struct subject *subject)
{
    enum err_code rc = answer_request(work, subject == NULL ? NULL : &subject->request);

    return rc == ERR_OK ? answer_policy(work, subject == NULL ? NULL : &subject->policy) : rc;
}

void answer_open(const struct job *job, struct unpack *ret_cursor)
{
    unpack_init(ret_cursor, buf_span(job->out));
}

bool answer_more(const struct unpack *cursor)
{
    return cursor->left > 0;
}

bool answer_next(struct unpack *cursor, struct span *ret_bytes)
{
    if (unpack_u8(cursor) == 0) {
        return false;
    }
    *ret_bytes = unpack_bytes(cursor, unpack_u32(cursor));
    ASSERT(unpack_ok(cursor));
    return true;
}

/* These bytes were encoded by this process a moment ago, so they decode. */
bool answer_next_request(struct unpack *cursor, struct request *ret_request)
{
    struct span bytes;

    if (!answer_next(cursor, &bytes)) {
        return false;
    }
    ASSERT(codec_request_decode(bytes, ret_request, NULL) == ERR_OK);
    return true;
}

bool answer_next_policy(struct unpack *cursor, struct policy *ret_policy)
{
    struct span bytes;

    if (!answer_next(cursor, &bytes)) {
        return false;
    }
    ASSERT(codec_policy_decode(bytes, ret_policy, NULL) == ERR_OK);
    return true;
}

bool answer_next_row(struct unpack *cursor, struct outbox_row *ret_row)
{
    struct span bytes;

    if (!answer_next(cursor, &bytes)) {
        return false;
    }
    ASSERT(codec_row_decode(bytes, ret_row, NULL) == ERR_OK);
    return true;
}

enum err_code refusal_code(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_NONE:
        return ERR_OK;
    case REFUSAL_UNKNOWN_REQUEST:
    case REFUSAL_UNKNOWN_POLICY:
        return ERR_NOT_FOUND;
    case REFUSAL_NOT_APPROVER:
    case REFUSAL_SELF_APPROVAL:
    case REFUSAL_GUEST:
    case REFUSAL_BOT:
    case REFUSAL_DEACTIVATED:
    case REFUSAL_FOREIGN:
    case REFUSAL_NOT_ASKER:
    case REFUSAL_SCOPE:
    case REFUSAL_FACTS_UNKNOWN:
    case REFUSAL_NOT_ASKABLE:
    case REFUSAL_SAME_GROUP:
    case REFUSAL_STEP_UP:
    case REFUSAL_CODE:
    case REFUSAL_NO_GLASS:
    case REFUSAL_GLASS_OWN:
        return ERR_DENIED;
    case REFUSAL_GLASS_REASON:
        return ERR_INVALID;
    case REFUSAL_ALREADY_DECIDED:
    case REFUSAL_ENDED:
    case REFUSAL_NOT_NEEDED:
    case REFUSAL_NOT_APPROVED:
    case REFUSAL_WRONG_HASH:
    case REFUSAL_CLAIMED:
    case REFUSAL_NOT_CLAIMED:
    case REFUSAL_POLICY_DELETED:
    case REFUSAL_KEY_REUSED:
    case REFUSAL_CONSUMED:
    case REFUSAL_ENOUGH:
    case REFUSAL_STOOD_IN:
    case REFUSAL_POLICY_CHANGED:
    case REFUSAL_APPROVER_GONE:
    case REFUSAL_CLOSED:
    case REFUSAL_FROZEN:
        return ERR_CONFLICT;
    case REFUSAL_EXPIRED:
    case REFUSAL_LAPSED:
        return ERR_EXPIRED;
    case REFUSAL_TOO_MANY:
        return ERR_FULL;
    case REFUSAL_APPROVER_UNKNOWN:
        return ERR_UNAVAILABLE;
    }
    return ERR_DENIED;
}

void request_job_answer(struct job *job, enum err_code rc, const struct err *err)
{
    struct request_job *request_job = (struct request_job *)job;
    struct service_answer answer = {
        .refusal = job->refusal, .replayed = job->replayed, .deferred = job->deferred};
    struct err refused = ERR_INIT;
    char sentence[GATE_SENTENCE_SIZE];
    struct request request;
    struct policy policy;
    struct unpack cursor;

    if (rc != ERR_OK) {
        answer.refusal = REFUSAL_NONE;
        request_job->done(job->arg, rc, err, &answer);
        return;
    }
    answer_open(job, &cursor);
    answer.request = answer_next_request(&cursor, &request) ? &request : NULL;
    answer.policy = answer_next_policy(&cursor, &policy) ? &policy : NULL;
    rc = refusal_code(job->refusal);
    if (rc != ERR_OK) {
        struct request_hold hold = {.until_ms = job->hold_until_ms};

        gate_sentence(job->refusal, answer.request == NULL ? &hold : &answer.request->hold,
                      sentence);
        (void)err_set(&refused, rc, "%s", sentence);
        err = &refused;
    }
    request_job->done(job->arg, rc, err, &answer);
}

void done_job_answer(struct job *job, enum err_code rc, const struct err *err)
{
    struct done_job *done_job = (struct done_job *)job;

    if (done_job->done != NULL) {
        done_job->done(job->arg, rc, err);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h: records on their way back to the loop: the writer appends copies to the job's out
 * (work.h), the loop reads them here in the same order. A record is a u8 (1: present) and, when
 * present, a u32 size and its stored form. */
#ifndef APPROVALD_SERVICE_ANSWER_H
#define APPROVALD_SERVICE_ANSWER_H

#include "approvald/service/work.h"
#include "base/pack.h"

/* At the first record of the job's out. */
void answer_open(const struct job *job, struct unpack *ret_cursor);
/* True when there is one more byte. */
bool answer_more(const struct unpack *cursor);
/* False: the record is absent. Spans borrow from the job's out. */
bool answer_next_request(struct unpack *cursor, struct request *ret_request);
bool answer_next_policy(struct unpack *cursor, struct policy *ret_policy);
bool answer_next_row(struct unpack *cursor, struct outbox_row *ret_row);
/* The bytes of any record; false: absent. */
bool answer_next(struct unpack *cursor, struct span *ret_bytes);
/* On the writer: false when the longest record might not fit any more: the page ends here. */
bool answer_has_room(const struct work *work);
/* On the writer: any bytes as a record. */
enum err_code answer_bytes(struct work *work, struct span bytes) WARN_UNUSED;

/* The code that stands for a refusal. */
enum err_code refusal_code(enum refusal refusal);

/* A use case that answers about one request. */
struct request_job {
    struct job job;
    service_request_fn *done;
};
/* The job_answer_fn of such a use case: its out holds answer_subject's records. */
void request_job_answer(struct job *job, enum err_code rc, const struct err *err);

/* A use case that only says whether it happened; done may be NULL. */
struct done_job {
    struct job job;
    service_done_fn *done;
};
void done_job_answer(struct job *job, enum err_code rc, const struct err *err);

#endif

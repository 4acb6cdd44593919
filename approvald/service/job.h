/* SPDX-License-Identifier: Apache-2.0 */
/* job.h: the one hand-over between the loop and storage's writer thread.
 *
 * A use case is a struct that begins with struct job, in a block of the service's pool. The loop
 * fills its inputs (job_keep copies what spans point to) and submits it; run executes on the
 * writer thread and leaves its answer in out and in the plain fields; answer executes on the loop
 * after the commit. Between submit and answer only the writer touches the block. */
#ifndef APPROVALD_SERVICE_JOB_H
#define APPROVALD_SERVICE_JOB_H

#include "approvald/service/glass.h"
#include "approvald/service/service.h"

struct buf;
struct job;
struct work;

/* The largest use case: a decision with all its facts. */
#define JOB_BLOCK_SIZE 4096

/* What the loop shows of the writer's counters; a copy travels back with each job. */
struct counts {
    uint64_t stored;
    uint64_t pending;
    uint64_t owed; /* live rows */
    uint64_t dead;
    uint64_t inbox_depth;
    uint64_t inbox_seq; /* of the newest entry */
    uint64_t token_seq; /* of the newest token */
};

/* On the writer thread. Any code but ERR_OK undoes all changes and reaches answer. */
typedef enum err_code job_run_fn(struct work *work);
/* On the loop, exactly once. */
typedef void job_answer_fn(struct job *job, enum err_code rc, const struct err *err);

struct job {
    struct service *service;
    job_run_fn *run;
    job_answer_fn *answer;
    void *arg;         /* the caller's */
    void *inputs;      /* owned: copies of what the caller's spans pointed to */
    struct buf *out;   /* owned: bytes of the answer, kept with the block */
    bool reads;        /* changes nothing */
    bool reclaims;     /* gives room back: goes on when the store is full */
    bool recovers;     /* the one job that sets the counts from the store */
    struct err refuse; /* set on the loop: bad input, answered in its turn and not evaluated */
    /* Set by run. */
    enum refusal refusal;
    bool replayed;
    bool deferred;
    bool changed; /* tell the listeners about id */
    bool doubts;  /* a message was out of date: there may be more of them */
    struct request_id id;
    uint64_t deadline_ms; /* the earliest new one, or UINT64_MAX */
    uint64_t begun_us;    /* when it was submitted; clock_precise_us */
    struct counts counts; /* after the job */
    struct glass_seen glass;
    uint64_t hold_until_ms; /* of a refusal that has a time and no request */
    uint64_t audit_seq;
    struct job *next; /* in the pool */
};

/* A zeroed block, size bytes of it in use. ERR_FULL, ERR_NOMEM. */
enum err_code job_new(struct service *service,
                      size_t size,
                      job_run_fn *run,
                      job_answer_fn *answer,
                      struct job **ret_job,
                      struct err *err) WARN_UNUSED;
void job_free(struct job *job);
/* Copies the bytes of up to JOB_KEEP_COUNT_MAX spans and points them at the copies. Once a job. */
#define JOB_KEEP_COUNT_MAX 192
enum err_code
job_keep(struct job *job, struct span *const *spans, size_t count, struct err *err) WARN_UNUSED;
/* Takes the job in any case; on an error it is freed and there will be no answer. */
enum err_code job_submit_take(struct job *job, struct err *err) WARN_UNUSED;
/* Both: job_keep, unless the job is refused already, and job_submit_take. */
enum err_code job_send_take(struct job *job,
                            struct span *const *spans,
                            size_t count,
                            struct err *err) WARN_UNUSED;
/* Frees the pool. */
void job_pool_done(struct service *service);

#endif

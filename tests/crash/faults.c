/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c: the storage when a call fails: every allocation, every file call (LMDB's as well),
 * every sync; each once and from then on for ever.
 * Owns one scripted session, which is run again and again with the n-th call failing, until n is
 * past its end. After each run: every job that was answered with success is there after reopening,
 * no job is there in part, nothing was answered with success after a failed sync, and a failed
 * storage says so. Never needs luck: the script is the same each time, the n-th call nearly so
 * (three threads).
 */
#include "base/assert.h"
#include "base/mem.h"
#include "tests/crash/power_work.h"
#include "tests/lib/io_tap.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SESSION_JOB_COUNT 60U
#define CALLS_MAX         100000U

struct session {
    struct fault *fault;
    struct storage *storage;
    uint64_t succeeded; /* the last job answered with success */
    uint64_t started;
    bool unknown; /* a job's fate is: nothing may be built on it */
    const char *problem;
};

struct session_job {
    struct work_job job;
    struct kit_job kit;
    struct session *session;
};

static void job_done(void *arg, enum err_code rc, const struct err *err)
{
    struct session_job *job = arg;
    struct session *session = job->session;

    kit_done(&job->kit, rc, err);
    if (rc == ERR_OK) {
        session->succeeded = job->job.number;
    }
    session->unknown = session->unknown || rc == ERR_UNKNOWN_FATE;
    if (rc == ERR_OK && session->unknown) {
        session->problem = "a success after an unknown fate";
    }
    if (rc != ERR_OK && rc != ERR_UNKNOWN_FATE &&
        !(rc == ERR_CONFLICT && work_fails(job->job.number))) {
        session->problem = "an answer that no job gives";
    }
}

/* Jobs one by one and in small heaps, with a reopening in the middle. False: the storage is gone.
 */
static bool run_jobs(struct session *session, uint64_t first, uint64_t last)
{
    static struct session_job jobs[SESSION_JOB_COUNT + 1];
    struct err err = ERR_INIT;

    for (uint64_t number = first; number <= last; number++) {
        struct session_job *job = &jobs[number];
        enum err_code rc;

        *job = (struct session_job){.job = {.number = number}, .session = session};
        rc = storage_write(session->storage, work_run, job_done, job, &err);
        if (rc != ERR_OK) {
            struct storage_status status;

            storage_status(session->storage, &status);
            session->problem = status.failed && status.failure.message[0] != '\0'
                                   ? session->problem
                                   : "refused without having failed";
            return false;
        }
        session->started = number;
        if (number % 3 == 0 && !kit_wait(session->storage, &job->kit, 30000)) {
            session->problem = "a job was never answered";
            return false;
        }
    }
    return !session->unknown;
}

static bool open_session(struct session *session, const char *dir)
{
    struct storage_options options = kit_options(dir);
    struct err err = ERR_INIT;

    options.checkpoint_ms = 2;
    session->storage = NULL;
    return storage_open(&options, &session->storage, &err) == ERR_OK;
}

static void run_session(struct session *session, const char *dir)
{
    if (open_session(session, dir) && run_jobs(session, 1, SESSION_JOB_COUNT / 2)) {
        storage_close(session->storage);
        session->storage = NULL;
        if (!session->unknown && open_session(session, dir)) {
            (void)run_jobs(session, SESSION_JOB_COUNT / 2 + 1, SESSION_JOB_COUNT);
        }
    }
    storage_close(session->storage);
    session->storage = NULL;
}

/* Without faults: what must be there is there. */
static void check_session(struct session *session, const char *dir)
{
    uint64_t last = 0;
    const char *reason = NULL;

    if (!open_session(session, dir)) {
        session->problem = "does not open again";
        return;
    }
    if (!work_check(session->storage, &last, &reason)) {
        session->problem = reason;
    } else if (last < session->succeeded) {
        session->problem = "a job that was answered with success is lost";
    } else if (last > session->started) {
        session->problem = "a job that was never started is there";
    }
    storage_close(session->storage);
}

static int refuse_memory(void *arg)
{
    return fault_hit(arg);
}

enum target { TARGET_MEMORY, TARGET_FILES, TARGET_SYNCS };

static void arm(enum target target, struct fault *fault)
{
    switch (target) {
    case TARGET_MEMORY:
        mem_set_refuse(refuse_memory, fault);
        break;
    case TARGET_FILES:
        tap_fail(fault, ENOSPC);
        break;
    case TARGET_SYNCS:
        tap_fail_syncs(fault, EIO);
        break;
    }
}

static void disarm(void)
{
    mem_set_refuse(NULL, NULL);
    tap_fail(NULL, 0);
}

/* Returns false when something was wrong; *ret_happened: the n-th call existed. */
static bool run_once(enum target target, uint64_t n, uint64_t times, bool *ret_happened)
{
    struct fault fault;
    struct scratch scratch;
    struct session session = {.fault = &fault};

    scratch_init(&scratch);
    tap_watch(scratch.path);
    fault_set(&fault, n, times);
    arm(target, &fault);
    run_session(&session, scratch.path);
    disarm();
    *ret_happened = fault_happened(&fault);
    if (session.problem == NULL) {
        check_session(&session, scratch.path);
    }
    tap_watch("");
    scratch_done(&scratch);
    if (session.problem != NULL) {
        (void)printf("target %d, call %" PRIu64 ", %s: %s\n", (int)target, n,
                     times == 1 ? "once" : "for ever", session.problem);
    }
    return session.problem == NULL;
}

static bool run_target(enum target target, const char *name, uint64_t times)
{
    bool happened = true;
    bool good = true;
    uint64_t n = 0;

    for (; happened && n < CALLS_MAX; n++) {
        good = run_once(target, n, times, &happened) && good;
    }
    (void)printf("%s, %s: %" PRIu64 " runs, %s\n", name,
                 times == 1 ? "one call fails" : "all calls fail from one on", n,
                 good ? "all held" : "FAILED");
    return good && n > 5;
}

int main(void)
{
    static const uint64_t times[] = {1, FAULT_FOREVER};
    bool good = true;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        good = run_target(TARGET_MEMORY, "allocations", times[i]) && good;
        good = run_target(TARGET_FILES, "file calls", times[i]) && good;
        good = run_target(TARGET_SYNCS, "syncs", times[i]) && good;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

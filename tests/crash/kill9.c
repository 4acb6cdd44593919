/* SPDX-License-Identifier: Apache-2.0 */
/* kill9.c: the storage when its process is killed under load.
 * A child works and writes the number of each answered job to a pipe; the parent kills it at a
 * random moment, opens the store itself and compares; fifty times on the same store.
 * Owns the child. Never closes the store in the child: every start but the first is a recovery. */
#include "base/assert.h"
#include "tests/crash/power_model.h"
#include "tests/crash/power_work.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CYCLE_COUNT         50U
#define OUTSTANDING_MAX     64UL
#define FIRST_ANSWER_MS_MAX 60000 /* under a sanitizer on a busy machine: seconds */

struct child_job {
    struct work_job job;
    int pipe;
    uint32_t *outstanding;
};

static struct storage *open_store(const char *dir)
{
    struct storage_options options = kit_options(dir);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;

    options.checkpoint_ms = 10;
    if (storage_open(&options, &storage, &err) != ERR_OK) {
        (void)printf("FAILED: %s\n", err.message);
    }
    return storage;
}

static void job_done(void *arg, enum err_code rc, const struct err *err)
{
    struct child_job *job = arg;

    (void)err;
    --*job->outstanding;
    if (rc == ERR_OK) {
        ASSERT(write(job->pipe, &job->job.number, sizeof job->job.number) ==
               (ssize_t)sizeof job->job.number);
    }
}

__attribute__((noreturn)) static void child(const char *dir, uint64_t first, int pipe)
{
    static struct child_job jobs[OUTSTANDING_MAX * 2];
    struct storage *storage = open_store(dir);
    uint32_t outstanding = 0;
    struct err err = ERR_INIT;

    ASSERT(storage != NULL);
    for (uint64_t number = first;; number++) {
        struct child_job *job = &jobs[number % (OUTSTANDING_MAX * 2)];
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        *job = (struct child_job){
            .job = {.number = number}, .pipe = pipe, .outstanding = &outstanding};
        ASSERT(storage_write(storage, work_run, job_done, job, &err) == ERR_OK);
        outstanding++;
        while (outstanding >= OUTSTANDING_MAX) {
            (void)poll(&ready, 1, 100); /* a timeout is looked at by the loop */
            storage_dispatch(storage);
        }
    }
}

/* Kills a child after a while; returns the last job that it reported. An early death may come
 * before the store is open; a late one waits for the first answer, however slow the machine is. */
static uint64_t kill_child(const char *dir, uint64_t first, bool early, uint64_t *seed)
{
    struct timespec life = {.tv_nsec = (long)(power_mix(seed) % 60000000)};
    uint64_t number;
    uint64_t last = 0;
    int ends[2];
    pid_t pid;

    ASSERT(pipe(ends) == 0);
    (void)fflush(stdout);
    pid = fork();
    ASSERT(pid >= 0);
    if (pid == 0) {
        (void)close(ends[0]);
        child(dir, first, ends[1]);
    }
    (void)close(ends[1]);
    if (!early) {
        struct pollfd answered = {.fd = ends[0], .events = POLLIN};

        ASSERT(poll(&answered, 1, FIRST_ANSWER_MS_MAX) == 1);
    }
    (void)nanosleep(&life, NULL); /* any length will do */
    ASSERT(kill(pid, SIGKILL) == 0);
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number) {
        last = number;
    }
    (void)close(ends[0]);
    ASSERT(waitpid(pid, NULL, 0) == pid);
    return last;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    uint64_t last = 0;
    uint64_t failed = 0;
    struct scratch scratch;

    (void)printf("kill -9: seed %" PRIu64 "\n", seed);
    scratch_init(&scratch);
    for (uint32_t i = 0; i < CYCLE_COUNT; i++) {
        uint64_t reported = kill_child(scratch.path, last + 1, i % 4 == 3, &seed);
        struct storage *storage = open_store(scratch.path);
        const char *reason = NULL;
        uint64_t before = last;

        if (storage == NULL || !work_check(storage, &last, &reason) || last < reported ||
            last < before) {
            (void)printf("FAILED in cycle %" PRIu32 ": job %" PRIu64 " reported, %" PRIu64
                         " there: %s\n",
                         i, reported, last, reason == NULL ? "lost" : reason);
            failed++;
        }
        storage_close(storage);
    }
    (void)printf("%u cycles, %" PRIu64 " jobs, %" PRIu64 " failed\n", CYCLE_COUNT, last, failed);
    scratch_done(&scratch);
    return failed == 0 && last > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

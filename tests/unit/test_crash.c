/* SPDX-License-Identifier: Apache-2.0 */
/* test_crash.c: proves base/crash: whatever ends a process, a whole report is left, and nothing of
 * its memory. Owns children that crash. Never crashes itself. */
#include "base/crash.h"
#include "base/thread.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "xoxb-planted-secret"

struct last {
    struct scratch scratch;
    char report[2 * CRASH_SIZE_MAX];
    int status;
};

/* Optimizers know what happens here, and would rather not. */
static volatile int *volatile nowhere = NULL;
static volatile uint64_t depth;

/* Sanitizers would report it themselves, and end the child in their way. */
#if defined(__clang__) || defined(__GNUC__)
#define RAW __attribute__((no_sanitize("undefined", "address", "thread"), noinline))
#endif

RAW static void fault(void)
{
    *nowhere = 1;
}

static void stop_itself(void)
{
    abort();
}

/* NOLINTNEXTLINE(misc-no-recursion): without a recursion no stack overflows */
RAW static void overflow(void)
{
    volatile char much[4096];

    much[17] = 1;
    depth += (uint64_t)much[17];
    if (depth < UINT64_MAX / 2) {
        overflow();
    }
    depth += (uint64_t)much[17];
}

static void *run_fault(void *arg)
{
    fault();
    return arg;
}

static void fault_in_a_thread(void)
{
    pthread_t threads[4];

    for (size_t i = 0; i < 4; i++) {
        (void)thread_start(&threads[i], run_fault, NULL); /* as all threads of ours */
    }
    for (;;) {
        (void)pause();
    }
}

/* The chain of frames leads nowhere. */
RAW static void smash(void)
{
    void **frame = __builtin_frame_address(0);

    frame[0] = (void *)(uintptr_t)0x4141414141414141;
    frame[1] = (void *)(uintptr_t)0x4242424242424242;
    fault();
}

/* In the child. */
static void crash(const char *dir, void (*how)(void))
{
    struct crash_found found;
    struct err err = ERR_INIT;
    char secret[] = SECRET; /* on the stack, in reach of whoever dumps it */
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)dup2(null, STDERR_FILENO);
    crash_no_core();
    crash_init("sample");
    crash_note(CRASH_NOTE_ROLE, "tested");
    if (crash_open(dir, &found, &err) == ERR_OK) {
        how();
    }
    _exit(secret[0] == 'x' ? 1 : 2);
}

static void crash_so(struct last *last, void (*how)(void))
{
    char path[256];
    ssize_t size;
    pid_t pid;
    int fd;

    scratch_init(&last->scratch);
    pid = fork();
    if (pid == 0) {
        crash(last->scratch.path, how);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &last->status, 0), pid);
    scratch_file(&last->scratch, "crash.now", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, last->report, sizeof last->report - 1);
    (void)close(fd); /* only read */
    CU_ASSERT_FATAL(size > 0);
    last->report[size] = '\0';
    CU_ASSERT_PTR_NULL(strstr(last->report, "planted"));
    CU_ASSERT_EQUAL(strncmp(last->report, "crash-report 1\nprogram sample ", 30), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(last->report, "\nrole tested\n"));
    CU_ASSERT(WIFSIGNALED(last->status));
    CU_ASSERT_FALSE(WCOREDUMP(last->status));
}

static bool is_whole(const struct last *last)
{
    size_t size = strlen(last->report);

    return size > 4 && strcmp(last->report + size - 4, "end\n") == 0 &&
           strstr(last->report, "\nframe sample+0x") != NULL;
}

static void a_fault_has_its_address_and_place(void)
{
    struct last last;

    crash_so(&last, fault);
    CU_ASSERT_EQUAL(WTERMSIG(last.status), SIGSEGV);
    CU_ASSERT_TRUE(is_whole(&last));
    CU_ASSERT_PTR_NOT_NULL(strstr(last.report, "\nsignal SIGSEGV\ncode 1\naddress 0x0\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(last.report, "\nat sample+0x"));
    scratch_done(&last.scratch);
}

static void an_abort_has_its_callers(void)
{
    struct last last;

    crash_so(&last, stop_itself);
    CU_ASSERT_EQUAL(WTERMSIG(last.status), SIGABRT);
    CU_ASSERT_TRUE(is_whole(&last));
    CU_ASSERT_PTR_NULL(strstr(last.report, "\naddress ")); /* who sent it would stand there */
    scratch_done(&last.scratch);
}

static void a_stack_that_overflows_is_reported(void)
{
    struct last last;

    crash_so(&last, overflow);
    CU_ASSERT_EQUAL(WTERMSIG(last.status), SIGSEGV);
    CU_ASSERT_TRUE(is_whole(&last));
    CU_ASSERT(strlen(last.report) <= CRASH_SIZE_MAX);
    scratch_done(&last.scratch);
}

/* One report, however many threads fault at once. */
static void threads_that_fault_together_leave_one(void)
{
    struct last last;

    crash_so(&last, fault_in_a_thread);
    CU_ASSERT_EQUAL(WTERMSIG(last.status), SIGSEGV);
    CU_ASSERT_TRUE(is_whole(&last));
    CU_ASSERT_PTR_NULL(strstr(last.report + 1, "crash-report 1\n"));
    scratch_done(&last.scratch);
}

static void a_damaged_stack_still_ends_with_a_head(void)
{
    struct last last;

    crash_so(&last, smash);
    CU_ASSERT_EQUAL(WTERMSIG(last.status), SIGSEGV);
    CU_ASSERT_PTR_NOT_NULL(strstr(last.report, "\nat sample+0x"));
    scratch_done(&last.scratch);
}

static void a_directory_that_is_not_there_is_an_error(void)
{
    struct crash_found found = {.count = 7};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(crash_open("/tmp/crash-is-not-there", &found, &err), ERR_IO);
    CU_ASSERT_EQUAL(found.count, 7);
    CU_ASSERT_EQUAL(crash_age_s(&(struct crash_found){.newest_s = 0}), 0);
    CU_ASSERT_EQUAL(crash_age_s(&(struct crash_found){.newest_s = UINT64_MAX}), 1);
    CU_ASSERT(crash_age_s(&(struct crash_found){.newest_s = 1}) > 1000000000);
}

UNIT_MAIN("crash",
          {"a fault has its address and place", a_fault_has_its_address_and_place},
          {"an abort has its callers", an_abort_has_its_callers},
          {"a stack that overflows is reported", a_stack_that_overflows_is_reported},
          {"threads that fault together leave one", threads_that_fault_together_leave_one},
          {"a damaged stack still ends with a head", a_damaged_stack_still_ends_with_a_head},
          {"a directory that is not there is an error", a_directory_that_is_not_there_is_an_error})

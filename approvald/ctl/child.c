/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: runs a command to its end.
 * Owns the child process and, meanwhile, the signal handlers; never starts a second one, never
 * starts a shell. The handler only calls kill, which is safe there. */
#include "approvald/ctl/child.h"

#include "base/assert.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED_COUNT (sizeof forwarded / sizeof forwarded[0])
static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
#define CAUGHT_COUNT (sizeof caught / sizeof caught[0])

/* A handler gets no argument of ours: the one process id is the exception to "no globals". */
static volatile sig_atomic_t child_pid;

static void forward(int number, siginfo_t *info, void *context)
{
    int kept = errno;

    (void)context;
    if (child_pid > 0 && info->si_code != SI_KERNEL) {
        (void)kill((pid_t)child_pid, number); /* it may have ended already */
    }
    errno = kept;
}

/* What the caller's caller ignores (nohup) stays ignored. */
static void set_unless_ignored(int number, const struct sigaction *action)
{
    struct sigaction now;

    ASSERT(sigaction(number, NULL, &now) == 0);
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_IGN) {
        ASSERT(sigaction(number, action, NULL) == 0);
    }
}

void child_catch(void (*note)(int))
{
    struct sigaction action = {.sa_handler = note == NULL ? SIG_DFL : note};

    /* The second signal ends us: SA_RESETHAND. */
    action.sa_flags = (int)SA_RESETHAND;
    for (size_t i = 0; i < CAUGHT_COUNT; i++) {
        set_unless_ignored(caught[i], &action);
    }
}

/* In the child: returns only by ending it, with errno written where the parent reads it. */
__attribute__((noreturn)) static void
become(int directory_fd, char **argv, int report_fd, const sigset_t *mask)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    int number;

    for (size_t i = 0; i < FORWARDED_COUNT; i++) {
        set_unless_ignored(forwarded[i], &plain);
    }
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    if (fchdir(directory_fd) == 0) {
        (void)execvp(argv[0], argv);
    }
    number = errno;
    (void)!write(report_fd, &number, sizeof number); /* then the parent sees an end without word */
    _exit(CHILD_NOT_FOUND);
}

static void handle_signals(const struct sigaction *action)
{
    for (size_t i = 0; i < FORWARDED_COUNT; i++) {
        set_unless_ignored(forwarded[i], action);
    }
}

static int32_t code_of(int status)
{
    return WIFSIGNALED(status) ? CHILD_SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for the end; number is the errno with which exec failed, or 0. */
static enum err_code
reap(pid_t pid, int number, const char *name, int32_t *ret_code, struct err *err)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "wait for %s", name);
        }
    }
    child_pid = 0;
    *ret_code = code_of(status);
    if (number != 0) {
        *ret_code = number == ENOENT ? CHILD_NOT_FOUND : CHILD_NOT_EXECUTABLE;
        (void)err_set_errno(err, ERR_IO, number, "%s", name); /* for the caller to print */
    }
    return ERR_OK;
}

static enum err_code
start(int directory_fd, char **argv, const int pipe_fds[2], int32_t *ret_code, struct err *err)
{
    sigset_t all;
    sigset_t before;
    int number = 0;
    pid_t pid;

    (void)sigfillset(&all);
    ASSERT(sigprocmask(SIG_SETMASK, &all, &before) == 0);
    pid = fork();
    if (pid == 0) {
        become(directory_fd, argv, pipe_fds[1], &before);
    }
    child_pid = pid > 0 ? pid : 0;
    ASSERT(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
    (void)close(pipe_fds[1]); /* ours: end of file then means that exec worked */
    if (pid < 0) {
        return err_set_errno(err, ERR_IO, errno, "start %s", argv[0]);
    }
    while (read(pipe_fds[0], &number, sizeof number) < 0 && errno == EINTR) {
    }
    return reap(pid, number, argv[0], ret_code, err);
}

enum err_code child_run(int directory_fd, char **argv, int32_t *ret_code, struct err *err)
{
    struct sigaction passing = {.sa_sigaction = forward};
    struct sigaction plain = {.sa_handler = SIG_DFL};
    int pipe_fds[2];
    enum err_code rc;

    ASSERT(argv[0] != NULL);
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    passing.sa_flags = SA_SIGINFO | SA_RESTART;
    handle_signals(&passing);
    rc = start(directory_fd, argv, pipe_fds, ret_code, err);
    handle_signals(&plain);
    (void)close(pipe_fds[0]); /* only read */
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* notify_run.c: runs the admin's command for one notice.
 * Owns the child and its group until it has ended; never starts a shell, never puts text of people
 * on a command line or into the environment. */
#include "approvald/ctl/notify_run.h"

#include "base/assert.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 20 /* between two looks whether it has ended */

static char path_word[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char locale_word[] = "LC_ALL=C.UTF-8";

/* In the child: returns only by ending it. */
__attribute__((noreturn)) static void become(char *const *argv, int input_fd)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    char *const environment[] = {path_word, locale_word, NULL};
    sigset_t none;

    (void)sigemptyset(&none);
    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &plain, NULL); /* KILL and STOP cannot be set */
    }
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0); /* the parent does the same: whoever comes first */
    if (dup2(input_fd, STDIN_FILENO) >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
        (void)execve(argv[0], argv, environment);
    }
    _exit(127);
}

/* A pipe that holds the input already; *ret_fd is its end for reading. */
static enum err_code make_input(struct span input, int *ret_fd, struct err *err)
{
    int fds[2];
    ssize_t written;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    written = input.size == 0 ? 0 : write(fds[1], input.data, input.size);
    (void)close(fds[1]); /* what was written is in the pipe */
    if (written < 0 || (size_t)written != input.size) {
        (void)close(fds[0]); /* only read */
        return err_set(err, ERR_IO, "the notice does not fit into a pipe");
    }
    *ret_fd = fds[0];
    return ERR_OK;
}

static enum err_code judge(int status, const char *name, struct err *err)
{
    if (WIFSIGNALED(status)) {
        return err_set(err, ERR_FATAL, "%s: ended by signal %d", name, WTERMSIG(status));
    }
    if (WEXITSTATUS(status) == 127) {
        return err_set(err, ERR_FATAL, "%s: cannot be run (127)", name);
    }
    return WEXITSTATUS(status) == 0
               ? ERR_OK
               : err_set(err, ERR_FATAL, "%s: exit code %d", name, WEXITSTATUS(status));
}

static enum err_code reap(pid_t pid, const char *name, uint32_t timeout_ms, struct err *err)
{
    uint64_t end_ms = clock_boot_ms(clock_host()) + timeout_ms;
    bool killed = false;
    int status = 0;
    pid_t got;

    while ((got = waitpid(pid, &status, killed ? 0 : WNOHANG)) != pid) {
        if (got < 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "wait for %s", name);
        }
        if (!killed && clock_boot_ms(clock_host()) >= end_ms) {
            killed = true;
            (void)kill(-pid, SIGKILL); /* all that it has started and not put into the background */
        } else if (!killed) {
            (void)poll(NULL, 0, LOOK_MS); /* a signal may end it early: then we look earlier */
        }
    }
    return killed ? err_set(err, ERR_TIMEOUT, "%s: killed after %u s", name, timeout_ms / 1000)
                  : judge(status, name, err);
}

enum err_code notify_run(char *const *argv, struct span input, uint32_t timeout_ms, struct err *err)
{
    int input_fd = -1;
    enum err_code rc;
    pid_t pid;

    ASSERT(argv[0] != NULL);
    ASSERT(input.size <= NOTIFY_INPUT_MAX);
    rc = make_input(input, &input_fd, err);
    if (rc != ERR_OK) {
        return rc;
    }
    pid = fork();
    if (pid == 0) {
        become(argv, input_fd);
    }
    (void)close(input_fd); /* the child has its own */
    if (pid < 0) {
        return err_set_errno(err, ERR_IO, errno, "start %s", argv[0]);
    }
    (void)setpgid(pid, pid); /* fails when it is done already */
    return reap(pid, argv[0], timeout_ms, err);
}

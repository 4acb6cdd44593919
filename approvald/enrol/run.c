/* SPDX-License-Identifier: Apache-2.0 */
/* run.c: starts a program, reads what it prints, waits for its end.
 * Owns the child for that time. Never starts a shell, never hands a secret to anybody. */
#include "approvald/enrol/run.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int plan_files(posix_spawn_file_actions_t *actions, int output, bool errors)
{
    int failure = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (failure == 0 && output >= 0) {
        failure = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
    }
    if (failure == 0 && output >= 0 && errors) {
        failure = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
    }
    return failure;
}

static enum err_code
spawn(const char *const *argv, int output, bool errors, pid_t *ret_child, struct err *err)
{
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);

    if (failure != 0) {
        return err_set_errno(err, ERR_NOMEM, failure, "%s", argv[0]);
    }
    failure = plan_files(&actions, output, errors);
    if (failure == 0) {
        /* It takes an array of char *, which it does not change. */
        failure = posix_spawnp(ret_child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv,
                               environ);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failure == 0 ? ERR_OK
                        : err_set_errno(err, failure == ENOENT ? ERR_NOT_FOUND : ERR_IO, failure,
                                        "%s", argv[0]);
}

static enum err_code drain(int fd, struct buf *output, struct err *err)
{
    char bytes[4096];
    ssize_t size;

    while ((size = read(fd, bytes, sizeof bytes)) != 0) {
        if (size < 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "read");
        }
        if (size > 0 && buf_append(output, bytes, (size_t)size, err) != ERR_OK) {
            return err->code;
        }
    }
    return ERR_OK;
}

static void await(pid_t child, int *ret_code)
{
    int status = 0;
    pid_t ended;

    do {
        ended = waitpid(child, &status, 0);
    } while (ended < 0 && errno == EINTR);
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

enum err_code run_program(
    const char *const *argv, struct buf *output, bool errors, int *ret_code, struct err *err)
{
    int ends[2] = {-1, -1};
    pid_t child = 0;
    enum err_code rc;

    if (output != NULL && pipe2(ends, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    rc = spawn(argv, ends[1], errors, &child, err);
    if (output != NULL) {
        (void)close(ends[1]); /* ours, so that the end of the other is seen */
        rc = rc == ERR_OK ? drain(ends[0], output, err) : rc;
        (void)close(ends[0]); /* only read; a writer that is left gets SIGPIPE and ends */
    }
    if (child > 0) {
        await(child, ret_code);
    }
    return rc;
}

enum err_code run_systemctl(const char *verb, const char *option, const char *unit, struct err *err)
{
    const char *argv[5] = {"systemctl", verb};
    size_t count = 2;
    int code = 0;
    enum err_code rc;

    if (option != NULL) {
        argv[count++] = option;
    }
    if (unit != NULL) {
        argv[count++] = unit;
    }
    rc = run_program(argv, NULL, false, &code, err);
    if (rc == ERR_OK && code != 0) {
        rc =
            err_set(err, ERR_UNAVAILABLE, "systemctl %s %s failed", verb, unit == NULL ? "" : unit);
    }
    return rc;
}

bool run_has_systemd(void)
{
    struct stat info;

    return stat("/run/systemd/system", &info) == 0;
}

enum err_code run_need_keepalived(struct err *err)
{
    return !run_has_systemd() || access("/usr/sbin/keepalived", X_OK) == 0
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND,
                         "keepalived, which carries the virtual IP, is not installed here: apt "
                         "install keepalived, then again");
}

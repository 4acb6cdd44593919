/* SPDX-License-Identifier: Apache-2.0 */
/* program.c: the approvald program, asked about its own configuration.
 * Owns the choice of the program: --program, else the installed one. Never
 * starts a shell and never starts the daemon itself. */
#include "approvald/ctl/program.h"

#include "approvald/ctl/ctl.h"
#include "base/assert.h"
#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_ARGS_MAX 6

static const char *choose(const struct ctl *ctl, const char *usual)
{
    const char *given = options_text(&ctl->options, OPTION_PROGRAM);

    return given != NULL ? given : usual;
}

/* exec takes an array of char *, which it does not change. */
static void fill(const struct ctl *ctl,
                 const char *program,
                 const char *what,
                 const char *value,
                 const char *ret_argv[PROGRAM_ARGS_MAX])
{
    const char *file = options_text(&ctl->options, OPTION_CONFIG);
    size_t count = 0;

    ret_argv[count++] = program;
    if (file != NULL) {
        ret_argv[count++] = "--config";
        ret_argv[count++] = file;
    }
    ret_argv[count++] = what;
    if (value != NULL) {
        ret_argv[count++] = value;
    }
    ret_argv[count] = NULL;
    ASSERT(count < PROGRAM_ARGS_MAX);
}

static const struct err *become_program(const struct ctl *ctl,
                                        const char *program,
                                        const char *what,
                                        const char *value,
                                        struct err *err)
{
    const char *argv[PROGRAM_ARGS_MAX];

    fill(ctl, program, what, value, argv);
    (void)execv(program, (char *const *)(uintptr_t)argv);
    (void)err_set_errno(err, ERR_NOT_FOUND, errno, "%s", program); /* the caller prints it */
    return err;
}

const struct err *program_exec(const struct ctl *ctl, const char *what, struct err *err)
{
    return become_program(ctl, choose(ctl, PKGSBINDIR "/approvald"), what, NULL, err);
}

const struct err *
program_exec_with(const struct ctl *ctl, const char *what, const char *value, struct err *err)
{
    return become_program(ctl, choose(ctl, PKGSBINDIR "/approvald"), what, value, err);
}

const struct err *program_exec_supervisor(const struct ctl *ctl, const char *what, struct err *err)
{
    return become_program(ctl, choose(ctl, PKGSBINDIR "/approvald-supervisor"), what, NULL, err);
}

__attribute__((noreturn)) static void
become(const char *program, const char *const *argv, int output_fd)
{
    if (dup2(output_fd, STDOUT_FILENO) >= 0 && dup2(output_fd, STDERR_FILENO) >= 0) {
        (void)execvp(program, (char *const *)(uintptr_t)argv);
        perror(program);
    }
    _exit(127);
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

enum err_code
program_run(const char *const *argv, struct buf *output, int *ret_code, struct err *err)
{
    int pipe_fds[2];
    int status = 0;
    enum err_code rc;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    pid = fork();
    if (pid == 0) {
        become(argv[0], argv, pipe_fds[1]);
    }
    (void)close(pipe_fds[1]); /* ours, so that the end of the other is seen */
    rc = pid < 0 ? err_set_errno(err, ERR_IO, errno, "start %s", argv[0])
                 : drain(pipe_fds[0], output, err);
    (void)close(pipe_fds[0]); /* only read; a writer that is left gets SIGPIPE and ends */
    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return rc;
}

enum err_code program_write(const char *const *argv, int output_fd, int *ret_code, struct err *err)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (dup2(output_fd, STDOUT_FILENO) >= 0) {
            (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
            perror(argv[0]);
        }
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return err_set_errno(err, ERR_IO, errno, "start %s", argv[0]);
    }
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ERR_OK;
}

enum err_code program_capture(
    const struct ctl *ctl, const char *what, struct buf *output, int *ret_code, struct err *err)
{
    const char *argv[PROGRAM_ARGS_MAX];

    fill(ctl, choose(ctl, PKGSBINDIR "/approvald"), what, NULL, argv);
    return program_run(argv, output, ret_code, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: fork, exec, pidfd, leash.
 * Owns the moments between fork and exec, in which nothing but what signal-safety(7) allows is
 * called: everything is prepared before. Never decides when to start or to end: watch.c does.
 * The leash is a pipe whose other end is ours alone: when we end, however we do, the kernel closes
 * it, and sends the child SIGKILL in the child's own name. The signal of a parent's death
 * (PR_SET_PDEATHSIG) would be sent in ours, and we may not signal another user's process. */
#include "supervisor/child.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/mem.h"
#include "supervisor/contract.h"
#include "supervisor/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD_FIRST        3  /* SD_LISTEN_FDS_START */
#define FD_ASIDE        64 /* copies wait above everything that is placed */
#define VARIABLE_SIZE   64
#define NAMES_SIZE      (SUP_SOCKET_COUNT_MAX * 16)
#define ENVIRONMENT_MAX 256

static_assert(FD_FIRST + SUP_SOCKET_COUNT_MAX + 2 < FD_ASIDE, "copies are out of the way");

/* What the child needs, made before the fork. */
struct image {
    const struct child_options *options; /* borrowed */
    int leash;                           /* borrowed: the child's end */
    char listen_fds[VARIABLE_SIZE];
    char listen_pid[VARIABLE_SIZE]; /* the digits are written by the child */
    char listen_names[NAMES_SIZE + 16];
    char contract[VARIABLE_SIZE];
    char *environment[ENVIRONMENT_MAX]; /* borrowed from environ, and the texts above */
};

/* Ours alone: what concerns our own conversation with who started us, and who we are. */
static bool is_ours(const char *variable)
{
    static const char *const names[] = {"LISTEN_",
                                        "NOTIFY_SOCKET=",
                                        "WATCHDOG_",
                                        "MAINPID=",
                                        "FDSTORE=",
                                        "CONFIGURATION_DIRECTORY=",
                                        "HOME=",
                                        "USER=",
                                        "LOGNAME=",
                                        "SHELL=",
                                        "STATE_DIRECTORY=",
                                        CONTRACT_ENV};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strncmp(variable, names[i], strlen(names[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void prepare_names(struct image *image)
{
    const struct child_options *options = image->options;
    size_t used =
        (size_t)snprintf(image->listen_names, sizeof(image->listen_names), "LISTEN_FDNAMES=");

    for (size_t i = 0; i < options->socket_count; i++) {
        int size = snprintf(image->listen_names + used, sizeof(image->listen_names) - used, "%s%s",
                            i == 0 ? "" : ":", options->sockets[i].name);

        ASSERT(size > 0);
        used += (size_t)size;
        ASSERT(used < sizeof(image->listen_names)); /* names have at most 15 bytes */
    }
}

static enum err_code prepare(struct image *image, struct err *err)
{
    const struct child_options *options = image->options;
    size_t count = 0;

    for (char **at = environ; *at != NULL; at++) {
        if (is_ours(*at)) {
            continue;
        }
        if (count + 5 >= ENVIRONMENT_MAX) {
            return err_set(err, ERR_TOO_LARGE, "the environment has too many variables");
        }
        image->environment[count++] = *at;
    }
    if (options->socket_count > 0) {
        (void)snprintf(image->listen_fds, VARIABLE_SIZE, "LISTEN_FDS=%zu", options->socket_count);
        (void)snprintf(image->listen_pid, VARIABLE_SIZE, "LISTEN_PID=");
        prepare_names(image);
        image->environment[count++] = image->listen_fds;
        image->environment[count++] = image->listen_pid;
        image->environment[count++] = image->listen_names;
    }
    if (options->contract_fd >= 0) {
        (void)snprintf(image->contract, VARIABLE_SIZE, CONTRACT_ENV "=%zu",
                       FD_FIRST + options->socket_count);
        image->environment[count++] = image->contract;
    }
    image->environment[count] = NULL;
    return ERR_OK;
}

/* From here to the exec: in the child. */

static void append_number(char *text, uint64_t number)
{
    char digits[24];
    size_t count = 0;
    size_t at = strlen(text);

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) {
        text[at++] = digits[--count];
    }
    text[at] = '\0';
}

/* Sockets to 3, 4, …, the contract and the leash behind them, everything else closed. Copies go
 * aside first: a source may lie where another one belongs. */
static bool place_descriptors(const struct image *image, int *ret_leash)
{
    const struct child_options *options = image->options;
    int aside[SUP_SOCKET_COUNT_MAX + 2];
    int count = 0;
    int output = options->output_fd < 0 ? STDOUT_FILENO : options->output_fd;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0) {
        return false;
    }
    for (size_t i = 0; i < options->socket_count; i++) {
        aside[count++] = fcntl(options->sockets[i].fd, F_DUPFD_CLOEXEC, FD_ASIDE);
    }
    if (options->contract_fd >= 0) {
        aside[count++] = fcntl(options->contract_fd, F_DUPFD_CLOEXEC, FD_ASIDE);
    }
    aside[count++] = fcntl(image->leash, F_DUPFD_CLOEXEC, FD_ASIDE);
    *ret_leash = FD_FIRST + count - 1;
    for (int i = 0; i < count; i++) {
        if (aside[i] < 0 || dup2(aside[i], FD_FIRST + i) < 0) {
            return false;
        }
    }
    return close_range((unsigned)(FD_FIRST + count), ~0U, 0) == 0;
}

static bool drop_privileges(const struct child_user *user)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (user->change && (setgroups((size_t)user->group_count, user->groups) != 0 ||
                         setresgid(user->gid, user->gid, user->gid) != 0 ||
                         setresuid(user->uid, user->uid, user->uid) != 0)) {
        return false;
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* old kernels have none */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0;
}

/* The kernel's signal at the pipe's end is set to be the one that nobody can put off, and its
 * sender to be who we are now: the user is the child's already. What has ended before says so
 * itself. */
static bool put_on_leash(int leash)
{
    struct pollfd look = {.fd = leash};

    return fcntl(leash, F_SETSIG, SIGKILL) == 0 && fcntl(leash, F_SETOWN, getpid()) == 0 &&
           fcntl(leash, F_SETFL, O_ASYNC) == 0 && poll(&look, 1, 0) == 0;
}

/* What we lock is ours: the child, which reads foreign bytes, may not keep memory from the host. */
static void limit_locked(void)
{
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

    (void)setrlimit(RLIMIT_MEMLOCK, &none); /* lowering is always allowed */
}

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        (void)sigaction(number, &action, NULL); /* KILL, STOP and libc's own refuse: rightly */
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void become(struct image *image)
{
    int leash = -1;

    append_number(image->listen_pid, (uint64_t)getpid());
    (void)setsid(); /* fails for the head of a group alone: not a fresh child */
    if (place_descriptors(image, &leash) && drop_privileges(image->options->user) &&
        put_on_leash(leash)) {
        reset_signals();
        limit_locked();
        (void)execve(image->options->argv[0], image->options->argv, image->environment);
    }
    _exit(127);
}

/* Signals are held back over the fork, lest a handler of ours runs in the child. */
static pid_t fork_image(struct image *image)
{
    sigset_t all;
    sigset_t before;
    pid_t pid;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0) {
        become(image);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static enum err_code
fork_leashed(const struct child_options *options, int leash, pid_t *ret_pid, struct err *err)
{
    struct image *image = mem_new(1, sizeof(*image));
    enum err_code rc;

    if (image == NULL) {
        return err_set(err, ERR_NOMEM, "child");
    }
    image->options = options;
    image->leash = leash;
    rc = prepare(image, err);
    if (rc == ERR_OK) {
        *ret_pid = fork_image(image);
        rc = *ret_pid >= 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, errno, "fork");
    }
    mem_free(image);
    return rc;
}

enum err_code
child_start(const struct child_options *options, struct child *ret_child, struct err *err)
{
    AUTO_CLOSE int theirs = -1;
    enum err_code rc;
    int leash[2];
    pid_t pid = -1;
    int pidfd;

    ASSERT(options->socket_count <= SUP_SOCKET_COUNT_MAX);
    if (access(options->argv[0], X_OK) != 0) {
        return err_set_errno(err, ERR_NOT_FOUND, errno, "%s", options->argv[0]);
    }
    if (pipe2(leash, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "leash");
    }
    theirs = leash[0];
    rc = fork_leashed(options, theirs, &pid, err);
    if (rc != ERR_OK) {
        (void)close(leash[1]);
        return rc;
    }
    pidfd = pidfd_open(pid, 0); /* close-on-exec by itself; the pid is ours until it is reaped */
    if (pidfd < 0) {
        rc = err_set_errno(err, ERR_IO, errno, "pidfd");
        (void)close(leash[1]); /* kills it */
        (void)waitpid(pid, NULL, 0);
        return rc;
    }
    *ret_child =
        (struct child){.pid = pid, .pidfd = pidfd, .leash = leash[1], .uid = options->user->uid};
    return ERR_OK;
}

/* For this moment this thread, and no other (libc's call would change them all), has the user whose
 * processes it may signal. Its real user stays ours: nobody else can signal or trace us meanwhile.
 * Who cannot change has to end, and the child with it; who cannot change back, all the more. */
static void signal_as_its_user(const struct child *child, int number)
{
    uid_t own = geteuid();
    long changed = syscall(SYS_setresuid, -1, child->uid, -1);
    long back;

    ASSERT(changed == 0);
    (void)pidfd_send_signal(child->pidfd, number, NULL, 0);
    back = syscall(SYS_setresuid, -1, own, -1);
    ASSERT(back == 0);
    crash_no_core(); /* which the kernel has forgotten with the change */
}

void child_signal(const struct child *child, int number)
{
    ASSERT(child->pid > 0);
    if (pidfd_send_signal(child->pidfd, number, NULL, 0) != 0 && errno == EPERM) {
        signal_as_its_user(child, number);
    }
}

static void child_forget(struct child *child)
{
    (void)close(child->pidfd);
    (void)close(child->leash);
    *child = (struct child)CHILD_NONE;
}

bool child_reap(struct child *child, bool *ret_signalled, int32_t *ret_status)
{
    siginfo_t info = {.si_pid = 0};

    if (child->pid == 0 || waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0) {
        return false;
    }
    *ret_signalled = info.si_code != CLD_EXITED;
    *ret_status = info.si_status;
    child_forget(child);
    return true;
}

/* Reads to the end or the limit. */
static enum err_code read_all(int fd, uint32_t limit_ms, char *text, size_t size, struct err *err)
{
    uint64_t end_ms = clock_boot_ms(clock_host()) + limit_ms;
    size_t used = 0;

    while (used < size) {
        uint64_t now_ms = clock_boot_ms(clock_host());
        struct pollfd look = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (now_ms >= end_ms || poll(&look, 1, (int)(end_ms - now_ms)) == 0) {
            return err_set(err, ERR_TIMEOUT, "no answer within %u ms", (unsigned)limit_ms);
        }
        got = read(fd, text + used, size - used);
        if (got < 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "read");
        }
        if (got == 0) {
            text[used] = '\0';
            return ERR_OK;
        }
        used += got < 0 ? 0 : (size_t)got;
    }
    return err_set(err, ERR_TOO_LARGE, "the answer is too long");
}

/* Waits for the end, then kills, and waits again. False: it is still there. */
static bool finish(struct child *child, uint32_t limit_ms, bool *ret_signalled, int32_t *ret_status)
{
    struct pollfd look = {.fd = child->pidfd, .events = POLLIN};
    uint64_t end_ms;
    uint64_t now_ms;

    (void)poll(&look, 1, (int)limit_ms); /* however it goes, the end is the same */
    child_signal(child, SIGKILL);
    now_ms = clock_boot_ms(clock_host());
    end_ms = now_ms + SUP_CHILD_END_MS;
    while (!child_reap(child, ret_signalled, ret_status)) {
        if (now_ms >= end_ms) {
            return false;
        }
        (void)poll(&look, 1, (int)(end_ms - now_ms)); /* the clock says the rest */
        now_ms = clock_boot_ms(clock_host());
    }
    return true;
}

bool child_end(struct child *child)
{
    bool signalled;
    int32_t status;

    return child->pid == 0 || finish(child, 0, &signalled, &status);
}

enum err_code child_ask(char *const *argv,
                        const struct child_user *user,
                        uint32_t limit_ms,
                        char *text,
                        size_t size,
                        struct err *err)
{
    AUTO_CLOSE int ours = -1;
    struct child_options options = {.argv = argv, .user = user, .contract_fd = -1};
    struct child child = CHILD_NONE;
    bool signalled = false;
    int32_t status = 0;
    enum err_code rc;
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) != 0) {
        return err_set_errno(err, ERR_IO, errno, "pipe");
    }
    ours = pair[0];
    options.output_fd = pair[1];
    rc = child_start(&options, &child, err);
    (void)close(pair[1]); /* else there is no end of what is read */
    if (rc != ERR_OK) {
        return rc;
    }
    rc = read_all(ours, limit_ms, text, size, err);
    if (!finish(&child, rc == ERR_OK ? limit_ms : 0, &signalled, &status)) {
        child_forget(&child); /* killed: it ends when the kernel lets it */
        return err_set(err, ERR_TIMEOUT, "killed, and does not end");
    }
    if (rc == ERR_OK && (signalled || status != 0)) {
        return err_set(err, ERR_UNAVAILABLE, "ended with %s %d", signalled ? "signal" : "code",
                       (int)status);
    }
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c: one run of a foreign program.
 * Owns its process group, from the fork until all of it is gone, and its time limit.
 * Never gives it arguments, never judges its exit code, never tells a secret that it says. */
#include "supervisor/arbiter/agent.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_SIZE 2048U /* of its standard error, the last ones */

struct run {
    pid_t pid;
    int pidfd;  /* owned, as the others; -1: none */
    int input;  /* its standard input */
    int output; /* its standard error */
    int asker;  /* borrowed */
    bool cut;   /* more was said, before */
    size_t words_size;
    char words[WORDS_SIZE];
};

/* ---- In the child ---- */

static void become(const struct agent_device *device, int input, int output)
{
    static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                                        NULL};
    char *const arguments[] = {(char *)(uintptr_t)device->path, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    (void)sigemptyset(&none); /* none of these fails with these arguments */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (null >= 0 && dup2(input, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0 &&
        dup2(output, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0U, 0) == 0) {
        (void)execve(device->path, arguments, environment);
    }
    _exit(127);
}

/* ---- Beside it ---- */

static bool start(struct run *run, const struct agent_device *device)
{
    int input[2];
    int output[2];

    if (pipe2(input, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(output, O_CLOEXEC) != 0) {
        (void)close(input[0]); /* read or written nothing yet, as all below */
        (void)close(input[1]);
        return false;
    }
    run->pid = fork();
    if (run->pid == 0) {
        become(device, input[0], output[1]);
    }
    (void)close(input[0]);
    (void)close(output[1]);
    run->input = input[1];
    run->output = output[0];
    /* Ours alone: an agent writes to a pipe that blocks. */
    if (run->pid < 0 || fcntl(run->output, F_SETFL, O_NONBLOCK) != 0) {
        return false;
    }
    (void)setpgid(run->pid, run->pid); /* whoever is first */
    run->pidfd = pidfd_open(run->pid, 0);
    return run->pidfd >= 0;
}

static bool put(int fd, const char *text, size_t size)
{
    return write(fd, text, size) == (ssize_t)size || errno == EPIPE;
}

/* Fits into the pipe, which is empty (64 KiB). Who ends without having read is judged by his end.
 */
static bool tell(struct run *run, const struct agent_device *device, const char *action)
{
    char last[32];
    int size = snprintf(last, sizeof(last), "action=%s\n", action);
    bool good = fcntl(run->input, F_SETFL, O_NONBLOCK) == 0 &&
                put(run->input, device->input, device->size) && put(run->input, last, (size_t)size);

    (void)close(run->input);
    run->input = -1;
    return good;
}

/* Keeps the end of what it says. False: it has closed it. */
static bool hear(struct run *run)
{
    char piece[512];
    ssize_t size = read(run->output, piece, sizeof(piece));

    if (size <= 0) {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (run->words_size + (size_t)size > sizeof(run->words)) {
        size_t drop = run->words_size + (size_t)size - sizeof(run->words);

        memmove(run->words, run->words + drop, run->words_size - drop);
        run->words_size -= drop;
        run->cut = true;
    }
    memcpy(run->words + run->words_size, piece, (size_t)size);
    run->words_size += (size_t)size;
    return true;
}

static bool is_asker_gone(const struct pollfd *asker)
{
    char byte;

    return asker->revents != 0 && ((asker->revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ||
                                   recv(asker->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

/* Until it has ended. NULL, or why it is to be killed. */
static const char *wait_for(struct run *run, uint64_t until_ms)
{
    struct pollfd fds[] = {{.fd = run->pidfd, .events = POLLIN},
                           {.fd = run->output, .events = POLLIN},
                           {.fd = run->asker, .events = POLLIN | POLLRDHUP}};

    for (;;) {
        uint64_t now_ms = clock_boot_ms(clock_host());
        uint64_t left_ms = now_ms < until_ms ? until_ms - now_ms : 0;

        if (left_ms == 0) {
            return "no answer in time";
        }
        if (poll(fds, 3, left_ms > 1000 ? 1000 : (int)left_ms) < 0 && errno != EINTR) {
            return "cannot be waited for";
        }
        if (fds[1].revents != 0 && !hear(run)) {
            fds[1].fd = -1;
        }
        if (fds[0].revents != 0) {
            return NULL;
        }
        if (is_asker_gone(&fds[2])) {
            return "nobody asks any more";
        }
    }
}

/* Its group is killed while it is not yet reaped, so that the number is nobody else's. */
static void end(struct run *run, const char *why, struct agent_end *ret_end)
{
    siginfo_t info = {0};

    if (run->pidfd >= 0) {
        if (why != NULL) {
            (void)pidfd_send_signal(run->pidfd, SIGKILL, NULL, 0); /* it may just have ended */
        }
        (void)waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOWAIT);
    } else {
        (void)kill(run->pid, SIGKILL);
    }
    (void)kill(-run->pid, SIGKILL); /* nobody may be left */
    memset(&info, 0, sizeof(info));
    (void)waitid(P_PID, (id_t)run->pid, &info, WEXITED);
    ret_end->exited = why == NULL && info.si_code == CLD_EXITED;
    ret_end->code = info.si_status;
}

/* ---- Its last words ---- */

static void hide(struct run *run, const char *secret, size_t size)
{
    for (size_t at = 0; at + size <= run->words_size; at++) {
        if (memcmp(run->words + at, secret, size) == 0) {
            memset(run->words + at, '*', size);
        }
    }
}

static void redact(struct run *run, const struct agent_device *device)
{
    for (size_t i = 0; i < device->secret_count; i++) {
        hide(run, device->input + device->secrets[i].at, device->secrets[i].size);
    }
}

static char plain(char byte)
{
    unsigned char code = (unsigned char)byte;

    if (code >= 0x20 && code < 0x7f) {
        return byte;
    }
    return '?';
}

/* The last line that has something in it, from its end. */
static void last_words(const struct run *run, char text[AGENT_TEXT_SIZE])
{
    size_t to = run->words_size;
    size_t from;
    size_t used = 0;

    while (to > 0 && strchr("\r\n\t ", run->words[to - 1]) != NULL) {
        to--;
    }
    from = to;
    while (from > 0 && run->words[from - 1] != '\n') {
        from--;
    }
    if (from == 0 && run->cut) {
        to = from; /* it may begin with the end of a secret */
    }
    if (to - from >= AGENT_TEXT_SIZE) {
        to = from + AGENT_TEXT_SIZE - 1;
    }
    for (; from < to; from++) {
        text[used++] = plain(run->words[from]);
    }
    text[used] = '\0';
}

static void describe(struct run *run,
                     const struct agent_device *device,
                     const char *why,
                     struct agent_end *ret_end)
{
    while (why == NULL && run->output >= 0 && hear(run)) {
        struct pollfd rest = {.fd = run->output, .events = POLLIN};

        if (poll(&rest, 1, 0) <= 0) {
            break;
        }
    }
    redact(run, device);
    last_words(run, ret_end->text);
    if (why != NULL) {
        (void)snprintf(ret_end->text, sizeof(ret_end->text), "%s", why);
    } else if (!ret_end->exited) {
        (void)snprintf(ret_end->text, sizeof(ret_end->text), "killed by signal %d", ret_end->code);
    } else if (ret_end->text[0] == '\0') {
        (void)snprintf(ret_end->text, sizeof(ret_end->text), "exit code %d", ret_end->code);
    }
}

static void shut(int fd)
{
    if (fd >= 0) {
        (void)close(fd); /* nothing is lost with it */
    }
}

void agent_run(const struct agent_device *device,
               const char *action,
               int asker,
               uint32_t timeout_ms,
               struct agent_end *ret_end)
{
    struct run run = {.pid = -1, .pidfd = -1, .input = -1, .output = -1, .asker = asker};
    uint64_t until_ms = clock_boot_ms(clock_host()) + timeout_ms;
    const char *why = NULL;

    memset(ret_end, 0, sizeof(*ret_end));
    if (access(device->path, X_OK) != 0) {
        (void)snprintf(ret_end->text, sizeof(ret_end->text), "%.80s: %s", device->path,
                       strerror(errno));
        return;
    }
    if (!start(&run, device)) {
        why = "cannot be started";
    } else if (!tell(&run, device, action)) {
        why = "does not take its options";
    } else {
        why = wait_for(&run, until_ms);
    }
    if (run.pid > 0) {
        end(&run, why, ret_end);
    }
    describe(&run, device, why, ret_end);
    shut(run.input);
    shut(run.output);
    shut(run.pidfd);
    mem_wipe(run.words, sizeof(run.words));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: approvald-fence: runs a fence agent for the supervisor, in a unit of its own.
 *
 *   approvald-fence [--devices DIR] [--timeout SECONDS] [--listen PATH]
 *
 * One connection is one question: "off NAME" or "status NAME" and the end of the line; the answer
 * is one line, "exit CODE WORDS" or "failed WORDS". Whoever closes the connection ends the agent.
 * systemd starts one for each connection, which is its standard input; with --listen it waits at
 * PATH itself, for hosts without systemd, and for tests. What a device is stands in DIR/NAME (see
 * supervisor/arbiter/agent.h), or in the credential fence_NAME.
 * Owns the words of that conversation. Never judges an answer: supervisor/arbiter/fence.c does. */
#include <config.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/err.h"
#include "base/mem.h"
#include "supervisor/arbiter/agent.h"
#include "supervisor/arbiter/fence.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

static const char help[] =
    "Usage: approvald-fence [OPTION]…\n"
    "Asks a fence agent to switch the other host of a pair off, or how its power is, for the\n"
    "supervisor, and does nothing else.\n"
    "\n"
    "      --devices DIR      where the devices' files are; default: the credentials fence_NAME "
    "of\n"
    "                         its unit\n"
    "      --timeout SECONDS  an agent that is not done by then is ended: 1 to 600; default 30\n"
    "      --listen PATH      wait at this socket, on a host without systemd; default: the\n"
    "                         connection is standard input\n"
    "      --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "systemd starts one for each connection to approvald-fence.socket, as a user of its own. A\n"
    "connection is one question, \"off NAME\" or \"status NAME\", and one line of answer:\n"
    "\"exit CODE WORDS\", of the agent, or \"failed WORDS\". Whoever closes the connection ends "
    "the\n"
    "agent. What a device is says its file: approvald-fence(5).\n"
    "\n"
    "Exit status: 0 it has answered; 64 wrong option; 71 it cannot listen.\n";

#define QUESTION_MS    5000U /* the supervisor says it at once */
#define QUESTION_SIZE  64U   /* "status " and a name */
#define TIMEOUT_S      30U
#define TIMEOUT_S_MAX  600U
#define CONNECTION_MAX 4 /* one asks; who was given up may not have ended yet */
#define PATH_SIZE      512U
#define PATH_LIMIT     256U

struct arguments {
    const char *devices;
    const char *listen; /* NULL: the connection is standard input */
    uint32_t timeout_ms;
};

static void say(int fd, const char *text)
{
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL); /* who asked may be gone: nobody else waits */
}

/* One line. False: none came. */
static bool hear(int fd, char line[QUESTION_SIZE])
{
    uint64_t until_ms = clock_boot_ms(clock_host()) + QUESTION_MS;
    size_t used = 0;

    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        uint64_t now_ms = clock_boot_ms(clock_host());
        ssize_t size;

        if (now_ms >= until_ms || poll(&one, 1, (int)(until_ms - now_ms)) <= 0) {
            return false;
        }
        size = recv(fd, line + used, QUESTION_SIZE - 1 - used, MSG_DONTWAIT);
        if (size <= 0) {
            return false;
        }
        used += (size_t)size;
        line[used] = '\0';
        if (line[used - 1] == '\n') {
            line[used - 1] = '\0';
            return strlen(line) == used - 1;
        }
        if (used == QUESTION_SIZE - 1) {
            return false;
        }
    }
}

static bool is_name(const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return size > 0 && size < FENCE_NAME_SIZE;
}

static enum err_code
read_device(const char *folder, const char *name, struct agent_device *device, struct err *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_SIZE];
    bool secure = folder == NULL && credentials != NULL;

    if (folder == NULL && !secure) {
        return err_set(err, ERR_INVALID, "neither --devices nor credentials");
    }
    (void)snprintf(path, sizeof(path), "%.*s/%s%s", (int)PATH_LIMIT, secure ? credentials : folder,
                   secure ? "fence_" : "", name); /* fits */
    return agent_device_read(path, secure, device, err);
}

static void answer(int fd, const struct agent_end *end)
{
    char line[AGENT_TEXT_SIZE + 32];

    if (end->exited) {
        (void)snprintf(line, sizeof(line), "exit %d %s\n", end->code, end->text); /* fits */
    } else {
        (void)snprintf(line, sizeof(line), "failed %s\n", end->text);
    }
    say(fd, line);
}

static void serve(const struct arguments *arguments, int fd)
{
    struct agent_device device;
    struct agent_end end = {.exited = false};
    struct err err = ERR_INIT;
    char line[QUESTION_SIZE];
    const char *action = NULL;
    const char *name;

    if (!hear(fd, line)) {
        return;
    }
    name = strchr(line, ' ');
    if (strncmp(line, "off ", 4) == 0) {
        action = "off";
    } else if (strncmp(line, "status ", 7) == 0) {
        action = "status";
    }
    if (action == NULL || !is_name(name + 1)) {
        say(fd, "failed not understood\n");
    } else if (read_device(arguments->devices, name + 1, &device, &err) != ERR_OK) {
        (void)snprintf(end.text, sizeof(end.text), "%.100s", err.message); /* fits */
        answer(fd, &end);
    } else {
        agent_run(&device, action, fd, arguments->timeout_ms, &end);
        answer(fd, &end);
    }
    mem_wipe(&device, sizeof(device));
}

/* ---- Without systemd ---- */

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path); /* fits */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(path); /* of one that ended without a word; bind says what is wrong */
    (void)umask(0177);  /* for who may connect: this user alone */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, CONNECTION_MAX) != 0) {
        return -1;
    }
    return fd;
}

static void serve_apart(const struct arguments *arguments, int fd, int connection)
{
    struct sigaction wait = {.sa_handler = SIG_DFL};

    (void)sigaction(SIGCHLD, &wait, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)close(fd);
    serve(arguments, connection);
    _exit(EX_OK);
}

static int listen_at(const struct arguments *arguments)
{
    struct sigaction reap = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    int fd = open_socket(arguments->listen);

    if (fd < 0) {
        perror(arguments->listen);
        return EX_OSERR;
    }
    (void)sigaction(SIGCHLD, &reap, NULL); /* nobody asks how a connection ended */
    for (;;) {
        int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

        if (connection < 0 && errno != EINTR && errno != ECONNABORTED) {
            perror("accept");
            return EX_OSERR;
        }
        if (connection >= 0 && fork() == 0) {
            serve_apart(arguments, fd, connection);
        }
        if (connection >= 0) {
            (void)close(connection); /* the other one's now, or it hears that nobody is there */
        }
    }
}

static bool take_timeout(struct arguments *arguments, const char *text)
{
    char *end = NULL;
    unsigned long seconds = strtoul(text, &end, 10);

    if (*end != '\0' || seconds == 0 || seconds > TIMEOUT_S_MAX) {
        (void)fputs("approvald-fence: --timeout: 1 to 600 seconds\n", stderr);
        return false;
    }
    arguments->timeout_ms = (uint32_t)seconds * 1000U;
    return true;
}

/* False: it is not to serve; *ret_code says how it ends, and what was to be said is. */
static bool parse(struct arguments *arguments, int argc, char **argv, int *ret_code)
{
    static const struct option options[] = {
        {"devices", required_argument, NULL, 'd'}, {"timeout", required_argument, NULL, 't'},
        {"listen", required_argument, NULL, 'l'},  {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    int option;

    *ret_code = EX_USAGE;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h' || option == 'V') {
            *ret_code =
                fputs(option == 'h' ? help : "approvald-fence " PACKAGE_VERSION "\n", stdout) < 0
                    ? EX_IOERR
                    : EX_OK;
            return false;
        }
        if (option == 'd') {
            arguments->devices = optarg;
        } else if (option == 'l') {
            arguments->listen = optarg;
        } else if (option != 't' || !take_timeout(arguments, optarg)) {
            return false;
        }
    }
    if (optind < argc) {
        (void)fputs("approvald-fence: takes options only\n", stderr);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.timeout_ms = TIMEOUT_S * 1000U};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int code;

    crash_no_core(); /* what a device wants to be told is a password */
    (void)sigaction(SIGPIPE, &ignore, NULL);
    if (!parse(&arguments, argc, argv, &code)) {
        return code;
    }
    if (arguments.listen != NULL) {
        return listen_at(&arguments);
    }
    serve(&arguments, STDIN_FILENO);
    return EX_OK;
}

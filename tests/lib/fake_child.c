/* SPDX-License-Identifier: Apache-2.0 */
/* fake_child.c: stands in for approvald under the supervisor: fake_child [--print-sockets] -c FILE
 *
 * Speaks the contract as a well-behaved approvald does, unless FILE says otherwise. FILE is read
 * anew at every start; its lines:
 *   socket NAME ADDRESS   printed by --print-sockets
 *   do WORD [NUMBER]      hang TASK; crash CODE; abort; never-ready; late-ready MS; never-lead;
 *                         ignore-term; illegal; garbage; close; fail; slow-print
 *   once                  do it only if no child of this FILE has done it before
 *   after MS              do it so long after the grant (hang, crash, abort, illegal, garbage,
 *                         close, fail); 0: at once
 * Appends to FILE.trace what it was told and what it had inherited, one word group a line. Answers
 * each connection to a service socket with its pid once it is granted.
 * Owns nothing of the product. Never does anything that FILE or the contract does not ask for. */
#include "base/clock.h"
#include "base/span.h"
#include "supervisor/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_COUNT_MAX 16
#define LINE_SIZE        256

struct fake {
    const char *file;
    char deed[32];
    unsigned number;
    uint64_t after_ms;
    bool once;
    int contract;
    int sockets[SOCKET_COUNT_MAX]; /* service sockets */
    int socket_count;
    enum contract_state state;
    uint64_t incarnation;
    uint32_t checkin_ms;
    bool up;
    bool granted;
    bool hung;
    uint64_t granted_ms;
    uint64_t configured_ms;
    uint64_t checkin_next_ms;
    uint64_t turns[CONTRACT_TASK_COUNT];
};

static volatile sig_atomic_t terminated;
static volatile sig_atomic_t hung_up;

static void on_hangup(int number)
{
    (void)number;
    hung_up = 1;
}

static void on_term(int number)
{
    (void)number;
    terminated = 1;
}

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

static void trace(const struct fake *fake, const char *what, uint64_t number)
{
    char path[LINE_SIZE];
    FILE *log;

    (void)snprintf(path, sizeof(path), "%s.trace", fake->file);
    log = fopen(path, "ae");
    if (log != NULL) {
        (void)fprintf(log, "%ld %s %" PRIu64 "\n", (long)getpid(), what, number);
        (void)fclose(log);
    }
}

/* The number behind the index-th blank, or 0. */
static uint64_t number_at(const char *line, int index)
{
    for (; index > 0 && line != NULL; index--) {
        line = strchr(line, ' ');
        line = line == NULL ? NULL : line + 1;
    }
    return line == NULL ? 0 : strtoull(line, NULL, 10);
}

static void read_line(struct fake *fake, const char *line, bool print)
{
    if (strncmp(line, "socket ", 7) == 0 && print) {
        (void)fputs(line + 7, stdout);
    } else if (strncmp(line, "once", 4) == 0) {
        fake->once = true;
    } else if (strncmp(line, "after ", 6) == 0) {
        fake->after_ms = number_at(line, 1);
    } else if (strncmp(line, "do ", 3) == 0) {
        (void)snprintf(fake->deed, sizeof(fake->deed), "%.*s", (int)strcspn(line + 3, " \n"),
                       line + 3);
        fake->number = (unsigned)number_at(line, 2);
    }
}

static void read_file(struct fake *fake, bool print)
{
    char line[LINE_SIZE];
    FILE *file = fopen(fake->file, "re");

    if (file == NULL) {
        perror(fake->file);
        exit(78);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        read_line(fake, line, print);
    }
    (void)fclose(file);
}

static bool does(const struct fake *fake, const char *deed)
{
    return strcmp(fake->deed, deed) == 0;
}

static void say(struct fake *fake, const struct contract_message *message)
{
    uint8_t packet[CONTRACT_SIZE_MAX];
    size_t size = contract_encode(message, packet);
    struct err err = ERR_INIT;

    if (contract_move(&fake->state, CONTRACT_CHILD, message->type, &err) != ERR_OK) {
        (void)fprintf(stderr, "fake child: %s\n", err.message);
    }
    if (send(fake->contract, packet, size, MSG_NOSIGNAL) != (ssize_t)size) {
        _exit(70);
    }
}

/* As approvald: until it is up a SIGHUP would end it. */
static void say_up(struct fake *fake)
{
    struct contract_message message = {.type = CONTRACT_UP};
    struct sigaction action = {.sa_handler = on_hangup};

    (void)sigaction(SIGHUP, &action, NULL);
    message.u.up.incarnation = fake->incarnation;
    memset(message.u.up.store_id, 7, CONTRACT_ID_SIZE);
    message.u.up.lineage = 5;
    message.u.up.last_epoch = 1;
    message.u.up.last_lsn = 1;
    say(fake, &message);
    fake->up = true;
}

static void say_epoch(struct fake *fake, enum contract_type type, uint64_t epoch)
{
    struct contract_message message = {.type = type, .u.epoch = epoch};

    say(fake, &message);
}

static void check_in(struct fake *fake)
{
    struct contract_message message = {.type = CONTRACT_CHECKIN};

    for (unsigned i = 0; i < CONTRACT_TASK_COUNT; i++) {
        if (!(fake->hung && fake->number == i)) {
            fake->turns[i]++;
        }
        message.u.checkin.turns[i] = fake->turns[i];
    }
    say(fake, &message);
}

static void take(struct fake *fake, const struct contract_message *message)
{
    trace(fake, contract_name(message->type),
          message->type == CONTRACT_GRANT ? message->u.grant.epoch : message->u.epoch);
    switch ((int)message->type) {
    case CONTRACT_CONFIGURE:
        fake->incarnation = message->u.configure.incarnation;
        fake->checkin_ms = message->u.configure.checkin_ms;
        fake->configured_ms = now_ms();
        if (!does(fake, "never-ready") && !does(fake, "late-ready")) {
            say_up(fake);
        }
        break;
    case CONTRACT_SEAL:
        say_epoch(fake, CONTRACT_SEALED, message->u.epoch);
        break;
    case CONTRACT_GRANT:
        fake->granted = true;
        fake->granted_ms = now_ms();
        if (!does(fake, "never-lead")) {
            say_epoch(fake, CONTRACT_LEADING, message->u.grant.epoch);
        }
        break;
    case CONTRACT_STOP:
        terminated = 1;
        break;
    default:
        break;
    }
}

static void read_contract(struct fake *fake)
{
    uint8_t packet[CONTRACT_SIZE_MAX];
    struct contract_message message;
    struct err err = ERR_INIT;
    ssize_t size = recv(fake->contract, packet, sizeof(packet), MSG_DONTWAIT);

    if (size < 0 && errno == EAGAIN) {
        return;
    }
    if (size <= 0) {
        _exit(70); /* the supervisor has gone */
    }
    if (contract_decode(span_of(packet, (size_t)size), &message, &err) != ERR_OK ||
        contract_move(&fake->state, CONTRACT_SUPERVISOR, message.type, &err) != ERR_OK) {
        trace(fake, "BAD", 0);
        (void)fprintf(stderr, "fake child: %s\n", err.message);
        _exit(76);
    }
    take(fake, &message);
}

/* True for the first child that asks. */
static bool is_first(const struct fake *fake)
{
    char path[LINE_SIZE];
    int fd;

    (void)snprintf(path, sizeof(path), "%s.done", fake->file);
    fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static void misbehave(struct fake *fake)
{
    struct contract_message message = {.type = CONTRACT_FAILED};

    if (fake->hung || fake->deed[0] == '\0') {
        return;
    }
    if (fake->once && !is_first(fake)) {
        fake->deed[0] = '\0';
    }

    if (does(fake, "hang")) {
        fake->hung = true;
    } else if (does(fake, "crash")) {
        _exit((int)fake->number);
    } else if (does(fake, "abort")) {
        abort();
    } else if (does(fake, "illegal")) {
        message.type = CONTRACT_GRANT;
        message.u.grant.epoch = 1;
        message.u.grant.lineage = 1;
        say(fake, &message);
    } else if (does(fake, "garbage")) {
        (void)send(fake->contract, "nonsense", 8, MSG_NOSIGNAL);
    } else if (does(fake, "close")) {
        (void)close(fake->contract);
        fake->contract = -1;
    } else if (does(fake, "fail")) {
        (void)snprintf(message.u.reason, sizeof(message.u.reason), "the disk is full");
        say(fake, &message);
        _exit(74);
    }
    if (!does(fake, "hang") && !does(fake, "ignore-term")) {
        fake->deed[0] = '\0'; /* once */
    }
}

static void serve(const struct fake *fake, int listener)
{
    char text[32];
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

    if (client < 0) {
        trace(fake, "accept-failed", (uint64_t)errno);
        return;
    }
    (void)send(client, text, (size_t)size, MSG_NOSIGNAL);
    (void)close(client);
}

static void turn(struct fake *fake)
{
    struct pollfd look[SOCKET_COUNT_MAX + 1] = {{.fd = fake->contract, .events = POLLIN}};
    nfds_t count = 1;
    uint64_t now;

    for (int i = 0; fake->granted && i < fake->socket_count; i++) {
        look[count++] = (struct pollfd){.fd = fake->sockets[i], .events = POLLIN};
    }
    (void)poll(look, count, 5);
    if ((look[0].revents & (POLLIN | POLLHUP)) != 0) {
        read_contract(fake);
    }
    for (nfds_t i = 1; i < count; i++) {
        if ((look[i].revents & POLLIN) != 0) {
            serve(fake, look[i].fd);
        }
    }
    now = now_ms();
    if (!fake->up && does(fake, "late-ready") && fake->configured_ms != 0 &&
        now >= fake->configured_ms + fake->number) {
        say_up(fake);
    }
    if (hung_up != 0) {
        hung_up = 0;
        trace(fake, "HANGUP", 0);
    }
    if (fake->granted && now >= fake->granted_ms + fake->after_ms) {
        misbehave(fake);
    }
    if (fake->up && fake->contract >= 0 && now >= fake->checkin_next_ms) {
        fake->checkin_next_ms = now + fake->checkin_ms;
        check_in(fake);
    }
}

/* Which names came with which descriptors; the services' are kept. */
static void inherit(struct fake *fake)
{
    const char *count = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");
    const char *names = getenv("LISTEN_FDNAMES");
    char copy[LINE_SIZE];
    char *rest = copy;
    char *name;
    int fd = 3;

    if (count == NULL || pid == NULL || names == NULL || strtol(pid, NULL, 10) != getpid()) {
        trace(fake, "no-sockets", 0);
        return;
    }
    (void)snprintf(copy, sizeof(copy), "%s", names);
    while ((name = strsep(&rest, ":")) != NULL && fake->socket_count < SOCKET_COUNT_MAX) {
        trace(fake, name, (uint64_t)fd);
        if (strncmp(name, "service", 7) == 0) {
            fake->sockets[fake->socket_count++] = fd;
        }
        fd++;
    }
}

int main(int argc, char **argv)
{
    struct fake fake = {.contract = -1};
    struct sigaction action = {.sa_handler = on_term};
    const char *contract = getenv(CONTRACT_ENV);
    bool print = argc > 1 && strcmp(argv[1], "--print-sockets") == 0;

    fake.file = argc > 2 ? argv[argc - 1] : "";
    read_file(&fake, print);
    if (print) {
        (void)fflush(stdout);
        if (does(&fake, "slow-print")) {
            (void)pause(); /* until the supervisor has had enough */
        }
        return 0;
    }
    if (contract == NULL) {
        (void)fputs("fake child: no supervisor\n", stderr);
        return 64;
    }
    fake.contract = (int)strtol(contract, NULL, 10);
    (void)sigaction(SIGTERM, &action, NULL);
    trace(&fake, "start", (uint64_t)geteuid());
    inherit(&fake);
    for (;;) {
        turn(&fake);
        if (terminated != 0 && !does(&fake, "ignore-term")) {
            trace(&fake, "end", 0);
            return 0;
        }
    }
}

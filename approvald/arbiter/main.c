/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the program approvald-arbiter: makes this machine the arbiter of a pair.
 * Owns the process and its words. Never decides anything of the pair: etcd keeps the register, and
 * this program only sets etcd up. */
#include <config.h>

#include "approvald/enrol/arbiter.h"
#include "approvald/enrol/join.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/x509.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char help[] =
    "Usage: approvald-arbiter join|leave [OPTION]…\n"
    "Makes this machine the arbiter of a pair of approvald hosts, or ends that.\n"
    "\n"
    "  join                 reads the join token that approvalctl pair init has printed for the\n"
    "                       arbiter, from the terminal or standard input; gets a certificate from\n"
    "                       that host, writes etcd's configuration and starts it\n"
    "  leave                stops etcd and removes what join has written; etcd's data stay\n"
    "\n"
    "      --root DIR       write below DIR and start nothing: for images and tests\n"
    "      --version        print the version\n"
    "  -h, --help           print this\n"
    "\n"
    "A token is a secret, so it is never an argument: those are seen by every user of the "
    "machine.\n"
    "It serves once, and join may be repeated until it has succeeded. etcd listens on the address\n"
    "that the pair knows, port 2379, and wants a certificate of the pair from everybody.\n"
    "\n"
    "Exit status: 0 done; 64 wrong option; 65 the token is none; 69 nobody answers; 70 internal\n"
    "error; 74 the disk failed or is full; 77 refused, or not root.\n";

static int exit_code(enum err_code rc)
{
    switch (rc) {
    case ERR_OK:
        return EX_OK;
    case ERR_INVALID:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
        return EX_DATAERR;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_BUSY:
        return EX_UNAVAILABLE;
    case ERR_IO:
    case ERR_NOSPACE:
        return EX_IOERR;
    case ERR_DENIED:
    case ERR_UNAUTHENTICATED:
        return EX_NOPERM;
    case ERR_NOMEM:
    case ERR_FULL:
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_EXPIRED:
    case ERR_UNKNOWN_FATE:
    case ERR_PROTOCOL:
    case ERR_FATAL:
        break;
    }
    return EX_SOFTWARE;
}

static enum err_code install(const struct arbiter_home *home, struct join *join, struct err *err)
{
    struct err later = ERR_INIT;
    enum err_code rc = arbiter_install(home, join_grant(join), err);

    if (rc == ERR_OK && join_done(join, &later) != ERR_OK) {
        /* It is durable here; over there the token ends by its time. */
        (void)fprintf(stderr, "approvald-arbiter: note: %s\n", later.message);
        return rc;
    }
    return rc == ERR_OK ? arbiter_join_told(home, err) : rc;
}

static enum err_code
ask_and_install(const struct arbiter_home *home, const struct token *token, struct err *err)
{
    struct x509_key *key = NULL;
    struct join *join = NULL;
    enum err_code rc = arbiter_join_key(home, token, &key, err);

    rc = rc == ERR_OK ? join_ask(token, key, &join, err) : rc;
    if (rc == ERR_EXISTS) { /* perhaps by this machine, which was cut before etcd ran with it */
        rc = arbiter_is_installed(home) ? ERR_OK : ERR_DENIED;
    } else {
        rc = rc == ERR_OK ? install(home, join, err) : rc;
    }
    x509_key_free(key);
    join_free(join);
    return rc;
}

/* One that was told and then cut, or whose etcd did not start, is finished. */
static enum err_code run_join(const struct arbiter_home *home, struct err *err)
{
    struct token token;
    enum err_code rc = join_read_token(&token, err);

    if (rc == ERR_OK && token.role != ENROL_ROLE_ARBITER) {
        rc = err_set(err, ERR_INVALID, "this token is for the other host: approvalctl pair join");
    }
    if (rc == ERR_OK && !arbiter_join_is_told(home, &token)) {
        rc = ask_and_install(home, &token, err);
    }
    mem_wipe(&token, sizeof token);
    rc = rc == ERR_OK ? arbiter_start(home, err) : rc;
    rc = rc == ERR_OK ? arbiter_join_ended(home, err) : rc;
    if (rc == ERR_OK) {
        (void)puts("joined: this machine is the arbiter of the pair"); /* the exit code says it */
    }
    return rc;
}

static int act(const char *verb, const char *root)
{
    struct arbiter_home home;
    struct err err = ERR_INIT;
    enum err_code rc = arbiter_home_init(&home, root, &err);

    if (rc == ERR_OK) {
        rc = strcmp(verb, "join") == 0 ? run_join(&home, &err) : arbiter_leave(&home, &err);
    }
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "approvald-arbiter: %s\n", err.message); /* nowhere else to say it */
    }
    return exit_code(rc);
}

/* A core would show the key. */
static void confine(void)
{
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};

    (void)umask(077);
    crash_no_core();
    (void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
}

static int wrong(const char *what)
{
    (void)fprintf(stderr, "approvald-arbiter: %s\n", what); /* nowhere else to say it */
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"root", required_argument, NULL, 'r'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *root = "";
    int option;

    confine();
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'r':
            root = optarg;
            break;
        case 'V':
            return puts("approvald-arbiter " PACKAGE_VERSION) < 0 ? EX_IOERR : EX_OK;
        case 'h':
            return fputs(help, stdout) < 0 ? EX_IOERR : EX_OK;
        default:
            return wrong("try: approvald-arbiter --help");
        }
    }
    if (optind >= argc ||
        (strcmp(argv[optind], "join") != 0 && strcmp(argv[optind], "leave") != 0)) {
        return wrong("join or leave? see approvald-arbiter --help");
    }
    if (optind + 1 < argc) {
        return wrong("a token is no argument, where every user sees it: it is asked for. If it was "
                     "one, have another made: approvalctl pair token arbiter");
    }
    return act(argv[optind], root);
}

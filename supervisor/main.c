/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the program approvald-supervisor: options, process limits, exit codes.
 * Owns nothing but the process. Never has logic of its own: sup.c does. */
#include <config.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/crash.h"
#include "base/lastgood.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/print.h"
#include "supervisor/keepalived_conf.h"
#include "supervisor/locked.h"
#include "supervisor/sup.h"
#include "supervisor/sup_config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#define CONFIG_FILE PKGSYSCONFDIR "/supervisor.conf"
/* Known without the configuration, which is what is broken when it is needed. */
#define LAST_GOOD "/var/lib/approvald-supervisor/last-good.conf"

static const char help[] =
    "Usage: approvald-supervisor [OPTION]…\n"
    "Keeps approvald alive, and decides with the other host which of them may write.\n"
    "\n"
    "  -c, --config FILE      configuration; default " PKGSYSCONFDIR "/supervisor.conf,\n"
    "                         and, beside it, supervisor.conf.d/*.conf\n"
    "      --check-config     read the configuration, say what is wrong, start nothing\n"
    "      --dump-config      print the configuration in force, defaults included\n"
    "      --describe-config  print every option: type, default, limits, meaning\n"
    "      --keepalived-config  print keepalived.conf for this host\n"
    "      --give-up          take the virtual IP from this host, unless a supervisor runs here:\n"
    "                         write 0 to the track file that is configured\n"
    "      --last-good FILE   where the configuration that served last is kept, for a start that\n"
    "                         finds its own broken; default\n"
    "                         " LAST_GOOD "\n"
    "                         for the default configuration, none for another\n"
    "      --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "Runs in the foreground: it binds the sockets, holds the watchdog and removes the virtual IP\n"
    "where it must not be, as root or with the capabilities SETUID, SETGID, NET_BIND_SERVICE and\n"
    "NET_ADMIN; approvald runs as its own user, without privileges.\n"
    "\n"
    "Signals: TERM and INT give up the virtual IP, stop approvald and end; HUP reads the\n"
    "configuration again (all or nothing) and passes the signal on.\n"
    "\n"
    "Exit status: 0 stopped by a signal; 64 wrong option; 65 its state is damaged; 69 an address\n"
    "or the state is in use; 70 internal error; 71 no memory; 74 the disk failed or is full; 77\n"
    "not permitted; 78 the configuration is wrong.\n";

static int exit_code(enum err_code rc)
{
    switch (rc) {
    case ERR_OK:
        return EX_OK;
    case ERR_INVALID:
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
        return EX_CONFIG;
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
        return EX_DATAERR;
    case ERR_BUSY:
    case ERR_FULL:
    case ERR_UNAVAILABLE:
        return EX_UNAVAILABLE;
    case ERR_NOMEM:
        return EX_OSERR;
    case ERR_IO:
    case ERR_NOSPACE:
        return EX_IOERR;
    case ERR_DENIED:
    case ERR_UNAUTHENTICATED:
        return EX_NOPERM;
    case ERR_EXISTS:
    case ERR_CONFLICT:
    case ERR_EXPIRED:
    case ERR_TIMEOUT:
    case ERR_UNKNOWN_FATE:
    case ERR_PROTOCOL:
    case ERR_FATAL:
        break;
    }
    return EX_SOFTWARE;
}

static int complain(const struct err *err)
{
    (void)fprintf(stderr, "approvald-supervisor: %s\n", err->message); /* nowhere else to say it */
    return exit_code(err->code);
}

/* A core would show etcd's password; files are ours alone. */
static void confine(void)
{
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction usual = {.sa_handler = SIG_DFL};

    (void)umask(077);
    crash_no_core();
    (void)setrlimit(RLIMIT_CORE, &none);     /* lowering is always allowed */
    (void)sigaction(SIGPIPE, &ignore, NULL); /* cannot fail with these */
    (void)sigaction(SIGCHLD, &usual,
                    NULL); /* inherited as ignored, it would take our child's end */
}

static void start_log(const struct sup_config *config)
{
    const char *target = sup_config_text(config, "", "log_target");
    enum log_level level = LOG_LEVEL_INFO;
    enum log_target where = LOG_TARGET_TEXT;

    err_ignore(
        log_level_parse(sup_config_text(config, "", "log_level"), &level, NULL)); /* parses */
    if (strcmp(target, "journal") == 0 ||
        (strcmp(target, "auto") == 0 && getenv("JOURNAL_STREAM") != NULL)) {
        where = LOG_TARGET_JOURNAL;
    } else if (strcmp(target, "json") == 0) {
        where = LOG_TARGET_JSON;
    }
    log_init(where, level);
}

enum action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_DUMP,
    ACTION_DESCRIBE,
    ACTION_KEEPALIVED,
    ACTION_GIVE_UP
};

/* The exit code of what was printed. */
static int printed(enum err_code rc, const struct err *err)
{
    return rc == ERR_OK ? EX_OK : complain(err);
}

static enum err_code format_keepalived(const void *arg, struct buf *buf, struct err *err)
{
    const struct sup_config *config = arg;
    const struct keepalived_conf conf = {
        .host = sup_config_host(config),
        .address = sup_config_text(config, "vip", "address"),
        .interface = sup_config_text(config, "vip", "interface"),
        .router_id = (uint8_t)sup_config_number(config, "vip", "router_id"), /* at most 255 */
        .instance = sup_config_text(config, "vip", "instance"),
        .track_file = sup_config_text(config, "vip", "track_file"),
        .fifo = sup_config_text(config, "vip", "fifo"),
        .unicast = sup_config_bool(config, "vip", "unicast"),
        .own_address = sup_config_text(config, "vip", "own_address"),
        .peer_address = sup_config_text(config, "vip", "peer_address"),
    };

    if (!sup_config_has_vip(config)) {
        return err_set(err, ERR_INVALID, "vip: address is not given: keepalived is not needed");
    }
    return keepalived_conf_format(&conf, buf, err);
}

static int run(struct sup_config *config_take, const char *file)
{
    struct sup *sup = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    crash_init("approvald-supervisor");
    mem_init();
    start_log(config_take);
    if (locked_all(&err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "sup", "memory", &err); /* as safe, and later under pressure */
        err = (struct err)ERR_INIT;
    }
    lastgood_tell(sup_config_last_good(config_take), "sup", file);
    rc = sup_new(config_take, file, &sup, &err);
    if (rc == ERR_OK) {
        rc = sup_run(sup, &err);
    }
    sup_free(sup);
    return rc == ERR_OK ? EX_OK : complain(&err);
}

/* The last-known-good copy is for what runs, and for what ends it; what is asked about the file is
 * answered about it. */
static bool falls_back(enum action action)
{
    return action == ACTION_RUN || action == ACTION_GIVE_UP;
}

static enum err_code load(enum action action,
                          const char *file,
                          const char *last_good,
                          struct sup_config **ret_config,
                          struct err *err)
{
    return falls_back(action) ? sup_config_start(file, last_good, ret_config, err)
                              : sup_config_load(file, ret_config, err);
}

static int act(enum action action, const char *file, const char *last_good)
{
    struct sup_config *config = NULL;
    struct err err = ERR_INIT;
    int code = EX_OK;

    if (action == ACTION_DESCRIBE) {
        return printed(print_options(stdout, sup_config_schema(), &err), &err);
    }
    if (load(action, file, last_good, &config, &err) != ERR_OK) {
        (void)complain(&err); /* EX_CONFIG stands for it */
        if (falls_back(action)) {
            sup_deny_default();
        }
        return EX_CONFIG;
    }
    if (action == ACTION_RUN) {
        return run(config, file);
    }
    if (action == ACTION_DUMP) {
        code = printed(print_conf(stdout, sup_config_conf(config), &err), &err);
    } else if (action == ACTION_GIVE_UP) {
        code = printed(sup_config_has_vip(config) ? sup_give_up(config, &err) : ERR_OK, &err);
    } else if (action == ACTION_KEEPALIVED) {
        code = printed(print_made(stdout, format_keepalived, config, &err), &err);
    } else {
        (void)printf("%s: ok\n", file); /* the exit code says it too */
    }
    sup_config_free(config);
    return code;
}

/* NULL: of a configuration that is not in its usual place none is kept. */
static const char *usual_last_good(const char *file)
{
    ASSERT(file != NULL); /* an option has its argument, or getopt refuses it */
    return strcmp(file, CONFIG_FILE) == 0 ? LAST_GOOD : NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {"dump-config", no_argument, NULL, 'd'},
        {"describe-config", no_argument, NULL, 'D'},
        {"keepalived-config", no_argument, NULL, 'K'},
        {"give-up", no_argument, NULL, 'G'},
        {"last-good", required_argument, NULL, 'L'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *file = CONFIG_FILE;
    const char *last_good = NULL;
    enum action action = ACTION_RUN;
    int option;

    confine();
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 'k':
            action = ACTION_CHECK;
            break;
        case 'd':
            action = ACTION_DUMP;
            break;
        case 'D':
            action = ACTION_DESCRIBE;
            break;
        case 'K':
            action = ACTION_KEEPALIVED;
            break;
        case 'G':
            action = ACTION_GIVE_UP;
            break;
        case 'L':
            last_good = optarg;
            break;
        case 'V':
            return puts("approvald-supervisor " PACKAGE_VERSION) < 0 ? EX_IOERR : EX_OK;
        case 'h':
            return fputs(help, stdout) < 0 ? EX_IOERR : EX_OK;
        default:
            (void)fputs("Try: approvald-supervisor --help\n", stderr); /* nowhere else to say it */
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "approvald-supervisor: unexpected: %s\n", argv[optind]);
        return EX_USAGE;
    }
    return act(action, file, last_good == NULL ? usual_last_good(file) : last_good);
}

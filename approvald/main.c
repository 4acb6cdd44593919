/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: the program approvald: options, process limits, exit codes.
 * Owns nothing but the process. Never has logic of its own: app.c does. */
#include <config.h>

#include "approvald/app.h"
#include "approvald/config.h"
#include "approvald/service/policy_text.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crash.h"
#include "base/lastgood.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/print.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

/* Every connection, Slack, the store, and some to spare. */
#define DESCRIPTOR_COUNT 4096

#define CONFIG_FILE PKGSYSCONFDIR "/approvald.conf"
/* Known without the configuration, which is what is broken when it is needed. */
#define LAST_GOOD "/var/lib/approvald/last-good.conf"

static const char help[] =
    "Usage: approvald [OPTION]…\n"
    "Approvals in Slack: takes requests over HTTP, asks the right people, answers once.\n"
    "\n"
    "  -c, --config FILE      configuration; default " PKGSYSCONFDIR "/approvald.conf,\n"
    "                         and, beside it, approvald.conf.d/*.conf\n"
    "      --check-config     read the configuration and its secrets, say what is wrong, start\n"
    "                         nothing\n"
    "      --dump-config      print the configuration in force, defaults included\n"
    "      --describe-config  print every option: type, default, limits, meaning\n"
    "      --describe-policy  the same of a policy file, which approvalctl policy apply takes\n"
    "      --print-sockets    print what the section http listens on, one \"NAME ADDRESS\" a "
    "line:\n"
    "                         service, service-tls, management, local\n"
    "      --last-good FILE   where the configuration that served last is kept, for a start that\n"
    "                         finds its own broken; default " LAST_GOOD "\n"
    "                         for the default configuration, none for another\n"
    "      --restore FILE     make a new store in data_dir out of a backup, then end; for\n"
    "                         approvalctl restore\n"
    "      --make-alone DIR   make a store of a single host in the empty folder DIR out of the\n"
    "                         pair's store in data_dir, then end; for approvalctl pair leave\n"
    "      --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "The service runs in the foreground, as its own user, and keeps everything under data_dir.\n"
    "Root administers it with approvalctl over the unix socket of the section http.\n"
    "\n"
    "Signals: TERM and INT answer what was accepted, then stop; HUP reads the configuration again\n"
    "(all or nothing; what cannot change while running is named in the log).\n"
    "\n"
    "Exit status: 0 stopped by a signal; 64 wrong option; 65 the store is damaged; 69 an address "
    "or\n"
    "the store is in use, or a restore is not done; 70 internal error; 71 no memory; 74 the disk\n"
    "failed or is full; 77 not permitted (owner, mode); 78 the configuration is wrong, or the\n"
    "store is not its own (of another cluster; of a pair, and run alone).\n"
    "\n"
    "A first configuration:\n"
    "  data_dir = \"/var/lib/approvald\"\n"
    "  slack {\n"
    "      signing_secret_file = \"/etc/approvald/secrets/slack-signing-secret\"\n"
    "      bot_token_file = \"/etc/approvald/secrets/slack-bot-token\"\n"
    "  }\n";

static int exit_code(enum err_code rc)
{
    switch (rc) {
    case ERR_OK:
        return EX_OK;
    case ERR_INVALID:
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT: /* the store is not this configuration's */
        return EX_CONFIG;
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
        return EX_DATAERR;
    case ERR_BUSY:
    case ERR_EXISTS:
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
    (void)fprintf(stderr, "approvald: %s\n", err->message); /* nowhere else to say it */
    return exit_code(err->code);
}

/* A core or a debugger would show secrets; files are ours alone. */
static void confine(void)
{
    struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    struct rlimit files;
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)umask(077);
    crash_no_core();
    (void)setrlimit(RLIMIT_CORE, &none);     /* of what it starts too; lowering is always allowed */
    (void)sigaction(SIGPIPE, &ignore, NULL); /* cannot fail with these */
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTOR_COUNT) {
        files.rlim_cur = files.rlim_max < DESCRIPTOR_COUNT ? files.rlim_max : DESCRIPTOR_COUNT;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* fewer connections then */
    }
}

static void start_log(const struct config *config)
{
    const char *target = config_text(config, "", "log_target");
    enum log_level level = LOG_LEVEL_INFO;
    enum log_target where = LOG_TARGET_TEXT;

    err_ignore(log_level_parse(config_text(config, "", "log_level"), &level, NULL)); /* a choice */
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
    ACTION_DESCRIBE_POLICY,
    ACTION_SOCKETS,
    ACTION_RESTORE,
    ACTION_ALONE
};

/* The exit code of what was printed. */
static int printed(enum err_code rc, const struct err *err)
{
    return rc == ERR_OK ? EX_OK : complain(err);
}

/* For the supervisor, which binds them and hands them down: app_listen.c knows the names. */
static enum err_code format_sockets(const void *arg, struct buf *buf, struct err *err)
{
    static const struct {
        const char *option;
        const char *name;
    } lists[] = {
        {"listen", "service"},
        {"tls_listen", "service-tls"},
        {"management_listen", "management"},
    };
    const struct conf_section *http = conf_section(config_conf(arg), "http");
    const char *local = conf_text(http, "socket");
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (size_t j = 0; rc == ERR_OK && j < conf_list_count(http, lists[i].option); j++) {
            rc = buf_append_format(buf, err, "%s %s\n", lists[i].name,
                                   conf_list(http, lists[i].option, j));
        }
    }
    if (rc == ERR_OK && local[0] != '\0') {
        rc = buf_append_format(buf, err, "local %s\n", local);
    }
    return rc;
}

static int run(struct config *config_take)
{
    struct app *app = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    crash_init("approvald");
    mem_init();
    start_log(config_take);
    lastgood_tell(config_last_good(config_take), "app", config_file(config_take));
    rc = app_new(config_take, &app, &err);
    if (rc == ERR_OK) {
        rc = app_run(app, &err);
    }
    app_free(app);
    return rc == ERR_OK ? EX_OK : complain(&err);
}

struct order {
    enum action action;
    const char *file;
    const char *last_good; /* NULL: there is none */
    const char *path;      /* of the backup, or of the new folder */
};

struct restoration {
    const struct config *config;
    const char *path; /* of the backup, or of the new folder */
};

static enum err_code make_restored(const void *arg, struct buf *buf, struct err *err)
{
    const struct restoration *restoration = arg;

    return app_restore(restoration->config, restoration->path, buf, err);
}

static enum err_code make_alone(const void *arg, struct buf *buf, struct err *err)
{
    const struct restoration *restoration = arg;

    return app_make_alone(restoration->config, restoration->path, buf, err);
}

/* A new store, of a backup or of what was a pair's. */
static int restore(const struct config *config, const struct order *order)
{
    const struct restoration restoration = {.config = config, .path = order->path};
    struct err err = ERR_INIT;
    enum err_code rc = print_made(
        stdout, order->action == ACTION_ALONE ? make_alone : make_restored, &restoration, &err);

    if (rc != ERR_OK) {
        (void)complain(&err); /* the code is below: the configuration is not to blame */
        return rc == ERR_INVALID || rc == ERR_NOT_FOUND ? EX_DATAERR : exit_code(rc);
    }
    return EX_OK;
}

/* The text alone: whoever sets Slack up has the secrets' files yet to come. */
static int dump(const char *file)
{
    struct conf *conf = NULL;
    struct err err = ERR_INIT;
    int code;

    if (conf_load(config_schema(), file, &conf, &err) != ERR_OK) {
        (void)complain(&err); /* EX_CONFIG stands for it */
        return EX_CONFIG;
    }
    code = printed(print_conf(stdout, conf, &err), &err);
    conf_free(conf);
    return code;
}

/* Only what runs falls back, and the sockets that are bound for it; what is asked about the file is
 * answered about the file. */
static enum err_code load(const struct order *order, struct config **ret_config, struct err *err)
{
    bool runs = order->action == ACTION_RUN || order->action == ACTION_SOCKETS;

    if (order->action == ACTION_RESTORE || order->action == ACTION_ALONE) {
        return config_load_text(order->file, ret_config, err);
    }
    return runs ? config_start(order->file, order->last_good, ret_config, err)
                : config_load(order->file, ret_config, err);
}

static int act(const struct order *order)
{
    enum action action = order->action;
    struct config *config = NULL;
    struct err err = ERR_INIT;
    int code = EX_OK;

    if (action == ACTION_DESCRIBE) {
        return printed(print_options(stdout, config_schema(), &err), &err);
    }
    if (action == ACTION_DESCRIBE_POLICY) {
        return printed(print_options(stdout, policy_text_schema(), &err), &err);
    }
    if (action == ACTION_DUMP) {
        return dump(order->file);
    }
    if (load(order, &config, &err) != ERR_OK) {
        /* Whatever the kind of fault, it is the configuration that has to be mended. */
        (void)complain(&err); /* EX_CONFIG stands for it */
        return EX_CONFIG;
    }
    if (action == ACTION_RUN) {
        return run(config);
    }
    if (action == ACTION_SOCKETS) {
        code = printed(print_made(stdout, format_sockets, config, &err), &err);
    } else if (action == ACTION_RESTORE || action == ACTION_ALONE) {
        code = restore(config, order);
    } else {
        (void)printf("%s: ok\n", order->file); /* the exit code says it too */
    }
    config_free(config);
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
        {"config", required_argument, NULL, 'c'},    {"check-config", no_argument, NULL, 'k'},
        {"dump-config", no_argument, NULL, 'd'},     {"describe-config", no_argument, NULL, 'D'},
        {"print-sockets", no_argument, NULL, 'S'},   {"last-good", required_argument, NULL, 'L'},
        {"restore", required_argument, NULL, 'R'},   {"make-alone", required_argument, NULL, 'A'},
        {"version", no_argument, NULL, 'V'},         {"help", no_argument, NULL, 'h'},
        {"describe-policy", no_argument, NULL, 'P'}, {NULL, 0, NULL, 0},
    };
    struct order order = {.action = ACTION_RUN, .file = CONFIG_FILE};
    int option;

    confine();
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            order.file = optarg;
            break;
        case 'k':
            order.action = ACTION_CHECK;
            break;
        case 'd':
            order.action = ACTION_DUMP;
            break;
        case 'D':
            order.action = ACTION_DESCRIBE;
            break;
        case 'P':
            order.action = ACTION_DESCRIBE_POLICY;
            break;
        case 'S':
            order.action = ACTION_SOCKETS;
            break;
        case 'L':
            order.last_good = optarg;
            break;
        case 'R':
        case 'A':
            order.action = option == 'R' ? ACTION_RESTORE : ACTION_ALONE;
            order.path = optarg;
            break;
        case 'V':
            return puts("approvald " PACKAGE_VERSION) < 0 ? EX_IOERR : EX_OK;
        case 'h':
            return fputs(help, stdout) < 0 ? EX_IOERR : EX_OK;
        default:
            (void)fputs("Try: approvald --help\n", stderr); /* nowhere else to say it */
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "approvald: unexpected: %s\nTry: approvald --help\n", argv[optind]);
        return EX_USAGE;
    }
    if (order.last_good == NULL) {
        order.last_good = usual_last_good(order.file);
    }
    return act(&order);
}

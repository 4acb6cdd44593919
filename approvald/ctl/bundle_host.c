/* SPDX-License-Identifier: Apache-2.0 */
/* bundle_host.c: what stands in the archive of doctor --bundle.
 * Owns the list, and which places of secrets are asked. Never reads the store, its log or a
 * backup: of them the names and sizes are told. */
#include <config.h>

#include "approvald/ctl/bundle.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/doctor.h"
#include "approvald/ctl/learn.h"
#include "approvald/ctl/program.h"
#include "approvald/ctl/scrub.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SUPERVISOR     PKGSBINDIR "/approvald-supervisor"
#define CREDENTIALS    "/run/credentials" /* systemd's */
#define VALUE_SIZE     4096
#define JOURNAL_LINES  "--lines=2000"
#define NAME_COUNT_MAX 2000U /* of one directory: its log has as many segments as its budget */
#define ARGV_MAX       48U
#define CRASH_SIZE     8192U
#define ANSWER_MS      5000U
#define ANSWER_WORD    "5s"

/* The program's own words stand where nothing else does. */
static enum err_code note(struct buf *buf, const struct err *why, struct err *err)
{
    return buf_append_format(buf, err, "(%s)\n", why->message);
}

/* What a program has said, and how it ended where that is worth a word: a text that is whole stays
 * what it is, JSON too. */
static enum err_code
add_said(struct buf *buf, const struct buf *said, const char *program, int code, struct err *err)
{
    enum err_code rc = buf_append_span(buf, buf_span(said), err);

    return rc == ERR_OK && code != 0
               ? buf_append_format(buf, err, "\n(%s: exit code %d)\n", program, code)
               : rc;
}

/* Runs argv; what it says is the text. A program that is missing or says too much is no failure. */
static enum err_code say(const char *const *argv, struct buf *buf, struct err *err)
{
    AUTO_BUF struct buf *said = NULL;
    struct err why = ERR_INIT;
    int code = 0;
    enum err_code rc = buf_new(BUNDLE_ITEM_SIZE_MAX / 2, &said, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (program_run(argv, said, &code, &why) != ERR_OK) {
        rc = note(buf, &why, err);
    }
    return rc == ERR_OK ? add_said(buf, said, argv[0], code, err) : rc;
}

/* This program again, with the options that this call was given but those of the bundle. */
static enum err_code
say_self(struct ctl *ctl, const char *command, bool json, struct buf *buf, struct err *err)
{
    static char program[] = "approvalctl";
    char word[16];
    char *words[] = {program, word, NULL};
    int used = 0;
    const struct command *known;
    const char *argv[ARGV_MAX] = {"/proc/self/exe", command};
    char names[OPTIONS_GIVEN_MAX][24];
    size_t count = 2;

    (void)snprintf(word, sizeof word, "%s", command); /* fits */
    known = command_find(2, words, &used);
    ASSERT(known != NULL);
    for (size_t i = 0; i < ctl->options.given_count && count + 5 < ARGV_MAX; i++) {
        const struct options_given *given = &ctl->options.given[i];

        if (given->option == OPTION_BUNDLE || given->option == OPTION_JSON ||
            !options_among(known->options, given->option)) {
            continue;
        }
        (void)snprintf(names[i], sizeof names[i], "--%s", options_name(given->option)); /* fits */
        argv[count++] = names[i];
        if (given->value != NULL) {
            argv[count++] = given->value;
        }
    }
    if (json) {
        argv[count++] = "--json";
    }
    if (!options_has(&ctl->options, OPTION_TIMEOUT)) {
        argv[count++] = "--timeout=" ANSWER_WORD; /* whom nobody answers asks for help, too */
    }
    return say(argv, buf, err);
}

static enum err_code about(struct ctl *ctl, struct buf *buf, struct err *err)
{
    static const char *const release[] = {"cat", "/etc/os-release", NULL};
    char now[TEXT_TIME_SIZE];
    struct utsname host;
    enum err_code rc;

    (void)ctl;
    text_format_time(clock_wall_ms(clock_host()), now);
    rc = buf_append_format(buf, err, "approvalctl %s, %s\n", PACKAGE_VERSION, now);
    if (rc == ERR_OK && uname(&host) == 0) {
        rc = buf_append_format(buf, err, "%s %s %s %s\n", host.nodename, host.sysname, host.release,
                               host.machine);
    }
    return rc == ERR_OK ? say(release, buf, err) : rc;
}

static enum err_code doctor(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return say_self(ctl, "doctor", false, buf, err);
}

static enum err_code status(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return say_self(ctl, "status", true, buf, err);
}

/* What approvald (or its supervisor) says to --dump-config, and whether that is its configuration.
 */
static enum err_code
dump(const struct ctl *ctl, bool supervisor, struct buf *buf, bool *ret_whole, struct err *err)
{
    static const char *const other[] = {SUPERVISOR, "--dump-config", NULL};
    AUTO_BUF struct buf *said = NULL;
    struct err why = ERR_INIT;
    int code = 0;
    enum err_code rc = buf_new(BUNDLE_ITEM_SIZE_MAX / 2, &said, err);
    enum err_code ran;

    if (rc != ERR_OK) {
        return rc;
    }
    ran = supervisor ? program_run(other, said, &code, &why)
                     : program_capture(ctl, "--dump-config", said, &code, &why);
    if (ran != ERR_OK) {
        rc = note(buf, &why, err);
    }
    *ret_whole = ran == ERR_OK && code == 0;
    return rc == ERR_OK
               ? add_said(buf, said, supervisor ? SUPERVISOR : "approvald --dump-config", code, err)
               : rc;
}

/* Of a URL the host stays: what stands behind it may be what a service takes as the secret. */
static enum err_code hide_paths(struct span text, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && text.size > 0) {
        const char *at = memmem(text.data, text.size, "://", 3);
        size_t size = at == NULL ? text.size : (size_t)(at - text.data) + 3;

        while (at != NULL && size < text.size && strchr("/?#\"\n", text.data[size]) == NULL) {
            size++;
        }
        rc = buf_append(buf, text.data, size, err);
        text = span_of(text.data + size, text.size - size);
        size = 0;
        while (at != NULL && size < text.size && strchr("\"\n", text.data[size]) == NULL) {
            size++;
        }
        if (rc == ERR_OK && size > 1) {
            rc = buf_append_text(buf, "/" SCRUB_MARK, err);
        }
        text = span_of(text.data + size, text.size - size);
    }
    return rc;
}

static enum err_code config_of(struct ctl *ctl, bool supervisor, struct buf *buf, struct err *err)
{
    AUTO_BUF struct buf *said = NULL;
    bool whole = false; /* what it says instead is worth as much */
    enum err_code rc = buf_new(BUNDLE_ITEM_SIZE_MAX, &said, err);

    if (rc == ERR_OK) {
        rc = dump(ctl, supervisor, said, &whole, err);
    }
    return rc == ERR_OK ? hide_paths(buf_span(said), buf, err) : rc;
}

static enum err_code config(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return config_of(ctl, false, buf, err);
}

static enum err_code supervisor_config(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return config_of(ctl, true, buf, err);
}

static enum err_code metrics(struct ctl *ctl, struct buf *buf, struct err *err)
{
    const struct client_call call = {
        .method = "GET", .path = "/metrics", .deadline_ms = ANSWER_MS, .local = true};
    const struct client_reply *reply = NULL;
    struct err why = ERR_INIT;

    if (ctl_connect(ctl, &why) != ERR_OK ||
        client_call(ctl->client, &call, &reply, &why) != ERR_OK) {
        return note(buf, &why, err);
    }
    return buf_append_span(buf, reply->body, err);
}

static enum err_code journal(struct ctl *ctl, struct buf *buf, struct err *err)
{
    static const char *const argv[] = {"journalctl",
                                       "--no-pager",
                                       "--quiet",
                                       "--output=short-iso",
                                       JOURNAL_LINES,
                                       "--unit=approvald*",
                                       "--unit=keepalived.service",
                                       NULL};

    (void)ctl;
    return say(argv, buf, err);
}

/* The directory that a configuration names. False: it does not, or says nothing. */
static bool find_dir(struct ctl *ctl, bool supervisor, char ret_dir[VALUE_SIZE])
{
    AUTO_BUF struct buf *said = NULL;
    struct err ignored = ERR_INIT; /* its own file in the archive says why */
    bool whole = false;

    return buf_new(BUNDLE_ITEM_SIZE_MAX, &said, &ignored) == ERR_OK &&
           dump(ctl, supervisor, said, &whole, &ignored) == ERR_OK &&
           doctor_value(buf_text(said), supervisor ? "state_dir" : "data_dir", 0, ret_dir,
                        VALUE_SIZE);
}

static enum err_code list_one(int dir, const char *name, struct buf *buf, struct err *err)
{
    char when[TEXT_TIME_SIZE];
    struct stat info;

    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return ERR_OK; /* gone meanwhile */
    }
    text_format_time((uint64_t)info.st_mtime * 1000, when);
    return buf_append_format(buf, err, "%c%04o %u:%u %12" PRIu64 " %s %s\n",
                             S_ISDIR(info.st_mode) ? 'd' : '-', (unsigned)info.st_mode & 07777,
                             (unsigned)info.st_uid, (unsigned)info.st_gid, (uint64_t)info.st_size,
                             when, name);
}

/* Calls visit for each name of a directory; one that cannot be read is said so. */
static enum err_code each(const char *path,
                          enum err_code (*visit)(int, const char *, struct buf *, struct err *),
                          struct buf *buf,
                          struct err *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    enum err_code rc = buf_append_format(buf, err, "%s\n", path);
    size_t count = 0;

    if (dir == NULL) {
        return rc == ERR_OK ? buf_append_format(buf, err, "(%s)\n", strerrordesc_np(errno)) : rc;
    }
    while (rc == ERR_OK && count < NAME_COUNT_MAX && (entry = readdir(dir)) != NULL) {
        rc = visit(dirfd(dir), entry->d_name, buf, err);
        count++;
    }
    (void)closedir(dir); /* only read */
    return rc;
}

static enum err_code
each_of_both(struct ctl *ctl,
             enum err_code (*visit)(int, const char *, struct buf *, struct err *),
             struct buf *buf,
             struct err *err)
{
    char dir[VALUE_SIZE];
    enum err_code rc = ERR_OK;

    for (int supervisor = 0; rc == ERR_OK && supervisor < 2; supervisor++) {
        if (find_dir(ctl, supervisor == 1, dir)) {
            rc = each(dir, visit, buf, err);
        }
    }
    return rc;
}

static enum err_code files(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return each_of_both(ctl, list_one, buf, err);
}

static enum err_code show_crash(int dir, const char *name, struct buf *buf, struct err *err)
{
    char text[CRASH_SIZE];
    AUTO_CLOSE int fd = -1;
    ssize_t size;
    enum err_code rc;

    if (strncmp(name, "crash", 5) != 0) {
        return ERR_OK;
    }
    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    size = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (size <= 0) {
        return ERR_OK; /* the one that is ready for the next */
    }
    rc = buf_append_format(buf, err, "\n== %s\n", name);
    return rc == ERR_OK ? buf_append(buf, text, (size_t)size, err) : rc;
}

static enum err_code crashes(struct ctl *ctl, struct buf *buf, struct err *err)
{
    return each_of_both(ctl, show_crash, buf, err);
}

const struct bundle_item *bundle_items(void)
{
    static const struct bundle_item items[] = {
        {"about.txt", about},
        {"doctor.txt", doctor},
        {"status.json", status},
        {"approvald.conf", config},
        {"supervisor.conf", supervisor_config},
        {"metrics.txt", metrics},
        {"journal.txt", journal},
        {"crashes.txt", crashes},
        {"files.txt", files},
        {NULL, NULL},
    };

    return items;
}

/* What stands in the configuration, by the files it names; one with a fault names none. */
static enum err_code
learn_program(const struct ctl *ctl, const struct learn *learn, bool supervisor, struct err *err)
{
    AUTO_BUF struct buf *said = NULL;
    bool whole = false;
    enum err_code rc = buf_new(BUNDLE_ITEM_SIZE_MAX, &said, err);

    if (rc == ERR_OK) {
        rc = dump(ctl, supervisor, said, &whole, err);
    }
    if (rc == ERR_OK && !whole) {
        rc = learn_miss(learn, supervisor ? "files of the supervisor's" : "files of approvald's",
                        "its configuration cannot be had", err);
    }
    return rc == ERR_OK ? learn_config(learn, buf_text(said), err) : rc;
}

/* The folders beside a configuration in which secrets are by custom. */
static enum err_code learn_beside(const struct learn *learn, const char *folder, struct err *err)
{
    char path[VALUE_SIZE];
    enum err_code rc;

    (void)snprintf(path, sizeof path, "%s/secrets", folder); /* too long a one does not exist */
    rc = learn_folder(learn, path, LEARN_USER, err);
    (void)snprintf(path, sizeof path, "%s/fence", folder); /* likewise */
    rc = rc == ERR_OK ? learn_folder(learn, path, LEARN_DEVICE, err) : rc;
    /* The authorities' keys too, which no program's configuration names. */
    (void)snprintf(path, sizeof path, "%s/pair", folder); /* likewise */
    rc = rc == ERR_OK ? learn_folder(learn, path, LEARN_KEY, err) : rc;
    (void)snprintf(path, sizeof path, "%s/pair/fence-own", folder); /* likewise */
    return rc == ERR_OK && access(path, F_OK) == 0 ? learn_file(learn, path, LEARN_DEVICE, err)
                                                   : rc;
}

static enum err_code
learn_folders(const struct ctl *ctl, const struct learn *learn, struct err *err)
{
    const char *config = options_text(&ctl->options, OPTION_CONFIG);
    const char *slash = config == NULL ? NULL : strrchr(config, '/');
    char folder[VALUE_SIZE];
    enum err_code rc = learn_beside(learn, PKGSYSCONFDIR, err);

    if (rc != ERR_OK || slash == NULL) {
        return rc;
    }
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - config), config); /* likewise */
    return learn_beside(learn, folder, err);
}

enum err_code
bundle_learn(struct ctl *ctl, struct scrub *scrub, struct buf *missed, struct err *err)
{
    const struct learn learn = {.scrub = scrub, .missed = missed, .credentials = CREDENTIALS};
    const char *token = options_text(&ctl->options, OPTION_TOKEN_FILE);
    enum err_code rc = learn_program(ctl, &learn, false, err);

    if (rc == ERR_OK && access(SUPERVISOR, F_OK) == 0) {
        rc = learn_program(ctl, &learn, true, err); /* without one nobody reads its secrets */
    }
    if (rc == ERR_OK) {
        rc = learn_folders(ctl, &learn, err);
    }
    return rc == ERR_OK && token != NULL ? learn_file(&learn, token, LEARN_LINE, err) : rc;
}

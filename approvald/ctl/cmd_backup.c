/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_backup.c: backup and restore.
 * Owns the way of a backup from approvald's folder to where the admin wants it: every byte is
 * checked on the way, and the file appears under its name only when it is whole and durable.
 * Never believes the path that it is told further than that: what it removes there was written
 * during this call and is that backup. Never touches a store: approvald --restore does. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/program.h"
#include "approvald/ctl/show.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "storage/backup_format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE     1024
#define BACKUP_WAIT_S 3600 /* a store of 8 GiB on a slow disk */
#define POLL_PAUSE_NS 100000000L
#define CTIME_SLACK_S 2 /* the kernel's clock for files may lag a tick */

struct told {
    char path[PATH_SIZE];
    uint64_t size;
    uint64_t pairs;
    uint64_t lsn;
    uint64_t epoch;
};

struct copy {
    int from;
    int to;
    const struct ctl *ctl;
};

static enum err_code write_all(int fd, const char *bytes, size_t size, struct err *err)
{
    while (size > 0) {
        ssize_t got = write(fd, bytes, size);

        if (got < 0 && errno != EINTR) {
            return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "write");
        }
        bytes += got > 0 ? got : 0;
        size -= got > 0 ? (size_t)got : 0;
    }
    return ERR_OK;
}

/* What is checked is what is written. */
static enum err_code
read_and_copy(void *arg, void *at, size_t size, size_t *ret_size, struct err *err)
{
    struct copy *copy = arg;
    ssize_t got;

    do {
        got = read(copy->from, at, size);
    } while (got < 0 && errno == EINTR && copy->ctl->stopped == 0);
    if (got < 0) {
        return err_set_errno(err, ERR_IO, errno, "read");
    }
    *ret_size = (size_t)got;
    return write_all(copy->to, at, (size_t)got, err);
}

static enum err_code copy_checked(struct copy *copy, const struct told *told, struct err *err)
{
    struct backup_walk walk = {.read = read_and_copy, .arg = copy};
    struct backup_header header = {.lineage = 0};
    uint64_t size = 0;
    enum err_code rc = backup_walk(&walk, &header, &size, err);

    if (rc == ERR_OK && (size != told->size || header.position.lsn != told->lsn ||
                         header.position.epoch != told->epoch)) {
        rc = err_set(err, ERR_CONFLICT, "another backup has taken its place: run it again");
    }
    if (rc == ERR_OK && fsync(copy->to) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "fsync");
    }
    return rc;
}

static enum err_code sync_folder(const char *file, struct err *err)
{
    const char *slash = strrchr(file, '/');
    char folder[PATH_SIZE] = ".";
    AUTO_CLOSE int fd = -1;

    if (slash != NULL) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash == file ? 1 : slash - file),
                       file); /* file is shorter */
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", folder);
}

static enum err_code
keep_as(const struct ctl *ctl, int from, const char *file, const struct told *told, struct err *err)
{
    char part[PATH_SIZE];
    AUTO_CLOSE int to = -1;
    struct copy copy = {.from = from, .ctl = ctl};
    int size = snprintf(part, sizeof part, "%s.part", file);
    enum err_code rc;

    if (size < 0 || (size_t)size >= sizeof part) {
        return err_set(err, ERR_INVALID, "%s: too long a path", file);
    }
    to = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        return err_set_errno(err, ERR_DENIED, errno, "%s", part);
    }
    copy.to = to;
    rc = copy_checked(&copy, told, err);
    if (rc == ERR_OK && rename(part, file) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", file);
    }
    if (rc != ERR_OK) {
        (void)unlink(part); /* the error is told */
        return err_wrap(err, rc, "%s", file);
    }
    return sync_folder(file, err);
}

/* Opens what approvald has written: a plain file that is younger than our call. */
static enum err_code open_written(const char *path, int64_t since_s, int *ret_fd, struct err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    *ret_fd = fd; /* the caller's to close */
    if (fd < 0 || fstat(fd, &info) != 0) {
        return err_set_errno(err, ERR_DENIED, errno, "%s", path);
    }
    if (!S_ISREG(info.st_mode) || info.st_ctim.tv_sec + CTIME_SLACK_S < since_s) {
        return err_set(err, ERR_PROTOCOL, "%s: not the backup that was asked for", path);
    }
    return ERR_OK;
}

static void read_told(const struct json *json, struct told *ret_told)
{
    struct span path = json_text(json, "path");

    memset(ret_told, 0, sizeof *ret_told);
    if (path.size < sizeof ret_told->path) {
        memcpy(ret_told->path, path.data == NULL ? "" : path.data, path.size);
    }
    (void)json_u64(json, "size", &ret_told->size); /* absent: 0, which fits no file */
    (void)json_u64(json, "pairs", &ret_told->pairs);
    (void)json_u64(json, "lsn", &ret_told->lsn);
    (void)json_u64(json, "epoch", &ret_told->epoch);
}

/* Asks until the backup of that number is written. */
static int await(struct ctl *ctl, uint64_t number, struct told *ret_told)
{
    const struct timespec pause = {.tv_nsec = POLL_PAUSE_NS};
    const struct client_call call = {.method = "GET", .path = "/v1/backup", .local = true};
    uint64_t limit_s = BACKUP_WAIT_S;
    struct err err = ERR_INIT;
    uint64_t until_ms;

    if (options_seconds(&ctl->options, OPTION_TIMEOUT, &limit_s, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    until_ms = clock_boot_ms(clock_host()) + limit_s * 1000;
    while (ctl->stopped == 0 && clock_boot_ms(clock_host()) < until_ms) {
        const struct client_reply *reply = NULL;
        uint64_t current = 0;
        int code = ctl_call(ctl, &call, &reply);

        if (code != CTL_OK) {
            return code;
        }
        if (!json_u64(reply->json, "number", &current) || current != number) {
            (void)err_set(&err, ERR_UNKNOWN_FATE, "approvald was started anew: run it again");
            return ctl_fail(ctl, CTL_INTERNAL, &err);
        }
        if (span_is(json_text(reply->json, "state"), "done")) {
            read_told(reply->json, ret_told);
            return CTL_OK;
        }
        if (!span_is(json_text(reply->json, "state"), "running")) {
            (void)err_set(&err, ERR_IO, "%.*s", SPAN_ARGS(json_text(reply->json, "error")));
            return ctl_fail(ctl, CTL_INTERNAL, &err);
        }
        (void)nanosleep(&pause, NULL); /* a signal is looked at by the loop */
    }
    (void)err_set(&err, ERR_TIMEOUT, "the backup is not written yet; approvald goes on with it");
    return ctl_fail(ctl, CTL_TIMEOUT, &err);
}

static int start(struct ctl *ctl, uint64_t *ret_number)
{
    const struct client_call call = {
        .method = "POST", .path = "/v1/backup", .once = true, .local = true};
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = ctl_call(ctl, &call, &reply);

    if (code == CTL_OK && !json_u64(reply->json, "number", ret_number)) {
        (void)err_set(&err, ERR_PROTOCOL, "an answer without a number");
        return ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    return code;
}

static int
say_done(const struct ctl *ctl, const char *file, const struct told *told, struct err *err)
{
    AUTO_JSON struct json *object = NULL;
    AUTO_BUF struct buf *text = NULL;

    if (!ctl->json) {
        char line[160];

        (void)snprintf(line, sizeof line,
                       ": %" PRIu64 " bytes, %" PRIu64 " pairs, as of LSN %" PRIu64
                       " (epoch %" PRIu64 ")",
                       told->size, told->pairs, told->lsn, told->epoch); /* fits */
        return ctl_print_line(file, span_text(line), err) == ERR_OK ? CTL_OK
                                                                    : ctl_fail_err(ctl, err);
    }
    object = json_new_object();
    json_add_text(object, "file", span_text(file));
    json_add_u64(object, "size", told->size);
    json_add_u64(object, "pairs", told->pairs);
    json_add_u64(object, "lsn", told->lsn);
    json_add_u64(object, "epoch", told->epoch);
    if (buf_new(CTL_BODY_SIZE_MAX, &text, err) != ERR_OK ||
        json_print(object, text, err) != ERR_OK) {
        return ctl_fail_err(ctl, err);
    }
    ctl_print_json(buf_span(text));
    return CTL_OK;
}

int cmd_backup(struct ctl *ctl)
{
    const char *file = ctl->options.arguments[0];
    int64_t since_s = show_now_s();
    struct err err = ERR_INIT;
    AUTO_CLOSE int from = -1;
    uint64_t number = 0;
    struct told told = {.size = 0};
    int code = start(ctl, &number);

    if (code == CTL_OK) {
        code = await(ctl, number, &told);
    }
    if (code != CTL_OK) {
        return code;
    }
    if (open_written(told.path, since_s, &from, &err) != ERR_OK ||
        keep_as(ctl, from, file, &told, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    (void)unlink(told.path); /* the next backup replaces what could not be removed */
    return say_done(ctl, file, &told, &err);
}

int cmd_restore(struct ctl *ctl)
{
    struct err err = ERR_INIT;

    return ctl_fail(ctl, CTL_INTERNAL,
                    program_exec_with(ctl, "--restore", ctl->options.arguments[0], &err));
}

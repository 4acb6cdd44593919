/* SPDX-License-Identifier: Apache-2.0 */
/* crash_files.c: reports of crashes in a directory: the one of the next crash, and those that were.
 * Owns crash.now and crash-*, and how many stay. Never runs in a signal handler, never trusts what
 * stands in a report: it is cut, and read for known words alone. */
#include "base/crash.h"

#include "base/clock.h"
#include "base/crash_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW    "crash.now"
#define PREFIX "crash-"

/* "crash-1764169200" → the number; false: another file. */
static bool parse_name(const char *name, uint64_t *ret_s)
{
    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0 && strlen(name) < CRASH_NAME_SIZE &&
           text_parse_u64(span_text(name + sizeof PREFIX - 1), ret_s);
}

/* The report that the process before this one left gets its name. In one second there is one. */
static enum err_code name_last(int dir, bool *ret_fresh, struct err *err)
{
    struct stat about;
    char name[CRASH_NAME_SIZE];

    *ret_fresh = false;
    if (fstatat(dir, NOW, &about, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT ? ERR_OK : err_set_errno(err, ERR_IO, errno, NOW);
    }
    if (!S_ISREG(about.st_mode) || about.st_size == 0) {
        return unlinkat(dir, NOW, 0) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, NOW);
    }
    (void)snprintf(name, sizeof name, PREFIX "%" PRIu64, (uint64_t)about.st_mtime); /* fits */
    if (renameat(dir, NOW, dir, name) != 0) {
        return err_set_errno(err, ERR_IO, errno, NOW);
    }
    *ret_fresh = true;
    return ERR_OK;
}

struct newest {
    uint64_t seconds[CRASH_COUNT_MAX + 1]; /* falling; one more, which goes */
    size_t count;
};

static void add_newest(struct newest *newest, uint64_t seconds)
{
    size_t at = newest->count;

    while (at > 0 && newest->seconds[at - 1] < seconds) {
        if (at < CRASH_COUNT_MAX + 1) {
            newest->seconds[at] = newest->seconds[at - 1];
        }
        at--;
    }
    if (at < CRASH_COUNT_MAX + 1) {
        newest->seconds[at] = seconds;
        newest->count += newest->count < CRASH_COUNT_MAX + 1 ? 1 : 0;
    }
}

/* Visits the reports: lists the newest, or (drop) removes those older than the oldest to stay. */
static enum err_code visit(int dir, struct newest *newest, bool drop, struct err *err)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    uint64_t seconds;

    if (stream == NULL) {
        enum err_code rc = err_set_errno(err, ERR_IO, errno, "list");

        if (copy >= 0) {
            (void)close(copy); /* only read */
        }
        return rc;
    }
    while ((entry = readdir(stream)) != NULL) {
        if (!parse_name(entry->d_name, &seconds)) {
            continue;
        }
        if (!drop) {
            add_newest(newest, seconds);
        } else if (seconds < newest->seconds[CRASH_COUNT_MAX - 1]) {
            (void)unlinkat(dir, entry->d_name, 0); /* else the next start does */
        }
    }
    (void)closedir(stream); /* only read */
    return ERR_OK;
}

static enum err_code tidy(int dir, struct newest *newest, struct err *err)
{
    enum err_code rc = visit(dir, newest, false, err);

    if (rc == ERR_OK && newest->count > CRASH_COUNT_MAX) {
        rc = visit(dir, newest, true, err);
        newest->count = CRASH_COUNT_MAX;
    }
    return rc;
}

/* What stands behind word in the first line that begins with word and then prefix; cut to what fits
 * and to characters that can be shown. */
static void
find_line(const char *text, const char *word, const char *prefix, char *ret_value, size_t size)
{
    const char *at = text;
    size_t used = 0;

    while (at != NULL && (strncmp(at, word, strlen(word)) != 0 ||
                          strncmp(at + strlen(word), prefix, strlen(prefix)) != 0)) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    if (at != NULL) {
        for (at += strlen(word); *at > ' ' && *at < 0x7f && used < size - 1; at++) {
            ret_value[used++] = *at;
        }
    }
    ret_value[used] = '\0';
}

/* Signal, and the first frame of the program itself: where it stood, or who called where it stood.
 * The first frame of a backtrace is the handler's. */
static void summarize(int dir, struct crash_found *found)
{
    char text[CRASH_SIZE_MAX + 1];
    char program[CRASH_FRAME_SIZE];
    const char *frames;
    AUTO_CLOSE int fd = openat(dir, found->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size = fd < 0 ? -1 : read(fd, text, CRASH_SIZE_MAX);

    if (size <= 0) {
        return;
    }
    text[size] = '\0';
    find_line(text, "signal ", "", found->signal, sizeof found->signal);
    find_line(text, "program ", "", program, sizeof program);
    find_line(text, "at ", program, found->frame, sizeof found->frame);
    frames = strstr(text, "\nframe ");
    if (found->frame[0] == '\0' && frames != NULL) {
        find_line(frames + sizeof "\nframe " - 1, "frame ", program, found->frame,
                  sizeof found->frame);
    }
}

/* Its room is taken now: a crash on a full disk is told as well. */
static enum err_code open_next(int dir, struct err *err)
{
    int fd =
        openat(dir, NOW, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0) {
        return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, NOW);
    }
    (void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CRASH_SIZE_MAX); /* not every file system can */
    crash_set_fd(fd);
    return ERR_OK;
}

enum err_code crash_open(const char *dir, struct crash_found *ret_found, struct err *err)
{
    AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct crash_found found = {.count = 0};
    struct newest newest = {.count = 0};
    enum err_code rc;

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "crash reports: %s", dir);
    }
    rc = name_last(fd, &found.fresh, err);
    if (rc == ERR_OK) {
        rc = tidy(fd, &newest, err);
    }
    if (rc == ERR_OK) {
        rc = open_next(fd, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "crash reports: %s", dir);
    }
    found.count = newest.count;
    if (newest.count > 0) {
        found.newest_s = newest.seconds[0];
        (void)snprintf(found.name, sizeof found.name, PREFIX "%" PRIu64, found.newest_s); /* fits */
        summarize(fd, &found);
    }
    *ret_found = found;
    return ERR_OK;
}

void crash_tell(const struct crash_found *found, const char *module)
{
    if (found->fresh) {
        log_fields(LOG_LEVEL_ERROR, module, "crash_report", LOG_TEXT("file", found->name),
                   LOG_TEXT("signal", found->signal), LOG_TEXT("at", found->frame));
    }
}

uint64_t crash_age_s(const struct crash_found *found)
{
    uint64_t now_s = clock_wall_ms(clock_host()) / 1000;

    if (found->newest_s == 0) {
        return 0;
    }
    return now_s > found->newest_s ? now_s - found->newest_s : 1; /* a clock went back */
}

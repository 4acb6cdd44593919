/* SPDX-License-Identifier: Apache-2.0 */
/* tz_load.c: reads the file of a zone.
 * Owns that a name cannot lead out of the folder and that no file is read beyond its bound.
 * Never keeps a file open, never interprets one: tz.c does. */
#include "base/tz_load.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE_MAX 512

/* *ret_fd is the caller's to close, also after an error; -1: there is none. */
static enum err_code open_zone(const char *path, int *ret_fd, struct err *err)
{
    /* Links are followed: zones of two names are one file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;

    *ret_fd = fd;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return err_set(err, ERR_NOT_FOUND, "this host has no such time zone (package tzdata)");
    }
    if (fd < 0 || fstat(fd, &status) != 0) {
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return err_set(err, ERR_NOT_FOUND, "this is a folder of time zones, not one of them");
    }
    return ERR_OK;
}

static enum err_code read_zone(int fd, struct buf *bytes, struct err *err)
{
    char room[4096];
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        ssize_t size = read(fd, room, sizeof room);

        if (size == 0) {
            break;
        }
        if (size < 0 && errno != EINTR) {
            return err_set(err, ERR_IO, "read: %s", strerror(errno));
        }
        rc = size < 0 ? ERR_OK : buf_append(bytes, room, (size_t)size, err);
    }
    return rc == ERR_TOO_LARGE ? err_set(err, ERR_CORRUPT, "larger than %d bytes", TZ_SIZE_MAX)
                               : rc;
}

static enum err_code load(const char *path, struct tz **ret_tz, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    AUTO_CLOSE int fd = -1;
    enum err_code rc = open_zone(path, &fd, err);

    if (rc == ERR_OK) {
        rc = buf_new(TZ_SIZE_MAX, &bytes, err);
    }
    if (rc == ERR_OK) {
        rc = read_zone(fd, bytes, err);
    }
    return rc == ERR_OK ? tz_parse(buf_span(bytes), ret_tz, err) : rc;
}

enum err_code tz_load(const char *folder, struct span name, struct tz **ret_tz, struct err *err)
{
    char path[PATH_SIZE_MAX];
    enum err_code rc;
    int size;

    if (!tz_name_is_valid(name)) {
        return err_set(err, ERR_INVALID, "not the name of a time zone, such as Europe/Berlin");
    }
    if (span_is(name, "UTC")) {
        return tz_utc(ret_tz, err);
    }
    size = snprintf(path, sizeof path, "%s/%.*s", folder == NULL ? TZ_FOLDER : folder,
                    SPAN_ARGS(name));
    if (size < 0 || (size_t)size >= sizeof path) {
        return err_set(err, ERR_INVALID, "the folder of time zones has too long a name");
    }
    rc = load(path, ret_tz, err);
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "time zone %.*s", SPAN_ARGS(name));
}

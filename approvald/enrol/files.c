/* SPDX-License-Identifier: Apache-2.0 */
/* files.c: reading, replacing and removing small files.
 * Owns the order: new content under another name, synced, renamed, the folder synced.
 * Never follows a link in the last place, never leaves a secret readable for a moment. */
#include "approvald/enrol/files.h"

#include "approvald/enrol/limits.h"
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART      ".part"
#define PART_SIZE (ENROL_PATH_SIZE + sizeof PART)

static enum err_code read_all(int fd, struct buf *buf, struct err *err)
{
    char piece[4096];

    for (;;) {
        ssize_t size = read(fd, piece, sizeof piece);
        enum err_code rc;

        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            mem_wipe(piece, sizeof piece); /* it may have been a key */
            return size == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "read");
        }
        rc = buf_append(buf, piece, (size_t)size, err);
        if (rc != ERR_OK) {
            mem_wipe(piece, sizeof piece);
            return rc;
        }
    }
}

enum err_code files_read(const char *path, size_t size_max, struct buf **ret_buf, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct buf *buf = NULL;
    struct stat info;
    enum err_code rc;

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "%s", path);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return err_set(err, ERR_IO, "%s: not a plain file", path);
    }
    rc = buf_new(size_max, &buf, err);
    if (rc == ERR_OK) {
        rc = read_all(fd, buf, err);
    }
    if (rc != ERR_OK) {
        buf_free(buf);
        return err_wrap(err, rc, "%s", path);
    }
    *ret_buf = buf;
    return ERR_OK;
}

bool files_exist(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static enum err_code write_all(int fd, struct span content, struct err *err)
{
    while (content.size > 0) {
        ssize_t size = write(fd, content.data, content.size);

        if (size < 0 && errno != EINTR) {
            return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "write");
        }
        if (size > 0) {
            content = span_of(content.data + size, content.size - (size_t)size);
        }
    }
    return ERR_OK;
}

enum err_code files_sync_above(const char *path, struct err *err)
{
    char folder[ENROL_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    AUTO_CLOSE int fd = -1;

    (void)snprintf(folder, sizeof folder, "%.*s",
                   (int)(slash == NULL || slash == path ? 1 : slash - path),
                   slash == NULL ? "." : path); /* path is shorter */
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", folder);
}

static enum err_code
fill(int fd, struct span content, unsigned int mode, uint32_t group, struct err *err)
{
    enum err_code rc = write_all(fd, content, err);

    if (rc == ERR_OK && group != FILES_ANY_GROUP && fchown(fd, (uid_t)-1, group) != 0) {
        rc = err_set_errno(err, ERR_DENIED, errno, "owner");
    }
    if (rc == ERR_OK && fchmod(fd, mode) != 0) {
        rc = err_set_errno(err, ERR_DENIED, errno, "mode");
    }
    if (rc == ERR_OK && fsync(fd) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "fsync");
    }
    return rc;
}

enum err_code files_write(
    const char *path, struct span content, unsigned int mode, uint32_t group, struct err *err)
{
    char part[PART_SIZE];
    AUTO_CLOSE int fd = -1;
    enum err_code rc;

    if (strlen(path) >= ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", path);
    }
    (void)snprintf(part, sizeof part, "%s" PART, path); /* fits */
    (void)unlink(part);                                 /* of a former try */
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set_errno(err, errno == EACCES ? ERR_DENIED : ERR_IO, errno, "%s", part);
    }
    rc = fill(fd, content, mode, group, err);
    if (rc == ERR_OK && rename(part, path) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "rename");
    }
    if (rc != ERR_OK) {
        (void)unlink(part); /* the error is told */
        return err_wrap(err, rc, "%s", path);
    }
    return files_sync_above(path, err);
}

enum err_code files_remove(const char *path, struct err *err)
{
    char part[PART_SIZE];
    int size = snprintf(part, sizeof part, "%s" PART, path);
    /* Of a write that was cut: a part of a secret is one, too. */
    bool cut = size > 0 && (size_t)size < sizeof part && unlink(part) == 0;
    bool whole = unlink(path) == 0;

    if (!whole && errno != ENOENT && errno != ENOTDIR) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    return cut || whole ? files_sync_above(path, err) : ERR_OK;
}

enum err_code files_rename(const char *path, const char *to, struct err *err)
{
    return rename(path, to) == 0 ? files_sync_above(to, err)
                                 : err_set_errno(err, ERR_IO, errno, "%s to %s", path, to);
}

static enum err_code make_above(const char *path, struct err *err)
{
    char above[ENROL_PATH_SIZE];

    for (const char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        (void)snprintf(above, sizeof above, "%.*s", (int)(at - path), path); /* path is shorter */
        if (mkdir(above, 0755) != 0 && errno != EEXIST) {
            return err_set_errno(err, ERR_IO, errno, "%s", above);
        }
    }
    return ERR_OK;
}

enum err_code files_folder(const char *path, unsigned int mode, uint32_t group, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    enum err_code rc;

    if (strlen(path) >= ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", path);
    }
    rc = make_above(path, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (group != FILES_ANY_GROUP && fchown(fd, (uid_t)-1, group) != 0) ||
        fchmod(fd, mode) != 0) {
        return err_set_errno(err, ERR_DENIED, errno, "%s", path);
    }
    return files_sync_above(path, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c: reads secrets.
 * Owns nothing after it returned. Never takes a secret that others can read: it is one no longer.
 * Never puts a secret's bytes into a message. */
#include "approvald/secret.h"

#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_PATH_SIZE 4096

static enum err_code check(int fd, const char *path, size_t size_max, struct err *err)
{
    struct stat about;

    if (fstat(fd, &about) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    if (!S_ISREG(about.st_mode)) {
        return err_set(err, ERR_INVALID, "%s: not a regular file", path);
    }
    if ((about.st_mode & S_IRWXO) != 0) {
        return err_set(err, ERR_DENIED, "%s: others may read it (mode %04o); run: chmod o= %s",
                       path, (unsigned)(about.st_mode & 07777), path);
    }
    if (about.st_uid != 0 && about.st_uid != geteuid()) {
        return err_set(err, ERR_DENIED, "%s: belongs to user id %u, not to root or to us", path,
                       (unsigned)about.st_uid);
    }
    if (about.st_size > (off_t)size_max) {
        return err_set(err, ERR_TOO_LARGE, "%s: larger than %zu bytes", path, size_max);
    }
    return ERR_OK;
}

static enum err_code fill(int fd, const char *path, struct buf *secret, struct err *err)
{
    char *room = NULL;
    ssize_t got = 0;
    size_t size = buf_room(secret);
    enum err_code rc = buf_extend(secret, size, &room, err);

    if (rc != ERR_OK) {
        return rc;
    }
    got = read(fd, room, size);
    if (got < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    while (got > 0 && (room[got - 1] == '\n' || room[got - 1] == '\r')) {
        got--;
    }
    buf_truncate(secret, (size_t)got);
    return got == 0 ? err_set(err, ERR_INVALID, "%s: is empty", path) : ERR_OK;
}

static enum err_code
join_path(const char *folder, const char *name, char *ret_path, struct err *err)
{
    int size =
        snprintf(ret_path, SECRET_PATH_SIZE, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);

    return size < 0 || size >= SECRET_PATH_SIZE ? err_set(err, ERR_TOO_LARGE, "%s: too long", name)
                                                : ERR_OK;
}

/* The unit's own folder, or the copy of it where that one is somebody else's. */
static enum err_code credential_path(const char *name, char *ret_path, struct err *err)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char copy[SECRET_PATH_SIZE];
    enum err_code rc = join_path(SECRET_CREDENTIALS, name, copy, err);
    bool copied = rc == ERR_OK && access(copy, F_OK) == 0;

    if (rc == ERR_OK && directory != NULL) {
        rc = join_path(directory, name, ret_path, err);
        copied = copied && rc == ERR_OK && access(ret_path, R_OK) != 0;
    }
    if (rc == ERR_OK && copied) {
        memcpy(ret_path, copy, sizeof copy);
    } else if (rc == ERR_OK && directory == NULL) {
        rc = err_set(err, ERR_INVALID,
                     "%s: give a path, or load a credential of this name (LoadCredential=)", name);
    }
    return rc;
}

static enum err_code full_path(const char *path, char *ret_path, struct err *err)
{
    return strchr(path, '/') != NULL ? join_path("", path, ret_path, err)
                                     : credential_path(path, ret_path, err);
}

enum err_code
secret_load(const char *path, size_t size_max, struct buf **ret_secret, struct err *err)
{
    AUTO_CLOSE int fd = -1;
    struct buf *secret = NULL;
    char full[SECRET_PATH_SIZE];
    enum err_code rc = full_path(path, full, err);

    if (rc != ERR_OK) {
        return rc;
    }
    fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, errno, "%s", full);
    }
    rc = check(fd, full, size_max, err);
    if (rc == ERR_OK) {
        rc = buf_new(size_max, &secret, err);
    }
    if (rc == ERR_OK) {
        rc = fill(fd, full, secret, err);
    }
    if (rc != ERR_OK) {
        secret_free(secret);
        return rc;
    }
    *ret_secret = secret;
    return ERR_OK;
}

void secret_free(struct buf *secret)
{
    if (secret != NULL) {
        buf_wipe(secret);
        buf_free(secret);
    }
}

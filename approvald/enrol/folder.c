/* SPDX-License-Identifier: Apache-2.0 */
/* folder.c: folders beside a store.
 * Owns what is done to them as root. Never follows a symbolic link in the last place: what is above
 * a store may be its user's, who could put one there in between. Never removes a folder's folders.
 */
#include "approvald/enrol/folder.h"

#include "approvald/enrol/files.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum err_code folder_is_empty(const char *path, bool *ret_empty, struct err *err)
{
    DIR *dir = opendir(path);
    size_t count = 0;

    if (dir == NULL && errno != ENOENT) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    if (dir != NULL) {
        for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
            count += !is_dots(entry->d_name) && strcmp(entry->d_name, "lost+found") != 0;
        }
        (void)closedir(dir); /* only read */
    }
    *ret_empty = count == 0;
    return ERR_OK;
}

/* Also one of a folder of the same file system, which has no device of its own. */
static enum err_code is_mount(const char *path, bool *ret_mount, struct err *err)
{
    struct statx info;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &info) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    *ret_mount = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return ERR_OK;
}

static enum err_code refuse(const char *path, const char *why, struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "%s %s and cannot be renamed: stop approvald-supervisor, move what is in it "
                   "into a folder in it (same owner, mode 0700), make that data_dir, start, repeat",
                   path, why);
}

/* EXDEV within one folder: it came with the image of a container. */
static enum err_code fail(const char *from, const char *to, int failure, struct err *err)
{
    if (failure == EBUSY || failure == EXDEV) {
        return refuse(from, failure == EBUSY ? "is a mount point" : "is of an image's layer", err);
    }
    return err_set_errno(err, ERR_IO, failure, "%s to %s", from, to);
}

enum err_code folder_may_move(const char *path, struct err *err)
{
    bool mount = false;
    enum err_code rc = is_mount(path, &mount, err);

    return rc == ERR_OK && mount ? refuse(path, "is a mount point", err) : rc;
}

enum err_code folder_move(const char *from, const char *to, struct err *err)
{
    return rename(from, to) == 0 ? files_sync_above(to, err) : fail(from, to, errno, err);
}

enum err_code folder_make(const char *path, uid_t user, gid_t group, struct err *err)
{
    AUTO_CLOSE int fd = -1;

    if (mkdir(path, 0700) != 0) {
        return err_set_errno(err, errno == EEXIST ? ERR_EXISTS : ERR_IO, errno, "%s", path);
    }
    fd = open(path, OPEN_FLAGS);
    return fd >= 0 && fchown(fd, user, group) == 0 ? ERR_OK
                                                   : err_set_errno(err, ERR_IO, errno, "%s", path);
}

static enum err_code remove_files(DIR *dir, const char *path, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (!is_dots(entry->d_name) && unlinkat(dirfd(dir), entry->d_name, 0) != 0) {
            rc = err_set_errno(err, ERR_IO, errno, "%s/%s", path, entry->d_name);
        }
    }
    return rc;
}

enum err_code folder_remove(const char *path, struct err *err)
{
    int fd = open(path, OPEN_FLAGS);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    enum err_code rc;

    if (dir == NULL && (errno == ELOOP || errno == ENOTDIR)) {
        return files_remove(path, err); /* a link, not what it leads to */
    }
    if (dir == NULL) {
        rc = errno == ENOENT ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", path);
        if (fd >= 0) {
            (void)close(fd); /* only opened */
        }
        return rc;
    }
    rc = remove_files(dir, path, err);
    (void)closedir(dir); /* only read */
    if (rc == ERR_OK && rmdir(path) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    return rc;
}

/* Where the file system cannot exchange two names: whoever is cut in between has no folder. */
static enum err_code
move_and_make(const char *path, const char *kept, const struct stat *info, struct err *err)
{
    enum err_code rc = folder_move(path, kept, err);

    return rc == ERR_OK ? folder_make(path, info->st_uid, info->st_gid, err) : rc;
}

enum err_code folder_set_aside(const char *path, const char *kept, struct err *err)
{
    struct stat info;
    enum err_code rc;
    int failure;

    if (lstat(path, &info) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    (void)rmdir(kept); /* of a try that was cut here: only an empty one goes */
    rc = folder_make(kept, info.st_uid, info.st_gid, err);
    if (rc != ERR_OK) {
        return rc;
    }
    failure = renameat2(AT_FDCWD, path, AT_FDCWD, kept, RENAME_EXCHANGE) == 0 ? 0 : errno;
    if (failure != 0) {
        (void)rmdir(kept); /* empty; the reason is told, or it is tried again */
    }
    if (failure == EINVAL || failure == ENOSYS) {
        rc = move_and_make(path, kept, &info, err);
    } else if (failure != 0) {
        rc = fail(path, kept, failure, err);
    }
    return rc == ERR_OK ? files_sync_above(path, err) : rc;
}

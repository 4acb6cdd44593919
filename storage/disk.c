/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c: the files of this host.
 * Owns the system calls of the WAL and the storage's small files, and the meaning of errno.
 * Never retries a sync, never caches, never logs. A call cut short by a signal goes on. */
#include "storage/disk.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum err_code code_of(int number)
{
    static const struct {
        int number;
        enum err_code code;
    } table[] = {
        {ENOSPC, ERR_NOSPACE},   {EDQUOT, ERR_NOSPACE}, {EFBIG, ERR_NOSPACE},
        {EACCES, ERR_DENIED},    {EPERM, ERR_DENIED},   {EROFS, ERR_DENIED},
        {ENOENT, ERR_NOT_FOUND}, {EEXIST, ERR_EXISTS},  {ENOTDIR, ERR_INVALID},
        {EWOULDBLOCK, ERR_BUSY}, {ENOMEM, ERR_NOMEM},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].number == number) {
            return table[i].code;
        }
    }
    return ERR_IO;
}

static enum err_code
host_open(void *arg, const char *path, enum disk_open how, int *ret_file, struct err *err)
{
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    int file;

    (void)arg;
    if (how == DISK_OPEN_CREATE) {
        flags |= O_CREAT | O_TRUNC;
    }
    file = open(path, flags, 0600);
    if (file < 0) {
        return err_set_errno(err, code_of(errno), errno, "open %s", path);
    }
    *ret_file = file;
    return ERR_OK;
}

static void host_close(void *arg, int file)
{
    (void)arg;
    (void)close(file); /* what mattered was synced before; close has nothing to add */
}

static enum err_code
host_read(void *arg, int file, uint64_t offset, void *bytes, size_t size, struct err *err)
{
    char *at = bytes;

    (void)arg;
    while (size > 0) {
        ssize_t got = pread(file, at, size, (off_t)offset);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set_errno(err, code_of(errno), errno, "read");
        }
        if (got == 0) {
            return err_set(err, ERR_IO, "read: the file ends at byte %ju", (uintmax_t)offset);
        }
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return ERR_OK;
}

static enum err_code
host_write(void *arg, int file, uint64_t offset, const void *bytes, size_t size, struct err *err)
{
    const char *at = bytes;

    (void)arg;
    while (size > 0) {
        ssize_t put = pwrite(file, at, size, (off_t)offset);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return err_set_errno(err, code_of(errno), errno, "write");
        }
        at += put;
        size -= (size_t)put;
        offset += (uint64_t)put;
    }
    return ERR_OK;
}

static enum err_code host_sync(void *arg, int file, struct err *err)
{
    (void)arg;
    if (fdatasync(file) != 0) {
        return err_set_errno(err, code_of(errno), errno, "fdatasync");
    }
    return ERR_OK;
}

static enum err_code host_sync_dir(void *arg, const char *dir, struct err *err)
{
    AUTO_CLOSE int file = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)arg;
    if (file < 0) {
        return err_set_errno(err, code_of(errno), errno, "open %s", dir);
    }
    if (fsync(file) != 0) {
        return err_set_errno(err, code_of(errno), errno, "fsync %s", dir);
    }
    return ERR_OK;
}

static enum err_code host_size(void *arg, int file, uint64_t *ret_size, struct err *err)
{
    struct stat info;

    (void)arg;
    if (fstat(file, &info) != 0) {
        return err_set_errno(err, code_of(errno), errno, "fstat");
    }
    *ret_size = (uint64_t)info.st_size;
    return ERR_OK;
}

static enum err_code host_allocate(void *arg, int file, uint64_t size, struct err *err)
{
    int number = posix_fallocate(file, 0, (off_t)size);

    (void)arg;
    if (number != 0) {
        return err_set_errno(err, code_of(number), number, "allocate %ju bytes", (uintmax_t)size);
    }
    return ERR_OK;
}

static enum err_code host_rename(void *arg, const char *from, const char *to, struct err *err)
{
    (void)arg;
    if (rename(from, to) != 0) {
        return err_set_errno(err, code_of(errno), errno, "rename %s to %s", from, to);
    }
    return ERR_OK;
}

static enum err_code host_unlink(void *arg, const char *path, struct err *err)
{
    (void)arg;
    if (unlink(path) != 0) {
        return err_set_errno(err, code_of(errno), errno, "unlink %s", path);
    }
    return ERR_OK;
}

static enum err_code host_list(void *arg, const char *dir, struct disk_list list, struct err *err)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;
    bool more = true;
    int number = 0;

    (void)arg;
    if (stream == NULL) {
        return err_set_errno(err, code_of(errno), errno, "list %s", dir);
    }
    while (more) {
        errno = 0;
        entry = readdir(stream);
        number = errno;
        if (entry == NULL) {
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            more = list.visit(list.arg, entry->d_name);
        }
    }
    (void)closedir(stream); /* it was only read */
    if (number != 0) {
        return err_set_errno(err, code_of(number), number, "list %s", dir);
    }
    return ERR_OK;
}

static enum err_code host_free_size(void *arg, const char *dir, uint64_t *ret_size, struct err *err)
{
    struct statvfs info;

    (void)arg;
    if (statvfs(dir, &info) != 0) {
        return err_set_errno(err, code_of(errno), errno, "statvfs %s", dir);
    }
    *ret_size = (uint64_t)info.f_bavail * info.f_frsize;
    return ERR_OK;
}

static enum err_code host_lock(void *arg, const char *path, int *ret_file, struct err *err)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int number;

    (void)arg;
    if (file < 0) {
        return err_set_errno(err, code_of(errno), errno, "open %s", path);
    }
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        *ret_file = file;
        return ERR_OK;
    }
    number = errno;
    (void)close(file); /* nothing was written */
    if (number == EWOULDBLOCK) {
        return err_set(err, ERR_BUSY, "%s is locked: another process uses the store", path);
    }
    return err_set_errno(err, code_of(number), number, "lock %s", path);
}

static enum err_code host_check_dir(void *arg, const char *dir, struct err *err)
{
    struct stat info;

    (void)arg;
    if (stat(dir, &info) != 0) {
        return err_set_errno(err, code_of(errno), errno, "data directory %s", dir);
    }
    if (!S_ISDIR(info.st_mode)) {
        return err_set(err, ERR_DENIED, "%s is not a directory", dir);
    }
    if (info.st_uid != geteuid()) {
        return err_set(err, ERR_DENIED, "%s belongs to user %u, this process runs as %u: chown it",
                       dir, (unsigned)info.st_uid, (unsigned)geteuid());
    }
    if ((info.st_mode & 077) != 0) {
        return err_set(err, ERR_DENIED, "%s has mode %04o, others may enter: chmod 0700", dir,
                       (unsigned)(info.st_mode & 07777));
    }
    if (access(dir, R_OK | W_OK | X_OK) != 0) {
        return err_set_errno(err, code_of(errno), errno, "data directory %s", dir);
    }
    return ERR_OK;
}

const struct disk *disk_host(void)
{
    static const struct disk disk = {
        .open = host_open,
        .close = host_close,
        .read = host_read,
        .write = host_write,
        .sync = host_sync,
        .sync_dir = host_sync_dir,
        .size = host_size,
        .allocate = host_allocate,
        .rename = host_rename,
        .unlink = host_unlink,
        .list = host_list,
        .free_size = host_free_size,
        .lock = host_lock,
        .check_dir = host_check_dir,
        .arg = NULL,
    };

    return &disk;
}

enum err_code disk_path(char *path, const char *dir, const char *name, struct err *err)
{
    int size;

    ASSERT(path != NULL);
    ASSERT(dir != NULL && name != NULL);
    size = snprintf(path, STORAGE_PATH_SIZE_MAX, "%s/%s", dir, name);
    if (size < 0 || (unsigned)size >= STORAGE_PATH_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "path of %s is too long", name);
    }
    return ERR_OK;
}

struct name_search {
    const char *name;
    bool found;
};

static bool search_name(void *arg, const char *name)
{
    struct name_search *search = arg;

    search->found = strcmp(search->name, name) == 0;
    return !search->found;
}

enum err_code disk_exists(
    const struct disk *disk, const char *dir, const char *name, bool *ret_exists, struct err *err)
{
    struct name_search search = {.name = name, .found = false};
    struct disk_list list = {.visit = search_name, .arg = &search};
    enum err_code rc = disk->list(disk->arg, dir, list, err);

    if (rc == ERR_OK) {
        *ret_exists = search.found;
    }
    return rc;
}

enum err_code
disk_remove(const struct disk *disk, const char *dir, const char *name, struct err *err)
{
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk_path(path, dir, name, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = disk->unlink(disk->arg, path, err);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code disk_put(
    const struct disk *disk, const char *dir, const char *name, struct span bytes, struct err *err)
{
    char path[STORAGE_PATH_SIZE_MAX];
    char path_new[STORAGE_PATH_SIZE_MAX];
    int file = -1;
    int size;
    enum err_code rc = disk_path(path, dir, name, err);

    if (rc != ERR_OK) {
        return rc;
    }
    size = snprintf(path_new, sizeof path_new, "%s.tmp", path);
    if (size < 0 || (unsigned)size >= sizeof path_new) {
        return err_set(err, ERR_TOO_LARGE, "path of %s is too long", name);
    }
    rc = disk->open(disk->arg, path_new, DISK_OPEN_CREATE, &file, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = disk->write(disk->arg, file, 0, bytes.data, bytes.size, err);
    if (rc == ERR_OK) {
        rc = disk->sync(disk->arg, file, err);
    }
    disk->close(disk->arg, file);
    if (rc == ERR_OK) {
        rc = disk->rename(disk->arg, path_new, path, err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync_dir(disk->arg, dir, err);
    }
    return rc;
}

enum err_code disk_get(const struct disk *disk,
                       const char *dir,
                       const char *name,
                       struct disk_get into,
                       uint64_t *ret_size,
                       struct err *err)
{
    char path[STORAGE_PATH_SIZE_MAX];
    uint64_t size = 0;
    int file = -1;
    enum err_code rc = disk_path(path, dir, name, err);

    if (rc == ERR_OK) {
        rc = disk->open(disk->arg, path, DISK_OPEN_EXISTING, &file, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = disk->size(disk->arg, file, &size, err);
    if (rc == ERR_OK && size == into.size) {
        rc = disk->read(disk->arg, file, 0, into.bytes, into.size, err);
    }
    disk->close(disk->arg, file);
    *ret_size = size;
    return rc;
}

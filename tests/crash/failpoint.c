/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint.c: a preloaded library that kills the process at a named point of its I/O.
 * Owns the interposed calls write, writev, pwrite, pwritev, fdatasync, fsync, msync and rename.
 * Never changes what a call does, except "wal-torn", which writes half and dies.
 *
 * FAILPOINT=NAME:N kills at the N-th passage of NAME:
 *   wal-write wal-torn wal-written   before, in the middle of, after a write to a WAL segment
 *   wal-sync wal-synced              before, after a sync of a WAL segment
 *   state-write state-written        before, after a write to LMDB's file
 *   state-sync state-synced          before, after a sync of LMDB's file
 *   rename renamed                   before, after a rename
 *   reply replied                    before, after writing to a socket
 * The product itself has no test hooks: the points are where it speaks to the kernel. */
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum file_kind { FILE_OTHER, FILE_WAL, FILE_STATE, FILE_SOCKET };

static struct {
    char name[32];
    long count;
    atomic_long seen;
} failpoint;

__attribute__((constructor)) static void failpoint_init(void)
{
    const char *text = getenv("FAILPOINT");
    const char *colon = text == NULL ? NULL : strchr(text, ':');

    if (colon != NULL && (size_t)(colon - text) < sizeof failpoint.name) {
        memcpy(failpoint.name, text, (size_t)(colon - text));
        failpoint.count = strtol(colon + 1, NULL, 10);
    }
}

static bool failpoint_hit(const char *name)
{
    return strcmp(failpoint.name, name) == 0 &&
           atomic_fetch_add(&failpoint.seen, 1) + 1 == failpoint.count;
}

static void failpoint_die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

static void failpoint_pass(const char *name)
{
    if (failpoint_hit(name)) {
        failpoint_die();
    }
}

static enum file_kind file_kind(int fd)
{
    struct stat info;
    char link[48];
    char path[512];
    ssize_t size;

    if (fstat(fd, &info) != 0) {
        return FILE_OTHER;
    }
    if (S_ISSOCK(info.st_mode)) {
        return FILE_SOCKET;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path - 1);
    if (!S_ISREG(info.st_mode) || size <= 0) {
        return FILE_OTHER;
    }
    path[size] = '\0';
    if (strstr(path, ".mdb") != NULL) {
        return FILE_STATE;
    }
    return strstr(path, "wal") != NULL ? FILE_WAL : FILE_OTHER;
}

static const char *const before_write[] = {NULL, "wal-write", "state-write", "reply"};
static const char *const after_write[] = {NULL, "wal-written", "state-written", "replied"};
static const char *const before_sync[] = {NULL, "wal-sync", "state-sync", NULL};
static const char *const after_sync[] = {NULL, "wal-synced", "state-synced", NULL};

static void pass(const char *const *names, enum file_kind kind)
{
    if (failpoint.count > 0 && names[kind] != NULL) {
        failpoint_pass(names[kind]);
    }
}

/* dlsym gives an object pointer for a function; POSIX promises that the bits fit. */
#define REAL(name)                                                                                 \
    static __typeof__(&(name)) real;                                                               \
    if (real == NULL) {                                                                            \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof real);                                                       \
    }

#define KIND(fd) (failpoint.count > 0 ? file_kind(fd) : FILE_OTHER)

/* The names of parameters are ours, not the C library's reserved ones. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t write(int fd, const void *data, size_t size)
{
    enum file_kind kind = KIND(fd);
    ssize_t got;
    REAL(write)

    pass(before_write, kind);
    got = real(fd, data, size);
    pass(after_write, kind);
    return got;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    enum file_kind kind = KIND(fd);
    ssize_t got;
    REAL(writev)

    pass(before_write, kind);
    got = real(fd, parts, count);
    pass(after_write, kind);
    return got;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    enum file_kind kind = KIND(fd);
    ssize_t got;
    REAL(pwrite)

    pass(before_write, kind);
    if (kind == FILE_WAL && failpoint_hit("wal-torn")) {
        (void)real(fd, data, size / 2, offset);
        failpoint_die();
    }
    got = real(fd, data, size, offset);
    pass(after_write, kind);
    return got;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    enum file_kind kind = KIND(fd);
    ssize_t got;
    REAL(pwritev)

    pass(before_write, kind);
    got = real(fd, parts, count, offset);
    pass(after_write, kind);
    return got;
}

/* Programs built with 64-bit file offsets call these names. */
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((alias("pwritev")));

int fdatasync(int fd)
{
    enum file_kind kind = KIND(fd);
    int rc;
    REAL(fdatasync)

    pass(before_sync, kind);
    rc = real(fd);
    pass(after_sync, kind);
    return rc;
}

int fsync(int fd)
{
    enum file_kind kind = KIND(fd);
    int rc;
    REAL(fsync)

    pass(before_sync, kind);
    rc = real(fd);
    pass(after_sync, kind);
    return rc;
}

int msync(void *address, size_t size, int flags)
{
    int rc;
    REAL(msync)

    pass(before_sync, FILE_STATE);
    rc = real(address, size, flags);
    pass(after_sync, FILE_STATE);
    return rc;
}

int rename(const char *from, const char *to)
{
    int rc;
    REAL(rename)

    failpoint_pass("rename");
    rc = real(from, to);
    failpoint_pass("renamed");
    return rc;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

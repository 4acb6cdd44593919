/* SPDX-License-Identifier: Apache-2.0 */
/* io_tap.c: sees every file call of the process below one directory.
 * Owns the definitions of the file calls in this program, the table of watched descriptors and the
 * recording. Never changes what a call does, except that a fault may fail it before it is made.
 * A write is recorded before it is made (its bytes may reach the disk from then on), a sync before
 * and after: only what was written before its start is durable after its end. */
#include "tests/lib/io_tap.h"

#include "base/assert.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTOR_COUNT_MAX 1024
#define OBJECT_COUNT_MAX     1024

struct watched {
    uint32_t object; /* 0: not watched; DIRECTORY: the directory itself */
    bool synchronous;
};

#define DIRECTORY UINT32_MAX

struct named {
    char name[TAP_NAME_SIZE];
    uint32_t object;
};

static struct {
    pthread_mutex_t lock;
    char dir[256];
    struct watched descriptors[DESCRIPTOR_COUNT_MAX];
    struct named names[OBJECT_COUNT_MAX];
    uint32_t name_count;
    uint32_t object_count;
    struct tap_trace *trace;
    struct fault *fault;
    bool fault_syncs_only;
    int fault_errno;
    uint64_t sync_us;
} tap = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The C library's own functions. */
static struct {
    int (*open)(const char *, int, mode_t);
    int (*close)(int);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    int (*fdatasync)(int);
    int (*fsync)(int);
    int (*ftruncate)(int, off_t);
    int (*posix_fallocate)(int, off_t, off_t);
    int (*rename)(const char *, const char *);
    int (*unlink)(const char *);
} real;

static void find_real(const char *name, void *slot)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    ASSERT(symbol != NULL);
    memcpy(slot, &symbol, sizeof symbol);
}

/* Before main and so before any thread; earlier for who calls earlier. */
__attribute__((constructor)) static void find_all(void)
{
    if (real.unlink != NULL) {
        return;
    }
    find_real("open", &real.open);
    find_real("close", &real.close);
    find_real("pwrite", &real.pwrite);
    find_real("write", &real.write);
    find_real("writev", &real.writev);
    find_real("fdatasync", &real.fdatasync);
    find_real("fsync", &real.fsync);
    find_real("ftruncate", &real.ftruncate);
    find_real("posix_fallocate", &real.posix_fallocate);
    find_real("rename", &real.rename);
    find_real("unlink", &real.unlink);
}

static void lock(void)
{
    (void)pthread_mutex_lock(&tap.lock);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&tap.lock);
}

/* The name below the watched directory, or NULL. */
static const char *below(const char *path)
{
    size_t size = strlen(tap.dir);

    if (size == 0 || strncmp(path, tap.dir, size) != 0 || path[size] != '/') {
        return NULL;
    }
    return path + size + 1;
}

static void copy_name(char to[TAP_NAME_SIZE], const char *name)
{
    size_t size = strlen(name);

    ASSERT(size < TAP_NAME_SIZE);
    memcpy(to, name, size + 1);
}

static struct named *find_name(const char *name)
{
    for (uint32_t i = 0; i < tap.name_count; i++) {
        if (strcmp(tap.names[i].name, name) == 0) {
            return &tap.names[i];
        }
    }
    return NULL;
}

static void forget_name(const char *name)
{
    struct named *named = find_name(name);

    if (named != NULL) {
        *named = tap.names[--tap.name_count];
    }
}

static struct named *learn_name(const char *name)
{
    struct named *named = &tap.names[tap.name_count++];

    ASSERT(tap.name_count < OBJECT_COUNT_MAX);
    copy_name(named->name, name);
    named->object = ++tap.object_count;
    return named;
}

/* Lock held. Returns the event's number. */
static uint64_t record(const struct tap_event *event)
{
    struct tap_trace *trace = tap.trace;

    if (trace == NULL) {
        return 0;
    }
    if (trace->count == trace->room) {
        trace->room = trace->room == 0 ? 1024 : trace->room * 2;
        trace->events = realloc(trace->events, trace->room * sizeof *trace->events);
        ASSERT(trace->events != NULL);
    }
    trace->events[trace->count] = *event;
    return trace->count++;
}

static void record_name(enum tap_kind kind, uint32_t object, const char *name, const char *to)
{
    struct tap_event event = {.kind = kind, .object = object};

    copy_name(event.name, name);
    copy_name(event.name_to, to);
    (void)record(&event);
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static void record_write(int fd, uint64_t offset, const void *bytes, size_t size)
{
    struct tap_event event = {.kind = TAP_WRITE, .offset = offset, .size = size};

    if (fd < 0 || fd >= DESCRIPTOR_COUNT_MAX) {
        return;
    }
    lock();
    event.object = tap.descriptors[fd].object;
    if (event.object != 0 && event.object != DIRECTORY && tap.trace != NULL) {
        if (!all_zero(bytes, size)) {
            event.bytes = malloc(size);
            ASSERT(event.bytes != NULL);
            memcpy(event.bytes, bytes, size);
        }
        (void)record(&event);
    }
    unlock();
}

static bool is_watched(int fd)
{
    return fd >= 0 && fd < DESCRIPTOR_COUNT_MAX && tap.descriptors[fd].object != 0;
}

static bool refused(bool watched, bool sync)
{
    bool hit = false;

    if (watched && tap.fault != NULL && (sync || !tap.fault_syncs_only)) {
        hit = fault_hit(tap.fault);
    }
    if (hit) {
        errno = tap.fault_errno;
    }
    return hit;
}

void tap_watch(const char *dir)
{
    lock();
    (void)snprintf(tap.dir, sizeof tap.dir, "%s", dir);
    memset(tap.descriptors, 0, sizeof tap.descriptors);
    tap.name_count = 0;
    tap.object_count = 0;
    unlock();
}

/* A file that is there already: as if it had been made, written and synced. Lock held. */
static void record_file(const char *name)
{
    struct tap_event event = {.kind = TAP_WRITE, .object = learn_name(name)->object};
    char path[512];
    struct stat info;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", tap.dir, name);
    fd = real.open(path, O_RDONLY | O_CLOEXEC, 0);
    ASSERT(fd >= 0 && fstat(fd, &info) == 0);
    record_name(TAP_CREATE, event.object, name, "");
    event.size = (uint64_t)info.st_size;
    event.bytes = malloc(event.size + 1);
    ASSERT(event.bytes != NULL);
    ASSERT(pread(fd, event.bytes, event.size, 0) == (ssize_t)event.size);
    (void)record(&event);
    event = (struct tap_event){.kind = TAP_SYNC_END, .object = event.object, .since = UINT64_MAX};
    (void)record(&event);
    (void)real.close(fd);
}

static void record_files(void)
{
    struct tap_event event = {.kind = TAP_SYNC_DIR, .object = DIRECTORY};
    DIR *dir = opendir(tap.dir);
    const struct dirent *entry;

    ASSERT(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            record_file(entry->d_name);
        }
    }
    (void)closedir(dir);
    (void)record(&event);
}

void tap_record(struct tap_trace *trace)
{
    lock();
    tap.trace = trace;
    if (trace != NULL) {
        record_files();
    }
    unlock();
}

void tap_slow_syncs(uint64_t microseconds)
{
    tap.sync_us = microseconds;
}

static void set_fault(struct fault *fault, int number, bool syncs_only)
{
    lock();
    tap.fault = fault;
    tap.fault_errno = number;
    tap.fault_syncs_only = syncs_only;
    unlock();
}

void tap_fail(struct fault *fault, int number)
{
    set_fault(fault, number, false);
}

void tap_fail_syncs(struct fault *fault, int number)
{
    set_fault(fault, number, true);
}

void tap_mark(uint64_t number)
{
    struct tap_event event = {.kind = TAP_MARK, .offset = number};

    lock();
    (void)record(&event);
    unlock();
}

void tap_trace_free(struct tap_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        free(trace->events[i].bytes);
    }
    free(trace->events);
    memset(trace, 0, sizeof *trace);
}

/* A descriptor now stands for a name. Lock held. */
static void note_open(int fd, const char *name, int flags)
{
    struct named *named = find_name(name);
    struct tap_event event = {.kind = TAP_RESIZE};

    if (named == NULL) {
        named = learn_name(name);
        record_name(TAP_CREATE, named->object, name, "");
    } else if ((flags & O_TRUNC) != 0) {
        event.object = named->object;
        (void)record(&event);
    }
    tap.descriptors[fd] =
        (struct watched){.object = named->object, .synchronous = (flags & O_DSYNC) != 0};
}

static int tapped_open(const char *path, int flags, mode_t mode)
{
    const char *name = below(path);
    bool directory = strcmp(path, tap.dir) == 0 && tap.dir[0] != '\0';
    int fd;

    if (refused(name != NULL && (flags & O_CREAT) != 0, false)) {
        return -1;
    }
    fd = real.open(path, flags, mode);
    if (fd >= 0 && fd < DESCRIPTOR_COUNT_MAX) {
        lock();
        tap.descriptors[fd] = (struct watched){.object = directory ? DIRECTORY : 0};
        if (name != NULL) {
            note_open(fd, name, flags);
        }
        unlock();
    }
    return fd;
}

/* The parameters' names of the C library are reserved ones. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    if ((flags & O_CREAT) != 0) {
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return tapped_open(path, flags, mode);
}

int close(int fd)
{
    find_all();
    if (fd >= 0 && fd < DESCRIPTOR_COUNT_MAX) {
        lock();
        tap.descriptors[fd].object = 0;
        unlock();
    }
    return real.close(fd);
}

/* A write through an O_DSYNC descriptor is durable when it returns. */
static uint64_t begin_sync(int fd)
{
    struct tap_event event = {.kind = TAP_SYNC_BEGIN};
    uint64_t number;

    lock();
    event.object = tap.descriptors[fd].object;
    number = record(&event);
    unlock();
    return number;
}

static void end_sync(int fd, uint64_t since)
{
    struct tap_event event = {.kind = TAP_SYNC_END, .since = since};

    lock();
    event.object = tap.descriptors[fd].object;
    if (event.object == DIRECTORY) {
        event.kind = TAP_SYNC_DIR;
    }
    (void)record(&event);
    unlock();
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    bool synchronous = is_watched(fd) && tap.descriptors[fd].synchronous;
    uint64_t since;
    ssize_t put;

    if (refused(is_watched(fd), synchronous)) {
        return -1;
    }
    record_write(fd, (uint64_t)offset, bytes, size);
    since = synchronous ? begin_sync(fd) : 0;
    put = real.pwrite(fd, bytes, size, offset);
    if (synchronous && put == (ssize_t)size) {
        end_sync(fd, since);
    }
    return put;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    find_all();
    if (refused(is_watched(fd), false)) {
        return -1;
    }
    if (is_watched(fd)) {
        record_write(fd, (uint64_t)lseek(fd, 0, SEEK_CUR), bytes, size);
    }
    return real.write(fd, bytes, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    uint64_t offset;

    if (refused(is_watched(fd), false)) {
        return -1;
    }
    if (is_watched(fd)) {
        offset = (uint64_t)lseek(fd, 0, SEEK_CUR);
        for (int i = 0; i < count; i++) {
            record_write(fd, offset, parts[i].iov_base, parts[i].iov_len);
            offset += parts[i].iov_len;
        }
    }
    return real.writev(fd, parts, count);
}

static int tapped_sync(int fd, int (*sync_call)(int))
{
    bool watched = is_watched(fd);
    uint64_t since;
    int rc;

    if (refused(watched, true)) {
        return -1;
    }
    since = watched ? begin_sync(fd) : 0;
    if (watched && tap.sync_us > 0) {
        (void)usleep((useconds_t)tap.sync_us); /* any length will do */
    }
    rc = sync_call(fd);
    if (watched && rc == 0) {
        end_sync(fd, since);
    }
    return rc;
}

int fdatasync(int fd)
{
    find_all();
    return tapped_sync(fd, real.fdatasync);
}

int fsync(int fd)
{
    find_all();
    return tapped_sync(fd, real.fsync);
}

static void record_resize(int fd, uint64_t size)
{
    struct tap_event event = {.kind = TAP_RESIZE, .offset = size};

    lock();
    event.object = tap.descriptors[fd].object;
    (void)record(&event);
    unlock();
}

int ftruncate(int fd, off_t size)
{
    find_all();
    if (refused(is_watched(fd), false)) {
        return -1;
    }
    if (is_watched(fd)) {
        record_resize(fd, (uint64_t)size);
    }
    return real.ftruncate(fd, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    find_all();
    if (refused(is_watched(fd), false)) {
        return errno;
    }
    if (is_watched(fd)) {
        record_resize(fd, (uint64_t)(offset + size));
    }
    return real.posix_fallocate(fd, offset, size);
}

int rename(const char *from, const char *to)
{
    const char *name = below(from);
    const char *name_to = below(to);
    int rc;

    if (refused(name != NULL, false)) {
        return -1;
    }
    lock();
    rc = real.rename(from, to);
    if (rc == 0 && name != NULL && name_to != NULL) {
        struct named *named = find_name(name);

        if (named == NULL) {
            ASSERT(tap.trace == NULL); /* it is older than the watch: what it holds is not known */
            named = learn_name(name);
        }
        record_name(TAP_RENAME, named->object, name, name_to);
        forget_name(name_to);
        copy_name(find_name(name)->name, name_to);
    }
    unlock();
    return rc;
}

int unlink(const char *path)
{
    const char *name = below(path);
    int rc;

    if (refused(name != NULL, false)) {
        return -1;
    }
    lock();
    rc = real.unlink(path);
    if (rc == 0 && name != NULL) {
        record_name(TAP_UNLINK, 0, name, "");
        forget_name(name);
    }
    unlock();
    return rc;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

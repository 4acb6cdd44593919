/* SPDX-License-Identifier: Apache-2.0 */
/* hurt.c: a preloaded library by which a test hurts a running approvald's disk and wall clock.
 * Owns the interposed calls and the page of HURT_FILE, which the test writes at any time.
 * Never changes anything while the page is zero; never touches files outside the kinds asked for.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SLICE_US 20000U

enum kind { KIND_NONE = 0, KIND_WAL = 1, KIND_STATE = 2, KIND_OTHER = 4 };

/* tests/cluster/hurt.py writes the same layout. */
struct page {
    _Atomic uint32_t kinds;          /* files that are hurt */
    _Atomic uint32_t sync_errno;     /* fdatasync and fsync fail with it */
    _Atomic uint32_t write_errno;    /* writes fail with it */
    _Atomic uint32_t sync_delay_us;  /* and take so much longer */
    _Atomic uint32_t write_delay_us; /* likewise */
    _Atomic uint32_t left;           /* failures left to hand out */
    _Atomic uint32_t handed;         /* failures that were handed out */
    _Atomic int32_t clock_ms;        /* the wall clock is off by so much */
    _Atomic uint32_t die_at;         /* enum passage: the process is killed there, … */
    _Atomic uint32_t die_left;       /* … at the passage that brings this to 0 */
};

enum passage { BEFORE_WRITE = 1, AFTER_WRITE, BEFORE_SYNC, AFTER_SYNC };

static struct page *page;

__attribute__((constructor)) static void hurt_init(void)
{
    const char *path = getenv("HURT_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *at;

    if (fd < 0) {
        return;
    }
    at = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    page = at == MAP_FAILED ? NULL : at;
}

static enum kind kind_of(int fd)
{
    struct stat info;
    char link[48];
    char path[512];
    ssize_t size;

    if (fstat(fd, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))) {
        return KIND_NONE;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path - 1);
    if (size <= 0) {
        return KIND_NONE;
    }
    path[size] = '\0';
    if (strstr(path, ".mdb") != NULL) {
        return KIND_STATE;
    }
    return strstr(path, "/wal-") != NULL ? KIND_WAL : KIND_OTHER;
}

static bool concerns(int fd)
{
    uint32_t kinds = page == NULL ? 0 : atomic_load(&page->kinds);

    return kinds != 0 && ((uint32_t)kind_of(fd) & kinds) != 0;
}

/* A long wait ends soon after it was cleared: a test need not guess how long it has to hang. */
static void wait_us(const _Atomic uint32_t *asked)
{
    uint32_t us = atomic_load(asked);

    while (us > 0) {
        uint32_t now_us = us < SLICE_US ? us : SLICE_US;
        struct timespec rest = {.tv_nsec = (long)now_us * 1000};

        while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
            continue;
        }
        us = atomic_load(asked) == 0 ? 0 : us - now_us;
    }
}

/* True: errno is set, and the call is to fail. */
static bool fails(uint32_t number)
{
    uint32_t left = number == 0 ? 0 : atomic_load(&page->left);

    while (left > 0) {
        if (atomic_compare_exchange_weak(&page->left, &left, left - 1)) {
            (void)atomic_fetch_add(&page->handed, 1);
            errno = (int)number;
            return true;
        }
    }
    return false;
}

static void pass(int fd, enum passage where)
{
    if (page == NULL || atomic_load(&page->die_at) != (uint32_t)where || !concerns(fd)) {
        return;
    }
    if (atomic_fetch_sub(&page->die_left, 1) == 1) {
        (void)kill(getpid(), SIGKILL);
    }
}

static bool hurt_write(int fd)
{
    pass(fd, BEFORE_WRITE);
    if (!concerns(fd)) {
        return false;
    }
    wait_us(&page->write_delay_us);
    return fails(atomic_load(&page->write_errno));
}

static bool hurt_sync(int fd)
{
    pass(fd, BEFORE_SYNC);
    if (!concerns(fd)) {
        return false;
    }
    wait_us(&page->sync_delay_us);
    return fails(atomic_load(&page->sync_errno));
}

/* dlsym gives an object pointer for a function; POSIX promises that the bits fit. */
#define REAL(name)                                                                                 \
    static __typeof__(&(name)) real;                                                               \
    if (real == NULL) {                                                                            \
        void *symbol = dlsym(RTLD_NEXT, #name);                                                    \
        memcpy(&real, &symbol, sizeof real);                                                       \
    }

/* The names of parameters are ours, not the C library's reserved ones. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t got;
    REAL(write)

    got = hurt_write(fd) ? -1 : real(fd, data, size);
    pass(fd, AFTER_WRITE);
    return got;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t got;
    REAL(pwrite)

    got = hurt_write(fd) ? -1 : real(fd, data, size, offset);
    pass(fd, AFTER_WRITE);
    return got;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t got;
    REAL(pwritev)

    got = hurt_write(fd) ? -1 : real(fd, parts, count, offset);
    pass(fd, AFTER_WRITE);
    return got;
}

/* Programs built with 64-bit file offsets call these names. */
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
    __attribute__((alias("pwritev")));

int fdatasync(int fd)
{
    int rc;
    REAL(fdatasync)

    rc = hurt_sync(fd) ? -1 : real(fd);
    pass(fd, AFTER_SYNC);
    return rc;
}

int fsync(int fd)
{
    int rc;
    REAL(fsync)

    rc = hurt_sync(fd) ? -1 : real(fd);
    pass(fd, AFTER_SYNC);
    return rc;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int64_t off_ms = page == NULL ? 0 : atomic_load(&page->clock_ms);
    int rc;
    REAL(clock_gettime)

    rc = real(clock, time);
    if (rc == 0 && off_ms != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = time->tv_nsec + (off_ms % 1000) * 1000000;

        time->tv_sec += (time_t)(off_ms / 1000 + (ns < 0 ? -1 : ns / 1000000000));
        time->tv_nsec = (long)(ns < 0 ? ns + 1000000000 : ns % 1000000000);
    }
    return rc;
}
time_t time(time_t *ret_time)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with that clock */
    if (ret_time != NULL) {
        *ret_time = now.tv_sec;
    }
    return now.tv_sec;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

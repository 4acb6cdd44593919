/* SPDX-License-Identifier: Apache-2.0 */
/* hung_disk.c: a disk that hangs or fails.
 * Owns fdatasync: it is defined ahead of the C library's. Never cuts power. */
#include "tests/unit/hung_disk.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_wake = PTHREAD_COND_INITIALIZER;
static bool disk_hangs;
static int disk_errno;
static unsigned disk_begun;

int fdatasync(int fildes)
{
    int failure;

    (void)pthread_mutex_lock(&disk_lock);
    disk_begun++;
    (void)pthread_cond_broadcast(&disk_wake);
    while (disk_hangs) {
        (void)pthread_cond_wait(&disk_wake, &disk_lock);
    }
    failure = disk_errno;
    (void)pthread_mutex_unlock(&disk_lock);
    errno = failure;
    return failure == 0 ? fsync(fildes) : -1;
}

void disk_set(bool hangs, int failure)
{
    (void)pthread_mutex_lock(&disk_lock);
    disk_hangs = hangs;
    disk_errno = failure;
    disk_begun = 0;
    (void)pthread_cond_broadcast(&disk_wake);
    (void)pthread_mutex_unlock(&disk_lock);
}

void disk_await(unsigned count)
{
    (void)pthread_mutex_lock(&disk_lock);
    while (disk_begun < count) {
        (void)pthread_cond_wait(&disk_wake, &disk_lock);
    }
    (void)pthread_mutex_unlock(&disk_lock);
}

unsigned disk_syncs(void)
{
    unsigned begun;

    (void)pthread_mutex_lock(&disk_lock);
    begun = disk_begun;
    (void)pthread_mutex_unlock(&disk_lock);
    return begun;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c: allocation with a test hook, scope guards, wiping.
 * Owns the one place where our own code asks the C library for memory.
 * Never retries and never aborts: the caller answers for a NULL. */
#include "base/mem.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The only mutable global of the floor, set by tests before they start threads. */
static int (*mem_refuse)(void *arg);
static void *mem_refuse_arg;

static int mem_refused(void)
{
    return mem_refuse != NULL && mem_refuse(mem_refuse_arg);
}

/* Up to here a block comes from glibc's cache of the thread. Its calloc knows that cache only since
 * 2.41; before, it costs several times a malloc, and a press makes a hundred small blocks. */
#define SMALL_SIZE 1024U

/* glibc takes blocks from here on from the kernel, and raises that to the largest one that was ever
 * freed, up to 32 MiB: then pools come out of the heap, where calloc writes to them. Said by us it
 * stays. */
#define LARGE_SIZE (128 * 1024)

void mem_init(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_SIZE); /* without it all works as well */
}

void *mem_new(size_t count, size_t size)
{
    size_t all;
    void *block;

    if (mem_refused()) {
        return NULL;
    }
    count = count == 0 ? 1 : count;
    size = size == 0 ? 1 : size;
    if (__builtin_mul_overflow(count, size, &all) || all > SMALL_SIZE) {
        return calloc(count, size); /* large blocks often come zero-filled from the kernel */
    }
    block = malloc(all);
    return block == NULL ? NULL : memset(block, 0, all);
}

void *mem_resize(void *block, size_t count, size_t size)
{
    if (mem_refused()) {
        return NULL;
    }
    return reallocarray(block, count == 0 ? 1 : count, size == 0 ? 1 : size);
}

char *mem_copy_text(const char *bytes, size_t size)
{
    char *copy;

    if (size == SIZE_MAX) {
        return NULL;
    }
    copy = mem_new(size + 1, 1);
    if (copy != NULL && size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

void mem_free(void *block)
{
    free(block);
}

void mem_wipe(void *block, size_t size)
{
    if (block != NULL && size > 0) {
        explicit_bzero(block, size);
    }
}

void mem_set_refuse(int (*refuse)(void *arg), void *arg)
{
    mem_refuse = refuse;
    mem_refuse_arg = arg;
}

void mem_free_guard(void *slot)
{
    void *block;

    memcpy(&block, slot, sizeof block);
    mem_free(block);
}

void mem_close_guard(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* a guard has nobody to tell */
    }
}

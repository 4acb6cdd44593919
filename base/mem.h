/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h: allocation with a test hook, scope guards, wiping.
 * No call here blocks. A NULL from an allocator is an operating error of the caller (ERR_NOMEM). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Once, before pools are made: a large block is the kernel's own, whatever was freed before. What
 * of it is never written to takes no memory, and what is freed is given back. Of a daemon; without
 * it everything works as well. */
void mem_init(void);

/* Zero-filled memory for count items of size bytes, or NULL (no memory, or count * size overflows,
 * or the test hook refuses). The caller owns it and frees it with mem_free. */
void *mem_new(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* As realloc to count * size bytes; on NULL the old block stays valid and owned by the caller.
 * New bytes are undefined. */
void *mem_resize(void *block, size_t count, size_t size) __attribute__((warn_unused_result));

/* A NUL-terminated copy of size bytes, or NULL. Owned by the caller. */
char *mem_copy_text(const char *bytes, size_t size) __attribute__((warn_unused_result));

/* NULL is allowed. */
void mem_free(void *block);

/* Overwrites secrets so that the compiler cannot drop it. */
void mem_wipe(void *block, size_t size);

/* Tests only: refuse(arg) is asked before each allocation; non-zero makes it fail. NULL clears. */
void mem_set_refuse(int (*refuse)(void *arg), void *arg);

void mem_free_guard(void *slot); /* for AUTO_FREE only */
void mem_close_guard(int *fd);   /* for AUTO_CLOSE only */

/* Scope guards: on success take the pointer out and set the guard to NULL (-1). */
#define AUTO_FREE  __attribute__((cleanup(mem_free_guard)))
#define AUTO_CLOSE __attribute__((cleanup(mem_close_guard)))

#endif

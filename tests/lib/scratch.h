/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.h: a directory of a test's own, mode 0700, in memory where the host has /dev/shm. */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H

#include <stddef.h>

#define SCRATCH_PATH_SIZE 128

struct scratch {
    char path[SCRATCH_PATH_SIZE];
};

/* Makes the directory; the test ends when it cannot. */
void scratch_init(struct scratch *scratch);
/* The same on a real disk (TMPDIR or /tmp), for tests that measure. */
void scratch_init_disk(struct scratch *scratch);
/* Removes it with its files. */
void scratch_done(struct scratch *scratch);
/* Removes the files, keeps the directory. */
void scratch_clear(const struct scratch *scratch);
/* "path/name" in a static buffer of the caller's. */
void scratch_file(const struct scratch *scratch, const char *name, char path[256]);
/* Writes a file of that text, in the place of what stands there. */
void scratch_write(const struct scratch *scratch, const char *name, const char *text);

#endif

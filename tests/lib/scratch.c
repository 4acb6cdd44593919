/* SPDX-License-Identifier: Apache-2.0 */
/* scratch.c: a directory of a test's own.
 * Owns making and removing it. Never follows into subdirectories: tests make none. */
#include "tests/lib/scratch.h"

#include "base/assert.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void make(struct scratch *scratch, const char *parent)
{
    int size = snprintf(scratch->path, sizeof scratch->path, "%s/approvald-XXXXXX", parent);

    ASSERT(size > 0 && (size_t)size < sizeof scratch->path);
    ASSERT(mkdtemp(scratch->path) != NULL);
}

static const char *disk_parent(void)
{
    const char *parent = getenv("TMPDIR");

    return parent != NULL ? parent : "/tmp";
}

void scratch_init(struct scratch *scratch)
{
    make(scratch, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : disk_parent());
}

void scratch_init_disk(struct scratch *scratch)
{
    make(scratch, disk_parent());
}

void scratch_file(const struct scratch *scratch, const char *name, char path[256])
{
    int size = snprintf(path, 256, "%s/%s", scratch->path, name);

    ASSERT(size > 0 && size < 256);
}

void scratch_write(const struct scratch *scratch, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    scratch_file(scratch, name, path);
    file = fopen(path, "we");
    ASSERT(file != NULL);
    ASSERT(fputs(text, file) >= 0);
    ASSERT(fclose(file) == 0);
}

void scratch_clear(const struct scratch *scratch)
{
    DIR *dir = opendir(scratch->path);
    const struct dirent *entry;

    ASSERT(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        char path[512];

        (void)snprintf(path, sizeof path, "%s/%s", scratch->path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            (void)unlink(path); /* what cannot be removed shows as a failing rmdir */
        }
    }
    (void)closedir(dir);
}

void scratch_done(struct scratch *scratch)
{
    scratch_clear(scratch);
    (void)rmdir(scratch->path); /* leaving it behind fails no test */
}

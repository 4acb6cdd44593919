/* SPDX-License-Identifier: Apache-2.0 */
/* fixture.h: reads files of tests/data; make check names the source tree in $srcdir. */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define FIXTURE_SIZE_MAX (1024UL * 1024)

/* The content without line ends at its end, owned by the caller, or NULL. */
static inline struct buf *fixture_read(const char *path)
{
    const char *root = getenv("srcdir");
    struct buf *buf = NULL;
    struct err err = ERR_INIT;
    char name[512];
    char piece[4096];
    size_t size;
    FILE *file;

    (void)snprintf(name, sizeof name, "%s/tests/data/%s", root == NULL ? "." : root, path);
    file = fopen(name, "rbe");
    if (file == NULL || buf_new(FIXTURE_SIZE_MAX, &buf, &err) != ERR_OK) {
        return NULL;
    }
    while ((size = fread(piece, 1, sizeof piece, file)) > 0) {
        if (buf_append(buf, piece, size, &err) != ERR_OK) {
            break;
        }
    }
    (void)fclose(file); /* read only: nothing can be lost */
    while (buf_size(buf) > 0 && buf_text(buf)[buf_size(buf) - 1] == '\n') {
        buf_truncate(buf, buf_size(buf) - 1);
    }
    return buf;
}

#endif

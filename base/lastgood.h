/* SPDX-License-Identifier: Apache-2.0 */
/* lastgood.h: the last configuration that has proven itself, kept for a start that finds its file
 * broken. One file: a line with its time and a SHA-256 over all that follows, a line that says who
 * wrote it and of which configuration, then what differs from the defaults, as conf_parse reads it.
 * It names the files of secrets, as the configuration does, and holds none. */
#ifndef BASE_LASTGOOD_H
#define BASE_LASTGOOD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct conf;

#define LASTGOOD_PATH_SIZE 256 /* bytes, with the NUL: state directories are short */

/* Why a start did not use its file; all zero: it did. */
struct lastgood {
    uint64_t kept_ms; /* wall clock: when what is used instead was kept; 0: the file is used */
    struct err why;   /* what is wrong with the file */
};

/* The text kept at path of the configuration file. ERR_NOT_FOUND: none; ERR_CORRUPT: torn, or not
 * what was written; ERR_DENIED: others could have written it; ERR_CONFLICT: of another file. Blocks
 * (disk). */
enum err_code lastgood_read(const char *path,
                            const char *file,
                            struct buf **ret_text,
                            uint64_t *ret_kept_ms,
                            struct err *err) WARN_UNUSED;

/* Durable when it returns, or as it was before: temporary file, fsync, rename, fsync of the
 * directory. What is there already is left alone. Blocks (disk). */
enum err_code lastgood_write(const char *path,
                             const char *file,
                             const struct conf *conf,
                             uint64_t now_ms,
                             struct err *err) WARN_UNUSED;

/* The same from a thread of its own, so that a disk that hangs holds up nobody; what goes wrong is
 * logged. path NULL or "": none is kept. The conf is not used any more when it returns. */
void lastgood_keep(const char *path, const char *file, const struct conf *conf);

/* Loads a configuration: from this text, or (NULL) from its file. */
typedef enum err_code lastgood_load_fn(void *arg, const char *text, struct err *err);

/* A start: loads the file or, when it is broken and a copy of it is kept at path (NULL or "": none
 * is), that. The error says what is wrong with the file and, when it was looked for, with the copy.
 * Blocks (disk). */
enum err_code lastgood_start(const char *path,
                             const char *file,
                             lastgood_load_fn *load,
                             void *arg,
                             struct lastgood *ret_lastgood,
                             struct err *err) WARN_UNUSED;

/* Logs, as an error, that file is broken and what is used instead. */
void lastgood_tell(const struct lastgood *lastgood, const char *module, const char *file);

#endif

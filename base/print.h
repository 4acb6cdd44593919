/* SPDX-License-Identifier: Apache-2.0 */
/* print.h: what a program shows before it ends: its configuration, or anything else that is
 * appended to a buffer. It is made whole in memory first, so that a failure shows nothing rather
 * than a half. */
#ifndef BASE_PRINT_H
#define BASE_PRINT_H

#include "base/err.h"

#include <stdio.h>

struct buf;
struct conf;
struct conf_schema;

/* Calls make with arg, which stays the caller's, and writes what it has appended to out, flushed
 * (bytes after a 0 are not shown: it is text). Returns what make returns; ERR_NOMEM; ERR_TOO_LARGE
 * above PRINT_SIZE_MAX; ERR_IO when out does not take it, which may have taken a part. Blocks
 * (out).
 */
enum err_code print_made(FILE *out,
                         enum err_code (*make)(const void *arg, struct buf *buf, struct err *err),
                         const void *arg,
                         struct err *err) WARN_UNUSED;
/* The configuration in force (conf_dump); errors as of print_made. Blocks (out). */
enum err_code print_conf(FILE *out, const struct conf *conf, struct err *err) WARN_UNUSED;
/* The table of all options (conf_describe); errors as of print_made. Blocks (out). */
enum err_code
print_options(FILE *out, const struct conf_schema *schema, struct err *err) WARN_UNUSED;

#endif

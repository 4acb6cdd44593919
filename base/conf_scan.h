/* SPDX-License-Identifier: Apache-2.0 */
/* conf_scan.h: the words of libConfuse's language, before libConfuse sees them. Pure. For conf.c.
 *
 * libConfuse's lexer keeps its state in globals: after an unfinished string or a bad escape the
 * next file begins inside that string. So unfinished strings and comments, numeric escapes, and
 * environment variables are refused here, and include() is cut out: each piece between two of them
 * is parsed as a text of its own. */
#ifndef BASE_CONF_SCAN_H
#define BASE_CONF_SCAN_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_scan {
    struct span text;
    const char *name; /* of the file, borrowed */
    size_t offset;
    uint32_t line;
    uint32_t depth; /* of open braces */
};

enum conf_scan_what {
    CONF_SCAN_NOTHING, /* never answered */
    CONF_SCAN_END,     /* the text is complete */
    CONF_SCAN_SECTION, /* a section of the top level begins: word is its name */
    CONF_SCAN_INCLUDE, /* include("word"); offset is behind it */
};

struct conf_scan_found {
    enum conf_scan_what what;
    struct span word;
    size_t offset; /* where the statement begins */
    uint32_t line;
};

/* ERR_INVALID (not UTF-8, control characters). name and text are borrowed. */
enum err_code conf_scan_init(struct conf_scan *scan,
                             const char *name,
                             struct span text,
                             struct err *err) WARN_UNUSED;
/* Walks to the next thing found; ERR_INVALID with name:line. */
enum err_code conf_scan_next(struct conf_scan *scan,
                             struct conf_scan_found *ret_found,
                             struct err *err) WARN_UNUSED;

#endif

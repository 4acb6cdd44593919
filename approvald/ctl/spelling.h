/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.h: how a secret is written where it is not written as it is: in forms and URLs, in JSON,
 * in headers, in dumps. Pure. */
#ifndef APPROVALD_CTL_SPELLING_H
#define APPROVALD_CTL_SPELLING_H

#include "base/err.h"
#include "base/span.h"

struct buf;

enum spelling {
    SPELLING_PERCENT, /* RFC 3986 */
    SPELLING_FORM,    /* the same with '+' for a space */
    SPELLING_JSON,
    SPELLING_HEX,
    SPELLING_HEX_UPPER,
    /* Base64 of a text that has it in it somewhere, such as NAME:PASSWORD: what is the same in all
     * of them, by where it begins in a group of three bytes. */
    SPELLING_BASE64_0,
    SPELLING_BASE64_1,
    SPELLING_BASE64_2,
    SPELLING_BASE64URL_0,
    SPELLING_BASE64URL_1,
    SPELLING_BASE64URL_2,
    SPELLING_COUNT
};

#define SPELLING_GROWTH 6U /* a byte has so many at most, as \u00xx */

/* Appends it. ERR_NOMEM and ERR_TOO_LARGE are the buf's. */
enum err_code spelling_append(enum spelling spelling,
                              struct span secret,
                              struct buf *buf,
                              struct err *err) WARN_UNUSED;

#endif

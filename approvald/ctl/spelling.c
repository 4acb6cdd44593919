/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.c: how a secret is written where it is not written as it is.
 * Owns nothing. Never decides what a secret is. */
#include "approvald/ctl/spelling.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#define GROUP 3U /* bytes that base64 writes as four characters */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c) != NULL);
}

static enum err_code append_percent(struct span secret, bool form, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < secret.size; i++) {
        char c = secret.data[i];

        if (is_unreserved(c)) {
            rc = buf_append(buf, &c, 1, err);
        } else if (form && c == ' ') {
            rc = buf_append_text(buf, "+", err);
        } else {
            rc = buf_append_format(buf, err, "%%%02X", (unsigned char)c);
        }
    }
    return rc;
}

/* Without the quotes around it. */
static enum err_code append_json(struct span secret, struct buf *buf, struct err *err)
{
    AUTO_BUF struct buf *quoted = NULL;
    enum err_code rc = buf_new(buf_room(buf) + 2, &quoted, err);

    if (rc == ERR_OK) {
        rc = text_append_json(quoted, secret, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append(buf, buf_text(quoted) + 1, buf_size(quoted) - 2, err);
        buf_wipe(quoted);
    }
    return rc;
}

static enum err_code
append_hex(struct span secret, const char *digits, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < secret.size; i++) {
        unsigned char byte = (unsigned char)secret.data[i];
        const char pair[2] = {digits[byte >> 4], digits[byte & 0xf]};

        rc = buf_append(buf, pair, sizeof pair, err);
    }
    return rc;
}

/* Of what is written, the first characters have bits of what stands before, and the last one may
 * have some of what stands behind: they are left out. */
static enum err_code
append_base64(struct span secret, size_t before, bool url, struct buf *buf, struct err *err)
{
    static const size_t skipped[GROUP] = {0, 2, 3};
    AUTO_BUF struct buf *room = NULL;
    size_t size = before + secret.size;
    char *bytes = NULL;
    char *text = NULL;
    enum err_code rc = buf_new(size * 3 + 8, &room, err);

    ASSERT(before < GROUP);
    if (rc == ERR_OK) {
        rc = buf_extend(room, size, &bytes, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    memset(bytes, 0, before);
    memcpy(bytes + before, secret.data, secret.size);
    rc = buf_extend(room, (size + 2) / GROUP * 4 + 1, &text, err);
    if (rc != ERR_OK) {
        return rc;
    }
    (url ? crypto_base64url : crypto_base64)(buf_at(room, 0), size, text);
    size = (size * 4 + 2) / GROUP; /* without padding */
    if (size > skipped[before] + 1) {
        rc = buf_append(buf, text + skipped[before], size - skipped[before] - 1, err);
    }
    buf_wipe(room);
    return rc;
}

enum err_code
spelling_append(enum spelling spelling, struct span secret, struct buf *buf, struct err *err)
{
    switch (spelling) {
    case SPELLING_PERCENT:
        return append_percent(secret, false, buf, err);
    case SPELLING_FORM:
        return append_percent(secret, true, buf, err);
    case SPELLING_JSON:
        return append_json(secret, buf, err);
    case SPELLING_HEX:
        return append_hex(secret, "0123456789abcdef", buf, err);
    case SPELLING_HEX_UPPER:
        return append_hex(secret, "0123456789ABCDEF", buf, err);
    case SPELLING_BASE64_0:
    case SPELLING_BASE64_1:
    case SPELLING_BASE64_2:
        return append_base64(secret, (size_t)(spelling - SPELLING_BASE64_0), false, buf, err);
    case SPELLING_BASE64URL_0:
    case SPELLING_BASE64URL_1:
    case SPELLING_BASE64URL_2:
        return append_base64(secret, (size_t)(spelling - SPELLING_BASE64URL_0), true, buf, err);
    case SPELLING_COUNT:
        break;
    }
    ASSERT(false);
    return ERR_FATAL;
}

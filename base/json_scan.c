/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.c: the strict grammar of RFC 8259 over foreign bytes, in one pass without recursion.
 * Owns what we accept as JSON; cJSON alone takes control characters in strings, NUL escapes that
 * cut a string short, numbers it cuts at 63 characters, and nests a thousand deep.
 * Never allocates, never builds anything. */
#include "base/json_scan.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdint.h>
#include <string.h>

enum scan_want {
    SCAN_VALUE,
    SCAN_VALUE_OR_END, /* just behind '[' */
    SCAN_NAME,
    SCAN_NAME_OR_END, /* just behind '{' */
    SCAN_COLON,
    SCAN_COMMA_OR_END,
    SCAN_NOTHING, /* the root is complete */
};

struct scan {
    struct span bytes;
    size_t offset;
    uint64_t kinds; /* of the open containers, innermost in bit 0; 1: object */
    uint32_t depth;
    uint32_t node_count;
    uint32_t name_count;
    enum scan_want want;
    struct err *err;
};

static enum err_code scan_refuse(struct scan *scan, enum err_code code, const char *what)
{
    return err_set(scan->err, code, "JSON: %s at byte %zu", what, scan->offset);
}

/* The next byte, or -1 at the end. A NUL is a byte like others, and no place allows it. */
static inline int scan_peek(const struct scan *scan)
{
    return scan->offset < scan->bytes.size ? (uint8_t)scan->bytes.data[scan->offset] : -1;
}

static inline bool scan_skip(struct scan *scan, int byte)
{
    if (scan_peek(scan) != byte) {
        return false;
    }
    scan->offset++;
    return true;
}

static inline void scan_space(struct scan *scan)
{
    int byte = scan_peek(scan);

    while (byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t') {
        scan->offset++;
        byte = scan_peek(scan);
    }
}

/* Four hex digits, or -1. */
static int32_t scan_unit(struct scan *scan)
{
    int32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        int byte = scan_peek(scan);

        if (byte >= '0' && byte <= '9') {
            unit = unit * 16 + (byte - '0');
        } else if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f' && byte > 0) {
            unit = unit * 16 + ((byte | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
        scan->offset++;
    }
    return unit;
}

/* Behind "\u". */
static enum err_code scan_escape_unicode(struct scan *scan)
{
    int32_t unit = scan_unit(scan);
    int32_t low;

    if (unit < 0) {
        return scan_refuse(scan, ERR_INVALID, "bad \\u escape");
    }
    if (unit == 0) {
        return scan_refuse(scan, ERR_INVALID, "NUL in a string");
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        return ERR_OK;
    }
    if (unit > 0xdbff || !scan_skip(scan, '\\') || !scan_skip(scan, 'u')) {
        return scan_refuse(scan, ERR_INVALID, "lone surrogate");
    }
    low = scan_unit(scan);
    if (low < 0xdc00 || low > 0xdfff) {
        return scan_refuse(scan, ERR_INVALID, "lone surrogate");
    }
    return ERR_OK;
}

/* Behind a backslash. */
static enum err_code scan_escape(struct scan *scan)
{
    int byte = scan_peek(scan);

    if (byte == 'u') {
        scan->offset++;
        return scan_escape_unicode(scan);
    }
    if (byte <= 0 || strchr("\"\\/bfnrt", byte) == NULL) {
        return scan_refuse(scan, ERR_INVALID, "bad escape");
    }
    scan->offset++;
    return ERR_OK;
}

/* Passes what stands for itself: most bytes of a string. */
static void scan_plain(struct scan *scan)
{
    const char *data = scan->bytes.data;
    size_t size = scan->bytes.size;
    size_t offset = scan->offset;

    while (offset < size && (uint8_t)data[offset] >= 0x20 && data[offset] != '"' &&
           data[offset] != '\\') {
        offset++;
    }
    scan->offset = offset;
}

/* Behind the opening quote, through the closing one. */
static enum err_code scan_string(struct scan *scan)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        int byte;

        scan_plain(scan);
        byte = scan_peek(scan);
        if (byte < 0x20) {
            return scan_refuse(scan, ERR_INVALID,
                               byte < 0 ? "string without end" : "control character in a string");
        }
        scan->offset++;
        if (byte == '"') {
            return ERR_OK;
        }
        if (byte == '\\') {
            rc = scan_escape(scan);
        }
    }
    return rc;
}

static bool scan_digits(struct scan *scan)
{
    size_t start = scan->offset;

    while (scan_peek(scan) >= '0' && scan_peek(scan) <= '9') {
        scan->offset++;
    }
    return scan->offset > start;
}

static enum err_code scan_number(struct scan *scan)
{
    size_t start = scan->offset;

    (void)scan_skip(scan, '-'); /* may be there */
    if (!scan_skip(scan, '0') && !scan_digits(scan)) {
        return scan_refuse(scan, ERR_INVALID, "no value");
    }
    if (scan_skip(scan, '.') && !scan_digits(scan)) {
        return scan_refuse(scan, ERR_INVALID, "bad fraction");
    }
    if (scan_skip(scan, 'e') || scan_skip(scan, 'E')) {
        if (!scan_skip(scan, '+')) {
            (void)scan_skip(scan, '-'); /* may be there */
        }
        if (!scan_digits(scan)) {
            return scan_refuse(scan, ERR_INVALID, "bad exponent");
        }
    }
    if (scan->offset - start > JSON_NUMBER_SIZE_MAX) {
        return scan_refuse(scan, ERR_INVALID, "number too long");
    }
    return ERR_OK;
}

static enum err_code scan_word(struct scan *scan, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!scan_skip(scan, *word)) {
            return scan_refuse(scan, ERR_INVALID, "no value");
        }
    }
    return ERR_OK;
}

static enum err_code scan_open(struct scan *scan, bool object)
{
    if (scan->depth == JSON_DEPTH_MAX) {
        return scan_refuse(scan, ERR_TOO_LARGE, "nested too deep");
    }
    scan->offset++;
    scan->depth++;
    scan->kinds = scan->kinds << 1 | (object ? 1 : 0);
    scan->want = object ? SCAN_NAME_OR_END : SCAN_VALUE_OR_END;
    return ERR_OK;
}

static void scan_value_done(struct scan *scan)
{
    scan->want = scan->depth == 0 ? SCAN_NOTHING : SCAN_COMMA_OR_END;
}

static enum err_code scan_scalar(struct scan *scan, int byte)
{
    if (byte == '"') {
        scan->offset++;
        return scan_string(scan);
    }
    if (byte == 't') {
        return scan_word(scan, "true");
    }
    if (byte == 'f') {
        return scan_word(scan, "false");
    }
    if (byte == 'n') {
        return scan_word(scan, "null");
    }
    return scan_number(scan);
}

static enum err_code scan_value(struct scan *scan)
{
    int byte = scan_peek(scan);
    enum err_code rc;

    scan->node_count++;
    if (scan->node_count > JSON_NODE_COUNT_MAX) {
        return scan_refuse(scan, ERR_TOO_LARGE, "too many values");
    }
    if (byte == '{' || byte == '[') {
        return scan_open(scan, byte == '{');
    }
    rc = scan_scalar(scan, byte);
    if (rc == ERR_OK) {
        scan_value_done(scan);
    }
    return rc;
}

static enum err_code scan_name(struct scan *scan)
{
    if (!scan_skip(scan, '"')) {
        return scan_refuse(scan, ERR_INVALID, "no member name");
    }
    scan->name_count++;
    scan->want = SCAN_COLON;
    return scan_string(scan);
}

static enum err_code scan_close(struct scan *scan)
{
    ASSERT(scan->depth > 0);
    scan->offset++;
    scan->depth--;
    scan->kinds >>= 1;
    scan_value_done(scan);
    return ERR_OK;
}

static enum err_code scan_comma_or_end(struct scan *scan)
{
    bool object = (scan->kinds & 1) != 0;

    if (scan_skip(scan, ',')) {
        scan->want = object ? SCAN_NAME : SCAN_VALUE;
        return ERR_OK;
    }
    if (scan_peek(scan) == (object ? '}' : ']')) {
        return scan_close(scan);
    }
    return scan_refuse(scan, ERR_INVALID, "no comma or end of container");
}

static enum err_code scan_token(struct scan *scan)
{
    switch (scan->want) {
    case SCAN_VALUE:
        return scan_value(scan);
    case SCAN_VALUE_OR_END:
        return scan_peek(scan) == ']' ? scan_close(scan) : scan_value(scan);
    case SCAN_NAME:
        return scan_name(scan);
    case SCAN_NAME_OR_END:
        return scan_peek(scan) == '}' ? scan_close(scan) : scan_name(scan);
    case SCAN_COLON:
        scan->want = SCAN_VALUE;
        return scan_skip(scan, ':') ? ERR_OK : scan_refuse(scan, ERR_INVALID, "no colon");
    case SCAN_COMMA_OR_END:
        return scan_comma_or_end(scan);
    case SCAN_NOTHING:
        break;
    }
    return scan_refuse(scan, ERR_INVALID, "bytes left over");
}

enum err_code json_scan(struct span bytes, struct json_scan_count *ret_count, struct err *err)
{
    struct scan scan = {.bytes = bytes, .want = SCAN_VALUE, .err = err};
    enum err_code rc = ERR_OK;

    if (!text_is_utf8(bytes)) {
        return err_set(err, ERR_INVALID, "JSON: not UTF-8, or a NUL byte");
    }
    scan_space(&scan);
    while (rc == ERR_OK && (scan.want != SCAN_NOTHING || scan.offset < bytes.size)) {
        rc = scan_token(&scan);
        scan_space(&scan);
    }
    ASSERT(rc != ERR_OK || scan.depth == 0);
    *ret_count = (struct json_scan_count){.values = scan.node_count, .names = scan.name_count};
    return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* text.c: text from people, made fit for the place where it is shown.
 * Owns the table of code points that hide or reorder text.
 * Never consults a locale, never cuts inside a character, never leaves half an append behind. */
#include "base/text.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"

#include <stdio.h>
#include <time.h>

#define TEXT_POINT_INVALID 0xffffffffU        /* of a byte that starts no character */
#define TEXT_REPLACEMENT   "\xef\xbf\xbd"     /* U+FFFD */
#define TEXT_ELLIPSIS      "\xe2\x80\xa6"     /* U+2026 */
#define TEXT_WALL_MS_MAX   253402300799000ULL /* 9999-12-31T23:59:59Z, the last of four digits */

/* Code points with no glyph of their own, which can hide text or turn its direction: bidi controls
 * and isolates, zero-width and joining format characters, fillers, invisible operators, tags and
 * variation selectors of plane 14 (used to smuggle text), interlinear marks. Sorted. */
static const struct {
    uint32_t first;
    uint32_t last;
} text_hidden[] = {
    {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
    {0x180e, 0x180e},   {0x200b, 0x200f},   {0x202a, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff9, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool point_is_hidden(uint32_t point)
{
    if (point < text_hidden[0].first) {
        return false;
    }
    for (size_t i = 0; i < sizeof text_hidden / sizeof text_hidden[0]; i++) {
        if (point <= text_hidden[i].last) {
            return point >= text_hidden[i].first;
        }
    }
    return (point & 0xfffe) == 0xfffe; /* noncharacters of the upper planes */
}

static bool point_is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

/* U+2028 and U+2029 break lines wherever they are shown. */
static bool point_is_break(uint32_t point)
{
    return point == '\n' || point == '\r' || point == 0x85 || point == 0x2028 || point == 0x2029;
}

/* Bytes that a lead byte announces, 0 for one that leads nothing. */
static size_t lead_size(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2) { /* a continuation, or an overlong form of ASCII */
        return 0;
    }
    if (lead < 0xe0) {
        return 2;
    }
    if (lead < 0xf0) {
        return 3;
    }
    return lead < 0xf5 ? 4 : 0;
}

/* Reads the character at the front of text (not empty) and returns its bytes; for one that is not
 * UTF-8 that is 1 and *ret_point is TEXT_POINT_INVALID. NUL counts as invalid. */
static size_t point_decode(struct span text, uint32_t *ret_point)
{
    static const uint32_t smallest[] = {0, 1, 0x80, 0x800, 0x10000};
    const uint8_t *at = (const uint8_t *)text.data;
    size_t size = lead_size(at[0]);
    uint32_t point;

    *ret_point = TEXT_POINT_INVALID;
    if (size == 0 || size > text.size) {
        return 1;
    }
    point = size == 1 ? at[0] : at[0] & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 1;
        }
        point = point << 6 | (at[i] & 0x3f);
    }
    if (point < smallest[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
        return 1;
    }
    *ret_point = point;
    return size;
}

static struct span span_rest(struct span text, size_t offset)
{
    ASSERT(offset <= text.size);
    return offset == 0 ? text : span_of(text.data + offset, text.size - offset);
}

/* Bytes at the front that are ASCII and not NUL, counted eight at a time. */
static size_t ascii_run(struct span text)
{
    const uint64_t ones = 0x0101010101010101U;
    const uint64_t tops = 0x8080808080808080U;
    size_t offset = 0;

    while (text.size - offset >= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, text.data + offset, sizeof word);
        if (((word | (word - ones)) & tops) != 0) {
            break;
        }
        offset += sizeof word;
    }
    return offset;
}

bool text_is_utf8(struct span text)
{
    size_t offset = ascii_run(text);

    while (offset < text.size) {
        uint32_t point;

        offset += point_decode(span_rest(text, offset), &point);
        if (point == TEXT_POINT_INVALID) {
            return false;
        }
        if (point < 0x80) {
            offset += ascii_run(span_rest(text, offset));
        }
    }
    return true;
}

size_t text_count(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++) {
        count += ((uint8_t)text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

struct span text_prefix(struct span text, size_t count_max)
{
    size_t offset = 0;

    for (size_t count = 0; count < count_max && offset < text.size; count++) {
        uint32_t point;

        offset += point_decode(span_rest(text, offset), &point);
    }
    return span_of(text.data, offset);
}

/* What stands for one character in the output; size 0 drops it. */
struct text_piece {
    const char *data; /* the character itself, a literal, or room */
    size_t size;
    size_t count; /* code points */
    char room[TEXT_PIECE_SIZE_MAX + 1];
};

static void piece_set(struct text_piece *piece, const char *text, size_t count)
{
    piece->data = text;
    piece->size = strlen(text);
    piece->count = count;
}

static const char *clean_replacement(uint32_t point, bool multiline)
{
    if (point == TEXT_POINT_INVALID) {
        return TEXT_REPLACEMENT;
    }
    if (point_is_break(point)) {
        return multiline ? "\n" : " ";
    }
    if (point == '\t' && multiline) {
        return NULL;
    }
    if (point_is_control(point)) {
        return " ";
    }
    return point_is_hidden(point) ? "" : NULL;
}

static enum err_code
clean_append(struct buf *buf, struct span text, bool multiline, struct err *err)
{
    size_t kept = 0; /* where the bytes begin that are taken as they are */
    size_t offset = 0;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && offset < text.size) {
        uint32_t point;
        size_t size = point_decode(span_rest(text, offset), &point);
        const char *replacement = clean_replacement(point, multiline);

        if (point == '\r' && offset + 1 < text.size && text.data[offset + 1] == '\n') {
            replacement = ""; /* CR LF is one break */
        }
        if (replacement != NULL) {
            rc = buf_append(buf, text.data + kept, offset - kept, err);
            kept = offset + size;
        }
        if (replacement != NULL && rc == ERR_OK) {
            rc = buf_append_text(buf, replacement, err);
        }
        offset += size;
    }
    if (rc != ERR_OK || kept == text.size) {
        return rc;
    }
    return buf_append_span(buf, span_rest(text, kept), err);
}

enum err_code text_clean(struct buf *buf, struct span text, bool multiline, struct err *err)
{
    size_t start = buf_size(buf);
    enum err_code rc = clean_append(buf, text, multiline, err);

    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}

static void piece_mrkdwn(struct text_piece *piece, uint32_t point)
{
    if (point == '&') {
        piece_set(piece, "&amp;", 5);
    } else if (point == '<') {
        piece_set(piece, "&lt;", 4);
    } else if (point == '>') {
        piece_set(piece, "&gt;", 4);
    } else if (point == TEXT_POINT_INVALID) {
        piece_set(piece, TEXT_REPLACEMENT, 1);
    }
}

static void piece_terminal(struct text_piece *piece, uint32_t point)
{
    int size;

    if (point == TEXT_POINT_INVALID) {
        size = snprintf(piece->room, sizeof piece->room, "\\x%02X", (uint8_t)piece->data[0]);
    } else if (point_is_control(point)) {
        size = snprintf(piece->room, sizeof piece->room, "\\x%02X", point);
    } else if (point_is_hidden(point) || point_is_break(point)) {
        size = snprintf(piece->room, sizeof piece->room, "\\u{%X}", point);
    } else {
        return;
    }
    ASSERT(size > 0 && (size_t)size < sizeof piece->room);
    piece->data = piece->room;
    piece->size = (size_t)size;
    piece->count = (size_t)size;
}

typedef void text_piece_fn(struct text_piece *piece, uint32_t point);

/* Appends the pieces of text while they fit count_max. fit is the size of buf at the last border
 * behind which one more code point, the ellipsis, has room. */
static enum err_code escape_append(
    struct buf *buf, struct span text, size_t count_max, text_piece_fn *escape, struct err *err)
{
    size_t fit = buf_size(buf);
    size_t count = 0;
    size_t offset = 0;

    while (offset < text.size) {
        struct text_piece piece;
        uint32_t point;
        enum err_code rc;

        piece.data = text.data + offset;
        piece.size = point_decode(span_rest(text, offset), &point);
        piece.count = 1;
        offset += piece.size;
        escape(&piece, point);
        if (piece.count > count_max - count) {
            buf_truncate(buf, fit);
            return buf_append_text(buf, TEXT_ELLIPSIS, err);
        }
        rc = buf_append(buf, piece.data, piece.size, err);
        if (rc != ERR_OK) {
            return rc;
        }
        count += piece.count;
        fit = count < count_max ? buf_size(buf) : fit;
    }
    return ERR_OK;
}

static enum err_code text_escape(
    struct buf *buf, struct span text, size_t count_max, text_piece_fn *escape, struct err *err)
{
    size_t start = buf_size(buf);
    enum err_code rc;

    if (count_max == 0) {
        return ERR_OK;
    }
    rc = escape_append(buf, text, count_max, escape, err);
    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}

enum err_code
text_escape_mrkdwn(struct buf *buf, struct span text, size_t count_max, struct err *err)
{
    return text_escape(buf, text, count_max, piece_mrkdwn, err);
}

enum err_code
text_escape_terminal(struct buf *buf, struct span text, size_t count_max, struct err *err)
{
    return text_escape(buf, text, count_max, piece_terminal, err);
}

/* The escape of a character in a JSON string, or NULL when it stands for itself. */
static const char *json_replacement(uint32_t point, char room[8])
{
    if (point == TEXT_POINT_INVALID) {
        return TEXT_REPLACEMENT;
    }
    if (point >= 0x20 && point != '"' && point != '\\' && point != 0x7f) {
        return NULL;
    }
    if (point == '"') {
        return "\\\"";
    }
    if (point == '\\') {
        return "\\\\";
    }
    if (point == '\n') {
        return "\\n";
    }
    (void)snprintf(room, 8, "\\u%04x", point & 0xff); /* six characters */
    return room;
}

static enum err_code json_append(struct buf *buf, struct span text, struct err *err)
{
    size_t kept = 0;
    size_t offset = 0;
    enum err_code rc = buf_append(buf, "\"", 1, err);

    while (rc == ERR_OK && offset < text.size) {
        char room[8];
        uint32_t point;
        size_t size = point_decode(span_rest(text, offset), &point);
        const char *replacement = json_replacement(point, room);

        if (replacement != NULL) {
            rc = buf_append(buf, text.data + kept, offset - kept, err);
            kept = offset + size;
        }
        if (replacement != NULL && rc == ERR_OK) {
            rc = buf_append_text(buf, replacement, err);
        }
        offset += size;
    }
    if (rc == ERR_OK && kept < text.size) {
        rc = buf_append_span(buf, span_rest(text, kept), err);
    }
    return rc == ERR_OK ? buf_append(buf, "\"", 1, err) : rc;
}

enum err_code text_append_json(struct buf *buf, struct span text, struct err *err)
{
    size_t start = buf_size(buf);
    enum err_code rc = json_append(buf, text, err);

    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}

/* The value of a hex digit, with 1 added: all other bytes have 0. A press has a thousand of them.
 */
static const uint8_t form_hex[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* The byte that stands at *offset of encoded, which moves past it; -1 for a bad escape or a NUL. */
static inline int form_byte(struct span encoded, size_t *offset)
{
    char byte = encoded.data[*offset];
    int high;
    int low;

    *offset += 1;
    if (byte == '+') {
        return ' ';
    }
    if (byte != '%') {
        return byte == '\0' ? -1 : (uint8_t)byte;
    }
    if (encoded.size - *offset < 2) {
        return -1;
    }
    high = form_hex[(uint8_t)encoded.data[*offset]] - 1;
    low = form_hex[(uint8_t)encoded.data[*offset + 1]] - 1;
    *offset += 2;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

/* Does encoded stand for name? False as a result for a bad escape or a NUL. */
static bool form_compare(struct span encoded, const char *name, bool *ret_same)
{
    size_t name_size = strlen(name);
    size_t size = 0;
    bool same = true;

    for (size_t offset = 0; offset < encoded.size; size++) {
        int byte = form_byte(encoded, &offset);

        if (byte < 0) {
            return false;
        }
        same = same && size < name_size && (uint8_t)name[size] == byte;
    }
    *ret_same = same && size == name_size;
    return true;
}

/* How many bytes encoded stands for, if it has no bad escape; such a one may make it too few. */
static size_t form_measure(struct span encoded)
{
    size_t escape_count = 0;

    for (size_t i = 0; i < encoded.size; i++) {
        escape_count += encoded.data[i] == '%';
    }
    return encoded.size - (2 * escape_count < encoded.size ? 2 * escape_count : encoded.size);
}

/* Fills room with the size bytes that encoded stands for; false for a bad escape or a NUL. */
static bool form_decode(struct span encoded, char *room, size_t size)
{
    size_t offset = 0;
    size_t i = 0;

    for (; i < size && offset < encoded.size; i++) {
        int byte = form_byte(encoded, &offset);

        if (byte < 0) {
            return false;
        }
        room[i] = (char)byte;
    }
    return i == size && offset == encoded.size;
}

static size_t span_find(struct span text, char byte)
{
    const char *at = text.size == 0 ? NULL : memchr(text.data, byte, text.size);

    return at == NULL ? text.size : (size_t)(at - text.data);
}

/* Finds the still encoded value of the only field called name. */
static enum err_code
form_find(struct span body, const char *name, struct span *ret_value, struct err *err)
{
    bool found = false;

    while (body.size > 0) {
        size_t pair_size = span_find(body, '&');
        struct span pair = span_of(body.data, pair_size);
        size_t name_size = span_find(pair, '=');
        bool same;

        if (!form_compare(span_of(pair.data, name_size), name, &same)) {
            return err_set(err, ERR_INVALID, "form: bad escape in a field's name");
        }
        if (same && found) {
            return err_set(err, ERR_INVALID, "form: field %s is given twice", name);
        }
        if (same) {
            found = true;
            *ret_value = span_rest(pair, name_size < pair_size ? name_size + 1 : pair_size);
        }
        body = span_rest(body, pair_size < body.size ? pair_size + 1 : pair_size);
    }
    return found ? ERR_OK : err_set(err, ERR_NOT_FOUND, "form: no field %s", name);
}

enum err_code text_form_field(struct span body, const char *name, struct buf *buf, struct err *err)
{
    struct span value = SPAN_NONE;
    size_t start = buf_size(buf);
    size_t size;
    char *room;
    enum err_code rc = form_find(body, name, &value, err);

    if (rc != ERR_OK) {
        return rc;
    }
    size = form_measure(value);
    rc = buf_extend(buf, size, &room, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "form: field %s", name);
    }
    if (!form_decode(value, room, size)) {
        buf_truncate(buf, start);
        return err_set(err, ERR_INVALID, "form: bad escape or NUL in field %s", name);
    }
    return ERR_OK;
}

bool text_parse_u64(struct span text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.size == 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        unsigned int digit = (unsigned int)(uint8_t)text.data[i] - '0';

        if (digit > 9 || __builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, digit, &number)) {
            return false;
        }
    }
    *ret_number = number;
    return true;
}

void text_format_time(uint64_t wall_ms, char ret_text[TEXT_TIME_SIZE])
{
    time_t seconds = (time_t)((wall_ms < TEXT_WALL_MS_MAX ? wall_ms : TEXT_WALL_MS_MAX) / 1000);
    struct tm parts;
    const struct tm *known = gmtime_r(&seconds, &parts);
    size_t size;

    ASSERT(known != NULL);
    size = strftime(ret_text, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
    ASSERT(size == sizeof "2026-01-31T23:59:59Z" - 1);
}

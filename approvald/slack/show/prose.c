/* SPDX-License-Identifier: Apache-2.0 */
/* prose.c: one text for Slack, within its limit.
 * Owns two buffers and the rules that disarm mrkdwn in text from people.
 * Never lets such text make a mention, link, emoji, quote or format; never cuts a token of ours. */
#include "approvald/slack/show/prose.h"

#include "approvald/core/limits.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define PROSE_SIZE_MAX                                                                             \
    (64UL * 1024)            /* bytes: 4,000 code points of four bytes, escaped, and slack         \
                              */
#define PROSE_TOKEN_SIZE 640 /* bytes of one token of ours: a link of 512 and its label */
#define PROSE_DISARM     "\xe2\x80\x8b" /* U+200B: behind a mark, nothing can open there */
#define PROSE_ELLIPSIS   "\xe2\x80\xa6"
#define PROSE_MS_MINUTE  UINT64_C(60000)
#define PROSE_MS_HOUR    (60 * PROSE_MS_MINUTE)
#define PROSE_MS_DAY     (24 * PROSE_MS_HOUR)

enum err_code prose_init(struct prose *prose, struct err *err)
{
    enum err_code rc;

    *prose = (struct prose){.err = ERR_INIT};
    rc = buf_new(PROSE_SIZE_MAX, &prose->text, err);
    if (rc == ERR_OK) {
        rc = buf_new(PROSE_SIZE_MAX, &prose->clean, err);
    }
    if (rc != ERR_OK) {
        prose_done(prose);
    }
    return rc;
}

void prose_done(struct prose *prose)
{
    buf_free(prose->text);
    buf_free(prose->clean);
    prose->text = NULL;
    prose->clean = NULL;
}

void prose_begin(struct prose *prose, size_t count_max)
{
    ASSERT(prose->text != NULL);
    buf_clear(prose->text);
    prose->count = 0;
    prose->count_max = count_max;
}

bool prose_is_empty(const struct prose *prose)
{
    return buf_size(prose->text) == 0;
}

struct span prose_take(const struct prose *prose)
{
    return prose->err.code == ERR_OK ? buf_span(prose->text) : SPAN_NONE;
}

enum err_code prose_status(const struct prose *prose, struct err *err)
{
    if (prose->err.code != ERR_OK && err != NULL) {
        *err = prose->err;
    }
    return prose->err.code;
}

static bool prose_failed(const struct prose *prose)
{
    return prose->err.code != ERR_OK;
}

static size_t prose_room(const struct prose *prose)
{
    ASSERT(prose->count <= prose->count_max);
    return prose->count_max - prose->count;
}

/* All of it, or nothing when it does not fit. */
static void add_whole(struct prose *prose, struct span text)
{
    size_t count = text_count(text);

    if (prose_failed(prose) || count > prose_room(prose)) {
        return;
    }
    if (buf_append_span(prose->text, text, &prose->err) == ERR_OK) {
        prose->count += count;
    }
}

void prose_add(struct prose *prose, const char *words)
{
    add_whole(prose, span_text(words));
}

static void add_format(struct prose *prose, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_format(struct prose *prose, const char *format, ...)
{
    char token[PROSE_TOKEN_SIZE];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(token, sizeof token, format, args);
    va_end(args);
    if (size > 0 && (size_t)size < sizeof token) {
        add_whole(prose, span_of(token, (size_t)size));
    }
}

void prose_add_number(struct prose *prose, uint64_t number)
{
    add_format(prose, "%" PRIu64, number);
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t';
}

static struct span trim(struct span text)
{
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    while (text.size > 0 && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    return text;
}

/* Leading blanks stay in several lines (code is indented), leading empty lines do not. */
static struct span trim_lines(struct span text)
{
    size_t line = 0;

    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    for (size_t i = 0; i < text.size && is_blank(text.data[i]); i++) {
        line = text.data[i] == '\n' ? i + 1 : line;
    }
    return span_of(text.data + line, text.size - line);
}

/* The text without what could hide or reorder it, in prose->clean, trimmed. */
static struct span clean_of(struct prose *prose, struct span text, bool multiline)
{
    struct span cleaned;

    if (prose_failed(prose)) {
        return SPAN_NONE;
    }
    buf_clear(prose->clean);
    if (text_clean(prose->clean, text, multiline, &prose->err) != ERR_OK) {
        return SPAN_NONE;
    }
    cleaned = buf_span(prose->clean);
    return multiline ? trim_lines(cleaned) : trim(cleaned);
}

static bool is_word(char byte)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');

    return letter || (byte >= '0' && byte <= '9') || ((unsigned char)byte & 0x80) != 0;
}

static bool is_emoji_name(char byte)
{
    return is_word(byte) || byte == '_' || byte == '-' || byte == '+' || byte == '\'';
}

/* Does an emoji's name and its closing colon follow the colon at index? */
static bool opens_emoji(struct span text, size_t index)
{
    size_t end = index + 1;

    while (end < text.size && is_emoji_name(text.data[end])) {
        end++;
    }
    return end > index + 1 && end < text.size && text.data[end] == ':';
}

/* Can the character at index begin a format, an emoji or a quote in mrkdwn? Stars, underscores and
 * tildes inside a word do not, so host names and paths stay as they are and can be copied. */
static bool is_mark(struct span text, size_t index)
{
    char byte = text.data[index];
    bool word_before = index > 0 && is_word(text.data[index - 1]);
    bool word_after = index + 1 < text.size && is_word(text.data[index + 1]);

    switch (byte) {
    case '*':
    case '_':
    case '~':
        return !(word_before && word_after);
    case '`':
        return true;
    case ':':
        return opens_emoji(text, index);
    default:
        return false;
    }
}

/* Bytes of the character at index of valid UTF-8. */
static size_t character_size(struct span text, size_t index)
{
    size_t size = 1;

    while (index + size < text.size && ((unsigned char)text.data[index + size] & 0xc0) == 0x80) {
        size++;
    }
    return size;
}

/* One character as it will stand in the text. *ret_piece borrows from text or from room. */
static struct span
piece_mrkdwn(struct span text, size_t index, size_t size, bool line_start, char room[8])
{
    switch (text.data[index]) {
    case '&':
        return SPAN_LITERAL("&amp;");
    case '<':
        return SPAN_LITERAL("&lt;");
    case '>':
        return line_start ? SPAN_LITERAL(PROSE_DISARM "&gt;") : SPAN_LITERAL("&gt;");
    default:
        break;
    }
    if (!is_mark(text, index)) {
        return span_of(text.data + index, size);
    }
    room[0] = text.data[index];
    memcpy(room + 1, PROSE_DISARM, sizeof PROSE_DISARM - 1);
    return span_of(room, sizeof PROSE_DISARM);
}

/* Is the newline at index the second empty line in a row, or a later one? */
static bool is_flood(struct span text, size_t index)
{
    return text.data[index] == '\n' && index >= 2 && text.data[index - 1] == '\n' &&
           text.data[index - 2] == '\n';
}

/* Appends clean text piece by piece while it fits in count_max. fit is the size of the text at the
 * last border behind which the ellipsis has room. */
static void add_pieces(struct prose *prose, struct span text, size_t count_max, bool mrkdwn)
{
    size_t limit = count_max < prose_room(prose) ? count_max : prose_room(prose);
    size_t fit = buf_size(prose->text);
    size_t fit_count = 0;
    size_t count = 0;
    size_t size;

    for (size_t i = 0; i < text.size && !prose_failed(prose); i += size) {
        bool line_start = i == 0 || text.data[i - 1] == '\n';
        char room[8];
        struct span piece;

        size = character_size(text, i);
        if (is_flood(text, i)) {
            continue;
        }
        piece =
            mrkdwn ? piece_mrkdwn(text, i, size, line_start, room) : span_of(text.data + i, size);
        if (count + text_count(piece) > limit) {
            buf_truncate(prose->text, fit);
            prose->count += fit_count;
            prose_add(prose, PROSE_ELLIPSIS);
            return;
        }
        count += text_count(piece);
        if (buf_append_span(prose->text, piece, &prose->err) == ERR_OK && count < limit) {
            fit = buf_size(prose->text);
            fit_count = count;
        }
    }
    prose->count += prose_failed(prose) ? 0 : count;
}

void prose_add_text(struct prose *prose, struct span text, size_t count_max)
{
    add_pieces(prose, clean_of(prose, text, false), count_max, true);
}

void prose_add_lines(struct prose *prose, struct span text, size_t count_max)
{
    add_pieces(prose, clean_of(prose, text, true), count_max, true);
}

void prose_add_plain(struct prose *prose, struct span text, size_t count_max)
{
    add_pieces(prose, clean_of(prose, text, false), count_max, false);
}

void prose_add_plain_lines(struct prose *prose, struct span text, size_t count_max)
{
    add_pieces(prose, clean_of(prose, text, true), count_max, false);
}

bool prose_is_id(struct span text, const char *first_letters)
{
    if (text.size < 2 || text.size > CORE_SLACK_ID_SIZE_MAX || text.data[0] == '\0' ||
        strchr(first_letters, text.data[0]) == NULL) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        char byte = text.data[i];

        if (!(byte >= 'A' && byte <= 'Z') && !(byte >= '0' && byte <= '9')) {
            return false;
        }
    }
    return true;
}

void prose_add_person(struct prose *prose, struct span user)
{
    if (prose_is_id(user, "UW")) {
        add_format(prose, "<@%.*s>", SPAN_ARGS(user));
    } else {
        prose_add_text(prose, user, CORE_NAME_SIZE_MAX);
    }
}

void prose_add_group(struct prose *prose, struct span group)
{
    if (prose_is_id(group, "S")) {
        add_format(prose, "<!subteam^%.*s>", SPAN_ARGS(group));
    } else if (prose_is_id(group, "CG")) {
        add_format(prose, "members of <#%.*s>", SPAN_ARGS(group));
    } else {
        prose_add_text(prose, group, CORE_NAME_SIZE_MAX);
    }
}

void prose_add_date(struct prose *prose, uint64_t wall_ms)
{
    char utc[TEXT_TIME_SIZE];

    text_format_time(wall_ms, utc); /* 2026-01-31T23:59:59Z */
    ASSERT(strlen(utc) >= 16);
    add_format(prose, "<!date^%" PRIu64 "^{date_short_pretty} {time}|%.10s %.5s UTC>",
               wall_ms / 1000, utc, utc + 11);
}

void prose_add_duration(struct prose *prose, uint64_t ms)
{
    if (ms >= 2 * PROSE_MS_DAY) {
        add_format(prose, "%" PRIu64 " days", ms / PROSE_MS_DAY);
    } else if (ms == PROSE_MS_HOUR) {
        prose_add(prose, "1 hour");
    } else if (ms >= 2 * PROSE_MS_HOUR) {
        add_format(prose, "%" PRIu64 " hours", ms / PROSE_MS_HOUR);
    } else if (ms == PROSE_MS_MINUTE) {
        prose_add(prose, "1 minute");
    } else if (ms >= 2 * PROSE_MS_MINUTE) {
        add_format(prose, "%" PRIu64 " minutes", ms / PROSE_MS_MINUTE);
    } else {
        add_format(prose, "%" PRIu64 " seconds", ms / 1000);
    }
}

void prose_add_link(struct prose *prose, const char *url, const char *label)
{
    add_format(prose, "<%s|%s>", url, label);
}

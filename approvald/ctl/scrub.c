/* SPDX-License-Identifier: Apache-2.0 */
/* scrub.c: a text without its secrets.
 * Owns what a secret looks like. Never reads a file, never keeps a byte of a text. */
#include "approvald/ctl/scrub.h"

#include "approvald/ctl/spelling.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define RANDOM_SIZE_MIN 32U /* letters of both cases and digits: 190 bits */
#define HEX_SIZE_MIN    48U /* a store's or a pair's id has 32, a build id 40: they may be shown */
#define SEED_SIZE_MIN   16U /* of base32 with a digit: 80 bits, the least of RFC 4226 */

/* Each known line, and its spellings. */
#define TEXT_COUNT_MAX ((size_t)SCRUB_COUNT_MAX * (1U + SPELLING_COUNT))
#define NONE           UINT16_MAX

static_assert(TEXT_COUNT_MAX < NONE, "an index fits");

struct secret {
    size_t size;
    char *bytes;   /* owned */
    uint16_t next; /* another one with the same first byte, or NONE */
};

struct scrub {
    size_t line_count;
    size_t count;
    uint16_t
        first[UINT8_MAX + 1]; /* by the first byte: a text is compared with few at each place */
    struct secret secrets[TEXT_COUNT_MAX];
};

/* How many bytes at the front of text are a secret; before: the byte in front of it, or 0. */
typedef size_t match_fn(struct span text, char before);

enum err_code scrub_new(struct scrub **ret_scrub, struct err *err)
{
    struct scrub *scrub = mem_new(1, sizeof *scrub);

    if (scrub == NULL) {
        return err_set(err, ERR_NOMEM, "scrub");
    }
    for (size_t i = 0; i <= UINT8_MAX; i++) {
        scrub->first[i] = NONE;
    }
    *ret_scrub = scrub;
    return ERR_OK;
}

void scrub_free(struct scrub *scrub)
{
    if (scrub == NULL) {
        return;
    }
    for (size_t i = 0; i < scrub->count; i++) {
        mem_wipe(scrub->secrets[i].bytes, scrub->secrets[i].size);
        mem_free(scrub->secrets[i].bytes);
    }
    mem_free(scrub);
}

static bool is_known(const struct scrub *scrub, struct span line)
{
    uint16_t at = scrub->first[(unsigned char)line.data[0]];

    while (at != NONE &&
           !span_equal(span_of(scrub->secrets[at].bytes, scrub->secrets[at].size), line)) {
        at = scrub->secrets[at].next;
    }
    return at != NONE;
}

static enum err_code know_text(struct scrub *scrub, struct span text, struct err *err)
{
    struct secret *secret = &scrub->secrets[scrub->count];
    uint16_t *first;

    if (text.size < SCRUB_SIZE_MIN || is_known(scrub, text)) {
        return ERR_OK;
    }
    ASSERT(scrub->count < TEXT_COUNT_MAX); /* lines are counted */
    secret->bytes = mem_copy_text(text.data, text.size);
    if (secret->bytes == NULL) {
        return err_set(err, ERR_NOMEM, "scrub");
    }
    secret->size = text.size;
    first = &scrub->first[(unsigned char)text.data[0]];
    secret->next = *first;
    *first = (uint16_t)scrub->count++;
    return ERR_OK;
}

static enum err_code know_spellings(struct scrub *scrub, struct span line, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = buf_new(line.size * SPELLING_GROWTH, &text, err);

    for (int spelling = 0; rc == ERR_OK && spelling < SPELLING_COUNT; spelling++) {
        rc = spelling_append((enum spelling)spelling, line, text, err);
        if (rc == ERR_OK) {
            rc = know_text(scrub, buf_span(text), err);
        }
        buf_wipe(text);
    }
    return rc;
}

static enum err_code know_line(struct scrub *scrub, struct span line, struct err *err)
{
    enum err_code rc;

    while (line.size > 0 && (line.data[line.size - 1] == '\r' || line.data[line.size - 1] == ' ')) {
        line.size--;
    }
    /* The first and the last line of a PEM file are no secret, and stand in certificates too. */
    if (line.size < SCRUB_SIZE_MIN || line.size > SCRUB_SECRET_MAX ||
        memcmp(line.data, "-----", 5) == 0 || is_known(scrub, line)) {
        return ERR_OK;
    }
    if (scrub->line_count == SCRUB_COUNT_MAX) {
        return err_set(err, ERR_FULL, "more than %u secrets", SCRUB_COUNT_MAX);
    }
    scrub->line_count++;
    rc = know_text(scrub, line, err);
    return rc == ERR_OK ? know_spellings(scrub, line, err) : rc;
}

enum err_code scrub_know(struct scrub *scrub, struct span secret, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && secret.size > 0) {
        const char *end = memchr(secret.data, '\n', secret.size);
        size_t size = end == NULL ? secret.size : (size_t)(end - secret.data);

        rc = know_line(scrub, span_of(secret.data, size), err);
        size += end == NULL ? 0 : 1;
        secret = span_of(secret.data + size, secret.size - size);
    }
    return rc;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_upper(c) || is_lower(c) || is_digit(c) || c == '_' || c == '-';
}

static bool starts(struct span text, const char *word)
{
    size_t size = strlen(word);

    return text.size >= size && memcmp(text.data, word, size) == 0;
}

/* To the end of what is written in one piece, from at on. */
static size_t to_space(struct span text, size_t at)
{
    while (at < text.size && strchr(" \t\r\n\"'<>\\,;)}", text.data[at]) == NULL) {
        at++;
    }
    return at;
}

static size_t match_prefixed(struct span text, char before)
{
    /* A join token of any version: its base64 has a '/' here and there, behind which the rest of it
     * looks like nothing. */
    static const char *const prefixes[] = {
        "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxc-",   "xoxd-",    "xoxe-",
        "xoxe.", "xoxs-", "xapp-", "apv_",  "apvjoin", "otpauth:", "hooks.slack.com/"};

    if (is_word(before)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (starts(text, prefixes[i])) {
            return to_space(text, strlen(prefixes[i]));
        }
    }
    return 0;
}

static size_t match_private_key(struct span text, char before)
{
    static const char head[] = "-----BEGIN ";
    static const char word[] = "PRIVATE KEY-----";
    static const char end[] = "-----END ";
    const char *at;
    size_t size;

    (void)before;
    if (!starts(text, head)) {
        return 0;
    }
    at = memchr(text.data, '\n', text.size);
    size = at == NULL ? text.size : (size_t)(at - text.data);
    if (memmem(text.data, size, word, sizeof word - 1) == NULL) {
        return 0;
    }
    at = memmem(text.data, text.size, end, sizeof end - 1);
    if (at == NULL) {
        return text.size; /* it goes on to the end: so does what is removed */
    }
    size = (size_t)(at - text.data) + sizeof end - 1;
    while (size < text.size && text.data[size] != '\n') {
        size++;
    }
    return size;
}

/* Behind a '/': the name and password of a URL, to the last '@' in front of its host; also further
 * behind, where a '/' may have stood in a password. Of a path no more is taken: where one is a
 * secret, as in a webhook's URL, whoever knows that takes it out before. */
static size_t match_url(struct span text, char before)
{
    size_t end = 0;
    const char *at;

    if (before != '/') {
        return 0;
    }
    while (end < text.size && strchr(" \t\r\n\"/?#", text.data[end]) == NULL) {
        end++;
    }
    at = memrchr(text.data, '@', end);
    return at == NULL ? 0 : (size_t)(at - text.data) + 1;
}

static size_t match_header(struct span text, char before)
{
    static const char *const words[] = {"Bearer ", "bearer ", "Basic "};

    if (is_word(before)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (starts(text, words[i])) {
            return to_space(text, strlen(words[i]));
        }
    }
    return 0;
}

struct run {
    size_t size;
    size_t upper, lower, digits;
    bool hex;
    bool base32;
};

/* The longest piece of characters that keys are written in. An '=' ends it: behind the name of a
 * field a key may begin; at the end of base64 and base32 it is padding, and goes with them. */
static struct run run_of(struct span text)
{
    struct run run = {.hex = true, .base32 = true};

    for (; run.size < text.size; run.size++) {
        char c = text.data[run.size];

        if (!is_word(c) && c != '+') {
            break;
        }
        run.upper += is_upper(c) ? 1 : 0;
        run.lower += is_lower(c) ? 1 : 0;
        run.digits += is_digit(c) ? 1 : 0;
        run.hex = run.hex && (is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
        run.base32 = run.base32 && (is_upper(c) || (c >= '2' && c <= '7'));
    }
    return run;
}

static size_t match_random(struct span text, char before)
{
    struct run run;
    bool mixed;

    if (is_word(before) || before == '+') {
        return 0;
    }
    run = run_of(text);
    mixed = run.upper > 2 && run.lower > 2 && run.digits > 2;
    if ((run.hex && run.size >= HEX_SIZE_MIN) || (mixed && run.size >= RANDOM_SIZE_MIN) ||
        (run.base32 && run.digits > 0 && run.upper > 0 && run.size >= SEED_SIZE_MIN)) {
        while (run.size < text.size && text.data[run.size] == '=') {
            run.size++;
        }
        return run.size;
    }
    return 0;
}

static size_t match_known(const struct scrub *scrub, struct span text)
{
    size_t longest = 0;
    uint16_t at = text.size == 0 ? NONE : scrub->first[(unsigned char)text.data[0]];

    for (; at != NONE; at = scrub->secrets[at].next) {
        const struct secret *secret = &scrub->secrets[at];

        if (secret->size > longest && text.size >= secret->size &&
            memcmp(text.data, secret->bytes, secret->size) == 0) {
            longest = secret->size;
        }
    }
    return longest;
}

/* A known secret that begins inside what is removed goes whole: without its front nobody would know
 * the rest again. */
static size_t match_to_end(const struct scrub *scrub, struct span text, size_t size)
{
    for (size_t at = 1; at < size; at++) {
        size_t known = match_known(scrub, span_of(text.data + at, text.size - at));

        size = at + known > size ? at + known : size;
    }
    return size;
}

static size_t match(const struct scrub *scrub, struct span text, char before)
{
    static match_fn *const looks[] = {match_prefixed, match_private_key, match_url, match_header,
                                      match_random};
    size_t longest = match_known(scrub, text);

    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        size_t size = looks[i](text, before);

        longest = size > longest ? size : longest;
    }
    longest = match_to_end(scrub, text, longest);
    ASSERT(longest <= text.size);
    return longest;
}

enum err_code scrub_append(
    const struct scrub *scrub, struct span text, struct buf *buf, uint64_t *count, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t shown = 0; /* what was appended, or removed */
    size_t at = 0;
    char before = '\0';

    while (rc == ERR_OK && at < text.size) {
        size_t size = match(scrub, span_of(text.data + at, text.size - at), before);

        if (size == 0) {
            before = text.data[at++];
            continue;
        }
        rc = buf_append(buf, text.data + shown, at - shown, err);
        rc = rc == ERR_OK ? buf_append_text(buf, SCRUB_MARK, err) : rc;
        at += size;
        before = text.data[at - 1];
        shown = at;
        *count += 1;
    }
    return rc == ERR_OK ? buf_append(buf, text.data + shown, text.size - shown, err) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* conf_scan.c: the words of libConfuse's language.
 * Owns what may reach libConfuse's lexer.
 * Never decides whether a statement makes sense: that is libConfuse's and the schema's. */
#include "base/conf_scan.h"

#include "base/assert.h"
#include "base/text.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* without quotes */
    TOKEN_STRING, /* the text between its quotes, escapes as written */
    TOKEN_MARK,   /* one of { } ( ) = , and what libConfuse skips */
};

struct token {
    enum token_kind kind;
    struct span text;
    size_t offset; /* where it begins, with its quote */
    uint32_t line;
};

static enum err_code scan_refuse(const struct conf_scan *scan, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s:%u: %s", scan->name, scan->line, what);
}

enum err_code
conf_scan_init(struct conf_scan *scan, const char *name, struct span text, struct err *err)
{
    *scan = (struct conf_scan){.text = text, .name = name, .line = 1};
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        scan->line += byte == '\n';
        if ((byte < 0x20 && strchr("\t\n\r", byte) == NULL) || byte == 0 || byte == 0x7f) {
            return scan_refuse(scan, "control character", err);
        }
    }
    scan->line = 1;
    if (!text_is_utf8(text)) {
        return err_set(err, ERR_INVALID, "%s: not UTF-8", name);
    }
    return ERR_OK;
}

/* The byte at a distance, or NUL past the end: none is in the text. */
static char scan_peek(const struct conf_scan *scan, size_t distance)
{
    const char *at = scan->text.data + scan->offset;

    if (scan->text.size - scan->offset <= distance) {
        return '\0';
    }
    return at[distance];
}

static void scan_step(struct conf_scan *scan, size_t size)
{
    ASSERT(size <= scan->text.size - scan->offset);
    for (size_t i = 0; i < size; i++) {
        scan->line += scan->text.data[scan->offset + i] == '\n';
    }
    scan->offset += size;
}

static enum err_code scan_comment(struct conf_scan *scan, struct err *err)
{
    uint32_t line = scan->line;

    scan_step(scan, 2);
    while (scan_peek(scan, 0) != '\0') {
        if (scan_peek(scan, 0) == '*' && scan_peek(scan, 1) == '/') {
            scan_step(scan, 2);
            return ERR_OK;
        }
        scan_step(scan, 1);
    }
    scan->line = line;
    return scan_refuse(scan, "comment without end", err);
}

/* Space and comments. */
static enum err_code scan_space(struct conf_scan *scan, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        char byte = scan_peek(scan, 0);

        if (byte != '\0' && strchr(" \t\r\n", byte) != NULL) {
            scan_step(scan, 1);
        } else if (byte == '#' || (byte == '/' && scan_peek(scan, 1) == '/')) {
            const char *at = scan->text.data + scan->offset;
            const char *end = memchr(at, '\n', scan->text.size - scan->offset);

            scan_step(scan, end == NULL ? scan->text.size - scan->offset : (size_t)(end - at));
        } else if (byte == '/' && scan_peek(scan, 1) == '*') {
            rc = scan_comment(scan, err);
        } else {
            return ERR_OK;
        }
    }
    return rc;
}

static enum err_code scan_string(struct conf_scan *scan, struct token *token, struct err *err)
{
    char quote = scan_peek(scan, 0);
    size_t start = scan->offset + 1;

    scan_step(scan, 1);
    while (scan_peek(scan, 0) != quote) {
        char byte = scan_peek(scan, 0);
        char next = scan_peek(scan, 1);

        if (byte == '\0' || (byte == '\\' && next == '\0')) {
            scan->line = token->line;
            return scan_refuse(scan, "string without end", err);
        }
        if (quote == '"' && byte == '\\' && next >= '0' && next <= '9') {
            return scan_refuse(scan, "numeric escape (use \\xNN)", err);
        }
        if (quote == '"' && byte == '$' && next == '{') {
            return scan_refuse(scan, "environment variables are not read here (write \\$)", err);
        }
        scan_step(scan, byte == '\\' ? 2 : 1);
    }
    token->kind = TOKEN_STRING;
    token->text = span_of(scan->text.data + start, scan->offset - start);
    scan_step(scan, 1);
    return ERR_OK;
}

static enum err_code scan_word(struct conf_scan *scan, struct token *token, struct err *err)
{
    size_t size = 0;

    while (scan_peek(scan, size) != '\0' &&
           strchr(" #\"'\t\n\r={}()+,*", scan_peek(scan, size)) == NULL) {
        size++;
    }
    token->kind = size == 0 ? TOKEN_MARK : TOKEN_WORD;
    size = size == 0 ? 1 : size;
    token->text = span_of(scan->text.data + scan->offset, size);
    if (token->text.data[size - 1] == '$' && scan_peek(scan, size) == '{') {
        return scan_refuse(scan, "environment variables are not read here", err);
    }
    scan_step(scan, size);
    return ERR_OK;
}

static enum err_code scan_token(struct conf_scan *scan, struct token *token, struct err *err)
{
    enum err_code rc = scan_space(scan, err);

    *token = (struct token){.kind = TOKEN_END, .offset = scan->offset, .line = scan->line};
    if (rc != ERR_OK || scan_peek(scan, 0) == '\0') {
        return rc;
    }
    if (scan_peek(scan, 0) == '"' || scan_peek(scan, 0) == '\'') {
        return scan_string(scan, token, err);
    }
    return scan_word(scan, token, err);
}

static bool token_is_mark(const struct token *token, const char *mark)
{
    return token->kind == TOKEN_MARK && span_is(token->text, mark);
}

/* Behind the word include. */
static enum err_code
scan_include(struct conf_scan *scan, struct conf_scan_found *found, struct err *err)
{
    struct token open;
    struct token file;
    struct token close;
    enum err_code rc = scan_token(scan, &open, err);

    rc = rc == ERR_OK ? scan_token(scan, &file, err) : rc;
    rc = rc == ERR_OK ? scan_token(scan, &close, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (!token_is_mark(&open, "(") || file.kind != TOKEN_STRING || !token_is_mark(&close, ")") ||
        memchr(file.text.data, '\\', file.text.size) != NULL || file.text.size == 0) {
        return scan_refuse(scan, "write include(\"FILE\")", err);
    }
    found->what = CONF_SCAN_INCLUDE;
    found->word = file.text;
    return ERR_OK;
}

static enum err_code scan_brace(struct conf_scan *scan, const struct token *token, struct err *err)
{
    if (token_is_mark(token, "{")) {
        scan->depth++;
    } else if (token_is_mark(token, "}")) {
        if (scan->depth == 0) {
            return scan_refuse(scan, "closing brace without an opening one", err);
        }
        scan->depth--;
    }
    return ERR_OK;
}

/* Where a statement of the top level stands. */
struct statement {
    struct token first; /* word of it that is not a value; TOKEN_END: none yet */
    bool value;         /* behind an equals sign: a brace opens a list */
};

static void statement_step(struct statement *statement, const struct token *token)
{
    if (token->kind == TOKEN_MARK) {
        statement->value = token_is_mark(token, "=");
        statement->first.kind = TOKEN_END;
    } else if (statement->value) {
        statement->value = false;
    } else if (statement->first.kind == TOKEN_END) {
        statement->first = *token;
    }
}

/* One token; *ret_found says when it completes something at the top level. */
static enum err_code scan_statement(struct conf_scan *scan,
                                    struct statement *statement,
                                    struct conf_scan_found *ret_found,
                                    struct err *err)
{
    struct token token;
    bool top = scan->depth == 0 && !statement->value;
    enum err_code rc = scan_token(scan, &token, err);

    *ret_found = (struct conf_scan_found){.what = token.kind == TOKEN_END ? CONF_SCAN_END
                                                                          : CONF_SCAN_NOTHING,
                                          .offset = token.offset,
                                          .line = token.line};
    if (rc != ERR_OK) {
        return rc;
    }
    if (top && token.kind == TOKEN_WORD && span_is(token.text, "include")) {
        return scan_include(scan, ret_found, err);
    }
    if (top && token_is_mark(&token, "{")) {
        ret_found->what = CONF_SCAN_SECTION;
        ret_found->word = statement->first.text;
    }
    statement_step(statement, &token);
    return scan_brace(scan, &token, err);
}

enum err_code
conf_scan_next(struct conf_scan *scan, struct conf_scan_found *ret_found, struct err *err)
{
    struct statement statement = {.value = false};
    enum err_code rc;

    do {
        rc = scan_statement(scan, &statement, ret_found, err);
    } while (rc == ERR_OK && ret_found->what == CONF_SCAN_NOTHING);
    if (rc == ERR_OK && ret_found->what == CONF_SCAN_END && scan->depth > 0) {
        return scan_refuse(scan, "section or list without end", err);
    }
    return rc;
}

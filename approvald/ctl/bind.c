/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c: the hash of what will run, and its text for people.
 * Owns the canonical encoding "approvald-bind-v1"; never runs anything, never reads the
 * environment. What it shows is complete: nothing that is hashed is left out or can hide. */
#include "approvald/ctl/bind.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err_code netstring(struct buf *buf, const char *text, struct err *err)
{
    return buf_append_format(buf, err, "%zu:%s,", strlen(text), text);
}

static enum err_code netstring_count(struct buf *buf, size_t count, struct err *err)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu", count); /* 20 digits at most */
    return netstring(buf, text, err);
}

static int by_bytes(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

/* A name that no screen can hide a part of. */
static bool is_name(const char *name, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz0123456789";

    return size > 0 && strspn(name, allowed) == size && (name[0] < '0' || name[0] > '9');
}

/* Sorts a copy of the variables; the same name twice would leave open which one runs. */
static enum err_code sort_envs(const struct bind *bind, const char **ret_sorted, struct err *err)
{
    ASSERT(bind->env_count <= BIND_ENV_COUNT_MAX);
    for (size_t i = 0; i < bind->env_count; i++) {
        const char *equals = strchr(bind->envs[i], '=');

        if (equals == NULL || !is_name(bind->envs[i], (size_t)(equals - bind->envs[i]))) {
            return err_set(err, ERR_INVALID, "variable %zu is not NAME=value", i + 1);
        }
        ret_sorted[i] = bind->envs[i];
    }
    qsort(ret_sorted, bind->env_count, sizeof *ret_sorted, by_bytes);
    for (size_t i = 1; i < bind->env_count; i++) {
        size_t size = (size_t)(strchr(ret_sorted[i], '=') - ret_sorted[i]) + 1;

        if (strncmp(ret_sorted[i - 1], ret_sorted[i], size) == 0) {
            return err_set(err, ERR_INVALID, "variable '%.*s' twice", (int)size - 1, ret_sorted[i]);
        }
    }
    return ERR_OK;
}

static enum err_code encode(const struct bind *bind, struct buf *buf, struct err *err)
{
    const char *sorted[BIND_ENV_COUNT_MAX] = {0};
    size_t argc = 0;
    enum err_code rc = sort_envs(bind, sorted, err);

    while (bind->argv[argc] != NULL) {
        argc++;
    }
    ASSERT(argc > 0);
    if (rc == ERR_OK) {
        rc = netstring(buf, "approvald-bind-v1", err);
    }
    if (rc == ERR_OK) {
        rc = netstring(buf, bind->directory, err);
    }
    if (rc == ERR_OK) {
        rc = netstring_count(buf, argc, err);
    }
    for (size_t i = 0; i < argc && rc == ERR_OK; i++) {
        rc = netstring(buf, bind->argv[i], err);
    }
    if (rc == ERR_OK) {
        rc = netstring_count(buf, bind->env_count, err);
    }
    for (size_t i = 0; i < bind->env_count && rc == ERR_OK; i++) {
        ASSERT(sorted[i] != NULL);
        rc = netstring(buf, sorted[i], err);
    }
    return rc;
}

enum err_code
bind_hash(const struct bind *bind, uint8_t ret_hash[CRYPTO_SHA256_SIZE], struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc = buf_new(BIND_SIZE_MAX, &buf, err);

    if (rc == ERR_OK) {
        rc = encode(bind, buf, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "bind");
    }
    crypto_sha256(buf_text(buf), buf_size(buf), ret_hash);
    return ERR_OK;
}

void bind_code(const uint8_t hash[CRYPTO_SHA256_SIZE], char ret_code[BIND_CODE_SIZE])
{
    crypto_hex(hash, (BIND_CODE_SIZE - 1) / 2, ret_code);
}

static bool is_plain(const char *word)
{
    return word[0] != '\0' && word[0] != '~' && word[0] != '=' &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "%+,-./:=@_~") == strlen(word);
}

/* True when a screen shows every byte of the word: valid UTF-8 that cleaning leaves alone. */
static enum err_code is_visible(const char *word, bool *ret_visible, struct err *err)
{
    AUTO_BUF struct buf *clean = NULL;
    struct span span = span_text(word);
    enum err_code rc;

    *ret_visible = false;
    if (!text_is_utf8(span)) {
        return ERR_OK;
    }
    rc = buf_new(BIND_SIZE_MAX, &clean, err);
    if (rc == ERR_OK) {
        rc = text_clean(clean, span, false, err);
    }
    if (rc == ERR_OK) {
        *ret_visible = span_equal(span, buf_span(clean));
    }
    return rc;
}

static enum err_code quote_ansi(struct buf *buf, const char *word, struct err *err)
{
    enum err_code rc = buf_append_text(buf, "$'", err);

    for (const char *at = word; *at != '\0' && rc == ERR_OK; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte == '\'' || byte == '\\') {
            rc = buf_append_format(buf, err, "\\%c", byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            rc = buf_append_format(buf, err, "\\x%02x", byte);
        } else {
            rc = buf_append(buf, at, 1, err);
        }
    }
    return rc == ERR_OK ? buf_append_text(buf, "'", err) : rc;
}

enum err_code bind_quote(struct buf *buf, const char *word, struct err *err)
{
    bool visible = false;
    enum err_code rc;

    if (is_plain(word)) {
        return buf_append_text(buf, word, err);
    }
    rc = is_visible(word, &visible, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (!visible || strchr(word, '\'') != NULL) {
        return quote_ansi(buf, word, err);
    }
    return buf_append_format(buf, err, "'%s'", word);
}

/* NAME=value with the value quoted, as it would stand before a command. */
static enum err_code quote_env(struct buf *buf, const char *env, struct err *err)
{
    const char *value = strchr(env, '=');
    enum err_code rc;

    ASSERT(value != NULL);
    rc = buf_append_format(buf, err, "\nwith %.*s=", (int)(value - env), env);
    return rc == ERR_OK ? bind_quote(buf, value + 1, err) : rc;
}

enum err_code bind_describe(const struct bind *bind, struct buf *buf, struct err *err)
{
    const char *sorted[BIND_ENV_COUNT_MAX] = {0};
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char code[BIND_CODE_SIZE];
    enum err_code rc = bind_hash(bind, hash, err);

    if (rc == ERR_OK) {
        rc = sort_envs(bind, sorted, err);
    }
    for (size_t i = 0; rc == ERR_OK && bind->argv[i] != NULL; i++) {
        rc = i == 0 ? ERR_OK : buf_append_text(buf, " ", err);
        if (rc == ERR_OK) {
            rc = bind_quote(buf, bind->argv[i], err);
        }
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(buf, "\nin ", err);
    }
    if (rc == ERR_OK) {
        rc = bind_quote(buf, bind->directory, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < bind->env_count; i++) {
        ASSERT(sorted[i] != NULL);
        rc = quote_env(buf, sorted[i], err);
    }
    if (rc == ERR_OK) {
        bind_code(hash, code);
        rc = buf_append_format(buf, err, "\ncode %s", code);
    }
    return rc;
}

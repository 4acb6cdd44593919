/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_text.c: etcd's JSON.
 * Owns the shape of requests and what counts as a whole answer. Never does I/O, never guesses: a
 * field that is missing or strange makes the answer one that is not understood. */
#include "supervisor/arbiter/etcd_text.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_SIZE_MAX 8192U
#define VALUE_TEXT_SIZE ((REGISTER_TEXT_SIZE_MAX + 2) / 3 * 4 + 1)
#define COMPARE_SIZE    (2 * ETCD_KEY_SIZE + VALUE_TEXT_SIZE + 160)

enum err_code etcd_key(const char *prefix,
                       const uint8_t *cluster_id,
                       char ret_key[ETCD_KEY_SIZE],
                       struct err *err)
{
    const char *begin = prefix == NULL ? "/approvald/" : prefix;
    char hex[2 * REGISTER_ID_SIZE + 1];
    char key[ETCD_KEY_SIZE / 4 * 3];
    int size;

    crypto_hex(cluster_id, REGISTER_ID_SIZE, hex);
    size = snprintf(key, sizeof key, "%s%s", begin, hex);
    if (size < 0 || (size_t)size >= sizeof key - 3) {
        return err_set(err, ERR_INVALID, "etcd: key prefix of more than %zu bytes",
                       sizeof key - sizeof hex - 3);
    }
    crypto_base64(key, (size_t)size, ret_key);
    return ERR_OK;
}

static bool is_plain(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '"' || text[i] == '\\') {
            return false;
        }
    }
    return size > 0 && size <= ETCD_USER_SIZE_MAX;
}

enum err_code etcd_check_user(const char *user, const char *password, struct err *err)
{
    if (!is_plain(user) || password == NULL || !is_plain(password)) {
        return err_set(err, ERR_INVALID,
                       "etcd: user and password: 1 to %u printable characters, no \" and no \\",
                       ETCD_USER_SIZE_MAX);
    }
    return ERR_OK;
}

static void fits(int size)
{
    ASSERT(size > 0);
    ASSERT((size_t)size < ETCD_BODY_SIZE);
}

void etcd_range_body(const char *key, char ret_body[ETCD_BODY_SIZE])
{
    /* "serializable" is left out: false, so the read is linearizable. */
    fits(snprintf(ret_body, ETCD_BODY_SIZE, "{\"key\":\"%s\"}", key));
}

static void encode(const struct register_value *value, char encoded[VALUE_TEXT_SIZE])
{
    char text[REGISTER_TEXT_SIZE_MAX];

    register_format(value, text);
    crypto_base64(text, strlen(text), encoded);
}

/* What has to be true of the key, as the list of one transaction. */
static void
format_compare(const char *key, const struct failover_cas *swap, char *text, size_t room)
{
    char encoded[VALUE_TEXT_SIZE];
    int size;

    if (swap->revision == 0) {
        size = snprintf(text, room,
                        "{\"key\":\"%s\",\"result\":\"EQUAL\",\"target\":\"VERSION\","
                        "\"version\":\"0\"}",
                        key);
    } else {
        encode(&swap->before, encoded);
        size = snprintf(text, room,
                        "{\"key\":\"%s\",\"result\":\"EQUAL\",\"target\":\"MOD\","
                        "\"mod_revision\":\"%llu\"},{\"key\":\"%s\",\"result\":\"EQUAL\","
                        "\"target\":\"VALUE\",\"value\":\"%s\"}",
                        key, (unsigned long long)swap->revision, key, encoded);
    }
    ASSERT(size > 0 && (size_t)size < room);
}

void etcd_txn_body(const char *key, const struct failover_cas *swap, char ret_body[ETCD_BODY_SIZE])
{
    char encoded[VALUE_TEXT_SIZE];
    char compare[COMPARE_SIZE];

    encode(&swap->value, encoded);
    format_compare(key, swap, compare, sizeof compare);
    fits(snprintf(ret_body, ETCD_BODY_SIZE,
                  "{\"compare\":[%s],"
                  "\"success\":[{\"request_put\":{\"key\":\"%s\",\"value\":\"%s\"}}],"
                  "\"failure\":[{\"request_range\":{\"key\":\"%s\"}}]}",
                  compare, key, encoded, key));
}

void etcd_login_body(const char *user, const char *password, char ret_body[ETCD_BODY_SIZE])
{
    fits(snprintf(ret_body, ETCD_BODY_SIZE, "{\"name\":\"%s\",\"password\":\"%s\"}", user,
                  password));
}

static enum err_code
number(const struct json *json, const char *path, uint64_t *ret_number, struct err *err)
{
    if (!text_parse_u64(json_text(json, path), ret_number)) {
        return err_set(err, ERR_PROTOCOL, "etcd: %s is no number", path);
    }
    return ERR_OK;
}

static enum err_code
header(const struct json *json, struct failover_answer *answer, struct err *err)
{
    enum err_code rc = number(json, "header.cluster_id", &answer->arbiter_id, err);

    return rc == ERR_OK ? number(json, "header.revision", &answer->revision_head, err) : rc;
}

/* The one key of a range's answer. */
static enum err_code pair(const struct json *kv, struct failover_answer *answer, struct err *err)
{
    char text[REGISTER_TEXT_SIZE_MAX];
    struct span encoded = json_text(kv, "value");
    size_t size = 0;
    enum err_code rc = number(kv, "mod_revision", &answer->revision, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!crypto_unbase64(encoded, text, sizeof text, &size)) {
        return err_set(err, ERR_CORRUPT, "etcd: the key holds no register");
    }
    return register_parse(span_of(text, size), &answer->value, err);
}

static enum err_code range(const struct json *json, struct failover_answer *answer, struct err *err)
{
    const struct json *kvs = json_get(json, "kvs");

    if (json_count(kvs) == 0) {
        answer->outcome = FAILOVER_ABSENT;
        return ERR_OK;
    }
    if (json_count(kvs) != 1) {
        return err_set(err, ERR_PROTOCOL, "etcd: one key was asked for and several came");
    }
    return pair(json_at(kvs, 0), answer, err);
}

enum err_code
etcd_parse_range(struct span body, struct failover_answer *ret_answer, struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct failover_answer answer = {.outcome = FAILOVER_DONE};
    enum err_code rc = json_parse(body, ANSWER_SIZE_MAX, &json, err);

    if (rc == ERR_OK) {
        rc = header(json, &answer, err);
    }
    if (rc == ERR_OK) {
        rc = range(json, &answer, err);
    }
    if (rc == ERR_OK) {
        *ret_answer = answer;
    }
    return rc;
}

enum err_code etcd_parse_txn(struct span body,
                             const struct register_value *put,
                             struct failover_answer *ret_answer,
                             struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct failover_answer answer = {.outcome = FAILOVER_CONFLICT};
    const struct json *responses;
    enum err_code rc = json_parse(body, ANSWER_SIZE_MAX, &json, err);

    if (rc == ERR_OK) {
        rc = header(json, &answer, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    responses = json_get(json, "responses");
    if (json_count(responses) != 1) {
        return err_set(err, ERR_PROTOCOL, "etcd: a transaction's answer without its response");
    }
    if (json_bool(json, "succeeded", false)) {
        answer.outcome = FAILOVER_DONE;
        answer.value = *put;
        answer.revision = answer.revision_head; /* a put's mod_revision is that of its txn */
    } else if (json_get(json_at(responses, 0), "response_range") == NULL) {
        return err_set(err, ERR_PROTOCOL, "etcd: a transaction that failed without its read");
    } else {
        rc = range(json_get(json_at(responses, 0), "response_range"), &answer, err);
    }
    if (rc == ERR_OK) {
        *ret_answer = answer;
    }
    return rc;
}

enum err_code etcd_parse_token(struct span body, char *ret_header, size_t size, struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    enum err_code rc = json_parse(body, ANSWER_SIZE_MAX, &json, err);
    struct span token;
    int written;

    if (rc != ERR_OK) {
        return rc;
    }
    token = json_text(json, "token");
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] <= ' ' || token.data[i] > '~') {
            return err_set(err, ERR_PROTOCOL, "etcd: a token that cannot be sent");
        }
    }
    written = snprintf(ret_header, size, "Authorization: %.*s", SPAN_ARGS(token));
    if (token.size == 0 || written < 0 || (size_t)written >= size) {
        ret_header[0] = '\0';
        return err_set(err, ERR_PROTOCOL, "etcd: no token, or one too long");
    }
    return ERR_OK;
}

void etcd_error_text(struct span body, char *text, size_t size)
{
    AUTO_JSON struct json *json = NULL;
    struct span reason;
    size_t used = 0;

    text[0] = '\0';
    if (json_parse(body, ANSWER_SIZE_MAX, &json, NULL) != ERR_OK) {
        return;
    }
    reason = json_text(json, "error");
    if (reason.size == 0) {
        reason = json_text(json, "message");
    }
    for (; used < reason.size && used + 1 < size; used++) {
        char c = reason.data[used];

        text[used] = '?';
        if (c >= ' ' && c <= '~') {
            text[used] = c;
        }
    }
    text[used] = '\0';
}

bool etcd_is_token_error(struct span body)
{
    char text[160];

    etcd_error_text(body, text, sizeof text);
    return strstr(text, "invalid auth token") != NULL ||
           strstr(text, "user name is empty") != NULL ||
           strstr(text, "revision of auth store is old") != NULL;
}

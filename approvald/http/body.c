/* SPDX-License-Identifier: Apache-2.0 */
/* body.c: reads the JSON bodies of the API.
 * Owns the names and bounds of members. Never applies a rule of approval and never guesses: a
 * number in quotes is a mistake that is named, not a number. */
#include "approvald/http/body.h"

#include "approvald/core/request_id.h"
#include "approvald/http/limits.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

static enum err_code parse(struct span body, struct json **ret_json, struct err *err)
{
    enum err_code rc = json_parse(body, HTTP_API_BODY_SIZE_MAX, ret_json, err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "the body is not JSON");
    }
    if (!json_is_object(*ret_json)) {
        json_free(*ret_json);
        *ret_json = NULL;
        return err_set(err, ERR_INVALID, "the body has to be a JSON object");
    }
    return ERR_OK;
}

static enum err_code parse_or_empty(struct span body, struct json **ret_json, struct err *err)
{
    return parse(body.size == 0 ? SPAN_LITERAL("{}") : body, ret_json, err);
}

/* A text member; absent and null are empty. size_max in bytes: the service counts characters. */
static enum err_code member_text(const struct json *json,
                                 const char *name,
                                 size_t size_max,
                                 struct span *ret_text,
                                 struct err *err)
{
    const struct json *member = json_get(json, name);

    *ret_text = SPAN_NONE;
    if (member == NULL || json_is_null(member)) {
        return ERR_OK;
    }
    if (!json_is_string(member)) {
        return err_set(err, ERR_INVALID, "%s: has to be a text", name);
    }
    *ret_text = json_string(member);
    if (ret_text->size > size_max) {
        return err_set(err, ERR_INVALID, "%s: longer than %zu bytes", name, size_max);
    }
    return ERR_OK;
}

/* An integer member from 0 to max; absent and null are 0. */
static enum err_code member_number(
    const struct json *json, const char *name, uint64_t max, uint64_t *ret_number, struct err *err)
{
    const struct json *member = json_get(json, name);

    *ret_number = 0;
    if (member == NULL || json_is_null(member)) {
        return ERR_OK;
    }
    if (!json_u64(json, name, ret_number) || *ret_number > max) {
        *ret_number = 0;
        return err_set(err, ERR_INVALID, "%s: has to be an integer from 0 to %llu", name,
                       (unsigned long long)max);
    }
    return ERR_OK;
}

static enum err_code member_hash(const struct json *json,
                                 const char *name,
                                 bool *ret_given,
                                 uint8_t ret_hash[32],
                                 struct err *err)
{
    struct span text;
    enum err_code rc = member_text(json, name, 64, &text, err);

    *ret_given = false;
    if (rc != ERR_OK || text.size == 0) {
        return rc;
    }
    if (!crypto_unhex(text, ret_hash, 32)) {
        return err_set(err, ERR_INVALID, "%s: has to be 64 hex digits (SHA-256)", name);
    }
    *ret_given = true;
    return ERR_OK;
}

/* {"name": "value"}: which names there are, and what fits, is the policy's word. */
static enum err_code
member_fields(const struct json *json, struct field_values *values, struct err *err)
{
    const struct json *object = json_get(json, "fields");

    if (object == NULL || json_is_null(object)) {
        return ERR_OK;
    }
    if (!json_is_object(object) || json_count(object) > CORE_FIELD_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "fields: has to be an object of at most %d texts",
                       CORE_FIELD_COUNT_MAX);
    }
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        if (!json_is_string(at)) {
            return err_set(err, ERR_INVALID, "fields.%.64s: has to be a text", json_name(at));
        }
        values->items[values->count++] =
            (struct field_value){.name = span_text(json_name(at)), .value = json_string(at)};
    }
    return ERR_OK;
}

static enum err_code
fill_create(const struct json *json, struct service_create *create, struct err *err)
{
    const struct {
        const char *name;
        size_t size_max;
        struct span *target;
    } texts[] = {
        {"policy", CORE_NAME_SIZE_MAX, &create->policy},
        {"requester", CORE_SLACK_ID_SIZE_MAX, &create->requester},
        {"title", CORE_TEXT_SIZE_MAX, &create->title},
        {"reason", CORE_TEXT_SIZE_MAX, &create->reason},
        {"target", CORE_TEXT_SIZE_MAX, &create->target},
        {"details", CORE_DETAILS_SIZE_MAX, &create->details},
    };
    uint64_t expires_s = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        rc = member_text(json, texts[i].name, texts[i].size_max, texts[i].target, err);
    }
    if (rc == ERR_OK) {
        rc = member_fields(json, &create->fields, err);
    }
    if (rc == ERR_OK) {
        rc = member_hash(json, "bind_hash", &create->bound, create->bind_hash, err);
    }
    if (rc == ERR_OK) {
        rc = member_number(json, "expires_in_s", CORE_EXPIRES_MS_MAX / 1000, &expires_s, err);
    }
    create->expires_after_ms = expires_s * 1000;
    if (rc == ERR_OK && create->policy.size == 0) {
        return err_set(err, ERR_INVALID, "policy: is missing; it names who is asked");
    }
    if (rc == ERR_OK && create->title.size == 0) {
        return err_set(err, ERR_INVALID, "title: is missing; it says what is asked");
    }
    return rc;
}

enum err_code body_parse_create(struct span body,
                                struct json **ret_json,
                                struct service_create *ret_create,
                                struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct service_create create = {0};
    enum err_code rc = parse(body, &json, err);

    if (rc == ERR_OK) {
        rc = fill_create(json, &create, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_create = create;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

enum err_code body_parse_decision(struct span body,
                                  struct json **ret_json,
                                  struct body_decision *ret_decision,
                                  struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct body_decision decision = {.verdict = VERDICT_REJECT};
    enum err_code rc = parse(body, &json, err);
    struct span verdict = SPAN_NONE;

    if (rc == ERR_OK) {
        rc = member_text(json, "verdict", 16, &verdict, err);
    }
    if (rc == ERR_OK) {
        rc = member_text(json, "reason", CORE_TEXT_SIZE_MAX, &decision.reason, err);
    }
    if (rc == ERR_OK) {
        rc = member_text(json, "code", CORE_CODE_SIZE_MAX, &decision.code, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (span_is(verdict, "approve")) {
        decision.verdict = VERDICT_APPROVE;
    } else if (span_is(verdict, "break_glass")) {
        decision.verdict = VERDICT_GLASS;
    } else if (!span_is(verdict, "reject")) {
        return err_set(err, ERR_INVALID,
                       "verdict: has to be \"approve\", \"reject\" or \"break_glass\"");
    }
    *ret_decision = decision;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

enum err_code body_parse_cancel(struct span body,
                                struct json **ret_json,
                                struct span *ret_reason,
                                struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    enum err_code rc = parse_or_empty(body, &json, err);

    if (rc == ERR_OK) {
        rc = member_text(json, "reason", CORE_TEXT_SIZE_MAX, ret_reason, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

enum err_code body_parse_claim(struct span body,
                               struct json **ret_json,
                               struct body_claim *ret_claim,
                               struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct body_claim claim = {0};
    enum err_code rc = parse_or_empty(body, &json, err);

    if (rc == ERR_OK) {
        rc = member_hash(json, "bind_hash", &claim.bound, claim.bind_hash, err);
    }
    if (rc == ERR_OK) {
        rc = member_text(json, "claim_key", CORE_KEY_SIZE_MAX, &claim.claim_key, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_claim = claim;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

enum err_code
body_parse_consume(struct span body, struct json **ret_json, int32_t *ret_result, struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    enum err_code rc = parse_or_empty(body, &json, err);
    int64_t result = 0;

    if (rc != ERR_OK) {
        return rc;
    }
    if (json_get(json, "result") != NULL &&
        (!json_i64(json, "result", &result) || result < INT32_MIN || result > INT32_MAX)) {
        return err_set(err, ERR_INVALID, "result: has to be an exit code");
    }
    *ret_result = (int32_t)result;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

static enum err_code
fill_scopes(const struct json *json, struct service_token *token, struct err *err)
{
    const struct json *scopes = json_get(json, "scopes");

    if (!json_is_array(scopes) || json_count(scopes) == 0) {
        return err_set(err, ERR_INVALID, "scopes: has to list ask, decide or read");
    }
    for (const struct json *at = json_first(scopes); at != NULL; at = json_next(at)) {
        struct span scope = json_string(at);

        token->may_ask = token->may_ask || span_is(scope, "ask");
        token->may_decide = token->may_decide || span_is(scope, "decide");
        token->may_read = token->may_read || span_is(scope, "read");
        if (!span_is(scope, "ask") && !span_is(scope, "decide") && !span_is(scope, "read")) {
            return err_set(err, ERR_INVALID, "scopes: has to list ask, decide or read");
        }
    }
    return ERR_OK;
}

static enum err_code
fill_policies(const struct json *json, struct service_token *token, struct err *err)
{
    const struct json *policies = json_get(json, "policies");
    size_t room = sizeof(token->policies) / sizeof(token->policies[0]);

    if (policies == NULL || json_is_null(policies)) {
        return ERR_OK;
    }
    if (!json_is_array(policies) || json_count(policies) > room) {
        return err_set(err, ERR_INVALID, "policies: has to list at most %zu names", room);
    }
    for (const struct json *at = json_first(policies); at != NULL; at = json_next(at)) {
        struct span name = json_string(at);

        if (name.size == 0 || name.size > CORE_NAME_SIZE_MAX) {
            return err_set(err, ERR_INVALID, "policies: has to list names");
        }
        token->policies[token->policy_count++] = name;
    }
    return ERR_OK;
}

enum err_code body_parse_token(struct span body,
                               uint64_t now_ms,
                               struct json **ret_json,
                               struct service_token *ret_token,
                               struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct service_token token = {0};
    uint64_t rate = 0;
    uint64_t expires_s = 0;
    enum err_code rc = parse(body, &json, err);

    if (rc == ERR_OK) {
        rc = member_text(json, "name", CORE_NAME_SIZE_MAX, &token.name, err);
    }
    if (rc == ERR_OK) {
        rc = member_text(json, "user", CORE_SLACK_ID_SIZE_MAX, &token.user, err);
    }
    if (rc == ERR_OK) {
        rc = fill_scopes(json, &token, err);
    }
    if (rc == ERR_OK) {
        rc = fill_policies(json, &token, err);
    }
    if (rc == ERR_OK) {
        rc = member_number(json, "rate_per_minute", SERVICE_TOKEN_RATE_MAX, &rate, err);
    }
    if (rc == ERR_OK) {
        rc = member_number(json, "expires_in_s", UINT32_MAX, &expires_s, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    token.rate_per_minute = (uint32_t)rate;
    token.expires_ms = expires_s == 0 ? 0 : now_ms + expires_s * 1000;
    *ret_token = token;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

enum err_code body_parse_delegation(struct span body,
                                    struct json **ret_json,
                                    struct service_delegation *ret_delegation,
                                    struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    struct service_delegation delegation = {.id = 0};
    uint64_t begin_s = 0;
    uint64_t end_s = 0;
    enum err_code rc = parse(body, &json, err);

    if (rc == ERR_OK) {
        rc = member_text(json, "from", CORE_SLACK_ID_SIZE_MAX, &delegation.from, err);
    }
    if (rc == ERR_OK) {
        rc = member_text(json, "to", CORE_SLACK_ID_SIZE_MAX, &delegation.to, err);
    }
    if (rc == ERR_OK) {
        rc = member_number(json, "begins_at_s", UINT32_MAX, &begin_s, err);
    }
    if (rc == ERR_OK) {
        rc = member_number(json, "ends_at_s", UINT32_MAX, &end_s, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    delegation.begin_ms = begin_s * 1000;
    delegation.end_ms = end_s * 1000;
    *ret_delegation = delegation;
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

static const char *const surface_words[] = {
    [SURFACE_CARD] = "card",     [SURFACE_THREAD] = "thread",   [SURFACE_DIRECT] = "direct",
    [SURFACE_NOTICE] = "notice", [SURFACE_WEBHOOK] = "webhook", [SURFACE_PEOPLE] = "people",
};
#define SURFACE_WORD_COUNT (sizeof(surface_words) / sizeof(surface_words[0]))

const char *body_surface_word(enum surface surface)
{
    return (size_t)surface < SURFACE_WORD_COUNT && surface_words[surface] != NULL
               ? surface_words[surface]
               : "unknown";
}

static bool
fill_row(struct span id, struct span surface, struct span target, struct service_row_key *ret_key)
{
    struct service_row_key key = {.surface = SURFACE_CARD};
    bool known = false;

    for (size_t i = SURFACE_CARD; i < SURFACE_WORD_COUNT; i++) {
        if (span_is(surface, surface_words[i])) {
            key.surface = (enum surface)i;
            known = true;
        }
    }
    if (!known || target.size == 0 || target.size >= sizeof(key.target) ||
        !request_id_parse(id, &key.request)) {
        return false;
    }
    memcpy(key.target, target.data, target.size);
    *ret_key = key;
    return true;
}

bool body_parse_row_key(struct span text, struct service_row_key *ret_key)
{
    struct span parts[3] = {SPAN_NONE, SPAN_NONE, text};

    for (size_t i = 0; i < 2; i++) {
        const char *colon = parts[2].size == 0 ? NULL : memchr(parts[2].data, ':', parts[2].size);

        if (colon == NULL) {
            return false;
        }
        parts[i] = span_of(parts[2].data, (size_t)(colon - parts[2].data));
        parts[2] = span_of(colon + 1, parts[2].size - parts[i].size - 1);
    }
    return fill_row(parts[0], parts[1], parts[2], ret_key);
}

enum err_code body_parse_row(struct span body,
                             struct json **ret_json,
                             struct service_row_key *ret_key,
                             struct err *err)
{
    AUTO_JSON struct json *json = NULL;
    enum err_code rc = parse(body, &json, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (!fill_row(json_text(json, "request"), json_text(json, "surface"), json_text(json, "target"),
                  ret_key)) {
        return err_set(err, ERR_INVALID,
                       "request, surface and target have to name a row as /v1/outbox lists it");
    }
    *ret_json = json;
    json = NULL;
    return ERR_OK;
}

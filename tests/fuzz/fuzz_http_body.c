/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_body.c: foreign bytes through every body parser of the API.
 * Owns nothing; never lets a parser hand out a span that does not lie in its tree: the sanitizers
 * see it when the texts are read. */
#include "approvald/http/body.h"
#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct span text, size_t size_max)
{
    ASSERT(text.size <= size_max);
    ASSERT(text_is_utf8(text));
}

static void create(struct span body)
{
    AUTO_JSON struct json *json = NULL;
    struct service_create create;

    if (body_parse_create(body, &json, &create, NULL) != ERR_OK) {
        ASSERT(json == NULL);
        return;
    }
    ASSERT(create.policy.size > 0);
    touch(create.policy, CORE_NAME_SIZE_MAX);
    touch(create.requester, CORE_SLACK_ID_SIZE_MAX);
    touch(create.title, CORE_TEXT_SIZE_MAX);
    touch(create.reason, CORE_TEXT_SIZE_MAX);
    touch(create.target, CORE_TEXT_SIZE_MAX);
    touch(create.details, CORE_DETAILS_SIZE_MAX);
    ASSERT(create.expires_after_ms <= CORE_EXPIRES_MS_MAX);
}

static void others(struct span body)
{
    struct json *json = NULL;
    struct body_decision decision;
    struct body_claim claim;
    struct span reason;
    int32_t result;

    if (body_parse_decision(body, &json, &decision, NULL) == ERR_OK) {
        touch(decision.reason, CORE_TEXT_SIZE_MAX);
        json_free(json);
    }
    if (body_parse_claim(body, &json, &claim, NULL) == ERR_OK) {
        touch(claim.claim_key, CORE_KEY_SIZE_MAX);
        json_free(json);
    }
    if (body_parse_cancel(body, &json, &reason, NULL) == ERR_OK) {
        touch(reason, CORE_TEXT_SIZE_MAX);
        json_free(json);
    }
    if (body_parse_consume(body, &json, &result, NULL) == ERR_OK) {
        json_free(json);
    }
}

static void admin(struct span body)
{
    struct json *json = NULL;
    struct service_token token;
    struct service_row_key key;

    if (body_parse_token(body, 1, &json, &token, NULL) == ERR_OK) {
        touch(token.name, CORE_NAME_SIZE_MAX);
        touch(token.user, CORE_SLACK_ID_SIZE_MAX);
        ASSERT(token.policy_count <= CORE_TOKEN_POLICY_COUNT_MAX);
        json_free(json);
    }
    if (body_parse_row(body, &json, &key, NULL) == ERR_OK) {
        ASSERT(strlen(key.target) <= CORE_NAME_SIZE_MAX);
        json_free(json);
    }
    if (body_parse_row_key(body, &key)) {
        ASSERT(strlen(body_surface_word(key.surface)) > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span body = span_of(data, size);

    create(body);
    others(body);
    admin(body);
    return 0;
}

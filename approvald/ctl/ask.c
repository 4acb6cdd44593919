/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c: makes a request out of options.
 * Owns the names of the API's members; never waits for an outcome. */
#include "approvald/ctl/ask.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/rng.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ASK_KEY_MAX   200 /* bytes: the API's limit */
#define ASK_NAME_SIZE 64  /* bytes of a field's name; the longest has 32 */

void ask_new_key(char ret_key[ASK_KEY_SIZE])
{
    uint8_t random[16];
    char hex[2 * sizeof random + 1];

    static_assert(ASK_KEY_SIZE > 4 + 2 * sizeof random, "the key with its prefix and a NUL");
    rng_fill(rng_host(), random, sizeof random);
    crypto_hex(random, sizeof random, hex);
    (void)snprintf(ret_key, ASK_KEY_SIZE, "ctl-%s", hex); /* fits: see the assertion */
}

int ask_add_text(const struct ctl *ctl, struct json *body, const char *name, const char *text)
{
    if (text == NULL) {
        return CTL_OK;
    }
    if (!text_is_utf8(span_text(text))) {
        return ctl_usage(ctl, "%s: not valid UTF-8", name);
    }
    json_add_text(body, name, span_text(text));
    return CTL_OK;
}

static int add_option(const struct ctl *ctl,
                      struct json *body,
                      enum option option,
                      const char *name,
                      const char *fallback)
{
    const char *text = options_text(&ctl->options, option);

    return ask_add_text(ctl, body, name, text == NULL ? fallback : text);
}

/* --field NAME=VALUE: which names there are is the policy's word. */
static int add_fields(const struct ctl *ctl, struct json *body)
{
    struct json *fields = NULL;
    const char *given;
    int code = CTL_OK;

    for (size_t i = 0;
         code == CTL_OK && (given = options_nth(&ctl->options, OPTION_FIELD, i)) != NULL; i++) {
        const char *equals = strchr(given, '=');
        char name[ASK_NAME_SIZE];

        if (equals == NULL || equals == given || (size_t)(equals - given) >= sizeof name) {
            return ctl_usage(ctl, "--field: '%s' is not NAME=VALUE", given);
        }
        memcpy(name, given, (size_t)(equals - given));
        name[equals - given] = '\0';
        fields = fields == NULL ? json_add_object(body, "fields") : fields;
        code = ask_add_text(ctl, fields, name, equals + 1);
    }
    return code;
}

static int fill(const struct ctl *ctl, const struct ask *ask, struct json *body)
{
    const struct {
        enum option option;
        const char *name;
        const char *fallback;
    } texts[] = {
        {OPTION_POLICY, "policy", NULL},
        {OPTION_TITLE, "title", ask->title},
        {OPTION_REASON, "reason", NULL},
        {OPTION_TARGET, "target", ask->target},
        {OPTION_DETAILS, "details", ask->details},
        {OPTION_REQUESTER, "requester", NULL},
        {OPTION_BIND_HASH, "bind_hash", ask->hash},
    };
    struct err err = ERR_INIT;
    uint64_t expires_s = 0;
    int code = CTL_OK;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && code == CTL_OK; i++) {
        code = add_option(ctl, body, texts[i].option, texts[i].name, texts[i].fallback);
    }
    if (code == CTL_OK) {
        code = add_fields(ctl, body);
    }
    if (code != CTL_OK) {
        return code;
    }
    if (options_seconds(&ctl->options, OPTION_EXPIRES, &expires_s, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (expires_s > 0) {
        json_add_u64(body, "expires_in_s", expires_s);
    }
    return CTL_OK;
}

/* A header's value: visible ASCII only. */
static bool is_key(const char *key)
{
    size_t size = strlen(key);

    for (size_t i = 0; i < size; i++) {
        if (key[i] <= ' ' || key[i] > '~') {
            return false;
        }
    }
    return size > 0 && size <= ASK_KEY_MAX;
}

int ask_create(struct ctl *ctl, const struct ask *ask, const struct client_reply **ret_reply)
{
    AUTO_JSON struct json *body = json_new_object();
    char fresh[ASK_KEY_SIZE];
    const char *key = options_text(&ctl->options, OPTION_KEY);
    struct client_call call = {.method = "POST", .path = "/v1/requests"};
    struct json *body_take;
    int code;

    if (options_text(&ctl->options, OPTION_POLICY) == NULL) {
        return ctl_usage(ctl, "missing: --policy NAME; approvalctl policy list shows them");
    }
    if (ask->title == NULL && options_text(&ctl->options, OPTION_TITLE) == NULL) {
        return ctl_usage(ctl, "missing: --title TEXT");
    }
    if (key != NULL && !is_key(key)) {
        return ctl_usage(ctl, "--key: 1 to %d visible ASCII characters", ASK_KEY_MAX);
    }
    code = fill(ctl, ask, body);
    if (code != CTL_OK) {
        return code;
    }
    if (key == NULL) {
        ask_new_key(fresh);
        key = fresh;
    }
    call.key = key;
    body_take = body;
    body = NULL;
    return ctl_send(ctl, &call, body_take, ret_reply);
}

int ask_id(const struct ctl *ctl, const struct client_reply *reply, char ret_id[ASK_ID_SIZE])
{
    struct span id = json_text(reply->json, "id");
    struct err err = ERR_INIT;

    if (id.size == 0 || id.size >= ASK_ID_SIZE) {
        (void)err_set(&err, ERR_PROTOCOL, "the answer has no request id: is that approvald's URL?");
        return ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    memcpy(ret_id, id.data, id.size);
    ret_id[id.size] = '\0';
    return CTL_OK;
}

int ask_act(struct ctl *ctl,
            const char *id,
            const char *act,
            uint32_t deadline_ms,
            struct json *body_take,
            const struct client_reply **ret_reply)
{
    AUTO_JSON struct json *body = body_take;
    AUTO_BUF struct buf *path = NULL;
    struct client_call call = {.method = "POST", .deadline_ms = deadline_ms};
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/requests/", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, id, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(path, &err, "/%s", act);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    body_take = body;
    body = NULL;
    return ctl_send(ctl, &call, body_take, ret_reply);
}

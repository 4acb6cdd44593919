/* SPDX-License-Identifier: Apache-2.0 */
/* policy_look.c: does Slack know whom policies name?
 * Owns the words of the warnings.
 * Never asks Slack itself: approvald does, as for policy test. */
#include "approvald/ctl/policy_look.h"

#include "approvald/core/limits.h"
#include "approvald/ctl/command.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"

#include <string.h>

#define LOOK_COUNT_MAX                                                                             \
    32 /* policies of one apply; the others are in slack check a minute later                      \
        */

int policy_look_get(struct ctl *ctl,
                    const char *name,
                    const char *requester,
                    const char *approver,
                    const struct client_reply **ret_reply)
{
    struct client_call call = {.method = "GET", .local = true};
    AUTO_BUF struct buf *path = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/policies/", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, name, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/test", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "requester", requester, &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "approver", approver, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    return ctl_call(ctl, &call, ret_reply);
}

static enum err_code
warn(const char *policy, struct span name, const char *what, struct span more, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%s: %.*s: %s%.*s%s", policy, SPAN_ARGS(name), what,
                               SPAN_ARGS(more), more.size > 0 ? ")" : "");
    }
    return rc == ERR_OK ? ctl_print_line("warning: ", buf_span(line), err) : rc;
}

static enum err_code warn_groups(const char *policy, const struct json *need, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(need, "groups")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        struct span error = json_text(at, "error");

        if (error.size > 0) {
            rc =
                warn(policy, json_text(at, "id"), "Slack does not tell who is in it (", error, err);
        }
    }
    return rc;
}

static bool is_among_users(const struct json *need, struct span user)
{
    for (const struct json *at = json_first(json_get(need, "users")); at != NULL;
         at = json_next(at)) {
        if (span_equal(json_string(at), user)) {
            return true;
        }
    }
    return false;
}

/* Is the owner of the address named by his id, or by another address before it? */
static bool is_named(const struct json *test, const struct json *email)
{
    struct span owner = json_text(email, "user");
    bool named = false;

    for (const struct json *at = json_first(json_get(test, "emails")); at != email && at != NULL;
         at = json_next(at)) {
        named = named || span_equal(json_text(at, "user"), owner);
    }
    for (const struct json *need = json_first(json_get(test, "needs")); need != NULL;
         need = json_next(need)) {
        named = named || is_among_users(need, owner);
    }
    return named;
}

static enum err_code warn_emails(const char *policy, const struct json *test, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(test, "emails")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        struct span email = json_text(at, "email");
        struct span error = json_text(at, "error");
        bool owned = json_text(at, "user").size > 0;

        if (!owned && span_is(error, "users_not_found")) {
            rc = warn(policy, email, "nobody in the workspace has this e-mail address", SPAN_NONE,
                      err);
        } else if (!owned) {
            rc = warn(policy, email, "Slack has not said whose it is (",
                      error.size > 0 ? error : SPAN_LITERAL("no answer yet"), err);
        } else if (is_named(test, at)) {
            rc = warn(policy, email, "this person is named twice, and counts once (",
                      json_text(at, "user"), err);
        }
    }
    return rc;
}

static enum err_code warn_of(const char *policy, const struct json *test, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *need = json_first(json_get(test, "needs"));
         rc == ERR_OK && need != NULL; need = json_next(need)) {
        rc = warn_groups(policy, need, err);
    }
    return rc == ERR_OK ? warn_emails(policy, test, err) : rc;
}

void policy_look(struct ctl *ctl, const struct json *applied)
{
    char names[LOOK_COUNT_MAX][CORE_NAME_SIZE_MAX + 1];
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;

    /* The answer is gone with the next call. */
    for (const struct json *at = json_first(json_get(applied, "policies"));
         at != NULL && count < LOOK_COUNT_MAX; at = json_next(at)) {
        struct span name = json_text(at, "name");
        struct span change = json_text(at, "change");

        if (!span_is(change, "unchanged") && !span_is(change, "deleted") && name.size > 0 &&
            name.size <= CORE_NAME_SIZE_MAX) {
            memcpy(names[count], name.data, name.size);
            names[count++][name.size] = '\0';
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (policy_look_get(ctl, names[i], NULL, NULL, &reply) != CTL_OK) {
            return; /* it has said why */
        }
        ASSERT(reply != NULL);
        if (warn_of(names[i], reply->json, &err) != ERR_OK) {
            return; /* main looks at ferror */
        }
    }
}

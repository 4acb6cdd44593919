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

#define NOWHERE                                                                                    \
    "requests are shown nowhere in Slack but in the Homes of approvers; name a channel, or say "   \
    "direct_approvers = true"

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

/* "up to 22 people may approve, only the first 20 get one"; nothing where all get one. "Up to", for
 * somebody may be in two groups, or be the requester. */
static enum err_code
say_too_many(const struct json *test, struct buf *line, bool *ret_too_many, struct err *err)
{
    bool channel = json_first(json_get(test, "channels")) != NULL;
    uint64_t people = 0;
    uint64_t limit = 0;

    *ret_too_many = json_u64(json_get(test, "direct"), "people", &people) &&
                    json_u64(json_get(test, "direct"), "limit", &limit) && people > limit;
    if (!*ret_too_many) {
        return ERR_OK;
    }
    return buf_append_format(line, err,
                             channel
                                 ? "none, up to %llu people may approve and %llu at most would "
                                   "get one; the channels have the card"
                                 : "up to %llu people may approve, only the first %llu get one; "
                                   "name a channel",
                             (unsigned long long)people, (unsigned long long)limit);
}

enum err_code policy_look_routes(const struct json *test, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    const struct json *channels = json_get(test, "channels");
    bool direct = json_is_object(json_get(test, "direct"));
    bool too_many = false;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    for (const struct json *at = json_first(channels); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        rc = buf_append_format(line, err, "%s%.*s", at == json_first(channels) ? "" : ", ",
                               SPAN_ARGS(json_string(at)));
    }
    if (rc == ERR_OK && buf_size(line) > 0) {
        rc = ctl_print_line("shown in ", buf_span(line), err);
        buf_clear(line);
    } else if (rc == ERR_OK && !direct) {
        rc = ctl_print_line("", SPAN_LITERAL(NOWHERE), err);
    }
    if (rc == ERR_OK && direct) {
        rc = say_too_many(test, line, &too_many, err);
    }
    if (rc == ERR_OK && direct && !too_many) {
        rc = buf_append_text(line, "to everybody who may approve", err);
    }
    return rc == ERR_OK && direct ? ctl_print_line("direct messages: ", buf_span(line), err) : rc;
}

static enum err_code warn_routes(const char *policy, const struct json *test, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    bool channel = json_first(json_get(test, "channels")) != NULL;
    bool too_many = false;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = say_too_many(test, line, &too_many, err);
    }
    if (rc == ERR_OK && too_many) {
        return warn(policy, SPAN_LITERAL("direct messages"), buf_text(line), SPAN_NONE, err);
    }
    if (rc == ERR_OK && !channel && !json_is_object(json_get(test, "direct"))) {
        return warn(policy, SPAN_LITERAL("channel"), NOWHERE, SPAN_NONE, err);
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
    if (rc == ERR_OK) {
        rc = warn_emails(policy, test, err);
    }
    return rc == ERR_OK ? warn_routes(policy, test, err) : rc;
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

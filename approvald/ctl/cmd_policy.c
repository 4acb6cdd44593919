/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_policy.c: policy apply, list, show.
 * Owns nothing; never parses a policy's text: approvald does, whole or not at all. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/policy_look.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>

#define POLICY_FILE_SIZE_MAX ((size_t)1 << 20) /* bytes: hundreds of policies */

static int
put_policies(struct ctl *ctl, struct span text, bool dry_run, const struct client_reply **ret_reply)
{
    bool absent = options_has(&ctl->options, OPTION_DELETE_ABSENT);
    struct client_call call = {
        .method = "PUT", .local = true, .content_type = "text/plain; charset=utf-8", .body = text};
    AUTO_BUF struct buf *path = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(256, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/policies", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "dry_run", dry_run ? "1" : NULL, &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "delete_absent", absent ? "1" : NULL, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    return ctl_call(ctl, &call, ret_reply);
}

/* "    quorum: 1 -> 2", or "    quorum: 2" where there was none before. */
static enum err_code show_field(const struct json *field, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%.*s: ", SPAN_ARGS(json_text(field, "name")));
    }
    if (rc == ERR_OK && json_is_string(json_get(field, "before"))) {
        rc = buf_append_format(line, err, "%.*s -> ", SPAN_ARGS(json_text(field, "before")));
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(line, json_text(field, "after"), err);
    }
    return rc == ERR_OK ? ctl_print_line("    ", buf_span(line), err) : rc;
}

/* "~ prod-deploy" and its fields below it; nothing for what stays as it is. */
static enum err_code show_change(const struct json *change, size_t *count, struct err *err)
{
    struct span kind = json_text(change, "change");
    const char *mark = "~ ";
    enum err_code rc;

    if (kind.size == 0 || span_is(kind, "unchanged")) {
        return ERR_OK;
    }
    if (span_is(kind, "added") || span_is(kind, "restored")) {
        mark = "+ ";
    } else if (span_is(kind, "deleted")) {
        mark = "- ";
    }
    *count += 1;
    rc = ctl_print_line(mark, json_text(change, "name"), err);
    for (const struct json *field = json_first(json_get(change, "fields"));
         field != NULL && rc == ERR_OK; field = json_next(field)) {
        rc = show_field(field, err);
    }
    return rc;
}

static enum err_code show_retention(const struct json *retention, size_t *count, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    struct span kind = json_text(retention, "change");
    enum err_code rc;

    if (kind.size == 0 || span_is(kind, "unchanged")) {
        return ERR_OK;
    }
    *count += 1;
    rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "retention: requests %.*s, audit %.*s",
                               SPAN_ARGS(json_text(retention, "requests")),
                               SPAN_ARGS(json_text(retention, "audit")));
    }
    return rc == ERR_OK ? ctl_print_line("~ ", buf_span(line), err) : rc;
}

static int show_difference(const struct ctl *ctl, const struct client_reply *reply)
{
    bool dry_run = options_has(&ctl->options, OPTION_DRY_RUN);
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    size_t count = 0;

    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    for (const struct json *at = json_first(json_get(reply->json, "policies"));
         at != NULL && rc == ERR_OK; at = json_next(at)) {
        rc = show_change(at, &count, &err);
    }
    if (rc == ERR_OK) {
        rc = show_retention(json_get(reply->json, "retention"), &count, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (count == 0) {
        (void)printf("No difference.\n"); /* main looks at ferror */
    } else {
        (void)printf(dry_run ? "Nothing was written (--dry-run).\n" : "Written.\n");
    }
    return CTL_OK;
}

int cmd_policy_apply(struct ctl *ctl)
{
    AUTO_BUF struct buf *text = NULL;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    bool dry_run = options_has(&ctl->options, OPTION_DRY_RUN);
    int code;

    if (ctl_read_file(ctl->options.arguments[0], POLICY_FILE_SIZE_MAX, &text, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = put_policies(ctl, buf_span(text), dry_run, &reply);
    if (code != CTL_OK) {
        return code;
    }
    ASSERT(reply != NULL);
    code = show_difference(ctl, reply);
    if (code == CTL_OK && !dry_run && !ctl->json) {
        policy_look(ctl, reply->json);
    }
    return code;
}

static const struct ctl_column policy_columns[] = {
    {"NAME", "name"},         {"VERSION", "version"}, {"QUORUM", "quorum"}, {"NEEDS", "needs"},
    {"CHANNELS", "channels"}, {"USERS", "users"},     {"GROUPS", "groups"}, {"DELETED", "deleted"},
    {"TITLE", "title"},       {NULL, NULL},
};

/* /v1/policies, or all versions of one, the newest first. */
static int get_policies(struct ctl *ctl, const char *name, const struct client_reply **ret_reply)
{
    AUTO_BUF struct buf *path = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/policies", &err);
    }
    if (rc == ERR_OK && name != NULL) {
        rc = buf_append_text(path, "/", &err);
    }
    if (rc == ERR_OK && name != NULL) {
        rc = ctl_segment(path, name, &err);
    }
    return rc == ERR_OK ? ctl_get(ctl, buf_text(path), ret_reply) : ctl_fail_err(ctl, &err);
}

static int show_policies(struct ctl *ctl, const char *name)
{
    const struct client_reply *reply = NULL;
    int code = get_policies(ctl, name, &reply);

    return code == CTL_OK
               ? ctl_print_reply(ctl, reply, "policies", policy_columns,
                                 "No policies. approvalctl policy apply FILE writes some.")
               : code;
}

int cmd_policy_list(struct ctl *ctl)
{
    return show_policies(ctl, NULL);
}

int cmd_policy_show(struct ctl *ctl)
{
    return show_policies(ctl, ctl->options.arguments[0]);
}

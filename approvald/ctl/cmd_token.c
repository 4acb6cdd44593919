/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_token.c: token add, list, revoke.
 * Owns a fresh secret until it is written where it belongs; never prints one twice, never takes one
 * from the command line. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/command.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_RATE_MAX 100000

static void add_scopes(const struct ctl *ctl, struct json *body)
{
    static const enum option scopes[] = {OPTION_ASK, OPTION_DECIDE, OPTION_READ};
    struct json *list = json_add_array(body, "scopes");

    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++) {
        if (options_has(&ctl->options, scopes[i])) {
            json_add_text(list, NULL, span_text(options_name(scopes[i])));
        }
    }
}

static int fill(const struct ctl *ctl, struct json *body)
{
    struct err err = ERR_INIT;
    uint64_t rate = 0;
    uint64_t expires_s = 0;
    struct json *policies;
    int code = ask_add_text(ctl, body, "name", ctl->options.arguments[0]);

    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "user", options_text(&ctl->options, OPTION_USER));
    }
    if (code != CTL_OK) {
        return code;
    }
    add_scopes(ctl, body);
    policies = json_add_array(body, "policies");
    for (size_t i = 0; options_nth(&ctl->options, OPTION_POLICY, i) != NULL; i++) {
        json_add_text(policies, NULL, span_text(options_nth(&ctl->options, OPTION_POLICY, i)));
    }
    if (options_number(&ctl->options, OPTION_RATE, TOKEN_RATE_MAX, &rate, &err) != ERR_OK ||
        options_seconds(&ctl->options, OPTION_EXPIRES, &expires_s, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (rate > 0) {
        json_add_u64(body, "rate_per_minute", rate);
    }
    if (expires_s > 0) {
        json_add_u64(body, "expires_in_s", expires_s);
    }
    return CTL_OK;
}

/* A file of one's own: never an existing one, never open to others, not even for a moment. */
static enum err_code open_output(const char *file, int *ret_fd, struct err *err)
{
    *ret_fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_fd < 0) {
        return err_set_errno(err, ERR_INVALID, errno, "--output %s", file);
    }
    return ERR_OK;
}

static int write_secret(const struct ctl *ctl, int fd, struct span secret)
{
    struct err err = ERR_INIT;

    if (write(fd, secret.data, secret.size) != (ssize_t)secret.size || write(fd, "\n", 1) != 1) {
        (void)err_set_errno(&err, ERR_IO, errno,
                            "the secret could not be written: revoke the token");
        return ctl_fail_err(ctl, &err);
    }
    if (!ctl->json) {
        (void)fprintf(stderr, "approvalctl: the token is in the file and nowhere else\n");
    }
    return CTL_OK;
}

static int show_secret(const struct ctl *ctl, const struct client_reply *reply)
{
    struct err err = ERR_INIT;

    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    if (ctl_print_line("", json_text(reply->json, "token"), &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (isatty(STDOUT_FILENO) != 0) {
        (void)fprintf(stderr, "This is shown once. Keep it in a file that only you can read.\n");
    }
    return CTL_OK;
}

int cmd_token_add(struct ctl *ctl)
{
    const char *file = options_text(&ctl->options, OPTION_OUTPUT);
    struct client_call call = {.method = "POST", .path = "/v1/tokens", .once = true, .local = true};
    AUTO_CLOSE int fd = -1;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    struct json *body;
    int code;

    if (!options_has(&ctl->options, OPTION_ASK) && !options_has(&ctl->options, OPTION_DECIDE) &&
        !options_has(&ctl->options, OPTION_READ)) {
        return ctl_usage(ctl, "say what the token may do: --ask, --decide, --read");
    }
    if (file != NULL && open_output(file, &fd, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    body = json_new_object();
    code = fill(ctl, body);
    if (code == CTL_OK) {
        code = ctl_send(ctl, &call, body, &reply);
    } else {
        json_free(body);
    }
    if (code == CTL_OK) {
        return file == NULL ? show_secret(ctl, reply)
                            : write_secret(ctl, fd, json_text(reply->json, "token"));
    }
    if (file != NULL) {
        (void)unlink(file); /* ours and empty */
    }
    return code;
}

int cmd_token_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"NAME", "name"},          {"MAY", "scopes"},
        {"USER", "user"},          {"POLICIES", "policies"},
        {"CREATED", "created_at"}, {"EXPIRES", "expires_at"},
        {"REVOKED", "revoked"},    {NULL, NULL},
    };
    const struct client_reply *reply = NULL;
    int code = ctl_call(
        ctl, &(struct client_call){.method = "GET", .path = "/v1/tokens", .local = true}, &reply);

    return code == CTL_OK ? ctl_print_reply(ctl, reply, "tokens", columns, "No tokens.") : code;
}

int cmd_token_revoke(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    int code = ctl_delete(ctl, "/v1/tokens/", true, &reply);

    if (code == CTL_OK && !ctl->json) {
        (void)printf("revoked\n"); /* main looks at ferror */
    } else if (code == CTL_OK && reply->body.size > 0) {
        ctl_print_json(reply->body);
    }
    return code;
}

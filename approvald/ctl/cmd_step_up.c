/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_step_up.c: step-up enrol, list, remove, unlock.
 * Owns nothing; shows a secret once, and never asks for one on the command line. */
#include "approvald/ctl/command.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>
#include <unistd.h>

static int act(struct ctl *ctl,
               const char *method,
               const char *suffix,
               bool once,
               const struct client_reply **ret_reply)
{
    AUTO_BUF struct buf *path = NULL;
    struct client_call call = {.method = method, .once = once, .local = true};
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/step-up/", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, ctl->options.arguments[0], &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(path, suffix, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    return ctl_call(ctl, &call, ret_reply);
}

int cmd_step_up_enrol(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    int code = act(ctl, "POST", "", true, &reply);

    if (code != CTL_OK) {
        return code;
    }
    ASSERT(reply != NULL);
    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    if (ctl_print_line("", json_text(reply->json, "uri"), &err) != ERR_OK ||
        ctl_print_line("secret: ", json_text(reply->json, "secret"), &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (isatty(STDOUT_FILENO) != 0) {
        (void)fprintf(stderr, "This is shown once. Give it to that person alone, for the "
                              "authenticator app.\n");
    }
    return CTL_OK;
}

int cmd_step_up_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"USER", "user"},         {"ENROLLED", "enrolled_at"},      {"BY", "enrolled_by"},
        {"WRONG", "wrong_codes"}, {"LOCKED UNTIL", "locked_until"}, {NULL, NULL},
    };
    const struct client_reply *reply = NULL;
    int code = ctl_call(
        ctl, &(struct client_call){.method = "GET", .path = "/v1/step-up", .local = true}, &reply);

    return code == CTL_OK ? ctl_print_reply(ctl, reply, "people", columns, "Nobody is enrolled.")
                          : code;
}

static int say(struct ctl *ctl, int code, const char *word)
{
    if (code == CTL_OK && !ctl->json) {
        (void)printf("%s\n", word); /* main looks at ferror */
    }
    return code;
}

int cmd_step_up_remove(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;

    return say(ctl, act(ctl, "DELETE", "", false, &reply), "removed");
}

int cmd_step_up_unlock(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;

    return say(ctl, act(ctl, "POST", "/unlock", false, &reply), "unlocked");
}

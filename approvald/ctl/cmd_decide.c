/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_decide.c: approve, reject, cancel, claim.
 * Owns nothing; never checks a rule itself: approvald does, and says why it refuses. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/code.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/show.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* After a call whose first attempt may have been heard, "you have already …" means "done". */
static bool done_before(const struct client_reply *reply, const char *refusal)
{
    return reply != NULL && reply->repeated && strcmp(reply->refusal, refusal) == 0;
}

static int say_no_reason(const struct ctl *ctl)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_INVALID, "--break-glass needs --reason TEXT: everybody reads it");
    (void)ctl_fail_err(ctl, &err);
    return CTL_USAGE;
}

/* code: one-time, or NULL. */
static int send_decision(struct ctl *ctl,
                         const char *verdict,
                         const char *one_time,
                         const struct client_reply **ret_reply)
{
    struct json *body = json_new_object();
    int code;

    json_add_text(body, "verdict", span_text(verdict));
    if (one_time != NULL) {
        json_add_text(body, "code", span_text(one_time));
    }
    code = ask_add_text(ctl, body, "reason", options_text(&ctl->options, OPTION_REASON));
    if (code != CTL_OK) {
        json_free(body);
        return code;
    }
    return ask_act(ctl, ctl->options.arguments[0], "decisions", 0, body, ret_reply);
}

static int
send_with_code(struct ctl *ctl, const char *verdict, const struct client_reply **ret_reply)
{
    char one_time[CODE_SIZE] = "";
    struct err err = ERR_INIT;
    int code;

    if (code_read(one_time, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = send_decision(ctl, verdict, one_time, ret_reply);
    mem_wipe(one_time, sizeof one_time);
    return code;
}

/* approvald says when a code is needed: the same question is no refusal then, and not printed. */
static int decide(struct ctl *ctl, const char *verdict)
{
    const struct client_reply *reply = NULL;
    int code;

    ctl->expected = "step_up";
    code = send_decision(ctl, verdict, NULL, &reply);
    ctl->expected = NULL;
    if (code != CTL_OK && reply != NULL && strcmp(reply->refusal, "step_up") == 0) {
        code = send_with_code(ctl, verdict, &reply);
    }
    if (code != CTL_OK) {
        return done_before(reply, "already_decided") ? CTL_OK : code;
    }
    if (json_bool(reply->json, "deferred", false)) {
        (void)fprintf(stderr, "approvalctl: accepted; it counts once Slack has said who you are\n");
    }
    return show_reply(ctl, reply);
}

int cmd_approve(struct ctl *ctl)
{
    bool glass = options_has(&ctl->options, OPTION_BREAK_GLASS);

    if (glass && options_text(&ctl->options, OPTION_REASON) == NULL) {
        return say_no_reason(ctl);
    }
    return decide(ctl, glass ? "break_glass" : "approve");
}

int cmd_reject(struct ctl *ctl)
{
    return decide(ctl, "reject");
}

int cmd_cancel(struct ctl *ctl)
{
    struct json *body = json_new_object();
    const struct client_reply *reply = NULL;
    int code;

    code = ask_add_text(ctl, body, "reason", options_text(&ctl->options, OPTION_REASON));
    if (code != CTL_OK) {
        json_free(body);
        return code;
    }
    code = ask_act(ctl, ctl->options.arguments[0], "cancel", 0, body, &reply);
    return code == CTL_OK ? show_reply(ctl, reply) : code;
}

int cmd_claim(struct ctl *ctl)
{
    struct json *body = json_new_object();
    const struct client_reply *reply = NULL;
    const char *key = options_text(&ctl->options, OPTION_CLAIM_KEY);
    char fresh[ASK_KEY_SIZE];
    int code;

    if (key == NULL) {
        ask_new_key(fresh); /* so that a repetition inside this call finds its own claim */
        key = fresh;
    }
    code = ask_add_text(ctl, body, "bind_hash", options_text(&ctl->options, OPTION_BIND_HASH));
    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "claim_key", key);
    }
    if (code != CTL_OK) {
        json_free(body);
        return code;
    }
    code = ask_act(ctl, ctl->options.arguments[0], "claim", 0, body, &reply);
    return code == CTL_OK ? show_reply(ctl, reply) : code;
}

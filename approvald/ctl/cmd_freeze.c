/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_freeze.c: freeze add, list, remove.
 * Owns nothing; never reads a clock: what is relative is approvald's to count. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/command.h"
#include "base/buf.h"
#include "base/json.h"

static int fill(const struct ctl *ctl, struct json *body)
{
    const struct options *options = &ctl->options;
    struct err err = ERR_INIT;
    uint64_t for_s = 0;
    int code = ask_add_text(ctl, body, "name", options->arguments[0]);

    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "reason", options_text(options, OPTION_REASON));
    }
    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "from", options_text(options, OPTION_FROM));
    }
    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "to", options_text(options, OPTION_UNTIL));
    }
    if (code != CTL_OK) {
        return code;
    }
    if (options_seconds(options, OPTION_FOR, &for_s, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (for_s > 0) {
        json_add_u64(body, "for_s", for_s);
    }
    json_add_bool(body, "break_glass", !options_has(options, OPTION_ALL));
    return CTL_OK;
}

int cmd_freeze_add(struct ctl *ctl)
{
    AUTO_JSON struct json *body = json_new_object();
    AUTO_BUF struct buf *text = NULL;
    const struct client_reply *reply = NULL;
    struct client_call call = {.method = "POST", .path = "/v1/freezes", .local = true};
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &text, &err);
    int code = fill(ctl, body);

    if (code != CTL_OK) {
        return code;
    }
    if (rc == ERR_OK) {
        rc = json_print(body, text, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.body = buf_span(text);
    return ctl_call(ctl, &call, &reply);
}

int cmd_freeze_remove(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;

    return ctl_delete(ctl, "/v1/freezes/", true, &reply);
}

int cmd_freeze_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"NAME", "name"},     {"STATE", "state"},   {"FROM", "from"}, {"TO", "to"},
        {"PASSES", "passes"}, {"REASON", "reason"}, {NULL, NULL},
    };
    const struct client_reply *reply = NULL;
    int code = ctl_get(ctl, "/v1/freezes", &reply);

    return code == CTL_OK ? ctl_print_reply(ctl, reply, "freezes", columns, "No freezes.") : code;
}

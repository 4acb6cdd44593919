/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_delegate.c: delegate add, list, remove.
 * Owns the dates of the command line, which are local. Never judges a right: approvald does. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/command.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* "2026-12-24", the begin or the end of that day here, or "2026-12-24T08:00", also here. */
static enum err_code
parse_date(const char *name, const char *text, bool last, uint64_t *ret_s, struct err *err)
{
    struct tm tm = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    time_t at_s;

    if (end == NULL) {
        tm = (struct tm){.tm_isdst = -1};
        end = strptime(text, "%Y-%m-%d", &tm);
        tm.tm_mday += last ? 1 : 0; /* mktime makes it the first of the next month */
    }
    tm.tm_isdst = -1;
    at_s = end == NULL || *end != '\0' ? (time_t)-1 : mktime(&tm);
    if (at_s <= 0) {
        return err_set(err, ERR_INVALID,
                       "--%s: '%s' is not a date; write 2026-12-24 or 2026-12-24T08:00", name,
                       text);
    }
    *ret_s = (uint64_t)at_s;
    return ERR_OK;
}

static enum err_code add_date(const struct ctl *ctl,
                              struct json *body,
                              enum option option,
                              const char *member,
                              struct err *err)
{
    const char *text = options_text(&ctl->options, option);
    uint64_t at_s = 0;
    enum err_code rc = ERR_OK;

    if (text != NULL) {
        rc = parse_date(options_name(option), text, option == OPTION_UNTIL, &at_s, err);
    }
    if (rc == ERR_OK && text != NULL) {
        json_add_u64(body, member, at_s);
    }
    return rc;
}

int cmd_delegate_add(struct ctl *ctl)
{
    struct client_call call = {.method = "POST", .path = "/v1/delegations"};
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    struct json *body;
    int code;

    if (options_text(&ctl->options, OPTION_UNTIL) == NULL) {
        return ctl_usage(ctl, "say how long: --until 2026-12-24");
    }
    body = json_new_object();
    code = ask_add_text(ctl, body, "to", ctl->options.arguments[0]);
    if (code == CTL_OK) {
        code = ask_add_text(ctl, body, "from", options_text(&ctl->options, OPTION_USER));
    }
    if (code == CTL_OK && (add_date(ctl, body, OPTION_BEGIN, "begins_at_s", &err) != ERR_OK ||
                           add_date(ctl, body, OPTION_UNTIL, "ends_at_s", &err) != ERR_OK)) {
        code = ctl_fail_err(ctl, &err);
    }
    if (code != CTL_OK) {
        json_free(body);
        return code;
    }
    call.local = options_text(&ctl->options, OPTION_USER) != NULL;
    code = ctl_send(ctl, &call, body, &reply);
    if (code == CTL_OK && !ctl->json) {
        (void)printf("written\n"); /* main looks at ferror */
    }
    return code;
}

int cmd_delegate_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"ID", "id"},        {"APPROVER", "from"}, {"SUBSTITUTE", "to"}, {"BEGINS", "begins_at"},
        {"ENDS", "ends_at"}, {"ACTIVE", "active"}, {"BY", "made_by"},    {NULL, NULL},
    };
    const struct client_reply *reply = NULL;
    int code = ctl_get(ctl, "/v1/delegations", &reply);

    return code == CTL_OK ? ctl_print_reply(ctl, reply, "delegations", columns,
                                            "Nobody stands in for anybody.")
                          : code;
}

int cmd_delegate_remove(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    int code = ctl_delete(ctl, "/v1/delegations/", false, &reply);

    if (code == CTL_OK && !ctl->json) {
        (void)printf("ended\n"); /* main looks at ferror */
    }
    return code;
}

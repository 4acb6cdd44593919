/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c: status: one glance.
 * Owns the choice of what deserves a person; never repairs anything. */
#include "approvald/ctl/command.h"
#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

struct health {
    bool ready;
    bool slack_used;
    bool slack_ok;
    uint64_t pending;
    uint64_t inbox;
    uint64_t owed;
    uint64_t dead;
};

static void read_health(const struct json *status, struct health *ret_health)
{
    struct span slack = json_text(status, "slack.state");

    *ret_health = (struct health){
        .ready = json_bool(status, "ready", false),
        .slack_used = slack.size > 0 && !span_is(slack, "unused"),
        .slack_ok = span_is(slack, "up"),
    };
    (void)json_u64(status, "counts.pending", &ret_health->pending); /* absent: 0 */
    (void)json_u64(status, "counts.inbox", &ret_health->inbox);
    (void)json_u64(status, "counts.outbox_owed", &ret_health->owed);
    (void)json_u64(status, "counts.outbox_dead", &ret_health->dead);
}

static enum err_code
say(const char *prefix, const struct json *status, const char *path, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &text, err);

    if (rc == ERR_OK) {
        rc = ctl_cell(text, status, path, err);
    }
    return rc == ERR_OK ? ctl_print_line(prefix, buf_span(text), err) : rc;
}

static enum err_code show(const struct json *status, const struct health *health, struct err *err)
{
    enum err_code rc = ERR_OK;

    (void)printf("%s\n", health->ready ? "ready" : "NOT READY"); /* main looks at ferror */
    if (!health->ready) {
        rc = say("  because   ", status, "why", err);
    }
    if (rc == ERR_OK) {
        rc = say("  version   ", status, "version", err);
    }
    if (rc == ERR_OK) {
        rc = say("  role      ", status, "role", err);
    }
    if (rc == ERR_OK) {
        rc = say("  epoch     ", status, "epoch", err);
    }
    (void)printf("  pending   %" PRIu64 " requests\n", health->pending);
    (void)printf("  inbox     %" PRIu64 " events wait for facts\n", health->inbox);
    (void)printf("  outbox    %" PRIu64 " owed, %" PRIu64 " given up%s\n", health->owed,
                 health->dead, health->dead > 0 ? ": approvalctl outbox list --dead" : "");
    if (rc == ERR_OK && health->slack_used && !health->slack_ok) {
        rc = say("  slack     FAILS, see approvalctl slack check: ", status, "slack.state", err);
    } else if (health->slack_used) {
        (void)printf("  slack     ok\n");
    } else {
        (void)printf("  slack     not configured\n");
    }
    return rc;
}

int cmd_status(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    struct health health;
    struct err err = ERR_INIT;
    int code = ctl_get(ctl, "/v1/status", &reply);

    if (code != CTL_OK) {
        return code;
    }
    read_health(reply->json, &health);
    if (ctl->json) {
        ctl_print_json(reply->body);
    } else if (show(reply->json, &health, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return health.ready && health.dead == 0 && (health.slack_ok || !health.slack_used)
               ? CTL_OK
               : CTL_INTERNAL;
}

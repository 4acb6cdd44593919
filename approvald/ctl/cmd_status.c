/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c: status: one glance.
 * Owns the choice of what deserves a person; never repairs anything. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/supervisor.h"
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

/* What approvald says. *ret_ready: it may write. */
static int approvald_status(struct ctl *ctl, bool *ret_ready)
{
    const struct client_reply *reply = NULL;
    struct health health;
    struct err err = ERR_INIT;
    int code = ctl_get(ctl, "/v1/status", &reply);

    *ret_ready = false;
    if (code != CTL_OK) {
        return code;
    }
    read_health(reply->json, &health);
    *ret_ready = health.ready;
    if (ctl->json) {
        ctl_print_json(reply->body);
    } else if (show(reply->json, &health, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return health.dead == 0 && (health.slack_ok || !health.slack_used) ? CTL_OK : CTL_INTERNAL;
}

/* What the supervisor says of the pair; a second JSON text with --json. */
static int pair_status(struct ctl *ctl, bool *ret_standby)
{
    AUTO_JSON struct json *status = NULL;
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = supervisor_ask(ctl, "status", &status, &err);

    *ret_standby = false;
    if (rc != ERR_OK) {
        return ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_UNREACHABLE, &err);
    }
    if (ctl->json) {
        rc = buf_new(CTL_BODY_SIZE_MAX, &text, &err);
        if (rc == ERR_OK) {
            rc = json_print(status, text, &err);
        }
        if (rc != ERR_OK) {
            return ctl_fail_err(ctl, &err);
        }
        ctl_print_json(buf_span(text));
    } else {
        show_pair(status);
    }
    *ret_standby = show_pair_is_standby(status);
    return show_pair_is_well(status) ? CTL_OK : CTL_INTERNAL;
}

int cmd_status(struct ctl *ctl)
{
    bool standby = false;
    bool ready;
    int pair_code = CTL_OK;
    int code = approvald_status(ctl, &ready);

    if (supervisor_is_used(ctl)) {
        pair_code = pair_status(ctl, &standby);
    }
    if (code == CTL_OK && !ready && !standby) {
        code = CTL_INTERNAL;
    }
    return code == CTL_OK ? pair_code : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_status.c: status: one glance.
 * Owns the choice of what deserves a person; never repairs anything. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/show.h"
#include "approvald/ctl/supervisor.h"
#include "approvald/ctl/ways.h"
#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

#define APPROVALD_MS  3000U
#define LINE_SIZE_MAX 512
#define CRASH_TELL_S  86400U /* afterwards the doctor's alone */

struct health {
    bool ready;
    bool slack_used;
    bool slack_ok;
    bool slack_down; /* and neither unused nor refused */
    uint64_t slack_down_s;
    bool socket_ok;     /* or unused */
    bool secrets_agree; /* with the other host's */
    uint64_t pending;
    uint64_t inbox;
    uint64_t owed;
    uint64_t dead;
    struct show_lag lag;
    uint64_t crash_s;   /* so long ago approvald crashed; 0: it did not, or there is no report */
    bool config_broken; /* the last-known-good copy is in force */
};

static void read_health(const struct json *status, struct health *ret_health)
{
    struct span slack = json_text(status, "slack.state");

    *ret_health = (struct health){
        .ready = json_bool(status, "ready", false),
        .slack_used = slack.size > 0 && !span_is(slack, "unused"),
        .slack_ok = span_is(slack, "up"),
        .slack_down = span_is(slack, "unreachable"),
        .config_broken = json_bool(status, "config.last_good", false),
        .secrets_agree = show_secrets_agree(status),
        .socket_ok = ways_socket_is_well(json_get(status, "slack")),
    };
    (void)json_u64(status, "counts.pending", &ret_health->pending); /* absent: 0 */
    (void)json_u64(status, "crash.age_s", &ret_health->crash_s);
    (void)json_u64(status, "slack.breaker.down_s", &ret_health->slack_down_s);
    (void)json_u64(status, "counts.inbox", &ret_health->inbox);
    (void)json_u64(status, "counts.outbox_owed", &ret_health->owed);
    (void)json_u64(status, "counts.outbox_dead", &ret_health->dead);
    ret_health->lag.known = json_u64(status, "pair.lag_records", &ret_health->lag.records);
    (void)json_u64(status, "pair.lag_ms", &ret_health->lag.ms);
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

/* Slack is down: for how long, and what the approvers can do. */
static enum err_code
show_outage(const struct json *status, const struct health *health, struct err *err)
{
    char span[SHOW_SPAN_SIZE];
    char prefix[64];
    enum err_code rc;

    show_span((int64_t)health->slack_down_s, span);
    (void)snprintf(prefix, sizeof prefix, "  slack     DOWN for %s: ", span); /* fits */
    rc = say(prefix, status, "slack.error", err);
    if (rc == ERR_OK && health->pending > 0) {
        (void)printf("            %" PRIu64 " wait: approvers can decide with approvalctl approve "
                     "ID, approvalctl reject ID\n",
                     health->pending);
    }
    return rc;
}

/* Cards that the reconciler cannot look at, and what would let it. */
static enum err_code show_unseen(const struct json *status, struct err *err)
{
    bool scoped = json_text(status, "slack.cards.unseen_scope").size > 0;
    char prefix[96];
    uint64_t unseen = 0;

    if (!json_u64(status, "slack.cards.unseen", &unseen) || unseen == 0) {
        return ERR_OK;
    }
    (void)snprintf(prefix, sizeof prefix, "  cards     %" PRIu64 " cannot be compared%s", unseen,
                   scoped ? ", add the scope " : ": "); /* fits */
    return say(prefix, status, scoped ? "slack.cards.unseen_scope" : "slack.cards.unseen_because",
               err);
}

/* Groups, channels and addresses of policies of which Slack does not say who they are. */
static void show_names(const struct json *status)
{
    size_t count = 0;

    for (const struct json *at = json_first(json_path(status, "slack.names")); at != NULL;
         at = json_next(at)) {
        count += json_bool(at, "works", false) ? 0 : 1;
    }
    if (count > 0) {
        (void)printf(
            "  approvers %zu that policies name are UNKNOWN, see approvalctl slack check\n", count);
    }
}

/* Which way in is live, and when something last came over each that is configured. */
static enum err_code show_ways(const struct json *slack, bool socket_ok, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc = buf_new(LINE_SIZE_MAX, &line, err);

    if (rc == ERR_OK && ways_has_socket(slack)) {
        rc = ways_add_socket(slack, line, err);
        if (rc == ERR_OK && !socket_ok) {
            rc = buf_append_text(line, ": approvalctl slack check", err);
        }
        rc = rc == ERR_OK ? ctl_print_line("  sockets   ", buf_span(line), err) : rc;
    }
    if (rc == ERR_OK && ways_has_http(slack)) {
        buf_clear(line);
        rc = ways_add_http(slack, line, err);
        rc = rc == ERR_OK ? ctl_print_line("  http      ", buf_span(line), err) : rc;
    }
    return rc;
}

/* Slack, and how its deliveries come. */
static enum err_code
show_slack(const struct json *status, const struct health *health, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!health->slack_used) {
        (void)printf("  slack     not configured\n");
        return ERR_OK;
    }
    if (health->slack_ok) {
        (void)printf("  slack     ok\n");
    } else if (health->slack_down) {
        rc = show_outage(status, health, err);
    } else {
        rc = say("  slack     FAILS, see approvalctl slack check: ", status, "slack.state", err);
    }
    if (rc == ERR_OK) {
        rc = show_ways(json_get(status, "slack"), health->socket_ok, err);
    }
    if (rc == ERR_OK) {
        show_names(status);
        rc = show_unseen(status, err);
    }
    return rc;
}

/* A broken glass is not there to be overlooked. */
static enum err_code show_glass(const struct json *status, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    uint64_t count = 0;
    enum err_code rc;

    if (!json_u64(status, "break_glass.count", &count) || count == 0) {
        return ERR_OK; /* never, or an older approvald */
    }
    rc = buf_new(LINE_SIZE_MAX, &line, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "broken %llu times, last %.*s: approvalctl show %.*s",
                               (unsigned long long)count,
                               SPAN_ARGS(json_text(status, "break_glass.last_at")),
                               SPAN_ARGS(json_text(status, "break_glass.last_request")));
    }
    return rc == ERR_OK ? ctl_print_line("  glass     ", buf_span(line), err) : rc;
}

/* The file was broken at the start: whatever was changed in it is not in force. */
static enum err_code show_broken(const struct json *status, struct err *err)
{
    enum err_code rc = say("  CONFIG    is BROKEN: ", status, "config.reason", err);

    return rc == ERR_OK
               ? say("            in force is what served at ", status, "config.kept_at", err)
               : rc;
}

/* What a host says whether it is one of a pair or not. */
static enum err_code
show_work(const struct json *status, const struct health *health, struct err *err)
{
    enum err_code rc;

    (void)printf("  pending   %" PRIu64 " requests\n", health->pending);
    (void)printf("  inbox     %" PRIu64 " events wait for facts\n", health->inbox);
    (void)printf("  outbox    %" PRIu64 " owed, %" PRIu64 " given up%s\n", health->owed,
                 health->dead, health->dead > 0 ? ": approvalctl outbox list --dead" : "");
    rc = show_glass(status, err);
    return rc == ERR_OK ? show_slack(status, health, err) : rc;
}

/* pair: what the supervisor says, or NULL. A standby has no work to tell of. */
static enum err_code show(const struct json *status,
                          const struct health *health,
                          const struct json *pair,
                          struct err *err)
{
    bool paired = pair != NULL && json_bool(pair, "pair", false);
    bool standby = paired && show_pair_is_standby(pair);
    char ago[SHOW_SPAN_SIZE];
    enum err_code rc = ERR_OK;

    if (paired) {
        show_pair_headline(pair, health->ready);
    } else {
        (void)printf("%s\n", health->ready ? "ready" : "NOT READY"); /* main looks at ferror */
    }
    if (!health->ready && !standby) {
        rc = say("  because   ", status, "why", err);
    }
    if (rc == ERR_OK) {
        rc = say("  version   ", status, "version", err);
    }
    if (health->crash_s > 0 && health->crash_s < CRASH_TELL_S) {
        show_span((int64_t)health->crash_s, ago);
        (void)printf("  crashed   %s ago, see approvalctl doctor\n", ago);
    }
    if (rc == ERR_OK && health->config_broken) {
        rc = show_broken(status, err);
    }
    if (rc == ERR_OK && json_text(status, "pair.snapshot_refused").size > 0) {
        rc = say("  SNAPSHOT  ", status, "pair.snapshot_refused", err);
    }
    if (rc == ERR_OK && !paired) {
        rc = say("  role      ", status, "role", err);
    }
    if (rc == ERR_OK && !paired) {
        rc = say("  epoch     ", status, "epoch", err);
    }
    show_secrets(status);
    return rc == ERR_OK && !standby ? show_work(status, health, err) : rc;
}

/* What approvald says. */
static int approvald_status(struct ctl *ctl, const struct json *pair, struct health *ret_health)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    /* Where a supervisor has answered, approvald may be down for good: no use in waiting long. */
    const struct client_call call = {
        .method = "GET", .path = "/v1/status", .deadline_ms = pair == NULL ? 0 : APPROVALD_MS};
    int code = ctl_call(ctl, &call, &reply);

    if (code != CTL_OK) {
        return code;
    }
    read_health(reply->json, ret_health);
    if (ctl->json) {
        ctl_print_json(reply->body);
    } else if (show(reply->json, ret_health, pair, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return ret_health->dead == 0 && !ret_health->config_broken && ret_health->secrets_agree &&
                   (ret_health->slack_ok || !ret_health->slack_used) && ret_health->socket_ok
               ? CTL_OK
               : CTL_INTERNAL;
}

/* What the supervisor says of the pair; a second JSON text with --json. */
static int pair_status(struct ctl *ctl, const struct json *status, const struct show_lag *lag)
{
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

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
        show_pair(status, lag);
    }
    return show_pair_is_well(status) ? CTL_OK : CTL_INTERNAL;
}

int cmd_status(struct ctl *ctl)
{
    AUTO_JSON struct json *pair = NULL;
    struct health health = {.ready = false};
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    int pair_code = CTL_OK;
    int code;

    if (supervisor_is_used(ctl)) {
        rc = supervisor_ask(ctl, "status", &pair, &err);
    }
    code = approvald_status(ctl, pair, &health);
    if (rc != ERR_OK) {
        pair_code = ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_UNREACHABLE, &err);
    } else if (pair != NULL) {
        pair_code = pair_status(ctl, pair, &health.lag);
    }
    if (code == CTL_OK && !health.ready && (pair == NULL || !show_pair_is_standby(pair))) {
        code = CTL_INTERNAL;
    }
    return code == CTL_OK ? pair_code : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* show_pair.c: the supervisor's status for a person, and whether it needs one.
 * Owns the words. Never asks anybody; escapes every text before it is printed. */
#include "approvald/ctl/ctl.h"
#include "approvald/ctl/supervisor.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t number(const struct json *status, const char *path)
{
    uint64_t value = 0;

    (void)json_u64(status, path, &value); /* absent: 0 */
    return value;
}

/* A text of the answer, escaped into room. */
static const char *text(const struct json *status, const char *path, char *room, size_t size)
{
    AUTO_BUF struct buf *buf = NULL;

    room[0] = '\0';
    if (buf_new(size - 1, &buf, NULL) == ERR_OK &&
        text_escape_terminal(buf, json_text(status, path), (uint32_t)size - 1, NULL) == ERR_OK) {
        (void)snprintf(room, size, "%s", buf_text(buf)); /* fits */
    }
    return room;
}

static bool in_isr(const struct json *status, uint64_t host)
{
    const struct json *member = json_first(json_path(status, "register.isr"));

    for (; member != NULL; member = json_next(member)) {
        if (number(member, "host") == host) {
            return true;
        }
    }
    return false;
}

bool show_pair_is_standby(const struct json *status)
{
    return span_is(json_text(status, "role"), "standby") && json_bool(status, "link.up", false);
}

bool show_pair_is_well(const struct json *status)
{
    bool paired = json_bool(status, "pair", false);

    return json_count(json_get(status, "alarms")) == 0 &&
           !json_bool(status, "child.safe_mode", false) &&
           (!paired || (in_isr(status, 1) && in_isr(status, 2)));
}

static void show_register(const struct json *status)
{
    if (json_is_null(json_get(status, "register"))) {
        (void)printf("  register    not read yet\n"); /* main looks at ferror, as for all here */
        return;
    }
    (void)printf("  register    epoch %" PRIu64 ", primary host %" PRIu64 ", in sync:%s%s%s\n",
                 number(status, "register.epoch"), number(status, "register.primary"),
                 in_isr(status, 1) ? " 1" : "", in_isr(status, 2) ? " 2" : "",
                 json_bool(status, "register.cas_unresolved", false) ? "; a change is unresolved"
                                                                     : "");
}

static void show_link(const struct json *status)
{
    const char *state = "not connected";
    uint64_t lag = number(status, "link.lag");
    bool primary = span_is(json_text(status, "role"), "primary");

    if (json_bool(status, "link.up", false)) {
        state = json_bool(status, "link.in_sync", false) ? "connected, in step" : "connected";
    }
    (void)printf("  other host  %s%s", state,
                 json_bool(status, "link.silent", false) ? ", silent" : "");
    if (primary) {
        (void)printf(", %" PRIu64 " records behind", lag);
    } else {
        (void)printf(", its log ends at %" PRIu64 ", ours at %" PRIu64,
                     number(status, "link.peer_last_lsn"), number(status, "link.lsn_last"));
    }
    (void)printf("\n");
}

static void show_arbiter(const struct json *status)
{
    char kind[32];
    char place[200];
    char problem[460];

    if (json_is_null(json_get(status, "arbiter"))) {
        return;
    }
    if (json_bool(status, "arbiter.reachable", false)) {
        (void)printf("  arbiter     %s, %s, answers in %" PRIu64 " ms\n",
                     text(status, "arbiter.kind", kind, sizeof kind),
                     text(status, "arbiter.place", place, sizeof place),
                     number(status, "arbiter.latency_ms"));
    } else {
        (void)printf("  arbiter     %s DOES NOT ANSWER: %s\n",
                     text(status, "arbiter.kind", kind, sizeof kind),
                     text(status, "arbiter.problem", problem, sizeof problem));
    }
}

static void show_vip(const struct json *status)
{
    char address[64];
    char vrrp[32];

    if (json_is_null(json_get(status, "vip"))) {
        return;
    }
    (void)printf("  virtual IP  %s is %s (VRRP: %s)\n",
                 text(status, "vip.address", address, sizeof address),
                 json_bool(status, "vip.here", false) ? "here" : "not here",
                 text(status, "vip.vrrp", vrrp, sizeof vrrp));
}

static void show_alarms(const struct json *status)
{
    const struct json *alarm = json_first(json_get(status, "alarms"));
    char name[64];
    char reason[200];

    for (; alarm != NULL; alarm = json_next(alarm)) {
        (void)printf("  ALARM       %s: %s\n", text(alarm, "alarm", name, sizeof name),
                     text(alarm, "reason", reason, sizeof reason));
    }
    if (json_bool(status, "child.safe_mode", false)) {
        (void)printf("  SAFE MODE   %s; then: approvalctl safe-mode clear\n",
                     text(status, "child.safe_reason", reason, sizeof reason));
    }
}

void show_pair(const struct json *status)
{
    char role[32];
    char word[32];
    char reason[200];

    (void)printf("pair\n  this host   %" PRIu64 ": %s%s%s\n", number(status, "host"),
                 text(status, "role", role, sizeof role),
                 json_bool(status, "serving", false) ? ", serves" : "",
                 json_bool(status, "maintenance", false) ? ", in maintenance" : "");
    if (json_bool(status, "pair", false)) {
        show_register(status);
        (void)printf("  protection  %s (%s)\n",
                     in_isr(status, 1) && in_isr(status, 2) ? "every answer is on both hosts"
                                                            : "UNPROTECTED: one host alone",
                     text(status, "protection", word, sizeof word));
        show_link(status);
        show_arbiter(status);
        show_vip(status);
    }
    (void)printf("  approvald   %s, started %" PRIu64 " times, %" PRIu64 " crashes\n",
                 text(status, "child.state", word, sizeof word), number(status, "child.starts"),
                 number(status, "child.crash_count"));
    (void)printf("  last change %" PRIu64 " s ago: %s\n", number(status, "changed_ms_ago") / 1000,
                 text(status, "reason", reason, sizeof reason));
    show_alarms(status);
}

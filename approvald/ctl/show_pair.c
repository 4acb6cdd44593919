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

#define PEER_TOLD_MS_MAX 5000U /* it is told about once a second */

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

bool show_pair_in_isr(const struct json *status, uint64_t host)
{
    const struct json *member = json_first(json_path(status, "register.isr"));

    for (; member != NULL; member = json_next(member)) {
        if (number(member, "host") == host) {
            return true;
        }
    }
    return false;
}

bool show_pair_in_sync(const struct json *status)
{
    const struct json *member = json_first(json_path(status, "register.isr"));
    struct span store = json_text(status, "link.peer_store");
    bool named = false;

    for (; member != NULL; member = json_next(member)) {
        if (number(member, "host") != number(status, "host")) {
            named = span_equal(json_text(member, "store"), store);
        }
    }
    return named && show_pair_in_isr(status, 1) && show_pair_in_isr(status, 2) &&
           json_bool(status, "link.up", false) && !json_bool(status, "link.silent", false) &&
           json_bool(status, "link.in_sync", false);
}

/* The peer's own word, unless it may be wrong by now: it is not heard, or has said nothing lately.
 */
static bool told(const struct json *status)
{
    return json_is_object(json_get(status, "peer")) && json_bool(status, "link.up", false) &&
           number(status, "peer.age_ms") < PEER_TOLD_MS_MAX;
}

static uint64_t self_host(const struct json *status)
{
    return number(status, "host");
}

static uint64_t other_host(const struct json *status)
{
    return self_host(status) == 1 ? 2 : 1;
}

bool show_pair_is_standby(const struct json *status)
{
    return json_bool(status, "pair", false) && span_is(json_text(status, "role"), "standby") &&
           json_bool(status, "link.up", false) && json_bool(status, "link.peer_leads", false);
}

bool show_pair_is_well(const struct json *status)
{
    bool paired = json_bool(status, "pair", false);
    bool other_safe = told(status) && json_bool(status, "peer.safe_mode", false);

    return json_count(json_get(status, "alarms")) == 0 &&
           !json_bool(status, "child.safe_mode", false) && !other_safe &&
           (!paired || show_pair_in_sync(status));
}

void show_pair_headline(const struct json *status, bool ready)
{
    bool both = show_pair_in_isr(status, 1) && show_pair_in_isr(status, 2);
    uint64_t other = other_host(status);

    /* main looks at ferror, as for all here */
    if (show_pair_is_standby(status) && show_pair_in_sync(status)) {
        (void)printf("standing by: host %" PRIu64 " serves, this host has every answer\n", other);
    } else if (show_pair_is_standby(status)) {
        (void)printf("standing by, NOT IN SYNC: host %" PRIu64 " serves, this host cannot take "
                     "over yet\n",
                     other);
    } else if (!ready) {
        (void)printf("NOT READY\n");
    } else if (both && !show_pair_in_sync(status)) {
        (void)printf("STALLED: primary, but host %" PRIu64 ", which has to acknowledge, is not in "
                     "sync\n",
                     other);
    } else if (both) {
        (void)printf("ready: primary, and host %" PRIu64 " has every answer too\n", other);
    } else {
        (void)printf("ready, but UNPROTECTED: primary, and host %" PRIu64 " is not in sync\n",
                     other);
    }
}

static void show_register(const struct json *status)
{
    if (!json_is_object(json_get(status, "register"))) {
        (void)printf("  register    not read yet\n");
        return;
    }
    (void)printf("  register    epoch %" PRIu64 ", primary host %" PRIu64 ", in sync:%s%s%s\n",
                 number(status, "register.epoch"), number(status, "register.primary"),
                 show_pair_in_isr(status, 1) ? " 1" : "", show_pair_in_isr(status, 2) ? " 2" : "",
                 json_bool(status, "register.cas_unresolved", false) ? "; a change is unresolved"
                                                                     : "");
}

static void show_peer(const struct json *status)
{
    char role[32];

    if (!json_is_object(json_get(status, "peer"))) {
        (void)printf("  other host  %" PRIu64 ": has said nothing yet\n", other_host(status));
        return;
    }
    (void)printf("  other host  %" PRIu64 ": %s%s%s%s%s", other_host(status),
                 told(status) ? "" : "NOT HEARD, was ",
                 text(status, "peer.role", role, sizeof role),
                 json_bool(status, "peer.serving", false) ? ", serves" : "",
                 json_bool(status, "peer.maintenance", false) ? ", in maintenance" : "",
                 json_bool(status, "peer.safe_mode", false) ? ", in SAFE MODE" : "");
    if (!told(status)) {
        (void)printf(" %" PRIu64 " s ago", number(status, "peer.age_ms") / 1000);
    }
    (void)printf("\n");
}

static void show_link(const struct json *status, const struct show_lag *lag)
{
    bool up = json_bool(status, "link.up", false);
    const char *state = "NOT CONNECTED";

    if (up) {
        state = json_bool(status, "link.in_sync", false) ? "connected, in step" : "connected";
    }
    (void)printf("  link        %s%s", state,
                 up && json_bool(status, "link.silent", false) ? ", silent" : "");
    if (up && lag->known && lag->records == 0) {
        (void)printf(", nothing outstanding");
    } else if (up && lag->known) {
        (void)printf(", %" PRIu64 " record%s outstanding for %" PRIu64 " ms", lag->records,
                     lag->records == 1 ? "" : "s", lag->ms);
    }
    (void)printf("\n");
}

static void show_peer_arbiter(const struct json *status)
{
    if (!told(status) || json_path(status, "peer.arbiter_reachable") == NULL) {
        (void)printf("\n");
    } else if (json_bool(status, "peer.arbiter_reachable", false)) {
        (void)printf("; the other host in %" PRIu64 " ms\n",
                     number(status, "peer.arbiter_latency_ms"));
    } else {
        (void)printf("; THE OTHER HOST DOES NOT REACH IT\n");
    }
}

static void show_arbiter(const struct json *status)
{
    char kind[32];
    char place[200];
    char problem[460];

    if (!json_is_object(json_get(status, "arbiter"))) {
        return;
    }
    if (json_bool(status, "arbiter.reachable", false)) {
        (void)printf("  arbiter     %s, %s, answers in %" PRIu64 " ms",
                     text(status, "arbiter.kind", kind, sizeof kind),
                     text(status, "arbiter.place", place, sizeof place),
                     number(status, "arbiter.latency_ms"));
    } else {
        (void)printf("  arbiter     %s DOES NOT ANSWER: %s",
                     text(status, "arbiter.kind", kind, sizeof kind),
                     text(status, "arbiter.problem", problem, sizeof problem));
    }
    show_peer_arbiter(status);
}

/* Arbiter "fence": what each device said last of the other host. */
static void show_fence(const struct json *status)
{
    const struct json *device = json_first(json_path(status, "fence.devices"));
    char phase[16];
    char problem[200];

    if (!json_is_object(json_get(status, "fence"))) {
        return;
    }
    (void)printf("  fence       %s", text(status, "fence.phase", phase, sizeof phase));
    if (text(status, "fence.problem", problem, sizeof problem)[0] != '\0') {
        (void)printf(": %s", problem);
    }
    for (; device != NULL; device = json_next(device)) {
        char name[40];
        char says[8];

        (void)printf("; %s says %s", text(device, "name", name, sizeof name),
                     text(device, "says", says, sizeof says)[0] == '\0' ? "nothing" : says);
    }
    (void)printf("\n");
}

static void show_vip(const struct json *status)
{
    char address[64];
    char vrrp[32];
    char theirs[32];
    bool here = json_bool(status, "vip.here", false);

    if (!json_is_object(json_get(status, "vip"))) {
        return;
    }
    (void)printf("  virtual IP  %s is %s (VRRP: %s%s%s)%s\n",
                 text(status, "vip.address", address, sizeof address), here ? "here" : "not here",
                 text(status, "vip.vrrp", vrrp, sizeof vrrp),
                 told(status) ? "; the other host: " : "",
                 told(status) ? text(status, "peer.vrrp", theirs, sizeof theirs) : "",
                 here && told(status) && json_bool(status, "peer.vip_here", false)
                     ? ", AND ON THE OTHER HOST TOO"
                     : "");
}

static void show_peer_alarms(const struct json *status)
{
    const struct json *alarm = json_first(json_path(status, "peer.alarms"));
    char name[64];

    for (; told(status) && alarm != NULL; alarm = json_next(alarm)) {
        (void)printf("  ALARM       of the other host: %s\n",
                     text(alarm, "alarm", name, sizeof name));
    }
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
    show_peer_alarms(status);
    if (json_bool(status, "child.safe_mode", false)) {
        (void)printf("  SAFE MODE   %s; then: approvalctl safe-mode clear\n",
                     text(status, "child.safe_reason", reason, sizeof reason));
    }
}

static void show_child(const struct json *status)
{
    uint64_t crashes = number(status, "child.crash_count");
    uint64_t starts = number(status, "child.starts");
    char word[32];

    (void)printf("  approvald   %s, started %" PRIu64 " time%s",
                 text(status, "child.state", word, sizeof word), starts, starts == 1 ? "" : "s");
    if (crashes > 0) {
        (void)printf(", %" PRIu64 " crash%s", crashes, crashes == 1 ? "" : "es");
    }
    (void)printf("\n");
}

static const char *protection(const struct json *status)
{
    if (!show_pair_in_isr(status, 1) || !show_pair_in_isr(status, 2)) {
        return "UNPROTECTED: one host alone";
    }
    return show_pair_in_sync(status) ? "every answer is on both hosts"
                                     : "both have to acknowledge, and are NOT IN SYNC";
}

const char *show_secret_problem(const struct json *secret)
{
    static const struct {
        const char *state;
        const char *problem;
    } problems[] = {
        {"differs", "differs from the other host's"},
        {"missing_here", "is missing here, the other host has one"},
        {"missing_there", "is missing on the other host"},
    };
    struct span state = json_text(secret, "state");

    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
        if (span_is(state, problems[i].state)) {
            return problems[i].problem;
        }
    }
    return NULL;
}

bool show_secrets_known(const struct json *own)
{
    const struct json *secret = json_first(json_path(own, "pair.secrets"));

    for (; secret != NULL; secret = json_next(secret)) {
        if (span_is(json_text(secret, "state"), "unknown")) {
            return false;
        }
    }
    return true;
}

bool show_secrets_agree(const struct json *own)
{
    const struct json *secret = json_first(json_path(own, "pair.secrets"));

    for (; secret != NULL; secret = json_next(secret)) {
        if (show_secret_problem(secret) != NULL) {
            return false;
        }
    }
    return true;
}

void show_secrets(const struct json *own)
{
    const struct json *secret = json_first(json_path(own, "pair.secrets"));
    char option[64];

    for (; secret != NULL; secret = json_next(secret)) {
        const char *problem = show_secret_problem(secret);

        if (problem != NULL) {
            (void)printf("  SECRETS   %s %s: see approvalctl doctor\n",
                         text(secret, "option", option, sizeof option), problem);
        }
    }
}

void show_pair(const struct json *status, const struct show_lag *lag)
{
    char role[32];
    char word[32];
    char reason[200];
    bool paired = json_bool(status, "pair", false);

    (void)printf("%s\n  this host   %" PRIu64 ": %s%s%s\n", paired ? "pair" : "supervisor",
                 self_host(status), text(status, "role", role, sizeof role),
                 json_bool(status, "serving", false) ? ", serves" : "",
                 json_bool(status, "maintenance", false) ? ", in maintenance" : "");
    if (paired) {
        show_peer(status);
        show_link(status, lag);
        show_register(status);
        (void)printf("  protection  %s (%s)\n", protection(status),
                     text(status, "protection", word, sizeof word));
        show_arbiter(status);
        show_fence(status);
        show_vip(status);
    }
    show_child(status);
    (void)printf("  last change %" PRIu64 " s ago: %s\n", number(status, "changed_ms_ago") / 1000,
                 text(status, "reason", reason, sizeof reason));
    show_alarms(status);
}

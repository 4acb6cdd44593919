/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_doctor.c: doctor: looks at this host and at approvald, and says what to do.
 * Owns the order of the checks; never repairs anything, and goes on after a failure. */
#include "approvald/ctl/bundle.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/doctor.h"
#include "approvald/ctl/program.h"
#include "approvald/ctl/show.h"
#include "approvald/ctl/supervisor.h"
#include "approvald/ctl/ways.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SUPERVISOR     PKGSBINDIR "/approvald-supervisor"
#define CLOCK_WARN_S   5   /* certificates and expiry times begin to look odd */
#define CLOCK_FAIL_S   120 /* Slack's signatures are good for 300 s: half of it is gone */
#define DOCTOR_CALL_MS 5000U
#define CRASH_TELL_S   UINT64_C(604800) /* what nobody has asked about in a week is history */

static const char *const marks[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "FAIL"};

static enum err_code print_json_line(const struct doctor *doctor,
                                     enum doctor_mark mark,
                                     struct span text,
                                     struct err *err)
{
    AUTO_BUF struct buf *json = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &json, err);

    if (rc == ERR_OK) {
        rc = text_append_json(json, text, err);
    }
    if (rc == ERR_OK) {
        (void)printf("%s{\"mark\":\"%s\",\"text\":%s}", /* main looks at ferror */
                     doctor->lines == 0 ? "[" : ",\n ", marks[mark], buf_text(json));
    }
    return rc;
}

void doctor_say(struct doctor *doctor, enum doctor_mark mark, const char *format, ...)
{
    char text[1024];
    char prefix[8];
    struct err err = ERR_INIT;
    va_list args;
    enum err_code rc;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut is fine */
    va_end(args);
    (void)snprintf(prefix, sizeof prefix, "%-5s ", marks[mark]);
    rc = doctor->ctl->json ? print_json_line(doctor, mark, span_text(text), &err)
                           : ctl_print_line(prefix, span_text(text), &err);
    doctor->broken = doctor->broken || rc != ERR_OK;
    doctor->failed += mark == DOCTOR_FAIL;
    doctor->warned += mark == DOCTOR_WARN;
    doctor->lines++;
}

/* The last line of a text: where a program says why. */
static struct span last_line(struct span text)
{
    const char *newline;

    while (text.size > 0 && text.data[text.size - 1] == '\n') {
        text.size--;
    }
    newline = text.size == 0 ? NULL : memrchr(text.data, '\n', text.size);
    if (newline == NULL) {
        return text;
    }
    return span_of(newline + 1, (size_t)(text.data + text.size - newline - 1));
}

static void check_config(struct doctor *doctor)
{
    AUTO_BUF struct buf *said = NULL;
    AUTO_BUF struct buf *dump = NULL;
    struct err err = ERR_INIT;
    int code = 0;
    enum err_code rc = buf_new(PROGRAM_OUTPUT_MAX, &said, &err);

    if (rc == ERR_OK) {
        rc = buf_new(PROGRAM_OUTPUT_MAX, &dump, &err);
    }
    if (rc == ERR_OK) {
        rc = program_capture(doctor->ctl, "--check-config", said, &code, &err);
    }
    if (rc == ERR_OK && code != 0) {
        doctor_say(doctor, DOCTOR_FAIL, "configuration: %.*s",
                   SPAN_ARGS(last_line(buf_span(said))));
        return;
    }
    if (rc == ERR_OK) {
        doctor_say(doctor, DOCTOR_OK, "configuration: has no fault");
        rc = program_capture(doctor->ctl, "--dump-config", dump, &code, &err);
    }
    if (rc != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAIL, "configuration: %s", err.message);
        return;
    }
    doctor_files(doctor, buf_text(dump));
}

/* "Sun, 22 Nov 2026 21:15:00 GMT" */
static bool parse_date(const char *date, int64_t *ret_s)
{
    struct tm tm = {0};
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret_s = timegm(&tm);
    return true;
}

static void check_clock(struct doctor *doctor, const struct client_reply *reply)
{
    int64_t server_s;
    int64_t off_s;
    enum doctor_mark mark = DOCTOR_OK;

    if (doctor->ctl->url == NULL || !parse_date(reply->date, &server_s)) {
        return; /* one host has one clock */
    }
    off_s = show_now_s() - server_s;
    off_s = off_s < 0 ? -off_s : off_s;
    if (off_s > CLOCK_WARN_S) {
        mark = off_s > CLOCK_FAIL_S ? DOCTOR_FAIL : DOCTOR_WARN;
    }
    doctor_say(doctor, mark, "clock: %lld s from approvald's%s", (long long)off_s,
               mark == DOCTOR_OK ? "" : ": is NTP running on both?");
}

/* True when it was answered with 2xx. */
static bool probe(struct doctor *doctor,
                  const char *path,
                  const struct client_reply **ret_reply,
                  struct err *err)
{
    struct client_call call = {.method = "GET", .path = path, .deadline_ms = DOCTOR_CALL_MS};

    return client_call(doctor->ctl->client, &call, ret_reply, err) == ERR_OK;
}

static bool is_standby(const struct doctor *doctor)
{
    return doctor->pair != NULL && show_pair_is_standby(doctor->pair);
}

void doctor_crash(struct doctor *doctor, const char *who, const struct json *status)
{
    uint64_t age_s = 0;
    char ago[SHOW_SPAN_SIZE];

    if (!json_u64(status, "crash.age_s", &age_s) || age_s == 0 || age_s > CRASH_TELL_S) {
        return;
    }
    show_span((int64_t)age_s, ago);
    doctor_say(doctor, DOCTOR_WARN, "%s crashed %s ago (%.*s at %.*s): its report is %.*s in %s",
               who, ago, SPAN_ARGS(json_text(status, "crash.signal")),
               SPAN_ARGS(json_text(status, "crash.at")), SPAN_ARGS(json_text(status, "crash.last")),
               strcmp(who, "approvald") == 0 ? "data_dir" : "state_dir");
}

/* The one that runs was given its settings at its start; what has become of them, only the next one
 * would tell. */
static void check_supervisor_config(struct doctor *doctor)
{
    static const char *const argv[] = {SUPERVISOR, "--check-config", NULL};
    AUTO_BUF struct buf *said = NULL;
    struct err err = ERR_INIT;
    int code = 0;
    enum err_code rc;

    if (options_has(&doctor->ctl->options, OPTION_SUPERVISOR) || access(SUPERVISOR, X_OK) != 0) {
        return; /* another one than the host's */
    }
    rc = buf_new(PROGRAM_OUTPUT_MAX, &said, &err);
    if (rc == ERR_OK) {
        rc = program_run(argv, said, &code, &err);
    }
    if (rc != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAIL, "supervisor's configuration: %s", err.message);
    } else if (code != 0) {
        doctor_say(doctor, DOCTOR_FAIL, "supervisor's configuration: %.*s",
                   SPAN_ARGS(last_line(buf_span(said))));
    } else {
        doctor_say(doctor, DOCTOR_OK, "supervisor's configuration: has no fault");
    }
}

static void check_supervisor(struct doctor *doctor)
{
    struct err err = ERR_INIT;

    if (!supervisor_is_used(doctor->ctl)) {
        return;
    }
    if (supervisor_ask(doctor->ctl, "status", &doctor->pair, &err) != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAIL, "supervisor: %s: systemctl status approvald", err.message);
    } else {
        doctor_say(doctor, DOCTOR_OK, "supervisor: answers");
        check_supervisor_config(doctor);
        doctor_crash(doctor, "the supervisor", doctor->pair);
    }
}

static void check_answers(struct doctor *doctor)
{
    const char *where = doctor->ctl->url == NULL ? doctor->ctl->socket : doctor->ctl->url;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (!probe(doctor, "/healthz", &reply, &err)) {
        doctor_say(doctor, DOCTOR_FAIL, "%s: no answer: %s", where, err.message);
        return;
    }
    doctor_say(doctor, DOCTOR_OK, "%s: answers", where);
    check_clock(doctor, reply);
    if (is_standby(doctor)) { /* "not now" would be asked for again and again */
        doctor_say(doctor, DOCTOR_OK, "not ready, as it should be: the other host serves");
    } else if (probe(doctor, "/readyz", &reply, &err)) {
        doctor_say(doctor, DOCTOR_OK, "ready: it may write");
    } else {
        doctor_say(doctor, DOCTOR_FAIL, "not ready: %s", err.message);
    }
}

/* What a person does about no socket; the rest is in slack check. */
static const char *socket_remedy(struct span state)
{
    if (span_is(state, "refused")) {
        return "Slack refuses the app-level token: write a good one to its file and reload";
    }
    if (span_is(state, "disabled")) {
        return "Socket Mode is switched off: switch it on in the app's settings, or configure HTTP";
    }
    return "approvalctl slack check";
}

/* Socket Mode: of a host that is set up for it. */
static void check_sockets(struct doctor *doctor, const struct json *status)
{
    struct span state = json_text(status, "slack.socket.state");
    uint64_t strangers = 0;

    if (state.size == 0) {
        return;
    }
    (void)json_u64(status, "slack.socket.strangers", &strangers); /* absent: 0 */
    if (!ways_socket_is_well(json_get(status, "slack"))) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "Slack: no socket is open (%.*s), presses do not arrive: %s", SPAN_ARGS(state),
                   socket_remedy(state));
    } else if (strangers > 0) {
        doctor_say(doctor, DOCTOR_WARN, "Slack: another program takes a share of the presses");
    } else {
        doctor_say(doctor, DOCTOR_OK,
                   span_is(state, "live")
                       ? "Slack: sockets are open"
                       : "Slack: Socket Mode is switched off, HTTP is the way in");
    }
}

/* What lets the reconciler see a channel again. */
static const char *cards_remedy(struct span error)
{
    static const struct {
        const char *error;
        const char *remedy;
    } remedies[] = {
        {"missing_scope", ": add the scope and install the app again"},
        {"not_in_channel", ": /invite the app in the channel"},
        {"channel_not_found", ": /invite the app in the channel"}, /* a private one */
    };

    for (size_t i = 0; i < sizeof remedies / sizeof remedies[0]; i++) {
        if (span_is(error, remedies[i].error)) {
            return remedies[i].remedy;
        }
    }
    return "";
}

/* Can the reconciler see the cards? */
static void check_cards(struct doctor *doctor, const struct json *status)
{
    struct span scope = json_text(status, "slack.cards.unseen_scope");
    struct span error = json_text(status, "slack.cards.unseen_because");
    uint64_t unseen = 0;

    if (!json_u64(status, "slack.cards.unseen", &unseen) || unseen == 0) {
        return;
    }
    doctor_say(doctor, DOCTOR_WARN,
               "Slack: %llu cards cannot be compared with their channel (%.*s%s%.*s): one that is "
               "deleted or changed is repaired only when the request changes%s",
               (unsigned long long)unseen, SPAN_ARGS(error), scope.size > 0 ? " " : "",
               SPAN_ARGS(scope), cards_remedy(error));
}

/* Does Slack tell who is in the groups and channels of the policies? */
static void check_names(struct doctor *doctor, const struct json *status)
{
    for (const struct json *at = json_first(json_path(status, "slack.names")); at != NULL;
         at = json_next(at)) {
        if (!json_bool(at, "works", false)) {
            doctor_say(doctor, DOCTOR_FAIL,
                       "Slack: who is in %.*s is not known (%.*s), and its members cannot decide: "
                       "approvalctl slack check",
                       SPAN_ARGS(json_text(at, "id")), SPAN_ARGS(json_text(at, "word")));
        }
    }
}

static void check_status(struct doctor *doctor)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    struct span state;
    uint64_t dead = 0;

    if (!probe(doctor, "/v1/status", &reply, &err)) {
        doctor_say(doctor, DOCTOR_WARN, "status: %s", err.message);
        doctor_pair(doctor, NULL);
        return;
    }
    doctor_pair(doctor, reply->json);
    doctor_crash(doctor, "approvald", reply->json);
    (void)json_u64(reply->json, "counts.outbox_dead", &dead); /* absent: 0 */
    if (dead > 0) {
        doctor_say(doctor, DOCTOR_WARN, "outbox: %llu given up: approvalctl outbox list --dead",
                   (unsigned long long)dead);
    }
    state = json_text(reply->json, "slack.state");
    if (is_standby(doctor)) {
        return; /* Slack is the primary's */
    }
    if (span_is(state, "up")) {
        doctor_say(doctor, DOCTOR_OK, "Slack: signed in");
        check_sockets(doctor, reply->json);
        check_cards(doctor, reply->json);
        check_names(doctor, reply->json);
    } else if (state.size == 0 || span_is(state, "unused")) {
        doctor_say(doctor, DOCTOR_WARN, "Slack: not configured");
    } else {
        doctor_say(doctor, DOCTOR_FAIL, "Slack: %.*s: approvalctl slack check", SPAN_ARGS(state));
    }
}

int cmd_doctor(struct ctl *ctl)
{
    struct doctor doctor = {.ctl = ctl};
    struct err err = ERR_INIT;

    if (options_has(&ctl->options, OPTION_BUNDLE)) {
        return bundle_make(ctl);
    }
    if (ctl_connect(ctl, &err) != ERR_OK) {
        doctor_say(&doctor, DOCTOR_FAIL, "settings: %s", err.message);
    }
    if (ctl->url == NULL || options_has(&ctl->options, OPTION_CONFIG)) {
        check_config(&doctor); /* approvald of another host is configured there */
    }
    check_supervisor(&doctor);
    if (ctl->client != NULL) {
        check_answers(&doctor);
        check_status(&doctor);
    }
    if (ctl->json) {
        (void)printf("]\n"); /* main looks at ferror */
    } else if (doctor.failed + doctor.warned == 0) {
        (void)printf("All is well.\n");
    }
    json_free(doctor.pair);
    return doctor.failed == 0 && !doctor.broken ? CTL_OK : CTL_INTERNAL;
}

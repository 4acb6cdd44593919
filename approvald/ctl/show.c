/* SPDX-License-Identifier: Apache-2.0 */
/* show.c: a request for people.
 * Owns the layout; never prints foreign text unescaped, never decides what a state means for
 * others. */
#include "approvald/ctl/show.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool show_parse_time(struct span text, int64_t *ret_s)
{
    char copy[24];
    struct tm tm = {0};
    const char *end;

    if (text.size != 20) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    end = strptime(copy, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (end == NULL || *end != '\0') {
        return false;
    }
    *ret_s = timegm(&tm);
    return true;
}

int64_t show_now_s(void)
{
    return (int64_t)(clock_wall_ms(clock_host()) / 1000);
}

void show_span(int64_t seconds, char ret_text[SHOW_SPAN_SIZE])
{
    static const struct {
        int64_t size;
        const char *word;
    } units[] = {{86400, "days"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;

    seconds = seconds < 0 ? 0 : seconds;
    while (i < 3 && seconds < 2 * units[i].size) {
        i++;
    }
    (void)snprintf(ret_text, SHOW_SPAN_SIZE, "%lld %s", (long long)(seconds / units[i].size),
                   units[i].word); /* 20 digits and a word fit */
}

int show_outcome(const struct json *request)
{
    struct span state = json_text(request, "state");

    if (span_is(state, "approved")) {
        return span_is(json_text(request, "use"), "lapsed") ? CTL_LAPSED : CTL_OK;
    }
    if (span_is(state, "rejected")) {
        return CTL_REJECTED;
    }
    if (span_is(state, "expired")) {
        return CTL_EXPIRED;
    }
    return span_is(state, "cancelled") ? CTL_CANCELLED : CTL_TIMEOUT;
}

struct row {
    const char *title;
    const char *path;
};

static enum err_code show_rows(const struct json *request, const struct row *rows, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (; rows->title != NULL && rc == ERR_OK; rows++) {
        AUTO_BUF struct buf *cell = NULL;
        char prefix[40];

        rc = buf_new(CTL_BODY_SIZE_MAX, &cell, err);
        if (rc == ERR_OK) {
            rc = ctl_cell(cell, request, rows->path, err);
        }
        if (rc == ERR_OK && !span_is(buf_span(cell), "-")) {
            (void)snprintf(prefix, sizeof prefix, "  %-14s", rows->title); /* our words fit */
            rc = ctl_print_line(prefix, buf_span(cell), err);
        }
    }
    return rc;
}

/* By their names, as --field has them. */
static enum err_code show_fields(const struct json *request, struct err *err)
{
    const struct json *fields = json_get(request, "fields");
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(fields); at != NULL && rc == ERR_OK;
         at = json_next(at)) {
        AUTO_BUF struct buf *line = NULL;

        rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);
        if (rc == ERR_OK) {
            rc = buf_append_format(line, err, "%-14s%s%.*s", json_name(at),
                                   strlen(json_name(at)) < 14 ? "" : "  ",
                                   SPAN_ARGS(json_string(at)));
        }
        if (rc == ERR_OK) {
            rc = ctl_print_line("  ", buf_span(line), err);
        }
    }
    return rc;
}

static enum err_code show_decision(const struct json *decision, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    struct span reason = json_text(decision, "reason");
    struct span need = json_text(decision, "need");
    struct span behalf = json_text(decision, "on_behalf_of");
    bool yes = span_is(json_text(decision, "verdict"), "approve");
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(
            line, err, "%.*s by %.*s%s%.*s (%.*s)", SPAN_ARGS(json_text(decision, "at")),
            SPAN_ARGS(json_text(decision, "user")), behalf.size > 0 ? " in the place of " : "",
            SPAN_ARGS(behalf), SPAN_ARGS(json_text(decision, "via")));
    }
    if (rc == ERR_OK && need.size > 0) {
        rc = buf_append_format(line, err, " for %.*s", SPAN_ARGS(need));
    }
    if (rc == ERR_OK && reason.size > 0) {
        rc = buf_append_format(line, err, ": %.*s", SPAN_ARGS(reason));
    }
    return rc == ERR_OK
               ? ctl_print_line(yes ? "  approved      " : "  rejected      ", buf_span(line), err)
               : rc;
}

/* "2026-11-26T10:00:00Z by U0ANN (cli), past the approvers: why" */
static enum err_code show_glass(const struct json *glass, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc;

    if (json_text(glass, "user").size == 0) {
        return ERR_OK;
    }
    rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(
            line, err, "%.*s by %.*s (%.*s), past the approvers: %.*s",
            SPAN_ARGS(json_text(glass, "at")), SPAN_ARGS(json_text(glass, "user")),
            SPAN_ARGS(json_text(glass, "via")), SPAN_ARGS(json_text(glass, "reason")));
    }
    return rc == ERR_OK ? ctl_print_line("  BROKEN GLASS  ", buf_span(line), err) : rc;
}

static enum err_code add_count(
    const struct json *json, const char *part, const char *whole, struct buf *line, struct err *err)
{
    uint64_t count = 0;
    uint64_t of = 1;

    (void)json_u64(json, part, &count); /* absent: as an older approvald */
    (void)json_u64(json, whole, &of);
    return buf_append_format(line, err, "%llu of %llu", (unsigned long long)count,
                             (unsigned long long)of);
}

static enum err_code add_needs(const struct json *needs, struct buf *line, struct err *err)
{
    uint64_t last = 0;
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(needs); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        uint64_t alternative = last;
        bool first = at == json_first(needs);

        (void)json_u64(at, "alternative", &alternative);
        rc = buf_append_format(line, err, "%s%s%.*s ", first ? "" : ", ",
                               alternative != last ? "or " : "", SPAN_ARGS(json_text(at, "name")));
        if (rc == ERR_OK) {
            rc = add_count(at, "approvals", "quorum", line, err);
        }
        last = alternative;
    }
    return rc;
}

enum err_code show_progress_add(const struct json *request, struct buf *line, struct err *err)
{
    const struct json *needs = json_get(request, "needs");
    uint64_t rejections = 0;
    uint64_t quorum = 1;
    enum err_code rc;

    if (json_count(needs) > 0) {
        rc = add_needs(needs, line, err);
    } else {
        rc = add_count(request, "approvals", "quorum", line, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(line, json_count(needs) > 0 ? " approved" : " approvals", err);
    }
    (void)json_u64(request, "rejections", &rejections); /* absent: as an older approvald */
    (void)json_u64(request, "rejection_quorum", &quorum);
    if (rc == ERR_OK && quorum > 1 && rejections > 0) {
        rc = buf_append_format(line, err, ", %llu of %llu rejections",
                               (unsigned long long)rejections, (unsigned long long)quorum);
    }
    return rc;
}

static enum err_code show_head(const struct json *request, struct err *err)
{
    AUTO_BUF struct buf *line = NULL;
    struct span use = json_text(request, "use");
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &line, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(line, err, "%.*s  %.*s, ", SPAN_ARGS(json_text(request, "id")),
                               SPAN_ARGS(json_text(request, "state")));
    }
    if (rc == ERR_OK) {
        rc = show_progress_add(request, line, err);
    }
    if (rc == ERR_OK && use.size > 0 && !span_is(use, "none")) {
        rc = buf_append_format(line, err, ", %.*s", SPAN_ARGS(use));
    }
    return rc == ERR_OK ? ctl_print_line("", buf_span(line), err) : rc;
}

enum err_code show_request(const struct json *request, struct err *err)
{
    static const struct row question[] = {
        {"title", "title"},
        {"reason", "reason"},
        {"target", "target"},
        {"requester", "requester"},
        {"asker", "asker"},
        {"policy", "policy.name"},
        {"version", "policy.version"},
        {"created", "created_at"},
        {"expires", "expires_at"},
        {"escalated", "escalated_at"},
        {"takes effect", "takes_effect_at"},
        {"held until", "held.until"},
        {"by freeze", "held.freeze"},
        {"which is for", "held.reason"},
        {"ended", "ended_at"},
        {"lapses", "lapses_at"},
        {"claimed", "claimed_at"},
        {"used", "consumed_at"},
        {"result", "result"},
        {"hash", "bind_hash"},
        {"cancelled by", "cancelled_by"},
        {"because", "cancel_reason"},
        {NULL, NULL},
    };
    struct span details = json_text(request, "details");
    enum err_code rc = show_head(request, err);

    if (rc == ERR_OK) {
        rc = show_rows(request, question, err);
    }
    if (rc == ERR_OK) {
        rc = show_fields(request, err);
    }
    for (const struct json *at = json_first(json_get(request, "decisions"));
         at != NULL && rc == ERR_OK; at = json_next(at)) {
        rc = show_decision(at, err);
    }
    if (rc == ERR_OK) {
        rc = show_glass(json_get(request, "break_glass"), err);
    }
    if (rc == ERR_OK && details.size > 0) {
        (void)printf("  details\n"); /* main looks at ferror */
        rc = ctl_print_lines("    ", details, err);
    }
    return rc;
}

int show_reply(const struct ctl *ctl, const struct client_reply *reply)
{
    struct err err = ERR_INIT;

    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    return show_request(reply->json, &err) == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}

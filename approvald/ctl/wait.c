/* SPDX-License-Identifier: Apache-2.0 */
/* wait.c: waits for the outcome of a request.
 * Owns the progress line; never decides, never gives up before its time because approvald is away.
 */
#include "approvald/ctl/wait.h"

#include "approvald/ctl/show.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <unistd.h>

#define WAIT_ROUND_MS 8000U /* how long one call retries before we look around */
#define WAIT_SILENCE_MS                                                                            \
    ((uint64_t)15 * 60 * 1000) /* without --timeout: no answer at all for so long */
#define WAIT_GRACE_MS 10000U   /* on top of what the server was asked to wait */
#define WAIT_LINE_MAX 160      /* characters of the progress line */

bool wait_shows_progress(const struct ctl *ctl)
{
    return isatty(STDERR_FILENO) != 0 && !ctl->json && !options_has(&ctl->options, OPTION_QUIET);
}

static void clear_line(void)
{
    (void)fputs("\r\033[K", stderr);
}

/* Who has decided so far, for a glance. */
static enum err_code add_deciders(struct buf *line, const struct json *request, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(request, "decisions"));
         at != NULL && rc == ERR_OK; at = json_next(at)) {
        rc = buf_append_format(line, err, ", %.*s: %.*s", SPAN_ARGS(json_text(at, "user")),
                               SPAN_ARGS(json_text(at, "verdict")));
    }
    return rc;
}

static enum err_code progress_text(const struct wait_options *options,
                                   const struct json *request,
                                   struct buf *line,
                                   struct err *err)
{
    int64_t expires_s;
    char left[SHOW_SPAN_SIZE];
    enum err_code rc;

    rc = buf_append_format(line, err, "%s: %.*s, ", options->id,
                           SPAN_ARGS(json_text(request, "state")));
    if (rc == ERR_OK) {
        rc = show_progress_add(request, line, err);
    }
    if (rc == ERR_OK) {
        rc = add_deciders(line, request, err);
    }
    if (rc == ERR_OK && show_parse_time(json_text(request, "expires_at"), &expires_s)) {
        show_span(expires_s - show_now_s(), left);
        rc = buf_append_format(line, err, ", %s left", left);
    }
    if (rc == ERR_OK && options->code != NULL) {
        rc = buf_append_format(line, err, ", code %s", options->code);
    }
    return rc;
}

/* request NULL: approvald is away. A line that cannot be made is left out: it is only comfort. */
static void show_progress(const struct wait_options *options, const struct json *request)
{
    AUTO_BUF struct buf *line = NULL;
    AUTO_BUF struct buf *shown = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!options->progress) {
        return;
    }
    rc = buf_new(CTL_BODY_SIZE_MAX, &line, &err);
    if (rc == ERR_OK) {
        rc = buf_new(CTL_BODY_SIZE_MAX, &shown, &err);
    }
    if (rc == ERR_OK && request != NULL) {
        rc = progress_text(options, request, line, &err);
    } else if (rc == ERR_OK) {
        rc = buf_append_format(line, &err, "%s: no answer, trying again", options->id);
    }
    if (rc == ERR_OK) {
        rc = text_escape_terminal(shown, buf_span(line), WAIT_LINE_MAX, &err);
    }
    if (rc == ERR_OK) {
        clear_line();
        (void)fputs(buf_text(shown), stderr);
    }
}

struct waiting {
    uint64_t deadline_ms; /* boot clock; 0: none */
    uint64_t heard_ms;    /* when approvald answered last */
};

static uint64_t left_ms(const struct waiting *waiting, uint64_t now_ms)
{
    if (waiting->deadline_ms == 0) {
        return UINT32_MAX;
    }
    return waiting->deadline_ms > now_ms ? waiting->deadline_ms - now_ms : 0;
}

/* One long poll. */
static enum err_code poll_once(struct ctl *ctl,
                               const struct wait_options *options,
                               uint64_t time_ms,
                               const struct client_reply **ret_reply,
                               struct err *err)
{
    AUTO_BUF struct buf *path = NULL;
    uint64_t wait_s = time_ms / 1000 < options->poll_s ? time_ms / 1000 : options->poll_s;
    struct client_call call = {
        .method = "GET",
        .attempt_ms = (uint32_t)wait_s * 1000 + WAIT_GRACE_MS,
        .deadline_ms = (uint32_t)wait_s * 1000 + WAIT_ROUND_MS,
    };
    enum err_code rc = buf_new(1024, &path, err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/requests/", err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, options->id, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(path, err, "?wait=%llu", (unsigned long long)wait_s);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.path = buf_text(path);
    return client_call(ctl->client, &call, ret_reply, err);
}

/* After a round without an outcome: CTL_OK when there will be another one. */
static int look_around(struct ctl *ctl,
                       const struct wait_options *options,
                       const struct waiting *waiting,
                       const struct json *request, /* NULL: no answer */
                       const struct err *err)
{
    uint64_t now = clock_boot_ms(clock_host());

    if (ctl->stopped != 0) {
        return CTL_TIMEOUT;
    }
    show_progress(options, request);
    if (left_ms(waiting, now) == 0) {
        return request != NULL ? CTL_TIMEOUT : ctl_unreachable(ctl, err);
    }
    if (waiting->deadline_ms == 0 && now - waiting->heard_ms > WAIT_SILENCE_MS) {
        return ctl_unreachable(ctl, err);
    }
    return CTL_OK;
}

static int wait_loop(struct ctl *ctl,
                     const struct wait_options *options,
                     struct waiting *waiting,
                     const struct client_reply **ret_reply,
                     struct err *err)
{
    for (;;) {
        uint64_t left = left_ms(waiting, clock_boot_ms(clock_host()));
        enum err_code rc = poll_once(ctl, options, left, ret_reply, err);
        const struct json *request = rc == ERR_OK ? (*ret_reply)->json : NULL;
        int code;

        if (rc != ERR_OK && rc != ERR_UNAVAILABLE) {
            return ctl_fail(ctl, client_exit(rc, *ret_reply), err);
        }
        if (rc == ERR_OK && show_outcome(request) != CTL_TIMEOUT) {
            return show_outcome(request);
        }
        if (rc == ERR_OK) {
            waiting->heard_ms = clock_boot_ms(clock_host());
        }
        code = look_around(ctl, options, waiting, request, err);
        if (code != CTL_OK) {
            return code;
        }
    }
}

int wait_outcome(struct ctl *ctl,
                 const struct wait_options *options,
                 const struct client_reply **ret_reply)
{
    struct waiting waiting = {.heard_ms = clock_boot_ms(clock_host())};
    struct err err = ERR_INIT;
    uint64_t timeout_s = 0;
    enum err_code rc = options_seconds(&ctl->options, OPTION_TIMEOUT, &timeout_s, &err);
    int code;

    if (rc == ERR_OK) {
        rc = ctl_connect(ctl, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (options_has(&ctl->options, OPTION_TIMEOUT)) {
        waiting.deadline_ms = waiting.heard_ms + timeout_s * 1000;
    }
    code = wait_loop(ctl, options, &waiting, ret_reply, &err);
    if (options->progress) {
        clear_line();
    }
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run.c: run -- COMMAND: ask, wait, claim, run exactly what was approved, report the result.
 * Owns the order of these steps; never runs a command whose hash is not the one that was approved,
 * and never one whose approval it could not claim. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/bind.h"
#include "approvald/ctl/child.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/show.h"
#include "approvald/ctl/wait.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_DETAILS_MAX 2500 /* code points: what a card can show; an approver must see it all */
#define RUN_TITLE_MAX   120  /* code points of a title that is made from the command */
#define RUN_POLL_S      5    /* a signal is noticed within this time */
/* A failover, or a restart with a long recovery: what was approved should still be done. */
#define RUN_CLAIM_MS   (10U * 60U * 1000U)
#define RUN_CONSUME_MS 60000U
/* Between two looks whether an approval may be used now. */
#define RUN_EARLY_S_MIN 2
#define RUN_EARLY_S_MAX 300
#define RUN_HEX_SIZE    (2 * CRYPTO_SHA256_SIZE + 1)

struct run {
    struct bind bind;
    char directory[PATH_MAX];
    const char *envs[BIND_ENV_COUNT_MAX];
    struct buf *env_texts; /* owned: NAME=value, each ended by a NUL */
    int directory_fd;      /* owned */
    char hex[RUN_HEX_SIZE];
    char code[BIND_CODE_SIZE];
    char id[ASK_ID_SIZE];
    char claim_key[ASK_KEY_SIZE];
};

/* A handler gets no argument of ours; this is the one call that runs. */
static volatile int *stopped;

static void note_signal(int number)
{
    static const char text[] = "\napprovalctl: taking the request back; once more: stop at once\n";

    *stopped = number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1); /* nothing can be done about it here */
}

/* What is approved already cannot be taken back. */
static void note_early_signal(int number)
{
    *stopped = number;
}

/* NAME=value of each --env, kept in one buffer that no longer grows when pointers are taken. */
static int collect_envs(const struct ctl *ctl, struct run *run)
{
    size_t offsets[BIND_ENV_COUNT_MAX];
    struct err err = ERR_INIT;
    size_t count = 0;
    enum err_code rc = buf_new(BIND_SIZE_MAX, &run->env_texts, &err);

    for (const char *name = options_nth(&ctl->options, OPTION_ENV, 0); name != NULL && rc == ERR_OK;
         name = options_nth(&ctl->options, OPTION_ENV, count)) {
        const char *value = getenv(name);

        if (count == BIND_ENV_COUNT_MAX) {
            return ctl_usage(ctl, "more than %d variables", BIND_ENV_COUNT_MAX);
        }
        if (value == NULL) {
            return ctl_usage(ctl, "--env %s: there is no such variable", name);
        }
        offsets[count++] = buf_size(run->env_texts);
        rc = buf_append_format(run->env_texts, &err, "%s=%s", name, value);
        if (rc == ERR_OK) {
            rc = buf_append(run->env_texts, "", 1, &err);
        }
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    for (size_t i = 0; i < count; i++) {
        run->envs[i] = buf_text(run->env_texts) + offsets[i];
    }
    run->bind.env_count = count;
    return CTL_OK;
}

static int prepare(const struct ctl *ctl, struct run *run)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct err err = ERR_INIT;
    int code;

    run->directory_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (run->directory_fd < 0 || getcwd(run->directory, sizeof run->directory) == NULL) {
        (void)err_set_errno(&err, ERR_IO, errno, "current directory");
        return ctl_fail_err(ctl, &err);
    }
    code = collect_envs(ctl, run);
    if (code != CTL_OK) {
        return code;
    }
    run->bind.directory = run->directory;
    run->bind.argv = ctl->options.rest;
    run->bind.envs = run->envs;
    if (bind_hash(&run->bind, hash, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    crypto_hex(hash, sizeof hash, run->hex);
    bind_code(hash, run->code);
    ask_new_key(run->claim_key);
    return CTL_OK;
}

/* What the card says, whole or not at all: nobody approves what he cannot read. */
static int describe(const struct ctl *ctl, const struct run *run, struct buf **ret_buf)
{
    AUTO_BUF struct buf *details = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new((size_t)4 * BIND_SIZE_MAX, &details, &err);
    size_t count;

    if (rc == ERR_OK) {
        rc = bind_describe(&run->bind, details, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    count = text_count(buf_span(details));
    if (count > RUN_DETAILS_MAX) {
        return ctl_usage(ctl,
                         "the command has %zu characters, a card shows %d: put it into a script",
                         count, RUN_DETAILS_MAX);
    }
    *ret_buf = details;
    details = NULL;
    return CTL_OK;
}

/* "Run ./deploy.sh api" */
static int make_title(const struct ctl *ctl, struct buf **ret_buf)
{
    AUTO_BUF struct buf *words = NULL;
    AUTO_BUF struct buf *title = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new((size_t)4 * BIND_SIZE_MAX, &words, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(words, "Run", &err);
    }
    for (char **word = ctl->options.rest; *word != NULL && rc == ERR_OK; word++) {
        rc = buf_append_text(words, " ", &err);
        if (rc == ERR_OK) {
            rc = bind_quote(words, *word, &err);
        }
    }
    if (rc == ERR_OK) {
        rc = buf_new((size_t)8 * RUN_TITLE_MAX, &title, &err);
    }
    if (rc == ERR_OK) {
        rc = text_escape_terminal(title, buf_span(words), RUN_TITLE_MAX, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    *ret_buf = title;
    title = NULL;
    return CTL_OK;
}

static int ask(struct ctl *ctl, struct run *run)
{
    AUTO_BUF struct buf *details = NULL;
    AUTO_BUF struct buf *title = NULL;
    char host[HOST_NAME_MAX + 1] = "";
    const struct client_reply *reply = NULL;
    struct ask ask = {.hash = run->hex};
    int code = describe(ctl, run, &details);

    if (code == CTL_OK) {
        code = make_title(ctl, &title);
    }
    if (code != CTL_OK) {
        return code;
    }
    if (gethostname(host, sizeof host - 1) == 0 && host[0] != '\0') {
        ask.target = host;
    }
    ask.title = buf_text(title);
    ask.details = buf_text(details);
    code = ask_create(ctl, &ask, &reply);
    return code == CTL_OK ? ask_id(ctl, reply, run->id) : code;
}

/* Nobody waits any more: the card should say so. */
static int take_back(struct ctl *ctl, const struct run *run, const char *reason)
{
    struct json *body = json_new_object();
    const struct client_reply *reply = NULL;
    int number = ctl->stopped;

    ctl->stopped = 0;
    json_add_text(body, "reason", span_text(reason));
    if (ask_act(ctl, run->id, "cancel", 0, body, &reply) != CTL_OK) {
        (void)fprintf(stderr, "approvalctl: %s may still be open\n", run->id);
    }
    return number != 0 ? CHILD_SIGNAL_BASE + number : CTL_TIMEOUT;
}

static int await(struct ctl *ctl, const struct run *run)
{
    struct wait_options options = {
        .id = run->id,
        .code = run->code,
        .poll_s = RUN_POLL_S,
        .progress = wait_shows_progress(ctl),
    };
    const struct client_reply *reply = NULL;
    int code;

    (void)fprintf(stderr, "approvalctl: %s waits for approval, code %s\n", run->id, run->code);
    code = wait_outcome(ctl, &options, &reply);
    if (ctl->stopped != 0) {
        return take_back(ctl, run, "interrupted while waiting");
    }
    if (code == CTL_TIMEOUT) {
        (void)fprintf(stderr, "approvalctl: no outcome in time, taking %s back\n", run->id);
        return take_back(ctl, run, "nobody decided in time");
    }
    if (reply != NULL && reply->json != NULL && code != CTL_OK && ctl->json) {
        ctl_print_json(reply->body);
    }
    if (code >= CTL_REJECTED && code <= CTL_LAPSED) {
        (void)fprintf(stderr, "approvalctl: %s was not approved (%d): not run\n", run->id, code);
    }
    return code;
}

/* Approved, but not to be used yet: outside a window, or in a change freeze. */
static bool is_early(const struct client_reply *reply)
{
    return reply != NULL && (strcmp(reply->refusal, "outside_windows") == 0 ||
                             strcmp(reply->refusal, "frozen") == 0);
}

/* How long until it may be used, as the request says; each look is bounded, for a freeze may be
 * called off, and a refused claim is an entry of the audit log. */
static int64_t early_s(struct ctl *ctl, const struct run *run)
{
    char path[64 + ASK_ID_SIZE];
    const struct client_reply *reply = NULL;
    int64_t until_s = 0;
    int64_t left_s;

    (void)snprintf(path, sizeof path, "/v1/requests/%s", run->id); /* fits */
    if (ctl_get(ctl, path, &reply) != CTL_OK ||
        !show_parse_time(json_text(reply->json, "held.until"), &until_s)) {
        return RUN_EARLY_S_MAX;
    }
    left_s = until_s - show_now_s() + 1;
    left_s = left_s < RUN_EARLY_S_MIN ? RUN_EARLY_S_MIN : left_s;
    return left_s > RUN_EARLY_S_MAX ? RUN_EARLY_S_MAX : left_s;
}

/* False: interrupted. At any other moment of a claim a signal ends the program, as it would without
 * it: nothing must run that somebody stopped. */
static bool nap(const struct ctl *ctl, int64_t seconds)
{
    child_catch(note_early_signal);
    for (int64_t i = 0; i < seconds && ctl->stopped == 0; i++) {
        (void)poll(NULL, 0, 1000); /* a signal ends it */
    }
    child_catch(NULL);
    return ctl->stopped == 0;
}

static int try_claim(struct ctl *ctl, const struct run *run, const struct client_reply **ret_reply)
{
    struct json *body = json_new_object();

    json_add_text(body, "bind_hash", span_text(run->hex));
    json_add_text(body, "claim_key", span_text(run->claim_key));
    return ask_act(ctl, run->id, "claim", RUN_CLAIM_MS, body, ret_reply);
}

/* The one moment that makes the approval used; the server compares the hash as well. */
static int claim(struct ctl *ctl, const struct run *run)
{
    const struct client_reply *reply = NULL;
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char hex[RUN_HEX_SIZE];
    struct err err = ERR_INIT;
    int code;

    code = try_claim(ctl, run, &reply);
    while (code != CTL_OK && is_early(reply)) {
        if (!nap(ctl, early_s(ctl, run))) {
            (void)fprintf(stderr, "approvalctl: %s is approved and was not run\n", run->id);
            return CHILD_SIGNAL_BASE + ctl->stopped;
        }
        code = try_claim(ctl, run, &reply);
    }
    if (code != CTL_OK) {
        return code;
    }
    if (bind_hash(&run->bind, hash, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    crypto_hex(hash, sizeof hash, hex);
    if (!span_is(json_text(reply->json, "bind_hash"), hex)) {
        (void)err_set(&err, ERR_DENIED, "%s was approved for something else: not run", run->id);
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    return CTL_OK;
}

/* Tells the result; the command has run, so a failure here is a warning. */
static void consume(struct ctl *ctl, const struct run *run, int32_t result)
{
    struct json *body = json_new_object();
    AUTO_BUF struct buf *text = NULL;
    AUTO_BUF struct buf *path = NULL;
    const struct client_reply *reply = NULL;
    struct client_call call = {.method = "POST", .deadline_ms = RUN_CONSUME_MS};
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(256, &text, &err);

    json_add_i64(body, "result", result);
    if (rc == ERR_OK) {
        rc = json_print(body, text, &err);
    }
    json_free(body);
    if (rc == ERR_OK) {
        rc = buf_new(256, &path, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(path, &err, "/v1/requests/%s/consume", run->id);
    }
    if (rc == ERR_OK) {
        call.path = buf_text(path);
        call.body = buf_span(text);
        rc = client_call(ctl->client, &call, &reply, &err);
    }
    if (rc != ERR_OK && (rc != ERR_CONFLICT || reply == NULL || !reply->repeated)) {
        (void)err_wrap(&err, rc, "%s: the result could not be reported", run->id);
        (void)ctl_fail(ctl, CTL_INTERNAL, &err); /* the command's own code counts */
    }
}

static int execute(struct ctl *ctl, const struct run *run)
{
    struct err err = ERR_INIT;
    int32_t result = 0;

    if (child_run(run->directory_fd, ctl->options.rest, &result, &err) != ERR_OK) {
        int code = ctl_fail(ctl, CTL_INTERNAL, &err);

        consume(ctl, run, CHILD_NOT_FOUND);
        return code;
    }
    if (err.code != ERR_OK) {
        (void)ctl_fail(ctl, CTL_INTERNAL, &err); /* the code says 126 or 127, as a shell's */
    }
    consume(ctl, run, result);
    return result;
}

int cmd_run(struct ctl *ctl)
{
    struct run run = {.directory_fd = -1};
    int code = prepare(ctl, &run);

    if (code == CTL_OK) {
        code = ask(ctl, &run);
    }
    if (code == CTL_OK) {
        stopped = &ctl->stopped;
        child_catch(note_signal);
        code = await(ctl, &run);
        child_catch(NULL);
    }
    if (code == CTL_OK) {
        code = claim(ctl, &run);
    }
    if (code == CTL_OK) {
        code = execute(ctl, &run);
    }
    mem_close_guard(&run.directory_fd);
    buf_free(run.env_texts);
    return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_notify.c: notify -- COMMAND: tells approvers what waits for them while Slack is down.
 * Owns the journal of what was delivered, and the pace. Never decides when an outage is one or what
 * is due (notify.h), never runs more than one command at a time, and does nothing on a host that
 * does not lead: there nobody answers what it asks. */
#include "approvald/core/limits.h"
#include "approvald/ctl/child.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/notify.h"
#include "approvald/ctl/notify_run.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define LOOK_MS         2000   /* between two looks at Slack */
#define ASK_MS          30000  /* between two looks at what waits */
#define CALL_SPACING_MS 200    /* on average, between two calls: half of a token's rate */
#define REFUSED_MS      600000 /* a refusal by approvald is told again after so long */
#define SPACING_MS      1000   /* between two commands: sixty a minute flood no mail server */
#define ROUND_COUNT     10     /* commands; then it is asked again whether Slack is still down */
#define CALL_MS         3000
#define AFTER_S         60 /* a hiccup is no reason to write to people */
#define COMMAND_S       30
#define COMMAND_S_MAX   600
#define REPORT_MS       60000 /* to approvald, for its metrics; a change is told at once */
#define REPORT_AGAIN_MS 5000  /* after one that did not arrive */
#define REPORT_SIZE     256
#define PEOPLE_MAX      ((size_t)64 << 10) /* bytes of the file */
#define JOURNAL_MAX     ((size_t)NOTIFY_COUNT_MAX * NOTIFY_LINE_SIZE)
#define PATH_SIZE       4096
#define LINE_COUNT_MAX                                                                             \
    (2UL * CORE_REASON_COUNT_MAX) /* columns: a reason, its line breaks escaped */

struct notify {
    struct ctl *ctl;
    struct notify_book *book; /* owned */
    struct notify_outage outage;
    struct buf *people_text; /* owned: people borrow from it */
    struct notify_people people;
    int journal_fd; /* owned, locked: one of us for a directory */
    uint64_t after_ms;
    uint32_t command_ms;
    uint64_t down_s;      /* as approvald says it */
    uint64_t ask_ms;      /* what waits is not asked for before */
    uint64_t started_ms;  /* the last command */
    uint32_t left;        /* commands of this round */
    size_t person;        /* whom this round begins with */
    uint64_t calls;       /* of this round */
    uint64_t refused_ms;  /* when approvald's refusal was told last; 0: it answers */
    uint64_t tried_ms;    /* when the token was tried last, while Slack is up */
    uint64_t delivered;   /* since the start, as the next two: for metrics */
    uint64_t failed;      /* runs */
    uint64_t given_up;    /* notices */
    uint64_t last_ok_s;   /* wall; 0: none yet */
    uint64_t reported_ms; /* when approvald was told; 0: a change is to be told */
    bool hurry;           /* more is due than this round may do */
    bool full;            /* told */
};

/* A handler gets no argument of ours; this is the one call that runs. */
static volatile int *stopped;

static void note_signal(int number)
{
    *stopped = number;
}

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

/* A signal may end it early: then we look earlier. */
static void sleep_ms(const struct notify *notify, uint64_t ms)
{
    if (notify->ctl->stopped == 0) {
        (void)poll(NULL, 0, (int)ms);
    }
}

/* What somebody has to look at: the journal of systemd shows it as an error. */
static void alarm_about(const struct notify *notify, const char *id, const struct err *err)
{
    struct err told = ERR_INIT;

    (void)err_set(&told, err->code, "notify: %s: %s", id, err->message);
    (void)ctl_fail(notify->ctl, CTL_INTERNAL, &told); /* prints; we go on */
}

/* The journal. */

static enum err_code
write_line(const struct notify *notify, const struct notice_entry *entry, struct err *err)
{
    char line[NOTIFY_LINE_SIZE];
    size_t size = notify_line(entry, line);

    if (write(notify->journal_fd, line, size) != (ssize_t)size || fsync(notify->journal_fd) != 0) {
        return err_set_errno(err, ERR_IO, errno,
                             "it is not noted that it ended, and may be sent again");
    }
    return ERR_OK;
}

static void forget(struct notify *notify)
{
    struct err err = ERR_INIT;

    notify_book_forget(notify->book);
    notify->full = false;
    if (ftruncate(notify->journal_fd, 0) != 0 || fsync(notify->journal_fd) != 0) {
        (void)err_set_errno(&err, ERR_IO, errno, "the journal cannot be emptied");
        alarm_about(notify, "journal", &err);
    }
}

static enum err_code open_journal(struct notify *notify, const char *folder, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    char path[PATH_SIZE];
    int size = snprintf(path, sizeof path, "%s/journal", folder);
    enum err_code rc;

    if (size < 0 || (size_t)size >= sizeof path) {
        return err_set(err, ERR_INVALID, "--state-dir: too long");
    }
    notify->journal_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (notify->journal_fd < 0) {
        return err_set_errno(err, ERR_INVALID, errno, "%s", path);
    }
    if (flock(notify->journal_fd, LOCK_EX | LOCK_NB) != 0) {
        return err_set(err, ERR_CONFLICT, "%s: another approvalctl notify uses it", path);
    }
    rc = ctl_read_file(path, JOURNAL_MAX, &text, err);
    if (rc == ERR_OK) {
        notify_book_read(notify->book, buf_span(text));
    }
    return rc;
}

/* People. */

static enum err_code read_people(struct notify *notify, struct err *err)
{
    struct buf *text = NULL;
    struct notify_people people;
    const char *file = options_text(&notify->ctl->options, OPTION_PEOPLE);
    enum err_code rc = ctl_read_file(file, PEOPLE_MAX, &text, err);

    if (rc == ERR_OK) {
        rc = notify_people(buf_span(text), &people, err);
    }
    if (rc != ERR_OK) {
        buf_free(text);
        return err_wrap(err, rc, "%s", file);
    }
    buf_free(notify->people_text);
    notify->people_text = text;
    notify->people = people;
    return ERR_OK;
}

/* One notice. */

/* One line that a person may read anywhere: without what hides or reorders text, everything else
 * that is no letter escaped. */
static enum err_code
add_line(struct json *lines, const char *name, struct span text, struct err *err)
{
    AUTO_BUF struct buf *clean = NULL;
    AUTO_BUF struct buf *line = NULL;
    enum err_code rc = buf_new(NOTIFY_INPUT_MAX, &clean, err);

    if (rc == ERR_OK) {
        rc = buf_new(NOTIFY_INPUT_MAX, &line, err);
    }
    if (rc == ERR_OK) {
        rc = text_clean(clean, text, true, err);
    }
    if (rc == ERR_OK) {
        rc = text_escape_terminal(line, buf_span(clean), LINE_COUNT_MAX, err);
    }
    if (rc == ERR_OK) {
        json_add_text(lines, name, buf_span(line));
    }
    return rc;
}

/* What a command shows to people, for in "request" text of people may have lines of its own. */
static enum err_code add_lines(struct json *object, const struct json *request, struct err *err)
{
    static const char *const names[] = {"title", "requester", "asker", "target", "reason"};
    struct json *lines = json_add_object(object, "lines");
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++) {
        rc = add_line(lines, names[i], json_text(request, names[i]), err);
    }
    return rc;
}

/* {"id", "user", "to", "slack_down_s", "lines", "request"} */
static enum err_code make_input(const struct notify *notify,
                                const struct notice_entry *entry,
                                const struct notify_person *person,
                                const struct json *request,
                                struct buf *input,
                                struct err *err)
{
    AUTO_JSON struct json *object = json_new_object();
    struct json *copy = NULL;
    enum err_code rc = json_print(request, input, err);

    if (rc == ERR_OK) {
        rc = json_parse(buf_span(input), NOTIFY_INPUT_MAX, &copy, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    buf_clear(input);
    json_add_text(object, "id", span_text(entry->id));
    json_add_text(object, "user", person->user);
    json_add_text(object, "to", person->to);
    json_add_u64(object, "slack_down_s", notify->down_s);
    rc = add_lines(object, request, err);
    json_add_take(object, "request", copy);
    if (rc == ERR_OK) {
        rc = json_print(object, input, err);
    }
    return rc == ERR_OK ? buf_append_text(input, "\n", err) : rc;
}

static void count(struct notify *notify, const struct notice_entry *entry, bool delivered)
{
    notify->delivered += delivered ? 1 : 0;
    notify->failed += delivered ? 0 : 1;
    notify->given_up += entry->state == NOTIFY_GIVEN_UP ? 1 : 0;
    if (delivered) {
        notify->last_ok_s = clock_wall_ms(clock_host()) / 1000;
    }
    notify->reported_ms = 0;
}

static void deliver(struct notify *notify,
                    struct notice_entry *entry,
                    const struct notify_person *person,
                    const struct json *request)
{
    AUTO_BUF struct buf *input = NULL;
    struct err err = ERR_INIT;
    uint64_t since_ms = now_ms() - notify->started_ms;
    enum err_code rc = buf_new(NOTIFY_INPUT_MAX, &input, &err);

    if (notify->started_ms != 0 && since_ms < SPACING_MS) {
        sleep_ms(notify, SPACING_MS - since_ms);
    }
    notify->started_ms = now_ms();
    notify->left--;
    if (rc == ERR_OK) {
        rc = make_input(notify, entry, person, request, input, &err);
    }
    if (rc == ERR_OK) {
        rc = notify_run(notify->ctl->options.rest, buf_span(input), notify->command_ms, &err);
    }
    notify_end(entry, rc == ERR_OK, now_ms());
    count(notify, entry, rc == ERR_OK);
    if (rc != ERR_OK) {
        alarm_about(notify, entry->id, &err);
    }
    if (entry->state != NOTIFY_DUE && write_line(notify, entry, &err) != ERR_OK) {
        alarm_about(notify, entry->id, &err);
    }
    if (entry->state == NOTIFY_GIVEN_UP) {
        alarm_about(notify, entry->id, &(struct err){.code = ERR_FATAL, .message = "given up"});
    }
}

/* Delivers it if it is due. */
static void
consider(struct notify *notify, const struct notify_person *person, const struct json *request)
{
    struct span request_id = json_text(request, "id");
    struct notice_entry *entry;
    struct err err = ERR_INIT;
    char id[NOTIFY_ID_SIZE_MAX + 1];
    int size = snprintf(id, sizeof id, "%.*s/%.*s", SPAN_ARGS(request_id), SPAN_ARGS(person->user));

    entry = size < 0 || (size_t)size >= sizeof id ? NULL
                                                  : notify_book_find(notify->book, span_text(id));
    if (entry == NULL) {
        if (!notify->full) {
            notify->full = true;
            (void)err_set(&err, ERR_FULL, "more than %d notices in one outage: no more are sent",
                          NOTIFY_COUNT_MAX);
            alarm_about(notify, "all", &err);
        }
        return;
    }
    if (entry->state != NOTIFY_DUE) {
        return;
    }
    if (entry->due_ms > now_ms()) {
        notify->ask_ms = entry->due_ms < notify->ask_ms ? entry->due_ms : notify->ask_ms;
        return;
    }
    if (notify->left == 0) {
        notify->hurry = true;
        return;
    }
    deliver(notify, entry, person, request);
    if (entry->state == NOTIFY_DUE && entry->due_ms < notify->ask_ms) {
        notify->ask_ms = entry->due_ms;
    }
}

/* A round. */

static enum err_code call(struct notify *notify,
                          struct client_call *call,
                          const struct client_reply **ret_reply,
                          struct err *err)
{
    const char *path = call->path;
    enum err_code rc;

    call->attempt_ms = CALL_MS;
    call->deadline_ms = CALL_MS;
    rc = client_call(notify->ctl->client, call, ret_reply, err);
    notify->calls++;
    if (rc != ERR_OK && rc != ERR_UNAVAILABLE &&
        (notify->refused_ms == 0 || now_ms() - notify->refused_ms > REFUSED_MS)) {
        /* Nobody answers on a host that does not lead; a wrong token has to be seen. */
        notify->refused_ms = now_ms();
        alarm_about(notify, path, err);
    }
    return rc;
}

static enum err_code
get(struct notify *notify, const char *path, const struct client_reply **ret_reply, struct err *err)
{
    return call(notify, &(struct client_call){.method = "GET", .path = path}, ret_reply, err);
}

/* How it goes, for approvald's metrics: nobody else sees this process. */
static void report(struct notify *notify)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    char body[REPORT_SIZE];

    if (notify->reported_ms != 0 && now_ms() - notify->reported_ms < REPORT_MS) {
        return;
    }
    (void)snprintf(body, sizeof body, /* fits */
                   "{\"delivered\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"given_up\":%" PRIu64
                   ",\"last_success_s\":%" PRIu64 "}",
                   notify->delivered, notify->failed, notify->given_up, notify->last_ok_s);
    notify->reported_ms = now_ms();
    if (call(notify, /* it has told */
             &(struct client_call){
                 .method = "POST", .path = "/v1/waiting/told", .body = span_text(body)},
             &reply, &err) != ERR_OK) {
        notify->reported_ms -= REPORT_MS - REPORT_AGAIN_MS; /* the next says the same and more */
    }
}

/* False: there are no more. */
static bool tell_page(struct notify *notify, const struct notify_person *person, uint64_t page)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    char path[128];

    (void)snprintf(path, sizeof path, "/v1/waiting?user=%.*s&page=%" PRIu64, /* fits */
                   SPAN_ARGS(person->user), page);
    if (get(notify, path, &reply, &err) != ERR_OK) {
        return false;
    }
    notify->refused_ms = 0; /* the token is good; the status is told without one */
    for (const struct json *at = json_first(json_get(reply->json, "requests"));
         at != NULL && notify->ctl->stopped == 0; at = json_next(at)) {
        consider(notify, person, at);
    }
    return json_bool(reply->json, "more", false) && notify->ctl->stopped == 0 && !notify->hurry;
}

/* Begins with whom the last round came to, so that each has his turn. */
static void tell_all(struct notify *notify)
{
    for (size_t i = 0; i < notify->people.count && notify->ctl->stopped == 0; i++) {
        size_t at = (notify->person + i) % notify->people.count;

        for (uint64_t page = 0; tell_page(notify, &notify->people.list[at], page); page++) {
        }
        if (notify->hurry) {
            notify->person = at;
            return;
        }
    }
    notify->person = 0;
}

static void tell(struct notify *notify)
{
    struct err err = ERR_INIT;

    if (read_people(notify, &err) != ERR_OK) {
        alarm_about(notify, "people", &err); /* as they were */
    }
    notify->ask_ms = now_ms() + ASK_MS;
    notify->left = ROUND_COUNT;
    notify->hurry = false;
    notify->calls = 0;
    tell_all(notify);
    if (!notify->hurry && notify->calls * CALL_SPACING_MS > ASK_MS) {
        notify->ask_ms = now_ms() + notify->calls * CALL_SPACING_MS;
    }
}

/* A token that was revoked is noticed now, not in the outage. */
static void try_token(struct notify *notify)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;

    if (notify->tried_ms == 0 || now_ms() - notify->tried_ms > REFUSED_MS) {
        notify->tried_ms = now_ms();
        (void)get(notify, "/v1/waiting?user=U00000000", &reply, &err); /* get has told */
    }
}

static void look(struct notify *notify)
{
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    struct span state;
    bool down;

    if (get(notify, "/v1/status", &reply, &err) != ERR_OK) {
        return;
    }
    state = json_text(reply->json, "slack.state"); /* the reply lasts until the next call */
    down = span_is(state, "unreachable") || span_is(state, "refused");
    if (!json_u64(reply->json, "slack.breaker.down_s", &notify->down_s)) {
        notify->down_s = 0;
    }
    report(notify);
    switch (notify_look(&notify->outage, down, notify->after_ms, now_ms())) {
    case NOTIFY_TELL:
        if (notify->hurry || now_ms() >= notify->ask_ms) {
            tell(notify);
        }
        break;
    case NOTIFY_FORGET:
        forget(notify);
        break;
    case NOTIFY_NOTHING:
        break;
    }
    if (!down) {
        try_token(notify);
    }
}

static enum err_code begin(struct notify *notify, struct err *err)
{
    const struct options *options = &notify->ctl->options;
    uint64_t after_s = AFTER_S;
    uint64_t command_s = COMMAND_S;
    enum err_code rc = options_seconds(options, OPTION_AFTER, &after_s, err);

    if (rc == ERR_OK) {
        rc = options_seconds(options, OPTION_TIMEOUT, &command_s, err);
    }
    if (rc == ERR_OK && (command_s == 0 || command_s > COMMAND_S_MAX)) {
        rc = err_set(err, ERR_INVALID, "--timeout: from 1s to %d s", COMMAND_S_MAX);
    }
    notify->after_ms = after_s * 1000;
    notify->command_ms = (uint32_t)command_s * 1000;
    if (rc == ERR_OK && options->rest[0][0] != '/') {
        rc = err_set(err, ERR_INVALID, "-- %s: has to be an absolute path", options->rest[0]);
    }
    if (rc == ERR_OK) {
        rc = notify_book_new(&notify->book, err);
    }
    if (rc == ERR_OK) {
        rc = read_people(notify, err);
    }
    if (rc == ERR_OK) {
        rc = open_journal(notify, options_text(options, OPTION_STATE_DIR), err);
    }
    return rc == ERR_OK ? ctl_connect(notify->ctl, err) : rc;
}

static void end(struct notify *notify)
{
    if (notify->journal_fd >= 0) {
        (void)close(notify->journal_fd); /* each line was synced */
    }
    buf_free(notify->people_text);
    notify_book_free(notify->book);
}

int cmd_notify(struct ctl *ctl)
{
    struct notify notify = {.ctl = ctl, .journal_fd = -1};
    struct err err = ERR_INIT;
    int code = CTL_OK;

    if (options_text(&ctl->options, OPTION_PEOPLE) == NULL ||
        options_text(&ctl->options, OPTION_STATE_DIR) == NULL) {
        return ctl_usage(ctl, "give --people FILE and --state-dir DIRECTORY");
    }
    if (begin(&notify, &err) != ERR_OK) {
        code = ctl_fail_err(ctl, &err);
    } else {
        stopped = &ctl->stopped;
        child_catch(note_signal);
        while (ctl->stopped == 0) {
            look(&notify);
            sleep_ms(&notify, notify.hurry ? SPACING_MS : LOOK_MS);
        }
        child_catch(NULL);
    }
    end(&notify);
    return code;
}

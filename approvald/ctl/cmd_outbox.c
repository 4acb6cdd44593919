/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_outbox.c: outbox list, outbox replay.
 * Owns nothing; never sends anything itself. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/command.h"
#include "base/buf.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

#define OUTBOX_LIMIT_MAX 100

static int get_rows(struct ctl *ctl, const char *path, const struct client_reply **ret_reply)
{
    return ctl_call(ctl, &(struct client_call){.method = "GET", .path = path, .local = true},
                    ret_reply);
}

int cmd_outbox_list(struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"REQUEST", "request"},   {"SURFACE", "surface"},
        {"TARGET", "target"},     {"OWED SINCE", "owed_at"},
        {"ATTEMPTS", "attempts"}, {"DEAD", "dead"},
        {"ERROR", "error"},       {NULL, NULL},
    };
    AUTO_BUF struct buf *path = NULL;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    uint64_t limit = OUTBOX_LIMIT_MAX;
    enum err_code rc = options_number(&ctl->options, OPTION_LIMIT, OUTBOX_LIMIT_MAX, &limit, &err);
    int code;

    if (rc == ERR_OK) {
        rc = buf_new(256, &path, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(path, &err, "/v1/outbox?limit=%" PRIu64 "%s", limit,
                               options_has(&ctl->options, OPTION_DEAD) ? "&dead=1" : "");
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = get_rows(ctl, buf_text(path), &reply);
    return code == CTL_OK ? ctl_print_reply(ctl, reply, "rows", columns, "Nothing is owed.") : code;
}

static int replay(struct ctl *ctl, struct span request, struct span surface, struct span target)
{
    struct client_call call = {.method = "POST", .path = "/v1/outbox/replay", .local = true};
    struct json *body = json_new_object();
    const struct client_reply *reply = NULL;
    int code;

    json_add_text(body, "request", request);
    json_add_text(body, "surface", surface);
    json_add_text(body, "target", target);
    code = ctl_send(ctl, &call, body, &reply);
    if (code == CTL_OK && !ctl->json) {
        struct err err = ERR_INIT;

        return ctl_print_line("sending again: ", request, &err) == ERR_OK ? CTL_OK
                                                                          : ctl_fail_err(ctl, &err);
    }
    return code;
}

/* The keys are copied out: a reply is valid until the next call only. */
static int replay_all(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    AUTO_JSON struct json *rows = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;
    int code = get_rows(ctl, "/v1/outbox?dead=1&limit=100", &reply);

    if (code == CTL_OK && json_parse(reply->body, reply->body.size, &rows, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    for (const struct json *at = json_first(json_get(rows, "rows")); at != NULL && code == CTL_OK;
         at = json_next(at)) {
        code = replay(ctl, json_text(at, "request"), json_text(at, "surface"),
                      json_text(at, "target"));
        count++;
    }
    if (code == CTL_OK && ctl->json) {
        (void)printf("{\"replayed\":%zu}\n", count); /* main looks at ferror */
    } else if (code == CTL_OK && count == 0) {
        (void)printf("Nothing was given up.\n");
    }
    return code;
}

int cmd_outbox_replay(struct ctl *ctl)
{
    const char *const *arguments = ctl->options.arguments;

    if (options_has(&ctl->options, OPTION_ALL) && ctl->options.argument_count == 0) {
        return replay_all(ctl);
    }
    if (options_has(&ctl->options, OPTION_ALL) || ctl->options.argument_count != 3) {
        return ctl_usage(ctl, "give REQUEST SURFACE TARGET, or --all");
    }
    return replay(ctl, span_text(arguments[0]), span_text(arguments[1]), span_text(arguments[2]));
}

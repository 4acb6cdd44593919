/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_request.c: request, wait, list, show.
 * Owns nothing; never decides and never runs anything. */
#include "approvald/ctl/ask.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/show.h"
#include "approvald/ctl/wait.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_POLL_S 50  /* below the server's limit of 60 */
#define REQUEST_GLANCE 5   /* s between updates of the progress line */
#define PAGE_LIMIT     100 /* requests of one call */

static int wait_and_show(struct ctl *ctl, const char *id)
{
    struct wait_options options = {.id = id, .progress = wait_shows_progress(ctl)};
    const struct client_reply *reply = NULL;
    int code;

    options.poll_s = options.progress ? REQUEST_GLANCE : REQUEST_POLL_S;
    code = wait_outcome(ctl, &options, &reply);
    if (reply != NULL && reply->json != NULL && reply->status == 200) {
        int shown = show_reply(ctl, reply);

        return shown == CTL_OK ? code : shown;
    }
    return code;
}

static bool is_hash(const char *text)
{
    uint8_t bytes[CRYPTO_SHA256_SIZE];

    return crypto_unhex(span_text(text), bytes, sizeof bytes);
}

int cmd_request(struct ctl *ctl)
{
    const char *hash = options_text(&ctl->options, OPTION_BIND_HASH);
    const struct client_reply *reply = NULL;
    char id[ASK_ID_SIZE];
    int code;

    if (hash != NULL && !is_hash(hash)) {
        return ctl_usage(ctl, "--bind-hash: 64 hex digits");
    }
    code = ask_create(ctl, &(struct ask){0}, &reply);
    if (code == CTL_OK) {
        code = ask_id(ctl, reply, id);
    }
    if (code != CTL_OK) {
        return code;
    }
    if (options_has(&ctl->options, OPTION_WAIT)) {
        (void)fprintf(stderr, "%s\n", id);
        return wait_and_show(ctl, id);
    }
    if (ctl->json) {
        ctl_print_json(reply->body);
    } else {
        (void)printf("%s\n", id); /* main looks at ferror */
    }
    return CTL_OK;
}

int cmd_wait(struct ctl *ctl)
{
    return wait_and_show(ctl, ctl->options.arguments[0]);
}

int cmd_show(struct ctl *ctl)
{
    AUTO_BUF struct buf *path = NULL;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);
    int code;

    if (rc == ERR_OK) {
        rc = buf_append_text(path, "/v1/requests/", &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, ctl->options.arguments[0], &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = ctl_get(ctl, buf_text(path), &reply);
    return code == CTL_OK ? show_reply(ctl, reply) : code;
}

static enum err_code list_path(
    const struct ctl *ctl, uint64_t limit, const char *before, struct buf *path, struct err *err)
{
    char number[24];
    enum err_code rc = buf_append_text(path, "/v1/requests", err);

    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)limit); /* fits */
    if (rc == ERR_OK) {
        rc = ctl_query(path, "limit", number, err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "state", options_text(&ctl->options, OPTION_STATE), err);
    }
    if (rc == ERR_OK) {
        rc = ctl_query(path, "policy", options_text(&ctl->options, OPTION_POLICY), err);
    }
    return rc == ERR_OK ? ctl_query(path, "before", before, err) : rc;
}

static int print_page(const struct ctl *ctl, const struct client_reply *reply)
{
    static const struct ctl_column columns[] = {
        {"ID", "id"},
        {"STATE", "state"},
        {"USE", "use"},
        {"GLASS", "break_glass.user"},
        {"POLICY", "policy.name"},
        {"REQUESTER", "requester"},
        {"CREATED", "created_at"},
        {"TITLE", "title"},
        {NULL, NULL},
    };
    struct span next = json_text(reply->json, "next");
    struct err err = ERR_INIT;
    int code;

    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    code = ctl_print_list(ctl, json_get(reply->json, "requests"), columns, "No requests.");
    if (code == CTL_OK && next.size > 0 &&
        ctl_print_line("More: add --before ", next, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return code;
}

int cmd_list(struct ctl *ctl)
{
    AUTO_BUF struct buf *path = NULL;
    const struct client_reply *reply = NULL;
    struct err err = ERR_INIT;
    uint64_t limit = PAGE_LIMIT / 2;
    enum err_code rc = options_number(&ctl->options, OPTION_LIMIT, PAGE_LIMIT, &limit, &err);
    int code;

    if (rc == ERR_OK) {
        rc = buf_new(2048, &path, &err);
    }
    if (rc == ERR_OK) {
        rc = list_path(ctl, limit, options_text(&ctl->options, OPTION_BEFORE), path, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = ctl_get(ctl, buf_text(path), &reply);
    return code == CTL_OK ? print_page(ctl, reply) : code;
}

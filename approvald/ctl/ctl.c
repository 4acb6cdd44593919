/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.c: calls and failures, as every command needs them.
 * Owns the client from ctl_connect to ctl_done; never prints text from elsewhere unescaped and
 * never prints a token. */
#include "approvald/ctl/ctl.h"

#include "approvald/ctl/settings.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CTL_MESSAGE_COUNT_MAX 1000 /* characters of one message on a terminal */

/* Escaped on standard error; when even that fails, the fixed text of the code. */
static void complain(const struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err ignored = ERR_INIT;

    if (buf_new((size_t)8 * CTL_MESSAGE_COUNT_MAX, &buf, &ignored) != ERR_OK ||
        text_escape_terminal(buf, span_text(err->message), CTL_MESSAGE_COUNT_MAX, &ignored) !=
            ERR_OK) {
        (void)fprintf(stderr, "approvalctl: %s\n", err_text(err->code));
        return;
    }
    (void)fprintf(stderr, "approvalctl: %s\n", buf_text(buf));
}

int ctl_fail(const struct ctl *ctl, int code, const struct err *err)
{
    (void)ctl;
    (void)fflush(stdout); /* keep the order on a shared terminal; main looks at ferror */
    complain(err);
    return code;
}

int ctl_fail_err(const struct ctl *ctl, const struct err *err)
{
    return ctl_fail(ctl, client_exit(err->code, NULL), err);
}

int ctl_usage(const struct ctl *ctl, const char *format, ...)
{
    struct err err = {.code = ERR_INVALID};
    va_list args;

    va_start(args, format);
    (void)vsnprintf(err.message, sizeof err.message, format, args); /* cut is fine */
    va_end(args);
    return ctl_fail(ctl, CTL_USAGE, &err);
}

enum err_code ctl_connect(struct ctl *ctl, struct err *err)
{
    struct client_options options = {.deadline_ms = CTL_DEADLINE_MS, .stopped = &ctl->stopped};
    uint64_t timeout_s = 0;
    enum err_code rc;

    if (ctl->client != NULL) {
        return ERR_OK;
    }
    rc = settings_find(ctl, &options, err);
    if (rc == ERR_OK) {
        rc = options_seconds(&ctl->options, OPTION_TIMEOUT, &timeout_s, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (timeout_s > 0) {
        options.deadline_ms =
            timeout_s < UINT32_MAX / 1000 ? (uint32_t)timeout_s * 1000 : UINT32_MAX;
    }
    return client_new(&options, &ctl->client, err);
}

void ctl_done(struct ctl *ctl)
{
    client_free(ctl->client);
    ctl->client = NULL;
    mem_wipe(ctl->token, sizeof ctl->token);
}

static const char *way_to_reach(const struct ctl *ctl)
{
    return ctl->url == NULL ? "is approvald running here? systemctl status approvald tells; for "
                              "another host give --url or set $APPROVALD_URL"
                            : "check the URL, or the network";
}

int ctl_unreachable(const struct ctl *ctl, const struct err *err)
{
    int code = ctl_fail(ctl, CTL_UNREACHABLE, err);

    (void)fprintf(stderr, "approvalctl: %s\n", way_to_reach(ctl));
    return code;
}

/* A way on for what people meet first. */
static const char *hint(const struct ctl *ctl,
                        const struct client_call *call,
                        enum err_code rc,
                        const struct client_reply *reply)
{
    if (call->local && ctl->url != NULL && (reply->status == 404 || reply->status == 405)) {
        return "root does this on the host of approvald, over its local socket";
    }
    if (rc == ERR_UNAVAILABLE && reply->status == 0) {
        return way_to_reach(ctl);
    }
    if (rc == ERR_UNAUTHENTICATED && ctl->token[0] == '\0') {
        return "give --token-file or set $APPROVALD_TOKEN_FILE";
    }
    return NULL;
}

int ctl_call(struct ctl *ctl, const struct client_call *call, const struct client_reply **ret_reply)
{
    struct err err = ERR_INIT;
    enum err_code rc = ctl_connect(ctl, &err);
    const char *way;

    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    rc = client_call(ctl->client, call, ret_reply, &err);
    if (rc == ERR_OK) {
        return CTL_OK;
    }
    if (ctl->expected != NULL && strcmp((*ret_reply)->refusal, ctl->expected) == 0) {
        return client_exit(rc, *ret_reply);
    }
    if (ctl->json && (*ret_reply)->json != NULL) {
        ctl_print_json((*ret_reply)->body);
    }
    (void)ctl_fail(ctl, CTL_INTERNAL, &err); /* the code follows below */
    way = hint(ctl, call, rc, *ret_reply);
    if (way != NULL) {
        (void)fprintf(stderr, "approvalctl: %s\n", way);
    }
    return client_exit(rc, *ret_reply);
}

int ctl_get(struct ctl *ctl, const char *path, const struct client_reply **ret_reply)
{
    return ctl_call(ctl, &(struct client_call){.method = "GET", .path = path}, ret_reply);
}

int ctl_send(struct ctl *ctl,
             const struct client_call *call,
             struct json *body_take,
             const struct client_reply **ret_reply)
{
    AUTO_JSON struct json *tree = body_take;
    AUTO_BUF struct buf *body = NULL;
    struct client_call with_body = *call;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &body, &err);

    if (rc == ERR_OK) {
        rc = json_print(tree, body, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    with_body.body = buf_span(body);
    return ctl_call(ctl, &with_body, ret_reply);
}

enum err_code ctl_segment(struct buf *path, const char *text, struct err *err)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    enum err_code rc = ERR_OK;

    for (const char *at = text; *at != '\0' && rc == ERR_OK; at++) {
        if (strchr(plain, *at) != NULL) {
            rc = buf_append(path, at, 1, err);
        } else {
            rc = buf_append_format(path, err, "%%%02X", (unsigned char)*at);
        }
    }
    return rc;
}

int ctl_delete(struct ctl *ctl,
               const char *collection,
               bool local,
               const struct client_reply **ret_reply)
{
    AUTO_BUF struct buf *path = NULL;
    struct client_call call = {.method = "DELETE", .local = local};
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(1024, &path, &err);

    if (rc == ERR_OK) {
        rc = buf_append_text(path, collection, &err);
    }
    if (rc == ERR_OK) {
        rc = ctl_segment(path, ctl->options.arguments[0], &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    call.path = buf_text(path);
    return ctl_call(ctl, &call, ret_reply);
}

enum err_code ctl_query(struct buf *path, const char *name, const char *value, struct err *err)
{
    enum err_code rc;

    if (value == NULL) {
        return ERR_OK;
    }
    rc = buf_append_format(path, err, "%c%s=", strchr(buf_text(path), '?') == NULL ? '?' : '&',
                           name);
    return rc == ERR_OK ? ctl_segment(path, value, err) : rc;
}

static enum err_code read_all(int fd, struct buf *buf, struct err *err)
{
    for (;;) {
        char bytes[4096];
        ssize_t size = read(fd, bytes, sizeof bytes);
        enum err_code rc;

        if (size < 0) {
            return err_set(err, ERR_IO, "cannot read");
        }
        if (size == 0) {
            return ERR_OK;
        }
        rc = buf_append(buf, bytes, (size_t)size, err);
        mem_wipe(bytes, sizeof bytes); /* it may be a token */
        if (rc != ERR_OK) {
            return rc;
        }
    }
}

enum err_code
ctl_read_file(const char *file, size_t size_max, struct buf **ret_buf, struct err *err)
{
    AUTO_CLOSE int fd =
        strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc;

    if (fd < 0) {
        return err_set(err, ERR_INVALID, "cannot read the file %s", file);
    }
    rc = buf_new(size_max, &buf, err);
    if (rc == ERR_OK) {
        rc = read_all(fd, buf, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s", file);
    }
    *ret_buf = buf;
    buf = NULL;
    return ERR_OK;
}

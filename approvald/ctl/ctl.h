/* SPDX-License-Identifier: Apache-2.0 */
/* ctl.h: what every command of approvalctl gets, and how it speaks with the person at the terminal.
 * Text from elsewhere is escaped before it is printed. */
#ifndef APPROVALD_CTL_CTL_H
#define APPROVALD_CTL_CTL_H

#include "approvald/ctl/client.h"
#include "approvald/ctl/exit.h"
#include "approvald/ctl/options.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct command;
struct conf;
struct json;

#define CTL_BODY_SIZE_MAX  ((size_t)256 << 10) /* bytes: longer requests are refused anyway */
#define CTL_DEADLINE_MS    20000U              /* of commands that do not wait for people */
#define CTL_DEFAULT_SOCKET "/run/approvald/approvald.sock"
#define CTL_TOKEN_SIZE_MAX 256 /* bytes of a token file */

struct ctl {
    const struct command *command;
    struct options options;
    struct conf *conf;     /* owned: the user's file, or NULL; for settings */
    struct client *client; /* owned by main's scope; NULL until ctl_connect */
    const char *url;       /* NULL: the socket */
    const char *socket;
    char token[CTL_TOKEN_SIZE_MAX]; /* wiped at the end; "" : none */
    const char *expected; /* a refusal that the caller goes on from: it is not printed; or NULL */
    bool json;
    size_t width;         /* columns of the terminal on standard output; 0: a pipe or a file */
    volatile int stopped; /* the number of a signal that ended waiting, or 0 */
};

/* Prints "approvalctl: MESSAGE" on standard error, escaped, and returns code. */
int ctl_fail(const struct ctl *ctl, int code, const struct err *err);
/* The same for an error that never left this program: the code follows from err->code. */
int ctl_fail_err(const struct ctl *ctl, const struct err *err);
/* Nobody answers: says so, and what to look at. Returns CTL_UNREACHABLE. */
int ctl_unreachable(const struct ctl *ctl, const struct err *err);
int ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Finds URL or socket, token and CA file and makes ctl->client. Blocks (small files). */
enum err_code ctl_connect(struct ctl *ctl, struct err *err) WARN_UNUSED;
void ctl_done(struct ctl *ctl);

/* Connects when needed, calls, and on failure prints why (with --json the problem as well). */
int ctl_call(struct ctl *ctl,
             const struct client_call *call,
             const struct client_reply **ret_reply);
/* A GET of path. */
int ctl_get(struct ctl *ctl, const char *path, const struct client_reply **ret_reply);
/* A DELETE of what the first argument names in the collection, whose path ends with "/". local:
 * over the socket alone. */
int ctl_delete(struct ctl *ctl,
               const char *collection,
               bool local,
               const struct client_reply **ret_reply);
/* A call with the tree as body; the tree is freed. */
int ctl_send(struct ctl *ctl,
             const struct client_call *call,
             struct json *body_take,
             const struct client_reply **ret_reply);

/* Appends "?name=value" or "&name=value", percent-encoded; nothing when value is NULL. */
enum err_code
ctl_query(struct buf *path, const char *name, const char *value, struct err *err) WARN_UNUSED;
/* Appends text percent-encoded as one segment of a path. */
enum err_code ctl_segment(struct buf *path, const char *text, struct err *err) WARN_UNUSED;

/* The body as it came, with a newline. */
void ctl_print_json(struct span body);
/* One line of escaped text, indented. */
enum err_code ctl_print_line(const char *prefix, struct span text, struct err *err) WARN_UNUSED;
/* Every line of text escaped, each behind the prefix. */
enum err_code ctl_print_lines(const char *prefix, struct span text, struct err *err) WARN_UNUSED;

/* What stands at path in node, as one text: texts, numbers, yes and no, lists with commas. */
enum err_code
ctl_cell(struct buf *buf, const struct json *node, const char *path, struct err *err) WARN_UNUSED;
struct ctl_column {
    const char *title;
    const char *path;
};
/* The children of list as a table; columns are ended by title NULL. */
int ctl_print_list(const struct ctl *ctl,
                   const struct json *list,
                   const struct ctl_column *columns,
                   const char *none);
/* The list of a reply's member as a table, or with --json the reply as it came. */
int ctl_print_reply(const struct ctl *ctl,
                    const struct client_reply *reply,
                    const char *member,
                    const struct ctl_column *columns,
                    const char *none);
/* Reads a whole small file; "-" is standard input. */
enum err_code
ctl_read_file(const char *file, size_t size_max, struct buf **ret_buf, struct err *err) WARN_UNUSED;

#endif

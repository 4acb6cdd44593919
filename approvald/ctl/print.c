/* SPDX-License-Identifier: Apache-2.0 */
/* print.c: answers as text for people and JSON for programs.
 * Owns nothing; never prints foreign text unescaped (JSON apart, which is for programs). */
#include "approvald/ctl/ctl.h"
#include "approvald/ctl/table.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define PRINT_LINE_COUNT_MAX 4000 /* characters of one line */

void ctl_print_json(struct span body)
{
    (void)fwrite(body.data, 1, body.size, stdout); /* main looks at ferror */
    if (body.size == 0 || body.data[body.size - 1] != '\n') {
        (void)putchar('\n');
    }
}

enum err_code ctl_print_line(const char *prefix, struct span text, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc = buf_new((size_t)8 * PRINT_LINE_COUNT_MAX, &buf, err);

    if (rc == ERR_OK) {
        rc = text_escape_terminal(buf, text, PRINT_LINE_COUNT_MAX, err);
    }
    if (rc == ERR_OK) {
        (void)printf("%s%s\n", prefix, buf_text(buf)); /* main looks at ferror */
    }
    return rc;
}

enum err_code ctl_print_lines(const char *prefix, struct span text, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (text.size > 0 && rc == ERR_OK) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);

        rc = ctl_print_line(prefix, span_of(text.data, size), err);
        size += end != NULL;
        text = span_of(text.data + size, text.size - size);
    }
    return rc;
}

static enum err_code list_cell(struct buf *buf, const struct json *list, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(list); at != NULL && rc == ERR_OK; at = json_next(at)) {
        struct span text = json_string(at);

        if (text.size == 0) {
            text = json_text(at, "name");
        }
        rc = at == json_first(list) ? ERR_OK : buf_append_text(buf, ", ", err);
        if (rc == ERR_OK) {
            rc = buf_append_span(buf, text, err);
        }
    }
    return rc;
}

enum err_code ctl_cell(struct buf *buf, const struct json *node, const char *path, struct err *err)
{
    const struct json *at = json_path(node, path);
    int64_t number;

    if (json_is_string(at)) {
        return buf_append_span(buf, json_string(at), err);
    }
    if (json_is_array(at) && json_count(at) > 0) {
        return list_cell(buf, at, err);
    }
    if (json_i64(node, path, &number)) {
        return buf_append_format(buf, err, "%lld", (long long)number);
    }
    if (at != NULL && json_bool(node, path, false) == json_bool(node, path, true)) {
        return buf_append_text(buf, json_bool(node, path, false) ? "yes" : "no", err);
    }
    return buf_append_text(buf, "-", err);
}

static enum err_code add_row(struct table *table,
                             const struct json *node,
                             const struct ctl_column *columns,
                             struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; columns[i].title != NULL && rc == ERR_OK; i++) {
        AUTO_BUF struct buf *cell = NULL;

        rc = buf_new(CTL_BODY_SIZE_MAX, &cell, err);
        if (rc == ERR_OK) {
            rc = ctl_cell(cell, node, columns[i].path, err);
        }
        if (rc == ERR_OK) {
            rc = table_cell(table, buf_span(cell), err);
        }
    }
    return rc;
}

int ctl_print_list(const struct ctl *ctl,
                   const struct json *list,
                   const struct ctl_column *columns,
                   const char *none)
{
    AUTO_TABLE struct table *table = NULL;
    const char *titles[TABLE_COLUMN_MAX + 1] = {NULL};
    struct err err = ERR_INIT;
    enum err_code rc;

    for (size_t i = 0; columns[i].title != NULL; i++) {
        ASSERT(i < TABLE_COLUMN_MAX);
        titles[i] = columns[i].title;
    }
    rc = table_new(titles, ctl->width, &table, &err);
    for (const struct json *at = json_first(list); at != NULL && rc == ERR_OK; at = json_next(at)) {
        rc = add_row(table, at, columns, &err);
    }
    if (rc == ERR_OK) {
        rc = table_print(table, none, &err);
    }
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}

int ctl_print_reply(const struct ctl *ctl,
                    const struct client_reply *reply,
                    const char *member,
                    const struct ctl_column *columns,
                    const char *none)
{
    ASSERT(reply != NULL);
    if (ctl->json) {
        ctl_print_json(reply->body);
        return CTL_OK;
    }
    return ctl_print_list(ctl, json_get(reply->json, member), columns, none);
}

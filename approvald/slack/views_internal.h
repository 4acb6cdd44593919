/* SPDX-License-Identifier: Apache-2.0 */
/* views_internal.h: what the makers of modals share. Included by views*.c only. */
#ifndef APPROVALD_SLACK_VIEWS_INTERNAL_H
#define APPROVALD_SLACK_VIEWS_INTERNAL_H

#include "base/err.h"
#include "base/span.h"

struct buf;
struct json;

/* {"type":"plain_text",…} under name. */
void view_add_plain(struct json *parent, const char *name, struct span text);
struct json *view_add_block(struct json *blocks, const char *type, const char *id);
/* Type, callback_id and title. */
void view_begin(struct json *view, const char *callback, const char *title);
/* Appends root, whose member "view" has been checked and is at most size_max bytes. */
enum err_code
view_print(const struct json *root, size_t size_max, struct buf *body, struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* views_internal.h: what the makers of modals share. Included by views*.c only. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_INTERNAL_H
#define APPROVALD_SLACK_SHOW_VIEWS_INTERNAL_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

#define VIEW_PLACE_SIZE_MAX 512 /* bytes of a private_metadata of ours */

struct buf;
struct json;
struct request;
struct view_place;

/* {"type":"plain_text",…} under name. */
void view_add_plain(struct json *parent, const char *name, struct span text);
struct json *view_add_block(struct json *blocks, const char *type, const char *id);
/* Type, callback_id and title. */
void view_begin(struct json *view, const char *callback, const char *title);
/* The view of root: a window with the button submit and one that does nothing. */
struct json *
view_form(struct json *root, const char *callback, const char *title, const char *submit);
/* The private_metadata of a window about a request; and at its top which one it is. */
enum err_code
view_add_place(struct json *view, const struct view_place *place, struct err *err) WARN_UNUSED;
enum err_code
view_add_request(struct json *blocks, const struct request *request, struct err *err) WARN_UNUSED;
/* The input VIEW_REASON_BLOCK. */
void view_add_reason(struct json *blocks, bool required, const char *hint);
/* The input VIEW_CODE_BLOCK; focused: the cursor stands in it when the window opens. */
void view_add_code(struct json *blocks, bool focused);
/* Appends root, whose member "view" has been checked and is at most size_max bytes. */
enum err_code
view_print(const struct json *root, size_t size_max, struct buf *body, struct err *err) WARN_UNUSED;

#endif

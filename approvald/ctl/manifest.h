/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h: the manifest that makes the app in Slack; docs/slack-setup.md and the product agree
 * because both come from here. Pure. */
#ifndef APPROVALD_CTL_MANIFEST_H
#define APPROVALD_CTL_MANIFEST_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

struct buf;

struct manifest {
    const char *name;       /* of the app and its bot, ≤ MANIFEST_NAME_MAX characters */
    const char *command;    /* "/approval" */
    const char *public_url; /* "https://host[/prefix]", no slash at the end; NULL: Socket Mode */
};

#define MANIFEST_NAME_MAX    35 /* Slack's limit of an app's name */
#define MANIFEST_COMMAND_MAX 32 /* Slack's limit of a command */

/* ERR_INVALID says what Slack would not take and how to put it right. */
enum err_code manifest_check(const struct manifest *manifest, struct err *err) WARN_UNUSED;
/* Appends the manifest as indented JSON with a newline. */
enum err_code
manifest_print(const struct manifest *manifest, struct buf *buf, struct err *err) WARN_UNUSED;

/* The index-th scope of the bot, and what does not work without it; NULL past the end. */
struct manifest_scope {
    const char *name;
    const char *lost;
};
const struct manifest_scope *manifest_scope(size_t index);

/* Appends compact JSON with line ends and indentation; strings stay as they are. */
enum err_code manifest_indent(struct span compact, struct buf *buf, struct err *err) WARN_UNUSED;

#endif

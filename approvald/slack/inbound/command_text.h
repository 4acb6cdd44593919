/* SPDX-License-Identifier: Apache-2.0 */
/* command_text.h: a request in the answers to the slash command, as mrkdwn. Pure. Each appends to
 * text; ERR_NOMEM, ERR_TOO_LARGE. */
#ifndef APPROVALD_SLACK_INBOUND_COMMAND_TEXT_H
#define APPROVALD_SLACK_INBOUND_COMMAND_TEXT_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* Text from people on one line, as on a card: escaped, its marks disarmed, at most max code points.
 */
enum err_code
command_text_escaped(struct buf *text, struct span value, size_t max, struct err *err) WARN_UNUSED;
/* Its line in a list. */
enum err_code
command_text_line(struct buf *text, const struct request *request, struct err *err) WARN_UNUSED;
/* All of it: what, who, why, the details and the code to compare, how it stands. */
enum err_code
command_text_request(struct buf *text, const struct request *request, struct err *err) WARN_UNUSED;

#endif

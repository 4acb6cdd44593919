/* SPDX-License-Identifier: Apache-2.0 */
/* message.h: what Slack shows about a request besides its card: replies in the thread, the direct
 * message to the requester, notices. Pure, with the guarantees of card.h.
 *
 * Each adds its members to the object message. ERR_NOMEM is the only error; a failed allocation
 * inside the tree shows in json_print. */
#ifndef APPROVALD_SLACK_SHOW_MESSAGE_H
#define APPROVALD_SLACK_SHOW_MESSAGE_H

#include "approvald/slack/show/card.h"

/* {text, blocks, metadata}: to the requester, how it stands, with a link to the card. */
enum err_code
message_add_direct(const struct card *card, struct json *message, struct err *err) WARN_UNUSED;
/* {text, blocks, metadata}: one reply in the thread about what happened. */
enum err_code message_add_reply(const struct card *card,
                                const struct outbox_item *item,
                                struct json *message,
                                struct err *err) WARN_UNUSED;
/* {text, blocks, metadata}: a reply with the state, where the card can no longer be changed. */
enum err_code
message_add_outcome(const struct card *card, struct json *message, struct err *err) WARN_UNUSED;
/* {text, blocks}: the sentence of a notice, and what it is about. */
enum err_code message_add_notice(const struct card *card,
                                 const struct outbox_item *item,
                                 struct json *message,
                                 struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* card.h: the Slack message of a request, in each of its states. Pure: state in, JSON out.
 *
 * Every message has both text and blocks. text alone tells who asks for what, why, and how to
 * answer: it is the notification and what screen readers speak. Text from people cannot make a
 * mention, a link, an emoji or formatting: it stands in plain_text or rich_text (which Slack never
 * parses), or is escaped and its marks are disarmed. All of Slack's limits are kept whatever the
 * request holds; longer text is cut between characters, with an ellipsis. */
#ifndef APPROVALD_SLACK_SHOW_CARD_H
#define APPROVALD_SLACK_SHOW_CARD_H

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"
#include "base/err.h"

struct blocks;
struct json;
struct prose;

#define CARD_EVENT_TYPE     "approvald_request" /* metadata.event_type of every message of ours */
#define CARD_ACTION_APPROVE "approve"           /* action_id; the button's value is the id */
#define CARD_ACTION_REJECT  "reject"
#define CARD_ACTION_STOP    "stop" /* a rejection without a word, before an approval takes effect */
#define CARD_ACTION_DETAILS                                                                        \
    "details" /* decides nothing: opens a window with all of a long text                           \
               */

#define CARD_ACTION_GLASS "break_glass" /* of a menu; its one option's value is the id */

struct card {
    const struct request *request; /* NULL only for a notice */
    const struct policy *policy;   /* the pinned version, or NULL: approvers are not listed */
    const char *cluster;           /* goes to the metadata; NULL or "": none */
    const char *workspace_url;     /* "https://team.slack.com/" for links to the card; NULL: none */
    struct span reader;            /* of a direct message: to whom it is; else empty */
    struct span channel;           /* where the card is, or empty */
    struct span ts;
};

/* Both add members to the object message. ERR_NOMEM is the only error; a failed allocation inside
 * the tree shows in json_print. */

/* {text, blocks, metadata}: the card. */
enum err_code card_add(const struct card *card, struct json *message, struct err *err) WARN_UNUSED;
/* {text, blocks: [], metadata}: the card for a Slack that refuses our blocks (invalid_blocks): says
 * how to answer without buttons. */
enum err_code
card_add_plain(const struct card *card, struct json *message, struct err *err) WARN_UNUSED;

/* Pieces, for the other messages about a request. */
/* The line at the top: how it stands and the title. */
void card_head(const struct card *card, struct blocks *blocks, struct prose *prose);
/* Who asks, the target; the reason and the details, of long ones the first lines and how much more
 * there is: a telephone shows question and buttons together. */
void card_question(const struct card *card, struct blocks *blocks, struct prose *prose);
/* The same, whole. */
void card_question_whole(const struct card *card, struct blocks *blocks, struct prose *prose);
/* A reason in the words of the person who gave it; nothing when it is empty. */
void card_quote(struct blocks *blocks, struct prose *prose, struct span reason);
/* The buttons: their list, NULL when there are none. While it is pending those that decide, and
 * Details where card_question has left something out. */
struct json *card_buttons(const struct card *card, struct blocks *blocks, struct prose *prose);
/* Where somebody may break the glass, a menu with that, in a list of buttons. A card is the same
 * for all who see it: whoever else chooses it is told why not. */
void card_menu(const struct card *card, struct json *actions);
/* The small print: what an approval allows, the deadline, code, policy, id. Below the buttons, so
 * that a telephone shows question and buttons together. */
void card_print(const struct card *card, struct blocks *blocks, struct prose *prose);
/* The address of a message, "https://team.slack.com/archives/C…/p1234": what chat.getPermalink
 * would say, without asking, for there is no time for a call. False: it is not known where it is.
 */
struct card_place {
    struct span workspace_url; /* with the last slash, or empty */
    struct span channel;
    struct span ts;
};
bool card_url(const struct card_place *place, char ret_url[SLACK_URL_SIZE_MAX]);
/* A link to the card; nothing when it is not known where that is. */
void card_link(struct prose *prose, const struct card *card, const char *label);
/* Adds "metadata": request_id, surface, the revision that is shown, item (0: none), cluster; its
 * payload, for more of them (flat, and nothing that is secret: everybody in the workspace can read
 * it). The reconciler reads it back (cardseen.h). */
struct json *
card_metadata(const struct card *card, const char *surface, uint32_t item, struct json *message);

/* "3fa9-12bc", the first eight hex digits of the bind hash, with a NUL: to compare with what the
 * asker's terminal shows. */
#define CARD_CODE_SIZE 10
void card_code(const struct request *request, char ret_text[CARD_CODE_SIZE]);

#endif

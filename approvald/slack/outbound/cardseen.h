/* SPDX-License-Identifier: Apache-2.0 */
/* cardseen.h: what a card in a history shows. Pure.
 *
 * A card says it twice: in the metadata that every message of ours carries (card.h), and in its
 * block ids, which name the revision. Both must agree, else somebody changed one of them; a card
 * that was sent as plain text has no blocks and says so. Its prose is not compared: Slack gives it
 * back in its own spelling. */
#ifndef APPROVALD_SLACK_OUTBOUND_CARDSEEN_H
#define APPROVALD_SLACK_OUTBOUND_CARDSEEN_H

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"

struct json;

struct cardseen {
    struct request_id request;
    char ts[SLACK_TS_SIZE_MAX + 1];
    uint64_t at_us; /* ts as a number: microseconds since 1970 */
    uint32_t revision;
    bool direct;  /* not the card: a direct message about its request */
    bool altered; /* it shows no revision, or two */
};

/* Who we are; "" where it is not known. Not even one known: the metadata alone decides. */
struct cardseen_self {
    const char *user_id;
    const char *bot_id;
};

/* False: the message is no card of ours, and no direct message about one. */
bool cardseen_read(const struct json *message,
                   const struct cardseen_self *self,
                   struct cardseen *ret_seen);
/* Did we write this message? */
bool cardseen_is_ours(const struct json *message, const struct cardseen_self *self);
/* "1764752400.118349" as microseconds; false: no timestamp of a message. */
bool cardseen_time(struct span ts, uint64_t *ret_us);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sendfate.h: what Slack's answer to a message means for the row that owed it. Pure. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDFATE_H
#define APPROVALD_SLACK_OUTBOUND_SENDFATE_H

#include "approvald/service/delivery.h"
#include "approvald/slack/wire/webapi.h"

/* What was tried. */
enum sendfate_try {
    TRY_POST = 1,  /* a new message in a channel or to a person */
    TRY_REPLY,     /* a reply in a thread */
    TRY_UPDATE,    /* a change of a message */
    TRY_EPHEMERAL, /* a notice */
};

enum sendfate {
    FATE_SENT = 1,
    FATE_RETRY,   /* certainly not done; later */
    FATE_UNKNOWN, /* it may have been done */
    FATE_LOST,    /* the message is gone or not ours: post it again */
    FATE_REPLY,   /* the message cannot be changed any more: say it in its thread */
    FATE_PLAIN,   /* our blocks were refused: send it as text */
    FATE_DIRECT,  /* the person is not there: tell him directly */
    FATE_DEAD,    /* for the admin */
    FATE_DROP,    /* nobody is left to be told */
};

/* error is Slack's word or the client's. */
enum sendfate sendfate_of(enum sendfate_try tried, enum webapi_outcome outcome, struct span error);
/* What the admin can do about an error of a message to target, a channel or a person; never NULL.
 */
const char *sendfate_advice(struct span error, struct span target);

/* A copy of a card whose request has ended: who was not asked is not told of it. */
bool sendfate_is_ended_copy(const struct delivery *delivery);
/* The result of an attempt that needs no call: a notice that is too old, a reply whose card is not
 * posted, a request that is no longer stored. False: it has to be sent. */
bool sendfate_settled(const struct delivery *delivery, struct delivery_result *ret_result);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan.h: which owed row is sent next. Pure: a bounded table of the most urgent owed rows.
 *
 * Order: notices (somebody looks at the screen), then the change that shows an outcome (it says
 * more than how far another one has come, and no other call will follow it), then a change that was
 * just made (somebody looks whether his press worked), then all other changes of cards (they may be
 * wrong), then those of direct messages about requests, then messages that are gone and posted
 * anew, then new cards and webhooks, then copies of cards in direct messages, then other direct
 * messages, then replies. Within one kind the one that is due first. So after an outage cards are
 * brought up to date before new ones are posted; only when Slack's rate of changes is used up, new
 * messages take some of the calls. A row never has two calls at once; a channel has one at a time,
 * and so has a person's direct messages; a reply waits for its card; a message is changed at most
 * once in SLACK_SEND_SPACING_MS, then to the newest state, but the change that shows the outcome
 * need not wait for that (once: after it all others do). What Slack itself asks for, a method's
 * rate or a pause, is kept all the same: no attempt begins before its call can be sent, so that it
 * shows what is so then. A wall clock that is set back makes no pause longer, and times of records
 * that are ahead of it none at all. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDPLAN_H
#define APPROVALD_SLACK_OUTBOUND_SENDPLAN_H

#include "approvald/service/service.h"
#include "approvald/slack/limits.h"

struct sendplan_row {
    bool used;
    bool owed;         /* else it only rests: its message was changed a moment ago */
    bool busy;         /* an attempt is under way */
    bool posted;       /* its message is in Slack */
    bool seen;         /* by the listing under way */
    bool repair;       /* its message is in doubt, or gone and posted anew */
    bool spaced;       /* hold_ms is our own spacing, and its message shows no outcome yet */
    bool paced;        /* hold_ms is the rate of where it goes */
    bool limited;      /* its attempt was put off by Slack until due_ms */
    bool final;        /* its request has ended: it changes no more */
    uint32_t priority; /* 0 first */
    uint32_t wanted;   /* revision */
    uint64_t due_ms;   /* wall */
    uint64_t hold_ms;  /* not before: the other side asked for it; or 0 */
    uint64_t owed_ms;
    uint64_t first_ms;   /* wall: when it was seen first since it is owed, */
    uint64_t changed_ms; /* and when its revision last was another one */
    struct service_row_key key;
};

/* Slack limits each method for itself. */
enum sendplan_method { SENDPLAN_EPHEMERAL, SENDPLAN_UPDATE, SENDPLAN_POST, SENDPLAN_METHOD_COUNT };

struct sendplan {
    struct sendplan_row rows[SLACK_SEND_ROW_COUNT_MAX];
    uint64_t method_hold_ms[SENDPLAN_METHOD_COUNT]; /* wall: not before */
    uint64_t
        reached_ms;  /* wall: Slack came back; older failures say nothing. 0: it never was away */
    uint64_t now_ms; /* wall, as it was told last */
    uint32_t count;
    uint32_t slack_count;   /* busy on Slack */
    uint32_t webhook_count; /* busy elsewhere */
};

/* What may be started now. */
struct sendplan_limits {
    uint32_t slack_count_max;  /* 0: Slack is not to be called */
    uint32_t change_count_max; /* of them, changes of messages */
    uint32_t webhook_count_max;
    uint64_t method_ms[SENDPLAN_METHOD_COUNT]; /* wall: its rate allows no call before; 0: now */
    bool changes_spent; /* the rate of changes is used up, or would be by those that wait */
    bool changes_full;  /* the rate of changes is whole: what is not sent now is lost to it */
    bool holds_new;     /* cards that nobody has seen yet wait */
};

void sendplan_init(struct sendplan *plan);
/* A row as it is stored now; updates what is known of it. ended: its request has its outcome, and
 * the message that shows it does not wait for our spacing. False: the table is full of more urgent
 * ones and this row (or one that it pushed out) has to be listed again later. Dead rows and rows
 * that are not owed are not taken (true). */
bool sendplan_put(struct sendplan *plan, const struct outbox_row *row, bool ended, uint64_t now_ms);
/* A listing of all owed rows of one request: call begin, put each row, then end, which drops those
 * that are no longer owed. */
void sendplan_list_begin(struct sendplan *plan, const struct request_id *id);
void sendplan_list_end(struct sendplan *plan, const struct request_id *id, uint64_t now_ms);
/* By which method is this row of Slack's sent? */
enum sendplan_method sendplan_method_of(const struct sendplan_row *row);
/* Messages that wait for their change. */
uint32_t sendplan_change_count(const struct sendplan *plan);
/* The row to attempt now, or NULL. */
struct sendplan_row *
sendplan_next(struct sendplan *plan, const struct sendplan_limits *limits, uint64_t now_ms);
/* When sendplan_next should be asked again, wall ms; UINT64_MAX: not before something changes. */
uint64_t sendplan_due_ms(const struct sendplan *plan, const struct sendplan_limits *limits);
/* The attempt begins. */
void sendplan_start(struct sendplan *plan, struct sendplan_row *row);
/* It cannot be sent before (wall): where it goes takes no more now. */
void sendplan_wait(struct sendplan_row *row, uint64_t until_ms);
/* The attempt is over. hold_ms > 0: leave the row alone until then (wall); spaced: only to space
 * changes of a message that shows no outcome yet. Whether it is still owed is told by the next
 * listing. */
void sendplan_finish(struct sendplan *plan,
                     struct sendplan_row *row,
                     uint64_t hold_ms,
                     bool spaced);
/* Slack is back: what failed before is due at once, not after its back-off. */
void sendplan_reach(struct sendplan *plan, uint64_t now_ms);
/* Slack asked for a pause (429): rows that need the same method as this one wait until then, the
 * others go on; this one is due then, not after its back-off, as nothing has failed. Nothing for
 * webhooks. */
void sendplan_hold_method(struct sendplan *plan, struct sendplan_row *row, uint64_t until_ms);

/* Is there a message in doubt, or one that is gone and posted anew? */
bool sendplan_has_repairs(const struct sendplan *plan);

bool sendplan_invariant(const struct sendplan *plan);

#endif

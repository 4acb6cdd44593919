/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h: the rules of one outbox row: what is owed, what an attempt's result means, when to try
 * again and when to give up. Pure.
 *
 * A card or a direct message is level-triggered: wanted > sent is owed, however many changes lie
 * between. A thread, a notice and a webhook hold an ordered list; the oldest is sent first. */
#ifndef APPROVALD_CORE_OUTBOX_H
#define APPROVALD_CORE_OUTBOX_H

#include "approvald/core/types.h"
#include "base/err.h"

/* What became of an attempt, as its sender knows it. */
enum outbox_result {
    OUTBOX_SENT = 1, /* revision (card, direct) is shown, or item_id was delivered */
    OUTBOX_RETRY,    /* certainly not done, by this attempt or an earlier one; try again later */
    OUTBOX_UNKNOWN,  /* it may have been done: reconcile before repeating */
    OUTBOX_DEAD,     /* permanent: dead letter */
    OUTBOX_DROP,     /* nobody waits for it any more (a notice that came too late) */
    OUTBOX_LOST,     /* the message is gone: forget channel and ts, post again, a limited number of
                        times (CORE_REPOST_COUNT_MAX), then it is a dead letter */
};

struct outbox_outcome {
    enum outbox_result result;
    uint32_t revision;
    uint32_t item_id;
    struct span channel; /* where Slack put it; empty: unchanged */
    struct span ts;
    struct span error; /* for the admin; empty when sent; cut at CORE_ERROR_SIZE_MAX */
};

/* Where the row belongs after a change. */
enum outbox_place {
    OUTBOX_OWED = 1, /* work is left, or it is dead and waits for the admin */
    OUTBOX_SETTLED,  /* nothing is owed; channel and ts are kept for the next change */
    OUTBOX_GONE,     /* nothing is owed and nothing is worth keeping */
};

/* True for surfaces that show a revision (card, direct, people), false for ordered lists. */
bool outbox_is_level(enum surface surface);
/* Level rows that are a message: a card, a direct message about a request. */
bool outbox_is_shown(enum surface surface);
/* Is it a copy of a card in a person's direct messages? Else a card is in a channel. */
bool outbox_is_copy(const struct outbox_row *row);
/* An empty row: nothing is owed yet. target is borrowed. */
void outbox_init(struct outbox_row *row,
                 const struct request_id *request,
                 enum surface surface,
                 struct span target);
/* Level rows: revision should be shown. A dead row lives again, except one whose message was
 * deleted again and again: only outbox_replay revives it. */
void outbox_raise(struct outbox_row *row, uint32_t revision, uint64_t now_ms);
/* Level rows: whatever is shown is in doubt; the wanted revision is owed again. */
void outbox_doubt(struct outbox_row *row, uint64_t now_ms);
/* Level rows: the message was seen to show something else. As outbox_doubt, but no more than
 * CORE_REPAIR_COUNT_MAX times between two changes: false, and nothing is changed. */
bool outbox_repair(struct outbox_row *row, uint64_t now_ms) WARN_UNUSED;
/* List rows: one more. A notice beyond the limit pushes the oldest out; elsewhere ERR_FULL. */
enum err_code
outbox_add(struct outbox_row *row, const struct outbox_item *item, struct err *err) WARN_UNUSED;
bool outbox_is_owed(const struct outbox_row *row);
/* An attempt begins. The row must be owed and not dead. */
void outbox_begin(struct outbox_row *row, uint64_t now_ms);
/* Its result. Late and repeated results are harmless. *ret_died: it became a dead letter now. */
enum outbox_place outbox_end(struct outbox_row *row,
                             const struct outbox_outcome *outcome,
                             uint64_t now_ms,
                             bool *ret_died);
/* A dead row lives again, as if new. */
void outbox_replay(struct outbox_row *row, uint64_t now_ms);
enum outbox_place outbox_place(const struct outbox_row *row);
/* When the next attempt is due, wall ms: owed_ms at first, then attempt_ms + backoff. draw is
 * random, the jitter; the same draw gives the same time. */
uint64_t outbox_due_ms(const struct outbox_row *row, uint32_t draw);
/* When it is given up. */
uint64_t outbox_give_up_ms(const struct outbox_row *row);

bool outbox_row_invariant(const struct outbox_row *row);

#endif

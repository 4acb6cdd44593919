/* SPDX-License-Identifier: Apache-2.0 */
/* cardcheck.h: compares live cards with what Slack shows. Pure: a bounded window of cards, the next
 * page of a history to ask for, and what was found.
 *
 * The cards of a window are looked for channel by channel, from the newest down. A page is asked
 * from a little above the newest card that is not judged yet (copies of it stand there, if there
 * are any), so gaps without cards cost nothing, and each page judges a card or comes nearer to one.
 * Nothing is kept between windows: a sweep can be given up and begun anew at any moment.
 *
 * A card that is not where it should be is only doubted: the sender's update will tell for certain
 * whether it is gone, so a history that leaves something out makes no second card.
 *
 * Order of calls: begin; add while has_room; close; then next → see for each message → answer (or
 * blind, or skip) until next says no; take at any time in between, take_copy when it has said no.
 *
 * Invariants: pages of one channel go strictly down; a window of n cards is done after at most
 * n × 2 + channels × SLACK_CHECK_SPARE_PAGES pages, whatever Slack answers; each card gets one
 * verdict and is taken at most once. */
#ifndef APPROVALD_SLACK_OUTBOUND_CARDCHECK_H
#define APPROVALD_SLACK_OUTBOUND_CARDCHECK_H

#include "approvald/service/cards.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/cardseen.h"

enum cardcheck_verdict {
    CHECK_OPEN,    /* not looked for yet */
    CHECK_GOOD,    /* it shows what it should */
    CHECK_STALE,   /* it shows another revision, or something else */
    CHECK_MISSING, /* it is not in the history */
    CHECK_BLIND,   /* the history may not be read */
    CHECK_SKIPPED, /* the history could not be read, or is too long: the next sweep */
};

struct cardcheck_card {
    struct service_card card;
    uint64_t at_us; /* its ts */
    enum cardcheck_verdict verdict;
    bool taken;
};

/* A second message for a request whose card is another one. */
struct cardcheck_copy {
    uint32_t index; /* of the card */
    char ts[SLACK_TS_SIZE_MAX + 1];
};

struct cardcheck_page {
    const char *channel; /* valid until the window ends */
    uint64_t latest_us;  /* inclusive; UINT64_MAX: from now */
    uint64_t newest_us;  /* the newest card that it is asked for: Slack's clock, unlike ours */
    uint64_t oldest_us;  /* inclusive */
};

struct cardcheck {
    struct cardcheck_card cards[SLACK_CHECK_CARD_COUNT_MAX]; /* closed: by channel, newest first */
    uint32_t count;
    struct cardcheck_copy copies[SLACK_CHECK_COPY_COUNT_MAX];
    uint32_t copy_count;
    bool newest; /* the sweep's first window: pages begin now */
    bool asked;  /* page is under way */
    struct cardcheck_page page;
    uint32_t group_first; /* the channel under way */
    uint32_t group_end;   /* 0: none yet */
    uint32_t group_pages;
    uint64_t low_us; /* of the group: all at or above is judged; UINT64_MAX: nothing is */
};

/* What a sweep found, for status and metrics; added up by cardcheck_count. */
struct cardcheck_counts {
    uint64_t good;
    uint64_t stale;
    uint64_t missing;
    uint64_t blind;
    uint64_t skipped;
};

/* An empty window. newest: the sweep's first. */
void cardcheck_begin(struct cardcheck *check, bool newest);
/* For a whole page of service_cards_list. */
bool cardcheck_has_room(const struct cardcheck *check);
void cardcheck_add(struct cardcheck *check, const struct service_card *card);
void cardcheck_close(struct cardcheck *check);
/* The page to ask for; the same again while it is not answered. False: the window is done. */
bool cardcheck_next(struct cardcheck *check, struct cardcheck_page *ret_page);
/* A card of ours on the page under way. */
void cardcheck_see(struct cardcheck *check, const struct cardseen *seen);
/* The page is over. low_us: the ts of its oldest message, whosever it is; 0: it was empty. more:
 * there is more below. */
void cardcheck_answer(struct cardcheck *check, uint64_t low_us, bool more);
/* Instead: the history of this channel may not be read, or cannot be read now. */
void cardcheck_blind(struct cardcheck *check);
void cardcheck_skip(struct cardcheck *check);

/* Cards to put right, at most count_max, each once. A card of an ended request that is gone is
 * left so: somebody tidied up. */
size_t cardcheck_take(struct cardcheck *check, struct service_card_item *items, size_t count_max);
/* A copy, each once: to be confirmed in the store (not as a repair) before it is removed. */
bool cardcheck_take_copy(struct cardcheck *check,
                         struct service_card_item *ret_item,
                         const char **ret_channel,
                         char ret_ts[SLACK_TS_SIZE_MAX + 1]);
/* Adds the verdicts of a done window. */
void cardcheck_count(const struct cardcheck *check, struct cardcheck_counts *counts);

bool cardcheck_invariant(const struct cardcheck *check);

#endif

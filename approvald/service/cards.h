/* SPDX-License-Identifier: Apache-2.0 */
/* cards.h: what the reconciler asks of the store: which cards should show what, and to put those
 * right that show something else. Loop thread; answers as in service.h. */
#ifndef APPROVALD_SERVICE_CARDS_H
#define APPROVALD_SERVICE_CARDS_H

#include "approvald/service/service.h"

/* A card, or another message that shows how a request stands, which is posted and for which nothing
 * is owed. */
struct service_card {
    uint32_t sent;     /* the revision that it shows, for all that is known */
    uint32_t revision; /* the newest one: it may show this, too */
    struct service_row_key key;
    bool pending; /* else the request has ended */
    char channel[CORE_SLACK_ID_SIZE_MAX + 1];
    char ts[CORE_SLACK_TS_SIZE_MAX + 1];
};

/* Newest requests first. more: page on from *next. */
struct service_cards {
    bool direct;                      /* some of these requests may have cards in direct messages */
    const struct service_card *cards; /* valid during the call */
    size_t count;
    bool more;
    struct request_id next;
};
/* cards is never NULL; empty when rc is not ERR_OK. */
typedef void service_cards_fn(void *arg,
                              enum err_code rc,
                              const struct err *err,
                              const struct service_cards *cards);
/* Which cards are listed. */
struct service_cards_query {
    bool ended;  /* of requests that ended and are younger than SERVICE_CARD_ENDED_MS; else of
                    pending ones */
    bool direct; /* those in direct messages, outcomes too; else those in channels */
};
/* before: only older requests; NULL: from the newest. A page may be empty
 * and yet have more. */
enum err_code service_cards_list(struct service *service,
                                 const struct service_cards_query *query,
                                 const struct request_id *before,
                                 service_cards_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;

enum service_card_fate {
    CARD_HELD = 1, /* it is as it was listed; in doubt now, if that was asked for */
    CARD_MOVED,    /* it has changed since, or something is owed: the sender sees to it */
    CARD_STUCK,    /* it was put right as often as is reasonable, without lasting success */
};
struct service_card_item {
    uint32_t sent;
    enum service_card_fate fate; /* the answer */
    struct service_row_key key;
    bool repair; /* its message is missing or shows something else: owe it again */
    char ts[CORE_SLACK_TS_SIZE_MAX + 1]; /* as listed */
};
/* items are those of the call, in order, with their fates; NULL when rc is not ERR_OK. */
typedef void service_card_items_fn(void *arg,
                                   enum err_code rc,
                                   const struct err *err,
                                   const struct service_card_item *items,
                                   size_t count);
/* 1 … SERVICE_CARD_ITEM_COUNT_MAX items, which are copied. One transaction; nothing is owed twice,
 * and no card is put right more often than core/outbox.h allows. */
enum err_code service_cards_settle(struct service *service,
                                   const struct service_card_item *items,
                                   size_t count,
                                   service_card_items_fn *done,
                                   void *arg,
                                   struct err *err) WARN_UNUSED;

/* These people get a copy of the card in their direct messages, unless they have one, or the
 * request has ended. One transaction; the same again changes nothing. At most
 * CORE_DIRECT_COUNT_MAX, and a request has at most CORE_COPY_COUNT_MAX: those beyond get none.
 * ERR_NOT_FOUND: no such request. */
enum err_code service_cards_give(struct service *service,
                                 const struct request_id *id,
                                 const struct span *users,
                                 uint32_t count,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;

enum service_doubt {
    SERVICE_DOUBT_WRONG, /* a message of ours is gone, or somebody pressed one that is out of date
                          */
    SERVICE_DOUBT_LATE   /* nobody knows what became of a call about one that got out: it may
                            arrive later */
};

/* Called on the loop: there may be more of the kind. One listener. */
typedef void service_doubted_fn(void *arg, enum service_doubt doubt);
void service_cards_listen(struct service *service, service_doubted_fn *doubted, void *arg);

/* refresh.c. As service_refresh for a card on which somebody pressed that button, when a card of
 * this state has none such; not for what was changed a moment ago, and not for ever. */
enum err_code service_refresh_pressed(struct service *service,
                                      const struct request_id *id,
                                      enum verdict verdict,
                                      service_done_fn *done,
                                      void *arg,
                                      struct err *err) WARN_UNUSED;

#endif

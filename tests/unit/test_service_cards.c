/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_cards.c: proves what the reconciler is told about cards, and that it puts right only
 * what is as it saw it.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/service/cards.h"

#include "approvald/core/request_id.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ONE "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"} }\n"
#define TS  "1700000000.000100"

struct listed {
    bool done;
    enum err_code rc;
    bool more;
    bool direct;
    struct request_id next;
    size_t count;
    struct service_card cards[300];
};

static void
on_cards(void *arg, enum err_code rc, const struct err *err, const struct service_cards *cards)
{
    struct listed *out = arg;

    (void)err; /* the code is enough */
    out->done = true;
    out->rc = rc;
    out->more = cards->more;
    out->direct = out->direct || cards->direct;
    out->next = cards->next;
    CU_ASSERT_FATAL(out->count + cards->count <= 300);
    memcpy(out->cards + out->count, cards->cards, cards->count * sizeof cards->cards[0]);
    out->count += cards->count;
}

static void
list_of(struct service_kit *kit, const struct service_cards_query *wanted, struct listed *out)
{
    const struct service_cards_query query = *wanted;
    struct err err = ERR_INIT;

    memset(out, 0, sizeof *out);
    do {
        struct request_id before = out->next;
        const struct request_id *from = out->done ? &before : NULL;

        out->done = false;
        CU_ASSERT_EQUAL_FATAL(service_cards_list(kit->service, &query, from, on_cards, out, &err),
                              ERR_OK);
        service_kit_wait(kit, &out->done);
        CU_ASSERT_EQUAL_FATAL(out->rc, ERR_OK);
    } while (out->more);
}

static void list(struct service_kit *kit, bool ended, struct listed *out)
{
    list_of(kit, &(struct service_cards_query){.ended = ended}, out);
}

struct settled {
    bool done;
    enum err_code rc;
    size_t count;
    enum service_card_fate fates[SERVICE_CARD_ITEM_COUNT_MAX];
};

static void on_settled(void *arg,
                       enum err_code rc,
                       const struct err *err,
                       const struct service_card_item *items,
                       size_t count)
{
    struct settled *out = arg;

    (void)err; /* the code is enough */
    out->done = true;
    out->rc = rc;
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        out->fates[i] = items[i].fate;
    }
}

static enum service_card_fate
settle(struct service_kit *kit, const struct service_card *card, bool repair)
{
    struct service_card_item item = {.key = card->key, .sent = card->sent, .repair = repair};
    struct settled out = {.done = false};
    struct err err = ERR_INIT;

    memcpy(item.ts, card->ts, sizeof item.ts);
    CU_ASSERT_EQUAL_FATAL(service_cards_settle(kit->service, &item, 1, on_settled, &out, &err),
                          ERR_OK);
    service_kit_wait(kit, &out.done);
    CU_ASSERT(out.rc == ERR_OK && out.count == 1);
    return out.fates[0];
}

static void show_in(struct service_kit *kit,
                    const struct request_id *id,
                    const char *channel,
                    uint32_t revision)
{
    struct service_row_key key = kit_key(id, SURFACE_CARD, channel);
    struct service_outcome outcome = {.result = OUTBOX_SENT,
                                      .revision = revision,
                                      .channel = span_text(channel),
                                      .ts = SPAN_LITERAL(TS)};

    CU_ASSERT_EQUAL(kit_begin(kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(kit, &key, &outcome), ERR_OK);
}

static void show(struct service_kit *kit, const struct request_id *id, uint32_t revision)
{
    show_in(kit, id, "C0CARDS", revision);
}

static struct request_id ask(struct service_kit *kit)
{
    struct kit_answer made = kit_create(kit, "deploy", "");

    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    return made.id;
}

static void every_posted_card_is_listed_once_newest_first(void)
{
    struct service_kit kit;
    struct listed listed;
    struct request_id first;
    struct request_id owed;

    service_kit_open_with(&kit, ONE);
    first = ask(&kit);
    show(&kit, &first, 1);
    for (int i = 0; i < 149; i++) { /* more than a page */
        struct request_id id;

        service_kit_pass(&kit, 1);
        id = ask(&kit);
        show(&kit, &id, 1);
    }
    owed = ask(&kit); /* its card is the sender's business */
    list(&kit, false, &listed);
    CU_ASSERT_EQUAL_FATAL(listed.count, 150);
    for (size_t i = 0; i < listed.count; i++) {
        const struct service_card *card = &listed.cards[i];

        CU_ASSERT(i == 0 ||
                  request_id_compare(&listed.cards[i - 1].key.request, &card->key.request) > 0);
        CU_ASSERT_FALSE(request_id_equal(&card->key.request, &owed));
        CU_ASSERT(card->sent == 1 && card->revision == 1 && card->pending);
        CU_ASSERT_STRING_EQUAL(card->channel, "C0CARDS");
        CU_ASSERT_STRING_EQUAL(card->ts, TS);
    }
    list(&kit, true, &listed);
    CU_ASSERT_EQUAL(listed.count, 0);
    service_kit_close(&kit);
}

/* Pages are of so many cards; no request is on two of them. */
static void all_cards_of_a_request_are_on_one_page(void)
{
    static const char *const channels[] = {"C0CARDS", "C0FOUR", "C0THREE", "C0TWO"};
    struct service_kit kit;
    struct listed listed;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit,
                  "policy deploy { channels = {\"C0CARDS\", \"C0TWO\", \"C0THREE\", \"C0FOUR\"} "
                  "approvers = {\"U0ANN\", \"U0BOB\"} }\n",
                  false, false)
            .rc,
        ERR_OK);
    for (int i = 0; i < 70; i++) { /* 280 cards are more than a page, and so are 70 requests */
        struct request_id id;

        service_kit_pass(&kit, 1);
        id = ask(&kit);
        for (size_t j = 0; j < 4; j++) {
            show_in(&kit, &id, channels[j], 1);
        }
    }
    list(&kit, false, &listed);
    CU_ASSERT_EQUAL_FATAL(listed.count, 280);
    for (size_t i = 0; i < listed.count; i++) {
        const struct service_card *card = &listed.cards[i];

        CU_ASSERT_STRING_EQUAL(card->channel, channels[i % 4]);
        CU_ASSERT(i % 4 == 0 ||
                  request_id_equal(&listed.cards[i - 1].key.request, &card->key.request));
    }
    service_kit_close(&kit);
}

static void cards_of_ended_requests_are_listed_for_a_day(void)
{
    struct service_kit kit;
    struct listed listed;
    struct request_id id;

    service_kit_open_with(&kit, ONE);
    id = ask(&kit);
    show(&kit, &id, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    list(&kit, true, &listed);
    CU_ASSERT_EQUAL(listed.count, 0); /* owed: it still has to show the outcome */
    show(&kit, &id, 2);
    list(&kit, true, &listed);
    CU_ASSERT(listed.count == 1 && listed.cards[0].sent == 2 && !listed.cards[0].pending);
    list(&kit, false, &listed);
    CU_ASSERT_EQUAL(listed.count, 0);
    service_kit_pass(&kit, SERVICE_CARD_ENDED_MS + 1);
    (void)ask(&kit); /* so that the store's clock has moved */
    list(&kit, true, &listed);
    CU_ASSERT_EQUAL(listed.count, 0);
    service_kit_close(&kit);
}

static void a_card_is_put_right_as_it_was_seen_or_not_at_all(void)
{
    struct service_kit kit;
    struct listed listed;
    struct service_card old;
    struct request_id id;

    service_kit_open_with(&kit, ONE);
    id = ask(&kit);
    show(&kit, &id, 1);
    list(&kit, false, &listed);
    CU_ASSERT_EQUAL_FATAL(listed.count, 1);
    old = listed.cards[0];
    CU_ASSERT_EQUAL(settle(&kit, &old, false), CARD_HELD);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 0);
    CU_ASSERT_EQUAL(settle(&kit, &old, true), CARD_HELD);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 1);
    CU_ASSERT(request_id_equal(&kit.changed, &id));        /* the sender hears of it */
    CU_ASSERT_EQUAL(settle(&kit, &old, true), CARD_MOVED); /* owed already */
    show(&kit, &id, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    show(&kit, &id, 2);
    CU_ASSERT_EQUAL(settle(&kit, &old, true), CARD_MOVED); /* another revision */
    old.sent = 2;
    old.ts[0] = '9';
    CU_ASSERT_EQUAL(settle(&kit, &old, true), CARD_MOVED); /* another message */
    service_kit_close(&kit);
}

static void a_card_that_stays_wrong_is_stuck_also_after_a_restart(void)
{
    struct service_kit kit;
    struct listed listed;
    struct request_id id;

    service_kit_open_with(&kit, ONE);
    id = ask(&kit);
    show(&kit, &id, 1);
    list(&kit, false, &listed);
    CU_ASSERT_EQUAL_FATAL(listed.count, 1);
    for (int i = 0; i < CORE_REPAIR_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL(settle(&kit, &listed.cards[0], true), CARD_HELD);
        show(&kit, &id, 1);
        service_kit_restart(&kit);
    }
    CU_ASSERT_EQUAL(settle(&kit, &listed.cards[0], true), CARD_STUCK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 0);
    service_kit_close(&kit);
}

/* Nobody asked for it and everybody relies on it. */
static void what_the_requester_was_told_is_listed_too(void)
{
    const struct service_cards_query told = {.ended = true, .direct = true};
    struct service_kit kit;
    struct listed listed;
    struct request_id id;
    struct service_row_key key;
    struct service_outcome sent = {.result = OUTBOX_SENT,
                                   .revision = 2,
                                   .channel = SPAN_LITERAL("D0REQ"),
                                   .ts = SPAN_LITERAL(TS)};

    service_kit_open_with(&kit, ONE);
    id = ask(&kit);
    show(&kit, &id, 1);
    list(&kit, false, &listed);
    CU_ASSERT(listed.count == 1 && !listed.direct); /* nothing that costs a question per person */
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    show(&kit, &id, 2);
    key = kit_key(&id, SURFACE_DIRECT, "U0ASKER");
    CU_ASSERT_EQUAL_FATAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &sent), ERR_OK);
    list(&kit, true, &listed);
    CU_ASSERT(listed.count == 1 && listed.direct);
    list_of(&kit, &told, &listed);
    CU_ASSERT_EQUAL_FATAL(listed.count, 1);
    CU_ASSERT(listed.cards[0].key.surface == SURFACE_DIRECT && listed.cards[0].sent == 2);
    CU_ASSERT_STRING_EQUAL(listed.cards[0].channel, "D0REQ");
    CU_ASSERT_EQUAL(settle(&kit, &listed.cards[0], true), CARD_HELD);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK); /* owed again */
    service_kit_close(&kit);
}

UNIT_MAIN("service_cards",
          {"every posted card is listed once, newest first",
           every_posted_card_is_listed_once_newest_first},
          {"all cards of a request are on one page", all_cards_of_a_request_are_on_one_page},
          {"cards of ended requests are listed for a day",
           cards_of_ended_requests_are_listed_for_a_day},
          {"a card is put right as it was seen or not at all",
           a_card_is_put_right_as_it_was_seen_or_not_at_all},
          {"what the requester was told is listed too", what_the_requester_was_told_is_listed_too},
          {"a card that stays wrong is stuck, also after a restart",
           a_card_that_stays_wrong_is_stuck_also_after_a_restart})

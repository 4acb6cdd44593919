/* SPDX-License-Identifier: Apache-2.0 */
/* cardcheck.c: compares live cards with what Slack shows.
 * Owns which page is asked for, what a page proves, and each card's verdict.
 * Never asks Slack or the store, never repairs anything. Pure. */
#include "approvald/slack/outbound/cardcheck.h"

#include "approvald/core/request_id.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void cardcheck_begin(struct cardcheck *check, bool newest)
{
    check->count = 0;
    check->copy_count = 0;
    check->newest = newest;
    check->asked = false;
    check->group_first = 0;
    check->group_end = 0;
    check->group_pages = 0;
    check->low_us = UINT64_MAX;
}

bool cardcheck_has_room(const struct cardcheck *check)
{
    return check->count + SERVICE_CARD_PAGE_COUNT_MAX <= SLACK_CHECK_CARD_COUNT_MAX;
}

void cardcheck_add(struct cardcheck *check, const struct service_card *card)
{
    struct cardcheck_card *slot = &check->cards[check->count];

    ASSERT(check->count < SLACK_CHECK_CARD_COUNT_MAX);
    *slot = (struct cardcheck_card){.card = *card, .verdict = CHECK_OPEN};
    if (!cardseen_time(span_text(card->ts), &slot->at_us)) {
        slot->verdict = CHECK_SKIPPED; /* never by Slack; nothing that could be looked for */
    }
    check->count++;
}

static int by_channel_newest_first(const void *a, const void *b)
{
    const struct cardcheck_card *left = a;
    const struct cardcheck_card *right = b;
    int order = strcmp(left->card.channel, right->card.channel);

    if (order != 0) {
        return order;
    }
    return left->at_us == right->at_us ? 0 : left->at_us > right->at_us ? -1 : 1;
}

void cardcheck_close(struct cardcheck *check)
{
    qsort(check->cards, check->count, sizeof check->cards[0], by_channel_newest_first);
    ASSERT(cardcheck_invariant(check));
}

bool cardcheck_invariant(const struct cardcheck *check)
{
    if (check->count > SLACK_CHECK_CARD_COUNT_MAX ||
        check->copy_count > SLACK_CHECK_COPY_COUNT_MAX || check->group_first > check->group_end ||
        check->group_end > check->count) {
        return false;
    }
    for (uint32_t i = 0; i < check->group_first; i++) {
        if (check->cards[i].verdict == CHECK_OPEN) {
            return false;
        }
    }
    return !check->asked || (check->group_end > 0 && check->page.latest_us < check->low_us) ||
           check->page.latest_us == UINT64_MAX;
}

/* The first card of the group that is not judged, or group_end. */
static uint32_t first_open(const struct cardcheck *check)
{
    uint32_t i = check->group_first;

    while (i < check->group_end && check->cards[i].verdict != CHECK_OPEN) {
        i++;
    }
    return i;
}

/* The next channel. */
static void open_group(struct cardcheck *check)
{
    uint32_t end = check->group_end;

    check->group_first = end;
    while (end < check->count && strcmp(check->cards[end].card.channel,
                                        check->cards[check->group_first].card.channel) == 0) {
        end++;
    }
    check->group_end = end;
    check->group_pages = 0;
    check->low_us = UINT64_MAX;
}

/* What is left of the group gets this verdict. */
static void close_group(struct cardcheck *check, enum cardcheck_verdict verdict)
{
    for (uint32_t i = first_open(check); i < check->group_end; i++) {
        if (check->cards[i].verdict == CHECK_OPEN) {
            check->cards[i].verdict = verdict;
        }
    }
    check->asked = false;
}

static uint64_t latest_of(const struct cardcheck *check, const struct cardcheck_card *card)
{
    uint64_t above_us = card->at_us + SLACK_CHECK_MARGIN_US;

    if (check->low_us == UINT64_MAX) {
        return check->newest ? UINT64_MAX : above_us;
    }
    return above_us < check->low_us ? above_us : check->low_us - 1;
}

bool cardcheck_next(struct cardcheck *check, struct cardcheck_page *ret_page)
{
    uint32_t at = first_open(check);

    while (!check->asked) {
        uint32_t pages_max = 2 * (check->group_end - check->group_first) + SLACK_CHECK_SPARE_PAGES;

        if (at < check->group_end && check->group_pages == pages_max) {
            close_group(check, CHECK_SKIPPED);
            at = check->group_end;
        }
        if (at == check->group_end && at == check->count) {
            return false;
        }
        if (at == check->group_end) {
            open_group(check);
            at = first_open(check);
            continue;
        }
        check->group_pages++;
        check->asked = true;
        check->page = (struct cardcheck_page){
            .channel = check->cards[at].card.channel,
            .latest_us = latest_of(check, &check->cards[at]),
            .newest_us = check->cards[at].at_us,
            .oldest_us = check->cards[check->group_end - 1].at_us,
        };
    }
    ASSERT(cardcheck_invariant(check));
    *ret_page = check->page;
    return true;
}

/* Two messages in one place may be about one request: somebody's own that he may approve. */
static bool is_of(const struct service_card *card, const struct cardseen *seen)
{
    return request_id_equal(&card->key.request, &seen->request) &&
           (card->key.surface == SURFACE_DIRECT) == seen->direct;
}

static bool shows_right(const struct service_card *card, const struct cardseen *seen)
{
    return !seen->altered && is_of(card, seen) && seen->revision >= card->sent &&
           seen->revision <= card->revision;
}

static void note_copy(struct cardcheck *check, uint32_t index, const struct cardseen *seen)
{
    for (uint32_t i = 0; i < check->copy_count; i++) {
        if (check->copies[i].index == index && strcmp(check->copies[i].ts, seen->ts) == 0) {
            return;
        }
    }
    if (check->copy_count < SLACK_CHECK_COPY_COUNT_MAX) { /* more: the next sweep sees them */
        struct cardcheck_copy *copy = &check->copies[check->copy_count++];

        copy->index = index;
        memcpy(copy->ts, seen->ts, sizeof copy->ts);
    }
}

static void judge(struct cardcheck_card *card, const struct cardseen *seen)
{
    if (card->verdict == CHECK_OPEN) {
        card->verdict = shows_right(&card->card, seen) ? CHECK_GOOD : CHECK_STALE;
    }
}

void cardcheck_see(struct cardcheck *check, const struct cardseen *seen)
{
    uint32_t other = check->group_end;

    ASSERT(check->asked);
    for (uint32_t i = check->group_first; i < check->group_end; i++) {
        struct cardcheck_card *card = &check->cards[i];

        if (card->at_us == seen->at_us) {
            judge(card, seen);
            return;
        }
        if (is_of(&card->card, seen)) {
            other = i;
        }
    }
    if (other < check->group_end) {
        note_copy(check, other, seen);
    }
}

void cardcheck_answer(struct cardcheck *check, uint64_t low_us, bool more)
{
    uint64_t reach_us = more ? low_us : check->page.oldest_us;

    ASSERT(check->asked);
    if (more && (low_us == 0 || low_us > check->page.latest_us)) {
        close_group(check, CHECK_SKIPPED); /* Slack leads us round in circles */
        return;
    }
    for (uint32_t i = check->group_first; i < check->group_end; i++) {
        struct cardcheck_card *card = &check->cards[i];

        if (card->verdict == CHECK_OPEN && card->at_us >= reach_us) {
            card->verdict = CHECK_MISSING;
        }
    }
    check->low_us = reach_us;
    check->asked = false;
    ASSERT(cardcheck_invariant(check));
}

void cardcheck_blind(struct cardcheck *check)
{
    ASSERT(check->asked);
    close_group(check, CHECK_BLIND);
}

void cardcheck_skip(struct cardcheck *check)
{
    ASSERT(check->asked);
    close_group(check, CHECK_SKIPPED);
}

static bool needs_repair(const struct cardcheck_card *card)
{
    return card->verdict == CHECK_STALE || (card->verdict == CHECK_MISSING && card->card.pending);
}

static void make_item(const struct service_card *card, bool repair, struct service_card_item *item)
{
    *item = (struct service_card_item){.key = card->key, .sent = card->sent, .repair = repair};
    memcpy(item->ts, card->ts, sizeof item->ts);
}

size_t cardcheck_take(struct cardcheck *check, struct service_card_item *items, size_t count_max)
{
    size_t count = 0;

    for (uint32_t i = 0; i < check->count && count < count_max; i++) {
        struct cardcheck_card *card = &check->cards[i];

        if (!card->taken && needs_repair(card)) {
            card->taken = true;
            make_item(&card->card, true, &items[count]);
            count++;
        }
    }
    return count;
}

bool cardcheck_take_copy(struct cardcheck *check,
                         struct service_card_item *ret_item,
                         const char **ret_channel,
                         char ret_ts[SLACK_TS_SIZE_MAX + 1])
{
    const struct cardcheck_copy *copy;
    const struct service_card *card;

    /* While its card is not found good, the copy may be all that people have. */
    while (check->copy_count > 0) {
        copy = &check->copies[--check->copy_count];
        if (check->cards[copy->index].verdict == CHECK_GOOD) {
            card = &check->cards[copy->index].card;
            make_item(card, false, ret_item);
            *ret_channel = card->channel;
            memcpy(ret_ts, copy->ts, sizeof copy->ts);
            return true;
        }
    }
    return false;
}

void cardcheck_count(const struct cardcheck *check, struct cardcheck_counts *counts)
{
    for (uint32_t i = 0; i < check->count; i++) {
        switch (check->cards[i].verdict) {
        case CHECK_GOOD:
            counts->good++;
            break;
        case CHECK_STALE:
            counts->stale++;
            break;
        case CHECK_MISSING:
            counts->missing++;
            break;
        case CHECK_BLIND:
            counts->blind++;
            break;
        case CHECK_OPEN:
        case CHECK_SKIPPED:
            counts->skipped++;
            break;
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_copies.c: proves that the copies of a card in direct messages are rows of their own,
 * made once, raised by every change, and that none stands in another's way.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/service/cards.h"

#include "approvald/core/audit.h"
#include "approvald/core/request_id.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define POLICY                                                                                     \
    "policy deploy { channel = \"C0CARDS\" direct_approvers = true approvers = {\"U0ANN\", "       \
    "\"U0BOB\", \"S0TEAM\"} quorum = 2 expires_after = 1h remind_before = 10m }\n"                 \
    "policy plain { channel = \"C0CARDS\" approvers = {\"U0ANN\"} }\n"
#define TS "1700000000.000100"

static enum err_code
give(struct service_kit *kit, const struct request_id *id, const struct span *users, uint32_t count)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        service_cards_give(kit->service, id, users, count, kit_on_done, &answer, &err), ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer.rc;
}

static const struct span two[] = {{"U0ANN", 5}, {"U0BOB", 5}};

static struct request_id ask(struct service_kit *kit)
{
    return kit_open_asked(kit, POLICY, "deploy").id;
}

/* What is owed of the surface at the target; 0: nothing. */
static uint32_t wanted(const struct kit_rows *rows, enum surface surface, const char *target)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].surface == surface && strcmp(rows->rows[i].target, target) == 0) {
            return surface == SURFACE_THREAD ? rows->rows[i].item_count : rows->rows[i].wanted;
        }
    }
    return 0;
}

static void end(struct service_kit *kit,
                const struct request_id *id,
                const char *target,
                enum outbox_result result,
                uint32_t revision)
{
    struct service_row_key key = kit_key(id, SURFACE_CARD, target);
    struct service_outcome outcome = {.result = result, .revision = revision};

    if (result == OUTBOX_SENT) {
        outcome.channel = SPAN_LITERAL("D0SOMEBODY");
        outcome.ts = SPAN_LITERAL(TS);
    }
    CU_ASSERT_EQUAL(kit_begin(kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(kit, &key, &outcome), ERR_OK);
}

static void a_request_owes_that_people_are_found(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    struct kit_rows rows = kit_owed(&kit, &id, false);
    struct service_row_key key = kit_key(&id, SURFACE_PEOPLE, ROUTE_TARGET);
    struct service_outcome outcome = {.result = OUTBOX_SENT, .revision = 1};

    CU_ASSERT(rows.count == 2 && wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET) == 1);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &outcome), ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(rows.count == 1 && wanted(&rows, SURFACE_CARD, "C0CARDS") == 1);
    {
        struct kit_answer plain = kit_create(&kit, "plain", "");

        rows = kit_owed(&kit, &plain.id, false);
        CU_ASSERT(rows.count == 1 && wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET) == 0);
        CU_ASSERT_EQUAL(give(&kit, &plain.id, two, 2), ERR_OK); /* its policy sends none */
        CU_ASSERT_EQUAL(kit_owed(&kit, &plain.id, false).count, 1);
    }
    service_kit_close(&kit);
}

static void copies_are_made_once_and_raised_by_every_change(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    struct kit_rows rows;

    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    CU_ASSERT(request_id_equal(&kit.changed, &id)); /* the sender hears of it */
    end(&kit, &id, "U0ANN", OUTBOX_SENT, 1);
    service_kit_restart(&kit);
    kit.changed_count = 0;
    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK); /* after a crash between the two steps */
    CU_ASSERT_EQUAL(kit.changed_count, 0);            /* it changes nothing: nobody looks */
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(wanted(&rows, SURFACE_CARD, "U0ANN") == 0 &&
              wanted(&rows, SURFACE_CARD, "U0BOB") == 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(wanted(&rows, SURFACE_CARD, "U0ANN") == 2 &&
              wanted(&rows, SURFACE_CARD, "U0BOB") == 2 &&
              wanted(&rows, SURFACE_CARD, "C0CARDS") == 2);
    CU_ASSERT(wanted(&rows, SURFACE_THREAD, "C0CARDS") == 1 &&
              wanted(&rows, SURFACE_THREAD, "U0ANN") == 0);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOB").rc, ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(rows.ended && wanted(&rows, SURFACE_CARD, "U0ANN") == 3 &&
              wanted(&rows, SURFACE_CARD, "U0BOB") == 3);
    CU_ASSERT_EQUAL(give(&kit, &id, (struct span[]){SPAN_LITERAL("U0LATE")}, 1), ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT_EQUAL(wanted(&rows, SURFACE_CARD, "U0LATE"), 0); /* it has ended */
    service_kit_close(&kit);
}

/* Slack does not take the card there. */
static void refuse(struct service_kit *kit, const struct request_id *id, const char *channel)
{
    end(kit, id, channel, OUTBOX_DEAD, 0);
}

static void what_no_channel_takes_is_asked_directly(void)
{
    struct service_kit kit;
    struct request_id id;
    struct kit_rows rows;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, POLICY, false, false).rc, ERR_OK);
    id = kit_create(&kit, "plain", "").id;
    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT_EQUAL(rows.count, 1); /* the channel has it, for all that is known */
    refuse(&kit, &id, "C0CARDS");
    service_kit_restart(&kit);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(rows.count == 2 && wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET) == 1);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1); /* the requester is told */
    CU_ASSERT(strstr(kit_audit(&kit, &id).actions, "outbox_dead asked_directly") != NULL);
    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    end(&kit, &id, "U0ANN", OUTBOX_SENT, 1);
    CU_ASSERT_EQUAL(kit_cancel(&kit, &id).rc, ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(wanted(&rows, SURFACE_CARD, "U0ANN") == 2); /* kept in step like any copy */
    service_kit_close(&kit);
}

static void a_channel_that_has_it_or_may_have_it_is_enough(void)
{
    struct service_kit kit;
    struct request_id ids[2];
    struct kit_rows rows;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit,
                  "policy plain { channels = {\"C0ONE\", \"C0TWO\"} approvers = {\"U0ANN\"} }\n",
                  false, false)
            .rc,
        ERR_OK);
    for (int i = 0; i < 2; i++) {
        ids[i] = kit_create(&kit, "plain", "").id;
        refuse(&kit, &ids[i], "C0ONE");
        rows = kit_owed(&kit, &ids[i], false);
        CU_ASSERT_EQUAL(rows.count, 1); /* the other one may take it */
    }
    end(&kit, &ids[0], "C0TWO", OUTBOX_SENT, 1);
    CU_ASSERT_EQUAL(kit_owed(&kit, &ids[0], false).count, 0);
    refuse(&kit, &ids[1], "C0TWO");
    rows = kit_owed(&kit, &ids[1], false);
    CU_ASSERT_EQUAL(wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET), 1);
    service_kit_close(&kit);
}

static void what_has_ended_or_was_deleted_asks_nobody(void)
{
    struct service_kit kit;
    struct request_id id;
    struct kit_rows rows;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, POLICY, false, false).rc, ERR_OK);
    id = kit_create(&kit, "plain", "").id;
    CU_ASSERT_EQUAL(kit_cancel(&kit, &id).rc, ERR_OK);
    refuse(&kit, &id, "C0CARDS");
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT_EQUAL(wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET), 0);
    id = kit_create(&kit, "plain", "").id;
    for (uint32_t i = 0; i <= CORE_REPOST_COUNT_MAX; i++) {
        struct kit_answer answer = {.done = false};

        end(&kit, &id, "C0CARDS", OUTBOX_SENT, 1);
        CU_ASSERT_EQUAL(service_refresh(kit.service, &id, kit_on_done, &answer, NULL), ERR_OK);
        service_kit_wait(&kit, &answer.done);
        end(&kit, &id, "C0CARDS", OUTBOX_LOST, 0);
    }
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 2);
    CU_ASSERT_EQUAL(kit_owed(&kit, &id, false).count, 0); /* who deletes it has seen it */
    service_kit_close(&kit);
}

static void a_dead_copy_is_alone_and_lives_again_with_a_change(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    struct kit_rows rows;

    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    end(&kit, &id, "U0ANN", OUTBOX_DEAD, 0);
    end(&kit, &id, "U0BOB", OUTBOX_SENT, 1);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 1);
    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 1); /* that is no new reason to try it */
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(wanted(&rows, SURFACE_CARD, "U0ANN") == 2 &&
              wanted(&rows, SURFACE_CARD, "U0BOB") == 2);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 0);
    service_kit_close(&kit);
}

static void who_has_not_decided_is_reminded_under_his_copy(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    struct kit_rows rows;

    CU_ASSERT_EQUAL(give(&kit, &id, two, 2), ERR_OK);
    end(&kit, &id, "U0ANN", OUTBOX_SENT, 1);
    end(&kit, &id, "U0BOB", OUTBOX_SENT, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    service_kit_pass(&kit, 50 * CORE_MINUTE_MS);
    service_kit_tick(&kit);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT(wanted(&rows, SURFACE_THREAD, "U0BOB") == 1 &&
              wanted(&rows, SURFACE_THREAD, "U0ANN") == 0);
    CU_ASSERT(wanted(&rows, SURFACE_PEOPLE, ROUTE_TARGET) > 1); /* who is one of them by now */
    for (size_t i = 0; i < rows.count; i++) {
        CU_ASSERT(rows.rows[i].surface != SURFACE_THREAD ||
                  strcmp(rows.rows[i].target, "U0BOB") != 0 ||
                  rows.rows[i].first_kind == AUDIT_REMINDED);
    }
    service_kit_close(&kit);
}

static void a_request_has_so_many_copies_and_no_more(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    char names[CORE_COPY_COUNT_MAX + 1][8];
    struct span users[CORE_COPY_COUNT_MAX + 1];

    for (uint32_t i = 0; i <= CORE_COPY_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "U0P%u", i);
        users[i] = span_text(names[i]);
    }
    CU_ASSERT_EQUAL(give(&kit, &id, users, CORE_DIRECT_COUNT_MAX), ERR_OK);
    CU_ASSERT_EQUAL(give(&kit, &id, users + CORE_DIRECT_COUNT_MAX, CORE_DIRECT_COUNT_MAX), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), CORE_COPY_COUNT_MAX + 2);
    CU_ASSERT_EQUAL(give(&kit, &id, users + CORE_COPY_COUNT_MAX, 1), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), CORE_COPY_COUNT_MAX + 2);
    CU_ASSERT_EQUAL(give(&kit, &id, (struct span[]){SPAN_LITERAL("C0CARDS")}, 1), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), CORE_COPY_COUNT_MAX + 2); /* no person */
    service_kit_close(&kit);
}

struct listed {
    bool done;
    bool direct;
    size_t count;
    struct service_card card;
};

static void
on_cards(void *arg, enum err_code rc, const struct err *err, const struct service_cards *cards)
{
    struct listed *out = arg;

    (void)err; /* the code is enough */
    CU_ASSERT_EQUAL(rc, ERR_OK);
    out->done = true;
    out->direct = cards->direct;
    out->count = cards->count;
    if (cards->count > 0) {
        out->card = cards->cards[0];
    }
}

static struct listed list(struct service_kit *kit, bool direct)
{
    const struct service_cards_query query = {.direct = direct};
    struct listed out = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_cards_list(kit->service, &query, NULL, on_cards, &out, &err),
                          ERR_OK);
    service_kit_wait(kit, &out.done);
    return out;
}

static void the_reconciler_is_told_of_channels_and_of_people_apart(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit);
    struct listed found;

    CU_ASSERT_EQUAL(give(&kit, &id, two, 1), ERR_OK);
    found = list(&kit, true);
    CU_ASSERT(found.count == 0 && !found.direct); /* nothing there yet to be compared */
    end(&kit, &id, "U0ANN", OUTBOX_SENT, 1);
    end(&kit, &id, "C0CARDS", OUTBOX_SENT, 1);
    found = list(&kit, true);
    CU_ASSERT_EQUAL_FATAL(found.count, 1);
    CU_ASSERT(found.direct);
    CU_ASSERT_STRING_EQUAL(found.card.key.target, "U0ANN");
    CU_ASSERT_STRING_EQUAL(found.card.channel, "D0SOMEBODY");
    found = list(&kit, false);
    CU_ASSERT_EQUAL_FATAL(found.count, 1);
    CU_ASSERT_STRING_EQUAL(found.card.key.target, "C0CARDS");
    service_kit_close(&kit);
}

UNIT_MAIN("service_copies",
          {"what no channel takes is asked directly", what_no_channel_takes_is_asked_directly},
          {"a channel that has it or may have it is enough",
           a_channel_that_has_it_or_may_have_it_is_enough},
          {"what has ended or was deleted asks nobody", what_has_ended_or_was_deleted_asks_nobody},
          {"a request owes that people are found", a_request_owes_that_people_are_found},
          {"copies are made once and raised by every change",
           copies_are_made_once_and_raised_by_every_change},
          {"a dead copy is alone and lives again with a change",
           a_dead_copy_is_alone_and_lives_again_with_a_change},
          {"who has not decided is reminded under his copy",
           who_has_not_decided_is_reminded_under_his_copy},
          {"a request has so many copies and no more", a_request_has_so_many_copies_and_no_more},
          {"the reconciler is told of channels and of people apart",
           the_reconciler_is_told_of_channels_and_of_people_apart})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_outbox.c: proves what is owed to the outside, and that it is owed once.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/core/audit.h"
#include "approvald/core/request_id.h"
#include "approvald/service/cards.h"
#include "approvald/service/limits.h"
#include "storage/storage.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ONE                                                                                        \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"} "                    \
    "webhooks = {\"ci\"} }\n"

static struct kit_answer open_with_request(struct service_kit *kit)
{
    return kit_open_asked(kit, ONE, "deploy");
}

static void sent_card(struct service_kit *kit, const struct request_id *id, uint32_t revision)
{
    struct service_row_key key = kit_key(id, SURFACE_CARD, "C0CARDS");
    struct service_outcome outcome = {.result = OUTBOX_SENT,
                                      .revision = revision,
                                      .channel = SPAN_LITERAL("C0CARDS"),
                                      .ts = SPAN_LITERAL("1700000000.000100")};

    CU_ASSERT_EQUAL(kit_begin(kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(kit, &key, &outcome), ERR_OK);
}

static void a_new_request_owes_its_card_alone(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct kit_rows rows = kit_owed(&kit, &made.id, false);

    CU_ASSERT_EQUAL(rows.count, 1);
    CU_ASSERT_FALSE(rows.ended);
    CU_ASSERT_EQUAL(rows.rows[0].surface, SURFACE_CARD);
    CU_ASSERT_STRING_EQUAL(rows.rows[0].target, "C0CARDS");
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 1);
    service_kit_close(&kit);
}

static void check_first(const struct kit_rows *rows, size_t index)
{
    uint32_t kind = rows->rows[index].first_kind;
    const char *target = rows->rows[index].target;

    switch (rows->rows[index].surface) {
    case SURFACE_THREAD:
        CU_ASSERT_EQUAL(kind, AUDIT_APPROVAL);
        break;
    case SURFACE_WEBHOOK:
        CU_ASSERT_EQUAL(kind, AUDIT_APPROVED);
        CU_ASSERT_STRING_EQUAL(target, "ci");
        break;
    case SURFACE_CARD:
    case SURFACE_DIRECT:
    case SURFACE_NOTICE:
    case SURFACE_PEOPLE:
        CU_ASSERT_EQUAL(rows->rows[index].item_count, 0);
        break;
    }
}

static void an_outcome_owes_card_thread_direct_and_webhook(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct kit_rows rows;

    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    rows = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(rows.count, 4);
    CU_ASSERT(rows.ended);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 1);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_DIRECT), 1);
    for (size_t i = 0; i < rows.count; i++) {
        check_first(&rows, i);
    }
    CU_ASSERT_EQUAL(kit_claim(&kit, &made.id, "").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_consume(&kit, &made.id, 0).rc, ERR_OK);
    rows = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(rows.count, 4);
    for (size_t i = 0; i < rows.count; i++) {
        bool ordered =
            rows.rows[i].surface == SURFACE_THREAD || rows.rows[i].surface == SURFACE_WEBHOOK;

        CU_ASSERT_EQUAL(rows.rows[i].item_count, ordered ? 3 : 0);
    }
    service_kit_close(&kit);
}

static void a_sent_card_is_settled_and_its_place_survives(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key thread = kit_key(&made.id, SURFACE_THREAD, "C0CARDS");
    struct service_row_key card = kit_key(&made.id, SURFACE_CARD, "C0CARDS");
    struct kit_attempt attempt;

    sent_card(&kit, &made.id, 1);
    CU_ASSERT_EQUAL(kit_owed(&kit, &made.id, false).count, 0);
    CU_ASSERT_EQUAL(kit_begin(&kit, &card).rc, ERR_NOT_FOUND);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 0);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    attempt = kit_begin(&kit, &card);
    CU_ASSERT_EQUAL(attempt.rc, ERR_OK);
    CU_ASSERT_EQUAL(attempt.revision, 2);
    attempt = kit_begin(&kit, &thread);
    CU_ASSERT(attempt.has_card);
    CU_ASSERT_STRING_EQUAL(attempt.card_ts, "1700000000.000100");
    service_kit_close(&kit);
}

static void an_attempt_without_a_result_is_remembered(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_CARD, "C0CARDS");
    struct service_outcome unknown = {.result = OUTBOX_UNKNOWN, .error = SPAN_LITERAL("timeout")};
    struct service_outcome retry = {.result = OUTBOX_RETRY, .error = SPAN_LITERAL("429")};

    CU_ASSERT_FALSE(kit_begin(&kit, &key).attempted);
    service_kit_restart(&kit); /* a crash between call and result */
    CU_ASSERT(kit_begin(&kit, &key).attempted);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &unknown), ERR_OK);
    CU_ASSERT(kit_begin(&kit, &key).attempted);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &retry), ERR_OK);
    CU_ASSERT_FALSE(kit_begin(&kit, &key).attempted);
    service_kit_close(&kit);
}

static void what_fails_for_good_is_a_dead_letter_that_can_be_replayed(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_CARD, "C0CARDS");
    struct service_outcome dead = {.result = OUTBOX_DEAD, .error = SPAN_LITERAL("is_archived")};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &dead), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 2); /* to ask people, to tell of it */
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 1);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(kit_owed(&kit, &made.id, false).count, 2);
    CU_ASSERT_EQUAL(kit_owed(&kit, &made.id, true).count, 1);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 1);
    CU_ASSERT_EQUAL(service_outbox_replay(kit.service, &key, &kit_root, kit_on_done, &answer, &err),
                    ERR_OK);
    service_kit_wait(&kit, &answer.done);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 0);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 3);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).attempts, 1);
    CU_ASSERT(strstr(kit_audit(&kit, &made.id).actions,
                     "outbox_dead asked_directly outbox_replayed") != NULL);
    service_kit_close(&kit);
}

static void that_somebody_could_not_be_told_is_audited(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_DIRECT, "U0ASKER");
    struct service_outcome drop = {.result = OUTBOX_DROP, .error = SPAN_LITERAL("user_not_found")};

    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &drop), ERR_OK);
    CU_ASSERT(strstr(kit_audit(&kit, &made.id).actions, "outbox_dropped") != NULL);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 0);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_NOT_FOUND);
    service_kit_close(&kit);
}

static void a_list_of_all_says_whose_request_has_ended(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct kit_rows rows = kit_owed(&kit, NULL, false);

    CU_ASSERT(rows.count > 0 && !rows.ended);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    rows = kit_owed(&kit, NULL, false);
    CU_ASSERT(rows.count > 0 && rows.ended);
    service_kit_close(&kit);
}

static void a_message_that_is_gone_is_owed_again(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_CARD, "C0CARDS");
    struct service_outcome lost = {.result = OUTBOX_LOST, .error = SPAN_LITERAL("gone")};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    sent_card(&kit, &made.id, 1);
    CU_ASSERT_EQUAL(service_refresh(kit.service, &made.id, kit_on_done, &answer, &err), ERR_OK);
    service_kit_wait(&kit, &answer.done);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 1);
    CU_ASSERT(kit_begin(&kit, &key).has_card);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &lost), ERR_OK);
    CU_ASSERT_FALSE(kit_begin(&kit, &key).has_card);
    sent_card(&kit, &made.id, 1);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 0);
    service_kit_close(&kit);
}

static size_t owed_after_press(struct service_kit *kit,
                               const struct request_id *id,
                               enum verdict verdict,
                               const char *event)
{
    struct service_decide press = kit_press(id, "U0BOB", verdict, event);
    struct kit_rows rows;

    press.channel = SPAN_LITERAL("C0CARDS");
    CU_ASSERT_EQUAL(kit_decide(kit, &press).refusal, REFUSAL_ENDED);
    rows = kit_owed(kit, id, false);
    return kit_owed_of(&rows, SURFACE_CARD);
}

static void a_press_that_the_card_does_not_offer_owes_it_again(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_decide quiet = kit_press(&made.id, "U0BOB", VERDICT_APPROVE, "home");
    char event[] = "e0";
    struct kit_rows rows;

    sent_card(&kit, &made.id, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    CU_ASSERT_EQUAL(owed_after_press(&kit, &made.id, VERDICT_APPROVE, "race"), 1); /* was owed */
    sent_card(&kit, &made.id, 2);
    quiet.quiet = true; /* a Home, or a window: no card was pressed */
    CU_ASSERT_EQUAL(kit_decide(&kit, &quiet).refusal, REFUSAL_ENDED);
    rows = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 0);
    CU_ASSERT_EQUAL(owed_after_press(&kit, &made.id, VERDICT_APPROVE, "before"),
                    0); /* of what was */
    for (int i = 0; i < CORE_REPAIR_COUNT_MAX; i++) {
        event[1]++;
        service_kit_pass(&kit, SERVICE_REFRESH_FRESH_MS);
        CU_ASSERT_EQUAL(owed_after_press(&kit, &made.id, VERDICT_APPROVE, event), 1);
        CU_ASSERT_EQUAL(owed_after_press(&kit, &made.id, VERDICT_APPROVE, event), 1); /* again */
        sent_card(&kit, &made.id, 2);
    }
    service_kit_pass(&kit, SERVICE_REFRESH_FRESH_MS);
    CU_ASSERT_EQUAL(owed_after_press(&kit, &made.id, VERDICT_REJECT, "more"), 0); /* enough */
    service_kit_close(&kit);
}

static size_t
owed_after_window(struct service_kit *kit, const struct request_id *id, enum verdict verdict)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;
    struct kit_rows rows;

    CU_ASSERT_EQUAL(service_refresh_pressed(kit->service, id, verdict, kit_on_done, &answer, &err),
                    ERR_OK);
    service_kit_wait(kit, &answer.done);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    rows = kit_owed(kit, id, false);
    return kit_owed_of(&rows, SURFACE_CARD);
}

/* Who may not decide presses a card that is as it should be. */
static void a_window_that_is_refused_owes_the_card_when_its_button_was_wrong(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);

    sent_card(&kit, &made.id, 1);
    service_kit_pass(&kit, SERVICE_REFRESH_FRESH_MS);
    CU_ASSERT_EQUAL(owed_after_window(&kit, &made.id, VERDICT_REJECT), 0);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    sent_card(&kit, &made.id, 2);
    CU_ASSERT_EQUAL(owed_after_window(&kit, &made.id, VERDICT_REJECT), 0); /* a moment ago */
    for (int i = 0; i < CORE_REPAIR_COUNT_MAX; i++) {
        service_kit_pass(&kit, SERVICE_REFRESH_FRESH_MS);
        CU_ASSERT_EQUAL(owed_after_window(&kit, &made.id, VERDICT_REJECT), 1);
        sent_card(&kit, &made.id, 2);
    }
    service_kit_pass(&kit, SERVICE_REFRESH_FRESH_MS);
    CU_ASSERT_EQUAL(owed_after_window(&kit, &made.id, VERDICT_REJECT), 0); /* enough */
    service_kit_close(&kit);
}

static void ordered_items_go_one_by_one_and_ids_never_repeat(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_WEBHOOK, "ci");
    struct service_outcome sent = {.result = OUTBOX_SENT};
    struct kit_attempt first;
    struct kit_attempt second;

    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    first = kit_begin(&kit, &key);
    sent.item_id = first.item_id;
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &sent), ERR_OK);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(kit_claim(&kit, &made.id, "").rc, ERR_OK);
    second = kit_begin(&kit, &key);
    CU_ASSERT(second.item_id != first.item_id);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &sent), ERR_OK); /* a repeated result of the first */
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).item_id, second.item_id);
    service_kit_close(&kit);
}

static void a_notice_is_dropped_when_nobody_waits_any_more(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_NOTICE, "U0MAL");
    struct service_decide press = kit_press(&made.id, "U0MAL", VERDICT_APPROVE, "e");
    struct service_outcome retry = {.result = OUTBOX_RETRY, .error = SPAN_LITERAL("down")};

    CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 2);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &retry), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 2);
    service_kit_pass(&kit, CORE_GIVE_UP_NOTICE_MS);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &retry), ERR_OK);
    CU_ASSERT_EQUAL(service_outbox_depth(kit.service), 1);
    CU_ASSERT_EQUAL(service_outbox_dead(kit.service), 0);
    service_kit_close(&kit);
}

static enum err_code damage_run(struct storage_txn *txn, void *arg, struct err *err)
{
    const struct kit_answer *answer = arg;
    static const struct span channel = {.data = "C0CARDS", .size = 7};
    char key[REQUEST_ID_SIZE + 1 + 7];

    memcpy(key, answer->id.bytes, REQUEST_ID_SIZE);
    key[REQUEST_ID_SIZE] = SURFACE_CARD;
    memcpy(key + REQUEST_ID_SIZE + 1, channel.data, channel.size);
    return storage_put(txn, 'o', span_of(key, sizeof key), SPAN_LITERAL("damaged"), err);
}

static void a_damaged_row_does_not_hide_the_others(void)
{
    struct service_kit kit;
    struct kit_answer damaged;
    struct kit_answer made;
    struct kit_rows rows;

    damaged = open_with_request(&kit);
    made = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(kit_approve(&kit, &damaged.id, "U0ANN").rc, ERR_OK);
    damaged.done = false;
    CU_ASSERT_EQUAL(storage_write(kit.storage, damage_run, kit_on_done, &damaged, NULL), ERR_OK);
    service_kit_wait(&kit, &damaged.done);
    rows = kit_owed(&kit, NULL, false);
    CU_ASSERT_EQUAL(rows.rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 1);
    CU_ASSERT(kit_owed_of(&rows, SURFACE_THREAD) == 1);
    CU_ASSERT_EQUAL(kit_owed(&kit, &made.id, false).count, 1);
    service_kit_close(&kit);
}

struct looked {
    bool done;
    enum err_code rc;
    size_t count;
    size_t row_counts[SERVICE_LOOK_COUNT_MAX];
    bool ended[SERVICE_LOOK_COUNT_MAX];
    bool mixed; /* a row stands with another request */
};

static void
on_looked(void *arg, enum err_code rc, const struct err *err, const struct service_looks *found)
{
    struct looked *out = arg;
    const struct outbox_row *row = found->rows;

    (void)err; /* the code says enough */
    out->done = true;
    out->rc = rc;
    out->count = found->count;
    for (size_t i = 0; i < found->count; i++) {
        const struct service_look *look = &found->looks[i];

        out->row_counts[i] = look->row_count;
        out->ended[i] = look->ended;
        for (size_t j = 0; j < look->row_count; j++, row++) {
            out->mixed = out->mixed || !request_id_equal(&row->request, &look->request);
        }
    }
}

static struct looked look(struct service_kit *kit, const struct request_id *requests, size_t count)
{
    struct looked out = {.done = false};

    CU_ASSERT_EQUAL_FATAL(service_outbox_look(kit->service, requests, count, on_looked, &out, NULL),
                          ERR_OK);
    service_kit_wait(kit, &out.done);
    CU_ASSERT_EQUAL(out.rc, ERR_OK);
    CU_ASSERT_FALSE(out.mixed);
    return out;
}

static void one_look_shows_several_requests_each_as_it_is(void)
{
    struct service_kit kit;
    struct request_id asked[4] = {open_with_request(&kit).id};
    struct looked seen;

    asked[1] = kit_create(&kit, "deploy", "").id;
    asked[2] = asked[0];
    asked[2].bytes[15] ^= 1; /* nobody's */
    asked[3] = kit_create(&kit, "deploy", "").id;
    sent_card(&kit, &asked[3], 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &asked[1], "U0ANN").rc, ERR_OK);
    seen = look(&kit, asked, 4);
    CU_ASSERT_EQUAL(seen.count, 4);
    CU_ASSERT_EQUAL(seen.row_counts[0], 1);
    CU_ASSERT_EQUAL(seen.row_counts[1], 4);
    CU_ASSERT_EQUAL(seen.row_counts[2], 0);
    CU_ASSERT_EQUAL(seen.row_counts[3], 0);
    CU_ASSERT(!seen.ended[0] && seen.ended[1] && !seen.ended[2] && !seen.ended[3]);
    service_kit_close(&kit);
}

static void a_look_that_is_full_shows_whole_requests_only(void)
{
    struct service_kit kit;
    struct request_id asked[SERVICE_LOOK_COUNT_MAX] = {open_with_request(&kit).id};
    struct looked seen;

    for (size_t i = 0; i < SERVICE_LOOK_COUNT_MAX; i++) {
        asked[i] = i == 0 ? asked[0] : kit_create(&kit, "deploy", "").id;
        CU_ASSERT_EQUAL(kit_approve(&kit, &asked[i], "U0ANN").rc, ERR_OK);
    }
    seen = look(&kit, asked, SERVICE_LOOK_COUNT_MAX);
    CU_ASSERT_EQUAL(seen.count, SERVICE_PAGE_COUNT_MAX / 4);
    for (size_t i = 0; i < seen.count; i++) {
        CU_ASSERT_EQUAL(seen.row_counts[i], 4);
    }
    service_kit_close(&kit);
}

static void on_doubted(void *arg, enum service_doubt doubt)
{
    *(uint32_t *)arg += doubt == SERVICE_DOUBT_LATE ? 1 : 0;
}

static void only_a_call_that_got_out_may_arrive_late(void)
{
    struct service_kit kit;
    struct kit_answer made = open_with_request(&kit);
    struct service_row_key key = kit_key(&made.id, SURFACE_CARD, "C0CARDS");
    struct service_outcome unknown = {.result = OUTBOX_UNKNOWN, .error = SPAN_LITERAL("no look")};
    uint32_t late = 0;

    service_cards_listen(kit.service, on_doubted, &late);
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &unknown), ERR_OK);
    CU_ASSERT_EQUAL(late, 0);
    unknown.away = true;
    CU_ASSERT_EQUAL(kit_begin(&kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&kit, &key, &unknown), ERR_OK);
    CU_ASSERT_EQUAL(late, 1);
    service_kit_close(&kit);
}

UNIT_MAIN("service_outbox",
          {"a new request owes its card alone", a_new_request_owes_its_card_alone},
          {"an outcome owes card, thread, direct and webhook",
           an_outcome_owes_card_thread_direct_and_webhook},
          {"a sent card is settled and its place survives",
           a_sent_card_is_settled_and_its_place_survives},
          {"an attempt without a result is remembered", an_attempt_without_a_result_is_remembered},
          {"what fails for good is a dead letter that can be replayed",
           what_fails_for_good_is_a_dead_letter_that_can_be_replayed},
          {"that somebody could not be told is audited",
           that_somebody_could_not_be_told_is_audited},
          {"a message that is gone is owed again", a_message_that_is_gone_is_owed_again},
          {"a press that the card does not offer owes it again",
           a_press_that_the_card_does_not_offer_owes_it_again},
          {"a list of all says whose request has ended",
           a_list_of_all_says_whose_request_has_ended},
          {"a window that is refused owes the card when its button was wrong",
           a_window_that_is_refused_owes_the_card_when_its_button_was_wrong},
          {"ordered items go one by one and ids never repeat",
           ordered_items_go_one_by_one_and_ids_never_repeat},
          {"a notice is dropped when nobody waits any more",
           a_notice_is_dropped_when_nobody_waits_any_more},
          {"one look shows several requests, each as it is",
           one_look_shows_several_requests_each_as_it_is},
          {"a look that is full shows whole requests only",
           a_look_that_is_full_shows_whole_requests_only},
          {"a damaged row does not hide the others", a_damaged_row_does_not_hide_the_others},
          {"only a call that got out may arrive late", only_a_call_that_got_out_may_arrive_late})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_clocks.c: proves reminders, escalation and veto windows through service.h on a real
 * store: each once, over restarts and jumps of the clock.
 * Owns nothing but its cases. Never looks inside the service. */
#include "base/buf.h"
#include "base/metrics.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define POLICIES                                                                                   \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"} \n"                  \
    "  expires_after = 1h remind_before = 10m escalate_after = 20m\n"                              \
    "  escalate_to = {\"U0BOSS\", \"S0BOSS\", \"C0BOSS\"} }\n"                                     \
    "policy careful { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"}\n"                  \
    "  expires_after = 1h takes_effect_after = 10m }\n"
#define MINUTE CORE_MINUTE_MS

static struct request_id open_with(struct service_kit *kit, const char *policy)
{
    struct kit_answer made = kit_open_asked(kit, POLICIES, policy);

    service_kit_tick(kit);
    return made.id;
}

static size_t audited(struct service_kit *kit, const struct request_id *id, const char *word)
{
    struct kit_audit audit = kit_audit(kit, id);
    size_t count = 0;

    for (const char *at = audit.actions; (at = strstr(at, word)) != NULL; at++) {
        count++;
    }
    return count;
}

static size_t items_of(struct service_kit *kit,
                       const struct request_id *id,
                       enum surface surface,
                       const char *target)
{
    struct kit_rows rows = kit_owed(kit, id, false);

    for (size_t i = 0; i < rows.count; i++) {
        if (rows.rows[i].surface == surface && strcmp(rows.rows[i].target, target) == 0) {
            return surface == SURFACE_CARD ? 1 : rows.rows[i].item_count;
        }
    }
    return 0;
}

static bool counted(const struct service_kit *kit, const char *line)
{
    struct buf *text = NULL;
    bool found;

    CU_ASSERT_EQUAL_FATAL(buf_new(1U << 20, &text, NULL), ERR_OK);
    CU_ASSERT_EQUAL(metrics_format(kit->metrics, text, NULL), ERR_OK);
    found = strstr(buf_text(text), line) != NULL;
    buf_free(text);
    return found;
}

static void a_reminder_is_no_expiry(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "deploy");

    service_kit_run(&kit, 50);
    CU_ASSERT_EQUAL(audited(&kit, &id, "reminded"), 1);
    CU_ASSERT(counted(&kit, "\napprovald_expiries_total 0\n"));
    service_kit_run(&kit, 10);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_EXPIRED);
    CU_ASSERT(counted(&kit, "\napprovald_expiries_total 1\n"));
    service_kit_close(&kit);
}

static void a_reminder_comes_once_whatever_host_gives_it(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "deploy");

    service_kit_run(&kit, 49);
    CU_ASSERT_EQUAL(audited(&kit, &id, "reminded"), 0);
    service_kit_restart(&kit);
    service_kit_tick_after(&kit, MINUTE);
    CU_ASSERT_EQUAL(audited(&kit, &id, "reminded"), 1);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_THREAD, "C0CARDS"), 2); /* and an escalation */
    service_kit_restart(&kit);
    service_kit_run(&kit, 5);
    CU_ASSERT_EQUAL(audited(&kit, &id, "reminded"), 1);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    service_kit_run(&kit, 5);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_EXPIRED);
    CU_ASSERT(kit_audit(&kit, NULL).sound);
    service_kit_close(&kit);
}

static bool knows_group(struct service_kit *kit, const char *group)
{
    const struct span *groups;
    size_t count = service_groups(kit->service, &groups);

    for (size_t i = 0; i < count; i++) {
        if (span_is(groups[i], group)) {
            return true;
        }
    }
    return false;
}

static void an_escalation_asks_more_people_and_keeps_their_card(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "deploy");
    struct service_row_key card = kit_key(&id, SURFACE_CARD, "C0BOSS");
    struct service_row_key thread = kit_key(&id, SURFACE_THREAD, "C0BOSS");
    struct service_outcome shown = {.result = OUTBOX_SENT,
                                    .channel = SPAN_LITERAL("C0BOSS"),
                                    .ts = SPAN_LITERAL("1700000000.000200")};
    struct kit_attempt attempt;

    CU_ASSERT(knows_group(&kit, "S0BOSS"));
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOSS").refusal, REFUSAL_NOT_APPROVER);
    service_kit_tick_after(&kit, 20 * MINUTE);
    CU_ASSERT(kit_get(&kit, &id).escalated_ms > 0);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_CARD, "C0BOSS"), 1);
    /* Its thread waits for its own card, not for the first one. */
    attempt = kit_begin(&kit, &thread);
    CU_ASSERT(attempt.rc == ERR_OK && !attempt.has_card);
    attempt = kit_begin(&kit, &card);
    shown.revision = attempt.revision;
    CU_ASSERT_EQUAL(kit_end(&kit, &card, &shown), ERR_OK);
    attempt = kit_begin(&kit, &thread);
    CU_ASSERT(attempt.has_card && strcmp(attempt.card_ts, "1700000000.000200") == 0);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_CARD, "C0BOSS"), 0);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOSS").state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_CARD, "C0BOSS"), 1);
    CU_ASSERT_EQUAL(audited(&kit, &id, "escalated"), 1);
    service_kit_close(&kit);
}

static void a_doubtful_request_owes_all_its_cards_again(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "deploy");
    struct service_row_key card = kit_key(&id, SURFACE_CARD, "C0BOSS");
    struct service_outcome shown = {.result = OUTBOX_SENT,
                                    .channel = SPAN_LITERAL("C0BOSS"),
                                    .ts = SPAN_LITERAL("1700000000.000200")};
    struct kit_answer done = {.done = false};

    service_kit_tick_after(&kit, 20 * MINUTE);
    shown.revision = kit_begin(&kit, &card).revision;
    CU_ASSERT_EQUAL(kit_end(&kit, &card, &shown), ERR_OK);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_CARD, "C0BOSS"), 0);
    CU_ASSERT_EQUAL(service_refresh(kit.service, &id, kit_on_done, &done, NULL), ERR_OK);
    service_kit_wait(&kit, &done.done);
    CU_ASSERT_EQUAL(items_of(&kit, &id, SURFACE_CARD, "C0BOSS"), 1);
    service_kit_close(&kit);
}

static void a_press_waits_for_the_facts_of_those_who_are_asked_later(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "deploy");
    struct service_decide press = kit_press(&id, "U0MEM", VERDICT_APPROVE, "one");
    struct facts facts = {.user_known = true,
                          .known_count = 1,
                          .known = {SPAN_LITERAL("S0BOSS")},
                          .member_count = 1,
                          .member = {SPAN_LITERAL("S0BOSS")}};

    service_kit_tick_after(&kit, 20 * MINUTE);
    CU_ASSERT(kit_decide(&kit, &press).deferred);
    CU_ASSERT_EQUAL(kit_resolve(&kit, 1, &facts, false).state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

static void an_approval_takes_effect_once_and_not_before_its_time(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "careful");
    struct kit_answer answer = kit_approve(&kit, &id, "U0ANN");

    CU_ASSERT(answer.rc == ERR_OK && answer.state == REQUEST_PENDING);
    CU_ASSERT_EQUAL(answer.effect_ms, answer.created_ms + 10 * MINUTE);
    CU_ASSERT_EQUAL(service_deadline_ms(kit.service), answer.effect_ms);
    service_kit_run(&kit, 9);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_NOT_APPROVED);
    service_kit_run(&kit, 1);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(audited(&kit, &id, "approved"), 1);
    service_kit_close(&kit);
}

static void a_stop_ends_it_and_is_remembered_over_a_restart(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "careful");
    struct service_decide stop = kit_press(&id, "U0ANN", VERDICT_REJECT, NULL);

    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOB").refusal, REFUSAL_ENOUGH);
    service_kit_run(&kit, 5);
    CU_ASSERT_EQUAL(kit_decide(&kit, &stop).state, REQUEST_REJECTED);
    service_kit_restart(&kit);
    service_kit_run(&kit, 10);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_NOT_APPROVED);
    service_kit_close(&kit);
}

/* While nobody served, nobody could stop it. */
static void a_window_begins_anew_behind_the_last_record_of_a_dead_host(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "careful");
    struct kit_answer answer = kit_approve(&kit, &id, "U0ANN");
    struct kit_answer moved;

    service_kit_run(&kit, 4);
    service_kit_pass(&kit, 20 * MINUTE);
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    moved = kit_get(&kit, &id);
    CU_ASSERT_EQUAL(moved.state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(moved.effect_ms, answer.created_ms + 34 * MINUTE);
    CU_ASSERT_EQUAL(audited(&kit, &id, "effect_moved"), 1);
    CU_ASSERT_EQUAL(service_deadline_ms(kit.service), moved.effect_ms);
    service_kit_run(&kit, 9);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    service_kit_run(&kit, 1);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(audited(&kit, &id, "effect_moved"), 1);
    service_kit_close(&kit);
}

static void a_jump_ahead_cuts_no_window_short_not_even_with_a_restart(void)
{
    struct service_kit kit;
    struct request_id id = open_with(&kit, "careful");

    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    service_kit_run(&kit, 2);
    kit.jump_ms = (int64_t)(5 * MINUTE);
    (void)kit_create(&kit, "deploy", "other"); /* a record that notices it */
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    service_kit_run(&kit, 6);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING); /* 8 of 10 have passed */
    service_kit_run(&kit, 2);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

UNIT_MAIN("service_clocks",
          {"a reminder is no expiry", a_reminder_is_no_expiry},
          {"a reminder comes once, whatever host gives it",
           a_reminder_comes_once_whatever_host_gives_it},
          {"an escalation asks more people and keeps their card",
           an_escalation_asks_more_people_and_keeps_their_card},
          {"a doubtful request owes all its cards again",
           a_doubtful_request_owes_all_its_cards_again},
          {"a press waits for the facts of those who are asked later",
           a_press_waits_for_the_facts_of_those_who_are_asked_later},
          {"an approval takes effect once and not before its time",
           an_approval_takes_effect_once_and_not_before_its_time},
          {"a stop ends it and is remembered over a restart",
           a_stop_ends_it_and_is_remembered_over_a_restart},
          {"a window begins anew behind the last record of a dead host",
           a_window_begins_anew_behind_the_last_record_of_a_dead_host},
          {"a jump ahead cuts no window short, not even with a restart",
           a_jump_ahead_cuts_no_window_short_not_even_with_a_restart})

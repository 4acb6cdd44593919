/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_gate.c: proves windows of time and freezes through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/service/freezes.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define HOUR UINT64_C(3600000)
#define DAY  (24 * HOUR)
#define POLICY(more)                                                                               \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} lapses_after = 1h " more " }\n"

/* A policy that is open at every hour of UTC but the present one: the kit's clock stands still. */
static const char *shut_now(const struct service_kit *kit, const char *more)
{
    static char text[512];
    unsigned hour = (unsigned)(kit->now_ms / HOUR % 24);

    (void)snprintf(text, sizeof text,
                   "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} "
                   "break_glass = {\"U0ASKER\"} lapses_after = 1m "
                   "windows = {\"daily %02u:00-%02u:00\"} %s }",
                   (hour + 1) % 24, hour == 0 ? 24 : hour, more);
    return text;
}

static uint64_t next_hour(const struct service_kit *kit)
{
    return (kit->now_ms / HOUR + 1) * HOUR;
}

static void a_claim_waits_for_its_window_and_then_serves(void)
{
    struct service_kit kit;
    struct request_id id;
    struct kit_answer answer;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    answer = kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.lapses_ms, next_hour(&kit) + 60000); /* it does not lapse before */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT(answer.rc == ERR_CONFLICT && answer.refusal == REFUSAL_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "It opens "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, ":00:00Z."));
    service_kit_pass(&kit, next_hour(&kit) - kit.now_ms);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void a_policy_may_refuse_to_be_asked(void)
{
    struct service_kit kit;
    struct kit_answer answer;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(
        kit_apply(&kit, shut_now(&kit, "outside_windows = refuse"), false, false).rc, ERR_OK);
    answer = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_CLOSED);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "It opens "));
    service_kit_pass(&kit, next_hour(&kit) - kit.now_ms);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void who_breaks_the_glass_needs_no_window(void)
{
    struct service_kit kit;
    struct request_id id;
    struct service_decide press;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    press = kit_press(&id, "U0ASKER", VERDICT_GLASS, NULL);
    press.reason = SPAN_LITERAL("down");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void what_never_opens_is_refused_when_it_is_applied(void)
{
    static const char *const bad[] = {
        POLICY("windows = {\"mon 09:00-09:00\"}"),
        POLICY("windows = {\"someday 09:00-10:00\"}"),
        POLICY("windows = {\"mon 09:00-10:00\"} time_zone = \"Nowhere/At_All\""),
        POLICY("windows = {\"mon 09:00-10:00\"} time_zone = \"../../etc/passwd\""),
        POLICY("time_zone = \"Europe/Berlin\""),
        POLICY("outside_windows = sometimes"),
    };
    struct service_kit kit;

    service_kit_open(&kit);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct kit_answer answer = kit_apply(&kit, bad[i], false, false);

        CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
        CU_ASSERT(strstr(answer.message, "window") != NULL ||
                  strstr(answer.message, "time_zone") != NULL);
    }
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").refusal, REFUSAL_UNKNOWN_POLICY);
    service_kit_close(&kit);
}

static struct freeze freeze_of(const struct service_kit *kit, const char *name, uint64_t for_ms)
{
    return (struct freeze){.name = span_text(name),
                           .from_ms = kit->now_ms,
                           .to_ms = kit->now_ms + for_ms,
                           .glass_passes = true,
                           .reason = SPAN_LITERAL("stocktaking")};
}

static struct kit_answer add(struct service_kit *kit, const struct freeze *freeze)
{
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(service_freeze_add(kit->service, &kit_root, freeze, kit_on_done, &answer, NULL),
                    ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

static struct kit_answer drop(struct service_kit *kit, const char *name)
{
    struct kit_answer answer = {.done = false};

    CU_ASSERT_EQUAL(
        service_freeze_remove(kit->service, &kit_root, span_text(name), kit_on_done, &answer, NULL),
        ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

/* The kit is open afterwards. */
static struct request_id ask(struct service_kit *kit, const char *text)
{
    service_kit_open(kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(kit, text, false, false).rc, ERR_OK);
    return kit_create(kit, "deploy", "").id;
}

static void a_freeze_between_approval_and_claim_counts(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", HOUR / 2);
    struct kit_answer answer;

    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_restart(&kit); /* it is in the store */
    answer = kit_claim(&kit, &id, "k");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_FROZEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.message, "change freeze x-mas holds"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, &id).actions, "held"));
    service_kit_pass(&kit, HOUR / 2);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void a_removed_freeze_is_gone_at_once(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", DAY);

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK); /* the same again */
    freeze.to_ms++;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_EXISTS);
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_FROZEN);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, NULL).actions, "freeze_added"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit_audit(&kit, NULL).actions, "freeze_removed"));
    service_kit_close(&kit);
}

static bool says(struct service_kit *kit, const struct request_id *id, const char *word)
{
    return strstr(kit_audit(kit, id).actions, word) != NULL;
}

static uint32_t revision_of(struct service_kit *kit, const struct request_id *id)
{
    return kit_get(kit, id).revision;
}

/* Nobody claims: the tick puts right what people see. */
static void approvals_say_so_when_a_freeze_is_added_and_removed(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct request_id pending = kit_create(&kit, "deploy", "p").id;
    struct freeze freeze = freeze_of(&kit, "x-mas", HOUR / 2);
    uint32_t revision;

    (void)kit_approve(&kit, &id, "U0ANN");
    revision = revision_of(&kit, &id);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_restart(&kit); /* the host that takes over goes on with it */
    service_kit_tick(&kit);
    CU_ASSERT(says(&kit, &id, "held") && revision_of(&kit, &id) == revision + 1);
    CU_ASSERT_EQUAL(revision_of(&kit, &pending), 1); /* it will say so when it is approved */
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(revision_of(&kit, &id), revision + 1); /* once */
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
    service_kit_tick(&kit);
    CU_ASSERT(says(&kit, &id, "released") && revision_of(&kit, &id) == revision + 2);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(revision_of(&kit, &id), revision + 3); /* what is used needs no word of it */
    service_kit_close(&kit);
}

static void they_say_so_when_it_begins_and_ends_by_itself(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", HOUR / 2);

    freeze.from_ms = kit.now_ms + HOUR / 4;
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_tick(&kit);
    CU_ASSERT_FALSE(says(&kit, &id, "held"));
    CU_ASSERT(service_deadline_ms(kit.service) <= freeze.from_ms);
    service_kit_pass(&kit, HOUR / 4);
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    CU_ASSERT_TRUE(says(&kit, &id, "held"));
    service_kit_pass(&kit, HOUR / 4);
    service_kit_tick(&kit);
    CU_ASSERT_TRUE(says(&kit, &id, "released"));
    service_kit_close(&kit);
}

/* More than one piece, with a restart in between. */
static void all_of_them_say_so_however_many_there_are(void)
{
    enum { COUNT = 3 * SERVICE_SWEEP_CHANGE_MAX + 1 };
    struct service_kit kit;
    struct request_id ids[COUNT];
    struct freeze freeze;

    ids[0] = ask(&kit, POLICY(""));
    (void)kit_approve(&kit, &ids[0], "U0ANN");
    for (size_t i = 1; i < COUNT; i++) {
        service_kit_pass(&kit, 1);
        ids[i] = kit_create(&kit, "deploy", "").id;
        (void)kit_approve(&kit, &ids[i], "U0ANN");
    }
    freeze = freeze_of(&kit, "x-mas", HOUR / 2);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT_EQUAL(service_tick(kit.service, NULL), ERR_OK);
    (void)kit_get(&kit, &ids[0]);                        /* behind the first piece */
    CU_ASSERT_TRUE(says(&kit, &ids[COUNT - 1], "held")); /* the newest first */
    CU_ASSERT_FALSE(says(&kit, &ids[0], "held"));
    service_kit_restart(&kit);
    service_kit_tick(&kit);
    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT(says(&kit, &ids[i], "held") && revision_of(&kit, &ids[i]) == 3);
    }
    service_kit_close(&kit);
}

static void only_a_broken_glass_passes_and_not_every_freeze(void)
{
    struct service_kit kit;
    struct request_id id = ask(&kit, POLICY("break_glass = {\"U0ASKER\"}"));
    struct service_decide press = kit_press(&id, "U0ASKER", VERDICT_GLASS, NULL);
    struct freeze freeze = freeze_of(&kit, "soft", DAY);

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    press.reason = SPAN_LITERAL("down");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).state, REQUEST_APPROVED);
    freeze = freeze_of(&kit, "hard", HOUR / 2);
    freeze.glass_passes = false;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").refusal, REFUSAL_FROZEN);
    service_kit_pass(&kit, HOUR / 2);
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "k").use, USE_CLAIMED);
    service_kit_close(&kit);
}

static void there_is_room_when_the_old_ones_are_over(void)
{
    struct service_kit kit;
    struct freeze freeze;
    char name[16];

    service_kit_open(&kit);
    for (unsigned i = 0; i < CORE_FREEZE_COUNT_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%u", i);
        freeze = freeze_of(&kit, name, HOUR);
        CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    }
    freeze = freeze_of(&kit, "more", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_FULL);
    service_kit_pass(&kit, HOUR);
    freeze = freeze_of(&kit, "more", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_close(&kit);
}

static void a_clock_that_was_ahead_does_not_shut_what_it_opened(void)
{
    struct service_kit kit;
    struct request_id id;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, shut_now(&kit, ""), false, false).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "").id;
    (void)kit_approve(&kit, &id, "U0ANN");
    kit.jump_ms = (int64_t)(next_hour(&kit) - kit.now_ms); /* records have the host's time … */
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "").use, USE_CLAIMED);
    kit.jump_ms = 0; /* … which never goes back */
    id = kit_create(&kit, "deploy", "two").id;
    (void)kit_approve(&kit, &id, "U0ANN");
    CU_ASSERT_EQUAL(kit_claim(&kit, &id, "").use, USE_CLAIMED);
    service_kit_close(&kit);
}

UNIT_MAIN("service_gate",
          {"a claim waits for its window, and then serves",
           a_claim_waits_for_its_window_and_then_serves},
          {"a policy may refuse to be asked", a_policy_may_refuse_to_be_asked},
          {"who breaks the glass needs no window", who_breaks_the_glass_needs_no_window},
          {"what never opens is refused when it is applied",
           what_never_opens_is_refused_when_it_is_applied},
          {"a freeze between approval and claim counts",
           a_freeze_between_approval_and_claim_counts},
          {"a removed freeze is gone at once", a_removed_freeze_is_gone_at_once},
          {"approvals say so when a freeze is added and removed",
           approvals_say_so_when_a_freeze_is_added_and_removed},
          {"they say so when it begins and ends by itself",
           they_say_so_when_it_begins_and_ends_by_itself},
          {"all of them say so, however many there are", all_of_them_say_so_however_many_there_are},
          {"only a broken glass passes, and not every freeze",
           only_a_broken_glass_passes_and_not_every_freeze},
          {"there is room when the old ones are over", there_is_room_when_the_old_ones_are_over},
          {"a clock that was ahead does not shut what it opened",
           a_clock_that_was_ahead_does_not_shut_what_it_opened})

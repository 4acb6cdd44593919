/* SPDX-License-Identifier: Apache-2.0 */
/* test_gate_sweep.c: proves through service.h, on a real store, that approvals say what is in the
 * way of a claim when freezes come and go, whatever happens while they are walked over.
 * Owns nothing but its cases. Never looks inside the service, except at its mark in the store. */
#include "approvald/service/limits.h"
#include "storage/storage.h"
#include "tests/unit/freeze_kit.h"

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

/* Its card says what was in the way when it was asked. */
static void what_was_asked_in_a_freeze_says_when_that_is_gone(void)
{
    struct service_kit kit;
    struct request_id before = ask(&kit, POLICY(""));
    struct freeze freeze = freeze_of(&kit, "x-mas", HOUR);
    struct request_id id;
    struct kit_rows rows;

    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    id = kit_create(&kit, "deploy", "in it").id;
    service_kit_tick(&kit);
    CU_ASSERT(revision_of(&kit, &id) == 1 && revision_of(&kit, &before) == 1);
    CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
    service_kit_tick(&kit);
    CU_ASSERT(says(&kit, &id, "released") && revision_of(&kit, &id) == 2);
    rows = kit_owed(&kit, &id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_CARD), 1);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_DIRECT), 0);
    CU_ASSERT_EQUAL(kit_get(&kit, &id).state, REQUEST_PENDING);
    CU_ASSERT_EQUAL(revision_of(&kit, &before), 1);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(revision_of(&kit, &id), 2); /* it will say so when it is approved */
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

static void approve_some(struct service_kit *kit, struct request_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        service_kit_pass(kit, 1);
        ids[i] = kit_create(kit, "deploy", "").id;
        CU_ASSERT_EQUAL(kit_approve(kit, &ids[i], "U0ANN").state, REQUEST_APPROVED);
    }
}

static void one_piece(struct service_kit *kit)
{
    struct request_id nobody = {.bytes = {0}};

    CU_ASSERT_EQUAL(service_tick(kit->service, NULL), ERR_OK);
    (void)kit_get(kit, &nobody); /* behind it */
}

static bool all_say(struct service_kit *kit,
                    const struct request_id *ids,
                    size_t count,
                    const char *word,
                    uint32_t revision)
{
    for (size_t i = 0; i < count; i++) {
        if (!says(kit, &ids[i], word) || revision_of(kit, &ids[i]) != revision) {
            return false;
        }
    }
    return true;
}

/* The walk was set off by the freeze that was added; its edges come when a piece is done, before
 * and behind a restart. */
static void a_freeze_that_begins_or_ends_during_the_walk_reaches_all_of_them(void)
{
    enum { COUNT = 2 * SERVICE_SWEEP_CHANGE_MAX + 1 };
    struct service_kit kit;
    struct request_id ids[COUNT];
    struct freeze freeze;

    (void)ask(&kit, POLICY(""));
    approve_some(&kit, ids, COUNT);
    freeze = freeze_of(&kit, "x-mas", HOUR / 2);
    freeze.from_ms = kit.now_ms + HOUR / 4;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    one_piece(&kit);
    CU_ASSERT_FALSE(says(&kit, &ids[COUNT - 1], "held"));
    service_kit_pass(&kit, HOUR / 4); /* it begins */
    service_kit_tick(&kit);
    CU_ASSERT(all_say(&kit, ids, COUNT, "held", 3));

    freeze.name = SPAN_LITERAL("other");
    freeze.from_ms = freeze.to_ms + 1;
    freeze.to_ms = freeze.from_ms + 1;
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    one_piece(&kit);
    service_kit_restart(&kit);
    service_kit_pass(&kit, HOUR / 4); /* the first one ends */
    service_kit_tick(&kit);
    CU_ASSERT(all_say(&kit, ids, COUNT, "released", 4));
    service_kit_close(&kit);
}

static enum err_code forget_mark(struct storage_txn *txn, void *arg, struct err *err)
{
    (void)arg; /* the answer */
    return storage_delete(txn, 'm', SPAN_LITERAL("gate_sweep"), err);
}

static enum err_code damage_mark(struct storage_txn *txn, void *arg, struct err *err)
{
    (void)arg; /* the answer */
    return storage_put(txn, 'm', SPAN_LITERAL("gate_sweep"), SPAN_LITERAL("damaged"), err);
}

/* An older approvald has freezes and does not say so; nor has it a mark. */
static void what_an_older_approvald_left_is_walked_over_once(void)
{
    static storage_job_fn *const runs[] = {forget_mark, damage_mark};

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct service_kit kit;
        struct request_id id = ask(&kit, POLICY(""));
        struct freeze freeze = freeze_of(&kit, "x-mas", HOUR / 2);
        struct kit_answer answer = {.done = false};
        uint32_t revision;

        service_kit_tick(&kit);
        (void)kit_approve(&kit, &id, "U0ANN");
        CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
        CU_ASSERT_EQUAL(storage_write(kit.storage, runs[i], kit_on_done, &answer, NULL), ERR_OK);
        service_kit_wait(&kit, &answer.done);
        service_kit_restart(&kit);
        service_kit_tick(&kit);
        CU_ASSERT_TRUE(says(&kit, &id, "held"));
        revision = revision_of(&kit, &id);
        service_kit_restart(&kit);
        service_kit_tick(&kit);
        CU_ASSERT_EQUAL(revision_of(&kit, &id), revision);
        service_kit_pass(&kit, HOUR / 2);
        CU_ASSERT(service_deadline_ms(kit.service) <= kit.now_ms); /* its end is known */
        service_kit_tick(&kit);
        CU_ASSERT_TRUE(says(&kit, &id, "released"));
        service_kit_close(&kit);
    }
}

#define PEOPLE                                                                                     \
    "{\"U0A0\", \"U0A1\", \"U0A2\", \"U0A3\", \"U0A4\", \"U0A5\", \"U0A6\", \"U0A7\", \"U0A8\", "  \
    "\"U0A9\", \"U0B0\", \"U0B1\", \"U0B2\", \"U0B3\", \"U0B4\"}"

/* As long as it may be: five people said at length why not, and ten why. */
static struct request_id approve_long(struct service_kit *kit)
{
    static char text[CORE_DETAILS_SIZE_MAX];
    struct service_create create = {.actor = kit_asker,
                                    .policy = SPAN_LITERAL("long"),
                                    .requester = SPAN_LITERAL("U0ASKER"),
                                    .title = SPAN_LITERAL("Deploy shop"),
                                    .reason = span_of(text, CORE_TEXT_SIZE_MAX),
                                    .details = span_of(text, sizeof text)};
    struct kit_answer answer = {.done = false};

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = "\xf0\x9f\x98\x80"[i % 4];
    }
    CU_ASSERT_EQUAL_FATAL(service_create(kit->service, &create, kit_on_request, &answer, NULL),
                          ERR_OK);
    service_kit_wait(kit, &answer.done);
    for (int i = 0; i < 15; i++) {
        bool rejects = i < 5;
        char user[] = {'U', '0', rejects ? 'B' : 'A', (char)('0' + (rejects ? i : i - 5)), '\0'};
        struct service_decide press =
            kit_press(&answer.id, user, rejects ? VERDICT_REJECT : VERDICT_APPROVE, NULL);

        press.reason = span_of(text, CORE_TEXT_SIZE_MAX);
        answer = kit_decide(kit, &press);
    }
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    return answer.id;
}

/* All that one piece finds together is more than one job may write. */
static void approvals_with_long_texts_are_walked_over_and_keep_nothing_from_expiring(void)
{
    enum { COUNT = 2 * SERVICE_SWEEP_CHANGE_MAX + 1 };
    struct service_kit kit;
    struct request_id ids[COUNT];
    struct request_id pending = ask(
        &kit, POLICY("expires_after = 1m") "policy long { channel = \"C0CARDS\" approvers = " PEOPLE
                                           " quorum = 10 rejections = 6 }\n");
    struct freeze freeze;

    for (size_t i = 0; i < COUNT; i++) {
        service_kit_pass(&kit, 1);
        ids[i] = approve_long(&kit);
    }
    freeze = freeze_of(&kit, "x-mas", HOUR);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    service_kit_pass(&kit, CORE_MINUTE_MS);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &pending).state, REQUEST_EXPIRED);
    CU_ASSERT(all_say(&kit, ids, COUNT, "held", 17));
    service_kit_close(&kit);
}

/* A tick that has ended so many requests that there is no room for a piece comes again. */
static void it_goes_on_soon_whatever_ends_before(void)
{
    struct service_kit kit;
    struct request_id id =
        ask(&kit, "policy deploy { channel = \"C0ONE\" approvers = {\"U0ANN\"} }\n"
                  "policy four { channels = {\"C0ONE\", \"C0TWO\", \"C0THREE\", \"C0FOUR\"}\n"
                  "  approvers = {\"U0ANN\"} expires_after = 1m }\n");
    struct freeze freeze;
    uint32_t revision;

    revision = kit_approve(&kit, &id, "U0ANN").revision;
    for (size_t count = 1; count <= (size_t)2 * SERVICE_TICK_COUNT_MAX; count++) {
        for (size_t i = 0; i < count; i++) {
            (void)kit_create(&kit, "four", "");
        }
        service_kit_tick(&kit);
        service_kit_pass(&kit, CORE_MINUTE_MS);
        freeze = freeze_of(&kit, "x-mas", DAY);
        if (count % 2 == 0) {
            CU_ASSERT_EQUAL(drop(&kit, "x-mas").rc, ERR_OK);
        } else {
            CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
        }
        service_kit_tick(&kit);
        CU_ASSERT_EQUAL(revision_of(&kit, &id), revision + count);
    }
    service_kit_close(&kit);
}

/* Records have the time of a clock that was ahead: what is due by them is due at once. */
static void a_clock_that_was_ahead_keeps_nobody_waiting(void)
{
    enum { COUNT = 3 * SERVICE_SWEEP_CHANGE_MAX };
    struct service_kit kit;
    struct request_id ids[COUNT];
    struct freeze freeze;

    (void)ask(&kit, POLICY(""));
    kit.jump_ms = (int64_t)HOUR;
    approve_some(&kit, ids, COUNT);
    kit.jump_ms = 0;
    freeze = freeze_of(&kit, "x-mas", DAY);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(add(&kit, &freeze).rc, ERR_OK);
    CU_ASSERT(service_deadline_ms(kit.service) <= kit.now_ms);
    service_kit_tick(&kit);
    CU_ASSERT(all_say(&kit, ids, COUNT, "held", 3));
    service_kit_close(&kit);
}

UNIT_MAIN("gate_sweep",
          {"approvals say so when a freeze is added and removed",
           approvals_say_so_when_a_freeze_is_added_and_removed},
          {"what was asked in a freeze says when that is gone",
           what_was_asked_in_a_freeze_says_when_that_is_gone},
          {"they say so when it begins and ends by itself",
           they_say_so_when_it_begins_and_ends_by_itself},
          {"all of them say so, however many there are", all_of_them_say_so_however_many_there_are},
          {"a freeze that begins or ends during the walk reaches all of them",
           a_freeze_that_begins_or_ends_during_the_walk_reaches_all_of_them},
          {"what an older approvald left is walked over once",
           what_an_older_approvald_left_is_walked_over_once},
          {"approvals with long texts are walked over, and keep nothing from expiring",
           approvals_with_long_texts_are_walked_over_and_keep_nothing_from_expiring},
          {"it goes on soon, whatever ends before", it_goes_on_soon_whatever_ends_before},
          {"a clock that was ahead keeps nobody waiting",
           a_clock_that_was_ahead_keeps_nobody_waiting})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service.c: proves the life of a request through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/core/audit.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ONE                                                                                        \
    "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"} "                    \
    "webhooks = {\"ci\"} }\n"
#define TWO                                                                                        \
    "policy release { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\", \"U0EVE\"} "        \
    "quorum = 2 }\n"

static void a_request_is_made_decided_claimed_and_consumed(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;
    struct kit_audit audit;

    service_kit_open_with(&kit, ONE);
    made = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    CU_ASSERT_EQUAL(made.state, REQUEST_PENDING);
    CU_ASSERT_STRING_EQUAL(made.title, "Deploy shop");
    answer = kit_claim(&kit, &made.id, "");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_NOT_APPROVED);
    answer = kit_approve(&kit, &made.id, "U0ANN");
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.use, USE_UNUSED);
    answer = kit_claim(&kit, &made.id, "k");
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT_EQUAL(answer.use, USE_CLAIMED);
    answer = kit_claim(&kit, &made.id, "k");
    CU_ASSERT(answer.rc == ERR_OK && answer.replayed);
    answer = kit_claim(&kit, &made.id, "other");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_CLAIMED);
    CU_ASSERT_EQUAL(answer.rc, ERR_CONFLICT);
    answer = kit_consume(&kit, &made.id, 3);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    answer = kit_get(&kit, &made.id);
    CU_ASSERT_EQUAL(answer.use, USE_CONSUMED);
    CU_ASSERT_EQUAL(answer.consume_result, 3);
    audit = kit_audit(&kit, &made.id);
    CU_ASSERT(audit.sound);
    CU_ASSERT_STRING_EQUAL(audit.actions, "created refused approval approved claimed refused "
                                          "consumed ");
    CU_ASSERT(kit.changed_count > 0);
    service_kit_close(&kit);
}

static void a_quorum_needs_distinct_people(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;

    service_kit_open_with(&kit, TWO);
    made = kit_create(&kit, "release", "");
    answer = kit_approve(&kit, &made.id, "U0ANN");
    CU_ASSERT_EQUAL(answer.state, REQUEST_PENDING);
    answer = kit_approve(&kit, &made.id, "U0ANN");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_ALREADY_DECIDED);
    CU_ASSERT_EQUAL(answer.decision_count, 1);
    answer = kit_approve(&kit, &made.id, "U0BOB");
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(answer.decision_count, 2);
    answer = kit_approve(&kit, &made.id, "U0EVE");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_ENDED);
    service_kit_close(&kit);
}

static void of_two_simultaneous_approvers_one_is_told_that_it_ended(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answers[2] = {{.done = false}, {.done = false}};
    struct service_decide first;
    struct service_decide second;
    struct err err = ERR_INIT;

    service_kit_open_with(&kit, ONE);
    made = kit_create(&kit, "deploy", "");
    first = kit_press(&made.id, "U0ANN", VERDICT_APPROVE, "e1");
    second = kit_press(&made.id, "U0BOB", VERDICT_REJECT, "e2");
    CU_ASSERT_EQUAL(service_decide(kit.service, &first, kit_on_request, &answers[0], &err), ERR_OK);
    CU_ASSERT_EQUAL(service_decide(kit.service, &second, kit_on_request, &answers[1], &err),
                    ERR_OK);
    service_kit_wait(&kit, &answers[1].done);
    CU_ASSERT(answers[0].done);
    CU_ASSERT_EQUAL(answers[0].rc, ERR_OK);
    CU_ASSERT_EQUAL(answers[1].rc, ERR_CONFLICT);
    CU_ASSERT_EQUAL(answers[1].refusal, REFUSAL_ENDED);
    CU_ASSERT_EQUAL(answers[1].state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

static struct kit_answer create_with(struct service_kit *kit, const char *key, uint8_t body)
{
    struct service_create create = {.actor = kit_asker,
                                    .token_id = 1,
                                    .idempotency_key = span_text(key),
                                    .body_hash = {body},
                                    .policy = SPAN_LITERAL("deploy"),
                                    .title = SPAN_LITERAL("t")};

    return kit_create_as(kit, &create);
}

static void one_idempotency_key_makes_one_request(void)
{
    struct service_kit kit;
    struct service_counts counts;
    struct kit_answer first;
    struct kit_answer again;

    service_kit_open_with(&kit, ONE);
    first = create_with(&kit, "key-1", 1);
    again = create_with(&kit, "key-1", 1);
    CU_ASSERT_FALSE(first.replayed);
    CU_ASSERT(again.rc == ERR_OK && again.replayed);
    CU_ASSERT_EQUAL(memcmp(&first.id, &again.id, sizeof first.id), 0);
    again = create_with(&kit, "key-1", 2);
    CU_ASSERT_EQUAL(again.rc, ERR_CONFLICT);
    CU_ASSERT_EQUAL(again.refusal, REFUSAL_KEY_REUSED);
    service_kit_restart(&kit);
    again = create_with(&kit, "key-1", 1);
    CU_ASSERT(again.replayed);
    CU_ASSERT_FALSE(create_with(&kit, "key-2", 1).replayed);
    service_counts(kit.service, &counts);
    CU_ASSERT_EQUAL(counts.stored, 2);
    CU_ASSERT_EQUAL(counts.pending, 2);
    service_kit_close(&kit);
}

static void a_replayed_press_gets_the_first_answer_and_owes_nothing(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct service_decide press;
    struct kit_answer answer;
    struct kit_rows before;
    struct kit_rows after;
    uint64_t entries;

    service_kit_open_with(&kit, ONE);
    made = kit_create(&kit, "deploy", "");
    press = kit_press(&made.id, "U0MAL", VERDICT_APPROVE, "trigger-1");
    answer = kit_decide(&kit, &press);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(answer.rc, ERR_DENIED);
    before = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&before, SURFACE_NOTICE), 1);
    entries = kit_audit(&kit, NULL).count;
    answer = kit_decide(&kit, &press);
    CU_ASSERT(answer.replayed);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_NOT_APPROVER);
    after = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(before.count, after.count);
    CU_ASSERT_EQUAL(kit_audit(&kit, NULL).count, entries);

    press = kit_press(&made.id, "U0ANN", VERDICT_REJECT, "trigger-2");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).rc, ERR_OK);
    service_kit_restart(&kit);
    answer = kit_decide(&kit, &press);
    CU_ASSERT(answer.replayed && answer.rc == ERR_OK);
    CU_ASSERT_EQUAL(answer.state, REQUEST_REJECTED);
    CU_ASSERT_EQUAL(answer.decision_count, 1);
    service_kit_close(&kit);
}

static void a_press_on_an_unknown_request_is_refused_and_explained(void)
{
    struct service_kit kit;
    struct request_id nobody = {.bytes = {7}};
    struct service_decide press = kit_press(&nobody, "U0ANN", VERDICT_APPROVE, "x");
    struct service_row_key key = kit_key(&nobody, SURFACE_NOTICE, "U0ANN");
    struct kit_answer answer;
    struct kit_rows rows;
    struct kit_attempt attempt;

    service_kit_open_with(&kit, ONE);
    answer = kit_decide(&kit, &press);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_UNKNOWN_REQUEST);
    CU_ASSERT_EQUAL(answer.rc, ERR_NOT_FOUND);
    CU_ASSERT_FALSE(answer.has_request);
    rows = kit_owed(&kit, &nobody, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    attempt = kit_begin(&kit, &key);
    CU_ASSERT_EQUAL(attempt.rc, ERR_OK);
    CU_ASSERT_FALSE(attempt.has_request);
    service_kit_close(&kit);
}

#define GROUP "policy ops { channel = \"C0CARDS\" approvers = {\"S0OPS\"} }\n"

static void a_press_without_facts_waits_in_the_inbox_and_is_decided_from_there(void)
{
    struct service_kit kit;
    struct facts nothing = {.user_known = false};
    struct facts member = {.user_known = true,
                           .known_count = 1,
                           .known = {SPAN_LITERAL("S0OPS")},
                           .member_count = 1,
                           .member = {SPAN_LITERAL("S0OPS")}};
    struct service_decide press;
    struct kit_answer made;
    struct kit_answer answer;
    struct kit_inbox inbox;

    service_kit_open_with(&kit, GROUP);
    made = kit_create(&kit, "ops", "");
    press = kit_press(&made.id, "U0ZED", VERDICT_APPROVE, "late");
    answer = kit_decide(&kit, &press);
    CU_ASSERT(answer.rc == ERR_OK && answer.deferred);
    CU_ASSERT_EQUAL(answer.state, REQUEST_PENDING);
    answer = kit_decide(&kit, &press);
    CU_ASSERT(answer.replayed && answer.deferred);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 1);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 1);
    inbox = kit_inbox(&kit);
    CU_ASSERT_EQUAL(inbox.count, 1);
    CU_ASSERT_EQUAL(inbox.group_count, 1);
    CU_ASSERT_STRING_EQUAL(inbox.group, "S0OPS");
    CU_ASSERT_STRING_EQUAL(inbox.user, "U0ZED");
    answer = kit_resolve(&kit, inbox.seq, &nothing, false);
    CU_ASSERT(answer.rc == ERR_OK && answer.deferred);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 1);
    answer = kit_resolve(&kit, inbox.seq, &member, false);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT_EQUAL(answer.state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 0);
    CU_ASSERT_EQUAL(kit_resolve(&kit, inbox.seq, &member, false).rc, ERR_NOT_FOUND);
    answer = kit_decide(&kit, &press);
    CU_ASSERT(answer.replayed && !answer.deferred && answer.rc == ERR_OK);
    service_kit_close(&kit);
}

static void facts_that_never_come_end_in_a_refusal_with_a_notice(void)
{
    struct service_kit kit;
    struct facts nothing = {.user_known = false};
    struct service_decide press;
    struct kit_answer made;
    struct kit_answer answer;
    struct kit_rows rows;

    service_kit_open_with(&kit, GROUP);
    made = kit_create(&kit, "ops", "");
    press = kit_press(&made.id, "U0ZED", VERDICT_APPROVE, "late");
    CU_ASSERT(kit_decide(&kit, &press).deferred);
    answer = kit_resolve(&kit, 1, &nothing, true);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_FACTS_UNKNOWN);
    CU_ASSERT_EQUAL(service_inbox_depth(kit.service), 0);
    rows = kit_owed(&kit, &made.id, false);
    CU_ASSERT_EQUAL(kit_owed_of(&rows, SURFACE_NOTICE), 1);
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_FACTS_UNKNOWN);
    service_kit_close(&kit);
}

static void bad_input_is_answered_with_the_field(void)
{
    struct service_kit kit;
    struct service_create create = {.actor = kit_asker, .policy = SPAN_LITERAL("deploy")};
    struct kit_answer answer;

    service_kit_open_with(&kit, ONE);
    answer = kit_create_as(&kit, &create);
    CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
    CU_ASSERT(strstr(answer.message, "title") != NULL);
    CU_ASSERT_EQUAL(kit_create(&kit, "nothing", "").refusal, REFUSAL_UNKNOWN_POLICY);
    CU_ASSERT_EQUAL(kit_create(&kit, "nothing", "").rc, ERR_NOT_FOUND);
    service_kit_close(&kit);
}

static void more_open_requests_than_allowed_are_refused(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;

    service_kit_open_with(&kit, ONE);
    kit.open_count_max = 2;
    service_kit_restart(&kit);
    made = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    answer = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(answer.rc, ERR_FULL);
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_TOO_MANY);
    CU_ASSERT_EQUAL(kit_cancel(&kit, &made.id).state, REQUEST_CANCELLED);
    CU_ASSERT(kit_cancel(&kit, &made.id).replayed);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void an_event_without_a_decision_is_accepted_once(void)
{
    struct service_kit kit;
    struct service_note note = {.key = {.kind = 5, .time_s = 1, .text = SPAN_LITERAL("Ev1")},
                                .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK},
                                .audit = true,
                                .action = SPAN_LITERAL("modal"),
                                .detail = SPAN_LITERAL("opened")};
    struct kit_answer answers[2] = {{.done = false}, {.done = false}};
    struct err err = ERR_INIT;

    service_kit_open_with(&kit, ONE);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(service_note(kit.service, &note, kit_on_done, &answers[i], &err), ERR_OK);
    }
    service_kit_wait(&kit, &answers[1].done);
    CU_ASSERT_EQUAL(answers[0].rc, ERR_OK);
    CU_ASSERT_EQUAL(answers[1].rc, ERR_EXISTS);
    CU_ASSERT_STRING_EQUAL(kit_audit(&kit, NULL).actions, "policy_applied modal ");
    service_kit_close(&kit);
}

struct page {
    struct kit_answer answer;
    size_t count;
    bool more;
    struct request_id next;
    struct request_id first;
};

/* NOLINTNEXTLINE(readability-function-size): service_list_fn has seven parameters */
static void on_page(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct request *const *requests,
                    size_t count,
                    bool more,
                    const struct request_id *next)
{
    struct page *page = arg;

    kit_on_done(&page->answer, rc, err);
    page->count = count;
    page->more = more;
    page->next = *next;
    if (count > 0) {
        page->first = requests[0]->id;
    }
    for (size_t i = 1; i < count; i++) {
        CU_ASSERT(memcmp(&requests[i - 1]->id, &requests[i]->id, sizeof requests[i]->id) > 0);
    }
}

static struct page page_of(struct service_kit *kit, const struct service_list *list)
{
    struct page page = {.count = 0};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_list(kit->service, list, on_page, &page, &err), ERR_OK);
    service_kit_wait(kit, &page.answer.done);
    CU_ASSERT_EQUAL(page.answer.rc, ERR_OK);
    return page;
}

static void pages_are_newest_first_and_filtered(void)
{
    struct service_kit kit;
    struct kit_answer made[5];
    struct service_list all = {.count_max = 3};
    struct service_list pending = {.states = 1U << REQUEST_PENDING, .count_max = 10};
    struct service_list ended = {.states = 1U << REQUEST_APPROVED, .count_max = 10};
    struct page page;

    service_kit_open_with(&kit, ONE TWO);
    for (size_t i = 0; i < 5; i++) {
        service_kit_pass(&kit, 10);
        made[i] = kit_create(&kit, i == 4 ? "release" : "deploy", "");
    }
    CU_ASSERT_EQUAL(kit_approve(&kit, &made[1].id, "U0ANN").rc, ERR_OK);
    page = page_of(&kit, &all);
    CU_ASSERT(page.count == 3 && page.more);
    CU_ASSERT_EQUAL(memcmp(&page.first, &made[4].id, sizeof page.first), 0);
    all.has_before = true;
    all.before = page.next;
    page = page_of(&kit, &all);
    CU_ASSERT(page.count == 2 && !page.more);
    CU_ASSERT_EQUAL(page_of(&kit, &pending).count, 4);
    page = page_of(&kit, &ended);
    CU_ASSERT_EQUAL(page.count, 1);
    CU_ASSERT_EQUAL(memcmp(&page.first, &made[1].id, sizeof page.first), 0);
    pending.policy = SPAN_LITERAL("release");
    CU_ASSERT_EQUAL(page_of(&kit, &pending).count, 1);
    pending.asker = SPAN_LITERAL("nobody");
    CU_ASSERT_EQUAL(page_of(&kit, &pending).count, 0);
    service_kit_close(&kit);
}

/* A text of so many of the longest characters. */
static struct span long_text(size_t count)
{
    static const char longest[4] = {'\xf0', '\x9f', '\x9a', '\x80'};
    static char text[sizeof longest * CORE_DETAILS_COUNT_MAX];

    for (size_t i = 0; i < CORE_DETAILS_COUNT_MAX; i++) {
        memcpy(text + sizeof longest * i, longest, sizeof longest);
    }
    return span_of(text, sizeof longest * count);
}

static void make_long(struct service_kit *kit)
{
    static const char *const users[] = {"U0A", "U0B", "U0C", "U0D", "U0E",
                                        "U0F", "U0G", "U0H", "U0I", "U0J"};
    struct service_create create = {.actor = kit_asker,
                                    .policy = SPAN_LITERAL("many"),
                                    .title = SPAN_LITERAL("long"),
                                    .reason = long_text(CORE_REASON_COUNT_MAX),
                                    .details = long_text(CORE_DETAILS_COUNT_MAX)};
    struct kit_answer made = kit_create_as(kit, &create);

    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct service_decide press = kit_press(&made.id, users[i], VERDICT_APPROVE, NULL);

        press.reason = long_text(CORE_REASON_COUNT_MAX);
        CU_ASSERT_EQUAL_FATAL(kit_decide(kit, &press).rc, ERR_OK);
    }
}

static void long_requests_make_short_pages(void)
{
    enum { LONG_COUNT = 108 };
    struct service_kit kit;
    struct service_list list = {.count_max = SERVICE_PAGE_COUNT_MAX};
    struct page page;
    size_t count;

    service_kit_open_with(&kit,
                          "policy many { approvers = {\"U0A\", \"U0B\", \"U0C\", \"U0D\", \"U0E\", "
                          "\"U0F\", \"U0G\", \"U0H\", \"U0I\", \"U0J\", \"U0K\"} quorum = 10 }");
    for (int i = 0; i < LONG_COUNT; i++) {
        make_long(&kit);
    }
    page = page_of(&kit, &list);
    CU_ASSERT(page.more && page.count > 0 && page.count < SERVICE_PAGE_COUNT_MAX);
    count = page.count;
    list.has_before = true;
    list.before = page.next;
    page = page_of(&kit, &list);
    CU_ASSERT_FALSE(page.more);
    CU_ASSERT_EQUAL(count + page.count, LONG_COUNT);
    service_kit_close(&kit);
}

static struct kit_answer ask_for(struct service_kit *kit, struct span user, struct span requester)
{
    struct service_create create = {
        .actor = {.kind = ACTOR_TOKEN, .via = VIA_API, .user = user, .token = SPAN_LITERAL("ann")},
        .token_id = 2,
        .policy = SPAN_LITERAL("deploy"),
        .requester = requester,
        .title = SPAN_LITERAL("Deploy shop"),
    };

    return kit_create_as(kit, &create);
}

static void who_asks_with_his_own_token_cannot_approve_it_himself(void)
{
    static const struct span ann = {.data = "U0ANN", .size = 5};
    struct service_kit kit;
    struct kit_answer made;

    service_kit_open_with(&kit, ONE);
    made = ask_for(&kit, ann, SPAN_NONE);
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").refusal, REFUSAL_SELF_APPROVAL);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0BOB").state, REQUEST_APPROVED);
    made = ask_for(&kit, ann, ann);
    CU_ASSERT_EQUAL(made.rc, ERR_OK);
    made = ask_for(&kit, ann, SPAN_LITERAL("U0BOB"));
    CU_ASSERT_EQUAL(made.rc, ERR_INVALID);
    CU_ASSERT(strstr(made.message, "requester") != NULL);
    service_kit_close(&kit);
}

UNIT_MAIN("service",
          {"a request is made, decided, claimed and consumed",
           a_request_is_made_decided_claimed_and_consumed},
          {"a quorum needs distinct people", a_quorum_needs_distinct_people},
          {"of two simultaneous approvers one is told that it ended",
           of_two_simultaneous_approvers_one_is_told_that_it_ended},
          {"one idempotency key makes one request", one_idempotency_key_makes_one_request},
          {"a replayed press gets the first answer and owes nothing",
           a_replayed_press_gets_the_first_answer_and_owes_nothing},
          {"a press on an unknown request is refused and explained",
           a_press_on_an_unknown_request_is_refused_and_explained},
          {"a press without facts waits in the inbox and is decided from there",
           a_press_without_facts_waits_in_the_inbox_and_is_decided_from_there},
          {"facts that never come end in a refusal with a notice",
           facts_that_never_come_end_in_a_refusal_with_a_notice},
          {"who asks with his own token cannot approve it himself",
           who_asks_with_his_own_token_cannot_approve_it_himself},
          {"bad input is answered with the field", bad_input_is_answered_with_the_field},
          {"more open requests than allowed are refused",
           more_open_requests_than_allowed_are_refused},
          {"an event without a decision is accepted once",
           an_event_without_a_decision_is_accepted_once},
          {"pages are newest first and filtered", pages_are_newest_first_and_filtered},
          {"long requests make short pages", long_requests_make_short_pages})

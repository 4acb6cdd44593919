/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_home.c: proves what one person's Home is made of (service/home) and the book behind
 * it (service/book).
 * Owns nothing but its cases; never speaks with Slack: the facts are given. */
#include "approvald/core/request_id.h"
#include "approvald/service/book.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define POLICIES                                                                                   \
    "policy deploy { approvers = {\"U0ANN\", \"U0BOB\", \"U0EVE\"} quorum = 2 expires_after = "    \
    "\"1d\" }\n"                                                                                   \
    "policy quick { approvers = {\"U0ANN\"} expires_after = \"1h\" }\n"                            \
    "policy other { approvers = {\"U0CAT\"} }\n"                                                   \
    "policy own { approvers = {\"U0ANN\", \"U0ASKER\"} self_approval = true }\n"                   \
    "policy team { approvers = {\"S0TEAM\"} }\n"                                                   \
    "policy late { approvers = {\"U0ANN\", \"U0BOB\"} escalate_after = \"10m\" "                   \
    "escalate_to = {\"U0CAT\"} takes_effect_after = \"1h\" }\n"                                    \
    "policy both { needs = {\"security: 1 of U0ANN, U0BOB\", \"ops: 1 of U0CAT\"} }\n"

/* One answer, copied as far as tests look at it. */
struct shown {
    bool done;
    bool ready;
    bool unknown;
    struct {
        size_t count;
        struct request_id ids[SERVICE_HOME_ITEM_MAX];
        enum request_state states[SERVICE_HOME_ITEM_MAX];
        uint32_t page;
        bool more;
        uint32_t total;
        bool cut;
    } parts[HOME_PART_COUNT];
};

static void
on_home(void *arg, enum err_code rc, const struct err *err, const struct service_home_answer *found)
{
    struct shown *shown = arg;

    (void)err; /* the code says it all */
    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    shown->done = true;
    shown->ready = found->ready;
    shown->unknown = found->unknown;
    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        const struct service_home_list *list = &found->parts[part];

        shown->parts[part].count = list->count;
        shown->parts[part].page = list->page;
        shown->parts[part].more = list->more;
        shown->parts[part].total = list->total;
        shown->parts[part].cut = list->cut;
        for (size_t i = 0; i < list->count; i++) {
            CU_ASSERT(span_equal(list->items[i].request->policy, list->items[i].policy->name));
            shown->parts[part].ids[i] = list->items[i].request->id;
            shown->parts[part].states[i] = list->items[i].request->state;
        }
    }
}

static struct shown look_once(struct service_kit *kit, const struct service_home *home)
{
    struct shown shown = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_home(kit->service, home, on_home, &shown, &err), ERR_OK);
    service_kit_wait(kit, &shown.done);
    return shown;
}

/* Until the book is filled. */
static struct shown look(struct service_kit *kit, const struct service_home *home)
{
    struct shown shown = look_once(kit, home);

    for (int i = 0; i < 1000 && !shown.ready; i++) {
        shown = look_once(kit, home);
    }
    CU_ASSERT_FATAL(shown.ready);
    return shown;
}

static struct service_home home_of(const char *user)
{
    return (struct service_home){.user = span_text(user), .facts = {.user_known = true}};
}

static struct shown look_as(struct service_kit *kit, const char *user)
{
    struct service_home home = home_of(user);

    return look(kit, &home);
}

static struct request_id ask(struct service_kit *kit, const char *policy)
{
    struct kit_answer made;

    service_kit_pass(kit, 1000);
    made = kit_create(kit, policy, "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    return made.id;
}

static bool is_at(const struct shown *shown,
                  enum service_home_part part,
                  size_t index,
                  const struct request_id *id)
{
    return index < shown->parts[part].count && request_id_equal(&shown->parts[part].ids[index], id);
}

static void what_i_may_decide_waits_for_me_and_what_expires_first_comes_first(void)
{
    struct service_kit kit;
    struct request_id slow;
    struct request_id fast;
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    slow = ask(&kit, "deploy");
    (void)ask(&kit, "other");
    fast = ask(&kit, "quick");
    shown = look_as(&kit, "U0ANN");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 2);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].total, 2);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &fast));
    CU_ASSERT(is_at(&shown, HOME_WAITING, 1, &slow));
    CU_ASSERT_EQUAL(shown.parts[HOME_MINE].count, 0);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].count, 0);
    shown = look_as(&kit, "U0BOB");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 1);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &slow));
    shown = look_as(&kit, "U0STRANGER");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].total, 0);
    service_kit_close(&kit);
}

static void it_follows_each_decision(void)
{
    struct service_kit kit;
    struct request_id id;
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    CU_ASSERT_EQUAL(look_as(&kit, "U0ANN").parts[HOME_WAITING].count, 0); /* filled: it follows */
    id = ask(&kit, "deploy");
    shown = look_as(&kit, "U0ANN");
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &id));
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    shown = look_as(&kit, "U0ANN"); /* he has, the other has not */
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].total, 0);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].count, 0); /* it is not over */
    shown = look_as(&kit, "U0BOB");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 1);
    /* A job that fails leaves nothing in the book. */
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0CAT").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(look_as(&kit, "U0BOB").parts[HOME_WAITING].count, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0BOB").state, REQUEST_APPROVED);
    shown = look_as(&kit, "U0BOB");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    CU_ASSERT(is_at(&shown, HOME_RECENT, 0, &id));
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].states[0], REQUEST_APPROVED);
    shown = look_as(&kit, "U0ASKER");
    CU_ASSERT(is_at(&shown, HOME_RECENT, 0, &id));
    CU_ASSERT_EQUAL(look_as(&kit, "U0CAT").parts[HOME_RECENT].count, 0);
    service_kit_close(&kit);
}

static void my_requests_are_those_that_are_open_newest_first(void)
{
    struct service_kit kit;
    struct request_id first;
    struct request_id second;
    struct request_id own;
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    first = ask(&kit, "deploy");
    second = ask(&kit, "other");
    own = ask(&kit, "own");
    shown = look_as(&kit, "U0ASKER");
    CU_ASSERT_EQUAL(shown.parts[HOME_MINE].total, 3);
    CU_ASSERT(is_at(&shown, HOME_MINE, 0, &own));
    CU_ASSERT(is_at(&shown, HOME_MINE, 1, &second));
    CU_ASSERT(is_at(&shown, HOME_MINE, 2, &first));
    /* His own waits for him only where the policy lets him. */
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 1);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &own));
    service_kit_pass(&kit, UINT64_C(25) * 3600 * 1000);
    service_kit_tick(&kit);
    shown = look_as(&kit, "U0ASKER");
    CU_ASSERT_EQUAL(shown.parts[HOME_MINE].count, 0);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].count, 3);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].states[0], REQUEST_EXPIRED);
    service_kit_close(&kit);
}

static void groups_and_what_a_person_is_are_respected(void)
{
    struct service_kit kit;
    struct service_home home = home_of("U0DAN");
    struct request_id id;
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    id = ask(&kit, "team");
    shown = look(&kit, &home);
    CU_ASSERT(shown.unknown); /* nobody knows yet who is in it */
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    home.facts.known_count = 1;
    home.facts.known[0] = SPAN_LITERAL("S0TEAM");
    shown = look(&kit, &home);
    CU_ASSERT_FALSE(shown.unknown);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    home.facts.member_count = 1;
    home.facts.member[0] = SPAN_LITERAL("S0TEAM");
    shown = look(&kit, &home);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &id));
    home.facts.guest = true;
    CU_ASSERT_EQUAL(look(&kit, &home).parts[HOME_WAITING].count, 0);
    home.facts.guest = false;
    home.facts.user_known = false;
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    CU_ASSERT(shown.unknown);
    service_kit_close(&kit);
}

static void what_is_needed_from_others_does_not_wait_for_me(void)
{
    struct service_kit kit;
    struct request_id id;

    service_kit_open_with(&kit, POLICIES);
    id = ask(&kit, "both");
    CU_ASSERT_EQUAL(look_as(&kit, "U0BOB").parts[HOME_WAITING].count, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0ANN").rc, ERR_OK);
    CU_ASSERT_EQUAL(look_as(&kit, "U0BOB").parts[HOME_WAITING].total, 0);
    CU_ASSERT_EQUAL(look_as(&kit, "U0ANN").parts[HOME_WAITING].total, 0);
    CU_ASSERT_EQUAL(look_as(&kit, "U0CAT").parts[HOME_WAITING].total, 1);
    service_kit_close(&kit);
}

static void who_is_asked_later_waits_later_and_nobody_when_it_is_approved(void)
{
    struct service_kit kit;
    struct request_id id;

    service_kit_open_with(&kit, POLICIES);
    id = ask(&kit, "late");
    CU_ASSERT_EQUAL(look_as(&kit, "U0ANN").parts[HOME_WAITING].total, 1);
    CU_ASSERT_EQUAL(look_as(&kit, "U0CAT").parts[HOME_WAITING].total, 0);
    service_kit_pass(&kit, 10 * CORE_MINUTE_MS);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(look_as(&kit, "U0CAT").parts[HOME_WAITING].total, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &id, "U0CAT").rc, ERR_OK);
    CU_ASSERT_EQUAL(look_as(&kit, "U0ANN").parts[HOME_WAITING].total, 0);
    CU_ASSERT_EQUAL(look_as(&kit, "U0CAT").parts[HOME_WAITING].total, 0);
    service_kit_close(&kit);
}

static void however_many_wait_those_of_the_page_are_shown(void)
{
    const uint32_t count = SERVICE_HOME_READ_MAX + 10;
    struct service_kit kit;
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    for (uint32_t i = 0; i < count; i++) {
        (void)ask(&kit, "late"); /* each has to be read to know whether it waits */
    }
    shown = look_as(&kit, "U0ANN");
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, SERVICE_HOME_ITEM_MAX);
    CU_ASSERT(shown.parts[HOME_WAITING].total > SERVICE_HOME_READ_MAX / 2);
    CU_ASSERT(shown.parts[HOME_WAITING].cut); /* and it says that it is not all */
    service_kit_close(&kit);
}

static void pages_are_cut_and_one_behind_the_last_is_the_last(void)
{
    struct service_kit kit;
    struct service_home home = home_of("U0ANN");
    struct request_id ids[12];
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    for (size_t i = 0; i < 12; i++) {
        ids[i] = ask(&kit, "quick");
    }
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 5);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].total, 12);
    CU_ASSERT(shown.parts[HOME_WAITING].more);
    home.pages[HOME_WAITING] = 1;
    shown = look(&kit, &home);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 0, &ids[5]));
    home.pages[HOME_WAITING] = UINT32_MAX;
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].page, 2);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 2);
    CU_ASSERT(is_at(&shown, HOME_WAITING, 1, &ids[11]));
    CU_ASSERT_FALSE(shown.parts[HOME_WAITING].more);
    for (size_t i = 0; i < 12; i++) {
        service_kit_pass(&kit, 1000);
        CU_ASSERT_EQUAL(kit_approve(&kit, &ids[i], "U0ANN").state, REQUEST_APPROVED);
    }
    home.pages[HOME_RECENT] = 1;
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].count, 0);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].page, 0);
    CU_ASSERT(is_at(&shown, HOME_RECENT, 0, &ids[6])); /* the last one that ended is first */
    CU_ASSERT(shown.parts[HOME_RECENT].more);
    home.pages[HOME_RECENT] = UINT32_MAX;
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].page, 2);
    CU_ASSERT(is_at(&shown, HOME_RECENT, 1, &ids[0]));
    service_kit_close(&kit);
}

static void after_a_restart_all_of_it_is_found_again(void)
{
    struct service_kit kit;
    struct request_id last = {.bytes = {0}};
    struct request_id ended;
    struct service_home home = home_of("U0ANN");
    struct shown shown;

    service_kit_open_with(&kit, POLICIES);
    ended = ask(&kit, "quick");
    CU_ASSERT_EQUAL(kit_approve(&kit, &ended, "U0ANN").state, REQUEST_APPROVED);
    for (size_t i = 0; i < 3 * SERVICE_BOOK_FILL_COUNT / 2; i++) {
        last = ask(&kit, "quick");
    }
    service_kit_restart(&kit);
    CU_ASSERT_FALSE(look_once(&kit, &home).ready);
    /* What changes while the book is being filled is not missed, and not there twice. */
    CU_ASSERT_EQUAL(kit_approve(&kit, &last, "U0ANN").state, REQUEST_APPROVED);
    (void)ask(&kit, "quick");
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].total, 3 * SERVICE_BOOK_FILL_COUNT / 2);
    CU_ASSERT(shown.parts[HOME_WAITING].more);
    home.pages[HOME_WAITING] = SERVICE_HOME_PAGE_MAX;
    shown = look(&kit, &home);
    CU_ASSERT_EQUAL(shown.parts[HOME_WAITING].page, SERVICE_HOME_PAGE_MAX - 1);
    CU_ASSERT_EQUAL(shown.parts[HOME_RECENT].count, 2);
    CU_ASSERT(is_at(&shown, HOME_RECENT, 0, &last));
    CU_ASSERT(is_at(&shown, HOME_RECENT, 1, &ended));
    service_kit_close(&kit);
}

/* The book by itself. */

static void make(struct request *request, uint64_t ms, bool ended)
{
    uint8_t random[10] = {(uint8_t)ms, (uint8_t)(ms >> 8)};

    memset(request, 0, sizeof *request);
    request_id_make(ms, random, &request->id);
    request->state = ended ? REQUEST_APPROVED : REQUEST_PENDING;
    request->policy = SPAN_LITERAL("deploy");
    request->policy_version = 1;
    request->requester = SPAN_LITERAL("U0ASKER");
    request->expires_ms = ms + 1000;
    request->ended_ms = ended ? ms + 500 : 0;
}

static void the_last_outcomes_are_kept_in_order_however_they_come(void)
{
    struct book *book = NULL;
    struct err err = ERR_INIT;
    struct request request;
    size_t count = SERVICE_BOOK_ENDED_MAX + 100;

    CU_ASSERT_EQUAL_FATAL(book_new(&book, &err), ERR_OK);
    book_open(book);
    for (size_t i = 0; i < count; i++) { /* 7919 is a prime: each once, in no order */
        make(&request, 1000 + (i * 7919) % count, true);
        book_fill(book, &request);
        book_fill(book, &request); /* twice is once */
    }
    CU_ASSERT_EQUAL_FATAL(book_ended_count(book), SERVICE_BOOK_ENDED_MAX);
    for (size_t i = 0; i < SERVICE_BOOK_ENDED_MAX; i++) {
        CU_ASSERT_EQUAL(book_ended_entry(book, i)->at_ms, 1500 + 100 + i);
    }
    book_free(book);
}

static size_t living(const struct book *book)
{
    size_t count = 0;
    size_t alive = 0;
    const struct book_entry *entries = book_open_entries(book, &count);

    for (size_t i = 0; i < count; i++) {
        CU_ASSERT(i == 0 || request_id_compare(&entries[i - 1].id, &entries[i].id) < 0);
        alive += entries[i].gone ? 0 : 1;
    }
    return alive;
}

static void open_ones_come_and_go_and_only_kept_jobs_count(void)
{
    struct book *book = NULL;
    struct err err = ERR_INIT;
    struct request before;
    struct request after;
    size_t count = 0;

    CU_ASSERT_EQUAL_FATAL(book_new(&book, &err), ERR_OK);
    make(&after, 1, false);
    book_note(book, NULL, &after); /* nobody has asked for it yet */
    book_end(book, true);
    book_open(book);
    for (uint64_t ms = 2; ms < 1002; ms++) {
        make(&after, ms, false);
        book_note(book, NULL, &after);
        book_end(book, ms % 4 != 0);
    }
    CU_ASSERT_EQUAL(living(book), 750);
    for (uint64_t ms = 2; ms < 1002; ms++) {
        make(&before, ms, false);
        make(&after, ms, true);
        book_note(book, &before, &after);
        book_end(book, ms % 2 != 0);
    }
    CU_ASSERT_EQUAL(living(book), 250);
    (void)book_open_entries(book, &count);
    CU_ASSERT(count <= 2 * 250 + 64); /* what is gone is swept away */
    CU_ASSERT_EQUAL(book_ended_count(book), 500);
    book_free(book);
}

UNIT_MAIN("service home",
          {"what I may decide waits for me and what expires first comes first",
           what_i_may_decide_waits_for_me_and_what_expires_first_comes_first},
          {"it follows each decision", it_follows_each_decision},
          {"my requests are those that are open newest first",
           my_requests_are_those_that_are_open_newest_first},
          {"groups and what a person is are respected", groups_and_what_a_person_is_are_respected},
          {"what is needed from others does not wait for me",
           what_is_needed_from_others_does_not_wait_for_me},
          {"who is asked later waits later, and nobody when it is approved",
           who_is_asked_later_waits_later_and_nobody_when_it_is_approved},
          {"however many wait those of the page are shown",
           however_many_wait_those_of_the_page_are_shown},
          {"pages are cut and one behind the last is the last",
           pages_are_cut_and_one_behind_the_last_is_the_last},
          {"after a restart all of it is found again", after_a_restart_all_of_it_is_found_again},
          {"the last outcomes are kept in order however they come",
           the_last_outcomes_are_kept_in_order_however_they_come},
          {"open ones come and go and only kept jobs count",
           open_ones_come_and_go_and_only_kept_jobs_count})

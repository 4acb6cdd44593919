/* SPDX-License-Identifier: Apache-2.0 */
/* test_people.c: proves who gets a copy of a card: everybody who may approve, as far as the
 * directory knows, each once, and what happens when they are too many or not known.
 * Owns the store's half: whom it was told to give copies to. Never opens a socket. */
#include "approvald/core/audience.h"
#include "approvald/service/cards.h"
#include "approvald/slack/people/people.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "tests/unit/directory_bench.h"
#include "tests/unit/fake_fetch.h"

#include <stdio.h>
#include <string.h>

#define ANA  SPAN_LITERAL("U0APR00001")
#define BEN  SPAN_LITERAL("U0APR00002")
#define RITA SPAN_LITERAL("U0REQ00001")
#define DORA SPAN_LITERAL("U0DOR00001")

/* The store. */
static uint32_t given_count;
static char given[CORE_DIRECT_COUNT_MAX][CORE_SLACK_ID_SIZE_MAX + 1];
static bool away; /* ANA is stood in for by DORA */
static enum err_code store_rc;
static struct metrics *metrics; /* of the directory */
static bool asked_when_given;   /* Slack, by then */

static bool was_asked(void)
{
    return metric_value(metrics_add(metrics, METRIC_COUNTER, "approvald_slack_lookups_total",
                                    "kind=\"group\"", "")) > 0;
}

/* NOLINTNEXTLINE(readability-function-size): cards.h's own */
enum err_code service_cards_give(struct service *service,
                                 const struct request_id *id,
                                 const struct span *users,
                                 uint32_t count,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    (void)service; /* there is none */
    (void)id;      /* there is one request */
    given_count = count;
    asked_when_given = was_asked();
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(given[i], sizeof given[i], "%.*s", SPAN_ARGS(users[i]));
    }
    (void)err_set(err, store_rc, "the store is full");
    done(arg, store_rc, err);
    return ERR_OK;
}

bool service_substitute(const struct service *service, struct span user, struct span *ret_user)
{
    (void)service; /* there is none */
    *ret_user = DORA;
    return away && span_equal(user, ANA);
}

void service_add_stand_ins(const struct service *service, struct span user, struct facts *facts)
{
    (void)service; /* there is none */
    if (away && span_equal(user, DORA)) {
        facts->stand_in_count = 1;
        facts->stand_ins[0] = (struct stand_in){.user = ANA, .known = true, .fit = true};
    }
}

/* One attempt. */
struct told {
    uint32_t count;
    enum outbox_result result;
    uint32_t revision;
    char error[CORE_ERROR_SIZE_MAX];
};

static void on_told(void *arg, const struct delivery_result *result)
{
    struct told *told = arg;

    told->count++;
    told->result = result->outcome.result;
    told->revision = result->outcome.revision;
    (void)snprintf(told->error, sizeof told->error, "%.*s", SPAN_ARGS(result->outcome.error));
}

static struct told attempt(struct bench *bench,
                           const struct policy *policy,
                           const struct request *request,
                           uint32_t attempts)
{
    const struct outbox_row row = {.surface = SURFACE_PEOPLE, .attempts = attempts};
    const struct delivery delivery = {.row = &row, .request = request, .policy = policy};
    struct people *people = NULL;
    struct told told = {.count = 0};
    struct err err = ERR_INIT;

    given_count = 0;
    CU_ASSERT_EQUAL_FATAL(people_new(bench->directory, NULL, bench->metrics, &people, &err),
                          ERR_OK);
    CU_ASSERT_EQUAL(people_start(people, &delivery, on_told, &told, &err), ERR_OK);
    CU_ASSERT_EQUAL(told.count, 1);
    people_free(people);
    turn(bench);
    return told;
}

/* Slack says of everybody who is asked for that he is a member. */
static void answer_people(struct bench *bench)
{
    while (fake_fetch_find("users.info") != NULL) {
        answer_user(bench, "");
    }
}

/* The attempt after it. */
static struct told
attempt_known(struct bench *bench, const struct policy *policy, const struct request *request)
{
    (void)attempt(bench, policy, request, 1);
    answer_people(bench);
    return attempt(bench, policy, request, 2);
}

/* Of the first so many members of GROUP, at the rate that Slack allows. */
static void know_members(struct bench *bench, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct directory_need need = {.kind = DIRECTORY_USER,
                                      .id = directory_group_member(bench->directory, GROUP, i)};

        bench->now.boot_ms += 1000;
        fetch(bench, &need, 1);
        answer_user(bench, "");
    }
}

static struct policy policy_of(void)
{
    return (struct policy){.name = SPAN_LITERAL("deploy"),
                           .quorum = 1,
                           .rejections = 1,
                           .direct_approvers = true,
                           .user_count = 3,
                           .users = {ANA, BEN, RITA}};
}

static struct request request_of(void)
{
    return (struct request){.id = {.bytes = {1}},
                            .revision = 7,
                            .state = REQUEST_PENDING,
                            .quorum = 1,
                            .rejections = 1,
                            .requester = RITA};
}

static void start(struct bench *bench)
{
    setup(bench);
    metrics = bench->metrics;
    away = false;
    store_rc = ERR_OK;
}

/* So many members U0P0, U0P1, … of GROUP. */
static void answer_group(struct bench *bench, uint32_t count)
{
    char body[8192];
    int size = snprintf(body, sizeof body, "{\"ok\":true,\"users\":[");

    for (uint32_t i = 0; i < count; i++) {
        size +=
            snprintf(body + size, sizeof body - (size_t)size, "%s\"U0P%u\"", i == 0 ? "" : ",", i);
    }
    (void)snprintf(body + size, sizeof body - (size_t)size, "]}");
    CU_ASSERT(fake_fetch_ok("usergroups.users.list", body));
    turn(bench);
}

static void who_may_approve_gets_one_and_the_requester_does_not(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct told told;

    start(&bench);
    told = attempt_known(&bench, &policy, &request);
    CU_ASSERT(told.result == OUTBOX_SENT && told.revision == 7);
    CU_ASSERT_EQUAL_FATAL(given_count, 2);
    CU_ASSERT(strcmp(given[0], "U0APR00001") == 0 && strcmp(given[1], "U0APR00002") == 0);
    policy.self_approval = true;
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(given_count, 3);
    request.decision_count = 1;
    request.quorum = 2;
    request.decisions[0] =
        (struct decision){.verdict = VERDICT_APPROVE, .via = VIA_API, .user = BEN};
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(given_count, 2); /* who has decided needs none */
    teardown(&bench);
}

static void who_is_known_to_be_a_guest_gets_none(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    fetch_user(&bench);
    answer_user(&bench, ",\"is_restricted\":true");
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL_FATAL(given_count, 1);
    CU_ASSERT_STRING_EQUAL(given[0], "U0APR00002");
    teardown(&bench);
}

static void who_is_not_known_is_asked_for_before_he_gets_one(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct told told;

    start(&bench);
    told = attempt(&bench, &policy, &request, 1);
    CU_ASSERT_EQUAL(told.result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(given_count, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(told.error, "U0APR00001 is not known yet"));
    answer_user(&bench, ",\"is_restricted\":true"); /* ANA */
    answer_user(&bench, "");
    CU_ASSERT_PTR_NULL(fake_fetch_find("users.info")); /* not of who may not in any case */
    told = attempt(&bench, &policy, &request, 2);
    CU_ASSERT_EQUAL(told.result, OUTBOX_SENT);
    CU_ASSERT_EQUAL_FATAL(given_count, 1);
    CU_ASSERT_STRING_EQUAL(given[0], "U0APR00002");
    teardown(&bench);
}

/* What the answers to a question push out of the cache may be the very people. */
static void slack_is_asked_after_the_copies_are_given(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    policy.group_count = 1;
    policy.groups[0] = GROUP;
    (void)attempt(&bench, &policy, &request, 1);
    CU_ASSERT_FALSE(asked_when_given);
    CU_ASSERT(was_asked());
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("users.info"));
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("usergroups.users.list"));
    teardown(&bench);
}

static void a_request_that_nobody_can_be_asked_about_is_a_dead_letter(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct told told;

    start(&bench);
    policy.user_count = 1;
    policy.users[0] = RITA;
    told = attempt(&bench, &policy, &request, 1);
    CU_ASSERT_EQUAL(told.result, OUTBOX_DEAD);
    CU_ASSERT_PTR_NOT_NULL(strstr(told.error, "nobody could be asked"));
    store_rc = ERR_FULL; /* what the store refuses is tried again all the same */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_RETRY);
    store_rc = ERR_NOT_FOUND; /* pruned meanwhile */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_SENT);
    store_rc = ERR_OK;
    policy.group_count = 1; /* whose members may be others */
    policy.groups[0] = GROUP;
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_RETRY);
    policy.group_count = 0;
    policy.channel = SPAN_LITERAL("C0CARDS"); /* where it is seen */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_SENT);
    request.unposted = true; /* but it is not taken there */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_DEAD);
    request.unposted = false;
    policy.channel = SPAN_NONE;
    policy.clocks.escalate_channel = SPAN_LITERAL("C0OTHERS");
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_DEAD);
    request.clocks.escalated_ms = 5; /* now it is seen there */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_SENT);
    request.clocks.escalated_ms = 0;
    request.clocks.effect_ms = 5; /* nobody has to do anything */
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_SENT);
    teardown(&bench);
}

static void a_slack_that_says_nothing_of_people_is_not_waited_for(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 3).result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(given_count, 0);
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 4).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, 2);
    policy.channel = SPAN_LITERAL("C0CARDS");
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 3).result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(given_count, 0);
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 4).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, 2);
    teardown(&bench);
}

static void members_and_owners_of_addresses_are_found_each_once(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct told told;

    start(&bench);
    policy.users[2] = SPAN_LITERAL("ana@acme.example");
    policy.group_count = 1;
    policy.groups[0] = GROUP;
    told = attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(told.result, OUTBOX_RETRY); /* there are more than these */
    CU_ASSERT_EQUAL(given_count, 2);            /* who are asked meanwhile */
    CU_ASSERT_PTR_NOT_NULL(strstr(told.error, "ana@acme.example is not known yet"));
    CU_ASSERT(
        fake_fetch_ok("users.lookupByEmail", "{\"ok\":true,\"user\":{\"id\":\"U0APR00001\"}}"));
    turn(&bench);
    answer_group(&bench, 3);
    told = attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(told.result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, 5);
    teardown(&bench);
}

static void with_a_channel_it_is_waited_until_all_are_known(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    policy.channel = SPAN_LITERAL("C0CARDS");
    policy.group_count = 1;
    policy.groups[0] = GROUP;
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(given_count, 0);
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 4).result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(given_count, 2); /* but not for ever */
    teardown(&bench);
}

static void too_many_are_the_channels_business(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    start(&bench);
    fetch(&bench, &need, 1);
    answer_group(&bench, CORE_DIRECT_COUNT_MAX - 2);
    know_members(&bench, CORE_DIRECT_COUNT_MAX - 2);
    policy.group_count = 1;
    policy.groups[0] = GROUP;
    policy.channel = SPAN_LITERAL("C0CARDS");
    CU_ASSERT_EQUAL(attempt_known(&bench, &policy, &request).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, CORE_DIRECT_COUNT_MAX); /* just so many */
    policy.self_approval = true;                         /* and one more */
    CU_ASSERT_EQUAL(attempt_known(&bench, &policy, &request).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, 0);
    policy.channel = SPAN_NONE;
    CU_ASSERT_EQUAL(attempt_known(&bench, &policy, &request).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, CORE_DIRECT_COUNT_MAX); /* nobody else is told */
    CU_ASSERT_STRING_EQUAL(given[0], "U0APR00001");      /* who is named goes first */
    CU_ASSERT_EQUAL(metric_value(metrics_add(bench.metrics, METRIC_COUNTER,
                                             "approvald_slack_people_too_many_total", NULL, "")),
                    3); /* looks */
    teardown(&bench);
}

static void a_large_group_is_not_read_to_its_end(void)
{
    struct bench bench;
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};
    struct policy policy = policy_of();
    struct request request = request_of();
    struct audience audience;

    start(&bench);
    fetch(&bench, &need, 1);
    answer_group(&bench, 500);
    know_members(&bench, CORE_DIRECT_COUNT_MAX + 1);
    policy.user_count = 0;
    policy.group_count = 1;
    policy.groups[0] = GROUP;
    CU_ASSERT_EQUAL(attempt(&bench, &policy, &request, 1).result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(given_count, CORE_DIRECT_COUNT_MAX);
    CU_ASSERT_PTR_NULL(fake_fetch_find("users.info")); /* the others make no difference */
    /* Nor one of people who may not. */
    audience_init(&audience, &request, &policy);
    for (uint32_t i = 0; i <= AUDIENCE_SEEN_MAX; i++) {
        const struct facts guest = {.user_known = true, .guest = true};

        CU_ASSERT_FALSE(audience.more);
        audience_add(&audience, ANA, &guest);
    }
    CU_ASSERT(audience.more && audience_size(&audience) == 0);
    teardown(&bench);
}

static void after_an_escalation_the_others_get_one_too(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    policy.clocks = (struct policy_clocks){.escalate_after_ms = 1000,
                                           .escalate_user_count = 1,
                                           .escalate_users = {SPAN_LITERAL("U0BOSS0001")}};
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(given_count, 2);
    request.clocks.escalated_ms = 5;
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL_FATAL(given_count, 3);
    CU_ASSERT_STRING_EQUAL(given[2], "U0BOSS0001");
    teardown(&bench);
}

static void who_stands_in_gets_one_where_the_policy_lets_him(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();

    start(&bench);
    away = true;
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL(given_count, 2);
    policy.delegation = true;
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL_FATAL(given_count, 3);
    CU_ASSERT_STRING_EQUAL(given[1], "U0DOR00001");
    teardown(&bench);
}

static void who_is_too_near_to_the_requester_gets_none(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct directory_need need = {.kind = DIRECTORY_GROUP, .id = GROUP};

    start(&bench);
    policy.exclude_count = 1;
    policy.excludes[0] = GROUP;
    fetch(&bench, &need, 1);
    CU_ASSERT(fake_fetch_ok("usergroups.users.list",
                            "{\"ok\":true,\"users\":[\"U0APR00001\",\"U0REQ00001\"]}"));
    turn(&bench);
    (void)attempt_known(&bench, &policy, &request);
    CU_ASSERT_EQUAL_FATAL(given_count, 1);
    CU_ASSERT_STRING_EQUAL(given[0], "U0APR00002");
    teardown(&bench);
}

static void a_store_that_is_full_is_asked_again(void)
{
    struct bench bench;
    struct policy policy = policy_of();
    struct request request = request_of();
    struct told told;

    start(&bench);
    store_rc = ERR_FULL;
    told = attempt_known(&bench, &policy, &request);
    CU_ASSERT(told.result == OUTBOX_RETRY && strcmp(told.error, "the store is full") == 0);
    store_rc = ERR_NOT_FOUND; /* pruned meanwhile */
    CU_ASSERT_EQUAL(attempt_known(&bench, &policy, &request).result, OUTBOX_SENT);
    teardown(&bench);
}

UNIT_MAIN("people",
          {"who may approve gets one and the requester does not",
           who_may_approve_gets_one_and_the_requester_does_not},
          {"who is known to be a guest gets none", who_is_known_to_be_a_guest_gets_none},
          {"who is not known is asked for before he gets one",
           who_is_not_known_is_asked_for_before_he_gets_one},
          {"Slack is asked after the copies are given", slack_is_asked_after_the_copies_are_given},
          {"a request that nobody can be asked about is a dead letter",
           a_request_that_nobody_can_be_asked_about_is_a_dead_letter},
          {"a Slack that says nothing of people is not waited for",
           a_slack_that_says_nothing_of_people_is_not_waited_for},
          {"members and owners of addresses are found, each once",
           members_and_owners_of_addresses_are_found_each_once},
          {"with a channel it is waited until all are known",
           with_a_channel_it_is_waited_until_all_are_known},
          {"too many are the channel's business", too_many_are_the_channels_business},
          {"a large group is not read to its end", a_large_group_is_not_read_to_its_end},
          {"after an escalation the others get one too",
           after_an_escalation_the_others_get_one_too},
          {"who stands in gets one where the policy lets him",
           who_stands_in_gets_one_where_the_policy_lets_him},
          {"who is too near to the requester gets none",
           who_is_too_near_to_the_requester_gets_none},
          {"a store that is full is asked again", a_store_that_is_full_is_asked_again})

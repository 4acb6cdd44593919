/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_delegation.c: proves delegations through the service: made, bounded, ended, used,
 * audited, over restarts and repeated deliveries.
 * Owns nothing but its cases and what is known of people; never opens a store itself: the kit
 * does. */
#include "approvald/core/inbox.h"
#include "approvald/service/cards.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define HOUR UINT64_C(3600000)
#define POLICY                                                                                     \
    "policy a { channel = \"C0CARDS\" approvers = {\"U0ANA\", \"U0CARA\", \"S0OPS\"} quorum = 2\n" \
    "  delegation = true recheck = strict }\n"                                                     \
    "policy plain { approvers = {\"U0ANA\"} }\n"                                                   \
    "policy told { approvers = {\"U0ANA\", \"U0CARA\", \"U0EVE\"} quorum = 2 delegation = true\n"  \
    "  direct_approvers = true expires_after = 1h remind_before = 10m }"

/* Everybody is a member of the workspace, but for these. */
struct people {
    const char *guest;
    const char *unknown;
    const char *ops; /* the one in S0OPS */
};

static void look(void *arg, struct span user, struct facts *ret_facts)
{
    const struct people *people = arg;

    *ret_facts = (struct facts){.user_known = !span_is(user, people->unknown),
                                .guest = span_is(user, people->guest),
                                .known_count = 1,
                                .known = {SPAN_LITERAL("S0OPS")}};
    if (span_is(user, people->ops)) {
        ret_facts->member[ret_facts->member_count++] = SPAN_LITERAL("S0OPS");
    }
}

struct bench {
    struct service_kit kit;
    struct people people;
};

static void open(struct bench *bench)
{
    bench->people = (struct people){.guest = "", .unknown = "", .ops = "U0OLA"};
    service_kit_open(&bench->kit);
    service_set_facts(bench->kit.service, look, &bench->people);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, POLICY, false, false).rc, ERR_OK);
}

static struct actor person(const char *user)
{
    return (struct actor){.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)};
}

/* From an hour hence (0: now) for so many hours. */
/* NOLINTNEXTLINE(readability-function-size): who, for whom, when, and by which event */
static struct kit_answer delegate(struct bench *bench,
                                  const struct actor *actor,
                                  const char *from,
                                  const char *to,
                                  uint64_t begin_h,
                                  uint64_t hours,
                                  const struct service_event_key *key)
{
    uint64_t now_ms = bench->kit.now_ms;
    struct service_delegation wanted = {.from = span_text(from),
                                        .to = span_text(to),
                                        .begin_ms = begin_h == 0 ? 0 : now_ms + begin_h * HOUR,
                                        .end_ms = now_ms + (begin_h + hours) * HOUR};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        service_delegate(bench->kit.service, actor, &wanted, key, kit_on_done, &answer, &err),
        ERR_OK);
    service_kit_wait(&bench->kit, &answer.done);
    return answer;
}

static struct kit_answer end(struct bench *bench, const struct actor *actor, uint64_t id)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        service_undelegate(bench->kit.service, actor, id, NULL, kit_on_done, &answer, &err),
        ERR_OK);
    service_kit_wait(&bench->kit, &answer.done);
    return answer;
}

static struct kit_answer
decide(struct bench *bench, const struct request_id *id, const char *user, enum verdict verdict)
{
    static uint32_t count;
    struct service_decide press;
    char event[32];

    (void)snprintf(event, sizeof event, "%s %u", user, count++);
    press = kit_press(id, user, verdict, event);
    look(&bench->people, span_text(user), &press.facts);
    return kit_decide(&bench->kit, &press);
}

static struct kit_answer approve(struct bench *bench, const struct request_id *id, const char *user)
{
    return decide(bench, id, user, VERDICT_APPROVE);
}

static void a_substitute_decides_in_the_time_of_his_delegation_alone(void)
{
    struct bench bench;
    struct actor ana;
    struct kit_answer first;
    struct kit_answer second;
    const struct service_delegation *list;

    open(&bench);
    ana = person("U0ANA");
    first = kit_create(&bench.kit, "a", "");
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 1, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL_FATAL(service_delegation_list(bench.kit.service, &list), 1);
    CU_ASSERT(span_is(list[0].made_by, "user:U0ANA"));
    CU_ASSERT_EQUAL(approve(&bench, &first.id, "U0BEN").refusal, REFUSAL_NOT_APPROVER);
    service_kit_pass(&bench.kit, HOUR + 1000);
    service_kit_restart(&bench.kit);
    service_set_facts(bench.kit.service, look, &bench.people);
    CU_ASSERT_EQUAL(approve(&bench, &first.id, "U0DAN").refusal, REFUSAL_NOT_APPROVER);
    second = kit_create(&bench.kit, "a", "second");
    CU_ASSERT_EQUAL(approve(&bench, &second.id, "U0BEN").decision_count, 1);
    CU_ASSERT_EQUAL(approve(&bench, &second.id, "U0ANA").refusal, REFUSAL_STOOD_IN);
    service_kit_pass(&bench.kit, 2 * HOUR);
    CU_ASSERT_EQUAL(service_delegation_list(bench.kit.service, &list), 0);
    CU_ASSERT_EQUAL(approve(&bench, &second.id, "U0CARA").state, REQUEST_APPROVED);
    first = kit_create(&bench.kit, "a", "third");
    CU_ASSERT_EQUAL(approve(&bench, &first.id, "U0BEN").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(kit_claim(&bench.kit, &second.id, "k").rc, ERR_OK); /* it held when used */
    service_kit_close(&bench.kit);
}

static void a_policy_that_does_not_say_so_lets_nobody_stand_in(void)
{
    struct bench bench;
    struct actor ana;
    struct kit_answer made;

    open(&bench);
    ana = person("U0ANA");
    made = kit_create(&bench.kit, "plain", "");
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT(service_delegation_is_used(bench.kit.service));
    service_kit_close(&bench.kit);
}

/* b for a, and c for b: c is nobody to a. A circle lets nobody count twice. */
static void chains_are_not_followed_and_circles_harmless(void)
{
    struct bench bench;
    struct kit_answer made;

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0ANA", "U0BEN", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0BEN", "U0DAN", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0DAN").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0CARA", "U0ANA", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0OLA", "U0CARA", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0ANA").decision_count, 1);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").state, REQUEST_APPROVED); /* ana is cara */
    service_kit_close(&bench.kit);
}

static void what_is_made_has_bounds_and_the_same_again_is_the_same(void)
{
    struct bench bench;
    struct actor ana;
    struct actor ben;
    const struct service_delegation *list;
    char user[16];

    open(&bench);
    ana = person("U0ANA");
    ben = person("U0BEN");
    CU_ASSERT_EQUAL(delegate(&bench, &ben, "U0ANA", "U0BEN", 0, 2, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0ANA", 0, 2, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "ben", 0, 2, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 2, 0, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 0, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 367UL * 24, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 1, 5, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 1, 5, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL(service_delegation_list(bench.kit.service, &list), 1);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0DAN", 5, 2, NULL).rc, ERR_EXISTS);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0DAN", 6, 2, NULL).rc, ERR_OK);
    for (uint32_t i = 0; i < CORE_STAND_IN_COUNT_MAX - 1; i++) {
        (void)snprintf(user, sizeof user, "U0X%u", i);
        CU_ASSERT_EQUAL(delegate(&bench, &kit_root, user, "U0BEN", 1, 1, NULL).rc, ERR_OK);
    }
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0CARA", "U0BEN", 1, 1, NULL).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0CARA", "U0BEN", 8, 1, NULL).rc, ERR_OK);
    service_kit_close(&bench.kit);
}

static void it_is_ended_by_those_whom_it_concerns_and_once(void)
{
    struct bench bench;
    struct actor ana;
    struct actor ben;
    struct actor dan;
    struct kit_answer made;
    const struct service_delegation *list;
    uint64_t id;

    open(&bench);
    ana = person("U0ANA");
    ben = person("U0BEN");
    dan = person("U0DAN");
    made = kit_create(&bench.kit, "a", "");
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 5, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL_FATAL(service_delegation_list(bench.kit.service, &list), 1);
    id = list[0].id;
    CU_ASSERT_EQUAL(end(&bench, &dan, id).rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(end(&bench, &ana, id + 1).rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(end(&bench, &ben, id).rc, ERR_OK);
    CU_ASSERT_EQUAL(end(&bench, &ana, id).rc, ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(service_delegation_list(bench.kit.service, &list), 0);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT(strstr(kit_audit(&bench.kit, NULL).actions, "delegation_added delegation_ended") !=
              NULL);
    CU_ASSERT(kit_audit(&bench.kit, NULL).sound);
    service_kit_close(&bench.kit);
}

/* A form that comes twice, also after it was ended meanwhile, makes one delegation. */
static void a_repeated_event_makes_one(void)
{
    const struct service_event_key key = {
        .kind = INBOX_VIEW_SUBMISSION, .time_s = 1800000000, .text = SPAN_LITERAL("U0ANA V1 1.2")};
    struct bench bench;
    struct actor ana;
    const struct service_delegation *list;

    open(&bench);
    ana = person("U0ANA");
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 5, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL_FATAL(service_delegation_list(bench.kit.service, &list), 1);
    CU_ASSERT_EQUAL(end(&bench, &ana, list[0].id).rc, ERR_OK);
    service_kit_restart(&bench.kit);
    CU_ASSERT_EQUAL(delegate(&bench, &ana, "U0ANA", "U0BEN", 0, 5, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(service_delegation_list(bench.kit.service, &list), 0);
    service_kit_close(&bench.kit);
}

static void who_is_stood_in_for_must_be_known_and_a_member(void)
{
    struct bench bench;
    struct kit_answer made;

    open(&bench);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0ANA", "U0BEN", 0, 5, NULL).rc, ERR_OK);
    made = kit_create(&bench.kit, "a", "");
    bench.people.unknown = "U0ANA";
    CU_ASSERT(approve(&bench, &made.id, "U0BEN").deferred);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 1);
    made = kit_create(&bench.kit, "a", "second");
    bench.people.unknown = "";
    bench.people.guest = "U0ANA";
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").refusal, REFUSAL_NOT_APPROVER);
    bench.people.guest = "U0BEN";
    made = kit_create(&bench.kit, "a", "third");
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").refusal, REFUSAL_GUEST);
    service_kit_close(&bench.kit);
}

static void a_claim_looks_at_both_again(void)
{
    struct bench bench;
    struct kit_answer made;

    open(&bench);
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0ANA", "U0BEN", 0, 5, NULL).rc, ERR_OK);
    made = kit_create(&bench.kit, "a", "");
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").decision_count, 1);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0CARA").state, REQUEST_APPROVED);
    bench.people.guest = "U0ANA"; /* whose right it was */
    CU_ASSERT_EQUAL(kit_claim(&bench.kit, &made.id, "k").refusal, REFUSAL_APPROVER_GONE);
    bench.people.guest = "U0BEN"; /* who used it */
    CU_ASSERT_EQUAL(kit_claim(&bench.kit, &made.id, "k").refusal, REFUSAL_APPROVER_GONE);
    bench.people.guest = "";
    CU_ASSERT_EQUAL(kit_claim(&bench.kit, &made.id, "k").rc, ERR_OK);
    service_kit_close(&bench.kit);
}

static bool is_reminded(const struct kit_rows *rows, const char *user)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].surface == SURFACE_THREAD && strcmp(rows->rows[i].target, user) == 0) {
            return true;
        }
    }
    return false;
}

static void whose_part_is_decided_is_not_reminded(void)
{
    const struct span users[] = {SPAN_LITERAL("U0ANA"), SPAN_LITERAL("U0CARA")};
    struct kit_answer given = {.done = false};
    struct err err = ERR_INIT;
    struct bench bench;
    struct kit_answer made;
    struct kit_rows rows;

    open(&bench);
    made = kit_create(&bench.kit, "told", "");
    CU_ASSERT_EQUAL(delegate(&bench, &kit_root, "U0ANA", "U0BEN", 0, 2, NULL).rc, ERR_OK);
    CU_ASSERT_EQUAL_FATAL(
        service_cards_give(bench.kit.service, &made.id, users, 2, kit_on_done, &given, &err),
        ERR_OK);
    service_kit_wait(&bench.kit, &given.done);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0BEN").decision_count, 1);
    service_kit_pass(&bench.kit, 50 * CORE_MINUTE_MS);
    service_kit_tick(&bench.kit);
    rows = kit_owed(&bench.kit, &made.id, false);
    CU_ASSERT(is_reminded(&rows, "U0CARA"));
    CU_ASSERT_FALSE(is_reminded(&rows, "U0ANA"));
    service_kit_close(&bench.kit);
}

UNIT_MAIN("service_delegation",
          {"a substitute decides in the time of his delegation alone",
           a_substitute_decides_in_the_time_of_his_delegation_alone},
          {"a policy that does not say so lets nobody stand in",
           a_policy_that_does_not_say_so_lets_nobody_stand_in},
          {"chains are not followed and circles harmless",
           chains_are_not_followed_and_circles_harmless},
          {"what is made has bounds and the same again is the same",
           what_is_made_has_bounds_and_the_same_again_is_the_same},
          {"it is ended by those whom it concerns and once",
           it_is_ended_by_those_whom_it_concerns_and_once},
          {"a repeated event makes one", a_repeated_event_makes_one},
          {"who is stood in for must be known and a member",
           who_is_stood_in_for_must_be_known_and_a_member},
          {"a claim looks at both again", a_claim_looks_at_both_again},
          {"whose part is decided is not reminded", whose_part_is_decided_is_not_reminded})

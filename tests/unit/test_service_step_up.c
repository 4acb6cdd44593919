/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_step_up.c: proves one-time codes through the service: enrolled once, each code used
 * once with what it approved, wrong ones counted and locked, over restarts and the inbox.
 * Owns nothing but its cases and the codes; never opens a store itself: the kit does. */
#include "approvald/core/inbox.h"
#include "approvald/core/totp.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define POLICY                                                                                     \
    "policy a { approvers = {\"U0ANA\", \"U0BEN\", \"U0CARA\"} quorum = 2 step_up = true }\n"      \
    "policy grouped { approvers = {\"S0OPS\"} step_up = true }"

struct bench {
    struct service_kit kit;
    uint8_t seed[TOTP_SEED_SIZE]; /* ana's */
    uint32_t events;
};

/* What an app does with a secret. */
static void unbase32(const char *secret, uint8_t ret_seed[TOTP_SEED_SIZE])
{
    uint32_t bits = 0;
    uint32_t count = 0;
    size_t size = 0;

    for (; *secret != '\0' && size < TOTP_SEED_SIZE; secret++) {
        uint32_t digit =
            *secret >= 'A' ? (uint32_t)(*secret - 'A') : (uint32_t)(*secret - '2') + 26;

        bits = bits << 5 | digit;
        count += 5;
        if (count >= 8) {
            ret_seed[size++] = (uint8_t)(bits >> (count - 8));
            count -= 8;
        }
    }
}

static struct kit_answer enrol(struct bench *bench, const char *user)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_step_up_enrol(bench->kit.service, &kit_root, span_text(user),
                                                kit_on_text, &answer, &err),
                          ERR_OK);
    service_kit_wait(&bench->kit, &answer.done);
    return answer;
}

static struct kit_answer unlock(struct bench *bench, const char *user)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_step_up_unlock(bench->kit.service, &kit_root, span_text(user),
                                                 kit_on_text, &answer, &err),
                          ERR_OK);
    service_kit_wait(&bench->kit, &answer.done);
    return answer;
}

static void open(struct bench *bench)
{
    struct kit_answer answer;

    memset(bench, 0, sizeof *bench);
    service_kit_open(&bench->kit);
    bench->kit.step_up_key = SPAN_LITERAL("a key that both hosts have, of some length");
    service_kit_restart(&bench->kit);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, POLICY, false, false).rc, ERR_OK);
    answer = enrol(bench, "U0ANA");
    CU_ASSERT_EQUAL_FATAL(strlen(answer.text), TOTP_SECRET_SIZE - 1);
    unbase32(answer.text, bench->seed);
}

static uint32_t code_of(const struct bench *bench, int64_t steps)
{
    uint64_t step = totp_step(bench->kit.now_ms);

    return totp_code(bench->seed, (uint64_t)((int64_t)step + steps));
}

/* event NULL: one of its own. */
static struct kit_answer approve(struct bench *bench,
                                 const struct request_id *id,
                                 const char *user,
                                 const char *event,
                                 const char *code)
{
    char own[32];
    struct service_decide press;

    (void)snprintf(own, sizeof own, "%s %u", user, bench->events++);
    press = kit_press(id, user, VERDICT_APPROVE, event == NULL ? own : event);
    press.code = span_text(code);
    return kit_decide(&bench->kit, &press);
}

static struct kit_answer
approve_with(struct bench *bench, const struct request_id *id, const char *user, uint32_t code)
{
    char text[8];

    (void)snprintf(text, sizeof text, "%06u", code);
    return approve(bench, id, user, NULL, text);
}

static void an_approval_needs_a_code_and_a_rejection_does_not(void)
{
    struct bench bench;
    struct kit_answer made;
    struct service_decide no;
    size_t audited;

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    audited = kit_audit(&bench.kit, NULL).count;
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0ANA", NULL, "").refusal, REFUSAL_STEP_UP);
    CU_ASSERT_EQUAL(kit_audit(&bench.kit, NULL).count, audited); /* it is a question */
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0ANA", NULL, "12345").rc, ERR_INVALID);
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0DAN", NULL, "123456").refusal,
                    REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 0)).decision_count, 1);
    no = kit_press(&made.id, "U0BEN", VERDICT_REJECT, "no");
    CU_ASSERT_EQUAL(kit_decide(&bench.kit, &no).state, REQUEST_REJECTED);
    service_kit_close(&bench.kit);
}

/* Also after a crash: the step is stored with what it approved. */
static void a_code_serves_one_approval(void)
{
    struct bench bench;
    struct kit_answer first;
    struct kit_answer second;
    uint32_t code;

    open(&bench);
    first = kit_create(&bench.kit, "a", "");
    second = kit_create(&bench.kit, "a", "second");
    code = code_of(&bench, 0);
    CU_ASSERT_EQUAL(approve_with(&bench, &first.id, "U0ANA", code).decision_count, 1);
    CU_ASSERT_EQUAL(approve_with(&bench, &second.id, "U0ANA", code).refusal, REFUSAL_CODE);
    service_kit_restart(&bench.kit);
    CU_ASSERT_EQUAL(approve_with(&bench, &second.id, "U0ANA", code).refusal, REFUSAL_CODE);
    CU_ASSERT_EQUAL(approve_with(&bench, &second.id, "U0ANA", code_of(&bench, 1)).decision_count,
                    1);
    service_kit_close(&bench.kit);
}

/* Who may not approve anyway uses no code up, and learns nothing about it. */
static void what_is_refused_anyway_uses_no_code_up(void)
{
    struct bench bench;
    struct kit_answer made;
    uint32_t code;

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    code = code_of(&bench, 0);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code).decision_count, 1);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 1)).refusal,
                    REFUSAL_ALREADY_DECIDED);
    made = kit_create(&bench.kit, "a", "second");
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 1)).decision_count, 1);
    service_kit_close(&bench.kit);
}

/* Nobody enrolled, a wrong code, a used one, a locked person: one and the same answer. */
static void wrong_codes_are_counted_over_a_restart_and_lock(void)
{
    struct bench bench;
    struct kit_answer made;
    uint32_t wrong;

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    wrong = (code_of(&bench, 0) + 1) % TOTP_CODE_END;
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0BEN", wrong).refusal, REFUSAL_CODE);
    for (uint32_t i = 0; i < CORE_CODE_FAILURE_MAX; i++) {
        CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", wrong).refusal, REFUSAL_CODE);
        if (i == 2) {
            service_kit_restart(&bench.kit);
        }
    }
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 0)).refusal,
                    REFUSAL_CODE); /* locked */
    service_kit_restart(&bench.kit);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 1)).refusal,
                    REFUSAL_CODE);
    service_kit_pass(&bench.kit, CORE_CODE_LOCK_MS);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 0)).decision_count, 1);
    made = kit_create(&bench.kit, "a", "second");
    for (uint32_t i = 0; i < CORE_CODE_FAILURE_MAX; i++) {
        (void)approve_with(&bench, &made.id, "U0ANA", wrong);
    }
    CU_ASSERT_EQUAL(unlock(&bench, "U0ANA").rc, ERR_OK);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 1)).decision_count, 1);
    CU_ASSERT_EQUAL(unlock(&bench, "U0BEN").rc, ERR_NOT_FOUND);
    service_kit_close(&bench.kit);
}

/* The same window is sent again with another code; then Slack delivers the right one once more. */
static void another_code_in_the_same_window_is_another_try(void)
{
    struct bench bench;
    struct kit_answer made;
    struct kit_answer answer;
    char code[8];

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0ANA", "window", "000000").refusal, REFUSAL_CODE);
    (void)snprintf(code, sizeof code, "%06u", code_of(&bench, 0));
    CU_ASSERT_EQUAL(approve(&bench, &made.id, "U0ANA", "window", code).decision_count, 1);
    answer = approve(&bench, &made.id, "U0ANA", "window", code);
    CU_ASSERT(answer.rc == ERR_OK && answer.replayed && answer.decision_count == 1);
    service_kit_close(&bench.kit);
}

/* The code is judged before the press waits: what is stored of it is that it counted. */
static void what_waits_for_facts_has_used_its_code_up(void)
{
    struct bench bench;
    struct kit_answer made;
    struct kit_inbox inbox;
    struct facts facts = {.user_known = true,
                          .known_count = 1,
                          .known = {SPAN_LITERAL("S0OPS")},
                          .member_count = 1,
                          .member = {SPAN_LITERAL("S0OPS")}};
    uint32_t code;

    open(&bench);
    made = kit_create(&bench.kit, "grouped", "");
    code = code_of(&bench, 0);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", (code + 1) % TOTP_CODE_END).refusal,
                    REFUSAL_CODE);
    CU_ASSERT_EQUAL(service_inbox_depth(bench.kit.service), 0);
    CU_ASSERT(approve_with(&bench, &made.id, "U0ANA", code).deferred);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code).refusal, REFUSAL_CODE);
    service_kit_restart(&bench.kit);
    service_kit_pass(&bench.kit, 30 * CORE_MINUTE_MS); /* long after the code's time */
    inbox = kit_inbox(&bench.kit);
    CU_ASSERT(inbox.rc == ERR_OK && inbox.count == 1);
    CU_ASSERT_EQUAL(kit_resolve(&bench.kit, inbox.seq, &facts, false).state, REQUEST_APPROVED);
    service_kit_close(&bench.kit);
}

static void without_the_key_nothing_opens_and_nobody_is_locked(void)
{
    struct bench bench;
    struct kit_answer made;

    open(&bench);
    made = kit_create(&bench.kit, "a", "");
    bench.kit.step_up_key = SPAN_LITERAL("another key, on the other host by mistake");
    service_kit_restart(&bench.kit);
    for (uint32_t i = 0; i <= CORE_CODE_FAILURE_MAX; i++) {
        CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 0)).refusal,
                        REFUSAL_CODE);
    }
    bench.kit.step_up_key = SPAN_NONE;
    service_kit_restart(&bench.kit);
    CU_ASSERT_EQUAL(
        kit_apply(&bench.kit, "policy b { approvers = {\"U0ANA\"} step_up = true }", false, false)
            .rc,
        ERR_INVALID);
    CU_ASSERT_EQUAL(enrol(&bench, "U0CARA").rc, ERR_INVALID);
    bench.kit.step_up_key = SPAN_LITERAL("a key that both hosts have, of some length");
    service_kit_restart(&bench.kit);
    CU_ASSERT_EQUAL(approve_with(&bench, &made.id, "U0ANA", code_of(&bench, 0)).decision_count, 1);
    CU_ASSERT_EQUAL(enrol(&bench, "U0ANA").rc, ERR_EXISTS);
    CU_ASSERT(kit_audit(&bench.kit, NULL).sound);
    service_kit_close(&bench.kit);
}

UNIT_MAIN("service_step_up",
          {"an approval needs a code and a rejection does not",
           an_approval_needs_a_code_and_a_rejection_does_not},
          {"a code serves one approval", a_code_serves_one_approval},
          {"what is refused anyway uses no code up", what_is_refused_anyway_uses_no_code_up},
          {"wrong codes are counted over a restart and lock",
           wrong_codes_are_counted_over_a_restart_and_lock},
          {"another code in the same window is another try",
           another_code_in_the_same_window_is_another_try},
          {"what waits for facts has used its code up", what_waits_for_facts_has_used_its_code_up},
          {"without the key nothing opens and nobody is locked",
           without_the_key_nothing_opens_and_nobody_is_locked})

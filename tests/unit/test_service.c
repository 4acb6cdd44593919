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

static void open_with(struct service_kit *kit, const char *policies)
{
    struct kit_answer answer;

    service_kit_open(kit);
    answer = kit_apply(kit, policies, false, false);
    if (answer.rc != ERR_OK) {
        (void)fprintf(stderr, "apply: %s\n", answer.message);
    }
    CU_ASSERT_EQUAL_FATAL(answer.rc, ERR_OK);
}

static void a_request_is_made_decided_claimed_and_consumed(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;
    struct kit_audit audit;

    open_with(&kit, ONE);
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

UNIT_MAIN("service",
          {"a request is made, decided, claimed and consumed",
           a_request_is_made_decided_claimed_and_consumed})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_service_admin.c: proves policies, tokens and time through service.h on a real store.
 * Owns nothing but its cases. Never looks inside the service. */
#include "approvald/core/audit.h"
#include "base/metrics.h"
#include "storage/storage.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#define ONE "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\", \"U0BOB\"} }\n"

static void applying_shows_the_difference_and_pins_versions(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;

    service_kit_open_with(&kit, ONE);
    made = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(made.policy_version, 1);
    answer = kit_apply(&kit, ONE, false, false);
    CU_ASSERT(strstr(answer.text, "\"change\":\"unchanged\",\"version\":1,\"fields\":[]") != NULL);
    answer = kit_apply(&kit,
                       "policy deploy { channel = \"C0CARDS\" approvers = {\"U0EVE\"} "
                       "expires_after = 2h }",
                       true, false);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT(strstr(answer.text, "\"dry_run\":true") != NULL);
    CU_ASSERT(strstr(answer.text, "{\"name\":\"approvers\",\"before\":\"U0ANN, U0BOB\","
                                  "\"after\":\"U0EVE\"}") != NULL);
    CU_ASSERT(strstr(answer.text, "{\"name\":\"expires_after\",\"before\":\"1d\","
                                  "\"after\":\"2h\"}") != NULL);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").policy_version, 1);
    answer = kit_apply(&kit, "policy deploy { channel = \"C0CARDS\" approvers = {\"U0EVE\"} }",
                       false, false);
    CU_ASSERT(strstr(answer.text, "\"version\":2") != NULL);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").policy_version, 2);
    /* The old request is still decided by whom it named. */
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0EVE").refusal, REFUSAL_NOT_APPROVER);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").state, REQUEST_APPROVED);
    service_kit_close(&kit);
}

static void an_absent_policy_is_deleted_only_when_asked(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct kit_answer answer;

    service_kit_open_with(&kit, ONE);
    made = kit_create(&kit, "deploy", "");
    answer = kit_apply(&kit, "policy other { approvers = {\"U0EVE\"} }", false, false);
    CU_ASSERT(strstr(answer.text, "deleted") == NULL);
    answer = kit_apply(&kit, "policy other { approvers = {\"U0EVE\"} }", false, true);
    CU_ASSERT(strstr(answer.text, "\"name\":\"deploy\",\"change\":\"deleted\"") != NULL);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").refusal, REFUSAL_POLICY_DELETED);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    answer = kit_apply(&kit, ONE, false, false);
    CU_ASSERT(strstr(answer.text, "\"change\":\"restored\"") != NULL);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    service_kit_close(&kit);
}

static void a_bad_text_changes_nothing_and_says_where(void)
{
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"policy a { approvers = {\"U0ANN\"} }\npolicy b { }", "policy:2"},
        {"policy a { approvers = {\"bob\"} }", "bob"},
        {"policy A { approvers = {\"U0ANN\"} }", "name"},
        {"policy a { approvers = {\"U0ANN\", \"U0BOB\"} quorum = 2 }", "quorum"},
        {"policy a { approvers = {\"U0ANN\"} expires_after = 1s }", "expires_after"},
        {"policy a { approvers = {\"U0ANN\"} colour = \"red\" }", "colour"},
        {"policy a { approvers = {\"U0ANN\", \"U0ANN\"} }", "twice"},
        {"retention { requests = 1h }", "retention"},
    };
    struct service_kit kit;

    service_kit_open(&kit);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kit_expect_refused(&kit, bad[i].text, bad[i].says);
    }
    CU_ASSERT_EQUAL(kit_create(&kit, "a", "").refusal, REFUSAL_UNKNOWN_POLICY);
    service_kit_close(&kit);
}

struct listed {
    bool done;
    size_t count;
    uint32_t versions[8];
};

static void on_policies(void *arg,
                        enum err_code rc,
                        const struct err *err,
                        const struct policy *const *policies,
                        size_t count)
{
    struct listed *listed = arg;

    (void)err; /* the code says enough */
    CU_ASSERT_EQUAL(rc, ERR_OK);
    listed->done = true;
    listed->count = count;
    for (size_t i = 0; i < count && i < 8; i++) {
        listed->versions[i] = policies[i]->version;
    }
}

static void heads_versions_and_groups_are_listed(void)
{
    struct service_kit kit;
    struct listed heads = {.done = false};
    struct listed versions = {.done = false};
    const struct span *groups;
    struct err err = ERR_INIT;

    service_kit_open_with(
        &kit, "policy a { approvers = {\"S0OLD\"} }\npolicy b { approvers = {\"S0TWO\"} }");
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy a { approvers = {\"S0NEW\"} }", false, false).rc,
                    ERR_OK);
    CU_ASSERT_EQUAL(service_policy_list(kit.service, SPAN_NONE, on_policies, &heads, &err), ERR_OK);
    CU_ASSERT_EQUAL(
        service_policy_list(kit.service, SPAN_LITERAL("a"), on_policies, &versions, &err), ERR_OK);
    service_kit_wait(&kit, &versions.done);
    CU_ASSERT_EQUAL(heads.count, 2);
    CU_ASSERT_EQUAL(versions.count, 2);
    CU_ASSERT(versions.versions[0] == 2 && versions.versions[1] == 1);
    /* Requests of the old version may be open for a day more. */
    CU_ASSERT_EQUAL(service_groups(kit.service, &groups), 3);
    service_kit_pass(&kit, CORE_DAY_MS + 1000);
    CU_ASSERT_EQUAL(service_groups(kit.service, &groups), 2);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(service_groups(kit.service, &groups), 2);
    service_kit_close(&kit);
}

static void addresses_of_policies_are_listed_and_bounded(void)
{
    static char text[SERVICE_POLICY_TEXT_MAX];
    const struct request_id nobody = {.bytes = {0}};
    const struct span *emails;
    struct service_kit kit;
    struct kit_answer answer;
    size_t size = 0;

    service_kit_open(&kit);
    CU_ASSERT_EQUAL(kit_apply(&kit,
                              "policy a { needs = {\"x: 1 of S0X ana@acme.example\"} }\n"
                              "policy b { approvers = {\"ana@acme.example\", "
                              "\"bob@acme.example\"} }",
                              false, false)
                        .rc,
                    ERR_OK);
    (void)kit_get(&kit, &nobody); /* behind the reading of the groups */
    CU_ASSERT_EQUAL_FATAL(service_emails(kit.service, &emails), 2);
    CU_ASSERT(span_is(emails[0], "ana@acme.example") && span_is(emails[1], "bob@acme.example"));
    for (int i = 0; i <= CORE_EMAIL_COUNT_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "policy p%d { approvers = {\"p%d@acme.example\"} }\n", i, i);
    }
    answer = kit_apply(&kit, text, false, true);
    CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
    CU_ASSERT(strstr(answer.message, "name more than 128 e-mail addresses") != NULL);
    service_kit_close(&kit);
}

static void groups_of_what_is_over_take_no_room(void)
{
    struct service_kit kit;
    const struct request_id nobody = {.bytes = {0}};
    const struct span *groups;
    char text[256];

    service_kit_open(&kit);
    for (int i = 0; i < CORE_FACT_GROUP_COUNT_MAX; i++) {
        (void)snprintf(text, sizeof text, "policy a { approvers = {\"S0OLD%d\"} }", i);
        CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, text, false, false).rc, ERR_OK);
    }
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy b { approvers = {\"S0GONE\"} }", false, true).rc,
                    ERR_OK);
    service_kit_pass(&kit, CORE_DAY_MS + 1000);
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy z { approvers = {\"S0ONE\"} }", false, true).rc,
                    ERR_OK);
    CU_ASSERT_EQUAL(kit_apply(&kit, "policy z { approvers = {\"S0TWO\"} }", false, true).rc,
                    ERR_OK);
    (void)kit_get(&kit, &nobody); /* behind the reading of the groups */
    /* The live one, what requests pin for a day more, and nothing else. */
    CU_ASSERT_EQUAL_FATAL(service_groups(kit.service, &groups), 3);
    CU_ASSERT(span_is(groups[0], "S0TWO"));
    CU_ASSERT(span_is(groups[1], "S0GONE"));
    CU_ASSERT(span_is(groups[2], "S0ONE"));
    service_kit_close(&kit);
}

/* A policy with many approvers; text has room for it. */
static size_t long_policy(char *text, size_t room, int number, int lapses_m)
{
    size_t size = (size_t)snprintf(text, room, "policy p%d { approvers = {", number);

    for (int i = 0; i < 60; i++) {
        size += (size_t)snprintf(text + size, room - size, "%s\"U0APPROVER%02d\"",
                                 i == 0 ? "" : ",", i);
    }
    return size + (size_t)snprintf(text + size, room - size, "} lapses_after = %dm }\n", lapses_m);
}

static void years_of_versions_do_not_keep_the_service_from_starting(void)
{
    enum { TEXT_SIZE = 260000, POLICY_COUNT = 240, APPLY_COUNT = 22 };
    struct service_kit kit;
    char *text = malloc(TEXT_SIZE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    service_kit_open(&kit);
    for (int i = 0; i < APPLY_COUNT; i++) {
        size_t size = 0;

        for (int j = 0; j < POLICY_COUNT; j++) {
            size += long_policy(text + size, TEXT_SIZE - size, j, 1 + i);
        }
        CU_ASSERT_FATAL(size < TEXT_SIZE);
        CU_ASSERT_EQUAL_FATAL(kit_apply(&kit, text, false, false).rc, ERR_OK);
    }
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(kit_create(&kit, "p7", "").policy_version, APPLY_COUNT);
    service_kit_close(&kit);
    free(text);
}

static struct kit_answer
add_token(struct service_kit *kit, const char *name, uint32_t rate, uint64_t expires_ms)
{
    struct service_token token = {.name = span_text(name),
                                  .may_decide = true,
                                  .user = SPAN_LITERAL("U0ANN"),
                                  .policy_count = 1,
                                  .policies = {SPAN_LITERAL("deploy")},
                                  .rate_per_minute = rate,
                                  .expires_ms = expires_ms};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        service_token_add(kit->service, &kit_root, &token, kit_on_text, &answer, &err), ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

static enum err_code check(struct service_kit *kit, const char *secret, uint32_t *ret_retry_s)
{
    const struct service_token *token = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    rc = service_token_check(kit->service, span_text(secret), &token, ret_retry_s, &err);
    if (rc == ERR_OK) {
        CU_ASSERT(span_is(token->user, "U0ANN"));
        CU_ASSERT(token->may_decide && !token->may_ask);
        CU_ASSERT(span_is(token->policies[0], "deploy"));
    }
    return rc;
}

static void a_token_is_known_by_its_hash_and_can_be_revoked(void)
{
    struct service_kit kit;
    struct kit_answer added;
    struct kit_answer revoked = {.done = false};
    const struct service_token *const *tokens;
    struct err err = ERR_INIT;
    uint32_t retry_s;

    service_kit_open(&kit);
    added = add_token(&kit, "ann", 0, 0);
    CU_ASSERT_EQUAL(added.rc, ERR_OK);
    CU_ASSERT_EQUAL(strlen(added.text), 47);
    CU_ASSERT_EQUAL(strncmp(added.text, "apv_", 4), 0);
    CU_ASSERT_EQUAL(add_token(&kit, "ann", 0, 0).rc, ERR_EXISTS);
    CU_ASSERT_EQUAL(add_token(&kit, "root", 0, 0).rc, ERR_INVALID);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_OK);
    CU_ASSERT_EQUAL(check(&kit, "apv_wrong", &retry_s), ERR_UNAUTHENTICATED);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_OK);
    CU_ASSERT_EQUAL(service_token_revoke(kit.service, &kit_root, SPAN_LITERAL("ann"), kit_on_done,
                                         &revoked, &err),
                    ERR_OK);
    service_kit_wait(&kit, &revoked.done);
    CU_ASSERT_EQUAL(revoked.rc, ERR_OK);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_UNAUTHENTICATED);
    service_kit_restart(&kit);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(service_token_list(kit.service, &tokens), 1);
    CU_ASSERT(tokens[0]->revoked);
    CU_ASSERT_EQUAL(add_token(&kit, "ann", 0, 0).rc, ERR_OK);
    CU_ASSERT_STRING_EQUAL(kit_audit(&kit, NULL).actions, "token_added token_revoked token_added ");
    service_kit_close(&kit);
}

static void a_token_has_a_rate_and_an_end(void)
{
    struct service_kit kit;
    struct kit_answer added;
    uint32_t retry_s = 0;

    service_kit_open(&kit);
    added = add_token(&kit, "slow", 6, atomic_load(&kit.now_ms) + 3600000);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_OK);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_FULL);
    CU_ASSERT_EQUAL(retry_s, 11);
    service_kit_pass(&kit, 10000);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_OK);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_FULL);
    service_kit_pass(&kit, 3600000);
    CU_ASSERT_EQUAL(check(&kit, added.text, &retry_s), ERR_EXPIRED);
    service_kit_close(&kit);
}

static void time_expires_requests_and_lapses_approvals(void)
{
    struct service_kit kit;
    struct kit_answer waits;
    struct kit_answer approved;
    struct kit_answer late;
    struct kit_answer answer;

    service_kit_open_with(&kit, "policy deploy { channel = \"C0CARDS\" approvers = {\"U0ANN\"} "
                                "expires_after = 1h lapses_after = 30m }");
    waits = kit_create(&kit, "deploy", "");
    approved = kit_create(&kit, "deploy", "");
    late = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(service_deadline_ms(kit.service) <= waits.expires_ms, 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &approved.id, "U0ANN").state, REQUEST_APPROVED);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &waits.id).state, REQUEST_PENDING);
    service_kit_pass(&kit, 3600000);
    /* Too late by the clock, though the record is not written yet: the press writes it. */
    answer = kit_approve(&kit, &late.id, "U0ANN");
    CU_ASSERT_EQUAL(answer.refusal, REFUSAL_EXPIRED);
    CU_ASSERT_EQUAL(answer.rc, ERR_EXPIRED);
    CU_ASSERT_EQUAL(answer.state, REQUEST_EXPIRED);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &waits.id).state, REQUEST_EXPIRED);
    CU_ASSERT_EQUAL(kit_get(&kit, &approved.id).use, USE_LAPSED);
    CU_ASSERT_EQUAL(kit_claim(&kit, &approved.id, "").refusal, REFUSAL_LAPSED);
    CU_ASSERT_STRING_EQUAL(kit_audit(&kit, &waits.id).actions, "created expired ");
    CU_ASSERT_EQUAL(service_deadline_ms(kit.service), UINT64_MAX);
    service_kit_close(&kit);
}

static void many_deadlines_at_once_are_worked_off_in_pieces(void)
{
    struct service_kit kit;
    struct service_counts counts;

    service_kit_open_with(&kit, ONE);
    for (int i = 0; i < 150; i++) {
        CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    }
    service_counts(kit.service, &counts);
    CU_ASSERT_EQUAL(counts.pending, 150);
    service_kit_pass(&kit, CORE_DAY_MS);
    service_kit_tick(&kit);
    service_counts(kit.service, &counts);
    CU_ASSERT_EQUAL(counts.pending, 0);
    CU_ASSERT_EQUAL(counts.stored, 150);
    service_kit_close(&kit);
}

static void retention_removes_what_is_old_and_the_chain_still_verifies(void)
{
    struct service_kit kit;
    struct service_counts counts;
    struct kit_answer old;
    struct kit_answer young;
    struct kit_audit audit;
    struct service_decide press;

    service_kit_open_with(&kit, ONE "retention { requests = 2d audit = 3d }");
    for (int i = 0; i < 100; i++) {
        old = kit_create(&kit, "deploy", "");
    }
    press = kit_press(&old.id, "U0MAL", VERDICT_APPROVE, "again");
    CU_ASSERT_EQUAL(kit_decide(&kit, &press).refusal, REFUSAL_NOT_APPROVER);
    service_kit_pass(&kit, CORE_DAY_MS + 1000);
    service_kit_tick(&kit);
    young = kit_create(&kit, "deploy", "key");
    service_kit_pass(&kit, 2 * CORE_DAY_MS + 1000);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &old.id).refusal, REFUSAL_UNKNOWN_REQUEST);
    CU_ASSERT_EQUAL(kit_get(&kit, &young.id).state, REQUEST_EXPIRED);
    service_counts(kit.service, &counts);
    CU_ASSERT_EQUAL(counts.stored, 1);
    /* Card, direct message and thread of the young one: nothing hangs on the removed ones. */
    CU_ASSERT_EQUAL(counts.outbox_owed, 3);
    CU_ASSERT_FALSE(kit_decide(&kit, &press).replayed); /* its key was forgotten after 25 h */
    audit = kit_audit(&kit, NULL);
    CU_ASSERT(audit.sound);
    CU_ASSERT(audit.count > 0 && audit.next_seq > 150 && audit.count < 150);
    service_kit_restart(&kit);
    audit = kit_audit(&kit, NULL);
    CU_ASSERT(audit.sound);
    service_kit_close(&kit);
}

static void a_restart_keeps_everything_and_the_counts(void)
{
    struct service_kit kit;
    struct service_counts before;
    struct service_counts after;
    struct kit_answer made;
    struct kit_audit audit;

    service_kit_open_with(&kit, ONE);
    for (int i = 0; i < 10; i++) {
        made = kit_create(&kit, "deploy", "");
    }
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    service_counts(kit.service, &before);
    CU_ASSERT_EQUAL(before.pending, 9);
    CU_ASSERT_EQUAL(before.stored, 10);
    CU_ASSERT_EQUAL(before.audit_seq, 13);
    service_kit_restart(&kit);
    service_counts(kit.service, &after);
    CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof before), 0);
    CU_ASSERT_EQUAL(kit_get(&kit, &made.id).state, REQUEST_APPROVED);
    CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    audit = kit_audit(&kit, NULL);
    CU_ASSERT(audit.sound);
    CU_ASSERT_EQUAL(audit.count, 14);
    service_kit_close(&kit);
}

static void commits_are_measured_and_reads_are_not(void)
{
    struct service_kit kit;
    struct kit_answer made;
    struct metric *commits;
    uint64_t before;

    service_kit_open_with(&kit, ONE);
    commits = metrics_add(kit.metrics, METRIC_HISTOGRAM, "approvald_commit_seconds", NULL, "");
    before = metric_value(commits);
    CU_ASSERT(before > 0); /* the policy */
    made = kit_create(&kit, "deploy", "");
    CU_ASSERT_EQUAL(metric_value(commits), before + 1);
    CU_ASSERT_EQUAL(kit_get(&kit, &made.id).rc, ERR_OK);
    CU_ASSERT_EQUAL(metric_value(commits), before + 1);
    CU_ASSERT_EQUAL(kit_approve(&kit, &made.id, "U0ANN").rc, ERR_OK);
    CU_ASSERT_EQUAL(metric_value(commits), before + 2);
    service_kit_close(&kit);
}

static void a_failed_job_leaves_no_trace(void)
{
    struct service_kit kit;
    struct service_counts before;
    struct service_counts after;
    struct service_create create = {.actor = kit_asker,
                                    .policy = SPAN_LITERAL("strict"),
                                    .title = SPAN_LITERAL("no reason is given")};
    struct kit_answer answer;

    service_kit_open_with(&kit, "policy strict { approvers = {\"U0ANN\"} require_reason = true }");
    service_counts(kit.service, &before);
    answer = kit_create_as(&kit, &create);
    CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
    CU_ASSERT_FALSE(answer.has_request);
    service_counts(kit.service, &after);
    CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof before), 0);
    CU_ASSERT_EQUAL(kit_create(&kit, "strict", "").rc, ERR_OK);
    CU_ASSERT(kit_audit(&kit, NULL).sound);
    service_kit_close(&kit);
}

static enum err_code flip_run(struct storage_txn *txn, void *arg, struct err *err)
{
    static const uint8_t key[8] = {0, 0, 0, 0, 0, 0, 0, 3};
    char copy[4096];
    struct span value;
    enum err_code rc;

    (void)arg; /* the answer */
    rc = storage_get(txn, 'a', span_of(key, sizeof key), &value, err);
    if (rc != ERR_OK || value.size > sizeof copy) {
        return ERR_INVALID;
    }
    memcpy(copy, value.data, value.size);
    copy[value.size - 1] ^= 1;
    return storage_put(txn, 'a', span_of(key, sizeof key), span_of(copy, value.size), err);
}

static void a_flipped_byte_in_the_audit_log_is_found(void)
{
    struct service_kit kit;
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    service_kit_open_with(&kit, ONE);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(kit_create(&kit, "deploy", "").rc, ERR_OK);
    }
    CU_ASSERT(kit_audit(&kit, NULL).sound);
    CU_ASSERT_EQUAL(storage_write(kit.storage, flip_run, kit_on_done, &answer, &err), ERR_OK);
    service_kit_wait(&kit, &answer.done);
    CU_ASSERT_EQUAL(answer.rc, ERR_OK);
    CU_ASSERT_FALSE(kit_audit(&kit, NULL).sound);
    service_kit_close(&kit);
}

static enum err_code damage_run(struct storage_txn *txn, void *arg, struct err *err)
{
    const struct kit_answer *answer = arg;

    return storage_put(txn, 'r', span_of(answer->id.bytes, REQUEST_ID_SIZE),
                       SPAN_LITERAL("damaged"), err);
}

static void a_damaged_request_does_not_keep_others_from_expiring(void)
{
    struct service_kit kit;
    struct kit_answer damaged;
    struct kit_answer sound;

    service_kit_open_with(&kit, ONE);
    damaged = kit_create(&kit, "deploy", "");
    service_kit_pass(&kit, 10);
    sound = kit_create(&kit, "deploy", "");
    damaged.done = false;
    CU_ASSERT_EQUAL(storage_write(kit.storage, damage_run, kit_on_done, &damaged, NULL), ERR_OK);
    service_kit_wait(&kit, &damaged.done);
    CU_ASSERT_EQUAL(kit_get(&kit, &damaged.id).rc, ERR_CORRUPT);
    service_kit_pass(&kit, CORE_DAY_MS);
    service_kit_tick(&kit);
    CU_ASSERT_EQUAL(kit_get(&kit, &sound.id).state, REQUEST_EXPIRED);
    CU_ASSERT_EQUAL(kit_get(&kit, &damaged.id).rc, ERR_CORRUPT);
    service_kit_close(&kit);
}

UNIT_MAIN(
    "service_admin",
    {"a damaged request does not keep others from expiring",
     a_damaged_request_does_not_keep_others_from_expiring},
    {"a flipped byte in the audit log is found", a_flipped_byte_in_the_audit_log_is_found},
    {"applying shows the difference and pins versions",
     applying_shows_the_difference_and_pins_versions},
    {"an absent policy is deleted only when asked", an_absent_policy_is_deleted_only_when_asked},
    {"a bad text changes nothing and says where", a_bad_text_changes_nothing_and_says_where},
    {"heads, versions and groups are listed", heads_versions_and_groups_are_listed},
    {"addresses of policies are listed and bounded", addresses_of_policies_are_listed_and_bounded},
    {"groups of what is over take no room", groups_of_what_is_over_take_no_room},
    {"years of versions do not keep the service from starting",
     years_of_versions_do_not_keep_the_service_from_starting},
    {"a token is known by its hash and can be revoked",
     a_token_is_known_by_its_hash_and_can_be_revoked},
    {"a token has a rate and an end", a_token_has_a_rate_and_an_end},
    {"time expires requests and lapses approvals", time_expires_requests_and_lapses_approvals},
    {"many deadlines at once are worked off in pieces",
     many_deadlines_at_once_are_worked_off_in_pieces},
    {"retention removes what is old and the chain still verifies",
     retention_removes_what_is_old_and_the_chain_still_verifies},
    {"a restart keeps everything and the counts", a_restart_keeps_everything_and_the_counts},
    {"commits are measured and reads are not", commits_are_measured_and_reads_are_not},
    {"a failed job leaves no trace", a_failed_job_leaves_no_trace})

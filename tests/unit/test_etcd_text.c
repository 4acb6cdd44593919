/* SPDX-License-Identifier: Apache-2.0 */
/* test_etcd_text.c: proves supervisor/arbiter/etcd_text: what is asked of etcd and how its answers
 * are read. The answers are etcd 3.4's own, shortened. Owns nothing but its cases; never opens a
 * socket. */
#include "base/crypto.h"
#include "supervisor/arbiter/etcd_text.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define HEADER                                                                                     \
    "{\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\"," \
    "\"revision\":\"42\",\"raft_term\":\"3\"}"

static struct register_value sample(void)
{
    struct register_value value = {.lineage = 9, .epoch = 5, .primary = 1, .nonce = 77};

    memset(value.cluster_id, 0xc1, REGISTER_ID_SIZE);
    value.isr[0].present = true;
    memset(value.isr[0].store_id, 0xa0, REGISTER_ID_SIZE);
    return value;
}

/* The answer of a range with the register in it. */
static struct span range_answer(char *text, size_t size, const char *tail)
{
    struct register_value value = sample();
    char plain[REGISTER_TEXT_SIZE_MAX];
    char encoded[2 * REGISTER_TEXT_SIZE_MAX];

    register_format(&value, plain);
    crypto_base64(plain, strlen(plain), encoded);
    (void)snprintf(text, size,
                   "\"kvs\":[{\"key\":\"a2V5\",\"create_revision\":\"2\",\"mod_revision\":\"17\","
                   "\"version\":\"4\",\"value\":\"%s\"}],\"count\":\"1\"%s",
                   encoded, tail);
    return span_text(text);
}

static void a_read_shows_the_register_and_its_revision(void)
{
    struct register_value value = sample();
    struct failover_answer answer;
    char kvs[2048];
    char body[4096];

    (void)range_answer(kvs, sizeof kvs, "}");
    (void)snprintf(body, sizeof body, HEADER ",%s", kvs);
    CU_ASSERT_EQUAL(etcd_parse_range(span_text(body), &answer, NULL), ERR_OK);
    CU_ASSERT_EQUAL(answer.outcome, FAILOVER_DONE);
    CU_ASSERT(register_equal(&answer.value, &value));
    CU_ASSERT_EQUAL(answer.revision, 17);
    CU_ASSERT_EQUAL(answer.revision_head, 42);
    CU_ASSERT_EQUAL(answer.arbiter_id, 14841639068965178418U);
}

static void no_key_is_absent(void)
{
    struct failover_answer answer;

    CU_ASSERT_EQUAL(etcd_parse_range(SPAN_LITERAL(HEADER "}"), &answer, NULL), ERR_OK);
    CU_ASSERT_EQUAL(answer.outcome, FAILOVER_ABSENT);
    CU_ASSERT_EQUAL(answer.revision_head, 42);
}

static void a_put_has_the_revision_of_its_transaction(void)
{
    struct register_value value = sample();
    struct failover_answer answer;

    CU_ASSERT_EQUAL(
        etcd_parse_txn(SPAN_LITERAL(HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":"
                                           "{\"header\":{\"revision\":\"42\"}}}]}"),
                       &value, &answer, NULL),
        ERR_OK);
    CU_ASSERT_EQUAL(answer.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(answer.revision, 42);
    CU_ASSERT(register_equal(&answer.value, &value));
}

static void a_failed_comparison_shows_what_is_there(void)
{
    struct register_value value = sample();
    struct register_value put = sample();
    struct failover_answer answer;
    char kvs[2048];
    char body[4096];

    put.epoch = 6;
    put.nonce = 78;
    (void)range_answer(kvs, sizeof kvs, "");
    (void)snprintf(body, sizeof body, HEADER ",\"responses\":[{\"response_range\":{%s}}]}", kvs);
    CU_ASSERT_EQUAL(etcd_parse_txn(span_text(body), &put, &answer, NULL), ERR_OK);
    CU_ASSERT_EQUAL(answer.outcome, FAILOVER_CONFLICT);
    CU_ASSERT(register_equal(&answer.value, &value));
    CU_ASSERT_EQUAL(answer.revision, 17);
}

static void what_is_not_understood_is_no_answer(void)
{
    static const char *const bodies[] = {
        "",
        "null",
        "{}",
        "{\"header\":{\"cluster_id\":\"1\"}}",
        "{\"header\":{\"cluster_id\":\"1\",\"revision\":42}}",
        HEADER ",\"kvs\":[{\"value\":\"e30=\"}]}",
        HEADER ",\"kvs\":[{\"mod_revision\":\"17\",\"value\":\"*\"}]}",
        HEADER ",\"kvs\":[{\"mod_revision\":\"17\",\"value\":\"e30=\"}]}",
        HEADER ",\"kvs\":[{\"mod_revision\":\"1\"},{\"mod_revision\":\"2\"}]}",
    };
    struct register_value value = sample();
    struct failover_answer answer;

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        CU_ASSERT_NOT_EQUAL(etcd_parse_range(span_text(bodies[i]), &answer, NULL), ERR_OK);
    }
    CU_ASSERT_NOT_EQUAL(
        etcd_parse_txn(SPAN_LITERAL(HEADER ",\"succeeded\":true}"), &value, &answer, NULL), ERR_OK);
    /* A put that lost its "succeeded" is not a register that is absent. */
    CU_ASSERT_NOT_EQUAL(etcd_parse_txn(SPAN_LITERAL(HEADER ",\"responses\":[{\"response_put\":"
                                                           "{\"header\":{\"revision\":\"42\"}}}]}"),
                                       &value, &answer, NULL),
                        ERR_OK);
}

static void a_transaction_compares_the_revision_or_that_there_is_none(void)
{
    struct failover_cas swap = {.value = sample(), .before = sample(), .revision = 17};
    char body[ETCD_BODY_SIZE];

    etcd_txn_body("a2V5", &swap, body);
    CU_ASSERT_PTR_NOT_NULL(strstr(
        body, "{\"compare\":[{\"key\":\"a2V5\",\"result\":\"EQUAL\","
              "\"target\":\"MOD\",\"mod_revision\":\"17\"},{\"key\":\"a2V5\",\"result\":\"EQUAL\","
              "\"target\":\"VALUE\",\"value\":\"eyJ2ZXJzaW9uIjox"));
    swap.revision = 0;
    etcd_txn_body("a2V5", &swap, body);
    CU_ASSERT_PTR_NOT_NULL(strstr(body, "\"target\":\"VERSION\",\"version\":\"0\""));
    CU_ASSERT_PTR_NULL(strstr(body, "lease"));
    etcd_range_body("a2V5", body);
    CU_ASSERT_PTR_NULL(strstr(body, "serializable")); /* the default is linearizable */
}

static void a_token_becomes_a_header_and_nothing_else_does(void)
{
    char header[64];

    CU_ASSERT_EQUAL(etcd_parse_token(SPAN_LITERAL(HEADER ",\"token\":\"sssvIpwfnLAcWAQH.9\"}"),
                                     header, sizeof header, NULL),
                    ERR_OK);
    CU_ASSERT_STRING_EQUAL(header, "Authorization: sssvIpwfnLAcWAQH.9");
    CU_ASSERT_NOT_EQUAL(
        etcd_parse_token(SPAN_LITERAL("{\"token\":\"a\\r\\nX: b\"}"), header, sizeof header, NULL),
        ERR_OK);
    CU_ASSERT_NOT_EQUAL(etcd_parse_token(SPAN_LITERAL("{}"), header, sizeof header, NULL), ERR_OK);
    CU_ASSERT_NOT_EQUAL(
        etcd_parse_token(SPAN_LITERAL("{\"token\":\"abcdefghij\"}"), header, 16, NULL), ERR_OK);
}

static void errors_are_shown_without_their_control_characters(void)
{
    char text[32];

    etcd_error_text(SPAN_LITERAL("{\"error\":\"no\\u001b[31m quorum here at all, sorry\"}"), text,
                    sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "no?[31m quorum here at all, sor");
    etcd_error_text(SPAN_LITERAL("<html>"), text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "");
    CU_ASSERT(etcd_is_token_error(
        SPAN_LITERAL("{\"error\":\"etcdserver: invalid auth token\",\"code\":16}")));
    CU_ASSERT_FALSE(etcd_is_token_error(SPAN_LITERAL("{\"error\":\"etcdserver: timeout\"}")));
}

static void users_that_would_break_the_text_are_refused(void)
{
    CU_ASSERT_EQUAL(etcd_check_user("approvald", "s3cret!", NULL), ERR_OK);
    CU_ASSERT_EQUAL(etcd_check_user("approvald", "a\"b", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(etcd_check_user("appro\\vald", "x", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(etcd_check_user("approvald", "", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(etcd_check_user("approvald", NULL, NULL), ERR_INVALID);
}

UNIT_MAIN("etcd_text",
          {"a read shows the register and its revision",
           a_read_shows_the_register_and_its_revision},
          {"no key is absent", no_key_is_absent},
          {"a put has the revision of its transaction", a_put_has_the_revision_of_its_transaction},
          {"a failed comparison shows what is there", a_failed_comparison_shows_what_is_there},
          {"what is not understood is no answer", what_is_not_understood_is_no_answer},
          {"a transaction compares the revision, or that there is none",
           a_transaction_compares_the_revision_or_that_there_is_none},
          {"a token becomes a header, and nothing else does",
           a_token_becomes_a_header_and_nothing_else_does},
          {"errors are shown without their control characters",
           errors_are_shown_without_their_control_characters},
          {"users that would break the text are refused",
           users_that_would_break_the_text_are_refused})

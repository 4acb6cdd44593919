/* SPDX-License-Identifier: Apache-2.0 */
/* test_pair_secrets.c: proves approvald/pair_secrets: what two hosts learn of each other's secrets.
 * Owns nothing but its cases; never opens a link. */
#include "approvald/pair_secrets.h"
#include "tests/unit/unit.h"

#include <string.h>

#define CLUSTER SPAN_LITERAL("0123456789abcdef")
#define KEY     "00112233445566778899aabbccddeeff"

static enum pair_likeness
compare(const struct pair_secrets *ours, const struct pair_secrets *theirs, enum pair_secret which)
{
    enum pair_likeness likeness = pair_secrets_compare(ours, theirs, which);

    CU_ASSERT(strlen(pair_likeness_word(likeness)) > 0);
    return likeness;
}

static struct pair_secrets with(enum pair_secret which, struct span about, const char *secret)
{
    struct pair_secrets secrets = {.count = 0};

    pair_secrets_add(&secrets, which, CLUSTER, about, span_text(secret));
    return secrets;
}

/* Over the link, as the other host has it. */
static struct pair_secrets told(const struct pair_secrets *secrets)
{
    uint8_t bytes[PAIR_SECRETS_SIZE_MAX];
    struct pair_secrets heard = {.count = 0};
    size_t size = pair_secrets_encode(secrets, bytes);

    CU_ASSERT_EQUAL(pair_secrets_decode(span_of((const char *)bytes, size), &heard, NULL), ERR_OK);
    return heard;
}

static void every_difference_is_seen_and_nothing_else(void)
{
    const struct pair_secrets unheard = {.count = 0};
    struct pair_secrets key = with(PAIR_SECRET_STEP_UP, SPAN_NONE, KEY);
    struct pair_secrets none = with(PAIR_SECRET_STEP_UP, SPAN_NONE, "");
    struct pair_secrets other = with(PAIR_SECRET_STEP_UP, SPAN_NONE, KEY "\n");
    struct pair_secrets heard = told(&key);

    CU_ASSERT_EQUAL(compare(&key, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_SAME);
    CU_ASSERT_EQUAL(compare(&other, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_DIFFERS);
    CU_ASSERT_EQUAL(compare(&none, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_MISSING_HERE);
    heard = told(&none);
    CU_ASSERT_EQUAL(compare(&key, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_MISSING_THERE);
    CU_ASSERT_EQUAL(compare(&none, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_UNUSED);
    CU_ASSERT_EQUAL(compare(&key, &unheard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_UNKNOWN);
    CU_ASSERT(!pair_likeness_hurts(PAIR_LIKENESS_UNKNOWN));
    CU_ASSERT(!pair_likeness_hurts(PAIR_LIKENESS_SAME));
    CU_ASSERT(pair_likeness_hurts(PAIR_LIKENESS_MISSING_THERE));
}

static void a_mark_serves_one_purpose_and_one_pair(void)
{
    struct pair_secrets a = with(PAIR_SECRET_STEP_UP, SPAN_NONE, KEY);
    struct pair_secrets b = with(PAIR_SECRET_BOT, SPAN_NONE, KEY);
    struct pair_secrets elsewhere = {.count = 0};
    uint8_t bytes[PAIR_SECRETS_SIZE_MAX];

    pair_secrets_add(&elsewhere, PAIR_SECRET_STEP_UP, SPAN_LITERAL("another-cluster!"), SPAN_NONE,
                     span_text(KEY));
    CU_ASSERT(memcmp(a.marks[PAIR_SECRET_STEP_UP], b.marks[PAIR_SECRET_BOT], PAIR_MARK_SIZE) != 0);
    CU_ASSERT_EQUAL(compare(&a, &elsewhere, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_DIFFERS);
    (void)pair_secrets_encode(&a, bytes);
    for (size_t i = 0; i + 8 < sizeof bytes; i++) { /* no piece of it travels */
        CU_ASSERT(memcmp(bytes + i, KEY, 8) != 0);
    }
}

static void the_order_of_webhooks_does_not_matter(void)
{
    struct pair_secrets one = with(PAIR_SECRET_WEBHOOKS, SPAN_LITERAL("ci"), "secret-of-ci");
    struct pair_secrets two = with(PAIR_SECRET_WEBHOOKS, SPAN_LITERAL("ops"), "secret-of-ops");
    struct pair_secrets swapped = with(PAIR_SECRET_WEBHOOKS, SPAN_LITERAL("ci"), "secret-of-ops");

    pair_secrets_add(&one, PAIR_SECRET_WEBHOOKS, CLUSTER, SPAN_LITERAL("ops"),
                     SPAN_LITERAL("secret-of-ops"));
    CU_ASSERT_EQUAL(compare(&one, &two, PAIR_SECRET_WEBHOOKS), PAIR_LIKENESS_DIFFERS);
    pair_secrets_add(&two, PAIR_SECRET_WEBHOOKS, CLUSTER, SPAN_LITERAL("ci"),
                     SPAN_LITERAL("secret-of-ci"));
    CU_ASSERT_EQUAL(compare(&one, &two, PAIR_SECRET_WEBHOOKS), PAIR_LIKENESS_SAME);
    pair_secrets_add(&swapped, PAIR_SECRET_WEBHOOKS, CLUSTER, SPAN_LITERAL("ops"),
                     SPAN_LITERAL("secret-of-ci"));
    CU_ASSERT_EQUAL(compare(&one, &swapped, PAIR_SECRET_WEBHOOKS), PAIR_LIKENESS_DIFFERS);
}

static void an_app_may_have_several_tokens(void)
{
    struct pair_secrets one = with(PAIR_SECRET_APP, SPAN_NONE, "xapp-1");
    struct pair_secrets two = with(PAIR_SECRET_APP, SPAN_NONE, "xapp-2");
    struct pair_secrets none = with(PAIR_SECRET_APP, SPAN_NONE, "");

    CU_ASSERT_EQUAL(compare(&one, &two, PAIR_SECRET_APP), PAIR_LIKENESS_SAME);
    CU_ASSERT_EQUAL(compare(&one, &none, PAIR_SECRET_APP), PAIR_LIKENESS_MISSING_THERE);
}

static void what_is_malformed_is_refused_and_what_is_newer_is_not(void)
{
    struct pair_secrets ours = with(PAIR_SECRET_STEP_UP, SPAN_NONE, KEY);
    struct pair_secrets heard = {.count = 0};
    uint8_t bytes[PAIR_SECRETS_SIZE_MAX + 1 + PAIR_MARK_SIZE] = {0};
    size_t size = pair_secrets_encode(&ours, bytes);

    for (size_t cut = 0; cut < size; cut++) {
        CU_ASSERT_EQUAL(pair_secrets_decode(span_of((const char *)bytes, cut), &heard, NULL),
                        ERR_PROTOCOL);
    }
    CU_ASSERT_EQUAL(pair_secrets_decode(span_of((const char *)bytes, size + 1), &heard, NULL),
                    ERR_PROTOCOL);
    bytes[3] = 2;
    CU_ASSERT_EQUAL(pair_secrets_decode(span_of((const char *)bytes, size), &heard, NULL),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL(heard.count, 0);
    bytes[3] = 1;
    bytes[2]++; /* a newer host has one more */
    CU_ASSERT_EQUAL(pair_secrets_decode(span_of((const char *)bytes, sizeof bytes), &heard, NULL),
                    ERR_OK);
    CU_ASSERT_EQUAL(compare(&ours, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_SAME);
    bytes[2] = 1; /* an older one fewer */
    CU_ASSERT_EQUAL(
        pair_secrets_decode(span_of((const char *)bytes, 3 + 1 + PAIR_MARK_SIZE), &heard, NULL),
        ERR_OK);
    CU_ASSERT_EQUAL(compare(&ours, &heard, PAIR_SECRET_STEP_UP), PAIR_LIKENESS_SAME);
    CU_ASSERT_EQUAL(compare(&ours, &heard, PAIR_SECRET_BOT), PAIR_LIKENESS_UNKNOWN);
}

UNIT_MAIN("pair_secrets",
          {"every difference is seen and nothing else", every_difference_is_seen_and_nothing_else},
          {"a mark serves one purpose and one pair", a_mark_serves_one_purpose_and_one_pair},
          {"the order of webhooks does not matter", the_order_of_webhooks_does_not_matter},
          {"an app may have several tokens", an_app_may_have_several_tokens},
          {"what is malformed is refused and what is newer is not",
           what_is_malformed_is_refused_and_what_is_newer_is_not})

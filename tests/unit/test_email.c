/* SPDX-License-Identifier: Apache-2.0 */
/* test_email.c: proves approvald/core/email.
 * Owns nothing but its cases; never asks whether anybody has an address. */
#include "approvald/core/email.h"
#include "tests/unit/unit.h"

#include <string.h>

static void addresses_are_written_in_one_way(void)
{
    static const char *const good[] = {
        "a@b.c", "ana@acme.example", "ana.b_c%d+e'f=g-h@x-1.co.uk", "-a@1.2", "0@0.0",
    };
    static const char *const bad[] = {
        "",
        "@",
        "a",
        "@acme.example",
        "ana@",
        "ana@acme",
        "a@b@c.d",
        "Ana@acme.de",
        "ana@Acme.de",
        ".ana@acme.de",
        "ana.@acme.de",
        "a..b@acme.de",
        "ana@.de",
        "ana@acme.",
        "ana@acme..de",
        "ana@-acme.de",
        "ana@acme-.de",
        "a b@acme.de",
        "<a>@acme.de",
        "a@acme.de>",
        "a:b@acme.de",
        "a,b@acme.de",
        "*a*@acme.de",
        "a`b@acme.de",
        "\xc3\xa4@acme.de",
        "a@\xc3\xa4.de",
        "a\n@acme.de",
        "a@acme.de\n",
        "a@127.0.0.1:80",
        "a@[127.0.0.1]",
        "\"a\"@acme.de",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT(email_is_valid(span_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(email_is_valid(span_text(bad[i])));
    }
    CU_ASSERT_FALSE(email_is_valid(span_of("a\0b@acme.de", 11)));
    CU_ASSERT_FALSE(email_is_valid(span_of("a@ac\0me.de", 10)));
}

static void addresses_have_their_limits(void)
{
    char text[2 * CORE_EMAIL_SIZE_MAX];

    memset(text, 'a', sizeof text);
    text[64] = '@';
    text[126] = '.';
    CU_ASSERT(email_is_valid(span_of(text, CORE_EMAIL_SIZE_MAX)));
    CU_ASSERT_FALSE(email_is_valid(span_of(text, CORE_EMAIL_SIZE_MAX + 1)));
    text[64] = 'a';
    text[65] = '@';
    CU_ASSERT_FALSE(email_is_valid(span_of(text, CORE_EMAIL_SIZE_MAX))); /* 65 before the @ */
}

static void addresses_of_a_policy_are_listed(void)
{
    struct policy policy = {
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("ann@acme.example"),
                  SPAN_LITERAL("bob@acme.example")},
        .clocks = {.escalate_user_count = 2,
                   .escalate_users = {SPAN_LITERAL("U0BOSS"), SPAN_LITERAL("boss@acme.example")}}};
    struct span emails[CORE_POLICY_EMAIL_COUNT_MAX];

    CU_ASSERT_EQUAL_FATAL(email_list(&policy, emails), 3);
    CU_ASSERT(span_is(emails[2], "boss@acme.example"));
    CU_ASSERT(span_is(emails[0], "ann@acme.example") && span_is(emails[1], "bob@acme.example"));
    CU_ASSERT(email_is_meant(emails[0]));
    CU_ASSERT_FALSE(email_is_meant(policy.users[0]) || email_is_meant(SPAN_NONE));
}

UNIT_MAIN("email",
          {"addresses are written in one way", addresses_are_written_in_one_way},
          {"addresses have their limits", addresses_have_their_limits},
          {"addresses of a policy are listed", addresses_of_a_policy_are_listed})

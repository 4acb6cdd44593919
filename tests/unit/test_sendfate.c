/* SPDX-License-Identifier: Apache-2.0 */
/* test_sendfate.c: proves approvald/slack/outbound/sendfate: what each of Slack's words means for a
 * message. Owns a second telling of the table; never calls anything. */
#include "approvald/slack/outbound/sendfate.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* A word and its fate when posting, replying, changing, and for a notice; a part of the advice. */
static const struct {
    const char *word;
    enum sendfate fates[4];
    const char *advice;
} words[] = {
    /* The app is not let in: the admin's, and the people are told directly. */
    {"not_in_channel", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, "/invite"},
    {"channel_not_found", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, "/invite"},
    {"is_archived", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, "unarchive"},
    {"is_inactive", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, "unarchive"},
    {"restricted_action", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, "ask its admins"},
    {"restricted_action_read_only_channel",
     {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT},
     "ask its admins"},
    {"restricted_action_thread_locked",
     {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT},
     "ask its admins"},
    {"messages_tab_disabled", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DROP}, "Messages Tab"},
    /* The message is not there, or not to be changed. */
    {"message_not_found", {FATE_DEAD, FATE_DEAD, FATE_LOST, FATE_DROP}, ""},
    {"cant_update_message", {FATE_DEAD, FATE_DEAD, FATE_LOST, FATE_DROP}, ""},
    {"cannot_reply_to_message", {FATE_DEAD, FATE_RETRY, FATE_DEAD, FATE_DROP}, "deleted"},
    {"thread_not_found", {FATE_DEAD, FATE_RETRY, FATE_DEAD, FATE_DROP}, "deleted"},
    {"edit_window_closed", {FATE_DEAD, FATE_DEAD, FATE_REPLY, FATE_DROP}, ""},
    {"block_mismatch", {FATE_PLAIN, FATE_PLAIN, FATE_REPLY, FATE_PLAIN}, ""},
    /* The layout. */
    {"invalid_blocks", {FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN}, "report"},
    {"invalid_blocks_format", {FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN}, "report"},
    {"msg_blocks_too_long", {FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN}, "report"},
    {"msg_too_long", {FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN}, "report"},
    /* Nobody is there to be told. */
    {"cannot_dm_bot", {FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP}, ""},
    {"user_disabled", {FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP}, ""},
    {"user_not_in_channel", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT}, ""},
    /* Permissions are given later. */
    {"missing_scope", {FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_DIRECT}, "add the scope"},
    /* What nobody knows yet. */
    {"a_word_of_next_year", {FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DROP}, ""},
};

static void every_word_has_its_fate(void)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t tried = 0; tried < 4; tried++) {
            enum sendfate fate = sendfate_of((enum sendfate_try)(TRY_POST + tried),
                                             WEBAPI_PERMANENT, span_text(words[i].word));

            if (fate != words[i].fates[tried]) {
                (void)fprintf(stderr, "%s, try %zu: fate %u\n", words[i].word, tried, fate);
            }
            CU_ASSERT_EQUAL(fate, words[i].fates[tried]);
        }
    }
}

static void every_dead_letter_says_what_to_do(void)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *advice = sendfate_advice(span_text(words[i].word), SPAN_LITERAL("C0CARDS"));

        CU_ASSERT(strlen(advice) > 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(advice, words[i].advice));
    }
}

static void nobody_is_told_to_invite_the_app_to_a_person(void)
{
    static const char *const targets[] = {"U0APR00001", "W0APR00001", "D0APR00001"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (size_t j = 0; j < sizeof targets / sizeof targets[0]; j++) {
            const char *advice = sendfate_advice(span_text(words[i].word), span_text(targets[j]));

            CU_ASSERT(strlen(advice) > 0);
            CU_ASSERT_PTR_NULL(strstr(advice, "channel"));
        }
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(
        sendfate_advice(SPAN_LITERAL("channel_not_found"), SPAN_LITERAL("U0APR00001")), "person"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(sendfate_advice(SPAN_LITERAL("messages_tab_disabled"), SPAN_LITERAL("U0APR00001")),
               "Messages Tab"));
}

static void only_a_refusal_asks_for_the_word(void)
{
    for (enum sendfate_try tried = TRY_POST; tried <= TRY_EPHEMERAL; tried++) {
        CU_ASSERT_EQUAL(sendfate_of(tried, WEBAPI_OK, SPAN_NONE), FATE_SENT);
        CU_ASSERT_EQUAL(sendfate_of(tried, WEBAPI_RETRY, SPAN_LITERAL("is_archived")), FATE_RETRY);
        CU_ASSERT_EQUAL(sendfate_of(tried, WEBAPI_REFUSED, SPAN_LITERAL("token_revoked")),
                        FATE_RETRY);
        CU_ASSERT_EQUAL(sendfate_of(tried, WEBAPI_UNKNOWN, SPAN_LITERAL("http_503")), FATE_UNKNOWN);
    }
}

UNIT_MAIN("sendfate",
          {"every word has its fate", every_word_has_its_fate},
          {"every dead letter says what to do", every_dead_letter_says_what_to_do},
          {"nobody is told to invite the app to a person",
           nobody_is_told_to_invite_the_app_to_a_person},
          {"only a refusal asks for the word", only_a_refusal_asks_for_the_word})

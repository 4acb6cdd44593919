/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit.c: proves approvald/core/audit.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/audit.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <string.h>

#define COUNT 5

struct log {
    struct buf *bytes[COUNT];
    uint8_t hashes[COUNT][AUDIT_HASH_SIZE];
};

static void log_make(struct log *log)
{
    uint8_t head[AUDIT_HASH_SIZE] = {0};
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < COUNT; i++) {
        struct audit_entry entry = {.seq = i + 1,
                                    .at_ms = i,
                                    .action = SPAN_LITERAL("created"),
                                    .actor = SPAN_LITERAL("root"),
                                    .via = SPAN_LITERAL("cli"),
                                    .detail = SPAN_LITERAL("something")};

        CU_ASSERT_EQUAL_FATAL(buf_new(1024, &log->bytes[i], &err), ERR_OK);
        CU_ASSERT_EQUAL(audit_entry_encode(&entry, log->bytes[i], &err), ERR_OK);
        audit_chain(head, buf_span(log->bytes[i]), head);
        memcpy(log->hashes[i], head, sizeof head);
    }
}

static void log_done(struct log *log)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        buf_free(log->bytes[i]);
    }
}

/* The number of the first entry whose hash does not fit, COUNT when all do. */
static uint32_t verify(const struct log *log)
{
    uint8_t head[AUDIT_HASH_SIZE] = {0};
    uint32_t i = 0;

    for (; i < COUNT; i++) {
        audit_chain(head, buf_span(log->bytes[i]), head);
        if (memcmp(head, log->hashes[i], sizeof head) != 0) {
            break;
        }
    }
    return i;
}

static void change_each_byte(struct log *log, uint32_t index)
{
    for (size_t at = 0; at < buf_size(log->bytes[index]); at++) {
        *buf_at(log->bytes[index], at) ^= 1;
        CU_ASSERT_EQUAL(verify(log), index);
        *buf_at(log->bytes[index], at) ^= 1;
    }
}

static void a_changed_byte_anywhere_breaks_the_chain_there(void)
{
    struct log log;

    log_make(&log);
    CU_ASSERT_EQUAL(verify(&log), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        change_each_byte(&log, i);
    }
    log_done(&log);
}

static void actors_and_ways_have_words(void)
{
    struct actor actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = SPAN_LITERAL("U0ANN")};
    char text[AUDIT_ACTOR_SIZE];
    char longest[300];

    audit_actor_format(&actor, text);
    CU_ASSERT_STRING_EQUAL(text, "user:U0ANN");
    actor = (struct actor){.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")};
    audit_actor_format(&actor, text);
    CU_ASSERT_STRING_EQUAL(text, "token:ci");
    actor.user = SPAN_LITERAL("U0ANN");
    audit_actor_format(&actor, text);
    CU_ASSERT_STRING_EQUAL(text, "user:U0ANN token:ci");
    actor.kind = ACTOR_ROOT;
    audit_actor_format(&actor, text);
    CU_ASSERT_STRING_EQUAL(text, "root");
    actor.kind = ACTOR_SYSTEM;
    audit_actor_format(&actor, text);
    CU_ASSERT_STRING_EQUAL(text, "system");
    memset(longest, 'x', sizeof longest);
    actor.kind = ACTOR_TOKEN;
    actor.user = span_of(longest, sizeof longest);
    actor.token = actor.user;
    audit_actor_format(&actor, text);
    CU_ASSERT(strlen(text) < AUDIT_ACTOR_SIZE);
    CU_ASSERT_STRING_EQUAL(audit_via_word(VIA_SLACK), "slack");
    CU_ASSERT_STRING_EQUAL(audit_action_word(AUDIT_CREATED), "created");
    CU_ASSERT_STRING_EQUAL(audit_action_word(AUDIT_PRUNED), "pruned");
    CU_ASSERT_STRING_EQUAL(audit_action_word((enum audit_action)9999), "");
}

UNIT_MAIN("audit",
          {"a changed byte anywhere breaks the chain there",
           a_changed_byte_anywhere_breaks_the_chain_there},
          {"actors and ways have words", actors_and_ways_have_words})

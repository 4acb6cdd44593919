/* SPDX-License-Identifier: Apache-2.0 */
/* test_audit_chain.c: proves ctl/audit_chain: what it accepts and every way to forge it.
 * Owns nothing but its cases; never asks a server. */
#include "approvald/core/audit.h"
#include "approvald/ctl/audit_chain.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "tests/unit/unit.h"

#include <string.h>

struct log {
    uint64_t seq;
    uint8_t hash[AUDIT_HASH_SIZE];
};

static void add_hex(struct json *object, const char *name, const void *bytes, size_t size)
{
    static char text[4096];

    CU_ASSERT_FATAL(2 * size + 1 <= sizeof text);
    crypto_hex(bytes, size, text);
    json_add_text(object, name, span_text(text));
}

/* The next entry of a log, as the API shows it. */
static struct json *next_entry(struct log *log, const char *detail)
{
    AUTO_BUF struct buf *bytes = NULL;
    struct audit_entry entry = {
        .seq = ++log->seq,
        .at_ms = 1790000000000,
        .action = SPAN_LITERAL("created"),
        .actor = SPAN_LITERAL("root"),
        .via = SPAN_LITERAL("cli"),
        .detail = span_text(detail),
    };
    struct json *shown = json_new_object();
    struct err err = ERR_INIT;
    char at[TEXT_TIME_SIZE];

    CU_ASSERT_EQUAL_FATAL(buf_new(4000, &bytes, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(audit_entry_encode(&entry, bytes, &err), ERR_OK);
    text_format_time(entry.at_ms, at);
    json_add_u64(shown, "seq", entry.seq);
    json_add_text(shown, "at", span_text(at));
    json_add_text(shown, "action", entry.action);
    json_add_text(shown, "actor", entry.actor);
    json_add_text(shown, "via", entry.via);
    json_add_null(shown, "request");
    json_add_text(shown, "detail", entry.detail);
    add_hex(shown, "previous", log->hash, sizeof log->hash);
    add_hex(shown, "bytes", buf_text(bytes), buf_size(bytes));
    audit_chain(log->hash, buf_span(bytes), log->hash);
    add_hex(shown, "hash", log->hash, sizeof log->hash);
    return shown;
}

static enum err_code add_next(struct audit_chain *chain, struct log *log, const char *detail)
{
    AUTO_JSON struct json *shown = next_entry(log, detail);
    struct err err = ERR_INIT;

    return audit_chain_add(chain, shown, &err);
}

static void a_whole_log_is_accepted(void)
{
    struct audit_chain chain = {0};
    struct log log = {0};
    struct err err = ERR_INIT;

    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(add_next(&chain, &log, "x"), ERR_OK);
    }
    CU_ASSERT_EQUAL(chain.first, 1);
    CU_ASSERT_EQUAL(chain.last, 10);
    CU_ASSERT_EQUAL(memcmp(chain.hash, log.hash, sizeof log.hash), 0);
    CU_ASSERT_EQUAL(audit_chain_end(&chain, &err), ERR_OK);
}

static void a_missing_entry_is_noticed(void)
{
    struct audit_chain chain = {0};
    struct log log = {0};

    CU_ASSERT_EQUAL(add_next(&chain, &log, "1"), ERR_OK);
    json_free(next_entry(&log, "2"));
    CU_ASSERT_EQUAL(add_next(&chain, &log, "3"), ERR_CORRUPT);
}

static void a_first_entry_with_a_past_is_noticed(void)
{
    struct audit_chain chain = {0};
    struct log log = {.hash = {1}};

    CU_ASSERT_EQUAL(add_next(&chain, &log, "1"), ERR_CORRUPT);
}

static void another_story_than_the_hashed_one_is_noticed(void)
{
    struct audit_chain chain = {0};
    struct log log = {0};
    AUTO_JSON struct json *honest = next_entry(&log, "told");
    AUTO_JSON struct json *forged = json_new_object();
    struct err err = ERR_INIT;

    for (const struct json *at = json_first(honest); at != NULL; at = json_next(at)) {
        if (strcmp(json_name(at), "actor") == 0) {
            json_add_text(forged, "actor", SPAN_LITERAL("user:U0SOMEBODY"));
        } else if (json_is_string(at)) {
            json_add_text(forged, json_name(at), json_string(at));
        }
    }
    json_add_u64(forged, "seq", 1);
    CU_ASSERT_EQUAL(audit_chain_add(&chain, forged, &err), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "actor"));
    CU_ASSERT_EQUAL(audit_chain_add(&chain, honest, &err), ERR_OK);
}

static void rewritten_history_is_noticed_by_its_remembered_head(void)
{
    struct audit_chain before = {0};
    struct audit_chain after = {0};
    struct log honest = {0};
    struct log forged = {0};

    CU_ASSERT_EQUAL(add_next(&before, &honest, "a"), ERR_OK);
    CU_ASSERT_EQUAL(add_next(&before, &honest, "b"), ERR_OK);
    after.head_seq = before.last;
    memcpy(after.head_hash, before.hash, sizeof before.hash);
    CU_ASSERT_EQUAL(add_next(&after, &forged, "a"), ERR_OK);
    CU_ASSERT_EQUAL(add_next(&after, &forged, "c"), ERR_CORRUPT);
}

static void a_log_cut_before_its_remembered_head_is_noticed(void)
{
    struct audit_chain chain = {.head_seq = 5};
    struct log log = {0};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(add_next(&chain, &log, "a"), ERR_OK);
    CU_ASSERT_EQUAL(audit_chain_end(&chain, &err), ERR_CORRUPT);
}

static void what_is_no_entry_is_refused(void)
{
    AUTO_JSON struct json *nothing = json_new_object();
    AUTO_JSON struct json *odd = json_new_object();
    struct audit_chain chain = {0};
    struct err err = ERR_INIT;

    json_add_text(odd, "bytes", SPAN_LITERAL("abc"));
    CU_ASSERT_EQUAL(audit_chain_add(&chain, nothing, &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(audit_chain_add(&chain, odd, &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(chain.count, 0);
}

UNIT_MAIN("audit_chain",
          {"a whole log is accepted", a_whole_log_is_accepted},
          {"a missing entry is noticed", a_missing_entry_is_noticed},
          {"a first entry with a past is noticed", a_first_entry_with_a_past_is_noticed},
          {"another story than the hashed one is noticed",
           another_story_than_the_hashed_one_is_noticed},
          {"rewritten history is noticed by its remembered head",
           rewritten_history_is_noticed_by_its_remembered_head},
          {"a log cut before its remembered head is noticed",
           a_log_cut_before_its_remembered_head_is_noticed},
          {"what is no entry is refused", what_is_no_entry_is_refused})

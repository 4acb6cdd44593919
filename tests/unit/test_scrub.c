/* SPDX-License-Identifier: Apache-2.0 */
/* test_scrub.c: proves ctl/scrub: no secret gets through, and what helps does.
 * Owns nothing but its cases. Never reads a file. */
#include "approvald/ctl/scrub.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static char said[8192];

static uint64_t scrub_with(const char *known, const char *text)
{
    AUTO_BUF struct buf *buf = NULL;
    struct scrub *scrub = NULL;
    struct err err = ERR_INIT;
    uint64_t count = 0;

    CU_ASSERT_EQUAL_FATAL(scrub_new(&scrub, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(sizeof said - 1, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(scrub_know(scrub, span_text(known), &err), ERR_OK);
    CU_ASSERT_EQUAL(scrub_append(scrub, span_text(text), buf, &count, &err), ERR_OK);
    memcpy(said, buf_text(buf), buf_size(buf) + 1);
    scrub_free(scrub);
    return count;
}

static void check(const char *text, const char *wanted)
{
    (void)scrub_with("", text);
    CU_ASSERT_STRING_EQUAL(said, wanted);
}

static void what_is_known_is_removed_everywhere(void)
{
    CU_ASSERT_EQUAL(scrub_with("hunter22\n", "a=hunter22, xhunter22x hunter2\nhunter22"), 3);
    CU_ASSERT_STRING_EQUAL(said, "a=[removed], x[removed]x hunter2\n[removed]");
    CU_ASSERT_EQUAL(scrub_with("abc\r\n", "abc abc"), 0); /* too short to be one */
    CU_ASSERT_EQUAL(scrub_with("secret\nsecretary\n", "secretary secret"), 2);
    CU_ASSERT_STRING_EQUAL(said, "[removed] [removed]");
}

static void a_known_secret_goes_whole_that_begins_inside_a_token(void)
{
    CU_ASSERT_EQUAL(scrub_with("T0ken,with;commas\n", "Bearer T0ken,with;commas end"), 1);
    CU_ASSERT_STRING_EQUAL(said, "[removed] end");
    /* One that begins inside what the first was extended by. */
    CU_ASSERT_EQUAL(scrub_with("T0ken,with;\nwith;commas\n", "Bearer T0ken,with;commas end"), 1);
    CU_ASSERT_STRING_EQUAL(said, "[removed] end");
    CU_ASSERT_EQUAL(scrub_with("c,next one\n", "xoxb-1-2-abc,next one"), 1);
    CU_ASSERT_STRING_EQUAL(said, "[removed]");
    CU_ASSERT_EQUAL(scrub_with("first-second\nsecond-third\n", "first-second-third"), 1);
    CU_ASSERT_STRING_EQUAL(said, "[removed]");
}

static void a_known_secret_goes_in_every_spelling(void)
{
    static const char known[] = "p\"a s+w/o;rd&\n";
    static const char *const texts[] = {
        "p\"a s+w/o;rd&",
        "p%22a%20s%2Bw%2Fo%3Brd%26",
        "p%22a+s%2Bw%2Fo%3Brd%26",
        "p\\\"a s+w/o;rd&",
        "7022612073 2b772f6f3b726426",
        "7022612073"
        "2b772f6f3b726426",
        "7022612073"
        "2B772F6F3B726426",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[128];

        (void)snprintf(text, sizeof text, "<%s>", texts[i]); /* fits */
        CU_ASSERT_EQUAL(scrub_with(known, text), i == 4 ? 0 : 1);
        CU_ASSERT_STRING_EQUAL(said, i == 4 ? text : "<[removed]>");
    }
    /* "svc:", "ab:" and "x:" before it: it begins at each place of a group. */
    (void)scrub_with(
        known, "<c3ZjOnAiYSBzK3cvbztyZCY=> <YWI6cCJhIHMrdy9vO3JkJg==> <eDpwImEgcyt3L287cmQm>");
    CU_ASSERT_STRING_EQUAL(said, "<c3ZjOn[removed]Y=> <YWI6[removed]g==> <eDp[removed]m>");
}

static void what_looks_like_a_token_is_removed(void)
{
    check("token xoxb-1-2-abc, next", "token [removed], next");
    check("{\"t\":\"xapp-1-A-2\"}", "{\"t\":\"[removed]\"}");
    check("xoxc-1-2 xoxd-3%2B4", "[removed] [removed]");
    check("apv_abc", "[removed]");
    check("apvjoin1.AAAA", "[removed]");
    check("token apvjoin2.AR/gh/AA+AA== end", "token [removed] end"); /* of fence devices */
    check("apvjoin3.A/b", "[removed]");                               /* of who comes later */
    check("Authorization: Bearer abc.def x", "Authorization: [removed] x");
    check("otpauth://totp/x?secret=ABC", "[removed]");
    check("see https://hooks.slack.com/services/T0/B0/x now", "see https://[removed] now");
    check("proxy http://user:pass@proxy:3128/", "proxy http://[removed]proxy:3128/");
}

static void names_and_passwords_in_urls_are_removed(void)
{
    check("proxy = \"http://svc:Pa,ss;1@proxy:3128\"", "proxy = \"http://[removed]proxy:3128\"");
    check("http://u:a'b<c>d)e}f\\g@h", "http://[removed]h");
    check("http://u:p@ss@h/x@y", "http://[removed]h/[removed]y"); /* the last one ends them */
    check("http://h/x,me@here", "http://h/[removed]here");
    check("http://h?to=me@here", "http://h?to=me@here");
    check("http://h#me@here", "http://h#me@here");
    check("\"http://h\", \"me@here\"", "\"http://h\", \"me@here\"");
    check("http://h me@here", "http://h me@here");
}

static void keys_and_seeds_are_removed(void)
{
    check("a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb",
          "a\n[removed]\nb");
    check("-----BEGIN PRIVATE KEY-----\ncut", "[removed]");
    check("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
          "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----");
    check("seed JBSWY3DPEHPK3PXP.", "seed [removed].");
    check("key 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef end",
          "key [removed] end");
    check("k=Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZkdISg==", "k=[removed]");
}

static void what_stands_behind_a_name_is_looked_at(void)
{
    check("event key=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef "
          "seed=JBSWY3DPEHPK3PXP",
          "event key=[removed] seed=[removed]");
    check("a==JBSWY3DPEHPK3PXP=", "a==[removed]");
    check("=", "=");
    check("event=last_good_config_used id=000102030405060708090a0b0c0d0e0f==",
          "event=last_good_config_used id=000102030405060708090a0b0c0d0e0f==");
}

static void what_helps_stays(void)
{
    static const char *const good[] = {
        "build-id d845a763292f093b84b6b2e03183b227dfd2877b",
        "cluster_id = \"000102030405060708090a0b0c0d0e0f\"",
        "req_01J9ZC0000000000000000 U0APR00001 C0APV00001",
        "/var/lib/approvald-supervisor/last-good.conf",
        "approvald_storage_sync_max_microseconds 1200",
        "2026-11-26T15:13:12.123Z error app: last_good_config_used kept_at=2026-11-25",
        "http://127.0.0.1:9180/metrics",
        "frame libmbedcrypto.so.7+0x1234",
        "",
    };

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        check(good[i], good[i]);
    }
}

static void more_secrets_than_fit_are_an_error(void)
{
    struct scrub *scrub = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(scrub_new(&scrub, &err), ERR_OK);
    for (unsigned int i = 0; i < SCRUB_COUNT_MAX; i++) {
        char secret[32];

        (void)snprintf(secret, sizeof secret, "secret %u", i); /* fits */
        CU_ASSERT_EQUAL(scrub_know(scrub, span_text(secret), &err), ERR_OK);
        CU_ASSERT_EQUAL(scrub_know(scrub, SPAN_LITERAL("secret 0"), &err), ERR_OK); /* known */
    }
    CU_ASSERT_EQUAL(scrub_know(scrub, SPAN_LITERAL("one more"), &err), ERR_FULL);
    scrub_free(scrub);
}

UNIT_MAIN("scrub",
          {"what is known is removed everywhere", what_is_known_is_removed_everywhere},
          {"a known secret goes whole that begins inside a token",
           a_known_secret_goes_whole_that_begins_inside_a_token},
          {"a known secret goes in every spelling", a_known_secret_goes_in_every_spelling},
          {"what looks like a token is removed", what_looks_like_a_token_is_removed},
          {"names and passwords in URLs are removed", names_and_passwords_in_urls_are_removed},
          {"keys and seeds are removed", keys_and_seeds_are_removed},
          {"what stands behind a name is looked at", what_stands_behind_a_name_is_looked_at},
          {"what helps stays", what_helps_stays},
          {"more secrets than fit are an error", more_secrets_than_fit_are_an_error})

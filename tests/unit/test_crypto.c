/* SPDX-License-Identifier: Apache-2.0 */
/* test_crypto.c: proves base/crypto against published vectors.
 * Owns nothing but its cases; never touches a file or the network. */
#include "base/crypto.h"
#include "tests/unit/unit.h"

#include <string.h>

static void check_hex(const uint8_t *hash, const char *expected)
{
    char text[2 * CRYPTO_SHA256_SIZE + 1];

    crypto_hex(hash, CRYPTO_SHA256_SIZE, text);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void sha256_agrees_with_fips_180(void)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    uint8_t joined[CRYPTO_SHA256_SIZE];
    const struct span parts[] = {SPAN_LITERAL("a"), SPAN_NONE, SPAN_LITERAL("bc")};

    crypto_sha256("", 0, hash);
    check_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256("abc", 3, hash);
    check_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256_parts(parts, 3, joined);
    CU_ASSERT(crypto_equal(hash, joined, sizeof hash));
}

static void hmac_agrees_with_rfc_4231(void)
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    uint8_t key[131];
    const struct span nothing_for_nothing[] = {SPAN_LITERAL("what do ya want "),
                                               SPAN_LITERAL("for nothing?")};
    const struct span larger =
        SPAN_LITERAL("Test Using Larger Than Block-Size Key - Hash Key First");

    crypto_hmac_sha256(SPAN_LITERAL("Jefe"), nothing_for_nothing, 2, mac);
    check_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256(span_of(key, sizeof key), &larger, 1, mac);
    check_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256(SPAN_NONE, NULL, 0, mac);
    check_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void base64_agrees_with_rfc_4648(void)
{
    static const struct {
        const char *bytes;
        const char *text;
    } vectors[] = {{"", ""},
                   {"f", "Zg=="},
                   {"fo", "Zm8="},
                   {"foo", "Zm9v"},
                   {"foob", "Zm9vYg=="},
                   {"fooba", "Zm9vYmE="},
                   {"foobar", "Zm9vYmFy"}};
    char text[16];
    char bytes[8];
    size_t size;

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        crypto_base64(vectors[i].bytes, strlen(vectors[i].bytes), text);
        CU_ASSERT_STRING_EQUAL(text, vectors[i].text);
        CU_ASSERT(crypto_unbase64(span_text(text), bytes, sizeof bytes, &size));
        CU_ASSERT(span_is(span_of(bytes, size), vectors[i].bytes));
    }
}

static void what_is_no_base64_or_too_much_is_refused(void)
{
    char bytes[3];
    size_t size;

    CU_ASSERT_FALSE(crypto_unbase64(SPAN_LITERAL("Zm9"), bytes, sizeof bytes, &size));
    CU_ASSERT_FALSE(crypto_unbase64(SPAN_LITERAL("Zm9*"), bytes, sizeof bytes, &size));
    CU_ASSERT_FALSE(crypto_unbase64(SPAN_LITERAL("Zm9vYg=="), bytes, sizeof bytes, &size));
    CU_ASSERT(crypto_unbase64(SPAN_LITERAL("Zm9v"), bytes, sizeof bytes, &size));
}

/* The worked example of Slack's "Verifying requests from Slack". */
static void hmac_verifies_slacks_own_example(void)
{
    const struct span parts[] = {
        SPAN_LITERAL("v0:1531420618:"),
        SPAN_LITERAL("token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&"
                     "channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&"
                     "user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url="
                     "https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
                     "96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
                     "803a0bc887a14d10d2c447fce8b6703c")};
    uint8_t mac[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(SPAN_LITERAL("8f742231b10e8888abcd99yyyzzz85a5"), parts, 2, mac);
    check_hex(mac, "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
}

static void equal_sees_every_byte(void)
{
    char a[33] = "0123456789abcdef0123456789abcdef";
    char b[33] = "0123456789abcdef0123456789abcdef";

    CU_ASSERT(crypto_equal(a, b, 32));
    CU_ASSERT(crypto_equal(NULL, NULL, 0));
    for (size_t i = 0; i < 32; i++) {
        b[i] ^= 1;
        CU_ASSERT_FALSE(crypto_equal(a, b, 32));
        b[i] ^= 1;
    }
}

static void unhex_is_exact(void)
{
    uint8_t bytes[3] = {0};

    CU_ASSERT(crypto_unhex(SPAN_LITERAL("00fFa1"), bytes, 3));
    CU_ASSERT(bytes[0] == 0 && bytes[1] == 0xff && bytes[2] == 0xa1);
    CU_ASSERT_FALSE(crypto_unhex(SPAN_LITERAL("00ffa"), bytes, 3));
    CU_ASSERT_FALSE(crypto_unhex(SPAN_LITERAL("00ffa10"), bytes, 3));
    CU_ASSERT_FALSE(crypto_unhex(SPAN_LITERAL("00ffa1b2"), bytes, 3));
    CU_ASSERT_FALSE(crypto_unhex(SPAN_LITERAL("0xffa1"), bytes, 3));
    CU_ASSERT_FALSE(crypto_unhex(SPAN_LITERAL("00 fa1"), bytes, 3));
    CU_ASSERT(crypto_unhex(SPAN_NONE, bytes, 0));
}

static void base64url_has_no_padding(void)
{
    static const char *const expected[] = {"", "-w", "-_8", "-__-", "-__--w"};
    char text[16];

    for (size_t size = 0; size < sizeof expected / sizeof expected[0]; size++) {
        crypto_base64url("\xfb\xff\xfe\xfb", size, text);
        CU_ASSERT_STRING_EQUAL(text, expected[size]);
    }
}

UNIT_MAIN("crypto",
          {"sha256 agrees with FIPS 180", sha256_agrees_with_fips_180},
          {"hmac agrees with RFC 4231", hmac_agrees_with_rfc_4231},
          {"hmac verifies Slack's own example", hmac_verifies_slacks_own_example},
          {"equal sees every byte", equal_sees_every_byte},
          {"unhex is exact", unhex_is_exact},
          {"base64url has no padding", base64url_has_no_padding},
          {"base64 agrees with RFC 4648", base64_agrees_with_rfc_4648},
          {"what is no base64, or too much, is refused", what_is_no_base64_or_too_much_is_refused})

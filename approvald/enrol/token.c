/* SPDX-License-Identifier: Apache-2.0 */
/* token.c: the join token as text.
 * Owns its form: "apvjoin1." (with fence devices "apvjoin2.") and base64 of role, port, secret,
 * fingerprint, address and checksum. Never shows a token in an error, never accepts one of which a
 * character is missing or wrong. */
#include "approvald/enrol/token.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/pack.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define WORD          "apvjoin" /* then the version and a dot */
#define PREFIX        WORD "1."
#define PREFIX_FENCE  WORD "2."
#define CHECK_SIZE    4 /* bytes: a slip of the finger passes once in four thousand millions */
#define FIXED_SIZE    (1 + 2 + ENROL_SECRET_SIZE + X509_HASH_SIZE)
#define BYTE_SIZE_MAX (FIXED_SIZE + TOKEN_ADDRESS_SIZE + CHECK_SIZE)

static_assert(sizeof PREFIX == sizeof PREFIX_FENCE, "one is as long as the other");
static_assert(sizeof PREFIX + ((size_t)BYTE_SIZE_MAX + 2) / 3 * 4 < TOKEN_TEXT_SIZE_MAX, "it fits");

const char *enrol_role_name(enum enrol_role role)
{
    switch (role) {
    case ENROL_ROLE_HOST:
        return "host";
    case ENROL_ROLE_ARBITER:
        return "arbiter";
    }
    ASSERT(false);
    return "";
}

static void checksum(const uint8_t *bytes, size_t size, uint8_t ret_check[CHECK_SIZE])
{
    uint8_t hash[CRYPTO_SHA256_SIZE];

    crypto_sha256(bytes, size, hash);
    memcpy(ret_check, hash, CHECK_SIZE);
}

void token_format(const struct token *token, char ret_text[TOKEN_TEXT_SIZE_MAX])
{
    uint8_t bytes[BYTE_SIZE_MAX];
    size_t address_size = strlen(token->address);
    size_t size = 0;

    bytes[size++] = (uint8_t)token->role;
    bytes[size++] = (uint8_t)(token->port & 0xff);
    bytes[size++] = (uint8_t)(token->port >> 8);
    memcpy(bytes + size, token->secret, ENROL_SECRET_SIZE);
    size += ENROL_SECRET_SIZE;
    memcpy(bytes + size, token->fingerprint, X509_HASH_SIZE);
    size += X509_HASH_SIZE;
    memcpy(bytes + size, token->address, address_size);
    size += address_size;
    checksum(bytes, size, bytes + size);
    size += CHECK_SIZE;
    memcpy(ret_text, token->fence ? PREFIX_FENCE : PREFIX, sizeof PREFIX);
    crypto_base64(bytes, size, ret_text + sizeof PREFIX - 1);
    mem_wipe(bytes, sizeof bytes);
}

static struct span trim(struct span text)
{
    static const char blank[] = " \t\r\n";

    while (text.size > 0 && strchr(blank, text.data[0]) != NULL) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(blank, text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    return text;
}

static bool is_address(const char *text)
{
    uint8_t address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* The checksum has been seen to be right. */
static bool read_fields(struct span bytes, struct token *token)
{
    struct unpack unpack;
    uint8_t role;
    size_t address_size = bytes.size - FIXED_SIZE;

    unpack_init(&unpack, bytes);
    role = unpack_u8(&unpack);
    token->port = unpack_u16(&unpack);
    unpack_copy(&unpack, token->secret, ENROL_SECRET_SIZE);
    unpack_copy(&unpack, token->fingerprint, X509_HASH_SIZE);
    memset(token->address, 0, sizeof token->address);
    if (address_size < sizeof token->address) {
        unpack_copy(&unpack, token->address, address_size);
    }
    if (!unpack_done(&unpack) || (role != ENROL_ROLE_HOST && role != ENROL_ROLE_ARBITER)) {
        return false;
    }
    token->role = (enum enrol_role)role;
    return token->port > 0 && strlen(token->address) == address_size && is_address(token->address);
}

static bool begins(struct span word, const char *start)
{
    return word.size >= strlen(start) && memcmp(word.data, start, strlen(start)) == 0;
}

static enum err_code check_start(struct span word, struct err *err)
{
    if (word.size >= sizeof PREFIX && (begins(word, PREFIX) || begins(word, PREFIX_FENCE))) {
        return ERR_OK;
    }
    if (word.size >= sizeof PREFIX && begins(word, WORD) && word.data[sizeof PREFIX - 2] == '.') {
        return err_set(err, ERR_INVALID,
                       "the join token is of a later version: upgrade approvald on this host");
    }
    return err_set(err, ERR_INVALID, "this is no join token: they begin with %s", PREFIX);
}

enum err_code token_parse(struct span text, struct token *ret_token, struct err *err)
{
    struct span word = trim(text);
    struct token token;
    uint8_t bytes[BYTE_SIZE_MAX];
    uint8_t check[CHECK_SIZE];
    size_t size = 0;
    enum err_code rc = check_start(word, err);
    bool fits;

    if (rc != ERR_OK) {
        return rc;
    }
    fits = crypto_unbase64(span_of(word.data + sizeof PREFIX - 1, word.size - (sizeof PREFIX - 1)),
                           bytes, sizeof bytes, &size);
    fits = fits && size > FIXED_SIZE + CHECK_SIZE;
    if (fits) {
        checksum(bytes, size - CHECK_SIZE, check);
        fits = memcmp(check, bytes + size - CHECK_SIZE, CHECK_SIZE) == 0;
    }
    fits = fits && read_fields(span_of(bytes, size - CHECK_SIZE), &token);
    if (fits) {
        token.fence = begins(word, PREFIX_FENCE);
        *ret_token = token;
        mem_wipe(&token, sizeof token);
    }
    mem_wipe(bytes, sizeof bytes);
    return fits ? ERR_OK
                : err_set(err, ERR_INVALID, "the join token is not whole: copy it once more");
}

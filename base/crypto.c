/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c: hashes, MACs, encodings of bytes as text, over mbedTLS.
 * Owns nothing between calls; key material it copies is wiped before it returns.
 * Never allocates, never compares secrets with memcmp, never fails. */
#include "base/crypto.h"

#include "base/assert.h"
#include "base/mem.h"

#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/sha1.h>
#include <mbedtls/sha256.h>
#include <mbedtls/version.h>
#include <string.h>

#define SHA256_BLOCK_SIZE 64
#define SHA1_BLOCK_SIZE   64

/* 2.28 has the checked functions under _ret names; 3.x dropped the suffix. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
#define SHA256_STARTS mbedtls_sha256_starts_ret
#define SHA256_UPDATE mbedtls_sha256_update_ret
#define SHA256_FINISH mbedtls_sha256_finish_ret
#define SHA1_STARTS   mbedtls_sha1_starts_ret
#define SHA1_UPDATE   mbedtls_sha1_update_ret
#define SHA1_FINISH   mbedtls_sha1_finish_ret
#else
#define SHA256_STARTS mbedtls_sha256_starts
#define SHA256_UPDATE mbedtls_sha256_update
#define SHA256_FINISH mbedtls_sha256_finish
#define SHA1_STARTS   mbedtls_sha1_starts
#define SHA1_UPDATE   mbedtls_sha1_update
#define SHA1_FINISH   mbedtls_sha1_finish
#endif

static void sha256_begin(mbedtls_sha256_context *context)
{
    int failed;

    mbedtls_sha256_init(context);
    failed = SHA256_STARTS(context, 0);
    ASSERT(failed == 0); /* software only: it has no operating errors */
}

static void sha256_add(mbedtls_sha256_context *context, const void *data, size_t size)
{
    int failed;

    if (size == 0) {
        return;
    }
    ASSERT(data != NULL);
    failed = SHA256_UPDATE(context, data, size);
    ASSERT(failed == 0);
}

static void sha256_end(mbedtls_sha256_context *context, uint8_t ret_hash[CRYPTO_SHA256_SIZE])
{
    int failed = SHA256_FINISH(context, ret_hash);

    ASSERT(failed == 0);
    mbedtls_sha256_free(context); /* wipes */
}

void crypto_sha256(const void *data, size_t size, uint8_t ret_hash[CRYPTO_SHA256_SIZE])
{
    struct span part = span_of(data, size);

    crypto_sha256_parts(&part, 1, ret_hash);
}

void crypto_sha256_parts(const struct span *parts,
                         size_t count,
                         uint8_t ret_hash[CRYPTO_SHA256_SIZE])
{
    mbedtls_sha256_context context;

    sha256_begin(&context);
    for (size_t i = 0; i < count; i++) {
        sha256_add(&context, parts[i].data, parts[i].size);
    }
    sha256_end(&context, ret_hash);
}

/* RFC 2104 by hand: mbedtls_md_setup allocates, and this runs for every Slack request. */
void crypto_sha1_parts(const struct span *parts, size_t count, uint8_t ret_hash[CRYPTO_SHA1_SIZE])
{
    mbedtls_sha1_context context;
    int failed;

    mbedtls_sha1_init(&context);
    failed = SHA1_STARTS(&context);
    for (size_t i = 0; failed == 0 && i < count; i++) {
        if (parts[i].size > 0) {
            failed = SHA1_UPDATE(&context, (const unsigned char *)parts[i].data, parts[i].size);
        }
    }
    if (failed == 0) {
        failed = SHA1_FINISH(&context, ret_hash);
    }
    ASSERT(failed == 0); /* as with SHA-256 */
    mbedtls_sha1_free(&context);
}

void crypto_hmac_sha256(struct span key,
                        const struct span *parts,
                        size_t count,
                        uint8_t ret_mac[CRYPTO_SHA256_SIZE])
{
    mbedtls_sha256_context context;
    uint8_t pad[SHA256_BLOCK_SIZE] = {0};
    uint8_t inner[CRYPTO_SHA256_SIZE];

    if (key.size > sizeof pad) {
        crypto_sha256(key.data, key.size, pad);
    } else if (key.size > 0) {
        memcpy(pad, key.data, key.size);
    }
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36;
    }
    sha256_begin(&context);
    sha256_add(&context, pad, sizeof pad);
    for (size_t i = 0; i < count; i++) {
        sha256_add(&context, parts[i].data, parts[i].size);
    }
    sha256_end(&context, inner);
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    sha256_begin(&context);
    sha256_add(&context, pad, sizeof pad);
    sha256_add(&context, inner, sizeof inner);
    sha256_end(&context, ret_mac);
    mem_wipe(pad, sizeof pad);
    mem_wipe(inner, sizeof inner);
}

void crypto_hmac_sha1(struct span key,
                      const struct span *parts,
                      size_t count,
                      uint8_t ret_mac[CRYPTO_SHA1_SIZE])
{
    mbedtls_sha1_context context;
    uint8_t pad[SHA1_BLOCK_SIZE] = {0};
    uint8_t inner[CRYPTO_SHA1_SIZE];
    struct span outer[2] = {span_of(pad, sizeof pad), span_of(inner, sizeof inner)};
    int failed;

    ASSERT(key.size <= sizeof pad);
    memcpy(pad, key.data, key.size);
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36;
    }
    mbedtls_sha1_init(&context);
    failed = SHA1_STARTS(&context);
    failed = failed == 0 ? SHA1_UPDATE(&context, pad, sizeof pad) : failed;
    for (size_t i = 0; failed == 0 && i < count; i++) {
        failed = SHA1_UPDATE(&context, (const unsigned char *)parts[i].data, parts[i].size);
    }
    failed = failed == 0 ? SHA1_FINISH(&context, inner) : failed;
    ASSERT(failed == 0); /* as with SHA-256 */
    mbedtls_sha1_free(&context);
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    crypto_sha1_parts(outer, 2, ret_mac);
    mem_wipe(pad, sizeof pad);
    mem_wipe(inner, sizeof inner);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    return size == 0 || mbedtls_ct_memcmp(a, b, size) == 0;
}

void crypto_hex(const void *data, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * size] = '\0';
}

/* The value of a hex digit, or 16. */
static unsigned int unhex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned int)(digit - '0');
    }
    if (digit >= 'a' && digit <= 'f') {
        return (unsigned int)(digit - 'a') + 10;
    }
    if (digit >= 'A' && digit <= 'F') {
        return (unsigned int)(digit - 'A') + 10;
    }
    return 16;
}

bool crypto_unhex(struct span text, void *ret_data, size_t size)
{
    uint8_t *bytes = ret_data;

    if (text.size % 2 != 0 || text.size / 2 != size) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (unhex_digit(text.data[i]) > 15) {
            return false;
        }
    }
    for (size_t i = 0; i < size; i++) {
        unsigned int high = unhex_digit(text.data[2 * i]);

        bytes[i] = (uint8_t)(high << 4 | unhex_digit(text.data[2 * i + 1]));
    }
    return true;
}

void crypto_base64(const void *data, size_t size, char *ret_text)
{
    size_t room = (size + 2) / 3 * 4 + 1;
    size_t written;
    int failed = mbedtls_base64_encode((unsigned char *)ret_text, room, &written,
                                       data == NULL ? (const void *)"" : data, size);

    ASSERT(failed == 0); /* the room suffices */
    ret_text[written] = '\0';
}

bool crypto_unbase64(struct span text, void *ret_data, size_t size_max, size_t *ret_size)
{
    /* mbedTLS lets the padding be missing; we do not. */
    return text.size % 4 == 0 &&
           mbedtls_base64_decode(ret_data, size_max, ret_size, (const unsigned char *)text.data,
                                 text.size) == 0;
}

void crypto_base64url(const void *data, size_t size, char *ret_text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *bytes = data;
    uint32_t bits = 0;
    unsigned int bit_count = 0;

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | bytes[i];
        bit_count += 8;
        while (bit_count >= 6) {
            bit_count -= 6;
            *ret_text++ = digits[bits >> bit_count & 63];
        }
    }
    if (bit_count > 0) {
        *ret_text++ = digits[bits << (6 - bit_count) & 63];
    }
    *ret_text = '\0';
}

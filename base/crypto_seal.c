/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_seal.c: small secrets under a key, with AES-256-GCM over mbedTLS.
 * Owns nothing between calls. Never chooses a nonce, never keeps what it opened. */
#include "base/crypto.h"

#include "base/assert.h"
#include "base/mem.h"

#include <mbedtls/gcm.h>

static enum err_code begin(mbedtls_gcm_context *gcm, const uint8_t *key, struct err *err)
{
    mbedtls_gcm_init(gcm);
    if (mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, 8 * CRYPTO_KEY_SIZE) != 0) {
        mbedtls_gcm_free(gcm);
        return err_set(err, ERR_NOMEM, "cipher");
    }
    return ERR_OK;
}

enum err_code crypto_seal(const uint8_t key[CRYPTO_KEY_SIZE],
                          const uint8_t nonce[CRYPTO_NONCE_SIZE],
                          struct span about,
                          struct span secret,
                          uint8_t *ret_sealed,
                          struct err *err)
{
    mbedtls_gcm_context gcm;
    int failed;
    enum err_code rc = begin(&gcm, key, err);

    if (rc != ERR_OK) {
        return rc;
    }
    failed = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, secret.size, nonce,
                                       CRYPTO_NONCE_SIZE, (const uint8_t *)about.data, about.size,
                                       (const uint8_t *)secret.data, ret_sealed, CRYPTO_TAG_SIZE,
                                       ret_sealed + secret.size);
    mbedtls_gcm_free(&gcm); /* wipes */
    ASSERT(failed == 0);    /* the key is set, and nothing is too long */
    return ERR_OK;
}

enum err_code crypto_open(const uint8_t key[CRYPTO_KEY_SIZE],
                          const uint8_t nonce[CRYPTO_NONCE_SIZE],
                          struct span about,
                          struct span sealed,
                          uint8_t *ret_secret,
                          struct err *err)
{
    mbedtls_gcm_context gcm;
    size_t size;
    int failed;
    enum err_code rc;

    if (sealed.size < CRYPTO_TAG_SIZE) {
        return err_set(err, ERR_CORRUPT, "a sealed secret is cut");
    }
    rc = begin(&gcm, key, err);
    if (rc != ERR_OK) {
        return rc;
    }
    size = sealed.size - CRYPTO_TAG_SIZE;
    failed =
        mbedtls_gcm_auth_decrypt(&gcm, size, nonce, CRYPTO_NONCE_SIZE, (const uint8_t *)about.data,
                                 about.size, (const uint8_t *)sealed.data + size, CRYPTO_TAG_SIZE,
                                 (const uint8_t *)sealed.data, ret_secret);
    mbedtls_gcm_free(&gcm);
    if (failed != 0) {
        mem_wipe(ret_secret, size);
        return err_set(err, ERR_CORRUPT, "a sealed secret does not open with this key");
    }
    return ERR_OK;
}

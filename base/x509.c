/* SPDX-License-Identifier: Apache-2.0 */
/* x509.c: keys on P-256, proofs that one has them, and what a certificate says.
 * Owns private keys, wiped when freed.
 * Never accepts another curve or another form of a public key, never judges a time. */
#include "base/x509.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/tls_material.h"
#include "base/x509_internal.h"

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pem.h>
#include <mbedtls/version.h>
#include <string.h>

#define PEM_SIZE_MAX 1024 /* bytes of a private key on P-256: 227 */

/* SubjectPublicKeyInfo of an uncompressed point of P-256: all but the point is fixed. */
static const uint8_t public_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

enum err_code x509_fail(struct err *err, enum err_code code, const char *what, int failure)
{
    char reason[128];

    if (failure == MBEDTLS_ERR_PK_ALLOC_FAILED || failure == MBEDTLS_ERR_X509_ALLOC_FAILED ||
        failure == MBEDTLS_ERR_PEM_ALLOC_FAILED) {
        return err_set(err, ERR_NOMEM, "%s", what);
    }
    mbedtls_strerror(failure, reason, sizeof reason);
    return err_set(err, code, "%s: %s", what, reason);
}

void x509_write_public(mbedtls_pk_context *pk, uint8_t ret_public[X509_PUBLIC_SIZE])
{
    int size = mbedtls_pk_write_pubkey_der(pk, ret_public, X509_PUBLIC_SIZE);

    ASSERT(size == X509_PUBLIC_SIZE); /* x509_is_ours has seen to it */
}

bool x509_is_ours(mbedtls_pk_context *pk)
{
    uint8_t public[128];
    int size;

    if (mbedtls_pk_can_do(pk, MBEDTLS_PK_ECDSA) == 0) {
        return false;
    }
    /* mbedTLS writes from the end. */
    size = mbedtls_pk_write_pubkey_der(pk, public, sizeof public);
    return size == X509_PUBLIC_SIZE &&
           memcmp(public + sizeof public - X509_PUBLIC_SIZE, public_head, sizeof public_head) == 0;
}

enum err_code
x509_load_public(mbedtls_pk_context *pk, const uint8_t public[X509_PUBLIC_SIZE], struct err *err)
{
    int failure;

    if (memcmp(public, public_head, sizeof public_head) != 0) {
        return err_set(err, ERR_DENIED, "public key: not on P-256");
    }
    failure = mbedtls_pk_parse_public_key(pk, public, X509_PUBLIC_SIZE); /* checks the point */
    return failure == 0 ? ERR_OK : x509_fail(err, ERR_DENIED, "public key", failure);
}

static enum err_code key_alloc(struct x509_key **ret_key, struct err *err)
{
    struct x509_key *key = mem_new(1, sizeof *key);
    enum err_code rc;

    if (key == NULL) {
        return err_set(err, ERR_NOMEM, "key");
    }
    mbedtls_pk_init(&key->pk);
    rc = tls_library(err);
    if (rc != ERR_OK) {
        x509_key_free(key);
        return rc;
    }
    *ret_key = key;
    return ERR_OK;
}

enum err_code x509_key_new(struct x509_key **ret_key, struct err *err)
{
    struct x509_key *key = NULL;
    enum err_code rc = key_alloc(&key, err);
    int failure;

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(key != NULL);
    failure = mbedtls_pk_setup(&key->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (failure == 0) {
        failure =
            mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key->pk), tls_random, NULL);
    }
    if (failure != 0) {
        x509_key_free(key);
        return x509_fail(err, ERR_FATAL, "new key", failure);
    }
    *ret_key = key;
    return ERR_OK;
}

/* mbedTLS wants the NUL behind PEM, counted. */
static enum err_code ended(struct span pem, struct buf **ret_text, struct err *err)
{
    enum err_code rc = buf_new(pem.size + 1, ret_text, err);

    return rc == ERR_OK ? buf_append_span(*ret_text, pem, err) : rc;
}

static int parse_key(mbedtls_pk_context *pk, const unsigned char *text, size_t size)
{
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    return mbedtls_pk_parse_key(pk, text, size, NULL, 0);
#else
    return mbedtls_pk_parse_key(pk, text, size, NULL, 0, tls_random, NULL);
#endif
}

enum err_code x509_key_parse(struct span pem, struct x509_key **ret_key, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    struct x509_key *key = NULL;
    enum err_code rc = ended(pem, &text, err);
    int failure = 0;

    if (rc == ERR_OK) {
        rc = key_alloc(&key, err);
    }
    if (rc == ERR_OK) {
        ASSERT(key != NULL);
        failure = parse_key(&key->pk, (const unsigned char *)buf_text(text), buf_size(text) + 1);
        buf_wipe(text);
    }
    if (failure != 0) {
        rc = x509_fail(err, ERR_INVALID, "key", failure);
    } else if (rc == ERR_OK && !x509_is_ours(&key->pk)) {
        rc = err_set(err, ERR_INVALID, "key: not on P-256");
    }
    if (rc != ERR_OK) {
        x509_key_free(key);
        return rc;
    }
    *ret_key = key;
    return ERR_OK;
}

void x509_key_free(struct x509_key *key)
{
    if (key != NULL) {
        mbedtls_pk_free(&key->pk); /* wipes */
        mem_free(key);
    }
}

enum err_code x509_key_format(struct x509_key *key, struct buf *buf, struct err *err)
{
    unsigned char pem[PEM_SIZE_MAX];
    int failure = mbedtls_pk_write_key_pem(&key->pk, pem, sizeof pem);
    enum err_code rc = failure == 0 ? buf_append_text(buf, (const char *)pem, err)
                                    : x509_fail(err, ERR_FATAL, "key", failure);

    mem_wipe(pem, sizeof pem);
    return rc;
}

void x509_key_public(struct x509_key *key, uint8_t ret_public[X509_PUBLIC_SIZE])
{
    x509_write_public(&key->pk, ret_public);
}

enum err_code x509_prove(struct x509_key *key,
                         const uint8_t hash[X509_HASH_SIZE],
                         uint8_t ret_proof[X509_PROOF_SIZE_MAX],
                         size_t *ret_size,
                         struct err *err)
{
    uint8_t proof[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t size = 0;
    int failure;

#if MBEDTLS_VERSION_NUMBER < 0x03000000
    failure = mbedtls_pk_sign(&key->pk, MBEDTLS_MD_SHA256, hash, X509_HASH_SIZE, proof, &size,
                              tls_random, NULL);
#else
    failure = mbedtls_pk_sign(&key->pk, MBEDTLS_MD_SHA256, hash, X509_HASH_SIZE, proof,
                              sizeof proof, &size, tls_random, NULL);
#endif
    if (failure != 0) {
        return x509_fail(err, ERR_FATAL, "signature", failure);
    }
    ASSERT(size <= X509_PROOF_SIZE_MAX);
    memcpy(ret_proof, proof, size);
    *ret_size = size;
    return ERR_OK;
}

enum err_code x509_proof_check(const uint8_t public[X509_PUBLIC_SIZE],
                               const uint8_t hash[X509_HASH_SIZE],
                               struct span proof,
                               struct err *err)
{
    mbedtls_pk_context pk;
    enum err_code rc;

    mbedtls_pk_init(&pk);
    rc = tls_library(err);
    if (rc == ERR_OK) {
        rc = x509_load_public(&pk, public, err);
    }
    if (rc == ERR_OK && mbedtls_pk_verify(&pk, MBEDTLS_MD_SHA256, hash, X509_HASH_SIZE,
                                          (const unsigned char *)proof.data, proof.size) != 0) {
        rc = err_set(err, ERR_DENIED, "the signature is not by this key");
    }
    mbedtls_pk_free(&pk);
    return rc;
}

enum err_code x509_load_chain(mbedtls_x509_crt *chain, struct span pem, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = ended(pem, &text, err);
    int failure;

    if (rc != ERR_OK) {
        return rc;
    }
    failure =
        mbedtls_x509_crt_parse(chain, (const unsigned char *)buf_text(text), buf_size(text) + 1);
    if (failure > 0) {
        return err_set(err, ERR_INVALID, "certificate: %d of its parts cannot be read", failure);
    }
    return failure == 0 ? ERR_OK : x509_fail(err, ERR_INVALID, "certificate", failure);
}

enum err_code x509_look(struct span pem, struct x509_facts *ret_facts, struct err *err)
{
    mbedtls_x509_crt chain;
    enum err_code rc = tls_library(err);

    mbedtls_x509_crt_init(&chain);
    if (rc == ERR_OK) {
        rc = x509_load_chain(&chain, pem, err);
    }
    if (rc == ERR_OK && !x509_is_ours(&chain.pk)) {
        rc = err_set(err, ERR_INVALID, "certificate: its key is not on P-256");
    }
    if (rc == ERR_OK) {
        ret_facts->validity.not_before_s = tls_time_s(&chain.valid_from);
        ret_facts->validity.not_after_s = tls_time_s(&chain.valid_to);
        ret_facts->authority = chain.MBEDTLS_PRIVATE(ca_istrue) != 0;
        crypto_sha256(chain.raw.p, chain.raw.len, ret_facts->fingerprint);
        x509_write_public(&chain.pk, ret_facts->public);
    }
    mbedtls_x509_crt_free(&chain);
    return rc;
}

enum err_code x509_first_end(struct span pem, uint64_t *ret_not_after_s, struct err *err)
{
    mbedtls_x509_crt chain;
    uint64_t end_s = UINT64_MAX;
    enum err_code rc = tls_library(err);

    mbedtls_x509_crt_init(&chain);
    if (rc == ERR_OK) {
        rc = x509_load_chain(&chain, pem, err);
    }
    for (const mbedtls_x509_crt *at = &chain; rc == ERR_OK && at != NULL; at = at->next) {
        uint64_t this_s = tls_time_s(&at->valid_to);

        end_s = this_s < end_s ? this_s : end_s;
    }
    if (rc == ERR_OK) {
        *ret_not_after_s = end_s;
    }
    mbedtls_x509_crt_free(&chain);
    return rc;
}

/* Whose times are over counts elsewhere; here only who has signed. */
static bool is_signed(mbedtls_x509_crt *certificate, mbedtls_x509_crt *authorities)
{
    uint32_t flags = 0;
    int failure = mbedtls_x509_crt_verify(certificate, authorities, NULL, NULL, &flags, NULL, NULL);

    return failure == 0 ||
           (failure == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED &&
            (flags & ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE)) == 0);
}

enum err_code x509_check_issuer(struct span certificate, struct span authorities, struct err *err)
{
    mbedtls_x509_crt own;
    mbedtls_x509_crt trusted;
    enum err_code rc = tls_library(err);

    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&trusted);
    if (rc == ERR_OK) {
        rc = x509_load_chain(&own, certificate, err);
    }
    if (rc == ERR_OK) {
        rc = x509_load_chain(&trusted, authorities, err);
    }
    if (rc == ERR_OK && !is_signed(&own, &trusted)) {
        rc = err_set(err, ERR_DENIED, "certificate: not issued by this authority");
    }
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&trusted);
    return rc;
}

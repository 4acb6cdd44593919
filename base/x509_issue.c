/* SPDX-License-Identifier: Apache-2.0 */
/* x509_issue.c: an authority and the certificates that it issues.
 * Owns the authority's key, wiped when freed; each certificate gets a random serial number.
 * Never issues a certificate that may itself issue, never one without a side. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/tls_material.h"
#include "base/x509_internal.h"

#include <arpa/inet.h>
#include <assert.h>
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/version.h>
#include <stdio.h>
#include <string.h>

#define PEM_SIZE_MAX  4096
#define NAME_SIZE_MAX 128
#define SERIAL_SIZE   16 /* bytes: 127 random bits; the standard allows 20 bytes */

/* A general name: its tag, its length in up to two bytes, the text. */
#define NAMES_SIZE_MAX (X509_NAME_COUNT_MAX * (X509_NAME_SIZE_MAX + 3))
static_assert(PEM_SIZE_MAX > (NAMES_SIZE_MAX + 700) * 4 / 3, "the longest certificate fits");

struct x509_authority {
    struct x509_key *key; /* owned */
    mbedtls_x509_crt cert;
    char pem[PEM_SIZE_MAX]; /* the certificate's text */
};

static const uint8_t use_server[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const uint8_t use_client[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};

/* 20260131235959 */
static void format_time(uint64_t time_s, char ret_text[16])
{
    char text[TEXT_TIME_SIZE];
    size_t size = 0;

    text_format_time(time_s * 1000, text);
    for (const char *at = text; *at != '\0' && size < 14; at++) {
        if (*at >= '0' && *at <= '9') {
            ret_text[size++] = *at;
        }
    }
    ret_text[size] = '\0';
}

static int set_serial(mbedtls_x509write_cert *cert)
{
    unsigned char serial[SERIAL_SIZE];

    rng_fill(rng_host(), serial, sizeof serial);
    serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and of full length */
#if MBEDTLS_VERSION_NUMBER < 0x03040000
    mbedtls_mpi number;
    int failure;

    mbedtls_mpi_init(&number);
    failure = mbedtls_mpi_read_binary(&number, serial, sizeof serial);
    if (failure == 0) {
        failure = mbedtls_x509write_crt_set_serial(cert, &number);
    }
    mbedtls_mpi_free(&number);
    return failure;
#else
    return mbedtls_x509write_crt_set_serial_raw(cert, serial, sizeof serial);
#endif
}

struct draft {
    mbedtls_x509write_cert cert;
    mbedtls_pk_context *subject_key;
    struct x509_key *issuer_key;
    const char *subject;
    const char *issuer;
    const struct x509_validity *validity;
    bool authority;
};

static int draft_identity(struct draft *draft)
{
    mbedtls_x509write_cert *cert = &draft->cert;
    char before[16];
    char after[16];
    int failure = mbedtls_x509write_crt_set_subject_name(cert, draft->subject);

    format_time(draft->validity->not_before_s, before);
    format_time(draft->validity->not_after_s, after);
    if (failure == 0) {
        failure = mbedtls_x509write_crt_set_issuer_name(cert, draft->issuer);
    }
    if (failure == 0) {
        failure = mbedtls_x509write_crt_set_validity(cert, before, after);
    }
    return failure == 0 ? set_serial(cert) : failure;
}

static int draft_usage(struct draft *draft)
{
    mbedtls_x509write_cert *cert = &draft->cert;
    unsigned int usage = draft->authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                          : MBEDTLS_X509_KU_DIGITAL_SIGNATURE;
    int failure = mbedtls_x509write_crt_set_basic_constraints(cert, draft->authority ? 1 : 0,
                                                              draft->authority ? 0 : -1);

    if (failure == 0) {
        failure = mbedtls_x509write_crt_set_key_usage(cert, usage);
    }
    if (failure == 0) {
        failure = mbedtls_x509write_crt_set_subject_key_identifier(cert);
    }
    return failure == 0 ? mbedtls_x509write_crt_set_authority_key_identifier(cert) : failure;
}

static int draft_begin(struct draft *draft)
{
    mbedtls_x509write_cert *cert = &draft->cert;
    int failure;

    mbedtls_x509write_crt_init(cert);
    mbedtls_x509write_crt_set_version(cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(cert, draft->subject_key);
    mbedtls_x509write_crt_set_issuer_key(cert, &draft->issuer_key->pk);
    failure = draft_identity(draft);
    return failure == 0 ? draft_usage(draft) : failure;
}

static int draft_end(struct draft *draft, char pem[PEM_SIZE_MAX])
{
    return mbedtls_x509write_crt_pem(&draft->cert, (unsigned char *)pem, PEM_SIZE_MAX, tls_random,
                                     NULL);
}

static enum err_code authority_alloc(struct x509_authority **ret_authority, struct err *err)
{
    struct x509_authority *authority = mem_new(1, sizeof *authority);

    if (authority == NULL) {
        return err_set(err, ERR_NOMEM, "authority");
    }
    mbedtls_x509_crt_init(&authority->cert);
    *ret_authority = authority;
    return ERR_OK;
}

static enum err_code authority_sign_itself(struct x509_authority *authority,
                                           const char *name,
                                           const struct x509_validity *validity,
                                           struct err *err)
{
    char subject[NAME_SIZE_MAX];
    struct draft draft = {.subject_key = &authority->key->pk,
                          .issuer_key = authority->key,
                          .subject = subject,
                          .issuer = subject,
                          .validity = validity,
                          .authority = true};
    uint8_t public[X509_PUBLIC_SIZE];
    uint8_t hash[X509_HASH_SIZE];
    char digits[9];
    int failure;

    x509_key_public(authority->key, public);
    crypto_sha256(public, sizeof public, hash);
    crypto_hex(hash, 4, digits);
    (void)snprintf(subject, sizeof subject, "CN=%s %s", name, digits); /* fits: see the caller */
    failure = draft_begin(&draft);
    if (failure == 0) {
        failure = draft_end(&draft, authority->pem);
    }
    mbedtls_x509write_crt_free(&draft.cert);
    return failure == 0 ? x509_load_chain(&authority->cert, span_text(authority->pem), err)
                        : x509_fail(err, ERR_FATAL, "authority", failure);
}

enum err_code x509_authority_new(const char *name,
                                 const struct x509_validity *validity,
                                 struct x509_authority **ret_authority,
                                 struct err *err)
{
    struct x509_authority *authority = NULL;
    enum err_code rc = authority_alloc(&authority, err);

    ASSERT(strlen(name) + 9 <= X509_COMMON_SIZE_MAX);
    ASSERT(validity->not_before_s < validity->not_after_s);
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(authority != NULL);
    rc = x509_key_new(&authority->key, err);
    if (rc == ERR_OK) {
        rc = authority_sign_itself(authority, name, validity, err);
    }
    if (rc != ERR_OK) {
        x509_authority_free(authority);
        return rc;
    }
    *ret_authority = authority;
    return ERR_OK;
}

/* The certificate as a text of its own: what was parsed may have had others behind it. */
static enum err_code authority_text(struct x509_authority *authority, struct err *err)
{
    size_t size = 0;
    int failure = mbedtls_pem_write_buffer(
        "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", authority->cert.raw.p,
        authority->cert.raw.len, (unsigned char *)authority->pem, sizeof authority->pem, &size);

    return failure == 0 ? ERR_OK : x509_fail(err, ERR_INVALID, "authority", failure);
}

static enum err_code authority_fits(struct x509_authority *authority, struct err *err)
{
    uint8_t own[X509_PUBLIC_SIZE];
    uint8_t told[X509_PUBLIC_SIZE];

    if (!x509_is_ours(&authority->cert.pk) || authority->cert.MBEDTLS_PRIVATE(ca_istrue) == 0) {
        return err_set(err, ERR_INVALID, "authority: the certificate is none of an authority");
    }
    x509_key_public(authority->key, own);
    x509_write_public(&authority->cert.pk, told);
    if (memcmp(own, told, sizeof own) != 0) {
        return err_set(err, ERR_INVALID, "authority: the key is another one's");
    }
    return authority_text(authority, err);
}

enum err_code x509_authority_parse(struct span certificate,
                                   struct span key,
                                   struct x509_authority **ret_authority,
                                   struct err *err)
{
    struct x509_authority *authority = NULL;
    enum err_code rc = authority_alloc(&authority, err);

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(authority != NULL);
    rc = x509_key_parse(key, &authority->key, err);
    if (rc == ERR_OK) {
        rc = x509_load_chain(&authority->cert, certificate, err);
    }
    if (rc == ERR_OK) {
        rc = authority_fits(authority, err);
    }
    if (rc != ERR_OK) {
        x509_authority_free(authority);
        return rc;
    }
    *ret_authority = authority;
    return ERR_OK;
}

void x509_authority_free(struct x509_authority *authority)
{
    if (authority != NULL) {
        x509_key_free(authority->key);
        mbedtls_x509_crt_free(&authority->cert);
        mem_free(authority);
    }
}

enum err_code
x509_authority_format(struct x509_authority *authority, struct buf *buf, struct err *err)
{
    return buf_append_text(buf, authority->pem, err);
}

enum err_code
x509_authority_format_key(struct x509_authority *authority, struct buf *buf, struct err *err)
{
    return x509_key_format(authority->key, buf, err);
}

static bool is_name(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t size = strlen(name);

    return size > 0 && size <= X509_NAME_SIZE_MAX && strspn(name, legal) == size;
}

/* One general name; *size grows by what it takes. */
static bool add_name(const char *name, uint8_t *bytes, size_t *size)
{
    uint8_t address[16];
    const void *value = name;
    size_t count = strlen(name);
    uint8_t tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2; /* a DNS name */

    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        tag = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7;
        value = address;
        count = strchr(name, ':') == NULL ? 4 : 16;
    } else if (!is_name(name)) {
        return false;
    }
    bytes[(*size)++] = tag;
    if (count > 127) {
        bytes[(*size)++] = 0x81;
    }
    bytes[(*size)++] = (uint8_t)count;
    memcpy(bytes + *size, value, count);
    *size += count;
    return true;
}

/* A sequence around size bytes that stand at bytes + 4: where it begins, and its new size. */
static const uint8_t *enclose(uint8_t *bytes, size_t *size)
{
    uint8_t *begin;

    if (*size <= 127) {
        begin = bytes + 2;
    } else if (*size <= 255) {
        begin = bytes + 1;
        begin[1] = 0x81;
    } else {
        begin = bytes;
        begin[1] = 0x82;
        begin[2] = (uint8_t)(*size >> 8);
    }
    begin[0] = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    bytes[3] = (uint8_t)*size;
    *size += (size_t)(bytes + 4 - begin);
    return begin;
}

static int set_extension(mbedtls_x509write_cert *cert, const char *oid, uint8_t *bytes, size_t size)
{
    const uint8_t *begin = enclose(bytes, &size);

    return mbedtls_x509write_crt_set_extension(cert, oid, strlen(oid), 0, begin, size);
}

static enum err_code
set_names(mbedtls_x509write_cert *cert, const struct x509_leaf *leaf, struct err *err)
{
    uint8_t bytes[4 + NAMES_SIZE_MAX];
    size_t size = 0;
    int failure;

    for (size_t i = 0; i < X509_NAME_COUNT_MAX && leaf->names[i] != NULL; i++) {
        if (!add_name(leaf->names[i], bytes + 4, &size)) {
            return err_set(err, ERR_INVALID, "certificate: '%.80s' is no name of a host",
                           leaf->names[i]);
        }
    }
    if (size == 0) {
        return err_set(err, ERR_INVALID, "certificate: without a name");
    }
    failure = set_extension(cert, MBEDTLS_OID_SUBJECT_ALT_NAME, bytes, size);
    return failure == 0 ? ERR_OK : x509_fail(err, ERR_FATAL, "certificate: names", failure);
}

static enum err_code
set_sides(mbedtls_x509write_cert *cert, const struct x509_leaf *leaf, struct err *err)
{
    uint8_t bytes[4 + sizeof use_server + sizeof use_client];
    size_t size = 0;
    int failure;

    if (!leaf->server && !leaf->client) {
        return err_set(err, ERR_INVALID, "certificate: for neither side");
    }
    if (leaf->server) {
        memcpy(bytes + 4, use_server, sizeof use_server);
        size = sizeof use_server;
    }
    if (leaf->client) {
        memcpy(bytes + 4 + size, use_client, sizeof use_client);
        size += sizeof use_client;
    }
    failure = set_extension(cert, MBEDTLS_OID_EXTENDED_KEY_USAGE, bytes, size);
    return failure == 0 ? ERR_OK : x509_fail(err, ERR_FATAL, "certificate: sides", failure);
}

static enum err_code
fill(struct draft *draft, const struct x509_leaf *leaf, char pem[PEM_SIZE_MAX], struct err *err)
{
    int failure = draft_begin(draft);
    enum err_code rc = failure == 0 ? ERR_OK : x509_fail(err, ERR_INVALID, "certificate", failure);

    if (rc == ERR_OK) {
        rc = set_names(&draft->cert, leaf, err);
    }
    if (rc == ERR_OK) {
        rc = set_sides(&draft->cert, leaf, err);
    }
    if (rc == ERR_OK) {
        failure = draft_end(draft, pem);
        rc = failure == 0 ? ERR_OK : x509_fail(err, ERR_FATAL, "certificate", failure);
    }
    return rc;
}

enum err_code x509_issue(struct x509_authority *authority,
                         const struct x509_leaf *leaf,
                         const uint8_t public[X509_PUBLIC_SIZE],
                         struct buf *buf,
                         struct err *err)
{
    mbedtls_pk_context pk;
    char subject[NAME_SIZE_MAX];
    char issuer[NAME_SIZE_MAX];
    char pem[PEM_SIZE_MAX];
    struct draft draft = {.subject_key = &pk,
                          .issuer_key = authority->key,
                          .subject = subject,
                          .issuer = issuer,
                          .validity = &leaf->validity};
    enum err_code rc;

    ASSERT(leaf->validity.not_before_s < leaf->validity.not_after_s);
    if (!is_name(leaf->common_name) || strlen(leaf->common_name) > X509_COMMON_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "certificate: '%.80s' is no name", leaf->common_name);
    }
    if (mbedtls_x509_dn_gets(issuer, sizeof issuer, &authority->cert.subject) <= 0) {
        return err_set(err, ERR_INVALID, "authority: its name is too long");
    }
    (void)snprintf(subject, sizeof subject, "CN=%s", leaf->common_name); /* fits */
    mbedtls_pk_init(&pk);
    rc = x509_load_public(&pk, public, err);
    if (rc == ERR_OK) {
        rc = fill(&draft, leaf, pem, err);
        mbedtls_x509write_crt_free(&draft.cert);
    }
    mbedtls_pk_free(&pk);
    return rc == ERR_OK ? buf_append_text(buf, pem, err) : rc;
}

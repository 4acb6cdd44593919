/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c: certificates for tests.
 * Owns nothing; never used outside tests: its keys are as good as public. */
#include "tests/unit/cert.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/rng.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PEM_SIZE 4096

static int cert_random(void *arg, unsigned char *bytes, size_t size)
{
    (void)arg;
    rng_fill(rng_host(), bytes, size);
    return 0;
}

static void cert_put(const char *path, const unsigned char *pem)
{
    FILE *file = fopen(path, "we");

    ASSERT(file != NULL);
    ASSERT(fputs((const char *)pem, file) >= 0);
    ASSERT(fclose(file) == 0);
}

static int set_serial(mbedtls_x509write_cert *cert)
{
#if MBEDTLS_VERSION_NUMBER < 0x03040000
    mbedtls_mpi serial;
    int result;

    mbedtls_mpi_init(&serial);
    result = mbedtls_mpi_lset(&serial, 1);
    if (result == 0) {
        result = mbedtls_x509write_crt_set_serial(cert, &serial);
    }
    mbedtls_mpi_free(&serial);
    return result;
#else
    unsigned char serial[1] = {1};

    return mbedtls_x509write_crt_set_serial_raw(cert, serial, sizeof serial);
#endif
}

/* SubjectAltName: IP 127.0.0.1, DNS localhost. */
static int set_names(mbedtls_x509write_cert *cert)
{
    static const unsigned char names[] = {0x30, 17,  0x87, 4,   127, 0,   0,   1,   0x82, 9,
                                          'l',  'o', 'c',  'a', 'l', 'h', 'o', 's', 't'};
    const char *oid = MBEDTLS_OID_SUBJECT_ALT_NAME;
    size_t oid_size = MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME);

    return mbedtls_x509write_crt_set_extension(cert, oid, oid_size, 0, names, sizeof names);
}

static void new_key(mbedtls_pk_context *key)
{
    mbedtls_pk_init(key);
    ASSERT(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    ASSERT(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), cert_random, NULL) ==
           0);
}

static void put_key(mbedtls_pk_context *key, const char *key_file)
{
    unsigned char pem[PEM_SIZE];

    ASSERT(mbedtls_pk_write_key_pem(key, pem, sizeof pem) == 0);
    cert_put(key_file, pem);
}

static void put_cert(mbedtls_x509write_cert *cert, const char *cert_file)
{
    unsigned char pem[PEM_SIZE];

    ASSERT(mbedtls_x509write_crt_pem(cert, pem, sizeof pem, cert_random, NULL) == 0);
    cert_put(cert_file, pem);
}

struct cert_text {
    const char *subject;
    const char *issuer;
    const char *not_before;
    const char *not_after;
};

static void begin_cert(mbedtls_x509write_cert *cert, const struct cert_text *text, bool ca)
{
    mbedtls_x509write_crt_init(cert);
    mbedtls_x509write_crt_set_version(cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(cert, MBEDTLS_MD_SHA256);
    ASSERT(mbedtls_x509write_crt_set_subject_name(cert, text->subject) == 0);
    ASSERT(mbedtls_x509write_crt_set_issuer_name(cert, text->issuer) == 0);
    ASSERT(mbedtls_x509write_crt_set_validity(
               cert, text->not_before == NULL ? "20200101000000" : text->not_before,
               text->not_after == NULL ? "20481231235959" : text->not_after) == 0);
    ASSERT(mbedtls_x509write_crt_set_basic_constraints(cert, ca ? 1 : 0, -1) == 0);
    ASSERT(set_serial(cert) == 0);
}

void cert_write(const char *name, const char *cert_file, const char *key_file)
{
    char subject[100];
    const struct cert_text text = {.subject = subject, .issuer = subject};
    mbedtls_pk_context key;
    mbedtls_x509write_cert cert;

    (void)snprintf(subject, sizeof subject, "CN=%s", name);
    new_key(&key);
    begin_cert(&cert, &text, true);
    mbedtls_x509write_crt_set_subject_key(&cert, &key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &key);
    ASSERT(set_names(&cert) == 0);
    put_cert(&cert, cert_file);
    put_key(&key, key_file);
    mbedtls_x509write_crt_free(&cert);
    mbedtls_pk_free(&key);
}

struct cert_ca {
    mbedtls_pk_context key;
    char subject[100];
};

struct cert_ca *cert_ca_new(const char *name, const char *cert_file)
{
    struct cert_ca *ca = mem_new(1, sizeof *ca);
    struct cert_text text = {0};
    mbedtls_x509write_cert cert;

    ASSERT(ca != NULL);
    (void)snprintf(ca->subject, sizeof ca->subject, "CN=%s", name);
    text.subject = ca->subject;
    text.issuer = ca->subject;
    new_key(&ca->key);
    begin_cert(&cert, &text, true);
    mbedtls_x509write_crt_set_subject_key(&cert, &ca->key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &ca->key);
    put_cert(&cert, cert_file);
    mbedtls_x509write_crt_free(&cert);
    return ca;
}

void cert_ca_free(struct cert_ca *ca)
{
    mbedtls_pk_free(&ca->key);
    mem_free(ca);
}

/* SubjectAltName: one DNS name. */
static void set_dns_name(mbedtls_x509write_cert *cert, const char *name)
{
    unsigned char names[4 + 100];
    size_t size = strlen(name);

    ASSERT(size <= 100);
    names[0] = 0x30;
    names[1] = (unsigned char)(size + 2);
    names[2] = 0x82;
    names[3] = (unsigned char)size;
    memcpy(names + 4, name, size);
    ASSERT(mbedtls_x509write_crt_set_extension(cert, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                               names, size + 4) == 0);
}

void cert_leaf_write(struct cert_ca *ca,
                     const struct cert_leaf *leaf,
                     const char *cert_file,
                     const char *key_file)
{
    char subject[120];
    struct cert_text text = {.subject = subject,
                             .issuer = ca->subject,
                             .not_before = leaf->not_before,
                             .not_after = leaf->not_after};
    mbedtls_pk_context key;
    mbedtls_x509write_cert cert;

    (void)snprintf(subject, sizeof subject, "CN=%s",
                   leaf->dns_name == NULL ? "none" : leaf->dns_name);
    new_key(&key);
    begin_cert(&cert, &text, false);
    mbedtls_x509write_crt_set_subject_key(&cert, &key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &ca->key);
    if (leaf->dns_name != NULL) {
        set_dns_name(&cert, leaf->dns_name);
    }
    put_cert(&cert, cert_file);
    put_key(&key, key_file);
    mbedtls_x509write_crt_free(&cert);
    mbedtls_pk_free(&key);
}

struct cert_stranger {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    int file; /* borrowed */
    int result;
};

static int stranger_send(void *arg, const unsigned char *data, size_t size)
{
    struct cert_stranger *stranger = arg;
    ssize_t sent = send(stranger->file, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

    return sent >= 0 ? (int)sent : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int stranger_receive(void *arg, unsigned char *room, size_t size)
{
    struct cert_stranger *stranger = arg;
    ssize_t got = recv(stranger->file, room, size, MSG_DONTWAIT);

    return got >= 0 ? (int)got : MBEDTLS_ERR_SSL_WANT_READ;
}

struct cert_stranger *cert_stranger_new(int file)
{
    struct cert_stranger *stranger = mem_new(1, sizeof *stranger);

    ASSERT(stranger != NULL);
    stranger->file = file;
    mbedtls_ssl_init(&stranger->ssl);
    mbedtls_ssl_config_init(&stranger->config);
    ASSERT(mbedtls_ssl_config_defaults(&stranger->config, MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&stranger->config, cert_random, NULL);
    mbedtls_ssl_conf_authmode(&stranger->config, MBEDTLS_SSL_VERIFY_NONE);
    ASSERT(mbedtls_ssl_setup(&stranger->ssl, &stranger->config) == 0);
    ASSERT(mbedtls_ssl_set_hostname(&stranger->ssl, "one.pair") == 0);
    mbedtls_ssl_set_bio(&stranger->ssl, stranger, stranger_send, stranger_receive, NULL);
    stranger->result = MBEDTLS_ERR_SSL_WANT_READ;
    return stranger;
}

void cert_stranger_step(struct cert_stranger *stranger)
{
    if (stranger->result == MBEDTLS_ERR_SSL_WANT_READ ||
        stranger->result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        stranger->result = mbedtls_ssl_handshake(&stranger->ssl);
    }
}

void cert_stranger_free(struct cert_stranger *stranger)
{
    mbedtls_ssl_free(&stranger->ssl);
    mbedtls_ssl_config_free(&stranger->config);
    mem_free(stranger);
}

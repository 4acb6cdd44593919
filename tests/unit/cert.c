/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c: certificates for tests.
 * Owns nothing; never used outside tests: its keys are as good as public. */
#include "tests/unit/cert.h"

#include "base/assert.h"
#include "base/rng.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

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

void cert_write(const char *name, const char *cert_file, const char *key_file)
{
    mbedtls_pk_context key;
    mbedtls_x509write_cert cert;
    unsigned char pem[PEM_SIZE];
    char subject[100];

    (void)snprintf(subject, sizeof subject, "CN=%s", name);
    mbedtls_pk_init(&key);
    mbedtls_x509write_crt_init(&cert);
    ASSERT(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    ASSERT(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), cert_random, NULL) ==
           0);
    mbedtls_x509write_crt_set_version(&cert, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&cert, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&cert, &key);
    mbedtls_x509write_crt_set_issuer_key(&cert, &key);
    ASSERT(mbedtls_x509write_crt_set_subject_name(&cert, subject) == 0);
    ASSERT(mbedtls_x509write_crt_set_issuer_name(&cert, subject) == 0);
    ASSERT(mbedtls_x509write_crt_set_validity(&cert, "20200101000000", "20481231235959") == 0);
    ASSERT(mbedtls_x509write_crt_set_basic_constraints(&cert, 1, -1) == 0);
    ASSERT(set_serial(&cert) == 0);
    ASSERT(set_names(&cert) == 0);
    ASSERT(mbedtls_x509write_crt_pem(&cert, pem, sizeof pem, cert_random, NULL) == 0);
    cert_put(cert_file, pem);
    ASSERT(mbedtls_pk_write_key_pem(&key, pem, sizeof pem) == 0);
    cert_put(key_file, pem);
    mbedtls_x509write_crt_free(&cert);
    mbedtls_pk_free(&key);
}

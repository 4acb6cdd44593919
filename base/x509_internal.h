/* SPDX-License-Identifier: Apache-2.0 */
/* x509_internal.h: what x509*.c share. */
#ifndef BASE_X509_INTERNAL_H
#define BASE_X509_INTERNAL_H

#include "base/x509.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

/* mbedTLS 3 has members of its structures under this; 2.28 has them in the open. */
#ifndef MBEDTLS_PRIVATE
#define MBEDTLS_PRIVATE(member) member
#endif

struct x509_key {
    mbedtls_pk_context pk;
};

/* ERR_NOMEM, or code with mbedTLS' text. */
enum err_code x509_fail(struct err *err, enum err_code code, const char *what, int failure);
/* Into an initialised context. ERR_DENIED: no point of P-256 in the one form that we write. */
enum err_code x509_load_public(mbedtls_pk_context *pk,
                               const uint8_t public[X509_PUBLIC_SIZE],
                               struct err *err) WARN_UNUSED;
void x509_write_public(mbedtls_pk_context *pk, uint8_t ret_public[X509_PUBLIC_SIZE]);
/* The certificates of a text into an initialised chain. ERR_INVALID. */
enum err_code
x509_load_chain(mbedtls_x509_crt *chain, struct span pem, struct err *err) WARN_UNUSED;
/* A key on P-256. */
bool x509_is_ours(mbedtls_pk_context *pk);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* tls_material.h: one loaded certificate with its key and settings, and how every TLS of the house
 * is loaded and set. For tls*.c only. */
#ifndef BASE_TLS_MATERIAL_H
#define BASE_TLS_MATERIAL_H

#include "base/err.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include <stdint.h>

struct tls_server;

struct tls_material {
    uint32_t reference_count; /* the server's and one per connection; the loop thread's only */
    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_ticket_context tickets;
    uint64_t not_after_s;
};

struct tls_material *tls_material_hold(struct tls_material *material);
/* The last reference frees it. NULL is allowed. */
void tls_material_release(struct tls_material *material);
/* The one in use; not a reference. */
struct tls_material *tls_server_material(struct tls_server *server);

/* Before anything else of mbedTLS; done once, repeats are free. ERR_FATAL. */
enum err_code tls_library(struct err *err) WARN_UNUSED;
/* Loads a PEM file into an initialised chain. ERR_INVALID names what and the file. */
enum err_code tls_load_chain(mbedtls_x509_crt *chain,
                             const char *what,
                             const char *file,
                             struct err *err) WARN_UNUSED;
/* Loads the key that belongs to the first certificate of the chain. ERR_INVALID names the file. */
enum err_code tls_load_key(mbedtls_pk_context *key,
                           const mbedtls_x509_crt *chain,
                           const char *cert_file,
                           const char *key_file,
                           struct err *err) WARN_UNUSED;
/* The house's settings for one side (MBEDTLS_SSL_IS_SERVER or _CLIENT) of a stream: versions, AEAD
 * suites, curves, random numbers. 0 or mbedTLS' failure. */
int tls_settings(mbedtls_ssl_config *config, int side);
/* ERR_INVALID with mbedTLS' text for a failure. */
enum err_code tls_refuse(struct err *err, const char *what, const char *file, int failure);
/* For mbedTLS; arg is not used. */
int tls_random(void *arg, unsigned char *bytes, size_t size);
/* Seconds since 1970. */
uint64_t tls_time_s(const mbedtls_x509_time *time);

#endif

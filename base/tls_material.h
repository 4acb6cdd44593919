/* SPDX-License-Identifier: Apache-2.0 */
/* tls_material.h: one loaded certificate with its key and settings. For tls*.c only. */
#ifndef BASE_TLS_MATERIAL_H
#define BASE_TLS_MATERIAL_H

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

#endif

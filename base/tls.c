/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c: inbound TLS: certificates, keys and the settings of a server.
 * Owns what the files held, by reference count: connections keep the one they began with.
 * Never moves a byte of a connection (tls_stream.c does), never gives up a certificate for one that
 * does not load whole. */
#include "base/tls.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/tls_material.h"

#include <mbedtls/error.h>
#include <mbedtls/version.h>
#include <string.h>
#include <time.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

struct tls_server {
    struct tls_material *material; /* a reference */
};

/* ECDHE and AEAD only. AES comes first: hosts have instructions for it. */
static const int tls_suites[] = {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0};

/* P-256 first: left to itself mbedTLS 2.28 takes the largest curve that the client offers, P-521,
 * which costs five times as much on the loop. */
#if MBEDTLS_VERSION_NUMBER < 0x03000000
static const mbedtls_ecp_group_id tls_curves[] = {
    MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP384R1,
    MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE};
#else
static const uint16_t tls_curves[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
#endif

int tls_random(void *arg, unsigned char *bytes, size_t size)
{
    (void)arg;
    rng_fill(rng_host(), bytes, size);
    return 0;
}

enum err_code tls_refuse(struct err *err, const char *what, const char *file, int failure)
{
    char reason[128];

    mbedtls_strerror(failure, reason, sizeof reason);
    return err_set(err, ERR_INVALID, "%s %s: %s", what, file, reason);
}

static int parse_key(mbedtls_pk_context *key, const char *file)
{
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    return mbedtls_pk_parse_keyfile(key, file, NULL);
#else
    return mbedtls_pk_parse_keyfile(key, file, NULL, tls_random, NULL);
#endif
}

static int check_pair(const mbedtls_pk_context *public, const mbedtls_pk_context *private)
{
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    return mbedtls_pk_check_pair(public, private);
#else
    return mbedtls_pk_check_pair(public, private, tls_random, NULL);
#endif
}

uint64_t tls_time_s(const mbedtls_x509_time *time)
{
    struct tm parts = {.tm_year = time->year - 1900,
                       .tm_mon = time->mon - 1,
                       .tm_mday = time->day,
                       .tm_hour = time->hour,
                       .tm_min = time->min,
                       .tm_sec = time->sec};
    time_t seconds = timegm(&parts);

    return seconds < 0 ? 0 : (uint64_t)seconds;
}

enum err_code tls_library(struct err *err)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (psa_crypto_init() != PSA_SUCCESS) { /* TLS 1.3 needs it; it is done once */
        return err_set(err, ERR_FATAL, "TLS: no random source");
    }
#endif
    (void)err; /* nothing to start in mbedTLS 2 */
    return ERR_OK;
}

enum err_code
tls_load_chain(mbedtls_x509_crt *chain, const char *what, const char *file, struct err *err)
{
    int failure = mbedtls_x509_crt_parse_file(chain, file);

    if (failure > 0) {
        return err_set(err, ERR_INVALID, "%s %s: %d of its parts cannot be read", what, file,
                       failure);
    }
    return failure == 0 ? ERR_OK : tls_refuse(err, what, file, failure);
}

enum err_code tls_load_key(mbedtls_pk_context *key,
                           const mbedtls_x509_crt *chain,
                           const char *cert_file,
                           const char *key_file,
                           struct err *err)
{
    int failure = parse_key(key, key_file);

    if (failure != 0) {
        return tls_refuse(err, "key", key_file, failure);
    }
    if (check_pair(&chain->pk, key) != 0) {
        return err_set(err, ERR_INVALID, "key %s does not belong to certificate %s", key_file,
                       cert_file);
    }
    return ERR_OK;
}

static enum err_code material_files(struct tls_material *material,
                                    const char *cert_file,
                                    const char *key_file,
                                    struct err *err)
{
    enum err_code rc = tls_load_chain(&material->chain, "certificate", cert_file, err);

    if (rc == ERR_OK) {
        rc = tls_load_key(&material->key, &material->chain, cert_file, key_file, err);
    }
    if (rc == ERR_OK) {
        material->not_after_s = tls_time_s(&material->chain.valid_to);
    }
    return rc;
}

static void settings_versions(mbedtls_ssl_config *config)
{
#if MBEDTLS_VERSION_NUMBER < 0x03000000
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_curves(config, tls_curves);
#else
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_groups(config, tls_curves);
#endif
}

int tls_settings(mbedtls_ssl_config *config, int side)
{
    int failure = mbedtls_ssl_config_defaults(config, side, MBEDTLS_SSL_TRANSPORT_STREAM,
                                              MBEDTLS_SSL_PRESET_DEFAULT);

    if (failure == 0) {
        mbedtls_ssl_conf_rng(config, tls_random, NULL);
        mbedtls_ssl_conf_ciphersuites(config, tls_suites);
        settings_versions(config);
    }
    return failure;
}

static enum err_code material_settings(struct tls_material *material, struct err *err)
{
    mbedtls_ssl_config *config = &material->config;
    int failure = tls_settings(config, MBEDTLS_SSL_IS_SERVER);

    if (failure == 0) {
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE); /* tokens tell who calls */
        failure = mbedtls_ssl_conf_own_cert(config, &material->chain, &material->key);
    }
    if (failure == 0) {
        failure = mbedtls_ssl_ticket_setup(&material->tickets, tls_random, NULL,
                                           MBEDTLS_CIPHER_AES_256_GCM, TLS_TICKET_LIFETIME_S);
    }
    if (failure != 0) {
        return tls_refuse(err, "TLS", "settings", failure);
    }
    mbedtls_ssl_conf_session_tickets_cb(config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse,
                                        &material->tickets);
    return ERR_OK;
}

static enum err_code material_new(const char *cert_file,
                                  const char *key_file,
                                  struct tls_material **ret_material,
                                  struct err *err)
{
    struct tls_material *material = mem_new(1, sizeof *material);
    enum err_code rc;

    if (material == NULL) {
        return err_set(err, ERR_NOMEM, "TLS");
    }
    material->reference_count = 1;
    mbedtls_x509_crt_init(&material->chain);
    mbedtls_pk_init(&material->key);
    mbedtls_ssl_config_init(&material->config);
    mbedtls_ssl_ticket_init(&material->tickets);
    rc = tls_library(err);
    rc = rc == ERR_OK ? material_files(material, cert_file, key_file, err) : rc;
    rc = rc == ERR_OK ? material_settings(material, err) : rc;
    if (rc != ERR_OK) {
        tls_material_release(material);
        return rc;
    }
    *ret_material = material;
    return ERR_OK;
}

struct tls_material *tls_material_hold(struct tls_material *material)
{
    ASSERT(material->reference_count > 0);
    material->reference_count++;
    return material;
}

void tls_material_release(struct tls_material *material)
{
    if (material == NULL) {
        return;
    }
    ASSERT(material->reference_count > 0);
    material->reference_count--;
    if (material->reference_count == 0) {
        mbedtls_ssl_ticket_free(&material->tickets);
        mbedtls_ssl_config_free(&material->config);
        mbedtls_pk_free(&material->key); /* wipes */
        mbedtls_x509_crt_free(&material->chain);
        mem_free(material);
    }
}

struct tls_material *tls_server_material(struct tls_server *server)
{
    return server->material;
}

enum err_code tls_server_new(const char *cert_file,
                             const char *key_file,
                             struct tls_server **ret_server,
                             struct err *err)
{
    struct tls_server *server = mem_new(1, sizeof *server);
    enum err_code rc;

    if (server == NULL) {
        return err_set(err, ERR_NOMEM, "TLS");
    }
    rc = material_new(cert_file, key_file, &server->material, err);
    if (rc != ERR_OK) {
        mem_free(server);
        return rc;
    }
    *ret_server = server;
    return ERR_OK;
}

void tls_server_free(struct tls_server *server)
{
    if (server != NULL) {
        tls_material_release(server->material);
        mem_free(server);
    }
}

enum err_code tls_server_reload(struct tls_server *server,
                                const char *cert_file,
                                const char *key_file,
                                struct err *err)
{
    struct tls_material *material = NULL;
    enum err_code rc = material_new(cert_file, key_file, &material, err);

    if (rc != ERR_OK) {
        return rc;
    }
    tls_material_release(server->material);
    server->material = material;
    return ERR_OK;
}

uint64_t tls_server_not_after_s(const struct tls_server *server)
{
    return server->material->not_after_s;
}

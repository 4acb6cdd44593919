/* SPDX-License-Identifier: Apache-2.0 */
/* load_tls.c: the client's side of TLS for the load generator.
 * Owns one mbedTLS session per connection.
 * Never checks a certificate: it measures, on loopback, what it started itself. */
#include "tests/bench/load_tls.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif
#include <stdlib.h>

struct load_tls {
    mbedtls_net_context net;
    mbedtls_ssl_context ssl;
};

/* One configuration serves all connections of this program. */
static mbedtls_ssl_config *load_tls_config(void)
{
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    static mbedtls_ssl_config config;
    static int ready;

    if (ready) {
        return &config;
    }
#if MBEDTLS_VERSION_MAJOR >= 3
    if (psa_crypto_init() != PSA_SUCCESS) {
        return NULL;
    }
#endif
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    if (mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0) != 0 ||
        mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
        return NULL;
    }
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    ready = 1;
    return &config;
}

struct load_tls *load_tls_connect(int fd)
{
    mbedtls_ssl_config *config = load_tls_config();
    struct load_tls *tls = calloc(1, sizeof *tls);

    if (config == NULL || tls == NULL) {
        free(tls);
        return NULL;
    }
    tls->net.fd = fd;
    mbedtls_ssl_init(&tls->ssl);
    if (mbedtls_ssl_setup(&tls->ssl, config) != 0 ||
        mbedtls_ssl_set_hostname(&tls->ssl, NULL) != 0) {
        free(tls);
        return NULL;
    }
    mbedtls_ssl_set_bio(&tls->ssl, &tls->net, mbedtls_net_send, mbedtls_net_recv, NULL);
    if (mbedtls_ssl_handshake(&tls->ssl) != 0) {
        free(tls);
        return NULL;
    }
    return tls;
}

static ssize_t load_tls_result(int rc)
{
    if (rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    if (rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
        errno = EAGAIN;
        return -1;
    }
#endif
    if (rc < 0) {
        errno = EIO;
        return -1;
    }
    return rc;
}

ssize_t load_tls_write(struct load_tls *tls, const void *data, size_t size)
{
    return load_tls_result(mbedtls_ssl_write(&tls->ssl, data, size));
}

ssize_t load_tls_read(struct load_tls *tls, void *data, size_t size)
{
    return load_tls_result(mbedtls_ssl_read(&tls->ssl, data, size));
}

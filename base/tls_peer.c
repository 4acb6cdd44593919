/* SPDX-License-Identifier: Apache-2.0 */
/* tls_peer.c: mutual TLS as a stream for poll().
 * Owns the connection's mbedTLS state and its socket; an identity is shared by reference count.
 * Never waits, never logs, never accepts a peer on less than chain, time and name. */
#include "base/tls_peer.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/tls_material.h"

#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/version.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whom an identity speaks with. */
enum trust { TRUST_CA, TRUST_PIN, TRUST_ANYBODY };

struct tls_identity {
    uint32_t reference_count;
    enum trust trust;
    uint8_t pin[TLS_PIN_SIZE]; /* of TRUST_PIN */
    mbedtls_x509_crt chain;
    mbedtls_x509_crt ca;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    char *peer_name; /* owned; NULL unless TRUST_CA */
};

struct tls_peer {
    struct tls_identity *identity; /* a reference */
    int file;                      /* owned */
    mbedtls_ssl_context ssl;
    size_t retry_size; /* of the write that mbedTLS wants repeated; 0: none */
    short wants;
    bool ready;      /* the handshake is over */
    bool broken;     /* nothing may be asked of it but its end */
    bool unwritable; /* a write has failed: what has come may still be read */
};

/* Two hosts of a pair ship their log through this, so what seals a byte fastest comes first. In
 * mbedTLS that is not GCM: on one x86-64 host, 16 KiB at a time, AES-128-GCM sealed 187 MB/s with
 * mbedTLS 2.28 (345 with 3.6), ChaCha20-Poly1305 281 (410) and AES-128-CCM 347 (451). All are AEADs
 * with a tag of 128 bits behind an ephemeral key exchange. CCM without AES instructions is slow; in
 * TLS 1.2 it wants an ECDSA certificate. GCM stays for a peer of an older version. */
#if defined(MBEDTLS_AESNI_C) && defined(__x86_64__)
#define HAS_FAST_AES 1
#else
#define HAS_FAST_AES 0
#endif

static const int peer_suites[] = {
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#if HAS_FAST_AES
    MBEDTLS_TLS1_3_AES_128_CCM_SHA256,
#endif
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
#if HAS_FAST_AES
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0};

/* The name stands among the certificate's DNS names. */
static bool carries_name(const mbedtls_x509_crt *certificate, const char *name)
{
    const mbedtls_x509_sequence *entry = &certificate->subject_alt_names;
    size_t size = strlen(name);

    for (; entry != NULL; entry = entry->next) {
        bool dns = entry->buf.tag == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2);

        if (dns && entry->buf.len == size &&
            strncasecmp((const char *)entry->buf.p, name, size) == 0) {
            return true;
        }
    }
    return false;
}

/* mbedTLS asks about each certificate of the chain; 0 is the peer's own. Its check of names falls
 * back on the common name, takes wildcards, and is the client's only. */
static int on_verify(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const struct tls_identity *identity = arg;

    if (depth == 0 && !carries_name(certificate, identity->peer_name)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

static enum err_code
identity_load(struct tls_identity *identity, const struct tls_identity_options *o, struct err *err)
{
    enum err_code rc = tls_library(err);

    if (rc == ERR_OK) {
        rc = tls_load_chain(&identity->chain, "certificate", o->certificate, err);
    }
    if (rc == ERR_OK) {
        rc = tls_load_key(&identity->key, &identity->chain, o->certificate, o->key, err);
    }
    if (rc == ERR_OK) {
        rc = tls_load_chain(&identity->ca, "CA certificate", o->ca, err);
    }
    return rc;
}

static enum err_code
identity_settings(struct tls_identity *identity, enum tls_side side, struct err *err)
{
    mbedtls_ssl_config *config = &identity->config;
    int failure = tls_settings(config, side == TLS_SIDE_SERVER ? MBEDTLS_SSL_IS_SERVER
                                                               : MBEDTLS_SSL_IS_CLIENT);

    if (failure == 0) {
        mbedtls_ssl_conf_ciphersuites(config, peer_suites);
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(config, &identity->ca, NULL);
        mbedtls_ssl_conf_verify(config, on_verify, identity);
#if defined(MBEDTLS_SSL_SESSION_TICKETS) && defined(MBEDTLS_SSL_CLI_C)
        mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
        failure = mbedtls_ssl_conf_own_cert(config, &identity->chain, &identity->key);
    }
    return failure == 0 ? ERR_OK : tls_refuse(err, "TLS", "settings", failure);
}

static struct tls_identity *identity_alloc(enum trust trust)
{
    struct tls_identity *identity = mem_new(1, sizeof *identity);

    if (identity != NULL) {
        identity->reference_count = 1;
        identity->trust = trust;
        mbedtls_x509_crt_init(&identity->chain);
        mbedtls_x509_crt_init(&identity->ca);
        mbedtls_pk_init(&identity->key);
        mbedtls_ssl_config_init(&identity->config);
    }
    return identity;
}

static enum err_code identity_hand_over(struct tls_identity *identity_take,
                                        enum err_code rc,
                                        struct tls_identity **ret_identity)
{
    if (rc == ERR_OK) {
        *ret_identity = identity_take;
    } else {
        tls_identity_free(identity_take);
    }
    return rc;
}

/* The pin is looked at when the handshake is over: nothing of a chain counts. */
static int on_verify_nothing(void *arg, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    (void)arg;
    (void)certificate;
    (void)depth;
    *flags = 0;
    return 0;
}

enum err_code tls_identity_new_pinned(const uint8_t pin[TLS_PIN_SIZE],
                                      struct tls_identity **ret_identity,
                                      struct err *err)
{
    struct tls_identity *identity = identity_alloc(TRUST_PIN);
    enum err_code rc = tls_library(err);
    int failure;

    if (identity == NULL) {
        return err_set(err, ERR_NOMEM, "TLS");
    }
    memcpy(identity->pin, pin, TLS_PIN_SIZE);
    if (rc == ERR_OK) {
        failure = tls_settings(&identity->config, MBEDTLS_SSL_IS_CLIENT);
        mbedtls_ssl_conf_ciphersuites(&identity->config, peer_suites);
        mbedtls_ssl_conf_authmode(&identity->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
        mbedtls_ssl_conf_verify(&identity->config, on_verify_nothing, NULL);
        rc = failure == 0 ? ERR_OK : tls_refuse(err, "TLS", "settings", failure);
    }
    return identity_hand_over(identity, rc, ret_identity);
}

static enum err_code anonymous_load(struct tls_identity *identity,
                                    const char *certificate,
                                    const char *key,
                                    struct err *err)
{
    enum err_code rc = tls_library(err);
    int failure;

    if (rc == ERR_OK) {
        rc = tls_load_chain(&identity->chain, "certificate", certificate, err);
    }
    if (rc == ERR_OK) {
        rc = tls_load_key(&identity->key, &identity->chain, certificate, key, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    failure = tls_settings(&identity->config, MBEDTLS_SSL_IS_SERVER);
    mbedtls_ssl_conf_ciphersuites(&identity->config, peer_suites);
    mbedtls_ssl_conf_authmode(&identity->config, MBEDTLS_SSL_VERIFY_NONE);
    if (failure == 0) {
        failure = mbedtls_ssl_conf_own_cert(&identity->config, &identity->chain, &identity->key);
    }
    return failure == 0 ? ERR_OK : tls_refuse(err, "TLS", "settings", failure);
}

enum err_code tls_identity_new_anonymous(const char *certificate,
                                         const char *key,
                                         struct tls_identity **ret_identity,
                                         struct err *err)
{
    struct tls_identity *identity = identity_alloc(TRUST_ANYBODY);

    if (identity == NULL) {
        return err_set(err, ERR_NOMEM, "TLS");
    }
    return identity_hand_over(identity, anonymous_load(identity, certificate, key, err),
                              ret_identity);
}

enum err_code tls_identity_new(const struct tls_identity_options *options,
                               struct tls_identity **ret_identity,
                               struct err *err)
{
    struct tls_identity *identity = identity_alloc(TRUST_CA);
    enum err_code rc;

    ASSERT(options->peer_name != NULL && options->peer_name[0] != '\0');
    if (identity == NULL) {
        return err_set(err, ERR_NOMEM, "TLS");
    }
    identity->peer_name = mem_copy_text(options->peer_name, strlen(options->peer_name));
    rc = identity->peer_name == NULL ? err_set(err, ERR_NOMEM, "TLS")
                                     : identity_load(identity, options, err);
    if (rc == ERR_OK) {
        rc = identity_settings(identity, options->side, err);
    }
    return identity_hand_over(identity, rc, ret_identity);
}

void tls_identity_free(struct tls_identity *identity)
{
    if (identity == NULL) {
        return;
    }
    ASSERT(identity->reference_count > 0);
    identity->reference_count--;
    if (identity->reference_count == 0) {
        mbedtls_ssl_config_free(&identity->config);
        mbedtls_pk_free(&identity->key); /* wipes */
        mbedtls_x509_crt_free(&identity->chain);
        mbedtls_x509_crt_free(&identity->ca);
        mem_free(identity->peer_name);
        mem_free(identity);
    }
}

void tls_identity_validity(const struct tls_identity *identity, struct tls_validity *ret_validity)
{
    const mbedtls_x509_crt *ca = &identity->ca;
    struct tls_validity validity = {.not_before_s = tls_time_s(&identity->chain.valid_from),
                                    .not_after_s = tls_time_s(&identity->chain.valid_to),
                                    .ca_not_after_s = UINT64_MAX};

    for (; ca != NULL; ca = ca->next) {
        uint64_t end_s = tls_time_s(&ca->valid_to);

        validity.ca_not_after_s = end_s < validity.ca_not_after_s ? end_s : validity.ca_not_after_s;
    }
    *ret_validity = validity;
}

static int on_send(void *arg, const unsigned char *data, size_t size)
{
    struct tls_peer *peer = arg;
    ssize_t sent = send(peer->file, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent >= 0) {
        return (int)sent;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return MBEDTLS_ERR_NET_SEND_FAILED;
}

static int on_receive(void *arg, unsigned char *room, size_t size)
{
    struct tls_peer *peer = arg;
    ssize_t got = recv(peer->file, room, size, MSG_DONTWAIT);

    if (got >= 0) {
        return (int)got; /* 0: the end; mbedTLS takes it for MBEDTLS_ERR_SSL_CONN_EOF */
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    return MBEDTLS_ERR_NET_RECV_FAILED;
}

enum err_code
tls_peer_new(struct tls_identity *identity, int file, struct tls_peer **ret_peer, struct err *err)
{
    struct tls_peer *peer = mem_new(1, sizeof *peer);
    int failure;

    ASSERT(file >= 0);
    if (peer == NULL) {
        (void)close(file);
        return err_set(err, ERR_NOMEM, "TLS");
    }
    peer->file = file;
    peer->identity = identity;
    identity->reference_count++;
    peer->wants = POLLIN | POLLOUT; /* a step, then it says */
    mbedtls_ssl_init(&peer->ssl);
    failure = mbedtls_ssl_setup(&peer->ssl, &identity->config);
    if (failure == 0) {
        /* The name to ask for. A server's own check needs none (see on_verify); without one a
         * client says NULL, for mbedTLS takes silence for an oversight. */
        failure = mbedtls_ssl_set_hostname(&peer->ssl, identity->peer_name);
    }
    if (failure != 0) {
        tls_peer_free(peer);
        return err_set(err, ERR_NOMEM, "TLS: connection");
    }
    mbedtls_ssl_set_bio(&peer->ssl, peer, on_send, on_receive, NULL);
    *ret_peer = peer;
    return ERR_OK;
}

void tls_peer_free(struct tls_peer *peer)
{
    if (peer != NULL) {
        mbedtls_ssl_free(&peer->ssl); /* wipes */
        tls_identity_free(peer->identity);
        (void)close(peer->file);
        mem_free(peer);
    }
}

int tls_peer_file(const struct tls_peer *peer)
{
    return peer->file;
}

short tls_peer_wants(const struct tls_peer *peer)
{
    return peer->wants;
}

/* mbedTLS' word for why the peer's certificate is refused, on one line. */
static enum err_code refuse_certificate(const struct tls_peer *peer, struct err *err)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&peer->ssl);
    char reason[160] = "no certificate";

    if (flags != 0 && flags != UINT32_MAX &&
        mbedtls_x509_crt_verify_info(reason, sizeof reason, "", flags) <= 0) {
        reason[0] = '\0';
    }
    for (char *at = strchr(reason, '\n'); at != NULL; at = strchr(at, '\n')) {
        *at = at[1] == '\0' ? '\0' : ';';
    }
    return err_set(err, ERR_DENIED, "certificate of %s: %s",
                   peer->identity->trust == TRUST_CA ? peer->identity->peer_name : "the peer",
                   reason);
}

static bool is_refusal(const struct tls_peer *peer, int failure)
{
    if (peer->identity->trust != TRUST_CA) {
        return false; /* mbedTLS' own verdict is not asked for */
    }
    return failure == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
           (!peer->ready && mbedtls_ssl_get_verify_result(&peer->ssl) != 0 &&
            mbedtls_ssl_get_verify_result(&peer->ssl) != UINT32_MAX);
}

static enum err_code fail_with(const struct tls_peer *peer, int failure, struct err *err)
{
    char reason[128];

    if (is_refusal(peer, failure)) {
        return refuse_certificate(peer, err);
    }
    if (failure == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && peer->ready) {
        return err_set(err, ERR_NOT_FOUND, "the peer has ended the connection");
    }
    if (failure == 0 || failure == MBEDTLS_ERR_SSL_CONN_EOF) {
        return err_set(err, ERR_IO, "the connection was cut");
    }
    if (failure == MBEDTLS_ERR_NET_RECV_FAILED || failure == MBEDTLS_ERR_NET_SEND_FAILED) {
        return err_set(err, ERR_IO, "the connection is lost");
    }
    mbedtls_strerror(failure, reason, sizeof reason);
    return err_set(err, ERR_PROTOCOL, "TLS: %s", reason);
}

static enum err_code fail(struct tls_peer *peer, int failure, struct err *err)
{
    peer->broken = true;
    return fail_with(peer, failure, err);
}

/* True when failure only says to wait. */
static bool must_wait(struct tls_peer *peer, int failure)
{
    if (failure == MBEDTLS_ERR_SSL_WANT_READ) {
        peer->wants = POLLIN;
        return true;
    }
    if (failure == MBEDTLS_ERR_SSL_WANT_WRITE) {
        peer->wants = POLLOUT;
        if (peer->ready) {
            peer->wants = POLLIN | POLLOUT;
        }
        return true;
    }
    return false;
}

/* The peer has proved by the handshake that the certificate's key is its own. */
static bool is_pinned(const struct tls_peer *peer)
{
    const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&peer->ssl);
    uint8_t fingerprint[TLS_PIN_SIZE];

    if (certificate == NULL) {
        return false;
    }
    crypto_sha256(certificate->raw.p, certificate->raw.len, fingerprint);
    return crypto_equal(fingerprint, peer->identity->pin, sizeof fingerprint);
}

static enum err_code check_peer(struct tls_peer *peer, struct err *err)
{
    switch (peer->identity->trust) {
    case TRUST_CA:
        if (mbedtls_ssl_get_verify_result(&peer->ssl) != 0) {
            return fail(peer, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, err);
        }
        return ERR_OK;
    case TRUST_PIN:
        if (!is_pinned(peer)) {
            peer->broken = true;
            return err_set(err, ERR_DENIED, "certificate of the peer: not the one that is awaited");
        }
        return ERR_OK;
    case TRUST_ANYBODY:
        return ERR_OK;
    }
    ASSERT(false);
    return ERR_FATAL;
}

enum err_code tls_peer_handshake(struct tls_peer *peer, bool *ret_done, struct err *err)
{
    int result;

    ASSERT(!peer->broken);
    if (!peer->ready) {
        result = mbedtls_ssl_handshake(&peer->ssl);
        if (result != 0 && !must_wait(peer, result)) {
            return fail(peer, result, err);
        }
        if (result == 0 && check_peer(peer, err) != ERR_OK) {
            return ERR_DENIED;
        }
        peer->ready = result == 0;
        if (peer->ready) {
            peer->wants = POLLIN;
        }
    }
    *ret_done = peer->ready;
    return ERR_OK;
}

/* What mbedTLS may say between two records of data. */
static bool goes_on(int result)
{
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
    return result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
    (void)result;
    return false;
#endif
}

enum err_code
tls_peer_read(struct tls_peer *peer, void *room, size_t size, size_t *ret_size, struct err *err)
{
    short wants = peer->wants;
    int result;

    ASSERT(peer->ready && !peer->broken && size > 0);
    do {
        result = mbedtls_ssl_read(&peer->ssl, room, size);
    } while (goes_on(result));
    if (result > 0) {
        *ret_size = (size_t)result;
        return ERR_OK;
    }
    if (must_wait(peer, result)) {
        peer->wants = (short)(peer->wants | (wants & POLLOUT)); /* a write still waits */
        *ret_size = 0;
        return ERR_OK;
    }
    return fail(peer, result, err);
}

const char *tls_peer_suite(const struct tls_peer *peer)
{
    ASSERT(peer->ready);
    return mbedtls_ssl_get_ciphersuite(&peer->ssl);
}

bool tls_peer_pending(const struct tls_peer *peer)
{
    return peer->ready && !peer->broken && mbedtls_ssl_check_pending(&peer->ssl) != 0;
}

enum err_code
tls_peer_write(struct tls_peer *peer, struct span bytes, size_t *ret_size, struct err *err)
{
    size_t size = peer->retry_size > 0 ? peer->retry_size : bytes.size;
    int result;

    ASSERT(peer->ready && !peer->broken && !peer->unwritable && bytes.size > 0);
    ASSERT(bytes.size >= peer->retry_size);
    size = size < MBEDTLS_SSL_OUT_CONTENT_LEN ? size : MBEDTLS_SSL_OUT_CONTENT_LEN;
    result = mbedtls_ssl_write(&peer->ssl, (const unsigned char *)bytes.data, size);
    peer->retry_size = 0;
    if (result > 0) {
        peer->wants = POLLIN;
        *ret_size = (size_t)result;
        return ERR_OK;
    }
    if (must_wait(peer, result)) {
        peer->retry_size = size;
        *ret_size = 0;
        return ERR_OK;
    }
    peer->unwritable = true;
    peer->wants = POLLIN;
    return fail_with(peer, result, err);
}

void tls_peer_end(struct tls_peer *peer)
{
    if (peer->ready && !peer->broken && !peer->unwritable) {
        (void)mbedtls_ssl_close_notify(&peer->ssl); /* best effort: the peer may be gone */
    }
}

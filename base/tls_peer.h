/* SPDX-License-Identifier: Apache-2.0 */
/* tls_peer.h: a byte stream between two programs that know each other: mutual TLS 1.2 or 1.3 over a
 * connected descriptor, for a loop around poll(). AEAD suites only, no session is ever resumed:
 * each connection proves both sides anew. Never blocks, needs no libevent.
 *
 * The peer's certificate must chain to the CA, be in its time, and carry the peer's name among its
 * DNS names (exactly; no wildcard, no common name).
 *
 * Besides, for who does not have a certificate yet: a client that shows none and accepts exactly
 * one certificate (pin), and a server that asks for none (anonymous). They are two kinds of
 * identity of their own, so that no option left out makes an ordinary one lenient. */
#ifndef BASE_TLS_PEER_H
#define BASE_TLS_PEER_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_identity;
struct tls_peer;

enum tls_side { TLS_SIDE_SERVER, TLS_SIDE_CLIENT };

struct tls_identity_options {
    enum tls_side side;
    const char *certificate; /* PEM files: chain, its key, the CA of the peer */
    const char *key;
    const char *ca;
    const char *peer_name; /* a DNS name of the peer's certificate */
};

#define TLS_PIN_SIZE 32 /* bytes: SHA-256 of a certificate */

/* A client without a certificate, for the one server whose certificate has this fingerprint. Its
 * chain, time and names do not count; its key does. ERR_NOMEM, ERR_FATAL. */
enum err_code tls_identity_new_pinned(const uint8_t pin[TLS_PIN_SIZE],
                                      struct tls_identity **ret_identity,
                                      struct err *err) WARN_UNUSED;
/* A server that anybody may call: what is said has to prove itself. As tls_identity_new. */
enum err_code tls_identity_new_anonymous(const char *certificate,
                                         const char *key,
                                         struct tls_identity **ret_identity,
                                         struct err *err) WARN_UNUSED;

/* Loads the files, whole or not at all; keeps nothing of *options. Blocks (small files).
 * ERR_INVALID names the file, ERR_NOMEM, ERR_FATAL (no random source). */
enum err_code tls_identity_new(const struct tls_identity_options *options,
                               struct tls_identity **ret_identity,
                               struct err *err) WARN_UNUSED;
/* Streams hold what they need: the last one frees it. One thread's only. NULL is allowed. */
void tls_identity_free(struct tls_identity *identity);

struct tls_validity {
    uint64_t not_before_s; /* since 1970: this host's own certificate */
    uint64_t not_after_s;
    uint64_t ca_not_after_s; /* the earliest end in the CA file; UINT64_MAX: no CA */
};
void tls_identity_validity(const struct tls_identity *identity, struct tls_validity *ret_validity);

/* A stream over a connected socket, which it takes over (also when it fails). ERR_NOMEM. */
enum err_code tls_peer_new(struct tls_identity *identity,
                           int file,
                           struct tls_peer **ret_peer,
                           struct err *err) WARN_UNUSED;
/* Closes the socket. NULL is allowed. */
void tls_peer_free(struct tls_peer *peer);

int tls_peer_file(const struct tls_peer *peer);
/* What poll() must wait for: POLLIN, POLLOUT or both. Besides, go on without waiting while
 * tls_peer_pending. */
short tls_peer_wants(const struct tls_peer *peer);

/* One step of the handshake; *ret_done says whether it is over (repeats are free). ERR_DENIED: the
 * peer's certificate is not the one (the message says why). ERR_PROTOCOL, ERR_IO. After an error
 * only tls_peer_free is allowed. A client may learn only by its first read that it was refused. */
enum err_code
tls_peer_handshake(struct tls_peer *peer, bool *ret_done, struct err *err) WARN_UNUSED;

/* After the handshake. Reads at most size bytes; *ret_size 0: nothing has come. ERR_NOT_FOUND: the
 * peer has ended the stream, properly. ERR_IO: it was cut. ERR_PROTOCOL. After an error only
 * tls_peer_free is allowed. */
enum err_code tls_peer_read(
    struct tls_peer *peer, void *room, size_t size, size_t *ret_size, struct err *err) WARN_UNUSED;
/* After the handshake: mbedTLS' name of the suite that the two have agreed on, static. */
const char *tls_peer_suite(const struct tls_peer *peer);
/* Bytes are decrypted already: a read returns them at once. */
bool tls_peer_pending(const struct tls_peer *peer);

/* After the handshake. Sends the first *ret_size bytes, 0: none now (POLLOUT is wanted then). What
 * was not taken must be offered again, unchanged and first; more may stand behind it. ERR_IO,
 * ERR_PROTOCOL: nothing more can be written; what the peer has said may still be read. */
enum err_code tls_peer_write(struct tls_peer *peer,
                             struct span bytes,
                             size_t *ret_size,
                             struct err *err) WARN_UNUSED;
/* Tells the peer that nothing more will come, if the kernel takes it at once. Then free. */
void tls_peer_end(struct tls_peer *peer);

#endif

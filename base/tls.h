/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h: inbound TLS for the event loop: mbedTLS behind a libevent bufferevent. With crypto.h the
 * only files over mbedTLS. TLS 1.2 and 1.3 where the library has it; AEAD suites only. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/err.h"

#include <stdint.h>

struct bufferevent;
struct event_base;
struct tls_server;

/* Loads certificate chain and key (PEM files). Errors name the file. */
enum err_code tls_server_new(const char *cert_file,
                             const char *key_file,
                             struct tls_server **ret_server,
                             struct err *err) WARN_UNUSED;
/* Refused while connections use it? No: connections hold a reference, the last one frees it. */
void tls_server_free(struct tls_server *server);
/* Loads the files again, whole or not at all: on failure the old certificate stays in use.
 * Existing connections keep what they began with. */
enum err_code tls_server_reload(struct tls_server *server,
                                const char *cert_file,
                                const char *key_file,
                                struct err *err) WARN_UNUSED;
/* Seconds since 1970 when the certificate in use ends. */
uint64_t tls_server_not_after_s(const struct tls_server *server);

/* A bufferevent that speaks TLS over a new socket bufferevent without a descriptor yet, fit for
 * evhttp_set_bevcb: evhttp gives it the descriptor. NULL when memory is out. Options as for
 * bufferevent_socket_new with BEV_OPT_CLOSE_ON_FREE. What is written leaves by itself, at the end
 * of the loop's turn, and counts as written once the kernel has it: an owner that closes upon its
 * write callback cuts nothing off. A failed handshake, or the peer's end, is an event callback like
 * any socket's. The handshake has no time limit of its own: set the bufferevent's (evhttp does). */
struct bufferevent *tls_server_bufferevent(struct tls_server *server, struct event_base *base);

/* Sends what is written now instead of at the end of the loop's turn. Never needed. */
void tls_flush(struct bufferevent *bev);
/* Tells the peer that nothing more will come (close_notify). bufferevent_free does it too, but
 * evhttp shuts the descriptor before that takes effect: there evhttp_connection_set_closecb calls
 * in time. The peer's own is answered by itself. */
void tls_end(struct bufferevent *bev);

#endif

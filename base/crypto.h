/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h: hashes, MACs, sealed secrets, encodings of bytes as text. One of the two headers over
 * mbedTLS (the other is tls.h). Nothing blocks. */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_SHA256_SIZE 32

void crypto_sha256(const void *data, size_t size, uint8_t ret_hash[CRYPTO_SHA256_SIZE]);

/* The hash of parts[0] || parts[1] || … */
void crypto_sha256_parts(const struct span *parts,
                         size_t count,
                         uint8_t ret_hash[CRYPTO_SHA256_SIZE]);

#define CRYPTO_SHA1_SIZE 20

/* SHA-1, for protocols that ask for it: it proves nothing against an attacker. */
void crypto_sha1_parts(const struct span *parts, size_t count, uint8_t ret_hash[CRYPTO_SHA1_SIZE]);

/* HMAC-SHA256 (RFC 2104) over the concatenation of the parts. */
void crypto_hmac_sha256(struct span key,
                        const struct span *parts,
                        size_t count,
                        uint8_t ret_mac[CRYPTO_SHA256_SIZE]);

/* HMAC-SHA1 (RFC 2104), for one-time codes, which ask for it. key: at most 64 bytes. */
void crypto_hmac_sha1(struct span key,
                      const struct span *parts,
                      size_t count,
                      uint8_t ret_mac[CRYPTO_SHA1_SIZE]);

#define CRYPTO_KEY_SIZE   32
#define CRYPTO_NONCE_SIZE 12
#define CRYPTO_TAG_SIZE   16

/* AES-256-GCM: secret.size + CRYPTO_TAG_SIZE bytes, which open only with the same key, nonce and
 * about. A nonce serves once with a key. ERR_NOMEM. */
enum err_code crypto_seal(const uint8_t key[CRYPTO_KEY_SIZE],
                          const uint8_t nonce[CRYPTO_NONCE_SIZE],
                          struct span about,
                          struct span secret,
                          uint8_t *ret_sealed,
                          struct err *err) WARN_UNUSED;
/* sealed.size - CRYPTO_TAG_SIZE bytes; wipe them. ERR_CORRUPT: another key, or changed; ERR_NOMEM.
 */
enum err_code crypto_open(const uint8_t key[CRYPTO_KEY_SIZE],
                          const uint8_t nonce[CRYPTO_NONCE_SIZE],
                          struct span about,
                          struct span sealed,
                          uint8_t *ret_secret,
                          struct err *err) WARN_UNUSED;

/* Constant time in size. */
bool crypto_equal(const void *a, const void *b, size_t size);

/* Lower-case hex with a NUL: ret_text has room for 2 * size + 1 bytes. */
void crypto_hex(const void *data, size_t size, char *ret_text);
/* Exactly 2 * size hex digits of either case, else false. */
bool crypto_unhex(struct span text, void *ret_data, size_t size);

/* RFC 4648 base64url without padding, with a NUL: room for (size * 4 + 2) / 3 + 1 bytes. */
void crypto_base64url(const void *data, size_t size, char *ret_text);

/* RFC 4648 base64 with padding, with a NUL: room for (size + 2) / 3 * 4 + 1 bytes. */
void crypto_base64(const void *data, size_t size, char *ret_text);
/* The bytes of padded base64; false when it is none, or holds more than size_max bytes. */
bool crypto_unbase64(struct span text, void *ret_data, size_t size_max, size_t *ret_size);

#endif

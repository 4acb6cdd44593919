/* SPDX-License-Identifier: Apache-2.0 */
/* x509.h: keys, certificates and an authority of our own: EC P-256 with SHA-256 and nothing else.
 *
 * Who wants a certificate shows a public key and a signature by its private one over something that
 * both know (x509_prove, x509_proof_holds); there is no PKCS#10: one foreign format fewer to parse.
 * Texts are PEM. Nothing here blocks, reads a file or knows the time. */
#ifndef BASE_X509_H
#define BASE_X509_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct x509_authority;
struct x509_key;

#define X509_PUBLIC_SIZE     91 /* bytes of a public key: DER, its form is fixed */
#define X509_PROOF_SIZE_MAX  80 /* bytes of an ECDSA signature over P-256 with its DER */
#define X509_HASH_SIZE       32
#define X509_NAME_COUNT_MAX  8
#define X509_NAME_SIZE_MAX   253 /* characters of a DNS name */
#define X509_COMMON_SIZE_MAX 64  /* the standard's bound of a common name */

/* A new private key. ERR_NOMEM, ERR_FATAL. */
enum err_code x509_key_new(struct x509_key **ret_key, struct err *err) WARN_UNUSED;
/* ERR_INVALID: no key on P-256. */
enum err_code
x509_key_parse(struct span pem, struct x509_key **ret_key, struct err *err) WARN_UNUSED;
/* Wipes it. NULL is allowed. */
void x509_key_free(struct x509_key *key);
/* Appends the private key: a secret. */
enum err_code x509_key_format(struct x509_key *key, struct buf *buf, struct err *err) WARN_UNUSED;
void x509_key_public(struct x509_key *key, uint8_t ret_public[X509_PUBLIC_SIZE]);

/* A signature over the hash, which only who has the key can make. */
enum err_code x509_prove(struct x509_key *key,
                         const uint8_t hash[X509_HASH_SIZE],
                         uint8_t ret_proof[X509_PROOF_SIZE_MAX],
                         size_t *ret_size,
                         struct err *err) WARN_UNUSED;
/* ERR_DENIED: public is no point of P-256, or the signature is not by its key over this hash. */
enum err_code x509_proof_check(const uint8_t public[X509_PUBLIC_SIZE],
                               const uint8_t hash[X509_HASH_SIZE],
                               struct span proof,
                               struct err *err) WARN_UNUSED;

struct x509_validity { /* seconds since 1970, both included */
    uint64_t not_before_s;
    uint64_t not_after_s;
};

/* A new authority with a new key. Its name is name with eight digits of its key behind, so that two
 * authorities of one pair can be told apart. */
enum err_code x509_authority_new(const char *name,
                                 const struct x509_validity *validity,
                                 struct x509_authority **ret_authority,
                                 struct err *err) WARN_UNUSED;
/* From the first certificate in the text and its key. ERR_INVALID: not an authority, or another's
 * key. */
enum err_code x509_authority_parse(struct span certificate,
                                   struct span key,
                                   struct x509_authority **ret_authority,
                                   struct err *err) WARN_UNUSED;
void x509_authority_free(struct x509_authority *authority);
/* Appends the certificate alone. */
enum err_code x509_authority_format(struct x509_authority *authority,
                                    struct buf *buf,
                                    struct err *err) WARN_UNUSED;
/* Appends the private key: a secret. */
enum err_code x509_authority_format_key(struct x509_authority *authority,
                                        struct buf *buf,
                                        struct err *err) WARN_UNUSED;

struct x509_leaf {
    const char *common_name;
    const char *names[X509_NAME_COUNT_MAX]; /* ended by NULL or full; literals become addresses */
    bool server;                            /* fit for a server's side, a client's, or both */
    bool client;
    struct x509_validity validity;
};

/* Appends a certificate for the public key. ERR_INVALID: a name that is none, a public key that is
 * none, no side. */
enum err_code x509_issue(struct x509_authority *authority,
                         const struct x509_leaf *leaf,
                         const uint8_t public[X509_PUBLIC_SIZE],
                         struct buf *buf,
                         struct err *err) WARN_UNUSED;

struct x509_facts {
    struct x509_validity validity;
    uint8_t fingerprint[X509_HASH_SIZE]; /* SHA-256 of the certificate */
    uint8_t public[X509_PUBLIC_SIZE];
    bool authority;
};

/* What the first certificate in the text says. ERR_INVALID: there is none, or not of ours. */
enum err_code x509_look(struct span pem, struct x509_facts *ret_facts, struct err *err) WARN_UNUSED;
/* When the first of the certificates in the text to end does so, in seconds since 1970; they may
 * have keys of any kind. ERR_INVALID: there is none. */
enum err_code
x509_first_end(struct span pem, uint64_t *ret_not_after_s, struct err *err) WARN_UNUSED;
/* ERR_DENIED: the first certificate in the text was not issued by one of the authorities. Their
 * times do not count. */
enum err_code
x509_check_issuer(struct span certificate, struct span authorities, struct err *err) WARN_UNUSED;

#endif

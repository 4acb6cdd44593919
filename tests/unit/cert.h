/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h: certificates for tests, made on the spot so that none expires in the tree. */
#ifndef TESTS_UNIT_CERT_H
#define TESTS_UNIT_CERT_H

/* Writes a self-signed certificate for 127.0.0.1 and localhost, valid from 2020 through 2048, and
 * its new key, as PEM files. Aborts when it cannot. */
void cert_write(const char *name, const char *cert_file, const char *key_file);

/* A CA whose key signs leaves, and a leaf of it. */
struct cert_ca;
struct cert_ca *cert_ca_new(const char *name, const char *cert_file);
void cert_ca_free(struct cert_ca *ca);

struct cert_leaf {
    const char *dns_name;   /* the only DNS name, at most 100 bytes; NULL: none, only CN "none" */
    const char *not_before; /* "20200101000000"; NULL: 2020 */
    const char *not_after;  /* NULL: the end of 2048 */
};
/* Writes the leaf's certificate and its new key, fit for both sides of a connection. */
void cert_leaf_write(struct cert_ca *ca,
                     const struct cert_leaf *leaf,
                     const char *cert_file,
                     const char *key_file);

/* A TLS client over a connected descriptor, borrowed, that shows no certificate and takes any. A
 * step sends and receives what the handshake allows now. */
struct cert_stranger;
struct cert_stranger *cert_stranger_new(int file);
void cert_stranger_step(struct cert_stranger *stranger);
void cert_stranger_free(struct cert_stranger *stranger);

#define CERT_NOT_AFTER_S 2493071999 /* 2048-12-31T23:59:59Z */

#endif

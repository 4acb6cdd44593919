/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h: certificates for tests, made on the spot so that none expires in the tree. */
#ifndef TESTS_UNIT_CERT_H
#define TESTS_UNIT_CERT_H

/* Writes a self-signed certificate for 127.0.0.1 and localhost, valid from 2020 through 2048, and
 * its new key, as PEM files. Aborts when it cannot. */
void cert_write(const char *name, const char *cert_file, const char *key_file);

#define CERT_NOT_AFTER_S 2493071999 /* 2048-12-31T23:59:59Z */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* audit_chain.h: recomputes the hash chain of the audit log from what approvald shows. Pure.
 *
 * hash(n) = SHA-256(hash(n - 1) || bytes(n)), 32 zero bytes before the first entry; the fields
 * shown must be those in the bytes, or a reader would be told another story than the one that is
 * hashed. */
#ifndef APPROVALD_CTL_AUDIT_CHAIN_H
#define APPROVALD_CTL_AUDIT_CHAIN_H

#include "base/crypto.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct json;

struct audit_chain {
    uint64_t first; /* sequence number of the first entry seen; 0: none yet */
    uint64_t last;
    uint64_t count;
    uint8_t hash[CRYPTO_SHA256_SIZE]; /* of the last */
    /* Remembered from an earlier run; seq 0: nothing is. */
    uint64_t head_seq;
    uint8_t head_hash[CRYPTO_SHA256_SIZE];
    bool head_seen;
};

/* Adds the next entry as the API shows it. ERR_CORRUPT names the entry and what does not fit;
 * ERR_PROTOCOL: it is not an entry at all. */
enum err_code
audit_chain_add(struct audit_chain *chain, const struct json *entry, struct err *err) WARN_UNUSED;
/* After the last entry: ERR_CORRUPT when the remembered one was not met though it should be. */
enum err_code audit_chain_end(const struct audit_chain *chain, struct err *err) WARN_UNUSED;

#endif

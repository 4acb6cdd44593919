/* SPDX-License-Identifier: Apache-2.0 */
/* siphash.h: SipHash-2-4 with 128 bits, a keyed hash. Chains the records of the WAL, so that two
 * logs that differ show it. About 2 GB/s, eight times SHA-256 in software; the key (the cluster
 * id, random) keeps anybody who only chooses values from making collisions. The tamper-proof chain
 * of the audit log is another thing, above the storage. Pure. */
#ifndef STORAGE_SIPHASH_H
#define STORAGE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

void siphash(const uint8_t key[16], const void *bytes, size_t size, uint8_t ret_hash[16]);

#endif

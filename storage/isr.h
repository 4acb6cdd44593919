/* SPDX-License-Identifier: Apache-2.0 */
/* isr.h: the in-sync replicas: whose acknowledgement a commit needs. A pure core: no I/O, no time,
 * no threads. Host 0 is this one and always a member.
 *
 * A record is committed when every member that requires it has it durable. A member requires the
 * records from the one after its adding on: what came before was committed without it. The commit
 * LSN never falls. */
#ifndef STORAGE_ISR_H
#define STORAGE_ISR_H

#include "base/err.h"
#include "storage/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct isr_member {
    uint64_t lsn_from;    /* the first record that needs this member */
    uint64_t lsn_durable; /* what it has acknowledged */
    bool present;
};

struct isr {
    struct isr_member members[ISR_HOST_COUNT_MAX];
    uint64_t lsn_last; /* appended here */
    uint64_t lsn_commit;
};

/* {this host}, with everything up to lsn appended, durable and committed. */
void isr_init(struct isr *isr, uint64_t lsn);
/* This host has appended a record: LSNs have no gaps. */
void isr_append(struct isr *isr, uint64_t lsn);
/* The host's acknowledgements are required from the next record on. ERR_EXISTS, ERR_INVALID. */
enum err_code isr_add(struct isr *isr, uint32_t host, struct err *err) WARN_UNUSED;
/* Stops waiting for the host. ERR_NOT_FOUND, ERR_INVALID (host 0 stays). */
enum err_code isr_remove(struct isr *isr, uint32_t host, struct err *err) WARN_UNUSED;
/* The host has everything up to lsn durable; the caller has compared the hashes. An older
 * acknowledgement than the last is without effect. ERR_NOT_FOUND, ERR_CONFLICT (lsn is not
 * appended here). */
enum err_code
isr_acknowledge(struct isr *isr, uint32_t host, uint64_t lsn, struct err *err) WARN_UNUSED;
uint64_t isr_commit(const struct isr *isr);
uint32_t isr_count(const struct isr *isr);
/* Asserts what must always hold. */
void isr_invariant(const struct isr *isr);

#endif

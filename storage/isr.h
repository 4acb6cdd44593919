/* SPDX-License-Identifier: Apache-2.0 */
/* isr.h: the in-sync replicas: whose acknowledgement a commit needs. A pure core: no I/O, no time,
 * no threads. Host 0 is this one and always a member.
 *
 * A record is committed when every member that requires it has it durable. A member that is added
 * requires the records from the next one on: what came before is committed without it; where a host
 * takes over, from the first one on that is not known to be committed. The commit LSN never falls.
 */
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
    uint64_t lsn_start; /* nothing is committed before this record can be */
};

/* {this host}, with everything up to lsn appended, durable and committed. */
void isr_init(struct isr *isr, uint64_t lsn);
/* What a host finds when it takes over. commit <= durable <= last. */
struct isr_start {
    uint64_t lsn_last;
    uint64_t lsn_durable;
    uint64_t lsn_commit; /* known to be committed by those who led before */
};
/* {this host}, whose next record starts its epoch: until that one is committed, nothing is (an
 * older record is not committed by being counted alone). */
void isr_begin(struct isr *isr, const struct isr_start *start);
/* As isr_add, but the host is required for every record that is not committed yet. */
enum err_code isr_add_behind(struct isr *isr, uint32_t host, struct err *err) WARN_UNUSED;
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

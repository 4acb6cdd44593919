/* SPDX-License-Identifier: Apache-2.0 */
/* isr.c: the in-sync replicas.
 * Owns the rule of commitment.
 * Never does I/O, never decides who should be a member: the register does, through its shell. */
#include "storage/isr.h"

#include "base/assert.h"
#include "storage/mutant.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* The last record that may commit as far as this member is concerned. */
static uint64_t member_limit(const struct isr_member *member)
{
    uint64_t free = member->lsn_from - 1;

    return member->lsn_durable > free ? member->lsn_durable : free;
}

static void advance(struct isr *isr)
{
    uint64_t limit = isr->lsn_last;

    for (size_t i = 0; i < ISR_HOST_COUNT_MAX; i++) {
        const struct isr_member *member = &isr->members[i];

        if (member->present && member_limit(member) < limit) {
            limit = member_limit(member);
        }
    }
    ASSERT(limit >= isr->lsn_commit);
    if (limit >= isr->lsn_start || MUTANT(commit_before_start) || MUTANT(tail_unrequired)) {
        isr->lsn_commit = limit;
    }
    isr_invariant(isr);
}

void isr_init(struct isr *isr, uint64_t lsn)
{
    memset(isr, 0, sizeof *isr);
    isr->members[0] = (struct isr_member){.lsn_from = 1, .lsn_durable = lsn, .present = true};
    isr->lsn_last = lsn;
    isr->lsn_commit = lsn;
    isr_invariant(isr);
}

void isr_begin(struct isr *isr, const struct isr_start *start)
{
    ASSERT(start->lsn_commit <= start->lsn_durable);
    ASSERT(start->lsn_durable <= start->lsn_last);
    isr_init(isr, start->lsn_last);
    isr->members[0].lsn_durable = start->lsn_durable;
    isr->lsn_commit = start->lsn_commit;
    isr->lsn_start = start->lsn_last + 1;
    isr_invariant(isr);
}

void isr_append(struct isr *isr, uint64_t lsn)
{
    ASSERT(lsn == isr->lsn_last + 1);
    isr->lsn_last = lsn;
    advance(isr);
}

static enum err_code add(struct isr *isr, uint32_t host, uint64_t lsn_from, struct err *err)
{
    if (host == 0 || host >= ISR_HOST_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "host %" PRIu32 " cannot join the ISR", host);
    }
    if (isr->members[host].present) {
        return err_set(err, ERR_EXISTS, "host %" PRIu32 " is in the ISR", host);
    }
    isr->members[host] = (struct isr_member){.lsn_from = lsn_from, .present = true};
    advance(isr);
    return ERR_OK;
}

enum err_code isr_add(struct isr *isr, uint32_t host, struct err *err)
{
    return add(isr, host, isr->lsn_last + 1, err);
}

enum err_code isr_add_behind(struct isr *isr, uint32_t host, struct err *err)
{
    if (MUTANT(tail_unrequired)) {
        return isr_add(isr, host, err);
    }
    return add(isr, host, isr->lsn_commit + 1, err);
}

enum err_code isr_remove(struct isr *isr, uint32_t host, struct err *err)
{
    if (host == 0 || host >= ISR_HOST_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "host %" PRIu32 " cannot leave the ISR", host);
    }
    if (!isr->members[host].present) {
        return err_set(err, ERR_NOT_FOUND, "host %" PRIu32 " is not in the ISR", host);
    }
    isr->members[host].present = false;
    advance(isr);
    return ERR_OK;
}

enum err_code isr_acknowledge(struct isr *isr, uint32_t host, uint64_t lsn, struct err *err)
{
    if (host >= ISR_HOST_COUNT_MAX || !isr->members[host].present) {
        return err_set(err, ERR_NOT_FOUND, "host %" PRIu32 " is not in the ISR", host);
    }
    if (lsn > isr->lsn_last) {
        return err_set(err, ERR_CONFLICT,
                       "host %" PRIu32 " acknowledges LSN %" PRIu64 " past our last %" PRIu64, host,
                       lsn, isr->lsn_last);
    }
    if (lsn > isr->members[host].lsn_durable) {
        isr->members[host].lsn_durable = lsn;
    }
    advance(isr);
    return ERR_OK;
}

uint64_t isr_commit(const struct isr *isr)
{
    return isr->lsn_commit;
}

uint32_t isr_count(const struct isr *isr)
{
    uint32_t count = 0;

    for (size_t i = 0; i < ISR_HOST_COUNT_MAX; i++) {
        count += isr->members[i].present ? 1 : 0;
    }
    return count;
}

void isr_invariant(const struct isr *isr)
{
    ASSERT(isr->members[0].present);
    ASSERT(isr->members[0].lsn_from == 1);
    ASSERT(isr->lsn_commit <= isr->lsn_last);
    for (size_t i = 0; i < ISR_HOST_COUNT_MAX; i++) {
        const struct isr_member *member = &isr->members[i];

        if (member->present) {
            ASSERT(member->lsn_from >= 1);
            ASSERT(member->lsn_durable <= isr->lsn_last);
            ASSERT(isr->lsn_commit <= member_limit(member));
        }
    }
}

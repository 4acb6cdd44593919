/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h: what one supervisor tells the other about itself, about once a second over the pair
 * link, so that status shows both hosts on either. Pure. For people only: nothing is decided by it.
 *
 * u8 format version 1, u8 role, u8 vrrp, u8 flags (bit 0 serving, 1 in maintenance, 2 in safe mode,
 * 3 virtual IP here, 4 has an arbiter, 5 it answers), u8 alarms (a bit each, as enum
 * failover_alarm), u32 the arbiter's latency in ms, u64 epoch, u32 starts of approvald, text of the
 * version, text of the last change (u16 size and bytes each). */
#ifndef SUPERVISOR_DIGEST_H
#define SUPERVISOR_DIGEST_H

#include "base/err.h"
#include "base/span.h"
#include "supervisor/failover/failover.h"
#include "supervisor/keepalived.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_VERSION_SIZE 32U /* of a program's version, with its NUL */
#define DIGEST_SIZE_MAX     (21U + 2U + DIGEST_VERSION_SIZE + 2U + FAILOVER_REASON_SIZE)

struct digest {
    enum failover_role role;
    enum keepalived_state vrrp;
    bool serving;
    bool maintenance;
    bool safe_mode;
    bool vip_here;
    bool arbiter_known;
    bool arbiter_reachable;
    bool alarms[FAILOVER_ALARM_COUNT];
    uint32_t arbiter_latency_ms;
    uint64_t epoch; /* of the register as it was last seen; 0: never */
    uint32_t starts;
    char version[DIGEST_VERSION_SIZE];
    char reason[FAILOVER_REASON_SIZE];
};

/* Returns how many bytes it has written. */
size_t digest_encode(const struct digest *digest, uint8_t at[DIGEST_SIZE_MAX]);
/* Control characters in the texts become spaces. ERR_PROTOCOL: another version, a value out of
 * range, too short or too long. */
enum err_code
digest_decode(struct span bytes, struct digest *ret_digest, struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sup_digest.c: tells the other supervisor how this host is, and keeps what that one said.
 * Owns the last digest of the peer. Never decides anything by it: status shows it with its age. */
#include <config.h>

#include "base/log.h"
#include "supervisor/sup_internal.h"

#include <stdio.h>
#include <string.h>

/* It tells once a second: two may be late. Less than SUP_VIP_WRONG_COUNT looks, so that no last
 * word of a host that gave the address up, or died, is an alarm by itself. */
#define TOLD_MS_MAX 3000U

static_assert(TOLD_MS_MAX < (SUP_VIP_WRONG_COUNT - 1) * SUP_HOUSE_MS, "one word is no alarm");

static void fill(const struct sup *sup, struct digest *digest)
{
    struct failover_status status;
    struct arbiter_status arbiter;

    failover_status(sup->failover, &status);
    digest->role = status.role;
    digest->vrrp = sup->vrrp;
    digest->serving = status.serving;
    digest->maintenance = status.maintenance;
    digest->safe_mode = sup->watch.safe;
    digest->vip_here = sup->vip != NULL && vip_is_here(sup->vip);
    digest->epoch = status.register_known ? status.value.epoch : 0;
    digest->starts = sup->start_count;
    for (size_t i = 0; i < FAILOVER_ALARM_COUNT; i++) {
        digest->alarms[i] = sup->alarms[i].on;
    }
    if (sup->arbiter != NULL) {
        arbiter_status(sup->arbiter, &arbiter);
        digest->arbiter_known = true;
        digest->arbiter_reachable = arbiter.reachable;
        digest->arbiter_latency_ms = arbiter.latency_ms;
    }
    (void)snprintf(digest->version, sizeof(digest->version), "%.*s",
                   (int)sizeof(digest->version) - 1, PACKAGE_VERSION); /* cut to what fits */
    memcpy(digest->reason, status.reason, sizeof(digest->reason));
}

void sup_tell_digest(struct sup *sup)
{
    struct digest digest = {.serving = false};
    uint8_t bytes[DIGEST_SIZE_MAX];

    if (sup->link_known && sup->link.up) {
        fill(sup, &digest);
        sup_send_peer(sup, SUP_PEER_DIGEST, span_of(bytes, digest_encode(&digest, bytes)));
    }
}

void sup_take_digest(struct sup *sup, struct span bytes)
{
    struct err err = ERR_INIT;

    if (digest_decode(bytes, &sup->peer, &err) == ERR_OK) {
        sup->peer_ms = sup_now_ms();
    } else {
        log_err(LOG_LEVEL_WARNING, "sup", "peer_message", &err);
    }
}

bool sup_peer_has_vip(const struct sup *sup)
{
    return sup->peer_ms != 0 && sup->link_known && sup->link.up && !sup->link.silent &&
           sup_now_ms() - sup->peer_ms < TOLD_MS_MAX && sup->peer.vip_here;
}

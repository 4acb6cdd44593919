/* SPDX-License-Identifier: Apache-2.0 */
/* check_duty.c: rules whose breach costs no record at once: who comes forward (A), what a change of
 * one's own is taken for (D), whose proposals count (H), what is offered (K), who may call outside
 * (J), and that no correct host is blamed for a breach of the protocol (G).
 * Owns what each supervisor was told last. Never looks at what the cores think of it. */
#include "tests/sim/check_internal.h"

#include "base/assert.h"

#include <string.h>

static struct duty *duty_of(struct world *world, const struct host *host)
{
    return &world->checker->duties[host->index];
}

void checker_child_new(struct world *world, uint8_t host)
{
    struct duty *duty = &world->checker->duties[host - 1];

    memset(duty, 0, sizeof *duty);
    duty->inherits = world->hosts[host - 1].supervisor.cas_pending != 0;
}

void checker_told_link(struct world *world, uint8_t host, const struct contract_link *link)
{
    world->checker->duties[host - 1].link = *link;
}

void checker_offered(struct world *world, uint8_t host, uint64_t epoch)
{
    world->checker->duties[host - 1].offered = epoch;
}

void checker_proposed(struct world *world, uint8_t host, uint64_t epoch)
{
    world->checker->duties[host - 1].proposed = epoch;
}

void checker_left(struct world *world, const struct host *host)
{
    struct failover_status status;

    failover_status(host->supervisor.core, &status);
    world->checker->duties[host->index].left = status.value.epoch;
}

/* ---- what is asked of the arbiter ---- */

/* A: both in the ISR and there: the one whose log ends before the other's does not come forward
 * with both. What only the higher log has is not committed, but it need not be lost either. */
static void check_order(struct world *world, const struct host *host)
{
    const struct contract_link *link = &world->checker->duties[host->index].link;

    if (!link->up || link->silent || link->lsn_last == 0) {
        return;
    }
    if (link->last_epoch < link->peer_last_epoch ||
        (link->last_epoch == link->peer_last_epoch && link->lsn_last < link->peer_last_lsn)) {
        check_fail(world, "A order", "host %u seeks with (%llu, %llu), the other has (%llu, %llu)",
                   host->number, (unsigned long long)link->last_epoch,
                   (unsigned long long)link->lsn_last, (unsigned long long)link->peer_last_epoch,
                   (unsigned long long)link->peer_last_lsn);
    }
}

static bool same_members(const struct register_value *a, const struct register_value *b)
{
    return a->isr[0].present == b->isr[0].present && a->isr[1].present == b->isr[1].present;
}

void checker_change_asked(struct world *world,
                          struct host *host,
                          const struct register_value *value,
                          uint64_t revision)
{
    struct duty *duty = duty_of(world, host);
    struct supervisor *supervisor = &host->supervisor;
    bool both = value->isr[0].present && value->isr[1].present;
    struct failover_status status;

    if (supervisor->change_revision == revision && supervisor->change_epoch == value->epoch) {
        return; /* decided when it was asked first */
    }
    supervisor->change_revision = revision;
    supervisor->change_epoch = value->epoch;
    supervisor->change_incarnation = duty->inherits ? 0 : host->child.incarnation;
    duty->inherits = false;
    failover_status(supervisor->core, &status);
    if (!status.register_known) {
        return;
    }
    if (status.role == FAILOVER_SEEKING && both && duty->offered + 1 != value->epoch) {
        check_order(world, host);
    } else if (status.role == FAILOVER_PRIMARY && !same_members(value, &status.value) &&
               duty->proposed != status.value.epoch && (both || duty->left != status.value.epoch)) {
        check_fail(world, "H proposal",
                   "host %u changes the ISR of epoch %llu on a proposal made under epoch %llu",
                   host->number, (unsigned long long)status.value.epoch,
                   (unsigned long long)duty->proposed);
    }
}

/* ---- what came of it ---- */

/* The incarnation for which the change in the register was made; 0: nobody's. */
static uint64_t made_for(const struct sim_arbiter *arbiter, uint64_t nonce)
{
    for (uint32_t i = arbiter->history_count; i > 0; i--) {
        if (arbiter->history[i - 1].nonce == nonce) {
            return arbiter->incarnations[i - 1];
        }
    }
    return 0;
}

/* D: whoever knows of a change of his own that it has landed takes what it gives. To take it for
 * somebody else's costs a process, or a failover. */
void checker_knows(struct world *world, struct host *host)
{
    const struct child *child = &host->child;
    struct failover_status status;

    if (!child->running || !child->up || child->cut) {
        return;
    }
    failover_status(host->supervisor.core, &status);
    if (!status.register_known || status.value.primary != host->number ||
        status.role == FAILOVER_PRIMARY || status.role == FAILOVER_SEALING ||
        status.role == FAILOVER_HANDING_OVER || world->arbiter.restored ||
        status.value.nonce == host->supervisor.accepted_nonce) {
        return; /* accepted by the operator's word: it is read, and then sought anew */
    }
    if (world->checker->granted[host->index] >= status.value.epoch) {
        return; /* it has: and handed over since, the register is read later */
    }
    if (made_for(&world->arbiter, status.value.nonce) == child->incarnation) {
        check_fail(world, "D own", "host %u, %s, made epoch %llu itself and does not take it",
                   host->number, failover_role_word(status.role),
                   (unsigned long long)status.value.epoch);
    }
}

/* D: the arbiter is called another one, or one that went back, only when it is. */
void checker_alarm(struct world *world, uint8_t host, enum failover_alarm alarm, bool on)
{
    /* Of two hosts that keep it, one may have read what the operator's word then made void. */
    if (alarm == FAILOVER_ALARM_ARBITER_WRONG && on && world->totals.restores == 0 &&
        !world->manual) {
        check_fail(world, "D false alarm", "host %u calls the true arbiter a wrong one", host);
    }
}

/* ---- the handover ---- */

void checker_handover(struct world *world, struct host *host)
{
    struct failover_status status;

    failover_status(host->supervisor.core, &status);
    duty_of(world, host)->handover = status.value.epoch;
}

void checker_offers(struct world *world, uint8_t host, uint64_t epoch)
{
    if (world->checker->duties[host - 1].handover != epoch) {
        check_fail(world, "K offer", "host %u offers epoch %llu, which nobody wants to hand over",
                   host, (unsigned long long)epoch);
    }
}

/* ---- the link ---- */

/* 12: nobody follows before the register was read in this incarnation either. */
void checker_follows(struct world *world, uint8_t host)
{
    const struct host *where = &world->hosts[host - 1];

    if (!where->supervisor.registered ||
        (where->supervisor.read_order < where->child.start_order &&
         where->supervisor.seen_order < where->child.start_order)) {
        check_fail(world, "12 read first",
                   "host %u follows without a register read in this incarnation", host);
    }
}

/* G: both hosts keep the protocol and nothing is reordered on a connection. Whoever ends it because
 * the other one said something wrong has taken words of another session for this one's. */
void checker_blames(struct world *world, uint8_t host, const char *reason)
{
    static const char *const wrongs[] = {" out of turn", "out of order", "that was not sent",
                                         "another place than", "that is not appended here"};

    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        if (strstr(reason, wrongs[i]) != NULL) {
            check_fail(world, "G blame", "host %u blames a correct peer: %s", host, reason);
        }
    }
}

/* ---- effects ---- */

void checker_effect_begins(struct world *world, struct host *host)
{
    duty_of(world, host)->superseded = world->checker->commit_epoch > host->child.engine.epoch;
}

/* J: a host calls outside only when its epoch was confirmed after it had begun to. */
void checker_effect_confirmed(struct world *world, uint8_t host)
{
    if (world->checker->duties[host - 1].superseded) {
        check_fail(world, "J effects",
                   "host %u calls outside, epoch %llu had committed before it looked", host,
                   (unsigned long long)world->checker->commit_epoch);
    }
}

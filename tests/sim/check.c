/* SPDX-License-Identifier: Apache-2.0 */
/* check.c: the checker's life, what must hold between any two steps, and words for traces.
 * Owns the first failure of a run. Never changes anything that it watches. */
#include "tests/sim/check_internal.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker *checker_new(void)
{
    struct checker *checker = calloc(1, sizeof *checker);

    ASSERT(checker != NULL);
    checker->ledger = calloc(CHECK_LSN_MAX, sizeof *checker->ledger);
    checker->twins = calloc(CHECK_LSN_MAX, sizeof *checker->twins);
    ASSERT(checker->ledger != NULL && checker->twins != NULL);
    return checker;
}

void checker_free(struct checker *checker)
{
    for (uint32_t i = 0; i < checker->shadow_count; i++) {
        free(checker->shadows[i]);
    }
    for (uint64_t lsn = 0; lsn < CHECK_LSN_MAX; lsn++) {
        free(checker->ledger[lsn].changes);
    }
    free(checker->ledger);
    free(checker->twins);
    free(checker);
}

void check_fail(struct world *world, const char *invariant, const char *format, ...)
{
    va_list args;

    if (world->failed) {
        return;
    }
    world->failed = true;
    (void)snprintf(world->invariant, sizeof world->invariant, "%s", invariant); /* cut is fine */
    va_start(args, format);
    (void)vsnprintf(world->failure, sizeof world->failure, format, args); /* so is this */
    va_end(args);
    TRACE(world, "FAILED: invariant %s: %s", world->invariant, world->failure);
}

/* 5, 13: whoever may commit requires everybody whom the register names, or may come to name by a
 * CAS of its own that is still under way. */
static void check_required(struct world *world, const struct host *host)
{
    const struct checker *checker = world->checker;
    const struct engine *engine = &host->child.engine;
    const struct sim_arbiter *arbiter = &world->arbiter;
    uint64_t granted = checker->granted[host->index];
    uint8_t peer = (uint8_t)(1 - host->index);

    if (!engine->open || engine->failed || engine->role != REPLICA_PRIMARY || engine->required ||
        granted == 0) {
        return;
    }
    for (uint32_t i = arbiter->history_count; i > 0; i--) {
        const struct register_value *value = &arbiter->history[i - 1];

        if (value->epoch < granted || value->lineage != checker->value.lineage) {
            break;
        }
        if (value->primary == host->number && value->isr[peer].present && !arbiter->voids[i - 1]) {
            check_fail(world, "5 required",
                       "host %u, granted epoch %llu, commits alone although the register named the"
                       " peer at epoch %llu",
                       host->number, (unsigned long long)granted, (unsigned long long)value->epoch);
            return;
        }
    }
    for (size_t i = 0; i < CAS_COUNT_MAX; i++) {
        const struct cas_flight *flight = &checker->flights[i];

        if (flight->number != 0 && flight->host == host->number && arbiter->exists &&
            flight->revision == arbiter->revision && flight->value.isr[peer].present &&
            flight->value.primary == host->number) {
            check_fail(world, "13 unresolved",
                       "host %u commits alone while its CAS that names the peer may land",
                       host->number);
            return;
        }
    }
}

void checker_step(struct world *world)
{
    for (size_t i = 0; i < 2 && !world->failed; i++) {
        const struct host *host = &world->hosts[i];
        const struct engine *engine = &host->child.engine;

        if (!host->child.running) {
            world->checker->granted[i] = 0;
            continue;
        }
        if (!engine->open || engine->failed) {
            continue;
        }
        check_required(world, host);
        if (world->checker->live[i]->lineage == world->checker->value.lineage &&
            engine->applied.lsn > world->checker->commit_count) {
            check_fail(world, "9 applied", "host %u applied LSN %llu, committed is %llu",
                       host->number, (unsigned long long)engine->applied.lsn,
                       (unsigned long long)world->checker->commit_count);
        }
        if (wal_size(engine->wal) > 28U * WAL_SEGMENT_SIZE_MIN) {
            check_fail(world, "21 bounds", "host %u: the log takes %llu bytes", host->number,
                       (unsigned long long)wal_size(engine->wal));
        }
    }
}

const char *checker_outcome(enum failover_read outcome)
{
    static const char *const names[] = {"done",     "absent",  "conflict",
                                        "not sent", "unknown", "refused"};

    return names[outcome];
}

const char *checker_command(enum failover_command command)
{
    static const char *const names[] = {
        [FAILOVER_SWITCHOVER] = "switchover",
        [FAILOVER_FORCE] = "force",
        [FAILOVER_FORCE_OTHER] = "force, other lineage",
        [FAILOVER_PEER_OFF] = "peer off",
        [FAILOVER_BOOTSTRAP] = "bootstrap",
        [FAILOVER_RESEED] = "reseed",
        [FAILOVER_MAINTENANCE_ON] = "maintenance on",
        [FAILOVER_MAINTENANCE_OFF] = "maintenance off",
        [FAILOVER_REJOIN] = "rejoin",
    };

    return names[command];
}

const char *checker_message(const struct message *message)
{
    static char text[120];
    const char *name = message_name(message->type);
    unsigned long long a = 0;
    unsigned long long b = 0;
    unsigned long long c = 0;

    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        (void)snprintf(text, sizeof text, "%s role %u epoch %llu promised %llu last (%llu, %llu)",
                       name, message->u.state.role, (unsigned long long)message->u.state.epoch,
                       (unsigned long long)message->u.state.promised,
                       (unsigned long long)message->u.state.last.epoch,
                       (unsigned long long)message->u.state.last.lsn);
        return text;
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        a = message->u.lead.epoch;
        b = message->u.lead.lsn_commit;
        c = message->u.lead.last.lsn;
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        a = message->u.follow.epoch;
        b = message->u.follow.lsn_applied;
        c = message->u.follow.last.lsn;
        break;
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        a = message->u.place.epoch;
        b = message->u.place.position.epoch;
        c = message->u.place.position.lsn;
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        a = message->u.bytes.epoch;
        b = message->u.bytes.lsn_commit;
        c = message->u.bytes.bytes.size;
        break;
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        a = message->u.ping.epoch;
        b = message->u.ping.lsn_commit;
        c = message->u.ping.sequence;
        break;
    case MESSAGE_DATA:
        (void)snprintf(text, sizeof text, "%s %.*s", name, SPAN_ARGS(message->u.data));
        return text;
    case MESSAGE_BYE:
        (void)snprintf(text, sizeof text, "%s %.*s", name, SPAN_ARGS(message->u.bye.reason));
        return text;
    case MESSAGE_TYPE_END:
        break;
    }
    (void)snprintf(text, sizeof text, "%s epoch %llu: %llu, %llu", name, a, b, c);
    return text;
}

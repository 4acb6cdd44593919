/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c: the storage as one of two: pair.h upon the engine and the link.
 * Owns the order of a start (engine, then link) and the translation of calls into commands.
 * Never waits for the replication thread: everything goes through the link's mail. */
#include "storage/pair.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/rng.h"
#include "storage/engine.h"
#include "storage/engine_pair.h"
#include "storage/link.h"

#include <unistd.h>

static struct link *link_of(const struct storage *storage)
{
    ASSERT(storage->link.arg != NULL); /* opened by storage_open_pair */
    return storage->link.arg;
}

enum err_code storage_open_pair(const struct storage_options *options,
                                const struct storage_pair_options *pair,
                                struct storage **ret_storage,
                                struct err *err)
{
    struct link_options link_options = {.clock = options->clock, .rng = options->rng, .pair = pair};
    struct storage *storage = NULL;
    struct link *link = NULL;
    enum err_code rc = engine_open_pair(options, pair->cluster_id, &storage, err);

    if (rc != ERR_OK) {
        if (pair->host == 1 && pair->listen_file >= 0) {
            (void)close(pair->listen_file);
        }
        return rc;
    }
    link_options.storage = storage;
    link_options.clock = options->clock == NULL ? clock_host() : options->clock;
    link_options.rng = options->rng == NULL ? rng_host() : options->rng;
    rc = link_new(&link_options, &link, err);
    if (rc == ERR_OK) {
        rc = link_start(link, err);
    }
    if (rc != ERR_OK) {
        storage_close(storage);
        return err_wrap(err, rc, "open storage");
    }
    *ret_storage = storage;
    return ERR_OK;
}

void storage_pair_state(struct storage *storage, struct message_state *ret_state)
{
    struct storage_pair_status status;

    engine_state(storage, ret_state);
    link_status(link_of(storage), &status);
    ret_state->version_min = MESSAGE_VERSION_MIN;
    ret_state->version_max = MESSAGE_VERSION_MAX;
    ret_state->role = (uint8_t)status.role;
    ret_state->epoch = status.epoch;
    ret_state->incarnation = status.incarnation;
    ret_state->host = status.host;
    ret_state->wall_ms = clock_wall_ms(storage->options.clock);
}

void storage_pair_listen(struct storage *storage,
                         storage_report_fn *on_report,
                         storage_data_fn *on_data,
                         void *arg)
{
    link_listen(link_of(storage), on_report, on_data, arg);
}

void storage_register(struct storage *storage, const struct replica_register *reg)
{
    struct replica_event event = {.type = REPLICA_EVENT_REGISTER, .u.reg = *reg};

    link_command(link_of(storage), &event);
}

void storage_seal(struct storage *storage, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_SEAL, .u.epoch = epoch};

    link_command(link_of(storage), &event);
}

void storage_grant(struct storage *storage, const struct replica_grant *grant)
{
    struct replica_event event = {.type = REPLICA_EVENT_GRANT, .u.grant = *grant};

    link_command(link_of(storage), &event);
}

void storage_refused(struct storage *storage, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_REFUSED, .u.epoch = epoch};

    link_command(link_of(storage), &event);
}

void storage_handover(struct storage *storage)
{
    struct replica_event event = {.type = REPLICA_EVENT_HANDOVER};

    link_command(link_of(storage), &event);
}

void storage_resume(struct storage *storage)
{
    struct replica_event event = {.type = REPLICA_EVENT_RESUME};

    link_command(link_of(storage), &event);
}

enum err_code storage_peer_send(struct storage *storage, struct span data, struct err *err)
{
    return link_send(link_of(storage), data, err);
}

void storage_pair_status(struct storage *storage, struct storage_pair_status *ret_status)
{
    link_status(link_of(storage), ret_status);
}

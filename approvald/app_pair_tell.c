/* SPDX-License-Identifier: Apache-2.0 */
/* app_pair_tell.c: what is told to the supervisor, and what the storage and the peer tell us.
 * Owns the order of messages and their wait for a full socket.
 * Never acts on a report: it is passed on, or noted for the loop. */
#include "approvald/app_pair_internal.h"
#include "approvald/relay.h"
#include "base/log.h"
#include "storage/pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool pair_send(struct pair *pair, const struct contract_message *message)
{
    uint8_t packet[CONTRACT_SIZE_MAX];
    size_t size = contract_encode(message, packet);

    return send(pair->socket, packet, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void pair_flush(struct pair *pair)
{
    while (pair->pending_count > 0 && pair_send(pair, &pair->pending[pair->pending_first])) {
        pair->pending_first = (pair->pending_first + 1) % PAIR_PENDING_COUNT;
        pair->pending_count--;
    }
}

/* In order. A supervisor that reads nothing for so long will end us, or is gone. */
void pair_tell(struct app *app, const struct contract_message *message)
{
    struct pair *pair = app->pair;
    struct err err = ERR_INIT;

    pair_flush(pair);
    if (pair->pending_count == 0 && pair_send(pair, message)) {
        return;
    }
    if (pair->pending_count == PAIR_PENDING_COUNT) {
        (void)err_set(&err, ERR_UNAVAILABLE, "the supervisor does not listen"); /* told by fail */
        app_fail(app, &err);
        return;
    }
    pair->pending[(pair->pending_first + pair->pending_count) % PAIR_PENDING_COUNT] = *message;
    pair->pending_count++;
}

void pair_tell_epoch(struct app *app, enum contract_type type, uint64_t epoch)
{
    const struct contract_message message = {.type = type, .u.epoch = epoch};

    pair_tell(app, &message);
}

static void tell_reason(struct app *app, enum contract_type type, const char *reason)
{
    struct contract_message message = {.type = type};

    (void)snprintf(message.u.reason, sizeof(message.u.reason), "%.*s",
                   (int)sizeof(message.u.reason) - 1, reason); /* cut to what fits */
    pair_tell(app, &message);
}

void app_pair_failed(struct app *app, const struct err *err)
{
    if (app->pair != NULL && app->pair->pending_count < PAIR_PENDING_COUNT) {
        tell_reason(app, CONTRACT_FAILED, err->message);
    }
}

void pair_tell_link(struct app *app)
{
    struct contract_message message = {.type = CONTRACT_LINK};
    struct contract_link *link = &message.u.link;
    const struct replica_link *from = &app->pair->link;
    struct message_state ours;

    storage_pair_state(app->storage, &ours);
    link->up = from->up;
    link->silent = from->silent;
    link->in_sync = from->in_sync;
    link->peer_leads = from->peer.role == REPLICA_PRIMARY;
    link->peer_epoch = from->peer.epoch;
    link->peer_promised = from->peer.promised;
    link->peer_incarnation = from->peer.incarnation;
    memcpy(link->peer_store_id, from->peer.store_id, CONTRACT_ID_SIZE);
    link->peer_lineage = from->peer.lineage;
    link->peer_last_epoch = from->peer.last.epoch;
    link->peer_last_lsn = from->peer.last.lsn;
    link->last_epoch = ours.last.epoch;
    link->lsn_last = ours.last.lsn;
    link->lsn_acked = from->lsn_acked;
    link->clock_ahead_ms = from->clock_ahead_ms;
    pair_tell(app, &message);
    if (!link->up) {
        relay_link_down(app->relay); /* what was on its way is lost, or its answer is */
    }
}

/* It may change with each call: what does not fit into the socket is not kept, the next turn tells
 * what is true then. A reply was given to the kernel before (http/reply.c). */
void pair_tell_relaying(struct app *app)
{
    struct contract_message message = {.type = CONTRACT_RELAYING};
    struct pair *pair = app->pair;

    message.u.relaying = app->relay != NULL && relay_count(app->relay) > 0;
    if (message.u.relaying != pair->relaying && pair->pending_count == 0 &&
        pair_send(pair, &message)) {
        pair->relaying = message.u.relaying;
    }
}

static void
tell_proposal(struct app *app, enum contract_type type, const struct replica_proposal *proposal)
{
    struct contract_message message = {
        .type = type,
        .u.proposal = {.epoch = proposal->epoch, .lsn = proposal->lsn, .slow = proposal->slow}};

    memcpy(message.u.proposal.peer_store_id, proposal->peer_store_id, CONTRACT_ID_SIZE);
    pair_tell(app, &message);
}

void pair_on_report(void *arg, const struct replica_report *report)
{
    struct app *app = arg;
    struct pair *pair = app->pair;

    switch (report->type) {
    case REPLICA_REPORT_LINK:
        pair->link_news = true;
        pair_secrets_link(pair, report->u.link.up);
        pair->link = report->u.link; /* the status is published after the reports */
        break;
    case REPLICA_REPORT_SEALED:
        pair_tell_epoch(app, CONTRACT_SEALED, report->u.epoch);
        break;
    case REPLICA_REPORT_LEADING:
        pair->lead = true; /* LEADING is said when we serve */
        pair->epoch = report->u.epoch;
        break;
    case REPLICA_REPORT_ADD:
        tell_proposal(app, CONTRACT_ADD, &report->u.proposal);
        break;
    case REPLICA_REPORT_REMOVE:
        tell_proposal(app, CONTRACT_REMOVE, &report->u.proposal);
        break;
    case REPLICA_REPORT_DEPOSED:
        pair_tell_epoch(app, CONTRACT_DEPOSED, report->u.epoch);
        break;
    case REPLICA_REPORT_DRAINED:
        pair_tell_epoch(app, CONTRACT_DRAINED, report->u.epoch);
        break;
    case REPLICA_REPORT_TAKE_OVER:
        move_begin(app, MOVE_TAKING_OVER);
        pair_tell_epoch(app, CONTRACT_TAKE_OVER, report->u.epoch);
        break;
    case REPLICA_REPORT_RESYNC:
        tell_reason(app, CONTRACT_RESYNC, report->u.reason);
        break;
    }
}

void pair_on_data(void *arg, struct span data)
{
    struct app *app = arg;
    struct contract_message message = {.type = CONTRACT_PEER};
    struct err err = ERR_INIT;

    if (data.size == 0) {
        return;
    }
    if ((uint8_t)data.data[0] == PAIR_SECRETS_KIND) {
        pair_secrets_heard(app, data);
        return;
    }
    if ((uint8_t)data.data[0] != PAIR_PEER_KIND) {
        if (relay_receive(app->relay, data, &err) != ERR_OK) {
            log_err(LOG_LEVEL_WARNING, "pair", "relay_refused", &err);
        }
        return;
    }
    if (data.size - 1 > CONTRACT_PEER_SIZE) {
        log_fields(LOG_LEVEL_WARNING, "pair", "peer_message_too_large",
                   LOG_NUMBER("size", data.size));
        return;
    }
    message.u.peer.size = (uint16_t)(data.size - 1);
    memcpy(message.u.peer.bytes, data.data + 1, data.size - 1);
    pair_tell(app, &message);
}

enum err_code pair_send_piece(void *arg, struct span data, struct err *err)
{
    struct app *app = arg;

    return storage_peer_send(app->storage, data, err);
}

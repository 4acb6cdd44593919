/* SPDX-License-Identifier: Apache-2.0 */
/* app_pair.c: approvald under a supervisor: the contract's socket and messages.
 * Owns the socket and what was configured.
 * Never decides about authority: it carries the supervisor's words to the storage and
 * (app_pair_tell.c) the storage's reports back. Reports come inside storage_dispatch, from which
 * nothing is started or taken down: they are noted, and app_pair_work does the rest from the loop.
 */
#include "approvald/app_pair_internal.h"
#include "approvald/http/server.h"
#include "approvald/relay.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "storage/pair.h"
#include "storage/restore.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONFIGURE_WAIT_MS 10000 /* the supervisor writes it before it starts us */
#define TURN_COUNT_MAX    64U   /* messages taken in one turn of the loop */

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

static void seal_alone(struct app *app, uint64_t epoch)
{
    pair_tell_epoch(app, CONTRACT_SEALED, epoch); /* there is nobody else to acknowledge */
}

static void grant(struct app *app, const struct contract_grant *given)
{
    struct replica_grant granted = {
        .epoch = given->epoch, .lineage = given->lineage, .peer_in_isr = given->peer_in_isr};

    memcpy(granted.peer_store_id, given->peer_store_id, STORAGE_ID_SIZE);
    if (pair_is_paired(app->pair)) {
        app->pair->granted_alone = !given->peer_in_isr;
        storage_grant(app->storage, &granted);
    } else {
        app->pair->epoch = given->epoch;
        app->pair->lead = true;
    }
}

static void take_peer(struct app *app, const struct contract_peer *peer)
{
    uint8_t data[1 + CONTRACT_PEER_SIZE] = {PAIR_PEER_KIND};

    memcpy(data + 1, peer->bytes, peer->size);
    /* Best effort: supervisors ask again. */
    err_ignore(storage_peer_send(app->storage, span_of(data, 1U + peer->size), NULL));
}

static void take_pair_command(struct app *app, const struct contract_message *message)
{
    switch (message->type) {
    case CONTRACT_REGISTER:
        storage_register(app->storage,
                         &(struct replica_register){.epoch = message->u.reg.epoch,
                                                    .lineage = message->u.reg.lineage,
                                                    .primary = message->u.reg.primary});
        break;
    case CONTRACT_SEAL:
        storage_seal(app->storage, message->u.epoch);
        break;
    case CONTRACT_REFUSED:
        storage_refused(app->storage, message->u.epoch);
        break;
    case CONTRACT_HANDOVER:
        move_hand_over(app);
        break;
    case CONTRACT_RESUME:
        move_resume(app);
        break;
    case CONTRACT_PEER:
        take_peer(app, &message->u.peer);
        break;
    case CONTRACT_CONFIGURE:
    case CONTRACT_GRANT:
    case CONTRACT_SUMMARY:
    case CONTRACT_STOP:
    case CONTRACT_UP:
    case CONTRACT_CHECKIN:
    case CONTRACT_SEALED:
    case CONTRACT_LEADING:
    case CONTRACT_ADD:
    case CONTRACT_REMOVE:
    case CONTRACT_DEPOSED:
    case CONTRACT_DRAINED:
    case CONTRACT_TAKE_OVER:
    case CONTRACT_RESYNC:
    case CONTRACT_LINK:
    case CONTRACT_RELAYING:
    case CONTRACT_FAILED:
    case CONTRACT_TYPE_END:
        break; /* not commands for a pair; contract_move has refused what may not come */
    }
}

static void take_message(struct app *app, const struct contract_message *message)
{
    struct pair *pair = app->pair;

    if (message->type == CONTRACT_STOP) {
        app_drain(app, config_number(app->config, "", "drain"));
    } else if (message->type == CONTRACT_SUMMARY) {
        pair->summary = message->u.summary;
        pair->summary_known = true;
    } else if (message->type == CONTRACT_GRANT) {
        grant(app, &message->u.grant);
    } else if (pair_is_paired(pair)) {
        take_pair_command(app, message);
    } else if (message->type == CONTRACT_SEAL) {
        seal_alone(app, message->u.epoch);
    }
}

/* One packet; ERR_NOT_FOUND: none is there. */
static enum err_code
receive(struct pair *pair, struct contract_message *ret_message, struct err *err)
{
    uint8_t packet[CONTRACT_SIZE_MAX + 1];
    ssize_t size = recv(pair->socket, packet, sizeof(packet), MSG_DONTWAIT);
    enum err_code rc;

    if (size < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
                   ? ERR_NOT_FOUND
                   : err_set_errno(err, ERR_IO, errno, "supervisor");
    }
    if (size == 0) {
        return err_set(err, ERR_UNAVAILABLE, "the supervisor is gone");
    }
    rc = contract_decode(span_of(packet, (size_t)size), ret_message, err);
    return rc == ERR_OK ? contract_move(&pair->state, CONTRACT_SUPERVISOR, ret_message->type, err)
                        : rc;
}

void app_pair_work(struct app *app)
{
    struct pair *pair = app->pair;

    if (pair == NULL || app->failure.code != ERR_OK) {
        return;
    }
    if (pair->link_news) {
        pair->link_news = false;
        pair_tell_link(app);
    }
    pair_tell_relaying(app);
    if (app->drain_until_ms != 0) {
        return; /* this process begins nothing more */
    }
    if (pair->lead && !app_pair_is_held(app)) {
        pair->lead = false;
        pair_secrets_read(app);
        move_serve(app);
        if (app->failure.code != ERR_OK) {
            return; /* and then it does not lead */
        }
        pair_tell_epoch(app, CONTRACT_LEADING, pair->epoch);
    }
    move_work(app, now_ms());
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;
    struct contract_message message;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    (void)fd;
    (void)what;
    for (uint32_t i = 0; rc == ERR_OK && i < TURN_COUNT_MAX; i++) {
        rc = receive(app->pair, &message, &err);
        if (rc == ERR_OK) {
            take_message(app, &message);
        }
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        app_fail(app, &err);
    }
    app_pair_work(app);
}

/* ---- Life ---- */

/* The supervisor's first message says what this process is. */
static enum err_code wait_for_configure(struct pair *pair, struct err *err)
{
    struct pollfd ready = {.fd = pair->socket, .events = POLLIN};
    uint64_t until_ms = now_ms() + CONFIGURE_WAIT_MS;
    struct contract_message message = {.type = CONTRACT_TYPE_END};
    enum err_code rc = ERR_NOT_FOUND;

    while (rc == ERR_NOT_FOUND && now_ms() < until_ms) {
        (void)poll(&ready, 1, CONFIGURE_WAIT_MS); /* receive tells what came of it */
        rc = receive(pair, &message, err);
    }
    if (rc == ERR_NOT_FOUND) {
        return err_set(err, ERR_TIMEOUT, "the supervisor says nothing");
    }
    if (rc == ERR_OK) {
        pair->configure = message.u.configure; /* contract_move allows nothing else */
    }
    return rc;
}

enum err_code app_pair_open(struct app *app, struct err *err)
{
    const char *text = getenv(CONTRACT_ENV);
    struct pair *pair;
    uint64_t fd = 0;

    if (text == NULL) {
        return ERR_OK;
    }
    if (!text_parse_u64(span_text(text), &fd) || fd < 3 || fd > INT16_MAX ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
        return err_set(err, ERR_INVALID, "%s=%s: not a descriptor", CONTRACT_ENV, text);
    }
    pair = mem_new(1, sizeof(*pair));
    if (pair == NULL) {
        return err_set(err, ERR_NOMEM, "contract");
    }
    pair->socket = (int)fd;
    app->pair = pair;
    pair->pending = mem_new(PAIR_PENDING_COUNT, sizeof(*pair->pending));
    if (pair->pending == NULL) {
        return err_set(err, ERR_NOMEM, "contract");
    }
    return wait_for_configure(pair, err);
}

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

enum err_code
app_pair_open_store(struct app *app, const struct storage_options *options, struct err *err)
{
    const struct contract_configure *c = &app->pair->configure;
    struct relay_options relay = {.server = app->server, .send = pair_send_piece, .arg = app};
    struct storage_pair_options pair = {.incarnation = c->incarnation,
                                        .host = c->host,
                                        .strict = c->strict,
                                        .listen_file = app->pair_listener,
                                        .peer = or_null(c->peer),
                                        .certificate = c->certificate,
                                        .key = c->key,
                                        .ca = c->ca,
                                        .peer_name = c->peer_name,
                                        .ping_ms = c->ping_ms,
                                        .silence_ms = c->silence_ms,
                                        .evict_ms = c->evict_ms,
                                        .hold_down_ms = c->hold_down_ms};
    enum err_code rc;

    if (!pair_is_paired(app->pair)) {
        return storage_open(options, &app->storage, err);
    }
    memcpy(pair.cluster_id, c->cluster_id, STORAGE_ID_SIZE);
    rc = relay_new(&relay, &app->relay, err);
    if (rc == ERR_OK && c->resync) {
        log_fields(LOG_LEVEL_WARNING, "pair", "set_aside", LOG_TEXT("dir", options->dir));
        rc = storage_set_aside(options, err);
    }
    if (rc == ERR_OK) {
        app->pair_listener = -1; /* the storage's from here on */
        rc = storage_open_pair(options, &pair, &app->storage, err);
    }
    if (rc == ERR_OK) {
        storage_pair_listen(app->storage, pair_on_report, pair_on_data, app);
    }
    return rc;
}

/* What this process holds: the supervisor decides upon it. */
static void tell_up(struct app *app)
{
    struct contract_message message = {.type = CONTRACT_UP};
    struct contract_up *up = &message.u.up;

    up->incarnation = app->pair->configure.incarnation;
    if (pair_is_paired(app->pair)) {
        struct message_state state;

        storage_pair_state(app->storage, &state);
        memcpy(up->store_id, state.store_id, CONTRACT_ID_SIZE);
        up->lineage = state.lineage;
        up->promised = state.promised;
        up->last_epoch = state.last.epoch;
        up->last_lsn = state.last.lsn;
    } else {
        struct storage_status status;

        storage_status(app->storage, &status);
        memcpy(up->store_id, status.store_id, CONTRACT_ID_SIZE);
        up->promised = status.epoch;
        up->last_epoch = status.epoch;
        up->last_lsn = status.lsn_last;
    }
    app->pair->state = CONTRACT_RUNNING;
    pair_tell(app, &message);
}

enum err_code app_pair_begin(struct app *app, struct err *err)
{
    struct pair *pair = app->pair;

    if (pair == NULL) {
        return ERR_OK;
    }
    pair_secrets_read(app);
    pair->readable = event_new(app->base, pair->socket, EV_READ | EV_PERSIST, on_readable, app);
    if (pair->readable == NULL || event_add(pair->readable, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "contract");
    }
    move_begin(app, MOVE_NONE);
    tell_up(app);
    return ERR_OK;
}

/* Each task's count of turns; one that stands still is a hang, which the supervisor ends. */
static void check_in(struct app *app)
{
    struct contract_message message = {.type = CONTRACT_CHECKIN};
    uint64_t *turns = message.u.checkin.turns;
    struct storage_pair_status pair_status = {.turn_count = app->turns};
    struct storage_status status;

    storage_status(app->storage, &status);
    if (pair_is_paired(app->pair)) {
        storage_pair_status(app->storage, &pair_status);
    }
    turns[CONTRACT_TASK_LOOP] = app->turns;
    turns[CONTRACT_TASK_WRITER] = status.turn_counts[0];
    turns[CONTRACT_TASK_SYNCER] = status.turn_counts[1];
    turns[CONTRACT_TASK_CHECKPOINTER] = status.turn_counts[2];
    turns[CONTRACT_TASK_REPLICATION] = pair_status.turn_count;
    turns[CONTRACT_TASK_OUTBOX] = app_slack_turns(app);
    if (app->pair->pending_count == 0) {
        (void)pair_send(app->pair, &message); /* the next one says the same */
    }
}

void app_pair_tick(struct app *app, uint64_t now)
{
    struct pair *pair = app->pair;

    if (pair == NULL) {
        return;
    }
    pair_flush(pair);
    if (now >= pair->checkin_ms) {
        pair->checkin_ms = now + pair->configure.checkin_ms / 4;
        check_in(app);
    }
    if (app->relay != NULL) {
        relay_tick(app->relay, now);
    }
    if (pair_is_paired(pair)) {
        pair_secrets_tick(app, now);
    }
    app_pair_work(app);
}

const struct contract_summary *app_pair_summary(const struct app *app)
{
    return app->pair != NULL && app->pair->summary_known ? &app->pair->summary : NULL;
}

void app_pair_reloaded(struct app *app)
{
    if (app->pair != NULL) {
        pair_secrets_read(app);
    }
}

bool app_pair_is_paired(const struct app *app)
{
    return app->pair != NULL && pair_is_paired(app->pair);
}

bool app_pair_is_held(const struct app *app)
{
    const struct pair *pair = app->pair;

    return pair != NULL && pair_is_paired(pair) && pair->configure.strict && pair->lead &&
           pair->granted_alone;
}

uint32_t app_pair_evict_ms(const struct app *app)
{
    return app->pair->configure.evict_ms;
}

void app_pair_free(struct app *app)
{
    struct pair *pair = app->pair;

    relay_free(app->relay);
    app->relay = NULL;
    if (pair == NULL) {
        return;
    }
    if (pair->readable != NULL) {
        event_free(pair->readable);
    }
    (void)close(pair->socket); /* what was to be said is said */
    mem_free(pair->pending);
    mem_free(pair);
    app->pair = NULL;
}

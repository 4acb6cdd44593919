/* SPDX-License-Identifier: Apache-2.0 */
/* app_move.c: the steps of a planned handover, on both hosts (docs/pair.md, 11).
 * Owns the requests that are held while nobody may answer them.
 * Never decides that the pair moves; never drops a request: each is answered here, after the move,
 * or by the peer. */
#include "approvald/app_pair_internal.h"
#include "approvald/http/server.h"
#include "approvald/relay.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/pair.h"
#include "storage/storage.h"

#define HELD_COUNT_MAX    HTTP_REQUEST_COUNT_MAX
#define TAKE_OVER_WAIT_MS 5000 /* requests that come before we serve are kept so long */
#define RELAY_PERIOD_MS   5000 /* so long clients may still reach the host that has handed over */

static bool hold(void *arg, struct http_request *request)
{
    struct app *app = arg;
    struct pair *pair = app->pair;

    if (pair->move == MOVE_RELAYING) {
        relay_request_take(app->relay, request);
        pair_tell_relaying(app);
        return true;
    }
    if (pair->held_count == HELD_COUNT_MAX) {
        return false;
    }
    pair->held[pair->held_count++] = request;
    return true;
}

void move_begin(struct app *app, enum move move)
{
    struct pair *pair = app->pair;
    bool holds = move != MOVE_NONE;

    pair->move = move;
    pair->move_ms = clock_boot_ms(clock_host());
    http_server_hold(app->server, holds ? HTTP_ON_SERVICE : 0, holds ? hold : NULL, app);
    http_server_set_closing(app->server, move == MOVE_RELAYING || move == MOVE_OFFERED ||
                                             app->serving == APP_RESTING);
}

/* What was held goes to its handlers, or to the peer. */
static void release_held(struct app *app)
{
    struct pair *pair = app->pair;
    uint32_t count = pair->held_count;

    pair->held_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct http_request *request = pair->held[i];

        if (pair->move == MOVE_RELAYING) {
            relay_request_take(app->relay, request);
        } else {
            http_request_go_on(request);
        }
    }
    pair_tell_relaying(app);
}

void move_serve(struct app *app)
{
    struct err err = ERR_INIT;

    if (app->serving == APP_RESTING && app_serve_start(app, &err) != ERR_OK) {
        app_fail(app, &err);
        return;
    }
    app_serve_go_on(app);
    move_begin(app, MOVE_NONE);
    http_server_resume(app->server);
    release_held(app);
}

static void finish_quieting(struct app *app)
{
    if (!app_serve_is_quiet(app)) {
        return;
    }
    app_serve_stop(app);
    move_begin(app, MOVE_OFFERED);
    storage_handover(app->storage);
}

static void finish_offer(struct app *app)
{
    struct pair *pair = app->pair;
    struct storage_pair_status status;

    storage_pair_status(app->storage, &status);
    if (status.role == REPLICA_STANDBY) {
        log_fields(LOG_LEVEL_INFO, "pair", "handed_over", LOG_NUMBER("epoch", status.epoch),
                   LOG_NUMBER("relayed", pair->held_count));
        move_begin(app, MOVE_RELAYING);
        release_held(app);
    } else if (pair->move == MOVE_TAKING_BACK && status.role == REPLICA_PRIMARY &&
               status.turn_count >= pair->turn) {
        move_serve(app);
    }
}

static void finish_relaying(struct app *app, uint64_t now)
{
    if (now > app->pair->move_ms + RELAY_PERIOD_MS && relay_count(app->relay) == 0) {
        move_begin(app, MOVE_NONE);
    }
}

/* The peer's offer has come to nothing: what was held is told that this is the standby. */
static void finish_taking_over(struct app *app, uint64_t now)
{
    if (now > app->pair->move_ms + TAKE_OVER_WAIT_MS) {
        move_begin(app, MOVE_NONE);
        release_held(app);
    }
}

void move_hand_over(struct app *app)
{
    if (app->serving == APP_SERVING && app->pair->move == MOVE_NONE) {
        move_begin(app, MOVE_QUIETING);
        app_serve_quiet(app);
    }
}

/* The peer may take over this very moment: nothing is begun before the storage has taken the word
 * in. One of its turns may be under way, which no longer looks at commands. */
static void take_back(struct app *app)
{
    struct storage_pair_status status;

    storage_resume(app->storage);
    storage_pair_status(app->storage, &status);
    app->pair->turn = status.turn_count + 2;
    move_begin(app, MOVE_TAKING_BACK);
}

void move_resume(struct app *app)
{
    struct pair *pair = app->pair;

    if (pair->move == MOVE_QUIETING) {
        struct storage_status status;

        storage_status(app->storage, &status);
        log_fields(LOG_LEVEL_WARNING, "pair", "not_drained",
                   LOG_NUMBER("requests", http_server_handled_count(app->server)),
                   LOG_NUMBER("held", pair->held_count),
                   LOG_TEXT("slack", app_slack_is_idle(app) ? "idle" : "busy"),
                   LOG_NUMBER("jobs", status.queue_count));
        move_serve(app);
    } else if (pair->move == MOVE_OFFERED) {
        take_back(app);
    }
}

void move_work(struct app *app, uint64_t now)
{
    switch (app->pair->move) {
    case MOVE_QUIETING:
        finish_quieting(app);
        break;
    case MOVE_OFFERED:
    case MOVE_TAKING_BACK:
        finish_offer(app);
        break;
    case MOVE_RELAYING:
        finish_relaying(app, now);
        break;
    case MOVE_TAKING_OVER:
        finish_taking_over(app, now);
        break;
    case MOVE_NONE:
        break;
    }
}

/* Before the http server and the storage end: whoever is held is told. */
void app_pair_drain(struct app *app)
{
    struct pair *pair = app->pair;

    if (pair == NULL) {
        return;
    }
    move_begin(app, MOVE_NONE);
    for (uint32_t i = 0; i < pair->held_count; i++) {
        http_problem(pair->held[i], &(struct http_problem){.status = 503,
                                                           .detail = "This process is stopping.",
                                                           .retry_after_s = 1});
    }
    pair->held_count = 0;
    if (app->relay != NULL) {
        relay_link_down(app->relay);
    }
}

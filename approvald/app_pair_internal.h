/* SPDX-License-Identifier: Apache-2.0 */
/* app_pair_internal.h: what the files of approvald under a supervisor share: app_pair.c (the
 * contract's messages), app_pair_tell.c (reports and what is told), app_pair_secrets.c (whether
 * both have the same), app_move.c (the steps of a planned handover). Nobody else includes it. */
#ifndef APPROVALD_APP_PAIR_INTERNAL_H
#define APPROVALD_APP_PAIR_INTERNAL_H

#include "approvald/app_internal.h"
#include "approvald/http/limits.h"
#include "approvald/pair_secrets.h"
#include "base/span.h"
#include "storage/replica.h"
#include "supervisor/contract.h"

#include <stdbool.h>
#include <stdint.h>

#define PAIR_PENDING_COUNT 64U /* messages that wait for the socket, which holds some itself */

#define PAIR_PEER_KIND 1U /* data of the supervisors; relay.h has the other kinds */

struct http_request;

enum move {
    MOVE_NONE,
    MOVE_QUIETING,    /* we hand over: new requests are held, begun ones are answered */
    MOVE_OFFERED,     /* drained; the peer may take over */
    MOVE_TAKING_BACK, /* called off after the offer: the peer has taken over, or we go on */
    MOVE_RELAYING,    /* it has: what still arrives here is passed on */
    MOVE_TAKING_OVER, /* the peer has offered: what arrives early is held */
};

struct pair {
    int socket; /* owned */
    struct event *readable;
    enum contract_state state;
    struct contract_configure configure;
    struct contract_summary summary;
    bool summary_known;
    bool link_news; /* the link's state is to be told */
    struct replica_link link;
    bool lead;          /* the storage leads: serve */
    bool granted_alone; /* the last grant's ISR is this host: a strict pair does not serve */
    uint64_t epoch;     /* granted */
    enum move move;
    bool relaying;    /* as the supervisor was told last */
    uint64_t move_ms; /* since when */
    uint64_t turn;    /* TAKING_BACK: in this turn the storage has heard of it */
    struct http_request *held[HTTP_REQUEST_COUNT_MAX]; /* in order of arrival */
    uint32_t held_count;
    uint64_t checkin_ms;
    struct pair_secrets secrets;      /* this host's */
    struct pair_secrets peer_secrets; /* count 0: not heard since the link came up */
    uint64_t secrets_ms;              /* ours are told when it comes */
    struct contract_message *pending; /* owned ring */
    uint32_t pending_first;
    uint32_t pending_count;
};

static inline bool pair_is_paired(const struct pair *pair)
{
    return pair->configure.mode == CONTRACT_PAIR;
}

/* app_pair_tell.c. Messages to the supervisor, in order. */
void pair_tell(struct app *app, const struct contract_message *message);
void pair_tell_epoch(struct app *app, enum contract_type type, uint64_t epoch);
void pair_tell_link(struct app *app);
/* Whether calls that were passed on wait for the peer, when that has changed. */
void pair_tell_relaying(struct app *app);
/* True when the socket took it, or will never take it. */
bool pair_send(struct pair *pair, const struct contract_message *message);
void pair_flush(struct pair *pair);
/* For the storage; called inside storage_dispatch. */
void pair_on_report(void *arg, const struct replica_report *report);
void pair_on_data(void *arg, struct span data);
enum err_code pair_send_piece(void *arg, struct span data, struct err *err);

/* app_pair_secrets.c: marks of the secrets in force: after each load, and before it serves. */
void pair_secrets_read(struct app *app);
void pair_secrets_tick(struct app *app, uint64_t now_ms);
void pair_secrets_heard(struct app *app, struct span data);
/* Before pair->link is changed. */
void pair_secrets_link(struct pair *pair, bool up);

/* app_move.c */
void move_begin(struct app *app, enum move move);
void move_hand_over(struct app *app);
void move_resume(struct app *app);
/* The storage leads: serve, and let go what was held. */
void move_serve(struct app *app);
/* The next step, when it is due. */
void move_work(struct app *app, uint64_t now_ms);

#endif

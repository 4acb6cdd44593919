/* SPDX-License-Identifier: Apache-2.0 */
/* sup_child.c: turns what the child does into events, and the watch core's effects into system
 * calls.
 * Owns the child's descriptors. Never decides when to start, end or believe it. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void step(struct sup *sup, struct watch_event *event);

void sup_watch(struct sup *sup, enum watch_event_type type, const char *reason)
{
    struct watch_event event = {.type = type};

    (void)snprintf(event.u.reason, sizeof(event.u.reason), "%s", reason); /* cut is fine */
    step(sup, &event);
}

void sup_watch_later(struct sup *sup, enum watch_event_type type, const char *reason)
{
    if (!sup->trouble) { /* the first says why */
        sup->trouble = true;
        sup->trouble_type = type;
        (void)snprintf(sup->trouble_reason, sizeof(sup->trouble_reason), "%s", reason);
    }
}

void sup_watch_start(struct sup *sup)
{
    struct watch_event event = {.type = WATCH_EVENT_START};

    event.u.tally = sup->value.tally;
    step(sup, &event);
}

static void free_event(struct event **event)
{
    if (*event != NULL) {
        event_free(*event);
        *event = NULL;
    }
}

static void close_contract(struct sup *sup)
{
    free_event(&sup->contract);
    if (sup->contract_fd >= 0) {
        (void)close(sup->contract_fd);
        sup->contract_fd = -1;
    }
}

void sup_child_drop(struct sup *sup)
{
    close_contract(sup);
    free_event(&sup->ended);
    if (!child_end(&sup->child)) {
        log_fields(LOG_LEVEL_ERROR, "sup", "child_unkillable", LOG_NUMBER("pid", sup->child.pid));
    }
}

void sup_send(struct sup *sup, const struct contract_message *message)
{
    uint8_t packet[CONTRACT_SIZE_MAX];
    struct err err = ERR_INIT;
    size_t size;

    if (sup->contract_fd < 0 ||
        contract_move(&sup->contract_state, CONTRACT_SUPERVISOR, message->type, &err) != ERR_OK) {
        return; /* it is being ended, or not up yet: failover has been told, or will be */
    }
    size = contract_encode(message, packet);
    if (send(sup->contract_fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size ||
        errno == EPIPE || errno == ECONNRESET) {
        return; /* its end is told by the pidfd */
    }
    sup_watch_later(sup, WATCH_EVENT_BROKEN, "does not take our messages");
}

/* What the child says, as an event of the failover core. */
static void take_epoch(struct sup *sup, const struct contract_message *message)
{
    static const struct {
        enum contract_type from;
        enum failover_event_type to;
    } table[] = {
        {CONTRACT_SEALED, FAILOVER_EVENT_SEALED},       {CONTRACT_LEADING, FAILOVER_EVENT_LEADING},
        {CONTRACT_DEPOSED, FAILOVER_EVENT_DEPOSED},     {CONTRACT_DRAINED, FAILOVER_EVENT_DRAINED},
        {CONTRACT_TAKE_OVER, FAILOVER_EVENT_TAKE_OVER},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].from == message->type) {
            sup_queue(sup, table[i].to)->u.epoch = message->u.epoch;
        }
    }
}

static void take_proposal(struct sup *sup, const struct contract_message *message)
{
    struct failover_event *event =
        sup_queue(sup, message->type == CONTRACT_ADD ? FAILOVER_EVENT_ADD : FAILOVER_EVENT_REMOVE);

    event->u.proposal.epoch = message->u.proposal.epoch;
    event->u.proposal.slow = message->u.proposal.slow;
    memcpy(event->u.proposal.peer_store_id, message->u.proposal.peer_store_id, REGISTER_ID_SIZE);
}

static void take_link(struct sup *sup, const struct contract_link *link)
{
    struct failover_link *to = &sup_queue(sup, FAILOVER_EVENT_LINK)->u.link;
    bool was_up = sup->link_known && sup->link.up;

    sup->link = *link;
    sup->link_known = true;
    to->up = link->up;
    to->silent = link->silent;
    to->in_sync = link->in_sync;
    to->peer_leads = link->peer_leads;
    to->peer_epoch = link->peer_epoch;
    to->peer_promised = link->peer_promised;
    to->peer_incarnation = link->peer_incarnation;
    memcpy(to->peer_store_id, link->peer_store_id, REGISTER_ID_SIZE);
    to->peer_lineage = link->peer_lineage;
    to->peer_last_epoch = link->peer_last_epoch;
    to->peer_last_lsn = link->peer_last_lsn;
    to->last_epoch = link->last_epoch;
    to->last_lsn = link->lsn_last;
    if (sup->arbiter != NULL && was_up != link->up) {
        arbiter_peer_up(sup->arbiter, link->up);
        sup_fence_link(sup, link->up);
    }
}

static void take_up(struct sup *sup, const struct contract_up *up)
{
    if (up->incarnation != sup->incarnation) {
        sup_watch(sup, WATCH_EVENT_BROKEN, "is up under another incarnation");
        return;
    }
    sup->up = *up;
    sup->up_known = true;
    sup_watch(sup, WATCH_EVENT_READY, "");
}

static void take_checkin(struct sup *sup, const struct contract_checkin *checkin)
{
    struct watch_event event = {.type = WATCH_EVENT_CHECKIN};

    memcpy(event.u.turns, checkin->turns, sizeof(event.u.turns));
    step(sup, &event);
}

static void take_message(struct sup *sup, const struct contract_message *message)
{
    switch (message->type) {
    case CONTRACT_UP:
        take_up(sup, &message->u.up);
        break;
    case CONTRACT_CHECKIN:
        take_checkin(sup, &message->u.checkin);
        break;
    case CONTRACT_SEALED:
    case CONTRACT_LEADING:
    case CONTRACT_DEPOSED:
    case CONTRACT_DRAINED:
    case CONTRACT_TAKE_OVER:
        take_epoch(sup, message);
        break;
    case CONTRACT_ADD:
    case CONTRACT_REMOVE:
        take_proposal(sup, message);
        break;
    case CONTRACT_LINK:
        take_link(sup, &message->u.link);
        break;
    case CONTRACT_RELAYING:
        sup_queue(sup, FAILOVER_EVENT_RELAYING)->u.relaying = message->u.relaying;
        break;
    case CONTRACT_PEER:
        sup_take_peer(sup, &message->u.peer);
        break;
    case CONTRACT_RESYNC:
        log_fields(LOG_LEVEL_WARNING, "sup", "resync", LOG_TEXT("reason", message->u.reason));
        break;
    case CONTRACT_FAILED:
        sup_watch(sup, WATCH_EVENT_FAILED, message->u.reason);
        break;
    case CONTRACT_CONFIGURE:
    case CONTRACT_REGISTER:
    case CONTRACT_SEAL:
    case CONTRACT_GRANT:
    case CONTRACT_REFUSED:
    case CONTRACT_HANDOVER:
    case CONTRACT_RESUME:
    case CONTRACT_SUMMARY:
    case CONTRACT_STOP:
    case CONTRACT_TYPE_END:
        ASSERT(false); /* contract_move has refused it */
    }
}

static void take_packet(struct sup *sup, struct span packet)
{
    struct contract_message message;
    struct err err = ERR_INIT;

    if (contract_decode(packet, &message, &err) != ERR_OK ||
        contract_move(&sup->contract_state, CONTRACT_CHILD, message.type, &err) != ERR_OK) {
        sup_watch(sup, WATCH_EVENT_BROKEN, err.message);
        return;
    }
    take_message(sup, &message);
}

/* Four check-ins that did not come: far from a hang, but the peer may know more. */
uint64_t sup_quiet_deadline_ms(const struct sup *sup)
{
    uint64_t quiet_ms = watch_checkin_ms(&sup->watch) / 4;

    return sup->watch.state == WATCH_UP && !sup->quiet ? sup->heard_ms + quiet_ms : UINT64_MAX;
}

static void set_quiet(struct sup *sup, bool quiet)
{
    if (sup->quiet != quiet) {
        sup->quiet = quiet;
        sup_queue(sup, FAILOVER_EVENT_QUIET)->u.quiet = quiet;
    }
}

void sup_quiet_check(struct sup *sup, uint64_t now_ms)
{
    if (now_ms >= sup_quiet_deadline_ms(sup)) {
        set_quiet(sup, true);
    }
}

/* A new version of it, most likely: it runs, and takes turns, and does not serve. Not so while the
 * other host has to acknowledge and does not, nor in a strict pair that is not whole. */
static bool is_late_to_lead(const struct sup *sup, const struct failover_status *status, bool other)
{
    bool paired = sup_config_has_pair(sup->config);
    bool in_isr = paired && status->register_known &&
                  status->value.isr[host_other(sup_config_host(sup->config)) - 1].present;

    return sup->watch.state == WATCH_UP && !status->serving &&
           (status->role == FAILOVER_PRIMARY || status->role == FAILOVER_SEALING) &&
           (in_isr ? other : !sup_config_is_strict(sup->config));
}

void sup_lead_check(struct sup *sup, uint64_t now_ms)
{
    uint64_t limit_ms = sup_config_number(sup->config, "child", "lead");
    bool other = sup->link_known && sup->link.up && sup->link.in_sync;
    struct failover_status status;
    char reason[WATCH_REASON_SIZE];

    failover_status(sup->failover, &status);
    if (!is_late_to_lead(sup, &status, other)) {
        sup->lead_ms = 0;
    } else if (sup->lead_ms == 0) {
        sup->lead_ms = now_ms;
    } else if (now_ms - sup->lead_ms >= limit_ms) {
        sup->lead_ms = 0;
        (void)snprintf(reason, sizeof(reason), /* fits */
                       "does not answer %" PRIu64 " ms after it was to lead", limit_ms);
        sup_watch_later(sup, other ? WATCH_EVENT_UNFIT : WATCH_EVENT_BROKEN, reason);
    }
}

/* False: nothing more to read now. */
static bool read_packet(struct sup *sup)
{
    uint8_t packet[CONTRACT_SIZE_MAX + 1]; /* one more: a longer one is seen to be longer */
    ssize_t size = recv(sup->contract_fd, packet, sizeof(packet), MSG_DONTWAIT);

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (size < 0 && errno == ECONNRESET) {
        return true; /* told once, before what it had said: it ended without reading all of ours */
    }
    if (size <= 0) {
        free_event(&sup->contract);
        sup_watch(sup, WATCH_EVENT_CLOSED, "");
        return false;
    }
    sup->heard_ms = sup_now_ms();
    set_quiet(sup, false);
    take_packet(sup, span_of(packet, (size_t)size));
    return sup->contract != NULL; /* the step may have ended the child */
}

void sup_child_hear(struct sup *sup)
{
    for (size_t i = 0; i < SUP_MESSAGE_BACKLOG_MAX && sup->contract != NULL; i++) {
        if (!read_packet(sup)) {
            return;
        }
        if (sup->queue_count >= SUP_EVENT_COUNT_MAX / 2) {
            sup_pump(sup);
        }
    }
}

static void on_packet(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < SUP_MESSAGE_PASS_MAX && read_packet(sup); i++) {
        if (sup->queue_count >= SUP_EVENT_COUNT_MAX / 2) {
            break; /* the rest waits in the kernel */
        }
    }
    sup_pump(sup);
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;
    struct watch_event event = {.type = WATCH_EVENT_EXIT};

    (void)fd;
    (void)what;
    /* Its last words lie in the socket; a dead child adds none. */
    while (sup->contract != NULL && read_packet(sup)) {
        if (sup->queue_count >= SUP_EVENT_COUNT_MAX / 2) {
            sup_pump(sup);
        }
    }
    if (!child_reap(&sup->child, &event.u.exit.signalled, &event.u.exit.status)) {
        return;
    }
    close_contract(sup);
    free_event(&sup->ended);
    log_fields(LOG_LEVEL_INFO, "sup", "child_ended",
               LOG_NUMBER(event.u.exit.signalled ? "signal" : "code", event.u.exit.status));
    step(sup, &event);
    sup_pump(sup);
}

static void configure(struct sup *sup)
{
    struct contract_message message = {.type = CONTRACT_CONFIGURE};

    sup_config_configure(sup->config, &message.u.configure);
    message.u.configure.incarnation = sup->incarnation;
    message.u.configure.resync = sup->resync_next;
    sup->resync_next = false;
    memset(sup->summary, 0, sizeof(sup->summary));
    sup_send(sup, &message);
}

static enum err_code attach(struct sup *sup, int contract_take, struct err *err)
{
    sup->contract_fd = contract_take;
    sup->contract_state = CONTRACT_NEW;
    sup->contract = event_new(sup->base, contract_take, EV_READ | EV_PERSIST, on_packet, sup);
    sup->ended = event_new(sup->base, sup->child.pidfd, EV_READ | EV_PERSIST, on_ended, sup);
    if (sup->contract == NULL || sup->ended == NULL || event_add(sup->contract, NULL) != 0 ||
        event_add(sup->ended, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "child: events");
    }
    return ERR_OK;
}

static enum err_code start_child(struct sup *sup, int theirs, struct err *err)
{
    char *argv[] = {(char *)(uintptr_t)sup_config_text(sup->config, "", "program"), (char[]){"-c"},
                    (char *)(uintptr_t)sup_config_text(sup->config, "", "config"), NULL};
    struct child_socket sockets[SUP_SOCKET_COUNT_MAX];
    struct child_options options = {.argv = argv,
                                    .user = &sup->user,
                                    .sockets = sockets,
                                    .socket_count = sup->socket_count,
                                    .contract_fd = theirs,
                                    .output_fd = -1};

    for (size_t i = 0; i < sup->socket_count; i++) {
        sockets[i] = (struct child_socket){sup->sockets[i].fd, sup->sockets[i].name};
    }
    return child_start(&options, &sup->child, err);
}

static enum err_code fork_child(struct sup *sup, struct err *err)
{
    enum err_code rc;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        return err_set_errno(err, ERR_IO, errno, "contract");
    }
    rc = start_child(sup, pair[1], err);
    (void)close(pair[1]);
    if (rc != ERR_OK) {
        (void)close(pair[0]);
        return rc;
    }
    return attach(sup, pair[0], err);
}

static void perform_fork(struct sup *sup)
{
    struct err err = ERR_INIT;

    ASSERT(sup->child.pid == 0);
    sup->start_count++;
    sup->trouble = false; /* it was the last child's */
    sup->incarnation = sup_random();
    sup->reload_owed = false; /* it reads what there is now */
    sup->up_known = false;
    sup->link_known = false;
    if (fork_child(sup, &err) != ERR_OK) {
        log_err(LOG_LEVEL_ERROR, "sup", "start_failed", &err);
        sup_child_drop(sup);
        if (sup->child.pid != 0) {
            sup_fail(sup, &err); /* there must not be two */
        }
        sup_watch_later(sup, WATCH_EVENT_UNSTARTED, err.message);
        return;
    }
    log_fields(LOG_LEVEL_INFO, "sup", "child_started", LOG_NUMBER("pid", sup->child.pid),
               LOG_NUMBER("start", sup->start_count));
    configure(sup);
}

/* Before it is up the signal would end it. */
void sup_child_reload(struct sup *sup)
{
    if (sup->reload_owed && sup->up_known && sup->child.pid > 0) {
        sup->reload_owed = false;
        child_signal(&sup->child, SIGHUP);
    }
}

static void perform_up(struct sup *sup)
{
    struct failover_child *child = &sup_queue(sup, FAILOVER_EVENT_CHILD_UP)->u.child;

    sup_config_keep(sup->config, sup->file);
    sup_child_reload(sup);
    child->incarnation = sup->up.incarnation;
    memcpy(child->store_id, sup->up.store_id, REGISTER_ID_SIZE);
    child->lineage = sup->up.lineage;
    child->promised = sup->up.promised;
    child->last_epoch = sup->up.last_epoch;
    child->last_lsn = sup->up.last_lsn;
}

static void perform_down(struct sup *sup)
{
    sup->quiet = false; /* the core forgets it too */
    sup->link_known = false;
    sup->up_known = false;
    (void)sup_queue(sup, FAILOVER_EVENT_CHILD_DOWN); /* carries nothing */
    if (sup->arbiter != NULL) {
        arbiter_peer_up(sup->arbiter, false);
        sup_fence_link(sup, false);
    }
}

static void perform_crashed(struct sup *sup, const struct watch_crash *crash)
{
    log_fields(LOG_LEVEL_ERROR, "sup", "child_crashed",
               LOG_TEXT("cause", watch_cause_word(crash->cause)),
               LOG_TEXT("reason", crash->reason));
    sup->value.tally = sup->watch.tally;
    sup_remember(sup);
}

static void perform_safe(struct sup *sup, bool on, const char *reason)
{
    if (sup_config_has_pair(sup->config)) { /* a single host has nobody to leave the lead to */
        struct failover_event *event = sup_queue(sup, FAILOVER_EVENT_SAFE_MODE);

        event->u.safe.on = on;
        (void)snprintf(event->u.safe.reason, sizeof(event->u.safe.reason), "%s", reason); /* fits */
    }
    log_fields(on ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "sup", on ? "safe_mode_on" : "safe_mode_off",
               LOG_TEXT("reason", reason));
    if (!on) {
        sup->value.tally = sup->watch.tally;
        sup_remember(sup);
    }
}

static void perform(struct sup *sup, const struct watch_effect *effect)
{
    struct contract_message stop = {.type = CONTRACT_STOP};

    switch (effect->type) {
    case WATCH_EFFECT_FORK:
        perform_fork(sup);
        break;
    case WATCH_EFFECT_TERM:
        sup_send(sup, &stop);
        child_signal(&sup->child, SIGTERM);
        break;
    case WATCH_EFFECT_KILL:
        child_signal(&sup->child, SIGKILL);
        close_contract(sup);
        break;
    case WATCH_EFFECT_UP:
        perform_up(sup);
        break;
    case WATCH_EFFECT_DOWN:
        perform_down(sup);
        break;
    case WATCH_EFFECT_CRASHED:
        perform_crashed(sup, &effect->u.crash);
        break;
    case WATCH_EFFECT_SAFE_ON:
        perform_safe(sup, true, effect->u.reason);
        break;
    case WATCH_EFFECT_SAFE_OFF:
        perform_safe(sup, false, "");
        break;
    case WATCH_EFFECT_STOPPED:
        (void)event_base_loopbreak(sup->base); /* the loop is running */
        break;
    }
}

/* The watch core's effects are carried out at once: a kill must not wait behind anything. After
 * sup_fail there is no child any more, and none is started. */
static void step(struct sup *sup, struct watch_event *event)
{
    struct watch_effects effects;

    event->now_ms = sup_now_ms();
    event->wall_ms = clock_wall_ms(clock_host());
    event->random = sup_random();
    if (sup->failure.code != ERR_OK) {
        return;
    }
    watch_step(&sup->watch, event, &effects);
    for (size_t i = 0; i < effects.count && sup->failure.code == ERR_OK; i++) {
        perform(sup, &effects.items[i]);
    }
}

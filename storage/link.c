/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: the replication thread: turns of poll, the steps of the core, and what follows from them.
 * Owns the order of a turn: what has come from the engine, the caller and the peer is looked at
 * before the clock is, so that a host that was busy does not take its peer for silent; and all that
 * a turn has to say leaves at its end.
 * Never decides about records or roles, never waits but in poll and for the disk. */
#include "storage/link_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/tls_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void link_follow_up(struct link *link, const struct replica_event *event)
{
    size_t at = (link->followup_first + link->followup_count) % LINK_FOLLOWUP_COUNT_MAX;

    ASSERT(link->followup_count < LINK_FOLLOWUP_COUNT_MAX);
    link->followups[at] = *event;
    link->followup_count++;
}

static bool take_follow_up(struct link *link, struct replica_event *ret_event)
{
    if (link->followup_count == 0) {
        return false;
    }
    *ret_event = link->followups[link->followup_first];
    link->followup_first = (link->followup_first + 1) % LINK_FOLLOWUP_COUNT_MAX;
    link->followup_count--;
    return true;
}

/* What a connection was at ends with it: the core must not hear of it afterwards. */
static void forget_sent(struct link *link)
{
    size_t count = link->followup_count;
    struct replica_event event;

    for (size_t i = 0; i < count && take_follow_up(link, &event); i++) {
        if (event.type != REPLICA_EVENT_SHIPPED && event.type != REPLICA_EVENT_SNAPSHOT_SENT) {
            link_follow_up(link, &event);
        }
    }
}

/* Cut: it is for people. */
static void set_reason(struct link *link, const char *reason)
{
    size_t size = strnlen(reason, sizeof link->drop_reason - 1);

    memcpy(link->drop_reason, reason, size);
    link->drop_reason[size] = '\0';
}

void link_failed(struct link *link, const struct err *failure)
{
    struct message message = {.type = MESSAGE_BYE};

    if (!link->dead) {
        log_err(LOG_LEVEL_ERROR, "link", "storage_failed", failure);
        set_reason(link, failure->message);
        message.u.bye.reason = span_text(failure->message);
        link_queue(link, &message);
    }
    link->dead = true;
    link->notify = true;
}

void link_drop(struct link *link, const char *reason)
{
    if (link->conn.state == CONN_UP && !link->drop) {
        link->drop = true;
        set_reason(link, reason);
        link_send_stop(link);
    }
}

static void take_down(struct link *link)
{
    /* A peer that refuses each connection alike is worth one line, not ten a second. */
    if ((link->greeted || !link->dial_logged) && !link->quiet) {
        log_fields(LOG_LEVEL_WARNING, "link", "down", LOG_TEXT("reason", link->drop_reason));
    }
    link->dial_logged = link->dial_logged || !link->greeted;
    link->greeted = false;
    forget_sent(link);
    link_conn_close(link);
    link->append_frame = 0;
    link->stalled_ms = 0;
    link->drop = false;
    link->read_ended = false;
    link->write_ended = false;
    link_mail_set_up(&link->mail, false);
}

static bool same_position(const struct record_position *a, const struct record_position *b)
{
    return a->lsn == b->lsn && a->epoch == b->epoch &&
           memcmp(a->hash, b->hash, STORAGE_HASH_SIZE) == 0;
}

static bool same_local(const struct replica_local *a, const struct replica_local *b)
{
    return same_position(&a->last, &b->last) && same_position(&a->durable, &b->durable) &&
           same_position(&a->applied, &b->applied) && a->lsn_commit == b->lsn_commit &&
           a->sync_slow == b->sync_slow;
}

/* What the engine has to say that the core does not know. */
static bool take_news(struct link *link, struct replica_event *ret_event)
{
    struct engine_news *news = &link->news;

    engine_news(link->storage, news);
    if (news->failed) {
        link_failed(link, &news->failure);
        return false;
    }
    if (!link->local_told || !same_local(&link->local, &news->local)) {
        link->local = news->local;
        link->local_told = true;
        ret_event->type = REPLICA_EVENT_LOCAL;
        ret_event->u.local = news->local;
        return true;
    }
    if (news->epoch_begun > link->epoch_begun_told) {
        link->epoch_begun_told = news->epoch_begun;
        ret_event->type = REPLICA_EVENT_EPOCH_BEGUN;
        ret_event->u.epoch = news->epoch_begun;
        return true;
    }
    if (news->echo_wanted > replica_ping_sequence(link->replica) &&
        news->echo_wanted != link->read_told) {
        link->read_told = news->echo_wanted;
        ret_event->type = REPLICA_EVENT_READ;
        return true;
    }
    return false;
}

static bool next_event(struct link *link, struct replica_event *ret_event)
{
    if (link->drop) {
        take_down(link);
        ret_event->type = REPLICA_EVENT_LINK_DOWN;
        return true;
    }
    return take_follow_up(link, ret_event) || take_news(link, ret_event);
}

static void step(struct link *link, struct replica_event *event)
{
    link->now_ms = clock_boot_ms(link->clock);
    event->now_ms = link->now_ms;
    event->wall_ms = clock_wall_ms(link->clock);
    replica_step(link->replica, event, &link->effects);
    for (size_t i = 0; i < link->effects.count && !link->dead; i++) {
        link_perform(link, &link->effects.items[i]);
    }
}

static void settle(struct link *link)
{
    struct replica_event event;
    size_t count = 0;

    while (!link->dead && count < LINK_STEP_COUNT_MAX && next_event(link, &event)) {
        step(link, &event);
        count++;
    }
    link->busy = link->busy || count == LINK_STEP_COUNT_MAX;
}

void link_feed(struct link *link, struct replica_event *event)
{
    if (!link->dead) {
        step(link, event);
        settle(link);
    }
}

void link_conn_ready(struct link *link, struct link_conn *conn)
{
    struct replica_event event = {.type = REPLICA_EVENT_LINK_UP};

    if (link->conn.state == CONN_UP) {
        link_drop(link, "the peer has connected anew");
        settle(link);
    }
    if (link->dead || link->conn.state != CONN_NONE) {
        return; /* the end is near: its turn closes everything */
    }
    link->conn = *conn;
    link->conn.state = CONN_UP;
    memset(conn, 0, sizeof *conn);
    conn->file = -1;
    link->conn_count++;
    link->heard_ms = link->now_ms;
    if (link->conn.hello_size > 0) {
        memcpy(link_buf_extend(&link->in, link->conn.hello_size), link->conn.hello,
               link->conn.hello_size);
    }
    link_feed(link, &event);
}

/* When a connection that cannot be read is given up: what was received is not taken, or the log has
 * no room. What the peer says of commits stands behind the records, and only what is committed
 * makes room: the next session begins with it. */
static uint64_t stall_deadline_ms(const struct link *link)
{
    uint64_t silence_ms = link->options.silence_ms;
    uint64_t data_ms =
        link->stalled_ms == 0 ? UINT64_MAX : link->stalled_ms + silence_ms / LINK_DATA_STALL_SHARE;
    uint64_t log_ms = link->append_frame == 0 ? UINT64_MAX : link->append_ms + silence_ms;

    return data_ms < log_ms ? data_ms : log_ms;
}

/* The frame is whole: may it be handled now? */
static bool has_room(struct link *link, struct span frame)
{
    bool data = (uint8_t)frame.data[4] == MESSAGE_DATA;

    if (link_mail_has_room(&link->mail, data)) {
        link->stalled_ms = 0;
        return true;
    }
    link->stalled_ms = link->stalled_ms == 0 ? link->now_ms : link->stalled_ms;
    if (link->now_ms >= stall_deadline_ms(link)) {
        link_drop(link, "what was received is not taken in time");
    }
    return false;
}

/* The peer ends the connection, and says why. Its words are shown, not trusted. */
static void part(struct link *link, struct span reason)
{
    char text[REPLICA_REASON_SIZE];
    size_t size = reason.size < sizeof text - 1 ? reason.size : sizeof text - 1;

    for (size_t i = 0; i < size; i++) {
        bool shown = reason.data[i] >= ' ' && reason.data[i] <= '~';

        text[i] = (char)(shown ? reason.data[i] : '?');
    }
    text[size] = '\0';
    link_drop(link, text);
}

/* The core has taken the peer for what it says. */
static void greet(struct link *link)
{
    struct replica_link seen;

    replica_link(link->replica, &seen);
    if (seen.up && !link->greeted) {
        link->greeted = true;
        link->dial_logged = false;
        link->backoff_ms = LINK_BACKOFF_MS_MIN;
        if (!link->quiet) {
            log_fields(LOG_LEVEL_INFO, "link", "up", LOG_NUMBER("connection", link->conn_count),
                       LOG_TEXT("suite", tls_peer_suite(link->conn.tls)));
        }
        link->quiet = false;
    }
}

static void handle(struct link *link, struct span frame, const struct message *message)
{
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE};
    uint64_t conn = link->conn_count;

    ASSERT(link->conn.state == CONN_UP && !link->handling);
    link->handling = true;
    event.u.message = message;
    link_feed(link, &event);
    link->handling = false;
    if (link->conn.state != CONN_UP || link->conn_count != conn) {
        return; /* the frame has gone with its connection */
    }
    greet(link);
    if (message->type == MESSAGE_BYE) {
        part(link, message->u.bye.reason);
    }
    if (link->append_frame == 0) {
        link_buf_consume(&link->in, frame.size);
    }
}

/* One frame; false: none can be handled now. */
static bool handle_first(struct link *link)
{
    struct message message;
    struct err failure = ERR_INIT;
    struct span frame;
    enum err_code rc;

    if (link->conn.state != CONN_UP || link->drop || link->dead || link->append_frame > 0) {
        return false;
    }
    rc = link_frame_first(link_buf_span(&link->in), &frame, &failure);
    if (rc == ERR_NOT_FOUND || (rc == ERR_OK && !has_room(link, frame))) {
        return false;
    }
    if (rc == ERR_OK) {
        rc = message_decode(frame, &message, &failure);
    }
    if (rc != ERR_OK) {
        link_drop(link, failure.message);
        return false;
    }
    handle(link, frame, &message);
    return true;
}

static void hear(struct link *link)
{
    link_conn_read(link);
    while (handle_first(link)) {
    }
    if (link->read_ended) {
        link_drop(link, link->end.message); /* the peer has not said why */
    }
    if (link->conn.state == CONN_UP && !link->drop &&
        link->now_ms >= link->heard_ms + link->options.silence_ms) {
        link_drop(link, "nothing was heard for too long");
    }
    if (link->append_frame > 0 && link->now_ms >= stall_deadline_ms(link)) {
        link_drop(link, "the log has no room for too long");
    }
    settle(link);
}

static void take_commands(struct link *link)
{
    struct replica_event command;

    while (!link->dead && link_mail_has_room(&link->mail, false) &&
           link_mail_take_command(&link->mail, &command)) {
        link_feed(link, &command);
    }
}

static void tick(struct link *link)
{
    struct replica_event event = {.type = REPLICA_EVENT_TICK};

    link->now_ms = clock_boot_ms(link->clock);
    if (link->now_ms >= replica_deadline_ms(link->replica)) {
        link_feed(link, &event);
    }
}

static void work(struct link *link)
{
    settle(link);
    link_conn_flush(link); /* a lone record: the peer's disk is to work while this host looks on */
    take_commands(link);
    link_conn_step(link);
    if (link->append_frame > 0 && link->news.room) {
        link_append_more(link);
        settle(link);
    }
    hear(link);
    tick(link);
    link_pump(link);
    settle(link);
    link_conn_flush(link);
    if (link->drop) {
        settle(link);
    }
}

/* How old the oldest record is that the other log lacks: exact to one round of the mark. */
static uint64_t lag_age_ms(struct link *link, uint64_t lsn_last, uint64_t lsn_done)
{
    if (lsn_done >= lsn_last) {
        link->lag_lsn_mark = 0;
        return 0;
    }
    if (link->lag_lsn_mark == 0 || lsn_done >= link->lag_lsn_mark) {
        link->lag_lsn_mark = lsn_last;
        link->lag_since_ms = link->now_ms;
    }
    return link->now_ms - link->lag_since_ms;
}

void link_publish(struct link *link)
{
    const struct replica *replica = link->replica;
    struct storage_pair_status status = {.role = replica_role(replica),
                                         .epoch = replica_epoch(replica),
                                         .promised = replica_promised(replica),
                                         .lineage = replica_lineage(replica),
                                         .peer_required = replica_requires_peer(replica),
                                         .sent_size = link->sent_size,
                                         .received_size = link->received_size,
                                         .snapshot_count = link->snapshot_count,
                                         .incarnation = link->options.incarnation,
                                         .host = link->options.host};
    uint64_t lsn_last = link->news.local.last.lsn;
    uint64_t retry_ms = replica_snapshot_retry_ms(replica);
    struct tls_validity validity;
    uint64_t lsn_done;

    replica_link(replica, &status.link);
    (void)snprintf(status.phase, sizeof status.phase, "%s", replica_phase(replica));
    lsn_done =
        status.role == REPLICA_PRIMARY ? status.link.lsn_acked : link->news.local.applied.lsn;
    lsn_done = status.role == REPLICA_IDLE ? lsn_last : lsn_done;
    status.lag_lsn = lsn_done < lsn_last ? lsn_last - lsn_done : 0;
    status.lag_ms = lag_age_ms(link, lsn_last, lsn_done);
    if (retry_ms != 0) {
        memcpy(status.snapshot_refused, link->snapshot_refused, sizeof status.snapshot_refused);
        status.snapshot_retry_ms = retry_ms > link->now_ms ? retry_ms - link->now_ms : 0;
    }
    tls_identity_validity(link->identity, &validity);
    status.certificate_not_after_s = validity.not_after_s;
    status.ca_not_after_s = validity.ca_not_after_s;
    link_mail_set_up(&link->mail, status.link.up);
    link_mail_publish(&link->mail, &status);
}

static uint64_t earliest_ms(const struct link *link)
{
    uint64_t deadline_ms = link_conn_deadline_ms(link);
    uint64_t others[] = {replica_deadline_ms(link->replica), link_pump_deadline_ms(link),
                         stall_deadline_ms(link)};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        deadline_ms = others[i] < deadline_ms ? others[i] : deadline_ms;
    }
    return deadline_ms;
}

/* Milliseconds that poll may wait. */
static int wait_ms(const struct link *link)
{
    uint64_t now_ms = clock_boot_ms(link->clock);
    uint64_t deadline_ms = link->dead ? UINT64_MAX : earliest_ms(link);
    uint64_t most_ms = STORAGE_DISK_CHECK_MS; /* the turn counter goes on all the same */

    if (!link->dead && (link->busy || link_conn_pending(link))) {
        return 0;
    }
    if (deadline_ms <= now_ms) {
        return 0;
    }
    return (int)(deadline_ms - now_ms < most_ms ? deadline_ms - now_ms : most_ms);
}

static void wait_for_work(struct link *link)
{
    struct pollfd files[1 + LINK_POLL_COUNT_MAX] = {{.fd = link->wake, .events = POLLIN}};
    size_t count = link->dead ? 1 : 1 + link_conn_poll(link, files + 1);
    eventfd_t value;
    bool rests = link->dead || engine_rests(link->storage);
    int ready = poll(files, count, rests ? wait_ms(link) : 0);

    ASSERT(ready >= 0 || errno == EINTR);
    if (ready > 0 && files[0].revents != 0) {
        (void)eventfd_read(link->wake, &value); /* it is set, so this cannot block */
    }
    if (ready >= 0) {
        link_conn_polled(link, files + 1, count - 1);
    }
    engine_awake(link->storage);
    link->now_ms = clock_boot_ms(link->clock);
    link->busy = false;
}

/* The engine has failed, or the process ends: the peer is told, if it listens, and that was it. */
static void end_connection(struct link *link)
{
    if (link->conn.state == CONN_UP) {
        link_send_stop(link);
        take_down(link);
    }
}

/* This host stops: the peer is told, and ends the connection itself. Ended here, with something
 * from it not read, it would be reset, and the word lost. */
static void leave(struct link *link)
{
    struct replica_event event = {.type = REPLICA_EVENT_LEAVE};
    uint64_t end_ms = clock_boot_ms(link->clock) + LINK_LEAVE_MS_MAX;

    link_append_forget(link);
    link->stalled_ms = 0;
    step(link, &event);
    while (link->conn.state == CONN_UP && !link->drop && !link->read_ended &&
           link->now_ms < end_ms) {
        struct pollfd file = {.fd = tls_peer_file(link->conn.tls), .events = POLLIN};

        link_conn_flush(link);
        if (link_buf_size(&link->out) > 0) {
            file.events |= POLLOUT;
        }
        (void)poll(&file, 1, (int)(end_ms - link->now_ms)); /* a failure is read below */
        link_buf_clear(&link->in);
        link_conn_read(link);
        link->now_ms = clock_boot_ms(link->clock);
    }
    set_reason(link, "this host stops");
}

static void *link_main(void *arg)
{
    struct link *link = arg;

    while (!link_mail_stopped(&link->mail)) {
        wait_for_work(link);
        if (!link->dead) {
            work(link);
        }
        if (link->dead) {
            end_connection(link);
        }
        link_publish(link);
        if (link->notify) {
            link->notify = false;
            engine_notify(link->storage);
        }
    }
    if (!link->dead) {
        leave(link);
    }
    link->dead = true;
    end_connection(link);
    return NULL;
}

int link_thread_start(struct link *link)
{
    return thread_start(&link->thread, link_main, link);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* link_send.c: what goes out over the link: messages, records, a snapshot, data.
 * Owns the order of the one queue and how full bulk may make it. Never reads the connection, never
 * decides what the peer should get. */
#include "storage/link_internal.h"

#include "base/assert.h"

#include <string.h>

static bool has_bulk_room(const struct link *link)
{
    return link->conn.state == CONN_UP && !link->drop && !link->write_ended &&
           link_buf_size(&link->out) < LINK_BULK_SIZE;
}

void link_queue(struct link *link, const struct message *message)
{
    size_t size = message_size(message);

    if (link->conn.state != CONN_UP || link->drop || link->write_ended) {
        return; /* what the core said to a link that has just gone */
    }
    if (size > link_buf_room(&link->out)) {
        link_drop(link, "the peer does not take what is sent");
        return;
    }
    message_encode(message, link_buf_extend(&link->out, size));
}

static void shipped(struct link *link, bool gone)
{
    struct replica_event event = {.type = REPLICA_EVENT_SHIPPED};

    event.u.shipped.lsn_next = link->ship.lsn;
    event.u.shipped.gone = gone;
    link->ship.active = false;
    link_follow_up(link, &event);
}

/* One message of records. */
static void ship_some(struct link *link)
{
    const struct engine_ship ship = {
        .lsn = link->ship.lsn, .at = link->scratch, .room = ENGINE_SHIP_SIZE_MAX};
    struct message message = {.type = MESSAGE_APPEND};
    struct err failure = ERR_INIT;
    uint64_t lsn_next = link->ship.lsn;
    size_t size = 0;
    enum err_code rc = engine_ship(link->storage, &ship, &size, &lsn_next, &failure);

    if (rc == ERR_NOT_FOUND || (rc == ERR_OK && size == 0)) {
        shipped(link, rc == ERR_NOT_FOUND);
        return;
    }
    if (rc != ERR_OK) {
        link_failed(link, &failure);
        return;
    }
    ASSERT(lsn_next > link->ship.lsn);
    message.u.bytes.epoch = link->ship.epoch;
    message.u.bytes.incarnation = link->options.incarnation;
    message.u.bytes.lsn_commit = link->news.local.lsn_commit;
    message.u.bytes.bytes = span_of(link->scratch, size);
    link_queue(link, &message);
    link->ship.lsn = lsn_next;
}

static void pump_ship(struct link *link)
{
    while (link->ship.active && !link->dead && has_bulk_room(link)) {
        bool over = link->ship.epoch != replica_epoch(link->replica);

        if (over || link->ship.lsn > link->news.local.last.lsn) {
            shipped(link, false);
        } else {
            ship_some(link);
        }
    }
}

void link_ship(struct link *link, uint64_t lsn)
{
    link->ship =
        (struct link_ship){.active = true, .lsn = lsn, .epoch = replica_epoch(link->replica)};
    pump_ship(link);
}

static int compare(const struct record_position *a, const struct record_position *b)
{
    if (a->epoch != b->epoch) {
        return a->epoch < b->epoch ? -1 : 1;
    }
    return a->lsn < b->lsn ? -1 : a->lsn > b->lsn;
}

static void queue_place(struct link *link)
{
    struct message message = {.type = MESSAGE_SNAPSHOT};

    message.u.place.epoch = link->snapshot.epoch;
    message.u.place.incarnation = link->options.incarnation;
    message.u.place.position = link->snapshot.position;
    link_queue(link, &message);
}

/* A view that the peer will take, or another look later: the next checkpoint brings one. */
static void snapshot_open(struct link *link)
{
    struct link_snapshot *snapshot = &link->snapshot;
    struct err failure = ERR_INIT;
    enum err_code rc =
        engine_snapshot_open(link->storage, &snapshot->reader, &snapshot->position, &failure);

    if (rc == ERR_UNAVAILABLE) {
        link_failed(link, &failure);
    } else if (rc != ERR_OK) {
        link_drop(link, failure.message);
    } else if (compare(&snapshot->position, &snapshot->floor) < 0) {
        engine_snapshot_close(snapshot->reader);
        snapshot->reader = NULL;
        snapshot->retry_ms = link->now_ms + LINK_SNAPSHOT_RETRY_MS;
    } else {
        queue_place(link);
    }
}

/* It is sent, or its epoch is over and nobody waits for it. */
static void snapshot_end(struct link *link)
{
    struct link_snapshot *snapshot = &link->snapshot;
    struct replica_event event = {.type = REPLICA_EVENT_SNAPSHOT_SENT};

    event.u.position = snapshot->position;
    link_follow_up(link, &event);
    engine_snapshot_close(snapshot->reader);
    snapshot->reader = NULL;
    snapshot->active = false;
}

static void snapshot_whole(struct link *link)
{
    const struct link_snapshot *snapshot = &link->snapshot;
    struct message message = {.type = MESSAGE_SNAPSHOT_END};

    message.u.ping.epoch = snapshot->epoch;
    message.u.ping.incarnation = link->options.incarnation;
    message.u.ping.sequence = snapshot->count;
    link_queue(link, &message);
    link->snapshot_count++;
    snapshot_end(link);
}

static void snapshot_some(struct link *link)
{
    struct link_snapshot *snapshot = &link->snapshot;
    struct message message = {.type = MESSAGE_PAIRS};
    struct err failure = ERR_INIT;
    uint64_t count = snapshot->count;
    size_t size = 0;
    enum err_code rc = engine_snapshot_next(snapshot->reader, link->scratch, ENGINE_SHIP_SIZE_MAX,
                                            &size, &count, &failure);

    if (rc != ERR_OK) {
        link_failed(link, &failure);
    } else if (size == 0) {
        snapshot_whole(link);
    } else {
        message.u.bytes.epoch = snapshot->epoch;
        message.u.bytes.incarnation = link->options.incarnation;
        message.u.bytes.lsn_commit = snapshot->count;
        message.u.bytes.bytes = span_of(link->scratch, size);
        link_queue(link, &message);
        snapshot->count = count;
    }
}

static void pump_snapshot(struct link *link)
{
    struct link_snapshot *snapshot = &link->snapshot;

    while (snapshot->active && !link->dead && has_bulk_room(link)) {
        if (snapshot->epoch != replica_epoch(link->replica)) {
            snapshot_end(link);
        } else if (snapshot->reader != NULL) {
            snapshot_some(link);
        } else if (link->now_ms >= snapshot->retry_ms) {
            snapshot_open(link);
        } else {
            return;
        }
    }
}

void link_snapshot(struct link *link, const struct record_position *floor)
{
    engine_snapshot_close(link->snapshot.reader);
    link->snapshot = (struct link_snapshot){
        .active = true, .floor = *floor, .epoch = replica_epoch(link->replica)};
    pump_snapshot(link);
}

static void pump_data(struct link *link)
{
    size_t size = 0;

    while (!link->dead && has_bulk_room(link) &&
           link_mail_take_sent(&link->mail, link->data_sent, &size)) {
        struct replica_event event = {.type = REPLICA_EVENT_DATA};

        event.u.data = span_of(link->data_sent, size);
        link_feed(link, &event);
    }
}

void link_pump(struct link *link)
{
    pump_ship(link);
    pump_snapshot(link);
    pump_data(link);
}

void link_send_stop(struct link *link)
{
    engine_snapshot_close(link->snapshot.reader);
    link->snapshot = (struct link_snapshot){.active = false};
    link->ship.active = false;
}

uint64_t link_pump_deadline_ms(const struct link *link)
{
    const struct link_snapshot *snapshot = &link->snapshot;

    bool waits = snapshot->active && snapshot->reader == NULL && !link->write_ended;

    return waits ? snapshot->retry_ms : UINT64_MAX;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* replica_kit.c: two cores, two toy logs, one link: commands, and running to rest.
 * Owns the hosts' lives. Never performs an effect: replica_kit_effects.c does. */
#include "tests/unit/replica_kit.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void step(struct kit *kit, struct kit_host *host, const struct replica_event *event);

static bool receive(struct kit *kit, struct kit_host *host)
{
    static uint8_t frame[KIT_QUEUE_SIZE_MAX];
    struct kit_queue *queue = &host->inbox;
    struct message message;
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE, .u.message = &message};
    struct err err;
    size_t size;

    if (kit->mute || queue->size == 0) {
        return false;
    }
    ASSERT(message_frame_size(span_of(queue->bytes, queue->size), &size, &err) == ERR_OK);
    ASSERT(size <= queue->size);
    memcpy(frame, queue->bytes, size);
    memmove(queue->bytes, queue->bytes + size, queue->size - size);
    queue->size -= size;
    if (kit->delivery_count > 0) {
        kit->delivery_count--;
        kit->mute = kit->delivery_count == 0;
    }
    ASSERT(message_decode(span_of(frame, size), &message, &err) == ERR_OK);
    step(kit, host, &event);
    return true;
}

void kit_inject(struct kit *kit, struct kit_host *host, const struct message *message)
{
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE, .u.message = message};

    kit_event(kit, host, &event);
}

/* ---- Running ---- */

static void step(struct kit *kit, struct kit_host *host, const struct replica_event *event)
{
    struct replica_effects *effects;
    struct replica_event timed = *event;

    if (host->dead) {
        return;
    }
    timed.now_ms = kit->now_ms;
    timed.wall_ms = kit->now_ms + 1000000;
    if (timed.type == REPLICA_EVENT_LOCAL) {
        kit_fill_local(host, &timed.u.local);
    }
    effects = calloc(1, sizeof *effects);
    ASSERT(effects != NULL);
    replica_step(host->replica, &timed, effects);
    replica_invariant(host->replica);
    for (size_t i = 0; i < effects->count; i++) {
        kit_perform(kit, host, &effects->items[i]);
    }
    free(effects);
}

/* One waiting answer, or one message. */
static bool turn(struct kit *kit, struct kit_host *host)
{
    struct replica_event event;

    if (host->dead) {
        host->event_count = 0;
        return false;
    }
    if (host->event_count == 0) {
        return receive(kit, host);
    }
    event = host->events[0];
    host->event_count--;
    memmove(&host->events[0], &host->events[1], host->event_count * sizeof event);
    step(kit, host, &event);
    return true;
}

static void settle(struct kit *kit)
{
    uint32_t turns = 0;
    bool busy = true;

    while (busy) {
        busy = turn(kit, &kit->hosts[0]);
        busy = turn(kit, &kit->hosts[1]) || busy;
        turns++;
        ASSERT(turns < 10000); /* it comes to rest */
    }
}

static void end_link(struct kit *kit)
{
    struct replica_event event = {.type = REPLICA_EVENT_LINK_DOWN};

    kit->mute = false;
    kit->delivery_count = 0;
    kit->link_up = false;
    for (size_t i = 0; i < 2; i++) {
        kit->hosts[i].inbox.size = 0;
        step(kit, &kit->hosts[i], &event);
    }
    settle(kit);
}

void kit_run(struct kit *kit)
{
    settle(kit);
    if (kit->drop && !kit->hold_drop) {
        kit->drop = false;
        end_link(kit);
    }
}

void kit_event(struct kit *kit, struct kit_host *host, const struct replica_event *event)
{
    step(kit, host, event);
    kit_run(kit);
}

void kit_command(struct kit *kit, struct kit_host *host, enum replica_event_type type)
{
    struct replica_event event = {.type = type};

    kit_event(kit, host, &event);
}

void kit_wait(struct kit *kit, uint64_t ms)
{
    uint64_t end_ms = kit->now_ms + ms;

    while (kit->now_ms < end_ms) {
        uint64_t next_ms = end_ms;

        for (size_t i = 0; i < 2; i++) {
            uint64_t at_ms = replica_deadline_ms(kit->hosts[i].replica);

            if (at_ms <= kit->now_ms) {
                at_ms = kit->now_ms + 1;
            }
            if (!kit->hosts[i].dead && at_ms < next_ms) {
                next_ms = at_ms;
            }
        }
        kit->now_ms = next_ms;
        kit_command(kit, &kit->hosts[0], REPLICA_EVENT_TICK);
        kit_command(kit, &kit->hosts[1], REPLICA_EVENT_TICK);
    }
}

void kit_seal(struct kit *kit, struct kit_host *host, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_SEAL, .u.epoch = epoch};

    kit_event(kit, host, &event);
}

void kit_grant(struct kit *kit, struct kit_host *host, uint64_t epoch, const struct kit_host *peer)
{
    struct replica_event event = {.type = REPLICA_EVENT_GRANT};

    kit_seal(kit, host, epoch);
    event.u.grant.epoch = epoch;
    event.u.grant.lineage = KIT_LINEAGE;
    if (peer != NULL) {
        event.u.grant.peer_in_isr = true;
        memcpy(event.u.grant.peer_store_id, peer->options.store_id, STORAGE_ID_SIZE);
    }
    kit_event(kit, host, &event);
}

void kit_refuse(struct kit *kit, struct kit_host *host, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_REFUSED, .u.epoch = epoch};

    kit_event(kit, host, &event);
}

void kit_register(struct kit *kit, struct kit_host *host, uint64_t epoch, uint8_t primary)
{
    struct replica_event event = {.type = REPLICA_EVENT_REGISTER};

    event.u.reg =
        (struct replica_register){.epoch = epoch, .lineage = KIT_LINEAGE, .primary = primary};
    kit_event(kit, host, &event);
}

void kit_write(struct kit *kit, struct kit_host *host)
{
    struct replica_event event = {.type = REPLICA_EVENT_LOCAL};
    struct record_position next = kit_next_record(host, replica_epoch(host->replica), 1);

    ASSERT(host->leads);
    kit_put_record(host, &next);
    kit_event(kit, host, &event);
}

void kit_release(struct kit *kit, struct kit_host *host)
{
    struct replica_event shipped = {.type = REPLICA_EVENT_SHIPPED,
                                    .u.shipped.lsn_next = host->lsn_last + 1};

    host->hold_promise = false;
    host->hold_cut = false;
    host->hold_begin = false;
    host->hold_ship = false;
    if (host->hold_sync) {
        host->hold_sync = false;
        host->lsn_durable = host->lsn_last;
        if (host->leads) {
            ASSERT(isr_acknowledge(&host->isr, 0, host->lsn_last, NULL) == ERR_OK);
        }
        kit_later_local(host);
    }
    if (host->promise_held) {
        kit_promise_kept(host);
    }
    if (host->cut_held) {
        host->cut_held = false;
        kit_cut(host, host->lsn_cut);
    }
    if (host->begin_held) {
        host->begin_held = false;
        kit_begin_epoch(host, replica_epoch(host->replica));
    }
    if (host->ship_held) {
        host->ship_held = false;
        kit_later(host, &shipped);
    }
    kit_run(kit);
}

/* ---- A peer played by the test ---- */

struct message kit_hello_from(const struct kit_host *host)
{
    struct message hello = {.type = MESSAGE_HELLO};

    hello.u.state = (struct message_state){.version_min = 1,
                                           .version_max = 1,
                                           .lineage = KIT_LINEAGE,
                                           .incarnation = 999,
                                           .host = host->number};
    memcpy(hello.u.state.cluster_id, host->options.cluster_id, STORAGE_ID_SIZE);
    memcpy(hello.u.state.store_id, host->options.store_id, STORAGE_ID_SIZE);
    return hello;
}

/* Host 1 with a link on which the test itself is the peer. */
struct kit *kit_faced(void)
{
    struct kit *kit = kit_new();

    kit->mute = true;
    kit_command(kit, kit_host(kit, 1), REPLICA_EVENT_LINK_UP);
    return kit;
}

struct kit *kit_greeted(void)
{
    struct kit *kit = kit_faced();
    struct message hello = kit_hello_from(kit_host(kit, 2));

    kit_inject(kit, kit_host(kit, 1), &hello);
    ASSERT(kit_host(kit, 1)->link.up);
    return kit;
}

struct message kit_lead_of(uint64_t epoch)
{
    struct message lead = {.type = MESSAGE_LEAD};

    lead.u.lead = (struct message_lead){.epoch = epoch, .incarnation = 999};
    return lead;
}

void kit_leads(struct kit *kit, uint64_t epoch)
{
    struct message lead = kit_lead_of(epoch);

    kit_clear(kit);
    kit_inject(kit, kit_host(kit, 1), &lead);
}

/* ---- Life ---- */

void kit_connect(struct kit *kit)
{
    ASSERT(!kit->link_up);
    kit->link_up = true;
    for (size_t i = 0; i < 2; i++) {
        struct replica_event event = {.type = REPLICA_EVENT_LINK_UP};

        step(kit, &kit->hosts[i], &event);
    }
    kit_run(kit);
}

void kit_connect_for(struct kit *kit, uint32_t deliveries)
{
    kit->delivery_count = deliveries;
    kit->mute = deliveries == 0;
    kit_connect(kit);
}

void kit_disconnect(struct kit *kit)
{
    end_link(kit);
}

void kit_start(struct kit *kit, struct kit_host *host)
{
    kit->incarnation++;
    host->options.incarnation = kit->incarnation;
    host->lsn_last = host->lsn_durable;
    host->options.last = host->log[host->lsn_last];
    host->options.applied = host->log[host->lsn_applied];
    host->lsn_promise_asked = host->options.promised;
    host->leads = false;
    host->dead = false;
    host->event_count = 0;
    host->inbox.size = 0;
    host->promise_held = false;
    host->cut_held = false;
    host->begin_held = false;
    host->ship_held = false;
    memset(host->report_count, 0, sizeof host->report_count);
    memset(host->sent, 0, sizeof host->sent);
    replica_init(host->replica, &host->options);
}

struct kit *kit_new(void)
{
    struct kit *kit = calloc(1, sizeof *kit);

    ASSERT(kit != NULL);
    kit->now_ms = 1000;
    kit->incarnation = 100;
    for (uint8_t number = 1; number <= 2; number++) {
        struct kit_host *host = kit_host(kit, number);

        host->number = number;
        host->lsn_first = 1;
        host->replica = malloc(replica_size());
        ASSERT(host->replica != NULL);
        host->options = (struct replica_options){.lineage = KIT_LINEAGE,
                                                 .host = number,
                                                 .ping_ms = KIT_PING_MS,
                                                 .silence_ms = KIT_SILENCE_MS,
                                                 .evict_ms = KIT_EVICT_MS,
                                                 .hold_down_ms = KIT_HOLD_DOWN_MS};
        memset(host->options.cluster_id, 0xc1, STORAGE_ID_SIZE);
        memset(host->options.store_id, number, STORAGE_ID_SIZE);
        kit_start(kit, host);
        kit_register(kit, host, 0, 0);
    }
    return kit;
}

void kit_free(struct kit *kit)
{
    if (kit != NULL) {
        free(kit->hosts[0].replica);
        free(kit->hosts[1].replica);
        free(kit);
    }
}

void kit_pair(struct kit *kit)
{
    struct kit_host *one = kit_host(kit, 1);

    kit_connect(kit);
    kit_grant(kit, one, 1, NULL);
    if (one->report_count[REPLICA_REPORT_ADD] > 0) {
        kit_refuse(kit, one, 1);
        one->report_count[REPLICA_REPORT_ADD] = 0;
    }
    kit_clear(kit);
}

void kit_pair_in_sync(struct kit *kit)
{
    kit_pair(kit);
    kit_write(kit, kit_host(kit, 1));
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    kit_grant(kit, kit_host(kit, 1), 2, kit_host(kit, 2));
    kit_wait(kit, KIT_PING_MS);
    kit_clear(kit);
}

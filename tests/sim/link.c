/* SPDX-License-Identifier: Apache-2.0 */
/* link.c: the connection between the hosts: host 2 dials host 1.
 * Owns when bytes arrive: in order or not at all, late, or never while a direction is blocked. A
 * process that dies closes its end, a host that loses power does not.
 * Never looks into a frame. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void arrive(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct child *child = &host->child;
    struct input input = {.connection = event->a};

    if (!child->running || child->link_connection != event->a) {
        return;
    }
    if (child->engine.inbox.count > INPUT_COUNT_MAX - 64 && event->data != NULL) {
        /* A receiver that takes nothing for long: where a socket would push back, this world ends
         * the connection. */
        link_break(world);
        return;
    }
    if (event->data == NULL) { /* the other end was closed */
        child->link_connection = 0;
        TRACE(world, "host %u: the peer closed the link", host->number);
        input.type = REPLICA_EVENT_LINK_DOWN;
    } else {
        input.type = REPLICA_EVENT_MESSAGE;
        input.frame = event->data;
        input.frame_size = event->size;
        event->data = NULL;
    }
    engine_input(world, host, &input);
}

static void travel(struct world *world, uint8_t sender, const struct event *event)
{
    struct link_way *way = &world->link.ways[sender];
    uint64_t at_us = world->now_us + prng_range(&world->prng, 60, 400) + way->delay_us;

    at_us = at_us > way->last_us ? at_us : way->last_us;
    way->last_us = at_us;
    world_at(world, at_us - world->now_us, *event);
}

static void put(struct world *world, uint8_t sender, const struct event *event)
{
    struct link *link = &world->link;

    if (!link->ways[sender].blocked) {
        travel(world, sender, event);
        return;
    }
    if (link->waiting_count[sender] == link->waiting_room[sender]) {
        size_t room = link->waiting_room[sender] == 0 ? 64 : link->waiting_room[sender] * 2;

        link->waiting[sender] = realloc(link->waiting[sender], room * sizeof *event);
        ASSERT(link->waiting[sender] != NULL);
        link->waiting_room[sender] = room;
    }
    link->waiting[sender][link->waiting_count[sender]++] = *event;
}

void link_send(struct world *world, struct host *host, uint8_t *frame, size_t size)
{
    uint8_t peer = (uint8_t)(1 - host->index);

    /* What was meant for a connection that has ended must not get into the next one. */
    if (host->child.link_connection == 0 ||
        host->child.link_connection != host->child.engine.connection) {
        free(frame);
        return;
    }
    put(world, host->index,
        &(struct event){.fn = arrive,
                        .process = child_process(&world->hosts[peer]),
                        .host = peer,
                        .a = host->child.link_connection,
                        .data = frame,
                        .size = size});
}

void link_close(struct world *world, struct host *host)
{
    uint8_t peer = (uint8_t)(1 - host->index);

    if (host->child.link_connection == 0) {
        return;
    }
    put(world, host->index,
        &(struct event){.fn = arrive,
                        .process = child_process(&world->hosts[peer]),
                        .host = peer,
                        .a = host->child.link_connection});
    host->child.link_connection = 0;
}

void link_break(struct world *world)
{
    for (uint8_t i = 0; i < 2; i++) {
        struct host *host = &world->hosts[i];
        uint64_t connection = host->child.link_connection;

        if (connection != 0) {
            world_at(world, prng_range(&world->prng, 0, 2000),
                     (struct event){
                         .fn = arrive, .process = child_process(host), .host = i, .a = connection});
        }
    }
}

void link_give_up(struct world *world, struct host *host)
{
    uint64_t connection = host->child.link_connection;
    uint8_t peer = (uint8_t)(1 - host->index);

    if (connection == 0) {
        return;
    }
    put(world, host->index,
        &(struct event){.fn = arrive,
                        .process = child_process(&world->hosts[peer]),
                        .host = peer,
                        .a = connection});
    world_at(
        world, prng_range(&world->prng, 0, 2000),
        (struct event){
            .fn = arrive, .process = child_process(host), .host = host->index, .a = connection});
}

void link_block(struct world *world, uint8_t sender, bool blocked)
{
    struct link *link = &world->link;

    link->ways[sender].blocked = blocked;
    TRACE(world, "link: from host %u %s", sender + 1U, blocked ? "blocked" : "open");
    if (!blocked) {
        for (size_t i = 0; i < link->waiting_count[sender]; i++) {
            /* Between lives of the receiver nothing is delivered: the event has no life yet. */
            travel(world, sender, &link->waiting[sender][i]);
        }
        link->waiting_count[sender] = 0;
    }
}

static void link_up(struct world *world, struct host *host, uint64_t connection)
{
    struct input input = {.type = REPLICA_EVENT_LINK_UP, .connection = connection};

    host->child.link_connection = connection;
    TRACE(world, "host %u: link %llu up", host->number, (unsigned long long)connection);
    engine_input(world, host, &input);
}

static void connected(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[1];

    world->link.dial_until_us = 0;
    if (host->child.running && host->child.up && host->child.link_connection == 0 &&
        event->b == host->child.incarnation) {
        link_up(world, host, event->a);
    } else { /* not wanted any more: the other end learns it */
        put(world, 1,
            &(struct event){.fn = arrive, .process = PROCESS_CHILD_1, .host = 0, .a = event->a});
    }
}

static void accepted(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[0];
    struct link *link = &world->link;

    if (!host->child.running || !host->child.up || !world->hosts[1].child.running ||
        world->hosts[1].child.incarnation != event->b || link->ways[0].blocked) {
        return;
    }
    if (host->child.link_connection != 0) {
        struct input input = {.type = REPLICA_EVENT_LINK_DOWN,
                              .connection = host->child.link_connection};

        link_close(world, host);
        engine_input(world, host, &input);
    }
    link->connection++;
    travel(world, 0,
           &(struct event){.fn = connected,
                           .process = PROCESS_CHILD_2,
                           .host = 1,
                           .a = link->connection,
                           .b = event->b});
    link_up(world, host, link->connection);
}

/* Whoever speaks on a connection that the other end has forgotten gets a reset. */
static void reset_forgotten(struct world *world, struct host *host)
{
    const struct host *peer = &world->hosts[0];
    uint64_t connection = host->child.link_connection;

    if (connection != 0 && peer->powered && peer->child.link_connection != connection &&
        !world->link.ways[0].blocked && !world->link.ways[1].blocked) {
        travel(
            world, 0,
            &(struct event){.fn = arrive, .process = PROCESS_CHILD_2, .host = 1, .a = connection});
    }
}

static void dial(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[1];
    struct link *link = &world->link;

    (void)event;
    if (!host->child.running) {
        return;
    }
    reset_forgotten(world, host);
    world_at(world, prng_range(&world->prng, 30, 200) * MS_US,
             (struct event){.fn = dial, .process = PROCESS_CHILD_2, .host = 1});
    if (host->child.up && host->child.link_connection == 0 && !link->ways[1].blocked &&
        world->now_us >= link->dial_until_us) {
        link->dial_until_us = world->now_us + 400 * MS_US;
        travel(world, 1,
               &(struct event){.fn = accepted,
                               .process = PROCESS_CHILD_1,
                               .host = 0,
                               .b = host->child.incarnation});
    }
}

void link_dial(struct world *world)
{
    world_at(world, prng_range(&world->prng, 1, 20) * MS_US,
             (struct event){.fn = dial, .process = PROCESS_CHILD_2, .host = 1});
}

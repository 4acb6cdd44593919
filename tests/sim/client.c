/* SPDX-License-Identifier: Apache-2.0 */
/* client.c: clients of the pair.
 * Owns the operations: one at a time each, unique values, the same idempotency key when the fate of
 * a write is unknown. Never knows who is primary: asks the host that answered last, else the
 * other. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void begin(struct world *world, struct event *event);
static void ask(struct world *world, struct client *client);

static uint64_t index_of(const struct world *world, const struct client *client)
{
    return (uint64_t)(client - world->clients.items);
}

static void later(struct world *world, const struct client *client, uint64_t delay_us, event_fn *fn)
{
    world_at(world, delay_us,
             (struct event){.fn = fn,
                            .process = PROCESS_WORLD,
                            .a = index_of(world, client),
                            .b = client->request.op});
}

static void arrives(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->child.running && host->child.up && !host->child.engine.failed) {
        app_request(world, host, event->data);
    }
}

/* Nothing was heard: a read is given up, a write is asked again under its key. */
static void overdue(struct world *world, struct event *event)
{
    struct client *client = &world->clients.items[event->a];

    if (!client->busy || client->request.op != event->b) {
        return;
    }
    client->host = (uint8_t)(1 - client->host);
    if (client->request.kind == JOB_READ || world->clients.stopped) {
        client->busy = false;
        later(world, client, 1000, begin);
        return;
    }
    client->request.op = ++world->clients.op;
    ask(world, client);
}

static void ask(struct world *world, struct client *client)
{
    struct request *request = malloc(sizeof *request);
    struct host *host = &world->hosts[client->host];

    ASSERT(request != NULL);
    *request = client->request;
    world_at(
        world, prng_range(&world->prng, 50, 800),
        (struct event){
            .fn = arrives, .process = child_process(host), .host = host->index, .data = request});
    later(world, client, prng_range(&world->prng, 200, 900) * MS_US, overdue);
}

static void again(struct world *world, struct event *event)
{
    struct client *client = &world->clients.items[event->a];

    if (client->busy && client->request.op == event->b) {
        client->request.op = ++world->clients.op;
        ask(world, client);
    }
}

static void begin(struct world *world, struct event *event)
{
    struct clients *clients = &world->clients;
    struct client *client = &clients->items[event->a];
    struct request *request = &client->request;
    uint64_t kind = prng_below(&world->prng, 10);

    if (client->busy || clients->stopped || world->failed) {
        return;
    }
    if (clients->intent + 1U >= STATE_INTENT_COUNT || (clients->readers && event->a % 2 == 1)) {
        kind = 9; /* all keys are used up, or one who only looks: he stays with whoever answers */
    }
    *request = (struct request){.client = (uint32_t)event->a, .op = ++clients->op};
    if (kind < 4) {
        request->kind = JOB_SWAP;
        request->key = (uint16_t)prng_below(&world->prng, STATE_KEY_COUNT / 2);
    } else if (kind < 6) {
        request->kind = JOB_CREATE;
        request->key =
            (uint16_t)(STATE_KEY_COUNT / 2 + prng_below(&world->prng, STATE_KEY_COUNT / 2));
    } else {
        request->kind = JOB_READ;
        request->key = (uint16_t)prng_below(&world->prng, STATE_KEY_COUNT);
    }
    request->intent = request->kind == JOB_READ ? 0 : ++clients->intent;
    if (clients->readers && event->a % 2 == 0) {
        /* One who writes seldom and asks any host: a primary that nobody follows any more then has
         * nothing uncommitted that would hold its reads up. */
        client->host = (uint8_t)prng_below(&world->prng, 2);
    }
    client->busy = true;
    client->tries = 0;
    client->began_us = world->now_us;
    client->floor = checker_floor(world, request->key);
    ask(world, client);
}

static uint64_t pause_us(struct world *world, const struct client *client)
{
    const struct clients *clients = &world->clients;
    bool seldom = clients->readers && index_of(world, client) % 2 == 0;

    return prng_range(&world->prng, 1, (seldom ? 20ULL : 2ULL) * clients->pause_us);
}

void clients_answer(struct world *world, const struct answer *answer)
{
    struct clients *clients = &world->clients;
    struct client *client = &clients->items[answer->request.client];
    const struct request *request = &answer->request;

    /* An answer to an earlier try of the same write is as good as one to the last. */
    if (!client->busy || client->request.intent != request->intent ||
        (request->kind == JOB_READ && client->request.op != request->op)) {
        return;
    }
    if (answer->code == ANSWER_UNAVAILABLE) {
        if (client->request.op == request->op) {
            client->host = (uint8_t)(1 - client->host);
            later(world, client, prng_range(&world->prng, 5, 60) * MS_US, again);
        }
        return;
    }
    client->busy = false;
    clients->done_count++;
    world->totals.operations++;
    if (clients->healed_us != 0 && client->began_us > clients->healed_us) {
        clients->healed_done_count++;
    }
    TRACE(world, "client %u: %s key %u intent %u -> %s %u at %llu", request->client,
          request->kind == JOB_READ ? "read" : "write", request->key, request->intent,
          answer->code == ANSWER_OK ? "ok" : "conflict", answer->value,
          (unsigned long long)answer->lsn);
    checker_completed(world, answer, client->floor);
    later(world, client, pause_us(world, client), begin);
}

void clients_init(struct world *world)
{
    struct clients *clients = &world->clients;

    clients->count = (uint32_t)prng_range(&world->prng, 2, CLIENT_COUNT_MAX);
    clients->readers = prng_once_in(&world->prng, 2);
    clients->pause_us = (uint32_t)(prng_range(&world->prng, 10, 120) * MS_US);
    for (uint32_t i = 0; i < clients->count; i++) {
        clients->items[i].host = (uint8_t)prng_below(&world->prng, 2);
        later(world, &clients->items[i], prng_range(&world->prng, 100, 900) * MS_US, begin);
    }
}

void clients_stop(struct world *world)
{
    world->clients.stopped = true;
}

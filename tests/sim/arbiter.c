/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter.c: the register's keeper: linearizable, with revisions and an identity.
 * Owns what is in the register and when a request lands: a compare-and-swap happens once or not at
 * all, but maybe long after its sender has given up or died.
 * Never decides what may stand in the register: the checker looks at every change. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/manual.h"

#include <stdlib.h>
#include <string.h>

struct question {
    uint64_t number;
    uint32_t life; /* of the supervisor */
    uint32_t arbiter_life;
    bool cas;
    struct failover_cas swap;
    char text[REGISTER_TEXT_SIZE_MAX];
    uint64_t sent_order;
    uint64_t incarnation; /* of the child for which it is asked */
};

struct response {
    uint64_t number;
    bool cas;
    struct failover_answer answer;
    uint64_t sent_order;
    bool is_true; /* answered by the arbiter that counts */
};

void arbiter_init(struct world *world)
{
    world->arbiter.id = prng_next(&world->prng) | 1;
    world->arbiter.head = prng_range(&world->prng, 1, 40);
}

bool arbiter_value(const struct world *world, struct register_value *ret_value)
{
    const struct sim_arbiter *arbiter = &world->arbiter;

    if (!arbiter->exists) {
        return false;
    }
    ASSERT(register_parse(span_text(arbiter->text), ret_value, NULL) == ERR_OK);
    return true;
}

static void note_seen(struct supervisor *supervisor, const struct response *reply)
{
    const struct failover_answer *answer = &reply->answer;
    bool has_value = answer->outcome == FAILOVER_DONE || answer->outcome == FAILOVER_CONFLICT;

    if (has_value && reply->is_true && answer->value.epoch > supervisor->seen_epoch) {
        supervisor->seen_epoch = answer->value.epoch;
    }
}

static void deliver(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct supervisor *supervisor = &host->supervisor;
    const struct response *reply = event->data;
    struct failover_event told = {.type = reply->cas ? FAILOVER_EVENT_CAS : FAILOVER_EVENT_READ,
                                  .u.answer = reply->answer};
    uint64_t *pending = reply->cas ? &supervisor->cas_pending : &supervisor->read_pending;

    if (!supervisor->running || *pending != reply->number) {
        return;
    }
    *pending = 0;
    if (reply->answer.outcome == FAILOVER_DONE || reply->answer.outcome == FAILOVER_CONFLICT) {
        supervisor->registered = true;
        supervisor->read_order = reply->sent_order;
    }
    if (!reply->cas && reply->answer.outcome <= FAILOVER_ABSENT) {
        supervisor->seen_order = reply->sent_order;
    }
    note_seen(supervisor, reply);
    if (reply->answer.outcome == FAILOVER_UNKNOWN) {
        world->totals.ambiguous++;
    }
    TRACE(world, "host %u: %s answered: %s", host->number, reply->cas ? "cas" : "read",
          checker_outcome(reply->answer.outcome));
    supervisor_feed(world, host, &told);
}

static void
reply(struct world *world, struct host *host, const struct response *content, uint64_t delay_us)
{
    struct response *copy = malloc(sizeof *copy);

    ASSERT(copy != NULL);
    *copy = *content;
    world_at(
        world, delay_us,
        (struct event){
            .fn = deliver, .process = supervisor_process(host), .host = host->index, .data = copy});
}

static void answer_current(struct world *world, struct failover_answer *answer)
{
    answer->revision = world->arbiter.revision;
    answer->revision_head = world->arbiter.head;
    answer->arbiter_id = world->arbiter.id;
    if (!arbiter_value(world, &answer->value)) {
        answer->outcome = FAILOVER_ABSENT;
        answer->revision = 0;
    }
}

static void swap(struct world *world, const struct host *host, const struct question *request)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    checker_register(world, host->number, &request->swap.value);
    memcpy(arbiter->text, request->text, sizeof arbiter->text);
    arbiter->exists = true;
    arbiter->restored = false; /* whoever wrote that was told to by the operator */
    arbiter->revision = ++arbiter->head;
    ASSERT(arbiter->history_count < ARBITER_HISTORY_MAX);
    arbiter->revisions[arbiter->history_count] = arbiter->revision;
    arbiter->incarnations[arbiter->history_count] = request->incarnation;
    arbiter->history[arbiter->history_count++] = request->swap.value;
    TRACE(world, "ARBITER: host %u: epoch %llu primary %u isr {%s%s} rev %llu", host->number,
          (unsigned long long)request->swap.value.epoch, request->swap.value.primary,
          request->swap.value.isr[0].present ? "1" : "",
          request->swap.value.isr[1].present ? "2" : "", (unsigned long long)arbiter->revision);
    checker_step(world);
}

/* etcd: the revision is the expected one, and so is the value. */
static bool is_expected(const struct sim_arbiter *arbiter, const struct question *request)
{
    char text[REGISTER_TEXT_SIZE_MAX];

    if (!arbiter->exists || request->swap.revision != arbiter->revision) {
        return !arbiter->exists && request->swap.revision == 0;
    }
    register_format(&request->swap.before, text);
    return strcmp(text, arbiter->text) == 0;
}

static void execute(struct world *world, struct event *event)
{
    struct sim_arbiter *arbiter = &world->arbiter;
    struct host *host = &world->hosts[event->host];
    const struct question *request = event->data;
    struct response content = {
        .number = request->number, .cas = request->cas, .sent_order = request->sent_order};

    checker_cas_landed(world, event->a);
    if (arbiter->down || arbiter->silent || arbiter->life != request->arbiter_life) {
        return; /* a restored arbiter is another process: the connection is gone */
    }
    content.answer.outcome = FAILOVER_DONE;
    content.answer.nonce = request->swap.value.nonce;
    if (request->cas && is_expected(arbiter, request)) {
        swap(world, host, request);
    } else if (request->cas) {
        content.answer.outcome = FAILOVER_CONFLICT;
    }
    answer_current(world, &content.answer);
    content.is_true = !arbiter->restored;
    if (!host->arbiter_cut && !fault_strikes(world, FAULT_ARBITER_LOSE, 12) &&
        request->life == world->processes[supervisor_process(host)].life) {
        reply(world, host, &content, prng_range(&world->prng, 200, 4000));
    }
}

/* No answer came in time. */
static void give_up(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct supervisor *supervisor = &host->supervisor;
    bool cas = event->b != 0;
    uint64_t *pending = cas ? &supervisor->cas_pending : &supervisor->read_pending;
    struct failover_event told = {.type = cas ? FAILOVER_EVENT_CAS : FAILOVER_EVENT_READ};

    if (!supervisor->running || *pending != event->a) {
        return;
    }
    *pending = 0;
    told.u.answer.outcome = cas ? FAILOVER_UNKNOWN : FAILOVER_NOT_SENT;
    told.u.answer.nonce = cas ? supervisor->cas_nonce : 0;
    world->totals.ambiguous += cas ? 1 : 0;
    TRACE(world, "host %u: %s got no answer", host->number, cas ? "cas" : "read");
    supervisor_feed(world, host, &told);
}

/* ---- manual: the answers come from manual.c ---- */

static void flown(struct world *world, struct event *event)
{
    checker_cas_landed(world, event->a);
}

static void ask_mirror(struct world *world, struct host *host, const struct question *request)
{
    struct supervisor *supervisor = &host->supervisor;

    *(request->cas ? &supervisor->cas_pending : &supervisor->read_pending) = ++supervisor->request;
    supervisor->asked_order[request->cas ? 1 : 0] = world->order;
    if (!request->cas) {
        manual_read(world, host);
        return;
    }
    /* A proposal may be under way for so long. */
    supervisor->cas_flight =
        checker_cas_sent(world, host->number, &request->swap.value, request->swap.revision);
    world_at(world, 3 * SECOND_US,
             (struct event){.fn = flown, .process = PROCESS_WORLD, .a = supervisor->cas_flight});
    manual_cas(world, host, &request->swap);
}

void arbiter_answer(struct world *world,
                    struct host *host,
                    bool cas,
                    const struct failover_answer *answer)
{
    struct supervisor *supervisor = &host->supervisor;
    struct response content = {.number = cas ? supervisor->cas_pending : supervisor->read_pending,
                               .cas = cas,
                               .answer = *answer,
                               .sent_order = supervisor->asked_order[cas ? 1 : 0]};

    if (cas && answer->outcome != FAILOVER_UNKNOWN) {
        checker_cas_landed(world, supervisor->cas_flight);
    }
    reply(world, host, &content, prng_range(&world->more, 20, 300));
}

static void send(struct world *world, struct host *host, struct question *request)
{
    struct supervisor *supervisor = &host->supervisor;
    uint64_t delay_us = prng_range(&world->prng, 200, 4000);
    uint64_t in_flight = 0;

    if (world->manual) {
        ask_mirror(world, host, request);
        free(request);
        return;
    }
    request->number = ++supervisor->request;
    request->life = world->processes[supervisor_process(host)].life;
    request->arbiter_life = world->arbiter.life;
    request->sent_order = world->order;
    *(request->cas ? &supervisor->cas_pending : &supervisor->read_pending) = request->number;
    world_at(world, prng_range(&world->prng, 300, 900) * MS_US,
             (struct event){.fn = give_up,
                            .process = supervisor_process(host),
                            .host = host->index,
                            .a = request->number,
                            .b = request->cas ? 1 : 0});
    if (world->arbiter.down) {
        struct response refused = {.number = request->number,
                                   .cas = request->cas,
                                   .answer.outcome = FAILOVER_NOT_SENT,
                                   .answer.nonce = request->swap.value.nonce};

        reply(world, host, &refused, prng_range(&world->prng, 100, 1000));
        free(request);
        return;
    }
    if (host->arbiter_cut || fault_strikes(world, FAULT_ARBITER_LOSE, 12)) {
        free(request);
        return;
    }
    if (fault_strikes(world, FAULT_ARBITER_LATE, 5)) {
        delay_us += prng_range(&world->prng, 100, 6000) * MS_US;
    }
    if (request->cas) {
        in_flight =
            checker_cas_sent(world, host->number, &request->swap.value, request->swap.revision);
    }
    world_at(world, delay_us,
             (struct event){.fn = execute,
                            .process = PROCESS_WORLD,
                            .host = host->index,
                            .a = in_flight,
                            .data = request});
}

static struct question *request_new(void)
{
    struct question *request = calloc(1, sizeof *request);

    ASSERT(request != NULL);
    return request;
}

void arbiter_ask_read(struct world *world, struct host *host)
{
    send(world, host, request_new());
}

void arbiter_ask_cas(struct world *world, struct host *host, const struct failover_cas *swap)
{
    struct question *request = request_new();
    const struct register_value *value = &request->swap.value;

    request->cas = true;
    request->swap = *swap;
    register_format(value, request->text);
    host->supervisor.cas_nonce = value->nonce;
    checker_cas_asked(world, host->number);
    checker_change_asked(world, host, value, swap->revision);
    request->incarnation = host->supervisor.change_incarnation;
    TRACE(world, "host %u: cas epoch %llu primary %u isr {%s%s} on rev %llu", host->number,
          (unsigned long long)value->epoch, value->primary, value->isr[0].present ? "1" : "",
          value->isr[1].present ? "2" : "", (unsigned long long)swap->revision);
    send(world, host, request);
}

/* The true state is where the operator may find it again. */
static void put_away(struct world *world)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    memcpy(arbiter->true_text, arbiter->text, sizeof arbiter->text);
    arbiter->true_revision = arbiter->revision;
    arbiter->true_head = arbiter->head;
    arbiter->true_id = arbiter->id;
    arbiter->restored = true;
    arbiter->life++;
    checker_cas_void(world);
    world->totals.restores++;
}

/* Another one stands in its place, empty, of which others have made use. */
void arbiter_replace(struct world *world)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    put_away(world);
    arbiter->exists = false;
    arbiter->id = prng_next(&world->more) | 1;
    arbiter->head = prng_range(&world->more, 5000, 6000);
    TRACE(world, "ARBITER: another one");
}

/* How many values both hosts can recognise as old: what only one of them could is beyond the
 * protocol (docs/pair.md). */
static uint32_t old_count(const struct world *world)
{
    const struct sim_arbiter *arbiter = &world->arbiter;
    uint64_t seen = world->hosts[0].memory.revision < world->hosts[1].memory.revision
                        ? world->hosts[0].memory.revision
                        : world->hosts[1].memory.revision;
    uint32_t count = 0;

    while (count < arbiter->history_count && arbiter->revisions[count] < seen) {
        count++;
    }
    return count;
}

static void restore(struct world *world, uint32_t index)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    put_away(world);
    register_format(&arbiter->history[index], arbiter->text);
    arbiter->revision = arbiter->revisions[index];
    arbiter->head = arbiter->revision;
    TRACE(world, "ARBITER: restored to rev %llu", (unsigned long long)arbiter->revision);
}

void arbiter_restore_old(struct world *world)
{
    struct sim_arbiter *arbiter = &world->arbiter;
    uint32_t count = old_count(world);

    if (arbiter->restored || !arbiter->exists || world->hosts[0].memory.revision == 0 ||
        world->hosts[1].memory.revision == 0) {
        return;
    }
    if (count == 0 || prng_once_in(&world->prng, 3)) {
        put_away(world);
        arbiter->exists = false;
        arbiter->head = 1;
        TRACE(world, "ARBITER: wiped");
        return;
    }
    restore(world, (uint32_t)prng_below(&world->prng, count));
}

/* The copy that is hardest to recognise: one change, and it counts the revisions that both know. */
void arbiter_restore_last(struct world *world)
{
    uint32_t count = old_count(world);

    if (count > 0) {
        restore(world, count - 1);
    }
}

void arbiter_restore_true(struct world *world)
{
    struct sim_arbiter *arbiter = &world->arbiter;

    if (!arbiter->restored) {
        return;
    }
    arbiter->restored = false;
    arbiter->life++;
    checker_cas_void(world);
    arbiter->exists = true;
    memcpy(arbiter->text, arbiter->true_text, sizeof arbiter->text);
    arbiter->revision = arbiter->true_revision;
    arbiter->head = arbiter->true_head;
    arbiter->id = arbiter->true_id;
    TRACE(world, "ARBITER: its true state is back, rev %llu",
          (unsigned long long)arbiter->revision);
}

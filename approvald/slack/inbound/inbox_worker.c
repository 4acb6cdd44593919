/* SPDX-License-Identifier: Apache-2.0 */
/* inbox_worker.c: events that were accepted before all facts were known.
 * Owns the walk over the inbox: fetch what an entry needs, then let the service decide it.
 * Never keeps an entry itself: the inbox is durable, and a new walk begins at its start. */
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <event2/event.h>
#include <string.h>

#define MODULE "slack_inbox"

/* How far the inbox was filled at some time. */
struct inbox_mark {
    uint64_t boot_ms;
    uint64_t seq;
};

/* One entry under way. */
struct inbox_slot {
    struct inbox_worker *worker;
    bool busy;
    uint64_t seq;
    uint64_t at_ms; /* wall */
    struct slack_id user;
    struct slack_id requester; /* empty: does not matter */
    uint32_t group_count;
    struct slack_id groups[CORE_POLICY_GROUP_COUNT_MAX];
};

struct inbox_worker {
    struct slack_inbound *inbound; /* borrowed */
    struct event *timer;           /* owned */
    bool listing;                  /* a list call is under way */
    bool again;                    /* poked meanwhile: walk once more, from the start */
    bool stopped;                  /* no slot was free: the next one goes on with the walk */
    uint64_t after_seq;
    struct inbox_mark marks[SLACK_INBOX_MARK_COUNT]; /* the newest first; boot_ms 0: none */
    struct inbox_slot slots[SLACK_INBOX_SLOT_COUNT];
};

static void next_page(struct inbox_worker *worker);

/* The walk has come to its end. */
static void end_walk(struct inbox_worker *worker)
{
    if (worker->again) {
        inbox_worker_poke(worker);
    }
}

static void slot_done(struct inbox_slot *slot)
{
    struct inbox_worker *worker = slot->worker;

    ASSERT(slot->busy);
    slot->busy = false;
    if (worker->stopped && !worker->listing) {
        worker->stopped = false;
        next_page(worker);
    }
}

static void
on_resolved(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    (void)answer; /* the service owes the person what he must know */
    if (!inbound_is_durable(rc)) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_resolved", err);
    }
    slot_done(arg);
}

static bool knows_groups(const struct inbox_slot *slot, const struct facts *facts)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < slot->group_count; i++) {
        for (uint32_t j = 0; j < facts->known_count; j++) {
            found += span_equal(facts->known[j], slack_id_span(&slot->groups[i])) ? 1 : 0;
        }
    }
    return found == slot->group_count;
}

static bool knows_others(const struct facts *facts)
{
    bool known = true;

    for (uint32_t i = 0; i < facts->stand_in_count; i++) {
        known = known && facts->stand_ins[i].known;
    }
    return known;
}

/* Whom and what the entry is about; groups is the room for its groups. */
static struct inbound_about about(const struct inbox_slot *slot,
                                  struct span groups[CORE_POLICY_GROUP_COUNT_MAX])
{
    for (uint32_t i = 0; i < slot->group_count; i++) {
        groups[i] = slack_id_span(&slot->groups[i]);
    }
    return (struct inbound_about){.user = slack_id_span(&slot->user),
                                  .requester = slack_id_span(&slot->requester),
                                  .groups = groups,
                                  .group_count = slot->group_count};
}

/* The end of a request may wait for this entry, so its time ends whatever the wall clock says: an
 * entry that has been here for so long by the boot clock is old as well. */
static bool is_old(const struct inbox_slot *slot)
{
    const struct inbox_worker *worker = slot->worker;
    uint64_t boot_ms = clock_boot_ms(worker->inbound->clock);
    uint64_t now_ms = clock_wall_ms(worker->inbound->clock);
    bool old = now_ms > slot->at_ms && now_ms - slot->at_ms > SLACK_INBOX_GIVE_UP_MS;

    for (size_t i = 0; i < SLACK_INBOX_MARK_COUNT; i++) {
        const struct inbox_mark *mark = &worker->marks[i];

        old = old || (mark->boot_ms > 0 && boot_ms - mark->boot_ms > SLACK_INBOX_GIVE_UP_MS &&
                      slot->seq <= mark->seq);
    }
    return old;
}

static void set_mark(struct inbox_worker *worker)
{
    uint64_t boot_ms = clock_boot_ms(worker->inbound->clock);

    if (worker->marks[0].boot_ms > 0 && boot_ms - worker->marks[0].boot_ms < SLACK_INBOX_MARK_MS) {
        return;
    }
    memmove(&worker->marks[1], &worker->marks[0],
            (SLACK_INBOX_MARK_COUNT - 1) * sizeof worker->marks[0]);
    worker->marks[0] =
        (struct inbox_mark){.boot_ms = boot_ms, .seq = service_inbox_seq(worker->inbound->service)};
}

/* Lets the service decide with what is known. False: nothing was begun. */
static bool resolve(struct inbox_slot *slot, const struct facts *facts)
{
    struct slack_inbound *inbound = slot->worker->inbound;
    bool give_up = is_old(slot);
    struct err err = ERR_INIT;

    if (!facts->user_known && !give_up) {
        return false;
    }
    if (service_inbox_resolve(inbound->service, slot->seq, facts, give_up, on_resolved, slot,
                              &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_resolved", &err);
        return false;
    }
    return true;
}

static void on_fetched(void *arg)
{
    struct inbox_slot *slot = arg;
    struct span groups[CORE_POLICY_GROUP_COUNT_MAX];
    struct inbound_about wanted = about(slot, groups);
    struct facts facts;

    inbound_facts(slot->worker->inbound, &wanted, &facts);
    if (!resolve(slot, &facts)) {
        slot_done(slot); /* it stays in the inbox for the next walk */
    }
}

static void begin_slot(struct inbox_slot *slot)
{
    struct slack_inbound *inbound = slot->worker->inbound;
    struct span groups[CORE_POLICY_GROUP_COUNT_MAX];
    struct inbound_about wanted = about(slot, groups);
    struct facts facts;
    struct err err = ERR_INIT;

    inbound_facts(inbound, &wanted, &facts);
    if (facts.user_known && knows_groups(slot, &facts) && knows_others(&facts) &&
        resolve(slot, &facts)) {
        return;
    }
    if (inbound_fetch_facts(inbound, &wanted, on_fetched, slot, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_fetched", &err);
        on_fetched(slot);
    }
}

static void fill_slot(struct inbox_slot *slot, const struct service_inbox_entry *entry)
{
    slot->busy = true;
    slot->seq = entry->seq;
    slot->at_ms = entry->at_ms;
    (void)slack_id_set(&slot->user, entry->user);           /* the service has checked it */
    (void)slack_id_set(&slot->requester, entry->requester); /* likewise; empty: none */
    slot->group_count = entry->group_count;
    for (uint32_t i = 0; i < entry->group_count; i++) {
        (void)slack_id_set(&slot->groups[i], entry->groups[i]); /* likewise */
    }
}

/* A free slot, or NULL; *ret_busy: the entry is under way already. */
static struct inbox_slot *find_slot(struct inbox_worker *worker, uint64_t seq, bool *ret_busy)
{
    struct inbox_slot *spare = NULL;

    *ret_busy = false;
    for (size_t i = 0; i < SLACK_INBOX_SLOT_COUNT; i++) {
        struct inbox_slot *slot = &worker->slots[i];

        *ret_busy = *ret_busy || (slot->busy && slot->seq == seq);
        spare = slot->busy ? spare : slot;
    }
    return spare;
}

/* False when all slots are in use; the walk stops before the entry. */
static bool take_entry(struct inbox_worker *worker, const struct service_inbox_entry *entry)
{
    bool busy;
    struct inbox_slot *slot = find_slot(worker, entry->seq, &busy);

    if (slot == NULL) {
        worker->stopped = true;
        return false;
    }
    worker->after_seq = entry->seq;
    if (!busy) {
        fill_slot(slot, entry);
        begin_slot(slot);
    }
    return true;
}

static void on_page(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct service_inbox_entry *entries,
                    size_t count)
{
    struct inbox_worker *worker = arg;
    size_t taken = 0;

    worker->listing = false;
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_listed", err);
        return; /* the timer comes back to it */
    }
    while (taken < count && take_entry(worker, &entries[taken])) {
        taken++;
    }
    if (count == 0) {
        end_walk(worker);
    } else if (taken == count) {
        next_page(worker);
    }
}

static void next_page(struct inbox_worker *worker)
{
    struct err err = ERR_INIT;

    worker->listing = true;
    if (service_inbox_list(worker->inbound->service, worker->after_seq, SLACK_INBOX_PAGE_COUNT,
                           on_page, worker, &err) != ERR_OK) {
        worker->listing = false;
        log_err(LOG_LEVEL_WARNING, MODULE, "not_listed", &err);
    }
}

void inbox_worker_poke(struct inbox_worker *worker)
{
    set_mark(worker);
    if (worker->listing) {
        worker->again = true;
        return;
    }
    worker->again = false;
    worker->stopped = false;
    worker->after_seq = 0;
    next_page(worker);
}

/* Entries that wait for Slack, and those that came over the API: nobody pokes for them. */
static void on_timer(int fd, short what, void *arg)
{
    struct inbox_worker *worker = arg;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    if (service_inbox_depth(worker->inbound->service) > 0) {
        inbox_worker_poke(worker);
    }
}

void inbox_worker_start(struct inbox_worker *worker)
{
    static const struct timeval period = {.tv_sec = SLACK_INBOX_RETRY_MS / 1000};

    if (event_add(worker->timer, &period) != 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "timer_failed",
                   LOG_NUMBER("period_ms", SLACK_INBOX_RETRY_MS));
    }
    inbox_worker_poke(worker);
}

enum err_code
inbox_worker_new(struct slack_inbound *inbound, struct inbox_worker **ret_worker, struct err *err)
{
    struct inbox_worker *worker = mem_new(1, sizeof *worker);

    if (worker == NULL) {
        return err_set(err, ERR_NOMEM, "inbox worker");
    }
    worker->inbound = inbound;
    for (size_t i = 0; i < SLACK_INBOX_SLOT_COUNT; i++) {
        worker->slots[i].worker = worker;
    }
    worker->timer = event_new(inbound->base, -1, EV_PERSIST, on_timer, worker);
    if (worker->timer == NULL) {
        mem_free(worker);
        return err_set(err, ERR_NOMEM, "inbox worker");
    }
    *ret_worker = worker;
    return ERR_OK;
}

void inbox_worker_free(struct inbox_worker *worker)
{
    if (worker != NULL) {
        event_free(worker->timer);
        mem_free(worker);
    }
}

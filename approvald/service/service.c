/* SPDX-License-Identifier: Apache-2.0 */
/* service.c: the service's life, its listeners and its counters.
 * Owns what is kept in memory and its recovery at start.
 * Never reads a million rows at start: counters are stored, lists in memory are small. */
#include "approvald/service/book.h"
#include "approvald/service/delegations.h"
#include "approvald/service/gate_sweep.h"
#include "approvald/service/groups.h"
#include "approvald/service/prune.h"
#include "approvald/service/tokens.h"
#include "approvald/service/work.h"
#include "approvald/service/zones.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "storage/storage.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define START_WAIT_MS 60000 /* a strong read at start waits for a commit at most so long */

void service_changed(struct service *service, const struct request_id *id)
{
    for (size_t i = 0; i < service->listener_count; i++) {
        service->listeners[i].changed(service->listeners[i].arg, id);
    }
}

void service_listen(struct service *service, service_changed_fn *changed, void *arg)
{
    ASSERT(service->listener_count < SERVICE_LISTENER_COUNT_MAX);
    service->listeners[service->listener_count++] =
        (struct listener){.changed = changed, .arg = arg};
}

void service_counts(const struct service *service, struct service_counts *ret_counts)
{
    const struct counts *counts = &service->counts;

    *ret_counts = (struct service_counts){.pending = counts->pending,
                                          .inbox_depth = counts->inbox_depth,
                                          .outbox_owed = counts->owed,
                                          .outbox_dead = counts->dead,
                                          .audit_seq = service->audit_seq,
                                          .stored = counts->stored,
                                          .glass_count = service->glass.count,
                                          .glass_ms = service->glass.last_ms,
                                          .glass_last = service->glass.last};
}

static void add_metrics(struct service *service, struct metrics *metrics)
{
    struct service_metrics *all = &service->metrics;
    const struct {
        struct metric **slot;
        enum metric_kind kind;
        const char *name;
        const char *help;
    } table[] = {
        {&all->created, METRIC_COUNTER, "approvald_requests_created_total", "Requests made"},
        {&all->decided, METRIC_COUNTER, "approvald_decisions_total", "Decisions recorded"},
        {&all->refused, METRIC_COUNTER, "approvald_refusals_total",
         "Presses and calls that changed nothing"},
        {&all->replayed, METRIC_COUNTER, "approvald_replays_total",
         "Repeated events and calls that got the first answer again"},
        {&all->deferred, METRIC_COUNTER, "approvald_deferrals_total",
         "Presses that had to wait for facts from Slack"},
        {&all->expired, METRIC_COUNTER, "approvald_expiries_total",
         "Requests expired and approvals lapsed"},
        {&all->tick_failed, METRIC_COUNTER, "approvald_tick_failures_total",
         "Failed attempts to expire, lapse or prune"},
        {&all->pending, METRIC_GAUGE, "approvald_requests_pending", "Requests that wait"},
        {&all->stored, METRIC_GAUGE, "approvald_requests_stored", "Requests kept"},
        {&all->inbox_depth, METRIC_GAUGE, "approvald_inbox_depth",
         "Presses that wait for facts; returns to 0"},
        {&all->owed, METRIC_GAUGE, "approvald_outbox_owed", "Outbox rows with work left"},
        {&all->dead, METRIC_GAUGE, "approvald_outbox_dead",
         "Outbox rows given up; the admin can replay them"},
        {&all->audit_seq, METRIC_GAUGE, "approvald_audit_seq", "Number of the last audit entry"},
        {&all->prune_ahead, METRIC_GAUGE, "approvald_pruning_paused_ahead_seconds",
         "Above 0: nothing is pruned because the wall clock is so far ahead of what is known"},
        {&all->glass, METRIC_COUNTER, "approvald_break_glass_total",
         "Requests approved by their own requester, past the approvers"},
        {&all->glass_last, METRIC_GAUGE, "approvald_break_glass_last_seconds",
         "When the glass was broken last (Unix), also under an earlier primary; 0: never"},
        {&all->commit, METRIC_HISTOGRAM, "approvald_commit_seconds",
         "From a write's submission to its commit on the ISR, as its caller sees it"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        *table[i].slot = metrics_add(metrics, table[i].kind, table[i].name, NULL, table[i].help);
    }
}

static enum err_code
make(const struct service_options *options, struct service **ret_service, struct err *err)
{
    struct service *service = mem_new(1, sizeof *service);
    enum err_code rc;

    if (service == NULL) {
        return err_set(err, ERR_NOMEM, "service");
    }
    *ret_service = service;
    service->storage = options->storage;
    service->rng = options->rng == NULL ? rng_host() : options->rng;
    service->clock = options->clock == NULL ? clock_host() : options->clock;
    service->writer.open_count_max =
        options->open_count_max == 0 ? SERVICE_OPEN_COUNT_DEFAULT : options->open_count_max;
    service->has_step_up_key = options->step_up_key.size > 0;
    crypto_sha256(options->step_up_key.data, options->step_up_key.size, service->step_up_key);
    add_metrics(service, options->metrics);
    rc = tokens_new(&service->tokens, err);
    if (rc == ERR_OK) {
        rc = groups_new(&service->groups, err);
    }
    if (rc == ERR_OK) {
        rc = delegations_new(&service->delegations, err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(SERVICE_ROW_SIZE_MAX, &service->writer.row, err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(SERVICE_ROW_SIZE_MAX, &service->writer.entry, err);
    }
    if (rc == ERR_OK) {
        rc = book_new(&service->writer.book, err);
    }
    if (rc == ERR_OK) {
        rc = zones_new(options->zone_folder, &service->writer.zones, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < SERVICE_TEXT_SLOT_COUNT; i++) {
        rc = buf_new(SERVICE_TEXT_SIZE_MAX, &service->texts[i], err);
    }
    return rc;
}

void service_set_facts(struct service *service, service_facts_fn *facts, void *arg)
{
    service->facts = facts;
    service->facts_arg = arg;
}

void service_set_confirm(struct service *service,
                         service_confirm_fn *confirm,
                         service_certain_fn *certain,
                         void *arg)
{
    ASSERT((confirm == NULL) == (certain == NULL));
    service->confirm = confirm;
    service->certain = certain;
    service->confirm_arg = arg;
}

struct start {
    size_t left; /* answers not yet there */
    struct err err;
};

static void start_answer(void *arg, enum err_code rc, const struct err *err)
{
    struct start *start = arg;

    start->left--;
    if (rc != ERR_OK && start->err.code == ERR_OK) {
        start->err = *err;
        start->err.code = rc;
    }
}

struct recover_job {
    struct job job;
    struct start *start;
};

static enum err_code recover_run(struct work *work)
{
    enum err_code rc = work_recover(work);

    if (rc == ERR_OK) {
        rc = gate_sweep_recover(work);
    }
    return rc == ERR_OK ? prune_recover(work) : rc;
}

static void recover_answer(struct job *job, enum err_code rc, const struct err *err)
{
    start_answer(((struct recover_job *)job)->start, rc, err);
}

static enum err_code recover(struct service *service, struct start *start, struct err *err)
{
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof(struct recover_job), recover_run, recover_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    ((struct recover_job *)base)->start = start;
    base->recovers = true;
    base->reads = true;
    rc = job_submit_take(base, err);
    start->left += rc == ERR_OK ? 1 : 0;
    return rc;
}

/* The store's answers come through its descriptor: nobody else runs the loop yet. */
static enum err_code wait_for(struct service *service, struct start *start, struct err *err)
{
    struct pollfd poll_fd = {.fd = storage_fd(service->storage), .events = POLLIN};

    while (start->left > 0) {
        int ready;

        storage_uncork(service->storage);
        ready = poll(&poll_fd, 1, START_WAIT_MS);

        if (ready < 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "wait for the store");
        }
        if (ready == 0) {
            return err_set(err, ERR_TIMEOUT, "the store does not answer");
        }
        storage_dispatch(service->storage);
    }
    if (start->err.code != ERR_OK) {
        return err_set(err, start->err.code, "%s", start->err.message);
    }
    return ERR_OK;
}

static enum err_code load(struct service *service, struct start *start, struct err *err)
{
    enum err_code rc;

    rc = recover(service, start, err);
    if (rc == ERR_OK) {
        rc = tokens_load(service, start_answer, start, err);
        start->left += rc == ERR_OK ? 1 : 0;
    }
    if (rc == ERR_OK) {
        rc = groups_load(service, start_answer, start, err);
        start->left += rc == ERR_OK ? 1 : 0;
    }
    if (rc == ERR_OK) {
        rc = delegations_load(service, start_answer, start, err);
        start->left += rc == ERR_OK ? 1 : 0;
    }
    return rc;
}

enum err_code
service_new(const struct service_options *options, struct service **ret_service, struct err *err)
{
    struct service *service = NULL;
    struct start start = {.err = ERR_INIT};
    struct err waited = ERR_INIT;
    enum err_code rc;
    enum err_code wait_rc;

    ASSERT(options->storage != NULL);
    ASSERT(options->metrics != NULL);
    rc = make(options, &service, err);
    if (service == NULL) {
        return err_wrap(err, rc, "start the service");
    }
    if (rc == ERR_OK) {
        rc = load(service, &start, err);
    }
    /* What was queued has to come back even when the rest could not be queued. */
    wait_rc = wait_for(service, &start, &waited);
    if (rc == ERR_OK && wait_rc != ERR_OK) {
        rc = err_set(err, wait_rc, "%s", waited.message);
    }
    if (rc != ERR_OK) {
        /* While an answer is out, its job is the store's: leaking it is the lesser evil. */
        if (start.left == 0) {
            service_free(service);
        }
        return err_wrap(err, rc, "start the service");
    }
    service->deadline_ms = 0; /* the first tick finds out */
    *ret_service = service;
    return ERR_OK;
}

void service_free(struct service *service)
{
    if (service == NULL) {
        return;
    }
    ASSERT(service->job_count == 0); /* storage_close answers them all */
    job_pool_done(service);
    for (size_t i = 0; i < SERVICE_TEXT_SLOT_COUNT; i++) {
        buf_free(service->texts[i]);
    }
    buf_free(service->writer.row);
    buf_free(service->writer.entry);
    book_free(service->writer.book);
    zones_free(service->writer.zones);
    tokens_free(service->tokens);
    groups_free(service->groups);
    delegations_free(service->delegations);
    mem_wipe(service->step_up_key, sizeof service->step_up_key);
    mem_free(service);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* populate.c: fills a data directory with approved requests, for measuring a store that has lived.
 * Owns the storage and service that it opens.
 * Never writes past the service: each request is created, decided and its card and thread settled
 * through the same doors as in approvald, so that every table has what it would have. */
#include "approvald/service/service.h"
#include "base/metrics.h"
#include "storage/storage.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_COUNT 512 /* requests under way: keeps batches full within the queue's limit */
#define CHANNEL      "C0APV00001"

struct populate {
    struct storage *storage;
    struct service *service;
    size_t begun_count;
    size_t done_count;
    size_t total_count;
    size_t waiting_count; /* single calls */
};

enum step { STEP_CREATE, STEP_DECIDE, STEP_CARD, STEP_THREAD };

struct life {
    struct populate *populate;
    struct request_id id;
    enum step step;
};

static void stop_on(const char *what, enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "populate: %s: %s\n", what,
                      err != NULL && err->message[0] != '\0' ? err->message : err_text(rc));
        _exit(1);
    }
}

static void life_begin(struct life *life);
static void life_row(struct life *life, enum surface surface);

static struct service_row_key row_key(const struct life *life)
{
    struct service_row_key key = {
        .request = life->id, .surface = life->step == STEP_CARD ? SURFACE_CARD : SURFACE_THREAD};

    memcpy(key.target, CHANNEL, sizeof CHANNEL);
    return key;
}

static void life_ended(void *arg, enum err_code rc, const struct err *err)
{
    struct life *life = arg;
    struct populate *populate = life->populate;

    stop_on("settle a row", rc, err);
    if (life->step == STEP_CARD) {
        life->step = STEP_THREAD;
        life_row(life, SURFACE_THREAD);
        return;
    }
    populate->done_count++;
    if (populate->begun_count < populate->total_count) {
        life_begin(life);
    } else {
        free(life);
    }
}

static void life_attempted(void *arg,
                           enum err_code rc,
                           const struct err *err,
                           const struct service_attempt *attempt)
{
    struct life *life = arg;
    struct service_row_key key = row_key(life);
    struct service_outcome outcome = {.result = OUTBOX_SENT,
                                      .channel = SPAN_LITERAL(CHANNEL),
                                      .ts = SPAN_LITERAL("1700000000.000100")};
    struct err failure = ERR_INIT;

    stop_on("attempt a row", rc, err);
    outcome.revision = attempt->request->revision;
    if (attempt->row->item_count > 0) {
        outcome.item_id = attempt->row->items[0].id;
    }
    rc = service_outbox_end(life->populate->service, &key, &outcome, life_ended, life, &failure);
    stop_on("settle a row", rc, &failure);
}

static void life_row(struct life *life, enum surface surface)
{
    struct service_row_key key = row_key(life);
    struct err err = ERR_INIT;

    key.surface = surface;
    stop_on("attempt a row",
            service_outbox_begin(life->populate->service, &key, life_attempted, life, &err), &err);
}

static void life_request(void *arg,
                         enum err_code rc,
                         const struct err *err,
                         const struct service_answer *answer)
{
    struct life *life = arg;
    struct service_decide decide = {
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = SPAN_LITERAL("U0APR00001")},
        .verdict = VERDICT_APPROVE,
        .facts = {.user_known = true},
    };
    struct err failure = ERR_INIT;

    stop_on("create or decide", rc, err);
    if (life->step == STEP_DECIDE) {
        life->step = STEP_CARD;
        life_row(life, SURFACE_CARD);
        return;
    }
    life->step = STEP_DECIDE;
    life->id = answer->request->id;
    decide.id = life->id;
    stop_on("decide",
            service_decide(life->populate->service, &decide, life_request, life, &failure),
            &failure);
}

static void life_begin(struct life *life)
{
    struct service_create create = {
        .actor = {.kind = ACTOR_ROOT, .via = VIA_CLI},
        .policy = SPAN_LITERAL("populate"),
        .requester = SPAN_LITERAL("U0REQ00001"),
        .title = SPAN_LITERAL("Deploy api 4.2.1 to production"),
        .reason = SPAN_LITERAL("release 4.2.1"),
        .target = SPAN_LITERAL("prod-eu-1"),
    };
    struct err err = ERR_INIT;

    life->step = STEP_CREATE;
    life->populate->begun_count++;
    stop_on("create", service_create(life->populate->service, &create, life_request, life, &err),
            &err);
}

static void wait_for_storage(struct populate *populate)
{
    struct pollfd poll_fd = {.fd = storage_fd(populate->storage), .events = POLLIN};

    if (poll(&poll_fd, 1, 1000) > 0) {
        storage_dispatch(populate->storage);
    }
}

static void policy_applied(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct populate *populate = arg;

    (void)text;
    stop_on("apply the policy", rc, err);
    populate->waiting_count--;
}

static void apply_policy(struct populate *populate)
{
    static const char text[] = "policy populate { channel = \"" CHANNEL
                               "\"\n approvers = {\"U0APR00001\"}\n direct_requester = false }\n";
    struct actor actor = {.kind = ACTOR_ROOT, .via = VIA_CLI};
    struct err err = ERR_INIT;

    populate->waiting_count++;
    stop_on("apply the policy",
            service_policy_apply(populate->service, &actor, span_text(text), false, false,
                                 policy_applied, populate, &err),
            &err);
    while (populate->waiting_count > 0) {
        wait_for_storage(populate);
    }
}

int main(int argc, char **argv)
{
    struct populate populate = {.total_count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0};
    struct storage_options options = {.dir = argc == 3 ? argv[1] : NULL};
    struct service_options service = {.open_count_max = 2 * WINDOW_COUNT};
    struct err err = ERR_INIT;

    if (populate.total_count == 0) {
        (void)fprintf(stderr, "usage: populate DIRECTORY COUNT\n");
        return 2;
    }
    stop_on("open", storage_open(&options, &populate.storage, &err), &err);
    stop_on("metrics", metrics_new(&service.metrics, &err), &err);
    service.storage = populate.storage;
    stop_on("service", service_new(&service, &populate.service, &err), &err);
    apply_policy(&populate);
    for (size_t i = 0; i < WINDOW_COUNT && populate.begun_count < populate.total_count; i++) {
        struct life *life = calloc(1, sizeof *life);

        if (life == NULL) {
            return 1;
        }
        life->populate = &populate;
        life_begin(life);
    }
    while (populate.done_count < populate.total_count) {
        wait_for_storage(&populate);
    }
    service_free(populate.service);
    storage_close(populate.storage);
    metrics_free(service.metrics);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* service_kit.c: a service on a real store for tests.
 * Owns the store, the clock and the waiting.
 * Never looks inside the service. */
#include "tests/unit/service_kit.h"

#include "base/metrics.h"
#include "storage/storage.h"
#include "tests/lib/store_kit.h"

#include <CUnit/CUnit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS UINT64_C(1800000000000)

const struct actor kit_asker = {
    .kind = ACTOR_TOKEN, .via = VIA_API, .token = {.data = "ci", .size = 2}};
const struct actor kit_root = {.kind = ACTOR_ROOT, .via = VIA_CLI};

/* A kit that does not come up ends the test program: nothing else can be said. */
static void must(bool ok, const char *what, const struct err *err)
{
    if (!ok) {
        (void)fprintf(stderr, "service kit: %s: %s\n", what, err == NULL ? "" : err->message);
        abort();
    }
}

static uint64_t kit_now(void *arg)
{
    return atomic_load(&((struct service_kit *)arg)->now_ms);
}

static uint64_t kit_wall(void *arg)
{
    struct service_kit *kit = arg;

    return atomic_load(&kit->now_ms) + (uint64_t)atomic_load(&kit->jump_ms);
}

static void on_changed(void *arg, const struct request_id *id)
{
    struct service_kit *kit = arg;

    kit->changed_count++;
    kit->changed = *id;
}

static _Atomic bool broken; /* one kit at a time; the syncer reads it */

static enum err_code sync_unless_broken(void *arg, int file, struct err *err)
{
    return atomic_load(&broken) ? err_set(err, ERR_IO, "fdatasync: as asked")
                                : disk_host()->sync(arg, file, err);
}

static void open_both(struct service_kit *kit)
{
    struct storage_options storage = kit_options(kit->scratch.path);
    struct service_options options = {.clock = &kit->clock,
                                      .open_count_max = kit->open_count_max,
                                      .step_up_key = kit->step_up_key};
    struct err err = ERR_INIT;

    atomic_store(&broken, false);
    kit->disk = *disk_host();
    kit->disk.sync = sync_unless_broken;
    storage.disk = &kit->disk;
    storage.clock = &kit->clock;
    must(storage_open(&storage, &kit->storage, &err) == ERR_OK, "storage_open", &err);
    must(metrics_new(&kit->metrics, &err) == ERR_OK, "metrics_new", &err);
    options.storage = kit->storage;
    options.metrics = kit->metrics;
    must(service_new(&options, &kit->service, &err) == ERR_OK, "service_new", &err);
    service_listen(kit->service, on_changed, kit);
}

static void close_both(struct service_kit *kit)
{
    storage_close(kit->storage);
    service_free(kit->service);
    metrics_free(kit->metrics);
}

void service_kit_open(struct service_kit *kit)
{
    memset(kit, 0, sizeof *kit);
    atomic_store(&kit->now_ms, START_MS);
    kit->clock = (struct clock){.boot_ms = kit_now, .wall_ms = kit_wall, .arg = kit};
    scratch_init(&kit->scratch);
    open_both(kit);
}

void service_kit_open_with(struct service_kit *kit, const char *policies)
{
    struct kit_answer answer;

    service_kit_open(kit);
    answer = kit_apply(kit, policies, false, false);
    if (answer.rc != ERR_OK) {
        (void)fprintf(stderr, "apply: %s\n", answer.message);
    }
    CU_ASSERT_EQUAL_FATAL(answer.rc, ERR_OK);
}

void service_kit_close(struct service_kit *kit)
{
    close_both(kit);
    scratch_done(&kit->scratch);
}

void service_kit_restart(struct service_kit *kit)
{
    close_both(kit);
    open_both(kit);
}

void service_kit_wait(struct service_kit *kit, const bool *done)
{
    struct pollfd poll_fd = {.fd = storage_fd(kit->storage), .events = POLLIN};

    while (!*done) {
        must(poll(&poll_fd, 1, 20000) > 0, "no answer came", NULL);
        storage_dispatch(kit->storage);
    }
}

void service_kit_break(struct service_kit *kit)
{
    (void)kit; /* for reading: whose kit it is */
    atomic_store(&broken, true);
}

void service_kit_pass(struct service_kit *kit, uint64_t ms)
{
    atomic_fetch_add(&kit->now_ms, ms);
}

static void tick_once(struct service_kit *kit)
{
    struct service_counts counts;
    struct kit_answer barrier = {.done = false};
    struct request_id nobody = {.bytes = {0}};
    struct err err = ERR_INIT;

    must(service_tick(kit->service, &err) == ERR_OK, "service_tick", &err);
    /* A read behind it: when that is answered, the tick is. */
    must(service_get(kit->service, &nobody, kit_on_request, &barrier, &err) == ERR_OK, "get", &err);
    service_kit_wait(kit, &barrier.done);
    service_counts(kit->service, &counts);
}

void service_kit_tick(struct service_kit *kit)
{
    int count = 0;

    do {
        tick_once(kit);
        must(++count < 10000, "ticks never end", NULL);
    } while (service_deadline_ms(kit->service) <= kit_wall(kit));
}

void service_kit_tick_after(struct service_kit *kit, uint64_t ms)
{
    service_kit_pass(kit, ms);
    service_kit_tick(kit);
}

void service_kit_run(struct service_kit *kit, uint64_t minutes)
{
    for (uint64_t i = 0; i < minutes; i++) {
        service_kit_tick_after(kit, CORE_MINUTE_MS);
    }
}

static void copy(char *target, size_t size, struct span text)
{
    size_t copied = text.size < size - 1 ? text.size : size - 1;

    if (copied > 0) {
        memcpy(target, text.data, copied);
    }
    target[copied] = '\0';
}

static void note(struct kit_answer *answer, enum err_code rc, const struct err *err)
{
    answer->done = true;
    answer->rc = rc;
    if (rc != ERR_OK) {
        copy(answer->message, sizeof answer->message, span_text(err->message));
    }
}

void kit_on_request(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct service_answer *answer)
{
    struct kit_answer *out = arg;
    const struct request *request = answer->request;

    note(out, rc, err);
    out->refusal = answer->refusal;
    out->replayed = answer->replayed;
    out->deferred = answer->deferred;
    out->has_request = request != NULL;
    if (request == NULL) {
        return;
    }
    CU_ASSERT_PTR_NOT_NULL(answer->policy);
    out->id = request->id;
    out->state = request->state;
    out->use = request->use;
    out->revision = request->revision;
    out->decision_count = request->decision_count;
    out->policy_version = request->policy_version;
    out->created_ms = request->created_ms;
    out->expires_ms = request->expires_ms;
    out->lapses_ms = request->lapses_ms;
    out->effect_ms = request->clocks.effect_ms;
    out->escalated_ms = request->clocks.escalated_ms;
    out->consume_result = request->consume_result;
    copy(out->title, sizeof out->title, request->title);
}

void kit_on_text(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct kit_answer *out = arg;

    note(out, rc, err);
    copy(out->text, sizeof out->text, text);
}

void kit_on_done(void *arg, enum err_code rc, const struct err *err)
{
    note(arg, rc, err);
}

/* The call was accepted: wait; or not: its code is the answer. */
static struct kit_answer *
settle(struct service_kit *kit, struct kit_answer *answer, enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        note(answer, rc, err);
    }
    service_kit_wait(kit, &answer->done);
    return answer;
}

struct kit_answer kit_apply(struct service_kit *kit, const char *text, bool dry_run, bool delete)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer,
                   service_policy_apply(kit->service, &kit_root, span_text(text), dry_run, delete,
                                        kit_on_text, &answer, &err),
                   &err);
}

void kit_expect_refused(struct service_kit *kit, const char *text, const char *says)
{
    struct kit_answer answer = kit_apply(kit, text, false, false);
    bool said = strstr(answer.message, says) != NULL;

    CU_ASSERT_EQUAL(answer.rc, ERR_INVALID);
    CU_ASSERT(said);
    if (!said) {
        (void)fprintf(stderr, "%s\n  says: %s\n", text, answer.message);
    }
}

struct kit_answer kit_create(struct service_kit *kit, const char *policy, const char *key)
{
    struct service_create create = {.actor = kit_asker,
                                    .token_id = 1,
                                    .idempotency_key = span_text(key),
                                    .policy = span_text(policy),
                                    .requester = SPAN_LITERAL("U0ASKER"),
                                    .title = SPAN_LITERAL("Deploy shop"),
                                    .reason = SPAN_LITERAL("release 7"),
                                    .target = SPAN_LITERAL("prod"),
                                    .details = SPAN_LITERAL("make deploy\nnow")};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer,
                   service_create(kit->service, &create, kit_on_request, &answer, &err), &err);
}

struct kit_answer kit_create_as(struct service_kit *kit, const struct service_create *create)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(service_create(kit->service, create, kit_on_request, &answer, &err),
                          ERR_OK);
    service_kit_wait(kit, &answer.done);
    return answer;
}

struct kit_answer kit_open_asked(struct service_kit *kit, const char *policies, const char *policy)
{
    struct kit_answer made;

    service_kit_open_with(kit, policies);
    made = kit_create(kit, policy, "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    return made;
}

struct kit_answer kit_get(struct service_kit *kit, const struct request_id *id)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer, service_get(kit->service, id, kit_on_request, &answer, &err),
                   &err);
}

struct service_decide
kit_press(const struct request_id *id, const char *user, enum verdict verdict, const char *event)
{
    struct service_decide decide = {
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)},
        .id = *id,
        .verdict = verdict,
        .facts = {.user_known = true},
        .key = {.kind = event == NULL ? 0 : 1, .time_s = START_MS / 1000, .text = span_text(event)},
        .channel = SPAN_LITERAL("C0CARDS"),
        .thread = SPAN_LITERAL("1700000000.000100")};

    return decide;
}

struct kit_answer kit_decide(struct service_kit *kit, const struct service_decide *decide)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer,
                   service_decide(kit->service, decide, kit_on_request, &answer, &err), &err);
}

struct kit_answer
kit_approve(struct service_kit *kit, const struct request_id *id, const char *user)
{
    struct service_decide decide = kit_press(id, user, VERDICT_APPROVE, NULL);

    return kit_decide(kit, &decide);
}

struct kit_answer kit_claim(struct service_kit *kit, const struct request_id *id, const char *key)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer,
                   service_claim(kit->service, &kit_asker, id, NULL, span_text(key), kit_on_request,
                                 &answer, &err),
                   &err);
}

struct kit_answer kit_consume(struct service_kit *kit, const struct request_id *id, int32_t result)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(
        kit, &answer,
        service_consume(kit->service, &kit_asker, id, result, kit_on_request, &answer, &err), &err);
}

struct kit_answer kit_cancel(struct service_kit *kit, const struct request_id *id)
{
    struct service_cancel cancel = {
        .actor = kit_asker, .id = *id, .reason = SPAN_LITERAL("not needed")};
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return *settle(kit, &answer,
                   service_cancel(kit->service, &cancel, kit_on_request, &answer, &err), &err);
}

static void take_rows(struct kit_rows *out, const struct outbox_row *rows, size_t count)
{
    for (size_t i = 0; i < count && i < 32; i++) {
        out->rows[i].surface = rows[i].surface;
        copy(out->rows[i].target, sizeof out->rows[i].target, rows[i].target);
        out->rows[i].wanted = rows[i].wanted;
        out->rows[i].item_count = rows[i].item_count;
        if (rows[i].item_count > 0) {
            out->rows[i].first_kind = rows[i].items[0].kind;
            out->rows[i].first_id = rows[i].items[0].id;
            copy(out->rows[i].first_text, sizeof out->rows[i].first_text, rows[i].items[0].text);
        }
        out->count++;
    }
}

static void
on_rows(void *arg, enum err_code rc, const struct err *err, const struct service_rows *found)
{
    struct kit_rows *out = arg;

    (void)err; /* the code says enough */
    out->done = true;
    out->rc = rc;
    CU_ASSERT_FALSE(found->more);
    out->ended = found->count > 0 && found->ended[found->count - 1];
    take_rows(out, found->rows, found->count);
}

static void
on_look(void *arg, enum err_code rc, const struct err *err, const struct service_looks *found)
{
    struct kit_rows *out = arg;

    (void)err; /* the code says enough */
    out->done = true;
    out->rc = rc;
    CU_ASSERT_EQUAL(found->count, 1);
    out->ended = found->looks[0].ended;
    take_rows(out, found->rows, found->looks[0].row_count);
}

struct kit_rows kit_owed(struct service_kit *kit, const struct request_id *id, bool dead)
{
    struct kit_rows rows = {.done = false};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (dead || id == NULL) {
        rc = service_outbox_list(kit->service, NULL, id, dead, 32, on_rows, &rows, &err);
    } else {
        rc = service_outbox_look(kit->service, id, 1, on_look, &rows, &err);
    }
    must(rc == ERR_OK, "rows of a request", &err);
    service_kit_wait(kit, &rows.done);
    return rows;
}

size_t kit_owed_of(const struct kit_rows *rows, enum surface surface)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        count += rows->rows[i].surface == surface ? 1 : 0;
    }
    return count;
}

struct service_row_key
kit_key(const struct request_id *id, enum surface surface, const char *target)
{
    struct service_row_key key = {.request = *id, .surface = surface};

    copy(key.target, sizeof key.target, span_text(target));
    return key;
}

static void on_attempt(void *arg,
                       enum err_code rc,
                       const struct err *err,
                       const struct service_attempt *attempt)
{
    struct kit_attempt *out = arg;

    (void)err; /* the code says enough */
    out->done = true;
    out->rc = rc;
    if (rc != ERR_OK) {
        return;
    }
    out->attempted = attempt->row->attempted;
    out->attempts = attempt->row->attempts;
    out->item_id = attempt->row->item_count > 0 ? attempt->row->items[0].id : 0;
    out->has_card = attempt->card != NULL;
    if (attempt->card != NULL) {
        copy(out->card_ts, sizeof out->card_ts, attempt->card->ts);
    }
    out->has_request = attempt->request != NULL;
    CU_ASSERT_EQUAL(attempt->policy != NULL, attempt->request != NULL);
    out->revision = attempt->request == NULL ? 0 : attempt->request->revision;
}

struct kit_attempt kit_begin(struct service_kit *kit, const struct service_row_key *key)
{
    struct kit_attempt attempt = {.done = false};
    struct err err = ERR_INIT;

    must(service_outbox_begin(kit->service, key, on_attempt, &attempt, &err) == ERR_OK,
         "service_outbox_begin", &err);
    service_kit_wait(kit, &attempt.done);
    return attempt;
}

enum err_code kit_end(struct service_kit *kit,
                      const struct service_row_key *key,
                      const struct service_outcome *outcome)
{
    struct kit_answer answer = {.done = false};
    struct err err = ERR_INIT;

    return settle(kit, &answer,
                  service_outbox_end(kit->service, key, outcome, kit_on_done, &answer, &err), &err)
        ->rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* fake_outbox.c: the outbox half of service.h in memory.
 * Owns the rows and the texts in them.
 * Never answers from inside a call; never decides what a result means (core/outbox does). */
#include "tests/unit/fake_outbox.h"

#include "approvald/core/request_id.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

struct fake_row {
    struct outbox_row row;
    char target[CORE_NAME_SIZE_MAX + 1];
    char channel[64];
    char ts[64];
    char error[CORE_ERROR_SIZE_MAX + 1];
};

/* One test program runs one case at a time, so the fake may be one for all. */
static struct service {
    struct event_base *base;
    const struct clock *clock;
    service_changed_fn *changed;
    void *changed_arg;
    struct request request;
    struct policy policy;
    struct fake_row rows[FAKE_OUTBOX_ROW_COUNT_MAX];
    size_t count;
    enum err_code refuse;
    size_t look_max; /* requests shown at once; 0: as many as the service shows */
    size_t look_count;
    size_t page_count;
    size_t away_count;
} fake;

/* A call that is answered on the loop. */
struct answer {
    enum { ANSWER_LIST, ANSWER_LOOK, ANSWER_BEGIN, ANSWER_END } kind;
    struct service_row_key key;
    bool has_key;
    bool dead;
    size_t count_max;
    struct request_id asked[SERVICE_LOOK_COUNT_MAX];
    size_t asked_count;
    service_looks_fn *looks;
    struct service_outcome outcome;
    char channel[64];
    char ts[64];
    char error[CORE_ERROR_SIZE_MAX + 1];
    service_rows_fn *rows;
    service_attempt_fn *attempt;
    service_done_fn *done;
    void *arg;
};

struct service *fake_outbox_reset(struct event_base *base, const struct clock *clock)
{
    memset(&fake, 0, sizeof fake);
    fake.base = base;
    fake.clock = clock;
    return &fake;
}

void fake_outbox_state(const struct request *request, const struct policy *policy)
{
    fake.request = *request;
    fake.policy = *policy;
}

size_t fake_outbox_away(void)
{
    return fake.away_count;
}

void fake_outbox_refuse(enum err_code rc)
{
    fake.refuse = rc;
}

void fake_outbox_show(size_t count_max)
{
    fake.look_max = count_max;
}

size_t fake_outbox_looks(void)
{
    return fake.look_count;
}

size_t fake_outbox_pages(void)
{
    return fake.page_count;
}

struct request_id fake_outbox_id(uint32_t number)
{
    struct request_id id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, 0}};

    id.bytes[14] = (uint8_t)(number >> 8);
    id.bytes[15] = (uint8_t)number;
    return id;
}

static struct fake_row *find(const struct request_id *id, enum surface surface, struct span target)
{
    for (size_t i = 0; i < fake.count; i++) {
        struct outbox_row *row = &fake.rows[i].row;

        if (request_id_equal(&row->request, id) && row->surface == surface &&
            span_equal(row->target, target)) {
            return &fake.rows[i];
        }
    }
    return NULL;
}

static struct fake_row *find_or_make(uint32_t number, enum surface surface, const char *target)
{
    struct request_id id = fake_outbox_id(number);
    struct fake_row *row = find(&id, surface, span_text(target));

    if (row == NULL) {
        ASSERT(fake.count < FAKE_OUTBOX_ROW_COUNT_MAX);
        row = &fake.rows[fake.count++];
        (void)snprintf(row->target, sizeof row->target, "%s", target);
        outbox_init(&row->row, &id, surface, span_text(row->target));
    }
    return row;
}

void fake_outbox_touch(uint32_t number)
{
    struct request_id id = fake_outbox_id(number);

    if (fake.changed != NULL) {
        fake.changed(fake.changed_arg, &id);
    }
}

void fake_outbox_raise(uint32_t number, enum surface surface, const char *target, uint32_t revision)
{
    outbox_raise(&find_or_make(number, surface, target)->row, revision, clock_wall_ms(fake.clock));
    fake.request.revision = revision;
    fake_outbox_touch(number);
}

void fake_outbox_doubt(uint32_t number, enum surface surface, const char *target)
{
    outbox_doubt(&find_or_make(number, surface, target)->row, clock_wall_ms(fake.clock));
    fake_outbox_touch(number);
}

void fake_outbox_repair(uint32_t number, enum surface surface, const char *target)
{
    ASSERT(outbox_repair(&find_or_make(number, surface, target)->row, clock_wall_ms(fake.clock)));
    fake_outbox_touch(number);
}

void fake_outbox_add(uint32_t number,
                     enum surface surface,
                     const char *target,
                     const struct outbox_item *item)
{
    struct err err = ERR_INIT;

    ASSERT(outbox_add(&find_or_make(number, surface, target)->row, item, &err) == ERR_OK);
    fake_outbox_touch(number);
}

static void set_place(struct fake_row *row, struct span channel, struct span ts)
{
    char copies[2][64]; /* the spans may be the row's own */

    (void)snprintf(copies[0], sizeof copies[0], "%.*s", SPAN_ARGS(channel));
    (void)snprintf(copies[1], sizeof copies[1], "%.*s", SPAN_ARGS(ts));
    memcpy(row->channel, copies[0], sizeof row->channel);
    memcpy(row->ts, copies[1], sizeof row->ts);
    row->row.channel = span_text(row->channel);
    row->row.ts = span_text(row->ts);
}

void fake_outbox_place(
    uint32_t number, enum surface surface, const char *target, const char *channel, const char *ts)
{
    set_place(find_or_make(number, surface, target), span_text(channel), span_text(ts));
}

void fake_outbox_settle(uint32_t number, enum surface surface, const char *target)
{
    struct outbox_row *row = &find_or_make(number, surface, target)->row;

    row->sent = row->wanted;
}

void fake_outbox_replay(uint32_t number, enum surface surface, const char *target)
{
    outbox_replay(&find_or_make(number, surface, target)->row, clock_wall_ms(fake.clock));
    fake_outbox_touch(number);
}

const struct outbox_row *fake_outbox_row(uint32_t number, enum surface surface, const char *target)
{
    struct request_id id = fake_outbox_id(number);
    struct fake_row *row = find(&id, surface, span_text(target));

    return row == NULL ? NULL : &row->row;
}

static void answer_list(const struct answer *answer)
{
    struct outbox_row *rows = mem_new(FAKE_OUTBOX_ROW_COUNT_MAX, sizeof *rows);
    size_t count = 0;
    bool ended[FAKE_OUTBOX_ROW_COUNT_MAX];
    bool past = !answer->has_key;
    bool more = false;

    fake.page_count++;
    ASSERT(rows != NULL);
    for (size_t i = 0; i < fake.count; i++) {
        const struct outbox_row *row = &fake.rows[i].row;
        bool wanted = past && outbox_is_owed(row) && row->dead == answer->dead;

        if (wanted && count == answer->count_max) {
            more = true;
        } else if (wanted) {
            ended[count] = fake.request.state != REQUEST_PENDING;
            rows[count++] = *row;
        }
        if (answer->has_key && request_id_equal(&row->request, &answer->key.request) &&
            row->surface == answer->key.surface && span_is(row->target, answer->key.target)) {
            past = true;
        }
    }
    answer->rows(
        answer->arg, ERR_OK, NULL,
        &(struct service_rows){.rows = rows, .ended = ended, .count = count, .more = more});
    mem_free(rows);
}

static size_t owed_of(const struct request_id *id, struct outbox_row *rows)
{
    size_t count = 0;

    for (size_t i = 0; i < fake.count; i++) {
        const struct outbox_row *row = &fake.rows[i].row;

        if (outbox_is_owed(row) && !row->dead && request_id_equal(&row->request, id)) {
            rows[count++] = *row;
        }
    }
    return count;
}

static void answer_look(const struct answer *answer)
{
    struct outbox_row *rows = mem_new(FAKE_OUTBOX_ROW_COUNT_MAX, sizeof *rows);
    struct service_look looks[SERVICE_LOOK_COUNT_MAX];
    struct service_looks found = {.looks = looks, .rows = rows};
    size_t room = fake.look_max == 0 ? SERVICE_LOOK_COUNT_MAX : fake.look_max;
    size_t count = 0;

    ASSERT(rows != NULL);
    fake.look_count++;
    for (; found.count < answer->asked_count && found.count < room; found.count++) {
        struct service_look *look = &looks[found.count];

        *look = (struct service_look){.request = answer->asked[found.count]};
        look->row_count = owed_of(&look->request, rows + count);
        look->ended = look->row_count > 0 && fake.request.state != REQUEST_PENDING;
        count += look->row_count;
    }
    answer->looks(answer->arg, ERR_OK, NULL, &found);
    mem_free(rows);
}

static void answer_begin(const struct answer *answer)
{
    struct fake_row *row =
        find(&answer->key.request, answer->key.surface, span_text(answer->key.target));
    struct fake_row *card = NULL;
    struct err err = ERR_INIT;
    struct outbox_row before;
    struct request request = fake.request;

    for (size_t i = 0; i < fake.count; i++) {
        if (fake.rows[i].row.surface == SURFACE_CARD && fake.rows[i].row.ts.size > 0 &&
            request_id_equal(&fake.rows[i].row.request, &answer->key.request)) {
            card = &fake.rows[i];
        }
    }
    if (fake.refuse != ERR_OK || row == NULL || !outbox_is_owed(&row->row) || row->row.dead) {
        enum err_code rc = fake.refuse == ERR_OK ? ERR_NOT_FOUND : fake.refuse;

        (void)err_set(&err, rc, "fake");
        answer->attempt(answer->arg, rc, &err, NULL);
        return;
    }
    before = row->row;
    outbox_begin(&row->row, clock_wall_ms(fake.clock));
    before.attempts = row->row.attempts;
    before.attempt_ms = row->row.attempt_ms;
    request.id = answer->key.request;
    answer->attempt(answer->arg, ERR_OK, NULL,
                    &(struct service_attempt){.row = &before,
                                              .card = card == NULL ? NULL : &card->row,
                                              .request = &request,
                                              .policy = &fake.policy});
    if (fake.changed != NULL) {
        fake.changed(fake.changed_arg, &answer->key.request);
    }
}

static void answer_end(const struct answer *answer)
{
    struct fake_row *row =
        find(&answer->key.request, answer->key.surface, span_text(answer->key.target));
    struct outbox_outcome outcome = {
        .result = answer->outcome.result,
        .revision = answer->outcome.revision,
        .item_id = answer->outcome.item_id,
        .channel = answer->outcome.channel.size == 0 ? SPAN_NONE : span_text(answer->channel),
        .ts = answer->outcome.ts.size == 0 ? SPAN_NONE : span_text(answer->ts),
        .error = span_text(answer->error),
    };
    struct err err = ERR_INIT;
    bool died = false;

    if (fake.refuse != ERR_OK) {
        (void)err_set(&err, fake.refuse, "fake");
        answer->done(answer->arg, fake.refuse, &err);
        return;
    }
    ASSERT(row != NULL);
    fake.away_count += answer->outcome.away ? 1 : 0;
    (void)outbox_end(&row->row, &outcome, clock_wall_ms(fake.clock), &died); /* rows stay here */
    set_place(row, row->row.channel, row->row.ts);
    memcpy(row->error, answer->error, sizeof row->error);
    row->row.error = row->row.error.size == 0 ? SPAN_NONE : span_text(row->error);
    answer->done(answer->arg, ERR_OK, NULL);
    if (fake.changed != NULL) {
        fake.changed(fake.changed_arg, &answer->key.request);
    }
}

static void on_turn(evutil_socket_t fd, short events, void *arg)
{
    struct answer *answer = arg;

    (void)fd;
    (void)events;
    switch (answer->kind) {
    case ANSWER_LIST:
        answer_list(answer);
        break;
    case ANSWER_LOOK:
        answer_look(answer);
        break;
    case ANSWER_BEGIN:
        answer_begin(answer);
        break;
    case ANSWER_END:
        answer_end(answer);
        break;
    }
    mem_free(answer);
}

static enum err_code later(const struct answer *answer)
{
    static const struct timeval now = {0, 0};
    struct answer *copy = mem_new(1, sizeof *copy);

    ASSERT(copy != NULL);
    *copy = *answer;
    ASSERT(event_base_once(fake.base, -1, EV_TIMEOUT, on_turn, copy, &now) == 0);
    return ERR_OK;
}

bool service_substitute(const struct service *service, struct span user, struct span *ret_user)
{
    (void)service;  /* nobody is away */
    (void)user;     /* likewise */
    (void)ret_user; /* likewise */
    return false;
}

void service_listen(struct service *service, service_changed_fn *changed, void *arg)
{
    service->changed = changed;
    service->changed_arg = arg;
}

/* The contract is service.h's, parameters and all. */
enum err_code /* NOLINTNEXTLINE(readability-function-size) */
service_outbox_list(struct service *service,
                    const struct service_row_key *after,
                    const struct request_id *only,
                    bool dead,
                    size_t count_max,
                    service_rows_fn *done,
                    void *arg,
                    struct err *err)
{
    struct answer answer = {.kind = ANSWER_LIST,
                            .has_key = after != NULL,
                            .dead = dead,
                            .count_max = count_max,
                            .rows = done,
                            .arg = arg};

    ASSERT(service == &fake);
    ASSERT(only == NULL); /* the sender looks instead */
    (void)err;
    if (after != NULL) {
        answer.key = *after;
    }
    return later(&answer);
}

enum err_code service_outbox_look(struct service *service,
                                  const struct request_id *requests,
                                  size_t count,
                                  service_looks_fn *done,
                                  void *arg,
                                  struct err *err)
{
    struct answer answer = {.kind = ANSWER_LOOK, .asked_count = count, .looks = done, .arg = arg};

    ASSERT(service == &fake);
    ASSERT(count > 0 && count <= SERVICE_LOOK_COUNT_MAX);
    (void)err;
    memcpy(answer.asked, requests, count * sizeof requests[0]);
    return later(&answer);
}

enum err_code service_outbox_begin(struct service *service,
                                   const struct service_row_key *key,
                                   service_attempt_fn *done,
                                   void *arg,
                                   struct err *err)
{
    struct answer answer = {.kind = ANSWER_BEGIN, .key = *key, .attempt = done, .arg = arg};

    ASSERT(service == &fake);
    (void)err;
    return later(&answer);
}

enum err_code service_outbox_end(struct service *service,
                                 const struct service_row_key *key,
                                 const struct service_outcome *outcome,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct answer answer = {
        .kind = ANSWER_END, .key = *key, .outcome = *outcome, .done = done, .arg = arg};

    ASSERT(service == &fake);
    (void)err;
    (void)snprintf(answer.channel, sizeof answer.channel, "%.*s", SPAN_ARGS(outcome->channel));
    (void)snprintf(answer.ts, sizeof answer.ts, "%.*s", SPAN_ARGS(outcome->ts));
    (void)snprintf(answer.error, sizeof answer.error, "%.*s", SPAN_ARGS(outcome->error));
    return later(&answer);
}

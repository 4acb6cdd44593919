/* SPDX-License-Identifier: Apache-2.0 */
/* home.c: the Home tabs of those who opened them lately.
 * Owns the work on each: facts, read, render, publish.
 * Never decides whose turn it is (homeplan) or what is shown (service, views_home), never begins
 * anything while Slack is not well: cards come first. */
#include "approvald/slack/outbound/home.h"
#include "approvald/core/needs.h"

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/homeplan.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/show/views_home.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rng.h"

#include <event2/event.h>
#include <stdio.h>

#define MODULE "slack_home"

enum home_metric { HOME_PUBLISHED, HOME_SAME, HOME_FAILED, HOME_METRIC_COUNT };

struct home_work {
    struct home *home;
    bool used;
    bool partial;
    uint64_t digest;
    struct homeplan_job job;
    uint32_t barred; /* view_home.h */
};

struct home {
    struct service *service;     /* borrowed */
    struct webapi *webapi;       /* borrowed */
    struct directory *directory; /* borrowed */
    const struct clock *clock;   /* borrowed */
    struct event *timer;         /* owned */
    struct homeplan plan;
    struct home_work works[SLACK_HOME_JOB_COUNT];
    bool running;
    uint64_t wake_ms; /* boot: when the timer is due */
    struct metric *looks[HOME_METRIC_COUNT];
};

static uint64_t boot_ms(const struct home *home)
{
    return clock_boot_ms(home->clock);
}

static uint32_t draw(void)
{
    return (uint32_t)rng_below(rng_host(), UINT32_MAX);
}

/* At due_ms, unless it is due before. A timer that should have fired may sleep on: the boot clock
 * goes on while the host is suspended, the loop's does not. */
static void wake_at(struct home *home, uint64_t due_ms)
{
    uint64_t now_ms = boot_ms(home);
    uint64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};

    bool pending = home->wake_ms > now_ms && home->wake_ms <= due_ms;

    if (!home->running || due_ms == UINT64_MAX || pending) {
        return;
    }
    home->wake_ms = due_ms;
    (void)event_add(home->timer, &delay); /* fails only without memory; the next event wakes */
}

/* Soon: what changes at once is seen by one look. */
static void wake(struct home *home)
{
    wake_at(home, boot_ms(home) + SLACK_HOME_READ_MS);
}

static void end(struct home_work *work, const struct homeplan_outcome *outcome)
{
    struct home *home = work->home;
    enum home_metric metric = HOME_FAILED;

    if (outcome->result == HOMEPLAN_PUBLISHED) {
        metric = HOME_PUBLISHED;
    } else if (outcome->result == HOMEPLAN_SAME) {
        metric = HOME_SAME;
    }
    ASSERT(work->used);
    if (outcome->result != HOMEPLAN_NOT_READY) {
        metric_add(home->looks[metric], 1);
    }
    homeplan_end(&home->plan, &work->job, outcome, boot_ms(home));
    work->used = false;
    wake(home);
}

static void end_as(struct home_work *work, enum homeplan_result result)
{
    end(work,
        &(struct homeplan_outcome){.result = result, .partial = work->partial, .draw = draw()});
}

/* Publishing. */

static enum homeplan_result result_of(const struct webapi_answer *answer)
{
    switch (answer->outcome) {
    case WEBAPI_OK:
        return HOMEPLAN_PUBLISHED;
    case WEBAPI_RETRY:
        return answer->retry_after_ms > 0 ? HOMEPLAN_LIMITED : HOMEPLAN_FAILED;
    case WEBAPI_UNKNOWN:
    case WEBAPI_REFUSED:
        return HOMEPLAN_FAILED;
    case WEBAPI_PERMANENT:
        break;
    }
    if (span_is(answer->error, "hash_conflict")) {
        return HOMEPLAN_CONFLICT;
    }
    return span_is(answer->error, "not_enabled") ? HOMEPLAN_OFF : HOMEPLAN_REFUSED;
}

static void on_published(void *arg, const struct webapi_answer *answer)
{
    struct home_work *work = arg;
    struct homeplan_outcome outcome = {.result = result_of(answer),
                                       .digest = work->digest,
                                       .partial = work->partial,
                                       .retry_ms = answer->retry_after_ms,
                                       .draw = draw()};

    if (outcome.result == HOMEPLAN_PUBLISHED) {
        outcome.hash = json_text(answer->json, "view.hash");
    } else if (outcome.result == HOMEPLAN_OFF) {
        log_fields(LOG_LEVEL_WARNING, MODULE, "switched_off",
                   LOG_TEXT("hint", "App Home: switch on the Home Tab in the app's settings"));
    } else if (outcome.result == HOMEPLAN_REFUSED) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "refused", LOG_SPAN("error", answer->error),
                   LOG_SPAN("detail", answer->detail));
    }
    end(work, &outcome);
}

static struct view_away away_of(const struct home *home)
{
    struct view_away away = {.used = service_delegation_is_used(home->service)};

    away.count = service_delegation_list(home->service, &away.delegations);
    return away;
}

static enum err_code publish(struct home_work *work,
                             const struct homeplan_person *person,
                             const struct service_home_answer *found,
                             struct err *err)
{
    struct home *home = work->home;
    AUTO_BUF struct buf *body = NULL;
    char url[SLACK_WORKSPACE_URL_MAX + 1];
    struct directory_identity identity;
    struct view_home view = {.found = found,
                             .user = homeplan_user(&home->plan, &work->job),
                             .hash = span_of(person->hash, person->hash_size),
                             .serial = person->serial,
                             .barred = work->barred,
                             .now_ms = clock_wall_ms(home->clock),
                             .away = away_of(home)};
    struct webapi_call call = {.method = WEBAPI_VIEWS_PUBLISH,
                               .priority = WEBAPI_BACKGROUND,
                               .wait_ms_max = SLACK_HOME_WAIT_MS};
    enum err_code rc = buf_new(SLACK_HOME_VIEW_SIZE_MAX, &body, err);

    directory_identity(home->directory, &identity);
    (void)snprintf(url, sizeof url, "%.*s", SPAN_ARGS(identity.url)); /* fits: it is that long */
    view.workspace_url = url[0] == '\0' ? NULL : url;
    if (rc == ERR_OK) {
        rc = view_home_publish(&view, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.body = buf_span(body);
    return webapi_call(home->webapi, &call, on_published, work, err);
}

/* Looking. */

/* What waits for him by the rules that the writer knows; in which groups a requester is, the
 * directory does. What is not known now is looked at again soon, and judged when he presses. */
static uint32_t barred(struct home *home,
                       struct span user,
                       const struct service_home_answer *found,
                       bool *ret_unknown)
{
    const struct service_home_list *waiting = &found->parts[HOME_WAITING];
    enum known excluded;
    uint32_t set = 0;

    for (size_t i = 0; i < waiting->count; i++) {
        const struct policy *policy = waiting->items[i].policy;
        struct span requester = waiting->items[i].request->requester;
        struct facts facts;
        struct facts other;

        if (policy->exclude_count == 0 || requester.size == 0) {
            continue;
        }
        directory_facts(home->directory, user, SPAN_NONE, &facts);
        directory_facts(home->directory, requester, SPAN_NONE, &other);
        needs_add_requester(policy->excludes, policy->exclude_count, &other, &facts);
        excluded = needs_excluded(policy, requester, &facts);
        set |= excluded == KNOWN_YES ? UINT32_C(1) << i : 0;
        *ret_unknown = *ret_unknown || excluded == KNOWN_UNKNOWN;
    }
    return set;
}

static void on_found(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct service_home_answer *found)
{
    struct home_work *work = arg;
    struct home *home = work->home;
    struct homeplan_person *person = homeplan_person(&home->plan, &work->job);
    struct err failure = ERR_INIT;
    struct view_away away;

    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "not_read", err);
        end_as(work, HOMEPLAN_FAILED);
        return;
    }
    if (!home->running || person == NULL) {
        end_as(work, person == NULL ? HOMEPLAN_SAME : HOMEPLAN_FAILED);
        return;
    }
    if (!found->ready) {
        end_as(work, HOMEPLAN_NOT_READY);
        return;
    }
    work->partial = found->unknown;
    work->barred = barred(home, homeplan_user(&home->plan, &work->job), found, &work->partial);
    away = away_of(home);
    work->digest = view_home_digest(found, work->barred) ^
                   view_away_digest(&away, homeplan_user(&home->plan, &work->job));
    if (person->shown && person->digest == work->digest) {
        end_as(work, HOMEPLAN_SAME);
        return;
    }
    rc = publish(work, person, found, &failure);
    if (rc != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "not_published", &failure);
        end_as(work, HOMEPLAN_FAILED);
    }
}

static void look(struct home_work *work)
{
    struct home *home = work->home;
    struct homeplan_person *person = homeplan_person(&home->plan, &work->job);
    struct service_home question = {.user = homeplan_user(&home->plan, &work->job)};
    struct err err = ERR_INIT;

    if (person == NULL) {
        end_as(work, HOMEPLAN_SAME);
        return;
    }
    directory_facts(home->directory, question.user, SPAN_NONE, &question.facts);
    if (question.facts.user_known) {
        person->member = !question.facts.guest && !question.facts.bot && !question.facts.foreign &&
                         !question.facts.deactivated;
    }
    /* What he is was asked when he opened it. To ask again and again would take Slack's look-ups
     * from those who press; a press is judged by what is known then. */
    question.facts.user_known = question.facts.user_known || person->member;
    question.facts.emails_known =
        question.facts.emails_known || directory_emails_known(home->directory);
    for (size_t i = 0; i < HOME_PART_COUNT; i++) {
        question.pages[i] = person->pages[i];
    }
    if (service_home(home->service, &question, on_found, work, &err) != ERR_OK) {
        log_err(LOG_LEVEL_INFO, MODULE, "not_read", &err);
        end_as(work, HOMEPLAN_FAILED);
    }
}

static void on_known(void *arg)
{
    look(arg);
}

static void begin(struct home_work *work)
{
    struct home *home = work->home;
    const struct homeplan_person *person = homeplan_person(&home->plan, &work->job);
    struct directory_need need = {.kind = DIRECTORY_USER,
                                  .id = homeplan_user(&home->plan, &work->job)};
    struct facts facts;
    struct err err = ERR_INIT;

    directory_facts(home->directory, need.id, SPAN_NONE, &facts);
    if (facts.user_known || person == NULL || person->member ||
        directory_fetch(home->directory, &need, 1, on_known, work, &err) != ERR_OK) {
        look(work);
    }
}

static struct home_work *spare_work(struct home *home)
{
    for (size_t i = 0; i < SLACK_HOME_JOB_COUNT; i++) {
        if (!home->works[i].used) {
            return &home->works[i];
        }
    }
    return NULL;
}

static bool slack_is_well(const struct home *home)
{
    struct webapi_status status;

    webapi_status(home->webapi, &status);
    return status.state == WEBAPI_UP;
}

static void on_timer(int fd, short what, void *arg)
{
    struct home *home = arg;
    struct homeplan_job job;
    struct home_work *work;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    home->wake_ms = UINT64_MAX;
    if (!home->running) {
        return;
    }
    if (!slack_is_well(home)) {
        wake_at(home, boot_ms(home) + SLACK_HOME_BACKOFF_MS_MIN);
        return;
    }
    while (homeplan_next(&home->plan, boot_ms(home), &job)) {
        work = spare_work(home);
        ASSERT(work != NULL);
        *work = (struct home_work){.home = home, .used = true, .job = job};
        begin(work);
    }
    wake_at(home, homeplan_due_ms(&home->plan, boot_ms(home)));
}

static void on_changed(void *arg, const struct request_id *id)
{
    struct home *home = arg;

    (void)id; /* whom it concerns, a look tells */
    homeplan_changed(&home->plan);
    wake(home);
}

static void on_delegated(void *arg)
{
    struct home *home = arg;

    homeplan_changed(&home->plan);
    wake(home);
}

/* Life. */

enum err_code home_new(const struct home_options *options, struct home **ret_home, struct err *err)
{
    static const char *const labels[HOME_METRIC_COUNT] = {[HOME_PUBLISHED] = "result=\"published\"",
                                                          [HOME_SAME] = "result=\"same\"",
                                                          [HOME_FAILED] = "result=\"failed\""};
    struct home *home = mem_new(1, sizeof *home);
    enum err_code rc;

    if (home == NULL) {
        return err_set(err, ERR_NOMEM, "Home");
    }
    home->service = options->service;
    home->webapi = options->webapi;
    home->directory = options->directory;
    home->clock = options->clock == NULL ? clock_host() : options->clock;
    home->wake_ms = UINT64_MAX;
    home->timer = event_new(options->base, -1, 0, on_timer, home);
    rc = homeplan_init(&home->plan, err);
    if (rc == ERR_OK && home->timer == NULL) {
        rc = err_set(err, ERR_NOMEM, "Home");
    }
    if (rc != ERR_OK) {
        home_free(home);
        return rc;
    }
    for (size_t i = 0; i < HOME_METRIC_COUNT; i++) {
        home->looks[i] =
            metrics_add(options->metrics, METRIC_COUNTER, "approvald_slack_homes_total", labels[i],
                        "Looks at people's Homes by what came of them.");
    }
    service_listen(home->service, on_changed, home);
    service_listen_delegations(home->service, on_delegated, home);
    *ret_home = home;
    return ERR_OK;
}

void home_free(struct home *home)
{
    if (home == NULL) {
        return;
    }
    if (home->timer != NULL) {
        event_free(home->timer);
    }
    homeplan_done(&home->plan);
    mem_free(home);
}

void home_start(struct home *home)
{
    home->running = true;
    wake(home);
}

void home_stop(struct home *home)
{
    if (home != NULL) {
        home->running = false;
        home->wake_ms = UINT64_MAX;
        (void)event_del(home->timer); /* fails only for one that was never made */
    }
}

bool home_is_idle(const struct home *home)
{
    return home->plan.job_count == 0;
}

void home_opened(struct home *home, struct span user, struct span hash)
{
    if (homeplan_opened(&home->plan, user, hash, boot_ms(home))) {
        wake(home);
    }
}

bool home_turned(struct home *home,
                 struct span user,
                 struct span action_id,
                 struct span value,
                 struct span metadata)
{
    uint32_t pages[HOME_PART_COUNT];

    if (!view_home_turn(action_id, value, metadata, pages)) {
        return false;
    }
    if (homeplan_turned(&home->plan, user, pages, boot_ms(home))) {
        wake(home);
    }
    return true;
}

void home_pressed(struct home *home, struct span user)
{
    homeplan_pressed(&home->plan, user);
    wake(home);
}

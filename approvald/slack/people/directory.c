/* SPDX-License-Identifier: Apache-2.0 */
/* directory.c: what is known about people, groups and channels.
 * Owns the cache, its ages, and the judgement of who is foreign.
 * Never waits, never decides who may approve, never guesses: stale is unknown. */
#include "approvald/slack/people/directory.h"

#include "approvald/service/service.h"
#include "approvald/slack/people/directory_internal.h"
#include "approvald/slack/wire/lru.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

bool slack_id_set(struct slack_id *id, struct span text)
{
    memset(id, 0, sizeof *id);
    if (text.size == 0 || text.size > sizeof id->text) {
        return false;
    }
    memcpy(id->text, text.data, text.size);
    id->size = text.size;
    return true;
}

bool directory_id_set(struct directory_id *id, struct span text)
{
    memset(id, 0, sizeof *id);
    if (text.size == 0 || text.size > sizeof id->text) {
        return false;
    }
    memcpy(id->text, text.data, text.size);
    id->size = text.size;
    return true;
}

/* The team whose people are ours: the admin's word goes before the token's. */
static struct span our_team(const struct directory *directory)
{
    return directory->team_configured.size > 0 ? slack_id_span(&directory->team_configured)
                                               : slack_id_span(&directory->team);
}

enum belonging { BELONGS_UNKNOWN, BELONGS_HERE, BELONGS_ELSEWHERE };

/* entry NULL: not fetched. team: of the person as the payload says, or empty. */
static enum belonging judge_team(const struct directory *directory,
                                 const struct directory_user_entry *entry,
                                 struct span team)
{
    struct span ours = our_team(directory);
    struct span enterprise = slack_id_span(&directory->enterprise);

    if (entry != NULL && (entry->missing || entry->stranger)) {
        return BELONGS_ELSEWHERE;
    }
    if (team.size == 0 && entry != NULL) {
        team = slack_id_span(&entry->team);
    }
    if (ours.size == 0 || team.size == 0) {
        return BELONGS_UNKNOWN;
    }
    if (span_equal(team, ours)) {
        return BELONGS_HERE;
    }
    if (!directory->identity_known) {
        return BELONGS_UNKNOWN; /* another workspace of our own organisation, perhaps */
    }
    if (enterprise.size == 0) {
        return BELONGS_ELSEWHERE;
    }
    if (entry == NULL) {
        return BELONGS_UNKNOWN;
    }
    return span_equal(slack_id_span(&entry->enterprise), enterprise) ? BELONGS_HERE
                                                                     : BELONGS_ELSEWHERE;
}

static int compare_members(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct directory_member));
}

/* Which of what is known counts. */
struct wanted {
    uint64_t fresh_ms; /* what was fresh then */
    uint64_t since_ms; /* and not said before */
};

static void group_facts(const struct directory *directory,
                        struct span user,
                        const struct wanted *ages,
                        struct facts *facts)
{
    struct directory_member wanted = {.text = ""};

    if (user.size == 0 || user.size > sizeof wanted.text) {
        return;
    }
    memcpy(wanted.text, user.data, user.size);
    for (uint32_t slot = 0; slot < lru_count(directory->group_index); slot++) {
        const struct directory_group_entry *group = &directory->groups[slot];
        struct span id = lru_key(directory->group_index, slot);

        if (group->fresh_until_ms <= ages->fresh_ms || group->known_ms < ages->since_ms) {
            continue;
        }
        facts->known[facts->known_count++] = id;
        if (group->member_count > 0 && bsearch(&wanted, group->members, group->member_count,
                                               sizeof wanted, compare_members) != NULL) {
            facts->member[facts->member_count++] = id;
        }
    }
    ASSERT(facts->known_count <= CORE_FACT_GROUP_COUNT_MAX);
}

bool directory_group_size(const struct directory *directory, struct span group, uint32_t *ret_count)
{
    uint32_t slot = lru_find(directory->group_index, group);

    if (slot == LRU_NONE ||
        directory->groups[slot].fresh_until_ms <= clock_boot_ms(directory->clock)) {
        return false;
    }
    *ret_count = directory->groups[slot].member_count;
    return true;
}

static void facts_of_then(const struct directory *directory,
                          struct span user,
                          struct span team,
                          const struct wanted *ages,
                          struct facts *ret_facts)
{
    uint32_t slot = lru_find(directory->user_index, user);
    const struct directory_user_entry *entry = NULL;
    enum belonging belonging;

    memset(ret_facts, 0, sizeof *ret_facts);
    if (slot != LRU_NONE && directory->users[slot].fresh_until_ms > ages->fresh_ms &&
        directory->users[slot].known_ms >= ages->since_ms) {
        entry = &directory->users[slot];
    }
    belonging = judge_team(directory, entry, team);
    ret_facts->foreign = belonging == BELONGS_ELSEWHERE;
    ret_facts->user_known =
        belonging == BELONGS_ELSEWHERE || (belonging == BELONGS_HERE && entry != NULL);
    if (entry != NULL) {
        ret_facts->guest = entry->guest;
        ret_facts->bot = entry->bot;
        ret_facts->deactivated = entry->deactivated;
    }
    group_facts(directory, user, ages, ret_facts);
    directory_email_facts(directory, entry, user, ages->since_ms > 0 ? UINT64_MAX : ages->fresh_ms,
                          ret_facts);
}

void directory_facts(struct directory *directory,
                     struct span user,
                     struct span team,
                     struct facts *ret_facts)
{
    struct wanted ages = {.fresh_ms = clock_boot_ms(directory->clock)};

    facts_of_then(directory, user, team, &ages, ret_facts);
}

/* His address is what his profile says now: whose it was lately is not asked. */
void directory_facts_since(struct directory *directory,
                           struct span user,
                           uint64_t since_ms,
                           struct facts *ret_facts)
{
    struct wanted ages = {.fresh_ms = clock_boot_ms(directory->clock), .since_ms = since_ms};

    ASSERT(since_ms > 0);
    facts_of_then(directory, user, SPAN_NONE, &ages, ret_facts);
}

void directory_facts_in_outage(struct directory *directory,
                               struct span user,
                               struct facts *ret_facts)
{
    uint64_t now_ms = clock_boot_ms(directory->clock);
    struct wanted ages = {.fresh_ms =
                              now_ms > SLACK_OUTAGE_FACTS_MS ? now_ms - SLACK_OUTAGE_FACTS_MS : 0};

    facts_of_then(directory, user, SPAN_NONE, &ages, ret_facts);
    ret_facts->user_known = true;
}

void directory_identity(const struct directory *directory, struct directory_identity *ret_identity)
{
    *ret_identity = (struct directory_identity){
        .known = directory->identity_known,
        .mismatch = directory->identity_mismatch,
        .team = slack_id_span(&directory->team),
        .enterprise = slack_id_span(&directory->enterprise),
        .bot_user = slack_id_span(&directory->bot_user),
        .bot = slack_id_span(&directory->bot),
        .url = span_of(directory->url, directory->url_size),
    };
}

void directory_channel(struct directory *directory,
                       struct span channel,
                       struct directory_channel *ret_channel)
{
    uint32_t slot = lru_find(directory->channel_index, channel);

    memset(ret_channel, 0, sizeof *ret_channel);
    if (slot != LRU_NONE &&
        directory->channels[slot].fresh_until_ms > clock_boot_ms(directory->clock)) {
        *ret_channel = directory->channels[slot].flags;
        ret_channel->known = true;
    }
}

/* Keeping groups fresh. */

static bool group_is_due(struct directory *directory, struct span id, uint64_t now_ms)
{
    uint32_t slot = lru_find(directory->group_index, id);

    return slot == LRU_NONE || directory->groups[slot].refresh_ms <= now_ms;
}

static void refresh_groups(struct directory *directory, uint64_t now_ms)
{
    const struct span *groups = NULL;
    size_t count = service_groups(directory->service, &groups);
    size_t started = 0;

    for (size_t i = 0; i < count && started < SLACK_TICK_GROUP_COUNT; i++) {
        if (group_is_due(directory, groups[i], now_ms) &&
            directory_lookup(directory, DIRECTORY_GROUP, groups[i], true)) {
            started++;
        }
    }
}

/* Whether the channels that policies name are public or archived; one question a tick. */
static void refresh_channels(struct directory *directory, uint64_t now_ms)
{
    const struct span *groups = NULL;
    size_t count = service_groups(directory->service, &groups);

    for (size_t i = 0; i < count; i++) {
        uint32_t slot = lru_find(directory->channel_index, groups[i]);
        bool fresh = slot != LRU_NONE && directory->channels[slot].fresh_until_ms > now_ms;

        if (directory_is_channel(groups[i]) && !fresh &&
            directory_lookup(directory, DIRECTORY_CHANNEL, groups[i], true)) {
            return;
        }
    }
}

static uint64_t count_unknown(struct directory *directory)
{
    struct directory_trouble troubles[SLACK_TROUBLE_COUNT_MAX];
    size_t count = directory_troubles(directory, troubles, SLACK_TROUBLE_COUNT_MAX);
    uint64_t unknown = 0;

    for (size_t i = 0; i < count; i++) {
        unknown += troubles[i].works ? 0 : 1;
    }
    return unknown;
}

static void on_tick(int fd, short what, void *arg)
{
    struct directory *directory = arg;
    uint64_t now_ms = clock_boot_ms(directory->clock);
    struct webapi_status status;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    webapi_status(directory->webapi, &status);
    if (now_ms >= directory->identity_ms) {
        directory_ask_identity(directory);
    }
    if (status.state != WEBAPI_DEAD) {
        refresh_groups(directory, now_ms);
        refresh_channels(directory, now_ms);
        directory_email_refresh(directory, now_ms);
    }
    metric_set(directory->trouble_metric, count_unknown(directory));
}

static void on_ready(int fd, short what, void *arg)
{
    struct directory *directory = arg;
    struct directory_waiter *waiter;

    (void)fd;   /* it is only activated */
    (void)what; /* one kind */
    while ((waiter = TAILQ_FIRST(&directory->ready)) != NULL) {
        directory_done_fn *done = waiter->done;
        void *waiter_arg = waiter->arg;

        TAILQ_REMOVE(&directory->ready, waiter, link);
        TAILQ_INSERT_HEAD(&directory->waiter_spare, waiter, link);
        done(waiter_arg);
    }
}

/* The token was replaced, or Slack is back: ask at once who we are. */
static void on_state(void *arg, enum webapi_state state)
{
    struct directory *directory = arg;
    uint64_t now_ms = clock_boot_ms(directory->clock);

    switch (state) {
    case WEBAPI_UP:
        directory->identity_ms = now_ms;
        break;
    case WEBAPI_DEAD:
        directory->identity_ms = now_ms + SLACK_IDENTITY_RETRY_MS;
        break;
    case WEBAPI_DOWN:
        break;
    }
}

void directory_start(struct directory *directory)
{
    static const struct timeval period = {.tv_sec = SLACK_TICK_MS / 1000};

    if (event_add(directory->tick, &period) != 0) {
        log_fields(LOG_LEVEL_ERROR, "slack_directory", "timer_failed",
                   LOG_NUMBER("period_ms", SLACK_TICK_MS));
    }
    event_active(directory->tick, EV_TIMEOUT, 0); /* after event_add, which would undo it */
}

/* Life. */

static void add_metrics(struct directory *directory, struct metrics *metrics)
{
    static const char *const kinds[] = {[DIRECTORY_USER] = "kind=\"user\"",
                                        [DIRECTORY_GROUP] = "kind=\"group\"",
                                        [DIRECTORY_CHANNEL] = "kind=\"channel\"",
                                        [DIRECTORY_EMAIL] = "kind=\"email\""};

    for (size_t kind = DIRECTORY_USER; kind <= DIRECTORY_EMAIL; kind++) {
        directory->lookups_metric[kind] =
            metrics_add(metrics, METRIC_COUNTER, "approvald_slack_lookups_total", kinds[kind],
                        "People, groups, channels and e-mail addresses asked for at Slack.");
    }
    directory->failures_metric =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_lookup_failures_total", NULL,
                    "Lookups at Slack that gave no answer.");
    directory->trouble_metric = metrics_add(
        metrics, METRIC_GAUGE, "approvald_slack_names_unresolved", NULL,
        "Groups, channels and addresses that policies name and that Slack does not resolve.");
    directory->mismatch_metric =
        metrics_add(metrics, METRIC_GAUGE, "approvald_slack_team_mismatch", NULL,
                    "1: the token is of another team than the configured one.");
}

static void fill_pools(struct directory *directory)
{
    TAILQ_INIT(&directory->lookup_spare);
    TAILQ_INIT(&directory->lookups);
    TAILQ_INIT(&directory->waiter_spare);
    TAILQ_INIT(&directory->waiters);
    TAILQ_INIT(&directory->ready);
    for (size_t i = 0; i < SLACK_LOOKUP_COUNT_MAX; i++) {
        directory->lookup_pool[i].directory = directory;
        TAILQ_INSERT_TAIL(&directory->lookup_spare, &directory->lookup_pool[i], link);
    }
    for (size_t i = 0; i < SLACK_WAITER_COUNT_MAX; i++) {
        TAILQ_INSERT_TAIL(&directory->waiter_spare, &directory->waiter_pool[i], link);
    }
}

static enum err_code allocate(struct directory *directory, struct event_base *base, struct err *err)
{
    enum err_code rc = lru_new(SLACK_USER_COUNT_MAX, &directory->user_index, err);

    if (rc == ERR_OK) {
        rc = lru_new(CORE_FACT_GROUP_COUNT_MAX, &directory->group_index, err);
    }
    if (rc == ERR_OK) {
        rc = lru_new(SLACK_CHANNEL_INFO_COUNT_MAX, &directory->channel_index, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    directory->users = mem_new(SLACK_USER_COUNT_MAX, sizeof *directory->users);
    directory->groups = mem_new(CORE_FACT_GROUP_COUNT_MAX, sizeof *directory->groups);
    directory->channels = mem_new(SLACK_CHANNEL_INFO_COUNT_MAX, sizeof *directory->channels);
    directory->emails = mem_new(CORE_EMAIL_COUNT_MAX, sizeof *directory->emails);
    directory->lookup_pool = mem_new(SLACK_LOOKUP_COUNT_MAX, sizeof *directory->lookup_pool);
    directory->waiter_pool = mem_new(SLACK_WAITER_COUNT_MAX, sizeof *directory->waiter_pool);
    directory->tick = event_new(base, -1, EV_PERSIST, on_tick, directory);
    directory->ready_event = event_new(base, -1, 0, on_ready, directory);
    if (directory->users == NULL || directory->groups == NULL || directory->channels == NULL ||
        directory->emails == NULL || directory->lookup_pool == NULL ||
        directory->waiter_pool == NULL || directory->tick == NULL ||
        directory->ready_event == NULL) {
        return err_set(err, ERR_NOMEM, "Slack directory");
    }
    return ERR_OK;
}

enum err_code directory_new(const struct directory_options *options,
                            struct directory **ret_directory,
                            struct err *err)
{
    struct directory *directory = mem_new(1, sizeof *directory);
    enum err_code rc;

    if (directory == NULL) {
        return err_set(err, ERR_NOMEM, "Slack directory");
    }
    directory->webapi = options->webapi;
    directory->service = options->service;
    directory->clock = options->clock == NULL ? clock_host() : options->clock;
    rc = allocate(directory, options->base, err);
    if (rc == ERR_OK && options->team.size > 0) {
        bool is_org = options->team.data[0] == 'E';

        if (!slack_id_set(is_org ? &directory->org_configured : &directory->team_configured,
                          options->team)) {
            rc = err_set(err, ERR_INVALID, "Slack team id is too long");
        }
    }
    if (rc != ERR_OK) {
        directory_free(directory);
        return rc;
    }
    fill_pools(directory);
    add_metrics(directory, options->metrics);
    webapi_listen(directory->webapi, on_state, directory);
    *ret_directory = directory;
    return ERR_OK;
}

void directory_free(struct directory *directory)
{
    if (directory == NULL) {
        return;
    }
    for (size_t i = 0; directory->groups != NULL && i < CORE_FACT_GROUP_COUNT_MAX; i++) {
        mem_free(directory->groups[i].members);
    }
    for (size_t i = 0; directory->lookup_pool != NULL && i < SLACK_LOOKUP_COUNT_MAX; i++) {
        directory_members_drop(&directory->lookup_pool[i]);
    }
    if (directory->tick != NULL) {
        event_free(directory->tick);
    }
    if (directory->ready_event != NULL) {
        event_free(directory->ready_event);
    }
    lru_free(directory->user_index);
    lru_free(directory->group_index);
    lru_free(directory->channel_index);
    mem_free(directory->users);
    mem_free(directory->groups);
    mem_free(directory->channels);
    mem_free(directory->emails);
    mem_free(directory->lookup_pool);
    mem_free(directory->waiter_pool);
    mem_free(directory);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* directory_lookup.c: asks Slack about people, groups and channels.
 * Owns the calls under way, who waits for them, and what their answers mean.
 * Never asks the same thing twice at once, never keeps an answer beyond its age. */
#include "approvald/slack/people/directory_internal.h"
#include "approvald/slack/wire/lru.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <string.h>

#define MODULE "slack_directory"
#define FORM_SIZE_MAX                                                                              \
    (256 + 3 * (SLACK_CURSOR_SIZE_MAX +                                                            \
                CORE_EMAIL_SIZE_MAX)) /* three names, a team, an id or address, escaped */

static bool key_is(const struct directory_key *key, enum directory_kind kind, struct span id)
{
    return key->kind == kind && span_equal(directory_id_span(&key->id), id);
}

/* The entry's ages; NULL when the id is none. Makes the entry when it is not there. */
struct ages {
    uint64_t *fresh_until_ms;
    uint64_t *pause_until_ms;
    const uint64_t *known_ms; /* NULL: nobody asks */
};

static struct directory_user_entry *user_entry(struct directory *directory, struct span id)
{
    bool fresh = false;
    uint32_t slot = lru_take(directory->user_index, id, &fresh);

    if (slot == LRU_NONE) {
        return NULL;
    }
    if (fresh) {
        memset(&directory->users[slot], 0, sizeof directory->users[slot]);
    }
    return &directory->users[slot];
}

static struct directory_group_entry *group_entry(struct directory *directory, struct span id)
{
    bool fresh = false;
    uint32_t slot = lru_take(directory->group_index, id, &fresh);

    if (slot == LRU_NONE) {
        return NULL;
    }
    if (fresh) {
        mem_free(directory->groups[slot].members);
        memset(&directory->groups[slot], 0, sizeof directory->groups[slot]);
    }
    return &directory->groups[slot];
}

static struct directory_channel_entry *channel_entry(struct directory *directory, struct span id)
{
    bool fresh = false;
    uint32_t slot = lru_take(directory->channel_index, id, &fresh);

    if (slot == LRU_NONE) {
        return NULL;
    }
    if (fresh) {
        memset(&directory->channels[slot], 0, sizeof directory->channels[slot]);
    }
    return &directory->channels[slot];
}

static struct ages ages_of(struct directory *directory, enum directory_kind kind, struct span id)
{
    struct directory_user_entry *user;
    struct directory_group_entry *group;
    struct directory_channel_entry *channel;
    struct directory_email_entry *email;

    switch (kind) {
    case DIRECTORY_USER:
        user = user_entry(directory, id);
        return user == NULL
                   ? (struct ages){NULL, NULL, NULL}
                   : (struct ages){&user->fresh_until_ms, &user->pause_until_ms, &user->known_ms};
    case DIRECTORY_GROUP:
        group = group_entry(directory, id);
        return group == NULL ? (struct ages){NULL, NULL, NULL}
                             : (struct ages){&group->fresh_until_ms, &group->pause_until_ms,
                                             &group->known_ms};
    case DIRECTORY_CHANNEL:
        channel = channel_entry(directory, id);
        return channel == NULL
                   ? (struct ages){NULL, NULL, NULL}
                   : (struct ages){&channel->fresh_until_ms, &channel->pause_until_ms, NULL};
    case DIRECTORY_EMAIL:
        email = directory_email_entry(directory, id);
        return email == NULL ? (struct ages){NULL, NULL, NULL}
                             : (struct ages){&email->fresh_until_ms, &email->pause_until_ms, NULL};
    }
    return (struct ages){NULL, NULL, NULL};
}

/* Answers. */

static void keep_user(struct directory_user_entry *entry, const struct json *json, uint64_t now_ms)
{
    const struct json *user = json_get(json, "user");

    entry->missing = false;
    entry->stranger = json_bool(user, "is_stranger", false);
    entry->guest =
        json_bool(user, "is_restricted", false) || json_bool(user, "is_ultra_restricted", false);
    entry->bot = json_bool(user, "is_bot", false); /* is_app_user: has authorised the app */
    entry->deactivated = json_bool(user, "deleted", false);
    (void)slack_id_set(&entry->team, json_text(user, "team_id")); /* absent: empty */
    (void)slack_id_set(&entry->enterprise,
                       json_text(user, "enterprise_user.enterprise_id")); /* off Grid: empty */
    directory_email_of_user(entry, user);
    entry->fresh_until_ms = now_ms + SLACK_USER_FRESH_MS;
    entry->known_ms = now_ms;
}

static void
keep_channel(struct directory_channel_entry *entry, const struct json *json, uint64_t now_ms)
{
    const struct json *channel = json_get(json, "channel");

    entry->flags = (struct directory_channel){
        .archived = json_bool(channel, "is_archived", false),
        .member = json_bool(channel, "is_member", false),
        .is_private = json_bool(channel, "is_private", false),
        .shared = json_bool(channel, "is_ext_shared", false),
    };
    entry->fresh_until_ms = now_ms + SLACK_CHANNEL_FRESH_MS;
}

/* NULL: kept; else the word of what is wrong with it. */
static const char *
keep_group(struct directory *directory, struct directory_lookup *lookup, const struct json *json)
{
    struct span id = directory_id_span(&lookup->key.id);
    struct directory_group_entry *entry = group_entry(directory, id);
    uint64_t now_ms = clock_boot_ms(directory->clock);
    const char *error;

    if (!directory_is_channel(id)) {
        return directory_members_of_group(entry, json, now_ms) ? NULL : DIRECTORY_MALFORMED;
    }
    error = directory_members_add(lookup, json);
    if (error == NULL && lookup->cursor_size == 0) {
        directory_members_keep(lookup, entry);
    } else if (error != NULL && strcmp(error, DIRECTORY_TOO_LARGE) == 0) {
        directory_members_forget(entry); /* what it was when it was smaller is not what it is */
    }
    return error;
}

static const char *
keep_answer(struct directory *directory, struct directory_lookup *lookup, const struct json *json)
{
    const struct directory_key *key = &lookup->key;
    uint64_t now_ms = clock_boot_ms(directory->clock);
    struct span id = directory_id_span(&key->id);

    switch (key->kind) {
    case DIRECTORY_USER:
        keep_user(user_entry(directory, id), json, now_ms);
        return NULL;
    case DIRECTORY_GROUP:
        return keep_group(directory, lookup, json);
    case DIRECTORY_CHANNEL:
        keep_channel(channel_entry(directory, id), json, now_ms);
        return NULL;
    case DIRECTORY_EMAIL:
        return directory_email_keep(directory_email_entry(directory, id), json, now_ms)
                   ? NULL
                   : DIRECTORY_MALFORMED;
    }
    return DIRECTORY_MALFORMED;
}

static void keep_nothing(struct directory_group_entry *group, uint64_t until_ms)
{
    mem_free(group->members);
    group->members = NULL;
    group->member_count = 0;
    group->fresh_until_ms = until_ms;
    group->refresh_ms = until_ms;
}

/* A channel that Slack does not show us has members all the same: they are not known, also not from
 * before. A user group that is gone has none. */
static bool keep_absent_group(struct directory *directory, struct span id, struct span word)
{
    struct directory_group_entry *entry = group_entry(directory, id);
    uint64_t now_ms = clock_boot_ms(directory->clock);

    if (directory_is_channel(id)) {
        if (span_is(word, "channel_not_found") || span_is(word, "not_in_channel") ||
            span_is(word, "method_not_supported_for_channel_type")) {
            directory_members_forget(entry);
            entry->pause_until_ms = now_ms + SLACK_ABSENT_CHANNEL_MS;
        }
        return false;
    }
    if (!span_is(word, "no_such_subteam") && !span_is(word, "subteam_not_found")) {
        return false;
    }
    keep_nothing(entry, now_ms + SLACK_NEGATIVE_FRESH_MS);
    entry->known_ms = now_ms;
    return true;
}

/* Slack knows the id and says that there is no such thing for us: an answer, kept for a while. */
static bool
keep_absence(struct directory *directory, const struct directory_key *key, struct span word)
{
    uint64_t now_ms = clock_boot_ms(directory->clock);
    uint64_t until_ms = now_ms + SLACK_NEGATIVE_FRESH_MS;
    struct span id = directory_id_span(&key->id);
    struct directory_user_entry *user;
    struct directory_channel_entry *channel;

    switch (key->kind) {
    case DIRECTORY_USER:
        if (!span_is(word, "user_not_found") && !span_is(word, "user_not_visible")) {
            return false;
        }
        user = user_entry(directory, id);
        *user = (struct directory_user_entry){
            .missing = true, .fresh_until_ms = until_ms, .known_ms = now_ms};
        return true;
    case DIRECTORY_GROUP:
        return keep_absent_group(directory, id, word);
    case DIRECTORY_CHANNEL:
        if (!span_is(word, "channel_not_found")) {
            return false;
        }
        channel = channel_entry(directory, id);
        *channel =
            (struct directory_channel_entry){.flags.missing = true, .fresh_until_ms = until_ms};
        return true;
    case DIRECTORY_EMAIL:
        if (!span_is(word, "users_not_found")) {
            return false;
        }
        directory_email_keep_nobody(directory_email_entry(directory, id), until_ms);
        return true;
    }
    return false;
}

static void stop_waiting(struct directory *directory,
                         struct directory_waiter *waiter,
                         const struct directory_key *key)
{
    for (uint32_t i = 0; i < DIRECTORY_NEED_COUNT_MAX; i++) {
        bool same = key_is(&waiter->needs[i], key->kind, directory_id_span(&key->id));

        waiter->waits &= same ? ~(1U << i) : ~0U;
    }
    if (waiter->waits == 0) {
        TAILQ_REMOVE(&directory->waiters, waiter, link);
        TAILQ_INSERT_TAIL(&directory->ready, waiter, link);
    }
}

/* Whoever waited for this only is called. */
static void release_waiters(struct directory *directory, const struct directory_key *key)
{
    struct directory_waiter *waiter;
    struct directory_waiter *following;

    for (waiter = TAILQ_FIRST(&directory->waiters); waiter != NULL; waiter = following) {
        following = TAILQ_NEXT(waiter, link);
        stop_waiting(directory, waiter, key);
    }
    if (!TAILQ_EMPTY(&directory->ready)) {
        event_active(directory->ready_event, EV_TIMEOUT, 0);
    }
}

/* It is not asked for again for a while; a longer pause stays. */
static void fail(struct directory *directory,
                 const struct directory_key *key,
                 const struct webapi_answer *answer,
                 struct span error)
{
    uint64_t pause_ms = answer->retry_after_ms > SLACK_LOOKUP_PAUSE_MS ? answer->retry_after_ms
                                                                       : SLACK_LOOKUP_PAUSE_MS;
    struct ages ages = ages_of(directory, key->kind, directory_id_span(&key->id));
    uint64_t until_ms = clock_boot_ms(directory->clock) + pause_ms;

    ASSERT(ages.pause_until_ms != NULL);
    *ages.pause_until_ms = *ages.pause_until_ms > until_ms ? *ages.pause_until_ms : until_ms;
    metric_add(directory->failures_metric, 1);
    log_fields(LOG_LEVEL_WARNING, MODULE, "lookup_failed",
               LOG_SPAN("id", directory_id_span(&key->id)), LOG_SPAN("error", error),
               LOG_SPAN("needed", answer->needed));
}

static void end_lookup(struct directory_lookup *lookup)
{
    struct directory *directory = lookup->directory;
    struct directory_key key = lookup->key;

    directory_members_drop(lookup);
    TAILQ_REMOVE(&directory->lookups, lookup, link);
    TAILQ_INSERT_HEAD(&directory->lookup_spare, lookup, link);
    release_waiters(directory, &key);
}

static enum err_code call_slack(struct directory_lookup *lookup, struct err *err);

/* NULL: taken; else the word of what is wrong with it. */
static const char *take_answer(struct directory_lookup *lookup, const struct webapi_answer *answer)
{
    struct directory *directory = lookup->directory;
    const char *error;

    if (answer->outcome == WEBAPI_OK) {
        error = keep_answer(directory, lookup, answer->json);
        if (error != NULL) {
            fail(directory, &lookup->key, answer, span_text(error));
        }
        return error;
    }
    if (!keep_absence(directory, &lookup->key, answer->error)) {
        fail(directory, &lookup->key, answer, answer->error);
    }
    return NULL;
}

/* What Slack says for certain; that it does not answer is no news about a name. */
static void
note(struct directory_lookup *lookup, const struct webapi_answer *answer, const char *error)
{
    struct span id = directory_id_span(&lookup->key.id);
    struct span word = error == NULL ? answer->error : span_text(error);
    bool certain = answer->outcome == WEBAPI_OK || answer->outcome == WEBAPI_PERMANENT;

    if (lookup->key.kind == DIRECTORY_GROUP && certain) {
        directory_members_note(group_entry(lookup->directory, id), id, word, answer->needed);
    } else if (lookup->key.kind == DIRECTORY_EMAIL && certain) {
        directory_email_note(directory_email_entry(lookup->directory, id), word, answer->needed);
    }
}

static void on_answer(void *arg, const struct webapi_answer *answer)
{
    struct directory_lookup *lookup = arg;
    struct err err = ERR_INIT;
    const char *error = take_answer(lookup, answer);

    if (answer->outcome == WEBAPI_OK && error == NULL && lookup->cursor_size > 0) {
        if (call_slack(lookup, &err) == ERR_OK) {
            return; /* the next page */
        }
        fail(lookup->directory, &lookup->key, answer, SPAN_LITERAL("not_asked"));
    } else {
        note(lookup, answer, error);
    }
    end_lookup(lookup);
}

/* Calls. */

static bool is_under_way(struct directory *directory, enum directory_kind kind, struct span id)
{
    struct directory_lookup *lookup;

    TAILQ_FOREACH (lookup, &directory->lookups, link) {
        if (key_is(&lookup->key, kind, id)) {
            return true;
        }
    }
    return false;
}

/* The members of a channel, from where the last page ended. */
static enum err_code
add_page(const struct directory_lookup *lookup, struct buf *form, struct err *err)
{
    enum err_code rc;

    rc = buf_append_format(form, err, "&limit=%d", SLACK_MEMBER_PAGE_COUNT);
    if (rc == ERR_OK && lookup->cursor_size > 0) {
        rc = webapi_form_add(form, "cursor", span_of(lookup->cursor, lookup->cursor_size), err);
    }
    return rc;
}

static enum err_code call_slack(struct directory_lookup *lookup, struct err *err)
{
    static const struct {
        enum webapi_method method;
        const char *name;
    } calls[] = {
        [DIRECTORY_USER] = {WEBAPI_USERS_INFO, "user"},
        [DIRECTORY_GROUP] = {WEBAPI_USERGROUPS_USERS_LIST, "usergroup"},
        [DIRECTORY_CHANNEL] = {WEBAPI_CONVERSATIONS_INFO, "channel"},
        [DIRECTORY_EMAIL] = {WEBAPI_USERS_LOOKUP_BY_EMAIL, "email"},
    };
    AUTO_BUF struct buf *form = NULL;
    struct directory *directory = lookup->directory;
    enum directory_kind kind = lookup->key.kind;
    bool members =
        kind == DIRECTORY_GROUP && directory_is_channel(directory_id_span(&lookup->key.id));
    struct webapi_call call = {.method =
                                   members ? WEBAPI_CONVERSATIONS_MEMBERS : calls[kind].method,
                               .priority = lookup->background ? WEBAPI_BACKGROUND : WEBAPI_NORMAL};
    enum err_code rc = buf_new(FORM_SIZE_MAX, &form, err);

    if (rc == ERR_OK) {
        rc = webapi_form_add(form, members ? "channel" : calls[kind].name,
                             directory_id_span(&lookup->key.id), err);
    }
    if (rc == ERR_OK && members) {
        rc = add_page(lookup, form, err);
    }
    /* A token of a whole organisation must say which workspace's group it means. */
    if (rc == ERR_OK && kind == DIRECTORY_GROUP && !members && directory->enterprise.size > 0 &&
        directory->team_configured.size > 0) {
        rc = webapi_form_add(form, "team_id", slack_id_span(&directory->team_configured), err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    call.body = buf_span(form);
    return webapi_call(directory->webapi, &call, on_answer, lookup, err);
}

bool directory_lookup(struct directory *directory,
                      enum directory_kind kind,
                      struct span id,
                      bool background)
{
    struct ages ages = ages_of(directory, kind, id);
    struct directory_lookup *lookup = TAILQ_FIRST(&directory->lookup_spare);
    struct err err = ERR_INIT;

    if (is_under_way(directory, kind, id)) {
        return true;
    }
    if (ages.pause_until_ms == NULL || lookup == NULL ||
        *ages.pause_until_ms > clock_boot_ms(directory->clock)) {
        return false;
    }
    lookup->key.kind = kind;
    (void)directory_id_set(&lookup->key.id, id); /* an entry exists, so the id is none too long */
    lookup->background = background;
    if (call_slack(lookup, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "lookup_not_started", &err);
        return false;
    }
    TAILQ_REMOVE(&directory->lookup_spare, lookup, link);
    TAILQ_INSERT_TAIL(&directory->lookups, lookup, link);
    metric_add(directory->lookups_metric[kind], 1);
    return true;
}

static bool is_fresh(struct directory *directory, const struct directory_need *need)
{
    struct ages ages = ages_of(directory, need->kind, need->id);

    if (need->since_ms > 0) {
        return ages.known_ms != NULL && *ages.known_ms >= need->since_ms;
    }
    return ages.fresh_until_ms != NULL && *ages.fresh_until_ms > clock_boot_ms(directory->clock);
}

enum err_code directory_fetch(struct directory *directory,
                              const struct directory_need *needs,
                              size_t count,
                              directory_done_fn *done,
                              void *arg,
                              struct err *err)
{
    struct directory_waiter *waiter = TAILQ_FIRST(&directory->waiter_spare);

    ASSERT(count <= DIRECTORY_NEED_COUNT_MAX);
    if (waiter == NULL) {
        return err_set(err, ERR_FULL, "%d callers wait for Slack", SLACK_WAITER_COUNT_MAX);
    }
    if (!directory->identity_known && clock_boot_ms(directory->clock) >= directory->identity_ms) {
        directory_ask_identity(directory);
    }
    memset(waiter->needs, 0, sizeof waiter->needs);
    waiter->waits = 0;
    waiter->done = done;
    waiter->arg = arg;
    for (size_t i = 0; i < count; i++) {
        waiter->needs[i].kind = needs[i].kind;
        if (directory_id_set(&waiter->needs[i].id, needs[i].id) &&
            !is_fresh(directory, &needs[i]) &&
            directory_lookup(directory, needs[i].kind, needs[i].id, false)) {
            waiter->waits |= 1U << i;
        }
    }
    TAILQ_REMOVE(&directory->waiter_spare, waiter, link);
    if (waiter->waits != 0) {
        TAILQ_INSERT_TAIL(&directory->waiters, waiter, link);
        return ERR_OK;
    }
    TAILQ_INSERT_TAIL(&directory->ready, waiter, link);
    event_active(directory->ready_event, EV_TIMEOUT, 0);
    return ERR_OK;
}

/* Who we are. */

static void check_team(struct directory *directory)
{
    bool other_team =
        directory->team_configured.size > 0 && directory->enterprise.size == 0 &&
        !span_equal(slack_id_span(&directory->team_configured), slack_id_span(&directory->team));
    bool other_org =
        directory->org_configured.size > 0 && !span_equal(slack_id_span(&directory->org_configured),
                                                          slack_id_span(&directory->enterprise));
    bool mismatch = other_team || other_org;

    if (mismatch) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "team_mismatch",
                   LOG_SPAN("configured", slack_id_span(directory->org_configured.size > 0
                                                            ? &directory->org_configured
                                                            : &directory->team_configured)),
                   LOG_SPAN("actual", slack_id_span(&directory->team)),
                   LOG_TEXT("hint", "the token is of another workspace; nobody can decide here"));
    }
    directory->identity_mismatch = mismatch;
    metric_set(directory->mismatch_metric, mismatch ? 1 : 0);
}

/* Links begin with it, so it is taken only as it should be. */
static void take_url(struct directory *directory, struct span url)
{
    bool fits = url.size > 9 && url.size <= sizeof directory->url &&
                memcmp(url.data, "https://", 8) == 0 && url.data[url.size - 1] == '/';

    for (size_t i = 8; fits && i < url.size; i++) {
        char at = url.data[i];

        fits = (at >= 'a' && at <= 'z') || (at >= '0' && at <= '9') || at == '.' || at == '-' ||
               at == '/';
    }
    directory->url_size = fits ? url.size : 0;
    if (fits) {
        memcpy(directory->url, url.data, url.size);
    }
}

static void on_identity(void *arg, const struct webapi_answer *answer)
{
    struct directory *directory = arg;
    uint64_t now_ms = clock_boot_ms(directory->clock);

    directory->identity_running = false;
    if (answer->outcome != WEBAPI_OK) {
        directory->identity_ms = now_ms + SLACK_IDENTITY_RETRY_MS;
        return;
    }
    /* Absent ones are empty: off Grid there is no enterprise. */
    (void)slack_id_set(&directory->team, json_text(answer->json, "team_id"));
    (void)slack_id_set(&directory->enterprise, json_text(answer->json, "enterprise_id"));
    (void)slack_id_set(&directory->bot_user, json_text(answer->json, "user_id"));
    (void)slack_id_set(&directory->bot, json_text(answer->json, "bot_id"));
    take_url(directory, json_text(answer->json, "url"));
    if (!directory->identity_known) {
        log_fields(LOG_LEVEL_INFO, MODULE, "identity",
                   LOG_SPAN("team", slack_id_span(&directory->team)),
                   LOG_SPAN("bot", slack_id_span(&directory->bot)));
    }
    directory->identity_known = true;
    directory->identity_ms = now_ms + SLACK_IDENTITY_MS;
    check_team(directory);
}

void directory_ask_identity(struct directory *directory)
{
    struct webapi_call call = {.method = WEBAPI_AUTH_TEST, .priority = WEBAPI_NORMAL};
    struct err err = ERR_INIT;

    if (directory->identity_running) {
        return;
    }
    if (webapi_call(directory->webapi, &call, on_identity, directory, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, MODULE, "identity_not_asked", &err);
        directory->identity_ms = clock_boot_ms(directory->clock) + SLACK_IDENTITY_RETRY_MS;
        return;
    }
    directory->identity_running = true;
}

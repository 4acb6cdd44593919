/* SPDX-License-Identifier: Apache-2.0 */
/* directory_internal.h: the directory's struct, shared by directory.c (what is known, life) and
 * directory_lookup.c (getting it). Nobody else includes it. */
#ifndef APPROVALD_SLACK_PEOPLE_DIRECTORY_INTERNAL_H
#define APPROVALD_SLACK_PEOPLE_DIRECTORY_INTERNAL_H

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/people/directory.h"

#include <sys/queue.h>

struct event;
struct json;
struct lru;
struct metric;

/* An id with its own memory. */
struct slack_id {
    char text[CORE_SLACK_ID_SIZE_MAX];
    size_t size;
};

/* An id or an e-mail address. */
struct directory_id {
    char text[CORE_EMAIL_SIZE_MAX];
    size_t size;
};

struct directory_user_entry {
    uint64_t fresh_until_ms; /* boot; 0: never known */
    uint64_t known_ms;       /* boot: when Slack said it */
    uint64_t pause_until_ms; /* not asked for again before */
    bool missing;
    bool stranger;
    bool guest;
    bool bot;
    bool deactivated;
    bool email_shown; /* Slack has said his address */
    struct slack_id team;
    struct slack_id enterprise;
    struct directory_id email; /* in small letters, or empty */
};

struct directory_email_entry {
    uint64_t fresh_until_ms;
    uint64_t refresh_ms;
    uint64_t pause_until_ms;
    struct directory_id email; /* empty: free */
    struct slack_id user;      /* empty: nobody's */
    char error[SLACK_SLUG_SIZE_MAX];
    char needed[SLACK_SLUG_SIZE_MAX];
};

struct directory_member {
    char text[CORE_SLACK_ID_SIZE_MAX]; /* padded with zeros */
};

struct directory_group_entry {
    uint64_t fresh_until_ms;
    uint64_t known_ms;   /* boot: when Slack said it; of a channel: its last page */
    uint64_t refresh_ms; /* when to fetch it again in the background */
    uint64_t pause_until_ms;
    struct directory_member *members; /* owned, in order; NULL when member_count is 0 */
    uint32_t member_count;
    char error[SLACK_SLUG_SIZE_MAX];  /* Slack's word for why the last answer was none, or empty */
    char needed[SLACK_SLUG_SIZE_MAX]; /* the scope that was missing, or empty */
};

struct directory_channel_entry {
    uint64_t fresh_until_ms;
    uint64_t pause_until_ms;
    struct directory_channel flags;
};

struct directory_key {
    enum directory_kind kind;
    struct directory_id id;
};

/* One call under way; whoever needs the same thing waits for it. */
struct directory_lookup {
    TAILQ_ENTRY(directory_lookup) link;
    struct directory *directory;
    struct directory_key key;
    bool background;
    /* Of a channel whose members are read page by page. */
    struct directory_member *members; /* owned */
    uint32_t member_count;
    uint32_t member_room;
    uint32_t page_count;
    char cursor[SLACK_CURSOR_SIZE_MAX]; /* of the next page */
    size_t cursor_size;
};
TAILQ_HEAD(directory_lookups, directory_lookup);

struct directory_waiter {
    TAILQ_ENTRY(directory_waiter) link;
    struct directory_key needs[DIRECTORY_NEED_COUNT_MAX];
    uint32_t waits; /* bit set of the needs under way */
    directory_done_fn *done;
    void *arg;
};
TAILQ_HEAD(directory_waiters, directory_waiter);

struct directory {
    struct webapi *webapi;     /* borrowed */
    struct service *service;   /* borrowed */
    const struct clock *clock; /* borrowed */
    struct event *tick;        /* owned */
    struct event *ready_event; /* owned */

    struct lru *user_index; /* owned, as the entries */
    struct lru *group_index;
    struct lru *channel_index;
    struct directory_user_entry *users;
    struct directory_group_entry *groups;
    struct directory_channel_entry *channels;
    struct directory_email_entry *emails; /* CORE_EMAIL_COUNT_MAX */

    struct directory_lookup *lookup_pool; /* owned */
    struct directory_lookups lookup_spare;
    struct directory_lookups lookups;
    struct directory_waiter *waiter_pool; /* owned */
    struct directory_waiters waiter_spare;
    struct directory_waiters waiters;
    struct directory_waiters ready; /* nothing is under way for them: their callbacks are due */

    struct slack_id team_configured; /* a workspace (T…), or empty */
    struct slack_id org_configured;  /* an organisation (E…), or empty */
    struct slack_id team;
    struct slack_id enterprise;
    struct slack_id bot_user;
    struct slack_id bot;
    char url[SLACK_WORKSPACE_URL_MAX]; /* of the workspace */
    size_t url_size;
    bool identity_known;
    bool identity_running;
    bool identity_mismatch;
    uint64_t identity_ms; /* boot: when to ask again */

    struct metric *lookups_metric[DIRECTORY_EMAIL + 1];
    struct metric *failures_metric;
    struct metric *trouble_metric;
    struct metric *mismatch_metric;
};

static inline struct span slack_id_span(const struct slack_id *id)
{
    return span_of(id->text, id->size);
}

static inline struct span directory_id_span(const struct directory_id *id)
{
    return span_of(id->text, id->size);
}

/* False when the text is empty or too long; *id is then empty. */
bool slack_id_set(struct slack_id *id, struct span text);
bool directory_id_set(struct directory_id *id, struct span text);

/* Starts a lookup unless one is under way or paused; true when one is under way afterwards. */
bool directory_lookup(struct directory *directory,
                      enum directory_kind kind,
                      struct span id,
                      bool background);
/* directory_members.c. Slack's words for an answer that is none of ours to keep. */
#define DIRECTORY_TOO_LARGE "too_many_members"
#define DIRECTORY_MALFORMED "malformed_answer"
/* Is the id a channel's? Its members are read page by page. */
bool directory_is_channel(struct span id);
/* Adds a page of members to the lookup. NULL: taken, and there is another page when the lookup has
 * a cursor; else the word of what is wrong. */
const char *directory_members_add(struct directory_lookup *lookup, const struct json *json);
/* The lookup's members become the entry's. */
void directory_members_keep(struct directory_lookup *lookup, struct directory_group_entry *entry);
void directory_members_drop(struct directory_lookup *lookup);
/* The members of a user group's one answer; false when they are none. */
bool directory_members_of_group(struct directory_group_entry *entry,
                                const struct json *json,
                                uint64_t now_ms);
/* The entry has no members and is not known. */
void directory_members_forget(struct directory_group_entry *entry);
/* Notes why an answer was none; says so in the log when that is new. Empty: it was one. */
void directory_members_note(struct directory_group_entry *entry,
                            struct span id,
                            struct span word,
                            struct span needed);

/* directory_emails.c. The entry of an address, or NULL; and one that is made when it is not there
 * (NULL: it is no address). */
struct directory_email_entry *directory_email_find(struct directory *directory, struct span email);
struct directory_email_entry *directory_email_entry(struct directory *directory, struct span email);
/* The answer of users.lookupByEmail; false: it is none. */
bool directory_email_keep(struct directory_email_entry *entry,
                          const struct json *json,
                          uint64_t now_ms);
void directory_email_keep_nobody(struct directory_email_entry *entry, uint64_t until_ms);
void directory_email_note(struct directory_email_entry *entry,
                          struct span word,
                          struct span needed);
void directory_email_of_user(struct directory_user_entry *entry, const struct json *user);
/* entry NULL: nothing is known of the person. now_ms: what was fresh then counts. */
void directory_email_facts(const struct directory *directory,
                           const struct directory_user_entry *entry,
                           struct span user,
                           uint64_t now_ms,
                           struct facts *facts);
void directory_email_refresh(struct directory *directory, uint64_t now_ms);
/* Behind the first count; how many there are then. */
size_t directory_email_troubles(struct directory *directory,
                                struct directory_trouble *ret_troubles,
                                size_t count,
                                size_t count_max);

/* Asks Slack who we are. */
void directory_ask_identity(struct directory *directory);

#endif

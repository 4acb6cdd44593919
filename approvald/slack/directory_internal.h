/* SPDX-License-Identifier: Apache-2.0 */
/* directory_internal.h: the directory's struct, shared by directory.c (what is known, life) and
 * directory_lookup.c (getting it). Nobody else includes it. */
#ifndef APPROVALD_SLACK_DIRECTORY_INTERNAL_H
#define APPROVALD_SLACK_DIRECTORY_INTERNAL_H

#include "approvald/core/types.h"
#include "approvald/slack/directory.h"
#include "approvald/slack/limits.h"

#include <sys/queue.h>

struct event;
struct lru;
struct metric;

/* An id with its own memory. */
struct slack_id {
    char text[CORE_SLACK_ID_SIZE_MAX];
    size_t size;
};

struct directory_user_entry {
    uint64_t fresh_until_ms; /* boot; 0: never known */
    uint64_t pause_until_ms; /* not asked for again before */
    bool missing;
    bool stranger;
    bool guest;
    bool bot;
    bool deactivated;
    struct slack_id team;
    struct slack_id enterprise;
};

struct directory_member {
    char text[CORE_SLACK_ID_SIZE_MAX]; /* padded with zeros */
};

struct directory_group_entry {
    uint64_t fresh_until_ms;
    uint64_t refresh_ms; /* when to fetch it again in the background */
    uint64_t pause_until_ms;
    struct directory_member *members; /* owned, in order; NULL when member_count is 0 */
    uint32_t member_count;
};

struct directory_channel_entry {
    uint64_t fresh_until_ms;
    uint64_t pause_until_ms;
    struct directory_channel flags;
};

struct directory_key {
    enum directory_kind kind;
    struct slack_id id;
};

/* One call under way; whoever needs the same thing waits for it. */
struct directory_lookup {
    TAILQ_ENTRY(directory_lookup) link;
    struct directory *directory;
    struct directory_key key;
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

    struct metric *lookups_metric[DIRECTORY_CHANNEL + 1];
    struct metric *failures_metric;
    struct metric *mismatch_metric;
};

static inline struct span slack_id_span(const struct slack_id *id)
{
    return span_of(id->text, id->size);
}

/* False when the text is empty or too long; *id is then empty. */
bool slack_id_set(struct slack_id *id, struct span text);

/* Starts a lookup unless one is under way or paused; true when one is under way afterwards. */
bool directory_lookup(struct directory *directory,
                      enum directory_kind kind,
                      struct span id,
                      bool background);
/* Asks Slack who we are. */
void directory_ask_identity(struct directory *directory);

#endif

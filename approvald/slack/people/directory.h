/* SPDX-License-Identifier: Apache-2.0 */
/* directory.h: who people are at Slack and which groups and channels they are in: a bounded cache
 * in memory. A group here is a user group (S…) or a channel (C…, G…) whose members matter.
 *
 * directory_facts reads what is fresh and never waits; directory_fetch gets what is missing, each
 * thing once however many ask. Groups named by policies are refreshed before they go stale. Loop
 * thread only. Ages and sizes: limits.h. */
#ifndef APPROVALD_SLACK_PEOPLE_DIRECTORY_H
#define APPROVALD_SLACK_PEOPLE_DIRECTORY_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct directory;
struct event_base;
struct facts;
struct metrics;
struct service;
struct webapi;

struct directory_options {
    struct event_base *base; /* borrowed, as all pointers here */
    struct webapi *webapi;
    struct service *service; /* names the groups to keep fresh */
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
    struct span team; /* configured workspace (T…) or organisation (E…), copied; empty: what
                         auth.test says */
};

enum err_code directory_new(const struct directory_options *options,
                            struct directory **ret_directory,
                            struct err *err) WARN_UNUSED;
/* Waiting callers are not called. Free the webapi before it. NULL is allowed. */
void directory_free(struct directory *directory);
/* Asks Slack who we are and begins to keep groups fresh. */
void directory_start(struct directory *directory);

struct directory_identity {
    bool known;    /* auth.test has answered */
    bool mismatch; /* its team is not the configured one: an alarm */
    struct span team;
    struct span enterprise; /* empty off Enterprise Grid */
    struct span bot_user;
    struct span bot;
    struct span url; /* of the workspace, "https://acme.slack.com/", or empty */
};
/* Borrowed until the next turn of the loop. */
void directory_identity(const struct directory *directory, struct directory_identity *ret_identity);

/* team: of the person, from a signed payload, or empty: then what users.info says. user_known is
 * true when all flags could be judged from fresh entries. Spans of the groups are borrowed until
 * the next call into the directory. */
void directory_facts(struct directory *directory,
                     struct span user,
                     struct span team,
                     struct facts *ret_facts);

/* How many members a group has; false when that is not known or stale. */
bool directory_group_size(const struct directory *directory,
                          struct span group,
                          uint32_t *ret_count);

/* One of them, index < that count; borrowed until the next turn of the loop. */
struct span
directory_group_member(const struct directory *directory, struct span group, uint32_t index);

/* Slack's word for why the members of a group are not known, or empty. Borrowed. */
struct span directory_group_error(const struct directory *directory, struct span group);

/* Whose an e-mail address is, as Slack has said within its age; false: that is not known. *ret_user
 * empty: nobody's here. *ret_error: Slack's word for why not, or empty. Borrowed. */
bool directory_email(struct directory *directory,
                     struct span email,
                     struct span *ret_user,
                     struct span *ret_error);
/* Whose all the addresses are that policies name. */
bool directory_emails_known(struct directory *directory);
/* Puts ids in the place of addresses, for mentions: those whose owner is known or was. Borrowed. */
struct policy;
void directory_resolve(struct directory *directory, struct policy *policy);

/* What the admin has to see about the groups and addresses that policies name. */
struct directory_trouble {
    struct span id;   /* borrowed until the next call into the directory */
    struct span word; /* "channel_not_found", "users_not_found", "missing_scope", "is_public" … */
    struct span needed; /* the scope that is missing, or empty */
    bool works;         /* its members are known: it is worth a look all the same */
};
size_t directory_troubles(struct directory *directory,
                          struct directory_trouble *ret_troubles,
                          size_t count_max);

/* While Slack is down, of a person for whom the admin vouched (a token that is bound to him): as
 * known within the last SLACK_OUTAGE_FACTS_MS; who is not known at all is a member. Groups that
 * nobody has asked for since the start stay unknown. */
void directory_facts_in_outage(struct directory *directory,
                               struct span user,
                               struct facts *ret_facts);

/* What Slack has said of him and of groups since since_ms (boot), and nothing else. */
void directory_facts_since(struct directory *directory,
                           struct span user,
                           uint64_t since_ms,
                           struct facts *ret_facts);

enum directory_kind { DIRECTORY_USER = 1, DIRECTORY_GROUP, DIRECTORY_CHANNEL, DIRECTORY_EMAIL };
#define DIRECTORY_NEED_COUNT_MAX                                                                   \
    24 /* a user, those stood in for, a policy's groups, some addresses */
struct directory_need {
    enum directory_kind kind;
    struct span id;
    uint64_t since_ms; /* boot: of a person or group, what Slack has said before is not new enough;
                          0: what is fresh is */
};
/* Something was fetched, or could not be; look again with directory_facts. Once, on the loop, never
 * from inside directory_fetch. */
typedef void directory_done_fn(void *arg);
/* ERR_FULL (waiters or lookups), ERR_UNAVAILABLE (Slack refuses us): done is not called. */
enum err_code directory_fetch(struct directory *directory,
                              const struct directory_need *needs,
                              size_t count,
                              directory_done_fn *done,
                              void *arg,
                              struct err *err) WARN_UNUSED;

struct directory_channel {
    bool known;   /* fresh; the rest says nothing otherwise */
    bool missing; /* Slack does not show it to us: private and not invited, or gone */
    bool archived;
    bool member; /* the bot is in it */
    bool is_private;
    bool shared; /* with another organisation */
};
void directory_channel(struct directory *directory,
                       struct span channel,
                       struct directory_channel *ret_channel);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* directory_members.c: the members of user groups and channels.
 * Owns how a channel's pages become one set, and when a set is none.
 * Never takes a part of a channel for the whole: what is not read to its end is not known. */
#include "approvald/slack/people/directory_internal.h"
#include "approvald/slack/wire/lru.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include "approvald/core/policy.h"
#include "approvald/service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODULE "slack_directory"

bool directory_is_channel(struct span id)
{
    return slack_channel_is_valid(id);
}

static int compare_members(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct directory_member));
}

/* In order, each once; how many are left. */
static uint32_t sort(struct directory_member *members, uint32_t count)
{
    uint32_t kept = 0;

    if (count > 0) {
        qsort(members, count, sizeof *members, compare_members);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_members(&members[i], &members[i - 1]) != 0) {
            members[kept++] = members[i];
        }
    }
    return kept;
}

/* False: it is no id. */
static bool take(struct directory_member *member, struct span id)
{
    if (id.size == 0 || id.size > sizeof member->text) {
        return false;
    }
    memset(member, 0, sizeof *member);
    memcpy(member->text, id.data, id.size);
    return true;
}

bool directory_members_of_group(struct directory_group_entry *entry,
                                const struct json *json,
                                uint64_t now_ms)
{
    const struct json *users = json_get(json, "users");
    size_t count = json_count(users);
    struct directory_member *members = NULL;
    uint32_t kept = 0;

    if (!json_is_array(users) || count > SLACK_GROUP_MEMBER_COUNT_MAX) {
        return false;
    }
    if (count > 0) {
        members = mem_new(count, sizeof *members);
        if (members == NULL) {
            return false;
        }
    }
    for (const struct json *item = json_first(users); item != NULL; item = json_next(item)) {
        ASSERT(kept < count);
        kept += take(&members[kept], json_string(item)) ? 1 : 0;
    }
    mem_free(entry->members);
    entry->members = members;
    entry->member_count = sort(members, kept);
    entry->fresh_until_ms = now_ms + SLACK_GROUP_FRESH_MS;
    entry->known_ms = now_ms;
    entry->refresh_ms = now_ms + SLACK_GROUP_REFRESH_MS;
    return true;
}

/* Room for count more. */
static bool grow(struct directory_lookup *lookup, size_t count)
{
    size_t room = lookup->member_count + count;
    struct directory_member *members;

    if (room <= lookup->member_room) {
        return true;
    }
    members = mem_new(room, sizeof *members);
    if (members == NULL) {
        return false;
    }
    if (lookup->member_count > 0) {
        memcpy(members, lookup->members, lookup->member_count * sizeof *members);
    }
    mem_free(lookup->members);
    lookup->members = members;
    lookup->member_room = (uint32_t)room;
    return true;
}

/* Where the next page begins; false: that it is said in a way that cannot be followed. */
static bool take_cursor(struct directory_lookup *lookup, const struct json *json)
{
    struct span cursor = json_text(json, "response_metadata.next_cursor"); /* absent: the end */

    if (cursor.size > sizeof lookup->cursor) {
        return false;
    }
    if (cursor.size > 0) {
        memcpy(lookup->cursor, cursor.data, cursor.size);
    }
    lookup->cursor_size = cursor.size;
    return true;
}

const char *directory_members_add(struct directory_lookup *lookup, const struct json *json)
{
    const struct json *members = json_get(json, "members");
    struct span bot = slack_id_span(&lookup->directory->bot_user);
    size_t count = json_count(members);

    lookup->page_count++;
    if (!json_is_array(members) || !take_cursor(lookup, json)) {
        return DIRECTORY_MALFORMED;
    }
    if (lookup->member_count + count > SLACK_GROUP_MEMBER_COUNT_MAX ||
        (lookup->cursor_size > 0 && lookup->page_count == SLACK_MEMBER_PAGES_MAX)) {
        return DIRECTORY_TOO_LARGE;
    }
    if (!grow(lookup, count)) {
        return "no_memory";
    }
    for (const struct json *item = json_first(members); item != NULL; item = json_next(item)) {
        struct span id = json_string(item);
        bool ours = bot.size > 0 && span_equal(id, bot); /* it decides nothing */

        ASSERT(lookup->member_count < lookup->member_room);
        lookup->member_count += !ours && take(&lookup->members[lookup->member_count], id) ? 1 : 0;
    }
    return NULL;
}

/* A large channel costs a call a page: it is kept longer, so that all of them stay within Slack's
 * rate. */
void directory_members_keep(struct directory_lookup *lookup, struct directory_group_entry *entry)
{
    uint64_t now_ms = clock_boot_ms(lookup->directory->clock);
    uint64_t more_ms;

    ASSERT(lookup->page_count > 0);
    more_ms = (uint64_t)(lookup->page_count - 1) * SLACK_MEMBER_PAGE_MS;
    mem_free(entry->members);
    entry->members = lookup->members;
    entry->member_count = sort(lookup->members, lookup->member_count);
    entry->fresh_until_ms = now_ms + SLACK_GROUP_FRESH_MS + more_ms;
    entry->known_ms = now_ms;
    entry->refresh_ms = now_ms + SLACK_GROUP_REFRESH_MS + more_ms;
    lookup->members = NULL;
    lookup->member_count = 0;
    lookup->member_room = 0;
}

void directory_members_drop(struct directory_lookup *lookup)
{
    mem_free(lookup->members);
    lookup->members = NULL;
    lookup->member_count = 0;
    lookup->member_room = 0;
    lookup->page_count = 0;
    lookup->cursor_size = 0;
}

void directory_members_forget(struct directory_group_entry *entry)
{
    mem_free(entry->members);
    entry->members = NULL;
    entry->member_count = 0;
    entry->fresh_until_ms = 0;
    entry->refresh_ms = 0;
}

/* What to do about it, for the log. */
static const char *hint_of(struct span error)
{
    if (span_is(error, "channel_not_found")) {
        return "there is no such channel, or it is private: invite the app to it";
    }
    if (span_is(error, "missing_scope")) {
        return "add the scope and install the app again: approvalctl slack check";
    }
    if (span_is(error, DIRECTORY_TOO_LARGE)) {
        return "name a user group, or a smaller channel";
    }
    return "approvalctl slack check";
}

void directory_members_note(struct directory_group_entry *entry,
                            struct span id,
                            struct span word,
                            struct span needed)
{
    if (span_is(word, entry->error)) {
        return;
    }
    (void)snprintf(entry->error, sizeof entry->error, "%.*s", SPAN_ARGS(word)); /* cut: fine */
    (void)snprintf(entry->needed, sizeof entry->needed, "%.*s", SPAN_ARGS(needed));
    if (word.size > 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "members_unknown", LOG_SPAN("id", id),
                   LOG_SPAN("error", word), LOG_SPAN("needed", needed),
                   LOG_TEXT("hint", hint_of(word)));
    } else {
        log_fields(LOG_LEVEL_INFO, MODULE, "members_known", LOG_SPAN("id", id));
    }
}

struct span
directory_group_member(const struct directory *directory, struct span group, uint32_t index)
{
    uint32_t slot = lru_find(directory->group_index, group);
    const char *text;

    ASSERT(slot != LRU_NONE && index < directory->groups[slot].member_count);
    text = directory->groups[slot].members[index].text;
    return span_of(text, strnlen(text, CORE_SLACK_ID_SIZE_MAX));
}

struct span directory_group_error(const struct directory *directory, struct span group)
{
    uint32_t slot = lru_find(directory->group_index, group);

    return slot == LRU_NONE ? SPAN_NONE : span_text(directory->groups[slot].error);
}

/* Everybody may join a public channel and then decide; who is in an archived one stays. */
static const char *word_of_channel(struct directory *directory, struct span id)
{
    struct directory_channel channel;

    directory_channel(directory, id, &channel);
    if (!directory_is_channel(id) || !channel.known || channel.missing) {
        return NULL;
    }
    if (channel.archived) {
        return "is_archived";
    }
    return channel.is_private ? NULL : "is_public";
}

size_t directory_troubles(struct directory *directory,
                          struct directory_trouble *ret_troubles,
                          size_t count_max)
{
    const struct span *groups = NULL;
    size_t group_count = service_groups(directory->service, &groups);
    size_t count = 0;

    for (size_t i = 0; i < group_count && count < count_max; i++) {
        struct span error = directory_group_error(directory, groups[i]);
        const char *word = word_of_channel(directory, groups[i]);

        if (error.size > 0) {
            uint32_t slot = lru_find(directory->group_index, groups[i]);

            ret_troubles[count++] =
                (struct directory_trouble){.id = groups[i],
                                           .word = error,
                                           .needed = span_text(directory->groups[slot].needed)};
        } else if (word != NULL) {
            ret_troubles[count++] =
                (struct directory_trouble){.id = groups[i], .word = span_text(word), .works = true};
        }
    }
    return directory_email_troubles(directory, ret_troubles, count, count_max);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* directory_emails.c: whose an e-mail address is.
 * Owns the table of the addresses that policies name, and which of them are a person's.
 * Never takes an address for somebody's beyond the age of what Slack said. */
#include "approvald/core/email.h"
#include "approvald/service/service.h"
#include "approvald/slack/people/directory_internal.h"
#include "approvald/slack/wire/lru.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MODULE "slack_directory"

struct directory_email_entry *directory_email_find(struct directory *directory, struct span email)
{
    for (size_t i = 0; i < CORE_EMAIL_COUNT_MAX; i++) {
        struct directory_email_entry *entry = &directory->emails[i];

        if (email.size > 0 && span_equal(directory_id_span(&entry->email), email)) {
            return entry;
        }
    }
    return NULL;
}

struct directory_email_entry *directory_email_entry(struct directory *directory, struct span email)
{
    struct directory_email_entry *entry = directory_email_find(directory, email);
    struct directory_email_entry *oldest = &directory->emails[0];

    if (entry != NULL || !email_is_valid(email)) {
        return entry;
    }
    for (size_t i = 1; i < CORE_EMAIL_COUNT_MAX; i++) {
        entry = &directory->emails[i];
        oldest = entry->fresh_until_ms < oldest->fresh_until_ms ? entry : oldest;
    }
    *oldest = (struct directory_email_entry){.fresh_until_ms = 0};
    (void)directory_id_set(&oldest->email, email); /* it is valid, so it fits */
    return oldest;
}

bool directory_email_keep(struct directory_email_entry *entry,
                          const struct json *json,
                          uint64_t now_ms)
{
    struct slack_id user;

    if (!slack_id_set(&user, json_text(json, "user.id"))) {
        return false;
    }
    entry->user = user;
    entry->fresh_until_ms = now_ms + SLACK_EMAIL_FRESH_MS;
    entry->refresh_ms = now_ms + SLACK_EMAIL_REFRESH_MS;
    return true;
}

void directory_email_keep_nobody(struct directory_email_entry *entry, uint64_t until_ms)
{
    memset(&entry->user, 0, sizeof entry->user);
    entry->fresh_until_ms = until_ms;
    entry->refresh_ms = until_ms;
}

void directory_email_note(struct directory_email_entry *entry, struct span word, struct span needed)
{
    if (span_is(word, entry->error)) {
        return;
    }
    (void)snprintf(entry->error, sizeof entry->error, "%.*s", SPAN_ARGS(word)); /* cut: fine */
    (void)snprintf(entry->needed, sizeof entry->needed, "%.*s", SPAN_ARGS(needed));
    if (word.size > 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "email_unknown",
                   LOG_SPAN("email", directory_id_span(&entry->email)), LOG_SPAN("error", word),
                   LOG_SPAN("needed", needed), LOG_TEXT("hint", "approvalctl slack check"));
    } else {
        log_fields(LOG_LEVEL_INFO, MODULE, "email_known",
                   LOG_SPAN("email", directory_id_span(&entry->email)));
    }
}

/* Of a person as Slack shows him: his address in small letters; not shown without the scope. One
 * that no policy can name is none. */
void directory_email_of_user(struct directory_user_entry *entry, const struct json *user)
{
    struct span email = json_text(user, "profile.email");
    char lower[CORE_EMAIL_SIZE_MAX];

    entry->email_shown = email.size > 0;
    memset(&entry->email, 0, sizeof entry->email);
    if (email.size == 0 || email.size > sizeof lower) {
        return;
    }
    for (size_t i = 0; i < email.size; i++) {
        bool capital = email.data[i] >= 'A' && email.data[i] <= 'Z';

        lower[i] = email.data[i];
        if (capital) {
            lower[i] = (char)(email.data[i] - 'A' + 'a');
        }
    }
    if (email_is_valid(span_of(lower, email.size))) {
        (void)directory_id_set(&entry->email, span_of(lower, email.size)); /* it fits */
    }
}

/* More than there is room for are not known. */
static void add(struct facts *facts, struct span email)
{
    for (uint32_t i = 0; i < facts->email_count; i++) {
        if (span_equal(facts->emails[i], email)) {
            return;
        }
    }
    if (facts->email_count == CORE_FACT_EMAIL_COUNT_MAX) {
        facts->emails_known = false;
        return;
    }
    facts->emails[facts->email_count++] = email;
}

void directory_email_facts(const struct directory *directory,
                           const struct directory_user_entry *entry,
                           struct span user,
                           uint64_t now_ms,
                           struct facts *facts)
{
    facts->emails_known = entry != NULL && entry->email_shown;
    if (entry != NULL && entry->email.size > 0) {
        add(facts, directory_id_span(&entry->email));
    }
    for (size_t i = 0; user.size > 0 && i < CORE_EMAIL_COUNT_MAX; i++) {
        const struct directory_email_entry *email = &directory->emails[i];

        if (email->fresh_until_ms > now_ms && span_equal(slack_id_span(&email->user), user)) {
            add(facts, directory_id_span(&email->email));
        }
    }
}

void directory_email_refresh(struct directory *directory, uint64_t now_ms)
{
    const struct span *emails = NULL;
    size_t count = service_emails(directory->service, &emails);
    size_t started = 0;

    for (size_t i = 0; i < count && started < SLACK_TICK_EMAIL_COUNT; i++) {
        const struct directory_email_entry *entry = directory_email_find(directory, emails[i]);

        if ((entry == NULL || entry->refresh_ms <= now_ms) &&
            directory_lookup(directory, DIRECTORY_EMAIL, emails[i], true)) {
            started++;
        }
    }
}

size_t directory_email_troubles(struct directory *directory,
                                struct directory_trouble *ret_troubles,
                                size_t count,
                                size_t count_max)
{
    const struct span *emails = NULL;
    size_t email_count = service_emails(directory->service, &emails);

    for (size_t i = 0; i < email_count && count < count_max; i++) {
        const struct directory_email_entry *entry = directory_email_find(directory, emails[i]);

        if (entry != NULL && entry->error[0] != '\0') {
            ret_troubles[count++] = (struct directory_trouble){.id = emails[i],
                                                               .word = span_text(entry->error),
                                                               .needed = span_text(entry->needed)};
        }
    }
    return count;
}

bool directory_email(struct directory *directory,
                     struct span email,
                     struct span *ret_user,
                     struct span *ret_error)
{
    const struct directory_email_entry *entry = directory_email_find(directory, email);
    bool known = entry != NULL && entry->fresh_until_ms > clock_boot_ms(directory->clock);

    *ret_user = known ? slack_id_span(&entry->user) : SPAN_NONE;
    *ret_error = entry == NULL ? SPAN_NONE : span_text(entry->error);
    return known;
}

bool directory_emails_known(struct directory *directory)
{
    const struct span *emails = NULL;
    size_t count = service_emails(directory->service, &emails);
    struct span user;
    struct span error;
    bool known = true;

    for (size_t i = 0; known && i < count; i++) {
        known = directory_email(directory, emails[i], &user, &error);
    }
    return known;
}

static void resolve(struct directory *directory, struct span *users, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct directory_email_entry *entry =
            email_is_meant(users[i]) ? directory_email_find(directory, users[i]) : NULL;

        /* A mention is no decision: what was true the last time is better than an address. */
        if (entry != NULL && entry->user.size > 0) {
            users[i] = slack_id_span(&entry->user);
        }
    }
}

void directory_resolve(struct directory *directory, struct policy *policy)
{
    resolve(directory, policy->users, policy->user_count);
    resolve(directory, policy->clocks.escalate_users, policy->clocks.escalate_user_count);
}

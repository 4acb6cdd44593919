/* SPDX-License-Identifier: Apache-2.0 */
/* people.c: finds out who gets a copy of a request's card in his direct messages.
 * Owns the way from a policy's names to people: addresses, groups, channels, substitutes.
 * Never decides who may get one (core/audience does), never posts anything: the sender does, since
 * the store owes the copies then. */
#include "approvald/slack/people/people.h"

#include "approvald/core/approval.h"
#include "approvald/core/audience.h"
#include "approvald/core/eligible.h"
#include "approvald/core/email.h"
#include "approvald/core/needs.h"
#include "approvald/core/request_id.h"
#include "approvald/service/cards.h"
#include "approvald/slack/people/directory.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <stdio.h>

#define MODULE "slack_people"
/* Attempts for which a policy with a channel waits until all its names are known, and every policy
 * until it is known what the people are: seven seconds or so; what Slack has not told by then it
 * does not tell. */
#define PATIENCE_COUNT 4
#define NOBODY_TEXT                                                                                \
    "nobody could be asked: no channel has the card, and none of its approvers may decide this "   \
    "request; replay when its groups have others, or ask anew under another policy"

struct people {
    struct directory *directory; /* borrowed */
    struct service *service;     /* borrowed */
    struct metric *over;
};

/* One attempt. */
struct people_job {
    delivery_done_fn *done;
    void *arg;
    uint32_t revision;
    bool unknown; /* somebody was not known: again, later */
    bool nobody;  /* and never will be */
    char error[CORE_ERROR_SIZE_MAX];
};

/* What Slack is asked for. */
struct wants {
    uint32_t count;
    struct directory_need needs[DIRECTORY_NEED_COUNT_MAX];
};

/* What is being found out. */
struct search {
    struct people *people;
    bool patient; /* who is not known waits until he is */
    struct audience audience;
    struct facts requester; /* where the policy excludes groups */
    struct wants names;     /* whose people are not known */
    struct span error;      /* Slack's word for one of them */
    uint32_t unsure;        /* people who may be guests, bots or strangers */
    struct wants persons;   /* some of them */
};

enum err_code people_new(struct directory *directory,
                         struct service *service,
                         struct metrics *metrics,
                         struct people **ret_people,
                         struct err *err)
{
    struct people *people = mem_new(1, sizeof *people);

    if (people == NULL) {
        return err_set(err, ERR_NOMEM, "people");
    }
    people->directory = directory;
    people->service = service;
    people->over =
        metrics_add(metrics, METRIC_COUNTER, "approvald_slack_people_too_many_total", NULL,
                    "Looks for the people of a request that found more than get direct messages. "
                    "It is looked when a request begins, is escalated and is reminded of, and "
                    "again after a failure.");
    *ret_people = people;
    return ERR_OK;
}

void people_free(struct people *people)
{
    mem_free(people);
}

/* Each once: a group's member may be named, too. */
static void want(struct wants *wants, enum directory_kind kind, struct span id)
{
    for (uint32_t i = 0; i < wants->count; i++) {
        if (wants->needs[i].kind == kind && span_equal(wants->needs[i].id, id)) {
            return;
        }
    }
    if (wants->count < DIRECTORY_NEED_COUNT_MAX) {
        wants->needs[wants->count++] = (struct directory_need){.kind = kind, .id = id};
    }
}

static void need(struct search *search, enum directory_kind kind, struct span id, struct span error)
{
    want(&search->names, kind, id);
    search->error = error.size > 0 ? error : search->error;
}

static bool is_open(const struct search *search)
{
    return !search->audience.more && search->unsure < AUDIENCE_SEEN_MAX;
}

static void consider(struct search *search, struct span user)
{
    const struct policy *policy = search->audience.policy;
    struct facts facts;

    directory_facts(search->people->directory, user, SPAN_NONE, &facts);
    service_add_stand_ins(search->people->service, user, &facts);
    if (policy->exclude_count > 0) {
        needs_add_requester(policy->excludes, policy->exclude_count, &search->requester, &facts);
    }
    if (search->patient && !facts.user_known &&
        eligible_may_help(search->audience.request, policy, user, &facts)) {
        want(&search->persons, DIRECTORY_USER, user);
        search->unsure++;
        return;
    }
    audience_add(&search->audience, user, &facts);
}

/* And whoever stands in for him now. */
static void consider_with_substitute(struct search *search, struct span user)
{
    struct span substitute;

    consider(search, user);
    if (search->audience.policy->delegation &&
        service_substitute(search->people->service, user, &substitute)) {
        consider(search, substitute);
    }
}

static void add_users(struct search *search, const struct span *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct span user = names[i];
        struct span error = SPAN_NONE;

        if (email_is_meant(user) &&
            !directory_email(search->people->directory, names[i], &user, &error)) {
            need(search, DIRECTORY_EMAIL, names[i], error);
            user = SPAN_NONE;
        }
        if (user.size > 0) { /* else the address is nobody's */
            consider_with_substitute(search, user);
        }
    }
}

static void add_groups(struct search *search, const struct span *groups, uint32_t count)
{
    const struct directory *directory = search->people->directory;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = 0;

        if (!directory_group_size(directory, groups[i], &size)) {
            need(search, DIRECTORY_GROUP, groups[i], directory_group_error(directory, groups[i]));
        }
        for (uint32_t j = 0; j < size && is_open(search); j++) {
            consider_with_substitute(search, directory_group_member(directory, groups[i], j));
        }
    }
}

static void find(struct search *search)
{
    const struct policy *policy = search->audience.policy;
    const struct policy_clocks *clocks = &policy->clocks;
    bool escalated = search->audience.request->clocks.escalated_ms > 0;

    if (policy->exclude_count > 0) {
        directory_facts(search->people->directory, search->audience.request->requester, SPAN_NONE,
                        &search->requester);
    }
    add_users(search, policy->users, policy->user_count);
    if (escalated) {
        add_users(search, clocks->escalate_users, clocks->escalate_user_count);
    }
    add_groups(search, policy->groups, policy->group_count);
    if (escalated) {
        add_groups(search, clocks->escalate_groups, clocks->escalate_group_count);
    }
}

/* The next attempt looks again. */
static void on_fetched(void *arg)
{
    (void)arg;
}

static void fetch_some(const struct search *search, const struct wants *wants)
{
    struct err err = ERR_INIT;

    if (wants->count > 0 && directory_fetch(search->people->directory, wants->needs, wants->count,
                                            on_fetched, NULL, &err) != ERR_OK) {
        log_err(LOG_LEVEL_DEBUG, MODULE, "not_fetched",
                &err); /* nor by the next attempt, perhaps */
    }
}

/* People first: their ids may be those of a group's members, which the other may push out. */
static void fetch(const struct search *search)
{
    fetch_some(search, &search->persons);
    fetch_some(search, &search->names);
}

/* Each look, not each request: an escalation may make them too many, a smaller group few enough. */
static void tell_too_many(const struct search *search, uint32_t given)
{
    char id[REQUEST_ID_TEXT_SIZE];

    metric_add(search->people->over, 1);
    request_id_format(&search->audience.request->id, id);
    log_fields(given > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, MODULE, "too_many",
               LOG_TEXT("request", id), LOG_SPAN("policy", search->audience.policy->name),
               LOG_NUMBER("at_most", CORE_DIRECT_COUNT_MAX), LOG_NUMBER("get_the_card", given),
               LOG_TEXT("advice", given > 0
                                      ? "only the first of them get the card: give the policy "
                                        "a channel, or name fewer approvers"
                                      : "nobody gets the card directly, it is in the "
                                        "policy's channels: name fewer approvers, or take "
                                        "direct_approvers out of the policy"));
}

static void on_given(void *arg, enum err_code rc, const struct err *err)
{
    struct people_job *job = arg;
    struct delivery_result result = {.outcome = {.result = OUTBOX_SENT, .revision = job->revision}};
    delivery_done_fn *done = job->done;
    void *done_arg = job->arg;

    if (rc != ERR_OK && rc != ERR_NOT_FOUND) { /* not found: pruned meanwhile */
        (void)snprintf(job->error, sizeof job->error, "%s", err->message);
        job->unknown = true;
    }
    if (rc == ERR_OK && job->nobody) {
        result.outcome =
            (struct service_outcome){.result = OUTBOX_DEAD, .error = SPAN_LITERAL(NOBODY_TEXT)};
    }
    if (job->unknown) {
        result.outcome =
            (struct service_outcome){.result = OUTBOX_RETRY, .error = span_text(job->error)};
    }
    done(done_arg, &result);
    mem_free(job);
}

static bool has_channel(const struct search *search)
{
    return request_is_in_channel(search->audience.request, search->audience.policy);
}

/* Somebody may have to be added by a later attempt. */
static bool is_unknown(const struct search *search)
{
    if (search->audience.more) { /* who is too many for a channel's policy stays so */
        return search->unsure > 0 && !has_channel(search);
    }
    return search->names.count + search->unsure > 0;
}

/* Who gets one now; what was found out may say that more do later. */
static uint32_t size_now(const struct search *search, uint32_t attempts)
{
    bool told = has_channel(search);
    bool waits = told ? attempts < PATIENCE_COUNT && is_unknown(search)
                      : search->audience.more && search->unsure > 0;

    return waits ? 0 : audience_size(&search->audience);
}

/* Nothing of the request is in Slack, nor will be. What takes effect by itself waits for nobody. */
static bool is_nobody(const struct search *search)
{
    const struct audience *audience = &search->audience;
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX];

    return audience->count == 0 && !is_unknown(search) && !request_is_delayed(audience->request) &&
           (audience->request->unposted ||
            approval_channels(audience->request, audience->policy, channels) == 0);
}

static void tell_nobody(const struct search *search)
{
    char id[REQUEST_ID_TEXT_SIZE];

    request_id_format(&search->audience.request->id, id);
    log_fields(LOG_LEVEL_ERROR, MODULE, "nobody_to_ask", LOG_TEXT("request", id),
               LOG_SPAN("policy", search->audience.policy->name), LOG_TEXT("advice", NOBODY_TEXT));
}

static void say_unknown(const struct search *search, char error[CORE_ERROR_SIZE_MAX])
{
    const struct wants *wants = search->names.count > 0 ? &search->names : &search->persons;

    ASSERT(wants->count > 0);
    (void)snprintf(
        error, CORE_ERROR_SIZE_MAX, "%.*s is not known yet: %.*s", SPAN_ARGS(wants->needs[0].id),
        SPAN_ARGS(search->error.size > 0 ? search->error
                                         : SPAN_LITERAL("Slack was asked"))); /* cut at worst */
}

enum err_code people_start(void *driver,
                           const struct delivery *delivery,
                           delivery_done_fn *done,
                           void *arg,
                           struct err *err)
{
    struct people_job *job = mem_new(1, sizeof *job);
    struct search search = {.people = driver, .patient = delivery->row->attempts < PATIENCE_COUNT};
    enum err_code rc;
    uint32_t count;

    ASSERT(delivery->request != NULL); /* else it was settled */
    if (job == NULL) {
        return err_set(err, ERR_NOMEM, "people");
    }
    audience_init(&search.audience, delivery->request, delivery->policy);
    find(&search);
    count = size_now(&search, delivery->row->attempts);
    *job = (struct people_job){.done = done,
                               .arg = arg,
                               .revision = delivery->request->revision,
                               .unknown = is_unknown(&search),
                               .nobody = is_nobody(&search)};
    if (job->unknown) {
        say_unknown(&search, job->error);
    } else if (job->nobody) {
        tell_nobody(&search);
    } else if (search.audience.more) {
        tell_too_many(&search, count);
    }
    rc = service_cards_give(search.people->service, &delivery->request->id, search.audience.users,
                            count, on_given, job, err);
    if (rc != ERR_OK) {
        mem_free(job);
    }
    fetch(&search);
    return rc;
}

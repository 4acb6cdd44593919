/* SPDX-License-Identifier: Apache-2.0 */
/* homeplan.c: whose Home is next.
 * Owns the table of people, the order among them and every wait.
 * Never reads a clock, never calls anybody, never knows what a Home shows. */
#include "approvald/slack/outbound/homeplan.h"

#include "approvald/slack/wire/lru.h"
#include "base/assert.h"
#include "base/mem.h"

#include <string.h>

#define DOUBLINGS_MAX 16 /* the longest back-off is reached long before */

enum err_code homeplan_init(struct homeplan *plan, struct err *err)
{
    enum err_code rc;

    *plan = (struct homeplan){.index = NULL};
    rc = lru_new(SLACK_HOME_PERSON_COUNT_MAX, &plan->index, err);
    plan->persons = mem_new(SLACK_HOME_PERSON_COUNT_MAX, sizeof *plan->persons);
    if (rc == ERR_OK && plan->persons == NULL) {
        rc = err_set(err, ERR_NOMEM, "people's Homes");
    }
    return rc;
}

void homeplan_done(struct homeplan *plan)
{
    lru_free(plan->index);
    mem_free(plan->persons);
    *plan = (struct homeplan){.index = NULL};
}

/* The person's place, made when there is none; NULL: the id is none. */
static struct homeplan_person *take(struct homeplan *plan, struct span user, uint64_t now_ms)
{
    bool fresh = false;
    uint32_t slot = lru_take(plan->index, user, &fresh);
    struct homeplan_person *person;

    if (slot == LRU_NONE) {
        return NULL;
    }
    person = &plan->persons[slot];
    if (fresh || !person->used) {
        /* A job for whoever was here finds another ticket. */
        *person = (struct homeplan_person){
            .used = true, .ticket = ++plan->tickets, .again_ms = UINT64_MAX};
    }
    person->opened_ms = now_ms;
    person->acted = true;
    return person;
}

static void set_hash(struct homeplan_person *person, struct span hash)
{
    person->hash_size = hash.size <= sizeof person->hash ? hash.size : 0;
    if (person->hash_size > 0) {
        memcpy(person->hash, hash.data, person->hash_size);
    }
}

bool homeplan_opened(struct homeplan *plan, struct span user, struct span hash, uint64_t now_ms)
{
    struct homeplan_person *person = take(plan, user, now_ms);

    if (person == NULL) {
        return false;
    }
    memset(person->pages, 0, sizeof person->pages);
    person->shown = false;
    person->member = false; /* what he is is asked anew: he may have become a guest */
    /* A publish under way makes a newer one. */
    if (hash.size > 0 && !person->busy) {
        set_hash(person, hash);
    }
    return true;
}

bool homeplan_turned(struct homeplan *plan,
                     struct span user,
                     const uint32_t pages[HOME_PART_COUNT],
                     uint64_t now_ms)
{
    struct homeplan_person *person = take(plan, user, now_ms);

    if (person == NULL) {
        return false;
    }
    memcpy(person->pages, pages, sizeof person->pages);
    return true;
}

void homeplan_pressed(struct homeplan *plan, struct span user)
{
    uint32_t slot = lru_find(plan->index, user);

    if (slot != LRU_NONE && plan->persons[slot].used) {
        plan->persons[slot].acted = true;
    }
}

void homeplan_changed(struct homeplan *plan)
{
    plan->changes++;
}

/* When the person's Home may be worked on; UINT64_MAX: there is no reason to. */
static uint64_t due_of(const struct homeplan *plan, const struct homeplan_person *person)
{
    uint64_t spacing_ms = person->acted ? SLACK_HOME_ACT_MS : SLACK_HOME_SPACING_MS;
    uint64_t due_ms = UINT64_MAX;

    if (!person->used || person->busy) {
        return UINT64_MAX;
    }
    if (person->acted || person->seen < plan->changes) {
        due_ms = person->published_ms == 0 ? 0 : person->published_ms + spacing_ms;
    } else if (person->again_ms != UINT64_MAX) {
        due_ms = person->again_ms;
    }
    return due_ms < person->hold_ms ? person->hold_ms : due_ms;
}

static bool is_better(const struct homeplan_person *a, const struct homeplan_person *b)
{
    if (a->acted != b->acted) {
        return a->acted;
    }
    return a->looked_ms < b->looked_ms;
}

/* Who has not looked for so long is not kept. */
static void forget_old(struct homeplan_person *person, uint64_t now_ms)
{
    if (person->used && !person->busy && now_ms >= person->opened_ms + SLACK_HOME_KEEP_MS) {
        person->used = false;
    }
}

static uint64_t gate_ms(const struct homeplan *plan)
{
    return plan->read_ms > plan->pause_ms ? plan->read_ms : plan->pause_ms;
}

bool homeplan_next(struct homeplan *plan, uint64_t now_ms, struct homeplan_job *ret_job)
{
    struct homeplan_person *best = NULL;

    if (plan->job_count >= SLACK_HOME_JOB_COUNT || now_ms < gate_ms(plan)) {
        return false;
    }
    for (uint32_t i = 0; i < SLACK_HOME_PERSON_COUNT_MAX; i++) {
        struct homeplan_person *person = &plan->persons[i];

        forget_old(person, now_ms);
        if (due_of(plan, person) <= now_ms && (best == NULL || is_better(person, best))) {
            best = person;
        }
    }
    if (best == NULL) {
        return false;
    }
    *ret_job = (struct homeplan_job){
        .slot = (uint32_t)(best - plan->persons), .ticket = best->ticket, .changes = plan->changes};
    best->busy = true;
    best->looked_ms = now_ms;
    best->acted = false;
    best->again_ms = UINT64_MAX;
    plan->job_count++;
    plan->read_ms = now_ms + SLACK_HOME_READ_MS;
    return true;
}

uint64_t homeplan_due_ms(const struct homeplan *plan, uint64_t now_ms)
{
    uint64_t due_ms = UINT64_MAX;

    if (plan->job_count >= SLACK_HOME_JOB_COUNT) {
        return UINT64_MAX; /* the end of a job wakes */
    }
    for (uint32_t i = 0; i < SLACK_HOME_PERSON_COUNT_MAX && due_ms > now_ms; i++) {
        uint64_t person_ms = due_of(plan, &plan->persons[i]);

        due_ms = person_ms < due_ms ? person_ms : due_ms;
    }
    return due_ms < gate_ms(plan) ? gate_ms(plan) : due_ms;
}

struct homeplan_person *homeplan_person(struct homeplan *plan, const struct homeplan_job *job)
{
    struct homeplan_person *person = &plan->persons[job->slot];

    ASSERT(job->slot < SLACK_HOME_PERSON_COUNT_MAX);
    return person->used && person->ticket == job->ticket ? person : NULL;
}

struct span homeplan_user(const struct homeplan *plan, const struct homeplan_job *job)
{
    return lru_key(plan->index, job->slot);
}

static uint64_t backoff_ms(uint32_t failures, uint32_t draw)
{
    uint32_t doublings = failures < DOUBLINGS_MAX ? failures : DOUBLINGS_MAX;
    uint64_t pause_ms = (uint64_t)SLACK_HOME_BACKOFF_MS_MIN << doublings;

    pause_ms = pause_ms > SLACK_HOME_BACKOFF_MS_MAX ? SLACK_HOME_BACKOFF_MS_MAX : pause_ms;
    return pause_ms / 2 + draw % (pause_ms / 2 + 1);
}

/* It is still to be done, not before hold_ms. */
static void put_off(struct homeplan_person *person, uint64_t hold_ms)
{
    person->hold_ms = hold_ms;
    person->acted = true;
}

static void end_person(struct homeplan_person *person,
                       const struct homeplan_job *job,
                       const struct homeplan_outcome *outcome,
                       uint64_t now_ms)
{
    switch (outcome->result) {
    case HOMEPLAN_PUBLISHED:
        person->published_ms = now_ms;
        person->digest = outcome->digest;
        person->serial++;
        person->shown = true;
        set_hash(person, outcome->hash);
        person->hold_ms = 0;
        break;
    case HOMEPLAN_SAME:
        person->hold_ms = now_ms + SLACK_HOME_LOOK_MS;
        break;
    case HOMEPLAN_NOT_READY:
        put_off(person, now_ms + SLACK_HOME_FILL_MS);
        return;
    case HOMEPLAN_CONFLICT:
        set_hash(person, SPAN_NONE);
        person->shown = false;
        put_off(person, now_ms + SLACK_HOME_ACT_MS);
        return;
    case HOMEPLAN_FAILED:
        /* What Slack shows now is not known. */
        person->shown = false;
        set_hash(person, SPAN_NONE);
        put_off(person,
                now_ms + (outcome->retry_ms > 0 ? outcome->retry_ms
                                                : backoff_ms(person->failures, outcome->draw)));
        person->failures++;
        return;
    case HOMEPLAN_LIMITED:
    case HOMEPLAN_OFF:
        person->shown = false;
        person->acted = true;
        return;
    case HOMEPLAN_REFUSED:
        person->hold_ms = now_ms + SLACK_HOME_OFF_MS;
        break;
    }
    person->failures = 0;
    person->seen = job->changes;
    person->again_ms = outcome->partial ? now_ms + SLACK_HOME_AGAIN_MS : UINT64_MAX;
}

void homeplan_end(struct homeplan *plan,
                  const struct homeplan_job *job,
                  const struct homeplan_outcome *outcome,
                  uint64_t now_ms)
{
    struct homeplan_person *person = homeplan_person(plan, job);

    ASSERT(plan->job_count > 0);
    plan->job_count--;
    if (outcome->result == HOMEPLAN_LIMITED) {
        plan->pause_ms = now_ms + outcome->retry_ms;
    } else if (outcome->result == HOMEPLAN_OFF) {
        plan->pause_ms = now_ms + SLACK_HOME_OFF_MS;
    }
    if (person == NULL) {
        return;
    }
    ASSERT(person->busy);
    person->busy = false;
    end_person(person, job, outcome, now_ms);
    ASSERT(homeplan_invariant(plan));
}

bool homeplan_invariant(const struct homeplan *plan)
{
    uint32_t busy_count = 0;

    for (uint32_t i = 0; i < SLACK_HOME_PERSON_COUNT_MAX; i++) {
        const struct homeplan_person *person = &plan->persons[i];

        busy_count += person->used && person->busy ? 1 : 0;
        if (person->seen > plan->changes || person->ticket > plan->tickets ||
            person->hash_size > SLACK_HOME_HASH_SIZE_MAX) {
            return false;
        }
    }
    /* A job whose person gave way has no place any more. */
    return busy_count <= plan->job_count && plan->job_count <= SLACK_HOME_JOB_COUNT;
}

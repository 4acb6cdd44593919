/* SPDX-License-Identifier: Apache-2.0 */
/* homeplan.h: whose Home is looked at and published next. Pure: times are passed in (boot ms).
 *
 * People are those who opened their Home within SLACK_HOME_KEEP_MS, the last
 * SLACK_HOME_PERSON_COUNT_MAX of them. A change makes all their Homes doubtful: each is looked at
 * (a read of the service), and published when it would show something else. Those who act on their
 * Home come first, then those who were not looked at for longest. One Home is worked on once at a
 * time, and published at most once in SLACK_HOME_SPACING_MS (SLACK_HOME_ACT_MS for its person's own
 * acts).
 *
 * It is a cache: after a failover it is empty, and a Home is fresh again when it is opened. */
#ifndef APPROVALD_SLACK_OUTBOUND_HOMEPLAN_H
#define APPROVALD_SLACK_OUTBOUND_HOMEPLAN_H

#include "approvald/service/service.h"
#include "approvald/slack/limits.h"

struct lru;

struct homeplan_person {
    bool used;
    bool busy;          /* a job works on it */
    bool acted;         /* its person waits for it */
    bool shown;         /* digest is of what Slack shows */
    bool member;        /* he was a full member of the workspace when we last knew */
    uint32_t failures;  /* in a row */
    uint32_t serial;    /* publishes: makes block ids new */
    uint64_t ticket;    /* of this stay in the table */
    uint64_t opened_ms; /* last */
    uint64_t looked_ms; /* the last job began */
    uint64_t published_ms;
    uint64_t hold_ms;  /* nothing before */
    uint64_t again_ms; /* look then, even if nothing changed; or UINT64_MAX */
    uint64_t seen;     /* changes that the last look has seen */
    uint64_t digest;
    uint32_t pages[HOME_PART_COUNT];
    char hash[SLACK_HOME_HASH_SIZE_MAX]; /* of the view at Slack, or empty */
    size_t hash_size;
};

struct homeplan {
    struct lru *index;               /* owned */
    struct homeplan_person *persons; /* owned, SLACK_HOME_PERSON_COUNT_MAX */
    uint64_t changes;                /* so far */
    uint64_t tickets;                /* so far */
    uint64_t read_ms;                /* no look before */
    uint64_t pause_ms;               /* nothing for anybody before */
    uint32_t job_count;
};

enum err_code homeplan_init(struct homeplan *plan, struct err *err) WARN_UNUSED;
void homeplan_done(struct homeplan *plan); /* a zeroed one is allowed */

/* He opened it: it is shown from its first pages, and published whatever it shows. hash is of the
 * view that Slack shows him, or empty. False: the id is none. */
bool homeplan_opened(struct homeplan *plan, struct span user, struct span hash, uint64_t now_ms);
/* He turned to these pages. */
bool homeplan_turned(struct homeplan *plan,
                     struct span user,
                     const uint32_t pages[HOME_PART_COUNT],
                     uint64_t now_ms);
/* He pressed a button on it: look at it soon. Nothing when his Home is not kept. */
void homeplan_pressed(struct homeplan *plan, struct span user);
/* Something changed. */
void homeplan_changed(struct homeplan *plan);

/* A piece of work under way. */
struct homeplan_job {
    uint32_t slot;
    uint64_t ticket;  /* the person's */
    uint64_t changes; /* that it sees */
};
/* The next one, begun; false: nothing now. */
bool homeplan_next(struct homeplan *plan, uint64_t now_ms, struct homeplan_job *ret_job);
/* When to ask again; UINT64_MAX: not before something happens. */
uint64_t homeplan_due_ms(const struct homeplan *plan, uint64_t now_ms);
/* NULL: the person is not kept any more; end the job as HOMEPLAN_SAME. */
struct homeplan_person *homeplan_person(struct homeplan *plan, const struct homeplan_job *job);
struct span homeplan_user(const struct homeplan *plan, const struct homeplan_job *job);

enum homeplan_result {
    HOMEPLAN_SAME = 1,  /* it shows that already */
    HOMEPLAN_PUBLISHED, /* digest and hash are of what is shown now */
    HOMEPLAN_NOT_READY, /* the service cannot tell yet */
    HOMEPLAN_CONFLICT,  /* somebody else has published: once more, on top of it */
    HOMEPLAN_FAILED,    /* retry_ms, or the back-off, later */
    HOMEPLAN_LIMITED,   /* Slack asks for a pause (retry_ms), for all */
    HOMEPLAN_OFF,       /* Homes are switched off */
    HOMEPLAN_REFUSED,   /* not this one, for what it is */
};
struct homeplan_outcome {
    enum homeplan_result result;
    uint64_t digest;
    struct span hash;
    bool partial;      /* more may be known in a moment */
    uint64_t retry_ms; /* 0: none was asked for */
    uint32_t draw;     /* random, for the back-off */
};
void homeplan_end(struct homeplan *plan,
                  const struct homeplan_job *job,
                  const struct homeplan_outcome *outcome,
                  uint64_t now_ms);

bool homeplan_invariant(const struct homeplan *plan);

#endif

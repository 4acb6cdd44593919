/* SPDX-License-Identifier: Apache-2.0 */
/* directory_bench.h: a directory over the real webapi, for its tests: the network is fake_fetch,
 * the service is the one function that names groups. */
#ifndef TESTS_UNIT_DIRECTORY_BENCH_H
#define TESTS_UNIT_DIRECTORY_BENCH_H

#include "approvald/service/service.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/wire/webapi.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/unit.h"

struct event_base;
struct metrics;

#define TEAM  SPAN_LITERAL("T0APV00001")
#define OTHER SPAN_LITERAL("T0OTHER009")
#define USER  SPAN_LITERAL("U0APR00001")
#define GROUP SPAN_LITERAL("S0APV00001")

/* What the service names. */
extern struct span policy_groups[4];
extern size_t policy_group_count;
extern struct span policy_emails[4];
extern size_t policy_email_count;

struct bench {
    struct fake_time now;
    struct clock clock;
    struct event_base *base;
    struct metrics *metrics;
    struct webapi *webapi;
    struct directory *directory;
    size_t done_count;
};

void setup_team(struct bench *bench, struct span team);
void setup(struct bench *bench); /* of TEAM; no policy names a group, the first would be GROUP */
void teardown(struct bench *bench);
/* The loop runs until nothing is left to do. */
void turn(struct bench *bench);
/* done_count counts the answers. */
void fetch(struct bench *bench, const struct directory_need *needs, size_t count);
void fetch_user(struct bench *bench);
/* Answers auth.test and users.info; more: further members of the object, with the comma. */
void answer_identity(struct bench *bench, const char *more);
void answer_user(struct bench *bench, const char *more);
/* Counts into the bench's done_count. */
void on_done(void *arg);

#endif

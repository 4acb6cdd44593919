/* SPDX-License-Identifier: Apache-2.0 */
/* directory_bench.c: a directory over the real webapi.
 * Owns the loop and everything on it; never opens a socket. */
#include "tests/unit/directory_bench.h"

#include "base/log.h"
#include "base/metrics.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/fake_webapi.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

struct span policy_groups[4];
size_t policy_group_count;
struct span policy_emails[4];
size_t policy_email_count;

size_t service_emails(const struct service *service, const struct span **ret_emails)
{
    (void)service; /* there is none */
    *ret_emails = policy_emails;
    return policy_email_count;
}

size_t service_groups(const struct service *service, const struct span **ret_groups)
{
    (void)service; /* there is none */
    *ret_groups = policy_groups;
    return policy_group_count;
}

void setup_team(struct bench *bench, struct span team)
{
    struct err err = ERR_INIT;
    struct directory_options of_directory = {.team = team};

    memset(bench, 0, sizeof *bench);
    policy_group_count = 0;
    policy_email_count = 0;
    policy_groups[0] = GROUP;
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
    fake_fetch_reset(ERR_OK);
    bench->now = (struct fake_time){.boot_ms = 1000000, .wall_ms = 1764752400000};
    bench->clock = fake_clock(&bench->now);
    bench->base = event_base_new();
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    bench->webapi = fake_webapi_new(bench->base, bench->metrics, &bench->clock);
    of_directory.base = bench->base;
    of_directory.metrics = bench->metrics;
    of_directory.clock = &bench->clock;
    of_directory.webapi = bench->webapi;
    CU_ASSERT_EQUAL_FATAL(directory_new(&of_directory, &bench->directory, &err), ERR_OK);
}

void setup(struct bench *bench)
{
    setup_team(bench, TEAM);
}

void teardown(struct bench *bench)
{
    webapi_free(bench->webapi);
    directory_free(bench->directory);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
}

void turn(struct bench *bench)
{
    for (int i = 0; i < 4; i++) {
        (void)event_base_loop(bench->base, EVLOOP_NONBLOCK); /* its result says nothing more */
    }
}

void on_done(void *arg)
{
    struct bench *bench = arg;

    bench->done_count++;
}

void fetch(struct bench *bench, const struct directory_need *needs, size_t count)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(directory_fetch(bench->directory, needs, count, on_done, bench, &err), ERR_OK);
    turn(bench);
}

void fetch_user(struct bench *bench)
{
    struct directory_need need = {.kind = DIRECTORY_USER, .id = USER};

    fetch(bench, &need, 1);
}

void answer_identity(struct bench *bench, const char *more)
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"team_id\":\"T0APV00001\",\"user_id\":\"U0BOT00001\","
                   "\"bot_id\":\"B0APV00001\"%s}",
                   more);
    CU_ASSERT(fake_fetch_ok("auth.test", body));
    turn(bench);
}

void answer_user(struct bench *bench, const char *more)
{
    char body[256];

    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"user\":{\"id\":\"U0APR00001\",\"team_id\":\"T0APV00001\"%s}}",
                   more);
    CU_ASSERT(fake_fetch_ok("users.info", body));
    turn(bench);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_bench.h: the inbound half between a service on a real store (service_kit), a fake Slack
 * (fake_fetch) and a signer. */
#ifndef TESTS_UNIT_INBOUND_BENCH_H
#define TESTS_UNIT_INBOUND_BENCH_H

#include "approvald/slack/inbound/inbound.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/service_kit.h"

struct directory;
struct event_base;
struct home;
struct metrics;
struct webapi;

#define BENCH_SECRET  "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define BENCH_FORM    "application/x-www-form-urlencoded"
#define BENCH_JSON    "application/json"
#define BENCH_REPLY   8192
#define BENCH_PAYLOAD 65536

struct bench_reply {
    bool done;
    uint32_t count;
    uint32_t status;
    uint32_t retry_after_s;
    char type[64];
    char body[BENCH_REPLY];
};

struct bench {
    struct service_kit kit;
    struct event_base *base;
    struct metrics *metrics;
    struct webapi *webapi;
    struct directory *directory;
    struct home *home;
    struct slack_inbound *inbound;
    struct bench_reply reply; /* the last one */
    struct request_id id;     /* a pending request of policy "deploy" */
    char id_text[REQUEST_ID_TEXT_SIZE];
};

/* A primary with policies and one pending request; the directory knows who we are. */
void bench_open(struct bench *bench);
void bench_close(struct bench *bench);
/* Everything that can happen without more time or an answer of Slack happens. */
void bench_turn(struct bench *bench);

/* Signed with the time of now; the reply, if it has come, is in bench->reply. */
void bench_deliver(struct bench *bench, enum slack_path path, const char *type, const char *body);
/* As an interaction: payload=JSON, form-encoded. Waits for the reply. */
void bench_interact(struct bench *bench, const char *json);
/* The same without waiting. */
void bench_interact_only(struct bench *bench, const char *json);
/* A press as Slack sends it; ts distinguishes presses. */
const char *
bench_press_json(const char *user, const char *action, const char *value, const char *ts);
/* The modal of a request comes back with a reason. */
const char *bench_submit_json(const struct bench *bench, const char *user, const char *reason);
/* /approval TEXT by a user. Waits. */
void bench_command(struct bench *bench, const char *user, const char *text);
/* The same without waiting. */
void bench_command_only(struct bench *bench, const char *user, const char *text);
/* The store takes longer than Slack waits: what was delivered is answered by 503. */
void bench_late(struct bench *bench);
/* The reply's count goes up. */
void bench_wait_reply(struct bench *bench);
/* Slack tells about a person; more: further JSON members. */
void bench_know(struct bench *bench, const char *user, const char *more);
/* The call under way of a method carries this text. */
bool bench_call_says(const char *method, const char *part);
slack_reply_fn bench_on_reply;

#endif

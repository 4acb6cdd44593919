/* SPDX-License-Identifier: Apache-2.0 */
/* test_api.c: proves the API over a real service and store, through real sockets.
 * Owns a service kit, a loop and a server for each case; never leaves the host. */
#include "approvald/http/api.h"
#include "approvald/http/server.h"
#include "base/json.h"
#include "base/metrics.h"
#include "storage/storage.h"
#include "tests/unit/service_kit.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SIZE_MAX 262144U
#define TOKEN_SIZE      64

static const char policies[] = "policy p { title = \"P\" channel = \"C0APV00001\"\n"
                               "  approvers = {\"U0APR00001\", \"U0APR00002\"} }\n"
                               "policy q { title = \"Q\" channel = \"C0APV00001\"\n"
                               "  approvers = {\"U0APR00001\"} }\n"
                               "policy n { exclude_requester_groups = {\"S0TEAM\"}\n"
                               "  needs = {\"sec: 1 of S0SEC\", \"boss: 1 of U0APR00001\"} }\n";

struct bench {
    struct service_kit kit;
    struct event_base *base;
    struct http_server *server;
    struct api *api;
    char path[2][256]; /* of a unix socket that stands for the service, and of the local one */
    char asker[TOKEN_SIZE];
    char reader[TOKEN_SIZE];
    char decider[TOKEN_SIZE];
    char answer[ANSWER_SIZE_MAX];
    uint32_t learned; /* groups that Slack has been asked about */
    char groups[4][CORE_SLACK_ID_SIZE_MAX + 1];
    void (*done)(void *done_arg); /* to be told that they are known; NULL: nobody waits */
    void *done_arg;
};

/* Once learned, everybody but U0APR00001 is in all groups. */
static void facts(void *arg, struct span user, struct facts *ret_facts)
{
    const struct bench *bench = arg;

    *ret_facts = (struct facts){.user_known = true};
    for (uint32_t i = 0; i < bench->learned; i++) {
        ret_facts->known[ret_facts->known_count++] = span_text(bench->groups[i]);
        if (!span_is(user, "U0APR00001")) {
            ret_facts->member[ret_facts->member_count++] = span_text(bench->groups[i]);
        }
    }
}

/* NOLINTNEXTLINE(readability-function-size): done, its argument and err are three of them */
static enum err_code learn(void *arg,
                           struct span user,
                           const struct span *groups,
                           uint32_t count,
                           void (*done)(void *done_arg),
                           void *done_arg,
                           struct err *err)
{
    struct bench *bench = arg;

    CU_ASSERT_FATAL(count <= 4);
    if (span_is(user, "U0NOSLACK")) {
        return err_set(err, ERR_UNAVAILABLE, "no Slack");
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(bench->groups[i], sizeof bench->groups[i], "%.*s", SPAN_ARGS(groups[i]));
    }
    bench->learned = count;
    bench->done = done;
    bench->done_arg = done_arg;
    return ERR_OK;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(fd, 16), 0);
    return fd;
}

static int dial(const struct bench *bench, enum http_listener kind)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                   bench->path[kind == HTTP_LOCAL ? 1 : 0]);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void turn(struct bench *bench)
{
    struct timeval pause = {.tv_usec = 1000};

    (void)event_base_loopexit(bench->base, &pause);
    (void)event_base_dispatch(bench->base);
    storage_dispatch(bench->kit.storage);
    if (bench->done != NULL) {
        bench->done(bench->done_arg);
        bench->done = NULL;
    }
    api_tick(bench->api);
}

/* Waits for a whole answer; "" when none comes for a while. */
static const char *hear(struct bench *bench, int fd, int turns)
{
    size_t size = 0;

    for (int i = 0; i < turns; i++) {
        ssize_t got = recv(fd, bench->answer + size, ANSWER_SIZE_MAX - 1 - size, 0);

        if (got > 0) {
            size += (size_t)got;
        } else if (size > 0) {
            break;
        }
        turn(bench);
    }
    bench->answer[size] = '\0';
    return bench->answer;
}

struct ask {
    enum http_listener kind;
    const char *method;
    const char *path;
    const char *token; /* NULL: none */
    const char *key;   /* NULL: none */
    const char *type;  /* NULL: application/json */
    const char *body;  /* NULL: none */
};

static void say(int fd, const struct ask *ask)
{
    char text[8192];
    const char *body = ask->body == NULL ? "" : ask->body;
    int size =
        snprintf(text, sizeof(text),
                 "%s %s HTTP/1.1\r\nHost: a\r\n%s%s%s%s%s%sContent-Type: %s\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 ask->method, ask->path, ask->token == NULL ? "" : "Authorization: Bearer ",
                 ask->token == NULL ? "" : ask->token, ask->token == NULL ? "" : "\r\n",
                 ask->key == NULL ? "" : "Idempotency-Key: ", ask->key == NULL ? "" : ask->key,
                 ask->key == NULL ? "" : "\r\n", ask->type == NULL ? "application/json" : ask->type,
                 strlen(body), body);

    CU_ASSERT_FATAL(size > 0 && (size_t)size < sizeof(text));
    CU_ASSERT_EQUAL(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
}

/* The whole answer; the status is in *ret_status. */
static const char *call(struct bench *bench, const struct ask *ask, int *ret_status)
{
    int fd = dial(bench, ask->kind);
    const char *answer;

    say(fd, ask);
    answer = hear(bench, fd, 2000);
    (void)close(fd);
    turn(bench);
    *ret_status = 0;
    CU_ASSERT_EQUAL(sscanf(answer, "HTTP/1.1 %3d", ret_status), 1); /* NOLINT(cert-err34-c) */
    return answer;
}

/* The text of a member at the top of the answer's JSON. */
static void member(const char *answer, const char *path, char *text, size_t room)
{
    AUTO_JSON struct json *json = NULL;
    const char *body = strstr(answer, "\r\n\r\n");
    struct err err = ERR_INIT;
    struct span value;

    CU_ASSERT_PTR_NOT_NULL_FATAL(body);
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(body + 4), ANSWER_SIZE_MAX, &json, &err), ERR_OK);
    value = json_text(json, path);
    CU_ASSERT_FATAL(value.size < room);
    (void)snprintf(text, room, "%.*s", SPAN_ARGS(value));
}

static bool says(const char *answer, const char *path, const char *wanted)
{
    char text[256];

    member(answer, path, text, sizeof(text));
    if (strcmp(text, wanted) != 0) {
        (void)printf("\nwanted %s=%s, got %s in %.600s\n", path, wanted, text, answer);
    }
    return strcmp(text, wanted) == 0;
}

static void make_token(struct bench *bench, const char *body, char secret[TOKEN_SIZE])
{
    int status;
    const char *answer = call(
        bench, &(struct ask){HTTP_LOCAL, "POST", "/v1/tokens", NULL, NULL, NULL, body}, &status);

    CU_ASSERT_EQUAL_FATAL(status, 201);
    member(answer, "token", secret, TOKEN_SIZE);
}

static void setup(struct bench *bench)
{
    struct err err = ERR_INIT;
    struct http_server_options options = {0};
    struct api_options api = {.facts = facts, .learn = learn, .arg = bench};
    int status;

    (void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    memset(bench, 0, sizeof(*bench));
    service_kit_open(&bench->kit);
    bench->base = event_base_new();
    options.base = bench->base;
    options.metrics = bench->kit.metrics;
    CU_ASSERT_EQUAL_FATAL(http_server_new(&options, &bench->server, &err), ERR_OK);
    api.service = bench->kit.service;
    api.metrics = bench->kit.metrics;
    api.wait_count_max = 2;
    CU_ASSERT_EQUAL_FATAL(api_new(&api, &bench->api, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(api_attach(bench->api, bench->server, &err), ERR_OK);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(bench->path[i], sizeof(bench->path[i]), "test_api_%d_%d.sock", (int)getpid(),
                       i);
        CU_ASSERT_EQUAL_FATAL(http_server_listen(bench->server, i == 1 ? HTTP_LOCAL : HTTP_SERVICE,
                                                 listen_at(bench->path[i]), NULL, &err),
                              ERR_OK);
    }
    (void)call(bench,
               &(struct ask){HTTP_LOCAL, "PUT", "/v1/policies", NULL, NULL, "text/plain", policies},
               &status);
    CU_ASSERT_EQUAL_FATAL(status, 200);
    make_token(bench, "{\"name\":\"ci\",\"scopes\":[\"ask\"],\"policies\":[\"p\"]}", bench->asker);
    make_token(bench, "{\"name\":\"eye\",\"scopes\":[\"read\"]}", bench->reader);
    make_token(bench, "{\"name\":\"ana\",\"scopes\":[\"decide\"],\"user\":\"U0APR00001\"}",
               bench->decider);
}

static void teardown(struct bench *bench)
{
    api_drain(bench->api);
    for (int i = 0; i < 5; i++) {
        turn(bench);
    }
    CU_ASSERT_EQUAL(http_server_request_count(bench->server), 0);
    http_server_free(bench->server);
    service_kit_close(&bench->kit);
    api_free(bench->api);
    event_base_free(bench->base);
    (void)unlink(bench->path[0]);
    (void)unlink(bench->path[1]);
}

static struct bench bench;

#define BODY "{\"policy\":\"p\",\"title\":\"Deploy\",\"reason\":\"why not\",\"more\":[1]}"

static int post(const char *token, const char *key, const char *body, const char **ret_answer)
{
    int status;

    *ret_answer =
        call(&bench, &(struct ask){HTTP_SERVICE, "POST", "/v1/requests", token, key, NULL, body},
             &status);
    return status;
}

static void new_request(char id[64])
{
    const char *answer;

    CU_ASSERT_EQUAL_FATAL(post(bench.asker, NULL, BODY, &answer), 201);
    member(answer, "id", id, 64);
}

static int
act(const char *token, const char *id, const char *what, const char *body, const char **ret)
{
    char path[128];
    int status;

    (void)snprintf(path, sizeof(path), "/v1/requests/%s%s", id, what);
    *ret = call(
        &bench,
        &(struct ask){HTTP_SERVICE, body == NULL ? "GET" : "POST", path, token, NULL, NULL, body},
        &status);
    return status;
}

static void the_same_key_gives_the_same_request(void)
{
    const char *answer;
    char id[64];

    setup(&bench);
    CU_ASSERT_EQUAL(post(bench.asker, "k1", BODY, &answer), 201);
    member(answer, "id", id, sizeof(id));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Location: /v1/requests/req_"));
    CU_ASSERT(says(answer, "state", "pending"));
    CU_ASSERT(says(answer, "asker", "ci"));
    CU_ASSERT_EQUAL(post(bench.asker, "k1", BODY, &answer), 200);
    CU_ASSERT(says(answer, "id", id));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Idempotency-Replayed: true\r\n"));
    CU_ASSERT_EQUAL(post(bench.asker, "k1", "{\"policy\":\"p\",\"title\":\"Other\"}", &answer),
                    409);
    CU_ASSERT(says(answer, "refusal", "key_reused"));
    teardown(&bench);
}

static void mistakes_name_the_field(void)
{
    static const struct {
        const char *body;
        int status;
        const char *word;
    } cases[] = {
        {"{\"title\":\"x\"}", 400, "policy"},
        {"{\"policy\":\"p\"}", 400, "title"},
        {"{\"policy\":\"p\",\"title\":7}", 400, "title"},
        {"{\"policy\":\"p\",\"title\":\"x\",\"bind_hash\":\"12\"}", 400, "bind_hash"},
        {"{\"policy\":\"p\",\"title\":\"x\",\"expires_in_s\":-1}", 400, "expires_in_s"},
        {"{\"policy\":\"p\",\"title\":\"x\",\"requester\":\"rita\"}", 400, "requester"},
        {"[]", 400, "object"},
        {"{", 400, "JSON"},
        {"{\"policy\":\"q\",\"title\":\"x\"}", 403, "scope"},
    };
    const char *answer;

    setup(&bench);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(post(bench.asker, NULL, cases[i].body, &answer), cases[i].status);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, cases[i].word));
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "application/problem+json"));
    }
    CU_ASSERT_EQUAL(post(bench.asker, "with space", BODY, &answer), 400);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Idempotency-Key"));
    teardown(&bench);
}

static void tokens_do_only_what_they_may(void)
{
    const char *answer;
    char id[64];
    char other[64];
    int status;

    setup(&bench);
    new_request(id);
    CU_ASSERT_EQUAL(act(NULL, id, "", NULL, &answer), 401);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "WWW-Authenticate: Bearer"));
    CU_ASSERT_EQUAL(act("apv_wrong", id, "", NULL, &answer), 401);
    CU_ASSERT_EQUAL(post(bench.reader, NULL, BODY, &answer), 403);
    CU_ASSERT(says(answer, "refusal", "scope"));
    CU_ASSERT_EQUAL(act(bench.asker, id, "/decisions", "{\"verdict\":\"approve\"}", &answer), 403);
    CU_ASSERT_EQUAL(act(bench.reader, id, "", NULL, &answer), 200);
    make_token(&bench, "{\"name\":\"ci2\",\"scopes\":[\"ask\"]}", other);
    CU_ASSERT_EQUAL(act(other, id, "", NULL, &answer), 404);
    CU_ASSERT_EQUAL(act(bench.reader, "req_nonsense", "", NULL, &answer), 404);
    CU_ASSERT(says(answer, "refusal", "unknown_request"));
    (void)call(&bench,
               &(struct ask){HTTP_SERVICE, "GET", "/v1/tokens", bench.reader, NULL, NULL, NULL},
               &status);
    CU_ASSERT_EQUAL(status, 404);
    (void)call(&bench,
               &(struct ask){HTTP_LOCAL, "GET", "/v1/tokens", bench.reader, NULL, NULL, NULL},
               &status);
    CU_ASSERT_EQUAL(status, 403);
    (void)call(&bench,
               &(struct ask){HTTP_LOCAL, "DELETE", "/v1/tokens/ci2", NULL, NULL, NULL, NULL},
               &status);
    CU_ASSERT_EQUAL(status, 204);
    CU_ASSERT_EQUAL(act(other, id, "", NULL, &answer), 401);
    teardown(&bench);
}

static void root_asks_and_administers_and_never_decides(void)
{
    char path[128];
    char id[64];
    const char *answer;
    int status;

    setup(&bench);
    answer = call(&bench, &(struct ask){HTTP_LOCAL, "POST", "/v1/requests", NULL, NULL, NULL, BODY},
                  &status);
    CU_ASSERT_EQUAL(status, 201);
    CU_ASSERT(says(answer, "asker", "root"));
    member(answer, "id", id, sizeof(id));
    (void)snprintf(path, sizeof(path), "/v1/requests/%s/decisions", id);
    answer =
        call(&bench,
             &(struct ask){HTTP_LOCAL, "POST", path, NULL, NULL, NULL, "{\"verdict\":\"approve\"}"},
             &status);
    CU_ASSERT_EQUAL(status, 403);
    CU_ASSERT(says(answer, "refusal", "scope"));
    (void)snprintf(path, sizeof(path), "/v1/requests/%s/cancel", id);
    answer = call(&bench, &(struct ask){HTTP_LOCAL, "POST", path, NULL, NULL, NULL, NULL}, &status);
    CU_ASSERT_EQUAL(status, 200);
    CU_ASSERT(says(answer, "state", "cancelled"));
    answer = call(&bench,
                  &(struct ask){HTTP_LOCAL, "GET", "/v1/audit?limit=100", NULL, NULL, NULL, NULL},
                  &status);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"action\":\"cancelled\""));
    teardown(&bench);
}

static void an_approval_is_claimed_once_and_consumed(void)
{
    const char *answer;
    char id[64];

    setup(&bench);
    new_request(id);
    CU_ASSERT_EQUAL(act(bench.asker, id, "/claim", "{\"claim_key\":\"a\"}", &answer), 409);
    CU_ASSERT(says(answer, "refusal", "not_approved"));
    CU_ASSERT_EQUAL(act(bench.decider, id, "/decisions", "{\"verdict\":\"maybe\"}", &answer), 400);
    CU_ASSERT_EQUAL(act(bench.decider, id, "/decisions", "{\"verdict\":\"approve\"}", &answer),
                    200);
    CU_ASSERT(says(answer, "state", "approved"));
    CU_ASSERT_EQUAL(act(bench.decider, id, "/decisions", "{\"verdict\":\"reject\"}", &answer), 409);
    CU_ASSERT_EQUAL(act(bench.asker, id, "/claim", "{\"claim_key\":\"a\"}", &answer), 200);
    CU_ASSERT(says(answer, "use", "claimed"));
    CU_ASSERT_EQUAL(act(bench.asker, id, "/claim", "{\"claim_key\":\"a\"}", &answer), 200);
    CU_ASSERT_EQUAL(act(bench.asker, id, "/claim", "{\"claim_key\":\"b\"}", &answer), 409);
    CU_ASSERT(says(answer, "refusal", "claimed"));
    CU_ASSERT_EQUAL(act(bench.asker, id, "/consume", "{\"result\":\"0\"}", &answer), 400);
    CU_ASSERT_EQUAL(act(bench.asker, id, "/consume", "{\"result\":3}", &answer), 200);
    CU_ASSERT(says(answer, "use", "consumed"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"result\":3"));
    teardown(&bench);
}

static int begin_wait(const char *id, const char *token)
{
    char path[128];
    int fd = dial(&bench, HTTP_SERVICE);

    (void)snprintf(path, sizeof(path), "/v1/requests/%s?wait=60", id);
    say(fd, &(struct ask){HTTP_SERVICE, "GET", path, token, NULL, NULL, NULL});
    return fd;
}

static void a_long_poll_ends_with_the_outcome(void)
{
    const char *answer;
    char id[64];
    int fd;
    int gone;

    setup(&bench);
    new_request(id);
    fd = begin_wait(id, bench.asker);
    gone = begin_wait(id, bench.reader);
    CU_ASSERT_STRING_EQUAL(hear(&bench, fd, 30), "");
    CU_ASSERT_EQUAL(api_wait_count(bench.api), 2);
    (void)close(gone);
    CU_ASSERT_STRING_EQUAL(hear(&bench, fd, 10), "");
    CU_ASSERT_EQUAL(api_wait_count(bench.api), 1);
    CU_ASSERT_EQUAL(act(bench.decider, id, "/decisions", "{\"verdict\":\"reject\"}", &answer), 200);
    CU_ASSERT(says(hear(&bench, fd, 2000), "state", "rejected"));
    CU_ASSERT_EQUAL(api_wait_count(bench.api), 0);
    (void)close(fd);
    CU_ASSERT_EQUAL(act(bench.asker, id, "?wait=60", NULL, &answer), 200);
    CU_ASSERT_EQUAL(act(bench.asker, id, "?wait=61", NULL, &answer), 400);
    teardown(&bench);
}

static void long_polls_are_bounded_and_end_with_a_drain(void)
{
    char id[64];
    int fds[3];

    setup(&bench);
    new_request(id);
    for (int i = 0; i < 3; i++) {
        fds[i] = begin_wait(id, bench.asker);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&bench, fds[2], 2000), " 503 "));
    CU_ASSERT_EQUAL(api_wait_count(bench.api), 2);
    api_drain(bench.api);
    http_server_drain(bench.server);
    CU_ASSERT(says(hear(&bench, fds[0], 2000), "state", "pending"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(&bench, fds[1], 2000), "Connection: close"));
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    teardown(&bench);
}

static void a_list_is_paged_and_filtered(void)
{
    const char *answer;
    char ids[3][64];
    char next[64];
    char path[160];

    setup(&bench);
    for (int i = 0; i < 3; i++) {
        new_request(ids[i]);
    }
    CU_ASSERT_EQUAL(act(bench.asker, ids[0], "/cancel", "{}", &answer), 200);
    if (strcmp(ids[1], ids[2]) > 0) {
        /* Made in the same millisecond: then their random parts order them. */
        memcpy(path, ids[1], sizeof(ids[1]));
        memcpy(ids[1], ids[2], sizeof(ids[1]));
        memcpy(ids[2], path, sizeof(ids[2]));
    }
    for (int i = 0; i < 2; i++) {
        int status;

        (void)snprintf(path, sizeof(path), "/v1/requests?limit=1&state=pending%s%s",
                       i == 0 ? "" : "&before=", i == 0 ? "" : next);
        answer =
            call(&bench, &(struct ask){HTTP_SERVICE, "GET", path, bench.reader, NULL, NULL, NULL},
                 &status);
        CU_ASSERT_EQUAL(status, 200);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, ids[2 - i]));
        member(answer, "next", next, sizeof(next));
    }
    answer = call(&bench,
                  &(struct ask){HTTP_SERVICE, "GET", "/v1/requests?state=lost", bench.reader, NULL,
                                NULL, NULL},
                  &(int){0});
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "HTTP/1.1 400 "));
    teardown(&bench);
}

static const char *test_policy(const char *query, const char *token, int *ret_status)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/v1/policies/%s", query);
    return call(&bench, &(struct ask){HTTP_LOCAL, "GET", path, token, NULL, NULL, NULL},
                ret_status);
}

static void who_could_approve_is_explained(void)
{
    const char *answer;
    int status;

    setup(&bench);
    answer = test_policy("n/test?approver=U0NOSLACK", NULL, &status);
    CU_ASSERT(status == 200 && says(answer, "approver.may", "unknown"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"id\":\"S0SEC\",\"members\":null,\"error\":null}"));
    answer = test_policy("n/test?approver=U0APR00002", NULL, &status);
    CU_ASSERT(status == 200 && says(answer, "approver.may", "yes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"needs\":[\"sec\"]}"));
    answer = test_policy("n/test?approver=U0APR00002&requester=U0REQ00001", NULL, &status);
    CU_ASSERT(status == 200 && says(answer, "approver.refusal", "same_group"));
    answer = test_policy("n/test?approver=U0APR00002&requester=U0APR00002", NULL, &status);
    CU_ASSERT(status == 200 && says(answer, "approver.refusal", "self_approval"));
    answer = test_policy("n/test?approver=U0APR00001&requester=U0REQ00001", NULL, &status);
    CU_ASSERT(status == 200 && says(answer, "approver.may", "yes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"needs\":[\"boss\"]}"));
    (void)test_policy("n/test?approver=ann", NULL, &status);
    CU_ASSERT_EQUAL(status, 400);
    (void)test_policy("none/test", NULL, &status);
    CU_ASSERT_EQUAL(status, 404);
    (void)test_policy("n/test", bench.reader, &status);
    CU_ASSERT_EQUAL(status, 403);
    answer = test_policy("n/test", NULL, &status);
    CU_ASSERT(status == 200 && strstr(answer, "\"approver\":null") != NULL);
    teardown(&bench);
}

UNIT_MAIN("api",
          {"the same key gives the same request", the_same_key_gives_the_same_request},
          {"mistakes name the field", mistakes_name_the_field},
          {"tokens do only what they may", tokens_do_only_what_they_may},
          {"root asks and administers and never decides",
           root_asks_and_administers_and_never_decides},
          {"an approval is claimed once and consumed", an_approval_is_claimed_once_and_consumed},
          {"a long poll ends with the outcome", a_long_poll_ends_with_the_outcome},
          {"long polls are bounded and end with a drain",
           long_polls_are_bounded_and_end_with_a_drain},
          {"who could approve is explained", who_could_approve_is_explained},
          {"a list is paged and filtered", a_list_is_paged_and_filtered})

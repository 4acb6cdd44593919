/* SPDX-License-Identifier: Apache-2.0 */
/* test_http_drain.c: proves of approvald/http/server what happens to connections when it stops.
 * Owns its cases; time is theirs. Never leaves the loopback interface. */
#include "approvald/http/server.h"
#include "tests/unit/http_kit.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>

static void a_drain_answers_what_was_accepted_and_closes(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int busy;
    int idle;

    kit_setup(&bench, (struct http_server_options){0});
    bench.now_ms = 1000000;
    busy = kit_dial(&bench);
    idle = kit_dial(&bench);
    kit_say(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    http_server_drain(bench.server);
    CU_ASSERT_STRING_EQUAL(kit_hear(&bench, idle, &closed), "");
    CU_ASSERT_FALSE(closed);
    bench.now_ms += HTTP_DRAIN_MS;
    http_server_tick(bench.server);
    CU_ASSERT_STRING_EQUAL(kit_hear(&bench, idle, &closed), "");
    CU_ASSERT(closed);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    http_reply(bench.held, &(struct http_reply){.status = 204});
    bench.held = NULL;
    answer = kit_hear(&bench, busy, &closed);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Connection: close\r\n"));
    CU_ASSERT(closed);
    (void)close(busy);
    (void)close(idle);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    kit_teardown(&bench);
}

static void a_drain_waits_for_a_request_that_is_on_its_way(void)
{
    struct bench bench;
    bool closed;
    const char *answer;
    int kept;
    int late;

    kit_setup(&bench, (struct http_server_options){0});
    bench.now_ms = 1000000;
    kept = kit_dial(&bench);
    kit_say(kept, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT(kit_begins(kit_hear(&bench, kept, &closed), "HTTP/1.1 200 "));
    CU_ASSERT_FALSE(closed);
    late = kit_dial(&bench);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 2);
    http_server_drain(bench.server);
    bench.now_ms += HTTP_DRAIN_MS - 1;
    http_server_tick(bench.server);
    kit_say(late, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    answer = kit_hear(&bench, late, &closed);
    CU_ASSERT(kit_begins(answer, "HTTP/1.1 200 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "Connection: close\r\n"));
    CU_ASSERT(closed);
    (void)close(late);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    kit_say(kept, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.now_ms += 2; /* it has arrived, and nobody has looked yet */
    http_server_tick(bench.server);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 1);
    CU_ASSERT(kit_begins(kit_hear(&bench, kept, &closed), "HTTP/1.1 200 "));
    CU_ASSERT(closed);
    (void)close(kept);
    kit_turn(&bench, 5);
    CU_ASSERT_EQUAL(http_server_connection_count(bench.server), 0);
    kit_teardown(&bench);
}

UNIT_MAIN("http drain",
          {"a drain answers what was accepted and closes",
           a_drain_answers_what_was_accepted_and_closes},
          {"a drain waits for a request that is on its way",
           a_drain_waits_for_a_request_that_is_on_its_way})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_socketlife.c: proves the life of the sockets of Socket Mode by traces.
 * Owns a bench with a clock of its own; the effects of all steps are one readable text. Never
 * waits for time: it makes it pass. */
#include "approvald/slack/limits.h"
#include "approvald/slack/socket/socketlife.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define HOUR_S 3600U

struct bench {
    struct socketlife *life;
    uint64_t now_ms;
    uint32_t random;
    char trace[1024];
};

static const char *const effect_words[] = {[SOCKETLIFE_ASK] = "ask",
                                           [SOCKETLIFE_DIAL] = "dial",
                                           [SOCKETLIFE_PING] = "ping",
                                           [SOCKETLIFE_CLOSE] = "close",
                                           [SOCKETLIFE_DROP] = "drop"};

static void bench_open(struct bench *bench)
{
    struct err err = ERR_INIT;

    *bench = (struct bench){.now_ms = 1000000};
    CU_ASSERT_EQUAL_FATAL(socketlife_new(bench->now_ms, &bench->life, &err), ERR_OK);
}

static void send(struct bench *bench, struct socketlife_event event)
{
    struct socketlife_effects effects;
    size_t size = strlen(bench->trace);

    event.now_ms = bench->now_ms;
    event.random = bench->random;
    socketlife_step(bench->life, &event, &effects);
    for (uint32_t i = 0; i < effects.count; i++) {
        if (effects.list[i].kind != SOCKETLIFE_PING) {
            size += (size_t)snprintf(bench->trace + size, sizeof bench->trace - size, "%s%s %u",
                                     size == 0 ? "" : ", ", effect_words[effects.list[i].kind],
                                     effects.list[i].slot);
        }
    }
}

#define SEND(bench, what, ...)                                                                     \
    send((bench), (struct socketlife_event){.kind = SOCKETLIFE_##what, __VA_ARGS__})

/* What has happened since the last look, without pings. */
#define TRACE(bench, text)                                                                         \
    do {                                                                                           \
        CU_ASSERT_STRING_EQUAL((bench)->trace, (text));                                            \
        (bench)->trace[0] = '\0';                                                                  \
    } while (0)

static bool is_silent; /* of the peer, while time passes */

/* Lets time pass with timeouts where they are due; every live socket hears something. */
static void pass(struct bench *bench, uint64_t ms)
{
    uint64_t end_ms = bench->now_ms + ms;

    while (socketlife_deadline_ms(bench->life) <= end_ms) {
        bench->now_ms = socketlife_deadline_ms(bench->life);
        for (uint32_t i = 0; !is_silent && i < SOCKETLIFE_SLOT_COUNT; i++) {
            if (socketlife_is_live(bench->life, i)) {
                SEND(bench, HEARD, .slot = i);
            }
        }
        SEND(bench, TIMEOUT, .slot = 0);
    }
    bench->now_ms = end_ms;
}

static struct socketlife_status status_of(const struct bench *bench)
{
    struct socketlife_status status;

    socketlife_status(bench->life, &status);
    return status;
}

/* Two live sockets, in the slots 0 and 1, and nothing in the trace. */
static void bench_live(struct bench *bench)
{
    bench_open(bench);
    SEND(bench, START, .slot = 0);
    SEND(bench, TICKET, .slot = 0);
    SEND(bench, HELLO, .slot = 0, .count = 1, .lifetime_s = HOUR_S);
    SEND(bench, TICKET, .slot = 1);
    SEND(bench, HELLO, .slot = 1, .count = 2, .lifetime_s = HOUR_S);
    TRACE(bench, "ask 0, dial 0, ask 1, dial 1");
}

/* The opening that was asked for in the slot succeeds. */
static void greet(struct bench *bench, uint32_t slot)
{
    SEND(bench, TICKET, .slot = slot);
    SEND(bench, HELLO, .slot = slot, .count = 3, .lifetime_s = HOUR_S);
}

static void nothing_is_opened_before_the_start(void)
{
    struct bench bench;

    bench_open(&bench);
    pass(&bench, 3600000);
    TRACE(&bench, "");
    CU_ASSERT_EQUAL(socketlife_deadline_ms(bench.life), UINT64_MAX);
    socketlife_free(bench.life);
}

static void two_are_opened_one_after_the_other(void)
{
    struct bench bench;

    bench_live(&bench);
    CU_ASSERT_EQUAL(status_of(&bench).live, 2);
    CU_ASSERT_FALSE(status_of(&bench).opening);
    pass(&bench, 600000);
    TRACE(&bench, "");
    socketlife_free(bench.life);
}

static void a_replacement_is_live_before_the_old_one_is_closed(void)
{
    struct bench bench;

    bench_live(&bench);
    pass(&bench, 1000);
    SEND(&bench, DISCONNECT, .slot = 0, .reason = SOCKETLIFE_WARNING);
    TRACE(&bench, "ask 2");
    SEND(&bench, TICKET, .slot = 2);
    pass(&bench, 5000);
    TRACE(&bench, "dial 2");
    CU_ASSERT(socketlife_is_live(bench.life, 0));
    SEND(&bench, HELLO, .slot = 2, .count = 3, .lifetime_s = HOUR_S);
    CU_ASSERT_EQUAL(status_of(&bench).live, 3); /* the old one serves until Slack ends it */
    SEND(&bench, CLOSED, .slot = 0);
    TRACE(&bench, "drop 0");
    CU_ASSERT_EQUAL(status_of(&bench).live, 2);
    socketlife_free(bench.life);
}

static void what_slack_does_not_close_is_closed_after_a_while_and_never_with_a_reply_under_way(void)
{
    struct bench bench;

    bench_live(&bench);
    SEND(&bench, DISCONNECT, .slot = 1, .reason = SOCKETLIFE_REFRESH);
    greet(&bench, 2);
    SEND(&bench, BUSY, .slot = 1, .count = 1);
    TRACE(&bench, "ask 2, dial 2");
    pass(&bench, SOCKET_LINGER_MS + 60000);
    TRACE(&bench, "");
    SEND(&bench, BUSY, .slot = 1, .count = 0);
    TRACE(&bench, "close 1");
    pass(&bench, SOCKET_CLOSE_MS);
    TRACE(&bench, "drop 1");
    socketlife_free(bench.life);
}

static void without_a_replacement_the_old_one_stays(void)
{
    struct bench bench;

    bench_live(&bench);
    SEND(&bench, DISCONNECT, .slot = 0, .reason = SOCKETLIFE_REFRESH);
    TRACE(&bench, "ask 2");
    SEND(&bench, REFUSED, .slot = 2, .refusal = SOCKETLIFE_LIMITED, .retry_after_ms = 300000);
    pass(&bench, 299000);
    TRACE(&bench, "drop 2");
    CU_ASSERT_EQUAL(status_of(&bench).live, 2);
    pass(&bench, 2000);
    TRACE(&bench, "ask 2");
    socketlife_free(bench.life);
}

static void lifetimes_end_staggered_and_one_at_a_time(void)
{
    struct bench bench;

    bench_live(&bench);
    pass(&bench, (uint64_t)HOUR_S * 500 - 1);
    TRACE(&bench, ""); /* the second was moved four tenths ahead of the first: half of its life */
    pass(&bench, 1);
    TRACE(&bench, "ask 2");
    greet(&bench, 2);
    TRACE(&bench, "dial 2");
    pass(&bench, (uint64_t)HOUR_S * 400);
    TRACE(&bench, ""); /* the first is due, but the second has not gone yet */
    SEND(&bench, CLOSED, .slot = 1);
    TRACE(&bench, "drop 1, ask 1");
    socketlife_free(bench.life);
}

/* Slack counts only in a hello: how long may somebody take presses away unseen? Every socket lives
 * its hour, and the stranger comes right after a count. */
static void strangers_are_found_within_six_tenths_of_a_lifetime(void)
{
    struct bench bench;
    uint64_t born_ms[SOCKETLIFE_SLOT_COUNT] = {0};
    uint64_t counted_ms;
    uint64_t longest_ms = 0;

    bench_live(&bench);
    counted_ms = born_ms[0] = born_ms[1] = bench.now_ms;
    for (uint32_t step = 0; step < 20 * HOUR_S; step++) {
        const char *asked;
        uint32_t slot;

        bench.random = step * 2654435761U;
        pass(&bench, 1000);
        for (slot = 0; slot < SOCKETLIFE_SLOT_COUNT; slot++) {
            if (socketlife_is_live(bench.life, slot) &&
                bench.now_ms >= born_ms[slot] + HOUR_S * 1000UL) {
                SEND(&bench, CLOSED, .slot = slot);
            }
        }
        asked = strstr(bench.trace, "ask ");
        if (asked != NULL) {
            slot = (uint32_t)(asked[4] - '0');
            greet(&bench, slot);
            longest_ms =
                bench.now_ms - counted_ms > longest_ms ? bench.now_ms - counted_ms : longest_ms;
            counted_ms = born_ms[slot] = bench.now_ms;
        }
        bench.trace[0] = '\0';
    }
    CU_ASSERT(longest_ms > 0);
    CU_ASSERT(longest_ms <= HOUR_S * 600UL);
    if (longest_ms > HOUR_S * 600UL) {
        (void)printf("uncounted for %llu s\n", (unsigned long long)longest_ms / 1000);
    }
    socketlife_free(bench.life);
}

static void silence_is_death_and_pings_keep_time(void)
{
    struct bench bench;
    struct socketlife_effects effects;
    struct socketlife_event event = {.kind = SOCKETLIFE_TIMEOUT};

    bench_live(&bench);
    bench.now_ms += SOCKET_PING_MS;
    event.now_ms = bench.now_ms;
    socketlife_step(bench.life, &event, &effects);
    CU_ASSERT_EQUAL(effects.count, 2);
    CU_ASSERT_EQUAL(effects.list[0].kind, SOCKETLIFE_PING);
    SEND(&bench, HEARD, .slot = 1);
    is_silent = true;
    pass(&bench, SOCKET_SILENCE_MS - SOCKET_PING_MS - 1);
    TRACE(&bench, "");
    pass(&bench, 1);
    TRACE(&bench, "drop 0, ask 0");
    is_silent = false;
    socketlife_free(bench.life);
}

/* The clock counts the sleep; nobody was there to ping, and no timer fired meanwhile. */
static void a_host_that_slept_asks_for_one_socket_and_then_the_next(void)
{
    struct bench bench;

    bench_live(&bench);
    bench.now_ms += 8UL * HOUR_S * 1000;
    SEND(&bench, TIMEOUT, .slot = 0);
    TRACE(&bench, "drop 0, drop 1, ask 0");
    SEND(&bench, TIMEOUT, .slot = 0);
    TRACE(&bench, "");
    greet(&bench, 0);
    TRACE(&bench, "dial 0, ask 1");
    greet(&bench, 1);
    TRACE(&bench, "dial 1");
    CU_ASSERT_EQUAL(status_of(&bench).live, 2);
    socketlife_free(bench.life);
}

static void a_lost_socket_is_replaced_at_once_or_after_a_short_jitter(void)
{
    struct bench bench;

    bench_live(&bench);
    bench.random = SOCKET_JITTER_MS - 1;
    SEND(&bench, CLOSED, .slot = 0);
    TRACE(&bench, "drop 0");
    pass(&bench, SOCKET_JITTER_MS);
    TRACE(&bench, "ask 0");
    socketlife_free(bench.life);
}

static void back_off_doubles_and_what_never_arrived_is_tried_sooner(void)
{
    struct bench bench;
    uint64_t begin_ms;
    uint64_t last_ms = 0;

    bench_open(&bench);
    SEND(&bench, START, .slot = 0);
    for (int i = 0; i < 12; i++) {
        begin_ms = bench.now_ms;
        SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_UNREACHED);
        CU_ASSERT(socketlife_deadline_ms(bench.life) - begin_ms >= SOCKET_BACKOFF_MS_MIN / 2);
        CU_ASSERT(socketlife_deadline_ms(bench.life) - begin_ms <= SOCKET_UNREACHED_MS_MAX);
        pass(&bench, SOCKET_UNREACHED_MS_MAX);
    }
    bench.trace[0] = '\0';
    for (int i = 0; i < 12; i++) {
        begin_ms = bench.now_ms;
        SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_FAILED);
        CU_ASSERT(socketlife_deadline_ms(bench.life) - begin_ms >= last_ms);
        last_ms = socketlife_deadline_ms(bench.life) - begin_ms;
        CU_ASSERT(last_ms <= SOCKET_BACKOFF_MS_MAX);
        pass(&bench, SOCKET_BACKOFF_MS_MAX);
    }
    CU_ASSERT(last_ms >= SOCKET_BACKOFF_MS_MAX / 2);
    socketlife_free(bench.life);
}

static void the_budget_is_kept_and_its_last_part_is_for_when_nothing_is_left(void)
{
    struct bench bench;

    bench_live(&bench);
    for (uint32_t asks = 2; asks < SOCKET_OPEN_BURST - SOCKET_OPEN_RESERVE; asks++) {
        SEND(&bench, CLOSED, .slot = 1);
        SEND(&bench, TICKET, .slot = 1);
        SEND(&bench, HELLO, .slot = 1);
    }
    bench.trace[0] = '\0';
    SEND(&bench, CLOSED, .slot = 1);
    TRACE(&bench, "drop 1"); /* one is live: the next has to wait */
    SEND(&bench, CLOSED, .slot = 0);
    TRACE(&bench, "drop 0, ask 0"); /* none is: the reserve */
    SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_FAILED);
    pass(&bench, SOCKET_BACKOFF_MS_MIN);
    TRACE(&bench, "drop 0, ask 0");
    SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_FAILED);
    pass(&bench, SOCKET_OPEN_MS - SOCKET_BACKOFF_MS_MIN - 1);
    TRACE(&bench, "drop 0");
    pass(&bench, 1);
    TRACE(&bench, "ask 0");
    socketlife_free(bench.life);
}

static void a_fatal_refusal_ends_asking_until_the_next_start(void)
{
    struct bench bench;

    bench_live(&bench);
    SEND(&bench, CLOSED, .slot = 0);
    SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_FATAL);
    TRACE(&bench, "drop 0, ask 0, drop 0");
    CU_ASSERT(status_of(&bench).fatal);
    pass(&bench, 86400000);
    TRACE(&bench, "");
    CU_ASSERT(socketlife_is_live(bench.life, 1)); /* what is open serves on */
    SEND(&bench, START, .slot = 0);
    TRACE(&bench, "ask 0");
    CU_ASSERT_FALSE(status_of(&bench).fatal);
    socketlife_free(bench.life);
}

static void a_disabled_link_is_told_and_tried_again_slowly(void)
{
    struct bench bench;

    bench_live(&bench);
    SEND(&bench, DISCONNECT, .slot = 0, .reason = SOCKETLIFE_LINK_DISABLED);
    SEND(&bench, DISCONNECT, .slot = 1, .reason = SOCKETLIFE_LINK_DISABLED);
    SEND(&bench, CLOSED, .slot = 0);
    SEND(&bench, CLOSED, .slot = 1);
    TRACE(&bench, "drop 0, drop 1");
    CU_ASSERT(status_of(&bench).disabled);
    pass(&bench, SOCKET_DISABLED_MS - 1);
    TRACE(&bench, "");
    pass(&bench, 1);
    TRACE(&bench, "ask 0");
    SEND(&bench, REFUSED, .slot = 0, .refusal = SOCKETLIFE_DISABLED);
    pass(&bench, SOCKET_DISABLED_MS);
    TRACE(&bench, "drop 0, ask 0");
    greet(&bench, 0);
    CU_ASSERT_FALSE(status_of(&bench).disabled);
    socketlife_free(bench.life);
}

static void a_ticket_that_leads_nowhere_is_given_up(void)
{
    struct bench bench;

    bench_open(&bench);
    SEND(&bench, START, .slot = 0);
    SEND(&bench, TICKET, .slot = 0);
    TRACE(&bench, "ask 0, dial 0");
    pass(&bench, SOCKET_HELLO_MS);
    TRACE(&bench, "drop 0");
    pass(&bench, SOCKET_BACKOFF_MS_MIN);
    TRACE(&bench, "ask 0");
    SEND(&bench, TICKET, .slot = 0);
    SEND(&bench, DISCONNECT, .slot = 0, .reason = SOCKETLIFE_TOO_MANY);
    TRACE(&bench, "dial 0, drop 0");
    socketlife_free(bench.life);
}

static void a_stop_waits_for_replies_and_has_an_end(void)
{
    struct bench bench;

    bench_live(&bench);
    SEND(&bench, BUSY, .slot = 0, .count = 2);
    CU_ASSERT_FALSE(socketlife_is_idle(bench.life));
    SEND(&bench, STOP, .slot = 0);
    TRACE(&bench, "close 1");
    SEND(&bench, CLOSED, .slot = 1);
    SEND(&bench, BUSY, .slot = 0, .count = 0);
    CU_ASSERT(socketlife_is_idle(bench.life));
    TRACE(&bench, "drop 1, close 0");
    SEND(&bench, CLOSED, .slot = 0);
    TRACE(&bench, "drop 0");
    CU_ASSERT_EQUAL(socketlife_deadline_ms(bench.life), UINT64_MAX);
    SEND(&bench, START, .slot = 0); /* the handover came to nothing */
    greet(&bench, 0);
    TRACE(&bench, "ask 0, dial 0, ask 1");
    SEND(&bench, BUSY, .slot = 0, .count = 1);
    SEND(&bench, STOP, .slot = 0);
    TRACE(&bench, "drop 1");
    pass(&bench, SOCKET_STOP_MS + SOCKET_CLOSE_MS);
    TRACE(&bench, "close 0, drop 0");
    socketlife_free(bench.life);
}

static void strangers_are_noticed_and_ghosts_are_not_taken_for_them(void)
{
    struct bench bench;

    bench_open(&bench);
    SEND(&bench, START, .slot = 0);
    SEND(&bench, TICKET, .slot = 0);
    SEND(&bench, HELLO, .slot = 0, .count = 3, .lifetime_s = HOUR_S); /* of the last process? */
    CU_ASSERT_EQUAL(status_of(&bench).strangers, 0);
    greet(&bench, 1);
    bench.trace[0] = '\0';
    pass(&bench, SOCKET_RECHECK_MS); /* it is replaced early, to know */
    TRACE(&bench, "ask 2");
    SEND(&bench, TICKET, .slot = 2);
    SEND(&bench, HELLO, .slot = 2, .count = 4, .lifetime_s = HOUR_S);
    CU_ASSERT_EQUAL(status_of(&bench).strangers, 1);
    socketlife_free(bench.life);
    bench_live(&bench);
    pass(&bench, SOCKET_GHOST_MS);
    SEND(&bench, DISCONNECT, .slot = 0, .reason = SOCKETLIFE_REFRESH);
    SEND(&bench, TICKET, .slot = 2);
    SEND(&bench, HELLO, .slot = 2, .count = 3, .lifetime_s = HOUR_S);
    CU_ASSERT_EQUAL(status_of(&bench).strangers, 0);
    socketlife_free(bench.life);
}

UNIT_MAIN("socketlife",
          {"nothing is opened before the start", nothing_is_opened_before_the_start},
          {"two are opened, one after the other", two_are_opened_one_after_the_other},
          {"a replacement is live before the old one is closed",
           a_replacement_is_live_before_the_old_one_is_closed},
          {"what Slack does not close is closed after a while and never with a reply under way",
           what_slack_does_not_close_is_closed_after_a_while_and_never_with_a_reply_under_way},
          {"without a replacement the old one stays", without_a_replacement_the_old_one_stays},
          {"lifetimes end staggered and one at a time", lifetimes_end_staggered_and_one_at_a_time},
          {"strangers are found within six tenths of a lifetime",
           strangers_are_found_within_six_tenths_of_a_lifetime},
          {"silence is death and pings keep time", silence_is_death_and_pings_keep_time},
          {"a host that slept asks for one socket and then the next",
           a_host_that_slept_asks_for_one_socket_and_then_the_next},
          {"a lost socket is replaced at once or after a short jitter",
           a_lost_socket_is_replaced_at_once_or_after_a_short_jitter},
          {"back-off doubles and what never arrived is tried sooner",
           back_off_doubles_and_what_never_arrived_is_tried_sooner},
          {"the budget is kept and its last part is for when nothing is left",
           the_budget_is_kept_and_its_last_part_is_for_when_nothing_is_left},
          {"a fatal refusal ends asking until the next start",
           a_fatal_refusal_ends_asking_until_the_next_start},
          {"a disabled link is told and tried again slowly",
           a_disabled_link_is_told_and_tried_again_slowly},
          {"a ticket that leads nowhere is given up", a_ticket_that_leads_nowhere_is_given_up},
          {"a stop waits for replies and has an end", a_stop_waits_for_replies_and_has_an_end},
          {"strangers are noticed and ghosts are not taken for them",
           strangers_are_noticed_and_ghosts_are_not_taken_for_them})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_socketlife_chance.c: proves the promises of socketlife.h under random events, and that two
 * sockets are open again once all is well.
 * Owns a shadow of the slots, drawn from the effects alone; never looks into the core. A failure
 * prints its seed. */
#include "approvald/slack/limits.h"
#include "approvald/slack/socket/socketlife.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* What the world knows of a slot, from the effects alone. */
enum shadow_state { SHADOW_FREE, SHADOW_ASKED, SHADOW_DIALED, SHADOW_LIVE, SHADOW_CLOSING };

struct shadow {
    struct socketlife *life;
    uint64_t now_ms;
    uint64_t seed;
    enum shadow_state slots[SOCKETLIFE_SLOT_COUNT];
    bool leaving[SOCKETLIFE_SLOT_COUNT]; /* Slack said so */
    uint32_t busy[SOCKETLIFE_SLOT_COUNT];
    uint64_t heard_ms[SOCKETLIFE_SLOT_COUNT];
    uint64_t start_ms;
    uint64_t asks; /* that count */
    bool running;
    bool fatal;
};

static uint32_t draw(struct shadow *shadow, uint32_t below)
{
    shadow->seed = shadow->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(shadow->seed >> 33) % below;
}

static uint32_t count_shadow(const struct shadow *shadow, enum shadow_state state)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        count += shadow->slots[i] == state ? 1 : 0;
    }
    return count;
}

/* One effect against the promises of the header. */
static void check_effect(struct shadow *shadow, const struct socketlife_effect *effect)
{
    enum shadow_state *slot = &shadow->slots[effect->slot];
    uint64_t now_ms = shadow->now_ms;

    switch (effect->kind) {
    case SOCKETLIFE_ASK:
        CU_ASSERT_EQUAL(*slot, SHADOW_FREE);
        CU_ASSERT(shadow->running && !shadow->fatal);
        CU_ASSERT_EQUAL(count_shadow(shadow, SHADOW_ASKED) + count_shadow(shadow, SHADOW_DIALED),
                        0);
        *slot = SHADOW_ASKED;
        shadow->asks++;
        CU_ASSERT(shadow->asks <= SOCKET_OPEN_BURST + (now_ms - shadow->start_ms) / SOCKET_OPEN_MS);
        break;
    case SOCKETLIFE_DIAL:
        CU_ASSERT_EQUAL(*slot, SHADOW_ASKED);
        *slot = SHADOW_DIALED;
        break;
    case SOCKETLIFE_PING:
        CU_ASSERT_EQUAL(*slot, SHADOW_LIVE);
        break;
    case SOCKETLIFE_CLOSE:
        CU_ASSERT_EQUAL(*slot, SHADOW_LIVE);
        CU_ASSERT(!shadow->running || shadow->busy[effect->slot] == 0);
        CU_ASSERT(!shadow->running || count_shadow(shadow, SHADOW_LIVE) > SOCKETLIFE_WANTED);
        *slot = SHADOW_CLOSING;
        break;
    case SOCKETLIFE_DROP:
        CU_ASSERT_NOT_EQUAL(*slot, SHADOW_FREE);
        CU_ASSERT(*slot != SHADOW_LIVE ||
                  now_ms >= shadow->heard_ms[effect->slot] + SOCKET_SILENCE_MS);
        *slot = SHADOW_FREE;
        shadow->busy[effect->slot] = 0;
        break;
    }
}

static void shadow_send(struct shadow *shadow, struct socketlife_event event)
{
    struct socketlife_effects effects;

    event.now_ms = shadow->now_ms;
    event.random = draw(shadow, UINT32_MAX);
    socketlife_step(shadow->life, &event, &effects);
    for (uint32_t i = 0; i < effects.count; i++) {
        check_effect(shadow, &effects.list[i]);
    }
}

static void shadow_answer(struct shadow *shadow, uint32_t slot, bool well)
{
    static const enum socketlife_refusal refusals[] = {SOCKETLIFE_UNREACHED, SOCKETLIFE_FAILED,
                                                       SOCKETLIFE_LIMITED, SOCKETLIFE_DISABLED,
                                                       SOCKETLIFE_FATAL};
    struct socketlife_event event = {.kind = SOCKETLIFE_TICKET, .slot = slot};

    if (!well && draw(shadow, 2) == 0) {
        event.kind = SOCKETLIFE_REFUSED;
        event.refusal = refusals[draw(shadow, draw(shadow, 20) == 0 ? 5 : 4)];
        event.retry_after_ms = draw(shadow, 1000000);
        shadow->fatal = shadow->fatal || event.refusal == SOCKETLIFE_FATAL;
        shadow->asks -= event.refusal == SOCKETLIFE_UNREACHED ? 1 : 0;
    }
    shadow_send(shadow, event);
}

static void shadow_hello(struct shadow *shadow, uint32_t slot)
{
    struct socketlife_event event = {.kind = SOCKETLIFE_HELLO,
                                     .slot = slot,
                                     .count = draw(shadow, 8),
                                     .lifetime_s = draw(shadow, 2) == 0 ? 0 : draw(shadow, 20000)};

    shadow->slots[slot] = SHADOW_LIVE;
    shadow->heard_ms[slot] = shadow->now_ms;
    shadow_send(shadow, event);
}

static void shadow_close(struct shadow *shadow, uint32_t slot)
{
    shadow->slots[slot] = SHADOW_DIALED; /* its end is not ours: DROP may follow at once */
    shadow_send(shadow, (struct socketlife_event){.kind = SOCKETLIFE_CLOSED, .slot = slot});
}

/* Something happens to a socket that is connected. */
static void shadow_trouble(struct shadow *shadow, uint32_t slot)
{
    struct socketlife_event event = {.slot = slot};

    switch (draw(shadow, 6)) {
    case 0:
        shadow_close(shadow, slot);
        return;
    case 1:
        event.kind = SOCKETLIFE_DISCONNECT;
        event.reason = (enum socketlife_reason)draw(shadow, 4);
        break;
    case 2:
    case 3:
        event.kind = SOCKETLIFE_BUSY;
        event.count = draw(shadow, 3);
        shadow->busy[slot] = event.count;
        break;
    default:
        event.kind = SOCKETLIFE_HEARD;
        shadow->heard_ms[slot] = shadow->now_ms;
        break;
    }
    shadow_send(shadow, event);
}

static void shadow_slot(struct shadow *shadow, uint32_t slot, bool well)
{
    switch (shadow->slots[slot]) {
    case SHADOW_ASKED:
        shadow_answer(shadow, slot, well);
        break;
    case SHADOW_DIALED:
        if (well || draw(shadow, 3) > 0) {
            shadow_hello(shadow, slot);
        } else {
            shadow_trouble(shadow, slot);
        }
        break;
    case SHADOW_LIVE:
    case SHADOW_CLOSING:
        if (!well) {
            shadow_trouble(shadow, slot);
            break;
        }
        shadow->busy[slot] = 0;
        shadow_send(shadow, (struct socketlife_event){.kind = SOCKETLIFE_BUSY, .slot = slot});
        if (shadow->slots[slot] != SHADOW_FREE) {
            shadow->heard_ms[slot] = shadow->now_ms;
            shadow_send(shadow, (struct socketlife_event){.kind = SOCKETLIFE_HEARD, .slot = slot});
        }
        break;
    case SHADOW_FREE:
        break;
    }
}

static void shadow_run(struct shadow *shadow, bool run)
{
    shadow->running = run;
    shadow->fatal = false;
    shadow_send(shadow,
                (struct socketlife_event){.kind = run ? SOCKETLIFE_START : SOCKETLIFE_STOP});
}

/* Time passes: to the deadline (not further than far_ms), or anywhere below ms_max. */
static void shadow_wait(struct shadow *shadow, uint32_t ms_max, uint64_t far_ms)
{
    uint64_t deadline_ms = socketlife_deadline_ms(shadow->life);
    uint64_t step_ms = draw(shadow, ms_max);

    CU_ASSERT(deadline_ms > shadow->now_ms);
    if (draw(shadow, 2) == 0 && deadline_ms != UINT64_MAX) {
        step_ms = deadline_ms - shadow->now_ms;
        step_ms = step_ms < far_ms ? step_ms : far_ms;
    }
    shadow->now_ms += step_ms;
    shadow_send(shadow, (struct socketlife_event){.kind = SOCKETLIFE_TIMEOUT});
}

static void shadow_life(uint64_t seed)
{
    struct shadow shadow = {.seed = seed, .now_ms = 1000000};
    struct socketlife_status status;
    struct err err = ERR_INIT;
    uint64_t end_ms;

    CU_ASSERT_EQUAL_FATAL(socketlife_new(shadow.now_ms, &shadow.life, &err), ERR_OK);
    shadow.start_ms = shadow.now_ms;
    shadow_run(&shadow, true);
    for (int i = 0; i < 400; i++) {
        if (draw(&shadow, 40) == 0) {
            shadow_run(&shadow, draw(&shadow, 3) > 0);
        }
        shadow_slot(&shadow, draw(&shadow, SOCKETLIFE_SLOT_COUNT), false);
        shadow_wait(&shadow, draw(&shadow, 4) == 0 ? 100000 : 1000, UINT64_MAX);
    }
    /* All is well from here: two sockets within the longest pause and the budget's delay. */
    shadow_run(&shadow, true);
    end_ms = shadow.now_ms + SOCKET_RETRY_MS_MAX + 3UL * SOCKET_OPEN_MS;
    while (shadow.now_ms < end_ms) {
        for (uint32_t slot = 0; slot < SOCKETLIFE_SLOT_COUNT; slot++) {
            shadow_slot(&shadow, slot, true);
        }
        shadow_wait(&shadow, 5000, 5000);
    }
    CU_ASSERT(count_shadow(&shadow, SHADOW_LIVE) >= 1);
    socketlife_status(shadow.life, &status);
    CU_ASSERT(status.live >= SOCKETLIFE_WANTED);
    if (CU_get_number_of_failures() > 0) {
        (void)printf("seed %llu\n", (unsigned long long)seed);
    }
    socketlife_free(shadow.life);
}

static void whatever_happens_the_promises_hold(void)
{
    for (uint64_t seed = 1; seed <= 2000 && CU_get_number_of_failures() == 0; seed++) {
        shadow_life(seed);
    }
}

UNIT_MAIN("socketlife, by chance",
          {"whatever happens the promises hold", whatever_happens_the_promises_hold})

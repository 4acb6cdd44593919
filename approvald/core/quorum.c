/* SPDX-License-Identifier: Apache-2.0 */
/* quorum.c: people matched to the places of needs.
 * Owns the search: place after place in the order of the needs, each along an augmenting path, so
 * that people who can fill another need make room for those who cannot.
 * Never knows who a person is or why he may fill a need. */
#include "approvald/core/quorum.h"

#include "base/assert.h"

#include <string.h>

#define BIT(index) (UINT32_C(1) << (index))

/* One more person for the need at the queue's head. From a need one comes to those whose people
 * could take a place of it instead; each need is visited once. */
struct search {
    uint32_t queue[CORE_NEED_COUNT_MAX];
    uint32_t queue_count;
    uint32_t seen;                          /* bit set of the needs in the queue */
    uint32_t mover[CORE_NEED_COUNT_MAX];    /* of each need but the first: who would leave it … */
    uint32_t moves_to[CORE_NEED_COUNT_MAX]; /* … and for which one */
};

static void enqueue(struct search *search, uint32_t need)
{
    ASSERT(search->queue_count < CORE_NEED_COUNT_MAX);
    search->queue[search->queue_count++] = need;
    search->seen |= BIT(need);
}

/* The person takes a place of need, whoever moves out of it one of the next, and so on back to the
 * need that the search began at. */
static void shift(uint32_t *fills, const struct search *search, uint32_t person, uint32_t need)
{
    while (need != search->queue[0]) {
        uint32_t mover = search->mover[need];
        uint32_t next = search->moves_to[need];

        ASSERT(fills[mover] == need);
        fills[person] = need;
        person = mover;
        need = next;
    }
    fills[person] = need;
}

/* True when somebody was found, and then everybody has moved. */
static bool
visit(const struct quorum *quorum, uint32_t *fills, struct search *search, uint32_t need)
{
    for (uint32_t person = 0; person < quorum->person_count; person++) {
        uint32_t held = fills[person];

        if ((quorum->may_fill[person] & BIT(need)) == 0) {
            continue;
        }
        if (held == QUORUM_NO_NEED) {
            shift(fills, search, person, need);
            return true;
        }
        if ((search->seen & BIT(held)) == 0) {
            search->mover[held] = person;
            search->moves_to[held] = need;
            enqueue(search, held);
        }
    }
    return false;
}

static bool take_place(const struct quorum *quorum, uint32_t *fills, uint32_t need)
{
    struct search search = {.queue_count = 0};
    bool found = false;

    enqueue(&search, need);
    for (uint32_t i = 0; !found && i < search.queue_count; i++) {
        found = visit(quorum, fills, &search, search.queue[i]);
    }
    return found;
}

/* Fills fills and, for the needs of the alternative, filled; how many people are missing. A place
 * once taken stays taken, and one that cannot be had cannot be had later: so the places taken are
 * as many as can be, the first needs' first, whatever the order of the people. */
static uint32_t
match(const struct quorum *quorum, uint32_t alternative, uint32_t *fills, uint32_t *filled)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < CORE_DECISION_COUNT_MAX; i++) {
        fills[i] = QUORUM_NO_NEED;
    }
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        if (quorum->alternatives[need] != alternative) {
            continue;
        }
        filled[need] = 0;
        while (filled[need] < quorum->places[need] && take_place(quorum, fills, need)) {
            filled[need]++;
        }
        missing += quorum->places[need] - filled[need];
    }
    return missing;
}

static void check(const struct quorum *quorum)
{
    ASSERT(quorum->need_count >= 1);
    ASSERT(quorum->need_count <= CORE_NEED_COUNT_MAX);
    ASSERT(quorum->person_count <= CORE_DECISION_COUNT_MAX);
    ASSERT(quorum->alternatives[0] == 0);
}

void quorum_judge(const struct quorum *quorum, struct quorum_result *ret_result)
{
    uint32_t fills[CORE_DECISION_COUNT_MAX];
    uint32_t last;

    check(quorum);
    *ret_result = (struct quorum_result){.missing = UINT32_MAX};
    last = quorum->alternatives[quorum->need_count - 1];
    for (uint32_t alternative = 0; alternative <= last; alternative++) {
        uint32_t missing = match(quorum, alternative, fills, ret_result->filled);

        if (missing < ret_result->missing) {
            ret_result->missing = missing;
            ret_result->alternative = alternative;
            memcpy(ret_result->fills, fills, sizeof fills);
        }
    }
    ret_result->satisfied = ret_result->missing == 0;
}

static uint32_t taken(const struct quorum *quorum)
{
    struct quorum_result result;
    uint32_t count = 0;

    quorum_judge(quorum, &result);
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        count += result.filled[need];
    }
    return count;
}

bool quorum_helps(const struct quorum *quorum, uint32_t may_fill)
{
    struct quorum more = *quorum;

    check(quorum);
    if (quorum->person_count == CORE_DECISION_COUNT_MAX) {
        return false;
    }
    more.may_fill[more.person_count++] = may_fill;
    /* No alternative has fewer taken with him, so more in all are more in one. */
    return taken(&more) > taken(quorum);
}

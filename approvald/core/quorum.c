/* SPDX-License-Identifier: Apache-2.0 */
/* quorum.c: people matched to the places of needs, through the rights that they use.
 * Owns the search: place after place in the order of the needs, each along an augmenting path, so
 * that people who can fill another need, or use another right, make room for those who cannot.
 * Never knows who a person is or why a right may fill a need. */
#include "approvald/core/quorum.h"

#include "base/assert.h"

#include <string.h>

#define BIT(index) (UINT32_C(1) << (index))

/* A flow of at most one through each person and each right, from people to places. */
struct flow {
    uint32_t fills[QUORUM_RIGHT_COUNT_MAX]; /* of each right: the need, or QUORUM_NONE: unused */
    uint32_t uses[CORE_DECISION_COUNT_MAX]; /* of each person: the right, or QUORUM_NONE */
};

/* The nodes of the search. A right has two, since what comes in and what goes out are changed
 * apart: another person may come to use it, or it may come to fill another need. */
#define NODE_NEED  0U
#define NODE_IN    CORE_NEED_COUNT_MAX
#define NODE_OUT   (NODE_IN + QUORUM_RIGHT_COUNT_MAX)
#define NODE_MAN   (NODE_OUT + QUORUM_RIGHT_COUNT_MAX)
#define NODE_COUNT (NODE_MAN + CORE_DECISION_COUNT_MAX)

/* From a need that lacks somebody back to a person who does nothing yet; each node once. */
struct search {
    const struct quorum *quorum;
    const struct flow *flow;
    uint32_t queue[NODE_COUNT];
    uint32_t queue_count;
    bool seen[NODE_COUNT];
    uint32_t next[NODE_COUNT]; /* on the way to the need */
    uint32_t found;            /* the person's node, or QUORUM_NONE */
};

static void reach(struct search *search, uint32_t node, uint32_t next)
{
    if (!search->seen[node]) {
        ASSERT(search->queue_count < NODE_COUNT);
        search->seen[node] = true;
        search->next[node] = next;
        search->queue[search->queue_count++] = node;
    }
}

/* Any right that may fill it and does not yet. */
static void visit_need(struct search *search, uint32_t need)
{
    const struct quorum *quorum = search->quorum;

    for (uint32_t right = 0; right < quorum->right_count; right++) {
        if ((quorum->may_fill[right] & BIT(need)) != 0 && search->flow->fills[right] != need) {
            reach(search, NODE_OUT + right, NODE_NEED + need);
        }
    }
}

/* It leaves what it fills, which then lacks somebody; unused, it needs a person. */
static void visit_out(struct search *search, uint32_t right)
{
    uint32_t need = search->flow->fills[right];

    reach(search, need == QUORUM_NONE ? NODE_IN + right : NODE_NEED + need, NODE_OUT + right);
}

static bool holds(const struct quorum_person *person, uint32_t right)
{
    for (uint32_t i = 0; i < person->count; i++) {
        if (person->rights[i] == right) {
            return true;
        }
    }
    return false;
}

/* Any person who holds it and does not use it yet; or it becomes unused. */
static void visit_in(struct search *search, uint32_t right)
{
    const struct quorum *quorum = search->quorum;

    for (uint32_t i = 0; i < quorum->person_count; i++) {
        if (search->flow->uses[i] != right && holds(&quorum->people[i], right)) {
            reach(search, NODE_MAN + i, NODE_IN + right);
        }
    }
    if (search->flow->fills[right] != QUORUM_NONE) {
        reach(search, NODE_OUT + right, NODE_IN + right);
    }
}

/* He leaves the right that he uses, which then lacks somebody. */
static void visit_man(struct search *search, uint32_t person)
{
    uint32_t right = search->flow->uses[person];

    if (right == QUORUM_NONE) {
        search->found = NODE_MAN + person;
    } else {
        reach(search, NODE_IN + right, NODE_MAN + person);
    }
}

static void visit(struct search *search, uint32_t node)
{
    if (node >= NODE_MAN) {
        visit_man(search, node - NODE_MAN);
    } else if (node >= NODE_OUT) {
        visit_out(search, node - NODE_OUT);
    } else if (node >= NODE_IN) {
        visit_in(search, node - NODE_IN);
    } else {
        visit_need(search, node - NODE_NEED);
    }
}

/* One step of the way from the person to the need. What is left on the way back is set by the step
 * behind it, so each is right at the end. */
static void change(struct flow *flow, uint32_t node, uint32_t next)
{
    if (node >= NODE_MAN) {
        flow->uses[node - NODE_MAN] = next - NODE_IN;
    } else if (node >= NODE_OUT) {
        flow->fills[node - NODE_OUT] = next < NODE_IN ? next - NODE_NEED : QUORUM_NONE;
    }
}

static bool take_place(const struct quorum *quorum, struct flow *flow, uint32_t need)
{
    struct search search = {.quorum = quorum, .flow = flow, .found = QUORUM_NONE};
    uint32_t node;

    reach(&search, NODE_NEED + need, QUORUM_NONE);
    for (uint32_t i = 0; search.found == QUORUM_NONE && i < search.queue_count; i++) {
        visit(&search, search.queue[i]);
    }
    if (search.found == QUORUM_NONE) {
        return false;
    }
    for (node = search.found; node != NODE_NEED + need; node = search.next[node]) {
        change(flow, node, search.next[node]);
    }
    return true;
}

static void clear(struct flow *flow)
{
    for (uint32_t i = 0; i < QUORUM_RIGHT_COUNT_MAX; i++) {
        flow->fills[i] = QUORUM_NONE;
    }
    for (uint32_t i = 0; i < CORE_DECISION_COUNT_MAX; i++) {
        flow->uses[i] = QUORUM_NONE;
    }
}

/* Fills the flow and, for the needs of the alternative, filled; how many people are missing. A
 * place once taken stays taken, and one that cannot be had cannot be had later: so the places taken
 * are as many as can be, the first needs' first, whatever the order of the people. */
static uint32_t
match(const struct quorum *quorum, uint32_t alternative, struct flow *flow, uint32_t *filled)
{
    uint32_t missing = 0;

    clear(flow);
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        if (quorum->alternatives[need] != alternative) {
            continue;
        }
        filled[need] = 0;
        while (filled[need] < quorum->places[need] && take_place(quorum, flow, need)) {
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
    ASSERT(quorum->right_count <= QUORUM_RIGHT_COUNT_MAX);
    ASSERT(quorum->person_count <= CORE_DECISION_COUNT_MAX);
    ASSERT(quorum->alternatives[0] == 0);
}

static void keep(const struct flow *flow, struct quorum_result *result)
{
    for (uint32_t i = 0; i < CORE_DECISION_COUNT_MAX; i++) {
        result->uses[i] = flow->uses[i];
        result->fills[i] = flow->uses[i] == QUORUM_NONE ? QUORUM_NONE : flow->fills[flow->uses[i]];
    }
}

void quorum_judge(const struct quorum *quorum, struct quorum_result *ret_result)
{
    struct flow flow;
    uint32_t last;

    check(quorum);
    *ret_result = (struct quorum_result){.missing = UINT32_MAX};
    last = quorum->alternatives[quorum->need_count - 1];
    for (uint32_t alternative = 0; alternative <= last; alternative++) {
        uint32_t missing = match(quorum, alternative, &flow, ret_result->filled);

        if (missing < ret_result->missing) {
            ret_result->missing = missing;
            ret_result->alternative = alternative;
            keep(&flow, ret_result);
        }
    }
    ret_result->satisfied = ret_result->missing == 0;
}

uint32_t quorum_taken(const struct quorum *quorum)
{
    struct quorum_result result;
    uint32_t count = 0;

    quorum_judge(quorum, &result);
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        count += result.filled[need];
    }
    return count;
}

uint32_t quorum_add_right(struct quorum *quorum, uint32_t may_fill)
{
    ASSERT(quorum->right_count < QUORUM_RIGHT_COUNT_MAX);
    quorum->may_fill[quorum->right_count] = may_fill;
    return quorum->right_count++;
}

void quorum_add_person(struct quorum *quorum, uint32_t may_fill)
{
    struct quorum_person *person;

    ASSERT(quorum->person_count < CORE_DECISION_COUNT_MAX);
    person = &quorum->people[quorum->person_count++];
    person->rights[0] = quorum_add_right(quorum, may_fill);
    person->count = 1;
}

bool quorum_helps(const struct quorum *quorum, uint32_t may_fill)
{
    struct quorum more = *quorum;

    check(quorum);
    if (quorum->person_count == CORE_DECISION_COUNT_MAX) {
        return false;
    }
    quorum_add_person(&more, may_fill);
    /* No alternative has fewer taken with him, so more in all are more in one. */
    return quorum_taken(&more) > quorum_taken(quorum);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* quorum.h: are enough of the right people of one mind? Pure.
 *
 * A request has needs, such as "security: 1" and "ops: 2". The needs of one alternative are all
 * needed; one whole alternative is enough. Who decides uses a right: his own, or that of somebody
 * for whom he stands in. A right may be able to fill several needs and fills one place at most; so
 * does a person. People are matched to rights, and rights to places, so that as many places as
 * possible are taken, in each alternative, those of the need that stands first before those of the
 * next.
 *
 * What holds, for whatever is given:
 *  - each person takes one place at most, by one right that he holds and that may fill it, and each
 *    right takes one place at most: an approver and his substitute are never two;
 *  - satisfied, missing and filled depend on who decided what, never on the order;
 *  - one more person never lowers filled in its sum and never makes satisfied false;
 *  - a person who does not help now (taken stays as it is with him) never will: whoever is left out
 *    for that would not have changed any answer. (Both are matroids: the sets of people, and the
 *    sets of places, that a flow through the rights can join.)
 * Bounded: CORE_QUORUM_MAX places, each one search over the needs, the rights and the people. */
#ifndef APPROVALD_CORE_QUORUM_H
#define APPROVALD_CORE_QUORUM_H

#include "approvald/core/types.h"

/* A person's own right and those that he may use in another's place. */
#define QUORUM_HOLD_COUNT_MAX  (1 + CORE_STAND_IN_COUNT_MAX)
#define QUORUM_RIGHT_COUNT_MAX (CORE_DECISION_COUNT_MAX * QUORUM_HOLD_COUNT_MAX)

/* Bit sets are of indexes of needs. */
struct quorum {
    uint32_t need_count;                        /* ≥ 1 */
    uint32_t places[CORE_NEED_COUNT_MAX];       /* distinct people for each need, ≥ 1 */
    uint32_t alternatives[CORE_NEED_COUNT_MAX]; /* which one each need is of; beginning with 0,
                                                   without gaps, never decreasing */
    uint32_t right_count;
    uint32_t may_fill[QUORUM_RIGHT_COUNT_MAX]; /* of each right: bit set; 0: it is used up */
    uint32_t person_count;                     /* distinct people who approve */
    struct quorum_person {
        uint32_t count;                         /* of the rights that he holds; 0: he rejects */
        uint32_t rights[QUORUM_HOLD_COUNT_MAX]; /* indexes; those before are tried before */
    } people[CORE_DECISION_COUNT_MAX];
};

#define QUORUM_NONE UINT32_MAX

struct quorum_result {
    bool satisfied;
    uint32_t alternative; /* the first of those of which the fewest people are missing */
    uint32_t missing;     /* how many are missing there; 0: satisfied */
    uint32_t filled[CORE_NEED_COUNT_MAX];    /* of each need's places, in its own alternative */
    uint32_t fills[CORE_DECISION_COUNT_MAX]; /* per person: his need in that alternative, or
                                                QUORUM_NONE */
    uint32_t uses[CORE_DECISION_COUNT_MAX];  /* per person: the right that he uses for it, or
                                                QUORUM_NONE */
};

void quorum_judge(const struct quorum *quorum, struct quorum_result *ret_result);
/* Places taken, of all alternatives together: more with one more person exactly when he helps. */
uint32_t quorum_taken(const struct quorum *quorum);
/* Adds a right. */
uint32_t quorum_add_right(struct quorum *quorum, uint32_t may_fill);
/* Adds a person with a right of his own, which nobody else uses. */
void quorum_add_person(struct quorum *quorum, uint32_t may_fill);
/* Would the approval of one more such person help? False also when the people of
 * CORE_DECISION_COUNT_MAX decisions are there already. */
bool quorum_helps(const struct quorum *quorum, uint32_t may_fill);

#endif

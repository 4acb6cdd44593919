/* SPDX-License-Identifier: Apache-2.0 */
/* quorum.h: are enough of the right people of one mind? Pure.
 *
 * A request has needs, such as "security: 1" and "ops: 2". The needs of one alternative are all
 * needed; one whole alternative is enough. A person who decides may be able to fill several needs
 * and fills one at most, in each alternative: people are matched to places so that as many places
 * as possible are taken, those of the need that stands first before those of the next.
 *
 * What holds, for whatever is given:
 *  - each person takes one place at most, and only of a need that he may fill;
 *  - satisfied, missing and filled depend on who decided what, never on the order;
 *  - one more person never lowers filled in its sum and never makes satisfied false;
 *  - quorum_helps is true exactly when that person would lower missing of some alternative. So when
 *    only people who help are counted, whoever is left out would not have changed any answer.
 * Bounded: CORE_QUORUM_MAX places, each a search over CORE_NEED_COUNT_MAX needs and
 * CORE_DECISION_COUNT_MAX people. */
#ifndef APPROVALD_CORE_QUORUM_H
#define APPROVALD_CORE_QUORUM_H

#include "approvald/core/types.h"

/* Bit sets are of indexes of needs. */
struct quorum {
    uint32_t need_count;                        /* ≥ 1 */
    uint32_t places[CORE_NEED_COUNT_MAX];       /* distinct people for each need, ≥ 1 */
    uint32_t alternatives[CORE_NEED_COUNT_MAX]; /* which one each need is of; beginning with 0,
                                                   without gaps, never decreasing */
    uint32_t person_count;                      /* distinct people who approve */
    uint32_t may_fill[CORE_DECISION_COUNT_MAX]; /* of each person: bit set */
};

#define QUORUM_NO_NEED UINT32_MAX

struct quorum_result {
    bool satisfied;
    uint32_t alternative; /* the first of those of which the fewest people are missing */
    uint32_t missing;     /* how many are missing there; 0: satisfied */
    uint32_t filled[CORE_NEED_COUNT_MAX];    /* of each need's places, in its own alternative */
    uint32_t fills[CORE_DECISION_COUNT_MAX]; /* per person: his need in that alternative, or
                                                QUORUM_NO_NEED */
};

void quorum_judge(const struct quorum *quorum, struct quorum_result *ret_result);
/* Would the approval of one more person, who may fill this bit set, help? False also when the
 * people of CORE_DECISION_COUNT_MAX decisions are there already. */
bool quorum_helps(const struct quorum *quorum, uint32_t may_fill);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* failover_unit.h: what the unit tests of the failover core share: expectations and common starts.
 */
#ifndef TESTS_UNIT_FAILOVER_UNIT_H
#define TESTS_UNIT_FAILOVER_UNIT_H

#include "tests/unit/failover_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static inline void expect_at(const struct kit *kit, const char *wanted, unsigned line)
{
    bool same = strcmp(kit->trace, wanted) == 0;

    if (!same) {
        (void)fprintf(stderr, "\nline %u:\n  got    %s\n  wanted %s\n", line, kit->trace, wanted);
    }
    (void)CU_assertImplementation(same ? CU_TRUE : CU_FALSE, line, "the trace", __FILE__, "",
                                  CU_FALSE);
}
#define EXPECT(kit, wanted) expect_at(kit, wanted, __LINE__)

static inline void expect_role_at(const struct kit *kit, enum failover_role role, unsigned line)
{
    bool same = kit_role(kit) == role;

    if (!same) {
        (void)fprintf(stderr, "\nline %u: role %s, wanted %s\n", line,
                      failover_role_word(kit_role(kit)), failover_role_word(role));
    }
    (void)CU_assertImplementation(same ? CU_TRUE : CU_FALSE, line, "the role", __FILE__, "",
                                  CU_FALSE);
}
#define EXPECT_ROLE(kit, role) expect_role_at(kit, role, __LINE__)

/* Host 1 with store A, its log at epoch 5, LSN 100, has read a register of epoch 5. */
static inline void unit_ready(struct kit *kit, uint8_t primary, const char *stores)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, primary, stores);

    kit_new(kit, &options);
    kit_start(kit, NULL);
    kit_up(kit, 1, 'A', 5, 100);
    kit_read(kit, &value);
    if (kit->read_out) { /* the first was asked for before the child was up */
        kit_read(kit, &value);
    }
}

/* Answers the CAS that is under way with success, seals, and lets the child lead. */
static inline void unit_win(struct kit *kit)
{
    uint64_t epoch = kit->cas_value.epoch;

    kit_cas(kit, FAILOVER_DONE, NULL);
    kit_epoch(kit, FAILOVER_EVENT_SEALED, epoch);
    kit_epoch(kit, FAILOVER_EVENT_LEADING, epoch);
}

/* Host 1 leads epoch 6 alone. */
static inline void unit_solo(struct kit *kit)
{
    unit_ready(kit, 1, "A-");
    unit_win(kit);
}

/* Host 1 leads epoch 7 with host 2 in the ISR and in sync. */
static inline void unit_paired(struct kit *kit)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);

    unit_solo(kit);
    kit_link(kit, &link);
    kit_propose(kit, FAILOVER_EVENT_ADD, 6, 'B');
    unit_win(kit);
}

/* Host 1 follows host 2, which leads epoch 5, in sync. */
static inline void unit_standby(struct kit *kit)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);

    unit_ready(kit, 2, "AB");
    kit_link(kit, &link);
}

static inline void step_answer(struct kit *kit, const struct failover_answer *answer)
{
    struct failover_event event = {.type = FAILOVER_EVENT_READ, .u.answer = *answer};

    CU_ASSERT(kit->read_out);
    kit->read_out = false;
    kit->read_since_up = kit->read_since_up || kit->read_counts;
    kit_step(kit, &event);
}

static inline void step_cas_answer(struct kit *kit, const struct failover_answer *answer)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CAS, .u.answer = *answer};

    CU_ASSERT(kit->cas_out);
    kit->cas_out = false;
    kit->won = answer->value;
    kit->won_incarnation = kit->incarnation;
    event.u.answer.nonce = kit->cas_value.nonce;
    kit_step(kit, &event);
}

static inline struct failover_answer
foreign(enum failover_read outcome, const struct register_value *value, uint64_t revision)
{
    struct failover_answer answer = {
        .outcome = outcome, .revision = revision, .revision_head = revision, .arbiter_id = 88};

    if (value != NULL) {
        answer.value = *value;
    }
    return answer;
}

#endif

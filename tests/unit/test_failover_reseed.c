/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_reseed.c: proves supervisor/failover/failover: what a reseed writes after a loss at
 * the old arbiter that nobody here has heard of, and what of a reseed is accepted (D, F). Owns
 * nothing but its cases. Never speaks to an arbiter: the bench answers. */
#include "tests/unit/failover_unit.h"

/* Host 1, its log at epoch 5, has begun anew beside another arbiter, which answers this. */
static void unit_anew(struct kit *kit, const struct failover_answer *answer)
{
    struct failover_memory memory = {
        .epoch = 5, .lineage = KIT_LINEAGE, .revision = 15, .arbiter_id = KIT_ARBITER};
    struct failover_options options = kit_options();

    kit_new(kit, &options);
    kit_start(kit, &memory);
    kit_up(kit, 1, 'A', 5, 100);
    step_answer(kit, answer);
    EXPECT(kit, "READ; ALARM arbiter wrong; ALARM operator");
    step_answer(kit, answer);
}

static void a_reseed_whose_answer_was_lost_is_accepted(void)
{
    struct register_value landed = kit_value(21, 1, "A-");
    struct failover_answer answer = foreign(FAILOVER_DONE, &landed, 4);
    struct failover_link empty = kit_peer('C', 0, 0, 0, false);
    struct kit kit;

    empty.peer_lineage = 0;
    unit_anew(&kit, &answer);
    kit_link(&kit, &empty);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "PERSIST 21; OK: follows the register at the new arbiter; READ; "
                 "ALARM unprotected; OVER arbiter wrong; OVER operator");
    CU_ASSERT_EQUAL(kit.memory.arbiter_id, 88);
    step_answer(&kit, &answer);
    EXPECT(&kit, "CAS 22 p1 A-; REGISTER 21 p1 A-; ELIGIBLE 1");
    kit_free(&kit);
}

static void a_reseed_is_accepted_by_who_it_names_when_its_writer_is_lost(void)
{
    struct register_value both = kit_value(21, 2, "AB");
    struct failover_answer answer = foreign(FAILOVER_DONE, &both, 4);
    struct kit kit;

    unit_anew(&kit, &answer);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "PERSIST 21; OK: follows the register at the new arbiter; READ; "
                 "OVER arbiter wrong; OVER operator");
    kit_free(&kit);
}

/* What may be an old copy, or says that this host is not needed, is not followed without its
 * primary. */
static void no_other_register_is_taken_for_a_reseed(void)
{
    struct register_value values[] = {kit_value(21, 2, "-B"), kit_value(21, 1, "C-"),
                                      kit_value(5, 1, "A-"), kit_value(21, 2, "AB")};
    struct failover_link leads = kit_peer('B', 5, 100, 5, false);

    values[3].lineage++;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct failover_answer answer = foreign(FAILOVER_DONE, &values[i], 4);
        struct kit kit;

        unit_anew(&kit, &answer);
        kit_command(&kit, FAILOVER_RESEED);
        EXPECT(&kit, "NO: the other host is not there: start it, or confirm that it is off: "
                     "approvalctl peer-off");
        values[i] = kit_value(21, 1, "A-"); /* the peer leads by the old one */
        answer = foreign(FAILOVER_DONE, &values[i], 4);
        kit_wait(&kit, 2000);
        step_answer(&kit, &answer);
        kit_link(&kit, &leads);
        kit_command(&kit, FAILOVER_RESEED);
        EXPECT(&kit, "NO: the other host has the newer log, or leads: run it there");
        kit_free(&kit);
    }
}

static void an_addition_of_unknown_fate_is_written_too(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL); /* 7 p1 AB may stand at the old arbiter */
    kit_wait(&kit, 100);
    step_answer(&kit, &answer);
    kit.unresolved = false; /* the judge's: that arbiter is gone */
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 22 p1 AB");
    kit_free(&kit);
}

static void a_primary_that_does_not_hear_its_peer_does_not_reseed(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_wait(&kit, 2000);
    step_answer(&kit, &answer);
    kit_link(&kit, &silence);
    for (size_t i = 0; i < 2; i++) {
        kit_command(&kit, FAILOVER_RESEED);
        EXPECT(&kit, "NO: the other host is not heard and may lead: start it; if it is lost: "
                     "restart approvald-supervisor here, then peer-off and reseed");
        kit_command(&kit,
                    FAILOVER_PEER_OFF); /* this host leads another lineage: no way from here */
    }
    kit_free(&kit);
}

/* A pair that never had a register: nothing was written, and no store has a lineage. */
static void a_reseed_of_empty_stores_makes_a_lineage(void)
{
    struct failover_memory memory = {.revision = 10, .arbiter_id = KIT_ARBITER};
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 30);
    struct failover_link empty = kit_peer('B', 0, 0, 0, false);
    struct failover_options options = kit_options();
    struct kit kit;

    empty.peer_lineage = 0;
    kit_new(&kit, &options);
    kit_start(&kit, &memory);
    kit_up(&kit, 1, 'A', 0, 0);
    step_answer(&kit, &answer);
    step_answer(&kit, &answer);
    kit_link(&kit, &empty);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 16 p1 A- new lineage");
    kit_free(&kit);
}

UNIT_MAIN("failover_reseed",
          {"F a reseed whose answer was lost is accepted",
           a_reseed_whose_answer_was_lost_is_accepted},
          {"F a reseed is accepted by who it names when its writer is lost",
           a_reseed_is_accepted_by_who_it_names_when_its_writer_is_lost},
          {"F no other register is taken for a reseed", no_other_register_is_taken_for_a_reseed},
          {"D an addition of unknown fate is written too",
           an_addition_of_unknown_fate_is_written_too},
          {"F a primary that does not hear its peer does not reseed",
           a_primary_that_does_not_hear_its_peer_does_not_reseed},
          {"a reseed of empty stores makes a lineage", a_reseed_of_empty_stores_makes_a_lineage})

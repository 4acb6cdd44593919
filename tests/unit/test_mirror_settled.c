/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror_settled.c: when a proposal whose answer did not come is over: then, and not before,
 * the other host's are taken again, whether or not this host tries once more.
 * Owns those courses of events. Never opens a file or a socket. */
#include "tests/unit/mirror_kit.h"
#include "tests/unit/unit.h"

/* The other host proposes, and this one, which rests, must not stand in the way. */
static void expect_other_may(struct world *world)
{
    begin_cas(world, 1, 8);
    settle(world);
    CU_ASSERT(world->hosts[1].cas_answered);
    CU_ASSERT_EQUAL(world->hosts[1].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world->hosts[0].disk.value.nonce, 8);
    CU_ASSERT(register_equal(&world->hosts[0].disk.value, &world->hosts[1].disk.value));
}

static void one_that_was_lost_with_the_link_is_over_when_the_other_host_is_heard(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    set_link(&world, false); /* it did not get there */
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    set_link(&world, true);
    settle(&world);
    expect_other_may(&world);
}

static void one_that_was_accepted_stays(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* accepted, and its answer is lost */
    set_link(&world, false);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
    expect_other_may(&world);
}

static void one_that_was_lost_alone_is_over_with_the_next_read(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    world.hosts[1].inbox_count = 0;
    pass(&world, TIMEOUT_MS);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    begin_read(&world, 0);
    settle(&world);
    expect_other_may(&world);
}

static void a_read_that_was_asked_for_before_says_nothing_of_it(void)
{
    struct world world;

    begin(&world);
    begin_read(&world, 0);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* the read, and the proposal is still under way */
    deliver(&world, 0);
    pass(&world, TIMEOUT_MS);
    begin_cas(&world, 1, 8);
    deliver(&world, 0); /* to be refused: the other host may yet accept ours */
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 100);
    settle(&world);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 7);
}

static void nor_does_one_while_its_answer_is_waited_for(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 7);
}

/* Its earlier life can accept no more, and what it had accepted is on its disk. */
static void one_to_a_host_that_has_begun_anew_is_over(void)
{
    struct mirror_event up = {.type = MIRROR_EVENT_LINK, .u.up = true};
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    start(&world, 1);
    step(&world, 1, &up); /* the first host has not seen the link go */
    settle(&world);
    CU_ASSERT(world.hosts[0].cas_answered);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    expect_other_may(&world);
}

UNIT_MAIN("mirror_settled",
          {"one that was lost with the link is over when the other host is heard",
           one_that_was_lost_with_the_link_is_over_when_the_other_host_is_heard},
          {"one that was accepted stays", one_that_was_accepted_stays},
          {"one that was lost alone is over with the next read",
           one_that_was_lost_alone_is_over_with_the_next_read},
          {"a read that was asked for before says nothing of it",
           a_read_that_was_asked_for_before_says_nothing_of_it},
          {"nor does one while its answer is waited for",
           nor_does_one_while_its_answer_is_waited_for},
          {"one to a host that has begun anew is over", one_to_a_host_that_has_begun_anew_is_over})

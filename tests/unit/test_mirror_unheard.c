/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror_unheard.c: the operator's word after a proposal that the other host has accepted
 * before it could tell that it has the copy that an earlier word had raised.
 * Owns those courses of events. Never opens a file or a socket. */
#include "tests/unit/mirror_kit.h"
#include "tests/unit/unit.h"

/* The first host has been given the word; the other one accepts a proposal of it and is not heard.
 */
static void begin_unheard(struct world *world, bool addition)
{
    begin(world);
    set_link(world, false);
    confirm_off(world, 0);
    set_link(world, true);
    deliver(world, 0); /* HELLO, with the copy from before that word */
    if (addition) {
        begin_addition(world, 0, 7);
    } else {
        begin_cas(world, 0, 7);
    }
    while (world->hosts[1].inbox_count > 0) {
        deliver(world, 1);
    }
    CU_ASSERT_EQUAL(world->hosts[1].disk.value.nonce, 7);
    set_link(world, false);
    CU_ASSERT_EQUAL(world->hosts[0].cas.outcome, FAILOVER_UNKNOWN);
}

static void expect_one(struct world *world, uint64_t nonce)
{
    set_link(world, true);
    settle(world);
    CU_ASSERT_EQUAL(world->hosts[0].disk.value.nonce, nonce);
    CU_ASSERT(register_equal(&world->hosts[0].disk.value, &world->hosts[1].disk.value));
    CU_ASSERT_STRING_EQUAL(world->hosts[0].problem, "");
}

static void what_is_proposed_in_this_life_is_void_by_the_next_word(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct world world;

        begin_unheard(&world, true);
        confirm_off(&world, 0);
        begin_addition(&world, 0, 8);
        CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
        begin_cas(&world, 0, 9); /* from here on it commits alone */
        CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
        if (i == 1) {
            confirm_off(&world, 1);
        }
        expect_one(&world, 9);
    }
}

static void said_again_the_next_word_adds_nothing(void)
{
    struct world world;
    uint64_t generation;

    begin_unheard(&world, true);
    confirm_off(&world, 0);
    generation = world.hosts[0].disk.generation;
    confirm_off(&world, 0);
    CU_ASSERT_EQUAL(world.hosts[0].disk.generation, generation);
}

static void what_a_host_alone_in_the_isr_has_proposed_is_void_after_a_restart_too(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct world world;

        begin_unheard(&world, false);
        start(&world, 0);
        confirm_off(&world, 0);
        begin_cas(&world, 0, 8);
        CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
        if (i == 1) {
            confirm_off(&world, 1);
        }
        expect_one(&world, 8);
    }
}

/* The other one takes the copy that the word has raised, and is given the word itself. */
static void what_a_host_alone_in_the_isr_does_counts_more_than_a_word_to_the_other_one(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    set_link(&world, true);
    deliver(&world, 1); /* HELLO, and the first host hears nothing */
    set_link(&world, false);
    start(&world, 0);
    confirm_off(&world, 1);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 8);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    expect_one(&world, 8);
}

/* Both copies were raised by a word each, and a word that adds nothing would not end the split. */
static void in_a_split_the_next_word_counts_whatever_was_said_before(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct world world;

        begin(&world);
        begin_addition(&world, 0, 50);
        settle(&world);
        set_link(&world, false);
        for (unsigned at = 0; at < 2; at++) {
            confirm_off(&world, at);
            begin_addition(&world, at, 60 + at); /* both stay in the ISR */
            start(&world, at);
            confirm_off(&world, at);
        }
        set_link(&world, true);
        deliver(&world, i); /* HELLO, and no more */
        begin_read(&world, i);
        CU_ASSERT_EQUAL(world.hosts[i].read.outcome, FAILOVER_REFUSED);
        CU_ASSERT(world.hosts[i].read.split);
        set_link(&world, false);
        if (i == 1) {
            start(&world, i); /* as the operator may do, too */
        }
        confirm_off(&world, i);
        expect_one(&world, 60 + i);
    }
}

UNIT_MAIN("mirror_unheard",
          {"what is proposed in this life is void by the next word",
           what_is_proposed_in_this_life_is_void_by_the_next_word},
          {"said again the next word adds nothing", said_again_the_next_word_adds_nothing},
          {"what a host alone in the ISR has proposed is void after a restart too",
           what_a_host_alone_in_the_isr_has_proposed_is_void_after_a_restart_too},
          {"what a host alone in the ISR does counts more than a word to the other one",
           what_a_host_alone_in_the_isr_does_counts_more_than_a_word_to_the_other_one},
          {"in a split the next word counts whatever was said before",
           in_a_split_the_next_word_counts_whatever_was_said_before})

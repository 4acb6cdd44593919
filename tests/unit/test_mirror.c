/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror.c: proves supervisor/arbiter/mirror: two copies are one register.
 * Owns two mirrors, their durable copies and the link between them; one case draws its schedule
 * from a seed. Never opens a file or a socket. */
#include "tests/unit/mirror_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static void the_first_register_is_made_by_one_and_taken_by_the_other(void)
{
    struct world world;

    begin(&world);
    CU_ASSERT(register_equal(&world.hosts[0].disk.value, &world.hosts[1].disk.value));
    begin_read(&world, 1);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].read.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[1].read.value.nonce, 100);
}

static void a_change_is_on_both_hosts_before_it_is_done(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    CU_ASSERT_FALSE(world.hosts[0].cas_answered);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.epoch, 1);
    deliver(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 7);
    CU_ASSERT_FALSE(world.hosts[0].cas_answered);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
}

static void without_the_other_host_nothing_is_read_or_changed(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    begin_read(&world, 0);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    begin_cas(&world, 0, 7);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.epoch, 1);
}

static void a_change_whose_answer_is_lost_is_unknown_and_found_by_its_nonce(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* accepted there */
    set_link(&world, false);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 7);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.value.nonce, 7);
}

static void of_two_proposals_at_once_one_is_done(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    begin_cas(&world, 1, 8);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_CONFLICT);
    CU_ASSERT_EQUAL(world.hosts[1].cas.value.nonce, 7);
    CU_ASSERT(register_equal(&world.hosts[0].disk.value, &world.hosts[1].disk.value));
}

static void a_proposal_of_an_earlier_life_is_not_accepted(void)
{
    struct world world;
    struct packet late;

    begin(&world);
    begin_cas(&world, 0, 7);
    late = world.hosts[1].inbox[0];
    start(&world, 0); /* host 1 restarts and has forgotten what it proposed */
    set_link(&world, true);
    settle(&world);
    begin_cas(&world, 1, 8);
    world.hosts[1].inbox[world.hosts[1].inbox_count++] = late;
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 8);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 8);
}

static void the_operators_word_makes_one_copy_the_register(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 1);
    begin_read(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[1].read.outcome, FAILOVER_DONE);
    begin_cas(&world, 1, 9);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_DONE);
    set_link(&world, true); /* the other one comes back, and takes what it finds */
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 9);
    set_link(&world, false); /* the confirmation has ended with its return */
    begin_cas(&world, 1, 10);
    CU_ASSERT_EQUAL(world.hosts[1].cas.outcome, FAILOVER_REFUSED);
}

static void an_accepted_proposal_gives_way_to_the_operators_word(void)
{
    struct world world;

    begin(&world);
    begin_cas(&world, 0, 7);
    deliver(&world, 1); /* host 2 has accepted, host 1 does not know */
    set_link(&world, false);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 11);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 11);
    CU_ASSERT_STRING_EQUAL(world.hosts[1].problem, "");
}

static void begin_both(struct world *world)
{
    begin(world);
    begin_addition(world, 0, 50);
    settle(world);
    CU_ASSERT_EQUAL(world->hosts[0].cas.outcome, FAILOVER_DONE);
}

static void the_other_of_a_split_pair_is_not_off_while_it_answers(void)
{
    struct world world;

    begin_both(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    confirm_off(&world, 1);
    begin_cas(&world, 0, 21);
    begin_cas(&world, 1, 22);
    set_link(&world, true);
    settle(&world);
    confirm_off(&world, 0);
    CU_ASSERT_STRING_EQUAL(world.hosts[0].problem, "the other host answers: it is not off");
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 21);
}

static void two_hosts_changed_alone_wait_for_the_operator(void)
{
    struct world world;

    begin_both(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    confirm_off(&world, 1);
    begin_cas(&world, 0, 21);
    begin_cas(&world, 1, 22);
    set_link(&world, true);
    settle(&world);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_STRING_NOT_EQUAL(world.hosts[0].problem, "");
    set_link(&world, false);
    confirm_off(&world, 1);
    set_link(&world, true);
    settle(&world);
    begin_read(&world, 0);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].read.value.nonce, 22);
}

/* Host 1 goes on alone by the operator's word. Then it is off, and host 2, which has missed that,
 * is given the word as often as its operator likes. */
static void begin_missed(struct world *world)
{
    begin(world);
    set_link(world, false);
    confirm_off(world, 0);
    begin_cas(world, 0, 31);
    confirm_off(world, 1);
    confirm_off(world, 1);
    start(world, 1);
    confirm_off(world, 1);
}

static void the_word_said_often_to_a_host_that_missed_a_change_does_not_undo_it(void)
{
    struct world world;

    begin_missed(&world);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 31);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 31);
}

static void a_forced_promotion_counts_however_often_the_other_host_was_given_the_word(void)
{
    struct world world;

    begin_missed(&world);
    start(&world, 0);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 32);
    start(&world, 0);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 33);
    begin_cas_of(&world, 1, 34, 2);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 34);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 34);
}

static void the_word_counts_again_when_the_other_host_was_heard(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    set_link(&world, true);
    settle(&world);
    begin_cas(&world, 0, 41);
    deliver(&world, 1); /* host 2 has accepted, host 1 does not know */
    set_link(&world, false);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 42);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 42);
    CU_ASSERT_STRING_EQUAL(world.hosts[1].problem, "");
}

static void the_first_register_is_not_made_alone_while_a_proposal_of_it_may_be_taken(void)
{
    struct world world;

    memset(&world, 0, sizeof(world));
    start(&world, 0);
    start(&world, 1);
    set_link(&world, true);
    settle(&world);
    begin_cas(&world, 0, 51);
    deliver(&world, 1); /* host 2 has accepted, host 1 does not know */
    set_link(&world, false);
    begin_cas(&world, 0, 52);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 51);
}

static void the_word_ends_when_the_link_is_up(void)
{
    struct world world;

    begin(&world);
    set_link(&world, false);
    confirm_off(&world, 0);
    set_link(&world, true); /* what the other host says is still under way */
    begin_cas(&world, 0, 61);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
}

static void a_host_that_answers_is_not_off(void)
{
    struct world world;

    begin(&world);
    confirm_off(&world, 0);
    set_link(&world, false);
    begin_cas(&world, 0, 7);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
}

static void silence_ends_a_request(void)
{
    struct world world;

    begin(&world);
    begin_read(&world, 0);
    begin_cas(&world, 0, 7);
    world.hosts[1].inbox_count = 0;
    pass(&world, TIMEOUT_MS - 1);
    CU_ASSERT_FALSE(world.hosts[0].read_answered);
    pass(&world, 1);
    CU_ASSERT_EQUAL(world.hosts[0].read.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
}

static void bytes_that_are_no_message_change_nothing(void)
{
    struct world world;
    uint8_t bytes[64] = {4};
    struct mirror_event event = {.type = MIRROR_EVENT_MESSAGE, .u.message = span_of(bytes, 64)};

    begin(&world);
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        event.u.message.size = size;
        step(&world, 0, &event);
    }
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 100);
}

/* ---- Random schedules ---- */

static uint64_t draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct history {
    uint64_t done[4096]; /* nonce by epoch that somebody was told is the register's */
    uint64_t newest;     /* highest epoch that was told */
};

/* Every host that is told a register of some epoch is told the same one. */
static bool told(struct history *history, const struct failover_answer *answer)
{
    uint64_t epoch = answer->value.epoch;

    if (answer->outcome != FAILOVER_DONE && answer->outcome != FAILOVER_CONFLICT) {
        return true;
    }
    if (history->done[epoch] != 0 && history->done[epoch] != answer->value.nonce) {
        return false;
    }
    history->done[epoch] = answer->value.nonce;
    history->newest = epoch > history->newest ? epoch : history->newest;
    return true;
}

static bool act(struct world *world, struct history *history, uint64_t *seed, uint64_t turn)
{
    unsigned int at = (unsigned int)(draw(seed) % 2);
    struct host *host = &world->hosts[at];
    bool good = true;

    switch (draw(seed) % 12) {
    case 0:
        set_link(world, draw(seed) % 4 != 0);
        break;
    case 1:
        if (draw(seed) % 4 == 0) {
            start(world, at);
            set_link(world, true);
        }
        break;
    case 2:
        host->inbox_count = host->inbox_count > 0 && draw(seed) % 4 == 0 ? host->inbox_count - 1
                                                                         : host->inbox_count;
        break;
    case 3:
        pass(world, draw(seed) % TIMEOUT_MS);
        break;
    case 4:
        if (!host->mirror.changing && host->mirror.copy.value.epoch < 4000) {
            begin_cas(world, at, turn + 1000);
        }
        break;
    case 5:
        if (!host->mirror.reading) {
            uint64_t newest = history->newest;

            begin_read(world, at);
            settle(world);
            good = !host->read_answered || host->read.outcome != FAILOVER_DONE ||
                   host->read.value.epoch >= newest;
        }
        break;
    default:
        if (host->inbox_count > 0) {
            deliver(world, at);
        }
        break;
    }
    for (unsigned int i = 0; i < 2; i++) {
        good = good && (!world->hosts[i].cas_answered || told(history, &world->hosts[i].cas));
        good = good && (!world->hosts[i].read_answered || told(history, &world->hosts[i].read));
        world->hosts[i].cas_answered = false;
        world->hosts[i].read_answered = false;
    }
    return good;
}

static void whatever_happens_there_is_one_register(void)
{
    static struct history history;
    uint64_t changes = 0;

    for (uint64_t number = 1; number <= 300; number++) {
        struct world world;
        uint64_t seed = number * 0x9e3779b97f4a7c15U;
        bool good = true;

        memset(&history, 0, sizeof(history));
        begin(&world);
        for (uint64_t turn = 0; good && turn < 1500; turn++) {
            good = act(&world, &history, &seed, turn);
        }
        if (!good) {
            printf("\nseed %llu\n", (unsigned long long)number);
        }
        CU_ASSERT(good);
        changes += history.newest;
    }
    CU_ASSERT(changes > 3000); /* or the schedules exercise nothing */
}

/* The other host may have gone on with both in the ISR, and then alone by a word of its own. */
static void the_word_does_not_undo_an_addition_that_was_forgotten(void)
{
    struct world world;

    begin(&world);
    begin_addition(&world, 0, 7);
    deliver(&world, 1); /* accepted there */
    set_link(&world, false);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_UNKNOWN);
    start(&world, 0);
    confirm_off(&world, 0);
    begin_read(&world, 0);
    CU_ASSERT_EQUAL(world.hosts[0].read.value.epoch, 1);
    begin_cas(&world, 0, 8);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(world.hosts[0].disk.value.epoch, 1);
    CU_ASSERT(world.hosts[0].problem[0] != '\0');
    start(&world, 0); /* nor another life of it */
    confirm_off(&world, 0);
    begin_cas(&world, 0, 8);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_REFUSED);
    begin_cas_of(&world, 0, 9, 2); /* by force */
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 9);
}

static void an_addition_can_be_finished_alone(void)
{
    struct world world;

    begin(&world);
    begin_addition(&world, 0, 7);
    deliver(&world, 1);
    set_link(&world, false);
    confirm_off(&world, 0);
    begin_addition(&world, 0, 8);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
    begin_cas(&world, 0, 9); /* who leads with both in the ISR knows what is committed */
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
}

static void an_addition_that_the_other_host_did_not_get_is_over(void)
{
    struct world world;

    begin(&world);
    begin_addition(&world, 0, 7);
    CU_ASSERT(world.hosts[0].disk.adding); /* before it is heard of */
    set_link(&world, false);               /* lost on its way */
    start(&world, 0);
    set_link(&world, true);
    settle(&world);
    CU_ASSERT_FALSE(world.hosts[0].disk.adding);
    set_link(&world, false);
    confirm_off(&world, 0);
    begin_cas(&world, 0, 8);
    CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
}

/* Whether the other host is given that word, too, or not: before or after. */
static void the_first_register_by_the_word_counts_more_than_one_that_was_accepted(void)
{
    for (unsigned i = 0; i < 3; i++) {
        struct world world = {.up = false};

        start(&world, 0);
        start(&world, 1);
        set_link(&world, true);
        settle(&world);
        begin_cas(&world, 0, 100);
        deliver(&world, 1); /* accepted there */
        set_link(&world, false);
        start(&world, 0);
        if (i == 1) {
            confirm_off(&world, 1);
        }
        confirm_off(&world, 0);
        begin_cas(&world, 0, 101);
        CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
        if (i == 2) {
            confirm_off(&world, 1);
        }
        set_link(&world, true);
        settle(&world);
        CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, 101);
        CU_ASSERT_EQUAL(world.hosts[1].disk.value.nonce, 101);
        CU_ASSERT_STRING_EQUAL(world.hosts[0].problem, "");
    }
}

/* Each host was off when the other one was given the word. What the other host had accepted for a
 * host that is alone in the ISR, or goes on in the life in which it was proposed, is void. */
static void a_word_to_the_other_host_brings_back_nothing_that_is_void(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct world world;

        begin(&world);
        if (i == 0) {
            begin_addition(&world, 0, 7);
            deliver(&world, 1); /* accepted there */
            set_link(&world, false);
        } else {
            begin_cas(&world, 0, 7);
            deliver(&world, 1);
            set_link(&world, false);
            start(&world, 0);
        }
        confirm_off(&world, 0);
        if (i == 1) {
            begin_cas(&world, 0, 8);
            CU_ASSERT_EQUAL(world.hosts[0].cas.outcome, FAILOVER_DONE);
        }
        confirm_off(&world, 1);
        set_link(&world, true);
        settle(&world);
        CU_ASSERT_EQUAL(world.hosts[0].disk.value.nonce, i == 0 ? 100 : 8);
        CU_ASSERT(register_equal(&world.hosts[0].disk.value, &world.hosts[1].disk.value));
        CU_ASSERT_STRING_EQUAL(world.hosts[0].problem, "");
    }
}

UNIT_MAIN("mirror",
          {"the first register is made by one and taken by the other",
           the_first_register_is_made_by_one_and_taken_by_the_other},
          {"a change is on both hosts before it is done",
           a_change_is_on_both_hosts_before_it_is_done},
          {"without the other host nothing is read or changed",
           without_the_other_host_nothing_is_read_or_changed},
          {"a change whose answer is lost is unknown, and found by its nonce",
           a_change_whose_answer_is_lost_is_unknown_and_found_by_its_nonce},
          {"of two proposals at once one is done", of_two_proposals_at_once_one_is_done},
          {"a proposal of an earlier life is not accepted",
           a_proposal_of_an_earlier_life_is_not_accepted},
          {"the operator's word makes one copy the register",
           the_operators_word_makes_one_copy_the_register},
          {"an accepted proposal gives way to the operator's word",
           an_accepted_proposal_gives_way_to_the_operators_word},
          {"two hosts changed alone wait for the operator",
           two_hosts_changed_alone_wait_for_the_operator},
          {"the other of a split pair is not off while it answers",
           the_other_of_a_split_pair_is_not_off_while_it_answers},
          {"the word said often to a host that missed a change does not undo it",
           the_word_said_often_to_a_host_that_missed_a_change_does_not_undo_it},
          {"a forced promotion counts however often the other host was given the word",
           a_forced_promotion_counts_however_often_the_other_host_was_given_the_word},
          {"the word counts again when the other host was heard",
           the_word_counts_again_when_the_other_host_was_heard},
          {"the first register is not made alone while a proposal of it may be taken",
           the_first_register_is_not_made_alone_while_a_proposal_of_it_may_be_taken},
          {"the word does not undo an addition that was forgotten",
           the_word_does_not_undo_an_addition_that_was_forgotten},
          {"an addition can be finished alone", an_addition_can_be_finished_alone},
          {"an addition that the other host did not get is over",
           an_addition_that_the_other_host_did_not_get_is_over},
          {"a word to the other host brings back nothing that is void",
           a_word_to_the_other_host_brings_back_nothing_that_is_void},
          {"the first register by the word counts more than one that was accepted",
           the_first_register_by_the_word_counts_more_than_one_that_was_accepted},
          {"the word ends when the link is up", the_word_ends_when_the_link_is_up},
          {"a host that answers is not off", a_host_that_answers_is_not_off},
          {"silence ends a request", silence_ends_a_request},
          {"bytes that are no message change nothing", bytes_that_are_no_message_change_nothing},
          {"whatever happens, there is one register", whatever_happens_there_is_one_register})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_cas.c: proves supervisor/failover/failover: the fate of a CAS (D, K, L, M).
 * Owns nothing but its cases. Never speaks to an arbiter: the bench answers. */
#include "tests/unit/failover_unit.h"

static void a_lost_cas_bars_the_virtual_ip_until_the_isr_is_read_again(void)
{
    struct failover_link silence = kit_silence();
    struct register_value theirs = kit_value(6, 2, "AB");
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_CONFLICT, &theirs);
    EXPECT(&kit, "PERSIST 6; READ; REGISTER 6 p2 AB; ELIGIBLE 0");
    kit_read(&kit, &theirs);
    EXPECT(&kit, "ELIGIBLE 1");
    kit_free(&kit);
}

static void a_host_that_was_cased_out_stays_barred(void)
{
    struct failover_link silence = kit_silence();
    struct register_value theirs = kit_value(6, 2, "-B");
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_CONFLICT, &theirs);
    EXPECT(&kit, "PERSIST 6; READ; REGISTER 6 p2 -B; ELIGIBLE 0; ALARM unprotected");
    kit_read(&kit, &theirs);
    EXPECT(&kit, "");
    kit_wait(&kit, 100);
    CU_ASSERT_FALSE(kit.eligible);
    CU_ASSERT_FALSE(kit.cas_out);
    kit_free(&kit);
}

static void an_unknown_cas_is_tried_again_until_the_answer_is_definite(void)
{
    struct failover_link silence = kit_silence();
    uint64_t nonce;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    nonce = kit.cas_value.nonce;
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "READ; ALARM arbiter down");
    EXPECT_ROLE(&kit, FAILOVER_SEEKING);
    kit_wait(&kit, 199);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "CAS 6 p1 A-");
    CU_ASSERT_NOT_EQUAL(kit.cas_value.nonce, nonce);
    CU_ASSERT_EQUAL(kit.cas_revision, 15);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected; OVER arbiter down");
    kit_free(&kit);
}

static void an_unknown_cas_that_landed_is_found_by_its_nonce(void)
{
    struct failover_link silence = kit_silence();
    struct register_value first;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    first = kit.cas_value;
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    kit_wait(&kit, 200);
    kit_cas(&kit, FAILOVER_CONFLICT, &first);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected; OVER arbiter down");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 A-");
    kit_free(&kit);
}

static void the_old_value_in_a_read_resolves_nothing_and_a_newer_one_does(void)
{
    struct failover_link silence = kit_silence();
    struct register_value old = kit_value(5, 2, "AB");
    struct register_value first;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    first = kit.cas_value;
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "READ; ALARM arbiter down");
    kit_wait(&kit, 150);
    kit_read(&kit, &old);
    EXPECT(&kit, "OVER arbiter down");
    EXPECT_ROLE(&kit, FAILOVER_SEEKING);
    kit_wait(&kit, 50);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    kit_wait(&kit, 100);
    kit_read(&kit, &first);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected; OVER arbiter down");
    kit_free(&kit);
}

static void a_newer_value_of_the_peer_ends_an_unknown_cas(void)
{
    struct failover_link silence = kit_silence();
    struct register_value theirs = kit_value(6, 2, "AB");
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    kit_wait(&kit, 200);
    kit_read(&kit, &theirs); /* while the second attempt is under way */
    EXPECT(&kit, "PERSIST 6; READ; REGISTER 6 p2 AB; OVER arbiter down");
    kit_wait(&kit, 1500);
    EXPECT(&kit, ""); /* nothing new before its answer */
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "CAS 7 p1 A-; ALARM arbiter down"); /* the peer has had its time */
    kit_free(&kit);
}

/* The arbiter was restored from a backup, in which the other host has written the register anew:
 * its revisions came to the one that this host knows, by another value. */
static void another_value_at_the_same_revision_ends_a_cas(void)
{
    struct failover_link silence = kit_silence();
    struct register_value old = kit_value(5, 2, "AB");
    struct register_value theirs = kit_value(21, 2, "AB");
    struct failover_answer answer = {.outcome = FAILOVER_CONFLICT,
                                     .value = theirs,
                                     .revision = 15,
                                     .revision_head = 15,
                                     .arbiter_id = KIT_ARBITER};
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    EXPECT(&kit, "CAS 6 p1 A-");
    CU_ASSERT_EQUAL(kit.cas_revision, 15);
    CU_ASSERT(register_equal(&kit.cas_before, &old));
    step_cas_answer(&kit, &answer);
    EXPECT(&kit, "PERSIST 21; READ; REGISTER 21 p2 AB; ELIGIBLE 0");
    answer.outcome = FAILOVER_DONE;
    step_answer(&kit, &answer);
    EXPECT(&kit, "ELIGIBLE 1");
    kit_wait(&kit, 1000);
    EXPECT(&kit, "CAS 22 p1 A-"); /* a wish of its own, made of what stands there now */
    CU_ASSERT_EQUAL(kit.cas_revision, 15);
    CU_ASSERT(register_equal(&kit.cas_before, &theirs));
    kit_free(&kit);
}

static void another_value_at_the_same_revision_ends_an_unknown_cas(void)
{
    struct failover_link silence = kit_silence();
    struct register_value theirs = kit_value(21, 2, "AB");
    struct failover_answer answer = {.outcome = FAILOVER_DONE,
                                     .value = theirs,
                                     .revision = 15,
                                     .revision_head = 15,
                                     .arbiter_id = KIT_ARBITER};
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "READ; ALARM arbiter down");
    kit.unresolved = false; /* the judge's: this read says so */
    step_answer(&kit, &answer);
    EXPECT(&kit, "PERSIST 21; READ; REGISTER 21 p2 AB; OVER arbiter down");
    kit_free(&kit);
}

static void what_was_not_sent_is_wished_anew(void)
{
    struct failover_link silence = kit_silence();
    struct failover_link alive = kit_peer('B', 5, 100, 5, true);
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    EXPECT(&kit, "READ; ALARM arbiter down");
    kit_wait(&kit, 200);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_link(&kit, &alive);
    kit_wait(&kit, 5000);
    EXPECT(&kit, ""); /* the peer leads: the wish is gone */
    kit_free(&kit);
}

static void an_unresolved_seek_rests_while_the_peer_leads(void)
{
    struct failover_link silence = kit_silence();
    struct failover_link alive = kit_peer('B', 5, 100, 5, true);
    struct failover_status status;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    kit_link(&kit, &alive);
    kit_wait(&kit, 1000);
    EXPECT(&kit, "");
    failover_status(kit.failover, &status);
    CU_ASSERT(status.cas_unresolved);
    kit_link(&kit, &silence);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

static void no_nonce_of_an_unresolved_change_is_ever_forgotten(void)
{
    struct failover_link silence = kit_silence();
    struct register_value first;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    first = kit.cas_value;
    for (unsigned i = 0; i < 3 * FAILOVER_NONCE_COUNT; i++) {
        kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
        kit_wait(&kit, 200);
    }
    kit_cas(&kit, FAILOVER_CONFLICT, &first);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected; OVER arbiter down");
    kit_free(&kit);
}

static void authority_ends_with_the_incarnation_that_sought_it(void)
{
    struct failover_link silence = kit_silence();
    struct register_value won;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    won = kit.cas_value;
    kit_down(&kit);
    kit_up(&kit, 2, 'A', 5, 100);
    kit_cas(&kit, FAILOVER_DONE, NULL); /* of incarnation 1 */
    EXPECT(&kit, "PERSIST 6; ALARM unprotected");
    kit_read(&kit, &won); /* asked for while none was up */
    EXPECT(&kit, "READ");
    kit_read(&kit, &won);
    EXPECT(&kit, "CAS 7 p1 A-; REGISTER 6 p1 A-");
    kit_free(&kit);
}

static void a_register_that_names_this_host_is_no_authority(void)
{
    struct kit kit;

    unit_ready(&kit, 1, "AB"); /* K: it has to win a CAS of its own */
    EXPECT(&kit, "REGISTER 5 p1 AB; ELIGIBLE 1");
    EXPECT_ROLE(&kit, FAILOVER_WAITING);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 5);
    EXPECT(&kit, "");
    kit_free(&kit);
}

/* The register was restored, and a late CAS of an earlier life has landed in it. */
static void the_same_epoch_with_another_value_is_refused_over_a_restart(void)
{
    struct failover_options options = kit_options();
    struct failover_memory memory = {
        .epoch = 5, .lineage = KIT_LINEAGE, .nonce = 77, .revision = 3, .arbiter_id = KIT_ARBITER};
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    value.nonce = 78;
    kit_new(&kit, &options);
    kit_start(&kit, &memory);
    kit_up(&kit, 1, 'A', 4, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_free(&kit);
}

UNIT_MAIN("failover_cas",
          {"D the same epoch with another value is refused over a restart",
           the_same_epoch_with_another_value_is_refused_over_a_restart},
          {"M a lost CAS bars the virtual IP until the ISR is read again",
           a_lost_cas_bars_the_virtual_ip_until_the_isr_is_read_again},
          {"M a host that was CASed out stays barred", a_host_that_was_cased_out_stays_barred},
          {"D an unknown CAS is tried again until the answer is definite",
           an_unknown_cas_is_tried_again_until_the_answer_is_definite},
          {"D an unknown CAS that landed is found by its nonce",
           an_unknown_cas_that_landed_is_found_by_its_nonce},
          {"D the old value in a read resolves nothing and a newer one does",
           the_old_value_in_a_read_resolves_nothing_and_a_newer_one_does},
          {"D a newer value of the peer ends an unknown CAS",
           a_newer_value_of_the_peer_ends_an_unknown_cas},
          {"D another value at the same revision ends a CAS",
           another_value_at_the_same_revision_ends_a_cas},
          {"D another value at the same revision ends an unknown CAS",
           another_value_at_the_same_revision_ends_an_unknown_cas},
          {"D what was not sent is wished anew", what_was_not_sent_is_wished_anew},
          {"D an unresolved seek rests while the peer leads",
           an_unresolved_seek_rests_while_the_peer_leads},
          {"D no nonce of an unresolved change is ever forgotten",
           no_nonce_of_an_unresolved_change_is_ever_forgotten},
          {"L authority ends with the incarnation that sought it",
           authority_ends_with_the_incarnation_that_sought_it},
          {"K a register that names this host is no authority",
           a_register_that_names_this_host_is_no_authority})

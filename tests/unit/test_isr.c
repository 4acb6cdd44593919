/* SPDX-License-Identifier: Apache-2.0 */
/* test_isr.c: proves storage/isr: what a commit needs.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/isr.h"
#include "tests/unit/unit.h"

#include <stddef.h>

static void alone_a_record_commits_when_it_is_durable_here(void)
{
    struct isr isr;

    isr_init(&isr, 10);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    isr_append(&isr, 11);
    isr_append(&isr, 12);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 11, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 11);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 12, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 12);
}

static void with_two_hosts_the_slower_one_decides(void)
{
    struct isr isr;

    isr_init(&isr, 0);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_count(&isr), 2);
    isr_append(&isr, 1);
    isr_append(&isr, 2);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 2, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 0);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 1);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 2, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 2);
}

static void the_standby_may_be_ahead_of_the_primary(void)
{
    struct isr isr;

    isr_init(&isr, 0);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, NULL), ERR_OK);
    isr_append(&isr, 1);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 0);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 1);
}

static void a_new_member_is_needed_from_the_next_record_on(void)
{
    struct isr isr;

    isr_init(&isr, 5);
    isr_append(&isr, 6);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, NULL), ERR_OK);
    isr_append(&isr, 7);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 7, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 6);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 3, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 6);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 7, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 7);
}

static void removing_the_slow_host_commits_what_waited(void)
{
    struct isr isr;

    isr_init(&isr, 0);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, NULL), ERR_OK);
    isr_append(&isr, 1);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 0);
    CU_ASSERT_EQUAL(isr_remove(&isr, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 1);
    CU_ASSERT_EQUAL(isr_count(&isr), 1);
}

static void the_commit_lsn_never_falls(void)
{
    struct isr isr;
    uint64_t before = 0;
    uint64_t seed = 42;

    isr_init(&isr, 0);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t host;
        uint64_t lsn;

        seed = seed * 6364136223846793005U + 1442695040888963407U;
        host = (uint32_t)(seed >> 40) % 3;
        lsn = isr.lsn_last == 0 ? 0 : (seed >> 20) % (isr.lsn_last + 1);
        switch ((seed >> 33) % 5) {
        case 0:
            err_ignore(isr_add(&isr, host, NULL)); /* may be refused */
            break;
        case 1:
            err_ignore(isr_remove(&isr, host, NULL));
            break;
        case 2:
            isr_append(&isr, isr.lsn_last + 1);
            break;
        default:
            err_ignore(isr_acknowledge(&isr, host, lsn, NULL));
            break;
        }
        isr_invariant(&isr);
        CU_ASSERT(isr_commit(&isr) >= before);
        before = isr_commit(&isr);
    }
    CU_ASSERT(before > 100);
}

static void what_makes_no_sense_is_refused(void)
{
    struct isr isr;
    struct err err = ERR_INIT;

    isr_init(&isr, 3);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 4, &err), ERR_CONFLICT);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 3, &err), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(isr_remove(&isr, 0, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(isr_remove(&isr, 1, &err), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(isr_add(&isr, 0, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(isr_add(&isr, ISR_HOST_COUNT_MAX, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, &err), ERR_OK);
    CU_ASSERT_EQUAL(isr_add(&isr, 1, &err), ERR_EXISTS);
}

static void who_takes_over_commits_nothing_before_its_start_record(void)
{
    struct isr_start start = {.lsn_last = 20, .lsn_durable = 15, .lsn_commit = 10};
    struct isr isr;

    isr_begin(&isr, &start);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 20, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    isr_append(&isr, 21);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 21, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 21);
}

static void who_takes_over_with_a_peer_needs_it_for_the_whole_tail(void)
{
    struct isr_start start = {.lsn_last = 20, .lsn_durable = 20, .lsn_commit = 10};
    struct isr isr;

    isr_begin(&isr, &start);
    CU_ASSERT_EQUAL(isr_add_behind(&isr, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_add_behind(&isr, 1, NULL), ERR_EXISTS);
    isr_append(&isr, 21);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 21, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 20, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 10);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 21, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 21);
    isr_append(&isr, 22);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 22, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 21);
}

static void without_the_peer_the_tail_commits_with_the_start_record(void)
{
    struct isr_start start = {.lsn_last = 20, .lsn_durable = 20, .lsn_commit = 10};
    struct isr isr;

    isr_begin(&isr, &start);
    CU_ASSERT_EQUAL(isr_add_behind(&isr, 1, NULL), ERR_OK);
    isr_append(&isr, 21);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 21, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_remove(&isr, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 21);
}

static void a_peer_added_behind_while_all_is_committed_needs_the_next_record(void)
{
    struct isr isr;

    isr_init(&isr, 5);
    CU_ASSERT_EQUAL(isr_add_behind(&isr, 1, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 5);
    isr_append(&isr, 6);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 0, 6, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 5);
    CU_ASSERT_EQUAL(isr_acknowledge(&isr, 1, 6, NULL), ERR_OK);
    CU_ASSERT_EQUAL(isr_commit(&isr), 6);
}

UNIT_MAIN("isr",
          {"alone, a record commits when it is durable here",
           alone_a_record_commits_when_it_is_durable_here},
          {"with two hosts the slower one decides", with_two_hosts_the_slower_one_decides},
          {"the standby may be ahead of the primary", the_standby_may_be_ahead_of_the_primary},
          {"a new member is needed from the next record on",
           a_new_member_is_needed_from_the_next_record_on},
          {"removing the slow host commits what waited",
           removing_the_slow_host_commits_what_waited},
          {"the commit LSN never falls", the_commit_lsn_never_falls},
          {"what makes no sense is refused", what_makes_no_sense_is_refused},
          {"who takes over commits nothing before its start record",
           who_takes_over_commits_nothing_before_its_start_record},
          {"who takes over with a peer needs it for the whole tail",
           who_takes_over_with_a_peer_needs_it_for_the_whole_tail},
          {"without the peer the tail commits with the start record",
           without_the_peer_the_tail_commits_with_the_start_record},
          {"a peer added behind while all is committed needs the next record",
           a_peer_added_behind_while_all_is_committed_needs_the_next_record})

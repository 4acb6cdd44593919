/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica_match.c: proves storage/replica from start to stream: who leads, how the shared
 * place of two logs is found, what is cut, when a snapshot goes. Each case asserts the whole trace
 * of a path; it is the path's document. Owns nothing but its cases. Never touches a file. */
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- Start, follow, match ---- */

static void a_granted_host_leads_when_its_start_record_is_committed(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    one->hold_sync = true;
    kit_grant(kit, one, 1, NULL);
    CU_ASSERT(kit_traced(kit, "1: promise 1\n"
                              "1: sealed 1\n"
                              "1: begin 1\n"));
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "starting");
    kit_clear(kit);
    kit_release(kit, one);
    CU_ASSERT(kit_traced(kit, "1: leading 1\n"));
    CU_ASSERT_EQUAL(replica_role(one->replica), REPLICA_PRIMARY);
    kit_free(kit);
}

static void an_empty_standby_follows_and_is_given_all(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    two->options.lineage = 0; /* a new disk */
    kit_start(kit, two);
    kit_register(kit, two, 0, 0);
    kit_grant(kit, one, 1, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 1\n"
                              "2: promise 1\n"
                              "2> follow 1 last 0 applied 0\n"
                              "1> cut 0\n"
                              "2: cut behind 0\n"
                              "2> ack 0\n"
                              "1: ship 1\n"
                              "1> append 1\n"
                              "2: append to 1\n"
                              "2> ack 1\n"
                              "2: commit 1\n"
                              "1: require\n"
                              "1: propose add at 1\n"));
    CU_ASSERT_EQUAL(two->options.lineage, KIT_LINEAGE);
    CU_ASSERT(two->link.in_sync);
    kit_free(kit);
}

static void records_go_out_and_come_back_as_acknowledgements(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit_write(kit, one);
    kit_wait(kit, KIT_PING_MS); /* the commit LSN goes with the ping */
    CU_ASSERT(kit_traced(kit, "1: ship 4\n"
                              "1> append 1\n"
                              "2: append to 4\n"
                              "2> ack 4\n"
                              "2: commit 4\n"));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 4);
    CU_ASSERT_EQUAL(one->link.lsn_acked <= 4, 1);
    kit_free(kit);
}

static void equal_logs_are_found_equal_with_one_look(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 40, 1, 0);
    kit_fill(two, 40, 1, 0);
    one->lsn_applied = 10;
    two->lsn_applied = 40;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 2\n"
                              "2: promise 2\n"
                              "2> follow 2 last 40 applied 40\n"
                              "1: find 40\n"
                              "1> cut 40\n"
                              "2: cut behind 40\n"
                              "2> ack 40\n"
                              "1: ship 41\n"
                              "1> append 1\n"
                              "2: append to 41\n"
                              "2> ack 41\n"
                              "2: commit 41\n"));
    kit_free(kit);
}

/* Counterexample 6: the divergent tail is cut where it begins, found by hashes, not by epochs. */
static void a_divergent_tail_is_found_by_halving_and_cut(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 12, 1, 0);
    kit_fill(two, 11, 1, 0);
    kit_fill(one, 8, 2, 0); /* 13 to 20 */
    kit_fill(two, 6, 1, 5); /* 12 to 17, other records */
    two->lsn_applied = 8;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 2, 1);
    kit_grant(kit, one, 3, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 3\n"
                              "2: promise 3\n"
                              "2> follow 3 last 17 applied 8\n"
                              "1: find 8\n"
                              "1: find 17\n"
                              "1> probe 12\n"
                              "2: find 12\n"
                              "2> place 12\n"
                              "1: find 12\n"
                              "1> probe 10\n"
                              "2: find 10\n"
                              "2> place 10\n"
                              "1: find 10\n"
                              "1> probe 11\n"
                              "2: find 11\n"
                              "2> place 11\n"
                              "1: find 11\n"
                              "1> cut 11\n"
                              "2: cut behind 11\n"
                              "2> ack 11\n"
                              "2: commit 11\n"
                              "1: ship 12\n"
                              "1> append 4\n"
                              "1: ship 16\n"
                              "1> append 4\n"
                              "2: append to 15\n"
                              "1: ship 20\n"
                              "1> append 2\n"
                              "2> ack 15\n"
                              "2: commit 15\n"
                              "2: append to 19\n"
                              "2> ack 19\n"
                              "2: commit 19\n"
                              "2: append to 21\n"
                              "2> ack 21\n"
                              "2: commit 21\n"));
    CU_ASSERT_EQUAL(memcmp(&one->log[21], &two->log[21], sizeof one->log[21]), 0);
    kit_free(kit);
}

/* Counterexample 6, its second half: B = [e2], A = [e1, e3]: the divergent LSN 1 goes. */
static void a_log_of_another_epoch_at_the_same_place_is_cut(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 1, 1, 0);
    kit_fill(one, 1, 3, 0);
    kit_fill(two, 1, 2, 0);
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 3, 1);
    kit_grant(kit, one, 4, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 4\n"
                              "2: promise 4\n"
                              "2> follow 4 last 1 applied 0\n"
                              "1: find 1\n"
                              "1> cut 0\n"
                              "2: cut behind 0\n"
                              "2> ack 0\n"
                              "1: ship 1\n"
                              "1> append 3\n"
                              "2: append to 3\n"
                              "2> ack 3\n"
                              "2: commit 3\n"));
    kit_free(kit);
}

static void a_standby_behind_the_trimmed_log_gets_a_snapshot(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 30, 1, 0);
    kit_fill(two, 5, 1, 0);
    one->lsn_first = 20;
    one->lsn_applied = 30;
    two->lsn_applied = 3;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 2\n"
                              "2: promise 2\n"
                              "2> follow 2 last 5 applied 3\n"
                              "1: find 3\n"
                              "1: snapshot at least 5\n"
                              "1> snapshot 31\n"
                              "1> pairs\n"
                              "1> snapshot-end\n"
                              "2: receive 31\n"
                              "2: install 31\n"));
    kit_disconnect(kit);
    kit_start(kit, two);
    kit_register(kit, two, 2, 1);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "1> lead 2\n"
                              "2> follow 2 last 31 applied 31\n"
                              "1: find 31\n"
                              "1> cut 31\n"
                              "2: cut behind 31\n"
                              "2> ack 31\n"));
    kit_free(kit);
}

static void a_log_trimmed_while_shipping_leads_to_a_snapshot(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    kit_write(kit, one);
    kit_wait(kit, KIT_PING_MS);
    kit_clear(kit);
    one->lsn_first = 4; /* 3 is gone before it was shipped */
    kit_write(kit, one);
    CU_ASSERT(kit_traced(kit, "1: ship 3\n"
                              "1: snapshot at least 2\n"
                              "1> snapshot 3\n"
                              "1> pairs\n"
                              "1> snapshot-end\n"
                              "2: receive 3\n"
                              "2: install 3\n"));
    kit_free(kit);
}

/* Rule I: it has applied what the primary's log does not have. */
static void a_standby_that_applied_too_much_says_so_and_resyncs(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 6, 1, 0);
    kit_fill(two, 4, 1, 0);
    kit_fill(two, 1, 1, 5);
    two->lsn_applied = 5;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit,
                         "1> lead 2\n"
                         "2: promise 2\n"
                         "2> follow 2 last 5 applied 5\n"
                         "1: find 5\n"
                         "1> cut 0\n"
                         "1: snapshot at least 5\n"
                         "1> snapshot 7\n"
                         "1> pairs\n"
                         "1> snapshot-end\n"
                         "2: resync records are applied here that the primary's log does not have\n"
                         "2: receive 7\n"
                         "2: install 7\n"));
    kit_free(kit);
}

UNIT_MAIN("replica match",
          {"a granted host leads when its start record is committed",
           a_granted_host_leads_when_its_start_record_is_committed},
          {"an empty standby follows and is given all", an_empty_standby_follows_and_is_given_all},
          {"records go out and come back as acknowledgements",
           records_go_out_and_come_back_as_acknowledgements},
          {"equal logs are found equal with one look", equal_logs_are_found_equal_with_one_look},
          {"a divergent tail is found by halving and cut",
           a_divergent_tail_is_found_by_halving_and_cut},
          {"a log of another epoch at the same place is cut",
           a_log_of_another_epoch_at_the_same_place_is_cut},
          {"a standby behind the trimmed log gets a snapshot",
           a_standby_behind_the_trimmed_log_gets_a_snapshot},
          {"a log trimmed while shipping leads to a snapshot",
           a_log_trimmed_while_shipping_leads_to_a_snapshot},
          {"a standby that applied too much says so and resyncs",
           a_standby_that_applied_too_much_says_so_and_resyncs})

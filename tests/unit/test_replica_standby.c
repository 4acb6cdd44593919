/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica_standby.c: proves what storage/replica applies, cuts and installs as standby.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/limits.h"
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- The standby ---- */

/* Counterexample 7: the commit LSN is known, the tail is not verified. */
static void nothing_is_applied_before_the_cut_is_done(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 5, 1, 0);
    kit_fill(two, 2, 1, 0);
    kit_fill(two, 3, 1, 5);
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    two->hold_cut = true;
    kit_connect(kit);
    kit_wait(kit, 2UL * KIT_PING_MS); /* pings say: 6 is committed */
    CU_ASSERT_EQUAL(two->lsn_applied, 0);
    CU_ASSERT_EQUAL(two->sent[MESSAGE_ACK], 0);
    CU_ASSERT(two->sent[MESSAGE_ECHO] > 0); /* an echo says nothing of the log */
    kit_release(kit, two);
    CU_ASSERT_EQUAL(two->lsn_applied, 6);
    kit_free(kit);
}

static void what_is_not_durable_here_is_not_applied(void)
{
    struct kit *kit = kit_new();
    struct kit_host *two = kit_host(kit, 2);

    kit_pair(kit);
    two->hold_sync = true;
    kit_write(kit, kit_host(kit, 1)); /* committed alone */
    kit_wait(kit, 2UL * KIT_PING_MS);
    CU_ASSERT_EQUAL(two->lsn_last, 2);
    CU_ASSERT_EQUAL(two->lsn_applied, 1);
    kit_release(kit, two);
    CU_ASSERT_EQUAL(two->lsn_applied, 2);
    kit_free(kit);
}

/* Host 1 follows the test at epoch 6 with five records, three of them applied. */
static struct kit *following(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));

    kit_fill(one, 5, 1, 0);
    one->lsn_applied = 3;
    kit_start(kit, one);
    kit_register(kit, one, 0, 0);
    kit_command(kit, one, REPLICA_EVENT_LINK_UP);
    kit_inject(kit, one, &hello);
    kit_leads(kit, 6);
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "matching");
    kit_clear(kit);
    return kit;
}

static struct message place_of(enum message_type type, struct record_position position)
{
    struct message message = {.type = type};

    message.u.place = (struct message_place){.epoch = 6, .incarnation = 999, .position = position};
    return message;
}

static void a_cut_below_what_is_applied_is_refused_and_kept(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message cut = place_of(MESSAGE_CUT, one->log[2]);

    kit_inject(kit, one, &cut);
    CU_ASSERT(kit_traced(
        kit, "1: resync records are applied here that the primary's log does not have\n"));
    CU_ASSERT_EQUAL(one->lsn_last, 5);
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "resync");
    kit_free(kit);
}

static void a_cut_at_another_record_than_the_applied_one_is_refused(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message cut = place_of(MESSAGE_CUT, one->log[3]);

    cut.u.place.position.hash[2] ^= 1;
    kit_inject(kit, one, &cut);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_RESYNC], 1);
    CU_ASSERT_EQUAL(one->lsn_last, 5);
    kit_free(kit);
}

static void a_cut_beyond_the_end_ends_the_link(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message cut = place_of(MESSAGE_CUT, one->log[5]);

    cut.u.place.position.lsn = 6;
    kit_inject(kit, one, &cut);
    CU_ASSERT(kit_traced(kit, "1> bye CUT beyond the end of the log\n"
                              "1: drop CUT beyond the end of the log\n"));
    kit_free(kit);
}

static void a_probe_beyond_the_end_has_no_place(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message probe = place_of(MESSAGE_PROBE, (struct record_position){.lsn = 9});

    kit_inject(kit, one, &probe);
    CU_ASSERT(kit_traced(kit, "1> place 9\n"));
    kit_free(kit);
}

static void records_before_the_cut_or_of_another_epoch_are_nothing(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message append = {.type = MESSAGE_APPEND};
    struct message cut = place_of(MESSAGE_CUT, one->log[5]);

    append.u.bytes = (struct message_bytes){
        .epoch = 6, .incarnation = 999, .lsn_commit = 9, .bytes = SPAN_LITERAL("x")};
    kit_inject(kit, one, &append);
    CU_ASSERT(kit_traced(kit, ""));
    kit_inject(kit, one, &cut);
    kit_clear(kit);
    append.u.bytes.epoch = 5;
    kit_inject(kit, one, &append);
    append.u.bytes.epoch = 6;
    append.u.bytes.incarnation = 998;
    kit_inject(kit, one, &append);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT_EQUAL(one->lsn_applied, 3);
    kit_free(kit);
}

/* A snapshot must not take back what was acknowledged. */
static void a_snapshot_that_ends_before_the_log_does_is_refused(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message snapshot = place_of(MESSAGE_SNAPSHOT, one->log[4]);

    kit_inject(kit, one, &snapshot);
    CU_ASSERT(kit_traced(kit, "1> bye SNAPSHOT that ends before this log does\n"
                              "1: drop SNAPSHOT that ends before this log does\n"));
    kit_free(kit);
    kit = following();
    one = kit_host(kit, 1);
    snapshot.u.place.position.epoch = 2; /* a later epoch's: the tail here is not in that log */
    kit_inject(kit, one, &snapshot);
    CU_ASSERT(kit_traced(kit, "1: receive 4\n"));
    kit_free(kit);
}

static void a_snapshot_with_a_hole_is_never_installed(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message snapshot = place_of(MESSAGE_SNAPSHOT, one->log[5]);
    struct message pairs = {.type = MESSAGE_PAIRS};
    struct message end = {.type = MESSAGE_SNAPSHOT_END};

    kit_inject(kit, one, &snapshot);
    pairs.u.bytes = (struct message_bytes){
        .epoch = 6, .incarnation = 999, .lsn_commit = 0, .bytes = SPAN_LITERAL("x")};
    kit_inject(kit, one, &pairs);
    kit_inject(kit, one, &pairs); /* again from the start */
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: drop PAIRS out of order\n"));
    kit_clear(kit);
    end.u.ping = (struct message_ping){.epoch = 6, .incarnation = 999, .sequence = 1};
    kit_inject(kit, one, &end);
    CU_ASSERT(kit_traced(kit, ""));
    kit_free(kit);
}

/* The peer says HELLO and leads epoch 6 again, over a new connection. */
static void lead_again(struct kit *kit)
{
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));

    kit_command(kit, one, REPLICA_EVENT_LINK_DOWN);
    kit_command(kit, one, REPLICA_EVENT_LINK_UP);
    kit_inject(kit, one, &hello);
    kit_leads(kit, 6);
}

/* A snapshot is begun, and there is no room for it. */
static void refuse_one(struct kit *kit)
{
    struct kit_host *one = kit_host(kit, 1);
    struct message snapshot = place_of(MESSAGE_SNAPSHOT, one->log[5]);

    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "matching");
    kit_inject(kit, one, &snapshot);
    CU_ASSERT(kit_traced(kit, "1: receive 5\n"));
    kit_command(kit, one, REPLICA_EVENT_LINK_DOWN);
    kit_command(kit, one, REPLICA_EVENT_SNAPSHOT_REFUSED);
    lead_again(kit);
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "1> follow"));
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "snapshot-refused");
}

/* Each try costs the primary a look at its state and a part of the transfer. */
static void after_a_refused_snapshot_nobody_is_followed_for_a_while(void)
{
    struct kit *kit = following();
    struct kit_host *one = kit_host(kit, 1);
    struct message cut = place_of(MESSAGE_CUT, one->log[5]);
    uint64_t pause_ms = STORAGE_SNAPSHOT_PAUSE_MS_MIN;

    CU_ASSERT_EQUAL(replica_snapshot_retry_ms(one->replica), 0);
    for (int i = 0; i < 9; i++) {
        kit_clear(kit);
        refuse_one(kit);
        CU_ASSERT_EQUAL(replica_snapshot_retry_ms(one->replica), kit->now_ms + pause_ms);
        kit_clear(kit);
        kit_wait(kit, pause_ms - 1);
        CU_ASSERT_PTR_NULL(strstr(kit->trace, "1> follow"));
        CU_ASSERT_FALSE(one->dead);
        kit_wait(kit, 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1> follow 6"));
        pause_ms = 2 * pause_ms < STORAGE_SNAPSHOT_PAUSE_MS_MAX ? 2 * pause_ms
                                                                : STORAGE_SNAPSHOT_PAUSE_MS_MAX;
    }
    CU_ASSERT_EQUAL(pause_ms, STORAGE_SNAPSHOT_PAUSE_MS_MAX);
    kit_inject(kit, one, &cut); /* it goes on without one */
    CU_ASSERT_EQUAL(replica_snapshot_retry_ms(one->replica), 0);
    lead_again(kit);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1> follow 6"));
    kit_free(kit);
}

static void a_snapshot_waits_until_it_holds_what_the_standby_has(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 9, 1, 0);
    kit_fill(two, 8, 1, 0);
    one->lsn_first = 6;
    two->lsn_applied = 2;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    one->applied_frozen = true; /* no checkpoint yet */
    one->hold_sync = true;
    kit_grant(kit, one, 2, two);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "1: snapshot"));
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "starting");
    kit_clear(kit);
    one->applied_frozen = false;
    kit_release(kit, one);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: snapshot at least 8\n"));
    kit_free(kit);
}

UNIT_MAIN("replica standby",
          {"nothing is applied before the cut is done", nothing_is_applied_before_the_cut_is_done},
          {"what is not durable here is not applied", what_is_not_durable_here_is_not_applied},
          {"a cut below what is applied is refused and kept",
           a_cut_below_what_is_applied_is_refused_and_kept},
          {"a cut at another record than the applied one is refused",
           a_cut_at_another_record_than_the_applied_one_is_refused},
          {"a cut beyond the end ends the link", a_cut_beyond_the_end_ends_the_link},
          {"a probe beyond the end has no place", a_probe_beyond_the_end_has_no_place},
          {"records before the cut or of another epoch are nothing",
           records_before_the_cut_or_of_another_epoch_are_nothing},
          {"a snapshot that ends before the log does is refused",
           a_snapshot_that_ends_before_the_log_does_is_refused},
          {"a snapshot with a hole is never installed", a_snapshot_with_a_hole_is_never_installed},
          {"after a refused snapshot nobody is followed for a while",
           after_a_refused_snapshot_nobody_is_followed_for_a_while},
          {"a snapshot waits until it holds what the standby has",
           a_snapshot_waits_until_it_holds_what_the_standby_has})

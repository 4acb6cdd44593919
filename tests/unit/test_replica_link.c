/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica_link.c: proves what storage/replica refuses of a peer, of a LEAD, of a grant; and
 * that nothing is said below the promise. Owns nothing but its cases. Never touches a file. */
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* ---- Who may be at the other end ---- */

static void refuses_hello(const struct message *hello, const char *trace)
{
    struct kit *kit = kit_faced();

    kit_inject(kit, kit_host(kit, 1), hello);
    CU_ASSERT(kit_traced(kit, trace));
    CU_ASSERT_FALSE(kit_host(kit, 1)->link.up);
    kit_free(kit);
}

static void a_peer_that_cannot_be_the_other_host_is_refused_with_a_reason(void)
{
    struct kit *kit = kit_new();
    struct message good = kit_hello_from(kit_host(kit, 2));
    struct message bad = good;

    bad.u.state.cluster_id[0] ^= 1;
    refuses_hello(&bad, "1> bye the peer is of another cluster\n"
                        "1: drop the peer is of another cluster\n");
    bad = good;
    bad.u.state.host = 1;
    refuses_hello(&bad, "1> bye both hosts have the same number\n"
                        "1: drop both hosts have the same number\n");
    bad = good;
    memcpy(bad.u.state.store_id, kit_host(kit, 1)->options.store_id, STORAGE_ID_SIZE);
    refuses_hello(&bad, "1> bye both hosts have the same store: one was copied\n"
                        "1: drop both hosts have the same store: one was copied\n");
    bad = good;
    bad.u.state.version_min = 2;
    bad.u.state.version_max = 3;
    refuses_hello(&bad, "1> bye no protocol version that both hosts speak\n"
                        "1: drop no protocol version that both hosts speak\n");
    bad = good;
    bad.type = MESSAGE_STATE;
    refuses_hello(&bad, "1> bye the first message is no HELLO\n"
                        "1: drop the first message is no HELLO\n");
    kit_free(kit);
}

static void jumps(void (*change)(struct message_state *state), const char *reason)
{
    struct kit *kit = kit_greeted();
    struct message state = kit_hello_from(kit_host(kit, 2));
    char trace[256];

    state.type = MESSAGE_STATE;
    state.u.state.promised = 5;
    kit_inject(kit, kit_host(kit, 1), &state); /* grows: fine */
    CU_ASSERT(kit_traced(kit, ""));
    change(&state.u.state);
    kit_inject(kit, kit_host(kit, 1), &state);
    (void)snprintf(trace, sizeof trace, "1> bye %s\n1: drop %s\n", reason, reason); /* fits */
    CU_ASSERT(kit_traced(kit, trace));
    kit_free(kit);
}

static void change_incarnation(struct message_state *state)
{
    state->incarnation++;
}

static void change_store(struct message_state *state)
{
    state->store_id[3] ^= 1;
}

static void change_promise(struct message_state *state)
{
    state->promised--;
}

static void change_lineage(struct message_state *state)
{
    state->lineage = 0;
}

static void a_peer_whose_state_jumps_is_dropped(void)
{
    jumps(change_incarnation, "the peer became another one on the same link");
    jumps(change_store, "the peer became another one on the same link");
    jumps(change_promise, "the peer's promise fell");
    jumps(change_lineage, "the peer's lineage vanished");
}

static void nothing_is_heard_between_the_drop_and_the_links_end(void)
{
    struct kit *kit = kit_greeted();
    struct message hello = kit_hello_from(kit_host(kit, 2));
    struct message data = {.type = MESSAGE_DATA, .u.data = SPAN_LITERAL("x")};
    struct kit_host *one = kit_host(kit, 1);

    kit->hold_drop = true;
    kit_inject(kit, one, &hello);
    CU_ASSERT(kit_traced(kit, "1> bye a second HELLO\n"
                              "1: drop a second HELLO\n"));
    kit_clear(kit);
    kit_inject(kit, one, &hello);
    kit_inject(kit, one, &data);
    CU_ASSERT(kit_traced(kit, ""));
    kit_free(kit);
}

/* ---- LEAD ---- */

/* Rule A, counterexample 8. */
static void nobody_is_followed_before_the_register_is_read(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));

    kit_start(kit, one); /* this incarnation has read nothing */
    kit_command(kit, one, REPLICA_EVENT_LINK_UP);
    kit_inject(kit, one, &hello);
    kit_leads(kit, 4);
    CU_ASSERT(kit_traced(kit, ""));
    kit_register(kit, one, 4, 2);
    CU_ASSERT(kit_traced(kit, "1: promise 4\n"
                              "1> follow 4 last 0 applied 0\n"));
    kit_free(kit);
}

static void a_lead_below_the_promise_or_the_register_is_answered_by_state(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);

    kit_seal(kit, one, 5);
    kit_leads(kit, 4);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT_EQUAL(one->sent[MESSAGE_STATE], 2); /* the seal's, and the answer */
    kit_register(kit, one, 7, 2);
    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT_EQUAL(one->sent[MESSAGE_STATE], 3);
    kit_leads(kit, 7);
    CU_ASSERT(kit_traced(kit, "1: promise 7\n"
                              "1> follow 7 last 0 applied 0\n"));
    kit_free(kit);
}

static void an_epoch_that_the_register_gives_to_this_host_is_not_followed(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);

    kit_register(kit, one, 6, 1);
    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, ""));
    kit_free(kit);
}

static void an_epoch_that_this_host_sealed_is_not_followed(void)
{
    struct kit *kit = kit_greeted();

    kit_seal(kit, kit_host(kit, 1), 6);
    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, "1> bye two incarnations lead one epoch\n"
                              "1: drop two incarnations lead one epoch\n"));
    kit_free(kit);
}

static void two_incarnations_never_lead_one_epoch(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));
    struct message lead = kit_lead_of(6);

    kit_leads(kit, 6);
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "matching");
    kit_command(kit, one, REPLICA_EVENT_LINK_DOWN);
    kit_command(kit, one, REPLICA_EVENT_LINK_UP);
    hello.u.state.incarnation = 1000;
    lead.u.lead.incarnation = 1000;
    kit_inject(kit, one, &hello);
    kit_clear(kit);
    kit_inject(kit, one, &lead);
    CU_ASSERT(kit_traced(kit, "1> bye two incarnations lead one epoch\n"
                              "1: drop two incarnations lead one epoch\n"));
    kit_free(kit);
}

/* Two halves of a pair whose hosts were both told that the other one is off (manual): the
 * supervisors find out by this very link. */
static void two_that_lead_one_epoch_keep_the_link_and_neither_follows(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct kit *kit = kit_new();
        struct kit_host *one = kit_host(kit, 1);
        struct kit_host *two = kit_host(kit, 2);
        uint64_t durable;

        kit_grant(kit, one, 6, NULL);
        kit_grant(kit, two, i == 0 ? 6 : 5, NULL);
        kit_write(kit, one);
        kit_write(kit, two);
        durable = two->lsn_durable;
        kit_connect(kit);
        kit_wait(kit, 4ULL * KIT_EVICT_MS);
        if (i == 0) {
            CU_ASSERT(one->link.up);
            CU_ASSERT(two->link.up);
            CU_ASSERT_EQUAL(one->link.peer.role, REPLICA_PRIMARY);
            CU_ASSERT_EQUAL(one->link.peer.epoch, 6);
            CU_ASSERT_FALSE(one->link.silent);
            CU_ASSERT_FALSE(one->link.in_sync);
            CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), replica_phase(two->replica));
            CU_ASSERT_EQUAL(one->sent[MESSAGE_FOLLOW] + two->sent[MESSAGE_FOLLOW], 0);
            CU_ASSERT_EQUAL(one->sent[MESSAGE_ACK] + two->sent[MESSAGE_ACK], 0);
            CU_ASSERT_EQUAL(two->lsn_durable, durable);
            CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 0);
            CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DEPOSED], 0);
        } else {
            CU_ASSERT_EQUAL(two->report_count[REPLICA_REPORT_DEPOSED], 1);
        }
        kit_free(kit);
    }
}

static void a_lead_in_anothers_name_is_dropped(void)
{
    struct kit *kit = kit_greeted();
    struct message lead = kit_lead_of(6);

    lead.u.lead.incarnation = 1234;
    kit_inject(kit, kit_host(kit, 1), &lead);
    CU_ASSERT(kit_traced(kit, "1> bye LEAD of another incarnation than the peer's\n"
                              "1: drop LEAD of another incarnation than the peer's\n"));
    kit_free(kit);
}

static struct kit *greeted_with_lineage(uint64_t ours, uint64_t records, uint64_t theirs)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));

    one->options.lineage = ours;
    kit_fill(one, records, 1, 0);
    kit_start(kit, one);
    kit_register(kit, one, 0, 0);
    hello.u.state.lineage = theirs;
    kit_command(kit, one, REPLICA_EVENT_LINK_UP);
    kit_inject(kit, one, &hello);
    return kit;
}

/* Rule F. */
static void another_lineage_is_never_followed(void)
{
    struct kit *kit = greeted_with_lineage(KIT_LINEAGE, 3, KIT_LINEAGE + 1);

    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, "1: resync the primary's log is of another lineage\n"));
    CU_ASSERT_EQUAL(kit_host(kit, 1)->options.promised, 0);
    kit_free(kit);
}

static void records_without_a_lineage_are_somebodys_data(void)
{
    struct kit *kit = greeted_with_lineage(0, 3, KIT_LINEAGE);

    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, "1: resync the primary's log is of another lineage\n"));
    kit_free(kit);
}

static void an_empty_store_takes_the_lineage_with_its_first_promise(void)
{
    struct kit *kit = greeted_with_lineage(0, 0, KIT_LINEAGE);
    struct kit_host *one = kit_host(kit, 1);

    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, "1: promise 6\n"
                              "1> follow 6 last 0 applied 0\n"));
    CU_ASSERT_EQUAL(one->options.lineage, KIT_LINEAGE);
    kit_free(kit);
}

/* ---- The promise ---- */

static void nothing_is_said_before_the_promise_is_durable(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);
    struct message ping = {.type = MESSAGE_PING};

    ping.u.ping = (struct message_ping){.epoch = 6, .incarnation = 999, .sequence = 1};
    one->hold_promise = true;
    kit_leads(kit, 6);
    kit_inject(kit, one, &ping);
    CU_ASSERT(kit_traced(kit, "1: promise 6\n"));
    CU_ASSERT_EQUAL(one->sent[MESSAGE_ECHO], 0);
    kit_release(kit, one);
    CU_ASSERT(kit_traced(kit, "1: promise 6\n"
                              "1> follow 6 last 0 applied 0\n"));
    kit_inject(kit, one, &ping);
    CU_ASSERT_EQUAL(one->sent[MESSAGE_ECHO], 1);
    kit_free(kit);
}

/* Rule C, counterexample 4: from SEAL on, not only from SEALED on. */
static void from_seal_on_nothing_lower_is_acknowledged_or_echoed(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);
    uint32_t echoes;
    uint32_t acks;

    kit_pair_in_sync(kit);
    two->hold_promise = true;
    two->hold_sync = true;
    kit_write(kit, one); /* is under way to the disk while the seal is */
    echoes = two->sent[MESSAGE_ECHO];
    acks = two->sent[MESSAGE_ACK];
    kit_seal(kit, two, 3);
    two->hold_sync = false;
    two->lsn_durable = two->lsn_last;
    kit_write(kit, one);
    kit_wait(kit, KIT_PING_MS);
    CU_ASSERT_EQUAL(two->report_count[REPLICA_REPORT_SEALED], 0);
    kit_release(kit, two);
    kit_wait(kit, KIT_PING_MS);
    CU_ASSERT_EQUAL(two->report_count[REPLICA_REPORT_SEALED], 1);
    CU_ASSERT_EQUAL(two->sent[MESSAGE_ECHO], echoes);
    CU_ASSERT_EQUAL(two->sent[MESSAGE_ACK], acks);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    kit_free(kit);
}

static void a_grant_arriving_while_streaming_ends_it(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);
    struct replica_event grant = {.type = REPLICA_EVENT_GRANT};

    kit_pair_in_sync(kit);
    grant.u.grant = (struct replica_grant){.epoch = 3, .lineage = KIT_LINEAGE};
    two->hold_promise = true;
    kit_event(kit, two, &grant); /* not even sealed before */
    CU_ASSERT(kit_traced(kit, "2: promise 3\n"));
    kit_write(kit, one);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    kit_clear(kit);
    kit_release(kit, two);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "2: begin 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: deposed by 3\n"));
    kit_free(kit);
}

static void a_grant_below_the_promise_is_refused(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);
    struct replica_event grant = {.type = REPLICA_EVENT_GRANT};

    kit_leads(kit, 6);
    kit_clear(kit);
    grant.u.grant = (struct replica_grant){.epoch = 5, .lineage = KIT_LINEAGE};
    kit_event(kit, one, &grant);
    CU_ASSERT(kit_traced(kit, "1: deposed by 6\n"));
    kit_seal(kit, one, 6); /* the epoch that the peer leads */
    CU_ASSERT(kit_traced(kit, "1: deposed by 6\n"
                              "1: deposed by 6\n"));
    CU_ASSERT_EQUAL(replica_role(one->replica), REPLICA_STANDBY);
    kit_free(kit);
}

static void a_lead_between_seal_and_grant_takes_the_grant_away(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);
    struct replica_event grant = {.type = REPLICA_EVENT_GRANT};

    kit_seal(kit, one, 5);
    kit_leads(kit, 6);
    CU_ASSERT(kit_traced(kit, "1: promise 6\n"
                              "1> follow 6 last 0 applied 0\n"));
    kit_clear(kit);
    grant.u.grant = (struct replica_grant){.epoch = 5, .lineage = KIT_LINEAGE};
    kit_event(kit, one, &grant);
    CU_ASSERT(kit_traced(kit, "1: deposed by 6\n"));
    kit_free(kit);
}

static void a_grant_waits_for_a_cut_that_is_under_way(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_grant(kit, one, 1, NULL);
    two->hold_cut = true;
    kit_connect(kit);
    kit_disconnect(kit);
    kit_clear(kit);
    kit_grant(kit, two, 2, NULL);
    CU_ASSERT(kit_traced(kit, "2: promise 2\n"
                              "2: sealed 2\n"));
    kit_release(kit, two);
    CU_ASSERT(kit_traced(kit, "2: promise 2\n"
                              "2: sealed 2\n"
                              "2: begin 2\n"
                              "2: leading 2\n"));
    kit_free(kit);
}

static void a_grant_of_a_new_lineage_makes_it_durable_first(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    one->options.lineage = KIT_LINEAGE - 1;
    kit_start(kit, one);
    kit_grant(kit, one, 4, NULL);
    CU_ASSERT(kit_traced(kit, "1: promise 4\n"
                              "1: sealed 4\n"
                              "1: promise 4\n"
                              "1: begin 4\n"
                              "1: leading 4\n"));
    CU_ASSERT_EQUAL(one->options.lineage, KIT_LINEAGE);
    kit_free(kit);
}

UNIT_MAIN("replica link",
          {"a peer that cannot be the other host is refused with a reason",
           a_peer_that_cannot_be_the_other_host_is_refused_with_a_reason},
          {"a peer whose state jumps is dropped", a_peer_whose_state_jumps_is_dropped},
          {"nothing is heard between the drop and the links end",
           nothing_is_heard_between_the_drop_and_the_links_end},
          {"nobody is followed before the register is read",
           nobody_is_followed_before_the_register_is_read},
          {"a lead below the promise or the register is answered by state",
           a_lead_below_the_promise_or_the_register_is_answered_by_state},
          {"an epoch that the register gives to this host is not followed",
           an_epoch_that_the_register_gives_to_this_host_is_not_followed},
          {"an epoch that this host sealed is not followed",
           an_epoch_that_this_host_sealed_is_not_followed},
          {"two incarnations never lead one epoch", two_incarnations_never_lead_one_epoch},
          {"two that lead one epoch keep the link, and neither follows",
           two_that_lead_one_epoch_keep_the_link_and_neither_follows},
          {"a lead in anothers name is dropped", a_lead_in_anothers_name_is_dropped},
          {"another lineage is never followed", another_lineage_is_never_followed},
          {"records without a lineage are somebodys data",
           records_without_a_lineage_are_somebodys_data},
          {"an empty store takes the lineage with its first promise",
           an_empty_store_takes_the_lineage_with_its_first_promise},
          {"nothing is said before the promise is durable",
           nothing_is_said_before_the_promise_is_durable},
          {"from seal on nothing lower is acknowledged or echoed",
           from_seal_on_nothing_lower_is_acknowledged_or_echoed},
          {"a grant arriving while streaming ends it", a_grant_arriving_while_streaming_ends_it},
          {"a grant below the promise is refused", a_grant_below_the_promise_is_refused},
          {"a lead between seal and grant takes the grant away",
           a_lead_between_seal_and_grant_takes_the_grant_away},
          {"a grant waits for a cut that is under way", a_grant_waits_for_a_cut_that_is_under_way},
          {"a grant of a new lineage makes it durable first",
           a_grant_of_a_new_lineage_makes_it_durable_first})

/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_ways.c: proves supervisor/failover/failover: what it tells a person to do is right,
 * and is told while it is needed. Owns nothing but its cases. Never speaks to an arbiter: the bench
 * answers. */
#include "tests/unit/failover_unit.h"

#define OTHER_LINEAGE 99U

static bool waits_for(const struct kit *kit, const char *words)
{
    struct failover_status status;

    failover_status(kit->failover, &status);
    if (strstr(status.reason, words) == NULL) {
        (void)fprintf(stderr, "\n  waits for %s\n  wanted    %s\n", status.reason, words);
        return false;
    }
    return true;
}

/* Host 1, its log at epoch 4, beside a register of epoch 5 of another lineage, led by host 2. */
static void unit_apart(struct kit *kit)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 2, "-B");

    value.lineage = OTHER_LINEAGE;
    kit_new(kit, &options);
    kit_start(kit, NULL);
    kit_up(kit, 1, 'A', 4, 10);
    kit_read(kit, &value);
    kit_read(kit, &value);
}

static void a_store_is_given_up_only_for_one_that_can_be_fetched(void)
{
    struct failover_link leads = kit_peer('B', 5, 120, 5, false);
    struct failover_link idle = kit_peer('B', 5, 120, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_apart(&kit);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]); /* it may still come */
    kit_wait(&kit, 2000);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT(waits_for(&kit, "host 2 does not lead: do NOT rejoin; start it, or (its disk is "
                              "lost) approvalctl promote --force --other-lineage"));
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "NO: the other host does not lead the register's lineage: there is nothing to "
                 "fetch");
    idle.peer_lineage = OTHER_LINEAGE;
    kit_link(&kit, &idle);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "NO: the other host does not lead the register's lineage: there is nothing to "
                 "fetch");
    kit_link(&kit, &leads); /* of this host's own lineage: not what the register names */
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "NO: the other host does not lead the register's lineage: there is nothing to "
                 "fetch");
    leads.peer_lineage = OTHER_LINEAGE;
    kit_link(&kit, &leads);
    CU_ASSERT(waits_for(&kit, "is of another lineage: approvalctl rejoin"));
    kit_link(&kit, &silence);
    CU_ASSERT(waits_for(&kit, "do NOT rejoin"));
    kit_link(&kit, &leads);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "RESYNC; OK: gives up its store and fetches the other host's");
    kit_free(&kit);
}

static void a_primary_that_nobody_acknowledges_says_so(void)
{
    struct failover_link behind = kit_peer('B', 7, 101, 0, false);
    struct failover_link well = kit_peer('B', 7, 120, 0, true);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &silence); /* protection = strict: no removal is proposed */
    kit_wait(&kit, 1999);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_wait(&kit, 1);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT(waits_for(&kit, "nothing is answered: host 2 has to acknowledge and is not heard: "
                              "start it"));
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_link(&kit, &behind);
    CU_ASSERT(waits_for(&kit, "host 2 is heard, but not in sync yet"));
    kit_link(&kit, &well);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_link(&kit, &behind); /* counted anew */
    kit_wait(&kit, 1999);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_free(&kit);
    unit_solo(&kit);
    kit_wait(&kit, 3000);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_free(&kit);
}

/* The other host's operator may say that this one is off, and be wrong. */
static void a_primary_alone_and_unheard_looks_at_the_register_often(void)
{
    struct failover_link behind = kit_peer('B', 5, 50, 0, false);
    struct failover_link silence = kit_silence();
    struct register_value value;
    struct kit kit;

    unit_solo(&kit);
    value = kit.won;
    kit_wait(&kit, 100);
    CU_ASSERT(kit.read_out);
    kit_read(&kit, &value);
    kit_wait(&kit, 100);
    CU_ASSERT(kit.read_out);
    kit_read(&kit, &value);
    kit_link(&kit, &behind);
    kit_wait(&kit, 1900);
    CU_ASSERT_FALSE(kit.read_out); /* who forces has to see that link down */
    kit_link(&kit, &silence);
    CU_ASSERT(kit.read_out);
    kit_read(&kit, &value);
    kit_wait(&kit, 100);
    value = kit_value(1048576, 2, "-B");
    value.lineage = OTHER_LINEAGE;
    kit_read(&kit, &value);
    EXPECT(&kit, "PERSIST 1048576; REVOKE; READ; ELIGIBLE 0");
    kit_free(&kit);
}

static void the_only_host_left_says_that_nothing_leads(void)
{
    struct failover_link leads = kit_peer('B', 5, 100, 5, true);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    kit_safe(&kit, true);
    kit_wait(&kit, 5000);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT(waits_for(&kit, "three crashes"));
    kit_link(&kit, &silence);
    kit_wait(&kit, 1999);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_wait(&kit, 1);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT(waits_for(&kit, "nobody leads: start host 2, or approvalctl safe-mode clear here"));
    kit_link(&kit, &leads);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_safe(&kit, false);
    kit_command(&kit, FAILOVER_MAINTENANCE_ON);
    kit_link(&kit, &silence);
    kit_wait(&kit, 2000);
    CU_ASSERT(waits_for(&kit, "nobody leads: start host 2, or approvalctl maintenance off here"));
    kit_command(&kit, FAILOVER_MAINTENANCE_OFF);
    CU_ASSERT(kit.cas_out);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_free(&kit);
}

static void an_alarm_whose_reason_changes_is_told_again(void)
{
    struct failover_link leads = kit_peer('B', 5, 120, 5, false);
    struct failover_link silence = kit_silence();
    const char *told;
    struct kit kit;

    unit_apart(&kit);
    kit_wait(&kit, 2000);
    told = kit.alarm_reasons[FAILOVER_ALARM_NEEDS_OPERATOR];
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "do NOT rejoin"));
    leads.peer_lineage = OTHER_LINEAGE;
    kit_link(&kit, &leads);
    EXPECT(&kit, "ALARM operator");
    CU_ASSERT_PTR_NOT_NULL(strstr(told, ": approvalctl rejoin"));
    kit_link(&kit, &leads);
    EXPECT(&kit, "");
    kit_link(&kit, &silence);
    EXPECT(&kit, "ALARM operator");
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "do NOT rejoin"));
    kit_free(&kit);
}

/* The register's lineage was forced by host 2, whose disk is lost. */
static void a_store_of_another_lineage_leads_when_the_registers_is_lost(void)
{
    struct failover_link leads = kit_peer('B', 5, 120, 5, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_apart(&kit);
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: first confirm that the other host is off: approvalctl peer-off");
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_link(&kit, &leads); /* and is heard: the word is void */
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: the other host is heard: it is not off");
    kit_link(&kit, &silence);
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: first confirm that the other host is off: approvalctl peer-off");
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_wait(&kit, 2000);
    kit_read_failed(&kit, FAILOVER_NOT_SENT);
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: the arbiter does not answer: replace it, then approvalctl arbiter reseed");
    kit_free(&kit);
    unit_apart(&kit);
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: this host's store is of another lineage; if the register's is lost: promote "
                 "--force --other-lineage");
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "OK: forced promotion, new lineage; this host was not known to be in sync when it "
                 "was last heard; CAS 1048576 p1 A- new lineage");
    CU_ASSERT_EQUAL(kit.cas_revision, 15);
    CU_ASSERT_NOT_EQUAL(kit.cas_value.lineage, OTHER_LINEAGE);
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: a change of the register is under way or unresolved");
    unit_win(&kit);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
    unit_ready(&kit, 2, "-B"); /* of the register's lineage */
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_command(&kit, FAILOVER_FORCE_OTHER);
    EXPECT(&kit, "NO: this host's store is of the register's lineage: promote --force without "
                 "more");
    kit_free(&kit);
}

static void the_obstacle_of_a_command_names_the_way_around_it(void)
{
    struct failover_options options = kit_options();
    struct failover_link other = kit_peer('B', 5, 90, 0, false);
    struct register_value value = kit_value(5, 2, "AB");
    struct kit kit;

    options.linearizable = false; /* and the other host is dead: the mirror asks for the operator */
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read_failed(&kit, FAILOVER_REFUSED);
    CU_ASSERT(waits_for(&kit, "is the other host off? then approvalctl peer-off"));
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: first: approvalctl peer-off");
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: the register is read again: try again");
    kit_wait(&kit, 100);
    kit_read(&kit, &value);
    kit_command(&kit, FAILOVER_FORCE);
    CU_ASSERT(kit.cas_out);
    kit_free(&kit);
    options.linearizable = true;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, NULL);
    kit_read(&kit, NULL);
    CU_ASSERT(waits_for(&kit, "approvalctl pair bootstrap"));
    kit_free(&kit);
    unit_standby(&kit);
    kit_wait(&kit, 2000);
    kit_read(&kit, NULL); /* a new arbiter */
    other.peer_lineage = OTHER_LINEAGE;
    kit_link(&kit, &other);
    kit_command(&kit, FAILOVER_BOOTSTRAP);
    EXPECT(&kit,
           "NO: the arbiter is another one, or its register is gone: approvalctl arbiter reseed "
           "(if the other host is off: first approvalctl peer-off)");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit,
           "NO: the two stores are of different lineages: stop the host whose store is to go, "
           "here peer-off and reseed again, then rejoin there");
    kit_free(&kit);
}

static void maintenance_is_refused_where_it_would_not_take_the_load_off(void)
{
    struct failover_link behind = kit_peer('B', 7, 101, 0, false);
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &behind);
    kit_command(&kit, FAILOVER_MAINTENANCE_ON);
    EXPECT(&kit, "NO: the other host is not in sync");
    CU_ASSERT_FALSE(kit.memory.maintenance);
    kit_free(&kit);
    unit_solo(&kit);
    kit_command(&kit, FAILOVER_MAINTENANCE_ON);
    EXPECT(&kit, "NO: the other host is not in the ISR");
    kit_free(&kit);
}

static void a_store_that_was_lost_is_told_on_the_primary(void)
{
    struct failover_link other = kit_peer('C', 0, 0, 0, false);
    struct failover_link silence = kit_silence();
    struct register_value value;
    struct kit kit;

    unit_paired(&kit);
    value = kit.won;
    kit_link(&kit, &silence);
    kit_link(&kit, &other);
    kit_wait(&kit, 2000);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT(waits_for(&kit, "host 2 is back with another store (its disk was lost?): restart "
                              "approvald-supervisor here, host 2 then fetches anew"));
    kit_down(&kit); /* as it says: this host leads alone, and takes the other one in */
    kit_up(&kit, 2, 'A', 7, 120);
    kit_link(&kit, &other);
    kit_read(&kit, &value);
    if (kit.read_out) {
        kit_read(&kit, &value);
    }
    CU_ASSERT(kit.cas_out);
    unit_win(&kit);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 8, 'C');
    EXPECT(&kit, "CAS 9 p1 AC");
    kit_free(&kit);
}

static void a_store_of_a_host_that_was_alone_is_told_to_rejoin(void)
{
    struct failover_options options = kit_options();
    struct failover_event up = {.type = FAILOVER_EVENT_CHILD_UP};
    struct failover_link leads = kit_peer('B', 5, 120, 5, false);
    struct register_value value = kit_value(5, 2, "-B");
    struct kit kit;

    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 1, 10);
    up.u.child = (struct failover_child){.incarnation = 2, .last_epoch = 1, .last_lsn = 10};
    memset(up.u.child.store_id, 'A', REGISTER_ID_SIZE);
    kit_down(&kit);
    kit.incarnation = 2;
    kit_step(&kit, &up); /* no lineage */
    kit_read(&kit, &value);
    if (kit.read_out) {
        kit_read(&kit, &value);
    }
    kit_wait(&kit, 2000);
    CU_ASSERT(waits_for(&kit, "has records of its own, and host 2 does not lead: do NOT rejoin; "
                              "start it, or (its disk is lost) approvalctl promote --force "
                              "--other-lineage"));
    kit_link(&kit, &leads);
    CU_ASSERT(waits_for(&kit, "this host's store has records of its own: approvalctl rejoin"));
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "RESYNC; OK: gives up its store and fetches the other host's");
    kit_free(&kit);
}

UNIT_MAIN(
    "failover_ways",
    {"a store of a host that was alone is told to rejoin",
     a_store_of_a_host_that_was_alone_is_told_to_rejoin},
    {"a store that was lost is told on the primary", a_store_that_was_lost_is_told_on_the_primary},
    {"maintenance is refused where it would not take the load off",
     maintenance_is_refused_where_it_would_not_take_the_load_off},
    {"the obstacle of a command names the way around it",
     the_obstacle_of_a_command_names_the_way_around_it},
    {"F a store of another lineage leads when the register's is lost",
     a_store_of_another_lineage_leads_when_the_registers_is_lost},
    {"an alarm whose reason changes is told again", an_alarm_whose_reason_changes_is_told_again},
    {"the only host left says that nothing leads", the_only_host_left_says_that_nothing_leads},
    {"a primary alone and unheard looks at the register often",
     a_primary_alone_and_unheard_looks_at_the_register_often},
    {"a primary that nobody acknowledges says so", a_primary_that_nobody_acknowledges_says_so},
    {"a store is given up only for one that can be fetched",
     a_store_is_given_up_only_for_one_that_can_be_fetched})

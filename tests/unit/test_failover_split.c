/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_split.c: what the program asks a person to do where the register is mirrored
 * (manual) and not to be had is what it then takes.
 * Owns nothing but its cases. Never speaks to an arbiter: the bench answers. */
#include "tests/unit/failover_unit.h"

#define WAY_OUT                                                                                    \
    "shut down the one whose changes are to go, then approvalctl peer-off on the other one"

static const char *reason_of(const struct kit *kit)
{
    static struct failover_status status;

    failover_status(kit->failover, &status);
    return status.reason;
}

static void expect_asks(const struct kit *kit, const char *words)
{
    CU_ASSERT(kit->alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->alarm_reasons[FAILOVER_ALARM_NEEDS_OPERATOR], words));
    if (strstr(reason_of(kit), words) == NULL) {
        CU_FAIL(words);
        (void)fprintf(stderr, "\n  waits for %s\n  wanted    %s\n", reason_of(kit), words);
    }
}

static void read_split(struct kit *kit)
{
    struct failover_answer answer = {.outcome = FAILOVER_REFUSED, .split = true};

    step_answer(kit, &answer);
}

static void unit_mirrored(struct kit *kit)
{
    struct failover_options options = kit_options();

    options.linearizable = false;
    kit_new(kit, &options);
    kit_start(kit, NULL);
    kit_up(kit, 1, 'A', 5, 100);
}

static void a_split_says_the_words_that_end_it(void)
{
    struct failover_link beside = kit_peer('B', 5, 90, 0, false);
    struct failover_link silence = kit_silence();
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    unit_mirrored(&kit);
    kit_link(&kit, &beside);
    read_split(&kit);
    if (kit.read_out) {
        read_split(&kit);
    }
    expect_asks(&kit, WAY_OUT);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "NO: the other host is heard: shut it down first, if its changes are to go");
    kit_link(&kit, &silence); /* done as it says */
    expect_asks(&kit, WAY_OUT);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "OK: the operator says that the other host is off");
    kit_wait(&kit, 100);
    kit_read(&kit, &value);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    unit_win(&kit);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void a_host_that_leads_its_half_says_so(void)
{
    struct failover_options options = kit_options();
    struct failover_link beside = kit_peer('B', 6, 90, 6, false);
    struct failover_link silence = kit_silence();
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    options.linearizable = false;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    unit_win(&kit);
    value = kit.won;
    kit_link(&kit, &beside);
    kit_wait(&kit, 2000);
    read_split(&kit);
    expect_asks(&kit, WAY_OUT);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_link(&kit, &silence);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "OK: the operator says that the other host is off");
    kit_wait(&kit, 100);
    kit_read(&kit, &value);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

/* Its word would be refused: it is not asked for. */
static void nobody_is_asked_whether_a_host_is_off_that_is_heard(void)
{
    struct failover_link beside = kit_peer('B', 5, 90, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_mirrored(&kit);
    kit_link(&kit, &beside);
    kit_read_failed(&kit, FAILOVER_REFUSED);
    if (kit.read_out) {
        kit_read_failed(&kit, FAILOVER_REFUSED);
    }
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]); /* it may yet answer */
    kit_wait(&kit, 1999);
    CU_ASSERT_FALSE(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_wait(&kit, 1);
    expect_asks(&kit, "the other host is heard, but its supervisor does not answer: restart "
                      "approvald-supervisor there");
    kit_link(&kit, &silence);
    expect_asks(&kit, "is the other host off? then approvalctl peer-off");
    kit_free(&kit);
}

/* The mirror takes the word only when the connection has ended. */
static void the_word_waits_for_the_end_of_the_connection(void)
{
    struct failover_link half = kit_peer('B', 5, 90, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_mirrored(&kit);
    half.silent = true;
    kit_link(&kit, &half);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "NO: the connection to the other host has not ended yet: try again");
    kit_link(&kit, &silence);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "OK: the operator says that the other host is off");
    kit_free(&kit);
}

static void an_outdated_host_is_told_the_command(void)
{
    struct register_value value = kit_value(5, 2, "AB");
    struct kit kit;

    unit_mirrored(&kit);
    kit_read_failed(&kit, FAILOVER_REFUSED);
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_wait(&kit, 100);
    kit_read(&kit, &value);
    expect_asks(&kit, "start the other host, or approvalctl promote --force");
    kit_command(&kit, FAILOVER_FORCE);
    CU_ASSERT(kit.cas_out);
    kit_free(&kit);
}

UNIT_MAIN("failover_split",
          {"a split says the words that end it", a_split_says_the_words_that_end_it},
          {"a host that leads its half says so", a_host_that_leads_its_half_says_so},
          {"nobody is asked whether a host is off that is heard",
           nobody_is_asked_whether_a_host_is_off_that_is_heard},
          {"the word waits for the end of the connection",
           the_word_waits_for_the_end_of_the_connection},
          {"an outdated host is told the command", an_outdated_host_is_told_the_command})

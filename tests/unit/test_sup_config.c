/* SPDX-License-Identifier: Apache-2.0 */
/* test_sup_config.c: proves supervisor/sup_config: what is refused, and with which words.
 * Owns nothing but its cases. Never reads a file. */
#include "supervisor/sup_config.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define FENCE "arbiter {\n kind = fence\n}\n"
#define ARBITER                                                                                    \
    "arbiter {\n kind = etcd\n endpoints = {\"https://192.0.2.3:2379\"}\n certificate = \"a\"\n"   \
    " key = \"b\"\n ca = \"c\"\n}\n"
#define PAIR                                                                                       \
    "pair {\n host = 1\n cluster_id = \"000102030405060708090a0b0c0d0e0f\"\n"                      \
    " listen = \"192.0.2.1:9190\"\n peer_name = \"two\"\n certificate = \"c\"\n key = \"k\"\n"     \
    " ca = \"a\"\n"

static const char *refused(const char *text, struct err *err)
{
    struct sup_config *config = NULL;

    *err = (struct err)ERR_INIT;
    CU_ASSERT_EQUAL(sup_config_parse("s.conf", text, &config, err), ERR_INVALID);
    CU_ASSERT_PTR_NULL(config);
    sup_config_free(config);
    return err->message;
}

static void an_empty_file_is_a_single_host(void)
{
    struct sup_config *config = NULL;
    struct failover_options failover;
    struct contract_configure configure;
    struct watch_options watch;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(sup_config_parse("s.conf", "", &config, &err), ERR_OK);
    CU_ASSERT_FALSE(sup_config_has_pair(config));
    CU_ASSERT_FALSE(sup_config_has_vip(config));
    sup_config_failover(config, &failover);
    CU_ASSERT_TRUE(failover.alone);
    CU_ASSERT_EQUAL(failover.host, 1);
    sup_config_configure(config, &configure);
    CU_ASSERT_EQUAL(configure.mode, CONTRACT_ALONE);
    CU_ASSERT_EQUAL(configure.checkin_ms, 500);
    sup_config_watch(config, &watch);
    CU_ASSERT_EQUAL(watch.checkin_ms, 2000);
    sup_config_free(config);
}

static void a_whole_pair_is_understood(void)
{
    struct sup_config *config = NULL;
    struct failover_options failover;
    struct contract_configure configure;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(
        sup_config_parse("s.conf", PAIR "protection = strict\n}\n" ARBITER, &config, &err), ERR_OK);
    sup_config_failover(config, &failover);
    CU_ASSERT_FALSE(failover.alone);
    CU_ASSERT_TRUE(failover.linearizable);
    CU_ASSERT_EQUAL(failover.bias_ms, 250);
    /* A lost arbiter is noticed in some seconds, though nothing needs it. */
    CU_ASSERT(failover.idle_read_ms >= failover.read_ms && failover.idle_read_ms <= 5000);
    CU_ASSERT_EQUAL(failover.cluster_id[15], 15);
    sup_config_configure(config, &configure);
    CU_ASSERT_EQUAL(configure.mode, CONTRACT_PAIR);
    CU_ASSERT_TRUE(configure.strict);
    CU_ASSERT_EQUAL(configure.silence_ms, 300);
    CU_ASSERT_STRING_EQUAL(configure.peer_name, "two");
    sup_config_free(config);
}

/* What a pair has left in the file asks nothing of the host that is alone now. */
static void only_a_pair_is_strict(void)
{
    struct sup_config *config = NULL;
    struct failover_options failover;
    struct contract_configure configure;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(sup_config_parse("s", "pair {\n protection = strict\n}\n", &config, &err),
                          ERR_OK);
    sup_config_failover(config, &failover);
    CU_ASSERT_FALSE(failover.strict);
    sup_config_configure(config, &configure);
    CU_ASSERT_FALSE(configure.strict);
    sup_config_free(config);
}

static void the_four_times_are_checked_against_each_other(void)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {PAIR "ping = 101ms\n}\n" ARBITER, "silence (300 ms) has to be at least three times ping"},
        {PAIR "bias = 99ms\n}\n" ARBITER, "bias (99 ms) has to be at least twice ping"},
        {PAIR "evict = 300ms\n}\n" ARBITER, "evict (300 ms) has to be longer than silence"},
        {PAIR "start_wait = 549ms\n}\n" ARBITER, "start_wait (549 ms) has to be at least silence"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;
        const char *message = refused(cases[i].text, &err);

        CU_ASSERT_PTR_NOT_NULL(strstr(message, cases[i].says));
        CU_ASSERT_EQUAL(strncmp(message, "s.conf:1: pair: ", 16), 0);
    }
}

static void what_belongs_together_is_asked_for(void)
{
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"pair {\n host = 1\n}\n" ARBITER, "s.conf:1: pair: cluster_id has to be given"},
        {PAIR "}\n", "arbiter: kind none: a pair needs etcd, manual or fence"},
        {PAIR "}\n" FENCE "fence {\n devices = {\"a b\"}\n}\n",
         "fence: devices: a name has 1 to 31"},
        {PAIR "}\n" FENCE "fence {\n devices = {}\n}\n", "fence: devices have to be given"},
        {PAIR "protection = strict\n}\n" FENCE, "helps nobody (arbiter manual)"},
        {ARBITER, "s.conf:1: arbiter: kind etcd: a single host needs none"},
        {PAIR "cluster_id = \"xyz\"\n}\n" ARBITER, "cluster_id has to be 32 hexadecimal digits"},
        {PAIR "host = 2\n}\n" ARBITER, "pair: peer has to be given"},
        {PAIR "}\narbiter {\n kind = etcd\n}\n", "arbiter: endpoints have to be given"},
        {"vip {\n address = \"192.0.2.9/24\"\n}\n", "vip: router_id has to be given"},
        {"vip {\n address = \"192.0.2.9\"\n router_id = 7\n}\n", "vip: address needs its prefix"},
        {"vip {\n address = \"192.0.2.9/24\"\n router_id = 7\n}\n", "vip: interface has to be"},
        {"vip {\n address = \"192.0.2.9/24\"\n router_id = 7\n interface = \"e\"\n}\n",
         "vip: own_address has to be given"},
        {"child {\n backoff = 11s\n}\n", "child: backoff is longer than backoff_max"},
        {"unknown = 1\n", "s.conf:1"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;

        CU_ASSERT_PTR_NOT_NULL(strstr(refused(cases[i].text, &err), cases[i].says));
    }
}

static void fence_devices_are_understood(void)
{
    struct sup_config *config = NULL;
    struct failover_options failover;
    struct fence_options fence;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(sup_config_parse("s", PAIR "}\n" ARBITER, &config, &err), ERR_OK);
    CU_ASSERT_FALSE(sup_config_fence(config, &fence));
    sup_config_free(config);
    CU_ASSERT_EQUAL_FATAL(sup_config_parse("s", PAIR "}\n" FENCE, &config, &err), ERR_OK);
    sup_config_failover(config, &failover);
    CU_ASSERT(failover.fences);
    CU_ASSERT_FALSE(failover.linearizable);
    CU_ASSERT(sup_config_fence(config, &fence));
    CU_ASSERT_EQUAL(fence.device_count, 1);
    CU_ASSERT_STRING_EQUAL(fence.devices[0], "peer");
    sup_config_free(config);
    CU_ASSERT_EQUAL_FATAL(
        sup_config_parse(
            "s", PAIR "}\n" FENCE "fence {\n devices = {\"pdu-a\", \"pdu-b\"}\n wait = 1s\n}\n",
            &config, &err),
        ERR_OK);
    CU_ASSERT(sup_config_fence(config, &fence));
    CU_ASSERT_EQUAL(fence.device_count, 2);
    CU_ASSERT_STRING_EQUAL(fence.devices[1], "pdu-b");
    CU_ASSERT_EQUAL(fence.wait_ms, 1000);
    sup_config_free(config);
}

static void a_reload_may_change_the_childs_times_and_nothing_else(void)
{
    struct sup_config *old = NULL;
    struct sup_config *new = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(sup_config_parse("a", "", &old, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(sup_config_parse("b", "child {\n checkin = 1s\n}\n", &new, &err), ERR_OK);
    CU_ASSERT_PTR_NULL(sup_config_fixed_change(old, new));
    sup_config_free(new);
    CU_ASSERT_EQUAL_FATAL(sup_config_parse("b", "user = \"other\"\n", &new, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(sup_config_fixed_change(old, new), "user");
    sup_config_free(new);
    CU_ASSERT_EQUAL_FATAL(sup_config_parse("b", PAIR "}\n" ARBITER, &new, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(sup_config_fixed_change(old, new), "host");
    sup_config_free(new);
    sup_config_free(old);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("sup_config",
          CASE(an_empty_file_is_a_single_host),
          CASE(a_whole_pair_is_understood),
          CASE(only_a_pair_is_strict),
          CASE(the_four_times_are_checked_against_each_other),
          CASE(what_belongs_together_is_asked_for),
          CASE(fence_devices_are_understood),
          CASE(a_reload_may_change_the_childs_times_and_nothing_else))

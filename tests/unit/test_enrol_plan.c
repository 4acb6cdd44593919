/* SPDX-License-Identifier: Apache-2.0 */
/* test_enrol_plan.c: proves the plan of a pair and the configurations made of it; the supervisor's
 * own parser reads what is made for it.
 * Owns one sample. Never touches a file or a network. */
#include "approvald/enrol/plan.h"
#include "approvald/enrol/texts.h"
#include "base/buf.h"
#include "supervisor/sup_config.h"
#include "tests/unit/unit.h"

#include <string.h>

static const struct plan sample = {.cluster_id = "0123456789abcdef0123456789abcdef",
                                   .host = {"192.0.2.1", "192.0.2.2"},
                                   .vip = "192.0.2.10/24",
                                   .interface = "eth0",
                                   .arbiter = "arbiter.example.com",
                                   .router_id = 10,
                                   .link_port = PLAN_LINK_PORT,
                                   .join_port = PLAN_JOIN_PORT,
                                   .service_port = PLAN_SERVICE_PORT,
                                   .arbiter_port = PLAN_ETCD_PORT};

static struct buf *buf_of(size_t size_max)
{
    struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(size_max, &buf, &err), ERR_OK);
    return buf;
}

static void test_round(void)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_PLAN_SIZE_MAX);
    struct plan back;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(plan_format(&sample, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(plan_parse(buf_span(buf), &back, &err), ERR_OK);
    CU_ASSERT(plan_equal(&sample, &back));
    CU_ASSERT_PTR_NULL(strstr(buf_text(buf), "fence")); /* as it was before there was any */
    back.router_id++;
    CU_ASSERT_FALSE(plan_equal(&sample, &back));
    CU_ASSERT_EQUAL(buf_append(buf, "", 1, &err), ERR_OK);
    CU_ASSERT_EQUAL(plan_parse(buf_span(buf), &back, &err), ERR_INVALID);
}

static void test_fence(void)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_PLAN_SIZE_MAX);
    struct plan plan = sample;
    struct plan back;
    struct err err = ERR_INIT;

    plan.fence = true;
    CU_ASSERT_EQUAL(plan_format(&plan, buf, &err), ERR_INVALID); /* and a third machine */
    plan.arbiter[0] = '\0';
    CU_ASSERT_STRING_EQUAL(plan_arbiter_word(&plan), "fence");
    CU_ASSERT_EQUAL_FATAL(plan_format(&plan, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(plan_parse(buf_span(buf), &back, &err), ERR_OK);
    CU_ASSERT(plan_equal(&plan, &back));
    CU_ASSERT(back.fence);
    back.fence = false;
    CU_ASSERT_FALSE(plan_equal(&plan, &back));
    CU_ASSERT_STRING_EQUAL(plan_arbiter_word(&back), "manual");
    CU_ASSERT_STRING_EQUAL(plan_arbiter_word(&sample), "arbiter.example.com");
}

static enum err_code check(struct plan plan)
{
    struct err err = ERR_INIT;

    return plan_check(&plan, &err);
}

#define WITH(member, value)                                                                        \
    do {                                                                                           \
        struct plan plan = sample;                                                                 \
                                                                                                   \
        (void)snprintf(plan.member, sizeof plan.member, "%s", value);                              \
        CU_ASSERT_EQUAL(check(plan), ERR_INVALID);                                                 \
    } while (0)

static void test_refused(void)
{
    CU_ASSERT_EQUAL(check(sample), ERR_OK);
    WITH(cluster_id, "0123456789abcdef0123456789abcde");
    WITH(cluster_id, "0123456789abcdef0123456789abcdeX");
    WITH(host[0], "host-a");
    WITH(host[0], "192.0.2.2");
    WITH(host[1], "2001:db8::2");
    WITH(vip, "192.0.2.10");
    WITH(vip, "192.0.2.10/0");
    WITH(vip, "192.0.2.10/33");
    WITH(vip, "192.0.2.1/24");
    WITH(vip, "192.0.2.10/24\"");
    WITH(interface, "");
    WITH(interface, "eth0\"}");
    WITH(interface, "eth 0");
    WITH(arbiter, "192.0.2.2");
    WITH(arbiter, "a\"b");
    WITH(arbiter, "-x");
}

static void test_ports(void)
{
    struct plan plan = sample;

    plan.link_port = plan.join_port;
    CU_ASSERT_EQUAL(check(plan), ERR_INVALID);
    plan = sample;
    plan.router_id = 0;
    CU_ASSERT_EQUAL(check(plan), ERR_INVALID);
    plan.vip[0] = '\0';
    CU_ASSERT_EQUAL(check(plan), ERR_OK); /* without an address there is no VRRP */
}

static void supervisor_reads(const struct plan *plan, unsigned int number)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_TEXT_SIZE_MAX);
    const struct texts_host host = {
        .host = number, .interface = "bond0", .folder = "/etc/approvald/pair"};
    struct sup_config *config = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(texts_supervisor(plan, &host, buf, &err), ERR_OK);
    CU_ASSERT(texts_is_ours(buf_span(buf)));
    CU_ASSERT_EQUAL_FATAL(sup_config_parse("fragment", buf_text(buf), &config, &err), ERR_OK);
    CU_ASSERT_EQUAL(sup_config_host(config), number);
    CU_ASSERT_STRING_EQUAL(sup_config_text(config, "pair", "peer_name"),
                           number == 1 ? "host-2.pair" : "host-1.pair");
    CU_ASSERT_STRING_EQUAL(sup_config_text(config, "pair", number == 1 ? "listen" : "peer"),
                           "192.0.2.1:8471");
    CU_ASSERT_STRING_EQUAL(sup_config_text(config, "arbiter", "kind"),
                           plan->arbiter[0] == '\0' ? plan_arbiter_word(plan) : "etcd");
    if (plan->fence) {
        struct fence_options fence;

        CU_ASSERT_FATAL(sup_config_fence(config, &fence));
        CU_ASSERT_EQUAL(fence.device_count, 1);
        CU_ASSERT_STRING_EQUAL(fence.devices[0], TEXTS_DEVICE);
    }
    if (plan->vip[0] != '\0') {
        CU_ASSERT_STRING_EQUAL(sup_config_text(config, "vip", "own_address"),
                               plan->host[number - 1]);
        CU_ASSERT_STRING_EQUAL(sup_config_text(config, "vip", "peer_address"),
                               plan->host[2 - number]);
        CU_ASSERT_STRING_EQUAL(sup_config_text(config, "vip", "interface"), "bond0");
    }
    sup_config_free(config);
}

static void test_supervisor(void)
{
    struct plan plan = sample;

    supervisor_reads(&plan, 1);
    supervisor_reads(&plan, 2);
    plan.arbiter[0] = '\0';
    supervisor_reads(&plan, 1);
    plan.fence = true;
    supervisor_reads(&plan, 1);
    plan.vip[0] = '\0';
    supervisor_reads(&plan, 2);
}

static void test_paths(void)
{
    static const char *const wrong[] = {"relative", "/a b", "/a\"b", "/a$b", "/a\nb", "/a#b"};
    AUTO_BUF struct buf *buf = buf_of(ENROL_TEXT_SIZE_MAX);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct texts_host host = {.host = 1, .interface = "eth0", .folder = wrong[i]};
        const struct texts_arbiter arbiter = {
            .listen = "192.0.2.3", .folder = "/etc/x", .data = wrong[i]};

        CU_ASSERT_EQUAL(texts_supervisor(&sample, &host, buf, &err), ERR_INVALID);
        CU_ASSERT_EQUAL(texts_service(&sample, &host, buf, &err), ERR_INVALID);
        CU_ASSERT_EQUAL(texts_etcd(&sample, &arbiter, buf, &err), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(buf_size(buf), 0);
}

/* Debian's package starts an etcd of its own, whose peers have port 2380 of the loopback address.
 */
static void test_etcd_beside(void)
{
    const struct texts_arbiter arbiter = {
        .listen = "192.0.2.3", .folder = "/etc/x", .data = "/var/lib/x"};
    AUTO_BUF struct buf *buf = buf_of(ENROL_TEXT_SIZE_MAX);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(texts_etcd(&sample, &arbiter, buf, &err), ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(memmem(buf_at(buf, 0), buf_size(buf), ":2379\n", 6));
    CU_ASSERT_PTR_NOT_NULL(memmem(buf_at(buf, 0), buf_size(buf), "https://127.0.0.1:2381\n", 23));
    CU_ASSERT_PTR_NULL(memmem(buf_at(buf, 0), buf_size(buf), ":2380\n", 6));
}

static void test_endpoint(void)
{
    char text[PLAN_ENDPOINT_SIZE];

    plan_endpoint("2001:db8::1", 80, text);
    CU_ASSERT_STRING_EQUAL(text, "[2001:db8::1]:80");
    plan_endpoint("a.example", 80, text);
    CU_ASSERT_STRING_EQUAL(text, "a.example:80");
}

UNIT_MAIN("enrol_plan",
          {"a plan comes back as it went", test_round},
          {"a plan with fence devices has no third machine", test_fence},
          {"values that would break a configuration or a pair are refused", test_refused},
          {"ports and router id are needed where they are used", test_ports},
          {"the supervisor reads its fragment on both hosts", test_supervisor},
          {"paths that a configuration cannot name are refused", test_paths},
          {"the arbiter's etcd stands beside the one of its package", test_etcd_beside},
          {"an address of IPv6 is bracketed", test_endpoint})

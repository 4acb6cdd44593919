/* SPDX-License-Identifier: Apache-2.0 */
/* plan.c: the values of a pair, checked, as text and back.
 * Owns the rules for each value. Never lets a character through that a configuration file would
 * read as something else; never asks the network. */
#include "approvald/enrol/plan.h"

#include "base/buf.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const struct conf_option options[] = {
    {"", "cluster_id", CONF_TEXT, NULL, 32, PLAN_CLUSTER_SIZE - 1, NULL, "of this pair alone"},
    {"", "host_1", CONF_TEXT, NULL, 2, PLAN_ADDRESS_SIZE - 1, NULL, "address of host 1"},
    {"", "host_2", CONF_TEXT, NULL, 2, PLAN_ADDRESS_SIZE - 1, NULL, "address of host 2"},
    {"", "vip", CONF_TEXT, "", 0, PLAN_VIP_SIZE - 1, NULL, "the virtual IP with its prefix"},
    {"", "interface", CONF_TEXT, "", 0, PLAN_WORD_SIZE - 1, NULL, "that carries it"},
    {"", "arbiter", CONF_TEXT, "", 0, PLAN_HOST_SIZE - 1, NULL, "empty: manual, or fence"},
    {"", "router_id", CONF_NUMBER, "0", 0, 255, NULL, "VRRP's"},
    {"", "link_port", CONF_NUMBER, NULL, 1, 65535, NULL, "host 1 listens there for host 2"},
    {"", "join_port", CONF_NUMBER, NULL, 1, 65535, NULL, "who joins is listened for there"},
    {"", "service_port", CONF_NUMBER, "0", 0, 65535, NULL, "of the service with TLS; 0: none"},
    {"", "arbiter_port", CONF_NUMBER, NULL, 1, 65535, NULL, "of etcd"},
    {"", "fence", CONF_BOOL, "false", 0, 0, NULL, "the arbiter is fence"},
    {"", "slack", CONF_TEXT, "", 0, PLAN_SLACK_SIZE - 1, NULL, "how it speaks with Slack"},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL},
};

static const struct conf_schema *schema(void)
{
    static const char *const titled[] = {NULL};
    static const struct conf_schema plan_schema = {
        .options = options, .titled = titled, .section_count_max = 1};

    return &plan_schema;
}

bool plan_is_address(const char *text)
{
    uint8_t address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

bool plan_is_host(const char *text)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    size_t size = strlen(text);

    if (plan_is_address(text)) {
        return true;
    }
    return size > 0 && size <= X509_NAME_SIZE_MAX && strspn(text, legal) == size &&
           text[0] != '-' && text[0] != '.';
}

static bool is_word(const char *text)
{
    static const char legal[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@";
    size_t size = strlen(text);

    return size > 0 && strspn(text, legal) == size;
}

void plan_vip_address(const char *vip, char ret_address[PLAN_ADDRESS_SIZE])
{
    size_t size = strcspn(vip, "/");

    size = size < PLAN_ADDRESS_SIZE ? size : PLAN_ADDRESS_SIZE - 1;
    memcpy(ret_address, vip, size);
    ret_address[size] = '\0';
}

static bool is_vip(const char *vip)
{
    char address[PLAN_ADDRESS_SIZE];
    const char *slash = strchr(vip, '/');
    uint64_t prefix;

    plan_vip_address(vip, address);
    return slash != NULL && plan_is_address(address) &&
           text_parse_u64(span_text(slash + 1), &prefix) && prefix > 0 &&
           prefix <= (strchr(address, ':') == NULL ? 32 : 128);
}

static enum err_code check_addresses(const struct plan *plan, struct err *err)
{
    for (int i = 0; i < 2; i++) {
        if (!plan_is_address(plan->host[i])) {
            return err_set(err, ERR_INVALID, "host %d: '%s' is no address", i + 1, plan->host[i]);
        }
    }
    if (strcmp(plan->host[0], plan->host[1]) == 0) {
        return err_set(err, ERR_INVALID, "both hosts have the address %s", plan->host[0]);
    }
    if ((strchr(plan->host[0], ':') == NULL) != (strchr(plan->host[1], ':') == NULL)) {
        return err_set(err, ERR_INVALID, "one host has an address of IPv4, the other one of IPv6");
    }
    return ERR_OK;
}

static enum err_code check_vip(const struct plan *plan, struct err *err)
{
    char address[PLAN_ADDRESS_SIZE];

    if (plan->vip[0] == '\0') {
        return ERR_OK;
    }
    if (!is_vip(plan->vip)) {
        return err_set(err, ERR_INVALID, "virtual IP: '%s' is not of the form 192.0.2.10/24",
                       plan->vip);
    }
    plan_vip_address(plan->vip, address);
    if (strcmp(address, plan->host[0]) == 0 || strcmp(address, plan->host[1]) == 0) {
        return err_set(err, ERR_INVALID, "virtual IP: %s is a host's own address", address);
    }
    if (!is_word(plan->interface)) {
        return err_set(err, ERR_INVALID, "interface: '%s' is none", plan->interface);
    }
    if (plan->router_id == 0 || plan->router_id > 255) {
        return err_set(err, ERR_INVALID, "router id: from 1 to 255");
    }
    return ERR_OK;
}

static enum err_code check_arbiter(const struct plan *plan, struct err *err)
{
    if (plan->arbiter[0] == '\0') {
        return ERR_OK;
    }
    if (plan->fence) {
        return err_set(err, ERR_INVALID, "arbiter: with fence there is no third machine");
    }
    if (!plan_is_host(plan->arbiter)) {
        return err_set(err, ERR_INVALID, "arbiter: '%s' is no name or address", plan->arbiter);
    }
    for (int i = 0; i < 2; i++) {
        if (strcmp(plan->arbiter, plan->host[i]) == 0) {
            return err_set(err, ERR_INVALID,
                           "arbiter: %s is host %d: it has to be a third machine, or nothing "
                           "decides when this one is lost",
                           plan->arbiter, i + 1);
        }
    }
    return ERR_OK;
}

bool plan_is_slack(const char *text)
{
    return strcmp(text, "socket") == 0 || strcmp(text, "http") == 0 || strcmp(text, "none") == 0;
}

enum err_code plan_check(const struct plan *plan, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    enum err_code rc;

    if (strlen(plan->cluster_id) != PLAN_CLUSTER_SIZE - 1 ||
        strspn(plan->cluster_id, digits) != PLAN_CLUSTER_SIZE - 1) {
        return err_set(err, ERR_INVALID, "cluster id: 32 hexadecimal digits");
    }
    rc = check_addresses(plan, err);
    if (rc == ERR_OK) {
        rc = check_vip(plan, err);
    }
    if (rc == ERR_OK) {
        rc = check_arbiter(plan, err);
    }
    if (rc == ERR_OK && (plan->link_port == 0 || plan->join_port == 0 || plan->arbiter_port == 0 ||
                         plan->link_port == plan->join_port)) {
        rc = err_set(err, ERR_INVALID, "ports: link and join need one each");
    }
    if (rc == ERR_OK && plan->slack[0] != '\0' && !plan_is_slack(plan->slack)) {
        rc = err_set(err, ERR_INVALID, "slack: socket, http or none");
    }
    return rc;
}

bool plan_equal(const struct plan *a, const struct plan *b)
{
    return strcmp(a->cluster_id, b->cluster_id) == 0 && strcmp(a->host[0], b->host[0]) == 0 &&
           strcmp(a->host[1], b->host[1]) == 0 && strcmp(a->vip, b->vip) == 0 &&
           strcmp(a->interface, b->interface) == 0 && strcmp(a->arbiter, b->arbiter) == 0 &&
           a->router_id == b->router_id && a->link_port == b->link_port &&
           a->join_port == b->join_port && a->service_port == b->service_port &&
           a->arbiter_port == b->arbiter_port && a->fence == b->fence;
}

const char *plan_arbiter_word(const struct plan *plan)
{
    if (plan->arbiter[0] != '\0') {
        return plan->arbiter;
    }
    return plan->fence ? "fence" : "manual";
}

enum err_code plan_format(const struct plan *plan, struct buf *buf, struct err *err)
{
    enum err_code rc = plan_check(plan, err);

    if (rc != ERR_OK) {
        return rc;
    }
    return buf_append_format(
        buf, err,
        "# What the two hosts agree on. approvalctl pair init has written it; "
        "do not change it by hand.\n"
        "cluster_id = \"%s\"\nhost_1 = \"%s\"\nhost_2 = \"%s\"\n"
        "vip = \"%s\"\ninterface = \"%s\"\nrouter_id = %u\n"
        "arbiter = \"%s\"\narbiter_port = %u\n"
        "link_port = %u\njoin_port = %u\nservice_port = %u\n%s%s%s%s",
        plan->cluster_id, plan->host[0], plan->host[1], plan->vip, plan->interface, plan->router_id,
        plan->arbiter, plan->arbiter_port, plan->link_port, plan->join_port, plan->service_port,
        /* Who knows no fence devices reads every other plan. */
        plan->fence ? "fence = true\n" : "", plan->slack[0] == '\0' ? "" : "slack = \"",
        plan->slack, plan->slack[0] == '\0' ? "" : "\"\n");
}

static void copy(const struct conf_section *top, const char *name, char *target, size_t size)
{
    (void)snprintf(target, size, "%s", conf_text(top, name)); /* the table keeps it shorter */
}

static uint16_t port(const struct conf_section *top, const char *name)
{
    return (uint16_t)conf_number(top, name); /* the table keeps it below 65536 */
}

static void read_values(const struct conf *conf, struct plan *plan)
{
    const struct conf_section *top = conf_section(conf, "");

    copy(top, "cluster_id", plan->cluster_id, sizeof plan->cluster_id);
    copy(top, "host_1", plan->host[0], sizeof plan->host[0]);
    copy(top, "host_2", plan->host[1], sizeof plan->host[1]);
    copy(top, "vip", plan->vip, sizeof plan->vip);
    copy(top, "interface", plan->interface, sizeof plan->interface);
    copy(top, "arbiter", plan->arbiter, sizeof plan->arbiter);
    plan->router_id = port(top, "router_id");
    plan->link_port = port(top, "link_port");
    plan->join_port = port(top, "join_port");
    plan->service_port = port(top, "service_port");
    plan->arbiter_port = port(top, "arbiter_port");
    plan->fence = conf_bool(top, "fence");
    copy(top, "slack", plan->slack, sizeof plan->slack);
}

enum err_code plan_parse(struct span text, struct plan *ret_plan, struct err *err)
{
    AUTO_BUF struct buf *ended = NULL;
    struct plan plan = {.cluster_id = ""};
    struct conf *conf = NULL;
    enum err_code rc = buf_new(ENROL_PLAN_SIZE_MAX, &ended, err);

    if (rc == ERR_OK) {
        rc = buf_append_span(ended, text, err);
    }
    if (rc == ERR_OK && memchr(buf_text(ended), '\0', buf_size(ended)) != NULL) {
        rc = err_set(err, ERR_INVALID, "plan: a NUL in it");
    }
    if (rc == ERR_OK) {
        rc = conf_parse(schema(), "plan", buf_text(ended), &conf, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    read_values(conf, &plan);
    conf_free(conf);
    rc = plan_check(&plan, err);
    if (rc == ERR_OK) {
        *ret_plan = plan;
    }
    return rc;
}

void plan_host_name(unsigned int host, char ret_name[PLAN_NAME_SIZE])
{
    (void)snprintf(ret_name, PLAN_NAME_SIZE, "host-%c.pair", host == 1 ? '1' : '2'); /* fits */
}

void plan_endpoint(const char *host, uint16_t port_number, char ret_text[PLAN_ENDPOINT_SIZE])
{
    bool bracket = strchr(host, ':') != NULL;

    (void)snprintf(ret_text, PLAN_ENDPOINT_SIZE, "%s%s%s:%u", bracket ? "[" : "", host,
                   bracket ? "]" : "", port_number); /* fits */
}

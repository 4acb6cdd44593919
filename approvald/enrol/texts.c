/* SPDX-License-Identifier: Apache-2.0 */
/* texts.c: configurations of supervisor, approvald and etcd, made of a plan.
 * Owns their words. The values were checked by plan_check and cannot break out of their quotes;
 * never writes a path with a quote in it. */
#include "approvald/enrol/texts.h"

#include "base/assert.h"
#include "base/buf.h"

#include <string.h>

/* The port of etcd's peers, of which there are none, from that of its clients on: not the next one,
 * which the etcd that Debian's package starts beside this one has on the same address. */
#define PEER_PORT_AFTER 2U

static const char mark[] =
    TEXTS_MARK "; changes here are lost.\n"
               "# What is to be different belongs into a file of this folder that sorts later.\n";

bool texts_is_ours(struct span text)
{
    size_t size = sizeof TEXTS_MARK - 1;

    return text.size >= size && memcmp(text.data, TEXTS_MARK, size) == 0;
}

static enum err_code check_path(const char *path, struct err *err)
{
    return path[0] == '/' && strpbrk(path, "\"'\\\n${}#: ") == NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID, "%s: a configuration cannot name this path", path);
}

static enum err_code format_pair(const struct plan *plan,
                                 const struct texts_host *host,
                                 struct buf *buf,
                                 struct err *err)
{
    char link[PLAN_ENDPOINT_SIZE];
    char peer[PLAN_NAME_SIZE];

    plan_endpoint(plan->host[0], plan->link_port, link);
    plan_host_name(3 - host->host, peer);
    return buf_append_format(buf, err,
                             "pair {\n"
                             "    host = %u\n"
                             "    cluster_id = \"%s\"\n"
                             "    %s = \"%s\"\n"
                             "    peer_name = \"%s\"\n"
                             "    certificate = \"%s/link.crt\"\n"
                             "    key = \"%s/link.key\"\n"
                             "    ca = \"%s/link-ca.crt\"\n"
                             "}\n",
                             host->host, plan->cluster_id, host->host == 1 ? "listen" : "peer",
                             link, peer, host->folder, host->folder, host->folder);
}

static enum err_code
format_arbiter(const struct plan *plan, const char *folder, struct buf *buf, struct err *err)
{
    char endpoint[PLAN_ENDPOINT_SIZE];

    if (plan->fence) {
        return buf_append_text(buf,
                               "arbiter {\n    kind = fence\n}\n"
                               "fence {\n    devices = {\"" TEXTS_DEVICE "\"}\n}\n",
                               err);
    }
    if (plan->arbiter[0] == '\0') {
        return buf_append_text(buf, "arbiter {\n    kind = manual\n}\n", err);
    }
    plan_endpoint(plan->arbiter, plan->arbiter_port, endpoint);
    return buf_append_format(buf, err,
                             "arbiter {\n"
                             "    kind = etcd\n"
                             "    endpoints = {\"https://%s\"}\n"
                             "    certificate = \"%s/arbiter.crt\"\n"
                             "    key = \"%s/arbiter.key\"\n"
                             "    ca = \"%s/arbiter-ca.crt\"\n"
                             "}\n",
                             endpoint, folder, folder, folder);
}

static enum err_code
format_vip(const struct plan *plan, const struct texts_host *host, struct buf *buf, struct err *err)
{
    if (plan->vip[0] == '\0') {
        return ERR_OK;
    }
    return buf_append_format(buf, err,
                             "vip {\n"
                             "    address = \"%s\"\n"
                             "    interface = \"%s\"\n"
                             "    router_id = %u\n"
                             "    own_address = \"%s\"\n"
                             "    peer_address = \"%s\"\n"
                             "}\n",
                             plan->vip, host->interface, plan->router_id,
                             plan->host[host->host - 1], plan->host[2 - host->host]);
}

enum err_code texts_supervisor(const struct plan *plan,
                               const struct texts_host *host,
                               struct buf *buf,
                               struct err *err)
{
    enum err_code rc = check_path(host->folder, err);

    ASSERT(host->host == 1 || host->host == 2);
    if (rc == ERR_OK) {
        rc = plan_check(plan, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(buf, mark, err);
    }
    if (rc == ERR_OK) {
        rc = format_pair(plan, host, buf, err);
    }
    if (rc == ERR_OK) {
        rc = format_arbiter(plan, host->folder, buf, err);
    }
    return rc == ERR_OK ? format_vip(plan, host, buf, err) : rc;
}

enum err_code texts_service(const struct plan *plan,
                            const struct texts_host *host,
                            struct buf *buf,
                            struct err *err)
{
    char address[PLAN_ADDRESS_SIZE];
    char listen[PLAN_ENDPOINT_SIZE];
    enum err_code rc = check_path(host->folder, err);

    ASSERT(plan->vip[0] != '\0');
    ASSERT(plan->service_port > 0);
    plan_vip_address(plan->vip, address);
    plan_endpoint(address, plan->service_port, listen);
    if (rc == ERR_OK) {
        rc = buf_append_text(buf, mark, err);
    }
    return rc == ERR_OK ? buf_append_format(buf, err,
                                            "http {\n"
                                            "    tls_listen = {\"%s\"}\n"
                                            "    tls_certificate = \"%s/service.crt\"\n"
                                            "    tls_key = \"%s/service.key\"\n"
                                            "}\n",
                                            listen, host->folder, host->folder)
                        : rc;
}

static enum err_code
format_security(const char *section, const char *folder, struct buf *buf, struct err *err)
{
    return buf_append_format(buf, err,
                             "%s:\n"
                             "  cert-file: %s/server.crt\n"
                             "  key-file: %s/server.key\n"
                             "  trusted-ca-file: %s/ca.crt\n"
                             "  client-cert-auth: true\n",
                             section, folder, folder, folder);
}

/* A node of one has no peers; its port for them is held on loopback, where it asks for certificates
 * like the other one, so that no local user may speak raft with it. */
enum err_code texts_etcd(const struct plan *plan,
                         const struct texts_arbiter *arbiter,
                         struct buf *buf,
                         struct err *err)
{
    char listen[PLAN_ENDPOINT_SIZE];
    char advertise[PLAN_ENDPOINT_SIZE];
    enum err_code rc = check_path(arbiter->folder, err);

    if (rc == ERR_OK) {
        rc = check_path(arbiter->data, err);
    }
    if (rc == ERR_OK && !plan_is_address(arbiter->listen)) {
        rc = err_set(err, ERR_INVALID, "'%s' is no address", arbiter->listen);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    plan_endpoint(arbiter->listen, plan->arbiter_port, listen);
    plan_endpoint(plan->arbiter, plan->arbiter_port, advertise);
    rc = buf_append_format(
        buf, err,
        "# Written by approvald-arbiter join; changes here are lost when it is run again.\n"
        "# The arbiter of one pair: a node of one, whose only key is the pair's register.\n"
        "name: arbiter\n"
        "data-dir: %s\n"
        "listen-client-urls: https://%s\n"
        "advertise-client-urls: https://%s\n"
        "listen-peer-urls: https://127.0.0.1:%u\n"
        "initial-advertise-peer-urls: https://127.0.0.1:%u\n"
        "initial-cluster: arbiter=https://127.0.0.1:%u\n"
        "initial-cluster-state: new\n"
        "initial-cluster-token: %s\n"
        "# The register has 200 bytes, and its past is nobody's business.\n"
        "quota-backend-bytes: 67108864\n"
        "auto-compaction-mode: periodic\n"
        "auto-compaction-retention: \"1h\"\n"
        "# A file like this one turns it off unless it says so; the supervisors speak with it.\n"
        "enable-grpc-gateway: true\n"
        "logger: zap\n"
        "log-outputs: [stderr]\n",
        arbiter->data, listen, advertise, plan->arbiter_port + PEER_PORT_AFTER,
        plan->arbiter_port + PEER_PORT_AFTER, plan->arbiter_port + PEER_PORT_AFTER,
        plan->cluster_id);
    if (rc == ERR_OK) {
        rc = format_security("client-transport-security", arbiter->folder, buf, err);
    }
    return rc == ERR_OK ? format_security("peer-transport-security", arbiter->folder, buf, err)
                        : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* keepalived_conf.c: writes keepalived.conf.
 * Owns the choice of keepalived's options. Never writes a file, never asks who is primary: the
 * track file says that. */
#include "supervisor/keepalived_conf.h"

#include "base/assert.h"
#include "base/buf.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define PRIORITY_FIRST 254U /* of host 1; 255 is the owner of an address, who never yields it */

static enum err_code check_word(const char *name, const char *value, struct err *err)
{
    if (value[0] == '\0') {
        return err_set(err, ERR_INVALID, "vip: %s is empty", name);
    }
    for (const char *at = value; *at != '\0'; at++) {
        if (!isgraph((unsigned char)*at) || strchr("\"'{}!#$\\", *at) != NULL) {
            return err_set(err, ERR_INVALID, "vip: %s: a character that keepalived would not take",
                           name);
        }
    }
    return ERR_OK;
}

static enum err_code check(const struct keepalived_conf *conf, struct err *err)
{
    const struct {
        const char *name;
        const char *value;
        bool needed;
    } words[] = {
        {"address", conf->address, true},
        {"interface", conf->interface, true},
        {"instance", conf->instance, true},
        {"track_file", conf->track_file, true},
        {"fifo", conf->fifo, true},
        {"own_address", conf->own_address, conf->unicast},
        {"peer_address", conf->peer_address, conf->unicast},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (words[i].needed && check_word(words[i].name, words[i].value, err) != ERR_OK) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static const char head[] =
    "# Written by approvalctl keepalived-config; changes here are lost when it is written again.\n"
    "# The supervisor decides who may hold the address, by the track file; keepalived moves it.\n";

static enum err_code
format_globals(const struct keepalived_conf *conf, struct buf *buf, struct err *err)
{
    return buf_append_format(
        buf, err,
        "global_defs {\n"
        "    router_id approvald_%u\n"
        "    vrrp_version 3\n"
        "    # The supervisor reads these lines; it makes the FIFO.\n"
        "    vrrp_notify_fifo %s\n"
        "    fifo_write_vrrp_states_on_reload\n"
        "    # A busy host must not miss its adverts.\n"
        "    vrrp_rt_priority 50\n"
        "    # Microseconds; with the usual 10000 the kernel kills it on a busy\n"
        "    # host, and the address leaves a primary that is well.\n"
        "    vrrp_rlimit_rttime 500000\n"
        "    max_auto_priority 60\n"
        "}\n\n",
        (unsigned)conf->host, conf->fifo);
}

/* "reverse": 1 in the file is good, and a file that is missing or unreadable is not. Without it a
 * missing file would let the host take the address. */
static enum err_code
format_track(const struct keepalived_conf *conf, struct buf *buf, struct err *err)
{
    return buf_append_format(buf, err,
                             "vrrp_track_file eligible {\n"
                             "    file %s\n"
                             "    weight 0 reverse\n"
                             "}\n\n",
                             conf->track_file);
}

static enum err_code
format_unicast(const struct keepalived_conf *conf, struct buf *buf, struct err *err)
{
    if (!conf->unicast) {
        return ERR_OK;
    }
    return buf_append_format(buf, err,
                             "    unicast_src_ip %s\n"
                             "    check_unicast_src\n"
                             "    unicast_fault_no_peer\n"
                             "    unicast_peer {\n"
                             "        %s\n"
                             "    }\n",
                             conf->own_address, conf->peer_address);
}

/* Both begin as BACKUP and keep what they have: who comes back must not pull the address from the
 * primary. */
static enum err_code
format_instance(const struct keepalived_conf *conf, struct buf *buf, struct err *err)
{
    enum err_code rc =
        buf_append_format(buf, err,
                          "vrrp_instance %s {\n"
                          "    state BACKUP\n"
                          "    nopreempt\n"
                          "    interface %s\n"
                          "    virtual_router_id %u\n"
                          "    priority %u\n"
                          "    advert_int 0.1\n"
                          "    # After both held the address, neighbours learn who has it.\n"
                          "    garp_master_delay 1\n"
                          "    garp_master_refresh 1\n"
                          "    garp_lower_prio_delay 1\n"
                          "    garp_lower_prio_repeat 3\n"
                          "    higher_prio_send_advert true\n",
                          conf->instance, conf->interface, (unsigned)conf->router_id,
                          PRIORITY_FIRST + 1U - conf->host);

    if (rc == ERR_OK) {
        rc = format_unicast(conf, buf, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return buf_append_format(buf, err,
                             "    track_file {\n"
                             "        eligible\n"
                             "    }\n"
                             "    virtual_ipaddress {\n"
                             "        %s dev %s\n"
                             "    }\n"
                             "}\n",
                             conf->address, conf->interface);
}

enum err_code
keepalived_conf_format(const struct keepalived_conf *conf, struct buf *buf, struct err *err)
{
    enum err_code rc = check(conf, err);

    ASSERT(conf->host == 1 || conf->host == 2);
    ASSERT(conf->router_id > 0);
    if (rc == ERR_OK) {
        rc = buf_append_text(buf, head, err);
    }
    if (rc == ERR_OK) {
        rc = format_globals(conf, buf, err);
    }
    if (rc == ERR_OK) {
        rc = format_track(conf, buf, err);
    }
    return rc == ERR_OK ? format_instance(conf, buf, err) : rc;
}

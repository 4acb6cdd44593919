/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h: what the two hosts and the arbiter agree on, decided once on host 1. It is kept as a text
 * beside the certificates and goes to who joins. Pure. */
#ifndef APPROVALD_ENROL_PLAN_H
#define APPROVALD_ENROL_PLAN_H

#include "approvald/enrol/limits.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

#define PLAN_CLUSTER_SIZE 33 /* 32 hexadecimal digits and a NUL */
#define PLAN_ADDRESS_SIZE 46 /* a literal address with its NUL */
#define PLAN_VIP_SIZE     51 /* with a prefix */
#define PLAN_SLACK_SIZE   7  /* "socket" and a NUL */
#define PLAN_WORD_SIZE    16 /* an interface's name: the kernel's bound */
#define PLAN_HOST_SIZE    (X509_NAME_SIZE_MAX + 1)

#define PLAN_LINK_PORT    8471
#define PLAN_JOIN_PORT    8472
#define PLAN_SERVICE_PORT 8443
#define PLAN_ETCD_PORT    2379

struct plan {
    char cluster_id[PLAN_CLUSTER_SIZE];
    char host[2][PLAN_ADDRESS_SIZE]; /* of host 1, of host 2 */
    char vip[PLAN_VIP_SIZE];         /* "": none */
    char interface[PLAN_WORD_SIZE];  /* of host 1; host 2 may have another one */
    char arbiter[PLAN_HOST_SIZE];    /* a name or a literal; "": manual, or fence */
    uint16_t router_id;
    uint16_t link_port;
    uint16_t join_port;
    uint16_t service_port; /* with TLS; 0: the admin's own configuration says */
    uint16_t arbiter_port;
    char slack[PLAN_SLACK_SIZE]; /* "socket", "http", "none"; "": not said. Advice, no part of it */
    bool fence; /* the arbiter is "fence": fence devices, one of each host; arbiter is empty then */
};

/* ERR_INVALID: says which value is wrong, and why. */
enum err_code plan_check(const struct plan *plan, struct err *err) WARN_UNUSED;
/* Of the same pair, made in the same way; how it speaks with Slack may change. */
bool plan_equal(const struct plan *a, const struct plan *b);
/* Appends the text of a plan that plan_check likes. */
enum err_code plan_format(const struct plan *plan, struct buf *buf, struct err *err) WARN_UNUSED;
/* ERR_INVALID, ERR_TOO_LARGE. What comes out has passed plan_check. */
enum err_code plan_parse(struct span text, struct plan *ret_plan, struct err *err) WARN_UNUSED;

/* The arbiter in a word: its name or address, "manual" or "fence". Borrowed. */
const char *plan_arbiter_word(const struct plan *plan);

/* "host-1.pair", "host-2.pair": the names in the certificates of the link. */
#define PLAN_NAME_SIZE 12
void plan_host_name(unsigned int host, char ret_name[PLAN_NAME_SIZE]);
/* "socket", "http" or "none". */
bool plan_is_slack(const char *text);
/* A literal address of either family. */
bool plan_is_address(const char *text);
/* A literal address, or a name of a host. */
bool plan_is_host(const char *text);
/* "192.0.2.1:80", "[2001:db8::1]:80". */
#define PLAN_ENDPOINT_SIZE (PLAN_HOST_SIZE + 10)
void plan_endpoint(const char *host, uint16_t port, char ret_text[PLAN_ENDPOINT_SIZE]);
/* The address of a "192.0.2.10/24", without its prefix. */
void plan_vip_address(const char *vip, char ret_address[PLAN_ADDRESS_SIZE]);

#endif

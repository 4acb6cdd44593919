/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h: the configurations that follow from a plan. Pure. */
#ifndef APPROVALD_ENROL_TEXTS_H
#define APPROVALD_ENROL_TEXTS_H

#include "approvald/enrol/plan.h"

struct buf;

/* Where this host's files are. */
struct texts_host {
    unsigned int host;     /* 1 or 2 */
    const char *interface; /* of this host */
    const char *folder;    /* of the certificates; what stands in it: home.h */
};

/* The name of the other host's fence device. */
#define TEXTS_DEVICE "peer"

/* Appends supervisor.conf.d's fragment: pair, arbiter, fence, vip. */
enum err_code texts_supervisor(const struct plan *plan,
                               const struct texts_host *host,
                               struct buf *buf,
                               struct err *err) WARN_UNUSED;
/* Appends approvald.conf.d's fragment: the service with TLS on the virtual IP. Only for a plan with
 * a service port and a virtual IP. */
enum err_code texts_service(const struct plan *plan,
                            const struct texts_host *host,
                            struct buf *buf,
                            struct err *err) WARN_UNUSED;

struct texts_arbiter {
    const char *listen; /* a literal address of the arbiter's */
    const char *folder; /* of ca.crt, server.crt, server.key */
    const char *data;   /* etcd's data directory */
};

/* Appends etcd.yml: one node, mutual TLS on both of its ports. */
enum err_code texts_etcd(const struct plan *plan,
                         const struct texts_arbiter *arbiter,
                         struct buf *buf,
                         struct err *err) WARN_UNUSED;

/* The first line of every file that we write, so that we know our own again. */
#define TEXTS_MARK "# Written by approvalctl pair"
bool texts_is_ours(struct span text);

#endif

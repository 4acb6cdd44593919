/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter.h: who keeps the register: one interface, several kinds.
 *
 * A read is linearizable: it shows every change that had happened before it was asked for. A CAS
 * changes the register only if its revision is the expected one. Every request gets exactly one
 * answer, on the loop, never from inside the call that asks; one read and one CAS may be under way,
 * asking again while one is, is a programmer error (asserted). How an answer is to be understood:
 * failover.h. Nothing blocks. */
#ifndef SUPERVISOR_ARBITER_ARBITER_H
#define SUPERVISOR_ARBITER_ARBITER_H

#include "supervisor/failover/failover.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARBITER_ENDPOINT_COUNT_MAX 3U   /* one node, or a cluster of three */
#define ARBITER_PROBLEM_SIZE       448U /* an endpoint and an error */
#define ARBITER_TIMEOUT_MS_DEFAULT 1000U

struct arbiter;
struct event_base;

enum arbiter_request { ARBITER_READ, ARBITER_CAS };

typedef void
arbiter_answer_fn(void *arg, enum arbiter_request request, const struct failover_answer *answer);

struct arbiter_status {
    const char *kind;                   /* "etcd", "manual", "fence" */
    const char *place;                  /* of the last answer: an endpoint; never NULL */
    bool reachable;                     /* the last request was answered */
    uint64_t answered_ms;               /* boot time of the last answer; 0: never */
    uint32_t latency_ms;                /* of it */
    char problem[ARBITER_PROBLEM_SIZE]; /* why not, when it was not */
    uint64_t
        disk_ms; /* for how long the disk has owed a save of this host's copy; 0: it does not */
    uint64_t not_after_s; /* since 1970: the end of the arbiter's certificate; 0: not known */
};

/* What a kind is made of. */
struct arbiter_ops {
    void (*read)(struct arbiter *arbiter);
    void (*cas)(struct arbiter *arbiter, const struct failover_cas *swap);
    void (*peer)(struct arbiter *arbiter, struct span bytes); /* NULL: needs no peer */
    void (*peer_up)(struct arbiter *arbiter, bool up);        /* likewise */
    void (*confirm_off)(struct arbiter *arbiter);             /* NULL: no such thing */
    void (*status)(const struct arbiter *arbiter, struct arbiter_status *ret_status);
    void (*free)(struct arbiter *arbiter);
};

/* The first member of every kind's struct. */
struct arbiter {
    const struct arbiter_ops *ops;
    arbiter_answer_fn *answer;
    void *arg;
};

static inline void arbiter_read(struct arbiter *arbiter)
{
    arbiter->ops->read(arbiter);
}

/* *swap is copied. */
static inline void arbiter_cas(struct arbiter *arbiter, const struct failover_cas *swap)
{
    arbiter->ops->cas(arbiter, swap);
}

/* A message of the peer's arbiter of this kind has come over the pair link. */
static inline void arbiter_peer(struct arbiter *arbiter, struct span bytes)
{
    if (arbiter->ops->peer != NULL) {
        arbiter->ops->peer(arbiter, bytes);
    }
}

static inline void arbiter_peer_up(struct arbiter *arbiter, bool up)
{
    if (arbiter->ops->peer_up != NULL) {
        arbiter->ops->peer_up(arbiter, up);
    }
}

/* The operator has made sure that the peer is off. False: this kind does not ask for that. */
static inline bool arbiter_confirm_off(struct arbiter *arbiter)
{
    if (arbiter->ops->confirm_off == NULL) {
        return false;
    }
    arbiter->ops->confirm_off(arbiter);
    return true;
}

static inline void arbiter_status(const struct arbiter *arbiter, struct arbiter_status *ret_status)
{
    arbiter->ops->status(arbiter, ret_status);
}

/* Ends what is under way without answers. NULL is allowed. */
static inline void arbiter_free(struct arbiter *arbiter)
{
    if (arbiter != NULL) {
        arbiter->ops->free(arbiter);
    }
}

/* etcd, over its v3 JSON gateway (etcd 3.4 and 3.5), by mutual TLS. The key is
 * PREFIX + cluster id in hex; it is never attached to a lease. */
struct arbiter_etcd_options {
    struct event_base *base;                           /* borrowed */
    const char *endpoints[ARBITER_ENDPOINT_COUNT_MAX]; /* "https://address:2379" */
    size_t endpoint_count;
    uint8_t cluster_id[REGISTER_ID_SIZE];
    const char *prefix;      /* NULL: "/approvald/" */
    const char *ca;          /* PEM file; NULL: plain http (tests, loopback) */
    const char *certificate; /* PEM files; NULL: none */
    const char *key;
    /* NULL: no user; else a token is asked for. etcd's gateway then wants client certificates
     * without a common name (it answers 400 to others). */
    const char *user;
    const char *password; /* borrowed, wiped by its owner */
    uint32_t timeout_ms;  /* of one call; 0: the default */
    arbiter_answer_fn *answer;
    void *arg;
};

enum err_code arbiter_etcd_new(const struct arbiter_etcd_options *options,
                               struct arbiter **ret_arbiter,
                               struct err *err) WARN_UNUSED;

/* "manual": the register is mirrored on both hosts (mirror.h); without the other host an operator
 * has to confirm that it is off. Its copy is kept in state_dir, files register-0 and register-1. */
struct arbiter_manual_options {
    struct event_base *base; /* borrowed */
    const char *kind;        /* for the status; NULL: "manual" */
    const char *state_dir;
    int dir; /* of it, borrowed: ours alone, by the lock that belongs to this descriptor */
    uint8_t host;
    uint8_t cluster_id[REGISTER_ID_SIZE]; /* a copy of another pair's register is none */
    uint64_t incarnation;                 /* of this supervisor: random, not 0 */
    uint32_t timeout_ms;                  /* 0: the default */
    /* Sends to the other host's supervisor (arbiter_peer there); best effort, never blocks. */
    void (*send)(void *arg, struct span bytes);
    /* The copy cannot be made durable: this supervisor must end. */
    void (*fatal)(void *arg, const struct err *err);
    arbiter_answer_fn *answer;
    void *arg; /* of the three */
};

/* Blocks (disk); what follows does not: a thread saves, and what depends on a save waits for it.
 * arbiter_free waits for it, too, SUP_SAVE_END_MS at most; a disk that hangs is then left behind
 * with the lock on state_dir: the process is to end. ERR_CORRUPT: damaged copies are no reason to
 * begin anew. */
enum err_code arbiter_manual_new(const struct arbiter_manual_options *options,
                                 struct arbiter **ret_arbiter,
                                 struct err *err) WARN_UNUSED;

#endif

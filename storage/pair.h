/* SPDX-License-Identifier: Apache-2.0 */
/* pair.h: the storage as one of two: what storage.h is for one host, and how it is commanded.
 *
 * A paired storage opens idle: log recovered and durable, jobs refused (ERR_UNAVAILABLE), weak
 * reads served. Commands tell it what the register says and grant it an epoch; reports say what
 * happened. It owns the link to the other host (a thread of its own, mutual TLS) and keeps both
 * logs the same (replica.h decides, link.c does). It says nothing about who should be primary.
 *
 * All calls are the caller's thread's (the event loop) and never block; commands are queued, in
 * order. Reports and data arrive inside storage_dispatch. */
#ifndef STORAGE_PAIR_H
#define STORAGE_PAIR_H

#include "storage/replica.h"
#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

struct storage_pair_options {
    uint8_t cluster_id[STORAGE_ID_SIZE]; /* a new store takes it; an old one must have it */
    uint64_t incarnation;
    uint8_t host; /* 1 listens, 2 dials */
    bool strict;
    int listen_file;         /* host 1: a listening socket, taken over; else -1 */
    const char *peer;        /* host 2: "address:port", numeric */
    const char *certificate; /* PEM files of this host and of the pair's CA */
    const char *key;
    const char *ca;
    const char *peer_name; /* the peer's certificate must carry this DNS name */
    uint32_t ping_ms;
    uint32_t silence_ms;
    uint32_t evict_ms;
    uint32_t hold_down_ms;
};

/* As storage_open. options->dir may hold a store of one host: it becomes the pair's first. Errors
 * also: ERR_CONFLICT (the store is of another cluster). */
enum err_code storage_open_pair(const struct storage_options *options,
                                const struct storage_pair_options *pair,
                                struct storage **ret_storage,
                                struct err *err) WARN_UNUSED;

/* What it holds now, for the first message to whoever grants. */
void storage_pair_state(struct storage *storage, struct message_state *ret_state);

/* Reports, and data from the peer; called inside storage_dispatch. */
typedef void storage_report_fn(void *arg, const struct replica_report *report);
typedef void storage_data_fn(void *arg, struct span data);
void storage_pair_listen(struct storage *storage,
                         storage_report_fn *on_report,
                         storage_data_fn *on_data,
                         void *arg);

/* Commands (replica.h says what they mean). */
void storage_register(struct storage *storage, const struct replica_register *reg);
void storage_seal(struct storage *storage, uint64_t epoch);
void storage_grant(struct storage *storage, const struct replica_grant *grant);
void storage_refused(struct storage *storage, uint64_t epoch);
/* The caller has stopped to hand in jobs and has all answers. */
void storage_handover(struct storage *storage);
void storage_resume(struct storage *storage);
/* Sends bytes (at most MESSAGE_DATA_SIZE_MAX) to the peer's caller. Best effort, in order while the
 * link lives. ERR_UNAVAILABLE (no link), ERR_FULL (back-pressure). */
enum err_code
storage_peer_send(struct storage *storage, struct span data, struct err *err) WARN_UNUSED;

/* True when jobs are accepted: granted, and the epoch's start record is committed. */
bool storage_serves(struct storage *storage);

struct storage_pair_status {
    enum replica_role role;
    uint64_t epoch;
    uint64_t promised;
    uint64_t lineage;
    bool peer_required;
    struct replica_link link;
    char phase[24];
    uint64_t lag_lsn;   /* records that the standby has not acknowledged (standby: not applied) */
    uint64_t lag_ms;    /* age of the oldest of them; 0: none */
    uint64_t sent_size; /* bytes over the link by this process */
    uint64_t received_size;
    uint64_t snapshot_count;                 /* sent or received */
    char snapshot_refused[ERR_MESSAGE_SIZE]; /* standby: why it cannot take one; "": it can */
    uint64_t snapshot_retry_ms;              /* until it tries again, when it is refused */
    uint64_t turn_count;              /* of the replication thread: grows at least once a second */
    uint64_t certificate_not_after_s; /* since 1970: this host's, as last loaded */
    uint64_t ca_not_after_s;          /* the earliest end in the CA file */
    uint64_t incarnation;
    uint8_t host;
};
void storage_pair_status(struct storage *storage, struct storage_pair_status *ret_status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* link.h: the replication thread: one loop around poll() that owns the connection to the other
 * host, feeds the replication core (replica.h) and carries out its effects on the engine
 * (engine_pair.h) and the connection. Decides nothing about records or roles: the core does.
 *
 * Host 2 dials, again and again; host 1 accepts. On host 1 a newer connection replaces an older one
 * once its peer is authenticated and its first message is a HELLO of this pair: the dialler has
 * restarted, or has given the old one up. Each connection reads the certificate files anew, on host
 * 1 at most once a second; when they do not load, the last good ones stay in use and a line is
 * logged. Strangers that connect to host 1 cost it neither log lines without end nor the peer its
 * place.
 *
 * What goes out is one queue in order. Records, snapshot and data are added only while it holds
 * less than LINK_BULK_SIZE, in messages of STORAGE_SHIP_SIZE or one larger record, and the kernel's
 * part of it is held to LINK_UNSENT_SIZE: so much a ping waits for at most (3 ms at 1 Gbit/s; 9 ms
 * behind the largest record). What comes in is handled frame by frame; nothing further
 * is read while the log has no room for a record, or the caller's thread has too much to take
 * (after half the silence of that the connection is given up: replication must not wait for it).
 *
 * The thread blocks for the disk where the engine does, else only in poll(). */
#ifndef STORAGE_LINK_H
#define STORAGE_LINK_H

#include "storage/pair.h"

struct link;
struct clock;
struct rng;

struct link_options {
    struct storage *storage; /* borrowed until it stops the link */
    const struct clock *clock;
    const struct rng *rng;
    const struct storage_pair_options *pair; /* copied */
};

/* Prepares all; the thread does not run yet. Takes pair->listen_file over (also when it fails).
 * Blocks (small files). ERR_INVALID (certificates, address), ERR_NOMEM. */
enum err_code
link_new(const struct link_options *options, struct link **ret_link, struct err *err) WARN_UNUSED;
/* Attaches itself to the storage and starts the thread; from here on storage_close ends and frees
 * the link, also when this fails. ERR_NOMEM. */
enum err_code link_start(struct link *link, struct err *err) WARN_UNUSED;
/* Only before link_start. NULL is allowed. */
void link_free(struct link *link);

/* The caller's thread. */
void link_listen(struct link *link,
                 storage_report_fn *on_report,
                 storage_data_fn *on_data,
                 void *arg);
/* Queues an event of the commands' kind. */
void link_command(struct link *link, const struct replica_event *command);
enum err_code link_send(struct link *link, struct span data, struct err *err) WARN_UNUSED;
void link_status(struct link *link, struct storage_pair_status *ret_status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* link_internal.h: the replication thread's inside, shared by link*.c only.
 *
 *   link_life.c    making, ending, and the caller's side
 *   link.c         the thread: poll, turns, the core's steps and what follows from them
 *   link_conn.c    connections: dial, accept, TLS, bytes
 *   link_effects.c what the core wants done
 *   link_send.c    what goes out: messages, records, a snapshot, data
 *   link_mail.c    the hand-over to the caller's thread */
#ifndef STORAGE_LINK_INTERNAL_H
#define STORAGE_LINK_INTERNAL_H

#include "base/err.h"
#include "base/sockets.h"
#include "storage/engine_pair.h"
#include "storage/limits.h"
#include "storage/link.h"
#include "storage/link_buf.h"
#include "storage/link_mail.h"
#include "storage/message.h"
#include "storage/replica.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;
struct rng;
struct tls_identity;
struct tls_peer;

#define LINK_PEER               1U  /* the other host among the ISR's members; this one is 0 */
#define LINK_FOLLOWUP_COUNT_MAX 32U /* results of one step's effects: each has at most one */

/* One largest message, and room to read on. */
#define LINK_IN_SIZE (MESSAGE_HEADER_SIZE + MESSAGE_BODY_SIZE_MAX + LINK_READ_SIZE)
/* Bulk, one message beyond, and the rest. */
#define LINK_OUT_SIZE                                                                              \
    (LINK_BULK_SIZE + MESSAGE_HEADER_SIZE + MESSAGE_BODY_SIZE_MAX + LINK_CONTROL_SIZE)
/* Room for one TLS record. */
#define LINK_READ_SIZE 16384UL

enum conn_state {
    CONN_NONE,
    CONN_CONNECTING, /* file */
    CONN_SHAKING,    /* tls, from here on */
    CONN_GREETING,   /* host 1: authenticated, its HELLO is awaited */
    CONN_UP          /* the one */
};

struct link_conn {
    enum conn_state state;
    int file;
    struct tls_peer *tls; /* owned */
    uint64_t begun_ms;
    uint64_t deadline_ms; /* until CONN_UP */
    uint8_t hello[LINK_HELLO_SIZE_MAX];
    size_t hello_size;
};

/* Host 1: of connections that became nothing, what was logged last. */
struct link_refused {
    uint64_t logged_ms; /* 0: nothing yet */
    uint64_t count;     /* since then */
    char reason[ERR_MESSAGE_SIZE];
};

/* SHIP under way. */
struct link_ship {
    bool active;
    uint64_t lsn;
    uint64_t epoch;
};

/* SNAPSHOT_SEND under way. */
struct link_snapshot {
    bool active;
    struct engine_snapshot *reader; /* owned; NULL: not yet begun */
    struct record_position floor;   /* the peer refuses a lower one */
    struct record_position position;
    uint64_t count;
    uint64_t epoch;
    uint64_t retry_ms;
};

struct link {
    /* Set by link_new. */
    struct storage *storage; /* borrowed */
    const struct clock *clock;
    const struct rng *rng;
    struct storage_pair_options options; /* its texts are owned */
    struct sockets_peer peer;            /* host 2 */
    int listen_file;                     /* host 1: owned */
    int wake;                            /* eventfd */
    pthread_t thread;
    struct link_mail mail;

    /* The caller's. */
    storage_report_fn *on_report;
    storage_data_fn *on_data;
    void *arg;
    uint8_t *data_taken; /* owned: MESSAGE_DATA_SIZE_MAX bytes */

    /* The thread's: the core, and what it knows. */
    struct replica *replica; /* owned */
    struct replica_effects effects;
    struct replica_event followups[LINK_FOLLOWUP_COUNT_MAX];
    size_t followup_first;
    size_t followup_count;
    struct engine_news news; /* as last looked at */
    struct replica_local local;
    uint64_t epoch_begun_told;
    uint64_t read_told;
    uint64_t now_ms;

    /* Connections. */
    struct tls_identity *identity; /* owned */
    struct link_conn conn;         /* the one that is up */
    struct link_conn candidates[LINK_CANDIDATE_COUNT_MAX];
    uint64_t conn_count; /* of those that were the one */
    uint64_t dial_ms;    /* host 2: not before */
    uint64_t accept_ms;  /* host 1: not before; 0: now */
    uint64_t renewed_ms; /* the certificate files were read last */
    struct link_refused refused;
    uint64_t heard_ms;
    uint64_t stalled_ms; /* the caller has not taken data since; 0: it has */
    char drop_reason[REPLICA_REASON_SIZE];
    struct err end; /* of read_ended and write_ended: the first that was noticed */

    /* Bytes. */
    struct link_buf in;
    struct link_buf out;
    size_t append_frame;  /* size of the frame in front of in whose records the log has no room for
                           * yet; 0: none */
    size_t append_offset; /* of its first byte not taken */
    uint64_t append_ms;   /* no record was taken since */
    uint8_t *scratch;     /* owned: MESSAGE_BYTES_SIZE_MAX bytes, for records and pairs */
    uint8_t *data_sent;   /* owned: MESSAGE_DATA_SIZE_MAX bytes */
    struct link_ship ship;
    struct link_snapshot snapshot;
    uint64_t lag_lsn_mark;
    uint64_t lag_since_ms;
    uint64_t sent_size;
    size_t yield_size; /* bytes sent since the processor was last offered to the others */
    uint64_t received_size;
    uint64_t snapshot_count;
    char snapshot_refused[ERR_MESSAGE_SIZE]; /* why the last one was not taken; "": it was */

    uint32_t backoff_ms;
    bool running;        /* the caller's: the thread is to be joined */
    bool local_told;     /* the core knows local */
    bool busy;           /* there is more to do at once */
    bool dead;           /* the engine has failed: only the end is awaited */
    bool notify;         /* the caller has something to take */
    bool diverged;       /* a RESYNC was reported: what is here must be kept */
    bool identity_stale; /* the files did not load the last time */
    bool greeted;        /* the core has accepted the peer's HELLO on this connection */
    bool dial_logged;    /* since the last success */
    bool drop;           /* the connection is to end */
    bool quiet;      /* … for what was said before: no line for this end and the next beginning */
    bool read_ended; /* nothing more will come: it is to end when what has come is handled */
    bool write_ended; /* nothing more can be sent: what has come is still read */
    bool handling;    /* the frame in front of in is the one of this step */
    bool knocked;     /* host 1: somebody waits to be accepted */
};

/* link.c. Starts the thread: 0 or an errno. */
int link_thread_start(struct link *link);
/* The status for the other threads; counts the turn. */
void link_publish(struct link *link);
/* A result of an effect: becomes an event after this step. */
void link_follow_up(struct link *link, const struct replica_event *event);
/* The engine has failed: the connection ends, the core is not asked any more. */
void link_failed(struct link *link, const struct err *failure);
/* The connection is to end, for the reason; the core hears of it after this step. */
void link_drop(struct link *link, const char *reason);
/* One event, its effects, and all that follows from them. */
void link_feed(struct link *link, struct replica_event *event);

/* link_effects.c. */
void link_perform(struct link *link, const struct replica_effect *effect);
/* Goes on with records that the log had no room for. */
void link_append_more(struct link *link);
/* Forgets them: their primary is not followed any more. */
void link_append_forget(struct link *link);

/* link_send.c. Into the queue; one that does not fit ends the connection. */
void link_queue(struct link *link, const struct message *message);
void link_ship(struct link *link, uint64_t lsn);
void link_snapshot(struct link *link, const struct record_position *floor);
/* Fills the queue from what is under way, as far as it takes it. */
void link_pump(struct link *link);
void link_send_stop(struct link *link);
/* Boot time when link_pump should be called though nothing happens; UINT64_MAX: never. */
uint64_t link_pump_deadline_ms(const struct link *link);

/* link_conn.c. Descriptors for poll: at most LINK_POLL_COUNT_MAX. */
#define LINK_POLL_COUNT_MAX (3U + LINK_CANDIDATE_COUNT_MAX)
struct pollfd;
size_t link_conn_poll(const struct link *link, struct pollfd *files);
/* What poll said of them. */
void link_conn_polled(struct link *link, const struct pollfd *files, size_t count);
uint64_t link_conn_deadline_ms(const struct link *link);
/* Accepts, dials, shakes hands. A connection that is through becomes the one: link_conn_ready. */
void link_conn_step(struct link *link);
/* Reads what has come into link->in. Its end is noted in read_ended: what came before it counts. */
void link_conn_read(struct link *link);
/* Bytes have been read for which poll would wait in vain. */
bool link_conn_pending(const struct link *link);
/* Sends what the kernel takes. */
void link_conn_flush(struct link *link);
/* Ends the one, after what is queued was offered once. */
void link_conn_close(struct link *link);
void link_conn_done(struct link *link);
/* link.c: the connection is up; hello is what it has sent so far (host 1), else empty. */
void link_conn_ready(struct link *link, struct link_conn *conn);

#endif

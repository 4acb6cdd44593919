/* SPDX-License-Identifier: Apache-2.0 */
/* message.h: what two hosts say to each other over the pair link. Pure: bytes in, struct out.
 *
 * Protocol version 1. A frame, little-endian:
 *
 *    0 u32 size of the body (what follows the header), at most MESSAGE_BODY_SIZE_MAX
 *    4 u8  type (enum message_type)
 *    5 u8  0
 *    6 u16 protocol version of the sender
 *    8     body
 *
 * The first frame of each direction is HELLO, whose body never changes its beginning (version_min,
 * version_max, cluster id) and which only ever grows at its end: both sides then speak the highest
 * version that both know, or end the link with a reason. Bodies are fixed fields in the order of
 * the structs below, without padding, then (APPEND, PAIRS, DATA, BYE) bytes to the end. Decoding
 * rejects unknown types, wrong sizes, leftovers and values out of range; it never trusts a count.
 * The link is TLS, so a frame is what the peer sent; the checks are against a faulty or foreign
 * peer. */
#ifndef STORAGE_MESSAGE_H
#define STORAGE_MESSAGE_H

#include "base/err.h"
#include "base/span.h"
#include "storage/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_VERSION_MIN 1U /* the oldest protocol that this build speaks */
#define MESSAGE_VERSION_MAX 1U
#define MESSAGE_HEADER_SIZE 8UL
/* Bytes of one DATA message: a piece of a relayed request. */
#define MESSAGE_DATA_SIZE_MAX STORAGE_SIZE(65536UL, 1024UL)
/* A reason is one line. */
#define MESSAGE_BYE_SIZE_MAX 256UL
/* Records or pairs of one message: the largest record must fit. */
#define MESSAGE_BYTES_SIZE_MAX RECORD_SIZE_MAX
/* APPEND is the largest message: epoch, incarnation, commit LSN, records. */
#define MESSAGE_BODY_SIZE_MAX (24UL + MESSAGE_BYTES_SIZE_MAX)

enum message_type {
    MESSAGE_HELLO = 1,    /* first of each direction; struct message_state */
    MESSAGE_STATE,        /* the same fields again, whenever they changed, and as a sign of life */
    MESSAGE_LEAD,         /* primary: I lead this epoch */
    MESSAGE_FOLLOW,       /* standby: I have promised it; here is my log's end */
    MESSAGE_PROBE,        /* primary: which record have you at this LSN? */
    MESSAGE_PLACE,        /* standby: this one (hash all zeros and epoch 0: none) */
    MESSAGE_CUT,          /* primary: this is the last one that we share: cut behind it */
    MESSAGE_APPEND,       /* primary: records, and what is committed */
    MESSAGE_ACK,          /* standby: durable up to here */
    MESSAGE_PING,         /* primary */
    MESSAGE_ECHO,         /* standby, at once */
    MESSAGE_SNAPSHOT,     /* primary: a snapshot as of this position begins */
    MESSAGE_PAIRS,        /* primary: a part of it */
    MESSAGE_SNAPSHOT_END, /* primary: it is whole */
    MESSAGE_HANDOVER,     /* primary: I have drained; take over (rule K) */
    MESSAGE_DATA,         /* either: bytes of the layer above */
    MESSAGE_BYE,          /* either, its last one on this link: why it ends */
    MESSAGE_TYPE_END
};

enum replica_role { REPLICA_IDLE = 0, REPLICA_STANDBY = 1, REPLICA_PRIMARY = 2 };

/* HELLO, STATE. */
struct message_state {
    uint16_t version_min; /* HELLO; in STATE the agreed one twice */
    uint16_t version_max;
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t lineage;
    uint64_t incarnation;
    uint8_t host;      /* 1 or 2 */
    uint8_t role;      /* enum replica_role */
    uint64_t epoch;    /* under which that role is held; idle: 0 */
    uint64_t promised; /* durable: nothing lower is acknowledged or echoed any more */
    uint64_t wall_ms;  /* the sender's clock, for people (clock difference), never for safety */
    uint64_t lsn_applied;
    struct record_position last; /* recovered or appended, and durable */
};

/* LEAD, HANDOVER: of the primary. */
struct message_lead {
    uint64_t epoch;
    uint64_t incarnation;
    uint64_t lsn_commit;
    struct record_position last;
};

/* FOLLOW, ACK: of the standby; epoch and incarnation are those of the primary that it follows. */
struct message_follow {
    uint64_t epoch;
    uint64_t incarnation;
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t lsn_applied;
    struct record_position last;    /* durable */
    struct record_position applied; /* FOLLOW: in its LMDB or memory; ACK: zeros */
};

/* PROBE (only the LSN counts), PLACE, CUT, SNAPSHOT. */
struct message_place {
    uint64_t epoch;
    uint64_t incarnation;
    struct record_position position;
};

/* APPEND: whole records, each as it lies in the log from its byte RECORD_LOCAL_SIZE to the end of
 * its padding. PAIRS: change_encode'd puts. */
struct message_bytes {
    uint64_t epoch;
    uint64_t incarnation;
    uint64_t lsn_commit; /* PAIRS: number of pairs sent before this message */
    struct span bytes;   /* borrowed from the frame */
};

/* PING, ECHO, SNAPSHOT_END (sequence: number of pairs). */
struct message_ping {
    uint64_t epoch;
    uint64_t incarnation;
    uint8_t store_id[STORAGE_ID_SIZE]; /* ECHO: the standby's; else zeros */
    uint64_t sequence;
    uint64_t lsn_commit; /* PING */
};

/* BYE. */
struct message_bye {
    bool leaves;        /* this process was asked to stop, and does: nothing is wrong */
    struct span reason; /* text, for people; borrowed */
};

struct message {
    enum message_type type;
    union {
        struct message_state state;
        struct message_lead lead;
        struct message_follow follow;
        struct message_place place;
        struct message_bytes bytes;
        struct message_ping ping;
        struct span data; /* DATA; borrowed */
        struct message_bye bye;
    } u;
};

/* Bytes of the frame of a message. */
size_t message_size(const struct message *message);
/* Writes the frame to at, which has message_size bytes. */
void message_encode(const struct message *message, uint8_t *at);
/* Looks at the first bytes of a stream: ERR_OK with the size of the whole first frame when its
 * header is there and legal; ERR_NOT_FOUND (no message): more bytes are needed; ERR_PROTOCOL. */
enum err_code message_frame_size(struct span stream, size_t *ret_size, struct err *err) WARN_UNUSED;
/* Decodes one whole frame. ERR_PROTOCOL. Borrows from the frame. */
enum err_code
message_decode(struct span frame, struct message *ret_message, struct err *err) WARN_UNUSED;
/* The name of a type, for logs and traces; never NULL. */
const char *message_name(enum message_type type);

#endif

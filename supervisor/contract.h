/* SPDX-License-Identifier: Apache-2.0 */
/* contract.h: the messages between supervisor and approvald, the one header that both include.
 *
 * They go over a SOCK_SEQPACKET socket pair, one message a packet: CONTRACT_HEADER_SIZE bytes
 * {u16 type, u16 size of the body, u32 contract version}, then the body: the fields of the struct
 * in order, packed little-endian (base/pack.h). Both programs come from one build; another version
 * is refused. approvald finds its end in the environment variable CONTRACT_ENV (a descriptor
 * number), inherited listening sockets as sd_listen_fds(3) does.
 *
 * Which side may send what, and when, stands in one table (contract.c): a message out of its state
 * is ERR_PROTOCOL, and the supervisor ends a child that sends one.
 *
 *   supervisor → approvald      allowed when the child is
 *     CONFIGURE                 new               -> configured
 *     REGISTER                  up
 *     SEAL, GRANT, REFUSED      up
 *     HANDOVER, RESUME          up
 *     PEER                      up
 *     SUMMARY                   configured, up
 *     STOP                      any               -> stopping
 *   approvald → supervisor
 *     UP                        configured        -> up
 *     CHECKIN                   configured, up, stopping
 *     SEALED, LEADING, ADD, REMOVE, DEPOSED, DRAINED, TAKE_OVER, RESYNC, LINK, RELAYING, PEER
 *                               up, stopping
 *     FAILED                    any: why the process is about to end */
#ifndef SUPERVISOR_CONTRACT_H
#define SUPERVISOR_CONTRACT_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTRACT_ENV         "APPROVALD_SUPERVISOR_FD"
#define CONTRACT_VERSION     5U /* another one with each change of a message's form */
#define CONTRACT_HEADER_SIZE 8U
#define CONTRACT_ID_SIZE     16U
#define CONTRACT_PATH_SIZE   256U /* texts with their NUL */
#define CONTRACT_REASON_SIZE 160U
#define CONTRACT_PEER_SIZE   512U /* bytes of one supervisor-to-supervisor message */
#define CONTRACT_SIZE_MAX    2048U

enum contract_type {
    CONTRACT_CONFIGURE = 1,
    CONTRACT_REGISTER,
    CONTRACT_SEAL,
    CONTRACT_GRANT,
    CONTRACT_REFUSED,
    CONTRACT_HANDOVER,
    CONTRACT_RESUME,
    CONTRACT_PEER, /* both ways */
    CONTRACT_SUMMARY,
    CONTRACT_STOP,
    CONTRACT_UP,
    CONTRACT_CHECKIN,
    CONTRACT_SEALED,
    CONTRACT_LEADING,
    CONTRACT_ADD,
    CONTRACT_REMOVE,
    CONTRACT_DEPOSED,
    CONTRACT_DRAINED,
    CONTRACT_TAKE_OVER,
    CONTRACT_RESYNC,
    CONTRACT_LINK,
    CONTRACT_RELAYING,
    CONTRACT_FAILED,
    CONTRACT_TYPE_END
};

enum contract_mode {
    CONTRACT_ALONE, /* one host: the storage of one, under a granted epoch of its own */
    CONTRACT_PAIR
};

struct contract_configure {
    uint64_t incarnation;
    uint8_t mode; /* enum contract_mode */
    uint8_t host;
    bool strict;
    uint8_t cluster_id[CONTRACT_ID_SIZE]; /* zeros when alone: the store's own */
    uint32_t ping_ms;
    uint32_t silence_ms;
    uint32_t evict_ms;
    uint32_t hold_down_ms;
    uint32_t checkin_ms;           /* how often each task has to check in */
    bool resync;                   /* set the store aside and begin an empty one (rejoin) */
    char peer[CONTRACT_PATH_SIZE]; /* host 2: address:port of host 1's link */
    char certificate[CONTRACT_PATH_SIZE];
    char key[CONTRACT_PATH_SIZE];
    char ca[CONTRACT_PATH_SIZE];
    char peer_name[CONTRACT_PATH_SIZE];
};

struct contract_register { /* REGISTER */
    uint64_t epoch;
    uint64_t lineage;
    uint8_t primary;
};

struct contract_grant {
    uint64_t epoch;
    uint64_t lineage;
    bool peer_in_isr;
    uint8_t peer_store_id[CONTRACT_ID_SIZE];
};

struct contract_peer {
    uint16_t size;
    uint8_t bytes[CONTRACT_PEER_SIZE];
};

/* Certificates whose end the supervisor knows. */
enum contract_end {
    CONTRACT_END_PAIR,
    CONTRACT_END_PAIR_CA,
    CONTRACT_END_ARBITER_CLIENT, /* this host's, for etcd */
    CONTRACT_END_ARBITER_CA,
    CONTRACT_END_ARBITER, /* etcd's own, as it was shown last */
    CONTRACT_END_COUNT
};

/* What only the supervisor knows, for approvald's status page and metrics. */
struct contract_summary {
    uint8_t role; /* enum failover_role */
    uint64_t epoch;
    uint64_t lineage;
    bool register_known;
    bool unprotected;
    bool arbiter_down;
    bool arbiter_wrong;
    bool needs_operator;
    bool maintenance;
    bool safe_mode;
    bool vip_here;
    bool eligible;
    bool config_broken;                  /* the supervisor's: its last-known-good copy stands in */
    uint32_t start_count;                /* of approvald by this supervisor */
    char reason[CONTRACT_REASON_SIZE];   /* of the last change */
    uint64_t ends_s[CONTRACT_END_COUNT]; /* since 1970; 0: not known, or there is none */
    bool disk_hangs; /* the supervisor's state_dir, or its copy of the register */
    bool vip_wrong;  /* this host serves, and the virtual IP is not here, or not here alone */
};

struct contract_up {
    uint64_t incarnation; /* as configured */
    uint8_t store_id[CONTRACT_ID_SIZE];
    uint64_t lineage;
    uint64_t promised;
    uint64_t last_epoch;
    uint64_t last_lsn;
};

/* Tasks that check in: each counts its turns. A task that is idle is woken to check in, so a count
 * that stands still is a hang. */
enum contract_task {
    CONTRACT_TASK_LOOP,
    CONTRACT_TASK_WRITER,
    CONTRACT_TASK_SYNCER,
    CONTRACT_TASK_CHECKPOINTER,
    CONTRACT_TASK_REPLICATION,
    CONTRACT_TASK_OUTBOX,
    CONTRACT_TASK_COUNT
};

struct contract_checkin {
    uint64_t turns[CONTRACT_TASK_COUNT];
};

struct contract_proposal { /* ADD, REMOVE */
    uint64_t epoch;
    uint8_t peer_store_id[CONTRACT_ID_SIZE];
    uint64_t lsn;
    bool slow;
};

struct contract_link {
    bool up;
    bool silent;
    bool in_sync;
    bool peer_leads;
    uint64_t peer_epoch;
    uint64_t peer_promised;
    uint64_t peer_incarnation;
    uint8_t peer_store_id[CONTRACT_ID_SIZE];
    uint64_t peer_lineage;
    uint64_t peer_last_epoch;
    uint64_t peer_last_lsn;
    uint64_t last_epoch; /* of our last record */
    uint64_t lsn_last;   /* ours */
    uint64_t lsn_acked;  /* primary: by the peer */
    int64_t clock_ahead_ms;
};

struct contract_message {
    enum contract_type type;
    union {
        struct contract_configure configure;
        struct contract_register reg;
        uint64_t epoch; /* SEAL, REFUSED, SEALED, LEADING, DEPOSED, DRAINED, TAKE_OVER */
        struct contract_grant grant;
        struct contract_peer peer;
        struct contract_summary summary;
        struct contract_up up;
        struct contract_checkin checkin;
        struct contract_proposal proposal;
        struct contract_link link;
        bool relaying; /* RELAYING: calls passed on to the peer wait for its answer */
        char reason[CONTRACT_REASON_SIZE]; /* RESYNC, FAILED */
    } u;
};

enum contract_side { CONTRACT_SUPERVISOR, CONTRACT_CHILD };
enum contract_state { CONTRACT_NEW, CONTRACT_CONFIGURED, CONTRACT_RUNNING, CONTRACT_STOPPING };

/* Writes the packet to at, of CONTRACT_SIZE_MAX bytes; returns its size. */
size_t contract_encode(const struct contract_message *message, uint8_t *at);
/* ERR_PROTOCOL: another version, an unknown type, a wrong size, a value out of range. */
enum err_code contract_decode(struct span packet,
                              struct contract_message *ret_message,
                              struct err *err) WARN_UNUSED;
/* Moves *state by a message that from has sent. ERR_PROTOCOL: not allowed in that state, or not
 * that side's to send. */
enum err_code contract_move(enum contract_state *state,
                            enum contract_side from,
                            enum contract_type type,
                            struct err *err) WARN_UNUSED;
const char *contract_name(enum contract_type type);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h: the world of the simulation: two hosts, an arbiter, a link, clients, faults; one process,
 * one thread, no real time. Everything hangs off a struct world; tests/sim/README.md is the map.
 *
 * Time is in microseconds of the world; each host has clocks of its own. Everything that happens is
 * an event in one queue, ordered by time and then by the order in which it was put there. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/rng.h"
#include "storage/isr.h"
#include "storage/message.h"
#include "storage/promise.h"
#include "storage/replica.h"
#include "storage/wal.h"
#include "supervisor/arbiter/fence.h"
#include "supervisor/arbiter/mirror.h"
#include "supervisor/arbiter/mirror_queue.h"
#include "supervisor/contract.h"
#include "supervisor/failover/failover.h"
#include "supervisor/failover/register.h"
#include "tests/sim/check.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/prng.h"
#include "tests/sim/state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_US 1000000ULL
#define MS_US     1000ULL

struct wal_reader;
struct world;
struct event;

enum process {
    PROCESS_WORLD, /* the network, the kernels, the clients: never paused, never killed */
    PROCESS_SUPERVISOR_1,
    PROCESS_SUPERVISOR_2,
    PROCESS_CHILD_1,
    PROCESS_CHILD_2,
    PROCESS_COUNT
};

typedef void event_fn(struct world *world, struct event *event);

struct event {
    uint64_t at_us;
    uint64_t order;
    event_fn *fn;
    enum process process;
    uint32_t life; /* of the process when it was put there: another life: dropped */
    uint8_t host;  /* 0 or 1: index */
    uint64_t a;
    uint64_t b;
    void *data; /* owned: freed after fn unless it takes it */
    size_t size;
};

struct process_state {
    uint32_t life;
    bool paused;
    struct event *deferred; /* owned: came due while paused */
    size_t deferred_count;
    size_t deferred_room;
};

/* ---- a host ---- */

struct host_clock {
    uint64_t base_us; /* world time at which the boot clock said boot_us */
    uint64_t boot_us;
    uint32_t rate_permille; /* 0: stands still */
    int64_t wall_ahead_ms;
};

/* The store: LMDB's part of it, which does its own I/O. What is here is durable. */
struct sim_store {
    uint8_t store_id[STORAGE_ID_SIZE];
    uint8_t cluster_id[STORAGE_ID_SIZE];
    struct record_position applied;
    uint64_t base_lsn; /* of the snapshot that it began with */
    struct state state;
    bool install; /* a snapshot whose marker is durable waits to be put in place */
    struct record_position install_position;
    uint64_t install_lineage;
    struct state install_state;
};

enum job_kind {
    JOB_SWAP,   /* put a value, say which was there */
    JOB_CREATE, /* put a value if there is none; else a conflict that says which is there */
    JOB_READ,
    JOB_ATTEMPT, /* outbox: an attempt is recorded before the call */
    JOB_CHECK,   /* outbox: a strong read right before the call */
    JOB_RESULT   /* outbox: the result after it */
};

struct request {
    enum job_kind kind;
    uint32_t client;
    uint32_t op; /* number of the client's operation */
    uint16_t key;
    uint16_t intent;
};

enum answer_code { ANSWER_OK, ANSWER_CONFLICT, ANSWER_UNAVAILABLE };

struct answer {
    struct request request;
    enum answer_code code;
    uint16_t value; /* READ, CONFLICT: there now; SWAP: there before */
    uint64_t lsn;   /* READ, CONFLICT: of the record that put it; else of the one that did this */
};

struct job {
    struct request request;
    struct answer answer;
    uint64_t lsn_wait;  /* committed before it is answered */
    uint64_t ping_wait; /* not 0: and a ping at or above this one echoed */
    bool evaluated;
};

#define JOB_COUNT_MAX     32U
#define HELD_COUNT_MAX    8U
#define PROMISE_COUNT_MAX 8U
#define INPUT_COUNT_MAX   512U
#define KEPT_COUNT        512U

/* What the replication thread has to take in. */
struct input {
    enum replica_event_type type;
    uint64_t connection; /* MESSAGE, LINK_*: of which */
    uint8_t *frame;      /* MESSAGE: owned */
    size_t frame_size;
    union {
        struct replica_register reg;
        struct replica_grant grant;
        uint64_t epoch;
        struct replica_found found;
        struct replica_shipped shipped;
        struct record_position position;
    } u;
};

struct input_ring {
    struct input items[INPUT_COUNT_MAX];
    uint32_t first;
    uint32_t count;
};

/* A record of the log that may not be in the applied state yet. */
struct kept {
    struct record_position position;
    uint16_t size;
    uint8_t changes[STATE_CHANGES_SIZE_MAX];
};

struct engine {
    struct wal *wal;           /* owned */
    struct wal_reader *reader; /* owned; NULL: none yet */
    struct promise *promise;   /* owned */
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t lineage;

    /* The writer's. */
    uint64_t epoch;        /* of the records that are appended as primary */
    uint64_t epoch_wanted; /* BEGIN_EPOCH: not done yet; 0: none */
    uint64_t epoch_begun;
    uint64_t epoch_first; /* LSN of the first start record of this process */
    struct isr isr;       /* primary */
    struct record_position last;
    uint64_t lsn_durable;
    struct record_position applied; /* in state */
    uint64_t lsn_commit;            /* standby: may be applied up to here */
    struct kept *kept;              /* owned: by LSN % KEPT_COUNT, those above applied */
    struct state state;             /* fold(log <= applied) */
    struct state spec;              /* primary: fold(log) */

    uint64_t sync_lsn;
    uint64_t checkpoint_lsn; /* durable in LMDB */
    uint64_t lsn_trimmed;    /* a log with a small budget: up to here it is gone */
    struct record_position checkpoint_position;
    struct state *checkpoint_state; /* owned */

    /* Jobs of the layer above. */
    struct job jobs[JOB_COUNT_MAX];
    uint64_t pinged;
    uint64_t echoed;
    uint64_t echo_wanted;

    /* The replication thread. */
    struct replica *core; /* owned memory */
    uint64_t connection;  /* that R knows; 0: none */
    struct input_ring inbox;
    struct input_ring todo; /* what effects led to: goes first */
    struct replica_effects effects;
    size_t effect_next;
    struct input current;                 /* whose effects are being performed */
    uint64_t promises[PROMISE_COUNT_MAX]; /* asked for and not durable, when calls do not block */
    uint64_t promise_lineages[PROMISE_COUNT_MAX];
    struct record_position cut; /* under way, likewise */
    uint64_t call_us;           /* when the last call that does not block ends */
    uint64_t block;             /* number of the blocking call that runs; 0: none */
    uint64_t block_count;
    uint64_t epoch_told;
    uint64_t read_told;
    uint64_t timer;       /* life of the armed timer */
    uint8_t *append_rest; /* owned: bytes of an APPEND that found no room yet; NULL: none */
    size_t append_size;
    struct state *incoming; /* owned: snapshot being received */
    struct record_position incoming_position;
    uint64_t incoming_count;

    enum replica_role role; /* the writer's */
    uint32_t job_count;
    uint32_t promise_count;

    /* Yes or no. */
    bool open;
    bool failed; /* nothing is said, appended or served any more */
    bool sync_failed;
    bool required;
    bool writer_due;
    bool wal_blocked;
    bool drained; /* between HANDOVER and RESUME at R: nothing is evaluated */
    bool syncing;
    bool checkpointing;
    bool cutting;
    bool r_due;
    bool news;
    bool diverged;
};

struct child {
    bool running;
    bool exec; /* started, not yet configured */
    bool cut;  /* killed by its supervisor, who hears no more of it */
    bool up;
    uint64_t incarnation;
    uint64_t start_order; /* of the world when it was started (rule A) */
    enum contract_state contract;
    struct contract_configure configure;
    uint64_t to_supervisor_us; /* nothing overtakes on the socket pair */
    uint64_t from_supervisor_us;
    struct engine engine;

    /* The layer above the storage. */
    bool serving;
    bool holding; /* a handover: new requests wait */
    struct request held[HELD_COUNT_MAX];
    uint32_t held_count;
    bool drain_wanted;        /* HANDOVER came; told to the core when everything is answered */
    uint64_t link_connection; /* that the process holds; 0: none */
    uint16_t outbox_intent;   /* being worked on; 0: none */
    uint8_t outbox_step;
};

struct supervisor {
    bool running;
    struct failover *core; /* owned memory */
    uint64_t timer;
    uint64_t start_order;
    uint64_t request;      /* number of the last request to the arbiter */
    uint64_t read_pending; /* request; 0: none */
    uint64_t cas_pending;
    uint64_t cas_nonce;
    uint64_t cas_flight;     /* the checker's number of it, manual only */
    uint64_t asked_order[2]; /* when the READ and the CAS were asked, likewise */
    struct mirror mirror;
    struct mirror_queue mirror_queue;
    struct fence fence;
    uint64_t fence_timer;
    struct mirror_copy mirror_next;   /* the newest that was asked for, */
    struct mirror_copy mirror_base;   /* what its value was made of, durable here or not, */
    struct mirror_copy mirror_saving; /* and the one that is on its way to the disk, */
    struct mirror_copy mirror_saving_base;
    uint64_t mirror_saving_number; /* with its number; 0: none is */
    uint64_t mirror_timer;
    uint64_t change_epoch; /* of the last change that was asked for, however often */
    uint64_t change_revision;
    uint64_t change_incarnation; /* of the child for which it was asked first */
    uint64_t accepted_nonce;     /* of the register that a command made it believe; 0: none */
    bool eligible;
    bool registered;     /* a register was read by this life (rule A) */
    uint64_t seen_order; /* when the last answered READ was sent */
    uint64_t read_order; /* when the last finished request was sent */
    uint64_t seen_epoch; /* the highest that the arbiter that counts has told */
    bool resync;         /* the next child begins an empty store */
    uint32_t child_failures;
};

struct host {
    uint8_t number; /* 1 or 2 */
    uint8_t index;
    bool powered;
    uint32_t power_life; /* deferred syncs of another are void */
    struct host_clock clock;
    struct vault vault;
    struct sim_store store;
    struct failover_memory memory; /* durable; the supervisor's file */
    struct mirror_copy copy;       /* likewise, of the register (manual) */
    uint64_t mirror_us;            /* nothing that is said about it overtakes */
    struct supervisor supervisor;
    struct child child;
    uint64_t disk_tickets;
    uint64_t disk_slow_us;                /* added to every sync */
    bool disk_bad;                        /* the next sync fails */
    bool arbiter_cut;                     /* no way to the arbiter */
    bool outlets[FENCE_DEVICE_COUNT_MAX]; /* that give it power */
    bool fence_wrong;                     /* this host's fence device is connected to nothing */
    uint32_t fence_life;                  /* power_life of the peer when this host's link ended */
};

/* ---- the arbiter ---- */

#define ARBITER_HISTORY_MAX 1024U

struct sim_arbiter {
    uint32_t life; /* of its process */
    bool down;     /* refuses connections */
    bool silent;   /* swallows requests */
    bool exists;
    char text[REGISTER_TEXT_SIZE_MAX];
    uint64_t revision; /* of the value */
    uint64_t head;
    uint64_t id;
    struct register_value history[ARBITER_HISTORY_MAX]; /* every value that was ever current */
    uint64_t revisions[ARBITER_HISTORY_MAX];
    uint64_t incarnations[ARBITER_HISTORY_MAX]; /* of the child for which it was asked */
    bool voids[ARBITER_HISTORY_MAX];            /* manual: of no account by the operator's word */
    uint32_t history_count;
    bool restored; /* an old copy or nothing is there now */
    uint64_t true_revision;
    uint64_t true_head;
    uint64_t true_id;
    char true_text[REGISTER_TEXT_SIZE_MAX];
};

/* ---- the link ---- */

struct link_way {      /* one direction, by its sender */
    bool blocked;      /* a partition: what is sent waits */
    uint64_t last_us;  /* nothing overtakes */
    uint64_t delay_us; /* added */
};

struct link {
    uint64_t connection; /* the newest that was made; 0: none yet */
    bool ends[2];        /* whether the host's process still holds it */
    struct link_way ways[2];
    struct event *waiting[2]; /* owned: frames behind a partition */
    size_t waiting_count[2];
    size_t waiting_room[2];
    uint64_t dial_until_us; /* one attempt at a time */
};

/* ---- clients ---- */

#define CLIENT_COUNT_MAX 6U

struct client {
    bool busy;
    struct request request;
    uint64_t began_us;
    uint64_t floor; /* every value of the key that was seen before it began */
    uint32_t tries;
    uint8_t host;
};

struct clients {
    struct client items[CLIENT_COUNT_MAX];
    uint32_t count;
    uint32_t op;
    uint16_t intent; /* last used */
    uint32_t pause_us;
    bool stopped; /* nothing new is begun, by the outbox neither */
    bool readers; /* some only read */
    uint64_t done_count;
    uint64_t healed_done_count; /* of operations that began after the healing */
    uint64_t healed_us;         /* 0: not healed yet */
};

struct totals {
    uint64_t seeds, failovers, evictions, adds, ambiguous, sync_failures, power_losses, snapshots;
    uint64_t handovers_done, handovers_aborted, forced, kills, disk_losses, operations, effects;
    uint64_t cuts, events, restores, resyncs, records, halts, refusals;
    uint64_t beyond; /* seeds that ended early: world.beyond */
    uint64_t fence_offs, fence_words, fence_fails;
};

struct sim_options {
    uint64_t seed;
    uint64_t faults_off; /* bit set of enum fault */
    bool manual;         /* no third host, whatever the seed draws */
    bool fence;          /* nor an operator: fence devices */
    bool trace;          /* keep readable lines */
    bool print;          /* and print them at once */
};

#define TRACE_LINE_COUNT 200U
#define TRACE_LINE_SIZE  220U

struct world {
    struct sim_options options;
    uint64_t now_us;
    uint64_t order;
    struct prng prng;
    struct prng more; /* for what was added: the rest draws what it always drew */
    struct rng rng;   /* base/rng.h upon prng */
    struct event *heap;
    size_t heap_count;
    size_t heap_room;
    struct process_state processes[PROCESS_COUNT];
    struct host hosts[2];
    struct sim_arbiter arbiter;
    struct link link;
    struct clients clients;
    struct nemesis nemesis;
    struct checker *checker; /* owned */
    struct totals totals;
    uint8_t cluster_id[STORAGE_ID_SIZE];
    bool strict;
    bool manual; /* no third host: the register is on both (rule E) */
    bool fence;  /* likewise, with fence devices */
    struct fence_options fence_options;
    struct prng fence_prng; /* of the devices */
    bool drains;            /* the layer above hands over only what is answered */
    bool async; /* R goes on while promises and cuts are made durable: the core allows both */
    uint32_t silence_ms, evict_ms, ping_ms, bias_ms, hold_down_ms;
    uint32_t checkpoint_ms;
    uint64_t hash; /* of everything that happened */
    bool failed;
    bool beyond; /* ended, but not failed: everything that the register names was lost (checker) */
    char invariant[64];
    char failure[400];
    char (*lines)[TRACE_LINE_SIZE]; /* owned ring */
    uint64_t line_count;
};

/* world.c */
void world_init(struct world *world, const struct sim_options *options);
void world_done(struct world *world);
/* Runs the next event. False: there is none. */
bool world_step(struct world *world);
/* Puts an event in delay_us from now; fills time, order and life. */
void world_at(struct world *world, uint64_t delay_us, struct event event);
void process_pause(struct world *world, enum process process);
void process_resume(struct world *world, enum process process);
/* What was meant for it is dropped. */
void process_end(struct world *world, enum process process);
void world_hash(struct world *world, uint64_t value);
void world_trace(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define TRACE(world, ...) ((world)->options.trace ? world_trace((world), __VA_ARGS__) : (void)0)
void world_dump(const struct world *world);
uint64_t clock_boot_us(const struct world *world, const struct host *host);
uint64_t clock_boot(const struct world *world, const struct host *host); /* ms */
uint64_t clock_wall(const struct world *world, const struct host *host); /* ms */
/* World microseconds until the host's boot clock shows boot_ms. */
uint64_t clock_until(const struct world *world, const struct host *host, uint64_t boot_ms);

static inline enum process supervisor_process(const struct host *host)
{
    return (enum process)(PROCESS_SUPERVISOR_1 + host->index);
}

static inline enum process child_process(const struct host *host)
{
    return (enum process)(PROCESS_CHILD_1 + host->index);
}

static inline struct host *host_peer(struct world *world, const struct host *host)
{
    return &world->hosts[1 - host->index];
}

/* host.c */
void host_power_on(struct world *world, struct host *host);
/* Everything volatile is lost. */
void host_power_off(struct world *world, struct host *host);
void host_clock_changed(struct world *world, struct host *host);
/* A new, empty disk. */
void host_lose_disk(struct world *world, struct host *host);

/* nemesis.c */
/* delay_us 0: drawn. */
void nemesis_power_later(struct world *world, struct host *host, uint64_t delay_us);

/* supervisor.c */
void supervisor_start(struct world *world, struct host *host);
void supervisor_kill(struct world *world, struct host *host);
void supervisor_command(struct world *world, struct host *host, enum failover_command command);
void supervisor_feed(struct world *world, struct host *host, struct failover_event *event);
void supervisor_arm(struct world *world, struct host *host);
/* child.c, the supervisor's side */
void child_start(struct world *world, struct host *host);
void child_kill(struct world *world, struct host *host, const char *why);
void child_send(struct world *world, struct host *host, const struct contract_message *message);
/* the child's side */
void child_tell(struct world *world, struct host *host, const struct contract_message *message);
void child_report(struct world *world, struct host *host, const struct replica_report *report);
void child_end(struct world *world, struct host *host, const char *why);
/* from supervisor.c: a message of the child has arrived */
void supervisor_hear(struct world *world,
                     struct host *host,
                     const struct contract_message *message);
void supervisor_child_down(struct world *world, struct host *host);

/* app.c */
void app_request(struct world *world, struct host *host, const struct request *request);
void app_answered(struct world *world, struct host *host, const struct answer *answer);
void app_serve(struct world *world, struct host *host);
void app_handover(struct world *world, struct host *host);
void app_refuse_job(struct world *world, const struct request *request);
void app_resume(struct world *world, struct host *host);
void app_refuse(struct world *world, struct host *host);
void app_drain_step(struct world *world, struct host *host);

/* engine*.c */
enum err_code engine_open(struct world *world, struct host *host, struct err *err);
void engine_close(struct engine *engine);
void engine_fail(struct world *world, struct host *host, const char *why);
/* The process ends cleanly: the peer is told if this host is not busy; the caller ends it. */
void engine_leave(struct world *world, struct host *host);
void engine_input(struct world *world, struct host *host, const struct input *input);
void engine_todo(struct world *world, struct host *host, const struct input *input);
void engine_kick(struct world *world, struct host *host); /* R has something to do */
void engine_news(struct world *world, struct host *host);
void engine_writer(struct world *world, struct host *host); /* the writer has */
void engine_release(struct world *world, struct host *host);
void engine_sync(struct world *world, struct host *host);
void engine_checkpoint(struct world *world, struct host *host);
void engine_arm(struct world *world, struct host *host);
/* False when it must be asked again later: no room. */
bool engine_job(struct world *world, struct host *host, const struct request *request);
/* Performs one effect. True: it blocks, engine_continue is called later. */
bool engine_perform(struct world *world, struct host *host, struct replica_effect *effect);
/* What of an APPEND found no room, and whether it would now. */
bool engine_append_ready(struct engine *engine);
void engine_append_more(struct world *world, struct host *host);
void engine_block(struct world *world, struct host *host, uint64_t delay_us, event_fn *fn);
void engine_unblock(struct world *world, struct host *host);
uint64_t engine_sync_us(struct world *world, struct host *host);
/* The disk says that the process was to die in this call: it dies. True when so. */
bool engine_crashed(struct world *world, struct host *host);
/* Maybe lets the process die within the disk calls that come now. */
void engine_maybe_crash(struct world *world, struct host *host);
bool engine_wal_prepare(struct world *world, struct host *host);
uint64_t engine_commit_lsn(const struct engine *engine);
void engine_local(struct host *host, struct replica_local *ret_local);
void engine_step_down(struct world *world, struct host *host);
/* Evaluates the job on the speculative state as of record lsn; writes its changes to at and returns
 * their size. Sets ping_wait when it is a strong read. */
size_t job_run(struct state *spec, struct job *job, uint64_t lsn, uint8_t *at);

/* link.c */
void link_send(struct world *world, struct host *host, uint8_t *frame, size_t size);
/* The process ended, or wants no more of it. */
void link_close(struct world *world, struct host *host);
/* The network ends it for both. */
void link_break(struct world *world);
/* This end of it, by its owner who has heard nothing for too long. */
void link_give_up(struct world *world, struct host *host);
void link_block(struct world *world, uint8_t sender, bool blocked);
void link_dial(struct world *world);

/* arbiter.c */
void arbiter_init(struct world *world);
void arbiter_ask_read(struct world *world, struct host *host);
void arbiter_ask_cas(struct world *world, struct host *host, const struct failover_cas *swap);
/* The current value. False: there is none. */
bool arbiter_value(const struct world *world, struct register_value *ret_value);
void arbiter_restore_old(struct world *world);
void arbiter_restore_last(struct world *world);
void arbiter_replace(struct world *world);
void arbiter_restore_true(struct world *world);

/* An answer to what the host has asked: manual.c. */
void arbiter_answer(struct world *world,
                    struct host *host,
                    bool cas,
                    const struct failover_answer *answer);

/* client.c */
void clients_init(struct world *world);
void clients_answer(struct world *world, const struct answer *answer);
void clients_stop(struct world *world);

/* run.c */
/* Runs one seed. True: it held. */
bool run_seed(struct world *world);

#endif

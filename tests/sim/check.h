/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: the checker, which sees everything at once: the register, both media, both logs, every
 * answer. Its numbers are those of the invariants in the design (section 7) and of README.md.
 * Never tells anything to those that it watches. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "storage/message.h"
#include "storage/promise.h"
#include "storage/record.h"
#include "supervisor/failover/failover.h"
#include "supervisor/failover/register.h"
#include "tests/sim/state.h"

#include <stdbool.h>
#include <stdint.h>

#define CHECK_LSN_MAX 8192U

struct world;
struct host;
struct contract_link;
struct engine;
struct checker;
struct answer;

struct checker *checker_new(void);
void checker_free(struct checker *checker);
/* Ends the run: the invariant does not hold. The first failure counts. */
void check_fail(struct world *world, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What must hold between any two steps. */
void checker_step(struct world *world);

/* ---- the arbiter (check_register.c) ---- */
void checker_register(struct world *world, uint8_t host, const struct register_value *value);
/* By the operator's word this value is the register, or the one that is changed; NULL: none. */
void checker_register_void(struct world *world, const struct register_value *value);
/* By the operator's word that value counts, whatever was written after it. */
void checker_register_chosen(struct world *world, const struct register_value *value);
/* A supervisor asks for a CAS. */
void checker_cas_asked(struct world *world, uint8_t host);
/* A CAS is under way that may land; returns its number. */
uint64_t checker_cas_sent(struct world *world,
                          uint8_t host,
                          const struct register_value *value,
                          uint64_t revision);
void checker_cas_landed(struct world *world, uint64_t number);
bool checker_cas_flies(const struct world *world);
/* The arbiter is another process: what was under way to the old one never lands. */
void checker_cas_void(struct world *world);
void checker_grant(struct world *world, uint8_t host, const struct register_value *value);
void checker_persist(struct world *world,
                     uint8_t host,
                     const struct failover_memory *old,
                     const struct failover_memory *memory);
/* The newest value by this host that its log was granted. */
void checker_granted(struct world *world, uint8_t host, uint64_t epoch);

/* ---- stores and logs (check_log.c) ---- */
void checker_store_new(struct world *world,
                       uint8_t host,
                       const uint8_t store_id[STORAGE_ID_SIZE],
                       const struct promise_value *promise);
void checker_store_installed(struct world *world,
                             uint8_t host,
                             const struct record_position *position,
                             uint64_t state_hash);
void checker_store_lost(struct world *world, uint8_t host);
void checker_power_loss(struct world *world, uint8_t host);
void checker_recovered(struct world *world,
                       uint8_t host,
                       const struct engine *engine,
                       const struct promise_value *promise);
/* Of the host's store; 0: none yet. */
uint64_t checker_lineage(const struct world *world, uint8_t host);
/* The highest epoch that the host's store has durably promised. */
uint64_t checker_promise(const struct world *world, uint8_t host);
void checker_promised(struct world *world, uint8_t host, const struct promise_value *promise);
void checker_append(struct world *world,
                    uint8_t host,
                    const struct record_position *position,
                    bool authority);
/* A cut is asked for; then it is done. */
void checker_cutting(struct world *world, uint8_t host);
void checker_cut(struct world *world, uint8_t host, const struct record_position *position);
/* A crash before this leaves the old end or the new one. */
void checker_cut_done(struct world *world, uint8_t host, uint64_t lsn);
void checker_durable(struct world *world, uint8_t host, uint64_t lsn);
void checker_sync_failed(struct world *world, uint8_t host);
void checker_begin(struct world *world, uint8_t host, uint64_t epoch);
void checker_committed(struct world *world, uint8_t host, const struct engine *engine);
void checker_applied(struct world *world,
                     uint8_t host,
                     const struct record_position *position,
                     uint64_t state_hash);
void checker_send(struct world *world, uint8_t host, const struct message *message);
/* True when the host's store holds, durably, everything that is committed. */
bool checker_holds_all(const struct world *world, uint8_t host);
/* True when no live host has that store any more. */
bool checker_store_dead(const struct world *world, const uint8_t store_id[STORAGE_ID_SIZE]);
uint64_t checker_commit_count(const struct world *world);

/* ---- clients and the outside (check_history.c) ---- */
/* The host is told that it may serve. */
void checker_serves(struct world *world, uint8_t host, const struct engine *engine);
void checker_answer(struct world *world, uint8_t host, const struct answer *answer);
/* What a new operation on the key must not miss. */
uint64_t checker_floor(const struct world *world, uint16_t key);
void checker_completed(struct world *world, const struct answer *answer, uint64_t floor);
void checker_effect(struct world *world, uint8_t host, uint16_t intent);

/* ---- what costs time, not records (check_duty.c) ---- */
void checker_child_new(struct world *world, uint8_t host);
/* The supervisor was told by its child. */
void checker_told_link(struct world *world, uint8_t host, const struct contract_link *link);
void checker_offered(struct world *world, uint8_t host, uint64_t epoch);
void checker_proposed(struct world *world, uint8_t host, uint64_t epoch);
/* The other host has told this one that it is to stop. */
void checker_left(struct world *world, const struct host *host);
/* The supervisor asks for a change of the register. */
void checker_change_asked(struct world *world,
                          struct host *host,
                          const struct register_value *value,
                          uint64_t revision);
/* After each step of a supervisor. */
void checker_knows(struct world *world, struct host *host);
void checker_alarm(struct world *world, uint8_t host, enum failover_alarm alarm, bool on);
/* The supervisor wants to hand over; the log offers it. */
void checker_handover(struct world *world, struct host *host);
void checker_offers(struct world *world, uint8_t host, uint64_t epoch);
void checker_follows(struct world *world, uint8_t host);
/* The host ends the link because of what the peer said. */
void checker_blames(struct world *world, uint8_t host, const char *reason);
/* The host begins with an effect that it owes; it is about to call outside. */
void checker_effect_begins(struct world *world, struct host *host);
void checker_effect_confirmed(struct world *world, uint8_t host);

/* ---- words for traces ---- */
const char *checker_outcome(enum failover_read outcome);
const char *checker_command(enum failover_command command);
const char *checker_message(const struct message *message);

#endif

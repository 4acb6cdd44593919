/* SPDX-License-Identifier: Apache-2.0 */
/* failover_kit.h: one failover core on a bench: events in, effects as a readable trace.
 *
 * After every step it asserts what must hold whatever happens (see kit_check in failover_kit.c), so
 * the unit tests and the fuzzer share one judge. Hosts: the core is host 1 unless said otherwise,
 * host 2 the peer. Stores: host 1 "A", host 2 "B", others any letter. */
#ifndef TESTS_UNIT_FAILOVER_KIT_H
#define TESTS_UNIT_FAILOVER_KIT_H

#include "supervisor/failover/failover.h"

#include <stdbool.h>
#include <stdint.h>

#define KIT_TRACE_SIZE 1024U
#define KIT_LINEAGE    0x11U
#define KIT_ARBITER    77U

struct kit {
    struct failover *failover;
    struct failover_effects effects;
    char trace[KIT_TRACE_SIZE]; /* of the last step */
    uint64_t now_ms;
    uint64_t random;
    uint8_t host;
    bool alone;

    /* What the shell would know. */
    bool read_out;
    bool read_since_up; /* asked for and answered in this incarnation */
    bool read_counts;
    bool cas_out;
    struct register_value cas_value; /* of the last attempt */
    struct register_value cas_before;
    uint64_t cas_revision;
    bool cas_over; /* a read has resolved the change before the attempt's answer */
    bool unresolved;
    uint64_t nonces[FAILOVER_NONCE_COUNT]; /* of the change under way */
    size_t nonce_count;
    struct register_value won; /* the last value that an answer said is ours */
    uint64_t won_incarnation;
    uint64_t cas_incarnation;
    uint64_t incarnation; /* 0: none is up */
    uint64_t sealed;
    uint64_t head;
    struct failover_memory memory; /* as last persisted */
    bool eligible;
    bool fence; /* the other host is wanted off */
    bool alarms[FAILOVER_ALARM_COUNT];
    char alarm_reasons[FAILOVER_ALARM_COUNT][FAILOVER_REASON_SIZE];
};

struct failover_options kit_options(void);
void kit_new(struct kit *kit, const struct failover_options *options);
void kit_free(struct kit *kit);

/* Steps. Each fills trace: effects joined by "; ", CHANGED left out. */
void kit_step(struct kit *kit, struct failover_event *event);
void kit_start(struct kit *kit, const struct failover_memory *memory); /* NULL: the first start */
void kit_wait(struct kit *kit, uint64_t ms); /* ticks at each deadline; the trace is of them all */
void kit_read(struct kit *kit, const struct register_value *value); /* NULL: absent */
void kit_read_failed(struct kit *kit, enum failover_read outcome);
void kit_cas(struct kit *kit, enum failover_read outcome, const struct register_value *value);
void kit_up(struct kit *kit, uint64_t incarnation, char store, uint64_t epoch, uint64_t lsn);
void kit_down(struct kit *kit);
void kit_epoch(struct kit *kit, enum failover_event_type type, uint64_t epoch);
void kit_link(struct kit *kit, const struct failover_link *link);
void kit_propose(struct kit *kit, enum failover_event_type type, uint64_t epoch, char store);
void kit_safe(struct kit *kit, bool on);
void kit_command(struct kit *kit, enum failover_command command);

/* register: epoch, primary, stores of hosts 1 and 2 ('-': not in the ISR), revision 10 + epoch. */
struct register_value kit_value(uint64_t epoch, uint8_t primary, const char *stores);
/* A link that is alive: the peer's store, its log's end, and under what it leads (0: it does not).
 */
struct failover_link
kit_peer(char store, uint64_t last_epoch, uint64_t last_lsn, uint64_t leads, bool in_sync);
struct failover_link kit_silence(void);
enum failover_role kit_role(const struct kit *kit);

#endif

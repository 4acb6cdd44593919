/* SPDX-License-Identifier: Apache-2.0 */
/* failover_kit.c: the bench and the judge of the failover core.
 * Owns the trace's words and what must hold after every step.
 * Never looks into the core: it judges by events and effects alone. */
#include "tests/unit/failover_kit.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct failover_options kit_options(void)
{
    struct failover_options options = {.host = 1,
                                       .linearizable = true,
                                       .bias_ms = 250,
                                       .start_wait_ms = 2000,
                                       .takeover_ms = 1000,
                                       .read_ms = 100,
                                       .idle_read_ms = 2000,
                                       .retry_ms = 200,
                                       .handover_ms = 3000};

    memset(options.cluster_id, 0xc1, sizeof options.cluster_id);
    return options;
}

void kit_new(struct kit *kit, const struct failover_options *options)
{
    memset(kit, 0, sizeof *kit);
    kit->failover = malloc(failover_size());
    ASSERT(kit->failover != NULL);
    failover_init(kit->failover, options);
    kit->host = options->host;
    kit->alone = options->alone;
    kit->now_ms = 1000;
    kit->random = 500;
    kit->head = 10;
}

void kit_free(struct kit *kit)
{
    free(kit->failover);
    kit->failover = NULL;
}

/* The judge. */

static bool is_nonce(const struct kit *kit, uint64_t nonce)
{
    for (size_t i = 0; i < kit->nonce_count; i++) {
        if (kit->nonces[i] == nonce) {
            return true;
        }
    }
    return false;
}

/* An answer has shown this value: one of our attempts has written it, or the change has failed. */
static void kit_resolve(struct kit *kit, const struct register_value *value)
{
    kit->unresolved = false;
    if (is_nonce(kit, value->nonce)) {
        kit->won = *value;
        kit->won_incarnation = kit->cas_incarnation;
    }
}

static void check_cas(struct kit *kit, const struct failover_effect *effect)
{
    const struct register_value *value = &effect->u.cas.value;

    ASSERT(!kit->alone);
    ASSERT(!kit->cas_out); /* one at most */
    ASSERT(kit->incarnation != 0);
    ASSERT(register_is_legal(value));
    ASSERT(value->primary == kit->host); /* K */
    ASSERT(kit->read_since_up);          /* A */
    if (kit->unresolved) {               /* D: nothing but the same change */
        struct register_value same = kit->cas_value;

        same.nonce = value->nonce;
        ASSERT(register_equal(&same, value));
        ASSERT(effect->u.cas.revision == kit->cas_revision);
        ASSERT(kit->cas_revision == 0 || register_equal(&effect->u.cas.before, &kit->cas_before));
    } else {
        kit->cas_incarnation = kit->incarnation;
        kit->nonce_count = 0;
    }
    if (!is_nonce(kit, value->nonce)) {
        ASSERT(kit->nonce_count < FAILOVER_NONCE_COUNT);
        kit->nonces[kit->nonce_count++] = value->nonce;
    }
    kit->cas_out = true;
    kit->cas_value = *value;
    kit->cas_before = effect->u.cas.before;
    kit->cas_revision = effect->u.cas.revision;
}

static void check_grant(const struct kit *kit, const struct register_value *value)
{
    ASSERT(kit->incarnation != 0);
    ASSERT(value->primary == kit->host);
    ASSERT(kit->sealed >= value->epoch); /* C */
    if (!kit->alone) {
        ASSERT(kit->read_since_up);                       /* A */
        ASSERT(register_equal(value, &kit->won));         /* C, K */
        ASSERT(kit->won_incarnation == kit->incarnation); /* L */
    }
}

/* An alarm is told when it begins, when it is over, and when its reason is another one. */
static void check_alarm(struct kit *kit, const struct failover_effect *effect)
{
    bool *on = &kit->alarms[effect->u.alarm.which];
    char *reason = kit->alarm_reasons[effect->u.alarm.which];

    ASSERT(*on != effect->u.alarm.on || (*on && strcmp(reason, effect->u.alarm.reason) != 0));
    *on = effect->u.alarm.on;
    memcpy(reason, effect->u.alarm.reason, FAILOVER_REASON_SIZE);
}

static void check_effect(struct kit *kit, const struct failover_effect *effect, size_t index)
{
    switch (effect->type) {
    case FAILOVER_EFFECT_PERSIST:
        ASSERT(index == 0);
        kit->memory = effect->u.memory;
        break;
    case FAILOVER_EFFECT_READ:
        ASSERT(!kit->read_out);
        ASSERT(!kit->alone);
        kit->read_out = true;
        kit->read_counts = kit->incarnation != 0;
        break;
    case FAILOVER_EFFECT_CAS:
        check_cas(kit, effect);
        break;
    case FAILOVER_EFFECT_REGISTER:
        ASSERT(kit->incarnation != 0);
        ASSERT(kit->read_since_up); /* A */
        break;
    case FAILOVER_EFFECT_GRANT:
        check_grant(kit, &effect->u.value);
        break;
    case FAILOVER_EFFECT_REFUSED:
        ASSERT(!kit->unresolved); /* D */
        ASSERT(kit->incarnation != 0);
        break;
    case FAILOVER_EFFECT_SEAL:
    case FAILOVER_EFFECT_ASK_HANDOVER:
    case FAILOVER_EFFECT_HANDOVER:
    case FAILOVER_EFFECT_RESUME:
    case FAILOVER_EFFECT_RESYNC:
        ASSERT(kit->incarnation != 0);
        break;
    case FAILOVER_EFFECT_REVOKE:
        ASSERT(kit->incarnation != 0);
        kit->incarnation = 0;
        kit->sealed = 0;
        break;
    case FAILOVER_EFFECT_ELIGIBLE:
        kit->eligible = effect->u.eligible;
        break;
    case FAILOVER_EFFECT_ALARM:
        check_alarm(kit, effect);
        break;
    case FAILOVER_EFFECT_FENCE:
        kit->fence = effect->u.fence.on;
        break;
    case FAILOVER_EFFECT_CHANGED:
    case FAILOVER_EFFECT_REPLY:
        break;
    }
}

static void kit_check(struct kit *kit)
{
    for (size_t i = 0; i < kit->effects.count; i++) {
        check_effect(kit, &kit->effects.items[i], i);
    }
    failover_invariant(kit->failover);
    ASSERT(failover_deadline_ms(kit->failover) > kit->now_ms); /* what is due is done */
}

/* The trace. */

__attribute__((format(printf, 2, 3))) static void trace(struct kit *kit, const char *format, ...)
{
    size_t used = strlen(kit->trace);
    va_list arguments;

    if (used > 0) {
        (void)snprintf(kit->trace + used, sizeof kit->trace - used, "; ");
        used = strlen(kit->trace);
    }
    va_start(arguments, format);
    (void)vsnprintf(kit->trace + used, sizeof kit->trace - used, format, arguments);
    va_end(arguments);
}

static void trace_value(struct kit *kit, const char *word, const struct register_value *value)
{
    char stores[] = "--";

    for (size_t i = 0; i < HOST_COUNT; i++) {
        if (value->isr[i].present) {
            memcpy(&stores[i], value->isr[i].store_id, 1);
        }
    }
    trace(kit, "%s %" PRIu64 " p%u %s%s", word, value->epoch, (unsigned)value->primary, stores,
          value->lineage == KIT_LINEAGE ? "" : " new lineage");
}

static const char *alarm_word(enum failover_alarm which)
{
    static const char *const words[] = {"unprotected", "arbiter down", "arbiter wrong", "operator"};

    return words[which];
}

static void trace_effect(struct kit *kit, const struct failover_effect *effect)
{
    static const char *const words[] = {"PERSIST", "READ",    "CAS",      "REGISTER", "SEAL",
                                        "GRANT",   "REFUSED", "HANDOVER", "RESUME",   "REVOKE",
                                        "RESYNC",  "ASK",     "ELIGIBLE"};

    switch (effect->type) {
    case FAILOVER_EFFECT_PERSIST:
        trace(kit, "PERSIST %" PRIu64 "%s%s", effect->u.memory.epoch,
              effect->u.memory.in_sync ? " in sync" : "",
              effect->u.memory.maintenance ? " maintenance" : "");
        break;
    case FAILOVER_EFFECT_CAS:
    case FAILOVER_EFFECT_GRANT:
    case FAILOVER_EFFECT_REGISTER:
        trace_value(kit, words[effect->type],
                    effect->type == FAILOVER_EFFECT_CAS ? &effect->u.cas.value : &effect->u.value);
        break;
    case FAILOVER_EFFECT_SEAL:
    case FAILOVER_EFFECT_REFUSED:
        trace(kit, "%s %" PRIu64, words[effect->type], effect->u.epoch);
        break;
    case FAILOVER_EFFECT_ELIGIBLE:
        trace(kit, "ELIGIBLE %d", effect->u.eligible);
        break;
    case FAILOVER_EFFECT_READ:
    case FAILOVER_EFFECT_ASK_HANDOVER:
    case FAILOVER_EFFECT_HANDOVER:
    case FAILOVER_EFFECT_RESUME:
    case FAILOVER_EFFECT_REVOKE:
    case FAILOVER_EFFECT_RESYNC:
        trace(kit, "%s", words[effect->type]);
        break;
    case FAILOVER_EFFECT_ALARM:
        trace(kit, "%s %s", effect->u.alarm.on ? "ALARM" : "OVER",
              alarm_word(effect->u.alarm.which));
        break;
    case FAILOVER_EFFECT_REPLY:
        trace(kit, "%s: %s", effect->u.reply.ok ? "OK" : "NO", effect->u.reply.reason);
        break;
    case FAILOVER_EFFECT_FENCE:
        trace(kit, "FENCE %s%s", effect->u.fence.on ? "on" : "off",
              effect->u.fence.on && effect->u.fence.leads ? " first" : "");
        break;
    case FAILOVER_EFFECT_CHANGED:
        break;
    }
}

/* Steps. */

static void kit_feed(struct kit *kit, struct failover_event *event)
{
    event->now_ms = kit->now_ms;
    event->random = ++kit->random;
    failover_step(kit->failover, event, &kit->effects);
    kit_check(kit);
    for (size_t i = 0; i < kit->effects.count; i++) {
        trace_effect(kit, &kit->effects.items[i]);
    }
}

void kit_step(struct kit *kit, struct failover_event *event)
{
    kit->trace[0] = '\0';
    kit_feed(kit, event);
}

void kit_start(struct kit *kit, const struct failover_memory *memory)
{
    struct failover_event event = {.type = FAILOVER_EVENT_START};

    if (memory != NULL) {
        event.u.memory = *memory;
        kit->memory = *memory;
    }
    kit_step(kit, &event);
}

void kit_wait(struct kit *kit, uint64_t ms)
{
    uint64_t end_ms = kit->now_ms + ms;

    kit->trace[0] = '\0';
    while (kit->now_ms < end_ms) {
        struct failover_event event = {.type = FAILOVER_EVENT_TICK};
        uint64_t deadline_ms = failover_deadline_ms(kit->failover);

        kit->now_ms = deadline_ms < end_ms ? deadline_ms : end_ms;
        kit_feed(kit, &event);
    }
}

static struct failover_answer
answer_of(struct kit *kit, enum failover_read outcome, const struct register_value *value)
{
    struct failover_answer answer = {.outcome = outcome, .arbiter_id = KIT_ARBITER};

    if (value != NULL) {
        answer.value = *value;
        answer.revision = 10 + value->epoch;
        if (answer.revision > kit->head) {
            kit->head = answer.revision;
        }
    }
    answer.revision_head = kit->head;
    return answer;
}

static void kit_answer_read(struct kit *kit, const struct failover_answer *answer)
{
    struct failover_event event = {.type = FAILOVER_EVENT_READ, .u.answer = *answer};

    ASSERT(kit->read_out);
    kit->read_out = false;
    if (answer->outcome == FAILOVER_DONE || answer->outcome == FAILOVER_ABSENT) {
        kit->read_since_up = kit->read_since_up || kit->read_counts;
    }
    if (answer->outcome == FAILOVER_DONE && (kit->unresolved || kit->cas_out) &&
        answer->revision != kit->cas_revision) {
        kit_resolve(kit, &answer->value);
        kit->cas_over = kit->cas_out;
    }
    kit_step(kit, &event);
}

void kit_read(struct kit *kit, const struct register_value *value)
{
    struct failover_answer answer =
        answer_of(kit, value == NULL ? FAILOVER_ABSENT : FAILOVER_DONE, value);

    kit_answer_read(kit, &answer);
}

void kit_read_failed(struct kit *kit, enum failover_read outcome)
{
    struct failover_answer answer = {.outcome = outcome};

    kit_answer_read(kit, &answer);
}

void kit_cas(struct kit *kit, enum failover_read outcome, const struct register_value *value)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CAS};

    ASSERT(kit->cas_out);
    kit->cas_out = false;
    if (outcome == FAILOVER_DONE && value == NULL) {
        value = &kit->cas_value;
    }
    event.u.answer = answer_of(kit, outcome, value);
    event.u.answer.nonce = kit->cas_value.nonce;
    if (kit->cas_over) {
        kit->cas_over = false;
    } else if (outcome == FAILOVER_UNKNOWN) {
        kit->unresolved = true;
    } else if (outcome == FAILOVER_DONE || outcome == FAILOVER_CONFLICT) {
        kit_resolve(kit, value);
    }
    kit_step(kit, &event);
}

void kit_up(struct kit *kit, uint64_t incarnation, char store, uint64_t epoch, uint64_t lsn)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_UP};

    event.u.child.incarnation = incarnation;
    memset(event.u.child.store_id, store, REGISTER_ID_SIZE);
    event.u.child.lineage = lsn == 0 ? 0 : KIT_LINEAGE;
    event.u.child.promised = epoch;
    event.u.child.last_epoch = epoch;
    event.u.child.last_lsn = lsn;
    kit->incarnation = incarnation;
    kit->sealed = 0;
    kit->read_since_up = false;
    kit->read_counts = false;
    kit_step(kit, &event);
}

void kit_down(struct kit *kit)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_DOWN};

    kit->incarnation = 0;
    kit->sealed = 0;
    kit_step(kit, &event);
}

void kit_epoch(struct kit *kit, enum failover_event_type type, uint64_t epoch)
{
    struct failover_event event = {.type = type, .u.epoch = epoch};

    if (type == FAILOVER_EVENT_SEALED && kit->incarnation != 0 && epoch > kit->sealed) {
        kit->sealed = epoch;
    }
    kit_step(kit, &event);
}

void kit_link(struct kit *kit, const struct failover_link *link)
{
    struct failover_event event = {.type = FAILOVER_EVENT_LINK, .u.link = *link};

    kit_step(kit, &event);
}

void kit_propose(struct kit *kit, enum failover_event_type type, uint64_t epoch, char store)
{
    struct failover_event event = {.type = type, .u.proposal.epoch = epoch};

    memset(event.u.proposal.peer_store_id, store, REGISTER_ID_SIZE);
    kit_step(kit, &event);
}

void kit_safe(struct kit *kit, bool on)
{
    struct failover_event event = {.type = FAILOVER_EVENT_SAFE_MODE, .u.safe.on = on};

    (void)snprintf(event.u.safe.reason, sizeof event.u.safe.reason, "three crashes");
    kit_step(kit, &event);
}

void kit_command(struct kit *kit, enum failover_command command)
{
    struct failover_event event = {.type = FAILOVER_EVENT_COMMAND, .u.command = command};

    kit_step(kit, &event);
}

/* Samples. */

struct register_value kit_value(uint64_t epoch, uint8_t primary, const char *stores)
{
    struct register_value value = {
        .lineage = KIT_LINEAGE, .epoch = epoch, .nonce = 9000 + epoch, .primary = primary};

    memset(value.cluster_id, 0xc1, sizeof value.cluster_id);
    for (size_t i = 0; i < HOST_COUNT; i++) {
        value.isr[i].present = stores[i] != '-';
        if (value.isr[i].present) {
            memset(value.isr[i].store_id, stores[i], REGISTER_ID_SIZE);
        }
    }
    return value;
}

struct failover_link
kit_peer(char store, uint64_t last_epoch, uint64_t last_lsn, uint64_t leads, bool in_sync)
{
    struct failover_link link = {.up = true,
                                 .in_sync = in_sync,
                                 .peer_leads = leads != 0,
                                 .peer_epoch = leads,
                                 .peer_promised = last_epoch,
                                 .peer_incarnation = 3,
                                 .peer_lineage = KIT_LINEAGE,
                                 .peer_last_epoch = last_epoch,
                                 .peer_last_lsn = last_lsn};

    memset(link.peer_store_id, store, REGISTER_ID_SIZE);
    return link;
}

struct failover_link kit_silence(void)
{
    return (struct failover_link){.silent = true};
}

enum failover_role kit_role(const struct kit *kit)
{
    struct failover_status status;

    failover_status(kit->failover, &status);
    return status.role;
}

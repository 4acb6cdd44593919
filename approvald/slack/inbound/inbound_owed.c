/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_owed.c: who is owed a word, because what he did in Slack could not be made durable in
 * time. Owns the debts: who, where, what kind of act, and by which identity a repeated delivery
 * settles it. Slack shows such a person a sign at most; he is told in words as soon as the store
 * works again. Never tells of an act that has been accepted meanwhile, never keeps text of people,
 * never outlives its process: Slack repeats, or the person looks and presses again. */
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"

#include <event2/event.h>
#include <string.h>

#define MODULE "slack_inbound"

/* Said only when it is known that no delivery of it was accepted here; the other host may have
 * taken one, so the request has the last word. */
static const char *sentence_of(enum payload_kind kind)
{
    switch (kind) {
    case PAYLOAD_BLOCK_ACTIONS:
        return "Your press was not taken: it could not be stored in time. Look at the request; if "
               "it shows nothing of your press, press again.";
    case PAYLOAD_VIEW_SUBMISSION:
        return "What you sent from a window was not taken: it could not be stored in time. Look at "
               "the request; if it shows nothing of it, open the window again.";
    case PAYLOAD_SHORTCUT:
    case PAYLOAD_MESSAGE_ACTION:
        return "The form could not be opened in time. Please choose the shortcut again.";
    case PAYLOAD_COMMAND:
        return "Your command was not answered in time. Look at the request; if it shows nothing of "
               "it, write the command again.";
    case PAYLOAD_UNKNOWN:
    case PAYLOAD_VIEW_CLOSED:
    case PAYLOAD_BLOCK_SUGGESTION:
    case PAYLOAD_URL_VERIFICATION:
    case PAYLOAD_EVENT:
    case PAYLOAD_RATE_LIMITED:
    case PAYLOAD_KIND_COUNT:
        break;
    }
    return NULL; /* nobody waits for it */
}

/* The same for every delivery of one act, over either way in. */
static void identify(const struct payload *payload, struct inbound_act *ret_act)
{
    struct span parts[] = {span_text(payload_kind_word(payload->kind)),
                           payload->user,
                           payload->action_ts,
                           payload->action_id,
                           payload->message_ts,
                           payload->view_id,
                           payload->view_hash,
                           payload->kind == PAYLOAD_COMMAND ? payload->trigger_id : SPAN_NONE};
    char text[SLACK_ACT_SIZE_MAX];
    size_t size = 0;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].size >= sizeof text - size) {
            return; /* longer than any of Slack's: no debt */
        }
        if (parts[i].size > 0) {
            memcpy(text + size, parts[i].data, parts[i].size);
        }
        size += parts[i].size;
        text[size++] = '\n';
    }
    crypto_sha256(text, size, ret_act->identity);
    ret_act->known = true;
}

void inbound_act_read(const struct payload *payload, struct inbound_act *ret_act)
{
    *ret_act = (struct inbound_act){.kind = payload->kind};
    if (payload->user.size > 0 && sentence_of(payload->kind) != NULL &&
        slack_id_set(&ret_act->user, payload->user)) {
        (void)slack_id_set(&ret_act->channel, payload->channel); /* too long: none */
        identify(payload, ret_act);
    }
}

static struct owed *find(struct slack_inbound *inbound, const struct inbound_act *act)
{
    for (size_t i = 0; act->known && i < SLACK_OWED_COUNT_MAX; i++) {
        struct owed *owed = &inbound->owed[i];

        if (owed->used &&
            memcmp(owed->act.identity, act->identity, sizeof owed->act.identity) == 0) {
            return owed;
        }
    }
    return NULL;
}

static struct owed *find_spare(struct slack_inbound *inbound)
{
    for (size_t i = 0; i < SLACK_OWED_COUNT_MAX; i++) {
        if (!inbound->owed[i].used) {
            return &inbound->owed[i];
        }
    }
    return NULL;
}

bool inbound_owed_has_room(struct slack_inbound *inbound)
{
    return find_spare(inbound) != NULL;
}

static void settle(struct slack_inbound *inbound, struct owed *owed, enum owed_end end)
{
    metric_add(inbound->owed_ends[end], 1);
    owed->used = false;
}

static void arm(struct slack_inbound *inbound)
{
    static const struct timeval look = {.tv_sec = SLACK_OWED_LOOK_MS / 1000,
                                        .tv_usec = SLACK_OWED_LOOK_MS % 1000 * 1000L};

    if (!event_pending(inbound->owed_timer, EV_TIMEOUT, NULL) &&
        event_add(inbound->owed_timer, &look) != 0) {
        log_fields(LOG_LEVEL_ERROR, MODULE, "timer_failed",
                   LOG_NUMBER("delay_ms", SLACK_OWED_LOOK_MS));
    }
}

void inbound_owed_add(struct slack_inbound *inbound,
                      const struct inbound_act *act,
                      enum slack_transport transport,
                      struct inflight *flight)
{
    uint64_t now_ms = clock_boot_ms(inbound->clock);
    struct owed *owed = find(inbound, act);

    if (!act->known) {
        return;
    }
    if (owed == NULL) {
        owed = find_spare(inbound);
        if (owed == NULL) {
            metric_add(inbound->owed_ends[OWED_LOST], 1);
            return;
        }
        *owed = (struct owed){.used = true, .act = *act, .end_ms = now_ms + SLACK_OWED_LIFE_MS};
    }
    owed->due_ms =
        now_ms + (transport == SLACK_OVER_SOCKET ? SLACK_OWED_SOCKET_MS : SLACK_OWED_HTTP_MS);
    if (flight != NULL && !flight->owing) {
        flight->owing = true;
        owed->under_way++;
    }
    arm(inbound);
}

void inbound_owed_unplaced(struct slack_inbound *inbound,
                           struct payload *payload,
                           enum slack_transport transport)
{
    struct inbound_act act;

    inbound_act_read(payload, &act);
    inbound_owed_add(inbound, &act, transport, NULL);
    payload_done(payload);
}

/* A late answer of a command reaches nobody, so only one in time settles it. */
void inbound_owed_accept(struct inflight *flight)
{
    struct owed *owed = find(flight->inbound, &flight->act);

    if (owed != NULL && (!flight->owing || flight->act.kind != PAYLOAD_COMMAND)) {
        settle(flight->inbound, owed, OWED_ACCEPTED);
    }
}

void inbound_owed_answer(struct inflight *flight)
{
    struct owed *owed = find(flight->inbound, &flight->act);

    if (owed != NULL) {
        settle(flight->inbound, owed, OWED_ACCEPTED);
    }
}

void inbound_owed_end(struct inflight *flight)
{
    struct owed *owed = flight->owing ? find(flight->inbound, &flight->act) : NULL;

    if (owed != NULL && owed->under_way > 0) {
        owed->under_way--;
    }
}

/* He was owed when the store was asked, and nothing of his act is under way. */
static bool is_payable(const struct slack_inbound *inbound, const struct owed *owed)
{
    return owed->used && owed->under_way == 0 && owed->due_ms <= inbound->owed_asked_ms;
}

/* False: as many as can be said at once are on their way, or the client takes none now; he and the
 * others a look later. */
static bool tell(struct slack_inbound *inbound, struct owed *owed)
{
    const char *sentence = sentence_of(owed->act.kind);

    ASSERT(sentence != NULL);
    if (!inbound_say_to(inbound, &owed->act.user, &owed->act.channel, sentence)) {
        return false;
    }
    settle(inbound, owed, OWED_TOLD);
    return true;
}

static void pay(struct slack_inbound *inbound)
{
    bool more = true;

    for (size_t i = 0; more && i < SLACK_OWED_COUNT_MAX; i++) {
        struct owed *owed = &inbound->owed[i];

        more = !is_payable(inbound, owed) || tell(inbound, owed);
    }
}

static void on_asked(void *arg, enum err_code rc, const struct err *err)
{
    struct slack_inbound *inbound = arg;

    (void)err; /* the deliveries themselves have said it */
    inbound->owed_asking = false;
    if (rc == ERR_OK) {
        pay(inbound);
    }
}

/* Would a press be taken now? A write that changes nothing is answered when one would be: there is
 * room, and the in-sync hosts acknowledge. */
static void ask(struct slack_inbound *inbound, uint64_t now_ms)
{
    static const struct service_note nothing = {.actor = {.kind = ACTOR_SYSTEM, .via = VIA_SLACK},
                                                .action = {.data = "probe", .size = 5}};
    struct err err = ERR_INIT;

    if (inbound->owed_asking) {
        return;
    }
    inbound->owed_asked_ms = now_ms;
    inbound->owed_asking = true;
    if (service_note(inbound->service, &nothing, on_asked, inbound, &err) != ERR_OK) {
        inbound->owed_asking = false; /* not yet */
    }
}

void inbound_on_owed(int fd, short what, void *arg)
{
    struct slack_inbound *inbound = arg;
    uint64_t now_ms = clock_boot_ms(inbound->clock);
    bool due = false;
    bool some = false;

    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    for (size_t i = 0; i < SLACK_OWED_COUNT_MAX; i++) {
        struct owed *owed = &inbound->owed[i];

        if (owed->used && owed->end_ms <= now_ms) {
            settle(inbound, owed, OWED_LOST);
        }
        some = some || owed->used;
        due = due || (owed->used && owed->under_way == 0 && owed->due_ms <= now_ms);
    }
    if (due) {
        ask(inbound, now_ms);
    }
    if (some) {
        arm(inbound);
    }
}

void inbound_owed_metrics(struct slack_inbound *inbound, struct metrics *metrics)
{
    static const char *const labels[OWED_END_COUNT] = {[OWED_TOLD] = "result=\"told\"",
                                                       [OWED_ACCEPTED] = "result=\"accepted\"",
                                                       [OWED_LOST] = "result=\"lost\""};

    for (size_t i = 0; i < OWED_END_COUNT; i++) {
        inbound->owed_ends[i] = metrics_add(
            metrics, METRIC_COUNTER, "approvald_slack_owed_total", labels[i],
            "Acts in Slack that were not taken in time, by what came of them: the person was told, "
            "a repeated delivery was accepted, or neither.");
    }
}

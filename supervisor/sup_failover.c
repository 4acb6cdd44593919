/* SPDX-License-Identifier: Apache-2.0 */
/* sup_failover.c: carries out the failover core's effects, in their order, and brings it the
 * arbiter's answers and the peer's messages.
 * Owns the arbiter. Never decides who may write. */
#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "supervisor/sup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define USER_SIZE_MAX 511U                 /* of etcd's NAME:PASSWORD */
#define USER_SIZE     (USER_SIZE_MAX + 3U) /* with the end of the line and of the text */

static void on_answer(void *arg, enum arbiter_request request, const struct failover_answer *answer)
{
    struct sup *sup = arg;

    sup_queue(sup, request == ARBITER_READ ? FAILOVER_EVENT_READ : FAILOVER_EVENT_CAS)->u.answer =
        *answer;
    sup_pump(sup);
}

static enum err_code read_secret(const char *path, char text[USER_SIZE], struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, USER_SIZE - 1);

    if (size < 0) {
        return err_set_errno(err, ERR_IO, errno, "arbiter: user_file %s", path);
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) {
        size--;
    }
    text[size] = '\0';
    if ((size_t)size > USER_SIZE_MAX || strlen(text) != (size_t)size) {
        return err_set(err, ERR_INVALID,
                       "arbiter: user_file %s:1: longer than %u bytes, or with a zero byte", path,
                       USER_SIZE_MAX);
    }
    if (strchr(text, '\n') != NULL) {
        return err_set(err, ERR_INVALID, "arbiter: user_file %s:2: one line is wanted", path);
    }
    if (strchr(text, ':') == NULL) {
        return err_set(err, ERR_INVALID, "arbiter: user_file %s: has to be NAME:PASSWORD", path);
    }
    return ERR_OK;
}

static const char *given(const struct sup *sup, const char *name)
{
    const char *text = sup_config_text(sup->config, "arbiter", name);

    return text[0] == '\0' ? NULL : text;
}

static enum err_code open_etcd(struct sup *sup, char secret[USER_SIZE], struct err *err)
{
    const struct conf_section *section = conf_section(sup_config_conf(sup->config), "arbiter");
    struct arbiter_etcd_options options = {
        .base = sup->base,
        .endpoint_count = conf_list_count(section, "endpoints"),
        .prefix = given(sup, "prefix"),
        .ca = given(sup, "ca"),
        .certificate = given(sup, "certificate"),
        .key = given(sup, "key"),
        .timeout_ms = ARBITER_TIMEOUT_MS_DEFAULT,
        .answer = on_answer,
        .arg = sup,
    };
    struct failover_options failover;

    sup_config_failover(sup->config, &failover);
    memcpy(options.cluster_id, failover.cluster_id, REGISTER_ID_SIZE);
    for (size_t i = 0; i < options.endpoint_count; i++) {
        options.endpoints[i] = conf_list(section, "endpoints", i);
    }
    if (secret[0] != '\0') {
        char *colon = strchr(secret, ':');

        *colon = '\0';
        options.user = secret;
        options.password = colon + 1;
    }
    return arbiter_etcd_new(&options, &sup->arbiter, err);
}

void sup_send_peer(struct sup *sup, enum sup_peer_kind kind, struct span bytes)
{
    struct contract_message message = {.type = CONTRACT_PEER};

    if (bytes.size >= CONTRACT_PEER_SIZE) {
        log_fields(LOG_LEVEL_ERROR, "sup", "peer_message", LOG_NUMBER("size", bytes.size),
                   LOG_TEXT("reason", "too long"));
        return;
    }
    message.u.peer.size = (uint16_t)(bytes.size + 1);
    message.u.peer.bytes[0] = (uint8_t)kind;
    memcpy(message.u.peer.bytes + 1, bytes.data == NULL ? "" : bytes.data, bytes.size);
    sup_send(sup, &message);
}

static void send_mirror(void *arg, struct span bytes)
{
    sup_send_peer(arg, SUP_PEER_ARBITER, bytes);
}

static void on_fatal(void *arg, const struct err *err)
{
    sup_fail(arg, err);
}

static enum err_code open_manual(struct sup *sup, struct err *err)
{
    struct failover_options failover;
    struct arbiter_manual_options options = {
        .base = sup->base,
        .kind = sup_config_text(sup->config, "arbiter", "kind"),
        .state_dir = sup_config_text(sup->config, "", "state_dir"),
        .dir = memory_dir(sup->memory),
        .host = sup_config_host(sup->config),
        .incarnation = sup_random(),
        .timeout_ms = ARBITER_TIMEOUT_MS_DEFAULT,
        .send = send_mirror,
        .fatal = on_fatal,
        .answer = on_answer,
        .arg = sup,
    };

    sup_config_failover(sup->config, &failover);
    memcpy(options.cluster_id, failover.cluster_id, REGISTER_ID_SIZE);
    return arbiter_manual_new(&options, &sup->arbiter, err);
}

enum err_code sup_arbiter_open(struct sup *sup, struct err *err)
{
    const char *user_file = given(sup, "user_file");
    char secret[USER_SIZE] = "";
    enum err_code rc = ERR_OK;

    if (!sup_config_has_pair(sup->config)) {
        return ERR_OK;
    }
    if (strcmp(sup_config_text(sup->config, "arbiter", "kind"), "etcd") != 0) {
        rc = sup_fence_open(sup, err);
        return rc == ERR_OK ? open_manual(sup, err) : rc;
    }
    if (user_file != NULL) {
        rc = read_secret(user_file, secret, err);
    }
    if (rc == ERR_OK) {
        rc = open_etcd(sup, secret, err);
    }
    mem_wipe(secret, sizeof(secret));
    return rc;
}

void sup_relay_switchover(struct sup *sup)
{
    sup_send_peer(sup, SUP_PEER_SWITCHOVER, SPAN_NONE);
}

void sup_take_peer(struct sup *sup, const struct contract_peer *peer)
{
    struct span rest = peer->size == 0 ? SPAN_NONE : span_of(peer->bytes + 1, peer->size - 1U);

    if (peer->size > 0 && peer->bytes[0] == SUP_PEER_ARBITER && sup->arbiter != NULL) {
        arbiter_peer(sup->arbiter, rest);
    } else if (peer->size == 1 && peer->bytes[0] == SUP_PEER_SWITCHOVER) {
        sup_ask_failover(sup, 0, FAILOVER_SWITCHOVER);
    } else if (peer->size == 1 && peer->bytes[0] == SUP_PEER_LEAVING) {
        sup_fence_left(sup);
        (void)sup_queue(sup, FAILOVER_EVENT_LEAVES); /* carries nothing */
    } else if (peer->size > 0 && peer->bytes[0] == SUP_PEER_DIGEST) {
        sup_take_digest(sup, rest);
    } else {
        log_fields(LOG_LEVEL_WARNING, "sup", "peer_message", LOG_NUMBER("size", peer->size),
                   LOG_TEXT("reason", "not understood"));
    }
}

static void send_epoch(struct sup *sup, enum contract_type type, uint64_t epoch)
{
    struct contract_message message = {.type = type, .u.epoch = epoch};

    sup_send(sup, &message);
}

static void send_register(struct sup *sup, const struct register_value *value)
{
    struct contract_message message = {.type = CONTRACT_REGISTER};

    message.u.reg.epoch = value->epoch;
    message.u.reg.lineage = value->lineage;
    message.u.reg.primary = value->primary;
    sup_send(sup, &message);
}

static void send_grant(struct sup *sup, const struct register_value *value)
{
    struct contract_message message = {.type = CONTRACT_GRANT};
    const struct register_member *peer = &value->isr[host_other(sup_config_host(sup->config)) - 1];

    sup_sockets_follow(sup); /* who connects from now on is served */
    message.u.grant.epoch = value->epoch;
    message.u.grant.lineage = value->lineage;
    message.u.grant.peer_in_isr = peer->present;
    memcpy(message.u.grant.peer_store_id, peer->store_id, CONTRACT_ID_SIZE);
    sup_send(sup, &message);
}

static void take_alarm(struct sup *sup, const struct failover_effect *effect)
{
    static const char *const words[FAILOVER_ALARM_COUNT] = {"unprotected", "arbiter_down",
                                                            "arbiter_wrong", "needs_operator"};
    struct sup_alarm *alarm = &sup->alarms[effect->u.alarm.which];

    alarm->on = effect->u.alarm.on;
    (void)snprintf(alarm->reason, sizeof(alarm->reason), "%s", effect->u.alarm.reason); /* fits */
    log_fields(alarm->on ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "failover",
               alarm->on ? "alarm" : "alarm_over", LOG_TEXT("alarm", words[effect->u.alarm.which]),
               LOG_TEXT("reason", alarm->reason));
}

static void tell_change(struct sup *sup, const char *reason)
{
    struct failover_status status;
    char text[FAILOVER_REASON_SIZE + 64];

    failover_status(sup->failover, &status);
    log_fields(LOG_LEVEL_INFO, "failover", "changed",
               LOG_TEXT("role", failover_role_word(status.role)),
               LOG_NUMBER("epoch", status.register_known ? status.value.epoch : 0),
               LOG_TEXT("reason", reason));
    (void)snprintf(text, sizeof(text), "%s: %s", failover_role_word(status.role),
                   reason); /* fits */
    notify_status(text);
}

/* Such a host may have been found not to be eligible while the disk was waited for. */
static void take_eligible(struct sup *sup)
{
    struct failover_status status;

    failover_status(sup->failover, &status);
    if (status.eligible) {
        sup_vip_eligible(sup, true);
    }
}

static bool is_for_child(enum failover_effect_type type)
{
    switch (type) {
    case FAILOVER_EFFECT_REGISTER:
    case FAILOVER_EFFECT_SEAL:
    case FAILOVER_EFFECT_GRANT:
    case FAILOVER_EFFECT_REFUSED:
    case FAILOVER_EFFECT_HANDOVER:
    case FAILOVER_EFFECT_RESUME:
        return true;
    case FAILOVER_EFFECT_PERSIST:
    case FAILOVER_EFFECT_READ:
    case FAILOVER_EFFECT_CAS:
    case FAILOVER_EFFECT_REVOKE:
    case FAILOVER_EFFECT_RESYNC:
    case FAILOVER_EFFECT_ASK_HANDOVER:
    case FAILOVER_EFFECT_ELIGIBLE:
    case FAILOVER_EFFECT_CHANGED:
    case FAILOVER_EFFECT_ALARM:
    case FAILOVER_EFFECT_REPLY:
    case FAILOVER_EFFECT_FENCE:
        break;
    }
    return false;
}

/* Does it promise something, or may somebody act on it? */
static bool waits_for_disk(enum failover_effect_type type)
{
    return is_for_child(type) || type == FAILOVER_EFFECT_CAS || type == FAILOVER_EFFECT_ELIGIBLE ||
           type == FAILOVER_EFFECT_REPLY;
}

void sup_act(struct sup *sup, const struct sup_act *act)
{
    const struct failover_effect *effect = &act->effect;

    if (is_for_child(effect->type) && act->incarnation != sup->incarnation) {
        return; /* it was for one that has ended */
    }
    switch (effect->type) {
    case FAILOVER_EFFECT_PERSIST:
        sup->value.failover = effect->u.memory;
        sup_remember(sup);
        sup_bind(sup);
        break;
    case FAILOVER_EFFECT_READ:
        arbiter_read(sup->arbiter);
        break;
    case FAILOVER_EFFECT_CAS:
        arbiter_cas(sup->arbiter, &effect->u.cas);
        break;
    case FAILOVER_EFFECT_REGISTER:
        send_register(sup, &effect->u.value);
        break;
    case FAILOVER_EFFECT_SEAL:
        send_epoch(sup, CONTRACT_SEAL, effect->u.epoch);
        break;
    case FAILOVER_EFFECT_GRANT:
        send_grant(sup, &effect->u.value);
        break;
    case FAILOVER_EFFECT_REFUSED:
        send_epoch(sup, CONTRACT_REFUSED, effect->u.epoch);
        break;
    case FAILOVER_EFFECT_HANDOVER:
        send_epoch(sup, CONTRACT_HANDOVER, 0);
        break;
    case FAILOVER_EFFECT_RESUME:
        send_epoch(sup, CONTRACT_RESUME, 0);
        break;
    case FAILOVER_EFFECT_REVOKE:
        break; /* give_up has done it */
    case FAILOVER_EFFECT_RESYNC:
        sup->resync_next = true;
        sup_watch(sup, WATCH_EVENT_REVOKE, "the store is to be fetched anew");
        break;
    case FAILOVER_EFFECT_ASK_HANDOVER:
        sup_relay_switchover(sup);
        break;
    case FAILOVER_EFFECT_ELIGIBLE:
        if (effect->u.eligible) { /* else give_up has done it */
            take_eligible(sup);
        }
        break;
    case FAILOVER_EFFECT_CHANGED:
        tell_change(sup, effect->u.reason);
        break;
    case FAILOVER_EFFECT_ALARM:
        take_alarm(sup, effect);
        break;
    case FAILOVER_EFFECT_FENCE:
        sup_fence_want(sup, effect->u.fence.on, effect->u.fence.leads);
        break;
    case FAILOVER_EFFECT_REPLY:
        sup_reply(sup, act->client, effect->u.reply.ok, effect->u.reply.reason);
        break;
    }
}

/* Who waits is refused while the address is still here. */
static void give_up(struct sup *sup, const struct failover_effects *effects)
{
    sup_sockets_close(sup);
    for (size_t i = 0; i < effects->count; i++) {
        const struct failover_effect *effect = &effects->items[i];

        if (effect->type == FAILOVER_EFFECT_ELIGIBLE && !effect->u.eligible) {
            sup_vip_eligible(sup, false);
        } else if (effect->type == FAILOVER_EFFECT_REVOKE) {
            log_fields(LOG_LEVEL_WARNING, "failover", "revoke",
                       LOG_TEXT("reason", effect->u.reason));
            sup_watch(sup, WATCH_EVENT_REVOKE, effect->u.reason);
        }
    }
}

void sup_perform(struct sup *sup, const struct failover_effects *effects)
{
    give_up(sup, effects);
    for (size_t i = 0; i < effects->count && sup->failure.code == ERR_OK; i++) {
        struct sup_act act = {.effect = effects->items[i], .incarnation = sup->incarnation_known};

        if (act.effect.type == FAILOVER_EFFECT_REPLY) {
            act.client = sup_take_asker(sup);
        }
        if (waits_for_disk(act.effect.type)) {
            sup_act_when_saved(sup, &act);
        } else {
            sup_act(sup, &act);
        }
    }
}

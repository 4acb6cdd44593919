/* SPDX-License-Identifier: Apache-2.0 */
/* sup_fence.c: brings the fence devices together with the failover core and the mirrored register.
 * Owns struct sup's fence. Never decides when the other host is wanted off, or is off. */
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/sup_internal.h"

#include <stdio.h>
#include <string.h>

/* The operator's word, and everything that follows from it: to the mirror first. */
static void on_word(void *arg)
{
    struct sup *sup = arg;

    log_fields(LOG_LEVEL_WARNING, "fence", "confirmed_off",
               LOG_NUMBER("host", host_other(sup_config_host(sup->config))));
    (void)arbiter_confirm_off(sup->arbiter); /* it is the mirrored one, which asks for it */
    sup_ask_failover(sup, 0, FAILOVER_PEER_OFF);
}

static void on_told(void *arg)
{
    static const enum failover_fence hows[] = {
        [FENCE_READY] = FAILOVER_FENCE_READY,     [FENCE_TROUBLE] = FAILOVER_FENCE_TROUBLE,
        [FENCE_RUNNING] = FAILOVER_FENCE_RUNNING, [FENCE_FAILED] = FAILOVER_FENCE_FAILED,
        [FENCE_DONE] = FAILOVER_FENCE_READY,      [FENCE_WAITING] = FAILOVER_FENCE_WAITING,
    };
    struct sup *sup = arg;
    const struct fence *fence = arbiter_fence_core(sup->fence);
    struct failover_event *event = sup_queue(sup, FAILOVER_EVENT_FENCE);
    bool bad = fence->phase == FENCE_FAILED || fence->phase == FENCE_TROUBLE;

    event->u.fence.how = hows[fence->phase];
    (void)snprintf(event->u.fence.reason, sizeof(event->u.fence.reason), "%s", /* fits */
                   fence->reason);
    log_fields(bad ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "fence", fence_phase_word(fence->phase),
               LOG_TEXT("reason", fence->reason));
}

static void on_turned(void *arg)
{
    sup_pump(arg);
}

enum err_code sup_fence_open(struct sup *sup, struct err *err)
{
    struct arbiter_fence_options options = {
        .base = sup->base,
        .socket = sup_config_text(sup->config, "fence", "socket"),
        .word = on_word,
        .told = on_told,
        .turned = on_turned,
        .arg = sup,
    };

    if (!sup_config_fence(sup->config, &options.fence)) {
        return ERR_OK;
    }
    return arbiter_fence_new(&options, &sup->fence, err);
}

void sup_fence_link(struct sup *sup, bool up)
{
    if (sup->fence != NULL) {
        arbiter_fence_link(sup->fence, up);
    }
}

void sup_fence_want(struct sup *sup, bool on, bool leads)
{
    if (sup->fence != NULL) {
        log_fields(LOG_LEVEL_WARNING, "fence", on ? "wanted" : "not_wanted",
                   LOG_NUMBER("host", host_other(sup_config_host(sup->config))));
        arbiter_fence_want(sup->fence, on, leads);
    }
}

void sup_fence_left(struct sup *sup)
{
    if (sup->fence != NULL) {
        log_fields(LOG_LEVEL_INFO, "fence", "leaving",
                   LOG_NUMBER("host", host_other(sup_config_host(sup->config))));
        arbiter_fence_leaving(sup->fence);
    }
}

static void add_device(struct json *list, const struct fence *fence, size_t index)
{
    const struct fence_device *device = &fence->devices[index];
    struct json *entry = json_add_object(list, NULL);
    const char *says = device->on ? "on" : "off";

    json_add_text(entry, "name", span_text(fence->options.devices[index]));
    json_add_text(entry, "says",
                  span_text(!device->known || device->problem[0] != '\0' ? "" : says));
    json_add_bool(entry, "believed", device->seen);
    json_add_bool(entry, "known", device->known);
    json_add_u64(entry, "age_ms", device->known ? sup_now_ms() - device->asked_ms : 0);
    json_add_text(entry, "problem", span_text(device->problem));
}

void sup_fence_status(struct json *root, const struct sup *sup)
{
    const struct fence *fence;
    struct json *parent;
    struct json *list;

    if (sup->fence == NULL) {
        json_add_null(root, "fence");
        return;
    }
    fence = arbiter_fence_core(sup->fence);
    parent = json_add_object(root, "fence");
    json_add_text(parent, "phase", span_text(fence_phase_word(fence->phase)));
    json_add_text(parent, "problem", span_text(fence->reason));
    list = json_add_array(parent, "devices");
    for (size_t i = 0; i < fence->options.device_count; i++) {
        add_device(list, fence, i);
    }
}

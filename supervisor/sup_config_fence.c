/* SPDX-License-Identifier: Apache-2.0 */
/* sup_config_fence.c: the section fence of the supervisor's configuration.
 * Owns what must hold for it. Never reads a device's file: the helper does. */
#include "supervisor/sup_config.h"

#include <stdio.h>
#include <string.h>

/* As a file's and a credential's. */
static bool is_device(const char *name)
{
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return size > 0 && size < FENCE_NAME_SIZE && name[size] == '\0';
}

enum err_code sup_config_check_fence(const struct sup_config *config, struct err *err)
{
    const struct conf_section *fence = conf_section(sup_config_conf(config), "fence");

    if (conf_list_count(fence, "devices") == 0) {
        return err_set(err, ERR_INVALID, "%s: fence: devices have to be given", conf_where(fence));
    }
    for (size_t i = 0; i < conf_list_count(fence, "devices"); i++) {
        if (!is_device(conf_list(fence, "devices", i))) {
            return err_set(err, ERR_INVALID,
                           "%s: fence: devices: a name has 1 to %u letters, digits, - and _",
                           conf_where(fence), FENCE_NAME_SIZE - 1);
        }
    }
    if (sup_config_is_strict(config)) {
        return err_set(err, ERR_INVALID,
                       "%s: pair: protection strict: one host alone answers nothing: to switch the "
                       "other one off helps nobody (arbiter manual)",
                       conf_where(conf_section(sup_config_conf(config), "pair")));
    }
    return ERR_OK;
}

bool sup_config_fence(const struct sup_config *config, struct fence_options *ret_options)
{
    const struct conf_section *fence = conf_section(sup_config_conf(config), "fence");

    if (strcmp(sup_config_text(config, "arbiter", "kind"), "fence") != 0) {
        return false;
    }
    *ret_options = (struct fence_options){
        .device_count = conf_list_count(fence, "devices"),
        .wait_ms = (uint32_t)conf_number(fence, "wait"),
        .leave_ms = (uint32_t)conf_number(fence, "leave"),
        .delay_ms = (uint32_t)conf_number(fence, "delay"),
        .run_ms = (uint32_t)conf_number(fence, "timeout"),
        .pause_ms = (uint32_t)conf_number(fence, "pause"),
        .monitor_ms = (uint32_t)conf_number(fence, "monitor"),
    };
    for (size_t i = 0; i < ret_options->device_count; i++) {
        (void)snprintf(ret_options->devices[i], FENCE_NAME_SIZE, "%s", /* checked: it fits */
                       conf_list(fence, "devices", i));
    }
    return true;
}

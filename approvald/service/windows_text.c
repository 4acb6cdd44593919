/* SPDX-License-Identifier: Apache-2.0 */
/* windows_text.c: what a policy's text says about windows of time.
 * Owns that a zone without a window says nothing.
 * Never looks for a zone: the writer does, when the policy is applied. */
#include "approvald/service/windows_text.h"

#include "approvald/core/policy_windows.h"

#include "base/conf.h"

#include <string.h>

enum err_code
windows_text_read(const struct conf_section *section, struct policy *policy, struct err *err)
{
    struct policy_windows *windows = &policy->windows;
    size_t count = conf_list_count(section, "windows");
    enum err_code rc = ERR_OK;

    windows->refuse = strcmp(conf_text(section, "outside_windows"), "refuse") == 0;
    if (count > CORE_WINDOW_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "windows: at most %d", CORE_WINDOW_COUNT_MAX);
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = policy_window_parse(span_text(conf_list(section, "windows", i)),
                                 &windows->items[windows->count++], err);
    }
    if (count > 0) {
        windows->zone = span_text(conf_text(section, "time_zone"));
    } else if (strcmp(conf_text(section, "time_zone"), "UTC") != 0) {
        return err_set(err, ERR_INVALID, "time_zone: say windows, too");
    }
    return rc;
}

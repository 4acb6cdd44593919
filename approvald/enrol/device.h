/* SPDX-License-Identifier: Apache-2.0 */
/* device.h: a fence device as a pair keeps it: the options of a fence agent, as the helper reads
 * them (supervisor/arbiter/agent.h): agent=NAME and KEY=VALUE lines. Pure. It holds secrets.
 *
 * Stricter than the helper is with what an admin writes himself: the agent is one of /usr/sbin
 * whose name begins with fence_, so that neither a slip nor the other host has another program
 * run, and no option names an action. */
#ifndef APPROVALD_ENROL_DEVICE_H
#define APPROVALD_ENROL_DEVICE_H

#include "approvald/enrol/limits.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;

struct device_option {
    char key[DEVICE_KEY_SIZE];
    char value[DEVICE_VALUE_SIZE];
};

/* Wiped by its owner: device_wipe. */
struct device {
    size_t count;
    struct device_option options[DEVICE_OPTION_COUNT_MAX];
};

#define DEVICE_AGENTS "/usr/sbin/"

/* Adds "KEY=VALUE"; with replace it may be there already. ERR_INVALID, ERR_FULL; the message names
 * the key and never shows the value. */
enum err_code
device_add(struct device *device, struct span text, bool replace, struct err *err) WARN_UNUSED;
/* The value of an option, or NULL; borrowed. */
const char *device_value(const struct device *device, const char *key);
/* ERR_INVALID: it has no agent, or has too many secrets for the helper. */
enum err_code device_check(const struct device *device, struct err *err) WARN_UNUSED;
/* The same switch, and the same outlet of it: all but the secrets is equal. */
bool device_is_same(const struct device *a, const struct device *b);
/* All is equal, in whatever order. */
bool device_equal(const struct device *a, const struct device *b);

/* Appends the file of a device that device_check likes. */
enum err_code
device_format(const struct device *device, struct buf *buf, struct err *err) WARN_UNUSED;
/* Comments and empty lines are skipped. ERR_INVALID names the line, and never shows it. What comes
 * out has passed device_check. */
enum err_code
device_parse(struct span text, struct device *ret_device, struct err *err) WARN_UNUSED;

/* Its value is never an argument, and an agent's words are printed without it. As the helper
 * judges. */
bool device_is_secret(const char *key);
/* One or more letters, digits, _ and -, which is no word of the helper's own. */
bool device_is_key(const char *key);
void device_wipe(struct device *device);

#endif

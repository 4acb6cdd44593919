/* SPDX-License-Identifier: Apache-2.0 */
/* device_ask.h: asks a fence device whether its host is on, by the helper that asks it when it
 * counts (supervisor/fencer): the same unit, user, credentials and agent. Blocks. Nothing else is
 * ever asked. */
#ifndef APPROVALD_ENROL_DEVICE_ASK_H
#define APPROVALD_ENROL_DEVICE_ASK_H

#include "base/err.h"

#include <stdint.h>

#define DEVICE_SOCKET "/run/approvald-fence.sock"
/* The helper gives an agent 30 s; then it says that there was no answer. */
#define DEVICE_ASK_MS 40000U

enum device_says { DEVICE_ON, DEVICE_OFF };

/* socket_path: the helper's; name: of the device's file. ERR_NOT_FOUND: no helper there;
 * ERR_TIMEOUT, ERR_UNAVAILABLE: the device does not say, with the agent's last words; ERR_PROTOCOL.
 */
enum err_code device_ask(const char *socket_path,
                         const char *name,
                         uint32_t limit_ms,
                         enum device_says *ret_says,
                         struct err *err) WARN_UNUSED;

#endif

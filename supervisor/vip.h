/* SPDX-License-Identifier: Apache-2.0 */
/* vip.h: is the virtual IP on this host? Asked of the kernel (rtnetlink), which does not err as a
 * notification may; and the removal of an address that nobody moves any more (a killed keepalived
 * leaves it behind). */
#ifndef SUPERVISOR_VIP_H
#define SUPERVISOR_VIP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vip;

/* address with its prefix ("192.0.2.10/24", "2001:db8::1/64") on interface. Subscribes to changes
 * and asks for what is there; the answer comes through vip_read. */
enum err_code vip_new(const char *address,
                      const char *interface,
                      struct vip **ret_vip,
                      struct err *err) WARN_UNUSED;
void vip_free(struct vip *vip); /* NULL is allowed */
/* To be watched for reading. Borrowed. */
int vip_fd(const struct vip *vip);
/* Takes in what the kernel says; never waits. What was lost by an overflow it asks for anew, by
 * itself; what it could not ask for, with the next call. */
enum err_code vip_read(struct vip *vip, struct err *err) WARN_UNUSED;
/* As far as read. */
bool vip_is_here(const struct vip *vip);
/* Asks the kernel to remove it; the answer shows in vip_is_here later. ERR_DENIED is told by the
 * answer to vip_read. Needs CAP_NET_ADMIN. */
enum err_code vip_remove(struct vip *vip, struct err *err) WARN_UNUSED;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* net.h: what this host's network says: names, own addresses, interfaces. */
#ifndef APPROVALD_ENROL_NET_H
#define APPROVALD_ENROL_NET_H

#include "approvald/enrol/plan.h"
#include "base/err.h"

/* The address of a name, a literal as it is. Blocks (DNS). ERR_NOT_FOUND. A name is asked for once:
 * no takeover is to wait for DNS. */
enum err_code
net_resolve(const char *name, char ret_address[PLAN_ADDRESS_SIZE], struct err *err) WARN_UNUSED;
/* The own address from which the kernel would speak with another one. ERR_NOT_FOUND. */
enum err_code net_own_address(const char *other,
                              char ret_address[PLAN_ADDRESS_SIZE],
                              struct err *err) WARN_UNUSED;
/* The interface that has the address. ERR_NOT_FOUND: this host has not got it. */
enum err_code
net_interface(const char *address, char ret_interface[PLAN_WORD_SIZE], struct err *err) WARN_UNUSED;

#endif

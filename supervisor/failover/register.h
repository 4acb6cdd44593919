/* SPDX-License-Identifier: Apache-2.0 */
/* register.h: the one value at the arbiter that says who may write. Pure: struct and text.
 *
 * The text, at most REGISTER_TEXT_SIZE_MAX bytes, is JSON that an admin can read:
 *   {"version":1,"cluster":"<32 hex>","lineage":"<16 hex>","epoch":7,"primary":1,
 *    "isr":[{"host":1,"store":"<32 hex>"},{"host":2,"store":"<32 hex>"}],"nonce":"<16 hex>"}
 * This one spelling only (order, no spaces, hosts in order): what register_format does not write,
 * register_parse refuses. A newer format must raise the version. */
#ifndef SUPERVISOR_FAILOVER_REGISTER_H
#define SUPERVISOR_FAILOVER_REGISTER_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGISTER_ID_SIZE       16U
#define REGISTER_TEXT_SIZE_MAX 512U
#define HOST_COUNT             2U /* hosts are 1 and 2 */

struct register_member {
    bool present;
    uint8_t store_id[REGISTER_ID_SIZE];
};

struct register_value {
    uint8_t cluster_id[REGISTER_ID_SIZE];
    uint64_t lineage; /* random, not 0; another one after a forced promotion */
    uint64_t epoch;   /* from 1; every change raises it by one */
    uint64_t nonce;   /* of the attempt that wrote it */
    uint8_t primary;  /* 1 or 2; always in the ISR */
    struct register_member isr[HOST_COUNT]; /* [host - 1] */
};

static inline uint8_t host_other(uint8_t host)
{
    return (uint8_t)(3 - host);
}

/* True when the value is one that may stand in the register. */
bool register_is_legal(const struct register_value *value);
/* True when host with this store is in the ISR. */
bool register_has(const struct register_value *value, uint8_t host, const uint8_t *store_id);
bool register_equal(const struct register_value *a, const struct register_value *b);
/* Writes the text and its NUL to text, of REGISTER_TEXT_SIZE_MAX bytes. */
void register_format(const struct register_value *value, char *text);
/* ERR_CORRUPT with what is wrong. */
enum err_code
register_parse(struct span text, struct register_value *ret_value, struct err *err) WARN_UNUSED;

#endif

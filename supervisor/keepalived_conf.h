/* SPDX-License-Identifier: Apache-2.0 */
/* keepalived_conf.h: the text of keepalived.conf that makes the virtual IP follow the track file.
 * Pure. For keepalived 2.2.7 (Debian 12) and later; what it relies on was measured there. */
#ifndef SUPERVISOR_KEEPALIVED_CONF_H
#define SUPERVISOR_KEEPALIVED_CONF_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

struct keepalived_conf {
    uint8_t host;        /* 1 or 2 */
    const char *address; /* with its prefix */
    const char *interface;
    uint8_t router_id;
    const char *instance;
    const char *track_file;
    const char *fifo;
    bool unicast;
    const char *own_address; /* of unicast */
    const char *peer_address;
};

/* Appends the text. ERR_INVALID: a value with a character that keepalived's language would read as
 * something else (blank, quote, brace, comment). */
enum err_code keepalived_conf_format(const struct keepalived_conf *conf,
                                     struct buf *buf,
                                     struct err *err) WARN_UNUSED;

#endif

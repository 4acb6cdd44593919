/* SPDX-License-Identifier: Apache-2.0 */
/* emit_etcd.c: prints what approvald/enrol/texts writes for the arbiter's etcd, of a pair in the
 * documentation's networks.
 * Owns nothing. Never runs etcd: tests/sup does. */
#include "approvald/enrol/plan.h"
#include "approvald/enrol/texts.h"
#include "base/buf.h"

#include <stdio.h>

int main(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    const struct plan plan = {.cluster_id = "000102030405060708090a0b0c0d0e0f",
                              .host = {"192.0.2.1", "192.0.2.2"},
                              .arbiter = "192.0.2.3",
                              .arbiter_port = 2379};
    const struct texts_arbiter arbiter = {.listen = "192.0.2.3",
                                          .folder = "/etc/approvald-arbiter",
                                          .data = "/var/lib/approvald-arbiter"};

    if (buf_new(65536, &buf, &err) != ERR_OK || texts_etcd(&plan, &arbiter, buf, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return fputs(buf_text(buf), stdout) < 0;
}

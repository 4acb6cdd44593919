/* SPDX-License-Identifier: Apache-2.0 */
/* emit_keepalived.c: prints what supervisor/keepalived_conf writes:
 * emit_keepalived TRACK_FILE FIFO INTERFACE unicast|multicast
 * Owns nothing. Never runs keepalived: tests/sup does. */
#include "base/buf.h"
#include "supervisor/keepalived_conf.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    struct keepalived_conf conf = {.host = 1,
                                   .address = "192.0.2.10/24",
                                   .router_id = 51,
                                   .instance = "approvald",
                                   .own_address = "192.0.2.1",
                                   .peer_address = "192.0.2.2"};

    if (argc != 5) {
        return 64;
    }
    conf.track_file = argv[1];
    conf.fifo = argv[2];
    conf.interface = argv[3];
    conf.unicast = strcmp(argv[4], "unicast") == 0;
    if (buf_new(65536, &buf, &err) != ERR_OK ||
        keepalived_conf_format(&conf, buf, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return fputs(buf_text(buf), stdout) < 0;
}

# SPDX-License-Identifier: Apache-2.0
"""ports.py: ports of 127.0.0.1 for programs that are told where to listen.

Owns a mark for each port that it gave, as long as this process lives: an abstract socket, which
ends with its process and which no other test can hold. Never gives one of those that the kernel
gives to clients: between the giving and the listening somebody would get it by chance.
"""

import random
import socket

FIRST, END = 20000, 32000  # below ip_local_port_range
TRIES = 1000

_marks = []


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as a server does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """Nobody listens there, and no other test is given it before this process ends."""
    for port in random.sample(range(FIRST, END), TRIES):
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0approvald-test-port-{port}")
        except OSError:
            mark.close()
            continue
        _marks.append(mark)
        if _is_free(port):
            return port
    raise AssertionError("no port is free")

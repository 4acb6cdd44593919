#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""muted.py: approvald, started by a supervisor, as a version of it that never says that it leads.

Its arguments are approvald's; MUTED_PROGRAM is the real one. What both sides of the contract say
passes through a second process; LEADING does not. Owns that process, which ends with either side.
Never changes a message.
"""

import os
import selectors
import socket
import sys

FD_ENV = "APPROVALD_SUPERVISOR_FD"
LEADING = 14  # supervisor/contract.h: CONTRACT_LEADING
TYPE = slice(0, 2)
SIZE = 65536


def relay(supervisor, child):
    look = selectors.DefaultSelector()
    look.register(supervisor, selectors.EVENT_READ, child)
    look.register(child, selectors.EVENT_READ, supervisor)
    while True:
        for key, _ in look.select():
            packet = key.fileobj.recv(SIZE)
            if not packet:
                os._exit(0)
            if key.fileobj is not child or kind(packet) != LEADING:
                key.data.send(packet)


def kind(packet):
    return int.from_bytes(packet[TYPE], "little")


def main():
    program = os.environ["MUTED_PROGRAM"]
    if FD_ENV not in os.environ:  # asked for its sockets
        os.execv(program, [program, *sys.argv[1:]])
    number = int(os.environ[FD_ENV])
    supervisor = socket.socket(fileno=number)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        for fd in range(3, 256):
            if fd not in (number, ours.fileno()):
                try:
                    os.close(fd)
                except OSError:
                    pass
        relay(supervisor, ours)
    os.dup2(theirs.fileno(), number, inheritable=True)
    os.execv(program, [program, *sys.argv[1:]])


if __name__ == "__main__":
    main()

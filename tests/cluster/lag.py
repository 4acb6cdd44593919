#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lag.py ONE OTHER DELAY_MS JITTER_MS TWICE: carries frames between two interfaces, late.

Stands in for netem, which not every kernel has. Owns the frames under way; never looks into one.
A frame with less jitter than the one before overtakes it; TWICE percent are sent a second time.
"""

import heapq
import itertools
import random
import select
import socket
import sys
import time

ETH_P_ALL, PACKET_OUTGOING = 3, 4
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1
FRAMES_MAX = 20000  # under way at most; beyond that they are lost, as in a real queue
FRAME_SIZE_MAX = 70000


def open_interface(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((name, 0))
    number = socket.if_nametoindex(name)
    sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                    number.to_bytes(4, sys.byteorder) + PACKET_MR_PROMISC.to_bytes(2, sys.byteorder)
                    + bytes(10))
    sock.setblocking(False)
    return sock


def take(sock, other, queue, serial, delays):
    delay, jitter, twice = delays
    while True:
        try:
            frame, source = sock.recvfrom(FRAME_SIZE_MAX)
        except (BlockingIOError, OSError):
            return
        if source[2] == PACKET_OUTGOING or len(queue) >= FRAMES_MAX:
            continue
        for _ in range(2 if random.uniform(0, 100) < twice else 1):
            due = time.monotonic() + (delay + random.uniform(0, jitter)) / 1000
            heapq.heappush(queue, (due, next(serial), other, frame))


def main():
    one, other = (open_interface(name) for name in sys.argv[1:3])
    delays = [float(word) for word in sys.argv[3:6]]
    queue, serial = [], itertools.count()
    print("ready", flush=True)
    while True:
        wait = None if not queue else max(0, queue[0][0] - time.monotonic())
        for sock in select.select([one, other], [], [], wait)[0]:
            take(sock, other if sock is one else one, queue, serial, delays)
        while queue and queue[0][0] <= time.monotonic():
            _, _, target, frame = heapq.heappop(queue)
            try:
                target.send(frame)
            except OSError:
                continue  # the interface is down, or its queue is full: the frame is lost


if __name__ == "__main__":
    main()

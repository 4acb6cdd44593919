# SPDX-License-Identifier: Apache-2.0
"""fake_supervisor.py: a control socket that answers what a test wants, and remembers what it was
asked. Owns its socket and thread. Never judges a command."""

import copy
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import talk  # noqa: E402  the path is set above

# A standby of a healthy pair, as the real one answers.
STATUS = {
    "ok": True, "version": "1", "host": 2, "pair": True, "role": "standby", "serving": False,
    "listening": False, "maintenance": False, "reason": "follows", "changed_ms_ago": 5000,
    "protection": "available",
    "register": {"epoch": 7, "revision": 9, "lineage": "00000000000000aa", "primary": 1,
                 "isr": [{"host": 1, "store": "11" * 16}, {"host": 2, "store": "22" * 16}],
                 "cas_unresolved": False},
    "alarms": [],
    "link": {"up": True, "silent": False, "in_sync": True, "peer_leads": True, "peer_epoch": 7,
             "peer_promised": 7, "peer_last_epoch": 7, "peer_last_lsn": 50,
             "peer_lineage": "00000000000000aa", "peer_store": "11" * 16, "lsn_last": 50,
             "lsn_acked": 50, "lag": 0, "clock_ahead_ms": 3},
    "peer": {"age_ms": 400, "version": "1", "role": "primary", "serving": True,
             "maintenance": False, "safe_mode": False, "epoch": 7, "starts": 1, "vip_here": True,
             "vrrp": "backup", "arbiter_reachable": True, "arbiter_latency_ms": 4, "alarms": [],
             "reason": "leads epoch 7"},
    "times_ms": {"ping": 50, "silence": 300, "bias": 250, "evict": 1000, "hold_down": 5000},
    "arbiter": {"kind": "etcd", "place": "https://192.0.2.3:2379", "reachable": True,
                "latency_ms": 2, "problem": ""},
    "vip": {"address": "192.0.2.10/24", "here": False, "eligible": True, "vrrp": "backup",
            "problem": ""},
    "child": {"state": "up", "pid": 4, "starts": 1, "safe_mode": False, "safe_reason": "",
              "store": "22" * 16, "last_epoch": 7, "last_lsn": 50, "promised": 7,
              "crash_count": 0, "crashes": []},
    "watchdog": {"armed": False, "problem": "", "before": "clean"},
}  # fmt: skip


def status(**changes):
    """STATUS with changes; "link__up": False goes into link."""
    made = copy.deepcopy(STATUS)
    for name, value in changes.items():
        *path, last = name.split("__")
        place = made
        for step in path:
            place = place[step]
        place[last] = value
    return made


class FakeSupervisor:
    def __init__(self, folder, answer):
        self.path = os.path.join(folder, f"supervisor{len(os.listdir(folder))}.sock")
        self.answer, self.asked = answer, []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.thread = talk.accept(self.socket, self.serve)

    def serve(self, client):
        with client:
            line = client.makefile().readline().strip()
            self.asked.append(line)
            answer = self.answer(line) if callable(self.answer) else self.answer
            client.sendall(json.dumps(answer).encode() + b"\n")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)

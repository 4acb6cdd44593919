#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_child.py: a real approvald of a pair under a supervisor that this file plays.

Owns its approvald, its sockets and one scratch directory. Never plays the other host: the register
that it tells of names this one alone.
"""
import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import etcd  # noqa: E402  the path is set above
from bench import BUILD, wait  # noqa: E402
from lib.ports import free_port  # noqa: E402  bench.py has set the path
from lib.waiting import PATIENCE_S  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
APPROVALD = os.path.join(BUILD, "approvald", "approvald")
PATH_SIZE, LINEAGE = 256, 77
FD_FIRST, FD_ASIDE = 3, 100


def contract():
    """The version of supervisor/contract.h, and the numbers of its types by name."""
    with open(os.path.join(ROOT, "supervisor", "contract.h"), encoding="utf-8") as header:
        header = header.read()
    names = re.search(r"enum contract_type \{(.*?)\}", header, re.S).group(1)
    names = re.findall(r"CONTRACT_(\w+)(?: = 1)?,", names)
    version = re.search(r"#define CONTRACT_VERSION +(\d+)U", header).group(1)
    return int(version), {name: number for number, name in enumerate(names, 1)}


VERSION, TYPES = contract()


def text(path):
    return path.encode().ljust(PATH_SIZE, b"\0")


class Child:
    """approvald as host 1, and the supervisor's end of its contract."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="sup-child-")
        self.process = None
        self.epoch = 0
        self.port, self.management = free_port(), free_port()
        authority = etcd.Authority(self.dir)
        self.certificate, self.key = authority.leaf("host1")
        self.ca = authority.ca
        os.mkdir(self.path("data"), 0o700)
        with open(self.path("approvald.conf"), "w", encoding="utf-8") as conf:
            conf.write(f"""
data_dir = "{self.path('data')}"
log_target = text
http {{
    listen = {{"127.0.0.1:{self.port}"}}
    management_listen = {{"127.0.0.1:{self.management}"}}
    socket = "{self.path('local.sock')}"
}}
""")

    def configure(self, more):
        """Appends to the configuration."""
        with open(self.path("approvald.conf"), "a", encoding="utf-8") as conf:
            conf.write(more)

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        """Up, and told of a register in which nobody leads yet."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.contract = ours
        self.contract.settimeout(PATIENCE_S)
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(socket.create_server(("127.0.0.1", port)))
                         for port in (self.port, self.management, 0)]
            given = [listener.fileno() for listener in (*listeners, theirs)]

            def place():
                aside = [os.dup2(fd, FD_ASIDE + i) for i, fd in enumerate(given)]
                for i, fd in enumerate(aside):
                    os.dup2(fd, FD_FIRST + i)

            env = {**os.environ, "LISTEN_FDS": "3", "LISTEN_FDNAMES": "service:management:pair",
                   "APPROVALD_SUPERVISOR_FD": str(FD_FIRST + 3)}
            log = stack.enter_context(open(self.path("log"), "ab"))
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", f"LISTEN_PID=$$ exec {APPROVALD} -c \"$0\"",
                 self.path("approvald.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, close_fds=False,
                preexec_fn=place)
        theirs.close()
        self.send("CONFIGURE", struct.pack("<QBBB16sIIIIIB", 1, 1, 1, 0, bytes(range(16)), 50, 300,
                                         1000, 5000, 5000, 0) + text("") + text(self.certificate) +
                  text(self.key) + text(self.ca) + text("host2"))
        self.receive("UP")

    def send(self, kind, body=b""):
        self.contract.send(struct.pack("<HHI", TYPES[kind], len(body), VERSION) + body)

    def receive(self, wanted, seconds=PATIENCE_S):
        """The body of the next message of that kind."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            packet = self.contract.recv(4096)
            if not packet:
                break
            if struct.unpack("<H", packet[:2])[0] == TYPES[wanted]:
                return packet[8:]
        raise AssertionError(f"no message {wanted}:\n{self.log()[-4000:]}")

    def grant(self, epoch):
        """Alone in the ISR under that epoch; returns when the child leads."""
        self.send("SEAL", struct.pack("<Q", epoch))
        while struct.unpack("<Q", self.receive("SEALED"))[0] != epoch:
            pass
        self.send("GRANT", struct.pack("<QQB16s", epoch, LINEAGE, 0, bytes(16)))
        while struct.unpack("<Q", self.receive("LEADING"))[0] != epoch:
            pass

    def ready(self, port=None):
        """Status and text of /readyz, within two seconds."""
        client = http.client.HTTPConnection("127.0.0.1", port or self.management, timeout=2)
        try:
            client.request("GET", "/readyz")
            answer = client.getresponse()
            return answer.status, answer.read().decode()
        finally:
            client.close()

    def slow_request(self):
        """A connection whose request has begun, and whose body does not come."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        client.sendall(b"POST /v1/requests HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n"
                       b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n")
        return client

    def metrics(self, word):
        """The values of the metrics with that word in their line."""
        client = http.client.HTTPConnection("127.0.0.1", self.management, timeout=2)
        client.request("GET", "/metrics")
        lines = client.getresponse().read().decode().splitlines()
        client.close()
        return [int(line.split()[-1]) for line in lines if word in line and line[0] != "#"]

    def in_flight(self):
        return self.metrics("in_flight")

    def tell(self, **alarms):
        """What the supervisor says of itself: no alarm but these."""
        names = ("register_known", "unprotected", "arbiter_down", "arbiter_wrong", "needs_operator",
                 "maintenance", "safe_mode", "vip_here", "eligible", "config_broken")
        flags = bytes(int(alarms.get(name, False)) for name in names)
        self.send("SUMMARY", struct.pack("<BQQ", 1, 0, 0) + flags + struct.pack("<I160s5Q", 1, b"", *[0] * 5) +
                  bytes([int(alarms.get(name, False)) for name in ("disk_hangs", "vip_wrong")]))

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(PATIENCE_S)
            self.contract.close()
        shutil.rmtree(self.dir)


class Standby(unittest.TestCase):
    """A host that may have to take over."""

    def test_each_alarm_of_the_supervisor_is_a_metric(self):
        self.child.start()
        for alarm, metric in (("unprotected", "pair_unprotected"), ("arbiter_down", "pair_arbiter_down"),
                              ("arbiter_wrong", "pair_arbiter_wrong"),
                              ("needs_operator", "pair_needs_operator"),
                              ("safe_mode", "pair_safe_mode"), ("config_broken", "config_last_good"),
                              ("disk_hangs", "supervisor_disk_hangs"),
                              ("vip_wrong", "pair_virtual_ip_wrong")):  # fmt: skip
            for on in (True, False):
                self.child.tell(**{alarm: on})
                wait(lambda m=metric, on=on: self.child.metrics(f"approvald_{m} ") == [int(on)],
                     f"{metric} {on}")

    def setUp(self):
        self.child = Child()
        self.addCleanup(self.child.close)
        for name in ("token", "signing"):
            with open(self.child.path(name), "w", encoding="ascii") as secret:
                os.chmod(self.child.path(name), 0o600)
                secret.write("xoxb-0123456789abcdef0123456789abcdef\n")
        self.slack = f"""
slack {{
    api_url = "http://127.0.0.1:9/api/"
    bot_token_file = "{self.child.path('token')}"
    signing_secret_file = "{self.child.path('signing')}"
}}
"""

    def test_configuration_that_cannot_serve_is_refused_at_the_start(self):
        missing = self.child.path("missing")
        self.child.configure(self.slack.replace("}", f'    ca_file = "{missing}"\n}}'))
        with self.assertRaises(AssertionError):
            self.child.start()
        self.assertNotEqual(self.child.process.wait(PATIENCE_S), 0)
        self.assertIn("CA file", self.child.log())

    def test_reload_of_such_a_configuration_is_refused(self):
        self.child.configure(self.slack)
        self.child.start()
        self.child.configure('webhook x {\n    url = "ftp://localhost/"\n    secret_file = "'
                             + self.child.path("signing") + '"\n}\n')
        self.child.process.send_signal(signal.SIGHUP)
        wait(lambda: "reload_refused" in self.child.log() or "app: reloaded" in self.child.log(),
             "it has tried")
        self.assertIn("reload_refused", self.child.log())
        self.child.grant(1)
        wait(lambda: self.child.ready()[0] == 200, "it serves all the same")


class Moves(unittest.TestCase):
    """A handover that is called off."""

    def setUp(self):
        self.child = Child()
        self.addCleanup(self.child.close)
        self.child.start()
        self.child.grant(1)
        wait(lambda: self.child.ready()[0] == 200, "it serves")

    def slow_client(self):
        """Somebody whose request has begun, and whose body does not come."""
        slow = self.child.slow_request()
        self.addCleanup(slow.close)
        wait(lambda: max(self.child.in_flight(), default=0) >= 2, "its request has begun")
        return slow

    def call_off(self):
        """A handover that is called off in the turn in which it begins."""
        self.child.process.send_signal(signal.SIGSTOP)
        self.child.send("HANDOVER")
        self.child.send("RESUME")
        self.child.process.send_signal(signal.SIGCONT)

    def test_resume_does_not_wait_for_a_slow_client(self):
        self.slow_client()
        self.call_off()
        wait(lambda: self.child.ready(self.child.port)[0] == 200, "it serves", 5)
        self.assertEqual(self.child.ready()[0], 200)

    def test_a_new_epoch_ends_what_was_called_off(self):
        slow = self.slow_client()
        self.call_off()
        self.child.grant(2)
        slow.close()
        wait(lambda: self.child.ready()[0] == 200, "it serves", 5)
        self.assertEqual(self.child.ready(self.child.port)[0], 200)

    def test_a_slow_client_holds_up_no_handover(self):
        slow = self.slow_client()
        self.child.send("HANDOVER")
        wait(lambda: "standby" in self.child.ready()[1], "it is drained", 5)
        slow.sendall(b"{ } }")
        self.child.send("RESUME")
        self.assertIn(b" 401 ", slow.recv(64))  # it was held, and then answered

    def test_an_offer_is_taken_back(self):
        self.child.send("HANDOVER")
        wait(lambda: "standby" in self.child.ready()[1], "nothing is served")
        held = socket.create_connection(("127.0.0.1", self.child.port), timeout=PATIENCE_S)
        self.addCleanup(held.close)
        held.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        self.child.send("RESUME")
        self.assertIn(b" 200 ", held.recv(64))
        self.assertEqual(self.child.ready()[0], 200)


if __name__ == "__main__":
    unittest.main()

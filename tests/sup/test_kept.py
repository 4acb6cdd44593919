#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_kept.py: the listening sockets of a single host outlive its supervisor, at a service manager.

Owns its benches and a manager that keeps descriptors as systemd does: it takes what is sent with
FDSTORE=1, and hands it down to the next start. Never gives a descriptor to anything else.
"""
import array
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import PAIR, SUPERVISOR, Bench, wait  # noqa: E402  the path is set above
from lib.ports import free_port  # noqa: E402  bench.py has set the path
from lib.waiting import PATIENCE_S  # noqa: E402

OWN_PID = 'LISTEN_PID=$$ exec "$0" "$@"'


class Manager(Bench):
    """Starts the supervisor as systemd does."""

    def __init__(self, extra=""):
        super().__init__(extra)
        self.kept = []  # (name, descriptor)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path("notify"))
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        while True:
            try:
                text, ancillary, _, _ = self.notify.recvmsg(4096, 1024)
            except OSError:
                return
            if text == b"over":
                return
            words = dict(line.split("=", 1) for line in text.decode().split("\n") if "=" in line)
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    got = array.array("i", data[: len(data) // 4 * 4])
                    self.kept += [(words["FDNAME"], fd) for fd in got]
            if "FDSTOREREMOVE" in words:
                self.drop(words["FDNAME"])

    def drop(self, name):
        for entry in [entry for entry in self.kept if entry[0] == name]:
            os.close(entry[1])
            self.kept.remove(entry)

    def names(self):
        return sorted(name for name, _ in self.kept)

    def start(self, wait_up=True):
        kept = list(self.kept)
        high = [os.dup(fd) for _, fd in kept]  # out of the way of 3, 4, …

        def hand_down():
            for number, fd in enumerate(high, 3):
                os.dup2(fd, number + 40)
            for number in range(3, 3 + len(high)):
                os.dup2(number + 40, number)

        environment = {**os.environ, "NOTIFY_SOCKET": self.path("notify")}
        if kept:
            environment |= {"LISTEN_FDS": str(len(kept)),
                            "LISTEN_FDNAMES": ":".join(name for name, _ in kept)}
        with open(self.path("log"), "ab") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", OWN_PID, SUPERVISOR, "-c", self.path("supervisor.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                preexec_fn=hand_down, close_fds=False)
        for fd in high:
            os.close(fd)
        if wait_up:
            self.wait(lambda: self.status()["child"]["state"] == "up", "the child is up")
        return self

    def local(self):
        """Somebody listens at the path."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(self.path("local.sock"))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"over", self.path("notify"))
        self.thread.join(PATIENCE_S)
        self.notify.close()
        for _, fd in self.kept:
            os.close(fd)
        super().close()


class Kept(unittest.TestCase):
    def waiting(self, sup):
        """Somebody who connects while no supervisor runs."""
        return socket.create_connection(("127.0.0.1", sup.port), timeout=PATIENCE_S)

    def restart(self, end):
        with Manager() as sup:
            sup.start()
            first = sup.connect()
            sup.wait(lambda: [name.split("=")[0] for name in sup.names()]
                     == ["local", "management", "service"], "all are kept")
            end(sup)
            with self.waiting(sup) as client:
                sup.start()
                answer = int(client.recv(64))
            self.assertNotEqual(answer, first)
            self.assertEqual(answer, sup.connect())
            self.assertEqual(len(sup.kept), 3, "nothing twice")
            sup.local()

    def test_who_connects_during_a_restart_is_answered(self):
        self.restart(lambda sup: self.assertEqual(sup.stop(), 0))

    def test_who_connects_after_a_kill_is_answered(self):
        def kill(sup):
            os.kill(sup.process.pid, signal.SIGKILL)
            sup.process.wait(PATIENCE_S)

        self.restart(kill)

    def test_an_address_that_is_not_wanted_any_more_is_let_go(self):
        with Manager() as sup:
            sup.start()
            self.assertEqual(sup.stop(), 0)
            old, sup.port = sup.port, free_port()
            sup.behave()
            sup.start()
            sup.wait(lambda: f"service=127.0.0.1;{sup.port}" in sup.names(), "it is kept")
            sup.wait(lambda: f"service=127.0.0.1;{old}" not in sup.names(), "it is dropped")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", old), timeout=PATIENCE_S)

    def test_a_path_that_was_removed_is_bound_again(self):
        with Manager() as sup:
            sup.start()
            self.assertEqual(sup.stop(), 0)
            os.unlink(sup.path("local.sock"))
            sup.start()
            sup.local()

    def test_a_pair_keeps_none_and_lets_go_of_what_is_kept(self):
        with Manager() as sup:
            sup.start()
            self.assertEqual(sup.stop(), 0)
            self.assertEqual(len(sup.names()), 3)
            with open(sup.path("supervisor.conf"), "a", encoding="utf-8") as conf:
                conf.write(PAIR)
            sup.start(wait_up=False)
            sup.process.wait(PATIENCE_S)  # its certificates are none
            wait(lambda: not sup.names(), "all are let go")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", sup.port), timeout=PATIENCE_S)


if __name__ == "__main__":
    unittest.main(verbosity=1)

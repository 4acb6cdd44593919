#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_journal.py: a journal that nobody reads, as journald on a disk that hangs, holds up nobody.

Owns its benches and, in a mount namespace of each supervisor's own, the socket that stands for
journald's. Never touches the host's journal.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Bench, alive  # noqa: E402  the path is set above

PLACE = "/run/systemd"  # journald's socket is journal/socket below
OWN_MOUNTS = ["unshare", "--mount", "--"]


def works():
    return os.path.isdir(PLACE) and shutil.which("unshare") is not None and subprocess.run(
        [*OWN_MOUNTS, "mount", "--bind", "/tmp", PLACE], capture_output=True, check=False).returncode == 0


class Journal(Bench):
    """A bench whose supervisor logs to a socket of ours."""

    def __init__(self):
        super().__init__()
        self.edit("log_target = text", "log_target = journal")
        os.makedirs(self.path("systemd/journal"))
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.journal.bind(self.path("systemd/journal/socket"))
        self.journal.setblocking(False)
        self.prefix = [*OWN_MOUNTS, "sh", "-c",
                       f"mount --bind {self.path('systemd')} {PLACE} && exec \"$@\"", "-"]

    def entries(self):
        """[{field: value}] of what has been sent."""
        found = []
        try:
            while True:
                lines = self.journal.recv(65536).decode().split("\n")
                found.append(dict(line.split("=", 1) for line in lines if "=" in line))
        except BlockingIOError:
            return found

    def close(self):
        super().close()
        self.journal.close()


@unittest.skipUnless(works(), f"needs root, unshare and {PLACE}")
class Journals(unittest.TestCase):
    def test_one_that_nobody_reads_holds_up_nobody(self):
        with Journal() as sup:
            sup.start()
            for _ in range(100):  # more than it takes
                sup.process.send_signal(signal.SIGHUP)
                self.assertTrue(sup.status()["ok"])
            first = sup.child()
            os.kill(first, signal.SIGKILL)
            sup.wait(lambda: sup.child() not in (0, first), "there is another child")
            self.assertFalse(alive(first))
            # Read again: what was lost is told, and what follows comes.
            self.assertLess(len(sup.entries()), 100)
            told = []
            sup.wait(lambda: told.extend(sup.entries()) or any(
                entry.get("APPROVALD_EVENT") == "lines_lost" for entry in told), "the loss is told")
            lost = next(entry for entry in told if entry.get("APPROVALD_EVENT") == "lines_lost")
            self.assertGreater(int(lost["APPROVALD_COUNT"]), 10)
            self.assertEqual(lost["SYSLOG_IDENTIFIER"], "approvald-supervisor")
            self.assertEqual(sup.stop(), 0)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_locked.py: the supervisor's memory is locked where that may be, and its child's never.

Owns its benches. Never fills memory: the kernel's own account says what is locked.
"""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Bench, proc_status  # noqa: E402  the path is set above


def limit_of(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        line = next(line for line in limits if line.startswith("Max locked memory"))
    return line.split()[3:5]


def size_kb(pid, name):
    return int(proc_status(pid)[name].split()[0])


class Locked(unittest.TestCase):
    def started(self, prefix=()):
        made = Bench(prefix=prefix)
        self.addCleanup(made.close)
        return made.start()

    @unittest.skipIf(os.geteuid() != 0, "only root may lock without a limit")
    def test_it_is_locked_and_its_child_may_not_be(self):
        made = self.started()
        pid = made.process.pid
        self.assertGreater(size_kb(pid, "VmLck"), 1000)
        # On first use: what is reserved, a thread's stack above all, takes no memory. It is 1.6 of 9 MB;
        # locked at once it would be all.
        self.assertLess(size_kb(pid, "RssAnon"), size_kb(pid, "VmData") // 2)
        self.assertEqual(size_kb(made.child(), "VmLck"), 0)
        self.assertEqual(limit_of(made.child()), ["0", "0"])
        self.assertNotIn("memory is not locked", made.log())

    def test_under_a_limit_nothing_is_locked_and_it_runs(self):
        # Without the capability to raise it, as under a unit that gives none.
        prefix = ["setpriv", "--bounding-set=-sys_resource,-ipc_lock", "--inh-caps=-all", "--",
                  "prlimit", "--memlock=8388608:8388608"]  # fmt: skip
        if os.geteuid() != 0 or subprocess.run([*prefix, "true"], check=False,
                                               capture_output=True).returncode != 0:
            prefix = ["prlimit", "--memlock=65536:65536"]
        made = self.started(prefix)
        self.assertIn("memory is not locked", made.log())
        self.assertEqual(size_kb(made.process.pid, "VmLck"), 0)


if __name__ == "__main__":
    unittest.main()

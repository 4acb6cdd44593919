#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_crash_report.py: what is left of a supervisor that a signal ends: its child ends with it, a
report stays, and the next one tells.

Owns its benches. Never waits for a report by time: the process's end says that it is whole.
"""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Bench, alive, wait  # noqa: E402  the path is set above


class CrashReport(unittest.TestCase):
    def test_a_fault_leaves_a_report_and_no_child(self):
        made = Bench()
        self.addCleanup(made.close)
        made.start()
        made.wait(lambda: made.status()["role"] == "primary", "it leads")
        child = made.child()
        self.assertEqual(made.status()["crash"]["reports"], 0)
        self.assertEqual(made.stop(signal.SIGSEGV), -signal.SIGSEGV)
        wait(lambda: not alive(child), "the child has ended")
        with open(made.path("state/crash.now"), encoding="ascii") as text:
            report = text.read()
        self.assertTrue(report.startswith("crash-report 1\nprogram approvald-supervisor "), report)
        self.assertIn("\nbefore first start\n", report)
        self.assertIn("\nrole primary\n", report)
        self.assertIn("\nframe approvald-supervisor+0x", report)
        self.assertTrue(report.endswith("end\n"), report)
        made.start()
        told = made.status()["crash"]
        self.assertEqual((told["reports"], told["signal"]), (1, "SIGSEGV"))
        self.assertTrue(told["at"].startswith("approvald-supervisor+0x"), told)
        self.assertEqual(made.status()["watchdog"]["before"], "crashed")
        self.assertIn("crash_report", made.log())

    def test_it_is_not_dumpable(self):
        """Its /proc is root's then, as far as one who is not root can see it."""
        made = Bench()
        self.addCleanup(made.close)
        made.start()
        with open(f"/proc/{made.process.pid}/limits", encoding="ascii") as limits:
            line = next(line for line in limits if line.startswith("Max core file size"))
        self.assertEqual(line.split()[4:6], ["0", "0"])
        self.assertEqual(os.stat(f"/proc/{made.process.pid}/environ").st_uid, 0)


if __name__ == "__main__":
    unittest.main()

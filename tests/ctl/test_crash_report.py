#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_crash_report.py: what is left of approvald when a signal ends it: a report with places that
addr2line resolves, no core, no secret; and the next start tells.

Owns a World (tests/lib/harness.py). Never reads a core: there must not be one.
"""

import glob
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import case  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(case.PROGRAM)))
DAEMON = os.path.join(BUILD, "approvald/approvald")
KEPT = 8  # CRASH_COUNT_MAX


def build_id(program):
    said = subprocess.run(["readelf", "-n", program], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", said).group(1)


class CrashReport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.world = harness.World(folder.name, BUILD)
        self.addCleanup(self.world.close)
        self.world.start()

    def crash(self, number):
        self.world.daemon.child.send_signal(number)
        self.assertEqual(self.world.daemon.child.wait(20), -number)

    def reports(self):
        return sorted(glob.glob(self.world.path("data/crash-*")))

    def report(self):
        with open(self.reports()[-1], encoding="ascii") as text:
            return text.read()

    def log(self):
        with open(self.world.path("approvald.log"), encoding="utf-8") as handle:
            return handle.read()

    def told(self):
        return json.loads(self.world.ctl("status", "--json").stdout)["crash"]

    def functions(self, report):
        """Of the frames in approvald itself, as the guide says to look them up."""
        places = re.findall(r"^(?:at|frame) approvald\+(0x[0-9a-f]+)$", report, re.M)
        said = subprocess.run(["addr2line", "-f", "-e", DAEMON, *places],
                              capture_output=True, text=True, check=True).stdout
        return said.splitlines()[::2]

    def test_a_fault_is_reported_with_our_functions(self):
        self.assertEqual(self.told()["reports"], 0)
        self.crash(signal.SIGSEGV)
        with open(self.world.path("data/crash.now"), encoding="ascii") as text:
            report = text.read()
        self.assertTrue(report.startswith("crash-report 1\nprogram approvald "))
        self.assertTrue(report.endswith("end\n"))
        self.assertIn("\nsignal SIGSEGV\n", report)
        self.assertIn("\nrole serves\n", report)
        self.assertIn("\nbefore left no report\n", report)
        self.assertRegex(report, r"\nuptime-ms \d+\n")
        self.assertIn(f"\nbuild-id {build_id(DAEMON)}\n", report)
        self.assertIn("app_run", self.functions(report))
        self.assertIn("main", self.functions(report))
        self.assertIn("crash-report 1", self.log())  # in the journal at once
        self.world.start()
        self.assertEqual(self.report(), report)
        self.assertEqual(os.stat(self.reports()[0]).st_mode & 0o777, 0o600)
        self.assertIn("crash_report", self.log())
        told = self.told()
        self.assertEqual((told["reports"], told["signal"]), (1, "SIGSEGV"))
        self.assertTrue(told["at"].startswith("approvald+0x"), told)
        self.assertIn("crashed", self.world.ctl("doctor").stdout)
        self.crash(signal.SIGBUS)
        with open(self.world.path("data/crash.now"), encoding="ascii") as text:
            self.assertIn("\nbefore crashed\n", text.read())

    def test_there_is_no_core_and_no_secret(self):
        """Not even where the limit and the pattern ask for one: it is not dumpable."""
        self.world.apply_policy()
        token = self.world.token("ci")
        self.assertEqual(self.world.create(token).status, 201)
        pid = self.world.daemon.child.pid
        # Root may raise the limit again.
        subprocess.run(["prlimit", "--pid", str(pid), "--core=unlimited"], check=False,
                       capture_output=True)
        self.crash(signal.SIGABRT)
        self.world.start()
        report = self.report()
        for secret in (token, harness.BOT_TOKEN):
            self.assertNotIn(secret, report)
        self.assertLess(len(report), 8192)
        self.assertIn("\nsignal SIGABRT\n", report)
        self.assertEqual(glob.glob(self.world.path("**/core*"), recursive=True), [])
        self.assertEqual(glob.glob("core*"), [])  # approvald's directory is this test's

    def test_the_newest_stay(self):
        self.world.daemon.stop()
        for second in range(1, 21):
            with open(self.world.path(f"data/crash-{second}"), "w", encoding="ascii") as old:
                old.write(f"crash-report 1\nprogram approvald 1\nsignal SIGBUS\nat libc.so.6+0x1\n"
                          f"frame libc.so.6+0x1\nframe approvald+0x{second}\nend\n")
        with open(self.world.path("data/crash-1x"), "w", encoding="ascii") as other:
            other.write("not ours\n")
        self.world.start()
        self.assertEqual([int(name.rsplit("-", 1)[1]) for name in self.reports()
                          if not name.endswith("x")], sorted(range(13, 21), key=str))
        self.assertEqual(len(self.reports()), KEPT + 1)
        told = self.told()
        self.assertEqual((told["reports"], told["last"], told["signal"], told["at"]),
                         (KEPT, "crash-20", "SIGBUS", "approvald+0x20"))

    def test_what_is_in_the_way_stops_nothing(self):
        self.world.daemon.stop()
        os.remove(self.world.path("data/crash.now"))
        os.mkdir(self.world.path("data/crash.now"))
        self.world.start()
        self.assertIn("crash_reports", self.log())
        self.crash(signal.SIGSEGV)
        self.assertIn("crash-report 1", self.log())
        self.world.start()

    def test_a_hostile_report_is_shown_as_nothing(self):
        self.world.daemon.stop()
        with open(self.world.path("data/crash-99"), "wb") as old:
            old.write(b"signal \x1b[31mred\nprogram " + b"A" * 20000)
        self.world.start()
        done = self.world.ctl("doctor")
        self.assertNotIn("\x1b", done.stdout)
        self.assertNotIn("AAAAAAAA" * 30, done.stdout)


if __name__ == "__main__":
    unittest.main()

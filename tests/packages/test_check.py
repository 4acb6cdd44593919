#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_check.py: somebody who sees only the end of packaging/check's output knows what failed, and why.

Owns logs in a scratch directory. Never runs a step of packaging/check.
"""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import types
import unittest
from unittest import mock

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "packaging", "lib"))
import check  # noqa: E402  the path is set above
import check_steps  # noqa: E402
import check_told  # noqa: E402
from check_run import TAIL_LINES, Logs, Result, StepFailed  # noqa: E402
from check_steps import Step  # noqa: E402

TABLE = [f"fault {number}   1   0" for number in range(2 * TAIL_LINES)]
ROUND = ["FAIL round 7 (3.1 s, seed 42/7): cut the cable", "     lost: req_1 was acknowledged"]


def said(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        function(*arguments)
    return out.getvalue()


class OneLog(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.logs = Logs(folder.name)

    def tail(self, lines, name="cluster"):
        with self.logs.open(name) as log:
            log.write("\n".join(lines) + "\n")
        return said(self.logs.print_tail, name)

    def test_what_failed_stands_before_a_table_that_fills_the_tail(self):
        out = self.tail(["ok   round 6", *ROUND, "ok   round 8", *TABLE])
        self.assertLess(out.index(ROUND[0]), out.index("the end of"))
        self.assertIn("\n".join("  " + line for line in ROUND), out)
        self.assertNotIn("round 8", out)
        self.assertTrue(out.endswith(f"  {TABLE[-1]}\n"))

    def test_a_log_that_fits_is_printed_once(self):
        out = self.tail(["$ python3 x.py", *ROUND, "0 passed, 1 failed"])
        self.assertEqual(out.count(ROUND[0]), 1)
        self.assertNotIn("what failed", out)

    def test_what_the_tail_says_again_with_its_reasons_is_printed_once(self):
        out = self.tail([*ROUND, *TABLE, "", *ROUND, "0 passed, 1 failed"])
        self.assertEqual(out.count(ROUND[0]), 1)

    def test_a_name_in_the_tail_does_not_hide_the_reasons(self):
        out = self.tail([*ROUND, *TABLE, "", ROUND[0], "0 passed, 1 failed"])
        self.assertIn(ROUND[1], out)

    def test_hundreds_of_failures_and_of_reasons_are_bounded(self):
        lines = []
        for number in range(500):
            lines += [f"FAIL round {number}", *(f"     reason {n}" for n in range(100)), ""]
        out = self.tail([*lines, *TABLE])
        self.assertLess(len(out.splitlines()), 300)
        self.assertIn("FAIL round 0\n", out)
        self.assertIn("reason 99\n", out)  # a trace ends with what it is about
        self.assertRegex(out, r"and \d+ more\n")

    def test_a_step_without_a_log_has_no_tail(self):
        self.assertEqual(said(self.logs.print_tail, "unit").count("\n"), 2)

    def test_each_kind_of_program_is_understood(self):
        for failing in (
            "FAIL: test_x (__main__.Some.test_x)", "ERROR: test_y (__main__.Some.test_y)", "not ok 3 - a case",
            "FAIL: tests/unit/test_wal", "  Test: the log is cut ...FAILED", "✖ a card (3.2ms)",
            "seed 17: invariant one_writer: two hosts write", "drop_fence    R4   NOT CAUGHT in 400 seeds",
            "base/buf.c:12:3: error: expected ';'", "/usr/bin/ld: a.o: in function f: undefined reference to `g'",
            "==12==ERROR: AddressSanitizer: heap-use-after-free", "WARNING: ThreadSanitizer: data race (pid=12)",
            "base/buf.c:12:3: runtime error: shift exponent 64",
        ):  # fmt: skip
            with self.subTest(failing):
                self.assertIn(failing, self.tail([failing, "  its reason", *TABLE]))
                self.assertIn("its reason", said(self.logs.print_tail, "cluster"))

    def test_what_passed_is_not_told(self):
        good = ["ok   FAIL is a word", "PASS: tests/unit/test_wal", "  Test: it has FAILED before ...passed",
                "# FAIL:  0", "ok 3 - a case", "FAILOVER 3", "0 failed"]
        self.assertEqual(check_told.before_tail([*good, *TABLE], TAIL_LINES), [])
        self.assertEqual(check_told.first(good), "")


class WholeRun(unittest.TestCase):
    """The last lines of the whole output, of steps that only write."""

    def output(self, **steps):
        table = [Step(name, run, needs) for name, (run, *needs) in steps.items()]
        args = argparse.Namespace(list=False, only=[], quick=False, jobs=1)
        folder, here = tempfile.TemporaryDirectory(), os.getcwd()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, here)
        with mock.patch.multiple(check, ROOT=folder.name, parse_arguments=lambda: args), \
                mock.patch.object(check.check_steps, "STEPS", table):  # fmt: skip
            return said(check.main)

    def test_it_ends_with_what_failed(self):
        def cluster(run):
            run.say("\n".join(["$ python3 tests/cluster/test_x.py", "Ran 3 tests in 1.000s", "OK",
                               "$ python3 tests/cluster/cluster.py --rounds 9", *ROUND, *TABLE]))
            return Result(failed=1, note="cluster.py failed")

        def quiet(run):
            run.say("nothing to see")
            return Result(failed=1, note="quiet.py")

        out = self.output(lint=(lambda run: Result(passed=1),), cluster=(cluster,), quiet=(quiet,),
                          packages=(lambda run: Result(passed=1), "cluster"))  # fmt: skip
        self.assertEqual(out.splitlines()[-4:], [
            "1 passed, 3 failed", f"failed: cluster: cluster.py: {ROUND[0]}", "failed: quiet: quiet.py",
            "failed: packages: cluster failed"])  # fmt: skip

    def test_when_all_passed_the_counts_are_last(self):
        out = self.output(lint=(lambda run: Result(passed=2),))
        self.assertEqual(out.splitlines()[-1], "2 passed, 0 failed")


class BothDebians(unittest.TestCase):
    """The packages' two steps, which may run at the same time."""

    def calls(self, step, release, may_run=(0, "")):
        """[(folder, command)] of what it runs, and its result."""
        made = []

        def call(command, cwd=ROOT, timeout_s=0):
            made.append((cwd, command))
            return may_run if "--may-run" in command else (0, "3 passed, 0 failed\n")

        run = types.SimpleNamespace(root=ROOT, call=call)
        release = {"VERSION_CODENAME": release}
        with mock.patch.object(check_steps, "_configure", lambda run, name, _words: os.path.join(run.root, "build", name)), \
                mock.patch.object(check_steps.platform, "freedesktop_os_release", lambda: release):  # fmt: skip
            return made, step(run)

    def test_each_release_is_looked_at_wherever_it_runs(self):
        for here, there in (("bookworm", "trixie"), ("trixie", "bookworm")):
            made, result = self.calls(check_steps.elsewhere, here)
            self.assertIn(f"SUITE={there}", made[-1][1])
            self.assertEqual(result.passed, 3)
            made, _ = self.calls(check_steps.packages, here)
            self.assertEqual(made[-1][1], ["make", "packages-check"])  # whose suite is the machine's

    def test_neither_builds_in_the_other_ones_folder(self):
        steps = (check_steps.packages, check_steps.elsewhere)
        folders = {self.calls(step, "bookworm")[0][-1][0] for step in steps}
        self.assertEqual(len(folders), 2)

    def test_nothing_is_built_where_it_cannot_run(self):
        made, result = self.calls(check_steps.elsewhere, "bookworm", (77, "skipped: not root\n"))
        self.assertEqual((len(made), result.skipped, result.note), (1, 1, "not root"))
        missing = (77, "skipped: no mmdebstrap (package mmdebstrap)\n")
        self.assertRaises(StepFailed, self.calls, check_steps.elsewhere, "bookworm", missing)


if __name__ == "__main__":
    unittest.main()

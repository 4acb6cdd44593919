#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_cluster.py: what cluster.py prints: what failed stands once more behind the table, bounded.

Owns worlds that cannot start. Never starts a host.
"""

import argparse
import contextlib
import io
import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cases  # noqa: E402
import cluster  # noqa: E402
from lib import ending  # noqa: E402

REASONS = [f"lost: req_{number}" for number in range(40)]


class NoWorld:
    dir = "/nowhere"

    def __init__(self, **_options):
        pass

    def start(self):
        raise RuntimeError("no host starts\n" + "\n".join(REASONS))

    def close(self, keep=False):
        pass


class Again(unittest.TestCase):
    def output(self, work, tried):
        with contextlib.redirect_stdout(io.StringIO()) as out, mock.patch.object(cluster, "World", NoWorld), \
                mock.patch.object(cases, "CASES", {"it starts": (None, 1, {"world": NoWorld})}):  # fmt: skip
            self.code = ending.of(work, tried)
        return out.getvalue()

    def test_failed_rounds_and_cases_stand_behind_the_table(self):
        args = argparse.Namespace(rounds=3, only=[], no_cases=False, case=[], runs=0, clients=1)
        tried = ending.Tried()
        out = self.output(lambda: cluster.run_all(args, 42, tried), tried)
        table, again = out[out.index("rounds  failed"):].split("\nwhat failed:\n")
        self.assertNotIn("FAIL", table)
        told = [line.split(" (")[0] for line in again.splitlines() if not line.startswith(" ")]
        self.assertEqual(told[:-1], ["FAIL it starts", "FAIL round 1", "FAIL round 2", "FAIL round 3"])
        self.assertRegex(told[-1], r"^\d passed, 4 failed$")
        self.assertIn("seed 42/2", again)
        self.assertIn("no host starts", again)
        self.assertIn(REASONS[0], again)
        self.assertLessEqual(len(again.splitlines()), 4 * (ending.REASONS_MAX + 2) + 1)
        self.assertEqual(self.code, 1)

    def test_what_was_cut_off_tells_what_had_failed(self):
        def work():
            tried.tell("round 1", ["lost: req_1"])
            raise KeyboardInterrupt

        tried = ending.Tried()
        self.assertTrue(self.output(work, tried).endswith(
            "interrupted\n\nwhat failed:\nFAIL round 1\n     lost: req_1\n"))
        self.assertEqual(self.code, ending.INTERRUPTED)

    def test_when_nothing_failed_the_counts_are_all(self):
        tried = ending.Tried()
        out = self.output(lambda: (int(tried.tell("round 1", [])), 0), tried)
        self.assertEqual(out, "ok   round 1\n1 passed, 0 failed\n")


if __name__ == "__main__":
    unittest.main()

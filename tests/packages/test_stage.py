#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_stage.py: what a load that met a machine standing still is excused of; what is left behind.

Owns scratch directories. Never starts a load or a machine: both are played here.
"""

import json
import os
import shutil
import sys
import tempfile
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import Load, Stage  # noqa: E402  the path is set above

EVERY_S = 0.5  # another one than stage's own


class Ended(Load):
    """Of a load that has ended already."""

    MORE = 0


class Repeats:
    """A stage in which each request that is said again gets the same status."""

    def __init__(self, status=200):
        self.status, self.asked = status, []

    def again(self, _spec, number):
        self.asked.append(number)
        return self.status


class Loads(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="packages-stage-")
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def load(self, failed=(), stall_s=0.0, stage=None, status=0):
        """40 requests, the machine standing still before the 20th. failed: numbers of those without
        an answer."""
        with open(self.path("history"), "w", encoding="utf-8") as out:
            for number in range(1, 41):
                begin = 100 + number * EVERY_S + (stall_s if number >= 20 else 0)
                line = {"n": number, "begin": begin, "end": begin + 0.01, "sent": True, "problem": "",
                        "status": status if number in failed else 201}
                out.write(json.dumps(line) + "\n")
        with open(self.path("spec"), "w", encoding="utf-8") as out:
            json.dump({"every": EVERY_S}, out)
        process = types.SimpleNamespace(history=self.path("history"), spec=self.path("spec"),
                                        stdin=types.SimpleNamespace(close=lambda: None),
                                        wait=lambda _seconds: 0)
        return Ended(stage or Repeats(), process)

    def test_without_a_failure_it_is_whole(self):
        self.assertIn("0 to be repeated", self.load().must_be_whole())
        self.assertIn("0 to be repeated", self.load(stall_s=1.0).must_be_whole())

    def test_a_failure_without_a_stall_is_one(self):
        for stall_s in (0.0, 0.1):  # less than a host takes for a loss
            one = self.load(failed=[20], stall_s=stall_s)
            self.assertFalse(one.stood_still())
            self.assertRaises(AssertionError, one.must_be_whole)

    def test_the_pause_between_two_requests_is_no_stall(self):
        self.assertEqual(self.load().stalls, [])

    def test_what_failed_in_a_stall_or_its_takeover_is_repeated(self):
        stage = Repeats()
        told = self.load(failed=[19, 20, 25], stall_s=1.0, stage=stage).must_be_whole()
        self.assertEqual(stage.asked, [19, 20, 25])
        self.assertIn("stood still for 1500 ms", told)
        self.load(failed=[21], stall_s=1.0, status=503).must_be_whole()

    def test_and_fails_where_repeating_does(self):
        self.assertRaises(AssertionError, self.load([20], 1.0, Repeats(503)).must_be_whole)
        self.assertRaises(AssertionError, self.load([20], 1.0, status=500).must_be_whole)

    def test_what_failed_long_before_or_after_a_stall_is_a_failure(self):
        for number in (1, 18, 27, 40):
            one = self.load(failed=[20, number], stall_s=1.0)
            self.assertTrue(one.stood_still())
            self.assertRaises(AssertionError, one.must_be_whole)
            self.assertRaises(AssertionError, Load.summary, [self.load(), one])

    def test_a_stall_before_is_none_since(self):
        one = self.load(stall_s=1.0)
        self.assertTrue(one.stood_still(since=one.lines[18]["begin"]))
        self.assertFalse(one.stood_still(since=one.lines[20]["begin"]))

    def test_a_summary_repeats_what_it_excuses(self):
        stage = Repeats()
        told = Load.summary([self.load(), self.load([20], 1.0, stage)])
        self.assertEqual(stage.asked, [20])
        self.assertIn("2 loads, 80 requests, 0 to be repeated", told)
        self.assertIn("1 excused", told)
        self.assertRaises(AssertionError, Load.summary, [self.load(), self.load([20], 1.0, Repeats(503))])

    def test_a_summary_of_excuses_alone_shows_nothing(self):
        self.assertRaises(AssertionError, Load.summary, [self.load([20], 1.0)] * 2)
        Load.summary([self.load(stall_s=1.0)])  # nothing failed: nothing is excused


class Closing(unittest.TestCase):
    """A stage whose parts say when they are closed."""

    def setUp(self):
        self.closed = []
        self.stage = Stage.__new__(Stage)
        self.stage.dir = tempfile.mkdtemp(prefix="packages-stage-")
        self.addCleanup(shutil.rmtree, self.stage.dir, ignore_errors=True)
        self.stage.processes = []
        self.stage.machines = {name: self.part(name) for name in ("A", "B")}
        self.stage.net = self.part("net")

    def part(self, name):
        return types.SimpleNamespace(close=lambda: self.close(name))

    def close(self, name):
        self.closed.append(name)
        if name == "B":
            raise AttributeError("never ran")

    def test_a_machine_that_cannot_be_closed_leaves_nothing_else_behind(self):
        self.assertRaises(AttributeError, self.stage.close)
        self.assertEqual(sorted(self.closed), ["A", "B", "net"])
        self.assertEqual(self.closed[-1], "net")
        self.assertFalse(os.path.exists(self.stage.dir))

    def test_who_comes_after_a_failure_gets_other_hosts(self):
        os.mkdir(os.path.join(self.stage.dir, "machines"))
        self.stage.machines = {"A": self.part("A")}
        self.stage.forget()
        self.assertEqual((self.closed, self.stage.machines), (["A"], {}))
        [kept] = os.listdir(self.stage.dir)
        self.assertTrue(kept.startswith("machines-"))
        self.stage.forget()  # and again, with none
        self.stage.machines = {"B": self.part("B")}
        self.assertRaises(AttributeError, self.stage.forget)
        self.assertEqual(self.stage.machines, {})

    def test_what_is_kept_stays(self):
        self.assertRaises(AttributeError, self.stage.close, keep=True)
        self.assertTrue(os.path.exists(self.stage.dir))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_nemesis.py: the book of faults draws all of them and counts right; each fault is taken back.

Owns a world that only notes what is done to it. Never starts anything.
"""

import os
import random
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import nemesis  # noqa: E402


class Noted:
    """Takes every call and attribute; notes the calls that matter."""

    def __init__(self, name, notes, folder):
        self._name, self._notes, self._folder = name, notes, folder
        self.name, self.data, self.peer_port = name, os.path.join(folder, "data"), 1

    def path(self, *names):
        return os.path.join(self._folder, *names)

    def __getattr__(self, word):
        def call(*_args, **_more):
            self._notes.append(f"{self._name}.{word}")
            if word in ("pid", "signal"):
                return None
            return {"ok": True}
        return call if word not in ("net", "etcd", "hurt", "member", "keepalived") else Noted(
            word, self._notes, self._folder)


class NotedWorld(Noted):
    def __init__(self, folder):
        self.notes = []
        super().__init__("world", self.notes, folder)
        self.hosts = {name: Noted(name, self.notes, folder) for name in "AB"}
        self.net, self.etcd = (Noted(n, self.notes, folder) for n in ("net", "etcd"))

    def __getitem__(self, name):
        return self.hosts[name]

    def statuses(self):
        wrong = [{"alarm": "arbiter_wrong"}]
        return {"A": {"serving": True, "alarms": wrong}, "B": {"serving": False, "alarms": []}}


class Faults(unittest.TestCase):
    def test_each_fault_hurts_something_ends_and_is_healed(self):
        for name in nemesis.FAULTS:
            for seed in range(6):
                with self.subTest(fault=name, seed=seed), tempfile.TemporaryDirectory() as folder:
                    for part in ("data", "run"):
                        os.makedirs(os.path.join(folder, part))
                    world, slept = NotedWorld(folder), []
                    nemesis.hurt_world(world, name, seed, slept.append)
                    at = world.notes.index("world.heal")
                    self.assertGreater(at, 0, world.notes)
                    self.assertLess(sum(slept), 25)
                    self.assertIn("A.control", world.notes[at:])

    def test_a_fault_that_breaks_is_healed_too(self):
        with tempfile.TemporaryDirectory() as folder:
            world = NotedWorld(folder)

            def broken(_seconds):
                raise KeyboardInterrupt

            with self.assertRaises(KeyboardInterrupt):
                nemesis.hurt_world(world, "cut the link between the hosts", 1, broken)
            self.assertIn("world.heal", world.notes)


class Draws(unittest.TestCase):
    def test_every_fault_comes_before_any_comes_again(self):
        book = nemesis.Book(random.Random(1))
        for _ in nemesis.FAULTS:
            book.enter(book.draw(), True)
        self.assertEqual(set(book.rounds.values()), {1})

    def test_the_same_seed_draws_the_same(self):
        def draws():
            book, names = nemesis.Book(random.Random(5)), []
            for _ in range(90):
                names.append(book.draw())
                book.enter(names[-1], True)
            return names
        self.assertEqual(draws(), draws())

    def test_the_table_counts_rounds_and_failures(self):
        book = nemesis.Book(random.Random(1), only=("switch over and hurt",))
        name = book.draw()
        for good in (True, False, True):
            book.enter(name, good)
        self.assertRegex(book.table(), r"switch over and hurt it +3 +1$")

    def test_an_unknown_fault_is_refused(self):
        with self.assertRaises(ValueError):
            nemesis.Book(random.Random(1), only=("no such thing",))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_backup.py: approvalctl backup and restore with the real approvald: what was acknowledged
before the backup is there afterwards, and the audit chain holds.

Owns two Worlds (tests/lib/harness.py): one that is backed up, one that is restored. Never reads a
store itself: it asks the programs.
"""

import os
import subprocess
import sys
import tempfile
import threading
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import case  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

BUILD = os.path.dirname(os.path.dirname(os.path.dirname(case.PROGRAM)))
DAEMON = os.path.join(BUILD, "approvald/approvald")


class Writer(threading.Thread):
    """Asks without pause; remembers what was acknowledged, and how long the slowest took."""

    def __init__(self, world, token):
        super().__init__(daemon=True)
        self.world, self.token = world, token
        self.done = threading.Event()
        self.acknowledged, self.refused = [], []

    def run(self):
        while not self.done.is_set():
            answer = self.world.create(self.token)
            if answer.status == 201:
                self.acknowledged.append(answer.json()["id"])
            else:
                self.refused.append((answer.status, answer.body))

    def stop(self):
        self.done.set()
        self.join(20)


class Backup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.world = self.new_world("one")
        self.world.start()
        self.world.apply_policy()
        self.token = self.world.token("ci")
        self.file = os.path.join(self.folder, "copy.backup")

    def new_world(self, name):
        directory = os.path.join(self.folder, name)
        os.makedirs(directory)
        world = harness.World(directory, BUILD, slack=False)
        self.addCleanup(world.close)
        return world

    def restore(self, world, *, file=None):
        return subprocess.run(
            [case.PROGRAM, "restore", "--program", DAEMON, "--config",
             world.path("approvald.conf"), file or self.file],
            capture_output=True, text=True, timeout=60, check=False)  # fmt: skip

    def test_all_that_was_acknowledged_before_is_there(self):
        writer = Writer(self.world, self.token)
        writer.start()
        self.world.wait(lambda: len(writer.acknowledged) > 50, "requests are made")
        before = list(writer.acknowledged)
        said = self.world.ctl("backup", self.file, check=0).stdout
        writer.stop()
        self.assertEqual(writer.refused, [])
        self.assertGreater(len(writer.acknowledged), len(before))
        self.assertIn(self.file, said)
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.world.path("data/backup")), [])
        other = self.new_world("two")
        done = self.restore(other)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not in the ISR", done.stdout)
        self.assertIn("start the other host with an empty data_dir", done.stdout)  # as the guide has it
        other.start()
        for request in before:
            self.assertEqual(other.api("GET", "/v1/requests/" + request, token=self.token).status,
                             200)  # fmt: skip
        self.assertIn("ok: ", other.ctl("audit", "verify", check=0).stdout)
        self.assertEqual(other.create(self.token).status, 201)
        self.assertEqual(other.ctl("audit", "verify").returncode, 0)

    def test_a_running_store_and_a_used_one_are_not_overwritten(self):
        self.world.ctl("backup", self.file, check=0)
        done = self.restore(self.world)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("stop approvald", done.stderr)
        self.world.daemon.stop()
        done = self.restore(self.world)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("move all of it away", done.stderr)
        self.world.start()
        self.assertEqual(self.world.create(self.token).status, 201)

    def test_a_damaged_or_foreign_file_is_refused(self):
        self.world.ctl("backup", self.file, check=0)
        other = self.new_world("two")
        with open(self.file, "rb") as handle:
            good = handle.read()
        flipped = bytearray(good)
        flipped[len(flipped) // 2] ^= 1
        bad = os.path.join(self.folder, "bad")
        for content, word in ((bytes(flipped), "checksum"), (good[:-5], "too early"),
                              (b"#!/bin/sh\n" * 40, "not a backup")):  # fmt: skip
            with open(bad, "wb") as handle:
                handle.write(content)
            done = self.restore(other, file=bad)
            self.assertEqual(done.returncode, 65, done.stderr)
            self.assertIn(word, done.stderr)
        self.assertEqual([name for name in os.listdir(other.path("data")) if name != "lock"], [])
        self.assertEqual(self.restore(other).returncode, 0)

    def test_an_unfinished_restore_is_seen_by_the_start(self):
        other = self.new_world("two")
        with open(other.path("data/restoring"), "w", encoding="utf-8") as handle:
            handle.write("left by a crash\n")
        other.start(wait=False)
        self.assertEqual(other.daemon.child.wait(20), 69)
        self.assertIn("run approvalctl restore again", other.log_tail())
        self.world.ctl("backup", self.file, check=0)
        self.assertEqual(self.restore(other).returncode, 0)
        other.start()
        self.assertEqual(other.create(self.token).status, 201)

    def test_a_failure_says_why_and_leaves_nothing(self):
        with open(self.world.path("data/backup"), "w", encoding="utf-8") as handle:
            handle.write("in the way\n")
        done = self.world.ctl("backup", self.file)
        self.assertEqual(done.returncode, 119, done.stderr)
        self.assertIn("Not a directory", done.stderr)
        self.assertFalse(os.path.exists(self.file))
        os.unlink(self.world.path("data/backup"))
        self.world.ctl("backup", self.file, check=0)

    def test_only_root_on_the_host_may(self):
        self.world.secret_file("token", self.token)
        done = self.world.ctl("backup", self.file, token_file=self.world.path("token"))
        self.assertEqual(done.returncode, 115, done.stderr)
        self.assertIn("root does this on the host", done.stderr)
        answer = self.world.api("POST", "/v1/backup", token=self.token)
        self.assertEqual(answer.status, 404)
        answer = self.world.admin("POST", "/v1/backup",
                                  headers={"Authorization": "Bearer " + self.token})  # fmt: skip
        self.assertEqual(answer.status, 403)


if __name__ == "__main__":
    unittest.main(verbosity=1)

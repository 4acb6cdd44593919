#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_nightly.py: systemd/backup: what of the nightly backups stays, and what a broken night leaves.

Owns its folder and a stand-in for approvalctl. Never makes a real backup: test_backup.py does.
"""

import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "systemd", "backup")
STAND_IN = '#!/bin/sh\n[ "$1" = backup ] && eval "$NIGHT"\n'
OLD = [f"approvald-2026010{day}T020000Z.backup" for day in range(1, 5)]


class Nightly(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nightly-")
        self.addCleanup(folder.cleanup)
        self.bin = os.path.join(folder.name, "bin")
        self.folder = os.path.join(folder.name, "backups")
        os.mkdir(self.bin)
        os.mkdir(self.folder)
        with open(os.path.join(self.bin, "approvalctl"), "w", encoding="ascii") as program:
            program.write(STAND_IN)
        os.chmod(os.path.join(self.bin, "approvalctl"), 0o755)
        self.make(*OLD, "mine.backup")

    def make(self, *names):
        for name in names:
            with open(os.path.join(self.folder, name), "wb"):
                pass

    def run_night(self, night='touch "$2"', count="3"):
        """The exit code; the stand-in does what night says."""
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "NIGHT": night,
                       "APPROVALD_BACKUP_DIR": self.folder, "APPROVALD_BACKUP_COUNT": count}
        return subprocess.run(["sh", SCRIPT], env=environment, capture_output=True, check=False,
                              timeout=60).returncode

    def left(self):
        return sorted(os.listdir(self.folder))

    def test_the_newest_stay_and_other_files_are_let_be(self):
        self.assertEqual(self.run_night(), 0)
        left = self.left()
        self.assertEqual(left[:2], OLD[2:])
        self.assertRegex(left[2], r"^approvald-\d{8}T\d{6}Z\.backup$")
        self.assertEqual(left[3:], ["mine.backup"])

    def test_none_goes_when_there_is_no_new_one(self):
        self.assertEqual(self.run_night("exit 112"), 112)
        self.assertEqual(self.left(), [*OLD, "mine.backup"])
        self.assertEqual(self.run_night(count="0"), 116)
        self.assertEqual(self.left(), [*OLD, "mine.backup"])

    def test_what_a_killed_one_has_left_goes_with_the_next(self):
        self.make(OLD[0] + ".part", OLD[3] + ".part", "mine.part")
        self.assertEqual(self.run_night("exit 112"), 112)
        self.assertEqual(self.left(), [*OLD, "mine.backup", "mine.part"])


if __name__ == "__main__":
    unittest.main()

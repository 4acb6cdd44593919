#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_purge.py: what a purge removes, and that it comes to its end, also where the store is a disk.

Owns a folder that stands for the root of a host: the script is run with its paths below that. The real
thing, in a container, is single.py's.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORE = "var/lib/approvald"
REGISTER = "var/lib/approvald-arbiter"
OURS = {f"{STORE}/state.mdb": "", f"{STORE}/last-good.conf": "", "var/lib/approvald.of-pair-1/state.mdb": "",
        "etc/approvald/secrets/slack-bot-token": "", "etc/approvald/pair/restart": "",
        "etc/approvald/supervisor.conf.d/50-pair.conf": "# Written by approvalctl pair\n",
        "etc/approvald/approvald.conf.d/40-slack.conf": "# Written by approvalctl slack setup; ...\n",
        "var/backups/approvald/approvald-20260101T020000Z.backup": ""}
THEIRS = {"etc/approvald/approvald.conf.d/50-pair.conf": "# mine\n", "var/backups/approvald/mine.backup": ""}


def mounts():
    return os.geteuid() == 0 and shutil.which("unshare") is not None and subprocess.run(
        ["unshare", "--mount", "--", "true"], capture_output=True, check=False).returncode == 0


class Purge(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="purge-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.make({**OURS, **THEIRS})
        self.script = self.below("approvald")

    def below(self, package):
        """The package's script, with the root's paths below our folder."""
        with open(os.path.join(ROOT, "packaging", "debian", f"{package}.postrm"), encoding="utf-8") as script:
            text = re.sub(r"(?<=[\s=])/(?=(?:var|etc|run)/)", self.root + "/", script.read())
        path = os.path.join(self.root, "postrm")
        with open(path, "w", encoding="utf-8") as script:
            script.write(text)
        return path

    def make(self, files):
        for name, content in files.items():
            path = os.path.join(self.root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as file:
                file.write(content)

    def left(self):
        return {os.path.relpath(os.path.join(folder, name), self.root)
                for folder, _folders, names in os.walk(self.root) for name in names} - {"postrm"}

    def test_what_is_ours_goes_and_no_more(self):
        subprocess.run(["sh", self.script, "remove"], check=True)
        self.assertEqual(self.left(), {*OURS, *THEIRS})
        subprocess.run(["sh", self.script, "purge"], check=True)
        self.assertEqual(self.left(), {*THEIRS})
        self.assertFalse(os.path.exists(os.path.join(self.root, STORE)))

    @unittest.skipUnless(mounts(), "needs root and unshare")
    def test_a_store_on_a_disk_of_its_own_goes_and_the_disk_stays(self):
        """Its folder cannot be removed: nobody is to mend a package for that."""
        os.makedirs(os.path.join(self.root, REGISTER))
        for package, store in (("approvald", STORE), ("approvald-arbiter", REGISTER)):
            done = subprocess.run(
                ["unshare", "--mount", "--", "sh", "-euc",
                 'mount -t tmpfs none "$1"; mkdir "$1/store"; touch "$1/store/state.mdb"; code=0\n'
                 'sh "$2" purge || code=$?; ls -A "$1"; exit $code', "-",
                 os.path.join(self.root, store), self.below(package)],
                capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertEqual(self.left(), {*THEIRS, f"{STORE}/state.mdb", f"{STORE}/last-good.conf"})  # below the disk


if __name__ == "__main__":
    unittest.main()

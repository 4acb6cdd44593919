#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_man.py: the man pages say what the programs say of themselves, and are clean roff.

Owns nothing. Never writes a page: make man does.
"""

import os
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "packaging", "lib"))

import manpages  # noqa: E402  the path is set above

BUILD = os.path.abspath(os.environ.get("APPROVALD_BUILD", os.path.join(ROOT, "build", "gcc")))
FOLDER = os.path.join(ROOT, "packaging", "man")


class Pages(unittest.TestCase):
    def test_pages_are_what_the_programs_say(self):
        made = manpages.pages(BUILD)
        self.assertEqual(sorted(made), sorted(os.listdir(FOLDER)))
        for name, text in made.items():
            with open(os.path.join(FOLDER, name), encoding="ascii") as page:
                self.assertEqual(page.read(), text, f"{name}: run make man")

    def test_every_command_has_its_part(self):
        said = manpages.ask(BUILD, "approvalctl", "--help")
        names = manpages.commands(said)
        self.assertIn("token add", names)
        page = manpages.pages(BUILD)["approvalctl.1"]
        for name in names:
            self.assertIn(f"\n.SS approvalctl {manpages.escaped(name)} ", page + "\n", name)

    @unittest.skipUnless(shutil.which("groff"), "groff is not here")
    def test_pages_are_clean_roff(self):
        for name in os.listdir(FOLDER):
            done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-z",
                                   os.path.join(FOLDER, name)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


if __name__ == "__main__":
    unittest.main()

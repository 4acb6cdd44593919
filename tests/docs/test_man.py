#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_man.py: the man pages say what the programs and documents say, and are clean roff; whatever is
installed, or read, has one.

Owns nothing. Never writes a page: make man does.
"""

import glob
import os
import re
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

    def test_every_installed_program_has_a_page(self):
        with open(os.path.join(BUILD, "Makefile"), encoding="utf-8") as handle:
            text = handle.read().replace("\\\n", " ")
        lists = re.findall(r"^(?!check_|noinst_|EXTRA_)\w+_PROGRAMS = (.*)$", text, re.MULTILINE)
        words = {os.path.basename(word) for line in lists for word in line.split()}
        programs = {word.replace("$(EXEEXT)", "") for word in words if not word.startswith("$(am__")}
        self.assertLessEqual({"approvald", "approvald-fence"}, programs)
        paged = {name[:-2] for name in os.listdir(FOLDER) if name[-1] in "18"}
        self.assertEqual(programs, paged)

    def test_every_page_is_installed(self):
        with open(os.path.join(ROOT, "packaging", "Makefile.inc"), encoding="utf-8") as handle:
            listed = re.search(r"^dist_man_MANS = (.*)$", handle.read().replace("\\\n", " "),
                               re.MULTILINE).group(1)
        self.assertEqual(sorted(os.path.basename(word) for word in listed.split()),
                         sorted(os.listdir(FOLDER)))

    def test_every_file_that_is_read_is_on_a_page(self):
        """Configuration that is installed has a page of its own; what a unit takes from
        /etc/approvald is named on one."""
        text = ""
        for name in os.listdir(FOLDER):
            with open(os.path.join(FOLDER, name), encoding="ascii") as page:
                text += page.read().replace("\\-", "-")
        for path in glob.glob(os.path.join(ROOT, "packaging", "conf", "*")):
            name = os.path.basename(path)
            self.assertTrue(any(page in os.listdir(FOLDER) for page in (f"{name}.5", f"approvald-{name}.5")),
                            name)
            self.assertTrue(f"/etc/approvald/{name}" in text, name)
        named = set()
        for path in glob.glob(os.path.join(ROOT, "systemd", "*.in")):
            with open(path, encoding="utf-8") as unit:
                named |= set(re.findall(r"/etc/approvald/[\w./-]*\w", unit.read()))
        self.assertIn("/etc/approvald/notify-people", named)
        for path in named:
            # What pair init writes there is nobody's to edit.
            self.assertTrue(path in text or path.startswith("/etc/approvald/pair/"), path)

    def test_the_users_file_has_all_its_options_on_its_page(self):
        with open(os.path.join(ROOT, "approvald", "ctl", "settings.c"), encoding="utf-8") as source:
            options = re.findall(r'^    \{"", "(\w+)", CONF_', source.read(), re.MULTILINE)
        with open(os.path.join(FOLDER, "approvalctl.conf.5"), encoding="ascii") as page:
            text = page.read()
        self.assertIn("token_file", options)
        for option in options:
            self.assertIn(f"\\fB{option}\\fR", text)

    @unittest.skipUnless(shutil.which("groff"), "groff is not here")
    def test_pages_are_clean_roff(self):
        for name in os.listdir(FOLDER):
            done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-z",
                                   os.path.join(FOLDER, name)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


if __name__ == "__main__":
    unittest.main()

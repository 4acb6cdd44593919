#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_samples.py: the samples that are installed are what the programs write, and files name each
other where they lie.

Owns the comments in front of a sample. Never installs anything: tests/packages does.
"""

import glob
import os
import re
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pages  # noqa: E402  the path is set above

FOLDER = "packaging/samples"
EMIT = os.path.join(pages.BUILD, "tests", "lib")
MADE = {
    "keepalived.conf": ["emit_keepalived", "/run/approvald/vip-eligible",
                        "/run/approvald/keepalived.fifo", "eth0", "unicast"],
    "etcd.yml": ["emit_etcd"],
}  # fmt: skip
DOC = "/usr/share/doc/approvald"
COMPRESSED = 4096  # bytes from which on dh_compress does it


def made(name):
    program, *arguments = MADE[name]
    return subprocess.run([os.path.join(EMIT, program), *arguments], check=True, capture_output=True,
                          text=True).stdout  # fmt: skip


class Samples(unittest.TestCase):
    maxDiff = None

    def test_a_sample_is_what_the_program_writes(self):
        self.assertEqual(sorted(os.listdir(os.path.join(pages.ROOT, FOLDER))), sorted(MADE))
        for name in MADE:
            head, text = pages.read(f"{FOLDER}/{name}").split("\n\n", 1)
            for line in head.split("\n"):
                self.assertTrue(line.startswith("# "), line)
            self.assertEqual(text, made(name), name)

    def test_samples_are_installed(self):
        listed = pages.read("packaging/debian/approvald.examples").split()
        for folder in (FOLDER, "packaging/alerts", "systemd/examples"):
            self.assertIn(f"{folder}/*", listed)

    def test_a_document_that_is_named_is_where_it_is_said_to_be(self):
        names = [name for pattern in ("systemd/*", "systemd/*/*", "packaging/conf/*", FOLDER + "/*",
                                      "docs/*.md", "packaging/alerts/*")  # fmt: skip
                 for name in glob.glob(os.path.join(pages.ROOT, pattern)) if os.path.isfile(name)]
        count = 0
        for name in names:
            with open(name, encoding="utf-8") as handle:
                text = handle.read()
            self.assertNotIn("doc/approvald-doc", text, name)
            for found in re.findall(rf"{DOC}/([\w.-]+\.md(?:\.gz)?)", text):
                page = os.path.join(pages.ROOT, "docs", found.removesuffix(".gz"))
                self.assertEqual(found.endswith(".gz"), os.path.getsize(page) > COMPRESSED, f"{name}: {found}")
                count += 1
        self.assertGreaterEqual(count, 3)

    def test_a_purge_takes_each_setting_that_approvalctl_writes(self):
        """It would name secrets that have gone."""
        written = set()
        for name in glob.glob(os.path.join(pages.ROOT, "approvald", "*", "*.c")):
            with open(name, encoding="utf-8") as handle:
                written |= set(re.findall(r'"(?:[^"\n]*/)?(\d\d-[a-z]+\.conf)"', handle.read()))
        postrm = pages.read("packaging/debian/approvald.postrm")
        self.assertEqual(written, set(re.findall(r"\.conf\.d/(\d\d-[a-z]+\.conf)", postrm)))


if __name__ == "__main__":
    unittest.main(verbosity=1)

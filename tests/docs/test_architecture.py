#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_architecture.py: docs/architecture.md names what exists: the tests of its table "promise →
test", the files and rooms.

Owns nothing. Never runs the tests that the table names; packaging/check does.
"""

import glob
import os
import re
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pages  # noqa: E402  the path is set above

PAGE = "docs/architecture.md"
# Answers of Slack's, and the vectors: nothing that Slack sends us.
NOT_INBOUND = {"auth_test_ok.json", "users_info_deleted.json", "usergroups_users_list_ok.json",
               "signing_vectors.json"}  # fmt: skip
PROMISES = [f"P{number}" for number in range(1, 11)]


class Promises(unittest.TestCase):
    """Each row: files in backticks, the cases of a file in quotes behind it."""

    def test_every_promise_has_its_row(self):
        rows = pages.rows(PAGE, "Promise → test")
        self.assertEqual([cells[0].split()[0] for cells in rows], PROMISES)
        for cells in rows:
            self.assertIn("`tests/", cells[1], cells[0])

    def test_files_and_cases_exist(self):
        count = 0
        for promise, guards in pages.rows(PAGE, "Promise → test"):
            for path, case in pages.named_tests(guards):
                self.assertTrue(pages.is_test(path, case), f"{promise}: {path} {case}")
                count += case is not None
        self.assertGreater(count, 20)

    def test_every_inbound_sample_is_delivered(self):
        names = set(os.listdir(os.path.join(pages.ROOT, "tests/data/slack"))) - NOT_INBOUND
        self.assertGreater(len(names), 15)
        source = pages.read("tests/unit/test_inbound.c")
        self.assertEqual({name for name in names if f'"slack/{name}"' not in source}, set())


def expanded(name):
    """The patterns that "a/{b,c}.c" stands for."""
    brace = re.search(r"\{([^}]*)\}", name)
    if not brace:
        return [name]
    return [name[: brace.start()] + part + name[brace.end() :] for part in brace[1].split(",")]


def files(name):
    """What a name of the page stands for in the tree; without a folder, of approvald/ or its rooms."""
    found = []
    for pattern in expanded(name):
        for folder in ("", "approvald/"):
            found += glob.glob(os.path.join(pages.ROOT, folder + pattern))
    return found


class Files(unittest.TestCase):
    """The names of files in the two texts about the rooms."""

    def test_each_named_file_exists(self):
        names = [(page, name) for page in (PAGE, "docs/pair.md") for name in pages.inline(page)
                 if re.fullmatch(r"[a-z_]+/[a-z_/*{},]+\.[ch]", name)]  # fmt: skip
        self.assertGreater(len(names), 30)
        for page, name in names:
            for pattern in expanded(name):
                self.assertTrue(files(pattern), f"{page}: {name}")

    def test_each_file_that_wires_the_rooms_is_named(self):
        part = pages.read(PAGE).split("## Rooms and who may use whom\n", 1)[1].split("\n## ", 1)[0]
        named = {os.path.basename(path) for name in re.findall(r"`([a-z_*]+\.c)`", part)
                 for path in files(name)}  # fmt: skip
        there = {name for name in os.listdir(os.path.join(pages.ROOT, "approvald"))
                 if name.endswith(".c")}  # fmt: skip
        self.assertEqual(there - named, set())

    def test_each_room_is_listed(self):
        part = pages.read(PAGE).split("## Rooms and who may use whom\n", 1)[1].split("\n## ", 1)[0]
        listed = set(re.findall(r"^([a-z/]+)/ ", part, flags=re.M))
        there = {"base", "storage", "supervisor", "tests"}
        there |= {f"approvald/{name}" for name in os.listdir(os.path.join(pages.ROOT, "approvald"))
                  if os.path.isdir(os.path.join(pages.ROOT, "approvald", name))}  # fmt: skip
        self.assertEqual(listed, there)


if __name__ == "__main__":
    unittest.main(verbosity=1)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_architecture.py: the table "promise → test" of docs/architecture.md names what exists.

Owns nothing. Never runs the tests that the table names; packaging/check does.
"""

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
            source = ""
            for path, case in re.findall(r'`(tests/[^`]+)`|"([^"]+)"', guards):
                if path and not os.path.isdir(os.path.join(pages.ROOT, path)):
                    source = pages.read(path)
                elif case:
                    wanted = f"def {case}(self)" if case.startswith("test_") else f'{{"{case}",'
                    self.assertTrue(wanted in source, f"{promise}: {case}")
                    count += 1
        self.assertGreater(count, 20)

    def test_every_inbound_sample_is_delivered(self):
        names = set(os.listdir(os.path.join(pages.ROOT, "tests/data/slack"))) - NOT_INBOUND
        self.assertGreater(len(names), 15)
        source = pages.read("tests/unit/test_inbound.c")
        self.assertEqual({name for name in names if f'"slack/{name}"' not in source}, set())


if __name__ == "__main__":
    unittest.main(verbosity=1)

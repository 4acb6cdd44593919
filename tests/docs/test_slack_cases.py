#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_slack_cases.py: docs/slack-cases.md has a row for each case, and the tests that it names exist.

Owns nothing. Never runs the tests that the table names; packaging/check does.
"""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pages  # noqa: E402  the path is set above

PAGE = "docs/slack-cases.md"
HEADINGS = ("Delivery and identity", "Posting and updating", "Windows, addresses, tokens",
            "Network and socket")  # fmt: skip
CASE_COUNT = 57


class Cases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = [row for heading in HEADINGS for row in pages.rows(PAGE, heading)]

    def test_each_case_has_its_row(self):
        self.assertEqual([row[0] for row in self.rows],
                         [str(number) for number in range(1, CASE_COUNT + 1)])  # fmt: skip
        for row in self.rows:
            self.assertEqual(len(row), 4, row[0])

    def test_each_case_has_a_test(self):
        for number, _, _, guards in self.rows:
            tests = list(pages.named_tests(guards))
            self.assertTrue(tests, number)

    def test_files_and_cases_exist(self):
        for row in self.rows + pages.rows(PAGE, "Text of people"):
            for path, case in pages.named_tests(row[-1]):
                self.assertTrue(pages.is_test(path, case), f"{row[0]}: {path} {case}")


if __name__ == "__main__":
    unittest.main(verbosity=1)

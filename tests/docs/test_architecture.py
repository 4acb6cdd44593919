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


if __name__ == "__main__":
    unittest.main(verbosity=1)

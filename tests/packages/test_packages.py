#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_packages.py: which cases of the packages a run has, and that a short one stands on its own.

Owns nothing. Never prepares a stage.
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packages  # noqa: E402  the path is set above


class Chosen(unittest.TestCase):
    def test_without_a_word_it_is_everything(self):
        self.assertEqual(packages.chosen(), packages.WHOLE)

    def test_one_is_one(self):
        self.assertEqual(list(packages.chosen("fenced")), ["fenced"])

    def test_a_short_run_has_a_host_and_a_pair(self):
        # A pair of another kind has inherited the cases of a pair, which are not its own.
        self.assertEqual(list(packages.chosen(short=True)), ["single", "pair"])
        self.assertEqual(packages.chosen("fenced", short=True), {})

    def test_a_short_run_keeps_the_order_and_leaves_nothing_behind(self):
        for whole in packages.chosen(short=True).values():
            self.assertEqual([case for case in whole.CASES if case in whole.SHORT], list(whole.SHORT))
            for cases in (whole.CASES, whole.SHORT):
                self.assertEqual((cases[0], cases[-1]), (whole.CASES[0], whole.purges))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_alerts.py: the alert rules name metrics that exist, and docs/admin.md says what to do about
each alert and each alarm.

Owns Worlds (tests/lib/harness.py), one for each way in; their /metrics are the list of what
exists. Never asks Prometheus.
"""

import os
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

import pages  # noqa: E402  the path is set above
from lib import harness  # noqa: E402

RULES, ADMIN = "packaging/alerts/approvald.rules.yml", "docs/admin.md"
RULE = (r"      - alert: (\w+)\n        expr: (.+)\n(?:        for: \w+\n)?"
        r"        labels: \{severity: (?:page|ticket)\}\n        annotations: \{summary: \".+\"\}\n")


class Alerts(unittest.TestCase):
    def setUp(self):
        self.rules = re.findall(RULE, pages.read(RULES))

    def test_every_rule_is_whole(self):
        self.assertEqual(len(self.rules), pages.read(RULES).count("- alert:"))
        self.assertGreater(len(self.rules), 20)
        for name, expression in self.rules:
            self.assertEqual(expression.count("("), expression.count(")"), name)

    @staticmethod
    def metrics(socket_mode):
        with tempfile.TemporaryDirectory() as folder:
            with harness.World(folder, pages.BUILD, socket_mode=socket_mode) as world:
                world.start()
                text = harness.call("GET", "/metrics", port=world.management_port).body.decode()
        return set(re.findall(r"^# TYPE (\w+)", text, re.M))

    def test_every_metric_exists(self):
        there = self.metrics(False) | self.metrics(True)
        for name, expression in self.rules:
            used = set(re.findall(r"\bapprovald_\w+", expression))
            self.assertEqual(used - there, set(), name)
            self.assertTrue(used or "up{" in expression, name)

    def test_the_guide_says_what_to_do(self):
        rows = pages.rows(ADMIN, "Alarms")
        told = {name for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
        words = re.findall(r'"(\w+)"', re.search(r"alarm_words\[\w+\] = \{(.+?)\}",
                                                 pages.read("supervisor/sup_status.c"),
                                                 re.S).group(1))  # fmt: skip
        self.assertEqual({name for name, _ in self.rules} - told, set())
        words += re.findall(r'add_text\(entry, "alarm", "(\w+)"\)', pages.read("supervisor/sup_status.c"))
        self.assertLessEqual({"disk_hangs", "config_broken", "arbiter_wrong"}, set(words))
        self.assertEqual(set(words) - told, set())
        # What status says in capitals.
        shouts = re.findall(r'say\("  ([A-Z]{3,}) ', pages.read("approvald/ctl/cmd_status.c"))
        self.assertIn("SNAPSHOT", shouts)
        self.assertEqual(set(shouts) - told, set())
        # An alarm that only status tells is one that nobody is woken by.
        for word in words:
            row = next(cells[0] for cells in rows if f"`{word}`" in cells[0])
            self.assertRegex(row, r"`Approvald\w+`", word)
        for cells in rows:
            self.assertGreater(len(cells[2]), 20, cells[0])


if __name__ == "__main__":
    unittest.main(verbosity=1)

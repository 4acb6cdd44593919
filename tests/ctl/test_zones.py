#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_zones.py: base/tz against Python's zoneinfo, which reads the same files: every zone of this
machine, at random seconds of 1970 to 2100 and around every change.

Owns the choice of seconds (seeded: a failure repeats). Never judges with an answer of ours.
"""
import datetime
import os
import random
import subprocess
import unittest
import zoneinfo

BUILD = os.environ.get("APPROVALD_BUILD", "build/gcc")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ASK = os.path.join(ROOT, BUILD, "tests/unit/tz_ask")
FOLDER = "/usr/share/zoneinfo"
BEGIN = int(datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
END = int(datetime.datetime(2101, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
PER_ZONE = 300


def ask(pairs):
    """(offset, next change) for each (zone, second), or the refusal."""
    text = "".join(f"{zone} {second}\n" for zone, second in pairs)
    done = subprocess.run([ASK], input=text, capture_output=True, text=True, check=True, timeout=300)
    lines = done.stdout.splitlines()
    assert len(lines) == len(pairs), (len(lines), len(pairs))
    return [line if line.startswith("refused") else tuple(int(word) for word in line.split())
            for line in lines]


def offset_of(zone, second):
    moment = datetime.datetime.fromtimestamp(second, tz=datetime.timezone.utc)
    return int(moment.astimezone(zone).utcoffset().total_seconds())


def zones():
    names = sorted(name for name in zoneinfo.available_timezones()
                   if os.path.exists(os.path.join(FOLDER, name)) and name != "localtime")
    return {name: zoneinfo.ZoneInfo(name) for name in names}


@unittest.skipUnless(os.path.isdir(FOLDER), "this machine has no tzdata")
class Zones(unittest.TestCase):
    def compare(self, pairs, known):
        answers = ask(pairs)
        wrong = []
        for (name, second), answer in zip(pairs, answers):
            if answer[0] != offset_of(known[name], second):
                wrong.append((name, second, answer, offset_of(known[name], second)))
        self.assertEqual(wrong[:10], [], f"{len(wrong)} of {len(pairs)}")
        return answers

    def test_every_zone_at_random_seconds(self):
        known = zones()
        self.assertGreater(len(known), 300)
        rng = random.Random(20261126)
        pairs = [(name, rng.randrange(BEGIN, END)) for name in known for _ in range(PER_ZONE)]
        self.compare(pairs, known)

    def test_around_every_change_and_nothing_changes_between(self):
        """Hops from change to change: one second before, at it, and a random one between."""
        known = zones()
        rng = random.Random(7)
        at = {name: BEGIN for name in known}
        total = 0
        while at:
            answers = ask(sorted(at.items()))
            pairs = []
            for (name, second), (_, change) in zip(sorted(at.items()), answers):
                self.assertGreater(change, second)
                limit = min(change, END)
                pairs.append((name, rng.randrange(second, limit)))
                pairs.append((name, limit - 1))
                if change >= END:
                    del at[name]
                    continue
                pairs.append((name, change))
                at[name] = change
            self.compare(pairs, known)
            for index in range(len(pairs) - 1):
                if pairs[index][0] == pairs[index + 1][0] and pairs[index][1] < pairs[index + 1][1]:
                    total += 1
        self.assertGreater(total, 50000)

    def test_names_that_lead_elsewhere_are_refused(self):
        for name in ("../../../etc/passwd", "/etc/localtime", "Europe/../Europe/Berlin", "Europe",
                     "Europe/", "./UTC", "right/Europe/Berlin", "posix/UTC", "localtime", "zone.tab",
                     "tzdata.zi", "Europe//Berlin", "europe/berlin", "Europe/Berlin\t", "A" * 65,
                     "Nowhere/At_All", "posixrules"):
            self.assertTrue(str(ask([(name, 0)])[0]).startswith("refused"), name)

    def test_without_files_there_is_utc(self):
        self.assertEqual(ask([("UTC", 0)])[0][0], 0)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_last_good.py: a supervisor that is started with a broken configuration runs on with the one
that served last, and says so.

Owns its benches. Never waits for the copy by time: it waits for the file.
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402  the path is set above
from bench import Bench  # noqa: E402


class LastGood(unittest.TestCase):
    def make(self):
        made = Bench()
        self.addCleanup(made.close)
        os.mkdir(made.path("kept"), 0o700)
        made.kept = made.path("kept/last-good.conf")
        made.arguments = ["--last-good", made.kept]
        return made

    def kept(self, made, has="last-good 1"):
        """The copy's text, as soon as it has that."""
        def looked():
            with open(made.kept, encoding="utf-8") as copy:
                text = copy.read()
            return text if has in text else None
        return bench.wait(looked, f"the copy has {has}")

    def started_and_stopped(self):
        made = self.make().start()
        self.kept(made)
        self.assertEqual(made.status()["alarms"], [])
        self.assertEqual(made.stop(), 0)
        return made

    def refused(self, made):
        done = subprocess.run(
            [bench.SUPERVISOR, "-c", made.path("supervisor.conf"), *made.arguments],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        return done.stderr

    def test_a_broken_file_is_stood_in_for_and_told(self):
        made = self.started_and_stopped()
        made.edit("log_target = text", "log_target = text\nno_such_option = 1")
        made.start()
        alarm = made.status()["alarms"][0]
        self.assertEqual(alarm["alarm"], "config_broken")
        self.assertIn("supervisor.conf", alarm["reason"])
        self.assertIn("no_such_option", alarm["reason"])
        self.assertRegex(alarm["kept_at"], r"^20\d\d-")
        self.assertIn("last_good_config_used", made.log())
        self.assertGreater(made.connect(), 0)
        # What asks about the file is told about the file.
        done = subprocess.run([bench.SUPERVISOR, "--check-config", "-c",
                               made.path("supervisor.conf"), *made.arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 78, done.stderr)
        # Mended: a reload ends it.
        made.edit("no_such_option = 1", "")
        made.process.send_signal(signal.SIGHUP)
        made.wait(lambda: made.status()["alarms"] == [], "the alarm ends")

    def test_what_is_broken_is_never_kept(self):
        made = self.started_and_stopped()
        first = self.kept(made)
        made.edit("crashes = 4", "crashes = 3\nno_such_option = 1")
        made.start()
        self.assertEqual(made.stop(), 0)
        self.assertEqual(self.kept(made), first)
        self.assertIn("no_such_option", self.refused_without(made))

    def refused_without(self, made):
        os.remove(made.kept)
        return self.refused(made)

    def test_a_torn_copy_and_one_of_another_version_stand_in_for_nothing(self):
        made = self.started_and_stopped()
        whole = self.kept(made)
        made.edit("log_target = text", "log_target = text\nno_such_option = 1")
        with open(made.kept, "w", encoding="utf-8") as copy:
            copy.write(whole[:-3])
        said = self.refused(made)
        self.assertIn("no_such_option", said)
        self.assertIn("torn", said)
        # As an older version left it, with an option that this one knows no more.
        body = whole.split("\n", 1)[1] + "option_of_old = 1\n"
        self.reseal(made, body)
        said = self.refused(made)
        self.assertIn("option_of_old", said)
        # And of a configuration that is none of its own.
        self.reseal(made, re.sub(r" of /.*", " of /etc/other.conf", whole.split("\n", 1)[1], count=1))
        self.assertIn("another configuration", self.refused(made))

    @staticmethod
    def reseal(made, body):
        digest = hashlib.sha256(body.encode()).hexdigest()
        with open(made.kept, "w", encoding="utf-8") as copy:
            copy.write(f"# last-good 1 1764169200000 {digest}\n{body}")

    def test_a_reload_is_kept_and_a_refused_one_is_not(self):
        made = self.make().start()
        self.kept(made, "crashes = 4")
        made.edit("crashes = 4", "crashes = 3")
        made.process.send_signal(signal.SIGHUP)
        kept = self.kept(made, "crashes = 3")
        made.edit("crashes = 3", "crashes = 2\nno_such_option = 1")
        made.process.send_signal(signal.SIGHUP)
        made.wait(lambda: "reload_refused" in made.log(), "the reload is refused")
        self.assertEqual(made.status()["alarms"], [])
        self.assertEqual(self.kept(made), kept)

    def test_an_option_that_was_taken_away_is_not_in_the_next_copy(self):
        made = self.started_and_stopped()
        self.assertIn("backoff_max", self.kept(made))
        made.edit("    backoff_max = 200ms\n", "")
        made.edit("    backoff = 50ms\n", "")
        made.start()
        bench.wait(lambda: "backoff" not in self.kept(made), "the copy has it no more")

    def test_without_a_place_nothing_is_kept_and_nothing_stands_in(self):
        made = self.make()
        made.arguments = []
        made.start()
        self.assertEqual(made.stop(), 0)
        self.assertFalse(os.path.exists(made.kept))
        made.edit("log_target = text", "log_target = text\nno_such_option = 1")
        self.assertIn("no_such_option", self.refused(made))


if __name__ == "__main__":
    unittest.main()
